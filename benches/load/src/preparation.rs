//! What a run needs before its first connection: the process as it should be, certificates and
//! their TLS, tokens.

use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;

use rustix::process::Resource;
use rustix::thread::CpuSet;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::Domain;

use crate::arguments::{Arguments, Mode, TokenUse};
use crate::bound::Bound;
use crate::connection::Connection;
use crate::issuer::Issuer;
use crate::load::Terms;
use crate::tls::{Identity, LastSession, Offer};
use crate::watch::Watched;

/// Files besides sockets.
const FILES: u64 = 64;
/// Fetched to rotate: so many requests of each client tell a cache from none.
const ROTATED: usize = 100;

/// Where the process runs, how exact its timers are, and how many sockets it may have; whether
/// what it shall watch is there.
///
/// # Errors
/// A sentence on what cannot be had.
pub fn process(arguments: &Arguments) -> Result<(), String> {
    if let Some(cpu) = arguments.cpu {
        if cpu >= CpuSet::MAX_CPU {
            return Err(format!("--cpu {cpu}: there is no such CPU"));
        }
        let mut set = CpuSet::new();
        set.set(cpu);
        rustix::thread::sched_setaffinity(None, &set)
            .map_err(|error| format!("--cpu {cpu}: {error}"))?;
    }
    // Without it timers may be 50 us late, to be merged; an open loop would be late by that.
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1))
        .map_err(|error| format!("timer slack: {error}"))?;
    let mut limit = rustix::process::getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(Resource::Nofile, limit)
        .map_err(|error| format!("number of open files: {error}"))?;
    let room = limit.current.unwrap_or(u64::MAX);
    if room < u64::from(arguments.connections) + FILES {
        return Err(format!(
            "--connections {}: the limit of open files is {room}; raise it (ulimit -Hn)",
            arguments.connections
        ));
    }
    for (name, pids) in &arguments.watch {
        let watched = Watched {
            name: name.clone(),
            pids: pids.clone(),
        };
        if !watched.is_there() {
            return Err(format!("--watch {name}: not all of {pids:?} are running"));
        }
    }
    for name in arguments.fail_if.iter().filter_map(Bound::process) {
        let watched = arguments.watch.iter().any(|(watched, _)| watched == name);
        if !watched && name != Watched::GENERATOR {
            return Err(format!("--fail-if: no process {name} is watched"));
        }
    }
    Ok(())
}

/// The client certificates; none is one way to run, too.
///
/// # Errors
/// A sentence that names the file.
pub fn identities(arguments: &Arguments) -> Result<Vec<Identity>, String> {
    if let Some(directory) = &arguments.identities {
        return Identity::read_all(directory);
    }
    if arguments.cert.len() != arguments.key.len() {
        return Err("there must be as many --key as --cert".to_owned());
    }
    let pairs = arguments.cert.iter().zip(&arguments.key);
    pairs.map(|(cert, key)| Identity::read(cert, key)).collect()
}

/// Tokens from a file or from their issuer, in turn for each identity; or none.
///
/// # Errors
/// A sentence on the file, or on what the issuer said instead.
pub fn tokens(arguments: &Arguments, configs: &Configs<'_>) -> Result<Vec<String>, String> {
    if let Some(path) = &arguments.tokens {
        return read_tokens(path);
    }
    let Some(endpoint) = &arguments.token_endpoint else {
        return Ok(Vec::new());
    };
    let issuer = Issuer {
        target: &endpoint.target,
        path: &endpoint.path,
        name: name(arguments, &endpoint.target.host)?,
        timeout: arguments.timeout,
    };
    let identities = configs.identities.len().max(1);
    let count = arguments.token_count.unwrap_or(match arguments.token_use {
        TokenUse::One => 1,
        TokenUse::Connection => (arguments.connections as usize).div_ceil(identities),
        TokenUse::Rotate => ROTATED,
    });
    let mut shares = Vec::new();
    for identity in 0..identities {
        let client_id = &arguments.client_id[identity % arguments.client_id.len()];
        let config = configs.shared.get(identity).cloned();
        let scope = arguments.scope.as_deref();
        shares.push(issuer.fetch(config, client_id, scope, count)?);
    }
    let in_turn = (0..count).flat_map(|at| shares.iter().map(move |share| share[at].clone()));
    Ok(in_turn.collect())
}

/// One token a line; empty lines are none.
fn read_tokens(path: &Path) -> Result<Vec<String>, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let tokens: Vec<String> = text
        .lines()
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    let visible = |token: &String| token.bytes().all(|byte| byte.is_ascii_graphic());
    if tokens.is_empty() || !tokens.iter().all(visible) {
        return Err(format!("{}: is not one token a line", path.display()));
    }
    Ok(tokens)
}

fn name(arguments: &Arguments, host: &str) -> Result<ServerName<'static>, String> {
    let name = arguments.sni.as_deref().unwrap_or(host).to_owned();
    let shown = name.clone();
    ServerName::try_from(name).map_err(|error| format!("{shown}: {error}"))
}

/// What stays the same during the run.
///
/// # Errors
/// A sentence, when the server's name is none.
pub fn terms(arguments: &Arguments) -> Result<Terms, String> {
    Ok(Terms {
        mode: arguments.mode,
        name: name(arguments, &arguments.target.host)?,
        domain: Domain::for_address(arguments.target.address),
        timeout_ns: u64::try_from(arguments.timeout.as_nanos()).unwrap_or(u64::MAX),
    })
}

/// How connections speak TLS.
pub struct Configs<'a> {
    arguments: &'a Arguments,
    identities: &'a [Identity],
    offer: Offer,
    /// One for each identity, or one without any; none in the clear.
    shared: Vec<Arc<ClientConfig>>,
}

impl<'a> Configs<'a> {
    /// For each identity one.
    ///
    /// # Errors
    /// A sentence on the setting or the file that is of no use.
    pub fn new(arguments: &'a Arguments, identities: &'a [Identity]) -> Result<Self, String> {
        let offer = Offer::new(&arguments.groups, arguments.tls12, arguments.ca.as_deref())?;
        let issuer = arguments.token_endpoint.as_ref();
        let issuer_tls = issuer.is_some_and(|endpoint| endpoint.target.tls);
        let mut shared = Vec::new();
        if arguments.target.tls || issuer_tls {
            for identity in identities {
                shared.push(offer.config(Some(identity), None)?);
            }
            if shared.is_empty() {
                shared.push(offer.config(None, None)?);
            }
        } else if !identities.is_empty() {
            return Err("client certificates need https://".to_owned());
        }
        if arguments.mode == Mode::Resume && !arguments.target.tls {
            return Err("--mode resume needs https://".to_owned());
        }
        Ok(Self {
            arguments,
            identities,
            offer,
            shared,
        })
    }

    /// All connections, closed, each with the identity whose turn it is.
    ///
    /// # Errors
    /// A sentence on a certificate that is of no use.
    pub fn connections(&self) -> Result<Vec<Connection>, String> {
        // Bounded to a million by the command line.
        let all = 0..self.arguments.connections as usize;
        if !self.arguments.target.tls {
            return Ok(all.map(|_| Connection::new(None, None)).collect());
        }
        let make = |at: usize| {
            if self.arguments.mode != Mode::Resume {
                let config = self.shared[at % self.shared.len()].clone();
                return Ok(Connection::new(Some(config), None));
            }
            // A session is one connection's, and so is what keeps it.
            let identity = self.identities.get(at % self.identities.len().max(1));
            let session = Arc::new(LastSession::default());
            let config = self.offer.config(identity, Some(session.clone()))?;
            Ok(Connection::new(Some(config), Some(session)))
        };
        all.map(make).collect()
    }
}
