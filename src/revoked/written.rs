//! A revocation as operators write it, over the admin socket and in their file: one JSON object,
//! read strictly. A word that is misspelt would leave something in force that was to be revoked.

use std::fmt;

use serde::Deserialize;

use super::{Entry, FOR_EVER, Held, Id, Revocation, Whose};
use crate::clock::UnixSeconds;
use crate::limits::{
    REVOKED_CLIENT_S, REVOKED_CLOCKS_APART_S, REVOKED_NAME_BYTES_MAX, REVOKED_UNDATED_S,
    TOKEN_BYTES_MAX,
};
use crate::peer::Thumbprint;

/// One object, as it was read. It may hold a token, and so shows nothing of itself.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// An access token, as sent.
    token: Option<String>,
    /// SHA-256 of one: of header, dot and claims of a signed token, of all of an opaque one.
    token_sha256: Option<String>,
    jti: Option<String>,
    /// A `client_id`.
    client: Option<String>,
    /// The thumbprint of a certificate.
    certificate: Option<String>,
    /// The `kid` of an issuer's key; empty for a key that has none.
    key: Option<String>,
    /// Of `jti` and `key`.
    issuer: Option<String>,
    /// Of `client`: seconds since 1970.
    issued_until: Option<u64>,
    /// Of `token_sha256`, `jti` and `certificate`: when it ends, in seconds since 1970.
    expires: Option<u64>,
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Written")
    }
}

/// What it says.
#[derive(Debug, PartialEq, Eq)]
pub enum Meant {
    /// A token, of which is to be found out whose it is and when it ends.
    Token(Unread),
    Revocation(Revocation),
}

/// A token. It shows nothing of itself.
#[derive(PartialEq, Eq)]
pub struct Unread(pub String);

impl fmt::Debug for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unread")
    }
}

/// What is wrong with it, and what to do about it. It says nothing of what was written, which may
/// be a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unmeant {
    pub what: &'static str,
    pub cure: &'static str,
}

const MEMBERS: &str = "write one of \"token\", \"token_sha256\", \"jti\" with \"issuer\", \
                       \"client\", \"certificate\", \"key\" with \"issuer\"";

fn wrong<T>(what: &'static str, cure: &'static str) -> Result<T, Unmeant> {
    Err(Unmeant { what, cure })
}

impl Written {
    /// Reads one object.
    ///
    /// # Errors
    /// It is not one JSON object with members that are known, each once.
    pub fn read(json: &[u8]) -> Result<Self, Unmeant> {
        serde_json::from_slice(json).map_err(|error| unread(&error))
    }

    /// Reads one object, or an array of them.
    ///
    /// # Errors
    /// As of [`Self::read`].
    pub fn read_some(json: &[u8]) -> Result<Vec<Self>, Unmeant> {
        let first = json.iter().find(|octet| !octet.is_ascii_whitespace());
        match first {
            Some(b'[') => serde_json::from_slice(json).map_err(|error| unread(&error)),
            _ => Self::read(json).map(|one| vec![one]),
        }
    }

    /// Whether it is about a client's tokens up to now, whenever that is.
    pub fn names_no_moment(&self) -> bool {
        self.client.is_some() && self.issued_until.is_none()
    }

    /// Whose token or key it is about, where it says so.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// Whose token it is about by its `jti`, where it does not say when that ends.
    pub fn issuer_of_undated_jti(&self) -> Option<&str> {
        let undated = self.jti.is_some() && self.expires.is_none();
        self.issuer.as_deref().filter(|_| undated)
    }

    /// What is meant by it at `now`.
    ///
    /// # Errors
    /// It names nothing, or several things, or what does not go with the thing.
    pub fn meant(self, now: UnixSeconds) -> Result<Meant, Unmeant> {
        let named = [
            self.token.is_some(),
            self.token_sha256.is_some(),
            self.jti.is_some(),
            self.client.is_some(),
            self.certificate.is_some(),
            self.key.is_some(),
        ];
        if named.iter().filter(|named| **named).count() != 1 {
            return wrong("it does not name one thing to revoke", MEMBERS);
        }
        if self.issuer.is_some() && self.jti.is_none() && self.key.is_none() {
            return wrong("\"issuer\" goes with \"jti\" and \"key\" only", "remove it");
        }
        if self.issued_until.is_some() && self.client.is_none() {
            return wrong("\"issued_until\" goes with \"client\" only", "remove it");
        }
        let is_dated =
            self.token_sha256.is_some() || self.jti.is_some() || self.certificate.is_some();
        if self.expires.is_some() && !is_dated {
            let what = "\"expires\" goes with \"token_sha256\", \"jti\" and \"certificate\" only";
            return wrong(what, "remove it");
        }
        if let Some(token) = self.token {
            if token.is_empty() || token.len() > TOKEN_BYTES_MAX {
                return wrong(
                    "the token is empty, or longer than any that is taken",
                    "write the token itself, without \"Bearer\"",
                );
            }
            return Ok(Meant::Token(Unread(token)));
        }
        self.revocation(now).map(Meant::Revocation)
    }

    fn revocation(self, now: UnixSeconds) -> Result<Revocation, Unmeant> {
        let undated = UnixSeconds(now.0.saturating_add(REVOKED_UNDATED_S));
        let expires = self.expires.map(UnixSeconds);
        let issuer = |issuer: Option<String>| match issuer {
            None => wrong(
                "\"issuer\" is missing",
                "write the issuer's name, as its tokens say it in iss, and of CAPIF's, which say \
                 the client there, as `t8gate token inspect` does",
            ),
            Some(issuer) => named(issuer),
        };
        if let Some(digest) = self.token_sha256 {
            let id = Id::of_token_sha256(digest_of(&digest)?);
            return Ok(of_token(id, expires.unwrap_or(undated), Whose::All, now));
        }
        if let Some(jti) = self.jti {
            let id = Id::jti(&issuer(self.issuer)?, &named(jti)?);
            return Ok(of_token(id, expires.unwrap_or(undated), Whose::All, now));
        }
        let entry = |id, held, name| Entry {
            id,
            held,
            at: now,
            name,
        };
        if let Some(client) = self.client {
            let client_id = named(client)?;
            let issued_until = self.issued_until;
            let issued_until =
                issued_until.unwrap_or_else(|| now.0.saturating_add(REVOKED_CLOCKS_APART_S));
            // Whatever was issued by then, and by whom, has ended then.
            let until = UnixSeconds(issued_until.saturating_add(REVOKED_CLIENT_S));
            return Ok(Revocation {
                entry: entry(
                    Id::client(&client_id),
                    Held {
                        until,
                        issued_until: UnixSeconds(issued_until),
                        undated_until: until,
                    },
                    client_id.clone(),
                ),
                whose: Whose::Client(client_id),
            });
        }
        if let Some(thumbprint) = self.certificate {
            let thumbprint = Thumbprint(digest_of(&thumbprint)?);
            return Ok(Revocation {
                entry: entry(
                    Id::certificate(thumbprint),
                    Held::all_of_it(expires.unwrap_or(FOR_EVER)),
                    String::new(),
                ),
                whose: Whose::Nobody,
            });
        }
        let kid = self.key.unwrap_or_default();
        if kid.len() > REVOKED_NAME_BYTES_MAX {
            return wrong(NAME_WRONG.what, NAME_WRONG.cure);
        }
        let issuer = issuer(self.issuer)?;
        Ok(Revocation {
            entry: entry(
                Id::issuer_key(&issuer, &kid),
                Held::all_of_it(FOR_EVER),
                format!("{issuer} {kid}"),
            ),
            whose: Whose::All,
        })
    }
}

/// The revocation of one token.
pub fn of_token(id: Id, until: UnixSeconds, whose: Whose, now: UnixSeconds) -> Revocation {
    Revocation {
        entry: Entry {
            id,
            held: Held::all_of_it(until),
            at: now,
            name: String::new(),
        },
        whose,
    }
}

const NAME_WRONG: Unmeant = Unmeant {
    what: "a name is empty, or longer than any that is taken",
    cure: "write it as the token says it",
};

fn named(name: String) -> Result<String, Unmeant> {
    match name.len() {
        1..=REVOKED_NAME_BYTES_MAX => Ok(name),
        _ => Err(NAME_WRONG),
    }
}

/// SHA-256 in hexadecimal digits, with colons or without.
fn digest_of(text: &str) -> Result<[u8; 32], Unmeant> {
    let fault = Unmeant {
        what: "it is no SHA-256 in hexadecimal digits",
        cure: "write all 64 of them, as `openssl x509 -noout -fingerprint -sha256` or `sha256sum` \
               does",
    };
    let digits: Vec<u8> = text.bytes().filter(|octet| *octet != b':').collect();
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.len() != 32 || !rest.is_empty() {
        return Err(fault);
    }
    let mut digest = [0; 32];
    for (octet, pair) in digest.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else {
            return Err(fault);
        };
        *octet = u8::try_from(high << 4 | low).unwrap_or_default();
    }
    Ok(digest)
}

/// Without what the parser says: it repeats what it has read.
fn unread(error: &serde_json::Error) -> Unmeant {
    match error.classify() {
        serde_json::error::Category::Data => Unmeant {
            what: "a member is not known, stands twice, or has a value of another type",
            cure: "the members are token, token_sha256, jti, client, certificate, key, issuer, \
                   issued_until and expires; the last two are numbers, the others texts",
        },
        _ => Unmeant {
            what: "it is not JSON",
            cure: "write an object: {\"client\":\"acme-app\"}",
        },
    }
}
