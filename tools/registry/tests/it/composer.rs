//! Projects that the real Composer installs.

use std::sync::Arc;

use allegro_registry::{
    Catalog, Format, Json, LockOptions, OlderOptions, Profile, Project, ProjectOptions, Role,
    Server, ServerOptions, content_hash, function_name,
};

use crate::support::{Site, files_below, has, php_has, serve, skip, small};

/// A class that a package's own autoload rules find.
fn some_class(catalog: &Catalog, number: usize) -> String {
    let classes = catalog.packages()[number]
        .spec
        .files
        .iter()
        .find_map(|file| match &file.role {
            Role::Php(classes) if file.path.contains("src/") || file.path.contains("lib/") => {
                classes.first().cloned()
            }
            _ => None,
        });
    classes.unwrap_or_else(|| panic!("package {number} has no class"))
}

#[test]
fn a_generated_project_installs_and_autoloads() {
    if !has("composer") {
        skip!("no composer");
    }
    let catalog = small();
    let server = serve(&catalog);
    let site = Site::new(&server, &ProjectOptions::default());
    let validity = site.composer(&["validate", "--no-check-publish"]);
    assert!(!validity.contains("lock file"), "{validity}");
    site.composer(&["install"]);
    for package in catalog.packages() {
        let dir = site.dir().join("vendor").join(&package.spec.name);
        let expected: Vec<_> = package
            .spec
            .files
            .iter()
            .map(|file| file.path.clone().into())
            .collect();
        let mut expected: Vec<std::path::PathBuf> = expected;
        expected.sort();
        assert_eq!(files_below(&dir), expected, "{}", package.spec.name);
    }
    let with_classes = (0..12).find(|number| {
        let files = &catalog.packages()[*number].spec.files;
        files
            .iter()
            .any(|file| file.path.starts_with("src/") && matches!(file.role, Role::Php(_)))
    });
    let class = some_class(&catalog, with_classes.unwrap());
    let known = format!(
        "echo json_encode([class_exists('{class}') || interface_exists('{class}') || trait_exists('{class}'), class_exists('App\\RootExample')]);"
    );
    assert_eq!(site.php(&known), "[true,true]");
    let log = server.log();
    assert!(
        log.iter()
            .all(|entry| entry.status == 200 || entry.status == 201)
    );
    let report = log
        .iter()
        .find(|entry| entry.path == "/downloads/")
        .unwrap()
        .posted
        .clone();
    let report = allegro_registry::parse_json(&report.unwrap(), "report").unwrap();
    assert_eq!(report.items_at("downloads").len(), 12);
}

#[test]
fn files_autoload_and_programs_work_in_place() {
    if !has("composer") {
        skip!("no composer");
    }
    let mut catalog = Catalog::new();
    let lock = allegro_registry::parse_json(
        r#"{"packages":[{"name":"acme/tool","version":"1.0.0","dist":{"type":"zip","url":"x","reference":"abc","shasum":""},
        "bin":["bin/tool"],"type":"library","autoload":{"files":["lib/boot.php"],"psr-0":{"Acme_":"old/"},"classmap":["map/"]}}],
        "packages-dev":[]}"#,
        "test",
    )
    .unwrap();
    let manifest =
        allegro_registry::parse_json(r#"{"require":{"acme/tool":"*"}}"#, "test").unwrap();
    let project = Project { manifest, lock };
    for package in Catalog::from_lock(&project, &LockOptions::default())
        .unwrap()
        .packages()
    {
        catalog.add(package.clone());
    }
    let catalog = Arc::new(Catalog::from_lock(&project, &LockOptions::default()).unwrap());
    let server = serve(&catalog);
    let site = Site::new(&server, &ProjectOptions::default());
    site.composer(&["install"]);
    let code = format!("echo {}();", function_name("acme/tool", "lib/boot.php"));
    assert_eq!(site.php(&code), "acme/tool 1.0.0");
    let output = site.command("vendor/bin/tool").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "acme/tool 1.0.0\n");
    let map =
        std::fs::read_to_string(site.dir().join("vendor/composer/autoload_classmap.php")).unwrap();
    assert!(map.contains("/map/"), "{map}");
}

#[test]
fn a_plugin_is_loaded_and_activated() {
    if !has("composer") {
        skip!("no composer");
    }
    let lock = allegro_registry::parse_json(
        r#"{"packages":[{"name":"acme/plugin","version":"1.0.0","dist":{"type":"zip","url":"x","reference":"abc","shasum":""},
        "require":{"composer-plugin-api":"^2.0"},"type":"composer-plugin","extra":{"class":["Acme\\Plugin\\First","Acme\\Plugin\\Deep\\Second"]},
        "autoload":{"psr-4":{"Acme\\Plugin\\":"src"}}},
        {"name":"acme/installer","version":"1.0.0","dist":{"type":"zip","url":"x","reference":"abd","shasum":""},
        "type":"composer-installer","extra":{"class":"Acme\\Installer"},"autoload":{"psr-0":{"Acme\\":"src/"}}}],"packages-dev":[]}"#,
        "test",
    )
    .unwrap();
    let manifest = allegro_registry::parse_json(
        r#"{"require":{"acme/plugin":"*","acme/installer":"*"},"config":{"allow-plugins":true}}"#,
        "test",
    )
    .unwrap();
    let catalog = Catalog::from_lock(&Project { manifest, lock }, &LockOptions::default()).unwrap();
    let server = serve(&Arc::new(catalog));
    let site = Site::new(&server, &ProjectOptions::default());
    site.composer(&["install"]);
    let again = site.composer(&["install", "-vvv"]);
    assert!(
        again.contains("Loading plugin Acme\\Plugin\\First"),
        "{again}"
    );
    assert!(
        again.contains("Loading plugin Acme\\Plugin\\Deep\\Second"),
        "{again}"
    );
    assert!(
        site.dir()
            .join("vendor/acme/installer/src/Acme/Installer.php")
            .exists()
    );
}

#[test]
fn every_format_installs_the_same_files() {
    if !has("composer") {
        skip!("no composer");
    }
    let mut trees = Vec::new();
    for format in Format::ALL {
        if format == Format::TarBz2 && !php_has("bz2") {
            crate::support::skipped(module_path!(), "tar.bz2: this PHP has no bz2");
            continue;
        }
        let mut catalog = Catalog::generated(&Profile::Small.spec());
        let names: Vec<String> = catalog.names().into_iter().map(str::to_owned).collect();
        for name in names {
            catalog.set_format(&name, format).unwrap();
        }
        let server = serve(&Arc::new(catalog));
        let site = Site::new(&server, &ProjectOptions::default());
        site.composer(&["install"]);
        assert!(
            server
                .log()
                .iter()
                .any(|entry| entry.path.ends_with(format.extension()))
        );
        trees.push(files_below(&site.dir().join("vendor")));
    }
    assert!(trees.windows(2).all(|pair| pair[0] == pair[1]));
    assert!(trees[0].len() > 180);
}

#[test]
fn over_tls_with_shasums_and_sources() {
    if !has("composer") {
        skip!("no composer");
    }
    let catalog = small();
    let options = ServerOptions {
        tls: true,
        ..ServerOptions::default()
    };
    let server = Server::start(Arc::clone(&catalog), options).unwrap();
    let options = ProjectOptions {
        ca_file: server.ca_file().map(std::path::Path::to_owned),
        shasums: true,
        keep_source: true,
        ..ProjectOptions::default()
    };
    let site = Site::new(&server, &options);
    let lock = allegro_registry::read_json(&site.dir().join("composer.lock")).unwrap();
    assert!(lock.items_at("packages")[0].get("source").is_some());
    let shasum = lock.items_at("packages")[0]
        .get("dist")
        .unwrap()
        .str_at("shasum")
        .unwrap();
    assert_eq!(shasum.len(), 40);
    site.composer(&["install"]);
    // Composer checks the shasum: a wrong one must fail, or the right ones above prove nothing.
    let path = site.dir().join("composer.lock");
    let text = std::fs::read_to_string(&path)
        .unwrap()
        .replace(shasum, &"0".repeat(40));
    std::fs::write(&path, text).unwrap();
    std::fs::remove_dir_all(site.dir().join("vendor")).unwrap();
    let output = site
        .command("composer")
        .args(["install", "--no-interaction", "--no-cache"])
        .output()
        .unwrap();
    assert!(!output.status.success());
}

#[test]
fn an_older_state_installs_and_is_brought_up_to_date() {
    if !has("composer") {
        skip!("no composer");
    }
    let mut catalog = Catalog::generated(&Profile::Small.spec());
    let older = catalog.add_older(&OlderOptions {
        changed: 40,
        absent: 10,
        extra: 10,
        ..OlderOptions::default()
    });
    let catalog = Arc::new(catalog);
    let server = serve(&catalog);
    let site = Site::new(&server, &ProjectOptions::default());
    let options = ProjectOptions::default();
    catalog
        .write_project_state(&older, &site.dir(), server.base_url(), &options)
        .unwrap();
    let first = site.composer(&["install"]);
    catalog
        .write_project(&site.dir(), server.base_url(), &options)
        .unwrap();
    let second = site.composer(&["install"]);
    let count = |text: &str, word: &str| {
        text.lines()
            .filter(|line| line.trim_start().starts_with(&format!("- {word}")))
            .count()
    };
    assert_eq!(count(&first, "Installing"), 12, "{first}");
    assert_eq!(count(&second, "Installing"), 2, "{second}");
    assert_eq!(count(&second, "Removing"), 2, "{second}");
    assert_eq!(
        count(&second, "Upgrading") + count(&second, "Downgrading") + count(&second, "Updating"),
        5,
        "{second}"
    );
    assert!(
        !files_below(&site.dir().join("vendor"))
            .iter()
            .any(|path| path.ends_with("REMOVED-SINCE.txt"))
    );
}

#[test]
fn update_writes_the_same_lock_again() {
    if !has("composer") {
        skip!("no composer");
    }
    let server = serve(&small());
    let site = Site::new(&server, &ProjectOptions::default());
    let read = || std::fs::read_to_string(site.dir().join("composer.lock")).unwrap();
    // These lines depend on Composer's version.
    let lines = |text: &str| -> Vec<String> {
        let own = |line: &&str| {
            !line.contains("platform")
                && !line.contains("plugin-api-version")
                && !line.contains("stability-flags")
        };
        text.lines().filter(own).map(str::to_owned).collect()
    };
    let before = read();
    site.composer(&["update", "--no-install"]);
    assert_eq!(lines(&read()), lines(&before));
    assert!(lines(&before).len() > 200);
    assert!(
        server
            .log()
            .iter()
            .any(|entry| entry.path.starts_with("/p2/"))
    );
}

#[test]
fn extra_packages_are_part_of_the_project() {
    if !has("composer") {
        skip!("no composer");
    }
    let mut catalog = Catalog::generated(&Profile::Small.spec());
    let entry = allegro_registry::parse_json(
        r#"{"name":"acme/added","version":"2.0.0","type":"library"}"#,
        "test",
    )
    .unwrap();
    let files = vec![
        ("run".to_owned(), b"#!/bin/sh\n".to_vec(), true),
        ("a/b.txt".to_owned(), b"text".to_vec(), false),
    ];
    let entry = catalog.add_files(entry, files).unwrap();
    let server = serve(&Arc::new(catalog));
    let options = ProjectOptions {
        extra_packages: vec![entry],
        extra_requires: vec![("acme/added".to_owned(), "^2.0".to_owned())],
        extra_allow_plugins: vec![("acme/added".to_owned(), true)],
        ..ProjectOptions::default()
    };
    let site = Site::new(&server, &options);
    let validity = site.composer(&["validate", "--no-check-publish"]);
    assert!(!validity.contains("lock file"), "{validity}");
    site.composer(&["install"]);
    let text = std::fs::read_to_string(site.dir().join("vendor/acme/added/a/b.txt")).unwrap();
    assert_eq!(text, "text");
}

#[test]
fn scripts_go_and_the_hash_follows_the_repositories() {
    let catalog = small();
    let mut project = catalog.project().clone();
    project
        .manifest
        .child("scripts")
        .set("post-install-cmd", Json::str("false"));
    let dir = tempfile::tempdir().unwrap();
    let options = ProjectOptions::default();
    catalog
        .write_project_state(&project, dir.path(), "http://127.0.0.1:9", &options)
        .unwrap();
    let read = |name: &str| allegro_registry::read_json(&dir.path().join(name)).unwrap();
    let manifest = read("composer.json");
    assert!(manifest.get("scripts").is_none());
    assert_eq!(
        manifest.get("config").unwrap().get("secure-http"),
        Some(&Json::Bool(false))
    );
    let hash = content_hash(&manifest);
    assert_eq!(
        read("composer.lock").str_at("content-hash"),
        Some(hash.as_str())
    );
    assert_ne!(hash, content_hash(&project.manifest));
}

#[test]
fn real_trees_become_packages() {
    if !has("composer") {
        skip!("no composer");
    }
    let tree = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = tree.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("composer.json", r#"{"name":"acme/all"}"#);
    write(
        "parts/One/composer.json",
        r#"{"name":"acme/one","require":{"acme/two":"^9","other/gone":"*"},"autoload":{"psr-4":{"One\\":""}}}"#,
    );
    write("parts/One/Thing.php", "<?php namespace One; class Thing {}");
    write(
        "parts/One/Tests/composer.json",
        r#"{"name":"acme/fixture"}"#,
    );
    write(
        "parts/Both/composer.json",
        r#"{"name":"acme/both","replace":{"acme/one":"self.version","acme/two":"self.version"}}"#,
    );
    write(
        "parts/Two/composer.json",
        r#"{"name":"acme/two","license":"MIT","extra":{"branch-alias":{"dev-main":"3.4-dev"}}}"#,
    );
    let options = allegro_registry::TreeOptions {
        dirs: vec![tree.path().to_owned()],
        globs: vec!["parts/*".to_owned()],
        version: None,
    };
    let catalog = Arc::new(Catalog::from_trees(&options).unwrap());
    assert_eq!(catalog.names(), ["acme/one", "acme/two"]);
    let server = serve(&catalog);
    let site = Site::new(&server, &ProjectOptions::default());
    let log = site.composer(&["install"]);
    assert!(
        log.contains("acme/two (3.4.0)") && log.contains("acme/one (1.0.0)"),
        "{log}"
    );
    assert_eq!(
        site.php("echo (new One\\Thing) instanceof One\\Thing ? 'yes' : 'no';"),
        "yes"
    );
}
