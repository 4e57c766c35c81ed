//! What becomes of a representation that is patched.
//!
//! Who judges a patch has seen the representation a moment before the SCEF applies it, and other
//! patches may come between. So an identity, and whatever else the table knows, comes into a
//! representation by value alone: what `move` and `copy` take from elsewhere could be another by
//! then. And a patch that takes somebody away, or somebody's place, may be about any UE: two of
//! them leave nobody, of which each leaves somebody. It is about no more than whom it brings where
//! one of these stands there when it is done, whatever stood there before.

use json_patch::jsonptr::Pointer;
use json_patch::{AddOperation, CopyOperation, MoveOperation, PatchOperation, ReplaceOperation};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Content, DEPTH_MAX, Fault, Origin, knows, read, selects};
use crate::authz::apis::MediaType;
use crate::authz::apis::resource::Body;
use crate::authz::apis::shape::{Kind, NOTHING, Shape};

#[cfg(test)]
mod tests;

/// Operations of one JSON Patch.
const OPERATIONS_MAX: usize = 256;
/// What all of them together may copy or move, as text: each could double the representation.
const COPIED_BYTES_MAX: usize = 256 * 1024;

/// A JSON Patch. Its members are here for their lookalikes.
const OPERATIONS: Shape = Shape::Items(&Shape::Members(&[
    ("op", NOTHING),
    ("path", NOTHING),
    ("from", NOTHING),
    ("value", NOTHING),
]));

/// Reads what a representation may be about once it is patched: each of these has to be granted,
/// and the representation as it is. `takes` is the body that the table has for the request, and
/// `shape` that of the representation, as a GET of it gives it.
///
/// # Errors
/// The patch is malformed, or cannot be applied.
pub fn patched(
    takes: &Body,
    patch: &[u8],
    representation: &[u8],
    shape: Shape,
) -> Result<Vec<Content<'static>>, Fault> {
    read(representation, shape, Origin::Representation)?;
    let old = value(representation)?;
    match takes.media {
        MediaType::JsonPatch => {
            let (new, own) = operated(old, patch, shape)?;
            let takes_away = own.takes_away();
            Ok(vec![result(&new, shape, own.says, takes_away)?])
        }
        MediaType::MergePatch => {
            let own = own(takes.shape, patch, shape, Origin::MergePatch)?;
            let patch = value(patch)?;
            let changes = changes(&patch, takes.shape) || changes(&patch, shape);
            let takes_away = changes && !own.selects;
            let new = merged(old, &patch);
            Ok(vec![result(&new, shape, own, takes_away)?])
        }
        //= TS 29.122 clause 5.2.3
        //# A PATCH by plain JSON names the members that it changes.
        // Whether an object that is one of them takes the place of the old one or is merged with it
        // is not said: both are judged.
        MediaType::Json => {
            let own = own(takes.shape, patch, shape, Origin::Request)?;
            let patch = value(patch)?;
            let mut members = { patch.as_object() }.into_iter().flat_map(Map::keys);
            let changes = members.any(|name| {
                let known = { [takes.shape, shape].into_iter() }.find_map(|of| of.member(name));
                known.is_some_and(selects)
            });
            let takes_away = changes && !own.selects;
            let by_name = replaced(old.clone(), &patch);
            let by_member = merged(old, &patch);
            let by_name = result(&by_name, shape, own.clone(), takes_away)?;
            Ok(vec![by_name, result(&by_member, shape, own, takes_away)?])
        }
    }
}

/// What a patch that is an object says itself. Its schema may call a member otherwise than the
/// representation's does, and the SCEF may take members that only the representation's knows.
fn own(
    takes: Shape,
    patch: &[u8],
    shape: Shape,
    origin: Origin,
) -> Result<Content<'static>, Fault> {
    if !patch.trim_ascii_start().starts_with(b"{") {
        return Err(Fault::WrongType);
    }
    let mut own = read(patch, takes, origin)?;
    own.join(read(patch, shape, origin)?);
    Ok(own.into_owned())
}

fn value(text: &[u8]) -> Result<Value, Fault> {
    serde_json::from_slice(text).map_err(|_| Fault::Malformed)
}

/// Whether a merge patch sets or takes away anything that says whom the whole is about.
fn changes(patch: &Value, shape: Shape) -> bool {
    match patch {
        Value::Object(members) => { members.iter() }.any(|(name, value)| {
            let known = shape.member(name);
            known.is_some_and(|shape| changes(value, shape))
        }),
        _ => selects(shape),
    }
}

/// What the new representation says, and the patch; any UE, if that may leave nobody.
fn result(
    new: &Value,
    shape: Shape,
    own: Content<'static>,
    takes_away: bool,
) -> Result<Content<'static>, Fault> {
    let text = serde_json::to_vec(new).map_err(|_| Fault::Malformed)?;
    let mut result = read(&text, shape, Origin::Representation)?.into_owned();
    // Of a representation that selects nobody it is about any UE, whomever the patch speaks of.
    result.any_ue |= !result.selects || takes_away;
    result.join(own);
    Ok(result)
}

//= RFC 7396 section 2
//# Members of a patch are set, those that are null are taken away, and objects are merged.
fn merged(mut old: Value, patch: &Value) -> Value {
    json_patch::merge(&mut old, patch);
    old
}

fn replaced(mut old: Value, patch: &Value) -> Value {
    if let (Value::Object(old), Value::Object(patch)) = (&mut old, patch) {
        old.extend(patch.clone());
    }
    old
}

/// What of an operation that brings something is looked at where it stands.
#[derive(Deserialize)]
struct Written<'p> {
    #[serde(borrow)]
    value: &'p RawValue,
}

/// What the operations of a JSON Patch do themselves, whatever they are applied to.
#[derive(Default)]
struct Own {
    says: Content<'static>,
    /// They take somebody away, or put something else there.
    changes: bool,
    /// Where those stand whom they have brought and not taken away again, as far as that can be
    /// said: tokens of pointers.
    kept: Vec<Vec<String>>,
}

impl Own {
    /// Whether nobody may be left of whom it takes away.
    fn takes_away(&self) -> bool {
        self.changes && self.kept.is_empty()
    }

    /// Notes that what stands there is gone, or something else.
    fn change(&mut self, shape: Shape, path: &Pointer) {
        if !known(shape, path).is_some_and(|known| known.selects()) {
            return;
        }
        self.changes = true;
        let place = tokens(path);
        // Which element of a list it is depends on what others have done to the list.
        let gone = place.get(..list_depth(shape, path)).unwrap_or(&place);
        let is_gone = |kept: &[String]| kept.starts_with(gone) || place.starts_with(kept);
        self.kept.retain(|kept| !is_gone(kept));
    }

    /// Adds whom a value put there names.
    fn bring(&mut self, path: &Pointer, brought: Content<'static>) {
        if brought.selects {
            self.kept.push(tokens(path));
        }
        self.says.join(brought);
    }
}

fn tokens(path: &Pointer) -> Vec<String> {
    let tokens = path.tokens().map(|token| token.decoded().into_owned());
    tokens.collect()
}

/// After how many tokens the outermost list stands that a place is in; all of them in none.
fn list_depth(shape: Shape, path: &Pointer) -> usize {
    let (mut shape, mut depth) = (Some(shape), 0);
    for token in path.tokens() {
        if shape.is_some_and(|shape| shape.item().is_some()) {
            break;
        }
        shape = shape.and_then(|shape| shape.member(&token.decoded()));
        depth += 1;
    }
    depth
}

//= RFC 6902 section 5
//# When an operation fails the patch as a whole does.
/// The new representation, and what the operations do themselves.
fn operated(mut old: Value, patch: &[u8], shape: Shape) -> Result<(Value, Own), Fault> {
    let text = std::str::from_utf8(patch).map_err(|_| Fault::Malformed)?;
    let mut own = Own::default();
    let mut copied = 0usize;
    for (raw, operation) in operations(patch, text)? {
        says(raw, &operation, shape, &mut own)?;
        let path = operation.path();
        match &operation {
            PatchOperation::Add(AddOperation { value, .. })
            | PatchOperation::Replace(ReplaceOperation { value, .. }) => fits(path, value)?,
            PatchOperation::Move(MoveOperation { from, .. })
            | PatchOperation::Copy(CopyOperation { from, .. }) => {
                let source = old.pointer(from.as_str()).ok_or(Fault::Patch)?;
                copied = copied.saturating_add(source.to_string().len());
                if copied > COPIED_BYTES_MAX {
                    return Err(Fault::TooMany);
                }
                fits(path, source)?;
            }
            PatchOperation::Remove(_) | PatchOperation::Test(_) => {}
        }
        // Whatever fails leaves nothing to be undone, for the result is thrown away.
        let operation = std::slice::from_ref(&operation);
        json_patch::patch_unsafe(&mut old, operation).map_err(|_| Fault::Patch)?;
    }
    Ok((old, own))
}

/// Reads what a JSON Patch says itself: all that is known where nobody can see what it is of.
///
/// # Errors
/// It is malformed.
pub fn brought_by(patch: &[u8], shape: Shape) -> Result<Content<'static>, Fault> {
    let text = std::str::from_utf8(patch).map_err(|_| Fault::Malformed)?;
    let mut own = Own::default();
    for (raw, operation) in operations(patch, text)? {
        says(raw, &operation, shape, &mut own)?;
    }
    let takes_away = own.takes_away();
    let mut says = own.says;
    says.any_ue |= takes_away;
    Ok(says)
}

/// Reads which event types a JSON Patch brings, whatever it is applied to.
///
/// # Errors
/// It is malformed, or says of one only where it stands.
pub fn types_brought_by(patch: &[u8], shape: Shape) -> Result<Content<'static>, Fault> {
    let text = std::str::from_utf8(patch).map_err(|_| Fault::Malformed)?;
    let mut types = Content::default();
    for (raw, operation) in operations(patch, text)? {
        let known = known(shape, operation.path());
        match operation {
            PatchOperation::Add(_) | PatchOperation::Replace(_) => {
                types.join(brought(raw, known)?);
            }
            PatchOperation::Move(_) | PatchOperation::Copy(_) => {
                let is_type = |kind| kind == Kind::MonitoringType;
                if known.is_some_and(|known| knows(known.shape, is_type)) {
                    return Err(Fault::Moved);
                }
            }
            PatchOperation::Remove(_) | PatchOperation::Test(_) => {}
        }
    }
    Ok(types)
}

/// The operations of a patch, each with its text.
fn operations<'p>(
    patch: &[u8],
    text: &'p str,
) -> Result<Vec<(&'p RawValue, PatchOperation)>, Fault> {
    read(patch, OPERATIONS, Origin::Request)?;
    let operations: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| Fault::Malformed)?;
    if operations.len() > OPERATIONS_MAX {
        return Err(Fault::TooMany);
    }
    let read = |raw: &'p RawValue| {
        let operation: PatchOperation =
            serde_json::from_str(raw.get()).map_err(|_| Fault::Patch)?;
        Ok::<_, Fault>((raw, operation))
    };
    operations.into_iter().map(read).collect()
}

/// Adds what an operation says itself.
fn says(
    raw: &RawValue,
    operation: &PatchOperation,
    shape: Shape,
    own: &mut Own,
) -> Result<(), Fault> {
    let path = operation.path();
    let known = known(shape, path);
    match operation {
        PatchOperation::Add(_) | PatchOperation::Replace(_) => {
            let is_inserted = matches!(operation, PatchOperation::Add(_)) && { path.parent() }
                .and_then(|around| self::known(shape, around))
                .is_some_and(|around| around.shape.item().is_some());
            if !is_inserted {
                own.change(shape, path);
            }
            own.bring(path, brought(raw, known)?);
        }
        PatchOperation::Remove(_) => own.change(shape, path),
        PatchOperation::Move(MoveOperation { from, .. })
        | PatchOperation::Copy(CopyOperation { from, .. }) => {
            if known.is_some_and(|known| knows(known.shape, |_| true)) {
                return Err(Fault::Moved);
            }
            if matches!(operation, PatchOperation::Move(_)) {
                own.change(shape, from);
            }
        }
        PatchOperation::Test(_) => {}
    }
    Ok(())
}

/// What the value of an operation says, read as strictly as any body.
fn brought(operation: &RawValue, known: Option<Known>) -> Result<Content<'static>, Fault> {
    let written: Written<'_> = serde_json::from_str(operation.get()).map_err(|_| Fault::Patch)?;
    let Some(Known { shape, is_beside }) = known else {
        return Ok(Content::default());
    };
    let value = written.value.get();
    let mut brought = read(value.as_bytes(), shape, Origin::Request)?;
    brought.selects &= !is_beside;
    Ok(brought.into_owned())
}

/// Whether a value put there keeps the representation as flat as what is read may be.
fn fits(path: &Pointer, value: &Value) -> Result<(), Fault> {
    match path.count() + depth(value) > DEPTH_MAX {
        true => Err(Fault::TooDeep),
        false => Ok(()),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// What is known of the value at a place.
#[derive(Clone, Copy)]
struct Known {
    shape: Shape,
    /// Whom the whole is about stands elsewhere.
    is_beside: bool,
}

impl Known {
    fn selects(self) -> bool {
        !self.is_beside && selects(self.shape)
    }
}

fn known(shape: Shape, path: &Pointer) -> Option<Known> {
    let (mut shape, mut is_beside) = (shape, false);
    for token in path.tokens() {
        shape = shape.item().or_else(|| shape.member(&token.decoded()))?;
        is_beside |= matches!(shape, Shape::Beside(_));
    }
    Some(Known { shape, is_beside })
}
