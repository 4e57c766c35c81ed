use std::fs;
use std::sync::Arc;

use super::*;

const ALLOWED: &str = concat!(
    r#"{"time":"2026-11-18T11:06:40.007Z","kind":"request","#,
    r#""request_id":"deadbeef000000010000000000000001","outcome":"answered","status":201,"#,
    r#""client":"scs-1","address":"192.0.2.7:40001","method":"POST","#,
    r#""api":"3gpp-monitoring-event","resource":"/{scsAsId}/subscriptions","token":"cached","#,
    r#""request_bytes":310,"response_bytes":412,"authorize_us":2.3,"upstream_us":812.456,"#,
    r#""whole_us":1861,"shard":1}"#
);

const REFUSED: &str = concat!(
    r#"{"time":"2026-11-18T11:06:41.000Z","kind":"request","#,
    r#""request_id":"deadbeef000000010000000000000002","outcome":"refused","#,
    r#""reason":"token_invalid","detail":"token_expired","status":401,"client":"scs-1","#,
    r#""address":"192.0.2.7:40001","method":"GET","api":"3gpp-nidd","#,
    r#""resource":"/{scsAsId}/configurations","token":"verified","authorize_us":90.1,"shard":0}"#
);

fn told(line: &str) -> String {
    words::tell(&serde_json::from_str(line).unwrap())
}

#[test]
fn allowed_request_is_said_in_words() {
    assert_eq!(
        told(ALLOWED),
        "request   deadbeef000000010000000000000001\n\
         when      2026-11-18T11:06:40.007Z, on shard 1\n\
         who       client scs-1, from 192.0.2.7:40001\n\
         asked     POST on /{scsAsId}/subscriptions of 3gpp-monitoring-event\n\
         decided   allowed, and answered to the end with status 201\n\
         token     known to this CPU: its signature had been verified before\n\
         bytes     310 of body from the client, 412 to it\n\
         time      2.3 µs for the checks, 812.5 µs until the SCEF answered, 1.9 ms in all\n"
    );
}

#[test]
fn refused_request_is_said_with_its_row() {
    assert_eq!(
        told(REFUSED),
        "request   deadbeef000000010000000000000002\n\
         when      2026-11-18T11:06:41.000Z, on shard 0\n\
         who       client scs-1, from 192.0.2.7:40001\n\
         asked     GET on /{scsAsId}/configurations of 3gpp-nidd\n\
         decided   refused with status 401\n\
         why       token_invalid, in particular token_expired (Unauthorized, cause TOKEN_INVALID, \
         OAuth error invalid_token)\n\
         told      the client reads: The access token is expired, malformed or not from a known \
         issuer.\n\
         look at   the client must fetch a new token; if this one should still be good, compare \
         the clocks of its issuer and of this machine\n\
         token     not known to this CPU: its signature and claims were verified\n\
         time      90.1 µs for the checks\n"
    );
}

#[test]
fn grant_is_said_with_its_scope() {
    let text = told(
        r#"{"time":"t","kind":"grant","request_id":"00000000000000000000000000000003",
        "outcome":"answered","status":200,"client":"scs-1","address":"192.0.2.7:1",
        "scope":["3gpp-nidd","3gpp-monitoring-event"],"whole_us":2000000,"shard":0}"#,
    );
    assert!(text.contains("asked     an access token"), "{text}");
    let granted = "decided   granted with status 200, for 3gpp-nidd 3gpp-monitoring-event\n";
    assert!(text.contains(granted), "{text}");
    assert!(text.ends_with("time      2.0 s in all\n"), "{text}");
}

#[test]
fn end_of_a_token_is_said_as_such() {
    for (detail, decided) in [
        ("token_revoked", "decided   revoked with status 200\n"),
        (
            "",
            "decided   nothing to revoke, answered with status 200\n",
        ),
    ] {
        let text = told(&format!(
            r#"{{"time":"t","kind":"grant","request_id":"00000000000000000000000000000003",
            "outcome":"answered","status":200,"client":"scs-1","address":"192.0.2.7:1",
            "detail":"{detail}","resource":"/oauth2/revoke","whole_us":2000000,"shard":0}}"#,
        ));
        assert!(
            text.contains("asked     the end of an access token"),
            "{text}"
        );
        assert!(text.contains(decided), "{text}");
    }
}

#[test]
fn question_about_a_token_is_said_as_such_with_what_helps_whoever_may_not_ask() {
    let asked = |outcome: &str| {
        told(&format!(
            r#"{{"time":"t","kind":"grant","request_id":"00000000000000000000000000000003",
            "client":"scs-1","address":"192.0.2.7:1","resource":"/oauth2/introspect",
            {outcome},"shard":0}}"#,
        ))
    };
    let answered = asked(r#""outcome":"answered","status":200"#);
    let said = "asked     what an access token is worth, of the issuer in this gateway\n\
                decided   answered with status 200\n";
    assert!(answered.contains(said), "{answered}");
    for (reason, detail, cure) in [
        (
            "grant_client_unregistered",
            "grant_introspection_unregistered",
            "look at   set introspects = true in the [[client]]",
        ),
        (
            "grant_malformed",
            "grant_token_missing",
            "look at   the client must send the token that it means",
        ),
    ] {
        let refused =
            format!(r#""outcome":"refused","status":400,"reason":"{reason}","detail":"{detail}""#);
        let refused = asked(&refused);
        assert!(
            refused.contains("asked     what an access token"),
            "{refused}"
        );
        assert!(refused.contains(cure), "{refused}");
    }
}

#[test]
fn refused_connection_is_said_with_its_alert() {
    let text = told(
        r#"{"time":"t","kind":"connection","outcome":"refused","reason":"unknown_ca",
        "detail":"unknown_ca","address":"192.0.2.7:1","shard":0}"#,
    );
    assert!(
        text.contains("who       a client that is not known by then"),
        "{text}"
    );
    assert!(
        text.contains("decided   refused\nwhy       unknown_ca, in particular unknown_ca\n"),
        "{text}"
    );
    assert!(
        text.contains("told      the client gets the TLS alert unknown_ca\n"),
        "{text}"
    );
    assert!(text.contains("look at   add the client's CA"), "{text}");
    for (reason, detail, alert) in [
        (
            "no_common_profile",
            "no_application_protocol",
            "no_application_protocol",
        ),
        ("certificate_rule", "key_usage", "unsupported_certificate"),
    ] {
        let text = told(&format!(
            r#"{{"kind":"connection","outcome":"refused","reason":"{reason}","detail":"{detail}"}}"#
        ));
        let said = format!("the client gets the TLS alert {alert}\n");
        assert!(text.contains(&said), "{text}");
    }
    let text = told(r#"{"kind":"connection","outcome":"refused","reason":"too_long"}"#);
    assert!(text.contains("gets nothing: the connection"), "{text}");
    for (detail, alert) in [
        ("certificate_revoked", "certificate_revoked"),
        ("certificate_revoked_here", "certificate_revoked"),
        ("client_certificate_expired", "certificate_expired"),
        ("revocation_list_expired", "unknown_ca"),
        ("not_mapped", "access_denied"),
        ("crl_distribution_points", "access_denied"),
    ] {
        let lost = r#"{"kind":"connection","outcome":"refused","reason":"trust_lost","detail":""#;
        let text = told(&format!("{lost}{detail}\"}}"));
        let said = format!(
            "the client gets the TLS alert {alert} over TLS 1.3, and close_notify over TLS 1.2\n"
        );
        assert!(text.contains(&said), "{text}");
    }
}

#[test]
fn reason_of_another_version_and_control_characters_do_no_harm() {
    let text = told(r#"{"outcome":"refused","reason":"n\u001b[2Jew","status":499}"#);
    assert!(text.contains("why       n?[2Jew\n"), "{text}");
    assert!(!text.contains("look at"), "{text}");
}

/// A folder with an audit file of these lines.
fn audit(lines: &[&str]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.jsonl");
    fs::write(&file, lines.join("\n") + "\n").unwrap();
    (folder, vec![file])
}

#[test]
fn record_is_found_by_id_and_by_prefix_behind_lines_that_are_none() {
    let long = "deadbeef".repeat(20_000);
    let half = &REFUSED[..90];
    assert!(half.contains("deadbeef"));
    let (_folder, files) = audit(&[half, "", "deadbeef0000", &long, "\u{0}", ALLOWED, REFUSED]);
    let whole = "deadbeef000000010000000000000002";
    assert_eq!(explain(whole, &files, None), Ok(told(REFUSED)));
    let upper = whole.to_ascii_uppercase();
    assert_eq!(explain(&upper, &files, None), Ok(told(REFUSED)));
    let (_folder, files) = audit(&[ALLOWED]);
    assert_eq!(explain("deadbeef", &files, None), Ok(told(ALLOWED)));
}

/// The end tells the requests of a shard apart, where the beginning does not.
#[test]
fn last_digits_name_one_of_many() {
    let (_folder, files) = audit(&[ALLOWED, REFUSED]);
    assert_eq!(explain("00000001", &files, None), Ok(told(ALLOWED)));
    assert_eq!(explain("00000002", &files, None), Ok(told(REFUSED)));
}

#[test]
fn prefix_of_two_requests_is_ambiguous() {
    let (_folder, files) = audit(&[ALLOWED, REFUSED]);
    let (status, text) = explain("deadbeef", &files, None).unwrap_err();
    assert_eq!(status, BAD_ARGUMENTS);
    assert!(text.contains("names 2 requests"), "{text}");
    assert!(text.contains("deadbeef000000010000000000000002"), "{text}");
}

#[test]
fn request_without_a_record_is_not_found() {
    let (_folder, files) = audit(&[ALLOWED]);
    // Not an end of a request's id, though it stands in the line.
    for id in ["00010000", "12345678"] {
        let (status, text) = explain(id, &files, None).unwrap_err();
        assert_eq!(status, NOT_FOUND);
        assert!(
            text.contains("hint: records reach the file within 100 ms"),
            "{text}"
        );
    }
}

#[test]
fn bad_ids_and_files_are_bad_arguments() {
    let (folder, files) = audit(&[ALLOWED]);
    for id in ["", "deadbee", "deadbeeg", &"a".repeat(33)] {
        assert_eq!(
            explain(id, &files, None).unwrap_err().0,
            BAD_ARGUMENTS,
            "{id}"
        );
    }
    let missing = vec![folder.path().join("nowhere")];
    let (status, text) = explain("deadbeef", &missing, None).unwrap_err();
    assert_eq!(status, BAD_ARGUMENTS);
    assert!(text.contains("cannot be read"), "{text}");
    let (status, text) = explain("deadbeef", &[], Some(&missing[0])).unwrap_err();
    assert_eq!(status, BAD_ARGUMENTS);
    assert!(text.contains("configuration file cannot be read"), "{text}");
}

#[test]
fn configuration_names_the_file_and_its_rotated_siblings() {
    let (folder, files) = audit(&[ALLOWED]);
    fs::write(folder.path().join("audit.jsonl.1"), format!("{REFUSED}\n")).unwrap();
    // Of the files it names none is there: that is not in the way of reading records.
    let text = "[listen]\naddress = \"127.0.0.1:8443\"\n[upstream]\naddress = \"192.0.2.1:80\"\n\
                [tls]\ncertificate = \"a\"\nclient_ca = \"a\"\nkey.file = \"a\"\n[[issuer]]\n\
                name = \"i\"\naudience = \"a\"\njwks = \"a\"\n[[client]]\nname = \"scs-1\"\n\
                sans = [\"dns:scs.example.org\"]\nscs_as_ids = [\"one\"]\n";
    let config = folder.path().join("t8gate.toml");
    fs::write(&config, text).unwrap();
    let (status, said) = explain("deadbeef", &[], Some(&config)).unwrap_err();
    assert_eq!(status, BAD_ARGUMENTS);
    assert!(said.contains("no [audit] section"), "{said}");
    fs::write(&config, format!("{text}[audit]\nfile = \"audit.jsonl\"\n")).unwrap();
    let found = explain("deadbeef000000010000000000000002", &[], Some(&config));
    assert_eq!(found, Ok(told(REFUSED)));
    assert_eq!(configured(&config).unwrap()[0], files[0]);
}

#[test]
fn what_the_gateway_writes_is_what_is_explained() {
    use crate::audit::{
        FoundIdentity, Journal, Keeps, Kind, Outcome, Record, RequestId, TokenVerdict,
    };
    use crate::authz::apis::ApiId;
    use crate::authz::scope::Rights;
    use crate::clock::{Millis, UnixMillis};
    use crate::config::{Audit, Located, WhenUnwritable};
    use crate::control::audit_file::AuditWriter;

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.jsonl");
    let audit = Audit {
        file: Located {
            value: file.clone(),
            line: 1,
        },
        when_unwritable: WhenUnwritable::Refuse,
    };
    let (journal, batches) = Journal::new(Keeps::AllOrRefuse, 1_024);
    let mut writer = AuditWriter::new(vec![(0, batches)], Arc::default(), Some(&audit), Millis(0));
    let granted = Rights::of_value("3gpp-nidd").unwrap();
    let record = Record {
        at: UnixMillis(0),
        kind: Kind::Grant,
        outcome: Outcome::Answered,
        word: "",
        detail: "a_detail",
        cure: "",
        status: 200,
        shard: 3,
        client: None,
        address: std::net::SocketAddr::from(([192, 0, 2, 7], 1)),
        request_id: Some(RequestId::new(7, 9)),
        method: "POST",
        api: ApiId::from_name("3gpp-nidd"),
        resource: "/{scsAsId}",
        granted,
        revoked: [7; 8],
        token: TokenVerdict::Remembered,
        identity: Some(Box::new(FoundIdentity {
            form: "supi_imsi",
            tier: "explicit",
            done: "blocked",
            pseudonym: "imsi:00ff".to_owned(),
            pointer: "/externalId".to_owned(),
        })),
        request_bytes: 11,
        response_bytes: 12,
        authorize_ns: 1_500,
        upstream_ns: 2_000,
        whole_ns: 3_000,
    };
    journal.write(&record, false);
    let kind = Kind::Request;
    let other = Record {
        kind,
        request_id: Some(RequestId::new(7, 10)),
        ..record
    };
    journal.write(&other, false);
    journal.publish();
    assert_eq!(writer.turn(Millis(0)), 2);
    let files = [file];
    let said = explain(RequestId::new(7, 9).as_str(), &files, None).unwrap();
    assert!(
        said.contains("decided   granted with status 200, for 3gpp-nidd\n"),
        "{said}"
    );
    let said = explain(RequestId::new(7, 10).as_str(), &files, None).unwrap();
    for part in [
        "1970-01-01T00:00:00.000Z, on shard 3",
        "from 192.0.2.7:1",
        "POST on /{scsAsId} of 3gpp-nidd",
        "the same as in the connection's request before",
        "11 of body from the client, 12 to it",
        "an identity of the form supi_imsi (explicit) at /externalId, blocked: imsi:00ff",
        "1.5 µs for the checks, 2.0 µs until the SCEF answered, 3.0 µs in all",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
}
