//! Whether a connection's certificate is still trusted. What is trusted may change while a
//! connection stands: then it is judged again, and ended where it would not be let in now.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use slab::Slab;
use socket2::Socket;

use crate::clock::UnixSeconds;
use crate::peer::{ClientIndex, Peer};
use crate::snapshot::Snapshot;
use crate::tls::ocsp::Known;
use crate::tls::{Refusal, Terminator};

/// All connections of a shard that have shown a certificate.
#[derive(Default)]
pub struct Standings {
    all: RefCell<Slab<Rc<Judged>>>,
}

/// One connection's place among them; given up when it is dropped.
pub struct Standing {
    place: usize,
    judged: Rc<Judged>,
    standings: Rc<Standings>,
    /// What responders say of its certificate: they are asked again while somebody holds it.
    _status: Option<Arc<Known>>,
}

/// A connection that has just been ended.
#[derive(Clone, Copy, Debug)]
pub struct Lost {
    pub client: ClientIndex,
    pub address: SocketAddr,
    /// What it would be refused for now.
    pub refusal: Refusal,
}

struct Judged {
    peer: Peer,
    address: SocketAddr,
    socket: Rc<Socket>,
    /// Its client may not come from there.
    is_elsewhere: Cell<bool>,
    /// It waits for a request and for nothing else.
    idle: Cell<bool>,
    /// Tokens were verified against what is no longer in force.
    tokens_outdated: Cell<bool>,
    lost: Cell<Option<Refusal>>,
}

impl Standings {
    /// Enters a connection.
    pub fn enter(self: &Rc<Self>, peer: Peer, address: SocketAddr, socket: Rc<Socket>) -> Standing {
        let judged = Rc::new(Judged {
            peer,
            address,
            socket,
            is_elsewhere: Cell::new(false),
            idle: Cell::new(false),
            tokens_outdated: Cell::new(false),
            lost: Cell::new(None),
        });
        let place = self.all.borrow_mut().insert(Rc::clone(&judged));
        Standing {
            place,
            judged,
            standings: Rc::clone(self),
            _status: None,
        }
    }

    /// Judges all connections anew; those that are no longer trusted come back. One that waits for
    /// a request ends itself, once it is woken; any other finds its socket shut.
    pub fn judge(&self, terminator: &Terminator, now: UnixSeconds) -> Vec<Lost> {
        let all = self.all.borrow();
        // Many connections show the same certificate.
        let mut verdicts = HashMap::new();
        let lost = all.iter().filter_map(|(_, judged)| {
            let verdict = verdicts
                .entry(judged.peer.thumbprint())
                .or_insert_with(|| terminator.still_trusts(&judged.peer, now));
            judged.end((*verdict).err()?)
        });
        lost.collect()
    }

    /// Looks anew which connections come from where their clients may come from.
    pub fn place(&self, snapshot: &Snapshot) {
        for (_, judged) in self.all.borrow().iter() {
            judged.place(snapshot);
        }
    }

    /// Has all connections forget what their tokens granted.
    pub fn outdate_tokens(&self) {
        for (_, judged) in self.all.borrow().iter() {
            judged.tokens_outdated.set(true);
        }
    }
}

impl Judged {
    fn place(&self, snapshot: &Snapshot) {
        let client = snapshot.client(self.peer.client());
        let is_elsewhere = client.is_some_and(|client| !client.comes_from(self.address.ip()));
        self.is_elsewhere.set(is_elsewhere);
    }

    /// Ends the connection, which is no longer trusted; none where that has been done before.
    fn end(&self, refusal: Refusal) -> Option<Lost> {
        if self.lost.replace(Some(refusal)).is_some() {
            return None;
        }
        if !self.idle.get() {
            // An error means that the other end has gone already.
            let _ = self.socket.shutdown(Shutdown::Both);
        }
        Some(Lost {
            client: self.peer.client(),
            address: self.address,
            refusal,
        })
    }
}

impl Standing {
    /// Holds what responders say of its certificate, for as long as it stands.
    #[must_use]
    pub fn holding(mut self, status: Option<Arc<Known>>) -> Self {
        self._status = status;
        self
    }

    /// Judges this one connection, which came while what is trusted was replaced.
    pub fn judge(&self, terminator: &Terminator, now: UnixSeconds) -> Option<Lost> {
        let refusal = terminator.still_trusts(self.peer(), now).err()?;
        self.judged.end(refusal)
    }

    /// Looks whether this one connection comes from where its client may come from.
    pub fn place(&self, snapshot: &Snapshot) {
        self.judged.place(snapshot);
    }

    /// Whether its client may not come from there: as it was looked up when it came, and whenever
    /// something else was in force since then.
    pub fn is_elsewhere(&self) -> bool {
        self.judged.is_elsewhere.get()
    }

    /// Who the connection is with.
    pub fn peer(&self) -> &Peer {
        &self.judged.peer
    }

    /// Why its certificate is no longer trusted, if it is not.
    pub fn lost(&self) -> Option<Refusal> {
        self.judged.lost.get()
    }

    /// Notes whether the connection waits for a request and will look at [`Self::lost`] when it is
    /// woken.
    pub fn set_idle(&self, idle: bool) {
        self.judged.idle.set(idle);
    }

    /// Whether tokens have to be verified again since the last call.
    pub fn take_tokens_outdated(&self) -> bool {
        self.judged.tokens_outdated.take()
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.standings.all.borrow_mut().remove(self.place);
    }
}
