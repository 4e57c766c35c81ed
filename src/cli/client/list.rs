//! `t8gate client list` and `show`: who may come in, and where that is written.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::{Configured, Refused, find};
use crate::config::{self, Client, Config};
use crate::peer::{ClientAuthentication, Registration, San, TlsClientAuth};

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
    /// By the one key that says it, where the embedded issuer knows it.
    #[serde(flatten)]
    authenticates_by: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<&'c [String]>,
    file: String,
    /// In a file of its own it stands from the first line on.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
}

impl<'c> Shown<'c> {
    fn of(client: &'c Client, config: &'c Config) -> Self {
        let place = config.client_places.get(&client.name);
        let own_file = place.and_then(|place| place.file.as_deref());
        let line = place.map(|place| place.line).filter(|line| *line > 0);
        let registered = client.registration.as_ref();
        Self {
            name: &client.name,
            client_id: &client.client_id,
            enabled: client.enabled,
            partner: &client.partner,
            sans: client.sans.iter().map(San::to_string).collect(),
            scs_as_ids: &client.scs_as_ids,
            authenticates_by: registered.map(authentication).into_iter().collect(),
            scopes: registered.map(|registered| registered.scopes.as_slice()),
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
    for (name, value) in &shown.authenticates_by {
        row(name, value);
    }
    if let Some(scopes) = shown.scopes {
        row("scopes", &scopes.join(", "));
    }
    row("written in", &shown.place());
}
