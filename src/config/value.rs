//! Values as written to values as meant: one plain function for each kind.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use toml::de::DeValue;

use super::fault::closest;
use super::{HttpUrl, HugePages, Place, RevocationPolicy, Steering, WhenUnwritable};
use crate::clock::UnixSeconds;
use crate::peer::{Identity, San, TokenFormat};
use crate::privacy::{Action, NETWORK_MEMBERS, Plmn};

/// What is wrong with a value, and the cure.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) what: String,
    pub(super) cure: String,
}

impl Wrong {
    pub(super) fn new(what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            cure: cure.into(),
        }
    }
}

/// A value's kind, with its article.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}

pub(super) fn written<'v>(value: &'v DeValue<'_>, example: &str) -> Result<&'v str, Wrong> {
    value.as_str().ok_or_else(|| {
        let what = format!("must be a text, but is {}", kind(value));
        Wrong::new(what, format!("write it in quotation marks: {example}"))
    })
}

/// A text that is not empty and has no control characters.
pub(super) fn text(value: &DeValue<'_>) -> Result<String, Wrong> {
    const BYTES_MAX: usize = 4096;
    let text = written(value, "\"...\"")?;
    if text.is_empty() {
        Err(Wrong::new("is empty", "write a value, or remove the key"))
    } else if text.len() > BYTES_MAX {
        Err(Wrong::new(
            format!("is {} bytes long", text.len()),
            format!("at most {BYTES_MAX}"),
        ))
    } else if text.chars().any(char::is_control) {
        Err(Wrong::new("has a control character in it", "remove it"))
    } else {
        Ok(text.to_owned())
    }
}

pub(super) fn boolean(value: &DeValue<'_>) -> Result<bool, Wrong> {
    value.as_bool().ok_or_else(|| {
        let what = format!("must be true or false, but is {}", kind(value));
        Wrong::new(what, "write true or false, without quotation marks")
    })
}

/// A whole number within bounds. For what is counted: bytes and times carry units.
pub(super) fn count<T: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&DeValue<'_>) -> Result<T, Wrong> {
    move |value| {
        let Some(integer) = value.as_integer() else {
            let what = format!("must be a whole number, but is {}", kind(value));
            return Err(Wrong::new(what, "write digits, without quotation marks"));
        };
        let number = i128::from_str_radix(integer.as_str(), integer.radix()).ok();
        within(number.and_then(|n| u64::try_from(n).ok()), &range, |n| {
            n.to_string()
        })
    }
}

fn within<T: TryFrom<u64>>(
    number: Option<u64>,
    range: &RangeInclusive<u64>,
    show: impl Fn(u64) -> String,
) -> Result<T, Wrong> {
    number
        .filter(|n| range.contains(n))
        .and_then(|n| T::try_from(n).ok())
        .ok_or_else(|| {
            let bounds = format!("from {} to {}", show(*range.start()), show(*range.end()));
            Wrong::new("is out of range", format!("take a value {bounds}"))
        })
}

const SIZES: [(&str, u64); 5] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];
const TIMES: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// A number of bytes, with its unit: "16KiB".
pub(super) fn size<T: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&DeValue<'_>) -> Result<T, Wrong> {
    move |value| {
        let cure = "write a whole number and B, KiB, MiB, GiB or TiB: \"16KiB\"";
        within(with_unit(value, "size", &SIZES, cure)?, &range, show_size)
    }
}

/// Bytes a second: a size, or a plain number of bytes.
pub(super) fn rate(range: RangeInclusive<u64>) -> impl Fn(&DeValue<'_>) -> Result<u64, Wrong> {
    move |value| match value {
        DeValue::Integer(_) => count(range.clone())(value),
        _ => size(range.clone())(value),
    }
}

/// A time, with its unit: "250ms". The range is in milliseconds.
pub(super) fn duration(
    range_ms: RangeInclusive<u64>,
) -> impl Fn(&DeValue<'_>) -> Result<Duration, Wrong> {
    move |value| {
        let cure = "write a whole number and ms, s, m or h: \"250ms\", \"10s\"";
        let ms = with_unit(value, "time", &TIMES, cure)?;
        let show = |ms| show_duration(Duration::from_millis(ms));
        within(ms, &range_ms, show).map(Duration::from_millis)
    }
}

/// Digits directly followed by one of the units. `Ok(None)`: more than a `u64` holds.
fn with_unit(
    value: &DeValue<'_>,
    noun: &str,
    units: &[(&str, u64)],
    cure: &str,
) -> Result<Option<u64>, Wrong> {
    let Some(text) = value.as_str() else {
        let what = format!("must be a {noun} with its unit, but is {}", kind(value));
        return Err(Wrong::new(what, cure));
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = units
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, factor)| *factor);
    match factor {
        Some(factor) if digits > 0 => Ok(number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(factor))),
        _ => Err(Wrong::new(format!("is not a {noun} with its unit"), cure)),
    }
}

fn show_size(bytes: u64) -> String {
    show(bytes, &SIZES)
}

/// A time as the configuration writes it.
pub(super) fn show_duration(duration: Duration) -> String {
    show(
        u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        &TIMES,
    )
}

/// In the largest unit that leaves nothing over.
fn show(number: u64, units: &[(&str, u64)]) -> String {
    let exact = units
        .iter()
        .find(|(_, factor)| number >= *factor && number.is_multiple_of(*factor));
    let (unit, factor) = exact.or(units.last()).copied().unwrap_or(("", 1));
    format!("{}{unit}", number / factor)
}

/// A literal address and port.
pub(super) fn address(value: &DeValue<'_>) -> Result<SocketAddr, Wrong> {
    let cure = "write address and port: \"192.0.2.1:8443\" or \"[2001:db8::1]:8443\"; \
                names are not resolved yet";
    let text = written(value, "\"192.0.2.1:8443\"")?;
    let address: SocketAddr = text
        .parse()
        .map_err(|_| Wrong::new(format!("{text:?} is not an address and a port"), cure))?;
    if address.port() == 0 {
        return Err(Wrong::new("has port 0", "name a port from 1 to 65535"));
    }
    Ok(address)
}

/// A host name, in lower case.
pub(super) fn host_name(value: &DeValue<'_>) -> Result<String, Wrong> {
    let text = written(value, "\"t8.example.net\"")?;
    checked_host_name(text)
}

pub(super) fn checked_host_name(text: &str) -> Result<String, Wrong> {
    let refuse = |why: &str| {
        let cure = "write a full host name without wildcard and final dot: \"t8.example.net\"";
        Err(Wrong::new(
            format!("{text:?} is not a host name: {why}"),
            cure,
        ))
    };
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if text.contains('*') {
        return refuse("wildcards are not taken");
    }
    if text.is_empty() || text.len() > 253 {
        return refuse("it must have from 1 to 253 letters");
    }
    for label in text.split('.') {
        if label.is_empty() || label.len() > 63 {
            return refuse("each part must have from 1 to 63 letters");
        }
        if !label.chars().all(letter) || label.starts_with('-') || label.ends_with('-') {
            return refuse("parts are letters, digits and, inside, hyphens");
        }
    }
    if text
        .rsplit('.')
        .next()
        .is_some_and(|last| last.chars().all(|c| c.is_ascii_digit()))
    {
        return refuse("the last part is a number, as in an address");
    }
    Ok(text.to_ascii_lowercase())
}

/// `dns:NAME` or `uri:URI`.
pub(super) fn san(value: &DeValue<'_>) -> Result<San, Wrong> {
    let text = written(value, "\"dns:scs.example.org\"")?;
    if let Some(name) = text.strip_prefix("dns:") {
        return checked_host_name(name).map(San::Dns);
    }
    let Some(uri) = text.strip_prefix("uri:") else {
        let cure = "write \"dns:scs.example.org\" or \"uri:urn:example:scs\"";
        return Err(Wrong::new(
            format!("{text:?} says neither dns: nor uri:"),
            cure,
        ));
    };
    checked_uri(uri, "\"uri:https://scs.example.org/a\"").map(San::Uri)
}

/// A moment with its offset: 2026-12-01T00:00:00Z, as TOML has it or as text.
pub(super) fn moment(value: &DeValue<'_>) -> Result<UnixSeconds, Wrong> {
    let written = match value {
        DeValue::Datetime(moment) => moment.to_string(),
        _ => written(value, "2026-12-01T00:00:00Z")?.to_owned(),
    };
    let read = OffsetDateTime::parse(&written, &Rfc3339).ok();
    let seconds = read.and_then(|moment| u64::try_from(moment.unix_timestamp()).ok());
    seconds.map(UnixSeconds).ok_or_else(|| {
        let cure = "write date, time and offset: 2026-12-01T00:00:00Z";
        Wrong::new(format!("{written:?} is not a moment"), cure)
    })
}

/// An address alone, without port.
pub(super) fn ip_address(value: &DeValue<'_>) -> Result<IpAddr, Wrong> {
    let text = written(value, "\"192.0.2.1\"")?;
    text.parse().map_err(|_| {
        let cure = "write an address without port: \"192.0.2.1\" or \"2001:db8::1\"";
        Wrong::new(format!("{text:?} is not an address"), cure)
    })
}

/// `local@domain`, as it stands in a certificate.
pub(super) fn mailbox(value: &DeValue<'_>) -> Result<String, Wrong> {
    let text = written(value, "\"scs@example.org\"")?;
    let parts = text.rsplit_once('@').filter(|(local, _)| !local.is_empty());
    let domain = parts.map(|(_, domain)| checked_host_name(domain));
    match domain {
        Some(Ok(_)) if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(text.to_owned()),
        _ => {
            let cure = "write local part, @ and domain: \"scs@example.org\"";
            Err(Wrong::new(format!("{text:?} is not a mailbox"), cure))
        }
    }
}

/// A URI as it stands in a certificate.
pub(super) fn absolute_uri(value: &DeValue<'_>) -> Result<String, Wrong> {
    let example = "\"https://scs.example.org/a\"";
    checked_uri(written(value, example)?, example)
}

fn checked_uri(uri: &str, example: &str) -> Result<String, Wrong> {
    if is_absolute_uri(uri) {
        return Ok(uri.to_owned());
    }
    let cure =
        format!("write scheme, colon and the rest, as it stands in the certificate: {example}");
    Err(Wrong::new(format!("{uri:?} is not an absolute URI"), cure))
}

fn is_absolute_uri(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else {
        return false;
    };
    let scheme_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let rest_letter = |c: char| c.is_ascii_graphic() && !"<>\"{}|\\^`".contains(c);
    let percents_paired = rest.split('%').skip(1).all(|after| {
        after
            .as_bytes()
            .get(..2)
            .is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit))
    });
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(scheme_letter)
        && !rest.is_empty()
        && rest.chars().all(rest_letter)
        && percents_paired
}

/// The operator's word for a client: it stands in log lines and metric labels.
pub(super) fn client_name(value: &DeValue<'_>) -> Result<String, Wrong> {
    let name = written(value, "\"scs-1\"")?;
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if (1..=64).contains(&name.len()) && name.chars().all(letter) {
        return Ok(name.to_owned());
    }
    let cure = "take from 1 to 64 letters, digits, hyphens, underscores and dots";
    Err(Wrong::new(
        format!("{name:?} is not a name for logs and metrics"),
        cure,
    ))
}

//= RFC 6749 appendix A.1
//# A client identifier consists of visible characters and spaces.
pub(super) fn client_id(value: &DeValue<'_>) -> Result<String, Wrong> {
    let id = written(value, "\"scs-1\"")?;
    if (1..=256).contains(&id.len()) && id.bytes().all(|b| (0x20..=0x7e).contains(&b)) {
        return Ok(id.to_owned());
    }
    Err(Wrong::new(
        format!("{id:?} cannot be a client_id"),
        "take from 1 to 256 visible ASCII characters and spaces",
    ))
}

/// An `{scsAsId}` as it stands in a path once that is decoded.
pub(super) fn scs_as_id(value: &DeValue<'_>) -> Result<String, Wrong> {
    let id = written(value, "\"scs-1\"")?;
    let visible = id
        .chars()
        .all(|c| c.is_ascii_graphic() && !"/?#%\\".contains(c));
    if (1..=256).contains(&id.len()) && visible && id != "." && id != ".." {
        return Ok(id.to_owned());
    }
    Err(Wrong::new(
        format!("{id:?} cannot be a path segment"),
        "take from 1 to 256 visible ASCII characters without / ? # % \\, and not . or ..",
    ))
}

pub(super) const ALGORITHMS: [&str; 5] = ["ES256", "ES384", "RS256", "PS256", "EdDSA"];

/// A signature algorithm of tokens, as `alg` spells it.
pub(super) fn algorithm(value: &DeValue<'_>) -> Result<String, Wrong> {
    let name = written(value, "\"ES256\"")?;
    if ALGORITHMS.contains(&name) {
        return Ok(name.to_owned());
    }
    let cure = format!("take one of {}", ALGORITHMS.join(", "));
    Err(Wrong::new(
        format!("{name:?} is not an algorithm that is taken"),
        cure,
    ))
}

/// A PKCS#11 URI without PIN. Never shown: a PIN may stand in it.
//= RFC 7512 section 2.3
//# A URI may carry the PIN or where it is; ours has another place for it.
pub(super) fn pkcs11_uri(value: &DeValue<'_>) -> Result<String, Wrong> {
    let uri = text(value)?;
    let lower = uri.to_ascii_lowercase();
    if !uri.starts_with("pkcs11:") || uri.contains(' ') {
        let cure = "write \"pkcs11:token=NAME;object=NAME\", spaces as %20";
        return Err(Wrong::new("is not a PKCS#11 URI", cure));
    }
    if lower.contains("pin-value") || lower.contains("pin-source") {
        let cure = "remove pin-value and pin-source, and name a file with the PIN in pin_file; \
                    if the PIN stood here, change it";
        return Err(Wrong::new("says the PIN, or where it is", cure));
    }
    Ok(uri)
}

/// What was written twice, and where first.
pub(super) fn twice(what: impl Display, line: usize) -> Wrong {
    Wrong::new(
        format!("{what} stands already in line {line}"),
        "remove one of the two",
    )
}

/// The same where the two may be in different files, of which the second is `file`.
pub(super) fn twice_at(what: impl Display, first: &Place, file: Option<&Path>) -> Wrong {
    if first.file.as_deref() == file {
        return match first.line {
            0 => Wrong::new(
                format!("{what} stands already here"),
                "remove one of the two",
            ),
            line => twice(what, line),
        };
    }
    let file = match &first.file {
        Some(file) => file.display().to_string(),
        None => "the configuration file".to_owned(),
    };
    let what = match first.line {
        0 => format!("{what} stands already in {file}"),
        line => format!("{what} stands already in line {line} of {file}"),
    };
    Wrong::new(what, "remove one of the two")
}

/// An issuer's URL: `https://`, a host, and a port if it is not 443. Never shown: a password may
/// stand in it.
//= RFC 8414 section 2
//# An issuer is an https URL without query and fragment.
pub(super) fn issuer_url(value: &DeValue<'_>) -> Result<String, Wrong> {
    let cure = "write scheme and authority only: \"https://t8.example.net:8443\"";
    let url = written(value, "\"https://t8.example.net\"")?;
    let Some(rest) = url.strip_prefix("https://") else {
        return Err(Wrong::new("is not an https URL", cure));
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let has = [
        (rest.contains('#'), "a fragment"),
        (rest.contains('?'), "a query"),
        (authority.contains('@'), "a user or password in it"),
        (
            rest.split(['?', '#']).any(|part| part.contains('/')),
            "a path: the endpoints have theirs",
        ),
    ];
    if let Some((_, what)) = has.into_iter().find(|(found, _)| *found) {
        return Err(Wrong::new(format!("has {what}"), cure));
    }
    if !super::url::is_authority(authority) {
        return Err(Wrong::new(
            "names no host, or no port behind its colon",
            cure,
        ));
    }
    Ok(url.to_owned())
}

/// An `http` or `https` URL without user, password and fragment. Never shown: a password may stand
/// in it.
pub(super) fn http_url(value: &DeValue<'_>) -> Result<HttpUrl, Wrong> {
    let url = written(value, "\"http://crl.example.org/partner.crl\"")?;
    let cure = "write scheme, host and path: \"http://crl.example.org/partner.crl\"";
    url.parse().map_err(|what: &str| Wrong::new(what, cure))
}

/// The same, and https: whoever can change what comes from there decides who is let in.
pub(super) fn https_url(value: &DeValue<'_>) -> Result<HttpUrl, Wrong> {
    let cure = "write it like \"https://issuer.example.net/jwks\"";
    let url: HttpUrl = written(value, "\"https://issuer.example.net/jwks\"")?
        .parse()
        .map_err(|what: &str| Wrong::new(what, cure))?;
    match url.tls {
        true => Ok(url),
        false => Err(Wrong::new("is no https URL", cure)),
    }
}

/// `"hard-fail"`, `"soft-fail"` or `"off"`.
pub(super) fn revocation_policy(value: &DeValue<'_>) -> Result<RevocationPolicy, Wrong> {
    match written(value, "\"hard-fail\"")? {
        "hard-fail" => Ok(RevocationPolicy::HardFail),
        "soft-fail" => Ok(RevocationPolicy::SoftFail),
        "off" => Ok(RevocationPolicy::Off),
        other => Err(Wrong::new(
            format!("{other:?} is neither \"hard-fail\", \"soft-fail\" nor \"off\""),
            "write \"hard-fail\" to refuse certificates of which no list in force speaks, \
             \"soft-fail\" to take and count them, \"off\" to look up nothing",
        )),
    }
}

/// A subject as RFC 4514 writes it: `CN=scs-1,O=Example`. That it is spelled as the certificate's
/// is, only the certificate can tell.
//= RFC 4514 section 3
//# Attributes are type, equals sign, value; commas and plus signs in a value are escaped.
pub(super) fn subject_dn(value: &DeValue<'_>) -> Result<String, Wrong> {
    let name = text(value)?;
    let cure = "write type=value, separated by commas, the last part of the name first, special \
                characters escaped by \\: \"CN=scs-1,O=Example\"";
    let refuse = || Wrong::new(format!("{name:?} is not a distinguished name"), cure);
    let mut part = String::new();
    let mut parts = Vec::new();
    let mut letters = name.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => part.extend(['\\', letters.next().ok_or_else(refuse)?]),
            ',' | '+' => parts.push(std::mem::take(&mut part)),
            _ => part.push(letter),
        }
    }
    parts.push(part);
    if parts.iter().all(|part| is_attribute(part)) {
        return Ok(name);
    }
    Err(refuse())
}

/// A keyword or dotted numbers, an equals sign, and a value.
fn is_attribute(part: &str) -> bool {
    let Some((kind, value)) = part.split_once('=') else {
        return false;
    };
    let keyword = kind.starts_with(|c: char| c.is_ascii_alphabetic())
        && kind.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let numbers = kind
        .split('.')
        .all(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
    (keyword || numbers) && !value.is_empty()
}

/// How an issuer's tokens are read.
pub(super) fn profile(value: &DeValue<'_>) -> Result<&'static str, Wrong> {
    const PROFILES: [&str; 3] = ["rfc9068", "capif", "custom"];
    let name = written(value, "\"rfc9068\"")?;
    let found = PROFILES.into_iter().find(|known| *known == name);
    found.ok_or_else(|| {
        let cure = match closest(name, &PROFILES) {
            Some(name) => format!("did you mean {name:?}?"),
            None => "take \"rfc9068\", \"capif\" or \"custom\"".to_owned(),
        };
        Wrong::new(format!("{name:?} is no profile of tokens"), cure)
    })
}

/// What tokens of the issuer here are.
pub(super) fn token_format(value: &DeValue<'_>) -> Result<TokenFormat, Wrong> {
    match written(value, "\"jwt\"")? {
        "jwt" => Ok(TokenFormat::Jwt),
        "opaque" => Ok(TokenFormat::Opaque),
        other => {
            let cure = "take \"jwt\" or \"opaque\"";
            Err(Wrong::new(
                format!("{other:?} is no format of tokens"),
                cure,
            ))
        }
    }
}

/// Where an issuer describes itself: the last part of the well-known path.
pub(super) fn discovery(value: &DeValue<'_>) -> Result<&'static str, Wrong> {
    const PLACES: [&str; 2] = ["oauth-authorization-server", "openid-configuration"];
    let name = written(value, "\"oauth-authorization-server\"")?;
    let found = PLACES.into_iter().find(|known| *known == name);
    found.ok_or_else(|| {
        let cure = "take \"oauth-authorization-server\" (RFC 8414) or \"openid-configuration\"";
        Wrong::new(format!("{name:?} is no place of a description"), cure)
    })
}

/// What CAPIF calls an API exposing function, as the scope of its tokens can say it.
pub(super) fn aef_id(value: &DeValue<'_>) -> Result<String, Wrong> {
    let id = text(value)?;
    // Those part the scope, or cannot stand in it.
    let fits = |byte: u8| byte.is_ascii_graphic() && !b":;,\"\\".contains(&byte);
    if id.bytes().all(fits) {
        return Ok(id);
    }
    let cure = "write it as the CAPIF core does, without white space, \":\", \";\" and \",\"";
    Err(Wrong::new(format!("{id:?} cannot stand in a scope"), cure))
}

/// `"refuse"` or `"lossy"`.
pub(super) fn when_unwritable(value: &DeValue<'_>) -> Result<WhenUnwritable, Wrong> {
    match written(value, "\"refuse\"")? {
        "refuse" => Ok(WhenUnwritable::Refuse),
        "lossy" => Ok(WhenUnwritable::Lossy),
        other => Err(Wrong::new(
            format!("{other:?} is neither \"refuse\" nor \"lossy\""),
            "write \"refuse\" to answer 503 to what cannot be recorded, \"lossy\" to serve it",
        )),
    }
}

/// `"block"`, `"redact"` or `"alarm"`.
pub(super) fn guard_action(value: &DeValue<'_>) -> Result<Action, Wrong> {
    match written(value, "\"block\"")? {
        "block" => Ok(Action::Block),
        "redact" => Ok(Action::Redact),
        "alarm" => Ok(Action::Alarm),
        other => Err(Wrong::new(
            format!("{other:?} is nothing that can be done about an identity"),
            "write \"block\", \"redact\" or \"alarm\": what says itself that it is a \
             subscriber's never leaves",
        )),
    }
}

/// A network, `"001-01"`: its MCC, and its MNC with the two or three digits that it has.
pub(super) fn plmn(value: &DeValue<'_>) -> Result<Plmn, Wrong> {
    let cure = "write MCC and MNC with a hyphen between, each with all its digits: \"001-01\"";
    let written = written(value, "\"001-01\"")?;
    let halves = written.split_once('-');
    let network = halves.and_then(|(mcc, mnc)| Plmn::new(mcc, mnc));
    network.ok_or_else(|| Wrong::new(format!("{written:?} is no network"), cure))
}

/// A member by which a NEF would tell what is inside of its network.
pub(super) fn network_member(value: &DeValue<'_>) -> Result<&'static str, Wrong> {
    let written = written(value, "\"dnn\"")?;
    let mut members = NETWORK_MEMBERS.into_iter();
    members.find(|member| *member == written).ok_or_else(|| {
        Wrong::new(
            format!("{written:?} is no member that hide_network hides"),
            format!(
                "write those that are to be seen of {}",
                NETWORK_MEMBERS.join(", ")
            ),
        )
    })
}

/// `"dns"`, `"uri"` or `"any"`.
pub(super) fn identity(value: &DeValue<'_>) -> Result<Identity, Wrong> {
    match written(value, "\"any\"")? {
        "dns" => Ok(Identity::Dns),
        "uri" => Ok(Identity::Uri),
        "any" => Ok(Identity::Any),
        other => Err(Wrong::new(
            format!("{other:?} is neither \"dns\", \"uri\" nor \"any\""),
            "write \"dns\" to know clients by dNSName alone, \"uri\" by URI alone, \"any\" by both",
        )),
    }
}

/// `"off"` or `"cpu"`.
pub(super) fn steering(value: &DeValue<'_>) -> Result<Steering, Wrong> {
    match written(value, "\"off\"")? {
        "off" => Ok(Steering::Off),
        "cpu" => Ok(Steering::Cpu),
        other => Err(Wrong::new(
            format!("{other:?} is neither \"off\" nor \"cpu\""),
            "write \"off\" to have the kernel spread connections, \"cpu\" to give each to the \
             shard of the CPU that received it",
        )),
    }
}

/// `"off"`, or a time of 100 ms to an hour.
pub(super) fn watch(value: &DeValue<'_>) -> Result<Option<Duration>, Wrong> {
    match value.as_str() {
        Some("off") => Ok(None),
        _ => duration(100..=3_600_000)(value).map(Some),
    }
}

/// `"off"`, `"transparent"` or `"reserved"`.
pub(super) fn huge_pages(value: &DeValue<'_>) -> Result<HugePages, Wrong> {
    match written(value, "\"transparent\"")? {
        "off" => Ok(HugePages::Off),
        "transparent" => Ok(HugePages::Transparent),
        "reserved" => Ok(HugePages::Reserved),
        other => Err(Wrong::new(
            format!("{other:?} is neither \"off\", \"transparent\" nor \"reserved\""),
            "write \"transparent\" to take what the kernel gives, \"reserved\" to take what was \
             set aside (vm.nr_hugepages), \"off\" for none",
        )),
    }
}
