//! Which key verifies a token, and that nothing in the token changes it.

use super::*;

fn at_now(token: &[u8], issuers: &Issuers) -> Option<TokenFault> {
    verify(token, issuers, UnixSeconds(NOW)).err()
}

/// Another signer of the same algorithm as [`MINT`].
fn stranger() -> Mint {
    Mint::new(MINT.algorithm)
}

//= RFC 8725 section 3.1 type=test
//# A key verifies one algorithm: a header that names another is refused, whatever the signature.
#[test]
fn a_switched_algorithm_is_refused() {
    for algorithm in ALGORITHMS {
        let mint = Mint::new(algorithm);
        for other in ALGORITHMS.into_iter().filter(|&other| other != algorithm) {
            for header in [
                json!({"alg": other.name()}),
                json!({"alg": other.name(), "kid": null}),
            ] {
                let told = at_now(&mint.with_header(header), &mint.issuers);
                let refused = Some(TokenFault::AlgorithmRefused);
                assert_eq!(told, refused, "{algorithm:?} as {other:?}");
            }
        }
    }
}

//= RFC 8725 section 3.1 type=test
//# One RSA key does not serve both paddings: PSS is refused for a PKCS #1 key, and the reverse.
#[test]
fn a_switched_rsa_padding_is_refused() {
    for (own, other) in [
        (Algorithm::RS256, Algorithm::PS256),
        (Algorithm::PS256, Algorithm::RS256),
    ] {
        let mut mint = Mint::new(own);
        // Honestly signed with the same key under the other padding.
        mint.algorithm = other;
        let honest = mint.with(json!({}));
        let refused = Some(TokenFault::AlgorithmRefused);
        assert_eq!(at_now(&honest, &mint.issuers), refused);
        // The header says what the key is for; the signature is still the other one.
        let disguised = mint.with_header(json!({"alg": own.name()}));
        let bad = Some(TokenFault::SignatureBad);
        assert_eq!(at_now(&disguised, &mint.issuers), bad, "{own:?}");
    }
}

#[test]
fn a_token_without_kid_is_verified_by_the_one_key_that_fits() {
    let [ec, rsa, ed] = [Algorithm::ES256, Algorithm::RS256, Algorithm::EdDSA].map(Mint::new);
    let jwks: Vec<_> = [&ec, &rsa, &ed]
        .map(|mint| mint.signer.jwk(mint.algorithm, mint.algorithm.name()))
        .into();
    let issuers = issuers(&jwks);
    for mint in [&ec, &rsa, &ed] {
        let token = mint.with_header(json!({"kid": null}));
        assert_eq!(at_now(&token, &issuers), None);
    }
    let none_fits = Mint::new(Algorithm::ES384).with_header(json!({"kid": null}));
    let refused = Some(TokenFault::AlgorithmRefused);
    assert_eq!(at_now(&none_fits, &issuers), refused);
}

#[test]
fn a_token_without_kid_is_refused_where_two_keys_fit() {
    let (first, second) = (stranger(), stranger());
    let issuers = issuers(&[
        first.signer.jwk(Algorithm::ES256, "k1"),
        second.signer.jwk(Algorithm::ES256, "k2"),
    ]);
    let token = first.with_header(json!({"kid": null}));
    assert_eq!(at_now(&token, &issuers), Some(TokenFault::KeyUnknown));
    assert_eq!(at_now(&first.with(json!({})), &issuers), None);
}

#[test]
fn a_key_verifies_from_its_publication_to_its_removal() {
    let (old, new) = (stranger(), stranger());
    let old_key = old.signer.jwk(Algorithm::ES256, "k1");
    let new_key = new.signer.jwk(Algorithm::ES256, "k2");
    let of_old = old.with(json!({}));
    let of_new = new.with_header(json!({"kid": "k2"}));
    for (keys, old_fault, new_fault) in [
        (vec![old_key.clone()], None, Some(TokenFault::KeyUnknown)),
        (vec![old_key, new_key.clone()], None, None),
        (vec![new_key], Some(TokenFault::KeyUnknown), None),
    ] {
        let issuers = issuers(&keys);
        assert_eq!(at_now(&of_old, &issuers), old_fault);
        assert_eq!(at_now(&of_new, &issuers), new_fault);
    }
}

#[test]
fn a_key_replaced_under_its_old_name_verifies_no_older_token() {
    let (old, new) = (stranger(), stranger());
    let token = old.with(json!({}));
    assert_eq!(at_now(&token, &new.issuers), Some(TokenFault::SignatureBad));
}

#[test]
fn the_kid_picks_the_key_and_no_other_is_tried() {
    let (first, second) = (stranger(), stranger());
    let issuers = issuers(&[
        first.signer.jwk(Algorithm::ES256, "k1"),
        second.signer.jwk(Algorithm::ES256, "k2"),
    ]);
    let crossed = first.with_header(json!({"kid": "k2"}));
    assert_eq!(at_now(&crossed, &issuers), Some(TokenFault::SignatureBad));
}

//= RFC 8725 section 3.10 type=test
//# A kid is compared and nothing else: paths, queries and near misses name no key.
#[test]
fn a_kid_that_names_no_key_is_refused() {
    for kid in [
        "",
        "k",
        "K1",
        "k1 ",
        " k1",
        "k1\0",
        "k2",
        "../k1",
        "./k1",
        "../../../../../../dev/null",
        "..\\..\\k1",
        "/proc/self/environ",
        "file:///etc/hostname",
        "https://evil.example/key.pem",
        "k1' OR '1'='1",
        "k1'; DROP TABLE keys;--",
        "k1|id",
        "$(id)",
        "%00",
        "*",
        "\u{ff4b}1",
        &"k1".repeat(1_000),
    ] {
        assert_eq!(
            header_refusal(json!({"kid": kid})),
            TokenFault::KeyUnknown,
            "{kid:?}"
        );
    }
}

//= RFC 8725 section 3.10 type=test
//# A key or an address of one in the header is not heeded: the stranger's signature stays bad.
#[test]
fn keys_in_the_header_verify_nothing() {
    let stranger = stranger();
    let jwk = stranger.signer.jwk(Algorithm::ES256, "k1");
    let spki = stranger.signer.spki();
    for brought in [
        json!({"jwk": jwk}),
        json!({"jku": "https://evil.example/jwks.json"}),
        json!({"x5u": "https://evil.example/cert.pem"}),
        json!({"x5c": [b64(&spki)]}),
        json!({"x5t": b64([1; 20]), "x5t#S256": b64([1; 32])}),
        json!({"jwk": jwk, "jku": "file:///dev/null", "x5u": "", "x5c": []}),
    ] {
        let token = stranger.with_header(brought.clone());
        assert_eq!(refusal(&token), TokenFault::SignatureBad, "{brought}");
        let nameless = changed(brought.clone(), json!({"kid": null}));
        let told = refusal(&stranger.with_header(nameless));
        assert_eq!(told, TokenFault::SignatureBad, "{brought}");
        let renamed = changed(brought.clone(), json!({"kid": "evil"}));
        let told = refusal(&stranger.with_header(renamed));
        assert_eq!(told, TokenFault::KeyUnknown, "{brought}");
        // They do no harm either.
        assert!(read(&MINT.with_header(brought)).is_ok());
    }
}

/// Two issuers, each with one key of the name `k1`, and what their tokens are signed with.
fn two_issuers(second_kid: &str) -> (Mint, Mint, Issuers) {
    let (first, second) = (stranger(), stranger());
    let audience = "https://t8.other.example".to_owned();
    let other = IssuerRules::new(
        "https://other.example".into(),
        Profile::Rfc9068 { audience },
        KeySet::of(load(&[second.signer.jwk(Algorithm::ES256, second_kid)]).unwrap()),
    );
    let own = rules(load(&[first.signer.jwk(Algorithm::ES256, "k1")]).unwrap());
    let issuers = Issuers::new(vec![own, other.unwrap()]).unwrap();
    (first, second, issuers)
}

fn of_the_other() -> Value {
    json!({"iss": "https://other.example", "aud": "https://t8.other.example"})
}

#[test]
fn each_issuer_is_verified_by_its_own_keys() {
    let (first, second, issuers) = two_issuers("k1");
    assert_eq!(at_now(&first.with(json!({})), &issuers), None);
    assert_eq!(at_now(&second.with(of_the_other()), &issuers), None);
}

//= RFC 8725 section 3.8 type=test
//# An issuer's key verifies only tokens that name this issuer.
#[test]
fn a_token_of_one_issuer_signed_by_another_is_refused() {
    let (first, second, issuers) = two_issuers("k1");
    let bad = Some(TokenFault::SignatureBad);
    assert_eq!(at_now(&first.with(of_the_other()), &issuers), bad);
    assert_eq!(at_now(&second.with(json!({})), &issuers), bad);
}

#[test]
fn a_kid_of_another_issuer_names_no_key() {
    let (_, second, issuers) = two_issuers("k2");
    let signed = second.sign(
        changed(second.header(), json!({"kid": "k2"})).to_string(),
        claims().to_string(),
    );
    assert_eq!(at_now(&signed, &issuers), Some(TokenFault::KeyUnknown));
}

//= RFC 8725 section 3.9 type=test
//# The audience of one issuer does not serve the tokens of another.
#[test]
fn the_audience_of_another_issuer_is_refused() {
    let (_, second, issuers) = two_issuers("k1");
    let token = second.with(changed(of_the_other(), json!({"aud": AUDIENCE})));
    assert_eq!(at_now(&token, &issuers), Some(TokenFault::Audience));
}
