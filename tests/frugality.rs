//! A warm request allocates nothing: every allocation on a shard's thread is counted, those of the
//! libraries too.

// The ban is for the house; the harness keeps time as anybody does.
#![allow(clippy::disallowed_methods)]

#[path = "live/harness/mod.rs"]
#[allow(dead_code, reason = "made for the live tests, which use all of it")]
mod harness;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use t8gate::authz::apis::{ApiId, Verb};
use t8gate::authz::details::Gives;
use t8gate::authz::policy::{Asked, Operations, Policy, Selectors, Service, decide};
use t8gate::authz::scope::Rights;
use t8gate::authz::ue::{Kind, Matcher, UeId};
use t8gate::cli::serve::Gateway;
use t8gate::clock::UnixSeconds;
use t8gate::peer::{Client, San};
use t8gate::tls::revocation::Rules;
use t8gate::tls::{
    ClientAuth, Established, Handshake, PartnerGroup, RuleSet, ServerCertificate, Step, Terminator,
    TicketKeys, Tickets,
};

use harness::origin::Origin;
use harness::stage::{PATH, Stage};

/// Counts what the threads that are counted allocate.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static COUNTED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is counted: it says so itself, or it is a shard by its name.
fn counted() -> bool {
    COUNTED.get() || {
        let mut name = [0_u8; 16];
        // SAFETY: PR_GET_NAME writes at most sixteen bytes, and there is room for them.
        unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
        let shard = name.starts_with(b"shard-");
        COUNTED.set(shard);
        shard
    }
}

// SAFETY: every call goes to the system's allocator unchanged; counting allocates nothing, for the
// thread-local is constant and has no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if counted() {
            ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if counted() {
            ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const REQUESTS: u64 = 2_000;

#[test]
fn warm_request_allocates_nothing() {
    let origin = Origin::start();
    let stage = Stage::new(origin.address);
    let mut text = stage.config.clone();
    let address = harness::free_address();
    text.set_text("listen.address", address);
    // Counted, and looked at where it comes from.
    let lines = "source_addresses = [\"127.0.0.0/8\"]\n\
                 [[client.allowance]]\nrate = \"1000000/s\"\nquota = \"1000000000/day\"";
    text.extend_table("client", 0, lines);
    let file = harness::gateway::write(stage.scratch.path(), &text);
    let (config, _, read) = t8gate::control::reload::examine(&file);
    let config = config.expect("a good configuration");
    let gateway =
        Gateway::start(&config, read, || ()).unwrap_or_else(|faults| panic!("{faults:?}"));
    let dialer = harness::client::Dialer::new(
        &stage.operator_ca.der,
        Some(&stage.acme),
        harness::client::HOST,
    );
    let mut client = dialer.connect(address).expect("a connection");
    let token = stage.token();
    for _ in 0..100 {
        assert_eq!(client.get(PATH, &token).status, 200);
    }
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for _ in 0..REQUESTS {
        assert_eq!(client.get(PATH, &token).status, 200);
    }
    let made = ALLOCATIONS.load(Ordering::Relaxed) - before;
    gateway.stop();
    println!("{made} allocations in {REQUESTS} warm requests");
    // The same count counts where something is allocated.
    assert!(
        allocations_of_a_handshake(&stage) > 0,
        "a count that cannot count"
    );
    assert_eq!(made, 0);
    assert_eq!(allocations_of_decisions(), 0);
}

/// Judges requests of a client with services, about whom its token limits it to and about others.
fn allocations_of_decisions() -> u64 {
    let api = ApiId::from_name("3gpp-monitoring-event").expect("an API");
    let words = [
        "*@example.com",
        "msisdn:4915*",
        "group:g@example.com",
        "set:meters",
        "10.0.0.0/8",
    ];
    let service = Service {
        api,
        operations: Operations {
            read: true,
            write: true,
            single: Vec::new(),
        },
        selectors: Selectors::default(),
        ues: words
            .map(|word| Matcher::read(word).expect("a word"))
            .into_iter()
            .collect(),
        any_ue: false,
    };
    let policy = Policy {
        services: vec![service],
    };
    let token = Gives {
        rights: Rights::of_value("3gpp-monitoring-event").expect("a scope"),
        limited: None,
    };
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    COUNTED.set(true);
    let granted = [
        (Kind::ExternalId, "meter-7@Example.com"),
        (Kind::Gpsi, "msisdn-491512345678"),
        (Kind::ExternalGroupId, "g@example.com"),
        (Kind::Gpsi, "something"),
        (Kind::Ipv4, "10.1.2.3"),
        (Kind::Ipv6, "2001:db8::1"),
        (Kind::Mac, "02-1a-2b-3c-4d-5e"),
    ]
    .map(|(kind, text)| {
        let ues = [UeId::read(kind, text, None).expect("a UE")];
        let asked = Asked {
            api,
            verb: Verb::Post,
            resource: "/{scsAsId}/subscriptions",
            monitoring_types: &["LOCATION_REPORTING"],
            ports: &[],
            ues: &ues,
        };
        decide(Some(&policy), token, None, &asked).is_ok()
    });
    COUNTED.set(false);
    assert_eq!(granted, [true, true, true, false, true, false, false]);
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

fn allocations_of_a_handshake(stage: &Stage) -> u64 {
    COUNTED.set(true);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let _session = session(stage);
    COUNTED.set(false);
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

/// A session and its client, without a socket between them.
fn session(stage: &Stage) -> (Established, ClientConnection) {
    let client = Client {
        name: "acme".to_owned(),
        client_id: "acme".to_owned(),
        partner: "default".to_owned(),
        sans: vec![San::Dns("scs.acme.example".to_owned())],
        scs_as_ids: vec!["acme".to_owned()],
        source_addresses: Vec::new(),
        unbound_tokens: false,
        registration: None,
        enabled: true,
    };
    let group = PartnerGroup {
        name: "default".to_owned(),
        anchors: vec![stage.partner_ca.der.clone()],
        waived: RuleSet::EMPTY,
        revocation: Rules::default(),
    };
    let auth = ClientAuth::new(vec![group], &[client]).expect("anchors");
    let leaf = harness::pki::Leaf::server(harness::client::HOST);
    let server = stage.operator_ca.issue("frugal", &leaf);
    let key = hsm::PrivateKey::from_pem_file(&server.key).expect("a key");
    let certificate = ServerCertificate {
        chain: vec![server.der.clone()],
        key: Arc::new(key),
        names: Vec::new(),
        staple: None,
    };
    let tickets = Tickets {
        keys: TicketKeys::of_process().expect("random octets"),
        listener: "here".to_owned(),
    };
    let terminator = Terminator::new(vec![certificate], auth, Vec::new(), tickets);
    let mut server = Handshake::new(&Arc::new(terminator.expect("a profile")));
    let mut roots = RootCertStore::empty();
    roots.add(stage.operator_ca.der.clone()).expect("a CA");
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![stage.acme.der.clone()], stage.acme.private_key())
        .expect("a key that fits");
    let name = ServerName::try_from(harness::client::HOST).expect("a name");
    let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
    loop {
        client.write_tls(server.incoming()).expect("a flight");
        let step = server
            .advance(UnixSeconds::now())
            .map_err(|refusal| refusal.word());
        let mut flight = std::mem::take(server.outgoing());
        client.read_tls(&mut flight.as_slice()).expect("a flight");
        flight.clear();
        client.process_new_packets().expect("a good flight");
        if step == Ok(Step::Done) {
            let done = server.finish(UnixSeconds::now());
            return (
                done.unwrap_or_else(|refusal| panic!("{}", refusal.word())),
                client,
            );
        }
        assert_eq!(step, Ok(Step::NeedInput));
    }
}
