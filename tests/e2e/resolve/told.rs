//! Tests `--diff` and `--explain` if the native part is missing, fails, or is kept out of the
//! update.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;

/// A registry with a newer version of the only package of a lock.
struct Upgrade {
    registry: Registry,
    manifest: Value,
    lock: String,
}

impl Upgrade {
    fn new() -> Option<Self> {
        let registry = Registry::new()?;
        let versions = ["2.0.0", "1.0.0"].map(|version| release("a/a", version, json!({})));
        registry.package("", "a/a", versions.into());
        let manifest =
            |a: &str| manifest(&registry.files, &[""], json!({ "require": { "a/a": a } }));
        let (_, lock) = registry.agree("at first", &manifest("1.0.0"), None, &[]);
        let (lock, manifest) = (lock.expect("a lock"), manifest("*"));
        Some(Self {
            registry,
            manifest,
            lock,
        })
    }

    /// Returns the run, and whether the lock is still the former one.
    fn play(&self, args: &[&str], envs: &[(&str, &str)]) -> (Run, bool) {
        self.registry.project(&self.manifest, Some(&self.lock));
        let args = [&["resolve"], args].concat();
        let call = self.registry.scene.call(Side::Allegro, &args);
        let call = envs
            .iter()
            .fold(call.engine(Engine::Helper), |call, (name, value)| {
                call.env(*name, *value)
            });
        let run = call.run();
        let path = self.registry.scene.project().join("composer.lock");
        let lock = fs::read_to_string(path).expect("a lock");
        (run, lock == self.lock)
    }

    /// Returns the directory of the native parts in a home of this scene's own.
    fn native(&self) -> PathBuf {
        let home = self.registry.scene.own_home();
        home.join("vendor/allegro/plugin/native")
    }
}

const CHANGES: &str = "1 upgraded\n  upgraded   a/a  1.0.0 → 2.0.0\n";

#[test]
fn without_a_native_part_nothing_is_updated() {
    let Some(upgrade) = Upgrade::new() else {
        return;
    };
    fs::remove_dir_all(upgrade.native()).expect("removed");
    for envs in [&[][..], &[("ALLEGRO_DISABLE", "1")]] {
        for (args, option) in [
            (&["--diff"][..], "--diff"),
            (&["--diff=json", "--dry-run"], "--diff"),
            (&["--explain=a/a"], "--explain"),
        ] {
            let (run, is_unchanged) = upgrade.play(args, envs);
            let run = run.expect(1);
            let says =
                format!("{option} needs the native part of Allegro: there is no native part");
            assert!(run.stderr.contains(&says), "{}", run.stderr);
            assert!(run.stderr.contains("leave the option out"));
            assert_eq!((run.stdout.as_str(), is_unchanged), ("", true));
        }
        let (run, is_unchanged) = upgrade.play(&[], envs);
        let _ = run.expect(0);
        assert!(!is_unchanged, "Composer resolves by itself");
    }
}

#[test]
fn after_a_failure_the_lock_stays_and_one_line_says_so() {
    let Some(upgrade) = Upgrade::new() else {
        return;
    };
    let mut platforms = fs::read_dir(upgrade.native()).expect("native");
    let helper = platforms.next().expect("a platform").expect("an entry");
    let helper = helper.path().join("allegro");
    fs::remove_file(&helper).expect("removed");
    fs::write(&helper, "#!/bin/sh\nread line\nexit 0\n").expect("written");
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).expect("chmod");
    for (args, option, lock) in [
        (&["--diff"][..], "--diff", "written"),
        (&["--diff", "--dry-run"], "--diff", "as it was"),
        (&["--explain=a/a"], "--explain", "written"),
    ] {
        let (run, is_unchanged) = upgrade.play(args, &[]);
        let run = run.expect(1);
        let begins = format!("Allegro: {option} can not be done (");
        let lines = run.stderr.lines();
        let lines: Vec<&str> = lines.filter(|line| line.starts_with(&begins)).collect();
        assert_eq!(lines.len(), 1, "{}", run.stderr);
        let ends = format!(
            "composer.lock is {lock}, and \"composer allegro:doctor\" looks for the cause."
        );
        assert!(lines[0].ends_with(&ends), "{}", lines[0]);
        assert_eq!(
            (run.stdout.as_str(), is_unchanged),
            ("", lock == "as it was")
        );
    }
}

#[test]
fn both_are_told_where_allegro_is_kept_out_of_the_update() {
    let Some(upgrade) = Upgrade::new() else {
        return;
    };
    let off = [("ALLEGRO_DISABLE", "1")];
    let (run, is_unchanged) = upgrade.play(&["--diff"], &off);
    let run = run.expect(0);
    assert_eq!((run.stdout.as_str(), is_unchanged), (CHANGES, false));
    assert_eq!(run.ours(), Vec::<&str>::new());
    let (run, _) = upgrade.play(&["--explain=a/a"], &off);
    assert_eq!(
        run.expect(0).stdout,
        "a/a 2.0.0\n  the project requires *\n  \
         it is the newest version that the repositories have\n"
    );
}
