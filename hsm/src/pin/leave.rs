//! Whether a PIN may be tried: what tokens have refused, what is being tried, and what nobody heard
//! the outcome of. The gateway keeps that for all its signer processes.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::OpenFault;

/// HMAC-SHA256 of a PIN, by a key of this gateway's life.
pub type Fingerprint = [u8; 32];

/// A PIN, as one token is told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinAtToken {
    /// The token's serial number.
    pub serial: String,
    pub fingerprint: Fingerprint,
}

/// PINs that tokens have refused: whoever opens a second key in a token, or opens one again, be it
/// in another signer process, must not spend another try on the same PIN. One that has been
/// corrected in its file is another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusedPins {
    /// Of the fingerprints; all zero until there is one.
    pub key: Fingerprint,
    pub known: Vec<PinAtToken>,
}

/// More than a gateway has tokens, times the slips of a pen.
const KNOWN_MAX: usize = 64;

static REFUSED: Mutex<RefusedPins> = Mutex::new(RefusedPins {
    key: [0; 32],
    known: Vec::new(),
});

impl RefusedPins {
    /// What this process knows, with a key.
    pub fn of_this_process() -> Result<Self, OpenFault> {
        let mut refused = lock(&REFUSED);
        refused.have_key()?;
        Ok(refused.clone())
    }

    /// Whether this process knows that a PIN was refused.
    pub fn has(pin: &PinAtToken) -> bool {
        lock(&REFUSED).known.contains(pin)
    }

    /// Whether this process knows of any PIN that was refused.
    pub fn any() -> bool {
        !lock(&REFUSED).known.is_empty()
    }

    /// Has this process know that a PIN was refused.
    pub fn add(pin: PinAtToken) {
        lock(&REFUSED).refuse(pin);
    }

    /// Takes over what another process of the gateway knows, with its key. What this one knows
    /// beside it stays: others may have said it meanwhile.
    pub fn learn(self) {
        let mut held = lock(&REFUSED);
        if held.key != self.key {
            *held = self;
            return;
        }
        for pin in self.known.into_iter().rev() {
            held.refuse(pin);
        }
    }

    fn refuse(&mut self, pin: PinAtToken) {
        if !self.known.contains(&pin) {
            self.known.truncate(KNOWN_MAX - 1);
            self.known.insert(0, pin);
        }
    }

    fn have_key(&mut self) -> Result<(), OpenFault> {
        if self.key != [0; 32] {
            return Ok(());
        }
        aws_lc_rs::rand::fill(&mut self.key).map_err(|_| {
            OpenFault::new(
                "there are no random numbers",
                "check the system's random number source",
            )
        })
    }
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a PIN may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    Given,
    /// The token has refused it.
    Refused,
    /// It is being tried, by another process, and may be about to be refused.
    UnderWay,
    /// Nobody heard what became of the last tries: they may have been refused.
    Unheard,
}

/// What became of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Taken,
    Refused,
    /// The process was logged in already: the PIN was not looked at.
    Standing,
    /// Neither: the token, or the way to it, failed.
    Failed,
}

/// Whom a signer process asks before each try of a PIN, and tells what became of it.
#[derive(Clone, Copy)]
pub struct Gatekeeper {
    pub ask: fn(&PinAtToken) -> io::Result<Leave>,
    pub tell: fn(&PinAtToken, Outcome) -> io::Result<()>,
}

/// For a login to come to its end. After that it counts as one that nobody hears of.
pub const LOGIN_WAIT: Duration = Duration::from_secs(10);
/// Tries whose outcome nobody heard, of which the last comes at once: a token that was started
/// again in the middle of a login is not to be waited for.
const UNHEARD_AT_ONCE: u32 = 2;
/// Until the one after those. Doubled with each.
const UNHEARD_PAUSE: Duration = Duration::from_secs(60);
/// At most, for a PIN that the token has taken before: it is right, and whoever waits for the token
/// to answer again waits for this as well.
const UNHEARD_PAUSE_MAX_TAKEN: Duration = LOGIN_WAIT;
/// At most, for any other.
const UNHEARD_PAUSE_MAX: Duration = Duration::from_secs(3600);

/// What is known of the tries of one PIN.
struct Record {
    pin: PinAtToken,
    /// The token has taken it.
    taken: bool,
    /// When tries began that nobody has heard of yet.
    under_way: Vec<Instant>,
    /// Tries since it was last taken that came to no end, or to none that says whether it is right.
    unheard: u32,
    /// When the last try began.
    last: Instant,
}

/// What is known of PINs that were not refused, the last tried first.
#[derive(Default)]
struct Tries {
    records: Vec<Record>,
}

impl Tries {
    const fn new() -> Self {
        Self {
            records: Vec::new(),
        }
    }

    fn begin(&mut self, pin: &PinAtToken, now: Instant) -> Leave {
        let found = self.records.iter().position(|record| record.pin == *pin);
        let mut record = match found {
            Some(place) => self.records.remove(place),
            None => Record {
                pin: pin.clone(),
                taken: false,
                under_way: Vec::new(),
                unheard: 0,
                last: now,
            },
        };
        let leave = record.leave(now);
        if leave == Leave::Given {
            record.under_way.push(now);
            record.last = now;
        }
        self.records.truncate(KNOWN_MAX - 1);
        self.records.insert(0, record);
        leave
    }

    /// `outcome`: None: nobody will hear of it.
    fn end(&mut self, pin: &PinAtToken, begun: Instant, outcome: Option<Outcome>) {
        let mut records = self.records.iter_mut();
        let Some(record) = records.find(|record| record.pin == *pin) else {
            return;
        };
        let mut under_way = record.under_way.iter();
        // The token has taken it meanwhile from another.
        let Some(place) = under_way.position(|since| *since == begun) else {
            return;
        };
        record.under_way.remove(place);
        match outcome {
            Some(Outcome::Taken) => {
                record.taken = true;
                record.unheard = 0;
                record.under_way.clear();
            }
            Some(Outcome::Refused | Outcome::Standing) => {}
            // One that was right a moment ago is not made wrong by a token that is away.
            Some(Outcome::Failed) if record.taken => {}
            Some(Outcome::Failed) | None => record.unheard = record.unheard.saturating_add(1),
        }
    }
}

impl Record {
    fn leave(&self, now: Instant) -> Leave {
        let since = |then: Instant| now.saturating_duration_since(then);
        if self.under_way.iter().any(|then| since(*then) < LOGIN_WAIT) {
            return Leave::UnderWay;
        }
        let silent = u32::try_from(self.under_way.len()).unwrap_or(u32::MAX);
        let unheard = self.unheard.saturating_add(silent);
        let Some(more) = unheard.checked_sub(UNHEARD_AT_ONCE) else {
            return Leave::Given;
        };
        let longest = match self.taken {
            true => UNHEARD_PAUSE_MAX_TAKEN,
            false => UNHEARD_PAUSE_MAX,
        };
        let pause = UNHEARD_PAUSE.saturating_mul(2_u32.saturating_pow(more));
        match since(self.last) < pause.min(longest) {
            true => Leave::Unheard,
            false => Leave::Given,
        }
    }
}

static TRIES: Mutex<Tries> = Mutex::new(Tries::new());
static ENDED: Condvar = Condvar::new();

/// A try of a PIN by a signer process. Dropped, it is one that nobody will hear of.
pub struct Try {
    pin: PinAtToken,
    begun: Instant,
}

impl Try {
    /// Waits for so long at most for another to end. Err: why it may not be tried.
    pub fn begin(pin: PinAtToken, wait: Duration) -> Result<Self, Leave> {
        let by = now() + wait;
        let mut tries = lock(&TRIES);
        loop {
            // Looked at under the lock: whoever ends a try makes known first that it was refused.
            if RefusedPins::has(&pin) {
                return Err(Leave::Refused);
            }
            let begun = now();
            let left = by.saturating_duration_since(begun);
            match tries.begin(&pin, begun) {
                Leave::Given => return Ok(Self { pin, begun }),
                Leave::UnderWay if !left.is_zero() => {
                    let waited = ENDED.wait_timeout(tries, left);
                    (tries, _) = waited.unwrap_or_else(PoisonError::into_inner);
                }
                not => return Err(not),
            }
        }
    }

    pub fn is_of(&self, pin: &PinAtToken) -> bool {
        self.pin == *pin
    }

    pub fn ends(self, outcome: Outcome) {
        if outcome == Outcome::Refused {
            RefusedPins::add(self.pin.clone());
        }
        // Once it is dropped there is nothing left to be ended.
        self.end(Some(outcome));
    }

    fn end(&self, outcome: Option<Outcome>) {
        lock(&TRIES).end(&self.pin, self.begun, outcome);
        ENDED.notify_all();
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        self.end(None);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is no pure room: it waits for a token"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin() -> PinAtToken {
        PinAtToken {
            serial: "0011".to_owned(),
            fingerprint: [9; 32],
        }
    }

    /// Leaves that are asked for at these seconds, each try coming to the same end at once.
    fn asked_at(tries: &mut Tries, ends: Option<Outcome>, seconds: &[u64]) -> Vec<Leave> {
        let begun = now();
        let ask = |after: &u64| {
            let at = begun + Duration::from_secs(*after);
            let leave = tries.begin(&pin(), at);
            if leave == Leave::Given {
                tries.end(&pin(), at, ends);
            }
            leave
        };
        seconds.iter().map(ask).collect()
    }

    #[test]
    fn pin_whose_tries_nobody_hears_of_is_tried_once_more_and_then_ever_more_seldom() {
        use Leave::{Given, Unheard};
        let seconds = [0, 0, 0, 59, 60, 61, 179, 180, 181, 419, 420];
        let leaves = [
            Given, Given, Unheard, Unheard, Given, Unheard, Unheard, Given, Unheard, Unheard, Given,
        ];
        for ends in [None, Some(Outcome::Failed)] {
            let mut tries = Tries::default();
            assert_eq!(asked_at(&mut tries, ends, &seconds), leaves, "{ends:?}");
        }
        let mut tries = Tries::default();
        let hours = (0..40).map(|hour| hour * 3600);
        let hourly: Vec<_> = hours.collect();
        let often = asked_at(&mut tries, None, &hourly);
        assert!(often.iter().all(|leave| *leave == Given), "{often:?}");
    }

    #[test]
    fn pin_that_was_taken_is_soon_tried_again_whatever_became_of_others() {
        use Leave::{Given, Unheard};
        let mut tries = Tries::default();
        assert_eq!(asked_at(&mut tries, None, &[0, 0]), [Given, Given]);
        let taken = asked_at(&mut tries, Some(Outcome::Taken), &[60, 60]);
        assert_eq!(taken, [Given, Given]);
        let away = asked_at(&mut tries, Some(Outcome::Failed), &[61, 61, 61, 61]);
        assert_eq!(away, [Given; 4], "a token that says that it is away");
        let unheard = asked_at(&mut tries, None, &[100, 100, 100, 109, 110, 119, 120]);
        let leaves = [Given, Given, Unheard, Unheard, Given, Unheard, Given];
        assert_eq!(unheard, leaves);
    }

    #[test]
    fn try_that_is_under_way_keeps_others_back_and_counts_when_it_takes_too_long() {
        let mut tries = Tries::default();
        let begun = now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(tries.begin(&pin(), at(0)), Leave::Given);
        assert_eq!(tries.begin(&pin(), at(9)), Leave::UnderWay);
        assert_eq!(tries.begin(&pin(), at(10)), Leave::Given);
        assert_eq!(tries.begin(&pin(), at(11)), Leave::UnderWay);
        assert_eq!(tries.begin(&pin(), at(20)), Leave::Unheard);
        tries.end(&pin(), at(0), Some(Outcome::Taken));
        assert_eq!(tries.begin(&pin(), at(21)), Leave::Given);
        tries.end(&pin(), at(10), None);
        tries.end(&pin(), at(21), Some(Outcome::Standing));
        let record = &tries.records[0];
        assert_eq!((record.unheard, record.under_way.len()), (0, 0));
    }
}
