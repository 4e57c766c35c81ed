//! Which questions about clients are under way, and which handshakes wait for them.
//!
//! Places are bounded, and a responder that hangs does not give back those of its issuer's clients
//! for as long as a question may take. So no issuer has more of them than are left: one that takes
//! all it can leaves half of them free, two leave a third, and a client of any other issuer still
//! finds a place.

use std::collections::HashMap;

use tokio::sync::oneshot;

use crate::tls::revocation::IssuerId;

/// By issuer and the content octets of the serial number.
pub(super) type Certificate = (IssuerId, Box<[u8]>);

/// What became of a handshake that wants to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admitted {
    /// It waits for a question that is to be asked now.
    First,
    /// It waits for one that is being asked.
    Joined,
    /// It does not wait: the clients of its issuer have all the places they may have.
    Full,
}

/// 0 <= places of an issuer <= `taken` <= `places_max`.
pub(super) struct Waiting {
    places_max: usize,
    under_way: HashMap<Certificate, UnderWay>,
    /// Of each issuer.
    places: HashMap<IssuerId, usize>,
    taken: usize,
}

struct UnderWay {
    waiting: Vec<oneshot::Sender<()>>,
    /// A handshake began it. It has a place then until it ends, also where nobody waits any more:
    /// the answer is for whoever comes next, and the number of questions is bounded by that.
    by_handshake: bool,
}

impl UnderWay {
    fn places(&self) -> usize {
        self.waiting.len().max(usize::from(self.by_handshake))
    }
}

impl Waiting {
    pub(super) fn new(places_max: usize) -> Self {
        Self {
            places_max,
            under_way: HashMap::new(),
            places: HashMap::new(),
            taken: 0,
        }
    }

    /// Has a handshake wait for the question about a certificate, where there is a place for it.
    pub(super) fn admit(
        &mut self,
        certificate: Certificate,
        answered: oneshot::Sender<()>,
    ) -> Admitted {
        let issuer = certificate.0;
        let left = self.places_max.saturating_sub(self.taken);
        if self.places_of(issuer) >= left {
            return Admitted::Full;
        }
        let (before, after, admitted) = match self.under_way.get_mut(&certificate) {
            Some(question) => {
                let before = question.places();
                question.waiting.push(answered);
                (before, question.places(), Admitted::Joined)
            }
            None => {
                let question = UnderWay {
                    waiting: vec![answered],
                    by_handshake: true,
                };
                self.under_way.insert(certificate, question);
                (0, 1, Admitted::First)
            }
        };
        self.give_back(issuer, before);
        self.take(issuer, after);
        admitted
    }

    /// Notes a question that nobody waits for. None: it is under way already.
    pub(super) fn begin(&mut self, certificate: Certificate) -> Option<()> {
        if self.under_way.contains_key(&certificate) {
            return None;
        }
        let question = UnderWay {
            waiting: Vec::new(),
            by_handshake: false,
        };
        self.under_way.insert(certificate, question);
        Some(())
    }

    /// Notes that a question has ended, and gives those who are to be told.
    pub(super) fn end(&mut self, certificate: &Certificate) -> Vec<oneshot::Sender<()>> {
        let Some(question) = self.under_way.remove(certificate) else {
            return Vec::new();
        };
        self.give_back(certificate.0, question.places());
        question.waiting
    }

    /// Lets go of handshakes that do not wait any more: their client is gone, or their time is up.
    pub(super) fn forget_gone(&mut self) {
        let mut given_back = Vec::new();
        for ((issuer, _), question) in &mut self.under_way {
            let before = question.places();
            question.waiting.retain(|waiting| !waiting.is_closed());
            given_back.push((*issuer, before - question.places()));
        }
        for (issuer, places) in given_back {
            self.give_back(issuer, places);
        }
    }

    fn places_of(&self, issuer: IssuerId) -> usize {
        self.places.get(&issuer).copied().unwrap_or(0)
    }

    fn take(&mut self, issuer: IssuerId, places: usize) {
        *self.places.entry(issuer).or_default() += places;
        self.taken += places;
    }

    /// An issuer that has none left is forgotten: the next configuration may not know it.
    fn give_back(&mut self, issuer: IssuerId, places: usize) {
        let left = self.places_of(issuer).saturating_sub(places);
        match left {
            0 => self.places.remove(&issuer),
            left => self.places.insert(issuer, left),
        };
        self.taken = self.taken.saturating_sub(places);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::ocsp::OcspIssuer;
    use crate::tls::ocsp::tests::responder::Scene;

    fn issuer() -> IssuerId {
        OcspIssuer::read(&Scene::new().ca).unwrap().id()
    }

    fn of(issuer: IssuerId, serial: u8) -> Certificate {
        (issuer, Box::new([serial]))
    }

    /// As many as get a place, each for a certificate of its own, of so many that want one.
    fn fill(waiting: &mut Waiting, issuer: IssuerId, wanted: u8) -> Vec<oneshot::Receiver<()>> {
        let admit = |serial| {
            let (answered, told) = oneshot::channel();
            let admitted = waiting.admit(of(issuer, serial), answered);
            (admitted != Admitted::Full).then_some(told)
        };
        (0..wanted).filter_map(admit).collect()
    }

    #[test]
    fn no_issuer_has_more_places_than_are_left() {
        let mut waiting = Waiting::new(12);
        let [one, two, three] = [issuer(), issuer(), issuer()];
        let first = fill(&mut waiting, one, 100);
        assert_eq!(first.len(), 6, "half of them");
        let second = fill(&mut waiting, two, 100);
        assert_eq!(second.len(), 3, "half of the rest");
        assert_eq!(fill(&mut waiting, one, 100).len(), 0);
        assert_eq!(
            fill(&mut waiting, three, 1).len(),
            1,
            "another still finds one"
        );
        for serial in 0..6 {
            assert_eq!(waiting.end(&of(one, serial)).len(), 1);
        }
        assert_eq!(fill(&mut waiting, one, 100).len(), 4, "of the eight left");
    }

    #[test]
    fn handshakes_that_wait_no_more_give_their_places_back_and_questions_do_at_their_end() {
        let (mut waiting, one) = (Waiting::new(8), issuer());
        let mut join = || {
            let (answered, told) = oneshot::channel();
            (waiting.admit(of(one, 200), answered), told)
        };
        let all: Vec<_> = (0..5).map(|_| join()).collect();
        let said: Vec<_> = all.iter().map(|(admitted, _)| *admitted).collect();
        let (first, joined, full) = (Admitted::First, Admitted::Joined, Admitted::Full);
        assert_eq!(said, [first, joined, joined, joined, full]);
        drop(all);
        assert_eq!(join().0, full, "not looked at yet");
        waiting.forget_gone();
        assert_eq!(waiting.taken, 1, "the question's own");
        assert_eq!(fill(&mut waiting, one, 100).len(), 3);
        assert_eq!(waiting.end(&of(one, 200)).len(), 0);
        waiting.forget_gone();
        for serial in 0..100 {
            waiting.end(&of(one, serial));
        }
        assert!(waiting.taken == 0 && waiting.places.is_empty() && waiting.under_way.is_empty());
    }

    #[test]
    fn question_that_nobody_waits_for_takes_no_place_and_is_asked_once() {
        let (mut waiting, one) = (Waiting::new(2), issuer());
        for serial in 0..9 {
            assert!(waiting.begin(of(one, serial)).is_some());
        }
        assert!(waiting.begin(of(one, 8)).is_none(), "under way");
        assert_eq!(waiting.taken, 0);
        let (answered, _told) = oneshot::channel();
        assert_eq!(waiting.admit(of(one, 8), answered), Admitted::Joined);
        assert_eq!(waiting.taken, 1);
        assert_eq!(waiting.end(&of(one, 8)).len(), 1);
        assert_eq!(waiting.taken, 0);
    }
}
