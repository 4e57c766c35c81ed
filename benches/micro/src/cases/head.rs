//! Heads read and written.

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::net::SocketAddr;

use t8gate::audit::RequestId;
use t8gate::http::head::{self, HeadLimits, Method, RequestHead};
use t8gate::limits::FIELDS_MAX;
use t8gate::proxy::forward::Identity;
use t8gate::proxy::gate::Permit;

use super::Rounds;
use super::gate::Gate;
use crate::messages;
use crate::scene::Scene;
use crate::wire::Wire;

/// The head of a request read.
pub struct Request {
    bytes: Vec<u8>,
    limits: HeadLimits,
}

impl Request {
    pub fn get() -> Self {
        Self::of(messages::get(&Scene::set().token(0)))
    }

    pub fn post() -> Self {
        Self::of(messages::post(&Scene::set().token(0)))
    }

    fn of(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            limits: messages::head_limits(),
        }
    }
}

impl Rounds for Request {
    fn round(&mut self) {
        let mut slots = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let head = head::request(black_box(&self.bytes), &mut slots, &self.limits);
        assert!(head.is_ok_and(|head| black_box(head).keep_alive));
    }
}

/// The head of the SCEF's answer read.
pub struct Answer {
    bytes: Vec<u8>,
}

impl Answer {
    pub fn new() -> Self {
        Self {
            bytes: messages::answer_head(),
        }
    }
}

impl Rounds for Answer {
    fn round(&mut self) {
        let mut slots = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let head = head::response(black_box(&self.bytes), &mut slots, Method::Get);
        assert!(head.is_ok_and(|head| black_box(head).status == 200));
    }
}

/// A request head that stays for the rest of the process.
pub fn lasting(bytes: &'static [u8]) -> RequestHead<'static, 'static> {
    let slots = Box::leak(Box::new([const { MaybeUninit::uninit() }; FIELDS_MAX]));
    let read = head::request(bytes, slots, &messages::head_limits());
    read.unwrap_or_else(|fault| panic!("{}", fault.word()))
}

/// Where requests come from.
pub fn address() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], 40_001))
}

/// The head of an admitted request written for the SCEF.
pub struct Upstream {
    identity: Identity,
    head: RequestHead<'static, 'static>,
    permit: Permit<'static>,
    id: RequestId,
    out: Vec<u8>,
}

impl Upstream {
    pub fn new() -> Self {
        let scene = Scene::set();
        let wire = Wire::connect(scene);
        let head = lasting(messages::get(&scene.token(0)).leak());
        let permit = Gate::new(scene, wire.peer.clone()).admit(&head);
        Self {
            identity: Identity::new(&wire.peer, address()),
            head,
            permit,
            id: RequestId::new(0xdead_beef_0000_0001, 1),
            out: Vec::with_capacity(4 * 1024),
        }
    }
}

impl Rounds for Upstream {
    fn round(&mut self) {
        self.out.clear();
        let head = black_box(&self.head);
        self.identity
            .write_head(&mut self.out, head, &self.permit, &self.id);
        black_box(&self.out);
    }
}
