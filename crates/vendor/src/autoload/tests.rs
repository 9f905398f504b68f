#![allow(clippy::unwrap_used)]

use allegro_composer::json::Json;
use tempfile::TempDir;

use super::traits::{Code, Guard, Require};
use super::*;

/// A project in a directory of its own.
struct Project {
    scratch: TempDir,
    root: Json,
    packages: Vec<(Package, Option<String>)>,
    dev_names: HashSet<String>,
}

fn package(name: &str, autoload: &str, requires: &[(&str, &str)]) -> Package {
    Package {
        name: name.to_owned(),
        pretty_name: name.to_owned(),
        version: String::new(),
        pretty_version: String::new(),
        kind: "library".to_owned(),
        target_dir: None,
        source: None,
        dist: None,
        requires: requires
            .iter()
            .map(|(target, constraint)| Link {
                target: (*target).to_owned(),
                constraint: (*constraint).to_owned(),
            })
            .collect(),
        conflicts: Vec::new(),
        provides: Vec::new(),
        replaces: Vec::new(),
        dev_requires: Vec::new(),
        bins: Vec::new(),
        autoload: Json::parse(autoload).unwrap(),
        include_paths: Vec::new(),
        alias: None,
        notification_url: None,
        abandoned: None,
        has_funding: false,
        entry: Json::Null,
    }
}

impl Project {
    fn new(root: &str) -> Self {
        Self {
            scratch: tempfile::tempdir().unwrap(),
            root: Json::parse(root).unwrap(),
            packages: Vec::new(),
            dev_names: HashSet::new(),
        }
    }

    fn base(&self) -> String {
        let base = self.scratch.path().canonicalize().unwrap();
        base.to_str().unwrap().to_owned()
    }

    fn with(mut self, package: Package) -> Self {
        let path = format!("{}/vendor/{}", self.base(), package.name);
        self.packages.push((package, Some(path)));
        self
    }

    /// Makes a dump with an input that a function has changed.
    fn plan(
        &self,
        version: &str,
        change: impl FnOnce(&mut Input<'_>),
    ) -> Result<DumpPlan, Unfamiliar> {
        let base = self.base();
        let vendor = format!("{base}/vendor");
        let packages: Vec<AutoloadPackage> = self
            .packages
            .iter()
            .map(|(package, path)| AutoloadPackage {
                package,
                install_path: path.clone(),
            })
            .collect();
        let mut input = Input {
            base_path: &base,
            vendor_path: &vendor,
            root: Root {
                name: "__root__",
                autoload: self.root.get("autoload").unwrap_or(&Json::Null),
                autoload_dev: self.root.get("autoload-dev").unwrap_or(&Json::Null),
                requires: &[],
                provides: &[],
                replaces: &[],
                include_paths: &[],
                target_dir: None,
            },
            packages: &packages,
            dev_mode: true,
            dev_package_names: &self.dev_names,
            optimize: false,
            authoritative: false,
            apcu: false,
            apcu_prefix: None,
            prepend: true,
            use_include_path: false,
            platform_check: PlatformCheck::PhpOnly,
            ignored_platform: IgnoredPlatform::Nothing,
            suffix: None,
            content_hash: Some("abc"),
            entropy: None,
        };
        change(&mut input);
        plan(&input, &Traits::of(version).unwrap())
    }

    fn text(&self, version: &str, file: &str) -> String {
        let plan = self.plan(version, |_| {}).unwrap();
        let rendered = plan.render(&Scan::default()).unwrap();
        let text = rendered.files.into_iter().find(|(name, _)| *name == file);
        text.unwrap().1.unwrap()
    }
}

#[test]
fn versions_have_their_traits() {
    let of = |version: &str| Traits::of(version).unwrap();
    assert_eq!(of("2.2.29").code, Code::WithFallback);
    assert_eq!(of("2.3.3").code, Code::Direct);
    assert_eq!(of("2.5.5").code, Code::Called);
    assert_eq!(of("2.5.1").require, Require::Closure);
    assert_eq!(of("2.8.6").guard, Guard::Triggers);
    assert!(!of("2.2.7").sorts_by_name);
    assert!(of("2.2.11").skips_lost_exclusions && !of("2.3.2").skips_lost_exclusions);
    assert!(of("2.10.2").trims_lines && !of("2.8.12").trims_lines);
    for unknown in [
        "1.10.27",
        "2.1.14",
        "2.12.0",
        "3.0.0",
        "2.10",
        "2.9.0-RC1",
        "2.10-dev+1234",
        "",
        "2.+5.1",
    ] {
        assert_eq!(Traits::of(unknown), None, "{unknown}");
    }
    assert_eq!(of("2.8.8").with_generator("1.0.0"), None);
    assert_eq!(of("2.5.5").with_generator("1.2.1"), None);
    assert_eq!(of("2.2.29").with_generator("1.0.0"), None);
    assert!(
        of("2.5.5")
            .with_generator("1.6.1")
            .unwrap()
            .backslash_guards
    );
}

#[test]
fn dependencies_are_loaded_first_and_the_root_has_the_first_word() {
    let project = Project::new(r#"{"autoload": {"psr-4": {"A\\": "src"}, "files": ["f.php"]}}"#)
        .with(package(
            "a/top",
            r#"{"psr-4": {"A\\": "top/", "B\\": ["x", ""]}, "files": ["f.php"]}"#,
            &[("b/low", "*"), ("php", ">=7.4 || ^8.0")],
        ))
        .with(package(
            "b/low",
            r#"{"psr-4": {"A\\": "low"}, "files": ["f.php"]}"#,
            &[],
        ));
    let files = project.text("2.10.2", "composer/autoload_files.php");
    let at = |path: &str| files.find(path).unwrap();
    assert!(at("'/b/low/f.php'") < at("'/a/top/f.php'"));
    assert!(at("'/a/top/f.php'") < at("$baseDir . '/f.php'"));
    let psr4 = project.text("2.10.2", "composer/autoload_psr4.php");
    assert!(psr4.ends_with(
        "return array(\n    'B\\\\' => array($vendorDir . '/a/top/x', $vendorDir . '/a/top'),\n    \
         'A\\\\' => array($baseDir . '/src', $vendorDir . '/a/top/top', $vendorDir . \
         '/b/low/low'),\n);\n"
    ));
    let check = project.text("2.10.2", "composer/platform_check.php");
    assert!(
        check.contains("if (!(PHP_VERSION_ID >= 70400)) {"),
        "{check}"
    );
    assert!(check.contains(r#"require a PHP version ">= 7.4.0". You"#));
    let statics = project.text("2.10.2", "composer/autoload_static.php");
    assert!(statics.contains("class ComposerStaticInitabc\n"));
    assert!(statics.contains(
        "        'B\\\\' =>\n        array (\n            0 => __DIR__ . '/..' . '/a/top/x',\n"
    ));
    assert!(statics.contains("            0 => __DIR__ . '/../..' . '/src',\n"));
}

#[test]
fn the_suffix_is_carried_over_or_drawn() {
    let project = Project::new("{}");
    let suffix = |version: &str, change: &dyn Fn(&mut Input<'_>)| {
        project.plan(version, change).map(|plan| plan.suffix)
    };
    assert_eq!(suffix("2.6.4", &|_| {}).unwrap(), "abc");
    assert!(suffix("2.6.3", &|_| {}).is_err());
    let drawn = suffix("2.6.3", &|input| input.entropy = Some([0xa5; 32]));
    assert_eq!(drawn.unwrap(), "a5".repeat(16));
    std::fs::create_dir(project.scratch.path().join("vendor")).unwrap();
    let text = "ComposerAutoloaderInit:: ComposerAutoloaderInitx y::\nComposerAutoloaderInitOld::";
    std::fs::write(project.scratch.path().join("vendor/autoload.php"), text).unwrap();
    assert_eq!(suffix("2.6.4", &|_| {}).unwrap(), "Old");
    assert_eq!(
        suffix("2.6.4", &|input| input.suffix = Some("New")).unwrap(),
        "New"
    );
    let prefix = |version: &str| {
        let plan = project.plan(version, |input| {
            input.apcu = true;
            input.entropy = Some(*b"0123456789abcdefFF\xff\0zzzzzzzzzzz\x80");
        });
        plan.unwrap().apcu_prefix.unwrap()
    };
    assert_eq!(prefix("2.7.8"), "4646ff007a7a7a7a7a7a");
    assert_eq!(prefix("2.7.7"), "Rkb/AHp6enp6enp6enp6g");
    assert!(project.plan("2.7.7", |input| input.apcu = true).is_err());
}

#[test]
fn odd_rules_are_left_to_composer() {
    for root in [
        r#"{"autoload": {"psr-4": {"NoEnd": "src"}}}"#,
        r#"{"autoload": {"psr-4": ["src"]}}"#,
        r#"{"autoload": {"psr-0": {"1.5": "src"}}}"#,
        r#"{"autoload": {"psr-0": {"Größe": "src", "Ähre": "src"}}}"#,
        r#"{"autoload": {"classmap": [["a", 1]]}}"#,
        r#"{"autoload": {"files": [true]}}"#,
        r#"{"autoload": {"files": ["phar://x.phar/f.php"]}}"#,
        r#"{"autoload": {"files": ["//server/f.php"]}}"#,
        r#"{"autoload": {"files": "f"}, "autoload-dev": {"files": ["g"]}}"#,
    ] {
        let plan = Project::new(root).plan("2.10.2", |_| {});
        let rendered = plan.and_then(|plan| plan.render(&Scan::default()));
        assert!(rendered.is_err(), "{root}");
    }
    let project = Project::new("{}").with(package("a/b07", "{}", &[]));
    assert!(project.plan("2.10.2", |_| {}).is_err());
    let project = Project::new("{}").with(package("a/b", "{}", &[("php", "^8.0-RC1")]));
    assert!(project.plan("2.10.2", |_| {}).is_err());
}

#[test]
fn what_composer_ignores_is_no_obstacle() {
    for root in [
        r#"{"autoload": {"classmap": "src"}}"#,
        r#"{"autoload": [], "autoload-dev": {"psr-4": {"A\\": null}}}"#,
        r#"{"autoload": {"psr-4": []}, "autoload-dev": {"psr-4": {"A\\": "tests"}}}"#,
        r#"{"autoload": {"own": 5}}"#,
    ] {
        let plan = Project::new(root).plan("2.10.2", |_| {}).unwrap();
        assert!(plan.rules().is_empty(), "{root}");
        plan.render(&Scan::default()).unwrap();
    }
}

#[test]
fn files_that_are_not_needed_are_named() {
    let plan = Project::new("{}").plan("2.10.2", |_| {}).unwrap();
    let rendered = plan.render(&Scan::default()).unwrap();
    let missing: Vec<&str> = rendered
        .files
        .iter()
        .filter(|(_, text)| text.is_none())
        .map(|(name, _)| *name)
        .collect();
    assert_eq!(
        missing,
        [
            "composer/include_paths.php",
            "composer/autoload_files.php",
            "composer/platform_check.php"
        ]
    );
    assert_eq!(rendered.classes, 1);
}
