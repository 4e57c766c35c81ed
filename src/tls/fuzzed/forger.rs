//! A client that follows no library: records sealed by hand, with the keys of a real handshake.

use aws_lc_rs::aead::{
    AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
};
use rustls::ConnectionTrafficSecrets;

/// A client that seals whatever it is told to.
pub(in crate::tls) struct Forger {
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
}

impl Forger {
    pub(in crate::tls) fn new((sequence, secrets): (u64, ConnectionTrafficSecrets)) -> Self {
        let (algorithm, key, iv) = match &secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => panic!("an algorithm that is not in the profile"),
        };
        Self {
            key: LessSafeKey::new(
                UnboundKey::new(algorithm, key.as_ref()).expect("a key of the algorithm's length"),
            ),
            iv: iv.as_ref().try_into().expect("twelve octets"),
            sequence,
        }
    }

    fn nonce(&mut self) -> Nonce {
        let mut nonce = self.iv;
        let number = self.sequence.to_be_bytes();
        (4..12).for_each(|at| nonce[at] ^= number[at - 4]);
        self.sequence += 1;
        Nonce::assume_unique_for_key(nonce)
    }

    /// A record around `inner`: content, type, padding.
    pub(in crate::tls) fn seal(&mut self, inner: &[u8]) -> Vec<u8> {
        let length = u16::try_from(inner.len() + 16)
            .expect("a record of 64 KiB at most")
            .to_be_bytes();
        let mut record = vec![23, 3, 3, length[0], length[1]];
        let mut sealed = inner.to_vec();
        let (nonce, aad) = (self.nonce(), Aad::from(record.clone()));
        self.key
            .seal_in_place_append_tag(nonce, aad, &mut sealed)
            .expect("a key that has sealed little");
        record.append(&mut sealed);
        record
    }

    /// The type and content of a record of the server.
    #[cfg(test)]
    pub(in crate::tls) fn open(&mut self, record: &[u8]) -> (u8, Vec<u8>) {
        let (header, sealed) = record.split_at(5);
        let (nonce, mut sealed) = (self.nonce(), sealed.to_vec());
        let inner = self
            .key
            .open_in_place(nonce, Aad::from(header), &mut sealed)
            .expect("a record under these keys");
        let at = inner.iter().rposition(|octet| *octet != 0).expect("a type");
        (inner[at], inner[..at].to_vec())
    }
}
