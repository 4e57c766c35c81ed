//! A software token that holds the same server keys as the files, so that one certificate serves
//! both rows.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fault::{Fault, about};
use crate::ground::KeyKind;
use crate::process::installed;

const LABEL: &str = "t8bench";
/// Guards nothing: the keys lie beside the token in files.
const PIN: &str = "24681357";
const MODULES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
];
const ENGINES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/engines-3/pkcs11.so",
    "/usr/lib/aarch64-linux-gnu/engines-3/pkcs11.so",
    "/usr/lib64/engines-3/pkcs11.so",
];

/// A token.
pub struct SoftHsm {
    pub module: PathBuf,
    /// A file with the PIN, closed to others.
    pub pin_file: PathBuf,
    /// `SOFTHSM2_CONF` of whoever uses it.
    pub configuration: PathBuf,
    /// `OPENSSL_CONF` of who comes through OpenSSL's engine.
    pub openssl: PathBuf,
}

impl SoftHsm {
    /// Makes a token below `directory` and imports keys from their PEM files (PKCS#8).
    ///
    /// # Errors
    /// When SoftHSM or OpenSSL's PKCS#11 engine is not installed, or does not take them.
    pub fn import(directory: &Path, keys: &[(KeyKind, PathBuf)]) -> Result<Self, Fault> {
        let module = first(&MODULES, "softhsm2")?;
        let engine = first(&ENGINES, "libengine-pkcs11-openssl")?;
        let store = directory.join("tokens");
        about(store.display(), std::fs::create_dir_all(&store))?;
        let write = |name: &str, text: String| {
            let path = directory.join(name);
            about(path.display(), std::fs::write(&path, text)).map(|()| path)
        };
        let configuration = write(
            "softhsm2.conf",
            format!(
                "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
                store.display()
            ),
        )?;
        let pin_file = write("pin", format!("{PIN}\n"))?;
        close(&pin_file)?;
        let openssl = write(
            "openssl-pkcs11.cnf",
            openssl_configuration(&engine, &module),
        )?;
        let token = Self {
            module,
            pin_file,
            configuration,
            openssl,
        };
        token.tool(&[
            "--init-token",
            "--free",
            "--so-pin",
            "13579111",
            "--label",
            LABEL,
        ])?;
        for (place, (kind, file)) in keys.iter().enumerate() {
            let file = file.display().to_string();
            let id = format!("{:02x}", place + 1);
            let (token_label, label) = (LABEL, kind.word());
            token.tool(&[
                "--import",
                &file,
                "--token",
                token_label,
                "--label",
                label,
                "--id",
                &id,
            ])?;
        }
        Ok(token)
    }

    /// The RFC 7512 URI of a key.
    pub fn uri(kind: KeyKind) -> String {
        format!("pkcs11:token={LABEL};object={};type=private", kind.word())
    }

    fn tool(&self, arguments: &[&str]) -> Result<(), Fault> {
        let tool = installed("softhsm2-util", "softhsm2")?;
        let mut command = Command::new(&tool);
        command.args(arguments).args(["--pin", PIN]);
        command.env("SOFTHSM2_CONF", &self.configuration);
        let output = about(tool.display(), command.output())?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Fault::new(format!(
            "softhsm2-util {}: {}",
            arguments[0],
            said.trim()
        )))
    }
}

fn first(candidates: &[&str], package: &str) -> Result<PathBuf, Fault> {
    let mut paths = candidates.iter().map(PathBuf::from);
    let found = paths.find(|path| path.is_file());
    found.ok_or_else(|| {
        Fault::new(format!("{} is missing", candidates[0]))
            .hint(format!("apt-get install {package}"))
    })
}

fn close(file: &Path) -> Result<(), Fault> {
    use std::os::unix::fs::PermissionsExt as _;
    let owner_only = std::fs::Permissions::from_mode(0o600);
    about(file.display(), std::fs::set_permissions(file, owner_only))
}

fn openssl_configuration(engine: &Path, module: &Path) -> String {
    format!(
        "openssl_conf = start\n[start]\nengines = engines\n[engines]\npkcs11 = pkcs11\n\
         [pkcs11]\nengine_id = pkcs11\ndynamic_path = {}\nMODULE_PATH = {}\n\
         PIN = {PIN}\ninit = 0\n",
        engine.display(),
        module.display()
    )
}
