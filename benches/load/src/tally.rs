//! What is counted while the run goes on.

use hdrhistogram::Histogram;

/// Latencies are kept up to this, in nanoseconds; longer ones count as this.
const LATENCY_NS_MAX: u64 = 120_000_000_000;
/// Significant digits of a latency.
const DIGITS: u8 = 3;
/// Throughput is counted by so many nanoseconds.
pub const BUCKET_NS: u64 = 100_000_000;
/// Statuses are three digits.
const STATUSES: usize = 1000;

/// How an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There was no connection to be had.
    Connect,
    /// The handshake or a record.
    Tls,
    /// The server closed while something was asked of it.
    Closed,
    /// What came was no response.
    Http,
    /// Nothing came in time.
    Timeout,
}

/// An operation: a request, or in handshake modes all from connecting to the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What its latency counts from, in ns of the run's clock: open loop: when it was intended;
    /// closed loop: when it began.
    pub from_ns: u64,
}

/// Counts, of the window and of the whole run.
pub struct Tally {
    open_loop: bool,
    /// What is measured: from, and until before, in ns.
    window: (u64, u64),
    /// In ns, of operations of the window.
    pub latency: Histogram<u64>,
    /// In ns: how long after their intended time the window's operations began.
    pub late: Histogram<u64>,
    /// By status.
    statuses: Vec<u64>,
    failures: [u64; 5],
    /// Operations that ended in the window, by [`BUCKET_NS`].
    pub buckets: Vec<u64>,
    /// Handshakes in the window: full, resumed.
    pub handshakes: [u64; 2],
    /// Operations of the whole run, with warm-up and what was under way at the end.
    pub operations_whole_run: u64,
    /// Failures of the whole run.
    pub failures_whole_run: u64,
    /// Handshakes of the whole run: full, resumed.
    pub handshakes_whole_run: [u64; 2],
    /// The last failure in words.
    pub last_fault: Option<String>,
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_NS_MAX, DIGITS).expect("constants that fit")
}

impl Tally {
    /// Nothing yet; no window either.
    pub fn new(open_loop: bool) -> Self {
        Self {
            open_loop,
            window: (u64::MAX, u64::MAX),
            latency: histogram(),
            late: histogram(),
            statuses: vec![0; STATUSES],
            failures: [0; 5],
            buckets: Vec::new(),
            handshakes: [0; 2],
            operations_whole_run: 0,
            failures_whole_run: 0,
            handshakes_whole_run: [0; 2],
            last_fault: None,
        }
    }

    /// Sets what is measured, before any of it.
    pub fn set_window(&mut self, from_ns: u64, until_ns: u64) {
        self.window = (from_ns, until_ns);
        let buckets = until_ns.saturating_sub(from_ns).div_ceil(BUCKET_NS);
        self.buckets = vec![0; usize::try_from(buckets).unwrap_or_default()];
    }

    fn is_within(&self, at_ns: u64) -> bool {
        (self.window.0..self.window.1).contains(&at_ns)
    }

    /// Whether an operation belongs to the window: in an open loop those *intended* in it, so that
    /// a server that stalls cannot push them out of it.
    fn belongs(&self, operation: Operation, now_ns: u64) -> bool {
        self.is_within(if self.open_loop {
            operation.from_ns
        } else {
            now_ns
        })
    }

    /// An operation began, in an open loop later than intended.
    pub fn began(&mut self, operation: Operation, now_ns: u64) {
        if self.open_loop && self.is_within(operation.from_ns) {
            let late = now_ns.saturating_sub(operation.from_ns);
            self.late.saturating_record(late);
        }
    }

    /// An operation ended well.
    pub fn ended(&mut self, operation: Operation, now_ns: u64, status: u16) {
        self.operations_whole_run += 1;
        if let Some(since) = now_ns.checked_sub(self.window.0) {
            let bucket = usize::try_from(since / BUCKET_NS).unwrap_or(usize::MAX);
            if let Some(count) = self.buckets.get_mut(bucket) {
                *count += u64::from(now_ns < self.window.1);
            }
        }
        if self.belongs(operation, now_ns) {
            let latency = now_ns.saturating_sub(operation.from_ns);
            self.latency.saturating_record(latency);
            if let Some(count) = self.statuses.get_mut(usize::from(status)) {
                *count += 1;
            }
        }
    }

    /// Something failed; an operation, or a connection that none waited for.
    pub fn failed(
        &mut self,
        operation: Option<Operation>,
        now_ns: u64,
        failure: Failure,
        fault: String,
    ) {
        self.failures_whole_run += 1;
        self.last_fault = Some(fault);
        let counts = operation.map_or(self.is_within(now_ns), |operation| {
            let hung = failure == Failure::Timeout && self.was_waited_for(operation, now_ns);
            hung || self.belongs(operation, now_ns)
        });
        if counts {
            self.failures[failure as usize] += 1;
        }
        if let Some(operation) = operation {
            self.waited_for(operation, now_ns);
        }
    }

    /// An idle connection was lost: whenever that was, it is one fewer to be held.
    pub fn lost(&mut self, failure: Failure, fault: String) {
        self.failures_whole_run += 1;
        self.last_fault = Some(fault);
        self.failures[failure as usize] += 1;
    }

    /// Whether a closed loop waited in the window for an operation that never came: its time may
    /// run out only after the window, and a server that hangs would show no error at all.
    fn was_waited_for(&self, operation: Operation, now_ns: u64) -> bool {
        !self.open_loop && operation.from_ns < self.window.1 && now_ns >= self.window.0
    }

    /// An operation of an open loop that will not end: its latency is at least what it has waited.
    fn waited_for(&mut self, operation: Operation, now_ns: u64) {
        if self.open_loop && self.belongs(operation, now_ns) {
            let waited = now_ns.saturating_sub(operation.from_ns);
            self.latency.saturating_record(waited);
        }
    }

    /// A handshake was completed.
    pub fn shook_hands(&mut self, resumed: bool, now_ns: u64) {
        let kind = usize::from(resumed);
        self.handshakes_whole_run[kind] += 1;
        self.handshakes[kind] += u64::from(self.is_within(now_ns));
    }

    /// Operations that ended within the window, whenever they were intended.
    pub fn ended_in_window(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Operations of the window that ended well.
    pub fn operations(&self) -> u64 {
        self.statuses.iter().sum()
    }

    /// How many failed so.
    pub fn failures(&self, failure: Failure) -> u64 {
        self.failures[failure as usize]
    }

    /// Statuses that came, and how often.
    pub fn statuses(&self) -> impl Iterator<Item = (usize, u64)> {
        let counts = self.statuses.iter().copied().enumerate();
        counts.filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests;
