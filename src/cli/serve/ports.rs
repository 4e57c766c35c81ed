//! Whether the ports of the gateway are free, and who else has them.

use std::io;
use std::net::SocketAddr;

use super::fault;
use crate::config::{Config, Fault};
use crate::io::accept;

/// Whether somebody else has the port, said before a shard would silently share it.
pub fn port_fault(config: &Config) -> Option<Fault> {
    let address = config.listen.address.value;
    let line = config.listen.address.line;
    let what = match port_taken(address)? {
        Ok(what) => what,
        Err(what) => return Some(fault(line, "listen.address", what, ADDRESS_CURE)),
    };
    if config.listen.share_port {
        tracing::warn!("{what}; it gets a share of the connections, as listen.share_port allows");
        return None;
    }
    let cure = "stop it or use another port; set listen.share_port = true to share it, which \
                gives each process a part of the connections";
    Some(fault(line, "listen.address", what, cure))
}

/// The same of the admin listener, which nobody shares.
pub fn admin_port_fault(config: &Config) -> Option<Fault> {
    let at = config.admin.as_ref()?.address.as_ref()?;
    let (what, cure) = match port_taken(at.value)? {
        Ok(what) => (what, "stop it, or use another port for metrics and health"),
        Err(what) => (what, ADDRESS_CURE),
    };
    Some(fault(at.line, "admin.address", what, cure))
}

const ADDRESS_CURE: &str = "use an address of this machine, and a port this process may have";

/// None where the port is free; who else has it, or why nobody can have it.
fn port_taken(address: SocketAddr) -> Option<Result<String, String>> {
    let error = accept::port_is_free(address).err()?;
    Some(match error.kind() {
        io::ErrorKind::AddrInUse => {
            let holders = holders(address);
            Ok(format!("another process listens on {address}{holders}"))
        }
        _ => Err(format!("{address}: {error}")),
    })
}

/// Which processes hold a listening socket, as far as this one may see: ` (process 12 nginx)`.
fn holders(address: SocketAddr) -> String {
    let port = format!(":{:04X}", address.port());
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| table.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let listening = columns.get(1)?.ends_with(&port) && *columns.get(3)? == "0A";
            listening.then(|| format!("socket:[{}]", columns.get(9).unwrap_or(&"")))
        })
        .collect();
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(descriptors) = std::fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let holds = descriptors.flatten().any(|descriptor| {
            std::fs::read_link(descriptor.path()).is_ok_and(|link| {
                inodes
                    .iter()
                    .any(|inode| link.as_os_str() == inode.as_str())
            })
        });
        if holds {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            found.push(format!("{} {}", process.file_name().display(), name.trim()));
        }
    }
    match found.as_slice() {
        [] => String::new(),
        _ => format!(" (process {})", found.join(", ")),
    }
}
