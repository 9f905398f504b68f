//! Provides other users, owners of files, and the files that projects share.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::run::{Call, Engine, Run};
use super::scene::{Scene, Side};
use super::{extension, skipped};

/// A user and a group, which need no names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// Number of the user.
    pub uid: u32,
    /// Number of the only group that the user is in.
    pub gid: u32,
}

/// The user that runs the tests of owners.
pub const ROOT: User = User { uid: 0, gid: 0 };
/// The user of the web server.
pub const WWW: User = User { uid: 33, gid: 33 };
/// A user who develops.
pub const DEVELOPER: User = User {
    uid: 1234,
    gid: 1234,
};

impl User {
    /// Returns the user's own archive cache for a side.
    pub fn cache(self, scene: &Scene, side: Side) -> PathBuf {
        let mut name = scene.cache(side).into_os_string();
        name.push(format!("-{}", self.uid));
        let dir = PathBuf::from(name);
        self.make_dir(&dir);
        dir
    }

    /// Makes a directory of the user, if it doesn't exist.
    pub fn make_dir(self, dir: &Path) {
        fs::create_dir_all(dir).expect("a directory");
        chown(dir, Some(self.uid), Some(self.gid)).expect("chown");
    }

    /// Gives everything at a path to the user.
    pub fn take(self, path: &Path) {
        tool(
            "chown",
            &["-hR", &format!("{}:{}", self.uid, self.gid)],
            path,
        )
        .expect("chown");
    }

    /// Runs a line of the shell as the user. The line's `$1` is the path.
    pub fn shell(self, line: &str, path: &Path) {
        let status = Command::new("sh")
            .args(["-c", line, "sh"])
            .arg(path)
            .uid(self.uid)
            .gid(self.gid)
            .status()
            .expect("a shell");
        assert!(status.success(), "{line} {}", path.display());
    }
}

/// Lets other users into a scene. Returns `None` unless root runs the test, and prints the reason.
pub fn for_all_users(scene: &Scene) -> Option<()> {
    if fs::metadata("/proc/self").map_or(1, |facts| facts.uid()) != 0 {
        return skipped("only root can act as other users");
    }
    set_mode(scene.dir(), 0o755);
    Some(())
}

/// Changes permissions.
pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("chmod");
}

/// Runs a program on a path. Returns `None` if it fails, and prints the reason.
pub fn tool(program: &str, args: &[&str], path: &Path) -> Option<()> {
    let output = Command::new(program).args(args).arg(path).output();
    match output {
        Ok(output) if output.status.success() => Some(()),
        Ok(output) => skipped(&format!(
            "{program} {}: {}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => skipped(&format!("{program}: {error}")),
    }
}

/// Returns the regular files below a directory, by path relative to it.
pub fn files(dir: &Path) -> BTreeMap<String, fs::Metadata> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            let facts = fs::symlink_metadata(&path).expect("a path");
            if facts.is_dir() {
                dirs.push(path);
            } else if facts.is_file() {
                let name = path.strip_prefix(dir).expect("below").display().to_string();
                found.insert(name, facts);
            }
        }
    }
    found
}

/// Returns the regular files below a directory that have several links.
pub fn shared(dir: &Path) -> Vec<String> {
    let mut found = files(dir);
    found.retain(|_, facts| facts.nlink() > 1);
    found.into_keys().collect()
}

/// A way in which files get from the store into a project.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    /// The value of `ALLEGRO_LINK_STRATEGY`.
    pub strategy: &'static str,
    /// The engine that runs the native part.
    pub engine: Engine,
}

impl Way {
    /// Returns each strategy, with the helper, and with the extension if it is built.
    pub fn all() -> Vec<Self> {
        let of = |strategy, engine| Self { strategy, engine };
        let other = extension().map_or(Engine::Helper, |_| Engine::Extension);
        vec![
            of("auto", Engine::Helper),
            of("hardlink", other),
            of("copy", other),
        ]
    }

    /// Returns a call that goes this way, if Allegro is part of it.
    pub fn call<'a>(self, scene: &'a Scene, side: Side, args: &[&str]) -> Call<'a> {
        let call = scene.call(side, args);
        if side != Side::Allegro {
            return call;
        }
        call.engine(self.engine)
            .env("ALLEGRO_LINK_STRATEGY", self.strategy)
    }

    /// Returns whether files are hard links where nothing prevents that. With `auto` it depends on
    /// the file system.
    pub fn links(self) -> bool {
        self.strategy == "hardlink"
    }
}

/// Panics if a run reports damage, because nobody has touched a file of the store.
#[track_caller]
pub fn quiet(run: &Run) {
    for line in run.ours() {
        for word in ["quarantine", "changed in place", "damage"] {
            assert!(!line.contains(word), "{line}");
        }
    }
}

/// Panics unless a run has this many of our notices about files that are copied.
#[track_caller]
pub fn copied_because(run: &Run, reason: &str, times: usize) {
    let ours = run.ours();
    let found = ours
        .iter()
        .filter(|line| line.contains("files are copied") && line.contains(reason))
        .count();
    assert_eq!(found, times, "{reason}: {ours:?}");
}
