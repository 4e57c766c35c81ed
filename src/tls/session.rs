//! Records after the handshake: in place for TLS 1.3, by rustls for TLS 1.2 and wherever a FIPS
//! module has to count the nonces.

mod library;
mod records;

use rustls::ProtocolVersion;
use rustls::server::UnbufferedServerConnection;

use records::Records;

use super::{Refusal, alert_of, alerts};

pub(super) use library::{drain_alert, encode, remove};

/// Plaintext of one full record.
const RECORD_BYTES: usize = 16 * 1024;
/// The alert that says goodbye.
const CLOSE_NOTIFY: u8 = 0;

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
}

/// What has ended a session, and the alert that says so; none where nothing was said.
struct Ended(TlsFault, Option<u8>);

impl From<TlsFault> for Ended {
    fn from(fault: TlsFault) -> Self {
        Self(fault, None)
    }
}

/// An established connection's keys.
pub struct Session {
    keys: Keys,
    /// Plaintext that came in one piece with the handshake's end, until the first `open`.
    early: Vec<u8>,
    closed: bool,
    fault: Option<TlsFault>,
    /// That the client was told the fault by.
    alert: Option<u8>,
}

enum Keys {
    /// Of TLS 1.3.
    InPlace(Box<Records>),
    Library(Box<UnbufferedServerConnection>),
}

impl Session {
    /// Of a handshake that is over, all of whose flight has been taken out of `connection`.
    /// `in_place` lets records of TLS 1.3 be opened and sealed here.
    pub(super) fn new(
        connection: UnbufferedServerConnection,
        early: Vec<u8>,
        in_place: bool,
    ) -> Result<Self, TlsFault> {
        let keys = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) if in_place => {
                Keys::InPlace(Box::new(Records::take_over(connection)?))
            }
            _ => Keys::Library(Box::new(connection)),
        };
        Ok(Self {
            keys,
            early,
            closed: false,
            fault: None,
            alert: None,
        })
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
        let closed = &mut self.closed;
        let opened = match &mut self.keys {
            Keys::InPlace(records) => records
                .open(incoming, plain, plain_bytes_max, outgoing, closed)
                .map(|used| remove(incoming, used)),
            Keys::Library(connection) => library::open(
                connection,
                incoming,
                plain,
                plain_bytes_max,
                outgoing,
                closed,
            ),
        };
        if let Err(ended) = opened {
            incoming.clear();
            return Err(self.fail(ended));
        }
        Ok(match self.closed {
            _ if plain.len() > before => Opened::Data,
            true => Opened::Closed,
            false => Opened::NeedInput,
        })
    }

    /// Seals `plain` in records of at most 16 KiB, appended to `outgoing`.
    ///
    /// # Errors
    /// The session is over.
    pub fn seal(&mut self, plain: &[u8], outgoing: &mut Vec<u8>) -> Result<(), TlsFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let sealed = match &mut self.keys {
            Keys::InPlace(records) => records.seal(plain, outgoing).map_err(Ended::from),
            Keys::Library(connection) => {
                library::seal(connection, plain, outgoing, &mut self.closed)
            }
        };
        sealed.map_err(|ended| self.fail(ended))
    }

    /// The alert that the client was told a fault by, as RFC 8446 names it; empty where there was
    /// none.
    pub fn alert(&self) -> &'static str {
        self.alert.map_or("", alerts::word)
    }

    /// Appends close_notify to `outgoing`; after a fault nothing, for then an alert has been sent.
    pub fn close_notify(&mut self, outgoing: &mut Vec<u8>) {
        if self.fault.is_some() {
            return;
        }
        // A session that cannot say goodbye is closed all the same.
        let _ = match &mut self.keys {
            Keys::InPlace(records) => records.close_notify(outgoing).map_err(Ended::from),
            Keys::Library(connection) => {
                library::close_notify(connection, outgoing, &mut self.closed)
            }
        };
    }

    /// Ends the session because the client's certificate is no longer trusted: appends the alert
    /// to `outgoing`, and says which. The library says close_notify, which is all that it can be
    /// told to say.
    pub fn distrust(&mut self, refusal: Refusal, outgoing: &mut Vec<u8>) -> u8 {
        match &mut self.keys {
            Keys::InPlace(records) if self.fault.is_none() => {
                let alert = alert_of(refusal);
                let _ = records.fatal(alert, outgoing);
                alert
            }
            _ => {
                self.close_notify(outgoing);
                CLOSE_NOTIFY
            }
        }
    }

    fn fail(&mut self, Ended(fault, alert): Ended) -> TlsFault {
        (self.fault, self.alert) = (Some(fault), alert);
        fault
    }

    /// Lets tests come to the bound on what one key may seal; TLS 1.3 only.
    #[cfg(test)]
    pub(super) fn seals_at_most(&mut self, records: u64) {
        if let Keys::InPlace(keys) = &mut self.keys {
            keys.seals_at_most(records);
        }
    }
}
