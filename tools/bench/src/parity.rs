//! Compares two trees: paths, kinds, modes, and content.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Result, at};

/// The number of differences that are named.
const NAMED: usize = 5;

/// The relation of two trees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Differences, of which at most a handful are named; empty if there are none.
    pub differences: Vec<String>,
    /// Autoload files that have the same entries in another order.
    ///
    /// Composer's own order of packages that require each other in a circle depends on which of its
    /// `unzip` processes ends first. So two installs by Composer alone differ in this as well.
    pub reordered: Vec<String>,
}

/// Compares two trees.
pub fn compare(left: &Path, right: &Path) -> Result<Comparison> {
    let (mut ours, mut theirs) = (BTreeMap::new(), BTreeMap::new());
    list(left, Path::new(""), &mut ours)?;
    list(right, Path::new(""), &mut theirs)?;
    let mut found = Vec::new();
    let mut reordered = Vec::new();
    for (path, kind) in &ours {
        match theirs.remove(path) {
            None => found.push(format!("{} is missing", path.display())),
            Some(other) if other != *kind => {
                found.push(format!("{}: {other} instead of {kind}", path.display()));
            }
            Some(_) if kind.starts_with("file") => {
                let (one, other) = (left.join(path), right.join(path));
                let (one, other) = (
                    fs::read(&one).map_err(at(&one))?,
                    fs::read(&other).map_err(at(&other))?,
                );
                if one == other {
                    continue;
                }
                if is_autoload(path) && entries(&one) == entries(&other) {
                    reordered.push(path.display().to_string());
                } else {
                    found.push(format!("{}: other bytes", path.display()));
                }
            }
            Some(_) => {}
        }
    }
    found.extend(
        theirs
            .keys()
            .map(|path| format!("{} is too much", path.display())),
    );
    if found.len() > NAMED {
        let more = found.len() - NAMED;
        found.truncate(NAMED);
        found.push(format!("and {more} more"));
    }
    Ok(Comparison {
        differences: found,
        reordered,
    })
}

fn is_autoload(path: &Path) -> bool {
    path.to_str()
        .is_some_and(|path| path.starts_with("composer/autoload_"))
}

/// Returns the values in a file of PHP arrays, each with the key of its array, sorted.
fn entries(text: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut key: &[u8] = b"";
    let mut entries = Vec::new();
    for word in text.split(|byte| b",\n()".contains(byte)) {
        let word = without_index(word.trim_ascii());
        if word.ends_with(b"array") {
            key = word;
        }
        if !word.is_empty() {
            entries.push((key, word));
        }
    }
    entries.sort_unstable();
    entries
}

/// Removes the index from `0 => value`, because it is only a place in a list.
fn without_index(word: &[u8]) -> &[u8] {
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match word[digits..].strip_prefix(b" => ") {
        Some(value) if digits > 0 => value,
        _ => word,
    }
}

fn list(root: &Path, below: &Path, into: &mut BTreeMap<PathBuf, String>) -> Result<()> {
    let dir = root.join(below);
    for entry in fs::read_dir(&dir).map_err(at(&dir))? {
        let entry = entry.map_err(at(&dir))?;
        let path = below.join(entry.file_name());
        let metadata = entry.metadata().map_err(at(&path))?;
        let mode = metadata.permissions().mode() & 0o7777;
        if metadata.is_dir() {
            into.insert(path.clone(), format!("directory {mode:o}"));
            list(root, &path, into)?;
        } else if metadata.is_symlink() {
            let target = fs::read_link(entry.path()).map_err(at(&path))?;
            into.insert(path, format!("link to {}", target.display()));
        } else {
            into.insert(path, format!("file {mode:o} of {} bytes", metadata.len()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join("sub")).expect("a directory");
        fs::write(dir.path().join("sub/file"), "one").expect("a file");
        std::os::unix::fs::symlink("sub/file", dir.path().join("link")).expect("a link");
        dir
    }

    #[test]
    fn equal_trees_are_equal() {
        let (left, right) = (sample(), sample());
        assert_eq!(
            compare(left.path(), right.path())
                .expect("readable")
                .differences,
            Vec::<String>::new()
        );
    }

    #[test]
    fn every_kind_of_difference_is_found() {
        let (left, right) = (sample(), sample());
        fs::write(right.path().join("sub/file"), "two").expect("a file");
        assert_eq!(
            compare(left.path(), right.path())
                .expect("readable")
                .differences,
            ["sub/file: other bytes"]
        );
        fs::set_permissions(
            right.path().join("sub/file"),
            fs::Permissions::from_mode(0o755),
        )
        .expect("a mode");
        fs::remove_file(right.path().join("link")).expect("a link");
        fs::write(right.path().join("more"), "").expect("a file");
        let found = compare(left.path(), right.path())
            .expect("readable")
            .differences
            .join("; ");
        assert!(found.contains("link is missing"), "{found}");
        assert!(found.contains("more is too much"), "{found}");
        assert!(found.contains("755"), "{found}");
    }

    #[test]
    fn another_order_of_autoload_entries_is_told_apart_from_other_entries() {
        let (left, right) = (sample(), sample());
        for (dir, text) in [
            (&left, "'A\\' => array('/one', '/two'),"),
            (&right, "'A\\' => array('/two', '/one'),"),
        ] {
            fs::create_dir(dir.path().join("composer")).expect("a directory");
            fs::write(dir.path().join("composer/autoload_psr4.php"), text).expect("a file");
        }
        let found = compare(left.path(), right.path()).expect("readable");
        assert_eq!(found.differences, Vec::<String>::new());
        assert_eq!(found.reordered, ["composer/autoload_psr4.php"]);
        let other = "'A\\' => array('/two', '/six'),";
        fs::write(right.path().join("composer/autoload_psr4.php"), other).expect("a file");
        let found = compare(left.path(), right.path()).expect("readable");
        assert_eq!(
            found.differences,
            ["composer/autoload_psr4.php: other bytes"]
        );
    }
}
