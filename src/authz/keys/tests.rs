use serde_json::{Value, json};

use super::*;
use crate::authz::mint::{ALGORITHMS, Signer, b64, changed, jwks, load};

fn es256() -> Value {
    Signer::new(Algorithm::ES256).jwk(Algorithm::ES256, "k1")
}

fn refusal(changes: Value) -> String {
    load(&[changed(es256(), changes)]).unwrap_err()
}

fn from_pem(pem: &[u8], algorithm: Algorithm) -> Result<Keys, String> {
    Keys::from_pem(pem, algorithm, None)
}

#[test]
fn keys_of_all_five_algorithms_are_loaded() {
    let keys: Vec<_> = ALGORITHMS
        .map(|algorithm| Signer::new(algorithm).jwk(algorithm, algorithm.name()))
        .into();
    assert_eq!(load(&keys).unwrap().len(), 5);
}

#[test]
fn algorithm_names_are_read_exactly() {
    for algorithm in ALGORITHMS {
        assert_eq!(algorithm.name().parse(), Ok(algorithm));
    }
    for name in ["none", "None", "HS256", "es256", "ES512", ""] {
        assert!(name.parse::<Algorithm>().is_err(), "{name}");
    }
}

#[test]
fn keys_without_kid_or_alg_are_refused() {
    assert!(refusal(json!({"kid": null})).contains("no kid"));
    assert!(refusal(json!({"kid": ""})).contains("no kid"));
    assert!(refusal(json!({"alg": null})).contains("alg is missing"));
}

#[test]
fn unknown_algorithms_and_key_types_are_refused_by_name() {
    for alg in ["HS256", "none", "ES512", "ECDH-ES", "es256"] {
        assert!(refusal(json!({"alg": alg})).contains("\"k1\""), "{alg}");
    }
    for kty in ["oct", "RSA", "OKP", "ec", "DSA"] {
        assert!(refusal(json!({"kty": kty})).contains("kty or crv"), "{kty}");
    }
    assert!(refusal(json!({"crv": "P-384"})).contains("kty or crv"));
    assert!(refusal(json!({"crv": null})).contains("kty or crv"));
}

#[test]
fn private_and_secret_members_are_refused_loudly_and_not_repeated() {
    for name in PRIVATE_MEMBERS {
        let told = refusal(json!({name: "c2VjcmV0"}));
        assert!(
            told.contains("PRIVATE OR SECRET") && !told.contains("c2VjcmV0"),
            "{told}"
        );
    }
    let oct = json!({"kty": "oct", "kid": "k1", "alg": "HS256", "k": "c2VjcmV0"});
    assert!(load(&[oct]).unwrap_err().contains("PRIVATE OR SECRET"));
}

#[test]
fn keys_not_for_signatures_are_refused() {
    assert!(
        load(&[changed(
            es256(),
            json!({"use": "sig", "key_ops": ["verify"]})
        )])
        .is_ok()
    );
    assert!(refusal(json!({"use": "enc"})).contains("use is not"));
    assert!(refusal(json!({"use": 1})).contains("use is not"));
    assert!(refusal(json!({"key_ops": ["sign"]})).contains("key_ops"));
    assert!(refusal(json!({"key_ops": "verify"})).contains("key_ops"));
}

#[test]
fn a_kid_that_stands_twice_is_refused() {
    assert!(
        load(&[es256(), es256()])
            .unwrap_err()
            .contains("stands twice")
    );
}

#[test]
fn duplicate_members_of_a_jwks_are_refused() {
    let told = Keys::from_jwks(br#"{"keys":[],"keys":[]}"#);
    assert!(told.unwrap_err().contains("twice"));
}

#[test]
fn what_is_no_jwks_is_refused() {
    for text in [
        "",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":[]}"#,
        r#"{"keys":[1]}"#,
        "{}x",
    ] {
        let read = Keys::from_jwks(text.as_bytes());
        assert!(read.is_err(), "{text}");
    }
}

#[test]
fn a_jwks_holds_64_keys_at_most() {
    let some = |count: usize| {
        let key = es256();
        (0..count)
            .map(|i| changed(key.clone(), json!({"kid": i.to_string()})))
            .collect::<Vec<_>>()
    };
    assert_eq!(load(&some(KEYS_MAX)).unwrap().len(), 64);
    assert!(load(&some(KEYS_MAX + 1)).unwrap_err().contains("65 keys"));
}

//= RFC 8725 section 3.4 type=test
//# A point beside the curve is refused at load.
#[test]
fn points_not_on_the_curve_are_refused() {
    for (algorithm, size) in [(Algorithm::ES256, 32), (Algorithm::ES384, 48)] {
        let key = Signer::new(algorithm).jwk(algorithm, "k1");
        let off = changed(
            key.clone(),
            json!({"x": b64(vec![1; size]), "y": b64(vec![1; size])}),
        );
        assert!(load(&[off]).unwrap_err().contains("not on the curve"));
        let zero = changed(
            key,
            json!({"x": b64(vec![0; size]), "y": b64(vec![0; size])}),
        );
        assert!(load(&[zero]).is_err());
    }
}

#[test]
fn coordinates_of_another_size_or_spelling_are_refused() {
    for x in [
        json!(b64([1; 31])),
        json!(b64([1; 33])),
        json!("a=b="),
        json!(7),
        Value::Null,
    ] {
        load(&[changed(es256(), json!({"x": x}))]).unwrap_err();
    }
    // Of one size, but that of another curve: which is told, and not called a point off the curve.
    let long = changed(es256(), json!({"x": b64([1; 48]), "y": b64([1; 48])}));
    assert!(load(&[long]).unwrap_err().contains("curve's size"));
    let ed = Signer::new(Algorithm::EdDSA).jwk(Algorithm::EdDSA, "k1");
    assert!(
        load(&[changed(ed, json!({"x": b64([1; 31])}))])
            .unwrap_err()
            .contains("32 octets")
    );
}

//= RFC 8725 section 3.5 type=test
//# RSA moduli under 2048 bits are refused.
#[test]
fn weak_rsa_keys_are_refused() {
    let key = Signer::new(Algorithm::RS256).jwk(Algorithm::RS256, "k1");
    let modulus = |first: u8, octets| {
        let mut n = vec![0xFF; octets];
        n[0] = first;
        changed(key.clone(), json!({"n": b64(n)}))
    };
    assert!(load(&[modulus(0x7F, 256)]).unwrap_err().contains("2048"));
    assert!(load(&[modulus(0xFF, 128)]).unwrap_err().contains("2048"));
    assert!(load(&[modulus(0xFF, 1025)]).unwrap_err().contains("8192"));
    assert!(
        load(&[modulus(0x00, 257)])
            .unwrap_err()
            .contains("zero octet")
    );
    assert!(load(&[modulus(0x80, 256)]).is_ok());
}

#[test]
fn rsa_exponents_that_protect_nothing_are_refused() {
    let key = Signer::new(Algorithm::PS256).jwk(Algorithm::PS256, "k1");
    for e in [&[1][..], &[2], &[], &[0, 3], &[1, 0, 0, 0, 1]] {
        assert!(
            load(&[changed(key.clone(), json!({"e": b64(e)}))]).is_err(),
            "{e:?}"
        );
    }
    // As long as one may be.
    assert!(load(&[changed(key, json!({"e": b64([1, 0, 0, 1])}))]).is_ok());
}

#[test]
fn pem_keys_of_all_five_algorithms_are_loaded() {
    for algorithm in ALGORITHMS {
        assert_eq!(
            from_pem(&Signer::new(algorithm).pem(), algorithm)
                .unwrap()
                .len(),
            1
        );
    }
}

#[test]
fn a_pem_key_of_another_kind_or_curve_is_refused() {
    for algorithm in ALGORITHMS {
        let pem = Signer::new(algorithm).pem();
        for other in ALGORITHMS {
            let rsa = [Algorithm::RS256, Algorithm::PS256];
            let fits = algorithm == other || rsa.contains(&algorithm) && rsa.contains(&other);
            assert_eq!(
                from_pem(&pem, other).is_ok(),
                fits,
                "{algorithm:?} for {other:?}"
            );
        }
    }
}

#[test]
fn a_private_key_in_a_pem_file_is_refused() {
    let mut pem = Signer::new(Algorithm::ES256).pem();
    pem.extend_from_slice(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    assert!(
        from_pem(&pem, Algorithm::ES256)
            .unwrap_err()
            .contains("exposed")
    );
}

#[test]
fn a_pem_file_without_exactly_one_public_key_is_refused() {
    let pem = Signer::new(Algorithm::ES256).pem();
    for file in [b"".to_vec(), b"text".to_vec(), [pem.clone(), pem].concat()] {
        assert!(
            from_pem(&file, Algorithm::ES256)
                .unwrap_err()
                .contains("exactly one")
        );
    }
    let junk = b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    assert!(from_pem(junk, Algorithm::ES256).is_err());
}

#[test]
fn an_empty_kid_is_refused() {
    let pem = Signer::new(Algorithm::EdDSA).pem();
    let load = |kid: &str| Keys::from_pem(&pem, Algorithm::EdDSA, Some(kid.to_owned()));
    assert!(load("k").is_ok());
    assert!(load("").is_err());
}

#[test]
fn debug_output_holds_no_key() {
    let keys = load(&[es256()]).unwrap();
    assert_eq!(format!("{keys:?}"), "Keys { count: 1, .. }");
}

fn published(jwk: &[Value], of_rsa: Option<Algorithm>) -> Result<Keys, String> {
    Keys::published(&jwks(jwk), of_rsa)
}

fn key(algorithm: Algorithm, kid: &str) -> Value {
    Signer::new(algorithm).jwk(algorithm, kid)
}

//= RFC 7517 section 5 type=test
//# What is not understood is passed over, and the rest is taken.
#[test]
fn keys_that_are_of_no_use_are_passed_over_where_an_issuer_publishes_them() {
    let good = key(Algorithm::ES256, "good");
    for odd in [
        json!(1),
        changed(es256(), json!({"kid": null})),
        changed(es256(), json!({"kid": ""})),
        changed(es256(), json!({"use": "enc"})),
        changed(es256(), json!({"key_ops": ["encrypt"]})),
        changed(es256(), json!({"alg": "ECDH-ES"})),
        changed(es256(), json!({"alg": "ES512"})),
        changed(es256(), json!({"alg": 256})),
        changed(es256(), json!({"kty": "XYZ"})),
        changed(es256(), json!({"x": "AA"})),
        json!({"kty": "oct", "kid": "k1", "alg": "HS256", "k": "c2VjcmV0"}),
        changed(key(Algorithm::RS256, "rsa"), json!({"alg": null})),
    ] {
        let keys = published(&[odd.clone(), good.clone()], None).unwrap();
        assert_eq!(keys.len(), 1, "{odd}");
        assert!(keys.pick(Some("good"), Algorithm::ES256).is_ok());
        assert!(
            published(std::slice::from_ref(&odd), None).is_err(),
            "{odd}"
        );
    }
}

//= RFC 8725 section 3.1 type=test
//# A key that says no algorithm is bound to one all the same.
#[test]
fn published_key_without_alg_is_for_the_one_algorithm_of_its_kind() {
    for algorithm in ALGORITHMS {
        let bare = changed(key(algorithm, "k1"), json!({"alg": null}));
        let keys = published(&[bare], Some(algorithm)).unwrap();
        for other in ALGORITHMS {
            let picked = keys.pick(Some("k1"), other);
            assert_eq!(
                picked.is_ok(),
                other == algorithm,
                "{algorithm:?} {other:?}"
            );
        }
    }
}

#[test]
fn published_set_with_a_private_key_or_a_name_twice_is_refused() {
    let good = key(Algorithm::ES256, "good");
    let exposed = changed(es256(), json!({"d": "c2VjcmV0"}));
    let told = published(&[good.clone(), exposed], None).unwrap_err();
    assert!(told.contains("PRIVATE OR SECRET") && !told.contains("c2VjcmV0"));
    let told = published(&[good.clone(), good], None).unwrap_err();
    assert!(told.contains("stands twice"));
}

#[test]
fn keys_are_compared_by_what_they_are_and_not_by_how_they_are_written() {
    let (signer, other) = (Signer::new(Algorithm::ES256), Signer::new(Algorithm::ES256));
    let jwk = |signer: &Signer, kid: &str| load(&[signer.jwk(Algorithm::ES256, kid)]).unwrap();
    let pem = Keys::from_pem(&signer.pem(), Algorithm::ES256, Some("k1".into())).unwrap();
    let (own, renamed, foreign) = (jwk(&signer, "k1"), jwk(&signer, "k2"), jwk(&other, "k1"));
    assert!(own.same_as(&pem) && !own.lack_in(&pem) && own.share_with(&pem));
    assert!(!own.same_as(&renamed) && own.lack_in(&renamed) && own.share_with(&renamed));
    assert!(!own.same_as(&foreign) && own.lack_in(&foreign) && !own.share_with(&foreign));
    let [a, b] = ["k1", "k2"].map(|kid| signer.jwk(Algorithm::ES256, kid));
    let both = load(&[a, b]).unwrap();
    assert!(!own.lack_in(&both) && both.lack_in(&own));
    let rsa = Signer::new(Algorithm::RS256);
    let of = |algorithm| load(&[rsa.jwk(algorithm, "k1")]).unwrap();
    let (pkcs1, pss) = (of(Algorithm::RS256), of(Algorithm::PS256));
    assert!(pkcs1.lack_in(&pss) && pkcs1.share_with(&pss) && !pkcs1.same_as(&pss));
}

#[test]
fn keys_are_none_where_an_issuer_has_none_and_one_where_it_has_one() {
    assert!(Keys::none().is_empty());
    assert!(!load(&[es256()]).unwrap().is_empty());
}
