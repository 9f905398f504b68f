//! Tests documents that PHP's `json_decode` refuses, or reads in a special way.

use serde_json::json;

use super::{Registry, manifest};
use crate::support::Side;

/// Returns a metadata file of `a/a` whose only version has additional content.
fn saying(more: &str) -> Vec<u8> {
    version(&format!(
        r#""version":"1.0.0","version_normalized":"1.0.0.0","dist":{{"type":"zip","url":"http://127.0.0.1:1/a.zip"}}{more}"#
    ))
}

fn version(fields: &str) -> Vec<u8> {
    versions(&format!(r#"[{{"name":"a/a",{fields}}}]"#), "")
}

fn versions(list: &str, more: &str) -> Vec<u8> {
    format!(r#"{{"packages":{{"a/a":{list}}}{more}}}"#).into_bytes()
}

fn nested(depth: usize) -> Vec<u8> {
    let value = "[".repeat(depth) + &"]".repeat(depth);
    saying(&format!(r#","extra":{{"deep":{value}}}"#))
}

fn around(before: &[u8], after: &[u8]) -> Vec<u8> {
    [before, &saying(""), after].concat()
}

/// Returns documents: the description of what is odd, the bytes, and whether the native part reads
/// the document.
fn documents() -> Vec<(&'static str, Vec<u8>, bool)> {
    let two = |second: &str| {
        let first =
            r#"{"name":"a/a","version":"2.0.0","description":"x","require":{"php":">=99"}}"#;
        format!("[{first},{second}]")
    };
    let minified = r#","minified":"composer/2.0""#;
    vec![
        ("nothing odd", saying(""), true),
        (
            "half of a surrogate pair",
            saying(r#","description":"\ud800""#),
            false,
        ),
        (
            "the other half",
            saying(r#","description":"\udc00\ud800""#),
            false,
        ),
        ("a pair", saying(r#","description":"\ud83d\uDE00""#), true),
        (
            "half of a pair in a key",
            saying(r#","extra":{"\ud800":1}"#),
            false,
        ),
        (
            "half of a pair elsewhere",
            versions("[]", r#","other":["\udfff"]"#),
            false,
        ),
        ("as deep as can be", nested(506), true),
        ("too deep", nested(507), false),
        ("far too deep", nested(20_000), false),
        (
            "an infinite number",
            saying(r#","extra":{"a":1e999}"#),
            false,
        ),
        (
            "numbers",
            saying(
                // Other numbers are a known difference in a second run, because Composer's cache
                // holds them as PHP writes them.
                r#","extra":{"a":[0,7,-12,0.1,-3.5,9223372036854775807]}"#,
            ),
            true,
        ),
        (
            "odd keys",
            saying(r#","extra":{"":1,"\u0000a":2,"0":3,"01":4,"-1":5}"#),
            true,
        ),
        (
            "a key twice, far down",
            saying(r#","extra":{"a":1,"b":2,"a":3}"#),
            true,
        ),
        (
            "a version twice in one",
            saying(r#","version":"1.1.0","version_normalized":"1.1.0.0""#),
            false,
        ),
        (
            "requirements twice",
            saying(r#","require":{"b/b":"*"},"require":{}"#),
            false,
        ),
        (
            "one requirement twice",
            saying(r#","require":{"php":">=99","php":"*"}"#),
            true,
        ),
        (
            "packages twice",
            versions(
                "[]",
                r#","packages":{"a/a":[]},"packages":{"a/a":[{"name":"a/a","version":"3.0.0"}]}"#,
            ),
            true,
        ),
        (
            "versions by key",
            versions(
                r#"{"x":{"name":"a/a","version":"2.0.0"},"0":{"name":"a/a","version":"1.0.0"}}"#,
                "",
            ),
            true,
        ),
        (
            "versions by one key",
            versions(
                r#"{"x":{"name":"a/a","version":"2.0.0"},"x":{"name":"a/a","version":"1.0.0"}}"#,
                "",
            ),
            false,
        ),
        (
            "a list of requirements",
            saying(r#","require":["b/b"]"#),
            false,
        ),
        (
            "an empty list of requirements",
            saying(r#","require":[ ]"#),
            true,
        ),
        (
            "unset",
            versions(&two(r#"{"version":"1.0.0","require":"__unset"}"#), minified),
            true,
        ),
        (
            "unset by escapes",
            versions(
                &two(r#"{"version":"1.0.0","require":"\u005f_unset"}"#),
                minified,
            ),
            true,
        ),
        (
            "unset in the first",
            versions(
                r#"[{"name":"a/a","version":"1.0.0","description":"__unset"}]"#,
                minified,
            ),
            false,
        ),
        (
            "unset and set again",
            versions(
                &two(r#"{"version":"1.0.0","require":"__unset","require":{}}"#),
                minified,
            ),
            false,
        ),
        (
            "a message",
            versions(
                r#"[{"name":"a/a","version":"1.0.0"}]"#,
                r#","warning":"beware","warning-versions":"*""#,
            ),
            false,
        ),
        ("not UTF-8", saying_bytes(b"\xff"), false),
        ("a surrogate in UTF-8", saying_bytes(b"\xed\xa0\x80"), false),
        ("an overlong slash", saying_bytes(b"\xc0\xaf"), false),
        ("beyond Unicode", saying_bytes(b"\xf4\x90\x80\x80"), false),
        ("a control character", saying_bytes(b"\x01"), false),
        ("a line break in a text", saying_bytes(b"\n"), false),
        ("a zero in a text", saying_bytes(b"\0"), false),
        ("an escape that is none", saying_bytes(br"\x41"), false),
        ("half an escape", saying_bytes(br"\u12"), false),
        ("a byte order mark", around(b"\xef\xbb\xbf", b""), false),
        ("something behind", around(b"", b"x"), false),
        ("a second document", around(b"", b"{}"), false),
        ("a zero behind", around(b"", b"\0"), false),
        ("whitespace", around(b" \t\r\n", b"\n\t "), true),
        ("a form feed", around(b"\x0c", b""), false),
        ("a hard space", around(b"\xc2\xa0", b""), false),
        (
            "words in capitals",
            saying(r#","default-branch":TRUE"#),
            false,
        ),
        ("a comment", around(b"// one\n", b""), false),
        ("a comma too many", saying(r#","extra":[1,]"#), false),
        ("single quotes", saying(",'a':1"), false),
        (
            "a number with a zero before",
            saying(r#","extra":{"a":01}"#),
            false,
        ),
        ("half a document", saying("")[..40].to_vec(), false),
        ("nothing", Vec::new(), false),
        ("null", b"null".to_vec(), false),
        ("a list", b"[]".to_vec(), false),
        ("a text", b"\"packages\"".to_vec(), false),
        (
            "UTF-16",
            saying("").iter().flat_map(|byte| [*byte, 0]).collect(),
            false,
        ),
    ]
}

fn saying_bytes(bytes: &[u8]) -> Vec<u8> {
    let mark = "MARK";
    let text = saying(&format!(r#","description":"{mark}""#));
    let at = text
        .windows(mark.len())
        .position(|part| part == mark.as_bytes());
    let at = at.expect("the mark");
    [&text[..at], bytes, &text[at + mark.len()..]].concat()
}

/// Allegro treats each document as Composer does, even if it comes from the cache.
#[test]
fn odd_metadata_with_a_validator() {
    odd_metadata(true);
}

/// The same holds for documents without a validator.
#[test]
fn odd_metadata_without_a_validator() {
    odd_metadata(false);
}

fn odd_metadata(is_dated: bool) {
    let Some(registry) = Registry::new() else {
        return;
    };
    let project = manifest(&registry.files, &[""], json!({ "require": { "a/a": "*" } }));
    registry.files.set_dated(is_dated);
    for (what, document, is_read) in documents() {
        registry.forget_caches();
        registry.files.put("p2/a/a.json", &document);
        let _ = registry.compare(what, &project, None, &[]);
        // Composer's cache may have other content by now, even of a document that was refused.
        registry.compare(&format!("{what}, again"), &project, None, &[]);
        registry.forget_caches();
        let (ours, _) = registry.play(Side::Allegro, &project, None, &["-v"]);
        let was_read = ours.stderr.contains("considered") || ours.stderr.contains("can not be met");
        assert_eq!(was_read, is_read, "{what}: {}", ours.stderr);
    }
}

/// Composer can't make a package of such JSON, which may be in a chosen version or in another one.
#[test]
fn versions_that_are_no_packages() {
    let Some(registry) = Registry::new() else {
        return;
    };
    let project = manifest(&registry.files, &[""], json!({ "require": { "a/a": "*" } }));
    let odd = [
        r#""name":5"#,
        r#""source":5"#,
        r#""source":{"type":"git","url":"x"}"#,
        r#""dist":[]"#,
        r#""dist":{"type":"zip"}"#,
        r#""autoload":"src""#,
        r#""support":"me""#,
        r#""type":["library"]"#,
        r#""time":{"now":1}"#,
        r#""bin":5"#,
        r#""require-dev":"b/b""#,
        r#""suggest":{"b/b":["x"]}"#,
        r#""license":{"a":{"b":1}},"keywords":["a"],"authors":"me""#,
    ];
    let fine = r#"{"name":"a/a","version":"1.5.0","dist":{"type":"zip","url":"http://127.0.0.1:1/a.zip"}}"#;
    for odd in odd {
        for number in ["1.0.0", "2.0.0"] {
            let name = if odd.contains("name") {
                ""
            } else {
                r#""name":"a/a","#
            };
            let list = format!(r#"[{fine},{{{name}"version":"{number}",{odd}}}]"#);
            registry.forget_caches();
            registry.files.put("p2/a/a.json", &versions(&list, ""));
            registry.compare(&format!("{odd} in {number}"), &project, None, &[]);
        }
    }
}

/// Odd documents may also be in the file of branches.
#[test]
fn odd_metadata_of_branches() {
    let Some(registry) = Registry::new() else {
        return;
    };
    let more = json!({ "require": { "a/a": "*" }, "minimum-stability": "dev" });
    let project = manifest(&registry.files, &[""], more);
    registry.files.put("p2/a/a.json", &saying(""));
    for (what, document, _) in documents() {
        registry.forget_caches();
        registry.files.put("p2/a/a~dev.json", &document);
        let _ = registry.compare(what, &project, None, &[]);
    }
}

/// Composer alone reads `packages.json` and the lock. Nothing of ours comes before that.
#[test]
fn odd_roots_and_locks() {
    let Some(registry) = Registry::new() else {
        return;
    };
    let project = manifest(&registry.files, &[""], json!({ "require": { "a/a": "*" } }));
    registry.files.put("p2/a/a.json", &saying(""));
    let (_, lock) = registry.agree("at first", &project, None, &[]);
    let lock = lock.expect("a lock");
    let root = r#"{"packages":[],"metadata-url":"/p2/%package%.json""#;
    for (what, more) in [
        ("a surrogate", r#","x":"\ud800"}"#),
        (
            "depth",
            &format!(r#","x":{}{}}}"#, "[".repeat(600), "]".repeat(600)),
        ),
        ("a key twice", r#","metadata-url":"/p2/%package%.json"}"#),
        ("an infinite number", r#","x":1e999}"#),
        ("odd keys", r#","":{"\u0000":{"0":1}}}"#),
        ("something behind", "}x"),
        ("half", ""),
    ] {
        registry.forget_caches();
        registry
            .files
            .put("packages.json", format!("{root}{more}").as_bytes());
        registry.compare(&format!("{what} in packages.json"), &project, None, &[]);
        registry.root("", json!({}));
        let odd = lock
            .trim_end()
            .strip_suffix('}')
            .expect("an object")
            .to_owned()
            + more;
        registry.compare(&format!("{what} in the lock"), &project, Some(&odd), &[]);
        let install = |side: Side| {
            registry.project(&project, Some(&odd));
            let run = registry.scene.run(side, &["install", "--dry-run"]);
            (run.exit, super::said(&run))
        };
        assert_eq!(
            install(Side::Serial),
            install(Side::Allegro),
            "{what} in the lock"
        );
    }
}
