//! Whether requests on open connections become slower while the token fails: pairs of runs, one
//! quiet and one with faults, in turn.

use std::time::{Duration, Instant};

use crate::harness::{command, run_well, wait_until};
use crate::load::Load;
use crate::scene::Scene;

/// How many pairs, by the environment: it is not measured unasked, for a busy machine would judge
/// itself.
fn pairs() -> usize {
    let asked = std::env::var("T8GATE_FAULT_PAIRS");
    let asked = asked.expect("T8GATE_FAULT_PAIRS says how many pairs: 7 at least for a figure");
    let pairs = asked.parse().expect("T8GATE_FAULT_PAIRS is a number");
    assert!(
        pairs > 0,
        "T8GATE_FAULT_PAIRS is 0: nothing would be measured"
    );
    pairs
}

const RUN: Duration = Duration::from_secs(5);
const REQUESTS_PER_S: u32 = 2_000;
/// The p99 with faults over the quiet one's, in the median pair.
const RATIO_MAX: f64 = 1.3;

fn p99(scene: &mut Scene, meanwhile: impl FnOnce(&mut Scene)) -> f64 {
    let served = scene.house.origin.requests();
    let load = Load::of_requests_first_of_all(&scene.house, REQUESTS_PER_S, RUN);
    // Its handshakes are behind it.
    wait_until("load", || scene.house.origin.requests() > served + 200);
    meanwhile(scene);
    let report = load.faultless();
    report["latency_us"]["p99"].as_f64().expect("a number")
}

/// Has `program` change those threads of a process, with all that they start from now on.
fn change(pid: u32, which: impl Fn(&str) -> bool, program: &[&str]) {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("our own child");
    for thread in threads.flatten() {
        let name = std::fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
        let id = thread.file_name().into_string().expect("a number");
        if which(name.trim()) {
            let (name, arguments) = program.split_first().expect("a name");
            run_well(command(name).args(arguments).arg(&id));
        }
    }
}

/// Holds them to the second CPU.
fn hold_to_cpu_1(pid: u32, which: impl Fn(&str) -> bool) {
    change(pid, which, &["taskset", "--pid", "--cpu-list", "1"]);
}

#[test]
#[ignore = "takes programs and minutes: T8GATE_FAULT_PAIRS=7 make test-fault"]
fn requests_are_as_fast_while_the_token_fails() {
    let pairs = pairs();
    let mut scene = Scene::open_with(|stage, _| {
        stage.config.set("listen.cpus", "[0]");
    });
    // CPU 0 is the shard's, and all the rest shares CPU 1.
    let gateway = &scene.house.gateway;
    hold_to_cpu_1(std::process::id(), |_| true);
    hold_to_cpu_1(gateway.pid(), |thread| !thread.starts_with("shard"));
    for signer in gateway.signer_pids() {
        hold_to_cpu_1(signer, |_| true);
    }
    // As the generator does, the origin goes before whatever is started on its CPU: by its weight
    // alone it would wait for the end of that one's turn, which says nothing about the gateway.
    let origin = |thread: &str| thread == "origin";
    change(
        std::process::id(),
        origin,
        &["chrt", "--fifo", "--pid", "1"],
    );
    // What this process starts stays with it.
    scene.remote.kill();
    scene.remote.start();
    scene.is_back();
    let mut ratios: Vec<f64> = (0..pairs)
        .map(|pair| {
            // As many full handshakes as are tried while the token fails.
            let quiet = p99(&mut scene, |scene| {
                let end = Instant::now() + RUN;
                while Instant::now() + Duration::from_secs(1) < end {
                    assert!(scene.serves());
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
            let faulty = p99(&mut scene, |scene| {
                let end = Instant::now() + RUN;
                while Instant::now() + Duration::from_secs(1) < end {
                    scene.remote.kill();
                    scene.await_refusal();
                    scene.remote.start();
                    scene.is_back();
                }
            });
            println!("pair {pair}: p99 {quiet} us quiet, {faulty} us with faults");
            faulty / quiet
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    println!(
        "ratio {median:.2}, from {:.2} to {:.2}",
        ratios[0],
        ratios[ratios.len() - 1]
    );
    assert!(median <= RATIO_MAX, "{ratios:?}");
}
