//! `config/t8gate.toml` and the code say the same.

use super::*;
use crate::authz::apis::ApiSet;
use crate::config::RevocationPolicy;

const DOCUMENTED: &str = include_str!("../../../../config/t8gate.toml");

/// `# key = value` to `key = value`, and `# or: key = value` to nothing or to a key as well.
fn uncommented(with_or: bool) -> String {
    let line = |line: &str| match line
        .strip_prefix("# ")
        .map(|rest| (rest, rest.strip_prefix("or: ")))
    {
        Some((_, Some(other))) if with_or => other.to_owned(),
        Some((rest, None)) if is_assignment(rest) => rest.to_owned(),
        _ => line.to_owned(),
    };
    DOCUMENTED.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// One word, an equals sign, a value: no prose looks like it.
fn is_assignment(line: &str) -> bool {
    line.split_once(" = ").is_some_and(|(key, _)| {
        !key.is_empty()
            && key
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    })
}

#[test]
fn documented_file_is_a_configuration() {
    let config = good(DOCUMENTED);
    assert_eq!((config.issuers.len(), config.clients.len()), (5, 1));
    let oauth = config.oauth.expect("[oauth]");
    assert_eq!(oauth.audience, oauth.issuer.value);
    assert!(config.clients.iter().all(|c| c.registration.is_some()));
    assert!(config.admin.is_some() && config.audit.is_some());
}

#[test]
fn stated_defaults_are_the_defaults_of_the_code() {
    let (mut said, silent) = (good(&uncommented(false)), good(DOCUMENTED));
    // A default stands in its section's line.
    assert_ne!(said.listen.cpus.line, silent.listen.cpus.line);
    said.listen.cpus.line = silent.listen.cpus.line;
    said.listen.steering.line = silent.listen.steering.line;
    said.tls.profile.line = silent.tls.profile.line;
    said.memory.huge_pages.line = silent.memory.huge_pages.line;
    let (lists, silent_on) = (&mut said.revocation, &silent.revocation);
    lists.policy.line = silent_on.policy.line;
    lists.grace.line = silent_on.grace.line;
    lists.ocsp.line = silent_on.ocsp.line;
    assert_eq!(said, silent);
    assert_eq!(said.limits, Limits::default());
    assert_eq!(said.deadlines, Deadlines::default());
    let lifetime = said.oauth.map(|oauth| oauth.token_lifetime);
    assert_eq!(lifetime, Some(crate::limits::TOKEN_LIFETIME_DEFAULT));
}

/// The documented file without the sections that begin with these lines.
fn without(heads: &[&str]) -> String {
    let mut left = String::new();
    let mut cutting = false;
    for line in DOCUMENTED.lines() {
        if line.starts_with('[') {
            cutting = heads.contains(&line);
        }
        if !cutting {
            left += line;
            left.push('\n');
        }
    }
    left
}

#[test]
fn sections_called_optional_may_be_left_out() {
    let config = good(&without(&["[admin]", "[audit]"]));
    assert!(config.admin.is_none() && config.audit.is_none());
    assert_eq!(good(&without(&["[clients]"])).clients_folder, None);
    let heads = [
        "[apis]",
        "[[api]]",
        "[[api.resource]]",
        "[[api.resource.operation]]",
        "[[api.resource.operation.notification]]",
    ];
    assert_eq!(good(&without(&heads)).apis.apis(), ApiSet::of_t8());
    let any_ue = good(&without(&["[[client.service]]", "[policy]"]));
    assert!(any_ue.policy.is_none() && any_ue.policies.is_empty());
    assert!(
        good(&without(&["[[client.allowance]]"]))
            .allowances
            .is_empty()
    );
    assert!(
        good(&without(&["[[issuer]]", "[issuer.introspection]"]))
            .issuers
            .is_empty()
    );
    assert_eq!(good(&without(&["[[partner]]"])).partners.len(), 1);
    let text = without(&[
        "[oauth]",
        "[oauth.key]",
        "[[oauth.key.also]]",
        "[[oauth.next_key]]",
        "[[oauth.next_key.also]]",
        "[[oauth.old_key]]",
        "[oauth.capif]",
        "[oauth.capif.key]",
        "[[oauth.capif.key.also]]",
        "[oauth.sealing]",
    ]);
    let text: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("tls_client_auth") && !line.starts_with("scopes"))
        .collect();
    assert_eq!(good(&text.join("\n")).oauth, None);
    assert_eq!(good(&without(&["[tls.tickets]"])).tls.tickets, None);
    let bare = good(&without(&["[tls.ocsp]", "[tls.also.ocsp]"])).tls;
    assert!(bare.ocsp.is_none() && bare.also[0].ocsp.is_none());
    let unasked = good(&without(&["[[ocsp]]", "[[partner]]"])).revocation;
    assert_eq!(unasked.ocsp.value, RevocationPolicy::Off);
    let lists = good(&without(&["[[crl]]", "[[partner]]"])).revocation;
    assert_eq!(lists.policy.value, RevocationPolicy::Off);
    for head in [
        "[tls.tickets]",
        "[oauth]",
        "[[tls.key.also]]",
        "[[oauth.key.also]]",
        "[[oauth.next_key]]",
        "[[oauth.next_key.also]]",
        "[[oauth.old_key]]",
        "[oauth.capif]",
        "[[oauth.capif.key.also]]",
        "[oauth.sealing]",
        "[[partner]]",
        "[[crl]]",
        "[tls.ocsp]",
        "[tls.also.ocsp]",
        "[[ocsp]]",
        "[admin]",
        "[audit]",
        "[apis]",
        "[[api]]",
        "[[api.resource.operation.notification]]",
        "[[client.service]]",
        "[[client.allowance]]",
        "[policy]",
        "[clients]",
        "[issuer.introspection]",
    ] {
        let before = DOCUMENTED.split(&format!("\n{head}\n")).next().unwrap();
        let paragraph = before.rsplit("\n\n").next().unwrap();
        assert!(paragraph.starts_with("# Optional: "), "{head}");
    }
}

#[test]
fn every_key_of_the_code_stands_in_the_file_and_no_other() {
    let text = uncommented(true);
    let report = Report::new(&text, PathBuf::new());
    let table = DeTable::parse(&text).unwrap();
    config(
        &mut Section::root(&report, table.get_ref()),
        Path::new("f"),
        &cpus(),
        &mut |_| (Vec::new(), Vec::new()),
    );
    let known: BTreeSet<String> = report
        .asked()
        .into_iter()
        .filter(|(section, _)| !section.is_empty())
        .map(|(section, key)| format!("{section}.{key}"))
        .filter(|key| {
            ![
                "api.resource",
                "api.resource.operation",
                "api.resource.operation.notification",
                "client.service",
                "client.allowance",
                "issuer.introspection",
                "issuer.introspection.key",
                "tls.also",
                "tls.also.key",
                "tls.also.ocsp",
                "tls.key",
                "tls.ocsp",
                "tls.tickets",
                "oauth.key",
                "oauth.capif",
                "oauth.capif.key",
                "oauth.next_key",
                "oauth.old_key",
                "oauth.sealing",
            ]
            .contains(&key.as_str())
        })
        .filter(|key| !key.ends_with("key.also"))
        .collect();
    assert_eq!(written_keys(&text), known);
    let faults = report.finish().faults;
    // Both ways to name a private key stand in the text, and all ways to say where its PIN is, and
    // to name a certificate.
    let keys: BTreeSet<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    let keys_in_tokens = [
        "tls.tickets",
        "tls.key",
        "tls.key.also[1]",
        "tls.also[1].key",
        "oauth.key",
        "oauth.key.also[1]",
        "oauth.capif.key",
        "oauth.capif.key.also[1]",
        "oauth.next_key[1]",
        "oauth.next_key.also[1]",
        "oauth.sealing",
        "issuer[5].introspection.key",
        "issuer.introspection.key.also[1]",
    ];
    let pins = keys_in_tokens.map(|key| [format!("{key}.pin_fd"), format!("{key}.pin_credential")]);
    let twice = [
        "tls.also[1].key.file",
        "tls.key.file",
        "tls.tickets.secret_file",
        "tls.tickets.second_secret_file",
        "oauth.key.file",
        "oauth.capif.key.file",
        "oauth.next_key[1].file",
        "oauth.sealing.secret_file",
        "oauth.sealing.second_secret_file",
        "issuer[3].discovery",
        "client[1].tls_client_auth_san_uri",
        "client[1].tls_client_auth_san_ip",
        "client[1].tls_client_auth_san_email",
        "client[1].tls_client_auth_subject_dn",
        "client[1].self_signed_tls_client_auth",
        "client[1].private_key_jwt",
        // In whose place that stands too.
        "client[1].sans",
        "issuer[5].introspection.certificate",
        "issuer[5].introspection.private_key_jwt",
        "issuer[5].introspection.key",
        "issuer[5].introspection.key.file",
        "tls.ocsp.url",
        "tls.also[1].ocsp.url",
        // With https only.
        "tls.ocsp.ca",
        "tls.also[1].ocsp.ca",
        "ocsp[1].ca",
    ];
    let pins = pins.iter().flatten().map(String::as_str);
    assert_eq!(keys, twice.into_iter().chain(pins).collect());
}

fn written_keys(text: &str) -> BTreeSet<String> {
    let mut section = String::new();
    let mut keys = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(head) = line.strip_prefix('[') {
            section = head.trim_matches(['[', ']']).to_owned();
        } else if let Some((key, _)) = line.split_once(" = ") {
            keys.insert(format!("{section}.{key}"));
        }
    }
    keys
}

#[test]
fn every_optional_key_is_commented_and_every_section_is_there() {
    let required = written_keys(DOCUMENTED);
    assert!(
        required
            .iter()
            .all(|key| !key.starts_with("limits") && !key.starts_with("deadlines"))
    );
    for section in [
        "[listen]",
        "[tls]",
        "[tls.key]",
        "[tls.tickets]",
        "[oauth]",
        "[oauth.key]",
        "[[oauth.capif.key.also]]",
        "[oauth.sealing]",
        "[[issuer]]",
        "[[partner]]",
        "[[client]]",
        "[apis]",
        "[revocation]",
        "[[crl]]",
        "[[ocsp]]",
        "[upstream]",
        "[admin]",
        "[audit]",
        "[limits]",
        "[deadlines]",
        "[memory]",
    ] {
        assert!(DOCUMENTED.lines().any(|line| line == section), "{section}");
    }
}
