//! What the gateway shows of itself in a handshake: its certificates, and that their keys are
//! theirs.

use std::path::PathBuf;
use std::sync::Arc;

use hsm::{KeyKind, PrivateKey, Scheme};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::{Report, Running, certificates, fault, of_key, private_key, waived};
use crate::clock::UnixSeconds;
use crate::config::{Config, Fault, KeySource, Located, Stapling, Until};
use crate::snapshot::StapleFrom;
use crate::tls::{self, ServerCertificate};

/// Certificates with their keys, the preferred first.
pub(super) struct Own {
    pub(super) certificates: Vec<ServerCertificate>,
    /// The end of the first to end.
    pub(super) not_after: UnixSeconds,
    pub(super) tickets: tls::Tickets,
    /// Where the statuses of those come from that have one.
    pub(super) staples: Vec<Arc<StapleFrom>>,
}

impl Own {
    /// Keys of the certificates that clients are shown who ask for no name in particular.
    pub(super) fn unnamed(&self) -> Vec<KeyKind> {
        let all = self.certificates.iter();
        let unnamed = all.filter(|certificate| certificate.names.is_empty());
        unnamed.map(|certificate| certificate.key.kind()).collect()
    }
}

/// One certificate as configured.
pub(super) struct Written<'c> {
    pub(super) section: String,
    names: &'c [Located<String>],
    certificate: &'c Located<PathBuf>,
    key: &'c Located<KeySource>,
    pub(super) ocsp: Option<&'c Stapling>,
}

impl Written<'_> {
    fn at_certificate(&self, what: impl Into<String>, cure: &str) -> Fault {
        let key = format!("{}.certificate", self.section);
        fault(self.certificate, &key, what.into(), cure)
    }

    /// What it is called in a report: the first is the one that most gateways have.
    pub(super) fn called(&self, noun: &str) -> String {
        match self.section.strip_prefix("tls.") {
            Some(place) => format!("{noun} ({place})"),
            None => noun.to_owned(),
        }
    }
}

/// All that are configured, the preferred first.
fn all_written(config: &Config) -> impl Iterator<Item = Written<'_>> {
    let first = Written {
        section: "tls".to_owned(),
        names: &[],
        certificate: &config.tls.certificate,
        key: &config.tls.key,
        ocsp: config.tls.ocsp.as_ref(),
    };
    let also = config.tls.also.iter().enumerate();
    let also = also.map(|(place, also)| Written {
        section: format!("tls.also[{}]", place + 1),
        names: &also.names,
        certificate: &also.certificate,
        key: &also.key,
        ocsp: also.ocsp.as_ref(),
    });
    std::iter::once(first).chain(also)
}

/// What the certificates alone say of the gateway's own side, keys left aside.
pub struct OwnSide {
    /// Keys of those that are shown to clients that ask for no name in particular.
    pub unnamed: Vec<KeyKind>,
    /// Where a CA stands between the certificate and the anchor.
    pub indirect: Vec<String>,
}

/// The certificates as [`load`] looks at them; none where one is at fault.
pub(super) fn side(config: &Config, now: UnixSeconds, report: &mut Report) -> Option<OwnSide> {
    let mut side = OwnSide {
        unnamed: Vec::new(),
        indirect: Vec::new(),
    };
    let mut shown = Vec::new();
    let mut all = true;
    for written in all_written(config) {
        match noted_chain(config, &written, now, report) {
            Some(chain) => shown.push((written, chain)),
            None => all = false,
        }
    }
    for (written, chain) in &shown {
        if written.names.is_empty() {
            side.unnamed.extend(chain.kind);
        }
        if tls::has_ca_between(&chain.certificates) {
            side.indirect
                .push(format!("{}.certificate", written.section));
        }
    }
    let all_well = all && shown.iter().all(|(_, chain)| chain.is_well);
    let chains = shown.iter().map(|(written, chain)| (written, chain));
    let served = !all || note_server_names(config, chains, report);
    (all_well && served).then_some(side)
}

/// All that are configured, each with what was found in the report; none where one is at fault.
pub(super) fn load(
    config: &Config,
    now: UnixSeconds,
    running: Option<Running<'_>>,
    report: &mut Report,
) -> Option<Own> {
    let stays = running.filter(|running| running.stays.certificates);
    if let Some(Running { snapshot, .. }) = stays {
        return Some(Own {
            certificates: snapshot.certificates.clone(),
            not_after: snapshot.certificate_not_after,
            tickets: super::tickets::load(config, now, running, report)?,
            staples: snapshot.staples.clone(),
        });
    }
    let mut found = Vec::new();
    let (mut all, mut all_read) = (true, true);
    for written in all_written(config) {
        let chain = noted_chain(config, &written, now, report);
        let key = server_key(&written, chain.as_ref(), running, report);
        all &= chain.as_ref().is_some_and(|chain| chain.is_well) && key.is_some();
        let staple = match (written.ocsp, &chain) {
            (Some(ocsp), Some(chain)) => {
                let certificates = &chain.certificates;
                let found = super::staples::load(&written, ocsp, certificates, now, running);
                let staple = report.note(written.called("status to staple"), found);
                all &= staple.is_some();
                staple
            }
            _ => None,
        };
        match chain {
            Some(chain) => found.push((written, (chain, key, staple))),
            None => all_read = false,
        }
    }
    let chains = found.iter().map(|(written, (chain, ..))| (written, chain));
    all &= !all_read || note_server_names(config, chains, report);
    let tickets = super::tickets::load(config, now, running, report);
    let ends = found.iter().map(|(_, (chain, ..))| chain.not_after);
    let not_after = ends.min()?;
    let staples = found.iter().filter_map(|(_, (.., staple))| staple.clone());
    let staples = staples.collect();
    let certificates = found.into_iter().map(|(written, (chain, key, staple))| {
        let names = written.names.iter().map(|name| name.value.clone());
        Some(ServerCertificate {
            chain: chain.certificates,
            key: key?,
            names: names.collect(),
            staple: staple.map(|from| Arc::clone(&from.staple)),
        })
    });
    let certificates = certificates.collect::<Option<_>>()?;
    all.then_some(Own {
        certificates,
        not_after,
        tickets: tickets?,
        staples,
    })
}

/// The server's certificates, leaf first, and what has to be known of the leaf.
struct Chain {
    certificates: Vec<CertificateDer<'static>>,
    spki: Vec<u8>,
    /// None where no key of this gateway's is of that kind.
    kind: Option<KeyKind>,
    not_after: UnixSeconds,
    /// Else it is only known by it what else is wrong.
    is_well: bool,
}

/// The certificates, where they can be read, and what they are or all that is wrong with them.
fn server_chain(
    config: &Config,
    written: &Written<'_>,
    now: UnixSeconds,
) -> (Option<Chain>, Result<String, Vec<Fault>>) {
    let key = format!("{}.certificate", written.section);
    let waived = waived(&config.tls.waive, "tls.waive");
    let chain = match certificates(written.certificate, &key) {
        Ok(chain) => chain,
        Err(unread) => {
            let waived = waived.err().into_iter().flatten();
            return (None, Err(std::iter::once(unread).chain(waived).collect()));
        }
    };
    let (waived, mut faults) = match waived {
        Ok(waived) => (Some(waived), Vec::new()),
        Err(wrong) => (None, wrong),
    };
    // What may be waived is not known where that is wrong.
    let unfit = waived.map(|waived| tls::unfit_to_serve(&chain, waived, now));
    let unfit = unfit.into_iter().flatten().map(|unfit| {
        let what = format!("{}: {}", written.certificate.value.display(), unfit.what);
        let fault = written.at_certificate(what, unfit.cure);
        match unfit.is_early {
            true => Fault {
                until: Until::Begun,
                ..fault
            },
            false => fault,
        }
    });
    faults.extend(unfit);
    faults.extend(check_names(written, &chain[0]));
    let (_, leaf) = match X509Certificate::from_der(&chain[0]) {
        Ok(parsed) => parsed,
        Err(error) => {
            let what = format!("the first certificate does not parse: {error}");
            let cure = "put the server certificate first, its issuers behind it";
            faults.push(written.at_certificate(what, cure));
            return (None, Err(faults));
        }
    };
    let until = leaf.validity().not_after;
    let detail = format!(
        "{}, {} in chain, valid until {until}",
        leaf.subject(),
        chain.len()
    );
    let chain = Chain {
        spki: leaf.public_key().raw.to_vec(),
        kind: kind(&leaf),
        not_after: UnixSeconds(u64::try_from(until.timestamp()).unwrap_or(0)),
        is_well: faults.is_empty(),
        certificates: chain,
    };
    let found = match chain.is_well {
        true => Ok(detail),
        false => Err(faults),
    };
    (Some(chain), found)
}

fn kind(leaf: &X509Certificate<'_>) -> Option<KeyKind> {
    match leaf.public_key().parsed() {
        Ok(PublicKey::RSA(_)) => Some(KeyKind::Rsa),
        Ok(PublicKey::EC(point)) if point.key_size() > 256 => Some(KeyKind::P384),
        Ok(PublicKey::EC(_)) => Some(KeyKind::P256),
        _ => None,
    }
}

/// The same with all of it in the report.
fn noted_chain(
    config: &Config,
    written: &Written<'_>,
    now: UnixSeconds,
    report: &mut Report,
) -> Option<Chain> {
    let what = written.called("server certificate");
    let (chain, found) = server_chain(config, written, now);
    let found = found.map(|found| report.note(what.as_str(), Ok(((), found))));
    report.note_wrong(&what, found);
    chain
}

/// That there is a certificate for each name that clients may ask for: one that is shown for it,
/// by its own names or because no other is. Whether there is, of all of them; each that has none is
/// in the report.
fn note_server_names<'s>(
    config: &Config,
    shown: impl Iterator<Item = (&'s Written<'s>, &'s Chain)>,
    report: &mut Report,
) -> bool {
    let shown: Vec<_> = shown.collect();
    let served = |host: &str| {
        shown.iter().any(|(written, chain)| {
            let named = written.names.iter().any(|name| name.value == host);
            named || written.names.is_empty() && tls::carries(&chain.certificates[0], host)
        })
    };
    let unserved = config.listen.server_names.iter();
    let unserved = unserved.filter(|host| !served(host));
    let faults: Vec<_> = unserved
        .map(|host| {
            fault(
                &config.tls.certificate,
                "tls.certificate",
                format!("no certificate is for {host}, which listen.server_names has"),
                "have one issued with this name, or take it out of listen.server_names",
            )
        })
        .collect();
    let all_served = faults.is_empty();
    report.note_wrong("server names", all_served.then_some(()).ok_or(faults));
    all_served
}

/// The names that a certificate is to be shown for and does not carry: any client would refuse it.
fn check_names(written: &Written<'_>, leaf: &[u8]) -> Vec<Fault> {
    let names = written.names.iter();
    let names = names.filter(|name| !tls::carries(leaf, &name.value));
    let faults = names.map(|name| {
        fault(
            name,
            &format!("{}.names", written.section),
            format!("the certificate does not carry the name {:?}", name.value),
            "name what its subjectAltName has, or have one issued with this name",
        )
    });
    faults.collect()
}

/// The certificate's key, proved to be that. A key in a token that was open already, and proved to
/// be this certificate's, is used again without being asked: a token that is away, or hangs, is not
/// to stand in the way of another change. Whether another key stands in its place by now is found
/// out by whoever opens its sessions again.
fn server_key(
    written: &Written<'_>,
    chain: Option<&Chain>,
    running: Option<Running<'_>>,
    report: &mut Report,
) -> Option<Arc<PrivateKey>> {
    let source = &written.key.value;
    let key_name = format!("{}.key", written.section);
    let open = running.and_then(|running| running.key(source));
    if let Some(key) = open.filter(|key| chain.is_some_and(|c| key.is_known_to_be(&c.spki))) {
        let found = Ok(((), "in token, as before".to_owned()));
        report.note(written.called("server key"), found);
        return Some(Arc::clone(key));
    }
    let found = private_key(written.key, &key_name);
    let key = report.note(written.called("server key"), found)?;
    let proved = key.prove(&chain?.spki);
    let proved = proved.map_err(|open| of_key(written.key, &key_name, open));
    let said = "signed, and verified with the certificate".to_owned();
    let proved = proved.map(|()| ((), said));
    report.note(written.called("key proof"), proved)?;
    //= RFC 8446 section 4.2.3
    //# A key that cannot sign for TLS 1.3 is not served: whoever offers that would be refused.
    if key.kind() == KeyKind::Rsa && !key.schemes().contains(&Scheme::RsaPssSha256) {
        let what = "the token has no CKM_RSA_PKCS_PSS, without which an RSA key signs for no \
                    client that offers TLS 1.3";
        let cure = "enable CKM_RSA_PKCS_PSS in the HSM's policy, or use a P-256 key";
        let wrong = fault(written.key, &key_name, what, cure);
        return report.note(written.called("key proof"), Err(wrong));
    }
    Some(key)
}
