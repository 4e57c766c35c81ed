//! What tells PINs apart where they must not be known. The gateway compares fingerprints and has
//! their key in no memory of its own: a PIN has so few digits that whoever reads both there has the
//! PIN.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::sync::OnceLock;

use aws_lc_rs::hmac;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create, sendfile};
use zeroize::Zeroizing;

use crate::OpenFault;

/// HMAC-SHA256 of a PIN.
pub type Fingerprint = [u8; 32];

const KEY_BYTES: usize = 32;

/// Of the gateway's life: for its signer processes, which each read it.
static LENT: OnceLock<OwnedFd> = OnceLock::new();
/// As this process has read or made it.
static KEY: OnceLock<Zeroizing<[u8; KEY_BYTES]>> = OnceLock::new();

/// A descriptor of the key, filled by the kernel, for a signer process. This one never reads it.
///
/// # Errors
/// The kernel's.
pub fn lend_key() -> io::Result<BorrowedFd<'static>> {
    if LENT.get().is_none() {
        let _ = LENT.set(fill()?);
    }
    let lent = LENT.get().ok_or(io::ErrorKind::NotFound)?;
    Ok(lent.as_fd())
}

fn fill() -> io::Result<OwnedFd> {
    let key = memfd_create("pin-key", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let random = File::open("/dev/urandom")?;
    let mut left = KEY_BYTES;
    while left > 0 {
        match sendfile(&key, &random, None, left)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            moved => left = left.saturating_sub(moved),
        }
    }
    fcntl_add_seals(&key, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK)?;
    Ok(key)
}

/// Takes over the key that the gateway has lent. The first is kept.
///
/// # Errors
/// It is none.
pub fn take_key(lent: OwnedFd) -> io::Result<()> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    // At its place, not where another process may have come to.
    File::from(lent).read_exact_at(key.as_mut_slice(), 0)?;
    let _ = KEY.set(key);
    Ok(())
}

/// By the gateway's key, or by one of this process where nobody has lent one.
pub fn of(pin: &str) -> Result<Fingerprint, OpenFault> {
    if KEY.get().is_none() {
        let mut own = Zeroizing::new([0; KEY_BYTES]);
        aws_lc_rs::rand::fill(own.as_mut_slice()).map_err(|_| {
            OpenFault::new(
                "there are no random numbers",
                "check the system's random number source",
            )
        })?;
        let _ = KEY.set(own);
    }
    let key = KEY
        .get()
        .map_or([0; KEY_BYTES].as_slice(), |key| key.as_slice());
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), pin.as_bytes());
    let mut fingerprint = [0; size_of::<Fingerprint>()];
    fingerprint.copy_from_slice(tag.as_ref());
    Ok(fingerprint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_that_is_lent_is_as_long_as_it_should_be_and_cannot_be_changed() {
        let lent = File::from(lend_key().unwrap().try_clone_to_owned().unwrap());
        let mut key = [0; KEY_BYTES + 1];
        assert_eq!(lent.read_at(&mut key, 0).unwrap(), KEY_BYTES);
        assert_ne!(key, [0; KEY_BYTES + 1]);
        assert!(lent.write_at(&[0], 0).is_err());
        let again = File::from(lend_key().unwrap().try_clone_to_owned().unwrap());
        let mut same = [0; KEY_BYTES + 1];
        again.read_at(&mut same, 0).unwrap();
        assert_eq!(same, key, "one for all signer processes");
    }

    #[test]
    fn pins_are_told_apart_by_the_key_that_was_lent() {
        take_key(lend_key().unwrap().try_clone_to_owned().unwrap()).unwrap();
        let mut key = [0; KEY_BYTES];
        let lent = File::from(lend_key().unwrap().try_clone_to_owned().unwrap());
        lent.read_exact_at(&mut key, 0).unwrap();
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), b"1234");
        assert_eq!(of("1234").unwrap(), tag.as_ref());
        assert_ne!(of("1235").unwrap(), tag.as_ref());
    }
}
