//! Signatures made without the key.

use aws_lc_rs::hmac;

use super::*;

/// A good token's text, header changed so, up to its last dot.
fn unsigned(mint: &Mint, changes: Value) -> String {
    let header = b64(changed(mint.header(), changes).to_string());
    format!("{header}.{}", b64(claims().to_string()))
}

fn told(mint: &Mint, signed: &str, signature: &[u8]) -> Option<TokenFault> {
    let token = format!("{signed}.{}", b64(signature));
    verify(token.as_bytes(), &mint.issuers, UnixSeconds(NOW)).err()
}

fn mac(secret: &[u8], message: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
}

/// Strict DER of an ECDSA signature in fixed length: what other libraries make by default.
fn der(fixed: &[u8]) -> Vec<u8> {
    let integer = |octets: &[u8]| {
        let zeros = octets.iter().take_while(|&&octet| octet == 0).count();
        let sign: &[u8] = if octets[zeros] < 0x80 { &[] } else { &[0] };
        let value = [sign, &octets[zeros..]].concat();
        [&[0x02, value.len() as u8], &value[..]].concat()
    };
    let (r, s) = fixed.split_at(fixed.len() / 2);
    let body = [integer(r), integer(s)].concat();
    [&[0x30, body.len() as u8], &body[..]].concat()
}

//= RFC 8725 section 3.1 type=test
//# A public key is never taken for the secret of a MAC.
#[test]
fn a_mac_under_the_public_key_is_refused() {
    for algorithm in ALGORITHMS {
        let mint = Mint::new(algorithm);
        let (pem, jwk) = (mint.signer.pem(), mint.signer.jwk(algorithm, "k1"));
        let trimmed = pem.trim_ascii_end().to_vec();
        let mut secrets = vec![
            mint.signer.spki(),
            pem,
            trimmed,
            jwk.to_string().into(),
            vec![],
        ];
        for member in ["x", "y", "n", "e"] {
            let text = jwk[member].as_str().unwrap_or_default();
            secrets.push(text.into());
            secrets.push(URL_SAFE_NO_PAD.decode(text).unwrap());
        }
        for secret in secrets {
            let as_mac = unsigned(&mint, json!({"alg": "HS256"}));
            let refused = Some(TokenFault::AlgorithmRefused);
            assert_eq!(told(&mint, &as_mac, &mac(&secret, &as_mac)), refused);
            let disguised = unsigned(&mint, json!({}));
            let bad = Some(TokenFault::SignatureBad);
            assert_eq!(told(&mint, &disguised, &mac(&secret, &disguised)), bad);
        }
    }
}

//= RFC 9068 section 4 type=test
//# A signature that the issuer's key did not make is refused.
#[test]
fn a_signature_of_another_key_is_refused() {
    for algorithm in [Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA] {
        let (mint, stranger) = (Mint::new(algorithm), Mint::new(algorithm));
        let token = stranger.with(json!({}));
        let told = verify(&token, &mint.issuers, UnixSeconds(NOW));
        assert_eq!(told, Err(TokenFault::SignatureBad), "{algorithm:?}");
    }
}

#[test]
fn claims_under_the_signature_of_others_are_refused() {
    for algorithm in ALGORITHMS {
        let mint = Mint::new(algorithm);
        let signed = unsigned(&mint, json!({}));
        let signature = mint.signer.sign(algorithm, signed.as_bytes());
        assert_eq!(told(&mint, &signed, &signature), None);
        let (header, _) = signed.split_once('.').unwrap();
        let more = changed(claims(), json!({"client_id": "scs-2"})).to_string();
        let forged = format!("{header}.{}", b64(more));
        let bad = Some(TokenFault::SignatureBad);
        assert_eq!(told(&mint, &forged, &signature), bad, "{algorithm:?}");
        // The header is signed as well.
        let forged = unsigned(&mint, json!({"typ": "application/at+jwt"}));
        assert_eq!(told(&mint, &forged, &signature), bad, "{algorithm:?}");
    }
}

#[test]
fn a_signature_over_other_octets_is_refused() {
    let signed = unsigned(&MINT, json!({}));
    let (header, text) = signed.split_once('.').unwrap();
    // Without the dot, with one more, over the decoded parts, over one of them.
    for message in [
        signed.replace('.', ""),
        format!("{signed}."),
        format!("{}.{}", MINT.header(), claims()),
        header.to_owned(),
        text.to_owned(),
        String::new(),
    ] {
        let signature = MINT.signer.sign(MINT.algorithm, message.as_bytes());
        let bad = Some(TokenFault::SignatureBad);
        assert_eq!(told(&MINT, &signed, &signature), bad, "{message}");
    }
}

//= RFC 8725 section 3.4 type=test
//# Signatures that a verifier without range checks would take for any message are refused.
#[test]
fn signatures_of_zeros_and_ones_are_refused() {
    for algorithm in ALGORITHMS {
        let mint = Mint::new(algorithm);
        let signed = unsigned(&mint, json!({}));
        let length = mint.signer.sign(algorithm, signed.as_bytes()).len();
        let mut one = vec![0; length];
        one[length / 2 - 1] = 1;
        one[length - 1] = 1;
        for signature in [vec![0; length], vec![0xFF; length], one] {
            let bad = Some(TokenFault::SignatureBad);
            assert_eq!(told(&mint, &signed, &signature), bad, "{algorithm:?}");
        }
    }
}

/// The orders of P-256 and P-384: zero in disguise, as r or as s.
#[test]
fn signatures_of_the_curves_order_are_refused() {
    let p256 = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let p384 = "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf\
                581a0db248b0a77aecec196accc52973";
    for (algorithm, order) in [(Algorithm::ES256, p256), (Algorithm::ES384, p384)] {
        let octet = |at| u8::from_str_radix(&order[at..at + 2], 16).unwrap();
        let order: Vec<u8> = (0..order.len()).step_by(2).map(octet).collect();
        let mint = Mint::new(algorithm);
        let signed = unsigned(&mint, json!({}));
        let good = mint.signer.sign(algorithm, signed.as_bytes());
        let (r, s) = good.split_at(order.len());
        for halves in [[&order[..], &order[..]], [r, &order[..]], [&order[..], s]] {
            let signature = halves.concat();
            let bad = Some(TokenFault::SignatureBad);
            assert_eq!(told(&mint, &signed, &signature), bad);
        }
    }
}

#[test]
fn a_der_signature_is_refused() {
    for algorithm in [Algorithm::ES256, Algorithm::ES384] {
        let mint = Mint::new(algorithm);
        let signed = unsigned(&mint, json!({}));
        let fixed = mint.signer.sign(algorithm, signed.as_bytes());
        let bad = Some(TokenFault::SignatureBad);
        assert_eq!(told(&mint, &signed, &der(&fixed)), bad);
    }
}

#[test]
fn a_signature_of_another_length_is_refused() {
    for algorithm in ALGORITHMS {
        let mint = Mint::new(algorithm);
        let signed = unsigned(&mint, json!({}));
        let good = mint.signer.sign(algorithm, signed.as_bytes());
        let bad = Some(TokenFault::SignatureBad);
        let half = good.len() / 2;
        for signature in [
            good[..good.len() - 1].to_vec(),
            good[1..].to_vec(),
            good[..half].to_vec(),
            [&good[..], &[0]].concat(),
            [&[0], &good[..]].concat(),
            [&[0], &good[..half], &[0], &good[half..]].concat(),
            [&good[..], &good[..]].concat(),
            vec![0],
            vec![0; 4_096],
        ] {
            assert_eq!(told(&mint, &signed, &signature), bad, "{algorithm:?}");
        }
    }
}

//= RFC 8725 section 3.3 type=test
//# A token within a token is not unpacked; its inner claims are never seen.
#[test]
fn a_nested_token_is_refused() {
    let inner = MINT.with(json!({}));
    for typ in ["JWT", "at+jwt"] {
        let header = changed(MINT.header(), json!({"typ": typ, "cty": "JWT"})).to_string();
        assert_eq!(
            refusal(&MINT.sign(header, &inner)),
            TokenFault::MalformedJson
        );
    }
}

#[test]
fn the_signature_is_checked_before_the_claims_are_judged() {
    // A stranger learns nothing about what we would take: his tokens are all told the same.
    let stranger = Mint::new(MINT.algorithm);
    for changes in [
        json!({"aud": "https://elsewhere.example"}),
        json!({"exp": 1}),
        json!({"exp": null}),
        json!({"cnf": null}),
        json!({"client_id": ""}),
        json!({"scope": 1}),
    ] {
        let told = refusal(&stranger.with(changes.clone()));
        assert_eq!(told, TokenFault::SignatureBad, "{changes}");
    }
}
