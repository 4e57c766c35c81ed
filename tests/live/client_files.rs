//! Clients in files of their own: which come, change, are disabled and go while the gateway serves.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::authorization::assert_problem;
use crate::harness::client::{Client, HOST, Response};
use crate::harness::gateway::check;
use crate::harness::mint;
use crate::harness::pki::{Identity, Leaf, San};
use crate::harness::stage::{API, House, PATH, Stage};
use crate::harness::wait_until;
use crate::reload::{APPLIED, ON_SIGNAL, REFUSED, reload, reload_in_vain, said};

/// A client that no configuration knows at the start.
pub struct Newcomer {
    pub identity: Identity,
    pub token: String,
}

pub const NEWCOMER: &str = "name = \"initech\"\nclient_id = \"initech-app\"\n\
                            sans = [\"dns:scs.initech.example\"]\nscs_as_ids = [\"initech\"]\n";
pub const NEWCOMERS: &str = "/3gpp-monitoring-event/v1/initech/subscriptions";

impl Newcomer {
    pub fn of(stage: &Stage) -> Self {
        let san = San::Dns("scs.initech.example");
        let identity = stage.partner_ca.issue("initech", &Leaf::client(san));
        let claims = mint::claims("initech-app", API, &identity.thumbprint());
        let token = stage.mint.good(&claims);
        Self { identity, token }
    }

    /// A connection of its own; none where the gateway does not let it in.
    pub fn connect(&self, house: &House) -> Option<Client> {
        let dialer = house.stage.dialer(&self.identity);
        let mut client = dialer.connect(house.gateway.address).ok()?;
        // With TLS 1.3 the refusal follows the handshake of the client.
        client
            .send(crate::harness::client::get(NEWCOMERS, &self.token))
            .ok()?;
        client.read_answer(false).ok().map(|_| client)
    }

    fn is_served(&self, house: &House) -> bool {
        let client = self.connect(house);
        client.is_some_and(|mut client| client.get(NEWCOMERS, &self.token).status == 200)
    }
}

/// A house with a folder of clients, which comes back.
fn house(watch: &str, change: impl FnOnce(&mut Stage)) -> (House, PathBuf) {
    let house = House::open_staged(|stage| {
        stage.watch();
        let watch = watch.trim_matches('"');
        stage.config.set_text("reload.watch", watch);
        stage.config.set_text("clients.folder", "clients.d");
        std::fs::create_dir(stage.scratch.path().join("clients.d")).expect("our own folder");
        change(stage);
    });
    let folder = house.stage.scratch.path().join("clients.d");
    (house, folder)
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("our own folder");
}

#[test]
fn client_whose_file_is_put_there_is_served_counted_and_recorded_without_a_restart() {
    let (house, folder) = house("100ms", |_| {});
    let newcomer = Newcomer::of(&house.stage);
    assert!(newcomer.connect(&house).is_none(), "nobody knows it");
    write(&folder, "initech.toml", NEWCOMER);
    wait_until("the new client", || newcomer.is_served(&house));
    let metrics = house.gateway.admin().metrics();
    let labels = [("client", "initech"), ("outcome", "answered")];
    assert!(metrics.count("t8gate_client_requests_total", &labels) >= 2);
    let labels = [("client", "initech")];
    assert!(metrics.count("t8gate_client_connections_total", &labels) >= 1);
    let records = house.stage.scratch.path().join("audit.jsonl");
    wait_until("its record", || {
        let text = std::fs::read_to_string(&records).unwrap_or_default();
        text.contains("\"client\":\"initech\"")
    });
    assert!(!house.gateway.log().contains("at a start only"));
    // Whoever was there stays.
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
}

#[test]
fn client_whose_file_is_changed_or_taken_out_is_held_to_that() {
    let (house, folder) = house("100ms", |stage| {
        let folder = stage.scratch.path().join("clients.d");
        write(&folder, "initech.toml", NEWCOMER);
    });
    let newcomer = Newcomer::of(&house.stage);
    let mut client = newcomer.connect(&house).expect("a client of the start");
    assert_eq!(client.get(NEWCOMERS, &newcomer.token).status, 200);
    let changed = NEWCOMER.replace("[\"initech\"]", "[\"initech-2\"]");
    write(&folder, "initech.toml", &changed);
    wait_until("the other identifier", || {
        client.get(NEWCOMERS, &newcomer.token).status == 403
    });
    let other = NEWCOMERS.replace("initech", "initech-2");
    assert_eq!(client.get(&other, &newcomer.token).status, 200);
    std::fs::remove_file(folder.join("initech.toml")).expect("our own file");
    wait_until("its connection to be ended", || {
        client.closed_within(Duration::from_millis(50))
    });
    assert!(
        newcomer.connect(&house).is_none(),
        "nobody knows it any more"
    );
    write(&folder, "initech.toml", NEWCOMER);
    wait_until("it to be back", || newcomer.is_served(&house));
}

#[test]
fn client_file_comes_into_force_on_sighup_where_nothing_is_watched() {
    let (house, folder) = house(ON_SIGNAL, |_| {});
    let newcomer = Newcomer::of(&house.stage);
    write(&folder, "initech.toml", NEWCOMER);
    reload(&house);
    wait_until("the new client", || newcomer.is_served(&house));
    std::fs::remove_file(folder.join("initech.toml")).expect("our own file");
    reload(&house);
    wait_until("it to be gone", || newcomer.connect(&house).is_none());
}

#[test]
fn what_was_in_force_stays_when_a_client_file_is_wrong_until_it_is_mended() {
    let (house, folder) = house("100ms", |stage| {
        let folder = stage.scratch.path().join("clients.d");
        write(&folder, "initech.toml", NEWCOMER);
    });
    let newcomer = Newcomer::of(&house.stage);
    write(
        &folder,
        "wrong.toml",
        "name = \"wrong\"\nsans = [\"dns:scs.initech.example\"]\n",
    );
    wait_until("the refusal", || said(&house, REFUSED) > 0);
    let log = house.gateway.log();
    for word in ["wrong.toml", "scs_as_ids", "line 3 of", "initech.toml"] {
        assert!(log.contains(word), "{word} is not in\n{log}");
    }
    // What is missing stands in no line.
    let line_of = |word: &str| log.lines().find(|line| line.contains(word)).unwrap_or("");
    assert!(line_of("stands already in").contains("line=2 "), "{log}");
    let missing = line_of("key=\"scs_as_ids\"");
    assert!(!missing.is_empty() && !missing.contains("line="), "{log}");
    assert!(newcomer.is_served(&house));
    let outcome = check(&house.gateway.file, &[]);
    assert_eq!(outcome.status.code(), Some(1));
    assert!(
        outcome.stderr.contains("wrong.toml:2: sans"),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome.stderr.contains("wrong.toml: scs_as_ids"),
        "{}",
        outcome.stderr
    );
    std::fs::rename(folder.join("wrong.toml"), folder.join("wrong.toml~")).expect("our own");
    wait_until("the reload, by itself", || said(&house, APPLIED) > 0);
    assert!(newcomer.is_served(&house));
}

#[test]
fn event_type_of_no_release_is_warned_of_with_its_place_and_served() {
    let (house, _) = house(ON_SIGNAL, |stage| {
        let folder = stage.scratch.path().join("clients.d");
        let service = "[[service]]\napi = \"3gpp-monitoring-event\"\nues = [\"any\"]\n\
                       any_ue = true\nmonitoring_types = [\"LOCATION_REPORTNG\"]\n";
        write(&folder, "initech.toml", &format!("{NEWCOMER}{service}"));
    });
    let outcome = check(&house.gateway.file, &[]);
    assert!(outcome.status.success(), "{}", outcome.stderr);
    let is_it = |line: &&str| line.starts_with("WARN") && line.contains("LOCATION_REPORTNG");
    let row = outcome.stdout.lines().find(is_it).expect("a warning");
    for word in [
        " service[1].monitoring_types ",
        "initech.toml:9: \"LOCATION_REPORTNG\" is no event type of TS 29.122",
        "did you mean \"LOCATION_REPORTING\"?",
    ] {
        assert!(row.contains(word), "{word} is not in {row}");
    }
    let log = house.gateway.log();
    let said = log.lines().find(|line| line.contains("REPORTNG"));
    let said = said.expect("it is in the log");
    assert!(
        said.contains("initech.toml line=9 key=\"service[1]"),
        "{said}"
    );
    assert!(Newcomer::of(&house.stage).connect(&house).is_some());
}

#[test]
fn folder_that_was_missing_is_read_when_it_is_there() {
    let (mut house, folder) = house("100ms", |_| {});
    let newcomer = Newcomer::of(&house.stage);
    let other = folder.with_file_name("others.d");
    house.rewrite(|config| {
        config.set_text("clients.folder", "others.d");
    });
    wait_until("the refusal", || said(&house, REFUSED) > 0);
    std::fs::create_dir(&other).expect("our own folder");
    write(&other, "initech.toml", NEWCOMER);
    wait_until("the new client", || newcomer.is_served(&house));
}

fn fetched(client: &mut Client) -> Response {
    let form = "grant_type=client_credentials&client_id=initech-app";
    client.ask(format!(
        "POST /oauth2/token HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
        form.len()
    ))
}

#[test]
fn disabled_client_is_refused_on_open_connections_within_100_ms_and_is_issued_no_token() {
    let registered = format!(
        "{NEWCOMER}tls_client_auth_san_dns = \"scs.initech.example\"\nscopes = [{API:?}]\n"
    );
    let (house, folder) = house(ON_SIGNAL, |stage| {
        stage.issue_tokens();
        let folder = stage.scratch.path().join("clients.d");
        write(&folder, "initech.toml", &registered);
    });
    let newcomer = Newcomer::of(&house.stage);
    let mut client = newcomer.connect(&house).expect("a client");
    for _ in 0..2 {
        assert_eq!(client.get(NEWCOMERS, &newcomer.token).status, 200);
    }
    assert_eq!(fetched(&mut client).status, 200);

    write(
        &folder,
        "initech.toml",
        &format!("{registered}enabled = false\n"),
    );
    reload(&house);
    let refused = client.get(NEWCOMERS, &newcomer.token);
    assert_problem(&refused, 401);
    assert!(
        refused.text().contains("CLIENT_DISABLED"),
        "{}",
        refused.text()
    );
    let challenge = refused.field("www-authenticate").expect("of a 401");
    assert!(challenge.contains("invalid_token"), "{challenge}");
    let response = fetched(&mut client);
    assert_eq!(response.status, 400);
    assert!(
        response.text().contains("unauthorized_client"),
        "{}",
        response.text()
    );
    // It is known, so that whoever looks into it finds its name in the records.
    let mut another = newcomer.connect(&house).expect("it is let in");
    assert_problem(&another.get(NEWCOMERS, &newcomer.token), 401);
    let metrics = house.gateway.admin().metrics();
    let labels = [("reason", "client_disabled")];
    assert_eq!(metrics.count("t8gate_requests_refused_total", &labels), 3);
    assert_eq!(
        house.client().get(PATH, &house.token()).status,
        200,
        "others are served"
    );

    write(&folder, "initech.toml", &registered);
    reload(&house);
    wait_until("it to be enabled", || {
        client.get(NEWCOMERS, &newcomer.token).status == 200
    });
}

#[test]
fn thousands_of_client_files_are_read_again_and_one_wrong_among_them_is_found() {
    let (house, folder) = house(ON_SIGNAL, |stage| {
        let folder = stage.scratch.path().join("clients.d");
        for number in 0..3_000 {
            let text = NEWCOMER.replace("initech", &format!("c{number}"));
            write(&folder, &format!("c{number}.toml"), &text);
        }
    });
    let newcomer = Newcomer::of(&house.stage);
    write(&folder, "initech.toml", NEWCOMER);
    let begun = Instant::now();
    reload(&house);
    println!(
        "3,001 client files: {:?} from SIGHUP to the word of it",
        begun.elapsed()
    );
    wait_until("the new client", || newcomer.is_served(&house));
    write(&folder, "c1500.toml", NEWCOMER);
    reload_in_vain(&house);
    let log = house.gateway.log();
    assert!(
        log.contains("initech.toml") && log.contains("c1500.toml"),
        "{log}"
    );
}
