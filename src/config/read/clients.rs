//! Who may come in, and what each may be granted by the issuer of this gateway.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::client_files::{ClientFile, ReadFolder};
use super::partners::of_client;
use super::{allowances, apis, policy, refuse_repeats, sources};
use crate::authz::apis::configured::Served;
use crate::authz::policy::Policy;
use crate::authz::quota::Allowance;
use crate::authz::ue::SetName;
use crate::config::files::FileKind;
use crate::config::section::{Found, Report, Section};
use crate::config::value::{
    Wrong, absolute_uri, boolean, client_id, client_name, host_name, ip_address, mailbox, san,
    scs_as_id, subject_dn, token_format, twice_at,
};
use crate::config::{Located, Partner, Place};
use crate::limits::CLIENTS_MAX;
use crate::peer::{
    Client, ClientAuthentication, OwnFile, Registration, San, TlsClientAuth, TokenFormat,
};

/// What may belong to one client only: the kind of thing, its value, and where it stands first.
type Owned = HashMap<(&'static str, String), Place>;

/// All clients, and where they are written.
#[derive(Default)]
pub(super) struct Clients {
    pub all: Vec<Client>,
    /// By their names.
    pub places: BTreeMap<String, Place>,
    /// Of those that have services.
    pub policies: BTreeMap<String, Arc<Policy>>,
    pub sets_named: BTreeMap<SetName, Place>,
    /// Of those that have some.
    pub allowances: BTreeMap<String, Vec<Allowance>>,
    pub folder: Option<Located<PathBuf>>,
    /// The folder and the files in it that were read.
    pub files: Vec<PathBuf>,
}

/// What matters of the embedded issuer.
#[derive(Clone, Copy)]
struct OwnIssuer {
    is_there: bool,
    /// Tokens of no other issuer are taken.
    is_alone: bool,
    /// It has a secret to seal opaque tokens with, or means to.
    seals: bool,
}

/// What clients are read with, whatever file they stand in.
struct Reader<'r> {
    served: &'r Served,
    partners: Option<&'r [Partner]>,
    issuer: OwnIssuer,
    owned: Owned,
    /// One of them is registered with the embedded issuer, or means to be.
    some_registered: bool,
    /// There is a file of UE sets.
    has_sets: bool,
    read: Clients,
}

/// `[[client]]`, and behind them the files of `[clients]`, which the file may lack. The issuer here
/// `seals` opaque tokens, or does not.
pub(super) fn clients(
    root: &mut Section<'_, '_>,
    served: &Served,
    partners: Option<&[Partner]>,
    seals: bool,
    folder: &mut ReadFolder<'_>,
) -> Clients {
    let mut of_folder = root.optional_section("clients");
    let cure = "name the folder that has a file for each client: \"clients.d\"";
    let named = of_folder.required_path("folder", cure);
    let sections = root.sections("client");
    if !root.has("client") && !root.has("clients") {
        let cure = "add [[client]] with name, sans and scs_as_ids for each SCS/AS, or [clients] \
                    for a folder with a file for each";
        root.fault(0, "client", Wrong::new("is missing", cure));
    }
    let mut reader = Reader {
        served,
        partners,
        issuer: OwnIssuer {
            is_there: root.has("oauth"),
            is_alone: !root.has("issuer"),
            seals,
        },
        owned: Owned::new(),
        some_registered: false,
        has_sets: root.has("policy"),
        read: Clients::default(),
    };
    let mut any = !sections.is_empty();
    for section in sections {
        reader.take(section);
    }
    if let Some(named) = named {
        let (files, faults) = folder(&named);
        any |= !files.is_empty();
        root.report().take_over(Found {
            faults,
            ..Found::default()
        });
        reader.read.files.push(named.value.clone());
        reader.read.folder = Some(named);
        for file in files {
            root.report().take_over(reader.take_file(&file));
            reader.read.files.push(file.path);
        }
    }
    if any && !reader.some_registered {
        refuse_issuer_for_nobody(root);
    }
    if reader.read.all.len() > CLIENTS_MAX {
        let what = format!("there are {} clients", reader.read.all.len());
        let cure = format!("at most {CLIENTS_MAX}: serve the others by another gateway");
        root.fault(0, "client", Wrong::new(what, cure));
    }
    reader.read
}

impl Reader<'_> {
    /// Reads the client of a section.
    fn take(&mut self, mut section: Section<'_, '_>) {
        self.some_registered |= methods().chain(["scopes"]).any(|key| section.has(key));
        let report = section.report();
        let place = report.place(section.line());
        let services = policy::services(
            &mut section,
            self.served,
            self.has_sets,
            &mut self.read.sets_named,
        );
        let allowances = allowances::allowances(&mut section, self.served);
        if let Some(client) = client(
            section,
            self.served,
            self.partners,
            self.issuer,
            &mut self.owned,
        ) {
            self.read.places.insert(client.name.clone(), place);
            if let (Some(registration), Some(services)) = (&client.registration, &services)
                && self.issuer.is_there
                && self.issuer.is_alone
            {
                services.warn_of_what_no_token_gives(&registration.scopes, report);
            }
            let policy = services.map(|services| (client.name.clone(), services.policy()));
            self.read.policies.extend(policy);
            let allowances = Some((client.name.clone(), allowances));
            let some = allowances.filter(|(_, allowances)| !allowances.is_empty());
            self.read.allowances.extend(some);
            self.read.all.push(client);
        }
    }

    /// Reads the client of a file of its own: the keys stand there without a head.
    fn take_file(&mut self, ClientFile { path, text }: &ClientFile) -> Found {
        let report = Report::of_client(text, path);
        match DeTable::parse(text) {
            Ok(table) => {
                let mut root = Section::root(&report, table.get_ref());
                if let Some(line) = root.line_of("client") {
                    let what = "a client's file has no section [[client]]";
                    let cure = "remove the line [[client]]: the keys below it stand for themselves";
                    root.fault(line, "client", Wrong::new(what, cure));
                    // Which is all that is to be said of it, and of what it lacks then.
                    root.pass_over();
                } else {
                    self.take(root);
                }
            }
            Err(error) => {
                report.fault_of_toml(&error);
            }
        }
        report.finish()
    }
}

/// An issuer that knows no client would refuse everybody, and nobody would see why.
fn refuse_issuer_for_nobody(root: &Section<'_, '_>) {
    let Some(line) = root.line_of("oauth") else {
        return;
    };
    let cure = "set tls_client_auth_san_dns (or another of tls_client_auth_*, \
                self_signed_tls_client_auth, or private_key_jwt) and scopes for each client that \
                fetches its tokens here, or remove [oauth]";
    let what = "is an issuer that no client is registered at";
    root.fault(line, "oauth", Wrong::new(what, cure));
}

fn client(
    mut section: Section<'_, '_>,
    served: &Served,
    partners: Option<&[Partner]>,
    issuer: OwnIssuer,
    owned: &mut Owned,
) -> Option<Client> {
    let name = section.required(
        "name",
        client_name,
        "write the word for it in logs and metrics",
    );
    let id = section.optional("client_id", client_id);
    let id = if section.has("client_id") {
        id
    } else {
        name.clone()
    };
    let sans = names(&mut section);
    let cure = "list the {scsAsId} path segments it may use: [\"scs-1\"]";
    let scs_as_ids = section.required_list("scs_as_ids", scs_as_id, cure);
    let source_addresses = sources::source_addresses(&mut section);
    let unbound_tokens = section.or("unbound_tokens", boolean, false);
    let registration = registration(&mut section, served, issuer);
    let enabled = section.or("enabled", boolean, true);
    let group = of_client(&mut section, partners);
    if let (Some((partner, identity)), Some(sans)) = (&group, &sans) {
        for san in sans.value.iter().filter(|san| !identity.takes(&san.value)) {
            let what = format!(
                "the clients of the group {partner:?} go by {} names alone",
                identity.word()
            );
            let cure = "name another group, or set its identity = \"any\"";
            section.fault(san.line, "sans", Wrong::new(what, cure));
        }
    }

    let mut own = |key: &'static str, value: String, line: usize| {
        let what = format!("{value:?}");
        let here = section.report().place(line);
        match owned.entry((key, value)) {
            Entry::Occupied(first) => {
                let wrong = twice_at(what, first.get(), here.file.as_deref());
                section.fault(line, key, wrong);
                false
            }
            Entry::Vacant(free) => {
                free.insert(here);
                true
            }
        }
    };
    if let Some(name) = &name {
        own("name", name.value.clone(), name.line);
    }
    if let Some(id) = &id {
        own("client_id", id.value.clone(), id.line);
    }
    // One that belongs to another is left out, so that nobody finds the same once more.
    let sans = sans.map(|list| {
        let sans = list.value.into_iter();
        let own = sans.filter(|san| own("sans", san.value.to_string(), san.line));
        own.map(|san| san.value).collect()
    });
    for id in scs_as_ids.iter().flat_map(|list| &list.value) {
        own("scs_as_ids", id.value.clone(), id.line);
    }
    Some(Client {
        name: name?.value,
        client_id: id?.value,
        partner: group?.0,
        sans: sans?,
        scs_as_ids: scs_as_ids?.value.into_iter().map(|id| id.value).collect(),
        source_addresses,
        unbound_tokens,
        registration,
        enabled,
    })
}

/// Names in certificates of CAs that mean the client: none where it has registered its own.
fn names(section: &mut Section<'_, '_>) -> Option<Located<Vec<Located<San>>>> {
    let Some(line) = section.line_of(SELF_SIGNED) else {
        let cure = "list the names in its certificates: [\"dns:scs.example.org\"]";
        return section.required_list("sans", san, cure);
    };
    //= RFC 8705 section 2.2
    //# Who is known by certificates of its own is known by no name that a CA could certify.
    if let Some(sans) = section.list("sans", san) {
        let what = format!(
            "goes with certificates of a CA only, and {SELF_SIGNED} (line {line}) names the \
             client's own"
        );
        let cure = "remove sans: the certificates are taken as they are, whatever names they \
                    carry; or have the client come with certificates of a CA alone";
        section.fault(sans.line, "sans", Wrong::new(what, cure));
    }
    let value = Vec::new();
    Some(Located { value, line })
}

/// One way to say what a client's certificate must say.
type ReadTlsClientAuth = fn(&DeValue<'_>) -> Result<TlsClientAuth, Wrong>;

//= RFC 8705 section 2.1.2
//# A client that authenticates by PKI registers exactly one name of its certificate.
const TLS_CLIENT_AUTH: [(&str, ReadTlsClientAuth); 5] = [
    ("tls_client_auth_san_dns", |value| {
        host_name(value).map(TlsClientAuth::SanDns)
    }),
    ("tls_client_auth_san_uri", |value| {
        absolute_uri(value).map(TlsClientAuth::SanUri)
    }),
    ("tls_client_auth_san_ip", |value| {
        ip_address(value).map(TlsClientAuth::SanIp)
    }),
    ("tls_client_auth_san_email", |value| {
        mailbox(value).map(TlsClientAuth::SanEmail)
    }),
    ("tls_client_auth_subject_dn", |value| {
        subject_dn(value).map(TlsClientAuth::SubjectDn)
    }),
];

/// Its certificates.
const SELF_SIGNED: &str = "self_signed_tls_client_auth";
/// Its JWK Set.
const PRIVATE_KEY_JWT: &str = "private_key_jwt";

const ONE_OF_THEM: &str =
    "goes with one of tls_client_auth_*, self_signed_tls_client_auth or private_key_jwt only";

/// All keys that say how a client authenticates at the issuer here.
fn methods() -> impl Iterator<Item = &'static str> {
    let names = TLS_CLIENT_AUTH.iter().map(|(key, _)| *key);
    names.chain([SELF_SIGNED, PRIVATE_KEY_JWT])
}

/// The files of its certificates, one at least.
fn self_signed(section: &mut Section<'_, '_>) -> Option<ClientAuthentication> {
    let files = section.files(SELF_SIGNED, FileKind::Certificates)?;
    if files.value.is_empty() {
        let cure = "name the PEM file of the client's certificate: [\"clients/scs-1.pem\"]";
        let wrong = Wrong::new("names no file", cure);
        section.fault(files.line, SELF_SIGNED, wrong);
        return None;
    }
    refuse_repeats(section, SELF_SIGNED, &files.value);
    let files = files.value.into_iter().map(own_file);
    Some(ClientAuthentication::SelfSigned(files.collect()))
}

fn own_file(Located { value: path, line }: Located<PathBuf>) -> OwnFile {
    OwnFile { path, line }
}

fn registration(
    section: &mut Section<'_, '_>,
    served: &Served,
    issuer: OwnIssuer,
) -> Option<Registration> {
    let scope = apis::scope(served);
    let mut said: Vec<(&str, usize)> = methods()
        .filter_map(|key| section.line_of(key).map(|line| (key, line)))
        .collect();
    let mut authentication = None;
    for (key, parse) in TLS_CLIENT_AUTH {
        let name = section.optional(key, parse);
        authentication = name
            .map(|name| ClientAuthentication::Tls(name.value))
            .or(authentication);
    }
    authentication = self_signed(section).or(authentication);
    let jwks = section.optional_file(PRIVATE_KEY_JWT, FileKind::Jwks);
    authentication = jwks
        .map(|jwks| ClientAuthentication::PrivateKeyJwt(own_file(jwks)))
        .or(authentication);
    said.sort_by_key(|(_, line)| *line);
    let format = section.optional("token_format", token_format);
    let Some(&(first, line)) = said.first() else {
        let scopes = section.list("scopes", &scope);
        if let Some(scopes) = scopes {
            let cure = "set one of them as well, or remove scopes: what another issuer grants is \
                        said there";
            section.fault(scopes.line, "scopes", Wrong::new(ONE_OF_THEM, cure));
        }
        let introspects = section.optional("introspects", boolean);
        if let Some(introspects) = introspects.filter(|introspects| introspects.value) {
            let wrong = Wrong::new(ONE_OF_THEM, "set one of them as well");
            section.fault(introspects.line, "introspects", wrong);
        }
        if let Some(format) = format {
            let wrong = Wrong::new(ONE_OF_THEM, "set one of them as well, or remove it");
            section.fault(format.line, "token_format", wrong);
        }
        return None;
    };
    for (key, later) in said.iter().skip(1) {
        let what = format!("says what {first} says already (line {line})");
        let cure = "keep one of them: a client authenticates in one way";
        section.fault(*later, key, Wrong::new(what, cure));
    }
    if !issuer.is_there {
        let cure = "add [oauth], or remove it: what another issuer demands is said there";
        let what = "is for an issuer in this gateway, and there is none";
        section.fault(line, first, Wrong::new(what, cure));
    }
    let opaque = format
        .as_ref()
        .filter(|format| format.value == TokenFormat::Opaque);
    if let Some(format) = opaque.filter(|_| issuer.is_there && !issuer.seals) {
        let what = "has tokens sealed, and there is no secret for that";
        let cure = "add [oauth.sealing] with secret_file or uri, the same on all nodes";
        section.fault(format.line, "token_format", Wrong::new(what, cure));
    }
    let format = format.filter(|format| issuer.seals || format.value == TokenFormat::Jwt);
    let introspects = section.or("introspects", boolean, false);
    let scopes = if introspects && !section.has("scopes") {
        None
    } else {
        let cure = "list the APIs it may be granted: [\"3gpp-monitoring-event\"]";
        section.required_list("scopes", &scope, cure)
    };
    let scopes = scopes.map_or(Vec::new(), |list| list.value);
    refuse_repeats(section, "scopes", &scopes);
    Some(Registration {
        authentication: authentication?,
        scopes: scopes.into_iter().map(|scope| scope.value).collect(),
        introspects,
        token_format: format.map(|format| format.value),
    })
}
