//! Renders the tags in lines of Composer as Symfony's `OutputFormatter` does.
//!
//! Only the tags that Composer writes itself occur: a listener with tags of its own is left to
//! Composer.

/// The styles of Composer and of Symfony's console, with the codes that begin and end them
/// (`Factory::createAdditionalStyles`, composer 2.10.2; `OutputFormatter`, symfony/console 5.4).
const STYLES: [(&str, &str, &str); 6] = [
    ("info", "\x1b[32m", "\x1b[39m"),
    ("comment", "\x1b[33m", "\x1b[39m"),
    ("question", "\x1b[30;46m", "\x1b[39;49m"),
    ("error", "\x1b[37;41m", "\x1b[39;49m"),
    ("warning", "\x1b[30;43m", "\x1b[39;49m"),
    ("highlight", "\x1b[31m", "\x1b[39m"),
];

/// Replaces the tags in a text by colours, or removes them.
pub fn formatted(text: &str, is_decorated: bool) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut open: Vec<(&str, &str)> = Vec::new();
    let mut rest = text;
    // Symfony colours each piece of text between two tags by the innermost style.
    let piece = |out: &mut String, open: &[(&str, &str)], text: &str| match open.last() {
        Some((begin, end)) if is_decorated && !text.is_empty() => {
            out.push_str(begin);
            out.push_str(text);
            out.push_str(end);
        }
        _ => out.push_str(text),
    };
    while let Some(at) = rest.find('<') {
        let tag = &rest[at..];
        let opened = STYLES.iter().find_map(|(name, begin, end)| {
            let length = name.len() + 2;
            (tag.get(1..=name.len()) == Some(name) && tag.get(length - 1..length) == Some(">"))
                .then_some((length, (*begin, *end)))
        });
        let closed = STYLES.iter().find_map(|(name, ..)| {
            let length = name.len() + 3;
            (tag.get(1..2) == Some("/")
                && tag.get(2..length - 1) == Some(name)
                && tag.get(length - 1..length) == Some(">"))
            .then_some(length)
        });
        let length = match (opened, closed) {
            (Some((length, style)), _) => {
                piece(&mut out, &open, &rest[..at]);
                open.push(style);
                length
            }
            (None, Some(length)) => {
                piece(&mut out, &open, &rest[..at]);
                open.pop();
                length
            }
            (None, None) => {
                piece(&mut out, &open, &rest[..=at]);
                rest = &rest[at + 1..];
                continue;
            }
        };
        rest = &rest[at + length..];
    }
    piece(&mut out, &open, rest);
    out
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_become_colours_or_vanish() {
        let line = "  - Installing <info>a/b</info> (<comment>1.0</comment>): x < y";
        assert_eq!(formatted(line, false), "  - Installing a/b (1.0): x < y");
        assert_eq!(
            formatted(line, true),
            "  - Installing \x1b[32ma/b\x1b[39m (\x1b[33m1.0\x1b[39m): x < y"
        );
        assert_eq!(
            formatted("<warning>Careful</warning>", true),
            "\x1b[30;43mCareful\x1b[39;49m"
        );
    }
}
