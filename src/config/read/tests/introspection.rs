//! How an issuer is asked about opaque tokens.

use super::*;
use crate::config::{IntrospectionProof, IssuerKeys};

const ASKED: &str = "[issuer.introspection]\nurl = \"https://issuer.example/i\"\nca = \"ca.pem\"\n\
                     client_id = \"t8\"\nsecret_file = \"secret\"\n";

/// The small configuration, whose issuer is asked so: behind its three keys, in lines 11 to 15.
fn asked(lines: &str) -> String {
    with(
        "jwks = \"keys.jwks\"\n",
        &format!("jwks = \"keys.jwks\"\n{lines}"),
    )
}

#[test]
fn issuer_is_asked_where_that_is_said() {
    assert_eq!(good(SMALL).issuers[0].introspection, None);
    let config = good(&asked(ASKED));
    let asked_by = config.issuers[0].introspection.as_ref().expect("it is");
    assert_eq!(asked_by.url.value.to_string(), "https://issuer.example/i");
    assert_eq!(
        (asked_by.client_id.as_str(), asked_by.cache.as_secs()),
        ("t8", 30)
    );
    let secret = IntrospectionProof::Secret("/etc/t8gate/secret".into());
    assert_eq!(asked_by.proof.value, secret);
    let certificate = "certificate = \"own.pem\"\nkey_file = \"own.key\"\ncache = \"1h\"\n";
    let config = good(&asked(
        &ASKED.replace("secret_file = \"secret\"\n", certificate),
    ));
    let asked_by = config.issuers[0].introspection.as_ref().expect("it is");
    assert!(matches!(
        asked_by.proof.value,
        IntrospectionProof::Certificate { .. }
    ));
    assert_eq!(asked_by.cache.as_secs(), 3_600);
}

#[test]
fn issuer_that_is_asked_needs_no_keys() {
    let alone = with("jwks = \"keys.jwks\"\n", ASKED);
    assert_eq!(good(&alone).issuers[0].keys.value, IssuerKeys::Unneeded);
    let both = good(&asked(ASKED)).issuers[0].keys.value.clone();
    assert!(matches!(both, IssuerKeys::Jwks(_)));
    // What goes with keys goes with none of them.
    let kid = with("jwks = \"keys.jwks\"\n", &format!("kid = \"a\"\n{ASKED}"));
    refused(&kid, 10, "issuer[1].kid", "pem only");
    let none = with("jwks = \"keys.jwks\"\n", "");
    refused(&none, 7, "issuer[1].jwks", "no keys");
}

//= RFC 7662 section 2 type=test
//# A URL without TLS is refused.
#[test]
fn what_is_wrong_with_it_is_said() {
    let section = "issuer[1].introspection";
    let key = |key: &str| format!("{section}.{key}");
    let changed = |from: &str, to: &str| {
        assert!(ASKED.contains(from), "{from}");
        asked(&ASKED.replace(from, to))
    };
    refused(&changed("https:", "http:"), 12, &key("url"), "in the clear");
    refused(
        &changed("ca = \"ca.pem\"\n", ""),
        11,
        &key("ca"),
        "is missing",
    );
    refused(
        &changed("client_id = \"t8\"\n", ""),
        11,
        &key("client_id"),
        "is missing",
    );
    let none = changed("secret_file = \"secret\"\n", "");
    refused(&none, 11, &key("secret_file"), "is missing");
    let both = "secret_file = \"secret\"\ncertificate = \"own.pem\"\nkey_file = \"own.key\"\n";
    let both = changed("secret_file = \"secret\"\n", both);
    refused(&both, 16, &key("certificate"), "secret_file does (line 15)");
    let keyless = changed("secret_file = \"secret\"", "certificate = \"own.pem\"");
    refused(&keyless, 11, &key("key_file"), "is missing");
    let alone = changed("secret_file", "key_file = \"own.key\"\nsecret_file");
    refused(&alone, 15, &key("key_file"), "goes with certificate only");
    let long = asked(&format!("{ASKED}cache = \"2h\"\n"));
    refused(&long, 16, &key("cache"), "out of range");
}

#[test]
fn two_issuers_cannot_both_be_asked() {
    let other =
        "[[issuer]]\nname = \"https://other.example\"\naudience = \"t8\"\njwks = \"o.jwks\"\n";
    let two = asked(&format!("{ASKED}{other}{ASKED}"));
    refused(&two, 21, "issuer.introspection", "as another is (line 12)");
}
