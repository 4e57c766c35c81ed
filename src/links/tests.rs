use proptest::prelude::*;

use super::body::PROBLEM;
use super::fuzzed::place_that_browsers_see;
use super::*;
use crate::authz::apis::shape::Shape::{Is, Items, Members, Values};
use crate::authz::apis::shape::{Kind, NOTHING, Shape};
use crate::authz::apis::{self, Verb};

fn roots(texts: &[&str]) -> Vec<ApiRoot> {
    { texts.iter() }
        .map(|text| text.parse().expect("an apiRoot"))
        .collect()
}

/// A gateway with two names before an SCEF with three, one of them behind a prefix.
fn links() -> Links {
    let public = roots(&["https://t8.example.net:8443", "https://[2001:db8::8]"]);
    let inside = roots(&[
        "http://192.0.2.10:8080",
        "https://scef.inside/exposure/",
        "http://[fd00::10]:8080",
    ]);
    Links::new(public, inside).expect("both sides")
}

/// A link as it leaves.
fn out(link: &str) -> Result<String, LeadsPast> {
    let links = links();
    let led = links.outward(link)?;
    Ok(led.map_or_else(
        || link.to_owned(),
        |led| format!("{}{}", led.root, led.rest),
    ))
}

/// A link as it comes in.
fn inside(link: &str) -> String {
    let links = links();
    let led = links.inward(link);
    led.map_or_else(
        || link.to_owned(),
        |led| format!("{}{}", led.root, led.rest),
    )
}

const PATH: &str = "/3gpp-nidd/v1/a/configurations/1";

//= TS 29.122 clause 5.2.4 type=test
//# Scheme and authority, and perhaps a prefix, in every spelling that means the same.
#[test]
fn api_root_is_read_and_shown_shortest() {
    for (text, shown) in [
        ("https://t8.example.net", "https://t8.example.net"),
        ("https://T8.Example.NET:443/", "https://t8.example.net"),
        ("http://192.0.2.1:80", "http://192.0.2.1"),
        ("http://192.0.2.1:443", "http://192.0.2.1:443"),
        (
            "http://[2001:DB8:0:0::1]:8080/a/b.c",
            "http://[2001:db8::1]:8080/a/b.c",
        ),
    ] {
        assert_eq!(text.parse::<ApiRoot>().unwrap().to_string(), shown);
    }
}

#[test]
fn what_is_no_api_root_is_refused_with_what_is_wrong() {
    for (text, wrong) in [
        ("t8.example.net", "neither"),
        ("ftp://t8.example.net", "neither"),
        ("HTTPS://t8.example.net", "neither"),
        ("https://", "no host"),
        ("https:///x", "no host"),
        ("https://a b", "no host"),
        ("https://host:", "no host"),
        ("https://host:0", "no host"),
        ("https://host:65536", "no host"),
        ("https://[::1", "no host"),
        ("https://[1.2.3.4]", "no host"),
        ("https://ho%73t", "no host"),
        ("https://user@host", "user"),
        ("https://host?x", "query"),
        ("https://host/#x", "query"),
        ("https://host//x", "path"),
        ("https://host/a/../b", "path"),
        ("https://host/a%2fb", "path"),
    ] {
        let refused = text.parse::<ApiRoot>().unwrap_err();
        assert!(refused.contains(wrong), "{text}: {refused}");
    }
}

#[test]
fn links_need_a_root_on_both_sides() {
    assert_eq!(Links::new(Vec::new(), roots(&["http://a"])), None);
    assert_eq!(Links::new(roots(&["https://a"]), Vec::new()), None);
}

#[test]
fn links_of_the_scef_leave_with_the_gateways_root() {
    for own in [
        "http://192.0.2.10:8080",
        "HTTP://192.0.2.10:8080",
        "//192.0.2.10:8080",
        "https://scef.inside/exposure",
        "https://SCEF.Inside:443/exposure",
        "http://[fd00::10]:8080",
        "http://[FD00:0:0::10]:8080",
        // As one makes them that goes by Host.
        "http://t8.example.net:8443",
        "http://t8.example.net",
        "http://[2001:db8:0::8]",
    ] {
        for rest in [
            PATH,
            "",
            "/",
            "?a=b",
            "#c",
            "/a%2Fb?x=https://192.0.2.10/../y",
        ] {
            let led = out(&format!("{own}{rest}"));
            let wanted = format!("https://t8.example.net:8443{rest}");
            assert_eq!(led.as_deref(), Ok(wanted.as_str()), "{own}{rest}");
        }
    }
}

#[test]
fn web_sockets_of_the_scef_leave_as_web_sockets() {
    let wanted = "wss://t8.example.net:8443/ws/1";
    for own in [
        "ws://192.0.2.10:8080/ws/1",
        "WSS://scef.inside/exposure/ws/1",
        "ws://t8.example.net:8443/ws/1",
    ] {
        assert_eq!(out(own).as_deref(), Ok(wanted), "{own}");
    }
    assert_eq!(out(wanted).as_deref(), Ok(wanted));
}

#[test]
fn links_that_name_no_place_or_the_gateway_leave_as_they_are() {
    for link in [
        "",
        PATH,
        "1",
        "../1",
        "?a=b:c",
        "#x",
        "./a:b",
        "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        "about:blank",
        "https://t8.example.net:8443",
        "HTTPS://T8.EXAMPLE.NET:8443/x",
        "https://[2001:db8::8]/x",
        "https://[2001:DB8:0:0::8]:443/x",
    ] {
        assert_eq!(out(link).as_deref(), Ok(link));
    }
}

#[test]
fn links_that_lead_past_the_gateway_do_not_leave() {
    for link in [
        // Of somebody else.
        "https://elsewhere.example/x",
        "//elsewhere.example/x",
        "ftp://192.0.2.10:8080/x",
        "ws://elsewhere.example/x",
        // Another scheme, port or prefix than the SCEF's.
        "https://192.0.2.10:8080/x",
        "http://192.0.2.10/x",
        "http://192.0.2.10:8081/x",
        "http://192.0.2.10:08081/x",
        "https://scef.inside/x",
        "https://scef.inside/exposurex",
        "https://scef.inside/Exposure/x",
        "//192.0.2.10/x",
        "https://t8.example.net:8444/x",
        "http://t8.example.net:80/x",
        // Names that begin or end alike.
        "http://192.0.2.10:8080.evil.example/x",
        "https://scef.inside.evil.example/exposure/x",
        "https://evilscef.inside/exposure/x",
        "https://scef.inside./exposure/x",
        // A user, before which the name is none.
        "http://192.0.2.10:8080@evil.example/x",
        "https://scef.inside@evil.example/exposure",
        "http://evil.example@192.0.2.10:8080/x",
        "http://@192.0.2.10:8080/x",
        "https://t8.example.net:8443@evil.example/",
        // Other ways to write a name.
        "http://%31%39%32.0.2.10:8080/x",
        "https://scef%2Einside/exposure",
        "http://0xc000020a:8080/x",
        "http://192.0.2.10:/x",
        "http://192.0.2.10:+8080/x",
        "http://192.0.2.10:8080:8080/x",
        "http://[::192.0.2.10]:8080/x",
        "http://[fd00::10%25eth0]:8080/x",
        "http://[fd00::10]x:8080/x",
        "http://[fd00::10:8080/x",
        "http://fd00::10:8080/x",
        // What a browser reads otherwise.
        "http:\\\\192.0.2.10:8080\\x",
        "\\\\192.0.2.10:8080\\x",
        "/\\evil.example/x",
        "http:/\\192.0.2.10:8080/x",
        "http:192.0.2.10:8080/x",
        "http:/192.0.2.10:8080/x",
        "http:///192.0.2.10:8080/x",
        "http://192.0.2.10:8080\\@evil.example/",
        "ht\ttp://192.0.2.10:8080/x",
        " http://192.0.2.10:8080/x",
        "//",
        "///evil.example/x",
        "http://192.0.2.10:8080/x\u{7f}",
        // A way out of the prefix, or of nothing.
        "https://scef.inside/exposure/../admin",
        "https://scef.inside/exposure/%2e%2E/admin",
        "https://scef.inside/exposure/.%2e",
        "http://192.0.2.10:8080/./x",
        // An address that looks like a scheme, and what a link is not there for.
        "192.0.2.10:8080/x",
        "scef.inside:8080/x",
        "javascript:alert(1)",
        "data:text/html,x",
    ] {
        assert_eq!(out(link), Err(LeadsPast), "{link}");
    }
}

//= TS 29.122 clause 5.2.4 type=test
//# The prefix is the deployment's, also where nothing stands before it.
#[test]
fn path_below_the_scefs_prefix_leaves_without_it() {
    for (link, led) in [
        ("/exposure/3gpp-nidd/v1/a", "/3gpp-nidd/v1/a"),
        ("/exposure", ""),
        ("/exposure?x", "?x"),
        ("/exposures/1", "/exposures/1"),
        ("exposure/1", "exposure/1"),
        ("/exposure/../1", "/exposure/../1"),
        (PATH, PATH),
    ] {
        assert_eq!(out(link).as_deref(), Ok(led), "{link}");
    }
    let (public, inside) = (
        roots(&["https://t8.example/out"]),
        roots(&["http://scef/in"]),
    );
    let links = Links::new(public, inside).expect("both sides");
    let led = links.outward("/in/3gpp-nidd/v1/a");
    let (root, rest) = ("/out", "/3gpp-nidd/v1/a");
    assert_eq!(led, Ok(Some(Led { root, rest })));
    let (led, rest) = (links.outward("/in//a"), "//a");
    assert_eq!(led, Ok(Some(Led { root, rest })));
}

//= RFC 3986 section 4.2 type=test
//# Behind the prefix a path may begin with two slashes, and without it that names a place.
#[test]
fn path_that_would_name_a_place_without_its_prefix_does_not_leave() {
    for link in ["/exposure//192.0.2.10:8080", "/exposure///a", "/exposure//"] {
        assert_eq!(out(link), Err(LeadsPast), "{link}");
    }
}

//= RFC 3986 section 5.2.4 type=test
//# A segment of more than dots, or of more than two, is one like any other.
#[test]
fn dots_are_segments_only_where_they_are_all_of_one() {
    for rest in [
        "/...",
        "/a..",
        "/..a",
        "/%2e%2e%2e",
        "/%2ex",
        "?/../",
        "#/..",
        "/a?b/../",
    ] {
        let link = format!("http://192.0.2.10:8080{rest}");
        assert!(out(&link).is_ok(), "{link}");
    }
}

#[test]
fn links_of_clients_come_in_with_the_root_of_the_scef() {
    for own in [
        "https://t8.example.net:8443",
        "HTTPS://T8.example.net:8443",
        "https://[2001:db8::8]",
        "//t8.example.net:8443",
    ] {
        let wanted = format!("http://192.0.2.10:8080{PATH}");
        assert_eq!(inside(&format!("{own}{PATH}")), wanted, "{own}");
    }
    assert_eq!(
        inside("wss://[2001:db8::8]:443/a"),
        "ws://192.0.2.10:8080/a"
    );
}

#[test]
fn links_of_clients_to_elsewhere_come_in_as_they_are() {
    for link in [
        "",
        PATH,
        "https://scs.acme.example/notify",
        "http://t8.example.net:8443/x",
        "https://t8.example.net/x",
        "https://t8.example.net:8443@evil.example/",
        "https://t8.example.net:8443/a/../b",
        "https:\\\\t8.example.net:8443\\x",
        "http://192.0.2.10:8080/x",
    ] {
        assert_eq!(inside(link), link);
    }
}

/// What is led out comes in again as the SCEF wrote it, where it wrote its first name.
#[test]
fn way_out_and_in_ends_where_it_began() {
    let link = format!("http://192.0.2.10:8080{PATH}");
    assert_eq!(inside(&out(&link).unwrap()), link);
}

/// The value of a Link field as it leaves; none where it does not.
fn targets(value: &str) -> Option<String> {
    let mut led = Vec::new();
    let whole = targets_outward(&links(), value, &mut led);
    whole.then(|| String::from_utf8(led).unwrap())
}

//= RFC 8288 section 3 type=test
//# Targets are led, and what else the field says stays.
#[test]
fn targets_of_link_fields_are_led() {
    let value =
        r#"<http://192.0.2.10:8080/2>; rel="next<", </3>;title="a\"<http://x>" ,<about:blank>"#;
    let led = value.replace("http://192.0.2.10:8080", "https://t8.example.net:8443");
    assert_eq!(targets(value), Some(led));
    assert_eq!(targets(""), Some(String::new()));
    for value in [
        "<http://elsewhere.example/>",
        "</1>, <//elsewhere.example>",
        "<http://192.0.2.10:8080/2",
        "http://elsewhere.example>",
        "</1>; rel=\"next",
        "</1>>",
        "> </1>",
    ] {
        assert_eq!(targets(value), None, "{value}");
    }
}

const SHAPE: Shape = Members(&[
    ("self", Is(Kind::SelfLink)),
    ("transaction", Is(Kind::ResourceLink)),
    ("notificationDestination", Is(Kind::Callback)),
    ("websocketUri", Is(Kind::WebSocket)),
    ("msisdn", Is(Kind::Msisdn)),
    ("sets", Values(&Members(&[("self", Is(Kind::SelfLink))]))),
    ("all", Items(&Is(Kind::ResourceLink))),
]);

/// A body as it leaves; none where it may leave as it is.
fn body_out(body: &str, shape: Shape) -> Result<Option<String>, BodyFault> {
    let mut written = b"before".to_vec();
    let changed = links().body_outward(body.as_bytes(), shape, &mut written);
    let behind = String::from_utf8(written.split_off(6)).expect("UTF-8");
    assert_eq!(written, b"before");
    match changed {
        Ok(true) => Ok(Some(behind)),
        otherwise => {
            assert_eq!(behind, "", "nothing is written");
            otherwise.map(|_| None)
        }
    }
}

const SCEF: &str = "http://192.0.2.10:8080";
const PUBLIC: &str = "https://t8.example.net:8443";

#[test]
fn links_in_bodies_are_led_and_nothing_else_is_touched() {
    let body = format!(
        "\n{{ \"self\" : \"{SCEF}/1\",\t\"x\":[{{}},[], -1.5e+3,null, true,\"a\\\"b\"],\
         \"description\":\"{SCEF}/2\",\"msisdn\":\"{SCEF}/3\",\"transaction\":\"/4\",\
         \"other\":{{\"self\":\"{SCEF}/5\"}},\"sets\":{{\"a\":{{\"self\":\"{SCEF}/6\"}},\
         \"b\":{{\"self\":7}}}},\"all\":[\"{SCEF}/8\",[\"{SCEF}/9\"],\"{PUBLIC}/10\"]}} \r\n"
    );
    let led = body
        .replace(&format!("{SCEF}/1\""), &format!("{PUBLIC}/1\""))
        .replace(&format!("{SCEF}/6"), &format!("{PUBLIC}/6"))
        .replace(&format!("{SCEF}/8"), &format!("{PUBLIC}/8"));
    assert_eq!(body_out(&body, SHAPE), Ok(Some(led)));
}

#[test]
fn body_without_links_to_lead_is_not_copied() {
    for body in ["{}", "[]", "\"x\"", "0", " null ", r#"{"self":"/1"}"#] {
        assert_eq!(body_out(body, SHAPE), Ok(None), "{body}");
    }
    let mut nothing = Vec::new();
    let body = format!(r#"{{"self":"{PUBLIC}/1","y":"{SCEF}"}}"#);
    let links = links();
    assert_eq!(
        links.body_outward(body.as_bytes(), SHAPE, &mut nothing),
        Ok(false)
    );
    assert_eq!(nothing.capacity(), 0);
}

#[test]
fn links_are_found_behind_escapes() {
    let escaped = SCEF.replace('/', "\\/").replace("192", "\\u0031\\u00392");
    let body = format!(r#"{{"s\u0065lf":"{escaped}\/1?q=\"\u00fc"}}"#);
    let led = format!(r#"{{"s\u0065lf":"{PUBLIC}/1?q=\"ü"}}"#);
    assert_eq!(body_out(&body, SHAPE), Ok(Some(led)));
    let hidden = r#"{"self":"http:\/\/else\u0077here.example\/"}"#;
    assert_eq!(body_out(hidden, SHAPE), Err(BodyFault::LeadsPast));
}

#[test]
fn member_that_stands_twice_is_led_twice() {
    let body = format!(r#"{{"self":"{SCEF}/1","self":"{SCEF}/2"}}"#);
    assert_eq!(body_out(&body, SHAPE), Ok(Some(body.replace(SCEF, PUBLIC))));
}

#[test]
fn addresses_of_clients_stay_in_both_directions() {
    let body = format!(r#"{{"notificationDestination":"{SCEF}/1"}}"#);
    assert_eq!(body_out(&body, SHAPE), Ok(None));
    let body = body.replace(SCEF, PUBLIC);
    let mut written = Vec::new();
    let changed = links().body_inward(body.as_bytes(), SHAPE, &mut written);
    assert_eq!((changed, written.len()), (Ok(false), 0));
}

#[test]
fn links_in_bodies_of_clients_come_in_with_the_root_of_the_scef() {
    let body = format!(
        r#"{{"self":"{PUBLIC}/1","websocketUri":"wss://t8.example.net:8443/2",
           "transaction":"https://elsewhere.example/3"}}"#
    );
    let mut written = Vec::new();
    let changed = links().body_inward(body.as_bytes(), SHAPE, &mut written);
    let wanted = body
        .replace(PUBLIC, SCEF)
        .replace("wss://t8.example.net:8443", "ws://192.0.2.10:8080");
    assert_eq!(
        (changed, String::from_utf8(written).unwrap()),
        (Ok(true), wanted)
    );
}

#[test]
fn json_patch_comes_in_as_it_is() {
    let path = "/3gpp-monitoring-event/v1/a/subscriptions/1";
    let operation = apis::operation(path, Some(Verb::Patch), |text| text.into()).unwrap();
    let shape = operation.action.takes.expect("a body").shape;
    let body = format!(r#"[{{"op":"replace","path":"/self","value":"{PUBLIC}/1"}}]"#);
    let mut written = Vec::new();
    let changed = links().body_inward(body.as_bytes(), shape, &mut written);
    assert_eq!((changed, written.len()), (Ok(false), 0));
}

#[test]
fn bodies_that_lead_past_the_gateway_do_not_leave() {
    for member in ["self", "transaction", "websocketUri"] {
        let body = format!(r#"{{"transaction":"{SCEF}/1","{member}":"http://10.0.0.1/1"}}"#);
        assert_eq!(
            body_out(&body, SHAPE),
            Err(BodyFault::LeadsPast),
            "{member}"
        );
    }
    let problem = r#"{"type":"https://errors.example/1","instance":"INSTANCE","title":"x"}"#;
    assert_eq!(body_out(problem, PROBLEM), Ok(None), "relative");
    let instance = problem.replace("INSTANCE", &format!("{SCEF}/1"));
    let led = problem.replace("INSTANCE", &format!("{PUBLIC}/1"));
    assert_eq!(body_out(&instance, PROBLEM), Ok(Some(led)));
    let instance = problem.replace("INSTANCE", "http://10.0.0.1/1");
    assert_eq!(body_out(&instance, PROBLEM), Err(BodyFault::LeadsPast));
}

#[test]
fn what_is_no_json_is_not_passed_on() {
    for body in [
        "",
        " ",
        "{",
        "}",
        "{]",
        "[}",
        "[1,]",
        "[,1]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\" 1}",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\":1}}",
        "{}{}",
        "nul",
        "'a'",
        "\"a",
        "\"a\\\"",
        "\"\\",
        "{\"self\":\"\\x\"}",
        "{\"self\":\"\\ud800\"}",
        "{\"\\x\":1}",
        "\u{feff}{}",
    ] {
        assert_eq!(body_out(body, SHAPE), Err(BodyFault::Malformed), "{body}");
    }
    let mut written = Vec::new();
    let broken = links().body_outward(b"{\"self\":\"\xff\"}", SHAPE, &mut written);
    assert_eq!(broken, Err(BodyFault::Malformed));
}

#[test]
fn depth_of_bodies_is_bounded() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |depth: usize| format!("{}0{}", open.repeat(depth), close.repeat(depth));
        assert_eq!(body_out(&nested(64), NOTHING), Ok(None));
        assert_eq!(body_out(&nested(65), NOTHING), Err(BodyFault::TooDeep));
        assert_eq!(body_out(&nested(100_000), NOTHING), Err(BodyFault::TooDeep));
    }
}

/// All that the SCEF may say of itself in one answer or notification of the table.
#[test]
fn every_link_of_every_shape_in_the_table_is_led() {
    let mut led = 0;
    for api in apis::ApiId::all() {
        for resource in api.row().expect("a row").resources {
            for action in resource.actions {
                let calls = action.calls.iter().map(|call| call.shape);
                for shape in calls.chain([action.gives]) {
                    for (place, kind) in shape.places() {
                        if !matches!(kind, Kind::SelfLink | Kind::ResourceLink | Kind::WebSocket) {
                            continue;
                        }
                        let body = planted(&place, &format!("\"{SCEF}{PATH}\""));
                        let wanted = planted(&place, &format!("\"{PUBLIC}{PATH}\""));
                        assert_eq!(body_out(&body, shape), Ok(Some(wanted)), "{body}");
                        led += 1;
                    }
                }
            }
        }
    }
    assert!(led > 100, "{led} places");
}

/// A body with a value where a place of a shape says.
fn planted(place: &str, value: &str) -> String {
    match place
        .strip_prefix('/')
        .map(|rest| (rest, rest.find('/').unwrap_or(rest.len())))
    {
        None => value.to_owned(),
        Some((rest, end)) => {
            let (name, behind) = rest.split_at(end);
            let inner = planted(behind, value);
            match name {
                "*" => format!("[0,{inner}]"),
                "{}" => format!("{{\"any\":{inner}}}"),
                name => format!("{{\"a\":[], \"{name}\":{inner}}}"),
            }
        }
    }
}

#[test]
fn answer_of_a_subscription_is_led_by_the_table() {
    let path = "/3gpp-monitoring-event/v1/a/subscriptions";
    let operation = apis::operation(path, Some(Verb::Get), |text| text.into()).unwrap();
    let body = format!(r#"[{{"self":"{SCEF}{path}/1"}},{{"self":"{SCEF}{path}/2"}}]"#);
    for (status, led) in [(200, Some(body.replace(SCEF, PUBLIC))), (404, None)] {
        let shape = shape_of_answer(operation.action, status);
        assert_eq!(body_out(&body, shape), Ok(led), "{status}");
    }
}

/// JSON of all kinds, with links at places of the shape and elsewhere.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let text = prop_oneof![
        Just(format!("{SCEF}/1")),
        Just("/relative".to_owned()),
        Just(format!("{PUBLIC}/2")),
        ".{0,12}",
    ];
    let leaf = prop_oneof![
        text.prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<bool>().prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        let name = prop_oneof![
            Just("description".to_owned()),
            Just("msisdn".to_owned()),
            Just("sets".to_owned()),
            Just("all".to_owned()),
            ".{0,5}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
            prop::collection::btree_map(name, inner, 0..5).prop_map(|members| members
                .into_iter()
                .collect::<serde_json::Map<_, _>>()
                .into()),
        ]
    })
}

proptest! {
    /// Whatever a body holds, only links change: what is written is the body with these replaced.
    #[test]
    fn octets_outside_links_never_change(value in json(), links in 0usize..3, is_pretty: bool) {
        let rest = match is_pretty {
            true => serde_json::to_string_pretty(&value),
            false => serde_json::to_string(&value),
        };
        let rest = rest.unwrap();
        let link = |n: usize| format!("\"self\" :\"{SCEF}/{n}\" ,");
        let before: String = (0..links).map(link).collect();
        // What else it holds stands under a name that no shape knows.
        let body = format!("{{{before}\"unknown\":{rest}}}");
        let led = before.replace(SCEF, PUBLIC);
        let wanted = format!("{{{led}\"unknown\":{rest}}}");
        let written = body_out(&body, SHAPE);
        prop_assert_eq!(written, Ok((links > 0).then_some(wanted)));
    }

    /// Under the shape itself it either stays, or changes in nothing but what begins with the
    /// SCEF's root.
    #[test]
    fn only_roots_of_the_scef_change(value in json()) {
        let body = serde_json::to_string(&value).unwrap();
        if let Ok(Some(written)) = body_out(&body, SHAPE) {
            prop_assert_ne!(&written, &body);
            prop_assert_eq!(written.replace(PUBLIC, SCEF), body.replace(PUBLIC, SCEF));
        }
    }

    /// No octets panic, and what is written is never part of a body that is refused.
    #[test]
    fn any_octets_are_taken_or_refused(body in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut written = Vec::new();
        if links().body_outward(&body, SHAPE, &mut written) != Ok(true) {
            prop_assert!(written.is_empty());
        }
    }

    /// What the fuzzer's door asserts, of links and fields that are made to be near to good ones.
    #[test]
    fn octets_near_to_good_ones_hold_what_the_fuzzer_asserts(
        what in 0u8..3,
        parts in prop::collection::vec(prop_oneof![
            Just("http://192.0.2.10:8080"), Just("https://scef.inside/exposure"), Just("/"),
            Just("https://t8.example.net:8443"), Just("<"), Just(">"), Just("\""), Just("\\"),
            Just("{\"self\":\""), Just("\"}"), Just("\"all\":[\""), Just("\"]"), Just(","),
            Just("."), Just("%2e"), Just(":"), Just("@"), Just("//"), Just("?"), Just("urn:a"),
            Just("\\u002f"), Just("\\/"), Just("{"), Just("}"), Just(" "), Just("x"),
        ], 0..9),
    ) {
        let mut octets = vec![what];
        octets.extend(parts.concat().into_bytes());
        fuzzed::links(&octets);
    }

    /// Nothing that leaves names another place than the gateway, even to a reader that makes the
    /// most of it.
    #[test]
    fn no_link_that_leaves_leads_elsewhere(
        scheme in "(https?:|wss?:|HTTP:|ftp:|)",
        marks in r"(//|/|\\\\|/\\|///|)",
        user in "(|a@|192.0.2.10:8080@|@)",
        host in r"(192\.0\.2\.10|scef\.inside|t8\.example\.net|\[fd00::10\]|evil\.example|%65)",
        port in "(|:8080|:8443|:443|:|:80)",
        rest in r"(|/|/exposure|/exposure/1|/\.\./x|\\x|\?x|#@y|@evil\.example)",
    ) {
        let link = format!("{scheme}{marks}{user}{host}{port}{rest}");
        if let Ok(left) = out(&link) {
            let to = place_that_browsers_see(&left);
            let public = [None, Some("t8.example.net:8443".to_owned())];
            prop_assert!(public.contains(&to), "{} left as {}: {:?}", link, left, to);
        }
    }
}
