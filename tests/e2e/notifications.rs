//! Tests reports of installed packages: the native command line sends what Composer sends.

use std::fs;
use std::time::Duration;

use allegro_registry::{Fault, Json, Rule};

use crate::support::{Scene, Side, same, same_tree};

/// A report: path, content, and whether it had credentials.
type Report = (String, String, bool);

/// Returns the reports of the last run, in a fixed order.
fn reports(scene: &Scene) -> Vec<Report> {
    let mut found: Vec<Report> = scene
        .server
        .log()
        .into_iter()
        .filter(|entry| entry.method == "POST")
        .map(|entry| {
            assert!(entry.user_agent.starts_with("Composer/"), "{entry:?}");
            let posted = entry.posted.unwrap_or_default();
            (entry.path, posted, entry.credentials)
        })
        .collect();
    found.sort();
    scene.server.clear_log();
    found
}

/// Replaces the URL of reports in the project's lock.
fn set_url(scene: &Scene, url: &str) {
    let lock = scene.project().join("composer.lock");
    let text = fs::read_to_string(&lock).expect("the lock");
    let known = format!("{}/downloads/", scene.server.base_url());
    assert!(text.contains(&known));
    fs::write(&lock, text.replace(&known, url)).expect("written");
}

#[test]
fn reports_are_those_of_composer() {
    let Some(scene) = Scene::small() else { return };
    let base = scene.server.base_url().to_owned();
    let with_user = base.replace("http://", "http://user:pass@");
    for url in [
        format!("{base}/downloads/"),
        format!("{base}/packagist.org/downloads/"),
        format!("{base}/downloads/%package%?p=%package%"),
        format!("{with_user}/downloads/"),
    ] {
        scene.forget_all();
        for round in ["cold", "warm"] {
            let mut sent = Vec::new();
            let mut outcomes = Vec::new();
            for side in [Side::Serial, Side::Native] {
                scene.write_project();
                set_url(&scene, &url);
                scene.server.clear_log();
                outcomes.push(scene.outcome(&scene.call(side, &["install"])));
                sent.push(reports(&scene));
                // Nothing is installed, so nothing is reported.
                scene.run(side, &["install"]);
                assert_eq!(reports(&scene), [], "{url} {round} {side:?}");
            }
            assert!(!sent[0].is_empty());
            assert_eq!(sent[0], sent[1], "{url} {round}");
            if round == "cold" {
                same(&format!("{url} {round}"), &outcomes[0], &outcomes[1]);
            } else {
                same_tree(&format!("{url} {round}"), &outcomes[0], &outcomes[1]);
            }
        }
    }
}

#[test]
fn reports_are_switched_off() {
    let Some(scene) = Scene::small() else { return };
    scene.fresh(Side::Native, &["install"]);
    assert!(!reports(&scene).is_empty());
    scene.write_project();
    scene.edit_manifest(|manifest| {
        manifest
            .child("config")
            .set("notify-on-install", Json::Bool(false));
    });
    scene.outcome(&scene.call(Side::Native, &["install"]));
    assert_eq!(reports(&scene), []);
    for (name, value, args) in [
        ("COMPOSER_DISABLE_NETWORK", "1", &["install"][..]),
        ("ALLEGRO_TEST", "1", &["install", "--offline"]),
    ] {
        scene.write_project();
        let run = scene.call(Side::Native, args).env(name, value).run();
        assert_eq!(run.exit, 0, "{}", run.stderr);
        assert_eq!(reports(&scene), [], "{name}");
    }
}

/// A server that refuses a report, or never answers, changes neither result nor output.
#[test]
fn trouble_with_a_report_is_silent() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Serial, &["install"]);
    let refusal = Fault::Status {
        code: 500,
        retry_after: None,
    };
    for fault in [refusal, Fault::Hang(0)] {
        let is_silent = matches!(fault, Fault::Hang(_));
        scene.forget_all();
        scene
            .server
            .set_faults(vec![Rule::always("/downloads/*", fault)]);
        scene.server.clear_log();
        let ours = scene.fresh(Side::Native, &["install"]);
        same("with a fault", &plain, &ours);
        assert_eq!(reports(&scene).len(), 1);
        let took = ours.run.took;
        assert!(
            took < Duration::from_secs(if is_silent { 20 } else { 6 }),
            "{took:?}"
        );
    }
}
