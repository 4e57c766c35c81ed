//! `config/t8gate.toml` and the code say the same.

use super::*;

const DOCUMENTED: &str = include_str!("../../../../config/t8gate.toml");

/// `# key = value` to `key = value`, and `# or: key = value` to nothing or to a key as well.
fn uncommented(with_or: bool) -> String {
    let line = |line: &str| match line
        .strip_prefix("# ")
        .map(|rest| (rest, rest.strip_prefix("or: ")))
    {
        Some((_, Some(other))) if with_or => other.to_owned(),
        Some((rest, None)) if is_assignment(rest) => rest.to_owned(),
        _ => line.to_owned(),
    };
    DOCUMENTED.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// One word, an equals sign, a value: no prose looks like it.
fn is_assignment(line: &str) -> bool {
    line.split_once(" = ").is_some_and(|(key, _)| {
        !key.is_empty()
            && key
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    })
}

#[test]
fn documented_file_is_a_configuration() {
    let config = good(DOCUMENTED);
    assert_eq!((config.issuers.len(), config.clients.len()), (2, 1));
}

#[test]
fn stated_defaults_are_the_defaults_of_the_code() {
    let (mut said, silent) = (good(&uncommented(false)), good(DOCUMENTED));
    // A default stands in its section's line.
    assert_ne!(said.listen.cpus.line, silent.listen.cpus.line);
    said.listen.cpus.line = silent.listen.cpus.line;
    assert_eq!(said, silent);
    assert_eq!(said.limits, Limits::default());
    assert_eq!(said.deadlines, Deadlines::default());
}

#[test]
fn every_key_of_the_code_stands_in_the_file_and_no_other() {
    let text = uncommented(true);
    let report = Report::new(&text, PathBuf::new());
    let table = DeTable::parse(&text).unwrap();
    config(
        &mut Section::root(&report, table.get_ref()),
        Path::new("f"),
        &cpus(),
    );
    let known: BTreeSet<String> = report
        .asked()
        .into_iter()
        .filter(|(section, _)| !section.is_empty())
        .map(|(section, key)| format!("{section}.{key}"))
        .filter(|key| key != "tls.key")
        .collect();
    assert_eq!(written_keys(&text), known);
    let (faults, _) = report.finish();
    // Both ways to name a private key stand in the text.
    let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(keys, ["tls.key.file"]);
}

fn written_keys(text: &str) -> BTreeSet<String> {
    let mut section = String::new();
    let mut keys = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(head) = line.strip_prefix('[') {
            section = head.trim_matches(['[', ']']).to_owned();
        } else if let Some((key, _)) = line.split_once(" = ") {
            keys.insert(format!("{section}.{key}"));
        }
    }
    keys
}

#[test]
fn every_optional_key_is_commented_and_every_section_is_there() {
    let required = written_keys(DOCUMENTED);
    assert!(
        required
            .iter()
            .all(|key| !key.starts_with("limits") && !key.starts_with("deadlines"))
    );
    for section in [
        "[listen]",
        "[tls]",
        "[tls.key]",
        "[[issuer]]",
        "[[client]]",
        "[upstream]",
        "[limits]",
        "[deadlines]",
    ] {
        assert!(DOCUMENTED.lines().any(|line| line == section), "{section}");
    }
}
