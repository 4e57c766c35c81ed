//! From a client's certificate to a `Peer`: names in subjectAltName say which client it claims to
//! be, that client's partner group says which trust anchors and rules hold for it, and the chain is
//! verified and judged by those.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use tokio::sync::oneshot;

use super::certificate_rules::{Alert, Rule, RuleSet};
use super::chains::{self, ChainHash};
use super::epoch::TrustEpoch;
use super::leaf::Leaf;
use super::ocsp::{Known, Verdict};
use super::path::{Believed, Group};
use super::revocation::{IssuerId, Policy, Revocation, Rules, Unknown};
use super::{Profile, Refusal, profile, turn};
use crate::clock::UnixSeconds;
use crate::limits::{CA_NAMES_BYTES_MAX, CLIENT_CAS_MAX};
use crate::peer::{Client, ClientIndex, Lineage, Peer, San, Thumbprint};

mod self_signed;

pub use self_signed::{OF_ISSUERS, SelfSigned, UnfitSelfSigned};

/// Partners whose certificates come from the same CAs and are judged alike.
pub struct PartnerGroup {
    /// As clients name it.
    pub name: String,
    pub anchors: Vec<CertificateDer<'static>>,
    /// The rules that its certificates may break.
    pub waived: RuleSet,
    /// How revocation of its certificates is looked up.
    pub revocation: Rules,
}

/// Why trust cannot be placed as configured.
#[derive(Debug)]
pub struct UnfitTrust {
    /// Place of the group among those given; none where it is about a client's names.
    pub group: Option<usize>,
    pub what: String,
    pub cure: String,
}

/// Whom certificates are believed to be: the groups' trust anchors and the names of all clients.
pub struct ClientAuth {
    groups: Vec<Group>,
    /// By the place of the client.
    members: Vec<Member>,
    dns: HashMap<String, ClientIndex>,
    uri: HashMap<String, ClientIndex>,
    registered: self_signed::Registered,
    hints: Vec<DistinguishedName>,
    epoch: [u8; 32],
    profile: &'static Profile,
    revocation: Arc<Revocation>,
    #[cfg(test)]
    pub(super) asked: tests::Asked,
}

struct Member {
    client_id: String,
    group: usize,
}

/// A refusal, and the error that makes rustls send the alert closest to it.
type Unfit = (Refusal, Error);

impl fmt::Debug for ClientAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAuth")
            .field("groups", &self.groups.len())
            .field("names", &(self.dns.len() + self.uri.len()))
            .finish()
    }
}

impl ClientAuth {
    /// `clients` in the order of the snapshot's table: the place of one is its `ClientIndex`.
    ///
    /// # Errors
    /// An anchor that is no certificate or breaks a rule that its group does not waive, a group
    /// without anchors, a client without a group, or a name that two clients claim.
    pub fn new(groups: Vec<PartnerGroup>, clients: &[Client]) -> Result<Self, UnfitTrust> {
        let mut epoch = TrustEpoch::default();
        let mut made = Vec::with_capacity(groups.len());
        for (place, group) in groups.into_iter().enumerate() {
            let name = group.name.as_bytes();
            for anchor in &group.anchors {
                epoch.enter("anchor", &[name, anchor]);
            }
            for rule in group.waived.iter() {
                epoch.enter("waived", &[name, rule.name().as_bytes()]);
            }
            let unfit = |(what, cure)| UnfitTrust {
                group: Some(place),
                what,
                cure,
            };
            made.push(Group::new(group).map_err(unfit)?);
        }
        let mut auth = Self {
            hints: told(made.iter().flat_map(Group::subjects).collect()),
            groups: made,
            members: Vec::with_capacity(clients.len()),
            dns: HashMap::new(),
            uri: HashMap::new(),
            registered: self_signed::Registered::default(),
            epoch: [0; 32],
            profile: &profile::THREE_GPP,
            revocation: Arc::default(),
            #[cfg(test)]
            asked: tests::Asked::default(),
        };
        for client in clients {
            auth.enrol(client, &mut epoch)
                .map_err(|(what, cure)| UnfitTrust {
                    group: None,
                    what: format!("client {}: {what}", client.name),
                    cure,
                })?;
        }
        auth.epoch = epoch.finish();
        Ok(auth)
    }

    /// Whether clients are told which CAs they may come from, and what their own certificates that
    /// are registered are called.
    pub fn names_its_cas(&self) -> bool {
        !self.hints.is_empty()
    }

    /// The same, with the revocation lists that certificates are looked up in.
    #[must_use]
    pub fn looking_up_in(self, revocation: Arc<Revocation>) -> Self {
        Self { revocation, ..self }
    }

    fn enrol(&mut self, client: &Client, epoch: &mut TrustEpoch) -> Result<(), (String, String)> {
        let place = u32::try_from(self.members.len());
        let place = place.map_err(|_| ("is one too many".to_owned(), String::new()))?;
        let known = |group: &Group| group.name() == client.partner;
        let group = self.groups.iter().position(known).ok_or_else(|| {
            let what = format!("there is no partner group {:?}", client.partner);
            (what, "name a [[partner]]".to_owned())
        })?;
        let owner = [client.client_id.as_bytes(), client.partner.as_bytes()];
        for san in &client.sans {
            let (names, name, kind) = match san {
                San::Dns(name) => (&mut self.dns, name.to_ascii_lowercase(), "dns"),
                San::Uri(name) => (&mut self.uri, name.clone(), "uri"),
            };
            epoch.enter(
                "name",
                &[owner[0], owner[1], kind.as_bytes(), name.as_bytes()],
            );
            let earlier = names.insert(name, ClientIndex(place));
            if earlier.is_some_and(|other| other != ClientIndex(place)) {
                let cure = "a name belongs to one client: remove it from the other";
                return Err((format!("{san} belongs to two clients"), cure.to_owned()));
            }
        }
        self.members.push(Member {
            client_id: client.client_id.clone(),
            group,
        });
        Ok(())
    }

    /// With another TLS profile than `3gpp`: then the trust epoch is another as well.
    #[must_use]
    pub fn under(mut self, profile: &'static Profile) -> Self {
        let mut epoch = TrustEpoch::default();
        epoch.enter("profile", &[profile.name.as_bytes(), &self.epoch]);
        self.epoch = epoch.finish();
        self.profile = profile;
        self
    }

    pub(super) fn profile(&self) -> &'static Profile {
        self.profile
    }

    /// Changes with every anchor, waiver, group, client and name: what a session was established
    /// under.
    pub(super) fn epoch(&self) -> [u8; 32] {
        self.epoch
    }

    /// The peer a leaf stands for at `now`. The chain was verified when the session began: here or
    /// in the handshake that a ticket continues.
    pub(super) fn peer(&self, leaf: &Leaf, now: UnixSeconds) -> Result<Peer, Refusal> {
        let client = self.owner(leaf, now)?;
        self.not_withdrawn(leaf.thumbprint())?;
        let lineage = leaf.lineage();
        match self.to_be_asked(client, lineage, now) {
            // Judged by that when there is an answer.
            Some(_) => self.unlisted(lineage, self.rules(client)?, now)?,
            None => self.unrevoked(client, lineage, now)?,
        };
        Ok(Peer::new(
            client,
            leaf.thumbprint(),
            Arc::clone(leaf.der()),
            lineage.not_after,
            Arc::clone(leaf.lineage()),
        ))
    }

    /// Judges a peer that an earlier `ClientAuth` believed by what holds in this one, without
    /// verifying a signature: its place among the clients of this one.
    ///
    /// # Errors
    /// Why it would not be taken any more.
    pub fn still_trusts(&self, peer: &Peer, now: UnixSeconds) -> Result<ClientIndex, Refusal> {
        let lineage = peer.lineage();
        let leaf = Leaf::read(peer.certificate()).ok_or(Refusal::BadCertificate)?;
        if now.0 > peer.not_after() {
            return Err(Refusal::CertificateExpired);
        }
        let is_self_signed = lineage.anchor == peer.thumbprint().0;
        if is_self_signed && self.registered.get(peer.thumbprint()).is_none() {
            return Err(Refusal::UnknownCa);
        }
        let client = self.owner(&leaf, now)?;
        let member = self.member(client).ok_or(Refusal::NotMapped)?;
        if member.client_id != lineage.client_id {
            return Err(Refusal::NotMapped);
        }
        let group = self.groups.get(member.group).ok_or(Refusal::NotMapped)?;
        if !is_self_signed && !group.has_anchor(&lineage.anchor) {
            let elsewhere = |group: &Group| group.has_anchor(&lineage.anchor);
            return Err(match self.groups.iter().any(elsewhere) {
                true => Refusal::OtherPartner,
                false => Refusal::UnknownCa,
            });
        }
        group.judge(RuleSet::of_bits(lineage.broken))?;
        self.not_withdrawn(peer.thumbprint())?;
        self.unrevoked(client, lineage, now)?;
        Ok(client)
    }

    /// Looks a path up in the revocation lists, and its leaf among what responders have said, as
    /// the client's group has it: what is not known of it, where that is let pass.
    ///
    /// # Errors
    /// It is revoked, or that is not known and not let pass.
    pub(super) fn unrevoked(
        &self,
        client: ClientIndex,
        lineage: &Lineage,
        now: UnixSeconds,
    ) -> Result<Option<Unknown>, Refusal> {
        let rules = self.rules(client)?;
        // A certificate that nobody has issued: there is nobody to have a list of it.
        let Some(leaf) = lineage.certificates.first() else {
            return Ok(None);
        };
        let doubt = self.unlisted(lineage, rules, now)?;
        let leaf = (IssuerId::of_octets(leaf.issuer), &*leaf.serial);
        let unasked = self.revocation.judge_status(leaf, rules, now)?;
        // Whom a responder speaks for is not unchecked because lists are not held against it.
        let off = doubt == Some(Unknown::NotLookedUp) && rules.ocsp != Policy::Off;
        Ok(doubt.filter(|_| !off).or(unasked))
    }

    /// Whatever its group has looked up.
    fn not_withdrawn(&self, thumbprint: Thumbprint) -> Result<(), Refusal> {
        match self.revocation.is_withdrawn(thumbprint) {
            true => Err(Refusal::RevokedHere),
            false => Ok(()),
        }
    }

    fn unlisted(
        &self,
        lineage: &Lineage,
        rules: Rules,
        now: UnixSeconds,
    ) -> Result<Option<Unknown>, Refusal> {
        let path = lineage.certificates.iter();
        let path = path.map(|id| (IssuerId::of_octets(id.issuer), &*id.serial));
        self.revocation.judge(path, rules, now)
    }

    fn rules(&self, client: ClientIndex) -> Result<Rules, Refusal> {
        let member = self.member(client).ok_or(Refusal::NotMapped)?;
        let group = self.groups.get(member.group).ok_or(Refusal::NotMapped)?;
        Ok(group.revocation())
    }

    /// The certificate that a responder is to be asked about before this client is judged; none
    /// where enough is known, or nobody can be asked, or its group has nobody asked.
    fn to_be_asked<'l>(
        &self,
        client: ClientIndex,
        lineage: &'l Lineage,
        now: UnixSeconds,
    ) -> Option<(IssuerId, &'l [u8])> {
        let rules = self.rules(client).ok()?;
        let leaf = lineage.certificates.first()?;
        let (issuer, serial) = (IssuerId::of_octets(leaf.issuer), &*leaf.serial);
        let verdict = || self.revocation.statuses().verdict(issuer, serial, now);
        let asked = rules.ocsp != Policy::Off && matches!(verdict(), Verdict::ToBeAsked { .. });
        asked.then_some((issuer, serial))
    }

    /// Whether a responder is to be asked about this leaf before it is judged.
    pub(super) fn must_ask(&self, leaf: &Leaf, now: UnixSeconds) -> bool {
        let client = self.owner(leaf, now);
        client.is_ok_and(|client| self.to_be_asked(client, leaf.lineage(), now).is_some())
    }

    /// Has a responder asked about this leaf: what comes back yields when there is an answer, or
    /// will be none.
    pub(super) fn ask(&self, leaf: &Leaf) -> Option<oneshot::Receiver<()>> {
        let id = leaf.lineage().certificates.first()?;
        let issuer = IssuerId::of_octets(id.issuer);
        self.revocation.statuses().ask(issuer, &id.serial)
    }

    /// What responders have said of a client's certificate, where its group has them asked: for as
    /// long as it is held, they are asked again.
    pub(super) fn status(&self, client: ClientIndex, leaf: &Leaf) -> Option<Arc<Known>> {
        if self.rules(client).ok()?.ocsp == Policy::Off {
            return None;
        }
        let id = leaf.lineage().certificates.first()?;
        let issuer = IssuerId::of_octets(id.issuer);
        self.revocation.statuses().known(issuer, &id.serial)
    }

    /// Whom a certificate claims to be, for whoever looks at it without a handshake: whether it is
    /// to be believed is not looked at.
    ///
    /// # Errors
    /// It is unreadable, not valid at `now`, or no one client's.
    pub fn client_of(
        &self,
        certificate: &CertificateDer<'_>,
        now: UnixSeconds,
    ) -> Result<ClientIndex, Refusal> {
        let leaf = Leaf::read(certificate).ok_or(Refusal::BadCertificate)?;
        self.owner(&leaf, now)
    }

    fn member(&self, client: ClientIndex) -> Option<&Member> {
        self.members.get(usize::try_from(client.0).ok()?)
    }

    /// The one client that a leaf which is valid at `now` is registered for, or else whose names it
    /// carries.
    fn owner(&self, leaf: &Leaf, now: UnixSeconds) -> Result<ClientIndex, Refusal> {
        leaf.valid_at(now)?;
        match self.registered.get(leaf.thumbprint()) {
            Some(known) => Ok(known.client),
            None => self.client(leaf.names()?),
        }
    }

    /// The one client whose names the certificate carries.
    //= TS 33.501 clause 12.2
    //# The identity in the end-entity certificate decides who the client is.
    fn client(&self, names: &[San]) -> Result<ClientIndex, Refusal> {
        let mut found = None;
        for name in names {
            let client = match name {
                San::Dns(name) => self.dns.get(name),
                San::Uri(name) => self.uri.get(name),
            };
            match (found, client) {
                (Some(one), Some(other)) if one != *other => return Err(Refusal::MappedTwice),
                (None, Some(client)) => found = Some(*client),
                _ => {}
            }
        }
        found.ok_or(Refusal::NotMapped)
    }

    /// The leaf of a chain, leaf first, that ends at an anchor of its client's group: verified now,
    /// or remembered as verified. `keep` says how the memory takes a new one.
    fn believed_leaf(
        &self,
        chain: &[CertificateDer<'_>],
        now: UnixSeconds,
        keep: fn(ChainHash, &Arc<Leaf>, &Believed),
    ) -> Result<Arc<Leaf>, Unfit> {
        let hash = ChainHash::of(&self.epoch, chain);
        if let Some(leaf) = chains::recall(hash, now) {
            self.peer(&leaf, now).map_err(unfit)?;
            return Ok(leaf);
        }
        let Some((end_entity, intermediates)) = chain.split_first() else {
            return Err(unfit(Refusal::NoClientCertificate));
        };
        let (leaf, believed) = self.believe(end_entity, intermediates, now)?;
        let leaf = Arc::new(leaf);
        keep(hash, &leaf, &believed);
        Ok(leaf)
    }

    fn believe(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixSeconds,
    ) -> Result<(Leaf, Believed), Unfit> {
        #[cfg(test)]
        self.asked.chain();
        if intermediates.len() > CLIENT_CAS_MAX {
            return Err(unfit(Refusal::TooLong));
        }
        let leaf = Leaf::read(end_entity).ok_or_else(|| unfit(Refusal::BadCertificate))?;
        if let Some(known) = self.registered.get(leaf.thumbprint()) {
            return self.believe_registered(leaf, known, now);
        }
        let claimed = leaf.names().and_then(|names| self.client(names));
        let member = claimed.ok().and_then(|client| self.member(client));
        let verify = |group: &Group| group.believe(end_entity, intermediates, now);
        let Some(member) = member else {
            // Whose it is decides nothing where nobody here vouches for it.
            let refusal = claimed.err().unwrap_or(Refusal::NotMapped);
            let outcomes = self.groups.iter().map(verify);
            return Err(kindest(outcomes).err().unwrap_or_else(|| unfit(refusal)));
        };
        let mut believed = self
            .groups
            .get(member.group)
            .map_or_else(|| Err(unfit(Refusal::NotMapped)), verify);
        if matches!(believed, Err((Refusal::UnknownCa, _))) {
            let others = self.groups.iter().enumerate();
            let mut others = others.filter(|(place, _)| *place != member.group);
            if others.any(|(_, group)| verify(group).is_ok()) {
                believed = Err(unfit(Refusal::OtherPartner));
            }
        }
        let mut believed = believed?;
        believed.lineage.client_id.clone_from(&member.client_id);
        let leaf = leaf.believed_for(std::mem::take(&mut believed.lineage));
        self.peer(&leaf, now).map_err(unfit)?;
        Ok((leaf, believed))
    }

    /// The leaf of a session that goes on, by a ticket that opened: judged as in a full handshake,
    /// but for the signature of its key, which began the session.
    pub(super) fn continued(
        &self,
        chain: &[CertificateDer<'_>],
        now: UnixSeconds,
    ) -> Result<Arc<Leaf>, Refusal> {
        let keep = |hash, leaf: &Arc<Leaf>, believed: &Believed| {
            chains::hold(hash, leaf, believed.validity);
            chains::remember(leaf.der());
        };
        let leaf = self.believed_leaf(chain, now, keep);
        let leaf = leaf.map_err(|(refusal, _)| refusal)?;
        // A session goes on at once, or not: a full handshake can wait for an answer.
        if self.must_ask(&leaf, now) {
            return Err(Refusal::RevocationUnknown);
        }
        Ok(leaf)
    }
}

/// Of several groups' verdicts the one that says most: that it is good, else the first that knows
/// the CA, else that none does.
fn kindest(outcomes: impl Iterator<Item = Result<Believed, Unfit>>) -> Result<(), Unfit> {
    let mut kindest = Err(unfit(Refusal::UnknownCa));
    for outcome in outcomes {
        match outcome {
            Ok(_) => return Ok(()),
            Err((Refusal::UnknownCa, _)) => {}
            Err(known) if matches!(kindest, Err((Refusal::UnknownCa, _))) => kindest = Err(known),
            Err(_) => {}
        }
    }
    kindest
}

/// What comes closest to a refusal among rustls' errors.
pub(super) fn unfit(refusal: Refusal) -> Unfit {
    let error = match refusal {
        Refusal::CertificateExpired => CertificateError::Expired,
        Refusal::BadCertificate | Refusal::TooLong => CertificateError::BadEncoding,
        Refusal::UnknownCa => CertificateError::UnknownIssuer,
        Refusal::CertificateRevoked | Refusal::RevokedHere => CertificateError::Revoked,
        // Both become the alert unknown_ca.
        Refusal::RevocationUnknown => CertificateError::UnknownRevocationStatus,
        Refusal::RevocationListExpired => CertificateError::ExpiredRevocationList,
        Refusal::Profile(rule) => alerting(rule),
        // Becomes the alert access_denied.
        _ => CertificateError::ApplicationVerificationFailure,
    };
    (refusal, Error::InvalidCertificate(error))
}

/// Of the names of all CAs that clients may come from those that they are told: each once, or none
/// at all.
//= RFC 5246 section 7.4.4
//# Where no CAs are named, a client may send any certificate of the right type.
pub(super) fn told(mut names: Vec<DistinguishedName>) -> Vec<DistinguishedName> {
    names.sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
    names.dedup_by(|one, other| one.as_ref() == other.as_ref());
    // Each with its length.
    let octets: usize = names.iter().map(|name| 2 + name.as_ref().len()).sum();
    if octets > CA_NAMES_BYTES_MAX {
        names.clear();
    }
    names
}

fn alerting(rule: Rule) -> CertificateError {
    match rule.row().alert {
        Alert::BadCertificate => CertificateError::BadEncoding,
        Alert::UnsupportedCertificate => CertificateError::InvalidPurpose,
        Alert::UnknownCa => CertificateError::UnknownIssuer,
        Alert::CertificateUnknown => {
            let nameless = std::io::Error::other(rule.name());
            CertificateError::Other(rustls::OtherError(Arc::new(nameless)))
        }
    }
}

impl ClientCertVerifier for ClientAuth {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let chain: Vec<_> = std::iter::once(end_entity)
            .chain(intermediates)
            .map(|der| CertificateDer::from(der.as_ref()))
            .collect();
        let keep =
            |hash, leaf: &_, believed: &Believed| chains::hold(hash, leaf, believed.validity);
        let leaf = self.believed_leaf(&chain, UnixSeconds(now.as_secs()), keep);
        let leaf = leaf.map_err(|(refusal, error)| {
            turn::note_refusal(refusal);
            error
        })?;
        turn::note_leaf(leaf);
        turn::note_session_begun(UnixSeconds(now.as_secs()));
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        #[cfg(test)]
        self.asked.signature();
        let algorithms = &profile::VERIFIED;
        let valid = rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)?;
        chains::remember(cert);
        turn::note_key_shown();
        Ok(valid)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        #[cfg(test)]
        self.asked.signature();
        let algorithms = &profile::VERIFIED;
        let valid = rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)?;
        chains::remember(cert);
        Ok(valid)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        profile::VERIFIED.supported_schemes()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Counts what a verifier was asked that takes signatures to answer.
    #[derive(Default)]
    pub(in crate::tls) struct Asked {
        chains: AtomicUsize,
        signatures: AtomicUsize,
    }

    impl Asked {
        pub(super) fn chain(&self) {
            self.chains.fetch_add(1, Ordering::Relaxed);
        }

        pub(super) fn signature(&self) {
            self.signatures.fetch_add(1, Ordering::Relaxed);
        }

        pub(in crate::tls) fn chains(&self) -> usize {
            self.chains.load(Ordering::Relaxed)
        }

        pub(in crate::tls) fn signatures(&self) -> usize {
            self.signatures.load(Ordering::Relaxed)
        }
    }
}
