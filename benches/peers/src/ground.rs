//! What all peers of a bench share: certificates, tokens, a software token, an origin's answer.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CrlDistributionPoint, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, RsaKeySize, SanType,
};

use crate::clock::unix_s;
use crate::fault::{Fault, about};
use crate::softhsm::SoftHsm;
use crate::token::Mint;

/// The name clients ask for, and that stands in the server's certificates.
pub const SERVER_NAME: &str = "t8.bench.example";
/// The one client's name in its certificate.
pub const CLIENT_NAME: &str = "scs.bench.example";
/// Its `{scsAsId}`, its name, and its `client_id`.
pub const SCS_AS_ID: &str = "bench";
/// Certificates of that client, which connections take in turn: each has its own tokens. No more
/// than there are connections, so that all tokens are used; both numbers of tokens are multiples.
pub const CERTIFICATES: usize = 25;
/// Distinct tokens where each connection has one of its own.
pub const TOKENS_OF_CONNECTIONS: usize = 1_000;
/// Distinct tokens of the row that asks for many.
pub const TOKENS_MANY: usize = 10_000;

/// Of a server's or client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyKind {
    P256,
    Rsa2048,
}

impl KeyKind {
    /// As file names and rows say it.
    pub fn word(self) -> &'static str {
        match self {
            Self::P256 => "p256",
            Self::Rsa2048 => "rsa2048",
        }
    }

    fn generate(self) -> Result<KeyPair, Fault> {
        let key = match self {
            Self::P256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            Self::Rsa2048 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048),
        };
        key.map_err(|error| Fault::new(format!("no key: {error}")))
    }
}

/// Files, all below one directory that is made anew for each bench.
pub struct Ground {
    pub directory: PathBuf,
    pub server_ca: PathBuf,
    pub client_ca: PathBuf,
    /// In the order in which connections take them.
    pub clients: Vec<Identity>,
    pub tokens_of_connections: PathBuf,
    pub tokens_many: PathBuf,
    /// A JWK Set with the key that signed the tokens.
    pub jwks: PathBuf,
    /// The same keys as in the files, in a software token; none where no row needs it.
    pub hsm: Option<SoftHsm>,
}

/// PEM files.
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Ground {
    /// Makes it all. The directory is emptied first.
    ///
    /// # Errors
    /// When a file cannot be written, or SoftHSM is wanted and not installed.
    pub fn make(directory: &Path, with_hsm: bool) -> Result<Self, Fault> {
        if directory.exists() {
            about(directory.display(), std::fs::remove_dir_all(directory))?;
        }
        about(directory.display(), std::fs::create_dir_all(directory))?;
        let directory = &about(directory.display(), directory.canonicalize())?;
        let operator = Authority::new(directory, "server-ca")?;
        let partner = Authority::new(directory, "client-ca")?;
        for kind in [KeyKind::P256, KeyKind::Rsa2048] {
            operator.issue(&server_stem(kind), SERVER_NAME, kind, true)?;
        }
        let issue = |number: usize| {
            let stem = format!("client-{number:02}");
            partner.issue(&stem, CLIENT_NAME, KeyKind::P256, false)
        };
        let clients = (0..CERTIFICATES)
            .map(issue)
            .collect::<Result<Vec<_>, _>>()?;
        let (clients, ders): (Vec<Identity>, Vec<Vec<u8>>) = clients
            .into_iter()
            .map(|issued| (issued.files, issued.der))
            .unzip();
        let mint = Mint::new()?;
        let jwks = directory.join("jwks.json");
        about(jwks.display(), std::fs::write(&jwks, mint.jwks()))?;
        let write_tokens = |stem: &str, count: usize| {
            let file = directory.join(format!("{stem}.txt"));
            let tokens = mint.tokens(&ders, unix_s(), count)?;
            about(
                file.display(),
                std::fs::write(&file, tokens.join("\n") + "\n"),
            )?;
            Ok(file)
        };
        let mut ground = Self {
            directory: directory.clone(),
            server_ca: operator.certificate,
            client_ca: partner.certificate,
            tokens_of_connections: write_tokens("tokens-of-connections", TOKENS_OF_CONNECTIONS)?,
            tokens_many: write_tokens("tokens-many", TOKENS_MANY)?,
            clients,
            jwks,
            hsm: None,
        };
        if with_hsm {
            let kinds = [KeyKind::P256, KeyKind::Rsa2048];
            let keys = kinds.map(|kind| (kind, ground.server(kind).key));
            ground.hsm = Some(SoftHsm::import(directory, &keys)?);
        }
        Ok(ground)
    }

    /// The server's certificate and key of a kind.
    pub fn server(&self, kind: KeyKind) -> Identity {
        files(&self.directory, &server_stem(kind))
    }

    /// Writes a file that lives as long as the bench.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf, Fault> {
        let path = self.directory.join(name);
        about(path.display(), std::fs::write(&path, text))?;
        Ok(path)
    }
}

fn server_stem(kind: KeyKind) -> String {
    format!("server-{}", kind.word())
}

fn files(directory: &Path, stem: &str) -> Identity {
    Identity {
        certificate: directory.join(format!("{stem}.pem")),
        key: directory.join(format!("{stem}.key.pem")),
    }
}

struct Issued {
    files: Identity,
    der: Vec<u8>,
}

/// A CA with a P-256 key, and no intermediates below it: what the published figures are measured
/// with.
struct Authority {
    certificate: PathBuf,
    directory: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(directory: &Path, stem: &str) -> Result<Self, Fault> {
        let mut params = params(stem);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyKind::P256.generate()?;
        let certificate = params.self_signed(&key);
        let certificate = certificate.map_err(|error| Fault::new(format!("{stem}: {error}")))?;
        let path = directory.join(format!("{stem}.pem"));
        about(path.display(), std::fs::write(&path, certificate.pem()))?;
        Ok(Self {
            certificate: path,
            directory: directory.to_owned(),
            issuer: Issuer::new(params, key),
        })
    }

    fn issue(&self, stem: &str, name: &str, kind: KeyKind, server: bool) -> Result<Issued, Fault> {
        let failed = |error: rcgen::Error| Fault::new(format!("{stem}: {error}"));
        let mut params = params(name);
        let dns = name.try_into().map_err(failed)?;
        params.subject_alt_names = vec![SanType::DnsName(dns)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let uris = vec!["http://crl.example/t8.crl".to_owned()];
        params.crl_distribution_points = vec![CrlDistributionPoint { uris }];
        params.extended_key_usages = vec![match server {
            true => ExtendedKeyUsagePurpose::ServerAuth,
            false => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        let key = kind.generate()?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        let files = files(&self.directory, stem);
        let write = |path: &Path, text: String| about(path.display(), std::fs::write(path, text));
        write(&files.certificate, certificate.pem())?;
        write(&files.key, key.serialize_pem())?;
        Ok(Issued {
            files,
            der: certificate.der().to_vec(),
        })
    }
}

/// Valid since yesterday, for a month.
fn params(common_name: &str) -> CertificateParams {
    let day = std::time::Duration::from_secs(86_400);
    let now = rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(unix_s());
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Bench");
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.not_before = now - day;
    params.not_after = now + 30 * day;
    params
}
