//! JSON against PHP's `json_decode` itself, on documents made up from a seed.
//!
//! * `ALLEGRO_TEST_SEED`: the seed of a run to be repeated
//! * `ALLEGRO_TEST_JSON_ROUNDS`: how many documents of each kind

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use allegro_base::hex::hex;
use allegro_composer::json::{Json, PhpJson};
use allegro_resolver::metadata_text::Versions;
use allegro_resolver::outline::Outline;
use fastrand::Rng;

/// How many documents of each kind a plain test run makes up.
const ROUNDS: usize = 10_000;

/// Reads a document in hexadecimal, a line each, and what we make of its versions: the text of each, or nothing. Says
/// whether the document is JSON, whether Composer could write it again, and whether its versions are the same.
const PHP: &str = r"
function expand(array $versions): array {
    $expanded = []; $version = null;
    foreach ($versions as $data) {
        if (!$version) { $version = $data; $expanded[] = $version; continue; }
        foreach ($data as $key => $value) {
            if ($value === '__unset') { unset($version[$key]); } else { $version[$key] = $value; }
        }
        $expanded[] = $version;
    }
    return $expanded;
}
ini_set('serialize_precision', '17');
while (($line = fgets(STDIN)) !== false) {
    [$text, $ours] = explode(' ', rtrim($line, PHP_EOL)) + [1 => ''];
    $data = json_decode(hex2bin($text), true);
    $error = json_last_error();
    if ($error !== JSON_ERROR_NONE) { echo 'refused ', $error, PHP_EOL; continue; }
    if (json_encode($data) === false) { echo 'infinite', PHP_EOL; continue; }
    if ($ours === '') { echo 'accepted', PHP_EOL; continue; }
    $versions = is_array($data) ? ($data['packages']['a/a'] ?? null) : null;
    if (is_array($versions) && ($data['minified'] ?? null) === 'composer/2.0') { $versions = expand($versions); }
    $theirs = $versions === null ? 'none' : serialize(array_values($versions));
    if ($ours !== 'none') {
        $read = array_map(fn (string $one) => json_decode(hex2bin($one), true, 512, JSON_THROW_ON_ERROR), array_filter(explode(',', $ours)));
        $ours = serialize(array_values($read));
    }
    echo $theirs === $ours ? 'same' : 'different: '.$theirs.' and '.$ours, PHP_EOL;
}
";

/// Reads a document in hexadecimal, a line each. Says what `Locker::getContentHash` and `JsonFile::encode` make of it.
const WRITER: &str = r"
ini_set('serialize_precision', '-1');
while (($line = fgets(STDIN)) !== false) {
    $text = hex2bin(trim($line));
    $values = json_decode($text, true);
    if (json_last_error() !== JSON_ERROR_NONE) { echo 'refused', PHP_EOL; continue; }
    $objects = json_decode($text);
    if (json_last_error() !== JSON_ERROR_NONE) { echo 'refused', PHP_EOL; continue; }
    $flags = JSON_UNESCAPED_SLASHES | JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE;
    $texts = [json_encode($values), json_encode($objects, $flags)];
    if (in_array(false, $texts, true)) { echo 'infinite', PHP_EOL; continue; }
    echo implode(' ', array_map('bin2hex', $texts)), PHP_EOL;
}
";

struct Php {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Php {
    fn start(script: &str) -> Option<Self> {
        let php = std::env::var_os("ALLEGRO_TEST_PHP").unwrap_or_else(|| "php".into());
        let child = Command::new(php)
            .args(["-n", "-d", "memory_limit=-1", "-r", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            println!("skipped: there is no PHP");
            return None;
        };
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Some(Self {
            child,
            input,
            output,
        })
    }

    fn ask(&mut self, document: &[u8], ours: &str) -> String {
        writeln!(self.input, "{} {ours}", hex(document)).unwrap();
        self.input.flush().unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Php {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.trim().parse().ok()
}

fn rounds() -> usize {
    number("ALLEGRO_TEST_JSON_ROUNDS").map_or(ROUNDS, |rounds| usize::try_from(rounds).unwrap())
}

fn seeded() -> Rng {
    let seed = number("ALLEGRO_TEST_SEED").unwrap_or(16);
    println!("json: ALLEGRO_TEST_SEED={seed}");
    Rng::with_seed(seed)
}

fn pick<'a>(random: &mut Rng, list: &[&'a str]) -> &'a str {
    list[random.usize(..list.len())]
}

/// Whitespace, mostly none.
fn space(random: &mut Rng) -> &'static str {
    pick(random, &["", "", "", "", "", " ", "\n", "\t\r\n", "  "])
}

fn scalar(random: &mut Rng) -> String {
    match random.u32(..9) {
        0 => pick(random, &["true", "false", "null"]).to_owned(),
        1 => random.i64(..).to_string(),
        2 => pick(
            random,
            &[
                "0",
                "-0",
                "-0.0",
                "0e0",
                "1e5",
                "1E+05",
                "-1.5e-3",
                "12345678901234567890",
                "-9223372036854775808",
                "9223372036854775807",
                "9223372036854775808",
                "1e308",
                "1.7976931348623157e308",
                "5e-324",
                "1e-999",
                "0.1",
                "1.0",
                "100000000000000000000000",
            ],
        )
        .to_owned(),
        3 => format!("{}.{}", random.i32(..), random.u32(..)),
        _ => text(random),
    }
}

fn text(random: &mut Rng) -> String {
    let mut text = String::from("\"");
    for _ in 0..random.usize(..5) {
        text.push_str(pick(
            random,
            &[
                "a",
                "b/b",
                "__unset",
                "0",
                "é",
                "😀",
                "\u{2028}",
                "\u{7f}",
                " ",
                "\\n",
                "\\/",
                "\\\"",
                "\\\\",
                "\\u0000",
                "\\u00e9",
                "\\ud83d\\ude00",
                "\\uFFFF",
                "\\u005f",
            ],
        ));
    }
    text.push('"');
    text
}

fn value(random: &mut Rng, depth: u32) -> String {
    let kind = if depth == 0 { 9 } else { random.u32(..6) };
    let space = space(random);
    let count = random.usize(..4);
    match kind {
        0 => {
            let values: Vec<String> = (0..count).map(|_| value(random, depth - 1)).collect();
            format!("[{space}{}]", values.join(&format!("{space},{space}")))
        }
        1 => {
            let members: Vec<String> = (0..count)
                .map(|_| {
                    let key = match random.u32(..4) {
                        0 => format!("\"{}\"", random.u32(..3)),
                        1 => "\"\"".to_owned(),
                        _ => text(random),
                    };
                    format!("{key}{space}:{}", value(random, depth - 1))
                })
                .collect();
            format!("{{{}{space}}}", members.join(&format!("{space},")))
        }
        _ => scalar(random),
    }
}

/// Something that a document must not have, or that only looks so.
const ODD: [&[u8]; 44] = [
    b"\xef\xbb\xbf",
    b"\0",
    b"\x01",
    b"\x0b",
    b"\x0c",
    b"\x7f",
    b"\x80",
    b"\xc0\x80",
    b"\xc2\xa0",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xff",
    b"\\ud800",
    b"\\udc00",
    b"\\ud800\\u0041",
    b"\\u12",
    b"\\U0041",
    b"\\x41",
    b"\\'",
    b"'",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"TRUE",
    b"Null",
    b"nan",
    b"Infinity",
    b"1e999",
    b"-1e999",
    b"01",
    b"1.",
    b".5",
    b"+1",
    b"-",
    b"1e",
    b"//x\n",
    b"/**/",
    b"0x1",
    b"1_000",
];

fn mutate(random: &mut Rng, text: String) -> Vec<u8> {
    let mut bytes = text.into_bytes();
    for _ in 0..random.usize(..3) {
        let at = random.usize(..=bytes.len());
        match random.u32(..5) {
            0 if at < bytes.len() => bytes[at] = random.u8(..),
            1 => bytes.truncate(at),
            2 => {
                let end = (at + random.usize(..4)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                bytes.splice(at..at, ODD[random.usize(..ODD.len())].iter().copied());
            }
        }
    }
    bytes
}

fn check(document: &[u8]) -> Result<PhpJson, &'static str> {
    let text = String::from_utf8(document.to_vec()).map_err(|_| "it is not UTF-8")?;
    PhpJson::of(text)
}

/// PHP refuses exactly what we refuse, but for what is infinite or a word in capitals.
#[test]
fn what_is_json_is_json_to_php() {
    let Some(mut php) = Php::start(PHP) else {
        return;
    };
    let random = &mut seeded();
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..rounds() {
        let depth = if round % 50 == 0 {
            random.usize(500..515)
        } else {
            0
        };
        let inner = value(random, 4);
        let nested = format!("{}{inner}{}", "[".repeat(depth), "]".repeat(depth));
        let document = mutate(random, nested);
        let shown = String::from_utf8_lossy(&document);
        match (check(&document), php.ask(&document, "").as_str()) {
            (Ok(_), "accepted") => accepted += 1,
            (Err(_), "infinite") => refused += 1,
            (Err(_), theirs) if theirs.starts_with("refused") => refused += 1,
            (Err(_), "accepted") if has_capitals(&document) => {}
            // The key of the number is there once more, with another value.
            (Err("a number is out of range"), "accepted") => {}
            (ours, theirs) => panic!("{theirs} by PHP, {ours:?} by us: {shown}"),
        }
    }
    println!("json: {accepted} accepted, {refused} refused");
    assert!(
        accepted.min(refused) * 10 > rounds(),
        "both kinds are tried"
    );
}

/// What Composer hashes and what it writes are equal byte for byte.
#[test]
fn json_is_written_as_php_writes_it() {
    let Some(mut php) = Php::start(WRITER) else {
        return;
    };
    let random = &mut seeded();
    let mut same = 0;
    for _ in 0..rounds() {
        let text = value(random, 4);
        let theirs = php.ask(text.as_bytes(), "");
        if ["refused", "infinite"].contains(&theirs.as_str()) {
            continue;
        }
        let json = Json::parse(&text).unwrap();
        let file = json.to_file_text();
        let ours =
            [json.to_php_default().as_str(), file.trim_end()].map(|text| hex(text.as_bytes()));
        assert_eq!(ours.join(" "), theirs, "{text}: {}", json.to_php_default());
        same += 1;
    }
    println!("json: {same} written");
    assert!(same * 2 > rounds(), "most are tried");
}

fn has_capitals(document: &[u8]) -> bool {
    let text = String::from_utf8_lossy(document);
    let lower = text.to_ascii_lowercase();
    ["true", "false", "null"]
        .iter()
        .any(|word| lower.matches(word).count() > text.matches(word).count())
}

/// A metadata file, with oddities in the places where we look.
fn metadata(random: &mut Rng) -> String {
    let version = |random: &mut Rng| {
        let mut fields: Vec<String> = Vec::new();
        fields.push(format!("\"version\":\"{}.0.0\"", random.u32(1..9)));
        if random.u32(..8) > 0 {
            fields.push("\"name\":\"a/a\"".to_owned());
        }
        for _ in 0..random.usize(..6) {
            let key = pick(
                random,
                &[
                    "require",
                    "conflict",
                    "replace",
                    "extra",
                    "type",
                    "description",
                    "",
                    "0",
                    "x",
                    "version",
                ],
            );
            let value = match random.u32(..8) {
                0 => "\"__unset\"".to_owned(),
                1 => "\"\\u005f_unset\"".to_owned(),
                2 => "{\"b/b\":\"*\",\"b/b\":\"^1\"}".to_owned(),
                3 => "[ ]".to_owned(),
                _ => value(random, 2),
            };
            let (key, value) = if key == "version" && random.u32(..4) > 0 {
                ("y", value)
            } else {
                (key, value)
            };
            fields.push(format!("{}\"{key}\":{value}", space(random)));
        }
        format!("{{{}}}", fields.join(","))
    };
    let count = random.usize(..5);
    let versions: Vec<String> = (0..count).map(|_| version(random)).collect();
    let list = match random.u32(..8) {
        0 => {
            let keyed = versions
                .iter()
                .map(|one| format!("\"{}\":{one}", random.u32(..6)));
            format!("{{{}}}", keyed.collect::<Vec<_>>().join(","))
        }
        1 => "null".to_owned(),
        _ => format!("[{}]", versions.join(",")),
    };
    let mut members = vec![format!("\"packages\":{{\"a/a\":{list}}}")];
    for _ in 0..random.usize(..3) {
        let member = match random.u32(..6) {
            0 => "\"packages\":[]".to_owned(),
            1 => "\"packages\":{\"a/a\":[{\"version\":\"9.0.0\"}]}".to_owned(),
            2 => "\"minified\":5".to_owned(),
            3 => format!("\"x\":{}", value(random, 2)),
            _ => "\"minified\":\"composer\\/2.0\"".to_owned(),
        };
        members.insert(random.usize(..=members.len()), member);
    }
    format!("{{{}}}", members.join(","))
}

/// What we make of the versions of a metadata file, each as the JSON that PHP is given; `None` if it is Composer's.
fn read(document: &[u8]) -> Option<String> {
    let json = check(document).ok()?;
    let text = json.as_str().to_owned();
    let Some(versions) = Versions::read(json, "a/a").ok()? else {
        return Some("none".to_owned());
    };
    let outline = Outline::of(&versions).ok()?;
    let wholes = (0..outline.versions.len())
        .map(|version| Some(hex(outline.whole(version, &text).ok()?.as_bytes())));
    let wholes: Option<Vec<String>> = wholes.collect();
    let wholes = wholes?;
    // An empty text would mean that nothing is asked.
    Some(if wholes.is_empty() {
        ",".to_owned()
    } else {
        wholes.join(",")
    })
}

/// Whatever is read of metadata is what PHP reads, with the same keys in the same order.
#[test]
fn versions_are_what_php_reads() {
    let Some(mut php) = Php::start(PHP) else {
        return;
    };
    let random = &mut seeded();
    let mut same = 0;
    for round in 0..rounds() {
        let document = metadata(random);
        let document = if round % 4 == 0 {
            mutate(random, document)
        } else {
            document.into_bytes()
        };
        let Some(ours) = read(&document) else {
            continue;
        };
        let theirs = php.ask(&document, &ours);
        let shown = String::from_utf8_lossy(&document);
        assert_eq!(theirs, "same", "{shown}");
        same += 1;
    }
    println!("json: {same} the same");
    assert!(same * 5 > rounds(), "only {same} were read");
}
