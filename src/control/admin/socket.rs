//! The Unix socket of the operator: nobody but the gateway's own user and root is answered there,
//! whoever else may open it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use axum::{Extension, Router};
use socket2::{Domain, SockAddr, Socket, Type};

use super::revocations::Asker;

/// For its owner alone.
const MODE: u32 = 0o600;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;

/// Why there is no socket.
#[derive(Debug)]
pub enum Unbound {
    /// Another process answers there.
    Taken,
    /// Something else stands there.
    NoSocket,
    Kernel(io::Error),
}

impl From<io::Error> for Unbound {
    fn from(error: io::Error) -> Self {
        Self::Kernel(error)
    }
}

/// The listening socket; its name is gone when it is dropped.
#[derive(Debug)]
pub struct AdminSocket {
    listener: UnixListener,
    _name: Name,
}

/// The name of a socket in the file system, as long as it is this socket's.
#[derive(Debug)]
struct Name {
    path: PathBuf,
    /// Device and inode.
    id: (u64, u64),
}

impl Drop for Name {
    fn drop(&mut self) {
        // Another gateway may have taken the place since.
        if id(&self.path).is_ok_and(|id| id == self.id) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn id(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

impl AdminSocket {
    /// Listens at `path`, in the place of a socket that an earlier process has left.
    ///
    /// # Errors
    /// Something else is there, or the kernel's.
    pub fn bind(path: &Path) -> Result<Self, Unbound> {
        match std::fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => return Err(Unbound::NoSocket),
            Ok(_) if is_answered(path)? => return Err(Unbound::Taken),
            _ => {}
        }
        // Made beside it and moved there: at no moment does one stand there that others can open,
        // and a client finds the old one or the new one.
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        match std::fs::symlink_metadata(&beside) {
            // Left by a start that came to its end in between.
            Ok(found) if found.file_type().is_socket() => std::fs::remove_file(&beside)?,
            Ok(_) => {
                let what = format!("{beside:?} is in the way, and is no socket");
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, what).into());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // The kernel takes the mode of a socket's name from the socket.
        let file = std::fs::File::from(OwnedFd::from(socket));
        file.set_permissions(std::fs::Permissions::from_mode(MODE))?;
        let socket = Socket::from(OwnedFd::from(file));
        socket.bind(&SockAddr::unix(&beside)?)?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let id = id(&beside)?;
        std::fs::rename(&beside, path)?;
        Ok(Self {
            listener: OwnedFd::from(socket).into(),
            _name: Name {
                path: path.to_owned(),
                id,
            },
        })
    }

    /// Serves until it is dropped.
    pub async fn serve(self, router: Router) {
        let listener = match tokio::net::UnixListener::from_std(self.listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "no admin socket"),
        };
        let own = rustix::process::geteuid().as_raw();
        let mut open = super::Open::default();
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    super::pause_after(&error).await;
                    continue;
                }
            };
            let Ok(asker) = stream.peer_cred() else {
                continue;
            };
            let (uid, pid) = (asker.uid(), asker.pid());
            if uid != own && uid != 0 {
                tracing::warn!(uid, pid, "turned away from the admin socket: another user");
                continue;
            }
            open.serve(stream, router.clone().layer(Extension(Asker { uid, pid })));
        }
    }
}

/// Whether a process listens there.
fn is_answered(path: &Path) -> io::Result<bool> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A listener whose queue is full is one as well.
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Ok(()) => Ok(true),
        Err(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Ok(false),
            io::ErrorKind::WouldBlock => Ok(true),
            _ => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_socket_is_for_its_owner_and_takes_the_place_of_one_that_was_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let first = AdminSocket::bind(&path).unwrap();
        let mode = std::fs::symlink_metadata(&path)
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, MODE);
        assert!(matches!(AdminSocket::bind(&path), Err(Unbound::Taken)));
        // As a crash does: the name stays, and nobody listens.
        let AdminSocket { listener, _name } = first;
        drop(listener);
        assert!(path.exists());
        // A child that another test is just about to start has the listener until it is another
        // program, and is answered for as long.
        let mut tries = 1_000;
        let second = loop {
            match AdminSocket::bind(&path) {
                Err(Unbound::Taken) if tries > 0 => tries -= 1,
                bound => break bound.unwrap(),
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        drop(_name);
        assert!(path.exists(), "it is another one's by now");
        drop(second);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        std::fs::write(&path, "precious").unwrap();
        assert!(matches!(AdminSocket::bind(&path), Err(Unbound::NoSocket)));
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        // Nor is what stands where it is made.
        let other = folder.path().join("other.sock");
        let beside = folder.path().join("other.sock.new");
        std::fs::write(&beside, "precious").unwrap();
        assert!(matches!(AdminSocket::bind(&other), Err(Unbound::Kernel(_))));
        assert_eq!(std::fs::read(&beside).unwrap(), b"precious");
        std::fs::remove_file(&beside).unwrap();
        drop(UnixListener::bind(&beside).unwrap());
        assert!(AdminSocket::bind(&other).is_ok(), "a socket that was left");
    }
}
