//! A second reader of heads and chunked bodies: slow, byte by byte, and written from the rules
//! alone, so that the fast one has something to be compared with.

use crate::limits::{
    CHUNK_EXTENSION_BYTES_MAX, CHUNK_EXTENSIONS_BYTES_MAX, FIELDS_MAX, TRAILER_BYTES_MAX,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    None,
    Length(u64),
    Chunked,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub method: String,
    pub path: String,
    pub query: Option<String>,
    pub host: String,
    pub fields: Vec<(String, Vec<u8>)>,
    pub body: Body,
    pub close: bool,
}

fn token(text: &[u8]) -> bool {
    let odd = b"!#$%&'*+-.^_`|~";
    !text.is_empty()
        && text
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || odd.contains(b))
}

fn value_bytes(text: &[u8]) -> bool {
    text.iter().all(|b| *b == 9 || (*b >= 32 && *b != 127))
}

fn trim(text: &[u8]) -> &[u8] {
    let blank = |b: &u8| *b == b' ' || *b == b'\t';
    match (
        text.iter().position(|b| !blank(b)),
        text.iter().rposition(|b| !blank(b)),
    ) {
        (Some(first), Some(last)) => &text[first..=last],
        _ => &[],
    }
}

/// Lines of a whole head, each without CRLF; the last one, empty, is taken off.
fn lines(head: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut lines = vec![Vec::new()];
    let mut at = 0;
    while at < head.len() {
        match head[at] {
            b'\r' if head.get(at + 1) == Some(&b'\n') => {
                lines.push(Vec::new());
                at += 1;
            }
            b'\r' | b'\n' => return None,
            byte => lines.last_mut()?.push(byte),
        }
        at += 1;
    }
    let ended = lines.pop()?.is_empty() && lines.pop()?.is_empty();
    ended.then_some(lines)
}

fn percent_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if text[at] == b'%' {
            let digits = text.get(at + 1..at + 3)?;
            if !digits.iter().all(u8::is_ascii_hexdigit) {
                return None;
            }
            out.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            at += 3;
        } else {
            out.push(text[at]);
            at += 1;
        }
    }
    Some(out)
}

pub fn path_passes(path: &[u8]) -> bool {
    if path == b"/" {
        return true;
    }
    let Some(rest) = path.strip_prefix(b"/") else {
        return false;
    };
    let raw = |b: &u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/".contains(b);
    rest.iter().all(raw)
        && rest.split(|b| *b == b'/').all(|segment| {
            let Some(decoded) = percent_decoded(segment) else {
                return false;
            };
            let Ok(text) = String::from_utf8(decoded) else {
                return false;
            };
            let encoded = segment.windows(3).filter(|w| w[0] == b'%');
            let hides_percent = encoded.clone().any(|w| w == b"%25");
            let name = text.split(';').next().unwrap_or_default();
            !hides_percent
                && !text
                    .chars()
                    .any(|c| c == '/' || c == '\\' || c.is_ascii_control())
                && !matches!(name, "" | "." | "..")
        })
}

fn authority(text: &[u8]) -> Option<(String, u32)> {
    let text = std::str::from_utf8(text).ok()?.to_ascii_lowercase();
    let (host, port) = match text.rfind(']') {
        Some(end) => (&text[..=end], &text[end + 1..]),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = match port {
        "" => 443,
        _ if port.starts_with(':') && port[1..].chars().all(|c| c.is_ascii_digit()) => {
            port[1..].parse::<u32>().ok().filter(|port| *port < 65536)?
        }
        _ => return None,
    };
    let name = host
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    let address = host.len() > 2
        && host.starts_with('[')
        && host[1..host.len() - 1]
            .parse::<std::net::Ipv6Addr>()
            .is_ok();
    ((name && !host.is_empty()) || address).then(|| (host.to_owned(), port))
}

/// Reads a request head, or refuses it. Of all bounds only the number of fields is its business.
pub fn request(head: &[u8]) -> Option<Read> {
    let mut lines = lines(head)?;
    if lines.first()?.is_empty() {
        lines.remove(0);
    }
    let request_line = lines.first()?.clone();
    let words: Vec<&[u8]> = request_line.split(|b| *b == b' ').collect();
    let [method, target, version] = words[..] else {
        return None;
    };
    if !token(method) || version != b"HTTP/1.1" || target.iter().any(|b| !(33..127).contains(b)) {
        return None;
    }
    let target = std::str::from_utf8(target).ok()?;
    let mut wanted = None;
    let rest = if target.starts_with('/') {
        target
    } else {
        let scheme = target.get(..8)?;
        if !scheme.eq_ignore_ascii_case("https://") {
            return None;
        }
        let rest = &target[8..];
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        wanted = Some(authority(&rest.as_bytes()[..end])?);
        &rest[end..]
    };
    if rest.contains('#') {
        return None;
    }
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    let path = if path.is_empty() { "/" } else { path };
    if !path_passes(path.as_bytes()) {
        return None;
    }
    percent_decoded(query.unwrap_or_default().as_bytes())?;

    let mut fields = Vec::new();
    for line in &lines[1..] {
        let colon = line.iter().position(|b| *b == b':')?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if !token(name) || !value_bytes(value) {
            return None;
        }
        fields.push((String::from_utf8(name.to_vec()).ok()?, trim(value).to_vec()));
    }
    if fields.len() > FIELDS_MAX {
        return None;
    }
    let all = |wanted: &str| -> Vec<Vec<u8>> {
        let named = fields
            .iter()
            .filter(|(name, _)| name.to_ascii_lowercase() == wanted);
        named.map(|(_, value)| value.clone()).collect()
    };
    if all("content-type").len() > 1 {
        return None;
    }
    let hosts = all("host");
    let [host] = &hosts[..] else { return None };
    let named = authority(host)?;
    if wanted.is_some_and(|wanted| wanted != named) {
        return None;
    }
    let body = match (&all("content-length")[..], &all("transfer-encoding")[..]) {
        ([], []) => Body::None,
        ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") => Body::Chunked,
        ([length], []) => {
            let number: u64 = std::str::from_utf8(length).ok()?.parse().ok()?;
            if number.to_string().as_bytes() != length {
                return None;
            }
            Body::Length(number)
        }
        _ => return None,
    };
    match &all("expect")[..] {
        [] => {}
        [one] if one.eq_ignore_ascii_case(b"100-continue") => {}
        _ => return None,
    }
    let mut close = false;
    let mut options = 0;
    for value in all("connection") {
        for option in value.split(|b| *b == b',') {
            let option = trim(option).to_ascii_lowercase();
            options += 1;
            let kept = [
                &b"host"[..],
                b"authorization",
                b"transfer-encoding",
                b"expect",
                b"range",
            ];
            let needed = kept.contains(&&option[..])
                || option.starts_with(b"content-")
                || option.starts_with(b"if-");
            if options > 32 || needed || (!option.is_empty() && !token(&option)) {
                return None;
            }
            close |= option == b"close";
        }
    }
    Some(Read {
        method: String::from_utf8(method.to_vec()).ok()?,
        path: path.to_owned(),
        query: query.map(str::to_owned),
        host: String::from_utf8(host.clone()).ok()?,
        fields,
        body,
        close,
    })
}

fn line(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let line = &rest[..end];
    (!line.contains(&b'\r') && !line.contains(&b'\n')).then_some((line, &rest[end + 2..]))
}

fn extension_passes(text: &[u8]) -> bool {
    let mut quoted = false;
    let mut escaped = false;
    for byte in text {
        if *byte != 9 && (*byte < 32 || *byte == 127) || (!quoted && *byte > 127) {
            return false;
        }
        if escaped {
            escaped = false;
        } else if quoted && *byte == b'\\' {
            escaped = true;
        } else if *byte == b'"' {
            quoted = !quoted;
        }
    }
    !quoted
}

/// Decodes a whole chunked body: its data, and how many bytes it took.
pub fn chunked(input: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut data = Vec::new();
    let mut rest = input;
    let mut extensions = 0;
    loop {
        let (size_line, after) = line(rest)?;
        let digits = size_line
            .iter()
            .take_while(|b| b.is_ascii_hexdigit())
            .count();
        let extension = &size_line[digits..];
        extensions += extension.len();
        if !(1..=15).contains(&digits)
            || !(extension.is_empty() || extension[0] == b';')
            || !extension_passes(extension)
            || extension.len() > CHUNK_EXTENSION_BYTES_MAX
            || extensions > CHUNK_EXTENSIONS_BYTES_MAX
        {
            return None;
        }
        let size = u64::from_str_radix(std::str::from_utf8(&size_line[..digits]).ok()?, 16).ok()?;
        rest = after;
        if size == 0 {
            break;
        }
        let size = usize::try_from(size).ok()?;
        data.extend_from_slice(rest.get(..size)?);
        rest = rest[size..].strip_prefix(b"\r\n")?;
    }
    let mut trailer = 0;
    loop {
        let (field, after) = line(rest)?;
        rest = after;
        if field.is_empty() {
            return Some((data, input.len() - rest.len()));
        }
        trailer += field.len() + 2;
        let colon = field.iter().position(|b| *b == b':')?;
        if !token(&field[..colon])
            || !value_bytes(&field[colon + 1..])
            || trailer > TRAILER_BYTES_MAX
        {
            return None;
        }
    }
}
