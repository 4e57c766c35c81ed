//! How often in a second one CPU does what a handshake and a record need, measured here and now.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _,
    ParsedPublicKey, RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use aws_lc_rs::{agreement, kem};
use serde::Serialize;

use crate::clock::Nanos;

/// What one operation is measured for: ten slices of which the best counts, because whatever else
/// runs on the machine meanwhile can only make a slice worse.
const SLICES: u32 = 10;
const SLICE_NS: u64 = 10_000_000;

/// How often one thing is done in a second.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rate {
    pub what: String,
    /// What the gateway does it for.
    pub serves: &'static str,
    pub threads: usize,
    pub per_s: f64,
    /// Of one thread, for one of them.
    pub ns_each: f64,
    /// Where it works on bytes: how many at once.
    pub bytes: Option<usize>,
}

impl Rate {
    /// Does something again and again for a tenth of a second of this thread's CPU time.
    ///
    /// # Errors
    /// That of the first time that did not succeed.
    pub fn measure<E>(
        what: impl Into<String>,
        serves: &'static str,
        mut once: impl FnMut() -> Result<(), E>,
    ) -> Result<Self, E> {
        // The first ones fill caches and tables, and show how many to do between two looks at the
        // thread's clock: a look costs as much as a short record.
        let (warm, mut warmed) = (Nanos::of_this_thread(), 0_u32);
        while Nanos::of_this_thread().since(warm) < SLICE_NS {
            once()?;
            warmed += 1;
        }
        let batch = warmed / 50 + 1;
        let mut best = Self::of(what.into(), serves, 1, 0, SLICE_NS);
        for _ in 0..SLICES {
            let (begun, mut done, mut taken_ns) = (Nanos::of_this_thread(), 0_u32, 0);
            while taken_ns < SLICE_NS {
                for _ in 0..batch {
                    once()?;
                }
                done += batch;
                taken_ns = Nanos::of_this_thread().since(begun);
            }
            let slice = Self::of(String::new(), serves, 1, done, taken_ns);
            if slice.per_s > best.per_s {
                best = Self {
                    what: best.what,
                    ..slice
                };
            }
        }
        Ok(best)
    }

    /// So many in so long, by so many threads together.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a tenth of a second in nanoseconds"
    )]
    pub fn of(
        what: String,
        serves: &'static str,
        threads: usize,
        done: u32,
        taken_ns: u64,
    ) -> Self {
        let seconds = taken_ns.max(1) as f64 / 1e9;
        let done = f64::from(done);
        Self {
            what,
            serves,
            threads,
            per_s: done / seconds,
            ns_each: seconds * 1e9 * threads as f64 / done.max(1.0),
            bytes: None,
        }
    }

    fn of_bytes(mut self, bytes: usize) -> Self {
        self.bytes = Some(bytes);
        self
    }
}

const FULL: &str = "full handshake";
const RECORD: &str = "record";

/// Measures everything on the thread that calls, which takes some two seconds.
///
/// # Errors
/// The library could not make a key or did not do its work.
pub fn measure() -> Result<Vec<Rate>, Unspecified> {
    let mut rates = signatures()?;
    rates.extend(agreements()?);
    rates.extend(bytes()?);
    Ok(rates)
}

fn signatures() -> Result<Vec<Rate>, Unspecified> {
    let random = SystemRandom::new();
    // As long as what TLS 1.3 has signed: 64 spaces, a context, a hash.
    let message = [0x20; 130];
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048)?;
    let mut rsa_signed = vec![0; rsa.public_modulus_len()];
    let ec_signed = ec.sign(&random, &message)?;
    rsa.sign(&RSA_PSS_SHA256, &random, &message, &mut rsa_signed)?;
    // Parsed before, as the verifier of tokens has it.
    let ec_public = ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, ec.public_key().as_ref())
        .map_err(|_| Unspecified)?;
    let rsa_public = ParsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, rsa.public_key().as_ref())
        .map_err(|_| Unspecified)?;
    let mut signed = vec![0; rsa.public_modulus_len()];
    Ok(vec![
        Rate::measure("ECDSA P-256 sign", FULL, || {
            ec.sign(&random, &message).map(drop)
        })?,
        Rate::measure("ECDSA P-256 verify", "full handshake, new token", || {
            ec_public.verify_sig(&message, ec_signed.as_ref())
        })?,
        Rate::measure("RSA-2048 PSS sign", FULL, || {
            rsa.sign(&RSA_PSS_SHA256, &random, &message, &mut signed)
        })?,
        Rate::measure("RSA-2048 PSS verify", "full handshake, new token", || {
            rsa_public.verify_sig(&message, &rsa_signed)
        })?,
    ])
}

/// A key of its own each time, as forward secrecy wants it.
fn agreements() -> Result<Vec<Rate>, Unspecified> {
    const EACH: &str = "handshake, resumed or full";
    let agree = |group: &'static agreement::Algorithm, name: &str| {
        let theirs = agreement::PrivateKey::generate(group)?.compute_public_key()?;
        Rate::measure(name, EACH, || {
            let own = agreement::PrivateKey::generate(group)?;
            own.compute_public_key()?;
            let theirs = agreement::UnparsedPublicKey::new(group, theirs.as_ref());
            agreement::agree(&own, theirs, Unspecified, |_| Ok(()))
        })
    };
    let client = kem::DecapsulationKey::generate(&kem::ML_KEM_768)?.encapsulation_key()?;
    let share = client.key_bytes()?;
    let x25519 = agree(&agreement::X25519, "X25519 key and agreement")?;
    let p256 = agree(&agreement::ECDH_P256, "P-256 key and agreement")?;
    let kem = Rate::measure(
        "ML-KEM-768 encapsulate",
        "X25519MLKEM768, beside X25519",
        || {
            let share = kem::EncapsulationKey::new(&kem::ML_KEM_768, share.as_ref());
            share.map_err(|_| Unspecified)?.encapsulate().map(drop)
        },
    )?;
    Ok(vec![x25519, p256, kem])
}

fn bytes() -> Result<Vec<Rate>, Unspecified> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[7; 16])?);
    let mut rates = Vec::new();
    for (name, length) in [("512 B", 512), ("1 KiB", 1_024), ("16 KiB", 16_384)] {
        let mut record = vec![0; length];
        let mut number = 0_u64;
        let rate = Rate::measure(format!("AES-128-GCM seal {name}"), RECORD, || {
            let mut nonce = [0; 12];
            nonce[4..].copy_from_slice(&number.to_be_bytes());
            number += 1;
            let nonce = Nonce::assume_unique_for_key(nonce);
            let head = Aad::from([0x17, 3, 3, 0, 0]);
            let tag = key.seal_in_place_separate_tag(nonce, head, &mut record);
            tag.map(drop)
        })?;
        rates.push(rate.of_bytes(length));
    }
    let text = vec![0; 1_024];
    let hash = Rate::measure("SHA-256 1 KiB", "transcripts, tokens, certificates", || {
        std::hint::black_box(digest(&SHA256, &text));
        Ok::<_, Unspecified>(())
    })?;
    rates.push(hash.of_bytes(text.len()));
    Ok(rates)
}
