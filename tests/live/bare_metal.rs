//! What is asked of bare metal by configuration: connections that follow the CPU, and memory in
//! large pages.

use rustix::thread::{CpuSet, sched_setaffinity};

use crate::harness::client::Client;
use crate::harness::free_address;
use crate::harness::gateway::{Gateway, check, cpus, write};
use crate::harness::origin::Origin;
use crate::harness::stage::{PATH, Stage};

/// Runs on one CPU for as long as `work` takes.
fn on_cpu<T: Send>(cpu: usize, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let working = scope.spawn(|| {
            let mut set = CpuSet::new();
            set.set(cpu);
            sched_setaffinity(None, &set).expect("one of ours");
            work()
        });
        working.join().expect("no panic of its own")
    })
}

/// A gateway with a shard on each of the first two CPUs, and its connections of each shard after
/// some were made on one CPU.
fn shares_of(steering: &str, from: usize) -> [usize; 2] {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    stage.watch();
    let [first, second] = two_cpus();
    stage
        .config
        .set("listen.cpus", &format!("[{first}, {second}]"));
    stage.config.set_text("listen.steering", steering);
    let gateway = stage.start();
    let admin = gateway.admin();
    let requests = |shard: &str| {
        let metrics = admin.metrics();
        metrics.count("t8gate_requests_total", &[("shard", shard)])
    };
    let (dialer, bearer) = (stage.dialer(&stage.acme), stage.token());
    let mut clients: Vec<Client> = on_cpu(from, || {
        let made = (0..16).map(|_| dialer.connect(gateway.address).expect("a handshake"));
        made.collect()
    });
    for client in &mut clients {
        assert_eq!(client.get(PATH, &bearer).status, 200);
    }
    [requests("0"), requests("1")]
}

fn two_cpus() -> [usize; 2] {
    match cpus().as_slice() {
        [first, second, ..] => [*first, *second],
        _ => panic!("steering is between two CPUs at least"),
    }
}

#[test]
fn a_connection_goes_to_the_shard_of_the_cpu_that_received_it_where_that_is_asked_for() {
    let [first, second] = two_cpus();
    // Over loopback a packet is received on the CPU that sends it.
    assert_eq!(shares_of("cpu", first), [16, 0]);
    assert_eq!(shares_of("cpu", second), [0, 16]);
    let [one, other] = shares_of("off", first);
    assert!(
        one > 0 && other > 0 && one + other == 16,
        "{one} and {other}: a hash spreads them"
    );
}

fn in_pages(gateway: &Gateway, kind: &str) -> u64 {
    let path = format!("/proc/{}/smaps_rollup", gateway.pid());
    let sums = std::fs::read_to_string(path).expect("our own child");
    let line = sums.lines().find_map(|line| line.strip_prefix(kind));
    let kb = line.expect("Linux").trim().trim_end_matches("kB").trim();
    kb.parse().expect("a number")
}

#[test]
fn transparent_huge_pages_are_used_where_the_kernel_gives_them_and_can_be_switched_off() {
    let origin = Origin::start();
    let stage = Stage::new(origin.address);
    let path = "/sys/kernel/mm/transparent_hugepage/enabled";
    let given = std::fs::read_to_string(path).is_ok_and(|text| !text.contains("[never]"));
    let used = in_pages(&stage.start(), "AnonHugePages:");
    assert_eq!(
        used > 0,
        given,
        "{used} kB, and the kernel gives them: {given}"
    );
    // Also where the process is told otherwise by what it was started with.
    let mut told = Stage::new(origin.address);
    told.environment
        .push(("MIMALLOC_ALLOW_THP".to_owned(), "0".to_owned()));
    assert_eq!(in_pages(&told.start(), "AnonHugePages:") > 0, given);
    let stage = stage.set("memory.huge_pages", "\"off\"");
    let gateway = stage.start();
    assert_eq!(in_pages(&gateway, "AnonHugePages:"), 0);
    // It became another process image and is the same process, under the same name.
    let name = std::fs::read_to_string(format!("/proc/{}/comm", gateway.pid()));
    assert_eq!(name.expect("our own child").trim(), "t8gate");
    let mut client = stage
        .dialer(&stage.acme)
        .connect(gateway.address)
        .expect("a handshake");
    assert_eq!(client.get(PATH, &stage.token()).status, 200);
    drop(client);
    assert!(gateway.stop().success());
}

/// Mostly the refusal is shown: few machines for tests have pages set aside.
#[test]
fn reserved_huge_pages_are_used_or_the_start_is_refused_with_the_cure() {
    let free = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages";
    let free = std::fs::read_to_string(free).unwrap_or_default();
    let enough = free.trim().parse::<u64>().is_ok_and(|free| free >= 512);
    let origin = Origin::start();
    let stage = Stage::new(origin.address).set("memory.huge_pages", "\"reserved\"");
    if enough {
        let gateway = stage.start();
        assert!(in_pages(&gateway, "Private_Hugetlb:") > 0);
        assert_eq!(in_pages(&gateway, "AnonHugePages:"), 0);
        return;
    }
    let mut config = stage.config.clone();
    let address = free_address();
    config.set_text("listen.address", address);
    let file = write(stage.scratch.path(), &config);
    let said = Gateway::spawn(&file, address, &[]).err().expect("no start");
    assert!(
        said.contains("memory.huge_pages") && said.contains("vm.nr_hugepages"),
        "{said}"
    );
    let checked = check(&file, &[]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(
        checked.stderr.contains("vm.nr_hugepages"),
        "{}",
        checked.stderr
    );
    // Also where the process was told before, and the kernel had none to give.
    let told = [("MIMALLOC_ALLOW_LARGE_OS_PAGES".to_owned(), "1".to_owned())];
    let said = Gateway::spawn(&file, address, &told)
        .err()
        .expect("no start");
    assert!(said.contains("has got no reserved pages"), "{said}");
}
