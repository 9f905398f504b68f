//! A manifest → a directory.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Mode, mkdirat};

use super::method::{Source, Target};
use super::{Linker, Method};
use crate::archive;
use crate::error::{Error, Result, at};
use crate::store::{BlobName, BlobState, Item, ItemKind, Manifest, Store, open_directory};

/// What the caller knows of a package beyond its manifest.
#[derive(Debug, Clone, Copy)]
pub struct TreeOptions<'a> {
    /// Composer's umask.
    pub umask: u32,
    /// No file may share an inode with the store: plugins, patched packages, what the user names.
    pub private: bool,
    /// Files that Composer will chmod, relative to the package: they get an inode of their own.
    pub bins: &'a [String],
    /// Composer would unpack with PHP's ZipArchive, which knows neither modes nor links.
    pub plain_modes: bool,
}

/// What was done, from facts.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Linked {
    /// Regular files.
    pub files: u64,
    /// Their sizes' sum.
    pub bytes: u64,
    /// The "lowest" method that was used for a shared file, if there was one.
    pub method: Option<Method>,
}

/// Blobs that the store lacks or that were damaged; damaged ones are in quarantine by then.
#[derive(Debug)]
pub enum TreeError {
    /// The package must be ingested again; `damaged` names paths whose blobs were changed in place.
    Incomplete {
        /// Paths of the package whose blobs were changed in place or torn.
        damaged: Vec<String>,
    },
    /// Anything else.
    Failed(Error),
}

impl From<Error> for TreeError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Makes `target`, which must not exist, into the package that `manifest` describes.
///
/// Files are made in the manifest's order, as the archive tool would.
pub fn link_tree(
    store: &Store,
    linker: &Linker,
    manifest: &Manifest,
    target: &Path,
    options: TreeOptions<'_>,
    cancel: &AtomicBool,
) -> Result<Linked, TreeError> {
    // All are looked at before anything is made: a package whose blobs are damaged starts over, and says which.
    let blobs = sound_blobs(store, manifest, options)?;

    // A mode that follows the umask is given to mkdir, which keeps an inherited setgid bit; one that doesn't is set.
    let default_dir = 0o777 & !options.umask;
    let made_with = |mode| match mode {
        archive::Mode::Masked(_) if !options.plain_modes => mode.under(options.umask, 0o777),
        _ => default_dir,
    };
    fs::DirBuilder::new()
        .mode(made_with(manifest.root_mode))
        .create(target)
        .map_err(at("creating", target))?;
    let handle = open_directory(target).map_err(at("opening", target))?;
    let mut dirs = Directories {
        handle: handle.as_fd(),
        root: target,
        made: HashSet::new(),
        last: String::new(),
        mode: default_dir,
    };
    // Modes of directories come last and innermost first: one without write permission must be filled before.
    let mut dir_modes: Vec<(PathBuf, u32)> = Vec::new();
    if let archive::Mode::Exact(mode) = manifest.root_mode
        && !options.plain_modes
    {
        dir_modes.push((target.to_owned(), mode));
    }
    let mut linked = Linked::default();
    let mut blobs = blobs.into_iter();
    for item in &manifest.items {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::Interrupted.into());
        }
        match &item.kind {
            ItemKind::File { digest, size } => {
                let Some(name) = blobs.next() else {
                    return Err(Error::Internal(format!("no blob for {}", item.path)).into());
                };
                dirs.ensure_parent(&item.path)?;
                let private = options.private || options.bins.contains(&item.path);
                let source = Source {
                    digest,
                    mode: mode_of(item, options),
                    name: &name,
                };
                let file = Target {
                    dir: handle.as_fd(),
                    root: target,
                    name: &item.path,
                };
                let method = match linker.link(store, &source, &file, private) {
                    Ok(method) => method,
                    // Another process has taken it away since we looked.
                    Err(error) if error.is_not_found() => {
                        return Err(TreeError::Incomplete {
                            damaged: Vec::new(),
                        });
                    }
                    Err(error) => return Err(error.into()),
                };
                linked.files += 1;
                linked.bytes += size;
                if !private {
                    linked.method = linked.method.max(Some(method));
                }
            }
            ItemKind::Dir => {
                dirs.ensure(&item.path, made_with(item.mode))?;
                if let archive::Mode::Exact(mode) = item.mode
                    && !options.plain_modes
                {
                    dir_modes.push((target.join(&item.path), mode));
                }
            }
            ItemKind::Symlink { target: to } => {
                dirs.ensure_parent(&item.path)?;
                let path = target.join(&item.path);
                symlink(OsStr::from_bytes(to), &path).map_err(at("linking", &path))?;
            }
        }
    }
    for (path, mode) in dir_modes.iter().rev() {
        fs::set_permissions(path, fs::Permissions::from_mode(*mode))
            .map_err(at("setting the mode of", path))?;
    }
    Ok(linked)
}

/// The names of the blobs of all files, in the manifest's order, if all are in the store and sound.
fn sound_blobs(
    store: &Store,
    manifest: &Manifest,
    options: TreeOptions<'_>,
) -> Result<Vec<BlobName>, TreeError> {
    let mut blobs = Vec::with_capacity(manifest.items.len());
    let mut damaged = Vec::new();
    let mut missing = false;
    for item in &manifest.items {
        let ItemKind::File { digest, size } = &item.kind else {
            continue;
        };
        let mode = mode_of(item, options);
        let name = BlobName::new(digest, mode);
        match store.settled_blob_state(&name, digest, *size, mode) {
            BlobState::Sound => {}
            BlobState::Damaged => {
                store.quarantine_blob(&store.blob_path(digest, mode))?;
                damaged.push(item.path.clone());
            }
            BlobState::Missing => {
                // First time under this umask: the same bytes may be there with another mode.
                match store.sibling_blob(digest, *size) {
                    Some(sibling) => {
                        store.ensure_blob_from(digest, mode, *size, &sibling)?;
                    }
                    None => missing = true,
                }
            }
        }
        blobs.push(name);
    }
    if missing || !damaged.is_empty() {
        return Err(TreeError::Incomplete { damaged });
    }
    Ok(blobs)
}

fn mode_of(item: &Item, options: TreeOptions<'_>) -> u32 {
    if options.plain_modes {
        0o666 & !options.umask
    } else {
        item.mode_under(options.umask)
    }
}

/// The directories made so far, so that none is asked for twice.
struct Directories<'a> {
    handle: BorrowedFd<'a>,
    root: &'a Path,
    made: HashSet<String>,
    /// The one asked for last: files of a directory mostly follow each other.
    last: String,
    mode: u32,
}

impl Directories<'_> {
    fn ensure_parent(&mut self, path: &str) -> Result<()> {
        match path.rsplit_once('/') {
            Some((parent, _)) => self.ensure(parent, self.mode),
            None => Ok(()),
        }
    }

    fn ensure(&mut self, path: &str, mode: u32) -> Result<()> {
        if path == self.last || self.made.contains(path) {
            return Ok(());
        }
        self.ensure_parent(path)?;
        mkdirat(self.handle, path, Mode::from_raw_mode(mode))
            .map_err(|error| at("creating", &self.root.join(path))(error.into()))?;
        self.made.insert(path.to_owned());
        path.clone_into(&mut self.last);
        Ok(())
    }
}
