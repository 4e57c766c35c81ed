//! The binary against a real server over real sockets: both sides must have counted the same, and
//! what the server does badly must show.

mod server;

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use server::{Manners, Pki, STALL, Seen, Server};

/// A run of the binary, with its report.
struct Ran {
    code: i32,
    said: String,
    report: Value,
}

impl Ran {
    fn number(&self, pointer: &str) -> f64 {
        let number = self.report.pointer(pointer).and_then(Value::as_f64);
        number.unwrap_or_else(|| panic!("{pointer} is not in {}\n{}", self.report, self.said))
    }

    fn count(&self, pointer: &str) -> u64 {
        self.number(pointer) as u64
    }

    fn errors(&self) -> u64 {
        self.count("/whole_run/errors")
    }
}

/// Runs with a report; most runs are short, as what is tested is counting.
fn run(pki: &Pki, scheme: &str, server: &Server, arguments: &[&str]) -> Ran {
    let json = pki.path("report.json");
    let _ = std::fs::remove_file(&json);
    let mut command = Command::new(env!("CARGO_BIN_EXE_t8load"));
    command
        .arg("--target")
        .arg(format!("{scheme}://{}", server.address))
        .arg("--json")
        .arg(&json)
        .args(["--warmup", "100ms", "--duration", "400ms"]);
    if scheme == "https" {
        command.arg("--ca").arg(pki.path("ca.pem"));
        command.arg("--identities").arg(pki.path("clients"));
    }
    // Given twice, the last one counts.
    command.args(arguments);
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("the binary runs");
    let report = std::fs::read_to_string(&json).unwrap_or_default();
    Ran {
        code: status.code().expect("no signal"),
        said: format!(
            "{}{}",
            String::from_utf8_lossy(&stdout),
            String::from_utf8_lossy(&stderr)
        ),
        report: serde_json::from_str(&report).unwrap_or_default(),
    }
}

fn seen(server: &Server) -> &Seen {
    &server.seen
}

#[test]
fn both_sides_count_the_same_requests() {
    let pki = Pki::new(&["a", "b", "c"]);
    let server = Server::tls(&pki, Manners::default());
    let ran = run(
        &pki,
        "https",
        &server,
        &["--mode", "keep-alive", "--connections", "6"],
    );
    assert_eq!((ran.code, ran.errors()), (0, 0), "{}", ran.said);
    let counted = seen(&server).count(|seen| &seen.requests);
    assert_eq!(ran.count("/whole_run/operations"), counted);
    assert_eq!(ran.count("/whole_run/handshakes/full"), 6);
    assert_eq!(seen(&server).count(|seen| &seen.connections), 6);
    assert_eq!(ran.count("/statuses/200"), ran.count("/operations"));
    assert!(ran.count("/operations") > 10 && ran.count("/operations") < counted);
    let certificates = seen(&server).certificates.lock().expect("no panic").len();
    assert_eq!(certificates, 3, "connections take them in turn");
    let throughput = ran.report["throughput"].as_array().expect("a list");
    let sum: u64 = throughput
        .iter()
        .filter_map(|tenth| tenth["ops"].as_u64())
        .sum();
    assert_eq!((throughput.len(), sum), (4, ran.count("/operations")));
}

#[test]
fn both_sides_count_the_same_handshakes() {
    let pki = Pki::new(&["a"]);
    let server = Server::tls(&pki, Manners::default());
    let ran = run(
        &pki,
        "https",
        &server,
        &["--mode", "handshake", "--connections", "4"],
    );
    assert_eq!((ran.code, ran.errors()), (0, 0), "{}", ran.said);
    let full = seen(&server).count(|seen| &seen.full);
    assert_eq!(ran.count("/whole_run/handshakes/full"), full);
    assert_eq!(ran.count("/whole_run/operations"), full);
    assert_eq!(seen(&server).count(|seen| &seen.requests), full);
    assert_eq!(seen(&server).count(|seen| &seen.resumed), 0);
    assert!(full > 8, "{full}");
}

#[test]
fn a_session_is_continued_after_one_full_handshake_for_each_connection() {
    for tls12 in [false, true] {
        let pki = Pki::new(&["a", "b"]);
        let server = Server::tls(&pki, Manners::default());
        let mut arguments = vec!["--mode", "resume", "--connections", "4"];
        arguments.extend(tls12.then_some("--tls12"));
        let ran = run(&pki, "https", &server, &arguments);
        assert_eq!((ran.code, ran.errors()), (0, 0), "{}", ran.said);
        assert_eq!(seen(&server).count(|seen| &seen.full), 4);
        let resumed = seen(&server).count(|seen| &seen.resumed);
        assert_eq!(ran.count("/whole_run/handshakes/resumed"), resumed);
        assert_eq!(ran.count("/handshakes/full"), 0);
        assert!(resumed > 8, "{resumed}");
    }
}

#[test]
fn a_server_without_sessions_cannot_be_resumed() {
    let pki = Pki::new(&["a"]);
    let manners = Manners {
        no_tickets: true,
        ..Manners::default()
    };
    let server = Server::tls(&pki, manners);
    let ran = run(
        &pki,
        "https",
        &server,
        &["--mode", "resume", "--connections", "1"],
    );
    assert_eq!(ran.code, 2, "{}", ran.said);
    assert!(ran.said.contains("no session to continue"), "{}", ran.said);
}

/// One stall of 300 ms within two seconds.
fn stalling(rate: Option<&str>) -> (Ran, u64) {
    let pki = Pki::new(&["a"]);
    let manners = Manners {
        stalls_at: Some(300),
        ..Manners::default()
    };
    let server = Server::tls(&pki, manners);
    let mut arguments = vec!["--mode", "keep-alive", "--connections", "4"];
    arguments.extend(["--warmup", "200ms", "--duration", "2s"]);
    arguments.extend(rate.into_iter().flat_map(|rate| ["--rate", rate]));
    let ran = run(&pki, "https", &server, &arguments);
    assert_eq!((ran.code, ran.errors()), (0, 0), "{}", ran.said);
    let requests = seen(&server).count(|seen| &seen.requests);
    (ran, requests)
}

#[test]
fn an_open_loop_shows_a_stall_of_the_server() {
    let (ran, requests) = stalling(Some("500"));
    // 2 s at 500/s, whatever the server did; and the warm-up's.
    assert_eq!((ran.count("/operations"), requests), (1000, 1100));
    // 150 of 1,000 were intended within the stall: p99 is among them, though only 4 were under way.
    let stall_us = STALL.as_micros() as f64;
    let (p50, p90, p99) = (
        ran.number("/latency_us/p50"),
        ran.number("/latency_us/p90"),
        ran.number("/latency_us/p99"),
    );
    assert!(p99 > 0.85 * stall_us, "p99 {p99} us");
    assert!(p90 > 0.2 * stall_us, "p90 {p90} us");
    assert!(p50 < 0.2 * stall_us, "p50 {p50} us");
    assert!(ran.number("/send_late_us/p99") > 0.5 * stall_us);
    assert_eq!(ran.report["loop"], "open");
}

#[test]
fn a_closed_loop_cannot_show_it_and_says_what_it_is() {
    let (ran, _) = stalling(None);
    assert_eq!(ran.report["loop"], "closed");
    assert!(ran.number("/latency_us/max") > 0.9 * STALL.as_micros() as f64);
    assert!(ran.number("/latency_us/p99") < 0.5 * STALL.as_micros() as f64);
}

#[test]
fn handshakes_have_an_open_loop_too() {
    let pki = Pki::new(&["a"]);
    let server = Server::tls(&pki, Manners::default());
    let arguments = ["--mode", "handshake", "--rate", "50", "--duration", "1s"];
    let ran = run(&pki, "https", &server, &arguments);
    assert_eq!((ran.code, ran.errors()), (0, 0), "{}", ran.said);
    assert_eq!(ran.count("/operations"), 50);
    assert_eq!(
        seen(&server).count(|seen| &seen.full),
        55,
        "with the warm-up's"
    );
}

#[test]
fn idle_connections_are_held_and_memory_is_read() {
    let pki = Pki::new(&["a"]);
    let server = Server::tls(&pki, Manners::default());
    let own = format!("server={}", std::process::id());
    let mut arguments = vec!["--mode", "idle", "--connections", "50", "--settle", "1s"];
    arguments.extend(["--watch", &own]);
    // This process is watched, where the tests beside this one give memory back as well: it takes
    // more than they have once the connections have begun to come.
    let ran = std::thread::scope(|scope| {
        let ran = scope.spawn(|| run(&pki, "https", &server, &arguments));
        while seen(&server).count(|seen| &seen.requests) == 0 && !ran.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let taken = std::hint::black_box(vec![1_u8; 256 << 20]);
        let ran = ran.join().expect("it runs to its end");
        drop(taken);
        ran
    });
    assert_eq!(
        (ran.code, ran.count("/operations")),
        (0, 50),
        "{}",
        ran.said
    );
    assert_eq!(seen(&server).count(|seen| &seen.requests), 50);
    assert_eq!(ran.report["cpu"][1]["name"], "server");
    let (before, after) = (
        ran.count("/cpu/1/rss_kb_before"),
        ran.count("/cpu/1/rss_kb_after"),
    );
    assert!(after > before && before > 0, "{before} {after}");
}

#[test]
fn tokens_are_used_as_asked_for() {
    let pki = Pki::new(&["a", "b"]);
    let file = pki.write("tokens.txt", "a0\nb0\n\na1\nb1\n");
    let file = file.to_str().expect("UTF-8");
    for (token_use, distinct) in [("one", 1), ("connection", 4), ("rotate", 4)] {
        let server = Server::tls(&pki, Manners::default());
        let mut arguments = vec!["--mode", "keep-alive", "--connections", "4"];
        arguments.extend(["--tokens", file, "--token-use", token_use]);
        let ran = run(&pki, "https", &server, &arguments);
        assert_eq!((ran.code, ran.errors()), (0, 0), "{}", ran.said);
        let tokens = seen(&server).tokens.lock().expect("no panic").clone();
        assert_eq!(tokens.len(), distinct, "{token_use}: {tokens:?}");
        assert_eq!(
            tokens.values().sum::<u64>(),
            ran.count("/whole_run/operations")
        );
        assert!(tokens.keys().all(|token| token.starts_with("Bearer ")));
    }
}

#[test]
fn tokens_are_fetched_with_each_clients_certificate() {
    let pki = Pki::new(&["a", "b"]);
    let server = Server::tls(&pki, Manners::default());
    let endpoint = format!("https://{}/oauth2/token", server.address);
    let mut arguments = vec!["--mode", "keep-alive", "--connections", "2"];
    arguments.extend([
        "--token-endpoint",
        &endpoint,
        "--client-id",
        "a",
        "--client-id",
        "b",
    ]);
    arguments.extend(["--scope", "3gpp-monitoring-event", "--token-use", "rotate"]);
    arguments.extend(["--token-count", "3"]);
    let ran = run(&pki, "https", &server, &arguments);
    assert_eq!((ran.code, ran.errors()), (0, 0), "{}", ran.said);
    let methods = seen(&server).methods.lock().expect("no panic").clone();
    assert_eq!(
        methods["POST"], 6,
        "three tokens for each of two certificates"
    );
    let tokens = seen(&server).tokens.lock().expect("no panic").clone();
    assert_eq!(tokens.len(), 6, "{tokens:?}");
    assert!(tokens.contains_key("Bearer fetched-1"), "{tokens:?}");
}

#[test]
fn a_mix_is_sent_in_its_shares() {
    let pki = Pki::new(&["a"]);
    let server = Server::tls(&pki, Manners::default());
    let mix = "[[request]]\nweight = 3\nmethod = \"GET\"\npath = \"/g/{scs_as_id}\"\n\
               [[request]]\nmethod = \"POST\"\npath = \"/p\"\nbody_bytes = 20000\n";
    let mix = pki.write("mix.toml", mix);
    let mix = mix.to_str().expect("UTF-8");
    let mut arguments = vec![
        "--mode",
        "keep-alive",
        "--scenario",
        mix,
        "--scs-as-id",
        "x",
    ];
    arguments.extend(["--rate", "100", "--duration", "900ms"]);
    let ran = run(&pki, "https", &server, &arguments);
    assert_eq!((ran.code, ran.errors()), (0, 0), "{}", ran.said);
    let methods = seen(&server).methods.lock().expect("no panic").clone();
    assert_eq!((methods["GET"], methods["POST"]), (75, 25));
    assert_eq!(seen(&server).count(|seen| &seen.body_bytes), 25 * 20_000);
    let paths = seen(&server).paths.lock().expect("no panic").clone();
    assert!(paths.contains("/g/x") && paths.contains("/p"), "{paths:?}");
    assert_eq!(ran.report["scenario"], "mix");
}

#[test]
fn a_server_that_closes_politely_makes_no_errors() {
    let pki = Pki::new(&["a"]);
    let manners = Manners {
        closes: true,
        ..Manners::default()
    };
    for scheme in ["https", "http"] {
        let server = match scheme {
            "https" => Server::tls(&pki, manners),
            _ => Server::clear(manners),
        };
        let ran = run(
            &pki,
            scheme,
            &server,
            &["--mode", "keep-alive", "--connections", "3"],
        );
        assert_eq!((ran.code, ran.errors()), (0, 0), "{}", ran.said);
        let requests = seen(&server).count(|seen| &seen.requests);
        assert_eq!(ran.count("/whole_run/operations"), requests);
        assert!(requests > 6, "{requests}");
    }
}

#[test]
fn new_keys_in_the_middle_of_a_connection_are_taken() {
    let pki = Pki::new(&["a"]);
    let manners = Manners {
        rekeys_after: Some(7),
        ..Manners::default()
    };
    let server = Server::tls(&pki, manners);
    let ran = run(
        &pki,
        "https",
        &server,
        &["--mode", "keep-alive", "--connections", "2"],
    );
    assert_eq!((ran.code, ran.errors()), (0, 0), "{}", ran.said);
    assert_eq!(seen(&server).count(|seen| &seen.connections), 2);
    assert!(ran.count("/whole_run/operations") > 30, "{}", ran.said);
}

#[test]
fn tls_1_2_is_spoken_when_asked_for() {
    let pki = Pki::new(&["a"]);
    let server = Server::tls(&pki, Manners::default());
    let ran = run(&pki, "https", &server, &["--mode", "keep-alive", "--tls12"]);
    assert_eq!((ran.code, ran.errors()), (0, 0), "{}", ran.said);
    assert!(ran.count("/statuses/200") > 30, "{}", ran.said);
}

#[test]
fn silence_is_counted_as_such() {
    let pki = Pki::new(&["a"]);
    let manners = Manners {
        silent: true,
        ..Manners::default()
    };
    let server = Server::tls(&pki, manners);
    let mut arguments = vec!["--mode", "keep-alive", "--connections", "2", "--rate", "20"];
    arguments.extend(["--timeout", "300ms", "--duration", "1s"]);
    let ran = run(&pki, "https", &server, &arguments);
    assert_eq!((ran.code, ran.count("/operations")), (1, 0), "{}", ran.said);
    assert_eq!(ran.count("/errors/timeout"), 20, "all that were intended");
    assert!(ran.number("/latency_us/p50") > 250_000.0, "{}", ran.said);
}

#[test]
fn a_closed_loop_says_that_it_was_never_answered() {
    let pki = Pki::new(&["a"]);
    let manners = Manners {
        silent: true,
        ..Manners::default()
    };
    let server = Server::tls(&pki, manners);
    // The timeout is ten seconds: none fires before the run ends.
    let mut arguments = vec!["--mode", "keep-alive", "--connections", "3"];
    arguments.extend(["--fail-if", "errors>0"]);
    let ran = run(&pki, "https", &server, &arguments);
    assert_eq!((ran.code, ran.errors()), (1, 3), "{}", ran.said);
    assert_eq!(ran.count("/errors/timeout"), 3);
    assert!(ran.said.contains("failed: errors>0"), "{}", ran.said);
}

#[test]
fn tickets_may_be_split_over_records() {
    let pki = Pki::new(&["a"]);
    let manners = Manners {
        record_bytes: Some(40),
        ..Manners::default()
    };
    let server = Server::tls(&pki, manners);
    for mode in ["keep-alive", "resume"] {
        let ran = run(
            &pki,
            "https",
            &server,
            &["--mode", mode, "--connections", "2"],
        );
        assert_eq!((ran.code, ran.errors()), (0, 0), "{}", ran.said);
        let resumed = ran.count("/whole_run/handshakes/resumed");
        assert_eq!(resumed > 0, mode == "resume", "{resumed}");
    }
}

#[test]
fn idle_connections_that_are_lost_before_the_window_are_errors() {
    let pki = Pki::new(&["a"]);
    let resets = Manners {
        resets_after: Some(Duration::from_millis(200)),
        ..Manners::default()
    };
    let closes = Manners {
        closes: true,
        ..Manners::default()
    };
    for manners in [resets, closes] {
        let server = Server::clear(manners);
        let mut arguments = vec!["--mode", "idle", "--connections", "3", "--settle", "500ms"];
        arguments.extend(["--fail-if", "errors>2"]);
        let ran = run(&pki, "http", &server, &arguments);
        assert_eq!((ran.code, ran.errors()), (1, 3), "{}", ran.said);
        assert_eq!(ran.count("/errors/closed"), 3, "{}", ran.said);
        assert_eq!(ran.count("/operations"), 0);
        assert!(ran.said.contains("failed: errors>2"), "{}", ran.said);
    }
}

#[test]
fn a_run_without_a_single_success_fails() {
    let pki = Pki::new(&["a"]);
    let nobody = Server {
        // The discard port of this machine: nothing listens there.
        address: "127.0.0.1:9".parse().expect("an address"),
        seen: Default::default(),
    };
    let ran = run(&pki, "https", &nobody, &["--mode", "handshake"]);
    assert_eq!(ran.code, 1, "{}", ran.said);
    assert!(ran.errors() > 0, "the report is written all the same");
    let said = "failed: not a single operation of the window succeeded; last error: connect:";
    assert!(ran.said.contains(said), "{}", ran.said);
}

#[test]
fn an_issuer_may_close_after_each_token() {
    let pki = Pki::new(&["a"]);
    let manners = Manners {
        closes: true,
        ..Manners::default()
    };
    for scheme in ["https", "http"] {
        let server = match scheme {
            "https" => Server::tls(&pki, manners),
            _ => Server::clear(manners),
        };
        let endpoint = format!("{scheme}://{}/oauth2/token", server.address);
        let mut arguments = vec!["--mode", "keep-alive", "--connections", "1"];
        arguments.extend(["--token-endpoint", &endpoint, "--client-id", "a"]);
        arguments.extend(["--token-use", "rotate", "--token-count", "3"]);
        let ran = run(&pki, scheme, &server, &arguments);
        assert_eq!((ran.code, ran.errors()), (0, 0), "{}", ran.said);
        let methods = seen(&server).methods.lock().expect("no panic").clone();
        assert_eq!(methods["POST"], 3);
    }
}

#[test]
fn files_are_written_though_nobody_reads_what_is_said() {
    let pki = Pki::new(&["a"]);
    let server = Server::clear(Manners::default());
    let json = pki.path("unread.json");
    let mut child = Command::new(env!("CARGO_BIN_EXE_t8load"))
        .args(["--target", &format!("http://{}", server.address)])
        .args(["--mode", "keep-alive", "--warmup", "0s"])
        .args(["--duration", "200ms", "--json"])
        .arg(&json)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!((ended.status.code(), said.as_ref()), (Some(0), ""));
    assert!(json.is_file());
}

#[test]
fn what_is_no_response_is_counted_as_such() {
    let pki = Pki::new(&["a"]);
    let manners = Manners {
        garbage: true,
        ..Manners::default()
    };
    let server = Server::tls(&pki, manners);
    let arguments = ["--mode", "keep-alive", "--fail-if", "errors.http>0"];
    let ran = run(&pki, "https", &server, &arguments);
    assert_eq!(ran.code, 1, "{}", ran.said);
    assert!(ran.count("/errors/http") > 0, "{}", ran.said);
    assert_eq!(ran.count("/operations"), 0);
    assert!(ran.said.contains("malformed"), "{}", ran.said);
}

#[test]
fn the_exit_code_says_what_became_of_the_run() {
    let pki = Pki::new(&["a"]);
    let server = Server::tls(&pki, Manners::default());
    let keep_alive = |more: &[&str]| {
        let mut arguments = vec!["--mode", "keep-alive", "--connections", "2"];
        arguments.extend(more);
        run(&pki, "https", &server, &arguments)
    };
    assert_eq!(keep_alive(&["--fail-if", "errors>0"]).code, 0);
    let failed = keep_alive(&["--fail-if", "errors>0", "--fail-if", "ops_per_s>1"]);
    assert_eq!(failed.code, 1);
    assert!(
        failed.said.contains("failed: ops_per_s>1: it is"),
        "{}",
        failed.said
    );
    assert_eq!(keep_alive(&["--fail-if", "nonsense>1"]).code, 2);
    assert_eq!(keep_alive(&["--fail-if", "busy.nobody>1"]).code, 2);
    assert_eq!(keep_alive(&["--watch", "gone=4000000"]).code, 2);
    assert_eq!(keep_alive(&["--groups", "x25519,rot13"]).code, 2);
}

#[test]
fn a_run_that_cannot_be_made_says_why() {
    let (pki, stranger) = (Pki::new(&["a"]), Pki::new(&["a"]));
    let server = Server::tls(&pki, Manners::default());
    // Whose client certificate is of a CA that the server does not know, and the other way round.
    let foreign = run(&stranger, "https", &server, &["--mode", "keep-alive"]);
    assert_eq!(foreign.code, 2);
    assert!(
        foreign.said.contains("0 of 32 connections"),
        "{}",
        foreign.said
    );
    assert!(foreign.said.contains("certificate"), "{}", foreign.said);
    let nobody = Server {
        // The discard port of this machine: nothing listens there.
        address: "127.0.0.1:9".parse().expect("an address"),
        seen: server.seen.clone(),
    };
    let refused = run(&pki, "https", &nobody, &["--mode", "keep-alive"]);
    assert_eq!(refused.code, 2);
    assert!(refused.said.contains("refused"), "{}", refused.said);
}

#[test]
fn all_that_is_written_is_written() {
    let pki = Pki::new(&["a"]);
    let server = Server::clear(Manners::default());
    let (svg, hgrm) = (pki.path("run.svg"), pki.path("run.hgrm"));
    let (svg, hgrm) = (svg.to_str().expect("UTF-8"), hgrm.to_str().expect("UTF-8"));
    let arguments = ["--mode", "keep-alive", "--svg", svg, "--hgrm", hgrm];
    let ran = run(&pki, "http", &server, &arguments);
    assert_eq!((ran.code, ran.errors()), (0, 0), "{}", ran.said);
    let (svg, hgrm) = (std::fs::read_to_string(svg), std::fs::read_to_string(hgrm));
    assert!(svg.expect("a file").ends_with("</svg>\n"));
    let total = format!("Total count    = {:>12}", ran.count("/operations"));
    assert!(hgrm.expect("a file").contains(&total));
    assert!(ran.said.contains("generator"), "{}", ran.said);
}
