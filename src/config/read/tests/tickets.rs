//! `[tls.tickets]`.

use super::*;

fn small(lines: &str) -> String {
    SMALL.replace("[upstream]", &format!("[tls.tickets]\n{lines}\n[upstream]"))
}

#[test]
fn tickets_have_a_slot_of_six_hours_and_the_name_of_the_port() {
    let tickets = good(&small("secret_file = \"a\"")).tls.tickets.unwrap();
    assert_eq!(tickets.slot, crate::limits::TICKET_SLOT_DEFAULT);
    assert_eq!(tickets.name, "8443");
    assert_eq!(tickets.second_secret_file, None);
    let said = "secret_file = \"a\"\nsecond_secret_file = \"b\"\nslot = \"72h\"\nname = \"north\"";
    let tickets = good(&small(said)).tls.tickets.unwrap();
    assert_eq!(tickets.slot, Duration::from_secs(72 * 3_600));
    assert_eq!(tickets.name, "north");
    assert!(tickets.second_secret_file.is_some());
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
            "secret_file = \"a\"\nsecond_secret_file = \"a\"",
            "tls.tickets.second_secret_file",
            "is the file of secret_file",
        ),
    ] {
        let found = fault(&small(lines));
        assert_eq!(found.key, key, "{found:#?}");
        assert!(found.what.contains(what), "{found:#?}");
    }
}
