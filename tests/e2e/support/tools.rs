//! Programs of this machine, and machines that lack some.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{Scene, skipped};

/// What Composer and its children call whatever they unpack with.
const COMMON: [&str; 13] = [
    "php", "sh", "git", "mv", "rm", "cp", "env", "stty", "which", "hostname", "uname", "chmod",
    "cat",
];

/// Where a program is.
pub fn find(program: &str) -> Option<PathBuf> {
    let output = Command::new("sh")
        .args(["-c", "command -v \"$1\"", "sh", program])
        .output()
        .expect("a shell");
    let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!path.is_empty()).then(|| PathBuf::from(path))
}

/// Where the first of these programs is that the machine has. `None`, and a line that says why, where it has none.
///
/// # Panics
/// In CI, whose machines `scripts/setup` gives all of them.
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

/// A value of `PATH` with the tools that Composer needs anywhere, and these more, by the names given here.
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

/// Output of a command of the shell, which the test needs.
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
