//! Defines the hash tables of the solver. The solver hashes small numbers and short texts millions
//! of times; the standard library's hash takes a tenth of a resolution. This hash is randomly
//! seeded as well, so nothing may depend on a table's order.

/// The randomly seeded hash function of the tables.
pub use foldhash::fast::RandomState as Hasher;

/// A map without a defined order.
pub type HashMap<K, V> = std::collections::HashMap<K, V, Hasher>;
/// A set without a defined order.
pub type HashSet<K> = std::collections::HashSet<K, Hasher>;
/// A map in insertion order.
pub type IndexMap<K, V> = indexmap::IndexMap<K, V, Hasher>;
