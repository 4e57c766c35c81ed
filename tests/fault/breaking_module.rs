//! A module around the token's own that breaks within a signature, as vendors' libraries do:
//! compiled for the test, because nothing that is installed does it on demand.

use std::path::{Path, PathBuf};

use crate::harness::{command, run_well};

/// What becomes of the process in the middle of a signature, or of what it asks.
#[derive(Clone, Copy, Debug)]
pub enum How {
    Aborts,
    /// By a pointer to nothing.
    Crashes,
    Hangs,
    /// With the token of this label, and no other.
    HangsToSignWith(&'static str),
    /// Opening a session with the token of this label does not return until it is whole.
    HangsWith(&'static str),
    /// The same, and what hangs then hangs for good.
    HangsForGoodWith(&'static str),
    /// That token is not there.
    Misses(&'static str),
    /// Signatures with that token find no memory, which says nothing of the token.
    RunsOutOfMemoryWith(&'static str),
    /// Signatures by RSA-PSS with SHA-512 fail by a code that says nothing of why.
    FailsByPssSha512,
    /// A process's first signature finds the key's number unknown; logins are counted.
    LosesAHandle,
    /// Not at all; logins are counted.
    CountsLogins,
    /// A signature loses the login, and from then on PINs are refused; each is counted.
    LosesLogins,
    /// The same, and a PIN is refused after twelve seconds.
    LosesLoginsAndRefusesLate,
    /// A login with that token takes four seconds, and is counted; signatures with others hang.
    LogsInSlowlyTo(&'static str),
    /// A login does not return until it is whole; each is counted.
    HangsToLogIn,
    /// A login ends with this code, without another word; each is counted.
    LoginsEndWith(u32),
    /// After a second and a half, in sessions that take their time to be opened; each is counted.
    RefusesPins,
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
        let order = match how {
            How::Aborts => "abort".to_owned(),
            How::Crashes => "segfault".to_owned(),
            How::Hangs => "hang".to_owned(),
            How::HangsToSignWith(token) => format!("hang {token}"),
            How::HangsWith(token) => format!("open {token}"),
            How::HangsForGoodWith(token) => format!("Open {token}"),
            How::Misses(token) => format!("none {token}"),
            How::RunsOutOfMemoryWith(token) => format!("memory {token}"),
            How::FailsByPssSha512 => "fail".to_owned(),
            How::LosesAHandle => "bad".to_owned(),
            How::CountsLogins => "count".to_owned(),
            How::LosesLogins => "lose".to_owned(),
            How::LosesLoginsAndRefusesLate => "Lose".to_owned(),
            How::LogsInSlowlyTo(token) => format!("wait {token}"),
            How::HangsToLogIn => "xlogin".to_owned(),
            How::LoginsEndWith(code) => format!("end {code}"),
            How::RefusesPins => "pins".to_owned(),
        };
        // As a whole: it may be read at any time.
        let next = self.order.with_extension("next");
        std::fs::write(&next, order).expect("a file in the test's folder");
        std::fs::rename(next, &self.order).expect("one folder");
    }

    /// How many logins have been counted.
    pub fn logins(&self) -> usize {
        let tried = std::fs::read_to_string(self.order.with_extension("tried"));
        tried.map_or(0, |tried| tried.lines().count())
    }

    /// Signatures are made again.
    pub fn is_whole(&self) {
        std::fs::remove_file(&self.order).expect("it was broken");
    }
}
