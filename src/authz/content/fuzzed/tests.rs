//! The committed inputs, without a fuzzer: what one has found once is looked at for ever.

use std::path::Path;

use super::*;

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 2] = [("content", content), ("patch", patch)];

fn inputs(name: &str) -> Vec<Vec<u8>> {
    // Of the package: the gateway's, or the one of this room alone.
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let house = package.ancestors().find(|root| root.join("fuzz").is_dir());
    let corpus = house.expect("the house").join("fuzz/corpus").join(name);
    let inputs = std::fs::read_dir(corpus).expect("a directory");
    inputs
        .map(|input| std::fs::read(input.expect("an entry").path()).expect("our own file"))
        .collect()
}

#[test]
fn every_committed_input_holds_what_its_target_asserts() {
    for (name, target) in TARGETS {
        let inputs = inputs(name);
        assert!(inputs.len() >= 10, "{name}: only {}", inputs.len());
        inputs.iter().for_each(|input| target(input));
    }
}

#[test]
fn committed_inputs_hold_it_with_any_one_octet_changed_or_left_out() {
    for (name, target) in TARGETS {
        for input in inputs(name) {
            for at in 0..input.len() {
                let mut changed = input.clone();
                for octet in b"\"\\{}[]:,/~-01\x00\x1e\xff" {
                    changed[at] = *octet;
                    target(&changed);
                }
                changed.remove(at);
                target(&changed);
            }
        }
    }
}
