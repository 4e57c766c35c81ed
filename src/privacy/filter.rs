//! The set of known subscribers: where a field may hold digits that look as an IMSI does, only one
//! that is somebody's stops a message.
//!
//! Numbers are little-endian; the layout may be mapped as it stands:
//!
//! ```text
//!   8 octets       "t8known\x01"
//!   8              how many hashes
//!   8              how many first bits of a hash choose its bucket
//!   8              the hash of nothing: two keys have different ones
//!   4 x (2^bits+1) where each bucket begins, and where the last one ends
//!   (filled with zeroes to 8)
//!   8 x count      the hashes, sorted
//!   32             SHA-256 of all that stands before
//! ```

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

use super::pseudonym::PseudonymKey;

const MAGIC: &[u8; 8] = b"t8known\x01";
pub const HEAD_BYTES: usize = 32;
pub const CHECKSUM_BYTES: usize = 32;
/// Some hashes a bucket: one line of the cache.
const BUCKET_HASHES: usize = 8;
const BUCKET_BITS_MAX: u32 = 28;

/// Where the octets are kept: a mapped file, or memory.
pub type Storage = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// IMSIs, as keyed hashes of 64 bits. Of ten million one more is taken for one of them with a
/// chance of 5 * 10^-13.
#[derive(Clone)]
pub struct Filter {
    storage: Storage,
    count: usize,
    bits: u32,
    hashes_at: usize,
}

/// What tells one file of such a set from another.
pub struct Ends {
    pub bytes: u64,
    pub head: [u8; HEAD_BYTES],
    pub sum: [u8; CHECKSUM_BYTES],
}

/// Why octets are no such set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterFault {
    /// They begin otherwise, or are of another version.
    NotOne,
    /// It has another length than it says.
    Length,
    /// Something has changed since it was made.
    Checksum,
    /// Its hashes are not sorted into their buckets.
    Order,
    /// It was made with another key.
    OtherKey,
}

impl FilterFault {
    pub fn word(self) -> &'static str {
        match self {
            Self::NotOne => "is no set of known subscribers",
            Self::Length => "is longer or shorter than it says",
            Self::Checksum => "was changed or damaged since it was made",
            Self::Order => "is not in order",
            Self::OtherKey => "was made with another key",
        }
    }
}

impl Filter {
    /// Reads a set and checks all of it: for when it is loaded, not for requests.
    pub fn read(storage: Storage, key: &PseudonymKey) -> Result<Self, FilterFault> {
        let octets = (*storage).as_ref();
        if octets.first_chunk::<8>() != Some(MAGIC) {
            return Err(FilterFault::NotOne);
        }
        let head = |place| word(octets, place).ok_or(FilterFault::Length);
        let (count, bits, of_nothing) = (head(8)?, head(16)?, head(24)?);
        let count = usize::try_from(count).map_err(|_| FilterFault::Length)?;
        let bits = u32::try_from(bits).unwrap_or(u32::MAX);
        if bits > BUCKET_BITS_MAX {
            return Err(FilterFault::Length);
        }
        let hashes_at = hashes_at(bits);
        let hashes = count
            .checked_mul(8)
            .and_then(|bytes| bytes.checked_add(hashes_at));
        let whole = hashes.and_then(|end| end.checked_add(CHECKSUM_BYTES));
        if whole != Some(octets.len()) {
            return Err(FilterFault::Length);
        }
        let (content, sum) = octets.split_at(octets.len() - CHECKSUM_BYTES);
        if digest(&SHA256, content).as_ref() != sum {
            return Err(FilterFault::Checksum);
        }
        if of_nothing != key.known(b"") {
            return Err(FilterFault::OtherKey);
        }
        let filter = Self {
            storage: Arc::clone(&storage),
            count,
            bits,
            hashes_at,
        };
        if filter.is_sorted() {
            Ok(filter)
        } else {
            Err(FilterFault::Order)
        }
    }

    fn is_sorted(&self) -> bool {
        let octets = (*self.storage).as_ref();
        let mut at = 0;
        for bucket in 0..1_usize << self.bits {
            let Some((start, end)) = self.bucket(octets, bucket) else {
                return false;
            };
            if start != at || end < start || end > self.count {
                return false;
            }
            let mut last = None;
            for place in start..end {
                let hash = self.hash(octets, place);
                if hash <= last || hash.map(|hash| bucket_of(hash, self.bits)) != Some(bucket) {
                    return false;
                }
                last = hash;
            }
            at = end;
        }
        at == self.count
    }

    /// Whether an IMSI is one of them.
    pub fn knows(&self, imsi: &[u8], key: &PseudonymKey) -> bool {
        let octets = (*self.storage).as_ref();
        let hash = key.known(imsi);
        let bucket = self.bucket(octets, bucket_of(hash, self.bits));
        let (mut low, mut high) = bucket.unwrap_or((0, 0));
        while low < high {
            let middle = low + (high - low) / 2;
            match self.hash(octets, middle) {
                Some(other) if other == hash => return true,
                Some(other) if other < hash => low = middle + 1,
                _ => high = middle,
            }
        }
        false
    }

    /// All octets of the file that it is of.
    pub fn octets(&self) -> &[u8] {
        (*self.storage).as_ref()
    }

    /// Whether these are its first and last octets, and it was made with this key.
    pub fn is_of(&self, octets: &Ends, key: &PseudonymKey) -> bool {
        let all = (*self.storage).as_ref();
        all.len() as u64 == octets.bytes
            && all.starts_with(&octets.head)
            && all.ends_with(&octets.sum)
            && word(all, 24) == Some(key.known(b""))
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn bucket(&self, octets: &[u8], bucket: usize) -> Option<(usize, usize)> {
        let at = HEAD_BYTES + bucket * 4;
        let (start, rest) = octets.get(at..)?.split_first_chunk::<4>()?;
        let end = rest.first_chunk::<4>()?;
        Some((
            u32::from_le_bytes(*start) as usize,
            u32::from_le_bytes(*end) as usize,
        ))
    }

    fn hash(&self, octets: &[u8], place: usize) -> Option<u64> {
        word(octets, self.hashes_at + place * 8)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({} subscribers)", self.count)
    }
}

/// What the set has of an IMSI: to be sorted, and written by [`build`].
pub fn hash(imsi: &[u8], key: &PseudonymKey) -> u64 {
    key.known(imsi)
}

/// Writes the set of these hashes, sorted and each once. `None` where they are not, or are more
/// than 2^32.
pub fn build(hashes: &[u64], key: &PseudonymKey) -> Option<Vec<u8>> {
    if !hashes.is_sorted_by(|one, next| one < next) || u32::try_from(hashes.len()).is_err() {
        return None;
    }
    let bits = (hashes.len() / BUCKET_HASHES)
        .max(1)
        .ilog2()
        .min(BUCKET_BITS_MAX);
    let mut out = Vec::with_capacity(hashes_at(bits) + hashes.len() * 8 + CHECKSUM_BYTES);
    out.extend_from_slice(MAGIC);
    for number in [hashes.len() as u64, u64::from(bits), key.known(b"")] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    let mut at = 0;
    for bucket in 0..=1_usize << bits {
        while hashes
            .get(at)
            .is_some_and(|hash| bucket_of(*hash, bits) < bucket)
        {
            at += 1;
        }
        out.extend_from_slice(&(at as u32).to_le_bytes());
    }
    out.resize(hashes_at(bits), 0);
    hashes
        .iter()
        .for_each(|hash| out.extend_from_slice(&hash.to_le_bytes()));
    let sum = digest(&SHA256, &out);
    out.extend_from_slice(sum.as_ref());
    Some(out)
}

fn bucket_of(hash: u64, bits: u32) -> usize {
    hash.checked_shr(64 - bits).unwrap_or(0) as usize
}

fn hashes_at(bits: u32) -> usize {
    (HEAD_BYTES + ((1 << bits) + 1) * 4).next_multiple_of(8)
}

fn word(octets: &[u8], at: usize) -> Option<u64> {
    let word = octets.get(at..)?.first_chunk::<8>()?;
    Some(u64::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> PseudonymKey {
        PseudonymKey::new(&[9; 32])
    }

    fn imsi(number: usize) -> String {
        format!("00101{number:010}")
    }

    fn built(numbers: impl Iterator<Item = usize>) -> Vec<u8> {
        let mut hashes: Vec<u64> = numbers.map(|n| hash(imsi(n).as_bytes(), &key())).collect();
        hashes.sort_unstable();
        build(&hashes, &key()).unwrap()
    }

    fn read(octets: Vec<u8>) -> Result<Filter, FilterFault> {
        Filter::read(Arc::new(octets), &key())
    }

    #[test]
    fn all_that_are_in_it_are_known_and_no_others() {
        for count in [0, 1, 7, 16, 1_000] {
            let filter = read(built(0..count)).unwrap();
            assert_eq!((filter.len(), filter.is_empty()), (count, count == 0));
            for number in 0..count {
                assert!(
                    filter.knows(imsi(number).as_bytes(), &key()),
                    "{number} of {count}"
                );
            }
            for number in count..count + 500 {
                assert!(
                    !filter.knows(imsi(number).as_bytes(), &key()),
                    "{number} of {count}"
                );
            }
        }
    }

    #[test]
    fn set_that_was_changed_anywhere_is_refused() {
        let good = built(0..40);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(read(bad).is_err(), "octet {at}");
            assert!(read(good[..at].to_vec()).is_err(), "cut at {at}");
        }
        assert_eq!(
            read([&good[..], b"x"].concat()).err(),
            Some(FilterFault::Length)
        );
        let other = Filter::read(Arc::new(good), &PseudonymKey::new(&[8; 32]));
        assert_eq!(other.err(), Some(FilterFault::OtherKey));
        assert_eq!(
            read(b"t8known\x02".to_vec()).err(),
            Some(FilterFault::NotOne)
        );
    }

    /// With the checksum of what stands before it.
    fn summed(mut octets: Vec<u8>) -> Vec<u8> {
        let end = octets.len() - CHECKSUM_BYTES;
        let sum = digest(&SHA256, &octets[..end]);
        octets[end..].copy_from_slice(sum.as_ref());
        octets
    }

    #[test]
    fn set_out_of_order_is_refused_with_a_good_checksum() {
        let mut bad = built(0..40);
        let end = bad.len() - CHECKSUM_BYTES;
        let last: Vec<u8> = bad[end - 16..end].to_vec();
        bad[end - 16..end - 8].copy_from_slice(&last[8..]);
        bad[end - 8..end].copy_from_slice(&last[..8]);
        assert_eq!(read(summed(bad)).err(), Some(FilterFault::Order));
        let mut no_first = built(0..1);
        no_first[HEAD_BYTES] = 1;
        assert_eq!(read(summed(no_first)).err(), Some(FilterFault::Order));
    }

    /// What stands behind the last hash is the checksum: in time one falls into its bucket.
    #[test]
    fn bucket_that_ends_behind_the_last_hash_is_refused() {
        for filled in 0..32_u32 {
            let mut bad = [&MAGIC[..], &[0; 8], &[1, 0, 0, 0, 0, 0, 0, 0]].concat();
            bad.extend_from_slice(&key().known(b"").to_le_bytes());
            for number in [0, 1, 0, filled] {
                bad.extend_from_slice(&number.to_le_bytes());
            }
            bad.extend_from_slice(&[0; CHECKSUM_BYTES]);
            let fault = read(summed(bad)).err();
            assert_eq!(fault, Some(FilterFault::Order), "{filled}");
        }
    }

    #[test]
    fn hashes_stand_where_the_layout_has_them() {
        for (count, bits) in [(0, 0), (15, 0), (16, 1), (40, 2), (1_000, 6)] {
            let octets = built(0..count);
            let number = |at: usize, length: usize| {
                let octets = octets[at..at + length].iter().rev();
                octets.fold(0_u64, |number, octet| number << 8 | u64::from(*octet))
            };
            let head = (number(8, 8), number(16, 8), number(24, 8));
            assert_eq!(head, (count as u64, bits, key().known(b"")));
            let buckets = 1 << bits;
            let hashes_at = (32_usize + 4 * (buckets + 1)).next_multiple_of(8);
            assert_eq!(octets.len(), hashes_at + 8 * count + 32);
            let mut expected: Vec<u64> = (0..count)
                .map(|number| hash(imsi(number).as_bytes(), &key()))
                .collect();
            expected.sort_unstable();
            let hashes: Vec<u64> = (0..count)
                .map(|place| number(hashes_at + 8 * place, 8))
                .collect();
            assert_eq!(hashes, expected);
            for bucket in 0..=buckets {
                let before = hashes.iter().filter(|hash| {
                    let first_bits = u128::from(**hash) << bits >> 64;
                    first_bits < bucket as u128
                });
                let begins = number(32 + 4 * bucket, 4);
                assert_eq!(begins, before.count() as u64, "{bucket} of {count}");
            }
        }
    }

    #[test]
    fn set_is_told_by_its_ends_and_its_key() {
        let octets = built(0..40);
        let filter = read(octets.clone()).unwrap();
        let ends = || Ends {
            bytes: octets.len() as u64,
            head: *octets.first_chunk().unwrap(),
            sum: *octets.last_chunk().unwrap(),
        };
        assert!(filter.is_of(&ends(), &key()));
        assert!(!filter.is_of(&ends(), &PseudonymKey::new(&[8; 32])));
        let (mut longer, mut head, mut sum) = (ends(), ends(), ends());
        longer.bytes += 1;
        head.head[HEAD_BYTES - 1] ^= 1;
        sum.sum[0] ^= 1;
        for other in [longer, head, sum] {
            assert!(!filter.is_of(&other, &key()));
        }
    }

    #[test]
    fn each_fault_has_words_of_its_own() {
        let faults = [
            FilterFault::NotOne,
            FilterFault::Length,
            FilterFault::Checksum,
            FilterFault::Order,
            FilterFault::OtherKey,
        ];
        let words = faults.map(FilterFault::word);
        assert!(words.iter().all(|word| !word.is_empty()));
        let distinct: std::collections::HashSet<_> = words.iter().collect();
        assert_eq!(distinct.len(), words.len());
    }

    #[test]
    fn only_sorted_hashes_make_a_set() {
        assert!(build(&[2, 1], &key()).is_none());
        assert!(build(&[1, 1], &key()).is_none());
    }

    #[test]
    fn what_is_known_is_not_shown() {
        let filter = read(built(0..2)).unwrap();
        assert_eq!(format!("{filter:?}"), "Filter(2 subscribers)");
    }
}
