//! Projects made at random.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use allegro_composer::json::Json;
use fastrand::Rng;

use crate::project::Case;

const NAMES: [&str; 14] = [
    "a/a",
    "a/b",
    "a/b-c",
    "a/b_c",
    "a/b2",
    "a/b10",
    "acme/core",
    "acme/Core-Ext",
    "b/log",
    "b/log-9",
    "b/log-10",
    "z/last",
    "meta/pack",
    "symfony/polyfill",
];

const NAMESPACES: [&str; 10] = [
    "App\\",
    "App\\Sub\\",
    "Acme\\",
    "Acme\\Core\\",
    "",
    "Zed\\",
    "a\\",
    "_Under\\",
    "\\",
    "\\App\\",
];

const PREFIXES: [&str; 8] = ["", "Old_", "Old_Sub_", "Acme", "App\\", "Zed", "it's", "a"];

const PATHS: [&str; 17] = [
    "src",
    "src/",
    "lib",
    "",
    ".",
    "./src",
    "tests/",
    "src/../lib",
    "Some/Dir/lib",
    "a//b",
    "0",
    "src/it's",
    "ph.phar",
    "x.phar/src",
    "x.pharma",
    "../shared",
    "src/Sub",
];

const EXCLUDES: [&str; 12] = [
    "tests",
    "/src/Sub/",
    "**/Tests/",
    "src/*/skip",
    "../shared",
    "./src/./x",
    "lib\\Sub",
    "a.b+c#d",
    "missing/../x",
    "../../nowhere/else",
    "",
    "src//Sub",
];

const PHP: [&str; 12] = [
    ">=7.2",
    "^7.4 || ^8.0",
    "~8.1.2",
    "*",
    ">5.3",
    "<9",
    "8.1.*",
    "^8.1",
    "!=8.2.1",
    ">=7.1,<8.9",
    "^5.5.9|>=7.0.8",
    "7.4.3",
];

const EXTENSIONS: [&str; 7] = [
    "ext-json",
    "ext-pcntl",
    "ext-zend-opcache",
    "ext-mbstring",
    "ext-readline",
    "ext-a_b",
    "ext-zip",
];

fn pick<'t>(random: &mut Rng, of: &[&'t str]) -> &'t str {
    of[random.usize(..of.len())]
}

fn some(random: &mut Rng, most: usize) -> usize {
    random.usize(..=most)
}

/// One value or a list of values.
fn paths(random: &mut Rng, of: &[&str]) -> Json {
    match random.u8(..4) {
        0 => Json::strings((0..some(random, 3)).map(|_| pick(random, of))),
        _ => Json::str(pick(random, of)),
    }
}

fn list(random: &mut Rng, of: &[&str], most: usize) -> Json {
    Json::strings((0..some(random, most)).map(|_| pick(random, of)))
}

fn map(random: &mut Rng, keys: &[&str], most: usize) -> Json {
    let mut all = Json::object();
    for _ in 0..some(random, most) {
        let value = match random.u8(..30) {
            0 => Json::str("src\\Sub"),
            _ => paths(random, &PATHS),
        };
        all.set(pick(random, keys), value);
    }
    all
}

fn autoload(random: &mut Rng) -> Json {
    let mut all = Json::object();
    for kind in [
        "psr-4",
        "psr-0",
        "classmap",
        "files",
        "exclude-from-classmap",
    ] {
        if random.bool() {
            continue;
        }
        let value = match kind {
            "psr-4" => map(random, &NAMESPACES, 4),
            "psr-0" => map(random, &PREFIXES, 3),
            "classmap" => list(random, &PATHS, 3),
            "files" => list(
                random,
                &["f.php", "src/f.php", "inc/g.inc", "../h.php", "f.phar"],
                3,
            ),
            _ => list(random, &EXCLUDES, 3),
        };
        all.set(kind, value);
    }
    match random.u8(..240) {
        0 => all.set("classmap", Json::str("src")),
        1 => all.set(
            "files",
            Json::Object(vec![("x".to_owned(), Json::str("named.php"))]),
        ),
        2 => all.set("psr-4", Json::Array(Vec::new())),
        3 => all.set(
            "psr-4",
            Json::Object(vec![("NoEnd".to_owned(), Json::str("src"))]),
        ),
        4 => all.set(
            "psr-0",
            Json::Object(vec![("12".to_owned(), Json::str("src"))]),
        ),
        5 => all.set("psr-0", Json::strings(["src"])),
        _ => {}
    }
    all
}

fn links(random: &mut Rng, names: &[String]) -> Json {
    let mut all = Json::object();
    for _ in 0..some(random, 4) {
        if let Some(name) = random.choice(names) {
            all.set(name, Json::str("*"));
        }
    }
    if random.bool() {
        all.set("php", Json::str(pick(random, &PHP)));
    }
    if random.u8(..8) == 0 {
        all.set("php-64bit", Json::str(pick(random, &PHP)));
    }
    for _ in 0..some(random, 2) {
        all.set(
            pick(random, &EXTENSIONS),
            Json::str(pick(random, &["*", "^2.0", "1.0.0"])),
        );
    }
    all
}

fn extensions(random: &mut Rng, names: &[String]) -> Json {
    let mut all = Json::object();
    for _ in 0..random.usize(..3).saturating_sub(1) {
        all.set(
            pick(random, &EXTENSIONS),
            Json::str(pick(random, &["*", "self.version", "1.0.0", "^2.0"])),
        );
    }
    if random.u8(..6) == 0
        && let Some(name) = random.choice(names)
    {
        all.set(name, Json::str("self.version"));
    }
    all
}

/// Makes a package and chooses its directory.
fn package(
    random: &mut Rng,
    name: &str,
    names: &[String],
    scratch: &Path,
    vendor: &Path,
) -> (Json, Option<String>) {
    let mut entry = Json::object();
    entry.set("name", Json::str(name));
    entry.set("version", Json::str("1.0.0"));
    entry.set("require", links(random, names));
    entry.set("require-dev", links(random, names));
    entry.set("provide", extensions(random, names));
    entry.set("replace", extensions(random, names));
    entry.set("autoload", autoload(random));
    if random.u8(..6) == 0 {
        entry.set("include-path", Json::strings(["/inc/", "lib", ""]));
    }
    let path = match random.u8(..16) {
        0 => None,
        1 => Some(format!("web/{name}/")),
        2 => Some(scratch.join("out").join(name).to_str().unwrap().to_owned()),
        3 => Some(format!("{}/mod.phar/{name}", vendor.display())),
        _ => Some(format!("{}/{name}", vendor.display())),
    };
    let path = path.map(|path| match random.u8(..20) {
        0 => {
            entry.set("target-dir", Json::str("Some/Dir"));
            if random.u8(..10) > 0 {
                entry.child("autoload").remove("psr-4");
            }
            format!("{path}/Some/Dir")
        }
        _ => path,
    });
    (entry, path)
}

/// Makes settings, and the `autoload.php` of an earlier dump.
fn config(random: &mut Rng, vendor: &Path) -> Json {
    let mut config = Json::object();
    let mut present = false;
    match random.u8(..12) {
        0..4 => config.set("autoloader-suffix", Json::str("Chosen")),
        4 => {}
        _ => present = true,
    }
    if present {
        let text =
            "<?php // ComposerAutoloaderInit x\nreturn ComposerAutoloaderInitFormer::getLoader();";
        fs::write(vendor.join("autoload.php"), text).unwrap();
    }
    match random.u8(..4) {
        0 => config.set("platform-check", Json::Bool(false)),
        1 => {}
        _ => config.set("platform-check", Json::Bool(true)),
    }
    if random.u8(..4) == 0 {
        config.set("prepend-autoloader", Json::Bool(false));
        config.set("use-include-path", Json::Bool(true));
    }
    config
}

/// Makes a project below a directory, which is a real path.
pub fn project(random: &mut Rng, scratch: &Path) -> Case {
    let base = scratch.join(pick(
        random,
        &["p", "my-app/www", "a b/it's.x", "v/app", "vendor-x"],
    ));
    let vendor = match random.u8(..10) {
        0 => scratch.join("elsewhere/deps"),
        1 => base.join("lib/deps"),
        2 => base.clone(),
        3 if base.ends_with("v/app") => scratch.join("v"),
        4 => scratch.join("x.phar/vendor"),
        _ => base.join("vendor"),
    };
    fs::create_dir_all(&base).unwrap();
    fs::create_dir_all(vendor.join("composer")).unwrap();
    let mut names: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    random.shuffle(&mut names);
    names.truncate(some(random, NAMES.len()));
    let packages = names
        .iter()
        .map(|name| package(random, name, &names, scratch, &vendor))
        .collect();
    let mut root = Json::object();
    if random.bool() {
        root.set("name", Json::str("Acme/Project"));
    }
    root.set("require", links(random, &names));
    root.set("autoload", autoload(random));
    root.set("autoload-dev", autoload(random));
    root.set("provide", extensions(random, &names));
    if random.u8(..8) == 0 {
        root.set("include-path", Json::strings(["lib/"]));
    }
    let config = config(random, &vendor);
    let mut dev_names = Vec::new();
    if random.bool() {
        dev_names = names.iter().map(|name| name.to_lowercase()).collect();
        random.shuffle(&mut dev_names);
        dev_names.truncate(some(random, names.len()));
    }
    let case = Case {
        base,
        vendor,
        root,
        packages,
        dev: random.bool(),
        dev_names,
        optimize: random.bool(),
        authoritative: random.u8(..4) == 0,
        apcu_prefix: (random.u8(..4) == 0).then(|| "it's\\me".to_owned()),
        config,
        ignored: match random.u8(..6) {
            0 => Json::Bool(true),
            1 => Json::strings(["ext-*", "php-64bit"]),
            2 => Json::strings(["php+", "ext-json"]),
            _ => Json::Bool(false),
        },
        hash: Some("0123456789abcdef0123456789abcdef".to_owned()),
    };
    if random.u8(..10) > 0 {
        case.make_directories();
    }
    fill(random, &case);
    case
}

/// Writes files with classes, and links.
fn fill(random: &mut Rng, case: &Case) {
    let roots: Vec<_> = case
        .packages
        .iter()
        .filter_map(|(_, path)| path.as_ref())
        .map(|path| case.base.join(path))
        .chain([case.base.clone()])
        .filter(|path| path.is_dir())
        .collect();
    for root in &roots {
        for _ in 0..some(random, 4) {
            let directory = root.join(pick(
                random,
                &[
                    "src",
                    "lib",
                    "src/Sub",
                    "tests",
                    "src/x/skip",
                    "lib/Sub/Tests",
                    ".",
                    "a/b",
                    "stubs",
                ],
            ));
            if fs::create_dir_all(&directory).is_err() {
                continue;
            }
            let class = pick(random, &["One", "Two", "Old_Sub", "Three", "it"]);
            let namespace = pick(
                random,
                &[
                    "",
                    "namespace App;",
                    "namespace App\\Sub;",
                    "namespace Acme\\Core;",
                    "namespace Zed;",
                ],
            );
            let text = format!("<?php\n{namespace}\nclass {class} {{}}\ninterface {class}I {{}}\n");
            let name = pick(
                random,
                &["One.php", "Two.php", "Old_Sub.php", "Sub.php", "b.inc"],
            );
            let _ = fs::write(directory.join(name), text);
        }
        if random.u8(..6) == 0 {
            let other = random.choice(&roots).unwrap();
            if !root.starts_with(other) && !other.starts_with(root) {
                let _ = symlink(other.join("src"), root.join("lib"));
            }
        }
    }
}
