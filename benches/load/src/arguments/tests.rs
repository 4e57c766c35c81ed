use super::*;

fn target(url: &str) -> Result<Target, String> {
    url.parse()
}

#[test]
fn a_target_is_scheme_host_and_port() {
    let found = target("https://127.0.0.1:8443/").expect("a target");
    assert!(found.tls);
    assert_eq!(
        (found.host.as_str(), found.authority.as_str()),
        ("127.0.0.1", "127.0.0.1:8443")
    );
    let six = target("http://[::1]:80").expect("a target");
    assert!(!six.tls);
    assert_eq!((six.host.as_str(), six.address.port()), ("::1", 80));
    for bad in [
        "127.0.0.1:1",
        "ftp://a:1",
        "https://127.0.0.1",
        "https://127.0.0.1:x",
    ] {
        assert!(target(bad).is_err(), "{bad}");
    }
    assert!(target("https://127.0.0.1:1/path").is_err());
}

#[test]
fn a_token_endpoint_has_a_path() {
    let endpoint: Endpoint = "https://127.0.0.1:8443/oauth2/token"
        .parse()
        .expect("a URL");
    assert_eq!(
        (endpoint.path.as_str(), endpoint.target.address.port()),
        ("/oauth2/token", 8443)
    );
    assert!("https://127.0.0.1:8443".parse::<Endpoint>().is_err());
}

#[test]
fn durations_carry_units() {
    assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
    assert_eq!(duration("20ms"), Ok(Duration::from_millis(20)));
    assert_eq!(duration("2min"), Ok(Duration::from_secs(120)));
    for bad in ["5", "5h", "-1s", "s", "1e400s"] {
        assert!(duration(bad).is_err(), "{bad}");
    }
}

#[test]
fn rates_are_positive_numbers() {
    assert_eq!(rate("2.5"), Ok(2.5));
    for bad in ["0", "-1", "NaN", "inf", "1e9", "x"] {
        assert!(rate(bad).is_err(), "{bad}");
    }
}

#[test]
fn watched_processes_are_named_lists() {
    assert_eq!(watched("nginx=1,22"), Ok(("nginx".to_owned(), vec![1, 22])));
    for bad in ["nginx", "=1", "nginx=", "nginx=1,", "nginx=-1"] {
        assert!(watched(bad).is_err(), "{bad}");
    }
}
