//! What each client may have of the issuer, and how it authenticates: its registration, parsed.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::IssuerFault;
use super::certificate::Subject;
use super::used::{AllUsed, Used};
use crate::authz::apis::ApiId;
use crate::authz::keys::Keys;
use crate::authz::scope::Rights;
use crate::peer::{
    Client, ClientAuthentication, ClientIndex, Registration, Thumbprint, TokenFormat,
};

/// A client's registration.
pub struct Registered {
    pub method: Method,
    /// None where it only introspects.
    pub rights: Rights,
    pub introspects: bool,
    /// What its tokens are; as the issuer's are where not said.
    pub token_format: Option<TokenFormat>,
}

/// The one way in which a client authenticates.
pub enum Method {
    Tls(Subject),
    /// By one of these certificates.
    SelfSigned(Vec<Thumbprint>),
    PrivateKeyJwt {
        keys: Keys,
        used: Arc<Used>,
    },
}

/// What is wrong, and what to do about it.
type Wrong = (String, String);

/// Of the certificates that clients have signed themselves, those that each has registered: read
/// once, for the handshake and for this.
pub type OwnCertificates = HashMap<ClientIndex, Vec<Thumbprint>>;

/// All clients' in their order; what was `used` before stays so.
pub fn registrations(
    clients: &[Client],
    certificates: &OwnCertificates,
    used: &AllUsed,
) -> Result<Vec<Option<Registered>>, IssuerFault> {
    let of = |(place, client): (u32, &Client)| {
        let Some(registration) = &client.registration else {
            return Ok(None);
        };
        let fault = |(what, cure): Wrong| IssuerFault {
            client: Some(ClientIndex(place)),
            what,
            cure,
            lasts: true,
        };
        let own = certificates.get(&ClientIndex(place));
        let own = own.map_or(&[][..], Vec::as_slice);
        registered(&client.client_id, registration, own, used)
            .map(Some)
            .map_err(fault)
    };
    (0..).zip(clients).map(of).collect()
}

fn registered(
    client_id: &str,
    registration: &Registration,
    own: &[Thumbprint],
    used: &AllUsed,
) -> Result<Registered, Wrong> {
    let mut rights = Rights::NONE;
    for scope in &registration.scopes {
        let more = Rights::of_value(scope).ok_or_else(|| {
            let known: Vec<&str> = ApiId::all().map(ApiId::name).collect();
            (
                format!("the scope {scope:?} names no T8 API"),
                format!("take some of: {}", known.join(", ")),
            )
        })?;
        rights = rights.and(more);
    }
    if rights.is_empty() && !registration.introspects {
        return Err((
            "it has no scopes, so that no token could be granted".to_owned(),
            "name the APIs it may call in `scopes`".to_owned(),
        ));
    }
    let method = match &registration.authentication {
        ClientAuthentication::Tls(registered) => Method::Tls(Subject::new(registered)?),
        ClientAuthentication::SelfSigned(_) => Method::SelfSigned(own.to_vec()),
        ClientAuthentication::PrivateKeyJwt(file) => Method::PrivateKeyJwt {
            keys: keys(&file.path)?,
            used: used.of(client_id),
        },
    };
    Ok(Registered {
        method,
        rights,
        introspects: registration.introspects,
        token_format: registration.token_format,
    })
}

fn keys(file: &Path) -> Result<Keys, Wrong> {
    let of_file = |what: String| {
        let cure = "private_key_jwt names a JWK Set of the client's public keys, each with its \
                    kid and alg";
        (format!("{}: {what}", file.display()), cure.to_owned())
    };
    let jwks = std::fs::read(file).map_err(|error| of_file(error.to_string()))?;
    Keys::from_jwks(&jwks).map_err(of_file)
}
