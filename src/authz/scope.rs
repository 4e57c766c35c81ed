//! The `scope` claim: which APIs a token gives.
//!
//! TS 29.122 defines no scope values, so they are ours: a value is an API's name in its URIs,
//! `3gpp-monitoring-event`, and gives all operations of that API. A value with a suffix
//! (`:read`, `:write`) is not known in this version, and what is not known gives nothing.

use super::apis::{ApiId, ApiSet};
use super::token::{Claim, TokenFault};

/// Reads a scope claim. Values that name no API are ignored: they are for other resources.
//= RFC 6749 section 3.3
//# Scope values are separated by one space and made of visible characters without " and \.
pub fn apis(scope: &str) -> Result<ApiSet, TokenFault> {
    let mut apis = ApiSet::EMPTY;
    for value in scope.split(' ') {
        // An empty value is a doubled, leading or trailing space, or an empty claim.
        if value.is_empty() || !value.bytes().all(allowed) {
            return Err(TokenFault::ClaimMalformed(Claim::Scope));
        }
        if let Some(api) = ApiId::from_name(value) {
            apis.insert(api);
        }
    }
    Ok(apis)
}

fn allowed(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MALFORMED: Result<ApiSet, TokenFault> = Err(TokenFault::ClaimMalformed(Claim::Scope));

    fn names(scope: &str) -> Vec<&'static str> {
        apis(scope).unwrap().iter().map(ApiId::name).collect()
    }

    //= RFC 6749 section 3.3 type=test
    //# Values are space-separated, their order has no meaning.
    #[test]
    fn scope_values_name_apis_in_any_order() {
        let both = ["3gpp-monitoring-event", "3gpp-nidd"];
        assert_eq!(names("3gpp-monitoring-event 3gpp-nidd"), both);
        assert_eq!(names("3gpp-nidd 3gpp-monitoring-event"), both);
        assert_eq!(names("3gpp-nidd 3gpp-nidd"), ["3gpp-nidd"]);
    }

    #[test]
    fn every_api_has_a_scope_value() {
        for api in ApiId::all() {
            assert_eq!(names(api.name()), [api.name()]);
        }
    }

    #[test]
    fn unknown_scope_values_give_nothing() {
        for scope in [
            "openid",
            "3gpp",
            "3gpp-msisdn-less-mo-sms",
            "3gpp-nidd/v1",
            "*",
        ] {
            assert_eq!(apis(scope), Ok(ApiSet::EMPTY), "{scope}");
        }
        assert_eq!(names("openid 3gpp-nidd profile"), ["3gpp-nidd"]);
    }

    #[test]
    fn scope_values_with_a_suffix_give_nothing() {
        for scope in ["3gpp-nidd:read", "3gpp-nidd:write", "3gpp-nidd:"] {
            assert_eq!(apis(scope), Ok(ApiSet::EMPTY), "{scope}");
        }
    }

    //= RFC 6749 section 3.3 type=test
    //# Scope values are case-sensitive.
    #[test]
    fn scope_values_are_case_sensitive() {
        assert_eq!(apis("3GPP-NIDD"), Ok(ApiSet::EMPTY));
    }

    #[test]
    fn malformed_scopes_are_refused() {
        let malformed = [
            "", " ", "a  b", " a", "a ", "a\tb", "a\nb", "a\"b", "a\\b", "a\u{e9}", "a\u{7f}",
        ];
        for scope in malformed {
            assert_eq!(apis(scope), MALFORMED, "{scope:?}");
        }
    }
}
