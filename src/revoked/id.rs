//! What a revocation is known by: its kind and 32 octets. Of tokens that is a hash, so that neither
//! memory nor store holds one.

use aws_lc_rs::digest::{Context, SHA256};

use crate::peer::Thumbprint;

/// What is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// One token, by itself.
    Token = 1,
    /// One token, by what its issuer tells it apart by.
    Jti = 2,
    /// All tokens of a client that were issued up to a moment.
    Client = 3,
    Certificate = 4,
    /// A key that an issuer signs with.
    IssuerKey = 5,
}

impl Kind {
    /// All of them, in the order of their counters.
    pub const ALL: [Self; 5] = [
        Self::Token,
        Self::Jti,
        Self::Client,
        Self::Certificate,
        Self::IssuerKey,
    ];

    /// As metrics, records and the admin socket write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Jti => "jti",
            Self::Client => "client",
            Self::Certificate => "certificate",
            Self::IssuerKey => "issuer_key",
        }
    }

    /// Place in [`Self::ALL`].
    pub fn place(self) -> usize {
        self as usize - 1
    }

    /// Whether it may be taken back: a token is issued anew instead.
    pub fn may_be_taken_back(self) -> bool {
        !matches!(self, Self::Token | Self::Jti)
    }

    fn of_octet(octet: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == octet)
    }
}

/// Octets of [`Id::octets`].
pub(super) const ID_BYTES: usize = 33;

/// Which one it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    kind: Kind,
    digest: [u8; 32],
}

impl Id {
    /// Of a signed token (JWS) as sent. Only what its signature is over counts: of an ECDSA
    /// signature (r, s) anybody can make the other one, (r, n - s), which verifies as well.
    pub fn signed_token(token: &[u8]) -> Self {
        let end = memchr::memrchr(b'.', token).unwrap_or(token.len());
        Self::of_token_sha256(sha256(&[token.get(..end).unwrap_or(token)]))
    }

    /// Of a token that says nothing to anybody but its issuer: all of it counts.
    pub fn opaque_token(token: &[u8]) -> Self {
        Self::of_token_sha256(sha256(&[token]))
    }

    /// Of a token whose hash is known: of header, dot and claims of a signed one, of all of an
    /// opaque one.
    pub fn of_token_sha256(digest: [u8; 32]) -> Self {
        Self {
            kind: Kind::Token,
            digest,
        }
    }

    pub fn jti(issuer: &str, jti: &str) -> Self {
        Self::of_names(Kind::Jti, &[issuer, jti])
    }

    pub fn client(client_id: &str) -> Self {
        Self::of_names(Kind::Client, &[client_id])
    }

    pub fn certificate(thumbprint: Thumbprint) -> Self {
        Self {
            kind: Kind::Certificate,
            digest: thumbprint.0,
        }
    }

    /// `kid` is empty for a key without one.
    pub fn issuer_key(issuer: &str, kid: &str) -> Self {
        Self::of_names(Kind::IssuerKey, &[issuer, kid])
    }

    pub fn kind(self) -> Kind {
        self.kind
    }

    /// The first eight octets, to tell one from another in records and answers.
    pub fn pseudonym(self) -> String {
        let first = self.pseudonym_octets();
        first.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// The same, before it is written out.
    pub fn pseudonym_octets(self) -> [u8; 8] {
        let [a, b, c, d, e, f, g, h, ..] = self.digest;
        [a, b, c, d, e, f, g, h]
    }

    /// All of it, in hexadecimal digits: for certificates, whose thumbprint is no secret, and for
    /// who has the token at hand.
    pub fn digits(self) -> String {
        let all = self.digest.iter();
        all.map(|octet| format!("{octet:02x}")).collect()
    }

    pub(super) fn octets(self) -> [u8; ID_BYTES] {
        let mut octets = [self.kind as u8; ID_BYTES];
        octets[1..].copy_from_slice(&self.digest);
        octets
    }

    /// Of [`Self::octets`].
    pub(super) fn of_octets(octets: [u8; ID_BYTES]) -> Option<Self> {
        let [kind, digest @ ..] = octets;
        Some(Self {
            kind: Kind::of_octet(kind)?,
            digest,
        })
    }

    /// A number that is spread evenly over all of them.
    pub(super) fn spread(self) -> usize {
        let [.., low, high] = self.digest;
        usize::from(u16::from_le_bytes([low, high]))
    }

    fn of_names(kind: Kind, names: &[&str]) -> Self {
        let mut parts = Vec::with_capacity(2 * names.len());
        let lengths: Vec<_> = names
            .iter()
            .map(|name| (name.len() as u64).to_be_bytes())
            .collect();
        // Length first, so that two names never run into one another.
        for (length, name) in lengths.iter().zip(names) {
            parts.extend([length.as_slice(), name.as_bytes()]);
        }
        Self {
            kind,
            digest: sha256(&parts),
        }
    }
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Context::new(&SHA256);
    for part in parts {
        hash.update(part);
    }
    let digest = hash.finish();
    digest.as_ref().try_into().expect("SHA-256 has 32 octets")
}
