//! Links in the heads of answers, led outwards.

use crate::http::head::ResponseHead;
use crate::links::{Links, targets_outward};

use super::denial::Denial;

/// Takes fields that lead to the SCEF out of an answer's head, and writes in `lines` those that
/// lead to the gateway in their place.
///
/// # Errors
/// `Location` leads past the gateway. A client could not follow it, or worse, could; it must not
/// learn of it, and without it neither what was made nor where to ask would be known to it.
//= TS 29.122 clause 5.2.10
//# Where an answer redirects to is reached through the gateway, or the answer is refused.
pub(super) fn head_outward(
    links: &Links,
    head: &mut ResponseHead<'_, '_>,
    lines: &mut Vec<u8>,
) -> Result<(), Denial> {
    for (place, field) in head.fields.iter().enumerate() {
        let of_field = 1_u64 << place;
        if head.links & !head.dropped & of_field == 0 {
            continue;
        }
        let is_location = field.name.eq_ignore_ascii_case("location");
        let value = std::str::from_utf8(field.value).ok();
        let before = lines.len();
        for part in [field.name.as_bytes(), b": "] {
            lines.extend_from_slice(part);
        }
        let stays = match value {
            Some(value) if field.name.eq_ignore_ascii_case("link") => {
                targets_outward(links, value, lines).then_some(false)
            }
            Some(value) => match links.outward(value) {
                Ok(Some(led)) => {
                    lines.extend_from_slice(led.root.as_bytes());
                    lines.extend_from_slice(led.rest.as_bytes());
                    Some(false)
                }
                Ok(None) => Some(true),
                Err(_) => None,
            },
            None => None,
        };
        match stays {
            Some(true) => lines.truncate(before),
            Some(false) => {
                lines.extend_from_slice(b"\r\n");
                head.dropped |= of_field;
            }
            None if is_location => return Err(Denial::LinkLeadsPast),
            // Nothing of T8 is said by the others: what leads past is left out.
            None => {
                lines.truncate(before);
                head.dropped |= of_field;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;

    use super::*;
    use crate::http::head::{self, Method};
    use crate::limits::FIELDS_MAX;

    /// The fields of an answer as they leave: those that stay, then those that are led.
    fn led(fields: &str) -> Result<(Vec<String>, String), Denial> {
        let inside = vec!["http://scef:8080".parse().unwrap()];
        let links = Links::new(vec!["https://t8.example".parse().unwrap()], inside).unwrap();
        let answer = format!("HTTP/1.1 201 Created\r\n{fields}\r\n");
        let mut slots = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let mut head = head::response(answer.as_bytes(), &mut slots, Method::Post).unwrap();
        let mut lines = Vec::new();
        head_outward(&links, &mut head, &mut lines)?;
        let places = head.fields.iter().enumerate();
        let stay = places.filter(|(place, _)| head.dropped >> place & 1 == 0);
        let stay = stay.map(|(_, field)| field.name.to_owned()).collect();
        Ok((stay, String::from_utf8(lines).unwrap()))
    }

    #[test]
    fn fields_that_lead_to_the_scef_lead_to_the_gateway() {
        let fields = "X-A: http://scef:8080/1\r\nlocation: http://scef:8080/2\r\n\
                      Content-Location: http://SCEF:8080/3\r\n\
                      Link: <http://scef:8080/4>; rel=a\r\n";
        let lines = "location: https://t8.example/2\r\nContent-Location: https://t8.example/3\r\n\
                     Link: <https://t8.example/4>; rel=a\r\n";
        assert_eq!(led(fields), Ok((vec!["X-A".to_owned()], lines.to_owned())));
    }

    #[test]
    fn every_location_is_led() {
        let fields =
            "Location: http://scef:8080/1\r\nLocation: /2\r\nLocation: http://scef:8080/3\r\n";
        let lines = "Location: https://t8.example/1\r\nLocation: https://t8.example/3\r\n";
        assert_eq!(
            led(fields),
            Ok((vec!["Location".to_owned()], lines.to_owned()))
        );
    }

    //= TS 29.122 clause 5.2.10 type=test
    //# What leads elsewhere is no answer.
    #[test]
    fn location_that_leads_past_the_gateway_is_refused() {
        for value in [
            "http://10.0.0.1/1",
            "//10.0.0.1/1",
            "http://scef:8080@10.0.0.1/",
            "\u{fc}\\",
        ] {
            let fields = format!("Location: /1\r\nLocation: {value}\r\n");
            assert_eq!(led(&fields), Err(Denial::LinkLeadsPast), "{value}");
        }
    }

    #[test]
    fn other_fields_that_lead_past_the_gateway_are_left_out() {
        for field in [
            "Content-Location: http://10.0.0.1/1",
            "Link: <http://10.0.0.1/2>; rel=a",
            "Link: </2>; rel=a; Anchor=\"http://10.0.0.1/3\"",
            "Link: </2>; rel=a; anchor*=UTF-8''http%3A//10.0.0.1/3",
        ] {
            let fields = format!("{field}\r\nB: c\r\n");
            assert_eq!(led(&fields), Ok((vec!["B".to_owned()], String::new())));
        }
    }

    #[test]
    fn field_of_one_hop_is_not_brought_back() {
        let fields = "Connection: location\r\nLocation: http://scef:8080/1\r\n";
        assert_eq!(led(fields), Ok((Vec::new(), String::new())));
    }
}
