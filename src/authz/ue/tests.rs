use proptest::prelude::*;

use super::*;

fn read(kind: Kind, text: &str) -> Result<UeId<'_>, UeFault> {
    UeId::read(kind, text, None)
}

fn one(kind: Kind, text: &str) -> UeId<'_> {
    read(kind, text).unwrap()
}

//= TS 23.003 clause 19.7.2 type=test
//# An external id is username@realm; case is nothing in the realm, and is something before it.
#[test]
fn external_ids_are_the_same_whatever_the_case_of_their_domain() {
    let id = one(Kind::ExternalId, "Meter.7@Example.COM");
    assert!(id == one(Kind::ExternalId, "Meter.7@example.com"));
    assert!(id != one(Kind::ExternalId, "meter.7@example.com"));
    assert!(id != one(Kind::ExternalId, "Meter.7@example.org"));
    assert!(id != one(Kind::ExternalId, "Meter.7@a.example.com"));
    // Another kind, with the same letters.
    assert!(id != one(Kind::ExternalGroupId, "Meter.7@example.com"));
}

//= RFC 4282 section 2.1 type=test
//# A username has no empty string between dots and no special character; a realm has two labels.
#[test]
fn what_is_no_external_id_is_refused() {
    let long = format!("{}@example.com", "a".repeat(EXTERNAL_ID_BYTES_MAX - 11));
    let label = format!("a@{}.com", "b".repeat(64));
    for text in [
        "",
        "@",
        "a",
        "@example.com",
        "a@",
        "a@b@example.com",
        "a@example",
        "a@example.com.",
        "a@.example.com",
        "a@example..com",
        "a@-example.com",
        "a@example-.com",
        "a@exam_ple.com",
        "a@example.c\u{f6}m",
        ".a@example.com",
        "a.@example.com",
        "a..b@example.com",
        "a b@example.com",
        "a\u{e9}@example.com",
        "a\0@example.com",
        "a\\@example.com",
        "\"a\"@example.com",
        "urn:a@example.com",
        "a,b@example.com",
        "a%40b@example.com@x.org",
        " a@example.com",
        "a@example.com ",
        &long,
        &label,
    ] {
        let found = read(Kind::ExternalId, text).err();
        assert_eq!(found, Some(UeFault::ExternalId), "{text:?}");
        let found = read(Kind::ExternalGroupId, text).err();
        assert_eq!(found, Some(UeFault::ExternalId), "{text:?}");
    }
    for text in [
        &long[1..],
        &label.replacen('b', "", 1),
        "a+b=c/d?e!#$%&'*^_`{|}~-@1.2",
    ] {
        assert!(read(Kind::ExternalId, text).is_ok(), "{text:?}");
    }
}

//= TS 23.003 clause 3.3 type=test
//# An MSISDN begins with a country code, and none of those begins with 0.
#[test]
fn msisdns_are_digits_and_nothing_else() {
    assert!(one(Kind::Msisdn, "12345") != one(Kind::Msisdn, "123450"));
    assert!(read(Kind::Msisdn, "999999999999999").is_ok());
    for text in [
        "",
        "1234",
        "1234567890123456",
        "+491512345678",
        "00491512345678",
        "0151234567",
        "4915 12345678",
        "491512345678 ",
        "49151234567a",
        "msisdn-491512345678",
        "\u{661}\u{662}\u{663}\u{664}\u{665}",
        "-49151",
        "0x12345",
    ] {
        assert_eq!(
            read(Kind::Msisdn, text).err(),
            Some(UeFault::Msisdn),
            "{text:?}"
        );
    }
}

//= TS 29.571 clause 5.3.2 type=test
//# msisdn- and extid- say which of the two forms it is.
#[test]
fn gpsi_is_the_ue_that_it_names() {
    let gpsi = |text| one(Kind::Gpsi, text);
    assert!(gpsi("msisdn-491512345678") == one(Kind::Msisdn, "491512345678"));
    assert!(gpsi("extid-a@Example.com") == one(Kind::ExternalId, "a@example.com"));
    assert!(gpsi("extgroupid-g@example.com") == one(Kind::ExternalGroupId, "g@example.com"));
    let prefixed = one(Kind::PrefixedGroupId, "extgroupid-g@example.com");
    assert!(prefixed == gpsi("extgroupid-g@example.com") && prefixed.is_group());
    assert!(read(Kind::PrefixedGroupId, "g@example.com").is_err());
    assert!(gpsi("something-else") == gpsi("something-else"));
    assert!(gpsi("something-else") != gpsi("Something-else"));
    assert!(gpsi("491512345678") != one(Kind::Msisdn, "491512345678"));
}

#[test]
fn gpsi_that_somebody_could_take_for_another_identity_is_refused() {
    for (text, fault) in [
        ("msisdn-1234", UeFault::Msisdn),
        ("msisdn-", UeFault::Msisdn),
        ("msisdn-+491512345678", UeFault::Msisdn),
        ("extid-a", UeFault::ExternalId),
        ("extgroupid-g", UeFault::ExternalId),
        ("MSISDN-491512345678", UeFault::Gpsi),
        ("Extid-a@example.com", UeFault::Gpsi),
        ("ExtGroupId-g@example.com", UeFault::Gpsi),
        ("imsi-001010000000001", UeFault::Gpsi),
        ("IMSI-001010000000001", UeFault::Gpsi),
        ("nai-a@example.com", UeFault::Gpsi),
        ("suci-0-001-01-0-0-0-0000000001", UeFault::Gpsi),
        ("gci-1", UeFault::Gpsi),
        ("gli-1", UeFault::Gpsi),
        ("", UeFault::Gpsi),
        ("a b", UeFault::Gpsi),
        ("a\u{e9}", UeFault::Gpsi),
    ] {
        assert_eq!(read(Kind::Gpsi, text).err(), Some(fault), "{text:?}");
    }
    let long = "a".repeat(GPSI_BYTES_MAX + 1);
    assert_eq!(read(Kind::Gpsi, &long).err(), Some(UeFault::Gpsi));
    assert!(read(Kind::Gpsi, &long[1..]).is_ok());
}

#[test]
fn addresses_are_the_same_however_they_are_written() {
    assert!(one(Kind::Ipv6, "2001:DB8:0:0::1") == one(Kind::Ipv6, "2001:db8::1"));
    assert!(one(Kind::Ipv6, "2001:db8::1") == one(Kind::Ipv6Prefix, "2001:db8::1/128"));
    assert!(one(Kind::Ipv6, "2001:db8::1") != one(Kind::Ipv6, "2001:db8::2"));
    assert!(one(Kind::Ipv6, "::a00:1") != one(Kind::Ipv4, "10.0.0.1"));
    let among = |ip_domain| UeId::read(Kind::Ipv4, "10.0.0.1", ip_domain).unwrap();
    assert!(among(Some("a")) == among(Some("a")));
    assert!(among(Some("a")) != among(Some("A")) && among(Some("a")) != among(None));
}

#[test]
fn what_is_no_address_is_refused() {
    for (kind, text) in [
        (Kind::Ipv4, "10.0.0.01"),
        (Kind::Ipv4, "10.0.1"),
        (Kind::Ipv4, "10.0.0.1/32"),
        (Kind::Ipv4, "0x0a.0.0.1"),
        (Kind::Ipv4, "10.0.0.1 "),
        (Kind::Ipv4, "::1"),
        (Kind::Ipv6, "10.0.0.1"),
        (Kind::Ipv6, "::ffff:10.0.0.1"),
        (Kind::Ipv6, "fe80::1%eth0"),
        (Kind::Ipv6, "[::1]"),
        (Kind::Ipv6, "2001:db8::/32"),
        (Kind::Ipv6Prefix, "2001:db8::"),
        (Kind::Ipv6Prefix, "2001:db8::1/64"),
        (Kind::Ipv6Prefix, "2001:db8::/129"),
        (Kind::Ipv6Prefix, "2001:db8::/064"),
        (Kind::Ipv6Prefix, "2001:db8::/+64"),
        (Kind::Ipv6Prefix, "2001:db8::/"),
        (Kind::Ipv6Prefix, "10.0.0.0/8"),
    ] {
        assert_eq!(read(kind, text).err(), Some(UeFault::Ip), "{text:?}");
    }
    for ip_domain in ["", "a b", "\u{e9}", &"a".repeat(IP_DOMAIN_BYTES_MAX + 1)] {
        let found = UeId::read(Kind::Ipv4, "10.0.0.1", Some(ip_domain)).err();
        assert_eq!(found, Some(UeFault::IpDomain), "{ip_domain:?}");
    }
}

//= TS 29.571 clause 5.2.2 type=test
//# Six octets in hexadecimal digits with hyphens between.
#[test]
fn mac_addresses_have_hyphens_and_no_case() {
    assert!(one(Kind::Mac, "02-1A-2b-3c-4D-5e") == one(Kind::Mac, "02-1a-2B-3C-4d-5E"));
    assert!(one(Kind::Mac, "02-1a-2b-3c-4d-5e") != one(Kind::Mac, "02-1a-2b-3c-4d-5f"));
    for text in [
        "",
        "02:1a:2b:3c:4d:5e",
        "021a2b3c4d5e",
        "02-1a-2b-3c-4d",
        "02-1a-2b-3c-4d-5e-6f",
        "2-1a-2b-3c-4d-5e",
        "+2-1a-2b-3c-4d-5e",
        "02-1a-2b-3c-4d-5g",
        "02-1a-2b-3c-4d-5e-",
    ] {
        assert_eq!(read(Kind::Mac, text).err(), Some(UeFault::Mac), "{text:?}");
    }
}

#[test]
fn nothing_that_is_printed_says_who_it_is() {
    let named = [
        (Kind::ExternalId, "meter7@example.com"),
        (Kind::Msisdn, "491512345678"),
        (Kind::ExternalGroupId, "meter7@example.com"),
        (Kind::Gpsi, "meter7"),
        (Kind::Ipv4, "10.11.12.13"),
        (Kind::Mac, "02-1a-2b-3c-4d-5e"),
    ];
    for (kind, text) in named {
        let ue = one(kind, text);
        let ues: Ues = [Matcher::one(&ue)].into_iter().collect();
        for said in [format!("{ue:?}"), format!("{ues:?}")] {
            for word in ["meter7", "example", "4915", "10.11", "1a", "26"] {
                assert!(!said.contains(word), "{said}");
            }
        }
    }
}

fn granted(words: &[&str], ue: &UeId<'_>) -> bool {
    let matchers = words.iter().map(|word| Matcher::read(word).unwrap());
    matchers.collect::<Ues>().contain(ue, |_| false)
}

/// Identities of every kind, none the same.
const EVERYBODY: [(Kind, &str); 9] = [
    (Kind::ExternalId, "a@example.com"),
    (Kind::ExternalId, "A@example.com"),
    (Kind::ExternalId, "a@sub.example.com"),
    (Kind::ExternalGroupId, "a@example.com"),
    (Kind::Msisdn, "491512345678"),
    (Kind::Gpsi, "a"),
    (Kind::Ipv4, "10.1.2.3"),
    (Kind::Ipv6Prefix, "2001:db8:1::/48"),
    (Kind::Mac, "02-1a-2b-3c-4d-5e"),
];

fn granted_of_everybody(words: &[&str]) -> Vec<usize> {
    let of = |(_, (kind, text)): &(usize, (Kind, &str))| granted(words, &one(*kind, text));
    let places = EVERYBODY.into_iter().enumerate();
    places.filter(of).map(|(place, _)| place).collect()
}

#[test]
fn each_word_grants_what_it_says_and_nothing_else() {
    for (words, expected) in [
        (&["any"][..], &[0, 1, 2, 4, 5, 6, 7, 8][..]),
        (&["group:any"], &[3]),
        (&["a@example.com"], &[0]),
        (&["a@EXAMPLE.com"], &[0]),
        (&["*@example.com"], &[0, 1]),
        (&["*@Sub.Example.com"], &[2]),
        (&["*@com.example"], &[]),
        (&["group:a@Example.com"], &[3]),
        (&["msisdn:491512345678"], &[4]),
        (&["gpsi:msisdn-491512345678"], &[4]),
        (&["gpsi:extid-a@example.com"], &[0]),
        (&["gpsi:a"], &[5]),
        (&["10.0.0.0/8"], &[6]),
        (&["10.1.2.3"], &[6]),
        (&["10.1.2.2/31"], &[6]),
        (&["10.1.2.2", "10.1.2.4/30"], &[]),
        (&["0.0.0.0/0"], &[6]),
        (&["10.0.0.0/8 in somewhere"], &[]),
        (&["2001:db8::/32"], &[7]),
        (&["2001:db8:1::/48"], &[7]),
        (&["2001:db8:1::/49", "2001:db8:1:8000::/49"], &[]),
        (&["::/0"], &[7]),
        (&["mac:02-1A-2B-3C-4D-5E"], &[8]),
        (&["set:meters"], &[]),
        (
            &["a@example.com", "group:a@example.com", "gpsi:a"],
            &[0, 3, 5],
        ),
    ] {
        assert_eq!(granted_of_everybody(words), expected, "{words:?}");
    }
    let elsewhere = UeId::read(Kind::Ipv4, "10.1.2.3", Some("somewhere")).unwrap();
    assert!(granted(&["10.0.0.0/8 in somewhere"], &elsewhere));
    assert!(!granted(&["10.0.0.0/8"], &elsewhere));
    assert!(granted(&["any"], &elsewhere));
}

#[test]
fn ranges_and_starts_of_numbers_grant_numbers_of_their_length() {
    let number = |text| one(Kind::Msisdn, text);
    let range = ["msisdn:4915100000-4915199999"];
    for (text, is_in) in [
        ("4915100000", true),
        ("4915199999", true),
        ("4915150000", true),
        ("4915099999", false),
        ("4915200000", false),
        ("49151000000", false),
        ("491510000", false),
    ] {
        assert_eq!(granted(&range, &number(text)), is_in, "{text}");
    }
    for (text, is_in) in [
        ("49151", true),
        ("491512", true),
        ("491519999999999", true),
        ("49152", false),
        ("48151", false),
        ("14915", false),
    ] {
        let starts = ["msisdn:49151*", "msisdn:7*"];
        assert_eq!(granted(&starts, &number(text)), is_in, "{text}");
    }
    assert!(!granted(&["msisdn:491*"], &number("48199")));
    assert!(granted(
        &["msisdn:491512345678901*"],
        &number("491512345678901")
    ));
}

#[test]
fn word_that_grants_nobody_is_refused() {
    use MatcherFault::{Range, SetName as Set, Unknown};
    let ue = MatcherFault::Ue;
    for (word, fault) in [
        ("", Unknown),
        ("Any", Unknown),
        ("any ", Unknown),
        ("*", Unknown),
        ("491512345678", Unknown),
        ("*@", ue(UeFault::ExternalId)),
        ("*@com", ue(UeFault::ExternalId)),
        ("*@*.example.com", ue(UeFault::ExternalId)),
        ("a@*.com", ue(UeFault::ExternalId)),
        ("group:*@example.com@", ue(UeFault::ExternalId)),
        ("group:", ue(UeFault::ExternalId)),
        ("msisdn:", ue(UeFault::Msisdn)),
        ("msisdn:*", ue(UeFault::Msisdn)),
        ("msisdn:0*", ue(UeFault::Msisdn)),
        ("msisdn:49*15", ue(UeFault::Msisdn)),
        ("msisdn:4915123456789012*", ue(UeFault::Msisdn)),
        ("msisdn:49151-491512", Range),
        ("msisdn:49152-49151", Range),
        ("msisdn:49151-", ue(UeFault::Msisdn)),
        ("gpsi:imsi-001010000000001", ue(UeFault::Gpsi)),
        ("mac:02:1a:2b:3c:4d:5e", ue(UeFault::Mac)),
        ("10.0.0.1/8", ue(UeFault::Ip)),
        ("10.0.0.0/33", ue(UeFault::Ip)),
        ("2001:db8::1/32", ue(UeFault::Ip)),
        ("::ffff:10.0.0.0/104", ue(UeFault::Ip)),
        ("10.0.0.0/8 in a b", ue(UeFault::IpDomain)),
        ("set:", Set),
        ("set:a b", Set),
        ("set:../x/", Set),
    ] {
        assert_eq!(Matcher::read(word).err(), Some(fault), "{word:?}");
        assert!(!fault.demand().is_empty());
    }
    assert!(Matcher::read(&format!("set:{}", "a".repeat(64))).is_ok());
    assert_eq!(
        Matcher::read(&format!("set:{}", "a".repeat(65))).err(),
        Some(Set)
    );
}

#[test]
fn sets_are_asked_for_by_their_names() {
    let ues: Ues = ["set:b", "set:a", "set:b", "x@example.com"]
        .map(|word| Matcher::read(word).unwrap())
        .into_iter()
        .collect();
    let names: Vec<&str> = ues.sets().iter().map(SetName::as_str).collect();
    assert_eq!(names, ["a", "b"]);
    let ue = one(Kind::ExternalGroupId, "g@example.com");
    assert!(ues.contain(&ue, |set| set.as_str() == "b"));
    assert!(!ues.contain(&ue, |set| set.as_str() == "c"));
}

/// Numbers of which many are the same, or next to each other.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        10_000_u64..10_020,
        99_990_u64..100_010,
        10_000_u64..1_000_000_000_000_000
    ]
}

proptest! {
    /// Merged and sorted ranges grant what each of them does.
    #[test]
    fn ranges_together_grant_what_one_of_them_does(
        ends in proptest::collection::vec((number(), number()), 0..8),
        wanted in proptest::collection::vec(number(), 1..16),
    ) {
        let ranges = ends.iter().filter(|(first, last)| {
            first <= last && first.to_string().len() == last.to_string().len()
        });
        let words: Vec<String> = ranges.clone().map(|(a, b)| format!("msisdn:{a}-{b}")).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        for wanted in wanted.iter().chain(ends.iter().flat_map(|(a, b)| [a, b])) {
            let text = wanted.to_string();
            let expected = ranges.clone().any(|(a, b)| (a..=b).contains(&wanted));
            prop_assert_eq!(granted(&words, &one(Kind::Msisdn, &text)), expected);
        }
    }

    /// A prefix grants a prefix where it is a start of all its addresses.
    #[test]
    fn prefix_grants_those_that_begin_with_it(
        bits in any::<u128>(),
        a in 0u8..=128,
        b in 0u8..=128,
    ) {
        let cut = |length: u8| Ipv6Addr::from_bits(bits & !low_bits(128 - length));
        let (Some(grant), Some(asked)) =
            (IpPrefix::of_v6(cut(a), a), IpPrefix::of_v6(cut(b), b))
        else {
            return Ok(());
        };
        prop_assert_eq!(asked.within(a) == Some(grant), a <= b);
        // The first bit of the grant is another one.
        let other = Ipv6Addr::from_bits(cut(b).to_bits() ^ 1 << 127);
        if let Some(other) = IpPrefix::of_v6(other, b) && b > 0 {
            prop_assert_eq!(other.within(a) == Some(grant), a == 0);
        }
    }

    /// Of many prefixes each grants what it does alone.
    #[test]
    fn prefixes_together_grant_what_one_of_them_does(
        grants in proptest::collection::vec((0u32..64, 0u8..=32, 0usize..3), 0..24),
        asked in proptest::collection::vec((0u32..64, 0usize..3), 1..16),
    ) {
        const DOMAINS: [Option<&str>; 3] = [None, Some("north"), Some("south")];
        let address = |low: u32| Ipv4Addr::from_bits(low << 26 | low);
        let cut = |low: u32, length: u8| {
            let kept = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            Ipv4Addr::from_bits(address(low).to_bits() & kept)
        };
        let words: Vec<String> = { grants.iter() }
            .map(|&(low, length, domain)| match DOMAINS[domain] {
                None => format!("{}/{length}", cut(low, length)),
                Some(domain) => format!("{}/{length} in {domain}", cut(low, length)),
            })
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        for (low, domain) in asked {
            let text = address(low).to_string();
            let ue = UeId::read(Kind::Ipv4, &text, DOMAINS[domain]).unwrap();
            let expected = { grants.iter() }.any(|&(other, length, of)| {
                cut(low, length) == cut(other, length) && of == domain
            });
            prop_assert_eq!(granted(&words, &ue), expected, "{:?}", words);
        }
    }

    /// Whatever is read is read the same way again, and no kind of text makes it panic.
    #[test]
    fn reading_is_total_and_the_domain_has_no_case(text in "\\PC{0,40}|[a-zA-Z0-9.*@:/-]{0,40}") {
        for kind in [
            Kind::ExternalId, Kind::Msisdn, Kind::ExternalGroupId, Kind::PrefixedGroupId,
            Kind::Gpsi, Kind::Ipv4, Kind::Ipv6, Kind::Ipv6Prefix, Kind::Mac,
        ] {
            let read = read(kind, &text);
            if let (Ok(UeId::ExternalId(id)), Kind::ExternalId) = (read, kind) {
                let other = format!("{}@{}", id.local, id.domain.to_ascii_uppercase());
                prop_assert!(one(kind, &other) == UeId::ExternalId(id));
                prop_assert!(granted(&[&text], &one(kind, &other)) || text.starts_with("*@"));
            }
        }
        let _ = Matcher::read(&text);
        let _ = member(&text);
    }
}

#[test]
fn external_ids_have_one_order_whatever_the_case_of_their_domains() {
    let id = |text| ExternalId::read(text).unwrap();
    let order = id("a@b.example").partial_cmp(&id("b@a.example"));
    assert_eq!(order, Some(Ordering::Less));
    let same = id("a@B.example").partial_cmp(&id("a@b.Example"));
    assert_eq!(same, Some(Ordering::Equal));
}

#[test]
fn each_fault_says_what_would_be_one() {
    for (fault, word) in [
        (UeFault::ExternalId, "local@domain"),
        (UeFault::Msisdn, "digits"),
        (UeFault::Gpsi, "msisdn-"),
        (UeFault::Ip, "address"),
        (UeFault::IpDomain, "ASCII"),
        (UeFault::Mac, "02-1a-2b-3c-4d-5e"),
    ] {
        assert!(fault.demand().contains(word), "{fault:?}");
    }
}

#[test]
fn grant_is_outlined_by_how_many_it_names_of_what() {
    let outline = |words: &[&str]| {
        let matchers = words.iter().map(|word| Matcher::read(word).ok().unwrap());
        matchers.collect::<Ues>().outline().join(", ")
    };
    assert_eq!(outline(&[]), "");
    assert_eq!(outline(&["group:any", "any"]), "any, group:any");
    let one_of_each = [
        "a@example.com",
        "*@example.org",
        "msisdn:491512345678",
        "group:g@example.com",
        "gpsi:x",
        "10.0.0.0/8",
        "mac:02-1a-2b-3c-4d-5e",
        "set:meters",
    ];
    assert_eq!(
        outline(&one_of_each),
        "*@example.org, 1 external id, 1 range of MSISDNs, 1 group, 1 GPSI, 1 IP prefix, \
         1 MAC address, set:meters"
    );
    assert_eq!(outline(&["a@b.c", "d@b.c", "e@b.c"]), "3 external ids");
}

#[test]
fn what_to_write_in_place_of_a_bad_word_is_said() {
    for (word, demand) in [
        ("anybody", "\"msisdn:A-B\""),
        ("msisdn:499-4", "5 to 15 digits"),
        ("msisdn:4915123-49151", "as many digits"),
        ("set:a b", "1 to 64 letters"),
    ] {
        let fault = Matcher::read(word).err().unwrap();
        assert!(
            fault.demand().contains(demand),
            "{word}: {}",
            fault.demand()
        );
    }
}
