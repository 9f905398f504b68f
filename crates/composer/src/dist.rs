//! The identity of a dist, which decides whether two dists are the same archive.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use allegro_base::redact::strip;

/// The place of a package's archive, in Composer's words.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Dist<'a> {
    /// Name of the package in lower case. Composer's own cache keeps packages apart by the name.
    pub name: &'a str,
    /// Type of the archive: `zip` or `tar`. Other types stay with Composer.
    pub kind: &'a str,
    /// URL as Composer would request it, credentials included (see [`Self::public_url`]).
    pub url: &'a str,
    /// Commit or other name of the exact state.
    pub reference: Option<&'a str>,
    /// SHA-1 of the archive, as Composer has it. It is often absent.
    pub shasum: Option<&'a str>,
    /// Cache key of a plugin (`PreFileDownloadEvent::setCustomCacheKey`), which is part of the
    /// identity if set.
    pub custom_cache_key: Option<&'a str>,
}

/// The name of a manifest: a digest over the dist's identity.
///
/// The identity distinguishes everything that Composer's cache key or the URL distinguishes. The
/// whole URL is part of the digest, which reveals nothing of the secrets in the URL.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ManifestKey([u8; 32]);

impl Dist<'_> {
    /// Returns the URL without user information, query and fragment, to be shown or stored.
    pub fn public_url(&self) -> String {
        strip(self.url)
    }

    /// Returns the key of this dist's manifest.
    pub fn key(&self) -> ManifestKey {
        let mut digest = Sha256::new();
        for part in [
            self.name,
            self.kind,
            self.url,
            self.reference.unwrap_or_default(),
            self.shasum.unwrap_or_default(),
            self.custom_cache_key.unwrap_or_default(),
        ] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part.as_bytes());
        }
        ManifestKey(digest.finalize().into())
    }
}

impl fmt::Debug for Dist<'_> {
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
impl<'a> Dist<'a> {
    /// Returns a zip of the package `a/b` at a URL.
    pub fn at(url: &'a str) -> Self {
        Self {
            name: "a/b",
            kind: "zip",
            url,
            reference: None,
            shasum: None,
            custom_cache_key: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dist() -> Dist<'static> {
        Dist {
            reference: Some("0123"),
            ..Dist::at("https://example.org/a/b/zipball/1")
        }
    }

    #[test]
    fn each_part_of_the_identity_counts() {
        let base = dist().key();
        for other in [
            Dist {
                name: "a/c",
                ..dist()
            },
            Dist {
                kind: "tar",
                ..dist()
            },
            Dist {
                url: "https://example.org/a/b/zipball/2",
                ..dist()
            },
            Dist {
                reference: Some("4567"),
                ..dist()
            },
            Dist {
                reference: None,
                ..dist()
            },
            Dist {
                shasum: Some("ab"),
                ..dist()
            },
            Dist {
                custom_cache_key: Some("k"),
                ..dist()
            },
            // The parts are kept apart: text moved from one to the next is another identity.
            Dist {
                reference: None,
                shasum: Some("0123"),
                ..dist()
            },
        ] {
            assert_ne!(other.key(), base, "{other:?}");
        }
        assert_eq!(dist().key(), base);
    }

    /// Two archives may differ only in parts of the URL that count as secrets.
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
