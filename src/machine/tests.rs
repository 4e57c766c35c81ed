//! Machines that were made up: a large one, a container that shows nothing, and one whose files
//! hold anything.

use std::fs;
use std::os::unix::fs::symlink;

use proptest::prelude::*;
use tempfile::TempDir;

use super::rates::Rate;
use super::*;

struct MadeUp(TempDir);

impl MadeUp {
    fn new(files: &[(&str, &str)]) -> Self {
        let made = Self(TempDir::new().unwrap());
        files.iter().for_each(|(path, text)| made.write(path, text));
        made
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn link(&self, path: &str, target: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    fn read(&self) -> Machine {
        Machine::read(self.0.path())
    }
}

const SYSTEM: &str = "sys/devices/system";
const STATUS: &str = "proc/self/status";

/// Two nodes of four CPUs on two cores each, CPUs 2, 3, 6 and 7 isolated, and a NIC at node 1
/// whose four queues are received on CPUs 4 to 7.
fn server() -> MadeUp {
    let made = MadeUp::new(&[
        ("proc/sys/kernel/osrelease", "6.12.0-amd64\n"),
        (
            "proc/cpuinfo",
            "processor\t: 0\nmodel name\t: Example 9000\nflags\t\t: fpu aes avx2 \
          pclmulqdq vaes vpclmulqdq sha_ni avx512f avx512bw avx512dq avx512vl\n\nprocessor\t: 1\n",
        ),
        (
            STATUS,
            "Name:\tt8gate\nCpus_allowed_list:\t0-1,4-5\nSeccomp:\t2\n",
        ),
        (
            "proc/self/limits",
            "Limit  Soft Limit  Hard Limit  Units\n\
          Max locked memory         8388608              8388608              bytes\n",
        ),
        ("proc/self/cgroup", "0::/system.slice/t8gate.service\n"),
        (
            "sys/fs/cgroup/system.slice/t8gate.service/cpuset.cpus.effective",
            "0-7\n",
        ),
        (
            "sys/fs/cgroup/system.slice/t8gate.service/cpu.max",
            "150000 100000\n",
        ),
        ("proc/sys/net/ipv4/tcp_available_ulp", "mptcp tls\n"),
        (
            "sys/kernel/mm/transparent_hugepage/enabled",
            "always [madvise] never\n",
        ),
        (
            "sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages",
            "2\n",
        ),
        (
            "sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages",
            "1\n",
        ),
        (
            "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
            "1024\n",
        ),
        (
            "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages",
            "1000\n",
        ),
    ]);
    made.write(&format!("{SYSTEM}/cpu/online"), "0-7\n");
    made.write(&format!("{SYSTEM}/cpu/isolated"), "2-3,6-7\n");
    made.write(&format!("{SYSTEM}/cpu/nohz_full"), "(null)\n");
    for cpu in 0..8 {
        let at = format!("{SYSTEM}/cpu/cpu{cpu}");
        let first = cpu - cpu % 2;
        let siblings = format!("{first}-{}\n", first + 1);
        made.write(&format!("{at}/topology/thread_siblings_list"), &siblings);
        let governor = if cpu == 7 {
            "powersave\n"
        } else {
            "performance\n"
        };
        made.write(&format!("{at}/cpufreq/scaling_governor"), governor);
        made.write(&format!("{at}/cpufreq/cpuinfo_max_freq"), "3700000\n");
    }
    for (node, cpus) in [(0, "0-3\n"), (1, "4-7\n")] {
        let at = format!("{SYSTEM}/node/node{node}");
        made.write(&format!("{at}/cpulist"), cpus);
        let memory = format!("Node {node} MemTotal:  1000 kB\nNode {node} MemFree:  900 kB\n");
        made.write(&format!("{at}/meminfo"), &memory);
    }
    nic(&made);
    made
}

fn nic(made: &MadeUp) {
    let device = "sys/devices/pci0000:00/0000:00:05.0";
    let at = format!("{device}/net/ens5");
    made.write(&format!("{at}/operstate"), "up\n");
    made.write(&format!("{at}/speed"), "25000\n");
    made.link(&format!("{at}/device"), "../../../0000:00:05.0");
    made.link(
        &format!("{device}/driver"),
        "../../../bus/pci/drivers/mlx5_core",
    );
    made.link(
        "sys/class/net/ens5",
        "../../devices/pci0000:00/0000:00:05.0/net/ens5",
    );
    made.write(&format!("{device}/numa_node"), "1\n");
    made.write("sys/class/net/lo/operstate", "unknown\n");
    made.write("sys/class/net/br0/operstate", "down\n");
    let mut interrupts = String::from("           CPU0       CPU1\n");
    interrupts += " 70:  1  2  PCI-MSIX-0000:00:05.0  0-edge  ens5-config\n";
    made.write(&format!("{device}/msi_irqs/70"), "msix\n");
    made.write("proc/irq/70/smp_affinity_list", "0-7\n");
    for queue in 0..4 {
        let irq = 71 + queue;
        interrupts += &format!(" {irq}:  0  9  PCI-MSIX-0000:00:05.0  1-edge  ens5-TxRx-{queue}\n");
        made.write(&format!("{device}/msi_irqs/{irq}"), "msix\n");
        made.write(&format!("proc/irq/{irq}/smp_affinity_list"), "0-7\n");
        let one = format!("{}\n", 4 + queue);
        made.write(&format!("proc/irq/{irq}/effective_affinity_list"), &one);
        made.write(&format!("{at}/queues/rx-{queue}/rps_cpus"), "00\n");
        made.write(&format!("{at}/queues/tx-{queue}/xps_cpus"), "0f\n");
    }
    interrupts += "NMI:  0  0  Non-maskable interrupts\n";
    made.write("proc/interrupts", &interrupts);
}

#[test]
fn a_machine_of_two_nodes_is_read_whole() {
    let machine = server().read();
    assert_eq!(machine.kernel.as_deref(), Some("6.12.0-amd64"));
    assert_eq!(machine.tcp_layers, ["mptcp", "tls"]);
    let processor = &machine.processor;
    assert_eq!(processor.model.as_deref(), Some("Example 9000"));
    let features = processor.features.unwrap();
    assert!(features.aes && features.vaes && features.vpclmulqdq && features.sha);
    assert!(features.avx512 && !features.avx512_ifma);
    assert_eq!(processor.governors["performance"], 7);
    assert_eq!(processor.frequency_khz_max, Some(3_700_000));
    let cpus = &machine.cpus;
    assert_eq!(cpus.online, (0..8).collect::<Vec<_>>());
    assert_eq!(cpus.allowed, [0, 1, 4, 5]);
    assert_eq!(cpus.isolated.as_deref(), Some([2, 3, 6, 7].as_slice()));
    assert_eq!(cpus.nohz_full, Some(Vec::new()));
    assert_eq!(cpus.cpuset.as_ref().map(Vec::len), Some(8));
    assert_eq!(cpus.quota, Quota::Millicpus(1_500));
    assert_eq!(cpus.siblings, [[0, 1], [2, 3], [4, 5], [6, 7]]);
    assert_eq!(cpus.nodes.len(), 2);
    assert_eq!(cpus.nodes[1].memory_total_kb, Some(1_000));
    assert_eq!(cpus.nodes[1].memory_free_kb, Some(900));
    assert_eq!(
        (cpus.node_of(3), cpus.node_of(4), cpus.node_of(8)),
        (Some(0), Some(1), None)
    );
    let memory = &machine.memory;
    assert_eq!(memory.transparent.as_deref(), Some("madvise"));
    let pages: Vec<_> = memory
        .reserved
        .iter()
        .map(|p| (p.page_kb, p.total, p.free))
        .collect();
    assert_eq!(pages, [(2_048, 1_024, 1_000), (1_048_576, 2, 1)]);
    assert_eq!(memory.free_2m(), 1_000);
    assert_eq!(memory.locked_max.as_deref(), Some("8388608"));
}

#[test]
fn queues_and_interrupts_of_a_nic_are_read() {
    let machine = server().read();
    let [nic] = machine.nics.as_slice() else {
        panic!(
            "the loopback and what is down are no NICs: {:?}",
            machine.nics
        )
    };
    assert_eq!(
        (nic.name.as_str(), nic.physical, nic.node),
        ("ens5", true, Some(1))
    );
    assert_eq!(nic.driver.as_deref(), Some("mlx5_core"));
    assert_eq!(
        (nic.speed_mbps, nic.rx_queues, nic.tx_queues),
        (Some(25_000), 4, 4)
    );
    assert_eq!(nic.interrupts.len(), 5);
    assert_eq!(nic.interrupts[1].name, "ens5-TxRx-0");
    assert_eq!(
        nic.interrupts[1].cpus,
        [4],
        "where it goes, not where it might"
    );
    assert_eq!(
        nic.receiving_cpus(),
        [4, 5, 6, 7],
        "not those of the configuration interrupt"
    );
    assert_eq!(
        (nic.rps_cpus.len(), nic.xps_cpus.as_slice()),
        (0, [0, 1, 2, 3].as_slice())
    );
}

#[test]
fn software_that_spreads_packets_decides_where_they_are_handled() {
    let made = server();
    made.write(
        "sys/class/net/ens5/queues/rx-0/rps_cpus",
        "00000000,00000003\n",
    );
    assert_eq!(made.read().nics[0].receiving_cpus(), [0, 1]);
}

#[test]
fn interrupts_of_a_virtio_device_are_its_parents() {
    let made = MadeUp::new(&[
        ("sys/class/net/eth0/operstate", "up"),
        ("sys/devices/pci/0000:00:03.0/msi_irqs/38", "msix"),
        ("sys/devices/pci/0000:00:03.0/msi_irqs/39", "msix"),
        ("sys/devices/pci/0000:00:03.0/virtio2/features", "1"),
        (
            "proc/interrupts",
            " 38: 0 PCI 1-edge virtio2-input.0\n 39: 0 PCI virtio2-output.0\n",
        ),
        ("proc/irq/38/smp_affinity_list", "1"),
        ("proc/irq/39/smp_affinity_list", "0"),
    ]);
    made.link(
        "sys/class/net/eth0/device",
        "../../../devices/pci/0000:00:03.0/virtio2",
    );
    let nic = &made.read().nics[0];
    assert_eq!(nic.interrupts.len(), 2);
    assert_eq!(nic.receiving_cpus(), [1], "what sends only is not received");
}

/// A NIC whose interrupts have these names, the first of them on CPU 0, the next on CPU 1.
fn receiving_of(nic: &str, names: &[&str]) -> Vec<usize> {
    let made = MadeUp::new(&[(&format!("sys/class/net/{nic}/operstate"), "up")]);
    let mut interrupts = String::new();
    for (cpu, name) in names.iter().enumerate() {
        let irq = 40 + cpu;
        interrupts += &format!(" {irq}:  0  9  PCI-MSIX  1-edge  {name}\n");
        let at = format!("sys/class/net/{nic}/device/msi_irqs/{irq}");
        made.write(&at, "msix");
        made.write(
            &format!("proc/irq/{irq}/smp_affinity_list"),
            &cpu.to_string(),
        );
    }
    made.write("proc/interrupts", &interrupts);
    made.read().nics[0].receiving_cpus()
}

#[test]
fn interrupts_that_manage_a_nic_are_not_taken_for_its_queues() {
    let ena = ["ena-mgmnt@pci:0000:00:05.0", "ens5-Tx-Rx-0", "ens5-Tx-Rx-1"];
    assert_eq!(receiving_of("ens5", &ena), [1, 2]);
    let ixgbe = ["eth0-TxRx-0", "eth0-TxRx-1", "eth0"];
    assert_eq!(receiving_of("eth0", &ixgbe), [0, 1]);
    let mlx5 = [
        "mlx5_async0@pci:0000:00:05.0",
        "mlx5_comp0@pci:0000:00:05.0",
    ];
    assert_eq!(receiving_of("eth0", &mlx5), [1]);
    let gve = [
        "gve-ntfy-blk0@pci:0000:00:04.0",
        "gve-mgmnt@pci:0000:00:04.0",
    ];
    assert_eq!(receiving_of("eth0", &gve), [0], "no name says it receives");
    let named = ["compute0-TxRx-0", "compute0"];
    assert_eq!(receiving_of("compute0", &named), [0]);
}

#[test]
fn control_groups_of_version_1_are_read() {
    let made = MadeUp::new(&[
        ("proc/self/cgroup", "3:cpuset:/a\n1:cpu,cpuacct:/b\n0::/\n"),
        ("sys/fs/cgroup/cpuset/a/cpuset.effective_cpus", "1-2\n"),
        ("sys/fs/cgroup/cpu/b/cpu.cfs_quota_us", "50000\n"),
        ("sys/fs/cgroup/cpu/b/cpu.cfs_period_us", "100000\n"),
    ]);
    let cpus = made.read().cpus;
    assert_eq!(
        (cpus.cpuset, cpus.quota),
        (Some(vec![1, 2]), Quota::Millicpus(500))
    );
    made.write("sys/fs/cgroup/cpu/b/cpu.cfs_quota_us", "-1\n");
    assert_eq!(made.read().cpus.quota, Quota::Unbounded);
}

#[test]
fn a_quota_is_the_tightest_of_a_group_and_those_above_it() {
    let made = MadeUp::new(&[
        ("proc/self/cgroup", "0::/a.slice/b.slice/c.service\n"),
        (
            "sys/fs/cgroup/a.slice/b.slice/c.service/cpu.max",
            "max 100000\n",
        ),
        ("sys/fs/cgroup/a.slice/b.slice/cpu.max", "400000 100000\n"),
        ("sys/fs/cgroup/a.slice/cpu.max", "100000 50000\n"),
    ]);
    assert_eq!(made.read().cpus.quota, Quota::Millicpus(2_000));
    made.write("sys/fs/cgroup/cpu.max", "50000 100000\n");
    assert_eq!(made.read().cpus.quota, Quota::Millicpus(500), "a container");
    // Its name is the host's, and what is mounted is its own.
    made.write("proc/self/cgroup", "0::/a.slice/other/c.service\n");
    made.write("sys/fs/cgroup/cpu.max", "300000 100000\n");
    made.write("sys/fs/cgroup/cpuset.cpus.effective", "3\n");
    let cpus = made.read().cpus;
    assert_eq!(cpus.quota, Quota::Millicpus(3_000), "not that of a.slice");
    assert_eq!(cpus.cpuset, Some(vec![3]));
}

#[test]
fn a_quota_that_is_not_there_differs_from_one_that_is_not_to_be_seen() {
    let made = MadeUp::new(&[("proc/self/cgroup", "0::/a\n")]);
    assert_eq!(made.read().cpus.quota, Quota::Unseen);
    made.write("sys/fs/cgroup/a/cpu.max", "max 100000\n");
    assert_eq!(made.read().cpus.quota, Quota::Unbounded);
    // Of the root of all groups, which has no such file.
    let made = MadeUp::new(&[("proc/self/cgroup", "0::/\n")]);
    made.write("sys/fs/cgroup/cgroup.controllers", "cpuset memory\n");
    assert_eq!(made.read().cpus.quota, Quota::Unseen);
    made.write("sys/fs/cgroup/cgroup.controllers", "cpuset cpu memory\n");
    assert_eq!(made.read().cpus.quota, Quota::Unbounded);
}

#[test]
fn a_container_without_proc_and_sys_is_a_machine_of_which_nothing_is_known() {
    let machine = MadeUp::new(&[]).read();
    assert!(
        !machine.cpus.allowed.is_empty(),
        "as many as there are threads to run"
    );
    assert_eq!(machine.cpus.online, machine.cpus.allowed);
    let nothing = Machine {
        cpus: Topology {
            online: machine.cpus.online.clone(),
            allowed: machine.cpus.allowed.clone(),
            ..Topology::default()
        },
        ..Machine::default()
    };
    assert_eq!(machine, nothing);
    assert_eq!(
        of(&machine, &[0, 1], true),
        Vec::<String>::new(),
        "and nothing is said of it"
    );
}

#[test]
fn files_that_hold_no_text_are_as_if_they_were_not_there() {
    let made = server();
    for path in [
        format!("{SYSTEM}/cpu/online"),
        format!("{SYSTEM}/cpu/isolated"),
        format!("{SYSTEM}/node/node0/cpulist"),
        "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages".to_owned(),
        "sys/fs/cgroup/system.slice/t8gate.service/cpu.max".to_owned(),
        "sys/class/net/ens5/queues/rx-0/rps_cpus".to_owned(),
    ] {
        made.write(&path, "\u{0}\u{1b}[31m-7,99999999999999999999 0\u{fffd}");
    }
    made.write("proc/sys/kernel/osrelease", "6.1\u{1b}[31m\n");
    let machine = made.read();
    assert_eq!(machine.cpus.online, machine.cpus.allowed);
    assert_eq!(
        (&machine.cpus.isolated, machine.cpus.quota),
        (&None, Quota::Unseen)
    );
    assert_eq!(machine.cpus.nodes.len(), 1);
    assert_eq!(machine.memory.free_2m(), 0);
    assert_eq!(
        machine.kernel.as_deref(),
        Some("6.1[31m"),
        "nothing that a terminal obeys"
    );
    assert!(serde_json::to_string(&machine).is_ok());
}

proptest! {
    // Each makes a machine of some hundred files.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_text_in_any_file_makes_reading_fail(text in any::<Vec<u8>>(), place in 0..12_usize) {
        let paths = [
            "proc/cpuinfo", STATUS, "proc/self/limits", "proc/self/cgroup", "proc/interrupts",
            "sys/devices/system/cpu/online", "sys/devices/system/node/node0/meminfo",
            "sys/kernel/mm/transparent_hugepage/enabled",
            "sys/fs/cgroup/system.slice/t8gate.service/cpu.max",
            "sys/class/net/ens5/queues/rx-0/rps_cpus", "sys/class/net/ens5/speed",
            "proc/irq/71/effective_affinity_list",
        ];
        let made = server();
        fs::write(made.0.path().join(paths[place]), &text).unwrap();
        let machine = made.read();
        let _ = of(&machine, &machine.cpus.allowed, true);
    }
}

fn of(machine: &Machine, shards: &[usize], steering: bool) -> Vec<String> {
    let wanted = Wanted {
        shards,
        steering,
        transparent_pages: true,
        reserved_pages: false,
    };
    let said = remarks(machine, &[], wanted).into_iter();
    said.map(|remark| remark.what).collect()
}

#[test]
fn what_stands_in_the_way_of_shards_is_said() {
    let made = server();
    let said = of(&made.read(), &[0, 1], true);
    for word in [
        "grants 1.50 CPUs to 2 shards",
        "1 cores are shared by shards, the first by those on CPUs 0-1",
        "CPUs 2-3,6-7 are isolated, and no shard is on them",
        "ens5 is received on CPUs 4-7, of which 4-7 have no shard",
        "ens5 is attached to node 1, and no shard is there",
    ] {
        assert!(
            said.iter().any(|said| said.contains(word)),
            "{word}: {said:?}"
        );
    }
    assert_eq!(said.len(), 5, "{said:?}");
    made.write(
        "sys/kernel/mm/transparent_hugepage/enabled",
        "always madvise [never]",
    );
    made.write("proc/cpuinfo", "flags\t: fpu sse2\n");
    let said = of(&made.read(), &[0, 1], true);
    assert_eq!(said.len(), 7, "{said:?}");
}

#[test]
fn nothing_is_said_of_shards_that_fit_the_machine() {
    let made = server();
    made.write(
        "sys/fs/cgroup/system.slice/t8gate.service/cpu.max",
        "max 100000\n",
    );
    for irq in [72, 74] {
        made.write(&format!("proc/irq/{irq}/effective_affinity_list"), "6\n");
    }
    for irq in [71, 73] {
        made.write(&format!("proc/irq/{irq}/effective_affinity_list"), "4\n");
    }
    assert_eq!(of(&made.read(), &[4, 6], true), Vec::<String>::new());
    assert_eq!(
        of(&made.read(), &[4, 6, 2], true).len(),
        0,
        "a shard more than queues is no fault"
    );
}

#[test]
fn a_nic_with_one_queue_is_said_to_feed_one_shard_only_where_connections_are_steered() {
    let made = server();
    for irq in 71..75 {
        made.write(&format!("proc/irq/{irq}/effective_affinity_list"), "4\n");
    }
    made.write(
        "sys/fs/cgroup/system.slice/t8gate.service/cpu.max",
        "max 100000\n",
    );
    let said = of(&made.read(), &[4, 6], true);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("on CPU 4 alone"), "{said:?}");
    assert_eq!(of(&made.read(), &[4, 6], false), Vec::<String>::new());
}

#[test]
fn nothing_is_said_of_a_nic_that_is_down() {
    let made = server();
    let said = of(&made.read(), &[0, 1], true);
    assert!(said.iter().any(|said| said.contains("ens5")), "{said:?}");
    made.write("sys/class/net/ens5/operstate", "down\n");
    let said = of(&made.read(), &[0, 1], true);
    assert!(!said.iter().any(|said| said.contains("ens5")), "{said:?}");
}

#[test]
fn reserved_pages_that_are_too_few_for_a_start_are_said_where_they_are_wanted() {
    let made = server();
    let said = |reserved_pages| {
        let wanted = Wanted {
            shards: &[4, 6],
            steering: false,
            transparent_pages: false,
            reserved_pages,
        };
        let said = remarks(&made.read(), &[], wanted).into_iter();
        let of_pages = said.filter(|remark| remark.what.contains("reserved pages"));
        of_pages.map(|remark| remark.what).collect::<Vec<_>>()
    };
    let free = "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages";
    made.write(free, "512\n");
    assert_eq!(said(true), Vec::<String>::new());
    made.write(free, "511\n");
    assert_eq!(said(false), Vec::<String>::new());
    assert!(said(true)[0].starts_with("511 reserved pages"));
}

#[test]
fn an_operation_that_shards_submit_and_the_kernel_lacks_is_said() {
    let one = |name, there, used| Operation { name, there, used };
    let wanted = Wanted {
        shards: &[],
        steering: false,
        transparent_pages: false,
        reserved_pages: false,
    };
    let said = |operations: &[Operation]| remarks(&Machine::default(), operations, wanted);
    let known = [one("recv", true, true), one("send_zc", false, false)];
    assert_eq!(said(&known), []);
    let said = said(&[one("recv", true, true), one("nop", false, true)]);
    assert!(said[0].what.ends_with("submit: nop"), "{said:?}");
}

#[test]
fn rates_are_of_work_that_was_done() {
    let mut times = 0_u32;
    let rate = Rate::measure("counting", "a test", || {
        times += 1;
        Ok::<_, ()>(())
    });
    let rate = rate.unwrap();
    assert!(
        rate.per_s > 1_000.0 && f64::from(times) >= rate.per_s / 100.0,
        "{rate:?} {times}"
    );
    assert!((rate.per_s * rate.ns_each / 1e9 - 1.0).abs() < 1e-6);
    let two = Rate::of("two".to_owned(), "a test", 2, 1_000, 1_000_000);
    assert!(
        (two.ns_each - 2_000.0).abs() < 1e-6,
        "each of two threads: {two:?}"
    );
    assert_eq!(Rate::measure("failing", "a test", || Err(7)).err(), Some(7));
}

#[test]
fn io_uring_is_asked_of_the_kernel() {
    let tree = Tree::new(std::path::Path::new("/"));
    let ring = std::thread::spawn(move || Ring::probe(&tree))
        .join()
        .unwrap();
    assert_eq!(
        ring.refused, None,
        "the gateway's other tests need it as well"
    );
    assert!(ring.shards_flags);
    assert!(ring.features.contains(&"nodrop"), "{ring:?}");
    let used = ring.operations.iter().filter(|operation| operation.used);
    assert!(used.clone().all(|operation| operation.there));
    let names: Vec<&str> = used.map(|operation| operation.name).collect();
    // All that is built in src/io, and the turnstile's.
    let submitted = [
        "accept",
        "connect",
        "recv",
        "send",
        "timeout",
        "poll_add",
        "async_cancel",
        "nop",
    ];
    assert_eq!(names, submitted);
    assert_eq!(Operation::probe(), ring.operations);
}
