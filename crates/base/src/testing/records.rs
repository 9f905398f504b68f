//! Feeds the decoders of sealed records with bytes from an untrusted source.

use serde::{Deserialize, Serialize};

use crate::sealed;

/// Place of the records that the fuzz targets decode.
pub const PLACE: &str = "bucket/record";

/// A kind of sealed record.
pub struct RecordKind {
    /// Magic word of the record's files.
    pub magic: [u8; 8],
    /// Function that decodes a record and encodes it again. It returns `None` if the record counts
    /// as absent.
    pub again: fn(&[u8]) -> Option<Vec<u8>>,
}

/// Decodes a record and encodes it again. Returns `None` if the record counts as absent.
pub fn again<'a, T: Serialize + Deserialize<'a>>(
    magic: [u8; 8],
    bytes: &'a [u8],
) -> Option<Vec<u8>> {
    sealed::decode::<T>(&magic, PLACE, bytes).map(|value| sealed::encode(&magic, PLACE, &value))
}

/// Seals a payload that may be an encoded value, so that the decoder accepts the seal and reads it.
pub fn seal(magic: [u8; 8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = [&magic[..], payload].concat();
    let seal = sealed::seal(PLACE, &bytes);
    bytes.extend_from_slice(&seal);
    bytes
}
