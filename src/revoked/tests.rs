use super::*;
use crate::revoked::written::Unmeant;

pub(super) mod store;

pub(super) const NOW: UnixSeconds = UnixSeconds(1_795_000_000);
pub(super) const ISSUER: &str = "https://as.example/t8";

/// What an object says.
pub(super) fn meant(json: &str) -> Revocation {
    match Written::read(json.as_bytes()).unwrap().meant(NOW).unwrap() {
        Meant::Revocation(revocation) => revocation,
        Meant::Token(_) => panic!("a token"),
    }
}

fn unmeant(json: &str) -> Unmeant {
    let read = Written::read(json.as_bytes());
    read.and_then(|written| written.meant(NOW)).unwrap_err()
}

fn revoked(json: &str) -> Revoked {
    let revoked = Revoked::default();
    revoked.fill([meant(json).entry]);
    revoked
}

const TOKEN: &[u8] = b"head.claims.signature";

/// A token of the client `acme-app`, issued a minute ago.
pub(super) fn presented() -> Presented<'static> {
    Presented {
        token: Form::Signed(TOKEN),
        issuer: ISSUER,
        jti: Some("j-1"),
        client_id: "acme-app",
        kid: Some("first"),
        issued_at: Some(UnixSeconds(NOW.0 - 60)),
        issued_from: UnixSeconds(NOW.0 - 60),
        ends: UnixSeconds(NOW.0 + 240),
    }
}

fn sha256_of(octets: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, octets);
    digest.as_ref().iter().map(|o| format!("{o:02x}")).collect()
}

#[test]
fn nothing_is_revoked_at_first() {
    let revoked = Revoked::default();
    assert_eq!(revoked.token(&presented()), None);
    assert!(!revoked.certificate(Thumbprint([7; 32])));
}

#[test]
fn a_jti_is_revoked_with_its_issuer() {
    let of = |issuer: &str| revoked(&format!(r#"{{"jti":"j-1","issuer":"{issuer}"}}"#));
    assert_eq!(of(ISSUER).token(&presented()), Some(Kind::Jti));
    assert_eq!(of("https://other.example").token(&presented()), None);
    let other = Presented {
        jti: Some("j-2"),
        ..presented()
    };
    assert_eq!(of(ISSUER).token(&other), None);
    let without = Presented {
        jti: None,
        ..presented()
    };
    assert_eq!(of(ISSUER).token(&without), None);
}

/// Of an ECDSA signature (r, s) anybody can make (r, n - s), which verifies as well.
#[test]
fn a_token_is_revoked_whatever_signature_it_comes_with() {
    let hash = sha256_of(b"head.claims");
    let revoked = revoked(&format!(r#"{{"token_sha256":"{hash}"}}"#));
    assert_eq!(revoked.token(&presented()), Some(Kind::Token));
    let signed = |token| Presented {
        token: Form::Signed(token),
        ..presented()
    };
    let other_signature = signed(b"head.claims.the-other");
    assert_eq!(revoked.token(&other_signature), Some(Kind::Token));
    assert_eq!(revoked.token(&signed(b"head.other.signature")), None);
}

#[test]
fn of_an_opaque_token_all_of_it_counts() {
    let hash = sha256_of(b"v2.local.one");
    let revoked = revoked(&format!(r#"{{"token_sha256":"{hash}"}}"#));
    let opaque = |token| Presented {
        token: Form::Opaque(token),
        ..presented()
    };
    assert_eq!(revoked.token(&opaque(b"v2.local.one")), Some(Kind::Token));
    assert_eq!(revoked.token(&opaque(b"v2.local.two")), None);
}

#[test]
fn tokens_of_a_client_are_revoked_up_to_a_moment_and_later_ones_are_good() {
    let until = NOW.0 - 60;
    let revoked = revoked(&format!(
        r#"{{"client":"acme-app","issued_until":{until}}}"#
    ));
    assert_eq!(revoked.token(&presented()), Some(Kind::Client));
    let later = Presented {
        issued_at: Some(UnixSeconds(until + 1)),
        ..presented()
    };
    assert_eq!(revoked.token(&later), None);
    let other = Presented {
        client_id: "globex-app",
        ..presented()
    };
    assert_eq!(revoked.token(&other), None);
}

/// Nothing but its end says when it was issued, and how long its issuer's tokens live: now, or when
/// the client's were revoked, whichever is longer.
#[test]
fn token_that_does_not_say_when_it_was_issued_goes_by_its_end() {
    let until = NOW.0 - 60;
    let mut revocation = meant(&format!(
        r#"{{"client":"acme-app","issued_until":{until}}}"#
    ));
    revocation.entry.held.undated_until = UnixSeconds(NOW.0 + 100);
    let revoked = Revoked::default();
    revoked.take_file(&[revocation]);
    let told = |from: u64, ends: u64| {
        revoked.token(&Presented {
            issued_at: None,
            issued_from: UnixSeconds(from),
            ends: UnixSeconds(ends),
            ..presented()
        })
    };
    let (client, far) = (Some(Kind::Client), NOW.0 + 1_000);
    assert_eq!((told(until, far), told(until + 1, far)), (client, None));
    assert_eq!(told(until + 1, NOW.0 + 101), None);
    assert_eq!(
        told(until + 1, NOW.0 + 100),
        client,
        "they live shorter now"
    );
}

/// Its issuer's clock may be ahead of this one: a token issued just now may say that it is of the
/// next half-minute.
#[test]
fn tokens_of_a_client_are_revoked_by_the_clock_that_is_most_ahead() {
    let revoked = revoked(r#"{"client":"acme-app"}"#);
    let issued = |ahead| Presented {
        issued_at: Some(UnixSeconds(NOW.0 + ahead)),
        ..presented()
    };
    assert_eq!(revoked.token(&issued(30)), Some(Kind::Client));
    assert_eq!(revoked.token(&issued(31)), None);
    let until = |client| revoked.of_client(client).map(|held| held.issued_until);
    assert_eq!(until("acme-app"), Some(UnixSeconds(NOW.0 + 30)));
    assert_eq!(until("globex-app"), None);
    let reaches_beyond = |ahead: u64| {
        let until = NOW.0 + ahead;
        let json = format!(r#"{{"client":"acme-app","issued_until":{until}}}"#);
        meant(&json).reaches_beyond(NOW)
    };
    assert!(!reaches_beyond(30) && reaches_beyond(31));
}

#[test]
fn a_key_is_revoked_with_its_issuer_and_so_is_one_without_a_name() {
    let by_name = revoked(&format!(r#"{{"key":"first","issuer":"{ISSUER}"}}"#));
    assert_eq!(by_name.token(&presented()), Some(Kind::IssuerKey));
    assert!(by_name.issuer_key(ISSUER, "first") && !by_name.issuer_key(ISSUER, "second"));
    let nameless = revoked(&format!(r#"{{"key":"","issuer":"{ISSUER}"}}"#));
    assert_eq!(nameless.token(&presented()), None);
    let of_nameless = Presented {
        kid: Some(""),
        ..presented()
    };
    assert_eq!(nameless.token(&of_nameless), Some(Kind::IssuerKey));
    let unsigned = Presented {
        kid: None,
        ..presented()
    };
    assert_eq!(nameless.token(&unsigned), None, "no key has to do with it");
}

/// Two names never run into one another: `("ab", "c")` is not `("a", "bc")`.
#[test]
fn names_are_told_apart_with_their_lengths() {
    assert_ne!(Id::jti("ab", "c"), Id::jti("a", "bc"));
    assert_ne!(
        Id::jti("a", "b").octets(),
        Id::issuer_key("a", "b").octets()
    );
    let id = Id::issuer_key("a", "b");
    assert_eq!(Id::of_octets(id.octets()), Some(id));
    assert_eq!(Id::of_octets([9; 33]), None);
}

#[test]
fn certificates_are_revoked_by_thumbprint_in_any_spelling() {
    let changes = Revoked::default();
    let before = changes.certificates_changed();
    for spelt in ["AB:".repeat(32), "ab".repeat(32)] {
        let json = format!(r#"{{"certificate":"{}"}}"#, spelt.trim_end_matches(':'));
        changes.take_file(&[meant(&json)]);
        assert!(changes.certificate(Thumbprint([0xab; 32])));
        assert!(!changes.certificate(Thumbprint([0xba; 32])));
    }
    assert_ne!(changes.certificates_changed(), before);
    assert_eq!(
        meant(r#"{"client":"a"}"#).whose,
        Whose::Client("a".to_owned())
    );
}

#[test]
fn what_is_written_is_read_strictly() {
    for (json, what) in [
        (r#"{"clinet":"a"}"#, "not known"),
        (r#"{"client":"a","client":"b"}"#, "twice"),
        (r#"{"client":"a","jti":"b","issuer":"c"}"#, "one thing"),
        ("{}", "one thing"),
        (r#"{"client":7}"#, "another type"),
        (r#"{"client":""}"#, "empty"),
        (r#"{"client":"a","issuer":"b"}"#, "issuer"),
        (r#"{"client":"a","expires":1}"#, "expires"),
        (r#"{"jti":"a"}"#, "issuer"),
        (
            r#"{"jti":"a","issuer":"b","issued_until":1}"#,
            "issued_until",
        ),
        (r#"{"jti":"a","issuer":"b","expires":-1}"#, "another type"),
        (r#"{"key":"a"}"#, "issuer"),
        (r#"{"certificate":"ab"}"#, "SHA-256"),
        (r#"{"certificate":"zz"}"#, "SHA-256"),
        (r#"{"token":""}"#, "empty"),
        ("[]", "type"),
        ("{", "JSON"),
        ("", "JSON"),
    ] {
        let unmeant = unmeant(json);
        assert!(unmeant.what.contains(what), "{json}: {}", unmeant.what);
        assert!(!unmeant.cure.is_empty());
    }
    let long = format!(r#"{{"client":"{}"}}"#, "a".repeat(1_025));
    assert!(unmeant(&long).what.contains("longer"));
    let long = format!(r#"{{"token":"{}"}}"#, "a".repeat(8_193));
    assert!(unmeant(&long).what.contains("longer"));
}

#[test]
fn several_come_as_an_array_and_one_alone() {
    let count = |json: &str| Written::read_some(json.as_bytes()).map(|all| all.len());
    assert_eq!(count(r#"{"client":"a"}"#), Ok(1));
    assert_eq!(count(r#" [{"client":"a"},{"client":"b"}]"#), Ok(2));
    assert!(count(r#"[{"client":"a"},{"client":7}]"#).is_err());
    assert!(count(r#"[{"client":"a"}] x"#).is_err());
}

#[test]
fn a_token_is_shown_by_nothing_that_reads_one() {
    let written = Written::read(br#"{"token":"secret.token.here"}"#).unwrap();
    let shown = format!("{written:?}");
    let meant = written.meant(NOW).unwrap();
    assert!(!format!("{shown}{meant:?}").contains("secret"));
}

#[test]
fn a_token_whose_end_is_not_known_is_held_for_a_year_and_a_client_for_31_days() {
    let jti = meant(r#"{"jti":"a","issuer":"b"}"#).entry;
    assert_eq!(jti.held.until, UnixSeconds(NOW.0 + 366 * 86_400));
    let dated = meant(r#"{"jti":"a","issuer":"b","expires":5}"#).entry;
    assert_eq!(dated.held.until, UnixSeconds(5));
    let tokens = meant(r#"{"client":"a","issued_until":7}"#).entry;
    assert_eq!(tokens.held.until, UnixSeconds(7 + 31 * 86_400 + 60));
    let certificate = format!(r#"{{"certificate":"{}"}}"#, "ab".repeat(32));
    assert_eq!(meant(&certificate).entry.held.until, FOR_EVER);
}

pub(super) fn client(client_id: &str) -> Client {
    Client {
        name: client_id.to_owned(),
        client_id: client_id.to_owned(),
        partner: String::new(),
        sans: Vec::new(),
        scs_as_ids: Vec::new(),
        registration: None,
        enabled: true,
        source_addresses: Vec::new(),
        unbound_tokens: false,
    }
}

#[test]
fn generations_grow_for_whom_it_is_about_and_outlive_their_client() {
    let revoked = Revoked::default();
    let both = revoked.generations(&[client("a"), client("b")]);
    let now = |of: &[Arc<Generation>]| of.iter().map(|one| one.now()).collect::<Vec<_>>();
    let begin = now(&both);
    let whose = [Whose::Client("a".to_owned()), Whose::Client("z".to_owned())];
    revoked.apply(&[], &whose);
    assert_eq!(now(&both), [begin[0] + 1, begin[1]]);
    revoked.apply(&[], &[Whose::Nobody]);
    assert_eq!(now(&both), [begin[0] + 1, begin[1]]);
    revoked.apply(&[], &[Whose::All]);
    assert_eq!(now(&both), [begin[0] + 2, begin[1] + 1]);
    // It went with a reload and comes back with another, and something happened in between.
    let without = revoked.generations(&[client("b")]);
    revoked.apply(&[], &[Whose::Client("a".to_owned())]);
    assert_eq!(now(&without), [begin[1] + 1]);
    let back = revoked.generations(&[client("b"), client("a")]);
    assert_eq!(now(&back), [begin[1] + 1, begin[0] + 3]);
}

#[test]
fn what_leaves_the_file_is_good_again_and_what_stays_is_no_reason_to_verify_anew() {
    let revoked = Revoked::default();
    let generation = &revoked.generations(&[client("acme-app")])[0];
    let jti = meant(&format!(r#"{{"jti":"j-1","issuer":"{ISSUER}"}}"#));
    let key = meant(&format!(r#"{{"key":"k","issuer":"{ISSUER}"}}"#));
    let (came, gone) = {
        let both = [jti.clone(), key.clone()];
        let (came, gone) = revoked.take_file(&both);
        (came.len(), gone)
    };
    assert_eq!((came, gone, revoked.of_file()), (2, 0, 2));
    assert_eq!(revoked.token(&presented()), Some(Kind::Jti));
    let before = generation.now();
    let same = [key.clone(), jti];
    assert_eq!(revoked.take_file(&same).0.len(), 0);
    assert_eq!(generation.now(), before);
    let rest = [key];
    assert_eq!(revoked.take_file(&rest).1, 1);
    assert_eq!(revoked.token(&presented()), None);
    assert!(generation.now() > before);
}
