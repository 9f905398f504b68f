//! Kills runs at random moments. The next run heals the project, and the store stays sound.

use std::fs;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use allegro_registry::{Fault, Rule};

use crate::support::{Call, Engine, Scene, Side, same_tree, verify_store};

pub fn start(call: &Call<'_>) -> Child {
    call.command()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("composer starts")
}

pub fn signal(name: &str, pid: &str) {
    let _ = Command::new("kill")
        .args([&format!("-{name}"), "--", pid])
        .status();
}

/// Returns the helper of a Composer process. The helper is its child, in a process group of its
/// own.
pub fn helper_of(child: &Child) -> Option<String> {
    let pid = child.id();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children
        .split_whitespace()
        .find(|pid| {
            fs::read_to_string(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.contains("helper"))
        })
        .map(str::to_owned)
}

#[track_caller]
pub fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let began = Instant::now();
    while !there() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "waited too long for {what}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn leftovers(project: &Path) -> Vec<String> {
    fs::read_dir(project.join("vendor/composer"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with('.'))
        .collect()
}

#[track_caller]
fn store_is_sound(scene: &Scene) {
    let output = verify_store(scene);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    let left = fs::read_dir(scene.store().join("tmp"))
        .expect("tmp")
        .count();
    assert_eq!(left, 0, "files left in the store's tmp");
}

/// After 50 kills at random moments, the next run heals the project. The seed is printed.
#[test]
fn killed_fifty_times_the_next_run_heals() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Plain, &["install"]);
    let full = {
        let run = scene.fresh(Side::Allegro, &["install"]);
        run.run.took
    };
    let mut seed = std::env::var("ALLEGRO_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| u64::from(std::process::id()));
    println!("seed {seed} (ALLEGRO_TEST_SEED)");
    let mut random = move |below: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below.max(1)
    };
    let span = u64::try_from(full.as_millis()).expect("a short run");
    for round in 0..50 {
        match round % 5 {
            0 => scene.write_project(),
            1 => scene.forget_store(),
            2 => {
                scene.forget_store();
                scene.forget_cache(Side::Allegro);
                scene.write_project();
            }
            _ => {
                let _ = fs::remove_dir_all(scene.project().join("vendor"));
            }
        }
        let engine = if random(2) == 0 {
            Engine::Helper
        } else {
            Engine::Extension
        };
        let mut child = start(&scene.call(Side::Allegro, &["install"]).engine(engine));
        std::thread::sleep(Duration::from_millis(random(span)));
        // In half of the rounds the helper dies with Composer; in the others it finds its input
        // closed. Composer is stopped first, because it would start its own downloads after the
        // helper's end. Packages that a kill interrupts there stay in vendor, as they do without
        // Allegro.
        let group = format!("-{}", child.id());
        signal("STOP", &group);
        if random(2) == 0
            && let Some(helper) = helper_of(&child)
        {
            signal("KILL", &helper);
        }
        signal("KILL", &group);
        let _ = child.wait();
        if round % 10 == 9 {
            // The rerun gets nothing but the state that the kills left.
            let healed = scene.outcome(&scene.call(Side::Allegro, &["install"]));
            same_tree(&format!("round {round}"), &plain, &healed);
            assert_eq!(leftovers(&scene.project()), Vec::<String>::new());
            wait_for("helpers to end", || {
                fs::read_dir(scene.store().join("tmp")).is_ok_and(|entries| entries.count() == 0)
            });
            store_is_sound(&scene);
        }
    }
}

/// Ctrl-C ends a run whose download hangs.
#[test]
fn interrupted_in_the_middle() {
    for engine in [Engine::Helper, Engine::Extension] {
        let Some(scene) = Scene::small() else { return };
        let plain = scene.fresh(Side::Plain, &["install"]);
        scene.server.clear_log();
        scene
            .server
            .set_faults(vec![Rule::always("/dist/*", Fault::Hang(50))]);
        scene.write_project();
        let mut child = start(&scene.call(Side::Allegro, &["install"]).engine(engine));
        wait_for("downloads", || scene.server.open_connections() > 3);
        signal("INT", &child.id().to_string());
        let status = child.wait().expect("it ends");
        assert!(
            status.signal() == Some(2) || status.code() == Some(130),
            "{engine:?}: {status:?}"
        );
        scene.server.set_faults(Vec::new());
        wait_for("staging to go", || leftovers(&scene.project()).is_empty());
        let healed = scene.outcome(&scene.call(Side::Allegro, &["install"]).engine(engine));
        same_tree(&format!("{engine:?}"), &plain, &healed);
        store_is_sound(&scene);
    }
}

/// Composer goes on by itself after a kill of its working helper.
#[test]
fn without_its_helper_composer_goes_on() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Plain, &["install"]);
    scene
        .server
        .set_faults(vec![Rule::always("/dist/*", Fault::Hang(50))]);
    scene.write_project();
    let mut child = start(&scene.call(Side::Allegro, &["install"]));
    wait_for("downloads", || scene.server.open_connections() > 3);
    scene.server.set_faults(Vec::new());
    signal("KILL", &helper_of(&child).expect("a helper"));
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(0));
    assert_eq!(crate::support::diff(&plain.tree, &scene.snapshot()), "");
    assert_eq!(leftovers(&scene.project()), Vec::<String>::new());
}
