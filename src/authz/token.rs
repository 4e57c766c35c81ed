//! JWT access tokens (RFC 9068), signed (RFC 7515) and bound to a certificate (RFC 8705).
//!
//! [`verify`] reads a token strictly, in this order: size, form, header, issuer, key, signature,
//! then the claims. Until the signature stands, only `iss` is looked at, and only to find the
//! issuer whose keys may verify it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::json::{self, Json, JsonFault, Object};
use super::keys::{Algorithm, Issuers};
use super::scope::{self, Rights};
use crate::clock::UnixSeconds;
use crate::limits::TOKEN_BYTES_MAX;
use crate::peer::Thumbprint;

#[cfg(test)]
mod tests;

/// How far the issuer's clock and ours may be apart.
//= TS 33.122 clause C.2
//# The leeway for clock skew is not more than 30 seconds.
pub const LEEWAY_S: u64 = 30;
/// The last second of the year 9999. What is later is not a date in seconds; milliseconds are not.
const NUMERIC_DATE_MAX: u64 = 253_402_300_799;

/// What a verified token gives, and on which conditions. The conditions are the caller's to check:
/// the connection's certificate has this thumbprint, the operation is among these, and the time is
/// not outside the two bounds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Of the only certificate that may use the token.
    pub thumbprint: Thumbprint,
    /// What its scope allows.
    pub rights: Rights,
    /// The first second of its validity: the later of `nbf` and `iat`, less the leeway.
    pub valid_from: UnixSeconds,
    /// The last second of its validity: the one before `exp` plus the leeway.
    pub valid_until: UnixSeconds,
}

impl Grant {
    /// Whether the token is valid at `now`.
    pub fn valid_at(&self, now: UnixSeconds) -> bool {
        self.valid_from <= now && now <= self.valid_until
    }
}

/// Times only: the thumbprint would tell partners apart in a log.
impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grant")
            .field("rights", &self.rights)
            .field("valid_from", &self.valid_from)
            .field("valid_until", &self.valid_until)
            .finish_non_exhaustive()
    }
}

/// A token whose signature and claims hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedToken {
    /// The `iss` it carries.
    pub issuer: String,
    /// What its issuer tells it apart by.
    pub jti: String,
    /// To be found among the clients, and to be the peer's.
    pub client_id: String,
    pub grant: Grant,
}

/// A claim, to say which one was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    Iss,
    Sub,
    Aud,
    Exp,
    Nbf,
    Iat,
    Jti,
    ClientId,
    Scope,
    Cnf,
}

/// Why a token is not taken. None of them holds a byte of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// Longer than [`TOKEN_BYTES_MAX`].
    TooLong,
    /// Not three non-empty parts in base64url, without padding and in its one spelling.
    Malformed,
    /// Header or claims are not a JSON object within the bounds.
    MalformedJson,
    /// Header or claims name a member twice.
    DuplicateMember,
    /// A header parameter we read has the wrong type.
    HeaderMalformed,
    /// `typ` does not say that this is an access token.
    Type,
    /// The header demands an extension (`crit`, `b64`); none is understood.
    CritUnknown,
    /// The header says the token is compressed.
    Compressed,
    /// `alg` is not one of ours, or not the one its key is for.
    AlgorithmRefused,
    /// `iss` is not a configured issuer.
    IssuerUnknown,
    /// The issuer has no key named so, or none is named and more than one would fit.
    KeyUnknown,
    SignatureBad,
    ClaimMissing(Claim),
    ClaimMalformed(Claim),
    /// `aud` does not contain us.
    Audience,
    Expired,
    /// Before `nbf`, or `iat` lies in the future.
    NotYetValid,
    /// No certificate is named in `cnf`.
    NotBound,
}

impl TokenFault {
    /// The word for logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::TooLong => "token_too_long",
            Self::Malformed => "token_malformed",
            Self::MalformedJson => "token_malformed_json",
            Self::DuplicateMember => "token_duplicate_member",
            Self::HeaderMalformed => "token_header_malformed",
            Self::Type => "token_type",
            Self::CritUnknown => "token_crit_unknown",
            Self::Compressed => "token_compressed",
            Self::AlgorithmRefused => "token_algorithm_refused",
            Self::IssuerUnknown => "token_issuer_unknown",
            Self::KeyUnknown => "token_key_unknown",
            Self::SignatureBad => "token_signature_bad",
            Self::ClaimMissing(claim) => claim.missing(),
            Self::ClaimMalformed(claim) => claim.malformed(),
            Self::Audience => "token_audience",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::NotBound => "token_not_bound",
        }
    }
}

impl Claim {
    fn missing(self) -> &'static str {
        match self {
            Self::Iss => "token_iss_missing",
            Self::Sub => "token_sub_missing",
            Self::Aud => "token_aud_missing",
            Self::Exp => "token_exp_missing",
            Self::Nbf => "token_nbf_missing",
            Self::Iat => "token_iat_missing",
            Self::Jti => "token_jti_missing",
            Self::ClientId => "token_client_id_missing",
            Self::Scope => "token_scope_missing",
            Self::Cnf => "token_cnf_missing",
        }
    }

    fn malformed(self) -> &'static str {
        match self {
            Self::Iss => "token_iss_malformed",
            Self::Sub => "token_sub_malformed",
            Self::Aud => "token_aud_malformed",
            Self::Exp => "token_exp_malformed",
            Self::Nbf => "token_nbf_malformed",
            Self::Iat => "token_iat_malformed",
            Self::Jti => "token_jti_malformed",
            Self::ClientId => "token_client_id_malformed",
            Self::Scope => "token_scope_malformed",
            Self::Cnf => "token_cnf_malformed",
        }
    }
}

impl From<JsonFault> for TokenFault {
    fn from(fault: JsonFault) -> Self {
        match fault {
            JsonFault::Malformed | JsonFault::TooDeep => Self::MalformedJson,
            JsonFault::DuplicateMember => Self::DuplicateMember,
        }
    }
}

/// Verifies an access token as received, and says what it gives.
//= RFC 9068 section 4
//# Type, issuer, audience, signature and expiry must all hold, else the token is invalid.
pub fn verify(
    token: &[u8],
    issuers: &Issuers,
    now: UnixSeconds,
) -> Result<VerifiedToken, TokenFault> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenFault::TooLong);
    }
    let parts = Parts::of(token)?;
    let header = Header::read(&parts.header)?;
    let claims = json::object(&parts.claims)?;
    //= RFC 8725 section 3.8
    //# Issuer and key belong together: only the keys of the issuer that is named may verify.
    let issuer = issuers.named(text(&claims, "iss", Claim::Iss)?);
    let issuer = issuer.ok_or(TokenFault::IssuerUnknown)?;
    let key = issuer.pick(header.kid.as_deref(), header.algorithm)?;
    //= RFC 8725 section 3.3
    //# Unless the signature stands, nothing of the token is used.
    key.verify(parts.signed, &parts.signature)?;
    require_audience(&claims, issuer.audience())?;
    require_claims(&claims)?;
    let grant = grant(&claims)?;
    if now < grant.valid_from {
        return Err(TokenFault::NotYetValid);
    }
    if now > grant.valid_until {
        return Err(TokenFault::Expired);
    }
    let owned = |name, claim| text(&claims, name, claim).map(str::to_owned);
    Ok(VerifiedToken {
        issuer: issuer.issuer().to_owned(),
        jti: owned("jti", Claim::Jti)?,
        client_id: owned("client_id", Claim::ClientId)?,
        grant,
    })
}

/// The three parts of a JWS in compact serialization, decoded.
struct Parts<'t> {
    header: Vec<u8>,
    claims: Vec<u8>,
    signature: Vec<u8>,
    /// Header and claims as sent: what the signature is over.
    signed: &'t [u8],
}

impl<'t> Parts<'t> {
    //= RFC 7515 section 2
    //# Base64url has no padding, no line breaks and no white space; spare bits are zero.
    fn of(token: &'t [u8]) -> Result<Self, TokenFault> {
        let decode = |part: &[u8]| match part.is_empty() {
            true => Err(TokenFault::Malformed),
            false => URL_SAFE_NO_PAD
                .decode(part)
                .map_err(|_| TokenFault::Malformed),
        };
        let mut dots = memchr::memchr_iter(b'.', token);
        let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else {
            return Err(TokenFault::Malformed);
        };
        let part = |range: std::ops::Range<usize>| token.get(range).unwrap_or_default();
        Ok(Self {
            header: decode(part(0..first))?,
            claims: decode(part(first + 1..second))?,
            signature: decode(part(second + 1..token.len()))?,
            signed: part(0..second),
        })
    }
}

/// What of a JOSE header is heeded. `jku`, `jwk`, `x5u`, `x5c` and `x5t` are not: a token does not
/// bring its own key.
//= RFC 8725 section 3.10
//# No key, and no address of one, is taken from a token; kid is only a name to compare.
struct Header {
    algorithm: Algorithm,
    kid: Option<String>,
}

impl Header {
    fn read(header: &[u8]) -> Result<Self, TokenFault> {
        let header = json::object(header)?;
        let text = |name| match header.get(name) {
            None => Ok(None),
            Some(value) => value.as_str().map(Some).ok_or(TokenFault::HeaderMalformed),
        };
        //= RFC 8725 section 3.11
        //# A token says of which kind it is; another kind of JWT is not an access token.
        //= RFC 8725 section 3.12
        //# No other kind of JWT passes these rules, as no other has this type.
        let typ = text("typ")?.unwrap_or_default();
        if !["at+jwt", "application/at+jwt"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(typ))
        {
            return Err(TokenFault::Type);
        }
        //= RFC 7515 section 4.1.11
        //# A token with a critical extension that is not understood is invalid.
        if header.contains_key("crit")
            || !matches!(header.get("b64"), None | Some(Json::Bool(true)))
        {
            return Err(TokenFault::CritUnknown);
        }
        //= RFC 8725 section 3.6
        //# Nothing is decompressed.
        if header.contains_key("zip") {
            return Err(TokenFault::Compressed);
        }
        let algorithm = text("alg")?.and_then(Algorithm::from_name);
        let algorithm = algorithm.ok_or(TokenFault::AlgorithmRefused)?;
        Ok(Self {
            algorithm,
            kid: text("kid")?.map(str::to_owned),
        })
    }
}

/// A claim that must be there and be a non-empty string.
fn text<'c>(claims: &'c Object, name: &str, claim: Claim) -> Result<&'c str, TokenFault> {
    match claims.get(name) {
        None => Err(TokenFault::ClaimMissing(claim)),
        Some(Json::String(text)) if !text.is_empty() => Ok(text),
        Some(_) => Err(TokenFault::ClaimMalformed(claim)),
    }
}

//= RFC 8725 section 3.9
//# A token that is not meant for us is refused.
fn require_audience(claims: &Object, audience: &str) -> Result<(), TokenFault> {
    let named = match claims.get("aud") {
        None => return Err(TokenFault::ClaimMissing(Claim::Aud)),
        Some(Json::String(only)) => only == audience,
        Some(Json::Array(list)) if list.iter().all(|one| one.as_str().is_some()) => {
            list.iter().any(|one| one.as_str() == Some(audience))
        }
        Some(_) => return Err(TokenFault::ClaimMalformed(Claim::Aud)),
    };
    if named {
        Ok(())
    } else {
        Err(TokenFault::Audience)
    }
}

/// The claims that must be there although nothing here depends on their value; `exp`, `iat`, `aud`
/// and `iss` are required where they are read.
//= RFC 9068 section 2.2
//# iss, exp, aud, sub, client_id, iat and jti are required.
fn require_claims(claims: &Object) -> Result<(), TokenFault> {
    text(claims, "sub", Claim::Sub)?;
    text(claims, "client_id", Claim::ClientId)?;
    text(claims, "jti", Claim::Jti)?;
    Ok(())
}

fn grant(claims: &Object) -> Result<Grant, TokenFault> {
    let exp = date(claims, "exp", Claim::Exp)?.ok_or(TokenFault::ClaimMissing(Claim::Exp))?;
    let iat = date(claims, "iat", Claim::Iat)?.ok_or(TokenFault::ClaimMissing(Claim::Iat))?;
    let nbf = date(claims, "nbf", Claim::Nbf)?;
    // Our clock is cut to whole seconds. Where a date has a fraction, the bounds are cut so that
    // the leeway is never more than allowed.
    let begins = nbf.map_or(iat.ceil, |nbf| nbf.ceil.max(iat.ceil));
    Ok(Grant {
        thumbprint: thumbprint(claims)?,
        rights: match claims.get("scope") {
            None => Rights::NONE,
            Some(value) => {
                let malformed = TokenFault::ClaimMalformed(Claim::Scope);
                scope::rights(value.as_str().ok_or(malformed)?)?
            }
        },
        valid_from: UnixSeconds(begins.saturating_sub(LEEWAY_S)),
        // At exp itself a token is expired, hence the second before.
        valid_until: UnixSeconds(exp.floor.saturating_add(LEEWAY_S - 1)),
    })
}

/// A NumericDate between two whole seconds, or on one.
struct Date {
    floor: u64,
    ceil: u64,
}

//= RFC 7519 section 2
//# A NumericDate is a JSON number of seconds since 1970, and may have a fraction.
fn date(claims: &Object, name: &str, claim: Claim) -> Result<Option<Date>, TokenFault> {
    let malformed = Err(TokenFault::ClaimMalformed(claim));
    match claims.get(name) {
        None => Ok(None),
        Some(&Json::Unsigned(whole)) if whole <= NUMERIC_DATE_MAX => Ok(Some(Date {
            floor: whole,
            ceil: whole,
        })),
        // Below the bound every whole number is exact in an f64, and the casts cannot saturate.
        Some(&Json::Float(date)) if (0.0..=NUMERIC_DATE_MAX as f64).contains(&date) => {
            Ok(Some(Date {
                floor: date.floor() as u64,
                ceil: date.ceil() as u64,
            }))
        }
        Some(_) => malformed,
    }
}

//= RFC 8705 section 3.1
//# x5t#S256 in cnf is the base64url of the SHA-256 of the certificate, without padding.
fn thumbprint(claims: &Object) -> Result<Thumbprint, TokenFault> {
    let malformed = TokenFault::ClaimMalformed(Claim::Cnf);
    let Json::Object(cnf) = claims.get("cnf").ok_or(TokenFault::NotBound)? else {
        return Err(malformed);
    };
    let encoded = cnf
        .get("x5t#S256")
        .ok_or(TokenFault::NotBound)?
        .as_str()
        .ok_or(malformed)?;
    let digest = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| malformed)?;
    digest.try_into().map(Thumbprint).map_err(|_| malformed)
}
