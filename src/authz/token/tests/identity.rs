//! Who issued a token, for whom, to whom, and for which certificate.

use aws_lc_rs::digest::{SHA256, digest};
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE};

use super::*;

/// What is no non-empty string, as JSON.
const NO_TEXTS: [&str; 8] = [
    "\"\"",
    "null",
    "0",
    "1.5",
    "true",
    "[]",
    "[\"scs-1\"]",
    "{}",
];

const BAD_CNF: TokenFault = TokenFault::ClaimMalformed(Claim::Cnf);

//= RFC 9068 section 2.2 type=test
//# iss, aud, sub, client_id and jti are required; so is every other claim of the list.
#[test]
fn a_token_without_a_required_claim_is_refused() {
    for (name, claim) in [
        ("iss", Claim::Iss),
        ("aud", Claim::Aud),
        ("sub", Claim::Sub),
        ("client_id", Claim::ClientId),
        ("jti", Claim::Jti),
        ("exp", Claim::Exp),
        ("iat", Claim::Iat),
    ] {
        let missing = TokenFault::ClaimMissing(claim);
        assert_eq!(claim_refusal(json!({name: null})), missing);
        // Another spelling is another claim.
        let upper = json!({name: null, name.to_uppercase(): claims()[name]});
        assert_eq!(claim_refusal(upper), missing);
    }
}

//= RFC 9068 section 2.2 type=test
//# A required name that is empty, or no string, is as good as none.
#[test]
fn a_required_claim_that_is_empty_or_no_string_is_refused() {
    for (name, claim) in [
        ("iss", Claim::Iss),
        ("sub", Claim::Sub),
        ("client_id", Claim::ClientId),
        ("jti", Claim::Jti),
    ] {
        for value in NO_TEXTS {
            let token = with_claim_spelt(name, &format!(r#""{name}":{value}"#));
            let malformed = TokenFault::ClaimMalformed(claim);
            assert_eq!(refusal(&token), malformed, "{name} {value}");
        }
    }
}

#[test]
fn the_client_is_the_one_of_client_id_and_not_of_sub() {
    let token = MINT.with(json!({"sub": "scs-2", "azp": "scs-3", "clientId": "scs-4"}));
    assert_eq!(read(&token).unwrap().client_id, "scs-1");
}

//= RFC 9068 section 4 type=test
//# The issuer must be equal to a configured one, octet for octet.
#[test]
fn an_issuer_that_is_not_configured_is_refused() {
    for iss in [
        "https://evil.example",
        "https://as.operator.example/",
        "https://AS.operator.example",
        "HTTPS://as.operator.example",
        "http://as.operator.example",
        "https://as.operator.example:443",
        "https://as.operator.example ",
        " https://as.operator.example",
        "https://as.operator.example\0",
        "https://as.operator.example.evil.example",
        "https://as.operator.exampl",
        "as.operator.example",
        AUDIENCE,
    ] {
        let told = claim_refusal(json!({"iss": iss}));
        assert_eq!(told, TokenFault::IssuerUnknown, "{iss:?}");
    }
}

#[test]
fn an_issuer_in_the_header_is_not_heeded() {
    let token = MINT.sign(
        changed(MINT.header(), json!({"iss": ISSUER})).to_string(),
        changed(claims(), json!({"iss": "https://evil.example"})).to_string(),
    );
    assert_eq!(refusal(&token), TokenFault::IssuerUnknown);
}

//= RFC 8725 section 3.9 type=test
//# A token for another audience is refused; the names are compared octet for octet.
#[test]
fn a_token_for_another_audience_is_refused() {
    for aud in [
        json!("https://other.example"),
        json!(""),
        json!("https://t8.operator.example/"),
        json!("https://T8.operator.example"),
        json!("https://t8.operator.exampl"),
        json!("https://t8.operator.example.evil.example"),
        json!("https://t8.operator.example https://other.example"),
        json!("*"),
        json!(ISSUER),
        json!([]),
        json!([""]),
        json!(["https://other.example", "https://another.example"]),
    ] {
        let told = claim_refusal(json!({"aud": aud}));
        assert_eq!(told, TokenFault::Audience, "{aud}");
    }
}

#[test]
fn one_audience_of_several_may_be_ours() {
    for aud in [
        json!([AUDIENCE]),
        json!([AUDIENCE, "https://other.example"]),
        json!(["https://other.example", AUDIENCE]),
        json!([AUDIENCE, AUDIENCE]),
    ] {
        assert!(read(&MINT.with(json!({"aud": aud}))).is_ok(), "{aud}");
    }
}

#[test]
fn a_malformed_audience_is_refused() {
    for value in [
        "null".to_owned(),
        "1".to_owned(),
        "true".to_owned(),
        "{}".to_owned(),
        format!(r#"{{"{AUDIENCE}":1}}"#),
        format!(r#"["{AUDIENCE}",1]"#),
        format!(r#"[null,"{AUDIENCE}"]"#),
        format!(r#"[["{AUDIENCE}"]]"#),
    ] {
        let token = with_claim_spelt("aud", &format!(r#""aud":{value}"#));
        let malformed = TokenFault::ClaimMalformed(Claim::Aud);
        assert_eq!(refusal(&token), malformed, "{value}");
    }
}

//= RFC 8705 section 3.1 type=test
//# The digest of a certificate's DER, in base64url, is the thumbprint the token gives.
#[test]
fn the_thumbprint_is_the_sha256_of_the_certificate() {
    let key = rcgen::KeyPair::generate().unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["scs.partner.example".into()]);
    let certificate = parameters.unwrap().self_signed(&key).unwrap();
    let sha256 = digest(&SHA256, certificate.der());
    let token = MINT.with(json!({"cnf": {"x5t#S256": b64(sha256)}}));
    let grant = read(&token).unwrap().grant;
    assert_eq!(grant.thumbprint.unwrap().0.as_slice(), sha256.as_ref());
}

#[test]
fn a_token_that_is_not_bound_is_refused() {
    let digest = b64([7; 32]);
    for cnf in [
        json!({}),
        json!({"jkt": digest}),
        json!({"x5t": b64([7; 20])}),
        json!({"x5t#s256": digest}),
        json!({"X5T#S256": digest}),
        json!({"x5t#S256 ": digest}),
        json!({"jwk": {"kty": "EC", "x5t#S256": digest}}),
        json!({"kid": "k1"}),
    ] {
        let told = claim_refusal(json!({"cnf": cnf}));
        assert_eq!(told, TokenFault::NotBound, "{cnf}");
    }
}

/// Whether anybody may use it is not for the token to say.
#[test]
fn a_token_without_cnf_is_bound_to_no_certificate() {
    let digest = b64([7; 32]);
    // A thumbprint beside cnf binds nothing.
    let beside = json!({"cnf": null, "x5t#S256": digest});
    let of_header = MINT.sign(
        changed(MINT.header(), json!({"x5t#S256": digest})).to_string(),
        changed(claims(), json!({"cnf": null})).to_string(),
    );
    for token in [
        MINT.with(json!({"cnf": null})),
        MINT.with(beside),
        of_header,
    ] {
        assert!(read(&token).unwrap().grant.thumbprint.is_none());
    }
}

#[test]
fn a_cnf_that_is_no_object_is_refused() {
    let text = format!(r#""{}""#, b64([7; 32]));
    for value in ["null", "1", "true", "[]", r#""x5t#S256""#, &text] {
        let token = with_claim_spelt("cnf", &format!(r#""cnf":{value}"#));
        assert_eq!(refusal(&token), BAD_CNF, "{value}");
    }
}

#[test]
fn a_thumbprint_that_is_no_string_is_refused() {
    for value in ["null", "1", "true", "[]", "{}"] {
        let token = with_claim_spelt("cnf", &format!(r#""cnf":{{"x5t#S256":{value}}}"#));
        assert_eq!(refusal(&token), BAD_CNF, "{value}");
    }
}

//= RFC 8705 section 3.1 type=test
//# A digest of another length is refused.
#[test]
fn a_thumbprint_of_another_length_is_refused() {
    for octets in [0, 1, 20, 31, 33, 48, 64] {
        let cnf = json!({"x5t#S256": b64(vec![7; octets])});
        assert_eq!(claim_refusal(json!({"cnf": cnf})), BAD_CNF, "{octets}");
    }
}

//= RFC 8705 section 3.1 type=test
//# Padding, the other alphabet, hexadecimal digits and white space are refused.
#[test]
fn a_thumbprint_in_another_spelling_is_refused() {
    let hex = |separator: &str| vec!["fb"; 32].join(separator);
    let url_safe = b64([0xFB; 32]);
    for text in [
        URL_SAFE.encode([0xFB; 32]),
        STANDARD_NO_PAD.encode([0xFB; 32]),
        hex(""),
        hex(":"),
        format!("{url_safe} "),
        format!(" {url_safe}"),
        format!("{url_safe}\n"),
        // The last character's two spare bits are set.
        format!("{}v", &url_safe[..42]),
    ] {
        let cnf = json!({"x5t#S256": text});
        assert_eq!(claim_refusal(json!({"cnf": cnf})), BAD_CNF, "{text:?}");
    }
    assert!(read(&MINT.with(json!({"cnf": {"x5t#S256": url_safe}}))).is_ok());
}

/// The value printed in RFC 8705 is a made-up one: no encoder writes its last character, whose
/// spare bits are set. It is refused like every second spelling.
#[test]
fn the_sample_thumbprint_of_rfc_8705_is_refused() {
    let cnf = json!({"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"});
    assert_eq!(claim_refusal(json!({"cnf": cnf})), BAD_CNF);
}

//= RFC 6749 section 3.3 type=test
//# The scope of a token is one string of values.
#[test]
fn a_malformed_scope_is_refused() {
    for value in [
        "null",
        "1",
        "{}",
        r#"["3gpp-nidd"]"#,
        r#""""#,
        r#"" ""#,
        r#""3gpp-nidd  3gpp-monitoring-event""#,
        r#""3gpp-nidd,\n3gpp-monitoring-event""#,
    ] {
        let token = with_claim_spelt("scope", &format!(r#""scope":{value}"#));
        let malformed = TokenFault::ClaimMalformed(Claim::Scope);
        assert_eq!(refusal(&token), malformed, "{value}");
    }
}

#[test]
fn a_token_without_scope_gives_no_api() {
    let elsewhere = json!({
        "scope": null, "scp": ["3gpp-nidd"], "scopes": "3gpp-nidd", "permissions": ["3gpp-nidd"],
    });
    let rights = |changes| read(&MINT.with(changes)).unwrap().grant.rights;
    assert!(rights(json!({"scope": null})).is_empty());
    assert!(rights(elsewhere).is_empty());
    let half = rights(json!({"scope": "3gpp-nidd:read openid"}));
    assert_eq!(half.values().collect::<Vec<_>>(), ["3gpp-nidd:read"]);
}
