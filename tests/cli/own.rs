//! Allegro's own commands, arguments, settings and exit codes.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::world::{World, ran};

#[test]
fn a_wrong_command_line_is_one_sentence_and_code_1() {
    let world = World::new();
    for (words, part) in [
        ("store prune --nope", "--nope"),
        ("x", "<PACKAGE>"),
        ("x acme", "acme/tester"),
        ("config get nothing", "nothing"),
        ("config set workers 99", "1 to 32"),
        ("config set store_path relative", "absolute"),
        ("--workers many store path", "--workers"),
        ("install --link-strategy symlink", "link"),
        ("install --workers", "needs a value"),
        ("update --frozen-lockfile", "install"),
        ("install --json", "JSON"),
        ("completion tcsh", "tcsh"),
    ] {
        world.allegro(words).fails(1, part);
    }
}

#[test]
fn help_and_version_are_results() {
    let world = World::new();
    let root = world.allegro("").expect(0);
    assert_eq!(world.allegro("--help").expect(0), root);
    assert_eq!(world.allegro("help").expect(0), root);
    for name in ["install", "x", "store", "config", "run"] {
        let help = world.allegro(&format!("help {name}")).expect(0);
        assert_eq!(world.allegro(&format!("{name} --help")).expect(0), help);
        assert!(help.lines().count() <= 30, "{help}");
        assert!(!help.contains('\u{1b}'), "{help}");
    }
    let version = world.allegro("version").expect(0);
    assert!(version.starts_with("allegro "), "{version}");
    assert_eq!(world.allegro("--version").expect(0), version);
}

#[test]
fn completions_and_manual_pages_are_written() {
    let world = World::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = world.allegro(&format!("completion {shell}")).expect(0);
        assert!(script.contains("frozen-lockfile"), "{shell}");
    }
    world.allegro("man pages").expect(0);
    let page = fs::read_to_string(world.path("project/pages/allegro-install.1")).unwrap();
    assert!(page.contains("frozen"), "{page}");
    world.write("project/file", "");
    world.allegro("man file/pages").fails(4, "file/pages");
}

#[test]
fn the_configuration_is_kept_and_its_sources_are_shown() {
    let world = World::new();
    let file = world.path("home/.config/allegro/config.json");
    let path = world.allegro("config path").expect(0);
    assert_eq!(path.trim_end(), file.to_str().unwrap());
    // The file of the first Allegro counts until there is another one.
    world.write(
        "home/.allegro/config.json",
        r#"{"workers": 3, "theirs": {"a": 1}}"#,
    );
    assert_eq!(world.allegro("config get workers").expect(0), "3\n");
    world.allegro("config set no_dev yes").expect(0);
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        text.contains("theirs") && text.contains("\"no_dev\": true"),
        "{text}"
    );
    assert_eq!(world.allegro("config get workers").expect(0), "3\n");

    let mut command = world.command(
        env!("CARGO_BIN_EXE_allegro"),
        "config list --json --link-strategy copy",
    );
    let text = ran(command.env("ALLEGRO_WORKERS", "5").env("NO_COLOR", "1")).expect(0);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let of = |name: &str| {
        let rows = json["settings"].as_array().unwrap();
        let row = rows.iter().find(|row| row["name"] == name).unwrap();
        let source = row["source"].as_str().unwrap();
        format!("{} {source} {}", row["value"], row["place"])
    };
    assert_eq!(of("workers"), "5 environment \"ALLEGRO_WORKERS\"");
    assert_eq!(of("link_strategy"), "\"copy\" flag \"--link-strategy\"");
    assert_eq!(of("no_dev"), format!("true file \"{}\"", file.display()));
    assert_eq!(of("no_color"), "true environment \"NO_COLOR\"");
    assert_eq!(of("prune_stale_days"), "90 default null");
    assert_eq!(json["unknown"], serde_json::json!(["theirs"]));

    world.allegro("config unset no_dev").expect(0);
    assert_eq!(world.allegro("config get no_dev").expect(0), "false\n");
}

#[test]
fn a_malformed_configuration_stops_only_the_command_config() {
    let world = World::new();
    let file = "home/.config/allegro/config.json";
    world.write(file, "{\n  \"workers\": }\n");
    world.allegro("config list").fails(1, "line 2 column 14");
    world
        .allegro("config set workers 5")
        .fails(1, "config.json");
    let ran = world.allegro("store path");
    assert!(
        ran.err.contains("warning") && ran.err.contains("line 2"),
        "{ran:?}"
    );
    ran.expect(0);
    assert_eq!(world.allegro("-q store path").err, "");

    world.write(file, r#"{"workers": 0, "store_path": "~/st"}"#);
    world.allegro("config list").fails(1, "workers must be");
    let ran = world.allegro("store path");
    assert!(ran.err.contains("workers must be"), "{ran:?}");
    let store = world.path("home/st");
    assert_eq!(ran.expect(0).trim_end(), store.to_str().unwrap());
    world.allegro("config set workers 5").expect(0);
    world.allegro("config list").expect(0);
}

#[test]
fn an_odd_place_of_the_store_is_a_failure_of_files() {
    let world = World::new();
    world.write("file", "");
    let path = world.path("file/store");
    world
        .allegro(&format!("store status --store-path {}", path.display()))
        .fails(4, "in the store");
    world
        .allegro(&format!(
            "--working-dir /nowhere --store-path {} store path",
            path.display()
        ))
        .expect(0);
}

#[test]
fn the_store_can_be_looked_after() {
    let world = World::new();
    let json = world.allegro("store status --json").expect(0);
    assert!(json.contains("\"manifests\": 0"), "{json}");
    let text = world.allegro("store status").expect(0);
    assert!(text.contains("packages  0"), "{text}");
    world.allegro("store verify").expect(0);
    world.allegro("store prune --dry-run").expect(0);
    let store = world.path("home/.cache/allegro");
    fs::write(store.join("manifests-v2/00/odd"), "").unwrap();
    let text = world.allegro("store verify").expect(1);
    assert!(text.contains("odd"), "{text}");
}

#[test]
fn a_closed_pipe_is_silent() {
    let world = World::new();
    for words in ["help", "completion bash", "config list", "store status"] {
        let mut child = world
            .command(env!("CARGO_BIN_EXE_allegro"), words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{words}: {output:?}");
        assert!(output.stderr.is_empty(), "{words}: {output:?}");
    }
    let full = fs::OpenOptions::new().write(true).open("/dev/full");
    if let Ok(full) = full {
        let mut command = world.command(env!("CARGO_BIN_EXE_allegro"), "config list");
        ran(command.stdout(full)).fails(1, "can't be written");
    }
}

#[test]
fn without_composer_or_php_a_command_says_what_is_missing() {
    let world = World::new();
    let run = |words: &str, variables: &[(&str, &str)]| {
        let mut command = world.command(env!("CARGO_BIN_EXE_allegro"), words);
        command.env("PATH", world.path("bin"));
        ran(command.envs(variables.iter().copied()))
    };
    for words in ["install", "x acme/tool", "made-up"] {
        let ran = run(words, &[]);
        assert!(ran.err.contains("getcomposer.org"), "{ran:?}");
        ran.fails(5, "needs Composer");
    }
    run("install", &[("ALLEGRO_COMPOSER_PATH", "/nowhere/composer")]).fails(5, "/nowhere/composer");
    world.program("bin/composer", "#!/usr/bin/env php\n<?php\n");
    run("install", &[]).fails(5, "needs PHP");
    run("install", &[("ALLEGRO_PHP", "nophp")]).fails(5, "\"nophp\"");
    // A program around Composer is started as it is.
    world.program("bin/composer", "#!/bin/sh\necho \"program $*\"\nexit 9\n");
    assert_eq!(
        run("install --offline -o", &[]).expect(9),
        "program install -o\n"
    );
    // The program itself is no Composer, also under that name.
    fs::remove_file(world.path("bin/composer")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_allegro"), world.path("bin/composer")).unwrap();
    run("install", &[]).fails(5, "needs Composer");
}

/// An install of a project that needs nothing works without Composer, unless a setting names one.
#[test]
fn without_composer_the_platform_is_that_of_the_configuration() {
    let world = World::new();
    let write = |php: &str| {
        let platform = format!(r#"{{"php": "{php}"}}"#);
        world.write(
            "project/composer.json",
            &format!(
                r#"{{"require": {{"php": "^8.1", "ext-gd": "*"}}, "config": {{"platform": {platform}}}}}"#
            ),
        );
        world.write(
            "project/composer.lock",
            &format!(
                r#"{{"packages": [], "packages-dev": [], "content-hash": "x", "platform": {{"php": "^8.1", "ext-gd": "*"}},
                    "platform-dev": {{"ext-xsl": "*"}}, "platform-overrides": {platform}}}"#
            ),
        );
    };
    let install = |words: &str| {
        let words = format!("install {words}");
        let path = world.path("home");
        ran(world
            .command(env!("CARGO_BIN_EXE_allegro"), &words)
            .env("PATH", path))
    };
    write("8.2.0");
    for (words, unchecked) in [
        ("", Some("ext-gd, ext-xsl")),
        ("", Some("ext-gd, ext-xsl")),
        ("--no-dev", Some("ext-gd")),
        ("--no-dev --ignore-platform-req=ext-gd", None),
        ("--ignore-platform-reqs", None),
    ] {
        let installed = install(words);
        assert_eq!(installed.code, Some(0), "{installed:#?}");
        let line = unchecked.map(|names| {
            format!(
                "Allegro: there is no Composer, so these requirements are not checked: {names}. \
                 Versions in config.platform are."
            )
        });
        let found = installed
            .err
            .lines()
            .find(|line| line.contains("not checked"));
        assert_eq!(found, line.as_deref(), "{words}");
    }
    let told = install("-v").err;
    let version = "Allegro: there is no Composer; vendor is that of Composer 2.";
    assert!(told.contains(version), "{told}");
    write("7.4.0");
    let refused = install("");
    assert_eq!(refused.code, Some(5));
    let reason = "needs Composer, which was not found (the project requires php)";
    assert!(refused.err.contains(reason), "{refused:#?}");
}

#[test]
fn a_named_program_has_to_exist() {
    let world = World::new();
    world.write("project/composer.json", "{}");
    world.write("project/composer.lock", EMPTY_LOCK);
    let run = |variables: &[(&str, &str)]| {
        let mut command = world.command(env!("CARGO_BIN_EXE_allegro"), "install");
        command.env("PATH", world.path("bin"));
        ran(command.envs(variables.iter().copied()))
    };
    run(&[]).expect(0);
    run(&[("ALLEGRO_COMPOSER_PATH", "/nowhere/composer")]).fails(5, "/nowhere/composer");
    world.program("bin/composer", "#!/usr/bin/env php\n<?php\n");
    run(&[("ALLEGRO_PHP", "nophp")]).fails(5, "\"nophp\"");
}

/// The lock of a project without packages.
const EMPTY_LOCK: &str = r#"{
    "content-hash": "d751713988987e9331980363e24189ce",
    "packages": [],
    "packages-dev": [],
    "aliases": [],
    "minimum-stability": "stable",
    "stability-flags": [],
    "prefer-stable": false,
    "prefer-lowest": false,
    "platform": [],
    "platform-dev": []
}"#;

#[test]
fn options_without_a_command_have_to_exist() {
    let world = World::new();
    for words in ["--bogus", "-x", "--no-color --bogus"] {
        world.allegro(words).fails(1, "unexpected argument");
    }
    for words in ["", "--no-color", "-h"] {
        world.allegro(words).expect(0);
    }
}

#[test]
fn an_export_wants_a_lock_by_its_name() {
    let world = World::new();
    world.write("project/other", EMPTY_LOCK);
    world
        .allegro("store export --lock other out")
        .fails(1, "ends with .lock");
    fs::rename(
        world.path("project/other"),
        world.path("project/other.lock"),
    )
    .unwrap();
    world
        .allegro("store export --lock other.lock out")
        .expect(0);
}

#[test]
fn a_frozen_lock_has_to_exist_and_to_fit() {
    let world = World::new();
    world.program("bin/composer", "#!/bin/sh\necho composer\n");
    let run = |words: &str| {
        let mut command = world.command(env!("CARGO_BIN_EXE_allegro"), words);
        ran(command.env("PATH", world.path("bin")))
    };
    run("install --frozen-lockfile").fails(2, "composer.json");
    world.write("project/composer.json", r#"{"require": {"php": ">=8"}}"#);
    run("install --frozen-lockfile").fails(2, "composer.lock");
    run("-d src install --frozen-lockfile").fails(2, "src/composer.json");
    world.write("project/composer.lock", r#"{"content-hash": "0"}"#);
    run("install --frozen-lockfile").fails(2, "does not fit");
    world.write("project/composer.lock", "{");
    run("install --frozen-lockfile").fails(2, "is no JSON");
}

/// The question needs a terminal, which `script` gives.
#[test]
fn a_near_name_is_suggested_on_a_terminal() {
    let world = World::new();
    world.program("bin/composer", "#!/bin/sh\necho \"composer $*\"\n");
    let binary = env!("CARGO_BIN_EXE_allegro");
    for (answer, called) in [
        ("y\n", "composer install -o"),
        ("n\n", "composer isntall -o"),
    ] {
        let child = world
            .command("script", "-qec")
            .arg(format!(
                "PATH={} {binary} isntall -o",
                world.path("bin").display()
            ))
            .arg("/dev/null")
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            println!("skipped: there is no program script");
            return;
        };
        child
            .stdin
            .take()
            .unwrap()
            .write_all(answer.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("did you mean \"install\"?"), "{text}");
        assert!(text.contains(called), "{text}");
    }
    let mut command: Command = world.command(binary, "isntall -o");
    let text = ran(command.env("PATH", world.path("bin"))).expect(0);
    assert_eq!(
        text, "composer isntall -o\n",
        "no question without a terminal"
    );
}
