//! Who is at the other end of a connection.

use std::sync::Arc;

/// Place of a client in the snapshot's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientIndex(pub u32);

/// SHA-256 of a certificate's DER: what `cnf.x5t#S256` names (RFC 8705 section 3.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Thumbprint(pub [u8; 32]);

/// A name in a certificate's subjectAltName that can identify an SCS/AS. Never a common name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum San {
    /// A dNSName, in lower case, without wildcard.
    Dns(String),
    /// A uniformResourceIdentifier, octet for octet.
    Uri(String),
}

/// One SCS/AS operator, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The operator's word for it, used in logs and metrics.
    pub name: String,
    /// The `client_id` its access tokens carry.
    pub client_id: String,
    /// Certificates with one of these names are this client's.
    pub sans: Vec<San>,
    /// The `{scsAsId}` path segments it may use.
    pub scs_as_ids: Vec<String>,
}

/// The authenticated other end of a connection: made by `tls::client_auth` alone, from a verified
/// certificate, and the same for the connection's life.
#[derive(Clone)]
pub struct Peer {
    /// The one client the certificate is mapped to.
    pub client: ClientIndex,
    /// Of the leaf certificate.
    pub thumbprint: Thumbprint,
    /// The leaf certificate's DER.
    pub certificate: Arc<[u8]>,
    /// End of the leaf certificate's validity, seconds since 1970.
    pub not_after: u64,
}
