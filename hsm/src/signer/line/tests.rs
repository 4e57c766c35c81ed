use std::os::fd::OwnedFd;
use std::thread;

use super::*;

const HASHED: [u8; 32] = [3; 32];

fn line(sign_within: Duration) -> Line {
    let source = Pkcs11Source {
        module: "module.so".into(),
        uri: "pkcs11:token=t8gate".into(),
        pin_file: "pin".into(),
        sessions: 2,
    };
    Line::new(source, None, sign_within)
}

/// One end of a lane put into service; the other plays the signer process.
fn laid(line: &Line) -> OwnedFd {
    let (ours, theirs) = socket::pair().unwrap();
    line.lay(vec![ours], 1).unwrap();
    theirs
}

fn sign(line: &Line) -> (Result<Vec<u8>, SignFault>, Option<Trouble>) {
    let mut told = None;
    let ask = Ask::Sign {
        scheme: Scheme::EcdsaP256Sha256,
        hashed: &HASHED,
    };
    let answer = line.ask(&ask, |trouble| told = Some(trouble));
    (answer, told)
}

/// Hears one packet and says `answer`.
fn answer_with(theirs: OwnedFd, answer: &'static [u8]) -> thread::JoinHandle<OwnedFd> {
    thread::spawn(move || {
        let mut packet = [0; wire::LANE_BYTES_MAX];
        socket::hear(&theirs, &mut packet).unwrap();
        socket::tell(&theirs, answer).unwrap();
        theirs
    })
}

#[test]
fn lane_serves_one_signature_after_another() {
    let line = line(Duration::from_secs(10));
    assert_eq!(sign(&line), (Err(SignFault::TokenGone), None), "none laid");
    let mut theirs = laid(&line);
    for _ in 0..3 {
        let answering = answer_with(theirs, &[0x22, 7, 8]);
        assert_eq!(sign(&line), (Ok(vec![7, 8]), None));
        theirs = answering.join().unwrap();
    }
}

#[test]
fn silence_breakage_and_nonsense_take_the_line_out_of_service_and_are_told_once() {
    let silent = line(Duration::from_millis(20));
    let _theirs = laid(&silent);
    assert_eq!(
        sign(&silent),
        (Err(SignFault::TokenGone), Some(Trouble::Silent))
    );
    assert_eq!(sign(&silent), (Err(SignFault::TokenGone), None), "at once");

    let broken = line(Duration::from_secs(10));
    drop(laid(&broken));
    assert_eq!(
        sign(&broken),
        (Err(SignFault::TokenGone), Some(Trouble::Broken))
    );

    let odd = line(Duration::from_secs(10));
    let answering = answer_with(laid(&odd), &[0x77]);
    assert_eq!(
        sign(&odd),
        (Err(SignFault::TokenGone), Some(Trouble::Broken))
    );
    answering.join().unwrap();
}

#[test]
fn key_that_is_gone_is_so_until_lanes_are_laid_anew() {
    let line = line(Duration::from_secs(10));
    let answering = answer_with(laid(&line), &[0x23, SignFault::KeyGone as u8]);
    assert_eq!(sign(&line), (Err(SignFault::KeyGone), Some(Trouble::Lost)));
    assert_eq!(
        sign(&line),
        (Err(SignFault::KeyGone), None),
        "nobody was asked"
    );
    answering.join().unwrap();
    let answering = answer_with(laid(&line), &[0x22]);
    assert_eq!(sign(&line), (Ok(Vec::new()), None));
    answering.join().unwrap();
}

/// A signature that was refused says nothing about the next.
#[test]
fn refusal_leaves_the_line_in_service() {
    let line = line(Duration::from_secs(10));
    let answering = answer_with(laid(&line), &[0x23, SignFault::Refused as u8]);
    assert_eq!(sign(&line), (Err(SignFault::Refused), None));
    assert!(line.is_serving());
    answering.join().unwrap();
}

/// Its thread comes back from a lane of the last laying when the next is in service.
#[test]
fn late_trouble_of_an_earlier_laying_is_none_of_the_next() {
    let line = line(Duration::from_secs(10));
    let theirs = laid(&line);
    thread::scope(|scope| {
        let asking = scope.spawn(|| sign(&line));
        let mut packet = [0; wire::LANE_BYTES_MAX];
        socket::hear(&theirs, &mut packet).unwrap();
        line.cut(SignFault::TokenGone);
        let next = laid(&line);
        drop(theirs);
        assert_eq!(asking.join().unwrap(), (Err(SignFault::TokenGone), None));
        assert!(line.is_serving());
        let answering = answer_with(next, &[0x22, 1]);
        assert_eq!(sign(&line), (Ok(vec![1]), None));
        answering.join().unwrap();
    });
}

/// Until one is free, or none will be, and no longer than a signature may take.
#[test]
fn more_at_once_than_lanes_wait_for_one() {
    let served = line(Duration::from_secs(10));
    let theirs = laid(&served);
    thread::scope(|scope| {
        let asking = [(); 2].map(|()| scope.spawn(|| sign(&served)));
        let mut packet = [0; wire::LANE_BYTES_MAX];
        for _ in 0..2 {
            socket::hear(&theirs, &mut packet).unwrap();
            socket::tell(&theirs, &[0x22]).unwrap();
        }
        for asking in asking {
            assert_eq!(asking.join().unwrap(), (Ok(Vec::new()), None));
        }
    });

    let busy = line(Duration::from_millis(20));
    let _theirs = laid(&busy);
    let lane = busy.lane().unwrap();
    assert_eq!(sign(&busy), (Err(SignFault::Busy), None));
    busy.give_back(lane);
    assert!(busy.lane().is_ok());

    let lost = line(Duration::from_secs(600));
    let _theirs = laid(&lost);
    let _lane = lost.lane().unwrap();
    thread::scope(|scope| {
        let asking = scope.spawn(|| sign(&lost));
        thread::sleep(Duration::from_millis(20));
        lost.cut(SignFault::KeyGone);
        assert_eq!(asking.join().unwrap(), (Err(SignFault::KeyGone), None));
    });
}

/// Whoever waits is told at once that another has taken the line out of service.
#[test]
fn trouble_of_one_is_told_to_those_who_wait_for_a_lane() {
    let line = line(Duration::from_secs(600));
    let theirs = laid(&line);
    thread::scope(|scope| {
        let asking = [(); 3].map(|()| scope.spawn(|| sign(&line)));
        let mut packet = [0; wire::LANE_BYTES_MAX];
        socket::hear(&theirs, &mut packet).unwrap();
        drop(theirs);
        let told = asking.map(|asking| asking.join().unwrap());
        assert!(
            told.iter()
                .all(|(answer, _)| *answer == Err(SignFault::TokenGone))
        );
        let troubles = told.iter().filter(|(_, trouble)| trouble.is_some());
        assert_eq!(troubles.count(), 1);
    });
}

#[test]
fn texts_that_come_in_turns_are_said_once_each() {
    let mut said = LastSaid::default();
    let news = ["one", "other", "one", "other", "one"].map(|text| said.is_new(text));
    assert_eq!(news, [true, true, false, false, false]);
    let many = (0..1000).filter(|number| said.is_new(&number.to_string()));
    assert_eq!(many.count(), 1000);
    assert_eq!(said.0.len(), LastSaid::MAX);
    assert!(said.is_new("one"), "it is long ago");
}
