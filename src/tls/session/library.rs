//! Records by rustls itself: for TLS 1.2, whose keys it does not hand out with a way to go on, and
//! where the nonces of TLS 1.3 are a FIPS module's own.
//! It makes one `Vec` for each record opened; sealing goes straight into the caller's buffer.

use rustls::Error;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError};

use super::{Ended, RECORD_BYTES, TlsFault};
use crate::tls::{alerts, sealed};

/// What a record is longer than its plaintext at most: header, type, nonce, tag.
const RECORD_OVERHEAD_BYTES: usize = 5 + 1 + 8 + 16;
/// Room for an alert or a KeyUpdate beside the data.
const MESSAGE_BYTES: usize = 64;

type Traffic<'c> = rustls::unbuffered::WriteTraffic<'c, ServerConnectionData>;

/// Opens records; as [`super::Session::open`], but removes nothing from `incoming` after a fault.
pub(super) fn open(
    connection: &mut UnbufferedServerConnection,
    incoming: &mut Vec<u8>,
    plain: &mut Vec<u8>,
    plain_bytes_max: usize,
    outgoing: &mut Vec<u8>,
    closed: &mut bool,
) -> Result<(), Ended> {
    sealed::take_alert();
    let mut processed = 0;
    while !*closed && plain.len() < plain_bytes_max {
        let rest = incoming.get_mut(processed..).unwrap_or_default();
        let status = connection.process_tls_records(rest);
        processed += status.discard;
        match status.state {
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                while let Some(Ok(record)) = traffic.next_record() {
                    plain.extend_from_slice(record.payload);
                }
            }
            Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, outgoing),
            Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
            Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => *closed = true,
            Ok(_) => {
                remove(incoming, processed);
                return match holds_whole_record(incoming) {
                    true => Err(TlsFault::Fragmented.into()),
                    false => Ok(()),
                };
            }
            Err(error) => return Err(told(connection, fault_of(&error), outgoing)),
        }
    }
    remove(incoming, processed);
    Ok(())
}

/// Seals `plain` in records, appended to `outgoing`.
pub(super) fn seal(
    connection: &mut UnbufferedServerConnection,
    plain: &[u8],
    outgoing: &mut Vec<u8>,
    closed: &mut bool,
) -> Result<(), Ended> {
    let records = plain.len().div_ceil(RECORD_BYTES);
    let room = plain.len() + records * RECORD_OVERHEAD_BYTES + MESSAGE_BYTES;
    write(connection, outgoing, closed, room, |traffic, room| {
        traffic.encrypt(plain, room)
    })
}

/// Appends close_notify to `outgoing`.
pub(super) fn close_notify(
    connection: &mut UnbufferedServerConnection,
    outgoing: &mut Vec<u8>,
    closed: &mut bool,
) -> Result<(), Ended> {
    write(
        connection,
        outgoing,
        closed,
        MESSAGE_BYTES,
        |traffic, room| traffic.queue_close_notify(room),
    )
}

fn write(
    connection: &mut UnbufferedServerConnection,
    outgoing: &mut Vec<u8>,
    closed: &mut bool,
    mut room: usize,
    mut write: impl FnMut(&mut Traffic<'_>, &mut [u8]) -> Result<usize, EncryptError>,
) -> Result<(), Ended> {
    sealed::take_alert();
    loop {
        // No input: a handshake message in part, which would need its bytes, is a fault.
        match connection.process_tls_records(&mut []).state {
            Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, outgoing),
            Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
            Ok(ConnectionState::PeerClosed) => *closed = true,
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                let start = outgoing.len();
                outgoing.resize(start + room, 0);
                match write(&mut traffic, &mut outgoing[start..]) {
                    Ok(written) => {
                        outgoing.truncate(start + written);
                        return Ok(());
                    }
                    Err(EncryptError::InsufficientSize(size)) if size.required_size > room => {
                        outgoing.truncate(start);
                        room = size.required_size;
                    }
                    Err(_) => {
                        outgoing.truncate(start);
                        return Err(told(connection, TlsFault::KeysExhausted, outgoing));
                    }
                }
            }
            Ok(_) => return Err(TlsFault::Protocol.into()),
            Err(error) => return Err(fault_of(&error).into()),
        }
    }
}

/// Appends the alert that rustls has queued about a fault, and says which it is.
fn told(
    connection: &mut UnbufferedServerConnection,
    fault: TlsFault,
    outgoing: &mut Vec<u8>,
) -> Ended {
    let start = outgoing.len();
    drain_alert(connection, outgoing);
    let told = outgoing.get(start..).unwrap_or_default();
    Ended(fault, alerts::told(told, sealed::take_alert()))
}

fn fault_of(error: &Error) -> TlsFault {
    match error {
        Error::DecryptError | Error::PeerSentOversizedRecord => TlsFault::BadRecord,
        Error::AlertReceived(_) => TlsFault::PeerAlert,
        _ => TlsFault::Protocol,
    }
}

/// Appends what rustls has ready to be sent.
pub(in crate::tls) fn encode(
    data: &mut EncodeTlsData<'_, ServerConnectionData>,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
        out.resize(start + size.required_size, 0);
        let written = data.encode(&mut out[start..]).unwrap_or(0);
        out.truncate(start + written);
    }
}

/// After a fault: what rustls has queued, which is the alert. Asked no further than that, because
/// it would process the offending bytes again.
pub(in crate::tls) fn drain_alert(connection: &mut UnbufferedServerConnection, out: &mut Vec<u8>) {
    while connection.wants_write() {
        match connection.process_tls_records(&mut []).state {
            Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, out),
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                while traffic.next_record().is_some() {}
            }
            _ => return,
        }
    }
}

/// Removes the first `processed` octets, without moving any when that is all.
pub(in crate::tls) fn remove(incoming: &mut Vec<u8>, processed: usize) {
    if processed >= incoming.len() {
        incoming.clear();
    } else {
        incoming.drain(..processed);
    }
}

fn holds_whole_record(bytes: &[u8]) -> bool {
    let length = bytes
        .get(3..5)
        .map(|octets| usize::from(octets[0]) << 8 | usize::from(octets[1]));
    length.is_some_and(|length| bytes.len() >= 5 + length)
}
