//! Tests without PHP, with short texts in the place of Composer's. The tests of the package
//! `allegro` compare with Composer itself.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::paths::{code, relative};
use super::*;

/// Returns samples as a made-up Composer would write them.
fn samples() -> BTreeMap<String, Vec<u8>> {
    let php = |name: &str, path: &str, first: &str, more: &str| {
        let text = format!(
            "{first}\n<?php // {path}\n$autoload = __DIR__ . '/..'.'/autoload.php';\n{more}return \
             include __DIR__ . '/..'.'{}';\n",
            path.trim_start_matches("..")
        );
        (format!("bin/{name}"), text.into_bytes())
    };
    let at = "../allegro-probe/programs/texts";
    let phpunit = "../phpunit/phpunit/phpunit";
    let more = "$GLOBALS['__PHPUNIT_ISOLATION_EXCLUDE_LIST'] = [__DIR__ . \
                '/..'.'/phpunit/phpunit/phpunit'];\n";
    BTreeMap::from([
        php(
            sample::PLAIN,
            &format!("{at}/{}", sample::PLAIN),
            DEFAULT_FIRST_LINE,
            "",
        ),
        php(
            sample::SHEBANG,
            &format!("{at}/{}", sample::SHEBANG),
            sample::FIRST_LINE,
            "/* stream */\n",
        ),
        php(
            sample::PHPUNIT,
            phpunit,
            sample::FIRST_LINE,
            &format!("{more}/* stream */\n"),
        ),
        (
            "bin/probe-shell".to_owned(),
            format!("#!/bin/sh\ncd '{at}'\nexec ./probe-shell\n").into_bytes(),
        ),
        (
            "bin/probe-shell.bat".to_owned(),
            format!("{at}/probe-shell\r\nprobe-caller\r\n").into_bytes(),
        ),
        (
            "bin/probe-plain.bat".to_owned(),
            b"probe-plain\r\nphp\r\n".to_vec(),
        ),
    ])
}

fn bins<'a>(templates: &'a Templates, root: &'a [String; 2]) -> Bins<'a> {
    Bins {
        traits: Traits::of("2.10.2").expect("a known version"),
        templates,
        bin_dir: &root[0],
        vendor_dir: &root[1],
        vendor_real: &root[1],
        full: false,
        umask: 0o022,
    }
}

#[test]
fn versions_differ() {
    let since = |version: &str| Traits::of(version).expect("a known version");
    assert!(!since("2.2.2").space_before_php);
    assert!(since("2.2.3").space_before_php);
    assert!(!since("2.2.4").reports_directories);
    assert!(!since("2.4.4").across_root);
    assert!(since("2.5.0").across_root);
    assert!(!since("2.7.4").resolves_vendor);
    assert!(since("2.7.8").reads_head);
    assert!(since("2.10.0").reads_head);
    for version in ["2.1.14", "2.12.0", "2.10.0-RC1", "3.0.0", "", "2.10"] {
        assert_eq!(Traits::of(version), None, "{version}");
    }
}

/// Distributions add the rule about programs outside of their package to old versions.
#[test]
fn samples_beat_the_version() {
    let mut samples = BTreeMap::from([
        ("bin/probe-space".to_owned(), b"#!\n<?php".to_vec()),
        ("bin/probe-long".to_owned(), b"#!/bin/sh".to_vec()),
        ("bin/probe-outside".to_owned(), b"#!\n<?php".to_vec()),
    ]);
    let known = Traits::of("2.8.8");
    assert_eq!(Traits::learn("2.8.8", &samples), known);
    samples.remove("bin/probe-outside");
    let confined = known.map(|known| Traits {
        confines: true,
        ..known
    });
    assert_eq!(Traits::learn("2.8.8", &samples), confined);
    assert_eq!(Traits::learn("2.1.0", &samples), None);
    samples.remove("bin/probe-long");
    assert_eq!(Traits::learn("2.8.8", &samples), None);
}

#[test]
fn a_program_outside_of_its_package_is_not_followed() {
    let templates = Templates::learn(&samples()).expect("templates");
    let dir = tempfile::tempdir().expect("temporary directory");
    let root = dir.path().canonicalize().expect("a path");
    let root = root.to_str().expect("text");
    let directories = [format!("{root}/bin"), format!("{root}/vendor")];
    let mut bins = bins(&templates, &directories);
    bins.traits.confines = true;
    let package = format!("{root}/vendor/a/b");
    fs::create_dir_all(&package).expect("a directory");
    fs::write(format!("{root}/secret"), "#!/bin/sh\n").expect("a file");
    std::os::unix::fs::symlink("../../../secret", format!("{package}/run")).expect("a link");
    let names = ["run".to_owned(), "../../../secret".to_owned()];
    let messages = bins
        .install("a/b", &package, &names, true)
        .expect("installed");
    assert_eq!(
        messages,
        names.map(|name| format!(
            "    <warning>Skipped installation of bin {name} for package a/b: the bin resolves to \
             a path outside of the package directory</warning>"
        ))
    );
    let mode = fs::metadata(format!("{root}/secret"))
        .expect("a file")
        .mode();
    assert_eq!(mode & 0o111, 0);
    assert!(!fs::exists(&directories[0]).expect("an answer"));
}

#[test]
fn paths_lead_up_and_down() {
    let cases = [
        (
            "/p/vendor/bin/a",
            "/p/vendor/x/y/a",
            "../x/y/a",
            "__DIR__ . '/..'.'/x/y/a'",
        ),
        ("/p/bin/a", "/p/bin/b", "./b", "__DIR__ . ''.'/b'"),
        (
            "/p/bin/a",
            "/p/./x//../y/it's",
            "../y/it's",
            r"__DIR__ . '/..'.'/y/it\'s'",
        ),
        ("/p/bin/a", "/q/a", "/q/a", "'/q/a'"),
        ("/bin/a", "/q/a", "../q/a", "__DIR__ . '/..'.'/q/a'"),
        ("/p/bin/a", "/p/bin/a", "./a", "__FILE__"),
        ("/p/bin/a", "/p/bin", "./", "__DIR__ . ''"),
        ("/p/bin/a", "/p/bin/a/b", "b", "__DIR__ . '/b'"),
    ];
    for (from, to, path, expression) in cases {
        assert_eq!(relative(from, to, true).as_deref(), Ok(path), "{from} {to}");
        assert_eq!(
            code(from, to, true).as_deref(),
            Ok(expression),
            "{from} {to}"
        );
    }
    assert_eq!(relative("/bin/a", "/q/a", false).as_deref(), Ok("/q/a"));
    for odd in ["relative", "//host/share", "/p\\q", "c:/p"] {
        assert!(relative("/p/bin/a", odd, true).is_err(), "{odd}");
    }
}

#[test]
fn a_text_that_is_not_understood_makes_no_templates() {
    assert!(Templates::learn(&samples()).is_some());
    for name in samples().into_keys() {
        let mut other = samples();
        other.remove(&name);
        // The file for `cmd.exe` of one program is enough, because that of another one is a proof.
        assert_eq!(Templates::learn(&other), None, "{name}");
    }
    let mut other = samples();
    other.insert("bin/probe-plain.bat".to_owned(), b"php\r\n".to_vec());
    assert_eq!(Templates::learn(&other), None);
}

#[test]
fn a_program_is_made_callable_and_removed() {
    let templates = Templates::learn(&samples()).expect("templates");
    let dir = tempfile::tempdir().expect("temporary directory");
    let root = dir.path().canonicalize().expect("a path");
    let root = root.to_str().expect("text");
    let directories = [format!("{root}/vendor/bin"), format!("{root}/vendor")];
    let bins = bins(&templates, &directories);
    let package = format!("{root}/vendor/a/b");
    fs::create_dir_all(&package).expect("a directory");
    fs::write(format!("{root}/blob"), "#!/usr/bin/env php8\n<?php\n").expect("a file");
    fs::hard_link(format!("{root}/blob"), format!("{package}/run")).expect("a link");
    let names = ["run".to_owned(), "missing".to_owned()];
    let messages = bins
        .install("a/b", &package, &names, true)
        .expect("installed");
    assert_eq!(
        messages,
        [
            "    <warning>Skipped installation of bin missing for package a/b: file not found in \
          package</warning>"
        ]
    );
    let proxy = fs::read_to_string(format!("{root}/vendor/bin/run")).expect("a proxy");
    assert_eq!(
        proxy,
        "#!/usr/bin/env php8\n<?php // ../a/b/run\n$autoload = __DIR__ . \
         '/..'.'/autoload.php';\n/* stream */\nreturn include __DIR__ . '/..'.'/a/b/run';\n"
    );
    // The file of the store keeps its mode.
    let mode = |path: &str| fs::metadata(path).expect("a file").mode() & 0o777;
    assert_eq!(mode(&format!("{package}/run")), 0o755);
    assert_eq!(mode(&format!("{root}/vendor/bin/run")), 0o755);
    assert_eq!(mode(&format!("{root}/blob")) & 0o111, 0);

    let again = bins
        .install("a/b", &package, &names[..1], true)
        .expect("installed");
    assert_eq!(
        again,
        [
            "    Skipped installation of bin run for package a/b: name conflicts with an existing file"
        ]
    );
    let at_the_end = bins.install("a/b", &package, &names[..1], false);
    assert_eq!(at_the_end.expect("installed"), Vec::<String>::new());
    bins.remove(&names).expect("removed");
    assert!(!fs::exists(format!("{root}/vendor/bin")).expect("an answer"));
    bins.remove(&[]).expect("removed");
    assert!(fs::exists(format!("{root}/vendor/bin")).expect("an answer"));
}

#[test]
fn odd_names_are_left_to_composer() {
    let templates = Templates::learn(&samples()).expect("templates");
    let directories = ["/p/vendor/bin".to_owned(), "/p/vendor".to_owned()];
    let bins = bins(&templates, &directories);
    assert_eq!(bins.check("/p/vendor/a/b", ["bin/run", "x/../run"]), Ok(()));
    for name in ["", "bin/..", "ä", "a\\b", "a\nb", "."] {
        assert!(bins.check("/p/vendor/a/b", [name]).is_err(), "{name:?}");
    }
}

#[test]
fn a_file_that_cannot_be_made_executable_is_no_failure() {
    let templates = Templates::learn(&samples()).expect("templates");
    let dir = tempfile::tempdir().expect("temporary directory");
    let root = dir.path().canonicalize().expect("a path");
    let root = root.to_str().expect("text");
    let directories = [format!("{root}/bin"), format!("{root}/vendor")];
    let bins = Bins {
        umask: 0o077,
        ..bins(&templates, &directories)
    };
    fs::create_dir(format!("{root}/vendor")).expect("a directory");
    let path = format!("{root}/vendor/run.sh");
    fs::write(&path, "echo\n").expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("a mode");
    let names = ["run.sh".to_owned()];
    bins.install("a/b", &directories[1], &names, true)
        .expect("installed");
    let proxy = fs::read_to_string(format!("{root}/bin/run.sh")).expect("a proxy");
    assert_eq!(proxy, "#!/bin/sh\ncd '../vendor'\nexec ./run.sh\n");
    assert_eq!(fs::metadata(&path).expect("a file").mode() & 0o777, 0o700);
}

/// A cut anywhere in a program either decides as the whole program does, or asks for more.
#[test]
fn the_beginning_of_a_program_decides_as_the_whole_program_does() {
    let programs: [&[u8]; 9] = [
        b"#!/usr/bin/env php\n<?php\necho 1;\n",
        b"#!/usr/bin/env php\r\n\n \t\n<?php\n",
        b"#!/bin/sh\nexec php -r '<?php'\n",
        b"<?php\necho 1;\n",
        b"\n\n<?php\n",
        b"\n<?hp\n",
        b"#!/usr/bin/env php\n#!/bin/sh\n<?php\n",
        b"\x7fELF\n<?php\n",
        b"#!<?php\n\n<?php\n",
    ];
    let mut decided = 0;
    for program in programs {
        let found = |text: &[u8]| {
            let php = PHP.captures(text)?;
            Some(
                (0..3)
                    .map(|group| php.get(group).map(|part| part.range()))
                    .collect::<Vec<_>>(),
            )
        };
        for end in 0..=program.len() {
            let head = &program[..end];
            if decides(head) {
                decided += 1;
                assert_eq!(found(head), found(program), "{head:?} of {program:?}");
                assert_eq!(caller("bin/x", head), caller("bin/x", program), "{head:?}");
            }
        }
    }
    assert!(decided > 50, "{decided} cuts decide");
}
