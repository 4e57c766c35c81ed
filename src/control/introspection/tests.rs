use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};

use zeroize::Zeroizing;

use super::*;
use crate::authz::issuers::{IssuerRules, KeySet, Profile};
use crate::control::crl_fetch::trusting_as;

#[test]
fn breaker_opens_after_so_many_in_vain_and_lets_one_try() {
    let breaker = Breaker::default();
    let now = Millis(1_000);
    assert!(breaker.note(false, now), "the first is said");
    for _ in 2..INTROSPECTION_FAILURES_MAX {
        assert!(breaker.lets_through(now) && !breaker.note(false, now));
    }
    assert!(
        breaker.lets_through(now) && breaker.note(false, now),
        "and the last"
    );
    assert!(breaker.is_open() && !breaker.lets_through(now));
    let later = now.after(INTROSPECTION_PAUSE);
    assert!(breaker.lets_through(later), "one tries");
    assert!(!breaker.lets_through(later), "and none behind it");
    assert!(!breaker.note(false, later));
    assert!(!breaker.lets_through(later));
    let again = later.after(INTROSPECTION_PAUSE);
    assert!(breaker.lets_through(again) && !breaker.note(true, again));
    assert!(!breaker.is_open());
    assert!(breaker.lets_through(again) && breaker.lets_through(again));
    assert!(breaker.note(false, again), "the first of others");
}

//= RFC 6749 section 2.3.1 type=test
//# What has a meaning in a form or between the two is encoded.
#[test]
fn client_and_secret_are_encoded_before_they_are_joined() {
    let said = basic("a:b", "p% +/\u{e9}");
    let octets = STANDARD
        .decode(said.strip_prefix("Basic ").unwrap())
        .unwrap();
    assert_eq!(
        String::from_utf8(octets).unwrap(),
        "a%3Ab:p%25+%2B%2F%C3%A9"
    );
    assert_eq!(encoded(b"t&oken=1"), "t%26oken%3D1");
}

#[test]
fn inactive_tokens_are_remembered_up_to_a_bound_and_for_a_while() {
    let asker = Asker::new(Arc::default());
    let known = |n: usize| {
        let mut known = Known::default();
        known[..8].copy_from_slice(&n.to_ne_bytes());
        known
    };
    for n in 0..INTROSPECTION_INACTIVE_MAX + 7 {
        asker.note_inactive(known(n), TokenFault::Inactive, Millis(0));
        assert!(asker.inactive.borrow().len() <= INTROSPECTION_INACTIVE_MAX);
        assert!(
            asker.inactive.borrow().contains_key(&known(n)),
            "the newest"
        );
    }
    let later = Millis(0).after(INTROSPECTION_INACTIVE_FOR);
    for n in 7..INTROSPECTION_INACTIVE_MAX {
        asker.note_inactive(known(n), TokenFault::Inactive, Millis(0));
    }
    asker.note_inactive(known(usize::MAX), TokenFault::Audience, later);
    assert_eq!(asker.inactive.borrow().len(), 1, "the others are over");
}

/// Questions, and an issuer on loopback that answers each with this, or never.
struct Scene {
    asker: Rc<Asker>,
    address: std::net::SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Scene {
    fn answering(said: Option<String>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut open = Vec::new();
            for mut stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                match &said {
                    Some(said) => answer(&mut stream, said),
                    None => open.push(stream),
                }
            }
        });
        Self {
            asker: Rc::new(Asker::new(Arc::default())),
            address,
            asked,
        }
    }

    fn rules(&self) -> Arc<Introspection> {
        let audience = "https://t8.example".to_owned();
        let profile = Profile::Rfc9068 { audience };
        let issuer = IssuerRules::new("https://as.example".to_owned(), profile, KeySet::unknown());
        Arc::new(Introspection {
            issuer: issuer.unwrap(),
            url: format!("http://{}/", self.address).parse().unwrap(),
            tls: trusting_as(Vec::new(), None).unwrap(),
            ca: Vec::new(),
            client_id: "t8gate".to_owned(),
            proof: Proof::Secret(Zeroizing::new("secret".to_owned())),
            cache: INTROSPECTION_WAIT,
            desk: Arc::default(),
        })
    }

    fn ask(
        &self,
        token: &str,
        client: u32,
        rules: &Arc<Introspection>,
    ) -> oneshot::Receiver<Verdict> {
        let (answer, answered) = oneshot::channel();
        let question = Question {
            token: token.as_bytes().into(),
            client: ClientIndex(client),
            answer,
        };
        self.asker.take(question, Some(Arc::clone(rules)));
        answered
    }

    fn waiting(&self) -> usize {
        self.asker.waiting.borrow().len()
    }
}

/// Reads a question to its end first.
fn answer(stream: &mut std::net::TcpStream, said: &str) {
    let (mut asked, mut piece) = (Vec::new(), [0; 4_096]);
    while !asked.ends_with(b"token_type_hint=access_token") {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return,
            Ok(read) => asked.extend_from_slice(&piece[..read]),
        }
    }
    // Who has gone has what it wants.
    let _ = stream.write_all(said.as_bytes());
}

fn said(status: &str, json: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{json}",
        json.len()
    )
}

fn told<T>(story: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, story)
}

#[test]
fn client_with_many_questions_leaves_room_for_those_of_others() {
    told(async {
        let scene = Scene::answering(None);
        let rules = scene.rules();
        let mut own: Vec<_> = (0..INTROSPECTIONS_WAITING_MAX)
            .map(|n| scene.ask(&format!("t{n}"), 0, &rules))
            .collect();
        assert_eq!(scene.waiting(), INTROSPECTIONS_PER_CLIENT_MAX);
        let over = own.split_off(INTROSPECTIONS_PER_CLIENT_MAX);
        for mut over in over {
            assert_eq!(over.try_recv(), Ok(Err(NotTaken::Unanswered)));
        }
        let mut others = scene.ask("other", 1, &rules);
        assert!(others.try_recv().is_err(), "it waits for the issuer");
        assert_eq!(scene.waiting(), INTROSPECTIONS_PER_CLIENT_MAX + 1);
        // To wait for what is being asked takes no room.
        let mut shared = scene.ask("other", 0, &rules);
        assert!(shared.try_recv().is_err());
        assert_eq!(scene.waiting(), INTROSPECTIONS_PER_CLIENT_MAX + 1);
    });
}

#[test]
fn question_joins_none_that_was_asked_by_other_rules() {
    told(async {
        let scene = Scene::answering(None);
        let (before, after) = (scene.rules(), scene.rules());
        let _one = scene.ask("t", 0, &before);
        let _same = scene.ask("t", 0, &before);
        assert_eq!(scene.waiting(), 1);
        let _other = scene.ask("t", 0, &after);
        assert_eq!(scene.waiting(), 2, "the answer is read by other rules");
    });
}

#[test]
fn token_that_is_good_for_nothing_here_is_asked_about_once_by_the_same_rules() {
    told(async {
        let active = r#"{"active":true,"client_id":"a","aud":"https://else.example"}"#;
        let scene = Scene::answering(Some(said("200 OK", active)));
        let rules = scene.rules();
        let refused = Ok(Err(NotTaken::Refused(TokenFault::Audience)));
        for _ in 0..3 {
            assert_eq!(scene.ask("t", 0, &rules).await, refused);
        }
        assert_eq!(scene.asked.load(Ordering::SeqCst), 1);
        // What other rules refuse they have to find themselves.
        let others = scene.rules();
        assert_eq!(scene.ask("t", 0, &others).await, refused);
        assert_eq!(scene.asked.load(Ordering::SeqCst), 2);
    });
}

/// What is remembered of it ends before: a revocation is kept for as long as it may be good.
#[test]
fn token_ends_when_its_issuer_says_however_soon_it_is_asked_again() {
    told(async {
        let end = UnixSeconds(UnixSeconds::now().0 + 7_200);
        let active = r#"{"active":true,"client_id":"a","aud":"https://t8.example",
            "scope":"3gpp-nidd","exp":END,
            "cnf":{"x5t#S256":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}"#;
        let active = active.replace("END", &end.0.to_string());
        let scene = Scene::answering(Some(said("200 OK", &active)));
        let taken = scene.ask("t", 0, &scene.rules()).await.unwrap().unwrap();
        assert!(taken.ends >= end);
        assert!(taken.grant.valid_until < UnixSeconds(end.0 - 3_600));
    });
}

#[test]
fn token_that_is_not_valid_yet_is_asked_about_again() {
    told(async {
        let active = r#"{"active":true,"client_id":"a","aud":"https://t8.example",
            "scope":"3gpp-nidd","iat":250000000000,"exp":250000000100,
            "cnf":{"x5t#S256":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}"#;
        let scene = Scene::answering(Some(said("200 OK", active)));
        let rules = scene.rules();
        for _ in 0..2 {
            let refused = Ok(Err(NotTaken::Refused(TokenFault::NotYetValid)));
            assert_eq!(scene.ask("t", 0, &rules).await, refused);
        }
        assert_eq!(scene.asked.load(Ordering::SeqCst), 2);
    });
}

/// Each is a question to the issuer, whom nobody else may have the more of for it.
#[test]
fn client_whose_tokens_are_asked_about_in_vain_is_kept_from_asking_and_no_other_is() {
    for (status, json, hears) in [
        (
            "200 OK",
            r#"{"active":false}"#,
            NotTaken::Refused(TokenFault::Inactive),
        ),
        ("400 Bad Request", "{}", NotTaken::Unanswered),
    ] {
        told(async {
            let scene = Scene::answering(Some(said(status, json)));
            let rules = scene.rules();
            let mut over = 0;
            // Two seconds may be touched, or three on a busy machine.
            for n in 0..8 * INTROSPECTIONS_IN_VAIN_PER_S_MAX {
                match scene.ask(&format!("t{n}"), 0, &rules).await {
                    Ok(Err(NotTaken::OverBudget)) => {
                        over += 1;
                        // What is known costs nothing, and others have theirs.
                        if hears != NotTaken::Unanswered {
                            let again = scene.ask("t0", 0, &rules).await;
                            assert_eq!(again, Ok(Err(hears)));
                        }
                        let other = scene.ask(&format!("o{n}"), n + 1, &rules).await;
                        assert_eq!(other, Ok(Err(hears)));
                    }
                    refused => assert_eq!(refused, Ok(Err(hears))),
                }
            }
            assert!(over > 0, "{status}");
        });
    }
}

#[test]
fn what_an_issuer_says_of_one_token_keeps_no_other_from_being_asked_about() {
    told(async {
        for (status, opens) in [
            ("400 Bad Request", false),
            ("413 Content Too Large", false),
            ("414 URI Too Long", false),
            ("415 Unsupported Media Type", false),
            ("422 Unprocessable Content", false),
            ("401 Unauthorized", true),
            ("500 Internal Server Error", true),
        ] {
            let scene = Scene::answering(Some(said(status, "{}")));
            let rules = scene.rules();
            for n in 0..INTROSPECTION_FAILURES_MAX {
                let answered = scene.ask(&format!("t{n}"), 0, &rules).await;
                assert_eq!(answered, Ok(Err(NotTaken::Unanswered)), "{status}");
            }
            assert_eq!(scene.asker.breaker.is_open(), opens, "{status}");
        }
    });
}
