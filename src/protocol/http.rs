//! How Composer makes HTTP requests.

use std::fmt;
use std::path::PathBuf;

use allegro_base::proxies::Proxies;
use serde::{Deserialize, Serialize};

/// Options that all HTTP requests of a call share.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpOptions {
    /// Composer's `User-Agent` header.
    pub user_agent: String,
    /// Bundle of the CA certificates that Composer trusts.
    pub ca_file: Option<PathBuf>,
    /// Directory of the CA certificates that Composer trusts.
    pub ca_dir: Option<PathBuf>,
    /// Whether redirects to plain HTTP are refused (`secure-http`).
    pub secure_http: bool,
    /// Proxies, as Composer read them from the environment.
    pub proxies: Proxies,
}

/// Certificates of one request, in place of those that all requests share.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Bundle of the CA certificates to trust, in PEM.
    pub ca_file: Option<PathBuf>,
    /// Directory of the CA certificates to trust, named as OpenSSL looks for them.
    pub ca_dir: Option<PathBuf>,
    /// Certificate that the client shows.
    pub certificate: Option<ClientCertificate>,
}

/// A client's certificate and its key. `Debug` shows neither.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificate {
    /// The certificate and the chain up to its authority, in PEM.
    pub chain: String,
    /// The private key, in PEM and not encrypted.
    pub key: String,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientCertificate(…)")
    }
}
