//! The committed inputs, without a fuzzer: what one has found once is looked at for ever.

use std::path::Path;

use super::*;

type Target = fn(&[u8]);

#[test]
fn every_committed_input_holds_what_its_target_asserts() {
    let targets: [(&str, Target); 2] = [("guard", guard), ("json_walk", json_walk)];
    for (name, target) in targets {
        // Of the package: the gateway's, or the one of this room alone.
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = package.ancestors().find(|root| root.join("fuzz").is_dir());
        let root = root.expect("fuzz/ in the house");
        let corpus = root.join("fuzz/corpus").join(name);
        let mut count = 0;
        for input in std::fs::read_dir(corpus).expect("a directory") {
            target(&std::fs::read(input.expect("an entry").path()).expect("our own file"));
            count += 1;
        }
        assert!(count >= 10, "{name}: only {count}");
    }
}
