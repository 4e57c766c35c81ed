//! What a revocation list of a million serial numbers costs: memory, time to load, time to look up,
//! and what clients of a gateway notice of it. `make test-scale` runs it: what is said of memory is
//! said of this process, so that the test of it runs in one of its own.

// The ban is for the house; tests keep time as anybody does.
#![allow(clippy::disallowed_methods)]

// Of the live tests, which use more of it.
#[allow(dead_code)]
#[path = "../live/harness/mod.rs"]
mod harness;

mod clients;
// Of the tests of faults, which have other loads as well.
#[allow(dead_code)]
#[path = "../fault/load.rs"]
mod load;
mod revocation;
mod ue_sets;

use std::fs::{self, File};
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose};
use t8gate::clock::{Nanos, UnixSeconds};
use t8gate::tls::revocation::{CrlIssuer, Revocation, Verdict};

/// As the gateway has it: what it keeps of what was freed is part of what is measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ENTRIES: u64 = 1_000_000;
const RESIDENT_MIB_MAX: f64 = 32.0;
/// 2030-01-15.
const NOW: UnixSeconds = UnixSeconds(1_894_665_600);

/// Who signs the lists.
struct Ca {
    issuer: CrlIssuer,
    name: Vec<u8>,
    key: EcdsaKeyPair,
}

fn ca() -> Ca {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Scale");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let der = params.self_signed(&key).unwrap().der().to_vec();
    Ca::of(&der, &key.serialize_der())
}

impl Ca {
    /// By its certificate and its key of P-256.
    fn of(der: &[u8], pkcs8: &[u8]) -> Self {
        let (_, certificate) = x509_parser::parse_x509_certificate(der).unwrap();
        Self {
            issuer: CrlIssuer::read(der).unwrap(),
            name: certificate.subject().as_raw().to_vec(),
            key: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8).unwrap(),
        }
    }
}

/// Of 20 octets, as CAs draw them, and never the same twice: a permutation of its place stands in
/// front.
fn serial(place: u64) -> [u8; 20] {
    let mut serial = [0x5a; 20];
    let mixed = place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    serial[..8].copy_from_slice(&mixed.to_be_bytes());
    serial[0] = serial[0] & 0x3f | 0x40;
    serial[8..16].copy_from_slice(&place.to_be_bytes());
    serial
}

fn header(tag: u8, length: usize) -> Vec<u8> {
    match length {
        ..0x80 => vec![tag, length as u8],
        _ => [&[tag, 0x84], (length as u32).to_be_bytes().as_slice()].concat(),
    }
}

/// Lengths above 127 in their shortest form.
fn shortest(tag: u8, length: usize) -> Vec<u8> {
    let octets = length.to_be_bytes();
    let skip = octets.iter().take_while(|octet| **octet == 0).count();
    match length {
        ..0x80 => header(tag, length),
        _ => [&[tag, 0x80 | (8 - skip) as u8], &octets[skip..]].concat(),
    }
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    [shortest(tag, content.len()), content.to_vec()].concat()
}

/// Writes a list piece by piece, so that this process never holds it.
fn write(file: &Path, ca: &Ca, number: u8) {
    // In the middle of them is the time that the other tests take for now.
    write_between(file, ca, number, ["300101000000Z", "300201000000Z"]);
}

fn write_between(file: &Path, ca: &Ca, number: u8, [begin, end]: [&str; 2]) {
    let algorithm = tlv(0x30, &tlv(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]));
    let reason = tlv(
        0x30,
        &[tlv(6, &[0x55, 0x1d, 21]), tlv(4, &[0x0a, 1, 4])].concat(),
    );
    let rest = [tlv(0x17, b"290101000000Z"), tlv(0x30, &reason)].concat();
    let entry = |place| tlv(0x30, &[tlv(2, &serial(place)), rest.clone()].concat());
    let entries_bytes = entry(0).len() * ENTRIES as usize;
    let number = tlv(
        0x30,
        &[tlv(6, &[0x55, 0x1d, 20]), tlv(4, &[2, 1, number])].concat(),
    );
    let before = [
        tlv(2, &[1]),
        algorithm.clone(),
        ca.name.clone(),
        tlv(0x17, begin.as_bytes()),
        tlv(0x17, end.as_bytes()),
        shortest(0x30, entries_bytes),
    ]
    .concat();
    let after = tlv(0xa0, &tlv(0x30, &number));
    let signed_bytes = before.len() + entries_bytes + after.len();
    let mut out = BufWriter::new(File::create(file).unwrap());
    // The signature's length is known at the end only.
    out.write_all(&header(0x30, 0x1_0000)).unwrap();
    let mut digest = Context::new(&SHA256);
    let mut put = |piece: &[u8]| {
        digest.update(piece);
        out.write_all(piece).unwrap();
    };
    put(&shortest(0x30, signed_bytes));
    put(&before);
    (0..ENTRIES).for_each(|place| put(&entry(place)));
    put(&after);
    let digest = digest.finish();
    let signature = ca.key.sign_digest(&digest).unwrap();
    let signature = [&[0], signature.as_ref()].concat();
    out.write_all(&algorithm).unwrap();
    out.write_all(&tlv(3, &signature)).unwrap();
    out.flush().unwrap();
    let mut file = out.into_inner().unwrap();
    let whole = file.metadata().unwrap().len() as usize - 6;
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(&header(0x30, whole)).unwrap();
}

fn resident_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kib / 1024.0
}

fn look_up(revocation: &Revocation, ca: &Ca, serial: &[u8]) -> bool {
    let verdict = revocation
        .lists()
        .look_up(ca.issuer.id(), serial, Duration::ZERO, NOW);
    matches!(verdict, Verdict::Revoked { .. })
}

#[test]
#[ignore = "takes 100 MB of disk; `make test-scale` runs it"]
fn million_revoked_serials_take_no_more_than_32_mib() {
    let (folder, ca) = (tempfile::tempdir().unwrap(), ca());
    let file = folder.path().join("million.crl");
    write(&file, &ca, 1);
    let revocation = Revocation::default();
    revocation.take_lists_of(vec![ca.issuer.clone()]);
    let before = resident_mib();
    for number in 1..=3 {
        if number > 1 {
            write(&file, &ca, number);
        }
        let begun = Nanos::now();
        let cpu = Nanos::of_this_thread();
        let crl = revocation.read(&mut File::open(&file).unwrap()).unwrap();
        assert_eq!(crl.entries() as u64, ENTRIES);
        revocation.adopt(crl).unwrap();
        let wall_ms = Nanos::now().since(begun) / 1_000_000;
        let cpu_ms = Nanos::of_this_thread().since(cpu) / 1_000_000;
        let added = resident_mib() - before;
        println!("list {number}: {wall_ms} ms to load ({cpu_ms} ms of CPU), {added:.1} MiB added");
        assert!(added <= RESIDENT_MIB_MAX, "{added:.1} MiB");
    }
    for place in (0..ENTRIES).step_by(997) {
        assert!(look_up(&revocation, &ca, &serial(place)));
        assert!(!look_up(&revocation, &ca, &serial(place + ENTRIES)));
    }
    let begun = Nanos::now();
    let found = (0..ENTRIES).filter(|place| {
        let place = place.wrapping_mul(7_919) % (2 * ENTRIES);
        look_up(&revocation, &ca, &serial(place))
    });
    let found = found.count();
    let ns = Nanos::now().since(begun) / ENTRIES;
    println!("{ns} ns for a look-up, {found} of {ENTRIES} found");
    assert!(found > 0);
}
