//! Who is at the other end of a connection.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use ipnet::IpNet;

/// Place of a client in the snapshot's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientIndex(pub u32);

/// SHA-256 of a certificate's DER: what `cnf.x5t#S256` names (RFC 8705 section 3.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Thumbprint(pub [u8; 32]);

impl Thumbprint {
    /// Of a certificate's DER.
    pub fn of(der: &[u8]) -> Self {
        let hash = digest(&SHA256, der);
        Self(hash.as_ref().try_into().expect("SHA-256 has 32 octets"))
    }
}

/// A name in a certificate's subjectAltName that can identify an SCS/AS. Never a common name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum San {
    /// A dNSName, in lower case, without wildcard.
    Dns(String),
    /// A uniformResourceIdentifier, octet for octet.
    Uri(String),
}

/// As an operator writes it.
impl fmt::Display for San {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(f, "dns:{name}"),
            Self::Uri(uri) => write!(f, "uri:{uri}"),
        }
    }
}

/// One SCS/AS operator, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The operator's word for it, used in logs and metrics.
    pub name: String,
    /// The `client_id` its access tokens carry.
    pub client_id: String,
    /// The group of partners whose CAs and rules hold for its certificates.
    pub partner: String,
    /// Certificates of a CA with one of these names are this client's; none where it has registered
    /// certificates of its own.
    pub sans: Vec<San>,
    /// The `{scsAsId}` path segments it may use.
    pub scs_as_ids: Vec<String>,
    /// It may come from these, all of them if any is said, and from anywhere otherwise.
    pub source_addresses: Vec<IpNet>,
    /// Its tokens may be bound to no certificate.
    pub unbound_tokens: bool,
    /// What it may have of the embedded issuer; none where it fetches its tokens elsewhere.
    pub registration: Option<Registration>,
    /// Else it is known, and all that it asks for is refused.
    pub enabled: bool,
}

impl Client {
    /// Whether it may come from there. Who is of IPv4 is so however the socket writes it.
    pub fn comes_from(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let holds = |from: &IpNet| from.contains(&address);
        self.source_addresses.is_empty() || self.source_addresses.iter().any(holds)
    }
}

/// Which names of a certificate say whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A dNSName.
    Dns,
    /// A uniformResourceIdentifier.
    Uri,
    /// Either.
    Any,
}

impl Identity {
    /// As the configuration writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Uri => "uri",
            Self::Any => "any",
        }
    }

    /// Whether a name can say it.
    pub fn takes(self, name: &San) -> bool {
        match self {
            Self::Dns => matches!(name, San::Dns(_)),
            Self::Uri => matches!(name, San::Uri(_)),
            Self::Any => true,
        }
    }
}

/// A client of the embedded issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    pub authentication: ClientAuthentication,
    /// The scope values it may be granted; none where it only introspects.
    pub scopes: Vec<String>,
    /// It may ask what tokens are worth.
    pub introspects: bool,
    /// What its tokens are; as the issuer's are where not said.
    pub token_format: Option<TokenFormat>,
}

/// What an access token of the embedded issuer is to whoever holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TokenFormat {
    /// Signed, and read by everybody (RFC 9068).
    #[default]
    Jwt,
    /// Sealed, and read by the gateway alone.
    Opaque,
}

/// The one way in which a client authenticates at the embedded issuer. Whichever it is, the
/// certificate of its connection is verified and is the client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// `tls_client_auth`: its certificate says this as well.
    Tls(TlsClientAuth),
    /// `self_signed_tls_client_auth`: its certificate is one of those in these PEM files, and is
    /// known by that alone.
    SelfSigned(Vec<OwnFile>),
    /// `private_key_jwt`: by assertions that a key of this file signs, a JWK Set of public keys.
    PrivateKeyJwt(OwnFile),
}

/// A file of what a client makes itself: PEM of certificates, or a JWK Set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnFile {
    pub path: PathBuf,
    /// The line that names it, from 1, where the client is written.
    pub line: usize,
}

/// How a client authenticates by its certificate at the embedded issuer (RFC 8705 section 2.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsClientAuth {
    /// `tls_client_auth_san_dns`: a dNSName, in lower case.
    SanDns(String),
    /// `tls_client_auth_san_uri`: a uniformResourceIdentifier, octet for octet.
    SanUri(String),
    /// `tls_client_auth_san_ip`: an iPAddress.
    SanIp(IpAddr),
    /// `tls_client_auth_san_email`: an rfc822Name, `local@domain`.
    SanEmail(String),
    /// `tls_client_auth_subject_dn`: the subject, as RFC 4514 writes it.
    SubjectDn(String),
}

/// What a certificate was believed for: enough to judge it again, under other trust anchors or
/// rules, without verifying a signature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage {
    /// Of the client it was mapped to.
    pub client_id: String,
    /// SHA-256 of the trust anchor's certificate; of one that is registered, its own.
    pub anchor: [u8; 32],
    /// The certificates below the anchor, leaf first; none of one that is registered.
    pub certificates: Vec<CertificateId>,
    /// The rules that the chain breaks, waived or not, as `tls::RuleSet` numbers them.
    pub broken: u64,
    /// When the first of these certificates ends, seconds since 1970.
    pub not_after: u64,
}

/// What a revocation list knows a certificate by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertificateId {
    /// SHA-256 over the issuer's name and key, as `tls::revocation::IssuerId` says.
    pub issuer: [u8; 32],
    /// Content of the serial number, without tag and length.
    pub serial: Box<[u8]>,
}

/// The authenticated other end of a connection: made by `tls::client_auth` alone, from a verified
/// certificate, and the same for the connection's life. Its fields are private and its constructor
/// stays in this crate, so that holding one proves a verified certificate.
#[derive(Clone)]
pub struct Peer {
    client: ClientIndex,
    thumbprint: Thumbprint,
    certificate: Arc<[u8]>,
    not_after: u64,
    lineage: Arc<Lineage>,
}

impl Peer {
    /// For `tls::client_auth` (and tests of rooms that demand a `Peer`) only: the caller vouches
    /// that `certificate` was verified and is mapped to `client`.
    pub(crate) fn new(
        client: ClientIndex,
        thumbprint: Thumbprint,
        certificate: Arc<[u8]>,
        not_after: u64,
        lineage: Arc<Lineage>,
    ) -> Self {
        Self {
            client,
            thumbprint,
            certificate,
            not_after,
            lineage,
        }
    }

    /// The one client the certificate is mapped to.
    pub fn client(&self) -> ClientIndex {
        self.client
    }

    /// Of the leaf certificate.
    pub fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// The leaf certificate's DER.
    pub fn certificate(&self) -> &Arc<[u8]> {
        &self.certificate
    }

    /// What the certificate was believed for.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// When the first certificate of its chain ends, seconds since 1970.
    pub fn not_after(&self) -> u64 {
        self.not_after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_comes_from_its_addresses_or_from_anywhere_where_none_are_said() {
        let of = |from: &[&str]| Client {
            name: "scs-1".to_owned(),
            client_id: "scs-1".to_owned(),
            partner: "default".to_owned(),
            sans: Vec::new(),
            scs_as_ids: Vec::new(),
            source_addresses: from.iter().map(|net| net.parse().unwrap()).collect(),
            unbound_tokens: false,
            registration: None,
            enabled: true,
        };
        let from = |client: &Client, text: &str| client.comes_from(text.parse().unwrap());
        let anywhere = of(&[]);
        assert!(from(&anywhere, "198.51.100.1") && from(&anywhere, "2001:db8::1"));
        let some = of(&["192.0.2.0/24", "2001:db8:1::/48", "198.51.100.7/32"]);
        for address in [
            "192.0.2.0",
            "192.0.2.255",
            "::ffff:192.0.2.17",
            "198.51.100.7",
            "2001:db8:1:ffff::",
        ] {
            assert!(from(&some, address), "{address}");
        }
        for address in [
            "192.0.3.0",
            "198.51.100.8",
            "::ffff:192.0.3.17",
            "::192.0.2.17",
            "2001:db8:2::",
            "0.0.0.0",
            "::",
        ] {
            assert!(!from(&some, address), "{address}");
        }
        let all_of_v4 = of(&["0.0.0.0/0"]);
        assert!(from(&all_of_v4, "::ffff:192.0.2.17") && !from(&all_of_v4, "2001:db8::1"));
    }
}
