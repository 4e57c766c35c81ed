//! Deadlines. Every connection has one [`Watch`]: the time by which what it waits for now must
//! have happened. The shard looks at all of them every [`SWEEP_MS`](crate::limits::SWEEP_MS) and
//! wakes the tasks that are late: setting a deadline costs one store, where a timer of the runtime
//! would be armed and disarmed several times a request.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::clock::Millis;

/// The deadline has passed before what was waited for happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired;

/// All deadlines of a shard, and the time it goes by.
pub struct Watches {
    now: Cell<Millis>,
    // Apart from the wakers, so that a sweep over many idle connections reads eight bytes each.
    by: RefCell<Vec<Millis>>,
    wakers: RefCell<Vec<Option<Waker>>>,
    free: RefCell<Vec<usize>>,
}

/// The deadline of one connection's current wait.
pub struct Watch {
    place: usize,
    watches: Rc<Watches>,
}

impl Watches {
    /// No deadlines yet; `now` is the shard's time until the first sweep.
    pub fn new(now: Millis) -> Rc<Self> {
        Rc::new(Self {
            now: Cell::new(now),
            by: RefCell::default(),
            wakers: RefCell::default(),
            free: RefCell::default(),
        })
    }

    /// The time of the last sweep: at most [`SWEEP_MS`](crate::limits::SWEEP_MS) old, as long as
    /// the loop keeps up.
    pub fn now(&self) -> Millis {
        self.now.get()
    }

    /// Makes a watch without a deadline.
    pub fn watch(self: &Rc<Self>) -> Watch {
        let place = self.free.borrow_mut().pop().unwrap_or_else(|| {
            self.by.borrow_mut().push(Millis::NEVER);
            self.wakers.borrow_mut().push(None);
            self.by.borrow().len() - 1
        });
        Watch {
            place,
            watches: Rc::clone(self),
        }
    }

    /// Sets the time and wakes whoever is late.
    pub fn sweep(&self, now: Millis) {
        self.now.set(now);
        let wakers = self.wakers.borrow();
        for (place, by) in self.by.borrow().iter().enumerate() {
            if *by <= now
                && let Some(waker) = &wakers[place]
            {
                waker.wake_by_ref();
            }
        }
    }

    /// Wakes everybody: the shard has something to say to all.
    pub fn wake_all(&self) {
        for waker in self.wakers.borrow().iter().flatten() {
            waker.wake_by_ref();
        }
    }
}

impl Watch {
    /// The shard's time.
    pub fn now(&self) -> Millis {
        self.watches.now()
    }

    /// What is waited for from now on must have happened by `by`.
    pub fn set(&self, by: Millis) {
        self.watches.by.borrow_mut()[self.place] = by;
    }

    /// The deadline in force.
    pub fn by(&self) -> Millis {
        self.watches.by.borrow()[self.place]
    }

    /// Waits until `poll` is ready.
    ///
    /// # Errors
    /// [`Expired`] when it is not by the deadline.
    pub async fn wait<T>(
        &self,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Result<T, Expired> {
        poll_fn(|cx| {
            if let Poll::Ready(done) = poll(cx) {
                return Poll::Ready(Ok(done));
            }
            if self.by() <= self.now() {
                return Poll::Ready(Err(Expired));
            }
            self.remember(cx.waker());
            Poll::Pending
        })
        .await
    }

    fn remember(&self, waker: &Waker) {
        let slot = &mut self.watches.wakers.borrow_mut()[self.place];
        if !slot.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *slot = Some(waker.clone());
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.watches.by.borrow_mut()[self.place] = Millis::NEVER;
        self.watches.wakers.borrow_mut()[self.place] = None;
        self.watches.free.borrow_mut().push(self.place);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_wait_ends_at_its_deadline_and_not_before() {
        let watches = Watches::new(Millis(0));
        let watch = watches.watch();
        watch.set(Millis(100));
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let mut cx = Context::from_waker(&waker);
        let mut wait = pin!(watch.wait(|_| Poll::<()>::Pending));
        assert!(wait.as_mut().poll(&mut cx).is_pending());
        watches.sweep(Millis(99));
        assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
        assert!(wait.as_mut().poll(&mut cx).is_pending());
        watches.sweep(Millis(100));
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        assert_eq!(wait.as_mut().poll(&mut cx), Poll::Ready(Err(Expired)));
    }

    #[test]
    fn what_is_ready_in_time_wins_over_a_deadline_that_passed_meanwhile() {
        let watches = Watches::new(Millis(7));
        let watch = watches.watch();
        watch.set(Millis(1));
        let mut cx = Context::from_waker(Waker::noop());
        let mut wait = pin!(watch.wait(|_| Poll::Ready(5)));
        assert_eq!(wait.as_mut().poll(&mut cx), Poll::Ready(Ok(5)));
    }

    #[test]
    fn a_dropped_watch_gives_its_place_back_without_a_deadline() {
        let watches = Watches::new(Millis(0));
        let first = watches.watch();
        first.set(Millis(1));
        let place = first.place;
        drop(first);
        let second = watches.watch();
        assert_eq!(second.place, place);
        assert_eq!(second.by(), Millis::NEVER);
    }
}
