//! How an issuer is asked about opaque tokens.

use super::*;
use crate::config::{IntrospectionProof, IssuerKeys, KeySource};

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
    refused(
        &alone,
        15,
        &key("key_file"),
        "goes with certificate and private_key_jwt only",
    );
    let long = asked(&format!("{ASKED}cache = \"2h\"\n"));
    refused(&long, 16, &key("cache"), "out of range");
}

const SECRET: &str = "secret_file = \"secret\"\n";

#[test]
fn assertions_and_keys_in_tokens_are_read() {
    let proof = |lines: &str| {
        let config = good(&asked(&ASKED.replace(SECRET, lines)));
        let asked_by = config.issuers[0].introspection.clone().expect("it is");
        asked_by.proof.value
    };
    let in_token = "[issuer.introspection.key]\nmodule = \"m\"\nuri = \"pkcs11:token=t\"\n\
                    pin_file = \"p\"\n";
    let is_in_token = |key: &Located<KeySource>| matches!(key.value, KeySource::Pkcs11 { .. });
    let said = "private_key_jwt = true\nkid = \"k\"\nassertion_audience = \"a\"\n";
    let by_token = proof(&format!("{said}{in_token}"));
    let IntrospectionProof::Assertion { key, kid, audience } = &by_token else {
        panic!("{by_token:?}");
    };
    assert!(is_in_token(key));
    assert_eq!(
        (kid.as_deref(), audience.as_deref()),
        (Some("k"), Some("a"))
    );
    let by_file = proof("private_key_jwt = true\nkey_file = \"own.key\"\n");
    let file = KeySource::File("/etc/t8gate/own.key".into());
    assert_eq!(by_file.key().map(|key| &key.value), Some(&file));
    let by_certificate = proof(&format!("certificate = \"own.pem\"\n{in_token}"));
    assert!(by_certificate.key().is_some_and(is_in_token));
    // What is said to be no way is none.
    let by_secret = proof(&format!("private_key_jwt = false\n{SECRET}"));
    assert!(matches!(by_secret, IntrospectionProof::Secret(_)));
}

//= RFC 6749 section 2.3 type=test
//# Whoever authenticates in two ways at once is told to keep one.
#[test]
fn issuer_is_asked_in_one_way() {
    let section = "issuer[1].introspection";
    let key = |key: &str| format!("{section}.{key}");
    let with = |lines: &str| asked(&ASKED.replace(SECRET, lines));
    let two = with("secret_file = \"a\"\nprivate_key_jwt = true\nkey_file = \"k\"\n");
    let cure = refused(
        &two,
        16,
        &key("private_key_jwt"),
        "secret_file does (line 15)",
    )
    .cure;
    assert!(cure.contains("one way"), "{cure}");
    let two = with("private_key_jwt = true\ncertificate = \"a\"\nkey_file = \"k\"\n");
    let what = "private_key_jwt does (line 15)";
    refused(&two, 16, &key("certificate"), what);
    let keyless = with("private_key_jwt = true\n");
    refused(&keyless, 11, &key("key_file"), "is missing");
    let keys = with(
        "private_key_jwt = true\nkey_file = \"k\"\n[issuer.introspection.key]\nfile = \"l\"\n",
    );
    refused(&keys, 17, &key("key"), "key_file does (line 16)");
    for word in ["kid", "assertion_audience"] {
        let foreign = with(&format!("{SECRET}{word} = \"a\"\n"));
        refused(&foreign, 16, &key(word), "goes with private_key_jwt only");
    }
    let foreign = with(&format!(
        "{SECRET}[issuer.introspection.key]\nfile = \"l\"\n"
    ));
    refused(
        &foreign,
        16,
        &key("key"),
        "goes with certificate and private_key_jwt only",
    );
}

#[test]
fn two_issuers_cannot_both_be_asked() {
    let other =
        "[[issuer]]\nname = \"https://other.example\"\naudience = \"t8\"\njwks = \"o.jwks\"\n";
    let two = asked(&format!("{ASKED}{other}{ASKED}"));
    refused(&two, 21, "issuer.introspection", "as another is (line 12)");
}
