//! Opaque tokens: what their issuer says of them (RFC 7662), read as strictly as claims are, and
//! the desk at which is asked. Who carries the questions to the issuer stands elsewhere.

use std::fmt;
use std::sync::OnceLock;

use tokio::sync::{mpsc, oneshot};

use super::issuers::IssuerRules;
use super::json::{self, Json};
use super::token::{self, LEEWAY_S, TokenFault, VerifiedToken};
use crate::clock::UnixSeconds;
use crate::peer::ClientIndex;

#[cfg(test)]
mod tests;

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// Its issuer has said something of it, and that is not good enough.
    Refused(TokenFault),
    /// Nobody was asked: so many tokens of the client were asked about in vain just now.
    OverBudget,
    /// Nobody has said anything of it that could be understood.
    Unanswered,
}

/// What became of a question.
pub type Verdict = Result<VerifiedToken, NotTaken>;

/// Whether a token can be asked about: a JWS has three parts, and says itself what it is.
pub fn is_opaque(token: &[u8]) -> bool {
    memchr::memchr_iter(b'.', token).count() != 2
}

/// Whether it is written as a token has to be: what is not is nobody's.
//= RFC 6750 section 2.1
//# A token is letters, digits and some other signs, and "=" at its end only.
pub fn is_b64token(token: &[u8]) -> bool {
    let end = token.iter().rposition(|octet| *octet != b'=');
    let token = token
        .get(..end.map_or(0, |end| end + 1))
        .unwrap_or_default();
    let is_of_one = |octet: &u8| octet.is_ascii_alphanumeric() || b"-._~+/".contains(octet);
    !token.is_empty() && token.iter().all(is_of_one)
}

/// Reads an answer about a token of this issuer.
///
/// # Errors
/// It is no answer, or it does not give what is asked for.
//= RFC 7662 section 2.2
//# The answer is a JSON object whose member active says whether the token is good at all; what else
//# it says is held to what a token of the issuer has to say.
pub fn read(answer: &[u8], issuer: &IssuerRules, now: UnixSeconds) -> Verdict {
    let answer = json::object(answer).map_err(|_| NotTaken::Unanswered)?;
    match answer.get("active") {
        Some(Json::Bool(true)) => {}
        Some(Json::Bool(false)) => return Err(NotTaken::Refused(TokenFault::Inactive)),
        _ => return Err(NotTaken::Unanswered),
    }
    //= RFC 7662 section 2.2
    //# token_type is what a client is told of an access token. Some issuers say that it is one.
    let is_taken = |kind: &str| {
        let taken = ["Bearer", "access_token"];
        taken.iter().any(|taken| kind.eq_ignore_ascii_case(taken))
    };
    let kind = answer.get("token_type");
    if kind.is_some_and(|kind| !kind.as_str().is_some_and(is_taken)) {
        return Err(NotTaken::Refused(TokenFault::Type));
    }
    let mut read = token::introspected(&answer, issuer).map_err(NotTaken::Refused)?;
    //= RFC 7662 section 4
    //# What was answered is not used beyond exp: the leeway that a token has is not for it.
    let until = read.grant.valid_until.0.saturating_sub(LEEWAY_S);
    read.grant.valid_until = UnixSeconds(until);
    read.timely(now).map_err(NotTaken::Refused)?;
    Ok(read)
}

/// A question about a token.
pub struct Question {
    pub token: Box<[u8]>,
    /// Whose connection it came by: each has a share of what may be asked at a time.
    pub client: ClientIndex,
    pub answer: oneshot::Sender<Verdict>,
}

/// Never the token.
impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Question")
    }
}

/// Where shards ask. It stays the same for as long as somebody is asked.
#[derive(Debug, Default)]
pub struct Desk {
    letters: OnceLock<mpsc::Sender<Question>>,
}

impl Desk {
    /// Has questions go to whoever holds the other end. Whether it is the first.
    pub fn answered_by(&self, letters: mpsc::Sender<Question>) -> bool {
        self.letters.set(letters).is_ok()
    }

    /// Whether somebody answers.
    pub fn is_answered(&self) -> bool {
        self.letters.get().is_some()
    }

    /// Asks about a token for a client; none where too many ask already, or nobody answers.
    pub fn ask(&self, token: &[u8], client: ClientIndex) -> Option<oneshot::Receiver<Verdict>> {
        let (answer, answered) = oneshot::channel();
        let question = Question {
            token: token.into(),
            client,
            answer,
        };
        let sent = self.letters.get()?.try_send(question);
        sent.is_ok().then_some(answered)
    }
}
