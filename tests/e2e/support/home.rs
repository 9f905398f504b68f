//! Finds the programs of this machine, and makes the `COMPOSER_HOME` directories that scenes share.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::skipped;

/// Returns the top directory of the source tree.
pub fn repository_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the directory into which `scripts/package build/package` writes the package.
/// `ALLEGRO_TEST_PACKAGE` sets another one.
pub fn package_dir() -> PathBuf {
    std::env::var_os("ALLEGRO_TEST_PACKAGE")
        .map_or_else(|| repository_root().join("build/package"), PathBuf::from)
}

/// Returns whether the native command line runs in the place of Composer with the plugin. Long
/// rounds play everything so, too.
pub fn tests_command_line() -> bool {
    std::env::var_os("ALLEGRO_TEST_COMMAND_LINE").is_some()
}

/// Returns the command line that was built. `ALLEGRO_TEST_BINARY` sets another one.
pub fn command_line() -> PathBuf {
    std::env::var_os("ALLEGRO_TEST_BINARY").map_or_else(
        || repository_root().join("target/release/allegro"),
        PathBuf::from,
    )
}

/// Returns the words before a command that let it run in `dir` with the programs under test. Those
/// of another release lie in a root directory of their own.
pub fn in_root(dir: &Path) -> Vec<OsString> {
    let Some(root) = std::env::var_os("ALLEGRO_TEST_ROOT") else {
        return Vec::new();
    };
    let script = "cd \"$1\" || exit 125; shift; exec \"$@\"";
    let words = [
        "chroot".into(),
        root,
        "sh".into(),
        "-c".into(),
        script.into(),
        "sh".into(),
        dir.into(),
    ];
    words.into()
}

/// Returns the extension that was built for the machine's PHP. `ALLEGRO_TEST_EXTENSION` sets that
/// of `ALLEGRO_TEST_PHP`.
pub fn extension() -> Option<PathBuf> {
    let path = std::env::var_os("ALLEGRO_TEST_EXTENSION").map_or_else(
        || repository_root().join("target/release/liballegro_ext.so"),
        PathBuf::from,
    );
    if path.is_file() {
        Some(path)
    } else {
        skipped(&format!("{} is not built", path.display()))
    }
}

/// Returns a path below `../shared`, if this machine has it.
pub fn shared(below: &str) -> Option<PathBuf> {
    let path = repository_root().join("../shared").join(below);
    if path.exists() {
        path.canonicalize().ok()
    } else {
        skipped(&format!("there is no ../shared/{below}"))
    }
}

/// Returns the PHP binary.
pub fn php() -> PathBuf {
    std::env::var_os("ALLEGRO_TEST_PHP").map_or_else(|| "php".into(), PathBuf::from)
}

/// Returns Composer's file for PHP to run.
pub fn composer() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            let named =
                std::env::var_os("ALLEGRO_TEST_COMPOSER").unwrap_or_else(|| "composer".into());
            let output = Command::new("sh")
                .args(["-c", "command -v \"$1\"", "sh"])
                .arg(named)
                .output()
                .ok()?;
            let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
            path.is_file().then_some(path)
        })
        .as_deref()
}

/// Returns whether the PHP under test has a module.
pub fn has_module(name: &str) -> bool {
    let output = Command::new(php()).arg("-m").output().expect("PHP starts");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .any(|line| line.trim().eq_ignore_ascii_case(name))
}

/// Returns the major and minor version of Composer.
pub fn composer_version() -> (u32, u32) {
    static FOUND: OnceLock<(u32, u32)> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let output = Command::new(php())
            .arg(composer().expect("composer"))
            .args(["--version", "--no-ansi", "--no-plugins"])
            .env("COMPOSER_ALLOW_SUPERUSER", "1")
            .output()
            .expect("composer starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut numbers = text
            .split([' ', '.'])
            .filter_map(|word| word.parse::<u32>().ok());
        let mut next = || numbers.next().expect("a version");
        (next(), next())
    })
}

/// `COMPOSER_HOME` directories that are made once per test binary. Nothing writes into them
/// afterwards.
#[derive(Debug)]
pub struct Homes {
    /// A home without global packages.
    pub plain: PathBuf,
    /// A home with a global plugin that lets Composer have one process at a time. Only so the order
    /// in which packages are finished is the same in each run, and with it a few generated lists.
    /// See [`PROCESSES`].
    pub serial: PathBuf,
    /// A home with `allegro/plugin` and the same plugin installed globally, because Allegro asks
    /// how many processes Composer has.
    pub allegro: PathBuf,
}

/// Returns the shared homes, or prints why there are none.
///
/// # Panics
/// Panics if the homes can't be made although everything for them exists. In CI it also panics if
/// something is missing, because nearly every test would do nothing and pass.
#[track_caller]
pub fn homes() -> Option<&'static Homes> {
    static HOMES: OnceLock<Result<Homes, String>> = OnceLock::new();
    if let Some(why) = missing() {
        assert!(std::env::var_os("CI").is_none(), "{why}");
        return skipped(&why);
    }
    match HOMES.get_or_init(make) {
        Ok(homes) => Some(homes),
        Err(why) => panic!("{why}"),
    }
}

fn missing() -> Option<String> {
    if composer().is_none() {
        return Some("there is no composer".to_owned());
    }
    let package = package_dir();
    (!package.join("composer.json").is_file())
        .then(|| format!("{} is missing, `make package` makes it", package.display()))
}

fn make() -> Result<Homes, String> {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
    sweep(base);
    let base = base.join(format!("homes-{}", std::process::id()));
    let _ = fs::remove_dir_all(&base);
    let homes = Homes {
        plain: base.join("plain"),
        serial: base.join("serial"),
        allegro: base.join("allegro"),
    };
    let write = |path: &Path, text: &str| {
        fs::create_dir_all(path.parent().unwrap_or(path))
            .and_then(|()| fs::write(path, text))
            .map_err(|error| error.to_string())
    };
    // Without openssl Composer refuses to start, unless its configuration turns off TLS.
    let config = if has_module("openssl") {
        "{}\n"
    } else {
        "{\"config\": {\"disable-tls\": true}}\n"
    };
    for home in [&homes.plain, &homes.serial, &homes.allegro] {
        write(&home.join("config.json"), config)?;
    }

    let serial = base.join("serial-plugin");
    write(&serial.join("composer.json"), SERIAL_MANIFEST)?;
    write(&serial.join("Plugin.php"), SERIAL_PLUGIN)?;
    write(&serial.join("Rounds.php"), ROUNDS)?;
    let serial = ("e2e/serial", serial.as_path());
    install_globally(&homes.serial, &[serial])?;
    install_globally(
        &homes.allegro,
        &[serial, ("allegro/plugin", &package_dir())],
    )?;
    Ok(homes)
}

/// Removes homes of test processes that have ended.
fn sweep(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix("homes-"));
        if let Some(owner) = owner
            && !Path::new("/proc").join(owner).exists()
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn install_globally(home: &Path, packages: &[(&str, &Path)]) -> Result<(), String> {
    let mut manifest = serde_json::json!({ "minimum-stability": "dev", "repositories": [] });
    let repositories = manifest["repositories"].as_array_mut().expect("a list");
    for (_, package) in packages {
        repositories.push(serde_json::json!({
            "type": "path", "url": package, "options": { "symlink": false },
        }));
    }
    repositories.push(serde_json::json!({ "packagist.org": false }));
    for (name, _) in packages {
        manifest["require"][name] = "*".into();
        manifest["config"]["allow-plugins"][name] = true.into();
    }
    fs::create_dir_all(home).map_err(|error| error.to_string())?;
    fs::write(home.join("composer.json"), manifest.to_string())
        .map_err(|error| error.to_string())?;
    let output = Command::new(php())
        .arg(composer().unwrap_or(Path::new("composer")))
        .args(["global", "install", "--no-interaction"])
        .current_dir(home)
        .env("COMPOSER_HOME", home)
        .env("COMPOSER_CACHE_DIR", home.join("cache"))
        .env("COMPOSER_ALLOW_SUPERUSER", "1")
        .env("ALLEGRO_DISABLE", "1")
        .output()
        .map_err(|error| error.to_string())?;
    let is_there = |name: &str| {
        home.join("vendor")
            .join(name)
            .join("composer.json")
            .is_file()
    };
    if output.status.success() && packages.iter().all(|(name, _)| is_there(name)) {
        return Ok(());
    }
    Err(format!(
        "{packages:?} can't be installed globally: {}",
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// The variable that sets how many processes Composer has at a time, in homes that have the plugin.
///
/// With `many` Composer has its usual number. With `rounds` it has that number too, and all of them
/// have ended whenever Composer looks, as if each took the same time. Otherwise it has one.
pub const PROCESSES: &str = "E2E_PROCESSES";

const SERIAL_MANIFEST: &str = r#"{
    "name": "e2e/serial",
    "version": "1.0.0",
    "type": "composer-plugin",
    "require": {"composer-plugin-api": "^2.0"},
    "autoload": {"classmap": ["Plugin.php", "Rounds.php"]},
    "extra": {"class": "E2eSerial\\Plugin"}
}
"#;

const SERIAL_PLUGIN: &str = r"<?php

namespace E2eSerial;

use Composer\Composer;
use Composer\IO\IOInterface;
use Composer\Util\Loop;
use Composer\Util\ProcessExecutor;

class Plugin implements \Composer\Plugin\PluginInterface
{
    public function activate(Composer $composer, IOInterface $io)
    {
        $process = $composer->getLoop()->getProcessExecutor();
        $mode = getenv('E2E_PROCESSES');
        if ($mode === 'rounds') {
            \Closure::bind(function () use ($process) {
                $this->httpDownloader = Rounds::in($this->httpDownloader, $process);
            }, $composer->getLoop(), Loop::class)();
        } elseif ($mode !== 'many') {
            \Closure::bind(function () {
                $this->maxJobs = 1;
            }, $process, ProcessExecutor::class)();
        }
    }

    public function deactivate(Composer $composer, IOInterface $io)
    {
    }

    public function uninstall(Composer $composer, IOInterface $io)
    {
    }
}
";

/// The class is in a file of its own, because Composer evaluates the plugin's file once more each
/// time it loads the plugin again.
const ROUNDS: &str = r"<?php

namespace E2eSerial;

use Composer\Util\HttpDownloader;
use Composer\Util\ProcessExecutor;

/** The loop asks it before it looks at processes. */
class Rounds extends HttpDownloader
{
    private $inner;
    private $process;

    public static function in(HttpDownloader $inner, ProcessExecutor $process): self
    {
        $self = (new \ReflectionClass(self::class))->newInstanceWithoutConstructor();
        $self->inner = $inner;
        $self->process = $process;

        return $self;
    }

    public function countActiveJobs($index = null): int
    {
        \Closure::bind(function () {
            foreach ($this->jobs as $job) {
                while ($job['status'] === self::STATUS_STARTED && $job['process']->isRunning()) {
                    usleep(100);
                }
            }
        }, $this->process, ProcessExecutor::class)();

        return $this->inner->countActiveJobs();
    }
}
";
