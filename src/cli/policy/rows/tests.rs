use std::fs;

use super::*;

/// What is read of a list of this name: sets, and faults with their lines.
fn read(name: &str, text: &[u8]) -> (Vec<String>, Vec<(u64, RowFault)>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    fs::write(&file, text).unwrap();
    let mut rows = Rows::open(&file).unwrap();
    let (mut sets, mut faults) = (Vec::new(), Vec::new());
    loop {
        let row = rows.next(|set, ue| {
            sets.push(format!("{set}: {ue:?}"));
            Ok(())
        });
        match row.unwrap() {
            Ok(true) => {}
            Ok(false) => return (sets, faults),
            Err(fault) => faults.push((rows.number, fault)),
        }
    }
}

#[test]
fn rows_of_both_formats_are_read() {
    let expected = [
        "meters: an external id",
        "cars: an MSISDN",
        "cars: an external group id",
    ];
    let csv =
        b"set,identity\n\n# a word\nmeters,a@example.com\r\n\"cars\",\"msisdn:491512345678\"\n\
        cars,group:g@example.com";
    assert_eq!(
        read("l.csv", csv),
        (expected.map(str::to_owned).to_vec(), vec![])
    );
    let jsonl = br#"# a word
{"set":"meters","identity":"a@example.com"}
{"identity":"msisdn:4915123456\u0037\u0038","set":"cars"}

{"set":"cars","identity":"group:g@example.com"}
"#;
    assert_eq!(
        read("l.jsonl", jsonl),
        (expected.map(str::to_owned).to_vec(), vec![])
    );
}

#[test]
fn rows_that_are_none_are_told_with_their_lines_and_the_others_are_read() {
    let (sets, faults) = read(
        "l.csv",
        b"meters\nmeters,a@example.com\nmeters,a@b.cd,x\nmeters,491512345678\n\
          meters,msisdn:+49\nmeters,\xff@b.cd\n\"meters,a@b.cd\nmeters,10.0.0.1\nset,identity\n",
    );
    assert_eq!(sets, ["meters: an external id"]);
    let unknown = RowFault::Identity(MatcherFault::Unknown);
    let msisdn = RowFault::Identity(MatcherFault::Ue(crate::authz::ue::UeFault::Msisdn));
    let expected = [
        (1, RowFault::Csv),
        (3, RowFault::Csv),
        (4, unknown),
        (5, msisdn),
        (6, RowFault::NoUtf8),
        (7, RowFault::Csv),
        (8, unknown),
        (9, unknown),
    ];
    assert_eq!(faults, expected);
    for (_, fault) in faults {
        assert!(!fault.words().0.is_empty() && !fault.words().1.is_empty());
    }
}

#[test]
fn json_rows_have_their_two_members_once_and_no_other() {
    for line in [
        "{}",
        r#"{"set":"m"}"#,
        r#"{"set":"m","identity":"a@b.cd","more":1}"#,
        r#"{"set":"m","set":"n","identity":"a@b.cd"}"#,
        r#"{"set":"m","identity":"a@b.cd","identity":"c@b.cd"}"#,
        r#"{"set":1,"identity":"a@b.cd"}"#,
        r#"{"set":"m","identity":"a@b.cd"} x"#,
        r#"["m","a@b.cd"]"#,
        "m,a@b.cd",
    ] {
        let found = read("l.jsonl", line.as_bytes());
        assert_eq!(found, (vec![], vec![(1, RowFault::Json)]), "{line}");
    }
}

#[test]
fn line_that_is_too_long_is_passed_over_to_its_end() {
    let long = "x".repeat(3_000_000);
    let text = format!("m,{long}\nm,a@b.cd\nm,{long}");
    let (sets, faults) = read("l.csv", text.as_bytes());
    assert_eq!(sets, ["m: an external id"]);
    assert_eq!(faults, [(1, RowFault::TooLong), (3, RowFault::TooLong)]);
    let longest = format!("m,a@b.cd{}", " ".repeat(LINE_BYTES_MAX as usize - 8));
    let (_, faults) = read("l.csv", format!("{longest}\n").as_bytes());
    assert_eq!(faults.len(), 1);
    assert_ne!(faults[0].1, RowFault::TooLong);
}

#[test]
fn lists_that_are_no_such_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("list.txt"), "m,a@b.cd").unwrap();
    fs::create_dir(at("folder.csv")).unwrap();
    for name in ["list.txt", "folder.csv", "none.csv", "none"] {
        assert!(Rows::open(&at(name)).is_err(), "{name}");
    }
}

#[test]
fn names_of_sets_are_kept_each_once() {
    let mut names = Names::default();
    for (text, is_name) in [
        ("b", true),
        ("a", true),
        ("a", true),
        ("a b", false),
        ("b", true),
    ] {
        let found = names.of(text).map(SetName::as_str);
        assert_eq!(found, is_name.then_some(text));
    }
    let all: Vec<&str> = names.all.iter().map(SetName::as_str).collect();
    assert_eq!(all, ["a", "b"]);
}
