use super::*;

fn each(paths: &[&str], fault: PathFault) {
    for path in paths {
        assert_eq!(check(path), Err(fault), "{path}");
    }
}

#[test]
fn ordinary_paths_pass() {
    for path in [
        "/",
        "/a",
        "/3gpp-nidd/v1/scs:1@x/configurations/a;b=c,d",
        "/a%20b/%C3%A9",
        "/...",
    ] {
        assert_eq!(check(path), Ok(()), "{path}");
    }
}

#[test]
fn path_without_slash_is_refused() {
    each(&["", "a", "*"], PathFault::NotAbsolute);
}

#[test]
fn empty_segment_is_refused() {
    each(
        &["//", "//a", "/a//b", "/a/", "/a/;p/b"],
        PathFault::EmptySegment,
    );
}

#[test]
fn dot_segment_is_refused_however_encoded() {
    let paths = [
        "/.",
        "/..",
        "/a/../b",
        "/a/%2e%2E/b",
        "/a/.%2e",
        "/..;x/b",
        "/.;/b",
        "/..%3bx",
    ];
    each(&paths, PathFault::DotSegment);
}

#[test]
fn encoded_slash_is_refused() {
    each(&["/a%2Fb", "/a%2fb"], PathFault::EncodedSlash);
}

#[test]
fn backslash_is_refused_raw_and_encoded() {
    each(&["/a\\b", "/a%5Cb", "/a%5cb"], PathFault::Backslash);
}

#[test]
fn controls_are_refused_raw_and_encoded() {
    each(
        &["/a\0", "/a%00", "/a%0a", "/a\u{7f}", "/a%7F"],
        PathFault::Control,
    );
}

//= RFC 3986 section 2.4 type=test
//# Decode once, and never what has been decoded already.
#[test]
fn double_encoding_is_refused() {
    each(&["/a%252e", "/%25"], PathFault::DoubleEncoding);
}

#[test]
fn malformed_percent_is_refused() {
    each(
        &["/a%", "/a%2", "/a%g0", "/a%+1"],
        PathFault::PercentMalformed,
    );
}

//= RFC 3629 section 3 type=test
//# Only the shortest form of a character is UTF-8.
#[test]
fn overlong_and_broken_utf8_is_refused() {
    let paths = [
        "/%C0%AE",
        "/%E0%80%AF",
        "/%F0%80%80%AF",
        "/%ED%A0%80",
        "/%F4%90%80%80",
        "/%80",
        "/%C3",
        "/%C3/a",
        "/%C3a",
        "/%FF",
    ];
    each(&paths, PathFault::Utf8Invalid);
}

#[test]
fn raw_characters_no_path_has_are_refused() {
    each(
        &["/a b", "/a?b", "/a#b", "/[a]", "/a\"", "/<a>", "/\u{e9}"],
        PathFault::CharacterRefused,
    );
}

#[test]
fn segments_are_decoded_once() {
    assert!(matches!(decode("plain"), Cow::Borrowed("plain")));
    assert_eq!(decode("a%20b%C3%A9"), "a b\u{e9}");
}

proptest::proptest! {
    /// What passes at first sight passes with care: a prefix that changes nothing about a path but
    /// that it must be read with care makes no difference.
    #[test]
    fn first_sight_and_care_agree(path in "(/[a-c.;%2eEfF~A/]{0,6}){0,5}") {
        let careful = format!("/%61{path}");
        let plain = format!("/a{path}");
        proptest::prop_assert_eq!(check(&plain), check(&careful));
    }
}
