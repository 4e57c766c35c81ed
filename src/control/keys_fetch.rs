//! An issuer's keys, fetched by https from where the operator or the issuer's description says:
//! bounded in size and time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AGE, CACHE_CONTROL, HOST, HeaderMap, USER_AGENT};
use hyper::{Request, StatusCode};
use rustls::ClientConfig;
use serde::Deserialize;
use tokio::task::spawn_local;

use super::crl_fetch::{FetchFault, Validators, await_all, body_within, connect, exchange};
use crate::authz::issuers::IssuerRules;
use crate::authz::keys::Keys;
use crate::config::{HttpUrl, KeysPlace};
use crate::limits::ISSUER_DOCUMENT_BYTES_MAX;
use crate::snapshot::{KeyFetches, KeysFrom};

/// From the first packet to the last octet, of the description and the keys together.
const FETCH_WAIT: Duration = Duration::from_secs(10);

/// What was found.
pub enum Found {
    Keys(Keys, Fresh),
    /// Those that are known already.
    Same(Fresh),
}

/// What the server says of what it gave.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// Where that is.
    pub url: HttpUrl,
    pub validators: Validators,
    pub keep: Keep,
}

/// How long something may be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// By all who have it, where that is said.
    pub max_age: Option<Duration>,
    /// How long others have kept it on its way here.
    pub age: Duration,
}

/// Why there are no keys.
#[derive(Debug)]
pub enum KeysFault {
    Fetch(FetchFault),
    /// What is said there is not to be used.
    Refused(String),
}

impl fmt::Display for KeysFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fetch(fault) => fault.fmt(f),
            Self::Refused(what) => f.write_str(what),
        }
    }
}

impl From<FetchFault> for KeysFault {
    fn from(fault: FetchFault) -> Self {
        Self::Fetch(fault)
    }
}

/// What a fault comes to, and what to do about it.
pub fn not_had(why: &KeysFault) -> (&'static str, &'static str) {
    let cure = match why {
        KeysFault::Fetch(FetchFault::Connection(_)) => {
            "see whether the issuer is up, and whether ca names the CA of its certificate"
        }
        KeysFault::Fetch(_) => "see whether the URL is right, and what the issuer's own log says",
        KeysFault::Refused(_) => "have the issuer mended, or name another place",
    };
    ("the keys were not had", cure)
}

/// Counts it.
pub fn note_fault(fetches: &KeyFetches, why: &KeysFault) {
    let count = match why {
        KeysFault::Fetch(_) => &fetches.failed,
        KeysFault::Refused(_) => &fetches.refused,
    };
    count.fetch_add(1, Ordering::Relaxed);
}

/// Under which that is reported.
pub const SHARED_KEY: &str = "issuer.profile";

/// What is amiss where one of the keys that were found is also one of `all` issuers of another
/// profile than the one whose rules these are, and what to do about it. Anybody can publish
/// anybody's public key, so that it keeps nobody's other keys from being taken.
pub fn shared<'i>(
    keys: &Keys,
    rules: Option<&IssuerRules>,
    all: impl IntoIterator<Item = &'i IssuerRules>,
) -> Option<(String, &'static str)> {
    let rules = rules?;
    let all: Vec<_> = all.into_iter().collect();
    let Some(other) = rules.other_profile_with(keys, all.iter().copied()) else {
        let core = rules.other_core_with(keys, all)?;
        let what = format!(
            "one of the keys is also {:?}'s, a CAPIF core as well: a token by a key that two of \
             them publish is taken as neither's",
            core.name()
        );
        let cure = "see which of the two cores signs by it, and have the other one publish it no \
                    more; or give the gateway the first one's keys as a file, which then are its";
        return Some((what, cure));
    };
    let what = format!(
        "one of the keys is also {:?}'s, whose tokens have another profile: no CAPIF core that \
         publishes it has tokens verified by it",
        other.name()
    );
    let cure =
        "see which of the two issuers signs by it, and have the other one publish it no more";
    Some((what, cure))
}

/// Fetches an issuer's keys, unless they are those that `known` speaks of.
///
/// # Errors
/// Why there are none.
pub async fn fetch(from: &KeysFrom, known: Option<&Fresh>) -> Result<Found, KeysFault> {
    let fetched = tokio::time::timeout(FETCH_WAIT, async {
        let url = match &from.place {
            KeysPlace::Jwks(url) => url.clone(),
            KeysPlace::Metadata(url) => described(&from.issuer, url, &from.tls).await?,
        };
        // What was said at another URL is said of other keys.
        let known = known.filter(|known| known.url == url);
        let known = known.cloned().unwrap_or_else(|| Fresh {
            url,
            validators: Validators::default(),
            keep: Keep::default(),
        });
        keys(from, known).await
    });
    let late = FetchFault::Deadline(FETCH_WAIT);
    fetched.await.unwrap_or(Err(KeysFault::Fetch(late)))
}

/// The same of several, all of them together, for whoever has no runtime.
///
/// # Errors
/// The kernel's, where there is nothing to wait with.
pub fn fetch_all(all: &[Arc<KeysFrom>]) -> std::io::Result<Vec<Result<Found, KeysFault>>> {
    await_all(async {
        let begun = all.iter().map(|from| {
            let from = Arc::clone(from);
            spawn_local(async move { fetch(&from, None).await })
        });
        let begun: Vec<_> = begun.collect();
        let mut found = Vec::with_capacity(begun.len());
        for fetch in begun {
            let fetched = fetch.await.map_err(std::io::Error::other);
            found.push(
                fetched
                    .map_err(|error| KeysFault::Fetch(error.into()))
                    .flatten(),
            );
        }
        found
    })
}

async fn keys(from: &KeysFrom, known: Fresh) -> Result<Found, KeysFault> {
    let kind = "application/jwk-set+json";
    let got = get(&known.url, &from.tls, &known.validators, kind).await?;
    Ok(match got {
        Got::Same(said) => Found::Same(Fresh {
            keep: known.keep.confirmed_by(said),
            ..known
        }),
        Got::Document(body, validators, keep) => {
            let keys = Keys::published(&body, from.of_rsa).map_err(KeysFault::Refused)?;
            let url = known.url;
            let fresh = Fresh {
                url,
                validators,
                keep,
            };
            Found::Keys(keys, fresh)
        }
    })
}

/// Where the issuer's description says that its keys are.
async fn described(
    issuer: &str,
    url: &HttpUrl,
    tls: &Arc<ClientConfig>,
) -> Result<HttpUrl, KeysFault> {
    #[derive(Deserialize)]
    struct Metadata {
        issuer: String,
        jwks_uri: String,
    }
    let unasked = Validators::default();
    let got = get(url, tls, &unasked, "application/json").await?;
    let Got::Document(body, ..) = got else {
        return Err(FetchFault::NotModifiedUnasked.into());
    };
    let refuse = |what: &str| KeysFault::Refused(what.to_owned());
    let metadata: Metadata = serde_json::from_slice(&body).map_err(|_| {
        refuse("the issuer's description is no JSON object with issuer and jwks_uri")
    })?;
    //= RFC 8414 section 3.3
    //# A description whose issuer is not the one that was asked for is not used.
    if metadata.issuer != issuer {
        return Err(refuse(
            "the description is of another issuer: its issuer is not the name of this [[issuer]], \
             octet for octet",
        ));
    }
    //= RFC 8414 section 2
    //# jwks_uri is an https URL.
    let url: Result<HttpUrl, _> = metadata.jwks_uri.parse();
    let url = url.ok().filter(|url| url.tls);
    url.ok_or_else(|| refuse("the description's jwks_uri is no https URL"))
}

/// A document, and what is said of it.
enum Got {
    Document(Vec<u8>, Validators, Keep),
    /// The one that is known.
    Same(Keep),
}

/// Asks for a document.
//= RFC 8414 section 6.1
//# It is fetched over TLS, from a server whose certificate has been checked.
async fn get(
    url: &HttpUrl,
    tls: &Arc<ClientConfig>,
    known: &Validators,
    kind: &str,
) -> Result<Got, FetchFault> {
    let stream = connect(url, Some(tls)).await?;
    let request = known
        .asked_by(Request::get(&url.target))
        .header(HOST, &url.authority)
        .header(USER_AGENT, "t8gate")
        .header(ACCEPT, format!("{kind}, application/json"))
        .body(Empty::<Bytes>::new())
        .map_err(std::io::Error::other)?;
    exchange(stream, request, async |response| match response.status() {
        StatusCode::OK => {
            let (validators, keep) = (Validators::of(&response), Keep::of(response.headers()));
            let body = body_within(response, ISSUER_DOCUMENT_BYTES_MAX).await?;
            Ok(Got::Document(body, validators, keep))
        }
        StatusCode::NOT_MODIFIED => {
            let same = |()| Got::Same(Keep::of(response.headers()));
            known.not_modified().map(same)
        }
        status => Err(FetchFault::Status(status)),
    })
    .await
}

impl Keep {
    /// What an answer says of it.
    fn of(headers: &HeaderMap) -> Self {
        let mut directives = headers.get_all(CACHE_CONTROL).iter();
        let max_age = directives.find_map(|value| {
            let mut said = value.to_str().ok()?.split(',');
            said.find_map(|one| {
                let (name, seconds) = one.trim().split_once('=')?;
                let seconds = seconds.trim_matches('"').parse().ok();
                seconds.filter(|_: &u64| name.eq_ignore_ascii_case("max-age"))
            })
        });
        let age = headers
            .get(AGE)
            .and_then(|age| age.to_str().ok()?.parse().ok());
        Self {
            max_age: max_age.map(Duration::from_secs),
            age: Duration::from_secs(age.unwrap_or(0)),
        }
    }

    /// From now on, where that is said.
    //= RFC 9111 section 4.2.1
    //# max-age says for how many seconds, less those that it has been kept by others.
    pub fn left(self) -> Option<Duration> {
        Some(self.max_age?.saturating_sub(self.age))
    }

    /// As it is after an answer that what is known is still so.
    //= RFC 9111 section 4.3.4
    //# What such an answer says takes the place of what was said before; the rest stays.
    fn confirmed_by(self, answer: Self) -> Self {
        Self {
            max_age: answer.max_age.or(self.max_age),
            age: answer.age,
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    //= RFC 9111 section 4.2.1 type=test
    //# max-age says for how long, less the age.
    #[test]
    fn answer_is_kept_for_its_max_age_less_its_age() {
        let kept = |control: &[&'static str], age: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            for control in control {
                headers.append(CACHE_CONTROL, HeaderValue::from_static(control));
            }
            if let Some(age) = age {
                headers.insert(AGE, HeaderValue::from_static(age));
            }
            Keep::of(&headers).left().map(|kept| kept.as_secs())
        };
        assert_eq!(kept(&["max-age=300"], None), Some(300));
        assert_eq!(
            kept(&["public, Max-Age=300, must-revalidate"], None),
            Some(300)
        );
        assert_eq!(kept(&["public", "max-age=\"60\""], None), Some(60));
        assert_eq!(kept(&["max-age=300"], Some("100")), Some(200));
        assert_eq!(kept(&["max-age=300"], Some("400")), Some(0));
        assert_eq!(kept(&["max-age=300"], Some("x")), Some(300));
        for said in [
            &[][..],
            &["no-store"],
            &["max-age"],
            &["max-age=-1"],
            &["s-maxage=9"],
        ] {
            assert_eq!(kept(said, Some("1")), None, "{said:?}");
        }
    }
    //= RFC 9111 section 4.3.4 type=test
    //# What is confirmed is kept as long as before, where the confirmation says nothing else.
    #[test]
    fn what_is_confirmed_is_kept_as_long_as_it_was_unless_something_else_is_said() {
        let keep = |max_age: Option<u64>, age| Keep {
            max_age: max_age.map(Duration::from_secs),
            age: Duration::from_secs(age),
        };
        for (before, said, left) in [
            ((Some(300), 300), (None, 0), Some(300)),
            ((Some(300), 0), (None, 100), Some(200)),
            ((Some(300), 0), (Some(60), 10), Some(50)),
            ((None, 0), (Some(60), 0), Some(60)),
            ((None, 0), (None, 0), None),
        ] {
            let known = keep(before.0, before.1).confirmed_by(keep(said.0, said.1));
            let wanted = left.map(Duration::from_secs);
            assert_eq!(known.left(), wanted, "{before:?} {said:?}");
        }
    }
}
