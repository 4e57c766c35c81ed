//! What is published.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::super::metadata::PublicJwk;
use super::*;

//= RFC 8414 section 2 type=test
//# The required members are there, and every URL begins with the issuer.
//= RFC 8705 section 5 type=test
//# Its endpoints are those for mutual TLS.
//= RFC 9396 section 10 type=test
//# The type of details is named.
//= RFC 8705 section 3.3 type=test
//# The metadata says that tokens are bound to certificates.
#[test]
fn metadata_describes_the_issuer() {
    let metadata = read(STAGE.issuer.metadata());
    let scopes: Vec<_> = ApiSet::of_t8()
        .iter()
        .flat_map(|api| ["", ":read", ":write"].map(|half| format!("{}{half}", api.name())))
        .collect();
    let methods = [
        "tls_client_auth",
        "self_signed_tls_client_auth",
        "private_key_jwt",
    ];
    let expected = serde_json::json!({
        "issuer": NAME,
        "token_endpoint": format!("{NAME}/oauth2/token"),
        "jwks_uri": format!("{NAME}/oauth2/jwks"),
        "scopes_supported": scopes,
        "response_types_supported": ["none"],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported":
            ["ES256", "ES384", "RS256", "PS256", "EdDSA"],
        "introspection_endpoint": format!("{NAME}/oauth2/introspect"),
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_signing_alg_values_supported":
            ["ES256", "ES384", "RS256", "PS256", "EdDSA"],
        "revocation_endpoint": format!("{NAME}/oauth2/revoke"),
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported":
            ["ES256", "ES384", "RS256", "PS256", "EdDSA"],
        "authorization_details_types_supported": ["t8_access"],
        "mtls_endpoint_aliases": {
            "token_endpoint": format!("{NAME}/oauth2/token"),
            "introspection_endpoint": format!("{NAME}/oauth2/introspect"),
            "revocation_endpoint": format!("{NAME}/oauth2/revoke"),
        },
        "tls_client_certificate_bound_access_tokens": true,
    });
    assert_eq!(metadata, expected);
}

//= RFC 8414 section 2 type=test
//# Where no revocation can be kept, no place is named for it.
#[test]
fn no_place_is_named_to_end_tokens_where_that_cannot_be_done() {
    let clients = [partner()];
    let without = Terms {
        revokes: false,
        ..terms(&clients)
    };
    let issuer = issuer_with(without, Arc::clone(&KEY)).unwrap();
    let metadata = String::from_utf8(issuer.metadata().to_vec()).unwrap();
    assert!(!metadata.contains("revo"), "{metadata}");
    assert!(metadata.contains("/oauth2/introspect"));
}

//= RFC 7517 section 5 type=test
//# A key set is an object with an array of keys; this one's is public, for signatures, and named.
#[test]
fn key_set_has_the_one_public_key() {
    let set = read(&jwks(&STAGE.issuer));
    let [key] = set["keys"].as_array().unwrap().as_slice() else {
        panic!("one key: {set}");
    };
    let mut members: Vec<_> = key
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    members.sort_unstable();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    for (member, value) in [
        ("kty", "EC"),
        ("crv", "P-256"),
        ("alg", "ES256"),
        ("use", "sig"),
    ] {
        assert_eq!(key[member], value);
    }
}

//= RFC 7638 section 3 type=test
//# The name of a key is the digest of its required members; an independent program agrees.
#[test]
fn key_is_named_by_its_thumbprint() {
    // Key and thumbprint by joserfc 1.8.
    let spki = URL_SAFE_NO_PAD
        .decode(
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEvERL3hbDntvbCMODmcWAAdhBYXGd\
         7Dg2uAaACqfFxTKhkbHwtO6G_pkJkKxmRTQsL63yyf9GlMd1--XoZzxSFA",
        )
        .unwrap();
    let thumbprint = "ze-YZv4v-9JLHNRNZOjj8RtsoihEKfL1bmpPA_9LFu8";
    assert_eq!(PublicJwk::from_spki(&spki).unwrap().kid(), thumbprint);
}

#[test]
fn another_key_has_another_name() {
    let other = issuer_with(terms(&[]), key_of(&KeyPair::generate().unwrap())).unwrap();
    let kid = |issuer: &Issuer| read(&jwks(issuer))["keys"][0]["kid"].clone();
    assert_ne!(kid(&other), kid(&STAGE.issuer));
}

#[test]
fn key_that_is_no_point_of_p256_is_refused() {
    let p384 = key_of(&KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap());
    for spki in [p384.prove_alone().unwrap(), Vec::new(), vec![0x30, 0]] {
        assert!(PublicJwk::from_spki(&spki).is_err());
    }
}
