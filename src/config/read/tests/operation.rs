//! What operators see of a running gateway: metrics, health, records.

use super::*;

fn admin(address: &str) -> String {
    format!("{SMALL}[admin]\naddress = \"{address}\"\n")
}

#[test]
fn without_their_sections_nothing_is_served_or_recorded() {
    let config = good(SMALL);
    assert_eq!(
        (config.oauth, config.admin, config.audit),
        (None, None, None)
    );
}

#[test]
fn admin_and_audit_are_read() {
    let text = admin("127.0.0.1:9464") + "[audit]\nfile = \"audit.jsonl\"\n";
    let config = good(&text);
    let address = Located {
        value: "127.0.0.1:9464".parse().unwrap(),
        line: 18,
    };
    let admin = Admin {
        address: Some(address),
        socket: None,
    };
    assert_eq!(config.admin, Some(admin));
    let audit = config.audit.unwrap();
    assert_eq!(audit.file.value, PathBuf::from("/etc/t8gate/audit.jsonl"));
    assert_eq!(
        (audit.file.line, audit.when_unwritable),
        (20, WhenUnwritable::Refuse)
    );
    let lossy = good(&(text + "when_unwritable = \"lossy\"\n"));
    assert_eq!(lossy.audit.unwrap().when_unwritable, WhenUnwritable::Lossy);
}

#[test]
fn admin_and_audit_without_what_they_need_are_refused() {
    refused(&format!("{SMALL}[admin]\n"), 17, "admin.address", "missing");
    refused(&format!("{SMALL}[audit]\n"), 17, "audit.file", "missing");
}

#[test]
fn bad_admin_addresses_are_refused() {
    refused(&admin("127.0.0.1:0"), 18, "admin.address", "port 0");
    refused(
        &admin("localhost:9464"),
        18,
        "admin.address",
        "not an address",
    );
    for own in ["127.0.0.1:8443", "0.0.0.0:8443", "[::]:8443"] {
        refused(&admin(own), 18, "admin.address", "(line 2)");
    }
    let any = admin("192.0.2.1:8443").replace("127.0.0.1:8443", "0.0.0.0:8443");
    refused(&any, 18, "admin.address", "address of the T8 side");
    good(&admin("192.0.2.1:8443"));
}

#[test]
fn word_for_an_unwritable_file_that_is_not_known_is_refused() {
    let text = format!("{SMALL}[audit]\nfile = \"a\"\nwhen_unwritable = \"ignore\"\n");
    refused(&text, 19, "audit.when_unwritable", "neither");
}

#[test]
fn what_a_handshake_waits_for_must_be_shorter_than_a_handshake() {
    let with = |text: &str| format!("{SMALL}[deadlines]\n{text}");
    for key in ["ocsp", "signature"] {
        let full = format!("deadlines.{key}");
        let said = "is no less than a whole handshake may take (10s)";
        refused(&with(&format!("{key} = \"10s\"\n")), 18, &full, said);
        refused(&with(&format!("{key} = \"60s\"\n")), 18, &full, said);
        good(&with(&format!("{key} = \"9s\"\n")));
        good(&with(&format!("handshake = \"61s\"\n{key} = \"60s\"\n")));
    }
    // A default that nothing waits for is in nobody's way.
    let short = with("handshake = \"2s\"\n");
    good(&short);
    let asked = short.clone() + "[[ocsp]]\nissuer = \"ca.pem\"\nurl = \"http://192.0.2.1/\"\n";
    refused(&asked, 18, "deadlines.ocsp", "3s is no less");
    let signed = short.replace("key.file = \"server.key\"", TOKEN);
    refused(&signed, 18, "deadlines.signature", "5s is no less");
}

/// So that what else is wrong is found in the same go.
#[test]
fn upstream_that_is_wrong_leaves_the_rest_to_be_looked_at() {
    let text = with("address = \"127.0.0.1:8080\"", "address = \"scef\"");
    let (config, faults, _) = as_meant(
        &text,
        Path::new("f"),
        &cpus(),
        &mut super::own_files::no_folder,
    );
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert!(config.is_some());
    assert!(parsed(&text).is_err());
}
