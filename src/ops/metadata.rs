//! Metadata files of repositories, through Composer's cache, while a resolution goes on.
//!
//! What the cache has is given at once, as if the server had said already that it is still good; whether it has is
//! looked at in the end ([`Provider::settle`]). So nobody waits for answers that change nothing.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Scope};

use crossbeam_channel::Sender;
use parking_lot::{Condvar, Mutex};
use rayon::ThreadPool;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use rustix::fs::{fstat, stat};

use super::outlines::{Known, Outlines};
use crate::classmap::{Clock, Identity};
use crate::fetch::{Document, DocumentRequest, Documents, Errand, Proxies, Queue, Request};
use crate::fs::place_atomically;
use crate::report::Event;
use crate::resolve::outline::Outline;
use crate::resolve::versions::Versions;
use crate::resolve::{Place, Provider, Stop};
use crate::store::Store;
use crate::wire::{ResolveRequest, ResolveSource};

/// So many files are told of together: what is shown changes a few times a second at most.
const TOLD_AT_ONCE: usize = 16;

/// A file that was read.
#[derive(Debug, Clone)]
pub(super) struct Sheet {
    /// What it says of its package; `None` if it doesn't know it.
    outline: Option<Arc<Outline>>,
    text: Text,
}

/// Where the text of a file is. It isn't kept in memory if it need not be: a resolution needs it for the chosen versions
/// only.
#[derive(Debug, Clone)]
pub(super) enum Text {
    /// In Composer's cache, as long as the file there is this one.
    Cached(Cached),
    /// Nowhere else.
    Kept(Arc<str>),
}

#[derive(Debug, Clone)]
pub(super) struct Cached {
    identity: Identity,
    last_modified: Option<String>,
    /// Any change must show in the identity.
    is_settled: bool,
    /// The outline is on record already.
    is_known: bool,
}

/// `None` if the repository doesn't have the file.
pub(super) type Read = Result<Option<Sheet>, Stop>;

/// What is known of the files that were asked for, in that order.
#[derive(Default)]
struct Board {
    state: Mutex<Asked>,
    changed: Condvar,
}

#[derive(Default)]
struct Asked {
    files: Vec<Slot>,
    answered: usize,
    /// The file that somebody sleeps for; [`usize::MAX`]: all of them. Waking a thread takes as long as reading a file.
    wanted: Option<usize>,
    /// Something differs from its copy.
    is_outdated: bool,
    /// No more will come.
    is_over: bool,
}

#[derive(Default)]
struct Slot {
    /// What the cache has.
    copy: Option<Sheet>,
    answer: Option<Read>,
}

impl Board {
    fn copy(&self, at: usize, sheet: Sheet) {
        let mut state = self.state.lock();
        state.files[at].copy = Some(sheet);
        self.wake(&state, at);
    }

    /// Puts down an answer; gives how many there are, and of how many files.
    fn answer(&self, at: usize, read: Read) -> (usize, usize) {
        let mut state = self.state.lock();
        let slot = &mut state.files[at];
        let is_same = match (&slot.copy, &read) {
            // Nobody can have believed anything.
            (None, _) => true,
            (Some(copy), Ok(Some(sheet))) => copy.outline == sheet.outline,
            (Some(_), _) => false,
        };
        slot.answer = Some(read);
        state.is_outdated |= !is_same;
        state.answered += 1;
        self.wake(&state, at);
        (state.answered, state.files.len())
    }

    fn wake(&self, state: &Asked, at: usize) {
        if state.wanted == Some(at) || state.answered == state.files.len() {
            self.changed.notify_one();
        }
    }

    /// Waits for a file. `None`: it won't come.
    fn wait_for(&self, at: usize, may_be_copy: bool) -> Option<Read> {
        let mut state = self.state.lock();
        loop {
            let slot = &state.files[at];
            if let Some(read) = &slot.answer {
                return Some(read.clone());
            }
            if may_be_copy && let Some(copy) = &slot.copy {
                return Some(Ok(Some(copy.clone())));
            }
            if state.is_over {
                return None;
            }
            state.wanted = Some(at);
            self.changed.wait(&mut state);
        }
    }

    /// Waits for all answers. Whether all say what the copies said; `None`: some won't come.
    fn wait_for_all(&self) -> Option<bool> {
        let mut state = self.state.lock();
        state.wanted = None;
        while state.answered < state.files.len() {
            if state.is_over {
                return None;
            }
            self.changed.wait(&mut state);
        }
        Some(!state.is_outdated)
    }
}

/// Ends the waiting, also where a panic ends the asking.
struct Ending<'a>(&'a Board);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.state.lock().is_over = true;
        self.0.changed.notify_one();
    }
}

/// A repository.
struct Source {
    about: ResolveSource,
    /// What earlier runs read of its files in Composer's cache.
    outlines: Outlines,
    clock: Option<Clock>,
}

impl Source {
    fn of(about: &ResolveSource, store: Option<&Store>) -> Self {
        let cache_dir = about.cache_dir.as_deref();
        let outlines = cache_dir.zip(store);
        Self {
            outlines: outlines
                .map_or_else(Outlines::default, |(dir, store)| Outlines::open(store, dir)),
            clock: cache_dir.map(Clock::start),
            about: about.clone(),
        }
    }

    /// Where Composer keeps a file: `provider-vendor~name.json`, other characters as `-`.
    fn cache_path(&self, file: &str) -> Option<PathBuf> {
        let name: String = file
            .chars()
            .map(|one| match one {
                '/' => '~',
                'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '$' | '~' | '_' => one,
                _ => '-',
            })
            .collect();
        let dir = self.about.cache_dir.as_ref()?;
        Some(dir.join(format!("provider-{name}.json")))
    }

    /// What the cache has, if an earlier run has read it.
    fn known(&self, file: &str) -> Option<Sheet> {
        if self.outlines.is_empty() {
            return None;
        }
        let identity = Identity::from(&stat(&self.cache_path(file)?).ok()?);
        let (outline, last_modified) = self.outlines.get(file, &identity)?;
        Some(Sheet {
            outline: Some(Arc::new(outline)),
            text: Text::Cached(Cached {
                identity,
                last_modified: Some(last_modified.to_owned()),
                is_settled: true,
                is_known: true,
            }),
        })
    }

    /// What the cache has, read. Without a validator there is nothing to ask with, and the copy is of no use.
    fn cached(&self, file: &str) -> Option<Sheet> {
        let (text, identity) = read(&self.cache_path(file)?)?;
        let last_modified = validator(&text)?;
        let is_settled = self.clock.is_some_and(|clock| clock.has_settled(&identity));
        Some(Sheet {
            outline: outline(file, text).ok()?,
            text: Text::Cached(Cached {
                identity,
                last_modified: Some(last_modified),
                is_settled,
                is_known: false,
            }),
        })
    }

    /// Takes in what the server has sent, and puts it into the cache.
    fn received(
        &self,
        file: &str,
        text: Vec<u8>,
        last_modified: Option<String>,
    ) -> Result<Sheet, Stop> {
        let text = String::from_utf8(text)
            .map_err(|_| Stop::Unclear(format!("the metadata of {file} is not UTF-8")))?;
        let text = match &last_modified {
            Some(moment) => with_validator(text, moment),
            None => text,
        };
        // Only a convenience for the next run; a torn or empty body isn't kept.
        let path = self.cache_path(file);
        let path = path.filter(|_| self.about.cache_writable && text.trim_end().ends_with('}'));
        let identity = path.and_then(|path| {
            let _ = path.parent().map(fs::create_dir_all);
            let file = place_atomically(&path, text.as_bytes()).ok()?;
            Some(Identity::from(&fstat(&file).ok()?))
        });
        Ok(match identity {
            Some(identity) => Sheet {
                outline: outline(file, text)?,
                text: Text::Cached(Cached {
                    identity,
                    last_modified,
                    // Nobody else has had this file in hands.
                    is_settled: true,
                    is_known: false,
                }),
            },
            None => Sheet {
                outline: outline(file, text.clone())?,
                text: Text::Kept(text.into()),
            },
        })
    }

    /// A version as the repository would give it.
    fn whole(&self, place: &Place, sheet: &Sheet) -> Result<String, Stop> {
        let file = &place.file;
        let unclear = |what: &str| Stop::Unclear(format!("{file}: {what}"));
        let outline = sheet.outline.as_ref();
        let outline = outline.ok_or_else(|| unclear("a package is gone"))?;
        let whole = match &sheet.text {
            Text::Kept(text) => outline.whole(place.entry, text),
            Text::Cached(cached) => {
                let needed = outline.needs(place.entry);
                let path = self.cache_path(file);
                let text = path.and_then(|path| beginning(&path, &cached.identity, needed));
                let text =
                    text.ok_or_else(|| unclear("somebody has changed it in Composer's cache"))?;
                outline.whole(place.entry, &text)
            }
        };
        whole.map_err(|error| unclear(&error.0))
    }

    /// Puts what was read on record.
    fn keep<'a>(&self, sheets: impl Iterator<Item = (&'a str, &'a Sheet)>) {
        let mut is_new = false;
        let mut list = Vec::new();
        for (file, sheet) in sheets {
            if let Text::Cached(cached) = &sheet.text
                && let (Some(outline), Some(last_modified)) =
                    (&sheet.outline, &cached.last_modified)
                && cached.is_settled
            {
                is_new |= !cached.is_known;
                list.push(Known {
                    file,
                    identity: cached.identity,
                    last_modified,
                    outline,
                });
            }
        }
        if is_new {
            self.outlines.keep(&list);
        }
    }
}

/// A file with its identity.
fn read(path: &Path) -> Option<(String, Identity)> {
    let mut file = File::open(path).ok()?;
    let identity = Identity::from(&fstat(&file).ok()?);
    let mut text = String::with_capacity(usize::try_from(identity.size).ok()? + 1);
    file.read_to_string(&mut text).ok()?;
    Some((text, identity))
}

/// The first bytes of a file, if it is this one.
fn beginning(path: &Path, identity: &Identity, length: usize) -> Option<String> {
    let file = File::open(path).ok()?;
    if Identity::from(&fstat(&file).ok()?) != *identity {
        return None;
    }
    let mut text = vec![0; length];
    file.read_exact_at(&mut text, 0).ok()?;
    String::from_utf8(text).ok()
}

fn package_of(file: &str) -> &str {
    file.strip_suffix("~dev").unwrap_or(file)
}

fn outline(file: &str, text: String) -> Result<Option<Arc<Outline>>, Stop> {
    let read = || {
        let versions = Versions::read(text, package_of(file))?;
        versions.as_ref().map(Outline::of).transpose()
    };
    match read() {
        Ok(outline) => Ok(outline.map(Arc::new)),
        Err(unclear) => Err(Stop::Unclear(format!("{file}: {}", unclear.0))),
    }
}

/// Composer puts the validator into the file, as its last key.
fn validator(text: &str) -> Option<String> {
    let body = text.trim_end().strip_suffix('}')?.trim_end();
    let key = "\"last-modified\":";
    let at = body.rfind(key)?;
    serde_json::from_str(body[at + key.len()..].trim()).ok()
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

/// Metadata files. They arrive on threads of their own while the first of them are made use of.
pub(super) struct Files<'env> {
    cancel: &'env AtomicBool,
    /// Nobody waits for files any more.
    over: &'env AtomicBool,
    queue: &'env Queue<Asking>,
    events: Sender<Event>,
    proxies: Proxies,
    sources: Vec<Option<Arc<Source>>>,
    board: Arc<Board>,
    /// Files in the order in which they were asked for, and where they are in it.
    asked: Vec<(usize, String)>,
    places: HashMap<(usize, String), usize>,
    is_settled: bool,
}

impl Files<'_> {
    /// Why a file doesn't come.
    fn gone(&self) -> Stop {
        match self.unless_cancelled() {
            Ok(()) => Stop::Unclear("metadata is not asked for any more".to_owned()),
            Err(stop) => stop,
        }
    }
}

impl<'env> Files<'env> {
    /// Begins to do what will be in the queue. It ends with the value that is returned.
    pub fn new<'scope>(
        scope: &'scope Scope<'scope, 'env>,
        request: &'env ResolveRequest,
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
            .map_err(|error| Stop::Unclear(error.to_string()))?;
        let sources = request.sources.iter();
        Ok(Self {
            cancel,
            over,
            queue,
            events,
            proxies: request.http.proxies.clone(),
            sources: sources
                .map(|about| Some(Arc::new(Source::of(about.as_ref()?, store))))
                .collect(),
            board,
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

    /// Versions as their repositories would give them.
    pub fn wholes(&self, places: &[Place], pool: &ThreadPool) -> Result<Vec<String>, Stop> {
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

    /// Puts what was read on record, for the next run.
    pub fn keep(&self) {
        let state = self.board.state.lock();
        for (repository, source) in self.sources.iter().enumerate() {
            let files = self.asked.iter().zip(&state.files);
            let sheets =
                files
                    .filter(|((own, _), _)| *own == repository)
                    .filter_map(|((_, file), slot)| match &slot.answer {
                        Some(Ok(Some(sheet))) => Some((file.as_str(), sheet)),
                        _ => None,
                    });
            if let Some(source) = source {
                source.keep(sheets);
            }
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

    fn is_outdated(&mut self) -> bool {
        !self.is_settled && self.board.state.lock().is_outdated
    }

    fn settle(&mut self) -> Result<bool, Stop> {
        let Some(is_true) = self.board.wait_for_all() else {
            return Err(self.gone());
        };
        self.unless_cancelled()?;
        self.is_settled = true;
        if is_true {
            let state = self.board.state.lock();
            let mut answers = state.files.iter().map(|slot| &slot.answer);
            if let Some(Some(Err(stop))) = answers.find(|answer| matches!(answer, Some(Err(_)))) {
                return Err(stop.clone());
            }
        }
        Ok(is_true)
    }
}

/// One file: from the cache if the server says that the copy is good.
pub(super) struct Asking {
    source: Arc<Source>,
    file: String,
    proxies: Proxies,
    copy: Option<Sheet>,
    at: usize,
    board: Arc<Board>,
}

impl Errand for Asking {
    type Result = Read;

    fn request(&mut self) -> DocumentRequest {
        if self.copy.is_none() {
            self.copy = self.source.cached(&self.file);
            if let Some(copy) = self.copy.clone() {
                self.board.copy(self.at, copy);
            }
        }
        let about = &self.source.about;
        let headers = about.headers.iter().filter_map(|line| line.split_once(':'));
        DocumentRequest {
            request: Request {
                url: about.url.replace("%package%", &self.file),
                headers: headers
                    .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
                    .collect(),
                proxies: self.proxies.clone(),
                tls: about.tls.clone(),
                ..Request::default()
            },
            since: self.copy.as_ref().and_then(|copy| match &copy.text {
                Text::Cached(cached) => cached.last_modified.clone(),
                Text::Kept(_) => None,
            }),
        }
    }

    fn done(self, document: Document) -> Self::Result {
        match document {
            Document::Missing => Ok(None),
            Document::Unchanged => Ok(self.copy),
            Document::Body {
                text,
                last_modified,
            } => self
                .source
                .received(&self.file, text, last_modified)
                .map(Some),
        }
    }
}
