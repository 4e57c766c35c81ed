//! Reading `/proc` and `/sys` below any root: what is not there, not readable or not what the
//! kernel writes is None, and never an error, for a container shows what it likes of both.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::cpu_list;

/// More than the largest of these files, which is `/proc/cpuinfo` of some thousand CPUs.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The folder that `proc` and `sys` are in.
#[derive(Clone, Debug)]
pub struct Tree {
    root: PathBuf,
}

impl Tree {
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
        }
    }

    /// A file's text without white space at its ends.
    pub fn text(&self, path: &str) -> Option<String> {
        let file = File::open(self.root.join(path)).ok()?;
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    pub fn number<T: FromStr>(&self, path: &str) -> Option<T> {
        self.text(path)?.parse().ok()
    }

    /// A list of CPUs that may be empty, as that of the isolated ones mostly is.
    pub fn cpus(&self, path: &str) -> Option<Vec<usize>> {
        match self.text(path)?.as_str() {
            "" | "(null)" => Some(Vec::new()),
            list => cpu_list::parse(list),
        }
    }

    /// A mask of CPUs.
    pub fn mask(&self, path: &str) -> Option<Vec<usize>> {
        cpu_list::parse_mask(&self.text(path)?)
    }

    /// The word in brackets: `always [madvise] never`.
    pub fn chosen(&self, path: &str) -> Option<String> {
        let text = self.text(path)?;
        let (_, from) = text.split_once('[')?;
        let (word, _) = from.split_once(']')?;
        Some(printable(word))
    }

    /// Names in a folder, in order; none where there is no folder.
    pub fn names(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.root.join(path)).into_iter().flatten();
        let names = entries.flatten().map(|entry| entry.file_name());
        let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
        // As people count: rx-2 before rx-10.
        names.sort_by_cached_key(|name| {
            let word = name.trim_end_matches(|c: char| c.is_ascii_digit());
            (word.to_owned(), name.len(), name.clone())
        });
        names
    }

    pub fn has(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// The last part of what a link points to.
    pub fn link_name(&self, path: &str) -> Option<String> {
        let target = fs::read_link(self.root.join(path)).ok()?;
        Some(printable(target.file_name()?.to_str()?))
    }
}

/// The value behind `name:` in the lines of a file such as `/proc/self/status`.
pub fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

/// What comes from a file and goes to a terminal: no control characters, and not for ever.
pub fn printable(text: &str) -> String {
    const LETTERS_MAX: usize = 120;
    let clean = text.chars().filter(|c| !c.is_control());
    clean.take(LETTERS_MAX).collect()
}
