//! A module around the token's own that breaks within a signature, as vendors' libraries do:
//! compiled for the test, because nothing that is installed does it on demand.

use std::path::{Path, PathBuf};

use crate::harness::{command, run_well};

/// What becomes of the process in the middle of a signature.
#[derive(Clone, Copy, Debug)]
pub enum How {
    Aborts,
    /// By a pointer to nothing.
    Crashes,
    Hangs,
}

pub struct BreakingModule {
    pub module: PathBuf,
    /// For whatever loads that.
    pub environment: Vec<(String, String)>,
    order: PathBuf,
}

impl BreakingModule {
    /// Around the module `whole`, compiled into `folder`.
    pub fn around(whole: &Path, folder: &Path) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fault/breaking_module.c");
        let module = folder.join("breaking-module.so");
        let mut compiler = command("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]);
        run_well(compiler.arg(&module).arg(source));
        let order = folder.join("break");
        let told = |name: &str, path: &Path| (name.to_owned(), path.display().to_string());
        let environment = vec![told("PKCS11_BROKEN", whole), told("PKCS11_BREAK", &order)];
        Self {
            module,
            environment,
            order,
        }
    }

    /// From now on signatures end like this.
    pub fn breaks(&self, how: How) {
        let word = match how {
            How::Aborts => "abort",
            How::Crashes => "segfault",
            How::Hangs => "hang",
        };
        std::fs::write(&self.order, word).expect("a file in the test's folder");
    }

    /// Signatures are made again.
    pub fn is_whole(&self) {
        std::fs::remove_file(&self.order).expect("it was broken");
    }
}
