//! What is acknowledged holds, whenever the gateway is killed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::{again, ask, assert_revoked, house, revoke, token, try_ask};
use crate::harness::mint::ISSUER;
use crate::harness::stage::PATH;
use crate::harness::{WAIT, signal, wait_until};

#[test]
fn killed_right_after_the_acknowledgement_it_has_not_forgotten_at_the_next_start() {
    let mut house = house();
    let tokens: Vec<String> = (0..20)
        .map(|number| token(&house.stage, &format!("j-{number}")))
        .collect();
    for (number, token) in tokens.iter().enumerate() {
        assert_eq!(house.client().get(PATH, token).status, 200);
        match number % 2 {
            0 => revoke(&house.stage, &json!({"token": token})),
            _ => revoke(
                &house.stage,
                &json!({"jti": format!("j-{number}"), "issuer": ISSUER}),
            ),
        };
        signal(house.gateway.pid(), "KILL");
        house.gateway.wait(WAIT);
        house.gateway = again(&house.stage, &house.gateway);
        let mut client = house.client();
        for revoked in &tokens[..=number] {
            assert_revoked(&client.get(PATH, revoked));
        }
    }
}

#[test]
fn killed_in_the_middle_of_many_revocations_it_has_forgotten_none_that_was_acknowledged() {
    let mut house = house();
    let acknowledged = Mutex::new(Vec::new());
    for round in 0..3 {
        let killed = AtomicBool::new(false);
        thread::scope(|scope| {
            for writer in 0..4 {
                let (stage, acknowledged, killed) = (&house.stage, &acknowledged, &killed);
                scope.spawn(move || {
                    for number in 0.. {
                        let jti = format!("{round}-{writer}-{number}");
                        let body = json!({"jti": jti, "issuer": ISSUER}).to_string();
                        match try_ask(stage, "POST", "/revocations", &body) {
                            Some((200, _)) => acknowledged.lock().unwrap().push(jti),
                            _ if killed.load(Ordering::Relaxed) => return,
                            other => assert!(other.is_none(), "{other:?}"),
                        }
                    }
                });
            }
            thread::sleep(Duration::from_millis(300 + 70 * round));
            killed.store(true, Ordering::Relaxed);
            signal(house.gateway.pid(), "KILL");
        });
        house.gateway.wait(WAIT);
        house.gateway = again(&house.stage, &house.gateway);
    }
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!(acknowledged.len() > 20, "only {}", acknowledged.len());
    let (_, listed) = ask(&house.stage, "GET", "/revocations", "");
    let held = listed["counts"]["jti"].as_u64().unwrap_or_default();
    assert!(
        held >= acknowledged.len() as u64,
        "{held} of {}",
        acknowledged.len()
    );
    let mut client = house.client();
    for jti in &acknowledged {
        let token = token(&house.stage, jti);
        let mut answer = None;
        // So many tokens in vain have a client wait.
        wait_until("the client's turn", || {
            let told = client.get(PATH, &token);
            answer = (told.status != 429).then_some(told);
            answer.is_some()
        });
        assert_revoked(&answer.expect("waited for"));
    }
}
