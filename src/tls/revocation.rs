//! Revocation of clients' certificates by CRLs (RFC 5280 section 5), without I/O.
//!
//! Which lists there are is the operator's to say: a certificate's own word on where its list is
//! to be had is never followed. A list is read and verified once, off the path of connections, and
//! what stays of it is one sorted array of serial numbers. What is looked up is the whole path of a
//! client's certificate up to, and without, the trust anchor.
//!
//! A list belongs to an issuer, which is a name and a key together: two CAs of one name, of two
//! partners or before and after a change of keys, never speak for one another.

mod crl;
mod judge;
mod pem;
mod serials;
mod window;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use x509_parser::prelude::{FromDer as _, X509Certificate, X509Name};

pub use crl::Crl;
pub use judge::{Policy, Revocation, Rules};
pub use serials::Reason;

use super::{der, leaf};
use crate::clock::UnixSeconds;
use crate::limits::CRL_EARLY_S_MAX;

/// Who issued a certificate: SHA-256 over name and public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssuerId([u8; 32]);

impl IssuerId {
    /// Of the certificates that this CA issues.
    pub(super) fn of_ca(ca: &X509Certificate<'_>) -> Option<Self> {
        let name = der::only(ca.subject().as_raw(), der::SEQUENCE)?;
        Some(Self::of(name, ca.public_key().raw))
    }

    /// For where rooms above are not known.
    pub(super) fn octets(self) -> [u8; 32] {
        self.0
    }

    /// Of [`Self::octets`].
    pub(super) fn of_octets(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// Of the content octets of a name, and a whole SubjectPublicKeyInfo.
    fn of(name: &[u8], spki: &[u8]) -> Self {
        let mut hash = Context::new(&SHA256);
        // Length first, so that the two never run into one another.
        hash.update(&(name.len() as u64).to_be_bytes());
        hash.update(name);
        hash.update(spki);
        let hash = hash.finish();
        Self(hash.as_ref().try_into().expect("SHA-256 has 32 octets"))
    }
}

/// A CA whose lists are taken.
#[derive(Clone, PartialEq, Eq)]
pub struct CrlIssuer {
    id: IssuerId,
    /// Content octets.
    name: Vec<u8>,
    spki: Vec<u8>,
    may_sign_crls: bool,
}

impl CrlIssuer {
    /// From the CA's certificate. None where it is no X.509 certificate.
    pub fn read(der: &[u8]) -> Option<Self> {
        let certificate = leaf::parsed(der)?;
        let name = der::only(certificate.subject().as_raw(), der::SEQUENCE)?.to_vec();
        let spki = certificate.public_key().raw.to_vec();
        let usage = certificate.key_usage().ok()?;
        Some(Self {
            id: IssuerId::of_ca(&certificate)?,
            name,
            spki,
            may_sign_crls: usage.is_none_or(|usage| usage.value.crl_sign()),
        })
    }

    /// What its certificates and its lists have in common.
    pub fn id(&self) -> IssuerId {
        self.id
    }

    /// Its name, for people.
    pub fn called(&self) -> String {
        let name = der::made(der::SEQUENCE, &[&self.name]);
        let name = X509Name::from_der(&name).map(|(_, name)| name.to_string());
        name.unwrap_or_default()
    }
}

/// Why a list is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CrlFault {
    /// The file or the transfer ended in an error.
    Unreadable,
    /// No regular file stands where it should be.
    NotRegular,
    /// Neither the DER nor the PEM of a CRL.
    Encoding,
    /// More octets than are read, in all or in one entry.
    TooLong,
    /// Not of version 2.
    Version,
    /// Signed with an algorithm that is not taken, or with two that differ.
    Algorithm,
    /// No configured CA has its issuer's name.
    UnknownIssuer,
    /// The CAs of that name have not signed it.
    Signature,
    /// Its CA's certificate does not allow it to sign lists.
    NoCrlSign,
    /// It does not say when the next one comes.
    NoNextUpdate,
    /// It has no CRL number.
    NoNumber,
    /// A critical extension that is not known here.
    CriticalExtension,
    /// It speaks of certificates of other issuers.
    Indirect,
    /// It speaks of a part of its issuer's certificates only.
    Partial,
    /// A serial number without octets, or with more than 32.
    Serial,
    /// A complete list has an entry that only a delta may have.
    RemovesFromComplete,
    /// Older than the one in use.
    NumberWentBack,
    /// A delta to a complete list that is not the one in use.
    DeltaWithoutBase,
    /// It has not begun, and the one in use has.
    NotYetValid,
    /// It has ended, and the one in use has not.
    Ended,
}

impl CrlFault {
    /// The word for logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::NotRegular => "not_regular",
            Self::Encoding => "encoding",
            Self::TooLong => "too_long",
            Self::Version => "version",
            Self::Algorithm => "algorithm",
            Self::UnknownIssuer => "unknown_issuer",
            Self::Signature => "signature",
            Self::NoCrlSign => "no_crl_sign",
            Self::NoNextUpdate => "no_next_update",
            Self::NoNumber => "no_number",
            Self::CriticalExtension => "critical_extension",
            Self::Indirect => "indirect",
            Self::Partial => "partial",
            Self::Serial => "serial",
            Self::RemovesFromComplete => "removes_from_complete",
            Self::NumberWentBack => "number_went_back",
            Self::DeltaWithoutBase => "delta_without_base",
            Self::NotYetValid => "not_yet_valid",
            Self::Ended => "ended",
        }
    }

    /// What is wrong, and what to do about it.
    pub fn explained(self) -> (&'static str, &'static str) {
        match self {
            Self::Unreadable => (
                "it cannot be read to its end",
                "see whether it is there, and whether the gateway's user may read it",
            ),
            Self::NotRegular => (
                "it is no regular file",
                "put the list itself there: a pipe, a device or a folder is not read",
            ),
            Self::Encoding => (
                "it is no CRL in DER or PEM",
                "write it anew; `openssl crl -in FILE -noout -text` must read it",
            ),
            Self::TooLong => (
                "it is longer than 256 MiB, or one entry is longer than 64 KiB",
                "have the CA issue shorter lists, without certificates that have expired",
            ),
            Self::Version => (
                "it is not of version 2",
                "have the CA issue CRLs of version 2",
            ),
            Self::Algorithm => (
                "it is not signed with ECDSA or RSA and SHA-256 or better",
                "have the CA sign it with SHA-256; SHA-1 is not taken",
            ),
            Self::UnknownIssuer => (
                "no configured CA has the name of its issuer",
                "name the CA's certificate in crl.issuer, where it is no trust anchor",
            ),
            Self::Signature => (
                "the configured CA of that name has not signed it",
                "see whether the CA has changed its key; name the new certificate in crl.issuer",
            ),
            Self::NoCrlSign => (
                "the keyUsage of its CA lacks cRLSign",
                "have the CA's certificate issued with keyCertSign and cRLSign",
            ),
            Self::NoNextUpdate => (
                "it does not say when it ends (nextUpdate)",
                "have the CA issue CRLs with nextUpdate",
            ),
            Self::NoNumber => (
                "it has no CRL number",
                "have the CA number its CRLs (openssl: crlnumber = FILE)",
            ),
            Self::CriticalExtension => (
                "it has a critical extension that is not known here",
                "have the CA issue CRLs as RFC 5280 describes them",
            ),
            Self::Indirect => (
                "it is an indirect CRL, which speaks of other issuers' certificates",
                "name CRLs that the CA itself issues",
            ),
            Self::Partial => (
                "its issuingDistributionPoint restricts it to a part of the certificates",
                "name the CA's complete CRL",
            ),
            Self::Serial => (
                "it has a serial number of no octets, or of more than 32",
                "have the CA keep to 20 octets",
            ),
            Self::RemovesFromComplete => (
                "a complete CRL has an entry with the reason removeFromCRL",
                "have the CA leave such entries to its deltas",
            ),
            Self::NumberWentBack => (
                "its CRL number is lower than that of the one in use",
                "see whether an old file was put back: a restart takes it where its CA has no \
                 other; of two complete lists of one CA, name the newer one alone",
            ),
            Self::DeltaWithoutBase => (
                "it is a delta to a complete CRL that is not in use",
                "name the complete CRL too, and fetch it as often",
            ),
            Self::NotYetValid => (
                "it has not begun (thisUpdate), and the one in use has",
                "see whether this machine's clock and the CA's are right",
            ),
            Self::Ended => (
                "it has ended (nextUpdate), and the one in use has not",
                "see how long the CA has its CRLs live, and whether an old one is served",
            ),
        }
    }
}

/// What is known of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its issuer's list is in force and does not name it.
    Good,
    /// Its issuer's list names it.
    Revoked { since: UnixSeconds, reason: Reason },
    /// No list in force speaks of it.
    Unknown(Unknown),
}

/// Why nothing is known of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// There is no list of its issuer.
    NoCrl,
    /// The list, or the delta to it, has ended.
    Expired,
    /// The list, or the delta to it, has not begun.
    NotYetValid,
    /// No responder has said anything.
    NoStatus,
    /// There are lists, which are not held against its group.
    NotLookedUp,
}

/// The lists of one issuer.
#[derive(Clone)]
struct Lists {
    complete: Arc<Crl>,
    /// complete.number >= delta.since, delta.number > complete.number
    delta: Option<Arc<Crl>>,
}

/// All lists in use. A value that is not changed: a new list makes a new one, which shares the
/// others with it.
#[derive(Clone, Default)]
pub struct CrlSet {
    of: HashMap<IssuerId, Lists>,
}

impl fmt::Debug for CrlSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrlSet")
            .field("issuers", &self.of.len())
            .finish()
    }
}

impl CrlSet {
    /// The same with one list more, or a newer one in the place of its predecessor. A complete
    /// list takes the place of the deltas that it holds already.
    ///
    /// # Errors
    /// It is older than what is in use, or a delta to something else.
    //= RFC 5280 section 5.2.3
    //# A CRL number is never smaller than that of an earlier CRL of the same issuer and scope.
    pub fn with(&self, crl: impl Into<Arc<Crl>>) -> Result<Self, CrlFault> {
        let crl = crl.into();
        let mut next = self.clone();
        let held = next.of.get_mut(&crl.issuer);
        match (held, crl.since) {
            (None, Some(_)) => return Err(CrlFault::DeltaWithoutBase),
            (None, None) => {
                let lists = Lists {
                    complete: Arc::clone(&crl),
                    delta: None,
                };
                next.of.insert(crl.issuer, lists);
            }
            (Some(lists), None) => {
                if is_older(&crl, &lists.complete) {
                    return Err(CrlFault::NumberWentBack);
                }
                lists.delta.take_if(|delta| delta.number <= crl.number);
                lists.complete = crl;
            }
            (Some(lists), Some(since)) => lists.adopt_delta(crl, since)?,
        }
        Ok(next)
    }

    /// That a list may take the place of what is in use: one that nobody would believe yet, or any
    /// more, does not end what is believed. Where nothing is in use there is nothing to end.
    ///
    /// # Errors
    /// It has not begun, or has ended, and what is in use has and has not.
    pub fn admits(&self, crl: &Crl, now: UnixSeconds) -> Result<(), CrlFault> {
        let Some(lists) = self.of.get(&crl.issuer) else {
            return Ok(());
        };
        let in_use = match (crl.since, &lists.delta) {
            (Some(_), Some(delta)) => delta,
            // A delta is believed no longer than its base, whose word it would end.
            _ => &lists.complete,
        };
        let doubt = |crl: &Crl| crl.doubt(Duration::ZERO, now);
        match (doubt(crl), doubt(in_use)) {
            (Some(Unknown::NotYetValid), held) if held != Some(Unknown::NotYetValid) => {
                Err(CrlFault::NotYetValid)
            }
            (Some(_), None) => Err(CrlFault::Ended),
            _ => Ok(()),
        }
    }

    /// Whether both have the same lists of an issuer, by what the lists say of themselves.
    fn has_same_of(&self, issuer: IssuerId, other: &Self) -> bool {
        let editions = |set: &Self| {
            let lists = set.of.get(&issuer)?;
            let delta = lists.delta.as_ref().map(|delta| delta.edition());
            Some((lists.complete.edition(), delta))
        };
        editions(self) == editions(other)
    }

    /// What is known at `now` of the certificate with this serial number (the content octets of
    /// its INTEGER). A list is believed for `grace` longer than it says.
    pub fn look_up(
        &self,
        issuer: IssuerId,
        serial: &[u8],
        grace: Duration,
        now: UnixSeconds,
    ) -> Verdict {
        let Some(lists) = self.of.get(&issuer) else {
            return Verdict::Unknown(Unknown::NoCrl);
        };
        let delta = lists.delta.as_deref();
        let changed = delta.and_then(|delta| delta.revoked.find(serial));
        let fate = changed.or_else(|| lists.complete.revoked.find(serial));
        // Who was revoked when a list ended is not trusted again because it ended.
        if let Some(fate) = fate.filter(|fate| fate.reason != Reason::REMOVE_FROM_CRL) {
            return Verdict::Revoked {
                since: fate.since,
                reason: fate.reason,
            };
        }
        let both = [Some(&*lists.complete), delta];
        let doubt = both
            .into_iter()
            .flatten()
            .find_map(|crl| crl.doubt(grace, now));
        doubt.map_or(Verdict::Good, Verdict::Unknown)
    }

    /// The same with what others hold, issuer by issuer, where that is not older.
    fn joined_with(&self, others: &Self) -> Self {
        let mut next = self.clone();
        for (issuer, lists) in &others.of {
            let mut lists = lists.clone();
            if let Some(held) = self.of.get(issuer) {
                if is_older(&lists.complete, &held.complete) {
                    continue;
                }
                // Theirs may be a delta of yesterday, or none, where today's came meanwhile.
                if let Some(ours) = &held.delta
                    && lists
                        .delta
                        .as_ref()
                        .is_none_or(|theirs| is_older(theirs, ours))
                    && lists.goes_with(ours)
                {
                    lists.delta = Some(Arc::clone(ours));
                }
            }
            next.of.insert(*issuer, lists);
        }
        next
    }

    /// The same with the complete list of an issuer that others hold, or their delta to it, where
    /// that is newer.
    fn carrying(&self, others: &Self, issuer: IssuerId, delta: bool) -> Self {
        let mut next = self.clone();
        let Some(theirs) = others.of.get(&issuer) else {
            return next;
        };
        match (next.of.get_mut(&issuer), &theirs.delta) {
            (None, _) if !delta => {
                let lists = Lists {
                    complete: Arc::clone(&theirs.complete),
                    delta: None,
                };
                next.of.insert(issuer, lists);
            }
            (Some(lists), _) if !delta && is_older(&lists.complete, &theirs.complete) => {
                lists.complete = Arc::clone(&theirs.complete);
                let number = lists.complete.number;
                lists.delta.take_if(|delta| delta.number <= number);
            }
            (Some(lists), Some(theirs)) if delta && lists.goes_with(theirs) => {
                let held = lists.delta.as_ref();
                if held.is_none_or(|held| is_older(held, theirs)) {
                    lists.delta = Some(Arc::clone(theirs));
                }
            }
            _ => {}
        }
        next
    }

    /// Whether a list is older than the one in use in its place.
    fn has_newer_than(&self, crl: &Crl) -> bool {
        self.of
            .get(&crl.issuer)
            .is_some_and(|held| match crl.since {
                None => is_older(crl, &held.complete),
                Some(_) => held.delta.as_ref().is_some_and(|held| is_older(crl, held)),
            })
    }

    /// The same without the lists of those issuers that are not wanted any more.
    fn only(&self, wanted: impl Fn(&IssuerId) -> bool) -> Self {
        let all = self.of.iter().filter(|(issuer, _)| wanted(issuer));
        Self {
            of: all
                .map(|(issuer, lists)| (*issuer, lists.clone()))
                .collect(),
        }
    }

    /// Serial numbers in all of them.
    pub fn entries(&self) -> usize {
        let all = self.of.values();
        all.map(|lists| lists.complete.entries() + lists.delta.as_ref().map_or(0, |d| d.entries()))
            .sum()
    }

    /// Issuers that have a list.
    pub fn issuers(&self) -> usize {
        self.of.len()
    }

    /// Whose list, or whose delta, has ended.
    pub fn ended(&self, now: UnixSeconds) -> impl Iterator<Item = IssuerId> {
        let ends = |lists: &Lists| {
            let delta = lists.delta.as_ref().map(|delta| delta.next_update);
            delta.map_or(lists.complete.next_update, |end| {
                end.min(lists.complete.next_update)
            })
        };
        let ended = self.of.iter().filter(move |(_, lists)| ends(lists) < now);
        ended.map(|(issuer, _)| *issuer)
    }

    /// When the first of them ends.
    pub fn next_update(&self) -> Option<UnixSeconds> {
        let all = self.of.values();
        all.flat_map(|lists| [Some(&lists.complete), lists.delta.as_ref()])
            .flatten()
            .map(|crl| crl.next_update)
            .min()
    }
}

impl Lists {
    //= RFC 5280 section 5.2.4
    //# A delta goes with a complete CRL that is not older than its base, and older than itself.
    /// Whether a delta says something that the complete list does not.
    fn goes_with(&self, delta: &Crl) -> bool {
        let number = self.complete.number;
        delta.since.is_some_and(|since| since <= number) && delta.number > number
    }

    fn adopt_delta(&mut self, delta: Arc<Crl>, since: crl::Number) -> Result<(), CrlFault> {
        if since > self.complete.number {
            return Err(CrlFault::DeltaWithoutBase);
        }
        if self
            .delta
            .as_ref()
            .is_some_and(|held| is_older(&delta, held))
        {
            return Err(CrlFault::NumberWentBack);
        }
        // What the complete one holds already is no news.
        if delta.number > self.complete.number {
            self.delta = Some(delta);
        }
        Ok(())
    }
}

fn is_older(crl: &Crl, held: &Crl) -> bool {
    (crl.number, crl.this_update) < (held.number, held.this_update)
}

impl Crl {
    /// What tells one list of an issuer from another.
    fn edition(&self) -> impl Eq + use<> {
        let times = (self.this_update, self.next_update);
        (self.number, self.since, times, self.entries())
    }

    /// Why what it does not name is not known to be good.
    fn doubt(&self, grace: Duration, now: UnixSeconds) -> Option<Unknown> {
        if now.0 > self.next_update.0.saturating_add(grace.as_secs()) {
            return Some(Unknown::Expired);
        }
        let begins = self.this_update.0.saturating_sub(CRL_EARLY_S_MAX);
        (now.0 < begins).then_some(Unknown::NotYetValid)
    }
}

#[cfg(test)]
pub(crate) mod tests;
