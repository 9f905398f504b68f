//! Tests real locks of public projects, with packages of the recorded shapes.

use std::path::Path;

use allegro_registry::{Catalog, LockOptions, Project, Shapes};

use crate::support::{Call, Outcome, Scene, Side, same, shared};

fn scene(name: &str) -> Option<Scene> {
    let lock = shared(&format!("locks/{name}/composer.lock"))?;
    let shapes = shared("corpus/dists.jsonl.gz")?;
    let options = LockOptions {
        shapes: Shapes::read(&shapes).expect("the shapes"),
        ..LockOptions::default()
    };
    let project = Project::read_lock(&lock).expect("the lock");
    let catalog = Catalog::from_lock(&project, &options).expect("a catalog");
    // The archives are made once per checkout, because rendering takes longer than installing.
    let archives = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("archives")
        .join(name);
    Scene::of(catalog.with_cache_dir(archives))
}

fn go(scene: &Scene, side: Side, args: &[&str], set: impl Fn(Call<'_>) -> Call<'_>) -> Outcome {
    scene.write_project();
    let all: Vec<&str> = ["install", "--ignore-platform-reqs"]
        .iter()
        .chain(args)
        .copied()
        .collect();
    let outcome = scene.outcome(&set(scene.call(side, &all)));
    println!(
        "{side:?} {args:?}: {:.1} s, {} files",
        outcome.run.took.as_secs_f64(),
        outcome.tree.files()
    );
    outcome
}

/// Plays plain Composer once for each set of flags, and Allegro cold for the first set and warm for
/// the others.
fn with_flags(name: &str, sets: &[&[&str]]) {
    let Some(scene) = scene(name) else { return };
    for (at, args) in sets.iter().enumerate() {
        let plain = go(&scene, Side::Serial, args, |call| call);
        assert_eq!(plain.run.exit, 0, "{name}: {}", plain.run.stderr);
        let ours = go(&scene, Side::Allegro, args, |call| call);
        same(&format!("{name} {args:?}"), &plain, &ours);
        let (stored, cached, downloaded) = Scene::origins(&ours.run);
        let installs = plain.run.stderr.matches("  - Installing ").count();
        println!(
            "{name}: {installs} installs, {stored} from the store, {cached} cached, {downloaded} downloaded"
        );
        assert!(installs > 20);
        assert!(
            if at == 0 {
                downloaded > 20
            } else {
                stored > 20 && downloaded == 0
            },
            "{}",
            ours.run.stderr
        );
        if at == 0 {
            let warm = go(&scene, Side::Allegro, args, |call| call);
            crate::support::same_tree(&format!("{name} {args:?}, warm"), &plain, &warm);
        }
    }
}

#[test]
fn koel() {
    with_flags(
        "koel",
        &[
            &[],
            &["--no-dev"],
            &["-o"],
            &["-a", "--apcu-autoloader", "--apcu-autoloader-prefix=e2e"],
        ],
    );
}

#[test]
fn koel_under_umasks() {
    let Some(scene) = scene("koel") else { return };
    for umask in [0o002, 0o022, 0o077] {
        let plain = go(&scene, Side::Serial, &[], |call| call.umask(umask));
        let ours = go(&scene, Side::Allegro, &[], |call| call.umask(umask));
        crate::support::same_tree(&format!("koel, umask {umask:03o}"), &plain, &ours);
    }
}

#[test]
fn matomo() {
    with_flags("matomo", &[&[], &["--no-dev"], &["-o"]]);
}

#[test]
fn bookstack() {
    with_flags("BookStack", &[&[], &["-a"]]);
}

#[test]
fn mautic() {
    with_flags("mautic", &[&[], &["--no-dev", "-o"]]);
}

/// CI plays the larger suite, and `make soak` both.
#[test]
#[ignore = "make soak plays it"]
fn b2b_demo_shop() {
    with_flags("b2b-demo-shop", &[&[]]);
}

/// This project is installed once only, because Composer takes minutes for it.
#[test]
fn suite() {
    with_flags("suite", &[&[]]);
}
