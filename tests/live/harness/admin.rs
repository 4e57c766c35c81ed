//! Whoever looks at a gateway from outside: plain HTTP to its admin listener, one request for each
//! connection, and the figures read back from its metrics.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use super::{WAIT, tool, wait_until};

/// An admin listener.
#[derive(Clone, Copy)]
pub struct Admin(pub SocketAddr);

/// What it answers.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub body: String,
}

impl Admin {
    /// GET of a path.
    ///
    /// # Panics
    /// When no whole answer comes.
    pub fn get(self, path: &str) -> Page {
        self.ask("GET", path)
    }

    /// Any request without a body.
    ///
    /// # Panics
    /// When no whole answer comes.
    pub fn ask(self, method: &str, path: &str) -> Page {
        self.try_ask(method, path).expect("an answer")
    }

    /// The same, where none may come.
    pub fn try_ask(self, method: &str, path: &str) -> Option<Page> {
        let mut stream = self.connect();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: admin.example\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some(Page {
            status: head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?,
            body: body.to_owned(),
        })
    }

    /// A connection on which nothing has been said.
    pub fn connect(self) -> TcpStream {
        let stream = TcpStream::connect_timeout(&self.0, WAIT).expect("an admin listener");
        stream.set_read_timeout(Some(WAIT)).expect("not zero");
        stream
    }

    /// All metrics.
    ///
    /// # Panics
    /// When they are not to be had.
    pub fn metrics(self) -> Metrics {
        let page = self.get("/metrics");
        assert_eq!(page.status, 200, "{page:?}");
        Metrics(page.body)
    }

    /// Waits until `/readyz` has this status, and takes what it says.
    pub fn await_readiness(self, status: u16) -> String {
        let mut body = String::new();
        wait_until(&format!("{status} at /readyz"), || {
            let page = self.get("/readyz");
            body = page.body;
            page.status == status
        });
        body
    }
}

/// The text of a scrape.
pub struct Metrics(pub String);

impl Metrics {
    /// The sum of all series of a name that have these labels.
    ///
    /// # Panics
    /// When there is none: then the test asks for something that is not there.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let values: Vec<f64> = self
            .0
            .lines()
            .filter(|line| {
                let rest = line.strip_prefix(name);
                rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
            })
            .filter(|line| {
                let has = |(label, value): &(&str, &str)| {
                    line.contains(&format!("{{{label}=\"{value}\""))
                        || line.contains(&format!(",{label}=\"{value}\""))
                };
                labels.iter().all(has)
            })
            .map(|line| {
                let value = line.rsplit(' ').next().expect("a value");
                value
                    .parse()
                    .unwrap_or_else(|_| panic!("no number: {line}"))
            })
            .collect();
        assert!(!values.is_empty(), "no {name} {labels:?} in\n{}", self.0);
        values.iter().sum()
    }

    /// The same of a count.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts of a test"
    )]
    pub fn count(&self, name: &str, labels: &[(&str, &str)]) -> usize {
        self.sum(name, labels) as usize
    }

    /// Prometheus' own program finds nothing to say against it.
    pub fn assert_accepted(&self) {
        let mut promtool = super::command(tool("promtool"));
        let outcome = super::run(
            promtool.args(["check", "metrics"]),
            self.0.as_bytes(),
            super::WAIT,
        );
        assert!(
            outcome.status.success() && outcome.stdout.is_empty() && outcome.stderr.is_empty(),
            "{}{}",
            outcome.stdout,
            outcome.stderr
        );
    }
}
