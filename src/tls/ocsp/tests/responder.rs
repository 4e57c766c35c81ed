//! A CA with a responder that is `openssl ocsp`, run once for each answer.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SerialNumber, SignatureAlgorithm, SigningKey as _,
};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

use crate::tls::der;

/// What the CA says of a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    Valid,
    Revoked,
    None,
}

pub struct Scene {
    folder: TempDir,
    pub ca: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate in a PEM file, with its key in another.
pub struct Made {
    pub der: Vec<u8>,
    certificate: PathBuf,
    key: PathBuf,
}

impl Scene {
    pub fn new() -> Self {
        Self::with_key(&rcgen::PKCS_ECDSA_P256_SHA256)
    }

    pub fn with_key(algorithm: &'static SignatureAlgorithm) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate_for(algorithm).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Issuer");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        std::fs::write(folder.path().join("ca.key"), key.serialize_pem()).unwrap();
        Self {
            ca: certificate.der().to_vec(),
            issuer: Issuer::new(params, key),
            folder,
        }
    }

    /// A certificate of this CA with a serial number.
    pub fn leaf(&self, serial: &[u8]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.serial_number = Some(SerialNumber::from_slice(serial));
        let key = KeyPair::generate().unwrap();
        let issued = params.signed_by(&key, &self.issuer).unwrap();
        issued.der().to_vec()
    }

    /// One that may answer in the place of the CA, unless it is changed so that it may not.
    pub fn delegate(&self, change: impl FnOnce(&mut CertificateParams)) -> Made {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "Answers");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.not_before = OffsetDateTime::now_utc() - Duration::hours(1);
        params.not_after = OffsetDateTime::now_utc() + Duration::hours(1);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let issued = params.signed_by(&key, &self.issuer).unwrap();
        let file = |end: &str, text: String| {
            let file = self.folder.path().join(format!("delegate.{end}"));
            std::fs::write(&file, text).unwrap();
            file
        };
        Made {
            der: issued.der().to_vec(),
            certificate: file("pem", issued.pem()),
            key: file("key", key.serialize_pem()),
        }
    }

    pub fn itself(&self) -> Made {
        Made {
            der: self.ca.clone(),
            certificate: self.folder.path().join("ca.pem"),
            key: self.folder.path().join("ca.key"),
        }
    }

    /// An answer of the CA itself that says this, whatever it is: the content of a ResponseData.
    pub fn saying(&self, parts: &[&[u8]]) -> Vec<u8> {
        let said = der::made(der::SEQUENCE, parts);
        let signature = self.issuer.key().sign(&said).unwrap();
        let algorithm = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
        let algorithm = der::made(der::OBJECT_IDENTIFIER, &[&algorithm]);
        let algorithm = der::made(der::SEQUENCE, &[&algorithm]);
        let signature = der::made(der::BIT_STRING, &[&[0], &signature]);
        let basic = der::made(der::SEQUENCE, &[&said, &algorithm, &signature]);
        let kind = [0x2b, 6, 1, 5, 5, 7, 48, 1, 1];
        let kind = der::made(der::OBJECT_IDENTIFIER, &[&kind]);
        let basic = der::made(der::OCTET_STRING, &[&basic]);
        let bytes = der::made(der::SEQUENCE, &[&kind, &basic]);
        let bytes = der::made(der::CONTEXT_0, &[&bytes]);
        let status = der::made(der::ENUMERATED, &[&[0]]);
        der::made(der::SEQUENCE, &[&status, &bytes])
    }

    /// What `openssl ocsp` answers to these octets with this database, signed by this responder.
    pub fn answer(
        &self,
        question: &[u8],
        serial: &[u8],
        entry: Entry,
        by: &Made,
        options: &[&str],
    ) -> Vec<u8> {
        let path = |name: &str| self.folder.path().join(name);
        let mut hex = String::new();
        for octet in serial {
            let _ = write!(hex, "{octet:02X}");
        }
        let line = match entry {
            Entry::Valid => format!("V\t401231235959Z\t\t{hex}\tunknown\t/CN=a\n"),
            Entry::Revoked => {
                format!("R\t401231235959Z\t250102030405Z,keyCompromise\t{hex}\tunknown\t/CN=a\n")
            }
            Entry::None => String::new(),
        };
        std::fs::write(path("index.txt"), line).unwrap();
        std::fs::write(path("request.der"), question).unwrap();
        let mut command = Command::new("openssl");
        command.arg("ocsp").arg("-index").arg(path("index.txt"));
        command.arg("-CA").arg(path("ca.pem"));
        command.arg("-rsigner").arg(&by.certificate);
        command.arg("-rkey").arg(&by.key);
        command.arg("-reqin").arg(path("request.der"));
        command.arg("-respout").arg(path("response.der"));
        let said = command.args(options).output().expect("openssl");
        assert!(said.status.success(), "{command:?}: {said:?}");
        read(&path("response.der"))
    }
}

fn read(file: &Path) -> Vec<u8> {
    std::fs::read(file).unwrap()
}
