//! The issuer with keys from files and certificates made for each test. What it answers is held
//! against RFC 6749, 8705, 9068 and 8414, and its tokens against two readers.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use hsm::PrivateKey;
use rcgen::{CertificateParams, DnType, KeyPair, SanType};
use serde_json::Value;

use super::*;
use crate::authz::apis::ApiSet;
use crate::authz::scope::Rights;
use crate::clock::UnixSeconds;
use crate::peer::{ClientAuthentication, Peer, Registration, San, Thumbprint, TlsClientAuth};

mod assertion;
mod authentication;
mod capif;
mod details;
mod distinguished_name;
mod form;
mod grant;
mod introspection;
mod keys;
mod metadata;
mod mint;
mod revocation;
mod sealed;

const NAME: &str = "https://t8.operator.example:8443";
const AUDIENCE: &str = "https://t8.operator.example";
const LIFETIME: Duration = Duration::from_secs(600);
const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
const HOST: &str = "scs.partner.example";
const URI: &str = "urn:example:SCS-1";
/// The form of a good request.
const GOOD: &str = "grant_type=client_credentials&client_id=partner-1";

fn key_of(pair: &KeyPair) -> Arc<PrivateKey> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), pair.serialize_pem()).unwrap();
    Arc::new(PrivateKey::from_pem_file(file.path()).unwrap())
}

static KEY: LazyLock<Arc<PrivateKey>> = LazyLock::new(|| key_of(&KeyPair::generate().unwrap()));

fn client(client_id: &str, registered: Option<TlsClientAuth>, scopes: &[&str]) -> Client {
    let authentication = registered.map(ClientAuthentication::Tls);
    client_by(client_id, authentication, scopes)
}

/// One that authenticates in some way.
fn client_by(
    client_id: &str,
    authentication: Option<ClientAuthentication>,
    scopes: &[&str],
) -> Client {
    Client {
        name: client_id.to_owned(),
        client_id: client_id.to_owned(),
        partner: "default".to_owned(),
        sans: vec![San::Dns(HOST.to_owned())],
        scs_as_ids: vec!["scs-1".to_owned()],
        source_addresses: Vec::new(),
        unbound_tokens: false,
        registration: authentication.map(|authentication| Registration {
            authentication,
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            introspects: false,
            token_format: None,
        }),
        enabled: true,
    }
}

/// Its certificate carries [`HOST`].
fn partner() -> Client {
    let by_host = TlsClientAuth::SanDns(HOST.to_owned());
    client(
        "partner-1",
        Some(by_host),
        &["3gpp-nidd", "3gpp-monitoring-event"],
    )
}

fn terms(clients: &[Client]) -> Terms<'_> {
    Terms {
        name: NAME.to_owned(),
        audience: AUDIENCE.to_owned(),
        lifetime: LIFETIME,
        format: TokenFormat::Jwt,
        sealing: None,
        clients,
        certificates: Box::leak(Box::default()),
        used: Box::leak(Box::default()),
        apis: ApiSet::of_t8(),
        revokes: true,
    }
}

fn jwks(issuer: &Issuer) -> Vec<u8> {
    issuer.jwks(|_| false, NOW)
}

/// An issuer with one key.
fn issuer_with(terms: Terms<'_>, key: Arc<PrivateKey>) -> Result<Issuer, IssuerFault> {
    let key = Arc::new(TokenKey::prove(key)?);
    Issuer::new(terms, TokenKeys::new(key, [], Vec::new()).expect("one key"))
}

fn issuer_of(clients: &[Client]) -> Result<Issuer, IssuerFault> {
    let key = Arc::clone(&KEY);
    issuer_with(terms(clients), key)
}

/// A client certificate with these names in subjectAltName, and this subject, most general first.
fn certificate(sans: Vec<SanType>, subject: &[(DnType, &str)]) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = sans;
    params.distinguished_name = rcgen::DistinguishedName::new();
    for (kind, value) in subject {
        params.distinguished_name.push(kind.clone(), *value);
    }
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().to_vec()
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

fn uri(name: &str) -> SanType {
    SanType::URI(name.try_into().unwrap())
}

/// The peer of client 0 whose certificate has these octets.
fn peer(certificate: &[u8]) -> Peer {
    let thumbprint = digest(&SHA256, certificate).as_ref().try_into().unwrap();
    Peer::new(
        ClientIndex(0),
        Thumbprint(thumbprint),
        certificate.into(),
        u64::MAX,
        Arc::default(),
    )
}

/// One issuer, one client and its peer.
struct Stage {
    issuer: Issuer,
    client: Client,
    peer: Peer,
}

impl Stage {
    fn new(client: Client, certificate: &[u8]) -> Self {
        Self {
            issuer: issuer_of(std::slice::from_ref(&client)).unwrap(),
            client,
            peer: peer(certificate),
        }
    }

    fn decide(&self, form: impl AsRef<[u8]>) -> Result<Grant, GrantFault> {
        self.issuer.decide(form.as_ref(), &self.caller(), NOW)
    }

    fn caller(&self) -> Caller<'_> {
        Caller {
            peer: &self.peer,
            client: &self.client,
            policy: None,
            sets: None,
            authorization: None,
        }
    }

    /// A good request for everything.
    fn grant(&self) -> Grant {
        self.decide(GOOD).unwrap()
    }
}

static STAGE: LazyLock<Stage> =
    LazyLock::new(|| Stage::new(partner(), &certificate(vec![dns(HOST)], &[])));

fn values(rights: Rights) -> Vec<Cow<'static, str>> {
    rights.values().collect()
}

fn read(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap()
}

/// Why there is no issuer with this one client.
#[track_caller]
fn fault(client: Client) -> IssuerFault {
    issuer_of(&[partner(), client]).expect_err("there is an issuer")
}

#[test]
fn issuer_is_shared_between_threads_and_a_grant_travels() {
    fn shared<T: Send + Sync>() {}
    fn travels<T: Send + 'static>() {}
    shared::<Issuer>();
    travels::<Grant>();
    travels::<Minted>();
}

//= RFC 8414 section 3 type=test
//# The issuer has its paths, its description at the well-known one, and no other.
#[test]
fn issuer_has_its_paths_and_no_other() {
    let at = |path| STAGE.issuer.endpoint(path);
    assert_eq!(at("/oauth2/token"), Some(Endpoint::Token));
    assert_eq!(at("/oauth2/introspect"), Some(Endpoint::Introspection));
    assert_eq!(at("/oauth2/revoke"), Some(Endpoint::Revocation));
    assert_eq!(at("/oauth2/jwks"), Some(Endpoint::Jwks));
    let metadata = "/.well-known/oauth-authorization-server";
    assert_eq!(at(metadata), Some(Endpoint::Metadata));
    for path in [
        "/",
        "",
        "/oauth2",
        "/oauth2/token/",
        "/OAUTH2/token",
        "/oauth2/tokens",
    ] {
        assert_eq!(at(path), None, "{path}");
    }
}

#[test]
fn key_of_another_kind_is_refused_with_a_cure() {
    let key = key_of(&KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap());
    let fault = issuer_with(terms(&[]), key).unwrap_err();
    assert_eq!(fault.client, None);
    assert!(
        fault.what.contains("neither a P-256 key nor an RSA key"),
        "{fault}"
    );
    assert!(fault.cure.contains("prime256v1"), "{fault}");
}

#[test]
fn issuer_that_is_not_a_bare_https_url_is_refused() {
    for name in [
        "",
        "https://",
        "http://t8.example",
        "t8.example",
        "https://t8.example/",
        "https://t8.example/issuer",
        "https://t8.example?a",
        "https://t8.example#a",
        "https://user@t8.example",
        "https://t8 .example",
    ] {
        let key = Arc::clone(&KEY);
        let named = Terms {
            name: name.to_owned(),
            ..terms(&[])
        };
        let made = issuer_with(named, key);
        let fault = made.expect_err(name);
        assert!(fault.what.contains("https URL"), "{fault}");
    }
}

#[test]
fn registered_scope_that_names_no_api_is_refused_and_says_whose() {
    let by_host = || Some(TlsClientAuth::SanDns(HOST.to_owned()));
    let found = fault(client("two", by_host(), &["3gpp-nidd", "3gpp-nid"]));
    assert_eq!(found.client, Some(ClientIndex(1)));
    assert!(found.what.contains("\"3gpp-nid\""), "{found}");
    assert!(found.cure.contains("3gpp-nidd"), "{found}");
    let found = fault(client("two", by_host(), &[]));
    assert!(found.what.contains("no scopes"), "{found}");
}

#[test]
fn registered_name_that_no_certificate_can_have_is_refused() {
    for (registered, says) in [
        (TlsClientAuth::SanDns(String::new()), "names no host"),
        (
            TlsClientAuth::SanDns("*.partner.example".to_owned()),
            "names no host",
        ),
        (TlsClientAuth::SanUri(String::new()), "is empty"),
        (TlsClientAuth::SubjectDn(String::new()), "is empty"),
        (TlsClientAuth::SubjectDn("CN".to_owned()), "TYPE=VALUE"),
        (TlsClientAuth::SanEmail("scs".to_owned()), "is no mailbox"),
        (
            TlsClientAuth::SanEmail("@a.example".to_owned()),
            "is no mailbox",
        ),
    ] {
        let found = fault(client("two", Some(registered), &["3gpp-nidd"]));
        assert_eq!(found.client, Some(ClientIndex(1)));
        assert!(found.what.contains(says), "{found}");
        assert!(!found.cure.is_empty());
    }
}

#[test]
fn nothing_that_is_printed_names_a_client_or_shows_a_token() {
    let grant = STAGE.grant();
    let minted = STAGE.issuer.mint(&grant, NOW).unwrap();
    let printed = format!("{:?} {grant:?} {minted:?}", STAGE.issuer);
    let json = read(&minted.json);
    let token = json["access_token"].as_str().unwrap();
    assert!(!printed.contains("partner"), "{printed}");
    for part in token.split('.') {
        assert!(!printed.contains(part), "{printed}");
    }
}
