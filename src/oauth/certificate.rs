//! Whether a client certificate carries the name its client is registered with.

use std::net::IpAddr;

use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::distinguished_name::DistinguishedName;
use crate::peer::{San, TlsClientAuth};

/// What the certificate must say, parsed from [`TlsClientAuth`].
//= RFC 8705 section 2.1.2
//# A client is registered with one name, of one of these kinds, and with no other.
pub enum Subject {
    /// In lower case.
    Dns(String),
    Uri(String),
    Ip(IpAddr),
    /// Local part, and domain in lower case.
    Email(String, String),
    Name(DistinguishedName),
}

impl Subject {
    /// Or what is wrong with the registered name, and what to do.
    pub fn new(registered: &TlsClientAuth) -> Result<Self, (String, String)> {
        match registered {
            TlsClientAuth::SanDns(name) if name.is_empty() || name.contains('*') => Err((
                format!("tls_client_auth_san_dns {name:?} names no host"),
                "name one host in full, without a wildcard".to_owned(),
            )),
            TlsClientAuth::SanDns(name) => Ok(Self::Dns(name.to_ascii_lowercase())),
            TlsClientAuth::SanUri(name) if name.is_empty() => Err((
                "tls_client_auth_san_uri is empty".to_owned(),
                "write the URI as the certificate has it".to_owned(),
            )),
            TlsClientAuth::SanUri(name) => Ok(Self::Uri(name.clone())),
            TlsClientAuth::SanIp(address) => Ok(Self::Ip(*address)),
            TlsClientAuth::SanEmail(address) => match mailbox(address.as_str()) {
                Some((local, domain)) => {
                    Ok(Self::Email(local.to_owned(), domain.to_ascii_lowercase()))
                }
                None => Err((
                    format!("tls_client_auth_san_email {address:?} is no mailbox"),
                    "write the address as the certificate has it: scs@partner.example".to_owned(),
                )),
            },
            TlsClientAuth::SubjectDn(name) => {
                let parsed = DistinguishedName::parse(name).map_err(|what| {
                    (
                        format!("tls_client_auth_subject_dn {name:?}: {what}"),
                        "write the subject as RFC 4514 does, most specific first: openssl x509 \
                         -in CERTIFICATE -noout -subject -nameopt RFC2253"
                            .to_owned(),
                    )
                })?;
                Ok(Self::Name(parsed))
            }
        }
    }

    /// A name by which a client is known.
    pub fn of(san: &San) -> Self {
        match san {
            San::Dns(name) => Self::Dns(name.clone()),
            San::Uri(uri) => Self::Uri(uri.clone()),
        }
    }

    /// Whether this certificate (DER) carries the name. False for what is no certificate.
    pub fn is_of(&self, certificate: &[u8]) -> bool {
        let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
            return false;
        };
        if let Self::Name(name) = self {
            return name.is(certificate.subject());
        }
        let Ok(Some(names)) = certificate.subject_alternative_name() else {
            return false;
        };
        names
            .value
            .general_names
            .iter()
            .any(|name| match (self, name) {
                // A wildcard never equals a registered name: those have none.
                (Self::Dns(registered), GeneralName::DNSName(name)) => {
                    registered.eq_ignore_ascii_case(name)
                }
                (Self::Uri(registered), GeneralName::URI(name)) => registered == name,
                //= RFC 8705 section 2.1.2
                //# An address is compared as octets, whatever its spelling.
                (Self::Ip(registered), GeneralName::IPAddress(octets)) => match registered {
                    IpAddr::V4(address) => address.octets() == *octets,
                    IpAddr::V6(address) => address.octets() == *octets,
                },
                //= RFC 5280 section 7.5
                //# The local part of a mailbox is compared exactly, its domain in any case.
                (Self::Email(local, domain), GeneralName::RFC822Name(name)) => mailbox(name)
                    .is_some_and(|(theirs, at)| theirs == local && at.eq_ignore_ascii_case(domain)),
                _ => false,
            })
    }
}

/// Local part and domain of `local@domain`. What has no such parts is nobody's name.
fn mailbox(address: &str) -> Option<(&str, &str)> {
    let (local, domain) = address.rsplit_once('@')?;
    let graphic = address.bytes().all(|byte| byte.is_ascii_graphic());
    (graphic && !local.is_empty() && !domain.is_empty()).then_some((local, domain))
}
