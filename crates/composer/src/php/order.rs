//! Sorts strings as PHP's `sort` and `ksort` do.
//!
//! PHP compares two numeric strings as numbers, and any others byte by byte. That order may have
//! cycles, and then the result depends on PHP's algorithm. The functions refuse such lists.

use std::cmp::Ordering;

use crate::Unfamiliar;
use crate::package::fields::refuse;

/// The longest number whose digits a float surely keeps apart.
const LONGEST_NUMBER: usize = 15;

/// Sorts items by a text with PHP's default flags. An error means that the order is open.
pub fn sort_by_text<T>(items: &mut [T], text: impl Fn(&T) -> &str) -> Result<(), Unfamiliar> {
    if has_no_numbers(items.iter().map(&text)) {
        items.sort_by(|left, right| text(left).cmp(text(right)));
        return Ok(());
    }
    sort_with(items, |left, right| compare(text(left), text(right)))
}

/// Checks that texts have a certain order, as [`sort_by_text`] does.
pub(crate) fn check_order<'a>(
    texts: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), Unfamiliar> {
    if has_no_numbers(texts.clone()) {
        return Ok(());
    }
    sort_by_text(&mut texts.collect::<Vec<_>>(), |text| text)
}

/// Sorts texts with PHP's flag `SORT_NATURAL`. An error means that the order is open.
pub fn sort_naturally(items: &mut [String]) -> Result<(), Unfamiliar> {
    if items.len() > 1 && items.iter().any(|item| has_leading_zero(item)) {
        return refuse("versions with leading zeros have no certain order");
    }
    sort_with(items, |left, right| Some(compare_naturally(left, right)))
}

/// Sorts by an order that may have cycles, and then checks that it has none.
fn sort_with<T>(
    items: &mut [T],
    compare: impl Fn(&T, &T) -> Option<Ordering>,
) -> Result<(), Unfamiliar> {
    let open = || Unfamiliar("numeric texts have no certain order".to_owned());
    for end in 1..items.len() {
        let mut at = end;
        while at > 0 && compare(&items[at - 1], &items[at]).ok_or_else(open)? == Ordering::Greater {
            items.swap(at - 1, at);
            at -= 1;
        }
    }
    for (at, left) in items.iter().enumerate() {
        for right in &items[at + 1..] {
            if compare(left, right).ok_or_else(open)? == Ordering::Greater {
                return Err(open());
            }
        }
    }
    Ok(())
}

/// Returns whether PHP compares all these texts byte by byte: at most one could be numeric, or none
/// is, such as the name `3f/pygmentize`.
fn has_no_numbers<'a>(texts: impl Iterator<Item = &'a str>) -> bool {
    let mut numeric = texts.filter(|text| may_be_numeric(text));
    let Some(first) = numeric.next() else {
        return true;
    };
    let mut others = numeric.peekable();
    others.peek().is_none()
        || number(first) == Some(None) && others.all(|text| number(text) == Some(None))
}

/// Returns whether a text could be numeric to PHP, by its first byte that is no space.
fn may_be_numeric(text: &str) -> bool {
    let first = text.bytes().find(|byte| !is_space(*byte));
    first.is_some_and(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.'))
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Compares two texts as PHP's `<=>` does; `None` where versions of PHP differ.
fn compare(left: &str, right: &str) -> Option<Ordering> {
    if !may_be_numeric(left) || !may_be_numeric(right) {
        return Some(left.cmp(right));
    }
    match (number(left)?, number(right)?) {
        (Some(left_number), Some(right_number)) => left_number.partial_cmp(&right_number),
        _ => Some(left.cmp(right)),
    }
}

/// Returns the number that a text is to PHP, `Some(None)` if it is none, and `None` if that depends
/// on the version of PHP or on rounding.
#[expect(clippy::option_option, reason = "the two absences differ")]
fn number(text: &str) -> Option<Option<f64>> {
    if text.len() > LONGEST_NUMBER || text.bytes().any(is_space) {
        return None;
    }
    let is_number_like = |byte: u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    if !text.bytes().all(is_number_like) || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return Some(None);
    }
    Some(text.parse::<f64>().ok().filter(|number| number.is_finite()))
}

/// Returns whether some number in a text begins with a zero that more digits follow.
fn has_leading_zero(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..bytes.len()).any(|at| {
        bytes[at].is_ascii_digit()
            && bytes[at - 1] == b'0'
            && (at < 2 || !bytes[at - 2].is_ascii_digit())
    })
}

/// Compares two texts as PHP's `strnatcmp` does (`strnatcmp_ex`, PHP 8.2).
fn compare_naturally(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.is_empty() || right.is_empty() {
        return left.len().cmp(&right.len());
    }
    // A text ends with a zero byte, which counts as a character after trailing spaces.
    let byte = |text: &[u8], at: usize| text.get(at).copied().unwrap_or(0);
    let after_spaces = |text: &[u8], mut at: usize| {
        while is_space(byte(text, at)) {
            at += 1;
        }
        at
    };
    let (mut at_left, mut at_right) = (0, 0);
    loop {
        at_left = after_spaces(left, at_left);
        at_right = after_spaces(right, at_right);
        let digits = [byte(left, at_left), byte(right, at_right)];
        if digits.iter().all(u8::is_ascii_digit) {
            let run = |text: &[u8], at: usize| {
                let digits = text[at..].iter().take_while(|byte| byte.is_ascii_digit());
                digits.count()
            };
            let [run_left, run_right] = [run(left, at_left), run(right, at_right)];
            let numbers = [
                &left[at_left..at_left + run_left],
                &right[at_right..at_right + run_right],
            ];
            let order = if digits.contains(&b'0') {
                numbers[0].cmp(numbers[1])
            } else {
                run_left.cmp(&run_right).then(numbers[0].cmp(numbers[1]))
            };
            if order != Ordering::Equal {
                return order;
            }
            at_left += run_left;
            at_right += run_right;
            match (at_left >= left.len(), at_right >= right.len()) {
                (true, true) => return Ordering::Equal,
                (true, false) => return Ordering::Less,
                (false, true) => return Ordering::Greater,
                (false, false) => {}
            }
        }
        let order = byte(left, at_left).cmp(&byte(right, at_right));
        if order != Ordering::Equal {
            return order;
        }
        at_left += 1;
        at_right += 1;
        match (at_left >= left.len(), at_right >= right.len()) {
            (true, true) => return Ordering::Equal,
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {}
        }
    }
}

#[cfg(test)]
mod tests;
