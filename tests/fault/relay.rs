//! A relay on the way to the server of a remote token: what passes may be delayed, or held.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Runs until the test's process ends.
pub struct Relay {
    way: Arc<Way>,
}

#[derive(Default)]
struct Way {
    delay_us: AtomicU64,
    passed: AtomicU64,
    holds: AtomicBool,
    /// Connections so far, and how many of them were before the way lost its state.
    connections: AtomicU64,
    forgotten: AtomicU64,
}

impl Relay {
    /// From the socket `from`, which is made, to `to`, which need not be there yet.
    pub fn start(from: &Path, to: PathBuf) -> Self {
        let listener = UnixListener::bind(from).expect("a free name");
        let way = Arc::new(Way::default());
        let relay = Self {
            way: Arc::clone(&way),
        };
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Nobody there: the client finds its connection closed.
                let Ok(server) = UnixStream::connect(&to) else {
                    continue;
                };
                let (asks, asked) = (twin(&client), twin(&server));
                let way = Arc::clone(&way);
                let number = way.connections.fetch_add(1, Ordering::Relaxed);
                thread::spawn(move || pass(asks, asked, || way.let_pass(number)));
                thread::spawn(move || pass(server, client, || {}));
            }
        });
        relay
    }

    /// From now on each piece that goes to the server waits for so long.
    pub fn delay(&self, each: Duration) {
        let us = u64::try_from(each.as_micros()).expect("short");
        self.way.delay_us.store(us, Ordering::Relaxed);
    }

    /// Whether nothing gets to the server from now on, as on a way that drops all packets: what was
    /// sent comes through once it does not any more, as TCP sends it again.
    pub fn hold(&self, all: bool) {
        self.way.holds.store(all, Ordering::Relaxed);
    }

    /// From now on nothing gets to the server over connections that there are, and nobody is told:
    /// as behind a firewall that has been restarted.
    pub fn forget_connections(&self) {
        let so_far = self.way.connections.load(Ordering::Relaxed);
        self.way.forgotten.store(so_far, Ordering::Relaxed);
    }

    /// Connections that somebody has made so far.
    pub fn connections(&self) -> u64 {
        self.way.connections.load(Ordering::Relaxed)
    }

    /// Pieces that have gone to the server.
    pub fn passed(&self) -> u64 {
        self.way.passed.load(Ordering::Relaxed)
    }
}

impl Way {
    /// Returns when a piece may go on.
    fn let_pass(&self, connection: u64) {
        thread::sleep(Duration::from_micros(self.delay_us.load(Ordering::Relaxed)));
        let forgotten = || connection < self.forgotten.load(Ordering::Relaxed);
        while self.holds.load(Ordering::Relaxed) || forgotten() {
            thread::sleep(Duration::from_millis(1));
        }
        self.passed.fetch_add(1, Ordering::Relaxed);
    }
}

fn twin(stream: &UnixStream) -> UnixStream {
    stream.try_clone().expect("a descriptor")
}

/// Passes on, whenever `wait` returns, until one side ends, and ends the other.
fn pass(mut from: UnixStream, mut to: UnixStream, wait: impl Fn()) {
    let mut piece = [0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        wait();
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
