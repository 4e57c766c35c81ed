use std::path::PathBuf;
use std::process::Command;

use crate::{KeyKind, OpenFault, PrivateKey, SignFault, SignJob};

/// A directory of its own for each test, gone with it.
struct Dir(PathBuf);

impl Dir {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("t8gate-soft-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Runs openssl in the directory.
    fn openssl(&self, arguments: &str) -> Vec<u8> {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(&self.0)
            .output()
            .expect("openssl runs: apt-get install openssl");
        assert!(output.status.success(), "openssl {arguments}: {output:?}");
        output.stdout
    }

    fn key(&self, name: &str) -> Result<PrivateKey, OpenFault> {
        PrivateKey::from_pem_file(&self.0.join(name))
    }

    /// Proves the key and has openssl verify a signature of each scheme.
    fn signs(&self, name: &str, kind: KeyKind) {
        let key = self.key(name).unwrap();
        assert_eq!((key.kind(), key.in_token()), (kind, false));
        key.prove(&self.openssl(&format!("pkey -in {name} -pubout -outform DER")))
            .unwrap();
        self.openssl(&format!("pkey -in {name} -pubout -out public"));
        std::fs::write(self.0.join("message"), "hello").unwrap();
        for &scheme in key.schemes() {
            let signature = key
                .sign(SignJob {
                    scheme,
                    message: b"hello",
                })
                .unwrap();
            std::fs::write(self.0.join("signature"), signature).unwrap();
            let word = format!("{scheme:?}").to_lowercase();
            let hash = &word[word.rfind("sha").unwrap()..];
            let pss = match word.contains("pss") {
                true => " -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest",
                false => "",
            };
            self.openssl(&format!(
                "dgst -{hash} -verify public{pss} -signature signature message"
            ));
        }
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const P256: &str = "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256";

#[test]
fn every_kind_and_encoding_signs_by_every_scheme() {
    let dir = Dir::new("kinds");
    for (curve, kind) in [("P-256", KeyKind::P256), ("P-384", KeyKind::P384)] {
        dir.openssl(&format!(
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:{curve} -out ec"
        ));
        dir.signs("ec", kind);
        dir.openssl("ec -in ec -out sec1");
        dir.signs("sec1", kind);
    }
    // This form has a section EC PARAMETERS before the key.
    dir.openssl("ecparam -name prime256v1 -genkey -out parameters");
    dir.signs("parameters", KeyKind::P256);
    dir.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa");
    dir.signs("rsa", KeyKind::Rsa);
    dir.openssl("rsa -in rsa -traditional -out pkcs1");
    dir.signs("pkcs1", KeyKind::Rsa);
}

#[test]
fn rsa_key_under_2048_bits_is_refused_with_a_cure() {
    let dir = Dir::new("small");
    dir.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out small");
    let fault = dir.key("small").unwrap_err();
    assert!(fault.what.contains("TooSmall"), "{fault}");
    assert!(fault.cure.contains("2048"), "{fault}");
}

#[test]
fn key_on_another_curve_is_refused() {
    let dir = Dir::new("curve");
    dir.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out p521");
    dir.openssl("genpkey -algorithm ED25519 -out ed25519");
    assert!(dir.key("p521").is_err());
    assert!(dir.key("ed25519").is_err());
}

#[test]
fn file_without_exactly_one_plain_key_is_refused() {
    let dir = Dir::new("files");
    dir.openssl(&format!("{P256} -out one"));
    dir.openssl("pkey -in one -aes256 -passout pass:secret -out encrypted");
    let one = std::fs::read_to_string(dir.0.join("one")).unwrap();
    std::fs::write(dir.0.join("two"), one.repeat(2)).unwrap();
    std::fs::write(dir.0.join("none"), "no key").unwrap();
    std::fs::write(dir.0.join("cut"), &one[..one.len() - 40]).unwrap();
    for (name, says) in [
        ("absent", "cannot be read"),
        ("none", "no private key"),
        ("two", "more than one"),
        ("encrypted", "encrypted"),
        ("cut", "PEM"),
    ] {
        let fault = dir.key(name).unwrap_err();
        assert!(fault.what.contains(says), "{name}: {fault}");
        assert!(!fault.cure.is_empty());
    }
}

#[test]
fn certificate_of_another_key_is_refused() {
    let dir = Dir::new("other");
    dir.openssl(&format!("{P256} -out mine"));
    dir.openssl(&format!("{P256} -out other"));
    let fault = dir
        .key("mine")
        .unwrap()
        .prove(&dir.openssl("pkey -in other -pubout -outform DER"))
        .unwrap_err();
    assert!(fault.what.contains("another key"), "{fault}");
}

//= RFC 5480 section 2.1 type=test
//# The public key a file's key is proved by is the one openssl derives, octet for octet.
#[test]
fn key_is_proved_alone_by_the_public_key_that_openssl_derives() {
    let dir = Dir::new("alone");
    for algorithm in [
        "EC -pkeyopt ec_paramgen_curve:P-256",
        "EC -pkeyopt ec_paramgen_curve:P-384",
        "RSA -pkeyopt rsa_keygen_bits:2048",
    ] {
        dir.openssl(&format!("genpkey -algorithm {algorithm} -out key"));
        let proved = dir.key("key").unwrap().prove_alone().unwrap();
        assert_eq!(proved, dir.openssl("pkey -in key -pubout -outform DER"));
    }
}

//= RFC 7518 section 3.4 type=test
//# A signature of ES256 has 64 octets, one of ES384 has 96.
#[test]
fn signatures_have_the_fixed_length_of_jose() {
    let dir = Dir::new("jose");
    for (curve, octets) in [("P-256", 64), ("P-384", 96)] {
        dir.openssl(&format!(
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:{curve} -out key"
        ));
        let key = dir.key("key").unwrap();
        let job = SignJob {
            scheme: key.schemes()[0],
            message: b"hello",
        };
        // One r or s in 256 is shorter than the field: 600 signatures hold several.
        for _ in 0..600 {
            let signature = key.sign(job).unwrap();
            let fixed = crate::jose_signature(key.kind(), &signature).unwrap();
            assert_eq!(fixed.len(), octets);
        }
        assert_eq!(
            crate::jose_signature(KeyKind::Rsa, &key.sign(job).unwrap()),
            None
        );
    }
}

#[test]
fn scheme_of_another_kind_is_unsupported() {
    let dir = Dir::new("scheme");
    dir.openssl(&format!("{P256} -out key"));
    let job = SignJob {
        scheme: crate::Scheme::RsaPssSha256,
        message: b"",
    };
    assert_eq!(
        dir.key("key").unwrap().sign(job),
        Err(SignFault::Unsupported)
    );
}
