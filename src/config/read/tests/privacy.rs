use super::*;

/// The small configuration with `[privacy]` behind it, and the line before its first key.
fn with_privacy(keys: &str) -> (String, usize) {
    (
        format!("{SMALL}\n[privacy]\n{keys}"),
        SMALL.lines().count() + 2,
    )
}

#[track_caller]
fn wrong(keys: &str, line: usize, key: &str, what: &str) {
    let (text, section) = with_privacy(keys);
    refused(&text, section + line, &format!("privacy.{key}"), what);
}

#[test]
fn network_that_stands_twice_is_refused() {
    let twice = "plmns = [\"001-01\", \"999-70\",\n\"001-001\",\n\"999-70\"]\n";
    wrong(twice, 3, "plmns", "stands already");
    wrong("plmns = [\"001\"]\n", 1, "plmns", "is no network");
}

#[test]
fn member_that_is_shown_twice_or_is_none_of_the_networks_is_refused() {
    let twice = "network_shown = [\"dnn\", \"dnn\"]\n";
    wrong(twice, 1, "network_shown", "stands already");
    let unknown = "network_shown = [\"dnn\",\n\"DNN\"]\n";
    wrong(
        unknown,
        2,
        "network_shown",
        "is no member that hide_network hides",
    );
    let (text, _) = with_privacy("hide_network = true\nnetwork_shown = [\"dnn\"]\n");
    assert_eq!(good(&text).privacy.network_shown, ["dnn"]);
}
