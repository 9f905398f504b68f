//! Reimplements Composer's cleaner, which removes text outside of PHP, strings and heredocs.

use super::bytes::{self, is_label, is_space};
use super::names;
use memchr::memchr2;

/// Bytes at which something can start. The letters start keywords, and matter only for a single
/// declaration.
const STOPS: [u8; 256] = {
    let mut stops = [0; 256];
    let mut byte = u8::MAX;
    loop {
        stops[byte as usize] = match byte {
            b'?' | b'"' | b'\'' | b'<' | b'/' => 3,
            b'c' | b'i' | b't' | b'e' => 2,
            _ => 0,
        };
        if byte == 0 {
            break stops;
        }
        byte -= 1;
    }
};

/// Returns the text without parts that could be mistaken for a declaration.
///
/// With a `single` candidate, the result ends at the first declaration, because nothing of interest
/// follows.
pub(super) fn clean(text: &[u8], single: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(if single { 1024 } else { text.len() + 16 });
    let mut at = 0;
    while at < text.len() {
        at = opening(text, at);
        out.extend_from_slice(b"<?");
        at = php(text, at, single, &mut out);
    }
    out
}

/// Returns the position behind the next `<?`, or the end.
fn opening(text: &[u8], at: usize) -> usize {
    memchr::memmem::find(&text[at..], b"<?").map_or(text.len(), |found| at + found + 2)
}

/// Cleans the text up to the end of the next `?>`, or to the end.
fn php(text: &[u8], mut at: usize, single: bool, out: &mut Vec<u8>) -> usize {
    let stop = if single { 2 } else { 1 };
    let mut from = at;
    while at < text.len() {
        let byte = text[at];
        if STOPS[usize::from(byte)] & stop == 0 {
            at += 1;
            continue;
        }
        let next = text.get(at + 1).copied();
        let (resume, instead): (usize, &[u8]) = match byte {
            b'?' if next == Some(b'>') => {
                out.extend_from_slice(&text[from..at + 2]);
                return at + 2;
            }
            b'"' | b'\'' => (string(text, at + 1, byte), b"null"),
            b'<' if next == Some(b'<') => match bytes::heredoc(text, at) {
                Some(opening) => (heredoc(text, opening.end, &text[opening.label]), b"null"),
                None => (at, b""),
            },
            b'/' if next == Some(b'/') => (bytes::line_end(text, at), b""),
            b'/' if next == Some(b'*') => (comment(text, at + 2), b""),
            b'c' | b'i' | b't' | b'e' => {
                if let Some(end) = declaration(text, at) {
                    out.extend_from_slice(&text[from..at]);
                    // The byte before the declaration comes twice, or once more if it is behind
                    // something dropped.
                    out.extend_from_slice(&text[at - 1..end]);
                    return text.len();
                }
                (at, b"")
            }
            _ => (at, b""),
        };
        if resume == at {
            at += 1;
        } else {
            out.extend_from_slice(&text[from..at]);
            out.extend_from_slice(instead);
            (at, from) = (resume, resume);
        }
    }
    out.extend_from_slice(&text[from..]);
    text.len()
}

/// Returns the position behind the string whose content starts here. A backslash escapes only
/// itself or the delimiter.
fn string(text: &[u8], mut at: usize, delimiter: u8) -> usize {
    while let Some(found) = memchr2(delimiter, b'\\', &text[at..]) {
        at += found;
        if text[at] == delimiter {
            return at + 1;
        }
        let escapes = text
            .get(at + 1)
            .is_some_and(|&next| next == b'\\' || next == delimiter);
        at += 1 + usize::from(escapes);
    }
    text.len()
}

/// Returns the position behind the comment whose content starts here.
fn comment(text: &[u8], at: usize) -> usize {
    memchr::memmem::find(&text[at..], b"*/").map_or(text.len(), |found| at + found + 2)
}

/// Returns the position behind the label that ends the heredoc whose content starts here.
fn heredoc(text: &[u8], mut at: usize, label: &[u8]) -> usize {
    while at < text.len() {
        at = bytes::skip(text, at, |byte| matches!(byte, b' ' | b'\t'));
        let rest = &text[at..];
        if rest.starts_with(label) && !rest.get(label.len()).copied().is_some_and(is_label) {
            return at + label.len();
        }
        at = bytes::skip(text, bytes::line_end(text, at), |byte| {
            matches!(byte, b'\n' | b'\r')
        });
    }
    text.len()
}

/// Returns the end of the name of the declaration whose keyword, in lower case, starts here.
fn declaration(text: &[u8], at: usize) -> Option<usize> {
    let keyword = names::TYPES
        .into_iter()
        .find(|keyword| text[at..].starts_with(keyword))?;
    let before = *text.get(at.checked_sub(1)?)?;
    if bytes::is_word(before) || matches!(before, b'$' | b':' | b'>') {
        return None;
    }
    let end = at + keyword.len();
    let name = bytes::skip(text, end, is_space);
    if name == end {
        return None;
    }
    names::name_end(text, name)
}
