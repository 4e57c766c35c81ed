//! One function for each rule: whether a certificate keeps it. An extension that cannot be read
//! is as good as none where it must be there.

use x509_parser::asn1_rs::Oid;
use x509_parser::extensions::{CRLDistributionPoint, GeneralName, ParsedExtension, X509Extension};
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_HASH_SHA256,
    OID_NIST_HASH_SHA384, OID_NIST_HASH_SHA512, OID_PKCS1_RSAENCRYPTION, OID_PKCS1_RSASSAPSS,
    OID_PKCS1_SHA256WITHRSA, OID_PKCS1_SHA384WITHRSA, OID_PKCS1_SHA512WITHRSA,
    OID_PKIX_AUTHORITY_INFO_ACCESS, OID_PKIX_SUBJECT_INFO_ACCESS, OID_SIG_ECDSA_WITH_SHA256,
    OID_SIG_ECDSA_WITH_SHA384, OID_SIG_ECDSA_WITH_SHA512, OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER,
    OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_CERTIFICATE_POLICIES,
    OID_X509_EXT_CRL_DISTRIBUTION_POINTS, OID_X509_EXT_EXTENDED_KEY_USAGE,
    OID_X509_EXT_FRESHEST_CRL, OID_X509_EXT_INHIBIT_ANY_POLICY, OID_X509_EXT_ISSUER_ALT_NAME,
    OID_X509_EXT_KEY_USAGE, OID_X509_EXT_NAME_CONSTRAINTS, OID_X509_EXT_POLICY_CONSTRAINTS,
    OID_X509_EXT_POLICY_MAPPINGS, OID_X509_EXT_SUBJECT_ALT_NAME,
    OID_X509_EXT_SUBJECT_KEY_IDENTIFIER,
};
use x509_parser::prelude::X509Version;
use x509_parser::signature_algorithm::SignatureAlgorithm;

use super::strength::{rsa_bits, strength};
use super::{Place, Purpose, Seen, names};

const RSA_BITS_MIN: usize = 2048;

/// `anyPolicy`-like extensions and others of RFC 5280 that the profile does not ask for.
const OPTIONAL: [Oid<'static>; 8] = [
    OID_X509_EXT_CERTIFICATE_POLICIES,
    OID_X509_EXT_POLICY_MAPPINGS,
    OID_X509_EXT_ISSUER_ALT_NAME,
    OID_X509_EXT_NAME_CONSTRAINTS,
    OID_X509_EXT_POLICY_CONSTRAINTS,
    OID_X509_EXT_INHIBIT_ANY_POLICY,
    OID_X509_EXT_FRESHEST_CRL,
    OID_PKIX_SUBJECT_INFO_ACCESS,
];

/// Those that have rules of their own in an entity's certificate, and are optional in a CA's.
const OF_ENTITIES: [Oid<'static>; 6] = [
    OID_X509_EXT_EXTENDED_KEY_USAGE,
    OID_X509_EXT_CRL_DISTRIBUTION_POINTS,
    OID_X509_EXT_SUBJECT_ALT_NAME,
    OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER,
    OID_X509_EXT_SUBJECT_KEY_IDENTIFIER,
    OID_PKIX_AUTHORITY_INFO_ACCESS,
];

fn extension<'s>(seen: &'s Seen<'_>, oid: &Oid<'_>) -> Option<&'s X509Extension<'s>> {
    let mut extensions = seen.certificate.extensions().iter();
    extensions.find(|extension| extension.oid == *oid)
}

/// Not marked critical, be it there or not.
fn non_critical(seen: &Seen<'_>, oid: &Oid<'_>) -> bool {
    extension(seen, oid).is_none_or(|extension| !extension.critical)
}

/// Marked critical; one that is absent breaks the rule that asks for it, not this one.
fn critical(seen: &Seen<'_>, oid: &Oid<'_>) -> bool {
    extension(seen, oid).is_none_or(|extension| extension.critical)
}

pub(super) fn version(seen: &Seen<'_>) -> bool {
    seen.certificate.version() == X509Version::V3
}

pub(super) fn signature_hash(seen: &Seen<'_>) -> bool {
    let algorithm = &seen.certificate.signature_algorithm;
    let hashes = [
        OID_NIST_HASH_SHA256,
        OID_NIST_HASH_SHA384,
        OID_NIST_HASH_SHA512,
    ];
    match SignatureAlgorithm::try_from(algorithm) {
        Ok(SignatureAlgorithm::RSASSA_PSS(parameters)) => {
            hashes.contains(parameters.hash_algorithm_oid())
        }
        // Of what is no signature of the profile the next rule speaks.
        _ if !is_rsa_or_ecdsa(&algorithm.algorithm) => true,
        _ => [
            OID_PKCS1_SHA256WITHRSA,
            OID_PKCS1_SHA384WITHRSA,
            OID_PKCS1_SHA512WITHRSA,
            OID_SIG_ECDSA_WITH_SHA256,
            OID_SIG_ECDSA_WITH_SHA384,
            OID_SIG_ECDSA_WITH_SHA512,
        ]
        .contains(&algorithm.algorithm),
    }
}

pub(super) fn signature_algorithm(seen: &Seen<'_>) -> bool {
    is_rsa_or_ecdsa(&seen.certificate.signature_algorithm.algorithm)
}

/// Below pkcs-1 (1.2.840.113549.1.1) or ansi-X9-62 signatures (1.2.840.10045.4), whatever the hash.
fn is_rsa_or_ecdsa(algorithm: &Oid<'_>) -> bool {
    let arcs = algorithm.as_bytes();
    let pkcs1 = OID_PKCS1_RSASSAPSS;
    let ecdsa = OID_SIG_ECDSA_WITH_SHA256;
    // The last arc says which; of ECDSA the last but one says that the hash is given.
    let parent = |oid: &Oid<'_>, arcs: usize| -> Vec<u8> {
        let octets = oid.as_bytes();
        octets[..octets.len() - arcs].to_vec()
    };
    arcs.starts_with(&parent(&pkcs1, 1)) || arcs.starts_with(&parent(&ecdsa, 2))
}

pub(super) fn key_algorithm(seen: &Seen<'_>) -> bool {
    let algorithm = &seen.certificate.public_key().algorithm.algorithm;
    [OID_PKCS1_RSAENCRYPTION, OID_KEY_TYPE_EC_PUBLIC_KEY].contains(algorithm)
}

pub(super) fn curve(seen: &Seen<'_>) -> bool {
    let algorithm = &seen.certificate.public_key().algorithm;
    let curve = algorithm.parameters.as_ref().map(|curve| curve.as_oid());
    algorithm.algorithm != OID_KEY_TYPE_EC_PUBLIC_KEY
        || matches!(curve, Some(Ok(curve)) if [OID_EC_P256, OID_NIST_EC_P384].contains(&curve))
}

pub(super) fn rsa_length(seen: &Seen<'_>) -> bool {
    let key = seen.certificate.public_key();
    key.algorithm.algorithm != OID_PKCS1_RSAENCRYPTION
        || rsa_bits(key).is_some_and(|bits| bits >= RSA_BITS_MIN)
}

pub(super) fn signer_strength(seen: &Seen<'_>) -> bool {
    let signer = seen.issuer.map(|issuer| strength(issuer.public_key()));
    match (signer.flatten(), strength(seen.certificate.public_key())) {
        (Some(signer), Some(subject)) => signer >= subject,
        // Of a key of another kind another rule speaks.
        _ => true,
    }
}

pub(super) fn name_form(seen: &Seen<'_>) -> bool {
    names::has_form(seen.certificate.subject())
}

pub(super) fn name_strings(seen: &Seen<'_>) -> bool {
    names::has_strings(seen.certificate.subject())
}

pub(super) fn name_order(seen: &Seen<'_>) -> bool {
    names::same_order(seen.certificate.subject(), seen.certificate.issuer())
}

pub(super) fn unknown_critical_extension(seen: &Seen<'_>) -> bool {
    let own = [OID_X509_EXT_KEY_USAGE, OID_X509_EXT_BASIC_CONSTRAINTS];
    let known =
        |oid: &Oid<'_>| OPTIONAL.contains(oid) || OF_ENTITIES.contains(oid) || own.contains(oid);
    let mut extensions = seen.certificate.extensions().iter();
    extensions.all(|extension| !extension.critical || known(&extension.oid))
}

/// basicConstraints that say of an entity that it is no CA are let be either way: RFC 5280 section
/// 4.2.1.9 leaves it open, and most CAs write them critical.
pub(super) fn optional_extension_critical(seen: &Seen<'_>) -> bool {
    let optional = |oid: &Oid<'_>| {
        let in_ca = matches!(seen.place, Place::Ca { .. });
        OPTIONAL.contains(oid) || in_ca && OF_ENTITIES.contains(oid)
    };
    let mut extensions = seen.certificate.extensions().iter();
    extensions.all(|extension| !extension.critical || !optional(&extension.oid))
}

pub(super) fn direct_issuer(seen: &Seen<'_>) -> bool {
    !matches!(seen.place, Place::Entity { direct: false, .. })
}

pub(super) fn key_usage(seen: &Seen<'_>) -> bool {
    let usage = seen.certificate.key_usage().ok().flatten();
    usage.is_some_and(|usage| usage.value.digital_signature())
}

pub(super) fn key_usage_critical(seen: &Seen<'_>) -> bool {
    critical(seen, &OID_X509_EXT_KEY_USAGE)
}

pub(super) fn extended_key_usage(seen: &Seen<'_>) -> bool {
    let Place::Entity { purpose, .. } = seen.place else {
        return true;
    };
    match seen.certificate.extended_key_usage() {
        Ok(None) => true,
        Ok(Some(usage)) => match purpose {
            Purpose::Server => usage.value.server_auth,
            Purpose::Client => usage.value.client_auth,
        },
        Err(_) => false,
    }
}

pub(super) fn extended_key_usage_critical(seen: &Seen<'_>) -> bool {
    non_critical(seen, &OID_X509_EXT_EXTENDED_KEY_USAGE)
}

//= RFC 5280 section 4.2.1.13
//# A distribution point says where the list is or who issues it: reasons alone lead nowhere.
pub(super) fn crl_distribution_points(seen: &Seen<'_>) -> bool {
    let leads = |point: &CRLDistributionPoint<'_>| {
        let issuer = point.crl_issuer.as_ref();
        point.distribution_point.is_some() || issuer.is_some_and(|names| !names.is_empty())
    };
    extension(seen, &OID_X509_EXT_CRL_DISTRIBUTION_POINTS).is_some_and(|extension| {
        matches!(extension.parsed_extension(),
            ParsedExtension::CRLDistributionPoints(points)
                if !points.points.is_empty() && points.points.iter().all(leads))
    })
}

pub(super) fn crl_distribution_points_critical(seen: &Seen<'_>) -> bool {
    non_critical(seen, &OID_X509_EXT_CRL_DISTRIBUTION_POINTS)
}

pub(super) fn subject_alt_name(seen: &Seen<'_>) -> bool {
    let names = seen.certificate.subject_alternative_name().ok().flatten();
    names.is_some_and(|names| {
        let of_server = matches!(
            seen.place,
            Place::Entity {
                purpose: Purpose::Server,
                ..
            }
        );
        names.value.general_names.iter().any(|name| match name {
            GeneralName::DNSName(_) => true,
            // A client looks for the host that it has connected to.
            GeneralName::URI(_) => !of_server,
            _ => false,
        })
    })
}

pub(super) fn key_identifiers_critical(seen: &Seen<'_>) -> bool {
    non_critical(seen, &OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER)
        && non_critical(seen, &OID_X509_EXT_SUBJECT_KEY_IDENTIFIER)
}

pub(super) fn authority_info_access_critical(seen: &Seen<'_>) -> bool {
    non_critical(seen, &OID_PKIX_AUTHORITY_INFO_ACCESS)
}

pub(super) fn ca_basic_constraints(seen: &Seen<'_>) -> bool {
    let constraints = seen.certificate.basic_constraints().ok().flatten();
    constraints.is_some_and(|constraints| constraints.value.ca)
}

pub(super) fn ca_basic_constraints_critical(seen: &Seen<'_>) -> bool {
    critical(seen, &OID_X509_EXT_BASIC_CONSTRAINTS)
}

pub(super) fn ca_path_length(seen: &Seen<'_>) -> bool {
    let issues = Place::Ca {
        issues_entities: true,
    };
    let constraints = seen.certificate.basic_constraints().ok().flatten();
    // Without the extension another rule is broken.
    seen.place != issues
        || constraints.is_none_or(|found| found.value.path_len_constraint == Some(0))
}

pub(super) fn ca_key_usage(seen: &Seen<'_>) -> bool {
    let usage = seen.certificate.key_usage().ok().flatten();
    usage.is_some_and(|usage| usage.value.key_cert_sign())
}

pub(super) fn ca_key_usage_critical(seen: &Seen<'_>) -> bool {
    critical(seen, &OID_X509_EXT_KEY_USAGE)
}

pub(super) fn ca_crl_sign(seen: &Seen<'_>) -> bool {
    let usage = seen.certificate.key_usage().ok().flatten();
    // Without the extension another rule is broken.
    usage.is_none_or(|usage| usage.value.crl_sign())
}
