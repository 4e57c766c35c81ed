//! The `scope` claim: what a token gives of which APIs.
//!
//! TS 29.122 defines no scope values, so they are ours: a value is an API's name in its URIs,
//! `3gpp-monitoring-event`, and gives all operations of that API; with `:read` behind it those that
//! change nothing, with `:write` the others. What is not known gives nothing.

use std::borrow::Cow;

use super::apis::{ApiId, ApiSet, Verb};
use super::token::{Claim, TokenFault};

/// What may be done with which APIs; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// APIs of which resources may be read.
    pub read: ApiSet,
    /// APIs of which resources may be made, changed and deleted.
    pub write: ApiSet,
}

const READ: &str = ":read";
const WRITE: &str = ":write";

impl Rights {
    /// Nothing with any API.
    pub const NONE: Self = Self {
        read: ApiSet::EMPTY,
        write: ApiSet::EMPTY,
    };

    /// What a scope value gives; none where it is not one of T8.
    pub fn of_value(value: &str) -> Option<Self> {
        let (name, read, write) = match value.strip_suffix(READ) {
            Some(name) => (name, true, false),
            None => match value.strip_suffix(WRITE) {
                Some(name) => (name, false, true),
                None => (value, true, true),
            },
        };
        let mut api = ApiSet::EMPTY;
        api.insert(ApiId::from_name(name)?);
        let where_given = |given| if given { api } else { ApiSet::EMPTY };
        Some(Self {
            read: where_given(read),
            write: where_given(write),
        })
    }

    /// Whether they allow an operation of an API.
    pub fn allow(self, api: ApiId, verb: Verb) -> bool {
        match verb {
            Verb::Get => self.read.contains(api),
            Verb::Post | Verb::Put | Verb::Patch | Verb::Delete => self.write.contains(api),
        }
    }

    /// Whether nothing is allowed.
    pub fn is_empty(self) -> bool {
        self.read.is_empty() && self.write.is_empty()
    }

    /// Whether all of these are among them.
    pub fn contain(self, others: Self) -> bool {
        self.read.contains_all(others.read) && self.write.contains_all(others.write)
    }

    /// The APIs with which something is allowed.
    pub fn apis(self) -> ApiSet {
        self.read.union(self.write)
    }

    /// These and the others.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        Self {
            read: self.read.union(others.read),
            write: self.write.union(others.write),
        }
    }

    /// These, but nothing with any of these APIs.
    #[must_use]
    pub fn without(self, apis: ApiSet) -> Self {
        Self {
            read: self.read.without(apis),
            write: self.write.without(apis),
        }
    }

    /// Only what is among the others as well.
    #[must_use]
    pub fn within(self, others: Self) -> Self {
        Self {
            read: self.read.intersection(others.read),
            write: self.write.intersection(others.write),
        }
    }

    /// Only those of APIs with which everything is allowed.
    #[must_use]
    pub fn whole(self) -> Self {
        let both = self.read.intersection(self.write);
        Self {
            read: both,
            write: both,
        }
    }

    /// As scope values, one for each API, in the order of their table; then of configured ones.
    pub fn values(self) -> impl Iterator<Item = Cow<'static, str>> {
        self.apis().iter().filter_map(move |api| {
            let name = api.name();
            match (self.read.contains(api), self.write.contains(api)) {
                (true, true) => Some(Cow::Borrowed(name)),
                (true, false) => Some(Cow::Owned(format!("{name}{READ}"))),
                (false, true) => Some(Cow::Owned(format!("{name}{WRITE}"))),
                (false, false) => None,
            }
        })
    }
}

/// The scope values of an API: of all of it, and of its halves.
pub fn values_of(api: ApiId) -> [String; 3] {
    let name = api.name();
    [
        name.to_owned(),
        format!("{name}{READ}"),
        format!("{name}{WRITE}"),
    ]
}

/// The least scope value that allows an operation.
pub fn needed(api: ApiId, verb: Verb) -> String {
    let suffix = match verb {
        Verb::Get => READ,
        Verb::Post | Verb::Put | Verb::Patch | Verb::Delete => WRITE,
    };
    format!("{}{suffix}", api.name())
}

/// Reads a scope claim. Values that name no API are ignored: they are for other resources.
//= RFC 6749 section 3.3
//# Scope values are separated by one space and made of visible characters without " and \.
pub fn rights(scope: &str) -> Result<Rights, TokenFault> {
    let mut rights = Rights::NONE;
    for value in scope.split(' ') {
        // An empty value is a doubled, leading or trailing space, or an empty claim.
        if value.is_empty() || !value.bytes().all(allowed) {
            return Err(TokenFault::ClaimMalformed(Claim::Scope));
        }
        rights = rights.and(Rights::of_value(value).unwrap_or_default());
    }
    Ok(rights)
}

/// What stands before the scope of CAPIF.
const CAPIF: &str = "3gpp#";

/// Reads a scope claim of CAPIF: which APIs at which AEFs. None where it says nothing of ours.
//= TS 29.222 clause 8.5.4.2.6
//# The scope is 3gpp# and, for each AEF, its identifier, a colon and the names of its APIs.
pub fn capif_rights(scope: &str, aef_id: &str) -> Result<Option<Rights>, TokenFault> {
    let malformed = TokenFault::ClaimMalformed(Claim::Scope);
    let mut ours = None;
    for value in scope.split(' ') {
        if value.is_empty() || !value.bytes().all(allowed) {
            return Err(malformed);
        }
        let Some(aefs) = value.strip_prefix(CAPIF) else {
            continue;
        };
        for aef in aefs.split(';') {
            let (id, apis) = aef.split_once(':').ok_or(malformed)?;
            if id.is_empty() || apis.split(',').any(str::is_empty) {
                return Err(malformed);
            }
            if id != aef_id {
                continue;
            }
            let mut rights = ours.unwrap_or(Rights::NONE);
            for name in apis.split(',') {
                // An API's name and nothing more: halves are no word of CAPIF.
                let known = ApiId::from_name(name).and_then(|_| Rights::of_value(name));
                rights = rights.and(known.unwrap_or_default());
            }
            ours = Some(rights);
        }
    }
    Ok(ours)
}

/// The scope of CAPIF that gives these rights at one AEF; they are of whole APIs.
//= TS 29.222 clause 8.5.4.2.6
//# The scope is 3gpp# and, for each AEF, its identifier, a colon and the names of its APIs.
pub fn capif_value(rights: Rights, aef_id: &str) -> String {
    let names: Vec<&str> = rights.read.iter().map(ApiId::name).collect();
    format!("{CAPIF}{aef_id}:{}", names.join(","))
}

fn allowed(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MALFORMED: Result<Rights, TokenFault> = Err(TokenFault::ClaimMalformed(Claim::Scope));

    fn values(scope: &str) -> Vec<Cow<'static, str>> {
        rights(scope).unwrap().values().collect()
    }

    //= RFC 6749 section 3.3 type=test
    //# Values are space-separated, their order has no meaning.
    #[test]
    fn scope_values_name_apis_in_any_order() {
        let both = ["3gpp-monitoring-event", "3gpp-nidd"];
        assert_eq!(values("3gpp-monitoring-event 3gpp-nidd"), both);
        assert_eq!(values("3gpp-nidd 3gpp-monitoring-event"), both);
        assert_eq!(values("3gpp-nidd 3gpp-nidd"), ["3gpp-nidd"]);
    }

    #[test]
    fn every_api_has_three_scope_values() {
        for api in ApiId::all() {
            let name = api.name();
            for scope in [
                name.to_owned(),
                format!("{name}:read"),
                format!("{name}:write"),
            ] {
                assert_eq!(values(&scope), [scope.as_str()]);
            }
        }
    }

    #[test]
    fn suffix_gives_one_half_of_an_api_and_both_halves_are_the_whole() {
        let api = ApiId::from_name("3gpp-nidd").unwrap();
        let allowed = |scope: &str| {
            let rights = rights(scope).unwrap();
            [Verb::Get, Verb::Post, Verb::Put, Verb::Patch, Verb::Delete]
                .map(|verb| rights.allow(api, verb))
        };
        assert_eq!(allowed("3gpp-nidd"), [true; 5]);
        assert_eq!(
            allowed("3gpp-nidd:read"),
            [true, false, false, false, false]
        );
        assert_eq!(allowed("3gpp-nidd:write"), [false, true, true, true, true]);
        assert_eq!(allowed("3gpp-bdt 3gpp-bdt:read"), [false; 5]);
        assert_eq!(
            values("3gpp-nidd:write 3gpp-bdt 3gpp-nidd:read"),
            ["3gpp-bdt", "3gpp-nidd"]
        );
    }

    #[test]
    fn what_is_needed_is_the_least_that_allows_it() {
        let api = ApiId::from_name("3gpp-nidd").unwrap();
        for verb in [Verb::Get, Verb::Post, Verb::Put, Verb::Patch, Verb::Delete] {
            let least = rights(&needed(api, verb)).unwrap();
            assert!(least.allow(api, verb));
            assert!(rights("3gpp-nidd").unwrap().contain(least));
            assert!(!least.contain(rights("3gpp-nidd").unwrap()));
        }
    }

    #[test]
    fn rights_contain_what_is_no_more_than_they_are() {
        let of = |scope| rights(scope).unwrap();
        let held = of("3gpp-nidd:read 3gpp-bdt");
        for less in [
            "3gpp-nidd:read",
            "3gpp-bdt:read",
            "3gpp-bdt:write 3gpp-nidd:read",
            "openid",
        ] {
            assert!(held.contain(of(less)), "{less}");
        }
        for more in [
            "3gpp-nidd",
            "3gpp-nidd:write",
            "3gpp-bdt 3gpp-chargeable-party:read",
        ] {
            assert!(!held.contain(of(more)), "{more}");
        }
        assert!(of("openid").is_empty());
        assert!(!of("3gpp-nidd:read").is_empty() && !of("3gpp-nidd:write").is_empty());
    }

    #[test]
    fn unknown_scope_values_give_nothing() {
        for scope in [
            "openid",
            "3gpp",
            "3gpp-msisdn-less-mo-sms",
            "3gpp-nidd/v1",
            "3gpp-nidd:",
            "3gpp-nidd:Read",
            "3gpp-nidd:read:write",
            "3gpp-nidd:delete",
            ":read",
            "*",
        ] {
            assert_eq!(rights(scope), Ok(Rights::NONE), "{scope}");
        }
        assert_eq!(values("openid 3gpp-nidd profile"), ["3gpp-nidd"]);
    }

    //= RFC 6749 section 3.3 type=test
    //# Scope values are case-sensitive.
    #[test]
    fn scope_values_are_case_sensitive() {
        assert_eq!(rights("3GPP-NIDD"), Ok(Rights::NONE));
    }

    #[test]
    fn malformed_scopes_are_refused() {
        let malformed = [
            "", " ", "a  b", " a", "a ", "a\tb", "a\nb", "a\"b", "a\\b", "a\u{e9}", "a\u{7f}",
        ];
        for scope in malformed {
            assert_eq!(rights(scope), MALFORMED, "{scope:?}");
        }
    }
}
