//! How revocation of clients' certificates is looked up, and where the lists are.

use super::unsaid;
use crate::config::files::FileKind;
use crate::config::section::Section;
use crate::config::value::{Wrong, duration, http_url, revocation_policy, twice};
use crate::config::{CrlPlace, CrlSource, Located, Revocation, RevocationPolicy};
use crate::limits::CRL_REFRESH_DEFAULT;

/// A month: who needs more for a list to be renewed has no list.
pub(super) const GRACE_MS: std::ops::RangeInclusive<u64> = 0..=720 * 3_600_000;
pub(super) const REFRESH_MS: std::ops::RangeInclusive<u64> = 1_000..=24 * 3_600_000;

/// `[revocation]` and `[[crl]]`, which the file may lack.
pub(super) fn revocation(root: &mut Section<'_, '_>) -> Revocation {
    let mut section = root.section("revocation");
    let said = section.optional("policy", revocation_policy);
    let grace = section.optional("grace", duration(GRACE_MS));
    let state = section.optional_file("state", FileKind::Folder);
    let store = section.optional_file("store", FileKind::Store);
    let revoked = section.optional_file("revoked", FileKind::Revoked);
    let sources = root.sections("crl");
    let has_lists = !sources.is_empty();
    if let Some(said) = said
        .as_ref()
        .filter(|said| said.value != RevocationPolicy::Off)
        && !has_lists
    {
        section.fault(said.line, "policy", no_list());
    }
    let asked = section.optional("ocsp", revocation_policy);
    let sections = root.sections("ocsp");
    let has_responders = !sections.is_empty();
    if let Some(said) = asked
        .as_ref()
        .filter(|said| said.value != RevocationPolicy::Off)
        && !has_responders
    {
        section.fault(said.line, "ocsp", no_responder());
    }
    let responders = super::ocsp::responders(sections);
    let mut read = Vec::with_capacity(sources.len());
    for source in sources {
        read.push(crl(source, state.is_some()));
    }
    // What is wrong with one is said, and hides nothing that is wrong elsewhere.
    let lists: Vec<CrlSource> = read.into_iter().flatten().collect();
    for (at, list) in lists.iter().enumerate() {
        let first = lists
            .iter()
            .take(at)
            .find(|other| other.place.value == list.place.value);
        if let Some(first) = first {
            root.fault(list.place.line, "crl", twice("this list", first.place.line));
        }
    }
    let default = |has_some| match has_some {
        true => RevocationPolicy::HardFail,
        false => RevocationPolicy::Off,
    };
    Revocation {
        policy: said.unwrap_or_else(|| unsaid(default(has_lists))),
        grace: grace.unwrap_or_else(|| unsaid(std::time::Duration::ZERO)),
        state,
        store,
        revoked,
        lists,
        ocsp: asked.unwrap_or_else(|| unsaid(default(has_responders))),
        responders: responders.unwrap_or_default(),
    }
}

pub(super) fn no_responder() -> Wrong {
    let cure = "add [[ocsp]] for each CA of client certificates, or write \"off\"";
    Wrong::new("there is no responder to ask", cure)
}

pub(super) fn no_list() -> Wrong {
    let cure = "add [[crl]] for each CA of client certificates, or write \"off\"";
    Wrong::new("there is no list to go by", cure)
}

fn crl(mut section: Section<'_, '_>, has_state: bool) -> Option<CrlSource> {
    let (file_line, url_line) = (section.line_of("file"), section.line_of("url"));
    let file = section.optional_file("file", FileKind::Crl);
    let url = section.optional("url", http_url);
    let issuer = section.optional_file("issuer", FileKind::Certificates);
    let refresh = section.optional("refresh", duration(REFRESH_MS));
    let ca = section.optional_file("ca", FileKind::Certificates);
    match (file_line, url_line) {
        (Some(file_line), Some(url_line)) => {
            let what = format!("a list is named here and in file (line {file_line})");
            section.fault(
                url_line,
                "url",
                Wrong::new(what, "write a [[crl]] for each list"),
            );
        }
        (None, None) if !section.is_said() => {
            let what = Wrong::new("no list is named", "set file, or url");
            section.fault(section.line(), "file", what);
        }
        (Some(_), None) => {
            for key in ["refresh", "ca"] {
                if let Some(line) = section.line_of(key) {
                    let cure = "remove it: a file is read again when it changes";
                    section.fault(line, key, Wrong::new("goes with url only", cure));
                }
            }
        }
        _ => {}
    }
    if let Some(url) = &url {
        if !has_state {
            let what = "a list that is fetched needs a folder to be kept in";
            let cure = "set revocation.state: without it a restart would refuse clients until the \
                        list has been fetched again";
            section.fault(url.line, "url", Wrong::new(what, cure));
        }
        let cure = "name the PEM file of the CA that the server's certificate comes from";
        match (url.value.tls, section.line_of("ca")) {
            (true, None) => section.fault(url.line, "ca", Wrong::new("is missing", cure)),
            (false, Some(line)) => {
                let cure = "remove it, or write https: a list is signed either way";
                section.fault(line, "ca", Wrong::new("goes with https only", cure));
            }
            _ => {}
        }
    }
    let place = match (file, url) {
        (Some(file), _) => Located {
            value: CrlPlace::File(file.value),
            line: file.line,
        },
        (None, url) => {
            let url = url?;
            Located {
                value: CrlPlace::Url(url.value),
                line: url.line,
            }
        }
    };
    Some(CrlSource {
        place,
        issuer,
        refresh: refresh.map_or(CRL_REFRESH_DEFAULT, |refresh| refresh.value),
        ca,
    })
}
