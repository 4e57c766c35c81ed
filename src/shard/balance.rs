//! Connections evenly over the shards.
//!
//! The kernel spreads connections over the sockets of a port by a hash. Over many connections that
//! comes out even; eight of them fall on two shards as five and three, or seven and one, and stay
//! so for hours. So a fresh socket goes to a shard that has fewer, before anything is read from it.
//! What the shards share for that is written once when a connection comes and once when it goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam::utils::CachePadded;
use socket2::Socket;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Sockets on their way to one shard; a shard that takes them no faster gets no more.
const ARRIVALS_MAX: usize = 256;
/// The busier shard keeps a connection unless it has more than another by this part: moving one
/// costs a system call and wakes another CPU.
const TOLERATED_PART: usize = 16;

/// One shard, as the others see it.
struct Door {
    /// Connections it has or is about to get.
    open: CachePadded<AtomicUsize>,
    arrivals: Sender<Socket>,
}

/// All shards of a port, as one of them sees them.
#[derive(Clone)]
pub struct Balance {
    doors: Arc<[Door]>,
    own: usize,
    /// Whether sockets are handed over at all.
    even: bool,
    /// Connections that a shard may have.
    connections_max: usize,
}

/// Balances between so many shards, in their order, and what is handed to each. Where `even` is
/// not wanted, each shard keeps what the kernel gives it. A shard that has `connections_max` hands
/// on whatever another has room for.
pub fn between(
    shards: usize,
    even: bool,
    connections_max: usize,
) -> Vec<(Balance, Receiver<Socket>)> {
    let (doors, arrivals): (Vec<_>, Vec<_>) = (0..shards)
        .map(|_| {
            let (sender, receiver) = channel(ARRIVALS_MAX);
            let open = CachePadded::new(AtomicUsize::new(0));
            let arrivals = sender;
            (Door { open, arrivals }, receiver)
        })
        .unzip();
    let doors: Arc<[Door]> = doors.into();
    let balances = (0..shards).map(|own| Balance {
        doors: Arc::clone(&doors),
        own,
        even,
        connections_max,
    });
    balances.zip(arrivals).collect()
}

impl Balance {
    /// Where a socket that this shard has accepted is to be served: handed over already, or given
    /// back to be served here. It is counted where it goes; [`Balance::closed`] takes it out again.
    pub fn place(&self, socket: Socket) -> Option<Socket> {
        let Some(place) = self.lighter() else {
            self.count(self.own);
            return Some(socket);
        };
        // Counted at once, so that a burst does not all go to the one that was empty when it began.
        self.count(place);
        match self.doors[place].arrivals.try_send(socket) {
            Ok(()) => None,
            // It has too many on their way to it, or has ended.
            Err(error) => {
                self.doors[place].open.fetch_sub(1, Ordering::Relaxed);
                self.count(self.own);
                Some(error.into_inner())
            }
        }
    }

    /// A connection of this shard is over.
    pub fn closed(&self) {
        self.doors[self.own].open.fetch_sub(1, Ordering::Relaxed);
    }

    /// A shard that has clearly fewer connections than this one, if there is one: the one that
    /// has the fewest.
    fn lighter(&self) -> Option<usize> {
        if !self.even {
            return None;
        }
        let open = |door: &Door| door.open.load(Ordering::Relaxed);
        let own = open(&self.doors[self.own]);
        let doors = self.doors.iter().enumerate();
        let (place, fewest) = doors
            .map(|(place, door)| (place, open(door)))
            .min_by_key(|(place, open)| (*open, *place != self.own))?;
        let is_full = own >= self.connections_max && fewest < self.connections_max;
        (is_full || own > fewest + own / TOLERATED_PART).then_some(place)
    }

    fn count(&self, place: usize) {
        self.doors[place].open.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use socket2::{Domain, Type};

    use super::*;

    /// A socket of nobody.
    fn socket() -> Socket {
        Socket::new(Domain::IPV4, Type::STREAM, None).unwrap()
    }

    /// How many each shard has when the kernel gives all of them to the first.
    fn shared_out(shards: usize, even: bool, connections: usize) -> Vec<usize> {
        let mut balances = between(shards, even, usize::MAX);
        let mut here = vec![0; shards];
        for _ in 0..connections {
            here[0] += usize::from(balances[0].0.place(socket()).is_some());
            for (place, (_, arrivals)) in balances.iter_mut().enumerate() {
                here[place] += usize::from(arrivals.try_recv().is_ok());
            }
        }
        here
    }

    #[test]
    fn few_connections_are_shared_out_evenly() {
        assert_eq!(shared_out(2, true, 8), [4, 4]);
        assert_eq!(shared_out(4, true, 8), [2, 2, 2, 2]);
        assert_eq!(shared_out(1, true, 8), [8]);
    }

    #[test]
    fn many_connections_are_left_where_they_are_within_a_part() {
        let here = shared_out(2, true, 400);
        assert!(here[0] >= here[1], "{here:?}");
        assert!(
            here[0] - here[1] <= here[0] / TOLERATED_PART + 1,
            "{here:?}"
        );
    }

    #[test]
    fn nothing_is_handed_over_where_that_is_not_wanted() {
        assert_eq!(shared_out(2, false, 8), [8, 0]);
    }

    #[test]
    fn full_shard_hands_on_what_another_has_room_for() {
        let mut balances = between(2, true, 100);
        let place = |balances: &mut Vec<(Balance, Receiver<Socket>)>| {
            let here = balances[0].0.place(socket()).is_some();
            assert_eq!(here, balances[1].1.try_recv().is_err());
            here
        };
        for _ in 0..200 {
            place(&mut balances);
        }
        let open = |at: usize| balances[0].0.doors[at].open.load(Ordering::Relaxed);
        assert_eq!((open(0), open(1)), (100, 100));
        balances[1].0.closed();
        assert!(!place(&mut balances), "refused beside an empty place");
        assert!(place(&mut balances), "nobody has room");
    }

    #[test]
    fn shard_that_takes_nothing_or_has_ended_gets_no_more() {
        let mut balances = between(2, true, usize::MAX);
        let (_, gone) = balances.pop().unwrap();
        drop(gone);
        let (balance, _arrivals) = balances.pop().unwrap();
        for _ in 0..3 {
            assert!(balance.place(socket()).is_some());
        }
        let open = |place: usize| balance.doors[place].open.load(Ordering::Relaxed);
        assert_eq!((open(0), open(1)), (3, 0));
        balance.closed();
        assert_eq!(balance.doors[0].open.load(Ordering::Relaxed), 2);
    }
}
