//! Whether a chain is one to serve T8 with: all that the gateway asks of it at its start, and that
//! it is for each of the names that are to be served.

use hsm::OpenFault;
use rustls_pki_types::CertificateDer;

use super::fault;
use crate::clock::UnixSeconds;
use crate::tls::{self, RuleSet};

/// Everything that speaks against serving with `chain`, leaf first, at `now`, under `names` (lower
/// case), where the rules `waived` are done without.
pub(super) fn faults(
    chain: &[CertificateDer<'_>],
    now: UnixSeconds,
    names: &[String],
    waived: RuleSet,
) -> Vec<OpenFault> {
    let unfit = tls::unfit_to_serve(chain, waived, now).into_iter();
    let mut faults: Vec<OpenFault> = unfit.map(|unfit| fault(unfit.what, unfit.cure)).collect();
    let leaf: &[u8] = chain.first().map_or(&[], |leaf| leaf);
    for name in names.iter().filter(|name| !tls::carries(leaf, name)) {
        faults.push(fault(
            format!("the certificate does not name {name}, which listen.server_names has"),
            "have it issued for all of them, or take the name out of listen.server_names",
        ));
    }
    faults
}
