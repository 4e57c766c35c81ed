//! Whom a responder that hangs holds up.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;

use super::*;
use crate::config::HttpUrl;
use crate::tls::ocsp::OcspIssuer;
use crate::tls::ocsp::tests::responder::{Entry, Scene};

const SERIAL: &[u8] = &[0x4a, 1, 2, 3];

fn responder(ca: &Scene, listener: &TcpListener) -> Arc<Responder> {
    let address = listener.local_addr().unwrap();
    Arc::new(Responder {
        issuer: OcspIssuer::read(&ca.ca).unwrap(),
        url: HttpUrl {
            tls: false,
            host: address.ip().to_string(),
            port: address.port(),
            authority: address.to_string(),
            target: "/".into(),
        },
        tls: None,
        refresh: Duration::from_secs(3_600),
    })
}

/// Answers one question, that the certificate is good.
fn answer_one(ca: &Scene, listener: &TcpListener) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut length) = (String::new(), 0);
    while line != "\r\n" {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "the end");
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut question = vec![0; length];
    reader.read_exact(&mut question).unwrap();
    let answer = ca.answer(
        &question,
        SERIAL,
        Entry::Valid,
        &ca.itself(),
        &["-ndays", "1"],
    );
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
        answer.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&answer).unwrap();
}

/// Has it ask, as if a handshake waited.
async fn ask(
    letters: &mpsc::Sender<Question>,
    issuer: IssuerId,
    serial: &[u8],
) -> oneshot::Receiver<()> {
    let (answered, told) = oneshot::channel();
    let question = Question {
        issuer,
        serial: serial.into(),
        answered,
    };
    letters.send(question).await.unwrap();
    told
}

#[test]
fn responder_that_hangs_holds_up_clients_of_its_own_issuer_alone() {
    let (hanging, well) = (Scene::new(), Scene::new());
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    // Connections to the first are made, and nobody ever takes them.
    let (silent, speaking) = (listen(), listen());
    let responders = [responder(&hanging, &silent), responder(&well, &speaking)];
    let [stuck, other] = [responders[0].issuer.id(), responders[1].issuer.id()];
    let revocation = Arc::new(Revocation::default());
    let asker = Rc::new(Asker {
        configured: Box::new(move |issuer| {
            let mut all = responders.iter();
            all.find(|known| known.issuer.id() == issuer).cloned()
        }),
        counts: Arc::default(),
        revocation: Arc::clone(&revocation),
        waiting: RefCell::new(Waiting::new(OCSP_WAITING_MAX)),
        crowded_out: Cell::new(0),
        responders: RefCell::default(),
    });
    let (questions, letters) = mpsc::channel(OCSP_QUESTIONS_QUEUED_MAX);
    revocation.statuses().answered_by(questions.clone());
    let answering = std::thread::spawn(move || answer_one(&well, &speaking));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let tasks = tokio::task::LocalSet::new();
    tasks.spawn_local(asker.receive(letters));
    tasks.block_on(&runtime, async {
        let mut held_up = Vec::new();
        for serial in 0..u32::try_from(OCSP_WAITING_MAX).unwrap() {
            held_up.push(ask(&questions, stuck, &serial.to_be_bytes()).await);
        }
        let told = ask(&questions, other, SERIAL).await;
        told.await.expect("it is asked about, and not turned away");
        // As many as there are places left, and the rest is told to go on without.
        let waits = |told: &mut oneshot::Receiver<()>| {
            told.try_recv() == Err(oneshot::error::TryRecvError::Empty)
        };
        let waiting = held_up
            .iter_mut()
            .filter_map(|told| waits(told).then_some(()));
        assert_eq!(waiting.count(), OCSP_WAITING_MAX / 2);
    });
    answering.join().unwrap();
    let verdict = |issuer, serial| {
        revocation
            .statuses()
            .verdict(issuer, serial, UnixSeconds::now())
    };
    assert_eq!(verdict(other, SERIAL), Verdict::Good);
    let unasked = Verdict::ToBeAsked {
        revoked_before: false,
    };
    assert_eq!(verdict(stuck, &[0; 4]), unasked);
}
