//! `t8gate client`: clients are added, shown, disabled and enabled by commands, beside a gateway
//! that serves them.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::authorization::assert_problem;
use crate::client_files::{NEWCOMERS, Newcomer};
use crate::harness::gateway::{check, t8gate, write};
use crate::harness::origin::Origin;
use crate::harness::stage::{API, House, Stage};
use crate::harness::{Outcome, WAIT, run, wait_until};

const FOLDER: &str = "clients.d";

fn with_folder(stage: &mut Stage) {
    stage.config.set_text("clients.folder", FOLDER);
    std::fs::create_dir(stage.scratch.path().join(FOLDER)).expect("our own folder");
}

/// A configuration file with a folder of clients, beside which nothing runs.
fn file(change: impl FnOnce(&mut Stage)) -> (Stage, PathBuf) {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    with_folder(&mut stage);
    stage
        .config
        .set_text("listen.address", crate::harness::free_address());
    change(&mut stage);
    let file = write(stage.scratch.path(), &stage.config);
    (stage, file)
}

fn client(file: &Path, words: &[&str]) -> Outcome {
    let mut command = t8gate(&["client"]);
    command.args(words).arg("--config").arg(file);
    run(&mut command, b"", WAIT)
}

/// What a command that succeeds says on standard output.
fn well(file: &Path, words: &[&str]) -> String {
    let outcome = client(file, words);
    assert!(
        outcome.status.success(),
        "{words:?}: {}{}",
        outcome.stdout,
        outcome.stderr
    );
    outcome.stdout
}

/// It fails with status 1, says all of this, and leaves the folder as it was.
fn refused(file: &Path, words: &[&str], said: &[&str]) {
    let folder = file.with_file_name(FOLDER);
    let before = listing(&folder);
    let outcome = client(file, words);
    assert_eq!(
        outcome.status.code(),
        Some(1),
        "{words:?}: {}",
        outcome.stdout
    );
    assert_eq!(outcome.stdout, "", "{words:?}");
    for word in said.iter().chain(&["hint: "]) {
        assert!(
            outcome.stderr.contains(word),
            "{word} is not in {}",
            outcome.stderr
        );
    }
    assert_eq!(listing(&folder), before, "{words:?}");
}

fn listing(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("our own folder").flatten();
    let mut files: Vec<_> = { entries.map(|entry| entry.path()) }
        .map(|path| (path.clone(), std::fs::read(path).expect("a file")))
        .collect();
    files.sort();
    files
}

const ADD: [&str; 8] = [
    "add",
    "initech",
    "--client-id",
    "initech-app",
    "--san",
    "dns:scs.initech.example",
    "--scs-as-id",
    "initech",
];

#[test]
fn client_is_added_served_disabled_and_enabled_by_commands_alone() {
    let house = House::open_staged(|stage| {
        stage.config.set_text("reload.watch", "100ms");
        with_folder(stage);
    });
    let newcomer = Newcomer::of(&house.stage);
    let file = &house.gateway.file;
    let outcome = client(file, &ADD);
    assert!(outcome.status.success(), "{}", outcome.stderr);
    let path = PathBuf::from(outcome.stdout.trim_end());
    assert_eq!(path, file.with_file_name(FOLDER).join("initech.toml"));
    assert!(
        outcome.stderr.contains("reload.watch"),
        "{}",
        outcome.stderr
    );
    assert_eq!(
        std::fs::metadata(&path).expect("a file").mode() & 0o777,
        0o640
    );
    wait_until("the new client", || newcomer.connect(&house).is_some());
    let mut connection = newcomer.connect(&house).expect("a client");
    wait_until("it to be served", || {
        connection.get(NEWCOMERS, &newcomer.token).status == 200
    });
    well(file, &["disable", "initech"]);
    wait_until("it to be refused", || {
        connection.get(NEWCOMERS, &newcomer.token).status == 401
    });
    assert_problem(&connection.get(NEWCOMERS, &newcomer.token), 401);
    assert!(well(file, &["list"]).contains("disabled"));
    well(file, &["enable", "initech"]);
    wait_until("it to be served again", || {
        connection.get(NEWCOMERS, &newcomer.token).status == 200
    });
    assert!(!well(file, &["list"]).contains("disabled"));
}

#[test]
fn added_client_has_all_that_was_said_and_is_shown_with_its_place() {
    let (_stage, file) = file(Stage::issue_tokens);
    let mut words = ADD.to_vec();
    words.extend(["--san", "uri:urn:scs:\"initech\"", "--scs-as-id", "two"]);
    words.extend([
        "--scope",
        API,
        "--scope",
        "3gpp-nidd:read",
        "--partner",
        "default",
    ]);
    words.extend(["--tls-client-auth-san-dns", "scs.initech.example"]);
    // A quotation mark is none of a URI: said, and nothing is written.
    refused(&file, &words, &["initech.toml", "sans"]);
    words[9] = "uri:urn:scs:initech";
    let path = well(&file, &words);
    assert_eq!(
        well(&file, &["list", "--json"]).matches("\"name\"").count(),
        3
    );
    let shown: Value = serde_json::from_str(&well(&file, &["show", "initech", "--json"])).unwrap();
    assert_eq!(shown["client_id"], "initech-app");
    assert_eq!(shown["sans"][1], "uri:urn:scs:initech");
    assert_eq!(shown["scs_as_ids"][1], "two");
    assert_eq!(shown["scopes"][1], "3gpp-nidd:read");
    assert_eq!(shown["tls_client_auth_san_dns"], "scs.initech.example");
    assert_eq!(shown["enabled"], true);
    assert_eq!(shown["file"], path.trim_end());
    let table = well(&file, &["show", "initech"]);
    assert!(table.contains("scs.initech.example") && table.contains(path.trim_end()));
    let acme: Value = serde_json::from_str(&well(&file, &["show", "acme", "--json"])).unwrap();
    assert_eq!(acme["file"], file.display().to_string());
    let text = std::fs::read_to_string(&file).unwrap();
    let line = text
        .lines()
        .position(|line| line == "[[client]]")
        .expect("one")
        + 1;
    assert_eq!(acme["line"], line);
    let list = well(&file, &["list"]);
    assert_eq!(list.lines().count(), 4, "{list}");
    let outcome = check(&file, &[]);
    assert!(!outcome.stderr.contains("clients.d"), "{}", outcome.stderr);
}

/// What it may do, and what is said of it alone; nobody whom it may ask about.
#[test]
fn client_is_shown_with_all_that_decides() {
    let (_stage, file) = file(|stage| {
        stage.issue_tokens();
        let more = "unbound_tokens = true";
        stage.config.extend_table("client", 0, more);
        let more = "tls_client_auth_san_uri = \"urn:scs:globex\"\nintrospects = true\n\
                    token_format = \"jwt\"";
        stage.config.extend_table("client", 1, more);
        for service in [
            "api = \"3gpp-nidd\"\noperations = [\"read\"]\nports = [7]\n\
             ues = [\"*@example.com\", \"msisdn:4915*\", \"car-1@example.org\"]",
            "api = \"3gpp-monitoring-event\"\nues = [\"any\"]\nany_ue = true\n\
             monitoring_types = [\"UE_REACHABILITY\"]",
        ] {
            let service = format!("[[client.service]]\n{service}");
            stage.config.extend_table("client", 0, &service);
        }
    });
    let acme = well(&file, &["show", "acme"]);
    for said in [
        "3gpp-nidd, read, port 7: *@example.com, 1 external id, 11 ranges of MSISDNs\n",
        "3gpp-monitoring-event, UE_REACHABILITY: any, requests that name nobody\n",
        "unbound_tokens              true",
    ] {
        assert!(acme.contains(said), "{said} is not in\n{acme}");
    }
    let globex = well(&file, &["show", "globex"]);
    assert!(
        globex.contains("introspects                 true"),
        "{globex}"
    );
    assert!(
        globex.contains("token_format                jwt"),
        "{globex}"
    );
    assert!(!globex.contains("scopes"), "{globex}");
    let json = |name| -> Value {
        serde_json::from_str(&well(&file, &["show", name, "--json"])).expect("JSON")
    };
    let (acme, globex) = (json("acme"), json("globex"));
    assert_eq!(acme["unbound_tokens"], true);
    assert_eq!(acme["services"][0]["ports"], serde_json::json!([7]));
    assert_eq!(acme["services"][1]["any_ue"], true);
    assert_eq!(
        (&globex["introspects"], &globex["services"]),
        (&true.into(), &Value::Null)
    );
}

#[test]
fn client_that_check_would_refuse_is_not_added_and_all_faults_are_said() {
    let (_stage, file) = file(|_| {});
    refused(
        &file,
        &[
            "add",
            "initech",
            "--san",
            "dns:*",
            "--scs-as-id",
            "acme",
            "--partner",
            "nobody",
        ],
        &["initech.toml", "sans", "acme", "partner", "3 faults"],
    );
    let taken = ["add", "acme", "--san", "dns:a.example", "--scs-as-id", "a"];
    refused(
        &file,
        &taken,
        &["acme.toml:1: name", "stands already in line"],
    );
    let san = [
        "add",
        "b",
        "--san",
        "dns:scs.acme.example",
        "--scs-as-id",
        "b",
    ];
    refused(&file, &san, &["sans", "stands already in line"]);
    // There is no issuer here that would grant it.
    let mut words = ADD.to_vec();
    words.extend([
        "--tls-client-auth-san-dns",
        "scs.initech.example",
        "--scope",
        API,
    ]);
    refused(&file, &words, &["tls_client_auth_san_dns", "add [oauth]"]);
    let mut words = ADD.to_vec();
    words.extend(["--private-key-jwt", "nowhere.jwks", "--scope", API]);
    refused(&file, &words, &["private_key_jwt", "nowhere.jwks"]);
    well(&file, &ADD);
    refused(&file, &ADD, &["initech.toml is there already"]);
}

/// A name is a name, wherever it would lead.
#[test]
fn name_that_leads_elsewhere_names_no_file() {
    let (_stage, file) = file(|_| {});
    for name in [
        "../x", "a/b", "/etc/x", ".hidden", "..", "", "a\nb", "a b", "ä",
    ] {
        let words = ["add", name, "--san", "dns:a.example", "--scs-as-id", "a"];
        refused(&file, &words, &["names no client's file"]);
    }
    let long = "a".repeat(65);
    let words = ["add", &long, "--san", "dns:a.example", "--scs-as-id", "a"];
    refused(&file, &words, &["names no client's file"]);
}

#[test]
fn client_of_the_configuration_file_is_left_to_the_operator_and_an_unknown_one_is_named() {
    let (_stage, file) = file(|_| {});
    let text = std::fs::read_to_string(&file).unwrap();
    let line = text
        .lines()
        .position(|line| line == "[[client]]")
        .expect("one")
        + 1;
    let place = format!(":{line}");
    refused(
        &file,
        &["disable", "acme"],
        &["[[client]]", &place, "enabled = false"],
    );
    refused(
        &file,
        &["disable", "acm"],
        &["there is no client \"acm\"", "did you mean \"acme\"?"],
    );
    refused(
        &file,
        &["show", "nobody"],
        &["there is no client", "client list"],
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn file_is_edited_in_its_place_with_its_comments_its_mode_and_its_link() {
    let (stage, file) = file(|_| {});
    let folder = stage.scratch.path().join(FOLDER);
    let text = "# Since May.\nname = 'initech' # us\nsans = [\"dns:i.example\"]\n\
                scs_as_ids = [\"i\"]\n";
    let elsewhere = stage.scratch.write("elsewhere", text);
    std::fs::set_permissions(&elsewhere, PermissionsExt::from_mode(0o600)).expect("our own");
    let link = folder.join("initech.toml");
    std::os::unix::fs::symlink(&elsewhere, &link).expect("our own folder");
    well(&file, &["disable", "initech"]);
    let written = std::fs::read_to_string(&elsewhere).expect("a file");
    assert_eq!(written, format!("{text}enabled = false\n"));
    assert_eq!(
        std::fs::metadata(&elsewhere).expect("a file").mode() & 0o777,
        0o600
    );
    assert!(link.is_symlink());
    let again = client(&file, &["disable", "initech"]);
    assert!(
        again.status.success() && again.stderr.contains("already"),
        "{}",
        again.stderr
    );
    well(&file, &["enable", "initech"]);
    let written = std::fs::read_to_string(&elsewhere).expect("a file");
    assert_eq!(written, format!("{text}enabled = true\n"));
    // A fault elsewhere would keep the change from coming into force.
    std::fs::write(folder.join("wrong.toml"), "name = 1\n").expect("our own folder");
    refused(&file, &["disable", "initech"], &["wrong.toml:1: name"]);
}

#[test]
fn where_no_folder_is_named_or_it_is_not_there_nothing_is_added() {
    let (stage, file) = file(|stage| {
        stage.config.unset("clients.folder");
    });
    refused(&file, &ADD, &["names no folder of clients", "[clients]"]);
    let mut config = stage.config.clone();
    config.set_text("clients.folder", "elsewhere.d");
    let file = write(stage.scratch.path(), &config);
    refused(&file, &ADD, &["clients.folder", "elsewhere.d"]);
}
