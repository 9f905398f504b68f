//! Packages → directories in staging: from the store, from Composer's archive cache, or from the network.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::Sender;
use parking_lot::Mutex;
use rustix::fs::Mode;
use sha1::{Digest as _, Sha1};

use super::attend::attend;
use crate::plan::{Road, plan};
use crate::settings::Settings;
use crate::wire::{
    HttpOptions, Origin, Outcome, PackageAnswer, PackageRequest, PrepareAnswer, PrepareRequest,
    STORE_IS_FULL,
};
use allegro_archive::{Unpacking, Zone, utf8_locale};
use allegro_base::error::{Error, Result, at};
use allegro_base::fs::{owner_is_alive, remove_all};
use allegro_base::identity::Moment;
use allegro_base::pool::with_pool;
use allegro_base::report::{Event, Host, Unheard};
use allegro_composer::ManifestKey;
use allegro_fetch::{self, FetchError, FetchEvent, FetchOptions, Fetched, Fetcher};
use allegro_store::link::{Linker, Method, Refusal, TreeError, TreeOptions, link_tree};
use allegro_store::{ItemKind, Manifest, PATIENCE, Store, ingest, refused};

/// What staging directories are called: this, then [`allegro_base::fs::unique`].
const STAGING_PREFIX: &str = ".allegro-";

/// The time that one call may spend on removing what former versions left in the store.
const RETIREMENT: Duration = Duration::from_millis(100);

/// Makes all packages of the request ready in staging.
///
/// Nothing outside `request.staging`, the store and Composer's archive cache is touched. All threads have
/// ended when this returns.
///
/// # Errors
/// Only for what concerns the whole request; a package's own trouble is in its [`Outcome`].
pub fn prepare(request: &PrepareRequest, host: &mut dyn Host) -> Result<PrepareAnswer> {
    let settings = Settings::resolve(&request.settings)?;
    // In the extension it is that already.
    rustix::process::umask(Mode::from_raw_mode(request.umask));
    let store = match open_store(&settings, host) {
        Ok(store) => store,
        Err(Error::Interrupted) => return Err(Error::Interrupted),
        Err(error @ Error::Store { .. }) => {
            return Ok(decline_all(request, &settings.store, error));
        }
        Err(error) => return Err(error),
    };
    store.sweep();
    // Whoever asked may be gone by now: nothing is begun then that another run is already sweeping.
    if host.interrupted() {
        let _ = fs::remove_dir(&request.staging);
        return Err(Error::Interrupted);
    }
    sweep_staging(&request.staging);
    fs::create_dir_all(&request.staging).map_err(at("creating", &request.staging))?;

    let run = Run {
        started: Moment::now(),
        linker: Linker::new(&store, &request.staging, settings.strategy, settings.verify)?,
        zone: Zone::of(request.timezone.as_deref()),
        damages: Mutex::new(Vec::new()),
        answers: Mutex::new(HashMap::with_capacity(request.packages.len())),
        method: Mutex::new(None),
        is_crowded: AtomicBool::new(false),
        cancel: AtomicBool::new(false),
        request,
        settings: &settings,
        store: &store,
    };
    let mut unheard;
    let listener: &mut dyn Host = if request.is_quiet {
        unheard = Unheard(host);
        &mut unheard
    } else {
        host
    };
    let worked = attend(listener, &run.cancel, |events| run.work(&events));
    if let Err(error) = worked.and_then(|worked| worked) {
        run.unstage();
        return Err(error);
    }
    if listener.interrupted() {
        run.cancel.store(true, Ordering::Relaxed);
    }
    if run.cancel.load(Ordering::Relaxed) {
        run.unstage();
        return Err(Error::Interrupted);
    }
    if run.is_crowded.load(Ordering::Relaxed) {
        run.give_way();
    }
    let answer = run.answer();
    store.retire_former_buckets(RETIREMENT);
    Ok(answer)
}

/// Opens the store; says so if another process keeps it locked for long.
fn open_store(settings: &Settings, host: &mut dyn Host) -> Result<Store> {
    let host = RefCell::new(host);
    let is_told = Cell::new(false);
    let is_interrupted = Cell::new(false);
    let opened = Store::open_patiently(&settings.store, &|waited| {
        let mut host = host.borrow_mut();
        is_interrupted.set(host.interrupted());
        if waited > Duration::from_secs(1) && !is_told.replace(true) {
            let message = format!(
                "another process has locked the store at {}; waiting up to {} seconds",
                settings.store.display(),
                PATIENCE.as_secs()
            );
            host.events(vec![Event::Notice { message }]);
        }
        !is_interrupted.get() && waited < PATIENCE
    });
    if is_interrupted.get() {
        return Err(Error::Interrupted);
    }
    let store = opened?;
    store.check_file_system()?;
    Ok(store)
}

/// How the project's HTTP requests are made.
pub(super) fn fetch_options(settings: &Settings, http: &HttpOptions) -> FetchOptions {
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

/// The store can't be used at all: Composer does the run, and says once why it is slow.
fn decline_all(request: &PrepareRequest, root: &Path, error: Error) -> PrepareAnswer {
    let is_full = error.is_full();
    let outcome = Outcome::from(error);
    let notices = match &outcome {
        _ if is_full => vec![full(root)],
        Outcome::Declined { reason, .. } => vec![format!(
            "the store can't be used, Composer installs by itself: {reason}"
        )],
        _ => Vec::new(),
    };
    let quiet = match outcome {
        Outcome::Declined { .. } => Outcome::Declined {
            reason: String::new(),
            loud: false,
        },
        other => other,
    };
    PrepareAnswer {
        packages: request
            .packages
            .iter()
            .map(|package| PackageAnswer {
                id: package.id,
                outcome: quiet.clone(),
            })
            .collect(),
        method: None,
        notices,
        made: (0, 0),
    }
}

/// The line about a full store; it is the same each time, so that it is shown once.
fn full(root: &Path) -> String {
    format!(
        "the store at {} is full; Composer installs what it lacks. Free some space there, or name another place in {}",
        root.display(),
        allegro_base::env::STORE
    )
}

/// Removes staging directories beside `staging` whose process is gone. Failures don't matter.
fn sweep_staging(staging: &Path) {
    let Some(entries) = staging
        .parent()
        .and_then(|parent| fs::read_dir(parent).ok())
    else {
        return;
    };
    for entry in entries.flatten() {
        if let Some(owner) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.strip_prefix(STAGING_PREFIX))
            && !owner_is_alive(owner)
        {
            let _ = remove_all(&entry.path());
        }
    }
}

/// A file of the store that was changed in place or torn.
struct Damage {
    /// For people.
    file: String,
    /// Of its package.
    key: ManifestKey,
}

/// One call of [`prepare`], shared by its threads.
struct Run<'a> {
    request: &'a PrepareRequest,
    settings: &'a Settings,
    store: &'a Store,
    started: Moment,
    linker: Linker<'a>,
    /// The zone of local times in archives.
    zone: Zone,
    /// Files that were changed in place or torn, and whose.
    damages: Mutex<Vec<Damage>>,
    answers: Mutex<HashMap<usize, Outcome>>,
    method: Mutex<Option<Method>>,
    /// There was no room for the packages beside what they replace.
    is_crowded: AtomicBool,
    cancel: AtomicBool,
}

impl Run<'_> {
    fn work(&self, events: &Sender<Event>) -> Result<()> {
        with_pool(self.settings.threads, |pool| self.work_in(pool, events))
    }

    fn work_in(&self, pool: &rayon::ThreadPool, events: &Sender<Event>) {
        let (local, mut wanted) = plan(self.store, &self.request.packages);
        if !self.store.is_writable() {
            // Nothing can be added.
            for package in wanted.drain(..) {
                self.settle(package, read_only(), events);
            }
        }
        // What the store or the cache turned out not to hold soundly is downloaded in a second round.
        let unsound = Mutex::new(Vec::new());
        pool.in_place_scope(|scope| {
            for (package, road) in local {
                let (events, unsound) = (events.clone(), &unsound);
                scope.spawn(move |_| {
                    let outcome = match road {
                        Road::Store => self.take_from_store(package),
                        Road::Archive => self.take_from_archive(package),
                    };
                    match outcome {
                        Some(outcome) => self.settle(package, outcome, &events),
                        None => unsound.lock().push(package),
                    }
                });
            }
            self.download(std::mem::take(&mut wanted), scope, events);
        });
        let unsound = unsound.into_inner();
        if !unsound.is_empty() {
            pool.in_place_scope(|scope| self.download(unsound, scope, events));
        }
    }

    fn settle(&self, package: &PackageRequest, outcome: Outcome, events: &Sender<Event>) {
        self.answers.lock().insert(package.id, outcome);
        let _ = events.send(Event::Settled { id: package.id });
    }

    fn stage(&self, package: &PackageRequest) -> PathBuf {
        self.request.staging.join(package.id.to_string())
    }

    /// Removes what this call has put into staging. What an earlier one made ready there is still wanted: after a
    /// signal that doesn't end the process, the plugin asks again for the packages of this call only.
    fn unstage(&self) {
        for package in &self.request.packages {
            let _ = remove_all(&self.stage(package));
            let _ = remove_all(&self.staged_archive(package));
        }
        let _ = fs::remove_dir(&self.request.staging);
    }

    /// Whether Composer may find room where we don't: it removes what it replaces before it unpacks, while ours are all
    /// beside that first. Into an empty vendor directory both write the same.
    fn makes_room(&self) -> bool {
        let installed = self.request.vendor_dir.join("composer/installed.json");
        fs::metadata(installed).is_ok_and(|facts| facts.len() > 0)
    }

    /// Leaves all packages of this call to Composer, so that it has the room that ours take.
    fn give_way(&self) {
        self.unstage();
        for outcome in self.answers.lock().values_mut() {
            if matches!(outcome, Outcome::Ready { .. }) {
                *outcome = Outcome::Declined {
                    reason: CROWDED.to_owned(),
                    loud: false,
                };
            }
        }
    }

    fn staged_archive(&self, package: &PackageRequest) -> PathBuf {
        self.request.staging.join(format!("{}.archive", package.id))
    }

    /// Where a download goes: Composer's cache, or staging where that can't be written.
    fn download_path(&self, package: &PackageRequest) -> PathBuf {
        match &package.archive {
            Some(path) if package.archive_writable => path.clone(),
            _ => self.staged_archive(package),
        }
    }

    /// `None`: the package's blobs or manifest are not sound and there is no archive either.
    fn take_from_store(&self, package: &PackageRequest) -> Option<Outcome> {
        let manifest = match self.store.read_manifest(&package.dist.key()) {
            Ok(Some(manifest)) => manifest,
            Ok(None) => return self.take_from_archive(package),
            Err(error) => return Some(error.into()),
        };
        let linked = match self.link(package, &manifest) {
            // Another process may have renewed what was not there.
            Err(TreeError::Incomplete { damaged }) if damaged.is_empty() => {
                self.link(package, &manifest)
            }
            result => result,
        };
        match linked {
            Ok(files) => Some(self.ready(package, Origin::Store, files, 0)),
            Err(TreeError::Incomplete { damaged }) => {
                self.note_damage(package, damaged);
                self.take_from_archive(package)
            }
            Err(TreeError::Failed(error)) => Some(error.into()),
        }
    }

    fn note_damage(&self, package: &PackageRequest, paths: Vec<String>) {
        self.damages
            .lock()
            .extend(paths.into_iter().map(|path| Damage {
                file: format!("{path} of {} ({})", package.name, package.version),
                key: package.dist.key(),
            }));
    }

    /// Says what was found damaged, and which projects may have it through a hard link: one line, whatever
    /// happened.
    fn damage(&self) -> Option<String> {
        let mut damages = std::mem::take(&mut *self.damages.lock());
        damages.sort_by(|one, other| one.file.cmp(&other.file));
        let first = damages.first()?;
        let files: Vec<&str> = damages.iter().map(|damage| damage.file.as_str()).collect();
        let projects: Vec<String> = self
            .store
            .projects_with(&first.key)
            .iter()
            .map(|project| project.display().to_string())
            .collect();
        let projects: Vec<&str> = projects.iter().map(String::as_str).collect();
        let mut text = format!(
            "the store's copies of {} were changed in place or torn; they went to quarantine and are restored from the archives",
            first_names(&files)
        );
        if !projects.is_empty() {
            text.push_str("; projects that have the package: ");
            text.push_str(&first_names(&projects));
        }
        Some(text)
    }

    /// `None`: there is no (valid) archive in Composer's cache.
    fn take_from_archive(&self, package: &PackageRequest) -> Option<Outcome> {
        let archive = package.archive.as_deref().filter(|path| path.is_file())?;
        if let Some(expected) = package.dist.shasum.as_deref().filter(|sum| !sum.is_empty()) {
            match sha1_of(archive) {
                Ok(actual) if actual.eq_ignore_ascii_case(expected) => {}
                // As in Composer: a cache entry with another sum is no entry.
                _ => return None,
            }
        }
        match self.unpack(package, archive, Origin::Archive, 0) {
            // Damaged in the cache: as good as not there.
            Err(Error::Damaged(_)) => {
                let _ = fs::remove_file(archive);
                None
            }
            result => Some(result.unwrap_or_else(Outcome::from)),
        }
    }

    fn unpack(
        &self,
        package: &PackageRequest,
        archive: &Path,
        from: Origin,
        downloaded: u64,
    ) -> Result<Outcome> {
        if !self.store.is_writable() {
            return Ok(read_only());
        }
        let ingest = || {
            ingest(
                self.store,
                archive,
                &package.dist,
                (&package.name, &package.version),
                self.unpacking(package),
                &self.cancel,
            )
        };
        let ingested = ingest()?;
        let key: ManifestKey = package.dist.key();
        self.store.write_manifest(&key, &ingested.manifest)?;
        let linked = match self.link(package, &ingested.manifest) {
            // Another process took a blob of ours for torn, and has renewed it or is about to.
            Err(TreeError::Incomplete { damaged }) => {
                self.note_damage(package, damaged);
                ingest()?;
                self.link(package, &ingested.manifest)
            }
            result => result,
        };
        match linked {
            Ok(files) => Ok(self.ready(package, from, files, downloaded)),
            Err(TreeError::Failed(error)) => Err(error),
            Err(TreeError::Incomplete { .. }) => Err(Error::Declined {
                reason: "the store changes faster than it can be read".to_owned(),
            }),
        }
    }

    fn link(&self, package: &PackageRequest, manifest: &Manifest) -> Result<u64, TreeError> {
        if self.unpacking(package).after_unzip
            && manifest.has_listed_directories()
            && takes_links(&self.request.staging)
        {
            not_through_links(package, manifest, "lets no modes be set")?;
        }
        if self.unpacking(package).by_zip_archive
            && manifest
                .items
                .iter()
                .any(|item| matches!(item.kind, ItemKind::Symlink { .. }))
        {
            return Err(TreeError::Failed(Error::Declined {
                reason:
                    "it has symbolic links, which PHP's ZipArchive unpacks as files; install unzip"
                        .to_owned(),
            }));
        }
        if !utf8_locale()
            && package.dist.kind == "zip"
            && manifest.items.iter().any(|item| !item.path.is_ascii())
        {
            return Err(TreeError::Failed(Error::Declined {
                reason: "it has names that unzip spells by the locale".to_owned(),
            }));
        }
        let stage = self.stage(package);
        let options = TreeOptions {
            unpacking: self.unpacking(package),
            private: package.private,
            bins: &package.bins,
        };
        let result = link_tree(&self.linker, manifest, &stage, options, &self.cancel);
        match result {
            Ok(linked) => {
                let mut method = self.method.lock();
                *method = (*method).max(linked.method);
                Ok(linked.files)
            }
            Err(error) => {
                let _ = remove_all(&stage);
                Err(match error {
                    // What the system refuses us it may allow Composer, or Composer says it in its own words.
                    TreeError::Failed(error @ Error::Filesystem { .. })
                        if !error.is_full() || self.makes_room() =>
                    {
                        self.is_crowded.fetch_or(error.is_full(), Ordering::Relaxed);
                        if manifest.has_names_alike() && !self.unpacking(package).by_zip_archive {
                            not_through_links(package, manifest, "may take two names for one")?;
                        }
                        TreeError::Failed(Error::Declined {
                            reason: if error.is_full() {
                                CROWDED.to_owned()
                            } else {
                                error.to_string()
                            },
                        })
                    }
                    other => other,
                })
            }
        }
    }

    fn unpacking(&self, package: &PackageRequest) -> Unpacking<'_> {
        let after_unzip =
            package.dist.kind == "zip" && !package.plain_modes && !self.linker.can_chmod();
        Unpacking {
            umask: self.request.umask,
            zone: &self.zone,
            by_zip_archive: package.plain_modes || after_unzip,
            after_unzip,
        }
    }

    fn ready(
        &self,
        package: &PackageRequest,
        from: Origin,
        files: u64,
        downloaded: u64,
    ) -> Outcome {
        let archive = package.want_archive.then(|| match from {
            Origin::Download => self.download_path(package),
            Origin::Store | Origin::Archive => package.archive.clone().unwrap_or_default(),
        });
        Outcome::Ready {
            stage: self.stage(package),
            from,
            files,
            downloaded,
            archive,
        }
    }

    /// Downloads what can be, and hands each archive to the pool as it arrives.
    fn download<'s>(
        &'s self,
        packages: Vec<&'s PackageRequest>,
        scope: &rayon::Scope<'s>,
        events: &Sender<Event>,
    ) {
        let mut by_id = HashMap::new();
        let mut requests = Vec::new();
        for package in packages {
            let Some(info) = &package.fetch else {
                self.settle(package, Outcome::Missing, events);
                continue;
            };
            requests.push(allegro_fetch::Request {
                id: package.id,
                url: info.url.clone(),
                headers: info
                    .headers
                    .iter()
                    .filter_map(|line| header(line))
                    .collect(),
                proxies: self.request.http.proxies.clone(),
                tls: info.tls.clone(),
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
                    self.settle(package, declined(&error), events);
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
                        .unpack(package, &path, Origin::Download, fetched.bytes)
                        .unwrap_or_else(|error| {
                            // Composer, since 2.11, keeps no archive that can't be opened: it shall try again.
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
                    self.settle(package, declined(&error), events);
                }
            }
        };
        fetcher.run(requests, &self.cancel, &on_event, &on_done);
    }

    fn answer(self) -> PrepareAnswer {
        let damage = self.damage();
        let mut answers = self.answers.into_inner();
        let vendor_dir = self.request.vendor_dir.as_path();
        let mut roots: BTreeMap<&Path, Vec<ManifestKey>> = BTreeMap::new();
        for package in &self.request.packages {
            if matches!(answers.get(&package.id), Some(Outcome::Ready { .. })) {
                // What lies outside of vendor is a root of its own: a project that is made has no vendor yet.
                let root = match &package.path {
                    Some(path) if !is_below(path, vendor_dir) => path,
                    _ => vendor_dir,
                };
                roots.entry(root).or_default().push(package.dist.key());
            }
        }
        for (root, keys) in roots {
            // Only for naming projects and for pruning later: no reason to fail an install.
            let _ = self.store.note_root(root, &keys);
        }
        let mut packages: Vec<PackageAnswer> = self
            .request
            .packages
            .iter()
            .map(|package| PackageAnswer {
                id: package.id,
                outcome: answers.remove(&package.id).unwrap_or_else(|| {
                    Error::Internal(format!("{} was forgotten", package.name)).into()
                }),
            })
            .collect();
        let method = self.method.into_inner();
        let mut notices: Vec<String> = damage.into_iter().collect();
        notices.extend(quieten(&mut packages));
        if tell_once(&mut packages, CROWDED) {
            notices.push(format!(
                "there is no room for all packages at once in {}; Composer installs them one after the other",
                self.request.vendor_dir.display()
            ));
        }
        let root = self.store.root();
        if tell_once(&mut packages, STORE_IS_FULL) {
            notices.push(full(root));
        }
        if tell_once(&mut packages, READ_ONLY) {
            notices.push(format!(
                "the store at {} can't be written; Composer installs what it lacks",
                root.display()
            ));
        }
        if let Some(refusal) = self.linker.refusal()
            && method.is_some()
            && first_time(self.store, &self.request.vendor_dir, refusal)
        {
            notices.push(format!(
                "files are copied from the store at {}, because {}; {}",
                self.store.root().display(),
                refusal.reason(),
                refusal.advice()
            ));
        }
        PrepareAnswer {
            packages,
            method,
            notices,
            made: (self.started.as_nanos(), Moment::now().as_nanos()),
        }
    }
}

/// Whether a directory takes symbolic links; without them there are none to write through.
fn takes_links(directory: &Path) -> bool {
    let path = directory.join(allegro_base::fs::unique());
    let made = std::os::unix::fs::symlink("nowhere", &path).is_ok();
    let _ = fs::remove_file(&path);
    made
}

/// Refuses a package with a link that leads out where unzip fails, because Composer then writes
/// through the links that unzip has made.
fn not_through_links(
    package: &PackageRequest,
    manifest: &Manifest,
    file_system: &str,
) -> Result<(), TreeError> {
    // PharData makes no links.
    let link = manifest.link_that_leads_out();
    let Some(link) = link.filter(|_| package.dist.kind == "zip") else {
        return Ok(());
    };
    Err(TreeError::Failed(refused(
        &package.name,
        &package.version,
        Some(link),
        &format!(
            "the symbolic link leads out of the package, and Composer would write through it, because the file system {file_system}"
        ),
    )))
}

/// Removes what killed downloads left beside `dest` an hour or more ago. Failures don't matter.
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

/// Whether a path, which need not exist yet, leads to a place below a directory without links.
fn is_below(path: &Path, directory: &Path) -> bool {
    path.starts_with(directory)
        || path
            .ancestors()
            .find_map(|above| above.canonicalize().ok())
            .is_some_and(|real| real.starts_with(directory))
}

/// Says in one line what would otherwise be said of each of several packages.
fn quieten(packages: &mut [PackageAnswer]) -> Option<String> {
    let mut said: Vec<(&mut bool, &mut String)> = packages
        .iter_mut()
        .filter_map(|package| match &mut package.outcome {
            Outcome::Declined { reason, loud } if *loud => Some((loud, reason)),
            _ => None,
        })
        .collect();
    let [(_, reason), _, ..] = said.as_slice() else {
        return None;
    };
    let text = format!(
        "Composer installs {} packages by itself: {reason}",
        said.len()
    );
    for (loud, reason) in &mut said {
        **loud = false;
        reason.clear();
    }
    Some(text)
}

/// Takes a reason from all packages that have it; returns whether there are any, so that a notice must tell it.
fn tell_once(packages: &mut [PackageAnswer], what: &str) -> bool {
    let mut is_there = false;
    for package in packages {
        if let Outcome::Declined { reason, .. } = &mut package.outcome
            && reason == what
        {
            is_there = true;
            reason.clear();
        }
    }
    is_there
}

const READ_ONLY: &str = "the store can't be written";

const CROWDED: &str = "there is no room for all packages at once";

fn read_only() -> Outcome {
    Outcome::Declined {
        reason: READ_ONLY.to_owned(),
        loud: false,
    }
}

fn declined(error: &FetchError) -> Outcome {
    Outcome::Declined {
        reason: error.to_string(),
        loud: false,
    }
}

/// SHA-1 of a file, in lower-case hexadecimal.
fn sha1_of(path: &Path) -> std::io::Result<String> {
    let mut file = fs::File::open(path)?;
    let mut hasher = Sha1::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(allegro_base::hex::hex(&hasher.finalize())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

/// `Name: value`, as Composer keeps headers.
fn header(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    Some((name.trim().to_owned(), value.trim().to_owned()))
}

/// Whether this vendor directory hasn't been told yet why its files are copied.
fn first_time(store: &Store, vendor_dir: &Path, refusal: Refusal) -> bool {
    let name = sha2::Sha256::digest(vendor_dir.as_os_str().as_encoded_bytes());
    let told = store.root().join("told");
    let name = format!("{}-{refusal:?}", allegro_base::hex::hex(&name[..16]));
    fs::create_dir_all(&told).is_ok() && fs::File::create_new(told.join(name)).is_ok()
}

/// The first three of some names, and how many more there are.
fn first_names(names: &[&str]) -> String {
    const SHOWN: usize = 3;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}
