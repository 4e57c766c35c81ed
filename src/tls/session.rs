//! Records after the handshake.
//!
//! rustls makes one `Vec` for each record opened; sealing goes straight into the caller's buffer.

use rustls::Error;
use rustls::server::ServerConnectionData;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError};

/// Plaintext of one full record.
const RECORD_BYTES: usize = 16 * 1024;
/// What a record is longer than its plaintext at most: header, type, nonce, tag.
const RECORD_OVERHEAD_BYTES: usize = 5 + 1 + 8 + 16;
/// Room for an alert or a KeyUpdate beside the data.
const MESSAGE_BYTES: usize = 64;

/// What [`Session::open`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Plaintext was appended; there may be more in `incoming`.
    Data,
    /// More bytes must be received.
    NeedInput,
    /// The client has said close_notify and will send nothing more.
    Closed,
}

/// What ends a session before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsFault {
    /// A record does not open.
    BadRecord,
    /// The client has ended the session by an alert.
    PeerAlert,
    /// A handshake message after the handshake lies in more than one record. Legal, done by
    /// nobody, and refused because it would have to be kept beside the caller's buffers.
    Fragmented,
    /// The keys have sealed all they may.
    KeysExhausted,
    /// Anything else the protocol forbids.
    Protocol,
}

impl TlsFault {
    /// The word for logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::BadRecord => "tls_bad_record",
            Self::PeerAlert => "tls_peer_alert",
            Self::Fragmented => "tls_fragmented",
            Self::KeysExhausted => "tls_keys_exhausted",
            Self::Protocol => "tls_protocol",
        }
    }

    fn of(error: &Error) -> Self {
        match error {
            Error::DecryptError | Error::PeerSentOversizedRecord => Self::BadRecord,
            Error::AlertReceived(_) => Self::PeerAlert,
            _ => Self::Protocol,
        }
    }
}

/// An established connection's keys.
pub struct Session {
    connection: UnbufferedServerConnection,
    /// Plaintext that came in one piece with the handshake's end, until the first `open`.
    early: Vec<u8>,
    closed: bool,
    fault: Option<TlsFault>,
}

impl Session {
    pub(super) fn new(connection: UnbufferedServerConnection, early: Vec<u8>) -> Self {
        Self {
            connection,
            early,
            closed: false,
            fault: None,
        }
    }

    /// Opens records from the front of `incoming` and appends their plaintext to `plain` until
    /// that holds `plain_bytes_max` or more (one record may carry it 16 KiB beyond), or no whole
    /// record is left. `plain` must hold less at the call, or nothing is opened. What is processed
    /// is removed from `incoming`. `outgoing` receives what must be sent in answer, after a fault
    /// also: the alert.
    ///
    /// # Errors
    /// The session is over; every later call says the same.
    pub fn open(
        &mut self,
        incoming: &mut Vec<u8>,
        plain: &mut Vec<u8>,
        plain_bytes_max: usize,
        outgoing: &mut Vec<u8>,
    ) -> Result<Opened, TlsFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let before = plain.len();
        plain.append(&mut self.early);
        let mut processed = 0;
        while !self.closed && plain.len() < plain_bytes_max {
            let rest = incoming.get_mut(processed..).unwrap_or_default();
            let status = self.connection.process_tls_records(rest);
            processed += status.discard;
            match status.state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(Ok(record)) = traffic.next_record() {
                        plain.extend_from_slice(record.payload);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, outgoing),
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => self.closed = true,
                Ok(_) => {
                    remove(incoming, processed);
                    if holds_whole_record(incoming) {
                        return Err(self.fail(TlsFault::Fragmented));
                    }
                    let data = plain.len() > before;
                    return Ok(if data {
                        Opened::Data
                    } else {
                        Opened::NeedInput
                    });
                }
                Err(error) => {
                    incoming.clear();
                    drain_alert(&mut self.connection, outgoing);
                    return Err(self.fail(TlsFault::of(&error)));
                }
            }
        }
        remove(incoming, processed);
        if plain.len() > before {
            return Ok(Opened::Data);
        }
        Ok(if self.closed {
            Opened::Closed
        } else {
            Opened::NeedInput
        })
    }

    /// Seals `plain` in records of at most 16 KiB, appended to `outgoing`.
    ///
    /// # Errors
    /// The session is over.
    pub fn seal(&mut self, plain: &[u8], outgoing: &mut Vec<u8>) -> Result<(), TlsFault> {
        let records = plain.len().div_ceil(RECORD_BYTES);
        let room = plain.len() + records * RECORD_OVERHEAD_BYTES + MESSAGE_BYTES;
        self.write(outgoing, room, |traffic, room| traffic.encrypt(plain, room))
    }

    /// Appends close_notify to `outgoing`; after a fault nothing, for then an alert has been sent.
    pub fn close_notify(&mut self, outgoing: &mut Vec<u8>) {
        if self.fault.is_some() {
            return;
        }
        // A session that cannot say goodbye is closed all the same.
        let _ = self.write(outgoing, MESSAGE_BYTES, |traffic, room| {
            traffic.queue_close_notify(room)
        });
    }

    fn write(
        &mut self,
        outgoing: &mut Vec<u8>,
        mut room: usize,
        mut write: impl FnMut(&mut Traffic<'_>, &mut [u8]) -> Result<usize, EncryptError>,
    ) -> Result<(), TlsFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        loop {
            // No input: a handshake message in part, which would need its bytes, is a fault.
            match self.connection.process_tls_records(&mut []).state {
                Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, outgoing),
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.closed = true,
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
                            drain_alert(&mut self.connection, outgoing);
                            return Err(self.fail(TlsFault::KeysExhausted));
                        }
                    }
                }
                Ok(_) => return Err(self.fail(TlsFault::Protocol)),
                Err(error) => return Err(self.fail(TlsFault::of(&error))),
            }
        }
    }

    fn fail(&mut self, fault: TlsFault) -> TlsFault {
        self.fault = Some(fault);
        fault
    }
}

type Traffic<'c> = rustls::unbuffered::WriteTraffic<'c, ServerConnectionData>;

/// Appends what rustls has ready to be sent.
pub(super) fn encode(data: &mut EncodeTlsData<'_, ServerConnectionData>, out: &mut Vec<u8>) {
    let start = out.len();
    if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
        out.resize(start + size.required_size, 0);
        let written = data.encode(&mut out[start..]).unwrap_or(0);
        out.truncate(start + written);
    }
}

/// After a fault: what rustls has queued, which is the alert. Asked no further than that, because
/// it would process the offending bytes again.
pub(super) fn drain_alert(connection: &mut UnbufferedServerConnection, out: &mut Vec<u8>) {
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
pub(super) fn remove(incoming: &mut Vec<u8>, processed: usize) {
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
