//! Reads and writes the records of the store, each in its place (see [`Record`]).

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Record, Store};
use allegro_base::error::{Result, in_store};
use allegro_base::fs::{put, read_regular};

impl Store {
    /// Returns the bytes of the record at a place below the store's root, if there is one.
    pub fn read_bytes(&self, place: &str) -> Option<Vec<u8>> {
        read_regular(&self.root().join(place)).ok().flatten()
    }

    /// Writes the bytes of a record. Whatever stands in the record's place is replaced or moved
    /// aside.
    pub fn write_bytes(&self, place: &str, bytes: &[u8]) -> Result<()> {
        put(self.root(), place, bytes).map_err(in_store("writing", &self.root().join(place)))
    }

    /// Returns the value of a sealed record, if there is a whole one that belongs to this place.
    pub fn read_sealed<T: DeserializeOwned>(&self, record: Record, place: &str) -> Option<T> {
        record.decode(place, &self.read_bytes(place)?)
    }

    /// Writes a sealed record.
    pub fn write_sealed(&self, record: Record, place: &str, value: &impl Serialize) -> Result<()> {
        self.write_bytes(place, &record.encode(place, value))
    }
}
