//! SoftHSM behind `p11-kit server`, which serves each connection by a process of its own.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::harness::softhsm::{LABEL, PIN, Token};
use crate::harness::{command, installed, run_well, wait_until};
use crate::relay::Relay;

pub struct RemoteToken {
    /// What the token is kept by, on the far side.
    pub token: Token,
    /// On this side: p11-kit's client, for `tls.key.module`.
    pub module: PathBuf,
    /// For whatever loads that.
    pub environment: Vec<(String, String)>,
    pub relay: Relay,
    socket: PathBuf,
    server: Option<Child>,
}

impl RemoteToken {
    /// Serves `token` over sockets below `folder`.
    pub fn serve(token: Token, folder: &Path) -> Self {
        let module = installed(&[
            "/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so",
            "/usr/lib/aarch64-linux-gnu/pkcs11/p11-kit-client.so",
            "/usr/lib64/pkcs11/p11-kit-client.so",
        ]);
        let (near, socket) = (folder.join("near"), folder.join("far"));
        let address = format!("unix:path={}", near.display());
        let mut remote = Self {
            token,
            module,
            environment: vec![("P11_KIT_SERVER_ADDRESS".to_owned(), address)],
            relay: Relay::start(&near, socket.clone()),
            socket,
            server: None,
        };
        remote.start();
        remote
    }

    /// Starts the server, which must not run.
    pub fn start(&mut self) {
        assert!(self.server.is_none(), "it runs");
        let _ = std::fs::remove_file(&self.socket);
        let mut server = command("p11-kit");
        server.args(["server", "--foreground", "--name"]);
        server.arg(&self.socket);
        server
            .arg("--provider")
            .arg(&self.token.module)
            .arg("pkcs11:");
        server.env("SOFTHSM2_CONF", &self.token.configuration);
        server.stdin(Stdio::null()).stdout(Stdio::null());
        // A group of its own, with the processes of its connections.
        server.process_group(0);
        self.server = Some(server.spawn().expect("p11-kit: apt-get install p11-kit"));
        wait_until("p11-kit server to listen", || self.socket.exists());
    }

    /// Ends it and the processes of its connections, as a crash of the appliance would.
    pub fn kill(&mut self) {
        self.signal("KILL");
        let mut server = self.server.take().expect("it runs");
        let _ = server.wait();
    }

    /// Has it stop, or go on, where it is.
    pub fn signal(&self, name: &str) {
        let group = self.server.as_ref().expect("it runs").id();
        run_well(command("kill").args([&format!("-{name}"), "--", &format!("-{group}")]));
    }

    /// Deletes a key pair on the far side.
    pub fn delete_key(&self, object: &str) {
        for kind in ["privkey", "pubkey"] {
            let mut tool = command("pkcs11-tool");
            tool.env("SOFTHSM2_CONF", &self.token.configuration);
            tool.arg("--module").arg(&self.token.module);
            tool.args(["--token-label", LABEL, "--login", "--pin", PIN]);
            run_well(tool.args(["--delete-object", "--type", kind, "--label", object]));
        }
    }

    /// Delays each signature by so long: it takes three calls, which pass in this many pieces.
    pub fn delay_signatures(&self, by: Duration, pieces: u32) {
        self.relay.delay(by / pieces);
    }
}

impl Drop for RemoteToken {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            let group = format!("-{}", server.id());
            let _ = command("kill").args(["-KILL", "--", &group]).status();
            let _ = server.wait();
        }
    }
}
