//! Where revocation lists are, and how they are gone by.

use super::*;
use crate::config::{CrlPlace, RevocationPolicy};

/// The small configuration, 16 lines, and more behind it.
fn small_and(more: &str) -> String {
    format!("{SMALL}{more}")
}

#[test]
fn lists_make_hard_fail_the_rule_and_their_absence_makes_it_off() {
    let none = good(SMALL).revocation;
    assert_eq!((none.policy, none.lists.len()), (RevocationPolicy::Off, 0));
    let one = good(&small_and("[[crl]]\nfile = \"a.crl\"\n")).revocation;
    assert_eq!(one.policy, RevocationPolicy::HardFail);
    let file = CrlPlace::File("/etc/t8gate/a.crl".into());
    assert_eq!(
        (&one.lists[0].place.value, one.grace),
        (&file, Duration::ZERO)
    );
    let said = "[revocation]\npolicy = \"soft-fail\"\ngrace = \"2h\"\n[[crl]]\nfile = \"a.crl\"\n";
    let said = good(&small_and(said)).revocation;
    assert_eq!(said.policy, RevocationPolicy::SoftFail);
    assert_eq!(said.grace, Duration::from_secs(7_200));
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
