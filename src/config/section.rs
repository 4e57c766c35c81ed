//! The configuration as written: a [`Section`] hands out its keys one by one, each through a
//! value parser, and writes what is wrong into the [`Report`] instead of stopping.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::closest;
use super::files::{FileKind, NamedFile};
use super::value::{Wrong, kind as describe, text};
use super::{Fault, Located, Place, Until};

/// Everything found while one file is read.
pub(super) struct Report {
    /// Offset of the first byte of each line.
    line_starts: Vec<usize>,
    /// A client's file; none: the configuration file itself.
    file: Option<PathBuf>,
    /// What relative paths are relative to.
    folder: PathBuf,
    faults: RefCell<Vec<Fault>>,
    warnings: RefCell<Vec<Fault>>,
    unknown: RefCell<Vec<Unknown>>,
    asked: RefCell<BTreeSet<(String, &'static str)>>,
    files: RefCell<Vec<NamedFile>>,
}

/// What is found in a file.
#[derive(Default)]
pub(super) struct Found {
    pub faults: Vec<Fault>,
    /// What is not wrong, and is hardly what is meant.
    pub warnings: Vec<Fault>,
    /// The files that it names.
    pub files: Vec<NamedFile>,
}

/// A key nobody asked for. Judged at the end, when the keys of all sections are known.
struct Unknown {
    line: usize,
    /// The section as faults name it, and as the file writes it: `client[2]` and `client`.
    section: String,
    kind: String,
    key: String,
}

impl Report {
    pub(super) fn new(text: &str, folder: PathBuf) -> Self {
        let newlines = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
        Self {
            line_starts: std::iter::once(0).chain(newlines).collect(),
            file: None,
            folder,
            faults: RefCell::default(),
            warnings: RefCell::default(),
            unknown: RefCell::default(),
            asked: RefCell::default(),
            files: RefCell::default(),
        }
    }

    /// Of a client's own file.
    pub(super) fn of_client(text: &str, file: &Path) -> Self {
        let folder = file.parent().unwrap_or(Path::new("")).to_path_buf();
        Self {
            file: Some(file.to_path_buf()),
            ..Self::new(text, folder)
        }
    }

    /// A place in the file that is read.
    pub(super) fn place(&self, line: usize) -> Place {
        let file = self.file.clone();
        Place { file, line }
    }

    /// Takes over what was found in a client's file.
    pub(super) fn take_over(&self, found: Found) {
        self.faults.borrow_mut().extend(found.faults);
        self.warnings.borrow_mut().extend(found.warnings);
        self.files.borrow_mut().extend(found.files);
    }

    /// Line, from 1, of the first byte of `span`.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        self.line_starts
            .partition_point(|&start| start <= span.start)
    }

    pub(super) fn fault(&self, line: usize, key: String, wrong: Wrong) {
        self.faults.borrow_mut().push(self.said(line, key, wrong));
    }

    /// Says what is served with all the same.
    pub(super) fn warn(&self, line: usize, key: String, wrong: Wrong) {
        self.warnings.borrow_mut().push(self.said(line, key, wrong));
    }

    fn said(&self, line: usize, key: String, wrong: Wrong) -> Fault {
        let Wrong { what, cure } = wrong;
        Fault {
            file: self.file.clone(),
            line,
            key,
            what,
            cure,
            until: Until::Mended,
        }
    }

    /// That the file cannot be read as TOML.
    pub(super) fn fault_of_toml(&self, error: &toml::de::Error) {
        let line = error.span().map_or(0, |span| self.line(&span));
        let what = format!("this is not TOML: {}", error.message());
        let cure = "mend this line; further faults are looked for when the file can be read";
        self.fault(line, String::new(), Wrong::new(what, cure));
    }

    /// Sections, without their places in lists, and keys that the code knows.
    #[cfg(test)]
    pub(super) fn asked(&self) -> BTreeSet<(String, &'static str)> {
        self.asked.borrow().clone()
    }

    /// All of it.
    pub(super) fn finish(self) -> Found {
        let asked = self.asked.borrow();
        for unknown in self.unknown.borrow().iter() {
            self.fault(
                unknown.line,
                full_key(&unknown.section, &unknown.key),
                Wrong {
                    what: "there is no such key".into(),
                    cure: cure_of_unknown(unknown, &asked),
                },
            );
        }
        drop(asked);
        Found {
            faults: self.faults.into_inner(),
            warnings: self.warnings.into_inner(),
            files: self.files.into_inner(),
        }
    }
}

fn cure_of_unknown(unknown: &Unknown, asked: &BTreeSet<(String, &'static str)>) -> String {
    let elsewhere = asked.iter().find(|(section, key)| {
        *key == unknown.key && *section != unknown.kind && !section.is_empty()
    });
    if let Some((section, key)) = elsewhere {
        return format!("`{key}` belongs to [{section}]");
    }
    let neighbours: Vec<&str> = asked
        .iter()
        .filter(|(section, _)| *section == unknown.kind)
        .map(|(_, key)| *key)
        .collect();
    match closest(&unknown.key, &neighbours) {
        Some(key) => format!("did you mean `{key}`?"),
        None => format!("remove it; the keys here are {}", neighbours.join(", ")),
    }
}

/// `tls` and `certificate` to `tls.certificate`. A key that needs quotes gets them, so that no
/// control character reaches a terminal.
fn full_key(section: &str, key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let key = if !key.is_empty() && key.chars().all(bare) {
        key.into()
    } else {
        format!("{key:?}")
    };
    if section.is_empty() {
        key
    } else {
        format!("{section}.{key}")
    }
}

/// One table of the file, also where the file lacks it: then every key is absent.
pub(super) struct Section<'r, 'd> {
    report: &'r Report,
    /// As faults name it: `client[2]`, counted from 1.
    name: String,
    /// As the file writes it: `client`.
    kind: String,
    line: usize,
    table: Option<&'d DeTable<'d>>,
    /// No key of it is to be missed: the file has something else in its place, and that was said
    /// already, or it may lack the section.
    said: bool,
    asked: Vec<&'static str>,
}

impl<'r, 'd> Section<'r, 'd> {
    pub(super) fn root(report: &'r Report, table: &'d DeTable<'d>) -> Self {
        let (name, kind) = (String::new(), String::new());
        Self {
            report,
            name,
            kind,
            line: 0,
            table: Some(table),
            said: false,
            asked: Vec::new(),
        }
    }

    /// Line of the section's head; 0 if the file has none.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// Everything found in the file it is of.
    pub(super) fn report(&self) -> &'r Report {
        self.report
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    pub(super) fn holds_text(&self, key: &str) -> bool {
        let value = self.table.and_then(|table| table.get(key));
        value.is_some_and(|value| matches!(value.get_ref(), DeValue::String(_)))
    }

    pub(super) fn holds_empty_list(&self, key: &str) -> bool {
        let value = self.table.and_then(|table| table.get(key));
        value
            .is_some_and(|value| matches!(value.get_ref(), DeValue::Array(list) if list.is_empty()))
    }

    /// No key of the section is to be missed, because of what stands in its place, or because it
    /// may be absent.
    pub(super) fn is_said(&self) -> bool {
        self.said
    }

    /// Says nothing more of it: no key of it is unknown.
    pub(super) fn pass_over(&mut self) {
        self.table = None;
    }

    /// Line of a key, if the file has it.
    pub(super) fn line_of(&self, key: &str) -> Option<usize> {
        let (key, _) = self.table?.get_key_value(key)?;
        Some(self.report.line(&key.span()))
    }

    pub(super) fn fault(&self, line: usize, key: &str, wrong: Wrong) {
        self.report.fault(line, full_key(&self.name, key), wrong);
    }

    /// A key of it as faults name it.
    pub(super) fn full(&self, key: &str) -> String {
        full_key(&self.name, key)
    }

    fn take(&mut self, key: &'static str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.asked.push(key);
        self.table?.get(key)
    }

    fn parsed<T>(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        parse: impl Fn(&DeValue<'_>) -> Result<T, Wrong>,
    ) -> Option<Located<T>> {
        let line = self.report.line(&value.span());
        match parse(value.get_ref()) {
            Ok(value) => Some(Located { value, line }),
            Err(wrong) => {
                self.fault(line, key, wrong);
                None
            }
        }
    }

    /// The value of a key the file may lack. `None` also where it is wrong, which is then said.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&DeValue<'_>) -> Result<T, Wrong>,
    ) -> Option<Located<T>> {
        let value = self.take(key)?;
        self.parsed(key, value, parse)
    }

    /// The value of a key, or its default.
    pub(super) fn or<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&DeValue<'_>) -> Result<T, Wrong>,
        default: T,
    ) -> T {
        self.optional(key, parse)
            .map_or(default, |located| located.value)
    }

    /// The value of a key the file must have.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&DeValue<'_>) -> Result<T, Wrong>,
        cure: &str,
    ) -> Option<Located<T>> {
        self.demand(key, cure);
        self.optional(key, parse)
    }

    fn demand(&self, key: &str, cure: &str) {
        if !self.has(key) && !self.said {
            self.fault(self.line, key, Wrong::new("is missing", cure));
        }
    }

    /// The elements of a list the file may lack; those that are wrong are said and left out.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&DeValue<'_>) -> Result<T, Wrong>,
    ) -> Option<Located<Vec<Located<T>>>> {
        let value = self.take(key)?;
        let line = self.report.line(&value.span());
        let DeValue::Array(elements) = value.get_ref() else {
            let found = describe(value.get_ref());
            let what = format!("must be a list, but is {found}");
            self.fault(
                line,
                key,
                Wrong::new(what, "put the values in brackets: [\"a\", \"b\"]"),
            );
            return None;
        };
        let value = elements
            .iter()
            .filter_map(|e| self.parsed(key, e, &parse))
            .collect();
        Some(Located { value, line })
    }

    /// The elements of a list the file must have, and which must not be empty.
    pub(super) fn required_list<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&DeValue<'_>) -> Result<T, Wrong>,
        cure: &str,
    ) -> Option<Located<Vec<Located<T>>>> {
        self.demand(key, cure);
        if self.holds_empty_list(key) {
            let line = self.line_of(key).unwrap_or(self.line);
            self.fault(line, key, Wrong::new("is empty", cure));
        }
        self.list(key, parse)
    }

    /// The path in a key the file may lack, whatever it names.
    pub(super) fn optional_path(&mut self, key: &'static str) -> Option<Located<PathBuf>> {
        let written = self.optional(key, text)?;
        Some(Located {
            value: self.report.folder.join(written.value),
            line: written.line,
        })
    }

    /// The path in a key the file must have, whatever it names.
    pub(super) fn required_path(
        &mut self,
        key: &'static str,
        cure: &str,
    ) -> Option<Located<PathBuf>> {
        self.demand(key, cure);
        self.optional_path(key)
    }

    /// The path in a key the file may lack; [`super::read`] looks at the file it names.
    pub(super) fn optional_file(
        &mut self,
        key: &'static str,
        kind: FileKind,
    ) -> Option<Located<PathBuf>> {
        let found = self.optional_path(key)?;
        self.name_file(key, &found, kind);
        Some(found)
    }

    /// The paths in a list that the file may lack, each of which names a file like that.
    pub(super) fn files(
        &mut self,
        key: &'static str,
        kind: FileKind,
    ) -> Option<Located<Vec<Located<PathBuf>>>> {
        let Located { value, line } = self.list(key, text)?;
        let joined = |written: Located<String>| Located {
            value: self.report.folder.join(written.value),
            line: written.line,
        };
        let value: Vec<_> = value.into_iter().map(joined).collect();
        for file in &value {
            self.name_file(key, file, kind);
        }
        Some(Located { value, line })
    }

    fn name_file(&self, key: &str, file: &Located<PathBuf>, kind: FileKind) {
        self.report.files.borrow_mut().push(NamedFile {
            named_in: self.report.file.clone(),
            line: file.line,
            key: full_key(&self.name, key),
            path: file.value.clone(),
            kind,
        });
    }

    /// The path in a key the file must have.
    pub(super) fn required_file(
        &mut self,
        key: &'static str,
        kind: FileKind,
        cure: &str,
    ) -> Option<Located<PathBuf>> {
        self.demand(key, cure);
        self.optional_file(key, kind)
    }

    /// A section inside this one.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'r, 'd> {
        let name = full_key(&self.name, key);
        let kind = full_key(&self.kind, key);
        let value = self.take(key);
        let line = self.line_of(key).unwrap_or(self.line);
        self.child(value, line, name, kind)
    }

    /// A section inside this one that the file may lack: then no key of it is missing.
    pub(super) fn optional_section(&mut self, key: &'static str) -> Section<'r, 'd> {
        let mut section = self.section(key);
        section.said |= section.table.is_none();
        section
    }

    /// The sections of a list of sections: `[[client]]`.
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<Section<'r, 'd>> {
        let Some(value) = self.take(key) else {
            return Vec::new();
        };
        let kind = full_key(&self.kind, key);
        let DeValue::Array(elements) = value.get_ref() else {
            let what = format!(
                "must be a list of sections, but is {}",
                describe(value.get_ref())
            );
            let line = self.line_of(key).unwrap_or(self.line);
            let cure = format!("write [[{kind}]], once for each");
            self.fault(line, key, Wrong::new(what, cure));
            return Vec::new();
        };
        if elements.is_empty() {
            let line = self.line_of(key).unwrap_or(self.line);
            let cure = format!("write [[{kind}]], once for each");
            self.fault(line, key, Wrong::new("is empty", cure));
        }
        let child = |(at, element): (usize, &'d Spanned<DeValue<'d>>)| {
            let line = self.report.line(&element.span());
            self.child(
                Some(element),
                line,
                format!("{kind}[{}]", at + 1),
                kind.clone(),
            )
        };
        elements.iter().enumerate().map(child).collect()
    }

    fn child(
        &self,
        value: Option<&'d Spanned<DeValue<'d>>>,
        line: usize,
        name: String,
        kind: String,
    ) -> Section<'r, 'd> {
        let mut said = self.said;
        let table = match value.map(Spanned::get_ref) {
            Some(DeValue::Table(table)) => Some(table),
            Some(other) => {
                let what = format!("must be a section, but is {}", describe(other));
                let cure = format!("write its keys below a line [{kind}]");
                self.report
                    .fault(line, name.clone(), Wrong::new(what, cure));
                said = true;
                None
            }
            None => None,
        };
        Section {
            report: self.report,
            name,
            kind,
            line,
            table,
            said,
            asked: Vec::new(),
        }
    }
}

/// What nobody asked for is unknown. On drop, so that no section can forget to look.
impl Drop for Section<'_, '_> {
    fn drop(&mut self) {
        let known = self.asked.iter().map(|&key| (self.kind.clone(), key));
        self.report.asked.borrow_mut().extend(known);
        for key in self.table.iter().flat_map(|table| table.keys()) {
            if !self.asked.contains(&key.get_ref().as_ref()) {
                self.report.unknown.borrow_mut().push(Unknown {
                    line: self.report.line(&key.span()),
                    section: self.name.clone(),
                    kind: self.kind.clone(),
                    key: key.get_ref().to_string(),
                });
            }
        }
    }
}
