//! String literals as `var_export` writes them.

/// Returns a string as a literal in single quotes. The string has no zero byte.
pub fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    write_string(&mut out, text);
    out
}

/// Appends a string as a literal in single quotes. The string has no zero byte.
pub fn write_string(out: &mut String, text: &str) {
    out.push('\'');
    write_escaped(out, text);
    out.push('\'');
}

/// Appends the characters of a string as they stand between single quotes.
pub fn write_escaped(out: &mut String, text: &str) {
    let mut from = 0;
    for at in memchr::memchr2_iter(b'\'', b'\\', text.as_bytes()) {
        out.push_str(&text[from..at]);
        out.push('\\');
        from = at;
    }
    out.push_str(&text[from..]);
}
