//! Whole messages: every form of an identity in every place and spelling, and what looks like one.

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value as Json;

use super::super::filter;
use super::super::plmn::{Plmn, Plmns};
use super::*;

mod fields;
mod first_look;
mod heads;
mod legitimate;
mod time;
mod traffic;

const IMSI: &str = "001010123456789";

fn plmns() -> Plmns {
    Plmns::new([("001", "01"), ("999", "070")].map(|(mcc, mnc)| Plmn::new(mcc, mnc).unwrap()))
}

fn key() -> PseudonymKey {
    PseudonymKey::new(&[7; 32])
}

fn guard_with(fields: FieldKinds, known: Option<&[&str]>) -> Guard {
    let known = known.map(|imsis| {
        let mut hashes: Vec<u64> = imsis
            .iter()
            .map(|imsi| filter::hash(imsi.as_bytes(), &key()))
            .collect();
        hashes.sort_unstable();
        Filter::read(Arc::new(filter::build(&hashes, &key()).unwrap()), &key()).unwrap()
    });
    Guard::new(
        Scanner::new(plmns(), true),
        fields,
        Action::Block,
        known,
        key(),
    )
}

pub(in crate::privacy) fn guard() -> Guard {
    guard_with(FieldKinds::default(), None)
}

fn judged(guard: &Guard, body: &str) -> Option<Hit> {
    match guard.body(Media::Json, body.as_bytes(), &mut Scratch::default()) {
        Verdict::Clean => None,
        Verdict::Hit(hit) => Some(hit),
    }
}

static GUARD: LazyLock<Guard> = LazyLock::new(guard);

fn hit(body: &str) -> Option<(String, Form, Tier)> {
    judged(&GUARD, body).map(|hit| (hit.pointer, hit.form, hit.tier))
}

/// As the network's protocols pack digits.
fn tbcd(digits: &str) -> Vec<u8> {
    let mut halves: Vec<u8> = digits.bytes().map(|digit| digit - b'0').collect();
    if halves.len() % 2 == 1 {
        halves.push(0xf);
    }
    halves
        .chunks(2)
        .map(|pair| pair[1] << 4 | pair[0])
        .collect()
}

/// One identity in every form and spelling that has to be found wherever it stands as a JSON
/// string where no digits have to be.
fn spellings() -> Vec<String> {
    let escaped: String = IMSI
        .chars()
        .map(|c| format!("\\u{:04x}", c as u32))
        .collect();
    let percent: String = IMSI.bytes().map(|o| format!("%{o:02x}")).collect();
    let twice: String = IMSI.bytes().map(|o| format!("%25{o:02X}")).collect();
    let thrice: String = IMSI.bytes().map(|o| format!("%2525{o:02X}")).collect();
    let wide: String = IMSI
        .chars()
        .map(|c| char::from_u32(c as u32 + 0xfee0).unwrap())
        .collect();
    let arabic: String = IMSI
        .chars()
        .map(|c| char::from_u32(c as u32 - 0x30 + 0x660).unwrap())
        .collect();
    let joined: String = IMSI.chars().flat_map(|c| [c, '\u{200b}']).collect();
    let spaced: String = IMSI.chars().flat_map(|c| [c, ' ']).collect();
    let hex: String = IMSI.bytes().map(|o| format!("{o:02x}")).collect();
    let hex_tbcd: String = tbcd(IMSI).iter().map(|o| format!("{o:02X}")).collect();
    let inner = STANDARD.encode(IMSI);
    let mut all = vec![
        IMSI.to_owned(),
        "00101012345678".to_owned(),
        "001010000000001".to_owned(),
        "999070123456789".to_owned(),
        format!("0{IMSI}"),
        escaped.clone(),
        format!("00101{}", &escaped[5 * 6..]),
        escaped.replace('\\', "\\\\"),
        percent.clone(),
        percent.replace('%', "\\u0025"),
        twice,
        thrice,
        wide,
        arabic,
        joined,
        spaced,
        "001-01-0123456789".to_owned(),
        "001\\u00a001\\u20130123456789".to_owned(),
        "001\\t01\\t0123456789".to_owned(),
        "001\\n01\\n0123456789".to_owned(),
        "001_01_0123456789".to_owned(),
        "001,01,0123456789".to_owned(),
        "001\\/01\\/0123456789".to_owned(),
        "001:01:0123456789".to_owned(),
        "001;01;0123456789".to_owned(),
        "001+01+0123456789".to_owned(),
        "001'01'0123456789".to_owned(),
        "001|01|0123456789".to_owned(),
        "001\\u300101\\u22360123456789".to_owned(),
        "001\\b01\\u00010123456789".to_owned(),
        hex,
        hex_tbcd,
        STANDARD.encode(&inner),
        STANDARD.encode(tbcd(IMSI)),
        STANDARD.encode(tbcd("00101012345678")),
        STANDARD.encode(tbcd(IMSI)).replace('/', "\\/"),
        STANDARD.encode([&[4, 8][..], &tbcd(IMSI), &[1, 2, 3]].concat()),
        URL_SAFE_NO_PAD.encode(format!("subscriber ?>~ {IMSI}")),
        STANDARD.encode([&[4, 7][..], &tbcd("00101012345678"), &[1, 2]].concat()),
        STANDARD.encode("imeisv-4901542032375181"),
        STANDARD.encode("0a1b2c3d-001-001-abcd"),
        STANDARD.encode("supi imsi-00101"),
        STANDARD.encode(format!("IMSI-{IMSI}")),
        STANDARD.encode("x").replace("eA==", &inner),
        format!("{}\\r\\n{}", &inner[..12], &inner[12..]),
    ];
    all.extend(explicit());
    all
}

/// Forms that say themselves what they are: no field may hold them.
fn explicit() -> Vec<String> {
    [
        "imsi-001010123456789",
        "imsi-26201",
        "\\u0069msi-262011234567890",
        "%69msi%2D262011234567890",
        "\u{ff49}\u{ff4d}\u{ff53}\u{ff49}\u{ff0d}26201",
        "suci-0-001-01-0000-0-0-0123456789",
        "type0.rid0.schid0.userid0123456789@5gc.mnc001.mcc001.3gppnetwork.org",
        "0001010123456789@nai.epc.mnc001.mcc001.3gppnetwork.org",
        "6001010123456789%40nai.epc.mnc001.mcc001.3gppnetwork.org",
        "nai.epc.mnc001.mcc001.3gppnetwork.org!0001010123456789@visited.example",
        "imsi001010123456789@sos.nai.epc.mnc001.mcc001.3gppnetwork.org",
        "sip:001010123456789@ims.mnc001.mcc001.3gppnetwork.org",
        "user@5gc.nid000007ed9d5.mnc001.mcc001.3gppnetwork.org",
        "nai-user@example.com",
        "gci-0011aabbccdd",
        "gli-QUJDRA==",
        "0a1b2c3d-001-01-ab",
        "0a1b2c3d-001-001-abcd",
        "imei-490154203237518",
        "imeisv-4901542032375181",
    ]
    .map(str::to_owned)
    .to_vec()
}

//= TS 33.187 clause 4.7 type=test
//# No form and no spelling of an identity leaves in a member that nobody knows.
#[test]
fn every_form_in_every_spelling_is_found_in_values_names_and_text() {
    for spelling in spellings() {
        let value = format!(r#"{{"a":"b","cpReports":[{{"vendorField":"{spelling}"}}]}}"#);
        let found = hit(&value);
        let pointer = found.as_ref().map(|(pointer, ..)| pointer.as_str());
        assert_eq!(pointer, Some("/cpReports/0/*"), "{spelling}");
        let text = hit(&format!(r#"{{"detail":"{spelling}","status":404}}"#));
        assert!(
            text.is_some_and(|(pointer, ..)| pointer == "/detail"),
            "{spelling}"
        );
        let name = hit(&format!(r#"{{"relatedUEs":{{"{spelling}":true}}}}"#));
        assert!(
            name.is_none_or(|(pointer, ..)| pointer == "/relatedUEs/*"),
            "{spelling}"
        );
        let broken = judged(&GUARD, &format!(r#"{{"a":"{spelling}""#));
        // Where lines end is not known of what is no JSON.
        let in_lines = spelling.contains("\\r");
        assert!(broken.is_some() || in_lines, "no whole message: {spelling}");
    }
}

#[test]
fn name_that_is_an_identity_is_found() {
    let packed = [
        STANDARD.encode(IMSI),
        STANDARD.encode(tbcd(IMSI)),
        STANDARD.encode(tbcd("00101012345678")),
        URL_SAFE_NO_PAD.encode(format!("imsi-{IMSI}")),
    ];
    for spelling in explicit()
        .into_iter()
        .chain(spellings().into_iter().take(15))
        .chain(packed)
    {
        let found = hit(&format!(r#"{{"relatedUEs":{{"{spelling}":true}}}}"#));
        assert!(
            found.is_some_and(|(pointer, ..)| pointer == "/relatedUEs/*"),
            "{spelling}"
        );
    }
}

//= TS 33.187 clause 4.7 type=test
//# What says itself what it is leaves in no member, whatever that is for.
#[test]
fn explicit_forms_are_found_in_every_member() {
    let names = "msisdn gpsi externalId externalGroupId supportedFeatures cellIds imeiTacs self \
                 referenceId data title startTime downlinkVolume vendor";
    for name in names.split_ascii_whitespace() {
        for spelling in explicit() {
            for body in [
                format!(r#"{{"{name}":"{spelling}"}}"#),
                format!(r#"{{"{name}":["{spelling}"]}}"#),
            ] {
                assert!(hit(&body).is_some(), "{body}");
            }
        }
    }
}

/// Members in which digits stand that look as an IMSI does.
const LOOK_ALIKES: &[&str] = &[
    r#"{"msisdn":"999070123456789"}"#,
    r#"{"msisdn":"\u0039\u00399070123456789"}"#,
    r#"{"msisdns":["99907012345678","999070123456789"]}"#,
    r#"{"gpsi":"msisdn-999070123456789"}"#,
    r#"{"gpsi":"extid-meter1@example.com"}"#,
    r#"{"gpsis":{"1":"msisdn-999070123456789"}}"#,
    r#"{"externalId":"4477009001234@example.com","externalGroupId":"1234567@example.org"}"#,
    r#"{"imeiTacs":["49015420","35209900"]}"#,
    r#"{"imeiChange":"IMEISV","monitoringType":"CHANGE_OF_IMSI_IMEI_ASSOCIATION"}"#,
    r#"{"cellIds":["001010123456789","001-01-0a1b2c3"]}"#,
    r#"{"trackingAreaIds":["00101-0a1b"]}"#,
    r#"{"tai":{"plmnId":{"mcc":"001","mnc":"01"},"tac":"0a1b2c"}}"#,
    r#"{"ecgi":{"eutraCellId":"0a1b2c3"}}"#,
    r#"{"tmgi":"001010123456789"}"#,
    r#"{"supportedFeatures":"001010123456789"}"#,
    r#"{"downlinkVolume":999070123456789,"totalVolume":1234567890123456789}"#,
    r#"{"vendorEpochMs":1794999999000,"vendorDegrees":99.9070123456789}"#,
    r#"{"lat":-0.01010123456789,"lon":99.9070123456789}"#,
    r#"{"vendorDoubles":[9.99070123456789E12,9.99070123456789e99,1.0e-999,1e9999999999999]}"#,
    r#"{"eventTime":"2026-11-18T11:06:40.123456789Z"}"#,
    r#"{"self":"https://scef.example/3gpp-nidd/v1/x/5f2b7c0e-9d41-4a63-8c21-001010123456"}"#,
    r#"{"etag":"d41d8cd98f00b001010123456789fe7e"}"#,
    r#"{"iccid":"8900101012345678901","referenceId":"ref-0042"}"#,
    r#"{"ipv6Addr":"2001:db8::1","ipv4Addr":"192.168.100.200","port":8080}"#,
    r#"{"macAddr":"00-10-10-12-34-56","vendorMac":"00:10:10:12:34:56"}"#,
    r#"{"vendorTime":"00:10:10.123456789","vendorTimes":"2026/11/30 00:10:10.123"}"#,
    r#"{"vendorList":"1,2,3","vendorPoint":"0.0101,-77.036511","vendorNumber":"1,001,010,123"}"#,
    r#"{"vendorNumbers":[1,2,3,0,0,1,0,1,0,1,2,3],"vendorPath":"/v1/acme/001/x/010123456789"}"#,
    r#"{"data":"c2Vuc29yIDQyOiAyMS41IEM="}"#,
];

#[test]
fn digits_that_look_alike_pass_where_they_belong() {
    for body in LOOK_ALIKES {
        assert_eq!(hit(body), None, "{body}");
    }
}

#[test]
fn field_that_breaks_its_grammar_is_searched_as_any_other() {
    for body in [
        r#"{"msisdn":"001010123456789"}"#,
        r#"{"gpsi":"msisdn-001010123456789"}"#,
        r#"{"msisdn":"+999070123456789"}"#,
        r#"{"msisdn":"%3001010123456789"}"#,
        r#"{"msisdn":"\u096f9907012345678"}"#,
        r#"{"msisdn":"٩٩٩٠٧٠١٢٣٤٥٦٧٨"}"#,
        r#"{"gpsi":"msisdn-９９９０７０１２３４５６７８"}"#,
        r#"{"tmgi":"９９９０７０１２３４５６７８"}"#,
        r#"{"msisdn":"00101-0123456789"}"#,
        r#"{"msisdn":999070123456789}"#,
        r#"{"msisdn":"MDAxMDEwMTIzNDU2Nzg5"}"#,
        r#"{"downlinkVolume":"AAEBIUNlh/k="}"#,
        r#"{"gpsi":"001010123456789"}"#,
        r#"{"gpsis":{"1":"001010123456789"}}"#,
        r#"{"gpsis":{"title":"msisdn-001010123456789"}}"#,
        r#"{"externalId":"001010123456789"}"#,
        r#"{"supportedFeatures":"x001010123456789"}"#,
        r#"{"cellIds":["cell 001010123456789"]}"#,
        r#"{"ncgi":{"plmnId":{"mcc":"001010123456789"}}}"#,
        r#"{"tac":"001010123456789"}"#,
        r#"{"imeiTacs":["001010123456789"]}"#,
        r#"{"eventTime":"001010123456789"}"#,
        r#"{"downlinkVolume":"001010123456789"}"#,
        r#"{"vendorNumber":999070123456789}"#,
        r#"{"vendorNumber":[{"x":-99907012345678}]}"#,
        r#"{"vendorNumber":9.99070123456789E14}"#,
        r#"{"vendorNumber":[99907012345678900e-2,0.999070123456789e+15]}"#,
        r#"{"IMSI":"262021234567890","Supi":"x"}"#,
        r#"{"ueSupi":"x"}"#,
        r#"{"ueSucis":["x"]}"#,
        r#"{"s%75pi":"x"}"#,
        r#"{"vendor_imsis":["x"]}"#,
        r#"{"su\u200bpi":"x"}"#,
        "{\"su\u{200b}pi\":\"x\"}",
        "{\"\u{ff53}\u{ff55}\u{ff50}\u{ff49}\":\"x\"}",
    ] {
        assert!(hit(body).is_some(), "{body}");
    }
}

#[test]
fn digits_where_others_may_stand_are_found_unless_known_not_to_be_an_imsi() {
    let bodies = [
        r#"{"externalId":"001010123456789@example.com"}"#,
        r#"{"gpsi":"extid-001010123456789@example.com"}"#,
        r#"{"self":"https://scef.example/3gpp-nidd/v1/acme/configurations/001010123456789"}"#,
        r#"{"referenceId":"001010123456789"}"#,
    ];
    let unknown = guard_with(FieldKinds::default(), Some(&["001010000000001"]));
    let known = guard_with(FieldKinds::default(), Some(&["001010000000001", IMSI]));
    for body in bodies {
        assert_eq!(
            hit(body).map(|(_, _, tier)| tier),
            Some(Tier::Digits),
            "{body}"
        );
        assert_eq!(judged(&unknown, body), None, "{body}");
        assert_eq!(
            judged(&known, body).map(|hit| hit.tier),
            Some(Tier::Known),
            "{body}"
        );
    }
}

#[test]
fn known_subscriber_is_found_where_the_field_has_such_digits() {
    let known = guard_with(FieldKinds::default(), Some(&[IMSI, "999070123456789"]));
    assert_eq!(known.known().map(Filter::len), Some(2));
    for body in [
        r#"{"msisdn":"999070123456789"}"#,
        r#"{"gpsi":"msisdn-999070123456789"}"#,
        r#"{"supportedFeatures":"001010123456789"}"#,
        r#"{"cellIds":["001010123456789"]}"#,
        r#"{"downlinkVolume":999070123456789}"#,
    ] {
        assert_eq!(
            judged(&known, body).map(|hit| hit.tier),
            Some(Tier::Known),
            "{body}"
        );
    }
    assert_eq!(judged(&known, r#"{"msisdn":"999070123456788"}"#), None);
    let stranger = judged(&known, r#"{"vendor":"001010123456788"}"#);
    assert_eq!(
        stranger.map(|hit| hit.tier),
        Some(Tier::Digits),
        "the set may be old"
    );
}

//= TS 33.501 clause 5.9.2.3 type=test
//# A member for a SUPI is found whatever it holds, and with a NEF one for a DNN or an S-NSSAI.
#[test]
fn members_that_must_not_be_there_are_found_whatever_they_hold() {
    for body in [
        r#"{"supi":"x"}"#,
        r#"{"userLocation":{"n3gaLocation":{"gci":"x"}}}"#,
        r#"{"gli":["x"]}"#,
        r#"{"imsi":{"digits":1}}"#,
    ] {
        assert_eq!(
            hit(body).map(|(_, form, _)| form),
            Some(Form::Member),
            "{body}"
        );
    }
    assert_eq!(
        hit(r#"{"supi":null,"gci":"","dnn":"internet","snssai":{"sst":1}}"#),
        None
    );
    let nef = guard_with(FieldKinds::default().nef(&[]), None);
    for body in [r#"{"dnn":"internet"}"#, r#"{"snssai":{"sst":1}}"#] {
        assert_eq!(
            judged(&nef, body).map(|hit| hit.form),
            Some(Form::NetworkInternal),
            "{body}"
        );
    }
    assert_eq!(judged(&nef, r#"{"msisdn":"447700900123"}"#), None);
}

#[test]
fn identities_in_the_head_are_found() {
    let guard = guard();
    let mut scratch = Scratch::default();
    let mut head = |reason: &str, fields: &[(&str, &str)]| {
        let fields = fields
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let lines = fields
            .clone()
            .flat_map(|(name, value)| [name, b": ", value, b"\r\n"].concat());
        let raw: Vec<u8> = reason.bytes().chain(*b"\r\n").chain(lines).collect();
        match guard.head(&raw, reason.as_bytes(), fields, &mut scratch) {
            Verdict::Clean => None,
            Verdict::Hit(hit) => Some(hit.pointer),
        }
    };
    for (name, value) in [
        (
            "Location",
            "https://scef.example/3gpp-nidd/v1/acme/configurations/001010123456789",
        ),
        ("Location", "/x?supi=imsi%2D001010123456789"),
        ("Link", "<https://scef.example/imsi-00101>; rel=next"),
        ("Server", "scef 001010123456789"),
        ("Set-Cookie", "s=MDAxMDEwMTIzNDU2Nzg5; Path=/"),
        ("Warning", "199 - \"001 01 0123456789\""),
        ("X-Subscriber", "AAEBIUNlh/k="),
        ("3gpp-Sbi-Correlation-Info", "imsi-00101"),
        ("ETag", "\"001010123456789\""),
        ("Content-Length", "001010123456789"),
    ] {
        let pointer = format!("header:{}", name.to_ascii_lowercase());
        let found = head(
            "OK",
            &[("Date", "Wed, 18 Nov 2026 11:06:40 GMT"), (name, value)],
        );
        assert_eq!(found, Some(pointer), "{name}: {value}");
    }
    assert_eq!(
        head("Unknown 001010123456789", &[]).as_deref(),
        Some("status")
    );
    assert_eq!(
        head("OK", &[("x-001010123456789", "1")]).as_deref(),
        Some("header:*")
    );
    let clean = [
        ("Server", "scef/7.1"),
        ("Date", "Wed, 18 Nov 2026 11:06:40 GMT"),
        ("Content-Type", "application/json"),
        ("Content-Length", "500"),
        ("ETag", "\"5f2b7c0e-17\""),
        ("X-Request-Id", "5f2b7c0e-9d41-4a63-8c21-0123456789ab"),
        (
            "Location",
            "https://scef.example/3gpp-nidd/v1/acme/configurations/5f2b7c0e",
        ),
    ];
    assert_eq!(head("OK", &clean), None);
}

#[test]
fn text_that_is_no_json_is_searched_to_its_last_octet() {
    let guard = guard();
    let mut scratch = Scratch::default();
    let mut flat = |text: &str| guard.body(Media::Text, text.as_bytes(), &mut scratch);
    for spelling in spellings().into_iter().filter(|one| !one.contains("\\r")) {
        let found = flat(&format!("<html>\n<p>x={spelling}</p>"));
        assert!(
            matches!(found, Verdict::Hit(hit) if hit.pointer == "body"),
            "{spelling}"
        );
    }
    let escaped = flat("/x?data=AAEBIUNlh%2Fk%3D&y=1");
    assert!(matches!(escaped, Verdict::Hit(hit) if hit.form == Form::Tbcd));
    assert_eq!(flat("<html><p>447700900123</p></html>"), Verdict::Clean);
}

#[test]
fn one_subscriber_has_one_pseudonym_in_every_form() {
    let expected = key().pseudonym(IdentityKind::Imsi, IMSI.as_bytes());
    for value in [
        IMSI.to_owned(),
        format!("imsi-{IMSI}"),
        format!("0{IMSI}"),
        "001-01-0123456789".to_owned(),
        STANDARD.encode(tbcd(IMSI)),
        STANDARD.encode(IMSI),
    ] {
        let found = judged(&GUARD, &format!(r#"{{"vendor":"{value}"}}"#)).unwrap();
        assert_eq!(found.pseudonym, expected, "{value}");
    }
}

#[test]
fn nothing_that_is_said_of_a_hit_has_a_digit_of_the_identity() {
    for spelling in spellings() {
        for body in [
            format!(r#"{{"vendor":"{spelling}"}}"#),
            format!(r#"{{"{spelling}":"{spelling}"}}"#),
            format!("{{\"{spelling}"),
        ] {
            let Some(found) = judged(&GUARD, &body) else {
                continue;
            };
            for said in [found.to_string(), format!("{found:?}")] {
                let said = said.replace(&found.pseudonym.to_string(), "");
                let digits = said.bytes().filter(u8::is_ascii_digit).count();
                assert_eq!(digits, 0, "{said}");
            }
        }
    }
    assert_eq!(
        format!("{:?}", guard()),
        "Guard { action: Block, known: None, .. }"
    );
}

#[test]
fn digits_of_other_networks_are_counted_and_pass() {
    let guard = guard();
    let mut scratch = Scratch::default();
    let body = br#"{"vendor":["002010123456789",20201012345678],"msisdn":"202010123456789"}"#;
    assert_eq!(guard.body(Media::Json, body, &mut scratch), Verdict::Clean);
    assert_eq!((scratch.take_others(), scratch.take_others()), (2, 0));
}

/// What a message is let through with, of one known subscriber.
fn alarm(body: &str) -> (Verdict, Option<Hit>) {
    let mut guard = guard_with(FieldKinds::default(), Some(&[IMSI]));
    guard.action = Action::Alarm;
    assert_eq!(guard.action(), Action::Alarm);
    let mut scratch = Scratch::default();
    let verdict = guard.body(Media::Json, body.as_bytes(), &mut scratch);
    (verdict, scratch.take_alarm())
}

//= TS 33.187 clause 4.7 type=test
//# No setting lets out a subscriber's, or what calls itself one.
#[test]
fn alarm_lets_only_pass_what_is_nobodys() {
    let (verdict, alarmed) = alarm(r#"{"cpReports":[{"title":"about 001010000000007"}]}"#);
    assert_eq!(verdict, Verdict::Clean);
    let alarmed = alarmed.unwrap();
    assert_eq!(alarmed.pointer, "/cpReports/0/title");
    assert_eq!((alarmed.form, alarmed.tier), (Form::Imsi, Tier::Digits));
    assert_eq!(
        alarm(r#"{"msisdn":"999070000000007"}"#),
        (Verdict::Clean, None)
    );
    for body in [
        format!(r#"{{"title":"{IMSI}"}}"#),
        format!(r#"{{"title":["001010000000007","{IMSI}"]}}"#),
        r#"{"title":"imsi-001010000000007"}"#.to_owned(),
        r#"{"title":"the IMSI 001010000000007"}"#.to_owned(),
        format!(
            r#"{{"data":"{}"}}"#,
            STANDARD.encode(tbcd("001010000000007"))
        ),
    ] {
        assert!(matches!(alarm(&body).0, Verdict::Hit(_)), "{body}");
    }
}

#[test]
fn pointer_names_what_an_api_names_and_nothing_that_somebody_chose() {
    for (body, pointer) in [
        (
            r#"{"relatedUEs":{"alice":{"title":"imsi-00101"}}}"#,
            "/relatedUEs/*/title",
        ),
        (r#"{"\u0074itle":"imsi-00101"}"#, "/*"),
        (r#"{"meter_7":["imsi-00101"]}"#, "/*/0"),
        (
            r#"{"racsConfigs":{"7":{"imeiTacs":["imsi-00101"]}}}"#,
            "/racsConfigs/*/imeiTacs/0",
        ),
    ] {
        assert_eq!(
            hit(body).map(|hit| hit.0).as_deref(),
            Some(pointer),
            "{body}"
        );
    }
}

#[test]
fn redaction_rewrites_each_value_by_its_field_and_leaves_the_rest() {
    let guard = guard();
    let mut scratch = Scratch::default();
    let mut out = Vec::new();
    let mut redact = |body: &str| {
        let outcome = guard.redact(Media::Json, body.as_bytes(), &mut scratch, &mut out);
        let count = match outcome {
            Redaction::Clean => Some(0),
            Redaction::Rewritten(_, count) => Some(count),
            Redaction::Refused(_) => None,
        };
        (count, String::from_utf8(out.clone()).unwrap())
    };
    let body = r#"{ "a":"b", "vendor":"001010123456789","n":[1,99907012345678],
        "msisdn":"imsi-00101",
        "externalId":"001010123456789@example.com","self":"https://scef.example/001010123456789",
        "gpsi":"imsi-00101","supportedFeatures":"imsi-00101","data":"AAEBIUNlh/k=" }"#;
    let expected = r#"{ "a":"b", "vendor":"redacted","n":[1,0],
        "msisdn":"00000",
        "externalId":"redacted@redacted.invalid","self":"https://redacted.invalid/",
        "gpsi":"extid-redacted@redacted.invalid","supportedFeatures":"0","data":"" }"#;
    assert_eq!(redact(body), (Some(8), expected.to_owned()));
    assert_eq!(redact(r#"{"a":1}"#), (Some(0), String::new()));
    assert_eq!(redact(r#"{"001010123456789":1}"#).0, None, "a name");
    assert_eq!(
        redact(r#"{"a":"001010123456789"#).0,
        None,
        "no whole message"
    );
    let supi = redact(r#"{"supi":"imsi-00101"}"#);
    assert_eq!(supi.0, None, "a member that must not be there");
    assert_eq!(
        guard.redacted_field(b"Location"),
        b"https://redacted.invalid/"
    );
}

/// The sieve passes nothing that would be found: whatever is planted is found with the sieve and
/// without, in every member.
#[test]
fn sieve_passes_nothing_that_is_found_without_it() {
    let guard = guard();
    let bodies = spellings()
        .into_iter()
        .map(|one| format!(r#"{{"vendor":"{one}"}}"#));
    let named = explicit()
        .into_iter()
        .map(|one| format!(r#"{{"{one}":1}}"#));
    for body in bodies.chain(named) {
        assert!(!guard.sieve.passes(body.as_bytes()), "{body}");
    }
}

fn strings(value: &Json, pointer: &str, found: &mut Vec<String>) {
    match value {
        Json::String(_) => found.push(pointer.to_owned()),
        Json::Array(values) => {
            for (place, value) in values.iter().enumerate() {
                strings(value, &format!("{pointer}/{place}"), found);
            }
        }
        Json::Object(members) => {
            for (name, value) in members {
                strings(value, &format!("{pointer}/{name}"), found);
            }
        }
        _ => {}
    }
}

//= TS 33.187 clause 4.7 type=test
//# An identity is found in whichever string of a message it stands.
#[test]
fn identity_in_any_string_of_a_message_is_found() {
    let guard = guard();
    let mut scratch = Scratch::default();
    let planted = [
        "imsi-001010123456789",
        "IMSI 001010123456789",
        "suci-0-001-01-0-0-0-1",
    ];
    for seed in 0..60 {
        let message = traffic::message(seed);
        let mut places = Vec::new();
        strings(&message, "", &mut places);
        for place in places {
            for identity in planted {
                let mut message = message.clone();
                *message.pointer_mut(&place).unwrap() = Json::from(identity);
                let body = message.to_string();
                let verdict = guard.body(Media::Json, body.as_bytes(), &mut scratch);
                assert!(matches!(verdict, Verdict::Hit(_)), "{identity} at {place}");
            }
        }
    }
}
