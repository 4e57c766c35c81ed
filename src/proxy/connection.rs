//! One connection's story: greet, then head, gate, exchange, again and again, then the end.

use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::audit::RequestId;
use crate::authz::cache::Memo;
use crate::authz::content::Content;
use crate::clock::Millis;
use crate::http::fields;
use crate::http::h1;
use crate::http::head::{self, BodyLength, HeadLimits, Method};
use crate::io::{Stream, Watch};
use crate::limits::{FIELDS_MAX, LINGER_MS_MAX, RECV_BYTES, REFUSED_BODY_BYTES_MAX, RELAY_BYTES};
use crate::tls::{Opened, Session, TlsFault};

use super::account::{Account, refused_connection};
use super::content::Held;
use super::denial::Denial;
use super::denial::connections::ConnectionDenial;
use super::exchange;
use super::forward::Identity;
use super::gate::{self, Asks};
use super::greeting::{greet, linger};
use super::guarded;
use super::introspection;
use super::issuer;
use super::local::{InForce, Local};
use super::look::Look;
use super::refusal::Refused;
use super::source::Source;
use super::standing::Standing;

/// After so long without a request a connection gives its buffers back.
const RECLAIM_MS: u64 = 1_000;
/// What a session may have to say by itself between two answers.
const REPLY_BYTES_MAX: usize = 1_024;
/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The next request, please.
    Again,
    /// Say goodbye and close.
    Close,
    /// The same, but the client may still be sending.
    CloseWhileItSends,
    /// It is of no use any more.
    Drop,
}

/// An authenticated connection.
pub struct Connection {
    pub(super) local: Rc<Local>,
    pub(super) stream: Stream,
    pub(super) session: Session,
    pub(super) watch: Watch,
    /// Opened and not yet used.
    pub(super) plain: Vec<u8>,
    pub(super) standing: Standing,
    pub(super) address: SocketAddr,
    identity: Identity,
    memo: Memo,
    requests: u64,
    /// What is left of the handshake's last flight: sent before anything else.
    pub(super) last_flight: Vec<u8>,
    /// What the TLS session has to say by itself: sent before what is sealed next.
    replies: Vec<u8>,
    /// Its last wait for a request was long: the next one begins without a buffer.
    seldom: bool,
    /// What will be told of the request under way.
    pub(super) account: Account,
    /// By when the exchange under way must be over; never, between two of them.
    pub(super) exchange_by: Millis,
    /// The end of what the client sends has been seen.
    ended: bool,
}

/// A request that has been admitted, and what has to be known of it when its head is gone.
pub(super) struct Request {
    pub id: RequestId,
    pub method: Method,
    /// What is to come of it.
    pub body: Source,
    /// Something of an answer has come: the SCEF knows of the request.
    pub heard: bool,
    pub expects_continue: bool,
    pub keep_alive: bool,
    /// As the SCEF will read it: the head, which has no end yet where a body is to come.
    pub head: Vec<u8>,
    pub asks: Asks,
    /// What its query says, where what it is about decides.
    pub query: Option<Box<Content<'static>>>,
    /// What was in force when it was admitted.
    pub in_force: Rc<InForce>,
    /// What the shard holds for it.
    pub held: Option<Held>,
    /// What has to be looked at before it may go on.
    pub look: Option<Box<Look>>,
}

/// Whom a request is for.
pub(super) enum Asked {
    Scef(Request),
    Issuer(issuer::Ask),
}

/// Serves a connection from accept to close.
pub async fn serve(stream: Stream, local: Rc<Local>) {
    // What a connection does once, or seldom, is kept apart from what it is while it waits: its
    // task is as large as the largest of all that it may do.
    let Some(mut connection) = Box::pin(greet(stream, &local)).await else {
        return;
    };
    let then = loop {
        let then = match connection.next_head().await {
            Ok(end) => match opened(&mut connection, end).await {
                Ok(Asked::Scef(request)) => exchange::run(&mut connection, request).await,
                Ok(Asked::Issuer(ask)) => Box::pin(issuer::answer(&mut connection, ask)).await,
                Err(refused) => Box::pin(connection.refuse(refused)).await,
            },
            Err(NoHead::Over(then)) => then,
            Err(NoHead::Denied(denial)) => {
                let id = connection.local.request_id();
                connection.account.open(id);
                Box::pin(connection.refuse(Refused::without_head(denial, id))).await
            }
        };
        if then != Then::Again {
            break then;
        }
    };
    Box::pin(connection.close(then)).await;
}

/// The request whose head is the first `end` bytes. One whose token its issuer has to be asked
/// about first waits for that.
async fn opened(connection: &mut Connection, end: usize) -> Result<Asked, Refused> {
    match connection.open_request(end, None) {
        Err(refused) if refused.denial == Denial::TokenUnasked => {
            Box::pin(introspection::open_again(connection, end, refused)).await
        }
        opened => opened,
    }
}

/// Why there is no next request.
enum NoHead {
    Over(Then),
    Denied(Denial),
}

/// What opening the received records came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    Data,
    NeedInput,
    /// The client sends no more.
    Closed,
    /// It does not speak TLS as agreed; the alert is among the replies.
    Broken,
}

/// What a receive brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    Data,
    /// The client has said that it sends no more, or is gone.
    End,
    /// What it sent is no TLS.
    Broken,
}

impl Connection {
    pub(super) fn new(
        stream: Stream,
        session: Session,
        standing: Standing,
        address: SocketAddr,
        watch: Watch,
        local: Rc<Local>,
    ) -> Self {
        let account = Account::new(Rc::clone(&local), standing.peer().client(), address);
        Self {
            identity: Identity::new(standing.peer(), address),
            account,
            plain: Vec::new(),
            memo: Memo::default(),
            requests: 0,
            last_flight: Vec::new(),
            replies: Vec::new(),
            seldom: false,
            exchange_by: Millis::NEVER,
            ended: false,
            local,
            stream,
            session,
            watch,
            standing,
            address,
        }
    }

    /// Waits for the next request head; it is the first so many bytes of `plain`.
    async fn next_head(&mut self) -> Result<usize, NoHead> {
        let in_force = self.local.snapshot();
        let bounds = HeadLimits::from(&in_force.limits);
        let deadlines = in_force.deadlines;
        drop(in_force);
        let idle_by = self.watch.now().after(deadlines.idle);
        if self.standing.lost().is_some() {
            return Err(self.distrusted());
        }
        let mut head_by = None;
        let mut scanned = 0;
        loop {
            if !self.plain.is_empty() {
                if let Some(end) = head::head_end(&self.plain, &mut scanned) {
                    return Ok(end);
                }
                head::incomplete(&self.plain, &bounds)
                    .map_err(|fault| NoHead::Denied(Denial::Head(fault)))?;
                head_by.get_or_insert_with(|| self.watch.now().after(deadlines.head));
            }
            if self.ended {
                return Err(NoHead::Over(Then::Close));
            }
            match self.open(bounds.head_bytes_max + 1) {
                Opening::Data => continue,
                Opening::Closed => {
                    self.ended = true;
                    continue;
                }
                Opening::Broken => return Err(NoHead::Over(Then::Close)),
                Opening::NeedInput => {}
            }
            self.reply().await.map_err(NoHead::Over)?;
            self.shrink_inbox();
            match head_by {
                None if self.seldom && self.stream.inbox.is_empty() => {
                    let inbox = std::mem::take(&mut self.stream.inbox);
                    self.local.buffers.give_back(inbox);
                    self.stream.start_recv_unbuffered();
                }
                _ => self.stream.start_recv(RECV_BYTES),
            }
            match head_by {
                Some(by) => self.more_of_a_head(by).await?,
                None => self.first_of_a_head(idle_by).await?,
            }
        }
    }

    /// After a body an inbox is larger than a connection between requests should hold.
    fn shrink_inbox(&mut self) {
        let inbox = &mut self.stream.inbox;
        if inbox.is_empty() && inbox.capacity() > 2 * RECV_BYTES {
            self.local.buffers.give_back(std::mem::take(inbox));
        }
    }

    async fn more_of_a_head(&mut self, by: Millis) -> Result<(), NoHead> {
        self.watch.set(by);
        match self.watch.wait(|cx| self.stream.poll_recv(cx)).await {
            Ok(Ok(count)) if count > 0 => Ok(()),
            Ok(_) => Err(NoHead::Over(Then::Drop)),
            Err(_) => Err(NoHead::Denied(Denial::HeadDeadline)),
        }
    }

    /// Waits while the connection has nothing to do; the only wait that the end of the shard
    /// cuts short.
    async fn first_of_a_head(&mut self, idle_by: Millis) -> Result<(), NoHead> {
        let send_by = self.watch.now().after(self.local.snapshot().deadlines.send);
        let reclaim_at = Millis(self.watch.now().0 + RECLAIM_MS);
        self.watch.set(idle_by.min(reclaim_at));
        self.standing.set_idle(true);
        let first = self.first_received(idle_by, reclaim_at, send_by).await;
        self.standing.set_idle(false);
        first
    }

    async fn first_received(
        &mut self,
        idle_by: Millis,
        reclaim_at: Millis,
        send_by: Millis,
    ) -> Result<(), NoHead> {
        loop {
            let (local, standing) = (&self.local, &self.standing);
            let stream = &mut self.stream;
            let waited = self.watch.wait(|cx| match stream.poll_recv(cx) {
                _ if standing.lost().is_some() => Poll::Ready(None),
                Poll::Pending if local.draining.get() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
                Poll::Ready(received) => Poll::Ready(Some(received)),
            });
            match waited.await {
                Ok(Some(Ok(count))) if count > 0 => {
                    self.seldom = reclaim_at <= self.watch.now();
                    return Ok(());
                }
                // The end without close_notify: nothing was asked. An answer may be on its way.
                Ok(Some(Ok(_))) => return Err(NoHead::Over(Then::Close)),
                Ok(Some(Err(_))) => return Err(NoHead::Over(Then::Drop)),
                Ok(None) if self.standing.lost().is_some() => return Err(self.distrusted()),
                // The next request may be on its way: a reset would overtake the last answer.
                Ok(None) => return Err(NoHead::Over(Then::CloseWhileItSends)),
                Err(_) => {}
            }
            let now = self.watch.now();
            let sent = self
                .stream
                .poll_send(&mut Context::from_waker(Waker::noop()))
                .is_ready();
            match sent {
                false if send_by <= now => return Err(NoHead::Over(Then::Drop)),
                false => self.watch.set(send_by.min(Millis(now.0 + RECLAIM_MS))),
                true if idle_by <= now => return Err(NoHead::Over(Then::Close)),
                true if self.reclaim() => self.watch.set(idle_by),
                true => self.watch.set(idle_by.min(Millis(now.0 + RECLAIM_MS))),
            }
        }
    }

    /// How to end where the certificate is no longer trusted: at once, also where the client does
    /// not read.
    fn distrusted(&mut self) -> NoHead {
        let sent = self
            .stream
            .poll_send(&mut Context::from_waker(Waker::noop()));
        match sent {
            Poll::Ready(Ok(())) => NoHead::Over(Then::Close),
            _ => NoHead::Over(Then::Drop),
        }
    }

    /// Gives the buffers back. False where that of the receive in flight is to be asked for again
    /// later: calling one back costs the kernel a look at all that its ring waits for, so only so
    /// many may in a sweep.
    fn reclaim(&mut self) -> bool {
        let left = self.local.calls_back_left.get();
        let called_back = left > 0 || self.stream.is_unbuffered();
        if called_back && !self.stream.is_unbuffered() {
            self.local.calls_back_left.set(left - 1);
            self.stream.release_buffer();
        }
        let buffers = &self.local.buffers;
        buffers.give_back(std::mem::take(&mut self.stream.outbox));
        if self.plain.is_empty() {
            buffers.give_back(std::mem::take(&mut self.plain));
        }
        called_back
    }

    /// Opens what has been received, as far as `plain` has room.
    pub(super) fn open(&mut self, plain_bytes_max: usize) -> Opening {
        if self.plain.capacity() == 0 && !self.stream.inbox.is_empty() {
            self.plain = self.local.buffers.lend();
        }
        let (inbox, plain) = (&mut self.stream.inbox, &mut self.plain);
        match self
            .session
            .open(inbox, plain, plain_bytes_max, &mut self.replies)
        {
            // Each key update may ask for an answer; a client that asks and asks is not served.
            Ok(_) if self.replies.len() > REPLY_BYTES_MAX => {
                self.note_broken(TlsFault::Protocol, "");
                Opening::Broken
            }
            Ok(Opened::Data) => Opening::Data,
            Ok(Opened::NeedInput) => Opening::NeedInput,
            Ok(Opened::Closed) => Opening::Closed,
            Err(fault) => {
                self.note_broken(fault, self.session.alert());
                Opening::Broken
            }
        }
    }

    /// Tells of a session that ends before its time, and by which alert.
    fn note_broken(&self, fault: TlsFault, alert: &'static str) {
        let denial = ConnectionDenial::Session(fault);
        refused_connection(
            denial,
            alert,
            Some(self.standing.peer().client()),
            self.address,
            &self.local,
        );
    }

    /// Reads, judges and rewrites the head that is the first `end` bytes of `plain`; `again`, as
    /// what it is called, after its token's issuer was asked. One that waits for that stays in
    /// `plain`.
    pub(super) fn open_request(
        &mut self,
        end: usize,
        again: Option<RequestId>,
    ) -> Result<Asked, Refused> {
        let local = Rc::clone(&self.local);
        let id = again.unwrap_or_else(|| local.request_id());
        if again.is_none() {
            self.account.open(id);
            self.requests += 1;
        }
        let snapshot = local.snapshot();
        let limits = &snapshot.limits;
        let bounds = HeadLimits::from(limits);
        let mut slots = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let mut head = match head::request(&self.plain[..end], &mut slots, &bounds) {
            Ok(head) => head,
            Err(fault) => return Err(Refused::without_head(Denial::Head(fault), id)),
        };
        let last = self.requests >= limits.requests_per_connection_max;
        let record = &mut self.account.record;
        record.method = head.method.name();
        let (body, length) = match head.body {
            BodyLength::None | BodyLength::Length(0) => (Source::Done, 0),
            BodyLength::Length(length) => (Source::Length(length), length),
            BodyLength::Chunked => (Source::Chunked(Box::default()), 0),
        };
        let is_elsewhere = self.standing.is_elsewhere();
        if let Some(issuer) = &snapshot.issuer
            && !is_elsewhere
            && let Some(endpoint) = issuer.endpoint(head.path)
        {
            let keep_alive = head.keep_alive && !last;
            let ask = issuer::Ask::of(&head, issuer, endpoint, id, body, keep_alive);
            self.used(end);
            return Ok(Asked::Issuer(ask));
        }
        if self.standing.take_tokens_outdated() {
            self.memo.clear();
        }
        let admitted = match is_elsewhere {
            true => Err(Denial::SourceAddressForeign),
            false => gate::admit(
                &head,
                self.standing.peer(),
                &snapshot,
                local.tokens(&mut self.memo),
                &mut local.leases.borrow_mut(),
                record,
                local.seconds(),
            ),
        };
        let admitted = admitted.and_then(|permit| {
            match guarded::request_head(&self.plain[..end], &head, &local) {
                Ok(None) => Ok(permit),
                Ok(alarm) => {
                    self.account.record.identity = alarm;
                    Ok(permit)
                }
                Err(found) => Err(self.account.found_in_request(found)),
            }
        });
        self.account.judged();
        let admitted = match admitted {
            Ok(_) if length > limits.body_bytes_max => Err(Denial::BodyTooLarge),
            Ok(permit) => self.account.promise().map(|()| permit),
            refused => refused,
        };
        let admitted = admitted.and_then(|permit| Ok((permit.asks.query(&head)?, permit)));
        let outcome = match admitted {
            Ok((query, permit)) => {
                let mut bytes = local.buffers.lend();
                if permit.asks.is_judged_by_answer(head.method) {
                    head.dropped |= fields::conditions(head.fields);
                }
                self.identity.write_head(&mut bytes, &head, &permit, &id);
                let look = permit.asks.look(&head, &snapshot).map(|(path, gives)| {
                    Box::new(Look {
                        is_itself: path.len() == head.path.len(),
                        head: self.identity.write_look(path, &head, &permit, &id),
                        gives,
                    })
                });
                if body.is_done() {
                    let length = (head.body == BodyLength::Length(0)).then_some(0);
                    h1::end_request_head(&mut bytes, length);
                }
                Ok(Asked::Scef(Request {
                    id,
                    method: head.method,
                    body,
                    heard: false,
                    expects_continue: head.expect_continue,
                    keep_alive: head.keep_alive && !last,
                    head: bytes,
                    asks: permit.asks,
                    query,
                    in_force: Rc::clone(&snapshot),
                    held: None,
                    look,
                }))
            }
            Err(denial) => {
                // A client that waits for 100 will not send its body, or will: nobody knows.
                let can_wait = !head.expect_continue && length <= REFUSED_BODY_BYTES_MAX;
                let goes_on = head.keep_alive && !last && (can_wait || body.is_done());
                Err(Refused {
                    denial,
                    id,
                    head_only: head.method == Method::Head,
                    rest: goes_on.then_some(body),
                })
            }
        };
        let waits = { outcome.as_ref().err() }
            .is_some_and(|refused| refused.denial == Denial::TokenUnasked && again.is_none());
        if !waits {
            self.used(end);
        }
        outcome
    }

    /// Admits a request again by what is in force now, whose body has come since.
    ///
    /// # Errors
    /// It is not admitted any more.
    pub(super) fn admit_again(&mut self, asked: &Asks) -> Result<Asks, Denial> {
        if self.standing.is_elsewhere() {
            return Err(Denial::SourceAddressForeign);
        }
        let token = self.memo.last().map(|(token, _)| token.to_vec());
        let token = token.ok_or(Denial::TokenMissing)?;
        if self.standing.take_tokens_outdated() {
            self.memo.clear();
        }
        let local = Rc::clone(&self.local);
        let tokens = local.tokens(&mut self.memo);
        let (peer, now) = (self.standing.peer(), local.seconds());
        gate::admit_again(asked, &token, peer, &local.snapshot(), tokens, now)
    }

    /// The token of the request whose head is the first `end` bytes of `plain`.
    pub(super) fn token_of(&self, end: usize) -> Result<Vec<u8>, Denial> {
        let in_force = self.local.snapshot();
        let bounds = HeadLimits::from(&in_force.limits);
        let mut slots = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let head = head::request(&self.plain[..end], &mut slots, &bounds).map_err(Denial::Head)?;
        gate::bearer(&head).map(<[u8]>::to_vec)
    }

    /// Forgets the first bytes of `plain`.
    pub(super) fn used(&mut self, count: usize) {
        if count >= self.plain.len() {
            self.plain.clear();
        } else {
            self.plain.drain(..count);
        }
    }

    /// Waits for more plaintext.
    pub(super) async fn receive(&mut self, by: Millis) -> Result<Received, crate::io::Expired> {
        loop {
            match self.open(RELAY_BYTES) {
                Opening::Data => return Ok(Received::Data),
                Opening::Closed => return Ok(self.end()),
                Opening::Broken => return Ok(Received::Broken),
                Opening::NeedInput => {}
            }
            self.stream.start_recv(RELAY_BYTES);
            self.watch.set(by);
            match self.watch.wait(|cx| self.stream.poll_recv(cx)).await? {
                Ok(count) if count > 0 => {}
                _ => return Ok(self.end()),
            }
        }
    }

    pub(super) fn end(&mut self) -> Received {
        self.ended = true;
        Received::End
    }

    /// Waits until the outbox is free, seals `bytes` into it and starts the send.
    ///
    /// # Errors
    /// What becomes of the connection when the client does not read, or is gone.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), Then> {
        self.sent().await?;
        if self.stream.outbox.capacity() == 0 {
            self.stream.outbox = self.local.buffers.lend();
        }
        self.stream.outbox.append(&mut self.last_flight);
        self.stream.outbox.append(&mut self.replies);
        self.session
            .seal(bytes, &mut self.stream.outbox)
            .map_err(|_| Then::Drop)?;
        self.stream.start_send();
        Ok(())
    }

    /// Starts to send what answers handshake messages of the client's, where no answer to a request
    /// carries it: who asks to negotiate anew waits for the refusal and sends nothing more.
    ///
    /// # Errors
    /// As [`Connection::send`].
    async fn reply(&mut self) -> Result<(), Then> {
        if self.replies.is_empty() {
            return Ok(());
        }
        self.sent().await?;
        self.stream.outbox.append(&mut self.last_flight);
        self.stream.outbox.append(&mut self.replies);
        self.stream.start_send();
        Ok(())
    }

    /// Waits until nothing is being sent; the outbox is empty then.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub(super) async fn sent(&mut self) -> Result<(), Then> {
        if self.stream.is_sending() {
            let by = self.watch.now().after(self.local.snapshot().deadlines.send);
            self.watch.set(by.min(self.exchange_by));
            match self.watch.wait(|cx| self.stream.poll_send(cx)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(Then::Drop),
            }
        }
        self.stream.outbox.clear();
        Ok(())
    }

    /// Ends the connection in the way its state allows.
    async fn close(mut self, then: Then) {
        let lost = self.standing.lost();
        if then == Then::Drop || self.sent().await.is_err() {
            return;
        }
        self.stream.outbox.append(&mut self.last_flight);
        self.stream.outbox.append(&mut self.replies);
        match lost {
            Some(refusal) => {
                self.session.distrust(refusal, &mut self.stream.outbox);
            }
            None => self.session.close_notify(&mut self.stream.outbox),
        }
        self.stream.start_send();
        if self.sent().await.is_err() {
            return;
        }
        self.stream.shutdown_write();
        if then == Then::CloseWhileItSends {
            self.watch.set(Millis(self.watch.now().0 + LINGER_MS_MAX));
            linger(&mut self.stream, &self.watch).await;
        }
    }
}
