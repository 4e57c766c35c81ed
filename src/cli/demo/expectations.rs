//! What each step of the tour must bring, and what it brought: any difference fails the tour.

use super::client::Answer;

/// What must come back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected {
    pub status: u16,
    /// The OAuth error, in the challenge or in the body; empty for none.
    pub oauth_error: &'static str,
    /// `ProblemDetails.cause`; empty for none.
    pub cause: &'static str,
}

/// What came back, in the same words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub status: u16,
    pub oauth_error: String,
    pub cause: String,
    pub request_id: String,
}

impl Seen {
    /// What an answer says.
    pub fn of(answer: &Answer) -> Self {
        let body = answer.json();
        let text = |name: &str| {
            let value = body.get(name).and_then(serde_json::Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        let challenge = answer.field("www-authenticate");
        let error = challenge
            .split_once("error=\"")
            .and_then(|(_, rest)| rest.split_once('"'));
        Self {
            status: answer.status,
            oauth_error: error.map_or_else(|| text("error"), |(error, _)| error.to_owned()),
            cause: text("cause"),
            request_id: answer.field("x-request-id").to_owned(),
        }
    }

    /// As a line of the tour.
    pub fn line(&self) -> String {
        let mut line = self.status.to_string();
        for (name, value) in [
            ("", &self.cause),
            ("OAuth error ", &self.oauth_error),
            ("X-Request-Id ", &self.request_id),
        ] {
            if !value.is_empty() {
                line.push_str(", ");
                line.push_str(name);
                line.push_str(value);
            }
        }
        line
    }
}

impl Expected {
    /// Only a status.
    pub const fn status(status: u16) -> Self {
        Self {
            status,
            oauth_error: "",
            cause: "",
        }
    }

    /// A refusal.
    pub const fn refusal(status: u16, oauth_error: &'static str, cause: &'static str) -> Self {
        Self {
            status,
            oauth_error,
            cause,
        }
    }

    /// What differs, none where nothing does.
    pub fn difference(&self, seen: &Seen) -> Option<String> {
        let wanted = [
            ("status", self.status.to_string(), seen.status.to_string()),
            (
                "OAuth error",
                self.oauth_error.to_owned(),
                seen.oauth_error.clone(),
            ),
            ("cause", self.cause.to_owned(), seen.cause.clone()),
        ];
        let differing: Vec<String> = wanted
            .into_iter()
            .filter(|(_, expected, seen)| expected != seen)
            .map(|(what, expected, seen)| format!("{what} {seen:?} instead of {expected:?}"))
            .collect();
        (!differing.is_empty()).then(|| differing.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::HeaderMap;

    fn answer(status: u16, challenge: &str, body: &'static str) -> Answer {
        let mut fields = HeaderMap::new();
        fields.insert("www-authenticate", challenge.parse().unwrap());
        fields.insert("x-request-id", "ab12".parse().unwrap());
        Answer {
            status,
            fields,
            body: body.into(),
        }
    }

    const INVALID: &str = "Bearer realm=\"t8\", error=\"invalid_token\"";

    #[test]
    fn refusal_is_read_from_challenge_and_problem() {
        let seen = Seen::of(&answer(401, INVALID, r#"{"cause":"TOKEN_INVALID"}"#));
        assert_eq!(
            seen.line(),
            "401, TOKEN_INVALID, OAuth error invalid_token, X-Request-Id ab12"
        );
        let expected = Expected::refusal(401, "invalid_token", "TOKEN_INVALID");
        assert_eq!(expected.difference(&seen), None);
    }

    #[test]
    fn error_of_the_token_endpoint_is_read_from_its_body() {
        let seen = Seen::of(&answer(401, "Bearer", r#"{"error":"invalid_client"}"#));
        assert_eq!(seen.oauth_error, "invalid_client");
    }

    #[test]
    fn each_difference_is_told() {
        let seen = Seen::of(&answer(401, INVALID, r#"{"cause":"TOKEN_INVALID"}"#));
        for (expected, what) in [
            (
                Expected::refusal(403, "invalid_token", "TOKEN_INVALID"),
                "status",
            ),
            (Expected::refusal(401, "", "TOKEN_INVALID"), "OAuth error"),
            (Expected::refusal(401, "invalid_token", "OTHER"), "cause"),
            (Expected::status(200), "status"),
        ] {
            assert!(expected.difference(&seen).unwrap().contains(what));
        }
    }
}
