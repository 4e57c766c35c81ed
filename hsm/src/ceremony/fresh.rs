//! A fresh token with a PIN of its own making, for demos and tests on a software token: a
//! production token is initialized by those who keep its PINs.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use cryptoki::context::Pkcs11;
use cryptoki::session::UserType;
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

use super::{Ceremony, refused};
use crate::uri::KeyUri;
use crate::{OpenFault, pkcs11};

/// Half of the hexadecimal digits of a PIN.
const PIN_BYTES: usize = 12;

impl Ceremony {
    /// Initializes the module's first empty token as `label`, sets a random user PIN, which goes
    /// into the new file `pin_file` (mode 0600) and nowhere else, and logs in by it. The security
    /// officer's PIN is random too and forgotten.
    ///
    /// # Errors
    /// The module does not load or has no empty token, `pin_file` is there already or cannot be
    /// written, or the token refused a step.
    pub fn begin(module: &Path, label: &str, pin_file: &Path) -> Result<Self, OpenFault> {
        let context = pkcs11::module(module)?.context.clone();
        let slot = empty_slot(&context)?;
        let (officer, user) = (random_pin()?, random_pin()?);
        write_new(pin_file, &user)?;
        let officer = AuthPin::from(officer.as_str());
        let user = AuthPin::from(user.as_str());
        let refused = |step: &'static str| move |error| refused(step, &error);
        context
            .init_token(slot, &officer, label)
            .map_err(refused("C_InitToken"))?;
        // The slot's number changes when its token is initialized.
        let slot = slot_of(&context, label)?;
        let session = context
            .open_rw_session(slot)
            .map_err(refused("C_OpenSession"))?;
        session
            .login(UserType::So, Some(&officer))
            .map_err(refused("C_Login of the security officer"))?;
        session.init_pin(&user).map_err(refused("C_InitPIN"))?;
        session.logout().map_err(refused("C_Logout"))?;
        session
            .login(UserType::User, Some(&user))
            .map_err(refused("C_Login"))?;
        Ok(Self {
            context,
            slot,
            session,
            uri: KeyUri::default(),
            token_label: label.to_owned(),
        })
    }
}

fn empty_slot(context: &Pkcs11) -> Result<Slot, OpenFault> {
    let slots = context.get_slots_with_token();
    let slots = slots.map_err(|error| refused("C_GetSlotList", &error))?;
    let mut empty = slots.into_iter().filter(|slot| {
        let token = context.get_token_info(*slot);
        token.is_ok_and(|token| !token.token_initialized())
    });
    empty.next().ok_or_else(|| {
        OpenFault::new(
            "the PKCS#11 module has no empty token",
            "point SoftHSM at a writable folder (directories.tokendir, by SOFTHSM2_CONF)",
        )
    })
}

fn slot_of(context: &Pkcs11, label: &str) -> Result<Slot, OpenFault> {
    let slots = context.get_slots_with_token();
    let slots = slots.map_err(|error| refused("C_GetSlotList", &error))?;
    let mut named = slots.into_iter().filter(|slot| {
        let token = context.get_token_info(*slot);
        token.is_ok_and(|token| token.token_initialized() && token.label() == label)
    });
    named.next().ok_or_else(|| {
        OpenFault::new(
            "the token is gone right after it was initialized",
            "see the module's own log",
        )
    })
}

fn random_pin() -> Result<Zeroizing<String>, OpenFault> {
    let mut octets = Zeroizing::new([0; PIN_BYTES]);
    aws_lc_rs::rand::fill(&mut octets[..]).map_err(|_| {
        OpenFault::new(
            "there are no random numbers",
            "check the system's random number source",
        )
    })?;
    let mut pin = Zeroizing::new(String::with_capacity(2 * PIN_BYTES));
    for octet in octets.iter() {
        // Writing to a String cannot fail.
        let _ = write!(pin, "{octet:02x}");
    }
    Ok(pin)
}

fn write_new(file: &Path, pin: &str) -> Result<(), OpenFault> {
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .and_then(|mut file| {
            file.write_all(pin.as_bytes())?;
            file.write_all(b"\n")
        });
    written.map_err(|error| {
        OpenFault::new(
            format!("the PIN file {} cannot be made: {error}", file.display()),
            "use a folder that is writable and has no such file yet",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_random_digits() {
        let (one, other) = (random_pin().unwrap(), random_pin().unwrap());
        assert_eq!(one.len(), 24);
        assert!(one.bytes().all(|digit| digit.is_ascii_hexdigit()));
        assert_ne!(*one, *other);
    }
}
