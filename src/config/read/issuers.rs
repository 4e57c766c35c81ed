//! Whose tokens are taken: the issuers elsewhere, and the one of this gateway.

use std::collections::HashMap;

use crate::authz::issuers::{Custom, Profile};
use crate::config::files::FileKind;
use crate::config::section::Section;
use crate::config::value::{
    Wrong, aef_id, algorithm, duration, issuer_url, moment, profile, text, twice,
};
use crate::config::{Issuer, IssuerKeys, Located, NextKey, Oauth, OldKey};
use crate::limits::{TOKEN_LIFETIME_DEFAULT, TOKEN_LIFETIME_S_MAX};

/// A token that lives shorter than this is fetched more often than it is used.
const TOKEN_LIFETIME_MS: std::ops::RangeInclusive<u64> = 60_000..=TOKEN_LIFETIME_S_MAX * 1_000;

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
    let next_keys = section.sections("next_key").into_iter().map(next_key);
    let next_keys = next_keys.flatten().collect();
    let old_keys = section.sections("old_key").into_iter().map(old_key);
    let old_keys = old_keys.flatten().collect();
    let issuer = issuer?;
    Some(Oauth {
        audience: audience.map_or_else(|| issuer.value.clone(), |audience| audience.value),
        issuer,
        token_lifetime,
        key: key?,
        next_keys,
        old_keys,
    })
}

fn next_key(mut section: Section<'_, '_>) -> Option<NextKey> {
    let signs_from = section.optional("signs_from", moment);
    Some(NextKey {
        key: super::private_key::key(section)?,
        signs_from: signs_from.map(|from| from.value),
    })
}

fn old_key(mut section: Section<'_, '_>) -> Option<OldKey> {
    let cure = "name the PEM file of its public part: openssl pkey -pubout";
    let pem = section.required_file("pem", FileKind::PublicKey, cure);
    let signed_until = section.optional("signed_until", moment);
    Some(OldKey {
        pem: pem?,
        signed_until: signed_until.map(|until| until.value),
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
    let profile = issuer_profile(&mut section);
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
        profile: profile?,
        keys: keys?,
    })
}

/// How its tokens are read, and what they have to say for that.
fn issuer_profile(section: &mut Section<'_, '_>) -> Option<Profile> {
    const RFC9068: &str = "rfc9068";
    let said = section.has("profile");
    let named = section.optional("profile", profile);
    let word = match (&named, said) {
        (Some(named), _) => named.value,
        (None, false) => RFC9068,
        // It is wrong: what goes with which is not to be told then.
        (None, true) => "",
    };
    let audience = match word {
        RFC9068 | "custom" => {
            let cure = "write the aud claim that means this gateway";
            section.required("audience", text, cure)
        }
        _ => section.optional("audience", text),
    };
    let aef_id = match word {
        "capif" => {
            let cure = "write what this gateway is called in the scope of the core's tokens";
            section.required("aef_id", aef_id, cure)
        }
        _ => section.optional("aef_id", aef_id),
    };
    let kind = section.optional("type", text);
    let client_id = match word {
        "custom" => {
            let cure = "write the claim that names the client: \"azp\"";
            section.required("client_id_claim", text, cure)
        }
        _ => section.optional("client_id_claim", text),
    };
    let scope = section.optional("scope_claim", text);
    let jti = section.optional("jti_claim", text);
    let foreign: &[(&str, &str)] = match word {
        RFC9068 => &[AEF_ID, TYPE, CLIENT_ID_CLAIM, SCOPE_CLAIM, JTI_CLAIM],
        "capif" => &[AUDIENCE, TYPE, CLIENT_ID_CLAIM, SCOPE_CLAIM, JTI_CLAIM],
        "custom" => &[AEF_ID],
        _ => &[],
    };
    for (key, goes_with) in foreign {
        if let Some(line) = section.line_of(key) {
            let what = format!("goes with profile = {goes_with} only");
            let cure = "remove it, or name the profile that the issuer's tokens have";
            section.fault(line, key, Wrong::new(what, cure));
        }
    }
    Some(match word {
        RFC9068 => Profile::Rfc9068 {
            audience: audience?.value,
        },
        "capif" => Profile::Capif {
            aef_id: aef_id?.value,
        },
        "custom" => Profile::Custom(Custom {
            audience: audience?.value,
            kind: match kind.map(|kind| kind.value).as_deref() {
                None => Some("at+jwt".to_owned()),
                Some("none") => None,
                Some(kind) => Some(kind.to_owned()),
            },
            client_id: client_id?.value,
            scope: scope.map_or_else(|| "scope".to_owned(), |scope| scope.value),
            jti: jti.map(|jti| jti.value),
        }),
        _ => return None,
    })
}

/// Keys of some profiles, and of which.
const AUDIENCE: (&str, &str) = ("audience", "\"rfc9068\" and \"custom\"");
const AEF_ID: (&str, &str) = ("aef_id", "\"capif\"");
const TYPE: (&str, &str) = ("type", "\"custom\"");
const CLIENT_ID_CLAIM: (&str, &str) = ("client_id_claim", "\"custom\"");
const SCOPE_CLAIM: (&str, &str) = ("scope_claim", "\"custom\"");
const JTI_CLAIM: (&str, &str) = ("jti_claim", "\"custom\"");

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
