//! A dist's identity: what decides whether two dists are the same archive.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use allegro_base::redact::strip;

/// The place of a package's archive, in Composer's words.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dist {
    /// Name of the package, lower case. Composer's own cache keeps packages apart by it.
    pub name: String,
    /// `zip` or `tar`; other types stay with Composer.
    #[serde(rename = "type")]
    pub kind: String,
    /// The URL as Composer would ask for it, credentials included; see [`Self::public_url`].
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
/// The identity tells apart whatever Composer's cache key or the URL tells apart: the whole URL is part
/// of the digest, which reveals nothing of the secrets in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ManifestKey([u8; 32]);

impl Dist {
    /// Returns the URL without user information, query and fragment, to be shown or stored.
    pub fn public_url(&self) -> String {
        strip(&self.url)
    }

    /// Returns the key of this dist's manifest.
    pub fn key(&self) -> ManifestKey {
        let mut digest = Sha256::new();
        for part in [
            self.name.as_str(),
            self.kind.as_str(),
            self.url.as_str(),
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

impl fmt::Debug for Dist {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Dist")
            .field("name", &self.name)
            .field("url", &self.public_url())
            .finish_non_exhaustive()
    }
}

impl ManifestKey {
    /// Returns the key in lower-case hexadecimal.
    pub fn hex(&self) -> String {
        allegro_base::hex::hex(&self.0)
    }
}

impl fmt::Debug for ManifestKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.hex())
    }
}

#[cfg(any(test, feature = "testing"))]
impl Dist {
    /// Returns a zip of the package `a/b` at a URL.
    pub fn at(url: &str) -> Self {
        Self {
            name: "a/b".into(),
            kind: "zip".into(),
            url: url.into(),
            reference: None,
            shasum: None,
            custom_cache_key: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dist() -> Dist {
        Dist {
            reference: Some("0123".into()),
            ..Dist::at("https://example.org/a/b/zipball/1")
        }
    }

    #[test]
    fn each_part_of_the_identity_counts() {
        let base = dist().key();
        for other in [
            Dist {
                name: "a/c".into(),
                ..dist()
            },
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

    /// Parts of a URL that are taken for secrets may be all that tells two archives apart.
    #[test]
    fn what_is_redacted_still_tells_dists_apart() {
        for [one, other] in [
            [
                "https://example.org/get?key=aaa&v=1",
                "https://example.org/get?key=bbb&v=1",
            ],
            [
                "https://example.org/?code=aaa",
                "https://example.org/?code=bbb",
            ],
            [
                "https://user:one@example.org/1",
                "https://user:two@example.org/1",
            ],
            [
                "https://example.org/mirror?url=https%3A%2F%2Fa%3Fsig%3D1",
                "https://example.org/mirror?url=https%3A%2F%2Fa%3Fsig%3D2",
            ],
        ] {
            assert_ne!(Dist::at(one).key(), Dist::at(other).key(), "{one}");
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        let secret = Dist::at("https://user:hunter2@example.org/a/b/zipball/1?v=hunter2#hunter2");
        assert_eq!(secret.public_url(), "https://example.org/a/b/zipball/1");
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}
