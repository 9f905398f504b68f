//! Matches path patterns: `*` stands for any text, including slashes, and `?` for one character.

/// Returns whether `pattern` matches `text`.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // After a mismatch the search continues here: the last star takes one character more.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&wanted) if wanted == b'?' || wanted == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    p = at + 1;
                    t = taken + 1;
                    star = Some((at, taken + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_cross_slashes_and_anchors_hold() {
        assert!(matches("/dist/*.zip", "/dist/a/b/c.zip"));
        assert!(matches("*", ""));
        assert!(matches("/a?c*", "/abc"));
        assert!(!matches("/dist/*", "/p2/dist/x"));
        assert!(!matches("/dist/*.zip", "/dist/a.zip.sig"));
        assert!(matches("*b*b", "abcb"));
    }
}
