//! `t8gate client disable` and `enable`: one key of a client's file, and nothing else of it.

use std::path::Path;

use clap::Args;
use toml_edit::{DocumentMut, Item, Value, value};

use super::{Configured, Refused, file, find, refused, say_what_next, try_out};
use crate::config::{self, ClientFile};

#[derive(Args)]
pub struct Options {
    /// As the configuration calls it.
    name: String,
    #[command(flatten)]
    configured: Configured,
}

impl Options {
    pub(super) fn file(&self) -> &Path {
        &self.configured.config
    }
}

pub(super) fn run(options: &Options, enabled: bool) -> Result<(), Refused> {
    let (config, faults) = config::examine(options.file());
    let Some(config) = config else {
        return Err(faults.into());
    };
    // With a fault elsewhere the change could not come into force.
    if !faults.is_empty() {
        return Err(faults.into());
    }
    let client = find(&config, &options.name)?;
    let word = if enabled { "enabled" } else { "disabled" };
    if client.enabled == enabled {
        eprintln!("{} is {word} already", client.name);
        return Ok(());
    }
    let place = config.client_places.get(&client.name);
    let Some(path) = place.and_then(|place| place.file.clone()) else {
        let line = place.map_or(0, |place| place.line);
        let what = format!(
            "{} is written in [[client]], {}:{line}, which is edited by nobody but you",
            client.name,
            options.file().display()
        );
        let cure = format!("set enabled = {enabled} below that line");
        return Err(refused(what, cure));
    };
    let unreadable = |what: String| refused(what, "see the file itself");
    let text = std::fs::read_to_string(&path)
        .map_err(|error| unreadable(format!("{}: {error}", path.display())))?;
    let text = switched(&text, enabled)
        .ok_or_else(|| unreadable(format!("{} has changed meanwhile", path.display())))?;
    let written = ClientFile { path, text };
    let config = try_out(options.file(), &written)?;
    file::replace(&written.path, &written.text)?;
    say!("{}", written.path.display());
    say_what_next(&config);
    let can_be_told = config.admin.and_then(|admin| admin.socket).is_some();
    if !enabled && can_be_told && config.revocation.store.is_some() {
        eprintln!(
            "hint: until then its tokens are taken; t8gate token revoke --client {} ends them at \
             once",
            client.client_id
        );
    }
    Ok(())
}

/// The text with its key `enabled` so; all else stays as it is written.
fn switched(text: &str, enabled: bool) -> Option<String> {
    let mut keys: DocumentMut = text.parse().ok()?;
    match keys.get_mut("enabled") {
        Some(Item::Value(said)) => {
            let decor = said.decor().clone();
            *said = Value::from(enabled);
            *said.decor_mut() = decor;
        }
        _ => drop(keys.insert("enabled", value(enabled))),
    }
    Some(keys.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_order_and_spelling_stay_where_a_client_is_disabled_and_enabled() {
        let text = "# Acme\nname = 'acme'  # the word\n\nsans = [ \"dns:a.example\" ]\n";
        let disabled = switched(text, false).unwrap();
        assert_eq!(disabled, format!("{text}enabled = false\n"));
        let said = format!("enabled   = false  # since May\n{text}");
        let enabled = switched(&said, true).unwrap();
        assert_eq!(enabled, format!("enabled   = true  # since May\n{text}"));
        assert_eq!(switched("name = ", false), None);
    }

    #[test]
    fn key_is_written_above_sections() {
        let text = "name = \"a\"\n[more]\nkey = 1\n";
        let disabled = switched(text, false).unwrap();
        assert_eq!(disabled, "name = \"a\"\nenabled = false\n[more]\nkey = 1\n");
    }
}
