//! Who is measured: the gateway and its rivals, each as a program with a configuration.

mod envoy;
mod haproxy;
mod nginx;
mod t8gate;

use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::fault::Fault;
use crate::ground::{Ground, KeyKind};
use crate::process::{Program, ask, installed};

pub use nginx::origin;

/// The gateway with the key in a file, where that is what the token is compared with.
pub const FILE_KEY: &str = "t8gate-file-key";

/// The gateway with a client that is held to some UEs.
pub const HELD: &str = "t8gate-held";

/// Which proxy, and how much it is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Mutual TLS, token, policy, audit, metrics.
    T8gate,
    /// Mutual TLS and proxying, nothing else.
    Haproxy,
    /// Proxying without TLS.
    HaproxyClear,
    /// Mutual TLS and proxying, nothing else.
    Nginx,
    /// Mutual TLS and proxying, nothing else.
    Envoy,
    /// Mutual TLS and a token whose verdict is cached.
    EnvoyJwt,
}

/// Where the server's private key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    File(KeyKind),
    Hsm(KeyKind),
}

impl Key {
    /// What signs.
    pub fn kind(self) -> KeyKind {
        match self {
            Self::File(kind) | Self::Hsm(kind) => kind,
        }
    }
}

/// A proxy to be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub kind: Kind,
    pub key: Key,
    /// Of t8gate: one for each CPU from 0. Others have one thread.
    pub shards: usize,
    /// Of t8gate: its one shard shares CPU 0 with the generator, so that its signers may have
    /// CPU 1.
    pub roomy: bool,
    /// Of t8gate: its client is held to some UEs.
    pub held: bool,
}

/// Ports of 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    pub listen: u16,
    /// Of t8gate.
    pub admin: u16,
    pub origin: u16,
}

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    pub t8gate: PathBuf,
    pub t8load: PathBuf,
    /// Measures what tokens cost, alone.
    pub tokens: PathBuf,
    pub nginx: PathBuf,
    pub haproxy: PathBuf,
    pub envoy: PathBuf,
}

/// A proxy with its files written: ready to be started.
pub struct Prepared {
    pub program: Program,
    /// The configuration as the program reads it.
    pub configuration: String,
    /// Of t8gate: where its decisions go.
    pub audit: Option<PathBuf>,
}

impl Peer {
    /// With one thread and a P-256 key in a file.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            key: Key::File(KeyKind::P256),
            shards: 1,
            roomy: false,
            held: false,
        }
    }

    /// The same with another key.
    #[must_use]
    pub fn with_key(mut self, key: Key) -> Self {
        self.key = key;
        self
    }

    /// The same with more shards.
    #[must_use]
    pub fn with_shards(mut self, shards: usize) -> Self {
        self.shards = shards;
        self
    }

    /// The same with a CPU for its signers.
    #[must_use]
    pub fn with_room_to_sign(mut self) -> Self {
        self.roomy = true;
        self
    }

    /// The same with a client that is held to some UEs.
    #[must_use]
    pub fn with_a_held_client(mut self) -> Self {
        self.held = true;
        self
    }

    /// The `peer` of a row.
    pub fn name(self) -> &'static str {
        match self.kind {
            Kind::T8gate if self.held => HELD,
            Kind::T8gate if self.shards == 2 => "t8gate-2-shards",
            Kind::T8gate if self.roomy && matches!(self.key, Key::File(_)) => FILE_KEY,
            Kind::T8gate => "t8gate",
            Kind::Haproxy => "haproxy",
            Kind::HaproxyClear => "haproxy-clear",
            Kind::Nginx => "nginx",
            Kind::Envoy => "envoy",
            Kind::EnvoyJwt => "envoy-jwt",
        }
    }

    /// Its name, and its key where that is not a P-256 key in a file.
    pub fn described(self) -> String {
        let name = self.name();
        match self.key {
            Key::File(KeyKind::P256) => name.to_owned(),
            Key::File(KeyKind::Rsa2048) => format!("{name}, RSA-2048 key in a file"),
            Key::Hsm(KeyKind::P256) => format!("{name}, P-256 key in SoftHSM"),
            Key::Hsm(KeyKind::Rsa2048) => format!("{name}, RSA-2048 key in SoftHSM"),
        }
    }

    /// The `auth` of a row: what is checked of a request.
    pub fn auth(self) -> &'static str {
        match self.kind {
            Kind::T8gate => "mutual TLS + ES256 token + policy + audit + metrics",
            Kind::HaproxyClear => "none, no TLS",
            Kind::Haproxy | Kind::Nginx | Kind::Envoy => "mutual TLS",
            Kind::EnvoyJwt => "mutual TLS + ES256 token, cached",
        }
    }

    /// Whether clients reach it by TLS.
    pub fn is_tls(self) -> bool {
        self.kind != Kind::HaproxyClear
    }

    /// The CPUs its process is held to, as `taskset` lists them.
    pub fn cpus(self) -> String {
        if self.roomy {
            return "0,1".to_owned();
        }
        (0..self.shards)
            .map(|cpu| cpu.to_string())
            .collect::<Vec<_>>()
            .join(",")
    }

    /// The CPU of the generator that loads it.
    pub fn generator_cpu(self) -> &'static str {
        if self.roomy { "0" } else { "1" }
    }

    /// Writes its files.
    ///
    /// # Errors
    /// When a file cannot be written, or the software token is needed and was not made.
    pub fn prepare(
        self,
        ground: &Ground,
        programs: &Programs,
        ports: Ports,
    ) -> Result<Prepared, Fault> {
        match self.kind {
            Kind::T8gate => t8gate::prepare(self, ground, programs, ports),
            Kind::Haproxy | Kind::HaproxyClear => haproxy::prepare(self, ground, programs, ports),
            Kind::Nginx => nginx::prepare(self, ground, programs, ports),
            Kind::Envoy | Kind::EnvoyJwt => envoy::prepare(self, ground, programs, ports),
        }
    }
}

impl Programs {
    /// Finds them: the rivals on the machine, Envoy and ours below the target directory.
    ///
    /// # Errors
    /// When one is missing, with the line that installs or builds it.
    pub fn find(target: &std::path::Path) -> Result<Self, Fault> {
        let below = |path: &str, cure: &str| {
            let path = target.join(path);
            // nginx and others change their directory: paths must be whole.
            let found = path
                .is_file()
                .then(|| std::path::absolute(&path).ok())
                .flatten();
            found.ok_or_else(|| {
                Fault::new(format!("{} is missing", path.display())).hint(cure.to_owned())
            })
        };
        Ok(Self {
            t8gate: below("release/t8gate", "cargo build --profile bench -p t8gate")?,
            t8load: below("release/t8load", "cargo build --profile bench -p t8load")?,
            tokens: below(
                "release/tokens",
                "cargo build --profile bench -p t8gate-micro --bin tokens",
            )?,
            nginx: installed("nginx", "nginx-light")?,
            haproxy: installed("haproxy", "haproxy")?,
            envoy: below("tools/envoy/envoy", "benches/setup")?,
        })
    }

    /// What each says of its version.
    ///
    /// # Errors
    /// When one does not start.
    pub fn versions(&self) -> Result<Value, Fault> {
        let mut versions = Map::new();
        for (name, path, argument) in [
            ("t8gate", &self.t8gate, "--version"),
            ("t8load", &self.t8load, "--version"),
            ("haproxy", &self.haproxy, "-v"),
            ("nginx", &self.nginx, "-v"),
            ("envoy", &self.envoy, "--version"),
        ] {
            let said = ask(path, &[argument])?;
            // Envoy says its own path first.
            let said = said.split("version: ").last().unwrap_or_default();
            versions.insert(name.to_owned(), said.into());
        }
        Ok(versions.into())
    }
}
