//! Tests the output on a terminal.

use std::time::Duration;

use allegro_registry::{Fault, Rule};

use crate::support::screen::{Screen, on_terminal};
use crate::support::{Engine, Scene, Side, extension};

const ENGINES: [Engine; 2] = [Engine::Helper, Engine::Extension];

/// Returns the small project, with one package that takes its time.
fn slow(fault: Fault) -> Option<Scene> {
    let scene = Scene::small()?;
    extension()?;
    let name = &scene.server.catalog().packages()[5].spec.name;
    let rule = Rule::always(format!("/dist/{name}/*"), fault);
    scene.server.set_faults(vec![rule]);
    Some(scene)
}

/// A part of Allegro's progress line, which no other line contains.
const LINE: &str = "/12 packages";

/// Returns Composer's screen without its own progress bars.
fn plain(scene: &Scene, columns: usize, more: &[&str]) -> Option<Vec<String>> {
    scene.forget_cache(Side::Serial);
    scene.write_project();
    let args = [&["install", "--no-progress"], more].concat();
    let (exit, written) = on_terminal(&scene.call(Side::Serial, &args), columns, |_| false)?;
    assert_eq!(exit, 0, "{written}");
    Some(Screen::after(&written, columns).text())
}

/// Removes Allegro's last line, which may be wrapped, and the lines after it.
fn without_ours(mut text: Vec<String>) -> Vec<String> {
    let at = text.iter().position(|line| line.starts_with("Allegro: "));
    text.truncate(at.expect("our line"));
    text
}

/// The progress line disappears, and the screen is then the one that Composer shows.
#[test]
fn progress_leaves_nothing_behind() {
    let Some(scene) = slow(Fault::Latency(Duration::from_millis(900))) else {
        return;
    };
    for columns in [24, 80] {
        let Some(plain) = plain(&scene, columns, &[]) else {
            return;
        };
        for engine in ENGINES {
            let what = format!("{columns} columns, {engine:?}");
            for round in ["cold", "warm"] {
                if round == "cold" {
                    scene.forget_cache(Side::Allegro);
                    scene.forget_store();
                }
                scene.write_project();
                let call = scene.call(Side::Allegro, &["install"]).engine(engine);
                let Some((exit, written)) = on_terminal(&call, columns, |_| false) else {
                    return;
                };
                assert_eq!(exit, 0, "{written}");
                // A warm run ends before the line appears, unless the machine is busy.
                assert!(written.contains(LINE) || round == "warm", "{what}");
                let screen = Screen::after(&written, columns);
                assert!(screen.wraps, "{what}");
                if round == "cold" {
                    assert_eq!(plain, without_ours(screen.text()), "{what}");
                }
                // In between there is at most one line too.
                Screen::never_twice(&written, columns, "\u{1b}[?7h", LINE, &what);
            }
        }
    }
}

/// Options and settings turn off the progress line. Without colours, the output has no escape
/// sequences.
#[test]
fn progress_as_it_is_wanted() {
    let Some(scene) = slow(Fault::Latency(Duration::from_millis(700))) else {
        return;
    };
    for (args, env, shown) in [
        (&["-q"][..], ("X", "1"), false),
        (&["--no-progress"], ("X", "1"), false),
        (&["--no-ansi"], ("X", "1"), false),
        (&["--profile"], ("X", "1"), false),
        (&[], ("CI", "1"), false),
        (&[], ("NO_COLOR", "1"), true),
    ] {
        scene.forget_cache(Side::Allegro);
        scene.forget_store();
        scene.write_project();
        let args = [&["install"], args].concat();
        let call = scene.call(Side::Allegro, &args).env(env.0, env.1);
        let Some((exit, written)) = on_terminal(&call, 80, |_| false) else {
            return;
        };
        let what = format!("{args:?} {env:?}: {written:?}");
        assert_eq!(exit, 0, "{what}");
        assert_eq!(written.contains(LINE), shown, "{what}");
        if shown {
            assert!(!written.contains('\u{1b}'), "{what}");
            let Some(plain) = plain(&scene, 80, &[]) else {
                return;
            };
            let text = Screen::after(&written, 80).text();
            assert_eq!(plain, without_ours(text), "{what}");
        }
    }
}

/// Ctrl-C while the line is on the screen removes it.
#[test]
fn nothing_is_left_when_it_is_interrupted() {
    let Some(scene) = slow(Fault::Hang(0)) else {
        return;
    };
    for engine in ENGINES {
        for no_color in [None, Some("1")] {
            scene.forget_cache(Side::Allegro);
            scene.forget_store();
            scene.write_project();
            let call = scene.call(Side::Allegro, &["install"]).engine(engine);
            let call = no_color
                .iter()
                .fold(call, |call, value| call.env("NO_COLOR", value));
            let seen = |written: &str| written.contains(LINE);
            let Some((exit, written)) = on_terminal(&call, 80, seen) else {
                return;
            };
            let what = format!("{engine:?}, {written:?}");
            assert_eq!(exit, 130, "{what}");
            assert!(seen(&written), "{what}");
            let screen = Screen::after(&written, 80);
            assert!(screen.wraps, "{what}");
            let mut text = screen.text();
            // The terminal's own echo of the key may come late.
            if text.last().is_some_and(|line| line == "^C") {
                text.pop();
            } else {
                assert_eq!(screen.column(), 0, "{what}");
            }
            let last = text.pop().expect("a line");
            // Composer warns of http once: at the first package or, if that takes long, between two
            // packages.
            let whole = [
                "  - Downloading ",
                "Package operations: ",
                "Warning: Accessing ",
            ];
            assert!(whole.iter().any(|start| last.starts_with(start)), "{what}");
        }
    }
}

/// The part of the line that counts metadata files.
const METADATA: &str = " metadata files";

/// The progress line of a resolution disappears too, at the end and after Ctrl-C. The plugin has no
/// other line there.
#[test]
fn resolving_leaves_nothing_behind() {
    let Some(scene) = Scene::small().filter(|_| extension().is_some()) else {
        return;
    };
    let slowly = |fault| scene.server.set_faults(vec![Rule::always("/p2/*", fault)]);
    for engine in ENGINES {
        for (fault, is_interrupted) in [
            (Fault::Latency(Duration::from_millis(1500)), false),
            (Fault::Hang(0), true),
        ] {
            let what = format!("{engine:?}, interrupted: {is_interrupted}");
            slowly(fault);
            scene.forget_cache(Side::Allegro);
            scene.write_project();
            let call = scene.call(Side::Allegro, &["resolve"]).engine(engine);
            let seen = |written: &str| is_interrupted && written.contains(METADATA);
            let Some((exit, written)) = on_terminal(&call, 80, seen) else {
                return;
            };
            assert_eq!(
                exit,
                if is_interrupted { 130 } else { 0 },
                "{what}: {written}"
            );
            assert!(written.contains(METADATA), "{what}: {written:?}");
            let screen = Screen::after(&written, 80);
            assert!(screen.wraps, "{what}");
            let left = screen.text();
            assert!(
                !left.iter().any(|line| line.contains("metadata")),
                "{what}: {left:?}"
            );
        }
    }
}
