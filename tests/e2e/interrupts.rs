//! Sends signals at any moment. A run ends with Composer's exit code and leaves nothing behind, and
//! the next run heals the project.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use allegro_registry::{Fault, Json, Rule};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::support::{Call, Engine, Scene, Side, copy_tree, diff, same_tree};
use crate::trouble::verified;

/// The number of kills of a run, unless `ALLEGRO_TEST_KILLS` sets another one.
const KILLS: u32 = 30;

/// Starts Composer in a process group of its own. Returns it, and the path of its output.
pub fn start(call: &Call<'_>, scene: &Scene) -> (Child, PathBuf) {
    let log = scene.scratch();
    fs::create_dir_all(&log).expect("a directory for the output");
    let log = log.join("stderr");
    let child = call
        .command()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log).expect("stderr"))
        .process_group(0)
        .spawn()
        .expect("composer starts");
    (child, log)
}

/// Returns all processes that a process started, directly or indirectly.
fn descendants(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        // The name in parentheses may contain any character.
        let parent = stat
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.split(' ').nth(1))
            .and_then(|parent| parent.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(pid) = open.pop() {
        for &child in children.get(&pid).into_iter().flatten() {
            found.push(child);
            open.push(child);
        }
    }
    found
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).expect("a process id")).expect("not 0")
}

/// Waits for the end of a process, which must come soon, and returns its exit code.
#[track_caller]
fn ends_within(child: &mut Child, time: Duration) -> i32 {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("waiting") {
            return status
                .code()
                .unwrap_or_else(|| -status.signal().unwrap_or(0));
        }
        if began.elapsed() > time {
            let _ = kill_process_group(pid(child.id()), Signal::KILL);
            let _ = child.wait();
            panic!("it runs on after {time:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn staging(scene: &Scene) -> Vec<String> {
    fs::read_dir(scene.project().join("vendor/composer"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with(".allegro-"))
        .collect()
}

/// Returns the number of package directories in the vendor directory.
fn visible_packages(scene: &Scene) -> usize {
    fs::read_dir(scene.project().join("vendor"))
        .into_iter()
        .flatten()
        .flatten()
        .filter(|vendor| vendor.file_name() != "composer" && vendor.file_name() != "bin")
        .filter_map(|vendor| fs::read_dir(vendor.path()).ok())
        .map(Iterator::count)
        .sum()
}

/// Polls without a pause, because the awaited state may last for a millisecond only. The end of the
/// process ends the loop too.
fn busy_until(child: &mut Child, mut seen: impl FnMut() -> bool) {
    while !seen() && child.try_wait().expect("waiting").is_none() {}
}

/// Waits until processes have ended. They may remain as zombies, because nobody may be there to ask
/// for their exit codes.
#[track_caller]
fn processes_go(what: &str, processes: &[u32], time: Duration) {
    let until = Instant::now() + time;
    for process in processes {
        while fs::read_to_string(format!("/proc/{process}/stat"))
            .is_ok_and(|stat| !stat.contains(") Z"))
        {
            assert!(Instant::now() < until, "{what}: process {process} lives on");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Returns the number of packages that are ready in staging, and of those in their places.
fn ready_and_placed(scene: &Scene) -> (usize, usize) {
    let entries = |path: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    let vendor = scene.project().join("vendor");
    let is_package = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let staged = staging(scene)
        .into_iter()
        .flat_map(|name| entries(&vendor.join("composer").join(name)))
        .filter(is_package);
    let placed = entries(&vendor)
        .into_iter()
        .filter(|path| !path.ends_with("composer") && !path.ends_with("bin"))
        .flat_map(|path| entries(&path))
        .filter(|path| !entries(path).is_empty());
    (staged.count(), placed.count())
}

/// Checks that a helper ends soon after its Composer has gone, and removes its unfinished packages.
///
/// Packages that were ready before the kill of Composer are complete, and the next run removes
/// them. A staging directory that Composer has made without telling the helper stays for the next
/// run too.
#[track_caller]
fn helper_goes(what: &str, scene: &Scene, processes: &[u32], packages: usize) {
    processes_go(what, processes, Duration::from_secs(20));
    let (ready, placed) = ready_and_placed(scene);
    assert!(
        ready == 0 || ready + placed == packages,
        "{what}: of {packages} packages {placed} are in their places and {ready} in {:?}",
        staging(scene)
    );
}

/// Checks that a helper removes its staging directory soon after its Composer has gone.
#[track_caller]
fn staging_goes(what: &str, scene: &Scene) {
    let until = Instant::now() + Duration::from_secs(5);
    while !staging(scene).is_empty() {
        assert!(
            Instant::now() < until,
            "{what}: {:?} stay, with {:?}",
            staging(scene),
            scene
                .snapshot()
                .nodes
                .keys()
                .filter(|path| path.contains("/.allegro-"))
                .take(20)
                .collect::<Vec<_>>()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn each_kill_is_healed_by_the_next_run() {
    let Some(scene) = Scene::small() else { return };
    let kills = std::env::var("ALLEGRO_TEST_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(KILLS);
    let complete = scene.fresh(Side::Serial, &["install"]);
    let (_, packages) = ready_and_placed(&scene);
    let cold = scene.fresh(Side::Allegro, &["install"]).run.expect(0).took;
    let warm = scene.fresh(Side::Allegro, &["install"]).run.expect(0).took;
    let mut random = fastrand_like(u64::from(std::process::id()));
    let mut seen = HashSet::new();
    let mut in_staging = 0;
    for round in 0..kills {
        let engine = if round % 2 == 0 {
            Engine::Helper
        } else {
            Engine::Extension
        };
        let is_cold = round % 3 != 2;
        if is_cold {
            scene.forget_store();
            if round % 4 < 2 {
                scene.forget_cache(Side::Allegro);
            }
        }
        scene.write_project();
        let (mut child, _) = start(
            &scene.call(Side::Allegro, &["install"]).engine(engine),
            &scene,
        );
        let span = u64::try_from((if is_cold { cold } else { warm }).as_micros()).expect("short");
        match (round / 2) % 3 {
            // The first part of a run is left out, because Allegro does nothing while PHP and
            // Composer start.
            0 => std::thread::sleep(Duration::from_micros(span / 5 + random() % (span * 4 / 5))),
            1 => busy_until(&mut child, || !staging(&scene).is_empty()),
            _ => {
                let some = 1 + usize::try_from(random() % 11).expect("small");
                busy_until(&mut child, || visible_packages(&scene) >= some);
            }
        }
        let whole = descendants(child.id());
        let _ = kill_process_group(pid(child.id()), Signal::KILL);
        if round % 5 != 4 {
            // The helper is in a group of its own. In some rounds it lives on, and must notice the
            // end of Composer by itself.
            for &process in &whole {
                let _ = kill_process(pid(process), Signal::KILL);
            }
        }
        let killed = child.wait().expect("waited").signal() == Some(9);
        in_staging += usize::from(!staging(&scene).is_empty());
        if round % 5 == 4 && engine == Engine::Helper {
            helper_goes(&format!("round {round}"), &scene, &whole, packages);
        }
        let before = scene.snapshot();
        seen.insert((
            killed,
            before.below("vendor").files(),
            visible_packages(&scene),
        ));
        let half = scene.dir().join("half");
        let _ = fs::remove_dir_all(&half);
        copy_tree(&scene.project(), &half);

        let ours = scene.outcome(&scene.call(Side::Allegro, &["install"]).engine(engine));
        assert_eq!(ours.run.exit, 0, "round {round}: {}", ours.run.stderr);
        assert_eq!(staging(&scene), Vec::<String>::new(), "round {round}");
        if !diff(&complete.tree, &ours.tree).is_empty() {
            // Some generated lists follow the order of the operations, so Composer in the same
            // situation gives the expected result.
            fs::remove_dir_all(scene.project()).expect("removed");
            copy_tree(&half, &scene.project());
            for name in staging(&scene) {
                fs::remove_dir_all(scene.project().join("vendor/composer").join(name))
                    .expect("removed");
            }
            let plain = scene.outcome(&scene.call(Side::Serial, &["install"]));
            same_tree(&format!("round {round}"), &plain, &ours);
        }
    }
    verified(&scene);
    println!(
        "{kills} kills, {} different states, staging seen {in_staging} times",
        seen.len()
    );
    if kills >= KILLS {
        assert!(
            seen.len() > 3,
            "the kills came at one and the same moment: {seen:?}"
        );
        assert!(
            in_staging > 0,
            "no kill came while packages were in staging"
        );
    }
}

/// Returns a xorshift generator, which is random enough for moments.
fn fastrand_like(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

/// Waits until the server gets a request for a path that contains this text.
#[track_caller]
fn until_asked(what: &str, scene: &Scene, path: &str) {
    let began = Instant::now();
    while !scene
        .server
        .log()
        .iter()
        .any(|entry| entry.path.contains(path))
    {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{what}: {path} is never asked for"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Ctrl-C while a download hangs ends the run at once, with Composer's exit code. The next run
/// heals the project.
#[test]
fn interrupted_in_a_download() {
    let Some(scene) = Scene::small() else { return };
    let complete = scene.fresh(Side::Serial, &["install"]);
    let path = format!("/dist/{}/*", scene.server.catalog().packages()[5].spec.name);
    for signal in [Signal::INT, Signal::TERM] {
        let mut exits = Vec::new();
        for (side, engine) in [
            (Side::Plain, Engine::Helper),
            (Side::Allegro, Engine::Helper),
            (Side::Allegro, Engine::Extension),
        ] {
            let what = format!("{signal:?}, {side:?}, {engine:?}");
            scene
                .server
                .set_faults(vec![Rule::always(&path, Fault::Hang(0))]);
            scene.server.clear_log();
            scene.forget_cache(side);
            scene.forget_store();
            scene.write_project();
            let (mut child, log) = start(&scene.call(side, &["install"]).engine(engine), &scene);
            until_asked(&what, &scene, path.trim_end_matches('*'));
            std::thread::sleep(Duration::from_millis(300));
            let helpers = descendants(child.id());
            kill_process_group(pid(child.id()), signal).expect("signalled");
            let interrupted = Instant::now();
            let exit = ends_within(&mut child, Duration::from_secs(20));
            let took = interrupted.elapsed();
            let said = fs::read_to_string(&log).expect("stderr");
            assert!(took < Duration::from_secs(3), "{what}: {took:?}\n{said}");
            exits.push(exit);
            assert!(
                !said.contains("goes on by itself") && !said.contains("Exception"),
                "{what}: {said}"
            );
            staging_goes(&what, &scene);
            processes_go(&what, &helpers, Duration::from_secs(3));
            scene.server.set_faults(Vec::new());
            same_tree(
                &format!("{what}, healed"),
                &complete,
                &scene.outcome(&scene.call(side, &["install"]).engine(engine)),
            );
        }
        assert!(
            exits.iter().all(|&exit| exit == exits[0] && exit != 0),
            "{signal:?}: {exits:?}"
        );
    }
}

/// Ctrl-C while metadata doesn't come ends the run at once, with Composer's exit code. The lock
/// stays as it was.
#[test]
fn interrupted_in_a_resolution() {
    let Some(scene) = Scene::small() else { return };
    let mut exits = Vec::new();
    for (side, command, engine) in [
        (
            Side::Plain,
            ["update", "--no-install"].as_slice(),
            Engine::Helper,
        ),
        (Side::Allegro, &["resolve"], Engine::Helper),
        (Side::Allegro, &["resolve"], Engine::Extension),
    ] {
        let what = format!("{side:?}, {engine:?}");
        scene.forget_cache(side);
        scene.write_project();
        let lock = || fs::read_to_string(scene.project().join("composer.lock")).expect("a lock");
        let before = lock();
        scene
            .server
            .set_faults(vec![Rule::always("/p2/*", Fault::Hang(0))]);
        scene.server.clear_log();
        let (mut child, log) = start(&scene.call(side, command).engine(engine), &scene);
        until_asked(&what, &scene, "/p2/");
        std::thread::sleep(Duration::from_millis(100));
        let helpers = descendants(child.id());
        kill_process_group(pid(child.id()), Signal::INT).expect("signalled");
        exits.push(ends_within(&mut child, Duration::from_secs(3)));
        processes_go(&what, &helpers, Duration::from_secs(3));
        let said = fs::read_to_string(&log).expect("stderr");
        assert!(
            !said.contains("by itself") && !said.contains("Exception"),
            "{what}: {said}"
        );
        assert_eq!(lock(), before, "{what}");
    }
    assert!(
        exits.iter().all(|&exit| exit == exits[0] && exit != 0),
        "{exits:?}"
    );
}

/// A resolution reports a lock that another process writes meanwhile, and leaves it alone.
#[test]
fn a_lock_that_changes_in_a_resolution() {
    let Some(scene) = Scene::small() else { return };
    for args in [&["resolve"][..], &["resolve", "--dry-run"]] {
        scene.forget_cache(Side::Allegro);
        scene.write_project();
        let path = scene.project().join("composer.lock");
        let fault = Fault::Latency(Duration::from_millis(1500));
        scene.server.set_faults(vec![Rule::always("/p2/*", fault)]);
        scene.server.clear_log();
        let (mut child, log) = start(&scene.call(Side::Allegro, args), &scene);
        until_asked("a changing lock", &scene, "/p2/");
        let mut lock = fs::read_to_string(&path).expect("a lock");
        lock.push('\n');
        fs::write(&path, &lock).expect("written");
        assert_eq!(
            ends_within(&mut child, Duration::from_mins(1)),
            1,
            "{args:?}"
        );
        let said = fs::read_to_string(&log).expect("stderr");
        assert!(
            said.contains("composer.lock was changed by somebody else"),
            "{said}"
        );
        assert_eq!(fs::read_to_string(&path).expect("a lock"), lock, "{args:?}");
    }
}

/// Ctrl-C may come while files are put in place.
#[test]
fn interrupted_at_work() {
    let Some(scene) = Scene::small() else { return };
    let complete = scene.fresh(Side::Serial, &["install"]);
    let warm = {
        let _ = scene.fresh(Side::Allegro, &["install"]);
        scene.fresh(Side::Allegro, &["install"]).run.expect(0).took
    };
    for engine in [Engine::Helper, Engine::Extension] {
        for step in 2..10 {
            scene.write_project();
            let (mut child, log) = start(
                &scene.call(Side::Allegro, &["install"]).engine(engine),
                &scene,
            );
            std::thread::sleep(warm * step / 10);
            let _ = kill_process_group(pid(child.id()), Signal::INT);
            let exit = ends_within(&mut child, Duration::from_secs(20));
            let said = fs::read_to_string(&log).expect("stderr");
            // A signal in the middle of loading a class keeps Composer's handler from using it,
            // because PHP doesn't load one class twice at a time. Seldom, a promise that fails
            // while the handler cleans up ends the run in its place. Both are Composer's own
            // behaviour, see docs/parity.md.
            let is_aborted = exit == 1
                && !said.contains("\"Allegro\\")
                && (said.contains("\" not found")
                    || said.contains("as the installation was aborted by another package"));
            assert!(
                is_aborted || [0, 130, -2].contains(&exit),
                "{engine:?}, {step}/10: {exit}\n{said}"
            );
            staging_goes(&format!("{engine:?}, {step}/10, {said}"), &scene);
            let healed = scene.outcome(&scene.call(Side::Allegro, &["install"]).engine(engine));
            assert_eq!(healed.run.exit, 0, "{}", healed.run.stderr);
            let differences = diff(
                &complete.tree.below("vendor").without("vendor/composer"),
                &healed.tree.below("vendor").without("vendor/composer"),
            );
            assert!(
                differences.is_empty(),
                "{engine:?}, {step}/10:\n{differences}"
            );
        }
    }
    verified(&scene);
}

/// Returns whether the native part is scanning. Each call has a thread, and calls that scan files
/// have more.
fn scans(root: u32, engine: Engine) -> bool {
    let (process, idle) = match engine {
        Engine::Extension => (Some(root), 1),
        // One of the helper's own threads reads requests.
        Engine::Helper => (descendants(root).into_iter().next(), 2),
    };
    process.is_some_and(|process| {
        fs::read_dir(format!("/proc/{process}/task")).is_ok_and(|tasks| tasks.count() > idle + 1)
    })
}

/// Ctrl-C during a scan for classes lets Composer's handler run before the end of the scan. A
/// helper for which nobody waits any more doesn't finish the scan.
#[test]
fn interrupted_in_a_scan() {
    let Some(scene) = Scene::small() else { return };
    let _ = scene.fresh(Side::Allegro, &["install"]).run.expect(0);
    let many = scene.project().join("many");
    fs::create_dir(&many).expect("a directory");
    for number in 0..500 {
        let content = format!("<?php class C{number} {{}}");
        fs::write(many.join(format!("C{number}.php")), content).expect("a file");
    }
    let records = || {
        scene
            .bucket("autoload")
            .into_iter()
            .flat_map(fs::read_dir)
            .flatten()
            .flatten()
            .count()
    };
    for engine in [Engine::Helper, Engine::Extension] {
        let mut stopped = false;
        // The same directory listed many times takes as long as many directories. The number grows
        // until the signal comes before the end.
        for times in [500, 1_000, 2_000, 4_000] {
            scene.edit_manifest(|manifest| {
                let rules = vec![r#""many/""#; times].join(", ");
                let rules = format!(r#"{{"classmap": [{rules}]}}"#);
                manifest.set(
                    "autoload",
                    allegro_registry::parse_json(&rules, "rules").expect("JSON"),
                );
            });
            let _ = scene.bucket("autoload").map(fs::remove_dir_all);
            let call = scene.call(Side::Allegro, &["dump-autoload"]).engine(engine);
            let (mut child, log) = start(&call, &scene);
            let process = child.id();
            busy_until(&mut child, || scans(process, engine));
            let helpers = descendants(child.id());
            let _ = kill_process_group(pid(child.id()), Signal::INT);
            let exit = ends_within(&mut child, Duration::from_secs(60));
            let said = fs::read_to_string(&log).expect("stderr");
            assert!([0, -2, 130].contains(&exit), "{engine:?}: {exit}\n{said}");
            processes_go(&format!("{engine:?}"), &helpers, Duration::from_secs(20));
            stopped = exit != 0 && records() == 0;
            if stopped {
                break;
            }
        }
        assert!(stopped, "{engine:?}: each scan came to its end");
    }
}
