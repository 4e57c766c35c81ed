//! The folder in which a demo keeps everything it makes.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Says that a folder is a demo's, and may be made anew.
const MARK: &str = ".t8gate-demo";
/// What a demo is played by.
pub const CONFIGURATION: &str = "demo.toml";
/// Says that all has been made.
const COMPLETE: &str = ".t8gate-demo-complete";

/// The folder. One that is thrown away goes with this value, whatever else happens.
#[derive(Debug)]
pub struct State {
    path: PathBuf,
    thrown_away: bool,
}

impl State {
    /// Makes a folder for its owner only: a throw-away one, or `kept`, which stays as it is when
    /// an earlier demo has finished making it.
    ///
    /// # Errors
    /// Says why the folder cannot be used.
    pub fn make(kept: Option<&Path>) -> Result<Self, String> {
        let state = match kept {
            None => Self::throw_away()?,
            Some(path) => Self::keep(path)?,
        };
        state.write(MARK, "Made by t8gate demo.\n")?;
        Ok(state)
    }

    /// Whether an earlier demo has made all that belongs into it.
    pub fn is_complete(&self) -> bool {
        self.file(COMPLETE).is_file()
    }

    /// Notes that all has been made.
    ///
    /// # Errors
    /// Says which file could not be written, and why.
    pub fn complete(&self) -> Result<(), String> {
        self.write(COMPLETE, "")
    }

    fn throw_away() -> Result<Self, String> {
        let folder = tempfile::Builder::new()
            .prefix("t8gate-demo-")
            .permissions(std::fs::Permissions::from_mode(0o700))
            .tempdir()
            .map_err(|error| format!("a folder for the demo cannot be made: {error}"))?;
        Ok(Self {
            path: folder.keep(),
            thrown_away: true,
        })
    }

    fn keep(path: &Path) -> Result<Self, String> {
        let fault = |error| format!("{}: {error}", path.display());
        let is_ours = path.join(MARK).is_file();
        if path.exists() {
            let mut entries = std::fs::read_dir(path).map_err(fault)?;
            if !is_ours && entries.next().is_some() {
                return Err(format!(
                    "{} is not empty and was not made by a demo\n  hint: name another folder",
                    path.display()
                ));
            }
        }
        // What was begun and not finished is of no use.
        if is_ours && !path.join(COMPLETE).is_file() {
            std::fs::remove_dir_all(path).map_err(fault)?;
        }
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(path).map_err(fault)?;
        let closed = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(path, closed).map_err(fault)?;
        Ok(Self {
            path: path.canonicalize().map_err(fault)?,
            thrown_away: false,
        })
    }

    /// Takes over the folder that this process made before it executed itself anew.
    ///
    /// # Errors
    /// It is not there, or not a demo's.
    pub fn resume(path: &Path, thrown_away: bool) -> Result<Self, String> {
        if !path.join(MARK).is_file() {
            return Err(format!("{} was not made by a demo", path.display()));
        }
        Ok(Self {
            path: path.to_owned(),
            thrown_away,
        })
    }

    /// The same folder for another thread, which does not remove it.
    pub fn borrowed(&self) -> Self {
        Self {
            path: self.path.clone(),
            thrown_away: false,
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is removed at the end.
    pub fn is_thrown_away(&self) -> bool {
        self.thrown_away
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file for its owner only.
    ///
    /// # Errors
    /// Says which file, and why not.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<(), String> {
        let file = self.file(name);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options
            .open(&file)
            .and_then(|mut open| open.write_all(content.as_ref()))
            .map_err(|error| format!("{} cannot be written: {error}", file.display()))
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if self.thrown_away
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            eprintln!("{} could not be removed: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn throw_away_folder_is_its_owners_and_goes_with_its_value() {
        let state = State::make(None).unwrap();
        let path = state.path().to_owned();
        state.write("secret", "x").unwrap();
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&state.file("secret")), 0o600);
        drop(state);
        assert!(!path.exists());
    }

    #[test]
    fn kept_folder_stays_and_is_made_anew_unless_it_is_complete() {
        let outer = State::make(None).unwrap();
        let path = outer.file("kept");
        let state = State::make(Some(&path)).unwrap();
        state.write("old", "x").unwrap();
        drop(state);
        assert!(path.join("old").exists());
        assert_eq!(mode(&path), 0o700);
        let again = State::make(Some(&path)).unwrap();
        assert!(!again.file("old").exists());
        assert!(!again.is_complete());
        again.complete().unwrap();
        let third = State::make(Some(&path)).unwrap();
        assert!(third.is_complete());
    }

    #[test]
    fn folder_of_somebody_else_is_refused_and_left_alone() {
        let outer = State::make(None).unwrap();
        let path = outer.file("precious");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("thesis"), "x").unwrap();
        assert!(State::make(Some(&path)).unwrap_err().contains("not empty"));
        assert!(State::resume(&path, true).is_err());
        assert!(path.join("thesis").exists());
    }
}
