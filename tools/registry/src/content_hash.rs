//! The `content-hash` of a lock: what ties it to its `composer.json`.

use md5::{Digest, Md5};

use crate::json::Json;

/// The keys of a manifest that decide what a resolver would choose.
const RELEVANT: [&str; 11] = [
    "conflict",
    "extra",
    "minimum-stability",
    "name",
    "prefer-stable",
    "provide",
    "replace",
    "repositories",
    "require",
    "require-dev",
    "version",
];

/// Composer's `Locker::getContentHash`.
pub fn content_hash(manifest: &Json) -> String {
    let mut relevant: Vec<(String, Json)> = RELEVANT
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), manifest.get(key)?.clone())))
        .collect();
    if let Some(platform) = manifest
        .get("config")
        .and_then(|config| config.get("platform"))
        && *platform != Json::Null
    {
        let config = Json::Object(vec![("platform".to_owned(), platform.clone())]);
        relevant.push(("config".to_owned(), config));
    }
    relevant.sort_by(|left, right| left.0.cmp(&right.0));
    hex(&Md5::digest(Json::Object(relevant).to_php_default()))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}
