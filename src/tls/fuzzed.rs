//! What the targets of `fuzz/` call: doors to the parsers of this room that take any octets, and
//! say what must hold of whatever they are. Compiled for fuzzing and for tests, which go through
//! the committed inputs; to the gateway they do not belong.

mod forger;
mod scene;

use std::io::{Cursor, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;

use super::certificate_rules::{Place, Purpose, Seen, broken, broken_by_chain};
use super::leaf::{Leaf, parsed};
use super::revocation::{Crl, CrlFault, CrlIssuer, CrlSet};
use super::{Handshake, Opened, Refusal, Step, Terminator, TlsFault};
use crate::clock::UnixSeconds;
use crate::limits::HANDSHAKE_BYTES_MAX;
use crate::peer::San;

pub(super) use forger::Forger;

/// Who signed the lists among the committed inputs, and the certificates; the keys are gone.
const CRL_ISSUER: &[u8] = include_bytes!("../../fuzz/issuers/crl.der");
const ANCHOR: &[u8] = include_bytes!("../../fuzz/issuers/anchor.der");
/// The one certificate of a client below it.
const CLIENT: &[u8] = include_bytes!("../../fuzz/corpus/certificate/good");

/// 2030-01-15: the committed lists and certificates are in force.
const NOW: UnixSeconds = UnixSeconds(1_894_665_600);

/// A revocation list: the same outcome in one piece, octet by octet and as PEM.
pub fn crl(octets: &[u8]) {
    let issuers = [CrlIssuer::read(CRL_ISSUER).expect("our own certificate")];
    let read = Crl::read(&mut Cursor::new(octets), &issuers);
    let outcome = |read: &Result<Crl, CrlFault>| read.as_ref().map(Crl::entries).map_err(|f| *f);
    let slowly = Crl::read(&mut Slow(Cursor::new(octets)), &issuers);
    assert_eq!(outcome(&read), outcome(&slowly));
    if octets.first() == Some(&0x30) {
        let pem = Crl::read(&mut Cursor::new(pem_of(octets)), &issuers);
        assert_eq!(outcome(&read), outcome(&pem));
    }
    let Ok(crl) = read else { return };
    // An entry takes more octets than its serial number.
    assert!(crl.entries() < octets.len());
    let is_delta = crl.is_delta();
    let set = CrlSet::default().with(crl);
    assert_eq!(set.is_err(), is_delta, "a delta alone is no list");
    if let Ok(set) = set {
        set.look_up(issuers[0].id(), octets, Duration::ZERO, NOW);
    }
}

/// Gives an octet at a time.
struct Slow<'o>(Cursor<&'o [u8]>);

impl Read for Slow<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let one = into.len().min(1);
        self.0.read(&mut into[..one])
    }
}

impl Seek for Slow<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

fn pem_of(octets: &[u8]) -> Vec<u8> {
    let text = base64::engine::general_purpose::STANDARD.encode(octets);
    let lines: Vec<&[u8]> = text.as_bytes().chunks(64).collect();
    let lines = lines.join(&b'\n');
    let (begin, end) = ("-----BEGIN X509 CRL-----", "-----END X509 CRL-----");
    [
        begin.as_bytes(),
        b"\n",
        &lines,
        b"\n",
        end.as_bytes(),
        b"\n",
    ]
    .concat()
}

/// A certificate, wherever one may stand: as a client's, above one, as an anchor, as an issuer of
/// lists. As a client's only one is taken, to its last octet.
pub fn certificate(octets: &[u8]) {
    CrlIssuer::read(octets);
    let _ = scene::trusting(octets);
    let (leaf, read) = (Leaf::read(octets), parsed(octets));
    assert_eq!(leaf.is_some(), read.is_some());
    if let (Some(leaf), Some(read)) = (leaf, read) {
        for name in leaf.names().unwrap_or_default() {
            let San::Dns(name) = name else { continue };
            assert!(!name.contains('*') && *name == name.to_ascii_lowercase());
        }
        let anchor = parsed(ANCHOR).expect("our own certificate");
        for issuer in [None, Some(&read), Some(&anchor)] {
            for place in PLACES {
                broken(&Seen {
                    certificate: &read,
                    issuer,
                    place,
                });
            }
        }
        broken_by_chain(&[read.clone(), read, anchor], Purpose::Client);
    }
    let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW.0));
    let (shown, good) = (CertificateDer::from(octets), CertificateDer::from(CLIENT));
    scene::with(|scene| {
        let auth = &scene.auth;
        let taken = auth.verify_client_cert(&shown, &[], now);
        assert_eq!(taken.is_ok(), octets == CLIENT);
        let beside = auth.verify_client_cert(&good, &[shown], now);
        assert!(beside.is_ok(), "what stands beside a good one does no harm");
    });
}

const PLACES: [Place; 4] = [
    Place::Entity {
        purpose: Purpose::Client,
        direct: true,
    },
    Place::Entity {
        purpose: Purpose::Server,
        direct: false,
    },
    Place::Ca {
        issues_entities: true,
    },
    Place::Ca {
        issues_entities: false,
    },
];

/// What a client sends before there are keys. The first octet says in pieces of which length it
/// comes: that changes nothing, nor does a server key that signs elsewhere.
pub fn hello(octets: &[u8]) {
    let Some((piece, octets)) = octets.split_first() else {
        return;
    };
    let octets = octets.get(..HANDSHAKE_BYTES_MAX).unwrap_or(octets);
    scene::with(|scene| {
        let whole = shaken(&scene.soft, octets, HANDSHAKE_BYTES_MAX);
        assert_ne!(whole, Ok(Step::Done), "nobody has shown a certificate");
        let piece = usize::from(*piece).max(1);
        assert_eq!(shaken(&scene.soft, octets, piece), whole, "in pieces");
        assert_eq!(shaken(&scene.token, octets, piece), whole, "by a token");
    });
}

/// How a handshake ends, or what it waits for.
fn shaken(terminator: &Arc<Terminator>, octets: &[u8], piece: usize) -> Result<Step, Refusal> {
    let mut handshake = Handshake::new(terminator);
    let mut step = Ok(Step::NeedInput);
    for piece in octets.chunks(piece) {
        handshake.incoming().extend_from_slice(piece);
        step = handshake.advance(NOW);
        if step == Ok(Step::SignElsewhere) {
            step = handshake.advance_signing(NOW);
        }
        if step != Ok(Step::NeedInput) {
            break;
        }
    }
    step
}

/// What a client sends under its keys of TLS 1.3, which is told apart from what it sends without:
///
/// ```text
///   octet                 the length of the pieces in which all of it comes, times 8
///   then, again and again:
///     2 octets            0x8000: as it stands; else sealed. 0x4000: padded. The rest: length
///     1 octet if padded   128 zeroes each
///     the content         with its type as its last octet, where it is sealed
/// ```
pub fn record(octets: &[u8]) {
    let Some((piece, octets)) = octets.split_first() else {
        return;
    };
    scene::with(|scene| {
        let whole = opened(scene, octets, usize::MAX);
        let pieces = opened(scene, octets, usize::from(*piece).max(1) * 8);
        assert_eq!(whole, pieces);
    });
}

/// Plaintext, what the session has come to, and how many octets it answers.
type Outcome = (Vec<u8>, Result<Opened, TlsFault>, usize);

fn opened(scene: &scene::Scene, octets: &[u8], piece: usize) -> Outcome {
    let (mut done, mut client) = scene.established();
    let wire = sealed(&mut client, octets);
    done.incoming.clear();
    let (mut plain, mut answer, mut outcome) = (Vec::new(), Vec::new(), Ok(Opened::NeedInput));
    // The last, empty piece says how the session stands behind all data.
    for piece in wire.chunks(piece).chain([&[][..]]) {
        done.incoming.extend_from_slice(piece);
        let mut more = Vec::new();
        outcome = done
            .session
            .open(&mut done.incoming, &mut more, 1 << 20, &mut answer);
        plain.append(&mut more);
        if outcome.is_err() {
            break;
        }
    }
    (plain, outcome, answer.len())
}

fn sealed(client: &mut Forger, mut octets: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    while let Some((head, rest)) = octets.split_first_chunk::<2>() {
        let head = u16::from_be_bytes(*head);
        let length = usize::from(head & 0x3fff).min(rest.len());
        let (content, rest) = rest.split_at(length);
        octets = rest;
        if head & 0x8000 != 0 {
            wire.extend_from_slice(content);
            continue;
        }
        let mut inner = content.to_vec();
        if head & 0x4000 != 0
            && let Some((zeroes, rest)) = octets.split_first()
        {
            inner.resize(inner.len() + usize::from(*zeroes) * 128, 0);
            octets = rest;
        }
        wire.extend(client.seal(&inner));
    }
    wire
}

#[cfg(test)]
mod tests;
