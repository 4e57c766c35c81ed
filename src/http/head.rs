//! Request and response heads. `httparse` finds the tokens; whatever it is lenient about is
//! refused here.

use std::mem::MaybeUninit;

use httparse::{Header, ParserConfig};

use super::fields::{FieldClass, classify, is_indispensable};
use super::is_token_byte;
use super::path::PathFault;
use super::target::{self, Authority};
use crate::limits::{FIELDS_MAX, Limits};

/// Room for the fields of one head; `httparse` fills it, nobody clears it.
pub type Slots<'b> = [MaybeUninit<Header<'b>>; FIELDS_MAX];

/// Options that one message's `Connection` fields may name: each is compared with every field.
const CONNECTION_OPTIONS_MAX: usize = 32;

/// The method of a request. CONNECT and TRACE are [`Method::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
    Other,
}

impl Method {
    /// As it is written, `GET`; empty for one that is none of these.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Other => "",
        }
    }
}

/// How long a request's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// Neither `Content-Length` nor `Transfer-Encoding`: there is no body.
    None,
    /// As declared, in bytes.
    Length(u64),
    /// As [`super::chunked`] finds out.
    Chunked,
}

/// The `Authorization` field, unread. It cannot be printed: it carries a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Authorization<'b> {
    /// There is none.
    Absent,
    /// The value of the only one.
    One(&'b [u8]),
    /// There are several.
    Repeated,
}

/// A request head; everything borrows the bytes it was read from.
pub struct RequestHead<'h, 'b> {
    /// The method.
    pub method: Method,
    /// The method as written.
    pub method_text: &'b str,
    /// The raw path: starts with `/`, has no query, and passed [`super::path::check`].
    pub path: &'b str,
    /// The raw query, without its `?`.
    pub query: Option<&'b str>,
    /// The value of `Host`: a host and perhaps a port.
    pub host: &'b str,
    /// Every field, in order.
    pub fields: &'h [Header<'b>],
    /// Bit `i`: `fields[i]` is not forwarded.
    pub dropped: u64,
    /// How long the body is.
    pub body: BodyLength,
    /// The client may send another request on this connection.
    pub keep_alive: bool,
    /// The client waits for `100 Continue` before it sends the body; false where none follows.
    pub expect_continue: bool,
    /// The `Authorization` field.
    pub authorization: Authorization<'b>,
    /// The value of `Content-Type`.
    pub content_type: Option<&'b [u8]>,
    /// Bit `i`: `fields[i]` is an `Accept`.
    pub accept: u64,
}

/// How a response's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseBody {
    /// There is none.
    None,
    /// As declared, in bytes.
    Length(u64),
    /// As [`super::chunked`] finds out.
    Chunked,
    /// When the connection is closed.
    UntilClose,
}

/// A response head; everything borrows the bytes it was read from.
pub struct ResponseHead<'h, 'b> {
    /// 100 to 599, never 101.
    pub status: u16,
    /// The reason phrase; empty where it was, or where it had bytes beyond ASCII.
    pub reason: &'b str,
    /// Every field, in order.
    pub fields: &'h [Header<'b>],
    /// Bit `i`: `fields[i]` is not forwarded.
    pub dropped: u64,
    /// Bit `i`: `fields[i]` leads somewhere.
    pub links: u64,
    /// How the body ends.
    pub body: ResponseBody,
    /// The connection can carry another request.
    pub keep_alive: bool,
    /// `Content-Length`, also where no body follows (HEAD, 304).
    pub declared_length: Option<u64>,
}

/// Bounds on a head.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// The whole head, blank line included.
    pub head_bytes_max: usize,
    /// The request target.
    pub target_bytes_max: usize,
}

impl From<&Limits> for HeadLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            head_bytes_max: limits.head_bytes_max,
            target_bytes_max: limits.target_bytes_max,
        }
    }
}

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadFault {
    /// It is not HTTP/1.1, or could be read in two ways.
    Malformed(Malformed),
    /// The path breaks a rule.
    Path(PathFault),
    /// The target is over its bound.
    TargetTooLong,
    /// The head, or the number of its fields, is over its bound.
    FieldsTooLarge,
    /// Another version of HTTP.
    VersionUnsupported,
    /// An `Expect` other than `100-continue`.
    ExpectationUnknown,
}

macro_rules! malformed {
    ($($(#[$doc:meta])+ $name:ident = $word:literal,)+) => {
        /// What exactly is malformed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Malformed { $($(#[$doc])+ $name,)+ }

        impl Malformed {
            /// The word for logs and metrics.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }
        }
    };
}

malformed! {
    /// The method, target or version is not one, or one space does not separate them.
    RequestLine = "request_line_malformed",
    /// The status line.
    StatusLine = "status_line_malformed",
    /// A bare LF or CR.
    LineEnding = "line_ending_malformed",
    /// More than one empty line before the start line.
    BlankLines = "blank_lines",
    /// A field name is empty, folded, followed by a blank, or no token.
    FieldName = "field_name_malformed",
    /// NUL or another control character in a field value.
    FieldValue = "field_value_malformed",
    /// The head ends before or after its blank line.
    HeadEnd = "head_end_misplaced",
    /// Neither origin form nor absolute form with `https`.
    TargetForm = "target_form_refused",
    /// A byte in the target that is not visible ASCII.
    TargetCharacter = "target_character_refused",
    /// A fragment in the target.
    Fragment = "target_fragment",
    /// User information in the target.
    UserInfo = "target_userinfo",
    /// The target's authority is no host and port.
    AuthorityMalformed = "target_authority_malformed",
    /// The target's authority is not the one in `Host`.
    AuthorityDiffers = "target_authority_differs",
    /// A percent sign in the query without two hexadecimal digits.
    PercentEncoding = "query_percent_malformed",
    /// No `Host`.
    HostMissing = "host_missing",
    /// More than one `Host`.
    HostRepeated = "host_repeated",
    /// `Host` is no host and port.
    HostMalformed = "host_malformed",
    /// `Content-Length` is not one canonical decimal number below 2^64.
    LengthMalformed = "content_length_malformed",
    /// More than one `Content-Length`.
    LengthRepeated = "content_length_repeated",
    /// `Content-Length` beside `Transfer-Encoding`.
    LengthWithCoding = "content_length_with_transfer_encoding",
    /// `Transfer-Encoding` is not `chunked` alone.
    CodingUnsupported = "transfer_encoding_unsupported",
    /// More than one `Transfer-Encoding`.
    CodingRepeated = "transfer_encoding_repeated",
    /// `Transfer-Encoding` in HTTP/1.0, or in a response that has no body.
    CodingMisplaced = "transfer_encoding_misplaced",
    /// A length above zero on a response that has no body.
    LengthMisplaced = "content_length_misplaced",
    /// More than one `Content-Type`.
    TypeRepeated = "content_type_repeated",
    /// `Connection` is no list of tokens, or too long a one.
    ConnectionMalformed = "connection_malformed",
    /// `Connection` names a field the message means something else without.
    ConnectionNominates = "connection_nominates_end_to_end",
    /// More than one `Expect`.
    ExpectRepeated = "expect_repeated",
    /// A status outside 100 to 599.
    StatusRange = "status_out_of_range",
    /// 101: the gateway never asks to switch protocols.
    ProtocolSwitched = "status_protocol_switched",
}

impl From<Malformed> for HeadFault {
    fn from(reason: Malformed) -> Self {
        Self::Malformed(reason)
    }
}

impl HeadFault {
    /// The status to answer a request with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed(_) | Self::Path(_) => 400,
            Self::TargetTooLong => 414,
            Self::ExpectationUnknown => 417,
            Self::FieldsTooLarge => 431,
            Self::VersionUnsupported => 505,
        }
    }

    /// The word for logs and metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Malformed(reason) => reason.word(),
            Self::Path(fault) => fault.word(),
            Self::TargetTooLong => "target_too_long",
            Self::FieldsTooLarge => "fields_too_large",
            Self::VersionUnsupported => "version_unsupported",
            Self::ExpectationUnknown => "expectation_unknown",
        }
    }
}

/// Finds the end of a head, behind its blank line. `scanned` remembers how far earlier calls
/// looked; zero for a new head. None: more bytes are needed. A blank line with bare LFs ends a
/// head too, so that it is refused now and not by a deadline.
pub fn head_end(bytes: &[u8], scanned: &mut usize) -> Option<usize> {
    let from = *scanned;
    let ends = |at: usize| match at.checked_sub(1).and_then(|before| bytes.get(before)) {
        Some(b'\n') => true,
        Some(b'\r') => at >= 2 && bytes.get(at - 2) == Some(&b'\n'),
        _ => false,
    };
    let mut lines = memchr::memchr_iter(b'\n', bytes.get(from..).unwrap_or_default());
    let end = lines.find_map(|at| ends(from + at).then_some(from + at + 1));
    *scanned = end.unwrap_or(bytes.len());
    end
}

/// Can these first bytes of a request head still become one? To be asked while [`head_end`]
/// says None; looks at the request line only.
///
/// # Errors
/// 414 or 431 as soon as a bound is passed, 400 for a start that no request line has.
pub fn incomplete(bytes: &[u8], limits: &HeadLimits) -> Result<(), HeadFault> {
    let start = match bytes {
        [b'\r'] => return Ok(()),
        [b'\r', b'\n', rest @ ..] => rest,
        _ => bytes,
    };
    let (line, whole) = match memchr::memchr(b'\n', start) {
        Some(end) => match start.get(..end).and_then(|line| line.strip_suffix(b"\r")) {
            Some(line) => (line, true),
            None => return Err(Malformed::LineEnding.into()),
        },
        None => (start, false),
    };
    let method_end = line.iter().position(|byte| !is_token_byte(*byte));
    let target = match method_end {
        None if whole => return Err(Malformed::RequestLine.into()),
        None => &[][..],
        Some(end) if end > 0 && line[end] == b' ' => &line[end + 1..],
        Some(_) => return Err(Malformed::RequestLine.into()),
    };
    let target_bytes = memchr::memchr(b' ', target).unwrap_or(target.len());
    if target_bytes > limits.target_bytes_max {
        return Err(HeadFault::TargetTooLong);
    }
    if bytes.len() >= limits.head_bytes_max {
        return Err(HeadFault::FieldsTooLarge);
    }
    Ok(())
}

/// Reads a request head: `head` is everything up to and including the blank line.
///
/// # Errors
/// The first fault found; see [`HeadFault::status`] for the answer.
pub fn request<'h, 'b>(
    head: &'b [u8],
    slots: &'h mut Slots<'b>,
    limits: &HeadLimits,
) -> Result<RequestHead<'h, 'b>, HeadFault> {
    if head.len() > limits.head_bytes_max {
        incomplete(head, limits)?;
        return Err(HeadFault::FieldsTooLarge);
    }
    //= RFC 9112 section 2.2
    //# One empty line before the request line is skipped; what is not CRLF is no line ending.
    let head = head.strip_prefix(b"\r\n").unwrap_or(head);
    if matches!(head.first(), Some(b'\r' | b'\n')) {
        return Err(Malformed::BlankLines.into());
    }
    let mut parsed = httparse::Request::new(&mut []);
    let end = ParserConfig::default().parse_request_with_uninit_headers(&mut parsed, head, slots);
    let (method_text, target, version) = match (end, &parsed) {
        (
            Ok(end),
            &httparse::Request {
                method: Some(method),
                path: Some(path),
                version,
                ..
            },
        ) => {
            if end != httparse::Status::Complete(head.len()) {
                return Err(Malformed::HeadEnd.into());
            }
            (method, path, version)
        }
        (Ok(_), _) => return Err(Malformed::HeadEnd.into()),
        (Err(error), _) => return Err(request_syntax(error, head, limits)),
    };
    let fields: &'h [Header<'b>] = parsed.headers;
    if !lines_end_in_crlf(head, fields) {
        return Err(Malformed::LineEnding.into());
    }
    if target.len() > limits.target_bytes_max {
        return Err(HeadFault::TargetTooLong);
    }
    if version != Some(1) {
        return Err(HeadFault::VersionUnsupported);
    }
    let target = target::read(target)?;

    let mut framing = Framing::default();
    let mut host = None;
    let mut expects = false;
    let mut authorization = Authorization::Absent;
    let mut content_type = None;
    let mut accept = 0;
    for (place, field) in fields.iter().enumerate() {
        let class = classify(field.name);
        framing.take(class, field, fields)?;
        match class {
            FieldClass::Plain | FieldClass::Link => continue,
            FieldClass::Accept => {
                accept |= 1 << place;
                continue;
            }
            //= RFC 9110 section 8.3
            //# A message has one media type: of two, each reader would choose its own.
            FieldClass::ContentType if content_type.is_some() => {
                return Err(Malformed::TypeRepeated.into());
            }
            FieldClass::ContentType => {
                content_type = Some(field.value);
                continue;
            }
            //= RFC 9112 section 3.2
            //# Without exactly one valid Host the request is refused.
            FieldClass::Host if host.is_some() => return Err(Malformed::HostRepeated.into()),
            FieldClass::Host => host = Some(field.value),
            FieldClass::Authorization => {
                authorization = match authorization {
                    Authorization::Absent => Authorization::One(field.value),
                    _ => Authorization::Repeated,
                };
            }
            FieldClass::Expect if expects => return Err(Malformed::ExpectRepeated.into()),
            FieldClass::Expect if field.value.eq_ignore_ascii_case(b"100-continue") => {
                expects = true;
            }
            //= RFC 9110 section 10.1.1
            //# Any other expectation is answered with 417.
            FieldClass::Expect => return Err(HeadFault::ExpectationUnknown),
            _ => {}
        }
        framing.dropped |= 1 << place;
    }
    let host = host.ok_or(Malformed::HostMissing)?;
    let host = std::str::from_utf8(host).map_err(|_| Malformed::HostMalformed)?;
    let named = Authority::read(host).ok_or(Malformed::HostMalformed)?;
    if target.authority.is_some_and(|authority| authority != named) {
        return Err(Malformed::AuthorityDiffers.into());
    }
    let body = match (framing.chunked, framing.length) {
        (true, Some(_)) => return Err(Malformed::LengthWithCoding.into()),
        (true, None) => BodyLength::Chunked,
        (false, Some(length)) => BodyLength::Length(length),
        (false, None) => BodyLength::None,
    };
    Ok(RequestHead {
        method: method(method_text),
        method_text,
        path: target.path,
        query: target.query,
        host,
        fields,
        dropped: framing.dropped,
        body,
        keep_alive: !framing.close,
        expect_continue: expects && !matches!(body, BodyLength::None | BodyLength::Length(0)),
        authorization,
        content_type,
        accept,
    })
}

/// Reads a response head: `head` is everything up to and including the blank line.
///
/// # Errors
/// The first fault found; whichever it is, the exchange failed (502).
pub fn response<'h, 'b>(
    head: &'b [u8],
    slots: &'h mut Slots<'b>,
    request_method: Method,
) -> Result<ResponseHead<'h, 'b>, HeadFault> {
    if !head.starts_with(b"HTTP/") {
        return Err(Malformed::StatusLine.into());
    }
    let mut parsed = httparse::Response::new(&mut []);
    let end = ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, head, slots);
    let end = end.map_err(response_syntax)?;
    let (Some(version), Some(status), Some(reason)) = (parsed.version, parsed.code, parsed.reason)
    else {
        return Err(Malformed::HeadEnd.into());
    };
    if end != httparse::Status::Complete(head.len()) {
        return Err(Malformed::HeadEnd.into());
    }
    let fields: &'h [Header<'b>] = parsed.headers;
    if !lines_end_in_crlf(head, fields) {
        return Err(Malformed::LineEnding.into());
    }
    // `HTTP/1.1 200 `: the space behind the status is due even without a reason.
    if head.get(12) != Some(&b' ') {
        return Err(Malformed::StatusLine.into());
    }
    match status {
        101 => return Err(Malformed::ProtocolSwitched.into()),
        100..=599 => {}
        _ => return Err(Malformed::StatusRange.into()),
    }
    let mut framing = Framing::default();
    let mut links = 0;
    for (place, field) in fields.iter().enumerate() {
        let class = classify(field.name);
        framing.take(class, field, fields)?;
        let dropped = matches!(
            class,
            FieldClass::ContentLength
                | FieldClass::TransferEncoding
                | FieldClass::Connection
                | FieldClass::HopByHop
                | FieldClass::RequestId
        );
        framing.dropped |= u64::from(dropped) << place;
        links |= u64::from(class == FieldClass::Link) << place;
    }
    let body = response_body(status, version, request_method, &framing)?;
    Ok(ResponseHead {
        status,
        reason,
        fields,
        dropped: framing.dropped,
        links,
        body,
        keep_alive: version == 1 && !framing.close && body != ResponseBody::UntilClose,
        declared_length: framing.length,
    })
}

//= RFC 9112 section 6.3
//# Status and request method come before the fields; then chunked, then the length, then the end
//# of the connection. A message with both fields is refused.
fn response_body(
    status: u16,
    version: u8,
    request_method: Method,
    framing: &Framing,
) -> Result<ResponseBody, Malformed> {
    if framing.chunked && framing.length.is_some() {
        return Err(Malformed::LengthWithCoding);
    }
    if framing.chunked && version == 0 {
        return Err(Malformed::CodingMisplaced);
    }
    if matches!(status, 100..=199 | 204) {
        return match framing.length {
            _ if framing.chunked => Err(Malformed::CodingMisplaced),
            None | Some(0) => Ok(ResponseBody::None),
            Some(_) => Err(Malformed::LengthMisplaced),
        };
    }
    Ok(match framing.length {
        _ if status == 304 || request_method == Method::Head => ResponseBody::None,
        _ if framing.chunked => ResponseBody::Chunked,
        Some(length) => ResponseBody::Length(length),
        None => ResponseBody::UntilClose,
    })
}

/// What the fields say about the message as such.
#[derive(Default)]
struct Framing {
    length: Option<u64>,
    chunked: bool,
    close: bool,
    options: usize,
    dropped: u64,
}

impl Framing {
    fn take(
        &mut self,
        class: FieldClass,
        field: &Header<'_>,
        fields: &[Header<'_>],
    ) -> Result<(), Malformed> {
        match class {
            FieldClass::ContentLength if self.length.is_some() => Err(Malformed::LengthRepeated),
            FieldClass::ContentLength => {
                self.length = Some(length(field.value)?);
                Ok(())
            }
            //= RFC 9112 section 6.1
            //# `chunked`, once, is the only coding there is here.
            FieldClass::TransferEncoding if self.chunked => Err(Malformed::CodingRepeated),
            FieldClass::TransferEncoding if !field.value.eq_ignore_ascii_case(b"chunked") => {
                Err(Malformed::CodingUnsupported)
            }
            FieldClass::TransferEncoding => {
                self.chunked = true;
                Ok(())
            }
            FieldClass::Connection => self.connection(field.value, fields),
            _ => Ok(()),
        }
    }

    //= RFC 9110 section 7.6.1
    //# Fields that Connection names are for this connection only. It cannot name away what gives
    //# the message its meaning.
    fn connection(&mut self, value: &[u8], fields: &[Header<'_>]) -> Result<(), Malformed> {
        for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            self.options += 1;
            let token = option.iter().all(|byte| is_token_byte(*byte));
            if !token || self.options > CONNECTION_OPTIONS_MAX {
                return Err(Malformed::ConnectionMalformed);
            }
            if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if is_indispensable(option) {
                return Err(Malformed::ConnectionNominates);
            }
            for (place, field) in fields.iter().enumerate() {
                let named = field.name.as_bytes().eq_ignore_ascii_case(option);
                self.dropped |= u64::from(named) << place;
            }
        }
        Ok(())
    }
}

//= RFC 9112 section 6.2
//# A length is decimal digits. No sign, list, padding or overflow.
fn length(value: &[u8]) -> Result<u64, Malformed> {
    let canonical = match value {
        [] => false,
        [b'0'] => true,
        [first, ..] => *first != b'0' && value.iter().all(u8::is_ascii_digit),
    };
    if !canonical {
        return Err(Malformed::LengthMalformed);
    }
    let add = |sum: u64, digit: &u8| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    value
        .iter()
        .try_fold(0, add)
        .ok_or(Malformed::LengthMalformed)
}

fn method(text: &str) -> Method {
    match text {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        _ => Method::Other,
    }
}

/// `httparse` takes a bare LF for a line ending (and no bare CR). Where lines start is known from
/// where names start, so two bytes before each are looked at instead of the whole head.
fn lines_end_in_crlf(head: &[u8], fields: &[Header<'_>]) -> bool {
    let base = head.as_ptr().addr();
    let follows_crlf = |field: &Header<'_>| {
        let start = field.name.as_ptr().addr().wrapping_sub(base);
        head.get(start.wrapping_sub(2)..start) == Some(b"\r\n")
    };
    head.ends_with(b"\r\n\r\n") && fields.iter().all(follows_crlf)
}

fn request_syntax(error: httparse::Error, head: &[u8], limits: &HeadLimits) -> HeadFault {
    match error {
        httparse::Error::TooManyHeaders => HeadFault::FieldsTooLarge,
        httparse::Error::HeaderName => Malformed::FieldName.into(),
        httparse::Error::HeaderValue => Malformed::FieldValue.into(),
        httparse::Error::NewLine => Malformed::LineEnding.into(),
        httparse::Error::Version => match incomplete(head, limits) {
            Err(HeadFault::TargetTooLong) => HeadFault::TargetTooLong,
            _ if names_a_version(head) => HeadFault::VersionUnsupported,
            _ => Malformed::RequestLine.into(),
        },
        httparse::Error::Status | httparse::Error::Token => Malformed::RequestLine.into(),
    }
}

/// Does the request line end in `SP HTTP/d.d CRLF`, whichever the digits?
fn names_a_version(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let version = line
        .strip_suffix(b"\r")
        .and_then(|line| line.last_chunk::<9>());
    let digits = version.and_then(|version| version.strip_prefix(b" HTTP/"));
    matches!(digits, Some([b'0'..=b'9', b'.', b'0'..=b'9']))
        && line.iter().filter(|byte| **byte == b' ').count() == 2
}

fn response_syntax(error: httparse::Error) -> HeadFault {
    match error {
        httparse::Error::TooManyHeaders => HeadFault::FieldsTooLarge,
        httparse::Error::HeaderName => Malformed::FieldName.into(),
        httparse::Error::HeaderValue => Malformed::FieldValue.into(),
        httparse::Error::NewLine => Malformed::LineEnding.into(),
        httparse::Error::Version => HeadFault::VersionUnsupported,
        httparse::Error::Status | httparse::Error::Token => Malformed::StatusLine.into(),
    }
}

#[cfg(test)]
mod tests;
