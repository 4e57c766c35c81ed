//! Against another reader.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::authz::content::fuzzed::{texts_named, texts_read};

/// JSON with members that are known and others, some spelt with escapes.
fn json() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "msisdn",
        "externalId",
        "addedMsisdns",
        "ueIpAddr",
        "ipv4Addr",
        "monitoringType",
        "self",
        "MSISDN",
        "a",
        "b",
        "",
        "\u{e9}\"\\/",
        "monitoringEventReport",
        "pduSessInfo",
        "ipDomain",
    ]);
    let text = prop::sample::select(vec![
        "999010000000001",
        "a@example.com",
        "10.0.0.1",
        "",
        "\u{1f600}",
        "north",
        "\u{1}",
    ]);
    let spelt = |text: &str, escaped: bool| match escaped {
        false => Value::from(text).to_string(),
        true => {
            let units = text.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
            format!("\"{}\"", units.collect::<String>())
        }
    };
    let name = (name, prop::bool::weighted(0.1)).prop_map(move |(name, esc)| spelt(name, esc));
    let leaf = prop_oneof![
        6 => (text, any::<bool>()).prop_map(move |(text, esc)| spelt(text, esc)),
        1 => Just("null".to_owned()),
        1 => any::<bool>().prop_map(|value| value.to_string()),
        1 => any::<i64>().prop_map(|value| value.to_string()),
        1 => any::<f64>().prop_map(|value| Value::from(value).to_string()),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        let members = prop::collection::vec((name.clone(), inner.clone()), 0..5);
        let members = members.prop_map(|members| {
            let members = members
                .iter()
                .map(|(name, value)| format!("{name} : {value}"));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        });
        let items = prop::collection::vec(inner, 0..4);
        let items = items.prop_map(|items| format!("[{}]", items.join(" ,")));
        prop_oneof![3 => members, 1 => items]
    })
}

proptest! {
    #[test]
    fn what_is_accepted_says_the_same_to_another_reader(text in json()) {
        let shape = shape(SUBSCRIPTIONS);
        for origin in [Origin::Request, Origin::MergePatch, Origin::Representation] {
            if let Ok(content) = read(text.as_bytes(), shape, origin) {
                let other: Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(texts_read(&content), texts_named(&other, shape));
            }
        }
    }

    #[test]
    fn what_has_no_member_twice_is_accepted_where_nothing_is_known(text in json()) {
        let other: Value = serde_json::from_str(&text).unwrap();
        let twice = refused(&text) == Some(Fault::DuplicateMember);
        // A reader that keeps the last of two writes fewer values.
        let count = |text: &str| text.matches([':', ',']).count();
        prop_assert_eq!(twice, count(&other.to_string()) < count(&text));
        prop_assert!(twice || refused(&text).is_none());
    }

    #[test]
    fn no_octets_make_it_panic(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&octets, shape(SUBSCRIPTIONS), Origin::Request).map(Content::into_owned);
        if let Ok(text) = str::from_utf8(&octets) {
            let _ = query(text, action(SUBSCRIPTIONS, Verb::Get).query);
        }
    }
}
