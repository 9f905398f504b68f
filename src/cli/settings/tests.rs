use super::*;

fn environment(variable: fn(&std::ffi::OsStr) -> Option<std::ffi::OsString>) -> Environment {
    Environment {
        variable,
        ..Environment::PROCESS
    }
}

fn file(text: &str) -> (tempfile::TempDir, ConfigFile) {
    let dir = tempfile::tempdir().expect("it works");
    let path = dir.path().join("config.json");
    std::fs::write(&path, text).expect("it works");
    let file = ConfigFile::at(&path);
    (dir, file)
}

#[test]
fn a_flag_beats_a_variable_which_beats_the_file() {
    let (_dir, file) =
        file(r#"{"workers": 3, "link_strategy": "copy", "no_dev": true, "no_scripts": true}"#);
    let environment = environment(|name| match name.to_str()? {
        "ALLEGRO_WORKERS" => Some("5".into()),
        "ALLEGRO_NO_SCRIPTS" => Some("no".into()),
        _ => None,
    });
    let settings = Settings::resolve(&Flags::default(), &environment, &file).expect("it works");
    assert_eq!(settings.workers.value, 5);
    assert_eq!(settings.workers.source, Source::Variable("ALLEGRO_WORKERS"));
    assert_eq!(settings.link_strategy.value.to_string(), "copy");
    assert!(matches!(settings.link_strategy.source, Source::File(_)));
    assert!(settings.no_dev.value);
    assert!(
        !settings.no_scripts.value,
        "a variable can switch off what the file switches on"
    );
    assert_eq!(settings.prune_stale_days.source, Source::Default);
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);

    let flags = Flags {
        workers: Some("7".to_owned()),
        no_dev: Some(false),
        no_scripts: true,
        ..Flags::default()
    };
    let settings = Settings::resolve(&flags, &environment, &file).expect("it works");
    assert_eq!(settings.workers.value, 7);
    assert_eq!(settings.workers.source, Source::Flag("workers"));
    assert!(!settings.no_dev.value);
    assert!(settings.no_scripts.value);
    let overrides = settings.overrides();
    assert_eq!(overrides.workers, Some(7));
    assert_eq!(overrides.link_strategy.as_deref(), Some("copy"));
    assert_eq!(overrides.store, None);
}

#[test]
fn a_wrong_value_of_the_file_is_ignored_and_of_an_option_is_an_error() {
    let (_dir, file) = file(r#"{"workers": 99, "no_dev": "yes", "store_path": "relative"}"#);
    let none = environment(|_| None);
    let settings = Settings::resolve(&Flags::default(), &none, &file).expect("it works");
    assert_eq!(settings.workers.value, DEFAULT_WORKERS);
    assert!(!settings.no_dev.value);
    assert_eq!(settings.store_path.value, None);
    assert_eq!(settings.warnings.len(), 3, "{:?}", settings.warnings);
    for flags in [
        Flags {
            workers: Some("0".to_owned()),
            ..Flags::default()
        },
        Flags {
            link_strategy: Some("symlink".to_owned()),
            ..Flags::default()
        },
    ] {
        let failure =
            Settings::resolve(&flags, &none, &ConfigFile::default()).expect_err("refused");
        let Failure::Untold { message, .. } = failure else {
            panic!("untold");
        };
        assert!(message.starts_with("--"), "{message}");
    }
}

#[test]
fn words_that_mean_off() {
    for text in ["", "0", "false", "no", "No", " off "] {
        assert!(!is_on(text), "{text}");
    }
    for text in ["1", "true", "yes", "on", "anything"] {
        assert!(is_on(text), "{text}");
    }
    let colored = environment(|name| (name == "NO_COLOR").then(|| "0".into()));
    let settings =
        Settings::resolve(&Flags::default(), &colored, &ConfigFile::default()).expect("it works");
    assert_eq!(settings.no_color.source, Source::Variable("NO_COLOR"));
}

#[test]
fn every_default_is_valid_and_documented() {
    let page = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/settings.md"),
    )
    .expect("it works");
    for key in &KEYS {
        if !key.default.is_empty() {
            key.parse(key.default).expect("it works");
        }
        assert!(
            page.contains(&format!("| `{}` |", key.name)),
            "{}",
            key.name
        );
    }
}
