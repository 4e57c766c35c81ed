//! What the CPUs can do, as `/proc/cpuinfo` says it, and how fast they may run.

use std::collections::BTreeMap;

use serde::Serialize;

use super::tree::{Tree, field, printable};

/// The CPUs' kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Processor {
    /// None where the kernel gives no name, as on ARM.
    pub model: Option<String>,
    /// None where `/proc/cpuinfo` is not to be read: then nothing is known of it.
    pub features: Option<Features>,
    /// What the kernel does about frequencies, and how many CPUs have it so; empty where it does
    /// nothing, as in most virtual machines.
    pub governors: BTreeMap<String, usize>,
    /// The highest frequency of the first CPU that says it, in kHz.
    pub frequency_khz_max: Option<u64>,
}

/// Instructions that cryptography has a use for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one flag of the kernel's list"
)]
pub struct Features {
    /// AES rounds: AES-NI, or the AES instructions of ARMv8.
    pub aes: bool,
    /// Carry-less products of 64 bits, for GHASH.
    pub pclmulqdq: bool,
    /// AES on 256 and 512 bits at once.
    pub vaes: bool,
    pub vpclmulqdq: bool,
    /// SHA-256 rounds: SHA-NI, or those of ARMv8.
    pub sha: bool,
    pub avx2: bool,
    pub avx512: bool,
    /// Products of 52 bits, for RSA.
    pub avx512_ifma: bool,
}

impl Processor {
    pub fn read(tree: &Tree) -> Self {
        let info = tree.text("proc/cpuinfo");
        let info = info.as_deref();
        let model = info
            .and_then(|info| field(info, "model name"))
            .map(printable);
        let mut governors = BTreeMap::new();
        let mut frequency_khz_max = None;
        let folder = "sys/devices/system/cpu";
        for cpu in tree.names(folder) {
            let governor = tree.text(&format!("{folder}/{cpu}/cpufreq/scaling_governor"));
            if let Some(governor) = governor {
                *governors.entry(printable(&governor)).or_default() += 1;
                let path = format!("{folder}/{cpu}/cpufreq/cpuinfo_max_freq");
                frequency_khz_max = frequency_khz_max.or_else(|| tree.number(&path));
            }
        }
        Self {
            model,
            features: info.and_then(features),
            governors,
            frequency_khz_max,
        }
    }
}

/// From the first CPU's line; all have the same, or the kernel would not schedule across them.
fn features(info: &str) -> Option<Features> {
    let line = field(info, "flags").or_else(|| field(info, "Features"))?;
    let has = |flag: &str| line.split_whitespace().any(|word| word == flag);
    Some(Features {
        aes: has("aes"),
        pclmulqdq: has("pclmulqdq") || has("pmull"),
        vaes: has("vaes"),
        vpclmulqdq: has("vpclmulqdq"),
        sha: has("sha_ni") || has("sha2"),
        avx2: has("avx2"),
        // What the library asks for before it takes its code of that width.
        avx512: ["avx512f", "avx512bw", "avx512dq", "avx512vl"]
            .into_iter()
            .all(has),
        avx512_ifma: has("avx512ifma"),
    })
}
