//! Tests the places in which the plugin can be installed: for all projects, for one project, or for
//! both. It may also have several editions, or not be allowed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use allegro_registry::{Catalog, Json, Profile};
use serde_json::{Value, json};

use crate::support::files::sound;
use crate::support::tools::need;
use crate::support::{
    Outcome, Scene, SceneOptions, Side, Snapshot, copy_tree, package_dir, same, same_tree,
};

/// Returns the small project, with Allegro only where the test puts it.
fn nowhere() -> Option<Scene> {
    let options = SceneOptions {
        required: true,
        ..SceneOptions::default()
    };
    Scene::with(Catalog::generated(&Profile::Small.spec()), options)
}

/// Makes a copy of the plugin's package with another version, which prints that version when it is
/// activated.
fn edition(scene: &Scene, version: &str) {
    let dir = scene.dir().join(format!("plugin-{version}"));
    if dir.exists() {
        return;
    }
    copy_tree(&package_dir(), &dir);
    let path = dir.join("composer.json");
    let text = fs::read_to_string(&path).expect("the manifest");
    let mut manifest: Value = serde_json::from_str(&text).expect("JSON");
    manifest["version"] = json!(version);
    fs::write(&path, manifest.to_string()).expect("the manifest");
    let path = dir.join("php-plugin/src/Plugin.php");
    let text = fs::read_to_string(&path).expect("the plugin");
    let at = "    public function activate(Composer $composer, IOInterface $io): void\n    {\n";
    assert!(text.contains(at));
    let said = format!("{at}        $io->writeError('Allegro: edition {version}');\n");
    fs::write(&path, text.replace(at, &said)).expect("the plugin");
}

/// The list of requirements, and the version, by which the project has the plugin.
#[derive(Clone, Copy, PartialEq)]
enum Required<'a> {
    No,
    Main(&'a str),
    Dev(&'a str),
}

/// Writes the small project over the existing one, with an edition of the plugin.
fn require(scene: &Scene, required: Required<'_>) {
    scene.overwrite_state(scene.server.catalog().project(), &scene.project());
    let _ = fs::remove_file(scene.project().join("composer.lock"));
    scene.edit_manifest(|manifest| {
        manifest.child("require").remove("allegro/plugin");
        let (key, version) = match required {
            Required::No => return,
            Required::Main(version) => ("require", version),
            Required::Dev(version) => ("require-dev", version),
        };
        edition(scene, version);
        manifest
            .child(key)
            .set("allegro/plugin", Json::str(version));
        let url = scene.dir().join(format!("plugin-{version}"));
        let repository = json!({ "type": "path", "url": url, "options": { "symlink": false } });
        let repository =
            allegro_registry::parse_json(&repository.to_string(), "a repository").expect("JSON");
        let mut repositories = vec![repository];
        repositories.extend(manifest.items_at("repositories").iter().cloned());
        manifest.set("repositories", Json::Array(repositories));
    });
}

/// Plays the steps of a changing project, each with one command, with the plugin switched off and
/// on.
fn editions(scene: &Scene, what: &str, steps: &[(Required<'_>, &[&str])]) -> Vec<Outcome> {
    for side in [Side::Plain, Side::Allegro] {
        scene.forget_cache(side);
    }
    let go = |side: Side| {
        let _ = fs::remove_dir_all(scene.project());
        let mut last = None;
        let mut played = Vec::new();
        for (required, args) in steps {
            if last != Some(*required) {
                require(scene, *required);
                last = Some(*required);
            }
            played.push(scene.outcome(&scene.call(side, args)));
        }
        played
    };
    let (plain, ours) = (go(Side::Plain), go(Side::Allegro));
    for ((at, plain), ours) in plain.iter().enumerate().zip(&ours) {
        let what = format!("{what}, step {at}");
        assert_eq!(plain.run.exit, 0, "{what}: {}", plain.run.stderr);
        same_tree(&what, plain, ours);
        let staging = ours
            .tree
            .nodes
            .keys()
            .find(|path| path.contains("/.allegro-"));
        assert_eq!(staging, None, "{what}");
    }
    sound(scene, what);
    ours
}

/// Checks whether Allegro handled packages.
#[track_caller]
pub fn took_part(outcome: &Outcome, yes: bool) {
    let took = outcome
        .run
        .ours()
        .iter()
        .any(|line| line.contains(" package"));
    assert_eq!(took, yes, "{}", outcome.run.stderr);
}

/// A fresh clone may have the plugin in `require` or `require-dev`. With `--no-dev` the latter
/// removes the plugin.
#[test]
fn required_or_for_development() {
    let Some(scene) = nowhere() else { return };
    let dev = editions(
        &scene,
        "for development",
        &[
            (Required::Dev("1.0.0"), &["update"]),
            (Required::Dev("1.0.0"), &["install", "--no-dev"]),
            (Required::Dev("1.0.0"), &["install", "--no-dev"]),
            (Required::Dev("1.0.0"), &["install"]),
            (Required::Dev("1.0.0"), &["update", "--no-dev"]),
        ],
    );
    took_part(&dev[0], true);
    let gone = |outcome: &Outcome| !outcome.tree.nodes.contains_key("vendor/allegro/plugin");
    assert!(gone(&dev[1]) && !gone(&dev[3]) && gone(&dev[4]));
    assert_eq!(
        dev[2].run.ours(),
        Vec::<&str>::new(),
        "it isn't there any more"
    );
    let main = editions(
        &scene,
        "required",
        &[
            (Required::Main("1.0.0"), &["update"]),
            (Required::Main("1.0.0"), &["install", "--no-dev"]),
            (Required::Main("1.0.0"), &["install"]),
        ],
    );
    took_part(&main[2], true);
}

/// A run may update, downgrade or remove the plugin while other packages come and go.
#[test]
fn changed_and_removed_in_a_run() {
    let Some(scene) = nowhere() else { return };
    let name = scene.some_package();
    let played = editions(
        &scene,
        "changed",
        &[
            (Required::Main("1.0.0"), &["update", "--no-dev"]),
            (Required::Main("2.0.0"), &["update"]),
            (Required::Main("1.0.0"), &["update", "--no-dev"]),
            (Required::No, &["update"]),
            (Required::Main("2.0.0"), &["update", "-o"]),
            (
                Required::Main("2.0.0"),
                &["reinstall", &name, "allegro/plugin"],
            ),
            (Required::Main("2.0.0"), &["remove", "allegro/plugin"]),
        ],
    );
    for (step, edition) in [
        (1, "edition 1.0.0"),
        (1, "edition 2.0.0"),
        (2, "edition 1.0.0"),
    ] {
        assert!(
            played[step].run.stderr.contains(edition),
            "step {step}: {}",
            played[step].run.stderr
        );
    }
    took_part(&played[0], true);
    took_part(&played[1], true);
    assert!(!played[3].tree.nodes.contains_key("vendor/allegro"));
}

/// With one copy for all projects and another in this project, the local copy can be updated and
/// removed.
#[test]
fn a_global_and_a_local_copy() {
    let Some(scene) = nowhere() else { return };
    let _ = scene.own_home();
    let played = editions(
        &scene,
        "global and local",
        &[
            (Required::No, &["update", "--no-dev"]),
            (Required::Main("1.0.0"), &["update"]),
            (Required::Main("1.0.0"), &["install", "--no-dev"]),
            (Required::Main("2.0.0"), &["update"]),
            (Required::No, &["update", "--no-dev"]),
            (Required::No, &["install"]),
        ],
    );
    for step in [0, 1, 5] {
        took_part(&played[step], true);
    }
}

/// Without permission the plugin stays inactive. The install succeeds if the plugin is optional,
/// and fails otherwise.
#[test]
fn not_allowed() {
    let Some(scene) = nowhere() else { return };
    edition(&scene, "1.0.0");
    for (what, allowed, optional) in [
        ("not listed, optional", None, true),
        ("not listed, not optional", None, false),
        ("forbidden", Some(false), true),
    ] {
        let path = scene.dir().join("plugin-1.0.0/composer.json");
        let mut package: Value =
            serde_json::from_str(&fs::read_to_string(&path).expect("it")).expect("JSON");
        package["extra"]["plugin-optional"] = json!(optional);
        fs::write(&path, package.to_string()).expect("written");
        let go = |side| {
            let _ = fs::remove_dir_all(scene.project());
            require(&scene, Required::Main("1.0.0"));
            scene.edit_manifest(|manifest| {
                let config = manifest.child("config");
                config.set(
                    "allow-plugins",
                    allegro_registry::parse_json(r#"{"e2e/other": true}"#, "it").expect("JSON"),
                );
                if let Some(allowed) = allowed {
                    config
                        .child("allow-plugins")
                        .set("allegro/plugin", Json::Bool(allowed));
                }
            });
            scene.outcome(&scene.call(side, &["install"]))
        };
        let (plain, ours) = (go(Side::Plain), go(Side::Allegro));
        same(what, &plain, &ours);
        assert_eq!(
            plain.run.exit == 0,
            optional,
            "{what}: {}",
            plain.run.stderr
        );
        assert_eq!(ours.run.ours(), Vec::<&str>::new(), "{what}");
    }
}

/// The environment may name the vendor directory of a project that requires the plugin.
#[test]
fn required_in_another_vendor_directory() {
    let Some(scene) = nowhere() else { return };
    for vendor in [
        "lib/deep".to_owned(),
        scene.dir().join("far/vendor").display().to_string(),
    ] {
        let go = |side| {
            let _ = fs::remove_dir_all(scene.dir().join("far"));
            scene.write_project();
            let mut outcome = scene.outcome(
                &scene
                    .call(side, &["install"])
                    .env("COMPOSER_VENDOR_DIR", &vendor),
            );
            outcome
                .tree
                .nodes
                .extend(Snapshot::of(&scene.dir().join("far")).nodes);
            outcome
        };
        let (plain, ours) = (go(Side::Plain), go(Side::Allegro));
        assert_eq!(plain.run.exit, 0, "{}", plain.run.stderr);
        same_tree(&vendor, &plain, &ours);
        took_part(&ours, true);
    }
}

/// An archive of the plugin gives a project everything but the extension. The extension is for one
/// PHP version, and a machine needs it only once.
#[test]
fn an_archive_has_the_helper_and_no_extension() {
    let (Some(scene), Some(unzip)) = (nowhere(), need(&["unzip"])) else {
        return;
    };
    scene.write_project();
    let dir = scene.scratch();
    let package = package_dir();
    let args = [
        "archive".as_ref(),
        "--format=zip".as_ref(),
        "--file=plugin".as_ref(),
        "--dir".as_ref(),
        dir.as_os_str(),
        "--working-dir".as_ref(),
        package.as_os_str(),
    ]
    .map(|arg| arg.to_str().expect("a path in UTF-8"));
    let _ = scene.call(Side::Plain, &args).run().expect(0);
    let to = dir.join("out");
    let status = Command::new(unzip)
        .arg("-q")
        .arg(dir.join("plugin.zip"))
        .arg("-d")
        .arg(&to)
        .status();
    assert!(status.expect("unzip").success());
    let files = |dir: &Path| {
        // The comparison ignores times, because `composer archive` doesn't promise to keep them.
        let nodes = Snapshot::of(dir).nodes.into_iter();
        nodes
            .filter_map(|(path, node)| Some((path, node.content()?)))
            .collect::<BTreeMap<_, _>>()
    };
    let mut expected = files(&package);
    let all = expected.len();
    expected.retain(|path, _| !(path.starts_with("native/") && path.ends_with(".so")));
    assert!(expected.len() < all);
    assert!(expected.keys().any(|path| path.ends_with("/allegro")));
    assert_eq!(files(&to), expected);
}
