//! The issuers whose tokens are taken: how the tokens of each are read, and by which keys they are
//! verified.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use super::keys::{Keys, PickedKey};
use super::sealed::{self, Sealing};
use super::token::{Header, TokenFault};
use crate::clock::UnixSeconds;
use crate::limits::ISSUER_TOKEN_LIFETIME_S_MAX;

#[cfg(test)]
mod tests;

/// How an issuer's tokens are read. They exclude each other: each has its own type of token, or its
/// own issuers and keys.
//= RFC 8725 section 3.12
//# No token passes the rules of two kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Profile {
    /// RFC 9068, strictly.
    Rfc9068 {
        /// What `aud` must contain.
        audience: String,
    },
    /// TS 33.122 Annex C and TS 29.222: the invoker is in `client_id`, or in `iss`.
    Capif {
        /// What this gateway is called in the scope of its tokens.
        aef_id: String,
    },
    /// As somebody's issuer happens to write them.
    Custom(Custom),
}

/// The names under which an issuer writes what is needed. What RFC 9068 demands else, but for
/// `sub`, `iat` and `jti`, is demanded of its tokens as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Custom {
    /// What `aud` must contain.
    pub audience: String,
    /// What `typ` must be, in any case; none: it must not be there.
    pub kind: Option<String>,
    /// The claim with the client's identifier.
    pub client_id: String,
    /// The claim with the scope: one text, or a list of them.
    pub scope: String,
    /// The claim that tells the issuer's tokens apart, where there is one.
    pub jti: Option<String>,
}

impl Profile {
    /// As the configuration writes it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Rfc9068 { .. } => "rfc9068",
            Self::Capif { .. } => "capif",
            Self::Custom(_) => "custom",
        }
    }

    /// Whether a token that says this of its type may be one of these.
    //= RFC 8725 section 3.11
    //# A token says of which kind it is; another kind of JWT is not an access token.
    fn takes_type(&self, kind: Option<&str>) -> bool {
        // RFC 7515 section 4.1.9 lets the prefix be left out.
        let is = |expected: &str| {
            let kind = kind.unwrap_or_default();
            let bare = match kind.split_at_checked("application/".len()) {
                Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
                _ => kind,
            };
            bare.eq_ignore_ascii_case(expected)
        };
        match self {
            Self::Rfc9068 { .. } => is("at+jwt"),
            // TS 33.122 says nothing of it.
            Self::Capif { .. } => kind.is_none() || is("JWT"),
            Self::Custom(custom) => match &custom.kind {
                Some(expected) => is(expected),
                None => kind.is_none(),
            },
        }
    }
}

/// The keys of one issuer, as they are known now. What fetches them puts others in their place
/// while tokens are verified by them.
pub struct KeySet {
    /// None: they have not been had yet.
    keys: ArcSwapOption<Keys>,
    /// A token has named a key that is not among them.
    missed: AtomicBool,
    /// How often one of them has gone.
    epoch: AtomicU64,
    /// Its issuer says which they are, and no operator has looked at them.
    published: bool,
}

/// What is known of them.
impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeySet").field(&*self.keys.load()).finish()
    }
}

impl KeySet {
    /// Of these keys.
    pub fn of(keys: Keys) -> Arc<Self> {
        Arc::new(Self {
            keys: ArcSwapOption::from_pointee(keys),
            missed: AtomicBool::new(false),
            epoch: AtomicU64::new(0),
            published: false,
        })
    }

    /// Of keys that are to be fetched still.
    pub fn unknown() -> Arc<Self> {
        Arc::new(Self {
            keys: ArcSwapOption::empty(),
            missed: AtomicBool::new(false),
            epoch: AtomicU64::new(0),
            published: true,
        })
    }

    /// The keys, where they are known.
    pub fn keys(&self) -> Option<Arc<Keys>> {
        self.keys.load_full()
    }

    /// Verifies by these keys from now on; by none where there are none. Whether one of those
    /// before has gone: what it has verified is to be verified anew then, as the epoch says.
    pub fn replace(&self, keys: Option<Keys>) -> bool {
        let gone = match (&*self.keys.load(), &keys) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(before), Some(keys)) => before.lack_in(keys),
        };
        self.keys.store(keys.map(Arc::new));
        // Behind the keys: whoever sees this number verifies by them.
        self.epoch.fetch_add(u64::from(gone), Ordering::Release);
        gone
    }

    /// Whether a token has named a key that is not among them since the last call.
    pub fn take_missed(&self) -> bool {
        self.missed.swap(false, Ordering::Relaxed)
    }

    /// Notes that a token did.
    fn miss(&self) {
        // Whoever sends such tokens by the thousand is not to have every CPU write here.
        if !self.missed.load(Ordering::Relaxed) {
            self.missed.store(true, Ordering::Relaxed);
        }
    }

    fn same_as(&self, other: &Self) -> bool {
        match (&*self.keys.load(), &*other.keys.load()) {
            (Some(own), Some(others)) => own.same_as(others),
            (None, None) => true,
            _ => false,
        }
    }
}

/// One issuer.
#[derive(Debug)]
pub struct IssuerRules {
    name: String,
    profile: Profile,
    keys: Arc<KeySet>,
    /// How long a token of it lives at most, in seconds.
    lifetime_s_max: u64,
    /// Each of its tokens has an `iat`, whatever its profile demands.
    dated: bool,
    /// How sealed tokens of the embedded issuer begin; none of another issuer.
    mark: Option<String>,
    /// What opens those, where there is a secret.
    sealing: Option<Arc<Sealing>>,
}

impl IssuerRules {
    /// The issuer whose tokens name it so in `iss`; of CAPIF, where that names the invoker, what
    /// the operator calls it.
    ///
    /// # Errors
    /// In words: something that tokens have to say is empty.
    pub fn new(name: String, profile: Profile, keys: Arc<KeySet>) -> Result<Self, String> {
        let said = match &profile {
            Profile::Rfc9068 { audience } => audience,
            Profile::Capif { aef_id } => aef_id,
            Profile::Custom(custom) => &custom.audience,
        };
        if name.is_empty() || said.is_empty() {
            return Err("issuer, or its audience, is empty: name both".to_owned());
        }
        Ok(Self {
            name,
            profile,
            keys,
            lifetime_s_max: ISSUER_TOKEN_LIFETIME_S_MAX,
            dated: false,
            mark: None,
            sealing: None,
        })
    }

    /// The same, of an issuer whose tokens say when they were issued though they need not.
    pub fn dated(self) -> Self {
        Self {
            dated: true,
            ..self
        }
    }

    /// The same, of an issuer whose tokens live so long at most.
    pub fn living_at_most(self, lifetime: Duration) -> Self {
        Self {
            lifetime_s_max: lifetime.as_secs(),
            ..self
        }
    }

    /// The same as the embedded issuer. Its sealed tokens are its own whether there is a secret
    /// now or not: other nodes may have one, and nobody else is to be shown them.
    pub fn own(self, sealing: Option<Arc<Sealing>>) -> Self {
        Self {
            mark: Some(sealed::mark(&self.name)),
            sealing,
            ..self
        }
    }

    /// The `iss` value of its tokens; of CAPIF, what the operator calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How its tokens are read.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// How long a token of it lives at most, in seconds.
    pub fn lifetime_s_max(&self) -> u64 {
        self.lifetime_s_max
    }

    /// Its keys.
    pub fn keys(&self) -> &Arc<KeySet> {
        &self.keys
    }

    /// What its keys are called that are known now, and its secrets where it seals; empty for a key
    /// without a name.
    pub fn key_names(&self) -> Vec<String> {
        let keys = self.keys.keys();
        let keys = { keys.iter() }.flat_map(|keys| keys.names().map(str::to_owned));
        let sealing = { self.sealing.iter() }.flat_map(|sealing| sealing.kids());
        keys.chain(sealing.map(str::to_owned)).collect()
    }

    /// Whether each of its tokens has an `iat`.
    fn says_when_issued(&self) -> bool {
        self.dated || matches!(self.profile, Profile::Rfc9068 { .. })
    }

    fn is_capif(&self) -> bool {
        matches!(self.profile, Profile::Capif { .. })
    }

    /// An issuer of another profile that has one of these keys, which are to be this one's.
    pub fn other_profile_with<'i>(
        &self,
        keys: &Keys,
        all: impl IntoIterator<Item = &'i Self>,
    ) -> Option<&'i Self> {
        let others = all.into_iter();
        let mut others = others.filter(|other| other.profile.word() != self.profile.word());
        others.find(|other| other.has_one_of(keys))
    }

    /// Another core that has one of these keys, which are to be this core's; none where this is no
    /// core.
    pub fn other_core_with<'i>(
        &self,
        keys: &Keys,
        all: impl IntoIterator<Item = &'i Self>,
    ) -> Option<&'i Self> {
        let is_other = |other: &&Self| {
            self.is_capif() && other.is_capif() && other.name != self.name && other.has_one_of(keys)
        };
        all.into_iter().find(is_other)
    }

    fn has_one_of(&self, keys: &Keys) -> bool {
        self.keys.keys().is_some_and(|held| held.share_with(keys))
    }

    fn same_as(&self, other: &Self) -> bool {
        let sealed_alike = match (&self.sealing, &other.sealing) {
            (Some(own), Some(others)) => own.same_as(others),
            (None, None) => true,
            _ => false,
        };
        sealed_alike
            && self.mark == other.mark
            && self.name == other.name
            && self.profile == other.profile
            && self.lifetime_s_max == other.lifetime_s_max
            && self.keys.same_as(&other.keys)
    }
}

/// Why tokens cannot be taken of all issuers as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnfitIssuers {
    /// The place among them of the one that it is about; none: of all.
    pub place: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub cure: &'static str,
}

/// All issuers whose tokens are taken.
#[derive(Debug)]
pub struct Issuers(Vec<IssuerRules>);

impl Issuers {
    /// Refuses none at all, two with one name, because a token must have one set of rules, and
    /// two of different profiles with one key, where the operator has given both. What issuers
    /// publish is no fault of the operator's: there such a key is passed over as it is used.
    pub fn new(issuers: Vec<IssuerRules>) -> Result<Self, UnfitIssuers> {
        if issuers.is_empty() {
            return Err(UnfitIssuers {
                place: None,
                what: "there is none: no token could be taken".to_owned(),
                cure: "add one",
            });
        }
        for (place, rules) in issuers.iter().enumerate() {
            let mut before = issuers.iter().take(place);
            if before.any(|other| other.name == rules.name) {
                return Err(UnfitIssuers {
                    place: Some(place),
                    what: format!("{:?} stands twice", rules.name),
                    cure: "merge their keys",
                });
            }
        }
        let issuers = Self(issuers);
        issuers.refuse_capif_with_one_key()?;
        for (place, rules) in issuers.0.iter().enumerate() {
            let given = issuers.0.iter().filter(|other| !other.keys.published);
            if !rules.keys.published
                && let Some(keys) = rules.keys.keys()
                && let Some(other) = rules.other_profile_with(&keys, given)
            {
                let (own, profile) = (&rules.name, other.profile.word());
                return Err(UnfitIssuers {
                    place: Some(place),
                    what: format!(
                        "{own:?} has a key of {:?}, whose profile is {profile}",
                        other.name
                    ),
                    cure: "give one of them a key of its own: a key that verifies tokens of one \
                           profile must not verify those of another",
                });
            }
        }
        Ok(issuers)
    }

    /// Their tokens do not say whose they are: it is the key that does. Of what cores publish it is
    /// found out as it is used: one that copies another's key stands in no reload's way.
    fn refuse_capif_with_one_key(&self) -> Result<(), UnfitIssuers> {
        let given = |rules: &IssuerRules| rules.is_capif() && !rules.keys.published;
        let capif = || self.0.iter().enumerate().filter(|(_, rules)| given(rules));
        for (place, rules) in capif() {
            let keys = rules.keys.keys();
            let has_one = |(at, other): &(usize, &IssuerRules)| {
                let (own, others) = (keys.as_ref(), other.keys.keys());
                let share = own.zip(others);
                *at < place && share.is_some_and(|(own, others)| own.share_with(&others))
            };
            if let Some((_, other)) = capif().find(has_one) {
                return Err(UnfitIssuers {
                    place: Some(place),
                    what: format!("{:?} has a key of {:?}", rules.name, other.name),
                    cure: "give one of them a key of its own: tokens of CAPIF are told apart by \
                           their keys alone",
                });
            }
        }
        Ok(())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &IssuerRules> {
        self.0.iter()
    }

    /// How often a key of theirs has gone: what was verified at another number may be verified no
    /// more.
    pub fn epoch(&self) -> u64 {
        let epochs = self
            .0
            .iter()
            .map(|rules| rules.keys.epoch.load(Ordering::Acquire));
        epochs.fold(0, u64::wrapping_add)
    }

    /// Whether these take the same tokens as others: all issuers, profiles and keys are the same.
    pub fn same_as(&self, others: &Self) -> bool {
        let pairs = || self.0.iter().zip(&others.0);
        self.0.len() == others.0.len() && pairs().all(|(own, other)| own.same_as(other))
    }

    /// How long those tokens live at most, in seconds, that need not say when they were issued; of
    /// those that are asked about it is `asked`'s, where some are.
    pub fn undated_lifetime_s_max(&self, asked: Option<&IssuerRules>) -> u64 {
        let undated = self.0.iter().filter(|rules| !rules.says_when_issued());
        let all = undated.chain(asked).map(IssuerRules::lifetime_s_max);
        all.max().unwrap_or_default()
    }

    /// Whether a token says that one of these issuers has sealed it.
    pub fn have_sealed(&self, token: &[u8]) -> bool {
        self.sealer_of(token).is_some()
    }

    /// What the secret is called that opens a sealed token; none where none of theirs does.
    pub fn sealed_by(&self, token: &[u8]) -> Option<&str> {
        let (_, sealing) = self.sealer_of(token)?;
        sealing?.open(token).ok().map(|(_, kid)| kid)
    }

    /// The issuer that a token says it is sealed by, and what opens it, where there is a secret.
    pub(super) fn sealer_of(&self, token: &[u8]) -> Option<(&IssuerRules, Option<&Sealing>)> {
        let marked = |rules: &&IssuerRules| {
            { rules.mark.as_ref() }.is_some_and(|mark| token.starts_with(mark.as_bytes()))
        };
        let rules = self.0.iter().find(marked)?;
        Some((rules, rules.sealing.as_deref()))
    }

    /// Verifies a token's signature by a key of the issuer it is of, and by no other: gives that
    /// issuer, what the key is called, and the last second of whatever it verifies.
    ///
    /// # Errors
    /// There is no such issuer or key, or the signature is not by it.
    //= RFC 8725 section 3.8
    //# Issuer and key belong together: only the keys of the issuer that is named may verify.
    pub(super) fn verify(
        &self,
        iss: &str,
        header: &Header,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<Verified<'_>, TokenFault> {
        let signature = Signature {
            header,
            signed,
            signature,
        };
        let named = |rules: &&IssuerRules| !rules.is_capif() && rules.name == iss;
        match self.0.iter().find(named) {
            Some(rules) if !rules.profile.takes_type(header.kind.as_deref()) => {
                Err(TokenFault::Type)
            }
            Some(rules) => {
                let verified = rules.verify(&signature, |_| true);
                if rules.lacks_key(&verified, header) {
                    rules.keys.miss();
                }
                verified
            }
            None => self.verify_as_capif(&signature),
        }
    }

    /// The CAPIF core by whose key a token is signed: its tokens do not say whose they are. Cores
    /// may call their keys alike, so each is tried; by exactly one it must be.
    //= TS 29.222 clause 8.5.4.2.8
    //# The iss claim is the invoker's identifier, and names no issuer.
    fn verify_as_capif(&self, signature: &Signature<'_>) -> Result<Verified<'_>, TokenFault> {
        let header = signature.header;
        let fits = |rules: &&IssuerRules| {
            rules.is_capif() && rules.profile.takes_type(header.kind.as_deref())
        };
        let (mut found, mut missed) = (None, Vec::new());
        let (mut unknown, mut refused) = (false, TokenFault::IssuerUnknown);
        for rules in self.0.iter().filter(fits) {
            let verified = rules.verify(signature, |key| self.may_verify(rules, key));
            if rules.lacks_key(&verified, header) {
                missed.push(rules);
            }
            match verified {
                Ok(_) if found.is_some() => return Err(TokenFault::KeyUnknown),
                Ok(verified) => found = Some(verified),
                Err(TokenFault::KeysUnknown) => unknown = true,
                // That it is not by a key which was there says most.
                Err(_) if refused == TokenFault::SignatureBad => {}
                Err(fault) => refused = fault,
            }
        }
        if let Some(found) = found {
            return Ok(found);
        }
        missed.iter().for_each(|rules| rules.keys.miss());
        Err(match (unknown, refused) {
            (true, TokenFault::SignatureBad) => TokenFault::SomeKeysUnknown,
            (true, _) => TokenFault::KeysUnknown,
            (false, refused) => refused,
        })
    }

    /// Whether a core's key may verify its tokens. What a core publishes must not be a key by which
    /// others sign: their tokens name them, and would pass for the core's where they do not. The
    /// others keep it, whoever has published it first: by it they verify what names them alone. Nor
    /// may it be one that the operator has given another core: a copy of it is known to be one.
    //= RFC 8725 section 3.12
    //# A key of two profiles verifies tokens of one.
    fn may_verify(&self, core: &IssuerRules, key: &PickedKey<'_>) -> bool {
        let holds = |other: &IssuerRules| {
            let keys = other.keys.keys.load();
            (!other.is_capif() || !other.keys.published)
                && keys.as_ref().is_some_and(|keys| keys.hold(key))
        };
        !core.keys.published || !self.0.iter().any(holds)
    }
}

/// The issuer of a token, what the key is called that verifies it, and the last second of whatever
/// that verifies.
type Verified<'i> = (&'i IssuerRules, Option<String>, UnixSeconds);

/// What is to be verified.
struct Signature<'t> {
    header: &'t Header,
    signed: &'t [u8],
    signature: &'t [u8],
}

impl IssuerRules {
    /// By the key that the header means, if that `may`.
    fn verify(
        &self,
        token: &Signature<'_>,
        may: impl FnOnce(&PickedKey<'_>) -> bool,
    ) -> Result<Verified<'_>, TokenFault> {
        let keys = self.keys.keys.load();
        let keys = keys.as_ref().ok_or(TokenFault::KeysUnknown)?;
        let picked = keys.pick(token.header.kid.as_deref(), token.header.algorithm)?;
        if !may(&picked) {
            return Err(TokenFault::KeyUnknown);
        }
        picked.verify(token.signed, token.signature)?;
        Ok((self, picked.id().map(str::to_owned), picked.until()))
    }

    /// Whether a look at the issuer's keys may find the one that the header means.
    fn lacks_key(&self, verified: &Result<Verified<'_>, TokenFault>, header: &Header) -> bool {
        match verified {
            Err(TokenFault::KeysUnknown) => true,
            Err(TokenFault::KeyUnknown) => header.kid.is_some(),
            _ => false,
        }
    }
}
