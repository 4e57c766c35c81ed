//! A token that was good an hour ago, signed by the issuer's own key: nothing but its times is
//! wrong with it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hsm::{Pkcs11Source, PrivateKey, Scheme, SignJob};
use serde_json::{Map, Value};

use super::config::Keys;
use super::state::State;
use crate::clock::UnixSeconds;

/// How long ago it ran out, and how long it was valid.
const AGO_S: u64 = 3_600;
const VALID_S: u64 = 600;
/// A coordinate of P-256, which is half of a raw signature.
const FIELD_BYTES: usize = 32;

/// The header and claims of a token, each as JSON; nothing for what is no token.
pub fn parts(token: &str) -> Option<(Map<String, Value>, Map<String, Value>)> {
    let mut parts = token.split('.');
    let mut part = || {
        let octets = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
        serde_json::from_slice(&octets).ok()
    };
    Some((part()?, part()?))
}

/// Takes a good token's header and claims, moves its times into the past and signs it anew.
///
/// # Errors
/// Says what was in the way.
pub fn mint(good: &str, state: &State, keys: &Keys, now: UnixSeconds) -> Result<String, String> {
    let (header, mut claims) = parts(good).ok_or("the token is no JSON Web Token")?;
    let expired = now.0.saturating_sub(AGO_S);
    claims.insert("exp".to_owned(), expired.into());
    for name in ["iat", "nbf"] {
        if claims.contains_key(name) {
            claims.insert(name.to_owned(), expired.saturating_sub(VALID_S).into());
        }
    }
    if claims.contains_key("jti") {
        claims.insert("jti".to_owned(), random_word()?.into());
    }
    let encode = |part: Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::Object(part).to_string());
    let message = format!("{}.{}", encode(header), encode(claims));
    let der = key(state, keys)?
        .sign(SignJob {
            scheme: Scheme::EcdsaP256Sha256,
            message: message.as_bytes(),
        })
        .map_err(|fault| fault.to_string())?;
    let signature = raw_signature(&der).ok_or("the key's signature is not DER")?;
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn key(state: &State, keys: &Keys) -> Result<PrivateKey, String> {
    let opened = match keys {
        Keys::Files => PrivateKey::from_pem_file(&state.file("issuer.key.pem")),
        Keys::Token(module) => PrivateKey::from_token(&Pkcs11Source {
            module: module.clone(),
            uri: Keys::uri("issuer"),
            pin_file: state.file("pin"),
            sessions: 1,
        }),
    };
    opened.map_err(|fault| fault.to_string())
}

fn random_word() -> Result<String, String> {
    let mut octets = [0; 16];
    aws_lc_rs::rand::fill(&mut octets).map_err(|_| "there are no random numbers")?;
    Ok(URL_SAFE_NO_PAD.encode(octets))
}

/// `Ecdsa-Sig-Value` as the two numbers that ES256 writes one after the other.
fn raw_signature(der: &[u8]) -> Option<[u8; 2 * FIELD_BYTES]> {
    let [0x30, length, body @ ..] = der else {
        return None;
    };
    if usize::from(*length) != body.len() {
        return None;
    }
    let (r, rest) = integer(body)?;
    let (s, rest) = integer(rest)?;
    let mut raw = [0; 2 * FIELD_BYTES];
    let (left, right) = raw.split_at_mut(FIELD_BYTES);
    for (half, number) in [(left, r), (right, s)] {
        let start = FIELD_BYTES.checked_sub(number.len())?;
        half.get_mut(start..)?.copy_from_slice(number);
    }
    rest.is_empty().then_some(raw)
}

/// A DER INTEGER without the zero that keeps it positive, and what follows.
fn integer(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let [0x02, length, rest @ ..] = der else {
        return None;
    };
    let (number, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((number.strip_prefix(&[0]).unwrap_or(number), rest))
}

#[cfg(test)]
mod tests {
    use super::super::pki;
    use super::*;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn good() -> String {
        let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
        format!(
            "{}.{}.c2ln",
            part(r#"{"alg":"ES256","kid":"k","typ":"at+jwt"}"#),
            part(r#"{"iss":"https://localhost:1","exp":1800000600,"iat":1800000000,"jti":"a"}"#)
        )
    }

    #[test]
    fn token_of_the_past_differs_in_its_times_and_verifies_under_the_issuers_key() {
        let state = State::make(None).unwrap();
        let spki = pki::soft_key(&state, "issuer.key.pem").unwrap();
        for _ in 0..20 {
            let token = mint(&good(), &state, &Keys::Files, NOW).unwrap();
            let (header, claims) = parts(&token).unwrap();
            assert_eq!(header, parts(&good()).unwrap().0);
            assert_eq!(claims["exp"], NOW.0 - AGO_S);
            assert_eq!(claims["iat"], NOW.0 - AGO_S - VALID_S);
            assert_eq!(claims["iss"], "https://localhost:1");
            assert_ne!(claims["jti"], "a");
            let (message, signature) = token.rsplit_once('.').unwrap();
            let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
            let point = &spki[spki.len() - 65..];
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(message.as_bytes(), &signature)
                .unwrap();
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let state = State::make(None).unwrap();
        for token in ["", "a.b.c", "e30"] {
            assert!(mint(token, &state, &Keys::Files, NOW).is_err());
        }
    }

    #[test]
    fn signature_that_is_not_der_is_none() {
        for der in [
            &[][..],
            &[0x30],
            &[0x30, 1],
            &[0x30, 2, 2, 9],
            &[0x30, 3, 2, 1, 1],
            &[0x30, 7, 2, 1, 1, 2, 1, 1, 0],
        ] {
            assert_eq!(raw_signature(der), None);
        }
        assert!(raw_signature(&[0x30, 6, 2, 1, 1, 2, 1, 1]).is_some());
    }
}
