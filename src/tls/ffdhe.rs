//! Diffie-Hellman in the finite fields of RFC 7919, for the one suite of TLS 1.2 that TS 33.210
//! makes mandatory and no provider of rustls has.
//!
//! The arithmetic is the library's: one exponentiation in constant time, beside which this file
//! checks what a peer has sent and wipes what is secret. The functions on numbers are used, not
//! those on `DH`: they are among the bindings that aws-lc-rs builds anyway, and the field's
//! constants are computed once for a process.

use std::fmt;
use std::ptr::NonNull;
use std::sync::OnceLock;

use aws_lc_rs::rand;
use aws_lc_sys::{
    BIGNUM, BN_CTX, BN_CTX_free, BN_CTX_new, BN_MONT_CTX, BN_MONT_CTX_free,
    BN_MONT_CTX_new_for_modulus, BN_bin2bn, BN_bn2bin_padded, BN_clear_free,
    BN_mod_exp_mont_consttime, BN_new,
};
use rustls::crypto::{
    ActiveKeyExchange, GetRandomFailed, KeyExchangeAlgorithm, SharedSecret, SupportedKxGroup,
};
use rustls::ffdhe_groups::{self, FfdheGroup};
use rustls::{
    CipherSuite, CipherSuiteCommon, Error, NamedGroup, PeerMisbehaved, ProtocolVersion,
    SupportedCipherSuite, Tls12CipherSuite,
};
use zeroize::Zeroizing;

use super::turn;

//= TS 33.210 clause 6.2.3
//# TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 is supported.
/// As its sibling with an elliptic curve, but for how keys are agreed on.
pub(super) static TLS_DHE_RSA_WITH_AES_128_GCM_SHA256: SupportedCipherSuite =
    SupportedCipherSuite::Tls12(&DHE_RSA);

static DHE_RSA: Tls12CipherSuite = {
    let sibling = rustls::crypto::aws_lc_rs::cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
    let SupportedCipherSuite::Tls12(sibling) = sibling else {
        panic!("a suite of TLS 1.2");
    };
    Tls12CipherSuite {
        common: CipherSuiteCommon {
            suite: CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
            hash_provider: sibling.common.hash_provider,
            confidentiality_limit: sibling.common.confidentiality_limit,
        },
        prf_provider: sibling.prf_provider,
        kx: KeyExchangeAlgorithm::DHE,
        sign: sibling.sign,
        aead_alg: sibling.aead_alg,
    }
};

/// 112 bits of strength. A client that names no group of RFC 7919 gets this one: it knows none of
/// them then, and its bound on what it takes, if it has one, is 2,048 bits.
pub(super) static FFDHE2048: Group = Group {
    name: NamedGroup::FFDHE2048,
    parameters: ffdhe_groups::FFDHE2048,
    exponent_bytes: EXPONENT_BYTES_2048,
    field: &FIELD_2048,
};
/// 128 bits of strength.
pub(super) static FFDHE3072: Group = Group {
    name: NamedGroup::FFDHE3072,
    parameters: ffdhe_groups::FFDHE3072,
    exponent_bytes: EXPONENT_BYTES_3072,
    field: &FIELD_3072,
};

static FIELD_2048: OnceLock<Field> = OnceLock::new();
static FIELD_3072: OnceLock<Field> = OnceLock::new();

/// RFC 7919 takes 225 bits for enough in the first group and 275 in the second, and SP 800-56A
/// twice the strength: a full exponent would cost eight times as much, and add nothing.
const EXPONENT_BYTES_2048: usize = 32;
const EXPONENT_BYTES_3072: usize = 40;
const _: () = assert!(EXPONENT_BYTES_2048 * 8 >= 225 && EXPONENT_BYTES_3072 * 8 >= 275);

/// One group: a prime p of which (p - 1) / 2 is a prime as well, and the generator 2.
#[derive(Clone, Copy)]
pub(super) struct Group {
    name: NamedGroup,
    parameters: FfdheGroup<'static>,
    exponent_bytes: usize,
    field: &'static OnceLock<Field>,
}

impl Group {
    /// `base` to the power of `exponent`, as long as p. None where there is no memory.
    fn power(&self, base: &[u8], exponent: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let field = match self.field.get() {
            Some(field) => field,
            None => {
                let made = Field::new(self.parameters.p)?;
                self.field.get_or_init(|| made)
            }
        };
        field.power(base, exponent, self.parameters.p.len())
    }

    /// A public value of a peer, as long as p, where it is one.
    //= RFC 7919 section 5.1
    //# A public value outside of 1 < Y < p - 1 is refused.
    fn public_value(&self, sent: &[u8]) -> Option<Vec<u8>> {
        let p = self.parameters.p;
        let mut value = vec![0; p.len().checked_sub(sent.len())?];
        value.extend_from_slice(sent);
        let (last, front) = value.split_last()?;
        let is_small = *last <= 1 && front.iter().all(|octet| *octet == 0);
        // p is odd: p - 1 has its last octet less by one, and all others alike.
        let (last_of_p, front_of_p) = p.split_last()?;
        let is_large = (front, *last) >= (front_of_p, last_of_p - 1);
        // Whether it lies in the subgroup of prime order is not looked at: that takes a power with
        // a full exponent. In the whole group it has that order or twice that, so that the worst
        // it can bring to light is one bit of an exponent that is used this once, and SP 800-56A
        // asks for no more of such keys.
        (!is_small && !is_large).then_some(value)
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

impl SupportedKxGroup for Group {
    /// A fresh key, where the turn it is asked for in may begin such an agreement.
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        if !turn::may_begin_dhe() {
            turn::note_dhe_wanted();
            return Err(Error::General("not admitted".to_owned()));
        }
        let mut exponent = Zeroizing::new(vec![0; self.exponent_bytes]);
        rand::fill(&mut exponent).map_err(|_| GetRandomFailed)?;
        Ok(Box::new(Agreement::with(*self, exponent)?))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        Some(self.parameters)
    }

    fn name(&self) -> NamedGroup {
        self.name
    }

    /// TLS 1.3 has better ones, and would let clients have this price for the asking.
    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        version == ProtocolVersion::TLSv1_2
    }
}

/// One agreement under way.
struct Agreement {
    group: Group,
    exponent: Zeroizing<Vec<u8>>,
    public: Vec<u8>,
}

impl Agreement {
    /// `exponent` is random. Its first bit is set, so that it is never zero and all are as long:
    /// with it, less than (p - 1) / 2, no public value that is taken comes to 1 or p - 1.
    fn with(group: Group, mut exponent: Zeroizing<Vec<u8>>) -> Result<Self, Error> {
        if let Some(first) = exponent.first_mut() {
            *first |= 0x80;
        }
        let public = group.power(group.parameters.g, &exponent);
        let mut public = public.ok_or_else(failed)?;
        Ok(Self {
            public: std::mem::take(&mut *public),
            group,
            exponent,
        })
    }
}

impl ActiveKeyExchange for Agreement {
    /// The secret as long as p. For TLS 1.2 rustls strips the zeroes in front: that its length
    /// shows in time tells nothing of an exponent which is never used again.
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let peer = self.group.public_value(peer);
        let peer = peer.ok_or(PeerMisbehaved::InvalidKeyShare)?;
        let secret = self.group.power(&peer, &self.exponent);
        let mut secret = secret.ok_or_else(failed)?;
        // The shared secret wipes itself.
        Ok(SharedSecret::from(std::mem::take(&mut *secret)))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        Some(self.group.parameters)
    }

    fn group(&self) -> NamedGroup {
        self.group.name
    }
}

fn failed() -> Error {
    Error::General("the library could not compute".to_owned())
}

/// What of a prime is computed once.
struct Field {
    p: Number,
    montgomery: NonNull<BN_MONT_CTX>,
}

// SAFETY: both are made before anyone else sees them, and from then on only lent to functions that
// take them as const and write nothing to them, however many threads are at it; the end of a
// process is their end.
unsafe impl Send for Field {}
// SAFETY: as above.
unsafe impl Sync for Field {}

impl Field {
    fn new(p: &[u8]) -> Option<Self> {
        let (p, scratch) = (Number::of(p)?, Scratch::new()?);
        // SAFETY: both pointers are to live objects of the library for as long as the call takes;
        // it hands out an object of its own, or null.
        let made = unsafe { BN_MONT_CTX_new_for_modulus(p.0.as_ptr(), scratch.0.as_ptr()) };
        let montgomery = NonNull::new(made)?;
        Some(Self { p, montgomery })
    }

    /// In a time that depends on lengths alone. `base` is less than p.
    fn power(&self, base: &[u8], exponent: &[u8], bytes: usize) -> Option<Zeroizing<Vec<u8>>> {
        let (base, exponent) = (Number::of(base)?, Number::of(exponent)?);
        let (power, scratch) = (Number::new()?, Scratch::new()?);
        // SAFETY: all pointers are to live objects of the library; the two that it writes to,
        // `power` and `scratch`, are this call's alone.
        let done = unsafe {
            BN_mod_exp_mont_consttime(
                power.0.as_ptr(),
                base.0.as_ptr(),
                exponent.0.as_ptr(),
                self.p.0.as_ptr(),
                scratch.0.as_ptr(),
                self.montgomery.as_ptr(),
            )
        };
        let mut octets = Zeroizing::new(vec![0; bytes]);
        (done == 1).then_some(())?;
        // SAFETY: the library writes as many octets as it is told there are, or none.
        let done = unsafe { BN_bn2bin_padded(octets.as_mut_ptr(), bytes, power.0.as_ptr()) };
        (done == 1).then_some(octets)
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        // SAFETY: made by the library for this one, and given back once.
        unsafe { BN_MONT_CTX_free(self.montgomery.as_ptr()) }
    }
}

/// A number of the library's, wiped when it is given back.
struct Number(NonNull<BIGNUM>);

impl Number {
    fn new() -> Option<Self> {
        // SAFETY: takes nothing; hands out an object, or null.
        NonNull::new(unsafe { BN_new() }).map(Self)
    }

    fn of(octets: &[u8]) -> Option<Self> {
        // SAFETY: reads as many octets as there are; without a number to write to it hands out a
        // new one, or null.
        let made = unsafe { BN_bin2bn(octets.as_ptr(), octets.len(), std::ptr::null_mut()) };
        NonNull::new(made).map(Self)
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        // SAFETY: made by the library for this one, and given back once.
        unsafe { BN_clear_free(self.0.as_ptr()) }
    }
}

/// Room for what the library computes in between; it wipes it as well.
struct Scratch(NonNull<BN_CTX>);

impl Scratch {
    fn new() -> Option<Self> {
        // SAFETY: takes nothing; hands out an object, or null.
        NonNull::new(unsafe { BN_CTX_new() }).map(Self)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: made by the library for this one, and given back once.
        unsafe { BN_CTX_free(self.0.as_ptr()) }
    }
}

#[cfg(test)]
mod tests;
