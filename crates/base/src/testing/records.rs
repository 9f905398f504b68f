//! Reaches the decoders of sealed records with bytes that somebody else may have made.

use serde::{Deserialize, Serialize};

use crate::sealed;

/// Where the records of the fuzz targets stand.
pub const PLACE: &str = "bucket/record";

/// A kind of record.
pub struct Kind {
    /// The magic word of its files.
    pub magic: [u8; 8],
    /// Decodes a record and encodes it again; `None` where it counts as absent.
    pub again: fn(&[u8]) -> Option<Vec<u8>>,
}

/// Decodes a record and encodes it again.
pub fn again<'a, T: Serialize + Deserialize<'a>>(
    magic: [u8; 8],
    bytes: &'a [u8],
) -> Option<Vec<u8>> {
    sealed::decode::<T>(&magic, PLACE, bytes).map(|value| sealed::encode(&magic, PLACE, &value))
}

/// Seals what may be an encoded value, so that the decoder gets to see it.
pub fn seal(magic: [u8; 8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = [&magic[..], payload].concat();
    let seal = sealed::seal(PLACE, &bytes);
    bytes.extend_from_slice(&seal);
    bytes
}
