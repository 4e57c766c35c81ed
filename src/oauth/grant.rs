//! Who may have a token, and for what: everything about a token request but the signature.

use std::fmt;

use super::certificate::Subject;
use super::form::Form;
use super::registration::{Method, Registered};
use super::{Caller, Endpoint, GrantFault, Issuer};
use crate::authz::apis::ApiSet;
use crate::authz::details::{self, Access, TooLong};
use crate::authz::scope::{self, Rights};
use crate::clock::UnixSeconds;
use crate::limits::DETAILS_BYTES_MAX;
use crate::peer::{Client, ClientIndex, San, Thumbprint, TokenFormat};

/// What a client is granted: made by [`Issuer::decide`] alone, so that holding one proves that the
/// client authenticated and that its registration names these APIs.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    client_id: String,
    /// Of the scope, without the APIs that details were asked for.
    rights: Rights,
    details: Vec<Access>,
    thumbprint: Thumbprint,
    format: TokenFormat,
    /// In CAPIF's form, which is always signed.
    for_capif: bool,
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
    /// Of a client that has authenticated, in CAPIF's form.
    pub(super) fn for_capif(caller: &Caller<'_>, rights: Rights) -> Self {
        Self {
            client_id: caller.client.client_id.clone(),
            rights,
            details: Vec::new(),
            //= RFC 8705 section 3
            //# The token is bound to the certificate of the connection it is fetched on.
            thumbprint: caller.peer.thumbprint(),
            format: TokenFormat::Jwt,
            for_capif: true,
        }
    }

    pub(super) fn is_for_capif(&self) -> bool {
        self.for_capif
    }

    /// To whom.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// What the token will allow but for the limits of its details; never nothing.
    pub fn rights(&self) -> Rights {
        let details = self.details.iter().map(Access::rights);
        details.fold(self.rights, Rights::and)
    }

    /// What the token's scope will say; nothing where its details say it all.
    pub(super) fn scope(&self) -> Rights {
        self.rights
    }

    /// What the token's `authorization_details` will say, where there are any.
    pub(super) fn details(&self) -> &[Access] {
        &self.details
    }

    /// What the token is to be.
    pub(super) fn format(&self) -> TokenFormat {
        self.format
    }

    /// Of the only certificate that will be able to use the token.
    pub fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }
}

impl Issuer {
    /// Decides on a token request by its `form` (the body, as sent) and who sends it. Reads the
    /// certificate, or verifies an assertion, signs nothing: cheap enough for a shard. Total on any
    /// form.
    ///
    /// # Errors
    /// See [`GrantFault`]; the order of the checks is: form, client, grant type, scope.
    //= RFC 6749 section 4.4.2
    //# Without client authentication there is no token of this grant.
    pub fn decide(
        &self,
        form: &[u8],
        caller: &Caller<'_>,
        now: UnixSeconds,
    ) -> Result<Grant, GrantFault> {
        let form = Form::read(form)?;
        let registered = self.authenticated(&form, caller, Endpoint::Token, now)?;
        check_type(&form)?;
        if registered.rights.is_empty() {
            return Err(GrantFault::ClientUnregistered);
        }
        let details = form.value("authorization_details");
        let mut rights = match (form.value("scope"), details) {
            // Who says what it wants in details wants nothing else.
            (None, Some(_)) => Rights::NONE,
            (scope, _) => granted(scope, registered)?,
        };
        let mut held = Vec::new();
        if let Some(asked) = details {
            let asked = details::asked(asked).map_err(GrantFault::Details)?;
            //= RFC 9396 section 9
            //# Of an API that the details name they alone say what is allowed, also where nothing
            //# of what they ask for is granted.
            rights = rights.without(named(&asked));
            held = granted_details(&asked, registered, caller)?;
        }
        Ok(Grant {
            client_id: caller.client.client_id.clone(),
            rights,
            details: held,
            //= RFC 8705 section 3
            //# The token is bound to the certificate of the connection it is fetched on.
            thumbprint: caller.peer.thumbprint(),
            format: self.format_for(registered),
            for_capif: false,
        })
    }
}

impl Issuer {
    /// Decides on a token that an operator wants for a client, the one at a place of the snapshot's
    /// table, to be bound to this `certificate` (DER). Nobody authenticates: whoever may use the
    /// issuer's key may do without.
    ///
    /// # Errors
    /// The client is not registered or disabled, the certificate is not its own or does not say
    /// what it is registered with, or the scope is not its.
    pub fn decide_for_operator(
        &self,
        (place, client): (ClientIndex, &Client),
        certificate: &[u8],
        scope: Option<&str>,
    ) -> Result<Grant, GrantFault> {
        let registered = self.registered(place);
        // Nor is one that only introspects.
        let registered = registered.filter(|registered| !registered.rights.is_empty());
        let registered = registered.ok_or(GrantFault::ClientUnregistered)?;
        if !client.enabled {
            return Err(GrantFault::ClientDisabled);
        }
        let thumbprint = Thumbprint::of(certificate);
        let named = |san: &San| Subject::of(san).is_of(certificate);
        let is_own = match &registered.method {
            Method::SelfSigned(registered) => registered.contains(&thumbprint),
            Method::Tls(_) | Method::PrivateKeyJwt { .. } => client.sans.iter().any(named),
        };
        if !is_own {
            return Err(GrantFault::ClientIdForeign);
        }
        if let Method::Tls(subject) = &registered.method
            && !subject.is_of(certificate)
        {
            return Err(GrantFault::CertificateUnfit);
        }
        Ok(Grant {
            client_id: client.client_id.clone(),
            rights: granted(scope, registered)?,
            details: Vec::new(),
            thumbprint,
            format: self.format_for(registered),
            for_capif: false,
        })
    }
}

pub(super) fn check_type(form: &Form) -> Result<(), GrantFault> {
    match form.value("grant_type") {
        Some("client_credentials") => Ok(()),
        Some(_) => Err(GrantFault::GrantTypeUnsupported),
        None => Err(GrantFault::GrantTypeMissing),
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

/// All APIs of some objects.
fn named(details: &[Access]) -> ApiSet {
    { details.iter() }.fold(ApiSet::EMPTY, |all, one| all.union(one.apis()))
}

/// So much of what details ask for as the client is registered for, and as the operator's policy
/// lets it do.
//= RFC 9396 section 7
//# What is granted may be less than what was asked for, and the response says it.
fn granted_details(
    asked: &[Access],
    registered: &Registered,
    caller: &Caller<'_>,
) -> Result<Vec<Access>, GrantFault> {
    let within = asked.iter().flat_map(|one| one.within(registered.rights));
    let within: Vec<_> = within.collect();
    let held = match caller.policy {
        Some(policy) => details::held(&within, policy, caller.sets),
        None => Ok(within),
    };
    let held = held.map_err(|TooLong| GrantFault::DetailsTooLong)?;
    if held.is_empty() {
        return Err(GrantFault::DetailsRefused);
    }
    let octets = serde_json::to_vec(&held).map_or(usize::MAX, |json| json.len());
    match held.len() <= details::OBJECTS_MAX && octets <= DETAILS_BYTES_MAX {
        true => Ok(held),
        false => Err(GrantFault::DetailsTooLong),
    }
}
