//! TLS 1.3 records opened and sealed in the caller's own buffers, with the keys that rustls hands
//! out when the handshake is over. What rustls would do after that is done here: key updates, the
//! bound on what a key may seal, padding, alerts.
//!
//! rustls' own door makes a `Vec` for each record that is opened and walks its state machine for
//! each that is sealed.

use aws_lc_rs::aead::{
    AES_128_GCM, AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce,
    UnboundKey,
};
use rustls::kernel::KernelConnection;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::{ConnectionTrafficSecrets, SupportedCipherSuite};

use super::{Ended, RECORD_BYTES, TlsFault};

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

const CLOSE_NOTIFY: u8 = 0;
const UNEXPECTED_MESSAGE: u8 = 10;
const BAD_RECORD_MAC: u8 = 20;
const RECORD_OVERFLOW: u8 = 22;
const ILLEGAL_PARAMETER: u8 = 47;
const DECODE_ERROR: u8 = 50;
const INTERNAL_ERROR: u8 = 80;
const USER_CANCELED: u8 = 90;
const LEVEL_WARNING: u8 = 1;
const LEVEL_FATAL: u8 = 2;

const KEY_UPDATE: u8 = 24;
const UPDATE_NOT_REQUESTED: u8 = 0;
const UPDATE_REQUESTED: u8 = 1;

const HEADER_BYTES: usize = 5;
const TAG_BYTES: usize = 16;
/// What a record may be longer than its plaintext (RFC 8446 section 5.2).
const EXPANSION_BYTES_MAX: usize = 256;
/// Each costs new keys; with data between them a client may have as many as it likes.
const KEY_UPDATES_IN_A_ROW_MAX: u8 = 32;
/// Records of no data, likewise.
const EMPTY_IN_A_ROW_MAX: u8 = 32;
/// `user_canceled`, which says nothing.
const WARNINGS_MAX: u8 = 4;

/// The keys of one direction.
struct Keys {
    key: LessSafeKey,
    iv: [u8; NONCE_LEN],
    /// Records under this key so far: a nonce is used once.
    sequence: u64,
}

/// An established TLS 1.3 connection.
pub(super) struct Records {
    receive: Keys,
    send: Keys,
    /// What the next keys are made from.
    secrets: KernelConnection<ServerConnectionData>,
    /// Records one key may seal.
    sealed_max: u64,
    key_updates_left: u8,
    empty_left: u8,
    warnings_left: u8,
}

/// A record that was opened where it lies.
struct Record<'r> {
    /// Its length on the wire.
    octets: usize,
    content_type: u8,
    content: &'r [u8],
}

const UNEXPECTED: Ended = Ended(TlsFault::Protocol, Some(UNEXPECTED_MESSAGE));

impl Records {
    /// Takes over from rustls. All that it had to send must have been taken out of it.
    pub(super) fn take_over(connection: UnbufferedServerConnection) -> Result<Self, TlsFault> {
        let taken = connection.dangerous_into_kernel_connection();
        let (extracted, secrets) = taken.map_err(|_| TlsFault::Protocol)?;
        let sealed_max = match secrets.negotiated_cipher_suite() {
            SupportedCipherSuite::Tls13(suite) => suite.common.confidentiality_limit,
            SupportedCipherSuite::Tls12(_) => return Err(TlsFault::Protocol),
        };
        Ok(Self {
            receive: Keys::new(extracted.rx).ok_or(TlsFault::Protocol)?,
            send: Keys::new(extracted.tx).ok_or(TlsFault::Protocol)?,
            secrets,
            sealed_max,
            key_updates_left: KEY_UPDATES_IN_A_ROW_MAX,
            empty_left: EMPTY_IN_A_ROW_MAX,
            warnings_left: WARNINGS_MAX,
        })
    }

    /// Opens records from `incoming` until `plain` holds `plain_bytes_max` or more, none is whole,
    /// or the client has closed, which sets `closed`. How many octets of `incoming` were used. A
    /// fault has its alert appended to `outgoing`.
    pub(super) fn open(
        &mut self,
        incoming: &mut [u8],
        plain: &mut Vec<u8>,
        plain_bytes_max: usize,
        outgoing: &mut Vec<u8>,
        closed: &mut bool,
    ) -> Result<usize, Ended> {
        let mut used = 0;
        while !*closed && plain.len() < plain_bytes_max {
            let rest = incoming.get_mut(used..).unwrap_or_default();
            let taken = self.take(rest, plain, outgoing, closed);
            match taken.map_err(|ended| self.tell(ended, outgoing))? {
                0 => break,
                octets => used += octets,
            }
        }
        Ok(used)
    }

    /// Takes the record at the front of `rest`; 0 octets where it is not all there.
    fn take(
        &mut self,
        rest: &mut [u8],
        plain: &mut Vec<u8>,
        outgoing: &mut Vec<u8>,
        closed: &mut bool,
    ) -> Result<usize, Ended> {
        let Some(Record {
            octets,
            content_type,
            content,
        }) = self.receive.open(rest)?
        else {
            return Ok(0);
        };
        match content_type {
            APPLICATION_DATA if content.is_empty() => {
                self.empty_left = self.empty_left.checked_sub(1).ok_or(UNEXPECTED)?;
            }
            APPLICATION_DATA => {
                plain.extend_from_slice(content);
                self.key_updates_left = KEY_UPDATES_IN_A_ROW_MAX;
                self.empty_left = EMPTY_IN_A_ROW_MAX;
            }
            ALERT => match *content {
                [_, CLOSE_NOTIFY] => *closed = true,
                [_, USER_CANCELED] if self.warnings_left > 0 => self.warnings_left -= 1,
                //= RFC 8446 section 6
                //# Whatever level an alert claims, all but these two end the connection.
                [_, _] => return Err(Ended(TlsFault::PeerAlert, None)),
                //= RFC 8446 section 5.4
                //# An alert of nothing is no message.
                [] => return Err(UNEXPECTED),
                _ => return Err(Ended(TlsFault::Protocol, Some(DECODE_ERROR))),
            },
            HANDSHAKE => {
                let request = key_update(content)?;
                self.update(request, outgoing)?;
            }
            _ => return Err(UNEXPECTED),
        }
        Ok(octets)
    }

    //= RFC 8446 section 4.6.3
    //# The sender's next record is under new keys; who asks gets an update in answer.
    fn update(&mut self, request: u8, outgoing: &mut Vec<u8>) -> Result<(), Ended> {
        self.key_updates_left = self.key_updates_left.checked_sub(1).ok_or(UNEXPECTED)?;
        let next = self.secrets.update_rx_secret().ok().and_then(Keys::new);
        self.receive = next.ok_or(Ended(TlsFault::Protocol, Some(INTERNAL_ERROR)))?;
        if request == UPDATE_REQUESTED {
            self.renew(UPDATE_NOT_REQUESTED, outgoing)
                .map_err(|fault| Ended(fault, None))?;
        }
        Ok(())
    }

    /// Announces new keys for what is sent, under the old ones, and takes them.
    fn renew(&mut self, request: u8, outgoing: &mut Vec<u8>) -> Result<(), TlsFault> {
        let message = [KEY_UPDATE, 0, 0, 1, request];
        self.send.seal(HANDSHAKE, &message, outgoing)?;
        let next = self.secrets.update_tx_secret().ok().and_then(Keys::new);
        self.send = next.ok_or(TlsFault::KeysExhausted)?;
        Ok(())
    }

    /// Seals `plain` in records of at most 16 KiB, appended to `outgoing`.
    pub(super) fn seal(&mut self, plain: &[u8], outgoing: &mut Vec<u8>) -> Result<(), TlsFault> {
        for part in plain.chunks(RECORD_BYTES) {
            //= RFC 8446 section 5.5
            //# Before a key has sealed all that it may, there is a new one.
            if self.send.sequence >= self.sealed_max {
                self.renew(UPDATE_REQUESTED, outgoing)?;
            }
            self.send.seal(APPLICATION_DATA, part, outgoing)?;
        }
        Ok(())
    }

    /// Appends close_notify to `outgoing`.
    pub(super) fn close_notify(&mut self, outgoing: &mut Vec<u8>) -> Result<(), TlsFault> {
        let goodbye = [LEVEL_WARNING, CLOSE_NOTIFY];
        self.send.seal(ALERT, &goodbye, outgoing)
    }

    /// Appends a fatal alert to `outgoing`. One that cannot be sealed any more is not said, and
    /// false comes back; the connection ends all the same.
    pub(super) fn fatal(&mut self, alert: u8, outgoing: &mut Vec<u8>) -> bool {
        let sealed = self.send.seal(ALERT, &[LEVEL_FATAL, alert], outgoing);
        sealed.is_ok()
    }

    fn tell(&mut self, ended: Ended, outgoing: &mut Vec<u8>) -> Ended {
        let Ended(fault, alert) = ended;
        Ended(fault, alert.filter(|alert| self.fatal(*alert, outgoing)))
    }

    /// Lets tests come to the bound.
    #[cfg(test)]
    pub(super) fn seals_at_most(&mut self, records: u64) {
        self.sealed_max = records;
    }
}

impl Keys {
    /// From what rustls hands out: the number of the next record, and the secrets. None for an
    /// algorithm that is not spoken here.
    fn new((sequence, secrets): (u64, ConnectionTrafficSecrets)) -> Option<Self> {
        let (algorithm, key, iv): (&'static Algorithm, _, _) = match &secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => return None,
        };
        Some(Self {
            key: LessSafeKey::new(UnboundKey::new(algorithm, key.as_ref()).ok()?),
            iv: iv.as_ref().try_into().ok()?,
            sequence,
        })
    }

    //= RFC 8446 section 5.3
    //# The nonce is the IV with the record's number, padded on the left, added without carry.
    fn nonce(&self) -> Nonce {
        let mut nonce = self.iv;
        for (octet, number) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *octet ^= number;
        }
        Nonce::assume_unique_for_key(nonce)
    }

    /// Opens the record at the front of `rest` where it lies. None while it is not all there.
    fn open<'r>(&mut self, rest: &'r mut [u8]) -> Result<Option<Record<'r>>, Ended> {
        //= RFC 8446 section 5.2
        //# Under keys every record looks like application data; a change_cipher_spec has no place
        //# any more.
        match rest.first() {
            None => return Ok(None),
            Some(&APPLICATION_DATA) => {}
            Some(_) => return Err(UNEXPECTED),
        }
        let Some((header, rest)) = rest.split_first_chunk_mut::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        if length > RECORD_BYTES + EXPANSION_BYTES_MAX {
            return Err(Ended(TlsFault::BadRecord, Some(RECORD_OVERFLOW)));
        }
        let Some(sealed) = rest.get_mut(..length) else {
            return Ok(None);
        };
        let inner = self
            .key
            .open_in_place(self.nonce(), Aad::from(*header), sealed)
            .map_err(|_| Ended(TlsFault::BadRecord, Some(BAD_RECORD_MAC)))?;
        self.sequence += 1;
        if inner.len() > RECORD_BYTES + 1 {
            return Err(Ended(TlsFault::BadRecord, Some(RECORD_OVERFLOW)));
        }
        //= RFC 8446 section 5.4
        //# Behind the content stands its type, and behind that any number of zeroes.
        let Some(at) = inner.iter().rposition(|octet| *octet != 0) else {
            return Err(UNEXPECTED);
        };
        Ok(Some(Record {
            octets: HEADER_BYTES + length,
            content_type: inner[at],
            content: &inner[..at],
        }))
    }

    /// Appends one record to `out`. `content` is no longer than a record may be.
    fn seal(
        &mut self,
        content_type: u8,
        content: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), TlsFault> {
        let sealed = content.len() + 1 + TAG_BYTES;
        let length = u16::try_from(sealed).map_err(|_| TlsFault::Protocol)?;
        let [high, low] = length.to_be_bytes();
        let header = [APPLICATION_DATA, 3, 3, high, low];
        let start = out.len() + HEADER_BYTES;
        out.reserve(HEADER_BYTES + sealed);
        out.extend_from_slice(&header);
        out.extend_from_slice(content);
        out.extend_from_slice(&[0; 1 + TAG_BYTES]);
        let (content, tail) = out[start..].split_at_mut(content.len());
        let (nonce, aad) = (self.nonce(), Aad::from(header));
        let done = self
            .key
            .seal_in_place_scatter(nonce, aad, content, &[content_type], tail);
        if done.is_err() {
            out.truncate(start - HEADER_BYTES);
            return Err(TlsFault::KeysExhausted);
        }
        self.sequence += 1;
        Ok(())
    }
}

/// The request in a KeyUpdate, the one message that a client may send after the handshake here.
fn key_update(content: &[u8]) -> Result<u8, Ended> {
    match *content {
        [
            KEY_UPDATE,
            0,
            0,
            1,
            request @ (UPDATE_NOT_REQUESTED | UPDATE_REQUESTED),
        ] => Ok(request),
        [KEY_UPDATE, 0, 0, 1, _] => Err(Ended(TlsFault::Protocol, Some(ILLEGAL_PARAMETER))),
        // Legal, done by nobody, and refused because it would have to be kept.
        [KEY_UPDATE] | [KEY_UPDATE, 0] | [KEY_UPDATE, 0, 0] | [KEY_UPDATE, 0, 0, 1] => {
            Err(Ended(TlsFault::Fragmented, Some(UNEXPECTED_MESSAGE)))
        }
        [KEY_UPDATE, high, middle, low, ..] if (high, middle, low) != (0, 0, 1) => {
            Err(Ended(TlsFault::Protocol, Some(DECODE_ERROR)))
        }
        //= RFC 8446 section 5.1
        //# No message spans a change of keys: nothing follows a KeyUpdate in its record. An empty
        //# fragment is no message at all.
        _ => Err(UNEXPECTED),
    }
}
