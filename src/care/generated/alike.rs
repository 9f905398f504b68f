//! Compares texts whose lists may have another order.

use std::collections::HashMap;

/// Returns whether a text differs from another one at most in the order of lists. Later commands
/// may write lists in another order than the first install.
pub fn is_alike(text: &[u8], other: &[u8]) -> bool {
    if text == other {
        return true;
    }
    let (Ok(text), Ok(other)) = (std::str::from_utf8(text), std::str::from_utf8(other)) else {
        return false;
    };
    let mut counts: HashMap<String, i32> = HashMap::new();
    let (mut left, mut right) = (text.lines(), other.lines());
    loop {
        match (left.next(), right.next()) {
            (None, None) => return counts.into_values().all(|count| count == 0),
            (Some(left), Some(right)) => {
                let ((head, one), (other_head, other)) = (item(left), item(right));
                if head != other_head {
                    return false;
                }
                if one != other {
                    *counts.entry(sorted(one)).or_default() += 1;
                    *counts.entry(sorted(other)).or_default() -= 1;
                }
            }
            _ => return false,
        }
    }
}

/// Splits a line into indentation with a number, and the rest.
fn item(line: &str) -> (&str, &str) {
    let rest = line.trim_start();
    let value = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let value = match value.strip_prefix(" => ") {
        Some(value) if value.len() + 4 < rest.len() => value,
        _ => rest,
    };
    line.split_at(line.len() - value.len())
}

/// Sorts the items of a list that stands in one line.
fn sorted(line: &str) -> String {
    let Some((start, rest)) = line.split_once("array(") else {
        return line.to_owned();
    };
    let Some(list) = rest.strip_suffix("),") else {
        return line.to_owned();
    };
    let mut items: Vec<&str> = list.split(", ").collect();
    items.sort_unstable();
    format!("{start}array({}),", items.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_order_of_lists_may_differ() {
        let alike = |one: &str, other: &str| is_alike(one.as_bytes(), other.as_bytes());
        let text = "  0 => 'a',\n  1 => 'b',\nX => array('c', 'd'),\n";
        assert!(alike(text, text));
        assert!(alike(
            text,
            "  0 => 'b',\n  1 => 'a',\nX => array('d', 'c'),\n"
        ));
        for other in [
            "  0 => 'a',\n  2 => 'b',\nX => array('c', 'd'),\n",
            "  0 => 'a',\n  1 => 'B',\nX => array('c', 'd'),\n",
            "  0 => 'a',\n  1 => 'b',\nX => array('c', 'e'),\n",
            "  0 => 'a',\n  1 => 'b',\n",
            "   0 => 'a',\n  1 => 'b',\nX => array('c', 'd'),\n",
        ] {
            assert!(!alike(text, other), "{other}");
        }
    }
}
