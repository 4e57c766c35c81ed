//! A relay on the way to the server of a remote token: what passes may be delayed.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Runs until the test's process ends.
pub struct Relay {
    delay_us: Arc<AtomicU64>,
    passed: Arc<AtomicU64>,
}

impl Relay {
    /// From the socket `from`, which is made, to `to`, which need not be there yet.
    pub fn start(from: &Path, to: PathBuf) -> Self {
        let listener = UnixListener::bind(from).expect("a free name");
        let (delay_us, passed) = (Arc::default(), Arc::default());
        let relay = Self {
            delay_us: Arc::clone(&delay_us),
            passed: Arc::clone(&passed),
        };
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Nobody there: the client finds its connection closed.
                let Ok(server) = UnixStream::connect(&to) else {
                    continue;
                };
                let (asks, asked) = (twin(&client), twin(&server));
                let (delay_us, passed) = (Arc::clone(&delay_us), Arc::clone(&passed));
                thread::spawn(move || pass(asks, asked, &delay_us, &passed));
                thread::spawn(move || pass(server, client, &AtomicU64::new(0), &AtomicU64::new(0)));
            }
        });
        relay
    }

    /// From now on each piece that goes to the server waits for so long.
    pub fn delay(&self, each: Duration) {
        let us = u64::try_from(each.as_micros()).expect("short");
        self.delay_us.store(us, Ordering::Relaxed);
    }

    /// Pieces that have gone to the server.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }
}

fn twin(stream: &UnixStream) -> UnixStream {
    stream.try_clone().expect("a descriptor")
}

/// Passes on until one side ends, and ends the other.
fn pass(mut from: UnixStream, mut to: UnixStream, delay_us: &AtomicU64, passed: &AtomicU64) {
    let mut piece = [0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        thread::sleep(Duration::from_micros(delay_us.load(Ordering::Relaxed)));
        passed.fetch_add(1, Ordering::Relaxed);
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
