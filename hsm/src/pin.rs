//! User PINs: read where they lie, wiped after use, and never tried again once refused.

mod fingerprint;
mod leave;
mod source;

use std::sync::{Mutex, OnceLock, PoisonError};

use cryptoki::types::AuthPin;

use crate::OpenFault;

pub use fingerprint::{Fingerprint, lend_key, take_key};
pub use leave::{Gatekeeper, Leave, Outcome, PinAtToken, Try, any_may_be_wrong, end_all};
pub use source::{Place, descriptor};

static GATEKEEPER: OnceLock<Gatekeeper> = OnceLock::new();

/// From now on each try of a PIN by this process, on whichever thread, is asked for before, and its
/// outcome told. A second call changes nothing.
pub fn ask_before_each_try(gatekeeper: Gatekeeper) {
    let _ = GATEKEEPER.set(gatekeeper);
}

/// Held while a PIN is tried, so that two threads of this process never try one at the same time.
static TRYING: Mutex<()> = Mutex::new(());

/// What a token said to a PIN.
pub enum Answer {
    Taken,
    /// Nothing: this process was logged in already.
    Standing,
    /// With the token's word for it.
    Refused(String),
    /// Nothing: the token is not there.
    NotReached(OpenFault),
}

/// Tries the PIN that lies there on the token with this serial number, once: never one that was
/// refused. `attempt` is the login itself. Nobody else tries one at the same time.
pub fn try_once(
    file: &Place,
    serial: &str,
    attempt: impl FnOnce(&AuthPin) -> Result<Answer, OpenFault>,
) -> Result<(), OpenFault> {
    let pin = source::read(file)?;
    let refused = |why: &str| {
        OpenFault::lasting(
            format!("the token refused the PIN of {}: {why}", file.display()),
            file.cure_of_wrong(),
        )
    };
    let tried = PinAtToken {
        serial: serial.to_owned(),
        fingerprint: fingerprint::of(&pin)?,
    };
    let _alone = TRYING.lock().unwrap_or_else(PoisonError::into_inner);
    let leave = match GATEKEEPER.get() {
        _ if leave::is_refused(&tried) => Leave::Refused,
        Some(gatekeeper) => (gatekeeper.ask)(&tried).map_err(|error| {
            OpenFault::new(
                format!("nobody says whether a PIN may be tried: {error}"),
                "see what became of the gateway",
            )
        })?,
        None => Leave::Given,
    };
    match leave {
        Leave::Given => {}
        Leave::Refused => return Err(refused("it was tried before")),
        Leave::UnderWay => {
            return Err(OpenFault::new(
                format!("the PIN of {} is being tried already", file.display()),
                "see why the token takes so long to log in",
            ));
        }
        Leave::Ending => {
            return Err(OpenFault::new(
                format!(
                    "the PIN of {} is not tried: the gateway ends",
                    file.display()
                ),
                "nothing is to be done about it",
            ));
        }
        Leave::Unheard => {
            return Err(OpenFault::new(
                format!(
                    "it has not been heard what became of the last logins with the PIN of {}",
                    file.display()
                ),
                "see why the token does not answer logins. A PIN that may be wrong is tried once \
                 more at once, then after a while and ever more seldom, up to an hour, lest it \
                 lock the token; one that is corrected in its file is tried at once",
            ));
        }
    }
    let answer = attempt(&AuthPin::from(pin.as_str()));
    let outcome = match &answer {
        Ok(Answer::Taken) => Outcome::Taken,
        Ok(Answer::Standing) => Outcome::Standing,
        Ok(Answer::Refused(_)) => Outcome::Refused,
        Ok(Answer::NotReached(_)) => Outcome::NotReached,
        Err(_) => Outcome::Failed,
    };
    if outcome == Outcome::Refused {
        leave::refuse(tried.clone());
    }
    if let Some(gatekeeper) = GATEKEEPER.get()
        && let Err(error) = (gatekeeper.tell)(&tried, outcome)
    {
        tracing::error!(%error, "the gateway was not told what became of a login");
    }
    match answer? {
        Answer::Taken | Answer::Standing => Ok(()),
        Answer::Refused(why) => Err(refused(&why)),
        Answer::NotReached(fault) => Err(fault),
    }
}
