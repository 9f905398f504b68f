//! Provides the parts of end-to-end tests.
//!
//! A [`Scene`] has a registry, a project directory and two sides: Composer as it is, and Composer
//! with Allegro. Both sides work at the *same* path, one after the other, so a test compares their
//! results byte for byte, without any normalising. It writes the project, runs one side, takes a
//! [`Snapshot`], writes the project again, and runs the other side.
//!
//! ```text
//! let Some(scene) = Scene::small() else { return };
//! let plain = scene.fresh(Side::Plain, &["install"]);
//! let ours = scene.fresh(Side::Allegro, &["install"]);
//! same(&plain, &ours);
//! ```
//!
//! Each scene has a second project on the same store, see [`watched`]. No command with Allegro may
//! change it.
//!
//! Environment variables:
//! - `ALLEGRO_TEST_DIR` is the directory in which scenes are made, by default `/tmp`;
//! - `ALLEGRO_TEST_COMPOSER` is the path of the Composer to use;
//! - `ALLEGRO_TEST_PHP` is the PHP binary;
//! - `ALLEGRO_TEST_KEEP=1` keeps scenes for inspection.

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

/// Runs `allegro store verify` on a scene's store, with the binary of the package.
pub fn verify_store(scene: &Scene) -> std::process::Output {
    store_command(scene, &["verify"])
        .output()
        .expect("allegro starts")
}

/// Returns the path of the package's helper.
pub fn helper() -> std::path::PathBuf {
    std::fs::read_dir(package_dir().join("native"))
        .expect("native parts")
        .flatten()
        .map(|entry| entry.path().join("allegro"))
        .find(|path| path.is_file())
        .expect("the helper")
}

/// Returns the command `allegro store …` for a scene's store, with the binary of the package.
pub fn store_command(scene: &Scene, args: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(helper());
    command
        .arg("store")
        .args(args)
        .env("ALLEGRO_STORE", scene.store());
    command
}

/// Prints the reason why a test does nothing, and returns `None`, so that the test passes.
pub fn skipped<T>(why: &str) -> Option<T> {
    println!("skipped: {why}");
    None
}
