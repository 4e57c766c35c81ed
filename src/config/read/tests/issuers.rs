//! Whose tokens are taken, and how they are read.

use super::*;
use crate::authz::issuers::{Custom, Profile};
use crate::config::{IssuerKeys, KeysPlace, PublishedKeys};

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

const JWKS: &str = "jwks = \"keys.jwks\"\n";

fn published(lines: &str) -> PublishedKeys {
    let config = good(&with(JWKS, &format!("ca = \"ca.pem\"\n{lines}")));
    match config.issuers[0].keys.value.clone() {
        IssuerKeys::Published(published) => published,
        other => panic!("{other:?}"),
    }
}

#[test]
fn keys_that_are_published_are_read_with_defaults_and_with_what_is_chosen() {
    let keys = published("jwks_url = \"https://as.example:8443/keys?a=b\"\n");
    let KeysPlace::Jwks(url) = &keys.place else {
        panic!("{keys:?}")
    };
    assert_eq!(
        (url.host.as_str(), url.port, url.target.as_str()),
        ("as.example", 8443, "/keys?a=b")
    );
    assert_eq!(keys.ca.value, Path::new("/etc/t8gate/ca.pem"));
    assert_eq!(keys.algorithm, None);
    assert_eq!(keys.refresh, Duration::from_secs(300));
    assert_eq!(keys.max_age, Duration::from_secs(86_400));
    let chosen = published(
        "jwks_url = \"https://as.example/keys\"\nalgorithm = \"PS256\"\nrefresh = \"10s\"\n\
         keys_max_age = \"1m\"\n",
    );
    assert_eq!(chosen.algorithm.as_deref(), Some("PS256"));
    assert_eq!(chosen.refresh, Duration::from_secs(10));
    assert_eq!(chosen.max_age, Duration::from_secs(60));
}

#[test]
fn longest_life_of_an_issuers_tokens_is_read_within_its_bounds() {
    let text = |said: &str| with(JWKS, &format!("{JWKS}token_lifetime_max = {said:?}\n"));
    let read = |text: &str| good(text).issuers[0].token_lifetime_max;
    assert_eq!(read(SMALL), Duration::from_secs(31 * 86_400));
    for (said, seconds) in [("1m", 60), ("744h", 31 * 86_400)] {
        assert_eq!(read(&text(said)), Duration::from_secs(seconds));
    }
    for bad in ["59s", "745h"] {
        let wrong = fault(&text(bad));
        assert_eq!(wrong.key, "issuer[1].token_lifetime_max");
        assert!(wrong.cure.contains("from 1m to 744h"), "{wrong:?}");
    }
}

//= RFC 8414 section 3.1 type=test
//# The well-known part stands between host and path.
//= RFC 8414 section 5 type=test
//# OpenID's stands behind the path.
#[test]
fn description_is_where_the_issuers_name_says() {
    let at = |name: &str, discovery: &str| {
        let text = with("https://issuer.example", name);
        let lines = format!("ca = \"ca.pem\"\ndiscovery = {discovery:?}\n");
        let text = text.replacen(JWKS, &lines, 1);
        match good(&text).issuers[0].keys.value.clone() {
            IssuerKeys::Published(published) => published.place.to_string(),
            other => panic!("{other:?}"),
        }
    };
    let (oauth, openid) = ("oauth-authorization-server", "openid-configuration");
    for (name, of_oauth, of_openid) in [
        ("https://as.example", "", ""),
        ("https://as.example/", "", ""),
        ("https://as.example:8443/a/b", "/a/b", "/a/b"),
        ("https://as.example/a/", "/a", "/a"),
    ] {
        let host = name
            .trim_start_matches("https://")
            .split('/')
            .next()
            .unwrap();
        let wanted = format!("https://{host}/.well-known/{oauth}{of_oauth}");
        assert_eq!(at(name, oauth), wanted);
        let wanted = format!("https://{host}{of_openid}/.well-known/{openid}");
        assert_eq!(at(name, openid), wanted);
    }
}

#[test]
fn what_goes_with_published_keys_is_missed_and_refused_elsewhere() {
    let key = |name: &str| format!("issuer[1].{name}");
    let url = "jwks_url = \"https://as.example/keys\"\n";
    refused(&with(JWKS, url), 7, &key("ca"), "missing");
    for (bad, what) in [
        ("http://as.example/keys", "https"),
        ("as.example/keys", "neither"),
        ("https://user:secret@as.example/keys", "password"),
        ("https:///keys", "no host"),
    ] {
        let text = with(JWKS, &format!("ca = \"c\"\njwks_url = {bad:?}\n"));
        let fault = refused(&text, 11, &key("jwks_url"), what);
        assert!(!format!("{fault:?}").contains("secret"));
    }
    let both = format!("ca = \"c\"\n{url}discovery = \"openid-configuration\"\n");
    refused(&with(JWKS, &both), 12, &key("discovery"), "line 11");
    let unknown = "ca = \"c\"\ndiscovery = \"openid\"\n";
    refused(&with(JWKS, unknown), 11, &key("discovery"), "no place");
    let nameless = with("https://issuer.example", "issuer");
    let described = "ca = \"c\"\ndiscovery = \"openid-configuration\"\n";
    let text = nameless.replacen(JWKS, described, 1);
    refused(&text, 11, &key("discovery"), "no https URL");
    for (name, value) in [
        ("ca", "\"c\""),
        ("refresh", "\"1m\""),
        ("keys_max_age", "\"1h\""),
    ] {
        let text = with(JWKS, &format!("{JWKS}{name} = {value}\n"));
        refused(&text, 11, &key(name), "goes with jwks_url and discovery");
    }
    let elliptic = format!("ca = \"c\"\n{url}algorithm = \"ES256\"\n");
    refused(&with(JWKS, &elliptic), 12, &key("algorithm"), "RSA");
    let kid = format!("ca = \"c\"\n{url}kid = \"a\"\n");
    refused(&with(JWKS, &kid), 12, &key("kid"), "pem only");
}
