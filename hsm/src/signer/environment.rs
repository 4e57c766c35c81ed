//! What a signer process gets of the gateway's environment: what modules and their libraries are
//! configured by, and nothing else.

use std::ffi::{OsStr, OsString};

/// Names in full.
const NAMES: &[&str] = &[
    "HOME",
    "LANG",
    "LD_LIBRARY_PATH",
    "PATH",
    "T8GATE_LOG",
    "TMPDIR",
    "TZ",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    // Luna finds its client's configuration by it.
    "ChrystokiConfigurationPath",
];

/// Beginnings of names: SoftHSM, p11-kit, pkcs11-spy, OpenSC, NSS, Kryoptic, nShield (two),
/// CloudHSM, YubiHSM, Utimaco.
const BEGINNINGS: &[&str] = &[
    "SOFTHSM2_",
    "P11_KIT_",
    "PKCS11",
    "OPENSC_",
    "NSS_",
    "KRYOPTIC_",
    "CKNFAST_",
    "NFAST_",
    "CLOUDHSM_",
    "YUBIHSM_",
    "CS_PKCS11_",
    "LC_",
];

/// Those of `all` that a signer process gets.
pub fn kept(
    all: impl Iterator<Item = (OsString, OsString)>,
) -> impl Iterator<Item = (OsString, OsString)> {
    all.filter(|(name, _)| is_kept(name))
}

fn is_kept(name: &OsStr) -> bool {
    let octets = name.as_encoded_bytes();
    let begins = |with: &&str| octets.starts_with(with.as_bytes());
    NAMES.iter().any(|kept| name == *kept) || BEGINNINGS.iter().any(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_get_what_configures_them_and_nothing_that_is_the_gateways() {
        for name in [
            "SOFTHSM2_CONF",
            "PKCS11SPY",
            "P11_KIT_SERVER_ADDRESS",
            "HOME",
        ] {
            assert!(is_kept(OsStr::new(name)), "{name}");
        }
        for name in [
            "LD_PRELOAD",
            "AWS_SECRET_ACCESS_KEY",
            "NOTIFY_SOCKET",
            "HOMES",
            "PIN",
        ] {
            assert!(!is_kept(OsStr::new(name)), "{name}");
        }
    }
}
