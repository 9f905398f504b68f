//! Counts what the store holds, what it takes on disk, and what it saves.

use std::collections::HashMap;
use std::fs;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use foldhash::fast::RandomState;
use rayon::prelude::*;
use serde::Serialize;

use super::layout::QUARANTINE;
use super::link::Method;
use super::projects::Installed;
use super::verify::listed;
use super::walk::blocks;
use super::{Bucket, Digest, ItemKind, Project, Store};
use allegro_base::error::Result;
use allegro_base::threads::with_pool;
use allegro_composer::ManifestKey;

/// The content of the store, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Number of packages.
    pub manifests: u64,
    /// Number of files: one per content where files can share blocks, else one per content, mode
    /// and time.
    pub blobs: u64,
    /// Size of all blobs in bytes.
    pub bytes: u64,
    /// Number of blobs that were changed in place and are kept for inspection.
    pub quarantined: u64,
    /// Size of the quarantined blobs in bytes.
    pub quarantined_bytes: u64,
}

/// The content of the store with the projects that use it.
///
/// The saved bytes are what all projects would take without the store, less what they and the store
/// take together. Only shared files differ between both sides, so the figure is the sum of:
/// - each hard link: the blocks of its inode, for each name outside of the store (exact, because
///   the inode counts its names)
/// - each reflinked file of a living project: the blocks of its content (by the registry, as
///   nobody counts who shares blocks)
/// - minus the blocks of all blobs and contents, which only the store has
///
/// Btrfs keeps small files in its trees, so a reflink of such a file shares nothing.
///
/// Copies are on both sides and save nothing. A blob that one project links saves nothing either.
/// The figure is negative where the store costs more than it saves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Numbers of packages and files.
    #[serde(flatten)]
    pub usage: Usage,
    /// Bytes that all blobs take on disk.
    pub real_bytes: u64,
    /// Bytes that the store saves on disk.
    pub saved_bytes: i64,
    /// Living projects on record, by vendor directory.
    pub projects: Vec<ProjectUsage>,
}

/// What a project has from the store.
///
/// The method on record is the "lowest" that put a shared file into the project. With hard links, a
/// file counts as shared if an inode of its content has a name outside of the store. With reflinks,
/// it counts if the store has the content. Copied files are never shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProjectUsage {
    /// Directory of the project.
    pub directory: String,
    /// When a run last used the project, in seconds since 1970.
    pub last_used: u64,
    /// Method that put shared files into the project, if it is known.
    pub method: Option<Method>,
    /// Number of packages.
    pub packages: u64,
    /// Size of the packages' files in bytes.
    pub bytes: u64,
    /// Size in bytes of those files that take no room of their own beside the store.
    pub shared_bytes: u64,
}

/// What the store has of a content.
#[derive(Debug, Default)]
struct Held {
    /// Bytes on disk that another file with this content can share.
    blocks: u64,
    /// Number of names outside of the store.
    names: u64,
}

type Files = Vec<(Digest, u64)>;

impl Store {
    /// Counts the content of the store. Unreadable entries don't count.
    pub fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        let mut failures = Vec::new();
        for path in self.blob_paths(&mut failures) {
            if let Ok(metadata) = fs::symlink_metadata(&path) {
                usage.blobs += 1;
                usage.bytes += metadata.len();
            }
        }
        self.count_others(&mut usage);
        usage
    }

    fn count_others(&self, usage: &mut Usage) {
        usage.manifests = listed(&self.bucket(Bucket::Manifests), &mut Vec::new()).len() as u64;
        for entry in fs::read_dir(self.root().join(QUARANTINE))
            .into_iter()
            .flatten()
            .flatten()
        {
            usage.quarantined += 1;
            usage.quarantined_bytes += entry.metadata().map_or(0, |facts| facts.len());
        }
    }

    /// Counts the content of the store, and what each project has from it.
    ///
    /// # Errors
    /// Fails only if no thread can be started.
    pub fn status(&self) -> Result<Status> {
        let threads = available_parallelism().map_or(1, NonZeroUsize::get);
        with_pool(threads, |pool| self.status_in(pool))
    }

    fn status_in(&self, pool: &rayon::ThreadPool) -> Status {
        let mut status = Status::default();
        let mut held: HashMap<Digest, Held, RandomState> = HashMap::default();
        let mut linked = 0;
        let blobs = self.each_blob(pool, |digest, facts, _| {
            let length = u64::try_from(facts.st_size).unwrap_or_default();
            #[allow(
                clippy::unnecessary_cast,
                reason = "the field's type differs between systems"
            )]
            Some((*digest, length, blocks(facts), facts.st_nlink as u64))
        });
        for (digest, length, blocks, links) in blobs {
            let is_inline = self.is_inline(length);
            let blocks = if is_inline { length } else { blocks };
            status.usage.blobs += 1;
            status.usage.bytes += length;
            status.real_bytes += blocks;
            let names = links.saturating_sub(1);
            linked += names * blocks;
            let of_digest = held.entry(digest).or_default();
            if !is_inline {
                of_digest.blocks = of_digest.blocks.max(blocks);
            }
            of_digest.names += names;
        }
        self.count_others(&mut status.usage);
        let mut projects = self.projects();
        for project in &mut projects {
            // The record may have packages that the project has given up.
            if let Some(installed) = Installed::read(&project.vendor_dir) {
                let still = |name: &str| name.is_empty() || installed.names(name);
                project.packages.retain(|package| still(&package.name));
            }
        }
        let mut keys: Vec<ManifestKey> = projects
            .iter()
            .flat_map(|project| project.packages.iter().map(|package| package.key))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        let packages: HashMap<ManifestKey, Files> = pool.install(|| {
            keys.into_par_iter()
                .filter_map(|key| Some((key, self.files_of(&key)?)))
                .collect()
        });
        let mut reflinked = 0;
        for project in &projects {
            let (usage, blocks) = count(project, &packages, &held);
            reflinked += blocks;
            status.projects.push(usage);
        }
        let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        status.saved_bytes = signed(linked + reflinked).saturating_sub(signed(status.real_bytes));
        status
    }

    /// Returns the files of a package, if the store has its manifest.
    fn files_of(&self, key: &ManifestKey) -> Option<Files> {
        let manifest = self.read_manifest(key).ok()??;
        let file = |kind: &ItemKind| match kind {
            ItemKind::File { digest, size } => Some((*digest, *size)),
            ItemKind::Dir | ItemKind::Symlink { .. } => None,
        };
        let files = manifest.items.iter().filter_map(|item| file(&item.kind));
        Some(files.collect())
    }
}

/// Returns what a project has, and the bytes on disk that its reflinked files share.
fn count(
    project: &Project,
    packages: &HashMap<ManifestKey, Files>,
    held: &HashMap<Digest, Held, RandomState>,
) -> (ProjectUsage, u64) {
    let mut usage = ProjectUsage {
        directory: project.directory().display().to_string(),
        last_used: project.last_used,
        method: project.method,
        packages: project.packages.len() as u64,
        bytes: 0,
        shared_bytes: 0,
    };
    let mut reflinked = 0;
    for package in &project.packages {
        let Some(files) = packages.get(&package.key) else {
            usage.bytes += package.bytes.unwrap_or_default();
            continue;
        };
        for (digest, size) in files {
            usage.bytes += size;
            let held = held.get(digest);
            let is_shared = match project.method {
                Some(Method::Copy) => false,
                Some(Method::Reflink) => held.is_some_and(|held| held.blocks > 0 || *size == 0),
                // Only hard links give an inode of the store another name.
                Some(Method::Hardlink) | None => held.is_some_and(|held| held.names > 0),
            };
            if is_shared {
                usage.shared_bytes += size;
            }
            if is_shared && project.method == Some(Method::Reflink) {
                reflinked += held.map_or(0, |held| held.blocks);
            }
        }
    }
    (usage, reflinked)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    use super::*;
    use crate::testing::{Package, install};

    /// Returns the bytes on disk of everything below the directories, each inode once.
    fn on_disk(directories: &[&Path]) -> u64 {
        let mut inodes = HashMap::new();
        let mut paths: Vec<_> = directories.iter().map(|path| path.to_path_buf()).collect();
        while let Some(path) = paths.pop() {
            let facts = fs::symlink_metadata(&path).expect("an entry");
            if facts.is_dir() {
                let entries = fs::read_dir(&path).expect("a directory").flatten();
                paths.extend(entries.map(|entry| entry.path()));
            } else {
                inodes.insert(facts.ino(), facts.blocks() * 512);
            }
        }
        inodes.into_values().sum()
    }

    #[test]
    fn packages_that_a_project_gave_up_do_not_count() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(&dir.path().join("store")).expect("a store");
        let (a, b) = (
            Package::of("a/a", "1", &[b"a"]),
            Package::of("b/b", "1", &[b"b"]),
        );
        let root = dir.path().join("project");
        let project = install(&store, &root, &[&a, &b], Method::Copy, 5);
        let count = || store.status().expect("counted").projects[0].packages;
        assert_eq!(count(), 2, "nothing is known of the project itself");
        let records = project.vendor_dir.join("composer");
        fs::create_dir_all(&records).expect("made");
        let text = r#"{"packages": [{"name": "B/b", "version": "2"}]}"#;
        fs::write(records.join("installed.json"), text).expect("written");
        assert_eq!(count(), 1);
    }

    /// The saved bytes are compared with what the files really take, with and without a store.
    #[test]
    fn the_saved_bytes_are_those_that_are_not_on_disk() {
        let big = vec![b'x'; 10_000];
        let a = Package::of("a/a", "1", &[&big, b"a", b"a"]);
        let b = Package::of("b/b", "1", &[&big, b"b"]);
        for (method, names) in [
            (Method::Hardlink, vec!["one"]),
            (Method::Hardlink, vec!["one", "two", "three"]),
            (Method::Copy, vec!["one", "two"]),
        ] {
            let dir = tempfile::tempdir().expect("temporary directory");
            let mut store = Store::open(&dir.path().join("store")).expect("a store");
            store.set_keeps_contents(false);
            let mut with_store = vec![store.bucket(Bucket::Blobs)];
            let mut without = 0;
            for name in &names {
                let root = dir.path().join(name);
                let project = install(&store, &root, &[&a, &b], method, 5);
                // Each file is a file of its own then, even beside its like in one project.
                let copy = dir.path().join("copy");
                let other = Store::open(&copy.join("store")).expect("a store");
                let copied = install(&other, &copy.join(name), &[&a, &b], Method::Copy, 5);
                without += on_disk(&[&copied.vendor_dir]);
                with_store.push(project.vendor_dir);
            }
            let paths: Vec<&Path> = with_store.iter().map(AsRef::as_ref).collect();
            let status = store.status().expect("counted");
            let expected = i64::try_from(without).expect("a size")
                - i64::try_from(on_disk(&paths)).expect("a size");
            assert_eq!(status.saved_bytes, expected, "{method} {names:?}");
            assert_eq!(status.real_bytes, on_disk(&paths[..1]));
            assert_eq!(status.usage, store.usage());
            assert_eq!(status.projects.len(), names.len());
            for project in &status.projects {
                assert_eq!((project.packages, project.bytes), (2, 20_003));
                assert_eq!(project.method, Some(method));
                let shared = if method == Method::Copy { 0 } else { 20_003 };
                assert_eq!(project.shared_bytes, shared);
            }
        }
    }

    /// Who shares blocks is known from the registry alone.
    #[test]
    fn reflinked_files_count_by_their_method() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let mut store = Store::open(&dir.path().join("store")).expect("a store");
        store.set_keeps_contents(true);
        let a = Package::of("a/a", "1", &[&[b'x'; 10_000], b"a"]);
        for name in ["one", "two"] {
            // Files of this file system need not share blocks, so they are copied here.
            let root = dir.path().join(name);
            let mut project = install(&store, &root, &[&a], Method::Copy, 5);
            project.method = Some(Method::Reflink);
            store.note_project(&project).expect("noted");
        }
        let status = store.status().expect("counted");
        let real = i64::try_from(status.real_bytes).expect("a size");
        assert_eq!(status.saved_bytes, real, "two need half as much");
        assert_eq!(status.projects[1].shared_bytes, 10_001);

        // Only the large file shares blocks on btrfs.
        let small = blocks(
            &rustix::fs::stat(store.path(&store.stored(&crate::FileSpec {
                digest: Digest::of(b"a"),
                size: 1,
                mode: 0o644,
                time: allegro_archive::FileTime::Now,
            })))
            .expect("a content"),
        );
        let small = i64::try_from(small).expect("a size");
        store.set_btrfs(true);
        let status = store.status().expect("counted");
        assert_eq!(
            status.real_bytes,
            u64::try_from(real - small + 1).expect("a size")
        );
        assert_eq!(status.saved_bytes, real - small - 1);
        assert_eq!(status.projects[1].shared_bytes, 10_000);
        store.set_btrfs(false);

        // A package without a manifest counts with the size on record.
        fs::remove_file(store.manifest_path(&a.key)).expect("removed");
        let status = store.status().expect("counted");
        assert_eq!(status.projects[0].bytes, 10_001);
        assert_eq!(status.projects[0].shared_bytes, 0);
        assert_eq!(status.saved_bytes, -real);
        let json = serde_json::to_value(&status).expect("JSON");
        assert_eq!(
            (&json["blobs"], &json["projects"][0]["method"]),
            (&2.into(), &"reflink".into())
        );
    }
}
