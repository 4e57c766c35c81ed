//! Requests to the embedded issuer: its documents, and tokens. A token is decided about here and
//! signed on a thread that may wait for the token its key is in; one that is revoked is so where
//! all revocations are handed in.

use std::borrow::Cow;
use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use crate::audit::{Kind, Outcome, RequestId};
use crate::authz::apis::{Verb, Verbs};
use crate::authz::refused::{Refusal, TokenDigest};
use crate::authz::token::{self, TokenFault, VerifiedToken};
use crate::clock::{Millis, UnixSeconds};
use crate::http::document::{Document, write_document};
use crate::http::head::{Authorization, Method, RequestHead};
use crate::http::path;
use crate::limits::{DOCUMENT_MAX_AGE_S, FORM_BYTES_MAX, REVOCATION_WAIT};
use crate::metrics::Phase;
use crate::oauth::{
    Caller, Endpoint, Grant, GrantFault, INACTIVE, Issuer, Minted, Scheme, issued_to, security_id,
};
use crate::revoked::desk::Refused as Unrevoked;
use crate::revoked::{Revocation, Whose, of_token};
use crate::signers::Signs;
use crate::snapshot::Snapshot;

use super::connection::{Connection, Received, Then};
use super::denial::Denial;
use super::gate::presented;
use super::introspection;
use super::local::Local;
use super::refusal::Refused;
use super::source::{Sink, Source};

const FORM: &str = "application/x-www-form-urlencoded";
const READ: Verbs = Verbs::of(&[Verb::Get]);
const CALL: Verbs = Verbs::of(&[Verb::Post]);

/// A request to the issuer, and what has to be known of it when its head is gone.
pub(super) struct Ask {
    pub id: RequestId,
    issuer: Arc<Issuer>,
    endpoint: Endpoint,
    /// Of a path of CAPIF's: which client's it is.
    security_id: Option<String>,
    method: Method,
    body: Source,
    /// The connection can carry another request.
    keep_alive: bool,
    expects_continue: bool,
    /// What its head alone says against it.
    fault: Option<GrantFault>,
    /// How it authenticates beside its certificate, as its head says.
    authorization: Option<Scheme>,
}

/// Why there is no form.
enum Broken {
    Denied(Denial),
    Gone(Then),
}

impl From<Denial> for Broken {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl Ask {
    /// Of the head of a request to `endpoint`.
    pub fn of(
        head: &RequestHead<'_, '_>,
        issuer: &Arc<Issuer>,
        endpoint: Endpoint,
        id: RequestId,
        body: Source,
        keep_alive: bool,
    ) -> Self {
        let named = |name: &'static str| {
            let fields = head.fields.iter();
            fields.filter(move |field| field.name.eq_ignore_ascii_case(name))
        };
        let mut types = named("content-type");
        // Said twice, it could be read in two ways.
        let form = match (types.next(), types.next()) {
            (Some(only), None) => is_form(only.value),
            _ => false,
        };
        let coded = named("content-encoding").any(|field| is_coded(field.value));
        let (fault, authorization) = match head.authorization {
            _ if coded => (Some(GrantFault::FormCoded), None),
            _ if !form => (Some(GrantFault::FormMalformed), None),
            Authorization::Absent => (None, None),
            Authorization::One(value) => (None, Some(Scheme::of(value))),
            Authorization::Repeated => (Some(GrantFault::SecondAuthentication), None),
        };
        Self {
            id,
            issuer: Arc::clone(issuer),
            endpoint,
            security_id: security_id(head.path).map(|id| path::decode(id).into_owned()),
            method: head.method,
            body,
            keep_alive,
            expects_continue: head.expect_continue,
            fault,
            authorization,
        }
    }
}

/// Whether a `Content-Type` is that of a form in UTF-8, where it says in what.
//= RFC 6749 appendix B
//# What a form is encoded from is UTF-8.
fn is_form(content_type: &[u8]) -> bool {
    let parts = content_type.split(|byte| *byte == b';');
    let mut parts = parts.map(<[u8]>::trim_ascii);
    let media_type = parts.next().unwrap_or_default();
    media_type.eq_ignore_ascii_case(FORM.as_bytes()) && parts.all(is_utf8)
}

/// Whether a parameter of a media type is no `charset`, or that of UTF-8.
fn is_utf8(parameter: &[u8]) -> bool {
    let at = memchr::memchr(b'=', parameter).unwrap_or(parameter.len());
    let (name, value) = parameter.split_at(at);
    let value = value.strip_prefix(b"=").unwrap_or(value);
    let quoted = { value.strip_prefix(b"\"") }.and_then(|value| value.strip_suffix(b"\""));
    let charset = quoted.unwrap_or(value);
    !name.eq_ignore_ascii_case(b"charset") || charset.eq_ignore_ascii_case(b"utf-8")
}

/// Whether a `Content-Encoding` says that the form is not sent as it is.
fn is_coded(content_encoding: &[u8]) -> bool {
    let codings = content_encoding.split(|byte| *byte == b',');
    let mut codings = codings.map(<[u8]>::trim_ascii);
    codings.any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}

/// Answers a request to the issuer.
pub(super) async fn answer(connection: &mut Connection, mut ask: Ask) -> Then {
    connection.account.record.kind = Kind::Grant;
    connection.account.record.resource = ask.endpoint.path();
    let exchange = connection.local.snapshot().deadlines.exchange;
    connection.exchange_by = connection.watch.now().after(exchange);
    let answered = match ask.endpoint {
        // As of the gate: a connection may outlive the certificate it was opened with.
        _ if connection.local.seconds().0 > connection.standing.peer().not_after() => {
            Err(Denial::CertificateExpired.into())
        }
        Endpoint::Token | Endpoint::Capif => token(connection, &mut ask).await,
        Endpoint::Introspection => introspected(connection, &mut ask).await,
        Endpoint::Revocation => revocation(connection, &mut ask).await,
        Endpoint::Jwks | Endpoint::Metadata => document(connection, &ask).await,
    };
    connection.exchange_by = Millis::NEVER;
    match answered {
        Ok(then) => {
            connection.account.close(Outcome::Answered);
            then
        }
        Err(Broken::Denied(denial)) => {
            // Whoever waits for 100 will not send its body, or will: nobody knows.
            let goes_on = ask.keep_alive && (!ask.expects_continue || ask.body.is_done());
            let refused = Refused {
                denial,
                id: ask.id,
                head_only: ask.method == Method::Head,
                rest: goes_on.then_some(ask.body),
            };
            connection.refuse(refused).await
        }
        Err(Broken::Gone(then)) => {
            connection.account.close(Outcome::ClientGone);
            then
        }
    }
}

/// The JWK Set, or the metadata.
async fn document(connection: &mut Connection, ask: &Ask) -> Result<Then, Broken> {
    if !matches!(ask.method, Method::Get | Method::Head) {
        return Err(Denial::MethodNotAllowed(READ).into());
    }
    connection.account.judged();
    connection.account.promise()?;
    let (snapshot, now) = (connection.local.snapshot(), connection.local.seconds());
    let is_revoked = |kid: &str| snapshot.revoked.issuer_key(ask.issuer.name(), kid);
    let body = match ask.endpoint {
        Endpoint::Jwks => Cow::Owned(ask.issuer.jwks(is_revoked, now)),
        _ => Cow::Borrowed(ask.issuer.metadata()),
    };
    send(connection, ask, &body, DOCUMENT_MAX_AGE_S).await
}

/// A token, if the client may have one.
async fn token(connection: &mut Connection, ask: &mut Ask) -> Result<Then, Broken> {
    let form = form(connection, ask).await?;
    let local = Rc::clone(&connection.local);
    let grant = judged(connection, ask, |caller, now| match &ask.security_id {
        Some(id) => ask.issuer.decide_for_capif(&form, id, caller, now),
        None => ask.issuer.decide(&form, caller, now),
    })?;
    would_be_taken(&ask.issuer, &grant, &local, local.seconds())?;
    connection.account.promise()?;
    let minted = mint(connection, &ask.issuer, grant.clone()).await?;
    // Something may have been revoked while it was signed.
    would_be_taken(&ask.issuer, &grant, &local, minted.issued_at)?;
    // Of a token that is refused nothing was granted.
    connection.account.record.granted = grant.rights();
    local
        .latencies
        .borrow_mut()
        .record(Phase::Sign, minted.signed_ns);
    local.counters.tokens_issued.bump();
    send(connection, ask, &minted.json, 0).await
}

/// Whether a token of this grant that is issued at this second would be taken, for all that is
/// revoked now: one that is not is not handed out.
fn would_be_taken(
    issuer: &Issuer,
    grant: &Grant,
    local: &Local,
    issued_at: UnixSeconds,
) -> Result<(), Denial> {
    let revoked = &local.snapshot().revoked;
    if revoked.issuer_key(issuer.name_for(grant), issuer.kid_of(grant, issued_at)) {
        return Err(Denial::IssuerKeyRevoked);
    }
    match revoked.of_client(grant.client_id()) {
        Some(held) if issued_at <= held.issued_until => {
            let wait_s = { held.issued_until.0 }
                .saturating_sub(local.seconds().0)
                .saturating_add(1);
            let wait_s = u32::try_from(wait_s).unwrap_or(u32::MAX);
            Err(Denial::ClientTokensRevoked(wait_s))
        }
        _ => Ok(()),
    }
}

/// What a token is worth, if the client may know.
async fn introspected(connection: &mut Connection, ask: &mut Ask) -> Result<Then, Broken> {
    let form = form(connection, ask).await?;
    let snapshot = connection.local.snapshot();
    let local = Rc::clone(&connection.local);
    let (client, now) = (connection.standing.peer().client(), local.seconds());
    if !{ local.refused_tokens.borrow() }.may_be_told(client, now) {
        return Err(Denial::IntrospectionsExceeded.into());
    }
    let seen = Cell::new(None);
    let verify = |token: &[u8]| verified_once(token, &local, &snapshot, &seen);
    // What the gate asks of whoever comes with a token.
    let in_force = |token: &[u8], verified: &VerifiedToken| {
        let client = snapshot.clients_by_id.get(&verified.client_id);
        let client = client.and_then(|client| snapshot.client(*client));
        let bound = verified.grant.thumbprint;
        client.is_some_and(|client| client.enabled)
            && { snapshot.revoked.token(&presented(token, verified)) }.is_none()
            && bound.is_none_or(|bound| !snapshot.revoked.certificate(bound))
    };
    let said = judged(connection, ask, |caller, now| {
        let issuers = &snapshot.issuers;
        ask.issuer
            .introspect(&form, caller, issuers, verify, in_force, now)
    });
    let said = said.map_err(|denial| match denial {
        //= RFC 7662 section 2.3
        //# Who asks and does not authenticate is answered 401, which the endpoints of RFC 6749 have
        //# for an Authorization field alone.
        Denial::Grant(fault)
            if Denial::Grant(fault).row().oauth_error == Some("invalid_client") =>
        {
            Denial::IntrospectionByForeign(fault)
        }
        denial => denial,
    })?;
    if said == INACTIVE
        && let Some((digest, good)) = seen.take()
    {
        let mut refused = local.refused_tokens.borrow_mut();
        refused.charge_told(client, now);
        if let Some(good) = good {
            refused.remember_revoked(&digest, good, now);
        }
    }
    connection.account.promise()?;
    send(connection, ask, &said, 0).await
}

/// A token that has been verified now, and what it is where it is good in itself.
type Seen = (TokenDigest, Option<VerifiedToken>);

/// What a token is, if it is any good; one that is known to be bad on this shard is not verified
/// again.
fn verified_once(
    token: &[u8],
    local: &Local,
    snapshot: &Snapshot,
    seen: &Cell<Option<Seen>>,
) -> Option<VerifiedToken> {
    let (digest, now) = (TokenDigest::of(token), local.seconds());
    let mut refused = local.refused_tokens.borrow_mut();
    match refused.lookup(&digest, now) {
        Some(Refusal::Fault(_)) => return None,
        // It is good but for that.
        Some(Refusal::Revoked(verified)) => return Some(VerifiedToken::clone(verified)),
        None => {}
    }
    match token::verify(token, &snapshot.issuers, now) {
        Ok(verified) => {
            seen.set(Some((digest, Some(verified.clone()))));
            Some(verified)
        }
        Err(fault) => {
            // The keys that lack may be had with the next one: it took as much, and is not known.
            let took = refused.remember(&digest, fault, now);
            if took || fault == TokenFault::SomeKeysUnknown {
                seen.set(Some((digest, None)));
            }
            None
        }
    }
}

/// What a client wants to end.
enum Named {
    Verified(Revocation),
    /// Its issuer alone knows what it is.
    Opaque(Vec<u8>),
}

/// The end of a token of the client's own.
async fn revocation(connection: &mut Connection, ask: &mut Ask) -> Result<Then, Broken> {
    let form = form(connection, ask).await?;
    let snapshot = connection.local.snapshot();
    // A bad token costs here what it does at T8, and comes out of the same budget.
    let local = Rc::clone(&connection.local);
    let client = connection.standing.peer().client();
    if !{ local.refused_tokens.borrow() }.has_budget(client, local.seconds()) {
        return Err(Denial::RevocationUndone("in_vain").into());
    }
    let named = judged(connection, ask, |caller, now| {
        let of = |token: &[u8], verified: Option<VerifiedToken>| match verified {
            Some(verified) => Named::Verified(of_verified(token, verified, now)),
            None => Named::Opaque(token.to_vec()),
        };
        let issuers = &snapshot.issuers;
        ask.issuer.revocable(&form, caller, issuers, now, of)
    })?;
    if named.is_none() {
        let mut refused = local.refused_tokens.borrow_mut();
        refused.charge(client, local.seconds());
    }
    let revocation = match named {
        Some(Named::Verified(revocation)) => Some(revocation),
        Some(Named::Opaque(token)) if snapshot.introspection.is_some() => {
            let verified = asked_about(connection, &token).await?;
            let own = judged(connection, ask, |caller, now| {
                let of = |verified: VerifiedToken| {
                    issued_to(caller, &verified)?;
                    Ok(of_verified(&token, verified, now))
                };
                verified.map(of).transpose()
            });
            if own.is_err() {
                introspection::charge_question(connection);
            }
            own?
        }
        Some(Named::Opaque(_)) | None => None,
    };
    connection.account.promise()?;
    if let Some(revocation) = revocation {
        let id = revocation.entry.id;
        revoke(connection, revocation).await?;
        connection.account.record.detail = "token_revoked";
        connection.account.record.revoked = id.pseudonym_octets();
    }
    send(connection, ask, b"{}", 0).await
}

fn of_verified(token: &[u8], verified: VerifiedToken, now: UnixSeconds) -> Revocation {
    let id = presented(token, &verified).token.id();
    let whose = Whose::Client(verified.client_id);
    of_token(id, verified.ends, whose, now)
}

/// What the issuer of an opaque token says of it, now or when it was asked last; none where the
/// token is no good.
async fn asked_about(
    connection: &mut Connection,
    token: &[u8],
) -> Result<Option<VerifiedToken>, Denial> {
    let local = Rc::clone(&connection.local);
    let known = local.tokens.borrow().answer(token, local.seconds());
    if known.is_some() {
        return Ok(known);
    }
    match introspection::asked_about(connection, token).await {
        Ok(verified) => Ok(Some(verified)),
        Err(Denial::TokenInvalid(TokenFault::NotYetValid | TokenFault::LivesTooLong)) => {
            Err(Denial::Grant(GrantFault::TokenNotYetValid))
        }
        Err(Denial::TokenInvalid(_)) => Ok(None),
        //= RFC 7009 section 2.2.1
        //# A token of which nothing is known now may be good: the client is to come again.
        Err(_) => Err(Denial::RevocationUndone("unasked")),
    }
}

/// Has it in the store and in force.
//= RFC 7009 section 2.2
//# The answer says that the token is gone, and so does not go out before that is certain.
async fn revoke(connection: &mut Connection, revocation: Revocation) -> Result<(), Denial> {
    let undone = |why: Unrevoked| Denial::RevocationUndone(why.word());
    let handed_in = connection.local.desk.revoke_own(revocation);
    let mut back = handed_in.map_err(undone)?;
    let by = connection.watch.now().after(REVOCATION_WAIT);
    connection.watch.set(by.min(connection.exchange_by));
    let waited = connection.watch.wait(|cx| Pin::new(&mut back).poll(cx));
    match waited.await {
        Ok(Ok(done)) => done.map(drop).map_err(undone),
        Ok(Err(_)) => Err(undone(Unrevoked::Ending)),
        // It may come into force yet: to revoke it twice does no harm.
        Err(_) => Err(Denial::RevocationUndone("unanswered")),
    }
}

/// What the issuer says to a form of this connection's client, who fails to authenticate only so
/// often.
fn judged<T>(
    connection: &mut Connection,
    ask: &Ask,
    judge: impl FnOnce(&Caller<'_>, UnixSeconds) -> Result<T, GrantFault>,
) -> Result<T, Denial> {
    let local = Rc::clone(&connection.local);
    let (snapshot, now) = (local.snapshot(), local.seconds());
    let peer = connection.standing.peer();
    let certificate = peer.thumbprint();
    { local.failures.borrow().admit(certificate, now) }.map_err(Denial::GrantFailuresExceeded)?;
    let client = snapshot.client(peer.client());
    let caller = Caller {
        peer,
        client: client.ok_or(Denial::Grant(GrantFault::ClientUnregistered))?,
        policy: snapshot.policy(peer.client()),
        sets: snapshot.sets.as_deref(),
        authorization: ask.authorization,
    };
    connection.account.judging();
    let judged = judge(&caller, now);
    connection.account.judged();
    if judged
        .as_ref()
        .is_err_and(|fault| fault.error() == "invalid_client")
    {
        let noted = local.failures.borrow_mut().note(certificate, now);
        noted.map_err(Denial::GrantFailuresExceeded)?;
    }
    judged.map_err(Denial::Grant)
}

/// Lets the issuer's key sign: elsewhere where that may take its time.
async fn mint(
    connection: &mut Connection,
    issuer: &Arc<Issuer>,
    grant: Grant,
) -> Result<Minted, Broken> {
    let now = connection.local.seconds();
    if !issuer.waits_for_token(&grant, now) {
        let minted = issuer.mint(&grant, now);
        return minted.map_err(|_| Denial::IssuerFailed.into());
    }
    let local = Rc::clone(&connection.local);
    let signers = local.signers.as_ref().ok_or(Denial::IssuerFailed)?;
    // What a handshake may wait for the token, a grant may as well.
    let by = connection
        .watch
        .now()
        .after(local.snapshot().deadlines.handshake);
    let issuer = Arc::clone(issuer);
    let sign = move || issuer.mint(&grant, UnixSeconds::now());
    let mut back = signers.submit(by, sign).map_err(|_| Denial::IssuerBusy)?;
    connection.watch.set(by.min(connection.exchange_by));
    let waited = connection.watch.wait(|cx| Pin::new(&mut back).poll(cx));
    match waited.await {
        Ok(Ok(done)) => {
            let mut latencies = local.latencies.borrow_mut();
            latencies.record(Phase::SignerWait, done.waited_ns);
            local.signer_state.note(Signs::Grant, done.value.is_ok());
            done.value.map_err(|_| Denial::IssuerFailed.into())
        }
        Ok(Err(_)) | Err(_) => Err(Denial::IssuerDeadline.into()),
    }
}

/// Reads what is posted, a form, to its end. Who answers it is what is in force then: a form may
/// take its time, and is not to be judged by registrations or keys from before it was whole.
async fn form(connection: &mut Connection, ask: &mut Ask) -> Result<Vec<u8>, Broken> {
    if ask.method != Method::Post {
        return Err(Denial::MethodNotAllowed(CALL).into());
    }
    if let Some(fault) = ask.fault {
        return Err(Denial::Grant(fault).into());
    }
    if matches!(ask.body, Source::Length(length) if length > FORM_BYTES_MAX as u64) {
        return Err(Denial::Grant(GrantFault::FormTooLong).into());
    }
    if std::mem::take(&mut ask.expects_continue) && !ask.body.is_done() {
        let sent = connection.send(b"HTTP/1.1 100 Continue\r\n\r\n").await;
        sent.map_err(Broken::Gone)?;
    }
    let by = connection
        .watch
        .now()
        .after(connection.local.snapshot().deadlines.body);
    let mut form = Vec::new();
    while !ask.body.is_done() {
        if connection.plain.is_empty() {
            match connection.receive(by).await {
                Ok(Received::Data) => {}
                Ok(Received::End) => return Err(Broken::Gone(Then::Drop)),
                Ok(Received::Broken) => return Err(Broken::Gone(Then::Close)),
                Err(_) => return Err(Denial::BodyDeadline.into()),
            }
        }
        let (plain, sink) = (&connection.plain, Sink::Plain);
        let taken = ask.body.take(plain, &mut form, sink, FORM_BYTES_MAX + 1);
        let taken = taken.map_err(Denial::Body)?;
        connection.used(taken.consumed);
        connection.account.record.request_bytes += taken.body;
        if form.len() > FORM_BYTES_MAX {
            return Err(Denial::Grant(GrantFault::FormTooLong).into());
        }
    }
    let in_force = connection.local.snapshot();
    let issuer = in_force.issuer.as_ref().ok_or(Denial::ApiUnknown)?;
    ask.issuer = Arc::clone(issuer);
    Ok(form)
}

async fn send(
    connection: &mut Connection,
    ask: &Ask,
    body: &[u8],
    max_age_s: u32,
) -> Result<Then, Broken> {
    let goes_on = ask.keep_alive && ask.body.is_done() && !connection.local.draining.get();
    let document = Document {
        status: 200,
        body,
        max_age_s,
        www_authenticate: None,
        retry_after_s: None,
        accept_encoding: None,
        request_id: ask.id.as_str(),
    };
    let mut out = connection.local.buffers.lend();
    write_document(&mut out, &document, ask.method == Method::Head, !goes_on);
    let sent = connection.send(&out).await;
    connection.local.buffers.give_back(out);
    sent.map_err(Broken::Gone)?;
    connection.account.record.status = document.status;
    connection.account.record.response_bytes = body.len() as u64;
    Ok(match goes_on {
        true => Then::Again,
        false => Then::CloseWhileItSends,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authz::scope::Rights;
    use crate::authz::token::Issued;

    /// Nobody is to be told that a token has gone which comes back with the next question to its
    /// issuer.
    #[test]
    fn revocation_is_kept_until_the_token_ends_and_not_what_is_remembered_of_it() {
        let (now, soon, end) = (UnixSeconds(100), UnixSeconds(130), UnixSeconds(7_300));
        let verified = VerifiedToken {
            issuer: "https://as.example".to_owned(),
            key_id: None,
            jti: None,
            issued: Issued::At(now),
            lives_too_long: false,
            client_id: "a".to_owned(),
            ends: end,
            grant: crate::authz::token::Grant {
                thumbprint: None,
                rights: Rights::NONE,
                valid_from: now,
                valid_until: soon,
            },
            limited: None,
        };
        let revocation = of_verified(b"opaque", verified, now);
        assert_eq!(revocation.entry.held.until, end);
        assert_eq!(revocation.whose, Whose::Client("a".to_owned()));
    }
}
