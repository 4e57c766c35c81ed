//! `t8gate client list` and `show`: who may come in, and where that is written.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;
use ipnet::IpNet;
use serde::Serialize;

use super::{Configured, Refused, find};
use crate::authz::apis::ApiId;
use crate::authz::policy::{Operations, Service};
use crate::authz::quota::Allowance;
use crate::config::{self, Client, Config};
use crate::peer::{ClientAuthentication, Registration, San, TlsClientAuth, TokenFormat};

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    configured: Configured,
    /// As JSON, with all that is known of each.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct OneOptions {
    /// As the configuration calls it.
    name: String,
    #[command(flatten)]
    configured: Configured,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

impl Options {
    pub(super) fn file(&self) -> &Path {
        &self.configured.config
    }
}

impl OneOptions {
    pub(super) fn file(&self) -> &Path {
        &self.configured.config
    }
}

/// A client as it is shown.
#[derive(Serialize)]
struct Shown<'c> {
    name: &'c str,
    client_id: &'c str,
    enabled: bool,
    partner: &'c str,
    sans: Vec<String>,
    scs_as_ids: &'c [String],
    /// Anywhere where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    source_addresses: Vec<String>,
    /// What it is held to; to nothing but APIs and tokens where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    services: Vec<ShownService<'c>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowances: Vec<ShownAllowance<'c>>,
    /// Whether it may use tokens that are bound to no certificate.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unbound_tokens: bool,
    /// By the one key that says it, where the embedded issuer knows it.
    #[serde(flatten)]
    authenticates_by: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    scopes: &'c [String],
    /// Whether it is told what others' tokens are worth.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    introspects: bool,
    /// What its tokens are, where it has its own word for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_format: Option<&'static str>,
    file: String,
    /// In a file of its own it stands from the first line on.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
}

/// What it may ask for, and of whom nobody by name.
#[derive(Serialize)]
struct ShownService<'c> {
    api: &'static str,
    /// All where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    operations: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    monitoring_types: Option<&'c [Box<str>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ports: Option<&'c [u16]>,
    ues: Vec<String>,
    any_ue: bool,
}

impl<'c> ShownService<'c> {
    fn of(service: &'c Service) -> Self {
        Self {
            api: service.api.name(),
            operations: operations(&service.operations),
            monitoring_types: service.selectors.monitoring_types.as_deref(),
            ports: service.selectors.ports.as_deref(),
            ues: service.ues.outline(),
            any_ue: service.any_ue,
        }
    }

    fn line(&self) -> String {
        let mut with = vec![self.api.to_owned()];
        with.extend(self.operations.clone().into_iter().flatten());
        let types = self.monitoring_types.unwrap_or_default().iter();
        with.extend(types.map(|kind| kind.to_string()));
        let ports = self.ports.unwrap_or_default().iter();
        with.extend(ports.map(|port| format!("port {port}")));
        let mut whom = self.ues.clone();
        whom.extend(self.any_ue.then(|| "requests that name nobody".to_owned()));
        format!("{}: {}", with.join(", "), whom.join(", "))
    }
}

/// How often it may ask.
#[derive(Serialize)]
struct ShownAllowance<'c> {
    api: &'static str,
    /// All where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    operations: Option<Vec<String>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    monitoring_types: &'c [Box<str>],
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    burst: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quota: Option<String>,
}

impl<'c> ShownAllowance<'c> {
    fn of(allowance: &'c Allowance) -> Self {
        let scope = &allowance.scope;
        Self {
            api: scope.api.map_or("any", ApiId::name),
            operations: operations(&scope.operations),
            monitoring_types: &scope.monitoring_types,
            rate: allowance.rate.map(|rate| rate.to_string()),
            burst: allowance.rate.map(|rate| rate.burst),
            quota: allowance.quota.map(|quota| quota.to_string()),
        }
    }

    fn line(&self) -> String {
        let operations = self.operations.as_deref().map(|words| words.join(", "));
        let types = (!self.monitoring_types.is_empty()).then(|| self.monitoring_types.join(", "));
        let burst = self.burst.map(|burst| format!("burst {burst}"));
        let of = [Some(self.api.to_owned()), operations, types];
        let allowed = [self.rate.clone(), burst, self.quota.clone()];
        let list = |words: [Option<String>; 3]| {
            let words: Vec<String> = words.into_iter().flatten().collect();
            words.join(", ")
        };
        format!("{}: {}", list(of), list(allowed))
    }
}

/// As the configuration says them; none where all are meant.
fn operations(operations: &Operations) -> Option<Vec<String>> {
    if operations.read && operations.write {
        return None;
    }
    let halves = [(operations.read, "read"), (operations.write, "write")];
    let halves = halves.into_iter().filter(|(is, _)| *is);
    let halves = halves.map(|(_, word)| word.to_owned());
    let single = operations.single.iter();
    let single = single.map(|(verb, resource)| format!("{} {resource}", verb.name()));
    Some(halves.chain(single).collect())
}

/// One address as such.
fn source_address(net: &IpNet) -> String {
    match net.prefix_len() == net.max_prefix_len() {
        true => net.addr().to_string(),
        false => net.to_string(),
    }
}

impl<'c> Shown<'c> {
    fn of(client: &'c Client, config: &'c Config) -> Self {
        let place = config.client_places.get(&client.name);
        let own_file = place.and_then(|place| place.file.as_deref());
        let line = place.map(|place| place.line).filter(|line| *line > 0);
        let registered = client.registration.as_ref();
        let format = registered.and_then(|registered| registered.token_format);
        let allowances = config.allowances.get(&client.name);
        let policy = config.policies.get(&client.name);
        let services = policy.map_or(&[][..], |policy| &policy.services);
        Self {
            name: &client.name,
            client_id: &client.client_id,
            enabled: client.enabled,
            partner: &client.partner,
            sans: client.sans.iter().map(San::to_string).collect(),
            scs_as_ids: &client.scs_as_ids,
            source_addresses: client.source_addresses.iter().map(source_address).collect(),
            services: services.iter().map(ShownService::of).collect(),
            unbound_tokens: client.unbound_tokens,
            allowances: allowances
                .into_iter()
                .flatten()
                .map(ShownAllowance::of)
                .collect(),
            authenticates_by: registered.map(authentication).into_iter().collect(),
            scopes: registered.map_or(&[][..], |registered| &registered.scopes),
            introspects: registered.is_some_and(|registered| registered.introspects),
            token_format: format.map(|format| match format {
                TokenFormat::Jwt => "jwt",
                TokenFormat::Opaque => "opaque",
            }),
            file: own_file.unwrap_or(&config.file).display().to_string(),
            line,
        }
    }

    fn state(&self) -> &'static str {
        match self.enabled {
            true => "enabled",
            false => "disabled",
        }
    }

    fn place(&self) -> String {
        match self.line {
            Some(line) => format!("{}:{line}", self.file),
            None => self.file.clone(),
        }
    }
}

/// As the configuration says it.
fn authentication(registered: &Registration) -> (&'static str, String) {
    match &registered.authentication {
        ClientAuthentication::Tls(TlsClientAuth::SanDns(name)) => {
            ("tls_client_auth_san_dns", name.clone())
        }
        ClientAuthentication::Tls(TlsClientAuth::SanUri(uri)) => {
            ("tls_client_auth_san_uri", uri.clone())
        }
        ClientAuthentication::Tls(TlsClientAuth::SanIp(address)) => {
            ("tls_client_auth_san_ip", address.to_string())
        }
        ClientAuthentication::Tls(TlsClientAuth::SanEmail(mailbox)) => {
            ("tls_client_auth_san_email", mailbox.clone())
        }
        ClientAuthentication::Tls(TlsClientAuth::SubjectDn(name)) => {
            ("tls_client_auth_subject_dn", name.clone())
        }
        ClientAuthentication::SelfSigned(files) => {
            let files = files.iter().map(|file| file.path.display().to_string());
            let files: Vec<String> = files.collect();
            ("self_signed_tls_client_auth", files.join(", "))
        }
        ClientAuthentication::PrivateKeyJwt(file) => {
            ("private_key_jwt", file.path.display().to_string())
        }
    }
}

/// Shows those that can be read, and says what is wrong with others.
pub(super) fn run(options: &Options) -> Result<(), Refused> {
    let (config, faults) = config::examine(options.file());
    if let Some(config) = &config {
        let clients = config.clients.iter();
        let all: Vec<Shown<'_>> = clients.map(|client| Shown::of(client, config)).collect();
        match options.json {
            true => say!("{}", json(&all)),
            false => table(&all),
        }
    }
    match faults.is_empty() {
        true => Ok(()),
        false => Err(faults.into()),
    }
}

pub(super) fn run_one(options: &OneOptions) -> Result<(), Refused> {
    let (config, faults) = config::examine(options.file());
    let Some(config) = config else {
        return Err(faults.into());
    };
    // What is wrong elsewhere is in nobody's way; it may be why the client is not among them.
    let found = find(&config, &options.name);
    let client = match found {
        Err(_) if !faults.is_empty() => return Err(faults.into()),
        found => found?,
    };
    let shown = Shown::of(client, &config);
    match options.json {
        true => say!("{}", json(&shown)),
        false => print(&shown),
    }
    Ok(())
}

fn json(shown: &impl Serialize) -> String {
    serde_json::to_string_pretty(shown).expect("strings and truth values, which are always JSON")
}

fn table(all: &[Shown<'_>]) {
    let width = |head: &str, of: fn(&Shown<'_>) -> usize| {
        all.iter().map(of).chain([head.len()]).max().unwrap_or(0)
    };
    let name = width("NAME", |shown| shown.name.len());
    let id = width("CLIENT_ID", |shown| shown.client_id.len());
    say!(
        "{:name$}  {:id$}  {:8}  WRITTEN IN",
        "NAME",
        "CLIENT_ID",
        "STATE"
    );
    for shown in all {
        let (state, place) = (shown.state(), shown.place());
        say!(
            "{:name$}  {:id$}  {state:8}  {place}",
            shown.name,
            shown.client_id
        );
    }
}

fn print(shown: &Shown<'_>) {
    let row = |name: &str, value: &str| say!("{name:<28}{value}");
    row("name", shown.name);
    row("client_id", shown.client_id);
    row("state", shown.state());
    row("partner", shown.partner);
    row("sans", &shown.sans.join(", "));
    row("scs_as_ids", &shown.scs_as_ids.join(", "));
    if !shown.source_addresses.is_empty() {
        row("source_addresses", &shown.source_addresses.join(", "));
    }
    for service in &shown.services {
        row("service", &service.line());
    }
    for allowance in &shown.allowances {
        row("allowance", &allowance.line());
    }
    if shown.unbound_tokens {
        row(
            "unbound_tokens",
            "true: its tokens may be bound to no certificate",
        );
    }
    for (name, value) in &shown.authenticates_by {
        row(name, value);
    }
    if !shown.scopes.is_empty() {
        row("scopes", &shown.scopes.join(", "));
    }
    if shown.introspects {
        row(
            "introspects",
            "true: it is told what others' tokens are worth",
        );
    }
    if let Some(format) = shown.token_format {
        row("token_format", format);
    }
    row("written in", &shown.place());
}
