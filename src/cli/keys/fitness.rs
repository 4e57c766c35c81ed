//! Whether a certificate is one to serve T8 with: the rules of TS 33.310 for a TLS entity, held
//! against our own before a partner does.

use hsm::OpenFault;
use x509_parser::prelude::{GeneralName, ParsedExtension, X509Certificate, X509Version};

use super::fault;
use crate::clock::UnixSeconds;

/// Everything that speaks against serving with `leaf` at `now`, under `names` (lower case).
pub(super) fn faults(
    leaf: &X509Certificate<'_>,
    now: UnixSeconds,
    names: &[String],
) -> Vec<OpenFault> {
    let again = "have it issued again";
    let mut faults = Vec::new();
    let mut unfit = |what: String, cure: &str| faults.push(fault(what, cure));
    if leaf.version() != X509Version::V3 {
        unfit("the certificate is not X.509 version 3".to_owned(), again);
    }
    if !is_signed_by_sha2(leaf) {
        let oid = leaf.signature_algorithm.algorithm.to_id_string();
        unfit(
            format!("the certificate is signed by {oid}, and not by SHA-256 or SHA-384"),
            "have it issued by a CA that signs with SHA-256",
        );
    }
    let signs = leaf.key_usage().ok().flatten();
    if !signs.is_some_and(|usage| usage.critical && usage.value.digital_signature()) {
        unfit(
            "the certificate has no critical keyUsage with digitalSignature".to_owned(),
            "have it issued again; the request asks for it",
        );
    }
    let purposes = leaf.extended_key_usage();
    if !purposes.is_ok_and(|usage| usage.is_none_or(|usage| usage.value.server_auth)) {
        unfit(
            "the certificate has an extKeyUsage without serverAuth".to_owned(),
            "have it issued again, from a request made with --purpose server",
        );
    }
    if leaf.is_ca() {
        unfit(
            "the certificate is a CA's".to_owned(),
            "a CA's key issues, and does not serve: have one issued for an end entity",
        );
    }
    let validity = leaf.validity();
    let now = i64::try_from(now.0).unwrap_or(i64::MAX);
    if now > validity.not_after.timestamp() {
        let what = format!("the certificate expired at {}", validity.not_after);
        unfit(what, again);
    }
    if now < validity.not_before.timestamp() {
        unfit(
            format!(
                "the certificate is not valid before {}",
                validity.not_before
            ),
            "see whether this machine's clock is right, or import it later",
        );
    }
    let hosts = hosts(leaf);
    if hosts.is_empty() {
        unfit(
            "the certificate names no host in its subjectAltName".to_owned(),
            "have it issued again, from a request made with --san dns:HOST",
        );
    }
    for name in names.iter().filter(|name| !hosts.contains(name)) {
        unfit(
            format!("the certificate does not name {name}, which listen.server_names has"),
            "have it issued for all of them, or take the name out of listen.server_names",
        );
    }
    faults
}

/// Whether it says where its revocation list is. Partners that hold to the letter of the profile
/// refuse a certificate without; a public CA's may lack it.
//= TS 33.310 clause 6.1.3a
//# cRLDistributionPoints is there.
pub(super) fn names_its_crl(leaf: &X509Certificate<'_>) -> bool {
    let is_crl = |extension: &ParsedExtension<'_>| {
        matches!(extension, ParsedExtension::CRLDistributionPoints(_))
    };
    let mut extensions = leaf.extensions().iter();
    extensions.any(|extension| is_crl(extension.parsed_extension()))
}

//= TS 33.310 clause 6.1.1
//# Signatures are by SHA-256 or SHA-384, and never by SHA-1 or MD5.
fn is_signed_by_sha2(leaf: &X509Certificate<'_>) -> bool {
    const SHA2: [&str; 7] = [
        "1.2.840.113549.1.1.10",
        "1.2.840.113549.1.1.11",
        "1.2.840.113549.1.1.12",
        "1.2.840.113549.1.1.13",
        "1.2.840.10045.4.3.2",
        "1.2.840.10045.4.3.3",
        "1.2.840.10045.4.3.4",
    ];
    let oid = leaf.signature_algorithm.algorithm.to_id_string();
    SHA2.contains(&oid.as_str())
}

/// Host names, in lower case.
fn hosts(leaf: &X509Certificate<'_>) -> Vec<String> {
    let names = leaf.subject_alternative_name().ok().flatten();
    let names = names.map_or(&[][..], |names| &names.value.general_names);
    let hosts = names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    hosts.collect()
}
