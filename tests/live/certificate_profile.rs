//! TS 33.310's certificate profile on the wire: for each rule a client of openssl's whose chain
//! breaks that rule alone. It gets the rule's alert, the audit file names the rule, and its count
//! is one more. What `t8gate check --conformance` says of the same configuration is held against
//! it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use rcgen::{KeyPair, SubjectPublicKeyInfo};
use rustls::pki_types::CertificateDer;
use serde_json::Value;
use t8gate::tls::RULES;

use crate::harness::admin::Admin;
use crate::harness::odd_certificates::{
    ANY_PURPOSE, AUTHORITY_INFO_ACCESS, BASIC_CONSTRAINTS, CRL_DISTRIBUTION_POINTS,
    EXTENDED_KEY_USAGE, ISSUER_ALT_NAME, KEY_USAGE, NAME_CONSTRAINTS, Odd, Recipe,
    SUBJECT_ALT_NAME, SUBJECT_KEY_IDENTIFIER, UNKNOWN, der, subject, version_1, weak_hash,
};
use crate::harness::openssl_ca::OpensslCa;
use crate::harness::origin::Origin;
use crate::harness::pki::{Identity, San};
use crate::harness::stage::{House, Stage};
use crate::harness::{WAIT, command, gateway, peers, run, run_well, wait_until};
use crate::tls_profile::said_by;

const NAME: &str = "scs.acme.example";

fn p256() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("ASCII"))
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}

/// A house whose clients come from one CA of this recipe, with its audit file.
pub struct Profiled {
    pub house: House,
    pub ca: Odd,
    audit: PathBuf,
}

impl Profiled {
    pub fn open(recipe: &Recipe, waived: &[&str]) -> Self {
        let ca = recipe.self_signed(p256());
        let mut audit = PathBuf::new();
        let house = House::open_staged(|stage| {
            audit = stage.watch();
            let file = stage.scratch.write("odd-ca.pem", pem(ca.der()));
            stage.config.unset("tls.client_ca");
            let group = format!(
                "name = \"odd\"\nclient_ca = {:?}\nwaive = {waived:?}",
                file.display().to_string()
            );
            stage.config.table("partner", &group);
            for place in 0..2 {
                stage
                    .config
                    .extend_table("client", place, "partner = \"odd\"");
            }
        });
        Self { house, ca, audit }
    }

    /// What openssl hears with this certificate, and those of CAs behind it.
    fn told(&self, chain: &[CertificateDer<'_>], key: &str, more: &[&str]) -> String {
        let stage = &self.house.stage;
        let certificate = stage.scratch.write("odd.pem", pem(&chain[0]));
        let above: String = chain.iter().skip(1).map(|der| pem(der)).collect();
        let above = stage.scratch.write("odd-above.pem", above);
        let key = stage.scratch.write("odd.key", key);
        let identity = Identity::of_files(certificate, key, chain[0].clone().into_owned());
        let above = above.display().to_string();
        let mut arguments = vec!["-cipher", "DEFAULT@SECLEVEL=0"];
        if chain.len() > 1 {
            arguments.extend(["-cert_chain", &above]);
        }
        arguments.extend(more);
        let ca = &stage.operator_ca.certificate;
        let address = self.house.gateway.address;
        let outcome = peers::s_client(address, ca, Some(&identity), &arguments, b"");
        outcome.stdout + &outcome.stderr
    }

    pub fn broken(&self, rule: &str) -> usize {
        let admin = Admin(self.house.gateway.admin.expect("an admin listener"));
        let name = "t8gate_certificate_rules_broken_total";
        admin.metrics().count(name, &[("rule", rule)])
    }

    /// Refused with this alert, by this rule, in answer, audit file and metrics.
    fn refuses(&self, rule: &str, alert: &str, chain: &[CertificateDer<'_>], key: &str) {
        let before = self.broken(rule);
        let said = self.told(chain, key, &["-tls1_3"]);
        assert!(said.contains(&format!("alert {alert}")), "{rule}: {said}");
        assert_eq!(self.broken(rule), before + 1, "{rule}");
        let recorded = format!("\"reason\":\"certificate_rule\",\"detail\":\"{rule}\"");
        wait_until(&format!("a record of {rule}"), || {
            let text = std::fs::read_to_string(&self.audit).unwrap_or_default();
            text.contains(&recorded)
        });
        let waiting = format!("log of {rule}");
        wait_until(&waiting, || self.house.gateway.log().contains(rule));
    }

    fn refuses_leaf(&self, rule: &str, alert: &str, recipe: &Recipe) {
        let made = recipe.signed_by(&self.ca, p256());
        let key = made.key.serialize_pem();
        self.refuses(rule, alert, &[made.der().clone()], &key);
    }
}

fn client() -> Recipe {
    Recipe::client(NAME)
}

/// Rules of the entity's certificate that a client's can break by its content alone.
pub fn broken_leaves() -> Vec<(&'static str, &'static str, Recipe)> {
    broken_leaves_of(NAME)
}

/// The same for a client of another name.
fn broken_leaves_of(name: &str) -> Vec<(&'static str, &'static str, Recipe)> {
    let client = || Recipe::client(name);
    let bad = "bad certificate";
    let unsupported = "unsupported certificate";
    let unknown = "certificate unknown";
    let mut no_organization = subject("x");
    no_organization.remove(1);
    let mut printable = subject("x");
    let text = "Example".try_into().expect("printable");
    printable[1].1 = rcgen::DnValue::PrintableString(text);
    let mut turned = subject("x");
    turned.reverse();
    let any = der(0x30, ANY_PURPOSE);
    let names = der(0x30, &der(0x82, b"ca.example"));
    let identifier = der(4, &[7; 20]);
    vec![
        ("name_form", bad, client().named(no_organization)),
        ("name_strings", bad, client().named(printable)),
        ("name_order", bad, client().named(turned)),
        (
            "unknown_critical_extension",
            bad,
            client().with(&UNKNOWN, true, &[5, 0]),
        ),
        (
            "optional_extension_critical",
            bad,
            client().with(&ISSUER_ALT_NAME, true, &names),
        ),
        ("key_usage", unsupported, client().without(&KEY_USAGE)),
        (
            "key_usage_critical",
            bad,
            client().marked(&KEY_USAGE, false),
        ),
        (
            "extended_key_usage",
            unsupported,
            client().with(&EXTENDED_KEY_USAGE, false, &any),
        ),
        (
            "extended_key_usage_critical",
            bad,
            client().marked(&EXTENDED_KEY_USAGE, true),
        ),
        (
            "crl_distribution_points",
            unknown,
            client().without(&CRL_DISTRIBUTION_POINTS),
        ),
        (
            "crl_distribution_points_critical",
            bad,
            client().marked(&CRL_DISTRIBUTION_POINTS, true),
        ),
        (
            "subject_alt_name",
            unknown,
            client().without(&SUBJECT_ALT_NAME),
        ),
        (
            "key_identifiers_critical",
            bad,
            client().with(&SUBJECT_KEY_IDENTIFIER, true, &identifier),
        ),
        (
            "authority_info_access_critical",
            bad,
            client().with(&AUTHORITY_INFO_ACCESS, true, &[0x30, 0]),
        ),
    ]
}

//= TS 33.310 clause 6.1.3a type=test
//# A client whose certificate breaks one rule is refused, by that rule.
#[test]
fn client_whose_certificate_breaks_one_rule_is_refused_by_its_name() {
    let profiled = Profiled::open(&Recipe::ca("Partner TLS CA"), &[]);
    let good = client().signed_by(&profiled.ca, p256());
    let said = profiled.told(
        &[good.der().clone()],
        &good.key.serialize_pem(),
        &["-tls1_3", "-no_ign_eof"],
    );
    assert!(!said.contains("alert"), "a good one: {said}");
    for (rule, alert, recipe) in broken_leaves() {
        profiled.refuses_leaf(rule, alert, &recipe);
    }
}

//= TS 33.310 clause 6.1.1 type=test
//# Version, hash, signature and keys of a client's certificate are looked at.
#[test]
fn client_of_another_version_or_with_weak_keys_is_refused_by_the_rules_name() {
    let profiled = Profiled::open(&Recipe::ca("Partner TLS CA"), &[]);
    let good = client().signed_by(&profiled.ca, p256());
    let key = good.key.serialize_pem();
    profiled.refuses("version", "bad certificate", &[version_1(good.der())], &key);
    let unsupported = "unsupported certificate";
    profiled.refuses(
        "signature_hash",
        unsupported,
        &[weak_hash(good.der())],
        &key,
    );
    let edwards = KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    let edwards = Recipe::ca("Partner TLS CA").self_signed(edwards);
    let signed = client().signed_by(&edwards, p256());
    let signed_key = signed.key.serialize_pem();
    profiled.refuses(
        "signature_algorithm",
        unsupported,
        &[signed.der().clone()],
        &signed_key,
    );
    let strong = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("a key");
    let strong = client().signed_by(&profiled.ca, strong);
    let strong_key = strong.key.serialize_pem();
    profiled.refuses(
        "signer_strength",
        unsupported,
        &[strong.der().clone()],
        &strong_key,
    );
    let mut openssl = command("openssl");
    let short = run_well(openssl.args(["genrsa", "1024"]));
    let mut openssl = command("openssl");
    let public = run(openssl.args(["rsa", "-pubout"]), short.as_bytes(), WAIT).stdout;
    let public = SubjectPublicKeyInfo::from_pem(&public).expect("a public key");
    let made = client().certificate(&profiled.ca, &public);
    profiled.refuses("rsa_length", unsupported, &[made.der().clone()], &short);
}

/// Between a root and clients, where the group takes CAs between.
#[test]
fn client_below_a_ca_that_breaks_one_rule_is_refused_by_its_name() {
    let root = Recipe::ca("Root CA").with(&BASIC_CONSTRAINTS, true, &DEEP);
    let profiled = Profiled::open(&root, &["direct_issuer"]);
    let between = || Recipe::ca("Partner TLS CA");
    let bad = "bad certificate";
    let cases = [
        (
            "ca_basic_constraints_critical",
            between().marked(&BASIC_CONSTRAINTS, false),
        ),
        (
            "ca_path_length",
            between().with(&BASIC_CONSTRAINTS, true, &DEEP),
        ),
        ("ca_key_usage", between().without(&KEY_USAGE)),
        ("ca_key_usage_critical", between().marked(&KEY_USAGE, false)),
        (
            "ca_crl_sign",
            between().with(&KEY_USAGE, true, &[3, 2, 2, 4]),
        ),
        (
            "ca_basic_constraints",
            between().without(&BASIC_CONSTRAINTS),
        ),
    ];
    for (rule, recipe) in cases {
        let ca = recipe.signed_by(&profiled.ca, p256());
        let made = client().signed_by(&ca, p256());
        let key = made.key.serialize_pem();
        profiled.refuses(rule, bad, &[made.der().clone(), ca.der().clone()], &key);
    }
}

/// No client can sign the handshake with such a key here, but a CA of its may have one.
#[test]
fn client_below_a_ca_whose_key_is_not_of_the_profile_is_refused_by_the_rules_name() {
    let root = Recipe::ca("Root CA").with(&BASIC_CONSTRAINTS, true, &DEEP);
    let profiled = Profiled::open(&root, &["direct_issuer", "signer_strength"]);
    let between = Recipe::ca("Partner TLS CA");
    let key = |kind| KeyPair::generate_for(kind).expect("a key");
    let unsupported = "unsupported certificate";
    let long = between.signed_by(&profiled.ca, key(&rcgen::PKCS_ECDSA_P521_SHA512));
    let made = client().signed_by(&long, p256());
    let chain = [made.der().clone(), long.der().clone()];
    profiled.refuses("curve", unsupported, &chain, &made.key.serialize_pem());
    // What an Ed25519 key signs breaks another rule: so another key of the CA has signed.
    let edwards = between.signed_by(&profiled.ca, key(&rcgen::PKCS_ED25519));
    let signer = between.signed_by(&profiled.ca, p256());
    let made = client().signed_by(&signer, p256());
    let chain = [made.der().clone(), edwards.der().clone()];
    let key = made.key.serialize_pem();
    profiled.refuses("key_algorithm", unsupported, &chain, &key);
}

#[test]
fn client_below_a_ca_that_is_no_anchor_is_refused_by_direct_issuer() {
    let root = Recipe::ca("Root CA").with(&BASIC_CONSTRAINTS, true, &DEEP);
    let profiled = Profiled::open(&root, &["ca_path_length"]);
    let ca = Recipe::ca("Partner TLS CA").signed_by(&profiled.ca, p256());
    let made = client().signed_by(&ca, p256());
    let key = made.key.serialize_pem();
    let chain = [made.der().clone(), ca.der().clone()];
    profiled.refuses("direct_issuer", "unknown ca", &chain, &key);
}

/// The gateway does not start with a CA that breaks a rule, unless its group waives that rule.
#[test]
fn anchor_that_breaks_a_rule_is_a_fault_until_it_is_waived() {
    let weak = Recipe::ca("Partner TLS CA").with(&KEY_USAGE, true, &[3, 2, 2, 4]);
    let weak = weak.self_signed(p256());
    let house = House::open();
    let stage = &house.stage;
    let file = stage.scratch.write("weak-ca.pem", pem(weak.der()));
    let mut config = stage.config.clone();
    config.set_text("listen.address", "127.0.0.1:1");
    let group = |waived: &str| {
        format!(
            "name = \"weak\"\nclient_ca = {:?}\nwaive = [{waived}]",
            file.display().to_string()
        )
    };
    let mut told = |group: &str| {
        config.without_tables("partner").table("partner", group);
        let written = gateway::write(stage.scratch.path(), &config);
        let outcome = gateway::check(&written, &[]);
        outcome.stdout + &outcome.stderr
    };
    let refused = told(&group(""));
    assert!(refused.contains("partner[1].client_ca") && refused.contains("ca_crl_sign"));
    let waived = told(&group("\"ca_crl_sign\""));
    assert!(!waived.contains("ca_crl_sign"), "{waived}");
    let unknown = told(&group("\"ca_curl_sign\""));
    assert!(unknown.contains("partner[1].waive"), "{unknown}");
    let strict = told(&group("\"curve\""));
    assert!(strict.contains("cannot be waived"), "{strict}");
}

const DEEP: [u8; 5] = [0x30, 3, 1, 1, 0xff];

/// A group's CA, the chain of its client without the anchor, and that client's key.
struct Chained {
    anchor: Odd,
    /// It is the anchor that breaks the rule.
    by_anchor: bool,
    chain: Vec<CertificateDer<'static>>,
    key: String,
}

/// A chain that breaks this rule alone, for a client of this name; none where there is none here.
fn breaking(rule: &str, name: &str) -> Option<Chained> {
    let ca = || Recipe::ca("Partner TLS CA");
    // Of the optional extensions this is the one that path validation takes where it is critical.
    let names = der(0x30, &der(0xa0, &der(0x30, &der(0x82, b"example"))));
    let anchor = match rule {
        "optional_extension_critical" => ca().with(&NAME_CONSTRAINTS, true, &names),
        "ca_basic_constraints_critical" => ca().marked(&BASIC_CONSTRAINTS, false),
        "ca_path_length" => ca().with(&BASIC_CONSTRAINTS, true, &DEEP),
        "ca_key_usage" => ca().without(&KEY_USAGE),
        "ca_key_usage_critical" => ca().marked(&KEY_USAGE, false),
        "ca_crl_sign" => ca().with(&KEY_USAGE, true, &[3, 2, 2, 4]),
        "direct_issuer" => Recipe::ca("Root CA").with(&BASIC_CONSTRAINTS, true, &DEEP),
        _ => ca(),
    };
    let by_anchor = rule.starts_with("ca_") || rule == "optional_extension_critical";
    let anchor = anchor.self_signed(p256());
    let good = || Recipe::client(name);
    let (made, above) = match rule {
        "direct_issuer" => {
            let between = ca().signed_by(&anchor, p256());
            let made = good().signed_by(&between, p256());
            (made, Some(between.der().clone()))
        }
        "signer_strength" => {
            let strong = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("a key");
            (good().signed_by(&anchor, strong), None)
        }
        _ if by_anchor => (good().signed_by(&anchor, p256()), None),
        _ => {
            let mut leaves = broken_leaves_of(name).into_iter();
            let (.., recipe) = leaves.find(|(other, ..)| *other == rule)?;
            (recipe.signed_by(&anchor, p256()), None)
        }
    };
    let chain = std::iter::once(made.der().clone()).chain(above).collect();
    let key = made.key.serialize_pem();
    Some(Chained {
        anchor,
        by_anchor,
        chain,
        key,
    })
}

fn host(rule: &str) -> String {
    format!("{}.example", rule.replace('_', "-"))
}

/// A group for each chain, with one client, and what is waived for it.
fn groups(
    stage: &mut Stage,
    chains: &[&(&'static str, Chained)],
    waived: impl Fn(&str) -> Vec<&'static str>,
) {
    for (rule, chained) in chains {
        let anchor = pem(chained.anchor.der());
        let file = stage.scratch.write(&format!("{rule}.pem"), anchor);
        let (file, waived) = (file.display().to_string(), waived(rule));
        let group = format!("name = {rule:?}\nclient_ca = {file:?}\nwaive = {waived:?}");
        stage.config.table("partner", &group);
        let san = format!("dns:{}", host(rule));
        let client = format!(
            "name = {rule:?}\nclient_id = {rule:?}\nsans = [{san:?}]\n\
             scs_as_ids = [{rule:?}]\npartner = {rule:?}"
        );
        stage.config.table("client", &client);
    }
}

/// What openssl hears with this chain when it sends a request.
fn answered(house: &House, (rule, chained): &(&str, Chained)) -> String {
    let stage = &house.stage;
    let write = |name: &str, text: String| stage.scratch.write(&format!("{rule}-{name}"), text);
    let certificate = write("leaf.pem", pem(&chained.chain[0]));
    let above = write(
        "above.pem",
        chained.chain[1..].iter().map(|der| pem(der)).collect(),
    );
    let key = write("leaf.key", chained.key.clone());
    let identity = Identity::of_files(certificate, key, chained.chain[0].clone());
    let above = above.display().to_string();
    let mut arguments = vec!["-tls1_3"];
    if chained.chain.len() > 1 {
        arguments.extend(["-cert_chain", &above]);
    }
    let request = b"GET / HTTP/1.1\r\nHost: t8.example\r\nConnection: close\r\n\r\n";
    let (address, ca) = (house.gateway.address, &stage.operator_ca.certificate);
    let outcome = peers::s_client(address, ca, Some(&identity), &arguments, request);
    outcome.stdout + &outcome.stderr
}

/// For each rule that can be waived a chain that breaks it alone: its group waives that rule and
/// nothing else, and its client is served. Where the same group waives all rules but that one, the
/// client is refused, and a CA is a fault of the configuration, by its name.
#[test]
fn chain_that_breaks_one_rule_is_served_where_that_rule_alone_is_waived() {
    let waivable = RULES.iter().filter(|row| row.waivable);
    let waivable: Vec<&'static str> = waivable.map(|row| row.name).collect();
    let chains = waivable.iter().map(|rule| {
        let chained = breaking(rule, &host(rule));
        (
            *rule,
            chained.unwrap_or_else(|| panic!("no chain for {rule}")),
        )
    });
    let chains: Vec<(&'static str, Chained)> = chains.collect();
    let all: Vec<_> = chains.iter().collect();
    let house = House::open_staged(|stage| {
        groups(stage, &all, |rule| {
            let this = waivable.iter().copied().filter(|other| *other == rule);
            this.collect()
        });
    });
    for chain in &chains {
        let said = answered(&house, chain);
        assert!(said.contains("HTTP/1.1 "), "{}: {said}", chain.0);
    }

    // With direct_issuer waived anchors need no pathLenConstraint, which is another rule.
    let others = |rule: &str| -> Vec<&'static str> {
        let others = waivable.iter().copied();
        let others = others.filter(|other| ![rule, "direct_issuer"].contains(other));
        others.collect()
    };
    let (of_ca, of_leaf): (Vec<_>, Vec<_>) =
        chains.iter().partition(|(_, chained)| chained.by_anchor);
    for chain in of_ca {
        let mut stage = Stage::new(house.origin.address);
        stage.config.set_text("listen.address", "127.0.0.1:1");
        groups(&mut stage, &[chain], others);
        let file = gateway::write(stage.scratch.path(), &stage.config);
        let outcome = gateway::check(&file, &[]);
        let said = outcome.stdout + &outcome.stderr;
        let fault = format!("breaks the rule {}:", chain.0);
        assert!(said.contains(&fault), "{said}");
    }
    let house = House::open_staged(|stage| {
        stage.watch();
        groups(stage, &of_leaf, others);
    });
    for chain in of_leaf {
        let count = || {
            let admin = Admin(house.gateway.admin.expect("an admin listener"));
            let name = "t8gate_certificate_rules_broken_total";
            admin.metrics().count(name, &[("rule", chain.0)])
        };
        let before = count();
        let said = answered(&house, chain);
        assert!(said.contains("alert"), "{}: {said}", chain.0);
        assert_eq!(count(), before + 1, "{}", chain.0);
    }
}

//= TS 33.310 clause 6.1.1 type=test
//# ECDSA goes with each of the hashes from SHA-256 up.
#[test]
fn certificate_signed_by_ecdsa_over_sha_384_or_sha_512_is_taken() {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    let ca = OpensslCa::new(stage.scratch.path(), "ca", "Partner CA of openssl");
    let ca_file = ca.certificate.display();
    stage.config.set_text("tls.client_ca", ca_file);
    let house = House {
        gateway: stage.start(),
        origin,
        stage,
    };
    for hash in ["sha256", "sha384", "sha512"] {
        let who = ca.issue_over(hash, &San::Dns("scs.acme.example"), 86_400, hash);
        let told = said_by(&house, &who, &[]);
        assert!(told.contains("HTTP/1.1 401"), "{hash}: {told}");
    }
}

/// What `check --conformance` says of the house's configuration, and the file it was asked of.
pub fn report(house: &House, format: &str) -> (PathBuf, String) {
    let mut config = house.stage.config.clone();
    config.set_text("listen.address", house.gateway.address);
    if let Some(admin) = house.gateway.admin {
        config.set_text("admin.address", admin);
    }
    let file = gateway::write(house.stage.scratch.path(), &config);
    let mut check = gateway::t8gate(&["check", "--conformance", "--format", format, "--config"]);
    let told = run_well(check.arg(&file));
    (file, told)
}

/// Every rule that the report calls met was broken on the wire by a test of this file, and every
/// rule that was is in the report.
#[test]
fn conformance_report_says_of_rules_what_handshakes_do() {
    let house = House::open();
    let (_, told) = report(&house, "json");
    let report: Value = serde_json::from_str(&told).expect("JSON");
    let rows = report["clauses"].as_array().expect("rows");
    let of_rules = rows.iter().filter(|row| !row["rule"].is_null());
    let met: BTreeSet<&str> = of_rules
        .filter(|row| row["status"] == "met")
        .filter_map(|row| row["rule"].as_str())
        .collect();
    let shown = broken_leaves().into_iter().map(|(rule, ..)| rule).chain([
        "version",
        "signature_hash",
        "signature_algorithm",
        "signer_strength",
        "rsa_length",
        "key_algorithm",
        "curve",
        "direct_issuer",
        "ca_basic_constraints",
        "ca_basic_constraints_critical",
        "ca_path_length",
        "ca_key_usage",
        "ca_key_usage_critical",
        "ca_crl_sign",
    ]);
    assert_eq!(met, shown.collect());

    // What it says of TLS, openssl finds.
    let offered = |kind: &str| -> BTreeSet<String> {
        let list = report[kind].as_array().expect("a list");
        list.iter()
            .map(|name| name.as_str().expect("a name").to_owned())
            .collect()
    };
    let stage = &house.stage;
    let connects = |arguments: &[&str]| {
        let ca = &stage.operator_ca.certificate;
        let request = b"GET / HTTP/1.1\r\nHost: t8.example\r\nConnection: close\r\n\r\n";
        let address = house.gateway.address;
        peers::s_client(address, ca, Some(&stage.acme), arguments, request)
            .stdout
            .contains("HTTP/1.1")
    };
    let versions = offered("versions");
    for (name, option) in [("TLSv1_3", "-tls1_3"), ("TLSv1_2", "-tls1_2")] {
        assert_eq!(versions.contains(name), connects(&[option]), "{name}");
    }
    let groups = offered("groups");
    for group in ["X25519", "secp256r1", "secp384r1", "secp521r1", "X448"] {
        assert_eq!(
            groups.contains(group),
            connects(&["-groups", group]),
            "{group}"
        );
    }
    let suites = offered("suites");
    for (name, cipher) in [
        (
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "ECDHE-ECDSA-AES128-GCM-SHA256",
        ),
        (
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "ECDHE-ECDSA-AES256-GCM-SHA384",
        ),
        (
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            "ECDHE-ECDSA-CHACHA20-POLY1305",
        ),
        (
            "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
            "ECDHE-ECDSA-AES128-SHA256",
        ),
    ] {
        let arguments = ["-tls1_2", "-cipher", cipher];
        assert_eq!(suites.contains(name), connects(&arguments), "{name}");
    }
    for name in [
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_AES_128_CCM_SHA256",
    ] {
        let known = suites.contains(&name.replacen("TLS_", "TLS13_", 1));
        assert_eq!(
            known,
            connects(&["-tls1_3", "-ciphersuites", name]),
            "{name}"
        );
    }
}

/// A waiver is in the report with its place in the file.
#[test]
fn conformance_report_names_the_line_of_a_waiver() {
    let house = House::open_with(|config| {
        let ca = config.value("tls.client_ca");
        let group =
            format!("name = \"lax\"\nclient_ca = {ca}\nwaive = [\"crl_distribution_points\"]");
        config.table("partner", &group);
    });
    let (file, told) = report(&house, "markdown");
    let text = std::fs::read_to_string(&file).expect("our own file");
    let line = text.lines().position(|line| line.starts_with("waive ="));
    let place = format!("line {}", line.expect("a waiver") + 1);
    let row = told
        .lines()
        .find(|row| row.contains("`crl_distribution_points`"));
    let row = row.expect("its row");
    assert!(row.contains("waived") && row.contains(&place), "{row}");
    assert!(told.contains("(unverified)"), "{told}");
}
