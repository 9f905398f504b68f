//! What one sees on a terminal.

use std::time::Duration;

use allegro_registry::{Fault, Rule};

use crate::support::screen::{Screen, on_terminal};
use crate::support::{Engine, Scene, Side, extension};

const ENGINES: [Engine; 2] = [Engine::Helper, Engine::Extension];

/// The small project, one package of which takes its time.
fn slow(fault: Fault) -> Option<Scene> {
    let scene = Scene::small()?;
    extension()?;
    let name = &scene.server.catalog().packages()[5].spec.name;
    let rule = Rule::always(format!("/dist/{name}/*"), fault);
    scene.server.set_faults(vec![rule]);
    Some(scene)
}

/// Part of our line, which tells it from all others.
const LINE: &str = "/12 packages";

/// What Composer shows without its own bars.
fn plain(scene: &Scene, columns: usize, more: &[&str]) -> Option<Vec<String>> {
    scene.forget_cache(Side::Serial);
    scene.write_project();
    let args = [&["install", "--no-progress"], more].concat();
    let (exit, written) = on_terminal(&scene.call(Side::Serial, &args), columns, |_| false)?;
    assert_eq!(exit, 0, "{written}");
    Some(Screen::after(&written, columns).text())
}

/// Without our last line, which may be broken.
fn without_ours(mut text: Vec<String>) -> Vec<String> {
    let at = text.iter().position(|line| line.starts_with("Allegro: "));
    text.truncate(at.expect("our line"));
    text
}

/// The line comes and goes, and what stays is what Composer shows.
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
                // A warm run is over before, unless the machine is busy.
                assert!(written.contains(LINE) || round == "warm", "{what}");
                let screen = Screen::after(&written, columns);
                assert!(screen.wraps, "{what}");
                if round == "cold" {
                    assert_eq!(plain, without_ours(screen.text()), "{what}");
                }
                // In between as well there is one line at most.
                for (at, _) in written.match_indices("\u{1b}[?7h") {
                    let text = Screen::after(&written[..at], columns).text();
                    let lines = text.iter().filter(|line| line.contains(LINE));
                    assert!(lines.count() <= 1, "{what}: {text:?}");
                }
            }
        }
    }
}

/// Who doesn't want it doesn't get it; who only wants no colours gets no escape sequence.
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

/// Ctrl-C while the line stands there.
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
            // The terminal's own echo of the key may come after all.
            if text.last().is_some_and(|line| line == "^C") {
                text.pop();
            } else {
                assert_eq!(screen.column(), 0, "{what}");
            }
            let last = text.pop().expect("a line");
            // Composer warns of http once, at the first package or, where that takes long, between two of them.
            let whole = [
                "  - Downloading ",
                "Package operations: ",
                "Warning: Accessing ",
            ];
            assert!(whole.iter().any(|start| last.starts_with(start)), "{what}");
        }
    }
}

/// Part of the line that tells how far metadata is.
const METADATA: &str = " metadata files";

/// The same while versions are chosen, to the end and with Ctrl-C. The plugin has no other line there.
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
