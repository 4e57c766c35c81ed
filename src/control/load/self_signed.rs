//! The certificates that clients have registered as their own, read and judged.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::{Report, until};
use crate::clock::UnixSeconds;
use crate::config::{Config, Fault};
use crate::control::anchors::RENEW_S;
use crate::limits::SELF_SIGNED_CERTIFICATES_MAX;
use crate::peer::{Client, ClientAuthentication, ClientIndex};
use crate::tls::{self, ClientAuth, SelfSigned};

const WHAT: &str = "self-signed client certificates";

/// The same trust with all of them in it; none where something is wrong with one, which is in the
/// report.
pub(super) fn registered(
    config: &Config,
    auth: ClientAuth,
    now: UnixSeconds,
    report: &mut Report,
) -> Option<ClientAuth> {
    let (mut all, mut faults, mut owners) = (Vec::new(), Vec::new(), 0);
    for (place, client) in (0..).map(ClientIndex).zip(&config.clients) {
        let registration = client.registration.as_ref();
        let by = registration.map(|registration| &registration.authentication);
        let Some(ClientAuthentication::SelfSigned(files)) = by else {
            continue;
        };
        owners += 1;
        let before = all.len();
        for file in files {
            let read = CertificateDer::pem_file_iter(file)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>);
            match read {
                Ok(read) => all.extend(read.into_iter().map(|certificate| SelfSigned {
                    client: place,
                    certificate,
                })),
                Err(error) => {
                    let what = format!("{}: {error}", file.display());
                    let cure = "the file must be readable and hold PEM certificates";
                    faults.push(of_client(config, client, what, cure.to_owned()));
                }
            }
        }
        let count = all.len() - before;
        if count > SELF_SIGNED_CERTIFICATES_MAX {
            let what = format!("registers {count} certificates");
            let cure = format!(
                "at most {SELF_SIGNED_CERTIFICATES_MAX}: take out those not in use any more"
            );
            faults.push(of_client(config, client, what, cure));
        }
    }
    report.warnings.extend(all.iter().filter_map(|one| {
        let (_, end) = tls::thumbprint_and_end(&one.certificate)?;
        let soon = now <= end && end.0 <= now.0.saturating_add(RENEW_S);
        let client = client_at(config, one.client).filter(|_| soon)?;
        let what = "a self-signed certificate of it ends soon".to_owned();
        let cure = "register the client's next certificate beside it: both are taken";
        Some(of_client(config, client, what, cure.to_owned()))
    }));
    if !faults.is_empty() {
        return report.note_wrong(WHAT, Err(faults));
    }
    let count = all.len();
    let made = auth.registering(all, now).map_err(|unfit| {
        let of = |unfit: tls::UnfitSelfSigned| {
            let client = client_at(config, unfit.client)?;
            let what = format!("its self-signed certificate {}", unfit.what);
            Some(of_client(config, client, what, unfit.cure))
        };
        unfit.into_iter().filter_map(of).collect()
    });
    let auth = report.note_wrong(WHAT, made)?;
    match owners {
        0 => Some(auth),
        _ => report.note(WHAT, Ok((auth, format!("{count} of {owners} clients")))),
    }
}

fn client_at(config: &Config, place: ClientIndex) -> Option<&Client> {
    config.clients.get(usize::try_from(place.0).ok()?)
}

/// Said where the client is written: which of its files it is about is no matter of a line.
fn of_client(config: &Config, client: &Client, what: String, cure: String) -> Fault {
    let place = config.client_places.get(&client.name);
    Fault {
        file: place.and_then(|place| place.file.clone()),
        line: place.map_or(0, |place| place.line),
        key: "client".to_owned(),
        what: format!("client {}: {what}", client.name),
        cure,
        until: until(true),
    }
}
