use super::*;

fn source(uri: &str) -> Pkcs11Source {
    Pkcs11Source {
        module: "/usr/lib/module.so".into(),
        uri: uri.into(),
        pin_file: "/etc/t8gate/pin".into(),
        sessions: 1,
    }
}

fn parse(uri: &str) -> Result<KeyUri, OpenFault> {
    KeyUri::of(&source(uri))
}

fn refused(uri: &str, says: &str) {
    let fault = parse(uri).expect_err(uri);
    assert!(fault.what.contains(says), "{uri}: {}", fault.what);
    assert!(!fault.cure.is_empty());
}

//= RFC 7512 section 2.3 type=test
//# A PKCS#11 URI is the scheme "pkcs11" in any case, and path attributes split by ";".
#[test]
fn attributes_are_percent_decoded() {
    let uri = parse(
        "PKCS11:token=t8%20gate;serial=12;object=k%2f%C3%A9;id=%00%01;slot-id=7;type=private",
    )
    .unwrap();
    assert_eq!(uri.token.as_deref(), Some(&b"t8 gate"[..]));
    assert_eq!(uri.serial.as_deref(), Some(&b"12"[..]));
    assert_eq!(uri.object.as_deref(), Some("k/é".as_bytes()));
    assert_eq!(uri.id.as_deref(), Some(&[0, 1][..]));
    assert_eq!(uri.slot_id, Some(7));
    assert_eq!(uri.model, None);
}

#[test]
fn empty_uri_names_anything() {
    assert_eq!(parse("pkcs11:").unwrap(), KeyUri::default());
}

#[test]
fn other_scheme_is_refused() {
    refused("token=t8gate", "pkcs11:");
    refused("file:/etc/key", "pkcs11:");
    refused("", "pkcs11:");
    refused("pkcsé11:token=a", "pkcs11:");
}

#[test]
fn unknown_attribute_is_refused() {
    refused(
        "pkcs11:token=a;library-version=1",
        "unknown attribute \"library-version\"",
    );
    refused("pkcs11:token=a;x-y=1", "unknown attribute");
    refused("pkcs11:Token=a", "unknown attribute");
    refused("pkcs11:token=a?module-name=b", "unknown query attribute");
}

//= RFC 7512 section 2.3 type=test
//# An attribute stands at most once.
#[test]
fn repeated_attribute_is_refused() {
    refused("pkcs11:token=a;token=a", "twice");
    refused("pkcs11:slot-id=1;slot-id=1", "twice");
    refused("pkcs11:type=private;type=private", "twice");
    refused(
        "pkcs11:token=a?pin-source=/etc/t8gate/pin&pin-source=/etc/t8gate/pin",
        "twice",
    );
}

#[test]
fn type_other_than_private_is_refused() {
    refused("pkcs11:token=a;type=public", "type");
    refused("pkcs11:token=a;type=cert", "type");
}

#[test]
fn pin_in_the_uri_is_refused_and_not_repeated() {
    let fault = parse("pkcs11:token=a?pin-value=4711").unwrap_err();
    assert!(fault.what.contains("carries a PIN"));
    assert!(!fault.to_string().contains("4711"));
}

#[test]
fn query_that_agrees_with_the_configuration_is_taken() {
    let uri = "pkcs11:token=a?module-path=/usr/lib/module.so&pin-source=file:/etc/t8gate/pin";
    assert!(parse(uri).is_ok());
    assert!(parse("pkcs11:token=a?pin-source=%2Fetc/t8gate/pin").is_ok());
}

#[test]
fn query_that_contradicts_the_configuration_is_refused() {
    refused(
        "pkcs11:token=a?module-path=/srv/evil.so",
        "module-path other",
    );
    refused("pkcs11:token=a?pin-source=/srv/pin", "pin-source other");
    refused("pkcs11:token=a?pin-source=|/bin/cat", "percent-encoded");
}

#[test]
fn bad_percent_encoding_is_refused() {
    for uri in [
        "pkcs11:token=%",
        "pkcs11:token=%2",
        "pkcs11:token=%zz",
        "pkcs11:token=a b",
    ] {
        refused(uri, "percent-encoded");
    }
    refused("pkcs11:token=a/b", "percent-encoded");
    refused("pkcs11:token=é", "percent-encoded");
    refused("pkcs11:token=a#b", "percent-encoded");
    refused("pkcs11:token=%+1", "percent-encoded");
}

#[test]
fn attribute_without_value_is_refused() {
    refused("pkcs11:token", "without a value");
    refused("pkcs11:token=", "empty value");
    refused("pkcs11:token=a;", "without a value");
    refused("pkcs11:token=a;;object=b", "without a value");
}

#[test]
fn slot_id_that_is_no_number_is_refused() {
    refused("pkcs11:slot-id=x", "slot-id");
    refused("pkcs11:slot-id=-1", "slot-id");
    refused("pkcs11:slot-id=+1", "slot-id");
    refused("pkcs11:slot-id=99999999999999999999", "slot-id");
}

#[test]
fn written_uri_names_what_it_was_written_for() {
    let text = written("t8 gate", "k/é;x=%", &[0, 0x2f]);
    let uri = parse(&text).unwrap();
    assert_eq!(uri.token.as_deref(), Some(&b"t8 gate"[..]));
    assert_eq!(uri.object.as_deref(), Some("k/é;x=%".as_bytes()));
    assert_eq!(uri.id.as_deref(), Some(&[0, 0x2f][..]));
    assert_eq!(parse(&written("t", "", &[])).unwrap().object, None);
}

#[test]
fn secret_keys_are_named_by_their_own_type() {
    let mut source = source("pkcs11:token=a;type=secret-key");
    assert!(KeyUri::of_secret(&source).is_ok());
    assert!(KeyUri::of(&source).is_err());
    source.uri = "pkcs11:token=a;type=private".to_owned();
    let fault = KeyUri::of_secret(&source).unwrap_err();
    assert!(fault.what.contains("not secret-key"), "{fault}");
}

#[test]
fn uris_share_a_token_where_nothing_says_that_it_is_another() {
    let share = |one: &str, other: &str| {
        let uris = [one, other].map(|uri| parse(uri).unwrap());
        let both = [(0, 1), (1, 0)].map(|(a, b)| uris[a].may_share_a_token_with(&uris[b]));
        assert_eq!(both[0], both[1]);
        both[0]
    };
    assert!(share("pkcs11:", "pkcs11:token=a;serial=1;slot-id=1"));
    assert!(share("pkcs11:token=a;object=x", "pkcs11:token=a;object=y"));
    assert!(share("pkcs11:token=a", "pkcs11:serial=1"));
    let names = ["token", "manufacturer", "serial", "model", "slot-id"];
    for name in names {
        let uri = |value: u8| format!("pkcs11:{name}={value}");
        assert!(share(&uri(1), &uri(1)));
        assert!(!share(&uri(1), &uri(2)), "{name}");
    }
}
