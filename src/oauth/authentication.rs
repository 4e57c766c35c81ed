//! Which client it is that asks, in the one way it is registered for.

use super::assertion::JWT_BEARER;
use super::form::Form;
use super::registration::{Method, Registered};
use super::{Endpoint, GrantFault, Issuer, Scheme, capif};
use crate::authz::assertion;
use crate::authz::policy::Policy;
use crate::authz::ue::sets::Sets;
use crate::clock::UnixSeconds;
use crate::peer::{Client, Peer};

/// Who posts a form.
#[derive(Clone, Copy)]
pub struct Caller<'c> {
    /// Of the connection.
    pub peer: &'c Peer,
    /// The client that the peer's certificate is mapped to.
    pub client: &'c Client,
    /// What the operator's policy lets that client do; where there is none, all that it is
    /// registered for.
    pub policy: Option<&'c Policy>,
    /// Those that the policy names.
    pub sets: Option<&'c Sets>,
    /// What else the request brings to authenticate.
    pub authorization: Option<Scheme>,
}

impl Issuer {
    /// The registration of the client that posts a form. An assertion is used up by that.
    ///
    /// # Errors
    /// Those of [`GrantFault`] that are about the client.
    pub(super) fn authenticated(
        &self,
        form: &Form,
        caller: &Caller<'_>,
        endpoint: Endpoint,
        now: UnixSeconds,
    ) -> Result<&Registered, GrantFault> {
        let asserted = asserted(form)?;
        //= RFC 6749 section 2.3
        //# A client authenticates in one way per request.
        if form.value("client_secret").is_some()
            || (asserted.is_some() && caller.authorization.is_some())
        {
            return Err(GrantFault::SecondAuthentication);
        }
        //= RFC 6749 section 5.2
        //# Who tries to authenticate in an Authorization field is told so by a challenge.
        if let Some(scheme) = caller.authorization {
            return Err(GrantFault::AuthorizationRefused(scheme));
        }
        match form.value("client_id") {
            Some(client_id) if client_id != caller.client.client_id => {
                return Err(GrantFault::ClientIdForeign);
            }
            Some(_) => {}
            //= RFC 8705 section 2
            //# The client says its client_id, so that there is something to hold the certificate
            //# to.
            None if asserted.is_none() => return Err(GrantFault::ClientIdMissing),
            //= RFC 7521 section 4.2
            //# An assertion names the client: client_id may be left out beside it.
            None => {}
        }
        let registered = self.registered(caller.peer.client());
        let registered = registered.ok_or(GrantFault::ClientUnregistered)?;
        if !caller.client.enabled {
            return Err(GrantFault::ClientDisabled);
        }
        match (&registered.method, asserted) {
            //= RFC 8705 section 2.1
            //# The certificate's subject must be the one the client is registered with.
            (Method::Tls(subject), None) => {
                if !subject.is_of(caller.peer.certificate()) {
                    return Err(GrantFault::CertificateUnfit);
                }
            }
            //= RFC 8705 section 2.2
            //# The certificate must be one that the client has registered.
            (Method::SelfSigned(registered), None) => {
                if !registered.contains(&caller.peer.thumbprint()) {
                    return Err(GrantFault::CertificateUnfit);
                }
            }
            (Method::PrivateKeyJwt { keys, used }, Some(asserted)) => {
                let endpoint = self.url_of(endpoint);
                let own_path = &caller.client.client_id;
                let endpoint = endpoint.replace(capif::SECURITY_ID, own_path);
                let token_endpoint = self.url_of(Endpoint::Token);
                let audiences = [self.name.as_str(), &endpoint, &token_endpoint];
                let client_id = &caller.client.client_id;
                let octets = asserted.as_bytes();
                let assertion = assertion::verify(octets, keys, client_id, &audiences, now);
                used.enter(&assertion.map_err(GrantFault::Assertion)?, now)?;
            }
            (Method::PrivateKeyJwt { .. }, None) => return Err(GrantFault::AssertionMissing),
            (Method::Tls(_) | Method::SelfSigned(_), Some(_)) => {
                return Err(GrantFault::AssertionUnregistered);
            }
        }
        Ok(registered)
    }

    fn url_of(&self, endpoint: Endpoint) -> String {
        format!("{}{}", self.name, endpoint.path())
    }
}

/// The assertion of a form, if it has one.
//= RFC 7521 section 4.2
//# An assertion comes with its type, and nothing else is known than a JWT.
fn asserted(form: &Form) -> Result<Option<&str>, GrantFault> {
    match (
        form.value("client_assertion_type"),
        form.value("client_assertion"),
    ) {
        (None, None) => Ok(None),
        (Some(JWT_BEARER), Some(assertion)) => Ok(Some(assertion)),
        _ => Err(GrantFault::AssertionIncomplete),
    }
}
