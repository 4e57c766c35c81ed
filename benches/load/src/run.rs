//! A run from its first connection to its last: set up, warm up, measure, finish.

use std::io;
use std::time::Duration;

use crate::arguments::{Arguments, Mode};
use crate::clock::Clock;
use crate::load::{Load, Source};
use crate::pace::Pace;
use crate::watch::{Spent, Watched};

/// Handshakes under way at a time while connections are set up: a server's backlog holds them.
const SETTING_UP_MAX: usize = 64;
/// Connections may fail so often while none has been set up.
const FAILURES_MAX: u64 = 10;
/// How long what is under way at the end may take.
const FINISH_NS_MAX: u64 = 2_000_000_000;
/// How long goodbyes may take.
const GOODBYE_NS_MAX: u64 = 500_000_000;
/// The ring ticks so often, which bounds every wait.
const TICK: Duration = Duration::from_millis(100);
/// An open loop faster than this acts so often, in ns, on all that is due and has come: a turn
/// for each of its operations would sleep and wake for each, which costs more than the operation.
/// Its sends are late by as much at most, and its latencies, which count from the intended time,
/// say so.
const GRAIN_NS: u64 = 50_000;
/// So much that has come ends the wait of such a turn before its time.
const GATHERED_MAX: usize = 32;

/// What processes cost over the window.
pub struct Cost {
    /// As on the command line.
    pub name: String,
    /// CPU time in ns, where it is known.
    pub cpu_ns: Option<u64>,
    /// In idle mode: resident memory before the first connection and when all are idle, in kB,
    /// where it is known.
    pub resident_kb: Option<(Option<u64>, Option<u64>)>,
}

/// What the loop measured besides what its [`Load`] counted.
pub struct Measured {
    /// The window's true length.
    pub window_ns: u64,
    /// Of each watched process, the generator first.
    pub costs: Vec<Cost>,
    /// Connections open when the window ended.
    pub held: usize,
}

/// The loop, its clock and what it is to do.
pub struct Run<'a> {
    arguments: &'a Arguments,
    clock: Clock,
    load: Load,
    watched: Vec<Watched>,
    live: Option<Live>,
}

/// The live line: called once a second with the seconds passed, and the load.
pub type Live = Box<dyn FnMut(f64, &Load)>;

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl<'a> Run<'a> {
    /// A run that has not begun.
    pub fn new(arguments: &'a Arguments, load: Load, live: Option<Live>) -> Self {
        let named = arguments.watch.iter().map(|(name, pids)| Watched {
            name: name.clone(),
            pids: pids.clone(),
        });
        Self {
            arguments,
            clock: Clock::start(),
            load,
            watched: std::iter::once(Watched::generator()).chain(named).collect(),
            live,
        }
    }

    /// Runs, and gives the counts back with what was measured.
    ///
    /// # Errors
    /// A sentence, when the run could not be made.
    pub fn run(mut self) -> Result<(Load, Measured), String> {
        let resident_before = self.resident();
        let tick = self.load.ring().tick_every(TICK);
        tick.map_err(|error| format!("io_uring: {error}"))?;
        self.set_up()?;
        let measured = if self.arguments.mode == Mode::Idle {
            self.hold(&resident_before)
        } else {
            self.measure()
        };
        let measured = measured.map_err(|error| format!("io_uring: {error}"))?;
        Ok((self.load, measured))
    }

    fn resident(&self) -> Vec<Option<u64>> {
        self.watched.iter().map(Watched::resident_kb).collect()
    }

    fn spent(&self) -> Vec<Option<Spent>> {
        self.watched.iter().map(Watched::spent).collect()
    }

    /// Sets all connections up.
    fn set_up(&mut self) -> Result<(), String> {
        let io = |error: io::Error| format!("io_uring: {error}");
        let all = self.load.count();
        let (mut begun, mut ready, mut ready_ns) = (0, 0, self.clock.now_ns());
        while self.load.ready < all {
            let now_ns = self.clock.now_ns();
            while begun < all && begun - self.load.ready < SETTING_UP_MAX {
                self.load.set_up(begun, now_ns).map_err(io)?;
                begun += 1;
            }
            if self.load.ready == all {
                break;
            }
            self.turn(None).map_err(io)?;
            if self.load.ready > ready {
                (ready, ready_ns) = (self.load.ready, self.clock.now_ns());
            }
            let failures = self.load.tally.failures_whole_run;
            let waited_ns = self.clock.now_ns() - ready_ns;
            let hopeless = ready == 0 && failures >= FAILURES_MAX;
            if hopeless || waited_ns > nanos(self.arguments.timeout) {
                let fault = self.load.tally.last_fault.take();
                let fault = fault.unwrap_or_else(|| "no response in time".to_owned());
                return Err(format!(
                    "{ready} of {all} connections could be set up: {fault}"
                ));
            }
        }
        Ok(())
    }

    /// Loads: warm-up, window, and what is then still under way.
    fn measure(&mut self) -> io::Result<Measured> {
        let start_ns = self.clock.now_ns();
        let from_ns = start_ns + nanos(self.arguments.warmup);
        let until_ns = from_ns + nanos(self.arguments.duration);
        self.load.tally.set_window(from_ns, until_ns);
        self.load.source = match self.arguments.rate {
            Some(rate) => {
                let count = self.load.count();
                Source::OpenLoop(Pace::new(start_ns, until_ns, rate, count))
            }
            None => {
                self.load.source = Source::ClosedLoop;
                self.load.proceed_with_all(start_ns)?;
                Source::ClosedLoop
            }
        };
        self.turn_until(from_ns)?;
        let (began_ns, before) = (self.clock.now_ns(), self.spent());
        self.turn_until(until_ns)?;
        let (ended_ns, after) = (self.clock.now_ns(), self.spent());
        let held = self.load.open();
        self.finish()?;
        Ok(Measured {
            window_ns: ended_ns - began_ns,
            costs: self.costs(&before, &after, None),
            held,
        })
    }

    /// Holds connections that do nothing.
    fn hold(&mut self, resident_before: &[Option<u64>]) -> io::Result<Measured> {
        let settled_ns = self.clock.now_ns() + nanos(self.arguments.settle);
        self.load.source = Source::Over;
        self.turn_until(settled_ns)?;
        let resident_after = self.resident();
        let (began_ns, before) = (self.clock.now_ns(), self.spent());
        let until_ns = began_ns + nanos(self.arguments.duration);
        self.load.tally.set_window(began_ns, until_ns);
        self.turn_until(until_ns)?;
        let (ended_ns, after) = (self.clock.now_ns(), self.spent());
        let held = self.load.open();
        self.say_goodbye()?;
        let resident = resident_before.iter().copied().zip(resident_after);
        Ok(Measured {
            window_ns: ended_ns - began_ns,
            costs: self.costs(&before, &after, Some(resident.collect())),
            held,
        })
    }

    fn costs(
        &self,
        before: &[Option<Spent>],
        after: &[Option<Spent>],
        resident: Option<Vec<(Option<u64>, Option<u64>)>>,
    ) -> Vec<Cost> {
        let cost = |(at, watched): (usize, &Watched)| Cost {
            name: watched.name.clone(),
            cpu_ns: match (&before[at], &after[at]) {
                (Some(before), Some(after)) => Some(after.since(before)),
                _ => None,
            },
            resident_kb: resident.as_ref().map(|resident| resident[at]),
        };
        self.watched.iter().enumerate().map(cost).collect()
    }

    /// Turns until a time.
    fn turn_until(&mut self, until_ns: u64) -> io::Result<()> {
        while self.clock.now_ns() < until_ns {
            self.turn(Some(until_ns))?;
        }
        Ok(())
    }

    /// What is under way may end; what has not by then, is counted as late as it is.
    fn finish(&mut self) -> io::Result<()> {
        if matches!(self.load.source, Source::ClosedLoop) {
            self.load.source = Source::Over;
        }
        let until_ns = self.clock.now_ns() + FINISH_NS_MAX;
        // An operation may have become due since the last turn: it is sent before the end is seen.
        while (self.load.busy() > 0 || self.load.is_due()) && self.clock.now_ns() < until_ns {
            self.turn(Some(until_ns))?;
        }
        self.load.count_unfinished(self.clock.now_ns());
        self.say_goodbye()
    }

    fn say_goodbye(&mut self) -> io::Result<()> {
        self.load.leave_all(self.clock.now_ns())?;
        let until_ns = self.clock.now_ns() + GOODBYE_NS_MAX;
        while self.load.held() > 0 && self.clock.now_ns() < until_ns {
            self.turn(Some(until_ns))?;
        }
        Ok(())
    }

    /// One turn of the loop, which waits no longer than until the next operation is due, or the
    /// time given.
    fn turn(&mut self, until_ns: Option<u64>) -> io::Result<()> {
        let mut now_ns = self.clock.now_ns();
        self.load.proceed_with_due(now_ns)?;
        let due_ns = match &self.load.source {
            Source::OpenLoop(pace) => pace.next_ns(),
            _ => None,
        };
        // Where operations come faster than that, several are waited for.
        let (wanted, soonest_ns) = match &self.load.source {
            Source::OpenLoop(pace) if pace.is_finer_than(GRAIN_NS) => {
                (GATHERED_MAX, now_ns + GRAIN_NS)
            }
            _ => (1, 0),
        };
        let due_ns = due_ns.map(|due_ns| due_ns.max(soonest_ns));
        let wake_ns = due_ns.into_iter().chain(until_ns).min();
        let wait = wake_ns.map(|wake_ns| Duration::from_nanos(wake_ns.saturating_sub(now_ns)));
        // The tick wakes by itself: a timer of the turn's own is only for what comes sooner.
        let wait = wait.filter(|wait| *wait < TICK);
        self.load.ring().turn(wait, wanted)?;
        now_ns = self.clock.now_ns();
        let ticks = self.load.ticks;
        self.load.handle_completions(now_ns)?;
        if self.load.ticks != ticks
            && self.load.ticks.is_multiple_of(10)
            && let Some(live) = &mut self.live
        {
            live(now_ns as f64 / 1e9, &self.load);
        }
        Ok(())
    }
}
