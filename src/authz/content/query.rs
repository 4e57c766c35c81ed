//! What a query or a path is about. The query's parameters are read as members of one object, so
//! that the IP domain of one stands beside the addresses of another.

use std::borrow::Cow;

use super::reader::equals_folded;
use super::{Content, Fault, Origin, read};
use crate::authz::apis::resource::Parameter;
use crate::authz::apis::shape::Shape;

/// Reads a raw query, without its `?`. A parameter that is not known says nothing.
///
/// # Errors
/// A known one is malformed, or could be read in two ways.
pub fn query<'q>(text: &'q str, parameters: &[Parameter]) -> Result<Content<'q>, Fault> {
    let mut content = Content::default();
    if parameters.is_empty() {
        return Ok(content);
    }
    // Some readers split at it, and would find a parameter where none is here.
    if text.contains(';') {
        return Err(Fault::Parameter);
    }
    // There are 32 at most.
    let mut seen = 0u32;
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded(name)?;
        let place = parameters.iter().position(|known| known.name == name);
        let known = place.and_then(|place| Some((place, parameters.get(place)?)));
        let Some((place, parameter)) = known else {
            match parameters.iter().any(|known| is_like(known.name, &name)) {
                true => return Err(Fault::Parameter),
                false => continue,
            }
        };
        let bit = 1u32.checked_shl(place as u32).unwrap_or(0);
        let is_list = !parameter.is_json && matches!(parameter.shape, Shape::Items(_));
        if seen & bit != 0 && !is_list {
            return Err(Fault::Parameter);
        }
        seen |= bit;
        // A form has it for a blank, and whoever reads a URI alone has not.
        if value.contains('+') {
            return Err(Fault::Parameter);
        }
        content.join(one(decoded(value)?, parameter)?);
    }
    let ip_domain = content.ip_domains.len().checked_sub(1);
    for named in &mut content.named {
        named.ip_domain = ip_domain;
    }
    Ok(content)
}

/// Reads the segment of a path that says which ports a request is about: one of sixteen at either
/// end, as `ue2-ef5`.
///
/// # Errors
/// It names none.
pub fn ports_of_path(segment: &str) -> Result<Content<'static>, Fault> {
    const PORT_MAX: u16 = 15;
    let port = |digits: &str| {
        let port: u16 = digits.parse().ok()?;
        (port <= PORT_MAX && port.to_string() == digits).then_some(port)
    };
    let ports = segment.strip_prefix("ue").and_then(|rest| {
        let (ue, ef) = rest.split_once("-ef")?;
        Some((port(ue)?, port(ef)?))
    });
    let (ue, ef) = ports.ok_or(Fault::PathPorts)?;
    let mut content = Content::default();
    content.ports.push(ue);
    if ef != ue {
        content.ports.push(ef);
    }
    Ok(content)
}

/// Whether some reader takes it for a known one: without its case, without what stands before it
/// (a blank, another `?`), or as PHP and Rails spell an array or a member of one.
fn is_like(known: &str, name: &str) -> bool {
    let name = name.trim_start_matches(|c: char| c == '?' || c.is_whitespace() || c.is_control());
    let stem = name.split(['[', '.', '\0']).next().unwrap_or_default();
    equals_folded(known, name) || equals_folded(known, stem)
}

/// One value. An element of a list that is an object is JSON, which the OpenAPI file leaves open.
fn one<'q>(value: Cow<'q, str>, parameter: &Parameter) -> Result<Content<'q>, Fault> {
    let shape = match (parameter.is_json, parameter.shape) {
        (true, shape) => return json(&value, shape),
        (false, Shape::Items(element)) => *element,
        (false, shape) => shape,
    };
    match shape {
        Shape::Is(_) => {
            // It could be two elements in one.
            if value.contains([',', '\0']) {
                return Err(Fault::Parameter);
            }
            json(&serde_json::Value::from(&*value).to_string(), shape)
        }
        Shape::Members([]) => Ok(Content::default()),
        shape if value.starts_with('{') => json(&value, shape),
        _ => json(&value, parameter.shape),
    }
}

fn json(text: &str, shape: Shape) -> Result<Content<'static>, Fault> {
    read(text.as_bytes(), shape, Origin::Request).map(Content::into_owned)
}

//= RFC 3986 section 2.1
//# An octet may be written as a percent sign and its two hexadecimal digits.
fn decoded(text: &str) -> Result<Cow<'_, str>, Fault> {
    let mut parts = text.split('%');
    let Some(first) = parts.next().filter(|first| first.len() < text.len()) else {
        return Ok(Cow::Borrowed(text));
    };
    let mut octets = first.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or(Fault::Parameter)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(Fault::Parameter);
        }
        octets.push(u8::from_str_radix(digits, 16).map_err(|_| Fault::Parameter)?);
        octets.extend_from_slice(rest.as_bytes());
    }
    let text = String::from_utf8(octets).map_err(|_| Fault::Parameter)?;
    Ok(Cow::Owned(text))
}
