//! The certificate profile of TS 33.310 clause 6.1 as a table: each rule has one name, one clause
//! and one check, which is a plain function of parsed DER.
//!
//! Path validation (RFC 5280) is webpki's; these rules come on top of it. They are applied to every
//! certificate of a client's path, to the CA certificates configured as trust anchors, of which
//! path validation keeps nothing but name and key, and to this gateway's own chain.

use x509_parser::prelude::X509Certificate;

mod checks;
mod names;
mod strength;
mod table;

pub use strength::STRENGTHS;
pub use table::RULES;

/// The name of a rule, in the order of [`RULES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Rule {
    Version,
    SignatureHash,
    SignatureAlgorithm,
    KeyAlgorithm,
    Curve,
    RsaLength,
    SignerStrength,
    NameForm,
    NameStrings,
    NameOrder,
    UnknownCriticalExtension,
    OptionalExtensionCritical,
    DirectIssuer,
    KeyUsage,
    KeyUsageCritical,
    ExtendedKeyUsage,
    ExtendedKeyUsageCritical,
    CrlDistributionPoints,
    CrlDistributionPointsCritical,
    SubjectAltName,
    KeyIdentifiersCritical,
    AuthorityInfoAccessCritical,
    CaBasicConstraints,
    CaBasicConstraintsCritical,
    CaPathLength,
    CaKeyUsage,
    CaKeyUsageCritical,
    CaCrlSign,
}

impl Rule {
    /// All that is said of it.
    pub fn row(self) -> &'static RuleRow {
        &RULES[self.place()]
    }

    /// As configuration, logs, metrics and the audit file write it.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Place in [`RULES`], which is also the place of its counter.
    pub fn place(self) -> usize {
        self as usize
    }

    /// The rule of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        let mut rows = RULES.iter();
        rows.find(|row| row.name == name).map(|row| row.rule)
    }
}

/// One row of the table.
#[derive(Debug)]
pub struct RuleRow {
    pub rule: Rule,
    pub name: &'static str,
    /// Of TS 33.310.
    pub clause: &'static str,
    pub applies: Applies,
    /// What the client is told where its chain breaks the rule.
    pub alert: Alert,
    /// Whether configuration may do without it. What path validation demands as well it may not.
    pub waivable: bool,
    /// Whether the clause's text was seen, or is known from other sources only.
    pub verified: bool,
    /// What a certificate must be.
    pub demand: &'static str,
    /// What the operator can do about one that is not.
    pub cure: &'static str,
    check: fn(&Seen<'_>) -> bool,
}

/// Which certificates a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applies {
    Every,
    Entity,
    Ca,
}

impl Applies {
    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Self::Every => "every certificate",
            Self::Entity => "TLS entity",
            Self::Ca => "TLS CA",
        }
    }
}

/// The alerts that come closest (RFC 8446 section 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alert {
    BadCertificate,
    UnsupportedCertificate,
    CertificateUnknown,
    UnknownCa,
}

impl Alert {
    /// As RFC 8446 writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::BadCertificate => "bad_certificate",
            Self::UnsupportedCertificate => "unsupported_certificate",
            Self::CertificateUnknown => "certificate_unknown",
            Self::UnknownCa => "unknown_ca",
        }
    }
}

/// What an entity's certificate is to be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Server,
    Client,
}

/// Where in a chain a certificate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Its end; `direct` where no CA stands between it and the trust anchor.
    Entity { purpose: Purpose, direct: bool },
    /// Above it; `issues_entities` where it has signed the entity's certificate.
    Ca { issues_entities: bool },
}

/// A certificate, and what it is judged by.
pub struct Seen<'s> {
    pub certificate: &'s X509Certificate<'s>,
    /// Whose key has signed it, where that is known.
    pub issuer: Option<&'s X509Certificate<'s>>,
    pub place: Place,
}

/// Some of the rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RuleSet(u64);

const _: () = assert!(RULES.len() <= u64::BITS as usize);

impl RuleSet {
    /// None of them.
    pub const EMPTY: Self = Self(0);

    /// With one more.
    #[must_use]
    pub const fn with(self, rule: Rule) -> Self {
        Self(self.0 | 1 << rule as u8)
    }

    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub const fn has(self, rule: Rule) -> bool {
        self.0 & 1 << rule as u8 != 0
    }

    /// The first of them in the order of the table.
    pub fn first(self) -> Option<Rule> {
        self.iter().next()
    }

    pub fn iter(self) -> impl Iterator<Item = Rule> {
        let rules = RULES.iter().map(|row| row.rule);
        rules.filter(move |rule| self.has(*rule))
    }

    /// For what hashes it, or keeps it where rules are not known.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Of [`Self::bits`].
    pub fn of_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl FromIterator<Rule> for RuleSet {
    fn from_iter<I: IntoIterator<Item = Rule>>(rules: I) -> Self {
        rules.into_iter().fold(Self::EMPTY, Self::with)
    }
}

/// The rules that a certificate breaks.
//= TS 33.310 clause 6.1
//# A TLS entity checks certificates against the profile, and takes none that breaks it.
pub fn broken(seen: &Seen<'_>) -> RuleSet {
    let applies = |row: &&RuleRow| match row.applies {
        Applies::Every => true,
        Applies::Entity => matches!(seen.place, Place::Entity { .. }),
        Applies::Ca => matches!(seen.place, Place::Ca { .. }),
    };
    let rows = RULES.iter().filter(applies);
    let broken = rows.filter(|row| !(row.check)(seen));
    broken.map(|row| row.rule).collect()
}

/// The rules that a chain breaks: leaf first, each signed by the next one. What stands above the
/// last is not known.
pub fn broken_by_chain(chain: &[X509Certificate<'_>], purpose: Purpose) -> RuleSet {
    let direct = chain.len() <= 2;
    let of = |(at, certificate)| {
        let place = match at {
            0 => Place::Entity { purpose, direct },
            at => Place::Ca {
                issues_entities: at == 1,
            },
        };
        broken(&Seen {
            certificate,
            issuer: chain.get(at + 1),
            place,
        })
    };
    let each = chain.iter().enumerate().map(of);
    each.fold(RuleSet::EMPTY, RuleSet::and)
}

#[cfg(test)]
pub(super) mod tests;
