//! A gateway with a remote token, under load, and what must hold whatever the token does.

use std::time::{Duration, Instant};

use crate::harness::client::Dialer;
use crate::harness::origin::Origin;
use crate::harness::pki::Key;
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::{wait_until, within};
use crate::load::Load;
use crate::remote_token::RemoteToken;

/// `deadlines.handshake`: by then each full handshake has been served or refused.
const HANDSHAKE: Duration = Duration::from_secs(2);
/// `deadlines.signature`: who says nothing for so long hangs.
const SIGNATURE: Duration = Duration::from_secs(1);
/// Within it full handshakes succeed once the token is back.
const BACK_WITHIN: Duration = Duration::from_secs(1);

pub struct Scene {
    pub house: House,
    pub remote: RemoteToken,
    full: Dialer,
}

/// What the gateway holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Holdings {
    threads: u64,
    descriptors: usize,
}

impl Scene {
    pub fn open() -> Self {
        Self::open_with(|_, _| {})
    }

    /// The same with changes before the start.
    pub fn open_with(change: impl FnOnce(&mut Stage, &RemoteToken)) -> Self {
        let origin = Origin::start();
        let (mut stage, token) = Stage::with_token(origin.address, Key::P256);
        let remote = RemoteToken::serve(token, stage.scratch.path());
        let config = &mut stage.config;
        config.set_text("tls.key.module", remote.module.display());
        config.set_text(
            "deadlines.handshake",
            format!("{}ms", HANDSHAKE.as_millis()),
        );
        config.set_text(
            "deadlines.signature",
            format!("{}ms", SIGNATURE.as_millis()),
        );
        config.set_text("deadlines.upstream_idle", "500ms");
        stage.environment.extend(remote.environment.iter().cloned());
        change(&mut stage, &remote);
        stage.watch();
        let full = stage.dialer(&stage.acme);
        let house = House {
            gateway: stage.start(),
            origin,
            stage,
        };
        Self {
            house,
            remote,
            full,
        }
    }

    /// One full handshake with a request, within its deadline whatever comes of it; the fault.
    pub fn visit(&self) -> Result<(), String> {
        let begun = Instant::now();
        let outcome = self.full.connect(self.house.gateway.address);
        let took = begun.elapsed();
        // The deadline, and what a busy machine adds.
        assert!(took < HANDSHAKE + Duration::from_secs(1), "{took:?}");
        let mut client = outcome.map_err(|fault| fault.to_string())?;
        assert_eq!(client.get(PATH, &self.house.token()).status, 200);
        Ok(())
    }

    pub fn serves(&self) -> bool {
        self.visit().is_ok()
    }

    /// Every full handshake in this time is refused, by an alert that says whose fault it is.
    pub fn refuses_for(&self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            let refused = self.visit().expect_err("a handshake without its token");
            assert!(refused.contains("InternalError"), "{refused}");
        }
    }

    /// Waits until the loss is noticed.
    pub fn await_refusal(&self) {
        wait_until("a full handshake to be refused", || !self.serves());
    }

    /// Full handshakes succeed again soon.
    pub fn is_back(&self) {
        let begun = Instant::now();
        assert!(
            within(BACK_WITHIN, || self.serves()),
            "not within {BACK_WITHIN:?}"
        );
        println!(
            "full handshakes again after {} ms",
            begun.elapsed().as_millis()
        );
    }

    fn holdings(&self) -> Holdings {
        Holdings {
            threads: self.house.gateway.threads(),
            descriptors: self.house.gateway.fds(),
        }
    }

    /// Lets a fault happen, and pass, under load: open connections, their requests and resumptions
    /// notice nothing, and afterwards the gateway is the same process and holds what it held.
    pub fn under_load(&mut self, fault: impl FnOnce(&mut Self)) {
        assert!(self.serves());
        let pid = self.house.gateway.pid();
        let settled = |scene: &Self, held: Holdings| {
            wait_until("threads and descriptors to be as before", || {
                scene.holdings() == held
            });
        };
        let mut held = self.holdings();
        // Connections to the SCEF come and go: what stays is what counts.
        wait_until("the gateway to be at rest", || {
            std::thread::sleep(Duration::from_millis(700));
            std::mem::replace(&mut held, self.holdings()) == held
        });
        let duration = Duration::from_secs(6);
        let requests = Load::of_requests(&self.house, 400, duration);
        let resumptions = Load::of_resumptions(&self.house, 40, duration);
        let served = self.house.origin.requests();
        wait_until("load", || self.house.origin.requests() > served + 200);
        fault(self);
        let requests = requests.faultless();
        let resumptions = resumptions.faultless();
        println!(
            "p99 of requests {} us, of resumptions {} us",
            requests["latency_us"]["p99"], resumptions["latency_us"]["p99"]
        );
        assert!(self.serves());
        assert_eq!(self.house.gateway.pid(), pid);
        assert!(self.house.gateway.alive());
        settled(self, held);
    }
}
