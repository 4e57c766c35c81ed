//! Gives the threads of one signer process leave to try PINs, and hears what became of that: on a
//! socket and a thread of its own, because they log in again whenever they have to, also while the
//! process is asked for nothing else.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::net::{Shutdown, shutdown};

use super::super::socket;
use super::super::wire::{CONTROL_BYTES_MAX, HEARD, MayTry, Tried, write_leave};
use crate::pin::{Leave, Outcome, Try};

/// For another process's try to end, before the answer is that it is under way.
const OTHERS_WAIT: Duration = Duration::from_millis(200);
/// Between two looks whether anybody is there. The end of a process is heard of at once.
const LISTENS_FOR: Duration = Duration::from_secs(60);

pub struct Desk {
    /// What was given leave to and has not ended. One: a process tries one PIN at a time.
    under_way: Arc<Mutex<Option<Try>>>,
    socket: Arc<OwnedFd>,
}

impl Desk {
    pub fn open(socket: OwnedFd) -> io::Result<Self> {
        socket::bound(&socket, LISTENS_FOR)?;
        let desk = Self {
            under_way: Arc::default(),
            socket: Arc::new(socket),
        };
        let (under_way, socket) = (Arc::clone(&desk.under_way), Arc::clone(&desk.socket));
        let serves = move || {
            serve(&socket, &under_way);
            // Nobody will hear of it.
            lock(&under_way).take();
        };
        let thread = thread::Builder::new().name("hsm-leave".to_owned());
        thread.spawn(serves)?;
        Ok(desk)
    }

    /// Whether the process is at a login.
    pub fn is_trying_a_pin(&self) -> bool {
        lock(&self.under_way).is_some()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // What was said before is heard even so. The kernel may still hold the process.
        let _ = shutdown(&self.socket, Shutdown::Both);
    }
}

fn lock(under_way: &Mutex<Option<Try>>) -> MutexGuard<'_, Option<Try>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Until the process is gone, or says what makes no sense.
fn serve(socket: &OwnedFd, under_way: &Mutex<Option<Try>>) {
    let mut packet = vec![0; CONTROL_BYTES_MAX];
    loop {
        let said = match socket::hear(socket, &mut packet) {
            Ok(said) => said,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => continue,
            Err(_) => return,
        };
        let answered = if let Some(MayTry { pin }) = MayTry::read(said) {
            let leave = match Try::begin(pin, OTHERS_WAIT) {
                Ok(begun) => {
                    lock(under_way).replace(begun);
                    Leave::Given
                }
                Err(leave) => leave,
            };
            let told = socket::tell(socket, &write_leave(leave));
            if told.is_err()
                && let Some(begun) = lock(under_way).take()
            {
                // Whoever has not heard of its leave does not try.
                begun.ends(Outcome::NotReached);
            }
            told
        } else if let Some(Tried { pin, outcome }) = Tried::read(said) {
            match lock(under_way).take() {
                Some(begun) if begun.is_of(&pin) => begun.ends(outcome),
                _ => return,
            }
            socket::tell(socket, &HEARD)
        } else {
            return;
        };
        if answered.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::wire::{LEAVE_BYTES, read_leave};
    use super::*;
    use crate::pin::PinAtToken;

    fn pin(serial: &str) -> PinAtToken {
        PinAtToken {
            serial: serial.to_owned(),
            fingerprint: [5; 32],
        }
    }

    fn desk() -> (Desk, OwnedFd) {
        let (ours, theirs) = socket::pair().unwrap();
        socket::bound(&theirs, Duration::from_secs(10)).unwrap();
        (Desk::open(ours).unwrap(), theirs)
    }

    fn ask(theirs: &OwnedFd, serial: &str) -> Option<Leave> {
        let ask = MayTry { pin: pin(serial) };
        socket::tell(theirs, &ask.write()).ok()?;
        let mut leave = [0; LEAVE_BYTES];
        read_leave(socket::hear(theirs, &mut leave).ok()?)
    }

    fn tell(theirs: &OwnedFd, serial: &str, outcome: Outcome) -> bool {
        let pin = pin(serial);
        let said = socket::tell(theirs, &Tried { pin, outcome }.write());
        let mut heard = [0; HEARD.len()];
        said.is_ok() && socket::hear(theirs, &mut heard).is_ok_and(|heard| heard == HEARD)
    }

    #[test]
    fn refusal_that_one_process_tells_of_is_known_to_the_next_that_asks() {
        let ((one, to_one), (_other, to_other)) = (desk(), desk());
        assert_eq!(ask(&to_one, "refused"), Some(Leave::Given));
        assert!(one.is_trying_a_pin());
        assert_eq!(ask(&to_other, "refused"), Some(Leave::UnderWay));
        assert!(tell(&to_one, "refused", Outcome::Refused));
        assert!(!one.is_trying_a_pin());
        assert_eq!(ask(&to_other, "refused"), Some(Leave::Refused));
        assert_eq!(ask(&to_other, "of another token"), Some(Leave::Given));
    }

    #[test]
    fn leave_ends_with_the_process_and_counts_as_a_try_that_nobody_heard_of() {
        for _ in 0..2 {
            let (_desk, to_it) = desk();
            assert_eq!(ask(&to_it, "unheard"), Some(Leave::Given));
        }
        let (_desk, to_it) = desk();
        assert_eq!(ask(&to_it, "unheard"), Some(Leave::Unheard));
    }

    /// It has waited in vain, and tries nothing.
    #[test]
    fn leave_that_nobody_is_there_to_hear_is_no_try() {
        let (_one, to_one) = desk();
        for _ in 0..3 {
            assert_eq!(ask(&to_one, "unknown"), Some(Leave::Given));
            let (other, to_other) = desk();
            let may_try = MayTry {
                pin: pin("unknown"),
            };
            socket::tell(&to_other, &may_try.write()).unwrap();
            drop(to_other);
            assert!(tell(&to_one, "unknown", Outcome::Standing));
            while lock(&other.under_way).is_some() || Arc::strong_count(&other.under_way) > 1 {
                thread::sleep(Duration::from_millis(1));
            }
        }
        assert_eq!(ask(&to_one, "unknown"), Some(Leave::Given));
    }

    #[test]
    fn desk_that_is_closed_answers_nobody_also_where_the_process_stays() {
        let (closed, to_it) = desk();
        drop(closed);
        assert_eq!(ask(&to_it, "nobody"), None);
        let (_desk, to_it) = desk();
        assert!(!tell(&to_it, "never asked for", Outcome::Taken));
        assert_eq!(ask(&to_it, "nobody"), None, "what it said made no sense");
    }
}
