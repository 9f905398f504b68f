//! Records a directory as facts: paths with content, mode, link target, time, owner and attributes.
//!
//! Two snapshots are compared by these facts of each path:
//! - its kind, permissions, content or link target;
//! - its modification time, see [`Moment`]. A time from elsewhere (an archive, or a file that
//!   Composer copied with its time) is exact, and any other one is "now". `unzip` leaves a symbolic
//!   link at the time of the install;
//! - the owning user and group;
//! - extended attributes that a user can set, and ACLs (see [`Facts::attributes`]).
//!
//! Inode numbers, link counts, access times and times of status changes are left out, because
//! Allegro makes hard links.
//!
//! No path is exempt from the comparison of times. Files that Composer generates are "now" on both
//! sides. Files that it copies from itself (`vendor/composer/ClassLoader.php`, `LICENSE`,
//! `InstalledVersions.php`) are as old as Composer or "now", as with plain Composer.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

/// The content of files up to this size is kept, so that a difference can be shown.
const KEPT: u64 = 1 << 20;

/// A time within this many seconds of the test process's life is "now". All archives are older by
/// years. Tests that set a time choose one that is further away.
const MARGIN: i64 = 600;

/// The moment when the test process first needed to know it, in seconds since 1970.
static STARTED: LazyLock<i64> = LazyLock::new(seconds_now);

fn seconds_now() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970");
    i64::try_from(now.as_secs()).expect("a moment in this age")
}

/// The time of a last modification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A time while the tests ran. It is that of an install, which no two runs have in common.
    Now,
    /// Any other time: seconds since 1970 and nanoseconds.
    At(i64, i64),
}

impl Moment {
    fn of(seconds: i64, nanoseconds: i64) -> Self {
        if (*STARTED - MARGIN..=seconds_now() + MARGIN).contains(&seconds) {
            Self::Now
        } else {
            Self::At(seconds, nanoseconds)
        }
    }
}

/// Facts about a path of any kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Modification time.
    pub time: Moment,
    /// Owning user and group.
    pub owner: (u32, u32),
    /// Attributes of the namespace `user` and both ACLs, by name. Attributes that only the system
    /// or a security module sets are left out, because they depend on the machine.
    pub attributes: BTreeMap<String, Vec<u8>>,
}

impl Facts {
    fn of(path: &Path, metadata: &fs::Metadata) -> Self {
        Self {
            time: Moment::of(metadata.mtime(), metadata.mtime_nsec()),
            owner: (metadata.uid(), metadata.gid()),
            attributes: if metadata.is_symlink() {
                BTreeMap::new()
            } else {
                attributes(path)
            },
        }
    }
}

fn attributes(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut names = [0; 4096];
    // A file system without attributes gives none.
    let length = rustix::fs::llistxattr(path, &mut names[..]).unwrap_or(0);
    names[..length]
        .split(|byte| *byte == 0)
        .map(String::from_utf8_lossy)
        .filter(|name| name.starts_with("user.") || name.starts_with("system.posix_acl_"))
        .map(|name| {
            let mut value = vec![0; 65_536];
            let length = rustix::fs::lgetxattr(path, &*name, &mut value[..]).unwrap_or(0);
            value.truncate(length);
            (name.into_owned(), value)
        })
        .collect()
}

/// A path of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A directory and its permissions.
    Dir(u32, Facts),
    /// A file: permissions, size, SHA-256.
    File(u32, u64, [u8; 32], Facts),
    /// A symbolic link and its target.
    Link(String, Facts),
    /// A socket or the like.
    Other,
}

impl Node {
    /// Returns the permissions, size and digest of a file, for comparisons of files whose times
    /// have nothing in common.
    pub fn content(&self) -> Option<(u32, u64, [u8; 32])> {
        match self {
            Self::File(mode, size, digest, _) => Some((*mode, *size, *digest)),
            Self::Dir(..) | Self::Link(..) | Self::Other => None,
        }
    }

    /// Returns the modification time.
    pub fn time(&self) -> Option<Moment> {
        self.facts().map(|facts| facts.time)
    }

    fn facts(&self) -> Option<&Facts> {
        match self {
            Self::Dir(_, facts) | Self::File(.., facts) | Self::Link(_, facts) => Some(facts),
            Self::Other => None,
        }
    }

    /// Reads one file.
    pub fn of_file(path: &Path, metadata: &fs::Metadata) -> std::io::Result<Self> {
        let mode = metadata.permissions().mode() & 0o7777;
        let digest = Sha256::digest(fs::read(path)?).into();
        Ok(Self::File(
            mode,
            metadata.len(),
            digest,
            Facts::of(path, metadata),
        ))
    }
}

/// The content of a directory.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Nodes by path, relative to the directory. The directory itself is `.`.
    pub nodes: BTreeMap<String, Node>,
    /// Text of generated files, to show differences.
    texts: BTreeMap<String, String>,
}

impl Snapshot {
    /// Starts the time that counts as "now". Each scene calls this function before it makes
    /// anything.
    pub fn begin() {
        LazyLock::force(&STARTED);
    }

    /// Reads a whole directory. A directory that doesn't exist gives an empty snapshot.
    pub fn of(dir: &Path) -> Self {
        let mut snapshot = Self::default();
        if dir.exists() {
            snapshot.read(dir, ".");
        }
        snapshot
    }

    fn read(&mut self, path: &Path, name: &str) {
        let metadata = fs::symlink_metadata(path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mode = metadata.permissions().mode() & 0o7777;
        let facts = Facts::of(path, &metadata);
        let node = if metadata.is_symlink() {
            Node::Link(
                fs::read_link(path)
                    .expect("a target")
                    .to_string_lossy()
                    .into_owned(),
                facts,
            )
        } else if metadata.is_dir() {
            for entry in
                fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
            {
                let entry = entry.expect("an entry");
                let below = entry.file_name().to_string_lossy().into_owned();
                let below = if name == "." {
                    below
                } else {
                    format!("{name}/{below}")
                };
                self.read(&entry.path(), &below);
            }
            Node::Dir(mode, facts)
        } else if metadata.is_file() {
            let bytes =
                fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let generated = name.starts_with("vendor/composer/")
                || name.starts_with("vendor/bin/")
                || name.matches('/').count() < 2;
            if generated && metadata.len() <= KEPT {
                self.texts.insert(
                    name.to_owned(),
                    String::from_utf8_lossy(&bytes).into_owned(),
                );
            }
            Node::File(mode, metadata.len(), Sha256::digest(&bytes).into(), facts)
        } else {
            Node::Other
        };
        self.nodes.insert(name.to_owned(), node);
    }

    /// Returns only the paths at or below `prefix`.
    #[must_use]
    pub fn below(&self, prefix: &str) -> Self {
        let inside = |path: &str| {
            path == prefix
                || path
                    .strip_prefix(prefix)
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        self.filtered(inside)
    }

    /// Returns all paths but those at or below `prefix`.
    #[must_use]
    pub fn without(&self, prefix: &str) -> Self {
        let inside = |path: &str| {
            path == prefix
                || path
                    .strip_prefix(prefix)
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        self.filtered(|path| !inside(path))
    }

    /// Returns this snapshot, with numbers in place of the names of files that begin in this way.
    #[must_use]
    pub fn with_numbered(&self, start: &str) -> Self {
        let mut count = 0;
        let mut numbered = self.filtered(|path| !path.starts_with(start));
        for (path, node) in self
            .nodes
            .iter()
            .filter(|(path, _)| path.starts_with(start))
        {
            count += 1;
            let end = path.rfind('.').map_or("", |dot| &path[dot..]);
            numbered
                .nodes
                .insert(format!("{start}{count}{end}"), node.clone());
        }
        numbered
    }

    fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self {
            nodes: self
                .nodes
                .iter()
                .filter(|(path, _)| keep(path))
                .map(|(path, node)| (path.clone(), node.clone()))
                .collect(),
            texts: self
                .texts
                .iter()
                .filter(|(path, _)| keep(path))
                .map(|(path, text)| (path.clone(), text.clone()))
                .collect(),
        }
    }

    /// Returns the text of a generated file (`vendor/composer/…`, `vendor/bin/…`, files at the
    /// top).
    pub fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// Returns the number of regular files.
    pub fn files(&self) -> usize {
        self.nodes
            .values()
            .filter(|node| matches!(node, Node::File(..)))
            .count()
    }
}

/// Returns the differences, a line each (at most 40); empty if there are none.
pub fn diff(left: &Snapshot, right: &Snapshot) -> String {
    let mut out = String::new();
    let mut count = 0;
    let paths: std::collections::BTreeSet<&String> =
        left.nodes.keys().chain(right.nodes.keys()).collect();
    for path in paths {
        let (one, other) = (left.nodes.get(path), right.nodes.get(path));
        if one == other {
            continue;
        }
        count += 1;
        if count > 40 {
            continue;
        }
        let _ = match (one, other) {
            (Some(one), None) => writeln!(out, "{path}: only on the left, {}", show(one, one)),
            (None, Some(other)) => {
                writeln!(out, "{path}: only on the right, {}", show(other, other))
            }
            (Some(one), Some(other)) => {
                writeln!(out, "{path}: {} | {}", show(one, other), show(other, one))
            }
            (None, None) => Ok(()),
        };
        if let (Some(one), Some(other)) = (left.text(path), right.text(path))
            && let Some((number, one, other)) = first_difference(one, other)
        {
            let _ = writeln!(out, "    line {number}:\n    < {one}\n    > {other}");
        }
    }
    if count > 40 {
        let _ = writeln!(out, "… and {} more", count - 40);
    }
    out
}

/// Returns a node as text. It has owner and attributes only if those of the other side differ.
pub(super) fn show(node: &Node, beside: &Node) -> String {
    let mut text = match node {
        Node::Dir(mode, _) => format!("dir {mode:04o}"),
        Node::File(mode, size, digest, _) => format!(
            "file {mode:04o} {size} bytes {:02x}{:02x}{:02x}{:02x}",
            digest[0], digest[1], digest[2], digest[3]
        ),
        Node::Link(target, _) => format!("link to {target}"),
        Node::Other => "something else".to_owned(),
    };
    if let (Some(facts), Some(beside)) = (node.facts(), beside.facts()) {
        let _ = write!(text, ", {}", moment(facts.time));
        if facts.owner != beside.owner {
            let _ = write!(text, ", owner {}:{}", facts.owner.0, facts.owner.1);
        }
        if facts.attributes != beside.attributes {
            let _ = write!(text, ", attributes {:?}", facts.attributes);
        }
    }
    text
}

fn moment(time: Moment) -> String {
    let Moment::At(seconds, nanoseconds) = time else {
        return "now".to_owned();
    };
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Year, month and day follow from Howard Hinnant's `civil_from_days`.
    let day = day + 719_468;
    let (era, day) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let of_month = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let mut text = format!(
        "{year}-{month:02}-{of_month:02} {:02}:{:02}:{:02}",
        second / 3_600,
        second / 60 % 60,
        second % 60
    );
    if nanoseconds != 0 {
        let _ = write!(text, ".{nanoseconds:09}");
    }
    text + " UTC"
}

fn first_difference(left: &str, right: &str) -> Option<(usize, String, String)> {
    let mut rights = right.lines();
    for (index, line) in left.lines().enumerate() {
        let other = rights.next().unwrap_or("(end)");
        if line != other {
            return Some((
                index + 1,
                line.chars().take(200).collect(),
                other.chars().take(200).collect(),
            ));
        }
    }
    rights.next().map(|line| {
        (
            left.lines().count() + 1,
            "(end)".to_owned(),
            line.chars().take(200).collect(),
        )
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::fs::XattrFlags;

    use super::*;

    fn sample() -> tempfile::TempDir {
        Snapshot::begin();
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join("sub")).expect("a directory");
        fs::write(dir.path().join("sub/file"), "one").expect("a file");
        dir
    }

    fn set_time(path: &Path, time: Duration) {
        fs::File::open(path)
            .and_then(|file| file.set_modified(UNIX_EPOCH + time))
            .expect("a time");
    }

    #[test]
    fn each_kind_of_difference_is_seen() {
        let (left, right) = (sample(), sample());
        let differ = || diff(&Snapshot::of(left.path()), &Snapshot::of(right.path()));
        let path = |of: &tempfile::TempDir| of.path().join("sub/file");
        assert_eq!(differ(), "");

        let at = Duration::from_secs(1_425_535_628);
        set_time(&path(&right), at);
        let found = differ();
        assert!(found.contains(", now | "), "{found}");
        assert!(found.contains(", 2015-03-05 06:07:08 UTC\n"), "{found}");
        set_time(&path(&left), at);
        assert_eq!(differ(), "");
        set_time(&path(&right), at + Duration::from_nanos(1));
        assert!(differ().contains("08.000000001 UTC"), "{}", differ());
        set_time(&path(&right), at);

        // Times in future years are no "now" either.
        set_time(&left.path().join("sub"), Duration::from_secs(4_354_819_198));
        assert!(differ().contains("dir 0755, 2107-12-31 23:59:58 UTC | dir 0755, now"));
        set_time(
            &left.path().join("sub"),
            SystemTime::now().duration_since(UNIX_EPOCH).expect("now"),
        );
        assert_eq!(differ(), "");

        let flags = XattrFlags::empty();
        if rustix::fs::lsetxattr(path(&right), "user.e2e", b"set", flags).is_ok() {
            assert!(
                differ().contains("attributes {\"user.e2e\""),
                "{}",
                differ()
            );
            rustix::fs::lremovexattr(path(&right), "user.e2e").expect("removed");
        }
        if std::os::unix::fs::chown(path(&right), Some(1_234), Some(5_678)).is_ok() {
            assert!(differ().contains("owner 1234:5678"), "{}", differ());
        }
    }
}
