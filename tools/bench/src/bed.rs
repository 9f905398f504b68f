//! Lays out everything from which a project is installed: a registry, caches, homes, and a
//! directory for each side.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cli::{Cli, Project};
use crate::command::{Seat, composer};
use crate::error::{Result, at};
use crate::job::Job;
use crate::side::Side;
use crate::{program, progress, tree};

/// A project laid out for all sides.
pub struct Bed<'a> {
    /// Directory of everything that belongs to this project.
    pub dir: PathBuf,
    /// Project that is installed.
    pub project: Project,
    /// Origin of the packages.
    pub source: String,
    /// Path of PHP.
    pub php: PathBuf,
    /// Path of Composer.
    pub composer: PathBuf,
    /// Path of the PHP extension, if its side is wanted.
    pub extension: PathBuf,
    cli: &'a Cli,
}

impl<'a> Bed<'a> {
    /// Lays out the homes. Projects are written with a registry.
    pub fn new(cli: &'a Cli, work: &Path, project: Project) -> Result<Self> {
        let dir = work.join(project.name());
        let lock = lock_of(cli, project);
        let bed = Self {
            source: match &lock {
                Some(_) => "real lock".to_owned(),
                None => "generated".to_owned(),
            },
            php: cli.php.clone(),
            composer: composer_of(cli)?,
            extension: if cli.wants_side(Side::Extension) {
                cli.extension.canonicalize().map_err(at(&cli.extension))?
            } else {
                PathBuf::new()
            },
            dir,
            project,
            cli,
        };
        for side in Side::ALL {
            let (home, user) = (bed.home(side), bed.user(side));
            fs::create_dir_all(&home).map_err(at(&home))?;
            fs::create_dir_all(&user).map_err(at(&user))?;
            // All sides have the same class names. They make no requests that have nothing to do
            // with installing, and never clean the cache, which Composer does in one run of fifty.
            let config = json!({"config": {
                "autoloader-suffix": "AllegroBench",
                "notify-on-install": false,
                "cache-files-maxsize": "16GiB",
            }});
            write_json(&home.join("config.json"), &config)?;
        }
        if cli.wants_plugin() {
            bed.install_plugin()?;
        }
        Ok(bed)
    }

    /// Returns `COMPOSER_HOME` of a side. Only that of the plugin's sides has the plugin.
    pub fn home(&self, side: Side) -> PathBuf {
        self.dir.join(if side.is_plugin() {
            "home-allegro".to_owned()
        } else {
            format!("home-{}", side.chosen_with().name())
        })
    }

    /// Returns `HOME` of a side.
    pub fn user(&self, side: Side) -> PathBuf {
        self.dir.join(if side.is_plugin() {
            "user-allegro".to_owned()
        } else {
            format!("user-{}", side.chosen_with().name())
        })
    }

    /// Returns the program of a side that may be absent.
    ///
    /// # Errors
    /// Fails with the reason if there is none.
    pub fn program(&self, side: Side) -> Result<PathBuf> {
        Ok(program::find(self.cli, side)?)
    }

    /// Returns the directories of a side. Composer and the plugin's sides share Composer's cache,
    /// and so do the sides that start from its archives. All others have a cache of their own.
    pub fn seat(&self, side: Side) -> Seat {
        let has_own_cache = side.may_be_absent() && !side.has_empty_store();
        Seat {
            side,
            job: Job::Install,
            project: self.dir.join(side.name()),
            cache: self.dir.join(if has_own_cache {
                format!("cache-{}", side.name())
            } else {
                "cache".to_owned()
            }),
            store: self.dir.join(match side {
                Side::Helper | Side::Extension => "store".to_owned(),
                _ => format!("store-{}", side.name()),
            }),
            is_fresh: false,
        }
    }

    /// Returns the vendor tree that yardsticks imitate: Composer's, or that of the first other
    /// side that has one.
    pub fn model(&self) -> Option<PathBuf> {
        Side::ALL
            .into_iter()
            .filter(|side| !side.is_yardstick() && !side.has_empty_store())
            .map(|side| self.seat(side).vendor())
            .find(|vendor| vendor.join("autoload.php").exists())
    }

    /// Returns the directories of a side for a clone of a project that requires the plugin.
    pub fn fresh_seat(&self, side: Side) -> Seat {
        Seat {
            project: self.dir.join(format!("{}-fresh", side.name())),
            is_fresh: true,
            ..self.seat(side)
        }
    }

    /// Writes a project into these seats that requires the plugin, as an archive from a repository.
    pub fn require_plugin(&self, seats: &[Seat]) -> Result<()> {
        let archives = self.dir.join("plugin");
        fs::create_dir_all(&archives).map_err(at(&archives))?;
        // The package's own manifest says which files an archive leaves out.
        let mut archive = composer(self, Side::Composer, &self.cli.package);
        archive
            .env("ALLEGRO_DISABLE", "1")
            .arg(&self.composer)
            .args(["archive", "--format=zip", "--file=plugin", "--dir"])
            .arg(&archives)
            .args(["--no-interaction", "--quiet"]);
        checked("the plugin's archive", &mut archive)?;
        let project = self.dir.join("fresh");
        tree::remove(&project)?;
        tree::copy(&self.template(0), &project)?;
        let mut manifest = read_json(&project.join("composer.json"))?;
        add_repository(&mut manifest, json!({"type": "artifact", "url": archives}));
        manifest["config"]["allow-plugins"]["allegro/plugin"] = json!(true);
        write_json(&project.join("composer.json"), &manifest)?;
        let mut require = composer(self, Side::Composer, &project);
        require
            .env("ALLEGRO_DISABLE", "1")
            .env("COMPOSER_CACHE_DIR", self.dir.join("cache"))
            .arg(&self.composer)
            .args(["require", "--dev", "allegro/plugin:*", "--no-install"])
            .args(["--no-scripts", "--no-interaction", "--no-progress"])
            .arg("--ignore-platform-reqs");
        checked("the project that requires the plugin", &mut require)?;
        for seat in seats {
            tree::remove(&seat.project)?;
            tree::copy(&project, &seat.project)?;
        }
        Ok(())
    }

    /// Returns the directories of a side, with a cache and a store of its own.
    pub fn cold_seat(&self, side: Side) -> Seat {
        Seat {
            job: Job::Install,
            cache: self.dir.join(format!("{}-cold-cache", side.name())),
            store: self.dir.join(format!("{}-cold-store", side.name())),
            project: self.dir.join(format!("{}-cold", side.name())),
            side,
            is_fresh: false,
        }
    }

    /// Returns the directory of the project as the registry wrote it.
    pub fn template(&self, latency: u32) -> PathBuf {
        self.dir.join(format!("template-{latency}"))
    }

    /// Starts a registry, and writes its project into the seats.
    pub fn serve(&self, latency: u32, seats: &[Seat]) -> Result<Registry> {
        let template = self.template(latency);
        let registry = Registry::start(self, latency, &template)?;
        for seat in seats {
            tree::remove(&seat.project)?;
            if seat.side.is_yardstick() {
                fs::create_dir_all(&seat.project).map_err(at(&seat.project))?;
            } else {
                tree::copy(&template, &seat.project)?;
            }
        }
        Ok(registry)
    }

    fn install_plugin(&self) -> Result<()> {
        let home = self.home(Side::Helper);
        let package = self
            .cli
            .package
            .canonicalize()
            .map_err(at(&self.cli.package))?;
        let manifest = json!({
            "repositories": [
                {"type": "path", "url": package, "options": {"symlink": false}},
                {"packagist.org": false},
            ],
            "require": {"allegro/plugin": "*"},
            "minimum-stability": "dev",
            "config": {"allow-plugins": {"allegro/plugin": true}},
        });
        write_json(&home.join("composer.json"), &manifest)?;
        let mut update = composer(self, Side::Helper, &home);
        update
            .env("ALLEGRO_DISABLE", "1")
            .arg(&self.composer)
            .args(["update", "--no-interaction", "--no-progress"]);
        checked("the plugin", &mut update)
    }
}

/// Runs a command that has to succeed before anything can be measured.
fn checked(what: &str, command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .map_err(at(Path::new(command.get_program())))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{what} cannot be made:\n{}",
        String::from_utf8_lossy(&output.stderr)
    )
    .into())
}

/// Reads a JSON file.
pub fn read_json(path: &Path) -> Result<Value> {
    let text = fs::read(path).map_err(at(path))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Adds a repository to a manifest, which has a list of repositories or an object with names.
fn add_repository(manifest: &mut Value, repository: Value) {
    match &mut manifest["repositories"] {
        Value::Object(named) => {
            named.insert("allegro".to_owned(), repository);
        }
        Value::Array(list) => list.push(repository),
        none => *none = json!([repository]),
    }
}

/// Writes a JSON file.
pub fn write_json(path: &Path, value: &Value) -> Result<()> {
    fs::write(path, format!("{value:#}\n")).map_err(at(path))
}

fn lock_of(cli: &Cli, project: Project) -> Option<PathBuf> {
    let lock = cli
        .shared
        .join("locks")
        .join(project.source())
        .join("composer.lock");
    lock.exists().then_some(lock)
}

fn composer_of(cli: &Cli) -> Result<PathBuf> {
    if let Some(file) = &cli.composer {
        return file.canonicalize().map_err(at(file));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|dir| dir.join("composer"))
        .find(|file| file.is_file())
        .ok_or_else(|| "composer is not in PATH; name it with --composer".into())
}

/// A running registry, which stops when dropped.
pub struct Registry {
    child: Child,
}

impl Registry {
    fn start(bed: &Bed<'_>, latency: u32, template: &Path) -> Result<Self> {
        let ready = bed.dir.join(format!("ready-{latency}.json"));
        let mut command = Command::new(&bed.cli.registry);
        command.arg("serve");
        if let Some(lock) = lock_of(bed.cli, bed.project) {
            command.arg("--lock").arg(lock);
            let shapes = bed.cli.shared.join("corpus/dists.jsonl.gz");
            if shapes.exists() {
                command.arg("--shapes").arg(shapes);
            }
        } else {
            command.args(["--profile", bed.project.source()]);
        }
        command
            .arg("--cache-dir")
            .arg(bed.dir.join("registry"))
            .arg("--project")
            .arg(template)
            .args(["--latency-ms", &latency.to_string()]);
        if latency > 0 {
            // Real registries use https.
            command
                .arg("--tls")
                .arg("--ca-file")
                .arg(bed.dir.join("ca.pem"));
        }
        progress(&format!(
            "{}: making the registry ({})",
            bed.project.name(),
            bed.source
        ));
        let registry = Self::run(command, &ready)?;
        if matches!(bed.project, Project::Koel | Project::KoelPlugins) {
            // koel's own manifest requires a class map, which is another project here.
            let manifest = template.join("composer.json");
            let text = fs::read_to_string(&manifest).map_err(at(&manifest))?;
            let text = text.replace(
                "\"optimize-autoloader\": true",
                "\"optimize-autoloader\": false",
            );
            fs::write(&manifest, text).map_err(at(&manifest))?;
        }
        Ok(registry)
    }

    /// Starts `allegro-registry serve` with these arguments, and waits for the file that says that
    /// it is ready.
    pub fn run(mut command: Command, ready: &Path) -> Result<Self> {
        let program = PathBuf::from(command.get_program());
        let _ = fs::remove_file(ready);
        command
            .arg("--ready-file")
            .arg(ready)
            .args(["--parent-pid", &std::process::id().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut registry = Self {
            child: command.spawn().map_err(at(&program))?,
        };
        let deadline = Instant::now() + Duration::from_mins(3);
        while !ready.exists() {
            if let Some(status) = registry.child.try_wait().map_err(at(&program))? {
                return Err(format!("{} ended: {status}", program.display()).into());
            }
            if Instant::now() > deadline {
                return Err("the registry did not get ready in time".into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(registry)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
