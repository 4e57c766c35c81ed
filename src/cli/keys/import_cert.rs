//! `t8gate keys import-cert`: the certificate that was issued becomes the file to serve with, if
//! it is this key's, and fit.

use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use hsm::ceremony::{Ceremony, Stored};
use hsm::{OpenFault, PrivateKey};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Access, Faults, fault, fitness, proved};
use crate::clock::UnixSeconds;
use crate::config::Config;
use crate::tls::{RULES, Rule, RuleSet};

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    access: Access,
    /// PEM files with the certificate and its issuers, in any order; - is standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// PEM file of the CAs that clients trust: the chain has to end at one of them.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Where to write the chain; without, the file that `tls.certificate` names.
    #[arg(long, value_name = "FILE", required_unless_present = "config")]
    out: Option<PathBuf>,
    /// A rule of TS 33.310 to do without, beside those of `tls.waive`; may be given more than once.
    #[arg(long, value_name = "RULE", value_parser = waivable)]
    waive: Vec<Rule>,
    /// Put the certificate into the token too, beside its key.
    #[arg(long)]
    store: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Faults> {
    let needed = ["listen", "tls.waive", "tls.certificate"];
    let needed = match options.out {
        Some(_) => &needed[..2],
        None => &needed[..],
    };
    let (source, config) = options.access.resolve_for_login(needed)?;
    let given = options.files.iter().map(|file| certificates(file));
    let given = given.collect::<Result<Vec<_>, _>>()?.concat();
    let anchors = match &options.ca {
        Some(file) => certificates(file)?,
        None => Vec::new(),
    };
    let out = match (&options.out, &config) {
        (Some(out), _) => out,
        (None, Some(config)) => &config.tls.certificate.value,
        (None, None) => return Err(fault("no file to write is named", "give --out FILE").into()),
    };
    let key = PrivateKey::from_token(&source)?;
    let spki = key_of(&key, &given, config.as_ref())?;
    let chain = Chain::sort(given, &spki)?;
    key.prove(&spki)?;
    let leaf = parsed(&chain.served[0])?;
    let names = config
        .as_ref()
        .map(|config| &config.listen.server_names[..]);
    let now = UnixSeconds::now();
    let waived = waived(options, config.as_ref());
    let mut faults = fitness::faults(&chain.served, now, names.unwrap_or_default(), waived);
    faults.extend(chain.verify(&anchors, now).err());
    if !faults.is_empty() {
        return Err(Faults(faults));
    }
    let pem: String = chain.served.iter().map(|der| pem(der)).collect();
    write(out, pem.as_bytes()).map_err(|error| {
        fault(
            format!("{} cannot be written: {error}", out.display()),
            "name a file in a folder that this user may write to",
        )
    })?;
    eprintln!(
        "{}: {}, {} in chain, valid until {}",
        out.display(),
        leaf.subject(),
        chain.served.len(),
        leaf.validity().not_after
    );
    if anchors.is_empty() && chain.above.is_none() && chain.served.len() == 1 {
        eprintln!("  hint: its issuer's signature was not verified: give --ca FILE");
    }
    if options.store {
        // The login stands as long as the key is open, and the PIN is not asked for again.
        let stored = Ceremony::open(&source)?.store_certificate(&chain.served[0])?;
        match stored {
            Stored::New => eprintln!("it is in the token, beside its key"),
            Stored::InPlaceOf(_) => eprintln!("it is in the token, in place of the one before"),
            Stored::Already => eprintln!("it was in the token already"),
        }
    }
    eprintln!("  hint: next, t8gate check --config FILE, and start the gateway");
    Ok(())
}

/// Names in the configuration that are none are its own fault, which `t8gate check` tells.
fn waived(options: &Options, config: Option<&Config>) -> RuleSet {
    let configured = config.map_or(&[][..], |config| &config.tls.waive);
    let configured = configured.iter();
    let configured = configured.filter_map(|name| Rule::of_name(&name.value));
    let waivable = configured.filter(|rule| rule.row().waivable);
    waivable.chain(options.waive.iter().copied()).collect()
}

fn waivable(name: &str) -> Result<Rule, String> {
    let rule = Rule::of_name(name).filter(|rule| rule.row().waivable);
    rule.ok_or_else(|| {
        let rows = RULES.iter().filter(|row| row.waivable);
        let names: Vec<&str> = rows.map(|row| row.name).collect();
        format!("rules that can be waived are {}", names.join(", "))
    })
}

/// DER of the key's SubjectPublicKeyInfo. Where the token does not say what it is, that of the one
/// of `given` by which the key can be proved.
fn key_of(
    key: &PrivateKey,
    given: &[CertificateDer<'static>],
    config: Option<&Config>,
) -> Result<Vec<u8>, OpenFault> {
    let alone = proved(key, config);
    if alone.is_ok() {
        return alone;
    }
    for certificate in given {
        let spki = parsed(certificate)?.public_key().raw.to_vec();
        if key.prove(&spki).is_ok() {
            return Ok(spki);
        }
    }
    alone
}

struct Chain {
    /// What is sent to clients: the key's certificate, and each one's issuer behind it.
    served: Vec<CertificateDer<'static>>,
    /// The self-signed one above, where it was given: clients have it.
    above: Option<CertificateDer<'static>>,
}

impl Chain {
    fn sort(mut given: Vec<CertificateDer<'static>>, spki: &[u8]) -> Result<Self, OpenFault> {
        let mut place = None;
        let mut subjects = Vec::new();
        for (at, certificate) in given.iter().enumerate() {
            let certificate = parsed(certificate)?;
            subjects.push(certificate.subject().to_string());
            if place.is_none() && certificate.public_key().raw == spki {
                place = Some(at);
            }
        }
        let place = place.ok_or_else(|| {
            fault(
                format!(
                    "none of the certificates is for this key: {}",
                    subjects.join("; ")
                ),
                "give the one that was issued for the request of this key, or name its key \
                 with --uri",
            )
        })?;
        let mut served = vec![given.remove(place)];
        let mut above = None;
        while let Some(at) = issuer(served.last(), &given)? {
            let next = given.remove(at);
            let certificate = parsed(&next)?;
            if certificate.subject() == certificate.issuer() {
                above = Some(next);
                break;
            }
            served.push(next);
        }
        if let Some(stray) = given.first() {
            return Err(fault(
                format!(
                    "{} is no issuer in the chain of this key",
                    parsed(stray)?.subject()
                ),
                "give the certificate and its issuers, and no others",
            ));
        }
        Ok(Self { served, above })
    }

    /// Verifies every signature there is a certificate for, up to one of `anchors`, or, where
    /// there are none, as far as the chain reaches.
    fn verify(
        &self,
        anchors: &[CertificateDer<'static>],
        now: UnixSeconds,
    ) -> Result<(), OpenFault> {
        let broken = |error: webpki::Error| {
            fault(
                format!("the chain does not verify: {error}"),
                "give the certificate with all its intermediates, and the CA that issued them",
            )
        };
        let mut between = &self.served[1..];
        let top;
        let anchors = match (anchors, &self.above) {
            ([], Some(above)) => std::slice::from_ref(above),
            ([], None) => match between {
                [] => return Ok(()),
                [rest @ .., last] => {
                    top = last.clone();
                    between = rest;
                    std::slice::from_ref(&top)
                }
            },
            (anchors, _) => anchors,
        };
        let anchors = anchors.iter().map(anchor_from_trusted_cert);
        let anchors = anchors.collect::<Result<Vec<_>, _>>().map_err(broken)?;
        let leaf = EndEntityCert::try_from(&self.served[0]).map_err(broken)?;
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now.0));
        let usage = KeyUsage::server_auth();
        leaf.verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &anchors,
            between,
            now,
            usage,
            None,
            None,
        )
        .map_err(broken)?;
        Ok(())
    }
}

/// Which of `given` has issued `certificate`, by name.
fn issuer(
    certificate: Option<&CertificateDer<'static>>,
    given: &[CertificateDer<'static>],
) -> Result<Option<usize>, OpenFault> {
    let Some(certificate) = certificate else {
        return Ok(None);
    };
    let certificate = parsed(certificate)?;
    for (at, candidate) in given.iter().enumerate() {
        if parsed(candidate)?.subject().as_raw() == certificate.issuer().as_raw() {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

fn parsed<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, OpenFault> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|error| {
        fault(
            format!("a certificate cannot be read: {error}"),
            "give X.509 certificates in PEM",
        )
    })?;
    Ok(certificate)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, OpenFault> {
    let cure = "give a file of PEM blocks BEGIN CERTIFICATE";
    let unreadable = |what: String| fault(format!("{}: {what}", file.display()), cure);
    let mut text = Vec::new();
    let read = match file.as_os_str() == "-" {
        true => io::stdin().lock().read_to_end(&mut text).map(drop),
        false => std::fs::read(file).map(|octets| text = octets),
    };
    read.map_err(|error| unreadable(error.to_string()))?;
    let found = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| unreadable(error.to_string()))?;
    if found.is_empty() {
        return Err(unreadable("there is no certificate in it".to_owned()));
    }
    Ok(found)
}

//= RFC 7468 section 2
//# A certificate in PEM: base64 in lines of 64 letters between its two marks.
fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.extend([line, "\n"]);
        rest = after;
    }
    pem + "-----END CERTIFICATE-----\n"
}

/// Whole or not at all, whoever reads the file meanwhile. Where there is a symbolic link, what it
/// leads to is written and the link stays.
fn write(file: &Path, content: &[u8]) -> io::Result<()> {
    let is_link = std::fs::symlink_metadata(file).is_ok_and(|there| there.is_symlink());
    let target = match is_link {
        true => Some(std::fs::canonicalize(file).map_err(|error| {
            let what = format!("it is a symbolic link that leads to no file ({error})");
            io::Error::new(error.kind(), what)
        })?),
        false => None,
    };
    let file = target.as_deref().unwrap_or(file);
    // The rename would put a file in the place of a device or a socket.
    if std::fs::symlink_metadata(file).is_ok_and(|there| !there.is_file()) {
        return Err(io::Error::other("what is there is no regular file"));
    }
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
    fresh.write_all(content)?;
    let public = std::fs::Permissions::from_mode(0o644);
    fresh.as_file().set_permissions(public)?;
    fresh.as_file().sync_all()?;
    fresh.persist(file)?;
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests;
