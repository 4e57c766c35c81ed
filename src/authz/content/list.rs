//! Lists, without what a client may not see.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{About, Fault, Origin, read};
use crate::authz::apis::shape::Shape;

#[cfg(test)]
mod tests;

/// A list, as it may be shown.
pub struct Filtered<'b> {
    /// The list itself where nothing is left out; else its elements as they were.
    pub body: Cow<'b, [u8]>,
    pub kept: usize,
    pub left_out: usize,
    /// Of those left out, the ones of which it is not known whom they name.
    pub unreadable: usize,
}

/// Keeps the elements of a list of representations that are to be kept, octet for octet.
///
/// # Errors
/// It is no list, or no JSON.
pub fn filter<'b>(
    body: &'b [u8],
    shape: Shape,
    mut is_kept: impl FnMut(&About<'_>) -> bool,
) -> Result<Filtered<'b>, Fault> {
    let element = shape.item().ok_or(Fault::WrongType)?;
    let text = std::str::from_utf8(body).map_err(|_| Fault::Malformed)?;
    let elements: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|error| match error.is_data() {
            true => Fault::WrongType,
            false => Fault::Malformed,
        })?;
    let (all, mut unreadable) = (elements.len(), 0);
    let mut kept = Vec::with_capacity(all);
    for raw in elements {
        let content = read(raw.get().as_bytes(), element, Origin::Representation);
        match content.and_then(|content| content.about().map(|about| is_kept(&about))) {
            Ok(true) => kept.push(raw.get()),
            Ok(false) => {}
            Err(_) => unreadable += 1,
        }
    }
    let left_out = all - kept.len();
    Ok(Filtered {
        kept: kept.len(),
        left_out,
        unreadable,
        body: match left_out {
            0 => Cow::Borrowed(body),
            _ => Cow::Owned(format!("[{}]", kept.join(",")).into_bytes()),
        },
    })
}
