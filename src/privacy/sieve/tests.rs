//! What is noticed wherever it stands in a block, and what passes.

use proptest::prelude::*;

use super::super::fields::{FieldKinds, Kind};
use super::super::plmn::Plmn;
use super::*;

fn sieve() -> Sieve {
    let names = FieldKinds::default().internal().map(Into::into).collect();
    Sieve::new(&Plmns::new([Plmn::new("001", "01").unwrap()]), names)
}

/// By all that this machine has, and by the table; with the text at every place in a block.
fn passes(text: &[u8]) -> bool {
    let sieve = sieve();
    let mut outcomes = Vec::new();
    for shift in 0..BLOCK + 1 {
        for behind in [0, 70] {
            let whole = [&vec![b','; shift], text, &vec![b','; behind]].concat();
            outcomes.push(sieve.passes(&whole));
            outcomes.extend(sieve.passes_by_each(&whole));
        }
    }
    let first = outcomes[0];
    assert!(
        outcomes.iter().all(|one| *one == first),
        "{:?}",
        text.escape_ascii()
    );
    first
}

#[test]
fn what_may_be_an_identity_is_noticed_at_every_place() {
    for text in [
        "00101012345678",
        "001010123456789",
        "001-01-0123 45.6789",
        "001\t01\r\n0123_456789",
        r"001\t01\t0123456789",
        "001, 01, 0123456789",
        "001/01/0123456789",
        r"001\/01\/0123456789",
        r"001 \/ 010123456789",
        r"001\/\/010123456789",
        r"\b001\b010123456789",
        "00101:0123456789",
        "001'010123456789;",
        "001+01|0123456789",
        "0:0:1:0:1:0:1:2:3:4:5:6:7:8:9",
        "[[12,12.5],[13,14]]12,13.7,001,01,0123456789",
        "0 0 1 - 0 1 0 1 2 3 4 5 6 7 8",
        "12 12 12 12 12 12 12 12 12 12 12 12 12 001 01 0123456789",
        "5f2b7c0e-9d41-4a63-8c21-001234567890-001-01-0123456789",
        "IMSI 262 01 1234567890",
        "002010123456789",
        "0001010123456789",
        "303031303130313233343536373839",
        "imsi-00101",
        "IMSI-00101",
        "Suci-0-001-01-0-0-0-1",
        "nai-a@b",
        "gci-1234",
        "gli-1234",
        "imei-123456789012345",
        "eui-0011223344556677",
        "a@nai.epc.mnc001.mcc001.3GPPNETWORK.org",
        "0a1b2c3d-001-01-ab",
        "0a1b2c3d-001-001-ab",
        r#"{"gci":""#,
        r#"{"supi":1}"#,
        r"\u0030",
        r"MDAxMDEwMTIz\nNDU2Nzg5",
        "%30",
        "\u{660}",
        "\0",
        r#":"AAEBIUNlh/k=""#,
        r#":"MDAxMDEwMTIzNDU2Nzg5""#,
        r#":"AAEBIUNlh\/k=""#,
        r#"{"MDAxMDEwMTIzNDU2Nzg5":""#,
        r#"{"AAEBIUNlh/k=":""#,
    ] {
        assert!(!passes(text.as_bytes()), "{text}");
    }
}

#[test]
fn what_is_none_is_passed() {
    for text in [
        "",
        "447700900123",
        "1234567890123",
        "192.168.100.200",
        "2026-11-18T11:06:40.123456Z",
        "1           2          3       4",
        "5f2b7c0e-9d41-4a63-8c21-0123456789ab",
        "5f2b7c0e-9d41-4a63-8c21-001234567890",
        "12 12 12 12 12 12 12 12 12 12 12 12 12 12",
        "9999-10-18 11-06-40",
        "00:10:10.123456789",
        "[[0.01,1.5],[0.010123456,78.9]]",
        r#"{"u":"https:\/\/scef.example\/3gpp-nidd\/v1\/acme\/configurations\/00101"}"#,
        "3gpp-monitoring-event",
        "wifi-calling, bank.example, sinai.example",
        r#"{"gpsi":"msisdn-447700900123"}"#,
        r#"{"MDAxMDAxMDAx":1,"AAEBAAEBAAEB":2}"#,
        r#"{"monitoringType":"LOCATION_REPORTING","x":"UE_REACHABILITY"}"#,
        r#"{"https:\/\/scef.example\/x":"\"5f2b\""}"#,
    ] {
        assert!(passes(text.as_bytes()), "{text}");
    }
}

proptest! {
    #[test]
    fn what_the_search_would_find_is_never_passed(
        before in "[0-9a-f\"\\[\\]{},.:/ -]{0,90}",
        imsi in "00101[0-9]{9,10}",
        between in prop::collection::vec("[ \t\n\r._-]{0,3}", 15),
        mark in "[ \n,/:;|+']{1,3}",
        places in 0_u16..,
        in_parts: bool,
        behind in "[0-9a-f\"\\[\\]{},.:/ -]{0,90}",
    ) {
        let mut text = before;
        for (place, (digit, between)) in imsi.chars().zip(&between).enumerate() {
            text += match place {
                3 | 5 if in_parts => &mark,
                _ if !in_parts && places >> place & 1 == 1 => between,
                _ => "",
            };
            text.push(digit);
        }
        text += &behind;
        let sieve = sieve();
        let weigh = |_: &[u8]| Some(Tier::Digits);
        let found = sieve.scanner.digits(text.as_bytes(), &weigh, &mut 0).is_some();
        prop_assert!(!found || !sieve.passes(text.as_bytes()));
    }
}

#[test]
fn all_ways_to_class_octets_agree() {
    for octet in 0..=255_u8 {
        let mut block = [b'!'; BLOCK];
        block[5] = octet;
        block[40] = octet;
        let all = |p: &Places| {
            [
                p.digit,
                p.hyphen,
                p.separator,
                p.unread,
                p.backslash,
                p.i,
                p.k,
                p.quote,
                p.colon,
                p.letter,
                p.tail,
                p.high,
            ]
        };
        for one in places::by_vectors(&block) {
            assert_eq!(all(&one), all(&by_table(&block)), "{octet:#x}");
        }
    }
}

/// Where each is noticed: what may be read otherwise, backslashes, digits, words, MCCs, base64.
fn noticed(text: &str) -> [Vec<usize>; 6] {
    let mut before = Before::default();
    let mut all: [Vec<usize>; 6] = Default::default();
    let octets: Vec<u8> = [text.as_bytes(), &[b'!'; BLOCK]].concat();
    for (number, block) in octets.as_chunks::<BLOCK>().0.iter().enumerate() {
        let suspect = before.suspects(&by_table(block));
        let kinds = [
            suspect.unread,
            suspect.backslash,
            suspect.digits,
            suspect.word,
            suspect.mcc,
            suspect.packed,
        ];
        for (all, kind) in all.iter_mut().zip(kinds) {
            all.extend(each(kind).map(|at| number * BLOCK + at));
        }
    }
    all
}

/// All that is noticed costs a second look: of a clean message nothing is.
#[test]
fn each_kind_is_noticed_at_its_last_octet_and_nowhere_else() {
    for (text, kind, places) in [
        ("a%41 b\u{e9}", 0, &[1, 6, 7][..]),
        (r"a\/b", 1, &[1]),
        ("x12345678901234x", 2, &[14]),
        ("12345678901234567890", 2, &[13]),
        ("1 2 3 4 5 6 7.8.9_0,1", 2, &[13]),
        ("1    2    3    4    5    6    7    8    9", 2, &[]),
        ("2026-11-18T11:06:40.123Z", 2, &[]),
        ("1234567890123x4567890123456", 2, &[]),
        (
            "imsi-1 xnai- gci- \"supi\" 3gppnetwork. ik-",
            3,
            &[4, 11, 16, 23, 36],
        ),
        (
            r#""supis":"x i" "imeisv" "Ids" "iList" "idsts" "bid":1"#,
            3,
            &[6, 12, 21, 27, 35, 49],
        ),
        ("ii--kk.. k. k- i. i\" k\"", 3, &[2, 6, 10, 19]),
        ("a-001-b   -x-  -12-    -1234-", 4, &[5]),
        (r#""MDAxMDEwMTIz""#, 5, &[14]),
        (r#"{"MDAxMDEwMTI=":"MDAx MDEwMTIzNDU2"}"#, 5, &[15]),
        (
            r#"{"MDA1MDEwM":"MDAxMDEwM","MDA1MDEwMT":"MDAxMDEwMT"}"#,
            5,
            &[37, 50],
        ),
        (
            r#"{"LocationReporting":"location","a":"LocationReporting" }"#,
            5,
            &[55],
        ),
        (r#"xMDAxMDEwMTIz" "MDAxMDEwMTIz x""#, 5, &[]),
        (
            r#"{"self":"https://scef.example/v1/x","type":"A B","n":[1,2.5],"t":"11:06"}"#,
            5,
            &[],
        ),
    ] {
        // At every place in a block.
        for shift in 0..=BLOCK {
            let shifted = format!("{}{text}", ",".repeat(shift));
            let all = noticed(&shifted);
            for (at, all) in all.iter().enumerate() {
                let places = if at == kind { places } else { &[] };
                let places: Vec<usize> = places.iter().map(|place| place + shift).collect();
                assert_eq!(*all, places, "{shifted} {at}");
            }
        }
    }
}

#[test]
fn one_kind_does_not_hide_another() {
    for kinds in 0..64_u64 {
        let [unread, backslash, digits, word, mcc, packed] =
            std::array::from_fn(|kind| (kinds >> kind & 1) << 7);
        let suspect = Suspect {
            unread,
            backslash,
            digits,
            word,
            mcc,
            packed,
        };
        assert_eq!(suspect.any(), kinds != 0);
    }
}

#[test]
fn second_looks_see_as_far_as_they_have_to() {
    assert_eq!(run_from(b"x12-3 4x56", 1), (7, 4));
    assert_eq!(
        run_from(b"12    34", 0),
        (5, 2),
        "four separators end a run"
    );
    assert_eq!(run_from(b"1---2", 0), (5, 2));
    for (text, is) in [
        (r"12\/34", true),
        (r"1 \/ 2", true),
        (r"12\/ab", false),
        (r"ab\/12", false),
        (r"1\/\/2", true),
        (r":\/\/1", false),
        (r"1 \/\/2", true),
        (r"IMSI\/=2", true),
        (r"supi\/2", true),
        (r"msi\/2", false),
        (r"1\/x2", false),
        (r"1    \/    2", true),
        (r"1       \/2", false),
        // These digits have halves of an octet as separators have.
        (r":970\/012", true),
    ] {
        let at = text.find('\\').unwrap();
        assert_eq!(is_among_digits(text.as_bytes(), at), is, "{text}");
    }
    let sieve = sieve();
    assert!(sieve.may_hold_packed(b"MDAxMDEwMTIzNDU2Nzg5"));
    // From the first octet of a body on.
    assert!(!sieve.passes(br#""MDAxMDEwMTIzNDU2Nzg5""#));
    assert!(!sieve.may_hold_packed(b"MDAxMDEwM"), "too short");
    assert!(!sieve.may_hold_packed(b"application/problem+json"));
}

/// Each name that a member may not have ends as what is noticed does.
#[test]
fn no_member_passes_that_must_not_be_there() {
    let kinds = FieldKinds::default();
    let names: Vec<&str> = kinds.internal().collect();
    assert!(names.len() >= 20);
    for name in names {
        for name in [name.to_uppercase(), name.to_owned()] {
            assert!(!passes(format!(r#"{{"{name}":"x"}}"#).as_bytes()), "{name}");
            let passes = passes(format!(r#"{{"x{name}":"x"}}"#).as_bytes());
            assert_eq!(passes, !ends_as_identity(name.as_bytes()), "{name}");
        }
    }
}

/// What is hidden for how its name ends is noticed as well.
#[test]
fn no_member_passes_whose_name_ends_as_an_identitys() {
    let kinds = FieldKinds::default();
    for word in IDENTITIES {
        for name in ["", "ue", "old_", "X-"].map(|before| format!("{before}{word}")) {
            for name in [name.to_uppercase(), name] {
                assert_eq!(kinds.kind(name.as_bytes()), Kind::Internal, "{name}");
                assert!(!passes(format!(r#"{{"{name}":"x"}}"#).as_bytes()), "{name}");
            }
        }
    }
}

#[test]
fn ends_of_names_are_told_apart_before_names_are() {
    let sieve = sieve();
    for name in [
        "\"supi",
        "ueSupi",
        "oldImsis",
        "x_IMEISV",
        "interGroupIds",
        "suplist",
        "gli",
    ] {
        assert!(sieve.ends_as_name(name.as_bytes()), "{name}");
    }
    for name in [
        "externalId",
        "mtcProviderId",
        "afIds",
        "id",
        "i",
        "",
        "wifi",
    ] {
        assert!(!sieve.ends_as_name(name.as_bytes()), "{name}");
    }
}

#[test]
fn what_is_not_seen_hides_nothing() {
    for octet in (0..32_u8).chain([0x7f]) {
        let is_blank = matches!(octet, 9..=13);
        for hidden in [
            "00101*0123456789",
            "im*si-00101",
            "3gpp*network.",
            "0a1b2c3d-0*01-01-ab",
        ] {
            let text = hidden.replace('*', char::from(octet).encode_utf8(&mut [0; 4]));
            assert!(!passes(text.as_bytes()) || is_blank, "{octet:#x} {hidden}");
        }
    }
}
