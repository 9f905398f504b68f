//! The class scanner against Composer's own parser, file by file.
//!
//! * `ALLEGRO_TEST_PHP_FILES`: a directory whose files are read too
//! * `ALLEGRO_TEST_PHP_ROOT`: another system's root, whose PHP and Composer are asked (files must be below it)
//! * `ALLEGRO_TEST_SEED`: the seed of a run to be repeated
//! * `ALLEGRO_FUZZ_SECONDS`: how long the ignored test `fuzz` goes on

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs
)]

use allegro_base::hex::unhex;
use allegro_vendor::classmap::{Dialect, Unsure, find_classes};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Asks Composer's parser about the files in a list: first a line about PHP, then a line for each file.
const ASK: &str = r#"<?php
error_reporting(0);
ini_set('display_errors', '0');
spl_autoload_register(function ($class) {
    require '/usr/share/php/' . strtr($class, '\\', '/') . '.php';
});
$parser = file_get_contents('/usr/share/php/Composer/ClassMapGenerator/PhpFileParser.php');
echo json_encode([PHP_VERSION_ID, (bool) ini_get('short_open_tag'), str_contains($parser, '(?<![\\\\\\\\$:>])')]), "\n";
$started = hrtime(true);
$lines = [];
foreach (file($argv[1], FILE_IGNORE_NEW_LINES) as $file) {
    try {
        $lines[] = array_map('bin2hex', Composer\ClassMapGenerator\PhpFileParser::findClasses($file));
    } catch (RuntimeException $e) {
        $lines[] = null;
    }
}
$took = hrtime(true) - $started;
foreach ($lines as $line) {
    echo json_encode($line), "\n";
}
echo $took, "\n";
"#;

const PARSER: &str = "/usr/share/php/Composer/ClassMapGenerator/PhpFileParser.php";

type Classes = Vec<Vec<u8>>;

/// What Composer says.
struct Answers {
    dialect: Dialect,
    /// For each file its classes, or nothing where the parser threw.
    files: Vec<Option<Classes>>,
    took: Duration,
}

/// A PHP with Composer's classes.
struct Composer {
    root: PathBuf,
    scratch: tempfile::TempDir,
}

impl Composer {
    fn new() -> Option<Self> {
        let root = std::env::var_os("ALLEGRO_TEST_PHP_ROOT")
            .map_or_else(|| PathBuf::from("/"), PathBuf::from);
        if !root.join(&PARSER[1..]).is_file() {
            println!(
                "skipped: there are no classes of Debian's composer package in /usr/share/php"
            );
            return None;
        }
        let scratch = tempfile::tempdir_in(root.join("tmp")).unwrap();
        fs::write(scratch.path().join("ask.php"), ASK).unwrap();
        Some(Self { root, scratch })
    }

    fn ask(&self, files: &[PathBuf], short_open_tag: bool) -> Answers {
        let within = |path: &Path| Path::new("/").join(path.strip_prefix(&self.root).unwrap());
        let list: String = files
            .iter()
            .map(|file| within(file).into_os_string().into_string().unwrap() + "\n")
            .collect();
        let path = self.scratch.path().join("list");
        fs::write(&path, list).unwrap();
        let mut php = if self.root == Path::new("/") {
            Command::new("php")
        } else {
            let mut chroot = Command::new("chroot");
            chroot.arg(&self.root).arg("php");
            chroot
        };
        let output = php
            .args(["-d", "memory_limit=-1", "-d"])
            .arg(format!("short_open_tag={}", u8::from(short_open_tag)))
            .arg(within(&self.scratch.path().join("ask.php")))
            .arg(within(&path))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let mut lines = output.stdout.split(|&byte| byte == b'\n');
        let (php, short_open_tag, backslash_guards) =
            serde_json::from_slice(lines.next().unwrap()).unwrap();
        let answers: Vec<Option<Vec<String>>> = lines
            .by_ref()
            .take(files.len())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        assert_eq!(answers.len(), files.len(), "PHP stopped in the middle");
        Answers {
            dialect: Dialect {
                php,
                short_open_tag,
                backslash_guards,
            },
            files: answers
                .iter()
                .map(|names| {
                    names
                        .as_ref()
                        .map(|names| names.iter().map(|name| unhex(name).unwrap()).collect())
                })
                .collect(),
            took: Duration::from_nanos(
                String::from_utf8_lossy(lines.next().unwrap())
                    .parse()
                    .unwrap(),
            ),
        }
    }
}

/// All files below these directories, once each.
fn files_below(directories: &[PathBuf]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut seen = HashSet::new();
    let mut left = directories.to_vec();
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            if kind.is_dir() {
                left.push(path);
            } else if kind.is_file()
                && path.to_str().is_some_and(|name| !name.contains('\n'))
                && seen.insert(path.clone())
            {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn real_files(composer: &Composer) -> Vec<PathBuf> {
    let mut directories = vec![composer.root.join("usr/share/php")];
    directories.extend(std::env::var_os("ALLEGRO_TEST_PHP_FILES").map(PathBuf::from));
    files_below(&directories)
}

/// How a comparison went.
#[derive(Debug, Default)]
struct Outcome {
    files: usize,
    classes: usize,
    unsure: usize,
    /// Files that Composer's parser refuses.
    refused: usize,
}

/// Compares all files; each must have the same classes, or none at all where Composer's parser throws.
fn compare(composer: &Composer, files: &[PathBuf], short_open_tag: bool, told: bool) -> Outcome {
    let answers = composer.ask(files, short_open_tag);
    let mut outcome = Outcome {
        files: files.len(),
        ..Outcome::default()
    };
    let mut differences = Vec::new();
    for (file, expected) in files.iter().zip(answers.files) {
        let found = find_classes(&fs::read(file).unwrap(), answers.dialect);
        outcome.classes += expected.as_ref().map_or(0, Vec::len);
        outcome.refused += usize::from(expected.is_none());
        match (expected, found) {
            (_, Err(Unsure(reason))) => {
                outcome.unsure += 1;
                if told {
                    println!("unsure, {reason}: {}", file.display());
                }
            }
            (Some(expected), Ok(found)) if expected == found => (),
            (expected, Ok(found)) => {
                let shown = |names: Classes| {
                    names
                        .iter()
                        .map(|name| name.escape_ascii().to_string())
                        .collect::<Vec<_>>()
                };
                differences.push(format!(
                    "{}\n  Composer: {:?}\n  here: {:?}",
                    file.display(),
                    expected.map(shown),
                    shown(found)
                ));
            }
        }
    }
    if !differences.is_empty() {
        let kept = std::env::temp_dir().join("allegro-scanner-differences");
        fs::create_dir_all(&kept).unwrap();
        for difference in &differences {
            let path = Path::new(difference.lines().next().unwrap());
            fs::copy(path, kept.join(path.file_name().unwrap())).unwrap();
        }
        panic!(
            "{} of {} files differ (kept in {}), the first:\n{}",
            differences.len(),
            files.len(),
            kept.display(),
            differences[..differences.len().min(10)].join("\n"),
        );
    }
    outcome
}

#[test]
fn real_code_has_the_classes_that_composer_finds() {
    let Some(composer) = Composer::new() else {
        return;
    };
    let files = real_files(&composer);
    for short_open_tag in [false, true] {
        let outcome = compare(&composer, &files, short_open_tag, true);
        println!("short_open_tag {short_open_tag}: {outcome:?}");
        let doubts = outcome.unsure.saturating_sub(outcome.refused);
        assert!(doubts * 1000 <= outcome.files, "{outcome:?}");
    }
}

/// What mutations put into a file.
const FRAGMENTS: &[&[u8]] = &[
    b"'",
    b"\"",
    b"`",
    b"\\",
    b"\\'",
    b"\\\"",
    b"\\\\",
    b"<<<EOT\n",
    b"<<<'EOT'\n",
    b"<<<\"EOT\"\r\n",
    b"<<< EOT\r",
    b"b<<<EOT\n",
    b"EOT",
    b"\nEOT",
    b"\n  EOT",
    b"\n\tEOT;\n",
    b"EOT;",
    b"\nEOT,",
    b"\nEOT\n",
    b"\nEOTX\n",
    b"<<<<EOT\n",
    b"<<<E\n",
    b"\nE\n",
    b"E)",
    b"/*",
    b"*/",
    b"/**",
    b"/**/",
    b"/*/",
    b"//",
    b"#",
    b"#[",
    b"]",
    b"[",
    b"(",
    b")",
    b"?>",
    b"?>\n",
    b"?>\r\n",
    b"??>",
    b"?->",
    b"->",
    b"-->",
    b"<?",
    b"<?php",
    b"<?php ",
    b"<?php\n",
    b"<?PHP\t",
    b"<?=",
    b"<?phpx",
    b"<",
    b"?",
    b"{$",
    b"${",
    b"{",
    b"}",
    b"$",
    b"$a",
    b"$a[",
    b"{$a[\"",
    b"\"]}",
    b"{$a['",
    b"']}",
    b"$a->b",
    b"$a?->b",
    b"$a[0]",
    b"$a[\"x\"]",
    b"class ",
    b"class",
    b"class A",
    b"class A {}",
    b"Class B ",
    b"interface ",
    b"interface I {}",
    b"trait ",
    b"trait T {}",
    b"enum ",
    b"enum E: int {",
    b"enum E:int",
    b"extends ",
    b"implements ",
    b"namespace ",
    b"namespace N;",
    b"namespace N\\M {",
    b"namespace;",
    b"namespace {",
    b" \\ ",
    b"\\class X",
    b"::class ",
    b"$class ",
    b"->class ",
    b":foo:bar-baz ",
    b"yield",
    b"yield ",
    b" from ",
    b"yield from ",
    b"( string )",
    b"0",
    b"08",
    b"1.5",
    b"\\u{",
    b"\\u{zz}",
    b"__halt_compiler();",
    b"\n",
    b"\r",
    b"\r\n",
    b" ",
    b"  ",
    b"\t",
    b"\x0b",
    b"\x0c",
    b"\0",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xc3\xa9",
    b";",
    b",",
    b".",
    b":",
    b"!#",
    b"=",
    b"new class ",
    b"abstract ",
    b"a",
    b"b",
    b"c",
    b"_",
    b"\nclass",
    b"\n class C",
    b"null",
    b"declare(strict_types=1);",
    b"#!/usr/bin/php\n",
];

/// What no file made of fragments is without: without candidates there is nothing to compare.
const CLASSES: &[&[u8]] = &[b" class A ", b"class B\n", b"\n"];

/// A file made of another one, or of nothing but fragments.
fn mutated(random: &mut fastrand::Rng, originals: &[Vec<u8>]) -> Vec<u8> {
    let mut text = Vec::new();
    if random.bool() {
        // Few kinds of fragments, so that they meet each other often.
        let few: Vec<&[u8]> = (0..random.usize(3..20))
            .map(|_| FRAGMENTS[random.usize(..FRAGMENTS.len())])
            .chain(CLASSES.iter().copied())
            .collect();
        text.extend_from_slice(b"<?php ");
        for _ in 0..random.usize(1..60) {
            text.extend_from_slice(few[random.usize(..few.len())]);
        }
        return text;
    }
    let fragment = |random: &mut fastrand::Rng| FRAGMENTS[random.usize(..FRAGMENTS.len())];
    let original = &originals[random.usize(..originals.len())];
    let long = random.usize(1..8000);
    let from = random.usize(..=original.len().saturating_sub(long));
    if from > 0 {
        text.extend_from_slice(b"<?php ");
    }
    text.extend_from_slice(&original[from..original.len().min(from + long)]);
    for _ in 0..random.usize(1..10) {
        let at = random.usize(..=text.len());
        let to = (at + random.usize(..60)).min(text.len());
        match random.u8(..8) {
            0 => drop(text.drain(at..to)),
            1 => {
                let twice = text[at..to].to_vec();
                text.splice(at..at, twice);
            }
            2 => text.truncate(at.max(8)),
            _ => drop(text.splice(at..at, fragment(random).iter().copied())),
        }
    }
    text
}

/// Compares as many generated files.
fn compare_generated(composer: &Composer, random: &mut fastrand::Rng, count: usize) -> Outcome {
    let originals: Vec<Vec<u8>> = {
        let files = real_files(composer);
        assert!(!files.is_empty());
        (0..200)
            .map(|_| fs::read(&files[random.usize(..files.len())]).unwrap())
            .collect()
    };
    let directory = tempfile::tempdir_in(composer.root.join("tmp")).unwrap();
    let files: Vec<PathBuf> = (0..count)
        .map(|at| {
            let path = directory.path().join(format!("{at}.php"));
            fs::write(&path, mutated(random, &originals)).unwrap();
            path
        })
        .collect();
    compare(composer, &files, random.bool(), false)
}

fn random() -> fastrand::Rng {
    let seed = std::env::var("ALLEGRO_TEST_SEED")
        .map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("ALLEGRO_TEST_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

#[test]
fn mutated_code_has_the_classes_that_composer_finds() {
    let Some(composer) = Composer::new() else {
        return;
    };
    let mut random = random();
    for _ in 0..2 {
        println!("{:?}", compare_generated(&composer, &mut random, 2000));
    }
}

#[test]
#[ignore = "goes on for ALLEGRO_FUZZ_SECONDS"]
fn fuzz() {
    let Some(composer) = Composer::new() else {
        return;
    };
    let seconds =
        std::env::var("ALLEGRO_FUZZ_SECONDS").map_or(60, |seconds| seconds.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut random = random();
    let mut files = 0;
    let mut unsure = 0;
    while Instant::now() < end {
        let outcome = compare_generated(&composer, &mut random, 4000);
        files += outcome.files;
        unsure += outcome.unsure;
        println!("{files} files, {unsure} unsure");
    }
}

/// The processor time of this thread: others may be busy on this machine.
fn on_processor() -> Duration {
    let times = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(times.split(' ').next().unwrap().parse().unwrap())
}

#[test]
#[ignore = "measures"]
fn speed() {
    let Some(composer) = Composer::new() else {
        return;
    };
    let files = real_files(&composer);
    let answers = composer.ask(&files, false);
    let contents: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    #[allow(clippy::cast_precision_loss)]
    let megabytes = contents.iter().map(Vec::len).sum::<usize>() as f64 / 1e6;
    let rate = |took: Duration| megabytes / took.as_secs_f64();
    for _ in 0..5 {
        let started = on_processor();
        let classes: usize = contents
            .iter()
            .filter_map(|text| find_classes(text, answers.dialect).ok())
            .map(|names| names.len())
            .sum();
        println!(
            "{megabytes:.1} MB, {} files, {classes} classes: {:.0} MB/s",
            files.len(),
            rate(on_processor().saturating_sub(started))
        );
    }
    println!(
        "Composer's parser: {:.1} MB/s with reading the files",
        rate(answers.took)
    );
}
