//! `t8gate token revoke`: a request to the admin socket of the gateway that runs.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use crate::config;
use crate::limits::TOKEN_BYTES_MAX;
use crate::tls;

/// What the gateway gets to write it down, and to say so.
const ANSWER_WAIT: Duration = Duration::from_secs(15);
/// Of an answer.
const ANSWER_BYTES_MAX: u64 = 4 << 20;
/// The question is wrong.
const EXIT_WRONG: u8 = 2;

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    what: What,
    /// The issuer, as its tokens name it in iss. Tokens of CAPIF name the client there: of a core
    /// it is what its [[issuer]] is called, of this gateway the name of [oauth] with
    /// /capif-security/v1 behind it. `t8gate token inspect` says it of any token.
    #[arg(long, conflicts_with_all = ["token_file", "client", "certificate"])]
    issuer: Option<String>,
    /// With --client: tokens issued up to this second since 1970 are revoked, which is at most half
    /// a minute from now. So far ahead where it is not said: an issuer's clock may be. Until then
    /// the embedded issuer gives the client no token, which would be refused, and tells it by 503
    /// when to come again. To keep a client out, disable it (`t8gate client disable`).
    #[arg(long, value_name = "SECONDS", requires = "client")]
    issued_until: Option<u64>,
    /// With --jti, or a thumbprint: when it ends, in seconds since 1970. A revocation is kept until
    /// then; for a jti without it a year, or a day where the embedded issuer's tokens have it.
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["token_file", "client", "key"])]
    expires: Option<u64>,
    /// Take the revocation of a client, certificate or key back.
    #[arg(long, conflicts_with_all = ["token_file", "jti", "issued_until", "expires"])]
    take_back: bool,
    /// The configuration file of the gateway, which names its admin.socket.
    #[arg(long, value_name = "FILE", required_unless_present = "socket")]
    config: Option<PathBuf>,
    /// The socket itself.
    #[arg(long, value_name = "PATH", conflicts_with = "config")]
    socket: Option<PathBuf>,
}

/// What is to be revoked: one of them. Who gave it its name may have begun with a hyphen, as one in
/// 64 hashes in base64url does.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct What {
    /// File with an access token, or - for standard input. A token is never an argument: others
    /// can read those.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The jti of an access token of --issuer.
    #[arg(long, requires = "issuer", allow_hyphen_values = true, value_parser = name)]
    jti: Option<String>,
    /// A `client_id`, all of whose tokens issued so far are revoked; later ones are good. Where one
    /// does not say when it was issued, as some issuers leave iat out, it goes by its end: it is
    /// good where it ends later than any of before would, by token_lifetime_max of the [[issuer]],
    /// 31 days where that is not said; the longest counts of those whose tokens may lack it.
    #[arg(long, value_name = "CLIENT_ID", allow_hyphen_values = true, value_parser = name)]
    client: Option<String>,
    /// A client's certificate: a PEM file, or its SHA-256 thumbprint in hexadecimal digits. What
    /// is connected with it may be served for up to 100 ms more.
    #[arg(long, value_name = "FILE|THUMBPRINT")]
    certificate: Option<String>,
    /// The kid of a key of --issuer: no token that it has signed is taken.
    #[arg(
        long,
        value_name = "KID",
        requires = "issuer",
        allow_hyphen_values = true,
        value_parser = name
    )]
    key: Option<String>,
}

/// A name that somebody gave, which is no option of this command: its value was left out then.
fn name(written: &str) -> Result<String, String> {
    const OPTIONS: [&str; 12] = [
        "--token-file",
        "--jti",
        "--client",
        "--certificate",
        "--key",
        "--issuer",
        "--issued-until",
        "--expires",
        "--take-back",
        "--config",
        "--socket",
        "--help",
    ];
    let option = written.split('=').next().unwrap_or_default();
    match OPTIONS.contains(&option) {
        false => Ok(written.to_owned()),
        true => Err("a name is missing before it".to_owned()),
    }
}

/// What went wrong, and what to do about it.
struct Unrevoked {
    what: String,
    cure: String,
    status: u8,
}

fn unrevoked(what: impl Into<String>, cure: impl Into<String>) -> Unrevoked {
    Unrevoked {
        what: what.into(),
        cure: cure.into(),
        status: 1,
    }
}

fn wrong(what: impl Into<String>, cure: impl Into<String>) -> Unrevoked {
    Unrevoked {
        status: EXIT_WRONG,
        ..unrevoked(what, cure)
    }
}

pub(super) fn main(options: &Options) -> ExitCode {
    match run(options) {
        Ok(said) => {
            say!("{said}");
            ExitCode::SUCCESS
        }
        Err(Unrevoked { what, cure, status }) => {
            eprintln!("{what}\n  hint: {cure}");
            ExitCode::from(status)
        }
    }
}

fn run(options: &Options) -> Result<String, Unrevoked> {
    let (written, is_ca) = written(options)?;
    let socket = socket(options)?;
    let answer = match options.take_back {
        false => ask(&socket, "POST", "/revocations", &written.to_string())?,
        true => ask(&socket, "DELETE", &place(&written), "")?,
    };
    if options.take_back {
        return Ok(format!(
            "{}: no longer revoked",
            called(&answer["taken_back"])
        ));
    }
    let shown = &answer["revoked"][0];
    if shown["known"] == false {
        eprintln!("{}", unknown(shown));
    }
    if is_ca {
        eprintln!(
            "it is a CA's certificate: clients with certificates that it has issued are let in all \
             the same\n  hint: revoke theirs, or have the CA name them in its list ([[crl]])"
        );
    }
    Ok(said(shown))
}

fn called(shown: &Value) -> String {
    let text = |member: &str| shown[member].as_str().unwrap_or_default();
    format!("{} {}", text("kind").replace('_', " "), text("name"))
}

/// One line on what is in force now.
fn said(shown: &Value) -> String {
    let mut said = format!("{}: revoked", called(shown));
    if let Some(until) = shown["issued_until"].as_u64() {
        said += &format!(", tokens issued up to {until} (seconds since 1970)");
    }
    if let Some(until) = shown["undated_until"].as_u64() {
        said += &format!("; such without iat that end up to {until}");
    }
    if let Some(until) = shown["until"].as_u64() {
        said += &format!("; kept until {until} (seconds since 1970)");
    }
    said
}

/// What is said of a client or key that is revoked and not there: it may come yet.
fn unknown(shown: &Value) -> &'static str {
    match shown["kind"] == "client" {
        true => {
            "no client with this client_id is configured\n  hint: see whether it is spelt right; \
             it is the client_id, and not the name"
        }
        false => {
            "the issuer has no key of this name now\n  hint: see whether it is spelt right; it \
             is the kid in the header of a token, as `t8gate token inspect` shows it"
        }
    }
}

/// As the socket takes it, and whether it is a certificate that is known to be a CA's.
fn written(options: &Options) -> Result<(Value, bool), Unrevoked> {
    if let Some(file) = &options.what.token_file {
        return Ok((json!({"token": token(file)?}), false));
    }
    let mut is_ca = false;
    let mut written = serde_json::Map::new();
    let texts = [
        ("jti", &options.what.jti),
        ("client", &options.what.client),
        ("key", &options.what.key),
        ("issuer", &options.issuer),
    ];
    for (member, text) in texts {
        if let Some(text) = text {
            written.insert(member.to_owned(), text.as_str().into());
        }
    }
    let numbers = [
        ("issued_until", options.issued_until),
        ("expires", options.expires),
    ];
    for (member, number) in numbers {
        if let Some(number) = number {
            written.insert(member.to_owned(), number.into());
        }
    }
    if let Some(named) = &options.what.certificate {
        let (thumbprint, known) = certificate(named)?;
        written.insert("certificate".to_owned(), thumbprint.into());
        if let Some(known) = known {
            let expires = written.entry("expires");
            expires.or_insert_with(|| known.not_after.0.into());
            is_ca = known.is_ca;
        }
    }
    Ok((written.into(), is_ca))
}

fn token(file: &Path) -> Result<String, Unrevoked> {
    let read = super::bytes_of(Some(file), TOKEN_BYTES_MAX + 1);
    let octets = read.map_err(|error| {
        let cure = "name the file that holds the token, or - for standard input";
        wrong(format!("{}: {error}", file.display()), cure)
    })?;
    let text = String::from_utf8_lossy(&octets);
    let token = text.trim();
    match token.is_empty() || token.len() > TOKEN_BYTES_MAX {
        false => Ok(token.to_owned()),
        true => Err(wrong(
            "the token is empty, or longer than any that is taken",
            "write the token itself into the file, without \"Bearer\"",
        )),
    }
}

/// The thumbprint of what was named, and what else is known of it.
fn certificate(named: &str) -> Result<(String, Option<tls::Known>), Unrevoked> {
    let is_thumbprint = |octet: u8| octet.is_ascii_hexdigit() || octet == b':';
    if named.len() >= 64 && named.bytes().all(is_thumbprint) {
        return Ok((named.to_owned(), None));
    }
    let cure = "name a PEM file, or 64 hexadecimal digits";
    let read = super::certificate(Path::new(named));
    let der = read.map_err(|(what, _)| wrong(what, cure))?;
    let unreadable = || wrong(format!("{named}: it is no X.509 certificate"), cure);
    let known = tls::known_of(&der).ok_or_else(unreadable)?;
    let digits = known.thumbprint.0.iter();
    let digits = digits.map(|octet| format!("{octet:02x}")).collect();
    Ok((digits, Some(known)))
}

/// Where a revocation is that is taken back.
fn place(written: &Value) -> String {
    let text = |member: &str| encoded(written[member].as_str().unwrap_or_default());
    match written {
        _ if written["client"].is_string() => format!("/revocations/client/{}", text("client")),
        _ if written["key"].is_string() => {
            format!("/revocations/key/{}/{}", text("issuer"), text("key"))
        }
        _ => format!("/revocations/certificate/{}", text("certificate")),
    }
}

/// Percent-encoded, but for what never needs it (RFC 3986 section 2.3).
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'-' | b'.' | b'_' | b'~' => out.push(octet.into()),
            octet if octet.is_ascii_alphanumeric() => out.push(octet.into()),
            octet => out += &format!("%{octet:02X}"),
        }
    }
    out
}

fn socket(options: &Options) -> Result<PathBuf, Unrevoked> {
    if let Some(socket) = &options.socket {
        return Ok(socket.clone());
    }
    let Some(file) = &options.config else {
        return Err(wrong(
            "no gateway is named",
            "give --config FILE or --socket PATH",
        ));
    };
    // What is wrong elsewhere in it is not in the way of revoking something.
    let (config, faults) = config::examine(file);
    let Some(config) = config else {
        let what = config::render(file, &faults).trim_end().to_owned();
        return Err(wrong(
            what,
            "mend the file, or name the socket itself with --socket",
        ));
    };
    let socket = config.admin.and_then(|admin| admin.socket);
    socket.map(|socket| socket.value).ok_or_else(|| {
        let what = format!("{} names no admin.socket", file.display());
        wrong(what, "set admin.socket and restart the gateway")
    })
}

/// Asks the gateway, and reads its answer to the end.
fn ask(socket: &Path, method: &str, target: &str, body: &str) -> Result<Value, Unrevoked> {
    let shown = socket.display();
    let unreached = |error: std::io::Error| {
        let cure = "see whether the gateway runs with this admin.socket, and whether this is its \
                    user, or root";
        unrevoked(format!("{shown}: {error}"), cure)
    };
    let mut stream = UnixStream::connect(socket).map_err(unreached)?;
    stream
        .set_read_timeout(Some(ANSWER_WAIT))
        .map_err(unreached)?;
    stream
        .set_write_timeout(Some(ANSWER_WAIT))
        .map_err(unreached)?;
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).map_err(unreached)?;
    let mut answer = Vec::new();
    let read = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer);
    let unknown = "it is not known whether it is revoked: ask again, twice does no harm";
    let garbled = || unrevoked(format!("{shown}: the answer is cut off"), unknown);
    if let Err(error) = read {
        return Err(unrevoked(format!("{shown}: {error}"), unknown));
    }
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut fields);
    let Ok(httparse::Status::Complete(end)) = head.parse(&answer) else {
        return Err(garbled());
    };
    let said: Value = serde_json::from_slice(&answer[end..]).map_err(|_| garbled())?;
    if head.code == Some(200) {
        return Ok(said);
    }
    let text = |member: &str| said[member].as_str().unwrap_or_default().to_owned();
    let refused = unrevoked(text("fault"), text("cure"));
    Err(match head.code {
        Some(400 | 404 | 413) => Unrevoked {
            status: EXIT_WRONG,
            ..refused
        },
        _ => refused,
    })
}
