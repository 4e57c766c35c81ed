//! The sessions of one key in a token: opened at start, lent for one signature each, and brought
//! back after a fault only with the same key.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::thread;
use std::time::Duration;

use crossbeam::queue::ArrayQueue;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki::slot::Slot;

use crate::pkcs11::{self, Module, NotSigned, Round, TokenFault};
use crate::public::PublicKey;
use crate::uri::KeyUri;
use crate::{KeyKind, OpenFault, Pkcs11Source, Scheme, SignFault, pin};

/// More is a slip of the pen: threads that sign are as many as sessions.
const SESSIONS_MAX: usize = 1024;
/// Between two sessions that are opened at the start: an HSM that many gateways share, and that
/// comes back for all of them at once, must not be stormed.
const SESSION_PAUSE: Duration = Duration::from_millis(2);

pub struct TokenKey {
    module: Arc<Module>,
    uri: KeyUri,
    pin: pin::Place,
    kind: KeyKind,
    schemes: Vec<Scheme>,
    /// The one key that may sign, by its public key: said by the token at open, or else by the
    /// certificate it was proved against. Never changes after.
    identity: OnceLock<PublicKey>,
    /// Sessions nobody is signing with. Seats in here and seats lent out: `sessions`, always.
    seats: ArrayQueue<Seat>,
    /// Held while sessions are opened again, so that a lost token sees one login, not `sessions`.
    door: Mutex<Door>,
}

/// Why a signature was not made, and the module's word for that, if it said one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmade {
    pub fault: SignFault,
    pub why: String,
}

impl From<SignFault> for Unmade {
    fn from(fault: SignFault) -> Self {
        let why = String::new();
        Self { fault, why }
    }
}

impl From<NotSigned> for Unmade {
    fn from(not: NotSigned) -> Self {
        let fault = not.fault.into();
        Self {
            fault,
            why: not.why,
        }
    }
}

/// A session that can sign. None: it was lost, and the next signature tries to get another.
struct Seat(Option<Held>);

struct Held {
    session: Session,
    key: ObjectHandle,
    /// In which the session was opened: it is gone in any other.
    round: Round,
}

struct Door {
    /// A session that never signs: as long as it is open, the login stands, whatever becomes of
    /// the others.
    idle: Session,
    /// In which that was opened.
    round: Round,
}

/// A seat on loan; it goes back whatever happens.
struct Loan<'a> {
    pool: &'a TokenKey,
    seat: Seat,
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        // There is room: the queue is as large as the number of seats.
        let _ = self.pool.seats.push(Seat(self.seat.0.take()));
    }
}

impl TokenKey {
    /// Err: the key is gone where the token says so, else the token.
    pub fn open(source: &Pkcs11Source, pin: pin::Place) -> Result<Self, (SignFault, OpenFault)> {
        let gone = |fault| (SignFault::TokenGone, fault);
        if source.sessions == 0 || source.sessions > SESSIONS_MAX {
            return Err(gone(OpenFault::lasting(
                format!("{} sessions with the token", source.sessions),
                format!("set `sessions` to 1 up to {SESSIONS_MAX}; 2 per CPU is a good start"),
            )));
        }
        let uri = KeyUri::of(source).map_err(gone)?;
        let module = pkcs11::module(&source.module).map_err(gone)?;
        let entered = module.enter();
        let (context, round) = (&module.context, *entered);
        let (slot, token) = pkcs11::find_token(context, &uri).map_err(gone)?;
        let idle = pkcs11::open_session(context, slot).map_err(gone)?;
        // Another key's login is this one's, and not to be asked leave for.
        if !pkcs11::is_logged_in(&idle) {
            pkcs11::login(&idle, &token, &pin).map_err(gone)?;
        }
        let found = pkcs11::find_key(&idle, &uri)?;
        let schemes = pkcs11::schemes(context, slot, found.kind).map_err(gone)?;
        let seats = ArrayQueue::new(source.sessions);
        for number in 0..source.sessions {
            if number > 0 {
                thread::sleep(SESSION_PAUSE);
            }
            let session = pkcs11::open_session(context, slot).map_err(gone)?;
            // Handles are the token's, not the session's, while the application stays logged in.
            let _ = seats.push(Seat(Some(Held {
                session,
                key: found.handle,
                round,
            })));
        }
        drop(entered);
        Ok(Self {
            module,
            uri,
            pin,
            kind: found.kind,
            schemes,
            identity: found.public.map(OnceLock::from).unwrap_or_default(),
            seats,
            door: Mutex::new(Door { idle, round }),
        })
    }

    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    pub fn schemes(&self) -> &[Scheme] {
        &self.schemes
    }

    /// The key that may sign; None: the token does not say and no certificate has yet.
    pub fn identity(&self) -> Option<&PublicKey> {
        self.identity.get()
    }

    /// Takes a proved public key as this key's identity. Err: it has another already.
    pub fn remember(&self, public: PublicKey) -> Result<(), ()> {
        if *self.identity.get_or_init(|| public.clone()) == public {
            Ok(())
        } else {
            Err(())
        }
    }

    /// Signs what was hashed as `scheme` says with the key that may sign; refuses where no key has
    /// been said to.
    pub fn sign(&self, scheme: Scheme, hashed: &[u8]) -> Result<Vec<u8>, SignFault> {
        let identity = self.identity.get().ok_or(SignFault::Refused)?;
        self.sign_for(scheme, hashed, Some(identity))
            .map_err(|unmade| unmade.fault)
    }

    /// Signs for whoever is about to prove the key to be `identity`. Without one, nothing that was
    /// lost is brought back: nothing could be held against it.
    pub fn sign_for(
        &self,
        scheme: Scheme,
        hashed: &[u8],
        identity: Option<&PublicKey>,
    ) -> Result<Vec<u8>, Unmade> {
        let round = self.module.enter();
        let seat = self.seats.pop().ok_or(SignFault::Busy)?;
        let mut loan = Loan { pool: self, seat };
        if let Some(held) = loan.seat.0.take_if(|held| held.round != *round) {
            forget(held.session);
        }
        let (mut standing, mut login_is_lost) = (None, false);
        if let Some(held) = &loan.seat.0 {
            match pkcs11::sign(&held.session, held.key, scheme, hashed) {
                Ok(signature) => return Ok(signature),
                Err(not) => {
                    match not.fault {
                        TokenFault::Refused => return Err(not.into()),
                        TokenFault::Login | TokenFault::Handle => standing = loan.seat.0.take(),
                        TokenFault::Session | TokenFault::Device => loan.seat.0 = None,
                    }
                    if identity.is_none() {
                        return Err(not.into());
                    }
                    login_is_lost = not.fault == TokenFault::Login;
                }
            }
        }
        let identity = identity.ok_or(SignFault::TokenGone)?;
        let standing = standing.map(|held| held.session);
        let held = self.mend(identity, *round, standing, login_is_lost)?;
        let answer = pkcs11::sign(&held.session, held.key, scheme, hashed);
        match &answer {
            Ok(_) => tracing::warn!("a session with the token was lost and has been mended"),
            Err(not) if not.fault == TokenFault::Session => return Err(not.clone().into()),
            Err(_) => {}
        }
        loan.seat.0 = Some(held);
        // The key has just signed in this session: whatever the token says is about what it was
        // asked for, by whoever likes to ask, and the key serves others on.
        answer.map_err(|NotSigned { why, .. }| Unmade {
            fault: SignFault::Refused,
            why,
        })
    }

    /// Has the module look for its tokens as at the start, where it does not see this key's. Some
    /// never see one again that was away; SoftHSM is of them.
    pub fn revive(&self) {
        let entered = self.module.enter();
        let seen = pkcs11::find_token(&self.module.context, &self.uri).is_ok();
        drop(entered);
        if seen {
            return;
        }
        if let Err(fault) = self.module.renew() {
            tracing::error!(what = %fault.what, cure = %fault.cure, "the token is not to be seen");
        }
    }

    /// The session `standing`, or a new one in place of a lost one, fit to sign: logs in if that is
    /// needed, once, finds the key again, which may have another number now, and has it prove that
    /// it is the one it was.
    fn mend(
        &self,
        identity: &PublicKey,
        round: Round,
        standing: Option<Session>,
        login_is_lost: bool,
    ) -> Result<Held, Unmade> {
        let mut door = self.enter_door();
        let context = &self.module.context;
        let (slot, token) = pkcs11::find_token(context, &self.uri)
            .map_err(|fault| gone(SignFault::TokenGone, &fault))?;
        let session = match standing {
            Some(session) => session,
            None => pkcs11::open_session(context, slot)
                .map_err(|fault| gone(SignFault::TokenGone, &fault))?,
        };
        // What a module says of a session in which a signature found no login is not relied on. A
        // login that stands is not asked leave for: the PIN may be another by now.
        if login_is_lost || !pkcs11::is_logged_in(&session) {
            pkcs11::login(&session, &token, &self.pin)
                .map_err(|fault| gone(SignFault::TokenGone, &fault))?;
        }
        self.keep_login(&mut door, slot, round)?;
        let found =
            pkcs11::find_key(&session, &self.uri).map_err(|(class, fault)| gone(class, &fault))?;
        let scheme = *self.schemes.first().ok_or(SignFault::Unsupported)?;
        let message = crate::fresh_message()?;
        let hashed = scheme.hashed(&message);
        let signature = pkcs11::sign(&session, found.handle, scheme, hashed.as_ref())?;
        if found.kind != self.kind || !identity.verifies(scheme, &message, &signature) {
            tracing::error!("another key stands in the token under the name of the server key");
            return Err(SignFault::KeyGone.into());
        }
        Ok(Held {
            session,
            key: found.handle,
            round,
        })
    }

    fn enter_door(&self) -> MutexGuard<'_, Door> {
        self.door
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Has a session that never signs stay open.
    fn keep_login(&self, door: &mut Door, slot: Slot, round: Round) -> Result<(), SignFault> {
        let same_round = door.round == round;
        if !same_round || door.idle.get_session_info().is_err() {
            let idle = pkcs11::open_session(&self.module.context, slot)
                .map_err(|fault| gone(SignFault::TokenGone, &fault))?;
            let before = std::mem::replace(&mut door.idle, idle);
            if !same_round {
                forget(before);
            }
            door.round = round;
        }
        Ok(())
    }
}

/// Lets go of a session of an earlier round, without closing it: its number may be another's now.
fn forget(session: Session) {
    std::mem::forget(session);
}

/// Says in the log what a request is not told.
fn gone(as_seen: SignFault, fault: &OpenFault) -> SignFault {
    tracing::error!(what = %fault.what, cure = %fault.cure, "{as_seen}");
    as_seen
}
