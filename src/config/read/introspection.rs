//! How an issuer is asked about its opaque tokens.

use super::private_key;
use crate::config::files::FileKind;
use crate::config::section::Section;
use crate::config::value::{Wrong, boolean, duration, http_url, text};
use crate::config::{Introspection, IntrospectionProof, KeySource, Located};
use crate::limits::INTROSPECTION_CACHE_DEFAULT;

/// Less would ask for every request, more would not hear of what an issuer withdraws.
const CACHE_MS: std::ops::RangeInclusive<u64> = 1_000..=3_600_000;

/// `[issuer.introspection]`, which an issuer may lack.
pub(super) fn introspection(mut section: Section<'_, '_>) -> Option<Introspection> {
    let cure = "name the issuer's endpoint: \"https://issuer.example.net/introspect\"";
    let url = section.required("url", http_url, cure);
    //= RFC 7662 section 2
    //# Tokens are asked about in TLS alone.
    if let Some(plain) = url.as_ref().filter(|url| !url.value.tls) {
        let what = "would send tokens in the clear";
        section.fault(plain.line, "url", Wrong::new(what, "write https"));
    }
    let cure = "name the PEM file of the CA that the endpoint's certificate comes from";
    let ca = section.required_file("ca", FileKind::Certificates, cure);
    let cure = "write what this gateway is called at the issuer";
    let client_id = section.required("client_id", text, cure);
    let cache = section.or("cache", duration(CACHE_MS), INTROSPECTION_CACHE_DEFAULT);
    let proof = proof(&mut section);
    Some(Introspection {
        url: url?,
        ca: ca?,
        client_id: client_id?.value,
        cache,
        proof: proof?,
    })
}

/// Ways in which the gateway says who it is. One of them is said.
const SECRET: &str = "secret_file";
const CERTIFICATE: &str = "certificate";
const ASSERTION: &str = "private_key_jwt";

//= RFC 7662 section 2.1
//# Whoever asks about tokens authenticates.
//= RFC 6749 section 2.3
//# And does so in one way.
fn proof(section: &mut Section<'_, '_>) -> Option<Located<IntrospectionProof>> {
    let secret = section.optional_file(SECRET, FileKind::Secret);
    let certificate = section.optional_file(CERTIFICATE, FileKind::Certificates);
    let by_assertion = section.optional(ASSERTION, boolean);
    let by_assertion = by_assertion.filter(|said| said.value);
    let lines = [SECRET, CERTIFICATE].map(|key| (key, section.line_of(key)));
    let lines = lines.into_iter();
    let lines = lines.chain([(ASSERTION, by_assertion.as_ref().map(|said| said.line))]);
    let mut said: Vec<(&str, usize)> = lines.filter_map(|(key, line)| Some((key, line?))).collect();
    said.sort_by_key(|(_, line)| *line);
    let key = key(section, &said);
    let kid = section.optional("kid", text);
    let audience = section.optional("assertion_audience", text);
    if by_assertion.is_none() {
        for key in ["kid", "assertion_audience"] {
            refuse_alone(section, key, "private_key_jwt");
        }
    }
    for (key, later) in said.iter().skip(1) {
        let (first, line) = said.first().copied().unwrap_or_default();
        let what = format!("says who asks, as {first} does (line {line})");
        let cure = "keep one of them: a client authenticates in one way";
        section.fault(*later, key, Wrong::new(what, cure));
    }
    if said.is_empty() && !section.is_said() {
        let what = "is missing, and so are certificate and private_key_jwt: nobody answers whom he \
                    does not know";
        let cure = "name the file of the secret, or certificate or private_key_jwt and a key";
        section.fault(section.line(), SECRET, Wrong::new(what, cure));
    }
    if let Some(secret) = secret {
        return Some(Located {
            value: IntrospectionProof::Secret(secret.value),
            line: secret.line,
        });
    }
    let (value, line) = match (certificate, by_assertion) {
        (Some(Located { value, line }), _) => {
            let (certificate, key) = (value, key?);
            (IntrospectionProof::Certificate { certificate, key }, line)
        }
        (None, by_assertion) => {
            let line = by_assertion?.line;
            let (kid, audience) = (kid.map(|kid| kid.value), audience.map(|said| said.value));
            let key = key?;
            (IntrospectionProof::Assertion { key, kid, audience }, line)
        }
    };
    Some(Located { value, line })
}

/// The key of a certificate or of assertions: a PEM file, or as in `[tls.key]`.
fn key(section: &mut Section<'_, '_>, said: &[(&str, usize)]) -> Option<Located<KeySource>> {
    let lines = ["key_file", "key"].map(|key| section.line_of(key));
    let file = section.optional_file("key_file", FileKind::PrivateKey);
    let named = section.has("key").then(|| section.section("key"));
    let named = named.and_then(private_key::key);
    match (lines, said.iter().any(|(way, _)| *way != SECRET)) {
        ([None, None], true) => {
            let cure = "name the PEM file of the key, or add [issuer.introspection.key] for a key \
                        in a token";
            section.fault(section.line(), "key_file", Wrong::new("is missing", cure));
        }
        ([Some(file), Some(key)], _) => {
            let what = format!("says where the key is, as key_file does (line {file})");
            section.fault(key, "key", Wrong::new(what, "keep one of them"));
        }
        (_, false) => {
            for key in ["key_file", "key"] {
                refuse_alone(section, key, "certificate and private_key_jwt");
            }
        }
        _ => {}
    }
    let file = file.map(|file| Located {
        value: KeySource::File(file.value),
        line: file.line,
    });
    file.or(named)
}

fn refuse_alone(section: &Section<'_, '_>, key: &str, with: &str) {
    if let Some(line) = section.line_of(key) {
        let what = format!("goes with {with} only");
        let cure = format!(
            "remove it, or authenticate by {}",
            with.replace("and", "or")
        );
        section.fault(line, key, Wrong::new(what, cure));
    }
}
