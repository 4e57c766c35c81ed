//! The configuration as written to the configuration as meant, all faults in one report.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::cpus::{Cpus, show as show_cpus};
use super::fault::order;
use super::files::{FileKind, NamedFile};
use super::regular_file::{self, NotOpened};
use super::section::{Found, Report, Section};
use super::value::{
    Wrong, address, boolean, count, duration, host_name, huge_pages, rate, show_duration, size,
    steering, text, twice, watch, when_unwritable,
};
use super::{
    Admin, Audit, Config, Fault, HugePages, KeySource, Listen, Located, Memory, OwnCertificate,
    Reload, Steering, Tls, Until, Upstream, WhenUnwritable,
};
use crate::limits::{
    Deadlines, Limits, RELOAD_WATCH_DEFAULT, SWEEP_MS, UPSTREAM_CONNECTIONS_IDLE_DEFAULT,
};

mod allowances;
mod apis;
mod client_files;
mod clients;
mod introspection;
mod issuers;
mod links;
mod ocsp;
mod partners;
mod policy;
mod privacy;
mod private_key;
mod revocation;
mod secrets;
mod sources;

use self::client_files::ReadFolder;
pub use self::client_files::{ClientFile, is_client_file};

/// Reads a configuration file, and looks at the files it names.
///
/// # Errors
/// Everything that is wrong, in the order of the file.
pub fn read(file: &Path) -> Result<Config, Vec<Fault>> {
    let (config, faults) = examine(file);
    settled(config, faults)
}

/// Like [`read`], for whoever looks for further faults: what could be read, and all that is wrong
/// with it so far. The configuration is not to be served with while there is a fault.
pub fn examine(file: &Path) -> (Option<Config>, Vec<Fault>) {
    examine_first(file, |_| {})
}

/// The same for whoever is about to serve: `named` is told the files before any of them is opened.
pub fn examine_first(
    file: &Path,
    mut named: impl FnMut(&NamedFile),
) -> (Option<Config>, Vec<Fault>) {
    examined(file, None, |of_file| {
        named(of_file);
        true
    })
}

/// Like [`examine`], as if a client's file had this text.
pub fn examine_with(file: &Path, of_client: &ClientFile) -> (Option<Config>, Vec<Fault>) {
    examined(file, Some(of_client), |_| true)
}

/// The same for whoever serves already. Of a list's or a status's file nothing is said here: its
/// keeper goes by what is known of it where it is away, and whoever reads it anew judges it.
pub fn examine_again(
    file: &Path,
    mut named: impl FnMut(&NamedFile),
) -> (Option<Config>, Vec<Fault>) {
    examined(file, None, |of_file| {
        named(of_file);
        !of_file.is_kept()
    })
}

fn examined(
    file: &Path,
    instead: Option<&ClientFile>,
    mut is_judged: impl FnMut(&NamedFile) -> bool,
) -> (Option<Config>, Vec<Fault>) {
    let text = match text_of(file) {
        Ok(text) => text,
        Err(fault) => return (None, vec![fault]),
    };
    let mut folder = |at: &Located<PathBuf>| {
        let mut named = |of_file: &NamedFile| {
            is_judged(of_file);
        };
        client_files::read(at, &mut named, instead)
    };
    let cpus = Cpus::of_this_process();
    let (config, mut faults, files) = as_meant(&text, file, &cpus, &mut folder);
    let files: Vec<_> = files
        .into_iter()
        .map(|named| (is_judged(&named), named))
        .collect();
    // Whoever opens a pipe waits for who writes to it: then nobody goes on to open anything.
    let config = config.filter(|_| !files.iter().any(|(_, named)| named.holds_up()));
    let mut looked_at = HashSet::new();
    for (_, named) in files.into_iter().filter(|(is_judged, _)| *is_judged) {
        let is_new = looked_at.insert((named.path.clone(), named.kind));
        let at = |fault: &Fault| (fault.line, &fault.file) == (named.line, &named.named_in);
        // Where it is wrong to name it once more, what is wrong with it was said of it before.
        if is_new || !faults.iter().any(at) {
            faults.extend(named.check().err());
        }
    }
    faults.sort_by(order);
    (config, faults)
}

/// Nothing is waited for: whoever opened a pipe in its place while the gateway serves would never
/// read a configuration again.
fn text_of(file: &Path) -> Result<String, Fault> {
    let fault = |what: String, cure: &str| Fault {
        file: None,
        line: 0,
        key: String::new(),
        what: format!("the configuration file {what}"),
        cure: cure.to_owned(),
        until: Until::Mended,
    };
    let unreadable = |error: io::Error| {
        let what = format!("cannot be read: {error}");
        let cure = "name it with --config; it must be UTF-8, and readable for this user";
        fault(what, cure)
    };
    let opened = regular_file::open(file).map_err(|why| match why {
        NotOpened::Kernel(error) => unreadable(error),
        NotOpened::NotRegular => {
            let cure = "write it into a file: it is read again while the gateway serves";
            fault("is not a regular file".to_owned(), cure)
        }
    });
    io::read_to_string(opened?).map_err(unreadable)
}

/// Adds faults found later. What stands in a line that has one already is its consequence, unless
/// it is of a waiver, each of which stands for itself; so is what is said of a section as a whole
/// where something in it is wrong.
pub fn add(faults: &mut Vec<Fault>, later: Vec<Fault>) {
    let is_new = |fault: &Fault| match fault.line {
        0 => fault.key.is_empty() || !faults.iter().any(|f| f.key.starts_with(&fault.key)),
        line => {
            let same = |f: &Fault| f.line == line && f.file == fault.file;
            !faults.iter().any(same) || fault.key.ends_with(".waive")
        }
    };
    let later: Vec<Fault> = later.into_iter().filter(is_new).collect();
    for fault in later {
        // Several certificates may have found the same.
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }
    faults.sort_by(order);
}

fn settled(config: Option<Config>, mut faults: Vec<Fault>) -> Result<Config, Vec<Fault>> {
    faults.sort_by(order);
    match config {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(faults),
    }
}

/// The whole journey, without I/O but that of `folder`, which reads the files of clients. The
/// configuration is there if this is TOML; faults may stand beside it.
fn as_meant(
    text: &str,
    file: &Path,
    cpus: &Cpus,
    folder: &mut ReadFolder<'_>,
) -> (Option<Config>, Vec<Fault>, Vec<NamedFile>) {
    let report = Report::new(text, file.parent().unwrap_or(Path::new("")).to_path_buf());
    let config = match DeTable::parse(text) {
        Ok(table) => {
            let mut root = Section::root(&report, table.get_ref());
            Some(config(&mut root, file, cpus, folder))
        }
        Err(error) => {
            report.fault_of_toml(&error);
            None
        }
    };
    let Found {
        faults,
        mut warnings,
        files,
    } = report.finish();
    let read = files.iter().filter(|named| named.is_read());
    let read = read.map(|named| named.path.clone());
    let config = config.map(|mut config| {
        config.files.extend(read);
        warnings.sort_by(order);
        config.warnings = warnings;
        config
    });
    (config, faults, files)
}

/// Where something that is needed is wrong or missing, of which there is a fault, something stands
/// in its place: what else is wrong, here and in files, is looked for all the same.
fn config(
    root: &mut Section<'_, '_>,
    file: &Path,
    cpus: &Cpus,
    folder: &mut ReadFolder<'_>,
) -> Config {
    let (listen, is_somewhere) = listen(root.section("listen"), cpus);
    let listening = is_somewhere.then_some(&listen);
    let (tls, default_ca) = tls(root.section("tls"), root.has("partner"), listening);
    let partners = partners::partners(root, default_ca);
    let (partners, all_partners) = match partners {
        Ok(partners) => (partners, true),
        Err(good) => (good, false),
    };
    let (oauth, seals) = issuers::oauth(root.optional_section("oauth"));
    let issuers = issuers::issuers(root, oauth.as_ref().map(|oauth| &oauth.issuer));
    let (served, lists) = apis::served(root);
    let partners_read = all_partners.then_some(&partners[..]);
    let mut clients = clients::clients(root, &served, partners_read, seals, folder);
    if !all_partners {
        // Some may be of those that are at fault.
        clients.all.clear();
    }
    let sets = policy::ue_sets(root.optional_section("policy"));
    let revocation = revocation::revocation(root);
    let upstream = upstream(root.section("upstream"), listening);
    let upstream = upstream.unwrap_or(Upstream {
        address: nowhere(),
        api_roots: Vec::new(),
        connections_idle_max: UPSTREAM_CONNECTIONS_IDLE_DEFAULT,
    });
    let limits = limits(root.section("limits"));
    let in_token = { tls.keys() }.any(|key| matches!(key, KeySource::Pkcs11 { .. }));
    let waits = (root.has("ocsp"), in_token);
    let deadlines = deadlines(root.section("deadlines"), waits);
    let memory = memory(root.section("memory"));
    let admin = admin(root.optional_section("admin"), listening);
    let audit = audit(root.optional_section("audit"));
    let privacy = privacy::privacy(root.section("privacy"));
    let reload = reload(root.section("reload"));
    Config {
        file: file.to_path_buf(),
        apis: served,
        lists,
        listen,
        tls,
        issuers,
        partners,
        clients: clients.all,
        clients_folder: clients.folder,
        client_places: clients.places,
        policies: clients.policies,
        sets_named: clients.sets_named,
        allowances: clients.allowances,
        policy: sets,
        revocation,
        upstream,
        limits,
        deadlines,
        memory,
        oauth,
        admin,
        audit,
        privacy,
        reload,
        files: clients.files,
        warnings: Vec::new(),
    }
}

/// What stands in no line.
fn unsaid<T>(value: T) -> Located<T> {
    Located { value, line: 0 }
}

fn nowhere() -> Located<SocketAddr> {
    unsaid((Ipv4Addr::UNSPECIFIED, 0).into())
}

/// The section, and whether it says where to listen: its names are looked at either way.
fn listen(mut section: Section<'_, '_>, cpus: &Cpus) -> (Listen, bool) {
    let cure = "name where the T8 side listens: \"0.0.0.0:8443\"";
    let address = section.required("address", address, cure);
    let chosen = chosen_cpus(&mut section, cpus);
    let names = section
        .list("server_names", host_name)
        .map_or(Vec::new(), |list| list.value);
    refuse_repeats(&section, "server_names", &names);
    let any_server_name = section.or("any_server_name", boolean, false);
    if let Some(first) = names.first().filter(|_| any_server_name) {
        let what = "names those that are taken, and listen.any_server_name takes any";
        let cure = "remove one of the two";
        section.fault(first.line, "server_names", Wrong::new(what, cure));
    }
    let server_names = names.into_iter().map(|name| name.value).collect();
    let api_roots = links::public(&mut section);
    let share_port = section.or("share_port", boolean, false);
    let line = section.line();
    let steering = section.optional("steering", steering).unwrap_or(Located {
        value: Steering::Off,
        line,
    });
    if share_port && steering.value == Steering::Cpu {
        let what = "goes by places among the sockets of the port, and listen.share_port lets \
                    others stand between them";
        let cure = "set listen.share_port = false, or listen.steering = \"off\"";
        section.fault(steering.line, "steering", Wrong::new(what, cure));
    }
    let is_somewhere = address.is_some();
    let listen = Listen {
        address: address.unwrap_or_else(nowhere),
        cpus: chosen.unwrap_or_else(|| unsaid(cpus.allowed.clone())),
        server_names,
        any_server_name,
        api_roots,
        share_port,
        steering,
    };
    (listen, is_somewhere)
}

/// `"all"`, which is the default, or a list.
fn chosen_cpus(section: &mut Section<'_, '_>, cpus: &Cpus) -> Option<Located<Vec<usize>>> {
    let all = |line| {
        Some(Located {
            value: cpus.allowed.clone(),
            line,
        })
    };
    if !section.has("cpus") {
        let line = section.line();
        section.optional("cpus", |_| Ok(()));
        return all(line);
    }
    if section.holds_text("cpus") {
        let cure = "write \"all\", or a list of numbers: [0, 1]";
        let word = section.optional("cpus", |value| match value.as_str() {
            Some("all") => Ok(()),
            _ => Err(Wrong::new("is neither \"all\" nor a list", cure)),
        })?;
        return all(word.line);
    }
    let allowed = |value: &DeValue<'_>| {
        let cpu = count::<usize>(0..=65_535)(value)?;
        let cure = format!("this process may run on {}", show_cpus(&cpus.allowed));
        if cpus.allowed.contains(&cpu) {
            Ok(cpu)
        } else if cpus.online.contains(&cpu) {
            let cure = format!("{cure}; its affinity (taskset, CPUAffinity=) can be widened");
            Err(Wrong::new(
                format!("this process may not run on CPU {cpu}"),
                cure,
            ))
        } else {
            Err(Wrong::new(format!("this machine has no CPU {cpu}"), cure))
        }
    };
    let list = section.required_list("cpus", allowed, "name one CPU at least, or write \"all\"")?;
    refuse_repeats(section, "cpus", &list.value);
    let value = list.value.iter().map(|cpu| cpu.value).collect();
    Some(Located {
        value,
        line: list.line,
    })
}

fn refuse_repeats<T: PartialEq + std::fmt::Debug>(
    section: &Section<'_, '_>,
    key: &str,
    list: &[Located<T>],
) {
    for (at, item) in list.iter().enumerate() {
        if let Some(first) = list.iter().take(at).find(|other| other.value == item.value) {
            section.fault(
                item.line,
                key,
                twice(format!("{:?}", item.value), first.line),
            );
        }
    }
}

/// The section, and the trust anchors of the group that it stands for, which there may be none of
/// where there are others.
fn tls(
    mut section: Section<'_, '_>,
    has_partners: bool,
    listen: Option<&Listen>,
) -> (Tls, Option<Located<PathBuf>>) {
    let cure = "name the PEM file of the server certificate and its intermediates";
    let certificate = section.required_file("certificate", FileKind::Certificates, cure);
    let client_ca = if has_partners {
        section.optional_file("client_ca", FileKind::Certificates)
    } else {
        let cure = "name the PEM file of the CAs that client certificates come from";
        section.required_file("client_ca", FileKind::Certificates, cure)
    };
    let line = section.line();
    let profile = section.optional("profile", text).unwrap_or(Located {
        value: "3gpp".to_owned(),
        line,
    });
    let waive = section.list("waive", text);
    let waive = waive.map_or(Vec::new(), |list| list.value);
    refuse_repeats(&section, "waive", &waive);
    let key = private_key::key(section.section("key"));
    let tickets = secrets::tickets(section.optional_section("tickets"), listen);
    let ocsp = ocsp::stapling(section.optional_section("ocsp"));
    let also = section.sections("also").into_iter().map(also);
    let also = also.flatten().collect();
    let tls = Tls {
        also,
        ocsp,
        certificate: certificate.unwrap_or_else(|| unsaid(PathBuf::new())),
        key: key.unwrap_or_else(|| unsaid(KeySource::File(PathBuf::new()))),
        profile,
        waive,
        tickets,
    };
    (tls, client_ca)
}

/// `[[tls.also]]`.
fn also(mut section: Section<'_, '_>) -> Option<OwnCertificate> {
    let names = section.list("names", host_name);
    let names = names.map_or(Vec::new(), |list| list.value);
    refuse_repeats(&section, "names", &names);
    let cure = "name the PEM file of this certificate and its intermediates";
    let certificate = section.required_file("certificate", FileKind::Certificates, cure);
    let key = private_key::key(section.section("key"));
    let ocsp = ocsp::stapling(section.optional_section("ocsp"));
    Some(OwnCertificate {
        names,
        ocsp,
        certificate: certificate?,
        key: key?,
    })
}

fn upstream(mut section: Section<'_, '_>, listen: Option<&Listen>) -> Option<Upstream> {
    let cure = "name the SCEF: \"192.0.2.1:8080\"; names are not resolved yet";
    let address = section.required("address", address, cure);
    let default = UPSTREAM_CONNECTIONS_IDLE_DEFAULT;
    let connections_idle_max = section.or("connections_idle_max", count(1..=65_536), default);
    let public = listen.map(|listen| &listen.api_roots[..]);
    let to = address.as_ref().map(|address| address.value);
    let api_roots = links::inside(&mut section, to, public);
    let address = address?;
    let to = address.value;
    if to.ip().is_unspecified() {
        let what = format!(
            "{} stands for every address, not for a destination",
            to.ip()
        );
        section.fault(
            address.line,
            "address",
            Wrong::new(what, "name the address of the SCEF"),
        );
    } else if let Some(listen) = listen.map(|listen| &listen.address)
        && listen.value.port() == to.port()
        && (listen.value.ip() == to.ip()
            || listen.value.ip().is_unspecified() && is_loopback(to.ip()))
    {
        let what = format!("is the gateway's own address (line {})", listen.line);
        section.fault(
            address.line,
            "address",
            Wrong::new(what, "name the address of the SCEF"),
        );
    }
    Some(Upstream {
        address,
        api_roots,
        connections_idle_max,
    })
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// `[admin]`, which the file may lack.
fn admin(mut section: Section<'_, '_>, listen: Option<&Listen>) -> Option<Admin> {
    let socket = section.optional_file("socket", FileKind::Socket);
    let address = match section.has("socket") {
        true => section.optional("address", address),
        false => {
            let cure = "name where metrics and health are served: \"127.0.0.1:9464\"";
            Some(section.required("address", address, cure)?)
        }
    };
    if let (Some(listen), Some(address)) = (listen.map(|listen| &listen.address), &address)
        && listen.value.port() == address.value.port()
        && (listen.value.ip() == address.value.ip()
            || listen.value.ip().is_unspecified()
            || address.value.ip().is_unspecified())
    {
        let what = format!("is the address of the T8 side (line {})", listen.line);
        let cure = "take another port: metrics are not for SCS/ASs";
        section.fault(address.line, "address", Wrong::new(what, cure));
    }
    Some(Admin { address, socket })
}

/// `[audit]`, which the file may lack.
fn audit(mut section: Section<'_, '_>) -> Option<Audit> {
    let cure = "name the file that decisions are appended to: \"audit.jsonl\"";
    let file = section.required_file("file", FileKind::Appended, cure);
    let default = WhenUnwritable::Refuse;
    let when_unwritable = section.or("when_unwritable", when_unwritable, default);
    Some(Audit {
        file: file?,
        when_unwritable,
    })
}

fn reload(mut section: Section<'_, '_>) -> Reload {
    Reload {
        watch: section.or("watch", watch, Some(RELOAD_WATCH_DEFAULT)),
    }
}

const MILLION: u64 = 1_000_000;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

fn limits(mut section: Section<'_, '_>) -> Limits {
    let d = Limits::default();
    let limits = Limits {
        head_bytes_max: section.or("head_bytes_max", size(KIB..=MIB), d.head_bytes_max),
        target_bytes_max: section.or("target_bytes_max", size(256..=MIB), d.target_bytes_max),
        body_bytes_max: section.or("body_bytes_max", size(1..=16 * MIB), d.body_bytes_max),
        connections_max: section.or("connections_max", count(1..=1 << 20), d.connections_max),
        requests_per_connection_max: section.or(
            "requests_per_connection_max",
            count(1..=1 << 40),
            d.requests_per_connection_max,
        ),
        cached_tokens_max: section.or("cached_tokens_max", count(1..=1 << 24), d.cached_tokens_max),
        signatures_queued_max: section.or(
            "signatures_queued_max",
            count(1..=1 << 16),
            d.signatures_queued_max,
        ),
        dhe_per_min_max: section.or("dhe_per_min_max", count(1..=MILLION), d.dhe_per_min_max),
        dhe_per_min_per_source_max: section.or(
            "dhe_per_min_per_source_max",
            count(1..=MILLION),
            d.dhe_per_min_per_source_max,
        ),
        guarded_bytes_max: section.or(
            "guarded_bytes_max",
            size(64 * KIB..=64 * MIB),
            d.guarded_bytes_max,
        ),
        audit_records_max: section.or(
            "audit_records_max",
            count(1_024..=1 << 24),
            d.audit_records_max,
        ),
    };
    if limits.dhe_per_min_per_source_max > limits.dhe_per_min_max {
        let key = "dhe_per_min_per_source_max";
        let line = section.line_of(key).or(section.line_of("dhe_per_min_max"));
        let what = "is more for one source than dhe_per_min_max has for all";
        let cure = "lower it, or raise dhe_per_min_max";
        section.fault(line.unwrap_or(0), key, Wrong::new(what, cure));
    }
    if limits.target_bytes_max > limits.head_bytes_max {
        let line = section
            .line_of("target_bytes_max")
            .or(section.line_of("head_bytes_max"));
        let what = "is more than head_bytes_max, and the target is a part of the head";
        let cure = "lower it, or raise head_bytes_max";
        section.fault(
            line.unwrap_or(0),
            "target_bytes_max",
            Wrong::new(what, cure),
        );
    }
    limits
}

/// A handshake may have to wait for a responder, and for a token.
fn deadlines(mut section: Section<'_, '_>, (asks, in_token): (bool, bool)) -> Deadlines {
    const HOUR_MS: u64 = 3_600_000;
    let d = Deadlines::default();
    // Below one sweep nothing is kept; zero would refuse everybody.
    let mut time = |key, default| section.or(key, duration(SWEEP_MS..=24 * HOUR_MS), default);
    let mut deadlines = Deadlines {
        handshake: time("handshake", d.handshake),
        ocsp: time("ocsp", d.ocsp),
        signature: time("signature", d.signature),
        head: time("head", d.head),
        body: time("body", d.body),
        body_bytes_per_s_min: d.body_bytes_per_s_min,
        idle: time("idle", d.idle),
        upstream_connect: time("upstream_connect", d.upstream_connect),
        upstream_response: time("upstream_response", d.upstream_response),
        upstream_idle: time("upstream_idle", d.upstream_idle),
        send: time("send", d.send),
        exchange: time("exchange", d.exchange),
        drain: time("drain", d.drain),
    };
    deadlines.body_bytes_per_s_min = section.or(
        "body_bytes_per_s_min",
        rate(1..=1 << 30),
        d.body_bytes_per_s_min,
    );
    let parts = [
        ("body", deadlines.body),
        ("upstream_connect", deadlines.upstream_connect),
        ("upstream_response", deadlines.upstream_response),
    ];
    for (key, part) in parts
        .into_iter()
        .filter(|(_, part)| *part > deadlines.exchange)
    {
        let (part, whole) = (show_duration(part), show_duration(deadlines.exchange));
        let what = format!("{part} is longer than the whole exchange may take ({whole})");
        let line = section
            .line_of(key)
            .or(section.line_of("exchange"))
            .unwrap_or(0);
        section.fault(
            line,
            key,
            Wrong::new(what, "lower it, or raise deadlines.exchange"),
        );
    }
    let whole = deadlines.handshake;
    let parts = [
        ("ocsp", deadlines.ocsp, asks),
        ("signature", deadlines.signature, in_token),
    ];
    for (key, part, waited_for) in parts.into_iter().filter(|(_, part, _)| *part >= whole) {
        // One that nobody has written, and nothing waits for, is in nobody's way.
        let line = section.line_of(key);
        let line = line.or(section.line_of("handshake").filter(|_| waited_for));
        if let Some(line) = line {
            let (part, whole) = (show_duration(part), show_duration(whole));
            let what = format!("{part} is no less than a whole handshake may take ({whole})");
            let cure = "lower it below deadlines.handshake, or raise that";
            section.fault(line, key, Wrong::new(what, cure));
        }
    }
    deadlines
}

fn memory(mut section: Section<'_, '_>) -> Memory {
    let line = section.line();
    let huge_pages = section.optional("huge_pages", huge_pages);
    Memory {
        huge_pages: huge_pages.unwrap_or(Located {
            value: HugePages::Transparent,
            line,
        }),
    }
}

#[cfg(test)]
mod tests;
