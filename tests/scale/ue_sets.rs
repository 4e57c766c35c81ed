//! What sets of twenty million UEs cost: the time to build their file, memory, the time to read it
//! and to look a UE up in it.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use memmap2::MmapMut;
use t8gate::authz::ue::sets::{Sets, SetsKey};
use t8gate::authz::ue::{Kind, SetName, UeId};

use crate::harness::gateway::t8gate;

const OF_EACH_KIND: u64 = 10_000_000;
const SETS: u64 = 1_000;
const BYTES_MAX: u64 = 400_000_000;
const BUILD_MAX: Duration = Duration::from_secs(60);
const RESIDENT_MIB_MAX: u64 = 600;
const LOOKUP_NS_MAX: f64 = 250.0;
const LOOKUPS: u64 = 2_000_000;
const ROUNDS: usize = 5;

/// A permutation of 2^40 that spreads what is counted.
fn spread(place: u64) -> u64 {
    place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24
}

fn msisdn(place: u64) -> String {
    format!("49{:011}", 10_000_000_000 + place * 7)
}

fn external_id(place: u64) -> String {
    format!(
        "device-{:010x}@things{}.example.com",
        spread(place),
        place % 16
    )
}

fn set_of(place: u64) -> SetName {
    SetName::new(&format!("set-{:04}", spread(place) % SETS)).unwrap()
}

fn lists(folder: &Path) {
    let mut csv = BufWriter::with_capacity(1 << 20, File::create(folder.join("a.csv")).unwrap());
    for place in 0..OF_EACH_KIND {
        writeln!(csv, "{},msisdn:{}", set_of(place).as_str(), msisdn(place)).unwrap();
    }
    csv.flush().unwrap();
    let mut jsonl =
        BufWriter::with_capacity(1 << 20, File::create(folder.join("b.jsonl")).unwrap());
    for place in 0..OF_EACH_KIND {
        let (set, id) = (set_of(place), external_id(place));
        writeln!(jsonl, r#"{{"set":"{}","identity":"{id}"}}"#, set.as_str()).unwrap();
    }
    jsonl.flush().unwrap();
}

/// Runs the command, and says how long it took and how much memory it had at most.
fn built(folder: &Path) -> (Duration, u64) {
    let mut command = t8gate(&["policy", "build", "--from", "a.csv", "b.jsonl"]);
    command
        .args(["--key-file", "secret", "--out", "ues.sets"])
        .current_dir(folder);
    let began = Instant::now();
    let mut child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut kib = 0;
    let ended = loop {
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        let said = fs::read_to_string(&status).unwrap_or_default();
        let line = said.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        kib = kib.max(number.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(ended.success());
    (began.elapsed(), kib >> 10)
}

fn opened(folder: &Path) -> Sets {
    let octets = fs::read(folder.join("ues.sets")).unwrap();
    let mut memory = MmapMut::map_anon(octets.len()).unwrap();
    let _ = memory.advise(memmap2::Advice::HugePage);
    memory.copy_from_slice(&octets);
    let key = SetsKey::from_octets(&fs::read(folder.join("secret")).unwrap()).unwrap();
    Sets::open(memory.make_read_only().unwrap(), key).unwrap()
}

/// Nanoseconds of each, all of which find what is `expected`; the next waits for the one before, as
/// requests do not overlap. What is asked for is in the cache, as it is where a request was read.
fn each_ns(one: impl Fn(usize) -> bool, touch: impl Fn(usize), expected: bool, of: usize) -> f64 {
    let began = Instant::now();
    let mut place = 0;
    for step in 0..LOOKUPS as usize {
        touch((step + 32) % of);
        // Nothing of the next begins before it is known what was found.
        place += 1 + usize::from(black_box(one(place)) != expected);
        if place >= of {
            place -= of;
        }
    }
    began.elapsed().as_nanos() as f64 / LOOKUPS as f64
}

/// Reads of one line anywhere in so much memory, each where the one before says.
fn random_read_ns(bytes: usize) -> f64 {
    let mut memory = MmapMut::map_anon(bytes).unwrap();
    let _ = memory.advise(memmap2::Advice::HugePage);
    let (lines, _) = memory.as_chunks_mut::<64>();
    for (place, line) in (1_u64..).zip(lines.iter_mut()) {
        line[..8].copy_from_slice(&place.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    }
    let count = lines.len() as u64;
    let (began, mut at) = (Instant::now(), 0_u64);
    for step in 0..LOOKUPS {
        let line = &lines[(at % count) as usize];
        at = u64::from_le_bytes(*line.first_chunk().unwrap()) ^ step.wrapping_mul(step);
    }
    black_box(at);
    began.elapsed().as_nanos() as f64 / LOOKUPS as f64
}

fn spread_of(mut figures: Vec<f64>) -> (f64, f64, f64) {
    figures.sort_by(f64::total_cmp);
    (
        figures[0],
        figures[figures.len() / 2],
        figures[figures.len() - 1],
    )
}

#[test]
#[ignore = "twenty million rows: `make test-scale`"]
fn twenty_million_ues_in_a_thousand_sets_are_built_and_looked_up_in_time() {
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let folder = scratch.path();
    let secret: [u8; 32] = std::array::from_fn(|place| (place as u8).wrapping_mul(37) ^ 5);
    fs::write(folder.join("secret"), secret).unwrap();
    fs::set_permissions(folder.join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    lists(folder);
    let (took, resident_mib) = built(folder);
    let bytes = fs::metadata(folder.join("ues.sets")).unwrap().len();
    println!("built in {took:?} with {resident_mib} MiB at most; {bytes} octets");
    assert!(bytes <= BYTES_MAX && took <= BUILD_MAX && resident_mib <= RESIDENT_MIB_MAX);

    let began = Instant::now();
    let sets = opened(folder);
    println!("read and judged in {:?}", began.elapsed());
    assert_eq!(
        (sets.entries(), sets.names().len()),
        (2 * OF_EACH_KIND, SETS as usize)
    );

    // A prime away from each other, so that they are anywhere.
    let chosen: Vec<u64> = (0..200_000).map(|n| n * 7_919 % OF_EACH_KIND).collect();
    let names: Vec<SetName> = chosen.iter().map(|place| set_of(*place)).collect();
    let numbers: Vec<String> = chosen.iter().map(|place| msisdn(*place)).collect();
    let ids: Vec<String> = chosen.iter().map(|place| external_id(*place)).collect();
    // Numbers between those that are in.
    let others: Vec<String> = { chosen.iter() }
        .map(|place| format!("49{:011}", 10_000_000_003 + place * 7))
        .collect();
    let read = |kind, list: &'static [String]| -> Vec<UeId<'static>> {
        let read = list
            .iter()
            .map(|text| UeId::read(kind, text, None).unwrap());
        read.collect()
    };
    let of = |kind, list: Vec<String>, is_in: bool| -> Vec<f64> {
        let list: &'static [String] = Vec::leak(list);
        let ues = read(kind, list);
        let each = |place: usize| sets.hold(&names[place], &ues[place]);
        assert!((0..ues.len()).all(|place| each(place) == is_in));
        let touch = |place: usize| {
            black_box((
                names[place].as_str().as_bytes()[0],
                list[place].as_bytes()[0],
            ));
        };
        let round = |_| each_ns(each, touch, is_in, ues.len());
        (0..ROUNDS).map(round).collect()
    };
    let found = [
        ("MSISDNs that are in", of(Kind::Msisdn, numbers, true)),
        ("external ids that are in", of(Kind::ExternalId, ids, true)),
        ("MSISDNs that are not", of(Kind::Msisdn, others, false)),
    ];
    let reads = (0..ROUNDS).map(|_| random_read_ns(sets.bytes())).collect();
    let (least, read, most) = spread_of(reads);
    println!("a random read of memory: {read:.0} ns ({least:.0} to {most:.0})");
    for (what, figures) in found {
        let (least, median, most) = spread_of(figures);
        println!("lookup of {what}: {median:.0} ns ({least:.0} to {most:.0})");
        assert!(
            median <= LOOKUP_NS_MAX.max(2.0 * read),
            "{what}: {median} ns"
        );
    }
}
