//! Whose CAs vouch for clients, and what their certificates may lack.

use std::collections::HashMap;
use std::path::PathBuf;

use super::refuse_repeats;
use super::revocation::{GRACE_MS, no_list, no_responder};
use crate::config::files::FileKind;
use crate::config::section::Section;
use crate::config::value::{
    Wrong, client_name, duration, identity, revocation_policy, text, twice,
};
use crate::config::{Located, PARTNER_DEFAULT, Partner, RevocationPolicy};
use crate::peer::Identity;

/// `[[partner]]`, behind the group that `tls.client_ca` stands for. Err: those in which nothing is
/// wrong, where something is in another or there is none.
pub(super) fn partners(
    root: &mut Section<'_, '_>,
    default_ca: Option<Located<PathBuf>>,
) -> Result<Vec<Partner>, Vec<Partner>> {
    let mut owned = HashMap::new();
    let default = default_ca.map(|client_ca| {
        owned.insert(PARTNER_DEFAULT.to_owned(), client_ca.line);
        Partner {
            name: PARTNER_DEFAULT.to_owned(),
            section: "tls".to_owned(),
            client_ca,
            waive: Vec::new(),
            identity: Identity::Any,
            revocation: None,
            crl_grace: None,
            ocsp: None,
        }
    });
    let (has_lists, has_responders) = (root.has("crl"), root.has("ocsp"));
    let sections = root.sections("partner");
    let read: Vec<_> = sections
        .into_iter()
        .enumerate()
        .map(|(at, section)| partner(section, at, (has_lists, has_responders), &mut owned))
        .collect();
    let some_wrong = read.iter().any(Option::is_none);
    let good: Vec<Partner> = default
        .into_iter()
        .chain(read.into_iter().flatten())
        .collect();
    // That there is none was said of tls.client_ca.
    match some_wrong || good.is_empty() {
        true => Err(good),
        false => Ok(good),
    }
}

fn partner(
    mut section: Section<'_, '_>,
    at: usize,
    (has_lists, has_responders): (bool, bool),
    owned: &mut HashMap<String, usize>,
) -> Option<Partner> {
    let cure = "write the word by which clients name the group";
    let name = section.required("name", client_name, cure);
    let cure = "name the PEM file of the CAs that the group's certificates come from";
    let client_ca = section.required_file("client_ca", FileKind::Certificates, cure);
    let waive = section.list("waive", text);
    let waive = waive.map_or(Vec::new(), |list| list.value);
    refuse_repeats(&section, "waive", &waive);
    let identity = section.or("identity", identity, Identity::Any);
    let revocation = section.optional("revocation", revocation_policy);
    let crl_grace = section.optional("crl_grace", duration(GRACE_MS));
    if let Some(said) = revocation.as_ref().filter(|_| !has_lists)
        && said.value != RevocationPolicy::Off
    {
        section.fault(said.line, "revocation", no_list());
    }
    let ocsp = section.optional("ocsp", revocation_policy);
    if let Some(said) = ocsp.as_ref().filter(|_| !has_responders)
        && said.value != RevocationPolicy::Off
    {
        section.fault(said.line, "ocsp", no_responder());
    }
    let name = name?;
    if let Some(first) = owned.insert(name.value.clone(), name.line) {
        let what = format!("{:?}", name.value);
        section.fault(name.line, "name", twice(what, first));
    }
    Some(Partner {
        name: name.value,
        section: format!("partner[{}]", at + 1),
        client_ca: client_ca?,
        waive,
        identity,
        revocation,
        crl_grace,
        ocsp,
    })
}

/// The group that a client names, where there is one of this name: its name, and which names of a
/// certificate it goes by.
pub(super) fn of_client(
    section: &mut Section<'_, '_>,
    partners: Option<&[Partner]>,
) -> Option<(String, Identity)> {
    let said = section.optional("partner", client_name);
    if said.is_none() && section.has("partner") {
        return None;
    }
    let line = said.as_ref().map_or(section.line(), |said| said.line);
    let name = said.map_or_else(|| PARTNER_DEFAULT.to_owned(), |said| said.value);
    let partners = partners?;
    let found = partners.iter().find(|partner| partner.name == name);
    if found.is_none() {
        let names: Vec<&str> = partners.iter().map(|known| known.name.as_str()).collect();
        let cure = format!("name one of the groups of partners: {}", names.join(", "));
        let what = match section.has("partner") {
            true => format!("there is no [[partner]] {name:?}"),
            false => "is missing, and there is no tls.client_ca".to_owned(),
        };
        section.fault(line, "partner", Wrong::new(what, cure));
    }
    found.map(|partner| (name, partner.identity))
}
