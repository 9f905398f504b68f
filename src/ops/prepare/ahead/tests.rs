use super::*;
use crate::protocol::dist::Dist;

fn package(name: &str) -> PackageRequest {
    PackageRequest {
        id: 0,
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        dist: Dist {
            name: name.to_owned(),
            kind: "zip".to_owned(),
            url: format!("https://example.org/{name}.zip"),
            reference: None,
            shasum: None,
            custom_cache_key: None,
        },
        path: None,
        archive: None,
        archive_writable: false,
        use_store: true,
        want_archive: false,
        fetch: None,
        private: false,
        bins: Vec::new(),
        shares_bins: false,
        stage: None,
        plain_modes: false,
    }
}

fn shelves() -> (tempfile::TempDir, Store, Shelf) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(&dir.path().join("store")).expect("a store");
    let shelf = Shelf::make(&store, std::process::id()).expect("a shelf");
    (dir, store, shelf)
}

const MADE: Made = Made {
    files: 7,
    from: Provenance::Archive,
    method: Some(Method::Hardlink),
};

#[test]
fn names_tell_the_facts() {
    for made in [
        MADE,
        Made {
            files: 0,
            from: Provenance::Store,
            method: None,
        },
    ] {
        let name = made.name();
        assert_eq!(Made::of_name(OsStr::new(&name)), Some(made), "{name}");
    }
    for name in [
        "tree",
        "7.store",
        "7.store.junk",
        "x.store.copy",
        "7.download.copy",
    ] {
        assert_eq!(Made::of_name(OsStr::new(name)), None, "{name}");
    }
}

#[test]
fn each_package_is_made_once() {
    let (_dir, store, worker) = shelves();
    worker.open("terms").expect("opened");
    let helper = Shelf::find(&store, || "terms".to_owned()).expect("found");
    let (one, other) = (package("a/one"), package("a/other"));
    assert_eq!(worker.claim(&one), Claim::Mine);
    assert_eq!(helper.claim(&one), Claim::Theirs);
    assert_eq!(helper.claim(&other), Claim::Mine);
    assert_eq!(worker.claim(&other), Claim::Theirs);

    fs::create_dir(worker.unfinished(&one)).expect("made");
    assert_eq!(helper.claim(&one), Claim::Theirs);
    worker.publish(&one, MADE).expect("published");
    let Claim::Made(path, made) = helper.wait(&one, &AtomicBool::new(false)) else {
        panic!("it is made");
    };
    assert_eq!(made, MADE);
    helper.tidy();
    assert!(path.exists(), "the worker still works");
    fs::remove_dir(path).expect("taken");
    drop(worker);
    helper.tidy();
    assert!(!helper.dir.exists());
}

#[test]
fn nobody_waits_for_a_worker_that_is_gone() {
    let (_dir, store, worker) = shelves();
    worker.open("terms").expect("opened");
    let helper = Shelf::find(&store, || "terms".to_owned()).expect("found");
    let (one, other) = (package("a/one"), package("a/other"));
    assert_eq!(worker.claim(&one), Claim::Mine);
    assert_eq!(worker.claim(&other), Claim::Mine);
    fs::create_dir(worker.unfinished(&one)).expect("made");
    // Its claim is given back, because the worker failed.
    worker.release(&other);
    assert_eq!(helper.wait(&other, &AtomicBool::new(false)), Claim::Mine);
    // A kill takes the lock away.
    drop(worker);
    assert_eq!(helper.wait(&one, &AtomicBool::new(false)), Claim::Mine);
}

#[test]
fn other_terms_are_no_use() {
    let (_dir, store, worker) = shelves();
    // Before the terms are known, nothing is taken.
    assert!(Shelf::find(&store, || "terms".to_owned()).is_none());
    worker.open("terms").expect("opened");
    assert!(Shelf::find(&store, || "others".to_owned()).is_none());
    assert!(worker.is_over());
    drop(worker);
    // Without a worker, the helper removes the shelf.
    assert!(Shelf::find(&store, || "others".to_owned()).is_none());
    assert_eq!(
        fs::read_dir(store.root().join("tmp")).expect("tmp").count(),
        0
    );
}

#[test]
fn a_package_depends_on_all_of_its_request() {
    let plain = package("a/one");
    let changes: [fn(&mut PackageRequest); 7] = [
        |package| package.version.push('1'),
        |package| package.private = true,
        |package| package.plain_modes = true,
        |package| package.bins.push("bin/x".to_owned()),
        |package| package.archive = Some("/cache/x.zip".into()),
        |package| package.dist.reference = Some("abc".to_owned()),
        |package| package.dist.custom_cache_key = Some("abc".to_owned()),
    ];
    for change in changes {
        let mut changed = plain.clone();
        change(&mut changed);
        assert_ne!(digest(&plain), digest(&changed));
    }
    let mut same = plain.clone();
    same.id = 9;
    same.path = Some("/p/vendor/a/one".into());
    assert_eq!(digest(&plain), digest(&same));
}
