#![allow(clippy::unwrap_used)]

use super::*;

fn nothing(_: &str) -> Option<String> {
    None
}

fn directories() -> Directories {
    let [home, cache, data] = ["/h", "/c", "/d"].map(str::to_owned);
    Directories { home, cache, data }
}

fn config(text: &str) -> Config<'static> {
    let release = Release::NEWEST;
    let mut config = Config::new(release, &nothing, "/p", &directories());
    let json = format!("{{\"config\":{text}}}");
    config.merge(&Json::parse(&json).unwrap(), "file").unwrap();
    config
}

/// Chooses directories for the user `/u` on a system where nothing is of XDG.
fn choose(
    variables: &[(&str, &str)],
    existing: &[&str],
    is_macos: bool,
) -> Result<[String; 3], crate::Unfamiliar> {
    let environment = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let chosen = Directories::choose(&Probes {
        environment: &environment,
        has_xdg_variable: variables.iter().any(|(name, _)| name.starts_with("XDG_")),
        is_dir: &|path| existing.contains(&path),
        is_macos,
    })?;
    Ok([chosen.home, chosen.cache, chosen.data])
}

#[test]
fn a_system_without_xdg_keeps_all_in_one_directory() {
    let plain = ["/u/.composer", "/u/.composer/cache", "/u/.composer"].map(str::to_owned);
    assert_eq!(choose(&[("HOME", "/u/")], &[], false).unwrap(), plain);
    assert_eq!(
        choose(&[("HOME", "/u")], &["/u/.config/composer"], false).unwrap(),
        plain
    );
    assert!(choose(&[], &[], false).is_err());
    assert!(choose(&[("HOME", "0")], &[], false).is_err());
}

#[test]
fn a_system_with_xdg_prefers_a_directory_that_exists() {
    let xdg = [
        "/u/.config/composer",
        "/u/.cache/composer",
        "/u/.local/share/composer",
    ];
    let home = ("HOME", "/u");
    assert_eq!(choose(&[home, ("XDG_X", "")], &[], false).unwrap(), xdg);
    assert_eq!(choose(&[home], &["/etc/xdg"], false).unwrap(), xdg);
    let existing = ["/etc/xdg", "/u/.composer"];
    let old = ["/u/.composer", "/u/.cache/composer", "/u/.composer"];
    assert_eq!(choose(&[home], &existing, false).unwrap(), old);
    let existing = ["/etc/xdg", "/u/.composer", "/u/.config/composer"];
    assert_eq!(choose(&[home], &existing, false).unwrap(), xdg);
    let existing = ["/etc/xdg", "/u/.composer", "/u/.composer/cache"];
    let old = ["/u/.composer", "/u/.composer/cache", "/u/.composer"];
    assert_eq!(choose(&[home], &existing, false).unwrap(), old);
}

#[test]
fn macos_has_a_place_for_caches() {
    let home = ("HOME", "/u");
    let cache = "/u/Library/Caches/composer";
    let wanted = ["/u/.composer", cache, "/u/.composer"];
    assert_eq!(choose(&[home], &[], true).unwrap(), wanted);
    assert_eq!(
        choose(&[home], &["/u/.composer/cache", cache], true).unwrap(),
        wanted
    );
    // Composer would move the old cache.
    assert!(choose(&[home], &["/u/.composer/cache"], true).is_err());
}

#[test]
fn a_reference_in_a_circle_ends() {
    assert!(
        config("{\"vendor-dir\":\"{$vendor-dir}\"}")
            .vendor_dir()
            .is_err()
    );
    let circle = config("{\"vendor-dir\":\"{$bin-dir}\",\"bin-dir\":\"{$vendor-dir}\"}");
    assert!(circle.bin_dir().is_err());
    let chain = config("{\"data-dir\":\"{$home}/d\",\"cache-dir\":\"{$data-dir}/c\"}");
    assert_eq!(chain.cache_files_dir().unwrap(), "/h/d/c/files");
}

#[test]
fn settings_have_types() {
    let plain = config("{}");
    assert_eq!(plain.vendor_dir().unwrap(), "/p/vendor");
    assert_eq!(plain.bin_dir().unwrap(), "/p/vendor/bin");
    assert_eq!(plain.cache_files_dir().unwrap(), "/c/files");
    assert_eq!(plain.cache_files_ttl().unwrap(), 15_552_000);
    assert_eq!(plain.cache_files_maxsize().unwrap(), 300 << 20);
    assert_eq!(plain.process_timeout().unwrap(), 300);
    assert_eq!(plain.bin_compat().unwrap(), BinCompat::Auto);
    assert_eq!(plain.platform_check().unwrap(), PlatformCheck::PhpOnly);
    assert_eq!(plain.discard_changes().unwrap(), DiscardChanges::No);
    assert_eq!(plain.autoloader_suffix().unwrap(), None);
    assert_eq!(
        plain.allow_plugins().unwrap(),
        AllowPlugins::Rules(Vec::new())
    );
    assert_eq!(plain.preferred_install().unwrap(), PreferredInstall::Dist);
    assert_eq!(plain.use_parent_dir().unwrap(), None);
    assert!(plain.secure_http().unwrap() && plain.prepend_autoloader().unwrap());
    assert!(!plain.optimize_autoloader().unwrap() && !plain.source_fallback().unwrap());

    let other = config(
        "{\"platform\":{\"php\":\"8.1\",\"ext-a\":false},\"platform-check\":true,\
         \"allow-plugins\":{\"a/*\":true,\"b/b\":false},\"discard-changes\":\"stash\",\
         \"autoloader-suffix\":\"\",\"cafile\":\"\",\"bin-compat\":\"full\"}",
    );
    let platform = [("php", Some("8.1")), ("ext-a", None)];
    let platform = platform.map(|(name, version)| (name.to_owned(), version.map(str::to_owned)));
    assert_eq!(other.platform().unwrap(), platform);
    assert_eq!(other.platform_check().unwrap(), PlatformCheck::Full);
    let rules = [("a/*".to_owned(), true), ("b/b".to_owned(), false)];
    assert_eq!(
        other.allow_plugins().unwrap(),
        AllowPlugins::Rules(rules.to_vec())
    );
    assert_eq!(other.discard_changes().unwrap(), DiscardChanges::Stash);
    assert_eq!(other.autoloader_suffix().unwrap(), None);
    assert_eq!(other.cafile().unwrap(), None);
    assert_eq!(other.bin_compat().unwrap(), BinCompat::Full);
    assert_eq!(other.source_of("platform.php").unwrap(), "file");
}

#[test]
fn the_first_pattern_that_fits_chooses_between_archive_and_source() {
    let choice = |text: &str| {
        config(&format!("{{\"preferred-install\":{text}}}"))
            .preferred_install()
            .unwrap()
    };
    assert!(choice("\"dist\"").takes_dist("a/b", true));
    assert!(!choice("\"source\"").takes_dist("a/b", false));
    assert!(choice("\"auto\"").takes_dist("a/b", false));
    assert!(!choice("\"auto\"").takes_dist("a/b", true));
    let patterns = choice("{\"a/*\":\"source\",\"B/c*e*f\":\"dist\",\"*\":\"auto\"}");
    assert!(!patterns.takes_dist("a/b", false));
    assert!(patterns.takes_dist("b/cxexf", true));
    assert!(patterns.takes_dist("b/cef", true));
    assert!(!patterns.takes_dist("b/ce", true));
    assert!(!patterns.takes_dist("b/cefx", true));
    assert!(patterns.takes_dist("c/d", false));
}

#[test]
fn values_of_other_types_are_unfamiliar() {
    let mut config = config("{}");
    for text in [
        "[]",
        "{\"config\":[]}",
        "{\"config\":{\"lock\":\"true\"}}",
        "{\"config\":{\"vendor-dir\":null}}",
        "{\"config\":{\"platform\":[]}}",
        "{\"config\":{\"home\":\"/x\"}}",
        "{\"repositories\":true}",
        "{\"repositories\":[\"x\"]}",
    ] {
        let merged = config.merge(&Json::parse(text).unwrap(), "file");
        assert!(merged.is_err(), "{text}");
    }
}

#[test]
fn the_manifest_may_have_another_name() {
    assert_eq!(manifest_path(&nothing), "./composer.json");
    assert_eq!(manifest_path(&|_| Some(" ".to_owned())), "./composer.json");
    assert_eq!(
        manifest_path(&|_| Some(" a/b.json\n".to_owned())),
        "a/b.json"
    );
    assert_eq!(lock_path("./composer.json"), "./composer.lock");
    assert_eq!(lock_path("a/manifest"), "a/manifest.lock");
}
