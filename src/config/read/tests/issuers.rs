//! Whose tokens are taken, and how they are read.

use super::*;
use crate::authz::issuers::{Custom, Profile};

#[test]
fn issuers_of_the_same_name_are_refused() {
    let second = "[[issuer]]\nname = \"https://issuer.example\"\naudience = \"t8\"\njwks = \"k\"\n";
    refused(&format!("{SMALL}{second}"), 18, "issuer[2].name", "line 8");
}

#[test]
fn issuer_keys_that_contradict_are_refused() {
    let jwks = "jwks = \"keys.jwks\"";
    refused(&with(jwks, ""), 7, "issuer[1].jwks", "no keys");
    let both = "jwks = \"a\"\npem = \"b\"\nalgorithm = \"ES256\"";
    refused(&with(jwks, both), 11, "issuer[1].pem", "line 10");
    refused(
        &with(jwks, "jwks = \"a\"\nkid = \"b\""),
        11,
        "issuer[1].kid",
        "pem only",
    );
    refused(
        &with(jwks, "pem = \"b\""),
        7,
        "issuer[1].algorithm",
        "missing",
    );
    for bad in ["none", "HS256", "es256", ""] {
        let text = with(jwks, &format!("pem = \"b\"\nalgorithm = \"{bad}\""));
        refused(&text, 11, "issuer[1].algorithm", "not an algorithm");
    }
}

const AUDIENCE: &str = "audience = \"t8\"\n";

fn profile(lines: &str) -> Profile {
    let config = good(&with(AUDIENCE, lines));
    config.issuers[0].profile.clone()
}

#[test]
fn profile_is_rfc_9068_where_nothing_else_is_said() {
    let audience = "t8".to_owned();
    let rfc9068 = Profile::Rfc9068 { audience };
    assert_eq!(good(SMALL).issuers[0].profile, rfc9068);
    assert_eq!(
        profile("audience = \"t8\"\nprofile = \"rfc9068\"\n"),
        rfc9068
    );
}

#[test]
fn profiles_are_read_with_what_goes_with_them() {
    let capif = profile("profile = \"capif\"\naef_id = \"aef-1\"\n");
    let aef_id = "aef-1".to_owned();
    assert_eq!(capif, Profile::Capif { aef_id });
    let small = "profile = \"custom\"\naudience = \"t8\"\nclient_id_claim = \"azp\"\n";
    let custom = Custom {
        audience: "t8".into(),
        kind: Some("at+jwt".into()),
        client_id: "azp".into(),
        scope: "scope".into(),
        jti: None,
    };
    assert_eq!(profile(small), Profile::Custom(custom.clone()));
    let all = format!("{small}type = \"JWT\"\nscope_claim = \"scp\"\njti_claim = \"uti\"\n");
    let (kind, jti) = (Some("JWT".into()), Some("uti".into()));
    let scope = "scp".into();
    let more = Custom {
        kind,
        scope,
        jti,
        ..custom.clone()
    };
    assert_eq!(profile(&all), Profile::Custom(more));
    let nameless = profile(&format!("{small}type = \"none\"\n"));
    let kind = None;
    assert_eq!(nameless, Profile::Custom(Custom { kind, ..custom }));
}

#[test]
fn what_a_profile_needs_is_missed_and_what_is_of_another_is_refused() {
    let of = |lines: &str| with(AUDIENCE, lines);
    let key = |name: &str| format!("issuer[1].{name}");
    refused(&of(""), 7, &key("audience"), "missing");
    refused(&of("profile = \"capif\"\n"), 7, &key("aef_id"), "missing");
    let custom = "profile = \"custom\"\naudience = \"t8\"\n";
    refused(&of(custom), 7, &key("client_id_claim"), "missing");
    let unknown = refused(
        &of("audience = \"t8\"\nprofile = \"capiff\"\n"),
        10,
        &key("profile"),
        "",
    );
    assert!(unknown.cure.contains("\"capif\""), "{unknown:?}");
    let capif = "profile = \"capif\"\naef_id = \"a\"\n";
    let custom = format!("{custom}client_id_claim = \"azp\"\n");
    for (own, others) in [
        (
            AUDIENCE,
            [
                "aef_id",
                "type",
                "client_id_claim",
                "scope_claim",
                "jti_claim",
            ]
            .as_slice(),
        ),
        (
            capif,
            &[
                "audience",
                "type",
                "client_id_claim",
                "scope_claim",
                "jti_claim",
            ],
        ),
        (&custom, &["aef_id"]),
    ] {
        for other in others {
            let text = of(&format!("{own}{other} = \"x\"\n"));
            let line = 9 + own.lines().count();
            refused(&text, line, &key(other), "goes with profile");
        }
    }
}

#[test]
fn aef_id_that_cannot_stand_in_a_scope_is_refused() {
    for id in ["a b", "a:b", "a;b", "a,b", "a\u{fc}", "a\\\\b"] {
        let text = with(
            AUDIENCE,
            &format!("profile = \"capif\"\naef_id = \"{id}\"\n"),
        );
        refused(&text, 10, "issuer[1].aef_id", "scope");
    }
}

#[test]
fn tokens_are_bound_where_nothing_else_is_said() {
    assert!(!good(SMALL).clients[0].unbound_tokens);
    let ids = "scs_as_ids = [\"one\"]\n";
    let text = with(ids, &format!("{ids}unbound_tokens = true\n"));
    assert!(good(&text).clients[0].unbound_tokens);
}
