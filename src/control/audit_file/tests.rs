use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::audit::{Journal, Keeps, Kind};
use crate::config::Located;
use crate::control::audit_line::tests::{answered, bare};
use crate::limits::AUDIT_BATCH_RECORDS;
use crate::peer::ClientIndex;

/// What a journal here holds.
const RECORDS: usize = 65_536;

/// A shard's journal, the writer behind it, and the file, in a folder of its own.
struct Stage {
    journal: Journal,
    writer: AuditWriter,
    file: PathBuf,
    folder: TempDir,
    count: u64,
}

fn keeps(when_unwritable: WhenUnwritable) -> Keeps {
    match when_unwritable {
        WhenUnwritable::Refuse => Keeps::AllOrRefuse,
        WhenUnwritable::Lossy => Keeps::AllOrLose,
    }
}

impl Stage {
    fn new(when_unwritable: WhenUnwritable) -> Self {
        Self::prepared(when_unwritable, |_| ())
    }

    /// With something done to the file's path before it is opened.
    fn prepared(when_unwritable: WhenUnwritable, prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.jsonl");
        prepare(&file);
        let audit = Audit {
            file: Located {
                value: file.clone(),
                line: 1,
            },
            when_unwritable,
        };
        let (journal, batches) = Journal::new(keeps(when_unwritable), RECORDS);
        let writer = AuditWriter::new(vec![(0, batches)], clients(), Some(&audit), Millis(0));
        Self {
            journal,
            writer,
            file,
            folder,
            count: 0,
        }
    }

    /// On a device that takes nothing.
    fn full(when_unwritable: WhenUnwritable) -> Self {
        Self::prepared(when_unwritable, |path| symlink("/dev/full", path).unwrap())
    }

    /// Puts a file in the place of the device.
    fn mend(&self) {
        fs::remove_file(&self.file).unwrap();
        fs::write(&self.file, "").unwrap();
    }

    /// Writes so many records down, as far as there is room: how many there was room for.
    fn record(&mut self, count: usize) -> usize {
        let admitted = (0..count).take_while(|_| self.journal.promise()).count();
        let mut kept = 0;
        for _ in 0..admitted {
            self.count += 1;
            kept += usize::from(self.journal.write(&answered(self.count), true));
        }
        self.journal.publish();
        kept
    }

    /// The counts of the records in the file, which must all be whole lines.
    fn counts(&self) -> Vec<u64> {
        counts(&fs::read_to_string(&self.file).unwrap())
    }
}

fn clients() -> Arc<ClientNames> {
    Arc::new(ClientNames::from_pointee(vec!["scs-1".to_owned()]))
}

fn counts(text: &str) -> Vec<u64> {
    assert!(text.is_empty() || text.ends_with('\n'));
    let count = |line: &str| {
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(json["client"], "scs-1");
        let id = json["request_id"].as_str().unwrap();
        u64::from_str_radix(&id[16..], 16).unwrap()
    };
    text.lines().map(count).collect()
}

fn upto(count: usize) -> Vec<u64> {
    (1..=count as u64).collect()
}

#[test]
fn every_record_becomes_one_line_in_order() {
    let mut stage = Stage::new(WhenUnwritable::Refuse);
    assert_eq!(stage.record(1_000), 1_000);
    assert_eq!(stage.writer.turn(Millis(0)), 1_000);
    assert_eq!(stage.record(5), 5);
    assert_eq!(stage.writer.turn(Millis(1)), 5);
    assert_eq!(stage.counts(), upto(1_005));
    assert!(stage.writer.writable());
    assert_eq!(stage.writer.state().written(), 1_005);
    let mode = fs::metadata(&stage.file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777 & !MODE, 0, "closed to others");
}

#[test]
fn records_of_all_shards_are_written_and_a_client_that_is_not_known_has_no_name() {
    let folder = tempfile::tempdir().unwrap();
    let value = folder.path().join("a");
    let audit = Audit {
        file: Located { value, line: 1 },
        when_unwritable: WhenUnwritable::Refuse,
    };
    let journals: Vec<_> = (0..3)
        .map(|_| Journal::new(Keeps::AllOrRefuse, RECORDS))
        .collect();
    let batches = journals.iter().enumerate();
    let batches = batches.map(|(at, (_, batches))| (at, Arc::clone(batches)));
    let mut writer = AuditWriter::new(batches.collect(), clients(), Some(&audit), Millis(0));
    for (shard, (journal, _)) in (0..).zip(&journals) {
        let mut record = bare(Kind::Connection, Outcome::Refused);
        record.shard = shard;
        record.client = Some(ClientIndex(7));
        journal.write(&record, false);
        journal.publish();
    }
    assert_eq!(writer.turn(Millis(0)), 3);
    let text = fs::read_to_string(folder.path().join("a")).unwrap();
    for (shard, line) in text.lines().enumerate() {
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(json["shard"], shard);
        assert_eq!(json.get("client"), None);
    }
    assert_eq!(text.lines().count(), 3);
}

#[test]
fn without_a_file_batches_are_taken_all_the_same() {
    let (journal, batches) = Journal::new(Keeps::Refusals, RECORDS);
    let shards = vec![(0, Arc::clone(&batches))];
    let mut writer = AuditWriter::new(shards, clients(), None, Millis(0));
    journal.write(&bare(Kind::Request, Outcome::Refused), false);
    journal.publish();
    assert_eq!(writer.turn(Millis(0)), 1);
    assert_eq!(batches.waiting(), 0);
    assert!(writer.writable() && !writer.state().is_configured());
    assert_eq!(writer.finish(Millis(1)), 0);
}

#[test]
fn last_line_without_an_end_gets_one() {
    let mut stage = Stage::prepared(WhenUnwritable::Refuse, |path| {
        fs::write(path, "{\"time\":\"2026").unwrap();
    });
    stage.writer.turn(Millis(0));
    let untouched = fs::read_to_string(&stage.file).unwrap();
    assert_eq!(
        untouched, "{\"time\":\"2026",
        "nothing is written for nothing"
    );
    stage.record(2);
    stage.writer.turn(Millis(1));
    let text = fs::read_to_string(&stage.file).unwrap();
    let rest = text.strip_prefix("{\"time\":\"2026\n").unwrap();
    assert_eq!(counts(rest), upto(2));
}

#[test]
fn full_disk_fills_the_journal_until_it_refuses_and_nothing_is_lost() {
    // Whole batches: then what is held is known to the record.
    const STEP: usize = 4 * AUDIT_BATCH_RECORDS;
    let mut stage = Stage::full(WhenUnwritable::Refuse);
    let mut now = 0;
    let mut admitted = 0;
    loop {
        let some = stage.record(STEP);
        admitted += some;
        now += 50;
        stage.writer.turn(Millis(now));
        if some < STEP {
            break;
        }
        assert!(admitted < 1 << 20, "the journal has a bound");
    }
    assert!(!stage.writer.writable());
    assert_eq!(stage.writer.turn(Millis(now)), 0, "no more is taken");
    assert_eq!(stage.record(1), 0);
    let held = RECORDS - RECORDS / 4;
    assert!(admitted >= held, "{admitted} and {held}");
    let file = stage.writer.file.as_ref().unwrap();
    assert!(
        file.gathered.len() < 2 * GATHERED_BYTES,
        "memory has a bound"
    );

    stage.mend();
    now += 1_000;
    while stage.writer.turn(Millis(now)) > 0 {}
    assert!(stage.writer.writable());
    admitted += stage.record(10);
    stage.writer.turn(Millis(now));
    assert_eq!(stage.counts(), upto(admitted));
    assert_eq!(stage.writer.lost(), 0);
}

#[test]
fn full_disk_in_lossy_mode_is_counted_and_holds_up_nobody() {
    let mut stage = Stage::full(WhenUnwritable::Lossy);
    let mut served = 0;
    for now in 0..100 {
        assert_eq!(stage.record(1_000), 1_000);
        served += 1_000;
        stage.writer.turn(Millis(now));
        assert_eq!(stage.record(0), 0);
    }
    assert!(!stage.writer.writable());
    assert!(stage.writer.lost() > served / 2);
    stage.mend();
    stage.writer.turn(Millis(2_000));
    assert!(stage.writer.writable());
    stage.writer.finish(Millis(2_001));
    let written = stage.counts();
    assert_eq!(written.len() as u64 + stage.writer.lost(), served);
    assert!(written.is_sorted(), "what was kept is in order");
    assert_eq!(stage.writer.state().written(), written.len() as u64);
}

#[test]
fn line_half_written_is_completed_and_not_repeated() {
    let mut stage = Stage::new(WhenUnwritable::Refuse);
    stage.record(3);
    stage.writer.turn(Millis(0));
    let text = fs::read_to_string(&stage.file).unwrap();
    let half = text.len() - 20;
    // As if the disk had taken so much of it.
    fs::write(&stage.file, &text[..half]).unwrap();
    let file = stage.writer.file.as_mut().unwrap();
    file.gathered = text.clone().into_bytes();
    file.written = half;
    assert_eq!(file.records_left(), 1);
    stage.writer.turn(Millis(1));
    assert_eq!(fs::read_to_string(&stage.file).unwrap(), text);
}

#[test]
fn line_half_written_into_a_file_moved_away_is_written_whole_into_the_new_one() {
    let mut stage = Stage::new(WhenUnwritable::Refuse);
    stage.record(3);
    stage.writer.turn(Millis(0));
    let text = fs::read_to_string(&stage.file).unwrap();
    fs::rename(&stage.file, stage.folder.path().join("audit.jsonl.1")).unwrap();
    let file = stage.writer.file.as_mut().unwrap();
    file.gathered = text.clone().into_bytes();
    file.written = text.len() - 20;
    stage.writer.turn(Millis(1_000));
    assert_eq!(stage.counts(), [3]);
}

#[test]
fn file_moved_away_is_made_anew_at_the_next_turn() {
    let mut stage = Stage::new(WhenUnwritable::Refuse);
    let old = stage.folder.path().join("audit.jsonl.1");
    stage.record(1);
    stage.writer.turn(Millis(0));
    fs::rename(&stage.file, &old).unwrap();
    stage.record(1);
    stage.writer.turn(Millis(50));
    assert_eq!(stage.counts(), [2]);
    assert_eq!(counts(&fs::read_to_string(old).unwrap()), [1]);
}

/// What goes into a file without a name is read by nobody: it counts as not written.
#[test]
fn folder_that_is_removed_is_a_fault_until_it_is_back() {
    let mut stage = Stage::new(WhenUnwritable::Refuse);
    stage.record(1);
    stage.writer.turn(Millis(0));
    fs::remove_dir_all(stage.folder.path()).unwrap();
    stage.record(1);
    stage.writer.turn(Millis(50));
    assert!(!stage.writer.writable());
    fs::create_dir(stage.folder.path()).unwrap();
    stage.record(1);
    stage.writer.turn(Millis(100));
    stage.writer.turn(Millis(150));
    assert!(stage.writer.writable());
    assert_eq!(stage.counts(), [2, 3]);
}

#[test]
fn file_that_cannot_be_made_is_tried_again() {
    let mut stage = Stage::prepared(WhenUnwritable::Refuse, |path| {
        fs::create_dir(path).unwrap();
    });
    assert!(!stage.writer.writable(), "also before there is a record");
    stage.record(3);
    stage.writer.turn(Millis(1));
    fs::remove_dir(&stage.file).unwrap();
    stage.writer.turn(Millis(2));
    assert!(stage.writer.writable());
    assert_eq!(stage.counts(), upto(3));
}

#[test]
fn what_is_left_at_the_end_is_said() {
    let mut stage = Stage::full(WhenUnwritable::Refuse);
    stage.record(600);
    assert!(stage.journal.finish());
    assert_eq!(stage.writer.finish(Millis(0)), 600);
    assert_eq!(stage.writer.lost(), 600);
    let mut stage = Stage::new(WhenUnwritable::Refuse);
    stage.record(600);
    assert!(stage.journal.finish());
    assert_eq!(stage.writer.finish(Millis(0)), 0);
    assert_eq!(stage.counts(), upto(600));
}

/// A disk of 64 KiB. Only who may mount can have one; elsewhere the tests above must do.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]);
        let mounted = mount.arg(folder.path()).output();
        let mounted = mounted.is_ok_and(|output| output.status.success());
        mounted.then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn disk_that_fills_up_within_a_line_and_is_freed_again_has_every_record_once() {
    let Some(disk) = SmallDisk::new() else {
        println!("not run: this user may not mount a disk");
        return;
    };
    let real = disk.0.path().join("real.jsonl");
    let mut stage = Stage::prepared(WhenUnwritable::Refuse, |path| {
        fs::write(disk.0.path().join("ballast"), vec![0; 30_000]).unwrap();
        symlink(&real, path).unwrap();
    });
    assert_eq!(stage.record(110), 110);
    stage.writer.turn(Millis(0));
    assert!(!stage.writer.writable());
    let text = fs::read_to_string(&real).unwrap();
    assert!(
        !text.is_empty() && !text.ends_with('\n'),
        "a line is half written"
    );
    fs::remove_file(disk.0.path().join("ballast")).unwrap();
    stage.writer.turn(Millis(50));
    assert!(stage.writer.writable());
    assert_eq!(stage.counts(), upto(110));
}
