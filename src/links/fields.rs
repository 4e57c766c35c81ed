//! Links in fields that hold more than one.

use super::Links;

/// Writes the value of a `Link` field with each of its targets led outwards. False where one leads
/// past the gateway, or where it cannot be told what is a target: then nothing of it may leave.
//= RFC 8288 section 3
//# A target stands between < and >; what is quoted is none. An anchor (section 3.2) is where the
//# link begins: nothing of T8 begins elsewhere.
pub fn targets_outward(links: &Links, value: &str, out: &mut Vec<u8>) -> bool {
    let names_an_anchor = |name: &[u8]| name.eq_ignore_ascii_case(b"anchor");
    if value.as_bytes().windows(6).any(names_an_anchor) {
        return false;
    }
    let mut rest = value;
    loop {
        let Some(at) = rest.find(['<', '"']) else {
            out.extend_from_slice(rest.as_bytes());
            return !rest.contains('>');
        };
        let (before, after) = rest.split_at(at + 1);
        if before.contains('>') {
            return false;
        }
        out.extend_from_slice(before.as_bytes());
        let length = match before.ends_with('<') {
            true => after.find('>'),
            false => quoted(after),
        };
        let Some((inner, behind)) = length.and_then(|length| after.split_at_checked(length)) else {
            return false;
        };
        match before.ends_with('<').then(|| links.outward(inner)) {
            Some(Err(_)) => return false,
            Some(Ok(Some(led))) => {
                out.extend_from_slice(led.root.as_bytes());
                out.extend_from_slice(led.rest.as_bytes());
            }
            Some(Ok(None)) | None => out.extend_from_slice(inner.as_bytes()),
        }
        // The mark that ends it.
        let (mark, behind) = behind.split_at(1);
        out.extend_from_slice(mark.as_bytes());
        rest = behind;
    }
}

/// How long a quoted string is up to its end.
fn quoted(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| match byte {
        _ if escaped => {
            escaped = false;
            false
        }
        b'\\' => {
            escaped = true;
            false
        }
        byte => byte == b'"',
    })
}
