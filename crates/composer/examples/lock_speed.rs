//! Measures how fast a lock is read and recorded: `lock_speed DIRECTORY`, which has a composer.json
//! and a composer.lock.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss
)]

use std::time::Instant;

use allegro_composer::Dialect;
use allegro_composer::installed::{Installed, Member, Present, Vendor};
use allegro_composer::json::Json;
use allegro_composer::lock::Lock;
use allegro_composer::root::RootPackage;

fn main() {
    let directory = std::env::args().nth(1).unwrap();
    let read = |name: &str| std::fs::read_to_string(format!("{directory}/{name}")).unwrap();
    let (text, manifest) = (read("composer.lock"), read("composer.json"));
    let dialect = Dialect::default();
    for _ in 0..5 {
        let start = Instant::now();
        let json = Json::parse(&text).unwrap();
        let parsed = start.elapsed();
        drop(json);
        let start = Instant::now();
        let lock = Lock::parse(&text, dialect).unwrap();
        let loaded = start.elapsed();
        let root = RootPackage::load(&Json::parse(&manifest).unwrap(), None, None, dialect);
        let root = root.unwrap();
        let packages = || lock.packages.iter().chain(&lock.packages_dev);
        let path = |name: &String| format!("/srv/app/vendor/{name}");
        let paths: Vec<String> = packages()
            .map(|package| path(&package.pretty_name))
            .collect();
        let members: Vec<Member<'_>> = packages()
            .zip(&paths)
            .map(|(package, path)| {
                Member::Package(Present {
                    package,
                    installation_source: Some("dist"),
                    path: Some(path),
                })
            })
            .collect();
        let dev_names: Vec<String> = lock
            .packages_dev
            .iter()
            .map(|package| package.name.clone())
            .collect();
        let vendor = Vendor {
            directory: "/srv/app/vendor/composer",
            members: &members,
            dev_names: &dev_names,
            is_dev: true,
            dialect,
        };
        let start = Instant::now();
        let json = vendor.installed_json(None).unwrap();
        let dumped = start.elapsed();
        let php = vendor.installed_php(&root, "/srv/app").unwrap();
        let both = start.elapsed();
        let start = Instant::now();
        let installed = Installed::parse(&json, dialect).unwrap();
        let again = start.elapsed();
        println!(
            "{} packages, {:.1} MB: JSON {parsed:.1?}, lock {loaded:.1?}; installed.json {dumped:.1?}, \
             with installed.php {both:.1?} ({} kB); installed.json read {again:.1?} ({})",
            paths.len(),
            text.len() as f64 / 1e6,
            php.len() / 1000,
            installed.packages.len(),
        );
    }
}
