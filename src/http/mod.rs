//! HTTP/1.1 as plain functions over bytes: no sockets, no clock. Strict in what is accepted,
//! because a message two readers understand differently is how requests are smuggled: a doubtful
//! message is refused, never repaired.
//!
//! [`head`] reads heads, [`target`] what a request line and `Host` name, [`path`] judges paths,
//! [`fields`] says what a field is to a gateway, [`media`] reads what bodies are written in,
//! [`chunked`] takes bodies apart, [`h1`] writes, and [`problem`] words refusals.

pub mod chunked;
pub mod document;
pub mod fields;
pub mod h1;
pub mod head;
pub mod media;
pub mod path;
pub mod problem;
pub mod target;

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod reference;

/// May the byte stand in a token (a method, a field name, a connection option)?
#[must_use]
pub const fn is_token_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9'
        | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_'
        | b'`' | b'|' | b'~')
}

/// The value of a hexadecimal digit.
#[must_use]
pub const fn hex_value(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
