//! The algorithms of TS 33.310 clause 6.1.1 that should be supported beside those that shall, each
//! in whole chains: of clients, and of the gateway's own.

use rcgen::{KeyPair, RsaKeySize, SignatureAlgorithm};

use crate::harness::client::HOST;
use crate::harness::odd_certificates::{
    EXTENDED_KEY_USAGE, Odd, Recipe, SERVER_AUTH, der as element,
};
use crate::harness::origin::Origin;
use crate::harness::pki::Identity;
use crate::harness::stage::{House, Stage};
use crate::tls_profile::{said, said_by};

const VERSIONS: [&str; 2] = ["-tls1_3", "-tls1_2"];

fn ec(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).expect("a key")
}

fn rsa(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_rsa_for(algorithm, RsaKeySize::_2048).expect("a key")
}

/// What openssl finds a certificate to be signed by.
fn signed_by(made: &Odd, algorithm: &str) -> bool {
    let mut openssl = crate::harness::command("openssl");
    let openssl = openssl.args(["x509", "-noout", "-text"]);
    let pem = made.certificate.pem();
    let told = crate::harness::run(openssl, pem.as_bytes(), crate::harness::WAIT).stdout;
    told.contains(&format!("Signature Algorithm: {algorithm}"))
}

/// A house that lets clients of a CA in, and what a client of that CA hears in both versions.
fn heard(ca: &Odd, made: &Odd, arguments: &[&str]) -> [String; 2] {
    let house = House::open_staged(|stage| {
        let file = stage.scratch.write("whole-ca.pem", ca.certificate.pem());
        stage.config.set_text("tls.client_ca", file.display());
    });
    let scratch = &house.stage.scratch;
    let certificate = scratch.write("whole.pem", made.certificate.pem());
    let key = scratch.write("whole.key", made.key.serialize_pem());
    let who = Identity::of_files(certificate, key, made.der().clone());
    VERSIONS.map(|version| said_by(&house, &who, &[&[version], arguments].concat()))
}

//= TS 33.310 clause 6.1.1 type=test
//# secp384r1 and SHA-384 are taken.
#[test]
fn client_is_let_in_whose_chain_has_p_384_and_sha_384_alone() {
    let ca = Recipe::ca("Partner TLS CA").self_signed(ec(&rcgen::PKCS_ECDSA_P384_SHA384));
    let key = ec(&rcgen::PKCS_ECDSA_P384_SHA384);
    let made = Recipe::client("scs.acme.example").signed_by(&ca, key);
    assert!(
        [&ca, &made]
            .iter()
            .all(|odd| signed_by(odd, "ecdsa-with-SHA384"))
    );
    for told in heard(&ca, &made, &["-client_sigalgs", "ECDSA+SHA384"]) {
        assert!(told.contains("HTTP/1.1 401"), "{told}");
    }
}

//= TS 33.310 clause 6.1.1 type=test
//# SHA-384 and SHA-512 are taken with RSA as well.
#[test]
fn client_is_let_in_whose_chain_has_rsa_over_sha_384_or_sha_512_alone() {
    for (algorithm, name) in [
        (&rcgen::PKCS_RSA_SHA384, "sha384WithRSAEncryption"),
        (&rcgen::PKCS_RSA_SHA512, "sha512WithRSAEncryption"),
    ] {
        let ca = Recipe::ca("Partner TLS CA").self_signed(rsa(algorithm));
        let made = Recipe::client("scs.acme.example").signed_by(&ca, rsa(algorithm));
        assert!(
            [&ca, &made].iter().all(|odd| signed_by(odd, name)),
            "{name}"
        );
        for told in heard(&ca, &made, &[]) {
            assert!(told.contains("HTTP/1.1 401"), "{name}: {told}");
        }
    }
}

//= TS 33.210 clause 6.2.2 type=test
//# Own signatures are over SHA-256 or better, in TLS 1.3 by ECDSA or RSASSA-PSS.
#[test]
fn gateway_serves_with_a_chain_of_its_own_of_p_384_and_sha_384_alone() {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    let ca = Recipe::ca("Operator CA of P-384").self_signed(ec(&rcgen::PKCS_ECDSA_P384_SHA384));
    let server = Recipe::client(HOST).with(&EXTENDED_KEY_USAGE, false, &element(0x30, SERVER_AUTH));
    let server = server.signed_by(&ca, ec(&rcgen::PKCS_ECDSA_P384_SHA384));
    assert!(signed_by(&server, "ecdsa-with-SHA384"));
    let chain = server.certificate.pem() + &ca.certificate.pem();
    let chain = stage.scratch.write("own.pem", chain);
    let key = stage.scratch.write("own.key", server.key.serialize_pem());
    stage.config.set_text("tls.certificate", chain.display());
    stage.config.set_text("tls.key.file", key.display());
    stage.operator_ca.certificate = stage.scratch.write("operator.pem", ca.certificate.pem());
    let house = House {
        gateway: stage.start(),
        origin,
        stage,
    };
    for version in VERSIONS {
        // A client that verifies RSA alone is shown nothing else.
        for (algorithms, served) in [
            ("ECDSA+SHA384", true),
            ("ECDSA+SHA384:ECDSA+SHA256", true),
            ("RSA-PSS+SHA384:RSA+SHA384", false),
        ] {
            let arguments = [version, "-sigalgs", algorithms, "-verify_return_error"];
            let own = ["-client_sigalgs", "ECDSA+SHA256"];
            let told = said(&house, &[&arguments[..], &own].concat());
            assert_eq!(
                told.contains("HTTP/1.1 401"),
                served,
                "{algorithms}: {told}"
            );
            for line in ["Peer signing digest: SHA384", "Peer signature type: ECDSA"] {
                assert_eq!(told.contains(line), served, "{algorithms}: {told}");
            }
        }
    }
}
