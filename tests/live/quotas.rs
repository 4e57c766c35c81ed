//! How often clients may ask, counted over all shards, and where they may come from.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::authorization::assert_problem;
use crate::harness::client::{HOST, Response, head, request};
use crate::harness::gateway::{self, ConfigText, t8gate};
use crate::harness::mint;
use crate::harness::origin::{Act, ok};
use crate::harness::stage::{API, House, PATH, RESOURCE, Stage};
use crate::harness::{WAIT, run, wait_until};
use crate::reload::{ON_SIGNAL, reload, rewrite};

/// Has `acme` be so allowed, by keys of a `[[client.allowance]]`.
fn allow(config: &mut ConfigText, keys: &str) {
    config.extend_table("client", 0, &format!("[[client.allowance]]\n{keys}"));
}

/// A house that is watched, whose files are looked at on SIGHUP only.
fn house(change: impl FnOnce(&mut Stage)) -> House {
    House::open_staged(|stage| {
        stage.watch();
        stage.config.set("reload.watch", ON_SIGNAL);
        change(stage);
    })
}

/// Gives `acme` other lines, each of which has to begin with a key that it has.
fn say_otherwise(house: &mut House, lines: &[&str]) {
    rewrite(house, |config| {
        let [acme, globex] = [0, 1].map(|place| config.table_body("client", place));
        let key = |line: &str| line.split_once(" = ").map(|(key, _)| key.to_owned());
        let line = |old: &str| {
            let new = lines.iter().find(|new| key(new) == key(old));
            new.map_or_else(|| old.to_owned(), |new| (*new).to_owned())
        };
        let acme: Vec<String> = acme.lines().map(line).collect();
        config.without_tables("client");
        config.table("client", &acme.join("\n"));
        config.table("client", &globex);
    });
    reload(house);
}

/// It is refused because too much was asked for, by this cause: seconds to wait.
fn wait_s(answer: &Response, cause: &str) -> u64 {
    assert_problem(answer, 429);
    let problem: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(problem["cause"], cause);
    let field = answer.field("retry-after").expect("a Retry-After");
    field.parse().expect("seconds")
}

fn refused_over(house: &House, bound: &str) -> usize {
    let labels = [("client", "acme"), ("api", API), ("bound", bound)];
    let metrics = house.gateway.admin().metrics();
    metrics.count("t8gate_client_over_allowance_total", &labels)
}

//= RFC 6585 section 4 type=test
//# Who has sent too many requests gets 429 and a Retry-After, on whatever connection.
#[test]
fn all_connections_on_all_shards_together_get_one_burst() {
    const BURST: usize = 30;
    const CONNECTIONS: usize = 8;
    const EACH: usize = 20;
    let cpus = gateway::cpus();
    let cpus = &cpus[..cpus.len().min(2)];
    let house = house(|stage| {
        stage.config.set("listen.cpus", &format!("{cpus:?}"));
        // So few that they are not leased in batches, and all of them are found.
        let keys = format!("api = {API:?}\nrate = \"1/h\"\nburst = {BURST}");
        allow(&mut stage.config, &keys);
    });
    let token = house.token();
    let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| house.client()).collect();
    let asked = Instant::now();
    let answers: Vec<Response> = thread::scope(|scope| {
        let all = clients.iter_mut().map(|client| {
            let token = &token;
            let ask = move || (0..EACH).map(|_| client.get(PATH, token)).collect();
            scope.spawn(ask)
        });
        let all: Vec<_> = all.collect();
        let answers = all.into_iter().map(|one| one.join().expect("no panic"));
        answers.flat_map(|answers: Vec<Response>| answers).collect()
    });
    let refused = answers.iter().filter(|answer| answer.status != 200);
    let mut count = 0;
    for answer in refused {
        let wait_s = wait_s(answer, "RATE_EXCEEDED");
        let passed = asked.elapsed().as_secs() + 1;
        assert!((3_600 - passed..=3_600).contains(&wait_s), "{wait_s}");
        count += 1;
    }
    assert_eq!(CONNECTIONS * EACH - count, BURST);
    assert_eq!(house.origin.requests(), BURST);
    let metrics = house.gateway.admin().metrics();
    for shard in 0..cpus.len() {
        let shard = shard.to_string();
        let labels = [("shard", shard.as_str())];
        let accepted = metrics.count("t8gate_connections_accepted_total", &labels);
        assert!(accepted > 0, "a shard had none: {accepted}");
    }
    let reason = [("reason", "rate_exceeded")];
    let refused = metrics.count("t8gate_requests_refused_total", &reason);
    assert_eq!((refused, refused_over(&house, "rate")), (count, count));
    assert_eq!(refused_over(&house, "quota"), 0);
    // The connections go on, and others are none the worse for it: nor is another API.
    assert_eq!(clients[0].get(PATH, &token).status, 429);
    let claims = mint::claims("acme-app", "3gpp-nidd", &house.stage.acme.thumbprint());
    let nidd = house.stage.mint.good(&claims);
    let path = "/3gpp-nidd/v1/acme/configurations";
    assert_eq!(clients[0].get(path, &nidd).status, 200);
    let globex = &house.stage.globex;
    let claims = mint::claims("globex-app", API, &globex.thumbprint());
    let path = PATH.replace("acme", "globex");
    let mut other = { house.stage.dialer(globex) }
        .connect(house.gateway.address)
        .unwrap();
    for _ in 0..2 * BURST {
        let answer = other.get(&path, &house.stage.mint.good(&claims));
        assert_eq!(answer.status, 200);
    }
}

#[test]
fn after_retry_after_the_same_is_served() {
    let house = house(|stage| {
        let keys = format!("api = {API:?}\noperations = [\"read\"]\nrate = \"1/s\"");
        allow(&mut stage.config, &keys);
    });
    let (token, mut client) = (house.token(), house.client());
    assert_eq!(client.get(PATH, &token).status, 200);
    let refused = client.get(PATH, &token);
    assert_eq!(wait_s(&refused, "RATE_EXCEEDED"), 1);
    // What writes is not counted by it.
    let body = b"{}";
    let write = request(
        "PUT",
        RESOURCE,
        &token,
        "Content-Type: application/json\r\n",
        body,
    );
    assert_eq!(client.ask(write).status, 200);
    thread::sleep(Duration::from_secs(1));
    assert_eq!(client.get(PATH, &token).status, 200);
}

#[test]
fn what_is_refused_otherwise_is_not_counted() {
    let house = house(|stage| {
        allow(&mut stage.config, "rate = \"1/h\"\nburst = 1");
    });
    let mut client = house.client();
    for _ in 0..3 {
        assert_eq!(client.get(PATH, "no.such.token").status, 401);
        let foreign = PATH.replace("acme", "globex");
        assert_eq!(client.get(&foreign, &house.token()).status, 403);
    }
    let bodies: [&[u8]; 4] = [
        b"{\"monitoringType\":\"LOCATION_REPORTING\"",
        b"{\"externalId\":\"car-1@example.com\",\"externalId\":\"car-2@example.com\"}",
        b"{\"externalId\":\"imsi-001010123456789\"}",
        b"{\"self\":\"/3gpp-monitoring-event/v1/globex/subscriptions/1\",}",
    ];
    for body in bodies {
        let json = "Content-Type: application/json\r\n";
        let post = request("POST", PATH, &house.token(), json, body);
        let refused = client.ask(post);
        assert_eq!(refused.status, 400, "{}", refused.text());
        if refused.field("connection") == Some("close") {
            client = house.client();
        }
    }
    assert_eq!(house.origin.requests(), 0);
    assert_eq!(client.get(PATH, &house.token()).status, 200);
    assert_eq!(client.get(PATH, &house.token()).status, 429);
}

/// A subscription of one UE's to these events.
fn subscription(house: &House, ue: &str, types: &[&str]) -> Vec<u8> {
    let (first, more) = types.split_first().expect("a type");
    let mut body = json!({"externalId": ue, "monitoringType": first});
    if !more.is_empty() {
        body["addnMonTypes"] = json!(more);
    }
    let json = "Content-Type: application/json\r\n";
    let body = body.to_string();
    request("POST", PATH, &house.token(), json, body.as_bytes())
}

#[test]
fn event_types_of_a_body_are_counted_and_all_or_none_of_them_are_allowed() {
    let house = house(|stage| {
        for (event, burst) in [("UE_REACHABILITY", 1), ("LOCATION_REPORTING", 2)] {
            let keys = format!(
                "api = {API:?}\nmonitoring_types = [{event:?}]\nrate = \"1/h\"\nburst = {burst}"
            );
            allow(&mut stage.config, &keys);
        }
    });
    let mut client = house.client();
    let mut other = house.client();
    let mut ask = |types: &[&str]| client.ask(subscription(&house, "car-1@example.com", types));
    assert_eq!(ask(&["UE_REACHABILITY"]).status, 200);
    for types in [
        &["LOCATION_REPORTING", "UE_REACHABILITY"][..],
        &["UE_REACHABILITY", "LOCATION_REPORTING"],
    ] {
        let wait_s = wait_s(&ask(types), "RATE_EXCEEDED");
        assert!((3_500..=3_600).contains(&wait_s), "{wait_s}");
    }
    assert_eq!(house.origin.requests(), 1, "nothing of it went on");
    // Nor has it taken anything off the other.
    for status in [200, 200, 429] {
        assert_eq!(ask(&["LOCATION_REPORTING"]).status, status);
    }
    for _ in 0..3 {
        assert_eq!(ask(&["LOSS_OF_CONNECTIVITY"]).status, 200);
        assert_eq!(other.get(PATH, &house.token()).status, 200);
    }
    assert_eq!(house.origin.requests(), 9);
    assert_eq!(refused_over(&house, "rate"), 3);
}

/// All of what one request takes, or nothing of it.
#[test]
fn request_whose_event_types_are_used_up_is_not_counted_itself() {
    let house = house(|stage| {
        allow(&mut stage.config, "rate = \"1/h\"\nburst = 2");
        let keys =
            format!("api = {API:?}\nmonitoring_types = [\"UE_REACHABILITY\"]\nquota = \"1/day\"");
        allow(&mut stage.config, &keys);
    });
    let mut client = house.client();
    let mut ask = |event: &str| client.ask(subscription(&house, "car-1@example.com", &[event]));
    assert_eq!(ask("UE_REACHABILITY").status, 200);
    for _ in 0..3 {
        wait_s(&ask("UE_REACHABILITY"), "ALLOWANCE_USED_UP");
    }
    assert_eq!(ask("LOSS_OF_CONNECTIVITY").status, 200);
    wait_s(&ask("LOSS_OF_CONNECTIVITY"), "RATE_EXCEEDED");
    assert_eq!(house.origin.requests(), 2);
}

/// A look is asked of the SCEF, whatever comes of it.
#[test]
fn what_was_looked_at_in_vain_is_counted() {
    let house = house(|stage| {
        let keys = format!("[[client.service]]\napi = {API:?}\nues = [\"car-1@example.com\"]");
        stage.config.extend_table("client", 0, &keys);
        allow(&mut stage.config, "rate = \"1/h\"\nburst = 2");
    });
    let mut client = house.client();
    let mut delete = || client.ask(head("DELETE", RESOURCE, &house.token(), ""));
    for _ in 0..2 {
        assert_eq!(delete().status, 403);
    }
    wait_s(&delete(), "RATE_EXCEEDED");
    assert_eq!(house.origin.requests(), 2);
}

#[test]
fn event_types_for_a_ue_that_is_not_granted_are_not_counted() {
    let house = house(|stage| {
        let keys = format!("[[client.service]]\napi = {API:?}\nues = [\"car-1@example.com\"]");
        stage.config.extend_table("client", 0, &keys);
        let keys =
            format!("api = {API:?}\nmonitoring_types = [\"UE_REACHABILITY\"]\nquota = \"1/day\"");
        allow(&mut stage.config, &keys);
    });
    let mut client = house.client();
    let mut ask = |ue: &str| client.ask(subscription(&house, ue, &["UE_REACHABILITY"]));
    for _ in 0..3 {
        assert_eq!(ask("car-2@example.com").status, 403);
    }
    assert_eq!(ask("car-1@example.com").status, 200);
    wait_s(&ask("car-1@example.com"), "ALLOWANCE_USED_UP");
    assert_eq!(house.origin.requests(), 1);
}

/// Whoever may ask about some UEs only, or about all.
#[test]
fn event_types_that_a_patch_brings_are_counted() {
    for held in [
        "",
        "[[client.service]]\napi = \"3gpp-monitoring-event\"\nues = [\"any\"]",
    ] {
        let house = house(|stage| {
            stage.config.extend_table("client", 0, held);
            let keys = format!(
                "api = {API:?}\nmonitoring_types = [\"UE_REACHABILITY\"]\nquota = \"1/day\""
            );
            allow(&mut stage.config, &keys);
        });
        let has = "{\"externalId\":\"car-1@example.com\"}";
        house
            .origin
            .usually(vec![Act::ReadBody, Act::Send(ok(has.as_bytes()))]);
        let mut client = house.client();
        let mut patch = |path: &str, value: &str| {
            let body = format!("[{{\"op\":\"add\",\"path\":\"{path}\",\"value\":{value}}}]");
            let fields = "Content-Type: application/json-patch+json\r\n";
            client.ask(request(
                "PATCH",
                RESOURCE,
                &house.token(),
                fields,
                body.as_bytes(),
            ))
        };
        let other = "\"LOSS_OF_CONNECTIVITY\"";
        assert_eq!(patch("/monitoringType", other).status, 200);
        assert_eq!(patch("/addnMonTypes", "[\"UE_REACHABILITY\"]").status, 200);
        let used_up = patch("/monitoringType", "\"UE_REACHABILITY\"");
        wait_s(&used_up, "ALLOWANCE_USED_UP");
        assert_eq!(patch("/monitoringType", other).status, 200);
    }
}

#[test]
fn what_is_used_of_a_day_stays_used_across_a_reload() {
    let mut house = house(|stage| {
        allow(
            &mut stage.config,
            &format!("api = {API:?}\nquota = \"3/day\""),
        );
    });
    let (token, mut client) = (house.token(), house.client());
    for _ in 0..3 {
        assert_eq!(client.get(PATH, &token).status, 200);
    }
    let wait_s = wait_s(&client.get(PATH, &token), "ALLOWANCE_USED_UP");
    assert!((1..=86_400).contains(&wait_s), "{wait_s}");
    // Of another key, which changes nothing for it.
    rewrite(&mut house, |config| {
        config.set("limits.head_bytes_max", "\"8KiB\"");
    });
    reload(&house);
    assert_eq!(client.get(PATH, &token).status, 429);
    say_otherwise(&mut house, &["quota = \"5/day\""]);
    for status in [200, 200, 429] {
        assert_eq!(client.get(PATH, &token).status, status);
    }
    assert_eq!(refused_over(&house, "quota"), 3);
    let file = house.stage.scratch.path().join("audit.jsonl");
    wait_until("the records", || {
        let records = std::fs::read_to_string(&file).unwrap();
        records.matches("\"allowance_used_up\"").count() == 3
    });
}

//= RFC 9110 section 15.5.4 type=test
//# Whom the certificate shows and the address does not is refused, and told why.
#[test]
fn client_from_elsewhere_is_refused_until_its_address_is_taken() {
    let mut house = house(|stage| {
        stage.issue_tokens();
        let keys = "source_addresses = [\"192.0.2.0/24\", \"2001:db8::/32\", \"127.0.0.2\"]";
        stage.config.extend_table("client", 0, keys);
    });
    let (token, mut client) = (house.token(), house.client());
    let form = "grant_type=client_credentials&client_id=acme-app";
    let grant = format!(
        "POST /oauth2/token HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
        form.len()
    );
    let refused = |client: &mut crate::harness::client::Client| {
        for answer in [client.get(PATH, &token), client.ask(&grant)] {
            assert_problem(&answer, 403);
            let problem: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(problem["cause"], "SOURCE_ADDRESS_FOREIGN");
        }
    };
    refused(&mut client);
    assert_eq!(house.origin.requests(), 0);
    // On the connection that stands as well as on new ones.
    let from_here = "source_addresses = [\"192.0.2.0/24\", \"127.0.0.0/29\"]";
    say_otherwise(&mut house, &[from_here]);
    assert_eq!(client.get(PATH, &token).status, 200);
    assert_eq!(client.ask(&grant).status, 200);
    assert_eq!(house.client().get(PATH, &token).status, 200);
    let elsewhere = "source_addresses = [\"192.0.2.0/24\"]";
    say_otherwise(&mut house, &[elsewhere]);
    refused(&mut client);
    refused(&mut house.client());
    assert_eq!(house.origin.requests(), 2);
    let reason = [("reason", "source_address_foreign")];
    let metrics = house.gateway.admin().metrics();
    assert_eq!(metrics.count("t8gate_requests_refused_total", &reason), 6);
}

#[test]
fn client_whose_address_is_taken_from_it_while_its_body_comes_is_refused() {
    let mut house = house(|stage| {
        let keys = "source_addresses = [\"127.0.0.0/8\"]";
        stage.config.extend_table("client", 0, keys);
    });
    let mut client = house.client();
    let sent = subscription(&house, "car-1@example.com", &["UE_REACHABILITY"]);
    let end = sent
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 2;
    let (head, body) = sent.split_at(end);
    let head = [head, b"Expect: 100-continue\r\n\r\n"].concat();
    client.send(head).unwrap();
    assert_eq!(client.read_head().unwrap().status, 100);
    say_otherwise(&mut house, &["source_addresses = [\"192.0.2.0/24\"]"]);
    client.send(&body[2..]).unwrap();
    let answer = client.answer();
    assert_problem(&answer, 403);
    let problem: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(problem["cause"], "SOURCE_ADDRESS_FOREIGN");
    assert_eq!(house.origin.requests(), 0);
}

#[test]
fn client_show_says_how_often_and_from_where() {
    let house = house(|stage| {
        let keys = "source_addresses = [\"192.0.2.0/24\", \"2001:db8::1\"]";
        stage.config.extend_table("client", 0, keys);
        let keys = format!(
            "api = {API:?}\noperations = [\"read\", \"POST /{{scsAsId}}/subscriptions\"]\n\
             rate = \"100/min\"\nburst = 7\nquota = \"1000/day\""
        );
        allow(&mut stage.config, &keys);
        allow(&mut stage.config, "quota = \"5000/h\"");
    });
    let show = |more: &[&str]| {
        let mut command = t8gate(&["client", "show", "acme"]);
        command.args(more).arg("--config").arg(&house.gateway.file);
        let outcome = run(&mut command, b"", WAIT);
        assert!(outcome.status.success(), "{}", outcome.stderr);
        outcome.stdout
    };
    let text = show(&[]);
    for said in [
        "192.0.2.0/24, 2001:db8::1\n",
        "3gpp-monitoring-event, read, POST /{scsAsId}/subscriptions: 100/min, burst 7, 1000/day\n",
        "any: 5000/h\n",
    ] {
        assert!(text.contains(said), "{said} is not in\n{text}");
    }
    let json: Value = serde_json::from_str(&show(&["--json"])).unwrap();
    assert_eq!(json["source_addresses"][1], "2001:db8::1");
    assert_eq!(json["allowances"][0]["burst"], 7);
    assert_eq!(json["allowances"][1]["quota"], "5000/h");
    assert_eq!(json["allowances"][1]["api"], "any");
}
