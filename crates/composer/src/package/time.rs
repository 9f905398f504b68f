//! Rewrites the time of a release as Composer records it.

use crate::Unfamiliar;

/// Returns a time as Composer records it: RFC 3339 in the zone of the text, UTC by default.
///
/// PHP reads far more forms than this function does (`ArrayLoader::configureObject` and
/// `ArrayDumper::dump`, composer 2.10.2).
pub fn rfc3339(text: &str) -> Result<String, Unfamiliar> {
    let read = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        from_seconds(text)
    } else {
        rewritten(text)
    };
    read.ok_or_else(|| Unfamiliar(format!("the time {text:?}")))
}

/// Returns the same time for `YYYY-MM-DD`, optionally followed by a time and a zone.
fn rewritten(text: &str) -> Option<String> {
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = numbers(date, ['-', '-'], [4, 2, 2])?;
    if !(1000..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    if day == 0 || day > days_of(year, month) {
        return None;
    }
    if rest.is_empty() {
        return Some(format!("{date}T00:00:00+00:00"));
    }
    let (time, zone) = rest.strip_prefix(['T', ' '])?.split_at_checked(8)?;
    let [hour, minute, second] = numbers(time, [':', ':'], [2, 2, 2])?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let zone = match zone {
        "" | "Z" | "-00:00" => "+00:00",
        _ => {
            let [hours, minutes] = {
                let (hours, minutes) = zone.strip_prefix(['+', '-'])?.split_once(':')?;
                [number(hours, 2)?, number(minutes, 2)?]
            };
            if hours > 14 || minutes > 59 {
                return None;
            }
            zone
        }
    };
    Some(format!("{date}T{time}{zone}"))
}

fn numbers(text: &str, separators: [char; 2], widths: [usize; 3]) -> Option<[u64; 3]> {
    let (first, rest) = text.split_once(separators[0])?;
    let (second, third) = rest.split_once(separators[1])?;
    Some([
        number(first, widths[0])?,
        number(second, widths[1])?,
        number(third, widths[2])?,
    ])
}

fn number(text: &str, width: usize) -> Option<u64> {
    let is_number = text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Returns the time of a number of seconds since 1970. The year 2999 is far enough.
fn from_seconds(text: &str) -> Option<String> {
    let seconds: u64 = text.parse().ok()?;
    let mut days = seconds / 86_400;
    let mut year = 1970;
    loop {
        let length = 337 + days_of(year, 2);
        if days < length {
            break;
        }
        days -= length;
        year += 1;
        if year > 2999 {
            return None;
        }
    }
    let mut month = 1;
    while days >= days_of(year, month) {
        days -= days_of(year, month);
        month += 1;
    }
    let second = seconds % 86_400;
    Some(format!(
        "{year:04}-{month:02}-{:02}T{:02}:{:02}:{:02}+00:00",
        days + 1,
        second / 3600,
        second / 60 % 60,
        second % 60
    ))
}
