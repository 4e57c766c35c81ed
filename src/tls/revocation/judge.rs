//! The lists in use, which come and go while handshakes look things up, and what follows from what
//! they say.

use std::io::{Read, Seek};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::{Crl, CrlFault, CrlIssuer, CrlSet, IssuerId, Unknown, Verdict};
use crate::clock::UnixSeconds;
use crate::tls::Refusal;
use crate::tls::ocsp::{self, Statuses};

/// What becomes of a certificate of which nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// It is refused.
    HardFail,
    /// It is taken, and that is counted.
    SoftFail,
    /// Nothing is looked up.
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

/// The lists in use and who may have signed new ones. One thread brings lists; any may look up, and
/// waits for nobody.
#[derive(Default)]
pub struct Revocation {
    issuers: ArcSwap<Vec<CrlIssuer>>,
    lists: ArcSwap<CrlSet>,
    statuses: Statuses,
    generation: AtomicU64,
    again: AtomicU64,
}

impl std::fmt::Debug for Revocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.lists.load().fmt(f)
    }
}

impl Revocation {
    /// CAs whose lists are taken from now on, and lists that are in use still where they signed
    /// them. Nothing happens where they are the same as before, in the same order.
    pub fn take_lists_of(&self, issuers: Vec<CrlIssuer>) {
        let before = self.issuers.load();
        if before
            .iter()
            .map(CrlIssuer::id)
            .eq(issuers.iter().map(CrlIssuer::id))
        {
            return;
        }
        let known = |id: &IssuerId| issuers.iter().any(|issuer| issuer.id() == *id);
        let lists = self.lists.load().only(known);
        self.issuers.store(Arc::new(issuers));
        self.lists.store(Arc::new(lists));
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Whose lists are taken now: the same value for as long as they are the same.
    pub fn issuers(&self) -> Arc<Vec<CrlIssuer>> {
        self.issuers.load_full()
    }

    /// Reads a list and verifies it. It is not in use yet.
    ///
    /// # Errors
    /// Why it is not to be used.
    pub fn read(&self, source: &mut (impl Read + Seek)) -> Result<Crl, CrlFault> {
        Crl::read(source, &self.issuers.load())
    }

    /// Takes a list into use, whenever it begins and ends: for the start. For the one thread that
    /// brings lists.
    ///
    /// # Errors
    /// It is older than what is in use, or a delta to something else.
    pub fn adopt(&self, crl: Crl) -> Result<(), CrlFault> {
        let (issuer, before) = (crl.issuer, self.lists.load());
        let lists = before.with(crl)?;
        let same = before.has_same_of(issuer, &lists);
        self.lists.store(Arc::new(lists));
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
        self.lists.load().admits(&crl, now)?;
        self.adopt(crl)
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
    }

    /// Changes whenever there are other lists, by what they say of themselves, or other CAs whose
    /// lists are taken.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// What is in use.
    pub fn lists(&self) -> Arc<CrlSet> {
        self.lists.load_full()
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
        if rules.policy == Policy::Off {
            return Ok(None);
        }
        let lists = self.lists.load();
        let mut doubt = None;
        for (issuer, serial) in path {
            match lists.look_up(issuer, serial, rules.grace, now) {
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
