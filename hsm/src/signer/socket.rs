//! Packets and descriptors over Unix sockets.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, recvmsg,
    send, sendmsg, socketpair,
};

use super::wire::LANES_MAX;

/// Lanes, the PIN's, and that of the key of fingerprints.
const DESCRIPTORS_MAX: usize = LANES_MAX + 2;

/// Two ends, closed at an exec.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (kind, flags) = (SocketType::SEQPACKET, SocketFlags::CLOEXEC);
    Ok(socketpair(AddressFamily::UNIX, kind, flags, None)?)
}

/// The longest that one send or receive may take on this end; `TimedOut` after it.
pub fn bound(socket: &OwnedFd, wait: Duration) -> io::Result<()> {
    set_socket_timeout(socket, Timeout::Recv, Some(wait))?;
    Ok(set_socket_timeout(socket, Timeout::Send, Some(wait))?)
}

/// Sends one packet.
pub fn tell(socket: impl AsFd, packet: &[u8]) -> io::Result<()> {
    again(|| send(socket.as_fd(), packet, SendFlags::NOSIGNAL)).map(drop)
}

/// Receives one packet into `buffer`.
///
/// # Errors
/// `UnexpectedEof`: the other end is closed. `InvalidData`: the packet is longer than `buffer`.
pub fn hear(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<&[u8]> {
    let (_, length) = again(|| recv(socket.as_fd(), &mut *buffer, RecvFlags::TRUNC))?;
    match length {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        length => buffer
            .get(..length)
            .ok_or_else(|| io::ErrorKind::InvalidData.into()),
    }
}

/// Sends one packet and descriptors beside it.
pub fn hand_over(
    socket: impl AsFd,
    packet: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    again(|| {
        let mut beside = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(Errno::MSGSIZE);
        }
        sendmsg(
            socket.as_fd(),
            &[IoSlice::new(packet)],
            &mut beside,
            SendFlags::NOSIGNAL,
        )
    })
    .map(drop)
}

/// Receives one packet and the descriptors beside it.
///
/// # Errors
/// As [`hear`]; `InvalidData` also where descriptors were lost.
pub fn take_over(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<(&[u8], Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut descriptors = Vec::new();
    let (length, flags) = again(|| {
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let got = recvmsg(
            socket.as_fd(),
            &mut [IoSliceMut::new(buffer)],
            &mut beside,
            RecvFlags::CMSG_CLOEXEC,
        )?;
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        Ok((got.bytes, got.flags))
    })?;
    if flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    match length {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        length => Ok((&buffer[..length], descriptors)),
    }
}

/// Calls again what a signal broke off, and calls a deadline by its name.
fn again<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Err(io::ErrorKind::TimedOut.into()),
            done => return Ok(done?),
        }
    }
}
