//! The TLS handshake of one connection, as far as sockets are concerned.

use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use crate::audit;
use crate::clock::Millis;
use crate::io::{Stream, Watch};
use crate::limits::{LINGER_MS_MAX, RECV_BYTES};
use crate::tls::{Established, Handshake, Refusal, Step};

use super::connection::Connection;
use super::local::Local;

/// A fatal `internal_error` in the clear: for a handshake that is away with a signer.
const INTERNAL_ERROR: [u8; 7] = [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x50];

/// Why there is no connection to serve.
enum Ended {
    Refused(Refusal),
    /// The signer had no room, or did not answer in time.
    NotSigned(&'static str),
    Deadline,
    /// The client went away, which is its right.
    Gone,
}

/// Receives a connection: who is there, by the certificate. Nobody, if the handshake fails: then
/// the alert is sent and the refusal counted and logged.
pub async fn greet(mut stream: Stream, local: &Rc<Local>) -> Option<Connection> {
    let address = stream.peer_address().ok()?;
    let watch = local.watches.watch();
    let by = watch.now().after(local.snapshot.deadlines.handshake);
    watch.set(by);
    match shake_hands(&mut stream, &watch, by, local).await {
        Ok(established) => {
            let mut early = established.incoming;
            // A receive may have brought the first request along.
            early.append(&mut stream.inbox);
            stream.inbox = early;
            let (session, peer) = (established.session, established.peer);
            Some(Connection::new(
                stream,
                session,
                peer,
                address,
                watch,
                Rc::clone(local),
            ))
        }
        Err(ended) => {
            note(&ended, address, local);
            say_goodbye(stream, &watch).await;
            None
        }
    }
}

async fn shake_hands(
    stream: &mut Stream,
    watch: &Watch,
    by: Millis,
    local: &Local,
) -> Result<Established, Ended> {
    let mut handshake = Handshake::new(&local.snapshot.terminator);
    let mut advanced = handshake.advance(local.wall.get());
    loop {
        if !handshake.outgoing().is_empty() {
            flushed(stream, watch).await?;
            stream.outbox.clear();
            stream.outbox.append(handshake.outgoing());
            stream.start_send();
        }
        match advanced.map_err(Ended::Refused)? {
            Step::Done => {
                let counters = &local.counters;
                match handshake.resumed() {
                    Some(true) => counters.handshakes_resumed.bump(),
                    _ => counters.handshakes_full.bump(),
                }
                return handshake.finish(local.wall.get()).map_err(Ended::Refused);
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
                advanced = handshake.advance(local.wall.get());
            }
            Step::SignElsewhere => {
                (handshake, advanced) = signed(handshake, stream, watch, by, local).await?;
            }
        }
    }
}

/// Sends the handshake to a signer and waits for it to come back.
async fn signed(
    handshake: Handshake,
    stream: &mut Stream,
    watch: &Watch,
    by: Millis,
    local: &Local,
) -> Result<(Handshake, Result<Step, Refusal>), Ended> {
    let queued = match &local.handshake_threads {
        Some(threads) => threads.submit(handshake, by).ok(),
        None => None,
    };
    let outcome = match queued {
        None => Err("signer_busy"),
        Some(mut back) => match watch.wait(|cx| Pin::new(&mut back).poll(cx)).await {
            Ok(Ok(signed)) => Ok(signed),
            Ok(Err(_)) | Err(_) => Err("signer_deadline"),
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

/// What the operator should look at.
fn cure(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NotTls => "the client speaks no TLS: T8 is TLS only (TS 33.187 clause 5.5.2)",
        Refusal::UnknownSni => "add the name to listen.server_names if it is this gateway's",
        Refusal::NoClientCertificate => "the client must present its certificate",
        Refusal::CertificateExpired => {
            "the client must renew its certificate; else see whether \
                                        this machine's clock is right"
        }
        Refusal::UnknownCa => "add the client's CA to tls.client_ca if it is a partner's",
        Refusal::NotMapped => "add a name of the certificate to the sans of one [[client]]",
        Refusal::MappedTwice => "names of one certificate stand with two clients: give it one",
        Refusal::BadCertificate => "the client's certificate does not fit TS 33.310 clause 6.1.3a",
        Refusal::NoCommonProfile => "the client offers nothing of TS 33.210 clause 6.2",
        Refusal::SignerFailed => "the token did not sign: see whether it answers `t8gate check`",
        Refusal::TooLong => "the client's certificate chain is far too long",
        Refusal::PeerAlert => "the client refused this gateway: does it trust its certificate?",
        Refusal::Protocol => "the client breaks the TLS protocol",
    }
}

fn note(ended: &Ended, address: SocketAddr, local: &Local) {
    let (word, cure) = match ended {
        Ended::Refused(refusal) => (refusal.word(), cure(*refusal)),
        Ended::NotSigned(word) => (
            *word,
            "the HSM is slower than the handshakes that arrive: raise tls.key.sessions, or see \
             whether the token answers with `t8gate check`",
        ),
        Ended::Deadline => (
            "handshake_deadline",
            "a slow or stalled client: deadlines.handshake",
        ),
        Ended::Gone => return,
    };
    local.counters.handshakes_refused.bump();
    local.note(audit::Refusal {
        word,
        detail: "",
        cure,
        status: 0,
        shard: local.shard,
        client: None,
        address,
        request_id: None,
    });
}
