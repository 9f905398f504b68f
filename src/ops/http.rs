//! Converts the HTTP options of a request into those of the fetcher.

use crate::protocol::http::{ClientCertificate, HttpOptions, Tls};
use crate::settings::Settings;
use allegro_fetch::FetchOptions;

/// Returns the options of a fetcher for the project's requests.
pub fn fetch_options(settings: &Settings, http: &HttpOptions) -> FetchOptions {
    FetchOptions {
        workers: settings.workers,
        user_agent: http.user_agent.clone(),
        ca_file: http.ca_file.clone(),
        ca_dir: http.ca_dir.clone(),
        secure_http: http.secure_http,
        idle_timeout: settings.idle_timeout,
        ..FetchOptions::default()
    }
}

/// Splits header lines (`Name: value`, as Composer keeps them), and drops lines without a colon.
pub fn headers(lines: &[String]) -> Vec<(String, String)> {
    lines
        .iter()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

impl From<Tls> for allegro_fetch::Tls {
    fn from(tls: Tls) -> Self {
        Self {
            ca_file: tls.ca_file,
            ca_dir: tls.ca_dir,
            certificate: tls.certificate.map(Into::into),
        }
    }
}

impl From<ClientCertificate> for allegro_fetch::ClientCertificate {
    fn from(certificate: ClientCertificate) -> Self {
        Self {
            chain: certificate.chain,
            key: certificate.key,
        }
    }
}
