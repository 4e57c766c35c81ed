//! `t8gate keys csr`: a certificate request that the key in the token signs itself.

use clap::{Args, ValueEnum};
use hsm::{KeyKind, OpenFault, PrivateKey, Scheme, SignJob};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose,
    KeyUsagePurpose, PublicKeyData, SanType, SignatureAlgorithm, SigningKey,
};
use rustls_pki_types::DnsName;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::{Access, Faults, fault, proved};

/// What an organization or a common name may measure, in characters.
const NAME_LETTERS_MAX: usize = 64;

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    access: Access,
    /// The subject's country, two capital letters.
    #[arg(long, value_name = "CC")]
    country: Option<String>,
    /// The subject's organization: the operator.
    #[arg(long, value_name = "NAME")]
    organization: String,
    /// The subject's common name; without, the first host name.
    #[arg(long, value_name = "NAME")]
    common_name: Option<String>,
    /// A name in subjectAltName, `dns:HOST` or `uri:URI`; may be given more than once. Clients
    /// look for the host name they connect to.
    #[arg(long = "san", value_name = "NAME", required = true, value_parser = san)]
    sans: Vec<San>,
    /// What the certificate is for.
    #[arg(long, value_enum, default_value = "server")]
    purpose: Purpose,
}

#[derive(Clone, Copy, ValueEnum)]
enum Purpose {
    /// To serve T8 with.
    Server,
    /// To connect with, for notifications.
    Client,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum San {
    Dns(String),
    Uri(String),
}

/// The request goes to standard output.
pub(super) fn run(options: &Options) -> Result<(), Faults> {
    let params = params(options)?;
    let (source, config) = options.access.resolve_for_login(&[])?;
    let key = PrivateKey::from_token(&source)?;
    let key = RequestKey::of(&key, &proved(&key, config.as_ref())?)?;
    let request = params
        .serialize_request(&key)
        .and_then(|request| request.pem());
    let request = request.map_err(|error| {
        fault(
            format!("the request cannot be made: {error}"),
            "see whether the token answers: t8gate keys self-test",
        )
    })?;
    say!("{}", request.trim_end());
    eprintln!("  hint: next, have it issued, and then: t8gate keys import-cert");
    Ok(())
}

//= TS 33.310 clause 6.1.3a
//# A TLS entity's certificate is for signatures, critically, and names the entity.
fn params(options: &Options) -> Result<CertificateParams, OpenFault> {
    let unusable = |name: &str| {
        let what = format!("{name:?} cannot stand in a certificate");
        fault(what, "names are ASCII there")
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(options)?;
    for san in &options.sans {
        let name = match san {
            San::Dns(name) => name.as_str().try_into().map(SanType::DnsName),
            San::Uri(name) => name.as_str().try_into().map(SanType::URI),
        };
        let (San::Dns(text) | San::Uri(text)) = san;
        let name = name.map_err(|_| unusable(text))?;
        params.subject_alt_names.push(name);
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![match options.purpose {
        Purpose::Server => ExtendedKeyUsagePurpose::ServerAuth,
        Purpose::Client => ExtendedKeyUsagePurpose::ClientAuth,
    }];
    Ok(params)
}

//= TS 33.310 clause 6.1.1
//# Names are country, organization and common name; the latter two in UTF-8.
fn subject(options: &Options) -> Result<DistinguishedName, OpenFault> {
    let mut name = DistinguishedName::new();
    if let Some(country) = &options.country {
        let is_code = country.len() == 2 && country.bytes().all(|c| c.is_ascii_uppercase());
        let printable = country.as_str().try_into().ok().filter(|_| is_code);
        let country = printable.ok_or_else(|| {
            fault(
                format!("{country:?} is no country"),
                "two capital letters: --country SE",
            )
        })?;
        name.push(DnType::CountryName, DnValue::PrintableString(country));
    }
    let first_host = options.sans.iter().find_map(|san| match san {
        San::Dns(name) => Some(name.as_str()),
        San::Uri(_) => None,
    });
    let common_name = options.common_name.as_deref().or(first_host);
    let common_name = common_name.ok_or_else(|| {
        fault(
            "the subject has no common name",
            "give --common-name, or a host name: --san dns:HOST",
        )
    })?;
    for (kind, text) in [
        (DnType::OrganizationName, options.organization.as_str()),
        (DnType::CommonName, common_name),
    ] {
        let letters = text.chars().count();
        if letters == 0 || letters > NAME_LETTERS_MAX || text.chars().any(char::is_control) {
            return Err(fault(
                format!("{text:?} is no name for a subject"),
                format!("organization and common name have 1 to {NAME_LETTERS_MAX} letters"),
            ));
        }
        name.push(kind, DnValue::Utf8String(text.to_owned()));
    }
    Ok(name)
}

fn san(text: &str) -> Result<San, String> {
    let wrong = |what: &str| Err(format!("{what}: dns:HOST or uri:URI"));
    match text.split_once(':') {
        Some(("dns", host)) => match DnsName::try_from(host) {
            // It would stand for hosts that nobody has named.
            Ok(_) if host.contains('*') => wrong("a wildcard is no name of one host"),
            Ok(_) => Ok(San::Dns(host.to_ascii_lowercase())),
            Err(_) => wrong("that is no host name"),
        },
        Some(("uri", uri)) => {
            let scheme = uri.split_once(':').filter(|(scheme, rest)| {
                let letters = scheme
                    .bytes()
                    .all(|c| c.is_ascii_alphanumeric() || c == b'+');
                letters && scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && !rest.is_empty()
            });
            match scheme {
                Some(_) if uri.bytes().all(|c| c.is_ascii_graphic()) => {
                    Ok(San::Uri(uri.to_owned()))
                }
                _ => wrong("that is no URI"),
            }
        }
        _ => wrong("a name begins with what it is"),
    }
}

/// A key in a token as rcgen sees it.
struct RequestKey<'a> {
    key: &'a PrivateKey,
    /// The public key's own octets, out of the SubjectPublicKeyInfo.
    public: Vec<u8>,
    scheme: Scheme,
    algorithm: &'static SignatureAlgorithm,
}

impl<'a> RequestKey<'a> {
    //= TS 33.310 clause 6.1.1
    //# Signatures are by SHA-256 or SHA-384, and never by SHA-1 or MD5.
    fn of(key: &'a PrivateKey, spki: &[u8]) -> Result<Self, OpenFault> {
        let (_, info) = SubjectPublicKeyInfo::from_der(spki).map_err(|_| {
            fault(
                "the public key in the token cannot be read",
                "store it anew beside the private key",
            )
        })?;
        let (scheme, algorithm) = match key.kind() {
            KeyKind::P256 => (Scheme::EcdsaP256Sha256, &rcgen::PKCS_ECDSA_P256_SHA256),
            KeyKind::P384 => (Scheme::EcdsaP384Sha384, &rcgen::PKCS_ECDSA_P384_SHA384),
            KeyKind::Rsa => (Scheme::RsaPkcs1Sha256, &rcgen::PKCS_RSA_SHA256),
        };
        if !key.schemes().contains(&scheme) {
            return Err(fault(
                "the token cannot sign a request with this key",
                "requests of RSA keys take CKM_RSA_PKCS: enable it in the HSM's policy, or make a \
                 P-256 key",
            ));
        }
        Ok(Self {
            key,
            public: info.subject_public_key.data.to_vec(),
            scheme,
            algorithm,
        })
    }
}

impl PublicKeyData for RequestKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

impl SigningKey for RequestKey<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let job = SignJob {
            scheme: self.scheme,
            message,
        };
        // rcgen has no word for why.
        self.key.sign(job).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_host_names_and_uris() {
        assert_eq!(san("dns:T8.example"), Ok(San::Dns("t8.example".to_owned())));
        assert_eq!(san("uri:urn:t8:gw"), Ok(San::Uri("urn:t8:gw".to_owned())));
        for wrong in [
            "t8.example",
            "dns:",
            "dns:*.example",
            "dns:a b",
            "dns:t8_\u{e9}",
            "uri:",
            "uri:nothing",
            "uri::x",
            "uri:urn:a b",
            "ip:192.0.2.1",
        ] {
            assert!(san(wrong).is_err(), "{wrong}");
        }
    }
}
