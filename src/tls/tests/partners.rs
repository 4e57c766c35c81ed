//! Partner groups: whose CA may vouch for whom, what is waived for whom, and what becomes of a peer
//! when that changes.

use super::*;
use crate::tls::revocation::Rules;

/// Two groups with a CA each; the first client is of the first, the second of the second.
struct Two {
    own: Ca,
    other: Ca,
}

impl Two {
    fn new() -> Self {
        Self {
            own: ca(),
            other: named_ca("Other TLS CA"),
        }
    }

    fn group(name: &str, anchors: &[&Ca], waived: RuleSet) -> PartnerGroup {
        PartnerGroup {
            name: name.into(),
            anchors: anchors.iter().map(|ca| ca.der.clone()).collect(),
            waived,
            revocation: Rules::default(),
        }
    }

    fn groups(&self) -> Vec<PartnerGroup> {
        vec![
            Self::group("own", &[&self.own], RuleSet::EMPTY),
            Self::group("other", &[&self.other], RuleSet::EMPTY),
        ]
    }
}

fn named_ca(common_name: &str) -> Ca {
    let key = KeyPair::generate().unwrap();
    let mut params = params(common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = CA_USAGES.to_vec();
    let der = params.self_signed(&key).unwrap().der().clone();
    let issuer = Issuer::new(params, key);
    Ca { issuer, der }
}

fn members() -> Vec<Client> {
    let mut clients = clients();
    clients[0].partner = "own".into();
    clients[1].partner = "other".into();
    clients
}

fn trust(groups: Vec<PartnerGroup>) -> ClientAuth {
    ClientAuth::new(groups, &members()).unwrap()
}

fn judged(auth: &ClientAuth, who: &Identity) -> Result<ClientIndex, Refusal> {
    let leaf = auth.continued(std::slice::from_ref(&who.der), NOW)?;
    auth.peer(&leaf, NOW).map(|peer| peer.client())
}

fn without_crl(ca: &Ca, san: &str) -> Identity {
    let mut params = leaf_params(&[san], ExtendedKeyUsagePurpose::ClientAuth);
    params.crl_distribution_points = Vec::new();
    let key = KeyPair::generate().unwrap();
    let der = params.signed_by(&key, &ca.issuer).unwrap().der().clone();
    Identity { der, key }
}

#[test]
fn certificate_of_one_groups_ca_is_no_client_of_another_group() {
    let two = Two::new();
    let auth = trust(two.groups());
    assert_eq!(
        judged(&auth, &scs_as(&two.own, &["one.example"])),
        Ok(ClientIndex(0))
    );
    assert_eq!(
        judged(&auth, &scs_as(&two.other, &["two.example"])),
        Ok(ClientIndex(1))
    );
    for (ca, name) in [(&two.own, "two.example"), (&two.other, "one.example")] {
        let outcome = judged(&auth, &scs_as(ca, &[name]));
        assert_eq!(outcome, Err(Refusal::OtherPartner));
        let nobody = judged(&auth, &scs_as(ca, &["nobody.example"]));
        assert_eq!(nobody, Err(Refusal::NotMapped));
    }
    let stranger = named_ca("Stranger CA");
    for name in ["one.example", "nobody.example"] {
        let outcome = judged(&auth, &scs_as(&stranger, &[name]));
        assert_eq!(outcome, Err(Refusal::UnknownCa), "{name}");
    }
}

#[test]
fn ca_of_several_groups_vouches_for_clients_of_each() {
    let two = Two::new();
    let auth = trust(vec![
        Two::group("own", &[&two.own], RuleSet::EMPTY),
        Two::group("other", &[&two.other, &two.own], RuleSet::EMPTY),
    ]);
    assert_eq!(
        judged(&auth, &scs_as(&two.own, &["one.example"])),
        Ok(ClientIndex(0))
    );
    assert_eq!(
        judged(&auth, &scs_as(&two.own, &["two.example"])),
        Ok(ClientIndex(1))
    );
}

#[test]
fn rule_is_waived_for_the_group_that_says_so_and_for_no_other() {
    let two = Two::new();
    let waived = RuleSet::EMPTY.with(Rule::CrlDistributionPoints);
    let auth = trust(vec![
        Two::group("own", &[&two.own], RuleSet::EMPTY),
        Two::group("other", &[&two.other], waived),
    ]);
    let refused = Err(Refusal::Profile(Rule::CrlDistributionPoints));
    assert_eq!(
        judged(&auth, &without_crl(&two.own, "one.example")),
        refused
    );
    let taken = judged(&auth, &without_crl(&two.other, "two.example"));
    assert_eq!(taken, Ok(ClientIndex(1)));
}

#[test]
fn trust_epoch_changes_with_waivers_groups_and_members() {
    let two = Two::new();
    let waived = RuleSet::EMPTY.with(Rule::CrlDistributionPoints);
    let groups = |own: &str, waived| {
        vec![
            Two::group(own, &[&two.own], waived),
            Two::group("other", &[&two.other], RuleSet::EMPTY),
        ]
    };
    let plain = trust(groups("own", RuleSet::EMPTY)).epoch();
    assert_eq!(trust(groups("own", RuleSet::EMPTY)).epoch(), plain);
    assert_ne!(trust(groups("own", waived)).epoch(), plain);
    let mut moved = members();
    moved[0].partner = "other".into();
    let moved = ClientAuth::new(groups("own", RuleSet::EMPTY), &moved);
    assert_ne!(moved.unwrap().epoch(), plain);
}

#[test]
fn peer_is_judged_again_by_what_holds_now() {
    let two = Two::new();
    let waived = RuleSet::EMPTY.with(Rule::CrlDistributionPoints);
    let with_waiver = || {
        vec![
            Two::group("own", &[&two.own], waived),
            Two::group("other", &[&two.other], RuleSet::EMPTY),
        ]
    };
    let before = trust(with_waiver());
    let peer_of = |who: &Identity| {
        let leaf = before
            .continued(std::slice::from_ref(&who.der), NOW)
            .unwrap();
        before.peer(&leaf, NOW).unwrap()
    };
    let peer = peer_of(&scs_as(&two.own, &["one.example"]));
    let lax = peer_of(&without_crl(&two.own, "one.example"));
    assert_eq!(peer.lineage().client_id, "one");
    assert_eq!(peer.lineage().certificates.len(), 1);

    // The same, and another order of clients.
    assert_eq!(
        trust(with_waiver()).still_trusts(&peer, NOW),
        Ok(ClientIndex(0))
    );
    let turned: Vec<Client> = members().into_iter().rev().collect();
    let turned = ClientAuth::new(with_waiver(), &turned).unwrap();
    assert_eq!(turned.still_trusts(&peer, NOW), Ok(ClientIndex(1)));
    // Without the waiver.
    let strict = trust(two.groups());
    assert_eq!(strict.still_trusts(&peer, NOW), Ok(ClientIndex(0)));
    let rule = Err(Refusal::Profile(Rule::CrlDistributionPoints));
    assert_eq!(strict.still_trusts(&lax, NOW), rule);
    // Its CA is the other group's now, and then nobody's.
    let swapped = trust(vec![
        Two::group("own", &[&two.other], RuleSet::EMPTY),
        Two::group("other", &[&two.own], RuleSet::EMPTY),
    ]);
    assert_eq!(swapped.still_trusts(&peer, NOW), Err(Refusal::OtherPartner));
    let fresh = Two::new();
    assert_eq!(
        trust(fresh.groups()).still_trusts(&peer, NOW),
        Err(Refusal::UnknownCa)
    );
    // Its name is another client's, or nobody's; or it has ended.
    let mut renamed = members();
    renamed[0].client_id = "three".into();
    let renamed = ClientAuth::new(two.groups(), &renamed).unwrap();
    assert_eq!(renamed.still_trusts(&peer, NOW), Err(Refusal::NotMapped));
    let mut gone = members();
    gone.remove(0);
    let gone = ClientAuth::new(two.groups(), &gone).unwrap();
    assert_eq!(gone.still_trusts(&peer, NOW), Err(Refusal::NotMapped));
    let ended = Err(Refusal::CertificateExpired);
    assert_eq!(trust(two.groups()).still_trusts(&peer, LATER), ended);
}

#[test]
fn first_group_that_knows_the_ca_says_what_is_wrong_with_a_client_of_nobody() {
    let two = Two::new();
    let mut params = leaf_params(&["nobody.example"], ExtendedKeyUsagePurpose::ClientAuth);
    params.crl_distribution_points = Vec::new();
    params.key_usages = Vec::new();
    let key = KeyPair::generate().unwrap();
    let der = params
        .signed_by(&key, &two.own.issuer)
        .unwrap()
        .der()
        .clone();
    let who = Identity { der, key };
    let no_lists = RuleSet::EMPTY.with(Rule::CrlDistributionPoints);
    let no_usage = RuleSet::EMPTY.with(Rule::KeyUsage);
    for (first, second, expected) in [
        (no_lists, no_usage, Rule::KeyUsage),
        (no_usage, no_lists, Rule::CrlDistributionPoints),
    ] {
        let auth = trust(vec![
            Two::group("other", &[&two.other], RuleSet::EMPTY),
            Two::group("own", &[&two.own], first),
            Two::group("third", &[&two.own], second),
        ]);
        assert_eq!(judged(&auth, &who), Err(Refusal::Profile(expected)));
    }
}
