//! One key in several tokens: whoever waits least signs, and where one cannot, the next does.
//!
//! What keeps a token that is down from being asked is its own: a key in a signer process is out of
//! service from its first fault until it is proved again, which is tried with back-off, and says so
//! without being asked twice. A token that hangs costs the signature that finds it out
//! `sign_within`; then that one goes on to the next as well. One that is in service and refuses is
//! asked last, and first again now and then, until it has signed.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use crate::{KeyKind, OpenFault, Pkcs11Source, PrivateKey, Scheme, SignFault, SignJob};

/// More is no redundancy but a mistake.
const SLOTS_MAX: usize = 8;

pub struct Slots {
    slots: Vec<Slot>,
    /// What all of them sign by, best first.
    schemes: Vec<Scheme>,
}

struct Slot {
    key: PrivateKey,
    record: Record,
}

/// Refusals in a row after which a token is asked last.
const REFUSALS_MAX: u32 = 3;
/// Of so many signatures that others make then, it is asked for one.
const ASKED_AGAIN_EVERY: u32 = 64;

/// How a token has done lately.
#[derive(Default)]
struct Record {
    /// Signatures it has been asked for and has not made yet.
    queued: AtomicUsize,
    /// Refusals since its last signature, then also signatures that others made in its place.
    refusals: AtomicU32,
}

impl Record {
    /// Whether others are to be asked first, and how many signatures it is at: what is least goes
    /// first.
    fn rank(&self) -> (bool, usize) {
        let refusals = self.refusals.load(Ordering::Relaxed);
        let last = refusals >= REFUSALS_MAX && !refusals.is_multiple_of(ASKED_AGAIN_EVERY);
        (last, self.queued.load(Ordering::Relaxed))
    }

    fn passed_over(&self) {
        if self.refusals.load(Ordering::Relaxed) >= REFUSALS_MAX {
            self.refusals.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Slots {
    /// Opens the key in each of the tokens; all of them have to be there at the start.
    pub fn open(sources: &[Pkcs11Source]) -> Result<Self, OpenFault> {
        if sources.is_empty() || sources.len() > SLOTS_MAX {
            return Err(OpenFault::lasting(
                format!("{} tokens for one key", sources.len()),
                format!("name 1 up to {SLOTS_MAX}"),
            ));
        }
        let opened = sources.iter().map(|source| {
            let key = PrivateKey::from_token(source);
            let key = key.map_err(|fault| of_token(&source.uri, &fault))?;
            let record = Record::default();
            Ok(Slot { key, record })
        });
        let slots = opened.collect::<Result<Vec<_>, OpenFault>>()?;
        let kind = slots[0].key.kind();
        let (first, rest) = (&slots[0].key, &slots[1..]);
        let by_all = |scheme: &Scheme| rest.iter().all(|s| s.key.schemes().contains(scheme));
        let schemes: Vec<_> = first.schemes().iter().copied().filter(by_all).collect();
        if schemes.is_empty() || rest.iter().any(|slot| slot.key.kind() != kind) {
            return Err(OpenFault::lasting(
                "the tokens hold keys of different kinds, or sign by no common scheme",
                "put the same key into all of them, by the HSM's own means",
            ));
        }
        Ok(Self { slots, schemes })
    }

    pub fn kind(&self) -> KeyKind {
        self.slots[0].key.kind()
    }

    pub fn schemes(&self) -> &[Scheme] {
        &self.schemes
    }

    pub fn revive(&self) {
        self.slots.iter().for_each(|slot| slot.key.revive());
    }

    /// Proves that each of them holds the key of this SubjectPublicKeyInfo.
    pub fn prove(&self, spki: &[u8]) -> Result<(), OpenFault> {
        self.slots.iter().enumerate().try_for_each(|(at, slot)| {
            let proved = slot.key.prove(spki);
            proved.map_err(|fault| of_token(&format!("token {}", at + 1), &fault))
        })
    }

    /// The same where only the first says which key that is.
    pub fn prove_alone(&self) -> Result<Vec<u8>, OpenFault> {
        let spki = self.slots[0].key.prove_alone()?;
        self.prove(&spki)?;
        Ok(spki)
    }

    /// Whether each of them is known to be the key of this certificate.
    pub fn is_known_to_be(&self, spki: &[u8]) -> bool {
        self.slots.iter().all(|slot| slot.key.is_known_to_be(spki))
    }

    pub fn sign(&self, job: SignJob<'_>) -> Result<Vec<u8>, SignFault> {
        first_that_can(self.slots.iter().map(|slot| &slot.record), |at| {
            self.slots[at].key.sign(job)
        })
    }
}

/// Asks the one with the fewest queued, then, where that cannot sign, whyever, the next of those
/// that are left. The fault is the first one's.
fn first_that_can<'a>(
    records: impl ExactSizeIterator<Item = &'a Record>,
    sign: impl Fn(usize) -> Result<Vec<u8>, SignFault>,
) -> Result<Vec<u8>, SignFault> {
    let mut left: Vec<_> = records.enumerate().collect();
    let mut fault = None;
    loop {
        // Of equals the first: a list is in the operator's order.
        let ranked = left.iter().enumerate();
        let least = ranked.min_by_key(|(_, (_, record))| record.rank());
        let Some((place, _)) = least else {
            return Err(fault.unwrap_or(SignFault::TokenGone));
        };
        let (at, record) = left.remove(place);
        record.queued.fetch_add(1, Ordering::Relaxed);
        let signed = sign(at);
        record.queued.fetch_sub(1, Ordering::Relaxed);
        match signed {
            Ok(signature) => {
                record.refusals.store(0, Ordering::Relaxed);
                left.iter().for_each(|(_, record)| record.passed_over());
                return Ok(signature);
            }
            Err(why) => {
                if why == SignFault::Refused {
                    record.refusals.fetch_add(1, Ordering::Relaxed);
                }
                fault.get_or_insert(why);
            }
        }
    }
}

fn of_token(token: &str, fault: &OpenFault) -> OpenFault {
    OpenFault {
        what: format!("{token}: {}", fault.what),
        ..fault.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(
        records: &[Record],
        answers: &[Result<Vec<u8>, SignFault>],
    ) -> (Result<Vec<u8>, SignFault>, Vec<usize>) {
        let asked = std::cell::RefCell::new(Vec::new());
        let answer = first_that_can(records.iter(), |at| {
            asked.borrow_mut().push(at);
            answers[at].clone()
        });
        (answer, asked.into_inner())
    }

    fn queued<const N: usize>(queued: [usize; N]) -> [Record; N] {
        queued.map(|queued| Record {
            queued: queued.into(),
            ..Record::default()
        })
    }

    #[test]
    fn least_queued_signs_and_those_that_cannot_are_passed_over() {
        let records = queued([3, 1, 2]);
        let (gone, made) = (Err(SignFault::TokenGone), Ok(vec![1]));
        let all = [made.clone(), made.clone(), made.clone()];
        assert_eq!(ask(&records, &all), (made.clone(), vec![1]));
        let first = [made.clone(), gone.clone(), Err(SignFault::Busy)];
        assert_eq!(ask(&records, &first), (made, vec![1, 2, 0]));
        let none = [Err(SignFault::Busy), gone.clone(), Err(SignFault::KeyGone)];
        assert_eq!(ask(&records, &none), (gone, vec![1, 2, 0]));
        let counts = records.map(|record| record.queued.into_inner());
        assert_eq!(counts, [3, 1, 2], "nothing is under way");
    }

    #[test]
    fn token_that_refuses_is_stood_in_for_and_asked_seldom_until_it_signs() {
        let records = queued([0, 0]);
        let made = Ok(vec![1]);
        let refusing = [Err(SignFault::Refused), made.clone()];
        let mut first = 0;
        for _ in 0..200 {
            let (answer, asked) = ask(&records, &refusing);
            assert_eq!(answer, made);
            first += usize::from(asked[0] == 0);
        }
        assert!((4..10).contains(&first), "{first}");
        let whole = [made.clone(), made.clone()];
        let asked = (0..70).map(|_| ask(&records, &whole).1[0]);
        assert_eq!(asked.last(), Some(0), "it has signed since");
        let refused = [Err(SignFault::Refused), Err(SignFault::TokenGone)];
        assert_eq!(ask(&records, &refused).0, Err(SignFault::Refused));
    }
}
