//! TLS records, opened in place and sealed straight into the buffer that is sent.
//!
//! rustls shakes hands and then lends its secrets: its own record layer allocates and copies once
//! for each record and direction, which is a good part of what a generator may cost per request.

use aws_lc_rs::aead::{
    AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey,
};
use rustls::ConnectionTrafficSecrets;

/// Of every record: type, version, length.
pub const HEADER_BYTES: usize = 5;
/// Plaintext of one record, RFC 8446 section 5.1.
const PLAINTEXT_BYTES_MAX: usize = 1 << 14;
/// Ciphertext of one record, RFC 5246 section 6.2.3; TLS 1.3 allows less.
const CIPHERTEXT_BYTES_MAX: usize = PLAINTEXT_BYTES_MAX + 2048;
/// All three suites' tags have it.
const TAG_BYTES: usize = 16;
/// TLS 1.2 sends so much of an AES-GCM nonce with each record.
const EXPLICIT_NONCE_BYTES: usize = 8;

/// What a record carries, as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// 21: `close_notify`, or why the peer gave up.
    Alert,
    /// 22: after the handshake these are tickets and key updates.
    Handshake,
    /// 23: what the application said.
    Application,
}

impl Content {
    fn of(byte: u8) -> Result<Self, RecordFault> {
        match byte {
            21 => Ok(Self::Alert),
            22 => Ok(Self::Handshake),
            23 => Ok(Self::Application),
            _ => Err(RecordFault::TypeUnknown),
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::Alert => 21,
            Self::Handshake => 22,
            Self::Application => 23,
        }
    }
}

/// What was wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// Its length is over what TLS allows.
    TooLong,
    /// A content type that has no place after the handshake.
    TypeUnknown,
    /// Shorter than its own tag, or nothing but padding.
    TooShort,
    /// The tag does not fit.
    NotAuthentic,
    /// The suite's key could not be used; a suite that we do not offer.
    SuiteUnknown,
}

impl std::fmt::Display for RecordFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TooLong => "a record is too long",
            Self::TypeUnknown => "a record of a type that has no place here",
            Self::TooShort => "a record is too short",
            Self::NotAuthentic => "a record is not authentic",
            Self::SuiteUnknown => "a suite that is not offered",
        })
    }
}

/// Of which protocol the records are, as far as their form depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// TLS 1.3: the type is inside, the nonce is implied.
    Inner,
    /// TLS 1.2 with AES-GCM: eight bytes of nonce before the ciphertext.
    ExplicitNonce,
    /// TLS 1.2 with ChaCha20: the nonce is implied, as in TLS 1.3.
    ImpliedNonce,
}

/// One direction's key, and how many records it has seen.
pub struct RecordKey {
    key: LessSafeKey,
    iv: [u8; NONCE_LEN],
    sequence: u64,
    form: Form,
}

impl RecordKey {
    /// The key of one direction as rustls extracts it: the next sequence number, and the secrets.
    ///
    /// # Errors
    /// [`RecordFault::SuiteUnknown`] for a suite that this file does not know.
    pub fn new(
        (sequence, secrets): (u64, ConnectionTrafficSecrets),
        tls13: bool,
    ) -> Result<Self, RecordFault> {
        let (algorithm, key, iv) = match &secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => return Err(RecordFault::SuiteUnknown),
        };
        let form = match (tls13, algorithm == &CHACHA20_POLY1305) {
            (true, _) => Form::Inner,
            (false, true) => Form::ImpliedNonce,
            (false, false) => Form::ExplicitNonce,
        };
        let unbound =
            UnboundKey::new(algorithm, key.as_ref()).map_err(|_| RecordFault::SuiteUnknown)?;
        let iv = iv.as_ref().try_into();
        Ok(Self {
            key: LessSafeKey::new(unbound),
            iv: iv.map_err(|_| RecordFault::SuiteUnknown)?,
            sequence,
            form,
        })
    }

    /// The nonce of the next record, and the sequence number that TLS 1.2 authenticates.
    fn next(&mut self) -> ([u8; NONCE_LEN], [u8; 8]) {
        let sequence = self.sequence.to_be_bytes();
        // 2^64 records are not sent in a lifetime.
        self.sequence = self.sequence.wrapping_add(1);
        let mut nonce = self.iv;
        for (byte, mask) in nonce[NONCE_LEN - 8..].iter_mut().zip(sequence) {
            *byte ^= mask;
        }
        (nonce, sequence)
    }

    /// Appends to `out` what `pieces` say one after the other, as records of `content`.
    ///
    /// # Errors
    /// [`RecordFault::NotAuthentic`] when the cipher refuses, which it does for no length we send.
    pub fn seal(
        &mut self,
        content: Content,
        pieces: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Result<(), RecordFault> {
        let bytes: usize = pieces.iter().map(|piece| piece.len()).sum();
        if bytes <= PLAINTEXT_BYTES_MAX {
            return self.seal_one(content, pieces, bytes, out);
        }
        // Only long bodies come here; they may be copied once more.
        let whole = pieces.concat();
        for part in whole.chunks(PLAINTEXT_BYTES_MAX) {
            self.seal_one(content, &[part], part.len(), out)?;
        }
        Ok(())
    }

    fn seal_one(
        &mut self,
        content: Content,
        pieces: &[&[u8]],
        bytes: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), RecordFault> {
        let form = self.form;
        let (nonce, sequence) = self.next();
        let overhead = TAG_BYTES
            + match form {
                Form::Inner => 1,
                Form::ExplicitNonce => EXPLICIT_NONCE_BYTES,
                Form::ImpliedNonce => 0,
            };
        // At most 2^14 and some: fits 16 bits.
        let length = ((bytes + overhead) as u16).to_be_bytes();
        let outer = if form == Form::Inner {
            Content::Application
        } else {
            content
        };
        let header = [outer.byte(), 3, 3, length[0], length[1]];
        out.reserve(HEADER_BYTES + bytes + overhead);
        out.extend_from_slice(&header);
        if form == Form::ExplicitNonce {
            out.extend_from_slice(&nonce[NONCE_LEN - EXPLICIT_NONCE_BYTES..]);
        }
        let start = out.len();
        for piece in pieces {
            out.extend_from_slice(piece);
        }
        if form == Form::Inner {
            out.push(content.byte());
        }
        let nonce = Nonce::assume_unique_for_key(nonce);
        let text = &mut out[start..];
        let tag = match form {
            Form::Inner => self
                .key
                .seal_in_place_separate_tag(nonce, Aad::from(header), text),
            _ => {
                let aad = Aad::from(associated_12(sequence, header[0], bytes));
                self.key.seal_in_place_separate_tag(nonce, aad, text)
            }
        };
        let tag = tag.map_err(|_| RecordFault::NotAuthentic)?;
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Opens one whole record in place.
    ///
    /// `None`: a change-cipher-spec, which TLS 1.3 has for middleboxes and which says nothing.
    ///
    /// # Errors
    /// Whatever is wrong with the record: the connection is of no use any more.
    pub fn open<'r>(
        &mut self,
        record: &'r mut [u8],
    ) -> Result<Option<(Content, &'r [u8])>, RecordFault> {
        let Some((header, body)) = record.split_first_chunk_mut::<HEADER_BYTES>() else {
            return Err(RecordFault::TooShort);
        };
        let header = *header;
        if header[0] == 20 {
            return Ok(None);
        }
        let outer = Content::of(header[0])?;
        let (mut nonce, sequence) = self.next();
        let body = if self.form == Form::ExplicitNonce {
            let (explicit, rest) = body
                .split_first_chunk_mut::<EXPLICIT_NONCE_BYTES>()
                .ok_or(RecordFault::TooShort)?;
            nonce[..NONCE_LEN - EXPLICIT_NONCE_BYTES]
                .copy_from_slice(&self.iv[..NONCE_LEN - EXPLICIT_NONCE_BYTES]);
            nonce[NONCE_LEN - EXPLICIT_NONCE_BYTES..].copy_from_slice(explicit);
            rest
        } else {
            body
        };
        let bytes = body.len().checked_sub(TAG_BYTES);
        let bytes = bytes.ok_or(RecordFault::TooShort)?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        if self.form != Form::Inner {
            let aad = Aad::from(associated_12(sequence, header[0], bytes));
            let text = self.key.open_in_place(nonce, aad, body);
            return text
                .map(|text| Some((outer, &*text)))
                .map_err(|_| RecordFault::NotAuthentic);
        }
        let text = self.key.open_in_place(nonce, Aad::from(header), body);
        let text: &[u8] = text.map_err(|_| RecordFault::NotAuthentic)?;
        // The type is the last byte that is not padding.
        let end = text.iter().rposition(|byte| *byte != 0);
        let end = end.ok_or(RecordFault::TooShort)?;
        Ok(Some((Content::of(text[end])?, &text[..end])))
    }
}

/// What TLS 1.2 authenticates beside the text, RFC 5246 section 6.2.3.3.
fn associated_12(sequence: [u8; 8], content: u8, bytes: usize) -> [u8; 13] {
    let mut aad = [0; 13];
    aad[..8].copy_from_slice(&sequence);
    aad[8] = content;
    aad[9..11].copy_from_slice(&[3, 3]);
    // Records are shorter than 2^16: their length came from 16 bits.
    aad[11..].copy_from_slice(&(bytes as u16).to_be_bytes());
    aad
}

/// The length of the whole record that `bytes` begin with, as soon as its header says so.
///
/// # Errors
/// [`RecordFault::TooLong`] when no record is so long.
pub fn record_bytes(bytes: &[u8]) -> Result<Option<usize>, RecordFault> {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let body = usize::from(u16::from_be_bytes([header[3], header[4]]));
    if body > CIPHERTEXT_BYTES_MAX {
        return Err(RecordFault::TooLong);
    }
    Ok(Some(HEADER_BYTES + body))
}

#[cfg(test)]
mod tests;
