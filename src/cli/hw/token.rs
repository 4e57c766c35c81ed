//! How often the token signs in a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use hsm::{PrivateKey, SignFault, SignJob};

use crate::clock::{Nanos, UnixSeconds};
use crate::config::{Config, KeySource};
use crate::control::load;
use crate::machine::rates::Rate;

/// A token on a network takes milliseconds for one: in a tenth of a second there would be few.
const MEASURED: Duration = Duration::from_millis(300);

/// The server's key with one thread and with as many as it has sessions; nothing where it is in a
/// file.
///
/// # Errors
/// What is wrong with the token, the key or anything else that `serve` needs.
pub(super) fn measure(config: &Config) -> Result<Vec<Rate>, String> {
    let KeySource::Pkcs11 { sessions, .. } = &config.tls.key.value else {
        return Ok(Vec::new());
    };
    // As `serve` has it: opened, and proved to be the certificate's.
    let (snapshot, report) = load::load(config, UnixSeconds::now(), None);
    let Some(snapshot) = snapshot else {
        let faults = report.faults().into_iter();
        let faults = faults.map(|fault| format!("{}: {}", fault.key, fault.what));
        return Err(faults.collect::<Vec<_>>().join("; "));
    };
    let Some(key) = snapshot.keys().next() else {
        return Ok(Vec::new());
    };
    let mut rates = vec![rate(key, 1)?];
    if *sessions > 1 {
        rates.push(rate(key, *sessions)?);
    }
    Ok(rates)
}

fn rate(key: &Arc<PrivateKey>, threads: usize) -> Result<Rate, String> {
    let scheme = *key.schemes().first().ok_or("the key signs by no scheme")?;
    let (done, stop) = (AtomicU32::new(0), AtomicBool::new(false));
    let job = SignJob {
        scheme,
        message: &[0x20; 130],
    };
    let sign = || -> Result<(), SignFault> {
        while !stop.load(Ordering::Relaxed) {
            key.sign(job)?;
            done.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    let (faults, taken_ns) = thread::scope(|scope| {
        let begun = Nanos::now();
        let signing: Vec<_> = (0..threads).map(|_| scope.spawn(sign)).collect();
        thread::sleep(MEASURED);
        stop.store(true, Ordering::Relaxed);
        let ended = signing.into_iter().map(|thread| match thread.join() {
            Ok(ended) => ended.err(),
            Err(panicked) => std::panic::resume_unwind(panicked),
        });
        let faults: Vec<SignFault> = ended.flatten().collect();
        (faults, Nanos::now().since(begun))
    });
    if let Some(fault) = faults.first() {
        return Err(format!("the token did not sign: {fault}"));
    }
    let what = format!("token: {scheme:?}");
    let done = done.load(Ordering::Relaxed);
    Ok(Rate::of(what, "full handshake", threads, done, taken_ns))
}
