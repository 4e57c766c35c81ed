//! What must never be told: no token, no secret and no subscriber stands in the log, the audit
//! file, the metrics or what explains a record, at the most talkative level, whether a request was
//! served or refused.

use std::collections::HashSet;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::harness::client::{Client, HOST, Response, get, request};
use crate::harness::gateway::t8gate;
use crate::harness::mint::{self, Algorithm, Mint, now_s};
use crate::harness::origin::{Act, Origin, ok};
use crate::harness::pki::{Key, Leaf, San};
use crate::harness::softhsm::PIN;
use crate::harness::stage::{PATH, RESOURCE, Stage};
use crate::harness::{run_well, wait_until};

/// Subscribers of networks that are none, numbers nobody has, and names below example domains.
const SUBSCRIBERS: [&str; 8] = [
    "001010123456789",
    "999010987654321",
    "447700900123",
    "12025550147",
    "meter-7@iot.example.net",
    "meter-7%40iot.example.net",
    "group-of-secret-meters",
    "imei-35-209900-176148-1",
];
const SECRETS: [&str; 4] = [
    "s3cret-of-acme",
    "hunter2-of-acme",
    "cookie-of-acme",
    "nai-of-acme",
];
/// No part of a token of this length may be told.
const PART: usize = 16;

/// One gateway, everything that is sent to it, and the ids of all its answers.
struct Stranger {
    client: Client,
    ids: Vec<String>,
}

impl Stranger {
    fn ask(&mut self, bytes: impl AsRef<[u8]>) -> u16 {
        let answer = self.client.ask(bytes);
        self.note(&answer)
    }

    fn note(&mut self, answer: &Response) -> u16 {
        let id = answer.field("x-request-id").expect("every answer has one");
        self.ids.push(id.to_owned());
        answer.status
    }
}

fn form(text: &str, fields: &str) -> String {
    let length = text.len();
    format!(
        "POST /oauth2/token HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {length}\r\n{fields}\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{text}"
    )
}

/// Tokens of every kind, the good one first.
fn tokens(stage: &Stage) -> Vec<String> {
    let claims = stage.claims();
    let forger = Mint::new(Algorithm::Es256, "first");
    let mut cut = stage.token();
    cut.truncate(cut.len() - 40);
    vec![
        stage.token(),
        stage
            .mint
            .good(&mint::with(claims.clone(), "exp", now_s() - 3_600)),
        stage
            .mint
            .good(&mint::with(claims.clone(), "iat", now_s() + 3_600)),
        stage
            .mint
            .good(&mint::with(claims.clone(), "iss", "https://other.example")),
        stage
            .mint
            .good(&mint::with(claims.clone(), "client_id", SUBSCRIBERS[0])),
        stage
            .mint
            .good(&mint::with(claims.clone(), "scope", "3gpp-nidd")),
        stage.mint.good(&mint::without(claims.clone(), "cnf")),
        forger.good(&claims),
        stage
            .mint
            .token_of_text("not JSON at all, is it", "nor is this, I fear"),
        cut,
        "garbage-that-somebody-took-for-a-token".to_owned(),
        "two.parts-of-something-that-is-no-token".to_owned(),
    ]
}

/// Places a subscriber can stand in, of a request that is otherwise good.
fn requests_about(subscriber: &str, token: &str) -> Vec<Vec<u8>> {
    let json = format!("{{\"msisdn\":\"{subscriber}\",\"externalId\":\"{subscriber}\"}}");
    let field = format!("X-Subscriber: {subscriber}\r\nCookie: {}\r\n", SECRETS[2]);
    let path = subscriber.replace('@', "%40");
    vec![
        get(&format!("{PATH}/{path}"), token).into_bytes(),
        get(&format!("{PATH}?msisdn={path}&nai={}", SECRETS[3]), token).into_bytes(),
        get(
            &format!("/3gpp-monitoring-event/v1/{path}/subscriptions"),
            token,
        )
        .into_bytes(),
        get(&format!("/{path}/v1/acme/subscriptions"), token).into_bytes(),
        get(&format!("{PATH}/{path}"), "none-that-is-any-good").into_bytes(),
        request("POST", PATH, token, &field, json.as_bytes()),
        request("PATCH", RESOURCE, token, &field, json.as_bytes()),
        request(
            "POST",
            "/3gpp-bdt/v1/acme/subscriptions",
            token,
            &field,
            json.as_bytes(),
        ),
        request("PUT", PATH, token, &field, json.as_bytes()),
    ]
}

/// Heads that are refused as such; each ends its connection.
fn malformed(subscriber: &str, token: &str) -> Vec<String> {
    let good = format!("Host: {HOST}\r\nAuthorization: Bearer {token}\r\n");
    vec![
        format!("GET {PATH}/{subscriber} {subscriber} HTTP/1.1\r\n{good}\r\n"),
        format!("{subscriber} {PATH} HTTP/1.1\r\n{good}\r\n"),
        format!("GET {PATH}//{subscriber} HTTP/1.1\r\n{good}\r\n"),
        format!("GET {PATH} HTTP/1.1\r\n{good}{subscriber}\r\n\r\n"),
        format!("GET {PATH} HTTP/1.1\r\n{good}Content-Length: {subscriber}x\r\n\r\n"),
        format!("GET {PATH} HTTP/1.1\r\n{good}Expect: {subscriber}\r\n\r\n"),
        format!("GET {PATH} HTTP/{subscriber}\r\n{good}\r\n"),
        format!("GET {PATH} HTTP/1.1\r\n{good}Host: {subscriber}\r\n\r\n"),
        format!(
            "POST {PATH} HTTP/1.1\r\n{good}Transfer-Encoding: chunked\r\n\r\nz{subscriber}\r\n"
        ),
    ]
}

/// Requests for a token with a secret or a subscriber in them, good and bad.
fn forms(token: &str) -> Vec<String> {
    let (secret, subscriber) = (SECRETS[0], SUBSCRIBERS[2]);
    let good = "grant_type=client_credentials&client_id=acme-app";
    let basic = STANDARD.encode(format!("acme-app:{}", SECRETS[1]));
    vec![
        form(good, ""),
        form(&format!("{good}&client_secret={secret}"), ""),
        form(&format!("{good}&assertion={token}"), ""),
        form(&format!("{good}&scope={subscriber}"), ""),
        form(
            &format!("grant_type=password&username={subscriber}&password={secret}"),
            "",
        ),
        form(
            &format!("grant_type=client_credentials&client_id={subscriber}"),
            "",
        ),
        form(good, &format!("Authorization: Basic {basic}\r\n")),
        form(good, &format!("Authorization: Bearer {token}\r\n")),
    ]
}

/// What a SCEF may say about a subscriber: well, malformed, and broken off.
fn answers_about(subscriber: &str) -> Vec<Vec<Act>> {
    let body = format!("{{\"msisdn\":\"{subscriber}\"}}");
    let fields = format!("Location: {PATH}/{subscriber}\r\nX-Subscriber: {subscriber}\r\n");
    let answer = |bytes: String| vec![Act::ReadBody, Act::Send(bytes.into_bytes())];
    let length = body.len();
    let said = |text: String| [answer(text), vec![Act::Close]].concat();
    vec![
        [vec![Act::ReadBody], vec![Act::Send(ok(body.as_bytes()))]].concat(),
        answer(format!(
            "HTTP/1.1 201 Created\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
        )),
        said(format!(
            "HTTP/1.1 404 {subscriber}\r\nContent-Length: 0\r\n\r\n"
        )),
        said(format!("{subscriber} is no answer\r\n\r\n")),
        said(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {subscriber}\r\n\r\n"
        )),
        said(format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{subscriber}\r\n"
        )),
        said(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{body}"
        )),
    ]
}

/// Somewhere that something could be told.
struct Place {
    name: &'static str,
    text: String,
}

impl Place {
    fn has(&self, what: &str) -> bool {
        self.text.contains(what)
    }

    /// The number by itself: not as a part of another, nor as the fraction of a second.
    fn has_number(&self, number: &str) -> bool {
        let part_of_one = |c: char| c.is_ascii_digit() || c == '.';
        self.text.match_indices(number).any(|(at, _)| {
            let before = self.text[..at].chars().next_back();
            let after = self.text[at + number.len()..].chars().next();
            !before.is_some_and(part_of_one) && !after.is_some_and(part_of_one)
        })
    }

    /// A part of any of these that stands there.
    fn part_of(&self, tokens: &[String]) -> Option<&str> {
        let parts: HashSet<&[u8]> = tokens
            .iter()
            .flat_map(|token| token.as_bytes().windows(PART))
            .collect();
        let windows = self.text.as_bytes().windows(PART);
        let found = windows.into_iter().find(|window| parts.contains(window));
        found.map(|window| str::from_utf8(window).expect("of a token, which is ASCII"))
    }
}

fn explained(file: &Path, ids: &[String]) -> String {
    let explain = |id: &String| {
        let mut command = t8gate(&["explain", id, "--audit"]);
        run_well(command.arg(file))
    };
    ids.iter().map(explain).collect()
}

#[test]
fn no_token_secret_or_subscriber_is_told_anywhere() {
    let origin = Origin::start();
    let (mut stage, token) = Stage::with_token(origin.address, Key::P256);
    stage.issue_tokens_from(&token);
    let file = stage.watch();
    let level = ("T8GATE_LOG".to_owned(), "trace".to_owned());
    stage.environment.push(level);
    let gateway = stage.start();
    let connect = || {
        let dialer = stage.dialer(&stage.acme);
        dialer.connect(gateway.address).expect("a handshake")
    };
    let mut stranger = Stranger {
        client: connect(),
        ids: Vec::new(),
    };
    let mut tokens = tokens(&stage);
    let good = tokens[0].clone();

    let mut statuses = HashSet::new();
    for token in &tokens {
        statuses.insert(stranger.ask(get(PATH, token)));
        let query = format!("GET {PATH}?access_token={token} HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
        assert_eq!(stranger.ask(query), 400);
        let twice = format!("{PATH} HTTP/1.1\r\nAuthorization: Bearer {token}, {token}");
        statuses.insert(stranger.ask(format!("GET {twice}\r\nHost: {HOST}\r\n\r\n")));
        let path = format!("GET {PATH}/{token} HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
        statuses.insert(stranger.ask(path));
    }
    for subscriber in SUBSCRIBERS {
        stranger.client = connect();
        for asked in requests_about(subscriber, &good) {
            statuses.insert(stranger.ask(asked));
        }
        for asked in malformed(subscriber, &good) {
            stranger.client = connect();
            statuses.insert(stranger.ask(asked));
        }
        for script in answers_about(subscriber) {
            stranger.client = connect();
            origin.script(script);
            stranger
                .client
                .send(get(PATH, &good))
                .expect("a connection");
            // One that is broken off in its body has its id in what came of it.
            if let Ok(answer) = stranger.client.read_answer(false) {
                statuses.insert(stranger.note(&answer));
            }
        }
    }
    stranger.client = connect();
    for asked in forms(&good) {
        let answer = stranger.client.ask(asked);
        let text = answer.text();
        if let Some(issued) = text.split('"').find(|word| word.starts_with("eyJ")) {
            tokens.push(issued.to_owned());
        }
        statuses.insert(stranger.note(&answer));
    }
    for status in [200, 201, 400, 401, 403, 404, 405, 502] {
        assert!(
            statuses.contains(&status),
            "{status} is not among {statuses:?}"
        );
    }
    assert!(tokens.len() > 12, "a token was issued");
    // Before there is any HTTP: names in the hello and in the certificate.
    let unmapped = Leaf::client(San::Uri("urn:imsi:999010987654321"));
    let unmapped = stage.partner_ca.issue("unmapped", &unmapped);
    let refused = stage.dialer(&unmapped).connect(gateway.address);
    assert!(refused.is_err() || refused.is_ok_and(|mut client| client.closed()));
    let ca = &stage.operator_ca.der;
    let named = crate::harness::client::Dialer::new(ca, Some(&stage.acme), "s447700900123.example");
    assert!(named.connect(gateway.address).is_err());

    let audit = || std::fs::read_to_string(&file).unwrap_or_default();
    let all = || stranger.ids.iter().all(|id| audit().contains(id));
    wait_until("a record for every answer", all);
    let metrics = gateway.admin().metrics().0;
    let explained = explained(&file, &stranger.ids[..stranger.ids.len().min(60)]);
    let places = [
        ("the log", gateway.log()),
        ("the audit file", audit()),
        ("the metrics", metrics),
        ("what explains", explained),
    ]
    .map(|(name, text)| Place { name, text });
    // The search finds what is there.
    let [log, audit, metrics, explained] = &places;
    assert!(stranger.ids.iter().any(|id| log.has(id)), "{}", log.text);
    assert!(stranger.ids.iter().all(|id| audit.has(id)));
    assert!(metrics.has("acme") && explained.has(&stranger.ids[0]));
    assert!(audit.part_of(&stranger.ids).is_some() && log.part_of(&stranger.ids).is_some());
    assert!(audit.has_number("401"));
    for place in &places {
        for secret in SUBSCRIBERS.iter().chain(&SECRETS) {
            assert!(!place.has(secret), "{secret} is in {}", place.name);
        }
        assert!(!place.has(PIN), "the PIN is in {}", place.name);
        let part = place.part_of(&tokens);
        assert_eq!(part, None, "a part of a token is in {}", place.name);
        let basic = STANDARD.encode(format!("acme-app:{}", SECRETS[1]));
        assert!(!place.has(&basic), "credentials are in {}", place.name);
    }
}
