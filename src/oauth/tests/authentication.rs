//! Clients that authenticate by assertions, and what is no authentication.

use std::sync::atomic::{AtomicU32, Ordering};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;
use crate::authz::assertion::AssertionFault;
use crate::authz::token::LEEWAY_S;
use crate::limits::ASSERTIONS_USED_MAX;
use crate::peer::OwnFile;

const TYPE: &str = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A\
                    client-assertion-type%3Ajwt-bearer";

fn of_file(path: impl AsRef<std::path::Path>) -> OwnFile {
    let path = path.as_ref().to_owned();
    OwnFile { path, line: 1 }
}

/// A client's key and the file it is registered by.
struct Pen {
    key: EcdsaKeyPair,
    file: tempfile::NamedTempFile,
}

impl Pen {
    fn new() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let (x, y) = key.public_key().as_ref()[1..].split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let jwk = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "c", "alg": "ES256"});
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), json!({ "keys": [jwk] }).to_string()).unwrap();
        Self { key, file }
    }

    fn stage(&self) -> Stage {
        let by = ClientAuthentication::PrivateKeyJwt(of_file(self.file.path()));
        let client = client_by("partner-1", Some(by), &["3gpp-nidd"]);
        Stage::new(client, &certificate(vec![dns(HOST)], &[]))
    }

    fn assertion(&self, audience: &str, jti: &str) -> String {
        let part = |json: serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let claims = json!({
            "iss": "partner-1", "sub": "partner-1", "aud": audience, "jti": jti,
            "exp": NOW.0 + 60,
        });
        let signed = format!("{}.{}", part(json!({"alg": "ES256"})), part(claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.unwrap()))
    }

    /// A good request, with an assertion of its own.
    fn form(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let jti = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
        asserting(&self.assertion(NAME, &jti))
    }
}

fn asserting(assertion: &str) -> String {
    format!("grant_type=client_credentials&{TYPE}&client_assertion={assertion}")
}

//= RFC 7523 section 2.2 type=test
//# A client that signs an assertion is granted what it may have, bound to its certificate.
//= RFC 7521 section 4.2 type=test
//# client_id may be left out, and must be the client's where it is not.
#[test]
fn client_with_an_assertion_is_granted_a_token_for_its_certificate() {
    let pen = Pen::new();
    let stage = pen.stage();
    let grant = stage.decide(pen.form()).unwrap();
    assert_eq!(grant.client_id(), "partner-1");
    assert_eq!(grant.thumbprint().0, stage.peer.thumbprint().0);
    assert!(
        stage
            .decide(format!("{}&client_id=partner-1", pen.form()))
            .is_ok()
    );
    let foreign = stage.decide(format!("{}&client_id=partner-2", pen.form()));
    assert_eq!(foreign, Err(GrantFault::ClientIdForeign));
}

#[test]
fn assertion_may_be_for_the_issuer_or_its_token_endpoint() {
    let pen = Pen::new();
    let stage = pen.stage();
    let endpoint = format!("{NAME}/oauth2/token");
    assert!(
        stage
            .decide(asserting(&pen.assertion(&endpoint, "a")))
            .is_ok()
    );
    let other = stage.decide(asserting(&pen.assertion(AUDIENCE, "b")));
    let fault = GrantFault::Assertion(AssertionFault::Audience);
    assert_eq!(other, Err(fault));
}

#[test]
fn assertion_opens_one_request_also_over_a_change_of_the_configuration() {
    let pen = Pen::new();
    let (mut stage, mut used) = (pen.stage(), AllUsed::default());
    let mut issuer = |clients: &[Client]| {
        used = used.with(clients);
        let terms = Terms {
            used: &used,
            ..terms(clients)
        };
        issuer_with(terms, Arc::clone(&KEY)).unwrap()
    };
    stage.issuer = issuer(std::slice::from_ref(&stage.client));
    let form = pen.form();
    assert!(stage.decide(&form).is_ok());
    assert_eq!(stage.decide(&form), Err(GrantFault::AssertionReplayed));
    // Meanwhile it was registered otherwise, and there was no issuer.
    let mut otherwise = stage.client.clone();
    otherwise.registration = partner().registration;
    for clients in [[otherwise], [stage.client.clone()]] {
        stage.issuer = issuer(&clients);
    }
    assert_eq!(stage.decide(&form), Err(GrantFault::AssertionReplayed));
    assert!(stage.decide(pen.form()).is_ok());
}

/// One that does not authenticate leaves its name for the client's own.
#[test]
fn assertion_that_is_refused_uses_nothing_up() {
    let pen = Pen::new();
    let stage = pen.stage();
    let forged = Pen::new().assertion(NAME, "one");
    let fault = GrantFault::Assertion(AssertionFault::SignatureBad);
    assert_eq!(stage.decide(asserting(&forged)), Err(fault));
    assert!(stage.decide(asserting(&pen.assertion(NAME, "one"))).is_ok());
    for jti in 0..ASSERTIONS_USED_MAX - 1 {
        let form = asserting(&pen.assertion(NAME, &format!("n{jti}")));
        assert!(stage.decide(form).is_ok());
    }
    let full = stage.decide(pen.form());
    // Until the second behind the last in which the first of them would be taken.
    let wait_s = u32::try_from(60 + LEEWAY_S).unwrap();
    assert_eq!(full, Err(GrantFault::AssertionsExhausted(wait_s)));
}

//= RFC 6749 section 2.3 type=test
//# One way to authenticate in a request: a secret, or two ways at once, are refused.
#[test]
fn second_authentication_is_refused() {
    let pen = Pen::new();
    let stage = pen.stage();
    for form in [
        format!("{GOOD}&client_secret=a"),
        format!("{}&client_secret=a", pen.form()),
    ] {
        assert_eq!(stage.decide(form), Err(GrantFault::SecondAuthentication));
    }
    let caller = Caller {
        authorization: Some(Scheme::Basic),
        ..stage.caller()
    };
    let both = stage.issuer.decide(pen.form().as_bytes(), &caller, NOW);
    assert_eq!(both, Err(GrantFault::SecondAuthentication));
    // Without a value it is not there.
    assert!(STAGE.decide(format!("{GOOD}&client_secret=")).is_ok());
}

//= RFC 6749 section 5.2 type=test
//# Who authenticates in an Authorization field is told so by its scheme.
#[test]
fn authorization_field_is_no_authentication_here() {
    for (value, scheme) in [
        (&b"Basic YTpi"[..], Scheme::Basic),
        (b"bearer abc", Scheme::Bearer),
        (b"Negotiate abc", Scheme::Basic),
        (b"", Scheme::Basic),
    ] {
        let caller = Caller {
            authorization: Some(Scheme::of(value)),
            ..STAGE.caller()
        };
        let refused = STAGE.issuer.decide(GOOD.as_bytes(), &caller, NOW);
        assert_eq!(refused, Err(GrantFault::AuthorizationRefused(scheme)));
    }
}

#[test]
fn client_authenticates_in_the_way_it_is_registered_for_and_no_other() {
    let pen = Pen::new();
    let by_certificate = pen.stage().decide(GOOD);
    assert_eq!(by_certificate, Err(GrantFault::AssertionMissing));
    let by_assertion = STAGE.decide(pen.form());
    assert_eq!(by_assertion, Err(GrantFault::AssertionUnregistered));
}

//= RFC 7521 section 4.2 type=test
//# An assertion comes with its type, and of a type that is known.
#[test]
fn assertion_and_its_type_go_together() {
    let pen = Pen::new();
    let stage = pen.stage();
    let assertion = pen.assertion(NAME, "a");
    for form in [
        format!("{GOOD}&client_assertion={assertion}"),
        format!("{GOOD}&{TYPE}"),
        format!("{GOOD}&client_assertion_type=saml2-bearer&client_assertion={assertion}"),
    ] {
        assert_eq!(stage.decide(form), Err(GrantFault::AssertionIncomplete));
    }
}

#[test]
fn keys_that_cannot_be_relied_on_are_no_registration() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let registered = |content: &str| {
        std::fs::write(file.path(), content).unwrap();
        let by = ClientAuthentication::PrivateKeyJwt(of_file(file.path()));
        fault(client_by("two", Some(by), &["3gpp-nidd"]))
    };
    for (content, says) in [
        ("", "not a JWKS"),
        (r#"{"keys":[]}"#, "0 keys"),
        (
            r#"{"keys":[{"kty":"oct","k":"AA","kid":"a","alg":"HS256"}]}"#,
            "SECRET",
        ),
    ] {
        let found = registered(content);
        assert_eq!(found.client, Some(ClientIndex(1)));
        assert!(found.what.contains(says), "{found}");
    }
    let by = ClientAuthentication::PrivateKeyJwt(of_file("/nowhere/at.jwks"));
    let client = client_by("two", Some(by), &["3gpp-nidd"]);
    let gone = fault(client.clone());
    assert!(gone.what.contains("/nowhere/at.jwks"), "{gone}");
    assert_eq!(gone.to_string(), format!("{}; {}", gone.what, gone.cure));
    // So it is where nobody has a key yet.
    assert_eq!(check_registrations(&[partner(), client]), Err(gone));
    assert_eq!(check_registrations(&[partner()]), Ok(()));
}

/// The files are read by whoever says in the handshake whose certificate it is: here none is.
//= RFC 8705 section 2.2 type=test
//# A client is known by the certificates that it has registered, and by no other.
#[test]
fn spec_5_2_row_08_client_is_known_by_the_certificates_that_were_read_for_it() {
    let [own, others, nobodys] = [(); 3].map(|()| certificate(Vec::new(), &[]));
    let by = |path: &str| {
        let path = path.into();
        let file = OwnFile { path, line: 1 };
        Some(ClientAuthentication::SelfSigned(vec![file]))
    };
    let clients = ["partner-1", "partner-2"]
        .map(|client_id| client_by(client_id, by("/nowhere/own.pem"), &["3gpp-nidd"]));
    assert_eq!(check_registrations(&clients), Ok(()));
    let read = OwnCertificates::from([
        (ClientIndex(0), vec![Thumbprint::of(&own)]),
        (ClientIndex(1), vec![Thumbprint::of(&others)]),
    ]);
    let terms = Terms {
        certificates: &read,
        ..terms(&clients)
    };
    let issuer = issuer_with(terms, Arc::clone(&KEY)).unwrap();
    for (certificate, is_its) in [(&own, true), (&others, false), (&nobodys, false)] {
        let caller = Caller {
            client: &clients[0],
            peer: &peer(certificate),
            policy: None,
            sets: None,
            authorization: None,
        };
        let found = issuer.decide(GOOD.as_bytes(), &caller, NOW);
        let wanted = match is_its {
            true => Ok(()),
            false => Err(GrantFault::CertificateUnfit),
        };
        assert_eq!(found.map(|_| ()), wanted);
        let for_operator = (ClientIndex(0), &clients[0]);
        let granted = issuer.decide_for_operator(for_operator, certificate, None);
        assert_eq!(granted.is_ok(), is_its);
    }
}

//= RFC 9110 section 11.6.1 type=test
//# A challenge names its scheme.
#[test]
fn schemes_are_named_as_challenges_name_them() {
    assert_eq!(Scheme::of(b"bearer abc").word(), "Bearer");
    assert_eq!(Scheme::of(b"Basic YTpi").word(), "Basic");
}
