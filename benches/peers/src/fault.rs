//! What ends a bench: one sentence for its reader, and where there is one the cure.

use std::fmt;

/// A sentence, and a hint.
#[derive(Debug)]
pub struct Fault {
    sentence: String,
    hint: Option<String>,
}

impl Fault {
    /// A fault without a known cure.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            hint: None,
        }
    }

    /// The same with a cure.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.sentence)?;
        match &self.hint {
            Some(hint) => write!(to, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Says which file or program an I/O error was about.
pub fn about<T>(what: impl fmt::Display, result: std::io::Result<T>) -> Result<T, Fault> {
    result.map_err(|error| Fault::new(format!("{what}: {error}")))
}
