//! New connections to the listening socket of the CPU that received them.
//!
//! The kernel asks a classic BPF program, `SO_ATTACH_REUSEPORT_CBPF`, which socket of a port gets
//! a connection: when its SYN arrives, on the CPU that handles it. `SO_INCOMING_CPU` says the same
//! for each socket, but is heard for TCP by newer kernels only.

use std::io;
use std::os::fd::AsRawFd;

use libc::{sock_filter, sock_fprog};
use socket2::Socket;

/// Connections arriving on `cpus[n]` go to the n-th socket that began to listen on the port; from
/// all other CPUs they are spread by the kernel as if nothing had been asked. The program stays
/// with the port's group for as long as it has a socket. `socket` is any of them.
///
/// # Errors
/// The kernel's: `EINVAL` for more CPUs than a program has room for, some 2,000.
pub fn steer(socket: &Socket, cpus: &[usize]) -> io::Result<()> {
    let mut program = program(cpus)?;
    let given = sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| too_many())?,
        filter: program.as_mut_ptr(),
    };
    let length = libc::socklen_t::try_from(size_of_val(&given)).map_err(io::Error::other)?;
    // SAFETY: `given` is the struct this option takes, `length` its size, and the program it
    // points to lives until after the call, in which the kernel copies both.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const given).cast(),
            length,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn too_many() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "more CPUs than a program has room for",
    )
}

/// `ld #cpu; for each: jeq #cpu, return its place; return no socket's place`, upon which the
/// kernel spreads by its hash.
#[expect(
    clippy::cast_possible_truncation,
    reason = "opcodes of BPF are below 256"
)]
fn program(cpus: &[usize]) -> io::Result<Vec<sock_filter>> {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    // Negative offsets are the kernel's own data; the CPU is one of them.
    let cpu_here = (libc::SKF_AD_OFF + libc::SKF_AD_CPU).cast_unsigned();
    let mut program = vec![step(LOAD, 0, 0, cpu_here)];
    for (place, cpu) in cpus.iter().enumerate() {
        let cpu = u32::try_from(*cpu).map_err(|_| too_many())?;
        let place = u32::try_from(place).map_err(|_| too_many())?;
        program.push(step(JUMP_EQUAL, 0, 1, cpu));
        program.push(step(RETURN, 0, 0, place));
    }
    program.push(step(RETURN, 0, 0, u32::MAX));
    Ok(program)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
    use std::thread;

    use rustix::thread::{CpuSet, sched_getaffinity};

    use super::*;
    use crate::io::{accept, cpu};

    fn allowed() -> Vec<usize> {
        let set = sched_getaffinity(None).unwrap();
        (0..CpuSet::MAX_CPU)
            .filter(|cpu| set.is_set(*cpu))
            .collect()
    }

    /// Two sockets on one port, which the kernel chooses.
    fn pair() -> (SocketAddr, [TcpListener; 2]) {
        let first = accept::listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = first.local_addr().unwrap().as_socket().unwrap();
        let second = accept::listen(address).unwrap();
        for socket in [&first, &second] {
            socket.set_nonblocking(true).unwrap();
        }
        (address, [first.into(), second.into()])
    }

    /// How many connections each of the sockets has got, of some made on one CPU.
    fn shares(address: SocketAddr, listeners: &[TcpListener; 2], on: usize) -> [usize; 2] {
        thread::scope(|scope| {
            let connecting = scope.spawn(|| {
                cpu::pin(on).unwrap();
                // Kept until all are accepted.
                let made = (0..24).map(|_| TcpStream::connect(address).unwrap());
                let made: Vec<TcpStream> = made.collect();
                let got = |at: &TcpListener| std::iter::from_fn(|| at.accept().ok()).count();
                let shares = [got(&listeners[0]), got(&listeners[1])];
                drop(made);
                shares
            });
            connecting.join().unwrap()
        })
    }

    #[test]
    fn connections_go_to_the_socket_of_the_cpu_that_received_them() {
        let (address, listeners) = pair();
        let cpus = allowed();
        let (first, last) = (cpus[0], *cpus.last().unwrap());
        assert_ne!(first, last, "a machine with one CPU steers nothing");
        steer(
            &Socket::from(listeners[0].try_clone().unwrap()),
            &[last, first],
        )
        .unwrap();
        assert_eq!(shares(address, &listeners, last), [24, 0]);
        assert_eq!(shares(address, &listeners, first), [0, 24]);
    }

    #[test]
    fn connections_from_cpus_without_a_socket_are_spread_and_none_is_lost() {
        let (address, listeners) = pair();
        let socket = Socket::from(listeners[1].try_clone().unwrap());
        steer(&socket, &[60_000, 60_001]).unwrap();
        let [first, second] = shares(address, &listeners, allowed()[0]);
        assert_eq!(first + second, 24);
        // All of 24 on one side: once in some eight million runs.
        assert!(first > 0 && second > 0, "{first} and {second}");
    }

    #[test]
    fn more_cpus_than_a_program_has_room_for_are_refused() {
        let (_, listeners) = pair();
        let socket = Socket::from(listeners[0].try_clone().unwrap());
        let cpus: Vec<usize> = (0..2_048).collect();
        assert!(steer(&socket, &cpus[..2_047]).is_ok());
        assert_eq!(
            steer(&socket, &cpus).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
        let cpus: Vec<usize> = (0..60_000).collect();
        assert!(steer(&socket, &cpus).is_err());
    }
}
