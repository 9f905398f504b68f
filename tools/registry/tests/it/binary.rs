//! The program: it says when it is ready, serves, and goes when told to.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use allegro_registry::{Catalog, Json, Profile, ProjectOptions};

use crate::http::{client, wait};

const PROGRAM: &str = env!("CARGO_BIN_EXE_allegro-registry");

fn start(dir: &Path, arguments: &[&str]) -> (Child, Json) {
    let ready = dir.join("ready.json");
    let mut child = Command::new(PROGRAM)
        .arg("serve")
        .args(arguments)
        .arg("--ready-file")
        .arg(&ready)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while !ready.exists() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before it was ready"
        );
        assert!(Instant::now() < deadline, "not ready");
        std::thread::sleep(Duration::from_millis(20));
    }
    (child, allegro_registry::read_json(&ready).unwrap())
}

fn ends(child: &mut Child) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    false
}

fn get(url: &str) -> (u16, Vec<u8>) {
    wait(async {
        let answer = client().build().unwrap().get(url).send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.bytes().await.unwrap().to_vec(),
        )
    })
}

#[test]
fn serve_writes_a_project_and_serves_it_until_told_to_stop() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (project, older, log) = (at("project"), at("older"), at("log"));
    let (mut child, ready) = start(
        dir.path(),
        &[
            "--profile",
            "small",
            "--project",
            &project,
            "--older",
            &older,
            "--log",
            &log,
            "--fault",
            "/p2/* status:500 times=1",
            "--auth",
            "/packages.json bearer:s3cret",
        ],
    );
    assert_eq!(ready.get("pid"), Some(&Json::Int(i64::from(child.id()))));
    let base = ready.str_at("base_url").unwrap();
    for place in [&project, &older] {
        let lock = allegro_registry::read_json(&Path::new(place).join("composer.lock")).unwrap();
        for entry in lock.items_at("packages") {
            let url = entry.get("dist").unwrap().str_at("url").unwrap();
            assert!(url.starts_with(base));
            let (status, bytes) = get(url);
            assert!(status == 200 && bytes.starts_with(b"PK"), "{url}");
        }
    }
    let name = Catalog::generated(&Profile::Small.spec()).names()[0].to_owned();
    let page = format!("{base}/p2/{name}.json");
    assert_eq!((get(&page).0, get(&page).0), (500, 200));
    assert_eq!(get(&format!("{base}/packages.json")).0, 401);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(ends(&mut child));
    let lines = std::fs::read_to_string(&log).unwrap();
    assert!(lines.lines().count() > 20 && !lines.contains("s3cret"));
    assert!(
        lines
            .lines()
            .all(|line| allegro_registry::parse_json(line, "line").is_ok())
    );
}

#[test]
fn serve_goes_when_its_parent_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let mut parent = Command::new("sleep").arg("60").spawn().unwrap();
    let (mut child, _) = start(dir.path(), &["--parent-pid", &parent.id().to_string()]);
    assert!(child.try_wait().unwrap().is_none());
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert!(ends(&mut child));
}

#[test]
fn project_archive_and_stats_agree_with_the_library() {
    let dir = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(PROGRAM);
        let output = command
            .args(arguments)
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", crate::support::text(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let catalog = Catalog::generated(&Profile::Small.spec());
    let stats = catalog.stats().unwrap();
    let said =
        allegro_registry::parse_json(&run(&["stats", "--profile", "small"]), "stats").unwrap();
    assert_eq!(
        said.get("files"),
        Some(&Json::Int(i64::try_from(stats.files).unwrap()))
    );
    let package = &catalog.packages()[3];
    run(&[
        "archive",
        &package.spec.name,
        "--as",
        "tar.gz",
        "-o",
        "x.tar.gz",
    ]);
    let written = std::fs::read(dir.path().join("x.tar.gz")).unwrap();
    let archive = catalog
        .archive(package, allegro_registry::Format::TarGz)
        .unwrap();
    assert_eq!(archive.bytes().unwrap(), written);
    run(&["project", "--base-url", "http://127.0.0.1:9", "p"]);
    let again = tempfile::tempdir().unwrap();
    catalog
        .write_project(
            again.path(),
            "http://127.0.0.1:9",
            &ProjectOptions::default(),
        )
        .unwrap();
    let lock = |dir: &Path| std::fs::read_to_string(dir.join("composer.lock")).unwrap();
    assert_eq!(lock(&dir.path().join("p")), lock(again.path()));
}

#[test]
fn mistakes_in_arguments_are_named() {
    for (arguments, word) in [
        (&["serve", "--fault", "/x burn"][..], "burn"),
        (&["archive", "no/such"], "no/such"),
        (&["stats", "--lock", "/no/such.lock"], "/no/such.lock"),
        (&["stats", "--format", "x"], "NAME=VALUE"),
    ] {
        let mut child = Command::new(PROGRAM)
            .args(arguments)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut text = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert!(
            !child.wait().unwrap().success() && text.contains(word),
            "{text}"
        );
    }
}
