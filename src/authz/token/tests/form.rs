//! Size, dots, base64url and JSON.

use super::*;

const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A good token and its three parts.
fn parts() -> [String; 3] {
    let token = String::from_utf8(MINT.with(json!({}))).unwrap();
    let parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    parts.try_into().unwrap()
}

/// A good token of this many bytes. Base64 grows in steps, so that both parts must be filled up.
fn of_length(length: usize) -> Vec<u8> {
    let filled = |object: Value, octets: usize| {
        b64(changed(object, json!({"x": "x".repeat(octets)})).to_string())
    };
    // Two dots and a signature of 64 octets.
    let wanted = length - 2 - 86;
    for octets in 0..4 {
        let header = filled(MINT.header(), octets);
        let text = (0..length).map(|octets| filled(claims(), octets));
        let mut text = text.skip_while(|text| header.len() + text.len() < wanted);
        let text = text.next().unwrap();
        if header.len() + text.len() == wanted {
            return MINT.sign_parts(&header, &text);
        }
    }
    unreachable!("some filling fits")
}

/// The other spellings of the same octets: the last character's spare bits are not zero.
fn with_spare_bits(part: &str) -> Vec<String> {
    let (&last, head) = part.as_bytes().split_last().unwrap();
    let value = URL_SAFE.iter().position(|&c| c == last).unwrap();
    let spare = match part.len() % 4 {
        2 => 16,
        3 => 4,
        _ => 1,
    };
    let others = (1..spare).map(|bits| URL_SAFE[value | bits]);
    let spell = |c| String::from_utf8([head, &[c]].concat()).unwrap();
    others.map(spell).collect()
}

#[test]
fn a_token_of_8_kib_is_taken_and_one_byte_more_is_refused() {
    assert_eq!(TOKEN_BYTES_MAX, 8_192);
    assert!(read(&of_length(8_192)).is_ok());
    assert_eq!(refusal(&of_length(8_193)), TokenFault::TooLong);
    assert_eq!(refusal(&vec![b'.'; 1 << 20]), TokenFault::TooLong);
}

#[test]
fn an_empty_token_is_refused() {
    assert_eq!(refusal(b""), TokenFault::Malformed);
}

#[test]
fn other_than_two_dots_are_refused() {
    let [header, claims, signature] = parts();
    for token in [
        header.clone(),
        format!("{header}.{claims}"),
        format!("{header}.{claims}{signature}"),
        format!("{header}.{claims}.{signature}."),
        format!(".{header}.{claims}.{signature}"),
        format!("{header}.{claims}.{signature}.{signature}"),
        format!("{header}.{claims}..{signature}"),
        ".".to_owned(),
        "...".to_owned(),
    ] {
        assert_eq!(refusal(token.as_bytes()), TokenFault::Malformed, "{token}");
    }
}

#[test]
fn an_encrypted_token_is_refused() {
    let [header, claims, signature] = parts();
    let jwe = format!("{header}.{claims}.{claims}.{claims}.{signature}");
    assert_eq!(refusal(jwe.as_bytes()), TokenFault::Malformed);
}

#[test]
fn empty_parts_are_refused() {
    let [header, claims, signature] = parts();
    for token in [
        format!(".{claims}.{signature}"),
        format!("{header}..{signature}"),
        format!("{header}.{claims}."),
        "..".to_owned(),
    ] {
        assert_eq!(refusal(token.as_bytes()), TokenFault::Malformed, "{token}");
    }
    assert_eq!(
        refusal(&MINT.sign("", claims_text())),
        TokenFault::Malformed
    );
    let header = MINT.header().to_string();
    assert_eq!(refusal(&MINT.sign(header, "")), TokenFault::Malformed);
}

fn claims_text() -> String {
    claims().to_string()
}

//= RFC 7515 section 2 type=test
//# A part with padding is refused, also where the signature is over the padding.
#[test]
fn padding_is_refused() {
    let [header, claims, signature] = parts();
    for token in [
        format!("{header}.{claims}.{signature}="),
        format!("{header}.{claims}.{signature}=="),
        format!("{header}=.{claims}.{signature}"),
    ] {
        assert_eq!(refusal(token.as_bytes()), TokenFault::Malformed, "{token}");
    }
    for filling in 0..3 {
        let text = changed(super::claims(), json!({"x": "x".repeat(filling)}));
        let claims = b64(text.to_string());
        assert!(read(&MINT.sign_parts(&header, &claims)).is_ok());
        for padding in ["=", "=="] {
            let padded = MINT.sign_parts(&header, &format!("{claims}{padding}"));
            assert_eq!(refusal(&padded), TokenFault::Malformed);
        }
    }
}

//= RFC 7515 section 2 type=test
//# White space and line breaks within, before or after a token are refused.
#[test]
fn white_space_is_refused_wherever_it_stands() {
    let token = MINT.with(json!({}));
    let dot = token.iter().position(|&byte| byte == b'.').unwrap();
    for space in [
        " ", "\t", "\n", "\r", "\r\n", "\x0b", "\x0c", "\0", "\u{a0}", "%20",
    ] {
        for place in [0, 1, dot, dot + 1, token.len() - 1, token.len()] {
            let (before, after) = token.split_at(place);
            let spaced = [before, space.as_bytes(), after].concat();
            assert_eq!(
                refusal(&spaced),
                TokenFault::Malformed,
                "{space:?} at {place}"
            );
        }
    }
    let [header, claims, _] = parts();
    let signed = MINT.sign_parts(&header, &format!("{claims}\n"));
    assert_eq!(refusal(&signed), TokenFault::Malformed);
}

//= RFC 7515 section 2 type=test
//# The alphabet is that of base64url; that of base64 is refused.
#[test]
fn plus_and_slash_are_refused() {
    // Signed over either spelling: the alphabet is refused, not the signature.
    let text = changed(claims(), json!({"x": "???>>>~~~"})).to_string();
    let url_safe = b64(text);
    assert!(url_safe.contains('-') && url_safe.contains('_'));
    let header = b64(MINT.header().to_string());
    assert!(read(&MINT.sign_parts(&header, &url_safe)).is_ok());
    for (from, to) in [('-', "+"), ('_', "/")] {
        let standard = MINT.sign_parts(&header, &url_safe.replace(from, to));
        assert_eq!(refusal(&standard), TokenFault::Malformed, "{to}");
    }
}

//= RFC 7515 section 2 type=test
//# Octets have one spelling: a last character with spare bits set is refused.
#[test]
fn spare_bits_of_a_last_character_are_refused() {
    let [header, claims, signature] = parts();
    let others = with_spare_bits(&signature);
    assert_eq!(others.len(), 15);
    for other in others {
        let token = format!("{header}.{claims}.{other}");
        assert_eq!(refusal(token.as_bytes()), TokenFault::Malformed, "{token}");
    }
    let mut spellings = 0;
    for filling in 0..3 {
        let filled = |object| {
            let object: Value = changed(object, json!({"x": "x".repeat(filling)}));
            b64(object.to_string())
        };
        let (header, claims) = (filled(MINT.header()), filled(super::claims()));
        for other in with_spare_bits(&header) {
            let token = MINT.sign_parts(&other, &claims);
            assert_eq!(refusal(&token), TokenFault::Malformed);
            spellings += 1;
        }
        for other in with_spare_bits(&claims) {
            let token = MINT.sign_parts(&header, &other);
            assert_eq!(refusal(&token), TokenFault::Malformed);
            spellings += 1;
        }
    }
    assert_eq!(spellings, 2 * (15 + 3));
}

#[test]
fn a_part_of_impossible_length_is_refused() {
    let [header, claims, _] = parts();
    for signature in ["A", "AAAAA"] {
        let token = format!("{header}.{claims}.{signature}");
        assert_eq!(refusal(token.as_bytes()), TokenFault::Malformed);
    }
}

#[test]
fn json_serializations_are_refused() {
    let [header, claims, signature] = parts();
    let one = json!({"protected": header, "signature": signature});
    let flattened = changed(one.clone(), json!({"payload": claims}));
    let general = json!({"payload": claims, "signatures": [one.clone()]});
    let twice = json!({"payload": claims, "signatures": [one.clone(), one]});
    for text in [flattened, general, twice] {
        let text = text.to_string();
        assert_eq!(refusal(text.as_bytes()), TokenFault::Malformed);
        // With two dots it is no compact token either.
        let dotted = format!("{text}..");
        assert_eq!(refusal(dotted.as_bytes()), TokenFault::Malformed);
    }
}

#[test]
fn parts_that_are_no_json_object_are_refused() {
    let good = (MINT.header().to_string(), claims().to_string());
    for text in [
        "null",
        "1",
        "[]",
        "\"at+jwt\"",
        "{",
        "{}{}",
        "{} x",
        "{'a':1}",
        "{\"a\":1,}",
        " ",
    ] {
        let header = MINT.sign(text, &good.1);
        assert_eq!(refusal(&header), TokenFault::MalformedJson, "{text}");
        let claims = MINT.sign(&good.0, text);
        assert_eq!(refusal(&claims), TokenFault::MalformedJson, "{text}");
    }
    for junk in ["x", "{}", ",", "\0"] {
        let header = MINT.sign(format!("{}{junk}", good.0), &good.1);
        assert_eq!(refusal(&header), TokenFault::MalformedJson, "{junk:?}");
        let claims = MINT.sign(&good.0, format!("{}{junk}", good.1));
        assert_eq!(refusal(&claims), TokenFault::MalformedJson, "{junk:?}");
    }
}

//= RFC 8725 section 3.7 type=test
//# Header and claims are UTF-8, without a byte order mark; no other encoding is guessed.
#[test]
fn other_encodings_than_utf8_are_refused() {
    let good = (MINT.header().to_string(), claims().to_string());
    let encodings: [fn(&str) -> Vec<u8>; 5] = [
        |text| text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        |text| text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        |text| [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        |text| {
            text.replace('{', "{\"x\":\"\u{1}\",")
                .replace('\u{1}', "\u{fffd}")
                .into()
        },
        |text| [b"{\"x\":\"\xff\",", &text.as_bytes()[1..]].concat(),
    ];
    for (place, encode) in encodings.into_iter().enumerate() {
        // The fourth is good UTF-8, to show that the others are refused for their encoding.
        let expected = (place != 3).then_some(TokenFault::MalformedJson);
        let header = MINT.sign(encode(&good.0), &good.1);
        assert_eq!(read(&header).err(), expected, "{place}");
        let claims = MINT.sign(&good.0, encode(&good.1));
        assert_eq!(read(&claims).err(), expected, "{place}");
    }
}

#[test]
fn lone_surrogates_are_refused() {
    let token = with_claim_spelt("sub", r#""sub":"\ud800""#);
    assert_eq!(refusal(&token), TokenFault::MalformedJson);
}

#[test]
fn deep_nesting_is_refused() {
    // The object itself is the first of sixteen levels.
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for (levels, expected) in [
        (15, None),
        (16, Some(TokenFault::MalformedJson)),
        (200, Some(TokenFault::MalformedJson)),
        (2_500, Some(TokenFault::MalformedJson)),
    ] {
        let member = format!(r#""x":{}"#, deep(levels));
        assert_eq!(read(&with_header_spelt("x", &member)).err(), expected);
        assert_eq!(read(&with_claim_spelt("x", &member)).err(), expected);
    }
    // Never closed: refused on the way down.
    let open = MINT.sign("{\"x\":".repeat(1_000), claims().to_string());
    assert_eq!(refusal(&open), TokenFault::MalformedJson);
}

#[test]
fn duplicate_header_parameters_are_refused() {
    for member in [
        r#""alg":"ES256","alg":"ES256""#,
        r#""alg":"none","alg":"ES256""#,
        r#""alg":"ES256","\u0061lg":"none""#,
        r#""alg":"ES256","al\u0067":"none""#,
        r#""alg":"ES256","jwk":{"kty":"EC","kty":"oct"}"#,
    ] {
        let token = with_header_spelt("alg", member);
        assert_eq!(refusal(&token), TokenFault::DuplicateMember, "{member}");
    }
    let typ = with_header_spelt("typ", r#""typ":"at+jwt","typ":"JWT""#);
    assert_eq!(refusal(&typ), TokenFault::DuplicateMember);
    let kid = with_header_spelt("kid", r#""kid":"k1","k\u0069d":"k2""#);
    assert_eq!(refusal(&kid), TokenFault::DuplicateMember);
}

#[test]
fn duplicate_claims_are_refused() {
    let iss = format!(r#""iss":"{ISSUER}","iss":"{ISSUER}""#);
    let escaped = format!(r#""iss":"{ISSUER}","\u0069ss":"https://evil.example""#);
    let first = format!(r#""\u0069ss":"https://evil.example","iss":"{ISSUER}""#);
    for member in [iss, escaped, first] {
        let token = with_claim_spelt("iss", &member);
        assert_eq!(refusal(&token), TokenFault::DuplicateMember, "{member}");
    }
    let exp = format!(r#""exp":{},"exp":{}"#, NOW - 3_600, NOW + 3_600);
    let token = with_claim_spelt("exp", &exp);
    assert_eq!(refusal(&token), TokenFault::DuplicateMember);
    let client = r#""client_id":"scs-1","client\u005fid":"scs-2""#;
    let token = with_claim_spelt("client_id", client);
    assert_eq!(refusal(&token), TokenFault::DuplicateMember);
}

#[test]
fn duplicate_members_within_claims_are_refused() {
    let (ours, theirs) = (b64([7; 32]), b64([8; 32]));
    for name in ["x5t#S256", r"x5t\u0023S256", r"\u00785t#S256"] {
        let cnf = format!(r#""cnf":{{"x5t#S256":"{ours}","{name}":"{theirs}"}}"#);
        let token = with_claim_spelt("cnf", &cnf);
        assert_eq!(refusal(&token), TokenFault::DuplicateMember, "{name}");
    }
    let unknown = with_claim_spelt("x", r#""x":[{"y":[{"z":1,"z":1}]}]"#);
    assert_eq!(refusal(&unknown), TokenFault::DuplicateMember);
}
