//! `typ`, `crit`, `b64`, `zip` and `alg`. Where keys come from is in `keys`.

use super::*;

//= RFC 8725 section 3.11 type=test
//# Only a token that says it is an access token is one, in any case, with or without the prefix.
#[test]
fn access_token_types_are_taken_in_any_case() {
    for typ in [
        "at+jwt",
        "AT+JWT",
        "At+Jwt",
        "application/at+jwt",
        "APPLICATION/AT+JWT",
        "Application/at+JWT",
    ] {
        assert!(
            read(&MINT.with_header(json!({"typ": typ}))).is_ok(),
            "{typ}"
        );
    }
}

//= RFC 9068 section 4 type=test
//# A token with another type, or none, is refused.
#[test]
fn other_types_are_refused() {
    for typ in [
        "",
        "JWT",
        "jwt",
        "application/jwt",
        "at",
        "at+jwt+x",
        "at-jwt",
        " at+jwt",
        "at+jwt ",
        "at+jwt;charset=utf-8",
        "application/",
        "application/application/at+jwt",
        "text/at+jwt",
        "application:at+jwt",
        "at+jwt\0",
        "a\u{ff54}+jwt",
    ] {
        assert_eq!(
            header_refusal(json!({"typ": typ})),
            TokenFault::Type,
            "{typ:?}"
        );
    }
}

#[test]
fn a_missing_type_is_refused() {
    assert_eq!(header_refusal(json!({"typ": null})), TokenFault::Type);
    let cased = json!({"typ": null, "TYP": "at+jwt", "cty": "at+jwt"});
    assert_eq!(header_refusal(cased), TokenFault::Type);
}

//= RFC 8725 section 3.12 type=test
//# Other kinds of JWT of the same issuer and key are not taken for access tokens.
#[test]
fn other_kinds_of_jwt_are_refused() {
    for typ in [
        "JWT",
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "token-introspection+jwt",
        "oauth-authz-req+jwt",
        "entity-statement+jwt",
        "JOSE",
    ] {
        assert_eq!(
            header_refusal(json!({"typ": typ})),
            TokenFault::Type,
            "{typ}"
        );
    }
}

#[test]
fn header_parameters_of_another_json_type_are_refused() {
    for name in ["typ", "alg", "kid"] {
        for value in [
            "1",
            "null",
            "true",
            "[]",
            "{}",
            r#"["ES256"]"#,
            r#"["at+jwt"]"#,
        ] {
            let token = with_header_spelt(name, &format!(r#""{name}":{value}"#));
            assert_eq!(
                refusal(&token),
                TokenFault::HeaderMalformed,
                "{name} {value}"
            );
        }
    }
}

//= RFC 7515 section 4.1.11 type=test
//# A token with a critical extension is refused, as none is understood; so is a malformed list.
#[test]
fn critical_extensions_are_refused() {
    for crit in [
        r#"["exp"]"#,
        r#"["b64"]"#,
        r#"["alg"]"#,
        r#"["x","x"]"#,
        r#"[""]"#,
        "[1]",
        "[]",
        "{}",
        r#""exp""#,
        "null",
        "false",
    ] {
        for present in ["", r#""exp":1,"#, r#""x":1,"#] {
            let token = with_header_spelt("crit", &format!(r#"{present}"crit":{crit}"#));
            assert_eq!(refusal(&token), TokenFault::CritUnknown, "{present}{crit}");
        }
    }
}

#[test]
fn an_unencoded_payload_is_refused() {
    for member in [
        r#""b64":false,"crit":["b64"]"#,
        r#""b64":true,"crit":["b64"]"#,
        r#""b64":false"#,
        r#""b64":null"#,
        r#""b64":"true""#,
        r#""b64":1"#,
    ] {
        let token = with_header_spelt("b64", member);
        assert_eq!(refusal(&token), TokenFault::CritUnknown, "{member}");
    }
    // The claims as they are, the way RFC 7797 would have them.
    let header = b64(changed(MINT.header(), json!({"b64": false, "crit": ["b64"]})).to_string());
    let raw = MINT.sign_parts(&header, &claims().to_string());
    assert_eq!(refusal(&raw), TokenFault::Malformed);
}

#[test]
fn a_payload_said_to_be_encoded_is_taken() {
    assert!(read(&MINT.with_header(json!({"b64": true}))).is_ok());
}

//= RFC 8725 section 3.6 type=test
//# Nothing is decompressed.
#[test]
fn compressed_tokens_are_refused() {
    for zip in [json!("DEF"), json!(""), json!(false)] {
        assert_eq!(header_refusal(json!({"zip": zip})), TokenFault::Compressed);
    }
}

//= RFC 9068 section 4 type=test
//# The algorithm none is refused in every spelling, with or without a signature.
#[test]
fn algorithm_none_is_refused() {
    for alg in ["none", "None", "NONE", "nOnE", " none", "none\0", "null"] {
        let signed = MINT.with_header(json!({"alg": alg}));
        assert_eq!(refusal(&signed), TokenFault::AlgorithmRefused, "{alg:?}");
        let dot = signed.iter().rposition(|&byte| byte == b'.').unwrap();
        for signature in [&b""[..], b"AA", b"bm9uZQ"] {
            let unsigned = [&signed[..=dot], signature].concat();
            // Without a third part it is refused earlier, for its form.
            let expected = match signature.is_empty() {
                true => TokenFault::Malformed,
                false => TokenFault::AlgorithmRefused,
            };
            assert_eq!(refusal(&unsigned), expected, "{alg:?}");
        }
    }
}

#[test]
fn a_missing_algorithm_is_refused() {
    for header in [json!({"alg": null}), json!({"alg": null, "ALG": "ES256"})] {
        assert_eq!(header_refusal(header), TokenFault::AlgorithmRefused);
    }
}

//= RFC 8725 section 3.2 type=test
//# Algorithms outside the list are refused: MACs, encryption, old hashes, other curves.
#[test]
fn algorithms_outside_the_list_are_refused() {
    for alg in [
        "",
        "HS256",
        "HS384",
        "HS512",
        "RS1",
        "RS384",
        "RS512",
        "PS384",
        "PS512",
        "ES512",
        "ES256K",
        "Ed25519",
        "Ed448",
        "RSA1_5",
        "RSA-OAEP",
        "dir",
        "A128KW",
        "ECDH-ES",
        "ML-DSA-44",
    ] {
        let told = header_refusal(json!({"alg": alg}));
        assert_eq!(told, TokenFault::AlgorithmRefused, "{alg}");
    }
}

#[test]
fn algorithm_names_are_case_sensitive() {
    for alg in ["es256", "Es256", "ES256 ", " ES256", "ES-256", "ES256\n"] {
        let told = header_refusal(json!({"alg": alg}));
        assert_eq!(told, TokenFault::AlgorithmRefused, "{alg:?}");
    }
}
