//! Which versions an update would lock: metadata from repositories and Composer's cache, then the solver.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::Sender;

use super::attend::attend;
use super::prepare::fetch_options;
use crate::error::{Error, Result};
use crate::fetch::{Document, DocumentRequest, Documents, Errand, Fetcher, Proxies, Request};
use crate::fs::write_atomically;
use crate::report::{Event, Host};
use crate::resolve::verdict::{self, Outcome};
use crate::resolve::versions::Versions;
use crate::resolve::{Answer, Provider, Stop};
use crate::settings::Settings;
use crate::wire::{ChosenPackage, ResolveAnswer, ResolveRequest, ResolveSource};

/// So many files are told of together: what is shown changes a few times a second at most.
const TOLD_AT_ONCE: usize = 16;

/// Finds out what Composer would lock.
///
/// # Errors
/// Only for an interruption and for what makes no sense; whatever isn't certain is in the answer.
pub fn resolve(request: &ResolveRequest, host: &mut dyn Host) -> Result<ResolveAnswer> {
    let settings = Settings::resolve(&request.settings)?;
    let fetcher = Fetcher::new(fetch_options(&settings, &request.http))
        .map_err(|error| Error::Input(error.to_string()))?;
    let cancel = AtomicBool::new(false);
    let result = attend(host, &cancel, |events| {
        let mut files = Files {
            request,
            documents: fetcher
                .documents()
                .map_err(|error| Stop::Unclear(error.to_string()))?,
            cancel: &cancel,
            events,
            settled: 0,
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
            is_dev: package.is_dev,
        }
    });
    ResolveAnswer::Solved {
        packages: packages.collect(),
        aliases: answer.aliases,
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
    documents: Documents<'a>,
    cancel: &'a AtomicBool,
    events: Sender<Event>,
    /// Packages asked for and answered in earlier rounds.
    settled: usize,
    ready: HashMap<(usize, String), Option<Arc<Versions>>>,
}

/// A file of the cache and its validator.
struct Cached {
    text: String,
    last_modified: Option<String>,
}

/// One file: from the cache if the server says that the copy is good.
struct File {
    source: Arc<ResolveSource>,
    name: String,
    proxies: Proxies,
    cached: Option<Cached>,
}

impl Errand for File {
    type Result = Result<Option<Arc<Versions>>, Stop>;

    fn request(&mut self) -> DocumentRequest {
        self.cached = cache_path(&self.source, &self.name).and_then(|path| read_cached(&path));
        let headers = self
            .source
            .headers
            .iter()
            .filter_map(|line| line.split_once(':'));
        DocumentRequest {
            request: Request {
                url: self.source.url.replace("%package%", &self.name),
                headers: headers
                    .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
                    .collect(),
                proxies: self.proxies.clone(),
                tls: self.source.tls.clone(),
                ..Request::default()
            },
            since: self
                .cached
                .as_ref()
                .and_then(|known| known.last_modified.clone()),
        }
    }

    fn done(self, document: Document) -> Self::Result {
        let text = match document {
            Document::Missing => None,
            Document::Unchanged => self.cached.map(|cached| cached.text),
            Document::Body {
                text,
                last_modified,
            } => {
                let text = String::from_utf8(text).map_err(|_| {
                    Stop::Unclear(format!("the metadata of {} is not UTF-8", self.name))
                })?;
                let text = match last_modified {
                    Some(moment) => with_validator(text, &moment),
                    None => text,
                };
                let path = cache_path(&self.source, &self.name);
                if let Some(path) = path.filter(|_| self.source.cache_writable) {
                    // Only a convenience for the next run; a torn or empty body isn't kept.
                    if text.trim_end().ends_with('}') {
                        let _ = path.parent().map(fs::create_dir_all);
                        let _ = write_atomically(&path, text.as_bytes());
                    }
                }
                Some(text)
            }
        };
        let Some(text) = text else { return Ok(None) };
        let package = self.name.strip_suffix("~dev").unwrap_or(&self.name);
        let versions = Versions::read(text, package)
            .map_err(|unclear| Stop::Unclear(format!("{}: {}", self.name, unclear.0)))?;
        Ok(versions.map(Arc::new))
    }
}

impl Provider for Files<'_> {
    fn prepare(&mut self, repository: usize, files: &[String]) -> Result<(), Stop> {
        let source = self
            .request
            .sources
            .get(repository)
            .and_then(Option::as_ref)
            .ok_or_else(|| Stop::Unclear("a repository has no address".to_owned()))?;
        let source = Arc::new(source.clone());
        let errands: Vec<File> = files
            .iter()
            .map(|file| File {
                source: Arc::clone(&source),
                name: file.clone(),
                proxies: self.request.http.proxies.clone(),
                cached: None,
            })
            .collect();
        let total = self.settled + files.len();
        let answers = self.documents.run(errands, self.cancel, &|done| {
            if done % TOLD_AT_ONCE == 0 {
                // The other end may have gone with an interruption.
                let _ = self.events.send(Event::Metadata {
                    done: self.settled + done,
                    total,
                });
            }
        });
        self.settled = total;
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Stop::Interrupted);
        }
        for (file, answer) in files.iter().zip(answers) {
            let versions = answer.map_err(|error| Stop::Unclear(error.to_string()))??;
            self.ready.insert((repository, file.clone()), versions);
        }
        Ok(())
    }

    fn file(&mut self, repository: usize, file: &str) -> Result<Option<Arc<Versions>>, Stop> {
        let versions = self.ready.get(&(repository, file.to_owned()));
        versions
            .cloned()
            .ok_or_else(|| Stop::Unclear(format!("{file} was not asked for")))
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
