//! Compares what our dispatcher does with what each Composer at hand does.
//!
//! `ALLEGRO_TEST_COMPOSERS` names more of them than the one in `PATH`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::{DRIVER, MARK, Told};

/// A class whose methods are listeners.
const LISTENER: &str = include_str!("Listener.php");

/// A Composer to compare with.
struct Composer {
    path: PathBuf,
    version: String,
}

fn composers() -> Vec<Composer> {
    let named = std::env::var_os("ALLEGRO_TEST_COMPOSERS").unwrap_or_default();
    let mut paths = vec![PathBuf::from("/usr/bin/composer")];
    paths.extend(std::env::split_paths(&named).map(|path| {
        if path.is_dir() {
            path.join("bin/composer")
        } else {
            path
        }
    }));
    let found: Vec<Composer> = paths
        .into_iter()
        .filter_map(|path| {
            let output = Command::new("php")
                .arg(&path)
                .args(["--version", "--no-ansi"])
                .env("COMPOSER_ALLOW_SUPERUSER", "1")
                .output()
                .ok()?;
            let text = String::from_utf8(output.stdout).ok()?;
            let version = text
                .split_whitespace()
                .find(|word| super::Version::parse(word).is_some())?
                .to_owned();
            Some(Composer { path, version })
        })
        .collect();
    if found.is_empty() {
        println!("skipped: there is no PHP with Composer");
    }
    found
}

/// A project, and the way in which it is installed.
struct Case {
    scripts: &'static str,
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    timeout: u64,
    /// Whether PHP is started before the first event.
    warms_up: bool,
    /// The first version that is compared.
    since: super::Version,
    /// Entries of the manifest besides the scripts.
    more: &'static str,
}

const CASE: Case = Case {
    scripts: "{}",
    arguments: &["install"],
    environment: &[],
    timeout: 300,
    warms_up: false,
    since: super::Version(2, 2, 0),
    more: "",
};

/// What can be seen of a run.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    output: String,
    errors: String,
    code: Option<i32>,
}

impl Case {
    fn write(&self, root: &Path) {
        let write = |name: &str, text: &str| {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "composer.json",
            &format!(
                r#"{{"name": "t/t", "type": "project", {} "require": {{}},
                "repositories": [{{"packagist.org": false}}],
                "autoload": {{"psr-4": {{"App\\": "src/", "Illuminate\\Foundation\\": "laravel/"}}}},
                "config": {{"process-timeout": {}}},
                "scripts": {}}}"#,
                self.more, self.timeout, self.scripts
            ),
        );
        write("src/Listener.php", LISTENER);
        write(
            "src/GreetCommand.php",
            "<?php namespace App;
            class GreetCommand extends \\Symfony\\Component\\Console\\Command\\Command {
                protected function execute($input, $output): int {
                    $output->writeln('<info>greetings</info>');
                    return 4;
                }
            }",
        );
        write(
            "show.php",
            "<?php echo json_encode([ini_get('memory_limit'), ini_get('allow_url_fopen'),
            ini_get('disable_functions'), PHP_BINARY, array_slice($argv, 1)]), \"\\n\";",
        );
        write(
            "ini/own.ini",
            "memory_limit=128M\nallow_url_fopen=0\ndisable_functions=dl,mail\n",
        );
        write("vendor/bin/tool", "#!/bin/sh\necho \"tool: $0 $@\"\n");
        write("vendor/bin/phptool", "<?php echo \"phptool\\n\";\n");
        for tool in ["tool", "phptool"] {
            let path = root.join("vendor/bin").join(tool);
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    fn command(&self, program: &Path, root: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(root)
            .env_clear()
            .envs(Self::base(root))
            .envs(self.environment.iter().copied());
        command
    }

    fn base(root: &Path) -> Vec<(String, String)> {
        let pairs = [
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("COMPOSER_ALLOW_SUPERUSER", "1"),
            ("TERM", "xterm"),
        ];
        let mut pairs: Vec<(String, String)> = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let home = root.with_extension("home");
        fs::create_dir_all(&home).unwrap();
        pairs.push(("HOME".to_owned(), home.display().to_string()));
        pairs
    }

    fn real(&self, composer: &Composer, root: &Path) -> Seen {
        let composer = &composer.path;
        let output = self.command(composer, root).args(self.arguments).output();
        seen(output.unwrap())
    }

    fn told(&self, composer: &Composer, is_interactive: bool) -> String {
        let verbosity = match self.arguments {
            [.., "-q"] => 0,
            [.., "-v"] => 2,
            [.., "-vv"] => 3,
            _ => 1,
        };
        let told = Told {
            arguments: self
                .arguments
                .iter()
                .map(|word| (*word).to_owned())
                .collect(),
            php: "/usr/bin/php".to_owned(),
            composer: composer.path.display().to_string(),
            version: composer.version.clone(),
            verbosity,
            timeout: self.timeout,
            is_interactive,
            is_decorated: is_interactive,
            warms_up: self.warms_up,
        };
        serde_json::to_string(&told).unwrap()
    }

    fn ours(&self, composer: &Composer, root: &Path) -> Seen {
        let output = self
            .command(&std::env::current_exe().unwrap(), root)
            .args(["scripts::tests::driver", "--exact", "--nocapture"])
            .env(DRIVER, self.told(composer, false))
            .output();
        seen(output.unwrap())
    }

    /// Prepares the project with a lock and a vendor directory.
    fn prepare(&self, composer: &Composer, root: &Path) {
        self.write(root);
        let output = self
            .command(&composer.path, root)
            .args(["update", "--no-scripts", "-q"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// Runs the case with each Composer, and with our dispatcher in its place.
    fn compare(&self) {
        for composer in composers() {
            if super::Version::parse(&composer.version).unwrap() < self.since {
                continue;
            }
            let scratch = tempfile::tempdir().unwrap();
            let root = scratch.path().join("project");
            self.prepare(&composer, &root);
            let real = self.real(&composer, &root);
            let ours = self.ours(&composer, &root);
            assert_eq!(
                ours.code, real.code,
                "{} {ours:?} {real:?}",
                composer.version
            );
            for (ours, real) in [(ours.output, real.output), (ours.errors, real.errors)] {
                let differs = ours
                    .lines()
                    .zip(real.lines())
                    .find(|(ours, real)| ours != real);
                assert_eq!(differs, None, "Composer {}", composer.version);
                assert_eq!(ours, real, "Composer {}", composer.version);
            }
        }
    }
}

/// Leaves only what the scripts have said.
fn seen(output: Output) -> Seen {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let is_of_scripts = |line: &&str| {
        ![
            "Installing dependencies from lock file",
            "Verifying lock file contents can be installed",
            "Nothing to install, update or remove",
            "Generating autoload files",
            "Generated autoload files",
            "Dependency resolution completed",
        ]
        .iter()
        .any(|start| line.starts_with(start))
    };
    let of_scripts = |text: String| {
        let text = text
            .split_once(MARK)
            .map_or(text.as_str(), |(_, rest)| rest);
        text.split_inclusive('\n').filter(is_of_scripts).collect()
    };
    Seen {
        output: of_scripts(text(output.stdout)),
        errors: of_scripts(text(output.stderr)),
        code: output.status.code(),
    }
}

macro_rules! case {
    ($name:ident, $($field:ident: $value:expr),+ $(,)?) => {
        #[test]
        fn $name() {
            Case { $($field: $value,)+ ..CASE }.compare();
        }
    };
}

case!(lines_run_in_order, scripts: r#"{
    "pre-install-cmd": "echo pre; echo err >&2; pwd",
    "pre-autoload-dump": ["echo dump", "true"],
    "post-autoload-dump": ["tool a 'b c' | cat", "", "cat; test -p /dev/stdin && echo pipe"],
    "post-install-cmd": "echo \"dev $COMPOSER_DEV_MODE\"; printf 'no newline'"
}"#);

case!(children_see_the_environment_of_composer, scripts: r#"{
    "pre-install-cmd": "env -0 | sort -z | tr '\\0' '\\n'",
    "post-install-cmd": ["@putenv A=1=2", "@putenv TERM", "@putenv B=", "env | sort", "@php -r \"echo getenv('A'), getenv('PHP_BINARY');\""]
}"#, environment: &[
    ("GIT_DIR", "x"), ("LANGUAGE", "de"), ("LINES", "40"), ("DYLD_LIBRARY_PATH", "/x"),
    ("WITH.DOT", "1"), ("argv", "1"), ("GIT_ASKPASS", "own"), ("SHELL_VERBOSITY", "0"),
], arguments: &["install", "--no-dev"]);

case!(a_root_version_keeps_the_environment, scripts: r#"{
    "post-install-cmd": "env | sort"
}"#, more: r#""version": "1.0.0","#, environment: &[("GIT_DIR", "x"), ("LANGUAGE", "de")]);

case!(a_root_version_of_the_environment_keeps_it, scripts: r#"{
    "post-install-cmd": "env | sort"
}"#, environment: &[("GIT_WORK_TREE", "x"), ("COMPOSER_ROOT_VERSION", "1.2.3")]);

case!(a_failure_ends_the_run, scripts: r#"{
    "post-autoload-dump": ["echo one", "echo bad >&2; exit 7", "echo never"],
    "post-install-cmd": "echo never"
}"#);

case!(a_failure_of_a_nested_script_names_its_callers, scripts: r#"{
    "post-install-cmd": ["@outer x", "echo never"],
    "outer": "@inner  y 'z z'",
    "inner": ["echo inner", "exit 3 #"]
}"#);

case!(nested_failures_are_told_when_quiet, scripts: r#"{
    "post-install-cmd": ["@outer"], "outer": ["echo out; echo err >&2", "exit 3"]
}"#, arguments: &["install", "-q"]);

case!(php_runs_with_the_settings_of_composer, scripts: r#"{
    "post-install-cmd": ["@php show.php a 'b c'", "@php phptool", "@php -d memory_limit=1G show.php",
        "@php vendor/bin/phptool", "@php nothing-here", "echo never"]
}"#);

case!(php_takes_the_memory_limit_of_the_environment, scripts: r#"{
    "post-install-cmd": ["@php show.php"]
}"#, environment: &[("COMPOSER_MEMORY_LIMIT", "3G")]);

case!(php_runs_with_a_configuration, scripts: r#"{
    "post-autoload-dump": ["@php show.php", "App\\Listener::record"],
    "post-install-cmd": ["@php show.php"]
}"#, environment: &[("PHP_INI_SCAN_DIR", ":ini")]);

case!(php_is_taken_from_the_environment, scripts: r#"{
    "post-install-cmd": ["@php show.php", "echo $PHP_BINARY"]
}"#, environment: &[("PHP_BINARY", "php")]);

case!(composer_runs_as_a_child, scripts: r#"{
    "post-install-cmd": ["@composer --version --no-ansi", "composer validate --no-ansi  --no-check-all",
        "@composer nonsense --no-ansi"]
}"#);

case!(references_to_nothing_are_told, scripts: r#"{
    "post-install-cmd": ["@nothing a", "@composer", "@empty", "echo on"], "empty": []
}"#);

case!(verbose_runs_name_the_event, scripts: r#"{
    "pre-install-cmd": ["echo a", "@sub x y", "Composer\\Config::disableProcessTimeout"],
    "post-install-cmd": ["@sub @no_additional_args", "@putenv Q=1", "@composer --version --no-ansi"],
    "sub": ["echo sub", "@deeper 1"],
    "deeper": "echo deeper"
}"#, arguments: &["install", "-v"]);

case!(arguments_are_passed_to_nested_scripts, scripts: r#"{
    "post-install-cmd": ["@sub x 'y", "@sub", "@sub  z"],
    "sub": ["echo sub", "echo no @no_additional_args", "echo @additional_args in the middle",
        "@deeper 1", "@deeper @additional_args 2", "@no_additional_args@deeper 4", "@php show.php"],
    "deeper": "echo deeper"
}"#);

// Before 2.4 Composer shows an exception of its own.
case!(a_signal_ends_the_run, since: super::Version(2, 4, 0), scripts: r#"{
    "post-install-cmd": ["(kill -9 $$); echo on", "sh -c 'kill -9 $$'; exit $?", "echo never"]
}"#);

case!(background_processes_are_not_waited_for, scripts: r#"{
    "post-install-cmd": ["sleep 5 & echo first", "echo second"]
}"#);

case!(much_output_arrives_whole, scripts: r#"{
    "post-install-cmd": "seq 1 200000; seq 1 100000 >&2"
}"#);

case!(skipped_scripts, scripts: r#"{
    "post-install-cmd": ["@skipped", "@other"], "pre-install-cmd": "echo pre",
    "skipped": "echo skipped", "other": "echo other"
}"#, environment: &[("COMPOSER_SKIP_SCRIPTS", " skipped ,pre-install-cmd")], arguments: &["install", "-v"]);

case!(callbacks_see_the_event, scripts: r#"{
    "post-autoload-dump": ["echo before", "App\\Listener::record", "@php show.php"],
    "post-install-cmd": ["App\\Listener::record", "env | sort"]
}"#);

case!(callbacks_see_options, scripts: r#"{
    "post-autoload-dump": ["App\\Listener::record"],
    "post-install-cmd": ["@sub x y", "echo $FROM_CALLBACK"],
    "sub": ["App\\Listener::record", "echo shell", "@php show.php"]
}"#, arguments: &["install", "--no-dev", "-v"], environment: &[("COMPOSER_ALLOW_SUPERUSER", "yes")]);

case!(laravel, scripts: r#"{
    "post-autoload-dump": ["Illuminate\\Foundation\\ComposerScripts::postAutoloadDump",
        "@php artisan package:discover --ansi"],
    "post-install-cmd": "ls"
}"#, warms_up: true);

case!(a_shutdown_function_runs_after_a_failure, scripts: r#"{
    "post-autoload-dump": ["App\\Listener::record", "App\\Listener::late", "exit 4 #"]
}"#, warms_up: true);

case!(callbacks_change_the_process, scripts: r#"{
    "post-autoload-dump": ["App\\Listener::change", "env | sort; pwd", "@php ../show.php",
        "App\\Listener::state"],
    "post-install-cmd": ["App\\Listener::state", "App\\Listener::fails", "echo on"]
}"#);

case!(callbacks_that_are_missing, scripts: r#"{
    "post-install-cmd": ["No\\Such::thing", "App\\Listener::nothing", "echo on"]
}"#);

case!(a_callback_throws, scripts: r#"{
    "post-install-cmd": ["App\\Listener::throws", "echo never"]
}"#);

case!(a_callback_exits, scripts: r#"{
    "post-autoload-dump": ["App\\Listener::exits"], "post-install-cmd": "echo never"
}"#);

case!(a_callback_has_shutdown_functions, scripts: r#"{
    "post-autoload-dump": ["App\\Listener::shutdown"], "post-install-cmd": "echo on"
}"#);

case!(a_nested_script_with_a_callback_fails, scripts: r#"{
    "post-install-cmd": ["@sub x"], "sub": ["App\\Listener::record", "exit 9 #", "echo never"]
}"#);

case!(a_command_class_as_a_script, scripts: r#"{
    "post-install-cmd": ["@greet", "App\\GreetCommand", "echo on"], "greet": "App\\GreetCommand"
}"#);

case!(callbacks_are_quiet, scripts: r#"{
    "post-install-cmd": ["App\\Listener::record", "echo on"]
}"#, arguments: &["install", "-q"]);

case!(a_dump_keeps_the_mode_of_the_environment, scripts: r#"{
    "pre-autoload-dump": "echo $COMPOSER_DEV_MODE",
    "post-autoload-dump": ["App\\Listener::record", "echo $COMPOSER_DEV_MODE"]
}"#, arguments: &["dump-autoload"], environment: &[("COMPOSER_DEV_MODE", "other")]);

/// Runs both sides under a terminal of their own, where children talk to the terminal.
#[test]
fn children_have_the_terminal() {
    let case = Case {
        scripts: r#"{
            "post-autoload-dump": "App\\Listener::record",
            "post-install-cmd": ["test -t 0 && test -t 1 && test -t 2 && echo terminal", "exit 5"]
        }"#,
        ..CASE
    };
    if !Path::new("/usr/bin/script").exists() {
        println!("skipped: there is no program \"script\"");
        return;
    }
    for composer in composers() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("project");
        case.prepare(&composer, &root);
        let run = |line: &str, told: Option<String>| {
            let mut command = case.command(Path::new("/usr/bin/script"), &root);
            command.args(["-qec", line, "/dev/null"]);
            command.envs(told.map(|told| (DRIVER, told)));
            let output = command.output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let lines = text.lines().filter(|line| {
                ["Installing dep", "Verifying lock", "Nothing to", "Generat"]
                    .iter()
                    .all(|start| !line.contains(start))
            });
            let text: Vec<String> = lines.map(str::to_owned).collect();
            (text.join("\n"), output.status.code())
        };
        let real = run(&format!("{} install", composer.path.display()), None);
        let exe = std::env::current_exe().unwrap();
        let line = format!(
            "{} scripts::tests::driver --exact --nocapture",
            exe.display()
        );
        let (text, code) = run(&line, Some(case.told(&composer, true)));
        let text = text.split_once(MARK.trim_end()).unwrap().1.trim_start();
        assert_eq!((text.to_owned(), code), real, "{}", composer.version);
    }
}
