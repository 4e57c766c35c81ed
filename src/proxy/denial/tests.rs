use std::collections::HashSet;

use super::*;
use crate::authz::policy::NotGranted;
use crate::oauth::Scheme;

#[test]
fn every_row_has_its_own_word_and_cause_and_tells_the_operator_what_to_do() {
    let words: HashSet<_> = ROWS.iter().map(|row| row.word).collect();
    let causes: HashSet<_> = ROWS.iter().map(|row| row.cause).collect();
    assert_eq!(words.len(), ROWS.len());
    let tokens = ROWS.iter().filter(|row| row.token_endpoint).count();
    assert_eq!(
        causes.len(),
        ROWS.len() - tokens + 1,
        "those of tokens have none"
    );
    for row in &ROWS {
        if row.token_endpoint {
            assert!(row.cause.is_empty(), "not said at the token endpoint");
        } else {
            assert_eq!(row.cause.to_lowercase(), row.word, "one word, one meaning");
        }
        assert!(
            !row.detail.is_empty() && !row.cure.is_empty(),
            "{}",
            row.word
        );
    }
}

#[test]
fn every_denial_finds_its_own_row() {
    use crate::authz::apis::{self, ApiFault};
    use crate::http::head::Malformed;
    use crate::http::path::PathFault;

    let api = apis::ApiId::from_name("3gpp-nidd").expect("an API of T8");
    let Err(ApiFault::VerbNotAllowed { allowed }) =
        apis::operation("/3gpp-nidd/v1/a/configurations", None, |text| text.into())
    else {
        panic!("a resource of T8 with a verb it does not have");
    };
    let rows = [
        (
            Denial::Head(Malformed::HostMissing.into()),
            "head_malformed",
        ),
        (Denial::Head(HeadFault::TargetTooLong), "target_too_long"),
        (
            Denial::Head(HeadFault::ExpectationUnknown),
            "expectation_unknown",
        ),
        (Denial::Head(HeadFault::FieldsTooLarge), "fields_too_large"),
        (
            Denial::Head(HeadFault::VersionUnsupported),
            "version_unsupported",
        ),
        (Denial::HeadDeadline, "head_deadline"),
        (
            Denial::Head(HeadFault::Path(PathFault::Backslash)),
            "path_malformed",
        ),
        (Denial::Body(ChunkFault::LineEnding), "body_malformed"),
        (Denial::BodyTooLarge, "body_too_large"),
        (Denial::BodyDeadline, "body_deadline"),
        (Denial::ApiUnknown, "api_unknown"),
        (Denial::MethodNotAllowed(allowed), "method_not_allowed"),
        (Denial::NotAcceptable, "not_acceptable"),
        (
            Denial::MediaTypeUnsupported(apis::Verb::Post, apis::MediaType::Json),
            "media_type_unsupported",
        ),
        (Denial::LengthMissing, "length_missing"),
        (Denial::BodyMissing, "body_missing"),
        (Denial::ScsAsIdForeign, "scs_as_id_foreign"),
        (Denial::TokenMissing, "token_missing"),
        (Denial::TokenRepeated, "token_repeated"),
        (Denial::TokenInQuery, "token_in_query"),
        (Denial::AuthorizationMalformed, "authorization_malformed"),
        (Denial::TokenInvalid(TokenFault::Expired), "token_invalid"),
        (
            Denial::TokenOfOtherCertificate,
            "token_of_other_certificate",
        ),
        (Denial::TokenOfOtherClient, "token_of_other_client"),
        (Denial::ClientDisabled, "client_disabled"),
        (Denial::SourceAddressForeign, "source_address_foreign"),
        (Denial::RateExceeded(1), "rate_exceeded"),
        (Denial::AllowanceUsedUp(1), "allowance_used_up"),
        (Denial::TokenUnasked, "introspection_unavailable"),
        (Denial::IntrospectionDeadline, "introspection_deadline"),
        (Denial::CertificateExpired, "certificate_expired"),
        (Denial::CertificateDistrusted, "certificate_distrusted"),
        (
            Denial::ScopeInsufficient(api, Verb::Get),
            "scope_insufficient",
        ),
        (
            Denial::NotGranted(Denied {
                what: NotGranted::Ue,
                by: Source::Policy,
            }),
            "not_granted",
        ),
        (
            Denial::NotGranted(Denied {
                what: NotGranted::Ue,
                by: Source::Token,
            }),
            "token_limited",
        ),
        (Denial::ContentMalformed("json_nul"), "content_malformed"),
        (Denial::ResourceUnknown, "resource_unknown"),
        (Denial::ContentCoded, "content_coded"),
        (Denial::BodiesExhausted, "bodies_exhausted"),
        (Denial::ResourceUnseen("status"), "resource_unseen"),
        (Denial::UpstreamRefused, "upstream_refused"),
        (Denial::UpstreamConnectDeadline, "upstream_connect_deadline"),
        (Denial::UpstreamClosed, "upstream_closed"),
        (
            Denial::UpstreamMalformed(HeadFault::FieldsTooLarge),
            "upstream_malformed",
        ),
        (Denial::LinkLeadsPast, "link_leads_past"),
        (Denial::UpstreamDeadline, "upstream_deadline"),
        (Denial::ExchangeDeadline, "exchange_deadline"),
        (Denial::DescriptorsExhausted, "descriptors_exhausted"),
        (Denial::AuditUnwritable, "audit_unwritable"),
    ];
    let grants = [
        (
            Denial::Grant(GrantFault::ParameterRepeated),
            "grant_malformed",
        ),
        (
            Denial::Grant(GrantFault::ClientIdForeign),
            "grant_client_foreign",
        ),
        (
            Denial::Grant(GrantFault::ClientUnregistered),
            "grant_client_unregistered",
        ),
        (
            Denial::Grant(GrantFault::GrantTypeUnsupported),
            "grant_type_unsupported",
        ),
        (
            Denial::Grant(GrantFault::ScopeUnregistered),
            "grant_scope_refused",
        ),
        (
            Denial::Grant(GrantFault::AuthorizationRefused(Scheme::Basic)),
            "grant_authorization_refused",
        ),
        (Denial::Grant(GrantFault::FormCoded), "grant_form_coded"),
        (
            Denial::Grant(GrantFault::AssertionsExhausted(1)),
            "grant_assertions_exhausted",
        ),
        (Denial::GrantFailuresExceeded(1), "grant_failures_exceeded"),
        (
            Denial::IntrospectionByForeign(GrantFault::ClientIdForeign),
            "introspection_client_foreign",
        ),
        (
            Denial::Grant(GrantFault::DetailsRefused),
            "grant_details_refused",
        ),
        (Denial::IssuerBusy, "issuer_busy"),
        (Denial::IssuerDeadline, "issuer_deadline"),
        (Denial::IssuerFailed, "issuer_failed"),
        (Denial::IssuerKeysUnknown, "issuer_keys_unknown"),
        (Denial::TokenFailuresExceeded, "token_failures_exceeded"),
        (Denial::TokenRevoked(Kind::Client), "token_revoked"),
        (Denial::IssuerKeyRevoked, "issuer_key_revoked"),
        (
            Denial::Grant(GrantFault::TokenForeign),
            "grant_token_foreign",
        ),
        (Denial::RevocationUndone("busy"), "revocation_unavailable"),
        (Denial::ClientTokensRevoked(1), "client_tokens_revoked"),
        (Denial::IntrospectionsExceeded, "introspections_exceeded"),
        (Denial::IdentityInAnswer("imsi"), "identity_in_answer"),
        (
            Denial::AnswerUnguarded("content_coding"),
            "answer_unguarded",
        ),
        (Denial::IdentityInRequest("imsi"), "identity_in_request"),
    ];
    assert_eq!(
        rows.len() + grants.len(),
        ROWS.len(),
        "each row is somebody's"
    );
    let rows = rows.into_iter().chain(grants);
    for (denial, word) in rows {
        assert_eq!(denial.row().word, word);
    }
    assert_eq!(Denial::UpstreamInterim.row().word, "upstream_malformed");
    let disabled = Denial::Grant(GrantFault::ClientDisabled);
    assert_eq!(disabled.row().word, "grant_client_unregistered");
    let cure = disabled.row().cure_of(disabled.particular());
    assert_eq!(cure, Denial::ClientDisabled.row().cure);
    let broken = Denial::UpstreamBodyMalformed(ChunkFault::LineEnding);
    assert_eq!(broken.row().word, "upstream_malformed");
}

#[test]
fn a_head_that_is_refused_is_answered_with_the_status_it_names() {
    for fault in [
        HeadFault::TargetTooLong,
        HeadFault::ExpectationUnknown,
        HeadFault::FieldsTooLarge,
        HeadFault::VersionUnsupported,
    ] {
        assert_eq!(Denial::Head(fault).row().status, fault.status());
    }
}

//= RFC 6749 section 5.2 type=test
//# Each fault of a request for a token is answered 400 with the error code defined for it.
#[test]
fn faults_of_a_grant_are_answered_by_their_error_code() {
    for fault in GrantFault::all() {
        let row = Denial::Grant(fault).row();
        let status = match fault {
            GrantFault::AuthorizationRefused(_) => 401,
            GrantFault::FormCoded => 415,
            GrantFault::AssertionsExhausted(_)
            | GrantFault::TokenNotYetValid
            | GrantFault::TokenKeyUnknown => 503,
            _ => 400,
        };
        assert_eq!((row.status, row.oauth_error), (status, Some(fault.error())));
    }
}

#[test]
fn oauth_errors_go_with_the_statuses_of_rfc_6750() {
    for row in ROWS.iter().filter(|row| !row.token_endpoint) {
        let status = match row.oauth_error {
            Some("invalid_request") => 400,
            Some("invalid_token") => 401,
            Some("insufficient_scope") => 403,
            Some(other) => panic!("{other} is no error of RFC 6750"),
            None => row.status,
        };
        assert_eq!(row.status, status, "{}", row.word);
    }
}
