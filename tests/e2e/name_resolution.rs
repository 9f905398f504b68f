//! Tests the resolution of host names by resolvers that lose answers, answer late, or know nothing
//! of IPv6.
//!
//! The tests make no statement about speed. Their bounds show that a run waits for no answer that
//! it doesn't need. A look-up for which the system waits takes five seconds more for each lost
//! answer.

use std::time::Duration;

use allegro_registry::ServerOptions;
use serde_json::{Value, json};

use crate::support::dns::{Dns, HOST, Manner};
use crate::support::files::{Files, bare};
use crate::support::network::{move_dists, scene_of};
use crate::support::{Engine, Outcome, Run, Scene, Side, same_tree};

/// The number of packages of a project, which is that of simultaneous connections.
const PACKAGES: usize = 12;

/// The number of requirements of a project whose versions are chosen.
const REQUIREMENTS: usize = 60;

/// The longest time until a further look-up begins and is answered, with some reserve for a busy
/// machine.
const FURTHER: Duration = Duration::from_secs(3);

/// Returns a URL with the host name that only the tests' server knows.
fn named(url: &str) -> String {
    url.replace("127.0.0.1", HOST)
}

/// Installs without caches. Archives come from a host with a name.
fn install(scene: &Scene, side: Side, engine: Engine, dns: &Dns) -> Outcome {
    scene.forget_cache(side);
    scene.forget_store();
    scene.write_project();
    move_dists(scene, &named(scene.server.base_url()));
    dns.asked();
    scene.outcome(
        &scene
            .call(side, &["install", "-vv"])
            .engine(engine)
            .dns(dns),
    )
}

/// Checks that Allegro downloaded all packages natively, with Composer's result.
fn assert_installed(what: &str, plain: &Outcome, ours: &Outcome) {
    same_tree(what, plain, ours);
    assert_eq!(ours.run.exit, 0, "{what}: {}", ours.run.stderr);
    let origins = Scene::origins(&ours.run);
    assert_eq!(origins, (0, 0, PACKAGES), "{what}: {}", ours.run.stderr);
}

#[test]
fn a_name_is_looked_up_once_for_an_install() {
    let Some(scene) = scene_of(PACKAGES, ServerOptions::default()) else {
        return;
    };
    let Some(dns) = Dns::start(scene.dir(), Manner::Prompt) else {
        return;
    };
    let plain = install(&scene, Side::Serial, Engine::Helper, &dns);
    for engine in Engine::all() {
        let ours = install(&scene, Side::Allegro, engine, &dns);
        assert_installed(&format!("{engine:?}"), &plain, &ours);
        assert_eq!(dns.asked(), (1, 1), "{engine:?}");
    }
}

#[test]
fn an_install_gets_past_bad_resolvers() {
    let Some(scene) = scene_of(PACKAGES, ServerOptions::default()) else {
        return;
    };
    let Some(prompt) = Dns::start(scene.dir(), Manner::Prompt) else {
        return;
    };
    let plain = install(&scene, Side::Serial, Engine::Helper, &prompt);
    let late = Duration::from_secs(3);
    for engine in Engine::all() {
        let usual = install(&scene, Side::Allegro, engine, &prompt).run.took;
        for (manner, wait) in [
            (Manner::LosesHalf, Duration::ZERO),
            (Manner::Late(late), late),
            (Manner::DeniesV6, Duration::ZERO),
            (Manner::SilentOnV6, Duration::ZERO),
        ] {
            let what = format!("{engine:?}, {manner:?}");
            let Some(dns) = Dns::start(scene.dir(), manner) else {
                return;
            };
            let ours = install(&scene, Side::Allegro, engine, &dns);
            assert_installed(&what, &plain, &ours);
            let bound = usual * 2 + wait + FURTHER;
            assert!(
                ours.run.took < bound,
                "{what}: {:?}, where {bound:?} are enough",
                ours.run.took
            );
        }
    }
}

/// With a silent resolver Composer fails. Allegro fails too, in the end by Composer's own download.
#[test]
fn a_resolver_that_is_silent_ends_as_with_composer() {
    let Some(scene) = scene_of(1, ServerOptions::default()) else {
        return;
    };
    let Some(dns) = Dns::start(scene.dir(), Manner::Silent) else {
        return;
    };
    let plain = install(&scene, Side::Serial, Engine::Helper, &dns);
    assert_ne!(plain.run.exit, 0, "{}", plain.run.stderr);
    for engine in Engine::all() {
        let ours = install(&scene, Side::Allegro, engine, &dns);
        assert_eq!(ours.run.exit, plain.run.exit, "{}", ours.run.stderr);
        // Allegro waits for a connection once, in addition to Composer's own attempts.
        let bound = plain.run.took + Duration::from_secs(10) + FURTHER;
        assert!(
            ours.run.took < bound,
            "{engine:?}: {:?}, where {bound:?} are enough",
            ours.run.took
        );
    }
}

/// Returns a project of sixty packages without requirements of their own.
fn project(files: &Files) -> Value {
    let root = json!({ "packages": [], "metadata-url": "/p2/%package%.json" });
    files.put("packages.json", root.to_string().as_bytes());
    let mut require = json!({});
    for number in 0..REQUIREMENTS {
        let name = format!("e2e/package-{number}");
        let url = format!("http://127.0.0.1:1/{number}.zip");
        let version =
            json!({ "name": name, "version": "1.0.0", "dist": { "type": "zip", "url": url } });
        let body = json!({ "packages": { &name: [version] } });
        files.put(&format!("p2/{name}.json"), body.to_string().as_bytes());
        require[&name] = json!("*");
    }
    json!({
        "name": "e2e/project",
        "version": "1.0.0",
        "require": require,
        "repositories": [
            { "type": "composer", "url": named(&files.url("")) },
            { "packagist.org": false },
        ],
        "config": { "secure-http": false },
    })
}

fn resolve(
    scene: &Scene,
    manifest: &Value,
    side: Side,
    engine: Engine,
    dns: &Dns,
) -> (Run, Option<String>) {
    scene.forget_cache(side);
    scene.forget_store();
    crate::support::files::write(scene, manifest);
    dns.asked();
    let args: &[&str] = match side {
        Side::Allegro => &["resolve", "-v"],
        _ => &["update", "--no-install", "-v"],
    };
    let run = scene.call(side, args).engine(engine).dns(dns).run();
    let lock = std::fs::read_to_string(scene.project().join("composer.lock"));
    (run, lock.ok())
}

#[test]
fn resolve_gets_past_bad_resolvers() {
    let Some((scene, files)) = bare() else { return };
    let manifest = project(&files);
    let late = Duration::from_secs(3);
    for (manner, wait) in [
        (Manner::Prompt, Duration::ZERO),
        (Manner::LosesHalf, Duration::ZERO),
        (Manner::Late(late), late),
        (Manner::DeniesV6, Duration::ZERO),
        (Manner::SilentOnV6, Duration::ZERO),
    ] {
        let start = || Dns::start(scene.dir(), manner);
        let Some(dns) = start() else { return };
        let (plain, wanted) = resolve(&scene, &manifest, Side::Serial, Engine::Helper, &dns);
        let plain_asked = dns.asked();
        for engine in Engine::all() {
            let what = format!("{engine:?}, {manner:?}");
            // The server counts from the first answer again.
            let Some(dns) = start() else { return };
            let (ours, found) = resolve(&scene, &manifest, Side::Allegro, engine, &dns);
            assert_eq!(ours.exit, plain.exit, "{what}: {}", ours.stderr);
            assert!(found == wanted, "{what}: {}", ours.stderr);
            if plain.exit == 0 {
                assert!(
                    ours.stderr.contains("considered"),
                    "{what}: {}",
                    ours.stderr
                );
            }
            if manner == Manner::Prompt {
                let asked = dns.asked();
                assert!(
                    asked.0 <= plain_asked.0 + 1 && asked.1 <= plain_asked.1 + 1,
                    "{what}: {asked:?}, and Composer alone {plain_asked:?}"
                );
            }
            let bound = plain.took * 2 + wait + FURTHER;
            assert!(
                ours.took < bound,
                "{what}: {:?}, where {bound:?} are enough",
                ours.took
            );
        }
    }
}
