//! Makes one call of Composer.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::dns::Dns;
use super::home;
use super::owner::User;
use super::scene::{Scene, Side};

/// The engine that runs Allegro's native part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The bundled helper process.
    Helper,
    /// The extension, loaded into Composer's PHP.
    Extension,
}

impl Engine {
    /// Returns the engines that this machine has.
    pub fn all() -> Vec<Self> {
        let extension = home::extension().map(|_| Self::Extension);
        [Self::Helper].into_iter().chain(extension).collect()
    }
}

/// The result of a call of Composer.
#[derive(Debug, Clone)]
pub struct Run {
    /// The exit code, or minus the signal's number if a signal ended the call.
    pub exit: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error, to which Composer writes nearly everything.
    pub stderr: String,
    /// The time that the call took.
    pub took: Duration,
}

impl Run {
    /// Returns Composer's lines without Allegro's own lines and progress. Tests compare these
    /// lines.
    pub fn lines(&self) -> Vec<String> {
        let mut goes_on = false;
        self.stderr
            .split(['\n', '\r'])
            // The lines of a verdict that follow its first one go too.
            .filter(|line| {
                goes_on = line.starts_with("Allegro: ") || goes_on && line.starts_with(VERDICT);
                !goes_on || line.starts_with("Allegro: ")
            })
            // On a terminal, Composer erases a bar, and the line continues.
            .map(|line| line.rsplit("\u{1b}[2K").next().unwrap_or(line))
            .map(|line| after_bar(line).trim_end_matches(['\u{8}', ' ']))
            .filter(|line| !line.is_empty() && !is_ours(line) && !is_progress(line))
            .map(str::to_owned)
            .collect()
    }

    /// Returns Allegro's own lines.
    pub fn ours(&self) -> Vec<&str> {
        self.stderr.lines().filter(|line| is_ours(line)).collect()
    }

    /// Panics with the whole output unless the exit code is this one.
    #[track_caller]
    #[must_use]
    pub fn expect(self, exit: i32) -> Self {
        assert_eq!(
            self.exit, exit,
            "exit code; it said:\n{}\n{}",
            self.stdout, self.stderr
        );
        self
    }
}

/// The start of the second and third line of a verdict.
const VERDICT: &str = "         ";

fn is_ours(line: &str) -> bool {
    let line = uncoloured(line);
    let line = line.trim_start();
    // These lines appear with -vv. Allegro lacks them for packages from the store, which it doesn't
    // load from the cache.
    line.starts_with("Allegro:")
        || line.starts_with("- Loading ") && line.ends_with(" from cache")
        || line.starts_with("> ") && line.contains(r": Allegro\Plugin\")
}

/// Removes the escape sequences for colours from a line.
fn uncoloured(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|character: char| character.is_ascii_alphabetic());
        text.push_str(end.map_or("", |end| &part[end + 1..]));
    }
    text
}

/// Returns whether a line shows progress, which depends on time alone, such as `  3/12 [=====>----]
/// 25% 2 secs` or `    0 [->---]`. Lines that depend on chance count too.
fn is_progress(line: &str) -> bool {
    let line = uncoloured(line);
    if line == "Running cache garbage collection"
        || line.starts_with("Dependency resolution completed in ")
    {
        return true;
    }
    let Some((count, bar)) = line.trim_start().split_once(" [") else {
        return false;
    };
    count
        .chars()
        .all(|character| character.is_ascii_digit() || character == '/')
        && bar.starts_with(['-', '=', '>'])
}

/// Returns the text behind a progress bar. Without a terminal, Composer ends no line after a bar.
fn after_bar(line: &str) -> &str {
    if !is_progress(line) {
        return line;
    }
    match line
        .split_once("]  ")
        .and_then(|(_, rest)| rest.split_once('%'))
    {
        // With `-v` the padded time comes between: `    1 s`, ` 2 secs`, `< 1 sec`.
        Some((_, rest)) => {
            let rest = after_time(rest);
            rest.find("    ").map_or(line, |text| &rest[text..])
        }
        None => line,
    }
}

/// Returns the text behind a time, if a time comes first.
fn after_time(text: &str) -> &str {
    let time = text.trim_start().trim_start_matches("< ");
    let Some((count, rest)) = time.split_once(' ') else {
        return text;
    };
    let unit = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    let is_time = !count.is_empty()
        && count.bytes().all(|byte| byte.is_ascii_digit())
        && ["s", "sec", "secs", "m", "min", "mins"].contains(&&rest[..unit]);
    if is_time { &rest[unit..] } else { text }
}

/// A call in preparation; see [`Scene::call`].
#[derive(Debug, Clone)]
pub struct Call<'a> {
    scene: &'a Scene,
    side: Side,
    args: Vec<OsString>,
    engine: Engine,
    user: Option<User>,
    umask: u32,
    before: String,
    envs: Vec<(OsString, Option<OsString>)>,
    dir: PathBuf,
    timeout: Duration,
    php_options: Vec<OsString>,
    prefix: Vec<OsString>,
    composer: Option<PathBuf>,
}

impl<'a> Call<'a> {
    pub(super) fn new(scene: &'a Scene, side: Side, args: &[&str]) -> Self {
        Self {
            scene,
            side,
            args: args.iter().map(OsString::from).collect(),
            engine: scene.engine(),
            user: None,
            umask: 0o022,
            before: String::new(),
            envs: Vec::new(),
            dir: scene.project(),
            timeout: Duration::from_secs(900),
            php_options: Vec::new(),
            prefix: Vec::new(),
            composer: None,
        }
    }

    /// Runs under this umask instead of 022.
    #[must_use]
    pub fn umask(mut self, umask: u32) -> Self {
        self.umask = umask;
        self
    }

    /// Runs a line of the shell first, in the process that becomes Composer's, for example to set
    /// limits.
    #[must_use]
    pub fn before(mut self, line: &str) -> Self {
        self.before = format!("{line};");
        self
    }

    /// Runs as this user, with an archive cache of the user's own. Only root can do so.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        let cache = user.cache(self.scene, self.side);
        self.user = Some(user);
        self.env("COMPOSER_CACHE_DIR", cache)
    }

    /// Sets the engine that runs Allegro's native part.
    #[must_use]
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.envs.push((name.into(), Some(value.into())));
        self
    }

    /// Removes an environment variable.
    #[must_use]
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.envs.push((name.into(), None));
        self
    }

    /// Runs in another directory than the scene's project.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = dir.into();
        self
    }

    /// Adds an option of PHP itself, before Composer's name.
    #[must_use]
    pub fn php_option(mut self, option: impl Into<OsString>) -> Self {
        self.php_options.push(option.into());
        self
    }

    /// Resolves names with this server.
    #[must_use]
    pub fn dns(mut self, dns: &Dns) -> Self {
        self.prefix = dns.prefix();
        self
    }

    /// Runs another Composer than the one under test.
    #[must_use]
    pub fn composer(mut self, file: impl Into<PathBuf>) -> Self {
        self.composer = Some(file.into());
        self
    }

    /// Kills the call after this time instead of 900 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Returns the call as a person would write it.
    fn text(&self) -> String {
        let words: Vec<_> = self.args.iter().map(|arg| arg.to_string_lossy()).collect();
        words.join(" ")
    }

    /// Returns whether Allegro works in this call.
    fn is_ours(&self) -> bool {
        let is_off = self.envs.iter().any(|(name, value)| {
            name == "ALLEGRO_DISABLE" && value.as_ref().is_some_and(|value| value == "1")
        });
        self.side.is_ours() && !is_off
    }

    /// Returns the command, for tests that start and signal it themselves. Its process id is
    /// Composer's.
    ///
    /// Its changes of the second project on the store are checked when the next command is made, or
    /// when the scene ends.
    #[track_caller]
    pub fn command(&self) -> Command {
        let scene = self.scene;
        if self.is_ours() {
            scene.watch().before(self.text(), &self.dir);
        }
        let mut words = self.prefix.iter().cloned().chain(["sh".into()]);
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).args([
            "-c",
            &format!("umask {:04o}; {} exec \"$@\"", self.umask, self.before),
            "sh",
        ]);
        if self.is_by_command_line() {
            command
                .args(home::in_root(&self.dir))
                .arg(home::command_line())
                .args(&self.args);
            return self.finished(command);
        }
        command.arg(home::php());
        if self.side == Side::Allegro && self.engine == Engine::Extension {
            let extension = home::extension().expect("the extension is built");
            let mut option = OsString::from("extension=");
            option.push(extension);
            command.arg("-d").arg(option);
        }
        command.args(&self.php_options);
        match &self.composer {
            Some(composer) => command.arg(composer),
            None => command.arg(home::composer().expect("composer is there")),
        };
        command.args(&self.args);
        self.finished(command)
    }

    /// Returns whether the native command line runs in Composer's place: on its own side, and with
    /// `ALLEGRO_TEST_COMMAND_LINE` also on Allegro's. What needs PHP's options, another Composer or
    /// the extension stays with the plugin.
    fn is_by_command_line(&self) -> bool {
        self.side == Side::Native
            || self.side == Side::Allegro
                && home::tests_command_line()
                && self.php_options.is_empty()
                && self.composer.is_none()
                && self.engine == Engine::Helper
                && !self.scene.options().required
    }

    /// Completes a command by directory and environment.
    fn finished(&self, mut command: Command) -> Command {
        let scene = self.scene;
        command.current_dir(&self.dir);
        for name in [
            "CI",
            "COMPOSER_CACHE_READ_ONLY",
            "COMPOSER_DISABLE_NETWORK",
            "COMPOSER_VENDOR_DIR",
            "COMPOSER_NO_DEV",
            "COLUMNS",
            "NO_COLOR",
            "ALLEGRO_DISABLE",
        ] {
            command.env_remove(name);
        }
        command
            .env("COMPOSER_HOME", scene.home(self.side))
            .env("COMPOSER_CACHE_DIR", scene.cache(self.side))
            .env("ALLEGRO_STORE", scene.store())
            .env("COMPOSER_ALLOW_SUPERUSER", "1")
            .env("COMPOSER_NO_INTERACTION", "1")
            .env("COMPOSER_NO_AUDIT", "1")
            .env("LC_ALL", "C.UTF-8")
            // The console wraps the lines of an error at this width, even inside of a word.
            .env("COLUMNS", "1000")
            .env("HOME", scene.dir());
        if scene.disables(self.side) {
            command.env("ALLEGRO_DISABLE", "1");
        }
        // Long rounds play everything with each link method.
        if let Some(strategy) = std::env::var_os("ALLEGRO_TEST_STRATEGY") {
            command.env("ALLEGRO_LINK_STRATEGY", strategy);
        }
        for (name, value) in &self.envs {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(user) = self.user {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    /// Runs the call to its end.
    #[track_caller]
    pub fn run(&self) -> Run {
        let log = self.scene.scratch();
        let (out, err) = (log.join("stdout"), log.join("stderr"));
        fs::create_dir_all(&log).expect("a directory for the output");
        let began = Instant::now();
        let mut child = self
            .command()
            .stdin(Stdio::null())
            .stdout(File::create(&out).expect("stdout"))
            .stderr(File::create(&err).expect("stderr"))
            .spawn()
            .expect("composer starts");
        let status = loop {
            if let Some(status) = child.try_wait().expect("waiting") {
                break status;
            }
            if began.elapsed() > self.timeout {
                let _ = child.kill();
                let _ = child.wait();
                panic!(
                    "{:?} took longer than {:?}:\n{}",
                    self.args,
                    self.timeout,
                    text(&err)
                );
            }
            std::thread::sleep(Duration::from_millis(4));
        };
        let run = Run {
            exit: status
                .code()
                .unwrap_or_else(|| -status.signal().unwrap_or(0)),
            stdout: text(&out),
            stderr: text(&err),
            took: began.elapsed(),
        };
        let _ = fs::remove_dir_all(&log);
        if self.is_ours() {
            let mut projects = vec![self.dir.as_path()];
            let project = self.scene.project();
            if project != self.dir {
                projects.push(&project);
            }
            self.scene.watch().after(&self.text(), &projects);
        }
        run
    }
}

fn text(path: &std::path::Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}
