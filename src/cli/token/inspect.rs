//! `t8gate token inspect`: what is in a token, and what the gateway would decide and why. The
//! decision is the gateway's own; here it is told in steps.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{Wrong, bytes_of, certificate, faulty, read, wrong};
use crate::authz::introspection;
use crate::authz::issuers::Issuers;
use crate::authz::token::{self, Claim, TokenFault, VerifiedToken};
use crate::cli::serve;
use crate::clock::UnixSeconds;
use crate::config::Config;
use crate::control::load;
use crate::limits::TOKEN_BYTES_MAX;
use crate::peer::{ClientIndex, Thumbprint};
use crate::proxy::denial::Denial;
use crate::proxy::denial::connections::ConnectionDenial;
use crate::revoked::Form;
use crate::tls;

#[derive(Args)]
pub struct Options {
    /// A file that holds the token; standard input where it is - or not said.
    #[arg(value_name = "FILE")]
    token: Option<PathBuf>,
    /// The configuration file of the gateway that would decide.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// PEM: the certificate of the connection on which the token would come.
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
}

/// What is looked at, in the order in which the gateway does.
const STEPS: [&str; 9] = [
    "form",
    "header",
    "issuer",
    "key",
    "signature",
    "claims",
    "time",
    "client",
    "certificate",
];
const CLIENT: usize = 7;
const CERTIFICATE: usize = 8;

/// Nothing is decided here.
const EXIT_UNDECIDED: u8 = 3;

/// Prints the token's parts and the decision.
pub(super) fn run(options: &Options) -> Result<ExitCode, Wrong> {
    let file = options.token.as_deref();
    let token = bytes_of(file, TOKEN_BYTES_MAX + 2).map_err(|error| {
        let name = file.map_or("-".to_owned(), |file| file.display().to_string());
        wrong(
            format!("{name}: {error}"),
            "name a file that holds the token, or pipe it in",
        )
    })?;
    // The end of a line is none of a token's, and all else that stands in the file is.
    let token = token.strip_suffix(b"\n").unwrap_or(&token);
    let token = token.strip_suffix(b"\r").unwrap_or(token);
    let config = read(&options.config)?;
    let shown = options.certificate.as_deref();
    let shown = shown.map(|file| Shown::read(file, options, &config));
    let shown = shown.transpose()?;
    if let Err(error) = serve::end_until(Arc::default()) {
        tracing::warn!(%error, "signals cannot be received");
    }
    serve::keep_tokens_apart(&config);
    let (issuers, report) = load::issuers_alone(&config);
    serve::end_logins();
    let issuers = issuers.ok_or_else(|| faulty(&options.config, &report.faults()))?;
    if let Some(asked) = asked_about(token, &config, &issuers) {
        say!("{asked}");
        say_hash(token);
        return Ok(ExitCode::from(EXIT_UNDECIDED));
    }
    let now = UnixSeconds::now();
    print_parts(token, &issuers, now);
    // Of what is signed the header says it.
    if let Some(kid) = issuers.sealed_by(token) {
        say!("  {:<12} {kid}", "sealed by");
    }
    let decided = decide(token, &config, &issuers, shown.as_ref(), now);
    print_decision(&decided);
    // Tokens of CAPIF do not name their issuer.
    if let Ok(verified) = token::verify_untimed(token, &issuers) {
        say!(
            "to revoke it by its jti: --issuer {}",
            printable(&verified.issuer)
        );
    }
    say_hash(token);
    Ok(match decided {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    })
}

/// By which a file or a gateway that does not know its key revokes it.
fn say_hash(token: &[u8]) {
    let form = match introspection::is_opaque(token) {
        true => Form::Opaque(token),
        false => Form::Signed(token),
    };
    say!(
        "to revoke it by its hash: {{\"token_sha256\":\"{}\"}}",
        form.id().digits()
    );
}

/// Who would be asked what a token is worth, where somebody would be. Nobody is: whoever only looks
/// at a token shows it to no one.
fn asked_about(token: &[u8], config: &Config, issuers: &Issuers) -> Option<String> {
    let mut asked = config.issuers.iter();
    let (issuer, by) = asked.find_map(|issuer| Some((issuer, issuer.introspection.as_ref()?)))?;
    // As the gate does: all else is sealed by the embedded issuer, or refused unasked.
    let is_well_formed = token.len() <= TOKEN_BYTES_MAX && introspection::is_b64token(token);
    if !introspection::is_opaque(token) || issuers.have_sealed(token) || !is_well_formed {
        return None;
    }
    let (name, url) = (&issuer.name.value, &by.url.value);
    Some(format!(
        "undecided: an opaque token, about which a gateway asks its issuer {name} at {url}\n  \
         hint: nobody was asked: what a running gateway makes of it is in its audit file"
    ))
}

/// The certificate of a connection.
struct Shown {
    thumbprint: Thumbprint,
    /// Whom it claims to be, or why nobody.
    client: Result<ClientIndex, tls::Refusal>,
}

impl Shown {
    fn read(file: &Path, options: &Options, config: &Config) -> Result<Self, Wrong> {
        let der = certificate(file)?;
        let (clients, report) = load::clients_alone(config);
        let clients = clients.ok_or_else(|| faulty(&options.config, &report.faults()))?;
        Ok(Self {
            thumbprint: Thumbprint::of(&der),
            client: clients.client_of(&der, UnixSeconds::now()),
        })
    }
}

/// Why a token is refused: at which step, and what that says.
struct Refusal {
    step: usize,
    what: String,
    cure: String,
}

/// What the gateway would, or the step at which it is refused.
fn decide(
    token: &[u8],
    config: &Config,
    issuers: &Issuers,
    certificate: Option<&Shown>,
    now: UnixSeconds,
) -> Result<String, Refusal> {
    let verified = token::verify(token, issuers, now).map_err(|fault| {
        let denial = match fault {
            TokenFault::KeysUnknown | TokenFault::SomeKeysUnknown => Denial::IssuerKeysUnknown,
            fault => Denial::TokenInvalid(fault),
        };
        Refusal {
            step: step_of(fault),
            what: fault.word().to_owned(),
            cure: denial.row().cure_of(fault.word()).to_owned(),
        }
    })?;
    let refused = |step, denial: Denial| {
        let row = denial.row();
        Refusal {
            step,
            what: row.word.to_owned(),
            cure: row.cure.to_owned(),
        }
    };
    let mut clients = { config.clients.iter() }.zip((0..).map(ClientIndex));
    let client = clients.find(|(client, _)| client.client_id == verified.client_id);
    let (client, place) = client.ok_or_else(|| refused(CLIENT, Denial::TokenOfOtherClient))?;
    if !client.enabled {
        return Err(refused(CLIENT, Denial::ClientDisabled));
    }
    let bound = match (verified.grant.thumbprint, certificate) {
        (None, _) if !client.unbound_tokens => {
            let denial = Denial::TokenInvalid(TokenFault::NotBound);
            let word = TokenFault::NotBound.word();
            return Err(Refusal {
                step: CERTIFICATE,
                what: word.to_owned(),
                cure: denial.row().cure_of(word).to_owned(),
            });
        }
        (None, _) => "bound to none, as the client may have it",
        (Some(bound), Some(shown)) if bound != shown.thumbprint => {
            return Err(refused(CERTIFICATE, Denial::TokenOfOtherCertificate));
        }
        (Some(_), Some(_)) => "the bound one",
        (Some(_), None) => "bound to the one of cnf: name yours with --certificate to compare",
    };
    match certificate.map(|shown| shown.client) {
        None => {}
        Some(Ok(owner)) if owner == place => {}
        Some(Ok(_)) => return Err(refused(CERTIFICATE, Denial::TokenOfOtherClient)),
        // It comes to no request.
        Some(Err(refusal)) => {
            return Err(Refusal {
                step: CERTIFICATE,
                what: refusal.word().to_owned(),
                cure: ConnectionDenial::Handshake(refusal).cure().to_owned(),
            });
        }
    }
    Ok(said(&verified, &client.name, bound))
}

fn said(verified: &VerifiedToken, client: &str, bound: &str) -> String {
    let scope: Vec<String> = { verified.grant.rights.values() }
        .map(|value| value.to_string())
        .collect();
    let scope = match scope.as_slice() {
        [] => "nothing".to_owned(),
        some => some.join(" "),
    };
    format!("valid: client {client}, certificate {bound}, gives {scope}")
}

fn step_of(fault: TokenFault) -> usize {
    match fault {
        TokenFault::TooLong
        | TokenFault::Malformed
        | TokenFault::MalformedJson
        | TokenFault::DuplicateMember => 0,
        TokenFault::HeaderMalformed
        | TokenFault::CritUnknown
        | TokenFault::Compressed
        | TokenFault::AlgorithmRefused => 1,
        TokenFault::IssuerUnknown
        | TokenFault::Type
        | TokenFault::ClaimMissing(Claim::Iss)
        | TokenFault::ClaimMalformed(Claim::Iss) => 2,
        TokenFault::KeysUnknown | TokenFault::SomeKeysUnknown | TokenFault::KeyUnknown => 3,
        TokenFault::SignatureBad => 4,
        TokenFault::Expired | TokenFault::NotYetValid | TokenFault::LivesTooLong => 6,
        TokenFault::ClaimMissing(_)
        | TokenFault::ClaimMalformed(_)
        | TokenFault::Audience
        | TokenFault::NotBound
        | TokenFault::Inactive => 5,
    }
}

fn print_decision(decided: &Result<String, Refusal>) {
    say!("decision");
    let failed = decided.as_ref().err().map(|refusal| refusal.step);
    for (place, step) in STEPS.iter().enumerate() {
        match failed {
            Some(at) if place > at => say!("  -       {step:<12} not looked at"),
            Some(at) if place == at => {
                let what = decided.as_ref().err().map_or("", |refusal| &refusal.what);
                say!("  FAILED  {step:<12} {what}");
            }
            _ => say!("  ok      {step}"),
        }
    }
    // The store of revocations belongs to the gateway that runs.
    let unasked = "not asked: a running gateway refuses what is revoked";
    say!("  -       {:<12} {unasked}", "revocation");
    match decided {
        Ok(said) => say!("{said}"),
        Err(Refusal { what, cure, .. }) => {
            say!("refused: {what}");
            say!("  hint: {cure}");
        }
    }
}

/// Header and claims, as far as they can be read. Not the signature.
fn print_parts(token: &[u8], issuers: &Issuers, now: UnixSeconds) {
    let mut parts = token.split(|octet| *octet == b'.');
    let mut part = || URL_SAFE_NO_PAD.decode(parts.next()?).ok();
    let parts = match issuers.have_sealed(token) {
        // It has no header, and what it says is sealed by a secret of this configuration.
        true => vec![("claims, sealed", token::claims(token, issuers))],
        false => vec![("header", part()), ("claims", part())],
    };
    for (name, decoded) in parts {
        say!("{name}");
        let read =
            decoded.and_then(|part| serde_json::from_slice::<Map<String, Value>>(&part).ok());
        let Some(read) = read else {
            say!("  cannot be read");
            continue;
        };
        for (name, value) in &read {
            let date = match name.as_str() {
                "exp" | "nbf" | "iat" => value.as_u64().map(|at| date(at, now)),
                _ => None,
            };
            let (name, value) = (printable(name), printable(&value.to_string()));
            say!("  {name:<12} {value}{}", date.unwrap_or_default());
        }
    }
}

/// What a terminal would take for an order is written out.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter.is_control() || ('\u{2028}'..='\u{202e}').contains(&letter) {
            true => out.extend(letter.escape_unicode()),
            false => out.push(letter),
        }
    }
    out
}

fn date(at: u64, now: UnixSeconds) -> String {
    let date = i64::try_from(at).ok();
    let date = date.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    let Some(date) = date else {
        return String::new();
    };
    let way = match at.checked_sub(now.0) {
        Some(s) => format!("in {s} s"),
        None => format!("{} s ago", now.0 - at),
    };
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    let (hour, minute, second) = date.to_hms();
    format!("  ({year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z, {way})")
}
