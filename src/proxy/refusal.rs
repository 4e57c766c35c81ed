//! What a client is told whose request is not served, and whether its connection can go on.

use serde_json::json;

use crate::audit::RequestId;
use crate::authz::apis::{Verb, Verbs};
use crate::authz::scope;
use crate::http::document::{Document, write_document};
use crate::http::problem::{self, Problem};
use crate::limits::{DOCUMENT_MAX_AGE_S, REFUSED_BODY_BYTES_MAX};
use crate::oauth::GrantFault;

use super::connection::{Connection, Received, Then};
use super::denial::Denial;
use super::source::{Sink, Source};

/// What a 503 asks a client to wait.
const RETRY_AFTER_S: u32 = 1;
/// What a client is asked to wait where an operator has to do something first: an hour.
const RETRY_AFTER_CHANGE_S: u32 = 3_600;
/// What forms are taken in.
const ACCEPT_ENCODING: &str = "identity";
/// The realm of every challenge.
const REALM: &str = "t8";

/// A request that will not be forwarded.
pub(super) struct Refused {
    pub denial: Denial,
    pub id: RequestId,
    pub head_only: bool,
    /// What is left of it on the connection; none where that cannot be known or waited for.
    pub rest: Option<Source>,
}

impl Refused {
    /// Of a request of which nothing is known but that it cannot be served.
    pub fn without_head(denial: Denial, id: RequestId) -> Self {
        Self {
            denial,
            id,
            head_only: false,
            rest: None,
        }
    }
}

impl Connection {
    /// Answers a request that is not served, and finds out whether the connection can go on.
    pub(super) async fn refuse(&mut self, refused: Refused) -> Then {
        let Refused {
            denial,
            id,
            head_only,
            rest,
        } = refused;
        let row = denial.row();
        let goes_on = rest.is_some() && !row.closes && !self.local.draining.get();
        let challenge = challenge(denial);
        let allow = match denial {
            Denial::MethodNotAllowed(allowed) => Some(allow(allowed)),
            _ => None,
        };
        let media = match denial {
            Denial::MediaTypeUnsupported(verb, media) => Some((verb, media.name())),
            _ => None,
        };
        let retry_after_s = match denial {
            Denial::GrantFailuresExceeded(wait_s)
            | Denial::RateExceeded(wait_s)
            | Denial::AllowanceUsedUp(wait_s) => Some(wait_s),
            Denial::ClientTokensRevoked(wait_s) => Some(wait_s.min(RETRY_AFTER_CHANGE_S)),
            Denial::TokenFailuresExceeded => Some(RETRY_AFTER_S),
            Denial::Grant(GrantFault::AssertionsExhausted(wait_s)) => Some(wait_s),
            // For as long as clients keep the key set without asking: no key comes before somebody
            // gives the issuer another.
            Denial::IssuerKeyRevoked => Some(DOCUMENT_MAX_AGE_S),
            Denial::RevocationUndone("no_store") => Some(RETRY_AFTER_CHANGE_S),
            _ => (row.status == 503).then_some(RETRY_AFTER_S),
        };
        let mut answer = self.local.buffers.lend();
        if row.token_endpoint {
            let description = match denial {
                Denial::Grant(fault) | Denial::IntrospectionByForeign(fault) => fault.description(),
                _ => row.detail,
            };
            let body = json!({
                "error": row.oauth_error.unwrap_or_default(),
                "error_description": description,
            })
            .to_string();
            let document = Document {
                status: row.status,
                body: body.as_bytes(),
                max_age_s: 0,
                www_authenticate: challenge.as_deref(),
                retry_after_s,
                //= RFC 9110 section 15.5.16
                //# Who is refused for a content coding is told which would have been taken.
                accept_encoding: (row.status == 415).then_some(ACCEPT_ENCODING),
                request_id: id.as_str(),
            };
            write_document(&mut answer, &document, head_only, !goes_on);
        } else {
            problem::write_problem(
                &mut answer,
                &Problem {
                    status: row.status,
                    title: row.title,
                    detail: row.detail,
                    cause: row.cause,
                    www_authenticate: challenge.as_deref(),
                    allow: allow.as_deref(),
                    accept: media.filter(|(verb, _)| *verb != Verb::Patch).map(|m| m.1),
                    accept_patch: media.filter(|(verb, _)| *verb == Verb::Patch).map(|m| m.1),
                    retry_after_s,
                    request_id: id.as_str(),
                },
                head_only,
                !goes_on,
            );
        }
        // Before the send, which a client that does not read may hold up to the end of the shard.
        self.account.refused(denial);
        let sent = self.send(&answer).await;
        self.local.buffers.give_back(answer);
        match (sent, rest) {
            (Err(then), _) => then,
            (Ok(()), Some(rest)) if goes_on => self.discard(rest).await,
            (Ok(()), _) => Then::CloseWhileItSends,
        }
    }

    /// Reads and throws away the body of a refused request.
    async fn discard(&mut self, mut rest: Source) -> Then {
        let by = self.watch.now().after(self.local.snapshot().deadlines.body);
        let mut left = REFUSED_BODY_BYTES_MAX;
        let mut nowhere = Vec::new();
        while !rest.is_done() {
            if self.plain.is_empty() && self.receive(by).await != Ok(Received::Data) {
                return Then::Close;
            }
            match rest.take(&self.plain, &mut nowhere, Sink::Nothing, usize::MAX) {
                Ok(taken) if taken.body <= left => {
                    left -= taken.body;
                    self.used(taken.consumed);
                }
                Ok(_) | Err(_) => return Then::CloseWhileItSends,
            }
        }
        Then::Again
    }
}

/// The `Allow` of a 405: HEAD goes wherever GET does.
fn allow(verbs: Verbs) -> String {
    let names = verbs.iter().flat_map(|verb| match verb {
        Verb::Get => ["GET", "HEAD"].as_slice(),
        Verb::Post => &["POST"],
        Verb::Put => &["PUT"],
        Verb::Patch => &["PATCH"],
        Verb::Delete => &["DELETE"],
    });
    names.copied().collect::<Vec<_>>().join(", ")
}

/// The `WWW-Authenticate` of a refusal, where it has one.
fn challenge(denial: Denial) -> Option<String> {
    //= RFC 6750 section 3.1
    //# Without credentials the challenge carries no error code; with them it says which.
    let row = denial.row();
    match (denial, row.oauth_error) {
        //= RFC 6749 section 5.2
        //# The challenge names the scheme that the client tried.
        (Denial::Grant(GrantFault::AuthorizationRefused(scheme)), _) => {
            Some(format!("{} realm=\"{REALM}\"", scheme.word()))
        }
        //= RFC 9110 section 15.5.2
        //# A 401 has a challenge. No scheme stands for a certificate, and Basic would ask for a
        //# secret.
        (Denial::TokenMissing | Denial::IntrospectionByForeign(_), _) => {
            Some(format!("Bearer realm=\"{REALM}\""))
        }
        _ if row.token_endpoint => None,
        (Denial::ScopeInsufficient(api, verb), Some(error)) => {
            let scope = scope::needed(api, verb);
            Some(format!(
                "Bearer realm=\"{REALM}\", error=\"{error}\", scope=\"{scope}\""
            ))
        }
        (_, Some(error)) => {
            let detail = row.detail;
            Some(format!(
                "Bearer realm=\"{REALM}\", error=\"{error}\", error_description=\"{detail}\""
            ))
        }
        (_, None) => None,
    }
}
