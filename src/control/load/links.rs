//! Where links lead on both sides of the gateway.

use super::Report;
use crate::config::Config;
use crate::links::Links;

/// None where links stay as they are.
pub(super) fn configured(config: &Config, report: &mut Report) -> Option<Links> {
    let (public, inside) = (&config.listen.api_roots, &config.upstream.api_roots);
    let Some(root) = public.first() else {
        let said = "as the SCEF writes them: listen.api_roots is not set, and clients see by them \
                    what it calls itself";
        report.note("links", Ok(((), said.to_owned())));
        return None;
    };
    // None where there is no SCEF, which is said elsewhere.
    let links = Links::new(public.clone(), inside.clone())?;
    let inside: Vec<_> = inside.iter().map(ToString::to_string).collect();
    let said = format!("to {} become links to {root}", inside.join(" and "));
    report.note("links", Ok((links, said)))
}
