//! Trust: exactly the certificates that Composer was told to trust.
//!
//! The platform's own store is not consulted. Composer has looked for a bundle already (option,
//! environment, php.ini, well-known places), and whatever it found is the answer for us as well.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// Where the trusted certificates are, and the TLS set-up made from them once it is needed.
pub(super) struct Trust {
    file: Option<PathBuf>,
    dir: Option<PathBuf>,
    /// Kept for the fetcher's life, so TLS sessions are resumed from one run to the next.
    config: OnceLock<Result<ClientConfig, String>>,
}

impl Trust {
    /// Remembers the places; nothing is read before the first https URL.
    pub fn new(file: Option<PathBuf>, dir: Option<PathBuf>) -> Self {
        Self {
            file,
            dir,
            config: OnceLock::new(),
        }
    }

    /// TLS set-up that trusts the given certificates, without ALPN. The error is a reason in words.
    pub fn config(&self) -> Result<ClientConfig, String> {
        self.config
            .get_or_init(|| client_config(self.roots()?))
            .clone()
    }

    /// TLS set-up that trusts nobody, for clients that only speak plain HTTP.
    pub fn nobody() -> Result<ClientConfig, String> {
        client_config(RootCertStore::empty())
    }

    fn roots(&self) -> Result<RootCertStore, String> {
        if self.file.is_none() && self.dir.is_none() {
            return Err("no CA file or directory is configured".to_owned());
        }
        let mut seen = HashSet::new();
        let mut roots = RootCertStore::empty();
        let mut add = |pem: &[u8]| {
            for certificate in CertificateDer::pem_slice_iter(pem).flatten() {
                // Bundles hold certificates we can't parse; OpenSSL passes over them as well.
                if seen.insert(certificate.as_ref().to_vec()) {
                    let _ = roots.add(certificate);
                }
            }
        };
        if let Some(file) = &self.file {
            let pem = fs::read(file)
                .map_err(|error| format!("can't read CA file {}: {error}", file.display()))?;
            add(&pem);
        }
        if let Some(dir) = &self.dir {
            for pem in read_dir(dir)? {
                add(&pem);
            }
        }
        if roots.is_empty() {
            let place = self.file.as_ref().or(self.dir.as_ref());
            let place = place.map_or_else(String::new, |place| place.display().to_string());
            return Err(format!("no usable CA certificate in {place}"));
        }
        Ok(roots)
    }
}

/// Contents of the regular files in a CA directory (symbolic links followed), unreadable ones
/// left out. OpenSSL would look up single files by subject hash; reading all trusts the same set.
fn read_dir(dir: &Path) -> Result<Vec<Vec<u8>>, String> {
    const LARGEST: u64 = 4 << 20;
    let entries = fs::read_dir(dir)
        .map_err(|error| format!("can't read CA directory {}: {error}", dir.display()))?;
    Ok(entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() <= LARGEST))
        .filter_map(|path| fs::read(path).ok())
        .collect())
}

fn client_config(roots: RootCertStore) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
