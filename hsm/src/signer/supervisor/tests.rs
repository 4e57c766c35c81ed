use super::*;
use crate::Pkcs11Source;

/// A token that was slow once is not waited for as long ever after, nor is one that always is.
#[test]
fn others_wait_for_a_token_by_its_last_opening_up_to_a_bound() {
    let source = Pkcs11Source {
        module: "module.so".into(),
        uri: "pkcs11:token=t8gate".into(),
        pin_file: "pin".into(),
        sessions: 2,
    };
    let line = Line::new(source, None, Duration::from_secs(1));
    assert_eq!(haste(&line), HASTE, "never opened");
    line.was_opened_in(Duration::from_millis(800));
    assert_eq!(haste(&line), Duration::from_millis(1600));
    line.was_opened_in(Duration::from_secs(60));
    assert_eq!(haste(&line), HASTE_MAX);
    line.was_opened_in(Duration::from_millis(10));
    assert_eq!(haste(&line), HASTE);
}
