//! How an issuer is asked about its opaque tokens.

use crate::config::files::FileKind;
use crate::config::section::Section;
use crate::config::value::{Wrong, duration, http_url, text};
use crate::config::{Introspection, IntrospectionProof, Located};
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

/// One way in which the gateway says who it is.
//= RFC 7662 section 2.1
//# Whoever asks about tokens authenticates.
fn proof(section: &mut Section<'_, '_>) -> Option<Located<IntrospectionProof>> {
    let secret_line = section.line_of("secret_file");
    let certificate_line = section.line_of("certificate");
    let secret = section.optional_file("secret_file", FileKind::Secret);
    let certificate = section.optional_file("certificate", FileKind::Certificates);
    let key = match certificate_line {
        Some(_) => {
            let cure = "name the PEM file of the certificate's key";
            section.required_file("key_file", FileKind::PrivateKey, cure)
        }
        None => section.optional_file("key_file", FileKind::PrivateKey),
    };
    match (secret_line, certificate_line) {
        (Some(secret), Some(line)) => {
            let what = format!("says who asks, as secret_file does (line {secret})");
            let cure = "keep one of them: a client authenticates in one way";
            section.fault(line, "certificate", Wrong::new(what, cure));
            return None;
        }
        (None, None) if !section.is_said() => {
            let what = "is missing, and so is certificate: nobody answers whom he does not know";
            let cure = "name the file of the secret, or certificate and key_file";
            section.fault(section.line(), "secret_file", Wrong::new(what, cure));
        }
        _ => {}
    }
    if let (None, Some(line)) = (certificate_line, section.line_of("key_file")) {
        let what = "goes with certificate only";
        section.fault(
            line,
            "key_file",
            Wrong::new(what, "remove it, or name the certificate"),
        );
    }
    if let Some(secret) = secret {
        return Some(Located {
            value: IntrospectionProof::Secret(secret.value),
            line: secret.line,
        });
    }
    let (certificate, key) = (certificate?, key?);
    Some(Located {
        value: IntrospectionProof::Certificate {
            certificate: certificate.value,
            key: key.value,
        },
        line: certificate.line,
    })
}
