use super::*;

fn installed(names: &[(&str, &str)]) -> Json {
    let packages = names
        .iter()
        .map(|(name, kind)| {
            let mut json = Json::object();
            json.set("name", Json::str(*name));
            json.set("type", Json::str(*kind));
            json
        })
        .collect();
    let mut json = Json::object();
    json.set("packages", Json::Array(packages));
    json
}

/// Returns the rules of the copy, or the reason against one.
fn rules(root: &str, config: &str, plugins: &[(&str, &str)]) -> Result<String, String> {
    let mut root = object(root, "composer.json")?;
    adapt_root(
        &mut root,
        &object(config, "config.json")?,
        &installed(plugins),
    )?;
    assert_eq!(
        root.get("config").expect("it works").str_at("vendor-dir"),
        Some("vendor")
    );
    Ok(root
        .get("config")
        .expect("it works")
        .get("allow-plugins")
        .expect("it works")
        .to_line())
}

#[test]
fn rules_of_other_plugins_stay_as_they_are() {
    let own = r#""allegro/plugin":true"#;
    let theirs = [("acme/one", "composer-plugin"), ("acme/lib", "library")];
    let with = |rules: &str| format!(r#"{{"config":{{"allow-plugins":{rules}}}}}"#);
    let cases = [
        (String::new(), String::new(), &[][..], Ok(String::new())),
        (
            with("true"),
            String::new(),
            &theirs,
            Ok(r#","*":true"#.to_owned()),
        ),
        (
            String::new(),
            with("false"),
            &theirs,
            Ok(r#","*":false"#.to_owned()),
        ),
        (
            with(r#"{"acme/*":true}"#),
            with(r#"{"acme/*":false,"b/b":true}"#),
            &theirs,
            Ok(r#","acme/*":true,"b/b":true"#.to_owned()),
        ),
        (
            with(r#"{"b/b":true}"#),
            String::new(),
            &theirs,
            Err("acme/one"),
        ),
        (String::new(), String::new(), &theirs, Err("acme/one")),
        (
            with(r#"{"allegro/plugin":false}"#),
            String::new(),
            &[],
            Err("forbids"),
        ),
        (with("3"), String::new(), &[], Err("odd")),
        ("[]".to_owned(), String::new(), &[], Err("no object")),
        ("{".to_owned(), String::new(), &[], Err("no JSON")),
    ];
    for (root, config, plugins, expected) in cases {
        let found = rules(&root, &config, plugins);
        match expected {
            Ok(rest) => assert_eq!(
                found.map(|text| text.replace("\\/", "/").replace(": ", ":")),
                Ok(format!("{{{own}{rest}}}")),
                "{root} {config}"
            ),
            Err(part) => assert!(
                found.expect_err("refused").contains(part),
                "{root} {config}"
            ),
        }
    }
}

#[test]
fn patterns_fit_as_composers_do() {
    for (pattern, name, fits) in [
        ("a/b", "A/b", true),
        ("a/b", "a/bc", false),
        ("a/*", "a/b", true),
        ("*", "a/b", true),
        ("*/b", "a/b", true),
        ("a*b*c", "a/x-b/c", true),
        ("a*b*c", "a/c", false),
        ("*b", "a/bx", false),
    ] {
        assert_eq!(is_match(pattern, name), fits, "{pattern} {name}");
    }
}

#[test]
fn literals_are_php() {
    assert_eq!(literal(b"/it's\\x"), r"'/it\'s\\x'");
}

#[test]
fn the_copy_has_the_users_packages_and_the_plugin() {
    let dir = tempfile::tempdir().expect("it works");
    let home = dir.path().join("home");
    let vendor = home.join("packages");
    fs::create_dir_all(vendor.join("composer")).expect("it works");
    fs::create_dir_all(vendor.join("acme/lib")).expect("it works");
    fs::write(
        home.join("composer.json"),
        r#"{"require":{"acme/lib":"*"},"config":{"vendor-dir":"packages"}}"#,
    )
    .expect("it works");
    fs::write(
        vendor.join("composer/installed.json"),
        r#"{"packages":[{"name":"acme/lib","version":"1.0.0","type":"library","install-path":"../acme/lib"},
            {"name":"allegro/plugin","version":"0.0.1","type":"composer-plugin"}],"dev":true}"#,
    )
    .expect("it works");
    let plugin = dir.path().join("plugin");
    fs::create_dir(&plugin).expect("it works");
    fs::write(
        plugin.join("composer.json"),
        r#"{"name":"allegro/plugin","version":"0.1.0","type":"composer-plugin"}"#,
    )
    .expect("it works");
    let homes = Homes {
        cache: home.join("cache"),
        data: home.clone(),
        home,
    };
    let overlay = |manifest: Option<&'static str>| Overlay {
        homes: &homes,
        plugin: &plugin,
        manifest,
        script: None,
    };
    let store = dir.path().join("store");
    let start = overlay(None).start_file(&store).expect("it works");
    let copy = start.parent().expect("it works");
    assert!(copy.join("vendor/acme/lib").is_dir());
    assert_eq!(
        fs::read_link(copy.join("vendor/allegro/plugin")).expect("it works"),
        plugin
    );
    let text = fs::read_to_string(copy.join("vendor/composer/installed.json")).expect("it works");
    assert_eq!(
        text.matches("allegro\\/plugin\"").count() + text.matches("allegro/plugin\"").count(),
        2
    );
    assert!(
        text.contains("0.1.0.0") && !text.contains("0.0.1"),
        "{text}"
    );
    let text = fs::read_to_string(&start).expect("it works");
    assert!(text.contains(copy.to_str().expect("it works")), "{text}");
    assert!(text.contains("COMPOSER_CACHE_DIR"), "{text}");
    // A setting of the project must not be beaten by a variable.
    let other = overlay(Some(r#"{"config":{"cache-dir":"x"}}"#))
        .start_file(&store)
        .expect("it works");
    let text = fs::read_to_string(other).expect("it works");
    assert!(!text.contains("COMPOSER_CACHE_DIR"), "{text}");
}
