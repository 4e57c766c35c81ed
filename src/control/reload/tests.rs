use std::fs;

use super::attempt::in_their_places;
use super::watched::stamp;
use super::*;
use crate::config;
use crate::limits::CLIENTS_MAX;
use crate::peer::{Client, San};

fn client(name: &str) -> Client {
    Client {
        name: name.to_owned(),
        client_id: format!("{name}-app"),
        sans: vec![San::Dns(format!("{name}.example"))],
        scs_as_ids: vec![name.to_owned()],
        partner: "default".to_owned(),
        source_addresses: Vec::new(),
        unbound_tokens: false,
        registration: None,
        enabled: true,
    }
}

#[test]
fn clients_keep_their_places_whatever_becomes_of_the_others() {
    let running = ["a", "b", "c"].map(client);
    let mut changed = client("a");
    changed.client_id = "another".to_owned();
    let written = vec![client("d"), client("c"), changed.clone()];
    let (clients, no_place) = in_their_places(&running, written, &[]);
    assert!(no_place.is_empty());
    assert_eq!([&clients[0], &clients[2]], [&changed, &client("c")]);
    assert_eq!(clients[3..], [client("d")], "behind them");
    assert_eq!(clients[1].name, "b", "counters and records know it by that");
    let gone = &clients[1];
    assert!(gone.client_id.is_empty() && gone.sans.is_empty() && gone.scs_as_ids.is_empty());
    let (back, _) = in_their_places(&clients, vec![client("d"), client("b")], &[]);
    assert_eq!(back[1], client("b"), "in the place it had");
    assert_eq!((back.len(), &back[3]), (4, &client("d")));
}

#[test]
fn clients_for_which_no_place_is_left_are_named() {
    let running: Vec<Client> = (1..CLIENTS_MAX).map(|n| client(&format!("c{n}"))).collect();
    let written = vec![client("a"), client("b")];
    let (clients, no_place) = in_their_places(&running, written, &[]);
    assert_eq!(clients.len(), CLIENTS_MAX);
    assert_eq!(no_place, ["b"]);
}

#[test]
fn file_that_is_replaced_or_written_has_another_stamp_and_one_that_is_not_has_not() {
    let folder = tempfile::tempdir().unwrap();
    let (file, other) = (folder.path().join("file"), folder.path().join("other"));
    assert_eq!(stamp(&file), None);
    fs::write(&file, "one").unwrap();
    let first = stamp(&file);
    assert!(first.is_some());
    assert_eq!(stamp(&file), first);
    fs::write(&other, "two").unwrap();
    fs::rename(&other, &file).unwrap();
    let second = stamp(&file);
    assert_ne!(second, first);
    fs::write(&file, "three").unwrap();
    assert_ne!(stamp(&file), second);
}

#[test]
fn file_counts_as_changed_once_it_has_settled_however_another_goes_on_to_change() {
    let folder = tempfile::tempdir().unwrap();
    let [restless, other] = ["restless", "other"].map(|name| folder.path().join(name));
    fs::write(&other, "one").unwrap();
    let mut text = String::new();
    let mut change = || {
        text.push('.');
        fs::write(&restless, &text).unwrap();
    };
    change();
    let stamps = [&restless, &other].map(|file| (file.clone(), stamp(file)));
    let mut watched = Watched::new(stamps.into());
    let mut look = || {
        change();
        watched.have_changed()
    };
    for _ in 0..20 {
        assert!(!look(), "what changes all the time is half-written");
    }
    fs::write(&other, "two").unwrap();
    assert!(!look(), "it may be half-written");
    assert!(!look(), "they may belong together");
    assert!((0..5).any(|_| look()), "it is never read");
    watched.are_to_be_read();
    assert!(!watched.have_changed());
    fs::write(&other, "three").unwrap();
    assert!(!watched.have_changed());
    // For as long as it is not read.
    assert!(watched.have_changed() && watched.have_changed());
}

#[test]
fn lists_come_from_elsewhere_when_any_key_or_a_servers_cas_are_others_and_not_when_lines_move() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t8gate.toml");
    let cas = folder.path().join("cas.pem");
    fs::write(&cas, "one").unwrap();
    let common = "[listen]\naddress = \"127.0.0.1:8443\"\n[tls]\ncertificate = \"a\"\n\
                  key.file = \"b\"\nclient_ca = \"c\"\n[upstream]\n\
                  address = \"127.0.0.1:80\"\n[[issuer]]\nname = \"i\"\n\
                  audience = \"a\"\njwks = \"d\"\n[[client]]\nname = \"n\"\n\
                  sans = [\"dns:n.example\"]\nscs_as_ids = [\"n\"]\n";
    let of = |text: &str| {
        fs::write(&file, format!("{common}{text}")).unwrap();
        // The files it names are not there, which is nothing to what it says.
        let (config, faults) = config::examine(&file);
        Sources::of(&config.unwrap_or_else(|| panic!("{faults:?}")))
    };
    let url = "[revocation]\nstate = \"state\"\n[[crl]]\nurl = \"https://a.example/a\"\n\
               ca = \"cas.pem\"\n";
    let before = of(url);
    assert!(before == of(&format!("# a line\n{url}")));
    for (from, to) in [
        ("\"state\"", "\"elsewhere\""),
        ("example/a", "example/b"),
        ("cas.pem", "others.pem"),
        ("[[crl]]", "[[crl]]\nrefresh = \"5m\""),
        ("[[crl]]", "[[crl]]\nissuer = \"e.pem\""),
        ("[[crl]]", "[[crl]]\nfile = \"e.crl\"\n[[crl]]"),
    ] {
        assert!(before != of(&url.replace(from, to)), "{to}");
    }
    fs::write(&cas, "other").unwrap();
    assert!(before != of(url), "who fetches has read them once");
}
