//! The issuers whose tokens are taken: how the tokens of each are read, and by which keys they are
//! verified.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwapOption;

use super::keys::Keys;
use super::sealed::Sealing;
use super::token::{Header, TokenFault};
use crate::clock::UnixSeconds;

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
        })
    }

    /// Of keys that are to be fetched still.
    pub fn unknown() -> Arc<Self> {
        Arc::new(Self {
            keys: ArcSwapOption::empty(),
            missed: AtomicBool::new(false),
            epoch: AtomicU64::new(0),
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
    /// What opens those of its tokens that are sealed, where it seals any.
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
            sealing: None,
        })
    }

    /// The same issuer, of which some tokens are sealed.
    pub fn sealing(self, sealing: Option<Arc<Sealing>>) -> Self {
        Self { sealing, ..self }
    }

    /// The `iss` value of its tokens; of CAPIF, what the operator calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How its tokens are read.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Its keys.
    pub fn keys(&self) -> &Arc<KeySet> {
        &self.keys
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
        others.find(|other| other.keys.keys().is_some_and(|held| held.share_with(keys)))
    }

    fn same_as(&self, other: &Self) -> bool {
        let sealed_alike = match (&self.sealing, &other.sealing) {
            (Some(own), Some(others)) => own.same_as(others),
            (None, None) => true,
            _ => false,
        };
        sealed_alike
            && self.name == other.name
            && self.profile == other.profile
            && self.keys.same_as(&other.keys)
    }
}

/// All issuers whose tokens are taken.
#[derive(Debug)]
pub struct Issuers(Vec<IssuerRules>);

impl Issuers {
    /// Refuses none at all, two with one name, because a token must have one set of rules, and
    /// two of different profiles with one key.
    pub fn new(issuers: Vec<IssuerRules>) -> Result<Self, String> {
        if issuers.is_empty() {
            return Err("no issuer: no token could be taken; add one".to_owned());
        }
        for (place, rules) in issuers.iter().enumerate() {
            let mut before = issuers.iter().take(place);
            if before.any(|other| other.name == rules.name) {
                return Err(format!(
                    "issuer {:?} stands twice: merge their keys",
                    rules.name
                ));
            }
        }
        let issuers = Self(issuers);
        issuers.refuse_capif_with_one_key()?;
        for rules in &issuers.0 {
            if let Some(keys) = rules.keys.keys()
                && let Some(other) = rules.other_profile_with(&keys, &issuers.0)
            {
                let (own, profile) = (&rules.name, other.profile.word());
                return Err(format!(
                    "issuer {own:?} has a key of {:?}, whose profile is {profile}: a key that \
                     verifies tokens of one profile must not verify those of another; give one \
                     of them a key of its own",
                    other.name
                ));
            }
        }
        Ok(issuers)
    }

    /// Their tokens do not say whose they are: it is the key that does.
    fn refuse_capif_with_one_key(&self) -> Result<(), String> {
        let capif = || self.0.iter().filter(|rules| rules.is_capif());
        for (place, rules) in capif().enumerate() {
            let keys = rules.keys.keys();
            let has_one = |other: &&IssuerRules| {
                let (own, others) = (keys.as_ref(), other.keys.keys());
                own.zip(others)
                    .is_some_and(|(own, others)| own.share_with(&others))
            };
            if let Some(other) = capif().take(place).find(has_one) {
                return Err(format!(
                    "issuer {:?} has a key of {:?}, and tokens of CAPIF are told apart by their \
                     keys alone; give one of them a key of its own",
                    rules.name, other.name
                ));
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

    /// Whether a token says that one of these issuers has sealed it.
    pub fn have_sealed(&self, token: &[u8]) -> bool {
        self.sealer_of(token).is_some()
    }

    /// What the secret is called that opens a sealed token; none where none of theirs does.
    pub fn sealed_by(&self, token: &[u8]) -> Option<&str> {
        let (_, sealing) = self.sealer_of(token)?;
        sealing.open(token).ok().map(|(_, kid)| kid)
    }

    /// The issuer that a token says it is sealed by, and what opens it.
    pub(super) fn sealer_of(&self, token: &[u8]) -> Option<(&IssuerRules, &Sealing)> {
        let sealers = self.0.iter();
        let mut sealers = sealers.filter_map(|rules| Some((rules, rules.sealing.as_deref()?)));
        sealers.find(|(_, sealing)| sealing.is_of(token))
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
    ) -> Result<(&IssuerRules, Option<String>, UnixSeconds), TokenFault> {
        let named = |rules: &&IssuerRules| !rules.is_capif() && rules.name == iss;
        let rules = match self.0.iter().find(named) {
            Some(rules) if !rules.profile.takes_type(header.kind.as_deref()) => {
                return Err(TokenFault::Type);
            }
            Some(rules) => rules,
            None => self.capif_with_key_of(header)?,
        };
        let keys = rules.keys.keys.load();
        let Some(keys) = keys.as_ref() else {
            rules.keys.miss();
            return Err(TokenFault::KeysUnknown);
        };
        let picked = keys.pick(header.kid.as_deref(), header.algorithm);
        if let (Err(TokenFault::KeyUnknown), Some(_)) = (&picked, &header.kid) {
            rules.keys.miss();
        }
        let picked = picked?;
        picked.verify(signed, signature)?;
        Ok((rules, picked.id().map(str::to_owned), picked.until()))
    }

    /// The CAPIF core whose key a token's header means: its tokens do not say whose they are. Of
    /// several, exactly one may have such a key.
    //= TS 29.222 clause 8.5.4.2.8
    //# The iss claim is the invoker's identifier, and names no issuer.
    fn capif_with_key_of(&self, header: &Header) -> Result<&IssuerRules, TokenFault> {
        let fits = |rules: &&IssuerRules| {
            rules.is_capif() && rules.profile.takes_type(header.kind.as_deref())
        };
        let (mut found, mut unknown, mut refused) = (None, false, TokenFault::IssuerUnknown);
        for rules in self.0.iter().filter(fits) {
            let Some(keys) = rules.keys.keys() else {
                rules.keys.miss();
                unknown = true;
                continue;
            };
            match keys.pick(header.kid.as_deref(), header.algorithm) {
                Ok(_) if found.is_some() => return Err(TokenFault::KeyUnknown),
                Ok(_) => found = Some(rules),
                Err(fault) => refused = fault,
            }
        }
        match found {
            Some(rules) => Ok(rules),
            None if unknown => Err(TokenFault::KeysUnknown),
            None => {
                if header.kid.is_some() && refused == TokenFault::KeyUnknown {
                    let missed = self.0.iter().filter(fits);
                    missed.for_each(|rules| rules.keys.miss());
                }
                Err(refused)
            }
        }
    }
}
