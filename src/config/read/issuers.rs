//! Whose tokens are taken: the issuers elsewhere, and the one of this gateway.

use std::collections::HashMap;

use super::introspection::introspection;
use super::secrets;
use crate::authz::issuers::{Custom, Profile};
use crate::clock::UnixSeconds;
use crate::config::files::FileKind;
use crate::config::section::Section;
use crate::config::value::{
    Wrong, aef_id, algorithm, discovery, duration, https_url, issuer_url, moment, profile, text,
    token_format, twice,
};
use crate::config::{
    CapifTokens, HttpUrl, Issuer, IssuerKeys, KeysPlace, Located, NextKey, Oauth, OldKey,
    PublishedKeys,
};
use crate::limits::{
    ISSUER_TOKEN_LIFETIME_S_MAX, KEYS_MAX_AGE_DEFAULT, KEYS_REFRESH_DEFAULT,
    TOKEN_LIFETIME_DEFAULT, TOKEN_LIFETIME_S_MAX,
};
use crate::peer::TokenFormat;

/// A token that lives shorter than this is fetched more often than it is used.
const TOKEN_LIFETIME_MS: std::ops::RangeInclusive<u64> = 60_000..=TOKEN_LIFETIME_S_MAX * 1_000;
const ISSUER_TOKEN_LIFETIME_MS: std::ops::RangeInclusive<u64> =
    60_000..=ISSUER_TOKEN_LIFETIME_S_MAX * 1_000;

/// Oftener would be a load, and seldomer a key that is withdrawn and good for days.
const KEYS_REFRESH_MS: std::ops::RangeInclusive<u64> = 10_000..=24 * 3_600_000;
const KEYS_MAX_AGE_MS: std::ops::RangeInclusive<u64> = 60_000..=30 * 24 * 3_600_000;

/// `[oauth]`, which the file may lack, and whether it says what opaque tokens are sealed with.
pub(super) fn oauth(mut section: Section<'_, '_>) -> (Option<Oauth>, bool) {
    let oauth = embedded_issuer(&mut section);
    (oauth, section.has("sealing"))
}

fn embedded_issuer(section: &mut Section<'_, '_>) -> Option<Oauth> {
    let cure = "write the URL under which clients reach this gateway: \"https://t8.example.net\"";
    let issuer = section.required("issuer", issuer_url, cure);
    let audience = section.optional("audience", text);
    let token_lifetime = section.or(
        "token_lifetime",
        duration(TOKEN_LIFETIME_MS),
        TOKEN_LIFETIME_DEFAULT,
    );
    let key = super::private_key::key(section.section("key"));
    let mut moments = HashMap::new();
    let next_keys = { section.sections("next_key").into_iter() }
        .filter_map(|section| next_key(section, &mut moments));
    let next_keys = next_keys.collect();
    let old_keys = section.sections("old_key").into_iter().map(old_key);
    let old_keys = old_keys.flatten().collect();
    let format = section.optional("token_format", token_format);
    let sealing = secrets::sealing(section.optional_section("sealing"));
    let opaque = format
        .as_ref()
        .filter(|format| format.value == TokenFormat::Opaque);
    if let Some(format) = opaque.filter(|_| !section.has("sealing")) {
        let what = "has tokens sealed, and there is no secret for that";
        let cure = "add [oauth.sealing] with secret_file or uri, the same on all nodes, so that \
                    every one of them opens the tokens, and a restart as well";
        section.fault(format.line, "token_format", Wrong::new(what, cure));
    }
    let capif = match section.has("capif") {
        true => Some(capif_tokens(section.section("capif"))?),
        false => None,
    };
    let issuer = issuer?;
    // Where that is wrong, it was said: nothing is to follow from it.
    let unsealed = sealing.is_none();
    if unsealed && section.has("sealing") {
        return None;
    }
    let format = format.filter(|format| !unsealed || format.value == TokenFormat::Jwt);
    Some(Oauth {
        capif,
        audience: audience.map_or_else(|| issuer.value.clone(), |audience| audience.value),
        issuer,
        token_lifetime,
        key: key?,
        next_keys,
        old_keys,
        token_format: format.map(|format| format.value).unwrap_or_default(),
        sealing,
    })
}

/// `[oauth.capif]`.
fn capif_tokens(mut section: Section<'_, '_>) -> Option<CapifTokens> {
    let cure = "write what this gateway is called in the scope of such tokens";
    let id = section.required("aef_id", aef_id, cure);
    let key = super::private_key::key(section.section("key"));
    Some(CapifTokens {
        aef_id: id?.value,
        key: key?,
    })
}

/// `moments` at which others begin to sign, and the lines that say so: of two at one moment, nobody
/// could say which signs.
fn next_key(
    mut section: Section<'_, '_>,
    moments: &mut HashMap<UnixSeconds, usize>,
) -> Option<NextKey> {
    let signs_from = section.optional("signs_from", moment);
    if let Some(from) = &signs_from {
        match moments.get(&from.value) {
            Some(line) => {
                let what = format!("another key signs from this moment on (line {line})");
                let cure = "give each a moment of its own, or leave it out of the one that is only \
                            to be published";
                section.fault(from.line, "signs_from", Wrong::new(what, cure));
            }
            None => drop(moments.insert(from.value, from.line)),
        }
    }
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
    let issuers: Vec<Issuer> = sections
        .into_iter()
        .filter_map(|section| issuer(section, own, &mut names))
        .collect();
    // Nothing in an opaque token says whose it is.
    let mut asked = issuers
        .iter()
        .filter_map(|issuer| issuer.introspection.as_ref());
    if let Some(first) = asked.next() {
        for other in asked {
            let what = format!(
                "is asked about opaque tokens, as another is (line {})",
                first.url.line
            );
            let cure = "keep one [issuer.introspection]: nothing in such a token says whose it is";
            root.report().fault(
                other.url.line,
                "issuer.introspection".to_owned(),
                Wrong::new(what, cure),
            );
        }
    }
    issuers
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
    let token_lifetime_max = section.or(
        "token_lifetime_max",
        duration(ISSUER_TOKEN_LIFETIME_MS),
        std::time::Duration::from_secs(ISSUER_TOKEN_LIFETIME_S_MAX),
    );
    let keys = issuer_keys(&mut section, name.as_ref());
    let introspection = introspection(section.optional_section("introspection"));
    Some(Issuer {
        name: name?,
        profile: profile?,
        keys: keys?,
        token_lifetime_max,
        introspection,
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

/// Ways to say where an issuer's keys are. One of them is said.
const PLACES: [&str; 4] = ["jwks", "pem", "jwks_url", "discovery"];

fn issuer_keys(
    section: &mut Section<'_, '_>,
    name: Option<&Located<String>>,
) -> Option<Located<IssuerKeys>> {
    let mut said: Vec<(&str, usize)> = Vec::new();
    said.extend(
        PLACES
            .iter()
            .filter_map(|&key| Some((key, section.line_of(key)?))),
    );
    said.sort_by_key(|(_, line)| *line);
    for (key, line) in said.iter().skip(1) {
        let (first, at) = said.first().copied().unwrap_or_default();
        let what = format!("keys are named here and in {first} (line {at})");
        section.fault(*line, key, Wrong::new(what, "keep one of them"));
    }
    // Where it is asked about opaque tokens, those may be all that it has.
    let unneeded = said.is_empty() && section.has("introspection");
    if said.is_empty() && !unneeded && !section.is_said() {
        let cure = "set jwks, pem and algorithm, jwks_url, or discovery; or [issuer.introspection]";
        section.fault(
            section.line(),
            "jwks",
            Wrong::new("no keys are named", cure),
        );
    }
    let jwks = section.optional_file("jwks", FileKind::Jwks);
    let pem = section.optional_file("pem", FileKind::PublicKey);
    let place = published(section, name);
    let is_said = |key| said.iter().any(|(said, _)| *said == key);
    let (of_pem, fetched) = (is_said("pem"), is_said("jwks_url") || is_said("discovery"));
    let algorithm = match of_pem {
        true => section.required("algorithm", algorithm, "name the one algorithm of this key"),
        false => section.optional("algorithm", algorithm),
    };
    let kid = section.optional("kid", text);
    let ca = match fetched {
        true => {
            let cure = "name the PEM file of the CA that the server's certificate comes from";
            section.required_file("ca", FileKind::Certificates, cure)
        }
        false => section.optional_file("ca", FileKind::Certificates),
    };
    let refresh = section.optional("refresh", duration(KEYS_REFRESH_MS));
    let max_age = section.optional("keys_max_age", duration(KEYS_MAX_AGE_MS));
    let foreign = [
        (
            "algorithm",
            !of_pem && !fetched,
            "every key of a JWK Set says its own; or set pem",
        ),
        (
            "kid",
            !of_pem,
            "every key of a JWK Set says its own; or set pem",
        ),
        ("ca", !fetched, "a file is read again when it changes"),
        ("refresh", !fetched, "a file is read again when it changes"),
        (
            "keys_max_age",
            !fetched,
            "a file is read again when it changes",
        ),
    ];
    for (key, is_foreign, why) in foreign {
        if let Some(line) = section.line_of(key).filter(|_| is_foreign) {
            let with = match key {
                "kid" => "goes with pem only",
                "algorithm" => "goes with pem, jwks_url and discovery only",
                _ => "goes with jwks_url and discovery only",
            };
            section.fault(line, key, Wrong::new(with, format!("remove it: {why}")));
        }
    }
    if fetched
        && let Some(rsa) = &algorithm
        && !["RS256", "PS256"].contains(&rsa.value.as_str())
    {
        let what = "is not of RSA, and other keys have one algorithm alone";
        let cure = "remove it, or name RS256 or PS256: it is for RSA keys that do not say theirs";
        section.fault(rsa.line, "algorithm", Wrong::new(what, cure));
    }
    if let Some(Located { value: place, line }) = place {
        let published = PublishedKeys {
            place,
            ca: ca?,
            algorithm: algorithm.map(|algorithm| algorithm.value),
            refresh: refresh.map_or(KEYS_REFRESH_DEFAULT, |refresh| refresh.value),
            max_age: max_age.map_or(KEYS_MAX_AGE_DEFAULT, |max_age| max_age.value),
        };
        let value = IssuerKeys::Published(published);
        return Some(Located { value, line });
    }
    if let Some(Located { value: file, line }) = pem {
        let (algorithm, kid) = (algorithm?.value, kid.map(|kid| kid.value));
        let value = IssuerKeys::Pem {
            file,
            algorithm,
            kid,
        };
        return Some(Located { value, line });
    }
    if unneeded {
        return Some(Located {
            value: IssuerKeys::Unneeded,
            line: section.line(),
        });
    }
    jwks.map(|file| Located {
        value: IssuerKeys::Jwks(file.value),
        line: file.line,
    })
}

/// Where the issuer publishes its keys, if it is to be asked.
fn published(
    section: &mut Section<'_, '_>,
    name: Option<&Located<String>>,
) -> Option<Located<KeysPlace>> {
    let url = section.optional("jwks_url", https_url);
    let discovery = section.optional("discovery", discovery);
    if let Some(Located { value, line }) = url {
        let value = KeysPlace::Jwks(value);
        return Some(Located { value, line });
    }
    let discovery = discovery?;
    match described_at(&name?.value, discovery.value) {
        Some(url) => Some(Located {
            value: KeysPlace::Metadata(url),
            line: discovery.line,
        }),
        None => {
            let what = "says that the issuer describes itself, and its name is no https URL";
            let cure = "write the name as the issuer's iss has it, or set jwks_url";
            section.fault(discovery.line, "discovery", Wrong::new(what, cure));
            None
        }
    }
}

/// Where the description is of the issuer with this name.
//= RFC 8414 section 3.1
//# The well-known part stands between the host and the path of the issuer's name.
//= RFC 8414 section 5
//# Under OpenID's own name it stands behind the path.
fn described_at(issuer: &str, well_known: &str) -> Option<HttpUrl> {
    let rest = issuer.strip_prefix("https://")?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    if path.contains(['?', '#']) {
        return None;
    }
    let url = match well_known {
        "openid-configuration" => format!("https://{authority}{path}/.well-known/{well_known}"),
        _ => format!("https://{authority}/.well-known/{well_known}{path}"),
    };
    url.parse().ok()
}
