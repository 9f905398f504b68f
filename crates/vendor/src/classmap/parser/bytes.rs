//! Kinds of bytes, and small searches.

use memchr::memchr2;

/// What the lexer takes for a blank in code.
pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// What `\s` means in a pattern: two more than the lexer has.
pub(super) const fn is_space(byte: u8) -> bool {
    byte == b' ' || byte.wrapping_sub(b'\t') < 5
}

/// What `\w` means in a pattern: letters of ASCII alone.
pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The first byte of a label in PHP.
pub(super) const fn is_label_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

/// A further byte of a label in PHP.
pub(super) const fn is_label(byte: u8) -> bool {
    is_label_start(byte) || byte.is_ascii_digit()
}

/// The first place from `at` on whose byte is not of this kind.
pub(super) fn skip(text: &[u8], at: usize, kind: impl Fn(u8) -> bool) -> usize {
    text[at..]
        .iter()
        .position(|&byte| !kind(byte))
        .map_or(text.len(), |found| at + found)
}

/// The place of the next newline byte, or the end.
pub(super) fn line_end(text: &[u8], at: usize) -> usize {
    memchr2(b'\n', b'\r', &text[at..]).map_or(text.len(), |found| at + found)
}

/// The place behind the newline that starts here, if one does.
pub(super) fn newline(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at) {
        Some(b'\n') => Some(at + 1),
        Some(b'\r') => Some(at + 1 + usize::from(text.get(at + 1) == Some(&b'\n'))),
        _ => None,
    }
}

/// The opening of a heredoc or nowdoc.
pub(super) struct Opening {
    /// Where its label is.
    pub label: std::ops::Range<usize>,
    /// Whether it is a nowdoc.
    pub raw: bool,
    /// Where its first line starts.
    pub end: usize,
}

/// The heredoc that opens here, if one does. The lexer and the cleaner agree on this.
pub(super) fn heredoc(text: &[u8], at: usize) -> Option<Opening> {
    if !text[at..].starts_with(b"<<<") {
        return None;
    }
    let mut from = skip(text, at + 3, |byte| matches!(byte, b' ' | b'\t'));
    let quote = text
        .get(from)
        .copied()
        .filter(|byte| matches!(byte, b'\'' | b'"'));
    from += usize::from(quote.is_some());
    if !text.get(from).copied().is_some_and(is_label_start) {
        return None;
    }
    let to = skip(text, from, is_label);
    let mut end = to;
    if let Some(quote) = quote {
        if text.get(end) != Some(&quote) {
            return None;
        }
        end += 1;
    }
    Some(Opening {
        label: from..to,
        raw: quote == Some(b'\''),
        end: newline(text, end)?,
    })
}
