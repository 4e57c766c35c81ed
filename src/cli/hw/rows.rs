//! One row for each thing a machine may give: what it is, what was found, and whether the gateway
//! makes use of it, with the reason.

use serde::Serialize;

use super::{Crypto, Survey};
use crate::machine::cpu_list;
use crate::machine::rates::Rate;
use crate::machine::{Features, Nic, PAGES_AT_ONCE, Quota};

/// One thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    pub(super) topic: &'static str,
    pub(super) what: String,
    pub(super) found: String,
    /// None where it is a fact about the machine and nothing to be used, or where that is not
    /// known.
    pub(super) used: Option<bool>,
    pub(super) why: String,
}

const CPU: &str = "Processor";
const CRYPTO: &str = "Cryptography";
const RATES: &str = "Rates";
const RING: &str = "io_uring";
const CPUS: &str = "CPUs";
const MEMORY: &str = "Memory";
const NETWORK: &str = "Network";

/// All rows, topic by topic.
pub(super) fn of(survey: &Survey) -> Vec<Row> {
    let topics = [
        processor(survey),
        crypto(survey),
        rates(survey),
        ring(survey),
        cpus(survey),
        memory(survey),
        network(survey),
    ];
    topics.into_iter().flatten().collect()
}

fn fact(topic: &'static str, what: &str, found: impl Into<String>) -> Row {
    Row {
        topic,
        what: what.to_owned(),
        found: found.into(),
        used: None,
        why: String::new(),
    }
}

impl Row {
    fn used(mut self, used: bool, why: impl Into<String>) -> Self {
        self.used = Some(used);
        self.why = why.into();
        self
    }

    fn because(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }
}

fn yes(there: bool) -> &'static str {
    if there { "yes" } else { "no" }
}

const UNSEEN: &str = "not to be seen here";

fn processor(survey: &Survey) -> Vec<Row> {
    let processor = &survey.machine.processor;
    let model = processor.model.clone().unwrap_or_else(|| UNSEEN.to_owned());
    let mut rows = vec![fact(CPU, "model", model)];
    if let Some(features) = processor.features {
        rows.extend(instructions(features, &survey.crypto));
    } else {
        rows.push(fact(CPU, "instructions", UNSEEN));
    }
    if survey.crypto.masked {
        let why = "it may hide instructions from the library";
        rows.push(fact(CPU, "OPENSSL_ia32cap", "set").because(why));
    }
    let governors = processor.governors.iter();
    let governors: Vec<String> = governors
        .map(|(name, cpus)| format!("{name} on {cpus}"))
        .collect();
    rows.push(if governors.is_empty() {
        fact(CPU, "governor", "none").because("frequencies are not the kernel's to choose")
    } else {
        fact(CPU, "governor", governors.join(", "))
    });
    if let Some(khz) = processor.frequency_khz_max {
        rows.push(fact(
            CPU,
            "highest frequency",
            format!("{} MHz", khz / 1_000),
        ));
    }
    rows
}

fn instructions(features: Features, crypto: &Crypto) -> [Row; 5] {
    let wide = features.vaes && features.vpclmulqdq && features.avx512;
    let blocks = if wide {
        "AES-GCM of records, four blocks at a time"
    } else {
        "the library asks for VAES, VPCLMULQDQ and AVX-512 together"
    };
    let (ifma, signing) = match crypto.rsa_in_file {
        Some(true) => (Some(true), "signatures by the RSA key in a file"),
        Some(false) => (Some(false), "this configuration has no RSA key in a file"),
        None => (None, "an RSA key in a file would sign with it"),
    };
    let one = |name: &str, there: bool, used: Option<bool>, why: &str| {
        let row = fact(CPU, name, yes(there));
        match (there, crypto.masked, used) {
            (false, ..) => row.used(false, "not there"),
            (true, true, _) => row.because("not known: OPENSSL_ia32cap is set"),
            (true, false, Some(used)) => row.used(used, why),
            (true, false, None) => row.because(why),
        }
    };
    let hashes = "SHA-256 of transcripts and tokens";
    [
        one("AES-NI", features.aes, Some(true), "AES-GCM of records"),
        one("VAES", features.vaes, Some(wide), blocks),
        one("VPCLMULQDQ", features.vpclmulqdq, Some(wide), blocks),
        one("SHA-NI", features.sha, Some(true), hashes),
        one("AVX-512 IFMA", features.avx512_ifma, ifma, signing),
    ]
}

fn crypto(survey: &Survey) -> Vec<Row> {
    let crypto = &survey.crypto;
    let hybrid = "X25519MLKEM768";
    let offered = crypto.groups.iter().position(|group| group == hybrid);
    let why = match offered {
        Some(0) => "first of the groups: taken whenever a client sends a share for it",
        Some(_) => "among the groups, and not the first",
        None => "not among the groups",
    };
    let fips = if crypto.fips {
        "the library's FIPS module"
    } else {
        "a build of its own: aws-lc-rs with its feature fips"
    };
    vec![
        fact(CRYPTO, "library", crypto.library.clone()).used(true, "TLS, tokens, keys in files"),
        fact(CRYPTO, "ML-KEM", hybrid).used(offered.is_some(), why),
        fact(CRYPTO, "groups", crypto.groups.join(" ")).used(true, "best first"),
        fact(CRYPTO, "FIPS", yes(crypto.fips)).used(crypto.fips, fips),
    ]
}

fn rates(survey: &Survey) -> Vec<Row> {
    let mut rows: Vec<Row> = survey.rates.iter().map(rate).collect();
    if let Some(what) = &survey.token_fault {
        rows.push(fact(RATES, "token", "not measured").because(what.clone()));
    }
    rows
}

fn rate(rate: &Rate) -> Row {
    let threads = match rate.threads {
        1 => String::new(),
        threads => format!(", {threads} threads"),
    };
    let size = rate.bytes.map_or(String::new(), |bytes| {
        #[expect(clippy::cast_precision_loss, reason = "records are at most 16 KiB")]
        let megabytes = rate.per_s * bytes as f64 / 1e6;
        format!(", {megabytes:.0} MB/s")
    });
    let micros = rate.ns_each / 1_000.0;
    let found = format!("{:.0}/s, {micros:.2} µs each{size}{threads}", rate.per_s);
    fact(RATES, &rate.what, found).because(rate.serves)
}

fn ring(survey: &Survey) -> Vec<Row> {
    let ring = &survey.io_uring;
    let setup = ring
        .refused
        .clone()
        .unwrap_or_else(|| "can be set up".to_owned());
    let there = ring.refused.is_none();
    let (deferred, polled) = if there {
        (
            "the loop waits in epoll, and completions of this kind come only to who asks the ring",
            "a kernel thread for each ring would take a CPU from a shard",
        )
    } else {
        ("not there", "not there")
    };
    let of = |used: bool| {
        let which = ring
            .operations
            .iter()
            .filter(|one| one.there && one.used == used);
        which.map(|one| one.name).collect::<Vec<_>>().join(" ")
    };
    let disabled = match ring.disabled {
        Some(0) => "0: allowed to all",
        Some(1) => "1: to CAP_SYS_ADMIN and the group of kernel.io_uring_group",
        Some(2) => "2: to nobody",
        _ => "not there",
    };
    let filtered = match ring.filtered {
        Some(true) => "yes",
        Some(false) => "no",
        None => UNSEEN,
    };
    let locked = survey.machine.memory.locked_max.clone();
    let locked = locked.unwrap_or_else(|| UNSEEN.to_owned());
    let kernel = survey
        .machine
        .kernel
        .clone()
        .unwrap_or_else(|| UNSEEN.to_owned());
    vec![
        fact(RING, "kernel", kernel),
        fact(RING, "ring", setup).used(there, "all that shards receive and send goes by it"),
        fact(RING, "COOP_TASKRUN, SINGLE_ISSUER", yes(ring.shards_flags)).used(
            ring.shards_flags,
            "completions do not interrupt a shard; one thread submits",
        ),
        fact(RING, "DEFER_TASKRUN", yes(ring.defer_taskrun)).used(false, deferred),
        fact(RING, "SQPOLL", yes(ring.sqpoll)).used(false, polled),
        fact(RING, "operations", of(true)).used(there, "each for one receive, send, accept, ..."),
        fact(RING, "further operations", of(false)).used(false, "the shards submit none of them"),
        fact(RING, "features", ring.features.join(" ")),
        fact(RING, "kernel.io_uring_disabled", disabled),
        fact(RING, "seccomp filter", filtered).because("one that is strict may forbid io_uring"),
        fact(RING, "locked memory", locked).because("bytes; the most that may be locked"),
    ]
}

/// CPUs in the kernel's notation, or a word where there are none.
fn list(cpus: &[usize]) -> String {
    if cpus.is_empty() {
        "none".to_owned()
    } else {
        cpu_list::show(cpus)
    }
}

fn cpus(survey: &Survey) -> Vec<Row> {
    let cpus = &survey.machine.cpus;
    let shards = &survey.shards;
    let has_shard = |cpu: &usize| shards.contains(cpu);
    let idle: Vec<usize> = cpus
        .allowed
        .iter()
        .copied()
        .filter(|cpu| !has_shard(cpu))
        .collect();
    let why = if idle.is_empty() {
        "a shard on each (listen.cpus)".to_owned()
    } else {
        format!(
            "shards on {}, none on {} (listen.cpus)",
            list(shards),
            list(&idle)
        )
    };
    let seen =
        |cpus: &Option<Vec<usize>>| cpus.as_ref().map_or(UNSEEN.to_owned(), |cpus| list(cpus));
    let mut rows = vec![
        fact(CPUS, "online", list(&cpus.online)),
        fact(CPUS, "this process may use", list(&cpus.allowed)).used(!shards.is_empty(), why),
        fact(CPUS, "isolated", seen(&cpus.isolated)),
        fact(CPUS, "without timer ticks", seen(&cpus.nohz_full)),
        fact(CPUS, "control group's set", seen(&cpus.cpuset)),
    ];
    let quota = match cpus.quota {
        Quota::Unseen => UNSEEN.to_owned(),
        Quota::Unbounded => "none".to_owned(),
        Quota::Millicpus(quota) => format!("{}.{:02} CPUs", quota / 1_000, quota % 1_000 / 10),
    };
    rows.push(fact(CPUS, "control group's quota", quota));
    if cpus.siblings.is_empty() {
        rows.push(fact(
            CPUS,
            "threads of one core",
            "one each, or not to be seen here",
        ));
    }
    for core in &cpus.siblings {
        let shards: Vec<usize> = core.iter().copied().filter(has_shard).collect();
        let why = match shards.len() {
            0 => "no shard on it",
            1 => "one shard on it",
            _ => "two shards on one core",
        };
        let name = format!("core of CPU {}", core.first().copied().unwrap_or(0));
        rows.push(fact(CPUS, &name, list(core)).used(!shards.is_empty(), why));
    }
    rows
}

fn memory(survey: &Survey) -> Vec<Row> {
    let memory = &survey.machine.memory;
    let mut rows = Vec::new();
    for node in &survey.machine.cpus.nodes {
        let mib = |kb: Option<u64>| kb.map_or("?".to_owned(), |kb| (kb / 1_024).to_string());
        let (total, free) = (mib(node.memory_total_kb), mib(node.memory_free_kb));
        let found = format!("{free} of {total} MiB free, CPUs {}", list(&node.cpus));
        let used = node.cpus.iter().any(|cpu| survey.shards.contains(cpu));
        let why = if used {
            "what a shard owns is made by its own thread, on its own CPU"
        } else {
            "no shard there"
        };
        rows.push(fact(MEMORY, &format!("node {}", node.node), found).used(used, why));
    }
    let word = memory
        .transparent
        .clone()
        .unwrap_or_else(|| UNSEEN.to_owned());
    let given = matches!(word.as_str(), "always" | "madvise");
    let wanted = survey.huge_pages == "transparent";
    let why = match (given, wanted) {
        (true, true) => "the allocator asks for them (memory.huge_pages)".to_owned(),
        (_, false) => format!("memory.huge_pages = {:?}", survey.huge_pages),
        (false, true) => "the kernel gives none".to_owned(),
    };
    rows.push(fact(MEMORY, "transparent huge pages", word).used(given && wanted, why));
    for pages in &memory.reserved {
        let found = format!("{} of {} free", pages.free, pages.total);
        let wanted = pages.page_kb == 2_048 && survey.huge_pages == "reserved";
        let enough = pages.free >= PAGES_AT_ONCE;
        let why = match (wanted, pages.page_kb) {
            (true, _) if enough => "the allocator takes 512 at once (memory.huge_pages)",
            (true, _) => "the allocator takes 512 at once, and fewer are free",
            (false, 2_048) => "memory.huge_pages is not \"reserved\"",
            (false, _) => "the allocator is not asked for pages of this size",
        };
        let name = format!("reserved pages, {} MiB", pages.page_kb / 1_024);
        rows.push(fact(MEMORY, &name, found).used(wanted && enough, why));
    }
    rows
}

fn network(survey: &Survey) -> Vec<Row> {
    let mut rows: Vec<Row> = survey
        .machine
        .nics
        .iter()
        .flat_map(|nic| one_nic(nic, survey))
        .collect();
    let steering = if survey.steering { "cpu" } else { "off" };
    let why = if survey.steering {
        "a connection goes to the shard of the CPU that received it"
    } else {
        "the kernel spreads connections by a hash; \"cpu\" wants a queue for each shard's CPU"
    };
    rows.push(fact(NETWORK, "listen.steering", steering).used(survey.steering, why));
    let layers = survey.machine.tcp_layers.join(" ");
    let ktls = &survey.ktls;
    let found = match &ktls.fault {
        None => "yes".to_owned(),
        Some(fault) => format!("no: {fault}"),
    };
    let why = "records are opened and sealed in the gateway itself";
    rows.push(fact(NETWORK, "kTLS", found).used(false, why));
    rows.push(fact(NETWORK, "layers on TCP at hand", layers));
    rows
}

fn one_nic(nic: &Nic, survey: &Survey) -> Vec<Row> {
    let driver = nic
        .driver
        .as_deref()
        .unwrap_or(if nic.physical { "?" } else { "virtual" });
    let speed = nic
        .speed_mbps
        .map_or(String::new(), |speed| format!(", {speed} Mbit/s"));
    let node = nic
        .node
        .map_or(String::new(), |node| format!(", node {node}"));
    let found = format!(
        "{driver}{speed}{node}, {} rx and {} tx queues",
        nic.rx_queues, nic.tx_queues
    );
    let mut rows = vec![fact(NETWORK, &nic.name, found)];
    let receiving = nic.receiving_cpus();
    let found = match (receiving.is_empty(), nic.physical) {
        (false, _) => list(&receiving),
        (true, true) => UNSEEN.to_owned(),
        (true, false) => "where its other end sends".to_owned(),
    };
    let with_shard = receiving
        .iter()
        .filter(|cpu| survey.shards.contains(cpu))
        .count();
    let why = match (with_shard, receiving.len()) {
        (_, 0) => String::new(),
        (shards, all) if shards == all => "with a shard each".to_owned(),
        (shards, all) => format!("{shards} of these {all} with a shard"),
    };
    rows.push(fact(NETWORK, &format!("{}: received on CPUs", nic.name), found).because(why));
    for (name, cpus) in [("RPS", &nic.rps_cpus), ("XPS", &nic.xps_cpus)] {
        if !cpus.is_empty() {
            rows.push(fact(NETWORK, &format!("{}: {name}", nic.name), list(cpus)));
        }
    }
    rows
}

#[cfg(test)]
mod tests;
