//! Makes a package's directory from its manifest.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags, fchmod, fstat, mkdirat, symlinkat, utimensat};

use super::linker::{LinkError, LinkSource, LinkTarget, Supply, tolerate};
use super::{Linker, Method};
use crate::{FileSpec, ItemKind, Manifest, open_directory, open_directory_at};
use allegro_archive::{self as archive, ArchiveError, FileTime, Unpacking};
use allegro_base::error::{Error, Result, at};
use allegro_base::fs::timestamps;
use allegro_base::progress;

/// Options of a package that its manifest doesn't hold.
#[derive(Debug, Clone, Copy)]
pub struct TreeOptions<'a> {
    /// The way in which Composer would unpack the archive.
    pub unpacking: Unpacking<'a>,
    /// Whether no file may share an inode with the store. That holds for plugins, patched packages,
    /// packages that the user names, and packages outside of vendor.
    pub private: bool,
    /// Files that become executable, relative to the package. Each gets an inode of its own.
    pub bins: &'a [String],
    /// Whether files of `bins` that have the right mode already may be shared, because nobody sets
    /// it again.
    pub shares_bins: bool,
}

impl TreeOptions<'_> {
    /// Returns whether the mode of a file is set after the file is in place.
    fn is_changed_program(&self, path: &String, mode: u32) -> bool {
        self.bins.contains(path) && !(self.shares_bins && mode == 0o777 & !self.unpacking.umask)
    }
}

/// The count of linked files, taken from what was done.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Linked {
    /// Number of regular files.
    pub files: u64,
    /// Sum of the files' sizes in bytes.
    pub bytes: u64,
    /// The "lowest" method that was used for a shared file, if there was one.
    pub method: Option<Method>,
}

/// The reason why a package could not be made from the store.
#[derive(Debug)]
pub enum TreeError {
    /// Blobs are missing or were damaged, and the package must be ingested again. The linker has
    /// moved damaged blobs out of the way.
    Incomplete {
        /// Paths of the package whose blobs were changed in place or torn.
        damaged: Vec<String>,
    },
    /// Another error occurred.
    Failed(Error),
}

impl From<Error> for TreeError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Makes `target`, which must not exist, into the package that `manifest` describes.
///
/// The function makes files in the manifest's order, as the archive tool would. It makes each file
/// through a handle of its directory, and follows no link on the way there.
pub fn link_tree(
    linker: &Linker<'_>,
    manifest: &Manifest,
    target: &Path,
    options: TreeOptions<'_>,
    cancel: &AtomicBool,
) -> Result<Linked, TreeError> {
    let times = Times::resolve(manifest, options.unpacking)?;
    // The blobs are checked before anything is made. A package with damaged blobs starts over and
    // names them.
    let files = sound_files(linker, manifest, &times, options)?;
    let mut files = files.into_iter();

    let mut dirs = Directories::create(target, manifest.root_mode, options)?;
    // Modes of directories come last and innermost first, because one without write permission must
    // be filled before.
    let mut dir_modes: Vec<(PathBuf, u32)> = Vec::new();
    let mut dir_times: Vec<(&str, i64)> = Vec::new();
    let has_acl = linker.has_default_acl();
    let exact = |mode, time| match mode {
        _ if options.unpacking.by_zip_archive => None,
        archive::Mode::Exact(mode) => Some(mode),
        // unzip sets the mode of each directory that has an entry, which shows where a default ACL
        // has set another one [measured]. Only such entries have a time.
        archive::Mode::Default if has_acl && time != archive::Time::Now => {
            Some(0o777 & !options.unpacking.umask)
        }
        _ => None,
    };
    if let Some(mode) = exact(manifest.root_mode, manifest.root_time) {
        dir_modes.push((target.to_owned(), mode));
    }
    let mut linked = Linked::default();
    for item in &manifest.items {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::Interrupted.into());
        }
        progress::step();
        match &item.kind {
            ItemKind::File { size, .. } => {
                let Some(file) = files.next() else {
                    return Err(Error::Internal(format!("no blob for {}", item.path)).into());
                };
                let (parent, name) = dirs.parent(&item.path)?;
                let place = LinkTarget {
                    dir: parent,
                    name,
                    path: &|| target.join(&item.path),
                };
                let method = match linker.link(&file.source, &file.spec, &place) {
                    Ok(method) => method,
                    // Another process has removed the blob since the check.
                    Err(LinkError::Vanished) => {
                        return Err(TreeError::Incomplete {
                            damaged: Vec::new(),
                        });
                    }
                    Err(LinkError::Failed(error)) => return Err(error.into()),
                };
                linked.files += 1;
                linked.bytes += size;
                if !file.is_private {
                    linked.method = linked.method.max(Some(method));
                }
            }
            ItemKind::Dir => {
                if dirs.make(&item.path, item.mode)?
                    && let FileTime::At(seconds) = times.dirs[item.time as usize]
                {
                    dir_times.push((&item.path, seconds));
                }
                if let Some(mode) = exact(item.mode, manifest.times[item.time as usize]) {
                    dir_modes.push((target.join(&item.path), mode));
                }
            }
            ItemKind::Symlink { target: to } => {
                let (parent, name) = dirs.parent(&item.path)?;
                symlinkat(OsStr::from_bytes(to), parent, name)
                    .map_err(|error| at("linking", &target.join(&item.path))(error.into()))?;
            }
        }
    }
    // Times come after all files, because each new file changes the time of its directory.
    for (path, seconds) in dir_times {
        dirs.set_time(path, seconds)?;
    }
    if let FileTime::At(seconds) = times.root {
        dirs.set_time(".", seconds)?;
    }
    for (path, mode) in dir_modes.iter().rev() {
        set_mode(path, *mode).map_err(at("setting the mode of", path))?;
    }
    Ok(linked)
}

/// Checks whether the store has all files of a package in order, and mends files as [`link_tree`]
/// does. Nothing is linked.
///
/// # Errors
/// Fails as [`link_tree`] does.
pub fn check_files(
    linker: &Linker<'_>,
    manifest: &Manifest,
    options: TreeOptions<'_>,
) -> Result<Linked, TreeError> {
    let times = Times::resolve(manifest, options.unpacking)?;
    sound_files(linker, manifest, &times, options)?;
    let (files, bytes) = manifest.files_and_bytes();
    Ok(Linked {
        files,
        bytes,
        method: None,
    })
}

/// The times of a manifest, resolved for this system.
struct Times {
    files: Vec<FileTime>,
    dirs: Vec<FileTime>,
    root: FileTime,
}

impl Times {
    fn resolve(manifest: &Manifest, unpacking: Unpacking<'_>) -> Result<Self> {
        let declined = |error: ArchiveError| Error::Declined {
            reason: error.to_string(),
        };
        let all = |resolve: &dyn Fn(archive::Time) -> Result<FileTime, ArchiveError>| {
            manifest
                .times
                .iter()
                .map(|&time| resolve(time).map_err(declined))
                .collect::<Result<Vec<FileTime>>>()
        };
        Ok(Self {
            files: all(&|time| unpacking.file_time(time))?,
            dirs: all(&|time| unpacking.dir_time(time))?,
            root: unpacking.dir_time(manifest.root_time).map_err(declined)?,
        })
    }
}

/// A file with the inode that it is made from.
struct SoundFile {
    spec: FileSpec,
    source: LinkSource,
    is_private: bool,
}

/// Finds the blobs of all files, in the manifest's order, if all are in the store and sound.
fn sound_files(
    linker: &Linker<'_>,
    manifest: &Manifest,
    times: &Times,
    options: TreeOptions<'_>,
) -> Result<Vec<SoundFile>, TreeError> {
    let mut files = Vec::with_capacity(manifest.items.len());
    let mut damaged = Vec::new();
    let mut is_complete = true;
    for item in &manifest.items {
        let ItemKind::File { digest, size } = item.kind else {
            continue;
        };
        let spec = FileSpec {
            digest,
            size,
            mode: options.unpacking.file_mode(item.mode),
            time: times.files[item.time as usize],
        };
        let is_private = options.private || options.is_changed_program(&item.path, spec.mode);
        progress::step();
        match linker.supply(&spec, is_private)? {
            Supply::Ready(source) => files.push(SoundFile {
                spec,
                source,
                is_private,
            }),
            Supply::Missing => is_complete = false,
            Supply::Damaged => {
                is_complete = false;
                damaged.push(item.path.clone());
            }
        }
    }
    if is_complete {
        Ok(files)
    } else {
        Err(TreeError::Incomplete { damaged })
    }
}

/// The directories of a package. They are created when they are needed.
struct Directories<'a> {
    root: &'a Path,
    handle: OwnedFd,
    options: TreeOptions<'a>,
    made: HashSet<String>,
    /// Path of the last file's directory. `open` has a handle for each part of the path, outermost
    /// first, because consecutive files mostly share a directory.
    open_path: String,
    open: Vec<(usize, OwnedFd)>,
}

impl<'a> Directories<'a> {
    fn create(root: &'a Path, mode: archive::Mode, options: TreeOptions<'a>) -> Result<Self> {
        fs::DirBuilder::new()
            .mode(made_with(mode, options))
            .create(root)
            .map_err(at("creating", root))?;
        let handle = open_directory(root).map_err(at("opening", root))?;
        Ok(Self {
            root,
            handle,
            options,
            made: HashSet::new(),
            open_path: String::new(),
            open: Vec::new(),
        })
    }

    /// Returns the handle of the directory that a path lies in, and the path's last part.
    fn parent<'p>(&mut self, path: &'p str) -> Result<(BorrowedFd<'_>, &'p str)> {
        let Some((parent, name)) = path.rsplit_once('/') else {
            return Ok((self.handle.as_fd(), path));
        };
        self.enter(parent)?;
        let dir = self
            .open
            .last()
            .map_or(self.handle.as_fd(), |(_, dir)| dir.as_fd());
        Ok((dir, name))
    }

    /// Makes a directory that has an entry of its own. Returns `false` if the directory exists
    /// already, and leaves it as it is.
    fn make(&mut self, path: &str, mode: archive::Mode) -> Result<bool> {
        if self.made.contains(path) {
            return Ok(false);
        }
        let mode = made_with(mode, self.options);
        let (parent, name) = self.parent(path)?;
        mkdirat(parent, name, Mode::from_raw_mode(mode))
            .map_err(|error| at("creating", &self.root.join(path))(error.into()))?;
        self.made.insert(path.to_owned());
        Ok(true)
    }

    /// Opens a directory, and makes it with its parents if it doesn't exist.
    fn enter(&mut self, path: &str) -> Result<()> {
        if self.open_path == path {
            return Ok(());
        }
        // Handles of directories that don't contain the path are closed.
        while let Some(&(end, _)) = self.open.last() {
            let common = &self.open_path[..end];
            if path == common
                || (path.starts_with(common) && path.as_bytes().get(end) == Some(&b'/'))
            {
                break;
            }
            self.open.pop();
        }
        let mut begin = self.open.last().map_or(0, |&(end, _)| end + 1);
        while begin < path.len() {
            let end = path[begin..].find('/').map_or(path.len(), |at| begin + at);
            let (whole, name) = (&path[..end], &path[begin..end]);
            let parent = self
                .open
                .last()
                .map_or(self.handle.as_fd(), |(_, dir)| dir.as_fd());
            let failed = |action: &'static str, root: &Path, error: std::io::Error| {
                at(action, &root.join(whole))(error)
            };
            if !self.made.contains(whole) {
                let mode = Mode::from_raw_mode(made_with(archive::Mode::Default, self.options));
                mkdirat(parent, name, mode)
                    .map_err(|error| failed("creating", self.root, error.into()))?;
                self.made.insert(whole.to_owned());
            }
            let dir = open_directory_at(parent, name)
                .map_err(|error| failed("opening", self.root, error))?;
            self.open.push((end, dir));
            begin = end + 1;
        }
        path.clone_into(&mut self.open_path);
        Ok(())
    }

    fn set_time(&self, path: &str, seconds: i64) -> Result<()> {
        tolerate(utimensat(
            &self.handle,
            path,
            &timestamps(seconds),
            AtFlags::SYMLINK_NOFOLLOW,
        ))
        .map_err(|error| at("setting the time of", &self.root.join(path))(error))
    }
}

/// Sets the permission bits of a directory. An inherited set-group-ID bit stays, as with unzip
/// [measured].
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    let directory = open_regular_directory(path)?;
    let inherited = fstat(&directory)?.st_mode & 0o2000;
    tolerate(fchmod(&directory, Mode::from_raw_mode(mode | inherited)))
}

/// Opens a directory with read access, because fchmod(2) refuses a handle opened with `O_PATH`.
fn open_regular_directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Returns the mode for mkdir(2). The kernel applies the umask to it, or a default ACL decides
/// instead. An inherited set-group-ID bit stays.
fn made_with(mode: archive::Mode, options: TreeOptions<'_>) -> u32 {
    match mode {
        archive::Mode::Masked(bits) if !options.unpacking.by_zip_archive => bits,
        _ => 0o777,
    }
}
