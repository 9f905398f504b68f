//! Renders the tags in lines of Composer's dispatcher as Symfony's `OutputFormatter` does.
//!
//! Only the tags that the dispatcher writes itself occur: a listener with tags of its own is left
//! to Composer.

/// The tags with their terminal codes (`Factory::createAdditionalStyles`, composer 2.10.2).
const STYLES: [(&str, &str, &str); 3] = [
    ("error", "\x1b[37;41m", "\x1b[39;49m"),
    ("warning", "\x1b[30;43m", "\x1b[39;49m"),
    ("info", "\x1b[32m", "\x1b[39m"),
];

/// Returns a line without its tags.
pub fn plain(line: &str) -> String {
    replaced(line, |_| ("", ""))
}

/// Returns a line with terminal codes in place of its tags.
pub fn decorated(line: &str) -> String {
    replaced(line, |style| (STYLES[style].1, STYLES[style].2))
}

fn replaced(line: &str, codes: impl Fn(usize) -> (&'static str, &'static str)) -> String {
    let mut line = line.to_owned();
    for (at, (name, ..)) in STYLES.iter().enumerate() {
        let (on, off) = codes(at);
        line = line
            .replace(&format!("<{name}>"), on)
            .replace(&format!("</{name}>"), off);
    }
    line
}

/// Returns whether the formatter would change the text: it has tags, escaped brackets, or control
/// characters (`OutputFormatter::formatAndWrap`, `ConsoleIO::sanitize`).
pub(super) fn changes(text: &str) -> bool {
    let is_tag = |at: usize| {
        let rest = &text.as_bytes()[at + 1..];
        match rest.first() {
            Some(byte) => byte.is_ascii_alphabetic() || *byte == b'/',
            None => false,
        }
    };
    // A bracket with a letter is a tag only if it closes, but such a listener is rare.
    text.bytes()
        .any(|byte| byte.is_ascii_control() && byte != b'\n')
        || text.contains("\\<")
        || text.contains("\\>")
        || (text.contains('>') && text.match_indices('<').any(|(at, _)| is_tag(at)))
}
