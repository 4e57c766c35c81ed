//! Lists that come from files and from a real server on loopback, and what becomes of bad ones.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, TryRecvError};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::ServerConnection;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use time::{Duration as TimeSpan, OffsetDateTime};

use super::*;
use crate::clock::Millis;
use crate::control::crl_fetch::{FetchFault, fetch};
use crate::tls::revocation::tests::made::{self, Made};
use crate::tls::revocation::{CrlIssuer, Unknown, Verdict};

/// For what a keeper does: its threads give way to all others of a busy machine.
const WAIT: Duration = Duration::from_secs(120);

struct Ca {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
}

fn ca() -> Ca {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Lists");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let der = params.self_signed(&key).unwrap().der().clone();
    let issuer = Issuer::new(params, key);
    Ca { issuer, der }
}

/// A list of this number that revokes these serials.
fn list(ca: &Ca, number: u64, serials: &[u64]) -> Vec<u8> {
    let now = OffsetDateTime::now_utc();
    let revoked = |serial: &u64| RevokedCertParams {
        serial_number: SerialNumber::from(*serial),
        revocation_time: date_time_ymd(2026, 1, 1),
        reason_code: None,
        invalidity_date: None,
    };
    let params = CertificateRevocationListParams {
        this_update: now - TimeSpan::minutes(1),
        next_update: now + TimeSpan::days(1),
        crl_number: SerialNumber::from(number),
        issuing_distribution_point: None,
        revoked_certs: serials.iter().map(revoked).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(&ca.issuer).unwrap().der().to_vec()
}

fn revocation(ca: &Ca) -> Arc<Revocation> {
    let revocation = Arc::new(Revocation::default());
    revocation.take_lists_of(vec![CrlIssuer::read(&ca.der).unwrap()]);
    revocation
}

fn is_revoked(revocation: &Revocation, ca: &Ca, serial: u8) -> bool {
    let issuer = CrlIssuer::read(&ca.der).unwrap().id();
    let now = UnixSeconds::now();
    let verdict = revocation
        .lists()
        .look_up(issuer, &[serial], Duration::ZERO, now);
    assert_ne!(verdict, Verdict::Unknown(Unknown::Expired));
    matches!(verdict, Verdict::Revoked { .. })
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let by = Millis::now().after(WAIT);
    while !holds() {
        assert!(Millis::now() < by, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Answers one request after the other with what it is told to; gives the heads it has read.
struct Origin {
    url: HttpUrl,
    heads: Receiver<String>,
}

fn origin(answers: Vec<Vec<u8>>, tls: Option<Arc<rustls::ServerConfig>>) -> Origin {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, heads) = mpsc::channel();
    let url = HttpUrl {
        tls: tls.is_some(),
        host: "127.0.0.1".into(),
        port,
        authority: format!("127.0.0.1:{port}"),
        target: "/a.crl".into(),
    };
    std::thread::spawn(move || {
        for answer in answers {
            let Ok((mut socket, _)) = listener.accept() else {
                return;
            };
            let head = match &tls {
                None => exchange(&mut socket, &answer),
                Some(config) => {
                    let mut connection = ServerConnection::new(Arc::clone(config)).unwrap();
                    exchange(
                        &mut rustls::Stream::new(&mut connection, &mut socket),
                        &answer,
                    )
                }
            };
            if sender.send(head).is_err() {
                return;
            }
        }
    });
    Origin { url, heads }
}

fn exchange(stream: &mut (impl std::io::Read + std::io::Write), answer: &[u8]) -> String {
    let mut head = String::new();
    let mut reader = BufReader::new(&mut *stream);
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|read| read > 0) {}
    // Who has gone has refused the certificate.
    let _ = stream.write_all(answer).and_then(|()| stream.flush());
    head
}

fn ok(body: &[u8], fields: &str) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{fields}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn status(line: &str) -> Vec<u8> {
    format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

fn from_url(url: &HttpUrl, folder: &Path) -> CrlFrom {
    let place = CrlPlace::Url(url.clone());
    CrlFrom {
        name: place.to_string(),
        kept: Some(kept_as(folder, &place)),
        place,
        read: None,
        refresh: Duration::from_millis(20),
        tls: None,
    }
}

fn start(revocation: &Arc<Revocation>, from: CrlFrom, counts: &Arc<CrlCounts>) -> CrlKeeper {
    let (revocation, counts) = (Arc::clone(revocation), Arc::clone(counts));
    CrlKeeper::start(revocation, (vec![from], &AllBrought::new()), counts).unwrap()
}

#[test]
fn file_that_changes_is_read_again_and_a_bad_one_changes_nothing() {
    let (folder, ca) = (tempfile::tempdir().unwrap(), ca());
    let file = folder.path().join("a.crl");
    fs::write(&file, list(&ca, 1, &[5])).unwrap();
    let revocation = revocation(&ca);
    assert_eq!(take(&file, &revocation).unwrap().entries, 1);
    let counts = Arc::new(CrlCounts::default());
    let from = CrlFrom {
        name: "a.crl".into(),
        place: CrlPlace::File(file.clone()),
        refresh: WAIT,
        tls: None,
        kept: None,
        read: Stamp::of(&file),
    };
    let before = revocation.generation();
    let _keeper = start(&revocation, from, &counts);
    fs::write(&file, "nonsense").unwrap();
    eventually("the bad file is looked at", || counts.refused() == 1);
    assert!(is_revoked(&revocation, &ca, 5) && revocation.generation() == before);
    fs::write(&file, list(&ca, 2, &[6])).unwrap();
    eventually("the new list is in use", || counts.taken() == 1);
    assert!(is_revoked(&revocation, &ca, 6) && !is_revoked(&revocation, &ca, 5));
    assert!(revocation.generation() > before);
    // An old one put back is refused.
    fs::write(&file, list(&ca, 1, &[5])).unwrap();
    eventually("the old list is looked at", || counts.refused() == 2);
    assert!(is_revoked(&revocation, &ca, 6));
}

#[test]
fn pipe_in_a_lists_place_is_refused_and_the_next_list_is_taken() {
    let (folder, ca) = (tempfile::tempdir().unwrap(), ca());
    let file = folder.path().join("a.crl");
    fs::write(&file, list(&ca, 1, &[5])).unwrap();
    let revocation = revocation(&ca);
    take(&file, &revocation).unwrap();
    let counts = Arc::new(CrlCounts::default());
    let keeper = start(&revocation, from_file(&file), &counts);
    fs::remove_file(&file).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&file).status();
    assert!(made.unwrap().success());
    // Nobody ever writes to it.
    let looked = keeper.look_now().unwrap();
    assert_eq!(
        looked.recv_timeout(WAIT),
        Err(RecvTimeoutError::Disconnected)
    );
    assert_eq!(counts.refused(), 1);
    let refused = read(&file, &revocation).err();
    assert_eq!(refused, Some(CrlFault::NotRegular));
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    eventually("the folder is refused too", || counts.refused() == 2);
    assert!(is_revoked(&revocation, &ca, 5));
    fs::remove_dir(&file).unwrap();
    fs::write(&file, list(&ca, 2, &[6])).unwrap();
    eventually("the next list is in use", || counts.taken() == 1);
    assert!(is_revoked(&revocation, &ca, 6));
}

/// And what it was read for is gone by when it is read: nobody is to be refused by it any more.
#[test]
fn long_list_holds_up_nobody_who_has_it_looked_at_and_is_not_used_where_others_are_kept_by_then() {
    let ca = ca();
    let serials: Vec<_> = (1 << 32..(1 << 32) + 1_500_000).collect();
    let long = list(&ca, 3, &serials);
    // On a busy machine the list may have been read before anybody says what else is to be kept.
    let attempts = (0..20).find(|_| keeps_others_while_a_long_list_is_read(&ca, &long));
    assert!(attempts.is_some(), "waited for");
}

/// False where the list was read too soon to tell.
fn keeps_others_while_a_long_list_is_read(ca: &Ca, long_list: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let [file, other, long] = ["a.crl", "b.crl", "long"].map(|name| folder.path().join(name));
    fs::write(&file, list(ca, 1, &[5])).unwrap();
    fs::write(&other, list(ca, 2, &[6])).unwrap();
    fs::write(&long, long_list).unwrap();
    let (revocation, read) = (revocation(ca), super::tests::revocation(ca));
    take(&file, &revocation).unwrap();
    take(&other, &read).unwrap();
    let counts = Arc::new(CrlCounts::default());
    let keeper = start(&revocation, from_file(&file), &counts);
    fs::rename(&long, &file).unwrap();
    let looked = keeper.look_now().unwrap();
    let is_read = || looked.try_recv() != Err(TryRecvError::Empty);
    let others = Arc::clone(&keeper.letterbox);
    eventually("the long list is read", || held(&others.letter).is_none());
    revocation.join(&read);
    let kept = (vec![from_file(&other)], &AllBrought::new());
    keeper.keep(kept, &read).unwrap();
    if is_read() {
        return false;
    }
    eventually("the long list has been read", is_read);
    let looked = keeper.look_now().unwrap();
    assert_eq!(
        looked.recv_timeout(WAIT),
        Err(RecvTimeoutError::Disconnected)
    );
    assert_eq!(revocation.lists().entries(), 1);
    assert!(is_revoked(&revocation, ca, 6));
    // One that was taken was so before anything was said, and nobody had been told of it yet.
    counts.taken() == 0
}

#[test]
fn list_is_fetched_asked_for_by_its_validators_and_kept_over_a_restart() {
    let (folder, ca) = (tempfile::tempdir().unwrap(), ca());
    let fields = "ETag: \"one\"\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n";
    let answers = vec![
        status("503 Service Unavailable"),
        ok(&list(&ca, 1, &[5]), fields),
        status("304 Not Modified"),
        ok(&list(&ca, 2, &[5, 6]), ""),
    ];
    let origin = origin(answers, None);
    let revocation = revocation(&ca);
    let counts = Arc::new(CrlCounts::default());
    let from = from_url(&origin.url, folder.path());
    let kept = from.kept.clone().unwrap();
    let _keeper = start(&revocation, from, &counts);
    let heads: Vec<String> = (0..4)
        .map(|_| origin.heads.recv_timeout(WAIT).unwrap())
        .collect();
    assert!(
        heads[0].starts_with("GET /a.crl HTTP/1.1\r\n"),
        "{}",
        heads[0]
    );
    assert!(heads[0].contains(&format!("host: {}\r\n", origin.url.authority)));
    assert!(!heads[1].contains("if-none-match"), "{}", heads[1]);
    assert!(
        heads[2].contains("if-none-match: \"one\"\r\n"),
        "{}",
        heads[2]
    );
    assert!(
        heads[2].contains("if-modified-since: Thu, 01 Jan"),
        "{}",
        heads[2]
    );
    eventually("the second list is in use", || counts.taken() == 2);
    assert!(is_revoked(&revocation, &ca, 6));
    assert!(counts.fetches_failed() >= 1);
    let later = super::tests::revocation(&ca);
    eventually("the second list is kept", || {
        take(&kept, &later).is_ok_and(|taken| taken.entries == 2)
    });
    assert!(is_revoked(&later, &ca, 6));
}

/// A list that is valid until 2049, in one go: the keeper may be looking just now.
fn write_whole(file: &Path, ca: &made::Ca, serial: u8, extensions: Vec<Vec<u8>>) {
    let made = Made {
        this_update: "250101000000Z".into(),
        next_update: Some("491231000000Z".into()),
        entries: vec![made::entry(&[serial], None)],
        extensions,
        ..Made::default()
    };
    let whole = file.with_extension("whole");
    fs::write(&whole, made.signed_by(ca)).unwrap();
    fs::rename(&whole, file).unwrap();
}

fn from_file(file: &Path) -> CrlFrom {
    CrlFrom {
        name: file.display().to_string(),
        place: CrlPlace::File(file.to_owned()),
        refresh: WAIT,
        tls: None,
        kept: None,
        read: Stamp::of(file),
    }
}

#[test]
fn change_of_one_list_has_the_deltas_read_again_and_nothing_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let both = [KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let cas = ["One", "Other"].map(|name| made::ca(name, &both));
    let issuers: Vec<_> = cas
        .iter()
        .map(|ca| CrlIssuer::read(&ca.der).unwrap())
        .collect();
    let revocation = Arc::new(Revocation::default());
    revocation.take_lists_of(issuers.clone());
    let write = |name: &str, ca, serial, extensions| {
        let file = folder.path().join(name);
        write_whole(&file, ca, serial, extensions);
        file
    };
    let [one, other] = &cas;
    let base = write("base", one, 5, vec![made::number(1)]);
    let second = write("other", other, 5, vec![made::number(1)]);
    let delta = write("delta", one, 7, vec![made::number(4), made::delta_since(2)]);
    take(&base, &revocation).unwrap();
    take(&second, &revocation).unwrap();
    let counts = Arc::new(CrlCounts::default());
    let from = [&base, &second, &delta].map(|file| from_file(file)).into();
    let kept = (Arc::clone(&revocation), Arc::clone(&counts));
    let brought = AllBrought::new();
    let _keeper = CrlKeeper::start(kept.0, (from, &brought), kept.1).unwrap();
    let is_revoked = |serial| {
        let (lists, now) = (revocation.lists(), UnixSeconds::now());
        let verdict = lists.look_up(issuers[0].id(), &[serial], Duration::ZERO, now);
        matches!(verdict, Verdict::Revoked { .. })
    };
    assert!(is_revoked(5) && !is_revoked(7));
    write("base", one, 6, vec![made::number(2)]);
    eventually("the delta goes with its base", || {
        is_revoked(6) && is_revoked(7)
    });
    let before = revocation.generation();
    std::thread::sleep(4 * LOOK_EVERY);
    assert_eq!(revocation.generation(), before, "read again and again");
    assert_eq!((counts.taken(), counts.refused()), (1, 0));
}

//= RFC 9110 section 15.4.5 type=test
//# 304 answers a conditional request, and is no answer to any other.
#[test]
fn server_that_answers_something_else_is_asked_again_soon_and_counted() {
    let (folder, ca) = (tempfile::tempdir().unwrap(), ca());
    let answers = vec![
        status("304 Not Modified"),
        ok(b"<html>sign in</html>", "ETag: \"page\"\r\n"),
        ok(&list(&ca, 1, &[5]), ""),
    ];
    let origin = origin(answers, None);
    let revocation = revocation(&ca);
    let counts = Arc::new(CrlCounts::default());
    let from = CrlFrom {
        refresh: Duration::from_secs(3_600),
        ..from_url(&origin.url, folder.path())
    };
    let _keeper = start(&revocation, from, &counts);
    let heads: Vec<String> = (0..3)
        .map(|_| origin.heads.recv_timeout(WAIT).unwrap())
        .collect();
    assert!(!heads[2].contains("if-none-match"), "{}", heads[2]);
    eventually("the list is in use", || is_revoked(&revocation, &ca, 5));
    assert_eq!((counts.fetches_failed(), counts.refused()), (1, 1));
}

#[test]
fn what_a_fetch_has_left_behind_is_removed_and_nothing_else() {
    let (folder, ca) = (tempfile::tempdir().unwrap(), ca());
    let old = std::time::UNIX_EPOCH + Duration::from_secs(600);
    let make = |name: &str, at: Option<std::time::SystemTime>| {
        let file = folder.path().join(name);
        fs::write(&file, "half a list").unwrap();
        let open = File::options().write(true).open(&file).unwrap();
        if let Some(at) = at {
            open.set_modified(at).unwrap();
        }
        file
    };
    let left = make(".tmpAbCdEf", Some(old));
    let stays = [make(".tmpUvWxYz", None), make("kept.crl", Some(old))];
    let origin = origin(Vec::new(), None);
    let revocation = revocation(&ca);
    let from = from_url(&origin.url, folder.path());
    let _keeper = start(&revocation, from, &Arc::default());
    assert!(!left.exists());
    assert!(stays.iter().all(|file| file.exists()));
}

#[test]
fn fetched_list_that_is_not_the_cas_is_not_kept() {
    let (folder, ca, other) = (tempfile::tempdir().unwrap(), ca(), ca());
    let origin = origin(vec![ok(&list(&other, 9, &[5]), "")], None);
    let revocation = revocation(&ca);
    let counts = Arc::new(CrlCounts::default());
    let from = from_url(&origin.url, folder.path());
    let kept = from.kept.clone().unwrap();
    let _keeper = start(&revocation, from, &counts);
    eventually("the list is looked at", || counts.refused() == 1);
    eventually("nobody answers any more", || counts.fetches_failed() > 0);
    assert!(!kept.exists() && revocation.lists().issuers() == 0);
}

#[test]
fn list_of_a_ca_that_is_trusted_again_is_fetched_at_once_and_whole() {
    let (folder, ca) = (tempfile::tempdir().unwrap(), ca());
    let answer = ok(&list(&ca, 1, &[5]), "ETag: \"one\"\r\n");
    let origin = origin(vec![answer.clone(), answer], None);
    let revocation = revocation(&ca);
    let counts = Arc::new(CrlCounts::default());
    let from = CrlFrom {
        refresh: Duration::from_secs(3_600),
        ..from_url(&origin.url, folder.path())
    };
    let _keeper = start(&revocation, from, &counts);
    eventually("the list is in use", || is_revoked(&revocation, &ca, 5));
    let _first = origin.heads.recv_timeout(WAIT).unwrap();
    // The same CAs again are no change.
    revocation.take_lists_of(vec![CrlIssuer::read(&ca.der).unwrap()]);
    assert!(is_revoked(&revocation, &ca, 5));
    revocation.take_lists_of(Vec::new());
    assert_eq!(revocation.lists().issuers(), 0);
    revocation.take_lists_of(vec![CrlIssuer::read(&ca.der).unwrap()]);
    let second = origin.heads.recv_timeout(WAIT).unwrap();
    assert!(!second.contains("if-none-match"), "{second}");
    eventually("the list is in use again", || {
        is_revoked(&revocation, &ca, 5)
    });
}

fn fetched(url: &HttpUrl, tls: Option<&Arc<ClientConfig>>) -> Result<Vec<u8>, FetchFault> {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let known = Validators::default();
    match runtime.block_on(fetch(url, tls, &known, folder.path()))? {
        Fetched::List(mut file, _) => {
            let mut list = Vec::new();
            file.reopen().unwrap().read_to_end(&mut list).unwrap();
            file.flush().unwrap();
            Ok(list)
        }
        Fetched::NotModified => panic!("nothing was known"),
    }
}

#[test]
fn redirect_leads_nowhere_and_broken_answers_are_no_list() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let location = format!("Location: http://{}/\r\n", elsewhere.local_addr().unwrap());
    let moved = format!("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n{location}\r\n");
    let moved = fetched(&origin(vec![moved.into_bytes()], None).url, None);
    let status = moved.unwrap_err();
    assert!(matches!(status, FetchFault::Status(_)), "{status}");
    assert!(status.to_string().contains("not followed"));
    assert!(elsewhere.accept().is_err(), "somebody came");
    let short = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_vec();
    assert!(fetched(&origin(vec![short], None).url, None).is_err());
    assert!(fetched(&origin(vec![b"hello\r\n".to_vec()], None).url, None).is_err());
    // Held all the while: a port that is let go may be the next one that anybody is given.
    let closed_by = tokio::net::TcpSocket::new_v4().unwrap();
    closed_by.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let closed = closed_by.local_addr().unwrap();
    let url = HttpUrl {
        port: closed.port(),
        ..origin(Vec::new(), None).url
    };
    let refused = fetched(&url, None).unwrap_err();
    assert!(matches!(refused, FetchFault::Connection(_)), "{refused}");
    assert!(TcpStream::connect(closed).is_err());
}

#[test]
fn server_is_known_by_the_configured_ca_alone() {
    let (right, wrong) = (ca(), ca());
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &right.issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let answers = || vec![ok(b"list", "")];
    let by = |ca: &Ca| crl_fetch::trusting(vec![ca.der.clone()]).unwrap();
    let at = || origin(answers(), Some(Arc::clone(&config))).url;
    assert_eq!(fetched(&at(), Some(&by(&right))).unwrap(), b"list");
    let refused = fetched(&at(), Some(&by(&wrong))).unwrap_err();
    assert!(matches!(refused, FetchFault::Connection(_)), "{refused}");
}

/// Whatever has told what came from there: whoever read it before the keeper, or the keeper itself.
#[test]
fn lists_go_with_the_places_that_they_came_from_and_no_other_is_read_for_that() {
    let folder = tempfile::tempdir().unwrap();
    let both = [KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let cas = ["One", "Other"].map(|name| made::ca(name, &both));
    let issuers = [0, 1].map(|ca: usize| CrlIssuer::read(&cas[ca].der).unwrap());
    let revocation = Arc::new(Revocation::default());
    revocation.take_lists_of(issuers.to_vec());
    let files = ["base", "second", "delta"].map(|name| folder.path().join(name));
    let [base, second, delta] = &files;
    let [one, other] = &cas;
    write_whole(base, one, 5, vec![made::number(1)]);
    write_whole(second, other, 5, vec![made::number(1)]);
    let brought = [base, second].map(|file| {
        let taken = take(file, &revocation).unwrap();
        (file.display().to_string(), taken.brought)
    });
    let counts = Arc::new(CrlCounts::default());
    let from = files.iter().map(|file| from_file(file)).collect();
    let from = (from, &AllBrought::from(brought));
    let keeper = CrlKeeper::start(Arc::clone(&revocation), from, Arc::clone(&counts)).unwrap();
    write_whole(delta, one, 5, vec![made::number(2), made::delta_since(1)]);
    eventually("the delta is in use", || counts.taken() == 1);
    let held = || {
        let of = [(0, false), (0, true), (1, false)];
        of.map(|(ca, delta): (usize, _)| revocation.has_list_of(issuers[ca].id(), delta))
    };
    let only = |files: &[&PathBuf], issuers: &[CrlIssuer]| {
        let names = files.iter().map(|file| file.display().to_string());
        keeper.keep_only(&names.collect(), issuers);
    };
    assert_eq!(held(), [true; 3]);
    only(&[base, second], &issuers);
    assert_eq!(held(), [true, false, true]);
    assert!(keeper.brought(&delta.display().to_string()).is_none());
    only(&[base], &issuers);
    assert_eq!(held(), [true, false, false]);
    // Nobody looks there any more, and the one that stays is as it was.
    write_whole(second, other, 5, vec![made::number(2)]);
    let looked = keeper.look_now().unwrap();
    assert_eq!(
        looked.recv_timeout(WAIT),
        Err(RecvTimeoutError::Disconnected)
    );
    assert_eq!(held(), [true, false, false]);
    only(&[base], &issuers[1..]);
    assert_eq!(held(), [false; 3]);
    assert_eq!((counts.taken(), counts.refused()), (1, 0));
}

/// As where the list of the next CA of a partner takes the place of the last one's.
#[test]
fn list_that_a_place_brought_before_another_stays_where_a_third_goes() {
    let folder = tempfile::tempdir().unwrap();
    let both = [KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let cas = ["Last", "Next", "Other"].map(|name| made::ca(name, &both));
    let issuers: Vec<_> = cas
        .iter()
        .map(|ca| CrlIssuer::read(&ca.der).unwrap())
        .collect();
    let revocation = Arc::new(Revocation::default());
    revocation.take_lists_of(issuers.clone());
    let files = ["place", "gone"].map(|name| folder.path().join(name));
    let (last, next, other) = (&cas[0], &cas[1], &cas[2]);
    let mut brought = AllBrought::new();
    for (file, ca) in files.iter().zip([last, other]) {
        write_whole(file, ca, 5, vec![made::number(1)]);
        let taken = take(file, &revocation).unwrap();
        brought.insert(file.display().to_string(), taken.brought);
    }
    let counts = Arc::new(CrlCounts::default());
    let from = files.iter().map(|file| from_file(file)).collect();
    let kept = Arc::clone(&revocation);
    let keeper = CrlKeeper::start(kept, (from, &brought), Arc::clone(&counts)).unwrap();
    write_whole(&files[0], next, 5, vec![made::number(1)]);
    eventually("the list of the next CA is in use", || counts.taken() == 1);
    let stays = files[0].display().to_string();
    keeper.keep_only(&[stays].into(), &issuers);
    let held = || -> Vec<_> {
        let held = issuers.iter().map(CrlIssuer::id);
        held.map(|ca| revocation.has_list_of(ca, false)).collect()
    };
    assert_eq!(held(), [true, true, false]);
    // Nobody would see to either list.
    keeper.keep_only(&HashSet::new(), &issuers);
    assert_eq!(held(), [false; 3]);
}

/// As where its server answers while a reload reads what is there.
#[test]
fn list_that_comes_while_others_are_read_stays_with_its_place() {
    let (folder, ca) = (tempfile::tempdir().unwrap(), ca());
    let origin = origin(vec![ok(&list(&ca, 1, &[5]), "")], None);
    let (revocation, read) = (revocation(&ca), super::tests::revocation(&ca));
    let counts = Arc::new(CrlCounts::default());
    let from = || CrlFrom {
        refresh: Duration::from_secs(3_600),
        ..from_url(&origin.url, folder.path())
    };
    let keeper = start(&revocation, from(), &counts);
    eventually("the list is in use", || counts.taken() == 1);
    revocation.join(&read);
    let kept = (vec![from()], &AllBrought::new());
    keeper.keep(kept, &read).unwrap();
    assert!(is_revoked(&revocation, &ca, 5));
}

/// The same of the first delta; without its place it goes.
#[test]
fn delta_that_comes_while_others_are_read_stays_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let both = [KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca = made::ca("One", &both);
    let issuer = CrlIssuer::read(&ca.der).unwrap();
    let [base, delta] = ["base", "delta"].map(|name| folder.path().join(name));
    write_whole(&base, &ca, 5, vec![made::number(1)]);
    let read = || {
        let read = Arc::new(Revocation::default());
        read.take_lists_of(vec![issuer.clone()]);
        take(&base, &read).unwrap();
        read
    };
    let (revocation, counts) = (read(), Arc::new(CrlCounts::default()));
    let from = |files: &[&PathBuf]| files.iter().map(|file| from_file(file)).collect();
    let first = (from(&[&base, &delta]), &AllBrought::new());
    let keeper = CrlKeeper::start(Arc::clone(&revocation), first, Arc::clone(&counts)).unwrap();
    write_whole(&delta, &ca, 7, vec![made::number(2), made::delta_since(1)]);
    eventually("the delta is in use", || counts.taken() == 1);
    let keep = |files: &[&PathBuf]| {
        let read = read();
        revocation.join(&read);
        keeper
            .keep((from(files), &AllBrought::new()), &read)
            .unwrap();
        revocation.has_list_of(issuer.id(), true)
    };
    assert!(keep(&[&base, &delta]));
    assert!(!keep(&[&base]));
}

/// Its keeper may not have been allowed to read what was put there.
#[test]
fn list_whose_permissions_change_is_looked_at_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("list.crl");
    fs::write(&file, "list").unwrap();
    let before = Stamp::of(&file);
    eventually("a change", || {
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        Stamp::of(&file) != before
    });
}
