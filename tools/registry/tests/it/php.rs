//! Generated PHP is PHP.

use std::collections::HashSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use allegro_registry::{
    Catalog, Content, FileSpec, GenSpec, Mode, PackageSpec, PluginKind, Profile, Role,
    file_content, function_name,
};

use crate::support::{has, skip, text};

fn bytes(spec: &PackageSpec, file: &FileSpec) -> Vec<u8> {
    match file_content(spec, file).unwrap() {
        Content::File(bytes, _) => bytes,
        other => panic!("{other:?}"),
    }
}

fn lint(code: &[u8]) -> Result<(), String> {
    let mut child = Command::new("php")
        .args(["-n", "-l"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(code).unwrap();
    let output = child.wait_with_output().unwrap();
    if output.status.success() {
        Ok(())
    } else {
        Err(text(&output))
    }
}

fn package(files: Vec<FileSpec>, plugins: Vec<(String, PluginKind)>) -> PackageSpec {
    PackageSpec {
        name: "acme/odd".to_owned(),
        version: "1.2.3".to_owned(),
        reference: "0123456789abcdef0123456789abcdef01234567".to_owned(),
        top_folder: true,
        manifest: "{}".to_owned(),
        plugins,
        files,
        times: None,
    }
}

fn classes(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_sample_of_generated_files_passes_the_linter() {
    if !has("php") {
        skip!("no php");
    }
    let catalog = Catalog::generated(&GenSpec {
        seed: 3,
        ..Profile::Koel.spec()
    });
    let mut linted = 0;
    for package in catalog.packages().iter().step_by(4) {
        for file in package
            .spec
            .files
            .iter()
            .filter(|file| !matches!(file.role, Role::Other | Role::Shared | Role::Manifest))
            .step_by(17)
        {
            lint(&bytes(&package.spec, file))
                .unwrap_or_else(|error| panic!("{} {}: {error}", package.spec.name, file.path));
            linted += 1;
        }
    }
    assert!(linted > 60, "{linted}");
}

#[test]
fn odd_class_lists_give_valid_files_of_the_wanted_size() {
    if !has("php") {
        skip!("no php");
    }
    for (names, size) in [
        (classes(&[]), 6),
        (classes(&[]), 5000),
        (
            classes(&[
                "A\\B",
                "A\\b",
                "A\\C",
                "A\\ThingInterface",
                "A\\ThingTrait",
                "A\\BadException",
            ]),
            20_000,
        ),
        (classes(&["A\\B", "C\\D", "Plain"]), 9000),
        (
            classes(&["Exception", "Stringable", "ReturnTypeWillChange"]),
            3000,
        ),
        (
            classes(&[
                "A\\String",
                "A\\Match",
                "A\\___",
                "A\\\u{fffd}",
                "A\\List\\Node",
                "A\\1x",
            ]),
            2000,
        ),
        (classes(&["A\\TooSmall"]), 10),
    ] {
        for role in [Role::Php(names.clone()), Role::Functions(names.clone())] {
            let file = FileSpec::new("src/file.php", size, role);
            let code = bytes(&package(Vec::new(), Vec::new()), &file);
            lint(&code).unwrap_or_else(|error| panic!("{names:?} {size}: {error}"));
            if size >= 2000 {
                assert_eq!(code.len(), size, "{names:?}");
            }
        }
    }
}

#[test]
fn a_file_declares_exactly_its_classes() {
    if !has("php") {
        skip!("no php");
    }
    let names = classes(&[
        "Acme\\Sub\\One",
        "Acme\\Sub\\TwoInterface",
        "Acme\\Other\\ThreeTrait",
        "GlobalFour",
    ]);
    let file = FileSpec::new("src/file.php", 8000, Role::Functions(names.clone()));
    let spec = package(Vec::new(), Vec::new());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file.php");
    std::fs::write(&path, bytes(&spec, &file)).unwrap();
    let function = function_name("acme/odd", "src/file.php");
    let code = format!(
        "$all = fn() => array_merge(get_declared_classes(), get_declared_interfaces(), get_declared_traits());
         $before = $all(); require '{path}'; require '{path}';
         echo json_encode([array_values(array_diff($all(), $before)), {function}()]);",
        path = path.display()
    );
    // Twice: the function is guarded, and so are classes without a namespace; the others are not.
    let once = code.replacen(&format!("require '{}';", path.display()), "", 1);
    let output = Command::new("php")
        .args(["-n", "-r", &once])
        .output()
        .unwrap();
    let (declared, value): (Vec<String>, String) =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    assert_eq!(
        declared.into_iter().collect::<HashSet<_>>(),
        names.into_iter().collect()
    );
    assert_eq!(value, "acme/odd 1.2.3");
}

#[test]
fn programs_print_who_they_are() {
    if !has("php") {
        skip!("no php");
    }
    let dir = tempfile::tempdir().unwrap();
    for path in ["bin/tool", "tool.php", "tool.phar", "tool.sh"] {
        let file = FileSpec {
            mode: Mode::Executable,
            ..FileSpec::new(path, 3000, Role::Bin)
        };
        let code = bytes(&package(Vec::new(), Vec::new()), &file);
        let target = dir.path().join("program");
        std::fs::write(&target, &code).unwrap();
        let program = if path.ends_with(".sh") { "sh" } else { "php" };
        let output = Command::new(program).arg(&target).output().unwrap();
        assert_eq!(text(&output), "acme/odd 1.2.3\n", "{path}");
        if program == "php" {
            assert!(code.starts_with(b"#!/usr/bin/env php\n<?php"));
        }
    }
}

#[test]
fn another_version_has_other_code_but_the_same_licence() {
    let file = FileSpec::new("src/A.php", 3000, Role::Php(classes(&["A"])));
    let licence = FileSpec::new("LICENSE", 1065, Role::Shared);
    let one = package(Vec::new(), Vec::new());
    let mut two = one.clone();
    two.reference = two.reference.replace('0', "f");
    assert_ne!(bytes(&one, &file), bytes(&two, &file));
    two.name = "acme/other".to_owned();
    assert_eq!(bytes(&one, &licence), bytes(&two, &licence));
}

#[test]
fn real_code_compresses_as_well() {
    // 3.5 to 4.5 is what PHP packages reach on average, small files less, large ones more.
    let catalog = Catalog::generated(&Profile::Koel.spec());
    let (mut plain, mut packed) = (0, 0);
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::new(6).unwrap());
    for package in catalog.packages().iter().skip(5).step_by(3) {
        for file in package
            .spec
            .files
            .iter()
            .filter(|file| matches!(file.role, Role::Php(_)))
        {
            let code = bytes(&package.spec, file);
            let mut out = vec![0; compressor.deflate_compress_bound(code.len())];
            plain += code.len();
            packed += compressor.deflate_compress(&code, &mut out).unwrap();
        }
    }
    let ratio = plain * 100 / packed;
    assert!((350..450).contains(&ratio), "{ratio}");
}
