//! Tests low limits of the system: threads and processes, memory, and open files. Where plain
//! Composer succeeds, so does Composer with Allegro, by itself if need be. Nothing hangs, and no
//! output contains an internal error.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::owner::{User, for_all_users};
use crate::support::{Engine, Outcome, Scene, Side, same_tree, skipped};

/// This time is long enough for a slow machine, and shows that nothing hangs for ever.
const BOUND: Duration = Duration::from_secs(180);

/// Returns a user without other processes, because limits on processes count all of a user's.
fn somebody() -> User {
    let id = 20_000 + std::process::id() % 20_000;
    User { uid: id, gid: id }
}

/// Returns the values of a sweep: all of them in long rounds, else each second one.
fn values(all: &[u64]) -> Vec<u64> {
    let step = if std::env::var_os("ALLEGRO_TEST_LIMITS").is_some() {
        1
    } else {
        2
    };
    all.iter().copied().step_by(step).collect()
}

/// Makes an installation under a limit, without caches.
fn install(scene: &Scene, side: Side, engine: Engine, limit: &str, user: Option<User>) -> Outcome {
    scene.forget_cache(side);
    scene.forget_store();
    scene.write_project();
    let mut call = scene.call(side, &["install", "-o"]).engine(engine);
    if let Some(user) = user {
        user.make_dir(&scene.store());
        user.take(&scene.project());
        call = call.user(user);
    }
    scene.outcome(&call.before(limit).timeout(BOUND))
}

/// Checks that the output contains no text that nobody must read, whatever is limited.
#[track_caller]
fn says_no_nonsense(what: &str, ours: &Outcome) {
    let said = &ours.run.stderr;
    for word in ["internal error", "panicked", "Allegro\\", "signal"] {
        assert!(!said.contains(word), "{what}: {word}:\n{said}");
    }
    let told = ours
        .run
        .ours()
        .iter()
        .filter(|line| line.contains("by itself"))
        .count();
    assert!(told <= 1, "{what}: {said}");
}

/// Plays plain Composer and both engines under each of these limits. Returns how often Allegro took
/// part in an installation, and how often it left one to Composer.
fn sweep(scene: &Scene, limits: &[String], user: Option<User>) -> (usize, usize) {
    let (mut native, mut left) = (0, 0);
    let expected = install(scene, Side::Serial, Engine::Helper, ":", user);
    assert_eq!(expected.run.exit, 0, "{}", expected.run.stderr);
    for limit in limits {
        // The calls are as people make them, with several archives unpacked at once. So Composer
        // unpacks several at once where Allegro leaves the work to it.
        let plain = install(scene, Side::Plain, Engine::Helper, limit, user);
        for engine in [Engine::Helper, Engine::Extension] {
            let what = format!("{limit}, {engine:?}");
            let ours = install(scene, Side::Allegro, engine, limit, user);
            says_no_nonsense(&what, &ours);
            if plain.run.exit == 0 {
                same_tree(&what, &expected, &ours);
            }
            let took_part = ours.run.stderr.contains("Allegro: 12 packages");
            native += usize::from(took_part);
            left += usize::from(!took_part && ours.run.exit == 0);
        }
    }
    (native, left)
}

#[test]
fn few_processes() {
    let Some(scene) = Scene::small() else { return };
    let Some(()) = for_all_users(&scene) else {
        return;
    };
    let limits: Vec<String> = values(&[1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 26, 40])
        .iter()
        .map(|most| format!("prlimit --pid $$ --nproc={most}:{most}"))
        .collect();
    // If the limit is too low for Allegro, plain Composer can't start unzip either.
    let (native, _) = sweep(&scene, &limits, Some(somebody()));
    assert!(native > 0);
}

/// A control group with a limited number of tasks, which is removed when dropped.
struct Group(PathBuf);

impl Group {
    fn of(tasks: u64) -> Option<Self> {
        // Version 1 of control groups has a tree for each resource.
        let base = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"]
            .iter()
            .map(Path::new)
            .find(|base| base.join("cgroup.procs").exists())?;
        let path = base.join(format!("allegro-e2e-{}-{tasks}", std::process::id()));
        fs::create_dir_all(&path).ok()?;
        let group = Self(path);
        fs::write(group.0.join("pids.max"), tasks.to_string()).ok()?;
        Some(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn few_tasks_in_a_container() {
    let Some(scene) = Scene::small() else { return };
    let groups: Option<Vec<Group>> = values(&[1, 2, 3, 4, 5, 6, 8, 11, 14, 18])
        .into_iter()
        .map(Group::of)
        .collect();
    let Some(groups) = groups else {
        skipped::<()>("there is no control group for tasks");
        return;
    };
    let limits: Vec<String> = groups
        .iter()
        .map(|group| format!("echo $$ > {}", group.0.join("cgroup.procs").display()))
        .collect();
    let (native, _) = sweep(&scene, &limits, None);
    assert!(native > 0);
}

#[test]
fn little_memory() {
    let Some(scene) = Scene::small() else { return };
    for kind in ["as", "data"] {
        let limits: Vec<String> =
            values(&[60, 90, 120, 150, 180, 220, 260, 300, 350, 400, 500, 800])
                .iter()
                .map(|most| format!("prlimit --pid $$ --{kind}={0}:{0}", most << 20))
                .collect();
        let (native, left) = sweep(&scene, &limits, None);
        assert!(native > 0 && left > 0, "{kind}: {native} {left}");
    }
}

#[test]
fn few_open_files() {
    let Some(scene) = Scene::small() else { return };
    let limits: Vec<String> = values(&[30, 36, 42, 50, 60, 80, 120])
        .iter()
        .map(|most| format!("prlimit --pid $$ --nofile={most}:{most}"))
        .collect();
    let (native, left) = sweep(&scene, &limits, None);
    assert!(native > 0 && left > 0, "{native} {left}");
}
