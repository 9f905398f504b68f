//! Tests the native command line in Composer's place.

use allegro_registry::{Catalog, Profile};

use crate::support::{Scene, SceneOptions, Side, same, same_tree};

/// Plays Composer, and the command line cold, warm and with nothing to do.
#[test]
fn small_project() {
    let Some(scene) = Scene::small() else { return };
    for args in [
        &["install"][..],
        &["install", "--no-dev"],
        &["install", "-o"],
        &["install", "-a", "--no-dev"],
        &["install", "--no-autoloader"],
    ] {
        let what = args.join(" ");
        scene.forget_all();
        let plain = scene.fresh(Side::Serial, args);
        let cold = scene.fresh(Side::Native, args);
        same(&format!("{what}: cold"), &plain, &cold);
        let warm = scene.fresh(Side::Native, args);
        same_tree(&format!("{what}: warm"), &plain, &warm);
        let again = scene.outcome(&scene.call(Side::Native, args));
        scene.write_project();
        let _ = scene.run(Side::Serial, args);
        let plain_again = scene.outcome(&scene.call(Side::Serial, args));
        same(&format!("{what}: again"), &plain_again, &again);
    }
}
