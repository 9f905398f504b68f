use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::LazyLock;

use super::*;
use crate::Store;
use crate::link::Strategy;
use crate::testing::{Package, TIME, unpacking, zone};
use allegro_archive::{Time, Zone};

static ZONE: LazyLock<Zone> = LazyLock::new(zone);

/// A package in a project, with every kind of item.
struct World {
    _dir: tempfile::TempDir,
    package: Package,
    root: PathBuf,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let mut package = Package::of("a/b", "1", &[b"one", b"two"]);
        let item = |path: &str, kind: ItemKind| Item {
            path: path.to_owned(),
            mode: archive::Mode::Default,
            time: 0,
            kind,
        };
        package.manifest.items.push(item("empty", ItemKind::Dir));
        let target = b"src/0.php".to_vec();
        let link = item("link", ItemKind::Symlink { target });
        package.manifest.items.push(link);
        let store = Store::open(&dir.path().join("store")).expect("a store");
        package.store(&store);
        rustix::process::umask(Mode::from_raw_mode(0o022));
        package
            .link(&store, dir.path(), Strategy::Copy)
            .expect("linked");
        Self {
            root: dir.path().join("vendor/a/b"),
            _dir: dir,
            package,
        }
    }

    fn compare<'o>(&self, change: impl FnOnce(&mut CompareOptions<'o>)) -> Vec<(String, Fault)> {
        let mut options = CompareOptions {
            unpacking: unpacking(&ZONE),
            programs: &[],
            reads_content: false,
            owner: Some(rustix::process::geteuid().as_raw()),
            has_modes: true,
            foreign: &[],
        };
        change(&mut options);
        compare_tree(&self.package.manifest, &self.root, &options)
            .expect("compared")
            .into_iter()
            .map(|difference| (difference.path.display().to_string(), difference.fault))
            .collect()
    }

    fn only(&self) -> (String, Fault) {
        let found = self.compare(|_| {});
        assert_eq!(found.len(), 1, "{found:?}");
        found.into_iter().next().expect("one")
    }

    fn set_time(&self, name: &str) {
        let file = File::options()
            .append(true)
            .open(self.root.join(name))
            .expect("open");
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(u64::from(TIME));
        file.set_modified(time).expect("set");
    }
}

#[test]
fn a_linked_package_equals_its_manifest() {
    let world = World::new();
    assert_eq!(world.compare(|_| {}), []);
    assert_eq!(world.compare(|options| options.reads_content = true), []);
}

#[test]
fn each_difference_is_found() {
    let world = World::new();
    fs::write(world.root.join("src/0.php"), "longer").expect("written");
    assert_eq!(world.only(), ("src/0.php".to_owned(), Fault::Size));

    let world = World::new();
    fs::write(world.root.join("src/0.php"), "eno").expect("written");
    assert_eq!(world.only(), ("src/0.php".to_owned(), Fault::Content));
    world.set_time("src/0.php");
    assert_eq!(world.compare(|_| {}), [], "only --content reads it");
    let found = world.compare(|options| options.reads_content = true);
    assert_eq!(found, [("src/0.php".to_owned(), Fault::Content)]);

    let world = World::new();
    fs::write(world.root.join("src/0.php"), "one").expect("written");
    assert_eq!(world.only(), ("src/0.php".to_owned(), Fault::Time));

    let world = World::new();
    fs::remove_dir_all(world.root.join("src")).expect("removed");
    assert_eq!(world.only(), ("src".to_owned(), Fault::Missing));
    fs::write(world.root.join("src"), "").expect("written");
    assert_eq!(world.only(), ("src".to_owned(), Fault::Kind));

    let world = World::new();
    fs::create_dir_all(world.root.join("empty/x/y")).expect("made");
    assert_eq!(world.only(), ("empty/x".to_owned(), Fault::Added));
    let foreign = ["empty/x/y".to_owned()];
    assert_eq!(world.compare(|options| options.foreign = &foreign), []);

    let world = World::new();
    let path = world.root.join("src/1.php");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("chmod");
    let (found, expected) = (0o755, 0o644);
    assert_eq!(
        world.only(),
        ("src/1.php".to_owned(), Fault::Mode { found, expected })
    );
    let programs = ["src/1.php".to_owned()];
    assert_eq!(world.compare(|options| options.programs = &programs), []);
    assert_eq!(world.compare(|options| options.has_modes = false), []);

    let world = World::new();
    fs::remove_file(world.root.join("link")).expect("removed");
    symlink("src/1.php", world.root.join("link")).expect("linked");
    assert_eq!(world.only(), ("link".to_owned(), Fault::Target));

    let world = World::new();
    fs::remove_dir_all(&world.root).expect("removed");
    assert_eq!(world.only(), (String::new(), Fault::Missing));
    symlink("/", &world.root).expect("linked");
    assert_eq!(world.only(), (String::new(), Fault::Kind));
}

#[test]
fn every_entry_has_an_owner() {
    let world = World::new();
    let found = world.compare(|options| options.owner = Some(4242));
    let paths: HashSet<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
    let expected = ["", "src", "src/0.php", "src/1.php", "empty", "link"];
    assert_eq!(paths, expected.into());
}

#[test]
fn a_file_with_the_time_of_its_installation_is_read() {
    let mut world = World::new();
    world.package.manifest.times = vec![Time::Now];
    fs::write(world.root.join("src/0.php"), "one").expect("written");
    assert_eq!(world.compare(|_| {}), []);
    fs::write(world.root.join("src/0.php"), "eno").expect("written");
    assert_eq!(world.only(), ("src/0.php".to_owned(), Fault::Content));
}
