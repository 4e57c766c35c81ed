//! Clients that are known by certificates they have signed themselves.

use super::*;
use crate::peer::Thumbprint;
use crate::revoked::{Entry, FOR_EVER, Held, Id, Revoked, Whose};
use crate::tls::revocation::{CrlIssuer, Policy, Revocation, Rules};

/// As `openssl req -x509` makes them but for what the profile asks for: said to be a CA's, without
/// names, and without a list.
fn own_params() -> CertificateParams {
    let mut params = leaf_params(&[], ExtendedKeyUsagePurpose::ClientAuth);
    params.crl_distribution_points = Vec::new();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn signed_by_itself(params: &CertificateParams) -> Identity {
    let key = KeyPair::generate().unwrap();
    let der = params.self_signed(&key).unwrap().der().clone();
    Identity { der, key }
}

fn own(sans: &[&str]) -> Identity {
    let mut params = own_params();
    params.subject_alt_names =
        leaf_params(sans, ExtendedKeyUsagePurpose::ClientAuth).subject_alt_names;
    signed_by_itself(&params)
}

fn of(place: u32, who: &Identity) -> SelfSigned {
    SelfSigned {
        client: ClientIndex(place),
        certificate: who.der.clone(),
    }
}

/// Two that go by names, and behind them one without.
fn three() -> Vec<Client> {
    let mut clients = clients();
    let mut third = clients[0].clone();
    third.client_id = "three".into();
    third.sans = Vec::new();
    clients.push(third);
    clients
}

fn trust(world: &World, registered: Vec<SelfSigned>) -> ClientAuth {
    let groups = trusting(&world.ca, world.waived);
    let auth = ClientAuth::new(groups, &three()).unwrap();
    auth.registering(registered)
        .map_err(|faults| faults[0].what.clone())
        .unwrap()
}

fn terminator(world: &World, auth: ClientAuth) -> Arc<Terminator> {
    let auth = Arc::new(auth);
    let tickets = BoundTickets::with(Arc::clone(&world.sealing), Arc::clone(&auth), "a");
    let key = ServerKey::new(Arc::new(soft_key(&world.server.key)), false);
    let chain = vec![world.server.der.clone()];
    Arc::new(Terminator::build(shown(chain, key), auth, Vec::new(), tickets).unwrap())
}

fn heard(
    terminator: &Arc<Terminator>,
    config: ClientConfig,
    now: UnixSeconds,
) -> (Refusal, AlertDescription) {
    let (mut server, mut client) = (Handshake::new(terminator), client(&Arc::new(config)));
    match shake(&mut server, &mut client, now) {
        (Err(refusal), Err(Error::AlertReceived(alert))) => (refusal, alert),
        other => panic!("{other:?}"),
    }
}

fn judged(auth: &ClientAuth, who: &Identity) -> Result<ClientIndex, Refusal> {
    let leaf = auth.continued(std::slice::from_ref(&who.der), NOW)?;
    auth.peer(&leaf, NOW).map(|peer| peer.client())
}

fn peer_of(auth: &ClientAuth, who: &Identity) -> crate::peer::Peer {
    let leaf = auth.continued(std::slice::from_ref(&who.der), NOW).unwrap();
    auth.peer(&leaf, NOW).unwrap()
}

/// As by the operator's file.
fn revoke(revoked: &Revoked, who: &Identity) {
    let entry = Entry {
        id: Id::certificate(Thumbprint::of(&who.der)),
        held: Held::all_of_it(FOR_EVER),
        at: NOW,
        name: String::new(),
    };
    let whose = Whose::Nobody;
    revoked.take_file(&[crate::revoked::Revocation { entry, whose }]);
}

/// What is wrong with one that is to be registered for the third client.
fn unfit(world: &World, who: &Identity) -> String {
    let auth = ClientAuth::new(trusting(&world.ca, world.waived), &three()).unwrap();
    let faults = auth.registering(vec![of(2, who)]).expect_err("unfit");
    let [fault] = faults.as_slice() else {
        panic!("{faults:?}")
    };
    assert!(!fault.cure.is_empty());
    fault.what.clone()
}

//= RFC 8705 section 2.2 type=test
//# Who shows a registered certificate is its client, whatever else the certificate says.
#[test]
fn spec_5_2_row_08_registered_certificate_is_its_client_in_both_versions_and_goes_on() {
    let world = World::new();
    for who in [own(&[]), own(&["one.example", "two.example"])] {
        let terminator = terminator(&world, trust(&world, vec![of(2, &who)]));
        for version in BOTH {
            let mut config = world.config(version, &[&who]);
            config.resumption = Resumption::in_memory_sessions(4);
            let config = Arc::new(config);
            for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
                let (done, mut client) = established(&terminator, &config);
                assert_eq!(done.peer.client(), ClientIndex(2));
                assert!(done.peer.thumbprint() == Thumbprint::of(&who.der));
                assert_eq!(done.peer.not_after(), 4_102_444_800);
                assert!(!done.unchecked);
                let resumed = client.handshake_kind() == Some(HandshakeKind::Resumed);
                assert_eq!(resumed, expected == HandshakeKind::Resumed);
                give(&mut client, &done.outgoing).unwrap();
            }
        }
    }
}

#[test]
fn spec_5_2_row_08_self_signed_certificate_that_nobody_registered_ends_at_no_anchor() {
    let world = World::new();
    let registered = own(&["three.example"]);
    let terminator = terminator(&world, trust(&world, vec![of(2, &registered)]));
    // Of the same names, of the same key, and of another client's name.
    let again = {
        let der = own_params()
            .self_signed(&registered.key)
            .unwrap()
            .der()
            .clone();
        let key = KeyPair::from_pem(&registered.key.serialize_pem()).unwrap();
        Identity { der, key }
    };
    let mut plain = own_params();
    plain.is_ca = IsCa::NoCa;
    for who in [
        own(&["three.example"]),
        again,
        own(&["one.example"]),
        signed_by_itself(&plain),
    ] {
        for version in BOTH {
            let told = heard(&terminator, world.config(version, &[&who]), NOW);
            assert_eq!(told, (Refusal::UnknownCa, AlertDescription::UnknownCA));
        }
        // As without any that is registered.
        assert_eq!(
            refused_with(&world, &who),
            (Refusal::UnknownCa, AlertDescription::UnknownCA)
        );
    }
}

#[test]
fn spec_5_2_row_08_client_of_its_own_certificate_is_not_known_by_names_of_a_ca() {
    let world = World::new();
    let registered = own(&["three.example"]);
    let auth = trust(&world, vec![of(2, &registered)]);
    let issued = scs_as(&world.ca, &["three.example"]);
    assert_eq!(judged(&auth, &issued), Err(Refusal::NotMapped));
    assert_eq!(judged(&auth, &registered), Ok(ClientIndex(2)));
    // And what it may have signed is nobody's.
    let below = Ca {
        issuer: Issuer::new(
            own_params(),
            KeyPair::from_pem(&registered.key.serialize_pem()).unwrap(),
        ),
        der: registered.der.clone(),
    };
    let who = scs_as(&below, &["one.example"]);
    let chain = [who.der.clone(), registered.der.clone()];
    let refused = auth.continued(&chain, NOW).map(|_| ());
    assert_eq!(refused, Err(Refusal::UnknownCa));
}

#[test]
fn spec_5_2_row_08_registered_certificate_takes_its_own_key() {
    let world = World::new();
    let who = own(&[]);
    let terminator = terminator(&world, trust(&world, vec![of(2, &who)]));
    let thief = Identity {
        der: who.der.clone(),
        key: KeyPair::generate().unwrap(),
    };
    for version in BOTH {
        established(&terminator, &Arc::new(world.config(version, &[&who])));
        let key = PrivatePkcs8KeyDer::from(thief.key.serialize_der());
        let key = rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&key.into()).unwrap();
        let shown = rustls::sign::CertifiedKey::new(vec![thief.der.clone()], key);
        let mut config = world.config(version, &[&who]);
        config.client_auth_cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(shown));
        config.resumption = Resumption::disabled();
        assert_eq!(heard(&terminator, config, NOW).0, Refusal::BadCertificate);
    }
}

#[test]
fn spec_5_2_row_08_registered_certificate_is_taken_within_its_time_alone() {
    let world = World::new();
    let mut params = own_params();
    params.not_before = rcgen::date_time_ymd(2040, 1, 1);
    let early = signed_by_itself(&params);
    let terminator = terminator(&world, trust(&world, vec![of(2, &early)]));
    let within = UnixSeconds(2_300_000_000);
    for version in BOTH {
        let config = || world.config(version, &[&early]);
        for now in [NOW, LATER] {
            let told = heard(&terminator, config(), now);
            assert_eq!(told.0, Refusal::CertificateExpired);
            assert_eq!(told.1, AlertDescription::CertificateExpired);
        }
        let (mut server, mut client) = (Handshake::new(&terminator), client(&Arc::new(config())));
        let (outcome, heard) = shake(&mut server, &mut client, within);
        assert_eq!((outcome.map(|_| ()), heard), (Ok(()), Ok(())));
    }
    params.not_before = rcgen::date_time_ymd(2000, 1, 1);
    params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    // One that has ended lets nobody in, and the one beside it lets in.
    let (late, own) = (signed_by_itself(&params), own(&[]));
    let terminator = self::terminator(&world, trust(&world, vec![of(2, &late), of(2, &own)]));
    for version in BOTH {
        let told = heard(&terminator, world.config(version, &[&late]), NOW);
        let expired = (
            Refusal::CertificateExpired,
            AlertDescription::CertificateExpired,
        );
        assert_eq!(told, expired);
        established(&terminator, &Arc::new(world.config(version, &[&own])));
    }
}

fn hints(auth: &ClientAuth) -> Vec<Vec<u8>> {
    let hints = rustls::server::danger::ClientCertVerifier::root_hint_subjects(auth);
    hints.iter().map(|name| name.as_ref().to_vec()).collect()
}

fn subject_of(der: &[u8]) -> Vec<u8> {
    leaf::parsed(der).unwrap().subject().as_raw().to_vec()
}

fn own_named(common_name: &str) -> Identity {
    let mut params = own_params();
    let name = &mut params.distinguished_name;
    name.push(rcgen::DnType::CommonName, common_name);
    signed_by_itself(&params)
}

//= RFC 5246 section 7.4.4 type=test
//# Names that are told are of all who may come in, or none are.
#[test]
fn spec_5_2_row_08_registered_certificates_are_named_beside_the_cas() {
    let world = World::new();
    let (one, other) = (own_named("one of its own"), own_named("another"));
    let ca = subject_of(&world.ca.der);
    let names = hints(&trust(
        &world,
        vec![of(2, &one), of(2, &one), of(1, &other)],
    ));
    assert_eq!(names.len(), 3);
    for name in [&ca, &subject_of(&one.der), &subject_of(&other.der)] {
        assert!(names.contains(name));
    }
    assert_eq!(hints(&trust(&world, Vec::new())), [ca]);
}

#[test]
fn spec_5_2_row_08_registered_certificates_are_not_named_where_all_together_have_no_room() {
    let world = World::new();
    let long = |number: usize| own_named(&format!("{number}{}", "x".repeat(4_000)));
    let own: Vec<Identity> = (0..9).map(long).collect();
    let registered = |count: usize| { own.iter().take(count) }.map(|own| of(2, own)).collect();
    let named = |count: usize| trust(&world, registered(count)).names_its_cas();
    assert!(named(7) && !named(9));
    // CAs without room for their names are not left out beside one that has it.
    let long_ca = |number: usize| {
        let mut params = params(&format!("{number}{}", "x".repeat(4_000)));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = CA_USAGES.to_vec();
        signed_by_itself(&params).der
    };
    let mut groups = trusting(&world.ca, world.waived);
    groups[0].anchors = (0..9).map(long_ca).collect();
    let auth = ClientAuth::new(groups, &three()).unwrap();
    let auth = auth.registering(vec![of(2, &own_named("short"))]).unwrap();
    assert!(hints(&auth).is_empty());
}

#[test]
fn spec_5_2_row_08_certificate_is_registered_only_if_it_keeps_the_profile() {
    let world = World::new();
    let mut usage = own_params();
    usage.key_usages = Vec::new();
    let mut purpose = own_params();
    purpose.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let mut name = own_params();
    name.distinguished_name = rcgen::DistinguishedName::new();
    name.distinguished_name
        .push(rcgen::DnType::CommonName, "scs");
    for (params, rule) in [
        (usage, Rule::KeyUsage),
        (purpose, Rule::ExtendedKeyUsage),
        (name, Rule::NameForm),
    ] {
        let said = unfit(&world, &signed_by_itself(&params));
        assert!(said.contains(rule.name()), "{rule:?}: {said}");
    }
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let der = own_params().self_signed(&key).unwrap().der().clone();
    let said = unfit(&world, &Identity { der, key });
    assert!(said.contains(Rule::SignatureAlgorithm.name()), "{said}");
    let said = unfit(&world, &scs_as(&world.ca, &["three.example"]));
    assert_eq!(said, "is not signed with its own key");
    let mut broken = own(&[]);
    let mut octets = broken.der.to_vec();
    *octets.last_mut().unwrap() ^= 1;
    broken.der = octets.into();
    assert_eq!(unfit(&world, &broken), "is not signed with its own key");
    broken.der = vec![0x30, 0].into();
    assert_eq!(unfit(&world, &broken), "is no X.509 certificate");
}

#[test]
fn spec_5_2_row_08_certificate_is_registered_for_one_client_and_is_no_anchor() {
    let world = World::new();
    let who = own(&[]);
    let auth = || ClientAuth::new(trusting(&world.ca, world.waived), &three()).unwrap();
    let twice = auth().registering(vec![of(2, &who), of(1, &who)]);
    let faults = twice.expect_err("of two clients");
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].place, 1);
    assert_eq!(
        faults[0].what,
        "is registered for the client_id \"three\" as well"
    );
    // Twice for one client is once.
    assert!(auth().registering(vec![of(2, &who), of(2, &who)]).is_ok());
    // All that are unfit are told at once.
    let issued = scs_as(&world.ca, &["three.example"]);
    let faults = auth().registering(vec![of(2, &issued), of(2, &who), of(1, &issued)]);
    let places = |faults: Vec<UnfitSelfSigned>| faults.iter().map(|fault| fault.place).collect();
    let places: Vec<usize> = faults.map(|_| ()).map_err(places).expect_err("two");
    assert_eq!(places, [0, 2]);
    let mut usable = own_params();
    usable.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    usable.key_usages.extend(CA_USAGES);
    usable.extended_key_usages = Vec::new();
    let both = signed_by_itself(&usable);
    let mut groups = trusting(&world.ca, world.waived);
    groups[0].anchors.push(both.der.clone());
    let auth = ClientAuth::new(groups, &three()).unwrap();
    let faults = auth.registering(vec![of(2, &both)]).expect_err("an anchor");
    assert_eq!(faults[0].what, "is a trust anchor of clients as well");
}

#[test]
fn spec_5_2_row_08_client_whose_registration_is_gone_is_trusted_no_more() {
    let world = World::new();
    let (who, other) = (own(&["one.example"]), own(&[]));
    let before = trust(&world, vec![of(2, &who)]);
    let peer = peer_of(&before, &who);
    assert_eq!(before.still_trusts(&peer, NOW), Ok(ClientIndex(2)));
    // Beside another one it is what it was; in its place, it is nobody's, whatever its names say.
    let more = trust(&world, vec![of(2, &other), of(2, &who)]);
    assert_eq!(more.still_trusts(&peer, NOW), Ok(ClientIndex(2)));
    for gone in [vec![of(2, &other)], Vec::new()] {
        let without = trust(&world, gone);
        assert_eq!(without.still_trusts(&peer, NOW), Err(Refusal::UnknownCa));
        assert_ne!(without.epoch(), before.epoch());
        assert_eq!(judged(&without, &who), Err(Refusal::UnknownCa));
    }
    let moved = trust(&world, vec![of(1, &who)]);
    assert_eq!(moved.still_trusts(&peer, NOW), Err(Refusal::NotMapped));
    assert_ne!(moved.epoch(), before.epoch());
    let ended = before.still_trusts(&peer, LATER);
    assert_eq!(ended, Err(Refusal::CertificateExpired));
    // It may break what its group waives, for as long as that is waived.
    let mut params = own_params();
    params.key_usages = Vec::new();
    let lax = signed_by_itself(&params);
    let waived = World::of(ca(), RuleSet::EMPTY.with(Rule::KeyUsage));
    let peer = peer_of(&trust(&waived, vec![of(2, &lax)]), &lax);
    let mut strict = trust(&world, Vec::new());
    strict = strict.registering(vec![of(2, &who)]).unwrap();
    assert_eq!(strict.still_trusts(&peer, NOW), Err(Refusal::UnknownCa));
}

#[test]
fn spec_5_2_row_08_session_ends_with_the_registration() {
    let world = World::new();
    let who = own(&[]);
    for version in BOTH {
        let mut config = world.config(version, &[&who]);
        config.resumption = Resumption::in_memory_sessions(4);
        let config = Arc::new(config);
        let before = terminator(&world, trust(&world, vec![of(2, &who)]));
        let (done, mut begun) = established(&before, &config);
        give(&mut begun, &done.outgoing).unwrap();
        let after = terminator(&world, trust(&world, Vec::new()));
        let (mut server, mut client) = (Handshake::new(&after), client(&config));
        let (outcome, _) = shake(&mut server, &mut client, NOW);
        assert!(outcome.is_err(), "{outcome:?}");
    }
}

/// No list and no responder can speak of it, and so none is waited for; the operator can.
#[test]
fn spec_5_2_row_08_registered_certificate_is_withdrawn_by_the_operator_and_asked_of_nobody() {
    let world = World::new();
    let who = own(&[]);
    let hard = Rules {
        policy: Policy::HardFail,
        ocsp: Policy::HardFail,
        ..Rules::default()
    };
    for rules in [hard, Rules::default()] {
        let revoked = Arc::new(Revoked::default());
        let revocation = Arc::new(Revocation::beside(Arc::clone(&revoked)));
        revocation.take_lists_of(vec![CrlIssuer::read(&world.ca.der).unwrap()]);
        let mut groups = trusting(&world.ca, world.waived);
        groups[0].revocation = rules;
        let auth = ClientAuth::new(groups, &three()).unwrap();
        let auth = auth.registering(vec![of(2, &who)]).unwrap();
        let auth = auth.looking_up_in(Arc::clone(&revocation));
        let peer = peer_of(&auth, &who);
        assert_eq!(
            auth.unrevoked(ClientIndex(2), peer.lineage(), NOW),
            Ok(None)
        );
        let leaf = leaf::Leaf::read(&who.der).unwrap();
        assert!(!auth.must_ask(&leaf, NOW));
        revoke(&revoked, &who);
        let refused = Err(Refusal::RevokedHere);
        assert_eq!(auth.still_trusts(&peer, NOW), refused);
        assert_eq!(judged(&auth, &who), refused);
    }
}

/// For whoever looks at a certificate without a connection.
#[test]
fn certificate_claims_to_be_whom_it_is_registered_for_or_else_whom_it_names() {
    let world = World::new();
    let registered = own(&["one.example"]);
    let auth = trust(&world, vec![of(2, &registered)]);
    assert_eq!(auth.client_of(&registered.der, NOW), Ok(ClientIndex(2)));
    let named = scs_as(&world.ca, &["one.example"]);
    assert_eq!(auth.client_of(&named.der, NOW), Ok(ClientIndex(0)));
    let expired = Err(Refusal::CertificateExpired);
    assert_eq!(auth.client_of(&named.der, LATER), expired);
    let nobodys = scs_as(&world.ca, &["nobody.example"]);
    assert_eq!(auth.client_of(&nobodys.der, NOW), Err(Refusal::NotMapped));
    let nothing = rustls::pki_types::CertificateDer::from(&b"nothing"[..]);
    assert_eq!(auth.client_of(&nothing, NOW), Err(Refusal::BadCertificate));
}

#[test]
fn certificate_is_known_by_its_hash_with_its_end_and_whether_it_may_issue_others() {
    let world = World::new();
    let leaf = scs_as(&world.ca, &["one.example"]);
    let known = crate::tls::known_of(&leaf.der).expect("a certificate");
    assert_eq!(known.thumbprint.0, Thumbprint::of(&leaf.der).0);
    assert!(NOW < known.not_after && known.not_after < LATER);
    // Called a CA, and not let sign certificates.
    for (der, is_ca) in [
        (&leaf.der, false),
        (&own(&[]).der, false),
        (&world.ca.der, true),
    ] {
        let known = crate::tls::known_of(der).expect("a certificate");
        assert_eq!(known.is_ca, is_ca);
    }
    assert!(crate::tls::known_of(b"nothing").is_none());
}
