//! The secret of session tickets, and what is derived of it for them.

use zeroize::Zeroizing;

use super::{NAME_BYTES, SlotSecret};
use crate::secret::{Secret, label};

/// Ties what is derived to its purpose: the same file used elsewhere gives nothing away here.
const PURPOSE: &[u8] = b"t8gate session tickets 1";

/// A secret as tickets need it.
pub struct TicketSecret(Secret);

impl TicketSecret {
    /// From the octets of a file.
    ///
    /// # Errors
    /// As of [`Secret::from_octets`].
    pub fn from_octets(written: &[u8]) -> Result<Self, String> {
        Secret::from_octets(written, PURPOSE).map(Self)
    }

    /// By which its tickets are known. Says nothing about the secret.
    pub(super) fn name(&self, slot_s: u64) -> [u8; NAME_BYTES] {
        self.0.derive(&label(b"name", &[slot_s]))
    }

    /// What the keys of one slot's tickets are made of.
    pub(super) fn slot_secret(&self, slot_s: u64, slot: u64) -> SlotSecret {
        Zeroizing::new(self.0.derive(&label(b"slot", &[slot_s, slot])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_slot_length_and_name_has_octets_of_its_own() {
        let octets: Vec<u8> = (0..48_u8).map(|place| place.wrapping_mul(37)).collect();
        let secret = TicketSecret::from_octets(&octets).unwrap();
        let mut found = std::collections::BTreeSet::new();
        for length in [600, 601] {
            assert!(found.insert(secret.name(length).to_vec()));
            for slot in [1, 2, 256] {
                assert!(found.insert(secret.slot_secret(length, slot).to_vec()));
            }
        }
    }
}
