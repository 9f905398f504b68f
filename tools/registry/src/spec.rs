//! Specifies the content of a package before any byte of it is made.

use crate::archive::{Mode, Times};
use crate::render::PluginKind;

/// One file of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSpec {
    /// Path below the package's root.
    pub path: String,
    /// Wanted size. Files with required content may come out larger.
    pub size: usize,
    /// Permissions of the file.
    pub mode: Mode,
    /// Purpose of the file.
    pub role: Role,
}

impl FileSpec {
    /// Makes a plain file.
    pub fn new(path: impl Into<String>, size: usize, role: Role) -> Self {
        Self {
            path: path.into(),
            size,
            mode: Mode::Plain,
            role,
        }
    }
}

/// The purpose of a file, which decides its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// PHP that declares these classes, or returns data if there are none.
    Php(Vec<String>),
    /// PHP named in `autoload.files`, which defines one guarded function besides these classes.
    Functions(Vec<String>),
    /// A program named in `bin`.
    Bin,
    /// The package's own `composer.json`.
    Manifest,
    /// The same bytes in every package that has a file of this name and size, such as licences.
    Shared,
    /// Any other file. The extension decides whether it is text.
    Other,
    /// Given bytes.
    Bytes(Vec<u8>),
    /// The content of this file on disk. The stamp (modification time) tells an edited file apart.
    Disk(std::path::PathBuf, u64),
    /// A symbolic link.
    Symlink(String),
    /// A directory, which may be empty.
    Dir,
}

/// A package whose archive can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageSpec {
    /// Name of the package, `vendor/name`.
    pub name: String,
    /// Version as the lock writes it.
    pub version: String,
    /// Dist reference, or a stand-in for packages that have none.
    pub reference: String,
    /// Whether everything is below one folder in the archive.
    pub top_folder: bool,
    /// Text of the package's `composer.json`.
    pub manifest: String,
    /// Classes that Composer loads as plugins.
    pub plugins: Vec<(String, PluginKind)>,
    /// Files of the package, by path.
    pub files: Vec<FileSpec>,
    /// Times of the archive's entries. `None` stands for those that depend on name, version and
    /// reference.
    pub times: Option<Times>,
}

impl PackageSpec {
    /// Returns the folder into which GitHub would put everything; empty if there is none.
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

    /// Returns the times of the archive's entries.
    pub fn times(&self) -> Times {
        self.times
            .clone()
            .unwrap_or_else(|| Times::of_release(&self.name, &self.version, &self.reference))
    }

    /// Returns the file at `path`.
    pub fn file(&self, path: &str) -> Option<&FileSpec> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Returns the number of directories below the root that the files need.
    pub fn directories(&self) -> usize {
        directories(&self.files)
    }

    /// Returns everything that decides the bytes of the archive, as one text.
    pub(crate) fn fingerprint(&self) -> String {
        format!("{GENERATION} {self:?}")
    }
}

/// The number of the specification's meaning. It must rise when the same specification gives other
/// bytes than before, so that old cached archives are not used.
const GENERATION: u32 = 2;

/// Returns the number of directories that these files need.
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
