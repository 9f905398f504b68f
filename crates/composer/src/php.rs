//! Writes values as PHP source text, as PHP's `var_export` does.

pub mod order;

use std::fmt::Write as _;

use crate::json::Json;

/// Returns a string as a literal in single quotes, as `var_export` writes it.
pub fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    write_string(&mut out, text);
    out
}

/// Appends a string as a literal in single quotes, as `var_export` writes it.
pub fn write_string(out: &mut String, text: &str) {
    out.push('\'');
    write_escaped(out, text);
    out.push('\'');
}

/// Appends the characters of a string as they stand between single quotes. A zero byte leaves the
/// quotes, because single quotes have no escape for it.
pub fn write_escaped(out: &mut String, text: &str) {
    let bytes = text.as_bytes();
    let mut from = 0;
    for at in memchr::memchr3_iter(b'\'', b'\\', 0, bytes) {
        out.push_str(&text[from..at]);
        out.push_str(match bytes[at] {
            b'\'' => "\\'",
            b'\\' => "\\\\",
            _ => "' . \"\\0\" . '",
        });
        from = at + 1;
    }
    out.push_str(&text[from..]);
}

/// Returns a value as `var_export` writes it. Objects and lists are both PHP arrays.
pub fn exported(value: &Json) -> String {
    let mut out = String::new();
    write_value(&mut out, value, 0);
    out
}

/// Returns the integer that a PHP array has as its key in place of a string.
pub fn integer_key(key: &str) -> Option<i64> {
    let digits = key.strip_prefix('-').unwrap_or(key);
    let is_plain = match digits.as_bytes() {
        [b'0'] => digits.len() == key.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    is_plain.then(|| key.parse().ok()).flatten()
}

fn write_value(out: &mut String, value: &Json, depth: usize) {
    match value {
        Json::Null => out.push_str("NULL"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        // A literal with the smallest integer would be a float.
        Json::Int(i64::MIN) => out.push_str("-9223372036854775807-1"),
        Json::Int(value) => {
            let _ = write!(out, "{value}");
        }
        Json::Float(value) => write_float(out, *value),
        Json::Str(text) => write_string(out, text),
        Json::Array(items) => write_array(out, depth, items, |out, (index, item)| {
            let _ = write!(out, "{index}");
            item
        }),
        Json::Object(entries) => write_array(out, depth, entries, |out, (_, (key, value))| {
            match integer_key(key) {
                Some(number) => {
                    let _ = write!(out, "{number}");
                }
                None => write_string(out, key),
            }
            value
        }),
    }
}

fn write_array<'a, T>(
    out: &mut String,
    depth: usize,
    items: &'a [T],
    write_key: impl Fn(&mut String, (usize, &'a T)) -> &'a Json,
) {
    let indent = |out: &mut String, depth: usize| out.extend(std::iter::repeat_n("  ", depth));
    if depth > 0 {
        out.push('\n');
        indent(out, depth);
    }
    out.push_str("array (\n");
    for entry in items.iter().enumerate() {
        indent(out, depth + 1);
        let value = write_key(out, entry);
        out.push_str(" => ");
        write_value(out, value, depth + 1);
        out.push_str(",\n");
    }
    indent(out, depth);
    out.push(')');
}

/// Writes a float as source text, which needs a fraction to stay a float.
fn write_float(out: &mut String, value: f64) {
    let text = Json::Float(value).to_line().replace('e', "E");
    out.push_str(&text);
    if !text.contains(['.', 'E']) {
        out.push_str(".0");
    }
}

#[cfg(test)]
mod tests;
