//! Listening sockets: one for each shard on the same port.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::rc::Rc;

use io_uring::{opcode, types};
use socket2::{Domain, Protocol, Socket, Type};

use super::stream::submit;

/// Connections the kernel may hold for one shard before they are accepted. `somaxconn` cuts it.
const BACKLOG: i32 = 4_096;

/// A shard's listening socket.
pub struct Listener {
    socket: Rc<Socket>,
}

/// Finds out whether the port is free, or shared already by another process.
///
/// # Errors
/// `AddrInUse` when any process listens there, with `SO_REUSEPORT` or without; the kernel's
/// others (no such address, no permission).
pub fn port_is_free(address: SocketAddr) -> io::Result<()> {
    // Without SO_REUSEPORT a bind fails even where every other socket has it.
    let socket = bound(address, false)?;
    socket.listen(1)
}

fn bound(address: SocketAddr, share: bool) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM.cloexec(),
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(share)?;
    // Accepted sockets inherit it.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Opens a shard's socket, from any thread; the kernel queues connections from here on.
///
/// # Errors
/// The kernel's.
pub fn listen(address: SocketAddr) -> io::Result<Socket> {
    let socket = bound(address, true)?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

impl Listener {
    /// Takes over a listening socket on the shard's thread.
    pub fn new(socket: Socket) -> Self {
        Self {
            socket: Rc::new(socket),
        }
    }

    /// Waits for the next connection. To be awaited to its end: a dropped accept would lose the
    /// descriptor it may already have. [`Listener::stop`] ends it.
    ///
    /// # Errors
    /// The kernel's: `EMFILE`, `ENFILE`, `ENOMEM` pass; `EINVAL` after [`Listener::stop`].
    pub async fn accept(&self) -> io::Result<Socket> {
        let entry = opcode::Accept::new(
            types::Fd(self.socket.as_raw_fd()),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        )
        .flags(libc::SOCK_CLOEXEC)
        .build();
        let (result, ()) = submit(Some(&self.socket), (), entry).await;
        let descriptor = result?;
        let descriptor = i32::try_from(descriptor).map_err(io::Error::other)?;
        // SAFETY: the accept that just completed made this descriptor, and nobody else has it.
        let owned = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Ok(Socket::from(owned))
    }

    /// Ends accepting: the accept in flight fails, and new connections are refused by the kernel
    /// or go to the other sockets of the port.
    pub fn stop(&self) {
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }
}
