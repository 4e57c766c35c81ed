//! The audit file: what the shards decided, appended line by line. What cannot be written stays
//! here, in order and with its offset, and no further batch is taken from a shard: so the journals
//! fill, and what could not be recorded is not served. Or, in lossy mode, it is dropped and
//! counted.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::audit_line::Lines;
use super::reporter::Reporter;
use super::revocation_notes::Notes;
use crate::audit::{Batches, Outcome, Record};
use crate::clock::Millis;
use crate::config::{Audit, WhenUnwritable};
use crate::snapshot::ClientNames;

/// What is gathered before it is written. One write for several batches, and no more in memory
/// than this and a batch while nothing can be written.
const GATHERED_BYTES: usize = 256 * 1024;
/// Between two looks whether the path still names the file that is open: what is written until
/// then goes into one that may be gone soon.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Between two log lines about the same trouble.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);
/// Readable for the owner's group: whoever evaluates it needs not be who serves.
const MODE: u32 = 0o640;

/// What others may know of the audit file, on any thread.
#[derive(Debug)]
pub struct AuditState {
    configured: bool,
    /// What cannot be recorded is served all the same.
    may_lose: bool,
    writable: AtomicBool,
    written: AtomicU64,
    lost: AtomicU64,
}

impl AuditState {
    fn new(audit: Option<&Audit>) -> Self {
        let lossy = |audit: &Audit| audit.when_unwritable == WhenUnwritable::Lossy;
        Self {
            configured: audit.is_some(),
            may_lose: audit.is_some_and(lossy),
            writable: AtomicBool::new(true),
            written: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    /// Whether decisions are recorded at all.
    pub fn is_configured(&self) -> bool {
        self.configured
    }

    /// Whether the last attempt to write succeeded; true where nothing is to be written.
    pub fn is_writable(&self) -> bool {
        self.writable.load(Ordering::Relaxed)
    }

    /// Whether requests are refused, now or soon, because nothing can be recorded.
    pub fn holds_up_requests(&self) -> bool {
        !self.may_lose && !self.is_writable()
    }

    /// Records written to the file.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Records dropped by the writer because the file could not be written. What found no room on
    /// its way here is counted by the shards.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Takes records from the shards: refusals into the log, all into the file if there is one.
pub struct AuditWriter {
    shards: Vec<(usize, Arc<Batches>)>,
    clients: Arc<ClientNames>,
    reporter: Reporter,
    lines: Lines,
    file: Option<AuditFile>,
    state: Arc<AuditState>,
    /// Of revocations, which no shard makes.
    notes: Arc<Notes>,
}

impl AuditWriter {
    /// For these shards and clients of these names. Opens the file; where that fails, it is
    /// said, and tried again at every turn.
    pub fn new(
        shards: Vec<(usize, Arc<Batches>)>,
        clients: Arc<ClientNames>,
        audit: Option<&Audit>,
        now: Millis,
    ) -> Self {
        let state = Arc::new(AuditState::new(audit));
        let file = audit.map(|audit| AuditFile::new(audit, Arc::clone(&state), now));
        Self {
            shards,
            reporter: Reporter::new(Arc::clone(&clients)),
            clients,
            lines: Lines::default(),
            file,
            state,
            notes: Arc::default(),
        }
    }

    /// Where revocations are told of.
    pub fn notes(&self) -> Arc<Notes> {
        Arc::clone(&self.notes)
    }

    /// Takes what there is to say of revocations.
    fn take_notes(&mut self, now: Millis) {
        while self.file.as_mut().is_none_or(|file| file.has_room(now)) {
            let Some(note) = self.notes.take() else {
                return;
            };
            if let Some(file) = self.file.as_mut() {
                match file.drops() {
                    true => file.dropped(1),
                    false => self.lines.append_note(&mut file.gathered, &note),
                }
            }
        }
    }

    /// What others may know, for as long as they like.
    pub fn state(&self) -> Arc<AuditState> {
        Arc::clone(&self.state)
    }

    /// Whether what is decided can be recorded, as far as is known.
    pub fn writable(&self) -> bool {
        self.state.is_writable()
    }

    /// Records dropped because the file could not be written, in lossy mode or at the end.
    pub fn lost(&self) -> u64 {
        self.state.lost()
    }

    /// Takes and writes what there is. The number of records taken from the shards.
    pub fn turn(&mut self, now: Millis) -> usize {
        self.reporter.turn(now);
        if let Some(file) = &mut self.file {
            file.look(now);
            file.flush(now);
        }
        self.take_notes(now);
        let mut taken = 0;
        for place in 0..self.shards.len() {
            // No more than there was: a busy shard must not keep the others waiting.
            let waiting = self
                .shards
                .get(place)
                .map_or(0, |(_, batches)| batches.waiting());
            for _ in 0..waiting {
                if !self.file.as_mut().is_none_or(|file| file.has_room(now)) {
                    break;
                }
                taken += self.take(place);
            }
        }
        if let Some(file) = &mut self.file {
            file.flush(now);
        }
        taken
    }

    /// The last turn: all that is left, and onto the disk. The number of records that could not be
    /// written; they are lost, and it is said.
    pub fn finish(&mut self, now: Millis) -> u64 {
        while self.turn(now) > 0 {}
        let Some(file) = &mut self.file else {
            return 0;
        };
        let mut left = file.records_left();
        for (_, batches) in &self.shards {
            while let Some(batch) = batches.take() {
                left += batch.len() as u64;
                batch
                    .iter()
                    .for_each(|record| log(&mut self.reporter, record));
                batches.give_back(batch);
            }
        }
        file.sync();
        if left > 0 {
            self.state.lost.fetch_add(left, Ordering::Relaxed);
            tracing::error!(
                file = %file.path.display(),
                records = left,
                "records could not be written until the end and are lost"
            );
        }
        left
    }

    /// Takes one batch of a shard.
    fn take(&mut self, place: usize) -> usize {
        let Some((_, batches)) = self.shards.get(place) else {
            return 0;
        };
        let Some(batch) = batches.take() else {
            return 0;
        };
        for record in &batch {
            log(&mut self.reporter, record);
        }
        if let Some(file) = &mut self.file {
            if file.drops() {
                file.dropped(batch.len());
            } else {
                // Behind the batch: the names of those in it are known by now.
                let names = self.clients.load();
                for record in &batch {
                    let index = record
                        .client
                        .and_then(|index| usize::try_from(index.0).ok());
                    let name = index.and_then(|index| names.get(index));
                    let name = name.map_or("", String::as_str);
                    self.lines.append(&mut file.gathered, record, name);
                }
            }
        }
        let count = batch.len();
        batches.give_back(batch);
        count
    }
}

fn log(reporter: &mut Reporter, record: &Record) {
    if record.outcome == Outcome::Refused {
        reporter.refused(record);
    }
}

/// The file itself, and the lines that are not in it yet.
struct AuditFile {
    path: PathBuf,
    when_unwritable: WhenUnwritable,
    open: Option<OpenFile>,
    /// Whole lines.
    gathered: Vec<u8>,
    /// What of them is in the file: 0 <= written <= gathered.len().
    written: usize,
    look_at: Millis,
    complain_at: Millis,
    lost_unsaid: u64,
    /// Of the file, when it took no more.
    length_at_fault: Option<u64>,
    state: Arc<AuditState>,
}

struct OpenFile {
    file: File,
    /// Device and inode.
    id: (u64, u64),
    /// Its last line has no end: a crash, or a disk that was full and a file moved away. It gets
    /// one before the next line, so that two do not become one.
    torn: bool,
}

impl OpenFile {
    fn open(path: &Path) -> io::Result<Self> {
        let mut options = File::options();
        // Without waiting: a FIFO that has taken the file's place may have no reader.
        options.custom_flags(libc::O_NONBLOCK);
        let file = options.append(true).create(true).mode(MODE).open(path)?;
        let metadata = file.metadata()?;
        let torn = metadata.is_file() && metadata.len() > 0 && last_byte(path) != Some(b'\n');
        Ok(Self {
            file,
            id: (metadata.dev(), metadata.ino()),
            torn,
        })
    }
}

impl OpenFile {
    /// Whether its last name is gone.
    fn is_nameless(&self) -> bool {
        self.file.metadata().is_ok_and(|file| file.nlink() == 0)
    }

    /// None where it is no file.
    fn length(&self) -> Option<u64> {
        let metadata = self.file.metadata().ok()?;
        metadata.is_file().then_some(metadata.len())
    }
}

/// None also where it may be written and not read.
fn last_byte(path: &Path) -> Option<u8> {
    let mut file = File::open(path).ok()?;
    let mut byte = [0];
    file.seek(SeekFrom::End(-1)).ok()?;
    file.read_exact(&mut byte).ok()?;
    Some(byte[0])
}

impl AuditFile {
    fn new(audit: &Audit, state: Arc<AuditState>, now: Millis) -> Self {
        let mut file = Self {
            path: audit.file.value.clone(),
            when_unwritable: audit.when_unwritable,
            open: None,
            gathered: Vec::with_capacity(GATHERED_BYTES + GATHERED_BYTES / 2),
            written: 0,
            look_at: now.after(LOOK_EVERY),
            complain_at: Millis(0),
            lost_unsaid: 0,
            length_at_fault: None,
            state,
        };
        file.flush(now);
        file
    }

    fn is_all_written(&self) -> bool {
        self.written == self.gathered.len()
    }

    /// Whether another batch may be taken; writes what was gathered where that is what it takes.
    fn has_room(&mut self, now: Millis) -> bool {
        if self.gathered.len() >= GATHERED_BYTES && self.state.is_writable() {
            self.flush(now);
        }
        self.when_unwritable == WhenUnwritable::Lossy
            || self.is_all_written()
            || self.state.is_writable()
    }

    /// Whether what is taken now is dropped.
    fn drops(&self) -> bool {
        self.gathered.len() >= GATHERED_BYTES && !self.is_all_written()
    }

    fn dropped(&mut self, records: usize) {
        let records = records as u64;
        self.lost_unsaid += records;
        self.state.lost.fetch_add(records, Ordering::Relaxed);
    }

    /// Lines of which something is not written.
    fn records_left(&self) -> u64 {
        let left = self.gathered.get(self.written..).unwrap_or_default();
        memchr::memchr_iter(b'\n', left).count() as u64
    }

    /// Opens a new file where the old one was moved away. What cannot be opened anew leaves the
    /// old one in use: its records are not lost.
    fn look(&mut self, now: Millis) {
        let Some(open) = &self.open else { return };
        if now < self.look_at {
            return;
        }
        self.look_at = now.after(LOOK_EVERY);
        let named = fs::metadata(&self.path).map(|named| (named.dev(), named.ino()));
        if named.is_ok_and(|named| named == open.id) {
            return;
        }
        match OpenFile::open(&self.path) {
            Ok(opened) => {
                tracing::info!(file = %self.path.display(), "the audit file was moved, made anew");
                self.open = Some(opened);
                // A line begun in the old file is written whole into this one.
                self.begin_line_anew();
            }
            // Nobody will ever read what goes into a file without a name.
            Err(_) if open.is_nameless() => {
                self.open = None;
                self.begin_line_anew();
            }
            Err(error) if self.complain_at <= now => {
                self.complain_at = now.after(COMPLAIN_EVERY);
                tracing::error!(
                    file = %self.path.display(),
                    %error,
                    hint = "let the user of the gateway make files in that folder, and see that it \
                            is not out of descriptors",
                    "the audit file was moved and cannot be made anew: records go on into the old"
                );
            }
            Err(_) => {}
        }
    }

    /// Goes back to the beginning of the line that is half written.
    fn begin_line_anew(&mut self) {
        let begun = self.gathered.get(..self.written).unwrap_or_default();
        self.written = memchr::memrchr(b'\n', begun).map_or(0, |at| at + 1);
    }

    /// Writes what it can.
    fn flush(&mut self, now: Millis) {
        // Who makes room by emptying the file takes the half line with it.
        let length = self.open.as_ref().and_then(OpenFile::length);
        if length < self.length_at_fault {
            self.begin_line_anew();
        }
        self.length_at_fault = None;
        match self.write_on() {
            Ok(()) => {
                self.gathered.clear();
                self.written = 0;
                if !self.state.writable.swap(true, Ordering::Relaxed) {
                    self.well_again();
                }
            }
            Err(error) => {
                self.state.writable.store(false, Ordering::Relaxed);
                self.length_at_fault = self.open.as_ref().and_then(OpenFile::length);
                self.complain(&error, now);
            }
        }
    }

    fn write_on(&mut self) -> io::Result<()> {
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(OpenFile::open(&self.path)?),
        };
        if open.torn && self.written < self.gathered.len() {
            open.file.write_all(b"\n")?;
            open.torn = false;
        }
        while let Some(rest) = self.gathered.get(self.written..).filter(|r| !r.is_empty()) {
            let count = match open.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let ends = rest.get(..count).unwrap_or_default();
            let records = memchr::memchr_iter(b'\n', ends).count() as u64;
            self.state.written.fetch_add(records, Ordering::Relaxed);
            self.written += count;
        }
        Ok(())
    }

    fn well_again(&mut self) {
        self.complain_at = Millis(0);
        tracing::info!(
            file = %self.path.display(),
            lost = std::mem::take(&mut self.lost_unsaid),
            "records are written again"
        );
    }

    fn complain(&mut self, error: &io::Error, now: Millis) {
        if now < self.complain_at {
            return;
        }
        self.complain_at = now.after(COMPLAIN_EVERY);
        let requests = match self.when_unwritable {
            WhenUnwritable::Refuse => "answered with 503 as soon as no more records can be held",
            WhenUnwritable::Lossy => "served; their records are lost",
        };
        let hint = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "free space on the disk of the audit file: move old ones elsewhere"
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound => {
                "let the user of the gateway make and write this file"
            }
            io::ErrorKind::FileTooLarge => "rotate the file, or raise the limit on its size",
            _ => "see whether the disk of the audit file is well",
        };
        tracing::error!(
            file = %self.path.display(),
            %error,
            requests,
            waiting = self.records_left(),
            lost = std::mem::take(&mut self.lost_unsaid),
            hint,
            "records cannot be written"
        );
    }

    fn sync(&self) {
        if let Some(open) = &self.open
            && let Err(error) = open.file.sync_data()
            && error.kind() != io::ErrorKind::InvalidInput
        {
            tracing::error!(file = %self.path.display(), %error, "the audit file cannot be synced");
        }
    }
}

#[cfg(test)]
mod tests;
