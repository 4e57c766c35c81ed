//! Resources of the demo's SCEF, in memory and bounded.

use std::collections::BTreeMap;

use serde_json::Value;

/// Resources of one SCS/AS in one API.
pub const RESOURCES_MAX: usize = 100;
/// Collections there can be: SCS/AS times API. The gateway lets only those configured through.
const COLLECTIONS_MAX: usize = 64;

/// Place of a collection: the API's name and the `{scsAsId}`.
pub type Place = (&'static str, String);

/// All of them.
#[derive(Debug, Default)]
pub struct Store {
    collections: BTreeMap<Place, BTreeMap<u64, Value>>,
    made: u64,
}

impl Store {
    /// A number for a new resource, none where there is no room for one.
    pub fn reserve(&mut self, place: &Place) -> Option<u64> {
        let held = self.collections.get(place).map_or(0, BTreeMap::len);
        let is_new = !self.collections.contains_key(place);
        if held >= RESOURCES_MAX || (is_new && self.collections.len() >= COLLECTIONS_MAX) {
            return None;
        }
        self.made += 1;
        Some(self.made)
    }

    /// Puts a resource in its place.
    pub fn put(&mut self, place: Place, number: u64, resource: Value) {
        self.collections
            .entry(place)
            .or_default()
            .insert(number, resource);
    }

    pub fn get(&self, place: &Place, number: u64) -> Option<&Value> {
        self.collections.get(place)?.get(&number)
    }

    /// All of one SCS/AS in one API, oldest first.
    pub fn list(&self, place: &Place) -> Vec<Value> {
        let collection = self.collections.get(place);
        collection
            .into_iter()
            .flat_map(BTreeMap::values)
            .cloned()
            .collect()
    }

    /// Whether there was one to remove.
    pub fn remove(&mut self, place: &Place, number: u64) -> bool {
        let collection = self.collections.get_mut(place);
        collection.is_some_and(|collection| collection.remove(&number).is_some())
    }
}
