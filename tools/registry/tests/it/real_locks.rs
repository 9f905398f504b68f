//! Real locks, where the folder with real inputs is beside the repository.

use std::sync::Arc;

use allegro_registry::{Catalog, Json, LockOptions, Project, ProjectOptions, Shapes, content_hash};

use crate::support::{Site, files_below, has, serve, shared, skip};

const LOCKS: [&str; 6] = [
    "BookStack",
    "b2b-demo-shop",
    "koel",
    "matomo",
    "mautic",
    "suite",
];

fn catalog(name: &str) -> Option<Catalog> {
    let shared = shared()?;
    let shapes = Shapes::read(&shared.join("corpus/dists.jsonl.gz")).unwrap();
    let project = Project::read(&shared.join("locks").join(name)).unwrap();
    Some(
        Catalog::from_lock(
            &project,
            &LockOptions {
                shapes,
                ..LockOptions::default()
            },
        )
        .unwrap(),
    )
}

#[test]
fn content_hashes_are_those_that_composer_wrote() {
    let Some(shared) = shared() else {
        skip!("no ../shared/locks");
    };
    for name in LOCKS {
        let project = Project::read(&shared.join("locks").join(name)).unwrap();
        assert_eq!(
            project.lock.str_at("content-hash"),
            Some(content_hash(&project.manifest).as_str()),
            "{name}"
        );
    }
}

#[test]
fn locks_are_written_as_composer_writes_them() {
    let Some(shared) = shared() else {
        skip!("no ../shared/locks");
    };
    for name in LOCKS {
        let path = shared.join("locks").join(name).join("composer.lock");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            allegro_registry::read_json(&path).unwrap().to_file_text() == text,
            "{name}"
        );
    }
}

#[test]
fn sizes_are_near_the_measured_ones() {
    if shared().is_none() {
        skip!("no ../shared/locks");
    }
    for (name, files, packages) in [("koel", 7_900, 201), ("suite", 62_000, 1_574)] {
        let catalog = catalog(name).unwrap();
        let have: usize = catalog
            .packages()
            .iter()
            .map(|package| package.spec.files.len())
            .sum();
        assert_eq!(catalog.packages().len(), packages, "{name}");
        assert!(
            have.abs_diff(files) * 100 <= files * 15,
            "{name}: {have} files"
        );
    }
}

#[test]
fn everything_a_lock_promises_is_in_the_archives() {
    if shared().is_none() {
        skip!("no ../shared/locks");
    }
    for name in LOCKS {
        let catalog = catalog(name).unwrap();
        for package in catalog.packages() {
            let autoload = package.entry.get("autoload").cloned().unwrap_or(Json::Null);
            let files = autoload
                .get("files")
                .map(Json::one_or_many)
                .unwrap_or_default();
            let programs = package
                .entry
                .get("bin")
                .map(Json::one_or_many)
                .unwrap_or_default();
            for path in files.iter().chain(&programs) {
                let path = path.trim_start_matches("./");
                assert!(
                    package.spec.file(path).is_some(),
                    "{name}: {} lacks {path}",
                    package.spec.name
                );
            }
            for (class, _) in &package.spec.plugins {
                let declared = package.spec.files.iter().any(|file| match &file.role {
                    allegro_registry::Role::Php(classes)
                    | allegro_registry::Role::Functions(classes) => classes.contains(class),
                    _ => false,
                });
                assert!(declared, "{name}: {} lacks {class}", package.spec.name);
            }
        }
        // What is not in the catalog has no archive in the lock either.
        for entry in catalog.project().entries() {
            let dist = entry.get("dist").and_then(|dist| dist.str_at("type"));
            let bare = entry.str_at("type") == Some("metapackage") || dist == Some("path");
            let known = catalog
                .versions(entry.str_at("name").unwrap())
                .next()
                .is_some();
            assert_ne!(bare, known, "{name}: {:?}", entry.str_at("name"));
        }
    }
}

#[test]
fn koel_installs() {
    let Some(catalog) = catalog("koel") else {
        skip!("no ../shared/locks");
    };
    if !has("composer") {
        skip!("no composer");
    }
    let server = serve(&Arc::new(catalog));
    let site = Site::new(&server, &ProjectOptions::default());
    site.composer(&["install", "--ignore-platform-reqs"]);
    let files = files_below(&site.dir().join("vendor")).len();
    assert!(files > 6_700, "{files}");
    assert!(
        site.dir()
            .join("vendor/php-http/discovery/src/Composer/Plugin.php")
            .exists()
    );
}
