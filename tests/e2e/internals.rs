//! Tests Composers that lack an internal member that Allegro uses. Composer then does that part of
//! the work.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::home;
use crate::support::{Scene, Side, compare, copy_tree, skipped};

/// Files of classes, and a private member of each class, which the copy renames.
const MEMBERS: [(&str, &str); 5] = [
    ("Downloader/ZipDownloader.php", "unzipCommands"),
    ("Repository/FilesystemRepository.php", "dumpVersions"),
    ("Package/Locker.php", "loader"),
    ("Autoload/AutoloadGenerator.php", "runScripts"),
    ("DependencyResolver/PoolBuilder.php", "skippedLoad"),
];

/// Copies the Composer under test, from Debian's layout or from a source tree. Returns its program
/// and its directory of classes.
fn copy_of_composer(to: &Path) -> Option<(PathBuf, PathBuf)> {
    let program = home::composer()?.canonicalize().ok()?;
    let top = program.parent()?.parent()?;
    let copy = to.join("composer");
    if top.join("src/Composer/Composer.php").is_file() {
        copy_tree(top, &copy);
        return Some((copy.join("bin/composer"), copy.join("src/Composer")));
    }
    let libraries = top.join("share/php");
    let (major, minor) = home::composer_version();
    let version = format!("VERSION = '{major}.{minor}.");
    // A path that holds only in a chroot may have another Composer beside it.
    let main = fs::read_to_string(libraries.join("Composer/Composer.php")).unwrap_or_default();
    if !main.contains(&version) {
        return skipped("Composer's sources are not beside it");
    }
    fs::create_dir_all(copy.join("bin")).ok()?;
    fs::create_dir_all(copy.join("share")).ok()?;
    fs::copy(&program, copy.join("bin/composer")).ok()?;
    copy_tree(&libraries, &copy.join("share/php"));
    Some((copy.join("bin/composer"), copy.join("share/php/Composer")))
}

fn rename(file: &Path, member: &str) {
    let status = Command::new("sed")
        .args(["-i", &format!("s/\\b{member}\\b/{member}Otherwise/g")])
        .arg(file)
        .status()
        .expect("sed starts");
    assert!(status.success(), "{}", file.display());
}

#[test]
fn a_member_with_another_name() {
    let Some(scene) = Scene::small() else { return };
    let Some((program, classes)) = copy_of_composer(scene.dir()) else {
        return;
    };
    for (file, member) in MEMBERS {
        let path = classes.join(file);
        let before = fs::read(&path).expect("a class of Composer's");
        rename(&path, member);
        assert_ne!(fs::read(&path).expect("the class"), before, "{member}");
        let call = |side, args: &[&str]| scene.call(side, args).composer(&program);
        let played = compare(&scene, member, |scene, side| {
            scene.write_project();
            [&["install"][..], &["update"], &["dump-autoload", "-o"]]
                .into_iter()
                .map(|args| (args.join(" "), scene.outcome(&call(side, args))))
                .collect()
        });
        for (step, outcome) in &played {
            assert_eq!(
                outcome.run.exit, 0,
                "{member}, {step}: {}",
                outcome.run.stderr
            );
        }
        let resolved = call(Side::Allegro, &["resolve", "--install", "-v"])
            .run()
            .expect(0);
        let said = "Allegro: this Composer has no Composer\\";
        // No message reports a missing record of versions.
        assert!(
            member == "dumpVersions" || resolved.stderr.contains(said),
            "{member}: {}",
            resolved.stderr
        );
        fs::write(&path, before).expect("the class as it was");
    }
}
