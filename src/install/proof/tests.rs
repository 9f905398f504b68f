//! Proves native code for the Composers of the machine. Each is skipped where it is missing.
//!
//! `ALLEGRO_TEST_COMPOSERS` may name further Composers: files or source trees, separated by colons.

#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use std::time::Instant;

use allegro_vendor::autoload::traits::{Ambiguity, Code, Guard, Metapackages, Require};

use super::*;
use crate::machine::Machine;
use crate::machine::tests::{composers, store};
use crate::protocol::settings::Overrides;
use crate::scripts::Verbosity;
use crate::settings::Environment;

/// Calls a function with a context for each Composer.
fn with_each(mut check: impl FnMut(&Context<'_>, &Store)) {
    for path in composers() {
        let (_dir, store) = store();
        let machine = Machine::find(&Environment::PROCESS, Some(&path));
        let overrides = Overrides::default();
        let settings = Settings::resolve(&overrides, &Environment::PROCESS).expect("settings");
        let context = Context {
            directory: "/".into(),
            variable: &|_| None,
            environment: &Environment::PROCESS,
            settings: &settings,
            overrides,
            machine: &machine,
            arguments: Vec::new(),
            is_interactive: false,
            is_terminal: false,
            verbosity: Verbosity::Normal,
            umask: 0o022,
            timezone: None,
            obstacle: &|| None,
        };
        check(&context, &store);
    }
}

fn told<T>(result: Result<T, Undecided>) -> Result<T, String> {
    result.map_err(|undecided| format!("{undecided:?}"))
}

#[test]
fn native_code_writes_what_composer_writes() {
    with_each(|context, store| {
        let start = Instant::now();
        let habits = told(Habits::unproven(context, store)).expect("facts");
        let version = &habits.target.version;
        let found = told(difference(&habits, context, store)).expect("an install");
        let all = start.elapsed();
        let start = Instant::now();
        told(difference(&habits, context, store)).expect("an install");
        println!("{version}: {all:?}, again {:?}", start.elapsed());
        assert_eq!(found, None, "{version}");
        // Nothing is left behind.
        let left = fs::read_dir(store.root().join("tmp")).expect("a directory");
        assert_eq!(left.count(), 0);
    });
}

#[test]
fn a_proof_is_made_once() {
    with_each(|context, store| {
        if told(Habits::unproven(context, store))
            .expect("facts")
            .dump
            .ambiguity
            == Ambiguity::BuiltIn
        {
            let refused = told(Habits::of(context, store)).map(|_| ());
            assert!(refused.is_err_and(|reason| reason.contains("a way of its own")));
            return;
        }
        let habits = told(Habits::of(context, store)).expect("a proof");
        assert_eq!(habits.texts.proof, Some(Proof { difference: None }));
        let start = Instant::now();
        let again = told(Habits::of(context, store)).expect("a proof");
        println!("{}: {:?}", habits.target.version, start.elapsed());
        assert_eq!(again.texts, habits.texts);

        // The kept result decides.
        let mut texts = habits.texts;
        texts.proof = Some(Proof {
            difference: Some("composer/a.php".to_owned()),
        });
        context.machine.keep_texts(store, &texts).expect("kept");
        match Habits::of(context, store) {
            Err(Undecided::Composer(Unfamiliar(reason))) => assert_eq!(
                reason,
                "native code doesn't write what this Composer writes: composer/a.php"
            ),
            _ => panic!("the kept result counts for nothing"),
        }
    });
}

/// Each difference between versions that shows in the sample keeps the proof from succeeding.
#[test]
fn another_way_of_writing_is_noticed() {
    with_each(|context, store| {
        let mut habits = told(Habits::unproven(context, store)).expect("facts");
        let changed = |habits: &Habits| told(difference(habits, context, store));
        let version = habits.target.version.clone();

        let dump = habits.dump;
        for (name, file, change) in dump_changes() {
            change(&mut habits.dump);
            let found = changed(&habits).expect("an install");
            let found = found.unwrap_or_else(|| panic!("{name} of {version} shows nowhere"));
            assert!(
                file.is_empty() || found == file,
                "{name} of {version}: {found}"
            );
            habits.dump = dump;
        }
        let dialect = habits.target.dialect;
        for (name, file, change) in dialect_changes() {
            change(&mut habits.target.dialect);
            let found = changed(&habits);
            assert_eq!(found, Ok(Some(file.to_owned())), "{name} of {version}");
            habits.target.dialect = dialect;
        }
        habits.bins.confines ^= true;
        let found = changed(&habits);
        assert_eq!(found, Ok(Some("bin/probe-outside".to_owned())), "{version}");
        habits.bins.confines ^= true;

        // One byte is enough.
        let ours = told(written(&habits, context, store)).expect("an install");
        for file in habits.texts.files.keys().cloned().collect::<Vec<_>>() {
            let text = habits.texts.files.get_mut(&file).expect("a text");
            let last = text.pop().expect("a byte");
            text.push(last ^ 1);
            let found = first_difference(&ours, &habits.texts.files);
            assert_eq!(found.as_ref(), Some(&file), "{version}");
            let text = habits.texts.files.get_mut(&file).expect("a text");
            text.pop();
            text.push(last);
        }
        assert_eq!(changed(&habits), Ok(None));
    });
}

/// The name of a difference, the file in which it shows unless it depends on the version, and the
/// change.
type Change<T> = (&'static str, &'static str, fn(&mut T));

fn dump_changes() -> Vec<Change<allegro_vendor::autoload::Traits>> {
    vec![
        ("trims_lines", "composer/autoload_static.php", |traits| {
            traits.trims_lines ^= true;
        }),
        ("sorts_psr", "composer/autoload_psr4.php", |traits| {
            traits.sorts_psr ^= true;
        }),
        ("strict_phar", "composer/autoload_classmap.php", |traits| {
            traits.strict_phar ^= true;
        }),
        ("check_throws", "composer/platform_check.php", |traits| {
            traits.check_throws ^= true;
        }),
        ("sorts_by_name", "composer/autoload_files.php", |traits| {
            traits.sorts_by_name ^= true;
        }),
        ("code", "", |traits| {
            traits.code = match traits.code {
                Code::Direct => Code::Called,
                _ => Code::Direct,
            };
        }),
        ("guard", "", |traits| {
            traits.guard = match traits.guard {
                Guard::Throws => Guard::Triggers,
                _ => Guard::Throws,
            };
        }),
        ("require", "", |traits| {
            traits.require = match traits.require {
                Require::Bound => Require::Closure,
                _ => Require::Bound,
            };
        }),
        ("metapackages", "", |traits| {
            traits.metapackages = match traits.metapackages {
                Metapackages::AtRoot => Metapackages::Dropped,
                _ => Metapackages::AtRoot,
            };
        }),
        ("links of metapackages", "", |traits| {
            traits.metapackages = match traits.metapackages {
                Metapackages::Dropped => Metapackages::WithoutRules,
                _ => Metapackages::Dropped,
            };
        }),
        ("trims_namespaces", "composer/autoload_psr4.php", |traits| {
            traits.trims_namespaces ^= true;
        }),
    ]
}

fn dialect_changes() -> Vec<Change<allegro_composer::dialect::Dialect>> {
    vec![
        ("records_php_ext", "composer/installed.json", |dialect| {
            dialect.records_php_ext ^= true;
        }),
        ("sorts_versions", "composer/installed.php", |dialect| {
            dialect.sorts_versions ^= true;
        }),
        ("checks_versions", "composer/installed.php", |dialect| {
            dialect.checks_versions ^= true;
        }),
        (
            "reference_before_type",
            "composer/installed.php",
            |dialect| {
                dialect.reference_before_type ^= true;
            },
        ),
        ("v_is_numeric", "composer/installed.php", |dialect| {
            dialect.v_is_numeric ^= true;
        }),
        (
            "root_version_is_a_branch",
            "composer/installed.php",
            |dialect| {
                dialect.root_version_is_a_branch ^= true;
            },
        ),
    ]
}
