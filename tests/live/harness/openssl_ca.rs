//! A CA as `openssl ca` keeps it: a folder with its database, from which it issues certificates
//! with serial numbers of 20 octets and makes its revocation lists, complete ones and deltas.

use std::path::{Path, PathBuf};
use std::process::Command;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::mint::now_s;
use super::pki::{Identity, Key, San};
use super::{command, run_well};

/// Both sections share one numbering, as a complete list and its deltas have to. A delta has a
/// database of its own: what has changed since its base.
const CONFIGURATION: &str = "
[ca]
default_ca = complete

[complete]
database = index.txt
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
crlnumber = crlnumber
default_md = sha256
default_days = 30
default_crl_days = 30
policy = subject
rand_serial = yes
unique_subject = no
copy_extensions = copy
x509_extensions = client
crl_extensions = list
string_mask = utf8only

[delta]
database = delta.txt
certificate = ca.pem
private_key = ca.key
crlnumber = crlnumber
default_md = sha256
default_crl_days = 30
policy = subject
unique_subject = no
crl_extensions = changes

[subject]
organizationName = supplied
commonName = supplied

[own]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash

[client]
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
crlDistributionPoints = URI:http://crl.example/t8.crl
authorityKeyIdentifier = keyid

[list]
authorityKeyIdentifier = keyid

[changes]
authorityKeyIdentifier = keyid
deltaCRL = critical, DER:0201${ENV::BASE}

[req]
distinguished_name = none
prompt = no
string_mask = utf8only

[none]
CN = none
";

/// The folder, and the certificate in it.
pub struct OpensslCa {
    folder: PathBuf,
    pub certificate: PathBuf,
}

impl OpensslCa {
    /// A CA of this name with a key of its own, in a folder of its own below `directory`.
    pub fn new(directory: &Path, folder: &str, common_name: &str) -> Self {
        let folder = directory.join(folder);
        std::fs::create_dir(&folder).expect("a writable directory");
        for (name, text) in [
            ("ca.cnf", CONFIGURATION),
            ("index.txt", ""),
            ("delta.txt", ""),
            ("crlnumber", "01\n"),
        ] {
            std::fs::write(folder.join(name), text).expect("our own folder");
        }
        let ca = Self {
            certificate: folder.join("ca.pem"),
            folder,
        };
        std::fs::write(
            ca.folder.join("ca.key"),
            Key::P256.generate().serialize_pem(),
        )
        .expect("our own folder");
        let subject = format!("/O=Example/CN={common_name}");
        let own = [
            "-x509",
            "-extensions",
            "own",
            "-days",
            "30",
            "-subj",
            &subject,
        ];
        run_well(ca.req("ca.key", "ca.pem").args(own));
        ca
    }

    /// Issues a client's certificate for a new key, good for a month.
    pub fn issue(&self, stem: &str, san: &San) -> Identity {
        self.issue_until(stem, san, 30 * 86_400)
    }

    /// The same, good for so many seconds from now.
    pub fn issue_until(&self, stem: &str, san: &San, valid_s: i64) -> Identity {
        self.issue_over(stem, san, valid_s, "sha256")
    }

    /// The same, signed over this hash.
    pub fn issue_over(&self, stem: &str, san: &San, valid_s: i64, hash: &str) -> Identity {
        let key = Key::P256.generate();
        let [key_file, request, issued] =
            ["key", "csr", "pem"].map(|ending| format!("{stem}.{ending}"));
        let path = self.folder.join(&key_file);
        std::fs::write(&path, key.serialize_pem()).expect("our own folder");
        let name = match san {
            San::Dns(name) => format!("subjectAltName=DNS:{name}"),
            San::Uri(uri) => format!("subjectAltName=URI:{uri}"),
            San::Ip(address) => format!("subjectAltName=IP:{address}"),
            San::Email(address) => format!("subjectAltName=email:{address}"),
        };
        let arguments = ["-subj", "/O=Example/CN=SCS of a test", "-addext", &name];
        run_well(self.req(&key_file, &request).args(arguments));
        let end = time(valid_s);
        let arguments = [
            "-notext", "-md", hash, "-enddate", &end, "-in", &request, "-out", &issued,
        ];
        run_well(self.ca().args(arguments));
        let certificate = self.folder.join(issued);
        let der = CertificateDer::from_pem_file(&certificate).expect("written by openssl");
        Identity::with_key(certificate, path, der, &key)
    }

    /// Its key, PEM.
    #[allow(
        dead_code,
        reason = "for the tests of scale, which sign lists by themselves"
    )]
    pub fn key_pem(&self) -> String {
        std::fs::read_to_string(self.folder.join("ca.key")).expect("our own folder")
    }

    /// Its certificate.
    #[allow(
        dead_code,
        reason = "for the tests of scale, which sign lists by themselves"
    )]
    pub fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(&self.certificate).expect("written by openssl")
    }

    /// Enters a certificate as revoked: the next complete list names it.
    pub fn revoke(&self, identity: &Identity, reason: &str) {
        self.enter(identity, "complete", reason);
    }

    /// Enters a change: the next delta says it.
    pub fn change(&self, identity: &Identity, reason: &str) {
        self.enter(identity, "delta", reason);
    }

    fn enter(&self, identity: &Identity, section: &str, reason: &str) {
        let mut openssl = self.ca();
        openssl.args(["-name", section, "-crl_reason", reason, "-revoke"]);
        run_well(openssl.arg(&identity.certificate));
    }

    /// Makes a complete list that ends in so many seconds, negative for the past, and began a day
    /// before that or before now.
    pub fn list(&self, file: &str, ends_in_s: i64) -> PathBuf {
        let (begin, end) = (time(ends_in_s.min(0) - 86_400), time(ends_in_s));
        self.generate(file, &["-crl_lastupdate", &begin, "-crl_nextupdate", &end])
    }

    /// Makes a delta to the complete list of a number, of what was entered by [`Self::change`].
    pub fn delta(&self, file: &str, base: u8) -> PathBuf {
        let base = format!("{base:02x}");
        let path = self.folder.join(file);
        let mut openssl = self.ca();
        openssl
            .args(["-name", "delta", "-gencrl"])
            .arg("-out")
            .arg(&path);
        run_well(openssl.env("BASE", base));
        path
    }

    fn generate(&self, file: &str, arguments: &[&str]) -> PathBuf {
        let path = self.folder.join(file);
        run_well(
            self.ca()
                .args(arguments)
                .arg("-gencrl")
                .arg("-out")
                .arg(&path),
        );
        path
    }

    /// The number of the list that was made last.
    pub fn number(&self) -> u8 {
        let next = std::fs::read_to_string(self.folder.join("crlnumber")).expect("our own folder");
        u8::from_str_radix(next.trim(), 16).expect("few lists") - 1
    }

    fn ca(&self) -> Command {
        let mut openssl = self.openssl("ca");
        openssl.arg("-batch");
        openssl
    }

    fn req(&self, key: &str, out: &str) -> Command {
        let mut openssl = self.openssl("req");
        openssl.args(["-new", "-key", key, "-out", out]);
        openssl
    }

    fn openssl(&self, program: &str) -> Command {
        let mut openssl = command("openssl");
        openssl.current_dir(&self.folder).env("BASE", "01");
        openssl.args([program, "-config", "ca.cnf"]);
        openssl
    }
}

/// As `openssl ca` wants it: so many seconds from now.
pub fn time(from_now_s: i64) -> String {
    let at = format!("@{}", now_s() + from_now_s);
    let text = run_well(command("date").args(["-u", "+%Y%m%d%H%M%SZ", "-d", &at]));
    text.trim().to_owned()
}
