#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::process::Command;

use super::{exported, integer_key, string};
use crate::json::Json;

#[test]
fn strings_keep_quotes_backslashes_and_zero_bytes() {
    assert_eq!(string("a/é$"), "'a/é$'");
    assert_eq!(string(r"it's \n"), r"'it\'s \\n'");
    assert_eq!(string("\0"), "'' . \"\\0\" . ''");
    assert_eq!(string("a\0\0b"), "'a' . \"\\0\" . '' . \"\\0\" . 'b'");
}

#[test]
fn only_plain_integers_are_integer_keys() {
    for (key, number) in [
        ("0", 0),
        ("-5", -5),
        ("9223372036854775807", i64::MAX),
        ("-9223372036854775808", i64::MIN),
    ] {
        assert_eq!(integer_key(key), Some(number));
    }
    for key in [
        "",
        "-",
        "-0",
        "00",
        "1.0",
        "+1",
        " 1",
        "9223372036854775808",
        "-9223372036854775809",
    ] {
        assert_eq!(integer_key(key), None, "{key}");
    }
}

#[test]
fn values_are_written_as_php_writes_them() {
    let text = r#"{"a": null, "b": [true, false, -3, 1.0, 0.5, 1e25, 1.5e-7, -0.0, 1e17, 123456789012345678],
        "0": {}, "c": {"d": {"e'": "f\\"}}, "1": [], "-1": "x", "01": 12345678901234567890,
        "m": -9223372036854775808, "\u0000k": "a\u0000b"}"#;
    let code = "var_export(json_decode(stream_get_contents(STDIN), true));";
    let mut child = match Command::new("php")
        .args(["-n", "-r", code])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
    {
        Ok(child) => child,
        Err(error) => return eprintln!("skipped: php: {error}"),
    };
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let expected = String::from_utf8(output.stdout).unwrap();
    assert_eq!(exported(&Json::parse(text).unwrap()), expected);
}
