//! Whether the kernel could take TLS records off the gateway's hands.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

/// Asks for the upper layer `tls` on a connection over loopback, which it then gives up.
///
/// # Errors
/// `ENOENT` where the kernel has none, and cannot load one for this process.
pub fn available() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let stream = TcpStream::connect(listener.local_addr()?)?;
    let _other_end = listener.accept()?;
    let name = b"tls";
    let length = libc::socklen_t::try_from(name.len()).map_err(io::Error::other)?;
    // SAFETY: the option takes bytes, and as many as `length` says are there.
    let result = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_ULP,
            name.as_ptr().cast(),
            length,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
