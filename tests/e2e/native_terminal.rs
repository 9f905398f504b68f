//! Tests what the native command line shows on a terminal, and what it writes where there is none.

use std::fs;
use std::time::Duration;

use allegro_registry::{Fault, Rule};

use crate::support::screen::{Screen, on_terminal};
use crate::support::{Call, Scene, Side};

/// A part of the display that no other line contains.
const LINE: &str = "/12 packages";

/// Returns the small project, with one package that takes its time.
fn slow(fault: Fault) -> Option<Scene> {
    let scene = Scene::small()?;
    let name = &scene.server.catalog().packages()[5].spec.name;
    let rule = Rule::always(format!("/dist/{name}/*"), fault);
    scene.server.set_faults(vec![rule]);
    Some(scene)
}

fn fresh<'a>(scene: &'a Scene, args: &[&str]) -> Call<'a> {
    scene.forget_all();
    scene.write_project();
    scene.call(Side::Native, args)
}

/// Returns the pictures of the display in an output.
fn pictures(written: &str) -> Vec<&str> {
    written
        .split(['\r', '\n'])
        .filter(|part| part.contains("/12 ") || part.contains(" metadata files"))
        .collect()
}

/// Panics unless each picture fits, and is plain text.
fn check_pictures(written: &str, columns: usize, what: &str) {
    for picture in pictures(written) {
        assert!(
            picture.chars().count() < columns,
            "{what}: {columns}: {picture}"
        );
        assert!(!picture.contains('\u{1b}'), "{what}: {picture:?}");
    }
}

/// The display fits each terminal and disappears. The screen is then Composer's.
#[test]
fn progress_fits_and_leaves_nothing_behind() {
    let Some(scene) = slow(Fault::Latency(Duration::from_millis(700))) else {
        return;
    };
    // Allegro's own line may be wrapped.
    let without_ours = |mut text: Vec<String>| {
        let at = |start| text.iter().position(|line| line.starts_with(start));
        let ours = at("Allegro: ").expect("Allegro's line")..at("Generating").expect("a line");
        text.drain(ours);
        text
    };
    for columns in [24, 80, 200] {
        scene.forget_cache(Side::Serial);
        scene.write_project();
        let plain = scene.call(Side::Serial, &["install", "--no-progress"]);
        let Some((exit, written)) = on_terminal(&plain, columns, |_| false) else {
            return;
        };
        assert_eq!(exit, 0, "{written}");
        let plain = Screen::after(&written, columns).text();
        let call = fresh(&scene, &["install"]);
        let Some((exit, written)) = on_terminal(&call, columns, |_| false) else {
            return;
        };
        assert_eq!(exit, 0, "{written}");
        assert!(written.contains("Installing"), "{written:?}");
        assert!(!pictures(&written).is_empty(), "{columns}: {written:?}");
        check_pictures(&written, columns, "install");
        let screen = Screen::after(&written, columns);
        assert_eq!(plain, without_ours(screen.text()), "{columns}");
        // At no moment are there two displays.
        Screen::never_twice(&written, columns, "\r", LINE, &columns.to_string());
    }
}

/// The commands that fill the store and compare vendor leave their results alone.
#[test]
fn other_commands_leave_nothing_behind() {
    let Some(scene) = slow(Fault::Latency(Duration::from_millis(500))) else {
        return;
    };
    for columns in [80, 200] {
        let first = fresh(&scene, &["fetch"]);
        let Some((exit, written)) = on_terminal(&first, columns, |_| false) else {
            return;
        };
        assert_eq!(exit, 0, "{written}");
        assert!(written.contains("Fetching"), "{written:?}");
        assert!(written.contains(LINE), "{written:?}");
        let _ = scene.run(Side::Native, &["install"]).expect(0);
        for args in [&["fetch"][..], &["verify"], &["store", "verify"]] {
            let call = scene.call(Side::Native, args);
            let Some((exit, written)) = on_terminal(&call, columns, |_| false) else {
                return;
            };
            let what = format!("{args:?}: {written:?}");
            assert_eq!(exit, 0, "{what}");
            check_pictures(&written, columns, &what);
            let screen = Screen::after(&written, columns);
            let text = screen.text();
            assert_eq!(text.len(), 1, "{what}");
            assert!(text[0].starts_with(|first: char| first.is_ascii_digit()));
            assert_eq!(screen.column(), 0, "{what}");
        }
    }
}

/// An update shows how many metadata files it has read.
#[test]
fn an_update_shows_that_it_reads() {
    let Some(scene) = Scene::small() else { return };
    let rule = Rule::always("/p2/*", Fault::Latency(Duration::from_millis(600)));
    scene.server.set_faults(vec![rule]);
    for columns in [80, 200] {
        let call = fresh(&scene, &["update", "--no-install"]);
        let Some((exit, written)) = on_terminal(&call, columns, |_| false) else {
            return;
        };
        assert_eq!(exit, 0, "{written}");
        assert!(written.contains(" metadata files"), "{written:?}");
        check_pictures(&written, columns, "update");
        let text = Screen::after(&written, columns).text();
        assert!(
            !text.iter().any(|line| line.contains("metadata files")),
            "{text:?}"
        );
    }
}

/// Ctrl-C removes the display, and the exit code is that of the signal.
#[test]
fn nothing_is_left_when_it_is_interrupted() {
    let Some(scene) = slow(Fault::Hang(0)) else {
        return;
    };
    for columns in [80, 200] {
        for args in [&["install"][..], &["fetch"]] {
            let call = fresh(&scene, args);
            let seen = |written: &str| written.contains("11/12 packages");
            let Some((exit, written)) = on_terminal(&call, columns, seen) else {
                return;
            };
            let what = format!("{args:?}, {columns}: {written:?}");
            assert_eq!(exit, 130, "{what}");
            let screen = Screen::after(&written, columns);
            assert!(screen.wraps, "{what}");
            let text = screen.text();
            // The terminal's own echo of the key may come late.
            assert!(text.iter().all(|line| line == "^C"), "{what}");
            assert!(!scene.project().join("vendor").exists(), "{what}");
        }
    }
}

/// Returns commands of Allegro's own, with their exit codes, in a project that lacks a package.
fn own_commands() -> [(&'static [&'static str], i32); 9] {
    [
        (&["status", "--exit-code"], 1),
        (&["verify"], 1),
        (&["store", "status"], 0),
        (&["store", "prune", "--dry-run"], 0),
        (&["config", "list"], 0),
        (&["config", "get", "nothing"], 1),
        (&["unshare", "acme/nothing"], 1),
        (&["help", "install"], 0),
        (&["store", "nothing"], 1),
    ]
}

fn damaged() -> Option<Scene> {
    let scene = Scene::small()?;
    scene.write_project();
    let _ = scene.run(Side::Native, &["install"]).expect(0);
    let name = &scene.server.catalog().packages()[5].spec.name;
    let vendor = scene.project().join("vendor");
    fs::remove_dir_all(vendor.join(name)).expect("removed");
    fs::write(vendor.join("autoload.php"), "changed").expect("written");
    Some(scene)
}

/// Where nobody wants colours, there is no escape sequence. The exit codes are the same everywhere.
#[test]
fn escape_sequences_are_only_where_they_are_wanted() {
    let Some(scene) = damaged() else { return };
    let mut colored = 0;
    for (args, code) in own_commands() {
        let piped = scene.run(Side::Native, args).expect(code);
        let all = format!("{}{}", piped.stdout, piped.stderr);
        assert!(!all.contains('\u{1b}'), "{args:?}: {all:?}");
        for columns in [80, 200] {
            for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
                let call = scene.call(Side::Native, args).env(name, value);
                let Some((exit, written)) = on_terminal(&call, columns, |_| false) else {
                    return;
                };
                let what = format!("{args:?} {name}: {written:?}");
                assert_eq!(exit, code, "{what}");
                assert!(!written.contains('\u{1b}'), "{what}");
            }
            let call = scene.call(Side::Native, args);
            let Some((exit, written)) = on_terminal(&call, columns, |_| false) else {
                return;
            };
            assert_eq!(exit, code, "{args:?}: {written}");
            colored += usize::from(written.contains('\u{1b}'));
            // Yellow, white and their bright forms can't be read on a white ground.
            for unreadable in ["33m", "37m", "93m", "97m"] {
                assert!(!written.contains(unreadable), "{args:?}: {written:?}");
            }
        }
    }
    assert!(colored > 10, "{colored}");
}

/// An install shows its display without colours too, and none where nobody watches.
#[test]
fn progress_as_it_is_wanted() {
    let Some(scene) = slow(Fault::Latency(Duration::from_millis(500))) else {
        return;
    };
    for (args, env, shown) in [
        (&["-q"][..], ("X", "1"), false),
        (&["--no-progress"], ("X", "1"), false),
        (&[], ("CI", "true"), false),
        (&[], ("NO_COLOR", "1"), true),
    ] {
        let args = [&["install"], args].concat();
        let call = fresh(&scene, &args).env(env.0, env.1);
        let Some((exit, written)) = on_terminal(&call, 80, |_| false) else {
            return;
        };
        let what = format!("{args:?} {env:?}: {written:?}");
        assert_eq!(exit, 0, "{what}");
        assert_eq!(written.contains(LINE), shown, "{what}");
        if env.0 == "NO_COLOR" {
            assert!(!written.contains('\u{1b}'), "{what}");
        }
    }
    let piped = fresh(&scene, &["install"]).run().expect(0);
    let all = format!("{}{}", piped.stdout, piped.stderr);
    assert!(
        !all.contains(['\u{1b}', '\r']) && !all.contains(LINE),
        "{all}"
    );
}

/// Messages break between words, and say what to do next.
#[test]
fn messages_fit_the_terminal() {
    let Some(scene) = Scene::small() else { return };
    for columns in [80, 200] {
        let call = fresh(&scene, &["install", "--offline"]);
        let Some((exit, written)) = on_terminal(&call, columns, |_| false) else {
            return;
        };
        assert_eq!(exit, 3, "{written}");
        let text = Screen::after(&written, columns).text();
        for package in scene.server.catalog().packages() {
            let name = package.spec.name.as_str();
            let is_whole = text.iter().any(|line| line.contains(name));
            assert!(is_whole, "{columns}: {name}: {text:#?}");
        }
        let last = text.last().expect("a line");
        assert!(last.starts_with("  run \"allegro fetch\""), "{text:#?}");
    }
}
