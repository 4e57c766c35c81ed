//! The files a configuration names.

use super::*;

/// A folder of its own with a configuration and good files, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("t8gate-config-{}-{number}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(&folder.0).unwrap();
        let made = rcgen::generate_simple_self_signed(["t8.example".to_owned()]).unwrap();
        folder.write("server.pem", &made.cert.pem());
        folder.write("ca.pem", &made.cert.pem());
        folder.write("server.key", &made.signing_key.serialize_pem());
        folder.write("issuer.pem", &made.signing_key.public_key_pem());
        folder.write("keys.jwks", "{\"keys\":[{}]}");
        folder.write("m.so", "\u{7f}ELF");
        folder.write("pin", "98765\n");
        folder.mode("pin", 0o600);
        folder.write("t8gate.toml", SMALL);
        folder
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.0.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn read(&self) -> Result<Config, Vec<Fault>> {
        super::super::read(&self.0.join("t8gate.toml"))
    }

    #[track_caller]
    fn refused(&self, line: usize, key: &str, what: &str) {
        let faults = self.read().expect_err("a fault");
        assert_eq!(faults.len(), 1, "{faults:#?}");
        assert_eq!((faults[0].line, faults[0].key.as_str()), (line, key));
        assert!(faults[0].what.contains(what), "{faults:#?}");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn good_files_are_taken() {
    let folder = Folder::new();
    let config = folder.read().unwrap();
    assert_eq!(config.tls.certificate.value, folder.0.join("server.pem"));
    let token = SMALL.replace("key.file = \"server.key\"", TOKEN);
    let pem = "pem = \"issuer.pem\"\nalgorithm = \"ES256\"";
    folder.write("t8gate.toml", &token.replace("jwks = \"keys.jwks\"", pem));
    folder.read().unwrap();
}

#[test]
fn configuration_that_is_not_there_is_refused() {
    let faults = read(Path::new("/nowhere/t8gate.toml")).unwrap_err();
    assert_eq!((faults.len(), faults[0].line), (1, 0));
    assert!(faults[0].what.contains("cannot be read"));
}

#[test]
fn missing_and_empty_files_and_folders_are_refused() {
    let folder = Folder::new();
    fs::remove_file(folder.0.join("ca.pem")).unwrap();
    folder.refused(5, "tls.client_ca", "cannot be read");
    fs::create_dir(folder.0.join("ca.pem")).unwrap();
    folder.refused(5, "tls.client_ca", "not a regular file");
    fs::remove_dir(folder.0.join("ca.pem")).unwrap();
    folder.write("ca.pem", "");
    folder.refused(5, "tls.client_ca", "empty");
}

#[test]
fn files_that_are_not_pem_are_refused() {
    for (name, line, key, what) in [
        ("server.pem", 4, "tls.certificate", "no PEM certificate"),
        ("ca.pem", 5, "tls.client_ca", "no PEM certificate"),
        ("server.key", 6, "tls.key.file", "no PEM private key"),
        ("keys.jwks", 10, "issuer[1].jwks", "not a JWK Set"),
    ] {
        let folder = Folder::new();
        folder.write(name, "hello\n");
        folder.refused(line, key, what);
    }
}

#[test]
fn private_key_in_place_of_a_public_key_is_refused() {
    let folder = Folder::new();
    let pem = "pem = \"server.key\"\nalgorithm = \"ES256\"";
    folder.write("t8gate.toml", &SMALL.replace("jwks = \"keys.jwks\"", pem));
    folder.refused(10, "issuer[1].pem", "no PEM public key");
}

#[test]
fn jwk_set_without_keys_is_refused() {
    let folder = Folder::new();
    folder.write("keys.jwks", "{\"keys\":[]}");
    folder.refused(10, "issuer[1].jwks", "not a JWK Set with keys");
}

#[test]
fn pin_file_open_to_others_is_refused_with_chmod() {
    let folder = Folder::new();
    folder.write(
        "t8gate.toml",
        &SMALL.replace("key.file = \"server.key\"", TOKEN),
    );
    for mode in [0o640, 0o604, 0o660] {
        folder.mode("pin", mode);
        folder.refused(6, "tls.key.pin_file", "open to others");
        assert!(folder.read().unwrap_err()[0].cure.contains("chmod 600"));
    }
    folder.mode("pin", 0o400);
    folder.read().unwrap();
}

#[test]
fn ticket_secret_is_closed_to_others_and_never_shown() {
    let folder = Folder::new();
    let tickets = |file: &str| {
        let lines = format!("[tls.tickets]\nsecret_file = {file:?}\n[upstream]");
        folder.write("t8gate.toml", &SMALL.replace("[upstream]", &lines));
    };
    folder.write("secret", "QUJDREVGR0g=");
    tickets("secret");
    for mode in [0o640, 0o604, 0o660] {
        folder.mode("secret", mode);
        folder.refused(16, "tls.tickets.secret_file", "open to others");
        assert!(folder.read().unwrap_err()[0].cure.contains("chmod 600"));
    }
    folder.mode("secret", 0o600);
    folder.read().unwrap();
    tickets("QUJDREVGR0g=");
    folder.refused(16, "tls.tickets.secret_file", "cannot be read");
    assert!(!format!("{:?}", folder.read()).contains("QUJDREVGR0g="));
}

#[test]
fn missing_secret_that_is_named_twice_is_said_to_be_missing_once() {
    let folder = Folder::new();
    let lines = "[tls.tickets]\nsecret_file = \"none\"\nsecond_secret_file = \"none\"\n[upstream]";
    folder.write("t8gate.toml", &SMALL.replace("[upstream]", lines));
    let faults = folder.read().unwrap_err();
    let said: Vec<_> = faults
        .iter()
        .map(|fault| (fault.line, fault.what.as_str()))
        .collect();
    assert_eq!(said.len(), 2, "{faults:#?}");
    assert!(
        said[0].0 == 16 && said[0].1.contains("cannot be read"),
        "{faults:#?}"
    );
    assert!(
        said[1].0 == 17 && said[1].1.contains("already (line 16)"),
        "{faults:#?}"
    );
    // Where nothing is wrong but the file, each line that names it is said.
    let also = "[[tls.also]]\nnames = []\ncertificate = \"none.pem\"\nkey.file = \"server.key\"\n";
    let also = format!("{also}{also}[upstream]");
    folder.write("t8gate.toml", &SMALL.replace("[upstream]", &also));
    assert_eq!(folder.read().unwrap_err().len(), 2);
}

#[test]
fn pin_written_in_place_of_its_file_is_not_shown() {
    let folder = Folder::new();
    let token = TOKEN.replace("\"pin\"", "\"98765\"");
    folder.write(
        "t8gate.toml",
        &SMALL.replace("key.file = \"server.key\"", &token),
    );
    folder.refused(6, "tls.key.pin_file", "cannot be read");
    assert!(!format!("{:?}", folder.read()).contains("98765"));
}

#[test]
fn faults_of_files_and_of_values_stand_in_one_report() {
    let folder = Folder::new();
    folder.write("t8gate.toml", &with("127.0.0.1:8443", "nowhere"));
    folder.write("server.key", "hello");
    let lines: Vec<usize> = folder
        .read()
        .unwrap_err()
        .iter()
        .map(|fault| fault.line)
        .collect();
    assert_eq!(lines, [2, 6]);
}

#[test]
fn audit_file_is_looked_at_and_not_made() {
    let folder = Folder::new();
    folder.write(
        "t8gate.toml",
        &format!("{SMALL}[audit]\nfile = \"audit.jsonl\"\n"),
    );
    let count = || fs::read_dir(&folder.0).unwrap().count();
    let before = count();
    folder.read().unwrap();
    assert_eq!(count(), before, "nothing is left behind");
    folder.write("audit.jsonl", "{}\n");
    folder.read().unwrap();
    let text = fs::read_to_string(folder.0.join("audit.jsonl")).unwrap();
    assert_eq!(text, "{}\n");
}

#[test]
fn audit_file_that_cannot_be_made_or_written_is_refused() {
    let folder = Folder::new();
    let audit = |file: &str| {
        let text = format!("{SMALL}[audit]\nfile = \"{file}\"\n");
        folder.write("t8gate.toml", &text);
    };
    audit("nowhere/audit.jsonl");
    folder.refused(18, "audit.file", "no file can be made in the folder");
    audit("pin/audit.jsonl");
    folder.refused(18, "audit.file", "cannot be looked at");
    fs::create_dir(folder.0.join("records")).unwrap();
    audit("records");
    folder.refused(18, "audit.file", "not a file that can be appended to");
    // A program that runs is closed to all, also to the user whom permissions do not stop.
    let running = std::env::current_exe().unwrap();
    audit(running.to_str().unwrap());
    folder.refused(18, "audit.file", "cannot be written");
}

/// Whoever opened it would wait for ever.
#[test]
fn pipe_in_a_files_place_is_a_fault_and_nobody_is_told_to_open_it() {
    let folder = Folder::new();
    let file = folder.0.join("server.pem");
    fs::remove_file(&file).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&file).status();
    assert!(made.unwrap().success());
    let (config, faults) = examine(&folder.0.join("t8gate.toml"));
    assert_eq!(config, None);
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert!(faults[0].what.contains("is not a regular file"));
}
