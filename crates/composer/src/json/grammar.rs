//! Checks JSON against the grammar by which PHP reads it.
//!
//! Composer reads JSON by `json_decode($text, true)`. The check must refuse every text that
//! Composer refuses, and read the others alike. `serde_json` alone is too lenient, because it
//! doesn't look into skipped values. There, a lone surrogate or a thousand brackets would pass.

use std::sync::Arc;

/// The number of arrays and objects that may lie in each other. `json_decode`'s own limit is 512,
/// of which the innermost values take one.
const DEEPEST: usize = 511;

/// The greatest length of a finite number that is written without an exponent.
const LONGEST_FINITE: usize = 300;

/// A text that `json_decode` accepts, and in which no number is infinite to PHP.
///
/// The check refuses two things that PHP accepts. `TRUE`, `False` and the like are words to PHP,
/// but not to `serde_json`. A number such as `1e999` is infinite to PHP, which can't write it
/// again. Composer fails where it would put such a document into its cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhpJson(Arc<String>);

impl PhpJson {
    /// Checks a text. The error says what is wrong with the text.
    pub fn of(text: String) -> Result<Self, &'static str> {
        check(text.as_bytes())?;
        Ok(Self(Arc::new(text)))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the text as an owned string. The text is copied only if somebody else has it too.
    pub fn into_string(self) -> String {
        Arc::unwrap_or_clone(self.0)
    }

    /// Returns the document with one more text member, if the document is an object that has
    /// members.
    #[must_use]
    pub fn with_member(self, key: &str, value: &str) -> Self {
        match self.0.trim_end().strip_suffix('}') {
            Some(body) if !body.trim_end().ends_with('{') => {
                let [key, value] = [key, value].map(serde_json::Value::from);
                Self(Arc::new(format!("{body},{key}:{value}}}")))
            }
            _ => self,
        }
    }
}

/// Walks through a UTF-8 text by the grammar of PHP's scanner and parser (`ext/json`, PHP 7.0 to
/// 8.5).
fn check(text: &[u8]) -> Result<(), &'static str> {
    let mut scanner = Scanner { text, at: 0 };
    let mut open: Vec<u8> = Vec::new();
    loop {
        match scanner.token() {
            Some(bracket @ (b'{' | b'[')) => {
                open.push(bracket);
                if open.len() > DEEPEST {
                    return Err("it is nested too deeply");
                }
                scanner.at += 1;
                if scanner.token() == Some(closing(bracket)) {
                    scanner.at += 1;
                    open.pop();
                } else {
                    if bracket == b'{' {
                        scanner.key()?;
                    }
                    continue;
                }
            }
            Some(b'"') => scanner.string()?,
            Some(b'-' | b'0'..=b'9') => scanner.number()?,
            _ => scanner.word()?,
        }
        // A value has ended, and perhaps the list or object around it.
        loop {
            match (open.last(), scanner.token()) {
                (None, None) => return Ok(()),
                (Some(bracket), Some(b',')) => {
                    scanner.at += 1;
                    if *bracket == b'{' {
                        scanner.key()?;
                    }
                    break;
                }
                (Some(bracket), Some(byte)) if byte == closing(*bracket) => {
                    scanner.at += 1;
                    open.pop();
                }
                _ => return Err(SYNTAX),
            }
        }
    }
}

const SYNTAX: &str = "it is not JSON";

fn closing(bracket: u8) -> u8 {
    if bracket == b'{' { b'}' } else { b']' }
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Steps over whitespace and returns the next byte.
    fn token(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
        self.peek()
    }

    fn word(&mut self) -> Result<(), &'static str> {
        let rest = &self.text[self.at..];
        let words: [&[u8]; 3] = [b"true", b"false", b"null"];
        let word = words.iter().find(|word| rest.starts_with(word));
        self.at += word.ok_or(SYNTAX)?.len();
        Ok(())
    }

    /// Steps over the name of a member and its colon.
    fn key(&mut self) -> Result<(), &'static str> {
        if self.token() != Some(b'"') {
            return Err(SYNTAX);
        }
        self.string()?;
        if self.token() != Some(b':') {
            return Err(SYNTAX);
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<(), &'static str> {
        self.at += 1;
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.iter().position(|byte| SPECIAL[*byte as usize]);
            self.at += plain.ok_or(SYNTAX)?;
            match self.text[self.at] {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.escape()?,
                _ => return Err("a text has a control character in it"),
            }
        }
    }

    fn escape(&mut self) -> Result<(), &'static str> {
        let what = self.text.get(self.at + 1);
        self.at += 2;
        match what {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(()),
            Some(b'u') => match self.unit()? {
                0xd800..=0xdbff => {
                    if !self.text[self.at..].starts_with(b"\\u") {
                        return Err(SURROGATE);
                    }
                    self.at += 2;
                    match self.unit()? {
                        0xdc00..=0xdfff => Ok(()),
                        _ => Err(SURROGATE),
                    }
                }
                0xdc00..=0xdfff => Err(SURROGATE),
                _ => Ok(()),
            },
            _ => Err(SYNTAX),
        }
    }

    /// Reads the four digits of a UTF-16 unit.
    fn unit(&mut self) -> Result<u32, &'static str> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(SYNTAX)?;
        self.at += 4;
        digits.iter().try_fold(0, |unit, digit| {
            let digit = char::from(*digit).to_digit(16).ok_or(SYNTAX)?;
            Ok(unit << 4 | digit)
        })
    }

    fn digits(&mut self) -> usize {
        let from = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        self.at - from
    }

    fn number(&mut self) -> Result<(), &'static str> {
        let from = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let leading = self.peek();
        let whole = self.digits();
        if whole == 0 || whole > 1 && leading == Some(b'0') {
            return Err(SYNTAX);
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(SYNTAX);
            }
        }
        let has_exponent = matches!(self.peek(), Some(b'e' | b'E'));
        if has_exponent {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(SYNTAX);
            }
        }
        let number = &self.text[from..self.at];
        if has_exponent || number.len() > LONGEST_FINITE {
            let number = std::str::from_utf8(number).ok();
            let number = number.and_then(|number| number.parse::<f64>().ok());
            if !number.is_some_and(f64::is_finite) {
                return Err("a number is out of range");
            }
        }
        Ok(())
    }
}

const SURROGATE: &str = "a text has half of a surrogate pair in it";

/// The bytes of a text that stand for more than themselves.
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        special[byte] = true;
        byte += 1;
    }
    special[b'"' as usize] = true;
    special[b'\\' as usize] = true;
    special
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_added_to_an_object_alone() {
        let with = |text: &str| {
            let json = PhpJson::of(text.to_owned()).expect("JSON");
            json.with_member("k", "a\"b").into_string()
        };
        assert_eq!(with("{\"a\": 1 } \n"), r#"{"a": 1 ,"k":"a\"b"}"#);
        assert_eq!(with("{ }"), "{ }");
        assert_eq!(with("[1]"), "[1]");
    }

    #[test]
    fn what_php_refuses_is_refused() {
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        let accepted = [
            "\u{20}\t\r\n-0 ",
            r#"{"":{"\u0000a":[]},"a":1,"a":2}"#,
            r#""\ud83d\ude00\uFFFF\/\u007f""#,
            "\"\u{7f}\u{10ffff}\"",
            "[1e308,1E+05,-0.0e-9,12345678901234567890]",
            &deep(511),
        ];
        for text in accepted {
            assert!(PhpJson::of(text.to_owned()).is_ok(), "{text}");
        }
        let refused = [
            "",
            "\u{feff}1",
            "\u{b}1",
            "\u{a0}1",
            "1\0",
            "1 1",
            "[1,]",
            "{\"a\":1,}",
            "{1:1}",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "-",
            "True",
            "1e999",
            "\"\t\"",
            r#""\u12""#,
            r#""\x41""#,
            r#""\ud800""#,
            r#""\udc00\ud800""#,
            r#""\ud800\u0041""#,
            "'a'",
            "// \n1",
            "\"",
            "[",
            "[}",
            &deep(512),
        ];
        for text in refused {
            assert!(PhpJson::of(text.to_owned()).is_err(), "{text}");
        }
        let long = "9".repeat(400);
        assert!(PhpJson::of(long).is_err());
    }
}
