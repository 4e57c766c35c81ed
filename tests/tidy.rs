//! The rules of the house, as tests: who may know whom, where what may stand, and how it is named.
//! Each rule is a function from text to faults, and is shown to find the fault it is for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Which rooms a room may name, besides itself. A room that is not here fails the test: say where
/// it stands before building it.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("limits", &[]),
    // What is derived of secrets that nodes share: for tickets of sessions, and for tokens.
    ("secret", &[]),
    ("metrics", &["audit", "clock", "limits"]),
    ("audit", &["authz", "clock", "limits", "peer"]),
    ("peer", &["clock", "limits"]),
    ("machine", &["clock", "limits"]),
    (
        "config",
        &[
            "authz", "clock", "limits", "links", "machine", "peer", "privacy",
        ],
    ),
    ("privacy", &["clock", "limits", "peer", "secret"]),
    // Which links lead where; of APIs it knows where in bodies they stand.
    ("links", &["authz", "limits"]),
    ("http", &["clock", "limits", "peer"]),
    ("authz", &["clock", "limits", "peer", "secret"]),
    ("io", &["clock", "limits"]),
    ("signers", &["clock", "io", "limits"]),
    // What is not taken any more, and the one thread that writes it down: whoever verifies
    // something asks it, so it knows none of them.
    ("revoked", &["clock", "limits", "peer"]),
    ("tls", &["clock", "limits", "peer", "revoked", "secret"]),
    ("oauth", &["authz", "clock", "limits", "peer"]),
    (
        "notify",
        &["clock", "http", "limits", "peer", "privacy", "tls"],
    ),
    (
        "snapshot",
        &[
            "authz", "clock", "config", "limits", "links", "oauth", "peer", "privacy", "revoked",
            "tls",
        ],
    ),
    (
        "proxy",
        &[
            "audit", "authz", "clock", "http", "io", "limits", "links", "metrics", "notify",
            "oauth", "peer", "privacy", "revoked", "signers", "snapshot", "tls",
        ],
    ),
    (
        "shard",
        &[
            "audit", "authz", "clock", "io", "limits", "metrics", "peer", "proxy", "revoked",
            "signers", "snapshot", "tls",
        ],
    ),
    (
        "control",
        &[
            "audit", "authz", "clock", "config", "io", "limits", "links", "metrics", "oauth",
            "peer", "privacy", "proxy", "revoked", "signers", "snapshot", "tls",
        ],
    ),
    (
        "cli",
        &[
            "audit", "authz", "clock", "config", "control", "io", "limits", "machine", "metrics",
            "oauth", "peer", "privacy", "proxy", "revoked", "shard", "signers", "snapshot", "tls",
        ],
    ),
];

/// Who may hold keys.
const MAY_KNOW_HSM: &[&str] = &["tls", "oauth", "control", "cli", "snapshot"];

/// Rooms without a subject fill with lumber.
const NAMES_BANNED: &[&str] = &[
    "utils", "util", "common", "core", "manager", "handler", "helper", "helpers", "misc",
];

/// Where `unsafe` may stand.
const UNSAFE_ALLOWED: &[&str] = &[
    "src/io/",
    "src/io.rs",
    "hsm/src/pkcs11.rs",
    "hsm/src/signer/confine.rs",
    "src/tls/ffdhe.rs",
    "src/privacy/sieve.rs",
    "src/privacy/sieve/places.rs",
    "benches/load/src/ring.rs",
];
/// The frugality test counts allocations, which takes a `GlobalAlloc`.
const UNSAFE_ALLOWED_IN_TESTS: &[&str] = &["tests/frugality.rs"];

/// Rooms a request passes through: no lock stands there.
const REQUEST_PATH: &[&str] = &[
    "http", "authz", "oauth", "proxy", "io", "links", "privacy", "tls",
];

const COLUMNS_MAX: usize = 100;
const LINES_MAX: usize = 700;

/// A file's path from the root of the house, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.ends_with("/tests.rs")
            || self.path.contains("/tests/")
    }

    /// The code before an inline `#[cfg(test)] mod tests {`.
    fn without_inline_tests(&self) -> &str {
        let start = self.text.find("#[cfg(test)]\nmod tests {");
        start.map_or(self.text.as_str(), |at| &self.text[..at])
    }

    /// The room a file of `src/` belongs to.
    fn room(&self) -> Option<&str> {
        let inner = self.path.strip_prefix("src/")?;
        let room = inner.split('/').next()?.trim_end_matches(".rs");
        (!matches!(room, "lib" | "main")).then_some(room)
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Every Rust file of the house, in order.
fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    for directory in [
        "src",
        "hsm/src",
        "hsm/tests",
        "tests",
        "benches",
        "fuzz/fuzz_targets",
    ] {
        walk(&root().join(directory), &mut paths);
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    paths.sort();
    let read = |path: PathBuf| Source {
        text: std::fs::read_to_string(&path).expect("UTF-8"),
        path: path
            .strip_prefix(root())
            .expect("below the root")
            .display()
            .to_string(),
    };
    paths.into_iter().map(read).collect()
}

/// This file spells out what it bans.
fn is_this(source: &Source) -> bool {
    source.path == "tests/tidy.rs"
}

fn assert_clean(rule: fn(&Source) -> Vec<String>) {
    let sources = sources();
    assert!(sources.len() > 5, "the house is not here");
    let faults: Vec<String> = sources.iter().flat_map(rule).collect();
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

/// The rule finds a fault in the first text and none in the second.
fn assert_rule(rule: fn(&Source) -> Vec<String>, path: &str, bad: &str, good: &str) {
    let of = |text: &str| {
        rule(&Source {
            path: path.to_owned(),
            text: text.to_owned(),
        })
    };
    assert!(!of(bad).is_empty(), "found nothing wrong with {bad:?}");
    assert_eq!(of(good), Vec::<String>::new(), "found fault with {good:?}");
}

/// Lines with their numbers, comments cut off.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| {
        let code = line.split_once("//").map_or(line, |(code, _)| code);
        (at + 1, code)
    })
}

fn holds_word(code: &str, word: &str) -> bool {
    let letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !letter(before) && !letter(after)
    })
}

// Who may know whom.

/// Rooms named by `crate::room` or, in a nested `use crate::{..}`, by its first segments.
fn rooms_named(text: &str) -> Vec<(usize, String)> {
    let code: String = text
        .lines()
        .map(|line| line.split_once("//").map_or(line, |(code, _)| code))
        .collect::<Vec<_>>()
        .join("\n");
    let mut named = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + "crate::".len()..];
        let Some(list) = rest.strip_prefix('{') else {
            named.push((line, first_word(rest)));
            continue;
        };
        let mut depth = 0;
        let mut start = true;
        for (offset, letter) in list.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                letter if start && !letter.is_whitespace() => {
                    named.push((line, first_word(&list[offset..])));
                    start = false;
                }
                _ => {}
            }
        }
    }
    named.retain(|(_, room)| !room.is_empty());
    named
}

fn first_word(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

fn who_knows_whom(source: &Source) -> Vec<String> {
    let Some(room) = source.room() else {
        return Vec::new();
    };
    let Some((_, known)) = MAY_KNOW.iter().find(|(name, _)| *name == room) else {
        return vec![format!(
            "{}: the room `{room}` is not in the table",
            source.path
        )];
    };
    let mut faults = Vec::new();
    for (line, named) in rooms_named(&source.text) {
        let is_room = MAY_KNOW.iter().any(|(name, _)| *name == named);
        if is_room && named != room && !known.contains(&named.as_str()) {
            faults.push(format!(
                "{}:{line}: `{room}` may not know `{named}`",
                source.path
            ));
        }
    }
    let names_hsm = |code: &str| holds_word(code, "hsm") && code.contains("hsm::");
    if !MAY_KNOW_HSM.contains(&room) {
        let lines = code_lines(&source.text).filter(|(_, code)| names_hsm(code));
        faults.extend(
            lines.map(|(line, _)| format!("{}:{line}: `{room}` may not know `hsm`", source.path)),
        );
    }
    faults
}

#[test]
fn nothing_points_up() {
    assert_clean(who_knows_whom);
}

#[test]
fn rule_of_who_knows_whom_finds_faults() {
    let good = "use crate::{clock::UnixSeconds, peer::{Client, Peer}};\n// crate::http is above\n";
    assert_rule(
        who_knows_whom,
        "src/authz/token.rs",
        "use crate::http::Head;",
        good,
    );
    assert_rule(
        who_knows_whom,
        "src/authz.rs",
        "fn f() { crate::proxy::f() }",
        good,
    );
    assert_rule(
        who_knows_whom,
        "src/http/h1.rs",
        "use crate::{clock::Millis,\n tls::T};",
        good,
    );
    assert_rule(
        who_knows_whom,
        "src/http/h1.rs",
        "use hsm::PrivateKey;",
        good,
    );
    let lumber = Source {
        path: "src/lumber.rs".to_owned(),
        text: String::new(),
    };
    assert_eq!(
        who_knows_whom(&lumber).len(),
        1,
        "a room that is not in the table"
    );
}

// How it is named and how long it is.

fn names(source: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    for part in source.path.trim_end_matches(".rs").split('/') {
        if NAMES_BANNED.contains(&part) {
            faults.push(format!("{}: `{part}` names no subject", source.path));
        }
    }
    for (line, code) in code_lines(&source.text) {
        let code = code
            .trim_start()
            .trim_start_matches("pub ")
            .trim_start_matches("pub(crate) ");
        let module = code
            .strip_prefix("mod ")
            .map(first_word)
            .unwrap_or_default();
        if NAMES_BANNED.contains(&module.as_str()) {
            faults.push(format!(
                "{}:{line}: `{module}` names no subject",
                source.path
            ));
        }
    }
    faults
}

#[test]
fn every_file_and_module_has_a_subject() {
    assert_clean(names);
}

#[test]
fn rule_of_names_finds_faults() {
    assert_rule(
        names,
        "src/http/head.rs",
        "pub mod utils;",
        "mod head; // utils",
    );
    let lumber = Source {
        path: "src/common/x.rs".to_owned(),
        text: String::new(),
    };
    assert_eq!(names(&lumber).len(), 1);
}

fn columns(source: &Source) -> Vec<String> {
    let long = source
        .text
        .lines()
        .enumerate()
        .filter(|(_, l)| l.chars().count() > COLUMNS_MAX);
    long.map(|(at, _)| format!("{}:{}: over {COLUMNS_MAX} columns", source.path, at + 1))
        .collect()
}

#[test]
fn no_line_is_too_long() {
    assert_clean(columns);
}

#[test]
fn rule_of_columns_finds_faults() {
    assert_rule(columns, "src/a.rs", &"x".repeat(101), &"\u{fc}".repeat(100));
}

fn length(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    let long = lines > LINES_MAX;
    long.then(|| format!("{}: {lines} lines, over {LINES_MAX}", source.path))
        .into_iter()
        .collect()
}

#[test]
fn no_file_is_too_long() {
    assert_clean(length);
}

#[test]
fn rule_of_length_finds_faults() {
    assert_rule(length, "src/a.rs", &"x\n".repeat(701), &"x\n".repeat(700));
}

// What may not stand anywhere.

/// In two halves each, so that this list does not find itself.
fn words_banned() -> Vec<String> {
    let halves = [
        ("TO", "DO"),
        ("FIX", "ME"),
        ("XX", "X:"),
        ("todo", "!("),
        ("unimplemented", "!("),
        ("dbg", "!("),
        ("/wo", "rk/"),
        ("/ro", "ot/"),
        ("/tmp", "/"),
    ];
    halves.iter().map(|(a, b)| format!("{a}{b}")).collect()
}

fn leftovers(source: &Source) -> Vec<String> {
    let banned = words_banned();
    let mut faults = Vec::new();
    for (at, line) in source.text.lines().enumerate() {
        for word in banned.iter().filter(|word| line.contains(word.as_str())) {
            faults.push(format!("{}:{}: `{word}`", source.path, at + 1));
        }
    }
    faults
}

#[test]
fn nothing_is_left_to_be_done_and_no_machine_is_named() {
    assert_clean(leftovers);
}

#[test]
fn rule_of_leftovers_finds_faults() {
    for word in words_banned() {
        assert_rule(leftovers, "src/a.rs", &format!("// {word} x"), "// done");
    }
}

fn clocks(source: &Source) -> Vec<String> {
    if source.is_test() || source.path == "src/clock.rs" || !source.path.starts_with("src/") {
        return Vec::new();
    }
    let asks = |code: &&str| code.contains("Instant::now") || code.contains("SystemTime::now");
    let lines = code_lines(source.without_inline_tests()).filter(|(_, code)| asks(code));
    lines
        .map(|(line, _)| format!("{}:{line}: asks for the time", source.path))
        .collect()
}

#[test]
fn time_is_asked_for_in_one_place() {
    assert_clean(clocks);
}

#[test]
fn rule_of_clocks_finds_faults() {
    assert_rule(
        clocks,
        "src/http/h1.rs",
        "let t = Instant::now();",
        "// Instant::now\n",
    );
    assert_rule(
        clocks,
        "src/a.rs",
        "SystemTime::now()",
        "#[cfg(test)]\nmod tests {Instant::now}",
    );
}

fn locks(source: &Source) -> Vec<String> {
    if source.is_test()
        || !source
            .room()
            .is_some_and(|room| REQUEST_PATH.contains(&room))
    {
        return Vec::new();
    }
    let locked = |code: &str| holds_word(code, "Mutex") || holds_word(code, "RwLock");
    let lines = code_lines(source.without_inline_tests()).filter(|(_, code)| locked(code));
    lines
        .map(|(line, _)| format!("{}:{line}: a lock on a request's path", source.path))
        .collect()
}

#[test]
fn no_lock_stands_on_a_requests_path() {
    assert_clean(locks);
}

#[test]
fn rule_of_locks_finds_faults() {
    assert_rule(
        locks,
        "src/proxy/gate.rs",
        "use std::sync::Mutex;",
        "// no Mutex\nlet x = 1;",
    );
    assert_rule(locks, "src/authz/cache.rs", "x: RwLock<u8>", "x: u8");
}

fn unsafe_code(source: &Source) -> Vec<String> {
    let allowed = UNSAFE_ALLOWED.iter().chain(UNSAFE_ALLOWED_IN_TESTS);
    let mut allowed = allowed.filter(|place| source.path.starts_with(**place));
    let allowed = allowed.next().is_some();
    let lines: Vec<&str> = source.text.lines().collect();
    let mut faults = Vec::new();
    for (line, code) in code_lines(&source.text) {
        if !holds_word(code, "unsafe") || is_this(source) {
            continue;
        }
        if !allowed {
            faults.push(format!("{}:{line}: unsafe has no place here", source.path));
        }
        let before = &lines[line.saturating_sub(9)..line];
        let said = before
            .iter()
            .any(|l| l.contains("SAFETY:") || l.contains("# Safety"));
        if !said {
            faults.push(format!(
                "{}:{line}: unsafe without a word on why",
                source.path
            ));
        }
    }
    faults
}

#[test]
fn unsafe_stands_where_it_may_and_says_why() {
    assert_clean(unsafe_code);
}

#[test]
fn rule_of_unsafe_finds_faults() {
    let explained = "// SAFETY: p is ours\nunsafe { *p }";
    assert_rule(unsafe_code, "src/io/stream.rs", "unsafe { *p }", explained);
    assert_rule(
        unsafe_code,
        "src/http/h1.rs",
        explained,
        "#![forbid(unsafe_code)]",
    );
}

// Citations.

/// Citations of normative clauses: those in code, and those above tests.
fn citations(sources: &[Source]) -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
    let mut cited: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for source in sources.iter().filter(|source| !is_this(source)) {
        for line in source.text.lines() {
            let Some(clause) = line.trim_start().strip_prefix("//= ") else {
                continue;
            };
            let (clause, tested) = match clause.strip_suffix("type=test") {
                Some(clause) => (clause.trim(), true),
                None => (clause.trim(), false),
            };
            let (met, proved) = cited.entry(clause.to_owned()).or_default();
            let places = if tested { proved } else { met };
            places.insert(source.path.clone());
        }
    }
    cited
}

fn unproved(sources: &[Source]) -> Vec<String> {
    let cited = citations(sources);
    let unproved = cited
        .iter()
        .filter(|(_, (met, proved))| !met.is_empty() && proved.is_empty());
    unproved
        .map(|(clause, (met, _))| format!("{clause}: met in {met:?}, tested nowhere"))
        .collect()
}

#[test]
fn every_cited_clause_has_a_test() {
    let sources = sources();
    for (clause, (met, proved)) in citations(&sources) {
        println!("{clause:<34} met: {} tested: {}", met.len(), proved.len());
    }
    let faults = unproved(&sources);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn rule_of_citations_finds_faults() {
    let of = |text: &str| {
        unproved(&[Source {
            path: "src/a.rs".to_owned(),
            text: text.to_owned(),
        }])
    };
    assert_eq!(of("//= RFC 1 section 2\n//# x\n").len(), 1);
    assert!(of("//= RFC 1 section 2\n    //= RFC 1 section 2 type=test\n").is_empty());
    assert_eq!(
        of("//= RFC 1 section 2\n//= RFC 1 section 3 type=test\n").len(),
        1
    );
}

#[test]
fn the_house_has_its_papers() {
    for path in [
        "config/t8gate.toml",
        "README.md",
        "LICENSE",
        "Makefile",
        "hsm/softhsm.sh",
    ] {
        assert!(root().join(path).is_file(), "{path} is missing");
    }
}
