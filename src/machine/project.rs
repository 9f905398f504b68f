//! A small project, in which the machine's Composer shows its texts.
//!
//! The project needs no network: its packages lie in directories. [`files`] always returns the
//! same, so that native code can make the same files and compare them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use allegro_composer::content_hash;
use allegro_composer::json::Json;

const MANIFEST: &str = include_str!("sample/composer.json");

/// The lock's text, with a place for the content-hash.
const LOCK: &str = include_str!("sample/composer.lock");

/// Version of the root package, by which versions of Composer can be told apart.
pub const ROOT_VERSION: &str = "1.2-dev";

/// Directories of packages that Composer copies, below `packages`, and the names of the packages.
const COPIED: [(&str, &str); 6] = [
    ("alpha", "allegro-probe/alpha"),
    ("branch", "allegro-probe/branch"),
    ("library", "allegro-probe/library"),
    ("phpunit", "phpunit/phpunit"),
    ("programs", "allegro-probe/programs"),
    ("zeta", "allegro-probe/zeta"),
];

/// Programs and files without classes.
const TEXTS: [(&str, &str); 13] = [
    ("src/root.php", "<?php\n"),
    ("packages/alpha/alpha.php", "<?php\n"),
    ("packages/alpha/it's.php", "<?php\n"),
    ("packages/branch/README", "\n"),
    ("packages/library/library.php", "<?php\n"),
    ("packages/programs/programs.php", "<?php\n"),
    ("packages/zeta/zeta.php", "<?php\n"),
    ("packages/programs/texts/probe-plain", "<?php\n"),
    (
        "packages/programs/texts/probe-shebang",
        "#!/usr/bin/env -S php -n\n<?php\n",
    ),
    (
        "packages/programs/texts/probe-shell",
        "#!/usr/bin/env probe-caller\n",
    ),
    ("packages/programs/texts/probe-space", "\n \t<?php\n"),
    ("packages/phpunit/probe-outside", "<?php\n"),
    (
        "packages/phpunit/phpunit",
        "#!/usr/bin/env -S php -n\n<?php\n",
    ),
];

/// Files that declare a class.
const CLASSES: [(&str, &str); 21] = [
    ("src/Root.php", r"Probe\Root\Root"),
    ("shared/InRoot.php", r"Probe\Shared\InRoot"),
    ("other shared/InOther.php", r"Probe\Shared\InOther"),
    ("data.pharaoh/Data.php", r"Probe\Archive\Data"),
    ("fallback/ProbeFallback.php", "ProbeFallback"),
    ("old/Probe/Root/Old.php", "Probe_Root_Old"),
    ("older/Probe/Older.php", "Probe_Older"),
    ("classes/Mapped.php", "Probe_Root_Mapped"),
    ("classes/Hidden/Hidden.php", "Probe_Root_Hidden"),
    ("classes/Gone/Gone.php", "Probe_Root_Gone"),
    ("tests/RootTest.php", r"Probe\Tests\RootTest"),
    ("packages/alpha/shared/InAlpha.php", r"Probe\Shared\InAlpha"),
    ("packages/library/src/Library.php", r"Probe\Library\Library"),
    (
        "packages/library/shared/InLibrary.php",
        r"Probe\Shared\InLibrary",
    ),
    ("packages/library/lib/Probe/Old.php", "Probe_Old"),
    ("packages/library/classes/Mapped.php", "Probe_Mapped"),
    ("packages/linked/classes/Linked.php", "Probe_Linked"),
    (
        "packages/linked/classes/Hidden/Hidden.php",
        "Probe_Linked_Hidden",
    ),
    (
        "packages/programs/shared/InPrograms.php",
        r"Probe\Shared\InPrograms",
    ),
    ("packages/zeta/shared/InZeta.php", r"Probe\Shared\InZeta"),
    ("packages/zeta/lib/InLib.php", r"Probe\Zeta\InLib"),
];

/// Returns the text of a file that declares a class.
fn class(name: &str) -> String {
    match name.rsplit_once('\\') {
        Some((namespace, name)) => format!("<?php\nnamespace {namespace};\nclass {name} {{}}\n"),
        None => format!("<?php\nclass {name} {{}}\n"),
    }
}

/// Returns all files of the project, with their texts. A link comes besides, see [`write`].
pub fn files() -> Vec<(&'static str, String)> {
    let texts = TEXTS.map(|(path, text)| (path, text.to_owned()));
    let classes = CLASSES.map(|(path, name)| (path, class(name)));
    let mut files: Vec<_> = texts.into_iter().chain(classes).collect();
    files.push(("composer.json", MANIFEST.to_owned()));
    let long = format!("#!{}\n<?php\n", "x".repeat(600));
    files.push(("packages/programs/texts/probe-long", long));
    // The manifest is constant and valid. With another hash Composer would print a warning.
    let manifest = Json::parse(MANIFEST).unwrap_or(Json::Null);
    let lock = LOCK.replace("CONTENT-HASH", &content_hash(&manifest));
    files.push(("composer.lock", lock));
    files
}

/// Writes the project into a directory.
pub fn write(directory: &Path) -> io::Result<()> {
    for (name, text) in files() {
        let path = directory.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
    }
    let linked = directory.join("packages/linked");
    fs::create_dir_all(&linked)?;
    symlink("../phpunit/probe-outside", linked.join("probe-outside"))
}

/// Puts the packages into the project's vendor directory, as Composer does.
pub fn place(directory: &Path) -> io::Result<()> {
    let vendor = directory.join("vendor");
    for (source, name) in COPIED {
        copy(&directory.join("packages").join(source), &vendor.join(name))?;
    }
    symlink("../../packages/linked", vendor.join(LINKED))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Returns the files below the project's vendor directory that Composer itself writes.
pub fn written(vendor: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for name in WRITTEN {
        collect(vendor, name, &mut files)?;
    }
    Ok(files)
}

fn collect(vendor: &Path, name: &str, files: &mut BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    let path = vendor.join(name);
    if !path.is_dir() {
        files.insert(name.to_owned(), fs::read(path)?);
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let Ok(child) = entry?.file_name().into_string() else {
            continue;
        };
        collect(vendor, &format!("{name}/{child}"), files)?;
    }
    Ok(())
}

/// The package that Composer installs as a link to a directory. Its program lies in another
/// directory.
pub(super) const LINKED: &str = "allegro-probe/linked";

/// The directories and the files below the project's vendor directory that Composer itself writes.
const WRITTEN: [&str; 3] = ["autoload.php", "composer", "bin"];
