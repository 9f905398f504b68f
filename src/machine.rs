//! Knows the PHP and the Composer of the machine.
//!
//! [`Machine::find`] finds both without starting a process. [`Machine::probe`] returns facts about
//! them, and [`Machine::texts`] the texts that this Composer writes into every project. Both start
//! PHP once, and keep the answer in the store until one of the files changes that it depends on.

mod classes;
pub(crate) mod find;
pub mod platform;
mod probe;
pub mod project;
mod run;
mod texts;

use std::ffi::OsString;
use std::path::PathBuf;

use allegro_base::identity::Identity;

pub use find::Named;
pub use probe::{
    ComposerFacts, PhpFacts, PlatformLink, PlatformPackage, Probe, ScanFacts, UpdateFacts,
};
pub(crate) use run::Directory as SampleDirectory;
pub use texts::{FixedTexts, Proof};

/// The PHP and the Composer that a command works with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// PHP, if there is one.
    pub php: Option<Php>,
    /// Composer, if there is one.
    pub composer: Option<ComposerBinary>,
    /// Variables on which PHP's answers depend.
    variables: Vec<(&'static str, Option<OsString>)>,
    /// Places of programs on which PHP's answers depend.
    programs: Vec<(&'static str, Option<OsString>)>,
}

/// A PHP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Php {
    /// Program as it was found.
    pub path: PathBuf,
    /// Program without links.
    pub real: PathBuf,
    /// Options that Composer's first line gives to PHP.
    pub arguments: Vec<String>,
    /// Identity of the program.
    pub identity: Identity,
    /// Whether the program is a script, which may start another PHP in each directory.
    pub is_script: bool,
}

/// A Composer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComposerBinary {
    /// File as it was found.
    pub path: PathBuf,
    /// File without links.
    pub real: PathBuf,
    /// Identity of the file.
    pub identity: Identity,
    /// Whether PHP runs the file. A script of another kind may start any Composer.
    pub is_php: bool,
}

/// The kinds of records of this module, for the fuzz targets.
#[cfg(any(test, feature = "testing"))]
pub(crate) const RECORDS: [allegro_base::testing::records::RecordKind; 2] =
    [probe::FUZZED, texts::FUZZED];

/// Returns a record of each kind in [`RECORDS`], encoded.
#[cfg(test)]
pub(crate) fn seeds() -> [Vec<u8>; 2] {
    [probe::seed(), texts::seed()]
}

#[cfg(test)]
pub(crate) mod tests;
