//! A SoftHSM token of one test's own, with a server key that was generated inside it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::pki::{Authority, CertificateFile, Key, Leaf};
use super::{command, installed, run_well};

/// The token's.
pub const LABEL: &str = "t8gate-test";
const OBJECT: &str = "server";
/// The user PIN. Long enough that it stands nowhere by chance.
pub const PIN: &str = "246810-opens-tokens-of-tests";

/// A token with one key pair.
#[derive(Clone)]
pub struct Token {
    /// The PKCS#11 module.
    pub module: PathBuf,
    /// RFC 7512 URI of the key.
    pub uri: String,
    /// File with the user PIN, readable by its owner only.
    pub pin_file: PathBuf,
    /// To be put in `SOFTHSM2_CONF`.
    pub configuration: PathBuf,
    /// SubjectPublicKeyInfo of the key, DER.
    pub spki: Vec<u8>,
}

impl Token {
    /// Initialises a token below `directory` and has it generate a key.
    ///
    /// # Panics
    /// Without SoftHSM or OpenSC, saying what to install: a test of the HSM never skips itself.
    pub fn generate(directory: &Path, key: Key) -> Self {
        let mut token = Self::empty(directory);
        let said = token.generate_key(key, OBJECT, "01");
        token.spki = match key {
            Key::Rsa2048 => token.read_public_key(directory, OBJECT),
            Key::P256 | Key::P384 => spki_of_point(key, &said),
        };
        token
    }

    /// Initialises a token without keys below `directory`, and has `uri` name one to come.
    ///
    /// # Panics
    /// Without SoftHSM, saying what to install.
    pub fn empty(directory: &Path) -> Self {
        let module = installed(&[
            "/usr/lib/softhsm/libsofthsm2.so",
            "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
            "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
            "/usr/lib64/pkcs11/libsofthsm2.so",
        ]);
        let store = directory.join("tokens");
        std::fs::create_dir_all(&store).expect("a writable directory");
        let configuration = directory.join("softhsm2.conf");
        let text = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            store.display()
        );
        std::fs::write(&configuration, text).expect("a writable directory");
        let token = Self {
            module,
            uri: format!("pkcs11:token={LABEL};object={OBJECT}"),
            pin_file: write_pin(directory, PIN),
            configuration,
            spki: Vec::new(),
        };
        token.initialise();
        token
    }

    /// A certificate of `authority` for the key in the token.
    pub fn certificate(&self, authority: &Authority, leaf: &Leaf) -> CertificateFile {
        authority.issue_for("token-server", leaf, &self.spki)
    }

    /// Generates a key pair; what pkcs11-tool said about it comes back.
    pub fn generate_key(&self, key: Key, object: &str, id: &str) -> String {
        let kind = match key {
            Key::P256 => "EC:prime256v1",
            Key::P384 => "EC:secp384r1",
            Key::Rsa2048 => "rsa:2048",
        };
        let arguments = [
            "--keypairgen",
            "--key-type",
            kind,
            "--label",
            object,
            "--id",
            id,
        ];
        run_well(self.tool().args(["--login", "--pin", PIN]).args(arguments))
    }

    /// Puts a private key that was made outside into the token.
    pub fn import_key(&self, key: &Path, object: &str) {
        let mut tool = command("softhsm2-util");
        tool.env("SOFTHSM2_CONF", &self.configuration);
        tool.arg("--import")
            .arg(key)
            .args(["--token", LABEL, "--pin", PIN]);
        let id = object
            .bytes()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>();
        run_well(tool.args(["--label", object, "--id", &id]));
    }

    /// Puts the right PIN back into the PIN file.
    pub fn restore_pin(&self) {
        write_pin(self.pin_file.parent().expect("a file"), PIN);
    }

    /// Generates another key pair on a curve; its SubjectPublicKeyInfo.
    pub fn generate_another(&self, key: Key, object: &str, id: &str) -> Vec<u8> {
        spki_of_point(key, &self.generate_key(key, object, id))
    }

    /// Generates a secret key, and says its URI.
    pub fn generate_secret(&self, object: &str, id: &str) -> String {
        let arguments = ["--keygen", "--key-type", "GENERIC:32", "--sensitive"];
        let named = ["--usage-sign", "--label", object, "--id", id];
        let mut tool = self.tool();
        run_well(
            tool.args(["--login", "--pin", PIN])
                .args(arguments)
                .args(named),
        );
        format!("pkcs11:token={LABEL};object={object};type=secret-key")
    }

    fn initialise(&self) {
        run_well(
            command("softhsm2-util")
                .env("SOFTHSM2_CONF", &self.configuration)
                .args(["--init-token", "--free", "--label", LABEL, "--pin", PIN])
                .args(["--so-pin", "13579111"]),
        );
    }

    fn read_public_key(&self, directory: &Path, object: &str) -> Vec<u8> {
        let file = directory.join("token-server.spki");
        let arguments = ["--read-object", "--type", "pubkey", "--label", object];
        run_well(self.tool().args(arguments).arg("--output-file").arg(&file));
        std::fs::read(&file).expect("written by pkcs11-tool")
    }

    fn tool(&self) -> std::process::Command {
        let mut tool = command("pkcs11-tool");
        tool.env("SOFTHSM2_CONF", &self.configuration);
        tool.arg("--module")
            .arg(&self.module)
            .args(["--token-label", LABEL]);
        tool
    }
}

/// Makes a SubjectPublicKeyInfo of the point that pkcs11-tool prints: OpenSC 0.23 cannot write a
/// P-384 public key to a file ("cannot create EVP_PKEY").
fn spki_of_point(key: Key, said: &str) -> Vec<u8> {
    let line = said
        .lines()
        .find_map(|line| line.trim().strip_prefix("EC_POINT:"));
    let text = line.expect("pkcs11-tool prints the point").trim();
    let digits = text
        .as_bytes()
        .chunks(2)
        .map(|pair| str::from_utf8(pair).expect("hexadecimal"));
    let octets: Vec<u8> = digits
        .map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal"))
        .collect();
    // An OCTET STRING of less than 128 octets around the point.
    let [0x04, _, point @ ..] = octets.as_slice() else {
        panic!("not an OCTET STRING: {text}")
    };
    // SEQUENCE { SEQUENCE { id-ecPublicKey, curve }, BIT STRING of the point }, up to the point.
    let before: &[u8] = match key {
        Key::P384 => &[
            0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
            0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
        ],
        _ => &[
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
            0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ],
    };
    [before, point].concat()
}

/// Writes a PIN file that its owner alone may read.
pub fn write_pin(directory: &Path, pin: &str) -> PathBuf {
    let path = directory.join("pin");
    std::fs::write(&path, format!("{pin}\n")).expect("a writable directory");
    let owner_only = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&path, owner_only).expect("our own file");
    path
}

/// OpenSC's spy between the gateway and the token's module: it writes down every call.
pub struct Spy {
    /// The module to configure in place of the token's.
    pub module: PathBuf,
    /// Names the true module and the log: the gateway's environment.
    pub environment: Vec<(String, String)>,
    /// What it listens to.
    pub token: Token,
    log: PathBuf,
}

impl Spy {
    pub fn on(token: &Token, directory: &Path) -> Self {
        let module = installed(&[
            "/usr/lib/x86_64-linux-gnu/pkcs11/pkcs11-spy.so",
            "/usr/lib/aarch64-linux-gnu/pkcs11/pkcs11-spy.so",
            "/usr/lib64/pkcs11/pkcs11-spy.so",
            "/usr/lib/pkcs11/pkcs11-spy.so",
        ]);
        let log = directory.join("pkcs11-spy.log");
        let environment = vec![
            ("PKCS11SPY".to_owned(), token.module.display().to_string()),
            ("PKCS11SPY_OUTPUT".to_owned(), log.display().to_string()),
        ];
        Self {
            module,
            environment,
            token: token.clone(),
            log,
        }
    }

    /// How many signatures have been made so far. Each is begun once; `C_Sign` is called twice,
    /// because cryptoki asks for the length first.
    pub fn signatures(&self) -> usize {
        self.calls("C_SignInit")
    }

    /// How often a function has been called so far.
    pub fn calls(&self, function: &str) -> usize {
        let end = format!(": {function}");
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        log.lines()
            .filter(|line| line.trim_end().ends_with(&end))
            .count()
    }
}
