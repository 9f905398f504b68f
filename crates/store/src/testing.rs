//! Makes packages and projects for the tests of this crate.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use allegro_archive::{FileTime, Mode, Time, Unpacking, Zone};
use allegro_composer::{Dist, ManifestKey};

use crate::link::{Linked, Linker, Method, Strategy, TreeError, TreeOptions, link_tree};
use crate::{Digest, FileSpec, Item, ItemKind, Manifest, Project, ProjectPackage, Store};

/// Modification time of all files.
pub(crate) const TIME: u32 = 1_600_000_000;

/// A package with a few files.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) key: ManifestKey,
    pub(crate) manifest: Manifest,
    pub(crate) contents: Vec<Vec<u8>>,
}

pub(crate) fn zone() -> Zone {
    Zone::of(Some(""), Path::new("/"))
}

pub(crate) fn unpacking(zone: &Zone) -> Unpacking<'_> {
    Unpacking {
        umask: 0o022,
        zone,
        by_zip_archive: false,
        after_unzip: false,
        utf8_locale: true,
    }
}

impl Package {
    /// Describes a package whose files have these contents.
    pub(crate) fn of(name: &str, version: &str, contents: &[&[u8]]) -> Self {
        let url = format!("https://example.org/{name}/{version}.zip");
        let file = |(number, content): (usize, &&[u8])| Item {
            path: format!("src/{number}.php"),
            mode: Mode::Default,
            time: 0,
            kind: ItemKind::File {
                digest: Digest::of(content),
                size: content.len() as u64,
            },
        };
        Self {
            name: name.to_owned(),
            key: Dist::at(&url).key(),
            contents: contents.iter().map(|content| content.to_vec()).collect(),
            manifest: Manifest {
                name: name.to_owned(),
                version: version.to_owned(),
                url,
                reference: None,
                archive_bytes: 100,
                root_mode: Mode::Default,
                root_time: Time::Now,
                times: vec![Time::Stamp {
                    unix: Some(TIME),
                    dos: 0x5821_0000,
                }],
                items: contents.iter().enumerate().map(file).collect(),
            },
        }
    }

    /// Puts the package into a store.
    pub(crate) fn store(&self, store: &Store) {
        for content in &self.contents {
            let spec = FileSpec {
                digest: Digest::of(content),
                size: content.len() as u64,
                mode: 0o644,
                time: FileTime::At(i64::from(TIME)),
            };
            store.ensure(&spec, content).expect("a blob");
        }
        store
            .write_manifest(&self.key, &self.manifest)
            .expect("a manifest");
    }

    /// Links the package from a store into a project.
    pub(crate) fn link(
        &self,
        store: &Store,
        project: &Path,
        strategy: Strategy,
    ) -> Result<Linked, TreeError> {
        let zone = zone();
        let options = TreeOptions {
            unpacking: unpacking(&zone),
            private: false,
            bins: &[],
            shares_bins: false,
        };
        let vendor = project.join("vendor");
        let target = vendor.join(&self.name);
        fs::create_dir_all(target.parent().expect("a parent")).expect("a directory");
        let linker = Linker::new(store, &vendor, strategy, false).expect("a linker");
        let manifest = store.read_manifest(&self.key).expect("read");
        let manifest = manifest.ok_or(TreeError::Incomplete {
            damaged: Vec::new(),
        })?;
        link_tree(
            &linker,
            &manifest,
            &target,
            options,
            &AtomicBool::new(false),
        )
    }

    pub(crate) fn on_record(&self) -> ProjectPackage {
        ProjectPackage {
            name: self.name.clone(),
            version: self.manifest.version.clone(),
            key: self.key,
            bytes: Some(self.manifest.files_and_bytes().1),
        }
    }
}

/// Installs packages into a project and puts it on record.
pub(crate) fn install(
    store: &Store,
    project: &Path,
    packages: &[&Package],
    method: Method,
    last_used: u64,
) -> Project {
    let strategy = match method {
        Method::Reflink => Strategy::Reflink,
        Method::Hardlink => Strategy::Hardlink,
        Method::Copy => Strategy::Copy,
    };
    for package in packages {
        package.store(store);
        package.link(store, project, strategy).expect("linked");
    }
    let project = Project {
        root: Some(project.to_owned()),
        vendor_dir: project.join("vendor"),
        last_used,
        lock: None,
        method: Some(method),
        packages: packages.iter().map(|package| package.on_record()).collect(),
    };
    store.note_project(&project).expect("noted");
    project
}
