//! A manifest → a directory.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Linker, Method};
use crate::error::{Error, Result, at};
use crate::store::{BlobState, ItemKind, Manifest, Store};

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
    let mut sources = Vec::with_capacity(manifest.items.len());
    let mut damaged = Vec::new();
    let mut missing = false;
    for item in &manifest.items {
        let ItemKind::File { digest, size } = &item.kind else {
            sources.push(None);
            continue;
        };
        let mode = mode_of(item, options);
        let path = store.blob_path(digest, mode);
        match store.blob_state(&path, digest, *size, mode) {
            BlobState::Sound => {}
            BlobState::Damaged => {
                store.quarantine_blob(&path)?;
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
        sources.push(Some((path, mode)));
    }
    if missing || !damaged.is_empty() {
        return Err(TreeError::Incomplete { damaged });
    }

    let default_dir = 0o777 & !options.umask;
    make_dir(target, default_dir)?;
    let mut dirs = Directories {
        made: HashSet::new(),
        mode: default_dir,
    };
    // Modes of directories come last and innermost first: one without write permission must be filled before.
    let mut dir_modes: Vec<(PathBuf, u32)> = Vec::new();
    if let Some(mode) = manifest.root_mode.filter(|_| !options.plain_modes) {
        dir_modes.push((target.to_owned(), mode));
    }
    let mut linked = Linked::default();
    for (item, source) in manifest.items.iter().zip(sources) {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::Interrupted.into());
        }
        let path = target.join(&item.path);
        match (&item.kind, source) {
            (ItemKind::File { digest, size }, Some((blob, mode))) => {
                dirs.ensure_parent(target, &item.path)?;
                let private = options.private || options.bins.contains(&item.path);
                let method = linker.link(store, &blob, &path, digest, mode, private)?;
                linked.files += 1;
                linked.bytes += size;
                if !private {
                    linked.method = linked.method.max(Some(method));
                }
            }
            (ItemKind::Dir, _) => {
                dirs.ensure(target, &item.path)?;
                if let Some(mode) = item.mode.filter(|_| !options.plain_modes) {
                    dir_modes.push((path, mode));
                }
            }
            (ItemKind::Symlink { target: to }, _) => {
                dirs.ensure_parent(target, &item.path)?;
                symlink(OsStr::from_bytes(to), &path).map_err(at("linking", &path))?;
            }
            (ItemKind::File { .. }, None) => {
                return Err(Error::Internal(format!("no blob for {}", item.path)).into());
            }
        }
    }
    for (path, mode) in dir_modes.iter().rev() {
        fs::set_permissions(path, fs::Permissions::from_mode(*mode))
            .map_err(at("setting the mode of", path))?;
    }
    Ok(linked)
}

fn mode_of(item: &crate::store::Item, options: TreeOptions<'_>) -> u32 {
    if options.plain_modes {
        0o666 & !options.umask
    } else {
        item.mode_under(options.umask)
    }
}

fn make_dir(path: &Path, mode: u32) -> Result<()> {
    fs::DirBuilder::new()
        .mode(mode)
        .create(path)
        .map_err(at("creating", path))
}

/// The directories made so far, so that none is asked for twice.
struct Directories {
    made: HashSet<String>,
    mode: u32,
}

impl Directories {
    fn ensure_parent(&mut self, root: &Path, path: &str) -> Result<()> {
        match path.rsplit_once('/') {
            Some((parent, _)) => self.ensure(root, parent),
            None => Ok(()),
        }
    }

    fn ensure(&mut self, root: &Path, path: &str) -> Result<()> {
        if self.made.contains(path) {
            return Ok(());
        }
        self.ensure_parent(root, path)?;
        make_dir(&root.join(path), self.mode)?;
        self.made.insert(path.to_owned());
        Ok(())
    }
}
