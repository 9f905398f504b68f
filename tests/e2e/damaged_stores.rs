//! Tests stores with foreign objects in place of records, with lost times, with real damage, and
//! with held locks. A run installs the right content or leaves the work to Composer. It never
//! hangs, and the store is sound after one more run.
//!
//! `ALLEGRO_TEST_DAMAGE_ROUNDS` sets the number of rounds of random damage, and `ALLEGRO_TEST_SEED`
//! sets the first seed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use allegro_registry::{Catalog, GenSpec, Json, Rng};
use rustix::fs::{FlockOperation, flock};
use serde_json::Value;

use crate::support::mount::{FileSystem, Mount};
use crate::support::{
    Engine, Outcome, Run, Scene, SceneOptions, Side, Snapshot, copy_tree, diff, same_tree,
    store_command,
};

const OUTSIDE: &str = "a file outside of the store\n";

/// A run that takes longer than this waits for something that never comes.
const HANGS: Duration = Duration::from_secs(60);

/// Part of Allegro's line about files that were changed in place.
const ACCUSATION: &str = "changed in place";

/// Environment variables of a call.
type Envs<'a> = &'a [(&'a str, &'a str)];

const HARDLINK: [(&str, &str); 1] = [("ALLEGRO_LINK_STRATEGY", "hardlink")];

/// A warm store with records of every kind, and Composer's result of the project.
struct World {
    scene: Scene,
    plain: Outcome,
    pristine: PathBuf,
    /// Name of the way in which files get into the project by default.
    way: String,
}

/// A command that needs records of every kind, because it resolves, installs and scans for classes.
const COMMAND: [&str; 2] = ["update", "-o"];

impl World {
    fn new(base: Option<PathBuf>) -> Option<Self> {
        let catalog = Catalog::generated(&GenSpec {
            files: 40,
            dirs: 14,
            bytes: 150_000,
            // Directories that share a prefix have the order in which their packages were finished,
            // so there are none.
            modules: 0,
            ..GenSpec::custom(4)
        });
        // A store has hundreds of directories, and each scenario writes it anew, so it lives in
        // memory where possible.
        let memory = Path::new("/dev/shm");
        let is_free = memory.is_dir() && std::env::var_os("ALLEGRO_TEST_DIR").is_none();
        let options = SceneOptions {
            base: base.or_else(|| is_free.then(|| memory.to_owned())),
            ..SceneOptions::default()
        };
        let scene = Scene::with(catalog, options)?;
        let plain = scene.fresh(Side::Serial, &COMMAND);
        assert_eq!(plain.run.exit, 0, "{}", plain.run.stderr);
        let resolved = scene.fresh(Side::Allegro, &["resolve"]);
        assert_eq!(resolved.run.exit, 0, "{}", resolved.run.stderr);
        // The second run is the first one that finds records of what the first run fetched.
        let mut way = String::new();
        for _ in 0..2 {
            let ours = scene.fresh(Side::Allegro, &COMMAND);
            same_tree("a sound store", &plain, &ours);
            way = way_of(&ours.run);
        }
        let pristine = scene.dir().join("pristine");
        copy_tree(&scene.store(), &pristine);
        Some(Self {
            scene,
            plain,
            pristine,
            way,
        })
    }

    fn store(&self) -> PathBuf {
        self.scene.store()
    }

    /// Returns the path that links in the store point to.
    fn outside(&self) -> PathBuf {
        self.scene.dir().join("outside")
    }

    /// Restores the sound store.
    fn reset(&self) {
        self.scene.forget_store();
        copy_tree(&self.pristine, &self.store());
        let _ = fs::remove_dir_all(self.outside());
        fs::create_dir_all(self.outside().join("a-directory")).expect("a directory outside");
        fs::write(self.outside().join("a-file"), OUTSIDE).expect("a file outside");
    }

    /// Runs once in a freshly written project. The exit code is 0, and the tree is Composer's.
    #[track_caller]
    fn installs(&self, what: &str, engine: Engine, envs: Envs<'_>) -> Run {
        self.scene.write_project();
        let call = self.scene.call(Side::Allegro, &COMMAND);
        let call = envs
            .iter()
            .fold(call.engine(engine).timeout(HANGS), |call, (name, value)| {
                call.env(name, value)
            });
        let ours = self.scene.outcome(&call);
        same_tree(what, &self.plain, &ours);
        ours.run
    }

    /// Checks that one run gives Composer's result, and that afterwards the store is as good as
    /// new.
    #[track_caller]
    fn heals(&self, what: &str, engine: Engine) -> Run {
        self.heals_with(what, engine, &[])
    }

    #[track_caller]
    fn heals_with(&self, what: &str, engine: Engine, envs: Envs<'_>) -> Run {
        let first = self.installs(what, engine, envs);
        let again = self.installs(&format!("{what}, again"), engine, envs);
        let packages = self.scene.server.catalog().project().entries().count();
        assert!(
            Scene::origins(&again) == (packages, 0, 0) && again.ours().len() == 1,
            "{what}: the store isn't healed; first\n{}\nagain\n{}",
            first.ours().join("\n"),
            again.ours().join("\n")
        );
        let way = if envs.contains(&("ALLEGRO_LINK_STRATEGY", "copy")) {
            "copy"
        } else {
            &self.way
        };
        assert_eq!(
            way_of(&again),
            way,
            "{what}: the store can't be written any more? {}",
            again.ours().join("\n")
        );
        // An update needs no records of metadata, and leaves them as they are.
        let resolved = self.scene.fresh(Side::Allegro, &["resolve"]);
        assert_eq!(resolved.run.exit, 0, "{what}: {}", resolved.run.stderr);
        let (exit, found) = self.verify();
        assert_eq!(exit, 0, "{what}: it is not sound after two runs: {found}");
        first
    }

    /// Returns exit code and output of `allegro store verify`.
    #[track_caller]
    fn verify(&self) -> (i32, String) {
        let log = self.scene.scratch();
        let mut child = store_command(&self.scene, &["verify"])
            .stdin(Stdio::null())
            .stdout(File::create(&log).expect("a file"))
            .stderr(File::options().append(true).open(&log).expect("a file"))
            .spawn()
            .expect("allegro starts");
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("waiting") {
                break status;
            }
            if began.elapsed() > HANGS {
                let _ = child.kill();
                let _ = child.wait();
                panic!("`store verify` hangs");
            }
            std::thread::sleep(Duration::from_millis(4));
        };
        let said = fs::read_to_string(&log).expect("its words");
        fs::remove_file(log).expect("removed");
        (status.code().unwrap_or(-1), said)
    }

    /// Returns the bucket of the store whose name starts like this.
    fn bucket(&self, kind: &str) -> Option<PathBuf> {
        self.scene.bucket(kind)
    }

    /// Returns the records of a kind, in order.
    fn records(&self, kind: &str) -> Vec<PathBuf> {
        self.bucket(kind)
            .map_or_else(Vec::new, |bucket| files_below(&bucket))
    }
}

/// Returns the last word of Allegro's summary.
fn way_of(run: &Run) -> String {
    run.ours()
        .iter()
        .find(|line| line.contains(" package"))
        .and_then(|line| line.rsplit(", ").next())
        .unwrap_or_default()
        .to_owned()
}

/// Returns the regular files below a directory, in order.
fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut names: Vec<PathBuf> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    names.sort();
    for path in names {
        let facts = fs::symlink_metadata(&path).expect("an entry");
        if facts.is_dir() {
            found.extend(files_below(&path));
        } else if facts.is_file() {
            found.push(path);
        }
    }
    found
}

/// Plays each scenario. Panics at the end with the names and messages of all that failed.
#[track_caller]
fn each<T>(scenarios: Vec<(String, T)>, play: impl Fn(&str, usize, T)) {
    let total = scenarios.len();
    let mut failed = Vec::new();
    for (number, (what, scenario)) in scenarios.into_iter().enumerate() {
        let played = catch_unwind(AssertUnwindSafe(|| play(&what, number, scenario)));
        if let Err(panic) = played {
            let text = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_default();
            failed.push(format!("== {what}\n{text}"));
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {total} failed\n{}",
        failed.len(),
        failed.join("\n")
    );
}

/// An object that stands in the place of a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Odd {
    Directory,
    Pipe,
    LinkToNothing,
    LinkToFile,
    LinkToDirectory,
    Empty,
    Garbage,
    Nothing,
}

impl Odd {
    const ALL: [Self; 8] = [
        Self::Directory,
        Self::Pipe,
        Self::LinkToNothing,
        Self::LinkToFile,
        Self::LinkToDirectory,
        Self::Empty,
        Self::Garbage,
        Self::Nothing,
    ];

    /// Puts the object in the place of a path. Links point to a path outside of the store.
    fn put(self, at: &Path, outside: &Path) {
        let facts = fs::symlink_metadata(at);
        match facts {
            Ok(facts) if facts.is_dir() => fs::remove_dir_all(at).expect("removed"),
            Ok(_) => fs::remove_file(at).expect("removed"),
            Err(_) => {}
        }
        let (file, dir) = (outside.join("a-file"), outside.join("a-directory"));
        match self {
            Self::Directory => {
                fs::create_dir(at).expect("a directory");
                fs::write(at.join("inside"), "x").expect("a file in it");
            }
            Self::Pipe => pipe(at),
            Self::LinkToNothing => symlink("/no/such/place", at).expect("a link"),
            Self::LinkToFile => symlink(&file, at).expect("a link"),
            Self::LinkToDirectory => symlink(&dir, at).expect("a link"),
            Self::Empty => fs::write(at, "").expect("an empty file"),
            Self::Garbage => {
                let bytes: Vec<u8> = (0..500_u32).map(|at| (at * 7 % 251) as u8).collect();
                fs::write(at, bytes).expect("a file");
            }
            Self::Nothing => {}
        }
    }
}

fn pipe(at: &Path) {
    let made = std::process::Command::new("mkfifo")
        .arg(at)
        .status()
        .expect("mkfifo");
    assert!(made.success());
}

/// Returns whether every case is to be played, not only a sample.
fn is_soak() -> bool {
    rounds(0) > 0
}

fn rounds(default: u64) -> u64 {
    number("ALLEGRO_TEST_DAMAGE_ROUNDS").unwrap_or(default)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.trim().parse().ok()
}

fn engine(number: usize) -> Engine {
    [Engine::Helper, Engine::Extension][number % 2]
}

/// The store replaces files and directories of its own, whatever stands in their place.
#[test]
fn odd_things_in_place_of_files_and_buckets() {
    let Some(world) = World::new(None) else {
        return;
    };
    let mut scenarios = Vec::new();
    for odd in Odd::ALL {
        for names in [
            &["layout", "lock", "reflink", "CACHEDIR.TAG", "told-v1"][..],
            &[
                "tmp",
                "quarantine",
                "contents",
                "roots",
                "classes",
                "autoload",
                "metadata",
            ],
            &["blobs"],
            &["manifests"],
        ] {
            scenarios.push((format!("{odd:?} in place of {names:?}"), (odd, names)));
        }
    }
    each(scenarios, |what, number, (odd, names)| {
        world.reset();
        for name in names {
            let path = world.bucket(name).unwrap_or(world.store().join(name));
            odd.put(&path, &world.outside());
            // A bucket is a directory too. Only `store verify` reports foreign files in it, so this
            // one goes.
            let _ = fs::remove_file(path.join("inside"));
        }
        if number % 3 == 0 {
            let _ = world.verify();
        }
        world.heals(what, engine(number / 4));
        outside_is_untouched(&world);
    });
}

/// Checks that nothing has touched the path that links in the store point to.
#[track_caller]
fn outside_is_untouched(world: &World) {
    let outside = world.outside();
    let text = fs::read_to_string(outside.join("a-file")).expect("the file outside");
    assert_eq!(text, OUTSIDE);
    let found = files_below(&outside.join("a-directory"));
    assert!(found.is_empty(), "written outside of the store: {found:?}");
}

/// A run heals the store if foreign objects stand in the place of all shards with records.
#[test]
fn odd_things_in_place_of_shards() {
    let Some(world) = World::new(None) else {
        return;
    };
    let scenarios = Odd::ALL
        .into_iter()
        .map(|odd| (format!("{odd:?} in place of shards"), odd))
        .collect();
    each(scenarios, |what, number, odd| {
        world.reset();
        // Half of the scenarios replace only the shards of manifests, the others those of both
        // kinds.
        let kinds = if number % 2 == 0 {
            &["manifests"][..]
        } else {
            &["blobs", "manifests"]
        };
        let used: BTreeSet<PathBuf> = kinds
            .iter()
            .flat_map(|kind| world.records(kind))
            .map(|path| path.parent().expect("a shard").to_owned())
            .collect();
        for shard in &used {
            odd.put(shard, &world.outside());
            let _ = fs::remove_file(shard.join("inside"));
        }
        if number % 3 == 0 && !matches!(odd, Odd::Nothing | Odd::Directory) {
            let (exit, said) = world.verify();
            assert_eq!(exit, 1, "{what}: `store verify` says {said}");
        }
        world.heals(what, engine(number / 2));
        outside_is_untouched(&world);
    });
}

/// Replaces one record of each kind at once; `store verify` must name them all.
#[track_caller]
fn odd_records(world: &World, kinds: &[&str]) {
    let scenarios = Odd::ALL
        .into_iter()
        .enumerate()
        .flat_map(|(number, odd)| [true, false].map(|verifies| (number, odd, verifies)))
        .filter(|(number, _, verifies)| is_soak() || (number % 2 == 0) == *verifies)
        .map(|(_, odd, verifies)| (format!("{odd:?}, verify {verifies}"), (odd, verifies)))
        .collect();
    each(scenarios, |what, number, (odd, verifies)| {
        world.reset();
        let mut paths = Vec::new();
        for kind in kinds {
            let records = world.records(kind);
            assert!(!records.is_empty(), "{what}: there are {kind}");
            paths.push(records[number % records.len()].clone());
        }
        for path in &paths {
            odd.put(path, &world.outside());
        }
        if verifies {
            named_by_verify(world, what, odd, &paths);
        }
        if kinds.contains(&"metadata") {
            world.scene.write_project();
            let call = world.scene.call(Side::Allegro, &["resolve"]);
            let call = call.engine(engine(number / 2)).timeout(HANGS);
            let resolved = world.scene.outcome(&call);
            assert_eq!(resolved.run.exit, 0, "{what}: {}", resolved.run.stderr);
            let lock = |tree: &Snapshot| tree.below("composer.lock");
            assert_eq!(
                diff(&lock(&world.plain.tree), &lock(&resolved.tree)),
                "",
                "{what}"
            );
        }
        let run = world.heals(what, engine(number / 2));
        let accused = run.stderr.matches(ACCUSATION).count();
        assert!(accused <= 1, "{what}: {}", run.stderr);
        outside_is_untouched(world);
    });
}

/// Checks that `store verify` reports each of these paths and ends with 1, and that a second call
/// finds nothing.
#[track_caller]
fn named_by_verify(world: &World, what: &str, odd: Odd, paths: &[PathBuf]) {
    let (exit, said) = world.verify();
    if odd == Odd::Nothing {
        return;
    }
    let missed: Vec<&PathBuf> = paths
        .iter()
        .filter(|path| !said.contains(&path.display().to_string()))
        .collect();
    assert!(
        exit == 1 && missed.is_empty(),
        "{what}: exit code {exit}, `store verify` doesn't name {missed:?}: {said}"
    );
    let (exit, said) = world.verify();
    assert_eq!(exit, 0, "{what}: a second `store verify` says {said}");
}

#[test]
fn odd_things_in_place_of_blobs_and_manifests() {
    let Some(world) = World::new(None) else {
        return;
    };
    odd_records(&world, &["blobs", "manifests"]);
}

/// Records that only save time count as absent if a foreign object stands in their place.
#[test]
fn odd_things_in_place_of_derived_records() {
    let Some(world) = World::new(None) else {
        return;
    };
    odd_records(&world, &["roots", "classes", "autoload", "metadata"]);
}

/// On file systems where files can share blocks, contents take the place of blobs.
#[test]
fn odd_things_in_place_of_contents() {
    let ground = tempfile::tempdir().expect("a directory");
    let at = ground.path().join("xfs");
    let Some(_mount) = Mount::of(FileSystem::Xfs, &at) else {
        return;
    };
    let Some(world) = World::new(Some(at)) else {
        return;
    };
    odd_records(&world, &["contents", "manifests"]);
}

/// A copy of a store that lost all times, or modes too, stays usable. Nothing is reported as
/// damage, and the store is sealed again.
#[test]
fn lost_times_are_put_back_without_a_word() {
    let Some(world) = World::new(None) else {
        return;
    };
    let scenarios = ["022", "077"]
        .into_iter()
        .map(|umask| (umask, umask == "077"))
        .map(|(umask, verifies)| {
            (
                format!("copied under umask {umask}, verify {verifies}"),
                (umask, verifies),
            )
        })
        .collect();
    each(scenarios, |what, number, (umask, verifies)| {
        world.scene.forget_store();
        let copied = std::process::Command::new("sh")
            .args([
                "-c",
                &format!("umask {umask}; exec cp -r \"$1\" \"$2\""),
                "sh",
            ])
            .args([&world.pristine, &world.store()])
            .status()
            .expect("cp starts");
        assert!(copied.success());
        if verifies {
            let (exit, said) = world.verify();
            let found: Value = serde_json::from_str(&said).expect("JSON");
            assert_eq!(exit, 1, "{what}: {said}");
            assert_eq!(found["damaged"], serde_json::json!([]), "{what}: {said}");
            let blobs = world.records("blobs").len() + world.records("contents").len();
            assert_eq!(
                found["unsealed"].as_array().map(Vec::len),
                Some(blobs),
                "{what}: {said}"
            );
            let (exit, said) = world.verify();
            assert_eq!(exit, 0, "{what}: a second `store verify` says {said}");
        }
        let run = world.heals(what, engine(number));
        assert_eq!(run.ours().len(), 1, "{what}: {}", run.stderr);
        let packages = world.scene.server.catalog().project().entries().count();
        assert_eq!(Scene::origins(&run), (packages, 0, 0), "{}", run.stderr);
        let quarantined = files_below(&world.store().join("quarantine"));
        assert!(quarantined.is_empty(), "{what}: {quarantined:?}");
    });
}

/// If links change the time of files in a project, the store gets new inodes, and these files stay
/// as they are.
#[test]
fn touched_links_are_no_damage() {
    let Some(world) = World::new(None) else {
        return;
    };
    for engine in [Engine::Helper, Engine::Extension] {
        world.reset();
        let _ = world.installs("linked", engine, &HARDLINK);
        let other = world.scene.dir().join("other");
        let _ = fs::remove_dir_all(&other);
        fs::rename(world.scene.project(), &other).expect("another project");
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_234_567_890);
        for path in files_below(&other.join("vendor")) {
            File::open(&path)
                .and_then(|file| file.set_modified(time))
                .expect("touched");
        }
        let before = Snapshot::of(&other);
        let run = world.heals("touched", engine);
        assert!(!run.stderr.contains(ACCUSATION), "{}", run.stderr);
        assert_eq!(diff(&before, &Snapshot::of(&other)), "", "{engine:?}");
    }
}

/// Edits of ten files of several packages through their links give one line with three names. All
/// ten blobs go to quarantine.
#[test]
fn real_damage_is_one_line_with_three_names() {
    let Some(world) = World::new(None) else {
        return;
    };
    for engine in [Engine::Helper, Engine::Extension] {
        world.reset();
        let _ = world.installs("linked", engine, &HARDLINK);
        let other = world.scene.dir().join("other");
        let _ = fs::remove_dir_all(&other);
        fs::rename(world.scene.project(), &other).expect("another project");
        let files: Vec<PathBuf> = files_below(&other.join("vendor"))
            .into_iter()
            .filter(|path| {
                let facts = fs::metadata(path).expect("a file");
                facts.nlink() > 1 && facts.len() > 0
            })
            .collect();
        let step = files.len() / 10;
        assert!(step > 0, "{} linked files", files.len());
        let mut bytes = 0;
        let mut names = Vec::new();
        for path in files.iter().step_by(step).take(10) {
            let mut text = fs::read(path).expect("a file");
            text.extend_from_slice(b"\n// edited in place\n");
            bytes += text.len() as u64;
            fs::write(path, text).expect("edited");
            let below = path
                .strip_prefix(other.join("vendor"))
                .expect("below vendor");
            let mut parts = below.components();
            let package: PathBuf = parts.by_ref().take(2).collect();
            names.push((package, parts.as_path().display().to_string()));
        }
        let packages: BTreeSet<&PathBuf> = names.iter().map(|(package, _)| package).collect();
        assert!(packages.len() > 2, "{packages:?}");

        let run = world.heals("edited", engine);
        let lines: Vec<&str> = run
            .stderr
            .lines()
            .filter(|line| line.contains(ACCUSATION))
            .collect();
        assert_eq!(lines.len(), 1, "{}", run.stderr);
        let named = names
            .iter()
            .filter(|(package, file)| {
                lines[0].contains(&format!("{file} of {}", package.display()))
            })
            .count();
        assert_eq!(named, 3, "{}", lines[0]);
        assert!(lines[0].contains("and 7 more"), "{}", lines[0]);

        let status = store_command(&world.scene, &["status"])
            .output()
            .expect("allegro starts");
        let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
        assert_eq!(status["quarantined"], 10, "{status}");
        assert_eq!(status["quarantined_bytes"], bytes, "{status}");
    }
}

/// Runs `allegro store prune` and returns its answer.
#[track_caller]
fn prune(scene: &Scene, args: &[&str]) -> Value {
    let words: Vec<&str> = ["prune"].iter().chain(args).copied().collect();
    let output = store_command(scene, &words)
        .output()
        .expect("allegro starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Pruning removes what no project's record names and nothing links, and nothing else.
#[test]
fn pruning_keeps_what_a_project_has() {
    let Some(world) = World::new(None) else {
        return;
    };
    let scene = &world.scene;
    scene.unwatched("links of a second project would keep the blobs");
    scene.forget_store();
    let project = scene.server.catalog().project();
    let requires_others = |name: &str| {
        project
            .entries()
            .filter(|entry| entry.str_at("name") == Some(name))
            .any(|entry| {
                entry
                    .entries_at("require")
                    .iter()
                    .any(|(wanted, _)| wanted.contains('/'))
            })
    };
    let lone = project
        .entries()
        .filter_map(|entry| entry.str_at("name").map(str::to_owned))
        .find(|name| !requires_others(name))
        .expect("a package that requires no other");
    let (one, other) = (scene.dir().join("one"), scene.dir().join("other"));
    let install = |dir: &Path, args: &[&str]| {
        scene
            .call(Side::Allegro, args)
            .env("ALLEGRO_LINK_STRATEGY", "hardlink")
            .dir(dir)
            .run()
            .expect(0)
    };
    scene.overwrite_state(scene.server.catalog().project(), &one);
    let _ = install(&one, &["install"]);
    // The other project has only one of the packages.
    fs::create_dir_all(&other).expect("a directory");
    let mut manifest =
        allegro_registry::read_json(&one.join("composer.json")).expect("the manifest");
    let mut require = Json::object();
    require.set(&lone, Json::str("*"));
    manifest.set("require", require);
    manifest.set("require-dev", Json::object());
    fs::write(other.join("composer.json"), manifest.to_file_text()).expect("the manifest");
    let _ = install(&other, &["update"]);
    let kept = Snapshot::of(&other.join("vendor"));

    let everything = Snapshot::of(&scene.store()).files();
    let dry = prune(scene, &["--dry-run"]);
    assert_eq!(
        (&dry["manifests"], &dry["blobs"]),
        (&0.into(), &0.into()),
        "{dry}"
    );

    // After the removal of a project, its packages may go, because nothing links their files any
    // more.
    fs::remove_dir_all(&one).expect("the project is removed");
    let dry = prune(scene, &["--dry-run"]);
    assert!(dry["manifests"].as_u64() > Some(0), "{dry}");
    assert!(dry["blobs"].as_u64() > Some(0), "{dry}");
    assert_eq!(dry["roots"], 1, "{dry}");
    assert_eq!(
        Snapshot::of(&scene.store()).files(),
        everything,
        "a dry run removes nothing"
    );
    let wet = prune(scene, &[]);
    assert_eq!(wet, dry, "a dry run says what a real one does");
    let manifests = scene.bucket("manifests").expect("manifests");
    let left = fs::read_dir(other.join("vendor"))
        .expect("vendor")
        .flatten()
        .flat_map(|vendor| fs::read_dir(vendor.path()).into_iter().flatten().flatten())
        .filter(|package| package.path().join("composer.json").is_file())
        .count();
    assert_eq!(files_below(&manifests).len(), left);
    let again = prune(scene, &[]);
    assert_eq!(
        (&again["manifests"], &again["blobs"], &again["roots"]),
        (&0.into(), &0.into(), &0.into()),
        "{again}"
    );
    let (exit, said) = world.verify();
    assert_eq!(exit, 0, "{said}");

    // The rest of the store is complete: it installs without cache and network.
    scene.forget_cache(Side::Allegro);
    fs::remove_dir_all(other.join("vendor")).expect("removed");
    let run = scene
        .call(Side::Allegro, &["install"])
        .env("COMPOSER_DISABLE_NETWORK", "1")
        .dir(&other)
        .run()
        .expect(0);
    assert_eq!(Scene::origins(&run), (left, 0, 0), "{}", run.stderr);
    assert_eq!(diff(&kept, &Snapshot::of(&other.join("vendor"))), "");

    // A file that another directory still links stays, though no record names it.
    let blob = files_below(&scene.bucket("blobs").expect("blobs"))
        .into_iter()
        .find(|path| fs::metadata(path).expect("a blob").nlink() > 1)
        .expect("a linked blob");
    fs::hard_link(&blob, scene.dir().join("somewhere")).expect("linked");
    fs::remove_dir_all(&other).expect("removed");
    let _ = prune(scene, &[]);
    assert_eq!(
        files_below(&scene.bucket("blobs").expect("blobs")),
        [blob],
        "only what is linked is left"
    );
}

/// Takes the lock of the scene's store, which this process holds until the value is dropped.
#[track_caller]
fn hold(world: &World, operation: FlockOperation) -> File {
    let lock = File::options()
        .read(true)
        .write(true)
        .open(world.store().join("lock"))
        .expect("the lock file");
    flock(&lock, operation).expect("locked");
    lock
}

/// If nobody gives back the lock of the store, Allegro says so, and Composer installs.
#[test]
fn a_store_that_stays_locked_is_done_without() {
    let Some(world) = World::new(None) else {
        return;
    };
    let _lock = hold(&world, FlockOperation::LockExclusive);
    std::thread::scope(|scope| {
        // Both engines wait at the same time, because waiting costs nothing.
        for (engine, dir) in [(Engine::Helper, "one"), (Engine::Extension, "two")] {
            let world = &world;
            scope.spawn(move || {
                let project = world.scene.dir().join(dir);
                let state = world.scene.server.catalog().project();
                world.scene.overwrite_state(state, &project);
                let run = world
                    .scene
                    .call(Side::Allegro, &["install"])
                    .engine(engine)
                    .dir(&project)
                    .timeout(HANGS)
                    .run()
                    .expect(0);
                assert!(
                    run.stderr.contains("has locked the store"),
                    "{engine:?}: {}",
                    run.stderr
                );
                assert!(
                    run.took < Duration::from_secs(35),
                    "{engine:?}: {:?}",
                    run.took
                );
                assert_eq!(Scene::origins(&run), (0, 0, 0), "{}", run.stderr);
                let plain = world.plain.tree.below("vendor");
                let ours = Snapshot::of(&project).below("vendor");
                let of_composer = |tree: &Snapshot| {
                    tree.without("vendor/composer")
                        .without("vendor/autoload.php")
                };
                assert_eq!(diff(&of_composer(&plain), &of_composer(&ours)), "");
            });
        }
    });
}

/// Allegro waits for a lock that is held for some seconds.
#[test]
fn a_store_that_is_locked_for_a_while_is_waited_for() {
    let Some(world) = World::new(None) else {
        return;
    };
    for engine in [Engine::Helper, Engine::Extension] {
        let lock = hold(&world, FlockOperation::LockExclusive);
        let freed = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(4));
            drop(lock);
        });
        world.scene.write_project();
        let run = world
            .scene
            .call(Side::Allegro, &["install"])
            .engine(engine)
            .timeout(HANGS)
            .run()
            .expect(0);
        freed.join().expect("given back");
        let packages = world.scene.server.catalog().project().entries().count();
        assert_eq!(Scene::origins(&run), (packages, 0, 0), "{}", run.stderr);
        assert!(run.took < Duration::from_secs(15), "{:?}", run.took);
        assert!(
            run.stderr.contains("has locked the store"),
            "{}",
            run.stderr
        );
    }
}

/// A shared lock, as other installs hold it, stops no install.
#[test]
fn those_who_only_read_do_not_matter() {
    let Some(world) = World::new(None) else {
        return;
    };
    let _lock = hold(&world, FlockOperation::LockShared);
    for engine in [Engine::Helper, Engine::Extension] {
        let run = world.heals("a shared lock is held", engine);
        assert!(!run.stderr.contains("locked"), "{}", run.stderr);
    }
    let output = store_command(&world.scene, &["prune"])
        .output()
        .expect("allegro starts");
    assert!(!output.status.success(), "pruning needs the lock alone");
}

/// The lock file follows the mode of the store's directory. Users who may not use the store can't
/// lock it either.
#[test]
fn the_lock_files_mode_follows_the_stores() {
    let Some(world) = World::new(None) else {
        return;
    };
    for (of_store, of_lock) in [
        (0o700, 0o600),
        (0o755, 0o644),
        (0o770, 0o660),
        (0o775, 0o664),
    ] {
        world.scene.forget_store();
        fs::create_dir(world.store()).expect("the store's directory");
        fs::set_permissions(world.store(), fs::Permissions::from_mode(of_store)).expect("chmod");
        let _ = world.scene.fresh(Side::Allegro, &["install"]).run.expect(0);
        let mode = fs::metadata(world.store().join("lock"))
            .expect("the lock")
            .mode()
            & 0o7777;
        assert_eq!(mode, of_lock, "{mode:o} in a store of {of_store:o}");
    }
}

/// A damage that a round makes.
#[derive(Debug)]
struct Damage {
    what: String,
    /// Paths that `store verify` must name.
    named: Vec<PathBuf>,
}

/// Damages the store in some places. With `hides`, some damages can be found only by reading each
/// blob.
fn damage(world: &World, random: &mut Rng, hides: bool) -> Vec<Damage> {
    let mut damages = Vec::new();
    let mut touched = BTreeSet::new();
    for _ in 0..random.range(1, 6) {
        let blobs = world.records("blobs");
        let kind = *random.pick(&["manifests", "roots", "classes", "autoload", "metadata"]);
        let records = world.records(kind);
        if blobs.len() < 2 || records.is_empty() {
            continue;
        }
        let blob = random.pick(&blobs).clone();
        let record = random.pick(&records).clone();
        let outside = world.outside();
        let size = fs::metadata(&blob).expect("a blob").len();
        let case = random.below(15);
        let path = if case < 9 { &blob } else { &record };
        if !touched.insert(path.clone()) {
            continue;
        }
        let is_linked = fs::metadata(path).expect("a file").nlink() > 1;
        let mut named = vec![path.clone()];
        let what = match case {
            0 => {
                let length = size * random.below(100) as u64 / 100;
                if size == 0 {
                    continue;
                }
                open(&blob).set_len(length).expect("cut");
                format!("cut to {length} bytes")
            }
            1 => {
                flip(&blob, random);
                "another byte".to_owned()
            }
            2 if hides => {
                let time = fs::metadata(&blob).and_then(|facts| facts.modified());
                flip(&blob, random);
                open(&blob)
                    .set_modified(time.expect("a time"))
                    .expect("a time");
                "another byte, time put back".to_owned()
            }
            3 => {
                let mode = *random.pick(&[0o600, 0o444, 0o777, 0o200]);
                fs::set_permissions(&blob, fs::Permissions::from_mode(mode)).expect("chmod");
                format!("mode {mode:o}")
            }
            4 => {
                if std::os::unix::fs::chown(&blob, Some(1_234), Some(1_234)).is_err() {
                    continue;
                }
                "given away".to_owned()
            }
            5 => {
                open(&blob).set_modified(SystemTime::now()).expect("a time");
                "touched".to_owned()
            }
            6 => {
                fs::remove_file(&blob).expect("removed");
                named.clear();
                "removed".to_owned()
            }
            7 => {
                let odd = *random.pick(&Odd::ALL[..7]);
                odd.put(&blob, &outside);
                format!("{odd:?}")
            }
            8 => {
                let other = random.pick(&blobs).clone();
                let length = |path: &Path| fs::metadata(path).map_or(0, |facts| facts.len());
                if length(&other) == size && !hides || !touched.insert(other.clone()) {
                    continue;
                }
                swap(&blob, &other);
                named.push(other);
                "another blob in its place".to_owned()
            }
            9 | 10 => {
                let bytes = fs::read(&record).expect("a record");
                let length = bytes.len() * random.below(100) / 100;
                fs::write(&record, &bytes[..length]).expect("torn");
                format!("torn at {length} of {} bytes", bytes.len())
            }
            11 => {
                flip(&record, random);
                "another byte".to_owned()
            }
            12 => {
                let other = random.pick(&records).clone();
                if !touched.insert(other.clone()) {
                    continue;
                }
                swap(&record, &other);
                named.push(other);
                "another record in its place".to_owned()
            }
            13 => {
                fs::remove_file(&record).expect("removed");
                named.clear();
                "removed".to_owned()
            }
            14 => {
                let odd = *random.pick(&Odd::ALL[..7]);
                odd.put(&record, &outside);
                format!("{odd:?}")
            }
            _ => continue,
        };
        let linked = if is_linked { ", linked" } else { "" };
        damages.push(Damage {
            what: format!("{}: {what}{linked}", path.display()),
            named,
        });
    }
    // Some rounds also damage a part that the whole store has once.
    let fixed = ["layout", "lock", "reflink", "tmp", "quarantine", "told-v1"];
    if random.percent(20) {
        let (odd, name) = (*random.pick(&Odd::ALL), *random.pick(&fixed));
        odd.put(&world.store().join(name), &world.outside());
        damages.push(Damage {
            what: format!("{odd:?} in place of {name}"),
            named: Vec::new(),
        });
    }
    damages
}

fn open(path: &Path) -> File {
    File::options().write(true).open(path).expect("a file")
}

/// Changes one byte of a file.
fn flip(path: &Path, random: &mut Rng) {
    let mut bytes = fs::read(path).expect("a file");
    if bytes.is_empty() {
        bytes.push(b'x');
    } else {
        let at = random.below(bytes.len());
        bytes[at] ^= 1 << random.below(8);
    }
    fs::write(path, bytes).expect("changed");
}

fn swap(one: &Path, other: &Path) {
    let between = one.with_extension("between");
    fs::rename(one, &between).expect("moved");
    fs::rename(other, one).expect("moved");
    fs::rename(&between, other).expect("moved");
}

/// A randomly damaged store never gives a wrong file with exit code 0 and never hangs a run. One
/// more run heals it.
#[test]
fn random_damages() {
    let Some(world) = World::new(None) else {
        return;
    };
    let first = number("ALLEGRO_TEST_SEED").unwrap_or(5_000);
    let scenarios = (first..first + rounds(6))
        .map(|seed| {
            (
                format!("ALLEGRO_TEST_SEED={seed} ALLEGRO_TEST_DAMAGE_ROUNDS=1"),
                seed,
            )
        })
        .collect();
    each(scenarios, |what, _, seed| {
        let mut random = Rng::new(seed);
        world.reset();
        let engine = engine(random.below(2));
        let strategy = *random.pick(&["hardlink", "auto", "copy"]);
        let verifies_always = random.percent(40);
        let mut envs = vec![("ALLEGRO_LINK_STRATEGY", strategy)];
        if verifies_always {
            envs.push(("ALLEGRO_VERIFY", "always"));
        }
        let other = world.scene.dir().join("other");
        let _ = fs::remove_dir_all(&other);
        if random.percent(50) {
            // Files of another project are the store's own, as far as they are linked.
            let _ = world.installs(what, engine, &envs);
            fs::rename(world.scene.project(), &other).expect("another project");
        }
        let damages = damage(&world, &mut random, verifies_always);
        let what = format!(
            "{what}: {strategy}, {engine:?}, ALLEGRO_VERIFY {verifies_always}\n{}",
            damages
                .iter()
                .map(|damage| format!("  {}", damage.what))
                .collect::<Vec<_>>()
                .join("\n")
        );
        println!("{what}");
        let before = Snapshot::of(&other);
        if random.percent(30) {
            let _ = fs::remove_dir_all(world.scene.cache(Side::Allegro).join("files"));
        }
        if seed % 2 == 0 {
            let (exit, said) = world.verify();
            let missed: Vec<&PathBuf> = damages
                .iter()
                .flat_map(|damage| &damage.named)
                .filter(|path| !said.contains(&path.display().to_string()))
                .collect();
            assert!(
                missed.is_empty(),
                "{what}`store verify` doesn't name {missed:?}: {said}"
            );
            let is_named = damages.iter().any(|damage| !damage.named.is_empty());
            assert!(exit == 1 || !is_named, "{what}: exit code {exit}: {said}");
        }
        world.heals_with(&what, engine, &envs);
        assert_eq!(
            diff(&before, &Snapshot::of(&other)),
            "",
            "{what}: the other project"
        );
    });
}
