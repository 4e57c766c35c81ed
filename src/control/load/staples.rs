//! Whose status is stapled to the gateway's own certificates, and what of it is there already.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;

use super::own::Written;
use super::{Running, certificates, fault};
use crate::clock::UnixSeconds;
use crate::config::regular_file::{self, NotOpened};
use crate::config::{Fault, Located, Stapling, StatusPlace, Until};
use crate::control::crl_fetch;
use crate::limits::OCSP_RESPONSE_BYTES_MAX;
use crate::snapshot::StapleFrom;
use crate::tls::ocsp::{OcspFault, OcspIssuer, Staple, serial_of};

/// The status of one certificate. What is held of it already stays; a file is read, and must hold
/// what can be stapled, or could have been before it ended: then the certificate is shown alone.
pub(super) fn load(
    written: &Written<'_>,
    ocsp: &Stapling,
    chain: &[CertificateDer<'static>],
    now: UnixSeconds,
    running: Option<Running<'_>>,
) -> Result<(Arc<StapleFrom>, String), Fault> {
    let section = format!("{}.ocsp", written.section);
    let issuer = issuer(&section, ocsp, chain)?;
    let serial = chain.first().and_then(|leaf| serial_of(leaf));
    let staple = Staple::new(issuer, serial.unwrap_or_default());
    let held = running.and_then(|running| {
        let mut held = running.snapshot.staples.iter();
        held.find(|held| held.staple.is_of_same_as(&staple))
    });
    let before = held.is_some_and(|held| held.place == ocsp.place.value);
    let staple = match (held, &ocsp.place.value) {
        // What is read now is nobody's while the rest may be refused still.
        (Some(held), StatusPlace::File(_)) if !before => {
            staple.go_on_from(&held.staple);
            Arc::new(staple)
        }
        (Some(held), _) => Arc::clone(&held.staple),
        (None, _) => Arc::new(staple),
    };
    let found = match &ocsp.place.value {
        // Looked after already: a file that is wrong, or away, is in nobody else's way.
        place if before => format!("from {place}, as before"),
        StatusPlace::File(file) => match take(file, &staple, now) {
            Ok((_, end)) => format!("in {}, until {} s since 1970", file.display(), end.0),
            Err(OcspFault::Ended) => format!("{} has ended: none is stapled", file.display()),
            Err(wrong) => {
                let (what, cure) = wrong.explained();
                let what = format!("{}: {what}", file.display());
                let fault = fault(&ocsp.place, &format!("{section}.file"), what, cure);
                return Err(match wrong {
                    OcspFault::NotYetValid => Fault {
                        until: Until::Begun,
                        ..fault
                    },
                    _ => fault,
                });
            }
        },
        place @ StatusPlace::Url(_) => format!("is asked for at {place}"),
    };
    let from = StapleFrom {
        name: written.called("server certificate"),
        place: ocsp.place.value.clone(),
        tls: tls(ocsp.ca.as_ref(), &format!("{section}.ca"))?,
        staple,
    };
    Ok((Arc::new(from), found))
}

/// Reads a response from a file and staples it: when it begins and ends.
///
/// # Errors
/// Why it is not stapled.
pub fn take(
    file: &Path,
    staple: &Staple,
    now: UnixSeconds,
) -> Result<(UnixSeconds, UnixSeconds), OcspFault> {
    let unreadable = |_| OcspFault::Unreadable;
    let file = regular_file::open(file).map_err(|why| match why {
        NotOpened::NotRegular => OcspFault::NotRegular,
        NotOpened::Kernel(_) => OcspFault::Unreadable,
    })?;
    // One octet more than is read shows that it is too long.
    let bound = u64::try_from(OCSP_RESPONSE_BYTES_MAX + 1).unwrap_or(u64::MAX);
    let mut response = Vec::new();
    let read = file.take(bound).read_to_end(&mut response);
    read.map_err(unreadable)?;
    staple.take(response, now)
}

/// How the server of an https URL is known.
pub(in crate::control) fn tls(
    ca: Option<&Located<std::path::PathBuf>>,
    key: &str,
) -> Result<Option<Arc<ClientConfig>>, Fault> {
    let made = ca.map(|ca| {
        crl_fetch::trusting(certificates(ca, key)?).map_err(|error| {
            let cure = "every certificate in it must be a CA's own";
            fault(ca, key, error, cure)
        })
    });
    made.transpose()
}

/// Who issued the certificate: the next one of its chain, or one that is named.
fn issuer(
    section: &str,
    ocsp: &Stapling,
    chain: &[CertificateDer<'static>],
) -> Result<OcspIssuer, Fault> {
    let key = format!("{section}.issuer");
    let named = match &ocsp.issuer {
        Some(file) => certificates(file, &key)?,
        None => Vec::new(),
    };
    let leaf = chain.first().map_or(&[][..], |leaf| leaf.as_ref());
    let candidates = chain.iter().skip(1).chain(&named);
    let mut issuers = candidates.filter_map(|der| OcspIssuer::read(der));
    issuers
        .find(|issuer| issuer.has_issued(leaf))
        .ok_or_else(|| {
            let what = "the certificate's issuer is neither in its chain nor named here";
            let cure = "name the PEM file of the CA that issued it";
            match &ocsp.issuer {
                Some(file) => fault(file, &key, what, cure),
                None => fault(&ocsp.place, &key, what, cure),
            }
        })
}
