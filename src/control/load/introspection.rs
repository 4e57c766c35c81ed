//! How opaque tokens are asked about.

use std::path::Path;
use std::sync::Arc;

use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use super::own_issuer::of_issuer;
use super::{Report, Running, certificates, fault, of_key, private_key};
use crate::authz::issuers::{IssuerRules, KeySet};
use crate::config::{self, Config, Fault, IntrospectionProof, KeySource, Located};
use crate::control::crl_fetch::trusting_as;
use crate::oauth::{Assertions, TokenKey};
use crate::snapshot::{Introspection, Proof};
use crate::tls;

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
    let rules = rules.living_at_most(issuer.token_lifetime_max);
    let anchors = certificates(&written.ca, &format!("{KEY}.ca"))?;
    let (proof, shown) = proof(issuer, written, running)?;
    let tls = trusting_as(anchors.clone(), shown).map_err(|error| {
        let cure = "every certificate of ca must be a CA's own";
        fault(&written.ca, &format!("{KEY}.ca"), error, cure)
    })?;
    let before = running.and_then(|running| running.snapshot.introspection.as_ref());
    Ok(Introspection {
        issuer: rules,
        url: written.url.value.clone(),
        tls,
        ca: anchors,
        client_id: written.client_id.clone(),
        proof,
        cache: written.cache,
        desk: before.map_or_else(Arc::default, |before| Arc::clone(&before.desk)),
    })
}

/// How the gateway says who it is, and the certificate that it shows for that.
type Said = (Proof, Option<Arc<CertifiedKey>>);

fn proof(
    issuer: &config::Issuer,
    written: &config::Introspection,
    running: Option<Running<'_>>,
) -> Result<Said, Fault> {
    let at = &written.proof;
    let before = running.and_then(|running| before(&at.value, running));
    match &at.value {
        IntrospectionProof::Secret(file) => Ok((Proof::Secret(secret(at, file)?), None)),
        IntrospectionProof::Certificate { certificate, key } => {
            let named = Located {
                value: certificate.clone(),
                line: at.line,
            };
            let chain = certificates(&named, &format!("{KEY}.certificate"))?;
            let name = format!("{KEY}.key");
            let spki = chain.first().and_then(|leaf| spki(leaf));
            let spki = spki.ok_or_else(|| {
                let what = "the certificate cannot be read";
                fault(
                    &named,
                    &format!("{KEY}.certificate"),
                    what,
                    "name one in PEM",
                )
            })?;
            let key = match before {
                Some(Proof::Certificate(open)) if open.is_known_to_be(&spki) => Arc::clone(open),
                _ => {
                    let (opened, _) = private_key(key, &name)?;
                    let proved = opened.prove(&spki);
                    proved.map_err(|open| of_key(key, &name, open))?;
                    opened
                }
            };
            let shown = tls::shown_by_client(chain, Arc::clone(&key));
            Ok((Proof::Certificate(key), Some(shown)))
        }
        IntrospectionProof::Assertion { key, kid, audience } => {
            let signing = match before {
                Some(Proof::Assertion(before)) => Arc::clone(before.key()),
                _ => {
                    let name = format!("{KEY}.key");
                    let (opened, _) = private_key(key, &name)?;
                    let proved = TokenKey::prove(opened);
                    Arc::new(proved.map_err(|wrong| of_issuer(key, &name, wrong))?)
                }
            };
            let audience = audience.as_ref().unwrap_or(&issuer.name.value).clone();
            let client_id = written.client_id.clone();
            let made = Assertions::new(signing, kid.as_deref(), client_id, audience);
            Ok((Proof::Assertion(Arc::new(made)), None))
        }
    }
}

/// What is in force by the same key in a token, which may be away, and is not to stand in the way
/// of another change.
fn before<'r>(written: &IntrospectionProof, running: Running<'r>) -> Option<&'r Proof> {
    let source = &written.key()?.value;
    let mut issuers = running.config.issuers.iter();
    let before = issuers.find_map(|issuer| issuer.introspection.as_ref())?;
    let is_same = before.proof.value.key()?.value == *source;
    let in_token = matches!(source, KeySource::Pkcs11 { .. });
    let proof = &running.snapshot.introspection.as_ref()?.proof;
    (is_same && in_token).then_some(proof)
}

fn spki(leaf: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_, leaf) = X509Certificate::from_der(leaf).ok()?;
    Some(leaf.public_key().raw.to_vec())
}

/// The first line of the file.
fn secret(at: &Located<IntrospectionProof>, file: &Path) -> Result<Zeroizing<String>, Fault> {
    let key = format!("{KEY}.secret_file");
    let read = std::fs::read_to_string(file).map(Zeroizing::new);
    let read = read.map_err(|error| {
        let what = format!("the file of the secret cannot be read: {error}");
        let cure = "it must be UTF-8, and readable for this user";
        fault(at, &key, what, cure)
    })?;
    match read.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(Zeroizing::new(line.to_owned())),
        None => {
            let what = "the first line of the file is empty";
            Err(fault(at, &key, what, "write the secret into it"))
        }
    }
}
