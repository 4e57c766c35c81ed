//! The committed inputs, without a fuzzer: what one has found once is looked at for ever.

use std::path::Path;

use super::*;

type Target = fn(&[u8]);

#[test]
fn every_committed_input_holds_what_its_target_asserts() {
    let targets: [(&str, Target); 2] = [("guard", guard), ("json_walk", json_walk)];
    for (name, target) in targets {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/corpus")
            .join(name);
        let mut count = 0;
        for input in std::fs::read_dir(corpus).expect("a directory") {
            target(&std::fs::read(input.expect("an entry").path()).expect("our own file"));
            count += 1;
        }
        assert!(count >= 10, "{name}: only {count}");
    }
}
