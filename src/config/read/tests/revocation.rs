//! Where revocation lists are, and how they are gone by.

use super::*;
use crate::config::{CrlPlace, RevocationPolicy, StatusPlace};

/// The small configuration, 16 lines, and more behind it.
fn small_and(more: &str) -> String {
    format!("{SMALL}{more}")
}

#[test]
fn lists_make_hard_fail_the_rule_and_their_absence_makes_it_off() {
    let none = good(SMALL).revocation;
    assert_eq!(
        (none.policy.value, none.lists.len()),
        (RevocationPolicy::Off, 0)
    );
    let one = good(&small_and("[[crl]]\nfile = \"a.crl\"\n")).revocation;
    assert_eq!(one.policy.value, RevocationPolicy::HardFail);
    let file = CrlPlace::File("/etc/t8gate/a.crl".into());
    assert_eq!(
        (&one.lists[0].place.value, one.grace.value),
        (&file, Duration::ZERO)
    );
    let said = "[revocation]\npolicy = \"soft-fail\"\ngrace = \"2h\"\n[[crl]]\nfile = \"a.crl\"\n";
    let said = good(&small_and(said)).revocation;
    assert_eq!(said.policy.value, RevocationPolicy::SoftFail);
    assert_eq!(said.grace.value, Duration::from_secs(7_200));
    let policy = "[revocation]\npolicy = \"hard-fail\"\n";
    refused(
        &small_and(policy),
        18,
        "revocation.policy",
        "no list to go by",
    );
    let policy = "[revocation]\npolicy = \"maybe\"\n";
    refused(&small_and(policy), 18, "revocation.policy", "neither");
}

#[test]
fn url_is_taken_apart_and_what_a_list_cannot_be_fetched_by_is_refused() {
    let with = |url: &str, more: &str| {
        let state = "[revocation]\nstate = \"s\"\n[[crl]]\n";
        small_and(&format!("{state}url = \"{url}\"\n{more}"))
    };
    let place = |text: &str| match good(text).revocation.lists.remove(0).place.value {
        CrlPlace::Url(url) => url,
        CrlPlace::File(file) => panic!("{file:?}"),
    };
    let url = place(&with("http://crl.example.org/a?b=c", "refresh = \"5s\"\n"));
    assert_eq!((url.tls, url.port), (false, 80));
    assert_eq!(
        (url.host.as_str(), url.target.as_str()),
        ("crl.example.org", "/a?b=c")
    );
    let url = place(&with("https://[::1]:8443", "ca = \"ca.pem\"\n"));
    assert_eq!((url.tls, url.port, url.host.as_str()), (true, 8_443, "::1"));
    assert_eq!(
        (url.authority.as_str(), url.target.as_str()),
        ("[::1]:8443", "/")
    );
    for (url, what) in [
        ("ldap://crl.example.org/a", "neither"),
        ("crl.example.org/a", "neither"),
        ("http://me:secret@crl.example.org/a", "password"),
        ("http://crl.example.org/a#b", "fragment"),
        ("http://crl.example.org?a", "no path"),
        ("http:///a", "no host"),
        ("http://crl.example.org:0/a", "port"),
        ("http://crl.example.org/ä", "letters"),
    ] {
        refused(&with(url, ""), 20, "crl[1].url", what);
    }
    refused(
        &with("https://crl.example.org/a", ""),
        20,
        "crl[1].ca",
        "missing",
    );
    let ca = "ca = \"ca.pem\"\n";
    refused(
        &with("http://crl.example.org/a", ca),
        21,
        "crl[1].ca",
        "https only",
    );
}

#[test]
fn list_is_named_once_and_in_one_way() {
    let two = "[[crl]]\nfile = \"a\"\n[[crl]]\nfile = \"a\"\n";
    refused(&small_and(two), 20, "crl", "line 18");
    let both = "[revocation]\nstate = \"s\"\n[[crl]]\nfile = \"a\"\nurl = \"http://a.example/\"\n";
    refused(&small_and(both), 21, "crl[1].url", "line 20");
    refused(
        &small_and("[[crl]]\nissuer = \"a\"\n"),
        17,
        "crl[1].file",
        "no list",
    );
    let refresh = "[[crl]]\nfile = \"a\"\nrefresh = \"1h\"\n";
    refused(&small_and(refresh), 19, "crl[1].refresh", "url only");
    let homeless = "[[crl]]\nurl = \"http://a.example/\"\n";
    refused(&small_and(homeless), 18, "crl[1].url", "folder");
}

const RESPONDER: &str = "[[ocsp]]\nissuer = \"ca.pem\"\nurl = \"http://o.example/\"\n";

#[test]
fn responders_make_hard_fail_the_rule_and_their_absence_makes_it_off() {
    let none = good(SMALL).revocation;
    assert_eq!(none.ocsp.value, RevocationPolicy::Off);
    let one = good(&small_and(RESPONDER)).revocation;
    assert_eq!(one.ocsp.value, RevocationPolicy::HardFail);
    assert_eq!(
        one.policy.value,
        RevocationPolicy::Off,
        "lists are another matter"
    );
    assert_eq!(one.responders[0].url.value.to_string(), "http://o.example/");
    assert_eq!(one.responders[0].refresh, Duration::from_secs(3_600));
    let said = format!("[revocation]\nocsp = \"soft-fail\"\n{RESPONDER}refresh = \"5s\"\n");
    let said = good(&small_and(&said)).revocation;
    assert_eq!(said.ocsp.value, RevocationPolicy::SoftFail);
    assert_eq!(said.responders[0].refresh, Duration::from_secs(5));
    let policy = "[revocation]\nocsp = \"hard-fail\"\n";
    refused(&small_and(policy), 18, "revocation.ocsp", "no responder");
    let group = "[[partner]]\nname = \"a\"\nclient_ca = \"ca.pem\"\nocsp = \"hard-fail\"\n";
    refused(&small_and(group), 20, "partner[1].ocsp", "no responder");
    let group = format!("{}{RESPONDER}", group.replace("hard-fail", "off"));
    let off = good(&small_and(&group)).partners.remove(1);
    let said = off.ocsp.as_ref().map(|said| said.value);
    assert_eq!(said, Some(RevocationPolicy::Off));
}

#[test]
fn responder_has_an_issuer_of_its_own_and_https_has_its_cas() {
    let twice = format!("{RESPONDER}{RESPONDER}");
    refused(&small_and(&twice), 21, "ocsp[2].issuer", "line 18");
    let secure = RESPONDER.replace("http:", "https:");
    refused(&small_and(&secure), 19, "ocsp[1].ca", "missing");
    let with_ca = format!("{RESPONDER}ca = \"ca.pem\"\n");
    refused(&small_and(&with_ca), 20, "ocsp[1].ca", "https only");
    let homeless = "[[ocsp]]\nurl = \"http://o.example/\"\n";
    refused(&small_and(homeless), 17, "ocsp[1].issuer", "missing");
}

#[test]
fn status_to_staple_is_a_file_or_a_responders() {
    let staple = |keys: &str| small_and(&format!("[tls.ocsp]\n{keys}"));
    let file = good(&staple("file = \"s.ocsp\"\n")).tls.ocsp.unwrap();
    let path = StatusPlace::File("/etc/t8gate/s.ocsp".into());
    assert_eq!((file.place.value, file.issuer), (path, None));
    let url = good(&staple("url = \"http://o.example/\"\n")).tls.ocsp;
    assert_eq!(url.unwrap().place.value.to_string(), "http://o.example/");
    assert_eq!(good(SMALL).tls.ocsp, None);
    let both = "file = \"s.ocsp\"\nurl = \"http://o.example/\"\n";
    refused(&staple(both), 19, "tls.ocsp.url", "line 18");
    refused(
        &staple("issuer = \"ca.pem\"\n"),
        17,
        "tls.ocsp.file",
        "no status",
    );
    let ca = "file = \"s.ocsp\"\nca = \"ca.pem\"\n";
    refused(&staple(ca), 19, "tls.ocsp.ca", "url only");
}
