//! `t8gate policy build`, and what a gateway makes of the files: as far as can be seen without a
//! request that names a UE.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::harness::gateway::{check, t8gate, write};
use crate::harness::origin::Origin;
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::{Outcome, WAIT, free_address, run, wait_until};
use crate::reload::{APPLIED, ON_SIGNAL, REFUSED, reload, reload_in_vain, said};
use crate::resumption::secret;

const METERS: &str = "set,identity\nmeters,meter-1@example.com\nmeters,msisdn:491512345678\n\
                      meters,METER-1@example.com\n";
const CARS: &str = r#"{"set":"cars","identity":"group:fleet@example.com"}
{"set":"cars","identity":"gpsi:msisdn-491512345679"}
"#;

/// A configuration with a secret, lists and no file of sets yet.
struct Desk {
    stage: Stage,
    _origin: Origin,
    key: PathBuf,
    meters: PathBuf,
    cars: PathBuf,
    out: PathBuf,
}

impl Desk {
    fn new() -> Self {
        let origin = Origin::start();
        let mut stage = Stage::new(origin.address);
        stage.config.set_text("listen.address", free_address());
        let key = secret(&stage, "ues.secret");
        let meters = stage.scratch.write("meters.csv", METERS);
        let cars = stage.scratch.write("cars.jsonl", CARS);
        let out = stage.scratch.path().join("ues.sets");
        name_sets(&mut stage, &key, &out);
        Self {
            stage,
            _origin: origin,
            key,
            meters,
            cars,
            out,
        }
    }

    fn build(&self, lists: &[&Path]) -> Outcome {
        build(lists, &self.key, &self.out)
    }

    fn check(&self) -> Outcome {
        let file = write(self.stage.scratch.path(), &self.stage.config);
        check(&file, &self.stage.environment)
    }

    /// It fails, and says this.
    fn refused(&self, lists: &[&Path], words: &[&str]) {
        let outcome = self.build(lists);
        assert_eq!(outcome.status.code(), Some(1), "{}", outcome.stdout);
        assert_eq!(outcome.stdout, "");
        for word in words.iter().chain(&["hint: "]) {
            let said = &outcome.stderr;
            assert!(said.contains(word), "{word} is not in {said}");
        }
    }

    fn at_fault(&self, word: &str) {
        let outcome = self.check();
        assert_eq!(outcome.status.code(), Some(1), "{}", outcome.stdout);
        let said = &outcome.stderr;
        assert!(said.contains(word), "{word} is not in {said}");
    }
}

fn name_sets(stage: &mut Stage, key: &Path, out: &Path) {
    stage.config.set_text("policy.file", out.display());
    stage.config.set_text("policy.key_file", key.display());
}

fn build(lists: &[&Path], key: &Path, out: &Path) -> Outcome {
    let mut command = t8gate(&["policy", "build", "--from"]);
    command.args(lists).arg("--key-file").arg(key);
    run(command.arg("--out").arg(out), b"", WAIT)
}

/// A service of a client for a set.
fn service(stage: &mut Stage, client: usize, set: &str) {
    let lines = format!("[[client.service]]\napi = \"3gpp-nidd\"\nues = [\"set:{set}\"]");
    stage.config.extend_table("client", client, &lines);
}

#[test]
fn lists_are_built_into_one_file_that_the_configuration_is_served_with() {
    let mut desk = Desk::new();
    let outcome = desk.build(&[&desk.meters, &desk.cars]);
    assert!(outcome.status.success(), "{}", outcome.stderr);
    let said = &outcome.stdout;
    assert!(said.contains("5 entries in 2 sets") && said.contains("0 rows were there twice"));
    let mode = fs::metadata(&desk.out).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    service(&mut desk.stage, 0, "meters");
    let outcome = desk.check();
    assert!(outcome.status.success(), "{}", outcome.stderr);
    assert!(
        outcome.stdout.contains("5 entries in 2 sets"),
        "{}",
        outcome.stdout
    );
    let any = "1 of 2 clients are held to services; any UE for globex";
    assert!(outcome.stdout.contains(any), "{}", outcome.stdout);
    service(&mut desk.stage, 1, "cars");
    let outcome = desk.check();
    assert!(
        outcome.stdout.contains("2 clients, each held to"),
        "{}",
        outcome.stdout
    );
    for said in [outcome.stdout, outcome.stderr] {
        assert!(
            !said.contains("meter-1") && !said.contains("4915"),
            "{said}"
        );
    }
}

#[test]
fn client_without_services_is_said_to_ask_about_any_ue() {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    stage.config.set_text("listen.address", free_address());
    let file = write(stage.scratch.path(), &stage.config);
    let outcome = check(&file, &stage.environment);
    assert!(outcome.status.success(), "{}", outcome.stderr);
    let said = "no client has services: each may ask about any UE";
    assert!(outcome.stdout.contains(said), "{}", outcome.stdout);
}

#[test]
fn file_that_is_built_anew_takes_the_place_of_the_other_with_its_mode() {
    let desk = Desk::new();
    assert!(desk.build(&[&desk.meters]).status.success());
    let first = fs::read(&desk.out).unwrap();
    assert!(desk.build(&[&desk.meters]).status.success());
    assert_eq!(
        fs::read(&desk.out).unwrap(),
        first,
        "one list gives one file"
    );
    fs::set_permissions(&desk.out, Permissions::from_mode(0o640)).unwrap();
    let twice = desk.build(&[&desk.cars, &desk.cars]);
    assert!(
        twice.stdout.contains("2 entries in 1 sets"),
        "{}",
        twice.stdout
    );
    assert!(
        twice.stdout.contains("2 rows were there twice"),
        "{}",
        twice.stdout
    );
    assert_ne!(fs::read(&desk.out).unwrap(), first);
    let mode = fs::metadata(&desk.out).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn faults_of_lists_are_said_with_their_places_and_nothing_is_written() {
    let desk = Desk::new();
    assert!(desk.build(&[&desk.meters]).status.success());
    let before = fs::read(&desk.out).unwrap();
    let mut text = METERS.to_owned();
    (0..12).for_each(|n| text += &format!("meters,49151234567{n}\n"));
    let bad = desk.stage.scratch.write("bad.csv", text);
    let place = |line| format!("{}:{line}: names nobody", bad.display());
    let (first, tenth) = (place(5), place(14));
    desk.refused(&[&desk.cars, &bad], &[&first, &tenth, "and 2 more faults"]);
    let outcome = desk.build(&[&bad]);
    assert!(
        !outcome.stderr.contains("49151234567"),
        "{}",
        outcome.stderr
    );
    assert!(!outcome.stderr.contains(&place(15)), "{}", outcome.stderr);
    let name = desk.stage.scratch.write("name.csv", "a b,a@example.com\n");
    desk.refused(&[&name], &["name.csv:1: has no name of a set"]);
    let none = desk.stage.scratch.path().join("none.csv");
    desk.refused(&[&desk.meters, &none], &["none.csv cannot be read"]);
    let other = desk.stage.scratch.write("list.txt", METERS);
    desk.refused(&[&other], &["what is in it is not known"]);
    let empty = desk.stage.scratch.write("empty.csv", "set,identity\n");
    desk.refused(&[&empty], &["have no row"]);
    assert_eq!(fs::read(&desk.out).unwrap(), before);
    let folder = fs::read_dir(desk.stage.scratch.path()).unwrap().flatten();
    let beside = folder.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b".tmp"));
    assert_eq!(beside.count(), 0, "nothing is left beside it");
}

#[test]
fn secret_that_is_open_to_others_or_none_builds_nothing() {
    let desk = Desk::new();
    fs::set_permissions(&desk.key, Permissions::from_mode(0o644)).unwrap();
    desk.refused(&[&desk.meters], &["open to others"]);
    fs::set_permissions(&desk.key, Permissions::from_mode(0o600)).unwrap();
    fs::write(&desk.key, [0; 32]).unwrap();
    desk.refused(&[&desk.meters], &["not random"]);
    fs::remove_file(&desk.key).unwrap();
    desk.refused(&[&desk.meters], &["cannot be read"]);
    assert!(!desk.out.exists());
}

#[test]
fn file_that_is_none_to_go_by_is_refused_with_what_is_wrong() {
    let mut desk = Desk::new();
    desk.at_fault("ues.sets");
    assert!(desk.build(&[&desk.meters]).status.success());
    let good = fs::read(&desk.out).unwrap();
    let half = &good[..good.len() / 2];
    fs::write(&desk.out, half).unwrap();
    desk.at_fault("is shorter or longer than it says");
    let mut damaged = good.clone();
    damaged[good.len() / 2] ^= 1;
    fs::write(&desk.out, damaged).unwrap();
    desk.at_fault("is damaged");
    fs::write(&desk.out, METERS).unwrap();
    desk.at_fault("is not a file of UE sets");
    fs::write(&desk.out, &good).unwrap();
    let other = secret(&desk.stage, "other.secret");
    name_sets(&mut desk.stage, &other, &desk.out.clone());
    desk.at_fault("was built with another key");
    let (key, out) = (desk.key.clone(), desk.out.clone());
    name_sets(&mut desk.stage, &key, &out);
    assert!(desk.check().status.success());
    service(&mut desk.stage, 0, "metres");
    desk.at_fault("has no set \"metres\"");
}

/// With sets that are read again on a signal: the key, the list and the file.
fn reloaded() -> (House, [PathBuf; 3]) {
    let mut paths = None;
    let house = House::open_staged(|stage| {
        stage.watch();
        stage.config.set("reload.watch", ON_SIGNAL);
        let key = secret(stage, "ues.secret");
        let meters = stage.scratch.write("meters.csv", METERS);
        let out = stage.scratch.path().join("ues.sets");
        assert!(build(&[&meters], &key, &out).status.success());
        name_sets(stage, &key, &out);
        paths = Some([key, meters, out]);
    });
    (house, paths.expect("they were made"))
}

/// What is in the file is in force when it is replaced, and what is wrong with it never is.
#[test]
fn file_is_read_again_when_it_is_replaced_and_a_bad_one_changes_nothing() {
    let (house, [key, meters, out]) = reloaded();
    let read = |entries: usize| said(&house, &format!("UE sets are read entries={entries}"));
    assert_eq!(read(3), 1, "{}", house.gateway.log());
    // It is the same, and is not read once more.
    reload(&house);
    assert_eq!(read(3), 1);
    let cars = house.stage.scratch.write("cars.jsonl", CARS);
    assert!(build(&[&meters, &cars], &key, &out).status.success());
    reload(&house);
    assert_eq!(read(5), 1, "{}", house.gateway.log());
    // Cut short in its place: who had mapped it would be gone at the next look into it.
    let file = fs::File::options().write(true).open(&out).unwrap();
    file.set_len(100).unwrap();
    reload_in_vain(&house);
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
    assert!(build(&[&meters], &key, &out).status.success());
    reload(&house);
    assert_eq!(read(3), 2);
}

/// One octet in the middle, written into the file or put in its place: its ends are what they were.
#[test]
fn file_that_is_damaged_in_the_middle_is_said_and_what_was_in_force_stays() {
    let (house, [key, meters, out]) = reloaded();
    let mut damaged = fs::read(&out).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&out, &damaged).unwrap();
    reload_in_vain(&house);
    let fault = format!("{} is damaged", out.display());
    assert_eq!(said(&house, &fault), 1, "{}", house.gateway.log());
    let beside = house.stage.scratch.path().join("beside");
    fs::write(&beside, &damaged).unwrap();
    fs::rename(&beside, &out).unwrap();
    reload_in_vain(&house);
    assert_eq!(said(&house, &fault), 2, "{}", house.gateway.log());
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
    assert!(build(&[&meters], &key, &out).status.success());
    reload(&house);
    assert_eq!(
        said(&house, "UE sets are read"),
        1,
        "they are what they were"
    );
}

#[test]
fn file_that_is_replaced_is_seen_unasked() {
    let mut paths = None;
    let house = House::open_staged(|stage| {
        stage.watch();
        stage.config.set_text("reload.watch", "100ms");
        let key = secret(stage, "ues.secret");
        let meters = stage.scratch.write("meters.csv", METERS);
        let out = stage.scratch.path().join("ues.sets");
        assert!(build(&[&meters], &key, &out).status.success());
        name_sets(stage, &key, &out);
        paths = Some((key, out));
    });
    let (key, out) = paths.expect("they were made");
    let cars = house.stage.scratch.write("cars.jsonl", CARS);
    assert!(build(&[&cars], &key, &out).status.success());
    wait_until("the reload, by itself", || said(&house, APPLIED) > 0);
    assert_eq!(said(&house, "UE sets are read entries=2"), 1);
    assert_eq!(said(&house, REFUSED), 0);
}
