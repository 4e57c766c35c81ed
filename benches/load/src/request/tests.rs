use super::*;

fn requests(tokens: &[&str], identities: usize, token_use: TokenUse) -> Result<Requests, String> {
    let tokens = tokens.iter().map(|token| (*token).to_owned()).collect();
    let scs_as_ids = ["one".to_owned(), "two".to_owned()];
    let scenario = Scenario::default();
    Requests::new(
        &scenario,
        "host:1",
        &scs_as_ids,
        identities,
        tokens,
        token_use,
    )
}

fn text(requests: &mut Requests, at: usize) -> String {
    let (prepared, token) = requests.next(at);
    String::from_utf8(prepared.pieces(token).concat()).expect("ASCII")
}

fn token(requests: &mut Requests, at: usize) -> String {
    requests.next(at).1.to_owned()
}

#[test]
fn a_request_is_whole_with_its_token_and_without() {
    let mut without = requests(&[], 1, TokenUse::Connection).expect("no tokens");
    let head = "GET /3gpp-monitoring-event/v1/one/subscriptions HTTP/1.1\r\nHost: host:1\r\n";
    assert_eq!(text(&mut without, 0), format!("{head}\r\n"));
    let mut with = requests(&["abc"], 1, TokenUse::Connection).expect("a token");
    let bearer = "Authorization: Bearer abc\r\n";
    assert_eq!(text(&mut with, 0), format!("{head}{bearer}\r\n"));
}

#[test]
fn a_body_follows_its_length() {
    let post = "[[request]]\nmethod = \"POST\"\npath = \"/\"\nbody = \"xyz\"";
    let scenario = Scenario::parse("post", post, std::path::Path::new(".")).expect("a scenario");
    let mut requests =
        Requests::new(&scenario, "h:1", &[], 0, Vec::new(), TokenUse::One).expect("no tokens");
    let whole = "POST / HTTP/1.1\r\nHost: h:1\r\nContent-Length: 3\r\n\r\nxyz";
    assert_eq!(text(&mut requests, 0), whole);
}

#[test]
fn scs_as_ids_go_with_client_certificates_in_turn() {
    let mut requests = requests(&[], 3, TokenUse::One).expect("no tokens");
    let mut path = |at| text(&mut requests, at).contains("/two/");
    assert_eq!(
        [0, 1, 2, 3, 4].map(&mut path),
        [false, true, false, false, true]
    );
}

#[test]
fn a_token_is_its_certificates_only() {
    let tokens = ["a0", "b0", "a1", "b1"];
    let mut own = requests(&tokens, 2, TokenUse::Connection).expect("two for each");
    let of = [0, 1, 2, 3, 4, 0].map(|at| token(&mut own, at));
    assert_eq!(of, ["a0", "b0", "a1", "b1", "a0", "a0"]);
    let mut rotated = requests(&tokens, 2, TokenUse::Rotate).expect("two for each");
    let of = [0, 0, 0, 1, 2, 3].map(|at| token(&mut rotated, at));
    assert_eq!(of, ["a0", "a1", "a0", "b0", "a1", "b1"]);
    let mut one = requests(&tokens, 2, TokenUse::One).expect("one is enough");
    assert_eq!([0, 1, 2, 3].map(|at| token(&mut one, at)), ["a0"; 4]);
}

#[test]
fn tokens_that_do_not_go_round_are_refused() {
    assert!(requests(&["a", "b", "c"], 2, TokenUse::Rotate).is_err());
    assert!(requests(&["a", "b", "c"], 2, TokenUse::One).is_ok());
}
