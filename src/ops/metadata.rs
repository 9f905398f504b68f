//! Metadata files of repositories, through Composer's cache, while a resolution goes on.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Scope};

use crossbeam_channel::Sender;
use parking_lot::{Condvar, Mutex};

use crate::fetch::{Document, DocumentRequest, Documents, Errand, Proxies, Request};
use crate::fs::write_atomically;
use crate::report::Event;
use crate::resolve::versions::Versions;
use crate::resolve::{Provider, Stop};
use crate::wire::{ResolveRequest, ResolveSource};

/// So many files are told of together: what is shown changes a few times a second at most.
const TOLD_AT_ONCE: usize = 16;

type Read = Result<Option<Arc<Versions>>, Stop>;

/// Files of one round, as they come. Whoever needs one sleeps until it is there, not until the next one is: waking a
/// thread takes as long as reading a file.
#[derive(Default)]
struct Round {
    state: Mutex<Arrived>,
    changed: Condvar,
}

#[derive(Default)]
struct Arrived {
    files: HashMap<String, Read>,
    /// The file that somebody sleeps for.
    wanted: Option<String>,
    /// No more will come.
    is_over: bool,
}

impl Round {
    fn arrive(&self, file: &str, read: Read) {
        let mut state = self.state.lock();
        let is_wanted = state.wanted.as_deref() == Some(file);
        state.files.insert(file.to_owned(), read);
        drop(state);
        if is_wanted {
            self.changed.notify_one();
        }
    }

    /// Waits for a file. `None`: it won't come.
    fn wait_for(&self, file: &str) -> Option<Read> {
        let mut state = self.state.lock();
        loop {
            if let Some(read) = state.files.remove(file) {
                state.wanted = None;
                return Some(read);
            }
            if state.is_over {
                return None;
            }
            state.wanted = Some(file.to_owned());
            self.changed.wait(&mut state);
        }
    }

    /// Waits for all files, and gives those that nobody has taken.
    fn rest(&self) -> HashMap<String, Read> {
        let mut state = self.state.lock();
        while !state.is_over {
            self.changed.wait(&mut state);
        }
        std::mem::take(&mut state.files)
    }
}

/// Ends a round, also where a panic does.
struct Ending(Arc<Round>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.state.lock().is_over = true;
        self.0.changed.notify_one();
    }
}

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
    arriving: Option<Arc<Round>>,
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

    /// Waits until all files of the last round are there.
    fn take_rest(&mut self) -> Result<(), Stop> {
        let Some(round) = self.arriving.take() else {
            return Ok(());
        };
        for (file, read) in round.rest() {
            self.ready.insert((self.repository, file), read?);
        }
        self.unless_cancelled()
    }

    fn unless_cancelled(&self) -> Result<(), Stop> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Stop::Interrupted);
        }
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
        self.take_rest()?;
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
        let round = Arc::new(Round::default());
        self.arriving = Some(Arc::clone(&round));
        self.repository = repository;
        let events = self.events.clone();
        let _ = events.send(Event::Metadata {
            done: settled,
            total,
        });
        let (documents, cancel, over) = (self.documents, self.cancel, self.over);
        let ending = Ending(Arc::clone(&round));
        let arrive = move || {
            let _ending = ending;
            let is_over = || cancel.load(Ordering::Relaxed) || over.load(Ordering::Relaxed);
            let count = AtomicUsize::new(settled);
            documents.run(errands, &is_over, &|at, result| {
                let read = result.unwrap_or_else(|error| Err(Stop::Unclear(error.to_string())));
                round.arrive(&names[at], read);
                let done = count.fetch_add(1, Ordering::Relaxed) + 1;
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
        if !self.ready.contains_key(&place)
            && let Some(round) = self
                .arriving
                .as_ref()
                .filter(|_| repository == self.repository)
        {
            match round.wait_for(file) {
                Some(read) => {
                    self.ready.insert(place.clone(), read?);
                }
                None => self.unless_cancelled()?,
            }
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
