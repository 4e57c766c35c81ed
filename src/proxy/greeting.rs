//! The TLS handshake of one connection, as far as sockets are concerned.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use crate::clock::{Millis, Nanos, UnixSeconds};
use crate::io::{Length, Pass, Stream, Watch};
use crate::limits::{LINGER_MS_MAX, RECV_BYTES};
use crate::metrics::Phase;
use crate::signers::Signs;
use crate::tls::{Effort, Established, Handshake, Refusal, Step, Terminator};

use super::account::{distrusted, refused_connection};
use super::connection::Connection;
use super::denial::connections::ConnectionDenial;
use super::local::Local;

/// A fatal `internal_error` in the clear: for a handshake that is away with a signer.
const INTERNAL_ERROR: [u8; 7] = [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x50];

/// Why there is no connection to serve.
enum Ended {
    /// And the alert that was sent; empty where none was.
    Refused(Refusal, &'static str),
    /// The signer had no room, or did not answer in time.
    NotSigned(ConnectionDenial),
    Deadline,
    /// The client went away, which is its right.
    Gone,
}

/// Receives a connection: who is there, by the certificate. Nobody, if the handshake fails: then
/// the alert is sent and the refusal counted and logged.
pub async fn greet(mut stream: Stream, local: &Rc<Local>) -> Option<Connection> {
    let address = stream.peer_address().ok()?;
    let accepted = Nanos::now();
    let watch = local.watches.watch();
    let by = watch.now().after(local.snapshot().deadlines.handshake);
    watch.set(by);
    let (began_under, judged_by) = (local.snapshot(), local.judged_by.get());
    let shaken = shake_hands(
        &mut stream,
        &watch,
        by,
        &began_under.terminator,
        address,
        local,
    )
    .await;
    let took = Nanos::now().since(accepted);
    let taken = match shaken {
        Ok(mut established) => last_flight(&mut established, &mut stream, &watch, by)
            .await
            .map(|()| established),
        Err(ended) => Err(ended),
    };
    match taken {
        Ok(established) => {
            // A receive may have brought the first request along.
            if !established.incoming.is_empty() {
                let mut early = established.incoming;
                early.append(&mut stream.inbox);
                stream.inbox = early;
            }
            if established.unchecked {
                note_unchecked(local);
            }
            let (session, peer) = (established.session, established.peer);
            let socket = Rc::clone(stream.socket());
            let entered = local.standings.enter(peer, address, socket);
            let standing = entered.holding(established.status);
            standing.place(&local.snapshot());
            // Begun under what is no longer in force, or before a list that is: judged as if it had
            // stood then.
            if !Rc::ptr_eq(&began_under, &local.snapshot()) || judged_by != local.judged_by.get() {
                let lost = standing.judge(&local.snapshot().terminator, local.seconds());
                lost.iter().for_each(|lost| distrusted(lost, local));
            }
            let client = usize::try_from(standing.peer().client().0).unwrap_or(usize::MAX);
            local.latencies.borrow_mut().record(Phase::Handshake, took);
            if let Some(client) = local.counters.client(client) {
                client.connections.bump();
            }
            let local = Rc::clone(local);
            let mut connection = Connection::new(stream, session, standing, address, watch, local);
            connection.last_flight = established.outgoing;
            Some(connection)
        }
        Err(ended) => {
            note(&ended, address, local);
            say_goodbye(stream, &watch).await;
            None
        }
    }
}

/// Sends the handshake's last flight, or leaves it to be sent with the first answer where the
/// client has asked for one by now: a send is a third of what a resumed handshake costs the
/// kernel.
async fn last_flight(
    established: &mut Established,
    stream: &mut Stream,
    watch: &Watch,
    by: Millis,
) -> Result<(), Ended> {
    if established.outgoing.is_empty() {
        return Ok(());
    }
    if !established.awaited {
        if !established.incoming.is_empty() {
            return Ok(());
        }
        stream.start_recv(RECV_BYTES);
        // Until the next sweep: a client that has nothing to ask yet gets it all the same.
        watch.set(Millis(watch.now().0 + 1));
        let received = watch.wait(|cx| stream.poll_recv(cx)).await;
        watch.set(by);
        // The end or an error is found again by whoever receives next.
        if received.is_ok() {
            return Ok(());
        }
    }
    flushed(stream, watch).await?;
    stream.outbox.clear();
    stream.outbox.append(&mut established.outgoing);
    stream.start_send();
    Ok(())
}

async fn shake_hands(
    stream: &mut Stream,
    watch: &Watch,
    by: Millis,
    terminator: &Arc<Terminator>,
    address: SocketAddr,
    local: &Local,
) -> Result<Established, Ended> {
    let mut handshake = Handshake::new(terminator);
    let mut advanced = handshake.advance(local.seconds());
    loop {
        // What there is to say at the end may wait: see `last_flight`.
        let over = matches!(advanced, Ok(Step::Done | Step::AwaitStatus));
        if !over && !handshake.outgoing().is_empty() {
            flushed(stream, watch).await?;
            stream.outbox.clear();
            stream.outbox.append(handshake.outgoing());
            stream.start_send();
        }
        let refused = |refusal| Ended::Refused(refusal, handshake.alert());
        match advanced.map_err(refused)? {
            Step::Done => {
                let counters = &local.counters;
                match handshake.resumed() {
                    Some(true) => counters.handshakes_resumed.bump(),
                    _ => counters.handshakes_full.bump(),
                }
                if let Some(ns) = handshake.signed_ns() {
                    local.latencies.borrow_mut().record(Phase::Sign, ns);
                }
                let finished = handshake.finish(local.seconds());
                return finished.map_err(|refusal| Ended::Refused(refusal, ""));
            }
            Step::NeedInput => {
                stream.start_recv(RECV_BYTES);
                let received = watch.wait(|cx| match stream.poll_recv(cx) {
                    // Nothing has been asked yet that the end would have to wait for.
                    Poll::Pending if local.draining.get() => Poll::Ready(Ok(0)),
                    polled => polled,
                });
                let received = received.await.map_err(|_| Ended::Deadline)?;
                if received.map_err(|_| Ended::Gone)? == 0 {
                    return Err(Ended::Gone);
                }
                handshake.incoming().append(&mut stream.inbox);
                let _pass = pass(handshake.effort(), watch, local).await?;
                advanced = handshake.advance(local.seconds());
            }
            Step::DheWanted => {
                let limits = local.snapshot().limits;
                let now = Nanos::now();
                let taken = local.dhe.borrow_mut().take(address.ip(), now, &limits);
                if taken {
                    handshake.admit_dhe();
                    let _pass = pass(handshake.effort(), watch, local).await?;
                    advanced = handshake.advance(local.seconds());
                } else {
                    advanced = Err(handshake.refuse_dhe());
                }
            }
            Step::AwaitStatus => {
                if let Some(mut answered) = handshake.ask() {
                    let wait = local.snapshot().deadlines.ocsp;
                    watch.set(by.min(watch.now().after(wait)));
                    // Where none has come in time, the client is judged without.
                    let _ = watch.wait(|cx| Pin::new(&mut answered).poll(cx)).await;
                    watch.set(by);
                }
                advanced = handshake.advance(local.seconds());
            }
            Step::SignElsewhere => {
                (handshake, advanced) = signed(handshake, stream, watch, by, local).await?;
            }
        }
    }
}

/// Waits for the turn of a step that takes so much; none is needed for one that takes little.
async fn pass<'l>(
    effort: Effort,
    watch: &Watch,
    local: &'l Local,
) -> Result<Option<Pass<'l>>, Ended> {
    let length = match effort {
        Effort::Little => return Ok(None),
        Effort::Some => Length::Short,
        Effort::Much => Length::Long,
    };
    let mut pass = pin!(local.turnstile.pass(length));
    let passed = watch.wait(|cx| pass.as_mut().poll(cx)).await;
    passed.map(Some).map_err(|_| Ended::Deadline)
}

/// Sends the handshake to a signer and waits for it to come back.
async fn signed(
    mut handshake: Handshake,
    stream: &mut Stream,
    watch: &Watch,
    by: Millis,
    local: &Local,
) -> Result<(Handshake, Result<Step, Refusal>), Ended> {
    let queued = local.signers.as_ref().and_then(|signers| {
        let sign = move || {
            let step = handshake.advance_signing(UnixSeconds::now());
            (handshake, step)
        };
        signers.submit(by, sign).ok()
    });
    let outcome = match queued {
        None => Err(ConnectionDenial::SignerBusy),
        Some(mut back) => match watch.wait(|cx| Pin::new(&mut back).poll(cx)).await {
            Ok(Ok(done)) => {
                let mut latencies = local.latencies.borrow_mut();
                latencies.record(Phase::SignerWait, done.waited_ns);
                let (handshake, step) = done.value;
                let failed = matches!(step, Err(Refusal::SignerFailed));
                if failed || handshake.signed_ns().is_some() {
                    local.signer_state.note(Signs::Handshake, !failed);
                }
                Ok((handshake, step))
            }
            // That it came too late to be signed says nothing of the token: a client may have
            // taken its time.
            Ok(Err(_)) | Err(_) => Err(ConnectionDenial::SignerDeadline),
        },
    };
    if outcome.is_err() && flushed(stream, watch).await.is_ok() {
        stream.outbox.clear();
        stream.outbox.extend_from_slice(&INTERNAL_ERROR);
        stream.start_send();
    }
    outcome.map_err(Ended::NotSigned)
}

async fn flushed(stream: &mut Stream, watch: &Watch) -> Result<(), Ended> {
    let sent = watch.wait(|cx| stream.poll_send(cx)).await;
    sent.map_err(|_| Ended::Deadline)?.map_err(|_| Ended::Gone)
}

/// Lets the alert reach the client: what it sends meanwhile is read and thrown away, because
/// unread bytes would turn the end of the connection into a reset that overtakes the alert.
async fn say_goodbye(mut stream: Stream, watch: &Watch) {
    watch.set(Millis(watch.now().0 + LINGER_MS_MAX));
    if stream.is_sending() && watch.wait(|cx| stream.poll_send(cx)).await.is_err() {
        return;
    }
    stream.shutdown_write();
    linger(&mut stream, watch).await;
}

/// Reads and throws away until the client closes, enough has come, or time is up.
pub(super) async fn linger(stream: &mut Stream, watch: &Watch) {
    let mut left = crate::limits::LINGER_BYTES_MAX;
    loop {
        stream.inbox.clear();
        stream.start_recv(RECV_BYTES);
        let received = watch.wait(|cx| -> Poll<_> { stream.poll_recv(cx) }).await;
        match received {
            Ok(Ok(count)) if count > 0 && count < left => left -= count,
            _ => return,
        }
    }
}

/// Counts a client that was taken unchecked, and says so: the first, the second, the fourth.
fn note_unchecked(local: &Local) {
    let counter = &local.counters.clients_unchecked;
    counter.bump();
    let count = counter.read();
    if count.is_power_of_two() {
        tracing::warn!(
            shard = local.shard,
            count,
            hint = "see the log and t8gate_crl_next_update_timestamp_seconds: a list has ended, \
                    there is none of a client's CA, its responder does not answer, or its group \
                    is off",
            "clients are taken unchecked, as soft-fail or off has it: no list or responder speaks \
             of them"
        );
    }
}

fn note(ended: &Ended, address: SocketAddr, local: &Local) {
    let (denial, alert) = match ended {
        Ended::Refused(refusal, alert) => (ConnectionDenial::Handshake(*refusal), *alert),
        Ended::NotSigned(denial) => (*denial, denial.row().alert),
        Ended::Deadline => (ConnectionDenial::HandshakeDeadline, ""),
        Ended::Gone => return,
    };
    refused_connection(denial, alert, None, address, local);
}
