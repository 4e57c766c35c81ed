//! Records opened and sealed.

use std::hint::black_box;

use super::Rounds;
use crate::messages;
use crate::scene::Scene;
use crate::wire::Wire;

/// A record of the client opened. It lies in the buffer that it was received into.
pub struct Open {
    wire: Wire,
    request: Vec<u8>,
    received: Vec<Vec<u8>>,
    /// How many of them have been opened.
    opened: usize,
    plain: Vec<u8>,
}

impl Open {
    pub fn new() -> Self {
        let scene = Scene::set();
        Self {
            wire: Wire::connect(scene),
            request: messages::get(&scene.token(0)),
            received: Vec::new(),
            opened: 0,
            plain: Vec::with_capacity(4 * 1024),
        }
    }
}

impl Rounds for Open {
    fn refill(&mut self, rounds: usize) {
        assert_eq!(
            self.opened,
            self.received.len(),
            "records open in their order"
        );
        let record = |_| self.wire.record_of_client(&self.request);
        self.received = (0..rounds).map(record).collect();
        self.opened = 0;
    }

    fn round(&mut self) {
        self.plain.clear();
        let received = &mut self.received[self.opened];
        self.opened += 1;
        self.wire.open(received, &mut self.plain);
        assert_eq!(black_box(&self.plain).len(), self.request.len());
    }
}

/// An answer sealed.
pub struct Seal {
    wire: Wire,
    answer: Vec<u8>,
    out: Vec<u8>,
}

impl Seal {
    pub fn new() -> Self {
        Self {
            wire: Wire::connect(Scene::set()),
            answer: messages::answer(),
            out: Vec::with_capacity(4 * 1024),
        }
    }
}

impl Rounds for Seal {
    fn round(&mut self) {
        self.out.clear();
        self.wire.seal(black_box(&self.answer), &mut self.out);
        black_box(&self.out);
    }
}
