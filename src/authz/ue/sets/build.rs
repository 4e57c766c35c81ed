//! How a file of UE sets is made: entries into their blocks, and all of it written.

use std::collections::BTreeSet;
use std::io::{self, Write};

use aws_lc_rs::hmac;
use memmap2::{Advice, MmapMut};

use super::{BLOCK_BYTES, ENTRY_BYTES, Entry, Layout, SetsKey, places};
use crate::authz::ue::SetName;

/// Places in a block.
const PLACES: usize = BLOCK_BYTES / ENTRY_BYTES;
/// Nine of ten places are filled: with 98 of a hundred no order is found any more, and the nearer
/// to that, the longer it takes.
const FILL: (u64, u64) = (9, 10);
/// Entries that are moved for one: near what cannot be done it is thousands, else a handful.
const MOVES_MAX: usize = 2_000;

/// The blocks while they are filled.
pub struct Table {
    octets: MmapMut,
    blocks: u64,
    entries: u64,
    /// Which entry has to make room is drawn, but the same in every run: one list gives one file.
    drawn: u64,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    New,
    /// It was there.
    Known,
    /// There is no room, and one that was there is not any more: a larger table takes all.
    Full,
}

impl Table {
    /// For so many entries; `larger` is how often a smaller one has been full.
    ///
    /// # Errors
    /// There is not as much memory, or no file as large is taken.
    pub fn with_room_for(entries: u64, larger: u32) -> io::Result<Self> {
        let least = entries
            .saturating_mul(FILL.1)
            .div_ceil(FILL.0 * PLACES as u64)
            .max(1);
        let blocks = least + u64::from(larger) * (least / 32 + 1);
        let bytes = blocks.checked_mul(BLOCK_BYTES as u64);
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
        let bytes = bytes.ok_or(io::ErrorKind::OutOfMemory)?;
        let octets = MmapMut::map_anon(bytes)?;
        // It is walked at random. Where there are no larger pages, it takes longer.
        let _ = octets.advise(Advice::HugePage);
        Ok(Self {
            octets,
            blocks,
            entries: 0,
            drawn: 0x9e37_79b9_7f4a_7c15,
        })
    }

    /// How many there are, each once.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// How long a file of them is, but for the names of the sets.
    pub fn bytes(&self) -> u64 {
        self.octets.len() as u64
    }

    /// Puts one in.
    pub fn insert(&mut self, entry: Entry) -> Inserted {
        let [first, second] = places(entry, self.blocks);
        let is_in = |table: &Self, place| super::holds(table.block(place), entry);
        if is_in(self, first) || is_in(self, second) {
            return Inserted::Known;
        }
        if self.put(first, entry) || self.put(second, entry) {
            self.entries += 1;
            return Inserted::New;
        }
        let mut moved = entry;
        let mut place = if self.draw() & 1 == 0 { first } else { second };
        for _ in 0..MOVES_MAX {
            let chosen = (self.draw() % PLACES as u64) as usize;
            let (places_in, _) = self.block_mut(place).as_chunks_mut::<ENTRY_BYTES>();
            let out = std::mem::replace(&mut places_in[chosen], moved.to_le_bytes());
            moved = Entry::from_le_bytes(out);
            let [first, second] = places(moved, self.blocks);
            place = if place == first { second } else { first };
            if self.put(place, moved) {
                self.entries += 1;
                return Inserted::New;
            }
        }
        Inserted::Full
    }

    /// Into a free place of a block, if it has one.
    fn put(&mut self, place: u64, entry: Entry) -> bool {
        let (places_in, _) = self.block_mut(place).as_chunks_mut::<ENTRY_BYTES>();
        let free = places_in
            .iter_mut()
            .find(|octets| **octets == [0; ENTRY_BYTES]);
        free.map(|free| *free = entry.to_le_bytes()).is_some()
    }

    fn block(&self, place: u64) -> &[u8; BLOCK_BYTES] {
        let (blocks, _) = self.octets.as_chunks();
        // `places` gives none behind the last.
        &blocks[place as usize]
    }

    fn block_mut(&mut self, place: u64) -> &mut [u8; BLOCK_BYTES] {
        let (blocks, _) = self.octets.as_chunks_mut();
        &mut blocks[place as usize]
    }

    /// Xorshift.
    fn draw(&mut self) -> u64 {
        self.drawn ^= self.drawn << 13;
        self.drawn ^= self.drawn >> 7;
        self.drawn ^= self.drawn << 17;
        self.drawn
    }
}

/// Writes a file of these sets, whose entries are in the table.
///
/// # Errors
/// As of whom it is written to, or the names are more than one file has.
pub fn write(
    table: &Table,
    names: &BTreeSet<SetName>,
    key: &SetsKey,
    to: &mut impl Write,
) -> io::Result<()> {
    let mut written = Vec::new();
    for name in names {
        written.extend(
            u8::try_from(name.as_str().len())
                .map_err(io::Error::other)?
                .to_le_bytes(),
        );
        written.extend(name.as_str().as_bytes());
    }
    let layout = Layout {
        names_bytes: u32::try_from(written.len()).map_err(io::Error::other)?,
        key: key.name,
        blocks: table.blocks,
        entries: table.entries,
    };
    written.resize(written.len().next_multiple_of(BLOCK_BYTES), 0);
    let mut tag = hmac::Context::with_key(&key.tag);
    for part in [&layout.written()[..], &written, &table.octets] {
        tag.update(part);
        to.write_all(part)?;
    }
    to.write_all(tag.sign().as_ref())?;
    to.flush()
}
