//! Who is asked for the status of certificates: of the gateway's own and of clients'.

use std::path::PathBuf;

use super::revocation::REFRESH_MS;
use crate::config::files::FileKind;
use crate::config::section::Section;
use crate::config::value::{Wrong, duration, http_url, twice};
use crate::config::{HttpUrl, Located, OcspResponder, Stapling, StatusPlace};
use crate::limits::OCSP_REFRESH_DEFAULT;

/// `[tls.ocsp]`, which the file may lack.
pub(super) fn stapling(mut section: Section<'_, '_>) -> Option<Stapling> {
    let (file_line, url_line) = (section.line_of("file"), section.line_of("url"));
    let file = section.optional_file("file", FileKind::Ocsp);
    let url = section.optional("url", http_url);
    let issuer = section.optional_file("issuer", FileKind::Certificates);
    let ca = ca(&mut section, url.as_ref());
    match (file_line, url_line) {
        (Some(file_line), Some(url_line)) => {
            let what = format!("a file is named as well (line {file_line})");
            let cure = "remove one of the two";
            section.fault(url_line, "url", Wrong::new(what, cure));
        }
        (None, None) if !section.is_said() => {
            let what = Wrong::new("no status is named", "set file, or url");
            section.fault(section.line(), "file", what);
        }
        _ => {}
    }
    let place = match (file, url) {
        (Some(file), _) => Located {
            value: StatusPlace::File(file.value),
            line: file.line,
        },
        (None, url) => {
            let url = url?;
            Located {
                value: StatusPlace::Url(url.value),
                line: url.line,
            }
        }
    };
    Some(Stapling { place, issuer, ca })
}

/// `[[ocsp]]`, which the file may lack.
pub(super) fn responders(sections: Vec<Section<'_, '_>>) -> Option<Vec<OcspResponder>> {
    let mut read: Vec<Option<OcspResponder>> = Vec::with_capacity(sections.len());
    for section in sections {
        let responder = responder(section, &read);
        read.push(responder);
    }
    read.into_iter().collect()
}

fn responder(
    mut section: Section<'_, '_>,
    before: &[Option<OcspResponder>],
) -> Option<OcspResponder> {
    let cure = "name the PEM file of the CA whose certificates this responder knows";
    let issuer = section.required_file("issuer", FileKind::Certificates, cure);
    let cure = "name the responder: \"http://ocsp.example.org/\"";
    let url = section.required("url", http_url, cure);
    let refresh = section.or("refresh", duration(REFRESH_MS), OCSP_REFRESH_DEFAULT);
    let ca = ca(&mut section, url.as_ref());
    let issuer = issuer?;
    let same = |other: &&OcspResponder| other.issuer.value == issuer.value;
    if let Some(first) = before.iter().flatten().find(same) {
        let wrong = twice("this issuer", first.issuer.line);
        section.fault(issuer.line, "issuer", wrong);
    }
    Some(OcspResponder {
        issuer,
        url: url?,
        refresh,
        ca,
    })
}

/// The CAs of a responder's server, which go with https.
fn ca(section: &mut Section<'_, '_>, url: Option<&Located<HttpUrl>>) -> Option<Located<PathBuf>> {
    let ca = section.optional_file("ca", FileKind::Certificates);
    let cure = "name the PEM file of the CA that the server's certificate comes from";
    match (url.map(|url| url.value.tls), section.line_of("ca")) {
        (Some(true), None) => {
            let line = url.map_or(section.line(), |url| url.line);
            section.fault(line, "ca", Wrong::new("is missing", cure));
        }
        (Some(false), Some(line)) => {
            let cure = "remove it, or write https: an answer is signed either way";
            section.fault(line, "ca", Wrong::new("goes with https only", cure));
        }
        (None, Some(line)) if section.has("file") => {
            let cure = "remove it: a file is read again when it changes";
            section.fault(line, "ca", Wrong::new("goes with url only", cure));
        }
        _ => {}
    }
    ca
}
