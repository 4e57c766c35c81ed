//! The handshake without I/O: bytes in, bytes out, and a stop before anything is signed in a
//! token.
//!
//! ```text
//!   Hello ──(ClientHello complete)──▶ process ──signed or resumed──▶ Settled ──▶ Done
//!                                        │                              ▲
//!                                        └─HelloRetryRequest─▶ Retried ─┘
//! ```
//! In `Hello` and `Retried` the next message may make the server sign; in `Settled` none can.
//! There, once the client has shown its key, it may have to wait until a responder has said
//! whether its certificate is revoked: in TLS 1.2 before this end finishes, so that the alert for
//! it goes out in the clear as any other; in TLS 1.3, whose client says all in one flight, at the
//! end.

use std::sync::Arc;

use rustls::server::{Acceptor, ServerConfig, UnbufferedServerConnection};
use rustls::unbuffered::ConnectionState;
use rustls::{Error, HandshakeKind, ProtocolVersion, SignatureAlgorithm};
use tokio::sync::oneshot;

use super::certificates::{Chooser, ServerCertificate, Shown};
use super::hello::{
    self, CONTENT_HANDSHAKE, HYBRID, Hello, HelloScan, message, offers_session, record_end,
    wants_hybrid,
};
use super::leaf::Leaf;
use super::ocsp::Known;
use super::resumption::{BoundTickets, Tickets};
use super::session::{self, Session};
use super::turn::{self, Turn};
use super::{ClientAuth, Refusal, alert_of, alerts, own_chain, sealed};
use crate::clock::UnixSeconds;
use crate::limits::HANDSHAKE_BYTES_MAX;
use crate::peer::Peer;

/// What all handshakes of a listener have in common on one shard.
pub struct Terminator {
    config: Arc<ServerConfig>,
    /// The same with the hybrid group alone; none where the profile has no hybrid.
    hybrid: Option<Arc<ServerConfig>>,
    auth: Arc<ClientAuth>,
    server_names: Vec<String>,
    in_token: bool,
    /// Its own signatures take the shard's CPU for longer than all the rest together.
    signs_long: bool,
    parts: Parts,
}

/// What another terminator for the same listener is made of.
#[derive(Clone)]
struct Parts {
    shown: Vec<Shown>,
    tickets: BoundTickets,
}

impl Terminator {
    /// `certificates` are the server's, the preferred first; `server_names` are those a client may
    /// ask for by SNI beside the names of certificates, none for any; `tickets` are what its
    /// sessions are continued by.
    ///
    /// # Errors
    /// What rustls cannot work with, in words.
    pub fn new(
        certificates: Vec<ServerCertificate>,
        auth: ClientAuth,
        mut server_names: Vec<String>,
        tickets: Tickets,
    ) -> Result<Self, String> {
        let auth = Arc::new(auth);
        let tickets = BoundTickets::new(tickets, Arc::clone(&auth));
        if !server_names.is_empty() {
            let named = certificates
                .iter()
                .flat_map(|certificate| &certificate.names);
            server_names.extend(named.cloned());
        }
        let shown = certificates.into_iter().map(Shown::new).collect();
        Self::build(shown, auth, server_names, tickets)
    }

    /// The same once more, for another shard: sessions begun with one are continued with the
    /// other, and no handshake with one writes to memory that the other uses. Whatever rustls
    /// counts references to, it counts for each by itself.
    ///
    /// # Errors
    /// As of [`Terminator::new`].
    pub fn for_shard(&self) -> Result<Self, String> {
        let shown = self.parts.shown.iter().map(Shown::again).collect();
        let (auth, names) = (Arc::clone(&self.auth), self.server_names.clone());
        Self::build(shown, auth, names, self.parts.tickets.clone())
    }

    /// Whether a peer that was let in under another terminator would be let in by this one. No
    /// signature is verified: that its key is the certificate's was shown when it came.
    ///
    /// # Errors
    /// Why not.
    pub fn still_trusts(&self, peer: &Peer, now: UnixSeconds) -> Result<(), Refusal> {
        match self.auth.still_trusts(peer, now)? {
            client if client == peer.client() => Ok(()),
            _ => Err(Refusal::NotMapped),
        }
    }

    /// Wrong about its keys: takes them for such as sign here.
    #[cfg(test)]
    pub(super) fn that_does_not_wait(mut self) -> Self {
        self.in_token = false;
        self
    }

    pub(super) fn build(
        shown: Vec<Shown>,
        auth: Arc<ClientAuth>,
        server_names: Vec<String>,
        tickets: BoundTickets,
    ) -> Result<Self, String> {
        if shown.is_empty() || shown.iter().any(|shown| shown.chain.is_empty()) {
            return Err("the server's certificate chain is empty".into());
        }
        // Which key signs is found out only when it is asked to: with one in a token all travel.
        let in_token = shown.iter().any(Shown::in_token);
        let is_rsa = |shown: &Shown| shown.algorithm() == SignatureAlgorithm::RSA;
        let signs_long = !in_token && shown.iter().any(is_rsa);
        let resolver = Arc::new(Chooser::new(&shown, &auth.profile().provider()));
        let parts = Parts {
            shown,
            tickets: tickets.clone(),
        };
        let tickets = Arc::new(tickets);
        let profile = auth.profile();
        let configured = |provider| {
            let (auth, tickets) = (Arc::clone(&auth) as _, Arc::clone(&tickets) as _);
            let config = profile.server_config(provider, auth, Arc::clone(&resolver) as _, tickets);
            let config = Arc::new(config?);
            // Whatever a configuration can make fail, fails here and not for a client.
            UnbufferedServerConnection::new(Arc::clone(&config))
                .map_err(|fault| fault.to_string())?;
            Ok::<_, String>(config)
        };
        let config = configured(profile.provider())?;
        let hybrid = profile.provider_of_group(HYBRID);
        let hybrid = hybrid.map(configured).transpose()?;
        Ok(Self {
            config,
            hybrid,
            auth,
            server_names,
            in_token,
            signs_long,
            parts,
        })
    }
}

/// What a handshake waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send `outgoing`, receive into `incoming`, call `advance` again.
    NeedInput,
    /// The next message may make the token sign: call `advance_signing` on a thread that may wait,
    /// once, then go on with `advance` at home.
    SignElsewhere,
    /// Whether the client's certificate is revoked has to be asked: wait for what `ask` gives, if
    /// anything, then go on with `advance`. Nothing is to be sent before.
    AwaitStatus,
    /// The client is to be served by DHE or not at all: call `admit_dhe` and then `advance`, or
    /// `refuse_dhe`.
    DheWanted,
    /// Call `finish`.
    Done,
}

/// How long a message takes the CPU to process, in requests that it could serve meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// About one: nothing but symmetric keys.
    Little,
    /// A few: an agreement on keys, a signature verified, one made on P-256.
    Some,
    /// Thirty and more: an RSA signature made here, an agreement by DHE.
    Much,
}

/// What a finished handshake leaves.
pub struct Established {
    /// The keys.
    pub session: Session,
    /// Who the client is.
    pub peer: Peer,
    /// Nothing was known of whether the certificate is revoked, and it was taken all the same.
    pub unchecked: bool,
    /// What responders have said of the certificate, where they are asked: to be held for as long
    /// as the connection stands.
    pub status: Option<Arc<Known>>,
    /// Received beyond the handshake, for [`Session::open`].
    pub incoming: Vec<u8>,
    /// To be sent still: the handshake's last flight.
    pub outgoing: Vec<u8>,
    /// Whether the client needs `outgoing` before it sends data. It does not where that is a
    /// ticket of TLS 1.3 and nothing else.
    pub awaited: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Hello,
    Retried,
    Settled,
}

/// Where a handshake waits for the client's status.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaits {
    Nothing,
    /// In TLS 1.2: this end has not finished yet.
    InTheMiddle,
    AtTheEnd,
}

/// A handshake under way.
pub struct Handshake {
    terminator: Arc<Terminator>,
    connection: UnbufferedServerConnection,
    /// The connection is one with the hybrid group alone.
    hybrid: bool,
    /// The client has been admitted to an agreement by DHE, having offered nothing better.
    dhe: bool,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    early: Vec<u8>,
    phase: Phase,
    scan: HelloScan,
    processed: usize,
    /// Where in `incoming` the first record begins that rustls was not shown to its end.
    unshown: usize,
    signed_ns: Option<u64>,
    /// The client's certificate, as read when it was verified or its ticket opened.
    leaf: Option<Arc<Leaf>>,
    /// When the session began that it begins or continues.
    session_begun: Option<UnixSeconds>,
    awaits: Awaits,
    /// It has waited for the client's status already.
    asked: bool,
    outcome: Option<Result<(), Refusal>>,
    /// That has ended it.
    alert: Option<u8>,
}

impl Handshake {
    /// Waits for a ClientHello.
    pub fn new(terminator: &Arc<Terminator>) -> Self {
        let connection = UnbufferedServerConnection::new(Arc::clone(&terminator.config))
            .expect("this configuration has made a connection in Terminator::build");
        Self {
            terminator: Arc::clone(terminator),
            connection,
            hybrid: false,
            dhe: false,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            early: Vec::new(),
            phase: Phase::Hello,
            scan: HelloScan::default(),
            processed: 0,
            unshown: 0,
            signed_ns: None,
            leaf: None,
            session_begun: None,
            awaits: Awaits::Nothing,
            asked: false,
            outcome: None,
            alert: None,
        }
    }

    /// Where received bytes are appended.
    pub fn incoming(&mut self) -> &mut Vec<u8> {
        &mut self.incoming
    }

    /// What is to be sent; the caller clears it. After a refusal it holds the alert.
    pub fn outgoing(&mut self) -> &mut Vec<u8> {
        &mut self.outgoing
    }

    /// Goes on as far as the received bytes allow. Never signs with a key in a token.
    ///
    /// # Errors
    /// The handshake is over; every later call says the same.
    pub fn advance(&mut self, now: UnixSeconds) -> Result<Step, Refusal> {
        self.take_turn(now, false)
    }

    /// Like [`Self::advance`], on a thread that may wait for the token.
    ///
    /// # Errors
    /// As of [`Self::advance`].
    pub fn advance_signing(&mut self, now: UnixSeconds) -> Result<Step, Refusal> {
        self.take_turn(now, true)
    }

    /// Gives up because the token cannot be asked: leaves the alert `internal_error` in `outgoing`.
    pub fn refuse_unsigned(&mut self) -> Refusal {
        if self.outcome.is_none() {
            self.plain_alert(alerts::INTERNAL_ERROR);
            self.outcome = Some(Err(Refusal::SignerFailed));
        }
        Refusal::SignerFailed
    }

    /// After [`Step::DheWanted`]: lets the agreement begin.
    pub fn admit_dhe(&mut self) {
        self.dhe = true;
    }

    /// After [`Step::DheWanted`]: gives up, and leaves the alert `internal_error` in `outgoing`.
    /// The client has done nothing wrong, and the same hello may be served a moment later:
    /// `handshake_failure` would tell it that its offer is no good.
    pub fn refuse_dhe(&mut self) -> Refusal {
        self.plain_alert(alerts::INTERNAL_ERROR);
        self.outcome = Some(Err(Refusal::DheOverLimit));
        Refusal::DheOverLimit
    }

    /// Has a responder asked about the client's certificate: what comes back yields when there is
    /// an answer, or will be none. None where it cannot be asked now.
    pub fn ask(&self) -> Option<oneshot::Receiver<()>> {
        self.terminator.auth.ask(self.leaf.as_ref()?)
    }

    /// The session and who it is with. The leaf is looked at again: a resumed handshake has shown
    /// none.
    ///
    /// # Errors
    /// The handshake is not done, or the certificate is no longer good.
    pub fn finish(self, now: UnixSeconds) -> Result<Established, Refusal> {
        self.outcome.unwrap_or(Err(Refusal::Protocol))?;
        let shown = self.connection.peer_certificates().unwrap_or_default();
        let first = shown.first().ok_or(Refusal::NoClientCertificate)?;
        let leaf = match self.leaf {
            Some(leaf) if **leaf.der() == **first => leaf,
            // Of several tickets that opened, not the last one was taken.
            _ => self.terminator.auth.continued(shown, now)?,
        };
        let auth = &self.terminator.auth;
        let peer = auth.peer(&leaf, now)?;
        let doubt = auth.unrevoked(peer.client(), leaf.lineage(), now)?;
        let status = auth.status(peer.client(), &leaf);
        let awaited = self.connection.protocol_version() != Some(ProtocolVersion::TLSv1_3);
        let in_place = self.terminator.auth.profile().in_place();
        let session = Session::new(self.connection, self.early, in_place);
        Ok(Established {
            session: session.map_err(|_| Refusal::Protocol)?,
            unchecked: doubt.is_some(),
            status,
            peer,
            incoming: self.incoming,
            outgoing: self.outgoing,
            awaited,
        })
    }

    /// Whether an earlier session was continued. `None` until that is known.
    pub fn resumed(&self) -> Option<bool> {
        self.connection
            .handshake_kind()
            .map(|kind| kind == HandshakeKind::Resumed)
    }

    /// The alert that was left in `outgoing` after a refusal, as RFC 8446 names it; empty where
    /// there is none.
    pub fn alert(&self) -> &'static str {
        self.alert.map_or("", alerts::word)
    }

    /// How long the next message may take the CPU.
    pub fn effort(&self) -> Effort {
        match self.phase {
            Phase::Settled if self.resumed() == Some(true) => Effort::Little,
            Phase::Settled if self.dhe => Effort::Much,
            Phase::Settled => Effort::Some,
            Phase::Hello | Phase::Retried if self.terminator.signs_long => Effort::Much,
            Phase::Hello | Phase::Retried => Effort::Some,
        }
    }

    /// How long the server key took to sign, in nanoseconds, if it has.
    pub fn signed_ns(&self) -> Option<u64> {
        self.signed_ns
    }

    fn take_turn(&mut self, now: UnixSeconds, may_wait: bool) -> Result<Step, Refusal> {
        match self.outcome {
            Some(Ok(())) => return Ok(Step::Done),
            Some(Err(refusal)) => return Err(refusal),
            None => {}
        }
        let step = self.step(now, may_wait);
        match step {
            Ok(Step::Done) => self.outcome = Some(Ok(())),
            Err(refusal) => self.outcome = Some(Err(refusal)),
            Ok(_) => {}
        }
        step
    }

    fn step(&mut self, now: UnixSeconds, may_wait: bool) -> Result<Step, Refusal> {
        match std::mem::replace(&mut self.awaits, Awaits::Nothing) {
            Awaits::Nothing => {}
            awaited => {
                self.asked = true;
                self.judge(awaited, now)?;
                if awaited == Awaits::AtTheEnd {
                    return Ok(Step::Done);
                }
            }
        }
        if self.processed + self.incoming.len() > HANDSHAKE_BYTES_MAX {
            return Err(Refusal::TooLong);
        }
        if self.phase != Phase::Settled {
            match self.scan.look(&self.incoming) {
                Hello::Partial => return Ok(Step::NeedInput),
                Hello::Complete => {
                    if self.phase == Phase::Hello {
                        self.check_form()?;
                        self.check_server_name()?;
                        self.prefer_hybrid();
                    }
                    if self.terminator.in_token && !may_wait {
                        let resumed = self.resume_here(now);
                        return resumed.unwrap_or(Ok(Step::SignElsewhere));
                    }
                }
                // rustls lets a warning pass, and then a hello behind it that was not looked at.
                Hello::Other if self.phase == Phase::Hello => {
                    self.plain_alert(alerts::DECODE_ERROR);
                    return Err(Refusal::NotTls);
                }
                Hello::Oversized => {
                    self.plain_alert(alerts::RECORD_OVERFLOW);
                    return Err(Refusal::Protocol);
                }
                // Nothing is signed for it, and rustls finds the word and the alert.
                Hello::Other => {}
            }
        }
        // What is needed to begin again: see `DheWanted`.
        let has_dhe = self.terminator.auth.profile().has_dhe();
        let may_want = self.phase == Phase::Hello && has_dhe && !self.dhe;
        let hello = may_want.then(|| self.incoming.clone());
        let turn = Turn::enter(now, may_wait, self.dhe).of_session_begun(self.session_begun);
        let first = self.incoming.first().copied();
        let step = match (self.process(&turn), hello) {
            (Err(_), Some(hello)) if turn.dhe_wanted() => return self.begin_again(hello),
            (outcome, _) => outcome.map_err(|error| self.refuse(&error, &turn, first))?,
        };
        self.awaits = match step {
            Step::AwaitStatus => Awaits::InTheMiddle,
            Step::Done if self.must_ask(now) => Awaits::AtTheEnd,
            _ => return Ok(step),
        };
        Ok(Step::AwaitStatus)
    }

    /// Whether the client's status has to be asked, and has not been.
    fn must_ask(&self, now: UnixSeconds) -> bool {
        let leaf = self.leaf.as_ref().filter(|_| !self.asked);
        leaf.is_some_and(|leaf| self.terminator.auth.must_ask(leaf, now))
    }

    /// Judges the client by what is known now; a refusal leaves its alert.
    //= RFC 8446 section 4.4.2.4
    //# A certificate that is revoked ends the handshake with an alert that says so.
    fn judge(&mut self, awaited: Awaits, now: UnixSeconds) -> Result<(), Refusal> {
        let auth = &self.terminator.auth;
        let judged = self.leaf.as_ref().map_or(Ok(()), |leaf| {
            let peer = auth.peer(leaf, now)?;
            auth.unrevoked(peer.client(), leaf.lineage(), now)?;
            Ok(())
        });
        let refusal = match judged {
            Ok(()) => return Ok(()),
            Err(refusal) => refusal,
        };
        if awaited == Awaits::InTheMiddle {
            self.plain_alert(alert_of(refusal));
            return Err(refusal);
        }
        // What is left of the handshake is its keys, which seal the alert; where they stay with
        // the library, it says close_notify.
        let in_place = auth.profile().in_place();
        if let Ok(fresh) = UnbufferedServerConnection::new(Arc::clone(self.config())) {
            let done = std::mem::replace(&mut self.connection, fresh);
            if let Ok(mut session) = Session::new(done, Vec::new(), in_place) {
                self.alert = Some(session.distrust(refusal, &mut self.outgoing));
            }
        }
        Err(refusal)
    }

    /// As if the hello had not been looked at. rustls stopped before it had made any key.
    fn begin_again(&mut self, hello: Vec<u8>) -> Result<Step, Refusal> {
        let fresh = UnbufferedServerConnection::new(Arc::clone(self.config()));
        self.connection = fresh.map_err(|_| Refusal::Protocol)?;
        self.incoming = hello;
        self.outgoing.clear();
        Ok(Step::DheWanted)
    }

    /// Continues a session without leaving the shard, where the hello offers one and its ticket
    /// opens: that takes no signature. None where it would: then nothing has happened, and the
    /// hello is processed again where the token may be waited for.
    fn resume_here(&mut self, now: UnixSeconds) -> Option<Result<Step, Refusal>> {
        // Who was admitted to DHE has offered no session that goes on.
        if self.phase != Phase::Hello || self.dhe || !offers_session(&message(&self.incoming)) {
            return None;
        }
        let fresh = UnbufferedServerConnection::new(Arc::clone(self.config())).ok()?;
        let hello = self.incoming.clone();
        let turn = Turn::enter(now, false, false);
        let first = self.incoming.first().copied();
        match self.process(&turn) {
            Ok(step) => Some(Ok(step)),
            Err(_) if turn.refusal() == Some(Refusal::SignerFailed) => {
                self.connection = fresh;
                self.incoming = hello;
                self.outgoing.clear();
                None
            }
            Err(_) if turn.dhe_wanted() => Some(self.begin_again(hello)),
            Err(error) => Some(Err(self.refuse(&error, &turn, first))),
        }
    }

    /// Lets rustls process what is there. Stops at the handshake's end: later records are the
    /// session's.
    fn process(&mut self, turn: &Turn) -> Result<Step, Error> {
        sealed::take_alert();
        let mut at = 0;
        // rustls is shown one record more whenever it is blocked: shown all, it would go on behind
        // the handshake's last one, and what it then knows of the session would stay with it.
        // It goes on where it was, and joins messages over the headers of records that it has been
        // shown: their lengths are read before.
        let mut end = record_end(&self.incoming, self.unshown);
        let step = loop {
            let mut blocked = false;
            let shown = end.unwrap_or(self.incoming.len());
            let rest = self.incoming.get_mut(at..shown).unwrap_or_default();
            let status = self.connection.process_tls_records(rest);
            at += status.discard;
            match status.state? {
                ConnectionState::EncodeTlsData(mut data) => {
                    session::encode(&mut data, &mut self.outgoing);
                }
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(Ok(record)) = traffic.next_record() {
                        self.early.extend_from_slice(record.payload);
                    }
                }
                ConnectionState::BlockedHandshake => blocked = true,
                _ => break Step::Done,
            }
            if blocked {
                if turn.key_shown() {
                    self.leaf = turn.take_leaf().or(self.leaf.take());
                    if self.must_ask(turn::now()) {
                        break Step::AwaitStatus;
                    }
                }
                if shown == self.incoming.len() {
                    break Step::NeedInput;
                }
                end = record_end(&self.incoming, shown);
                self.unshown = shown;
            } else if !self.connection.is_handshaking() && !self.connection.wants_write() {
                break Step::Done;
            }
        };
        session::remove(&mut self.incoming, at);
        self.unshown = end.unwrap_or(self.unshown).saturating_sub(at);
        self.processed += at;
        self.session_begun = turn.session_begun();
        self.leaf = turn.take_leaf().or(self.leaf.take());
        if self.phase != Phase::Settled {
            self.signed_ns = turn.signed_ns();
            let settled = self.signed_ns.is_some() || self.resumed() == Some(true);
            self.phase = if settled {
                Phase::Settled
            } else {
                Phase::Retried
            };
            self.scan = HelloScan::default();
        }
        Ok(step)
    }

    fn refuse(&mut self, error: &Error, turn: &Turn, first: Option<u8>) -> Refusal {
        let noted = turn.refusal();
        if noted == Some(Refusal::SignerFailed) {
            // rustls sends no alert for this, and its ServerHello is not out: plaintext is right.
            self.plain_alert(alerts::INTERNAL_ERROR);
            return Refusal::SignerFailed;
        }
        let sent = self.outgoing.len();
        session::drain_alert(&mut self.connection, &mut self.outgoing);
        self.alert = alerts::told(&self.outgoing[sent..], sealed::take_alert());
        // rustls has none for some that come before the keys: another name after a retry.
        let silent = self.alert.is_none() && self.phase != Phase::Settled;
        let silent = silent && !alerts::sealed(&self.outgoing);
        if let Some(alert) = alerts::closest(error).filter(|_| silent) {
            self.plain_alert(alert);
        }
        if self.phase == Phase::Hello && first != Some(CONTENT_HANDSHAKE) {
            return Refusal::NotTls;
        }
        noted.unwrap_or_else(|| alerts::refusal_of(error))
    }

    fn config(&self) -> &Arc<ServerConfig> {
        let terminator = &self.terminator;
        let hybrid = terminator.hybrid.as_ref();
        hybrid.filter(|_| self.hybrid).unwrap_or(&terminator.config)
    }

    /// rustls takes the group that the client names first; a hybrid that the client has sent a
    /// share for comes before whatever that is.
    fn prefer_hybrid(&mut self) {
        let preferred = wants_hybrid(&message(&self.incoming), self.terminator.auth.profile());
        if self.hybrid || !preferred {
            return;
        }
        self.hybrid = true;
        match UnbufferedServerConnection::new(Arc::clone(self.config())) {
            Ok(connection) => self.connection = connection,
            Err(_) => self.hybrid = false,
        }
    }

    /// rustls would blame something else.
    //= TS 33.210 clause 6.2.1
    //# TLS 1.1 and older are refused, as what they are.
    //= RFC 8446 section 9.2
    //# A hello that lacks what it must have is refused by missing_extension.
    fn check_form(&mut self) -> Result<(), Refusal> {
        let hello = message(&self.incoming);
        let alert = match hello::version(&hello) {
            Some(version) if *version < [3, 3][..] => alerts::PROTOCOL_VERSION,
            _ if hello::lacks_extension(&hello) => alerts::MISSING_EXTENSION,
            _ => return Ok(()),
        };
        self.plain_alert(alert);
        Err(Refusal::NoCommonProfile)
    }

    /// rustls' own parser reads the ClientHello, so that both see the same name.
    fn check_server_name(&mut self) -> Result<(), Refusal> {
        if self.terminator.server_names.is_empty() {
            return Ok(());
        }
        let mut acceptor = Acceptor::default();
        let mut rest = self.incoming.as_slice();
        while !rest.is_empty() {
            if acceptor.read_tls(&mut rest).is_err() {
                break;
            }
            // A fault is found again, and answered, by the connection itself.
            let Ok(accepted) = acceptor.accept() else {
                return Ok(());
            };
            let Some(accepted) = accepted else { continue };
            let hello = accepted.client_hello();
            let known = &self.terminator.server_names;
            let is_known = match hello.server_name() {
                Some(asked) => known.iter().any(|name| own_chain::covers(name, asked)),
                // rustls passes over what is no host name, such as an address: a client that asks
                // for that asks for nothing that is served.
                None => !hello::names_a_server(&message(&self.incoming)),
            };
            if is_known {
                return Ok(());
            }
            self.plain_alert(alerts::UNRECOGNIZED_NAME);
            return Err(Refusal::UnknownSni);
        }
        Ok(())
    }

    /// A fatal alert before any keys.
    fn plain_alert(&mut self, description: u8) {
        self.outgoing
            .extend_from_slice(&[21, 3, 3, 0, 2, 2, description]);
        self.alert = Some(description);
    }
}
