//! Changes to a JSON document in part: RFC 6902 and RFC 7396.

use serde_json::{Map, Value};

use super::apis::InvalidParam;

/// Operations of one patch.
const OPERATIONS_MAX: usize = 64;

/// Applies a JSON Patch; the document is what it was when it does not apply as a whole.
///
/// # Errors
/// Names the operation that does not apply.
pub fn json_patch(document: &mut Value, patch: &Value) -> Result<(), InvalidParam> {
    let operations = patch
        .as_array()
        .filter(|operations| !operations.is_empty() && operations.len() <= OPERATIONS_MAX)
        .ok_or_else(|| InvalidParam::new("", "must be an array of 1 to 64 operations"))?;
    let mut changed = document.clone();
    for (index, operation) in operations.iter().enumerate() {
        apply(&mut changed, operation)
            .map_err(|reason| InvalidParam::new(&index.to_string(), reason))?;
    }
    *document = changed;
    Ok(())
}

fn apply(document: &mut Value, operation: &Value) -> Result<(), &'static str> {
    let text = |name| operation.get(name).and_then(Value::as_str);
    let value = || operation.get("value").cloned().ok_or("has no value");
    let path = text("path").ok_or("has no path")?;
    let from = || text("from").ok_or("has no from");
    let there = |document: &Value, at: &str| {
        let found = document.pointer(at);
        found.cloned().ok_or("names what is not there")
    };
    //= RFC 6902 section 4
    //# There are six operations; any other is an error.
    match text("op").ok_or("has no op")? {
        "add" => add(document, path, value()?),
        "remove" => remove(document, path),
        "replace" => {
            let place = document.pointer_mut(path);
            *place.ok_or("names what is not there")? = value()?;
            Ok(())
        }
        "copy" => {
            let copied = there(document, from()?)?;
            add(document, path, copied)
        }
        "move" => {
            let moved = there(document, from()?)?;
            remove(document, from()?)?;
            add(document, path, moved)
        }
        "test" => match there(document, path)? == value()? {
            true => Ok(()),
            false => Err("finds another value"),
        },
        _ => Err("is no operation of a JSON Patch"),
    }
}

/// The place that holds what a pointer names, and the name within it.
fn parent<'d>(
    document: &'d mut Value,
    path: &str,
) -> Result<(&'d mut Value, String), &'static str> {
    let (above, name) = path.rsplit_once('/').ok_or("has no path to a member")?;
    let parent = document
        .pointer_mut(above)
        .ok_or("names what is not there")?;
    Ok((parent, name.replace("~1", "/").replace("~0", "~")))
}

fn add(document: &mut Value, path: &str, value: Value) -> Result<(), &'static str> {
    match parent(document, path)? {
        (Value::Object(members), name) => {
            members.insert(name, value);
        }
        (Value::Array(items), name) if name == "-" => items.push(value),
        (Value::Array(items), name) => match name.parse::<usize>() {
            Ok(index) if index <= items.len() => items.insert(index, value),
            _ => return Err("names what is not there"),
        },
        _ => return Err("names a member of what has none"),
    }
    Ok(())
}

fn remove(document: &mut Value, path: &str) -> Result<(), &'static str> {
    let removed = match parent(document, path)? {
        (Value::Object(members), name) => members.remove(&name),
        (Value::Array(items), name) => match name.parse::<usize>() {
            Ok(index) if index < items.len() => Some(items.remove(index)),
            _ => None,
        },
        _ => None,
    };
    removed.map(drop).ok_or("names what is not there")
}

//= RFC 7396 section 2
//# A null takes its member away, an object is merged, anything else replaces what was there.
/// Applies a merge patch.
pub fn merge(document: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, change) in patch {
        match change {
            Value::Null => {
                document.remove(name);
            }
            Value::Object(inner) => {
                let place = document.entry(name.clone()).or_insert(Value::Null);
                if !place.is_object() {
                    *place = Value::Object(Map::new());
                }
                if let Value::Object(members) = place {
                    merge(members, inner);
                }
            }
            other => {
                document.insert(name.clone(), other.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patched(document: Value, patch: Value) -> Result<Value, String> {
        let mut document = document;
        json_patch(&mut document, &patch).map_err(|fault| fault.reason)?;
        Ok(document)
    }

    //= RFC 6902 section 4 type=test
    //# There are six operations; any other is an error.
    #[test]
    fn six_operations_apply_and_another_does_not() {
        let patch = json!([
            {"op": "test", "path": "/a", "value": 1},
            {"op": "add", "path": "/b", "value": [1]},
            {"op": "add", "path": "/b/-", "value": 3},
            {"op": "add", "path": "/b/1", "value": 2},
            {"op": "replace", "path": "/a", "value": 7},
            {"op": "copy", "from": "/a", "path": "/c"},
            {"op": "move", "from": "/c", "path": "/d~1e"},
            {"op": "remove", "path": "/b/0"},
        ]);
        let expected = json!({"a": 7, "b": [2, 3], "d/e": 7});
        assert_eq!(patched(json!({"a": 1}), patch), Ok(expected));
        let other = json!([{"op": "erase", "path": "/a"}]);
        assert!(patched(json!({"a": 1}), other).is_err());
    }

    #[test]
    fn patch_that_fails_late_changes_nothing() {
        let mut document = json!({"a": 1});
        let patch = json!([
            {"op": "replace", "path": "/a", "value": 2},
            {"op": "remove", "path": "/no"},
        ]);
        assert_eq!(json_patch(&mut document, &patch).unwrap_err().param, "/1");
        assert_eq!(document, json!({"a": 1}));
    }

    #[test]
    fn patch_that_is_none_is_refused() {
        for patch in [
            json!({}),
            json!([]),
            json!([1]),
            json!([{"op": "add"}]),
            json!([{"op": "add", "path": "a", "value": 1}]),
            json!([{"op": "add", "path": "/a/b", "value": 1}]),
            json!([{"op": "add", "path": "/l/9", "value": 1}]),
            json!([{"op": "remove", "path": ""}]),
            json!([{"op": "test", "path": "/a", "value": 2}]),
        ] {
            let document = json!({"a": 1, "l": []});
            assert!(patched(document, patch.clone()).is_err(), "{patch}");
        }
    }

    //= RFC 7396 section 2 type=test
    //# A null takes its member away, an object is merged, anything else replaces what was there.
    #[test]
    fn merge_patch_removes_merges_and_replaces() {
        let mut document = json!({"a": 1, "b": {"x": 1, "y": 2}, "c": [1]});
        let patch = json!({"a": null, "b": {"x": null, "z": 3}, "c": {"n": null, "m": 1}});
        merge(
            document.as_object_mut().unwrap(),
            patch.as_object().unwrap(),
        );
        assert_eq!(document, json!({"b": {"y": 2, "z": 3}, "c": {"m": 1}}));
    }
}
