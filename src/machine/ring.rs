//! What io_uring gives here: asked of the kernel by setting rings up and giving them back.

use std::io;

use io_uring::{IoUring, Parameters, Probe, opcode};
use serde::Serialize;

use super::tree::{Tree, field};

/// Enough for a ring that is never used.
const ENTRIES: u32 = 8;

/// io_uring as this process finds it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ring {
    /// Why no ring at all can be set up; None where it can.
    pub refused: Option<String>,
    /// `IORING_SETUP_COOP_TASKRUN` and `IORING_SETUP_SINGLE_ISSUER`, as the shards set them.
    pub shards_flags: bool,
    pub defer_taskrun: bool,
    pub sqpoll: bool,
    /// Features that the kernel names for such a ring.
    pub features: Vec<&'static str>,
    /// Operations, those that the gateway submits first.
    pub operations: Vec<Operation>,
    /// `kernel.io_uring_disabled`: 0 for all, 1 for a group, 2 for none; None before Linux 6.6.
    pub disabled: Option<u8>,
    /// Whether a seccomp filter looks at this process's system calls; None where not to be seen.
    pub filtered: Option<bool>,
}

/// One operation of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Operation {
    pub name: &'static str,
    pub there: bool,
    /// Whether the gateway submits it.
    pub used: bool,
}

impl Ring {
    /// Asks the kernel. To be called on a thread that has no ring of its own to lose.
    pub fn probe(tree: &Tree) -> Self {
        let status = tree.text("proc/self/status").unwrap_or_default();
        let mut ring = Self {
            disabled: tree.number("proc/sys/kernel/io_uring_disabled"),
            filtered: field(&status, "Seccomp").map(|mode| mode == "2"),
            ..Self::default()
        };
        match IoUring::new(ENTRIES) {
            Err(error) => ring.refused = Some(error.to_string()),
            Ok(made) => {
                ring.features = features(made.params());
                ring.operations = operations(&made).unwrap_or_default();
            }
        }
        let made = |set: fn(&mut io_uring::Builder)| {
            let mut builder = IoUring::builder();
            set(&mut builder);
            builder.build(ENTRIES).is_ok()
        };
        ring.shards_flags = made(|builder| {
            builder.setup_coop_taskrun().setup_single_issuer();
        });
        ring.defer_taskrun = made(|builder| {
            builder.setup_single_issuer().setup_defer_taskrun();
        });
        ring.sqpoll = made(|builder| {
            builder.setup_sqpoll(1);
        });
        ring
    }
}

fn features(of: &Parameters) -> Vec<&'static str> {
    let features = [
        ("single_mmap", of.is_feature_single_mmap()),
        ("nodrop", of.is_feature_nodrop()),
        ("submit_stable", of.is_feature_submit_stable()),
        ("fast_poll", of.is_feature_fast_poll()),
        ("ext_arg", of.is_feature_ext_arg()),
        ("native_workers", of.is_feature_native_workers()),
        ("resource_tagging", of.is_feature_resource_tagging()),
        ("skip_cqe_on_success", of.is_feature_skip_cqe_on_success()),
        ("linked_file", of.is_feature_linked_file()),
    ];
    let there = features.into_iter().filter(|(_, there)| *there);
    there.map(|(name, _)| name).collect()
}

impl Operation {
    /// Asks the kernel for all of them, by a ring for that alone; none where there is no ring.
    pub fn probe() -> Vec<Self> {
        let made = IoUring::new(ENTRIES).and_then(|made| operations(&made));
        made.unwrap_or_default()
    }
}

fn operations(ring: &IoUring) -> io::Result<Vec<Operation>> {
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe)?;
    let known = [
        ("accept", opcode::Accept::CODE, true),
        ("connect", opcode::Connect::CODE, true),
        ("recv", opcode::Recv::CODE, true),
        ("send", opcode::Send::CODE, true),
        ("timeout", opcode::Timeout::CODE, true),
        ("poll_add", opcode::PollAdd::CODE, true),
        ("async_cancel", opcode::AsyncCancel::CODE, true),
        // The turnstile's, by the runtime.
        ("nop", opcode::Nop::CODE, true),
        ("provide_buffers", opcode::ProvideBuffers::CODE, false),
        ("send_zc", opcode::SendZc::CODE, false),
        ("msg_ring", opcode::MsgRingData::CODE, false),
    ];
    let known = known.into_iter().map(|(name, code, used)| Operation {
        name,
        there: probe.is_supported(code),
        used,
    });
    Ok(known.collect())
}
