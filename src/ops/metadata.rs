//! Metadata files of repositories, through Composer's cache, while a resolution goes on.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Scope};

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::fetch::{Document, DocumentRequest, Documents, Errand, Proxies, Request};
use crate::fs::write_atomically;
use crate::report::Event;
use crate::resolve::versions::Versions;
use crate::resolve::{Provider, Stop};
use crate::wire::{ResolveRequest, ResolveSource};

/// So many files are told of together: what is shown changes a few times a second at most.
const TOLD_AT_ONCE: usize = 16;

type Read = Result<Option<Arc<Versions>>, Stop>;

/// Metadata files. They arrive on threads of their own while the first of them are made use of.
pub(super) struct Files<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    request: &'env ResolveRequest,
    documents: &'env Documents<'env>,
    cancel: &'env AtomicBool,
    /// Nobody waits for files any more.
    over: &'env AtomicBool,
    events: Sender<Event>,
    /// Files asked for in earlier rounds.
    settled: usize,
    arriving: Option<Receiver<(String, Read)>>,
    /// The repository that was asked last.
    repository: usize,
    ready: HashMap<(usize, String), Option<Arc<Versions>>>,
}

impl<'scope, 'env> Files<'scope, 'env> {
    pub fn new(
        scope: &'scope Scope<'scope, 'env>,
        request: &'env ResolveRequest,
        documents: &'env Documents<'env>,
        cancel: &'env AtomicBool,
        over: &'env AtomicBool,
        events: Sender<Event>,
    ) -> Self {
        Self {
            scope,
            request,
            documents,
            cancel,
            over,
            events,
            settled: 0,
            arriving: None,
            repository: 0,
            ready: HashMap::new(),
        }
    }

    /// Takes what arrives until one file is there; all of them if none is named.
    fn take_until(&mut self, wanted: Option<&str>) -> Result<(), Stop> {
        let Some(arriving) = &self.arriving else {
            return Ok(());
        };
        while let Ok((file, read)) = arriving.recv() {
            let is_wanted = wanted == Some(&*file);
            self.ready.insert((self.repository, file), read?);
            if is_wanted {
                return Ok(());
            }
        }
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Stop::Interrupted);
        }
        self.arriving = None;
        Ok(())
    }
}

impl Drop for Files<'_, '_> {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

impl Provider for Files<'_, '_> {
    fn prepare(&mut self, repository: usize, files: &[String]) -> Result<(), Stop> {
        self.take_until(None)?;
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
        let names = files.to_vec();
        let settled = self.settled;
        let total = settled + files.len();
        self.settled = total;
        let (sender, receiver) = unbounded();
        self.arriving = Some(receiver);
        self.repository = repository;
        let events = self.events.clone();
        let _ = events.send(Event::Metadata {
            done: settled,
            total,
        });
        let (documents, cancel, over) = (self.documents, self.cancel, self.over);
        let arrive = move || {
            let is_over = || cancel.load(Ordering::Relaxed) || over.load(Ordering::Relaxed);
            let mut done = settled;
            documents.run(errands, &is_over, |at, result| {
                let read = result.unwrap_or_else(|error| Err(Stop::Unclear(error.to_string())));
                // The other end may have gone: there is an answer already, or an interruption.
                let _ = sender.send((names[at].clone(), read));
                done += 1;
                if done.is_multiple_of(TOLD_AT_ONCE) {
                    let _ = events.send(Event::Metadata { done, total });
                }
            });
        };
        let started = thread::Builder::new()
            .name("allegro-files".to_owned())
            .spawn_scoped(self.scope, arrive);
        started.map_err(|error| Stop::Unclear(error.to_string()))?;
        Ok(())
    }

    fn file(&mut self, repository: usize, file: &str) -> Result<Option<Arc<Versions>>, Stop> {
        let place = (repository, file.to_owned());
        if !self.ready.contains_key(&place) {
            self.take_until(Some(file))?;
        }
        let versions = self.ready.get(&place).cloned();
        versions.ok_or_else(|| Stop::Unclear(format!("{file} was not asked for")))
    }
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
    type Result = Read;

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
