//! Asks responders: for the statuses that are stapled to the gateway's own certificates, and for
//! those of clients' certificates. A thread of its own; no shard ever waits for a responder.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::rand;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::spawn_local;

use super::crl_fetch::FetchFault;
use super::ocsp_fetch::{ANSWER_WAIT, ask};
use crate::clock::UnixSeconds;
use crate::io::cpu;
use crate::limits::{
    OCSP_ASKED_AT_ONCE_MAX, OCSP_QUESTIONS_QUEUED_MAX, OCSP_UNDATED_S, OCSP_WAITING_MAX,
};
use crate::snapshot::{Current, Responder};
use crate::tls::ocsp::{self, Answer, Known, OcspFault, Question, Staple, Status, Told, Verdict};
use crate::tls::revocation::{IssuerId, Revocation};

mod own;
mod waiting;

#[cfg(test)]
mod tests;

use waiting::{Admitted, Waiting};

/// Between two looks whether somebody is to be asked about again.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// After the first question in vain; twice that after the next, and so on. Until then clients are
/// judged without, and nobody waits.
const RETRY_AFTER: Duration = Duration::from_secs(5);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(40);
/// How long it is believed that a responder does not know a certificate: it may have been issued a
/// moment ago.
const UNKNOWN_FOR: Duration = Duration::from_secs(60);

/// What became of questions so far.
#[derive(Debug, Default)]
pub struct OcspCounts {
    pub clients: Outcomes,
    pub own: Outcomes,
    /// Of the gateway's own certificates that are to have one.
    staples: ArcSwap<Vec<Arc<Staple>>>,
}

impl OcspCounts {
    /// When the status of each of the gateway's own certificates ends that is to have one; none
    /// where there is none to staple.
    pub fn staples_end(&self) -> Vec<Option<UnixSeconds>> {
        let staples = self.staples.load();
        staples.iter().map(|staple| staple.next_update()).collect()
    }
}

/// By what was said.
#[derive(Debug, Default)]
pub struct Outcomes {
    good: AtomicU64,
    revoked: AtomicU64,
    unknown: AtomicU64,
    /// Answers that were read and not used.
    refused: AtomicU64,
    /// Questions without an answer.
    not_answered: AtomicU64,
}

impl Outcomes {
    /// Each with its word for metrics.
    pub fn all(&self) -> [(&'static str, u64); 5] {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [
            ("good", read(&self.good)),
            ("revoked", read(&self.revoked)),
            ("unknown", read(&self.unknown)),
            ("refused", read(&self.refused)),
            ("not_answered", read(&self.not_answered)),
        ]
    }

    fn note<T>(&self, outcome: &Result<T, NoStatus>, status: impl Fn(&T) -> Status) {
        let count = match outcome {
            Ok(said) => match status(said) {
                Status::Good => &self.good,
                Status::Revoked { .. } => &self.revoked,
                Status::Unknown => &self.unknown,
            },
            Err(NoStatus::Refused(OcspFault::OwnRevoked)) => &self.revoked,
            Err(NoStatus::Refused(OcspFault::OwnUnknown)) => &self.unknown,
            Err(NoStatus::Refused(_)) => &self.refused,
            Err(NoStatus::NoResponder | NoStatus::NotAnswered(_)) => &self.not_answered,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Why nothing is known.
enum NoStatus {
    /// None is configured for this issuer.
    NoResponder,
    NotAnswered(FetchFault),
    Refused(OcspFault),
}

impl NoStatus {
    /// What is wrong, and what to do about it.
    fn explained(&self) -> (String, &'static str) {
        match self {
            Self::NoResponder => (
                "there is no responder for the CA of a client".to_owned(),
                "add [[ocsp]] with the certificate of the CA that issued the client's",
            ),
            Self::NotAnswered(fault) => (
                fault.to_string(),
                "see whether the responder is up, and whether this machine may reach it",
            ),
            Self::Refused(fault) => {
                let (what, cure) = fault.explained();
                (format!("its answer is not used: {what}"), cure)
            }
        }
    }
}

/// Starts the thread where there is something to ask, and ends it when it is dropped.
pub struct OcspKeeper {
    current: Arc<Current>,
    counts: Arc<OcspCounts>,
    until: Option<oneshot::Sender<()>>,
    /// How often files were to be looked at now.
    bell: watch::Sender<u64>,
}

impl OcspKeeper {
    /// For what is in force, and what will be.
    pub fn new(current: Arc<Current>, counts: Arc<OcspCounts>) -> Self {
        Self {
            current,
            counts,
            until: None,
            bell: watch::Sender::default(),
        }
    }

    /// Has files of statuses looked at now: one that has changed is read, whole or not.
    pub fn look_now(&self) {
        self.bell.send_modify(|rung| *rung += 1);
    }

    /// Starts the thread if what is in force asks for it and it does not run yet.
    ///
    /// # Errors
    /// The kernel's, where the thread cannot be had.
    pub fn start_where_needed(&mut self) -> io::Result<()> {
        let snapshot = self.current.load();
        let idle = snapshot.staples.is_empty() && snapshot.responders.is_empty();
        if idle || self.until.is_some() {
            return Ok(());
        }
        let (until, told) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (questions, letters) = mpsc::channel(OCSP_QUESTIONS_QUEUED_MAX);
        let (current, counts) = (Arc::clone(&self.current), Arc::clone(&self.counts));
        let bell = self.bell.subscribe();
        let revocation = Arc::clone(&snapshot.revocation);
        let thread = std::thread::Builder::new().name("t8gate-ocsp".to_owned());
        thread.spawn(move || {
            if let Err(error) = cpu::step_back() {
                tracing::warn!(%error, "who asks OCSP responders competes with shards");
            }
            let tasks = tokio::task::LocalSet::new();
            tasks.spawn_local(own::keep(Arc::clone(&current), Arc::clone(&counts), bell));
            let asker = Rc::new(Asker {
                configured: Box::new(move |issuer| configured(&current, issuer)),
                counts,
                revocation,
                waiting: RefCell::new(Waiting::new(OCSP_WAITING_MAX)),
                crowded_out: Cell::new(0),
                responders: RefCell::default(),
            });
            tasks.spawn_local(Rc::clone(&asker).ask_again());
            tasks.spawn_local(asker.receive(letters));
            // Dropped at the end, whatever they are at.
            let _ = tasks.block_on(&runtime, told);
        })?;
        snapshot.revocation.statuses().answered_by(questions);
        self.until = Some(until);
        Ok(())
    }
}

/// Who is to be asked about the certificates of an issuer, by what is in force.
fn configured(current: &Current, issuer: IssuerId) -> Option<Arc<Responder>> {
    let snapshot = current.load();
    let mut responders = snapshot.responders.iter();
    responders
        .find(|known| known.issuer.id() == issuer)
        .cloned()
}

/// Asks about clients' certificates.
struct Asker {
    configured: Box<dyn Fn(IssuerId) -> Option<Arc<Responder>>>,
    counts: Arc<OcspCounts>,
    revocation: Arc<Revocation>,
    /// What is being asked, once, and who waits for it.
    waiting: RefCell<Waiting>,
    /// Handshakes that there was no place for.
    crowded_out: Cell<u64>,
    responders: RefCell<HashMap<IssuerId, Rc<Manners>>>,
}

/// How a responder is treated.
struct Manners {
    turns: Semaphore,
    /// Questions in vain since it answered last.
    failures: Cell<u64>,
}

impl Asker {
    async fn receive(self: Rc<Self>, mut letters: mpsc::Receiver<Question>) {
        while let Some(letter) = letters.recv().await {
            self.take(letter);
        }
    }

    /// Asks, unless that is being asked already or has been answered since it was written. Who
    /// waits is told by the letter's end in any case.
    fn take(self: &Rc<Self>, letter: Question) {
        let statuses = self.revocation.statuses();
        let verdict = statuses.verdict(letter.issuer, &letter.serial, UnixSeconds::now());
        if !matches!(verdict, Verdict::ToBeAsked { .. }) {
            return;
        }
        let certificate = (letter.issuer, letter.serial.clone());
        let admitted = self
            .waiting
            .borrow_mut()
            .admit(certificate, letter.answered);
        match admitted {
            Admitted::First => self.begin(statuses.enter(letter.issuer, &letter.serial)),
            Admitted::Joined => {}
            Admitted::Full => self.say_full(letter.issuer),
        }
    }

    /// Asks in good time about certificates that somebody is connected with.
    async fn ask_again(self: Rc<Self>) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            self.waiting.borrow_mut().forget_gone();
            for known in self.revocation.statuses().sweep(UnixSeconds::now()) {
                let certificate = (known.issuer, known.serial.clone());
                let begun = self.waiting.borrow_mut().begin(certificate);
                if begun.is_some() {
                    self.begin(known);
                }
            }
        }
    }

    fn begin(self: &Rc<Self>, known: Arc<Known>) {
        let asker = Rc::clone(self);
        spawn_local(async move {
            let outcome = asker.ask(&known).await;
            asker.learn(&known, outcome);
            let certificate = (known.issuer, known.serial.clone());
            let told = asker.waiting.borrow_mut().end(&certificate);
            for waiting in told {
                // A handshake may have given up meanwhile.
                let _ = waiting.send(());
            }
        });
    }

    async fn ask(&self, known: &Known) -> Result<(Answer, Duration), NoStatus> {
        let responder = (self.configured)(known.issuer).ok_or(NoStatus::NoResponder)?;
        let manners = self.manners(known.issuer);
        let question = ocsp::question(&responder.issuer, &known.serial);
        let asked = async {
            // Never closed.
            let _turn = manners.turns.acquire().await;
            ask(&responder.url, responder.tls.as_ref(), question).await
        };
        let answered = tokio::time::timeout(ANSWER_WAIT, asked).await;
        let answered = answered.unwrap_or(Err(FetchFault::Deadline(ANSWER_WAIT)));
        let response = answered.map_err(NoStatus::NotAnswered)?;
        let now = UnixSeconds::now();
        let answer = ocsp::read(&response, &responder.issuer, &known.serial, now);
        let answer = answer.map_err(NoStatus::Refused)?;
        let undated_until = answer.this_update.0 + OCSP_UNDATED_S;
        if answer.next_update.is_none() && undated_until < now.0 {
            return Err(NoStatus::Refused(OcspFault::Ended));
        }
        Ok((answer, responder.refresh))
    }

    fn manners(&self, issuer: IssuerId) -> Rc<Manners> {
        let mut responders = self.responders.borrow_mut();
        let made = || {
            Rc::new(Manners {
                turns: Semaphore::new(OCSP_ASKED_AT_ONCE_MAX),
                failures: Cell::new(0),
            })
        };
        Rc::clone(responders.entry(issuer).or_insert_with(made))
    }

    /// Notes what was said, and has all connections judged anew where it is something else.
    fn learn(&self, known: &Known, outcome: Result<(Answer, Duration), NoStatus>) {
        let (now, before) = (UnixSeconds::now(), known.told());
        let outcome = outcome.and_then(|(answer, refresh)| {
            let told = known.hear(&answer).map_err(NoStatus::Refused)?;
            Ok((answer, told, refresh))
        });
        self.counts
            .clients
            .note(&outcome, |(answer, ..)| answer.status);
        self.say(known.issuer, &outcome);
        let failures = known.note_outcome(outcome.is_ok());
        match outcome {
            Ok((answer, told, refresh)) => {
                let undated = UnixSeconds(answer.this_update.0 + OCSP_UNDATED_S);
                let end = answer.next_update.unwrap_or(undated).0;
                let believed = match answer.status {
                    Status::Unknown => refresh.min(UNKNOWN_FOR),
                    _ => 2 * refresh,
                };
                let end = end.min(now.0 + believed.as_secs()).max(now.0);
                let half = Duration::from_secs((end - now.0).div_ceil(2));
                known.note(told, UnixSeconds(end), later(now, half.max(LOOK_EVERY)));
            }
            Err(_) => {
                let wait = RETRY_AFTER.saturating_mul(1 << (failures.max(1) - 1).min(8));
                let again = later(now, wait.min(RETRY_AFTER_MAX));
                match before {
                    // Believed until it ends, and beyond it where it was bad.
                    (Told::Revoked, _) => known.note(Told::Revoked, again, again),
                    (Told::Good, until) if now <= until => known.put_off(again),
                    _ => known.note(Told::Nothing, again, again),
                }
            }
        }
        if known.told().0 != before.0 && before.0 != Told::Nothing
            || known.told().0 == Told::Revoked && before.0 != Told::Revoked
        {
            self.revocation.judge_again();
        }
    }

    fn url(&self, issuer: IssuerId) -> String {
        let responder = (self.configured)(issuer);
        responder.map_or_else(String::new, |known| known.url.to_string())
    }

    /// Says that clients do not wait for a responder, at the first, second, fourth.
    fn say_full(&self, issuer: IssuerId) {
        let clients = self.crowded_out.get() + 1;
        self.crowded_out.set(clients);
        if clients.is_power_of_two() {
            tracing::warn!(
                responder = self.url(issuer),
                clients,
                hint = "see whether the responder is up and as fast as clients come",
                "too many handshakes wait for answers of an OCSP responder: clients are judged \
                 without, by the ocsp policy of their group"
            );
        }
    }

    /// Says that a responder does not answer, at the first, second, fourth time, and that it does
    /// again.
    fn say<T>(&self, issuer: IssuerId, outcome: &Result<T, NoStatus>) {
        let responder = self.url(issuer);
        let manners = self.manners(issuer);
        let failures = manners.failures.get();
        match outcome {
            Ok(_) => {
                manners.failures.set(0);
                if failures > 0 {
                    tracing::info!(responder, "the OCSP responder answers again");
                }
            }
            Err(wrong) => {
                manners.failures.set(failures + 1);
                if (failures + 1).is_power_of_two() {
                    let (what, hint) = wrong.explained();
                    tracing::error!(
                        responder,
                        failures = failures + 1,
                        hint,
                        "a client's certificate cannot be asked about: {what}; clients of which \
                         nothing is known are judged by the ocsp policy of their group"
                    );
                }
            }
        }
    }
}

/// A time in the future, within a tenth of the way by chance: what was asked together is not asked
/// together for ever.
fn later(now: UnixSeconds, wait: Duration) -> UnixSeconds {
    let mut chance = [0];
    // Without chance all ask together, which does no harm to this one.
    let _ = rand::fill(&mut chance);
    let wait = wait - wait * u32::from(chance[0]) / 2_560;
    UnixSeconds(now.0 + wait.as_secs().max(1))
}
