//! Tests slow bodies and metadata of excessive size. Composer handles them, and Allegro bounds the
//! memory that it uses meanwhile.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use allegro_registry::{Fault, Rule, ServerOptions};
use serde_json::{Value, json};

use crate::support::files::{Files, bare, write};
use crate::support::network::{self, PACKAGES};
use crate::support::{Call, Engine, Scene, Side, same_tree};

/// Makes the first response for a path send 100 bytes a second, in pieces of 256. Allegro makes the
/// first request.
fn trickle(scene: &Scene, path: &str) {
    let fault = Fault::Bandwidth(100);
    scene.server.set_faults(vec![Rule::times(path, fault, 1)]);
}

/// Returns a package that is the only one of its vendor. The order of paths that share a prefix
/// depends on the moment when Composer unpacks its own packages.
fn single(scene: &Scene) -> String {
    let vendor = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
    let packages = scene.server.catalog().packages();
    let names: Vec<&str> = packages.iter().map(|one| one.spec.name.as_str()).collect();
    let is_single = |name: &&&str| {
        let same = names.iter().filter(|other| vendor(other) == vendor(name));
        same.count() == 1
    };
    let name = names.iter().find(is_single).expect("a package");
    (*name).to_owned()
}

/// Sets an idle timeout of four seconds in place of thirty.
fn impatient(call: Call<'_>) -> Call<'_> {
    call.env("ALLEGRO_IDLE_TIMEOUT_MS", "4000")
        .timeout(Duration::from_secs(120))
}

#[test]
fn an_archive_that_trickles_is_composers() {
    let Some(scene) = network::scene(ServerOptions::default()) else {
        return;
    };
    let name = single(&scene);
    let plain = scene.fresh(Side::Serial, &["install"]);
    for engine in Engine::all() {
        scene.forget_cache(Side::Allegro);
        scene.forget_store();
        scene.write_project();
        trickle(&scene, &format!("/dist/{name}/*"));
        let call = scene.call(Side::Allegro, &["install", "-v"]).engine(engine);
        let ours = scene.outcome(&impatient(call));
        same_tree(&format!("{engine:?}"), &plain, &ours);
        let said = &ours.run.stderr;
        assert_eq!(Scene::origins(&ours.run).2, PACKAGES - 1, "{said}");
        let why = |line: &&str| line.contains(&name) && line.contains(" bytes in ");
        assert_eq!(said.lines().filter(why).count(), 1, "{said}");
    }
}

#[test]
fn metadata_that_trickles_is_composers() {
    let Some(scene) = network::scene(ServerOptions::default()) else {
        return;
    };
    let name = single(&scene);
    let lock = || fs::read_to_string(scene.project().join("composer.lock")).ok();
    let begin = |side| {
        scene.forget_cache(side);
        scene.write_project();
        fs::remove_file(scene.project().join("composer.lock")).expect("the lock");
    };
    begin(Side::Serial);
    let plain = scene.run(Side::Serial, &["update", "--no-install"]);
    assert_eq!(plain.exit, 0, "{}", plain.stderr);
    let wanted = lock();
    for engine in Engine::all() {
        begin(Side::Allegro);
        trickle(&scene, &format!("/p2/{name}.json"));
        let call = scene.call(Side::Allegro, &["resolve", "-v"]).engine(engine);
        let ours = impatient(call).run().expect(0);
        assert!(lock() == wanted, "{engine:?}: {}", ours.stderr);
        declined(&ours.stderr, &[" bytes in "]);
    }
}

/// Checks that one line says why Composer does the work.
#[track_caller]
fn declined(said: &str, reasons: &[&str]) {
    let lines = said.lines().filter(|line| line.contains(" by itself, "));
    let fits = |line: &str| reasons.iter().any(|reason| line.contains(reason));
    let fitting: Vec<bool> = lines.map(fits).collect();
    assert_eq!(fitting, [true], "{said}");
}

/// Publishes a package whose metadata file has this size, because of meaningless space.
fn put(files: &Files, name: &str, bytes: usize) {
    let url = format!("http://127.0.0.1:1/{name}.zip");
    let version =
        json!({ "name": name, "version": "1.0.0", "dist": { "type": "zip", "url": url } });
    let text = json!({ "packages": { name: [version] } }).to_string();
    // `gzip` is many times as fast as our own packer without optimization.
    let mut gzip = Command::new("gzip")
        .arg("-1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip starts");
    let mut input = gzip.stdin.take().expect("its input");
    let space = vec![b' '; 1 << 20];
    let writer = std::thread::spawn(move || {
        for _ in 0..bytes >> 20 {
            input.write_all(&space).expect("taken");
        }
        input.write_all(text.as_bytes()).expect("taken");
    });
    let packed = gzip.wait_with_output().expect("packed").stdout;
    writer.join().expect("written");
    files.put(&format!("p2/{name}.json.gz"), &packed);
}

fn manifest(files: &Files, names: &[String]) -> Value {
    let root = json!({ "packages": [], "metadata-url": "/p2/%package%.json" });
    files.put("packages.json", root.to_string().as_bytes());
    let mut require = json!({});
    for name in names {
        require[name] = json!("*");
    }
    json!({
        "name": "e2e/project",
        "version": "1.0.0",
        "require": require,
        "repositories": [
            { "type": "composer", "url": files.url("") },
            { "packagist.org": false },
        ],
        "config": { "secure-http": false },
    })
}

/// Returns exit code and output of a call, and the peak memory of its helper in bytes.
fn watched(call: &Call<'_>, scene: &Scene) -> (Option<i32>, String, usize) {
    let log = scene.scratch();
    let file = fs::File::create(&log).expect("a file");
    let mut child = call
        .command()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(file)
        .spawn()
        .expect("composer starts");
    let mut most = 0;
    let status = loop {
        if let Some(status) = child.try_wait().expect("waiting") {
            break status;
        }
        most = most.max(helper_peak(child.id()).unwrap_or_default());
        sleep(Duration::from_millis(10));
    };
    (status.code(), fs::read_to_string(log).expect("words"), most)
}

fn helper_peak(parent: u32) -> Option<usize> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    children.split_whitespace().find_map(|child| {
        let status = fs::read_to_string(format!("/proc/{child}/status")).ok()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next().map(str::to_owned)
        };
        let kilobytes: usize = field("VmHWM:")?.parse().ok()?;
        (field("Name:")? == "allegro").then_some(kilobytes << 10)
    })
}

/// Composer reads metadata files of any size. Without a bound, the helper would hold each of them
/// in full.
#[test]
fn metadata_without_measure_is_composers() {
    let Some((scene, files)) = bare() else { return };
    for (what, count, bytes, args, reasons, most) in [
        (
            "one that is much larger than its archive",
            1,
            160 << 20,
            &[][..],
            &["larger than 33554432 bytes"][..],
            100 << 20,
        ),
        (
            "many that can't be cached",
            26,
            12 << 20,
            &["--no-cache"][..],
            // Either limit may be reached first.
            &["larger than 256 MiB", "too much metadata at once"],
            500 << 20,
        ),
    ] {
        let names: Vec<String> = (0..count)
            .map(|number| format!("e2e/large-{number}"))
            .collect();
        let _ = fs::remove_dir_all(scene.dir().join("served"));
        for name in &names {
            put(&files, name, bytes);
        }
        let manifest = manifest(&files, &names);
        let lock = || fs::read_to_string(scene.project().join("composer.lock")).ok();
        let begin = |side| {
            scene.forget_cache(side);
            scene.forget_store();
            write(&scene, &manifest);
        };
        begin(Side::Serial);
        let plain = [&["update", "--no-install"], args].concat();
        let plain = scene.run(Side::Serial, &plain);
        let wanted = lock();
        for engine in Engine::all() {
            begin(Side::Allegro);
            let call = [&["resolve", "-v"], args].concat();
            let call = scene.call(Side::Allegro, &call).engine(engine);
            let (exit, said, peak) = watched(&call, &scene);
            assert_eq!(exit, Some(plain.exit), "{what}, {engine:?}: {said}");
            assert!(lock() == wanted, "{what}, {engine:?}: {said}");
            declined(&said, reasons);
            assert!(peak < most, "{what}: {peak} bytes");
            assert_eq!(peak > 0, engine == Engine::Helper, "{what}, {engine:?}");
        }
    }
}
