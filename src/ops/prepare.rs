//! Puts packages into directories in staging: from the store, from Composer's archive cache, or
//! from the network.

mod ahead;
mod answer;
mod damages;
mod download;
mod fill;
mod hand_over;
mod notices;
mod outcome;
mod road;
mod staging;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::Sender;
use parking_lot::Mutex;
use rustix::fs::Mode;
use sha1::{Digest as _, Sha1};

use super::attend::attend;
use crate::protocol::prepare::{
    PackageOutcome, PackageRequest, PrepareAnswer, PrepareRequest, Provenance,
};
use crate::settings::{Environment, Settings};
pub use ahead::prepare_ahead;
use allegro_archive::{Unpacking, Zone};
use allegro_base::error::{Error, Result};
use allegro_base::fs::remove_all;
use allegro_base::identity::Moment;
use allegro_base::report::{Event, Host, Unheard};
use allegro_base::threads::with_pool;
use allegro_composer::{Dist, ManifestKey};
use allegro_store::link::{Linker, Method, TreeError, TreeOptions, check_files, link_tree};
use allegro_store::{Manifest, PATIENCE, Store, ingest};
pub use fill::{fill, restore};

use ahead::{Claim, Shelf, terms};
use damages::Damages;
use fill::Aim;
use hand_over::{not_through_links, read_only};
use notices::{CROWDED, decline_all};
use road::{Road, plan};
use staging::Staging;
pub use staging::sweep_vendor;

/// The time that one call may spend on removing leftovers of former versions from the store.
const RETIREMENT: Duration = Duration::from_millis(100);

/// Makes all packages of the request ready in staging.
///
/// The function touches only `request.staging`, the store and Composer's archive cache. All threads
/// have ended when it returns.
///
/// # Errors
/// Fails only for trouble of the whole request. A package's own trouble is in its
/// [`PackageOutcome`].
pub fn prepare(
    request: &PrepareRequest,
    environment: &Environment,
    host: &mut dyn Host,
) -> Result<PrepareAnswer> {
    prepare_for(Aim::Project, request, environment, host)
}

fn prepare_for(
    aim: Aim,
    request: &PrepareRequest,
    environment: &Environment,
    host: &mut dyn Host,
) -> Result<PrepareAnswer> {
    let settings = Settings::resolve(&request.settings, environment)?;
    // In the extension, the umask has this value already.
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
    // The caller may be gone by now. Nothing may be started that another run is already sweeping
    // away.
    if host.interrupted() {
        let _ = fs::remove_dir(&request.staging);
        return Err(Error::Interrupted);
    }
    let staging = Staging::open(&request.staging)?;
    let linker = Linker::new(
        &store,
        &request.staging,
        settings.strategy,
        settings.verify || aim == Aim::Repair,
    )?;
    let shelf = (aim == Aim::Project)
        .then(|| {
            Shelf::find(&store, || {
                terms(request, &settings, &linker, staging.path())
            })
        })
        .flatten();

    let run = Preparation {
        started: Moment::now(),
        linker,
        zone: Zone::of(request.timezone.as_deref(), &settings.zone_directory),
        damages: Damages::default(),
        staging,
        answers: Mutex::new(HashMap::with_capacity(request.packages.len())),
        methods: Mutex::default(),
        is_crowded: AtomicBool::new(false),
        cancel: AtomicBool::new(false),
        aim,
        shelf: shelf.as_ref(),
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
        run.staging.clear(&request.packages);
        return Err(error);
    }
    if listener.interrupted() {
        run.cancel.store(true, Ordering::Relaxed);
    }
    if run.cancel.load(Ordering::Relaxed) {
        run.staging.clear(&request.packages);
        return Err(Error::Interrupted);
    }
    if run.is_crowded.load(Ordering::Relaxed) {
        run.give_way();
    }
    let answer = run.answer();
    if let Some(shelf) = shelf {
        shelf.tidy();
    }
    store.retire_former_buckets(RETIREMENT);
    Ok(answer)
}

/// Opens the store, and sends a notice if another process keeps the store locked for long.
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

/// One call of [`prepare`], shared by its threads.
struct Preparation<'a> {
    aim: Aim,
    /// Packages that are made ahead: by this call, or for it.
    shelf: Option<&'a Shelf>,
    request: &'a PrepareRequest,
    settings: &'a Settings,
    store: &'a Store,
    started: Moment,
    linker: Linker<'a>,
    /// Zone of local times in archives.
    zone: Zone,
    damages: Damages,
    staging: Staging<'a>,
    answers: Mutex<HashMap<usize, PackageOutcome>>,
    /// Methods by which shared files were put in place, by the packages' ids.
    methods: Mutex<HashMap<usize, Method>>,
    /// Whether there was no room for the packages beside those that they replace.
    is_crowded: AtomicBool,
    cancel: AtomicBool,
}

impl Preparation<'_> {
    fn work(&self, events: &Sender<Event>) -> Result<()> {
        with_pool(self.settings.threads, |pool| self.work_in(pool, events))
    }

    fn work_in(&self, pool: &rayon::ThreadPool, events: &Sender<Event>) {
        let (local, mut wanted) = plan(pool, self.store, &self.request.packages);
        if !self.store.is_writable() {
            // Nothing can be added to the store.
            for package in wanted.drain(..) {
                self.settle(package, read_only(), events);
            }
        }
        if self.aim == Aim::Ahead {
            // Composer has not announced any download yet.
            wanted.clear();
        }
        // Packages that are being made ahead come after the others. The last round downloads
        // packages that the store or the cache turned out not to hold soundly.
        let (later, unsound) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        pool.in_place_scope(|scope| {
            for (package, road) in local {
                let (events, later, unsound) = (events.clone(), &later, &unsound);
                scope.spawn(move |_| match self.shelf {
                    Some(shelf) if self.aim == Aim::Ahead => {
                        self.make_ahead(package, road, shelf);
                    }
                    Some(shelf) => match shelf.claim(package) {
                        Claim::Theirs => later.lock().push((package, road, shelf)),
                        claim => self.make(package, road, claim, &events, unsound),
                    },
                    None => self.make(package, road, Claim::Mine, &events, unsound),
                });
            }
            self.download(std::mem::take(&mut wanted), scope, events);
        });
        let later = later.into_inner();
        if !later.is_empty() {
            pool.in_place_scope(|scope| {
                for (package, road, shelf) in later {
                    let (events, unsound) = (events.clone(), &unsound);
                    scope.spawn(move |_| {
                        let claim = shelf.wait(package, &self.cancel);
                        self.make(package, road, claim, &events, unsound);
                    });
                }
            });
        }
        let unsound = unsound.into_inner();
        if !unsound.is_empty() {
            pool.in_place_scope(|scope| self.download(unsound, scope, events));
        }
    }

    /// Makes a package from what is at hand, or takes it where it was made ahead.
    fn make<'p>(
        &self,
        package: &'p PackageRequest,
        road: Road,
        claim: Claim,
        events: &Sender<Event>,
        unsound: &Mutex<Vec<&'p PackageRequest>>,
    ) {
        let taken = match claim {
            Claim::Made(path, made) => self.take(package, &path, made),
            Claim::Mine | Claim::Theirs => None,
        };
        match taken.or_else(|| self.take_along(package, road)) {
            Some(outcome) => self.settle(package, outcome, events),
            None => unsound.lock().push(package),
        }
    }

    /// Makes a package by its road. Returns `None` where it must be downloaded after all.
    fn take_along(&self, package: &PackageRequest, road: Road) -> Option<PackageOutcome> {
        match road {
            Road::Store => self.take_from_store(package),
            Road::Archive => self.take_from_archive(package),
        }
    }

    fn settle(&self, package: &PackageRequest, outcome: PackageOutcome, events: &Sender<Event>) {
        self.answers.lock().insert(package.id, outcome);
        let _ = events.send(Event::Settled { id: package.id });
    }

    /// Returns whether Composer may find room where we don't. Composer removes a package before it
    /// unpacks the new one, while ours all lie beside the old ones first. Into an empty vendor
    /// directory, both write the same.
    fn makes_room(&self) -> bool {
        let installed = self.request.vendor_dir.join("composer/installed.json");
        fs::metadata(installed).is_ok_and(|facts| facts.len() > 0)
    }

    /// Leaves all packages of this call to Composer, which then has the room that ours take.
    fn give_way(&self) {
        self.staging.clear(&self.request.packages);
        if let Some(shelf) = self.shelf {
            shelf.abandon();
        }
        for outcome in self.answers.lock().values_mut() {
            if matches!(outcome, PackageOutcome::Ready { .. }) {
                *outcome = PackageOutcome::Declined {
                    reason: CROWDED.to_owned(),
                    loud: false,
                };
            }
        }
    }

    /// Makes a package from the store. Returns `None` if its blobs or its manifest are not sound,
    /// and there is no archive either.
    fn take_from_store(&self, package: &PackageRequest) -> Option<PackageOutcome> {
        let manifest = match self.store.read_manifest(&Dist::from(&package.dist).key()) {
            Ok(Some(manifest)) => manifest,
            Ok(None) => return self.take_from_archive(package),
            Err(error) => return Some(error.into()),
        };
        let linked = match self.link(package, &manifest) {
            // Another process may have renewed a blob that was missing.
            Err(TreeError::Incomplete { damaged }) if damaged.is_empty() => {
                self.link(package, &manifest)
            }
            result => result,
        };
        match linked {
            Ok(files) => Some(self.ready(package, Provenance::Store, files, 0)),
            Err(TreeError::Incomplete { damaged }) => {
                self.damages.note(package, damaged);
                self.take_from_archive(package)
            }
            Err(TreeError::Failed(error)) => Some(error.into()),
        }
    }

    /// Makes a package from an archive. Returns `None` if Composer's cache has no valid archive.
    fn take_from_archive(&self, package: &PackageRequest) -> Option<PackageOutcome> {
        let archive = package.archive.as_deref().filter(|path| path.is_file())?;
        if let Some(expected) = package.dist.shasum.as_deref().filter(|sum| !sum.is_empty()) {
            match sha1_of(archive) {
                Ok(actual) if actual.eq_ignore_ascii_case(expected) => {}
                // As in Composer, a cache entry with another sum is no entry.
                _ => return None,
            }
        }
        match self.unpack(package, archive, Provenance::Archive, 0) {
            // A damaged archive in the cache counts as absent.
            Err(Error::Damaged(_)) => {
                let _ = fs::remove_file(archive);
                None
            }
            result => Some(result.unwrap_or_else(PackageOutcome::from)),
        }
    }

    fn unpack(
        &self,
        package: &PackageRequest,
        archive: &Path,
        from: Provenance,
        downloaded: u64,
    ) -> Result<PackageOutcome> {
        if !self.store.is_writable() {
            return Ok(read_only());
        }
        let ingest = || {
            ingest(
                self.store,
                archive,
                Dist::from(&package.dist),
                (&package.name, &package.version),
                self.unpacking(package),
                &self.cancel,
            )
        };
        let ingested = ingest()?;
        let key: ManifestKey = Dist::from(&package.dist).key();
        self.store.write_manifest(&key, &ingested.manifest)?;
        let linked = match self.link(package, &ingested.manifest) {
            // Another process took a blob of ours for torn, and has renewed it or is about to.
            Err(TreeError::Incomplete { damaged }) => {
                self.damages.note(package, damaged);
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
        let unpacking = self.unpacking(package);
        if self.aim == Aim::Store {
            let options = TreeOptions {
                unpacking,
                private: package.private,
                bins: &package.bins,
                shares_bins: package.shares_bins,
            };
            return check_files(&self.linker, manifest, options).map(|checked| checked.files);
        }
        hand_over::check(package, manifest, self.staging.path(), &unpacking)
            .map_err(TreeError::Failed)?;
        let stage = self.stage_of(package);
        let options = TreeOptions {
            unpacking,
            private: package.private,
            bins: &package.bins,
            shares_bins: package.shares_bins,
        };
        match link_tree(&self.linker, manifest, &stage, options, &self.cancel) {
            Ok(linked) => {
                self.note_method(package, linked.method);
                Ok(linked.files)
            }
            Err(error) => {
                let _ = remove_all(&stage);
                Err(match error {
                    // The system may allow Composer what it refuses us, or Composer reports the
                    // error in its own words.
                    TreeError::Failed(error @ Error::Filesystem { .. })
                        if !error.is_full() || self.makes_room() =>
                    {
                        self.is_crowded.fetch_or(error.is_full(), Ordering::Relaxed);
                        if manifest.has_names_alike() && !unpacking.by_zip_archive {
                            not_through_links(package, manifest, "may take two names for one")
                                .map_err(TreeError::Failed)?;
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
            utf8_locale: self.settings.utf8_locale,
        }
    }

    fn ready(
        &self,
        package: &PackageRequest,
        from: Provenance,
        files: u64,
        downloaded: u64,
    ) -> PackageOutcome {
        let archive = package.want_archive.then(|| match from {
            Provenance::Download => self.download_path(package),
            Provenance::Store | Provenance::Archive => package.archive.clone().unwrap_or_default(),
        });
        PackageOutcome::Ready {
            stage: self.stage_of(package),
            from,
            files,
            downloaded,
            archive,
        }
    }
}

/// Returns the SHA-1 of a file, in lower-case hexadecimal.
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
