//! What is asked: a mix of requests from a TOML file, or the one GET that needs none.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

/// The request of a run without a scenario.
const DEFAULT_PATH: &str = "/3gpp-monitoring-event/v1/{scs_as_id}/subscriptions";
/// In a path, the place of the SCS/AS identifier.
pub const SCS_AS_ID: &str = "{scs_as_id}";
/// Weights are reduced to a cycle of at most so many requests.
const CYCLE_MAX: u64 = 10_000;

/// A file as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    request: Vec<Written>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default = "one")]
    weight: u64,
    method: String,
    path: String,
    body: Option<String>,
    body_file: Option<std::path::PathBuf>,
    body_bytes: Option<usize>,
    content_type: Option<String>,
    #[serde(default)]
    fields: BTreeMap<String, String>,
}

fn one() -> u64 {
    1
}

/// One kind of request, as meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// A token of RFC 9110, upper case by custom.
    pub method: String,
    /// With [`SCS_AS_ID`] where that goes.
    pub path: String,
    /// Fields besides `Host`, `Content-Length` and `Authorization`.
    pub fields: Vec<(String, String)>,
    /// What follows the head; `None` for a request without content.
    pub body: Option<Vec<u8>>,
}

/// Kinds of request, and the order in which they come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// For reports: the file's name, or `GET`.
    pub name: String,
    /// The kinds.
    pub requests: Vec<Request>,
    /// Indices into `requests`, each as often as its weight says, evenly spread.
    pub cycle: Vec<usize>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: "GET".to_owned(),
            requests: vec![Request {
                method: "GET".to_owned(),
                path: DEFAULT_PATH.to_owned(),
                fields: Vec::new(),
                body: None,
            }],
            cycle: vec![0],
        }
    }
}

impl Scenario {
    /// Reads a file; `body_file` is relative to it.
    ///
    /// # Errors
    /// A sentence on the first fault, with the file's name.
    pub fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let folder = path.parent().unwrap_or(Path::new("."));
        Self::parse(&name, &text, folder).map_err(|fault| format!("{shown}: {fault}"))
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// A sentence on the first fault.
    pub fn parse(name: &str, text: &str, folder: &Path) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let weights: Vec<u64> = file.request.iter().map(|request| request.weight).collect();
        let requests = file.request.into_iter().map(|written| written.mean(folder));
        Ok(Self {
            name: name.to_owned(),
            requests: requests.collect::<Result<_, _>>()?,
            cycle: cycle(&weights)?,
        })
    }
}

impl Written {
    fn mean(self, folder: &Path) -> Result<Request, String> {
        let visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if self.method.is_empty() || !self.method.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(format!("method {:?} is none", self.method));
        }
        if !self.path.starts_with('/') || !visible(&self.path) {
            return Err(format!("path {:?} is none", self.path));
        }
        let body = match (self.body, self.body_file, self.body_bytes) {
            (None, None, None) => None,
            (Some(text), None, None) => Some(text.into_bytes()),
            (None, Some(file), None) => {
                let file = folder.join(file);
                let read = std::fs::read(&file);
                Some(read.map_err(|error| format!("{}: {error}", file.display()))?)
            }
            (None, None, Some(bytes)) => Some(filler(bytes)),
            _ => return Err("body, body_file and body_bytes exclude each other".to_owned()),
        };
        let mut fields: Vec<_> = self.fields.into_iter().collect();
        if let Some(content_type) = self.content_type {
            fields.push(("Content-Type".to_owned(), content_type));
        }
        for (name, value) in &fields {
            let text = value
                .bytes()
                .all(|byte| byte == b' ' || byte.is_ascii_graphic());
            if name.is_empty() || name.contains(':') || !visible(name) || !text {
                return Err(format!("field {name:?} cannot be sent"));
            }
        }
        Ok(Request {
            method: self.method,
            path: self.path,
            fields,
            body,
        })
    }
}

/// A JSON object of so many bytes; below its smallest form, spaces in brackets or less.
fn filler(bytes: usize) -> Vec<u8> {
    const FRAME: &str = r#"{"filler":""}"#;
    match bytes.checked_sub(FRAME.len()) {
        Some(room) => format!(r#"{{"filler":"{}"}}"#, "x".repeat(room)).into_bytes(),
        None if bytes >= 2 => format!("[{}]", " ".repeat(bytes - 2)).into_bytes(),
        None => b"0"[..bytes].to_vec(),
    }
}

/// Each index as often as its weight, reduced by the greatest common divisor, as evenly spread as
/// can be: at each step the one furthest behind its share.
fn cycle(weights: &[u64]) -> Result<Vec<usize>, String> {
    let divisor = weights.iter().copied().fold(0, divisor);
    let sum = weights
        .iter()
        .try_fold(0_u64, |sum, weight| sum.checked_add(*weight));
    let steps = match (divisor, sum) {
        (0, _) => return Err("no request has a weight".to_owned()),
        (divisor, Some(sum)) if sum / divisor <= CYCLE_MAX => sum / divisor,
        _ => return Err(format!("weights add up to more than {CYCLE_MAX}")),
    };
    // The bound keeps the weights below 2^63.
    let shares: Vec<i64> = weights
        .iter()
        .map(|weight| (weight / divisor) as i64)
        .collect();
    let mut credits = vec![0; weights.len()];
    let mut cycle = Vec::new();
    for _ in 0..steps {
        for (credit, share) in credits.iter_mut().zip(&shares) {
            *credit += share;
        }
        // The first of the highest.
        let chosen = (0..credits.len()).rev().max_by_key(|at| credits[*at]);
        let chosen = chosen.unwrap_or_default();
        credits[chosen] -= steps as i64;
        cycle.push(chosen);
    }
    Ok(cycle)
}

fn divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests;
