//! Checks that `composer allegro:doctor` reports what an install does.

use std::fs;
use std::path::Path;

use allegro_registry::Json;

use crate::support::{Call, Engine, Scene, Side, diff, skipped};

const DOCTOR: &[&str] = &["allegro:doctor", "--json"];

#[track_caller]
fn facts(call: &Call<'_>, exit: i32) -> Json {
    let run = call.run().expect(exit);
    allegro_registry::parse_json(&run.stdout, "the doctor's JSON").expect("JSON")
}

fn text<'a>(facts: &'a Json, path: &[&str]) -> &'a str {
    let (last, parents) = path.split_last().expect("a path");
    parents
        .iter()
        .fold(facts, |facts, name| facts.get(name).expect("a member"))
        .str_at(last)
        .unwrap_or_default()
}

fn advice(facts: &Json) -> String {
    facts
        .get("advice")
        .map_or_else(String::new, Json::to_file_text)
}

#[test]
fn the_doctor_tells_the_engine_and_what_an_install_would_do() {
    let Some(scene) = Scene::small() else { return };
    scene.write_project();
    for (engine, name) in [(Engine::Helper, "helper"), (Engine::Extension, "extension")] {
        let before = scene.snapshot();
        let facts = facts(&scene.call(Side::Allegro, DOCTOR).engine(engine), 0);
        assert_eq!(text(&facts, &["engine"]), name);
        assert_eq!(text(&facts, &["problem"]), "");
        assert_eq!(
            advice(&facts).contains("load the extension"),
            engine == Engine::Helper,
            "{}",
            advice(&facts)
        );
        assert_eq!(
            Path::new(text(&facts, &["native", "store", "path"])),
            scene.store()
        );
        let run = scene
            .call(Side::Allegro, &["allegro:doctor"])
            .engine(engine)
            .run()
            .expect(0);
        assert!(
            run.stdout.starts_with("Allegro works here."),
            "{}",
            run.stdout
        );
        assert_eq!(diff(&before, &scene.snapshot()), "", "nothing stays");

        let install = scene
            .call(Side::Allegro, &["install"])
            .engine(engine)
            .run()
            .expect(0);
        let method = text(&facts, &["native", "method"]);
        assert!(!method.is_empty());
        assert!(
            install.ours().iter().any(|line| line.ends_with(method)),
            "{method}: {:?}",
            install.ours()
        );
        scene.write_project();
    }
}

#[test]
fn the_doctor_tells_why_allegro_does_not_work() {
    let Some(scene) = Scene::small() else { return };
    scene.write_project();
    let off = facts(
        &scene
            .call(Side::Allegro, DOCTOR)
            .env("ALLEGRO_DISABLE", "1"),
        1,
    );
    assert!(text(&off, &["problem"]).contains("ALLEGRO_DISABLE"));

    let blocked = scene.dir().join("blocked");
    fs::write(&blocked, "").expect("a file");
    let unusable = facts(
        &scene
            .call(Side::Allegro, DOCTOR)
            .env("ALLEGRO_STORE", blocked.join("store")),
        1,
    );
    assert!(
        text(&unusable, &["problem"]).contains("blocked"),
        "{}",
        text(&unusable, &["problem"])
    );

    let nonsense = scene
        .call(Side::Allegro, &["allegro:doctor"])
        .env("ALLEGRO_WORKERS", "many")
        .run()
        .expect(1);
    assert!(
        nonsense.stdout.contains("ALLEGRO_WORKERS must be a number"),
        "{}",
        nonsense.stdout
    );

    let helper = scene.own_home().join("vendor/allegro/plugin/native");
    fs::rename(&helper, scene.dir().join("native")).expect("moved away");
    let call = scene.call(Side::Allegro, DOCTOR);
    let none = facts(&call, 1);
    assert!(
        none.get("native")
            .is_some_and(|native| native.entries().is_empty())
    );
    assert!(
        text(&none, &["problem"]).contains("no native part"),
        "{}",
        text(&none, &["problem"])
    );
    assert!(call.run().stderr.contains("Composer installs by itself"));
}

#[test]
fn the_doctor_finds_copies_and_says_what_helps() {
    let Some(scene) = Scene::small() else { return };
    let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else {
        return skipped("there is no /dev/shm").unwrap_or(());
    };
    scene.write_project();
    let facts = facts(
        &scene
            .call(Side::Allegro, DOCTOR)
            .env("ALLEGRO_STORE", elsewhere.path().join("store")),
        0,
    );
    assert_eq!(text(&facts, &["native", "store", "file_system"]), "tmpfs");
    assert_eq!(text(&facts, &["native", "method"]), "copy");
    assert!(
        advice(&facts).contains("ALLEGRO_STORE"),
        "{}",
        advice(&facts)
    );
}
