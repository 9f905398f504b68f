//! Classifies bytes, and does small searches.

use memchr::memchr2;

/// Returns whether the lexer takes the byte for a blank in code.
pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Returns whether `\s` matches the byte in a pattern. It matches two more bytes than the lexer's
/// blanks.
pub(super) const fn is_space(byte: u8) -> bool {
    byte == b' ' || byte.wrapping_sub(b'\t') < 5
}

/// Returns whether `\w` matches the byte in a pattern. Only ASCII letters count.
pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Returns whether the byte can start a label in PHP.
pub(super) const fn is_label_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

/// Returns whether the byte can continue a label in PHP.
pub(super) const fn is_label(byte: u8) -> bool {
    is_label_start(byte) || byte.is_ascii_digit()
}

/// Returns the first position from `at` on whose byte is not of this kind.
pub(super) fn skip(text: &[u8], at: usize, kind: impl Fn(u8) -> bool) -> usize {
    text[at..]
        .iter()
        .position(|&byte| !kind(byte))
        .map_or(text.len(), |found| at + found)
}

/// Returns the position of the next newline byte, or the end.
pub(super) fn line_end(text: &[u8], at: usize) -> usize {
    memchr2(b'\n', b'\r', &text[at..]).map_or(text.len(), |found| at + found)
}

/// Returns the position behind the newline that starts here, if one does.
pub(super) fn newline(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at) {
        Some(b'\n') => Some(at + 1),
        Some(b'\r') => Some(at + 1 + usize::from(text.get(at + 1) == Some(&b'\n'))),
        _ => None,
    }
}

/// The opening of a heredoc or nowdoc.
pub(super) struct Opening {
    /// Range of the label.
    pub label: std::ops::Range<usize>,
    /// Whether it is a nowdoc.
    pub raw: bool,
    /// Start of the first line.
    pub end: usize,
}

/// Returns the heredoc that opens here, if one does. The lexer and the cleaner agree on heredocs.
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
