//! One warm request and its answer, through every pure room in a row: what `proxy::connection` and
//! `proxy::exchange` call between their waits.

use std::hint::black_box;
use std::mem::MaybeUninit;

use t8gate::audit::RequestId;
use t8gate::http::h1::{self, ResponseFraming};
use t8gate::http::head::{self, HeadLimits};
use t8gate::limits::{FIELDS_MAX, RELAY_BYTES};
use t8gate::privacy::{Guard, Scratch};
use t8gate::proxy::forward::Identity;
use t8gate::proxy::source::{Sink, Source};

use super::Rounds;
use super::gate::Gate;
use super::guard::{look_at_answer, look_at_request};
use super::head::address;
use crate::messages;
use crate::scene::Scene;
use crate::wire::Wire;

/// A GET.
pub struct Get {
    wire: Wire,
    gate: Gate,
    identity: Identity,
    limits: HeadLimits,
    request: Vec<u8>,
    answer: Vec<u8>,
    received: Vec<Vec<u8>>,
    /// How many requests there have been since `received` was filled, and in all.
    opened: usize,
    count: u64,
    plain: Vec<u8>,
    upstream: Vec<u8>,
    relayed: Vec<u8>,
    sent: Vec<u8>,
    guard: &'static Guard,
    scratch: Scratch,
}

impl Get {
    pub fn new() -> Self {
        let scene = Scene::set();
        let wire = Wire::connect(scene);
        let buffer = || Vec::with_capacity(4 * 1024);
        Self {
            gate: Gate::new(scene, wire.peer.clone()),
            identity: Identity::new(&wire.peer, address()),
            limits: messages::head_limits(),
            request: messages::get(&scene.token(0)),
            answer: messages::answer(),
            received: Vec::new(),
            opened: 0,
            count: 0,
            plain: buffer(),
            upstream: buffer(),
            relayed: buffer(),
            sent: buffer(),
            guard: &scene.snapshot.guard,
            scratch: Scratch::default(),
            wire,
        }
    }

    /// From the record to the head that the SCEF gets.
    fn ask(&mut self) -> (head::Method, RequestId) {
        let received = &mut self.received[self.opened];
        self.wire.open(received, &mut self.plain);
        let end = head::head_end(&self.plain, &mut 0).expect("a whole head");
        self.count += 1;
        let id = RequestId::new(0xdead_beef_0000_0001, self.count);
        let mut slots = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let head = head::request(&self.plain[..end], &mut slots, &self.limits);
        let head = head.unwrap_or_else(|fault| panic!("{}", fault.word()));
        let permit = self.gate.admit(&head);
        look_at_request(self.guard, &self.plain[..end], &head, &mut self.scratch);
        self.identity
            .write_head(&mut self.upstream, &head, &permit, &id);
        (head.method, id)
    }

    /// From the SCEF's answer to the record that the client gets.
    fn answer(&mut self, method: head::Method, id: RequestId) {
        let answer = black_box(&self.answer);
        let end = head::head_end(answer, &mut 0).expect("a whole head");
        let mut slots = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let head = head::response(&answer[..end], &mut slots, method);
        let head = head.unwrap_or_else(|fault| panic!("{}", fault.word()));
        let read = (&answer[..end], &head);
        look_at_answer(self.guard, read, &answer[end..], &mut self.scratch);
        let mut extra = [0; 48];
        extra[..14].copy_from_slice(b"X-Request-Id: ");
        extra[14..46].copy_from_slice(id.as_str().as_bytes());
        extra[46..].copy_from_slice(b"\r\n");
        let framing = ResponseFraming::relaying(&head);
        h1::write_response_head(&mut self.relayed, &head, framing, false, &extra);
        let mut body = Source::Length(messages::ANSWER_BODY_BYTES as u64);
        let taken = body.take(&answer[end..], &mut self.relayed, Sink::Plain, RELAY_BYTES);
        assert!(taken.is_ok() && body.is_done());
        self.wire.seal(&self.relayed, &mut self.sent);
    }
}

impl Rounds for Get {
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
        for buffer in [
            &mut self.plain,
            &mut self.upstream,
            &mut self.relayed,
            &mut self.sent,
        ] {
            buffer.clear();
        }
        let (method, id) = self.ask();
        self.opened += 1;
        black_box(&self.upstream);
        self.answer(method, id);
        black_box(&self.sent);
    }
}
