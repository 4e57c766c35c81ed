//! The one closed table of refusals: what a client is told, what is counted, what the operator
//! reads. Adding a reason is adding a row. Requests have theirs here, connections in
//! [`connections`]; the rows stand in `rows`.

pub mod connections;
mod rows;

pub use rows::ROWS;

use crate::authz::apis::{ApiId, MediaType, Verb, Verbs};
use crate::authz::policy::{Denied, Source};
use crate::authz::quota::{Bound, Exceeded};
use crate::authz::token::TokenFault;
use crate::http::chunked::ChunkFault;
use crate::http::head::HeadFault;
use crate::metrics::REFUSAL_ROWS_MAX;
use crate::oauth::GrantFault;
use crate::revoked::Kind;

/// Why a request was not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    Head(HeadFault),
    HeadDeadline,
    Body(ChunkFault),
    BodyTooLarge,
    BodyDeadline,
    ApiUnknown,
    MethodNotAllowed(Verbs),
    ScsAsIdForeign,
    TokenMissing,
    TokenRepeated,
    TokenInQuery,
    AuthorizationMalformed,
    TokenInvalid(TokenFault),
    /// No key of the token's issuer has been had yet.
    IssuerKeysUnknown,
    /// Its issuer has said nothing of an opaque token.
    TokenUnasked,
    /// Nor has it in time.
    IntrospectionDeadline,
    TokenOfOtherCertificate,
    TokenOfOtherClient,
    ClientDisabled,
    /// The client may not come from there.
    SourceAddressForeign,
    CertificateExpired,
    /// It was revoked, or what is trusted has changed, while the request waited.
    CertificateDistrusted,
    ScopeInsufficient(ApiId, Verb),
    /// The operator's policy, or the token, does not grant it for all that is asked about.
    NotGranted(Denied),
    /// The body is no JSON that can be read in one way only, or not what its operation takes.
    ContentMalformed(&'static str),
    /// What is asked about could not be seen, so that nothing can be granted.
    ResourceUnseen(&'static str),
    /// The body is in a content coding.
    ContentCoded,
    /// The shard holds as much of bodies as it may.
    BodiesExhausted,
    /// What is asked about does not exist.
    ResourceUnknown,
    /// It takes none of what the gateway and the SCEF answer in.
    NotAcceptable,
    /// The body is in something else than in this.
    MediaTypeUnsupported(Verb, MediaType),
    /// There is no telling of a body where there must be one.
    LengthMissing,
    /// The body has no octets where there must be some.
    BodyMissing,
    /// The client asks for more than it is allowed: to come again in so many seconds.
    RateExceeded(u32),
    /// The same of what it is allowed in a day, an hour or a minute.
    AllowanceUsedUp(u32),
    UpstreamRefused,
    /// Nothing left to make a connection to the upstream with.
    DescriptorsExhausted,
    UpstreamConnectDeadline,
    UpstreamClosed,
    UpstreamMalformed(HeadFault),
    /// More 1xx responses than an exchange may have.
    UpstreamInterim,
    UpstreamBodyMalformed(ChunkFault),
    /// The SCEF's answer leads to neither the gateway nor the SCEF.
    LinkLeadsPast,
    UpstreamDeadline,
    ExchangeDeadline,
    /// An identity of a subscriber was to leave, of this form.
    IdentityInAnswer(&'static str),
    /// An answer, or what is left of it, cannot be looked through.
    AnswerUnguarded(&'static str),
    /// A client sends an identity that it must not know, of this form.
    IdentityInRequest(&'static str),
    /// The decision could not be recorded.
    AuditUnwritable,
    /// Of the embedded issuer's token endpoint.
    Grant(GrantFault),
    /// Who asks what a token is worth does not authenticate.
    IntrospectionByForeign(GrantFault),
    /// Who asks what tokens are worth has asked about too many that are worth nothing.
    IntrospectionsExceeded,
    /// Too many failed authentications at the embedded issuer: to come again in so many seconds.
    GrantFailuresExceeded(u32),
    /// The client has had too many tokens verified in vain within this second.
    TokenFailuresExceeded,
    /// The queue of the signers is full.
    IssuerBusy,
    /// The issuer's key did not sign in time.
    IssuerDeadline,
    /// The issuer's key did not sign.
    IssuerFailed,
    /// It holds in itself, and something of it is revoked.
    TokenRevoked(Kind),
    /// The issuer's key is revoked, and nothing is signed with it.
    IssuerKeyRevoked,
    /// The client's tokens are revoked for so many seconds to come: one that is issued now would be
    /// refused.
    ClientTokensRevoked(u32),
    /// A client's token was not revoked, by this word of the desk for revocations.
    RevocationUndone(&'static str),
}

impl From<Exceeded> for Denial {
    fn from(exceeded: Exceeded) -> Self {
        match exceeded.bound {
            Bound::Rate => Self::RateExceeded(exceeded.retry_after_s),
            Bound::Quota => Self::AllowanceUsedUp(exceeded.retry_after_s),
        }
    }
}

/// One row of the table.
#[derive(Debug)]
pub struct Row {
    /// In metrics and logs.
    pub word: &'static str,
    pub status: u16,
    pub title: &'static str,
    /// The RFC 6750 error code of `WWW-Authenticate`, where the row has one.
    pub oauth_error: Option<&'static str>,
    /// `ProblemDetails.cause`. None of them is one that TS 29.122 gives another meaning.
    pub cause: &'static str,
    /// What the client reads.
    pub detail: &'static str,
    /// Whether the connection ends with the answer.
    pub closes: bool,
    /// Whether it is said as the token endpoint says it (RFC 6749 section 5.2), without a cause.
    pub token_endpoint: bool,
    /// What the operator should look at.
    pub cure: &'static str,
}

impl Denial {
    /// The row this refusal belongs to.
    pub fn row(self) -> &'static Row {
        &ROWS[self.place()]
    }

    /// Place of the row in [`ROWS`], which is also the place of its counter.
    pub fn place(self) -> usize {
        match self {
            Self::Head(HeadFault::Path(_)) => 6,
            Self::Head(fault) => match fault.status() {
                414 => 1,
                417 => 2,
                431 => 3,
                505 => 4,
                _ => 0,
            },
            Self::HeadDeadline => 5,
            Self::Body(_) => 7,
            Self::BodyTooLarge => 8,
            Self::BodyDeadline => 9,
            Self::ApiUnknown => 10,
            Self::MethodNotAllowed(_) => 11,
            Self::ScsAsIdForeign => 12,
            Self::TokenMissing => 13,
            Self::TokenRepeated => 14,
            Self::TokenInQuery => 15,
            Self::AuthorizationMalformed => 16,
            Self::TokenInvalid(_) => 17,
            Self::TokenOfOtherCertificate => 18,
            Self::TokenOfOtherClient => 19,
            Self::CertificateExpired => 20,
            Self::ScopeInsufficient(..) => 21,
            Self::UpstreamRefused => 22,
            Self::UpstreamConnectDeadline => 23,
            Self::UpstreamClosed => 24,
            Self::UpstreamMalformed(_) | Self::UpstreamBodyMalformed(_) | Self::UpstreamInterim => {
                25
            }
            Self::UpstreamDeadline => 26,
            Self::ExchangeDeadline => 27,
            Self::DescriptorsExhausted => 28,
            Self::AuditUnwritable => 29,
            Self::Grant(GrantFault::AuthorizationRefused(_)) => 40,
            Self::Grant(GrantFault::FormCoded) => 52,
            Self::GrantFailuresExceeded(_) => 42,
            Self::IntrospectionByForeign(_) => 54,
            Self::IntrospectionsExceeded => 55,
            Self::IdentityInAnswer(_) => 65,
            Self::AnswerUnguarded(_) => 66,
            Self::IdentityInRequest(_) => 67,
            Self::Grant(GrantFault::TokenNotYetValid | GrantFault::TokenKeyUnknown)
            | Self::RevocationUndone(_) => 50,
            Self::Grant(fault) => match fault.error() {
                "invalid_grant" => 49,
                "invalid_authorization_details" => 45,
                "temporarily_unavailable" => 41,
                "invalid_client" => 31,
                "unauthorized_client" => 32,
                "unsupported_grant_type" => 33,
                "invalid_scope" => 34,
                _ => 30,
            },
            Self::IssuerBusy => 35,
            Self::IssuerDeadline => 36,
            Self::IssuerFailed => 37,
            Self::ClientDisabled => 38,
            Self::IssuerKeysUnknown => 39,
            Self::TokenRevoked(_) => 43,
            Self::IssuerKeyRevoked => 44,
            Self::TokenUnasked => 46,
            Self::IntrospectionDeadline => 47,
            Self::TokenFailuresExceeded => 48,
            Self::ClientTokensRevoked(_) => 51,
            Self::CertificateDistrusted => 53,
            Self::NotAcceptable => 56,
            Self::MediaTypeUnsupported(..) => 57,
            Self::LengthMissing => 58,
            Self::BodyMissing => 59,
            Self::NotGranted(denied) => match denied.by {
                Source::Policy => 60,
                Source::Token => 61,
            },
            Self::ContentMalformed(_) => 62,
            Self::ResourceUnknown => 63,
            Self::ResourceUnseen(_) => 64,
            Self::LinkLeadsPast => 68,
            Self::SourceAddressForeign => 69,
            Self::RateExceeded(_) => 70,
            Self::AllowanceUsedUp(_) => 71,
            Self::ContentCoded => 72,
            Self::BodiesExhausted => 73,
        }
    }

    /// What it was in particular, for the log; empty where the row says it all.
    pub fn particular(self) -> &'static str {
        match self {
            Self::Head(fault) | Self::UpstreamMalformed(fault) => fault.word(),
            Self::Body(fault) | Self::UpstreamBodyMalformed(fault) => fault.word(),
            Self::TokenInvalid(fault) => fault.word(),
            Self::UpstreamInterim => "too_many_interim_responses",
            Self::ScopeInsufficient(api, _) => api.name(),
            Self::MediaTypeUnsupported(_, wanted) => wanted.name(),
            Self::Grant(fault) | Self::IntrospectionByForeign(fault) => fault.word(),
            Self::TokenRevoked(by) => by.word(),
            Self::NotGranted(denied) => denied.what.word(),
            Self::RevocationUndone(why)
            | Self::ContentMalformed(why)
            | Self::ResourceUnseen(why)
            | Self::AnswerUnguarded(why)
            | Self::IdentityInAnswer(why)
            | Self::IdentityInRequest(why) => why,
            _ => "",
        }
    }
}

impl Row {
    /// What the operator should look at: for what it was in particular, where that says more.
    pub fn cure_of(&self, particular: &str) -> &'static str {
        match particular {
            "token_expired" => {
                "the client must fetch a new token; if this one should still be good, compare the \
                 clocks of its issuer and of this machine"
            }
            "token_lives_too_long" => {
                "have the issuer make tokens that live shorter, or set token_lifetime_max of its \
                 [[issuer]] to what they live: revocations go by that"
            }
            "token_not_yet_valid" => "compare the clocks of the token's issuer and of this machine",
            "grant_client_disabled" => {
                "an operator has set enabled = false for the client: `t8gate client enable` takes \
                 that back"
            }
            "token_not_bound" => {
                "the issuer must bind its tokens to the client's certificate (RFC 8705 section 3); \
                 where it cannot, set unbound_tokens = true in the [[client]]"
            }
            "token_inactive" => {
                "the issuer says that the token is not active: expired, revoked, or none of its own"
            }
            "grant_introspection_unregistered" => {
                "set introspects = true in the [[client]] if it may ask what tokens are worth"
            }
            "grant_token_missing" => {
                "the client must send the token that it means, as token in the form"
            }
            "grant_token_key_unknown" => {
                "the token names a key or a secret that this node does not have: give all nodes \
                 the same, and keep the old one as long as tokens live; of another issuer, see \
                 the log for why its keys are not had"
            }
            "unasked" => {
                "the issuer of the opaque token has not said whose it is: see the log for why it \
                 does not answer at introspection.url"
            }
            "in_vain" => {
                "the client sends one bad token after another to be revoked: it is answered again \
                 in the next second"
            }
            "no_store" => "set revocation.store: without it no client can revoke its token",
            _ => self.cure,
        }
    }
}

const _: () = assert!(ROWS.len() <= REFUSAL_ROWS_MAX);

#[cfg(test)]
mod readme;
#[cfg(test)]
mod tests;
