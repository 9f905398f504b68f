//! What the end-to-end tests stand on.
//!
//! A [`Scene`] has a registry, a project directory and two sides: Composer as it is, and Composer with Allegro.
//! Both work at the *same* path, one after the other, so their results are compared byte for byte, without any
//! normalising: write the project, run one side, take a [`Snapshot`], write it again, run the other side.
//!
//! ```text
//! let Some(scene) = Scene::small() else { return };
//! let plain = scene.fresh(Side::Plain, &["install"]);
//! let ours = scene.fresh(Side::Allegro, &["install"]);
//! same(&plain, &ours);
//! ```
//!
//! Beside the project stands a second one on the same store: see [`watched`]. No command with Allegro may change it.
//!
//! Environment: `ALLEGRO_TEST_DIR` (where scenes are made, default `/tmp`), `ALLEGRO_TEST_COMPOSER` (path of the
//! Composer to use), `ALLEGRO_TEST_PHP` (the PHP binary), `ALLEGRO_TEST_KEEP=1` (scenes stay for a look).

pub mod dns;
pub mod files;
pub mod home;
pub mod mount;
pub mod network;
pub mod owner;
pub mod packages;
pub mod rar;
pub mod raw;
pub mod run;
pub mod scene;
pub mod screen;
pub mod snapshot;
pub mod tools;
mod watched;

pub use home::{extension, package_dir, repository_root, shared};
pub use run::{Call, Engine, Run};
pub use scene::{Outcome, Scene, SceneOptions, Side, compare, copy_tree, same, same_tree};
pub use snapshot::{Snapshot, diff};

/// `allegro store verify` on a scene's store, by the binary of the package.
pub fn verify_store(scene: &Scene) -> std::process::Output {
    store_command(scene, &["verify"])
        .output()
        .expect("allegro starts")
}

/// The helper of the package.
pub fn helper() -> std::path::PathBuf {
    std::fs::read_dir(package_dir().join("native"))
        .expect("native parts")
        .flatten()
        .map(|entry| entry.path().join("allegro"))
        .find(|path| path.is_file())
        .expect("the helper")
}

/// `allegro store …` on a scene's store, by the binary of the package.
pub fn store_command(scene: &Scene, args: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(helper());
    command
        .arg("store")
        .args(args)
        .env("ALLEGRO_STORE", scene.store());
    command
}

/// Says why a test does nothing, and lets it pass.
pub fn skipped<T>(why: &str) -> Option<T> {
    println!("skipped: {why}");
    None
}
