//! Tests PHP as people have it: without extensions, without functions that hosts switch off, and
//! with other settings. Wherever Composer itself runs, the result is the same.

use std::collections::BTreeSet;
use std::process::Command;

use allegro_registry::{Catalog, Format, Mode, OlderOptions, Profile, Project, Rng};

use crate::support::home::{homes, php};
use crate::support::packages::{add, entry, file, file_with};
use crate::support::{
    Call, Outcome, Scene, SceneOptions, Side, compare, repository_root, same, skipped,
};

/// Extensions without which Debian's Composer does not run. The published Composer contains
/// polyfills for all but one of them.
const COMPOSER: [&str; 4] = ["mbstring", "iconv", "intl", "ctype"];

/// Values of `disable_functions` on shared hosts. Each list was seen on several hosts.
const HOSTS: [&str; 4] = [
    "exec,passthru,shell_exec,system,popen,proc_open,show_source",
    "chown,chgrp,symlink,link,readlink,dl,disk_free_space,set_time_limit,highlight_file",
    "posix_kill,posix_getpwuid,posix_getuid,posix_geteuid,posix_isatty,posix_uname,pcntl_fork,pcntl_signal,\
     pcntl_async_signals,pcntl_signal_get_handler,pcntl_signal_dispatch,pcntl_exec",
    "php_uname,phpinfo,getmyuid,get_current_user,gethostname,stream_socket_server,stream_set_chunk_size,curl_multi_exec",
];

/// Settings that people have in their php.ini.
const SETTINGS: [&[&str]; 7] = [
    &["memory_limit=128M"],
    // PHP 8.5 has removed this setting, and ignores it.
    &["disable_classes=WeakMap,PhpToken"],
    &[
        "opcache.enable=1",
        "opcache.enable_cli=1",
        "opcache.jit=tracing",
        "opcache.jit_buffer_size=32M",
    ],
    &["zend.assertions=1", "assert.exception=1"],
    &[
        "error_reporting=-1",
        "display_errors=stderr",
        "log_errors=0",
    ],
    &["short_open_tag=1", "precision=5", "serialize_precision=5"],
    &[
        "default_charset=",
        "auto_detect_line_endings=1",
        "zend.exception_ignore_args=0",
    ],
];

/// Returns the modules of the PHP under test: all that it loads, and those that it has without any
/// configuration.
fn modules() -> (BTreeSet<String>, BTreeSet<String>) {
    let list = |args: &[&str]| {
        let output = Command::new(php()).args(args).output().expect("PHP starts");
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|line| line.trim().to_lowercase())
            .filter(|line| !line.is_empty() && !line.starts_with('['))
            .collect()
    };
    (list(&["-m"]), list(&["-n", "-m"]))
}

/// Returns options for a PHP without configuration. It has the extensions that Composer needs and
/// these ones, besides those compiled in. Returns `None` if PHP lacks such modules, and prints the
/// reason.
fn only(more: &[&str]) -> Option<Vec<String>> {
    let (all, fixed) = modules();
    if let Some(name) = COMPOSER.iter().find(|name| !all.contains(**name)) {
        return skipped(&format!(
            "PHP has no {name}, without which Composer needs more"
        ));
    }
    let shared = |name: &&&str| all.contains(**name) && !fixed.contains(**name);
    let options = [&COMPOSER[..], more].concat();
    let options = options
        .iter()
        .filter(shared)
        .flat_map(|name| ["-d".to_owned(), format!("extension={name}")]);
    Some(["-n".to_owned()].into_iter().chain(options).collect())
}

fn settings(settings: &[&str]) -> Vec<String> {
    settings
        .iter()
        .flat_map(|setting| ["-d".to_owned(), (*setting).to_owned()])
        .collect()
}

/// A project with programs and a tar, and another state from which it comes. It covers all parts of
/// an installation.
struct Play {
    scene: Scene,
    older: Project,
}

impl Play {
    fn new(extension: bool) -> Option<Self> {
        let mut catalog = Catalog::generated(&Profile::Small.spec());
        let mut options = SceneOptions {
            extension,
            ..SceneOptions::default()
        };
        for (name, format) in [("php/zip", Format::Zip), ("php/tar", Format::Tar)] {
            let manifest = r#"{"bin": ["bin/run"], "autoload": {"classmap": ["src"]}}"#;
            let files = vec![
                file_with("bin/run", "#!/usr/bin/env php\n<?php\n", Mode::Executable),
                file("src/One.php", "<?php\nnamespace Php;\nclass One {}\n"),
                file("composer.json", manifest),
            ];
            let entry = entry(name, "1.0.0", manifest);
            let added = add(&mut catalog, entry, true, format, files);
            options.project.extra_packages.push(added);
            let require = (name.to_owned(), "*".to_owned());
            options.project.extra_requires.push(require);
        }
        let older = catalog.add_older(&OlderOptions {
            seed: 5,
            changed: 40,
            absent: 10,
            extra: 10,
        });
        let scene = Scene::with(catalog, options)?;
        Some(Self { scene, older })
    }

    /// Calls a test with the helper, and with the extension.
    fn each(test: impl Fn(&Self)) {
        for extension in [false, true] {
            let Some(play) = Self::new(extension) else {
                return;
            };
            test(&play);
        }
    }

    /// Plays an installation, another one on top of it, a resolution and an autoloader dump.
    fn steps(&self, side: Side, set: &dyn Fn(Call<'_>) -> Call<'_>) -> Vec<(String, Outcome)> {
        let scene = &self.scene;
        scene.write_state(&self.older);
        let run = |args: &[&str]| {
            let outcome = scene.outcome(&set(scene.call(side, args)));
            (args.join(" "), outcome)
        };
        let mut outcomes = vec![run(&["install"])];
        scene.overwrite_state(scene.server.catalog().project(), &scene.project());
        let rest = [&["install"][..], &["update"], &["dump-autoload", "-o"]];
        outcomes.extend(rest.into_iter().map(run));
        outcomes
    }

    /// Compares with plain Composer, which itself must succeed.
    #[track_caller]
    fn same_with(&self, what: &str, set: &dyn Fn(Call<'_>) -> Call<'_>) {
        let played = compare(&self.scene, what, |_, side| self.steps(side, set));
        for (step, outcome) in &played {
            assert_eq!(
                outcome.run.exit, 0,
                "{what}, {step}: {}",
                outcome.run.stderr
            );
        }
    }

    #[track_caller]
    fn same_under(&self, what: &str, options: &[String]) {
        self.same_with(what, &|call| with(call, options));
    }
}

fn with<'a>(call: Call<'a>, options: &[String]) -> Call<'a> {
    options.iter().fold(call, Call::php_option)
}

/// `php -n` has neither curl nor zip, tokenizer or posix where they are modules of their own, as in
/// Debian.
#[test]
fn without_extensions() {
    let Some(options) = only(&["phar"]) else {
        return;
    };
    Play::each(|play| play.same_under("php -n", &options));
}

#[test]
fn without_curl() {
    let Some(options) = only(&["zip", "phar", "tokenizer", "posix"]) else {
        return;
    };
    Play::each(|play| play.same_under("without curl", &options));
}

/// Without curl, PHP's streams have rules of their own for proxies, and PHP may be told to open no
/// URL at all. Then Allegro leaves everything to Composer, which fails.
#[test]
fn without_curl_and_without_a_way() {
    let (Some(Play { scene, .. }), Some(bare)) = (Play::new(false), only(&[])) else {
        return;
    };
    let proxy = ("http_proxy", "http://127.0.0.1:9");
    for (setting, (name, value)) in [
        ("user_agent=x", proxy),
        ("allow_url_fopen=0", ("E2E_NOTHING", "")),
    ] {
        let options = [bare.clone(), settings(&[setting])].concat();
        let play = |side| {
            scene.write_project();
            let call = scene.call(side, &["install"]).env(name, value);
            scene.outcome(&with(call, &options))
        };
        let plain = play(Side::Serial);
        assert_ne!(plain.run.exit, 0, "{}", plain.run.stderr);
        same(setting, &plain, &play(Side::Allegro));
    }
}

/// Without processes, ext-zip unpacks zips.
#[test]
fn without_processes() {
    let off = settings(&["disable_functions=proc_open"]);
    let bare = only(&["zip", "phar", "posix"]);
    Play::each(|play| {
        play.same_under("without proc_open", &off);
        if let Some(bare) = &bare {
            play.same_under("without proc_open and curl", &[&bare[..], &off].concat());
        }
    });
}

#[test]
fn with_functions_that_hosts_switch_off() {
    Play::each(|play| {
        for list in HOSTS {
            play.same_under(list, &settings(&[&format!("disable_functions={list}")]));
        }
    });
}

#[test]
fn with_settings_of_every_kind() {
    let Some(play) = Play::new(true) else { return };
    for some in SETTINGS {
        play.same_under(&some.join(" "), &settings(some));
    }
}

/// `open_basedir` allows all places that Composer, the project and its home need, including the
/// store's directory.
#[test]
fn within_open_basedir() {
    Play::each(|play| {
        let homes = homes().expect("homes").plain.parent().expect("a parent");
        let places = [play.scene.dir(), repository_root(), homes];
        let mut list: Vec<_> = places
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        list.extend(["/usr", "/etc", "/tmp"].map(str::to_owned));
        let setting = format!("open_basedir={}", list.join(":"));
        play.same_under("open_basedir", &settings(&[&setting]));
    });
}

/// Composer restarts without Xdebug unless it is told to keep it.
#[test]
fn with_xdebug() {
    let Some(options) = xdebug() else { return };
    Play::each(|play| {
        for keep in ["0", "1"] {
            play.same_with("xdebug", &|call| {
                with(call, &options).env("COMPOSER_ALLOW_XDEBUG", keep)
            });
        }
    });
}

/// Returns the options that load Xdebug, from Debian's place or from that in `ALLEGRO_TEST_XDEBUG`.
fn xdebug() -> Option<Vec<String>> {
    let module = std::env::var("ALLEGRO_TEST_XDEBUG").unwrap_or_else(|_| "xdebug".to_owned());
    let zend = format!("zend_extension={module}");
    let output = Command::new(php())
        .args(["-d", &zend, "-m"])
        .output()
        .expect("PHP starts");
    let text = String::from_utf8_lossy(&output.stdout).to_lowercase();
    if text.lines().any(|line| line == "xdebug") {
        Some(settings(&[&zend, "xdebug.mode=develop,coverage"]))
    } else {
        skipped("PHP has no xdebug")
    }
}

/// PHP lacks one function at a time, of all that the plugin calls. Where Composer goes on without
/// it, so does Allegro.
///
/// A test run plays a few of them, chosen by a seed. `ALLEGRO_TEST_FUNCTIONS` sets their number,
/// and `ALLEGRO_TEST_SEED` the seed.
#[test]
fn without_any_one_function() {
    let number = |name: &str| std::env::var(name).ok()?.trim().parse::<u64>().ok();
    let seed = number("ALLEGRO_TEST_SEED").unwrap_or(1);
    let wanted = number("ALLEGRO_TEST_FUNCTIONS").unwrap_or(4);
    let mut random = Rng::new(seed);
    let mut names = called_functions();
    let (Some(helper), Some(extension)) = (Play::new(false), Play::new(true)) else {
        return;
    };
    let mut compared = 0;
    while compared < wanted && !names.is_empty() {
        let name = names.swap_remove(random.below(names.len()));
        let options = settings(&[&format!("disable_functions={name}")]);
        for play in [&helper, &extension] {
            play.scene.forget_all();
            let set: &dyn Fn(Call<'_>) -> Call<'_> = &|call| with(call, &options);
            let plain = play.steps(Side::Serial, set);
            if plain.iter().any(|(_, outcome)| outcome.run.exit != 0) {
                println!("php: Composer itself needs {name}");
                break;
            }
            println!("php: without {name}, ALLEGRO_TEST_SEED={seed}");
            compared += 1;
            for ((step, plain), (_, ours)) in plain.iter().zip(&play.steps(Side::Allegro, set)) {
                same(&format!("without {name}: {step}"), plain, ours);
            }
        }
    }
    assert!(compared > 0, "nothing was compared");
}

/// Returns the functions that the plugin calls: those that it needs, and those for which it checks
/// first.
fn called_functions() -> Vec<String> {
    let script = r"
        $sources = shell_exec('cat '.escapeshellarg($argv[1]).'/php-plugin/src/*.php '.escapeshellarg($argv[1]).'/php-plugin/src/*/*.php');
        preg_match_all('{\b[a-z][a-z0-9_]+(?=\()|(?<=\x27)[a-z0-9_]+(?=\x27)}', $sources, $match);
        $internal = fn ($name) => function_exists($name) && (new ReflectionFunction($name))->isInternal();
        echo implode(chr(10), array_filter(array_unique($match[0]), $internal));
    ";
    let output = Command::new("php")
        .args(["-r", script, repository_root().to_str().expect("a path")])
        .output()
        .expect("PHP starts");
    let names: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(names.len() > 100, "{names:?} {text}");
    names
}
