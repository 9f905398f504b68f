//! Trusts exactly the certificates that Composer was told to trust.
//!
//! The platform's own store is not consulted. Composer has already looked for a bundle (option,
//! environment, php.ini, well-known places). Its result applies here as well.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// The certificates of a request that has its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Tls {
    /// PEM bundle of the CA certificates to trust.
    pub ca_file: Option<PathBuf>,
    /// Directory of trusted certificates, named as OpenSSL looks for them.
    pub ca_dir: Option<PathBuf>,
    /// Client certificate to present.
    pub certificate: Option<ClientCertificate>,
}

/// A client certificate and its key. Neither is ever shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ClientCertificate {
    /// Certificate and its chain up to its authority, in PEM.
    pub chain: String,
    /// Key in PEM, not encrypted.
    pub key: String,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCertificate(…)")
    }
}

impl Tls {
    /// Returns the same settings without the client certificate.
    pub(super) fn anonymous(&self) -> Self {
        Self {
            certificate: None,
            ..self.clone()
        }
    }

    /// Returns a TLS configuration with these certificates, without ALPN. The error is a reason in
    /// words.
    pub(super) fn config(&self) -> Result<ClientConfig, String> {
        let trust = Trust::new(self.ca_file.clone(), self.ca_dir.clone());
        client_config(trust.roots()?, self.certificate.as_ref())
    }
}

/// The places of the trusted certificates, and the TLS configuration that is built from them on
/// demand.
pub(super) struct Trust {
    file: Option<PathBuf>,
    dir: Option<PathBuf>,
    /// TLS configuration. It lives as long as the fetcher, so TLS sessions resume from one run to
    /// the next.
    config: OnceLock<Result<ClientConfig, String>>,
}

impl Trust {
    /// Remembers the places. Nothing is read before the first https URL.
    pub fn new(file: Option<PathBuf>, dir: Option<PathBuf>) -> Self {
        Self {
            file,
            dir,
            config: OnceLock::new(),
        }
    }

    /// Returns a TLS configuration that trusts the given certificates, without ALPN. The error is a
    /// reason in words.
    pub fn config(&self) -> Result<ClientConfig, String> {
        self.config
            .get_or_init(|| client_config(self.roots()?, None))
            .clone()
    }

    /// Returns a TLS configuration that trusts nobody, for clients that only speak plain HTTP.
    pub fn nobody() -> Result<ClientConfig, String> {
        client_config(RootCertStore::empty(), None)
    }

    fn roots(&self) -> Result<RootCertStore, String> {
        if self.file.is_none() && self.dir.is_none() {
            return Err("no CA file or directory is configured".to_owned());
        }
        let mut seen = HashSet::new();
        let mut roots = RootCertStore::empty();
        let mut add = |pem: &[u8]| {
            for certificate in CertificateDer::pem_slice_iter(pem).flatten() {
                // Bundles hold certificates that rustls can't parse. OpenSSL skips them as well.
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

/// Returns the contents of the certificates in a CA directory. Symbolic links are followed, and
/// unreadable files are skipped. OpenSSL looks up single files by a hash of the subject. Reading
/// all files with such names trusts the same set; files with other names are ignored, as by
/// OpenSSL.
fn read_dir(dir: &Path) -> Result<Vec<Vec<u8>>, String> {
    const LARGEST: u64 = 4 << 20;
    let entries = fs::read_dir(dir)
        .map_err(|error| format!("can't read CA directory {}: {error}", dir.display()))?;
    Ok(entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(is_hashed_name))
        .map(|entry| entry.path())
        .filter(|path| fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() <= LARGEST))
        .filter_map(|path| fs::read(path).ok())
        .collect())
}

/// Returns whether a name has the form `1234abcd.0`, which `openssl rehash` gives to certificates.
fn is_hashed_name(name: &str) -> bool {
    name.split_once('.').is_some_and(|(hash, number)| {
        hash.len() == 8
            && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn client_config(
    roots: RootCertStore,
    certificate: Option<&ClientCertificate>,
) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let Some(certificate) = certificate else {
        return Ok(builder.with_no_client_auth());
    };
    // The parsers' errors may quote the input.
    let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate.chain.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| "the client certificate is not readable PEM")?;
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes())
        .map_err(|_| "the key of the client certificate is not readable PEM")?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|error| format!("the client certificate can't be used: {error}"))
}
