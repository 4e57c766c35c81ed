//! The trust epoch: one hash of all that decides who is let in and as whom. Sessions begun under
//! another one are not continued. Nodes with the same configuration have the same epoch, in
//! whatever order their files say it. What is looked up for each handshake (revocation, the time)
//! is no part of it.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{Context, SHA256};

/// What has been entered so far.
#[derive(Default)]
pub(super) struct TrustEpoch(BTreeSet<[u8; 32]>);

impl TrustEpoch {
    /// One thing that is believed: what kind of thing it is, and what it says. Once is as good as
    /// twice.
    pub(super) fn enter(&mut self, kind: &str, fields: &[&[u8]]) {
        let mut hash = Context::new(&SHA256);
        for field in std::iter::once(&kind.as_bytes()).chain(fields) {
            // Length first, so that two fields never run into one another.
            hash.update(&(field.len() as u64).to_be_bytes());
            hash.update(field);
        }
        self.0.insert(finish(hash));
    }

    pub(super) fn finish(self) -> [u8; 32] {
        let mut hash = Context::new(&SHA256);
        for entered in &self.0 {
            hash.update(entered);
        }
        finish(hash)
    }
}

fn finish(hash: Context) -> [u8; 32] {
    let digest = hash.finish();
    digest.as_ref().try_into().expect("SHA-256 has 32 octets")
}

#[cfg(test)]
mod tests {
    use super::*;

    type Entry = (&'static str, &'static [&'static [u8]]);

    fn epoch(entries: &[Entry]) -> [u8; 32] {
        let mut epoch = TrustEpoch::default();
        for (kind, fields) in entries {
            epoch.enter(kind, fields);
        }
        epoch.finish()
    }

    #[test]
    fn epoch_is_of_what_is_entered_and_not_of_its_order() {
        let one: Entry = ("anchor", &[b"one"]);
        let two: Entry = ("anchor", &[b"two"]);
        assert_eq!(epoch(&[one, two]), epoch(&[two, one, one]));
        assert_ne!(epoch(&[one, two]), epoch(&[one]));
        assert_ne!(epoch(&[one]), epoch(&[two]));
        assert_ne!(epoch(&[("a", &[b"b", b"c"])]), epoch(&[("a", &[b"bc"])]));
        assert_ne!(epoch(&[("a", &[b"b"])]), epoch(&[("ab", &[])]));
    }
}
