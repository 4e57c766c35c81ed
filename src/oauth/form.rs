//! What is posted to the endpoints of the issuer: `application/x-www-form-urlencoded`.

use super::GrantFault;
use crate::limits::FORM_BYTES_MAX;

/// Those that no endpoint knows are passed over, but must be looked at for repeats.
const PARAMETERS_MAX: usize = 32;

/// The parameters, decoded, each name once. Those without a value are not in it.
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a form, whatever the bytes are.
    //= RFC 6749 section 3.2
    //# No parameter is sent twice; one without a value counts as not sent.
    pub fn read(form: &[u8]) -> Result<Self, GrantFault> {
        if form.len() > FORM_BYTES_MAX {
            return Err(GrantFault::FormTooLong);
        }
        let mut parameters: Vec<(String, String)> = Vec::new();
        for pair in form.split(|byte| *byte == b'&').filter(|p| !p.is_empty()) {
            let (name, value) = match memchr::memchr(b'=', pair) {
                Some(at) => pair.split_at(at),
                None => (pair, &[][..]),
            };
            let name = decode(name)?;
            let value = decode(value.strip_prefix(b"=").unwrap_or(value))?;
            // Twice is twice, even where one of them is empty: which one counts could be read in
            // two ways.
            if parameters.iter().any(|(earlier, _)| *earlier == name) {
                return Err(GrantFault::ParameterRepeated);
            }
            if parameters.len() == PARAMETERS_MAX {
                return Err(GrantFault::FormTooLong);
            }
            parameters.push((name, value));
        }
        parameters.retain(|(_, value)| !value.is_empty());
        Ok(Self(parameters))
    }

    /// The value of the parameter called `name`, never empty.
    pub fn value(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        Some(value)
    }
}

/// Undoes the encoding of a name or value: `+` is a space, `%` and two hexadecimal digits an octet,
/// and the octets are UTF-8. What should have been encoded and is not, is refused.
//= RFC 6749 appendix B
//# Names and values are UTF-8, then form-urlencoded.
fn decode(encoded: &[u8]) -> Result<String, GrantFault> {
    let digit = |octet: Option<u8>| char::from(octet?).to_digit(16);
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut octets = encoded.iter().copied();
    while let Some(octet) = octets.next() {
        decoded.push(match octet {
            b'+' => b' ',
            b'%' => match (digit(octets.next()), digit(octets.next())) {
                (Some(high), Some(low)) => (high << 4 | low) as u8,
                _ => return Err(GrantFault::FormMalformed),
            },
            octet if octet.is_ascii_graphic() => octet,
            _ => return Err(GrantFault::FormMalformed),
        });
    }
    String::from_utf8(decoded).map_err(|_| GrantFault::FormMalformed)
}
