//! Clients in files of their own.

use std::ffi::OsStr;
use std::os::unix::fs::symlink;
use std::process::Command;

use super::*;
use crate::limits::CLIENT_FILE_BYTES_MAX;

/// What of a configuration is faulty, with files of clients in place of what their folder holds.
pub(super) fn parsed_with(text: &str, clients: &[(&str, &str)]) -> Result<Config, Vec<Fault>> {
    let mut folder = |at: &Located<PathBuf>| {
        let file = |(name, text): &(&str, &str)| ClientFile {
            path: at.value.join(name),
            text: (*text).to_owned(),
        };
        (clients.iter().map(file).collect(), Vec::new())
    };
    let file = Path::new("/etc/t8gate/t8gate.toml");
    let (config, faults, _) = as_meant(text, file, &cpus(), &mut folder);
    settled(config, faults)
}

/// Of a configuration that names no folder of clients.
pub(super) fn no_folder(_: &Located<PathBuf>) -> (Vec<ClientFile>, Vec<Fault>) {
    panic!("there is none")
}

const FOLDER: &str = "[clients]\nfolder = \"clients.d\"\n";
const ACME: &str = "name = \"acme\"\nsans = [\"dns:acme.example\"]\nscs_as_ids = [\"acme\"]\n";

fn with_folder() -> String {
    format!("{SMALL}{FOLDER}")
}

/// Each with the file's name, its line and its key.
#[track_caller]
fn all_refused(clients: &[(&str, &str)], wanted: &[(&str, usize, &str)]) -> Vec<Fault> {
    let faults = parsed_with(&with_folder(), clients).expect_err("faults");
    let place = |fault: &Fault| {
        let file = fault.file.as_deref().and_then(Path::file_name);
        let file = file.and_then(OsStr::to_str).unwrap_or("").to_owned();
        (file, fault.line, fault.key.clone())
    };
    let found: Vec<_> = faults.iter().map(place).collect();
    let wanted: Vec<_> = { wanted.iter() }
        .map(|(file, line, key)| ((*file).to_owned(), *line, (*key).to_owned()))
        .collect();
    assert_eq!(found, wanted, "{faults:#?}");
    faults
}

#[test]
fn clients_of_files_stand_behind_those_of_the_configuration_file_in_the_order_of_names() {
    let other = ACME.replace("acme", "other");
    let files = [("a.toml", ACME), ("b.toml", other.as_str())];
    let config = parsed_with(&with_folder(), &files).expect("a configuration");
    let names: Vec<&str> = config
        .clients
        .iter()
        .map(|client| client.name.as_str())
        .collect();
    assert_eq!(names, ["scs-1", "acme", "other"]);
    assert!(config.clients.iter().all(|client| client.enabled));
    let folder = Path::new("/etc/t8gate/clients.d");
    let acme = &config.client_places["acme"];
    assert_eq!((&acme.file, acme.line), (&Some(folder.join("a.toml")), 0));
    let first = &config.client_places["scs-1"];
    assert_eq!((&first.file, first.line), (&None, 11));
    assert_eq!(
        config.files[..2],
        [folder.to_path_buf(), folder.join("a.toml")]
    );
}

#[test]
fn client_files_alone_will_do_and_none_at_all_will_not() {
    let start = SMALL.find("[[client]]").unwrap();
    let end = SMALL.find("[upstream]").unwrap();
    let without = format!("{}{}", &SMALL[..start], &SMALL[end..]);
    let config = parsed_with(&format!("{without}{FOLDER}"), &[("a.toml", ACME)]);
    assert_eq!(config.expect("a configuration").clients.len(), 1);
    let empty = parsed_with(&format!("{without}{FOLDER}"), &[]);
    assert!(
        empty
            .expect("one that clients may be added to")
            .clients
            .is_empty()
    );
    let fault = parsed_with(&without, &[]).expect_err("a fault").remove(0);
    assert!(
        fault.key == "client" && fault.cure.contains("[clients]"),
        "{fault:?}"
    );
    refused(
        &format!("{SMALL}[clients]\n"),
        17,
        "clients.folder",
        "is missing",
    );
}

#[test]
fn faults_of_all_files_are_said_at_once_each_with_its_file_and_line() {
    let wrong_san = ACME
        .replace("dns:acme", "dns:*.acme")
        .replace("\"acme\"", "\"b\"");
    let faults = all_refused(
        &[
            ("a.toml", "name = \"a\"\nsan = 7\n"),
            ("b.toml", &wrong_san),
            ("c.toml", "name = \"c\"\nsans = [\n"),
            ("d.toml", "[[client]]\nname = \"d\"\n"),
            ("e.toml", ""),
        ],
        &[
            ("a.toml", 2, "san"),
            ("a.toml", 0, "sans"),
            ("a.toml", 0, "scs_as_ids"),
            ("b.toml", 2, "sans"),
            ("c.toml", 2, ""),
            ("d.toml", 1, "client"),
            ("e.toml", 0, "name"),
            ("e.toml", 0, "sans"),
            ("e.toml", 0, "scs_as_ids"),
        ],
    );
    assert!(
        faults[0].cure.contains("did you mean `sans`?"),
        "{:?}",
        faults[0]
    );
    assert!(faults[5].cure.contains("[[client]]"), "{:?}", faults[5]);
}

#[test]
fn what_belongs_to_two_clients_is_refused_with_both_places_over_all_files() {
    let b = "name = \"acme\"\nclient_id = \"acme\"\nsans = [\"dns:ACME.example\"]\n\
             scs_as_ids = [\"x\", \"acme\"]\n";
    let c = "name = \"c\"\nclient_id = \"scs-1\"\nsans = [\"dns:scs.example.org\"]\n\
             scs_as_ids = [\"c\", \"one\", \"c\"]\n";
    let faults = all_refused(
        &[("a.toml", ACME), ("b.toml", b), ("c.toml", c)],
        &[
            ("b.toml", 1, "name"),
            ("b.toml", 2, "client_id"),
            ("b.toml", 3, "sans"),
            ("b.toml", 4, "scs_as_ids"),
            ("c.toml", 2, "client_id"),
            ("c.toml", 3, "sans"),
            ("c.toml", 4, "scs_as_ids"),
            ("c.toml", 4, "scs_as_ids"),
        ],
    );
    let says = |place: usize, text: &str| {
        assert!(faults[place].what.contains(text), "{:?}", faults[place]);
    };
    says(0, "line 1 of /etc/t8gate/clients.d/a.toml");
    says(2, "line 2 of /etc/t8gate/clients.d/a.toml");
    says(4, "line 12 of the configuration file");
    says(6, "line 14 of the configuration file");
    says(7, "stands already in line 4");
}

#[test]
fn issuer_has_its_registered_client_also_in_a_file() {
    let oauth = format!(
        "{}[oauth]\nissuer = \"https://t8.example\"\nkey.file = \"issuer.key\"\n",
        with_folder()
    );
    let registered = format!(
        "{ACME}tls_client_auth_san_dns = \"acme.example\"\nscopes = [\"3gpp-nidd\"]\n\
         enabled = false\n"
    );
    let config = parsed_with(&oauth, &[("a.toml", &registered)]).expect("a configuration");
    assert!(config.clients[1].registration.is_some() && !config.clients[1].enabled);
    let faults = parsed_with(&oauth, &[("a.toml", ACME)]).expect_err("nobody is registered");
    assert_eq!(
        (faults.len(), faults[0].key.as_str()),
        (1, "oauth"),
        "{faults:?}"
    );
}

#[test]
fn leftovers_and_hidden_files_are_no_clients() {
    for name in ["a.toml", "a.b.toml", "a~.toml"] {
        assert!(is_client_file(OsStr::new(name)), "{name}");
    }
    let others = [
        ".a.toml",
        ".#a.toml",
        "a.toml~",
        "a.toml.swp",
        ".a.toml.swp",
        "a.tmp",
        "a.toml.tmp",
        "#a.toml#",
        "a.TOML",
        "toml",
        "README",
        "a.toml.rpmsave",
        "4913",
    ];
    for name in others {
        assert!(!is_client_file(OsStr::new(name)), "{name}");
    }
}

/// The names of the files that are read, and the faults.
fn read_from(folder: &Path) -> (Vec<String>, Vec<Fault>) {
    let at = Located {
        value: folder.to_path_buf(),
        line: 18,
    };
    let mut named = Vec::new();
    let mut note = |file: &NamedFile| named.push(file.path.clone());
    let (files, faults) = client_files::read(&at, &mut note, None);
    assert!(named.first().is_some_and(|first| first == folder));
    assert!(files.iter().all(|file| named.contains(&file.path)));
    let name = |file: ClientFile| file.path.file_name().unwrap().to_str().unwrap().to_owned();
    (files.into_iter().map(name).collect(), faults)
}

#[test]
fn folder_is_read_by_name_with_links_and_what_cannot_be_read_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["c.toml", "a.toml", ".hidden.toml", "b.toml~", "elsewhere"] {
        fs::write(at(name), ACME).unwrap();
    }
    symlink(at("elsewhere"), at("b.toml")).unwrap();
    let (names, faults) = read_from(folder.path());
    assert_eq!(names, ["a.toml", "b.toml", "c.toml"]);
    assert_eq!(faults, []);

    fs::create_dir(at("d.toml")).unwrap();
    symlink(at("nowhere"), at("e.toml")).unwrap();
    let made = Command::new("mkfifo").arg(at("f.toml")).status().unwrap();
    assert!(made.success());
    fs::write(at("g.toml"), b"name = \"\xff\"").unwrap();
    let long = usize::try_from(CLIENT_FILE_BYTES_MAX).unwrap();
    fs::write(at("h.toml"), "#".repeat(long + 1)).unwrap();
    fs::write(at("i.toml"), "#".repeat(long)).unwrap();
    let (names, faults) = read_from(folder.path());
    assert_eq!(names, ["a.toml", "b.toml", "c.toml", "i.toml"]);
    let said: Vec<_> = { faults.iter() }
        .map(|fault| {
            (
                fault.file.as_deref().unwrap().to_path_buf(),
                fault.what.as_str(),
            )
        })
        .collect();
    let wanted = [
        ("d.toml", "not a regular file"),
        ("e.toml", "cannot be read"),
        ("f.toml", "not a regular file"),
        ("g.toml", "not UTF-8"),
        ("h.toml", "longer than 64 KiB"),
    ];
    assert_eq!(said.len(), wanted.len(), "{said:?}");
    for ((file, what), (name, text)) in said.iter().zip(wanted) {
        assert!(*file == at(name) && what.contains(text), "{file:?}: {what}");
    }

    let (_, faults) = read_from(&at("none"));
    assert_eq!(
        (faults[0].line, faults[0].key.as_str()),
        (18, "clients.folder")
    );
    assert_eq!(faults[0].file, None);
}

#[test]
fn file_that_vanishes_while_the_folder_is_read_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["a.toml", "b.toml"] {
        fs::write(at(name), ACME).unwrap();
    }
    let gone = at("b.toml");
    let named = &mut |file: &NamedFile| {
        if file.path == gone {
            fs::remove_file(&gone).unwrap();
        }
    };
    let at = Located {
        value: folder.path().to_path_buf(),
        line: 1,
    };
    let (files, faults) = client_files::read(&at, named, None);
    assert_eq!((files.len(), faults.len()), (1, 0));
}

#[test]
fn text_that_is_to_be_written_is_read_in_the_place_it_will_have() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.toml", "c.toml"] {
        fs::write(folder.path().join(name), name).unwrap();
    }
    let at = Located {
        value: folder.path().to_path_buf(),
        line: 1,
    };
    for (name, wanted) in [("b.toml", "a.toml new c.toml"), ("c.toml", "a.toml new")] {
        let instead = ClientFile {
            path: folder.path().join(name),
            text: "new".to_owned(),
        };
        let (files, _) = client_files::read(&at, &mut |_| {}, Some(&instead));
        let texts: Vec<&str> = files.iter().map(|file| file.text.as_str()).collect();
        assert_eq!(texts.join(" "), wanted);
    }
}

/// Whoever goes by the names finds them to be of one client each, and says the same not once more.
#[test]
fn name_that_belongs_to_two_clients_is_left_out_of_the_second() {
    let second = ACME.replace("\"acme\"", "\"b\"").replace(
        "[\"dns:acme.example\"]",
        "[\"dns:b.example\", \"dns:acme.example\"]",
    );
    let mut folder = |at: &Located<PathBuf>| {
        let files = [("a.toml", ACME.to_owned()), ("b.toml", second.clone())];
        let file = |(name, text): (&str, String)| {
            let path = at.value.join(name);
            ClientFile { path, text }
        };
        (files.map(file).into(), Vec::new())
    };
    let file = Path::new("/etc/t8gate/t8gate.toml");
    let (config, faults, _) = as_meant(&with_folder(), file, &cpus(), &mut folder);
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert_eq!((faults[0].line, faults[0].key.as_str()), (2, "sans"));
    let clients = config.expect("what could be read").clients;
    let sans: Vec<_> = clients.iter().flat_map(|client| &client.sans).collect();
    let sans: Vec<_> = sans.iter().map(|san| san.to_string()).collect();
    assert_eq!(
        sans,
        ["dns:scs.example.org", "dns:acme.example", "dns:b.example"]
    );
}
