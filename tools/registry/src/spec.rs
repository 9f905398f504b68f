//! What a package consists of, before any byte of it is made.

use crate::archive::{Mode, Times};
use crate::render::PluginKind;

/// One file of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSpec {
    /// Path below the package's root.
    pub path: String,
    /// Wanted size. Files that must hold something may come out larger.
    pub size: usize,
    /// Its permissions.
    pub mode: Mode,
    /// What it is for.
    pub role: Role,
}

impl FileSpec {
    /// A plain file.
    pub fn new(path: impl Into<String>, size: usize, role: Role) -> Self {
        Self {
            path: path.into(),
            size,
            mode: Mode::Plain,
            role,
        }
    }
}

/// What a file is for, and so what stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// PHP that declares these classes, or returns data if there are none.
    Php(Vec<String>),
    /// PHP named in `autoload.files`: defines one guarded function besides these classes.
    Functions(Vec<String>),
    /// A program named in `bin`.
    Bin,
    /// The package's own `composer.json`.
    Manifest,
    /// The same bytes in every package that has a file of this name and size: licences and the like.
    Shared,
    /// Any other file; the extension decides whether it is text or not.
    Other,
    /// Given bytes.
    Bytes(Vec<u8>),
    /// What stands in this file on disk; the stamp (modification time) tells an edited file apart.
    Disk(std::path::PathBuf, u64),
    /// A symbolic link.
    Symlink(String),
    /// A directory, which may be empty.
    Dir,
}

/// A package whose archive can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageSpec {
    /// `vendor/name`
    pub name: String,
    /// Version as the lock writes it.
    pub version: String,
    /// Dist reference, or a stand-in for packages that have none.
    pub reference: String,
    /// Whether everything stands below one folder in the archive.
    pub top_folder: bool,
    /// The text of its `composer.json`.
    pub manifest: String,
    /// Classes that Composer loads as plugins.
    pub plugins: Vec<(String, PluginKind)>,
    /// Its files, by path.
    pub files: Vec<FileSpec>,
    /// Times of its archive's entries. `None` stands for those that follow from name, version and reference.
    pub times: Option<Times>,
}

impl PackageSpec {
    /// The folder that GitHub would put everything in, empty if there is none.
    pub fn top(&self) -> String {
        if !self.top_folder {
            return String::new();
        }
        let short = self.reference.get(..7).unwrap_or(&self.reference);
        let name: String = format!("{}-{short}", self.name.replace('/', "-"))
            .chars()
            .map(|character| {
                if character.is_ascii_alphanumeric() || "-_.".contains(character) {
                    character
                } else {
                    '-'
                }
            })
            .collect();
        name
    }

    /// The times of its archive's entries.
    pub fn times(&self) -> Times {
        self.times
            .clone()
            .unwrap_or_else(|| Times::of_release(&self.name, &self.version, &self.reference))
    }

    /// The file at `path`.
    pub fn file(&self, path: &str) -> Option<&FileSpec> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Number of directories below the root that the files need.
    pub fn directories(&self) -> usize {
        directories(&self.files)
    }

    /// Everything that decides the bytes of the archive, as one text.
    pub(crate) fn fingerprint(&self) -> String {
        format!("{GENERATION} {self:?}")
    }
}

/// To be raised when the same specification gives other bytes than before, so old cached archives are left alone.
const GENERATION: u32 = 2;

/// Number of directories that these files need.
pub(crate) fn directories(files: &[FileSpec]) -> usize {
    let mut dirs = std::collections::HashSet::new();
    for file in files {
        let mut path = file.path.as_str();
        if file.role == Role::Dir {
            dirs.insert(path);
        }
        while let Some((parent, _)) = path.rsplit_once('/') {
            path = parent;
            dirs.insert(path);
        }
    }
    dirs.len()
}
