//! Distinguished names as TS 33.310 wants them: country, organization and common name, or host
//! name, unit and domain components.

use x509_parser::asn1_rs::Tag;
use x509_parser::oid_registry::{
    OID_DOMAIN_COMPONENT, OID_X509_COMMON_NAME, OID_X509_COUNTRY_NAME, OID_X509_ORGANIZATION_NAME,
    OID_X509_ORGANIZATIONAL_UNIT,
};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attribute {
    Country,
    Domain,
    Organization,
    Unit,
    CommonName,
}

fn attribute(of: &AttributeTypeAndValue<'_>) -> Option<Attribute> {
    let known = [
        (OID_X509_COUNTRY_NAME, Attribute::Country),
        (OID_DOMAIN_COMPONENT, Attribute::Domain),
        (OID_X509_ORGANIZATION_NAME, Attribute::Organization),
        (OID_X509_ORGANIZATIONAL_UNIT, Attribute::Unit),
        (OID_X509_COMMON_NAME, Attribute::CommonName),
    ];
    let found = known.into_iter().find(|(oid, _)| of.attr_type() == oid);
    found.map(|(_, attribute)| attribute)
}

/// `[C=]? O= CN=` or `CN=[,OU=]?,DC=..`, one attribute in each part, whatever their order.
pub(super) fn has_form(name: &X509Name<'_>) -> bool {
    let mut counts = [0_usize; 5];
    for part in name.iter_rdn() {
        let mut attributes = part.iter();
        let (Some(only), None) = (attributes.next(), attributes.next()) else {
            return false;
        };
        let Some(attribute) = attribute(only) else {
            return false;
        };
        counts[attribute as usize] += 1;
    }
    let [country, domain, organization, unit, common_name] = counts;
    let by_organization = country <= 1 && organization == 1 && domain + unit == 0;
    let by_domain = domain >= 1 && unit <= 1 && country + organization == 0;
    common_name == 1 && (by_organization || by_domain)
}

/// Text in UTF-8, a country as two printable letters, domain components in ASCII.
pub(super) fn has_strings(name: &X509Name<'_>) -> bool {
    name.iter_attributes().all(|of| {
        let (tag, octets) = (of.attr_value().tag(), of.attr_value().data);
        match attribute(of) {
            Some(Attribute::Country) => {
                let letters = octets.iter().all(u8::is_ascii_alphabetic);
                tag == Tag::PrintableString && octets.len() == 2 && letters
            }
            Some(Attribute::Domain) => tag == Tag::Ia5String,
            Some(_) => tag == Tag::Utf8String && std::str::from_utf8(octets).is_ok(),
            None => true,
        }
    })
}

/// Both names run the same way: from country or domain to common name, or back.
pub(super) fn same_order(subject: &X509Name<'_>, issuer: &X509Name<'_>) -> bool {
    let both = [subject, issuer].map(|name| {
        let known = name.iter_attributes().filter_map(attribute);
        let ranks: Vec<u8> = known
            .map(|attribute| match attribute {
                Attribute::Country | Attribute::Domain => 0,
                Attribute::Organization | Attribute::Unit => 1,
                Attribute::CommonName => 2,
            })
            .collect();
        let down = ranks.windows(2).all(|pair| pair[0] <= pair[1]);
        let up = ranks.windows(2).all(|pair| pair[0] >= pair[1]);
        (down, up)
    });
    let [(subject_down, subject_up), (issuer_down, issuer_up)] = both;
    (subject_down && issuer_down) || (subject_up && issuer_up)
}
