//! Certificates octet by octet: every extension is given with its criticality and its content, so
//! that each rule of TS 33.310 clause 6.1 can be broken alone. Signed as they stand.

#![allow(
    dead_code,
    reason = "tests of the rules and tests on the wire take different parts"
)]

use rcgen::{
    Certificate, CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue, Issuer,
    KeyPair, PublicKeyData,
};
use rustls::pki_types::CertificateDer;

pub const KEY_USAGE: [u64; 4] = [2, 5, 29, 15];
pub const SUBJECT_ALT_NAME: [u64; 4] = [2, 5, 29, 17];
pub const BASIC_CONSTRAINTS: [u64; 4] = [2, 5, 29, 19];
pub const NAME_CONSTRAINTS: [u64; 4] = [2, 5, 29, 30];
pub const CRL_DISTRIBUTION_POINTS: [u64; 4] = [2, 5, 29, 31];
pub const SUBJECT_KEY_IDENTIFIER: [u64; 4] = [2, 5, 29, 14];
pub const EXTENDED_KEY_USAGE: [u64; 4] = [2, 5, 29, 37];
pub const AUTHORITY_INFO_ACCESS: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 1, 1];
pub const ISSUER_ALT_NAME: [u64; 4] = [2, 5, 29, 18];
/// Of nobody: below the arc for examples.
pub const UNKNOWN: [u64; 7] = [2, 999, 1, 2, 3, 4, 5];

/// id-kp-serverAuth, id-kp-clientAuth and anyExtendedKeyUsage, as DER.
pub const SERVER_AUTH: &[u8] = &[6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1];
pub const CLIENT_AUTH: &[u8] = &[6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 2];
pub const ANY_PURPOSE: &[u8] = &[6, 4, 0x55, 0x1d, 0x25, 0];

/// What a certificate shall say.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub subject: Vec<(DnType, DnValue)>,
    extensions: Vec<(Vec<u64>, bool, Vec<u8>)>,
}

/// One that was made.
pub struct Odd {
    pub certificate: Certificate,
    pub key: KeyPair,
    pub params: CertificateParams,
}

impl Odd {
    pub fn der(&self) -> &CertificateDer<'static> {
        self.certificate.der()
    }

    pub fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }
}

/// A value behind its tag and length.
pub fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("short");
    let head = if length < 0x80 {
        vec![tag, length]
    } else {
        vec![tag, 0x81, length]
    };
    [&head[..], content].concat()
}

/// `C`, `O` and `CN`, or back.
pub fn subject(common_name: &str) -> Vec<(DnType, DnValue)> {
    let country = DnValue::PrintableString("SE".try_into().expect("printable"));
    vec![
        (DnType::CountryName, country),
        (
            DnType::OrganizationName,
            DnValue::Utf8String("Example".into()),
        ),
        (DnType::CommonName, DnValue::Utf8String(common_name.into())),
    ]
}

impl Recipe {
    /// A client's certificate that keeps every rule.
    pub fn client(dns_name: &str) -> Self {
        let location = der(0x86, b"http://crl.example/t8.crl");
        let point = der(0x30, &der(0xa0, &der(0xa0, &location)));
        Self {
            subject: subject("SCS/AS of a test"),
            extensions: Vec::new(),
        }
        .with(&KEY_USAGE, true, &[3, 2, 7, 0x80])
        .with(&EXTENDED_KEY_USAGE, false, &der(0x30, CLIENT_AUTH))
        .with(
            &SUBJECT_ALT_NAME,
            false,
            &der(0x30, &der(0x82, dns_name.as_bytes())),
        )
        .with(&CRL_DISTRIBUTION_POINTS, false, &der(0x30, &point))
    }

    /// A CA's that keeps every rule and signs end entities' certificates.
    pub fn ca(common_name: &str) -> Self {
        Self {
            subject: subject(common_name),
            extensions: Vec::new(),
        }
        .with(&BASIC_CONSTRAINTS, true, &[0x30, 6, 1, 1, 0xff, 2, 1, 0])
        .with(&KEY_USAGE, true, &[3, 2, 1, 6])
    }

    /// With this extension, in place of the one that is there.
    #[must_use]
    pub fn with(mut self, oid: &[u64], critical: bool, content: &[u8]) -> Self {
        self = self.without(oid);
        let entry = (oid.to_vec(), critical, content.to_vec());
        self.extensions.push(entry);
        self
    }

    #[must_use]
    pub fn without(mut self, oid: &[u64]) -> Self {
        self.extensions.retain(|(other, ..)| other != oid);
        self
    }

    /// The same content, critical or not.
    #[must_use]
    pub fn marked(mut self, oid: &[u64], critical: bool) -> Self {
        let mut extensions = self.extensions.iter_mut();
        let found = extensions.find(|(other, ..)| other == oid);
        found.expect("the recipe has it").1 = critical;
        self
    }

    #[must_use]
    pub fn named(mut self, subject: Vec<(DnType, DnValue)>) -> Self {
        self.subject = subject;
        self
    }

    fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in &self.subject {
            params.distinguished_name.push(kind.clone(), value.clone());
        }
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2100, 1, 1);
        let extension = |(oid, critical, content): &(Vec<u64>, bool, Vec<u8>)| {
            let mut made = CustomExtension::from_oid_content(oid, content.clone());
            made.set_criticality(*critical);
            made
        };
        params.custom_extensions = self.extensions.iter().map(extension).collect();
        params
    }

    /// Signed by its own key.
    pub fn self_signed(&self, key: KeyPair) -> Odd {
        let params = self.params();
        let certificate = params.self_signed(&key).expect("a sound request");
        Odd {
            certificate,
            key,
            params,
        }
    }

    /// Signed by a CA.
    pub fn signed_by(&self, ca: &Odd, key: KeyPair) -> Odd {
        let certificate = self.certificate(ca, &key);
        Odd {
            certificate,
            key,
            params: self.params(),
        }
    }

    /// The same for a key of which only the public half is here.
    pub fn certificate(&self, ca: &Odd, key: &impl PublicKeyData) -> Certificate {
        let signed = self.params().signed_by(key, &ca.issuer());
        signed.expect("a sound request")
    }
}

/// Puts octets in place of others of the same length, wherever they stand. The signature does not
/// hold any more.
pub fn patched(der: &[u8], from: &[u8], to: &[u8]) -> CertificateDer<'static> {
    assert_eq!(from.len(), to.len());
    let mut bytes = der.to_vec();
    let mut found = false;
    for at in 0..=bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
            found = true;
        }
    }
    assert!(found, "nothing to patch");
    bytes.into()
}

/// X.509 version 3 to version 1.
pub fn version_1(der: &[u8]) -> CertificateDer<'static> {
    patched(der, &[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 0])
}

/// ecdsa-with-SHA256 to ecdsa-with-SHA224, which is as weak as SHA-1 to the profile.
pub fn weak_hash(der: &[u8]) -> CertificateDer<'static> {
    let arcs = |last| [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, last];
    patched(der, &arcs(2), &arcs(1))
}
