//! What clients may ask for and about whom, and the sets of UEs that are named there.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::sync::Arc;

use memmap2::{Advice, MmapMut};

use super::{Report, Running, fault, tickets};
use crate::authz::apis::ApiSet;
use crate::authz::policy::Policy;
use crate::authz::quota::Quotas;
use crate::authz::ue::sets::{HEAD_BYTES, Sets, SetsFault, SetsKey, TAG_BYTES};
use crate::clock::UnixSeconds;
use crate::config::regular_file::{self, NotOpened, Stamp};
use crate::config::{Config, Fault, UeSets, Until};
use crate::limits::UE_SETS_BYTES_MAX;

#[cfg(test)]
mod tests;

const FILE: &str = "policy.file";
const KEY_FILE: &str = "policy.key_file";
/// Of a file, at a time.
const COMPARED_BYTES: usize = 256 << 10;
/// So many clients without services are called by their names.
const NAMED_MAX: usize = 5;

/// What is in force of the file of UE sets.
#[derive(Default)]
pub(super) struct InUse {
    pub sets: Option<Arc<Sets>>,
    /// None where it may change without another.
    pub from: Option<Stamp>,
}

/// The sets; none where something is wrong, which is in the report, and none inside where there is
/// no file of them.
pub(super) fn sets(
    config: &Config,
    running: Option<Running<'_>>,
    report: &mut Report,
) -> Option<InUse> {
    let Some(written) = &config.policy else {
        return Some(InUse::default());
    };
    let before = running.and_then(|running| {
        let snapshot = running.snapshot;
        Some((snapshot.sets.as_ref()?, snapshot.sets_from))
    });
    let found = read(written, before, UnixSeconds::now()).map(|(sets, from)| {
        let detail = format!(
            "{} entries in {} sets, {} MiB, in file {}",
            sets.entries(),
            sets.names().len(),
            sets.bytes().div_ceil(1 << 20),
            written.file.value.display()
        );
        ((sets, from), detail)
    });
    let (sets, from) = report.note("UE sets", found)?;
    let missing = config.sets_named.iter().filter(|(name, _)| !sets.has(name));
    let faults: Vec<Fault> = missing
        .map(|(name, place)| Fault {
            file: place.file.clone(),
            line: place.line,
            key: "client.service.ues".to_owned(),
            what: format!("the file of UE sets has no set {:?}", name.as_str()),
            cure: "build it anew with that set, or mend the name".to_owned(),
            until: Until::Mended,
        })
        .collect();
    match faults.is_empty() {
        true => Some(InUse {
            sets: Some(sets),
            from,
        }),
        false => report.note_wrong("UE sets", Err(faults)),
    }
}

/// Those in use, where the file is still the one they were read from, and its stamp.
fn read(
    written: &UeSets,
    before: Option<(&Arc<Sets>, Option<Stamp>)>,
    now: UnixSeconds,
) -> Result<(Arc<Sets>, Option<Stamp>), Fault> {
    let at = &written.file;
    let key = &written.key_file;
    let key = tickets::from_file(key, &key.value, KEY_FILE, SetsKey::from_octets)?;
    let name = at.value.display();
    let unread = |error: io::Error| {
        let cure = "the user of the gateway must be able to read it; put another in its place by \
                    renaming it, never by writing into it";
        fault(at, FILE, format!("{name} cannot be read: {error}"), cure)
    };
    let mut file = regular_file::open(&at.value).map_err(|why| match why {
        NotOpened::Kernel(error) => unread(error),
        NotOpened::NotRegular => {
            let cure = "name the file that t8gate policy build --out has written";
            fault(at, FILE, format!("{name} is not a regular file"), cure)
        }
    })?;
    let found = file.metadata().map_err(unread)?;
    // Before it is read: what is written meanwhile gives another.
    let stamp = Stamp::of_found(&found);
    let settled = Some(stamp).filter(|stamp| stamp.has_settled(now));
    let bytes = found.len();
    let none = |wrong: SetsFault| {
        let (what, cure) = wrong.words();
        fault(at, FILE, format!("{name} {what}"), cure)
    };
    if let Some((before, from)) = before
        && is_of(&mut file, bytes, before, &key).map_err(unread)?
    {
        // A large file is read through only where it may be another.
        let is_same =
            from == Some(stamp) || has_octets(&mut file, before.octets()).map_err(unread)?;
        return match is_same {
            true => Ok((Arc::clone(before), settled)),
            false => Err(none(SetsFault::Damaged)),
        };
    }
    if bytes > UE_SETS_BYTES_MAX {
        let cure = format!("at most {} GiB are read", UE_SETS_BYTES_MAX >> 30);
        return Err(fault(at, FILE, format!("{name} is too large"), cure));
    }
    let octets = copied(&mut file, bytes).map_err(unread)?;
    let sets = Sets::open(octets, key).map_err(none)?;
    tracing::info!(
        entries = sets.entries(),
        sets = sets.names().len(),
        octets = sets.bytes(),
        "UE sets are read"
    );
    Ok((Arc::new(sets), settled))
}

/// Whether a file begins and ends as the one does that these are of.
fn is_of(file: &mut File, bytes: u64, before: &Sets, key: &SetsKey) -> io::Result<bool> {
    if bytes < (HEAD_BYTES + TAG_BYTES) as u64 {
        return Ok(false);
    }
    let (mut head, mut tag) = ([0; HEAD_BYTES], [0; TAG_BYTES]);
    file.read_exact(&mut head)?;
    file.seek(SeekFrom::End(-(TAG_BYTES as i64)))?;
    file.read_exact(&mut tag)?;
    file.rewind()?;
    Ok(before.are_of(&head, &tag, bytes, key))
}

/// Whether these are what a file holds from where it is read next. Nothing of it is kept.
pub(super) fn has_octets(file: &mut File, octets: &[u8]) -> io::Result<bool> {
    let mut room = vec![0; COMPARED_BYTES];
    for known in octets.chunks(COMPARED_BYTES) {
        // No piece is longer than the room.
        let (read, _) = room.split_at_mut(known.len());
        file.read_exact(read)?;
        if read != known {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A copy in memory of our own, because nobody can be kept from cutting a file short or writing
/// into it: a mapping of it would kill the gateway then, or say what was never checked.
pub(super) fn copied(file: &mut File, bytes: u64) -> io::Result<memmap2::Mmap> {
    let length = usize::try_from(bytes).map_err(io::Error::other)?;
    let mut memory = MmapMut::map_anon(length)?;
    // Every lookup is somewhere else: with small pages it waits for their tables as well. Where
    // the kernel has none, it goes without.
    let _ = memory.advise(Advice::HugePage);
    match memory.get_mut(..length) {
        Some(octets) => file.read_exact(octets)?,
        None => return Err(io::ErrorKind::OutOfMemory.into()),
    }
    memory.make_read_only()
}

/// The policies in the order of the clients.
pub(super) fn in_order(config: &Config) -> Box<[Option<Arc<Policy>>]> {
    let of = |client: &crate::peer::Client| config.policies.get(&client.name).cloned();
    config.clients.iter().map(of).collect()
}

/// Says which APIs are served, where these are others than those of T8.
pub(super) fn note_apis(config: &Config, report: &mut Report) {
    let all = config.apis.apis();
    if all == ApiSet::of_t8() {
        return;
    }
    let [t8, nef] = [ApiSet::of_t8(), ApiSet::of_nef()].map(|of| all.intersection(of).iter());
    let mut found = format!("{} of T8, {} of a NEF", t8.count(), nef.count());
    for (at, row) in config.apis.configured().iter().enumerate() {
        found += if at == 0 { ", and " } else { ", " };
        found += row.api.name;
    }
    report.note("APIs", Ok(((), found)));
}

/// How often each client may ask; what was used of it stays used.
pub(super) fn quotas(config: &Config, running: Option<Running<'_>>) -> Arc<Quotas> {
    let of = |client: &crate::peer::Client| {
        let allowances = config.allowances.get(&client.name);
        allowances.map_or(&[][..], Vec::as_slice)
    };
    let clients = config.clients.iter();
    let clients = clients.map(|client| (client.name.as_str(), of(client)));
    let before = running.map(|running| running.snapshot.quotas.as_ref());
    Arc::new(Quotas::new(clients, config.listen.cpus.value.len(), before))
}

/// Says which clients may ask about any UE.
pub(super) fn note_clients(config: &Config, report: &mut Report) {
    let without = { config.clients.iter() }
        .filter(|client| !client.client_id.is_empty())
        .filter(|client| !config.policies.contains_key(&client.name));
    let names: Vec<&str> = without.map(|client| client.name.as_str()).collect();
    let (all, with) = (config.clients.len(), config.policies.len());
    let found = match &names[..] {
        [] => format!("{with} clients, each held to its services"),
        _ if with == 0 => "no client has services: each may ask about any UE".to_owned(),
        _ => {
            let more = match names.len().saturating_sub(NAMED_MAX) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let named: Vec<&str> = names.iter().copied().take(NAMED_MAX).collect();
            format!(
                "{with} of {all} clients are held to services; any UE for {}{more}",
                named.join(", ")
            )
        }
    };
    report.note("policy", Ok(((), found)));
}
