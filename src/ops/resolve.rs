//! Which versions an update would lock: metadata from repositories and Composer's cache, then the solver.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::attend::attend;
use super::prepare::fetch_options;
use crate::error::{Error, Result};
use crate::fetch::{Document, DocumentRequest, Fetcher, Request};
use crate::fs::write_atomically;
use crate::report::Host;
use crate::resolve::verdict::{self, Outcome};
use crate::resolve::{Answer, Provider, Stop};
use crate::settings::Settings;
use crate::wire::{ChosenPackage, ResolveAnswer, ResolveRequest, ResolveSource};

/// Finds out what Composer would lock.
///
/// # Errors
/// Only for an interruption and for what makes no sense; whatever isn't certain is in the answer.
pub fn resolve(request: &ResolveRequest, host: &mut dyn Host) -> Result<ResolveAnswer> {
    let settings = Settings::resolve(&request.settings)?;
    let fetcher = Fetcher::new(fetch_options(&settings, &request.http))
        .map_err(|error| Error::Input(error.to_string()))?;
    let cancel = AtomicBool::new(false);
    let result = attend(host, &cancel, |_events| {
        let mut files = Files {
            request,
            fetcher: &fetcher,
            cancel: &cancel,
            ready: HashMap::new(),
        };
        verdict::solve(&request.problem, &mut files, &|| {
            cancel.load(Ordering::Relaxed)
        })
    })?;
    Ok(match result {
        Ok(Outcome::Solved(answer)) => solved(answer),
        Ok(Outcome::Unsolvable(verdict)) => ResolveAnswer::Unsolvable { verdict },
        Err(Stop::Interrupted) => return Err(Error::Interrupted),
        Err(Stop::Unsolvable) => ResolveAnswer::Unsolvable { verdict: None },
        Err(Stop::Unclear(reason)) => ResolveAnswer::Declined { reason },
    })
}

fn solved(answer: Answer) -> ResolveAnswer {
    let packages = answer.packages.into_iter().map(|package| {
        let (repository, metadata) = package.metadata.unzip();
        ChosenPackage {
            name: package.name,
            version: package.version,
            repository,
            metadata: metadata.map(|text| text.get().to_owned()),
        }
    });
    ResolveAnswer::Solved {
        packages: packages.collect(),
        found: answer.found,
        unlocked: answer.unlocked,
        kept: answer.kept,
        versions: answer.versions.0,
        considered: answer.versions.1,
        rules: answer.rules,
    }
}

/// Metadata files, through Composer's cache.
struct Files<'a> {
    request: &'a ResolveRequest,
    fetcher: &'a Fetcher,
    cancel: &'a AtomicBool,
    ready: HashMap<(usize, String), Option<String>>,
}

/// A file of the cache and its validator.
struct Cached {
    text: String,
    last_modified: Option<String>,
}

impl Files<'_> {
    fn source(&self, repository: usize) -> Result<&ResolveSource, Stop> {
        let source = self
            .request
            .sources
            .get(repository)
            .and_then(Option::as_ref);
        source.ok_or_else(|| Stop::Unclear("a repository has no address".to_owned()))
    }

    fn take(
        &mut self,
        key: (usize, String),
        document: Document,
        cached: Option<Cached>,
    ) -> Result<(), Stop> {
        let text = match document {
            Document::Missing => None,
            Document::Unchanged => cached.map(|cached| cached.text),
            Document::Body {
                text,
                last_modified,
            } => {
                let text = String::from_utf8(text).map_err(|_| {
                    Stop::Unclear(format!("the metadata of {} is not UTF-8", key.1))
                })?;
                let text = match last_modified {
                    Some(moment) => with_validator(text, &moment),
                    None => text,
                };
                let source = self.source(key.0)?;
                if let Some(path) = cache_path(source, &key.1).filter(|_| source.cache_writable) {
                    // Only a convenience for the next run; a torn or empty body isn't kept.
                    if text.trim_end().ends_with('}') {
                        let _ = path.parent().map(fs::create_dir_all);
                        let _ = write_atomically(&path, text.as_bytes());
                    }
                }
                Some(text)
            }
        };
        self.ready.insert(key, text);
        Ok(())
    }
}

impl Provider for Files<'_> {
    fn prepare(&mut self, repository: usize, files: &[String]) -> Result<(), Stop> {
        let source = self.source(repository)?;
        let mut cached = Vec::with_capacity(files.len());
        let mut requests = Vec::with_capacity(files.len());
        for (id, file) in files.iter().enumerate() {
            let known = cache_path(source, file).and_then(|path| read_cached(&path));
            let headers = source
                .headers
                .iter()
                .filter_map(|line| line.split_once(':'));
            requests.push(DocumentRequest {
                request: Request {
                    id,
                    url: source.url.replace("%package%", file),
                    headers: headers
                        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
                        .collect(),
                    proxies: self.request.http.proxies.clone(),
                    tls: source.tls.clone(),
                    ..Request::default()
                },
                since: known.as_ref().and_then(|known| known.last_modified.clone()),
            });
            cached.push(known);
        }
        let documents = self.fetcher.documents(requests, self.cancel);
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Stop::Interrupted);
        }
        for ((file, document), cached) in files.iter().zip(documents).zip(cached) {
            let document = document.map_err(|error| Stop::Unclear(error.to_string()))?;
            self.take((repository, file.clone()), document, cached)?;
        }
        Ok(())
    }

    fn file(&mut self, repository: usize, file: &str) -> Result<Option<String>, Stop> {
        let text = self.ready.remove(&(repository, file.to_owned()));
        text.ok_or_else(|| Stop::Unclear(format!("{file} was not asked for")))
    }
}

/// Where Composer keeps a file: `provider-vendor~name.json`, other characters as `-`.
fn cache_path(source: &ResolveSource, file: &str) -> Option<PathBuf> {
    let name: String = file
        .chars()
        .map(|one| match one {
            '/' => '~',
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '$' | '~' | '_' => one,
            _ => '-',
        })
        .collect();
    Some(
        source
            .cache_dir
            .as_ref()?
            .join(format!("provider-{name}.json")),
    )
}

/// Composer puts the validator into the file, as its last key.
fn read_cached(path: &Path) -> Option<Cached> {
    let text = fs::read_to_string(path).ok()?;
    let last_modified = {
        let body = text.trim_end().strip_suffix('}')?.trim_end();
        let key = "\"last-modified\":";
        let at = body.rfind(key)?;
        let value = body[at + key.len()..].trim();
        serde_json::from_str(value).ok()
    };
    // Without one there is nothing to ask with, and the copy is of no use.
    last_modified.is_some().then_some(Cached {
        text,
        last_modified,
    })
}

fn with_validator(text: String, moment: &str) -> String {
    match text.trim_end().strip_suffix('}') {
        Some(body) if !body.trim_end().ends_with('{') => {
            format!(
                "{body},\"last-modified\":{}}}",
                serde_json::Value::from(moment)
            )
        }
        _ => text,
    }
}
