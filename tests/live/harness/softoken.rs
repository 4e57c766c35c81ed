//! NSS softoken of one test's own, without keys: another PKCS#11 implementation than SoftHSM,
//! which p11-kit serves over a socket.

use std::path::Path;
use std::process::{Child, Stdio};

use super::softhsm::Token;
use super::{command, wait_until};

/// The server of the token; killed when dropped.
pub struct Softoken {
    pub token: Token,
    /// For whatever opens the token.
    pub environment: Vec<(String, String)>,
    child: Child,
}

impl Softoken {
    /// In `folder`, which must not exist, below one that every user may enter.
    ///
    /// # Panics
    /// Without NSS or p11-kit; the script says what to install.
    pub fn start(folder: &Path) -> Self {
        let said = folder.with_extension("said");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/hsm/softokn.sh");
        let mut child = command(script)
            .arg(folder)
            .stdout(std::fs::File::create(&said).expect("a writable directory"))
            .stderr(Stdio::inherit())
            .spawn()
            .expect("bash runs softokn.sh");
        wait_until("softokn.sh serves", || {
            assert!(child.try_wait().expect("our own child").is_none());
            folder.join("socket").exists()
        });
        let text = std::fs::read_to_string(&said).expect("written by softokn.sh");
        let said = |mark: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(mark));
            line.expect("softokn.sh says where").to_owned()
        };
        let address = said("export P11_KIT_SERVER_ADDRESS=");
        Self {
            token: Token {
                module: said("# module: ").into(),
                uri: "pkcs11:token=t8gate-nss;object=server".to_owned(),
                pin_file: folder.join("pin"),
                configuration: folder.join("config"),
                spki: Vec::new(),
            },
            environment: vec![("P11_KIT_SERVER_ADDRESS".to_owned(), address)],
            child,
        }
    }
}

impl Drop for Softoken {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
