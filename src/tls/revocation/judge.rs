//! The lists in use, which come and go while handshakes look things up, and what follows from what
//! they say.

use std::io::{Read, Seek};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::{Crl, CrlFault, CrlIssuer, CrlSet, IssuerId, Unknown, Verdict};
use crate::clock::UnixSeconds;
use crate::peer::Thumbprint;
use crate::revoked::Revoked;
use crate::tls::Refusal;
use crate::tls::ocsp::{self, Statuses};

/// What becomes of a certificate of which nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// It is refused.
    HardFail,
    /// It is taken, and that is counted.
    SoftFail,
    /// Nothing is looked up. Where there are lists, and no responder is asked either, that is
    /// counted.
    #[default]
    Off,
}

/// How the certificates of a group of partners are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    pub policy: Policy,
    /// How long a list is believed beyond its end.
    pub grace: Duration,
    /// What becomes of a client of whose certificate no responder speaks.
    pub ocsp: Policy,
}

/// The lists in use and who may have signed new ones. Any thread may change them, and any may look
/// up, and waits for nobody.
#[derive(Default)]
pub struct Revocation {
    in_use: ArcSwap<InUse>,
    statuses: Statuses,
    generation: AtomicU64,
    again: AtomicU64,
    revoked: Arc<Revoked>,
}

/// Both at once, so that no list is ever in use whose issuer is none any more.
#[derive(Default)]
struct InUse {
    issuers: Arc<Vec<CrlIssuer>>,
    lists: Arc<CrlSet>,
}

impl InUse {
    fn of(issuers: Vec<CrlIssuer>, lists: CrlSet) -> Self {
        Self {
            issuers: Arc::new(issuers),
            lists: Arc::new(lists),
        }
    }

    /// The same CAs with other lists.
    fn with(&self, lists: CrlSet) -> Self {
        Self {
            issuers: Arc::clone(&self.issuers),
            lists: Arc::new(lists),
        }
    }

    fn knows(&self, id: &IssuerId) -> bool {
        self.issuers.iter().any(|issuer| issuer.id() == *id)
    }
}

impl std::fmt::Debug for Revocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.lists().fmt(f)
    }
}

impl Revocation {
    /// Nothing but certificates that the operator has revoked: there are no lists yet.
    pub fn beside(revoked: Arc<Revoked>) -> Self {
        Self {
            revoked,
            ..Self::default()
        }
    }

    /// Whether the operator has revoked a certificate, whatever is said of it elsewhere.
    pub fn is_withdrawn(&self, thumbprint: Thumbprint) -> bool {
        self.revoked.certificate(thumbprint)
    }

    /// CAs whose lists are taken from now on, and lists that are in use still where they signed
    /// them. Nothing happens where they are the same as before, in the same order.
    pub fn take_lists_of(&self, issuers: Vec<CrlIssuer>) {
        if *self.issuers() == issuers {
            return;
        }
        self.change(|before| {
            let known = |id: &IssuerId| issuers.iter().any(|issuer| issuer.id() == *id);
            InUse::of(issuers.clone(), before.lists.only(known))
        });
    }

    /// CAs whose lists are taken from now on, as [`Self::take_lists_of`] has it; of theirs, only
    /// those lists stay in use that are wanted, complete ones and deltas (true).
    pub fn leave_but(&self, issuers: &[CrlIssuer], wanted: impl Fn(IssuerId, bool) -> bool) {
        self.change(|before| {
            let known = |id: &IssuerId| issuers.iter().any(|issuer| issuer.id() == *id);
            let mut lists = before.lists.only(|id| known(id) && wanted(*id, false));
            for (id, of) in &mut lists.of {
                of.delta.take_if(|_| !wanted(*id, true));
            }
            match *before.issuers == issuers {
                true => before.with(lists),
                false => InUse::of(issuers.to_vec(), lists),
            }
        });
    }

    /// Takes into use what others hold that were read apart, where it is not older than what is in
    /// use; from now on lists of their CAs are taken too. What only this one holds stays: that is
    /// for [`Self::leave`], when nobody goes by it any more.
    pub fn join(&self, others: &Self) {
        let others = others.in_use.load();
        self.change(|before| {
            // Theirs first: of two certificates with one name and one key the new one counts.
            let mut issuers = others.issuers.to_vec();
            issuers.extend(before.issuers.iter().cloned());
            issuers.sort_by_key(CrlIssuer::id);
            issuers.dedup_by_key(|issuer| issuer.id());
            InUse::of(issuers, before.lists.joined_with(&others.lists))
        });
    }

    /// Drops what others do not hold: CAs that they do not know, and lists and deltas of whom they
    /// have none.
    pub fn leave(&self, others: &Self) {
        let others = others.in_use.load();
        self.change(|before| {
            let theirs = &others.lists.of;
            let mut lists = before.lists.only(|id| theirs.contains_key(id));
            for (id, of) in &mut lists.of {
                of.delta
                    .take_if(|_| theirs.get(id).is_some_and(|theirs| theirs.delta.is_none()));
            }
            InUse {
                issuers: Arc::clone(&others.issuers),
                lists: Arc::new(lists),
            }
        });
    }

    /// Whether [`Self::leave`] would drop a list.
    pub fn has_lists_beyond(&self, others: &Self) -> bool {
        let (lists, wanted) = (self.lists(), others.lists());
        lists.of.iter().any(|(issuer, of)| {
            let theirs = wanted.of.get(issuer);
            theirs.is_none_or(|theirs| of.delta.is_some() && theirs.delta.is_none())
        })
    }

    /// Whether a list of this issuer is in use, complete or delta.
    pub fn has_list_of(&self, issuer: IssuerId, delta: bool) -> bool {
        let lists = self.lists();
        let held = lists.of.get(&issuer);
        held.is_some_and(|held| !delta || held.delta.is_some())
    }

    /// Takes one of an issuer's lists from others, complete or delta, unless what is held here is
    /// newer.
    pub fn carry_over(&self, others: &Self, issuer: IssuerId, delta: bool) {
        let others = others.lists();
        self.change(|before| match before.knows(&issuer) {
            true => before.with(before.lists.carrying(&others, issuer, delta)),
            false => before.with(CrlSet::clone(&before.lists)),
        });
    }

    fn change(&self, next: impl FnMut(&Arc<InUse>) -> InUse) {
        self.in_use.rcu(next);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Whose lists are taken now: the same value for as long as they are the same.
    pub fn issuers(&self) -> Arc<Vec<CrlIssuer>> {
        Arc::clone(&self.in_use.load().issuers)
    }

    /// Reads a list and verifies it. It is not in use yet.
    ///
    /// # Errors
    /// Why it is not to be used.
    pub fn read(&self, source: &mut (impl Read + Seek)) -> Result<Crl, CrlFault> {
        Crl::read(source, &self.issuers())
    }

    /// Takes a list into use, whenever it begins and ends: for lists that nobody goes by yet.
    ///
    /// # Errors
    /// It is older than what is in use, or a delta to something else; or its CA is no longer one
    /// whose lists are taken.
    pub fn adopt(&self, crl: Crl) -> Result<(), CrlFault> {
        let crl = Arc::new(crl);
        let same = loop {
            let before = self.in_use.load();
            if !before.knows(&crl.issuer) {
                return Err(CrlFault::UnknownIssuer);
            }
            let lists = before.lists.with(Arc::clone(&crl))?;
            let same = before.lists.has_same_of(crl.issuer, &lists);
            let next = Arc::new(before.with(lists));
            let found = self.in_use.compare_and_swap(&*before, next);
            // Otherwise somebody else was faster, and it is to be seen what that was.
            if Arc::ptr_eq(&found, &before) {
                break same;
            }
        };
        // The same once more is no reason to judge anybody again, nor to look for its delta.
        if !same {
            self.generation.fetch_add(1, Ordering::Release);
        }
        Ok(())
    }

    /// Takes a list into use in the place of what is: as [`Self::adopt`] does, and not where that
    /// would end what is believed now.
    ///
    /// # Errors
    /// Those of [`Self::adopt`]; it has not begun, or has ended already.
    pub fn renew(&self, crl: Crl, now: UnixSeconds) -> Result<(), CrlFault> {
        self.lists().admits(&crl, now)?;
        self.adopt(crl)
    }

    /// Whether a list that was read apart may take the place of what is in use.
    ///
    /// # Errors
    /// It is older than what is in use; it has not begun, or has ended already.
    pub fn may_be_replaced_by(&self, crl: &Crl, now: UnixSeconds) -> Result<(), CrlFault> {
        let lists = self.lists();
        if lists.has_newer_than(crl) {
            return Err(CrlFault::NumberWentBack);
        }
        lists.admits(crl, now)
    }

    /// What responders have said of clients' certificates.
    pub fn statuses(&self) -> &Statuses {
        &self.statuses
    }

    /// Has connections judged again: to be called when a responder says other things of a
    /// certificate than it did, or a list may have ended.
    pub fn judge_again(&self) {
        self.again.fetch_add(1, Ordering::Release);
    }

    /// Changes whenever connections are to be judged again.
    pub fn judgement(&self) -> u64 {
        self.generation()
            .wrapping_add(self.again.load(Ordering::Acquire))
            .wrapping_add(self.revoked.certificates_changed())
    }

    /// Changes whenever there are other lists, by what they say of themselves, or other CAs whose
    /// lists are taken.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The names of the CAs whose lists have ended, in their order.
    pub fn ended(&self, now: UnixSeconds) -> Vec<String> {
        let in_use = self.in_use.load();
        let ended: Vec<_> = in_use.lists.ended(now).collect();
        let issuers = in_use.issuers.iter();
        let issuers = issuers.filter(|issuer| ended.contains(&issuer.id()));
        let mut names: Vec<String> = issuers.map(CrlIssuer::called).collect();
        names.sort();
        names
    }

    /// What is in use.
    pub fn lists(&self) -> Arc<CrlSet> {
        Arc::clone(&self.in_use.load().lists)
    }

    /// Judges a path by the issuers and serial numbers of its certificates, without the trust
    /// anchor. What is not known of it, where that is let pass.
    ///
    /// # Errors
    /// One of them is revoked, or nothing is known of it and that is not let pass.
    //= TS 33.310 clause 6.1.1
    //# CRLs are the primary mechanism of revocation.
    pub fn judge<'p>(
        &self,
        path: impl Iterator<Item = (IssuerId, &'p [u8])>,
        rules: Rules,
        now: UnixSeconds,
    ) -> Result<Option<Unknown>, Refusal> {
        let in_use = self.in_use.load();
        if rules.policy == Policy::Off {
            let has_lists = in_use.lists.issuers() > 0;
            return Ok(has_lists.then_some(Unknown::NotLookedUp));
        }
        let mut doubt = None;
        for (issuer, serial) in path {
            match in_use.lists.look_up(issuer, serial, rules.grace, now) {
                Verdict::Good => {}
                // Worse than any doubt about another certificate of the path.
                Verdict::Revoked { .. } => return Err(Refusal::CertificateRevoked),
                Verdict::Unknown(unknown) => doubt = doubt.or(Some(unknown)),
            }
        }
        match (doubt, rules.policy) {
            (None, _) => Ok(None),
            (doubt, Policy::SoftFail) => Ok(doubt),
            (Some(Unknown::Expired), _) => Err(Refusal::RevocationListExpired),
            (Some(_), _) => Err(Refusal::RevocationUnknown),
        }
    }

    /// Judges a client's own certificate by what a responder has said of it: what is not known,
    /// where that is let pass.
    ///
    /// # Errors
    /// It is revoked, or nothing is known of it and that is not let pass.
    pub fn judge_status(
        &self,
        (issuer, serial): (IssuerId, &[u8]),
        rules: Rules,
        now: UnixSeconds,
    ) -> Result<Option<Unknown>, Refusal> {
        if rules.ocsp == Policy::Off {
            return Ok(None);
        }
        match (self.statuses.verdict(issuer, serial, now), rules.ocsp) {
            (ocsp::Verdict::Good, _) => Ok(None),
            (
                ocsp::Verdict::Revoked
                | ocsp::Verdict::ToBeAsked {
                    revoked_before: true,
                },
                _,
            ) => Err(Refusal::CertificateRevoked),
            (_, Policy::SoftFail) => Ok(Some(Unknown::NoStatus)),
            (_, _) => Err(Refusal::RevocationUnknown),
        }
    }
}
