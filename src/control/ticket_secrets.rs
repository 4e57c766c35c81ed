//! Secrets for session tickets that lie in a token: asked for by a thread of their own, a slot
//! ahead, so that no handshake ever waits for them.

use std::io;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use hsm::{OpenFault, Pkcs11Source};
use zeroize::Zeroizing;

use crate::clock::UnixSeconds;
use crate::tls::{NAME_BYTES, SharedSecret, TicketKeys, Wanted};

/// Between two looks at what is wanted. There is a whole slot for each.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two questions to a token that does not answer, at most.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// A secret key in a token, and the name that it has said to be its own.
pub struct TokenSecret {
    source: Pkcs11Source,
    name_label: Vec<u8>,
    name: [u8; NAME_BYTES],
}

impl TokenSecret {
    /// Asks for the name of a key's tickets.
    ///
    /// # Errors
    /// What the token, or the way to it, lacks.
    pub fn find(source: Pkcs11Source, slot: Duration) -> Result<Self, OpenFault> {
        let name_label = SharedSecret::name_label(slot);
        let said = hsm::macs(&source, std::slice::from_ref(&name_label))?;
        Ok(Self {
            source,
            name_label,
            name: name_in(said.first()),
        })
    }

    /// One whose name was said before, without asking again.
    pub fn known(source: Pkcs11Source, slot: Duration, name: [u8; NAME_BYTES]) -> Self {
        Self {
            source,
            name_label: SharedSecret::name_label(slot),
            name,
        }
    }

    /// What is known of it here.
    pub fn shared(&self) -> SharedSecret {
        SharedSecret::InToken { name: self.name }
    }

    /// Asks for all that is wanted of this key, in one go, and its name with it: whatever stands
    /// in its place by now is not to seal under it.
    fn ask(
        &self,
        wanted: &[&Wanted],
        keys: &TicketKeys,
        now: UnixSeconds,
    ) -> Result<(), OpenFault> {
        let labels = wanted.iter().map(|wanted| wanted.label.clone());
        let labels: Vec<_> = std::iter::once(self.name_label.clone())
            .chain(labels)
            .collect();
        let said = hsm::macs(&self.source, &labels)?;
        if name_in(said.first()) != self.name {
            return Err(OpenFault::new(
                "another key stands in the token under the name of the ticket secret",
                "bring the key back, or give the new one as second_uri first",
            ));
        }
        for (wanted, secret) in wanted.iter().zip(said.iter().skip(1)) {
            keys.hold(wanted, secret, now);
        }
        Ok(())
    }
}

fn name_in(said: Option<&Zeroizing<[u8; 32]>>) -> [u8; NAME_BYTES] {
    let first = said.and_then(|said| said.first_chunk().copied());
    first.unwrap_or_default()
}

/// Asks once for all that is wanted of one secret, which has this place among the keys'.
///
/// # Errors
/// Why its token did not answer.
pub fn ask(
    keys: &TicketKeys,
    (place, secret): (usize, &TokenSecret),
    now: UnixSeconds,
) -> Result<(), OpenFault> {
    let wanted = keys.wanted(now);
    let of_this: Vec<_> = wanted.iter().filter(|one| one.place == place).collect();
    match of_this.is_empty() {
        true => Ok(()),
        false => secret.ask(&of_this, keys, now),
    }
}

/// Goes on asking for as long as somebody holds the keys, the secrets by their places there.
///
/// # Errors
/// The kernel's, where the thread cannot be had.
pub fn keep_asking(keys: &Arc<TicketKeys>, secrets: Vec<(usize, TokenSecret)>) -> io::Result<()> {
    let keys = Arc::downgrade(keys);
    let thread = thread::Builder::new().name("t8gate-tickets".to_owned());
    thread.spawn(move || watch(&keys, &secrets)).map(drop)
}

fn watch(keys: &Weak<TicketKeys>, secrets: &[(usize, TokenSecret)]) {
    let mut pause = LOOK_EVERY;
    loop {
        thread::sleep(pause);
        let Some(keys) = keys.upgrade() else { return };
        let now = UnixSeconds::now();
        // All of them: one token may be away, and another not.
        let asked = secrets.iter();
        let asked = asked.map(|(place, secret)| ask(&keys, (*place, secret), now));
        match asked.fold(Ok(()), Result::and) {
            Ok(()) if pause > LOOK_EVERY => {
                tracing::info!("the token answers for session tickets again");
                pause = LOOK_EVERY;
            }
            Ok(()) => {}
            Err(OpenFault { what, cure, .. }) => {
                if pause == LOOK_EVERY {
                    tracing::error!(
                        what,
                        cure,
                        "the token does not say the next secrets of session tickets; when those \
                         that are held are used up, sessions are begun anew"
                    );
                }
                pause = (2 * pause).min(PAUSE_MAX);
            }
        }
    }
}
