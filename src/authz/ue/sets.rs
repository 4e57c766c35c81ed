//! Sets of UEs by name, as many as an operator has subscribers: a file that is built of lists, and
//! says of a UE whether it is in a set, and of nobody who is.
//!
//! ```text
//!   header (64)  magic (8) | version (4) | octets of names (4) | name of key (8)
//!                | blocks (8) | entries (8) | zeros
//!   names        length (1) and name of each set, in order; zeros up to a multiple of 64
//!   blocks       64 octets each: four entries of 16, all zeros where there is none
//!   tag (32)     HMAC-SHA256 of all before it
//!   entry        SipHash-2-4 with 128 bits of set name | 0 | kind | the UE's one form
//! ```
//! Numbers are little-endian, and both keys are derived of one secret. An entry stands in one of
//! the two blocks that its own halves name (a cuckoo table of two choices and four places), so that
//! a lookup reads two lines of memory whether or not it finds anything, and neither waits for the
//! other. 128 bits: with 2^32 entries, a UE that is in none of the sets is taken for one of them
//! with a probability below 2^-96, and whoever has the file and not the key can try out nobody.
//!
//! A file of 20 million entries has 356 MB. It is copied into memory and judged there before it is
//! used: who maps a file is killed where it is cut short meanwhile, and would go by what somebody
//! has written into it since the tag was checked.

use std::fmt;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use memmap2::Mmap;
use siphasher::sip128::{Hasher128 as _, SipHasher24};
use std::hash::Hasher as _;

use super::{EXTERNAL_ID_BYTES_MAX, ExternalId, SetName, UeId};
use crate::secret::{Secret, label};

mod build;
#[cfg(test)]
pub(in crate::authz) mod tests;

pub use build::{Inserted, Table, write};

pub const HEAD_BYTES: usize = 64;
pub const TAG_BYTES: usize = 32;
const BLOCK_BYTES: usize = 64;
const ENTRY_BYTES: usize = 16;
const MAGIC: [u8; 8] = *b"t8gsets\0";
const VERSION: u32 = 1;
/// Tie what is derived to its purpose.
const PURPOSE: &[u8] = b"t8gate UE sets 1";

/// One entry, as it is kept; never 0.
pub type Entry = u128;

/// What a file is built with and read with.
pub struct SetsKey {
    hasher: SipHasher24,
    tag: hmac::Key,
    name: [u8; 8],
}

/// What it is called, which says nothing about it.
impl fmt::Debug for SetsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SetsKey({:016x})", u64::from_be_bytes(self.name))
    }
}

impl SetsKey {
    /// From the octets of a file.
    ///
    /// # Errors
    /// As of [`Secret::from_octets`].
    pub fn from_octets(written: &[u8]) -> Result<Self, String> {
        let secret = Secret::from_octets(written, PURPOSE)?;
        Ok(Self {
            hasher: SipHasher24::new_with_key(&secret.derive(&label(b"entries", &[]))),
            tag: hmac::Key::new(HMAC_SHA256, &secret.derive::<32>(&label(b"tag", &[]))),
            name: secret.derive(&label(b"name", &[])),
        })
    }

    /// The entry of a UE or group in a set; none where it is one that no set can hold, an address.
    pub fn entry(&self, set: &SetName, ue: &UeId<'_>) -> Option<Entry> {
        let mut form = Form::default();
        form.add(set.as_str().as_bytes());
        form.add(&[0]);
        let id = |form: &mut Form, id: &ExternalId<'_>| {
            form.add(id.local.as_bytes());
            form.add(b"@");
            id.domain_octets().for_each(|octet| form.add(&[octet]));
        };
        match ue {
            UeId::Msisdn(msisdn) => {
                form.add(b"m");
                form.add(&msisdn.0.to_le_bytes());
            }
            UeId::ExternalId(external) => {
                form.add(b"e");
                id(&mut form, external);
            }
            UeId::Group(group) => {
                form.add(b"g");
                id(&mut form, group);
            }
            UeId::Gpsi(gpsi) => {
                form.add(b"o");
                form.add(gpsi.as_bytes());
            }
            UeId::Mac(mac) => {
                form.add(b"a");
                form.add(&mac.0);
            }
            UeId::Ip { .. } => return None,
        }
        let mut hasher = self.hasher;
        hasher.write(form.octets()?);
        // One in 2^128 would look like none.
        Some(hasher.finish128().as_u128().max(1))
    }

    /// Whether it was read of the same secret.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// What is hashed, put together without an allocation.
struct Form {
    octets: [u8; Self::BYTES_MAX],
    length: usize,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            octets: [0; Self::BYTES_MAX],
            length: 0,
        }
    }
}

impl Form {
    /// The set's name, two octets, and the longest thing that names a UE.
    const BYTES_MAX: usize = SetName::BYTES_MAX + 2 + EXTERNAL_ID_BYTES_MAX;

    fn add(&mut self, octets: &[u8]) {
        let end = self.length + octets.len();
        if let Some(room) = self.octets.get_mut(self.length..end) {
            room.copy_from_slice(octets);
        }
        // Beyond the room, it is nothing that could be hashed.
        self.length = end;
    }

    fn octets(&self) -> Option<&[u8]> {
        self.octets.get(..self.length)
    }
}

/// Why a file is not one to go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetsFault {
    /// It does not begin as one.
    NoSets,
    /// Of a version that is not known here.
    Version,
    /// Built with another key.
    Key,
    /// Shorter or longer than its header says.
    Length,
    /// Its tag is not that of its octets, or its names are none.
    Damaged,
}

impl SetsFault {
    /// What is wrong, and the cure.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::NoSets => (
                "is not a file of UE sets",
                "build it: t8gate policy build --from FILE --key-file FILE --out FILE",
            ),
            Self::Version => (
                "has another version than this t8gate reads",
                "build it anew by this t8gate",
            ),
            Self::Key => (
                "was built with another key",
                "name the key it was built with in policy.key_file, or build it anew with this one",
            ),
            Self::Length => (
                "is shorter or longer than it says",
                "copy or build it anew, beside, and rename it",
            ),
            Self::Damaged => (
                "is damaged: its tag is not that of its octets",
                "copy or build it anew, beside, and rename it",
            ),
        }
    }
}

/// A built file, in memory and found right.
pub struct Sets {
    octets: Mmap,
    key: SetsKey,
    names: Vec<SetName>,
    blocks_at: usize,
    layout: Layout,
}

/// What sets there are, and of whom nothing.
impl fmt::Debug for Sets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sets")
            .field("sets", &self.names.len())
            .field("entries", &self.layout.entries)
            .finish_non_exhaustive()
    }
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    names_bytes: u32,
    key: [u8; 8],
    blocks: u64,
    entries: u64,
}

impl Layout {
    fn read(head: &[u8; HEAD_BYTES]) -> Result<Self, SetsFault> {
        let (magic, rest) = head.split_first_chunk().ok_or(SetsFault::NoSets)?;
        if *magic != MAGIC {
            return Err(SetsFault::NoSets);
        }
        let (version, rest) = rest.split_first_chunk().ok_or(SetsFault::NoSets)?;
        if u32::from_le_bytes(*version) != VERSION {
            return Err(SetsFault::Version);
        }
        let damaged = SetsFault::Damaged;
        let (names_bytes, rest) = rest.split_first_chunk().ok_or(damaged)?;
        let (key, rest) = rest.split_first_chunk().ok_or(damaged)?;
        let (blocks, rest) = rest.split_first_chunk().ok_or(damaged)?;
        let (entries, rest) = rest.split_first_chunk().ok_or(damaged)?;
        let layout = Self {
            names_bytes: u32::from_le_bytes(*names_bytes),
            key: *key,
            blocks: u64::from_le_bytes(*blocks),
            entries: u64::from_le_bytes(*entries),
        };
        match rest.iter().all(|octet| *octet == 0) && layout.blocks > 0 {
            true => Ok(layout),
            false => Err(damaged),
        }
    }

    fn written(&self) -> [u8; HEAD_BYTES] {
        let parts: [&[u8]; 6] = [
            &MAGIC,
            &VERSION.to_le_bytes(),
            &self.names_bytes.to_le_bytes(),
            &self.key,
            &self.blocks.to_le_bytes(),
            &self.entries.to_le_bytes(),
        ];
        let mut head = [0; HEAD_BYTES];
        let said = parts.into_iter().flatten();
        head.iter_mut().zip(said).for_each(|(to, from)| *to = *from);
        head
    }

    /// The names with the zeros behind them.
    fn names_room(&self) -> u64 {
        u64::from(self.names_bytes).next_multiple_of(BLOCK_BYTES as u64)
    }

    /// Of the whole file; none where no file is as long.
    fn file_bytes(&self) -> Option<u64> {
        let blocks = self.blocks.checked_mul(BLOCK_BYTES as u64)?;
        let around = (HEAD_BYTES + TAG_BYTES) as u64 + self.names_room();
        blocks.checked_add(around)
    }
}

impl Sets {
    /// From the octets of a file, which nobody else can write any more.
    ///
    /// # Errors
    /// They are none to go by.
    pub fn open(octets: Mmap, key: SetsKey) -> Result<Self, SetsFault> {
        let head = octets.first_chunk().ok_or(SetsFault::NoSets)?;
        let layout = Layout::read(head)?;
        if layout.key != key.name {
            return Err(SetsFault::Key);
        }
        if layout.file_bytes() != Some(octets.len() as u64) {
            return Err(SetsFault::Length);
        }
        let (said, tag) = octets
            .split_last_chunk::<TAG_BYTES>()
            .ok_or(SetsFault::Length)?;
        hmac::verify(&key.tag, said, tag).map_err(|_| SetsFault::Damaged)?;
        let (_, rest) = said.split_at(HEAD_BYTES);
        let room = usize::try_from(layout.names_room()).map_err(|_| SetsFault::Length)?;
        let (written, _) = rest.split_at_checked(room).ok_or(SetsFault::Length)?;
        let names = names(written, layout.names_bytes).ok_or(SetsFault::Damaged)?;
        Ok(Self {
            blocks_at: HEAD_BYTES + room,
            names,
            layout,
            key,
            octets,
        })
    }

    /// Whether a UE or a group is in a set. Allocates nothing, and reads two lines of memory.
    pub fn hold(&self, set: &SetName, ue: &UeId<'_>) -> bool {
        let Some(entry) = self.key.entry(set, ue) else {
            return false;
        };
        let [first, second] = places(entry, self.layout.blocks);
        // Both, so that the second line is on its way while the first one is.
        self.block_holds(first, entry) | self.block_holds(second, entry)
    }

    fn block_holds(&self, place: u64, entry: Entry) -> bool {
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        let start = place
            .saturating_mul(BLOCK_BYTES)
            .saturating_add(self.blocks_at);
        let block = self.octets.get(start..).and_then(<[u8]>::first_chunk);
        block.is_some_and(|block| holds(block, entry))
    }

    /// The sets that there are, in the order of their names.
    pub fn names(&self) -> &[SetName] {
        &self.names
    }

    /// Whether there is such a set; one that nobody is in is none.
    pub fn has(&self, set: &SetName) -> bool {
        self.names.binary_search(set).is_ok()
    }

    /// How many UEs and groups are in sets, each counted in each.
    pub fn entries(&self) -> u64 {
        self.layout.entries
    }

    /// How many octets of memory they take.
    pub fn bytes(&self) -> usize {
        self.octets.len()
    }

    /// All octets of the file that they are of.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Whether a file that begins and ends so is the one that these are of, read with this key, or
    /// it was and is damaged between.
    pub fn are_of(&self, head: &[u8], tag: &[u8], bytes: u64, key: &SetsKey) -> bool {
        self.octets.starts_with(head)
            && self.octets.ends_with(tag)
            && self.octets.len() as u64 == bytes
            && self.key.is_same_as(key)
    }
}

/// The two blocks an entry may stand in.
fn places(entry: Entry, blocks: u64) -> [u64; 2] {
    let scaled = |half: u64| (u128::from(half) * u128::from(blocks)) >> 64;
    [entry as u64, (entry >> 64) as u64].map(|half| scaled(half) as u64)
}

fn holds(block: &[u8; BLOCK_BYTES], entry: Entry) -> bool {
    let (entries, _) = block.as_chunks::<ENTRY_BYTES>();
    let is_it = |known: &[u8; ENTRY_BYTES]| u128::from_le_bytes(*known) == entry;
    // All of them: a branch for each would be foretold wrongly.
    entries
        .iter()
        .fold(false, |found, known| found | is_it(known))
}

/// The names in their room: each once, in order, and zeros behind them.
fn names(room: &[u8], bytes: u32) -> Option<Vec<SetName>> {
    let (mut written, zeros) = room.split_at_checked(usize::try_from(bytes).ok()?)?;
    let mut names: Vec<SetName> = Vec::new();
    while let Some((length, rest)) = written.split_first() {
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let name = SetName::new(std::str::from_utf8(name).ok()?)?;
        if names.last().is_some_and(|before| *before >= name) {
            return None;
        }
        names.push(name);
        written = rest;
    }
    zeros.iter().all(|octet| *octet == 0).then_some(names)
}
