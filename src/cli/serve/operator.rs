//! What serves the operator beside the shards: the admin listener, the admin socket, and the desk
//! at which things are revoked.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::fault;
use crate::clock::UnixSeconds;
use crate::config::{Config, Fault, Until};
use crate::control::admin::revocations::{self, Revoking};
use crate::control::admin::socket::{AdminSocket, Unbound};
use crate::control::admin::{self, Admin, Parts};
use crate::revoked::StoreFault;
use crate::revoked::desk::Desk;
use crate::snapshot::Snapshot;

/// The thread of the admin listener; it ends when this is dropped.
pub(super) struct AdminThread {
    _until: tokio::sync::oneshot::Sender<()>,
}

/// Starts the thread that answers on the admin listener and socket; none where there is neither.
pub(super) fn start_admin(
    listener: Option<std::net::TcpListener>,
    parts: Parts,
    socket: Option<AdminSocket>,
    revoking: Revoking,
) -> io::Result<Option<AdminThread>> {
    if listener.is_none() && socket.is_none() {
        return Ok(None);
    }
    let (until, told) = tokio::sync::oneshot::channel::<()>();
    if let Some(listener) = &listener {
        listener.set_nonblocking(true)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let admin = Admin::new(parts);
    let revocations = revocations::router(Arc::new(revoking));
    std::thread::Builder::new()
        .name("t8gate-admin".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                let serving = async {
                    match listener.map(tokio::net::TcpListener::from_std) {
                        Some(Ok(listener)) => admin::serve(listener, admin).await,
                        Some(Err(error)) => tracing::error!(%error, "no admin listener"),
                        None => {}
                    }
                };
                let revoking = async {
                    if let Some(socket) = socket {
                        socket.serve(revocations).await;
                    }
                };
                tokio::select! {
                    ((), ()) = async { tokio::join!(serving, revoking) } => {}
                    _ = told => {}
                }
            });
        })?;
    Ok(Some(AdminThread { _until: until }))
}

pub(super) type Opened = (Arc<Desk>, Option<JoinHandle<()>>);

/// Opens the store of revocations, and puts into force what it holds.
pub(super) fn open_desk(config: &Config, snapshot: &Snapshot) -> Result<Opened, Fault> {
    let Some(at) = &config.revocation.store else {
        return Ok((Desk::without_store(), None));
    };
    let revoked = Arc::clone(&snapshot.revoked);
    let opened = Desk::open(&at.value, revoked, UnixSeconds::now());
    let (desk, clerk) = opened.map_err(|StoreFault { what, cure, lasts }| Fault {
        until: if lasts { Until::Mended } else { Until::Back },
        ..fault(at.line, "revocation.store", what, cure)
    })?;
    Ok((desk, Some(clerk)))
}

pub(super) fn admin_socket(config: &Config) -> Result<Option<AdminSocket>, Fault> {
    let Some(at) = config
        .admin
        .as_ref()
        .and_then(|admin| admin.socket.as_ref())
    else {
        return Ok(None);
    };
    let path = at.value.display();
    let bound = AdminSocket::bind(&at.value);
    let (what, cure) = match bound {
        Ok(socket) => return Ok(Some(socket)),
        Err(Unbound::Taken) => (
            format!("another process answers at {path}"),
            "stop it, or name another path for the socket",
        ),
        Err(Unbound::NoSocket) => (
            format!("{path} is no socket"),
            "name a path where nothing stands",
        ),
        Err(Unbound::Kernel(error)) => (
            format!("{path}: {error}"),
            "name a path in a folder that the user of the gateway can write",
        ),
    };
    Err(fault(at.line, "admin.socket", what, cure))
}
