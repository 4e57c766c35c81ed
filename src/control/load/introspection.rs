//! How opaque tokens are asked about.

use std::sync::Arc;

use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

use super::{Report, Running, certificates, fault};
use crate::authz::issuers::{IssuerRules, KeySet};
use crate::config::{self, Config, Fault, IntrospectionProof};
use crate::control::crl_fetch::{ShownCertificate, trusting_as};
use crate::snapshot::Introspection;

const KEY: &str = "issuer.introspection";

/// None where it cannot be had; none inside where nobody is asked.
pub(super) fn configured(
    config: &Config,
    running: Option<Running<'_>>,
    report: &mut Report,
) -> Option<Option<Arc<Introspection>>> {
    let mut issuers = config.issuers.iter();
    let found = issuers.find_map(|issuer| Some((issuer, issuer.introspection.as_ref()?)));
    let Some((issuer, written)) = found else {
        return Some(None);
    };
    let made = made(issuer, written, running).map(|made| {
        let detail = format!("asked about at {}", made.url);
        (Arc::new(made), detail)
    });
    report.note("opaque tokens", made).map(Some)
}

fn made(
    issuer: &config::Issuer,
    written: &config::Introspection,
    running: Option<Running<'_>>,
) -> Result<Introspection, Fault> {
    let (name, profile) = (issuer.name.value.clone(), issuer.profile.clone());
    // No key of it has to do with an answer: the connection says whose that is.
    let rules = IssuerRules::new(name, profile, KeySet::unknown());
    let rules = rules.map_err(|what| fault(&issuer.name, "issuer", what, "name both"))?;
    let anchors = certificates(&written.ca, &format!("{KEY}.ca"))?;
    let (secret, shown) = proof(written)?;
    let tls = trusting_as(anchors, shown).map_err(|error| {
        let cure = "every certificate of ca must be a CA's own, and key_file the certificate's key";
        fault(&written.ca, &format!("{KEY}.ca"), error, cure)
    })?;
    let before = running.and_then(|running| running.snapshot.introspection.as_ref());
    Ok(Introspection {
        issuer: rules,
        url: written.url.value.clone(),
        tls,
        client_id: written.client_id.clone(),
        secret,
        cache: written.cache,
        desk: before.map_or_else(Arc::default, |before| Arc::clone(&before.desk)),
    })
}

type Proof = (Option<Zeroizing<String>>, Option<ShownCertificate>);

fn proof(written: &config::Introspection) -> Result<Proof, Fault> {
    let at = &written.proof;
    match &at.value {
        IntrospectionProof::Secret(file) => {
            let key = format!("{KEY}.secret_file");
            let read = std::fs::read_to_string(file).map(Zeroizing::new);
            let read = read.map_err(|error| {
                let what = format!("the file of the secret cannot be read: {error}");
                fault(
                    at,
                    &key,
                    what,
                    "it must be UTF-8, and readable for this user",
                )
            })?;
            match read.lines().next().filter(|line| !line.is_empty()) {
                Some(line) => Ok((Some(Zeroizing::new(line.to_owned())), None)),
                None => {
                    let what = "the first line of the file is empty";
                    Err(fault(at, &key, what, "write the secret into it"))
                }
            }
        }
        IntrospectionProof::Certificate { certificate, key } => {
            let named = config::Located {
                value: certificate.clone(),
                line: at.line,
            };
            let chain = certificates(&named, &format!("{KEY}.certificate"))?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| {
                let what = format!("{}: {error}", key.display());
                fault(
                    at,
                    &format!("{KEY}.key_file"),
                    what,
                    "name a PEM private key",
                )
            })?;
            Ok((None, Some((chain, key))))
        }
    }
}
