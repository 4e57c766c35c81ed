//! Whoever asks the issuer about opaque tokens, on a thread of its own: once for all that wait for
//! the same token, at an issuer that answers, and no longer than anybody waits.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{spawn_blocking, spawn_local};

use super::crl_fetch::{FetchFault, Wire, body_within, connect, exchange};
use crate::authz::introspection::{self, NotTaken, Question, Verdict};
use crate::authz::refused::Budget;
use crate::authz::token::TokenFault;
use crate::clock::{Millis, UnixSeconds};
use crate::io::cpu;
use crate::limits::{
    INTROSPECTION_ANSWER_BYTES_MAX, INTROSPECTION_FAILURES_MAX, INTROSPECTION_INACTIVE_FOR,
    INTROSPECTION_INACTIVE_MAX, INTROSPECTION_PAUSE, INTROSPECTION_THREADS_MAX, INTROSPECTION_WAIT,
    INTROSPECTIONS_IN_VAIN_PER_S_MAX, INTROSPECTIONS_PER_CLIENT_MAX, INTROSPECTIONS_QUEUED_MAX,
    INTROSPECTIONS_WAITING_MAX,
};
use crate::oauth::{Assertions, JWT_BEARER};
use crate::peer::ClientIndex;
use crate::snapshot::{Current, Introspection, Proof};

mod counts;
#[cfg(test)]
mod tests;

pub use counts::Counts;
use counts::Outcome;

/// Has the questions of what is in force answered and counted, if they are not yet. The thread ends
/// with the desk that they are asked at.
///
/// # Errors
/// The kernel's, where the thread cannot be had.
pub fn start_where_needed(current: &Arc<Current>, counts: &Arc<Counts>) -> io::Result<()> {
    let snapshot = current.load();
    let Some(asked) = &snapshot.introspection else {
        return Ok(());
    };
    if asked.desk.is_answered() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(INTROSPECTION_THREADS_MAX)
        .enable_all()
        .build()?;
    let (letters, mut questions) = mpsc::channel::<Question>(INTROSPECTIONS_QUEUED_MAX);
    let (current, counts) = (Arc::clone(current), Arc::clone(counts));
    let thread = std::thread::Builder::new().name("t8gate-tokens".to_owned());
    thread.spawn(move || {
        if let Err(error) = cpu::step_back() {
            tracing::warn!(%error, "who asks about opaque tokens competes with shards");
        }
        let tasks = tokio::task::LocalSet::new();
        let asker = Rc::new(Asker::new(counts));
        tasks.block_on(&runtime, async {
            while let Some(question) = questions.recv().await {
                let asked = current.load().introspection.clone();
                asker.take(question, asked);
                asker.tell();
            }
        });
        // What was known to this thread is known to nobody.
        asker.counts.is_now(false, 0, 0);
    })?;
    asked.desk.answered_by(letters);
    Ok(())
}

/// What a token is known by here: itself is nothing to be kept.
type Known = [u8; 32];

/// By which rules a token is asked about, and which.
type Asking = (*const Introspection, Known);

struct Asker {
    /// Who waits for what is said of a token; it is being asked about, by these rules: what is in
    /// force may be otherwise when it is answered. Whoever asks holds the rules as long.
    waiting: RefCell<HashMap<Asking, Waiting>>,
    /// By which rules what is known was refused: by others it may be taken. Not held: the thread
    /// ends with them.
    rules: RefCell<Weak<Introspection>>,
    /// What tokens are known to be refused for, and until when.
    inactive: RefCell<HashMap<Known, (TokenFault, Millis)>>,
    in_vain: RefCell<Budget<INTROSPECTIONS_IN_VAIN_PER_S_MAX>>,
    breaker: Breaker,
    counts: Arc<Counts>,
}

/// Who waits for what is said of one token.
struct Waiting {
    /// Who asked first.
    client: ClientIndex,
    told: Vec<oneshot::Sender<Verdict>>,
}

impl Asker {
    fn new(counts: Arc<Counts>) -> Self {
        Self {
            waiting: RefCell::default(),
            rules: RefCell::default(),
            inactive: RefCell::default(),
            in_vain: RefCell::default(),
            breaker: Breaker::default(),
            counts,
        }
    }

    /// Has the counts say how things stand.
    fn tell(&self) {
        let (waiting, inactive) = (self.waiting.borrow().len(), self.inactive.borrow().len());
        self.counts
            .is_now(self.breaker.is_open(), waiting, inactive);
    }

    fn take(self: &Rc<Self>, question: Question, asked: Option<Arc<Introspection>>) {
        let Question {
            token,
            client,
            answer,
        } = question;
        let count = |outcome| self.counts.note(outcome);
        let now = Millis::now();
        let mut known = Known::default();
        known.copy_from_slice(digest::digest(&digest::SHA256, &token).as_ref());
        // A shard may have given up waiting, which is nothing to us.
        let Some(asked) = asked else {
            count(Outcome::TurnedAway);
            let _ = answer.send(Err(NotTaken::Unanswered));
            return;
        };
        if !self.are_in_force(&asked) {
            self.inactive.borrow_mut().clear();
            *self.rules.borrow_mut() = Arc::downgrade(&asked);
        }
        let inactive = self.inactive.borrow().get(&known).copied();
        if let Some((fault, _)) = inactive.filter(|(_, until)| now < *until) {
            count(Outcome::Remembered);
            let _ = answer.send(Err(NotTaken::Refused(fault)));
            return;
        }
        let place = (Arc::as_ptr(&asked), known);
        let mut waiting = self.waiting.borrow_mut();
        if let Some(Waiting { told, .. }) = waiting.get_mut(&place) {
            told.retain(|other| !other.is_closed());
            if told.len() < INTROSPECTIONS_WAITING_MAX {
                told.push(answer);
                count(Outcome::Shared);
            } else {
                count(Outcome::TurnedAway);
            }
            return;
        }
        if !{ self.in_vain.borrow() }.has_some(client, UnixSeconds::now()) {
            count(Outcome::OverBudget);
            let _ = answer.send(Err(NotTaken::OverBudget));
            return;
        }
        let own = waiting.values().filter(|other| other.client == client);
        let has_room = waiting.len() < INTROSPECTIONS_WAITING_MAX
            && own.count() < INTROSPECTIONS_PER_CLIENT_MAX;
        if !has_room || !self.breaker.lets_through(now) {
            count(Outcome::TurnedAway);
            let _ = answer.send(Err(NotTaken::Unanswered));
            return;
        }
        let told = vec![answer];
        waiting.insert(place, Waiting { client, told });
        drop(waiting);
        let asker = Rc::clone(self);
        spawn_local(async move {
            let verdict = asker.ask(&asked, &token, client).await;
            match verdict {
                // That passes.
                Err(NotTaken::Refused(TokenFault::NotYetValid)) => {}
                Err(NotTaken::Refused(fault)) if asker.are_in_force(&asked) => {
                    asker.note_inactive(known, fault, Millis::now());
                }
                _ => {}
            }
            asker.counts.note(match &verdict {
                Ok(_) => Outcome::Taken,
                Err(NotTaken::Refused(TokenFault::Inactive)) => Outcome::Inactive,
                Err(NotTaken::Refused(_)) => Outcome::Refused,
                Err(NotTaken::Unanswered | NotTaken::OverBudget) => Outcome::Failed,
            });
            let waiting = asker.waiting.borrow_mut().remove(&place);
            asker.tell();
            for waiting in waiting.into_iter().flat_map(|waiting| waiting.told) {
                let _ = waiting.send(verdict.clone());
            }
        });
    }

    async fn ask(&self, asked: &Arc<Introspection>, token: &[u8], client: ClientIndex) -> Verdict {
        let answered = tokio::time::timeout(INTROSPECTION_WAIT, fetch(asked, token)).await;
        let answered = answered.unwrap_or(Err(FetchFault::Deadline(INTROSPECTION_WAIT)));
        let now = UnixSeconds::now();
        let verdict = match &answered {
            Ok(answer) => introspection::read(answer, &asked.issuer, now),
            Err(_) => Err(NotTaken::Unanswered),
        };
        let what = match (&answered, &verdict) {
            (Err(fault), _) => Some(fault.to_string()),
            (_, Err(NotTaken::Unanswered)) => Some("what it says is no answer".to_owned()),
            _ => None,
        };
        // What it says of one token is no sign that it is not well.
        let of_token = |fault: &FetchFault| {
            matches!(fault, FetchFault::Status(status)
                if matches!(status.as_u16(), 400 | 413 | 414 | 415 | 422))
        };
        let is_well = what.is_none() || answered.as_ref().err().is_some_and(of_token);
        if is_well && verdict.is_err() {
            self.in_vain.borrow_mut().charge(client, now);
        }
        if self.breaker.note(is_well, Millis::now())
            && let Some(what) = what
        {
            tracing::warn!(
                issuer = asked.issuer.name(),
                hint = "see whether the issuer is up, and knows this gateway; opaque tokens that \
                        are not remembered are answered 503 meanwhile",
                "the issuer cannot be asked about tokens: {what}"
            );
        }
        let cap = UnixSeconds(now.0.saturating_add(asked.cache.as_secs()));
        verdict.map(|mut verified| {
            verified.grant.valid_until = verified.grant.valid_until.min(cap);
            verified
        })
    }

    /// Whether what is refused now is refused by these rules.
    fn are_in_force(&self, asked: &Arc<Introspection>) -> bool {
        std::ptr::eq(self.rules.borrow().as_ptr(), Arc::as_ptr(asked))
    }

    fn note_inactive(&self, known: Known, fault: TokenFault, now: Millis) {
        let mut inactive = self.inactive.borrow_mut();
        if inactive.len() >= INTROSPECTION_INACTIVE_MAX {
            inactive.retain(|_, (_, until)| now < *until);
        }
        // Whoever has filled it does not keep those of others out: they are asked about once more.
        if inactive.len() >= INTROSPECTION_INACTIVE_MAX {
            inactive.clear();
        }
        inactive.insert(known, (fault, now.after(INTROSPECTION_INACTIVE_FOR)));
    }
}

/// Keeps questions from an issuer that does not answer: after so many in vain nobody asks for a
/// while, then one does.
#[derive(Default)]
struct Breaker {
    /// In a row.
    failures: Cell<u32>,
    /// No question before that; none: they may all be asked.
    open_until: Cell<Option<Millis>>,
}

impl Breaker {
    /// Whether questions are kept back, but for the ones that try.
    fn is_open(&self) -> bool {
        self.open_until.get().is_some()
    }

    /// Whether a question may be asked now. Where that is the one that tries, none is behind it
    /// until it is answered or another while has passed.
    fn lets_through(&self, now: Millis) -> bool {
        match self.open_until.get() {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                self.open_until.set(Some(now.after(INTROSPECTION_PAUSE)));
                true
            }
        }
    }

    /// Notes whether one was answered. Whether that is to be said: the first in vain, and the one
    /// for which nobody asks any more.
    fn note(&self, answered: bool, now: Millis) -> bool {
        if answered {
            self.failures.set(0);
            self.open_until.set(None);
            return false;
        }
        let failures = self.failures.get().saturating_add(1);
        self.failures.set(failures);
        if failures >= INTROSPECTION_FAILURES_MAX {
            self.open_until.set(Some(now.after(INTROSPECTION_PAUSE)));
        }
        failures == 1 || failures == INTROSPECTION_FAILURES_MAX
    }
}

/// Asks, and gives what is answered in JSON.
//= RFC 7662 section 2.1
//# The token goes in a form, by POST, never in a URL.
async fn fetch(asked: &Arc<Introspection>, token: &[u8]) -> Result<Vec<u8>, FetchFault> {
    let assertion = match &asked.proof {
        Proof::Assertion(assertions) => Some(signed(assertions).await?),
        Proof::Secret(_) | Proof::Certificate(_) => None,
    };
    let stream = connected(asked).await?;
    let mut form = format!("token={}&token_type_hint=access_token", encoded(token));
    let mut request = Request::post(&asked.url.target)
        .header(HOST, &asked.url.authority)
        .header(USER_AGENT, "t8gate")
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    match &asked.proof {
        Proof::Secret(secret) => {
            request = request.header(AUTHORIZATION, basic(&asked.client_id, secret));
        }
        //= RFC 8705 section 2
        //# A client that its certificate authenticates says its client_id.
        Proof::Certificate(_) | Proof::Assertion(_) => {
            form += &format!("&client_id={}", encoded(asked.client_id.as_bytes()));
        }
    }
    //= RFC 7523 section 2.2
    //# An assertion stands in the form, and what it is beside it.
    if let Some(assertion) = assertion {
        let kind = encoded(JWT_BEARER.as_bytes());
        form += &format!("&client_assertion_type={kind}&client_assertion={assertion}");
    }
    let request = request
        .body(Full::<Bytes>::from(form))
        .map_err(io::Error::other)?;
    exchange(stream, request, async |response| match response.status() {
        StatusCode::OK if is_json(&response) => {
            body_within(response, INTROSPECTION_ANSWER_BYTES_MAX).await
        }
        StatusCode::OK => Err(FetchFault::Connection(io::Error::other(
            "the answer is not application/json",
        ))),
        status => Err(FetchFault::Status(status)),
    })
    .await
}

/// An assertion for one question. Where its key is in a token that is waited for, and so not on the
/// thread of all other questions.
async fn signed(assertions: &Arc<Assertions>) -> Result<String, FetchFault> {
    let assertions = Arc::clone(assertions);
    let signing = spawn_blocking(move || assertions.sign(UnixSeconds::now()));
    let signed = signing.await.map_err(io::Error::other)?;
    signed.map_err(FetchFault::Unsigned)
}

/// A connection. rustls signs where the handshake is: where that waits for a token, the handshake
/// is on another thread.
async fn connected(asked: &Arc<Introspection>) -> Result<Box<dyn Wire>, FetchFault> {
    if !asked.connects_by_token() {
        return connect(&asked.url, Some(&asked.tls)).await;
    }
    let (asked, runtime) = (Arc::clone(asked), Handle::current());
    let connecting = spawn_blocking(move || {
        let connecting = connect(&asked.url, Some(&asked.tls));
        let late = Err(FetchFault::Deadline(INTROSPECTION_WAIT));
        let connected = async { tokio::time::timeout(INTROSPECTION_WAIT, connecting).await };
        runtime.block_on(connected).unwrap_or(late)
    });
    connecting.await.map_err(io::Error::other)?
}

fn is_json<B>(response: &Response<B>) -> bool {
    let mut said = response.headers().get_all(CONTENT_TYPE).iter();
    let (Some(said), None) = (said.next(), said.next()) else {
        return false;
    };
    let kind = said.as_bytes().split(|octet| *octet == b';').next();
    let kind = kind.unwrap_or_default().trim_ascii();
    kind.eq_ignore_ascii_case(b"application/json")
}

//= RFC 6749 section 2.3.1
//# Both are encoded like the values of a form before they are joined.
fn basic(client_id: &str, secret: &str) -> String {
    let both = format!(
        "{}:{}",
        encoded(client_id.as_bytes()),
        encoded(secret.as_bytes())
    );
    format!("Basic {}", STANDARD.encode(both))
}

/// As the value of a form.
fn encoded(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for octet in text {
        match octet {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'*' => {
                out.push(char::from(*octet));
            }
            b' ' => out.push('+'),
            other => out += &format!("%{other:02X}"),
        }
    }
    out
}
