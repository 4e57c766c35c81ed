use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::KeySource;
use crate::peer::San;

/// The smallest configuration, one line for each key, with a key file.
const SMALL: &str = r#"[listen]
address = "127.0.0.1:8443"
[tls]
certificate = "server.pem"
client_ca = "ca.pem"
key.file = "server.key"
[[issuer]]
name = "https://issuer.example"
audience = "t8"
jwks = "keys.jwks"
[[client]]
name = "scs-1"
sans = ["dns:scs.example.org"]
scs_as_ids = ["one"]
[upstream]
address = "127.0.0.1:8080"
"#;

const SECOND_CLIENT: &str = r#"[[client]]
name = "scs-2"
sans = ["dns:two.example.org"]
scs_as_ids = ["two"]
"#;

const TOKEN: &str = "key = { module = \"m.so\", uri = \"pkcs11:token=t\", pin_file = \"pin\" }";

fn cpus() -> Cpus {
    Cpus {
        online: vec![0, 1, 2, 3],
        allowed: vec![0, 1, 2],
    }
}

fn parsed(text: &str) -> Result<Config, Vec<Fault>> {
    own_files::parsed_with(text, &[])
}

fn good(text: &str) -> Config {
    parsed(text)
        .unwrap_or_else(|faults| panic!("{}", super::super::render(Path::new("f"), &faults)))
}

/// The small configuration, with one text in it replaced, which must be there.
fn with(old: &str, new: &str) -> String {
    assert!(SMALL.contains(old), "{old:?}");
    SMALL.replacen(old, new, 1)
}

/// The one fault of a text.
fn fault(text: &str) -> Fault {
    let mut faults = parsed(text).expect_err("a fault");
    assert_eq!(faults.len(), 1, "{faults:#?}");
    faults.remove(0)
}

#[track_caller]
fn refused(text: &str, line: usize, key: &str, what: &str) -> Fault {
    let fault = fault(text);
    assert_eq!((fault.line, fault.key.as_str()), (line, key), "{fault:#?}");
    assert!(fault.what.contains(what), "{fault:#?}");
    assert!(!fault.cure.is_empty());
    fault
}

#[test]
fn small_configuration_is_read_with_defaults() {
    let config = good(SMALL);
    assert_eq!(
        config.listen.address,
        Located {
            value: "127.0.0.1:8443".parse().unwrap(),
            line: 2
        }
    );
    assert_eq!(config.listen.cpus.value, vec![0, 1, 2]);
    assert_eq!(
        config.tls.certificate.value,
        PathBuf::from("/etc/t8gate/server.pem")
    );
    let file = KeySource::File("/etc/t8gate/server.key".into());
    assert_eq!(
        config.tls.key,
        Located {
            value: file,
            line: 6
        }
    );
    assert_eq!(config.clients[0].client_id, "scs-1");
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.deadlines, Deadlines::default());
    assert_eq!(config.upstream.connections_idle_max, 256);
}

#[test]
fn chosen_values_are_taken() {
    let config = good(
        &(with(
            "address = \"127.0.0.1:8443\"",
            "address = \"[::]:8443\"\ncpus = [2, 0]",
        )
        .replace("key.file = \"server.key\"", TOKEN)
            + "[limits]\nbody_bytes_max = \"16MiB\"\nconnections_max = 7\n\
               [deadlines]\nhead = \"250ms\"\nidle = \"2m\"\nbody_bytes_per_s_min = 100\n"),
    );
    assert_eq!(
        config.listen.cpus,
        Located {
            value: vec![2, 0],
            line: 3
        }
    );
    assert_eq!(config.limits.body_bytes_max, 16 << 20);
    assert_eq!(config.limits.connections_max, 7);
    assert_eq!(config.deadlines.head, Duration::from_millis(250));
    assert_eq!(config.deadlines.idle, Duration::from_secs(120));
    assert_eq!(config.deadlines.body_bytes_per_s_min, 100);
    let KeySource::Pkcs11 {
        module, sessions, ..
    } = config.tls.key.value
    else {
        panic!()
    };
    assert_eq!((module, sessions), (PathBuf::from("/etc/t8gate/m.so"), 2));
}

#[test]
fn other_tokens_are_as_the_first_where_they_do_not_say_otherwise() {
    let key = r#"[tls.key]
module = "m.so"
uri = "pkcs11:token=a;object=server"
pin_file = "pin"
[[tls.key.also]]
uri = "pkcs11:token=b;object=server"
[[tls.key.also]]
module = "n.so"
uri = "pkcs11:token=c;object=server"
pin_file = "pin-c"
[[client]]"#;
    let text = with("[[client]]", key).replace("key.file = \"server.key\"\n", "");
    let config = parsed(&text).unwrap();
    let KeySource::Pkcs11 { also, .. } = config.tls.key.value else {
        panic!()
    };
    let found: Vec<_> = also
        .iter()
        .map(|other| (other.module.to_str(), other.pin_file.to_str()))
        .collect();
    let (m, n) = (Some("/etc/t8gate/m.so"), Some("/etc/t8gate/n.so"));
    let (pin, its_pin) = (Some("/etc/t8gate/pin"), Some("/etc/t8gate/pin-c"));
    assert_eq!(found, [(m, pin), (n, its_pin)]);
    let twice = text.replace("pin_file = \"pin\"", "pin_file = \"pin\"\npin_fd = 3");
    assert!(parsed(&twice).is_err(), "a PIN in two places");
    let nowhere = text.replace("pin_file = \"pin\"\n", "");
    let said = super::super::render(Path::new("f"), &parsed(&nowhere).unwrap_err());
    assert!(said.contains("tls.key.pin_file"), "{said}");
    let closed = text.replace("pin_file = \"pin\"", "pin_fd = 1023");
    let said = super::super::render(Path::new("f"), &parsed(&closed).unwrap_err());
    assert!(said.contains("is not open"), "{said}");
}

#[test]
fn broken_syntax_is_refused_with_its_line() {
    refused("[listen]\naddress = \n", 2, "", "not TOML");
    refused("[listen]\na = 1\na = 2\n", 3, "", "not TOML");
}

#[test]
fn unknown_key_is_refused_with_the_key_meant() {
    let text = with("[upstream]", "[upstream]\nadress = 1");
    assert_eq!(
        refused(&text, 16, "upstream.adress", "no such key").cure,
        "did you mean `address`?"
    );
}

#[test]
fn unknown_section_is_refused_with_the_section_meant() {
    let cure = refused(&format!("{SMALL}[limit]\n"), 17, "limit", "no such key").cure;
    assert_eq!(cure, "did you mean `limits`?");
}

#[test]
fn key_in_the_wrong_section_is_refused_with_its_section() {
    let text = format!("{SMALL}[limits]\nidle = \"1s\"\n");
    assert_eq!(
        refused(&text, 18, "limits.idle", "no such key").cure,
        "`idle` belongs to [deadlines]"
    );
}

#[test]
fn value_of_an_unknown_key_is_not_shown() {
    let text = with("[upstream]", "[upstream]\npin = \"98765\"");
    let shown = super::super::render(Path::new("f"), &parsed(&text).unwrap_err());
    assert!(
        shown.contains("upstream.pin") && !shown.contains("98765"),
        "{shown}"
    );
}

#[test]
fn wrong_types_are_refused() {
    refused(
        &with("\"127.0.0.1:8443\"", "8443"),
        2,
        "listen.address",
        "must be a text",
    );
    refused(
        &with("\n[tls]", "\nshare_port = \"no\"\n[tls]"),
        3,
        "listen.share_port",
        "true or false",
    );
    refused(
        &with("[\"one\"]", "\"one\""),
        14,
        "client[1].scs_as_ids",
        "must be a list",
    );
    refused(
        &format!("limits = 3\n{SMALL}"),
        1,
        "limits",
        "must be a section",
    );
    refused(
        &format!("{SMALL}[limits]\nconnections_max = 1.5\n"),
        18,
        "limits.connections_max",
        "whole number",
    );
    let text = with("[[client]]", "[client]");
    refused(&text, 11, "client", "must be a list of sections");
}

#[test]
fn missing_keys_are_refused_at_their_section() {
    refused(
        &with("address = \"127.0.0.1:8443\"\n", ""),
        1,
        "listen.address",
        "missing",
    );
    refused(
        &with("client_ca = \"ca.pem\"\n", ""),
        3,
        "tls.client_ca",
        "missing",
    );
    refused(
        &with("audience = \"t8\"\n", ""),
        7,
        "issuer[1].audience",
        "missing",
    );
    refused(
        &with("name = \"scs-1\"\n", ""),
        11,
        "client[1].name",
        "missing",
    );
}

#[test]
fn missing_sections_are_refused() {
    let faults = parsed("").unwrap_err();
    let keys: BTreeSet<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    let wanted = [
        "listen.address",
        "tls.certificate",
        "tls.client_ca",
        "tls.key.module",
        "issuer",
        "client",
        "upstream.address",
    ];
    assert_eq!(keys, BTreeSet::from(wanted));
}

#[test]
fn number_out_of_range_is_refused() {
    for bad in ["0", "-1", "1048577", "99999999999999999999"] {
        let text = format!("{SMALL}[limits]\nconnections_max = {bad}\n");
        if bad.len() < 20 {
            refused(&text, 18, "limits.connections_max", "out of range");
        } else {
            assert!(parsed(&text).is_err());
        }
    }
}

#[test]
fn bad_times_are_refused() {
    for bad in [
        "\"10\"", "\"s\"", "\"1.5s\"", "\" 1s\"", "\"1 s\"", "\"-1s\"", "\"1S\"", "\"\"", "10",
    ] {
        refused(
            &format!("{SMALL}[deadlines]\nidle = {bad}\n"),
            18,
            "deadlines.idle",
            "time with its unit",
        );
    }
    for bad in [
        "0s",
        "24ms",
        "25h",
        "99999999999999999999h",
        "18446744073709551615h",
    ] {
        let text = format!("{SMALL}[deadlines]\nidle = \"{bad}\"\n");
        refused(&text, 18, "deadlines.idle", "out of range");
    }
}

#[test]
fn bad_sizes_are_refused() {
    for bad in [
        "\"10\"",
        "\"KiB\"",
        "\"1KB\"",
        "\"1kib\"",
        "\"1 KiB\"",
        "16384",
    ] {
        let text = format!("{SMALL}[limits]\nbody_bytes_max = {bad}\n");
        refused(&text, 18, "limits.body_bytes_max", "size with its unit");
    }
    for bad in ["0B", "17MiB", "18446744073709551615TiB"] {
        let text = format!("{SMALL}[limits]\nbody_bytes_max = \"{bad}\"\n");
        refused(&text, 18, "limits.body_bytes_max", "out of range");
    }
}

#[test]
fn bad_cpus_are_refused() {
    let cpus = |list: &str| with("\n[tls]", &format!("\ncpus = {list}\n[tls]"));
    refused(&cpus("[]"), 3, "listen.cpus", "empty");
    refused(
        &cpus("[0,\n1, 0]"),
        4,
        "listen.cpus",
        "stands already in line 3",
    );
    let cure = refused(&cpus("[3]"), 3, "listen.cpus", "may not run on CPU 3").cure;
    assert!(cure.contains("0-2"), "{cure}");
    refused(&cpus("[4]"), 3, "listen.cpus", "no CPU 4");
    refused(&cpus("[-1]"), 3, "listen.cpus", "out of range");
    refused(&cpus("\"some\""), 3, "listen.cpus", "neither");
    assert_eq!(good(&cpus("\"all\"")).listen.cpus.value, vec![0, 1, 2]);
}

#[test]
fn bad_addresses_are_refused() {
    for bad in ["localhost:1", "127.0.0.1", ":80", "::1:80", ""] {
        let text = with("127.0.0.1:8080", bad);
        let cure = refused(&text, 16, "upstream.address", "not an address").cure;
        assert!(cure.contains("not resolved yet"));
    }
    refused(
        &with("127.0.0.1:8443", "127.0.0.1:0"),
        2,
        "listen.address",
        "port 0",
    );
    refused(
        &with("127.0.0.1:8080", "0.0.0.0:80"),
        16,
        "upstream.address",
        "not for a destination",
    );
}

#[test]
fn upstream_that_is_the_gateway_itself_is_refused() {
    refused(
        &with("127.0.0.1:8080", "127.0.0.1:8443"),
        16,
        "upstream.address",
        "(line 2)",
    );
    let any = with("127.0.0.1:8443", "0.0.0.0:8080");
    refused(&any, 16, "upstream.address", "own address");
}

#[test]
fn bad_server_names_are_refused() {
    let names = |list: &str| with("\n[tls]", &format!("\nserver_names = [{list}]\n[tls]"));
    let long = format!("\"{}\"", "a".repeat(64));
    for bad in [
        "\"*.a.example\"",
        "\"\"",
        "\"a..b\"",
        "\"a.\"",
        "\"-a\"",
        "\"a_b\"",
        "\"ä\"",
        "\"10.0.0.1\"",
        &long,
    ] {
        refused(&names(bad), 3, "listen.server_names", "not a host name");
    }
    refused(
        &names("\"a.example\", \"A.example\""),
        3,
        "listen.server_names",
        "stands already",
    );
    let read = good(&names("\"T8.Example\"")).listen.server_names;
    assert_eq!(read, ["t8.example"]);
    let any = "\"a.example\"]\nany_server_name = true\n#";
    refused(&names(any), 3, "listen.server_names", "takes any");
    let any = good(&names("]\nany_server_name = true\n#")).listen;
    assert!(any.any_server_name && any.server_names.is_empty());
}

#[test]
fn bad_sans_are_refused() {
    for bad in ["scs.example.org", "DNS:a.example", "ip:10.0.0.1", ""] {
        refused(
            &with("dns:scs.example.org", bad),
            13,
            "client[1].sans",
            "neither dns: nor uri:",
        );
    }
    for bad in ["dns:", "dns:*.example.org", "dns:a b"] {
        refused(
            &with("dns:scs.example.org", bad),
            13,
            "client[1].sans",
            "not a host name",
        );
    }
    for bad in [
        "uri:",
        "uri:/a",
        "uri:scs",
        "uri:1a:b",
        "uri:a:",
        "uri:a:b c",
        "uri:a:%4",
        "uri:a:é",
    ] {
        refused(
            &with("dns:scs.example.org", bad),
            13,
            "client[1].sans",
            "not an absolute URI",
        );
    }
    let config = good(&with(
        "\"dns:scs.example.org\"",
        "\"dns:SCS.example\", \"uri:urn:A:%41\"",
    ));
    let wanted = [San::Dns("scs.example".into()), San::Uri("urn:A:%41".into())];
    assert_eq!(config.clients[0].sans, wanted);
}

#[test]
fn bad_scs_as_ids_are_refused() {
    for bad in [
        "", ".", "..", "a/b", "a?b", "a#b", "a%41", "a\\\\b", "a b", "a\\nb", "é",
    ] {
        let text = with("[\"one\"]", &format!("[\"{bad}\"]"));
        refused(
            &text,
            14,
            "client[1].scs_as_ids",
            "cannot be a path segment",
        );
    }
}

#[test]
fn bad_client_names_are_refused() {
    for bad in ["", "a b", "a\\nb", "é"] {
        refused(
            &with("\"scs-1\"", &format!("\"{bad}\"")),
            12,
            "client[1].name",
            "not a name",
        );
    }
    let text = with("sans =", "client_id = \"a\\tb\"\nsans =");
    refused(&text, 13, "client[1].client_id", "cannot be a client_id");
}

#[test]
fn empty_lists_are_refused() {
    refused(
        &with("[\"dns:scs.example.org\"]", "[]"),
        13,
        "client[1].sans",
        "empty",
    );
    refused(
        &with("[\"one\"]", "[]"),
        14,
        "client[1].scs_as_ids",
        "empty",
    );
    let none = SMALL.split("[[issuer]]").next().unwrap();
    let rest = &SMALL[SMALL.find("[[client]]").unwrap()..];
    refused(&format!("issuer = []\n{none}{rest}"), 1, "issuer", "empty");
}

#[test]
fn what_belongs_to_two_clients_is_refused_naming_both_lines() {
    let two = format!("{SMALL}{SECOND_CLIENT}");
    good(&two);
    let second = |old: &str, new: &str| format!("{SMALL}{}", SECOND_CLIENT.replace(old, new));
    refused(
        &second("dns:two.example.org", "dns:SCS.example.org"),
        19,
        "client[2].sans",
        "line 13",
    );
    refused(
        &second("\"two\"", "\"one\""),
        20,
        "client[2].scs_as_ids",
        "line 14",
    );
    let named = second("scs-2\"", "scs-1\"\nclient_id = \"other\"");
    refused(&named, 18, "client[2].name", "line 12");
    let id = second("scs-2\"", "scs-2\"\nclient_id = \"scs-1\"");
    refused(&id, 19, "client[2].client_id", "line 12");
    let once = with("[\"one\"]", "[\"one\",\n\"one\"]");
    refused(&once, 15, "client[1].scs_as_ids", "line 14");
}

#[test]
fn private_key_in_file_and_token_is_refused() {
    let text = with(
        "key.file = \"server.key\"",
        "key.file = \"k\"\nkey.module = \"m\"",
    );
    let faults = parsed(&text).unwrap_err();
    let both = faults
        .iter()
        .find(|fault| fault.key == "tls.key.file")
        .unwrap();
    assert!(both.line == 6 && both.what.contains("line 7"), "{both:?}");
}

#[test]
fn missing_private_key_is_refused() {
    refused(
        &with("key.file = \"server.key\"\n", ""),
        3,
        "tls.key.module",
        "no private key",
    );
    let text = with(
        "key.file = \"server.key\"",
        "key.module = \"m\"\nkey.pin_file = \"p\"",
    );
    refused(&text, 6, "tls.key.uri", "missing");
}

/// RFC 7512 lets a URI carry the PIN; this one must not, and must not be shown.
//= RFC 7512 section 2.3 type=test
//# A URI may carry the PIN or where it is; ours has another place for it.
#[test]
fn pin_in_a_uri_is_refused_and_not_shown() {
    for uri in [
        "pkcs11:token=t?pin-value=98765",
        "pkcs11:token=t?PIN-source=98765",
        "token=98765",
    ] {
        let key = TOKEN.replace("pkcs11:token=t", uri);
        let faults = parsed(&with("key.file = \"server.key\"", &key)).unwrap_err();
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].key, "tls.key.uri");
        assert!(!format!("{faults:?}").contains("98765"), "{faults:?}");
    }
}

//= RFC 6749 appendix A.1 type=test
//# A client identifier consists of visible characters and spaces.
#[test]
fn client_id_of_visible_characters_and_spaces_is_taken() {
    let config = good(&with("sans =", "client_id = \"a b~!\"\nsans ="));
    assert_eq!(config.clients[0].client_id, "a b~!");
}

#[test]
fn deadlines_longer_than_the_exchange_are_refused() {
    for key in ["body", "upstream_connect", "upstream_response"] {
        let text = format!("{SMALL}[deadlines]\n{key} = \"121s\"\n");
        refused(&text, 18, &format!("deadlines.{key}"), "121s is longer");
    }
    refused(
        &format!("{SMALL}[deadlines]\nexchange = \"29s\"\nbody = \"1s\"\n"),
        18,
        "deadlines.upstream_response",
        "30s",
    );
}

#[test]
fn target_longer_than_the_head_is_refused() {
    let text = format!("{SMALL}[limits]\ntarget_bytes_max = \"17KiB\"\n");
    refused(
        &text,
        18,
        "limits.target_bytes_max",
        "more than head_bytes_max",
    );
}

#[test]
fn all_faults_of_a_file_are_reported_in_line_order() {
    let text = SMALL
        .replace("127.0.0.1:8443", "nowhere")
        .replace("client_ca", "client_cas")
        .replace("\"scs-1\"", "1")
        .replace("dns:scs", "scs")
        .replace("127.0.0.1:8080", "scef:80");
    let faults = parsed(&text).unwrap_err();
    let lines: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
    // client_cas counts twice: client_ca is missing (line 3), client_cas unknown (line 5).
    assert_eq!(lines, [2, 3, 5, 12, 13, 16], "{faults:#?}");
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC*|[\\[\\]a-z\"'=.{}#,\n0-9_]{0,200}") {
        let _ = parsed(&text);
    }

    #[test]
    fn configuration_with_a_piece_replaced_never_panics(
        at in 0..SMALL.len(), length in 0..40_usize, piece in "[\\[\\]a-z\"=.{},\n0-9é]{0,12}",
    ) {
        let mut text = SMALL.to_owned();
        text.replace_range(at..(at + length).min(SMALL.len()), &piece);
        if let Err(faults) = parsed(&text) {
            prop_assert!(!faults.is_empty());
            prop_assert!(faults.is_sorted_by(|one, other| order(one, other).is_le()));
            super::super::render(Path::new("f"), &faults);
        }
    }
}

mod allowances;
mod apis;
mod documented;
mod files;
mod introspection;
mod issuers;
mod links;
mod machine;
mod oauth;
mod operation;
mod own_files;
mod partners;
mod policy;
mod privacy;
mod revocation;
mod tickets;
