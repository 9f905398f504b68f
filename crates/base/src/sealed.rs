//! Reads and writes sealed files: small files that prove that they are whole and in their place. A
//! sealed file is a magic word, the postcard encoding of a value, and a seal. The seal is the first
//! bytes of the SHA-256 over both and the file's place.
//!
//! The place is the path below the store's root. A torn or misplaced file has a wrong seal and
//! counts as absent.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const SEAL: usize = 16;

/// Returns the bytes of a sealed file for `place`.
pub fn encode(magic: &[u8; 8], place: &str, value: &impl Serialize) -> Vec<u8> {
    // Encoding into memory fails only for unsized sequences and custom serializers. No sealed type
    // has either.
    let mut bytes = postcard::to_extend(value, magic.to_vec()).unwrap_or_else(|_| magic.to_vec());
    let seal = seal(place, &bytes);
    bytes.extend_from_slice(&seal);
    bytes
}

/// Returns the value of a sealed file, if the file is whole and belongs to `place`.
pub fn decode<'a, T: Deserialize<'a>>(magic: &[u8; 8], place: &str, bytes: &'a [u8]) -> Option<T> {
    postcard::from_bytes(payload(magic, place, bytes)?).ok()
}

/// Returns the encoded value of a sealed file, for callers that decode it piece by piece.
pub fn payload<'a>(magic: &[u8; 8], place: &str, bytes: &'a [u8]) -> Option<&'a [u8]> {
    content(place, bytes)?.strip_prefix(magic)
}

/// Returns whether a file is whole and belongs to `place`, regardless of its magic word.
pub fn is_whole(place: &str, bytes: &[u8]) -> bool {
    content(place, bytes).is_some()
}

/// Returns the sealed bytes, if the seal matches them and the place.
fn content<'a>(place: &str, bytes: &'a [u8]) -> Option<&'a [u8]> {
    let (content, found) = bytes.split_at_checked(bytes.len().checked_sub(SEAL)?)?;
    (seal(place, content) == *found).then_some(content)
}

pub(crate) fn seal(place: &str, content: &[u8]) -> [u8; SEAL] {
    let mut digest = Sha256::new();
    digest.update((place.len() as u64).to_le_bytes());
    digest.update(place);
    digest.update(content);
    let mut seal = [0; SEAL];
    seal.copy_from_slice(&digest.finalize()[..SEAL]);
    seal
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAGIC: &[u8; 8] = b"ALTEST01";

    #[test]
    fn a_sealed_file_counts_in_its_place_only() {
        let bytes = encode(MAGIC, "bucket/ab", &7_u32);
        assert_eq!(decode(MAGIC, "bucket/ab", &bytes), Some(7_u32));
        assert_eq!(decode::<u32>(MAGIC, "bucket/cd", &bytes), None);
        assert_eq!(decode::<u32>(b"ALTEST02", "bucket/ab", &bytes), None);
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert_eq!(decode::<u32>(MAGIC, "bucket/ab", &other), None, "{at}");
            assert_eq!(decode::<u32>(MAGIC, "bucket/ab", &bytes[..at]), None);
        }
    }
}
