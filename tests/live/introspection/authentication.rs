//! How the gateway says who asks: by assertions, and by keys in a token.

use std::path::PathBuf;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{Scene, TOKEN};
use crate::harness::introspection::Asked;
use crate::harness::mint::ISSUER;
use crate::harness::pki::{Key, Leaf, San};
use crate::harness::softhsm::Token;
use crate::harness::stage::{PATH, Stage};
use crate::harness::{command, run_well, wait_until};
use crate::hsm_lost::Store;
use crate::reload::reload;

/// An assertion as it was sent.
struct Sent {
    header: Value,
    claims: Value,
    signed: String,
    signature: Vec<u8>,
}

impl Sent {
    fn of(asked: &Asked) -> Self {
        let mut pairs = asked.form.split('&');
        let assertion = pairs.find_map(|pair| pair.strip_prefix("client_assertion="));
        let assertion = assertion.expect("an assertion");
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64url");
        let read = |part: &str| serde_json::from_slice(&decoded(part)).expect("JSON");
        let (signed, signature) = assertion.rsplit_once('.').expect("a signature");
        let (header, claims) = signed.split_once('.').expect("two parts");
        Self {
            header: read(header),
            claims: read(claims),
            signed: signed.to_owned(),
            signature: decoded(signature),
        }
    }
}

/// A key in a token: what the configuration says of it, and its SubjectPublicKeyInfo. The token is
/// there as long as the folder of the stage.
fn key_in_token(stage: &mut Stage) -> (String, Vec<u8>) {
    let token = Token::generate(stage.scratch.path(), Key::P256);
    let spki = token.generate_another(Key::P256, "asking", "0c");
    let configuration = token.configuration.display().to_string();
    let variable = ("SOFTHSM2_CONF".to_owned(), configuration);
    stage.environment.push(variable);
    let uri = token.uri.replace("object=server", "object=asking");
    let text = |path: &PathBuf| path.display().to_string();
    let lines = format!(
        "[issuer.introspection.key]\nmodule = {:?}\nuri = {uri:?}\npin_file = {:?}",
        text(&token.module),
        text(&token.pin_file)
    );
    (lines, spki)
}

/// A certificate of such a key.
fn certified(stage: &mut Stage) -> String {
    let (lines, spki) = key_in_token(stage);
    let leaf = Leaf::client(San::Dns("t8gate.example"));
    let certificate = stage.operator_ca.issue_for("t8gate", &leaf, &spki);
    let certificate = certificate.path.display().to_string();
    format!("certificate = {certificate:?}\n{lines}")
}

//= RFC 7523 section 2.2 type=test
//# The assertion and its type stand in the form, beside the client's name, and nothing else says
//# who asks.
//= RFC 7523 section 3 type=test
//# Issuer and subject are the client, the audience is who is asked, and each has its own name.
#[test]
fn assertions_that_a_key_in_a_token_signs_say_who_asks() {
    let mut spki = Vec::new();
    let scene = Scene::open_by("", |stage| {
        let (lines, public) = key_in_token(stage);
        spki = public;
        format!("private_key_jwt = true\nkid = \"gate-1\"\n{lines}")
    });
    let mut client = scene.client();
    assert_eq!(client.get(PATH, TOKEN).status, 200);
    assert_eq!(client.get(PATH, "nobody-knows-it").status, 401);
    let asked = scene.issuer.asked();
    let [one, two] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    for asked in [one, two] {
        let kind = "&client_id=t8%3Agate&client_assertion_type=\
                    urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&";
        assert!(asked.form.contains(kind), "{}", asked.form);
        assert!(!asked.head.contains("authorization:") && !asked.has_certificate);
        let sent = Sent::of(asked);
        assert_eq!(
            (&sent.header["alg"], &sent.header["kid"]),
            (&"ES256".into(), &"gate-1".into())
        );
        let claims = &sent.claims;
        assert_eq!(
            (&claims["iss"], &claims["sub"]),
            (&"t8:gate".into(), &"t8:gate".into())
        );
        assert_eq!(claims["aud"], ISSUER);
        let date = |name: &str| claims[name].as_u64().expect("a date");
        assert_eq!(date("exp") - date("iat"), 60);
        let point = &spki[spki.len() - 65..];
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(sent.signed.as_bytes(), &sent.signature)
            .expect("the key's signature");
    }
    assert_ne!(Sent::of(one).claims["jti"], Sent::of(two).claims["jti"]);
    let log = scene.house.gateway.log();
    assert!(!log.contains(&Sent::of(one).signed), "{log}");
}

#[test]
fn assertions_of_an_rsa_key_in_a_file_are_rs256_and_for_whom_it_is_said() {
    let mut public = None;
    let scene = Scene::open_by("", |stage| {
        let key = Key::Rsa2048.generate();
        public = Some(stage.scratch.write("asking.pub", key.public_key_pem()));
        let file = stage.scratch.write("asking.key", key.serialize_pem());
        format!(
            "private_key_jwt = true\nkey_file = {:?}\nassertion_audience = \"https://as/i\"",
            file.display().to_string()
        )
    });
    assert_eq!(scene.client().get(PATH, TOKEN).status, 200);
    let sent = Sent::of(&scene.issuer.asked()[0]);
    assert_eq!(sent.header["alg"], "RS256");
    assert_eq!(sent.header.get("kid"), None);
    assert_eq!(sent.claims["aud"], "https://as/i");
    let scratch = &scene.house.stage.scratch;
    let signature = scratch.write("signature", &sent.signature);
    let signed = scratch.write("signed", &sent.signed);
    let mut openssl = command("openssl");
    openssl
        .args(["dgst", "-sha256", "-verify"])
        .arg(public.expect("set above"));
    let said = run_well(openssl.arg("-signature").arg(signature).arg(signed));
    assert!(said.contains("Verified OK"), "{said}");
}

//= RFC 8705 section 2 type=test
//# A certificate whose key is in a token is shown like any other.
#[test]
fn certificate_whose_key_is_in_a_token_says_who_asks() {
    let scene = Scene::open_by("", certified);
    let mut client = scene.client();
    assert_eq!(client.get(PATH, TOKEN).status, 200);
    assert_eq!(client.get(PATH, "nobody-knows-it").status, 401);
    let asked = scene.issuer.asked();
    assert_eq!(asked.len(), 2);
    for asked in asked {
        assert!(asked.has_certificate, "{asked:?}");
        assert!(
            asked.form.ends_with("&client_id=t8%3Agate"),
            "{}",
            asked.form
        );
    }
}

#[test]
fn key_whose_token_is_away_costs_questions_alone_and_no_other_change_until_it_is_back() {
    let proof = |stage: &mut Stage| format!("private_key_jwt = true\n{}", key_in_token(stage).0);
    goes_away("the key that says who asks does not sign", proof);
}

/// The same of a key whose certificate is shown.
#[test]
fn certificates_key_whose_token_is_away_costs_questions_alone_until_it_is_back() {
    goes_away("the issuer cannot be asked about tokens", certified);
}

/// The token goes away, which is told by these words, and comes back.
fn goes_away(said: &str, proof: impl FnOnce(&mut Stage) -> String) {
    let mut scene = Scene::open_by("", proof);
    let mut client = scene.client();
    assert_eq!(client.get(PATH, TOKEN).status, 200);
    let store = Store::of(&scene.house.stage);
    store.lose();
    let mut asked = 0;
    wait_until("questions to be in vain", || {
        asked += 1;
        client.get(PATH, &format!("unknown-{asked}")).status == 503
    });
    scene.house.gateway.await_log(said);
    // What is remembered, and what is signed, is none of it.
    assert_eq!(client.get(PATH, TOKEN).status, 200);
    assert_eq!(client.get(PATH, &scene.house.token()).status, 200);
    scene.house.rewrite(|config| {
        config.set_text("deadlines.body", "9s");
    });
    reload(&scene.house);
    assert_eq!(client.get(PATH, &scene.house.token()).status, 200);
    store.bring_back();
    let known = "opaque-known-by-now";
    scene.issuer.knows(known, Scene::good(&scene.house));
    wait_until("questions to be answered", || {
        client.get(PATH, known).status == 200
    });
}

#[test]
fn key_that_is_not_the_certificates_is_refused_at_the_start() {
    use crate::harness::gateway::{check, write};
    let origin = crate::harness::origin::Origin::start();
    let mut stage = Stage::new(origin.address);
    let address = crate::harness::free_address();
    stage.config.set_text("listen.address", address);
    let leaf = Leaf::client(San::Dns("t8gate.example"));
    let own = stage.operator_ca.issue("t8gate", &leaf);
    let other = stage.operator_ca.issue("other", &leaf);
    let text = |path: &PathBuf| path.display().to_string();
    let lines = format!(
        "[issuer.introspection]\nurl = \"https://localhost:1/i\"\nca = {:?}\n\
         client_id = \"t8gate\"\ncertificate = {:?}\nkey_file = {:?}",
        text(&stage.operator_ca.certificate),
        text(&own.certificate),
        text(&other.key)
    );
    stage.config.extend_table("issuer", 0, &lines);
    let said = check(&write(stage.scratch.path(), &stage.config), &[]);
    assert!(!said.status.success());
    let said = format!("{}{}", said.stdout, said.stderr);
    assert!(said.contains("issuer.introspection.key"), "{said}");
}
