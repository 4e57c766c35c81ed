//! An identity in every place of every answer and notification that the table of APIs knows, and in
//! a member that it does not know at each object: none leaves. What 3GPP's files have beyond the
//! table is gone through by tests/spec/plant.py.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::authz::apis::ApiId;
use crate::authz::apis::shape::{Kind, Shape};
use crate::privacy::{
    Action, FieldKinds, Filter, Guard, Media, Plmn, Plmns, PseudonymKey, Scanner, Scratch, Verdict,
    filter,
};

const IMSI: &str = "001010123456789";
const VENDOR: &str = "vendorExtension";

fn guard(known: &[&str]) -> Guard {
    let key = PseudonymKey::new(&[7; 32]);
    let mut hashes: Vec<u64> = known
        .iter()
        .map(|imsi| filter::hash(imsi.as_bytes(), &key))
        .collect();
    hashes.sort_unstable();
    let known = (!known.is_empty()).then(|| {
        let built = filter::build(&hashes, &key).unwrap();
        Filter::read(Arc::new(built), &key).unwrap()
    });
    let networks = [("001", "01"), ("999", "070")].map(|(mcc, mnc)| Plmn::new(mcc, mnc).unwrap());
    let scanner = Scanner::new(Plmns::new(networks), true);
    Guard::new(scanner, FieldKinds::default(), Action::Block, known, key)
}

/// Shapes of answers and of notifications, and where they are of.
fn shapes() -> Vec<(String, Shape)> {
    let mut shapes = Vec::new();
    for row in ApiId::all().filter_map(ApiId::row) {
        for resource in row.resources {
            for action in resource.actions {
                let of = format!("{} {} {}", row.name, action.verb.name(), resource.template);
                for call in action.calls {
                    shapes.push((format!("{of} to {}", call.to), call.shape));
                }
                shapes.push((of, action.gives));
            }
        }
    }
    shapes
}

/// Messages of nothing but what leads to a place: in each the value of that place is left open.
fn places() -> Vec<(String, Option<Kind>)> {
    let mut found = BTreeSet::new();
    let mut all = Vec::new();
    for (_, shape) in shapes() {
        for (pointer, kind) in shape.places() {
            let steps: Vec<&str> = pointer.split('/').skip(1).collect();
            // And a member that nobody knows in each object on the way.
            let vendors = (0..steps.len())
                .filter(|depth| steps[*depth] != "*")
                .map(|depth| ([&steps[..depth], &[VENDOR]].concat(), None));
            for (steps, kind) in vendors.chain([(steps.clone(), Some(kind))]) {
                let at = steps.join("/");
                if found.insert((at.clone(), kind.map(Kind::word))) {
                    all.push((at, kind));
                }
            }
        }
    }
    all
}

fn message(at: &str, value: &str) -> String {
    let steps = at.split('/').filter(|step| !step.is_empty());
    steps
        .rev()
        .fold(value.to_owned(), |inner, step| match step {
            "*" => format!("[{inner}]"),
            "{}" => format!(r#"{{"1":{inner}}}"#),
            name => format!(r#"{{"{name}":{inner}}}"#),
        })
}

fn verdict(guard: &Guard, scratch: &mut Scratch, body: &str) -> Verdict {
    guard.body(Media::Json, body.as_bytes(), scratch)
}

/// As JSON strings without their quotation marks: no member may hold them.
fn explicit() -> Vec<String> {
    let said = [
        "imsi-001010123456789",
        "imsi-26201",
        "suci-0-001-01-0000-0-0-0123456789",
        "nai-user@example.com",
        "gci-0011aabbccdd",
        "gli-QUJDRA==",
        "type0.rid0.schid0.userid0123456789@5gc.mnc001.mcc001.3gppnetwork.org",
        "0001010123456789@nai.epc.mnc001.mcc001.3gppnetwork.org",
        "nai.epc.mnc001.mcc001.3gppnetwork.org!0001010123456789@visited.example",
        "sip:001010123456789@ims.mnc001.mcc001.3gppnetwork.org",
        "0a1b2c3d-001-01-ab",
        "imei-490154203237518",
    ];
    said.iter()
        .flat_map(|text| {
            let escaped = text.chars().map(|c| format!("\\u{:04x}", u32::from(c)));
            let percent = text.bytes().map(|octet| format!("%{octet:02x}"));
            let wide = text
                .chars()
                .filter_map(|c| char::from_u32(u32::from(c) + 0xfee0));
            [
                (*text).to_owned(),
                escaped.collect(),
                percent.collect(),
                wide.collect(),
                text.to_uppercase(),
                STANDARD.encode(text),
            ]
        })
        .collect()
}

fn digits() -> Vec<String> {
    let tbcd = [0x00, 0x01, 0x01, 0x21, 0x43, 0x65, 0x87, 0xf9];
    let plain = [
        IMSI,
        "00101012345678",
        "999070123456789",
        "0001010123456789",
    ];
    let mut all: Vec<String> = plain.map(str::to_owned).to_vec();
    all.extend([
        IMSI.chars()
            .map(|c| format!("\\u{:04x}", u32::from(c)))
            .collect(),
        IMSI.bytes().map(|octet| format!("%{octet:02x}")).collect(),
        IMSI.chars()
            .filter_map(|c| char::from_u32(u32::from(c) + 0xfee0))
            .collect(),
        "001-01-0123456789".to_owned(),
        "001 01 0123456789".to_owned(),
        "00101.0123456789".to_owned(),
        STANDARD.encode(IMSI),
        STANDARD.encode(tbcd),
        STANDARD.encode(tbcd).replace('/', "\\/"),
        STANDARD.encode([&[4, 8][..], &tbcd, &[1, 2, 3]].concat()),
    ]);
    all
}

//= TS 33.187 clause 4.7 type=test
//# What says itself what it is leaves in no place that an answer or notification has.
#[test]
fn identity_that_says_what_it_is_leaves_in_no_place_of_any_api() {
    let (guard, mut scratch) = (guard(&[]), Scratch::default());
    let (places, explicit) = (places(), explicit());
    assert!(places.len() > 500, "{}", places.len());
    for (at, _) in &places {
        for text in &explicit {
            let body = message(at, &format!("\"{text}\""));
            let verdict = verdict(&guard, &mut scratch, &body);
            assert!(matches!(verdict, Verdict::Hit(_)), "{body}");
        }
    }
}

/// Whether a text is digits as a subscriber's number has them: no country's begin with 0.
fn is_number(text: &str) -> bool {
    (5..=15).contains(&text.len())
        && text.bytes().all(|o| o.is_ascii_digit())
        && !text.starts_with('0')
}

//= TS 33.187 clause 4.7 type=test
//# Digits of a subscriber leave in no place; where a number stands that may look alike, not those
//# of one who is known.
#[test]
fn digits_of_a_subscriber_leave_in_no_place_of_any_api() {
    let (stranger, mut scratch) = (guard(&[]), Scratch::default());
    let knowing = guard(&[IMSI, "00101012345678", "999070123456789"]);
    let (mut looked_alike, digits) = (0, digits());
    for (at, kind) in places() {
        for text in &digits {
            let body = message(&at, &format!("\"{text}\""));
            let stays = matches!(verdict(&stranger, &mut scratch, &body), Verdict::Hit(_));
            let may_look_alike = kind == Some(Kind::Msisdn) && is_number(text);
            assert!(stays || may_look_alike, "{body}");
            looked_alike += usize::from(!stays);
            let known = verdict(&knowing, &mut scratch, &body);
            assert!(matches!(known, Verdict::Hit(_)), "{body}");
        }
    }
    assert!(looked_alike > 0);
}

/// A value as a SCEF would send it; none where there is none that may be sent.
fn clean(kind: Kind) -> Option<Value> {
    Some(match kind {
        Kind::Supi | Kind::InternalGroupId | Kind::LineId => return None,
        Kind::Msisdn => json!("999070123456789"),
        Kind::Gpsi => json!("msisdn-999070123456789"),
        Kind::ExternalId => json!("447700900123@example.com"),
        Kind::ExternalGroupId => json!("meters@example.com"),
        Kind::AkmaKeyId => json!("meter7@as.example"),
        Kind::Ipv4 | Kind::FlowAddress | Kind::OtherAddress => json!("198.51.100.207"),
        Kind::Ipv6 => json!("2001:db8:85a3::8a2e:370:7334"),
        Kind::Ipv6Prefix => json!("2001:db8:abcd:12::/64"),
        Kind::Mac => json!("00-10-10-12-34-56"),
        Kind::AnyUe => json!(true),
        Kind::Port => json!(8080),
        Kind::Snssai => json!({"sst": 1, "sd": "0a1b2c"}),
        Kind::SelfLink | Kind::ResourceLink | Kind::Callback | Kind::WebSocket => json!(
            "https://scef.example/3gpp-nidd/v1/acme/configurations/5f2b7c0e-9d41-4a63-8c21-00101012"
        ),
        Kind::MonitoringType | Kind::Event => json!("CHANGE_OF_IMSI_IMEI_ASSOCIATION"),
        Kind::ApplicationLayerId
        | Kind::IpDomain
        | Kind::MtcProviderId
        | Kind::ScsAsId
        | Kind::Dnn
        | Kind::Application
        | Kind::Sponsor
        | Kind::QosReference => json!("meter.example"),
    })
}

/// With a value in each of its places.
fn filled(shape: Shape) -> Option<Value> {
    match shape {
        Shape::Is(kind) => clean(kind),
        Shape::Members(members) => {
            let members = members
                .iter()
                .filter_map(|(name, shape)| Some(((*name).to_owned(), filled(*shape)?)));
            Some(Value::Object(members.collect::<Map<_, _>>()))
        }
        Shape::Items(shape) => Some(json!([filled(*shape)?])),
        Shape::Values(shape) => Some(json!({"1": filled(*shape)?})),
        Shape::Either(shapes) => shapes.iter().find_map(|shape| filled(*shape)),
        Shape::Beside(shape) | Shape::Alone(shape) => filled(*shape),
    }
}

#[test]
fn answer_with_a_value_in_each_of_its_places_leaves() {
    let (guard, mut scratch) = (guard(&[]), Scratch::default());
    for (of, shape) in shapes() {
        let body = filled(shape).unwrap().to_string();
        let verdict = verdict(&guard, &mut scratch, &body);
        assert_eq!(verdict, Verdict::Clean, "{of}: {body}");
    }
}
