use super::*;
use crate::cli::config_file::ConfigFile;
use crate::settings::Environment;

fn words(text: &str) -> Vec<OsString> {
    text.split_whitespace().map(OsString::from).collect()
}

fn read(text: &str) -> Result<(Arguments, String), Failure> {
    let all = words(text);
    let at = command_at(&all).expect("it works");
    let name = all[at].to_str().expect("it works").to_owned();
    let command = ComposerCommand::find(&name);
    let arguments = Arguments::read(all, at, command)?;
    let environment = Environment {
        variable: |name| (name == "ALLEGRO_NO_SCRIPTS").then(|| "1".into()),
        ..Environment::PROCESS
    };
    let settings = Settings::resolve(&arguments.flags, &environment, &ConfigFile::default())
        .expect("it works");
    let passed = arguments.for_composer(&name, command, &settings);
    let passed = passed
        .join(std::ffi::OsStr::new(" "))
        .into_string()
        .expect("it works");
    Ok((arguments, passed))
}

#[test]
fn options_of_allegro_become_composers_or_vanish() {
    for (text, passed) in [
        ("install", "install --no-scripts"),
        (
            "--no-dev install --store-path x --workers=3 --link-strategy copy -o",
            "--no-dev install --no-scripts -o",
        ),
        (
            "--store-path install install --force --offline --no-color",
            "install --no-scripts --no-ansi",
        ),
        (
            "install --dev --no-autoload",
            "install --no-autoloader --no-scripts",
        ),
        ("install --no-scripts", "install --no-scripts"),
        (
            "install --unknown=1 -- --offline",
            "install --no-scripts --unknown=1 -- --offline",
        ),
        (
            "require a/b --no-dev --dev -d dir",
            "require --update-no-dev --no-scripts a/b --dev -d dir",
        ),
        ("outdated --json a/b", "outdated --format=json a/b"),
        ("show --json", "show --format=json"),
        ("run --offline test --offline", "run test --offline"),
        ("exec tool --no-color", "exec tool --no-color"),
        ("my-script --offline --json", "my-script --offline --json"),
        ("--offline my-script --json", "my-script --json"),
        ("reinstall a/b --force", "reinstall a/b --force"),
    ] {
        let found = read(text).map(|(_, passed)| passed);
        assert_eq!(found.ok().as_deref(), Some(passed), "{text}");
    }
}

#[test]
fn options_that_do_not_fit_are_refused() {
    for text in [
        "update --frozen-lockfile",
        "install --json",
        "install --workers",
    ] {
        assert_eq!(read(text).expect_err("refused").exit_code(), 1, "{text}");
    }
}

#[test]
fn switches_are_noted() {
    let (arguments, _) =
        read("-n install --frozen-lockfile -q --no-dev -d sub -h").expect("it works");
    assert!(arguments.is_frozen && arguments.wants_help && !arguments.is_interactive);
    assert!(arguments.flags.quiet);
    assert_eq!(arguments.flags.no_dev, Some(true));
    assert_eq!(arguments.directory, Some("sub".into()));
    let (arguments, _) = read("install -dsub").expect("it works");
    assert_eq!(arguments.directory, Some("sub".into()));
    let (arguments, _) = read("install --working-dir=sub --dev").expect("it works");
    assert_eq!(arguments.directory, Some("sub".into()));
    assert_eq!(arguments.flags.no_dev, Some(false));
}
