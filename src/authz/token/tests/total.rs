//! Properties: no input is a surprise, and no change to a good token goes unseen.

use proptest::prelude::*;

use super::*;

/// Every JSON value, also those no claim has.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

fn claim_name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "iss",
        "aud",
        "sub",
        "client_id",
        "jti",
        "iat",
        "exp",
        "nbf",
        "scope",
        "cnf",
    ])
}

fn parameter_name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["typ", "alg", "kid", "crit", "b64", "zip", "jwk", "x"])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_refused(
        token in prop::collection::vec(any::<u8>(), 0..600),
        now in any::<u64>(),
    ) {
        prop_assert!(verify(&token, &MINT.issuers, UnixSeconds(now)).is_err());
    }

    #[test]
    fn arbitrary_base64_in_three_parts_is_refused(
        token in "[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,200}\\.[A-Za-z0-9_-]{0,90}",
    ) {
        prop_assert!(read(token.as_bytes()).is_err());
    }

    // Behind a good signature, so that the claims are read.
    #[test]
    fn arbitrary_signed_octets_are_refused(
        header in prop::collection::vec(any::<u8>(), 0..100),
        text in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        prop_assert!(read(&MINT.sign(&header, claims().to_string())).is_err());
        prop_assert!(read(&MINT.sign(MINT.header().to_string(), &text)).is_err());
    }

    #[test]
    fn arbitrary_values_of_claims_are_taken_or_refused(
        name in claim_name(), value in any_json(), now in any::<u64>(),
    ) {
        let token = MINT.with(json!({name: value.clone()}));
        for now in [now, NOW].map(UnixSeconds) {
            if let Ok(token) = verify(&token, &MINT.issuers, now) {
                prop_assert!(token.grant.valid_at(now));
                prop_assert!(name != "client_id" || value == token.client_id.as_str());
            }
        }
    }

    #[test]
    fn arbitrary_values_of_header_parameters_are_taken_or_refused(
        name in parameter_name(), value in any_json(),
    ) {
        let token = MINT.with_header(json!({name: value.clone()}));
        // Where what we read is replaced, chance finds no second good value, save for absence.
        let harmless = match name {
            "typ" | "alg" => false,
            "kid" | "crit" | "zip" => value.is_null(),
            "b64" => value.is_null() || value == true,
            _ => true,
        };
        prop_assert_eq!(read(&token).is_ok(), harmless);
    }

    #[test]
    fn a_good_token_with_one_byte_replaced_is_refused(
        algorithm in prop::sample::select(ALGORITHMS.to_vec()),
        place in any::<prop::sample::Index>(),
        mask in 1..=u8::MAX,
    ) {
        let mint = &MINTS[ALGORITHMS.iter().position(|&one| one == algorithm).unwrap()];
        let mut token = mint.with(json!({}));
        let place = place.index(token.len());
        token[place] ^= mask;
        prop_assert!(verify(&token, &mint.issuers, UnixSeconds(NOW)).is_err());
    }
}

static MINTS: LazyLock<[Mint; 5]> = LazyLock::new(|| ALGORITHMS.map(Mint::new));

#[test]
fn a_good_token_with_any_bit_flipped_is_refused() {
    for mint in &*MINTS {
        let mut token = mint.with(json!({}));
        for place in 0..token.len() {
            for bit in 0..8 {
                token[place] ^= 1 << bit;
                let told = verify(&token, &mint.issuers, UnixSeconds(NOW));
                assert!(told.is_err(), "{:?}: bit {bit} of {place}", mint.algorithm);
                token[place] ^= 1 << bit;
            }
        }
        assert!(verify(&token, &mint.issuers, UnixSeconds(NOW)).is_ok());
    }
}

#[test]
fn a_good_token_cut_short_or_with_a_byte_too_few_or_too_many_is_refused() {
    for mint in &*MINTS {
        let token = mint.with(json!({}));
        let refused = |token: &[u8]| verify(token, &mint.issuers, UnixSeconds(NOW)).is_err();
        for place in 0..token.len() {
            let (before, after) = token.split_at(place);
            assert!(refused(before), "cut at {place}");
            assert!(refused(&[before, &after[1..]].concat()), "less {place}");
            for more in [b"A", b".", b"-"] {
                assert!(refused(&[before, more, after].concat()), "more at {place}");
            }
        }
    }
}
