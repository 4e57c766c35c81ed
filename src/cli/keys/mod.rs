//! `t8gate keys`: from an empty token to a serving certificate, and a look at what is in it. The
//! walk through it is `hsm/README.md`.

mod bench;
mod csr;
mod fitness;
mod generate;
mod import_cert;
mod list;
mod self_test;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hsm::{OpenFault, Pkcs11Source, PrivateKey};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::{self, Config, KeySource};

#[derive(Subcommand)]
pub enum Command {
    /// Show tokens, keys, certificates and mechanisms; private keys where a PIN is named.
    List(list::Options),
    /// Make a key pair inside the token: for signing, sensitive, not extractable.
    Generate(generate::Options),
    /// Write a certificate request (PKCS#10, PEM) for a key, signed in the token.
    Csr(csr::Options),
    /// Take the certificate that was issued: prove it, check it, write the file to serve with.
    ImportCert(import_cert::Options),
    /// Open a key as the gateway does, and sign by every scheme.
    SelfTest(self_test::Options),
    /// Measure signatures per second by number of threads.
    Bench(bench::Options),
}

/// Runs one of them: 0 when all is well, 1 when not.
pub fn main(command: &Command) -> ExitCode {
    let done = match command {
        Command::List(options) => list::run(options),
        Command::Generate(options) => generate::run(options),
        Command::Csr(options) => csr::run(options),
        Command::ImportCert(options) => import_cert::run(options),
        Command::SelfTest(options) => self_test::run(options),
        Command::Bench(options) => bench::run(options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(faults) => {
            for fault in faults.0 {
                eprintln!("{}\n  hint: {}", fault.what, fault.cure);
            }
            ExitCode::FAILURE
        }
    }
}

/// What went wrong: one thing, or all that was found.
struct Faults(Vec<OpenFault>);

impl From<OpenFault> for Faults {
    fn from(fault: OpenFault) -> Self {
        Self(vec![fault])
    }
}

fn fault(what: impl Into<String>, cure: impl Into<String>) -> OpenFault {
    OpenFault::new(what, cure)
}

/// Which token and key, and where its PIN is. The PIN itself is never an argument and never in the
/// environment: others can read both.
#[derive(Args)]
struct Access {
    /// A configuration file, whose [tls.key] says module, uri and `pin_file`; what is said beside
    /// it goes before.
    #[arg(long, value_name = "FILE", required_unless_present = "module")]
    config: Option<PathBuf>,
    /// The PKCS#11 module, a shared object.
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
    /// RFC 7512 URI of token and key: `pkcs11:token=t8gate;object=t8gate-server`.
    #[arg(long, value_name = "URI")]
    uri: Option<String>,
    /// File whose first line is the user PIN.
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
    /// Descriptor to read the user PIN from, where there is no file: `--pin-fd 3 3< FILE`.
    #[arg(long, value_name = "NUMBER", conflicts_with = "pin_file")]
    pin_fd: Option<u32>,
}

/// What [`Access`] comes to.
struct Named {
    module: PathBuf,
    uri: Option<String>,
    pin_file: Option<PathBuf>,
    /// That was given.
    config: Option<Config>,
}

impl Access {
    /// Of the configuration, `also` is needed beside its [tls.key].
    fn resolve(&self, also: &[&str]) -> Result<Named, OpenFault> {
        let config = self.config.as_deref();
        let config = config.map(|file| self.read(file, also)).transpose()?;
        let mut named = Named {
            module: self.module.clone().unwrap_or_default(),
            uri: self.uri.clone(),
            pin_file: match self.pin_fd {
                // The kernel's name for it, so that a PIN is read in one way.
                Some(number) => Some(format!("/proc/self/fd/{number}").into()),
                None => self.pin_file.clone(),
            },
            config: None,
        };
        if let Some(config) = config {
            match &config.tls.key.value {
                KeySource::Pkcs11 {
                    module,
                    uri,
                    pin_file,
                    ..
                } => {
                    if self.module.is_none() {
                        named.module.clone_from(module);
                    }
                    named.uri.get_or_insert_with(|| uri.clone());
                    named.pin_file.get_or_insert_with(|| pin_file.clone());
                }
                KeySource::File(file) if self.module.is_none() => {
                    let what = format!("tls.key names a key in a file, {}", file.display());
                    let cure = "set module, uri and pin_file in [tls.key], or name a token with \
                                --module, --uri and --pin-file";
                    return Err(fault(what, cure));
                }
                KeySource::File(_) => {}
            }
            named.config = Some(config);
        }
        Ok(named)
    }

    /// The same where a token is to be logged in to.
    fn resolve_for_login(
        &self,
        also: &[&str],
    ) -> Result<(Pkcs11Source, Option<Config>), OpenFault> {
        let named = self.resolve(also)?;
        let uri = named.uri.ok_or_else(|| {
            let cure = "give --uri \"pkcs11:token=LABEL;object=LABEL\"; t8gate keys list shows \
                        what there is";
            fault("neither token nor key is named", cure)
        })?;
        let pin_file = named.pin_file.ok_or_else(|| {
            let cure = "give --pin-file FILE or --pin-fd NUMBER; a PIN is never an argument";
            fault("the token wants a PIN, and none is named", cure)
        })?;
        // That of a configuration was looked at there.
        if self.pin_file.is_some()
            && let Err((what, cure)) = config::is_closed(&pin_file, "the PIN file", "PIN")
        {
            eprintln!("warning: {what}\n  hint: {cure}");
        }
        let source = Pkcs11Source {
            module: named.module,
            uri,
            pin_file,
            sessions: 1,
        };
        Ok((source, named.config))
    }

    /// Faults of what is not needed are not in the way, nor is a certificate that is not there yet.
    fn read(&self, file: &Path, also: &[&str]) -> Result<Config, OpenFault> {
        let (config, mut faults) = config::examine(file);
        match config {
            Some(config) => {
                faults.retain(|fault| self.is_needed(&fault.key, also, &config));
                match faults.is_empty() {
                    true => Ok(config),
                    false => Err(self.faulty(file, &faults)),
                }
            }
            None => {
                if faults.iter().any(config::is_of_no_file) {
                    faults.retain(config::is_of_no_file);
                }
                Err(self.faulty(file, &faults))
            }
        }
    }

    fn faulty(&self, file: &Path, faults: &[config::Fault]) -> OpenFault {
        let what = config::render(file, faults).trim_end().to_owned();
        let cure = match self.all_said() {
            true => "mend the file, or leave --config out: module, uri and PIN are named",
            false => "mend the file, or name all with --module, --uri and --pin-file",
        };
        fault(what, cure)
    }

    fn all_said(&self) -> bool {
        self.module.is_some() && self.uri.is_some() && self.pin_said()
    }

    fn pin_said(&self) -> bool {
        self.pin_file.is_some() || self.pin_fd.is_some()
    }

    /// Whether what a fault is of is gone by.
    fn is_needed(&self, key: &str, also: &[&str], config: &Config) -> bool {
        let within = |section: &str| {
            let rest = key.strip_prefix(section);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let said = [
            ("tls.key.module", self.module.is_some()),
            ("tls.key.uri", self.uri.is_some()),
            ("tls.key.pin_file", self.pin_said()),
            ("tls.key.pin_fd", self.pin_said()),
            ("tls.key.pin_credential", self.pin_said()),
        ];
        // Where something of it is wrong, nothing of it is known.
        let is_known = config.tls.key.line > 0;
        let said = said.iter().any(|(of, said)| *said && within(of));
        let of_key = within("tls.key") && !self.all_said() && !(is_known && said);
        // What is written over is looked at by nobody.
        let is_there = key == "tls.certificate" && config.tls.certificate.line > 0;
        of_key || key == "tls" || also.iter().any(|section| within(section)) && !is_there
    }
}

/// Proves the key by the public key beside it in the token, or, where the token says none, by the
/// certificate that the configuration names. DER of the SubjectPublicKeyInfo comes back.
fn proved(key: &PrivateKey, config: Option<&Config>) -> Result<Vec<u8>, OpenFault> {
    let alone = key.prove_alone();
    let Some(config) = config.filter(|_| alone.is_err()) else {
        return alone;
    };
    let Ok(certificate) = CertificateDer::from_pem_file(&config.tls.certificate.value) else {
        return alone;
    };
    let Ok((_, certificate)) = X509Certificate::from_der(&certificate) else {
        return alone;
    };
    let spki = certificate.public_key().raw.to_vec();
    match key.prove(&spki) {
        Ok(()) => Ok(spki),
        Err(_) => alone,
    }
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
