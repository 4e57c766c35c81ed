//! What the targets of `fuzz/` call: doors that take any octets, and say what must hold of whatever
//! they are. Compiled for fuzzing and for tests, which go through the committed inputs.

use std::borrow::Cow;

use serde_json::Value;

use super::{About, Content, Origin, filter, patched, query, read};
use crate::authz::apis::shape::{Kind, Role, Shape};
use crate::authz::apis::{self, Action, Verb};

/// Bodies of which much is known: resources that can be made, and resources that can be patched.
const BODIES: [&str; 4] = [
    "/3gpp-monitoring-event/v1/as/subscriptions",
    "/3gpp-as-session-with-qos/v1/as/subscriptions",
    "/3gpp-traffic-influence/v1/af/subscriptions",
    "/3gpp-nidd/v1/as/configurations",
];
const PATCHED: [&str; 4] = [
    "/3gpp-monitoring-event/v1/as/subscriptions/1",
    "/3gpp-5glan-pp/v1/af/subscriptions/1",
    "/3gpp-nidd/v1/as/configurations/1/downlink-data-deliveries/1",
    "/3gpp-group-message-delivery-mb2/v1/as/tmgi-allocation/1",
];
/// Between a patch and what it patches; it stands in no JSON.
const SEPARATOR: u8 = 0x1e;

fn action(paths: [&'static str; 4], how: u8, verb: Verb) -> Option<&'static Action> {
    let path = paths.get(usize::from(how) % paths.len())?;
    let operation = apis::operation(path, Some(verb), Cow::Borrowed).ok()?;
    Some(operation.action)
}

/// A body, a list or a query: the first octet says of what. Whatever is taken says the same to a
/// reader that is not strict.
pub fn content(octets: &[u8]) {
    let Some((how, octets)) = octets.split_first() else {
        return;
    };
    let shape = action(BODIES, *how, Verb::Post).and_then(|action| action.takes);
    let Some(shape) = shape.map(|body| body.shape) else {
        return;
    };
    let origin = match how >> 2 & 3 {
        0 | 3 => Origin::Request,
        1 => Origin::MergePatch,
        _ => Origin::Representation,
    };
    if let Ok(content) = read(octets, shape, origin) {
        let value: Value = serde_json::from_slice(octets).expect("read");
        assert_eq!(texts_read(&content), texts_named(&value, shape));
        let own = content.clone().into_owned();
        let about = content.about().map(|about| about.ues().to_vec());
        assert!(about == own.about().map(|about| about.ues().to_vec()));
    }

    let list = action(BODIES, *how, Verb::Get).expect("a list");
    let is_kept = |about: &About<'_>| about.ues().len().is_multiple_of(2);
    if let Ok(filtered) = filter(octets, list.gives, is_kept) {
        let count = |list: &[u8]| {
            serde_json::from_slice::<Vec<&serde_json::value::RawValue>>(list)
                .map(|elements| elements.len())
                .expect("a list")
        };
        assert_eq!(count(octets), filtered.kept + filtered.left_out);
        assert_eq!(count(&filtered.body), filtered.kept);
        let again = filter(&filtered.body, list.gives, is_kept).expect("a list");
        assert_eq!(again.left_out, 0);
    }

    if let Ok(text) = str::from_utf8(octets) {
        let _ = query(text, list.query).map(|content| content.about().is_ok());
    }
}

/// A patch and a representation: the first octet says of what. Whoever is named after it has been
/// judged.
pub fn patch(octets: &[u8]) {
    let Some((how, octets)) = octets.split_first() else {
        return;
    };
    let mut parts = octets.splitn(2, |octet| *octet == SEPARATOR);
    let (Some(patch), Some(old)) = (parts.next(), parts.next()) else {
        return;
    };
    let takes = action(PATCHED, *how, Verb::Patch).and_then(|action| action.takes);
    let shape = action(PATCHED, *how, Verb::Get).map(|action| action.gives);
    let (Some(takes), Some(shape)) = (takes, shape) else {
        return;
    };
    let Ok(results) = patched(&takes, patch, old, shape) else {
        return;
    };
    let mut new: Value = serde_json::from_slice(old).expect("read");
    let patch: Value = serde_json::from_slice(patch).expect("read");
    match takes.media {
        apis::MediaType::JsonPatch => {
            let operations: json_patch::Patch = serde_json::from_value(patch).expect("applied");
            json_patch::patch(&mut new, &operations).expect("applied");
        }
        apis::MediaType::MergePatch | apis::MediaType::Json => {
            json_patch::merge(&mut new, &patch);
        }
    }
    let named: Vec<Vec<String>> = results.iter().map(texts_read).collect();
    for text in texts_named(&new, shape) {
        assert!(named.iter().any(|texts| texts.contains(&text)));
    }
}

/// What stands at a place, `*` and `{}` being any.
fn at<'v>(value: &'v Value, place: &[&str], found: &mut Vec<&'v Value>) {
    match (place, value) {
        ([], value) => found.push(value),
        (["*", rest @ ..], Value::Array(items)) => {
            items.iter().for_each(|item| at(item, rest, found));
        }
        (["{}", rest @ ..], Value::Object(members)) => {
            members.values().for_each(|member| at(member, rest, found));
        }
        ([name, rest @ ..], Value::Object(members)) => {
            members
                .get(*name)
                .into_iter()
                .for_each(|member| at(member, rest, found));
        }
        _ => {}
    }
}

/// Every text that a tolerant reader finds where the table knows a subscriber.
pub(super) fn texts_named(value: &Value, shape: Shape) -> Vec<String> {
    let mut found = Vec::new();
    for (place, kind) in shape.places() {
        let place: Vec<&str> = place.split('/').skip(1).collect();
        if kind.role() == Role::Subscriber && !is_unlisted(kind) {
            at(value, &place, &mut found);
        }
    }
    let texts = found.into_iter().filter_map(Value::as_str);
    let mut texts: Vec<String> = texts.map(str::to_owned).collect();
    texts.sort_unstable();
    texts
}

pub(super) fn texts_read(content: &Content<'_>) -> Vec<String> {
    let texts = content.named.iter().map(|named| named.text.to_string());
    let mut texts: Vec<String> = texts.collect();
    texts.sort_unstable();
    texts
}

/// Who is of such a kind is not kept by what it is called.
fn is_unlisted(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::AkmaKeyId
            | Kind::ApplicationLayerId
            | Kind::LineId
            | Kind::Supi
            | Kind::InternalGroupId
    )
}

#[cfg(test)]
mod tests;
