use super::*;

fn shown(roots: &[crate::links::ApiRoot]) -> Vec<String> {
    roots.iter().map(ToString::to_string).collect()
}

/// The small configuration with these keys in both sections.
fn sides(listen: &str, upstream: &str) -> String {
    let text = with("[tls]", &format!("{listen}\n[tls]"));
    text + upstream
}

const PUBLIC: &str = "api_roots = [\"https://T8.example.net:8443/\", \"https://[::1]\"]";

#[test]
fn api_roots_of_both_sides_are_read() {
    let config = good(&sides(
        PUBLIC,
        "api_roots = [\"https://scef.inside/exposure/\"]",
    ));
    assert_eq!(
        shown(&config.listen.api_roots),
        ["https://t8.example.net:8443", "https://[::1]"]
    );
    assert_eq!(
        shown(&config.upstream.api_roots),
        ["https://scef.inside/exposure", "http://127.0.0.1:8080"]
    );
}

#[test]
fn links_of_the_scef_begin_with_its_address_where_nothing_else_is_said() {
    let config = good(SMALL);
    assert_eq!(shown(&config.listen.api_roots), [""; 0]);
    assert_eq!(shown(&config.upstream.api_roots), ["http://127.0.0.1:8080"]);
    let six = SMALL.replace("127.0.0.1:8080", "[2001:db8::1]:80");
    assert_eq!(
        shown(&good(&six).upstream.api_roots),
        ["http://[2001:db8::1]"]
    );
}

#[test]
fn public_api_root_that_clients_cannot_use_is_refused() {
    for (root, what) in [
        ("http://t8.example.net", "not an https URL"),
        ("https://t8.example.net/t8", "has a path"),
        ("t8.example.net", "neither"),
        ("https://", "no host"),
        ("https://t8.example.net?x", "query"),
    ] {
        let text = sides(&format!("api_roots = [{root:?}]"), "");
        let cure = refused(&text, 3, "listen.api_roots", what).cure;
        assert!(cure.contains("https://t8.example.net:8443"), "{cure}");
    }
    let twice = sides("api_roots = [\"https://a:443\",\n\"https://A/\"]", "");
    refused(&twice, 4, "listen.api_roots", "line 3");
    refused(
        &sides("api_roots = \"https://a\"", ""),
        3,
        "listen.api_roots",
        "list",
    );
}

#[test]
fn password_in_an_api_root_is_refused_and_never_shown() {
    let text = sides(PUBLIC, "api_roots = [\"http://admin:98765@scef\"]");
    let fault = refused(&text, 18, "upstream.api_roots", "user or password");
    assert!(!format!("{fault:?}").contains("98765"));
}

#[test]
fn roots_of_the_scef_need_some_to_put_in_their_place() {
    let text = sides("", "api_roots = [\"http://scef\"]");
    let cure = refused(&text, 18, "upstream.api_roots", "nothing is set").cure;
    assert!(cure.contains("listen.api_roots"), "{cure}");
}
