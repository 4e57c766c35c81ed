//! Files of private keys that others than the gateway can open.

use std::path::Path;

use super::{Report, fault};
use crate::config::{self, Config, KeySource, Located};

/// Warns of each. They are no fault, as a PIN's file would be: keys come by mounts, and from
/// programs that renew them, which give a group the right to read them.
pub(super) fn warn_of_open(config: &Config, report: &mut Report) {
    for (key, at) in all(config) {
        let KeySource::File(file) = &at.value else {
            continue;
        };
        if let Err((what, cure)) = config::is_closed(file, &called(file), "key") {
            report.warnings.push(fault(at, &key, what, cure));
        }
    }
}

fn called(file: &Path) -> String {
    format!("the key file {}", file.display())
}

/// All private keys, with the names of what says where they are.
fn all(config: &Config) -> impl Iterator<Item = (String, &Located<KeySource>)> {
    let tls = ("tls.key".to_owned(), &config.tls.key);
    let also = config.tls.also.iter().zip(1..);
    let also = also.map(|(also, place)| (format!("tls.also[{place}].key"), &also.key));
    let own = config.oauth.iter().flat_map(|oauth| {
        let next = oauth.next_keys.iter().map(|next| ("next_key", &next.key));
        let capif = oauth.capif.iter().map(|capif| ("capif.key", &capif.key));
        let all = std::iter::once(("key", &oauth.key))
            .chain(next)
            .chain(capif);
        all.map(|(key, at)| (format!("oauth.{key}"), at))
    });
    let asking = config.issuers.iter();
    let asking = asking.filter_map(|issuer| issuer.introspection.as_ref()?.proof.value.key());
    let asking = asking.map(|at| ("issuer.introspection.key".to_owned(), at));
    std::iter::once(tls).chain(also).chain(own).chain(asking)
}
