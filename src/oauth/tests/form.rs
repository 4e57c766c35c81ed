//! Reading what was posted.

use proptest::prelude::*;

use super::super::form::Form;
use super::*;
use crate::limits::{FORM_BYTES_MAX, TOKEN_BYTES_MAX};

#[track_caller]
fn fault_of(form: impl AsRef<[u8]>) -> GrantFault {
    Form::read(form.as_ref())
        .map(|_| ())
        .expect_err("the form was taken")
}

fn value_of(form: &str, name: &str) -> Option<String> {
    Form::read(form.as_bytes())
        .unwrap()
        .value(name)
        .map(str::to_owned)
}

//= RFC 6749 appendix B type=test
//# Plus is a space, percent and two digits an octet of UTF-8.
#[test]
fn names_and_values_are_decoded() {
    let form = "a=b+c&d%65f=%2B%26%3d%C3%BC&g=1=2";
    assert_eq!(value_of(form, "a").unwrap(), "b c");
    assert_eq!(value_of(form, "def").unwrap(), "+&=\u{fc}");
    assert_eq!(value_of(form, "g").unwrap(), "1=2");
    assert_eq!(value_of(form, "h"), None);
}

#[test]
fn empty_pairs_are_passed_over() {
    assert_eq!(value_of("&&a=1&&b=2&", "b").unwrap(), "2");
    assert_eq!(value_of("", "a"), None);
}

//= RFC 6749 section 3.2 type=test
//# A parameter without a value counts as omitted.
#[test]
fn parameter_without_value_is_as_if_omitted() {
    assert_eq!(value_of("a=&b&c=1", "a"), None);
    assert_eq!(value_of("a=&b&c=1", "b"), None);
}

//= RFC 6749 section 3.2 type=test
//# No parameter is sent more than once, whether it is known or not.
#[test]
fn repeated_parameter_is_refused() {
    for form in [
        "a=1&a=1",
        "a=1&b=2&%61=3",
        "a=&a=1",
        "a=1&a",
        "scope=x&x=1&scope=y",
    ] {
        assert_eq!(fault_of(form), GrantFault::ParameterRepeated, "{form}");
    }
}

#[test]
fn malformed_encoding_is_refused() {
    for form in [
        "a=%", "a=%4", "a=%4g", "a=%g4", "%=1", "a=1%", "a=%+1", "a=b c", "a=1\n",
    ] {
        assert_eq!(fault_of(form), GrantFault::FormMalformed, "{form:?}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_refused_encoded_or_not() {
    for form in [
        &b"a=%FF"[..],
        b"a=%C3",
        b"a=%ED%A0%80",
        b"a=\xff",
        b"\xc3\xbc=1",
        b"a=\0",
    ] {
        assert_eq!(fault_of(form), GrantFault::FormMalformed, "{form:?}");
    }
}

#[test]
fn form_over_its_bounds_is_refused() {
    let long = |bytes: usize| format!("a={}", "x".repeat(bytes - 2));
    assert!(Form::read(long(FORM_BYTES_MAX).as_bytes()).is_ok());
    assert_eq!(fault_of(long(FORM_BYTES_MAX + 1)), GrantFault::FormTooLong);
    let many = |count: usize| {
        let pairs: Vec<_> = (0..count).map(|at| format!("p{at}=1")).collect();
        pairs.join("&")
    };
    assert!(Form::read(many(32).as_bytes()).is_ok());
    assert_eq!(fault_of(many(33)), GrantFault::FormTooLong);
}

/// An assertion signed with RSA takes some 900 octets.
#[test]
fn longest_token_and_an_assertion_beside_it_fit_into_a_form() {
    let (token, assertion) = ("t".repeat(TOKEN_BYTES_MAX), "a".repeat(2 * 1024));
    let form = format!(
        "client_id=acme-app&token={token}&client_assertion={assertion}&client_assertion_type=\
         urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
    );
    assert_eq!(value_of(&form, "token"), Some(token));
    assert_eq!(value_of(&form, "client_assertion"), Some(assertion));
}

proptest! {
    #[test]
    fn any_text_reads_back_as_it_was_encoded(name in "\\PC{1,8}", value in "\\PC{1,40}") {
        let encode = |text: &str| -> String {
            text.bytes().map(|octet| match octet {
                b' ' => "+".to_owned(),
                b'a'..=b'z' => char::from(octet).to_string(),
                octet => format!("%{octet:02x}"),
            }).collect()
        };
        let form = format!("{}={}", encode(&name), encode(&value));
        prop_assert_eq!(value_of(&form, &name), Some(value));
    }
}
