//! Long work, one piece in each turn of the loop.
//!
//! A step of a handshake takes the CPU for as long as a dozen requests. Whoever is about to do one
//! passes here first: one at a time, in the order of arrival, and only when the loop has been
//! around, so that whatever became ready during the last piece is served before the next one
//! begins.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

/// What lets long work through, for one loop.
#[derive(Default)]
pub struct Turnstile {
    /// Whoever waits, in the order of arrival; the first is passing, or at work.
    line: RefCell<VecDeque<Waiting>>,
    tickets_drawn: Cell<u64>,
}

struct Waiting {
    ticket: u64,
    waker: Option<Waker>,
}

/// A place in the line, and, once it has been waited for, the right to one piece of work. Its end
/// lets the next one through.
pub struct Pass<'t> {
    turnstile: &'t Turnstile,
    ticket: u64,
}

/// How long a piece of work takes the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// As long as a few requests.
    Short,
    /// Longer than a request is in flight at all.
    Long,
}

impl Turnstile {
    /// Waits for the right to one piece of work. Dropped while it waits, it leaves the line.
    pub async fn pass(&self, length: Length) -> Pass<'_> {
        let pass = self.line_up();
        poll_fn(|cx| pass.poll_first(cx)).await;
        // The runtime submits when it has nothing more to run: what was ready runs in the turn in
        // which this ends, though its sends would still wait for the work to end. Long work goes
        // one turn later, when they are with the kernel: beside RSA signatures on the shard that
        // halves what a request waits, for 4 us.
        next_turn().await;
        if length == Length::Long {
            next_turn().await;
        }
        pass
    }

    fn line_up(&self) -> Pass<'_> {
        let ticket = self.tickets_drawn.get() + 1;
        self.tickets_drawn.set(ticket);
        let waker = None;
        self.line.borrow_mut().push_back(Waiting { ticket, waker });
        Pass {
            turnstile: self,
            ticket,
        }
    }
}

/// Waits until the loop has been around: what has been started before is with the kernel then,
/// and what could be done at once is done.
async fn next_turn() {
    // Fails only where there is no ring, and then there is nobody to wait for.
    let _ = tokio_uring::no_op().await;
}

impl Pass<'_> {
    fn poll_first(&self, cx: &Context<'_>) -> Poll<()> {
        let mut line = self.turnstile.line.borrow_mut();
        if line.front().is_none_or(|first| first.ticket == self.ticket) {
            return Poll::Ready(());
        }
        if let Ok(place) = line.binary_search_by_key(&self.ticket, |waiting| waiting.ticket) {
            line[place].waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut line = self.turnstile.line.borrow_mut();
        if let Ok(place) = line.binary_search_by_key(&self.ticket, |waiting| waiting.ticket) {
            line.remove(place);
        }
        let next = line.front_mut().and_then(|first| first.waker.take());
        drop(line);
        if let Some(next) = next {
            next.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    const WORKERS: usize = 8;
    const PIECES: usize = 30;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Seen {
        Work(usize),
        Request,
    }

    /// Runs `WORKERS` tasks that always have more to do beside one that asks the kernel for
    /// something again and again, and gives the order in which things happened.
    fn order(passing: bool) -> Vec<Seen> {
        tokio_uring::start(async move {
            let turnstile = Rc::new(Turnstile::default());
            let seen = Rc::new(RefCell::new(Vec::new()));
            let workers: Vec<_> = (0..WORKERS)
                .map(|worker| {
                    let (turnstile, seen) = (Rc::clone(&turnstile), Rc::clone(&seen));
                    tokio_uring::spawn(async move {
                        for _ in 0..PIECES {
                            let _pass = if passing {
                                Some(turnstile.pass(Length::Short).await)
                            } else {
                                // As if a receive had brought the next message.
                                let _ = tokio_uring::no_op().await;
                                None
                            };
                            seen.borrow_mut().push(Seen::Work(worker));
                        }
                    })
                })
                .collect();
            for _ in 0..PIECES {
                let _ = tokio_uring::no_op().await;
                seen.borrow_mut().push(Seen::Request);
            }
            for worker in workers {
                worker.await.unwrap();
            }
            seen.take()
        })
    }

    fn most_work_between_requests(order: &[Seen]) -> usize {
        let last = order.iter().rposition(|seen| *seen == Seen::Request);
        let until_last = &order[..last.unwrap()];
        let spells = until_last.split(|seen| *seen == Seen::Request);
        spells.map(<[Seen]>::len).max().unwrap()
    }

    #[test]
    fn a_stream_of_work_holds_up_a_request_by_one_piece_at_most() {
        assert!(most_work_between_requests(&order(true)) <= 1);
        // What it is for: without it all of them go first.
        assert!(most_work_between_requests(&order(false)) >= WORKERS);
    }

    #[test]
    fn work_passes_in_the_order_of_arrival_and_all_of_it_does() {
        let order = order(true);
        let work = order.iter().filter_map(|seen| match seen {
            Seen::Work(worker) => Some(*worker),
            Seen::Request => None,
        });
        let expected = (0..PIECES).flat_map(|_| 0..WORKERS);
        assert!(work.eq(expected), "{order:?}");
    }

    #[test]
    fn whoever_leaves_the_line_holds_up_nobody() {
        tokio_uring::start(async {
            let turnstile = Turnstile::default();
            let first = turnstile.pass(Length::Long).await;
            let mut second = Box::pin(turnstile.pass(Length::Short));
            let mut third = Box::pin(turnstile.pass(Length::Short));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(second.as_mut().poll(&mut cx).is_pending());
            assert!(third.as_mut().poll(&mut cx).is_pending());
            drop(second);
            drop(first);
            drop(third.await);
            assert!(turnstile.line.borrow().is_empty());
        });
    }
}
