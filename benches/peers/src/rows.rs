//! The rows: who is loaded with what, and in which order, so that peers take turns within a round.

use std::collections::BTreeSet;

use crate::arguments::Row;
use crate::bench::{Bench, Task};
use crate::fault::Fault;
use crate::ground::KeyKind;
use crate::load::{Load, Mode};
use crate::peer::{Key, Kind, Peer};
use crate::run::{GENERATOR_BUSY_MAX, Run};
use crate::statistics::{is_comparable, median_of, of};

/// Of the settings that the published marks were measured with.
const CONNECTIONS: usize = 32;
/// Paced requests a second beside handshakes.
const BESIDE_RATE: f64 = 400.0;
/// Connections that only do handshakes beside them.
const BESIDE_HANDSHAKES: usize = 8;
/// Requests a second while shards are compared: one CPU is shared by a shard and the generator.
const SHARDS_RATE: f64 = 8_000.0;
/// Of the lower peak.
const SHARE_OF_PEAK: f64 = 0.7;
/// How busy CPU 1 may be when a rate is chosen: some room below what makes a run void.
const GENERATOR_BUSY_AIM: f64 = GENERATOR_BUSY_MAX - 0.07;

/// The scenario of the same requests at a fixed rate, where a closed loop fills CPU 1 before it
/// fills the proxy.
pub fn paced(scenario: &str) -> String {
    format!("{scenario}-paced")
}

/// Runs a row.
///
/// # Errors
/// When the bench is interrupted.
pub fn run(bench: &mut Bench, row: Row) -> Result<(), Fault> {
    use Kind::{Envoy, EnvoyJwt, Haproxy, HaproxyClear, Nginx, T8gate};
    let get = Load::get(CONNECTIONS);
    let bare = [T8gate, Haproxy, Nginx, Envoy];
    match row {
        Row::Get => {
            let all = [T8gate, Haproxy, Nginx, Envoy, HaproxyClear, EnvoyJwt];
            closed(bench, "get", &all.map(Peer::new), get, Haproxy)
        }
        Row::Tokens => {
            let peers = [T8gate, Haproxy, EnvoyJwt].map(Peer::new);
            closed(bench, "tokens", &peers, get.rotating(), Haproxy)
        }
        Row::Post => {
            let [gate, haproxy, nginx, envoy] = bare.map(Peer::new);
            let peers = [gate, gate.with_a_held_client(), haproxy, nginx, envoy];
            closed(bench, "post", &peers, get.posting(), Haproxy)
        }
        Row::P99 => at_share_of_peak(bench, get),
        Row::FullP256 => handshakes(bench, "full-p256", Mode::Handshake, KeyKind::P256),
        Row::FullRsa => handshakes(bench, "full-rsa", Mode::Handshake, KeyKind::Rsa2048),
        Row::ResumedP256 => handshakes(bench, "resumed-p256", Mode::Resume, KeyKind::P256),
        Row::ResumedRsa => handshakes(bench, "resumed-rsa", Mode::Resume, KeyKind::Rsa2048),
        Row::HsmP256 => hsm(bench, "hsm-p256", KeyKind::P256),
        Row::HsmRsa => hsm(bench, "hsm-rsa", KeyKind::Rsa2048),
        Row::RateP256 => rate(bench, "rate-p256", KeyKind::P256),
        Row::RateRsa => rate(bench, "rate-rsa", KeyKind::Rsa2048),
        Row::BesideFile => {
            let key = Key::File(KeyKind::Rsa2048);
            beside(
                bench,
                "beside-file",
                &bare.map(|kind| Peer::new(kind).with_key(key)),
            )
        }
        Row::BesideHsm => {
            let key = Key::Hsm(KeyKind::Rsa2048);
            let peers = [T8gate, Nginx].map(|kind| Peer::new(kind).with_key(key));
            beside(bench, "beside-hsm", &peers)
        }
        Row::Idle => {
            let load = Load::get(bench.extent.idle_connections).mode(Mode::Idle);
            rounds(bench, "idle", &bare.map(Peer::new), load)
        }
        Row::Shards => shards(bench, get),
        Row::Balance => balance(bench),
    }
}

/// The peers that were asked for; t8gate always.
fn chosen(bench: &Bench, peers: &[Peer]) -> Vec<Peer> {
    let wanted = &bench.extent.peers;
    let is_wanted = |peer: &&Peer| {
        let name = peer.name();
        wanted.is_empty() || peer.kind == Kind::T8gate || wanted.iter().any(|want| want == name)
    };
    peers.iter().filter(is_wanted).copied().collect()
}

/// Peers in turn, round by round; every other round backwards, so that none always comes first.
fn rounds(bench: &mut Bench, scenario: &str, peers: &[Peer], load: Load) -> Result<(), Fault> {
    each(bench, peers, |bench, peer, round| {
        let task = Task::new(scenario, peer, load, round);
        bench.run(&task).map(|_| ())
    })
}

fn each(
    bench: &mut Bench,
    peers: &[Peer],
    mut run: impl FnMut(&mut Bench, Peer, usize) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut peers = chosen(bench, peers);
    for round in 1..=bench.extent.rounds {
        for peer in &peers {
            run(bench, *peer, round)?;
        }
        peers.reverse();
    }
    Ok(())
}

/// A closed loop; and where that filled CPU 1 before it filled the proxies, so that most runs of
/// t8gate or its rival are void, the same at a rate that both can serve and CPU 1 can carry.
fn closed(
    bench: &mut Bench,
    scenario: &str,
    peers: &[Peer],
    load: Load,
    rival: Kind,
) -> Result<(), Fault> {
    rounds(bench, scenario, peers, load)?;
    let rival = Peer::new(rival).name();
    let is_chosen = chosen(bench, peers).iter().any(|peer| peer.name() == rival);
    if !is_chosen || is_comparable(&bench.runs, scenario, rival, bench.extent.rounds) {
        return Ok(());
    }
    let Some(peak) = lower_peak(&bench.runs, scenario, rival) else {
        return Ok(());
    };
    // Peers that cannot serve that rate are compared in the closed loop.
    let rate = SHARE_OF_PEAK * peak;
    let able = |peer: &&Peer| {
        let peak = median_of(&bench.runs, scenario, peer.name(), |run| {
            Some(run.ops_per_s)
        });
        peak.is_some_and(|peak| 0.9 * peak > rate)
    };
    // Those that a mark compares there.
    let judged = |peer: &&Peer| {
        let name = peer.name();
        name == rival || matches!(peer.kind, Kind::T8gate | Kind::HaproxyClear)
    };
    let peers = peers.iter().filter(able).filter(judged);
    let peers: Vec<Peer> = peers.copied().collect();
    at_rate(bench, &paced(scenario), &peers, load, rate, false)
}

/// The lower of the peaks of t8gate and a rival, operations/s; of void runs as well, because what
/// the generator could not ask for is no peak anybody can be loaded with here.
fn lower_peak(runs: &[Run], scenario: &str, rival: &str) -> Option<f64> {
    let peak = |peer: &str| median_of(runs, scenario, peer, |run| Some(run.ops_per_s));
    Some(peak("t8gate")?.min(peak(rival)?))
}

/// An open loop, at the same rate for all. Trials lower the rate until CPU 1 has room.
fn at_rate(
    bench: &mut Bench,
    scenario: &str,
    peers: &[Peer],
    load: Load,
    rate: f64,
    plot: bool,
) -> Result<(), Fault> {
    let mut rate = rate.round();
    for _ in 0..bench.extent.trials {
        let mut busiest: f64 = 0.0;
        for peer in chosen(bench, peers) {
            let task = Task::new(scenario, peer, load.rate(rate), 0);
            // By its own processes: what others do at that moment says nothing about the rate.
            let mut run = bench.run(&task)?;
            if run.operations == 0 {
                run = bench.run(&task)?;
            }
            busiest = busiest.max(run.generator_busy + run.origin_busy);
        }
        if busiest <= GENERATOR_BUSY_AIM + 0.02 {
            break;
        }
        rate = (rate * (GENERATOR_BUSY_AIM / busiest).min(0.95)).round();
    }
    let last = bench.extent.rounds;
    each(bench, peers, |bench, peer, round| {
        let mut task = Task::new(scenario, peer, load.rate(rate), round);
        task.plot = plot && round == last;
        bench.run(&task).map(|_| ())
    })?;
    // Void rounds stay in the report, and others are run in their stead.
    for round in last + 1..=last + last / 2 {
        if compared(&bench.runs, scenario, &chosen(bench, peers)) >= last {
            break;
        }
        for peer in chosen(bench, peers) {
            bench.run(&Task::new(scenario, peer, load.rate(rate), round))?;
        }
    }
    Ok(())
}

/// Rounds of a scenario in which every peer's run counts.
fn compared(runs: &[Run], scenario: &str, peers: &[Peer]) -> usize {
    let rounds = |peer: &Peer| -> BTreeSet<usize> {
        let valid = of(runs, scenario, peer.name()).filter(|run| run.is_valid());
        valid.map(|run| run.round).collect()
    };
    let all = peers.iter().map(rounds);
    let shared = all.reduce(|all, of_one| &all & &of_one);
    shared.map_or(0, |shared| shared.len())
}

/// Latency where neither is full: at a share of the lower peak.
fn at_share_of_peak(bench: &mut Bench, load: Load) -> Result<(), Fault> {
    let peers = [Kind::T8gate, Kind::Haproxy].map(Peer::new);
    let known = lower_peak(&bench.runs, "get", "haproxy");
    let peak = match known {
        Some(_) => known,
        None => {
            for peer in peers {
                bench.run(&Task::new("p99-peak", peer, load, 0))?;
            }
            lower_peak(&bench.runs, "p99-peak", "haproxy")
        }
    };
    match peak {
        Some(peak) => at_rate(bench, "p99", &peers, load, SHARE_OF_PEAK * peak, true),
        None => Ok(()),
    }
}

fn handshakes(bench: &mut Bench, scenario: &str, mode: Mode, kind: KeyKind) -> Result<(), Fault> {
    let kinds = [Kind::T8gate, Kind::Envoy, Kind::Haproxy, Kind::Nginx];
    let peers = kinds.map(|peer| Peer::new(peer).with_key(Key::File(kind)));
    closed(
        bench,
        scenario,
        &peers,
        Load::get(CONNECTIONS).mode(mode),
        Kind::Envoy,
    )
}

fn hsm(bench: &mut Bench, scenario: &str, kind: KeyKind) -> Result<(), Fault> {
    let kinds = [Kind::T8gate, Kind::Nginx];
    let peers = kinds.map(|peer| Peer::new(peer).with_key(Key::Hsm(kind)));
    let load = Load::get(CONNECTIONS).mode(Mode::Handshake);
    closed(bench, scenario, &peers, load, Kind::Nginx)
}

/// What the way to the token costs: the gateway with the key in the token, the gateway with the
/// same key in a file, and the token by itself, asked by as many threads as the gateway has
/// sessions.
fn rate(bench: &mut Bench, scenario: &str, kind: KeyKind) -> Result<(), Fault> {
    let keys = [Key::Hsm(kind), Key::File(kind)];
    let mut peers = keys.map(|key| Peer::new(Kind::T8gate).with_key(key).with_room_to_sign());
    let load = Load::get(CONNECTIONS).mode(Mode::Handshake);
    for round in 1..=bench.extent.rounds {
        for peer in peers {
            bench.run(&Task::new(scenario, peer, load, round))?;
        }
        bench.ask_token(scenario, kind, round)?;
        peers.reverse();
    }
    Ok(())
}

fn beside(bench: &mut Bench, scenario: &str, peers: &[Peer]) -> Result<(), Fault> {
    let last = bench.extent.rounds;
    each(bench, peers, |bench, peer, round| {
        let load = Load::get(BESIDE_HANDSHAKES).rate(BESIDE_RATE);
        let mut task = Task::new(scenario, peer, load, round);
        task.beside = Some(Load::get(BESIDE_HANDSHAKES).mode(Mode::Handshake));
        task.plot = round == last;
        bench.run(&task).map(|_| ())
    })
}

fn shards(bench: &mut Bench, load: Load) -> Result<(), Fault> {
    let peers = [1, 2].map(|shards| Peer::new(Kind::T8gate).with_shards(shards));
    each(bench, &peers, |bench, peer, round| {
        let mut task = Task::new("shards", peer, load.rate(SHARDS_RATE), round);
        task.instructions = true;
        bench.run(&task).map(|_| ())
    })
}

fn balance(bench: &mut Bench) -> Result<(), Fault> {
    let peer = [Peer::new(Kind::T8gate).with_shards(2)];
    for connections in [8, 32, 1_000] {
        let load = Load::get(connections).rate(SHARDS_RATE / 2.0);
        rounds(bench, &format!("balance-{connections}"), &peer, load)?;
    }
    Ok(())
}
