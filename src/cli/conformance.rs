//! `t8gate check --conformance`: the profile as a configuration has it enforced, clause by clause,
//! against TS 33.187, TS 33.310, TS 33.210, RFC 5280 and RFC 8705. Each row has a name by which a
//! test finds the handshake that shows it: `tests/live/conformance.rs`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::ValueEnum;
use hsm::KeyKind;
use serde::Serialize;

use crate::clock::UnixSeconds;
use crate::config::{self, Config};
use crate::control::load::{self, OwnSide};
use crate::peer::ClientAuthentication;
use crate::tls::{OF_ISSUERS, Profile, RULES, Rule, RuleRow, STRENGTHS};

mod clauses;
mod revocation;

use clauses::{CLAUSES, Demand, OwnKey};

/// How the report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Markdown,
    Json,
}

/// The whole report.
#[derive(Debug, Serialize)]
struct Conformance {
    profile: &'static str,
    versions: Vec<String>,
    suites: Vec<String>,
    groups: Vec<String>,
    /// Kinds of keys and their strength in bits, for the rule `signer_strength`.
    strengths: Vec<(&'static str, u16)>,
    clauses: Vec<Clause>,
}

/// One clause, and what becomes of it.
#[derive(Debug, Serialize)]
struct Clause {
    /// The row's own; that of a rule is the rule's.
    name: &'static str,
    document: &'static str,
    clause: &'static str,
    /// The rule of the certificate profile that enforces it, by the name that waivers have.
    rule: Option<&'static str>,
    demand: String,
    /// Whether the clause's text was seen, or is known from other sources only.
    verified: bool,
    #[serde(flatten)]
    status: Status,
}

#[derive(Debug, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum Status {
    Met {
        /// What it does not ask for, and is to be known all the same.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        but: Vec<String>,
    },
    /// By configuration, at these places, or by design.
    Waived {
        places: Vec<String>,
    },
    NotMet {
        why: String,
    },
}

impl Status {
    const MET: Self = Self::Met { but: Vec::new() };

    /// Met, or for this reason not.
    fn unless(met: bool, why: &str) -> Self {
        match met {
            true => Self::MET,
            false => Self::NotMet {
                why: why.to_owned(),
            },
        }
    }
}

/// Prints the report; 1 where the configuration has faults.
pub fn main(file: &Path, format: Format) -> ExitCode {
    let config = match config::read(file) {
        Ok(config) => config,
        Err(faults) => {
            super::complain(file, &faults);
            return ExitCode::FAILURE;
        }
    };
    let (side, loaded) = load::own_side(&config, UnixSeconds::now());
    let faults = loaded.faults();
    let profile = Profile::of_name(&config.tls.profile.value);
    let Some((side, profile)) = side.zip(profile).filter(|_| faults.is_empty()) else {
        super::complain(file, &faults);
        return ExitCode::FAILURE;
    };
    let report = report(&config, profile, &side);
    match format {
        Format::Markdown => say!("{}", markdown(&report).trim_end()),
        Format::Json => match serde_json::to_string_pretty(&report) {
            Ok(text) => say!("{text}"),
            Err(error) => {
                eprintln!("the report cannot be written: {error}");
                return ExitCode::FAILURE;
            }
        },
    }
    ExitCode::SUCCESS
}

fn report(config: &Config, profile: &'static Profile, side: &OwnSide) -> Conformance {
    let rules = RULES.iter().map(|row| of_rule(row, config, side));
    let (versions, suites, groups) = (profile.versions(), profile.suites(), profile.groups());
    let offers = |wanted: &[&str], offered: &[String]| match lacking(wanted, offered) {
        None => Status::MET,
        Some(why) => Status::NotMet { why },
    };
    let others = CLAUSES.iter().map(|row| Clause {
        name: row.name,
        document: row.document,
        clause: row.clause,
        rule: None,
        demand: row.text.to_owned(),
        verified: row.verified,
        status: match row.demand {
            Demand::Kept => Status::MET,
            Demand::Versions(wanted) => offers(wanted, &versions),
            Demand::Suites(wanted) => offers(wanted, &suites),
            Demand::SuiteOf(wanted, kind) => match offers(&[wanted], &suites) {
                Status::Met { .. } => signs(side, &[kind]),
                lacking => lacking,
            },
            Demand::Groups(wanted) => offers(wanted, &groups),
            Demand::GroupsOf12(wanted) => match offers(&["TLSv1_2"], &versions) {
                Status::Met { .. } => offers(wanted, &groups),
                lacking => lacking,
            },
            Demand::KeptWithOauth(why) => Status::unless(config.oauth.is_some(), why),
            Demand::ServerNames(why) => Status::unless(!config.listen.any_server_name, why),
            Demand::Revocation(status) => status(config),
            Demand::RevocationOfClients(status) => {
                let why = "nobody keeps a list of those, the operator withdraws them";
                beside_self_signed(config, status(config), why)
            }
        },
    });
    Conformance {
        profile: profile.name,
        clauses: rules.chain(others).collect(),
        strengths: STRENGTHS.to_vec(),
        versions,
        suites,
        groups,
    }
}

/// What is said where a suite or a signature has no key of the gateway's own.
fn without_key(kind: &str) -> String {
    format!(
        "no certificate of the gateway's own is for {kind} and for any name: the first, and those \
         of [[tls.also]] with names = []"
    )
}

/// What a clause wants of the gateway's own keys.
fn signs(side: &OwnSide, kinds: &[OwnKey]) -> Status {
    let missing = kinds.iter().find(|kind| match kind {
        OwnKey::Rsa => !side.unnamed.contains(&KeyKind::Rsa),
        OwnKey::Ecdsa => !side.unnamed.iter().any(|kind| *kind != KeyKind::Rsa),
    });
    match missing {
        None => Status::MET,
        Some(kind) => Status::NotMet {
            why: without_key(kind.word()),
        },
    }
}

fn lacking(wanted: &[&str], offered: &[String]) -> Option<String> {
    let missing = wanted
        .iter()
        .find(|name| !offered.iter().any(|own| own == *name))?;
    Some(format!("tls.profile does not offer {missing}"))
}

fn of_rule(row: &RuleRow, config: &Config, side: &OwnSide) -> Clause {
    let own = config.tls.waive.iter().map(|waived| ("tls.waive", waived));
    let groups = config.partners.iter().flat_map(|partner| {
        let section = partner.section.as_str();
        partner.waive.iter().map(move |waived| (section, waived))
    });
    let mut places: Vec<String> = own
        .chain(groups)
        .filter(|(_, waived)| waived.value == row.name)
        .map(|(section, waived)| format!("{section}, line {}", waived.line))
        .collect();
    if row.rule == Rule::DirectIssuer {
        // Not asked of the gateway's own: no configuration says what is at its clients.
        places.extend(side.indirect.iter().map(|section| {
            format!("{section}, by design: which of its CAs clients trust, they know")
        }));
    }
    let status = match places.is_empty() {
        true => Status::MET,
        false => Status::Waived { places },
    };
    Clause {
        name: row.name,
        document: "TS 33.310",
        clause: row.clause,
        rule: Some(row.name),
        demand: format!("{}: {}", row.applies.word(), row.demand),
        verified: row.verified,
        status: match OF_ISSUERS.has(row.rule) {
            true => beside_self_signed(config, status, "no CA has issued those"),
            false => status,
        },
    }
}

/// What is said of a clause that does not hold for clients' self-signed certificates, where there
/// are any.
fn beside_self_signed(config: &Config, status: Status, why: &str) -> Status {
    let clients = config.clients.iter();
    let registered = clients.filter(|client| {
        let registration = client.registration.as_ref();
        let by = registration.map(|registration| &registration.authentication);
        matches!(by, Some(ClientAuthentication::SelfSigned(_)))
    });
    let count = registered.count();
    if count == 0 {
        return status;
    }
    let note = vec![format!(
        "not asked of the self-signed certificates of {count} [[client]]: {why}"
    )];
    match status {
        Status::Met { but } => Status::Met {
            but: [but, note].concat(),
        },
        Status::Waived { places } => Status::Waived {
            places: [places, note].concat(),
        },
        not_met @ Status::NotMet { .. } => not_met,
    }
}

fn markdown(report: &Conformance) -> String {
    let mut out = format!("# Conformance, TLS profile {}\n\n", report.profile);
    // Writing to a String cannot fail.
    let _ = writeln!(out, "- versions: {}", report.versions.join(", "));
    let _ = writeln!(out, "- suites: {}", report.suites.join(", "));
    let _ = writeln!(out, "- groups: {}", report.groups.join(", "));
    let strengths = report.strengths.iter();
    let strengths: Vec<String> = strengths
        .map(|(kind, bits)| format!("{kind} {bits}"))
        .collect();
    let _ = writeln!(
        out,
        "- strength of keys in bits: {}\n",
        strengths.join(", ")
    );
    out.push_str("| clause | demand | rule | status |\n| --- | --- | --- | --- |\n");
    for clause in &report.clauses {
        let seen = if clause.verified { "" } else { " (unverified)" };
        let rule = clause.rule.map(|name| format!("`{name}`"));
        let status = match &clause.status {
            Status::Met { but } if but.is_empty() => "met".to_owned(),
            Status::Met { but } => format!("met; {}", but.join("; ")),
            Status::Waived { places } => format!("waived: {}", places.join("; ")),
            Status::NotMet { why } => format!("not met: {why}"),
        };
        let _ = writeln!(
            out,
            "| {} {}{seen} | {} | {} | {status} |",
            clause.document,
            clause.clause,
            clause.demand,
            rule.unwrap_or_default(),
        );
    }
    out
}
