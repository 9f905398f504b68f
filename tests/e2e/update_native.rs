//! Tests `allegro update` in Composer's place: the lock, the vendor directory and the output.

use allegro_registry::{Catalog, OlderOptions, Profile};

use crate::support::home::composer_version;
use crate::support::{Outcome, Scene, Side, same};

fn scene() -> Option<Scene> {
    let mut catalog = Catalog::generated(&Profile::Small.spec());
    catalog.add_older(&OlderOptions {
        seed: 3,
        changed: 40,
        absent: 0,
        extra: 0,
    });
    Scene::of(catalog)
}

fn play(scene: &Scene, side: Side, steps: &[&[&str]], loud: bool) -> Vec<Outcome> {
    scene.forget_all();
    scene.write_project();
    let _ = std::fs::remove_file(scene.project().join("composer.lock"));
    let steps = steps.iter().map(|args| {
        let more: &[&str] = if loud { &["-v"] } else { &[] };
        let call = scene.call(side, &[args, more].concat());
        scene.outcome(&call.env_remove("COMPOSER_NO_AUDIT"))
    });
    steps.collect()
}

/// Plays updates with the installs that follow them.
#[test]
fn updates_are_followed_by_installs() {
    let Some(scene) = scene() else { return };
    let project = scene.server.catalog().project();
    let names = project.entries().filter_map(|entry| entry.str_at("name"));
    let names: Vec<String> = names.map(str::to_owned).collect();
    let steps: [&[&str]; 12] = [
        &["update", "--no-install"],
        &["update"],
        &["update"],
        &["update", "--prefer-lowest"],
        &["update", &names[3], "-W", "--no-install"],
        &["update", &names[3], &names[5], "-w"],
        &["update", "--dry-run", "--no-install"],
        &["update", "--no-dev", "-o"],
        &["update", "--no-autoloader"],
        &["update", "e2e/nowhere"],
        &["update", "--root-reqs"],
        &["update", "--no-audit", "-a"],
    ];
    let plain = play(&scene, Side::Serial, &steps, false);
    let ours = play(&scene, Side::Native, &steps, false);
    for ((args, plain), ours) in steps.iter().zip(&plain).zip(&ours) {
        same(&args.join(" "), plain, ours);
    }
    let partly = composer_version() == (2, 6);
    let loud = play(&scene, Side::Native, &steps, true);
    for (args, ours) in steps.iter().zip(&loud) {
        let said = &ours.run.stderr;
        println!("{}: {}", args.join(" "), ours.run.took.as_millis());
        // The registry lists its packages, and whether it is asked for another one is not certain.
        let is_certain = !args.contains(&"e2e/nowhere");
        let is_native = !said.contains("Composer does it");
        // Composer 2.6.0 to 2.6.2 have a fault in partial updates, and audits of later versions
        // are Composer's.
        if !partly && composer_version() < (2, 9) {
            assert_eq!(is_native, is_certain, "{}: {said}", args.join(" "));
        }
    }
}
