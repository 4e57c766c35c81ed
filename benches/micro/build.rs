//! Notes which compiler makes the crate: instruction counts are the compiler's as well as ours.

use std::process::Command;

fn main() {
    let rustc = std::env::var_os("RUSTC").expect("cargo says which compiler it runs");
    let version = Command::new(rustc).arg("--version").output();
    let version = String::from_utf8(version.expect("it runs").stdout).expect("UTF-8");
    println!("cargo::rustc-env=RUSTC_VERSION={}", version.trim());
    println!("cargo::rerun-if-changed=build.rs");
}
