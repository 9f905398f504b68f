//! Computes the `content-hash` of a lock, which ties the lock to its `composer.json`.

use allegro_base::hex::hex;
use md5::{Digest, Md5};

use crate::json::Json;

/// The keys of a manifest that decide the choice of versions (`Locker::getContentHash`, composer
/// 2.5.5).
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

/// Returns the content-hash of a manifest, as `Locker::getContentHash` does.
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
