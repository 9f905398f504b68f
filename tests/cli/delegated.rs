//! Commands that the Composer of the machine does, with the plugin in place.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::world::{Ran, World, composers, ran, same, tree};

/// A project whose scripts write down what they see.
fn project(world: &World) {
    world.packages(3);
    world.write(
        "project/composer.json",
        &format!(
            r#"{{
                "name": "acme/project",
                "version": "1.0.0",
                "require": {{"acme/p0": "*", "acme/p1": "*"}},
                "require-dev": {{"acme/p2": "*"}},
                "repositories": {},
                "autoload": {{"psr-4": {{"App\\": "src/"}}}},
                "config": {{"autoloader-suffix": "Same"}},
                "scripts": {{
                    "post-install-cmd": [
                        "env | sort > environment.txt",
                        "@php -r \"file_put_contents('php.txt', ini_get('auto_prepend_file').ini_get('opcache.enable_cli'));\"",
                        "@composer config --absolute home > home.txt",
                        "App\\Spy::run"
                    ],
                    "fail": "exit 3"
                }}
            }}"#,
            world.repository()
        ),
    );
    world.write(
        "project/src/Spy.php",
        r"<?php
namespace App;
class Spy {
    static function run($event) {
        $config = $event->getComposer()->getConfig();
        file_put_contents('callback.txt', var_export([
            $config->get('cache-dir'), $config->get('data-dir'), $config->get('vendor-dir'),
            getenv('COMPOSER_HOME'), getenv('COMPOSER_BINARY'), $_SERVER['argv'], $_SERVER['PHP_SELF'],
        ], true));
    }
}
",
    );
}

/// Runs Composer itself, or through Allegro, on a fresh copy of the project.
fn install(world: &World, composer: &Path, through: bool, starts: usize) -> (Vec<Ran>, Tree) {
    let project = world.path("project");
    let _ = fs::remove_dir_all(project.join("vendor"));
    let mut runs = Vec::new();
    for _ in 0..starts {
        let program = if through {
            Path::new(env!("CARGO_BIN_EXE_allegro"))
        } else {
            composer
        };
        let mut command = world.command(program, "install --no-progress");
        command.env("ALLEGRO_COMPOSER_PATH", composer);
        // Only Composer knows this variable, so nothing is installed natively.
        command.env("COMPOSER_IGNORE_PLATFORM_REQ", "ext-none");
        // The shell tells its program in a variable of its own.
        runs.push(ran(command.env_remove("_")));
    }
    let mut found = tree(&project);
    if let Some(text) = found.get_mut(Path::new("environment.txt")) {
        *text = text
            .lines()
            .filter(|line| !line.starts_with("_="))
            .collect();
    }
    (runs, found)
}

type Tree = BTreeMap<PathBuf, String>;

#[test]
fn an_install_through_allegro_equals_composers() {
    for composer in composers() {
        let world = World::new();
        project(&world);
        ran(&mut world.command(&composer, "update --no-install"));
        let (plain, expected) = install(&world, &composer, false, 2);
        let home = tree(&world.path("home/.config/composer"));
        // With the fifth start the compiled code is in use.
        let (through, found) = install(&world, &composer, true, 6);
        let shown = composer.display();
        for (at, run) in through.iter().enumerate() {
            assert_eq!(run, &plain[at.min(1)], "{shown}: start {at}");
        }
        same(&expected, &found);
        same(&home, &tree(&world.path("home/.config/composer")));
        let store = world.path("home/.cache/allegro");
        assert!(store.join("composer-home-v1").is_dir(), "{shown}");
        let marks = fs::read_dir(store.join("opcache-v1")).unwrap().flatten();
        let marks: Vec<_> = marks
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.contains(".ready") || name.contains(".unfit"))
            .collect();
        assert_eq!(marks.len(), 1, "{shown}: {marks:?}");
    }
}

/// Returns standard error of a run that shows which plugins are loaded.
fn plugins(world: &World, words: &str) -> Vec<String> {
    let run = world.allegro(&format!("{words} -vvv"));
    assert_eq!(run.code, Some(0), "{run:?}");
    run.err
        .lines()
        .filter_map(|line| line.strip_prefix("Loading plugin "))
        .map(str::to_owned)
        .collect()
}

/// Writes a global plugin, as `composer global require` would install it.
fn global_plugin(world: &World, rules: &str) {
    let home = "home/.config/composer";
    world.write(
        &format!("{home}/composer.json"),
        &format!(r#"{{"require": {{"acme/spy": "*"}}, "config": {{"allow-plugins": {rules}}}}}"#),
    );
    let entry = r#"{"name": "acme/spy", "version": "1.0.0", "version_normalized": "1.0.0.0",
        "type": "composer-plugin", "require": {"composer-plugin-api": "^2.0"},
        "extra": {"class": "Acme\\Spy"}, "autoload": {"psr-4": {"Acme\\": ""}},
        "install-path": "../acme/spy"}"#;
    world.write(
        &format!("{home}/vendor/composer/installed.json"),
        &format!(r#"{{"packages": [{entry}], "dev": true, "dev-package-names": []}}"#),
    );
    world.write(&format!("{home}/vendor/acme/spy/composer.json"), entry);
    world.write(
        &format!("{home}/vendor/acme/spy/Spy.php"),
        "<?php\nnamespace Acme;\nclass Spy implements \\Composer\\Plugin\\PluginInterface {
            function activate($composer, $io) { $io->writeError('the spy is here'); }
            function deactivate($composer, $io) {}
            function uninstall($composer, $io) {}
        }\n"
        .replace(
            "($composer, $io)",
            "(\\Composer\\Composer $composer, \\Composer\\IO\\IOInterface $io)",
        )
        .as_str(),
    );
}

#[test]
fn global_plugins_go_on_working_and_the_plugin_is_beside_them() {
    if composers().is_empty() {
        return;
    }
    let ours = "Allegro\\Plugin\\Plugin (from allegro/plugin, installed globally)";
    let theirs = "Acme\\Spy (from acme/spy, installed globally)";
    let world = World::new();
    world.write(
        "project/composer.json",
        r#"{"repositories": [{"packagist.org": false}]}"#,
    );
    assert_eq!(plugins(&world, "update"), [ours]);
    for (rules, expected) in [
        (r#"{"acme/*": true}"#, &[theirs, ours][..]),
        ("true", &[theirs, ours]),
        ("false", &[ours]),
        (r#"{"acme/spy": false}"#, &[ours]),
        (r#"{"acme/spy": true, "allegro/plugin": false}"#, &[theirs]),
    ] {
        global_plugin(&world, rules);
        let configuration = || {
            let mut found = tree(&world.path("home/.config"));
            // Composer protects its home where it runs without the copy.
            found.remove(Path::new("composer/.htaccess"));
            found
        };
        let before = configuration();
        assert_eq!(plugins(&world, "update"), expected, "{rules}");
        same(&before, &configuration());
    }
    // Nobody has decided on the plugin, so Composer words the error.
    global_plugin(&world, "{}");
    let run = world.allegro("update");
    let composer = &composers()[0];
    assert_eq!(run, ran(&mut world.command(composer, "update")));
    // Other commands and switches leave the plugin out.
    global_plugin(&world, "true");
    assert_eq!(plugins(&world, "show"), [theirs]);
    assert!(plugins(&world, "update --no-plugins").is_empty());
    let mut command = world.command(env!("CARGO_BIN_EXE_allegro"), "update -vvv");
    let run = ran(command.env("ALLEGRO_DISABLE", "1"));
    assert!(run.err.contains("ALLEGRO_DISABLE is set"), "{run:?}");
    assert!(!run.err.contains(ours), "{run:?}");
}

#[test]
fn a_project_with_the_plugin_uses_its_own_copy() {
    if composers().is_empty() {
        return;
    }
    let world = World::new();
    let root = env!("CARGO_MANIFEST_DIR");
    world.write(
        "project/composer.json",
        &format!(
            r#"{{"repositories": [{{"packagist.org": false}}, {{"type": "path", "url": "{root}",
                "options": {{"symlink": true, "versions": {{"allegro/plugin": "9.0.0"}}}}}}],
                "require": {{"allegro/plugin": "*"}},
                "config": {{"allow-plugins": {{"allegro/plugin": true}}}}}}"#
        ),
    );
    world.allegro("update").expect(0);
    assert_eq!(
        plugins(&world, "install"),
        ["Allegro\\Plugin\\Plugin (from allegro/plugin)"]
    );
}

/// Commands and options for which Composer's answer needs no network.
const COMMANDS: [&str; 26] = [
    "--version",
    "-V --no-ansi",
    "about",
    "check-platform-reqs",
    "config vendor-dir",
    "config --list",
    "config get",
    "depends acme/p0",
    "dump-autoload -o",
    "dump-autoload --nope",
    "exec --list",
    "exec show a b",
    "fund",
    "help install",
    "install --dry-run",
    "install --no-such-option",
    "isntall",
    "licenses",
    "outdated --direct --offline",
    "run-script --list",
    "run fail",
    "show",
    "show --format=json",
    "status",
    "validate",
    "why acme/p0 --tree",
];

#[test]
fn called_as_composer_it_is_composer() {
    for composer in composers() {
        let world = World::new();
        project(&world);
        ran(&mut world.command(&composer, "update"));
        fs::create_dir(world.path("bin")).unwrap();
        let alias = world.path("bin/composer");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_allegro"), &alias).unwrap();
        for words in COMMANDS {
            let run = |program: &Path| {
                let mut command = world.command(program, words);
                command
                    .env("ALLEGRO_COMPOSER_PATH", &composer)
                    .env("ALLEGRO_NO_DEV", "1")
                    .env("COMPOSER_DISABLE_NETWORK", "1");
                ran(&mut command)
            };
            let shown = composer.display();
            assert_eq!(run(&alias), run(&composer), "{shown}: {words}");
        }
    }
}

#[test]
fn settings_become_composers_options() {
    let Some(composer) = composers().into_iter().next() else {
        return;
    };
    let world = World::new();
    project(&world);
    ran(&mut world.command(&composer, "update --no-install"));
    world.allegro("config set no_dev true").expect(0);
    world.allegro("config set no_scripts true").expect(0);
    let names = || {
        let text = fs::read_to_string(world.path("project/vendor/composer/installed.json"));
        text.unwrap().matches("\"install-path\"").count()
    };
    world.allegro("install").expect(0);
    assert_eq!(names(), 2);
    assert!(!world.path("project/home.txt").exists());
    world.allegro("install --dev").expect(0);
    assert_eq!(names(), 3);
    // The lock fits, until the manifest changes.
    world.allegro("install --frozen-lockfile").expect(0);
    let manifest = fs::read_to_string(world.path("project/composer.json")).unwrap();
    world.write(
        "project/composer.json",
        &manifest.replace("acme/p1\": \"*\"", "acme/p1\": \"^1\""),
    );
    world
        .allegro("install --frozen-lockfile")
        .fails(2, "does not fit");
    world
        .allegro("run fail")
        .code
        .filter(|code| *code == 3)
        .unwrap();
    world.allegro("exec p0 -- --flag").expect(7);
}

#[test]
fn a_phar_is_unpacked_once_and_takes_itself_for_the_phar() {
    if composers().is_empty() {
        return;
    }
    let world = World::new();
    world.write(
        "tree/bin/composer",
        "#!/usr/bin/env php\n<?php\necho json_encode([$_SERVER['argv'], $argv, $_SERVER['PHP_SELF'], \
         realpath($_SERVER['argv'][0]), __FILE__]), \"\\n\";\n",
    );
    world.write(
        "make.php",
        "<?php
        $phar = new Phar('composer.phar');
        $phar->buildFromDirectory('../tree');
        $phar->setStub(\"#!/usr/bin/env php\\n<?php\\nPhar::mapPhar('composer.phar');\\n\"
            .\"require 'phar://composer.phar/bin/composer';\\n__HALT_COMPILER();\");
        ",
    );
    let mut make = world.command("php", "-d phar.readonly=0");
    ran(make.arg(world.path("make.php"))).expect(0);
    let phar = world.path("project/composer.phar");
    let run = |words: &str| {
        let mut command = world.command(env!("CARGO_BIN_EXE_allegro"), words);
        let text = ran(command.env("ALLEGRO_COMPOSER_PATH", &phar)).expect(0);
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    let shown = phar.to_str().unwrap();
    for _ in 0..2 {
        for words in ["install", "show"] {
            let seen = run(words);
            assert_eq!(seen[0], serde_json::json!([shown, words]));
            assert_eq!(seen[1], seen[0]);
            assert_eq!(seen[2], shown);
            assert_eq!(seen[3], shown);
            let file = seen[4].as_str().unwrap();
            assert!(file.contains("composers-v1"), "{file}");
        }
    }
    // What looks at the phar itself gets the phar.
    let file = run("self-update")[4].as_str().unwrap().to_owned();
    assert!(file.starts_with("phar://"), "{file}");
}

#[test]
fn the_users_own_start_file_of_php_still_runs() {
    if composers().is_empty() {
        return;
    }
    let world = World::new();
    world.write("start.php", "<?php fwrite(STDERR, \"started\\n\");");
    world.write(
        "ini/own.ini",
        &format!(
            "auto_prepend_file = {}\n",
            world.path("start.php").display()
        ),
    );
    world.write("project/composer.json", "{}");
    let scan = format!(":{}", world.path("ini").display());
    let mut command = world.command(
        env!("CARGO_BIN_EXE_allegro"),
        "validate -d . --no-check-all",
    );
    let run = ran(command.env("PHP_INI_SCAN_DIR", &scan));
    assert_eq!(run.err.matches("started").count(), 1, "{run:?}");
    let mut command = world.command(env!("CARGO_BIN_EXE_allegro"), "install -vvv");
    let run = ran(command.env("PHP_INI_SCAN_DIR", &scan));
    assert_eq!(run.err.matches("started").count(), 1, "{run:?}");
    assert!(run.err.contains("Allegro\\Plugin\\Plugin"), "{run:?}");
}

/// Ends a process with the test.
struct Server(std::process::Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Packages of path repositories never reach the store. This one comes over HTTP.
#[test]
fn a_downloaded_package_is_linked_from_the_store() {
    let Some(composer) = composers().into_iter().next() else {
        return;
    };
    let world = World::new();
    world.write(
        "make.php",
        "<?php
        $zip = new ZipArchive();
        $zip->open('one.zip', ZipArchive::CREATE);
        $zip->addFromString('one/composer.json', '{\"name\": \"acme/one\"}');
        $zip->addFromString('one/data.txt', str_repeat('data', 1000));
        $zip->close();
        echo sha1_file('one.zip');
        ",
    );
    let mut make = world.command("php", "");
    make.arg(world.path("make.php"))
        .current_dir(world.path("home"));
    let made = ran(&mut make);
    if made.code != Some(0) {
        println!("skipped: PHP has no ZipArchive");
        return;
    }
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let mut serve = world.command("php", "-S");
    serve
        .arg(format!("127.0.0.1:{port}"))
        .current_dir(world.path("home"))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let _server = Server(serve.spawn().unwrap());
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    world.write(
        "project/composer.json",
        &format!(
            r#"{{"require": {{"acme/one": "*"}}, "config": {{"secure-http": false, "autoloader-suffix": "S"}},
                "repositories": [{{"packagist.org": false}}, {{"type": "package", "package":
                {{"name": "acme/one", "version": "1.0.0", "dist": {{"type": "zip", "shasum": "{}",
                "url": "http://127.0.0.1:{port}/one.zip"}}}}}}]}}"#,
            made.out
        ),
    );
    ran(&mut world.command(&composer, "update")).expect(0);
    let expected = tree(&world.path("project"));
    let links = |path: &str| {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(world.path(path)).unwrap().nlink()
    };
    fs::remove_dir_all(world.path("project/vendor")).unwrap();
    world
        .allegro("install --link-strategy hardlink --store-path st")
        .expect(0);
    same(
        &expected,
        &tree(&world.path("project"))
            .into_iter()
            .filter(|(path, _)| !path.starts_with("st"))
            .collect(),
    );
    assert!(links("project/vendor/acme/one/data.txt") > 1);
    let status = world
        .allegro("store status --json --store-path st")
        .expect(0);
    assert!(status.contains("\"manifests\": 1"), "{status}");
}
