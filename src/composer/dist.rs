//! A dist's identity: what decides whether two dists are the same archive.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::fetch::redact;

/// Where a package's archive comes from, in Composer's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dist {
    /// `zip` or `tar`; other types stay with Composer.
    #[serde(rename = "type")]
    pub kind: String,
    /// The URL as Composer would ask for it; credentials are left out of everything that is kept.
    pub url: String,
    /// Commit or other name of the exact state.
    pub reference: Option<String>,
    /// Composer's SHA-1 of the archive; often absent.
    pub shasum: Option<String>,
    /// A plugin's own cache key (`PreFileDownloadEvent::setCustomCacheKey`), part of the identity if set.
    #[serde(default)]
    pub custom_cache_key: Option<String>,
}

/// Names a manifest: a digest over the dist's identity.
///
/// Name and version are not part of it: a moved tag or a branch at another commit has another
/// reference or URL and with it another key. Credentials and signatures in the URL are taken out
/// before, so they reach neither the key nor the store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ManifestKey([u8; 32]);

impl Dist {
    /// The URL without anything secret.
    pub fn public_url(&self) -> String {
        redact(&self.url)
    }

    /// The key of this dist's manifest.
    pub fn key(&self) -> ManifestKey {
        let mut digest = Sha256::new();
        for part in [
            self.kind.as_str(),
            &self.public_url(),
            self.reference.as_deref().unwrap_or_default(),
            self.shasum.as_deref().unwrap_or_default(),
            self.custom_cache_key.as_deref().unwrap_or_default(),
        ] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part.as_bytes());
        }
        ManifestKey(digest.finalize().into())
    }
}

impl ManifestKey {
    /// Lower-case hexadecimal.
    pub fn hex(&self) -> String {
        crate::store::hex(&self.0)
    }
}

impl fmt::Debug for ManifestKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dist() -> Dist {
        Dist {
            kind: "zip".into(),
            url: "https://example.org/a/b/zipball/1".into(),
            reference: Some("0123".into()),
            shasum: None,
            custom_cache_key: None,
        }
    }

    #[test]
    fn each_part_of_the_identity_counts() {
        let base = dist().key();
        for other in [
            Dist {
                kind: "tar".into(),
                ..dist()
            },
            Dist {
                url: "https://example.org/a/b/zipball/2".into(),
                ..dist()
            },
            Dist {
                reference: Some("4567".into()),
                ..dist()
            },
            Dist {
                reference: None,
                ..dist()
            },
            Dist {
                shasum: Some("ab".into()),
                ..dist()
            },
            Dist {
                custom_cache_key: Some("k".into()),
                ..dist()
            },
            // The parts are kept apart: text moved from one to the next is another identity.
            Dist {
                reference: None,
                shasum: Some("0123".into()),
                ..dist()
            },
        ] {
            assert_ne!(other.key(), base, "{other:?}");
        }
        assert_eq!(dist().key(), base);
    }

    #[test]
    fn credentials_do_not_count() {
        let secret = Dist {
            url: "https://user:hunter2@example.org/a/b/zipball/1".into(),
            ..dist()
        };
        assert!(!secret.public_url().contains("hunter2"));
        let other = Dist {
            url: "https://user:other@example.org/a/b/zipball/1".into(),
            ..dist()
        };
        assert_eq!(secret.key(), other.key());
    }
}
