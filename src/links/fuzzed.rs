//! What a target of `fuzz/` calls: a door that takes any octets, and says what must hold of
//! whatever they are. Compiled for fuzzing and for tests, which go through the committed inputs.

use std::sync::LazyLock;

use super::{ApiRoot, BodyFault, Links, targets_outward};
use crate::authz::apis::shape::Shape::{Is, Items, Members};
use crate::authz::apis::shape::{Kind, Shape};

static LINKS: LazyLock<Links> = LazyLock::new(|| {
    let root = |text: &str| text.parse::<ApiRoot>().expect("an apiRoot");
    let inside = ["http://192.0.2.10:8080", "https://scef.inside/exposure"];
    Links::new(
        vec![root("https://t8.example.net:8443")],
        inside.map(root).to_vec(),
    )
    .expect("both sides")
});

const PUBLIC: &str = "t8.example.net:8443";

/// Behind a prefix the same may stand once more: one of them is taken away.
const PREFIX_TWICE: &str = "/exposure/exposure";

const SHAPE: Shape = Members(&[
    ("self", Is(Kind::SelfLink)),
    ("all", Items(&Is(Kind::ResourceLink))),
    ("notificationDestination", Is(Kind::Callback)),
]);

/// The first octet says what the others are: a link, the value of a `Link` field, or a body.
pub fn links(octets: &[u8]) {
    let Some((what, octets)) = octets.split_first() else {
        return;
    };
    match (what % 3, std::str::from_utf8(octets)) {
        (0, Ok(text)) => link(text),
        (1, Ok(text)) => targets(text),
        (2, _) => body(octets),
        _ => {}
    }
}

/// What leaves leads to the gateway, even in the eyes of a reader that makes the most of it.
fn link(link: &str) {
    let Ok(led) = LINKS.outward(link) else {
        return;
    };
    let left = led.map_or_else(
        || link.to_owned(),
        |led| format!("{}{}", led.root, led.rest),
    );
    let place = place_that_browsers_see(&left);
    assert!(
        place.is_none_or(|place| place == PUBLIC),
        "{link:?} left as {left:?}"
    );
    let again = LINKS.outward(&left);
    assert!(
        again == Ok(None) || link.starts_with(PREFIX_TWICE),
        "{left:?} is led twice"
    );
    if let Some(led) = LINKS.inward(&left) {
        let back = format!("{}{}", led.root, led.rest);
        let again = LINKS.outward(&back).expect("a link of the SCEF");
        assert_eq!(again.expect("a link of the SCEF").rest, led.rest);
    }
}

fn targets(value: &str) {
    let (mut once, mut twice) = (Vec::new(), Vec::new());
    if targets_outward(&LINKS, value, &mut once) {
        let once = std::str::from_utf8(&once).expect("as it was");
        let is_led_once = targets_outward(&LINKS, once, &mut twice) && once.as_bytes() == twice;
        assert!(
            is_led_once || value.contains(PREFIX_TWICE),
            "{once:?} is led twice"
        );
    }
}

/// What another reader takes for JSON is read here as well, and it reads the same in what is
/// written, but for the links.
fn body(body: &[u8]) {
    let (mut once, mut twice) = (Vec::new(), Vec::new());
    let read = serde_json::from_slice::<serde_json::Value>(body);
    match LINKS.body_outward(body, SHAPE, &mut once) {
        Ok(true) => {
            let is_led_once = LINKS.body_outward(&once, SHAPE, &mut twice) == Ok(false);
            // Where a prefix stood twice one is left; it may stand there in escapes.
            let is_twice = memchr::memmem::find(body, PREFIX_TWICE.as_bytes()).is_some()
                || body.contains(&b'\\');
            assert!(is_led_once || is_twice, "led twice");
            if let Ok(mut read) = read {
                let mut written: serde_json::Value =
                    serde_json::from_slice(&once).expect("JSON as it was");
                for value in [&mut read, &mut written] {
                    let members = value.as_object_mut().expect("with a member that was led");
                    members.retain(|name, _| name != "self" && name != "all");
                }
                assert_eq!(read, written);
            }
        }
        changed => {
            assert!(once.is_empty());
            assert!(read.is_err() || changed != Err(BodyFault::Malformed));
        }
    }
}

/// The host and port that a browser might go to; none where a link names no place.
pub(super) fn place_that_browsers_see(link: &str) -> Option<String> {
    let seen: String = { link.chars() }
        .filter(|c| !c.is_ascii_control() && *c != ' ')
        .map(|c| if c == '\\' { '/' } else { c })
        .collect();
    let start = seen.find(['/', '?', '#']).unwrap_or(seen.len());
    let scheme = seen[..start].find(':');
    let behind = scheme.map_or(&seen[..], |colon| &seen[colon + 1..]);
    let is_name = scheme.is_some_and(|colon| {
        let names = ["urn", "tag", "about"];
        names
            .iter()
            .any(|name| name.eq_ignore_ascii_case(&seen[..colon]))
    });
    if is_name || scheme.is_none() && !behind.starts_with("//") {
        return None;
    }
    let place = behind.trim_start_matches('/');
    let end = place.find(['/', '?', '#']).unwrap_or(place.len());
    let place = place[..end].rsplit('@').next().unwrap_or_default();
    let place = place.to_ascii_lowercase();
    // A port is a number, however it is written.
    let port = place.rsplit_once(':');
    Some(
        match port.and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?))) {
            Some((host, port)) => format!("{host}:{port}"),
            None => place,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_committed_input_holds_what_its_target_asserts() {
        let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/links");
        let mut count = 0;
        for input in std::fs::read_dir(corpus).expect("a directory") {
            links(&std::fs::read(input.expect("an entry").path()).expect("our own file"));
            count += 1;
        }
        assert!(count >= 10, "only {count}");
    }
}
