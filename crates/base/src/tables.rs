//! Hash tables of the solver. Keys are small numbers and short texts, millions of times: the standard library's hash takes
//! a tenth of a resolution. This one is seeded by chance too, so nothing may depend on the order of a table.

/// The hash function of the tables, seeded by chance.
pub use foldhash::fast::RandomState as Hasher;

/// A map without an order.
pub type HashMap<K, V> = std::collections::HashMap<K, V, Hasher>;
/// A set without an order.
pub type HashSet<K> = std::collections::HashSet<K, Hasher>;
/// A map in the order of insertion.
pub type IndexMap<K, V> = indexmap::IndexMap<K, V, Hasher>;
