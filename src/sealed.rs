//! Small files that tell by themselves whether they are whole: a magic word, the postcard encoding of a value, and the
//! first eight bytes of the SHA-256 over both. One that doesn't end so is torn or foreign and counts as absent.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const SEAL: usize = 8;

/// The bytes of a sealed file.
pub fn encode(magic: &[u8; 8], value: &impl Serialize) -> Vec<u8> {
    // Encoding into memory fails only for unsized sequences and custom serializers; we have neither.
    let mut bytes = postcard::to_extend(value, magic.to_vec()).unwrap_or_else(|_| magic.to_vec());
    let seal = Sha256::digest(&bytes);
    bytes.extend_from_slice(&seal[..SEAL]);
    bytes
}

/// The value of a sealed file, if it is whole.
pub fn decode<'a, T: Deserialize<'a>>(magic: &[u8; 8], bytes: &'a [u8]) -> Option<T> {
    postcard::from_bytes(payload(magic, bytes)?).ok()
}

/// The encoded value of a sealed file, if it is whole; for those who take it apart piece by piece.
pub fn payload<'a>(magic: &[u8; 8], bytes: &'a [u8]) -> Option<&'a [u8]> {
    let body = bytes.len().checked_sub(SEAL)?;
    let (content, seal) = bytes.split_at(body);
    let payload = content.strip_prefix(magic)?;
    (Sha256::digest(content)[..SEAL] == *seal).then_some(payload)
}
