//! Certificates that clients have signed themselves, and the operator has registered (RFC 8705
//! section 2.2).
//!
//! Such a certificate is known as a whole, by the hash over all of its octets: nobody vouches for
//! it, and it vouches for nobody. It is looked up before a path is thought of, and means the client
//! that it is registered for, whatever names it carries; one that is not registered is a chain that
//! ends at no trust anchor, like any other.
//!
//! The profile of TS 33.310 holds for it where it speaks of the certificate itself: its time, its
//! key, its signature, its usage, its names. Where it speaks of who has issued it, there is nobody
//! to speak of, see [`OF_ISSUERS`]. No list and no responder is asked about it either, under
//! whatever policy: whoever has issued it would be asked about himself. The operator withdraws it,
//! by taking it out of the client's files, or by revoking it by its hash.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rustls::DistinguishedName;
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::{Believed, ClientAuth, Group, Refusal, TrustEpoch, Unfit, told, unfit};
use crate::clock::UnixSeconds;
use crate::peer::{ClientIndex, Lineage, Thumbprint};
use crate::tls::certificate_rules::{Place, Purpose, Rule, RuleSet, Seen, broken};
use crate::tls::leaf::{self, Leaf};
use crate::tls::ocsp::OcspIssuer;

/// The rules that a certificate without an issuer need not keep: no trust anchor has signed it, a
/// distribution point would say where its CA's list is, and its subjectAltName is not what says
/// whose it is. That its signer's key is as strong as its own it keeps by being its own signer; and
/// whether its basicConstraints say that it is a CA is not asked of an entity's certificate: as it
/// is no trust anchor, what it may have issued counts for nothing.
pub const OF_ISSUERS: RuleSet = RuleSet::EMPTY
    .with(Rule::DirectIssuer)
    .with(Rule::CrlDistributionPoints)
    .with(Rule::SubjectAltName);

/// A certificate, and the client that it is registered for.
pub struct SelfSigned {
    pub client: ClientIndex,
    pub certificate: CertificateDer<'static>,
}

/// Why one is not taken.
#[derive(Debug)]
pub struct UnfitSelfSigned {
    /// Its place among those given.
    pub place: usize,
    /// Without its name and its client's, which the caller knows better.
    pub what: String,
    pub cure: String,
}

/// Those that are taken.
#[derive(Default)]
pub(super) struct Registered(HashMap<Thumbprint, Known>);

#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) client: ClientIndex,
    /// The rules it breaks, waived or not.
    broken: RuleSet,
}

impl Registered {
    pub(super) fn get(&self, thumbprint: Thumbprint) -> Option<Known> {
        self.0.get(&thumbprint).copied()
    }
}

/// What is wrong with one, and the cure.
type Wrong = (String, String);

fn wrong(what: &str, cure: &str) -> Wrong {
    (what.to_owned(), cure.to_owned())
}

impl ClientAuth {
    /// The same, taking these certificates as well: each means its client and no other. The trust
    /// epoch is another with any of them, and clients are told their subjects beside those of CAs.
    ///
    /// # Errors
    /// All that are unfit: not self-signed, against a rule that the client's group does not waive,
    /// a trust anchor as well, or registered for two clients. One that is not valid yet, or has
    /// expired, is fit: it lets nobody in out of its time, and whose it is stays known.
    //= RFC 8705 section 2.2
    //# A client is known by the certificates that it has registered, and by nothing else in them.
    pub fn registering(mut self, all: Vec<SelfSigned>) -> Result<Self, Vec<UnfitSelfSigned>> {
        if all.is_empty() {
            return Ok(self);
        }
        // Of CAs all, whether they alone had room or not: with a part, who is of another would
        // send nothing.
        let mut names: Vec<_> = self.groups.iter().flat_map(Group::subjects).collect();
        let mut epoch = TrustEpoch::default();
        epoch.enter("trust", &[&self.epoch]);
        let mut faults = Vec::new();
        for (place, one) in all.into_iter().enumerate() {
            let SelfSigned {
                client,
                certificate,
            } = one;
            names.extend(subject(&certificate));
            if let Err((what, cure)) = self.register(client, &certificate) {
                faults.push(UnfitSelfSigned { place, what, cure });
            } else if let Some(member) = self.member(client) {
                let owner = member.client_id.as_bytes();
                epoch.enter("self-signed", &[owner, &certificate]);
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        self.epoch = epoch.finish();
        self.hints = told(names);
        Ok(self)
    }

    fn register(
        &mut self,
        client: ClientIndex,
        certificate: &CertificateDer<'_>,
    ) -> Result<(), Wrong> {
        let member = self.member(client);
        let group = member.and_then(|member| self.groups.get(member.group));
        let group =
            group.ok_or_else(|| wrong("its client is in no group", "name a [[partner]]"))?;
        let broken = broken_alone(certificate)?;
        if let Err(Refusal::Profile(rule)) = group.judge(broken) {
            let row = rule.row();
            let what = format!(
                "breaks the rule {}: {} (TS 33.310 clause {})",
                row.name, row.demand, row.clause
            );
            return Err((what, row.cure.to_owned()));
        }
        is_of_itself(certificate)?;
        let thumbprint = leaf::thumbprint(certificate);
        // Whoever may issue certificates for clients is none of them.
        if { self.groups.iter() }.any(|group| group.has_anchor(&thumbprint.0)) {
            let cure = "have the client make a key of its own, which issues nothing";
            return Err(wrong("is a trust anchor of clients as well", cure));
        }
        match self.registered.0.entry(thumbprint) {
            // In two of its files, as while one is replaced by another.
            Entry::Occupied(known) if known.get().client == client => Ok(()),
            Entry::Occupied(other) => {
                let place = usize::try_from(other.get().client.0).ok();
                let other = place.and_then(|place| self.members.get(place));
                let other = other.map_or("", |member| &member.client_id);
                let what = format!("is registered for the client_id {other:?} as well");
                let cure = "a certificate means one client: remove it from the other";
                Err(wrong(&what, cure))
            }
            Entry::Vacant(free) => {
                free.insert(Known { client, broken });
                Ok(())
            }
        }
    }

    /// Believes a leaf that is registered, for itself.
    pub(super) fn believe_registered(
        &self,
        leaf: Leaf,
        known: Known,
        now: UnixSeconds,
    ) -> Result<(Leaf, Believed), Unfit> {
        let member = self.member(known.client);
        let member = member.ok_or_else(|| unfit(Refusal::NotMapped))?;
        let validity = leaf.validity();
        let lineage = Lineage {
            client_id: member.client_id.clone(),
            anchor: leaf.thumbprint().0,
            certificates: Vec::new(),
            broken: known.broken.bits(),
            not_after: u64::try_from(validity.until).unwrap_or(0),
        };
        let leaf = leaf.believed_for(lineage);
        self.peer(&leaf, now).map_err(unfit)?;
        let lineage = Lineage::default();
        Ok((leaf, Believed { lineage, validity }))
    }
}

/// The rules that a certificate breaks by itself.
fn broken_alone(der: &CertificateDer<'_>) -> Result<RuleSet, Wrong> {
    let cure = "put the client's certificate there, in PEM";
    let certificate = leaf::parsed(der).ok_or_else(|| wrong("is no X.509 certificate", cure))?;
    let seen = Seen {
        certificate: &certificate,
        issuer: Some(&certificate),
        place: Place::Entity {
            purpose: Purpose::Client,
            direct: true,
        },
    };
    Ok(broken(&seen).without(OF_ISSUERS))
}

/// Who has issued it, as clients look for it among the names that they are told.
fn subject(der: &CertificateDer<'_>) -> Option<DistinguishedName> {
    let certificate = leaf::parsed(der)?;
    Some(certificate.subject().as_raw().to_vec().into())
}

fn is_of_itself(der: &CertificateDer<'_>) -> Result<(), Wrong> {
    if !OcspIssuer::read(der).is_some_and(|own| own.has_issued(der)) {
        let cure = "a certificate of a CA goes by sans, and authenticates by one of \
                    tls_client_auth_*; register one that the client has signed itself";
        return Err(wrong("is not signed with its own key", cure));
    }
    // What verifies the handshake's signature reads it once more, and by rules of its own.
    if EndEntityCert::try_from(der).is_err() {
        let cure = "have it made anew, without unusual extensions";
        return Err(wrong("cannot be read where handshakes are verified", cure));
    }
    Ok(())
}
