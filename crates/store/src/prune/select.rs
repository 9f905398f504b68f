//! Decides which packages go, and which digests the others need.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use rayon::ThreadPool;
use rayon::prelude::*;

use super::{PruneOptions, Pruned, Removed, Remover};
use crate::projects::{Installed, Project, Registry};
use crate::walk::{self, Entry, blocks, look};
use crate::{Bucket, Digest, ItemKind, Manifest, Store, open_directory};

/// A set of digests.
pub(super) type Digests = HashSet<Digest, RandomState>;

/// A manifest in its bucket.
#[derive(Debug)]
pub(super) struct ManifestFile {
    shard: String,
    entry: Entry,
    /// Key of the package in hexadecimal.
    pub(super) hex: String,
}

impl ManifestFile {
    fn place(&self) -> String {
        let name = self.entry.text().unwrap_or_default();
        format!("{}/{}/{name}", Bucket::Manifests.name(), self.shard)
    }
}

/// What stays and what goes.
#[derive(Debug)]
pub(super) struct Selection {
    /// Packages that go.
    pub(super) unused: Vec<ManifestFile>,
    /// Inodes of the manifests that stay, by the packages' keys.
    pub(super) kept: HashMap<String, u64>,
    /// Digests that the staying packages need.
    pub(super) needed: Digests,
    /// Whether packages and files go whatever needs them.
    pub(super) is_everything: bool,
    /// Bytes on disk by which the store exceeds the given size.
    pub(super) over: u64,
}

/// A package that no project needs, and that may stay.
struct Spare {
    file: ManifestFile,
    last_used: u64,
    digests: Vec<Digest>,
}

impl Selection {
    /// Reads the manifests and decides about each.
    pub(super) fn of(
        store: &Store,
        options: &PruneOptions,
        registry: &Registry,
        now: u64,
        pool: &ThreadPool,
        pruned: &mut Pruned,
    ) -> Self {
        let mut selection = Self {
            unused: Vec::new(),
            kept: HashMap::new(),
            needed: Digests::default(),
            is_everything: options.ci,
            over: 0,
        };
        let files = manifests(store, &mut pruned.failures);
        if options.ci {
            selection.unused = files;
            return selection;
        }
        let users = Users::of(registry);
        let read = |file: ManifestFile| {
            let manifest = store.read_manifest_at(&file.place()).ok().flatten();
            (file, manifest)
        };
        let removes_all = options.removes_all_unused();
        let (used, others): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|file| users.have(&file.hex));
        let mut spare: Vec<(ManifestFile, Option<Manifest>)> = Vec::new();
        let read_all = |files: Vec<ManifestFile>| -> Vec<(ManifestFile, Option<Manifest>)> {
            pool.install(|| files.into_par_iter().map(read).collect())
        };
        for (file, manifest) in read_all(used) {
            match &manifest {
                Some(found) if !users.still_have(&file.hex, found) => spare.push((file, manifest)),
                // A torn manifest is left to the check of the store.
                _ => selection.keep(&file, digests(manifest.as_ref())),
            }
        }
        if removes_all {
            selection.unused = spare.into_iter().map(|(file, _)| file).collect();
            selection.unused.extend(others);
            return selection;
        }
        spare.extend(read_all(others));
        let mut spare: Vec<Spare> = spare
            .into_iter()
            .map(|(file, manifest)| Spare {
                last_used: users.last_use(&file.hex).max(written(store, &file)),
                digests: digests(manifest.as_ref()),
                file,
            })
            .collect();
        if let Some(age) = options.max_age {
            let is_old = |spare: &Spare| now.saturating_sub(spare.last_used) >= age.as_secs();
            let (old, young) = spare.into_iter().partition(is_old);
            spare = young;
            selection.drop_all(old);
        }
        if let Some(size) = options.max_size {
            spare = selection.fit(store, size, spare, pool);
        }
        for spare in spare {
            selection.keep(&spare.file, spare.digests);
        }
        selection
    }

    fn keep(&mut self, file: &ManifestFile, digests: Vec<Digest>) {
        self.kept.insert(file.hex.clone(), file.entry.inode);
        self.needed.extend(digests);
    }

    fn drop_all(&mut self, spare: Vec<Spare>) {
        self.unused
            .extend(spare.into_iter().map(|spare| spare.file));
    }

    /// Drops packages until the files of the others fit into a size. Returns the others.
    fn fit(
        &mut self,
        store: &Store,
        size: u64,
        mut spare: Vec<Spare>,
        pool: &ThreadPool,
    ) -> Vec<Spare> {
        spare.sort_by(|one, other| {
            (other.last_used, &other.file.hex).cmp(&(one.last_used, &one.file.hex))
        });
        let mut users: HashMap<Digest, u32, RandomState> = HashMap::default();
        for digest in spare.iter().flat_map(|spare| &spare.digests) {
            *users.entry(*digest).or_default() += 1;
        }
        let (mut total, removable) = store.disk_use(pool, &|digest| {
            self.needed.contains(digest) || users.contains_key(digest)
        });
        while total > size
            && let Some(last) = spare.pop()
        {
            for digest in &last.digests {
                let count = users.entry(*digest).or_default();
                *count = count.saturating_sub(1);
                if *count == 0 && !self.needed.contains(digest) {
                    total -= removable.get(digest).copied().unwrap_or_default();
                }
            }
            self.unused.push(last.file);
        }
        self.over = total.saturating_sub(size);
        spare
    }

    /// Looks at manifests that have come or changed while other processes used the store.
    pub(super) fn refresh(
        &mut self,
        store: &Store,
        remover: Remover,
        pool: &ThreadPool,
        pruned: &mut Pruned,
    ) {
        let news: Vec<ManifestFile> = manifests(store, &mut pruned.failures)
            .into_iter()
            .filter(|file| self.kept.get(&file.hex) != Some(&file.entry.inode))
            .collect();
        if self.is_everything {
            let selection = Self {
                unused: news,
                kept: HashMap::new(),
                needed: Digests::default(),
                is_everything: true,
                over: 0,
            };
            store.remove_manifests(&selection, remover, pool, pruned);
            return;
        }
        for file in news {
            let manifest = store.read_manifest_at(&file.place()).ok().flatten();
            self.keep(&file, digests(manifest.as_ref()));
        }
    }
}

/// Which projects have which packages.
struct Users<'r> {
    projects: Vec<(&'r Project, Option<Installed>)>,
    /// Indexes of the projects, by key.
    by_key: HashMap<String, Vec<usize>>,
    /// Last use of the packages of all projects, by key.
    last_use: HashMap<String, u64>,
}

impl<'r> Users<'r> {
    fn of(registry: &'r Registry) -> Self {
        let mut users = Self {
            projects: Vec::new(),
            by_key: HashMap::new(),
            last_use: HashMap::new(),
        };
        for project in &registry.living {
            let index = users.projects.len();
            for package in &project.packages {
                let of_key = users.by_key.entry(package.key.hex()).or_default();
                of_key.push(index);
            }
            users.note(project);
            let installed = Installed::read(&project.vendor_dir);
            users.projects.push((project, installed));
        }
        for gone in registry
            .gone
            .iter()
            .filter_map(|gone| gone.project.as_ref())
        {
            users.note(gone);
        }
        users
    }

    fn note(&mut self, project: &Project) {
        for package in &project.packages {
            let moment = self.last_use.entry(package.key.hex()).or_default();
            *moment = (*moment).max(project.last_used);
        }
    }

    fn have(&self, hex: &str) -> bool {
        self.by_key.contains_key(hex)
    }

    fn still_have(&self, hex: &str, manifest: &Manifest) -> bool {
        self.by_key.get(hex).into_iter().flatten().any(|&index| {
            let (_, installed) = &self.projects[index];
            installed
                .as_ref()
                .is_none_or(|installed| installed.has(manifest))
        })
    }

    fn last_use(&self, hex: &str) -> u64 {
        self.last_use.get(hex).copied().unwrap_or_default()
    }
}

fn digests(manifest: Option<&Manifest>) -> Vec<Digest> {
    manifest
        .into_iter()
        .flat_map(|manifest| &manifest.items)
        .filter_map(|item| match item.kind {
            ItemKind::File { digest, .. } => Some(digest),
            ItemKind::Dir | ItemKind::Symlink { .. } => None,
        })
        .collect::<HashSet<Digest>>()
        .into_iter()
        .collect()
}

/// Returns when a manifest was written or given up, in seconds since 1970.
fn written(store: &Store, file: &ManifestFile) -> u64 {
    std::fs::symlink_metadata(store.root().join(file.place()))
        .and_then(|facts| facts.modified())
        .ok()
        .and_then(|moment| moment.duration_since(std::time::UNIX_EPOCH).ok())
        .map_or(0, |since| since.as_secs())
}

/// Returns all manifests, in no particular order.
fn manifests(store: &Store, failures: &mut Vec<String>) -> Vec<ManifestFile> {
    let mut files = Vec::new();
    let Ok(bucket) = open_directory(&store.bucket(Bucket::Manifests)) else {
        return files;
    };
    for shard in 0..=255_u8 {
        let shard = format!("{shard:02x}");
        match walk::opened(&bucket, &*shard) {
            Ok(None) => {}
            Ok(Some((dir, entries))) => files.extend(entries.into_iter().filter_map(|entry| {
                let hex = format!("{shard}{}", entry.text()?);
                let is_name = hex.len() == 64 && hex.bytes().all(|digit| digit.is_ascii_hexdigit());
                (is_name && entry.is_file(&dir)).then(|| ManifestFile {
                    shard: shard.clone(),
                    entry,
                    hex,
                })
            })),
            Err(error) => failures.push(format!(
                "{} can't be read: {error}",
                store.bucket(Bucket::Manifests).join(shard).display()
            )),
        }
    }
    files
}

impl Store {
    /// Removes the manifests of a selection.
    pub(super) fn remove_manifests(
        &self,
        selection: &Selection,
        remover: Remover,
        pool: &ThreadPool,
        pruned: &mut Pruned,
    ) {
        let Ok(bucket) = open_directory(&self.bucket(Bucket::Manifests)) else {
            return;
        };
        let of_shard = |files: &[ManifestFile]| {
            let mut removed = Removed::default();
            let Ok(dir) = walk::open_listable(&bucket, &*files[0].shard) else {
                return removed;
            };
            let mut files: Vec<&ManifestFile> = files.iter().collect();
            // Neighbours in the inode table follow each other.
            files.sort_unstable_by_key(|file| file.entry.inode);
            for file in files {
                if let Ok(facts) = look(&dir, &file.entry.name) {
                    let path = || self.root().join(file.place());
                    remover.remove(&dir, &file.entry, &facts, &path, &mut removed);
                }
            }
            removed
        };
        let shards: Vec<&[ManifestFile]> = selection
            .unused
            .chunk_by(|one, other| one.shard == other.shard)
            .collect();
        let all: Vec<Removed> = pool.install(|| shards.into_par_iter().map(of_shard).collect());
        let mut removed = Removed::default();
        for one in all {
            removed.sum += one.sum;
            removed.failures.extend(one.failures);
        }
        pruned.manifests += removed.sum.files;
        pruned.add(removed.sum);
        pruned.failures.extend(removed.failures);
    }

    /// Returns the bytes on disk of all blobs that stay because a package needs them or because
    /// they are linked. Returns as well how many bytes each content frees when it goes.
    fn disk_use(
        &self,
        pool: &ThreadPool,
        is_needed: &(dyn Fn(&Digest) -> bool + Sync),
    ) -> (u64, HashMap<Digest, u64, RandomState>) {
        let found: Vec<(Digest, u64, bool)> = self.each_blob(pool, |digest, facts, _| {
            let is_linked = facts.st_nlink > 1;
            (is_linked || is_needed(digest)).then(|| (*digest, blocks(facts), is_linked))
        });
        let mut removable: HashMap<Digest, u64, RandomState> = HashMap::default();
        let mut total = 0;
        for (digest, bytes, is_linked) in found {
            total += bytes;
            if !is_linked {
                *removable.entry(digest).or_default() += bytes;
            }
        }
        (total, removable)
    }
}
