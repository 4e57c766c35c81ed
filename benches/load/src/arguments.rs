//! The command line.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::bound::Bound;

/// Load for T8: mutual TLS, tokens, closed and open loop.
///
/// Exit code: 0 when the run was made and no --fail-if holds, 1 when one holds, 2 when the run
/// could not be made.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, args_override_self = true)]
pub struct Arguments {
    /// https://HOST:PORT, or http:// without TLS
    #[arg(long, value_name = "URL")]
    pub target: Target,
    /// Name to ask for instead of HOST
    #[arg(long, value_name = "NAME")]
    pub sni: Option<String>,
    /// Verify the server against these certificates; without it, it is not verified
    #[arg(long, value_name = "PEM")]
    pub ca: Option<PathBuf>,
    /// A client certificate with its chain; repeatable, connections take them in turn
    #[arg(long, value_name = "PEM", requires = "key")]
    pub cert: Vec<PathBuf>,
    /// Its private key; as many as --cert
    #[arg(long, value_name = "PEM", requires = "cert")]
    pub key: Vec<PathBuf>,
    /// Client certificates NAME.pem with NAME.key.pem beside them
    #[arg(long, value_name = "DIR", conflicts_with = "cert")]
    pub identities: Option<PathBuf>,
    /// A mix of requests; without it, GET of a client's monitoring subscriptions
    #[arg(long, value_name = "FILE.toml")]
    pub scenario: Option<PathBuf>,
    /// Fills {scs_as_id} in paths; repeatable, one for each client certificate in turn
    #[arg(long, value_name = "ID", default_value = "scs")]
    pub scs_as_id: Vec<String>,
    /// Bearer tokens, one a line; they belong to client certificates in turn
    #[arg(long, value_name = "FILE")]
    pub tokens: Option<PathBuf>,
    /// Where to fetch tokens by client_credentials, https://HOST:PORT/PATH
    #[arg(
        long,
        value_name = "URL",
        conflicts_with = "tokens",
        requires = "client_id"
    )]
    pub token_endpoint: Option<Endpoint>,
    /// Who asks for them; repeatable, one for each client certificate in turn
    #[arg(long, value_name = "ID", requires = "token_endpoint")]
    pub client_id: Vec<String>,
    /// What is asked for
    #[arg(long, value_name = "SCOPE", requires = "token_endpoint")]
    pub scope: Option<String>,
    /// Tokens to fetch for each client certificate; without it one, or one for each connection,
    /// or 100 to rotate
    #[arg(long, value_name = "N", requires = "token_endpoint")]
    pub token_count: Option<usize>,
    /// Which token a request carries
    #[arg(long, value_enum, default_value_t = TokenUse::Connection)]
    pub token_use: TokenUse,
    /// What an operation is
    #[arg(long, value_enum)]
    pub mode: Mode,
    /// Connections held at a time
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub connections: u32,
    /// How long to measure
    #[arg(long, default_value = "5s", value_parser = duration)]
    pub duration: Duration,
    /// How long to load before that
    #[arg(long, default_value = "1s", value_parser = duration)]
    pub warmup: Duration,
    /// What makes an operation fail, and setting up too
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub timeout: Duration,
    /// In idle mode: how long after the last connection to wait before memory is read
    #[arg(long, default_value = "3s", value_parser = duration)]
    pub settle: Duration,
    /// Operations per second in all, sent by the clock whatever the server does (open loop)
    #[arg(long, value_parser = rate)]
    pub rate: Option<f64>,
    /// Key exchange groups, in order
    #[arg(long, value_delimiter = ',', default_value = "x25519")]
    pub groups: Vec<String>,
    /// TLS 1.2 instead of 1.3
    #[arg(long)]
    pub tls12: bool,
    /// Run on this CPU
    #[arg(long, value_name = "N")]
    pub cpu: Option<usize>,
    /// NAME=PID[,PID...]: report these processes' CPU time, with their threads and children
    #[arg(long, value_name = "NAME=PIDS", value_parser = watched)]
    pub watch: Vec<(String, Vec<u32>)>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write latencies by percentile, in ms, for HdrHistogram's plotters
    #[arg(long, value_name = "FILE")]
    pub hgrm: Option<PathBuf>,
    /// Write charts of latency by percentile and of throughput over time
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Exit with 1 when this holds, like 'p99>5ms', 'ops_per_s<20000', 'errors>0'; repeatable
    #[arg(long, value_name = "EXPR")]
    pub fail_if: Vec<Bound>,
    /// No live line
    #[arg(long)]
    pub quiet: bool,
}

/// What an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// A request on a connection that stays
    KeepAlive,
    /// Connect, full handshake, one request, close
    Handshake,
    /// The same, continuing a session
    Resume,
    /// Hold connections that have sent one request
    Idle,
}

impl Mode {
    /// As on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::KeepAlive => "keep-alive",
            Self::Handshake => "handshake",
            Self::Resume => "resume",
            Self::Idle => "idle",
        }
    }
}

/// Which token a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TokenUse {
    /// The first of all
    One,
    /// A connection's own, the same for all its requests
    Connection,
    /// The next of those of its client certificate
    Rotate,
}

/// Where the load goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// As given.
    pub url: String,
    /// By TLS.
    pub tls: bool,
    /// Host and port, as in `Host`.
    pub authority: String,
    /// The host alone, without brackets.
    pub host: String,
    /// Where to connect.
    pub address: SocketAddr,
}

impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let (tls, rest) = match url.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => return Err("begins with neither https:// nor http://".to_owned()),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#', '@']) {
            return Err("paths stand in scenarios: https://HOST:PORT".to_owned());
        }
        let (host, port) = authority
            .rsplit_once(':')
            .ok_or("has no port: https://HOST:PORT")?;
        let port: u16 = port.parse().map_err(|_| format!("{port:?} is no port"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let mut found = (host, port)
            .to_socket_addrs()
            .map_err(|error| format!("{host}: {error}"))?;
        Ok(Self {
            url: url.to_owned(),
            tls,
            authority: authority.to_owned(),
            host: host.to_owned(),
            address: found.next().ok_or(format!("{host} has no address"))?,
        })
    }
}

/// Where tokens come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its host.
    pub target: Target,
    /// From the slash on.
    pub path: String,
}

impl std::str::FromStr for Endpoint {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let host = url.find("://").map_or(0, |at| at + 3);
        let path = url[host..].find('/').ok_or("has no path")?;
        let (target, path) = url.split_at(host + path);
        if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("has letters that no path has".to_owned());
        }
        Ok(Self {
            target: target.parse()?,
            path: path.to_owned(),
        })
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let end = text.find(|c: char| c.is_ascii_alphabetic());
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let seconds = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        _ => return Err("a duration is a number with us, ms, s or min".to_owned()),
    };
    let number: f64 = number
        .parse()
        .map_err(|_| format!("{number:?} is no number"))?;
    Duration::try_from_secs_f64(number * seconds).map_err(|error| error.to_string())
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "is no number".to_owned())?;
    if rate > 0.0 && rate <= 1e7 {
        Ok(rate)
    } else {
        Err("must be above 0 and at most 10000000 a second".to_owned())
    }
}

fn watched(text: &str) -> Result<(String, Vec<u32>), String> {
    let (name, pids) = text.split_once('=').ok_or("is not NAME=PID[,PID...]")?;
    let pids: Result<Vec<u32>, _> = pids.split(',').map(str::parse).collect();
    match pids {
        Ok(pids) if !name.is_empty() => Ok((name.to_owned(), pids)),
        _ => Err("is not NAME=PID[,PID...]".to_owned()),
    }
}

#[cfg(test)]
mod tests;
