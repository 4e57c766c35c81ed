//! What is looked for in a ClientHello before rustls is shown it: its end, and hints of what it
//! will come to. rustls reads it again, and its reading counts.

use std::borrow::Cow;

use rustls::NamedGroup;

use super::Profile;

const CONTENT_CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const CONTENT_HANDSHAKE: u8 = 22;
const EXTENSION_SERVER_NAME: u16 = 0;
const EXTENSION_SESSION_TICKET: u16 = 35;
const EXTENSION_PRE_SHARED_KEY: u16 = 41;
const EXTENSION_SUPPORTED_GROUPS: u16 = 10;
const EXTENSION_SIGNATURE_ALGORITHMS: u16 = 13;
const EXTENSION_SUPPORTED_VERSIONS: u16 = 43;
const EXTENSION_KEY_SHARE: u16 = 51;
/// Of a record in the clear, without its header.
const PLAIN_BYTES_MAX: usize = 1 << 14;
/// The hybrid group that comes before all others.
pub(super) const HYBRID: NamedGroup = NamedGroup::X25519MLKEM768;

/// Where the record ends that begins at `from`, once it is there.
pub(super) fn record_end(bytes: &[u8], from: usize) -> Option<usize> {
    let &[_, _, _, high, low] = bytes.get(from..)?.first_chunk()?;
    let end = from + 5 + usize::from(u16::from_be_bytes([high, low]));
    (end <= bytes.len()).then_some(end)
}

/// The handshake message that the records begin with, without their headers, as far as it has
/// come: what is looked for in a hello may lie in any of them.
//= RFC 8446 section 5.1
//# A handshake message may be spread over several records.
pub(super) fn message(records: &[u8]) -> Cow<'_, [u8]> {
    let mut message = Cow::Borrowed(&[][..]);
    let mut at = 0;
    while let Some(end) = record_end(records, at) {
        let (content, body) = (records[at], &records[at + 5..end]);
        at = end;
        match content {
            CONTENT_CHANGE_CIPHER_SPEC => continue,
            CONTENT_HANDSHAKE if message.is_empty() => message = Cow::Borrowed(body),
            CONTENT_HANDSHAKE => message.to_mut().extend_from_slice(body),
            _ => break,
        }
        if let Some(&[_, a, b, c]) = message.first_chunk() {
            let end = 4 + (usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c));
            if end <= message.len() {
                match &mut message {
                    Cow::Borrowed(message) => *message = &message[..end],
                    Cow::Owned(message) => message.truncate(end),
                }
                break;
            }
        }
    }
    message
}

/// What has come of a ClientHello.
pub(super) enum Hello {
    Partial,
    Complete,
    /// A record says to be longer than one in the clear may be.
    Oversized,
    Other,
}

/// Looks for the end of one plaintext handshake message, remembering how far it has looked.
///
/// 0 <= looked <= bytes given
#[derive(Default)]
pub(super) struct HelloScan {
    looked: usize,
    header: [u8; 4],
    have: usize,
    complete: bool,
}

impl HelloScan {
    pub(super) fn look(&mut self, bytes: &[u8]) -> Hello {
        // Asked again after `SignElsewhere`: the same hello is still there.
        if self.complete {
            return Hello::Complete;
        }
        loop {
            let rest = bytes.get(self.looked..).unwrap_or_default();
            let &[content, _, _, high, low, ref after @ ..] = rest else {
                let strange = rest.first().is_some_and(|content| !expected(*content));
                return if strange {
                    Hello::Other
                } else {
                    Hello::Partial
                };
            };
            if !expected(content) {
                return Hello::Other;
            }
            let length = usize::from(high) << 8 | usize::from(low);
            //= RFC 8446 section 5.1
            //# A longer record is refused by record_overflow, and not waited for.
            if length > PLAIN_BYTES_MAX {
                return Hello::Oversized;
            }
            let Some(body) = after.get(..length) else {
                return Hello::Partial;
            };
            self.looked += 5 + body.len();
            if content == CONTENT_CHANGE_CIPHER_SPEC {
                continue;
            }
            for (slot, octet) in self.header.iter_mut().skip(self.have).zip(body) {
                *slot = *octet;
            }
            self.have += body.len();
            let [_, a, b, c] = self.header.map(usize::from);
            if self.have >= 4 && self.have >= 4 + (a << 16 | b << 8 | c) {
                self.complete = true;
                return Hello::Complete;
            }
        }
    }
}

fn expected(content: u8) -> bool {
    matches!(content, CONTENT_HANDSHAKE | CONTENT_CHANGE_CIPHER_SPEC)
}

/// The version that a ClientHello asks for where it has no extension for that.
pub(super) fn version(hello: &[u8]) -> Option<&[u8]> {
    hello.get(4..6)
}

/// Whether a ClientHello offers to continue a session: by a
/// pre_shared_key (RFC 8446 section 4.2.11) or by a ticket (RFC 5077 section 3.2). What it says is
/// only taken as a hint.
pub(super) fn offers_session(hello: &[u8]) -> bool {
    extensions(hello).any(|(kind, content)| match kind {
        EXTENSION_PRE_SHARED_KEY => true,
        EXTENSION_SESSION_TICKET => !content.is_empty(),
        _ => false,
    })
}

/// Whether a ClientHello has a server_name extension, whatever is in it.
pub(super) fn names_a_server(hello: &[u8]) -> bool {
    extensions(hello).any(|(kind, _)| kind == EXTENSION_SERVER_NAME)
}

/// Whether a ClientHello offers TLS 1.3 and lacks what such a one must have. Not of one that does
/// not parse to its end: rustls finds the word for that.
//= RFC 8446 section 9.2
//# Signature algorithms and groups, or a session; and groups and shares together, or neither.
pub(super) fn lacks_extension(hello: &[u8]) -> bool {
    let (mut offers, mut signatures, mut groups) = (false, false, false);
    let (mut shares, mut session) = (false, false);
    let mut octets = 0;
    for (kind, content) in extensions(hello) {
        octets += 4 + content.len();
        match kind {
            EXTENSION_SUPPORTED_VERSIONS => {
                let versions = content.get(1..).unwrap_or_default();
                offers = versions.chunks(2).any(|version| version == [3, 4]);
            }
            EXTENSION_SIGNATURE_ALGORITHMS => signatures = true,
            EXTENSION_SUPPORTED_GROUPS => groups = true,
            EXTENSION_KEY_SHARE => shares = true,
            EXTENSION_PRE_SHARED_KEY => session = true,
            _ => {}
        }
    }
    let whole = octets == all_extensions(hello).len();
    let has_all = groups == shares && (session || signatures && groups);
    offers && whole && !has_all
}

/// Whether a ClientHello has a share for the hybrid group and names
/// another one before that this profile has as well. As a hint: rustls reads it again.
pub(super) fn wants_hybrid(hello: &[u8], profile: &Profile) -> bool {
    let content = |wanted| {
        let mut extensions = extensions(hello);
        extensions
            .find(|(kind, _)| *kind == wanted)
            .map(|(_, content)| content)
    };
    let (Some([_, _, groups @ ..]), Some([_, _, shares @ ..])) = (
        content(EXTENSION_SUPPORTED_GROUPS),
        content(EXTENSION_KEY_SHARE),
    ) else {
        return false;
    };
    let mut groups = groups.chunks_exact(2).filter_map(|group| {
        let group = NamedGroup::from(u16::from_be_bytes(group.try_into().ok()?));
        profile.has_group(group).then_some(group)
    });
    let mut shares = vectors(shares).map(|(group, _)| NamedGroup::from(group));
    let first = groups.next();
    first != Some(HYBRID) && groups.any(|group| group == HYBRID) && shares.any(|of| of == HYBRID)
}

/// The extensions of a ClientHello, up to one that is cut.
fn extensions(hello: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    vectors(all_extensions(hello))
}

/// The octets of all extensions of a ClientHello; none where it has none.
fn all_extensions(hello: &[u8]) -> &[u8] {
    let skip = |bytes: &'_ [u8], length_bytes: usize| -> Option<usize> {
        let (length, _) = bytes.split_at_checked(length_bytes)?;
        let length = length
            .iter()
            .fold(0, |sum, octet| sum << 8 | usize::from(*octet));
        Some(length_bytes + length)
    };
    let found = || {
        // Message header, version and random; then three vectors, then their own.
        let mut rest = hello.get(4 + 2 + 32..)?;
        for length_bytes in [1, 2, 1] {
            rest = rest.get(skip(rest, length_bytes)?..)?;
        }
        rest.get(2..)
    };
    found().unwrap_or_default()
}

/// Numbers of two octets, each before a vector with a length of two octets.
fn vectors(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let head: [u8; 4] = rest.split_off(..4)?.try_into().ok()?;
        let [kind_high, kind_low, high, low] = head;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let content = rest.split_off(..length)?;
        Some((u16::from_be_bytes([kind_high, kind_low]), content))
    })
}
