//! Whether a PIN may be tried: what tokens have refused, what is being tried, and what nobody heard
//! the outcome of. The gateway keeps that for all its signer processes.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Fingerprint;

/// A PIN, as one token is told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinAtToken {
    /// The token's serial number.
    pub serial: String,
    pub fingerprint: Fingerprint,
}

/// More than a gateway has tokens, times the slips of a pen.
const KNOWN_MAX: usize = 64;

/// PINs that tokens have refused, the last first: whoever opens a second key in a token, or opens
/// one again, be it in another signer process, must not spend another try on the same PIN. One that
/// has been corrected in its file is another.
static REFUSED: Mutex<Vec<PinAtToken>> = Mutex::new(Vec::new());

/// Whether this process knows that a PIN was refused.
pub fn is_refused(pin: &PinAtToken) -> bool {
    lock(&REFUSED).contains(pin)
}

/// Whether there is a PIN that was refused, or whose tries nobody has heard of and that was never
/// taken: it may be a wrong one.
pub fn any_may_be_wrong() -> bool {
    let in_doubt = |record: &Record| !record.taken && (record.under_way || record.unheard > 0);
    // In this order: whoever ends a try makes known first that it was refused.
    lock(&TRIES).records.iter().any(in_doubt) || !lock(&REFUSED).is_empty()
}

/// Has this process know that a PIN was refused.
pub fn refuse(pin: PinAtToken) {
    let mut refused = lock(&REFUSED);
    if !refused.contains(&pin) {
        refused.truncate(KNOWN_MAX - 1);
        refused.insert(0, pin);
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
    /// The gateway comes to its end.
    Ending,
}

/// What became of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Taken,
    Refused,
    /// The process was logged in already: the PIN was not looked at.
    Standing,
    /// The token was not there to look at it, and the module says so.
    NotReached,
    /// The token, or the way to it, failed: it may have looked at the PIN and refused it.
    Failed,
}

/// Whom a signer process asks before each try of a PIN, and tells what became of it.
#[derive(Clone, Copy)]
pub struct Gatekeeper {
    pub ask: fn(&PinAtToken) -> io::Result<Leave>,
    pub tell: fn(&PinAtToken, Outcome) -> io::Result<()>,
}

/// Tries whose outcome nobody heard, of which the last comes at once: a token that was started
/// again in the middle of a login may have heard nothing of it.
const UNHEARD_AT_ONCE: u32 = 2;
/// Until the one after those. Doubled with each.
const UNHEARD_PAUSE: Duration = Duration::from_secs(60);
/// The same of a PIN that the token has taken before: it was right then, and whoever waits for the
/// token to answer again waits for this as well.
const UNHEARD_PAUSE_TAKEN: Duration = Duration::from_secs(10);
/// At most.
const UNHEARD_PAUSE_MAX: Duration = Duration::from_secs(3600);

/// What is known of the tries of one PIN.
struct Record {
    pin: PinAtToken,
    /// The token has taken it.
    taken: bool,
    /// One has begun, and whoever began it is there still.
    under_way: bool,
    /// Tries since it was last taken that came to no end, or to none that says whether it is right.
    unheard: u32,
    /// When the last try began.
    last: Instant,
}

/// What is known of PINs that were not refused, the last tried first.
#[derive(Default)]
struct Tries {
    records: Vec<Record>,
    /// None is begun any more.
    ended: bool,
}

impl Tries {
    const fn new() -> Self {
        Self {
            records: Vec::new(),
            ended: false,
        }
    }

    fn begin(&mut self, pin: &PinAtToken, now: Instant) -> Leave {
        if self.ended {
            return Leave::Ending;
        }
        let found = self.records.iter().position(|record| record.pin == *pin);
        let mut record = match found {
            Some(place) => self.records.remove(place),
            None => Record {
                pin: pin.clone(),
                taken: false,
                under_way: false,
                unheard: 0,
                last: now,
            },
        };
        let leave = record.leave(now);
        if leave == Leave::Given {
            record.under_way = true;
            record.last = now;
        }
        self.records.truncate(KNOWN_MAX - 1);
        self.records.insert(0, record);
        leave
    }

    /// `outcome`: None: nobody will hear of it.
    fn end(&mut self, pin: &PinAtToken, outcome: Option<Outcome>) {
        let mut records = self.records.iter_mut();
        let Some(record) = records.find(|record| record.pin == *pin) else {
            return;
        };
        record.under_way = false;
        match outcome {
            Some(Outcome::Taken) => {
                record.taken = true;
                record.unheard = 0;
            }
            Some(Outcome::Refused | Outcome::Standing | Outcome::NotReached) => {}
            Some(Outcome::Failed) | None => record.unheard = record.unheard.saturating_add(1),
        }
    }
}

impl Record {
    fn leave(&self, now: Instant) -> Leave {
        if self.under_way {
            return Leave::UnderWay;
        }
        let Some(more) = self.unheard.checked_sub(UNHEARD_AT_ONCE) else {
            return Leave::Given;
        };
        let first = match self.taken {
            true => UNHEARD_PAUSE_TAKEN,
            false => UNHEARD_PAUSE,
        };
        let pause = first.saturating_mul(2_u32.saturating_pow(more));
        match now.saturating_duration_since(self.last) < pause.min(UNHEARD_PAUSE_MAX) {
            true => Leave::Unheard,
            false => Leave::Given,
        }
    }
}

static TRIES: Mutex<Tries> = Mutex::new(Tries::new());
static ENDED: Condvar = Condvar::new();

/// Has no PIN tried any more, and waits for so long at most for the tries under way. Whether all
/// have come to their ends: some tokens do not outlive that one is cut off.
pub fn end_all(wait: Duration) -> bool {
    let by = now() + wait;
    let mut tries = lock(&TRIES);
    tries.ended = true;
    while tries.records.iter().any(|record| record.under_way) {
        let left = by.saturating_duration_since(now());
        if left.is_zero() {
            return false;
        }
        let waited = ENDED.wait_timeout(tries, left);
        (tries, _) = waited.unwrap_or_else(PoisonError::into_inner);
    }
    true
}

/// A try of a PIN by a signer process: under way until that tells of its outcome, or is gone,
/// however long it takes. Dropped, it is one that nobody will hear of.
pub struct Try {
    pin: PinAtToken,
    /// The end that it has come to.
    end: Option<Outcome>,
}

impl Try {
    /// Waits for so long at most for another to end. Err: why it may not be tried.
    pub fn begin(pin: PinAtToken, wait: Duration) -> Result<Self, Leave> {
        let by = now() + wait;
        let mut tries = lock(&TRIES);
        loop {
            // Looked at under the lock: whoever ends a try makes known first that it was refused.
            if is_refused(&pin) {
                return Err(Leave::Refused);
            }
            let begun = now();
            let left = by.saturating_duration_since(begun);
            match tries.begin(&pin, begun) {
                Leave::Given => return Ok(Self { pin, end: None }),
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

    pub fn ends(mut self, outcome: Outcome) {
        if outcome == Outcome::Refused {
            refuse(self.pin.clone());
        }
        self.end = Some(outcome);
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        lock(&TRIES).end(&self.pin, self.end);
        ENDED.notify_all();
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
            let leave = tries.begin(&pin(), begun + Duration::from_secs(*after));
            if leave == Leave::Given {
                tries.end(&pin(), ends);
            }
            leave
        };
        seconds.iter().map(ask).collect()
    }

    /// Whatever the token did instead of saying that it does not take it.
    const UNHEARD: [Option<Outcome>; 2] = [None, Some(Outcome::Failed)];

    #[test]
    fn pin_whose_tries_nobody_hears_of_is_tried_once_more_and_then_ever_more_seldom() {
        use Leave::{Given, Unheard};
        let seconds = [0, 0, 0, 59, 60, 61, 179, 180, 181, 419, 420];
        let leaves = [
            Given, Given, Unheard, Unheard, Given, Unheard, Unheard, Given, Unheard, Unheard, Given,
        ];
        for ends in UNHEARD {
            let mut tries = Tries::default();
            assert_eq!(asked_at(&mut tries, ends, &seconds), leaves, "{ends:?}");
        }
        let mut tries = Tries::default();
        let hours = (0..40).map(|hour| hour * 3600);
        let hourly: Vec<_> = hours.collect();
        let often = asked_at(&mut tries, None, &hourly);
        assert!(often.iter().all(|leave| *leave == Given), "{often:?}");
    }

    /// It may have been changed in the token since.
    #[test]
    fn pin_that_was_taken_is_tried_again_sooner_and_ever_more_seldom_as_well() {
        use Leave::{Given, Unheard};
        for ends in UNHEARD {
            let mut tries = Tries::default();
            assert_eq!(asked_at(&mut tries, None, &[0, 0]), [Given, Given]);
            let taken = asked_at(&mut tries, Some(Outcome::Taken), &[60, 60]);
            assert_eq!(taken, [Given, Given]);
            let leaves = asked_at(
                &mut tries,
                ends,
                &[100, 100, 100, 109, 110, 129, 130, 169, 170],
            );
            let expected = [
                Given, Given, Unheard, Unheard, Given, Unheard, Given, Unheard, Given,
            ];
            assert_eq!(leaves, expected, "{ends:?}");
        }
    }

    #[test]
    fn token_that_is_not_there_is_asked_as_often_as_somebody_wants_it() {
        let mut tries = Tries::default();
        let away = asked_at(&mut tries, Some(Outcome::NotReached), &[0; 9]);
        assert_eq!(away, [Leave::Given; 9]);
        assert_eq!(asked_at(&mut tries, None, &[0; 2]), [Leave::Given; 2]);
        let standing = asked_at(&mut tries, Some(Outcome::Standing), &[60, 60]);
        assert_eq!(
            standing,
            [Leave::Given, Leave::Unheard],
            "it was not looked at"
        );
    }

    #[test]
    fn none_is_begun_behind_the_end() {
        let mut tries = Tries {
            ended: true,
            ..Tries::default()
        };
        assert_eq!(tries.begin(&pin(), now()), Leave::Ending);
    }

    /// A refusal that comes late is one as well.
    #[test]
    fn try_that_is_under_way_keeps_others_back_for_as_long_as_it_takes() {
        let mut tries = Tries::default();
        let begun = now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(tries.begin(&pin(), at(0)), Leave::Given);
        assert_eq!(tries.begin(&pin(), at(9)), Leave::UnderWay);
        assert_eq!(tries.begin(&pin(), at(86_400)), Leave::UnderWay);
        tries.end(&pin(), Some(Outcome::Taken));
        assert_eq!(tries.begin(&pin(), at(86_400)), Leave::Given);
    }
}
