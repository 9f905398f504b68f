use super::*;
use allegro_composer::Dist;

fn key(url: &str) -> ManifestKey {
    Dist::at(url).key()
}

fn package(name: &str, version: &str) -> ProjectPackage {
    ProjectPackage {
        name: name.to_owned(),
        version: version.to_owned(),
        key: key(&format!("https://example.org/{name}/{version}")),
        bytes: Some(7),
    }
}

fn project(root: &Path, packages: &[ProjectPackage]) -> Project {
    Project {
        root: Some(root.to_owned()),
        vendor_dir: root.join("vendor"),
        last_used: 1_700_000_000,
        lock: Some(Digest::of(b"a lock")),
        method: Some(Method::Hardlink),
        packages: packages.to_vec(),
    }
}

#[test]
fn projects_are_known_by_their_packages_while_they_exist() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(&dir.path().join("store")).expect("a store");
    let (one, two) = (dir.path().join("one/vendor"), dir.path().join("two/vendor"));
    fs::create_dir_all(&one).expect("one");
    fs::create_dir_all(&two).expect("two");
    let [a, b] = [package("a/a", "1"), package("b/b", "1")];
    assert_eq!(store.projects_with(&a.key), Vec::<PathBuf>::new());

    let note = |vendor_dir: &Path, package: &ProjectPackage| {
        let packages = [package.clone()];
        store
            .note_packages(vendor_dir, &packages, None)
            .expect("noted")
    };
    assert!(note(&one, &a));
    assert!(note(&one, &b));
    assert!(note(&two, &b));
    assert!(!note(&two, &b), "nothing is new");
    assert_eq!(store.projects_with(&a.key), vec![one.clone()]);
    assert_eq!(store.projects_with(&b.key), vec![one.clone(), two.clone()]);

    fs::remove_dir_all(&two).expect("gone");
    assert_eq!(store.projects_with(&b.key), vec![one.clone()]);

    // A record in another one's place counts as absent.
    fs::create_dir_all(&two).expect("two");
    let path = |directory: &Path| store.root().join(place(directory));
    fs::copy(path(&one), path(&two)).expect("swapped");
    assert_eq!(store.projects_with(&b.key), vec![one]);
    assert_eq!(store.registry().gone.len(), 1);
}

#[test]
fn a_project_is_written_when_it_changes_or_once_a_day() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(&dir.path().join("store")).expect("a store");
    let root = dir.path().join("project");
    fs::create_dir(&root).expect("a project");
    let mut one = project(&root, &[package("b/b", "1"), package("a/a", "1")]);
    assert!(store.note_project(&one).expect("noted"));
    assert!(!store.note_project(&one).expect("noted"));
    one.packages.reverse();
    one.last_used += A_DAY - 1;
    assert!(!store.note_project(&one).expect("noted"), "it is the same");
    one.last_used += 1;
    assert!(
        store.note_project(&one).expect("noted"),
        "a day has gone by"
    );
    // A clock that was wrong once doesn't keep the record from being written.
    one.last_used -= 3 * A_DAY;
    assert!(store.note_project(&one).expect("noted"));
    one.packages[0].version = "2".to_owned();
    assert!(store.note_project(&one).expect("noted"));
    one.packages.sort();
    assert_eq!(store.project(&one.vendor_dir).as_ref(), Some(&one));
    assert_eq!(store.projects(), [one.clone()], "vendor need not exist");

    let lock = one.lock.expect("a digest");
    assert!(
        store
            .touch_project(&one.vendor_dir, &lock)
            .expect("touched")
    );
    let touched = store.project(&one.vendor_dir).expect("a record");
    assert!(touched.last_used.abs_diff(now()) < 100);
    let path = store.root().join(place(&one.vendor_dir));
    let inode = || std::os::unix::fs::MetadataExt::ino(&fs::metadata(&path).expect("a record"));
    let before = inode();
    assert!(
        store
            .touch_project(&one.vendor_dir, &lock)
            .expect("touched")
    );
    assert_eq!(inode(), before, "the second use of a day writes nothing");
    let other = Digest::of(b"another lock");
    assert!(!store.touch_project(&one.vendor_dir, &other).expect("read"));
    assert!(!store.touch_project(&root, &lock).expect("read"));
    store.forget_project(&one.vendor_dir);
    assert_eq!(store.projects(), []);
}

#[test]
fn a_package_takes_the_place_of_its_other_version() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(&dir.path().join("store")).expect("a store");
    let root = dir.path().join("project");
    fs::create_dir(&root).expect("a project");
    let one = project(&root, &[package("a/a", "1"), package("b/b", "1")]);
    store.note_project(&one).expect("noted");
    let news = [package("a/a", "2")];
    store
        .note_packages(&one.vendor_dir, &news, Some(Method::Copy))
        .expect("noted");
    let found = store.project(&one.vendor_dir).expect("a record");
    assert_eq!(found.packages, [package("a/a", "2"), package("b/b", "1")]);
    assert_eq!(found.lock, None, "the packages are not those of the lock");
    assert_eq!(found.method, Some(Method::Copy));
    assert_eq!(found.root, one.root);
}

/// The moment of the last use stays with the package.
#[test]
fn the_last_of_two_packages_stays() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let mut project = project(dir.path(), &[package("a/a", "1"), package("", "2")]);
    project.add(&[
        package("a/b", "1"),
        package("a/a", "2"),
        package("", "2"),
        package("a/b", "3"),
    ]);
    let found: Vec<_> = project
        .packages
        .iter()
        .map(|package| (package.name.as_str(), package.version.as_str()))
        .collect();
    assert_eq!(found, [("a/a", "2"), ("", "2"), ("a/b", "3")]);
}

#[test]
fn a_package_that_a_project_gives_up_keeps_its_last_use() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(&dir.path().join("store")).expect("a store");
    let root = dir.path().join("project");
    let package = package("a/a", "1");
    let path = store.manifest_path(&package.key);
    let seconds = |seconds: u64| UNIX_EPOCH + Duration::from_secs(seconds);
    let modified = || {
        fs::metadata(&path)
            .expect("a file")
            .modified()
            .expect("a time")
    };
    fs::write(&path, "a manifest").expect("written");
    let set = |moment| File::open(&path).expect("a file").set_modified(moment);
    set(seconds(1_600_000_000)).expect("set");
    let mut one = project(&root, &[package]);
    store.note_project(&one).expect("noted");
    assert_eq!(modified(), seconds(1_600_000_000));
    one.packages.clear();
    store.note_project(&one).expect("noted");
    assert_eq!(modified(), seconds(1_700_000_000));
}

#[test]
fn records_of_the_former_version_count() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(&dir.path().join("store")).expect("a store");
    let [one, two, gone] = ["one", "two", "gone"].map(|name| dir.path().join(name));
    fs::create_dir(&one).expect("one");
    fs::create_dir(&two).expect("two");
    let [a, b] = [package("a/a", "1"), package("b/b", "1")];
    store.write_former(&one, &[a.key]).expect("written");
    store.write_former(&two, &[a.key]).expect("written");
    store.write_former(&gone, &[b.key]).expect("written");
    store
        .note_packages(&one, std::slice::from_ref(&b), None)
        .expect("noted");
    assert_eq!(store.projects_with(&a.key), [one.clone(), two.clone()]);
    assert_eq!(store.projects_with(&b.key), vec![one.clone()]);
    // An older Allegro writes its own form again.
    store.write_former(&one, &[a.key]).expect("written");
    let keys = |project: &Path| -> Vec<ManifestKey> {
        let project = store.project(project).expect("a record");
        project.packages.iter().map(|package| package.key).collect()
    };
    let mut both = [a.key, b.key];
    both.sort();
    let mut found = keys(&one);
    found.sort();
    assert_eq!(found, both);

    let registry = store.registry();
    assert_eq!(registry.living.len(), 2);
    assert_eq!(registry.gone.len(), 1);
    fs::remove_file(&registry.gone[0].paths[0]).expect("removed");
    store.renew_former_projects();
    assert!(!store.root().join(former::BUCKET).exists());
    assert_eq!(store.projects_with(&a.key), [one.clone(), two.clone()]);
    assert_eq!(store.projects_with(&b.key), vec![one]);
}

#[test]
fn paths_need_not_be_text() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(&dir.path().join("store")).expect("a store");
    let odd = dir.path().join(std::ffi::OsStr::from_bytes(b"n\xf6"));
    fs::create_dir(&odd).expect("a directory");
    let one = project(&odd, &[]);
    store.note_project(&one).expect("noted");
    assert_eq!(store.projects(), [one]);
}

/// Composer has removed or replaced packages since the record was written.
#[test]
fn installed_packages_are_compared_by_reference_then_version() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let write = |text: &str| {
        fs::create_dir_all(dir.path().join("composer")).expect("a directory");
        fs::write(dir.path().join("composer/installed.json"), text).expect("written");
    };
    assert!(Installed::read(dir.path()).is_none());
    let manifest = |name: &str, version: &str, reference: Option<&str>| crate::Manifest {
        name: name.to_owned(),
        version: version.to_owned(),
        url: String::new(),
        reference: reference.map(str::to_owned),
        archive_bytes: 0,
        root_mode: allegro_archive::Mode::Default,
        root_time: allegro_archive::Time::Now,
        times: Vec::new(),
        items: Vec::new(),
    };
    for form in [r#"{"packages": LIST, "dev": true}"#, "LIST"] {
        write(&form.replace(
            "LIST",
            r#"[
                {"name": "A/a", "version": "1.0", "dist": {"type": "zip", "reference": "abc"}},
                {"name": "b/b", "version": "1.0", "source": {"reference": "def"}},
                {"name": "c/c", "version": 3, "dist": []}
            ]"#,
        ));
        let installed = Installed::read(dir.path()).expect("packages");
        let has = |name, version, reference| installed.has(&manifest(name, version, reference));
        assert!(has("a/a", "1.0", Some("abc")));
        assert!(has("a/A", "1.x-dev", Some("abc")), "one commit");
        assert!(!has("a/a", "1.0", Some("xyz")));
        assert!(has("a/a", "1.0", None));
        assert!(!has("a/a", "1.1", None));
        assert!(has("b/b", "1.0", Some("def")));
        assert!(!has("b/b", "1.1", Some("def")));
        assert!(has("c/c", "3", None), "an odd entry keeps its package");
        assert!(!has("d/d", "1.0", None));
    }
    for odd in ["", "{", "{}", "3", r#"{"packages": [{"name": 3}]}"#] {
        write(odd);
        assert!(Installed::read(dir.path()).is_none(), "{odd}");
    }
}

#[test]
fn projects_without_a_directory_are_forgotten() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(&dir.path().join("store")).expect("a store");
    let a = crate::testing::Package::of("a/a", "1", &[b"a"]);
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    for root in [&one, &two] {
        crate::testing::install(&store, root, &[&a], Method::Copy, 5);
    }
    assert_eq!(store.forget_gone_projects(), Vec::<PathBuf>::new());
    fs::remove_dir_all(&one).expect("removed");
    assert_eq!(store.forget_gone_projects(), vec![one]);
    assert_eq!(store.forget_gone_projects(), Vec::<PathBuf>::new());
    assert_eq!(store.projects().len(), 1);
}
