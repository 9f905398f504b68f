//! Signals at any moment: Composer's exit code, nothing left behind, and the next run heals.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use allegro_registry::{Fault, Rule};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::support::{Call, Engine, Scene, Side, copy_tree, diff, same_tree};
use crate::trouble::verified;

/// How many times a run is killed; `ALLEGRO_TEST_KILLS` says otherwise.
const KILLS: u32 = 30;

fn start(call: &Call<'_>, scene: &Scene) -> (Child, std::path::PathBuf) {
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

/// Everything that a process started, and what those started.
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
        // The name in parentheses may hold anything.
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

/// Waits for an end that must come soon.
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

/// How many directories of packages stand in the vendor directory.
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

/// Looks without a pause, because what is waited for may stand for a millisecond only; the end of the process also
/// ends it.
fn busy_until(child: &mut Child, mut seen: impl FnMut() -> bool) {
    while !seen() && child.try_wait().expect("waiting").is_none() {}
}

/// A helper whose Composer is gone takes a moment to notice, and removes what it has made. A staging directory that
/// Composer has made but not told it of is the next run's to remove.
#[track_caller]
fn helper_goes(what: &str, scene: &Scene) {
    let until = Instant::now() + Duration::from_secs(20);
    let filled = || {
        staging(scene).iter().any(|name| {
            fs::read_dir(scene.project().join("vendor/composer").join(name))
                .is_ok_and(|mut entries| entries.next().is_some())
        })
    };
    while filled() {
        assert!(Instant::now() < until, "{what}: {:?} stay", staging(scene));
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A helper whose Composer is gone takes a moment to notice.
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
            // Nothing happens while PHP and Composer start.
            0 => std::thread::sleep(Duration::from_micros(span / 5 + random() % (span * 4 / 5))),
            1 => busy_until(&mut child, || !staging(&scene).is_empty()),
            _ => {
                let packages = 1 + usize::try_from(random() % 11).expect("small");
                busy_until(&mut child, || visible_packages(&scene) >= packages);
            }
        }
        let whole = descendants(child.id());
        let _ = kill_process_group(pid(child.id()), Signal::KILL);
        if round % 5 != 4 {
            // The helper is in a group of its own; sometimes it lives on and must notice by itself.
            for process in whole {
                let _ = kill_process(pid(process), Signal::KILL);
            }
        }
        let killed = child.wait().expect("waited").signal() == Some(9);
        in_staging += usize::from(!staging(&scene).is_empty());
        if round % 5 == 4 && engine == Engine::Helper {
            helper_goes(&format!("round {round}"), &scene);
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
            // Some generated lists follow the order of the operations: Composer in the same place says what is right.
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

/// The usual small generator; moments need no better one.
fn fastrand_like(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

/// Ctrl-C while a download hangs: over at once, with Composer's exit code, and the next run heals.
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
            let began = Instant::now();
            let asked = |text: &str| {
                scene
                    .server
                    .log()
                    .iter()
                    .any(|entry| entry.path.contains(text))
            };
            while !asked(path.trim_end_matches('*')) {
                assert!(
                    began.elapsed() < Duration::from_secs(60),
                    "{what}: the dist is never asked for"
                );
                std::thread::sleep(Duration::from_millis(10));
            }
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
            for helper in helpers {
                let until = Instant::now() + Duration::from_secs(3);
                while fs::read_to_string(format!("/proc/{helper}/stat"))
                    .is_ok_and(|stat| !stat.contains(") Z"))
                {
                    assert!(Instant::now() < until, "{what}: process {helper} lives on");
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
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

/// Ctrl-C while files are put in place.
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
            assert!(
                [0, 130, -2].contains(&exit),
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
