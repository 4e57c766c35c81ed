//! The committed inputs, without a fuzzer: what one has found once is looked at for ever.

use std::path::{Path, PathBuf};

use super::*;

mod inputs;

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 4] = [
    ("certificate", certificate),
    ("crl", crl),
    ("hello", hello),
    ("record", record),
];

/// The targets of the other rooms that have some, which go through their inputs.
const OF_OTHERS: [&str; 5] = ["content", "guard", "json_walk", "links", "patch"];

fn house(part: &str) -> PathBuf {
    // Of the package: the gateway's, or the one of this room alone.
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = package.ancestors().find(|root| root.join("fuzz").is_dir());
    root.expect("fuzz/ in the house").join(part)
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        let name = entry.expect("an entry").file_name();
        name.to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

#[test]
fn every_committed_input_holds_what_its_target_asserts() {
    for (name, target) in TARGETS {
        let corpus = house("fuzz/corpus").join(name);
        let inputs = names(&corpus);
        assert!(inputs.len() >= 5, "{name}: only {inputs:?}");
        for input in inputs {
            target(&std::fs::read(corpus.join(input)).expect("our own file"));
        }
    }
}

#[test]
fn every_target_has_inputs_that_are_gone_through() {
    let own = TARGETS.iter().map(|(name, _)| *name);
    let mut known: Vec<String> = own
        .chain(OF_OTHERS)
        .map(|name| format!("{name}.rs"))
        .collect();
    known.sort();
    assert_eq!(names(&house("fuzz/fuzz_targets")), known);
}

/// The inputs reach what they are for: some lists and one certificate are taken.
#[test]
fn committed_inputs_are_signed_by_the_committed_issuers() {
    let issuers = [CrlIssuer::read(CRL_ISSUER).unwrap()];
    let corpus = house("fuzz/corpus/crl");
    let taken = names(&corpus).into_iter().filter(|name| {
        let octets = std::fs::read(corpus.join(name)).unwrap();
        Crl::read(&mut Cursor::new(octets), &issuers).is_ok()
    });
    let taken: Vec<String> = taken.collect();
    assert_eq!(
        taken,
        ["complete", "delta", "late", "of_nobody", "pem", "scoped"]
    );
    let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW.0));
    let client = CertificateDer::from(CLIENT);
    scene::with(|scene| {
        assert!(scene.auth.verify_client_cert(&client, &[], now).is_ok());
    });
}
