//! Measures how fast a lock is read and recorded: `lock_speed DIRECTORY [ROUNDS]`.
//!
//! The directory has a composer.json and a composer.lock. The times are those of the processor.
//! Other programs disturb them nevertheless, so compare versions of the code in turns.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stdout)]

use std::time::Duration;

use allegro_composer::Dialect;
use allegro_composer::installed::{Installed, Member, Present, Vendor};
use allegro_composer::json::Json;
use allegro_composer::lock::Lock;
use allegro_composer::root::RootPackage;
use rustix::time::{ClockId, clock_gettime};

/// Returns the processor time of this thread.
fn spent() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap(),
        time.tv_nsec.try_into().unwrap(),
    )
}

const STEPS: [&str; 6] = [
    "parse JSON",
    "read lock",
    "read root",
    "write installed.json",
    "write installed.php",
    "read installed.json",
];

fn main() {
    let directory = std::env::args().nth(1).unwrap();
    let read = |name: &str| std::fs::read_to_string(format!("{directory}/{name}")).unwrap();
    let (text, manifest) = (read("composer.lock"), read("composer.json"));
    let manifest = Json::parse(&manifest).unwrap();
    let dialect = Dialect::default();
    let mut taken: [Vec<Duration>; 6] = Default::default();
    let mut count = 0;
    let rounds = std::env::args()
        .nth(2)
        .map_or(41, |rounds| rounds.parse().unwrap());
    for _ in 0..rounds {
        let mut start = spent();
        let mut end = |step: usize, start: &mut Duration| {
            taken[step].push(spent().saturating_sub(*start));
            *start = spent();
        };
        let json = Json::parse(&text).unwrap();
        end(0, &mut start);
        let lock = Lock::parse(&text, dialect).unwrap();
        end(1, &mut start);
        let root = RootPackage::load(&manifest, None, None, dialect).unwrap();
        end(2, &mut start);
        drop(json);
        let packages = || lock.packages.iter().chain(&lock.packages_dev);
        let path = |name: &String| format!("/srv/app/vendor/{name}");
        let paths: Vec<String> = packages()
            .map(|package| path(&package.pretty_name))
            .collect();
        let present = packages().zip(&paths).map(|(package, path)| {
            Member::Package(Present {
                package,
                installation_source: Some("dist"),
                path: Some(path),
            })
        });
        let members: Vec<Member<'_>> = present.collect();
        let dev_names = lock.packages_dev.iter().map(|package| package.name.clone());
        let dev_names: Vec<String> = dev_names.collect();
        let vendor = Vendor {
            directory: "/srv/app/vendor/composer",
            members: &members,
            dev_names: &dev_names,
            is_dev: true,
            dialect,
        };
        start = spent();
        let json = vendor.installed_json(None).unwrap();
        end(3, &mut start);
        let php = vendor.installed_php(&root, "/srv/app").unwrap();
        end(4, &mut start);
        let installed = Installed::parse(&json, dialect).unwrap();
        end(5, &mut start);
        count = installed.packages.len();
        assert!(php.len() > 100);
    }
    println!("{count} packages, {} kB", text.len() / 1000);
    for (name, times) in STEPS.iter().zip(&mut taken) {
        let first = times[0];
        times.sort();
        let [least, median] = [times[0], times[times.len() / 2]];
        println!("{name}: first {first:.1?}, least {least:.1?}, median {median:.1?}");
    }
}
