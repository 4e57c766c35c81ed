//! Makes the committed inputs, and whom they are signed by, anew:
//! `cargo test --lib fuzzed::tests::inputs -- --ignored`. Then the house is compiled again: it
//! holds them.

use std::sync::Arc;

use rcgen::KeyPair;
use rcgen::KeyUsagePurpose::{CrlSign, KeyCertSign};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};

use super::{house, pem_of};
use crate::tls::certificate_rules::tests::odd_certificates::{
    AUTHORITY_INFO_ACCESS, BASIC_CONSTRAINTS, ISSUER_ALT_NAME, NAME_CONSTRAINTS, Recipe,
    SUBJECT_ALT_NAME, SUBJECT_KEY_IDENTIFIER, UNKNOWN, der, version_1, weak_hash,
};
use crate::tls::profile;
use crate::tls::revocation::tests::made::{
    self, Made, delta_since, entry, entry_with, extension, number, sequence, tlv,
};

fn write(file: &str, octets: &[u8]) {
    let file = house("fuzz").join(file);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, octets).unwrap();
}

#[test]
#[ignore = "writes the inputs anew"]
fn inputs_are_written() {
    lists();
    certificates();
    hellos();
    records();
}

fn lists() {
    let ca = made::ca("Partner TLS CA", &[KeyCertSign, CrlSign]);
    write("issuers/crl.der", &ca.der);
    let entries = vec![
        entry(&[5], None),
        entry(&[0, 0x80, 1], Some(4)),
        entry(&[9; 20], Some(6)),
    ];
    let complete = Made {
        entries,
        ..Made::default()
    };
    let but = |change: fn(&mut Made)| {
        let mut made = complete.clone();
        change(&mut made);
        made.signed_by(&ca)
    };
    let scope = |fields: &[Vec<u8>]| extension(&[0x55, 0x1d, 28], true, &sequence(fields));
    let mut scoped = complete.clone();
    scoped
        .extensions
        .push(scope(&[tlv(0x81, &[0]), tlv(0x84, &[0])]));
    let mut partial = complete.clone();
    partial.extensions.push(scope(&[tlv(0xa0, &[])]));
    let lists = [
        ("complete", but(|_| ())),
        ("of_nobody", but(|made| made.entries.clear())),
        ("pem", pem_of(&but(|_| ()))),
        (
            "delta",
            but(|made| {
                made.entries.push(entry(&[5], Some(8)));
                made.extensions = vec![number(2), delta_since(1)];
            }),
        ),
        ("scoped", scoped.signed_by(&ca)),
        ("partial", partial.signed_by(&ca)),
        (
            "late",
            but(|made| made.next_update = Some("490101000000Z".into())),
        ),
        (
            "long_serial",
            but(|made| made.entries.push(entry(&[1; 33], None))),
        ),
        (
            "of_others",
            but(|made| {
                let other = extension(&[0x55, 0x1d, 29], true, &sequence(&[]));
                made.entries.push(entry_with(&[6], other));
            }),
        ),
        ("unsigned", but(|made| made.algorithm = sequence(&[]))),
    ];
    for (name, octets) in lists {
        write(&format!("corpus/crl/{name}"), &octets);
    }
}

fn certificates() {
    let key = || KeyPair::generate().unwrap();
    let ca = Recipe::ca("Partner TLS CA").self_signed(key());
    write("issuers/anchor.der", ca.der());
    let client = || Recipe::client("one.example");
    let good = client().signed_by(&ca, key());
    let of = |recipe: Recipe| recipe.signed_by(&ca, key()).der().to_vec();
    let several = [
        der(0x82, b"*.Example"),
        der(0x86, b"urn:scs:two"),
        der(0x87, &[127, 0, 0, 1]),
    ];
    let identifier = der(4, &[7; 20]);
    let names = der(0x30, &der(0x82, b"ca.example"));
    let constraints = der(0x30, &der(0xa0, &der(0x30, &der(0x82, b"example"))));
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let edwards = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let certificates = [
        ("good", good.der().to_vec()),
        ("anchor", ca.der().to_vec()),
        ("version_1", version_1(good.der()).to_vec()),
        ("weak_hash", weak_hash(good.der()).to_vec()),
        (
            "p384",
            Recipe::client("two.example")
                .signed_by(&ca, p384)
                .der()
                .to_vec(),
        ),
        ("ed25519", client().signed_by(&ca, edwards).der().to_vec()),
        (
            "names",
            of(client().with(&SUBJECT_ALT_NAME, true, &der(0x30, &several.concat()))),
        ),
        (
            "extensions",
            of(client()
                .with(&UNKNOWN, true, &[5, 0])
                .with(&ISSUER_ALT_NAME, true, &names)
                .with(&NAME_CONSTRAINTS, true, &constraints)
                .with(&SUBJECT_KEY_IDENTIFIER, true, &identifier)
                .with(&AUTHORITY_INFO_ACCESS, false, &[0x30, 0])
                .with(&BASIC_CONSTRAINTS, true, &[0x30, 0])),
        ),
    ];
    for (name, octets) in certificates {
        write(&format!("corpus/certificate/{name}"), &octets);
    }
}

/// What rustls' own client says first; `fragment` is how long its records may be.
fn said(
    version: &'static SupportedProtocolVersion,
    fragment: Option<usize>,
    name: &str,
) -> Vec<u8> {
    let provider = Arc::new(profile::THREE_GPP.provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.max_fragment_size = fragment;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut out = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut out).unwrap();
    }
    out
}

fn hellos() {
    let old = [
        &[22, 3, 1, 0, 49, 1, 0, 0, 45, 3, 2][..],
        &[7; 32],
        &[0, 0, 2, 0xc0, 0x2f, 1, 0, 0, 0],
    ];
    let hello = said(&TLS13, None, "gate.example");
    let hellos = [
        ("tls13", 0xff, hello.clone()),
        ("tls12", 60, said(&TLS12, None, "gate.example")),
        ("fragments", 33, said(&TLS13, Some(64), "gate.example")),
        ("other_name", 1, said(&TLS12, None, "other.example")),
        ("tls11", 7, old.concat()),
        ("http", 3, b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("twice", 200, [hello.clone(), hello.clone()].concat()),
        (
            "change_cipher_spec",
            9,
            [&[20, 3, 3, 0, 1, 1][..], &hello].concat(),
        ),
        ("alert", 2, [&hello[..], &[21, 3, 3, 0, 2, 2, 40]].concat()),
    ];
    for (name, piece, octets) in hellos {
        write(
            &format!("corpus/hello/{name}"),
            &[&[piece], &octets[..]].concat(),
        );
    }
}

fn records() {
    /// Sealed, with its type as its last octet.
    fn sealed(inner: &[u8]) -> Vec<u8> {
        let head = u16::try_from(inner.len()).unwrap();
        [&head.to_be_bytes()[..], inner].concat()
    }
    fn raw(octets: &[u8]) -> Vec<u8> {
        let head = u16::try_from(octets.len()).unwrap() | 0x8000;
        [&head.to_be_bytes()[..], octets].concat()
    }
    fn padded(inner: &[u8], zeroes: u8) -> Vec<u8> {
        let mut record = sealed(inner);
        record[0] |= 0x40;
        record.push(zeroes);
        record
    }
    let data = sealed(b"data\x17");
    let update = sealed(&[24, 0, 0, 1, 1, 22]);
    let records = [
        ("data", vec![data.clone(), data.clone(), sealed(&[23])]),
        (
            "padding",
            vec![padded(b"data\x17", 3), padded(&[23], 127), padded(&[0], 0)],
        ),
        ("too_long", vec![data.clone(), padded(&[23], 128)]),
        ("update", vec![data.clone(), update.clone(), data.clone()]),
        ("update_in_parts", vec![sealed(&[24, 0, 22])]),
        (
            "close",
            vec![data.clone(), sealed(&[1, 0, 21]), raw(b"no record")],
        ),
        (
            "canceled",
            vec![sealed(&[1, 90, 21]), data.clone(), sealed(&[2, 40, 21])],
        ),
        ("header", vec![data.clone(), raw(&[23, 3, 3, 0x41, 1])]),
        ("short", vec![data.clone(), raw(&[23, 3, 3, 0, 3, 1, 2, 3])]),
        ("clear", vec![data, raw(&[22, 3, 3, 0, 1, 1])]),
        ("empty", vec![sealed(&[23]); 40]),
    ];
    for (name, parts) in records {
        write(
            &format!("corpus/record/{name}"),
            &[&[1], &parts.concat()[..]].concat(),
        );
    }
}
