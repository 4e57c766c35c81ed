//! Requests admitted, by what is known of their tokens.

use std::cell::RefCell;
use std::hint::black_box;

use t8gate::audit::{Record, TokenVerdict};
use t8gate::authz::cache::{CachedGrant, Memo, TokenCache};
use t8gate::authz::quota::Leases;
use t8gate::authz::refused::RefusedTokens;
use t8gate::authz::token;
use t8gate::clock::UnixMillis;
use t8gate::http::head::{Authorization, RequestHead};
use t8gate::metrics::{Counters, Latencies};
use t8gate::peer::{ClientIndex, Peer};
use t8gate::proxy::gate::{Permit, Tokens, admit};

use super::Rounds;
use super::head::{address, lasting};
use crate::messages;
use crate::scene::{NOW, Scene};
use crate::wire::Wire;

/// The gate and what a shard has beside it.
pub struct Gate {
    scene: &'static Scene,
    peer: Peer,
    memo: Memo,
    cache: RefCell<TokenCache>,
    refused: RefCell<RefusedTokens>,
    counters: Counters,
    latencies: RefCell<Latencies>,
    leases: Leases,
    record: Record,
}

impl Gate {
    pub fn new(scene: &'static Scene, peer: Peer) -> Self {
        let snapshot = &scene.snapshot;
        let cache = TokenCache::new(snapshot.limits.cached_tokens_max);
        Self {
            memo: Memo::default(),
            cache: RefCell::new(cache.expect("random bytes")),
            refused: RefCell::default(),
            counters: Counters::new(snapshot.clients.len()),
            latencies: RefCell::default(),
            leases: Leases::of(&snapshot.quotas),
            record: Record::blank(UnixMillis(NOW.0 * 1_000), 0, Some(peer.client()), address()),
            scene,
            peer,
        }
    }

    pub fn admit<'p>(&mut self, head: &RequestHead<'_, 'p>) -> Permit<'p> {
        let tokens = Tokens {
            memo: &mut self.memo,
            cache: self.cache.borrow_mut(),
            refused: self.refused.borrow_mut(),
            counters: &self.counters,
            latencies: &self.latencies,
        };
        let snapshot = &self.scene.snapshot;
        let (leases, record) = (&mut self.leases, &mut self.record);
        match admit(head, &self.peer, snapshot, tokens, leases, record, NOW) {
            Ok(permit) => permit,
            Err(denial) => panic!("{}", denial.row().word),
        }
    }
}

/// One head, and the gate.
struct AtTheGate {
    gate: Gate,
    head: RequestHead<'static, 'static>,
}

impl AtTheGate {
    fn new() -> Self {
        let scene = Scene::set();
        Self {
            gate: Gate::new(scene, Wire::connect(scene).peer),
            head: lasting(messages::get(&scene.token(0)).leak()),
        }
    }

    /// Admits it and says by which verdict on its token.
    fn admit(&mut self) -> TokenVerdict {
        black_box(self.gate.admit(black_box(&self.head)));
        self.gate.record.token
    }

    /// The same with another `Authorization`.
    fn admit_with(&mut self, authorization: &[u8]) -> TokenVerdict {
        let head = RequestHead {
            authorization: Authorization::One(authorization),
            ..self.head
        };
        black_box(self.gate.admit(black_box(&head)));
        self.gate.record.token
    }
}

/// Every request brings the token of the one before.
pub struct Memorized(AtTheGate);

impl Memorized {
    pub fn new() -> Self {
        let mut at = AtTheGate::new();
        assert_eq!(at.admit(), TokenVerdict::Verified);
        Self(at)
    }
}

impl Rounds for Memorized {
    fn round(&mut self) {
        assert_eq!(self.0.admit(), TokenVerdict::Remembered);
    }
}

/// How many tokens take turns on one connection.
pub const TOKENS_IN_TURN: usize = 10_000;

/// Every request brings another token, which this CPU has seen.
pub struct InTurn {
    at: AtTheGate,
    values: Vec<String>,
    next: usize,
}

impl InTurn {
    pub fn new() -> Self {
        let at = AtTheGate::new();
        let scene = at.gate.scene;
        let verified = token::verify(scene.token(0).as_bytes(), &scene.snapshot.issuers, NOW);
        let grant = verified.unwrap_or_else(|fault| panic!("{}", fault.word()));
        let cached = CachedGrant {
            client: ClientIndex(0),
            grant: grant.grant,
            generation: scene.snapshot.generation(ClientIndex(0)),
            limited: None,
        };
        // A few sets of the cache get more than they hold: what they lost takes no turn.
        let tokens: Vec<String> = (0..TOKENS_IN_TURN + TOKENS_IN_TURN / 10)
            .map(|number| scene.token_look_alike(number))
            .collect();
        for token in &tokens {
            at.gate
                .cache
                .borrow_mut()
                .insert(token.as_bytes(), cached.clone(), NOW);
        }
        let values: Vec<String> = tokens
            .iter()
            .filter(|token| {
                at.gate
                    .cache
                    .borrow_mut()
                    .lookup(token.as_bytes(), NOW)
                    .is_some()
            })
            .take(TOKENS_IN_TURN)
            .map(|token| format!("Bearer {token}"))
            .collect();
        assert_eq!(values.len(), TOKENS_IN_TURN);
        Self {
            at,
            values,
            next: 0,
        }
    }
}

impl Rounds for InTurn {
    fn round(&mut self) {
        self.next = (self.next + 1) % self.values.len();
        let verdict = self.at.admit_with(self.values[self.next].as_bytes());
        assert_eq!(verdict, TokenVerdict::Cached);
    }
}

/// Every request brings a token that nobody has seen.
pub struct Cold {
    at: AtTheGate,
    values: Vec<String>,
    /// How many of them have been brought, and how many tokens have been made in all.
    brought: usize,
    made: usize,
}

impl Cold {
    pub fn new() -> Self {
        Self {
            at: AtTheGate::new(),
            values: Vec::new(),
            brought: 0,
            made: 0,
        }
    }
}

impl Rounds for Cold {
    fn refill(&mut self, rounds: usize) {
        let numbers = self.made + 1..=self.made + rounds;
        let scene = self.at.gate.scene;
        self.values = numbers
            .map(|number| format!("Bearer {}", scene.token(number)))
            .collect();
        self.made += rounds;
        self.brought = 0;
    }

    fn round(&mut self) {
        let verdict = self.at.admit_with(self.values[self.brought].as_bytes());
        self.brought += 1;
        assert_eq!(verdict, TokenVerdict::Verified);
    }
}
