//! Ports on loopback, and whose they are. A process left over on the same `SO_REUSEPORT` port
//! silently takes a share of the load, and the figures with it: so before a run nobody may listen
//! on its port, and during it nobody but the process that is measured.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;

use crate::fault::{Fault, about};
use crate::process::family;

/// `TCP_LISTEN` as `/proc/net/tcp` writes it.
const LISTEN: &str = "0A";

/// As many ports of 127.0.0.1 on which nobody listens, each another: all are held until the last
/// is found, or the kernel would now and then give the same one twice.
///
/// # Errors
/// When the kernel has none.
pub fn free<const COUNT: usize>() -> Result<[u16; COUNT], Fault> {
    let mut held = Vec::with_capacity(COUNT);
    let mut found = [0; COUNT];
    for port in &mut found {
        let listener = about("a free port", TcpListener::bind(("127.0.0.1", 0)))?;
        *port = about("a free port", listener.local_addr())?.port();
        held.push(listener);
    }
    Ok(found)
}

/// Inodes of the sockets that listen on `port`, of any address, in the text of `/proc/net/tcp`
/// or `tcp6`.
fn listeners(table: &str, port: u16) -> BTreeSet<u64> {
    let wanted = format!(":{port:04X}");
    let rows = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let listens = *fields.get(3)? == LISTEN && fields.get(1)?.ends_with(&wanted);
        listens.then(|| fields.get(9)?.parse().ok())?
    });
    rows.collect()
}

/// The same of this machine.
fn listeners_here(port: u16) -> BTreeSet<u64> {
    let read = |file| std::fs::read_to_string(file).unwrap_or_default();
    let (v4, v6) = (read("/proc/net/tcp"), read("/proc/net/tcp6"));
    let mut inodes = listeners(&v4, port);
    inodes.extend(listeners(&v6, port));
    inodes
}

/// # Errors
/// When anybody listens on the port.
pub fn check_unused(port: u16) -> Result<(), Fault> {
    match listeners_here(port).len() {
        0 => Ok(()),
        count => Err(Fault::new(format!(
            "{count} sockets listen on port {port} before the run"
        ))
        .hint(format!("see whose they are: ss -ltnp 'sport = :{port}'"))),
    }
}

/// Whether anybody listens on the port.
pub fn is_used(port: u16) -> bool {
    !listeners_here(port).is_empty()
}

/// # Errors
/// When somebody listens on the port who is neither `pid` nor started by it.
pub fn check_ours(port: u16, pid: u32) -> Result<(), Fault> {
    let ours: BTreeSet<u64> = family(pid).into_iter().flat_map(sockets).collect();
    let strange = strangers(&listeners_here(port), &ours);
    if strange == 0 {
        return Ok(());
    }
    Err(Fault::new(format!(
        "{strange} sockets of other processes listen on port {port}, which process {pid} serves: \
         they would take a share of the load"
    ))
    .hint(format!("see whose they are: ss -ltnp 'sport = :{port}'")))
}

fn strangers(listening: &BTreeSet<u64>, ours: &BTreeSet<u64>) -> usize {
    listening.difference(ours).count()
}

/// Inodes of the sockets a process holds.
fn sockets(pid: u32) -> Vec<u64> {
    let directory = format!("/proc/{pid}/fd");
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let targets = entries
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok());
    targets.filter_map(|target| inode(&target)).collect()
}

/// Of a link to `socket:[12345]`.
fn inode(link: &Path) -> Option<u64> {
    let text = link.to_str()?.strip_prefix("socket:[")?;
    text.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::wait_until;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1
   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1
   2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1
   3: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 4714 1
";

    #[test]
    fn every_listener_on_a_port_is_seen_and_no_connection() {
        let both = BTreeSet::from([4711, 4712]);
        assert_eq!(listeners(TABLE, 8080), both);
        assert_eq!(listeners(TABLE, 8081), BTreeSet::from([4713]));
        assert!(listeners(TABLE, 8082).is_empty());
    }

    #[test]
    fn listener_that_is_not_ours_is_a_stranger() {
        let both = BTreeSet::from([4711, 4712]);
        assert_eq!(strangers(&both, &BTreeSet::from([4711])), 1);
        assert_eq!(strangers(&both, &BTreeSet::from([4711, 4712, 99])), 0);
    }

    #[test]
    fn port_somebody_listens_on_is_refused_before_a_run_and_ours_is_known() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        assert!(check_unused(port).is_err());
        assert!(is_used(port));
        check_ours(port, std::process::id()).expect("it is this process's");
        // Process 1 is an ancestor of ours: family(1) would hold us, so ask for one without any.
        assert!(check_ours(port, u32::MAX).is_err(), "a stranger's port");
        drop(listener);
        // What another test starts holds what this process held for as long as it is no program
        // of its own yet.
        let over = wait_until(Duration::from_secs(5), || check_unused(port).is_ok());
        assert!(over, "nobody listens any more");
    }

    #[test]
    fn free_ports_are_all_others() {
        let found: [u16; 64] = free().expect("ports");
        assert_eq!(BTreeSet::from(found).len(), 64);
    }

    #[test]
    fn link_of_a_socket_names_its_inode() {
        assert_eq!(inode(Path::new("socket:[12345]")), Some(12345));
        assert_eq!(inode(Path::new("pipe:[12345]")), None);
    }
}
