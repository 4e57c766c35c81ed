//! RFC 8725, section by section.

use super::*;

//= RFC 8725 section 3.1 type=test
//# The algorithm is the key's.
#[test]
fn section_3_01_the_algorithm_is_the_keys() {
    let house = House::open();
    for name in [
        "none", "None", "nOnE", "HS256", "RS256", "ES384", "EdDSA", "PS256", "",
    ] {
        invalid(&house, &headed(&house, |header| with(header, "alg", name)));
    }
    // A MAC by what everybody knows.
    let header = json!({"typ": "at+jwt", "alg": "HS256", "kid": house.stage.mint.kid});
    let parts = [header.to_string(), house.stage.claims().to_string()];
    let signed = parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    for secret in [house.stage.mint.public_pem().into_bytes(), Vec::new()] {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
        let mac = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
        invalid(&house, &format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac)));
    }
}

//= RFC 8725 section 3.2 type=test
//# Algorithms that are not sound any more are not known.
#[test]
fn section_3_02_algorithms_of_yesterday_are_not_known() {
    let house = House::open();
    for name in ["RS1", "HS1", "ES256K", "RSA1_5", "dir", "A128KW"] {
        invalid(&house, &headed(&house, |header| with(header, "alg", name)));
    }
}

//= RFC 8725 section 3.3 type=test
//# What is inside another token is not taken for it.
#[test]
fn section_3_03_a_token_within_a_token_is_not_unpacked() {
    let house = House::open();
    let header = with(house.stage.mint.header(), "cty", "JWT").to_string();
    invalid(
        &house,
        &house.stage.mint.token_of_text(&header, &house.token()),
    );
}

//= RFC 8725 section 3.4 type=test
//# A point that is not on its curve is no key.
#[test]
fn section_3_04_a_point_off_its_curve_is_no_key() {
    let house = House::open();
    let ephemeral = json!({"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"});
    invalid(
        &house,
        &headed(&house, |header| {
            with(with(header, "alg", "ECDH-ES"), "epk", ephemeral)
        }),
    );
}

//= RFC 8725 section 3.5 type=test
//# Keys that are too weak are refused where they are configured.
#[test]
fn section_3_05_a_weak_key_is_refused_where_it_is_configured() {
    use crate::harness::gateway::check;
    let house = House::open();
    let weak = json!({"keys": [{
        "kty": "RSA", "kid": "weak", "alg": "RS256", "e": "AQAB",
        "n": URL_SAFE_NO_PAD.encode([0xFF; 128]),
    }]});
    let folder = house.stage.scratch.path();
    std::fs::write(folder.join("jwks.json"), weak.to_string()).unwrap();
    let outcome = check(&house.gateway.file, &house.stage.environment);
    assert!(!outcome.status.success());
    let said = outcome.stdout + &outcome.stderr;
    assert!(said.contains("2048"), "{said}");
}

//= RFC 8725 section 3.6 type=test
//# Nothing is decompressed.
#[test]
fn section_3_06_a_compressed_token_is_refused() {
    let house = House::open();
    invalid(&house, &headed(&house, |header| with(header, "zip", "DEF")));
}

//= RFC 8725 section 3.7 type=test
//# JSON is UTF-8.
#[test]
fn section_3_07_json_that_is_not_utf_8_is_refused() {
    let house = House::open();
    let mint = &house.stage.mint;
    let claims = house.stage.claims().to_string();
    let utf16: Vec<u8> = claims.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut latin = claims.clone().into_bytes();
    latin.splice(1..1, *b"\"a\":\"\xFC\",");
    for octets in [utf16, latin] {
        let header = URL_SAFE_NO_PAD.encode(mint.header().to_string());
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(octets));
        let signature = URL_SAFE_NO_PAD.encode(mint.sign(signed.as_bytes()));
        invalid(&house, &format!("{signed}.{signature}"));
    }
}

//= RFC 8725 section 3.8 type=test
//# Issuer and subject are looked at.
#[test]
fn section_3_08_issuer_and_subject_are_looked_at() {
    let house = House::open();
    for name in ["iss", "sub"] {
        for value in [json!(""), json!(7), json!(null), json!(["a"])] {
            invalid(&house, &claimed(&house, |claims| with(claims, name, value)));
        }
    }
}

//= RFC 8725 section 3.9 type=test
//# A token for somebody else is refused.
#[test]
fn section_3_09_a_token_for_somebody_else_is_refused() {
    let house = House::open();
    for audience in [
        json!("t8"),
        json!([]),
        json!({}),
        json!([AUDIENCE, 1]),
        json!(null),
    ] {
        invalid(
            &house,
            &claimed(&house, |claims| with(claims, "aud", audience)),
        );
    }
}

//= RFC 8725 section 3.10 type=test
//# What a token says is not trusted before it is verified: no address in it is called.
#[test]
fn section_3_10_no_address_in_a_token_is_called() {
    use crate::harness::publisher::Publisher;
    let house = House::open();
    let web = Publisher::start(&house.stage.operator_ca);
    for name in ["jku", "x5u"] {
        let url = web.url("/called");
        let header = |header| with(with(header, name, url), "kid", "unknown");
        invalid(&house, &headed(&house, header));
    }
    let url = web.url("/called");
    invalid(&house, &claimed(&house, |claims| with(claims, "iss", url)));
    assert!(web.asked("/called").is_empty());
}

//= RFC 8725 section 3.11 type=test
//# A token of another type is none.
#[test]
fn section_3_11_a_token_of_another_type_is_none() {
    let house = House::open();
    for kind in ["secevent+jwt", "dpop+jwt", "JWT", "token-introspection+jwt"] {
        invalid(&house, &headed(&house, |header| with(header, "typ", kind)));
    }
}

//= RFC 8725 section 3.12 type=test
//# What the same key signs for something else is no access token.
#[test]
fn section_3_12_another_kind_of_jwt_of_the_same_issuer_is_no_access_token() {
    let house = House::open();
    let mint = &house.stage.mint;
    let id_token = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "acme-app", "exp": now_s() + 300,
        "iat": now_s(), "nonce": "n", "client_id": "acme-app", "jti": "j",
        "scope": API, "cnf": {"x5t#S256": house.stage.acme.thumbprint()},
    });
    invalid(
        &house,
        &mint.token(&with(mint.header(), "typ", "JWT"), &id_token),
    );
    served(&house, &mint.good(&id_token));
}
