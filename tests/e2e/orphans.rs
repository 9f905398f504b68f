//! Checks that the helper never outlives its Composer, whatever either of them is doing, and that
//! Composer doesn't wait for a helper that hangs.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use allegro_registry::{Fault, Rule};
use rustix::fs::{FlockOperation, flock};

use crate::crash::{helper_of, leftovers, signal, start, wait_for};
use crate::interrupts;
use crate::support::tools::find;
use crate::support::{Call, Scene, Side, diff, helper, skipped};

/// A helper cleans up for 5 s at most. The rest is a reserve for a busy machine.
const SOON: Duration = Duration::from_secs(20);

fn lives(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z"))
}

#[track_caller]
fn goes(what: &str, pid: &str) {
    let until = Instant::now() + SOON;
    while lives(pid) {
        assert!(Instant::now() < until, "{what}: the helper lives on");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Kills Composer alone.
fn kill(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Starts Composer and waits until its helper runs.
fn with_helper(call: &Call<'_>) -> (Child, String) {
    let child = start(call);
    wait_for("a helper", || helper_of(&child).is_some());
    let helper = helper_of(&child).expect("it was there a moment ago");
    (child, helper)
}

#[test]
fn while_a_script_of_the_project_runs_on() {
    let Some(scene) = Scene::small() else { return };
    scene.write_project();
    let began = scene.dir().join("began");
    let line = format!("touch {}; exec sleep 900", began.display());
    scene.edit_manifest(|manifest| {
        let mut scripts = allegro_registry::Json::object();
        scripts.set("pre-install-cmd", allegro_registry::Json::str(line));
        manifest.set("scripts", scripts);
    });
    let (mut child, helper) = with_helper(&scene.call(Side::Allegro, &["install"]));
    wait_for("the script", || began.exists());
    kill(&mut child);
    goes("a script", &helper);
    // The script has lost its parent by now, and is still in Composer's process group.
    signal("KILL", &format!("-{}", child.id()));
}

#[test]
fn while_a_server_is_silent() {
    for state in ["waiting", "stopped"] {
        let Some(scene) = Scene::small() else { return };
        scene
            .server
            .set_faults(vec![Rule::always("/dist/*", Fault::Hang(50))]);
        scene.write_project();
        let (mut child, helper) = with_helper(&scene.call(Side::Allegro, &["install"]));
        wait_for("downloads", || scene.server.open_connections() > 3);
        if state == "stopped" {
            signal("STOP", &helper);
        }
        kill(&mut child);
        if state == "stopped" {
            signal("CONT", &helper);
        }
        goes(state, &helper);
        assert_eq!(leftovers(&scene.project()), Vec::<String>::new(), "{state}");
    }
}

#[test]
fn while_another_process_has_the_lock() {
    let Some(scene) = Scene::small() else { return };
    let _ = scene.fresh(Side::Allegro, &["install"]);
    let lock = File::open(scene.store().join("lock")).expect("the lock");
    flock(&lock, FlockOperation::LockExclusive).expect("locked");
    scene.write_project();
    let (mut child, helper) = with_helper(&scene.call(Side::Allegro, &["install"]));
    let path = scene.store().join("lock");
    wait_for("the helper at the lock", || has_open(&helper, &path));
    kill(&mut child);
    goes("the lock", &helper);
}

fn has_open(pid: &str, path: &Path) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd"));
    files
        .into_iter()
        .flatten()
        .flatten()
        .any(|file| fs::read_link(file.path()).is_ok_and(|to| to == path))
}

/// A helper whose parent isn't Composer. This process keeps both of its pipes open after the end of
/// the parent, as a process does that Composer has forked.
struct Held {
    parent: Child,
    helper: String,
    /// The helper's standard input.
    input: File,
    output: ChildStdout,
}

impl Held {
    fn start(scene: &Scene) -> Self {
        let pipe = scene.scratch();
        let made = Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo starts").success());
        let mut parent = Command::new("sh")
            .args(["-c", "\"$1\" helper < \"$2\" & echo $! >&2; wait", "sh"])
            .arg(helper())
            .arg(&pipe)
            .env("ALLEGRO_STORE", scene.store())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("a shell");
        let input = File::create(&pipe).expect("the pipe");
        let mut told = parent.stderr.take().expect("piped");
        let mut helper = String::new();
        let mut byte = [0];
        while told.read(&mut byte).expect("its number") == 1 && byte[0] != b'\n' {
            helper.push(char::from(byte[0]));
        }
        let output = parent.stdout.take().expect("piped");
        Self {
            parent,
            helper,
            input,
            output,
        }
    }

    fn ask(&mut self, request: &str) {
        self.input.write_all(request.as_bytes()).expect("taken");
        self.input.write_all(b"\n").expect("taken");
    }

    /// Waits for the answer to the first request, after which the helper is at work.
    fn answered(&mut self) {
        let mut byte = [0];
        self.output.read_exact(&mut byte).expect("an answer");
    }

    #[track_caller]
    fn ends(mut self, what: &str) {
        kill(&mut self.parent);
        goes(what, &self.helper);
    }
}

#[test]
fn while_others_hold_its_pipes_open() {
    let Some(scene) = Scene::small() else { return };
    let info = r#"{"id":1,"op":"info"}"#;

    let mut idle = Held::start(&scene);
    idle.ask(info);
    idle.answered();
    idle.ends("idle");

    let mut stopped = Held::start(&scene);
    stopped.ask(info);
    stopped.answered();
    signal("STOP", &stopped.helper);
    kill(&mut stopped.parent);
    signal("CONT", &stopped.helper);
    goes("stopped", &stopped.helper);

    // The test reads no answers, so the helper waits to write.
    let mut full = Held::start(&scene);
    full.ask(info);
    full.answered();
    let helper = full.helper.clone();
    full.ask(&vec![info; 5_000].join("\n"));
    wait_for("a full pipe", || {
        fs::read_to_string(format!("/proc/{helper}/wchan")).is_ok_and(|at| at.contains("pipe_w"))
            || fs::read_to_string(format!("/proc/{helper}/syscall"))
                .is_ok_and(|call| call.starts_with("1 0x1 "))
    });
    full.ends("a full pipe");
}

/// Returns a call of Composer that gives up a silent helper soon.
fn impatient(scene: &Scene) -> Call<'_> {
    scene
        .call(Side::Allegro, &["install", "-o"])
        .env("ALLEGRO_PATIENCE_MS", "1500")
}

#[test]
fn composer_goes_on_without_a_helper_that_hangs() {
    for state in ["stopped", "waiting for a server"] {
        let Some(scene) = Scene::small() else { return };
        let plain = scene.fresh(Side::Plain, &["install", "-o"]);
        scene
            .server
            .set_faults(vec![Rule::always("/dist/*", Fault::Hang(50))]);
        scene.write_project();
        let (mut child, log) = interrupts::start(&impatient(&scene), &scene);
        wait_for("downloads", || scene.server.in_flight() > 3);
        // Composer repeats its requests and gets its answers.
        scene.server.set_faults(Vec::new());
        let helper = helper_of(&child).expect("a helper");
        if state == "stopped" {
            signal("STOP", &helper);
        }
        wait_for("Composer's end", || {
            child.try_wait().expect("waiting").is_some()
        });
        let said = fs::read_to_string(&log).expect("what it said");
        assert_eq!(
            child.wait().expect("its end").code(),
            Some(0),
            "{state}: {said}"
        );
        assert_eq!(
            said.matches("has made no progress").count(),
            1,
            "{state}: {said}"
        );
        assert_eq!(diff(&plain.tree, &scene.snapshot()), "", "{state}");
        assert!(!lives(&helper), "{state}");
    }
}

/// A directory that a process shows elsewhere. The process can be stopped, and the directory is
/// unmounted when dropped.
struct Shown(Child, PathBuf);

impl Shown {
    fn at(path: &Path, below: &Path) -> Option<Self> {
        if find("bindfs").is_none() || !Path::new("/dev/fuse").exists() {
            return skipped("there is no bindfs");
        }
        for dir in [path, below] {
            fs::create_dir_all(dir).expect("a directory");
        }
        let child = Command::new("bindfs")
            .args(["-f", "--no-allow-other"])
            .args([below, path])
            .spawn()
            .ok()?;
        let mounts = || fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        wait_for("the mount", || {
            mounts().contains(&path.display().to_string())
        });
        Some(Self(child, path.to_owned()))
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        signal("CONT", &self.0.id().to_string());
        let _ = Command::new("umount").arg("-l").arg(&self.1).status();
        let _ = self.0.wait();
    }
}

/// Composer goes on without a store that hangs. A process that waits for such a file system can't
/// even be killed.
#[test]
fn composer_goes_on_without_a_store_that_hangs() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Plain, &["install", "-o"]);
    scene.unwatched("the second project's files can't be read while the store hangs");
    let Some(shown) = Shown::at(&scene.store(), &scene.dir().join("below")) else {
        return;
    };
    let _ = scene.fresh(Side::Allegro, &["install", "-o"]);
    scene.write_project();
    signal("STOP", &shown.0.id().to_string());
    let ours = scene.outcome(&impatient(&scene).timeout(Duration::from_secs(60)));
    assert_eq!(ours.run.exit, 0, "{}", ours.run.stderr);
    assert_eq!(diff(&plain.tree, &ours.tree), "");
    let said = &ours.run.stderr;
    assert_eq!(said.matches("has made no progress").count(), 1, "{said}");
}
