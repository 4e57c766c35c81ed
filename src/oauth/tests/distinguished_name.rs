//! Names as written, against subjects as encoded.

use std::process::Command;

use proptest::prelude::*;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::X509Name;

use super::super::distinguished_name::DistinguishedName;

const UTF8: u8 = 0x0c;
const PRINTABLE: u8 = 0x13;
const CN: &[u8] = b"\x55\x04\x03";
const O: &[u8] = b"\x55\x04\x0a";
const OU: &[u8] = b"\x55\x04\x0b";

/// An element whose content is shorter than 128 octets.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
}

fn attribute(oid: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
    element(0x30, &[element(6, oid), element(tag, value)].concat())
}

/// The DER of a name whose parts are these, in the order of a certificate.
fn subject(parts: &[&[Vec<u8>]]) -> Vec<u8> {
    let parts: Vec<u8> = parts
        .iter()
        .flat_map(|part| element(0x31, &part.concat()))
        .collect();
    element(0x30, &parts)
}

fn is(text: &str, subject: &[u8]) -> bool {
    let (_, name) = X509Name::from_der(subject).unwrap();
    DistinguishedName::parse(text).unwrap().is(&name)
}

/// Whether `text` is the name with the one common name `value`.
fn is_common_name(text: &str, tag: u8, value: &[u8]) -> bool {
    is(text, &subject(&[&[attribute(CN, tag, value)]]))
}

#[track_caller]
fn fault(text: &str) -> String {
    DistinguishedName::parse(text).expect_err("the name was taken")
}

//= RFC 4514 section 2.1 type=test
//# The last part of the certificate's name is written first.
#[test]
fn parts_stand_in_the_reverse_order_of_the_certificate() {
    let name = subject(&[&[attribute(O, UTF8, b"a")], &[attribute(CN, UTF8, b"b")]]);
    assert!(is("CN=b,O=a", &name));
    assert!(!is("O=a,CN=b", &name));
    assert!(!is("CN=b", &name));
    assert!(!is("O=a", &name));
    assert!(!is("CN=b,O=a,O=a", &name));
    assert!(!is("CN=b+O=a", &name));
}

//= RFC 4514 section 2.2 type=test
//# The attributes of one part are joined by "+", in any order.
#[test]
fn attributes_of_one_part_have_no_order() {
    let (unit, name) = (attribute(OU, UTF8, b"u"), attribute(CN, UTF8, b"n"));
    let both = subject(&[&[attribute(O, UTF8, b"o")], &[unit.clone(), name.clone()]]);
    assert!(is("CN=n+OU=u,O=o", &both));
    assert!(is("OU=u+CN=n,O=o", &both));
    assert!(!is("CN=n,OU=u,O=o", &both));
    assert!(!is("CN=n,O=o", &both));
    assert!(!is("CN=n+CN=n,O=o", &both));
    assert!(!is("CN=n+OU=u+OU=u,O=o", &both));
    let twice = subject(&[&[unit.clone(), unit]]);
    assert!(is("OU=u+OU=u", &twice));
    assert!(!is("OU=u", &twice));
}

//= RFC 4514 section 3 type=test
//# Short names are known in any case, other types by their numbers.
#[test]
fn types_are_short_names_in_any_case_or_numbers() {
    for text in ["CN=a", "cn=a", "cN=a", "2.5.4.3=a"] {
        assert!(is_common_name(text, UTF8, b"a"), "{text}");
    }
    for (short, oid) in [
        ("serialNumber", &b"\x55\x04\x05"[..]),
        ("SN", b"\x55\x04\x04"),
        ("title", b"\x55\x04\x0c"),
        ("businessCategory", b"\x55\x04\x0f"),
        ("postalCode", b"\x55\x04\x11"),
        ("GN", b"\x55\x04\x2a"),
        ("dnQualifier", b"\x55\x04\x2e"),
        ("organizationIdentifier", b"\x55\x04\x61"),
        ("C", b"\x55\x04\x06"),
        ("L", b"\x55\x04\x07"),
        ("ST", b"\x55\x04\x08"),
        ("STREET", b"\x55\x04\x09"),
        ("O", O),
        ("OU", OU),
        ("UID", b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01"),
        ("DC", b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"),
        ("emailAddress", b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"),
    ] {
        let name = subject(&[&[attribute(oid, 0x16, b"a")]]);
        assert!(is(&format!("{short}=a"), &name), "{short}");
        assert!(!is("CN=a", &name), "{short}");
    }
}

#[test]
fn types_that_are_not_known_are_refused() {
    for text in [
        "X=a",
        "=a",
        "CN =a",
        " CN=a",
        "2.5.=a",
        "2=a",
        "2..5=a",
        "2.05=a",
        "OID.2.5=a",
    ] {
        assert!(fault(text).contains("attribute type"), "{text}");
    }
}

//= RFC 4514 section 3 type=test
//# A backslash takes a special character or two hexadecimal digits.
#[test]
fn escapes_are_undone() {
    for (text, value) in [
        (r"CN=a\,b", "a,b"),
        (r"CN=\,\+\;\<\>\\\=\#\ \22", ",+;<>\\=# \""),
        (r"CN=\#a", "#a"),
        (r"CN=a#", "a#"),
        (r"CN=a=b", "a=b"),
        (r"CN=\ a\ ", " a "),
        (r"CN=a\20", "a "),
        (r"CN=a  b", "a  b"),
        (r"CN=M\C3\BCller", "M\u{fc}ller"),
        ("CN=M\u{fc}ller", "M\u{fc}ller"),
        (r"CN=\4d\4D", "MM"),
        (r"CN=\00", "\0"),
        (r"CN=", ""),
    ] {
        assert!(is_common_name(text, UTF8, value.as_bytes()), "{text}");
    }
}

#[test]
fn badly_written_values_are_refused() {
    for (text, says) in [
        (r"CN=\", "a backslash stands neither"),
        (r"CN=\a", "a backslash stands neither"),
        (r"CN=\zz", "a backslash stands neither"),
        (r"CN=\4", "a backslash stands neither"),
        ("CN= a", "space"),
        ("CN=a ", "space"),
        ("CN=a ,O=b", "space"),
        ("CN=a, O=b", "attribute type"),
        ("CN=a;O=b", "backslash"),
        ("CN=\"a\"", "backslash"),
        ("CN=a<", "backslash"),
        ("CN=a\0", "NUL"),
        (r"CN=\C3", "UTF-8"),
        (r"CN=\ED\A0\80", "UTF-8"),
        ("CN=a,", "TYPE=VALUE"),
        ("CN=a+", "TYPE=VALUE"),
        (",CN=a", "attribute type"),
        ("a", "TYPE=VALUE"),
        ("", "empty"),
    ] {
        assert!(fault(text).contains(says), "{text}: {}", fault(text));
    }
}

//= RFC 4514 section 2.4 type=test
//# A value behind "#" is compared as it is encoded, type and all.
#[test]
fn hexadecimal_values_are_compared_as_encoded() {
    assert!(is_common_name("CN=#0c0161", UTF8, b"a"));
    assert!(is_common_name("2.5.4.3=#0C0161", UTF8, b"a"));
    assert!(!is_common_name("CN=#0c0161", PRINTABLE, b"a"));
    assert!(!is_common_name("CN=#0c0162", UTF8, b"a"));
    let octets = subject(&[
        &[attribute(b"\x2a\x03", 0x04, b"\xff")],
        &[attribute(CN, UTF8, b"a")],
    ]);
    assert!(is("CN=a,1.2.3=#0401ff", &octets));
    for text in [
        "CN=#",
        "CN=#0",
        "CN=#0c01",
        "CN=#0c016162",
        "CN=#0c016",
        "CN=#xx",
        "CN=#0c0161 ",
    ] {
        assert!(fault(text).contains('#'), "{text}");
    }
}

#[test]
fn string_types_of_a_certificate_make_no_difference() {
    for (tag, value) in [
        (UTF8, &b"AB"[..]),
        (PRINTABLE, b"AB"),
        (0x16, b"AB"),
        (0x14, b"AB"),
        (0x1e, b"\0A\0B"),
        (0x1c, b"\0\0\0A\0\0\0B"),
    ] {
        assert!(is_common_name("CN=AB", tag, value), "{tag:#x}");
        assert!(!is_common_name("CN=Ab", tag, value), "{tag:#x}");
    }
    assert!(is_common_name("CN=12", 0x12, b"12"));
    assert!(is_common_name("CN=\u{1f600}", 0x1e, b"\xd8\x3d\xde\x00"));
}

#[test]
fn values_that_are_no_text_equal_no_text() {
    for (tag, value) in [
        (UTF8, &b"\xff"[..]),
        (0x14, b"\xfc"),
        (0x1e, b"\0A\0"),
        (0x1e, b"\xd8\x3d"),
        (0x1c, b"\0\0A"),
        (0x1c, b"\0\x11\0\0"),
        (0x04, b"A"),
        // Of the number of UTF8String, and not that type.
        (0x8c, b"A"),
        (0xcc, b"A"),
    ] {
        assert!(!is_common_name("CN=A", tag, value), "{tag:#x}");
        assert!(!is_common_name("CN=\u{fffd}", tag, value), "{tag:#x}");
    }
    // What would be UTF-8 there is some other letters in T.61.
    assert!(!is_common_name("CN=\u{e9}", 0x14, "\u{e9}".as_bytes()));
}

#[test]
fn values_are_compared_exactly() {
    for other in ["partner", "Partner ", "Partner  Ltd", "PARTNER", ""] {
        assert!(
            !is_common_name("CN=Partner", UTF8, other.as_bytes()),
            "{other:?}"
        );
    }
}

#[test]
fn subjects_that_openssl_writes_are_those_of_its_certificates() {
    let made = tempfile::tempdir().unwrap();
    let file = made.path().join("certificate.der");
    let key_file = made.path().join("key.pem");
    for wanted in [
        "/C=XX/O=Partner, Ltd./OU=a+CN=b/CN=scs-1",
        "/DC=example/DC=partner/UID=7/CN=M\u{fc}ller \"x\" <y>; #1",
        "/CN=#x /emailAddress=a@partner.example/serialNumber=12/ST= s/L=l/street=t",
        "/title=Dr\\/Dr/businessCategory=a=b/CN=\u{1f600}",
        "/SN=s/GN=g/postalCode=1/dnQualifier=q/organizationIdentifier=VATXX-1/1.2.3.4=role",
    ] {
        let openssl = |arguments: &[&str]| {
            let output = Command::new("openssl").args(arguments).output();
            let output = output.expect("openssl runs: apt-get install openssl");
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let (path, key_path) = (file.to_str().unwrap(), key_file.to_str().unwrap());
        let key = "ec_paramgen_curve:P-256";
        openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            key,
            "-nodes",
            "-keyout",
            key_path,
            "-utf8",
            "-multivalue-rdn",
            "-subj",
            wanted,
            "-outform",
            "DER",
            "-out",
            path,
        ]);
        let inform = ["x509", "-in", path, "-inform", "DER", "-noout", "-subject"];
        let told = openssl(&[&inform[..], &["-nameopt", "RFC2253"]].concat());
        let text = told
            .trim_end_matches('\n')
            .strip_prefix("subject=")
            .unwrap();
        let der = std::fs::read(&file).unwrap();
        let (_, certificate) = X509Certificate::from_der(&der).unwrap();
        let name = DistinguishedName::parse(text).unwrap_or_else(|what| panic!("{text}: {what}"));
        assert!(name.is(certificate.subject()), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(
        text in "[\\PC\0]{0,40}",
        tail in "[CN=#,+\\\\\"0-9a ;]{0,20}",
    ) {
        let _ = DistinguishedName::parse(&text);
        let _ = DistinguishedName::parse(&format!("CN={text}{tail}"));
        let _ = DistinguishedName::parse(&tail);
    }

    #[test]
    fn any_value_written_in_octets_is_that_value(value in "[\\PC\0]{0,20}") {
        let octets: String = value.bytes().map(|octet| format!("\\{octet:02x}")).collect();
        let is = is_common_name(&format!("CN={octets}"), UTF8, value.as_bytes());
        prop_assert!(is);
    }
}
