//! `allegro x` and `allegro doctor`.

use std::fs;

use crate::world::{World, composers, ran, tree};

#[test]
fn a_program_of_a_package_runs_in_an_environment_of_its_own() {
    if composers().is_empty() {
        return;
    }
    let world = World::new();
    world.packages(2);
    world.write(
        "home/.config/composer/config.json",
        &format!(
            r#"{{"repositories": {}, "config": {{"vendor-dir": "odd", "bin-dir": "odder"}}}}"#,
            world.repository()
        ),
    );
    let project = tree(&world.path("project"));
    let directory = fs::canonicalize(world.path("project")).unwrap();
    let expected = format!(
        "[[\"--flag\",\"-q\",\"a b\"],{}]\n",
        serde_json::to_string(&directory)
            .unwrap()
            .replace('/', "\\/")
    );
    let run = |words: &str| {
        let mut command = world.command(env!("CARGO_BIN_EXE_allegro"), words);
        ran(command
            .env("COMPOSER_VENDOR_DIR", "elsewhere")
            .args(["--flag", "-q", "a b"]))
    };
    let first = run("x acme/p0");
    assert!(first.err.contains("acme/p0"), "{first:?}");
    assert_eq!(first.expect(7), expected);
    // The environment is there now, and Composer isn't called any more.
    let second = run("x acme/p0");
    assert_eq!(second.err, "");
    assert_eq!(second.expect(7), expected);
    assert_eq!(
        run("x --bin show acme/p0@^1").expect(0),
        "show --flag -q a b\n"
    );
    run("x --bin none acme/p0").fails(1, "p0, show");
    let gone = run("x -n acme/gone");
    assert!(gone.err.contains("acme/gone * (exit code 2)"), "{gone:?}");
    assert_eq!(gone.code, Some(5));
    assert_eq!(
        tree(&world.path("project")),
        project,
        "the project is left alone"
    );

    let tools = world.path("home/.cache/allegro/tools-v1");
    let environments = || {
        let entries = fs::read_dir(&tools).unwrap().flatten();
        entries.filter(|entry| entry.path().is_dir()).count()
    };
    let count = environments();
    // Nothing is newer.
    run("x --update acme/p0").expect(7);
    assert_eq!(environments(), count);
    let manifest = world.path("packages/p0/composer.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("1.0.0", "1.1.0")).unwrap();
    run("x acme/p0").expect(7);
    assert_eq!(environments(), count);
    run("x --update acme/p0").expect(7);
    assert_eq!(environments(), count + 1, "the former environment stays");
}

#[test]
fn the_doctor_tells_what_it_found_and_mends() {
    if composers().is_empty() {
        return;
    }
    let world = World::new();
    let text = world.allegro("doctor").expect(0);
    assert!(
        text.contains("composer  ") && text.contains("install   nothing to do"),
        "{text}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&world.allegro("doctor --json").expect(0)).unwrap();
    assert_eq!(json["problems"], serde_json::json!([]));
    assert_eq!(json["native"]["problem"], serde_json::json!(null), "{json}");
    assert_eq!(json["store_writable"], true, "{json}");
    world.write("home/.config/allegro/config.json", "{");
    let ran = world.allegro("-q doctor");
    assert!(
        ran.out.contains("problem: ") && ran.out.contains("config.json"),
        "{ran:?}"
    );
    ran.expect(1);
    let fixed = world.allegro("-q doctor --fix").expect(0);
    assert!(fixed.contains("fixed: "), "{fixed}");
    assert!(
        world
            .path("home/.config/allegro/config.json.broken")
            .is_file()
    );
    let mut command = world.command(env!("CARGO_BIN_EXE_allegro"), "doctor");
    let ran = ran_without_composer(&mut command, &world);
    assert_eq!(ran, Some(0), "a machine without Composer is no problem");
}

fn ran_without_composer(command: &mut std::process::Command, world: &World) -> Option<i32> {
    ran(command.env("PATH", world.path("bin"))).code
}
