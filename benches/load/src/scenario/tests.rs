use super::*;

fn parse(text: &str) -> Result<Scenario, String> {
    Scenario::parse("mix", text, Path::new("."))
}

#[test]
fn a_mix_is_read_as_it_is_written() {
    let text = r#"
        [[request]]
        weight = 9
        method = "GET"
        path = "/a/{scs_as_id}"
        [[request]]
        method = "POST"
        path = "/b"
        body = '''{"a": 1}'''
        content_type = "application/json"
        [request.fields]
        Accept = "application/json"
    "#;
    let scenario = parse(text).expect("a scenario");
    assert_eq!(scenario.requests[0].path, "/a/{scs_as_id}");
    assert_eq!(scenario.requests[0].body, None);
    assert_eq!(
        scenario.requests[1].body.as_deref(),
        Some(&br#"{"a": 1}"#[..])
    );
    let fields = [
        ("Accept", "application/json"),
        ("Content-Type", "application/json"),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(scenario.requests[1].fields, fields);
    let posts = scenario.cycle.iter().filter(|kind| **kind == 1).count();
    assert_eq!((scenario.cycle.len(), posts), (10, 1));
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let request = |rest: &str| format!("[[request]]\nmethod = \"GET\"\n{rest}");
    for bad in [
        String::new(),
        "x = 1".to_owned(),
        request("path = \"relative\""),
        request("path = \"/a b\""),
        request("path = \"/a\\r\\nX: y\""),
        request("path = \"/\"\nwieght = 1"),
        request("path = \"/\"\nweight = 0"),
        request("path = \"/\"\nweight = 100000\n[[request]]\nmethod=\"GET\"\npath=\"/\""),
        request("path = \"/\"\nbody = \"x\"\nbody_bytes = 1"),
        request("path = \"/\"\nbody_file = \"is-not-there\""),
        request("path = \"/\"\n[request.fields]\nX = \"a\\nb\""),
        request("path = \"/\"\n[request.fields]\n\"X:\" = \"a\""),
        "[[request]]\nmethod = \"G T\"\npath = \"/\"".to_owned(),
    ] {
        assert!(parse(&bad).is_err(), "{bad}");
    }
}

#[test]
fn weights_are_shares_evenly_spread() {
    assert_eq!(cycle(&[1]), Ok(vec![0]));
    assert_eq!(cycle(&[30, 10]), Ok(vec![0, 0, 1, 0]));
    assert_eq!(cycle(&[0, 5]), Ok(vec![1]));
    let three = cycle(&[5, 1, 1]).expect("small");
    assert_eq!(three, [0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn filler_is_json_of_the_size_asked_for() {
    for bytes in [1, 2, 5, 12, 13, 500, 4096] {
        let body = filler(bytes);
        assert_eq!(body.len(), bytes);
        let json: Result<serde_json::Value, _> = serde_json::from_slice(&body);
        assert!(json.is_ok(), "{bytes}");
    }
    assert_eq!(filler(0), b"");
}
