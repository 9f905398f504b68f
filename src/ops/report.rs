//! Reports installed packages to the repositories that they come from.

use std::fmt;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use allegro_base::redact::redact;
use allegro_fetch::{Fetcher, Post};

use super::http::{fetch_options, headers};
use crate::protocol::http::HttpOptions;
use crate::settings::Settings;

/// The time after which all reports are given up, however many there are.
const LIMIT: Duration = Duration::from_secs(10);

/// A report for a repository. It may contain secrets, so `Debug` hides them.
#[derive(Clone)]
pub struct Report {
    /// URL without credentials.
    pub url: String,
    /// Header lines with credentials.
    pub headers: Vec<String>,
    /// Value of the `Content-Type` header.
    pub content_type: &'static str,
    /// Text of the report.
    pub body: String,
    /// Time limit for the request.
    pub timeout: Duration,
}

impl fmt::Debug for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Report")
            .field("url", &redact(&self.url))
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

/// Reports that a thread sends. Dropping the value waits for the thread, at most ten seconds.
#[derive(Debug)]
pub struct Sending(Option<JoinHandle<()>>);

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            let _ = thread.join();
        }
    }
}

/// Sends reports on a thread of their own. Errors are silent, and answers are ignored.
pub fn report(reports: Vec<Report>, settings: &Settings, http: &HttpOptions) -> Sending {
    if reports.is_empty() {
        return Sending(None);
    }
    let options = fetch_options(settings, http);
    let proxies = http.proxies.clone();
    let send = move || {
        let posts: Vec<Post> = reports
            .into_iter()
            .map(|report| Post {
                url: report.url,
                headers: headers(&report.headers),
                content_type: report.content_type.to_owned(),
                body: report.body.into_bytes(),
                timeout: report.timeout,
                proxies: proxies.clone(),
            })
            .collect();
        if let Ok(fetcher) = Fetcher::new(options) {
            fetcher.post(&posts, LIMIT);
        }
    };
    let thread = thread::Builder::new().name("allegro-report".to_owned());
    Sending(thread.spawn(send).ok())
}
