//! `t8gate token issue`: a token of the embedded issuer, for whoever may use its key.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;

use super::{Wrong, certificate, faulty, read, wrong};
use crate::cli::serve;
use crate::clock::UnixSeconds;
use crate::config::{self, Config, Revocation};
use crate::control::load;
use crate::oauth::GrantFault;
use crate::peer::ClientIndex;

#[derive(Args)]
pub struct Options {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The client, as the configuration calls it.
    #[arg(long, value_name = "NAME")]
    client: String,
    /// PEM: the client's certificate, which alone will be able to use the token.
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// What it is for, values with a space between; all that the client is registered for, where
    /// not said.
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// How long it lives ("5m"), no longer than oauth.token_lifetime, which it is where not said.
    #[arg(long, value_name = "TIME")]
    lifetime: Option<String>,
}

/// Prints a token, and says on standard error what it is.
pub(super) fn run(options: &Options) -> Result<(), Wrong> {
    let config = read(&options.config)?;
    let Some(oauth) = &config.oauth else {
        let what = format!(
            "{} has no [oauth]: there is no issuer here",
            options.config.display()
        );
        return Err(wrong(
            what,
            "add [oauth], or fetch the token from its issuer",
        ));
    };
    let lifetime = match &options.lifetime {
        None => oauth.token_lifetime,
        Some(said) => lifetime(said, oauth.token_lifetime)?,
    };
    let mut clients = (0..).map(ClientIndex).zip(&config.clients);
    let found = clients.find(|(_, client)| client.name == options.client);
    let Some((place, client)) = found else {
        let what = format!("there is no client {:?}", options.client);
        return Err(wrong(what, "t8gate client list shows those there are"));
    };
    let certificate = certificate(&options.certificate)?;
    if let Err(error) = serve::end_until(Arc::default()) {
        tracing::warn!(%error, "signals cannot be received");
    }
    serve::keep_tokens_apart(&config);
    let issued = (|| {
        let (issuer, report) = load::embedded_issuer(&config);
        let issuer = issuer.ok_or_else(|| faulty(&options.config, &report.faults()))?;
        let scope = options.scope.as_deref();
        let grant = issuer.decide_for_operator((place, client), &certificate, scope);
        let grant = grant.map_err(explained)?;
        let minted = issuer.mint_for(&grant, lifetime, UnixSeconds::now());
        minted.map_err(|fault| {
            let what = format!("oauth.key does not sign: {fault:?}");
            wrong(what, "t8gate check says what is in the way")
        })
    })();
    serve::end_logins();
    let answer = serde_json::from_slice::<Answer>(&issued?.json);
    let answer = answer.map_err(|error| wrong(error.to_string(), "see the issuer"))?;
    eprintln!(
        "for {}, {} s, scope {}",
        client.name, answer.expires_in, answer.scope
    );
    if let Some(unasked) = unasked(&config) {
        eprintln!("{unasked}");
    }
    say!("{}", answer.access_token);
    Ok(())
}

/// What is revoked is known to the gateway that runs, which nobody asks here: a token comes out
/// that it refuses, within the half minute after a client's tokens were revoked without a moment.
fn unasked(config: &Config) -> Option<String> {
    let Revocation { store, revoked, .. } = &config.revocation;
    let socket = { config.admin.as_ref() }.and_then(|admin| admin.socket.as_ref());
    let see = match (store, socket, revoked) {
        (Some(_), Some(socket), _) => format!(
            "curl --unix-socket {} http://localhost/revocations",
            socket.value.display()
        ),
        (_, _, Some(file)) => format!("revocation.revoked, {}", file.value.display()),
        _ => return None,
    };
    Some(format!(
        "not asked: a running gateway refuses it where the client's tokens or the issuer's key are \
         revoked\n  hint: what is, says {see}"
    ))
}

/// What of the issuer's answer is of use here.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: u64,
    scope: String,
}

fn lifetime(said: &str, longest: Duration) -> Result<Duration, Wrong> {
    let lifetime = config::duration(said)
        .map_err(|(what, cure)| wrong(format!("--lifetime {said:?} {what}"), cure))?;
    if lifetime > longest {
        let what = format!(
            "--lifetime {said} is longer than a token may live here, {} s",
            longest.as_secs()
        );
        return Err(wrong(what, "ask for less, or raise oauth.token_lifetime"));
    }
    Ok(lifetime)
}

fn explained(fault: GrantFault) -> Wrong {
    let cure = match fault {
        GrantFault::ClientUnregistered => {
            "give the client a tls_client_auth_* or another way to authenticate, and scopes"
        }
        GrantFault::ClientDisabled => "t8gate client enable has it served again",
        GrantFault::ClientIdForeign => {
            "name a certificate with one of the client's sans in it, or one that it has registered"
        }
        GrantFault::CertificateUnfit => {
            "name a certificate that says what the client's tls_client_auth_* does"
        }
        _ => "t8gate client show lists the client's scopes",
    };
    wrong(format!("no token is issued: {}", fault.description()), cure)
}
