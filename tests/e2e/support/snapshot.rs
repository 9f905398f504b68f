//! A directory as facts: what is where, with which content, mode and link target.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// Files up to this size are kept, so that a difference can be shown.
const KEPT: u64 = 1 << 20;

/// One path of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A directory and its permissions.
    Dir(u32),
    /// A file: permissions, size, SHA-256.
    File(u32, u64, [u8; 32]),
    /// A symbolic link and its target.
    Link(String),
    /// A socket or the like.
    Other,
}

/// Everything below a directory. Modification times and link counts don't belong to it.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// By path, relative to the directory; the directory itself is `.`.
    pub nodes: BTreeMap<String, Node>,
    /// Text of generated files, to show differences.
    texts: BTreeMap<String, String>,
}

impl Snapshot {
    /// Reads a whole directory. One that doesn't exist gives an empty snapshot.
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
        let node = if metadata.is_symlink() {
            Node::Link(
                fs::read_link(path)
                    .expect("a target")
                    .to_string_lossy()
                    .into_owned(),
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
            Node::Dir(mode)
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
            Node::File(mode, metadata.len(), Sha256::digest(&bytes).into())
        } else {
            Node::Other
        };
        self.nodes.insert(name.to_owned(), node);
    }

    /// Only what is at or below `prefix`.
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

    /// Without what is at or below `prefix`.
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

    /// The text of a generated file (`vendor/composer/…`, `vendor/bin/…`, files at the top).
    pub fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// How many regular files there are.
    pub fn files(&self) -> usize {
        self.nodes
            .values()
            .filter(|node| matches!(node, Node::File(..)))
            .count()
    }
}

/// What differs, a line each (at most 40); empty if nothing does.
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
            (Some(one), None) => writeln!(out, "{path}: only on the left, {}", show(one)),
            (None, Some(other)) => writeln!(out, "{path}: only on the right, {}", show(other)),
            (Some(one), Some(other)) => writeln!(out, "{path}: {} | {}", show(one), show(other)),
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

fn show(node: &Node) -> String {
    match node {
        Node::Dir(mode) => format!("dir {mode:04o}"),
        Node::File(mode, size, digest) => format!(
            "file {mode:04o} {size} bytes {:02x}{:02x}{:02x}{:02x}",
            digest[0], digest[1], digest[2], digest[3]
        ),
        Node::Link(target) => format!("link to {target}"),
        Node::Other => "something else".to_owned(),
    }
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
