use super::*;
use crate::cli::hw::{Ktls, rsa_in_file};
use crate::config::KeySource;
use crate::machine::{Machine, Reserved, Ring};

const ALL: Features = Features {
    aes: true,
    pclmulqdq: true,
    vaes: true,
    vpclmulqdq: true,
    sha: true,
    avx2: true,
    avx512: true,
    avx512_ifma: true,
};

fn survey() -> Survey {
    Survey {
        version: "0",
        shards: vec![0],
        steering: false,
        huge_pages: "transparent",
        machine: Machine::default(),
        io_uring: Ring::default(),
        ktls: Ktls {
            available: false,
            fault: None,
        },
        crypto: Crypto {
            library: String::new(),
            fips: false,
            groups: Vec::new(),
            masked: false,
            rsa_in_file: None,
        },
        rates: Vec::new(),
        token_fault: None,
        remarks: Vec::new(),
    }
}

fn row(survey: &Survey, what: &str) -> Row {
    let mut rows = of(survey).into_iter();
    rows.find(|row| row.what == what)
        .unwrap_or_else(|| panic!("no {what}"))
}

const INSTRUCTIONS: [&str; 4] = ["AES-NI", "VAES", "VPCLMULQDQ", "SHA-NI"];

#[test]
fn what_is_used_of_the_processor_is_not_known_while_instructions_may_be_hidden() {
    let mut survey = survey();
    survey.machine.processor.features = Some(ALL);
    survey.crypto.rsa_in_file = Some(true);
    let all = INSTRUCTIONS.iter().chain(&["AVX-512 IFMA"]);
    for what in all.clone() {
        assert_eq!(row(&survey, what).used, Some(true), "{what}");
    }
    survey.crypto.masked = true;
    for what in all {
        let row = row(&survey, what);
        assert_eq!((row.used, row.found.as_str()), (None, "yes"), "{what}");
        assert!(row.why.contains("not known"), "{row:?}");
    }
}

#[test]
fn multiplication_of_large_numbers_is_used_by_an_rsa_key_in_a_file_alone() {
    let mut survey = survey();
    survey.machine.processor.features = Some(ALL);
    for used in [None, Some(false), Some(true)] {
        survey.crypto.rsa_in_file = used;
        assert_eq!(row(&survey, "AVX-512 IFMA").used, used);
    }
    survey.machine.processor.features = Some(Features {
        avx512_ifma: false,
        ..ALL
    });
    assert_eq!(row(&survey, "AVX-512 IFMA").used, Some(false), "not there");
}

#[test]
fn pages_of_one_kind_are_used_and_reserved_ones_only_where_they_suffice() {
    let mut survey = survey();
    survey.machine.memory.transparent = Some("always".to_owned());
    let used = |survey: &mut Survey, huge_pages, free| {
        survey.huge_pages = huge_pages;
        survey.machine.memory.reserved = vec![Reserved {
            page_kb: 2_048,
            total: 600,
            free,
        }];
        ["transparent huge pages", "reserved pages, 2 MiB"].map(|what| row(survey, what).used)
    };
    let expected = [Some(true), Some(false)];
    assert_eq!(used(&mut survey, "transparent", 600), expected);
    assert_eq!(used(&mut survey, "off", 600), [Some(false); 2]);
    let expected = [Some(false), Some(true)];
    assert_eq!(used(&mut survey, "reserved", 512), expected);
    assert_eq!(used(&mut survey, "reserved", 511), [Some(false); 2]);
}

#[test]
fn a_quota_that_is_not_to_be_seen_is_not_called_none() {
    let mut survey = survey();
    for (quota, found) in [
        (Quota::Unseen, UNSEEN),
        (Quota::Unbounded, "none"),
        (Quota::Millicpus(1_500), "1.50 CPUs"),
    ] {
        survey.machine.cpus.quota = quota;
        assert_eq!(row(&survey, "control group's quota").found, found);
    }
}

#[test]
fn the_kind_of_a_configured_key_is_read_from_its_file() {
    let scratch = tempfile::TempDir::new().unwrap();
    let of = |key: &rcgen::KeyPair| {
        let file = scratch.path().join("key.pem");
        std::fs::write(&file, key.serialize_pem()).unwrap();
        rsa_in_file(&KeySource::File(file))
    };
    let p256 = rcgen::KeyPair::generate().unwrap();
    assert_eq!(of(&p256), Some(false));
    let size = rcgen::RsaKeySize::_2048;
    let rsa = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap();
    assert_eq!(of(&rsa), Some(true));
    let nowhere = KeySource::File("/nowhere/key.pem".into());
    assert_eq!(rsa_in_file(&nowhere), None);
}
