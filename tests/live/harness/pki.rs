//! A partner's and an operator's PKI, shaped as TS 33.310 clause 6.1 wants, and every way to get
//! it wrong that a test needs.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{
    BasicConstraints, CertificateParams, CrlDistributionPoint, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, RsaKeySize,
    SanType, SubjectPublicKeyInfo,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// What kind of key to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    P256,
    P384,
    Rsa2048,
}

impl Key {
    pub fn generate(self) -> KeyPair {
        match self {
            Self::P256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            Self::P384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            Self::Rsa2048 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048),
        }
        .expect("aws-lc-rs makes keys of these kinds")
    }
}

/// A name for a certificate's subjectAltName.
#[derive(Clone, Debug)]
pub enum San {
    Dns(&'static str),
    Uri(&'static str),
    Ip(&'static str),
    Email(&'static str),
}

/// What a leaf certificate is for, by its extendedKeyUsage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Server,
    Client,
}

/// A certificate authority that issues TLS entity certificates.
pub struct Authority {
    /// PEM file of its certificate: the trust anchor.
    pub certificate: PathBuf,
    pub der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    directory: PathBuf,
}

/// A certificate and, unless the key lives elsewhere, its key, in memory and as PEM files.
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub der: CertificateDer<'static>,
    key_der: Vec<u8>,
}

/// A leaf certificate to be: begin with [`Leaf::server`] or [`Leaf::client`] and change it.
#[derive(Clone, Debug)]
pub struct Leaf {
    pub common_name: &'static str,
    pub sans: Vec<San>,
    pub purpose: Option<Purpose>,
    pub key: Key,
    /// Seconds from now, negative for the past.
    pub valid_from_s: i64,
    /// Seconds from now, negative for the past.
    pub valid_until_s: i64,
    pub key_usages: Vec<KeyUsagePurpose>,
    pub crl_distribution_point: bool,
}

impl Leaf {
    pub fn server(name: &'static str) -> Self {
        Self::new(name, vec![San::Dns(name)], Purpose::Server)
    }

    pub fn client(san: San) -> Self {
        Self::new("SCS/AS of a test", vec![san], Purpose::Client)
    }

    fn new(common_name: &'static str, sans: Vec<San>, purpose: Purpose) -> Self {
        Self {
            common_name,
            sans,
            purpose: Some(purpose),
            key: Key::P256,
            valid_from_s: -3_600,
            valid_until_s: 30 * 86_400,
            key_usages: vec![KeyUsagePurpose::DigitalSignature],
            crl_distribution_point: true,
        }
    }

    fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = name(self.common_name);
        params.subject_alt_names = self.sans.iter().map(san_type).collect();
        params.not_before = rcgen::date_time_ymd(1970, 1, 1) + since_epoch(self.valid_from_s);
        params.not_after = rcgen::date_time_ymd(1970, 1, 1) + since_epoch(self.valid_until_s);
        params.key_usages.clone_from(&self.key_usages);
        params.extended_key_usages = match self.purpose {
            None => Vec::new(),
            Some(Purpose::Server) => vec![ExtendedKeyUsagePurpose::ServerAuth],
            Some(Purpose::Client) => vec![ExtendedKeyUsagePurpose::ClientAuth],
        };
        params.use_authority_key_identifier_extension = true;
        if self.crl_distribution_point {
            let uris = vec!["http://crl.example/t8.crl".to_owned()];
            params.crl_distribution_points = vec![CrlDistributionPoint { uris }];
        }
        params
    }
}

impl Authority {
    /// Makes a self-signed CA and writes its certificate to `directory`.
    pub fn new(directory: &Path, common_name: &str, key: Key) -> Self {
        Self::valid(directory, common_name, key, -86_400..365 * 86_400)
    }

    /// The same, valid at these seconds from now.
    pub fn valid(directory: &Path, common_name: &str, key: Key, seconds: Range<i64>) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = name(common_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = rcgen::date_time_ymd(1970, 1, 1) + since_epoch(seconds.start);
        params.not_after = rcgen::date_time_ymd(1970, 1, 1) + since_epoch(seconds.end);
        let key = key.generate();
        let certificate = params.self_signed(&key).expect("parameters made above");
        let path = directory.join(format!("{}.ca.pem", file_stem(common_name)));
        std::fs::write(&path, certificate.pem()).expect("a writable directory");
        Self {
            certificate: path,
            der: certificate.der().clone(),
            issuer: Issuer::new(params, key),
            directory: directory.to_owned(),
        }
    }

    /// Writes its key to a PEM file: for a responder that signs with it.
    pub fn key_file(&self) -> PathBuf {
        let path = self.certificate.with_extension("key");
        std::fs::write(&path, self.issuer.key().serialize_pem()).expect("a writable directory");
        path
    }

    /// Issues a certificate with a key of its own; both are written as `stem.pem`, `stem.key`.
    pub fn issue(&self, stem: &str, leaf: &Leaf) -> Identity {
        let key = leaf.key.generate();
        let (path, der) = self.sign(stem, leaf, &key);
        let key_path = self.directory.join(format!("{stem}.key"));
        std::fs::write(&key_path, key.serialize_pem()).expect("a writable directory");
        Identity {
            certificate: path,
            key: key_path,
            der,
            key_der: key.serialize_der(),
        }
    }

    /// Issues a certificate for a key that lives elsewhere, given its SubjectPublicKeyInfo.
    pub fn issue_for(&self, stem: &str, leaf: &Leaf, spki: &[u8]) -> CertificateFile {
        let public = SubjectPublicKeyInfo::from_der(spki).expect("a public key of a known kind");
        let (path, der) = self.sign(stem, leaf, &public);
        CertificateFile { path, der }
    }

    fn sign(
        &self,
        stem: &str,
        leaf: &Leaf,
        public: &impl PublicKeyData,
    ) -> (PathBuf, CertificateDer<'static>) {
        let certificate = leaf
            .params()
            .signed_by(public, &self.issuer)
            .expect("a sound request");
        let path = self.directory.join(format!("{stem}.pem"));
        std::fs::write(&path, certificate.pem()).expect("a writable directory");
        (path, certificate.der().clone())
    }
}

/// A certificate whose key nobody here holds.
pub struct CertificateFile {
    pub path: PathBuf,
    pub der: CertificateDer<'static>,
}

impl Identity {
    /// One that is only shown: its key stays in the file.
    pub fn of_files(certificate: PathBuf, key: PathBuf, der: CertificateDer<'static>) -> Self {
        Self {
            certificate,
            key,
            der,
            key_der: Vec::new(),
        }
    }

    /// One that was made elsewhere, and whose key is here.
    pub fn with_key(
        certificate: PathBuf,
        key_file: PathBuf,
        der: CertificateDer<'static>,
        key: &KeyPair,
    ) -> Self {
        Self {
            certificate,
            key: key_file,
            der,
            key_der: key.serialize_der(),
        }
    }

    /// The private key, for rustls.
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key_der.clone()))
    }

    /// `cnf.x5t#S256` of this certificate.
    pub fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, &self.der))
    }
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "Example");
    name.push(DnType::CommonName, common_name);
    name
}

fn san_type(san: &San) -> SanType {
    match san {
        San::Dns(name) => SanType::DnsName((*name).try_into().expect("ASCII")),
        San::Uri(uri) => SanType::URI((*uri).try_into().expect("ASCII")),
        San::Ip(address) => SanType::IpAddress(address.parse().expect("an address")),
        San::Email(address) => SanType::Rfc822Name((*address).try_into().expect("ASCII")),
    }
}

/// The time `offset_s` seconds from now, as time since 1970.
pub fn since_epoch(offset_s: i64) -> Duration {
    let seconds = super::mint::now_s() + offset_s;
    Duration::from_secs(u64::try_from(seconds).expect("after 1970"))
}

fn file_stem(common_name: &str) -> String {
    common_name
        .to_lowercase()
        .replace(|c: char| !c.is_ascii_alphanumeric(), "-")
}
