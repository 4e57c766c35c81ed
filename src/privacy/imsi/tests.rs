//! Identities in plain text, each beside what looks like it and is none.

use super::super::plmn::Plmn;
use super::*;

fn scanner(imei: bool) -> Scanner {
    let networks = [("001", "01"), ("999", "070")];
    let networks = networks.map(|(mcc, mnc)| Plmn::new(mcc, mnc).unwrap());
    Scanner::new(Plmns::new(networks), imei)
}

/// What is found where no digits have to be, and the digits of other networks on the way.
fn look(text: &str, imei: bool) -> (Option<(Form, Tier)>, u32) {
    let scanner = scanner(imei);
    let mut others = 0;
    let found = scanner.explicit(text.as_bytes());
    let found =
        found.or_else(|| scanner.digits(text.as_bytes(), &|_| Some(Tier::Digits), &mut others));
    (found.map(|found| (found.form, found.tier)), others)
}

fn form(text: &str) -> Option<Form> {
    look(text, false).0.map(|(form, _)| form)
}

//= TS 23.003 section 2.2 type=test
//# 14 and 15 digits, both lengths of an MNC, an MSIN that begins with zeroes.
#[test]
fn digits_of_an_imsi_are_found_alone_and_among_others() {
    for imsi in [
        "001010123456789",
        "00101012345678",
        "001010000000001",
        "999070123456789",
        "99907012345678",
    ] {
        for text in [
            imsi.to_owned(),
            format!("subscriber {imsi} is unknown"),
            format!("x{imsi}x"),
            format!("/subscriptions/{imsi}/"),
            format!("447700900123 {imsi}"),
            format!("2026-11-18 {imsi}"),
        ] {
            assert_eq!(
                look(&text, false).0,
                Some((Form::Imsi, Tier::Digits)),
                "{text}"
            );
        }
    }
}

#[test]
fn digits_with_separators_between_are_found() {
    for text in [
        "001 01 0123456789",
        "001-01-0123456789",
        "001.01.0123456789",
        "0 0 1 0 1 0 1 2 3 4 5 6 7 8 9",
        "001 - 01 - 0123456789",
        "12 001 01 0123456789",
        "001_01_0123456789",
        "0_0_1_0_1_0_1_2_3_4_5_6_7_8_9",
        "001\t01\t0123456789",
        "001\n01\n0123456789",
        "001\r\n01\r\n0123 456 789",
        "00101012\n3456789",
        "2026-11-18 001 01 0123456789",
    ] {
        assert_eq!(form(text), Some(Form::Imsi), "{text}");
    }
    assert_eq!(
        form("001    01 0123456789"),
        None,
        "four separators end a run"
    );
}

#[test]
fn marks_between_the_parts_of_an_imsi_do_not_hide_it() {
    for mark in [",", "/", ":", ";", "|", "+", "'", ", ", " / ", " : "] {
        for parts in [
            &["001", "01", "0123456789"][..],
            &["001", "01", "012345678"],
            &["001", "010123456789"],
            &["00101", "0123456789"],
            &["999", "070", "123456789"],
            &["999070", "12345678"],
            &["001", "01-0123456789"],
        ] {
            let text = parts.join(mark);
            assert_eq!(form(&text), Some(Form::Imsi), "{text}");
            let row = format!("17{mark}{text}{mark}1");
            assert_eq!(form(&row), Some(Form::Imsi), "{row}");
        }
        let each: Vec<String> = "001010123456789".chars().map(String::from).collect();
        assert_eq!(form(&each.join(mark)), Some(Form::Imsi), "{mark}");
        assert_eq!(form(&each[..14].join(mark)), Some(Form::Imsi), "{mark}");
        let called = format!("IMSI 262{mark}0112{mark}345{mark}67890");
        assert_eq!(form(&called), Some(Form::Imsi), "{called}");
        let called = format!("imsi-262{mark}01");
        assert_eq!(form(&called), Some(Form::SupiImsi), "{called}");
    }
}

/// Networks whose MCCs are real ones, as what follows would begin.
#[test]
fn marks_between_other_digits_make_no_imsi() {
    let networks = [
        ("234", "10"),
        ("310", "120"),
        ("310", "410"),
        ("001", "01"),
        ("202", "61"),
    ];
    let networks = networks.map(|(mcc, mnc)| Plmn::new(mcc, mnc).unwrap());
    let scanner = Scanner::new(Plmns::new(networks), false);
    for text in [
        "2026-11-30T11:06:40",
        "2026-11-30T23:41:05.123456789Z",
        "at 23:41:05.123456789",
        "23:41:05.12345678",
        "31/01/2026 11:06:40",
        "2026/11/30 11:06:40",
        "2026-11-30 11:06:40",
        "31.0410,-77.036511",
        "31.0410, -122.41234",
        "2001:db8:2341:0123:4567:8901:2345:6789",
        "23:41:01:23:45:67:89",
        "1,2,3,4,5,6,7,8,9,10,11,12",
        "234,100,200,300,400",
        "234,100,123,456,789",
        "234'100'123'456'789",
        "0,0,1,0,1,0,1,1,0,0,1,0,1,1,0,1,0,1",
        "/3gpp-monitoring-event/v1/acme/subscriptions/1234",
        "/v1/234/10/reports/1234567890",
        "192.0.2.10:8443, 198.51.100.200:8443",
        "1.23.4,10.1.2,3.4.5",
        "00-10-10-12-34-56/00:10:10:12:34:56",
        "00101/23/45678901",
        "001/0101/23456789",
    ] {
        let found = scanner.digits(text.as_bytes(), &|_| Some(Tier::Digits), &mut 0);
        assert!(found.is_none(), "{text}");
    }
}

#[test]
fn end_that_an_identity_may_begin_with_is_kept() {
    for (text, open) in [
        ("", 0),
        ("some words,\n", 0),
        ("port 8080,\n", 6),
        ("a 001\n01\n", 7),
        ("imsi-\n", 6),
        ("IMSI: 262 01,\n", 14),
        ("00101", 5),
        ("1,22,333,4444,55555,666666,777777,", 20),
        ("1    \n", 0),
        ("1   \n", 0),
        ("001, \n", 6),
        ("its imsi-\n", 6),
        ("the SUPI 26201,", 11),
        ("12,34567890,12345678,", 21),
        ("1,12345678,123456789,", 19),
    ] {
        assert_eq!(open_end(text.as_bytes()), open, "{text:?}");
    }
}

#[test]
fn other_digits_are_not_taken_for_an_imsi() {
    for text in [
        "0010101234567",
        "00101012345678901",
        "002010123456789",
        "999071123456789",
        "192.168.100.200",
        "5f2b7c0e-9d41-4a63-8c21-001010123456",
        "00101012-3456-478a-8c21-a0b0c0d0e0f0",
        "a0b0c00d-00e1-0010-1012-345678abcdef",
        "d41d8cd98f00b001010123456789fe7e",
        "89001012012341234012",
    ] {
        assert_eq!(form(text), None, "{text}");
    }
}

#[test]
fn digits_in_what_is_nearly_a_uuid_or_a_hash_are_found() {
    for text in [
        "00101012-3456-478a-8c21-a0b0c0d0e0f",
        "00101012-3456-478a-8c21-a0b0c0d0e0f00",
        "00101012-3456-478a-8c21a-0b0c0d0e0f0",
        "00101012-3456-478x-8c21-a0b0c0d0e0f0",
        "d41d8cd98f00b001010123456789fe7",
        "d41d8cd98f00b001010123456789fe7ea",
        "12345678a12345678b00101012345678",
        "00101012345678a12345678b1234567c",
    ] {
        assert_eq!(form(text), Some(Form::Imsi), "{text}");
    }
}

#[test]
fn date_is_not_taken_for_an_imsi() {
    let greek = Scanner::new(Plmns::new([Plmn::new("999", "91").unwrap()]), false);
    let found = |text: &str| {
        greek
            .digits(text.as_bytes(), &|_| Some(Tier::Digits), &mut 0)
            .is_some()
    };
    assert!(!found("9999-10-18 11-06-40"));
    assert!(!found("9999-12-31 110640"));
    assert!(found("9999-19-18 110640"));
    assert!(found("99991018110640"));
}

#[test]
fn digits_of_other_networks_are_counted() {
    assert_eq!(look("002010123456789 and 00201012345678", false), (None, 2));
    for text in [
        "447700900123",
        "2020101234567890",
        "002 01 0123456789",
        "IMSI 002010123456789",
    ] {
        assert_eq!(look(text, false).1, 0, "{text}");
    }
}

#[test]
fn what_is_weighed_too_light_is_passed_over() {
    let scanner = scanner(false);
    let text = b"001010000000001, 001010000000002";
    let second = |imsi: &[u8]| (imsi.last() == Some(&b'2')).then_some(Tier::Known);
    let found = scanner.digits(text, &second, &mut 0).unwrap();
    assert_eq!(found.tier, Tier::Known);
    assert!(scanner.digits(text, &|_| None, &mut 0).is_none());
}

//= TS 29.571 clause 5.3.2 type=test
//# SUPIs of every kind, a SUCI with the null scheme, groups; in either case.
#[test]
fn what_says_itself_what_it_is_is_found() {
    for (text, expected) in [
        ("imsi-001010123456789", Form::SupiImsi),
        ("imsi-262011234567890", Form::SupiImsi),
        ("IMSI-00101", Form::SupiImsi),
        ("supi=imsi-00101012345678;", Form::SupiImsi),
        ("imsi-0-0-1-0-1", Form::SupiImsi),
        ("nai-user@example.com", Form::SupiNai),
        ("gci-0011aabbccdd", Form::SupiGci),
        ("gli-QUJDRA==", Form::SupiGli),
        ("line_gci-0011", Form::SupiGci),
        ("a_gli-x", Form::SupiGli),
        ("x_nai-user@example.com", Form::SupiNai),
        ("suci-0-001-01-0000-0-0-0123456789", Form::Suci),
        ("SUCI-0-001-001-12-0-0-0123456789", Form::Suci),
        ("0a1b2c3d-001-01-ab", Form::GroupId),
        (
            "group 0A1B2C3D-001-001-0102030405060708090a.",
            Form::GroupId,
        ),
    ] {
        assert_eq!(
            look(text, false).0,
            Some((expected, Tier::Explicit)),
            "{text}"
        );
    }
    for text in [
        "CHANGE_OF_IMSI_IMEI_ASSOCIATION",
        "imsi-attach",
        "imsi-1234",
        "imsi-262    01",
        "imsi-262x01",
        "sinai-hospital@example.com",
        "nai-user",
        "magli-anna",
        "gci-",
        "gli- x",
        "https://api.gci-net.example/n",
        "sensor.nai-3@example.com",
        "a-gli-7",
        "suci-x",
        "0a1b2c3d-001-01-abc",
        "0a1b2c3d-001-1-ab",
        "0a1b2c3d4-001-01-ab",
        "0a1b2c3d-001-01-abcdefabcdefabcdefabcd",
        "0a1b2c3d-0010-01-ab",
        "0a1b2c3x-001-01-ab",
        "0a1b2c3d-0x1-01-ab",
        "0a1b2c3d-001x01-ab",
        "0a1b2c3d-001-01xab",
        "0a1b2c3d-001-x1-ab",
        "0a1b2c3d-001-01-abx",
        "0a1b2c3d-001-01-x",
        "x0a1b2c3d-001-01-ab",
    ] {
        assert_eq!(form(text), None, "{text}");
    }
}

//= TS 23.003 section 28.7 type=test
//# NAIs at realms of 3GPP networks, with MNCs of two digits and of three, SNPNs, IMS, emergencies.
#[test]
fn user_at_a_realm_of_a_3gpp_network_is_found() {
    for text in [
        "type0.rid0.schid0.userid0123456789@5gc.mnc001.mcc001.3gppnetwork.org",
        "0001010123456789@nai.epc.mnc001.mcc001.3gppnetwork.org",
        "6001010123456789@nai.epc.mnc01.mcc001.3gppnetwork.org",
        "1001010123456789@wlan.mnc001.mcc001.3gppnetwork.org",
        "001010123456789@ims.mnc001.mcc001.3gppnetwork.org",
        "sip:001010123456789@IMS.MNC001.MCC001.3GPPNETWORK.ORG",
        "imsi001010123456789@sos.nai.epc.mnc001.mcc001.3gppnetwork.org",
        "imei123456789012345@sos.nai.epc.mnc001.mcc001.3gppnetwork.org",
        "user@5gc.nid000007ed9d5.mnc001.mcc001.3gppnetwork.org",
        "nai.epc.mnc001.mcc001.3gppnetwork.org!0262011234567890@visited.example",
        "a@epc.mnc001.mcc001.pub.3gppnetwork.org",
        "@ims.mnc001.mcc001.3gppnetwork.org",
    ] {
        assert_eq!(
            look(text, false).0,
            Some((Form::Nai, Tier::Explicit)),
            "{text}"
        );
    }
    for text in [
        "https://scef.epc.mnc001.mcc001.3gppnetwork.org/3gpp-nidd/v1",
        "meter@example.org",
        "a@3gppnetwork.example",
    ] {
        assert_eq!(form(text), None, "{text}");
    }
}

//= TS 23.003 section 19.3.2 type=test
//# The digit for the kind of authentication before an IMSI of 14 digits or 15; decorated as well.
#[test]
fn user_of_a_root_nai_is_found_without_its_realm() {
    for user in [
        "0001010123456789",
        "1001010123456789",
        "6001010123456789",
        "000101012345678",
    ] {
        assert_eq!(
            look(user, false).0,
            Some((Form::Nai, Tier::Digits)),
            "{user}"
        );
    }
    let decorated = "home.example!0001010123456789@visited.example";
    assert_eq!(form(decorated), Some(Form::Nai));
    assert_eq!(form("2001010123456789"), None);
}

#[test]
fn digits_that_are_called_an_imsi_are_found_whatever_their_network() {
    for text in [
        "IMSI 262011234567890",
        "imsi:26201123456789",
        "imsi=\"262011234567890",
        "supi_262011234567890",
    ] {
        assert_eq!(
            look(text, false).0,
            Some((Form::Imsi, Tier::Explicit)),
            "{text}"
        );
    }
    assert_eq!(form("number 262011234567890"), None);
}

#[test]
fn one_subscriber_has_the_same_digits_in_every_form() {
    let scanner = scanner(false);
    for text in [
        "001010123456789",
        "0001010123456789",
        "imsi-001010123456789",
        "001-01-0123456789",
    ] {
        let found = scanner.explicit(text.as_bytes());
        let found =
            found.or_else(|| scanner.digits(text.as_bytes(), &|_| Some(Tier::Digits), &mut 0));
        let Some(Identity::Digits(digits)) = found.map(|found| found.identity) else {
            panic!("digits in {text}")
        };
        assert_eq!(digits.as_bytes(), b"001010123456789", "{text}");
    }
}

#[test]
fn devices_are_found_where_they_are_asked_for() {
    for text in [
        "imei-490154203237518",
        "imeisv-4901542032375181",
        "eui-0011223344aabbcc",
    ] {
        assert_eq!(
            look(text, true).0,
            Some((Form::Pei, Tier::Explicit)),
            "{text}"
        );
        assert_eq!(form(text), None, "{text}");
    }
    for text in [
        "490154203237518",
        "x-490154203237518",
        "imei-49015420",
        "imei-4901542032375181",
        "imeisv-490154203237518",
        "imeis-4901542032375181",
        "eui-0011223344aabb",
        "x-0011223344aabbcc",
    ] {
        assert_eq!(look(text, true).0, None, "{text}");
    }
}

#[test]
fn what_says_itself_what_it_is_is_taken_whole() {
    for (before, identity, behind) in [
        ("a ", "suci-0-001-01-0000-0-0-0123456789", " b"),
        ("of ", "nai-user@example.com", "\""),
        ("(", "gci-0011aabbccdd", ")"),
        ("", "gli-QUJDRA==", ""),
        ("an imei-", "490154203237518", "."),
        ("imeisv-", "4901542032375181", ""),
        ("its eui-", "0011223344aabbcc", "x"),
        ("group ", "0a1b2c3d-001-01-abcd", "."),
        ("sip://", "a.b@ims.mnc001.mcc001.3gppnetwork.org", ">"),
        (
            "x.",
            "3gppnetwork.org!0001010123456789@visited.example",
            " y",
        ),
    ] {
        let text = [before, identity, behind].concat();
        let found = scanner(true).explicit(text.as_bytes());
        let Some(Identity::Span(span)) = found.map(|found| found.identity) else {
            panic!("a place in {text}")
        };
        assert_eq!(&text[span], identity, "{text}");
    }
}

#[test]
fn only_what_separates_digits_stands_between_those_of_one_identity() {
    for other in "@#*=&\"()[]{}<>!?$%^~`\\x".chars() {
        let text = format!("00101{other}0123456789");
        assert_eq!(form(&text), None, "{text}");
    }
}

#[test]
fn digits_are_found_where_they_begin_in_the_place_that_is_searched() {
    let text = b"a 001010123456789";
    let found = |end: usize| {
        let scanner = scanner(false);
        let found = scanner.digits_within(text, 0..end, &|_| Some(Tier::Digits), &mut 0);
        found.is_some()
    };
    assert!(!found(2) && found(3));
}

#[test]
fn forms_and_tiers_have_the_words_that_records_and_counters_have() {
    let forms = [
        (Form::Imsi, "imsi"),
        (Form::SupiImsi, "supi_imsi"),
        (Form::SupiNai, "supi_nai"),
        (Form::SupiGci, "supi_gci"),
        (Form::SupiGli, "supi_gli"),
        (Form::Suci, "suci"),
        (Form::Nai, "nai"),
        (Form::GroupId, "group_id"),
        (Form::Pei, "pei"),
        (Form::Tbcd, "tbcd"),
        (Form::Member, "member"),
        (Form::NetworkInternal, "network_internal"),
    ];
    for (form, word) in forms {
        assert_eq!(form.word(), word);
    }
    let tiers = [Tier::Explicit, Tier::Digits, Tier::Known].map(Tier::word);
    assert_eq!(tiers, ["explicit", "digits", "known"]);
}
