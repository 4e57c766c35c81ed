//! Why the issuer does not do what it is asked for, as RFC 6749 section 5.2 tells it.

use crate::authz::assertion::AssertionFault;
use crate::authz::details::DetailsFault;

/// Why no token is granted. None of them holds a byte of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GrantFault {
    /// Longer than [`FORM_BYTES_MAX`](crate::limits::FORM_BYTES_MAX), or of too many parameters.
    FormTooLong,
    /// Not `application/x-www-form-urlencoded`, or not in UTF-8.
    FormMalformed,
    /// In a content coding, compressed for one.
    FormCoded,
    ParameterRepeated,
    /// A secret beside the certificate, or two other ways at once.
    SecondAuthentication,
    /// The client authenticates in an `Authorization` field.
    AuthorizationRefused(Scheme),
    GrantTypeMissing,
    GrantTypeUnsupported,
    ClientIdMissing,
    /// The certificate is another client's.
    ClientIdForeign,
    /// The client is not registered with this issuer.
    ClientUnregistered,
    /// The client is registered, and an operator has disabled it.
    ClientDisabled,
    /// The certificate is the client's, and not the one that is registered or without the name that
    /// is.
    CertificateUnfit,
    /// `client_assertion` and `client_assertion_type` without one another, or of another type.
    AssertionIncomplete,
    /// The client is registered for assertions and sends none.
    AssertionMissing,
    /// The client is registered for another way to authenticate and sends an assertion.
    AssertionUnregistered,
    Assertion(AssertionFault),
    AssertionReplayed,
    /// The client has used more of them than can be told apart: there is room for one in so many
    /// seconds.
    AssertionsExhausted(u32),
    /// The path to fetch CAPIF's tokens at is another client's.
    SecurityIdForeign,
    /// A resource owner is named, of whom nothing is known here.
    ResourceOwnerUnsupported,
    ScopeMalformed,
    /// A value of the scope is not among those the client is registered for.
    ScopeUnregistered,
    Details(DetailsFault),
    /// None of what the details ask for is held by the client.
    DetailsRefused,
    /// More objects than [`OBJECTS_MAX`](crate::authz::details::OBJECTS_MAX) would be granted, or
    /// more octets than [`DETAILS_BYTES_MAX`](crate::limits::DETAILS_BYTES_MAX).
    DetailsTooLong,
    /// Of the endpoints that a token is sent to.
    TokenMissing,
    /// The client is not registered as one that introspects.
    IntrospectionUnregistered,
    /// The token to be revoked is another client's.
    TokenForeign,
    /// The token to be revoked is of a clock that is ahead of this one.
    TokenNotYetValid,
    /// The token to be revoked says that it is of this issuer, by a key or secret that is not known
    /// here.
    TokenKeyUnknown,
}

/// The scheme of an `Authorization` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    Bearer,
    /// Basic, or one that is not known here.
    Basic,
}

impl Scheme {
    /// Of a field's value.
    pub fn of(value: &[u8]) -> Self {
        let word = value.split(|byte| *byte == b' ').next().unwrap_or_default();
        match word.eq_ignore_ascii_case(b"bearer") {
            true => Self::Bearer,
            false => Self::Basic,
        }
    }

    /// As a challenge names it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Basic => "Basic",
        }
    }
}

impl GrantFault {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        let plain = [
            Self::FormTooLong,
            Self::FormMalformed,
            Self::FormCoded,
            Self::ParameterRepeated,
            Self::SecondAuthentication,
            Self::AuthorizationRefused(Scheme::Basic),
            Self::AuthorizationRefused(Scheme::Bearer),
            Self::GrantTypeMissing,
            Self::GrantTypeUnsupported,
            Self::ClientIdMissing,
            Self::ClientIdForeign,
            Self::ClientUnregistered,
            Self::ClientDisabled,
            Self::CertificateUnfit,
            Self::AssertionIncomplete,
            Self::AssertionMissing,
            Self::AssertionUnregistered,
            Self::AssertionReplayed,
            Self::AssertionsExhausted(1),
            Self::SecurityIdForeign,
            Self::ResourceOwnerUnsupported,
            Self::ScopeMalformed,
            Self::ScopeUnregistered,
            Self::Details(DetailsFault::Malformed),
            Self::Details(DetailsFault::TypeUnknown),
            Self::Details(DetailsFault::FieldUnknown),
            Self::Details(DetailsFault::FieldMalformed),
            Self::DetailsRefused,
            Self::DetailsTooLong,
            Self::TokenMissing,
            Self::IntrospectionUnregistered,
            Self::TokenForeign,
            Self::TokenNotYetValid,
            Self::TokenKeyUnknown,
        ];
        let assertions = AssertionFault::ALL.map(Self::Assertion);
        plain.into_iter().chain(assertions)
    }

    /// The `error` of the response.
    //= RFC 6749 section 5.2
    //# Each refusal has one of the error codes that are defined for it.
    pub fn error(self) -> &'static str {
        match self {
            Self::FormTooLong
            | Self::FormMalformed
            | Self::FormCoded
            | Self::ParameterRepeated
            | Self::SecondAuthentication
            | Self::AssertionIncomplete
            | Self::GrantTypeMissing
            | Self::TokenMissing
            | Self::ResourceOwnerUnsupported
            | Self::ClientIdMissing => "invalid_request",
            Self::GrantTypeUnsupported => "unsupported_grant_type",
            Self::ClientIdForeign
            | Self::SecurityIdForeign
            | Self::CertificateUnfit
            | Self::AuthorizationRefused(_)
            | Self::AssertionMissing
            | Self::AssertionUnregistered
            | Self::Assertion(_)
            | Self::AssertionReplayed => "invalid_client",
            Self::AssertionsExhausted(_) | Self::TokenNotYetValid | Self::TokenKeyUnknown => {
                "temporarily_unavailable"
            }
            //= RFC 6749 section 5.2
            //# What was issued to another client has the code of a grant that is not valid.
            Self::TokenForeign => "invalid_grant",
            Self::ClientUnregistered | Self::ClientDisabled | Self::IntrospectionUnregistered => {
                "unauthorized_client"
            }
            //= RFC 9396 section 5
            //# What is asked for in vain by details has an error code of its own.
            Self::Details(_) | Self::DetailsRefused | Self::DetailsTooLong => {
                "invalid_authorization_details"
            }
            Self::ScopeMalformed | Self::ScopeUnregistered => "invalid_scope",
        }
    }

    /// The `error_description` of the response: fixed text of the characters RFC 6749 allows.
    pub fn description(self) -> &'static str {
        match self {
            Self::FormTooLong => "the form is too long or has too many parameters",
            Self::FormMalformed => "the body is not application/x-www-form-urlencoded in UTF-8",
            Self::FormCoded => "the form is in a content coding: send it as it is",
            Self::ParameterRepeated => "a parameter is sent more than once",
            Self::SecondAuthentication => {
                "send no secret, and nothing beside the one way the client is registered for"
            }
            Self::AuthorizationRefused(_) => {
                "clients authenticate by certificate or assertion, not in an Authorization field"
            }
            Self::GrantTypeMissing => "grant_type is missing",
            Self::GrantTypeUnsupported => "only grant_type=client_credentials is supported",
            Self::ClientIdMissing => "client_id is missing",
            Self::ClientIdForeign => "the certificate does not belong to this client_id",
            Self::ClientUnregistered => "the client is not registered for tokens of this issuer",
            Self::ClientDisabled => "the client is disabled",
            Self::CertificateUnfit => {
                "the certificate is not the one registered, or lacks the registered name"
            }
            Self::AssertionIncomplete => {
                "client_assertion and client_assertion_type go together, and the type is \
                 urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            }
            Self::AssertionMissing => "the client is registered for private_key_jwt",
            Self::AssertionUnregistered => "the client is not registered for private_key_jwt",
            Self::Assertion(fault) => match fault {
                AssertionFault::Malformed => "the assertion is no signed JWT that can be relied on",
                AssertionFault::KeyUnknown => "no registered key fits kid and alg of the assertion",
                AssertionFault::SignatureBad => "the signature of the assertion does not hold",
                AssertionFault::NotTheClient => "iss and sub of the assertion must be client_id",
                AssertionFault::Audience => "aud of the assertion must be the issuer",
                AssertionFault::Expired => "the assertion has expired",
                AssertionFault::NotYetValid => "the assertion is not valid yet",
                AssertionFault::LivesTooLong => "exp must be there and 5 minutes away at most",
                AssertionFault::JtiMissing => "the assertion has no jti",
            },
            Self::AssertionReplayed => "the assertion was used before",
            Self::AssertionsExhausted(_) => "too many assertions of late; come again",
            Self::SecurityIdForeign => "the path is not that of this client_id",
            Self::ResourceOwnerUnsupported => {
                "tokens of resource owners (resOwnerId, authCode) are not issued here"
            }
            Self::ScopeMalformed => "scope is not a list of values with one space between",
            Self::ScopeUnregistered => "a scope value is not registered for the client",
            Self::Details(fault) => match fault {
                DetailsFault::Malformed => "authorization_details is no array of typed objects",
                DetailsFault::TypeUnknown => "the only type of authorization_details is t8_access",
                DetailsFault::FieldUnknown => {
                    "a field or value of authorization_details is unknown"
                }
                DetailsFault::FieldMalformed => {
                    "a field of authorization_details is malformed, or apis is missing"
                }
            },
            Self::DetailsRefused => "the client may have nothing of the authorization_details",
            Self::DetailsTooLong => {
                "authorization_details are more than a token carries: 32 objects and 4096 octets"
            }
            Self::TokenMissing => "token is missing",
            Self::IntrospectionUnregistered => "the client may not introspect tokens",
            Self::TokenForeign => "the token was issued to another client",
            Self::TokenNotYetValid => "the token is not valid yet; come again",
            Self::TokenKeyUnknown => "the key of the token is not known now; come again",
        }
    }

    /// The word for logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::FormTooLong => "grant_form_too_long",
            Self::FormMalformed => "grant_form_malformed",
            Self::FormCoded => "grant_form_coded",
            Self::ParameterRepeated => "grant_parameter_repeated",
            Self::SecondAuthentication => "grant_second_authentication",
            Self::AuthorizationRefused(Scheme::Basic) => "grant_authorization_basic",
            Self::AuthorizationRefused(Scheme::Bearer) => "grant_authorization_bearer",
            Self::GrantTypeMissing => "grant_type_missing",
            Self::GrantTypeUnsupported => "grant_type_unsupported",
            Self::ClientIdMissing => "grant_client_id_missing",
            Self::ClientIdForeign => "grant_client_id_foreign",
            Self::ClientUnregistered => "grant_client_unregistered",
            Self::ClientDisabled => "grant_client_disabled",
            Self::CertificateUnfit => "grant_certificate_unfit",
            Self::AssertionIncomplete => "grant_assertion_incomplete",
            Self::AssertionMissing => "grant_assertion_missing",
            Self::AssertionUnregistered => "grant_assertion_unregistered",
            Self::Assertion(fault) => match fault {
                AssertionFault::Malformed => "grant_assertion_malformed",
                AssertionFault::KeyUnknown => "grant_assertion_key_unknown",
                AssertionFault::SignatureBad => "grant_assertion_signature_bad",
                AssertionFault::NotTheClient => "grant_assertion_not_the_client",
                AssertionFault::Audience => "grant_assertion_audience",
                AssertionFault::Expired => "grant_assertion_expired",
                AssertionFault::NotYetValid => "grant_assertion_not_yet_valid",
                AssertionFault::LivesTooLong => "grant_assertion_lives_too_long",
                AssertionFault::JtiMissing => "grant_assertion_jti_missing",
            },
            Self::AssertionReplayed => "grant_assertion_replayed",
            Self::AssertionsExhausted(_) => "grant_assertions_exhausted",
            Self::SecurityIdForeign => "grant_security_id_foreign",
            Self::ResourceOwnerUnsupported => "grant_resource_owner",
            Self::ScopeMalformed => "grant_scope_malformed",
            Self::ScopeUnregistered => "grant_scope_unregistered",
            Self::Details(fault) => match fault {
                DetailsFault::Malformed => "grant_details_malformed",
                DetailsFault::TypeUnknown => "grant_details_type_unknown",
                DetailsFault::FieldUnknown => "grant_details_field_unknown",
                DetailsFault::FieldMalformed => "grant_details_field_malformed",
            },
            Self::DetailsRefused => "grant_details_refused",
            Self::DetailsTooLong => "grant_details_too_long",
            Self::TokenMissing => "grant_token_missing",
            Self::IntrospectionUnregistered => "grant_introspection_unregistered",
            Self::TokenForeign => "grant_token_foreign",
            Self::TokenNotYetValid => "grant_token_not_yet_valid",
            Self::TokenKeyUnknown => "grant_token_key_unknown",
        }
    }
}
