//! What a client may ask for, and about whom.

use std::collections::BTreeSet;
use std::hint::black_box;

use memmap2::MmapMut;
use t8gate::authz::apis::shape::Shape;
use t8gate::authz::apis::{self, ApiId, Verb};
use t8gate::authz::content::{self, Origin};
use t8gate::authz::details::Gives;
use t8gate::authz::policy::{Asked, Operations, Policy, Selectors, Service, decide};
use t8gate::authz::scope::{self, Rights};
use t8gate::authz::ue::sets::{Inserted, Sets, SetsKey, Table, write};
use t8gate::authz::ue::{Kind, Matcher, SetName, UeId};
use t8gate::http::path;

use super::Rounds;
use crate::messages;

const API: &str = "3gpp-monitoring-event";
const IN_THE_SET: u64 = 100_000;

/// A UE of a set, by its place.
fn number(place: u64) -> String {
    format!("4915{:08}", place * 7)
}

/// A set of numbers.
fn sets(name: &SetName) -> Sets {
    let secret: [u8; 32] = std::array::from_fn(|place| (place as u8).wrapping_mul(37));
    let key = SetsKey::from_octets(&secret).expect("random enough");
    let mut table = Table::with_room_for(IN_THE_SET, 1).expect("memory");
    for place in 0..IN_THE_SET {
        let number = number(place);
        let ue = UeId::read(Kind::Msisdn, &number, None).expect("an MSISDN");
        let entry = key.entry(name, &ue).expect("no address");
        assert_eq!(table.insert(entry), Inserted::New);
    }
    let mut octets = Vec::new();
    write(&table, &BTreeSet::from([name.clone()]), &key, &mut octets).expect("memory");
    let mut memory = MmapMut::map_anon(octets.len()).expect("memory");
    memory.copy_from_slice(&octets);
    Sets::open(memory.make_read_only().expect("memory"), key).expect("as it was written")
}

/// A POST about one UE, by a client with three services of which the last names it by a set.
pub struct Decide {
    policy: Policy,
    sets: Sets,
    api: ApiId,
    rights: Rights,
    place: u64,
    number: String,
}

impl Decide {
    pub fn new() -> Self {
        let api = ApiId::from_name(API).expect("an API");
        let set = SetName::new("meters").expect("a name");
        let service = |word: &str| Service {
            api,
            operations: Operations {
                read: true,
                write: true,
                single: Vec::new(),
            },
            selectors: Selectors {
                monitoring_types: Some(vec!["LOCATION_REPORTING".into()]),
                ports: None,
            },
            ues: [Matcher::read(word).expect("a word")].into_iter().collect(),
            any_ue: false,
        };
        let words = ["*@example.com", "msisdn:48*", "set:meters"];
        Self {
            policy: Policy {
                services: words.map(service).to_vec(),
            },
            sets: sets(&set),
            api,
            rights: scope::rights(API).expect("a scope"),
            place: 0,
            number: number(0),
        }
    }
}

impl Rounds for Decide {
    fn refill(&mut self, _: usize) {
        self.place = (self.place + 7_919) % IN_THE_SET;
        self.number = number(self.place);
    }

    fn round(&mut self) {
        let ue = UeId::read(Kind::Msisdn, black_box(&self.number), None);
        let ues = [ue.expect("an MSISDN")];
        let token = Gives {
            rights: self.rights,
            limited: None,
        };
        let asked = Asked {
            api: self.api,
            verb: Verb::Post,
            resource: "/{scsAsId}/subscriptions",
            monitoring_types: &["LOCATION_REPORTING"],
            ports: &[],
            ues: &ues,
        };
        let decided = decide(Some(&self.policy), token, Some(&self.sets), &asked);
        assert_eq!(black_box(decided), Ok(()));
    }
}

/// The same with the body that says so.
pub struct Read {
    decide: Decide,
    body: Vec<u8>,
    shape: Shape,
}

impl Read {
    pub fn new() -> Self {
        let path = "/3gpp-monitoring-event/v1/acme/subscriptions";
        let operation = apis::operation(path, Some(Verb::Post), path::decode);
        let takes = operation.expect("of the table").action.takes.as_ref();
        Self {
            decide: Decide::new(),
            body: Vec::new(),
            shape: takes.expect("a body").shape,
        }
    }
}

impl Rounds for Read {
    fn refill(&mut self, rounds: usize) {
        self.decide.refill(rounds);
        self.body = messages::subscription(&self.decide.number);
    }

    fn round(&mut self) {
        let said = content::read(black_box(&self.body), self.shape, Origin::Request);
        let said = said.unwrap_or_else(|fault| panic!("{}", fault.word()));
        let about = said.about();
        let about = about.unwrap_or_else(|fault| panic!("{}", fault.word()));
        let Decide {
            policy, sets, api, ..
        } = &self.decide;
        let token = Gives {
            rights: self.decide.rights,
            limited: None,
        };
        let operation = (*api, Verb::Post, "/{scsAsId}/subscriptions");
        let decided = about.decide(Some(policy), token, Some(sets), operation);
        assert_eq!(black_box(decided), Ok(()));
    }
}
