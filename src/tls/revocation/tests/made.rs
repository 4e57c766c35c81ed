//! CRLs made octet by octet, so that each rule can be broken alone.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose, SigningKey,
};

/// A CA, with a key of P-256 by default.
pub struct Ca {
    pub der: Vec<u8>,
    name: Vec<u8>,
    key: KeyPair,
}

/// What a CRL says; [`Made::default`] says nothing wrong.
#[derive(Clone)]
pub struct Made {
    pub version: Option<u8>,
    pub algorithm: Vec<u8>,
    pub outer_algorithm: Option<Vec<u8>>,
    pub this_update: String,
    pub next_update: Option<String>,
    pub entries: Vec<Vec<u8>>,
    pub extensions: Vec<Vec<u8>>,
}

impl Default for Made {
    fn default() -> Self {
        Self {
            version: Some(1),
            algorithm: sequence(&[oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2])]),
            outer_algorithm: None,
            this_update: "300101000000Z".into(),
            next_update: Some("300201000000Z".into()),
            entries: Vec::new(),
            extensions: vec![number(1)],
        }
    }
}

pub fn ca(name: &str, usages: &[KeyUsagePurpose]) -> Ca {
    ca_with_key(name, usages, KeyPair::generate().unwrap())
}

pub fn ca_with_key(name: &str, usages: &[KeyUsagePurpose], key: KeyPair) -> Ca {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = usages.to_vec();
    let der = params.self_signed(&key).unwrap().der().to_vec();
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).unwrap();
    let name = certificate.subject().as_raw().to_vec();
    Ca { der, name, key }
}

impl Made {
    pub fn signed_by(&self, ca: &Ca) -> Vec<u8> {
        let mut signed = Vec::new();
        if let Some(version) = self.version {
            signed.push(tlv(0x02, &[version]));
        }
        signed.push(self.algorithm.clone());
        signed.push(ca.name.clone());
        signed.push(tlv(0x17, self.this_update.as_bytes()));
        if let Some(next) = &self.next_update {
            signed.push(tlv(0x17, next.as_bytes()));
        }
        if !self.entries.is_empty() {
            signed.push(sequence(&self.entries));
        }
        if !self.extensions.is_empty() {
            signed.push(tlv(0xa0, &sequence(&self.extensions)));
        }
        let signed = sequence(&signed);
        let mut signature = vec![0];
        signature.extend(ca.key.sign(&signed).unwrap());
        let outer = self.outer_algorithm.as_ref().unwrap_or(&self.algorithm);
        sequence(&[signed, outer.clone(), tlv(0x03, &signature)])
    }
}

pub fn number(number: u8) -> Vec<u8> {
    extension(&[0x55, 0x1d, 20], false, &tlv(0x02, &[number]))
}

pub fn delta_since(base: u8) -> Vec<u8> {
    extension(&[0x55, 0x1d, 27], true, &tlv(0x02, &[base]))
}

/// An entry revoked on 2029-01-01; with a reason where one is named.
pub fn entry(serial: &[u8], reason: Option<u8>) -> Vec<u8> {
    let extensions = reason.map(|reason| {
        let value = tlv(0x0a, &[reason]);
        sequence(&[extension(&[0x55, 0x1d, 21], false, &value)])
    });
    let fields = [tlv(0x02, serial), tlv(0x17, b"290101000000Z")];
    let fields: Vec<Vec<u8>> = fields.into_iter().chain(extensions).collect();
    sequence(&fields)
}

/// The same with another extension.
pub fn entry_with(serial: &[u8], extension: Vec<u8>) -> Vec<u8> {
    let time = tlv(0x17, b"290101000000Z");
    sequence(&[tlv(0x02, serial), time, sequence(&[extension])])
}

pub fn extension(id: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = critical.then(|| tlv(0x01, &[0xff]));
    let fields = [Some(oid(id)), critical, Some(tlv(0x04, value))];
    sequence(&fields.into_iter().flatten().collect::<Vec<_>>())
}

pub fn oid(content: &[u8]) -> Vec<u8> {
    tlv(0x06, content)
}

pub fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ ..0x80 => out.push(short as u8),
        long => {
            let octets = long.to_be_bytes();
            let skip = octets.iter().take_while(|octet| **octet == 0).count();
            out.push(0x80 | (octets.len() - skip) as u8);
            out.extend(&octets[skip..]);
        }
    }
    out.extend(content);
    out
}
