//! Whose tokens are taken: the issuers elsewhere, and the one of this gateway.

use std::collections::HashMap;

use crate::config::files::FileKind;
use crate::config::section::Section;
use crate::config::value::{Wrong, algorithm, duration, issuer_url, text, twice};
use crate::config::{Issuer, IssuerKeys, Located, Oauth};
use crate::limits::TOKEN_LIFETIME_DEFAULT;

/// A token that lives shorter than this is fetched more often than it is used; one that lives
/// longer than a day outlives every change of a grant.
const TOKEN_LIFETIME_MS: std::ops::RangeInclusive<u64> = 60_000..=24 * 3_600_000;

/// `[oauth]`, which the file may lack.
pub(super) fn oauth(mut section: Section<'_, '_>) -> Option<Oauth> {
    let cure = "write the URL under which clients reach this gateway: \"https://t8.example.net\"";
    let issuer = section.required("issuer", issuer_url, cure);
    let audience = section.optional("audience", text);
    let token_lifetime = section.or(
        "token_lifetime",
        duration(TOKEN_LIFETIME_MS),
        TOKEN_LIFETIME_DEFAULT,
    );
    let key = super::private_key::key(section.section("key"));
    let issuer = issuer?;
    Some(Oauth {
        audience: audience.map_or_else(|| issuer.value.clone(), |audience| audience.value),
        issuer,
        token_lifetime,
        key: key?,
    })
}

/// `[[issuer]]`. The file may lack it where the gateway issues tokens itself.
pub(super) fn issuers(root: &mut Section<'_, '_>, own: Option<&Located<String>>) -> Vec<Issuer> {
    let sections = root.sections("issuer");
    if !root.has("issuer") && !root.has("oauth") {
        let cure = "add [[issuer]] with name, audience and jwks, or [oauth] for an issuer in this \
                    gateway: no token is taken without";
        root.fault(0, "issuer", Wrong::new("is missing", cure));
    }
    let mut names: HashMap<String, usize> = HashMap::new();
    sections
        .into_iter()
        .filter_map(|section| issuer(section, own, &mut names))
        .collect()
}

fn issuer(
    mut section: Section<'_, '_>,
    own: Option<&Located<String>>,
    names: &mut HashMap<String, usize>,
) -> Option<Issuer> {
    let name = section.required("name", text, "write the iss claim of the issuer's tokens");
    let audience = section.required(
        "audience",
        text,
        "write the aud claim that means this gateway",
    );
    if let Some(name) = &name {
        match names.get(&name.value) {
            Some(&line) => section.fault(name.line, "name", twice("this issuer", line)),
            None => drop(names.insert(name.value.clone(), name.line)),
        }
        if let Some(own) = own.filter(|own| own.value == name.value) {
            let what = format!(
                "is the gateway's own issuer (oauth.issuer, line {})",
                own.line
            );
            let cure = "remove this [[issuer]]: the gateway knows its own keys; or give the other \
                        issuer another name";
            section.fault(name.line, "name", Wrong::new(what, cure));
        }
    }
    let keys = issuer_keys(&mut section);
    Some(Issuer {
        name: name?,
        audience: audience?.value,
        keys: keys?,
    })
}

fn issuer_keys(section: &mut Section<'_, '_>) -> Option<Located<IssuerKeys>> {
    let jwks_line = section.line_of("jwks");
    let pem_line = section.line_of("pem");
    let jwks = section.optional_file("jwks", FileKind::Jwks);
    let pem = section.optional_file("pem", FileKind::PublicKey);
    let algorithm = match pem_line {
        Some(_) => section.required("algorithm", algorithm, "name the one algorithm of this key"),
        None => section.optional("algorithm", algorithm),
    };
    let kid = section.optional("kid", text);
    match (jwks_line, pem_line) {
        (Some(jwks_line), Some(pem_line)) => {
            let what = format!("keys are named here and in jwks (line {jwks_line})");
            section.fault(pem_line, "pem", Wrong::new(what, "keep jwks or pem"));
        }
        (None, None) if !section.is_said() => {
            let cure = "set jwks, or pem and algorithm";
            section.fault(
                section.line(),
                "jwks",
                Wrong::new("no keys are named", cure),
            );
        }
        _ => {}
    }
    if pem_line.is_none() {
        for key in ["algorithm", "kid"] {
            if let Some(line) = section.line_of(key) {
                let cure = "remove it: every key of a JWK Set says its own; or set pem";
                section.fault(line, key, Wrong::new("goes with pem only", cure));
            }
        }
        return jwks.map(|file| Located {
            value: IssuerKeys::Jwks(file.value),
            line: file.line,
        });
    }
    let Located { value: file, line } = pem?;
    let (algorithm, kid) = (algorithm?.value, kid.map(|kid| kid.value));
    Some(Located {
        value: IssuerKeys::Pem {
            file,
            algorithm,
            kid,
        },
        line,
    })
}
