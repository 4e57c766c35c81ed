//! The demo's certificates, by the profile of TS 33.310: the operator's side, the partners' side,
//! and a stranger's.

use std::path::Path;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CrlDistributionPoint, CustomExtension,
    DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType, SubjectPublicKeyInfo,
};
use time::{Duration, OffsetDateTime};

use super::state::State;
use crate::clock::UnixSeconds;

/// What a certificate is valid for on either side of now: a clock may be a little off, and a demo
/// that is kept may be looked at for a month.
const VALID_BEFORE: Duration = Duration::hours(1);
const VALID_AFTER: Duration = Duration::days(30);
const COUNTRY: &str = "SE";
const SUBJECT_KEY_IDENTIFIER: [u64; 4] = [2, 5, 29, 14];

/// A name in a client certificate that says who the client is.
#[derive(Clone, Copy, Debug)]
pub enum Name {
    Dns(&'static str),
    Uri(&'static str),
}

/// Makes all certificates, for a server key of which only the public half is known (DER of its
/// SubjectPublicKeyInfo), and writes them and the clients' keys into the state folder.
///
/// # Errors
/// Says what could not be made or written.
pub fn make(state: &State, server_spki: &[u8], clients: &[Leaf]) -> Result<(), String> {
    let server_key = SubjectPublicKeyInfo::from_der(server_spki).map_err(fault)?;
    let operator = Authority::new("Operator Example", "T8 demo operator TLS CA")?;
    let server = operator.certify(&server_key, &Leaf::server())?;
    let partners = Authority::new("Partners Example", "T8 demo partner TLS CA")?;
    let strangers = Authority::new("Strangers Example", "T8 demo stranger TLS CA")?;

    state.write("server-ca.pem", operator.certificate.pem())?;
    state.write("server.pem", server.pem())?;
    state.write("partner-ca.pem", partners.certificate.pem())?;
    // For one more client: openssl or rcgen certify it by these two.
    state.write("partner-ca.key.pem", partners.issuer.key().serialize_pem())?;
    for client in clients {
        write_client(state, &partners, client)?;
    }
    write_client(state, &strangers, &Leaf::STRANGER)
}

/// A key in a file, for a machine without SoftHSM; its SubjectPublicKeyInfo comes back.
///
/// # Errors
/// Says what could not be made or written.
pub fn soft_key(state: &State, file: &str) -> Result<Vec<u8>, String> {
    let key = KeyPair::generate().map_err(fault)?;
    state.write(file, key.serialize_pem())?;
    Ok(key.subject_public_key_info())
}

fn write_client(state: &State, authority: &Authority, client: &Leaf) -> Result<(), String> {
    let key = KeyPair::generate().map_err(fault)?;
    let certificate = authority.certify(&key, client)?;
    state.write(&format!("{}.pem", client.file), certificate.pem())?;
    state.write(&format!("{}.key.pem", client.file), key.serialize_pem())
}

/// A TLS entity.
#[derive(Clone, Copy, Debug)]
pub struct Leaf {
    /// What its files are called.
    pub file: &'static str,
    pub organization: &'static str,
    pub common_name: &'static str,
    pub name: Name,
    is_server: bool,
}

impl Leaf {
    /// Of a CA the gateway does not know, with the name of a client that it knows.
    pub const STRANGER: Self = Self::client(
        "stranger",
        "Strangers Example",
        "meters",
        Name::Dns("meters.example.com"),
    );

    /// An SCS/AS.
    pub const fn client(
        file: &'static str,
        organization: &'static str,
        common_name: &'static str,
        name: Name,
    ) -> Self {
        Self {
            file,
            organization,
            common_name,
            name,
            is_server: false,
        }
    }

    fn server() -> Self {
        Self {
            is_server: true,
            ..Self::client(
                "server",
                "Operator Example",
                "localhost",
                Name::Dns("localhost"),
            )
        }
    }
}

struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    //= TS 33.310 clause 6.1.4a
    //# A TLS CA says critically that it is one, for end entities only, and signs certificates.
    fn new(organization: &str, common_name: &str) -> Result<Self, String> {
        let key = KeyPair::generate().map_err(fault)?;
        let mut params = base(organization, common_name)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(fault)?;
        Ok(Self {
            certificate,
            issuer: Issuer::new(params, key),
        })
    }

    //= TS 33.310 clause 6.1.3a
    //# A TLS entity's certificate is for signatures, critically, and says where its CRL is.
    fn certify(&self, key: &impl PublicKeyData, leaf: &Leaf) -> Result<Certificate, String> {
        let mut params = base(leaf.organization, leaf.common_name)?;
        params.is_ca = IsCa::NoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match leaf.is_server {
            true => ExtendedKeyUsagePurpose::ServerAuth,
            false => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        params.subject_alt_names = vec![match leaf.name {
            Name::Dns(name) => SanType::DnsName(name.try_into().map_err(fault)?),
            Name::Uri(name) => SanType::URI(name.try_into().map_err(fault)?),
        }];
        params.use_authority_key_identifier_extension = true;
        params.crl_distribution_points = vec![CrlDistributionPoint {
            uris: vec!["http://crl.example.net/t8-tls.crl".to_owned()],
        }];
        // rcgen writes it for CAs only. An identifier is 20 octets: OCTET STRING in DER.
        let identifier = params.key_identifier(key);
        let length = u8::try_from(identifier.len()).map_err(fault)?;
        let content = [&[0x04, length][..], &identifier].concat();
        params.custom_extensions = vec![CustomExtension::from_oid_content(
            &SUBJECT_KEY_IDENTIFIER,
            content,
        )];
        params.signed_by(key, &self.issuer).map_err(fault)
    }
}

//= TS 33.310 clause 6.1.1
//# Names are country, organization and common name; the latter two in UTF-8.
fn base(organization: &str, common_name: &str) -> Result<CertificateParams, String> {
    let mut params = CertificateParams::new(Vec::new()).map_err(fault)?;
    let mut name = DistinguishedName::new();
    let country = COUNTRY.try_into().map_err(fault)?;
    name.push(DnType::CountryName, DnValue::PrintableString(country));
    name.push(
        DnType::OrganizationName,
        DnValue::Utf8String(organization.to_owned()),
    );
    name.push(
        DnType::CommonName,
        DnValue::Utf8String(common_name.to_owned()),
    );
    params.distinguished_name = name;
    let now = i64::try_from(UnixSeconds::now().0).map_err(fault)?;
    let now = OffsetDateTime::from_unix_timestamp(now).map_err(fault)?;
    params.not_before = now - VALID_BEFORE;
    params.not_after = now + VALID_AFTER;
    Ok(params)
}

fn fault(error: impl std::fmt::Display) -> String {
    format!("a certificate cannot be made: {error}")
}

/// The DER of a PEM file's first certificate.
///
/// # Errors
/// Says which file, and what is wrong with it.
pub fn read_certificate(file: &Path) -> Result<rustls_pki_types::CertificateDer<'static>, String> {
    use rustls_pki_types::pem::PemObject as _;
    rustls_pki_types::CertificateDer::from_pem_file(file)
        .map_err(|error| format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests;
