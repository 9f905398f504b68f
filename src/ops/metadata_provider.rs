//! Provides metadata files of repositories, through Composer's cache, while a resolution goes on.
//!
//! The resolution uses a cached file at once, as if the server had confirmed it already. In the
//! end, [`Provider::settle`] checks whether the server has. So nobody waits for answers that change
//! nothing.

mod board;
mod budget;
mod source;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Scope};

use crossbeam_channel::Sender;
use rayon::ThreadPool;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use crate::protocol::resolve::ResolveSource;
use allegro_base::error::Error;
use allegro_base::report::Event;
use allegro_fetch::{Document, DocumentRequest, Documents, Errand, Proxies, Queue, Request};
use allegro_resolver::outline::Outline;
use allegro_resolver::{MetadataPlace, Provider, Stop};
use allegro_store::Store;
use board::{Board, Ending, Slot};
use budget::Budget;
use source::{Read, Sheet, Source};

/// The number of files per progress event, because the display changes a few times a second at
/// most.
const TOLD_AT_ONCE: usize = 16;

/// The repositories of a request, and the proxies on the way to them.
pub(super) struct Repositories {
    /// Repositories by number. `None` stands for a repository without metadata files.
    pub sources: Vec<Option<ResolveSource>>,
    pub proxies: Proxies,
}

/// Metadata files, which arrive on threads of their own while the solver uses the first of them.
pub(super) struct Files<'env> {
    cancel: &'env AtomicBool,
    /// Whether nobody waits for files any more.
    over: &'env AtomicBool,
    queue: &'env Queue<Asking>,
    events: Sender<Event>,
    proxies: Proxies,
    sources: Vec<Option<Arc<Source>>>,
    board: Arc<Board>,
    budget: Arc<Budget>,
    /// Requested files, in the order of the requests. `places` has the index of each file.
    asked: Vec<(usize, String)>,
    places: HashMap<(usize, String), usize>,
    is_settled: bool,
}

impl Files<'_> {
    /// Returns the reason why a file doesn't come.
    fn gone(&self) -> Stop {
        match self.unless_cancelled() {
            Ok(()) => Stop::Unclear("metadata is not asked for any more".to_owned()),
            Err(stop) => stop,
        }
    }
}

impl<'env> Files<'env> {
    /// Starts the thread that works on the queue. The thread ends when the returned value is
    /// dropped.
    pub fn new<'scope>(
        scope: &'scope Scope<'scope, 'env>,
        repositories: Repositories,
        store: Option<&Store>,
        documents: &'env Documents<'env>,
        queue: &'env Queue<Asking>,
        (cancel, over): (&'env AtomicBool, &'env AtomicBool),
        events: Sender<Event>,
    ) -> Result<Self, Stop> {
        let board = Arc::new(Board::default());
        let (own, told) = (Arc::clone(&board), events.clone());
        let arrive = move || {
            let _ending = Ending(&own);
            let is_over = || cancel.load(Ordering::Relaxed) || over.load(Ordering::Relaxed);
            documents.run(queue, &is_over, &|at, result| {
                let read = result.unwrap_or_else(|error| Err(Stop::Unclear(error.to_string())));
                let (done, total) = own.answer(at, read);
                if done.is_multiple_of(TOLD_AT_ONCE) {
                    let _ = told.send(Event::Metadata { done, total });
                }
            });
        };
        thread::Builder::new()
            .name("allegro-files".to_owned())
            .spawn_scoped(scope, arrive)
            .map_err(|error| Stop::Unclear(Error::no_thread(&error).to_string()))?;
        let sources = repositories.sources.into_iter();
        Ok(Self {
            cancel,
            over,
            queue,
            events,
            proxies: repositories.proxies,
            sources: sources
                .map(|about| Some(Arc::new(Source::of(about?, store))))
                .collect(),
            board,
            budget: Arc::default(),
            asked: Vec::new(),
            places: HashMap::new(),
            is_settled: false,
        })
    }

    fn unless_cancelled(&self) -> Result<(), Stop> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Stop::Interrupted);
        }
        Ok(())
    }

    fn source(&self, repository: usize) -> Result<&Arc<Source>, Stop> {
        let source = self.sources.get(repository).and_then(Option::as_ref);
        source.ok_or_else(|| Stop::Unclear("a repository has no address".to_owned()))
    }

    /// Returns versions as their repositories would give them.
    pub fn wholes(&self, places: &[MetadataPlace], pool: &ThreadPool) -> Result<Vec<String>, Stop> {
        let state = self.board.state.lock();
        let wanted = places.iter().map(|place| {
            let at = self.places.get(&(place.repository, place.file.clone()));
            let slot = at.and_then(|at| state.files.get(*at));
            match slot.and_then(|slot| slot.answer.as_ref()) {
                Some(Ok(Some(sheet))) => Ok((self.source(place.repository)?, place, sheet)),
                _ => Err(Stop::Unclear(format!("{} is gone", place.file))),
            }
        });
        let wanted = wanted.collect::<Result<Vec<_>, _>>()?;
        pool.install(|| {
            let wanted = wanted.into_par_iter();
            wanted
                .map(|(source, place, sheet)| source.whole(place, sheet))
                .collect()
        })
    }

    /// Records what this run has read, for the next run.
    pub fn keep(&self) {
        let state = self.board.state.lock();
        // Repositories share a directory if their addresses differ only in odd characters, or in
        // what they are asked for.
        let mut done: Vec<&Path> = Vec::new();
        for source in self.sources.iter().flatten() {
            let Some(dir) = source.cache_dir().filter(|dir| !done.contains(dir)) else {
                continue;
            };
            let is_here = |repository: usize| {
                let other = self.sources.get(repository).and_then(Option::as_ref);
                other.is_some_and(|other| other.cache_dir() == Some(dir))
            };
            let files = self.asked.iter().zip(&state.files);
            let sheets = files
                .filter(|((repository, _), _)| is_here(*repository))
                .filter_map(|((_, file), slot)| match &slot.answer {
                    Some(Ok(sheet)) => Some((file.as_str(), sheet.as_ref())),
                    _ => None,
                });
            source.keep(sheets);
            done.push(dir);
        }
    }
}

impl Drop for Files<'_> {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.queue.close();
    }
}

impl Provider for Files<'_> {
    fn prepare(&mut self, repository: usize, files: &[String]) -> Result<(), Stop> {
        self.unless_cancelled()?;
        let source = Arc::clone(self.source(repository)?);
        let (mut slots, mut errands) = (Vec::new(), Vec::new());
        for file in files {
            let place = (repository, file.clone());
            if self.places.contains_key(&place) {
                continue;
            }
            let at = self.asked.len();
            let copy = source.known(file);
            errands.push(Asking {
                source: Arc::clone(&source),
                file: file.clone(),
                proxies: self.proxies.clone(),
                copy: copy.clone(),
                at,
                board: Arc::clone(&self.board),
                budget: Arc::clone(&self.budget),
            });
            slots.push(Slot { copy, answer: None });
            self.asked.push(place.clone());
            self.places.insert(place, at);
        }
        let done = {
            let mut state = self.board.state.lock();
            state.files.extend(slots);
            state.answered
        };
        self.queue.extend(errands);
        let total = self.asked.len();
        let _ = self.events.send(Event::Metadata { done, total });
        Ok(())
    }

    fn file(&mut self, repository: usize, file: &str) -> Result<Option<Arc<Outline>>, Stop> {
        let at = self.places.get(&(repository, file.to_owned()));
        let at = at.ok_or_else(|| Stop::Unclear(format!("{file} was not asked for")))?;
        match self.board.wait_for(*at, !self.is_settled) {
            Some(read) => Ok(read?.and_then(|sheet| sheet.outline)),
            None => Err(self.gone()),
        }
    }

    fn is_at_hand(&mut self, repository: usize, file: &str) -> Result<bool, Stop> {
        let can_be_kept = self.source(repository)?.cache_writable;
        let Some(at) = self.places.get(&(repository, file.to_owned())) else {
            return Ok(false);
        };
        let state = self.board.state.lock();
        let Slot { copy, answer } = &state.files[*at];
        let read = match answer {
            Some(Ok(sheet)) => sheet.as_ref(),
            _ => copy.as_ref(),
        };
        let read = read.filter(|sheet| !sheet.is_missing());
        match (read, copy) {
            (Some(sheet), _) if sheet.is_at_hand() => Ok(true),
            // The new document couldn't replace the cached file, which Composer would use now.
            (Some(sheet), Some(copy)) if !can_be_kept && sheet.outline != copy.outline => {
                Err(Stop::Unclear(format!(
                    "{file} is in a cache that can't be written, and has changed"
                )))
            }
            (Some(_), copy) => Ok(copy.is_some() && !can_be_kept),
            (None, _) => Ok(false),
        }
    }

    fn is_outdated(&mut self) -> bool {
        !self.is_settled && self.board.state.lock().is_outdated
    }

    fn names(&mut self) -> Vec<String> {
        let sources = self.sources.iter().flatten();
        sources.flat_map(|source| source.names()).collect()
    }

    fn settle(&mut self) -> Result<bool, Stop> {
        let all = self.board.wait_for_all().ok_or_else(|| self.gone())?;
        self.unless_cancelled()?;
        self.is_settled = true;
        all
    }
}

/// A request for one file. The cached file serves if the server confirms it.
pub(super) struct Asking {
    source: Arc<Source>,
    file: String,
    proxies: Proxies,
    copy: Option<Sheet>,
    at: usize,
    board: Arc<Board>,
    budget: Arc<Budget>,
}

impl Errand for Asking {
    type Result = Read;

    fn is_awaited(&self) -> bool {
        self.copy.is_none()
    }

    fn request(&mut self) -> DocumentRequest {
        if self.copy.is_none() {
            self.copy = self.source.cached(&self.file);
            if let Some(copy) = self.copy.clone() {
                self.board.copy(self.at, copy);
            }
        }
        let source = &self.source;
        DocumentRequest {
            request: Request {
                url: source.url.replace("%package%", &self.file),
                headers: source.headers.clone(),
                proxies: self.proxies.clone(),
                tls: source.tls.clone(),
                ..Request::default()
            },
            since: self
                .copy
                .as_ref()
                .and_then(Sheet::validator)
                .map(str::to_owned),
        }
    }

    fn done(self, document: Document) -> Self::Result {
        match document {
            Document::Missing => Ok(None),
            Document::Unchanged => Ok(self.copy),
            Document::Body {
                text,
                last_modified,
            } => {
                self.budget.read(text.len())?;
                let sheet = self.source.received(&self.file, text, last_modified)?;
                self.budget.keep(sheet.kept())?;
                Ok(Some(sheet))
            }
        }
    }
}
