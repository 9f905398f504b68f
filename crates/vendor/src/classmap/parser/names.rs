//! Reimplements Composer's patterns, which count the possible declarations and name the real ones.

use super::bytes::{is_label_start, is_space, is_word, skip};

/// The keywords that declare a class.
pub(super) const TYPES: [&[u8]; 4] = [b"class", b"interface", b"trait", b"enum"];

/// Returns the number of candidates: keywords, in any case, with a space behind.
pub(super) fn candidates(text: &[u8]) -> usize {
    const STEP: usize = 64;
    let mut count = 0;
    let mut at = 0;
    // Nearly all steps have no candidate, which compilers can find out for many bytes at once.
    while at + STEP + 2 <= text.len() {
        let windows = text[at..at + STEP]
            .iter()
            .zip(&text[at + 1..])
            .zip(&text[at + 2..]);
        let hit = windows.fold(false, |hit, ((&first, &second), &space)| {
            hit | (ends_keyword(first, second) & is_space(space))
        });
        if hit {
            count += candidates_within(text, at, at + STEP);
        }
        at += STEP;
    }
    count + candidates_within(text, at, text.len().saturating_sub(2))
}

/// Returns the number of candidates whose last but one keyword byte is in `from..to`.
fn candidates_within(text: &[u8], from: usize, to: usize) -> usize {
    (from..to)
        .filter(|&at| ends_keyword(text[at], text[at + 1]) && is_space(text[at + 2]))
        .filter(|&at| {
            TYPES.iter().any(|keyword| {
                (at + 2).checked_sub(keyword.len()).is_some_and(|start| {
                    text[start..at + 2].eq_ignore_ascii_case(keyword)
                        && (start == 0 || !is_word(text[start - 1]))
                })
            })
        })
        .count()
}

/// Returns whether a keyword can end with these two letters.
fn ends_keyword(first: u8, second: u8) -> bool {
    let (first, second) = (first | 0x20, second | 0x20);
    (first == b's' && second == b's')
        || (first == b'c' && second == b'e')
        || (first == b'i' && second == b't')
        || (first == b'u' && second == b'm')
}

/// Returns the declared names, each with the namespace in force.
pub(super) fn names(text: &[u8], backslash_guards: bool) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    let mut namespace = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if !is_word(text[at]) {
            at += 1;
            continue;
        }
        let end = skip(text, at, is_word);
        let word = &text[at..end];
        let before = at.checked_sub(1).map(|before| text[before]);
        at = end;
        let guarded = match before {
            Some(b'$' | b':' | b'>') => true,
            Some(b'\\') => backslash_guards,
            _ => false,
        };
        if guarded || !matches!(word.len(), 4 | 5 | 9) {
            continue;
        }
        if let Some(keyword) = TYPES
            .iter()
            .find(|keyword| word.eq_ignore_ascii_case(keyword))
        {
            let start = skip(text, end, is_space);
            if start == end {
                continue;
            }
            if let Some(end) = name_end(text, start) {
                at = end;
                names.extend(class(&namespace, &text[start..end], *keyword == b"enum"));
            }
        } else if word.eq_ignore_ascii_case(b"namespace")
            && let Some((name, end)) = namespace_name(text, end)
        {
            at = end;
            namespace.clear();
            namespace.extend(
                name.iter()
                    .filter(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')),
            );
            namespace.push(b'\\');
        }
    }
    names
}

/// Returns the end of the class name that starts here, if one does. Colons and hyphens are those of
/// XHP.
pub(super) fn name_end(text: &[u8], start: usize) -> Option<usize> {
    let named = |byte: u8| is_label_start(byte) || matches!(byte, b':' | 0x7f);
    text.get(start).copied().filter(|&byte| named(byte))?;
    Some(skip(text, start, |byte| {
        named(byte) || byte.is_ascii_digit() || byte == b'-'
    }))
}

/// Returns the name of a namespace whose keyword ends here, and the end of the statement. The name
/// includes the blanks before and in it.
fn namespace_name(text: &[u8], keyword_end: usize) -> Option<(&[u8], usize)> {
    let start = skip(text, keyword_end, is_space);
    let mut end = keyword_end;
    if start > keyword_end
        && let Some(first) = part_end(text, start)
    {
        end = first;
        loop {
            let separator = skip(text, end, is_space);
            if text.get(separator) != Some(&b'\\') {
                break;
            }
            let Some(part) = part_end(text, skip(text, separator + 1, is_space)) else {
                break;
            };
            end = part;
        }
    }
    let closing = skip(text, end, is_space);
    matches!(text.get(closing), Some(b'{' | b';')).then(|| (&text[keyword_end..end], closing + 1))
}

/// Returns the end of the part of a namespace that starts here, if one does.
fn part_end(text: &[u8], start: usize) -> Option<usize> {
    let named = |byte: u8| is_label_start(byte) || byte == 0x7f;
    text.get(start).copied().filter(|&byte| named(byte))?;
    Some(skip(text, start, |byte| {
        named(byte) || byte.is_ascii_digit()
    }))
}

/// Returns the class that a declaration with this name makes, unless the class is anonymous.
fn class(namespace: &[u8], name: &[u8], is_enum: bool) -> Option<Vec<u8>> {
    if matches!(name, b"extends" | b"implements") {
        return None;
    }
    let mut class = Vec::with_capacity(namespace.len() + name.len() + 8);
    class.extend_from_slice(namespace);
    if let Some(element) = name.strip_prefix(b":") {
        class.extend_from_slice(b"xhp_");
        for &byte in element {
            match byte {
                b'-' => class.push(b'_'),
                b':' => class.extend_from_slice(b"__"),
                _ => class.push(byte),
            }
        }
    } else if is_enum && let Some(colon) = memchr::memrchr(b':', name) {
        class.extend_from_slice(&name[..colon]);
    } else {
        class.extend_from_slice(name);
    }
    let root = class.iter().take_while(|&&byte| byte == b'\\').count();
    class.drain(..root);
    Some(class)
}
