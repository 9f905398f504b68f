//! What the tests share.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use allegro_registry::{Catalog, Profile, ProjectOptions, Server, ServerOptions};

/// Ends a test, saying that and why it did not run.
macro_rules! skip {
    ($($reason:tt)*) => {{
        crate::support::skipped(module_path!(), &format!($($reason)*));
        return;
    }};
}
pub(crate) use skip;

/// Writes to standard error itself: what `eprintln!` prints is kept back when a test passes.
pub(crate) fn skipped(test: &str, reason: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {reason}");
}

/// Whether a program is there and runs.
pub(crate) fn has(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .env("COMPOSER_ALLOW_SUPERUSER", "1")
        .output()
        .is_ok_and(|output| output.status.success())
}

/// Whether PHP has an extension.
pub(crate) fn php_has(extension: &str) -> bool {
    let code = format!("exit(extension_loaded('{extension}') ? 0 : 1);");
    Command::new("php")
        .args(["-r", &code])
        .status()
        .is_ok_and(|status| status.success())
}

/// The folder with real inputs beside the repository.
pub(crate) fn shared() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().ok()?;
    let shared = here.join("../../../shared").canonicalize().ok()?;
    shared.join("locks").is_dir().then_some(shared)
}

pub(crate) fn small() -> Arc<Catalog> {
    Arc::new(Catalog::generated(&Profile::Small.spec()))
}

pub(crate) fn serve(catalog: &Arc<Catalog>) -> Server {
    Server::start(Arc::clone(catalog), ServerOptions::default()).unwrap()
}

/// Where the archive of the catalog's n-th package is.
pub(crate) fn dist_path(catalog: &Catalog, number: usize) -> String {
    allegro_registry::dist_url("", &catalog.packages()[number])
}

/// A project and Composer's home, which vanish with it.
pub(crate) struct Site {
    root: tempfile::TempDir,
}

impl Site {
    pub(crate) fn new(server: &Server, options: &ProjectOptions) -> Self {
        let site = Self {
            root: tempfile::tempdir().unwrap(),
        };
        server
            .catalog()
            .write_project(&site.dir(), server.base_url(), options)
            .unwrap();
        site
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.root.path().join("project")
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.dir())
            .env("COMPOSER_ALLOW_SUPERUSER", "1")
            .env("COMPOSER_HOME", self.root.path().join("home"))
            .env("COMPOSER_CACHE_DIR", self.root.path().join("cache"));
        command
    }

    /// Runs Composer and expects success.
    pub(crate) fn composer(&self, arguments: &[&str]) -> String {
        let output = self
            .command("composer")
            .args(arguments)
            .args(["--no-interaction", "--no-ansi"])
            .output()
            .unwrap();
        let text = text(&output);
        assert!(output.status.success(), "composer {arguments:?}: {text}");
        text
    }

    /// Runs PHP code with the project's autoloader.
    pub(crate) fn php(&self, code: &str) -> String {
        let output = self
            .command("php")
            .args(["-r", &format!("require 'vendor/autoload.php'; {code}")])
            .output()
            .unwrap();
        assert!(output.status.success(), "{code}: {}", text(&output));
        text(&output)
    }
}

pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// All files below a directory, relative, sorted.
pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                open.push(path);
            } else {
                files.push(path.strip_prefix(dir).unwrap().to_owned());
            }
        }
    }
    files.sort();
    files
}
