//! What revocations can be about here: issuers whose tokens are taken, their keys, clients, and
//! certificates that these show. One about anything else is kept like the others, and nothing is
//! refused for it.

use std::collections::HashSet;

use crate::authz::issuers::{IssuerRules, Issuers, Profile};
use crate::peer::{Client, Thumbprint};
use crate::revoked::{Entry, Id, Kind};
use crate::snapshot::{Anchor, Snapshot};
use crate::tls::ServerCertificate;

/// What is in force, or is to be.
#[derive(Clone, Copy)]
pub struct Touched<'s> {
    pub issuers: &'s Issuers,
    pub clients: &'s [Client],
    pub anchors: &'s [Anchor],
    /// The gateway's own.
    pub certificates: &'s [ServerCertificate],
}

/// Why nothing is refused for a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InVain {
    /// No token that is taken is of the issuer it names.
    IssuerUnknown,
    /// The certificate is a CA's that clients' certificates come from.
    Anchor,
    /// The certificate is one that the gateway shows itself, or a CA's that is shown with it.
    Own,
}

impl InVain {
    /// What is wrong. It says nothing of what was written.
    pub fn what(self) -> &'static str {
        match self {
            Self::IssuerUnknown => {
                "\"issuer\" is the name of none whose tokens are taken: nothing is refused for it"
            }
            Self::Anchor => {
                "the certificate is a CA's: clients with certificates of it are let in all the same"
            }
            Self::Own => {
                "the certificate is this gateway's own, or a CA's that it is shown with: no client \
                 is refused for it"
            }
        }
    }

    /// What to do about a certificate.
    fn cure(self) -> &'static str {
        match self {
            Self::IssuerUnknown => "",
            Self::Anchor => {
                "name the clients' own certificates, or take the CA out of tls.client_ca or the \
                 client_ca of its [[partner]]"
            }
            Self::Own => {
                "name a client's certificate; to show another one, change tls.certificate, and \
                 have the CA revoke this one"
            }
        }
    }
}

impl<'s> Touched<'s> {
    /// By what is in force.
    pub fn by(snapshot: &'s Snapshot) -> Self {
        Self {
            issuers: &snapshot.issuers,
            clients: &snapshot.clients,
            anchors: &snapshot.anchors,
            certificates: &snapshot.certificates,
        }
    }

    /// Why nothing is refused for a revocation that names this issuer, or none; nothing where that
    /// cannot be said.
    pub fn in_vain(self, entry: &Entry, issuer: Option<&str>) -> Option<InVain> {
        let is_known = |issuer: &str| self.issuers.iter().any(|rules| rules.name() == issuer);
        if !issuer.is_none_or(is_known) {
            return Some(InVain::IssuerUnknown);
        }
        if entry.id.kind() != Kind::Certificate {
            return None;
        }
        let is_it = |thumbprint| Id::certificate(thumbprint) == entry.id;
        let mut shown = { self.certificates.iter() }.flat_map(|own| &own.chain);
        if shown.any(|der| is_it(Thumbprint::of(der))) {
            return Some(InVain::Own);
        }
        let mut anchors = self.anchors.iter();
        let is_anchor = anchors.any(|anchor| is_it(anchor.thumbprint));
        is_anchor.then_some(InVain::Anchor)
    }

    /// What to do about it.
    pub fn cure_of(self, why: InVain) -> String {
        match why {
            InVain::IssuerUnknown => {
                let names: Vec<_> = self.issuers.iter().map(called).collect();
                format!(
                    "write one of {}; `t8gate token inspect` says which one a token is of",
                    names.join(", ")
                )
            }
            why => why.cure().to_owned(),
        }
    }

    /// What revocations of the keys are known by that issuers have now, and of secrets that the
    /// embedded one seals with.
    pub fn keys_held(self) -> Vec<Id> {
        let of_issuer = |rules: &IssuerRules| {
            let names = rules.key_names().into_iter();
            let ids = names.map(|kid| Id::issuer_key(rules.name(), &kid));
            ids.collect::<Vec<_>>()
        };
        self.issuers.iter().flat_map(of_issuer).collect()
    }

    /// What revocations of the clients and of the keys are known by that there are now.
    pub fn here(self) -> HashSet<Id> {
        let clients = self.clients.iter();
        let clients = clients.map(|client| Id::client(&client.client_id));
        clients.chain(self.keys_held()).collect()
    }

    /// Whether it is known which keys an issuer has.
    pub fn knows_keys_of(self, issuer: &str) -> bool {
        let mut its = self.issuers.iter().filter(|rules| rules.name() == issuer);
        its.all(|rules| rules.keys().keys().is_some())
    }
}

/// As it is to be written where something is revoked.
fn called(rules: &IssuerRules) -> String {
    let name = rules.name();
    match rules.profile() {
        Profile::Capif { .. } => format!("{name} (of CAPIF's tokens, which do not say it)"),
        Profile::Rfc9068 { .. } | Profile::Custom(_) => name.to_owned(),
    }
}
