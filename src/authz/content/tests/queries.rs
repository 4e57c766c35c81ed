use super::*;
use crate::authz::apis::resource::Parameter;

fn asked(path: &str, text: &'static str) -> Result<Content<'static>, Fault> {
    query(text, action(path, Verb::Get).query)
}

fn query_fault(path: &str, text: &'static str) -> Option<Fault> {
    match asked(path, text) {
        Ok(content) => content.about().err(),
        Err(fault) => Some(fault),
    }
}

fn assert_asked(path: &str, text: &'static str, ues: &[UeId<'_>]) {
    let content = asked(path, text).unwrap();
    assert!(content.about().unwrap().ues() == ues, "{text}");
}

const STATUS: &str = "/3gpp-service-parameter/v1/af/subscriptions";

//= RFC 3986 section 2.1 type=test
//# A parameter is one, however its octets are written.
#[test]
fn addresses_of_a_query_are_json_and_have_its_ip_domain() {
    let ues = [ip("10.0.0.1", Some("north")), ip("10.0.0.2", Some("north"))];
    for text in [
        "ip-domain=north&ip-addrs=%5B%7B%22ipv4Addr%22:%2210.0.0.1%22%7D,{%22ipv4Addr%22%3a%221\
         0.0.0.2%22}%5D",
        "ip-addrs=[{\"ipv4Addr\":\"10.0.0.1\"},{\"ipv4Addr\":\"10.0.0.2\"}]&x=y&&ip-domain=n%6frth",
    ] {
        assert_asked(SUBSCRIPTIONS, text, &ues);
    }
    assert_asked(SUBSCRIPTIONS, "", &[]);
    assert_asked(SUBSCRIPTIONS, "page=1&b", &[]);
}

#[test]
fn a_list_in_a_query_is_one_parameter_for_each() {
    let mac = |text| ue(ue::Kind::Mac, text, None);
    let ues = [mac("02-00-00-00-00-01"), mac("02-00-00-00-00-02")];
    let text = "mac-addrs=02-00-00-00-00-01&mac-addrs=02-00-00-00-00-02";
    assert_asked(SUBSCRIPTIONS, text, &ues);
    let text = "gpsis=msisdn-999010000000001&gpsis=extid-a@example.com&\
                ip-addrs={\"ipv4Addr\":\"10.0.0.1\"}&ip-addrs=[{\"ipv4Addr\":\"10.0.0.2\"}]";
    let ues = [
        msisdn("999010000000001"),
        external("a@example.com"),
        ip("10.0.0.1", None),
        ip("10.0.0.2", None),
    ];
    assert_asked(STATUS, text, &ues);
}

#[test]
fn a_query_that_could_be_read_in_two_ways_is_refused() {
    for text in [
        "ip-domain=a&ip-domain=b",
        "ip-addrs=[]&ip-addrs=[]",
        "ip-addrs=[]&ip%2daddrs=[]",
        "IP-Addrs=[]",
        "ip-addrs[]=x",
        "ip-addrs%5B0%5D=x",
        "ip-addrs.ipv4Addr=10.0.0.1",
        "mac-addrs=02-00-00-00-00-01,02-00-00-00-00-02",
        "ip-domain=a+b",
        "mac-addrs=%",
        "mac-addrs=%0",
        "mac-addrs=%+0",
        "mac-addrs=%ff",
        "mac-addrs=%00",
        "mac-addrs%00=x",
        "%zz=1",
    ] {
        assert_eq!(
            query_fault(SUBSCRIPTIONS, text),
            Some(Fault::Parameter),
            "{text}"
        );
    }
    let gpsis = "gpsis=other,msisdn-999010000000001";
    assert_eq!(query_fault(STATUS, gpsis), Some(Fault::Parameter));
}

#[test]
fn what_stands_in_a_query_is_read_as_strictly_as_a_body() {
    let twice = "ip-addrs=[{\"ipv4Addr\":\"10.0.0.1\",\"ipv4Addr\":\"10.0.0.2\"}]";
    for (text, expected) in [
        (twice, Fault::DuplicateMember),
        ("ip-addrs=[{\"IPv4Addr\":\"10.0.0.1\"}]", Fault::Lookalike),
        ("ip-addrs={\"ipv4Addr\":\"10.0.0.1\"}", Fault::WrongType),
        ("ip-addrs=10.0.0.1", Fault::WrongType),
        ("ip-addrs=", Fault::Malformed),
        ("ip-addrs", Fault::Malformed),
        ("mac-addrs=", Fault::Identity(IdentityFault::Mac)),
    ] {
        assert_eq!(query_fault(SUBSCRIPTIONS, text), Some(expected), "{text}");
    }
}

#[test]
fn ports_of_a_path_are_those_of_both_ends() {
    for (segment, ports) in [
        ("ue0-ef15", &[0, 15][..]),
        ("ue10-ef9", &[10, 9]),
        ("ue3-ef3", &[3]),
    ] {
        let content = ports_of_path(segment).unwrap();
        assert_eq!(content.about().unwrap().ports(), ports, "{segment}");
        assert!(content.names_nobody() && content.says_with_what());
    }
    for segment in [
        "",
        "3",
        "ue3",
        "ef3",
        "ue3-ef",
        "ue-ef3",
        "ue16-ef3",
        "ue3-ef16",
        "ue03-ef3",
        "ue+3-ef3",
        "UE3-EF3",
        "ue3-ef3-ef4",
        "ue3-ef3 ",
        "ef3-ue3",
        "ue3_ef3",
        "ue65539-ef3",
    ] {
        assert_eq!(
            ports_of_path(segment).err(),
            Some(Fault::PathPorts),
            "{segment}"
        );
    }
}

#[test]
fn a_body_and_a_query_are_judged_together() {
    let mut content = post(SESSIONS, r#"{"ueIpv4Addr":"10.0.0.1","ipDomain":"north"}"#).unwrap();
    content.join(
        asked(
            SESSIONS,
            "ip-addrs=[{\"ipv4Addr\":\"10.0.0.2\"}]&ip-domain=x",
        )
        .unwrap(),
    );
    let ues = [ip("10.0.0.1", Some("north")), ip("10.0.0.2", Some("x"))];
    assert!(content.about().unwrap().ues() == ues);
}

/// Where some reader would find a parameter that none is to another.
#[test]
fn a_query_that_is_split_in_two_ways_is_refused() {
    for query in [
        "a=1;ip-domain=x",
        "ip-domain=x;a=1",
        "a=1&amp;ip-domain=x",
        "?ip-domain=x",
        "%20ip-domain=x",
        "a=1&%09ip-domain=x",
    ] {
        assert_eq!(
            asked(SESSIONS, query).err(),
            Some(Fault::Parameter),
            "{query}"
        );
    }
    assert!(asked(SESSIONS, "a=1&b=?ip-domain").is_ok());
}

#[test]
fn a_parameter_of_which_nothing_is_known_holds_any_text() {
    let parameters = [Parameter {
        name: "note",
        shape: NOTHING,
        is_json: false,
    }];
    for text in ["note=abc", "note=%7Bx", "note="] {
        let content = query(text, &parameters).unwrap();
        assert!(content.names_nobody(), "{text}");
    }
    assert_eq!(query("note=a%2", &parameters).err(), Some(Fault::Parameter));
}
