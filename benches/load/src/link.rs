//! One connection's bytes between the socket and HTTP: TLS, or nothing. It knows no sockets.
//!
//! ```text
//!   Handshake ──▶ Records ──▶ (closed)          over TLS
//!   Clear ────────────────▶ (closed)            over http://
//! ```

use std::sync::Arc;

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::kernel::KernelConnection;
use rustls::pki_types::ServerName;
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};
use rustls::{ClientConfig, HandshakeKind};

use crate::records::{Content, RecordFault, RecordKey, record_bytes};

/// Handshake bytes that a server may have pending; a flight with long chains has some kilobytes.
const HANDSHAKE_BYTES_MAX: usize = 256 * 1024;

/// A message after the handshake is not longer; a ticket may hold a chain of certificates.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Why a connection's TLS ended before its time.
#[derive(Debug)]
pub enum LinkFault {
    /// rustls says what the peer, or we, did wrong.
    Handshake(rustls::Error),
    /// A record that is none.
    Record(RecordFault),
    /// An alert other than `close_notify`, by its number.
    Alert(u8),
    /// A message after the handshake that has no place there.
    Message,
}

impl From<RecordFault> for LinkFault {
    fn from(fault: RecordFault) -> Self {
        Self::Record(fault)
    }
}

impl From<rustls::Error> for LinkFault {
    fn from(error: rustls::Error) -> Self {
        Self::Handshake(error)
    }
}

impl std::fmt::Display for LinkFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Handshake(error) => write!(f, "{error}"),
            Self::Record(fault) => write!(f, "{fault}"),
            Self::Alert(number) => {
                let alert = rustls::AlertDescription::from(*number);
                write!(f, "received alert {alert:?}")
            }
            Self::Message => f.write_str("a message that has no place after the handshake"),
        }
    }
}

/// What bytes brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing that the connection must know.
    Going,
    /// The handshake is complete; `resumed` when it continued a session.
    Open {
        /// Continued, rather than full.
        resumed: bool,
    },
    /// The peer said that it is done (`close_notify`).
    Closed,
}

/// The layer below HTTP.
pub struct Link {
    layer: Layer,
    /// The beginning of a record whose end has not come.
    partial: Vec<u8>,
    /// Sessions are to be continued: tickets are worth reading.
    tickets_wanted: bool,
}

enum Layer {
    Clear,
    Handshake(Box<UnbufferedClientConnection>),
    Records(Box<Records>),
}

struct Records {
    open: RecordKey,
    seal: RecordKey,
    /// The beginning of a handshake message whose end has not come: messages may be split over
    /// records. At most [`MESSAGE_BYTES_MAX`], and the message's header.
    unheard: Vec<u8>,
    /// What rustls keeps for tickets and key updates.
    rest: KernelConnection<ClientConnectionData>,
    tickets_wanted: bool,
}

impl Link {
    /// No TLS.
    pub fn clear() -> Self {
        Self {
            layer: Layer::Clear,
            partial: Vec::new(),
            tickets_wanted: false,
        }
    }

    /// Begins a handshake: the ClientHello is appended to `out`.
    ///
    /// # Errors
    /// rustls' own, when `config` cannot begin one.
    pub fn begin(
        config: &Arc<ClientConfig>,
        name: &ServerName<'static>,
        tickets_wanted: bool,
        out: &mut Vec<u8>,
    ) -> Result<Self, LinkFault> {
        let connection = UnbufferedClientConnection::new(config.clone(), name.clone())?;
        let mut link = Self {
            layer: Layer::Handshake(Box::new(connection)),
            partial: Vec::new(),
            tickets_wanted,
        };
        link.shake_hands(out)?;
        Ok(link)
    }

    /// Takes received bytes, opening them in place: what is for HTTP goes to `deliver`, what is to
    /// be sent is appended to `out`.
    ///
    /// # Errors
    /// The connection is of no use any more.
    pub fn receive(
        &mut self,
        bytes: &mut [u8],
        out: &mut Vec<u8>,
        mut deliver: impl FnMut(&[u8]),
    ) -> Result<Progress, LinkFault> {
        match &mut self.layer {
            Layer::Clear => {
                deliver(bytes);
                Ok(Progress::Going)
            }
            Layer::Handshake(_) => {
                self.partial.extend_from_slice(bytes);
                if self.partial.len() > HANDSHAKE_BYTES_MAX {
                    return Err(LinkFault::Record(RecordFault::TooLong));
                }
                self.shake_hands(out)
            }
            Layer::Records(records) if self.partial.is_empty() => {
                let (used, progress) = records.read(bytes, out, &mut deliver)?;
                self.partial
                    .extend_from_slice(bytes.get(used..).unwrap_or_default());
                Ok(progress)
            }
            Layer::Records(records) => {
                self.partial.extend_from_slice(bytes);
                let (used, progress) = records.read(&mut self.partial, out, &mut deliver)?;
                self.partial.drain(..used);
                Ok(progress)
            }
        }
    }

    /// Appends to `out` what `pieces` say, as this layer sends it; nothing while hands are shaken.
    ///
    /// # Errors
    /// The cipher refused.
    pub fn send(&mut self, pieces: &[&[u8]], out: &mut Vec<u8>) -> Result<(), LinkFault> {
        match &mut self.layer {
            Layer::Clear => pieces.iter().for_each(|piece| out.extend_from_slice(piece)),
            Layer::Handshake(_) => {}
            Layer::Records(records) => records.seal.seal(Content::Application, pieces, out)?,
        }
        Ok(())
    }

    /// Appends `close_notify`, where there is somebody to understand it.
    pub fn say_goodbye(&mut self, out: &mut Vec<u8>) {
        if let Layer::Records(records) = &mut self.layer {
            // It is the last thing said: when it fails, the connection closes without it.
            let _ = records.seal.seal(Content::Alert, &[&[1, 0]], out);
        }
    }

    /// Lends rustls what was received until it wants more or is done.
    fn shake_hands(&mut self, out: &mut Vec<u8>) -> Result<Progress, LinkFault> {
        let Layer::Handshake(connection) = &mut self.layer else {
            return Ok(Progress::Going);
        };
        loop {
            let UnbufferedStatus { discard, state } =
                connection.process_tls_records(&mut self.partial);
            let mut complete = false;
            let mut blocked = false;
            match state {
                Ok(ConnectionState::EncodeTlsData(mut ready)) => {
                    encode(out, |room| ready.encode(room))?;
                }
                Ok(ConnectionState::TransmitTlsData(sent)) => sent.done(),
                Ok(ConnectionState::BlockedHandshake) => blocked = true,
                Ok(ConnectionState::WriteTraffic(_)) => complete = true,
                // Data, or an end, before the handshake is over.
                Ok(_) => return Err(LinkFault::Message),
                Err(error) => return Err(error.into()),
            }
            self.partial.drain(..discard);
            if blocked {
                return Ok(Progress::Going);
            }
            if complete {
                break;
            }
        }
        let resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
        let layer = std::mem::replace(&mut self.layer, Layer::Clear);
        if let Layer::Handshake(connection) = layer {
            self.layer = Layer::Records(Box::new(Records::new(*connection, self.tickets_wanted)?));
        }
        Ok(Progress::Open { resumed })
    }
}

/// Appends a message to `out`, making as much room as it asks for.
fn encode(
    out: &mut Vec<u8>,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>,
) -> Result<(), LinkFault> {
    let start = out.len();
    let mut room = 4096;
    loop {
        out.resize(start + room, 0);
        match write(&mut out[start..]) {
            Ok(written) => {
                out.truncate(start + written);
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(wanted)) if wanted.required_size > room => {
                room = wanted.required_size;
            }
            Err(_) => {
                out.truncate(start);
                return Err(LinkFault::Message);
            }
        }
    }
}

impl Records {
    fn new(
        connection: UnbufferedClientConnection,
        tickets_wanted: bool,
    ) -> Result<Self, LinkFault> {
        let tls13 = connection.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3);
        let (secrets, rest) = connection.dangerous_into_kernel_connection()?;
        Ok(Self {
            open: RecordKey::new(secrets.rx, tls13)?,
            seal: RecordKey::new(secrets.tx, tls13)?,
            unheard: Vec::new(),
            rest,
            tickets_wanted,
        })
    }

    /// Opens the whole records at the start of `bytes`, and says how many bytes they were.
    fn read(
        &mut self,
        bytes: &mut [u8],
        out: &mut Vec<u8>,
        deliver: &mut impl FnMut(&[u8]),
    ) -> Result<(usize, Progress), LinkFault> {
        let mut used = 0;
        while let Some(length) = record_bytes(&bytes[used..])? {
            let Some(record) = bytes.get_mut(used..used + length) else {
                break;
            };
            used += length;
            let opened = self.open.open(record)?;
            //= RFC 8446 section 5.1
            //# Between the records of one message there are no others.
            let goes_on = matches!(opened, Some((Content::Handshake, _)));
            if !self.unheard.is_empty() && !goes_on {
                return Err(LinkFault::Message);
            }
            match opened {
                None => {}
                Some((Content::Application, text)) => deliver(text),
                Some((Content::Alert, [1, 0])) => return Ok((used, Progress::Closed)),
                Some((Content::Alert, alert)) => {
                    return Err(LinkFault::Alert(alert.get(1).copied().unwrap_or_default()));
                }
                Some((Content::Handshake, messages)) => {
                    let mut heard = std::mem::take(&mut self.unheard);
                    heard.extend_from_slice(messages);
                    let left = self.hear(&heard, out)?;
                    heard.drain(..heard.len() - left);
                    self.unheard = heard;
                }
            }
        }
        Ok((used, Progress::Going))
    }

    /// Messages after the handshake: tickets and key updates. RFC 8446 section 4.6
    ///
    /// Gives how many bytes at the end are a message's beginning.
    fn hear(&mut self, mut messages: &[u8], out: &mut Vec<u8>) -> Result<usize, LinkFault> {
        const NEW_SESSION_TICKET: u8 = 4;
        const KEY_UPDATE: u8 = 24;
        while let [kind, a, b, c, rest @ ..] = messages {
            let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            if length > MESSAGE_BYTES_MAX {
                return Err(LinkFault::Message);
            }
            let Some((body, after)) = rest.split_at_checked(length) else {
                break;
            };
            messages = after;
            match (*kind, body) {
                (NEW_SESSION_TICKET, body) => {
                    if self.tickets_wanted {
                        self.rest.handle_new_session_ticket(body)?;
                    }
                }
                // No message spans a change of keys, nor shares a record with what follows.
                (KEY_UPDATE, [asked @ (0 | 1)]) if after.is_empty() => {
                    self.open = RecordKey::new(self.rest.update_rx_secret()?, true)?;
                    if *asked == 1 {
                        let update = [KEY_UPDATE, 0, 0, 1, 0];
                        self.seal.seal(Content::Handshake, &[&update], out)?;
                        self.seal = RecordKey::new(self.rest.update_tx_secret()?, true)?;
                    }
                }
                _ => return Err(LinkFault::Message),
            }
        }
        Ok(messages.len())
    }
}

#[cfg(test)]
mod tests;
