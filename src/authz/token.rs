//! JWT access tokens (RFC 9068), signed (RFC 7515) and bound to a certificate (RFC 8705); and the
//! same claims where an issuer has sealed them ([`super::sealed`]).
//!
//! [`verify`] reads a token strictly, in this order: size, form, header, issuer, key, signature,
//! then the claims. Until the signature stands, only `iss` is looked at, and only to find the
//! issuer whose keys may verify it.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::details::{self, LimitedRights};
use super::issuers::{Custom, IssuerRules, Issuers, Profile};
use super::json::{self, Json, JsonFault, Object};
use super::keys::Algorithm;
use super::scope::{self, Rights};
use super::sealed::Sealing;
use crate::clock::UnixSeconds;
use crate::limits::{REVOKED_NAME_BYTES_MAX, TOKEN_BYTES_MAX};
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
    /// Of the only certificate that may use the token; none where it is bound to none, which only
    /// a client that is exempted by name may use.
    pub thumbprint: Option<Thumbprint>,
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
    /// What its issuer is called: its `iss`, but for CAPIF's.
    pub issuer: String,
    /// Of the key that verified it, where keys have names.
    pub key_id: Option<String>,
    /// What its issuer tells it apart by, where it does.
    pub jti: Option<String>,
    pub issued: Issued,
    /// From when it says that it was issued to its end it is longer than its issuer's tokens live.
    pub lives_too_long: bool,
    /// To be found among the clients, and to be the peer's.
    pub client_id: String,
    /// The last second of it by what it says, or its issuer of it: whatever is remembered of it for
    /// a shorter while, a revocation is kept until then.
    pub ends: UnixSeconds,
    pub grant: Grant,
    /// What it gives with some UEs, groups, event types or ports only, or of single operations,
    /// beside what the grant gives with anything.
    pub limited: Option<Arc<LimitedRights>>,
}

impl VerifiedToken {
    /// Whether it is valid at `now`.
    ///
    /// # Errors
    /// Why it is not.
    pub(super) fn timely(&self, now: UnixSeconds) -> Result<(), TokenFault> {
        let Grant {
            valid_from,
            valid_until,
            ..
        } = self.grant;
        match self.issued {
            _ if self.lives_too_long => Err(TokenFault::LivesTooLong),
            Issued::NotBefore(earliest) if earliest.0 > now.0.saturating_add(LEEWAY_S) => {
                Err(TokenFault::LivesTooLong)
            }
            _ if now < valid_from => Err(TokenFault::NotYetValid),
            _ if now > valid_until => Err(TokenFault::Expired),
            _ => Ok(()),
        }
    }
}

/// When a token was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issued {
    /// As it says itself, or its issuer of it.
    At(UnixSeconds),
    /// Neither says it. It was not before that: it would live longer than its issuer's tokens do.
    NotBefore(UnixSeconds),
}

impl Issued {
    /// Where it is said.
    pub fn at(self) -> Option<UnixSeconds> {
        match self {
            Self::At(at) => Some(at),
            Self::NotBefore(_) => None,
        }
    }

    /// The first second in which it may have been.
    pub fn earliest(self) -> UnixSeconds {
        match self {
            Self::At(at) | Self::NotBefore(at) => at,
        }
    }
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
    AuthorizationDetails,
}

/// Why a token is not taken. None of them holds a byte of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// Longer than [`TOKEN_BYTES_MAX`].
    TooLong,
    /// Not three non-empty parts in base64url, without padding and in its one spelling; or sealed,
    /// and not one such part that is long enough.
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
    /// No key of the issuer has been had yet.
    KeysUnknown,
    /// The same of one of the issuers that it may be of, and no key of the others verifies it.
    SomeKeysUnknown,
    /// The issuer has no key named so, or none is named and more than one would fit.
    KeyUnknown,
    /// The signature is not by the key, or what is sealed not under the secret.
    SignatureBad,
    ClaimMissing(Claim),
    ClaimMalformed(Claim),
    /// `aud` does not contain us.
    Audience,
    Expired,
    /// Before `nbf`, or `iat` lies in the future.
    NotYetValid,
    /// From `iat`, or now where it does not say that, to `exp` it is longer than a token of its
    /// issuer lives: it would outlive what is revoked.
    LivesTooLong,
    /// No certificate is named: it is bound to something else, or to nothing.
    NotBound,
    /// Its issuer, asked about it, says that it is not active.
    Inactive,
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
            Self::KeysUnknown | Self::SomeKeysUnknown => "token_keys_unknown",
            Self::KeyUnknown => "token_key_unknown",
            Self::SignatureBad => "token_signature_bad",
            Self::ClaimMissing(claim) => claim.missing(),
            Self::ClaimMalformed(claim) => claim.malformed(),
            Self::Audience => "token_audience",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::LivesTooLong => "token_lives_too_long",
            Self::NotBound => "token_not_bound",
            Self::Inactive => "token_inactive",
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
            Self::AuthorizationDetails => "token_authorization_details_missing",
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
            Self::AuthorizationDetails => "token_authorization_details_malformed",
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
///
/// # Errors
/// As of [`verify_untimed`], or it is not valid at `now`.
//= RFC 9068 section 4
//# Type, issuer, audience, signature and expiry must all hold, else the token is invalid.
pub fn verify(
    token: &[u8],
    issuers: &Issuers,
    now: UnixSeconds,
) -> Result<VerifiedToken, TokenFault> {
    let read = verify_untimed(token, issuers)?;
    read.timely(now)?;
    Ok(read)
}

/// The same, whenever it is valid: for who does not let it in.
///
/// # Errors
/// What is wrong with the token, else.
pub fn verify_untimed(token: &[u8], issuers: &Issuers) -> Result<VerifiedToken, TokenFault> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenFault::TooLong);
    }
    //= RFC 8725 section 3.12
    //# What is sealed is never read as signed, nor the other way round: their forms differ.
    match issuers.sealer_of(token) {
        Some((rules, sealing)) => sealed(token, rules, sealing),
        None => signed(token, issuers),
    }
}

fn signed(token: &[u8], issuers: &Issuers) -> Result<VerifiedToken, TokenFault> {
    let parts = Parts::of(token)?;
    let header = Header::read(&parts.header)?;
    let claims = json::object(&parts.claims)?;
    let iss = text(&claims, "iss", Claim::Iss)?;
    //= RFC 8725 section 3.3
    //# Unless the signature stands, nothing of the token is used.
    let verified = issuers.verify(iss, &header, parts.signed, &parts.signature);
    let (rules, key_id, until) = verified?;
    let mut read = read(&claims, rules, key_id, Spoken::Token)?;
    // What a key that has had its time still signs is nothing of its issuer's.
    read.grant.valid_until = read.grant.valid_until.min(until);
    Ok(read)
}

fn sealed(
    token: &[u8],
    rules: &IssuerRules,
    sealing: Option<&Sealing>,
) -> Result<VerifiedToken, TokenFault> {
    let (claims, kid) = sealing.ok_or(TokenFault::KeyUnknown)?.open(token)?;
    let claims = json::object(&claims)?;
    if text(&claims, "iss", Claim::Iss)? != rules.name() {
        return Err(TokenFault::IssuerUnknown);
    }
    read(&claims, rules, Some(kid.to_owned()), Spoken::Token)
}

/// The claims of a token, a JSON object, as they stand in it: to be shown, and nothing to go by
/// where it was not verified. None where they cannot be had.
pub fn claims(token: &[u8], issuers: &Issuers) -> Option<Vec<u8>> {
    match issuers.sealer_of(token) {
        Some((_, sealing)) => sealing?.open(token).ok().map(|(claims, _)| claims),
        None => Parts::of(token).ok().map(|parts| parts.claims),
    }
}

/// Whether one of these claims of a token is this name, as `iss` that of an issuer, and the token
/// says nothing of having ended by `now`. Nothing to go by where it is to be let in: anybody can
/// write it.
pub fn names(
    token: &[u8],
    claims: &[&str],
    name: &str,
    issuers: &Issuers,
    now: UnixSeconds,
) -> bool {
    if let Some((rules, _)) = issuers.sealer_of(token) {
        return rules.name() == name;
    }
    let named = claims;
    let claims = Parts::of(token).and_then(|parts| Ok(json::object(&parts.claims)?));
    claims.is_ok_and(|claims| {
        let is_over = |exp: Date| exp.floor.saturating_add(LEEWAY_S) <= now.0;
        let exp = date(&claims, "exp", Claim::Exp);
        let is_it = |claim: &&str| claims.get(*claim).and_then(Json::as_str) == Some(name);
        named.iter().any(is_it) && !exp.is_ok_and(|exp| exp.is_some_and(is_over))
    })
}

/// What an issuer has answered of an active token of its own, by the rules that its tokens have.
///
/// # Errors
/// As of [`verify`], of the claims.
pub(super) fn introspected(
    answer: &Object,
    issuer: &IssuerRules,
) -> Result<VerifiedToken, TokenFault> {
    // Whose answer it is is known from whom was asked. Where CAPIF's iss names the invoker, it is
    // read as such.
    let capif = matches!(issuer.profile(), Profile::Capif { .. });
    let iss = optional_text(answer, "iss", Claim::Iss)?;
    if iss.is_some_and(|iss| !capif && iss != issuer.name()) {
        return Err(TokenFault::IssuerUnknown);
    }
    read(answer, issuer, None, Spoken::Answer)
}

/// Who says what is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spoken {
    /// The token itself.
    Token,
    /// Its issuer, asked about it: RFC 7662 leaves out what tells tokens and subjects apart.
    Answer,
}

/// What the claims of an issuer's token say, by the profile of that issuer.
fn read(
    claims: &Object,
    issuer: &IssuerRules,
    key_id: Option<String>,
    spoken: Spoken,
) -> Result<VerifiedToken, TokenFault> {
    let jti = match issuer.profile() {
        Profile::Rfc9068 { audience } => {
            require_audience(claims, audience)?;
            match spoken {
                //= RFC 9068 section 2.2
                //# iss, exp, aud, sub, client_id, iat and jti are required.
                Spoken::Token => {
                    text(claims, "sub", Claim::Sub)?;
                    required(claims, "iat", Claim::Iat)?;
                    Some(text(claims, "jti", Claim::Jti)?)
                }
                Spoken::Answer => optional_text(claims, "jti", Claim::Jti)?,
            }
        }
        Profile::Capif { .. } => optional_text(claims, "jti", Claim::Jti)?,
        Profile::Custom(custom) => {
            require_audience(claims, &custom.audience)?;
            match &custom.jti {
                Some(name) => Some(text(claims, name, Claim::Jti)?),
                None => None,
            }
        }
    };
    // A token bounds what it says itself; an answer does not, and is kept beside the token.
    if spoken == Spoken::Answer && jti.is_some_and(|jti| jti.len() > REVOKED_NAME_BYTES_MAX) {
        return Err(TokenFault::ClaimMalformed(Claim::Jti));
    }
    let client_id = match issuer.profile() {
        Profile::Rfc9068 { .. } => text(claims, "client_id", Claim::ClientId)?,
        //= TS 33.122 clause C.2
        //# The API invoker is named in client_id.
        Profile::Capif { .. } => match optional_text(claims, "client_id", Claim::ClientId)? {
            Some(client_id) => client_id,
            None => text(claims, "iss", Claim::Iss)?,
        },
        Profile::Custom(custom) => text(claims, &custom.client_id, Claim::ClientId)?,
    };
    let rights = match issuer.profile() {
        Profile::Rfc9068 { .. } => scope_of(claims.get("scope"))?,
        Profile::Capif { aef_id } => capif_rights(claims, aef_id)?,
        Profile::Custom(custom) => custom_rights(claims, custom)?,
    };
    //= RFC 9396 section 9
    //# Details that stand in the token are enforced.
    let (rights, limited) = match claims.get("authorization_details") {
        Some(said) => details::given(said, rights)?,
        None => (rights, None),
    };
    let exp = required(claims, "exp", Claim::Exp)?;
    let iat = date(claims, "iat", Claim::Iat)?;
    let nbf = date(claims, "nbf", Claim::Nbf)?;
    let lifetime_s_max = issuer.lifetime_s_max();
    let (issued, lives_too_long) = match &iat {
        Some(iat) => {
            let lifetime_s = exp.floor.saturating_sub(iat.floor);
            let lives_too_long = lifetime_s > lifetime_s_max.saturating_add(LEEWAY_S);
            (Issued::At(UnixSeconds(iat.floor)), lives_too_long)
        }
        None => {
            let earliest = UnixSeconds(exp.floor.saturating_sub(lifetime_s_max));
            (Issued::NotBefore(earliest), false)
        }
    };
    // Our clock is cut to whole seconds. Where a date has a fraction, the bounds are cut so that
    // the leeway is never more than allowed.
    let begins = [&nbf, &iat].into_iter().flatten().map(|date| date.ceil);
    let begins = begins.max().unwrap_or_default();
    // At exp itself a token is expired, hence the second before.
    let ends = UnixSeconds(exp.floor.saturating_add(LEEWAY_S - 1));
    Ok(VerifiedToken {
        issuer: issuer.name().to_owned(),
        key_id,
        jti: jti.map(str::to_owned),
        issued,
        lives_too_long,
        client_id: client_id.to_owned(),
        ends,
        grant: Grant {
            thumbprint: thumbprint(claims)?,
            rights,
            valid_from: UnixSeconds(begins.saturating_sub(LEEWAY_S)),
            valid_until: ends,
        },
        limited,
    })
}

/// The three parts of a JWS in compact serialization, decoded.
pub(super) struct Parts<'t> {
    pub(super) header: Vec<u8>,
    pub(super) claims: Vec<u8>,
    pub(super) signature: Vec<u8>,
    /// Header and claims as sent: what the signature is over.
    pub(super) signed: &'t [u8],
}

impl<'t> Parts<'t> {
    //= RFC 7515 section 2
    //# Base64url has no padding, no line breaks and no white space; spare bits are zero.
    pub(super) fn of(token: &'t [u8]) -> Result<Self, TokenFault> {
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
pub(super) struct Header {
    pub algorithm: Algorithm,
    pub kid: Option<String>,
    /// Its `typ`, which not every profile demands.
    pub kind: Option<String>,
}

impl Header {
    pub(super) fn read(header: &[u8]) -> Result<Self, TokenFault> {
        let header = json::object(header)?;
        let text = |name| match header.get(name) {
            None => Ok(None),
            Some(value) => value.as_str().map(Some).ok_or(TokenFault::HeaderMalformed),
        };
        let kind = text("typ")?.map(str::to_owned);
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
            kind,
        })
    }
}

/// A claim that must be there and be a non-empty string.
pub(super) fn text<'c>(
    claims: &'c Object,
    name: &str,
    claim: Claim,
) -> Result<&'c str, TokenFault> {
    match claims.get(name) {
        None => Err(TokenFault::ClaimMissing(claim)),
        Some(Json::String(text)) if !text.is_empty() => Ok(text),
        Some(_) => Err(TokenFault::ClaimMalformed(claim)),
    }
}

//= RFC 8725 section 3.9
//# A token that is not meant for us is refused.
pub(super) fn require_audience(claims: &Object, audience: &str) -> Result<(), TokenFault> {
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

/// A claim that may be missing, and else is a non-empty string.
fn optional_text<'c>(
    claims: &'c Object,
    name: &str,
    claim: Claim,
) -> Result<Option<&'c str>, TokenFault> {
    match claims.contains_key(name) {
        true => text(claims, name, claim).map(Some),
        false => Ok(None),
    }
}

/// What a scope claim gives; nothing where there is none.
fn scope_of(scope: Option<&Json>) -> Result<Rights, TokenFault> {
    match scope {
        None => Ok(Rights::NONE),
        Some(Json::String(scope)) => scope::rights(scope),
        Some(_) => Err(TokenFault::ClaimMalformed(Claim::Scope)),
    }
}

/// The same of a claim that an issuer calls as it likes, and may write as a list.
fn custom_rights(claims: &Object, custom: &Custom) -> Result<Rights, TokenFault> {
    let malformed = TokenFault::ClaimMalformed(Claim::Scope);
    let Some(Json::Array(list)) = claims.get(&custom.scope) else {
        return scope_of(claims.get(&custom.scope));
    };
    let mut rights = Rights::NONE;
    for value in list {
        let value = value.as_str().filter(|value| !value.contains(' '));
        rights = rights.and(scope::rights(value.ok_or(malformed)?)?);
    }
    Ok(rights)
}

/// What a token of CAPIF gives at this AEF.
fn capif_rights(claims: &Object, aef_id: &str) -> Result<Rights, TokenFault> {
    let scope = text(claims, "scope", Claim::Scope)?;
    //= TS 33.122 clause 6.5.2.3
    //# The AEF takes a token that is for it and for the API that is called.
    let rights = scope::capif_rights(scope, aef_id)?.ok_or(TokenFault::Audience)?;
    // A resource owner has allowed what is asked of its own resources, and no request is held to
    // whose they are: it gives nothing.
    Ok(match claims.contains_key("resOwnerId") {
        true => Rights::NONE,
        false => rights,
    })
}

fn required(claims: &Object, name: &str, claim: Claim) -> Result<Date, TokenFault> {
    date(claims, name, claim)?.ok_or(TokenFault::ClaimMissing(claim))
}

/// A NumericDate between two whole seconds, or on one.
pub(super) struct Date {
    pub(super) floor: u64,
    pub(super) ceil: u64,
}

//= RFC 7519 section 2
//# A NumericDate is a JSON number of seconds since 1970, and may have a fraction.
pub(super) fn date(claims: &Object, name: &str, claim: Claim) -> Result<Option<Date>, TokenFault> {
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

/// Of the certificate that a token is bound to; none where it is bound to nothing.
//= RFC 8705 section 3.1
//# x5t#S256 in cnf is the base64url of the SHA-256 of the certificate, without padding.
fn thumbprint(claims: &Object) -> Result<Option<Thumbprint>, TokenFault> {
    let malformed = TokenFault::ClaimMalformed(Claim::Cnf);
    let cnf = match claims.get("cnf") {
        None => return Ok(None),
        Some(Json::Object(cnf)) => cnf,
        Some(_) => return Err(malformed),
    };
    // What is bound to something else, as to a key that signs requests, is not as good as unbound:
    // whoever holds it has to prove what is not looked at here.
    let encoded = cnf.get("x5t#S256").ok_or(TokenFault::NotBound)?;
    let encoded = encoded.as_str().ok_or(malformed)?;
    let digest = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| malformed)?;
    let digest = digest.try_into().map_err(|_| malformed)?;
    Ok(Some(Thumbprint(digest)))
}
