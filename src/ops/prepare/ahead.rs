//! Packages that are made before Composer asks for them.
//!
//! While PHP starts, a worker of the command line makes the packages of the lock on a shelf, which
//! is a directory of the store. The helper of that PHP takes a package from the shelf by a rename.
//! Both sides claim a package by creating its place, so that each package is made once. The name of
//! the shelf is the process id of PHP, and the worker removes the shelf when that process ends.

mod terms;

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use allegro_archive::Zone;
use allegro_base::error::{Error, Result, in_store};
use allegro_base::fs::{read_regular, remove_all};
use allegro_base::identity::Moment;
use allegro_base::limits;
use allegro_base::report::Host;
use allegro_store::Store;
use allegro_store::link::{Linker, Method};
use parking_lot::Mutex;
use rustix::fs::{FlockOperation, flock};

pub use terms::terms;

use terms::digest;

use super::damages::Damages;
use super::fill::Aim;
use super::staging::Staging;
use super::{Preparation, Road, open_store};
use crate::ops::attend::attend;
use crate::protocol::prepare::{PackageOutcome, PackageRequest, PrepareRequest, Provenance};
use crate::settings::{Environment, Settings};

/// File that the worker keeps locked while it makes packages.
const LOCK: &str = "lock";

/// File with everything that all packages of the shelf depend on, and the time of the start.
const TERMS: &str = "terms";

/// File that tells the worker to stop, and to remove the shelf.
const OVER: &str = "over";

/// File with a sentence for the user about damaged files.
const NOTICE: &str = "notice";

/// Name of a package's directory while it is being made.
const UNFINISHED: &str = "tree";

/// Bytes that the worker may need, as the helper for the same packages.
const MEMORY: u64 = 96 << 20;

/// The interval at which the helper looks for a package that the worker is making.
const LOOK: Duration = Duration::from_micros(300);

/// A package that was made on a shelf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// Number of regular files.
    pub files: u64,
    /// Source of the content.
    pub from: Provenance,
    /// Method by which shared files were put in place.
    pub method: Option<Method>,
}

impl Made {
    /// Returns the name of the package's directory, which tells these facts.
    fn name(self) -> String {
        let from = match self.from {
            Provenance::Store => "store",
            Provenance::Archive => "archive",
            Provenance::Download => "download",
        };
        let method = self.method.map(|method| method.to_string());
        format!("{}.{from}.{}", self.files, method.unwrap_or_default())
    }

    fn of_name(name: &OsStr) -> Option<Self> {
        let mut parts = name.to_str()?.split('.');
        let files = parts.next()?.parse().ok()?;
        let from = match parts.next()? {
            "store" => Provenance::Store,
            "archive" => Provenance::Archive,
            _ => return None,
        };
        let word = parts.next()?;
        let methods = [Method::Reflink, Method::Hardlink, Method::Copy];
        let method = methods
            .into_iter()
            .find(|method| method.to_string() == word);
        (method.is_some() || word.is_empty()).then_some(Self {
            files,
            from,
            method,
        })
    }
}

/// What a caller may do about a package after [`Shelf::claim`].
#[derive(Debug, PartialEq, Eq)]
pub enum Claim {
    /// The caller makes the package.
    Mine,
    /// The package is there, in the directory of this path.
    Made(PathBuf, Made),
    /// The other side makes the package.
    Theirs,
}

/// A directory of packages that are made before Composer asks for them.
#[derive(Debug)]
pub struct Shelf {
    dir: PathBuf,
    /// Time at which the worker began, in nanoseconds since 1970.
    started: i64,
    /// Locked file of the worker.
    lock: Option<File>,
    is_given_up: AtomicBool,
}

/// Returns the path of the shelf for a process.
fn place_for(store: &Store, customer: u32) -> PathBuf {
    // The sweep of leftovers reads the process id at the beginning of the name.
    let name = format!("{customer:x}-ahead");
    store.temporary().with_file_name(name)
}

/// Removes a shelf. It first gets another name, so that nobody takes a package that is being removed.
fn remove(dir: &Path) -> io::Result<()> {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push("-gone");
    let gone = dir.with_file_name(name);
    remove_all(&gone)?;
    match fs::rename(dir, &gone) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed.and_then(|()| remove_all(&gone)),
    }
}

impl Shelf {
    /// Makes an empty shelf for the process that will be PHP.
    fn make(store: &Store, customer: u32) -> io::Result<Self> {
        let started = Moment::now().as_nanos();
        let dir = place_for(store, customer);
        remove(&dir)?;
        DirBuilder::new().mode(0o700).create(&dir)?;
        let lock = File::create_new(dir.join(LOCK))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self {
            dir,
            started,
            lock: Some(lock),
            is_given_up: AtomicBool::new(false),
        })
    }

    /// Says on which terms packages are made. Before that nobody takes one.
    fn open(&self, terms: &str) -> io::Result<()> {
        let text = format!("{}\n{terms}", self.started);
        let new = self.dir.join("terms.new");
        fs::write(&new, text)?;
        fs::rename(new, self.dir.join(TERMS))
    }

    /// Finds the shelf that was made for this process or for the one that started it. Returns
    /// `None` if there is none whose packages equal those of the request.
    pub fn find(store: &Store, terms: impl FnOnce() -> String) -> Option<Self> {
        let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
        let parent = parent.and_then(|pid| u32::try_from(pid).ok());
        let customers = [Some(std::process::id()), parent];
        let dir = customers
            .into_iter()
            .flatten()
            .map(|customer| place_for(store, customer))
            .find(|dir| dir.is_dir())?;
        let facts = fs::symlink_metadata(&dir).ok()?;
        if facts.uid() != rustix::process::geteuid().as_raw() {
            return None;
        }
        let text = read_regular(&dir.join(TERMS)).ok().flatten()?;
        let text = String::from_utf8(text).ok()?;
        let (started, theirs) = text.split_once('\n')?;
        let shelf = Self {
            started: started.parse().ok()?,
            dir,
            lock: None,
            is_given_up: AtomicBool::new(false),
        };
        if theirs == terms() {
            return Some(shelf);
        }
        shelf.abandon();
        None
    }

    /// Returns the time at which the first package can have been made.
    pub fn started(&self) -> i64 {
        self.started
    }

    fn place(&self, package: &PackageRequest) -> PathBuf {
        self.dir.join(digest(package))
    }

    /// Returns the directory in which a claimed package is made.
    fn unfinished(&self, package: &PackageRequest) -> PathBuf {
        self.place(package).join(UNFINISHED)
    }

    /// Claims a package, unless the other side has it.
    pub fn claim(&self, package: &PackageRequest) -> Claim {
        if !package.use_store || package.want_archive {
            return Claim::Mine;
        }
        let place = self.place(package);
        match fs::create_dir(&place) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // The helper makes each package for which there is no shelf.
            _ => return Claim::Mine,
        }
        let mut entries = fs::read_dir(&place).into_iter().flatten().flatten();
        entries
            .find_map(|entry| Some((entry.path(), Made::of_name(&entry.file_name())?)))
            .map_or(Claim::Theirs, |(path, made)| Claim::Made(path, made))
    }

    /// Waits for a package that the other side is making. Returns what [`Self::claim`] does, but
    /// never [`Claim::Theirs`].
    pub fn wait(&self, package: &PackageRequest, cancel: &AtomicBool) -> Claim {
        loop {
            let is_worked_on = self.is_worked_on();
            match self.claim(package) {
                Claim::Theirs if is_worked_on && !cancel.load(Ordering::Relaxed) => {
                    std::thread::sleep(LOOK);
                }
                Claim::Theirs => return Claim::Mine,
                claim => return claim,
            }
        }
    }

    /// Returns whether a worker may still make packages.
    fn is_worked_on(&self) -> bool {
        let lock = File::open(self.dir.join(LOCK));
        lock.is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockShared).is_err())
    }

    /// Gives a package that is complete to the other side.
    fn publish(&self, package: &PackageRequest, made: Made) -> io::Result<()> {
        let place = self.place(package);
        fs::rename(place.join(UNFINISHED), place.join(made.name()))
    }

    /// Gives a claim back.
    fn release(&self, package: &PackageRequest) {
        let _ = remove_all(&self.place(package));
    }

    /// Tells the worker to remove the shelf, which nobody needs.
    pub fn abandon(&self) {
        let _ = File::create(self.dir.join(OVER));
        if !self.is_worked_on() {
            let _ = remove(&self.dir);
        }
    }

    /// Returns whether nobody needs the shelf.
    fn is_over(&self) -> bool {
        self.is_given_up.load(Ordering::Relaxed)
            || self.dir.join(OVER).exists()
            || !self.dir.exists()
    }

    /// Removes the shelf if all its packages were taken, and none is being made.
    pub fn tidy(&self) {
        if self.is_worked_on() {
            return;
        }
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let mut is_empty = true;
        for entry in entries {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                is_empty &= fs::remove_dir(entry.path()).is_ok();
            }
        }
        if is_empty {
            let _ = remove(&self.dir);
        }
    }

    /// Returns the worker's sentence for the user, once.
    pub fn notice(&self) -> Option<String> {
        let path = self.dir.join(NOTICE);
        let text = read_regular(&path).ok().flatten()?;
        let _ = fs::remove_file(path);
        String::from_utf8(text).ok()
    }
}

/// Makes packages for the process `customer` that PHP will be, as far as the store or Composer's
/// cache has them. Then the function waits until that process is gone, which `host` reports as an
/// interruption, and removes what was not taken.
///
/// # Errors
/// Fails where nothing can be made ahead. The directory is removed then too.
pub fn prepare_ahead(
    mut request: PrepareRequest,
    customer: u32,
    environment: &Environment,
    host: &mut dyn Host,
) -> Result<()> {
    let mut settings = Settings::resolve(&request.settings, environment)?;
    // One processor is PHP's, which everything waits for in the end.
    settings.threads = settings.threads.saturating_sub(1).max(1);
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(request.umask));
    let store = open_store(&settings, host)?;
    if !store.is_writable() {
        return Ok(());
    }
    let mut shelf =
        Shelf::make(&store, customer).map_err(in_store("making a shelf in", store.root()))?;
    request.staging.clone_from(&shelf.dir);
    let made = make(&request, &settings, &store, &shelf, host);
    // The helper takes over what is not made yet.
    shelf.lock = None;
    // Nobody can prune the store as long as it is open.
    drop(store);
    if made.is_ok() {
        while !host.interrupted() && !shelf.is_over() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    let _ = remove(&shelf.dir);
    made
}

fn make(
    request: &PrepareRequest,
    settings: &Settings,
    store: &Store,
    shelf: &Shelf,
    host: &mut dyn Host,
) -> Result<()> {
    limits::check(MEMORY)?;
    let linker = Linker::new(store, &shelf.dir, settings.strategy, settings.verify)?;
    if linker.refusal().is_some() {
        return Err(Error::Declined {
            reason: "the store's files can't be linked".to_owned(),
        });
    }
    shelf
        .open(&terms(request, settings, &linker, &shelf.dir))
        .map_err(in_store("writing", &shelf.dir))?;
    let run = Preparation {
        started: Moment::now(),
        linker,
        zone: Zone::of(request.timezone.as_deref(), &settings.zone_directory),
        damages: Damages::default(),
        staging: Staging::of_shelf(&shelf.dir),
        answers: Mutex::default(),
        methods: Mutex::default(),
        is_crowded: AtomicBool::new(false),
        cancel: AtomicBool::new(false),
        aim: Aim::Ahead,
        shelf: Some(shelf),
        request,
        settings,
        store,
    };
    attend(&mut Watch { host, shelf }, &run.cancel, |events| {
        run.work(&events)
    })?
}

/// A host that also stops where the shelf is not needed.
struct Watch<'a> {
    host: &'a mut dyn Host,
    shelf: &'a Shelf,
}

impl Host for Watch<'_> {
    fn events(&mut self, _events: Vec<allegro_base::report::Event>) {}

    fn interrupted(&mut self) -> bool {
        self.host.interrupted() || self.shelf.is_over()
    }
}

impl Preparation<'_> {
    /// Makes a package on the shelf, unless the helper has claimed it.
    pub(super) fn make_ahead(&self, package: &PackageRequest, road: Road, shelf: &Shelf) {
        let is_needed = !self.cancel.load(Ordering::Relaxed) && !shelf.is_over();
        if !is_needed || shelf.claim(package) != Claim::Mine {
            return;
        }
        let outcome = self.take_along(package, road);
        if let Some(notice) = self.damages.notice(self.store) {
            let _ = fs::write(shelf.dir.join(NOTICE), notice);
        }
        // The helper tells the user why files are not shared, and of errors.
        let is_plain = self.linker.refusal().is_none();
        shelf.is_given_up.fetch_or(!is_plain, Ordering::Relaxed);
        let is_published = match outcome {
            Some(PackageOutcome::Ready { files, from, .. }) if is_plain => {
                let method = self.methods.lock().get(&package.id).copied();
                let made = Made {
                    files,
                    from,
                    method,
                };
                shelf.publish(package, made).is_ok()
            }
            _ => false,
        };
        if !is_published {
            shelf.release(package);
        }
    }

    /// Takes a package that was made ahead. Returns `None` where it can't be moved.
    pub(super) fn take(
        &self,
        package: &PackageRequest,
        path: &Path,
        made: Made,
    ) -> Option<PackageOutcome> {
        fs::rename(path, self.staging.of(package)).ok()?;
        self.note_method(package, made.method);
        Some(self.ready(package, made.from, made.files, 0))
    }

    /// Notes the method by which a package's shared files were put in place.
    pub(super) fn note_method(&self, package: &PackageRequest, method: Option<Method>) {
        if let Some(method) = method {
            self.methods.lock().insert(package.id, method);
        }
    }

    /// Returns the directory in which a package is made.
    pub(super) fn stage_of(&self, package: &PackageRequest) -> PathBuf {
        match self.shelf.filter(|_| self.aim == Aim::Ahead) {
            Some(shelf) => shelf.unfinished(package),
            None => self.staging.of(package),
        }
    }
}

#[cfg(test)]
mod tests;
