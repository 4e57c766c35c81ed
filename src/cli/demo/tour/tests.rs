use super::*;

fn guide(out: &mut Vec<u8>) -> Guide<'_, Vec<u8>> {
    Guide {
        out,
        outcome: Outcome::default(),
    }
}

#[test]
fn scope_is_compared_by_its_words() {
    assert!(same_words("b a", &["a", "b"]));
    assert!(!same_words("a", &["a", "b"]));
    assert!(!same_words("a b c", &["a", "b"]));
    assert!(!same_words("", &["a"]));
}

#[test]
fn difference_is_told_and_counted() {
    let mut out = Vec::new();
    let mut guide = guide(&mut out);
    guide.title("a step");
    guide.judge(None);
    guide.judge(Some("status 200 instead of 401".to_owned()));
    assert_eq!((guide.outcome.steps, guide.outcome.differences), (1, 1));
    let told = String::from_utf8(out).unwrap();
    assert!(told.contains(" 1 a step"));
    assert!(
        told.contains("NOT AS EXPECTED: status 200 instead of 401"),
        "{told}"
    );
}

#[test]
fn every_refusal_expects_a_refusal_and_says_why() {
    for (title, why, ask, expected) in refusals("good", "old") {
        assert!(expected.status >= 400, "{title}");
        assert!(!why.is_empty(), "{title}");
        assert!(
            !expected.cause.is_empty() || !expected.oauth_error.is_empty(),
            "{title}"
        );
        assert!(ask.path.starts_with('/'), "{title}");
    }
}

/// The rows that the tour names are the gateway's own.
#[test]
fn causes_are_those_of_the_table() {
    for (title, _, _, expected) in refusals("good", "old") {
        let mut rows = crate::proxy::denial::ROWS.iter();
        let known = rows.any(|row| {
            row.cause == expected.cause
                && row.status == expected.status
                && row.oauth_error.unwrap_or_default() == expected.oauth_error
        });
        assert!(known || expected.cause.is_empty(), "{title}");
    }
}
