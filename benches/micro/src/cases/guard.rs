//! What is looked through for identities of subscribers.

use std::hint::black_box;
use std::mem::MaybeUninit;

use httparse::Header;
use t8gate::http::fields::around;
use t8gate::http::head::{self, Authorization, Method, RequestHead, ResponseHead};
use t8gate::limits::FIELDS_MAX;
use t8gate::privacy::{Guard, Media, Scratch, Verdict};

use super::Rounds;
use super::head::lasting;
use crate::messages;
use crate::scene::Scene;

/// The fields of a head as the guard is given them.
fn lines<'h>(
    fields: &'h [Header<'h>],
    dropped: u64,
) -> impl Iterator<Item = (&'h [u8], &'h [u8])> + Clone {
    let numbered = fields.iter().enumerate();
    let forwarded = numbered.filter(move |(place, _)| dropped >> place & 1 == 0);
    forwarded.map(|(_, field)| (field.name.as_bytes(), field.value))
}

/// A request's head looked through.
pub fn look_at_request(
    guard: &Guard,
    raw: &[u8],
    head: &RequestHead<'_, '_>,
    scratch: &mut Scratch,
) {
    let host = std::iter::once((&b"host"[..], head.host.as_bytes()));
    let fields = host.chain(lines(head.fields, head.dropped));
    let (path, query) = (head.path.as_bytes(), head.query.unwrap_or_default());
    let parts = match head.authorization {
        Authorization::One(token) => around(raw, token),
        _ => [raw, b""],
    };
    let verdict = guard.request_head(&parts, path, query.as_bytes(), fields, scratch);
    assert!(verdict == Verdict::Clean);
}

/// An answer's head and its body.
pub fn look_at_answer(
    guard: &Guard,
    (raw, head): (&[u8], &ResponseHead<'_, '_>),
    body: &[u8],
    scratch: &mut Scratch,
) {
    let fields = lines(head.fields, head.dropped);
    let verdict = guard.head(raw, head.reason.as_bytes(), fields, scratch);
    assert!(verdict == Verdict::Clean);
    assert!(guard.body(Media::Json, body, scratch) == Verdict::Clean);
}

/// The head of a GET.
pub struct Request {
    guard: &'static Guard,
    raw: &'static [u8],
    head: RequestHead<'static, 'static>,
    scratch: Scratch,
}

impl Request {
    pub fn new() -> Self {
        let scene = Scene::set();
        let raw: &[u8] = messages::get(&scene.token(0)).leak();
        Self {
            guard: &scene.snapshot.guard,
            head: lasting(raw),
            raw,
            scratch: Scratch::default(),
        }
    }
}

impl Rounds for Request {
    fn round(&mut self) {
        look_at_request(
            self.guard,
            black_box(self.raw),
            &self.head,
            &mut self.scratch,
        );
    }
}

/// An answer.
pub struct Answer {
    guard: &'static Guard,
    answer: Vec<u8>,
    scratch: Scratch,
}

impl Answer {
    pub fn new() -> Self {
        Self {
            guard: &Scene::set().snapshot.guard,
            answer: messages::answer(),
            scratch: Scratch::default(),
        }
    }
}

impl Rounds for Answer {
    fn round(&mut self) {
        let answer = black_box(&self.answer);
        let end = answer.len() - messages::ANSWER_BODY_BYTES;
        let mut slots = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let head = head::response(&answer[..end], &mut slots, Method::Get);
        let head = head.unwrap_or_else(|fault| panic!("{}", fault.word()));
        let read = (&answer[..end], &head);
        look_at_answer(self.guard, read, &answer[end..], &mut self.scratch);
    }
}

/// An answer's body alone.
pub struct Scan {
    guard: &'static Guard,
    answer: Vec<u8>,
    scratch: Scratch,
}

impl Scan {
    pub fn new() -> Self {
        Self {
            guard: &Scene::set().snapshot.guard,
            answer: messages::answer(),
            scratch: Scratch::default(),
        }
    }
}

impl Rounds for Scan {
    fn round(&mut self) {
        let answer = black_box(&self.answer);
        let body = &answer[answer.len() - messages::ANSWER_BODY_BYTES..];
        assert!(self.guard.body(Media::Json, body, &mut self.scratch) == Verdict::Clean);
    }
}
