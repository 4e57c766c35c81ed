//! The certificates that clients have registered as their own, read and judged.

use rustls_pki_types::CertificateDer;

use super::{Report, certificates};
use crate::clock::UnixSeconds;
use crate::config::{Config, Fault, Located};
use crate::control::own_certificates::{self, KEY};
use crate::limits::SELF_SIGNED_CERTIFICATES_MAX;
use crate::oauth::OwnCertificates;
use crate::peer::{Client, ClientAuthentication, ClientIndex, OwnFile, Thumbprint};
use crate::snapshot::OwnCertificate;
use crate::tls::{self, ClientAuth, SelfSigned, UnfitSelfSigned};

const WHAT: &str = "self-signed client certificates";

/// All of them, each as its file had it at one moment: who is let in by one and what it may fetch
/// from the issuer here are said of the same certificates.
pub(super) struct Read<'c> {
    all: Vec<One<'c>>,
    /// Clients that have some.
    owners: usize,
}

struct One<'c> {
    place: ClientIndex,
    client: &'c Client,
    file: &'c OwnFile,
    certificate: CertificateDer<'static>,
}

impl One<'_> {
    fn fault(&self, config: &Config, what: &str, cure: &str) -> Fault {
        let path = self.file.path.display();
        let called = called(&self.certificate);
        let what = format!("the self-signed certificate {called} in {path} {what}");
        of_client(config, self.client, self.file.line, &what, cure)
    }

    /// What has to be known of it in time.
    fn known(&self) -> Option<OwnCertificate> {
        let not_after = tls::known_of(&self.certificate)?.not_after;
        Some(OwnCertificate {
            client: self.client.name.clone(),
            file: self.file.path.clone(),
            called: called(&self.certificate),
            not_after,
        })
    }

    fn warning(&self, config: &Config, now: UnixSeconds) -> Option<Fault> {
        let (what, cure) = own_certificates::warning(&self.known()?, now)?;
        let (client, line) = (self.client, self.file.line);
        Some(of_client(config, client, line, &what, cure))
    }
}

/// Reads all of them; none where one cannot be read, which is in the report.
pub(super) fn read<'c>(
    config: &'c Config,
    now: UnixSeconds,
    report: &mut Report,
) -> Option<Read<'c>> {
    let (mut all, mut faults, mut owners) = (Vec::new(), Vec::new(), 0);
    for (place, client) in (0..).map(ClientIndex).zip(&config.clients) {
        let registration = client.registration.as_ref();
        let by = registration.map(|registration| &registration.authentication);
        let Some(ClientAuthentication::SelfSigned(files)) = by else {
            continue;
        };
        owners += 1;
        let before = all.len();
        for file in files {
            let named = Located {
                value: file.path.clone(),
                line: file.line,
            };
            match certificates(&named, KEY) {
                Ok(read) => all.extend(read.into_iter().map(|certificate| One {
                    place,
                    client,
                    file,
                    certificate,
                })),
                Err(Fault { what, cure, .. }) => {
                    faults.push(of_client(config, client, file.line, &what, &cure));
                }
            }
        }
        let count = all.len() - before;
        if count > SELF_SIGNED_CERTIFICATES_MAX {
            let what = format!("registers {count} certificates");
            let cure = format!(
                "at most {SELF_SIGNED_CERTIFICATES_MAX}: take out those not in use any more"
            );
            let line = files.first().map_or(0, |file| file.line);
            faults.push(of_client(config, client, line, &what, &cure));
        }
    }
    //= RFC 8705 section 2.2
    //# One client's certificate that has ended is that client's matter, and stops no other.
    let warnings = all.iter().filter_map(|one| one.warning(config, now));
    report.warnings.extend(warnings);
    match faults.is_empty() {
        true => Some(Read { all, owners }),
        false => report.note_wrong(WHAT, Err(faults)),
    }
}

impl Read<'_> {
    /// For who tells of their ends.
    pub(super) fn known(&self) -> Vec<OwnCertificate> {
        self.all.iter().filter_map(One::known).collect()
    }

    /// For the issuer.
    pub(super) fn thumbprints(&self) -> OwnCertificates {
        let mut own = OwnCertificates::default();
        for one in &self.all {
            let of_client = own.entry(one.place).or_default();
            of_client.push(Thumbprint::of(&one.certificate));
        }
        own
    }

    /// The same trust with all of them in it; none where something is wrong with one, which is in
    /// the report.
    pub(super) fn registered(
        self,
        config: &Config,
        auth: ClientAuth,
        report: &mut Report,
    ) -> Option<ClientAuth> {
        if self.owners == 0 {
            return Some(auth);
        }
        let named_before = auth.names_its_cas();
        let registered = self.all.iter().map(|one| SelfSigned {
            client: one.place,
            certificate: one.certificate.clone(),
        });
        let made = auth.registering(registered.collect()).map_err(|unfit| {
            let of = |UnfitSelfSigned { place, what, cure }| {
                let one = self.all.get(place)?;
                Some(one.fault(config, &what, &cure))
            };
            unfit.into_iter().filter_map(of).collect()
        });
        let auth = report.note_wrong(WHAT, made)?;
        let mut detail = format!("{} of {} clients", self.all.len(), self.owners);
        if named_before && !auth.names_its_cas() {
            detail.push_str(": with their names, and those of CAs, clients are told none");
        }
        report.note(WHAT, Ok((auth, detail)))
    }
}

/// By the beginning of its SHA-256, as `openssl x509 -fingerprint -sha256` shows it.
fn called(certificate: &[u8]) -> String {
    let Thumbprint(octets) = Thumbprint::of(certificate);
    let beginning: Vec<String> = { octets.iter().take(6) }
        .map(|octet| format!("{octet:02X}"))
        .collect();
    beginning.join(":")
}

/// Said where the client names its file.
fn of_client(config: &Config, client: &Client, line: usize, what: &str, cure: &str) -> Fault {
    super::of_client(config, client, (line, KEY), what, cure)
}
