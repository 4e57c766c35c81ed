//! Answers of a real responder that are taken, and all that is wrong with others.

use proptest::prelude::*;

use super::*;
use crate::clock::UnixSeconds;
use crate::limits::{OCSP_EARLY_S_MAX, OCSP_RESPONSE_BYTES_MAX};
use responder::{Entry, Made, Scene};

pub(crate) mod responder;

const SERIAL: &[u8] = &[0x4a, 1, 2, 3];
const A_DAY: &[&str] = &["-ndays", "1"];
const DAY_S: u64 = 86_400;

fn issuer(scene: &Scene) -> OcspIssuer {
    OcspIssuer::read(&scene.ca).unwrap()
}

fn answered(scene: &Scene, entry: Entry, by: &Made, options: &[&str]) -> Vec<u8> {
    let asked = question(&issuer(scene), SERIAL);
    scene.answer(&asked, SERIAL, entry, by, options)
}

fn read_now(scene: &Scene, response: &[u8]) -> Result<Answer, OcspFault> {
    read(response, &issuer(scene), SERIAL, UnixSeconds::now())
}

//= RFC 6960 section 3.2 type=test
//= RFC 6960 section 4.1.1 type=test
//= RFC 5019 section 2.1.1 type=test
#[test]
fn responder_understands_the_question_and_its_answer_is_read() {
    let algorithms = [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_RSA_SHA256,
    ];
    for algorithm in algorithms {
        let scene = Scene::with_key(algorithm);
        let leaf = scene.leaf(SERIAL);
        assert_eq!(serial_of(&leaf).as_deref(), Some(SERIAL));
        assert!(issuer(&scene).has_issued(&leaf));
        assert!(
            !issuer(&Scene::new()).has_issued(&leaf),
            "another key of that name"
        );
        let now = UnixSeconds::now().0;
        for (entry, status) in [
            (Entry::Valid, Status::Good),
            (
                Entry::Revoked,
                Status::Revoked {
                    since: UnixSeconds(1_735_787_045),
                },
            ),
            (Entry::None, Status::Unknown),
        ] {
            let response = answered(&scene, entry, &scene.itself(), A_DAY);
            let answer = read_now(&scene, &response).unwrap();
            assert_eq!(answer.status, status);
            let lives = answer.next_update.unwrap().0 - answer.this_update.0;
            assert_eq!(lives, DAY_S);
            assert!(answer.this_update.0.abs_diff(now) < 60);
        }
    }
}

#[test]
fn answer_by_key_hash_and_one_without_an_end_are_read() {
    let scene = Scene::new();
    let by_key = answered(&scene, Entry::Valid, &scene.itself(), &["-resp_key_id"]);
    let answer = read_now(&scene, &by_key).unwrap();
    assert_eq!((answer.status, answer.next_update), (Status::Good, None));
}

#[test]
fn certificate_that_is_named_by_sha_256_is_the_same() {
    let scene = Scene::new();
    let (name, key) = issuer(&scene).hashes(Hash::Sha256);
    let parts = [
        der::made(
            der::SEQUENCE,
            &[&der::made(der::OBJECT_IDENTIFIER, &[Hash::SHA256_ID])],
        ),
        der::made(der::OCTET_STRING, &[&name]),
        der::made(der::OCTET_STRING, &[&key]),
        der::made(der::INTEGER, &[SERIAL]),
    ];
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let wrap = |inner: Vec<u8>| der::made(der::SEQUENCE, &[&inner]);
    let asked = wrap(wrap(wrap(wrap(der::made(der::SEQUENCE, &parts)))));
    let by = scene.itself();
    let response = scene.answer(&asked, SERIAL, Entry::Valid, &by, A_DAY);
    assert_eq!(read_now(&scene, &response).unwrap().status, Status::Good);
}

//= RFC 6960 section 4.2.2.2 type=test
#[test]
fn responder_that_the_issuer_has_made_is_believed_and_no_other() {
    let scene = Scene::new();
    let good = scene.delegate(|_| {});
    let response = answered(&scene, Entry::Valid, &good, A_DAY);
    assert_eq!(read_now(&scene, &response).unwrap().status, Status::Good);
    let by_key = answered(&scene, Entry::Valid, &good, &["-resp_key_id"]);
    assert_eq!(read_now(&scene, &by_key).unwrap().status, Status::Good);
    type Change = fn(&mut rcgen::CertificateParams);
    let unfit: [(&str, Change); 5] = [
        ("no purpose", |params| params.extended_key_usages.clear()),
        ("another purpose", |params| {
            params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        }),
        ("any purpose", |params| {
            params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::Any];
        }),
        ("a key for something else", |params| {
            params.key_usages = vec![rcgen::KeyUsagePurpose::KeyAgreement];
        }),
        ("an unknown critical extension", |params| {
            let mut odd = rcgen::CustomExtension::from_oid_content(&[1, 2, 3], vec![5, 0]);
            odd.set_criticality(true);
            params.custom_extensions = vec![odd];
        }),
    ];
    for (what, change) in unfit {
        let response = answered(&scene, Entry::Valid, &scene.delegate(change), A_DAY);
        let read = read_now(&scene, &response);
        assert_eq!(read, Err(OcspFault::ResponderUnfit), "{what}");
    }
    let late = UnixSeconds(UnixSeconds::now().0 + 2 * 3_600);
    let response = answered(&scene, Entry::Valid, &scene.delegate(|_| {}), A_DAY);
    let read = read(&response, &issuer(&scene), SERIAL, late);
    assert_eq!(read, Err(OcspFault::ResponderUnfit), "out of time");
    // The same names, and a key of its own: only the signatures differ.
    let impostor = Scene::new();
    let asked = question(&issuer(&scene), SERIAL);
    for by in [impostor.itself(), impostor.delegate(|_| {})] {
        let response = scene.answer(&asked, SERIAL, Entry::Valid, &by, A_DAY);
        let read = read_now(&scene, &response);
        let delegated = by.der != impostor.ca;
        let fault = match delegated {
            true => OcspFault::Responder,
            false => OcspFault::Signature,
        };
        assert_eq!(read, Err(fault));
    }
    // Without its certificate nobody knows who has signed.
    let bare = answered(&scene, Entry::Valid, &good, &["-resp_no_certs"]);
    assert_eq!(read_now(&scene, &bare), Err(OcspFault::Responder));
}

#[test]
fn answer_holds_from_its_beginning_to_its_end() {
    let scene = Scene::new();
    let response = answered(&scene, Entry::Valid, &scene.itself(), A_DAY);
    let answer = read_now(&scene, &response).unwrap();
    let (begin, end) = (answer.this_update.0, answer.next_update.unwrap().0);
    let at = |now| read(&response, &issuer(&scene), SERIAL, UnixSeconds(now)).map(|_| ());
    assert_eq!(at(end), Ok(()));
    assert_eq!(at(end + 1), Err(OcspFault::Ended));
    assert_eq!(at(begin - OCSP_EARLY_S_MAX), Ok(()));
    assert_eq!(
        at(begin - OCSP_EARLY_S_MAX - 1),
        Err(OcspFault::NotYetValid)
    );
}

#[test]
fn answer_about_another_certificate_or_signed_with_sha_1_is_refused() {
    let scene = Scene::new();
    let response = answered(&scene, Entry::Valid, &scene.itself(), A_DAY);
    let other = [0x4a, 1, 2, 4];
    let read = |issuer: &OcspIssuer, serial| read(&response, issuer, serial, UnixSeconds::now());
    let fault = read(&issuer(&scene), &other);
    assert_eq!(fault, Err(OcspFault::OtherCertificate));
    assert_eq!(
        read(&issuer(&Scene::new()), SERIAL),
        Err(OcspFault::Signature)
    );
    let weak = answered(&scene, Entry::Valid, &scene.itself(), &["-rmd", "sha1"]);
    assert_eq!(read_now(&scene, &weak), Err(OcspFault::Algorithm));
}

#[test]
fn responder_that_does_not_answer_is_told_from_one_that_answers_nonsense() {
    let scene = Scene::new();
    for (octets, fault) in [
        (vec![0x30, 3, 0x0a, 1, 3], OcspFault::NoAnswer(3)),
        (vec![0x30, 3, 0x0a, 1, 6], OcspFault::NoAnswer(6)),
        (vec![0x30, 3, 0x0a, 1, 0], OcspFault::Encoding),
        (b"<html>".to_vec(), OcspFault::Encoding),
        (Vec::new(), OcspFault::Encoding),
        (vec![0; OCSP_RESPONSE_BYTES_MAX + 1], OcspFault::TooLong),
    ] {
        assert_eq!(read_now(&scene, &octets), Err(fault), "{octets:x?}");
    }
    let mut longer = answered(&scene, Entry::Valid, &scene.itself(), A_DAY);
    longer.push(0);
    assert_eq!(read_now(&scene, &longer), Err(OcspFault::Encoding));
}

//= RFC 5019 section 2.2.4 type=test
#[test]
fn good_answer_is_stapled_until_it_ends_and_a_bad_one_takes_it_away() {
    let scene = Scene::new();
    let now = UnixSeconds::now();
    let staple = Staple::new(issuer(&scene), SERIAL.to_vec());
    let give = |entry, options: &[&str]| {
        let response = answered(&scene, entry, &scene.itself(), options);
        staple.take(response, now).map(|_| ())
    };
    assert_eq!(staple.next_update(), None);
    assert_eq!(give(Entry::Valid, &[]), Err(OcspFault::NoNextUpdate));
    assert_eq!(
        (give(Entry::Valid, A_DAY), staple.drop_ended(now)),
        (Ok(()), false)
    );
    let (begin, end) = staple.times().unwrap();
    assert_eq!(end.0 - begin.0, DAY_S);
    assert!(staple.held().as_ref().unwrap().holds_at(end));
    assert!(!staple.drop_ended(end));
    let after = UnixSeconds(end.0 + 1);
    assert!(!staple.held().as_ref().unwrap().holds_at(after));
    assert!(staple.drop_ended(after) && !staple.drop_ended(after));
    for (entry, fault) in [
        (Entry::Revoked, OcspFault::OwnRevoked),
        (Entry::None, OcspFault::OwnUnknown),
    ] {
        assert_eq!(give(Entry::Valid, A_DAY), Ok(()));
        assert_eq!(give(entry, A_DAY), Err(fault));
        assert_eq!(staple.next_update(), None);
    }
}

#[test]
fn status_that_is_older_than_the_last_one_changes_nothing() {
    let scene = Scene::new();
    let staple = Staple::new(issuer(&scene), SERIAL.to_vec());
    let made = |entry| {
        let second = UnixSeconds::now();
        while UnixSeconds::now() == second {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        answered(&scene, entry, &scene.itself(), A_DAY)
    };
    let made = [Entry::Valid, Entry::Valid, Entry::Revoked, Entry::Valid].map(made);
    let [first, second, revoked, last] = &made;
    let take = |response: &Vec<u8>| {
        staple
            .take(response.clone(), UnixSeconds::now())
            .map(|_| ())
    };
    assert_eq!(take(second), Ok(()));
    let times = staple.times();
    assert_eq!(take(first), Err(OcspFault::WentBack));
    assert_eq!((staple.times(), take(second)), (times, Ok(())));
    assert_eq!(take(revoked), Err(OcspFault::OwnRevoked));
    // An answer from before it was revoked is not shown again.
    assert_eq!(take(second), Err(OcspFault::WentBack));
    assert_eq!(staple.times(), None);
    assert_eq!(take(last), Ok(()));
    // So it does where another goes on from it.
    let next = Staple::new(issuer(&scene), SERIAL.to_vec());
    next.go_on_from(&staple);
    assert!(next.times().is_some());
    assert_eq!(next.times(), staple.times());
    let taken = next.take(second.clone(), UnixSeconds::now());
    assert_eq!(taken, Err(OcspFault::WentBack));
}

/// What responders may say that `openssl ocsp` does not.
struct Words {
    /// `[0]` with the version, or nothing.
    version: Vec<u8>,
    /// A CertStatus.
    status: Vec<u8>,
    /// thisUpdate and what follows it in a SingleResponse.
    times: Vec<u8>,
    /// What follows the responses.
    extensions: Vec<u8>,
}

const BEGIN: &[u8] = b"20250102030405Z";
/// Of [`BEGIN`].
const BEGIN_S: u64 = 1_735_787_045;

impl Words {
    fn plain() -> Self {
        Self {
            version: Vec::new(),
            status: vec![0x80, 0],
            times: der::made(der::GENERALIZED_TIME, &[BEGIN]),
            extensions: Vec::new(),
        }
    }

    fn read(&self, scene: &Scene) -> Result<Answer, OcspFault> {
        let issuer = issuer(scene);
        let (name, key) = issuer.hashes(Hash::Sha1);
        let algorithm = der::made(der::OBJECT_IDENTIFIER, &[Hash::SHA1_ID]);
        let certificate = [
            der::made(der::SEQUENCE, &[&algorithm]),
            der::made(der::OCTET_STRING, &[&name]),
            der::made(der::OCTET_STRING, &[&key]),
            der::made(der::INTEGER, &[SERIAL]),
        ];
        let certificate = der::made(der::SEQUENCE, &[&certificate.concat()]);
        let single = der::made(der::SEQUENCE, &[&certificate, &self.status, &self.times]);
        let by = der::made(der::CONTEXT_1, &[&issuer.name_der]);
        let produced = der::made(der::GENERALIZED_TIME, &[BEGIN]);
        let singles = der::made(der::SEQUENCE, &[&single]);
        let said = [&self.version, &by, &produced, &singles, &self.extensions];
        let response = scene.saying(&said.map(Vec::as_slice));
        read(&response, &issuer, SERIAL, UnixSeconds(BEGIN_S))
    }
}

/// An extension in `[1]`.
fn extensions(critical: bool) -> Vec<u8> {
    let id = der::made(der::OBJECT_IDENTIFIER, &[&[0x2a, 3]]);
    let critical = match critical {
        true => der::made(der::BOOLEAN, &[&[0xff]]),
        false => Vec::new(),
    };
    let value = der::made(der::OCTET_STRING, &[&[5, 0]]);
    let extension = der::made(der::SEQUENCE, &[&id, &critical, &value]);
    let all = der::made(der::SEQUENCE, &[&extension]);
    der::made(der::CONTEXT_1, &[&all])
}

#[test]
fn version_and_reason_may_be_left_out_or_written() {
    let scene = Scene::new();
    let version = |octet| der::made(der::CONTEXT_0, &[&[2, 1, octet]]);
    let revoked = |reason: &[u8]| {
        let since = der::made(der::GENERALIZED_TIME, &[BEGIN]);
        der::made(0xa1, &[&since, reason])
    };
    let plain = Words::plain;
    let since = UnixSeconds(BEGIN_S);
    let key_compromise = der::made(der::CONTEXT_0, &[&[0x0a, 1, 1]]);
    for (words, status) in [
        (plain(), Ok(Status::Good)),
        (
            Words {
                version: version(0),
                ..plain()
            },
            Ok(Status::Good),
        ),
        (
            Words {
                version: version(1),
                ..plain()
            },
            Err(OcspFault::Encoding),
        ),
        (
            Words {
                status: revoked(&[]),
                ..plain()
            },
            Ok(Status::Revoked { since }),
        ),
        (
            Words {
                status: revoked(&key_compromise),
                ..plain()
            },
            Ok(Status::Revoked { since }),
        ),
        (
            Words {
                status: revoked(&[5, 0]),
                ..plain()
            },
            Err(OcspFault::Encoding),
        ),
    ] {
        assert_eq!(words.read(&scene).map(|answer| answer.status), status);
    }
}

/// In either place: of the answer, and of what is said of one certificate.
//= RFC 6960 section 4.4 type=test
#[test]
fn critical_extension_is_refused_and_another_passed_over() {
    let scene = Scene::new();
    for (critical, fault) in [(true, Err(OcspFault::CriticalExtension)), (false, Ok(()))] {
        let mut of_answer = Words::plain();
        of_answer.extensions = extensions(critical);
        let mut of_certificate = Words::plain();
        of_certificate.times.extend(extensions(critical));
        for words in [of_answer, of_certificate] {
            assert_eq!(words.read(&scene).map(|_| ()), fault);
        }
    }
    let mut nonsense = Words::plain();
    nonsense.extensions = vec![5, 0];
    assert_eq!(nonsense.read(&scene), Err(OcspFault::Encoding));
}

#[test]
fn answer_that_ends_before_it_begins_never_holds() {
    let scene = Scene::new();
    let until = |next: &[u8]| {
        let next = der::made(der::GENERALIZED_TIME, &[next]);
        let mut words = Words::plain();
        words.times = der::made(der::GENERALIZED_TIME, &[b"20250102030407Z"]);
        words.times.extend(der::made(der::CONTEXT_0, &[&next]));
        words.read(&scene).map(|_| ())
    };
    assert_eq!(until(b"20250102030406Z"), Err(OcspFault::NotYetValid));
    assert_eq!(until(b"20250102030407Z"), Ok(()));
    assert_eq!(until(b"20250102030408Z"), Ok(()));
}

#[test]
fn answer_of_as_many_octets_as_are_read_is_read() {
    let mut octets = vec![0; OCSP_RESPONSE_BYTES_MAX];
    let read = |octets: &[u8]| read_now(&Scene::new(), octets);
    assert_eq!(read(&octets), Err(OcspFault::Encoding));
    octets.push(0);
    assert_eq!(read(&octets), Err(OcspFault::TooLong));
}

#[test]
fn staple_asks_about_its_certificate_and_knows_others_from_it() {
    let (scene, other) = (Scene::new(), Scene::new());
    let staple = |scene: &Scene, serial: &[u8]| Staple::new(issuer(scene), serial.to_vec());
    let own = staple(&scene, SERIAL);
    assert_eq!(own.question(), question(&issuer(&scene), SERIAL));
    assert!(own.is_of_same_as(&staple(&scene, SERIAL)));
    assert!(!own.is_of_same_as(&staple(&scene, &[1])));
    assert!(!own.is_of_same_as(&staple(&other, SERIAL)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn any_octets_are_an_answer_or_a_fault(
        octets in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let _ = read(&octets, &fixed().0, SERIAL, UnixSeconds::now());
    }

    #[test]
    fn answer_with_octets_changed_is_never_taken(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let (issuer, response, now) = fixed();
        let mut octets = response.clone();
        for (at, octet) in changes {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        if let Some(cut) = cut {
            octets.truncate(cut.index(octets.len()));
        }
        // What is changed outside of what is signed, and back to what it was, is the same answer.
        if let Ok(answer) = read(&octets, issuer, SERIAL, *now) {
            let same = read(response, issuer, SERIAL, *now).unwrap();
            prop_assert_eq!(answer, same);
        }
    }
}

/// One answer for all mutations: a process for each would take minutes.
fn fixed() -> &'static (OcspIssuer, Vec<u8>, UnixSeconds) {
    static FIXED: std::sync::OnceLock<(OcspIssuer, Vec<u8>, UnixSeconds)> =
        std::sync::OnceLock::new();
    FIXED.get_or_init(|| {
        let scene = Scene::new();
        let by = scene.delegate(|_| {});
        let response = answered(&scene, Entry::Valid, &by, A_DAY);
        (issuer(&scene), response, UnixSeconds::now())
    })
}

/// By its word a fault is counted, and what it is called and cured by is its own.
#[test]
fn each_fault_has_a_word_and_an_explanation_of_its_own() {
    use std::collections::BTreeSet;
    let faults = [
        OcspFault::Unreadable,
        OcspFault::NotRegular,
        OcspFault::Encoding,
        OcspFault::TooLong,
        OcspFault::NoAnswer(1),
        OcspFault::Algorithm,
        OcspFault::Responder,
        OcspFault::ResponderUnfit,
        OcspFault::Signature,
        OcspFault::OtherCertificate,
        OcspFault::CriticalExtension,
        OcspFault::NoNextUpdate,
        OcspFault::Ended,
        OcspFault::NotYetValid,
        OcspFault::WentBack,
        OcspFault::OwnRevoked,
        OcspFault::OwnUnknown,
    ];
    let words: BTreeSet<_> = faults.iter().map(|fault| fault.word()).collect();
    let said: BTreeSet<_> = faults.iter().map(|fault| fault.explained().0).collect();
    assert_eq!((words.len(), said.len()), (faults.len(), faults.len()));
    assert!(faults.iter().all(|fault| !fault.explained().1.is_empty()));
    // A responder that is busy, one that wants signed requests, one that understands nothing.
    let answers = [2, 3, 5, 6, 1].map(|code| OcspFault::NoAnswer(code).explained());
    assert_eq!((answers[0], answers[2]), (answers[1], answers[3]));
    let kinds: BTreeSet<_> = answers.into_iter().collect();
    assert_eq!(kinds.len(), 3);
}
