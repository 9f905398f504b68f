//! Compares two trees: paths, kinds, modes, and content.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Result, at};
use crate::yardstick::this_program;

/// The number of differences that are named.
const NAMED: usize = 5;

/// The relation of two trees.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// Differences, of which at most a handful are named; empty if there are none.
    pub differences: Vec<String>,
    /// Number of paths that differ.
    pub count: usize,
    /// Number of those that differ in nothing but the mode.
    pub modes: usize,
    /// Autoload files that have the same entries in another order.
    ///
    /// Composer's own order of packages that require each other in a circle depends on which of its
    /// `unzip` processes ends first. So two installs by Composer alone differ in this as well.
    pub reordered: Vec<String>,
}

/// Compares two trees in a process of its own, because memory of this process would count as that
/// of the sides that run later.
pub fn compare_apart(left: &Path, right: &Path) -> Result<Comparison> {
    let mut command = this_program()?;
    command.arg("--compare-trees").args([left, right]);
    let output = command.output().map_err(at(left))?;
    serde_json::from_slice(&output.stdout)
        .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned().into())
}

/// Compares two trees.
pub fn compare(left: &Path, right: &Path) -> Result<Comparison> {
    let (mut ours, mut theirs) = (BTreeMap::new(), BTreeMap::new());
    list(left, Path::new(""), &mut ours)?;
    list(right, Path::new(""), &mut theirs)?;
    let mut found = Vec::new();
    let mut modes = 0;
    let mut reordered = Vec::new();
    for (path, node) in &ours {
        let Some(other) = theirs.remove(path) else {
            found.push(format!("{} is missing", path.display()));
            continue;
        };
        if other.kind != node.kind {
            found.push(format!("{}: {other} instead of {node}", path.display()));
            continue;
        }
        let relation = if node.kind.starts_with("file") {
            relation(path, &left.join(path), &right.join(path))?
        } else {
            Relation::Same
        };
        if other.mode != node.mode {
            found.push(format!("{}: {other} instead of {node}", path.display()));
            modes += usize::from(relation == Relation::Same);
        } else if relation == Relation::Other {
            found.push(format!("{}: other bytes", path.display()));
        } else if relation == Relation::Reordered {
            reordered.push(path.display().to_string());
        }
    }
    found.extend(
        theirs
            .keys()
            .map(|path| format!("{} is too much", path.display())),
    );
    let count = found.len();
    if count > NAMED {
        found.truncate(NAMED);
        found.push(format!("and {} more", count - NAMED));
    }
    Ok(Comparison {
        differences: found,
        count,
        modes,
        reordered,
    })
}

/// The relation of two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Same,
    Reordered,
    Other,
}

fn relation(path: &Path, left: &Path, right: &Path) -> Result<Relation> {
    let one = fs::read(left).map_err(at(left))?;
    let other = fs::read(right).map_err(at(right))?;
    Ok(if one == other {
        Relation::Same
    } else if is_autoload(path) && entries(&one) == entries(&other) {
        Relation::Reordered
    } else {
        Relation::Other
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

/// What stands at a path.
struct Node {
    kind: String,
    /// Permission bits. Links have none of their own.
    mode: Option<u32>,
}

impl fmt::Display for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mode {
            Some(mode) => write!(formatter, "{} with mode {mode:o}", self.kind),
            None => write!(formatter, "{}", self.kind),
        }
    }
}

fn list(root: &Path, below: &Path, into: &mut BTreeMap<PathBuf, Node>) -> Result<()> {
    let dir = root.join(below);
    for entry in fs::read_dir(&dir).map_err(at(&dir))? {
        let entry = entry.map_err(at(&dir))?;
        let path = below.join(entry.file_name());
        let metadata = entry.metadata().map_err(at(&path))?;
        let mode = Some(metadata.permissions().mode() & 0o7777);
        let (kind, mode) = if metadata.is_dir() {
            list(root, &path, into)?;
            ("directory".to_owned(), mode)
        } else if metadata.is_symlink() {
            let target = fs::read_link(entry.path()).map_err(at(&path))?;
            (format!("link to {}", target.display()), None)
        } else {
            (format!("file of {} bytes", metadata.len()), mode)
        };
        into.insert(path, Node { kind, mode });
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
    fn differences_in_the_mode_alone_are_counted() {
        let (left, right) = (sample(), sample());
        let file = right.path().join("sub/file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a mode");
        let found = compare(left.path(), right.path()).expect("readable");
        assert_eq!((found.count, found.modes), (1, 1));
        fs::write(&file, "two").expect("a file");
        let found = compare(left.path(), right.path()).expect("readable");
        assert_eq!((found.count, found.modes), (1, 0));
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
