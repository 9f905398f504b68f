//! Downloads the archives that are neither in the store nor in Composer's cache.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use allegro_base::error::{Error, ErrorKind, Result};
use allegro_base::report::Event;
use allegro_fetch::{FetchError, FetchEvent, Fetched, Fetcher};
use crossbeam_channel::Sender;

use super::{Aim, Preparation};
use crate::ops::http::{fetch_options, headers};
use crate::protocol::prepare::{PackageOutcome, PackageRequest, Provenance};

impl Preparation<'_> {
    /// Downloads the packages that can be downloaded, and hands each archive to the pool as it
    /// arrives.
    pub(super) fn download<'s>(
        &'s self,
        packages: Vec<&'s PackageRequest>,
        scope: &rayon::Scope<'s>,
        events: &Sender<Event>,
    ) {
        let mut by_id = HashMap::new();
        let mut requests = Vec::new();
        for package in packages {
            let Some(info) = &package.fetch else {
                self.settle(package, PackageOutcome::Missing, events);
                continue;
            };
            requests.push(allegro_fetch::Request {
                id: package.id,
                url: info.url.clone(),
                headers: headers(&info.headers),
                proxies: self.request.http.proxies.clone(),
                tls: info.tls.clone().map(Into::into),
                sha1: package.dist.shasum.clone().filter(|sum| !sum.is_empty()),
                dest: self.download_path(package),
                size_hint: None,
            });
            by_id.insert(package.id, package);
        }
        if requests.is_empty() {
            return;
        }
        for request in &requests {
            sweep_downloads(&request.dest);
        }
        let fetcher = match Fetcher::new(fetch_options(self.settings, &self.request.http)) {
            Ok(fetcher) => fetcher,
            Err(error) => {
                for package in by_id.into_values() {
                    self.settle(package, self.refused(&error), events);
                }
                return;
            }
        };
        let on_event = |event| {
            let event = match event {
                FetchEvent::Sized { id, bytes } => Event::Sized { id, bytes },
                FetchEvent::Progress { id, bytes_delta } => Event::Received {
                    id,
                    bytes: bytes_delta,
                },
                FetchEvent::Retrying {
                    id, wait, reason, ..
                } => Event::Retrying {
                    id,
                    reason,
                    wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                },
                FetchEvent::Started { .. }
                | FetchEvent::Done { .. }
                | FetchEvent::Failed { .. } => {
                    return;
                }
            };
            let _ = events.send(event);
        };
        let on_done = |result: Result<Fetched, (usize, FetchError)>| match result {
            Ok(fetched) => {
                let Some(&package) = by_id.get(&fetched.id) else {
                    return;
                };
                let events = events.clone();
                scope.spawn(move |_| {
                    let path = self.download_path(package);
                    let outcome = self
                        .unpack(package, &path, Provenance::Download, fetched.bytes)
                        .unwrap_or_else(|error| {
                            // Composer, since 2.11, keeps no archive that can't be opened, so that
                            // it tries again.
                            if matches!(error, Error::Damaged(_) | Error::Unreadable { .. }) {
                                let _ = fs::remove_file(&path);
                            }
                            error.into()
                        });
                    self.settle(package, outcome, &events);
                });
            }
            Err((id, error)) => {
                if let Some(package) = by_id.get(&id) {
                    self.settle(package, self.refused(&error), events);
                }
            }
        };
        fetcher.run(requests, &self.cancel, &on_event, &on_done);
    }

    /// Returns the outcome of a package whose download failed. Composer follows an install, and
    /// nobody follows a fetch.
    fn refused(&self, error: &FetchError) -> PackageOutcome {
        match self.aim {
            Aim::Project | Aim::Repair | Aim::Ahead => PackageOutcome::Declined {
                reason: error.to_string(),
                loud: false,
            },
            Aim::Store => PackageOutcome::Failed {
                kind: ErrorKind::Network.into(),
                code: "network".to_owned(),
                message: error.to_string(),
                hint: None,
            },
        }
    }

    /// Returns the place of a download: Composer's cache, or staging where that cache can't be
    /// written.
    pub(super) fn download_path(&self, package: &PackageRequest) -> PathBuf {
        match &package.archive {
            Some(path) if package.archive_writable => path.clone(),
            _ => self.staging.archive_of(package),
        }
    }
}

/// Removes leftovers of killed downloads beside `dest` that are an hour or more old. The function
/// ignores failures.
fn sweep_downloads(dest: &Path) {
    const AGE: Duration = Duration::from_hours(1);
    let Some(entries) = dest.parent().and_then(|dir| fs::read_dir(dir).ok()) else {
        return;
    };
    for entry in entries.flatten() {
        let left_over = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(allegro_fetch::TEMP_PREFIX));
        let age = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .ok()
            .and_then(|time| time.elapsed().ok());
        if left_over && age.is_some_and(|age| age > AGE) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
