//! Every check a request must pass, in the order in which it must pass them.

use std::borrow::Cow;
use std::cell::{RefCell, RefMut};
use std::sync::Arc;

use crate::audit::{Record, TokenVerdict};
use crate::authz::apis::shape::Shape;
use crate::authz::apis::{Action, ApiFault, ApiId, Operation, Verb};
use crate::authz::cache::{CachedGrant, Memo, TokenCache};
use crate::authz::content::{self, About, Content, Origin};
use crate::authz::details::{Gives, LimitedRights};
use crate::authz::introspection;
use crate::authz::policy::{self, Extent, Source};
use crate::authz::quota::{self, Leases, Now};
use crate::authz::refused::{Refusal, RefusedTokens, TokenDigest};
use crate::authz::scope::Rights;
use crate::authz::token::{self, TokenFault, VerifiedToken};
use crate::clock::{Nanos, UnixSeconds};
use crate::http::fields;
use crate::http::head::{Authorization, BodyLength, Method, RequestHead};
use crate::http::media;
use crate::http::path;
use crate::limits::TOKEN_BYTES_MAX;
use crate::metrics::{Counters, Latencies, Phase};
use crate::peer::{ClientIndex, Peer};
use crate::revoked::{Form, Presented};
use crate::snapshot::Snapshot;

use super::denial::Denial;
use super::look;

/// A request that may be forwarded once its body has been judged, and in whose name. Only [`admit`]
/// makes one.
#[derive(Debug)]
pub struct Permit<'p> {
    scs_as_id: Cow<'p, str>,
    /// What is asked for.
    pub asks: Asks,
}

/// What an admitted request asks for, for whoever judges what stands in it and in its answer.
#[derive(Debug)]
pub struct Asks {
    pub api: ApiId,
    pub resource: &'static str,
    pub action: &'static Action,
    /// How much of it decides.
    pub extent: Extent,
    /// What the token gives with some only, where scopes alone do not decide.
    pub limited: Option<Arc<LimitedRights>>,
    /// What it gives with anything.
    pub rights: Rights,
    /// The client's when it was admitted.
    pub generation: u64,
}

impl Permit<'_> {
    /// The verified SCS/AS identifier: of the path, or the client's first where the API has none
    /// in its paths.
    pub fn scs_as_id(&self) -> &str {
        &self.scs_as_id
    }
}

impl Asks {
    /// The operation, as policies and allowances know it.
    fn operation(&self) -> (ApiId, Verb, &'static str) {
        (self.api, self.action.verb, self.resource)
    }

    /// Whether its answer has to be granted as well, as far as it says whom it is about.
    pub fn holds_answer(&self) -> bool {
        self.extent == Extent::ByContent && content::names_subscribers(self.action.gives)
    }

    /// Whether what stands in its answer decides.
    pub fn is_judged_by_answer(&self, method: Method) -> bool {
        method == Method::Get && self.holds_answer()
    }

    /// What has to be looked at before it may go on: the path and what a GET of it gives.
    pub fn look<'p>(
        &self,
        head: &RequestHead<'_, 'p>,
        snapshot: &Snapshot,
    ) -> Option<(&'p str, Shape)> {
        if self.extent == Extent::Whole || self.is_judged_by_answer(head.method) {
            return None;
        }
        look::place(head.path, self.action.verb == Verb::Post, &snapshot.apis)
    }

    /// What its query says, and its path, where that decides.
    ///
    /// # Errors
    /// It could be read in two ways.
    pub fn query(
        &self,
        head: &RequestHead<'_, '_>,
    ) -> Result<Option<Box<Content<'static>>>, Denial> {
        let ports = { head.path.rsplit('/').next() }.filter(|_| self.action.ports_in_path);
        if self.extent == Extent::Whole || (head.query.is_none() && ports.is_none()) {
            return Ok(None);
        }
        let query = head.query.unwrap_or_default();
        let mut content = content::query(query, self.action.query).map_err(malformed)?;
        if let Some(ports) = ports {
            content.join(content::ports_of_path(&path::decode(ports)).map_err(malformed)?);
        }
        Ok(Some(Box::new(content.into_owned())))
    }

    /// Whether all that is asked about is granted, by what is in force now.
    ///
    /// # Errors
    /// Something of it is not, or it cannot be said whom it means.
    pub fn granted(
        &self,
        content: &Content<'_>,
        client: ClientIndex,
        snapshot: &Snapshot,
    ) -> Result<(), Denial> {
        self.granted_about(&content.about().map_err(malformed)?, client, snapshot)
    }

    /// The same, where something else says whom it is about besides those that it names.
    ///
    /// # Errors
    /// As of [`Self::granted`].
    pub fn granted_besides(
        &self,
        content: &Content<'_>,
        client: ClientIndex,
        snapshot: &Snapshot,
    ) -> Result<(), Denial> {
        match content.names_nobody() {
            true => Ok(()),
            false => self.granted_about(&content.besides().map_err(malformed)?, client, snapshot),
        }
    }

    /// The same, of what has been read.
    ///
    /// # Errors
    /// As of [`Self::granted`].
    pub fn granted_about(
        &self,
        about: &About<'_>,
        client: ClientIndex,
        snapshot: &Snapshot,
    ) -> Result<(), Denial> {
        let gives = Gives {
            rights: self.rights,
            limited: self.limited.as_deref(),
        };
        let (policy, sets) = (snapshot.policy(client), snapshot.sets.as_deref());
        let decided = about.decide(policy, gives, sets, self.operation());
        decided.map_err(Denial::NotGranted)
    }

    /// Whether all that a representation is about is granted; of a list, each element for itself,
    /// for one that names nobody is about any UE, whomever those beside it name.
    ///
    /// # Errors
    /// Something of it is not, or it cannot be said whom it means.
    pub fn granted_of(
        &self,
        representation: &[u8],
        shape: Shape,
        client: ClientIndex,
        snapshot: &Snapshot,
    ) -> Result<(), Denial> {
        Self::each_granted_of(representation, shape, |is| {
            self.granted_about(is, client, snapshot)
        })
    }

    /// The same, with what a request says that it is to be done with.
    ///
    /// # Errors
    /// As of [`Self::granted_of`].
    pub fn granted_with(
        &self,
        said: &Content<'_>,
        representation: &[u8],
        shape: Shape,
        client: ClientIndex,
        snapshot: &Snapshot,
    ) -> Result<(), Denial> {
        Self::each_granted_of(representation, shape, |is| {
            self.granted_about(&is.with(said).map_err(malformed)?, client, snapshot)
        })
    }

    fn each_granted_of(
        representation: &[u8],
        shape: Shape,
        granted: impl Fn(&About<'_>) -> Result<(), Denial>,
    ) -> Result<(), Denial> {
        let unseen = |fault: content::Fault| Denial::ResourceUnseen(fault.word());
        if shape.item().is_none() {
            let is =
                content::read(representation, shape, Origin::Representation).map_err(unseen)?;
            // The client has not written what is malformed there.
            return granted(&is.about().map_err(unseen)?);
        }
        let mut denied = None;
        let filtered = content::filter(representation, shape, |is| {
            granted(is)
                .map_err(|denial| denied.get_or_insert(denial))
                .is_ok()
        });
        match (filtered.map_err(unseen)?.unreadable, denied) {
            (0, None) => Ok(()),
            (0, Some(denial)) => Err(denial),
            _ => Err(Denial::ResourceUnseen("element_malformed")),
        }
    }
}

fn malformed(fault: content::Fault) -> Denial {
    Denial::ContentMalformed(fault.word())
}

/// What a shard remembers about tokens, for [`admit`] to use.
pub struct Tokens<'a> {
    /// The connection's last token.
    pub memo: &'a mut Memo,
    /// This CPU's cache.
    pub cache: RefMut<'a, TokenCache>,
    /// What this CPU knows to be bad.
    pub refused: RefMut<'a, RefusedTokens>,
    pub counters: &'a Counters,
    pub latencies: &'a RefCell<Latencies>,
}

/// Admits a request or names precisely what was wrong. The order is the policy: API and
/// operation known, the client enabled, `{scsAsId}` the certificate's, token valid, bound and the
/// client's own, API in scope, answers acceptable, the body there and of the right media type, and
/// the client's allowances not used up: that is last, so that nothing is taken off them for what
/// is refused.
/// Notes in `record` what was asked for, and where the verdict on the token came from.
///
/// # Errors
/// The first check that failed.
pub fn admit<'p>(
    head: &RequestHead<'_, 'p>,
    peer: &Peer,
    snapshot: &'p Snapshot,
    tokens: Tokens<'_>,
    leases: &mut Leases,
    record: &mut Record,
    now: UnixSeconds,
) -> Result<Permit<'p>, Denial> {
    let verb = verb(head.method);
    let operation = { &snapshot.apis }
        .operation(head.path, verb, path::decode)
        .map_err(|fault| match fault {
            ApiFault::Unknown => Denial::ApiUnknown,
            ApiFault::VerbNotAllowed { allowed } => Denial::MethodNotAllowed(allowed),
        })?;
    record.api = Some(operation.api);
    record.resource = operation.resource;
    if now.0 > peer.not_after() {
        return Err(Denial::CertificateExpired);
    }
    let client = snapshot
        .client(peer.client())
        .ok_or(Denial::TokenOfOtherClient)?;
    // Not a matter of its tokens, so that none that is remembered gets by.
    if !client.enabled {
        return Err(Denial::ClientDisabled);
    }
    let Operation {
        api,
        resource,
        action,
        scs_as_id,
    } = operation;
    let scs_as_id = own_scs_as_id(scs_as_id, &client.scs_as_ids)?;
    let token = presented_token(head)?;
    let grant = granted(token, peer, snapshot, tokens, &mut record.token, now)?;
    let asks = asks((api, resource, action), grant, peer, snapshot)?;
    understood(head, action)?;
    allow(leases, peer.client(), asks.operation(), now)?;
    Ok(Permit { scs_as_id, asks })
}

/// What a request for an operation asks for, if the operation is granted.
fn asks(
    operation: (ApiId, &'static str, &'static Action),
    grant: &CachedGrant,
    peer: &Peer,
    snapshot: &Snapshot,
) -> Result<Asks, Denial> {
    let (api, resource, action) = operation;
    let policy = snapshot.policy(peer.client());
    let extent = policy::extent(policy, grant.gives(), (api, action.verb, resource));
    //= RFC 9068 section 4
    //# The scope must cover what is asked for.
    let extent = extent.map_err(|denied| match denied.by {
        Source::Token => Denial::ScopeInsufficient(api, action.verb),
        Source::Policy => Denial::NotGranted(denied),
    })?;
    Ok(Asks {
        api,
        resource,
        action,
        extent,
        limited: match extent == Extent::Whole && grant.grant.rights.allow(api, action.verb) {
            true => None,
            false => grant.limited.clone(),
        },
        rights: grant.grant.rights,
        generation: grant.generation,
    })
}

/// Admits a request anew whose body has come meanwhile: what its token gives may have ended, or
/// have been revoked, or the client be held to something else.
///
/// # Errors
/// As of [`admit`].
pub fn admit_again(
    asked: &Asks,
    token: &[u8],
    peer: &Peer,
    snapshot: &Snapshot,
    tokens: Tokens<'_>,
    now: UnixSeconds,
) -> Result<Asks, Denial> {
    if now.0 > peer.not_after() {
        return Err(Denial::CertificateExpired);
    }
    let client = snapshot.client(peer.client());
    if !client.ok_or(Denial::TokenOfOtherClient)?.enabled {
        return Err(Denial::ClientDisabled);
    }
    let mut verdict = TokenVerdict::None;
    let grant = granted(token, peer, snapshot, tokens, &mut verdict, now)?;
    let operation = (asked.api, asked.resource, asked.action);
    asks(operation, grant, peer, snapshot)
}

/// Whether one more request is within its client's allowances.
fn allow(
    leases: &mut Leases,
    client: ClientIndex,
    asked: quota::Asked<'_>,
    wall: UnixSeconds,
) -> Result<(), Denial> {
    // Most have none, and no clock is read for them.
    if !leases.concern(client) {
        return Ok(());
    }
    let steady = Nanos::now();
    leases.allow(client, asked, Now { steady, wall })?;
    Ok(())
}

/// Takes an admitted request off its client's allowances, and the event types that it names, or
/// nothing: once it is going to the SCEF, or a look at what it is about.
///
/// # Errors
/// That one of the allowances is used up.
pub fn charge(
    leases: &mut Leases,
    client: ClientIndex,
    asks: &Asks,
    said: &Content<'_>,
    wall: UnixSeconds,
) -> Result<(), Denial> {
    if !leases.concern(client) {
        return Ok(());
    }
    let named: Vec<&str> = match leases.count_event_types(client) {
        true => said.monitoring_types().collect(),
        false => Vec::new(),
    };
    let steady = Nanos::now();
    leases.charge(client, asks.operation(), &named, Now { steady, wall })?;
    Ok(())
}

/// Whether both sides can read what the other is to send, as far as the head says.
fn understood(head: &RequestHead<'_, '_>, action: &Action) -> Result<(), Denial> {
    if head.accept != 0 && !media::accepts_json(accepted(head)) {
        return Err(Denial::NotAcceptable);
    }
    let has_body = !matches!(head.body, BodyLength::None | BodyLength::Length(0));
    if has_body && fields::are_of_coded_body(head.fields) {
        return Err(Denial::ContentCoded);
    }
    let Some(body) = &action.takes else {
        return Ok(());
    };
    match head.body {
        BodyLength::None => return Err(Denial::LengthMissing),
        BodyLength::Length(0) => return Err(Denial::BodyMissing),
        // Whether chunks hold anything is seen when they are read.
        BodyLength::Length(_) | BodyLength::Chunked => {}
    }
    //= TS 29.122 clause 5.2.3
    //# Bodies are JSON, in the media type of their operation.
    match head.content_type {
        Some(value) if media::is(value, body.media.name()) => Ok(()),
        _ => Err(Denial::MediaTypeUnsupported(action.verb, body.media)),
    }
}

/// The values of the `Accept` fields.
fn accepted<'b>(head: &RequestHead<'_, 'b>) -> impl Iterator<Item = &'b [u8]> {
    let mut left = head.accept;
    std::iter::from_fn(move || {
        let field = head.fields.get(left.trailing_zeros() as usize)?;
        left &= left - 1;
        Some(field.value)
    })
}

/// HEAD is authorized as GET; OPTIONS and the methods T8 does not have are no verbs.
fn verb(method: Method) -> Option<Verb> {
    match method {
        Method::Get | Method::Head => Some(Verb::Get),
        Method::Post => Some(Verb::Post),
        Method::Put => Some(Verb::Put),
        Method::Patch => Some(Verb::Patch),
        Method::Delete => Some(Verb::Delete),
        Method::Options | Method::Other => None,
    }
}

fn own_scs_as_id<'p>(
    named: Option<Cow<'p, str>>,
    own: &'p [String],
) -> Result<Cow<'p, str>, Denial> {
    match named {
        Some(id) if own.iter().any(|own| *own == *id) => Ok(id),
        Some(_) => Err(Denial::ScsAsIdForeign),
        None => match own.first() {
            Some(first) => Ok(Cow::Borrowed(first)),
            None => Err(Denial::ScsAsIdForeign),
        },
    }
}

const BEARER: &[u8] = b"bearer ";

/// The token, from the one place it may stand in, and of the form that tokens have.
pub(super) fn bearer<'p>(head: &RequestHead<'_, 'p>) -> Result<&'p [u8], Denial> {
    let token = presented_token(head)?;
    well_formed(token)?;
    Ok(token)
}

/// What else would be no token its verification finds.
fn well_formed(token: &[u8]) -> Result<(), Denial> {
    match memchr::memchr3(b' ', b',', b'\t', token) {
        None => Ok(()),
        Some(_) => Err(Denial::AuthorizationMalformed),
    }
}

/// The same, of whatever form: one that is remembered is well-formed, and that is not looked for in
/// every request.
fn presented_token<'p>(head: &RequestHead<'_, 'p>) -> Result<&'p [u8], Denial> {
    //= RFC 6750 section 2
    //# A request carries its token once and in one way; we take the field and nothing else.
    if head.query.is_some_and(names_a_token) {
        return Err(Denial::TokenInQuery);
    }
    let value = match head.authorization {
        Authorization::Absent => return Err(Denial::TokenMissing),
        Authorization::Repeated => return Err(Denial::TokenRepeated),
        Authorization::One(value) => value,
    };
    match value.split_at_checked(BEARER.len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(BEARER) && !token.is_empty() => {
            Ok(token)
        }
        //= RFC 6750 section 3.1
        //# Who comes with another scheme has brought no token.
        _ if !value
            .get(..6)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case(&BEARER[..6])) =>
        {
            Err(Denial::TokenMissing)
        }
        _ => Err(Denial::AuthorizationMalformed),
    }
}

fn names_a_token(query: &str) -> bool {
    query.split('&').any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        path::decode(name).eq_ignore_ascii_case("access_token")
    })
}

/// What the token grants: as remembered by the connection, by this CPU, or verified now. The
/// connection remembers it from then on.
fn granted<'m>(
    token: &[u8],
    peer: &Peer,
    snapshot: &Snapshot,
    tokens: Tokens<'m>,
    verdict: &mut TokenVerdict,
    now: UnixSeconds,
) -> Result<&'m CachedGrant, Denial> {
    let Tokens {
        memo,
        mut cache,
        mut refused,
        counters,
        latencies,
    } = tokens;
    let still_holds = |known: &&CachedGrant| known.generation == snapshot.generation(known.client);
    if memo
        .lookup(token, now)
        .is_some_and(|known| still_holds(&known))
    {
        // It was held against this connection's certificate when it was remembered.
        counters.tokens_remembered.bump();
        *verdict = TokenVerdict::Remembered;
        return remembered(memo);
    }
    if let Some(known) = cache.lookup(token, now).filter(still_holds) {
        counters.tokens_cached.bump();
        *verdict = TokenVerdict::Cached;
        owned(known, peer, snapshot)?;
        memo.set(token, known.clone());
        return remembered(memo);
    }
    well_formed(token)?;
    if let Some(unasked) = not_asked_about(token, snapshot) {
        // Something has been revoked since it was asked about, which is no reason to ask again.
        let answer = cache.answer(token, now).ok_or(unasked)?;
        counters.tokens_cached.bump();
        *verdict = TokenVerdict::Cached;
        let grant = remember(token, &answer, snapshot, &mut cache, now)?;
        return held(token, grant, peer, snapshot, memo);
    }
    let digest = TokenDigest::of(token);
    match refused.lookup(&digest, now) {
        Some(Refusal::Fault(fault)) => {
            counters.tokens_refused_again.bump();
            return Err(Denial::TokenInvalid(*fault));
        }
        // It is good but for that, which may have been taken back.
        Some(Refusal::Revoked(verified)) => {
            counters.tokens_refused_again.bump();
            let grant = remember(token, verified, snapshot, &mut cache, now)?;
            return held(token, grant, peer, snapshot, memo);
        }
        None => {}
    }
    if !refused.has_budget(peer.client(), now) {
        return Err(Denial::TokenFailuresExceeded);
    }
    counters.tokens_verified.bump();
    *verdict = TokenVerdict::Verified;
    let begun = Nanos::now();
    let verified = token::verify(token, &snapshot.issuers, now);
    let took = Nanos::now().since(begun);
    latencies.borrow_mut().record(Phase::Verify, took);
    let verified = verified.map_err(|fault| match fault {
        TokenFault::KeysUnknown => Denial::IssuerKeysUnknown,
        TokenFault::SomeKeysUnknown => {
            // It took as much as any other that no key verifies; the keys that lack may be had
            // with the next one, so that it is not known as bad.
            refused.charge(peer.client(), now);
            Denial::IssuerKeysUnknown
        }
        fault => {
            refused.note(&digest, fault, peer.client(), now);
            Denial::TokenInvalid(fault)
        }
    })?;
    let grant = remember(token, &verified, snapshot, &mut cache, now);
    match grant {
        Err(Denial::TokenOfOtherClient) => refused.charge(peer.client(), now),
        Err(Denial::TokenRevoked(_)) => {
            refused.note_revoked(&digest, verified, peer.client(), now);
        }
        _ => {}
    }
    held(token, grant?, peer, snapshot, memo)
}

/// What a token that this CPU remembers gives on this connection, which remembers it as well.
fn held<'m>(
    token: &[u8],
    grant: CachedGrant,
    peer: &Peer,
    snapshot: &Snapshot,
    memo: &'m mut Memo,
) -> Result<&'m CachedGrant, Denial> {
    owned(&grant, peer, snapshot)?;
    memo.set(token, grant);
    remembered(memo)
}

/// What the connection remembers of the token that was looked for.
fn remembered(memo: &Memo) -> Result<&CachedGrant, Denial> {
    // One that is longer than a token may be was refused before.
    let last = memo.last().map(|(_, grant)| grant);
    last.ok_or(Denial::TokenInvalid(TokenFault::TooLong))
}

/// Whether nothing can be said of a token before its issuer has been asked about it.
fn not_asked_about(token: &[u8], snapshot: &Snapshot) -> Option<Denial> {
    if snapshot.introspection.is_none() || !introspection::is_opaque(token) {
        return None;
    }
    // It is opened here, and nobody else is shown it, whatever becomes of it.
    if snapshot.issuers.have_sealed(token) {
        return None;
    }
    Some(match token.len() > TOKEN_BYTES_MAX {
        true => Denial::TokenInvalid(TokenFault::TooLong),
        false if !introspection::is_b64token(token) => Denial::TokenInvalid(TokenFault::Malformed),
        false => Denial::TokenUnasked,
    })
}

/// Has this CPU know from now on what a token gives, if it is a client's.
///
/// # Errors
/// There is no such client.
pub(super) fn remember(
    token: &[u8],
    verified: &VerifiedToken,
    snapshot: &Snapshot,
    cache: &mut TokenCache,
    now: UnixSeconds,
) -> Result<CachedGrant, Denial> {
    let client = snapshot.clients_by_id.get(&verified.client_id).copied();
    let client = client.ok_or(Denial::TokenOfOtherClient)?;
    // Before it is asked what is revoked: what is revoked meanwhile comes with another.
    let generation = snapshot.generation(client);
    //= RFC 7009 section 2.2
    //# A token that is revoked is of no use from then on.
    let presented = presented(token, verified);
    if let Some(by) = snapshot.revoked.token(&presented) {
        return Err(Denial::TokenRevoked(by));
    }
    let grant = CachedGrant {
        client,
        grant: verified.grant,
        generation,
        limited: verified.limited.clone(),
    };
    match presented.kid {
        Some(_) => cache.insert(token, grant.clone(), now),
        None => cache.insert_answered(token, grant.clone(), verified, now),
    }
    Ok(grant)
}

/// A verified token, as what is revoked is looked up by it.
pub(super) fn presented<'t>(token: &'t [u8], verified: &'t VerifiedToken) -> Presented<'t> {
    let kid = verified.key_id.as_deref();
    let (token, kid) = match introspection::is_opaque(token) {
        // No key has to do with what its issuer was asked about.
        true => (Form::Opaque(token), kid),
        false => (Form::Signed(token), Some(kid.unwrap_or_default())),
    };
    Presented {
        token,
        issuer: &verified.issuer,
        jti: verified.jti.as_deref(),
        client_id: &verified.client_id,
        kid,
        issued_at: verified.issued.at(),
        issued_from: verified.issued.earliest(),
        ends: verified.ends,
    }
}

/// Holds a grant against the connection it is used on.
pub(super) fn owned(grant: &CachedGrant, peer: &Peer, snapshot: &Snapshot) -> Result<(), Denial> {
    //= RFC 8705 section 3
    //# The certificate of this TLS connection is the one the token is bound to.
    match grant.grant.thumbprint {
        Some(bound) if bound != peer.thumbprint() => return Err(Denial::TokenOfOtherCertificate),
        // Whose it is has to be said by its client_id alone then.
        None if !{ snapshot.client(peer.client()) }.is_some_and(|client| client.unbound_tokens) => {
            return Err(Denial::TokenInvalid(TokenFault::NotBound));
        }
        _ => {}
    }
    if grant.client != peer.client() {
        return Err(Denial::TokenOfOtherClient);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
