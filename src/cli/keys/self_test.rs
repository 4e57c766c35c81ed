//! `t8gate keys self-test`.

use clap::Args;
use hsm::ceremony::{Trial, try_schemes};
use hsm::{KeyKind, PrivateKey};

use super::{Access, Faults, fault, proved};
use crate::config::KeySource;

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    access: Access,
}

/// One row a scheme, to standard output. Well is: the key is proved, and nothing is missing that
/// TLS 1.2 and 1.3 need.
pub(super) fn run(options: &Options) -> Result<(), Faults> {
    let (mut source, config) = options.access.resolve_for_login(&[])?;
    if let Some(KeySource::Pkcs11 { sessions, .. }) = config.as_ref().map(|c| &c.tls.key.value) {
        source.sessions = *sessions;
    }
    let key = PrivateKey::from_token(&source)?;
    row(
        "ok",
        "open",
        &format!("{:?}, {} sessions", key.kind(), source.sessions),
    );
    let spki = proved(&key, config.as_ref())?;
    row("ok", "proof", "signed, and verified with the public key");
    let mut faults = Vec::new();
    for (scheme, trial) in try_schemes(&key, &spki)? {
        let scheme = format!("{scheme:?}");
        match trial {
            Trial::Signs => row("ok", &scheme, "signed, and verified"),
            Trial::Absent(mechanism) => {
                row("absent", &scheme, &format!("the token has no {mechanism}"));
            }
            Trial::Fails(why) => {
                row("FAULT", &scheme, &why.to_string());
                faults.push(fault(
                    format!("the key does not sign by {scheme}: {why}"),
                    "see the HSM's policy, and the module's own log",
                ));
            }
            Trial::Wrong => {
                row("FAULT", &scheme, "the signature does not verify");
                faults.push(fault(
                    format!("signatures by {scheme} do not verify"),
                    "take this module out of service: it signs wrongly",
                ));
            }
        }
    }
    if key.kind() == KeyKind::Rsa {
        faults.extend(missing_for_rsa(&key));
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(Faults(faults))
}

fn missing_for_rsa(key: &PrivateKey) -> Option<hsm::OpenFault> {
    //= RFC 8446 section 4.2.3
    //# TLS 1.3 takes signatures of RSA keys by PSS only.
    let has_pss = key.schemes().contains(&hsm::Scheme::RsaPssSha256);
    (!has_pss).then(|| {
        fault(
            "without PSS this key serves TLS 1.2 only, and 3GPP demands TLS 1.3",
            "enable CKM_RSA_PKCS_PSS in the HSM's policy, or use a P-256 key",
        )
    })
}

fn row(verdict: &str, what: &str, found: &str) {
    say!("{verdict:<6} {what:<16} {found}");
}
