//! What remembering and verifying tokens costs in time and memory: a connection's last token, a
//! CPU's cache with a million of them, and a token that nobody has seen, each beside what it cannot
//! be less than. Prints one JSON object; times are nanoseconds, medians of rounds with their
//! quartiles.
//!
//! `tokens [--live N]`

use std::hint::black_box;
use std::process::ExitCode;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use t8gate::authz::cache::{CachedGrant, Memo, TokenCache};
use t8gate::authz::token;
use t8gate::clock::Nanos;
use t8gate::peer::ClientIndex;
use t8gate_micro::scene::{NOW, Scene};

/// The gateway's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LIVE: usize = 1_000_000;
/// Lookups between two looks at the clock, each of another token: these lie in the CPU's own cache,
/// as one does that has just been received.
const BATCH: usize = 32;
const BATCHES: usize = 4_000;
const LINE: usize = 64;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let live = words.iter().position(|word| word == "--live");
    let live = live.and_then(|at| words.get(at + 1)?.parse().ok());
    match measured(live.unwrap_or(LIVE)) {
        Ok(found) => {
            println!("{found:#}");
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

fn measured(live: usize) -> Result<Value, String> {
    let scene = Scene::set();
    let good = scene.token(0);
    let verified = token::verify(good.as_bytes(), &scene.snapshot.issuers, NOW);
    let grant = verified.map_err(|fault| fault.word().to_owned())?.grant;
    let cached = CachedGrant {
        client: ClientIndex(0),
        grant,
        generation: 0,
        limited: None,
    };
    let mut forge = Forge::new(&good)?;
    let cold = cold(scene);
    let memo = memo(&good, cached.clone());
    let (cache, held, bytes) = filled(&mut forge, cached, live)?;
    let huge = huge_pages()?;
    let hit = hits(&cache, &mut forge, &held);
    let two_lines = two_lines(bytes.max(LINE * 1_024));
    Ok(json!({
        "memo_ns": memo,
        "cache_hit_ns": hit,
        "two_line_read_ns": two_lines,
        "cache_hit_in_two_line_reads": ratio(&hit, &two_lines),
        "huge_page_bytes": huge,
        "live_tokens": held.len(),
        "token_bytes": good.len(),
        "resident_bytes_per_token": bytes / held.len(),
        "cold_es256_ns": cold.0,
        "bare_es256_ns": cold.1,
        "cold_in_bare_verifications": ratio(&cold.0, &cold.1),
    }))
}

fn ratio(one: &Value, other: &Value) -> Value {
    let median = |of: &Value| of["median"].as_f64().unwrap_or(f64::NAN);
    json!(((median(one) / median(other)) * 1_000.0).round() / 1_000.0)
}

/// Of rounds that each took so many nanoseconds for so many things.
fn summary(mut rounds: Vec<u64>, each: usize) -> Value {
    rounds.sort_unstable();
    let at = |quarter: usize| rounds[rounds.len() * quarter / 4] as f64 / each as f64;
    let short = |ns: f64| (ns * 10.0).round() / 10.0;
    json!({"median": short(at(2)), "quartiles": [short(at(1)), short(at(3))]})
}

fn timed(mut work: impl FnMut()) -> u64 {
    let begun = Nanos::now();
    work();
    Nanos::now().since(begun)
}

/// Tokens that differ in their signatures alone, of the length of a good one.
struct Forge {
    token: Vec<u8>,
    signature_at: usize,
}

impl Forge {
    fn new(good: &str) -> Result<Self, String> {
        let dot = good.rfind('.').ok_or("a token has dots")?;
        Ok(Self {
            token: good.as_bytes().to_vec(),
            signature_at: dot + 1,
        })
    }

    fn token(&mut self, number: u64) -> &[u8] {
        let mut state = number;
        let bytes: Vec<u8> = (0..8).flat_map(|_| scattered(&mut state)).collect();
        let signature = URL_SAFE_NO_PAD.encode(bytes);
        self.token[self.signature_at..].copy_from_slice(signature.as_bytes());
        &self.token
    }
}

/// The next eight bytes of a sequence that looks random (splitmix64).
fn scattered(state: &mut u64) -> [u8; 8] {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ mixed >> 31).to_le_bytes()
}

fn memo(good: &str, cached: CachedGrant) -> Value {
    let mut memo = Memo::default();
    memo.set(good.as_bytes(), cached);
    let round = |_| {
        timed(|| {
            for _ in 0..1_000 {
                assert!(black_box(memo.lookup(black_box(good.as_bytes()), NOW)).is_some());
            }
        })
    };
    summary((0..400).map(round).collect(), 1_000)
}

/// A cache with so many tokens, their numbers, and what it has taken of memory.
fn filled(
    forge: &mut Forge,
    cached: CachedGrant,
    live: usize,
) -> Result<(TokenCache, Vec<u64>, usize), String> {
    let before = resident()?;
    let mut cache = TokenCache::new(live * 2)?;
    let mut number = 0_u64;
    while cache.len() < live {
        for _ in 0..live / 16 {
            cache.insert(forge.token(number), cached.clone(), NOW);
            number += 1;
        }
    }
    let bytes = resident()? - before;
    let held = (0..number).filter(|number| cache.lookup(forge.token(*number), NOW).is_some());
    let held = held.collect();
    Ok((cache, held, bytes))
}

fn hits(cache: &TokenCache, forge: &mut Forge, held: &[u64]) -> Value {
    let mut state = 1;
    let mut batch = |_| {
        let mut tokens: Vec<Vec<u8>> = Vec::with_capacity(BATCH);
        for _ in 0..BATCH {
            let random = u64::from_le_bytes(scattered(&mut state));
            let number = held[(random % held.len() as u64) as usize];
            tokens.push(forge.token(number).to_vec());
        }
        timed(|| {
            for token in &tokens {
                assert!(black_box(cache.lookup(black_box(token), NOW)).is_some());
            }
        })
    };
    summary((0..BATCHES).map(&mut batch).collect(), BATCH)
}

/// Reading a random line of so many bytes, and then another that the first one names: what a table
/// with the thing elsewhere costs at least.
fn two_lines(bytes: usize) -> Value {
    let lines = bytes / LINE;
    let mut state = 2;
    let memory: Vec<[u64; LINE / 8]> = (0..lines)
        .map(|_| [u64::from_le_bytes(scattered(&mut state)) % lines as u64; LINE / 8])
        .collect();
    let mut last = 0;
    let mut batch = |_| {
        let places: Vec<usize> = (0..BATCH)
            .map(|_| (u64::from_le_bytes(scattered(&mut state)) % lines as u64) as usize)
            .collect();
        timed(|| {
            for place in &places {
                // Each read waits for the one before it, as a lookup's do.
                let first = memory[(place + last) % lines][0];
                let second = memory[first as usize][1];
                last = (second & 1) as usize;
            }
            black_box(last);
        })
    };
    summary((0..BATCHES).map(&mut batch).collect(), BATCH)
}

/// A token that nobody has seen, verified; and its signature alone.
fn cold(scene: &Scene) -> (Value, Value) {
    let token = scene.token(1);
    let (signed, signature) = token.rsplit_once('.').expect("a token has dots");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let key = scene.public_key();
    let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).expect("a key of P-256");
    let (mut all, mut bare) = (Vec::new(), Vec::new());
    // By turns, so that both have the same neighbours.
    for _ in 0..200 {
        all.push(timed(|| {
            for _ in 0..20 {
                let verified = token::verify(token.as_bytes(), &scene.snapshot.issuers, NOW);
                assert!(black_box(verified).is_ok());
            }
        }));
        bare.push(timed(|| {
            for _ in 0..20 {
                assert!(black_box(key.verify_sig(signed.as_bytes(), &signature)).is_ok());
            }
        }));
    }
    (summary(all, 20), summary(bare, 20))
}

/// Bytes of this process in memory.
fn resident() -> Result<usize, String> {
    let statm = std::fs::read_to_string("/proc/self/statm").map_err(|error| error.to_string())?;
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok());
    Ok(pages.ok_or("/proc/self/statm has no second number")? * 4_096)
}

/// So many of them in pages of 2 MiB.
fn huge_pages() -> Result<usize, String> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup");
    let rollup = rollup.map_err(|error| error.to_string())?;
    let line = rollup
        .lines()
        .find_map(|line| line.strip_prefix("AnonHugePages:"));
    let kib = line.and_then(|line| {
        line.trim()
            .strip_suffix(" kB")?
            .trim()
            .parse::<usize>()
            .ok()
    });
    Ok(kib.ok_or("/proc/self/smaps_rollup has no AnonHugePages")? << 10)
}
