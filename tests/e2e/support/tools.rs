//! Finds programs of this machine, and makes environments that lack some.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{Scene, skipped};

/// Programs that Composer and its children call whatever unpacks the archives.
const COMMON: [&str; 13] = [
    "php", "sh", "git", "mv", "rm", "cp", "env", "stty", "which", "hostname", "uname", "chmod",
    "cat",
];

/// Returns the path of a program.
pub fn find(program: &str) -> Option<PathBuf> {
    let output = Command::new("sh")
        .args(["-c", "command -v \"$1\"", "sh", program])
        .output()
        .expect("a shell");
    let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!path.is_empty()).then(|| PathBuf::from(path))
}

/// Returns the path of the first of these programs that the machine has. Returns `None` if it has
/// none, and prints the reason.
///
/// # Panics
/// Panics in CI if all are missing, because `scripts/setup` installs all of them there.
#[track_caller]
pub fn need(programs: &[&str]) -> Option<PathBuf> {
    let found = programs.iter().find_map(|program| find(program));
    if found.is_none() {
        let why = format!("there is no {}", programs.join(" or "));
        assert!(std::env::var_os("CI").is_none(), "{why}");
        return skipped(&why);
    }
    found
}

/// Makes a directory for `PATH` with the tools that Composer always needs, and these further ones
/// by the given names.
pub fn path_with(scene: &Scene, more: &[(&str, PathBuf)]) -> PathBuf {
    let dir = scene.scratch();
    std::fs::create_dir(&dir).expect("a directory");
    for tool in COMMON {
        if let Some(path) = find(tool) {
            symlink(path, dir.join(tool)).expect("a link");
        }
    }
    for (name, path) in more {
        symlink(path, dir.join(name)).expect("a link");
    }
    dir
}

/// Returns the output of a shell command that the test needs.
pub fn output_of(command: &str, input: &[u8]) -> Option<Vec<u8>> {
    use std::io::Write as _;
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell");
    let mut stdin = child.stdin.take().expect("its input");
    let _ = stdin.write_all(input);
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    if output.status.success() && !output.stdout.is_empty() {
        Some(output.stdout)
    } else {
        skipped(&format!("`{command}` doesn't work here"))
    }
}
