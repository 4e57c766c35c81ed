//! `[tls.tickets]`.

use super::*;
use crate::config::SecretSource;

fn small(lines: &str) -> String {
    SMALL.replace("[upstream]", &format!("[tls.tickets]\n{lines}\n[upstream]"))
}

#[test]
fn tickets_have_a_slot_of_six_hours_and_the_name_of_the_port() {
    let tickets = good(&small("secret_file = \"a\"")).tls.tickets.unwrap();
    assert_eq!(tickets.slot, crate::limits::TICKET_SLOT_DEFAULT);
    assert_eq!(tickets.name, "8443");
    assert_eq!(tickets.second, None);
    let said = "secret_file = \"a\"\nsecond_secret_file = \"b\"\nslot = \"72h\"\nname = \"north\"";
    let tickets = good(&small(said)).tls.tickets.unwrap();
    assert_eq!(tickets.slot, Duration::from_secs(72 * 3_600));
    assert_eq!(tickets.name, "north");
    assert!(tickets.second.is_some());
    assert_eq!(good(SMALL).tls.tickets, None);
}

#[test]
fn what_is_wrong_with_tickets_is_said() {
    for (lines, key, what) in [
        ("slot = \"1h\"", "tls.tickets.secret_file", "is missing"),
        (
            "secret_file = \"a\"\nslot = \"9m\"",
            "tls.tickets.slot",
            "out of range",
        ),
        (
            "secret_file = \"a\"\nslot = \"73h\"",
            "tls.tickets.slot",
            "out of range",
        ),
        (
            "secret_file = \"a\"\nname = \"\"",
            "tls.tickets.name",
            "is empty",
        ),
        (
            "secret_file = \"a\"\nuri = \"pkcs11:token=t\"\nmodule = \"m\"\npin_file = \"p\"",
            "tls.tickets.secret_file",
            "a file is named, and a key in a token (line 17)",
        ),
        (
            "uri = \"pkcs11:token=t\"\nmodule = \"m\"",
            "tls.tickets.pin_file",
            "is missing",
        ),
        (
            "secret_file = \"a\"\nmodule = \"m\"",
            "tls.tickets.module",
            "is of no use without uri or second_uri",
        ),
        (
            "uri = \"pkcs11:pin-value=1\"\nmodule = \"m\"\npin_file = \"p\"",
            "tls.tickets.uri",
            "PIN",
        ),
        (
            "secret_file = \"a\"\nsecond_secret_file = \"a\"",
            "tls.tickets.second_secret_file",
            "is what seals already",
        ),
    ] {
        let found = fault(&small(lines));
        assert_eq!(found.key, key, "{found:#?}");
        assert!(found.what.contains(what), "{found:#?}");
    }
}

#[test]
fn secret_may_be_in_a_token_and_come_there_from_a_file() {
    let token = "module = \"m\"\npin_file = \"p\"\n";
    for lines in [
        "uri = \"pkcs11:token=t\"",
        "uri = \"pkcs11:token=t\"\nsecond_uri = \"pkcs11:token=u\"",
        "uri = \"pkcs11:token=t\"\nsecond_secret_file = \"a\"",
        "secret_file = \"a\"\nsecond_uri = \"pkcs11:token=t\"",
    ] {
        let tickets = good(&small(&format!("{token}{lines}")))
            .tls
            .tickets
            .unwrap();
        let secrets: Vec<_> = std::iter::once(&tickets.secret)
            .chain(&tickets.second)
            .collect();
        let in_token =
            |secret: &&&Located<SecretSource>| matches!(secret.value, SecretSource::Pkcs11 { .. });
        assert_eq!(secrets.len(), lines.lines().count());
        assert_eq!(
            secrets.iter().filter(in_token).count(),
            lines.matches("pkcs11:").count()
        );
    }
}
