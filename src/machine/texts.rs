//! Obtains the texts that a version of Composer writes into every project.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use allegro_base::error::{Error, Result, in_store};
use allegro_base::identity::Identity;
use allegro_store::{Record, Store};
use allegro_vendor::bins::{Templates, Traits};

use super::run::{Directory, succeeds};
use super::{ComposerBinary, Machine, Php, project};

/// Texts of a Composer, as it has written them into the project of [`project`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedTexts {
    /// Version of Composer, or [`BUILT_IN`].
    pub version: String,
    /// Files by their paths below the vendor directory, such as `composer/ClassLoader.php` and
    /// `bin/probe-plain`.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Modification times, in seconds since 1970, of files that this Composer copies with the times
    /// of its own files.
    pub times: BTreeMap<String, u64>,
    /// Comparison of native code with these texts, if it was made.
    pub proof: Option<Proof>,
}

/// A comparison of native code with the texts of a Composer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// A file that native code writes in another way.
    pub difference: Option<String>,
}

/// Version of the texts for a machine without Composer.
pub const BUILT_IN: &str = "built-in 2.10.2";

/// Texts that are in each project, whatever its packages are.
const NEEDED: [&str; 3] = [
    "composer/ClassLoader.php",
    "composer/InstalledVersions.php",
    "composer/LICENSE",
];

/// Texts and the state of the machine when they were obtained.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    stamp: [u8; 32],
    /// Identity of this program. Another program of the same version may have another sample
    /// project, and write other files.
    program: Option<Identity>,
    texts: FixedTexts,
}

impl FixedTexts {
    /// Returns the texts for a machine without Composer, which are those of Composer 2.10.2.
    ///
    /// They comprise the files that don't depend on the project, and programs. As in later versions
    /// of Composer, a program outside of its package is not followed.
    pub fn built_in() -> Self {
        const FILES: [(&str, &[u8]); 13] = [
            (
                "composer/ClassLoader.php",
                include_bytes!("builtin/ClassLoader.php.txt"),
            ),
            (
                "composer/InstalledVersions.php",
                include_bytes!("builtin/InstalledVersions.php.txt"),
            ),
            ("composer/LICENSE", include_bytes!("builtin/LICENSE")),
            (
                "bin/probe-plain",
                include_bytes!("builtin/bin/probe-plain.txt"),
            ),
            (
                "bin/probe-plain.bat",
                include_bytes!("builtin/bin/probe-plain.bat.txt"),
            ),
            (
                "bin/probe-shebang",
                include_bytes!("builtin/bin/probe-shebang.txt"),
            ),
            (
                "bin/probe-shebang.bat",
                include_bytes!("builtin/bin/probe-shebang.bat.txt"),
            ),
            (
                "bin/probe-shell",
                include_bytes!("builtin/bin/probe-shell.txt"),
            ),
            (
                "bin/probe-shell.bat",
                include_bytes!("builtin/bin/probe-shell.bat.txt"),
            ),
            (
                "bin/probe-space",
                include_bytes!("builtin/bin/probe-space.txt"),
            ),
            (
                "bin/probe-long",
                include_bytes!("builtin/bin/probe-long.txt"),
            ),
            ("bin/phpunit", include_bytes!("builtin/bin/phpunit.txt")),
            (
                "bin/phpunit.bat",
                include_bytes!("builtin/bin/phpunit.bat.txt"),
            ),
        ];
        Self {
            version: BUILT_IN.to_owned(),
            files: FILES
                .into_iter()
                .map(|(name, text)| (name.to_owned(), text.to_vec()))
                .collect(),
            times: BTreeMap::new(),
            proof: None,
        }
    }

    /// Returns the version of the Composer that has written the texts.
    pub fn composer_version(&self) -> &str {
        self.version
            .strip_prefix("built-in ")
            .unwrap_or(&self.version)
    }

    /// Returns a text by its path below the vendor directory.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }

    /// Returns how this Composer makes programs callable, or `None` if its version is unknown.
    pub fn bin_traits(&self) -> Option<Traits> {
        Traits::learn(self.composer_version(), &self.files)
    }

    /// Returns templates of the files in a bin directory, or `None` if this Composer makes them in
    /// an unknown way.
    pub fn templates(&self) -> Option<Templates> {
        Templates::learn(&self.files)
    }
}

impl Machine {
    /// Returns the texts of the machine's Composer, or `None` without a Composer that PHP can run.
    ///
    /// # Errors
    /// [`Error::Store`] if Composer must be run and the store can't be written, and
    /// [`Error::Input`] if Composer doesn't install the project.
    pub fn texts(&self, store: &Store) -> Result<Option<FixedTexts>> {
        let (Some(php), Some(composer)) = (&self.php, &self.composer) else {
            return Ok(None);
        };
        let Some(stamped) = self.stamped(store)? else {
            return Ok(None);
        };
        let Some(facts) = stamped.probe.composer else {
            return Ok(None);
        };
        let place = self.place_of_texts(php);
        if let Some(stamp) = stamped.stamp
            && let Some(kept) = store.read_sealed::<Kept>(Record::Texts, &place)
            && kept.stamp == stamp
            && kept.program == program()
        {
            return Ok(Some(kept.texts));
        }
        let (files, times) = self.installed(php, composer, store)?;
        let texts = FixedTexts {
            version: facts.version,
            files,
            times,
            proof: None,
        };
        if let Some(missing) = NEEDED.into_iter().find(|name| texts.get(name).is_none()) {
            return Err(Error::Input(format!(
                "{} has not written {missing}",
                composer.path.display()
            )));
        }
        if let Some(stamp) = stamped.stamp {
            keep(store, &place, stamp, &texts);
        }
        Ok(Some(texts))
    }

    fn place_of_texts(&self, php: &Php) -> String {
        Record::Texts.place(&format!("{}.texts", self.name(php)))
    }

    /// Keeps the texts of the machine's Composer with a proof.
    ///
    /// # Errors
    /// See [`Machine::probe`].
    pub fn keep_texts(&self, store: &Store, texts: &FixedTexts) -> Result<()> {
        let Some(php) = &self.php else {
            return Ok(());
        };
        let stamp = self.stamped(store)?.and_then(|stamped| stamped.stamp);
        if let Some(stamp) = stamp {
            keep(store, &self.place_of_texts(php), stamp, texts);
        }
        Ok(())
    }

    /// Installs the project with Composer, and returns the files that Composer has written, and the
    /// times of copied ones.
    fn installed(&self, php: &Php, composer: &ComposerBinary, store: &Store) -> Result<Written> {
        let started = SystemTime::now();
        let place = store.temporary();
        let directory = Directory::create(place.clone()).map_err(in_store("creating", &place))?;
        let at = directory.path().join("project");
        project::write(&at).map_err(in_store("writing", &at))?;
        let mut command = self.command(php, &at);
        command
            .arg(&composer.path)
            .args([
                "install",
                "--no-interaction",
                "--no-plugins",
                "--no-scripts",
            ])
            .args(["--no-progress", "--no-ansi", "--quiet"])
            .env("COMPOSER_ROOT_VERSION", project::ROOT_VERSION)
            .env("COMPOSER_HOME", directory.path().join("home"))
            .env("COMPOSER_CACHE_DIR", directory.path().join("cache"));
        let failed = |reason: &str| {
            Error::Input(format!(
                "{} can't install a project for a test: {reason}",
                composer.path.display()
            ))
        };
        match succeeds(command) {
            Ok(true) => {}
            Ok(false) => return Err(failed("it ended with an error")),
            Err(error) => return Err(failed(&error.to_string())),
        }
        if !at.join("vendor").join(project::LINKED).is_symlink() {
            // Whether Composer follows a program out of its package is unknown then.
            return Err(failed(
                "it has copied a directory that it should have linked",
            ));
        }
        let vendor = at.join("vendor");
        let files = project::written(&vendor).map_err(|error| failed(&error.to_string()))?;
        Ok((files, times_before(&vendor, started)))
    }
}

/// Files by their paths, and the times of copied ones.
type Written = (BTreeMap<String, Vec<u8>>, BTreeMap<String, u64>);

/// Files that Composer copies with their times since 2.6.0 (`Filesystem::safeCopy`).
const COPIED: [&str; 2] = ["composer/ClassLoader.php", "composer/LICENSE"];

/// Returns the times of copied files that are older than the copy.
fn times_before(vendor: &Path, started: SystemTime) -> BTreeMap<String, u64> {
    // Some file systems keep even seconds.
    let margin = Duration::from_secs(3);
    let time = |name: &str| {
        let time = fs::metadata(vendor.join(name)).ok()?.modified().ok()?;
        let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
        (time + margin < started).then_some(seconds)
    };
    COPIED
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), time(name)?)))
        .collect()
}

fn keep(store: &Store, place: &str, stamp: [u8; 32], texts: &FixedTexts) {
    let kept = Kept {
        stamp,
        program: program(),
        texts: texts.clone(),
    };
    // The next run asks again if this fails.
    let _ = store.write_sealed(Record::Texts, place, &kept);
}

/// Returns the identity of this program.
fn program() -> Option<Identity> {
    let path = std::env::current_exe().ok()?;
    let facts = rustix::fs::stat(path).ok()?;
    Some(Identity::from(&facts))
}

/// The record's decoder, for the fuzz targets.
#[cfg(any(test, feature = "testing"))]
pub(crate) const FUZZED: allegro_base::testing::records::RecordKind =
    allegro_base::testing::records::RecordKind {
        magic: *Record::Texts.magic(),
        again: |bytes| allegro_base::testing::records::again::<Kept>(*Record::Texts.magic(), bytes),
    };

/// Returns a record for the fuzz targets, encoded.
#[cfg(test)]
pub(super) fn seed() -> Vec<u8> {
    let kept = Kept {
        stamp: [7; 32],
        program: None,
        texts: FixedTexts {
            version: "2.10.2".to_owned(),
            files: BTreeMap::from([("bin/a".to_owned(), b"#!".to_vec())]),
            times: BTreeMap::from([("bin/a".to_owned(), 1_700_000_000)]),
            proof: Some(Proof {
                difference: Some("bin/a".to_owned()),
            }),
        },
    };
    postcard::to_stdvec(&kept).expect("encoded")
}
