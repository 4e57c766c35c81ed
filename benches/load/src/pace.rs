//! An open loop's times: operation k is intended k intervals after the start, for the connection
//! whose number is k modulo their count. Nothing that a server does moves them.

/// The schedule. All times are ns of the run's clock.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    start_ns: u64,
    until_ns: u64,
    interval_ns: f64,
    connections: u64,
    /// The first operation whose time has not been announced.
    next: u64,
}

impl Pace {
    /// So many operations a second over so many connections, from the start until before the end.
    pub fn new(start_ns: u64, until_ns: u64, rate: f64, connections: usize) -> Self {
        Self {
            start_ns,
            until_ns,
            interval_ns: 1e9 / rate,
            connections: connections as u64,
            next: 0,
        }
    }

    fn intended(&self, operation: u64) -> u64 {
        // Exact enough: f64 counts 2^53 ns, a hundred days.
        self.start_ns + (operation as f64 * self.interval_ns) as u64
    }

    /// When a connection's n-th operation is intended; `None` when the schedule is over by then.
    pub fn intended_for(&self, connection: usize, nth: u64) -> Option<u64> {
        let operation = (connection as u64).checked_add(nth.checked_mul(self.connections)?)?;
        let intended = self.intended(operation);
        (intended < self.until_ns).then_some(intended)
    }

    /// The connection of the next operation whose time has come; each is announced once.
    pub fn next_due(&mut self, now_ns: u64) -> Option<usize> {
        let intended = self.intended(self.next);
        if intended > now_ns || intended >= self.until_ns {
            return None;
        }
        let connection = self.next % self.connections;
        self.next += 1;
        usize::try_from(connection).ok()
    }

    /// Whether operations follow one another faster than this, in ns.
    pub fn is_finer_than(&self, grain_ns: u64) -> bool {
        self.interval_ns < grain_ns as f64
    }

    /// The time of the next operation; `None` when there are no more.
    pub fn next_ns(&self) -> Option<u64> {
        let intended = self.intended(self.next);
        (intended < self.until_ns).then_some(intended)
    }
}

#[cfg(test)]
mod tests;
