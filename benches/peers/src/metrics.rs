//! What the gateway says of itself at `/metrics`, and what it wrote into its audit file.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::clock::wait_until;
use crate::fault::{Fault, about};

/// Counts of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Requests that came, by shard.
    pub requests: Vec<u64>,
    /// Connections accepted, by shard.
    pub connections: Vec<u64>,
    /// Records for which there was no room.
    pub records_lost: u64,
}

impl Counts {
    /// Reads the counters of the gateway whose admin listener is at `port`, once all its
    /// connections are closed: a request in flight would be counted and not yet recorded.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn scrape(port: u16) -> Result<Self, Fault> {
        let mut page = fetch(port)?;
        wait_until(Duration::from_secs(3), || {
            if let Ok(new) = fetch(port) {
                page = new;
            }
            by_shard(&page, "t8gate_connections_open")
                .iter()
                .sum::<u64>()
                == 0
        });
        Ok(Self::of(&page))
    }

    fn of(page: &str) -> Self {
        let lost = by_shard(page, "t8gate_audit_records_lost_total")
            .iter()
            .sum();
        Self {
            requests: by_shard(page, "t8gate_requests_total"),
            connections: by_shard(page, "t8gate_connections_accepted_total"),
            records_lost: lost,
        }
    }
}

/// The values of a family's series, in the order of shards.
fn by_shard(page: &str, family: &str) -> Vec<u64> {
    let series = page.lines().filter_map(|line| line.strip_prefix(family));
    let series = series.filter(|rest| rest.starts_with("{shard="));
    let values = series.filter_map(|rest| rest.rsplit_once(' ')?.1.parse().ok());
    values.collect()
}

fn fetch(port: u16) -> Result<String, Fault> {
    let failed = |error| Fault::new(format!("the gateway's metrics: {error}"));
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(failed)?;
    let wait = Some(Duration::from_secs(5));
    stream.set_read_timeout(wait).map_err(failed)?;
    let ask = "GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
    stream.write_all(ask.as_bytes()).map_err(failed)?;
    let mut page = String::new();
    stream.read_to_string(&mut page).map_err(failed)?;
    match page.starts_with("HTTP/1.1 200") {
        true => Ok(page),
        false => Err(Fault::new("the gateway refuses to show its metrics")),
    }
}

/// How many records of requests an audit file holds.
///
/// # Errors
/// When it cannot be read.
pub fn records_of_requests(file: &Path) -> Result<u64, Fault> {
    let mut lines = BufReader::with_capacity(1 << 20, about(file.display(), File::open(file))?);
    let mut line = Vec::new();
    let mut records = 0;
    loop {
        line.clear();
        if about(file.display(), lines.read_until(b'\n', &mut line))? == 0 {
            return Ok(records);
        }
        records += u64::from(is_of_a_request(&line));
    }
}

/// The kind stands near the start of the line; a line without its end was not written whole.
fn is_of_a_request(line: &[u8]) -> bool {
    const KIND: &[u8] = b"\"kind\":\"request\"";
    let start = &line[..line.len().min(120)];
    line.ends_with(b"\n") && start.windows(KIND.len()).any(|window| window == KIND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_by_shard() {
        let page = "# HELP t8gate_requests_total x\nt8gate_requests_total{shard=\"0\"} 40\n\
            t8gate_requests_total{shard=\"1\"} 2\nt8gate_requests_refused_total{shard=\"0\"} 9\n\
            t8gate_connections_accepted_total{shard=\"0\"} 3\n";
        let counts = Counts::of(page);
        assert_eq!(counts.requests, [40, 2]);
        assert_eq!(counts.connections, [3]);
        assert_eq!(counts.records_lost, 0);
    }

    #[test]
    fn only_whole_records_of_requests_are_counted() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("audit.jsonl");
        let text = "{\"time\":\"x\",\"kind\":\"request\",\"outcome\":\"answered\"}\n\
            {\"time\":\"x\",\"kind\":\"connection\",\"outcome\":\"refused\"}\n\
            {\"time\":\"x\",\"kind\":\"request\",\"outcome\":\"refused\"}\n\
            {\"time\":\"x\",\"kind\":\"request\",\"outc";
        std::fs::write(&file, text).expect("writable");
        assert_eq!(records_of_requests(&file).expect("readable"), 2);
    }
}
