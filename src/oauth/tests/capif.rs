//! Tokens in CAPIF's form: what is granted, how they read, and that they are of no other kind.

use super::*;
use crate::authz::issuers::Issuers;
use crate::authz::token::{self, Issued, TokenFault};

const AEF: &str = "aef-t8";

fn with_capif(issuer: Issuer) -> Issuer {
    let key = TokenKey::prove(key_of(&KeyPair::generate().unwrap())).unwrap();
    issuer.with_capif(AEF.to_owned(), Arc::new(key)).unwrap()
}

/// One client of these scopes, and an issuer that issues to it in both forms.
fn stage(scopes: &[&str]) -> Stage {
    let by_host = TlsClientAuth::SanDns(HOST.to_owned());
    let mut client = client("partner-1", Some(by_host), scopes);
    client.registration.as_mut().unwrap().introspects = true;
    let mut stage = Stage::new(client, &certificate(vec![dns(HOST)], &[]));
    stage.issuer = with_capif(stage.issuer);
    stage
}

fn decide(stage: &Stage, more: &str, id: &str) -> Result<Grant, GrantFault> {
    let form = format!("{GOOD}{more}");
    stage
        .issuer
        .decide_for_capif(form.as_bytes(), id, &stage.caller(), NOW)
}

fn scope_of(stage: &Stage, more: &str) -> Result<String, GrantFault> {
    let grant = decide(stage, more, "partner-1")?;
    let minted = stage.issuer.mint(&grant, NOW).unwrap();
    Ok(read(&minted.json)["scope"].as_str().unwrap().to_owned())
}

fn issuers(stage: &Stage) -> Issuers {
    let capif = stage.issuer.capif_rules().unwrap().unwrap();
    Issuers::new(vec![stage.issuer.rules().unwrap(), capif]).unwrap()
}

fn text_of(minted: &Minted) -> String {
    read(&minted.json)["access_token"]
        .as_str()
        .unwrap()
        .to_owned()
}

//= TS 29.222 clause 8.5.4.2.6 type=test
//# So much of the scope is granted as the client may have whole at this AEF.
#[test]
fn capif_scope_is_granted_as_far_as_the_client_may_have_it() {
    let stage = stage(&["3gpp-monitoring-event", "3gpp-nidd", "3gpp-bdt:read"]);
    for (asked, granted) in [
        ("", "3gpp#aef-t8:3gpp-monitoring-event,3gpp-nidd"),
        ("&scope=", "3gpp#aef-t8:3gpp-monitoring-event,3gpp-nidd"),
        ("&scope=3gpp%23aef-t8:3gpp-nidd", "3gpp#aef-t8:3gpp-nidd"),
        (
            "&scope=3gpp%23aef-t8:3gpp-nidd,3gpp-chargeable-party,unknown;other:3gpp-bdt",
            "3gpp#aef-t8:3gpp-nidd",
        ),
        // Half of an API is not the whole of it, which is all that CAPIF can say.
        (
            "&scope=3gpp%23aef-t8:3gpp-bdt,3gpp-nidd",
            "3gpp#aef-t8:3gpp-nidd",
        ),
    ] {
        assert_eq!(scope_of(&stage, asked).as_deref(), Ok(granted), "{asked}");
    }
    for (asked, fault) in [
        (
            "&scope=3gpp%23aef-t8:3gpp-bdt",
            GrantFault::ScopeUnregistered,
        ),
        (
            "&scope=3gpp%23other:3gpp-nidd",
            GrantFault::ScopeUnregistered,
        ),
        ("&scope=3gpp-nidd", GrantFault::ScopeUnregistered),
        ("&scope=3gpp%23aef-t8", GrantFault::ScopeMalformed),
        ("&scope=3gpp%23aef-t8:", GrantFault::ScopeMalformed),
        ("&scope=3gpp%23:3gpp-nidd", GrantFault::ScopeMalformed),
        (
            "&scope=3gpp%23aef-t8:3gpp-nidd%20",
            GrantFault::ScopeMalformed,
        ),
    ] {
        assert_eq!(scope_of(&stage, asked), Err(fault), "{asked}");
    }
    let halves = self::stage(&["3gpp-nidd:read"]);
    assert_eq!(scope_of(&halves, ""), Err(GrantFault::ClientUnregistered));
}

//= TS 33.122 clause C.3.2 type=test
//# Who asks authenticates, and says its client_id and client_credentials, at its own path.
#[test]
fn capif_request_is_refused_like_any_other_and_at_anothers_path() {
    let stage = stage(&["3gpp-nidd"]);
    assert!(decide(&stage, "", "partner-1").is_ok());
    for id in ["partner-2", "", "PARTNER-1", "partner-1 "] {
        assert_eq!(
            decide(&stage, "", id),
            Err(GrantFault::SecurityIdForeign),
            "{id}"
        );
    }
    assert_eq!(GrantFault::SecurityIdForeign.error(), "invalid_client");
    for (more, fault) in [
        ("&client_secret=a", GrantFault::SecondAuthentication),
        ("&resOwnerId=a", GrantFault::ResourceOwnerUnsupported),
        ("&authCode=a", GrantFault::ResourceOwnerUnsupported),
        ("&authorization_details=[]", GrantFault::DetailsRefused),
        ("&scope=a&scope=b", GrantFault::ParameterRepeated),
    ] {
        assert_eq!(decide(&stage, more, "partner-1"), Err(fault), "{more}");
    }
    let ask = |form: &str| {
        let caller = stage.caller();
        stage
            .issuer
            .decide_for_capif(form.as_bytes(), "partner-1", &caller, NOW)
    };
    let code = "grant_type=authorization_code&client_id=partner-1";
    assert_eq!(ask(code), Err(GrantFault::GrantTypeUnsupported));
    assert_eq!(
        ask("client_id=partner-1"),
        Err(GrantFault::GrantTypeMissing)
    );
    assert_eq!(
        ask("grant_type=client_credentials&client_id=partner-2"),
        Err(GrantFault::ClientIdForeign)
    );
    let without = Stage::new(partner(), &certificate(vec![dns(HOST)], &[]));
    assert_eq!(
        decide(&without, "", "partner-1"),
        Err(GrantFault::ClientUnregistered)
    );
    let elsewhere = Stage {
        issuer: with_capif(Stage::new(partner(), &[]).issuer),
        client: partner(),
        peer: peer(&certificate(vec![dns("other.example")], &[])),
    };
    assert_eq!(
        decide(&elsewhere, "", "partner-1"),
        Err(GrantFault::CertificateUnfit)
    );
}

//= TS 29.222 clause 8.5.4.2.8 type=test
//# iss names the invoker.
//= TS 33.122 clause C.2 type=test
//# client_id is the invoker, and exp, client_id and scope are there.
//= RFC 8725 section 3.12 type=test
//# What verifies tokens of one kind verifies none of the other.
#[test]
fn capif_token_is_taken_as_one_and_never_as_one_of_rfc_9068() {
    let stage = stage(&["3gpp-nidd"]);
    let capif = stage
        .issuer
        .mint(&decide(&stage, "", "partner-1").unwrap(), NOW)
        .unwrap();
    let other = stage.issuer.mint(&stage.grant(), NOW).unwrap();
    let said = read(&capif.json);
    assert_eq!(said["token_type"], "Bearer");
    assert_eq!(said["expires_in"], LIFETIME.as_secs());
    let (capif, other) = (text_of(&capif), text_of(&other));
    let both = issuers(&stage);
    let verified = token::verify(capif.as_bytes(), &both, NOW).unwrap();
    assert_eq!(verified.issuer, format!("{NAME}/capif-security/v1"));
    assert_eq!(verified.client_id, "partner-1");
    assert_eq!(values(verified.grant.rights), ["3gpp-nidd"]);
    assert!(verified.grant.thumbprint == Some(stage.peer.thumbprint()));
    assert!(verified.jti.is_some() && verified.issued == Issued::At(NOW));
    assert_eq!(
        token::verify(other.as_bytes(), &both, NOW).unwrap().issuer,
        NAME
    );
    // Neither is taken where the other kind alone is.
    let alone = |rules| Issuers::new(vec![rules]).unwrap();
    let rfc = alone(stage.issuer.rules().unwrap());
    let refused = token::verify(capif.as_bytes(), &rfc, NOW);
    assert_eq!(refused, Err(TokenFault::IssuerUnknown));
    let core = alone(stage.issuer.capif_rules().unwrap().unwrap());
    assert!(token::verify(other.as_bytes(), &core, NOW).is_err());
    // Its key is nowhere but here.
    let kid = verified.key_id.unwrap();
    let published = stage.issuer.jwks(|_| false, NOW);
    assert!(!String::from_utf8_lossy(&published).contains(&kid));
    let header = capif.split('.').next().unwrap();
    use base64::Engine as _;
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(header)
        .unwrap();
    assert_eq!(read(&header)["typ"], "JWT");
}

/// The claims of one kind, signed with the key of the other, are of neither.
#[test]
fn token_with_claims_of_one_kind_and_the_key_of_the_other_is_refused() {
    let key = KeyPair::generate().unwrap();
    let proved = || Arc::new(TokenKey::prove(key_of(&key)).unwrap());
    let clients = [partner()];
    let rfc = Issuer::new(
        terms(&clients),
        TokenKeys::new(proved(), [], Vec::new()).unwrap(),
    );
    let capif = issuer_of(&clients)
        .unwrap()
        .with_capif(AEF.to_owned(), proved())
        .unwrap();
    let mut stage = Stage::new(partner(), &certificate(vec![dns(HOST)], &[]));
    stage.issuer = capif;
    // As if the key had been taken for the other kind somewhere.
    let of_9068 = text_of(&rfc.unwrap().mint(&stage.grant(), NOW).unwrap());
    assert!(token::verify(of_9068.as_bytes(), &issuers(&stage), NOW).is_err());
}

#[test]
fn key_of_capif_that_is_another_key_of_the_issuer_is_refused() {
    let issuer = issuer_of(&[partner()]).unwrap();
    let key = Arc::new(TokenKey::prove(Arc::clone(&KEY)).unwrap());
    let fault = issuer.with_capif(AEF.to_owned(), key).unwrap_err();
    assert!(
        fault.what.contains("[oauth.capif]") && fault.lasts,
        "{fault}"
    );
    // Two cores that share one could not be told apart either.
    let stage = stage(&["3gpp-nidd"]);
    let rules = stage.issuer.capif_rules().unwrap().unwrap();
    let profile = rules.profile().clone();
    let twin = IssuerRules::new("core".to_owned(), profile, Arc::clone(rules.keys())).unwrap();
    assert!(
        Issuers::new(vec![rules, twin])
            .unwrap_err()
            .cure
            .contains("told apart")
    );
}

#[test]
fn capif_token_is_introspected_and_ended_like_any_other() {
    let stage = stage(&["3gpp-nidd"]);
    let token = text_of(
        &stage
            .issuer
            .mint(&decide(&stage, "", "partner-1").unwrap(), NOW)
            .unwrap(),
    );
    let (form, issuers) = (
        format!("client_id=partner-1&token={token}"),
        issuers(&stage),
    );
    let (form, caller) = (form.as_bytes(), stage.caller());
    let told = |in_force| {
        let verify = |token: &[u8]| token::verify(token, &issuers, NOW).ok();
        let in_force = |_: &[u8], _: &VerifiedToken| in_force;
        let issuer = &stage.issuer;
        let said = issuer.introspect(form, &caller, &issuers, verify, in_force, NOW);
        read(&said.unwrap())
    };
    assert_eq!(told(true)["active"], true);
    assert_eq!(told(true)["scope"], "3gpp#aef-t8:3gpp-nidd");
    assert_eq!(told(false), serde_json::json!({"active": false}));
    let named = |_: &[u8], verified: Option<token::VerifiedToken>| verified.unwrap().client_id;
    let ended = stage.issuer.revocable(form, &caller, &issuers, NOW, named);
    assert_eq!(ended, Ok(Some("partner-1".to_owned())));
}

#[test]
fn capif_path_has_one_segment_for_the_client_and_is_there_with_a_key_alone() {
    let stage = stage(&["3gpp-nidd"]);
    let at = |path: &str| stage.issuer.endpoint(path);
    let path = |id: &str| format!("/capif-security/v1/securities/{id}/token");
    assert_eq!(at(&path("partner-1")), Some(Endpoint::Capif));
    assert_eq!(security_id(&path("a%20b")), Some("a%20b"));
    for id in ["", "a/b", "a/"] {
        assert_eq!(at(&path(id)), None, "{id}");
    }
    assert_eq!(at("/capif-security/v1/securities/token"), None);
    assert_eq!(at("/capif-security/v1/securities/a/tokens"), None);
    assert_eq!(STAGE.issuer.endpoint(&path("partner-1")), None);
}

/// spec.md 5.2 #13.
//= RFC 7009 section 2.2.1 type=test
//# A token in CAPIF's form by a key that is not known here is not said to be gone.
#[test]
fn own_token_in_the_form_of_capif_by_an_unknown_key_is_not_said_to_be_gone() {
    let [here, there] = [(); 2].map(|()| stage(&["3gpp-nidd"]));
    let grant = decide(&there, "", "partner-1").unwrap();
    let token = text_of(&there.issuer.mint(&grant, NOW).unwrap());
    let form = format!("client_id=partner-1&token={token}");
    let named = |_: &[u8], _| panic!("nobody can say whose it is");
    let (form, caller, issuers) = (form.as_bytes(), here.caller(), issuers(&here));
    let said = here.issuer.revocable(form, &caller, &issuers, NOW, named);
    let said = said.map(|named: Option<()>| named.is_some());
    assert_eq!(said, Err(GrantFault::TokenKeyUnknown));
}

/// By the one a token is found again by whoever revokes it, by the others whoever looks after keys.
#[test]
fn issuer_has_a_name_and_a_key_for_tokens_of_each_form() {
    let stage = stage(&["3gpp-nidd"]);
    let (issuer, own) = (&stage.issuer, stage.grant());
    let capif = decide(&stage, "", "partner-1").unwrap();
    assert_eq!(issuer.name_for(&own), NAME);
    let rules = issuer.capif_rules().unwrap().unwrap();
    assert_eq!(issuer.name_for(&capif), rules.name());
    assert_ne!(rules.name(), NAME);
    let key = issuer.kid_of(&capif, NOW);
    assert_eq!(issuer.capif_kid(), Some((key, rules.name())));
    assert_eq!(STAGE.issuer.capif_kid(), None);
    let kids: Vec<_> = issuer.signing().map(|key| key.kid()).collect();
    assert_eq!(kids, [issuer.kid_of(&own, NOW), issuer.kid_of(&capif, NOW)]);
    assert!(kids[0] != kids[1] && kids.iter().all(|kid| !kid.is_empty()));
}

#[test]
fn path_is_the_one_that_is_published_with_one_segment_for_the_client() {
    let path = |id: &str| CAPIF_TOKEN_PATH.replace(crate::oauth::capif::SECURITY_ID, id);
    for id in ["a", "partner-1", "%7Ba%7D"] {
        assert_eq!(security_id(&path(id)), Some(id));
    }
    for id in ["", "a/b", "/"] {
        assert_eq!(security_id(&path(id)), None, "{id}");
    }
    let longer = format!("{}/", path("a"));
    assert_eq!(security_id(&longer), None);
    assert_eq!(security_id(&path("a")[1..]), None);
}
