//! Who may have a token, and for what: everything about a token request but the signature.

use std::fmt;

use super::form::Form;
use super::{Issuer, Registered};
use crate::authz::scope::{self, Rights};
use crate::peer::{Client, Peer, Thumbprint};

/// What a client is granted: made by [`Issuer::decide`] alone, so that holding one proves that the
/// client authenticated and that its registration names these APIs.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    client_id: String,
    rights: Rights,
    thumbprint: Thumbprint,
}

/// What is granted, not to whom: the rest would tell partners apart in a log.
impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("rights", &self.rights)
            .finish_non_exhaustive()
    }
}

impl Grant {
    /// To whom.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// What the token's scope will allow; never nothing.
    pub fn rights(&self) -> Rights {
        self.rights
    }

    /// Of the only certificate that will be able to use the token.
    pub fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }
}

/// Why no token is granted. None of them holds a byte of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GrantFault {
    /// Longer than [`FORM_BYTES_MAX`](crate::limits::FORM_BYTES_MAX), or of too many parameters.
    FormTooLong,
    /// Not `application/x-www-form-urlencoded`, or not UTF-8 in it.
    FormMalformed,
    ParameterRepeated,
    /// A secret or an assertion beside the certificate. Whoever reads the HTTP request gives the
    /// same answer to an `Authorization` field.
    SecondAuthentication,
    GrantTypeMissing,
    GrantTypeUnsupported,
    ClientIdMissing,
    /// The certificate is another client's.
    ClientIdForeign,
    /// The client is not registered with this issuer.
    ClientUnregistered,
    /// The client is registered, and an operator has disabled it.
    ClientDisabled,
    /// The certificate is the client's and does not carry the registered name.
    CertificateUnfit,
    ScopeMalformed,
    /// A value of the scope is not among those the client is registered for.
    ScopeUnregistered,
}

impl GrantFault {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::FormTooLong,
        Self::FormMalformed,
        Self::ParameterRepeated,
        Self::SecondAuthentication,
        Self::GrantTypeMissing,
        Self::GrantTypeUnsupported,
        Self::ClientIdMissing,
        Self::ClientIdForeign,
        Self::ClientUnregistered,
        Self::ClientDisabled,
        Self::CertificateUnfit,
        Self::ScopeMalformed,
        Self::ScopeUnregistered,
    ];

    /// The `error` of the response.
    //= RFC 6749 section 5.2
    //# Each refusal has one of the error codes that are defined for it.
    pub fn error(self) -> &'static str {
        match self {
            Self::FormTooLong
            | Self::FormMalformed
            | Self::ParameterRepeated
            | Self::SecondAuthentication
            | Self::GrantTypeMissing
            | Self::ClientIdMissing => "invalid_request",
            Self::GrantTypeUnsupported => "unsupported_grant_type",
            Self::ClientIdForeign | Self::CertificateUnfit => "invalid_client",
            Self::ClientUnregistered | Self::ClientDisabled => "unauthorized_client",
            Self::ScopeMalformed | Self::ScopeUnregistered => "invalid_scope",
        }
    }

    /// The `error_description` of the response: fixed text of the characters RFC 6749 allows.
    pub fn description(self) -> &'static str {
        match self {
            Self::FormTooLong => "the form is too long or has too many parameters",
            Self::FormMalformed => "the body is not application/x-www-form-urlencoded in UTF-8",
            Self::ParameterRepeated => "a parameter is sent more than once",
            Self::SecondAuthentication => {
                "clients authenticate by their certificate alone: send no secret and no assertion"
            }
            Self::GrantTypeMissing => "grant_type is missing",
            Self::GrantTypeUnsupported => "only grant_type=client_credentials is supported",
            Self::ClientIdMissing => "client_id is missing",
            Self::ClientIdForeign => "the certificate does not belong to this client_id",
            Self::ClientUnregistered => "the client is not registered for tokens of this issuer",
            Self::ClientDisabled => "the client is disabled",
            Self::CertificateUnfit => "the certificate does not carry the registered name",
            Self::ScopeMalformed => "scope is not a list of values with one space between",
            Self::ScopeUnregistered => "a scope value is not registered for the client",
        }
    }

    /// The word for logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::FormTooLong => "grant_form_too_long",
            Self::FormMalformed => "grant_form_malformed",
            Self::ParameterRepeated => "grant_parameter_repeated",
            Self::SecondAuthentication => "grant_second_authentication",
            Self::GrantTypeMissing => "grant_type_missing",
            Self::GrantTypeUnsupported => "grant_type_unsupported",
            Self::ClientIdMissing => "grant_client_id_missing",
            Self::ClientIdForeign => "grant_client_id_foreign",
            Self::ClientUnregistered => "grant_client_unregistered",
            Self::ClientDisabled => "grant_client_disabled",
            Self::CertificateUnfit => "grant_certificate_unfit",
            Self::ScopeMalformed => "grant_scope_malformed",
            Self::ScopeUnregistered => "grant_scope_unregistered",
        }
    }
}

/// Ways to authenticate that a form can carry (RFC 6749 section 2.3.1, RFC 7521 section 4.2).
const OTHER_AUTHENTICATION: [&str; 3] =
    ["client_secret", "client_assertion", "client_assertion_type"];

impl Issuer {
    /// Decides on a token request by its `form` (the body, as sent), the connection's `peer`, and
    /// `client`, the one that the peer's certificate is mapped to. Parses the certificate, signs
    /// nothing: cheap enough for a shard. Total on any form.
    ///
    /// # Errors
    /// See [`GrantFault`]; the order of the checks is: form, one authentication, grant type,
    /// client, registration, certificate, scope.
    //= RFC 6749 section 4.4.2
    //# Without client authentication there is no token of this grant.
    pub fn decide(&self, form: &[u8], peer: &Peer, client: &Client) -> Result<Grant, GrantFault> {
        let form = Form::read(form)?;
        //= RFC 6749 section 2.3
        //# A client authenticates in one way per request.
        if OTHER_AUTHENTICATION
            .iter()
            .any(|name| form.value(name).is_some())
        {
            return Err(GrantFault::SecondAuthentication);
        }
        match form.value("grant_type") {
            Some("client_credentials") => {}
            Some(_) => return Err(GrantFault::GrantTypeUnsupported),
            None => return Err(GrantFault::GrantTypeMissing),
        }
        //= RFC 8705 section 2
        //# The client says its client_id, so that there is something to hold the certificate to.
        let client_id = form.value("client_id").ok_or(GrantFault::ClientIdMissing)?;
        if client_id != client.client_id {
            return Err(GrantFault::ClientIdForeign);
        }
        let registered = self.registered(peer.client());
        let registered = registered.ok_or(GrantFault::ClientUnregistered)?;
        if !client.enabled {
            return Err(GrantFault::ClientDisabled);
        }
        //= RFC 8705 section 2.1
        //# The certificate's subject must be the one the client is registered with.
        if !registered.certificate.is_of(peer.certificate()) {
            return Err(GrantFault::CertificateUnfit);
        }
        Ok(Grant {
            client_id: client_id.to_owned(),
            rights: granted(form.value("scope"), registered)?,
            //= RFC 8705 section 3
            //# The token is bound to the certificate of the connection it is fetched on.
            thumbprint: peer.thumbprint(),
        })
    }
}

/// The rights of a scope that asks for no more than what is registered. Without a scope, everything
/// that is registered.
//= RFC 6749 section 3.3
//# What a request without scope is granted is defined: here, all that the client may have.
fn granted(asked: Option<&str>, registered: &Registered) -> Result<Rights, GrantFault> {
    let Some(asked) = asked else {
        return Ok(registered.rights);
    };
    let rights = scope::rights(asked).map_err(|_| GrantFault::ScopeMalformed)?;
    // What names no API is no part of them, and nobody is registered for it.
    let known = |value: &str| Rights::of_value(value).is_some();
    if !asked.split(' ').all(known) || !registered.rights.contain(rights) {
        return Err(GrantFault::ScopeUnregistered);
    }
    Ok(rights)
}
