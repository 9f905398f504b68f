//! Provides scenes: a registry, a project and two sides.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use allegro_registry::{Catalog, Json, Profile, Project, ProjectOptions, Server, ServerOptions};
use tempfile::TempDir;

use super::home::{self, Homes};
use super::run::{Call, Engine, Run};
use super::snapshot::{Snapshot, diff};
use super::watched::Watch;

/// A side, which installs the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Composer as it is.
    Plain,
    /// Composer as it is, but with one extraction at a time, for a fixed order.
    Serial,
    /// Composer with Allegro.
    Allegro,
    /// The native command line, without any plugin in `COMPOSER_HOME`.
    Native,
}

impl Side {
    /// Returns whether Allegro works on this side.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Allegro | Self::Native)
    }
}

/// Options of a scene.
#[derive(Debug, Default)]
pub struct SceneOptions {
    /// Options of the server.
    pub server: ServerOptions,
    /// Options of projects. The autoloader's suffix is set in any case.
    pub project: ProjectOptions,
    /// Whether the project itself requires `allegro/plugin`, as a zip of the registry. Then both
    /// sides have it in vendor, and the plain side switches it off with `ALLEGRO_DISABLE`. Neither
    /// has it globally.
    pub required: bool,
    /// Whether the extension runs the native part unless a call says otherwise.
    pub extension: bool,
    /// The directory below which the scene is made, in place of `ALLEGRO_TEST_DIR`.
    pub base: Option<PathBuf>,
}

/// A scene; see the module [`super`].
#[derive(Debug)]
pub struct Scene {
    /// The registry.
    pub server: Server,
    /// The watch is dropped before the directory, because its end looks at files there.
    watch: Watch,
    dir: TempDir,
    homes: &'static Homes,
    options: SceneOptions,
    calls: AtomicUsize,
}

/// The result of one side.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Exit code and output of Composer.
    pub run: Run,
    /// The whole project directory afterwards.
    pub tree: Snapshot,
}

impl Scene {
    /// Makes a scene of the small generated project, with default options.
    pub fn small() -> Option<Self> {
        Self::of(Catalog::generated(&Profile::Small.spec()))
    }

    /// Makes a scene of this catalog and its project.
    pub fn of(catalog: Catalog) -> Option<Self> {
        Self::with(catalog, SceneOptions::default())
    }

    /// Makes a scene with options. Returns `None` if this machine lacks something, and prints the
    /// reason.
    pub fn with(mut catalog: Catalog, mut options: SceneOptions) -> Option<Self> {
        Snapshot::begin();
        let homes = home::homes()?;
        let base = options
            .base
            .clone()
            .or_else(|| std::env::var_os("ALLEGRO_TEST_DIR").map(PathBuf::from))
            .unwrap_or_else(std::env::temp_dir);
        let mut dir = tempfile::Builder::new()
            .prefix("allegro-e2e-")
            .tempdir_in(base)
            .expect("a directory for the scene");
        dir.disable_cleanup(std::env::var_os("ALLEGRO_TEST_KEEP").is_some());
        options
            .project
            .extra_config
            .push(("autoloader-suffix".to_owned(), Json::str("E2e")));
        if options.required {
            let manifest = allegro_registry::read_json(&home::package_dir().join("composer.json"))
                .expect("the package's composer.json");
            let entry = catalog
                .add_tree(manifest, &home::package_dir(), &[])
                .expect("the package as a dist");
            options.project.extra_packages.push(entry);
            options
                .project
                .extra_requires
                .push(("allegro/plugin".to_owned(), "*".to_owned()));
            options
                .project
                .extra_allow_plugins
                .push(("allegro/plugin".to_owned(), true));
        }
        let server =
            Server::start(Arc::new(catalog), options.server.clone()).expect("the registry starts");
        Some(Self {
            server,
            watch: Watch::new(dir.path()),
            dir,
            homes,
            options,
            calls: AtomicUsize::new(0),
        })
    }

    /// Returns the scene's directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Returns the project's directory, which is the same for both sides.
    pub fn project(&self) -> PathBuf {
        self.dir().join("project")
    }

    /// Returns the directory of Allegro's store.
    pub fn store(&self) -> PathBuf {
        self.dir().join("store")
    }

    /// Returns Composer's cache directory of a side.
    pub fn cache(&self, side: Side) -> PathBuf {
        self.dir().join(if side.is_ours() {
            "cache-allegro"
        } else {
            "cache-plain"
        })
    }

    /// Returns `COMPOSER_HOME` of a side. Scenes share it unless [`Scene::own_home`] was called.
    pub fn home(&self, side: Side) -> PathBuf {
        let own = self.dir().join("home");
        match side {
            Side::Allegro if own.exists() => own,
            Side::Allegro if home::tests_command_line() => self.homes.plain.clone(),
            Side::Allegro if !self.options.required => self.homes.allegro.clone(),
            Side::Serial | Side::Allegro => self.homes.serial.clone(),
            Side::Plain | Side::Native => self.homes.plain.clone(),
        }
    }

    /// Gives this scene a `COMPOSER_HOME` with Allegro of its own, which a test may change.
    pub fn own_home(&self) -> PathBuf {
        let own = self.dir().join("home");
        if !own.exists() {
            copy_tree(&self.homes.allegro, &own);
        }
        own
    }

    pub(super) fn engine(&self) -> Engine {
        // Long rounds play everything with the extension as well.
        let named = std::env::var("ALLEGRO_TEST_ENGINE").is_ok_and(|name| name == "extension");
        if self.options.extension || named {
            Engine::Extension
        } else {
            Engine::Helper
        }
    }

    pub(super) fn disables(&self, side: Side) -> bool {
        self.options.required && !side.is_ours()
    }

    pub(super) fn options(&self) -> &SceneOptions {
        &self.options
    }

    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Ends the watch over the second project on the store. `why` explains that to the reader of
    /// the test.
    pub fn unwatched(&self, why: &'static str) {
        let _ = why;
        self.watch.stop();
    }

    /// Returns a new path in the scene for any use.
    pub fn scratch(&self) -> PathBuf {
        self.dir().join(format!(
            "scratch-{}",
            self.calls.fetch_add(1, Ordering::Relaxed)
        ))
    }

    /// Removes the project directory and writes it anew.
    pub fn write_project(&self) {
        self.write_state(self.server.catalog().project());
    }

    /// Removes the project directory and writes another state of the project.
    pub fn write_state(&self, state: &Project) {
        let _ = fs::remove_dir_all(self.project());
        self.overwrite_state(state, &self.project());
    }

    /// Writes manifest and lock of a state into a directory, and leaves everything else there.
    pub fn overwrite_state(&self, state: &Project, dir: &Path) {
        let catalog = self.server.catalog();
        fs::create_dir_all(dir).expect("the project's directory");
        catalog
            .write_project_state(state, dir, self.server.base_url(), &self.options.project)
            .expect("the project is written");
        // Only the test registry may be notified of these installations.
        let lock = dir.join("composer.lock");
        let text = fs::read_to_string(&lock).expect("the lock");
        let local = format!("{}/downloads/", self.server.base_url());
        fs::write(
            &lock,
            text.replace("https://packagist.org/downloads/", &local),
        )
        .expect("the lock");
    }

    /// Edits the project's manifest and corrects the lock's hash.
    pub fn edit_manifest(&self, edit: impl FnOnce(&mut Json)) {
        let path = self.project().join("composer.json");
        let mut manifest = allegro_registry::read_json(&path).expect("the manifest");
        edit(&mut manifest);
        fs::write(&path, manifest.to_file_text()).expect("the manifest");
        let path = self.project().join("composer.lock");
        if path.exists() {
            let mut lock = allegro_registry::read_json(&path).expect("the lock");
            lock.set(
                "content-hash",
                Json::str(allegro_registry::content_hash(&manifest)),
            );
            fs::write(&path, lock.to_file_text()).expect("the lock");
        }
    }

    /// Returns a call of Composer, to be completed and run.
    pub fn call(&self, side: Side, args: &[&str]) -> Call<'_> {
        Call::new(self, side, args)
    }

    /// Runs a call of Composer without further settings.
    #[track_caller]
    pub fn run(&self, side: Side, args: &[&str]) -> Run {
        self.call(side, args).run()
    }

    /// Takes a snapshot of the project.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.project())
    }

    /// Takes a snapshot of Allegro's store. It leaves out the records of autoloaders and metadata,
    /// which change with the projects.
    pub fn store_snapshot(&self) -> Snapshot {
        ["autoload", "classes", "metadata"]
            .iter()
            .filter_map(|kind| self.bucket(kind))
            .filter_map(|path| path.file_name()?.to_str().map(str::to_owned))
            .fold(Snapshot::of(&self.store()), |tree, name| {
                tree.without(&name)
            })
    }

    /// Returns the directory of the store that has records of a kind (`blobs`, `manifests` …), of
    /// any version.
    pub fn bucket(&self, kind: &str) -> Option<PathBuf> {
        let start = format!("{kind}-v");
        fs::read_dir(self.store())
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&start))
            .map(|entry| entry.path())
            .max()
    }

    /// Writes the project anew, calls Composer, and takes a snapshot.
    #[track_caller]
    pub fn fresh(&self, side: Side, args: &[&str]) -> Outcome {
        self.write_project();
        self.outcome(&self.call(side, args))
    }

    /// Runs a call in the project as it is, and takes a snapshot.
    #[track_caller]
    pub fn outcome(&self, call: &Call<'_>) -> Outcome {
        let run = call.run();
        Outcome {
            run,
            tree: self.snapshot(),
        }
    }

    /// Empties a side's archive cache.
    pub fn forget_cache(&self, side: Side) {
        let _ = fs::remove_dir_all(self.cache(side));
    }

    /// Empties the store.
    pub fn forget_store(&self) {
        let _ = fs::remove_dir_all(self.store());
    }

    /// Empties the caches and the store.
    pub fn forget_all(&self) {
        self.forget_cache(Side::Plain);
        self.forget_cache(Side::Allegro);
        self.forget_store();
    }

    /// Returns the name of any package of the project.
    pub fn some_package(&self) -> String {
        self.server
            .catalog()
            .project()
            .entries()
            .find_map(|entry| entry.str_at("name"))
            .expect("a package")
            .to_owned()
    }

    /// Returns the numbers of packages that Allegro took from the store, from Composer's cache, and
    /// from the network.
    pub fn origins(run: &Run) -> (usize, usize, usize) {
        let count = |line: &str, word: &str| {
            line.split(", ")
                .find_map(|part| {
                    part.split_once(word).map(|(number, _)| {
                        number
                            .rsplit(' ')
                            .next()
                            .unwrap_or(number)
                            .trim()
                            .parse()
                            .unwrap_or(0)
                    })
                })
                .unwrap_or(0)
        };
        run.ours()
            .iter()
            .find(|line| line.contains(" package"))
            .map_or((0, 0, 0), |line| {
                (
                    count(line, " from the store"),
                    count(line, " from Composer's cache"),
                    count(line, " downloaded"),
                )
            })
    }
}

/// Panics unless both outcomes are the same: exit code, every path, and Composer's lines.
#[track_caller]
pub fn same(what: &str, plain: &Outcome, ours: &Outcome) {
    same_tree(what, plain, ours);
    let (left, right) = (plain.run.lines(), ours.run.lines());
    assert!(
        left == right,
        "{what}: Composer says\n{}\nand with Allegro\n{}",
        left.join("\n"),
        right.join("\n")
    );
    assert_eq!(plain.run.stdout, ours.run.stdout, "{what}: standard output");
}

/// Panics unless both outcomes have the same exit code and tree.
#[track_caller]
pub fn same_tree(what: &str, plain: &Outcome, ours: &Outcome) {
    assert_eq!(
        plain.run.exit, ours.run.exit,
        "{what}: exit codes; Composer says\n{}\nand with Allegro\n{}",
        plain.run.stderr, ours.run.stderr
    );
    let differences = diff(&plain.tree, &ours.tree);
    assert!(
        differences.is_empty(),
        "{what}: Composer | with Allegro\n{differences}\n{}",
        ours.run.stderr
    );
}

/// Copies a directory with modes and links.
pub fn copy_tree(from: &Path, to: &Path) {
    let status = std::process::Command::new("cp")
        .arg("-a")
        .arg(from)
        .arg(to)
        .status()
        .expect("cp starts");
    assert!(
        status.success(),
        "copying {} to {}",
        from.display(),
        to.display()
    );
}

/// Plays the same steps with Composer (one extraction at a time), with Allegro cold, and with
/// Allegro warm. Every outcome must be the same. `steps` starts with a project written anew and
/// must not look at the store.
#[track_caller]
pub fn compare(
    scene: &Scene,
    what: &str,
    steps: impl Fn(&Scene, Side) -> Vec<(String, Outcome)>,
) -> Vec<(String, Outcome)> {
    scene.forget_all();
    let plain = steps(scene, Side::Serial);
    for round in ["cold", "warm"] {
        let ours = steps(scene, Side::Allegro);
        assert_eq!(plain.len(), ours.len());
        for ((step, plain), (_, ours)) in plain.iter().zip(&ours) {
            let what = format!("{what}, {step}, {round}");
            if round == "cold" {
                same(&what, plain, ours)
            } else {
                same_tree(&what, plain, ours)
            }
        }
    }
    plain
}
