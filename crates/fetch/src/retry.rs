//! Computes waits before retries, and tracks hosts that can't be reached.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// Longest wait between two attempts, unless the server asks for more.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// Number of consecutive unreachable results after which further requests to a host fail without an
/// attempt.
const GIVE_UP_AFTER: u32 = 3;

/// Returns the wait before a retry. The first retry has `attempt` 1. The wait is `base`, doubled
/// each time, less a random part of up to a half. That jitter spreads out parallel workers.
pub(super) fn backoff(base: Duration, attempt: u32) -> Duration {
    let factor = 1_u32 << attempt.saturating_sub(1).min(16);
    let full = base.saturating_mul(factor).min(LONGEST_BACKOFF);
    full.mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// Returns the wait that `Retry-After` asks for, in either form. Returns `None` if the header is
/// missing or invalid. A date is compared with the server's own clock if the response has a `Date`.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let until = http_date(text)?;
    let now = headers
        .get(DATE)
        .and_then(|date| date.to_str().ok())
        .and_then(http_date)
        .or_else(|| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            now.ok().map(|now| now.as_secs())
        })?;
    Some(Duration::from_secs(until.saturating_sub(now)))
}

/// Returns the seconds since 1970 of a date in one of HTTP's three forms (RFC 9110, 5.6.7).
fn http_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let words: Vec<&str> = text
        .split([' ', ',', '-'])
        .filter(|word| !word.is_empty())
        .collect();
    let month_of = |word: &str| {
        let word = word.to_ascii_lowercase();
        MONTHS.iter().position(|month| *month == word)
    };
    // The forms are "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT" and
    // "Sun Nov  6 08:49:37 1994".
    let (day, month, year, time) = match *words.as_slice() {
        [_, day, month, year, time, "GMT"] | [_, month, day, time, year] => {
            (day, month_of(month)?, year, time)
        }
        _ => return None,
    };
    let day: i64 = day.parse().ok().filter(|day| (1..=31).contains(day))?;
    let digits = year.len();
    let year: i64 = year.parse().ok().filter(|year| (0..=9999).contains(year))?;
    let year = match (digits, year) {
        (2, 70..) => year + 1900,
        (2, _) => year + 2000,
        _ => year,
    };
    let mut clock = time.split(':').map(|part| part.parse::<u32>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if clock.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days_since_1970(year, i64::try_from(month).ok()? + 1, day);
    let seconds = days * 86_400 + i64::from(hour * 3600 + minute * 60 + second);
    u64::try_from(seconds).ok()
}

/// Returns the days between 1970-01-01 and a day of the Gregorian calendar. `month` counts from 1.
/// The computation starts the year in March, so that the leap day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let from_march = (month + 9) % 12;
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 719468 days lie between 0000-03-01 and 1970-01-01.
    year * 365 + leaps + (153 * from_march + 2) / 5 + day - 1 - 719_468
}

/// Tracks unreachable hosts. A host is an origin together with the proxy that leads to it, if any.
#[derive(Default)]
pub(super) struct Hosts {
    failed: Mutex<HashMap<String, u32>>,
}

impl Hosts {
    /// Records that the host responded.
    pub fn reached(&self, host: &str) {
        self.failed.lock().remove(host);
    }

    /// Records that a request, its retries included, could not reach the host.
    pub fn unreached(&self, host: &str) {
        *self.failed.lock().entry(host.to_owned()).or_default() += 1;
    }

    /// Returns whether further requests to the host should fail at once.
    pub fn is_down(&self, host: &str) -> bool {
        self.failed
            .lock()
            .get(host)
            .is_some_and(|count| *count >= GIVE_UP_AFTER)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn headers(pairs: &[(reqwest::header::HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn backoff_doubles_within_its_jitter() {
        let base = Duration::from_millis(100);
        for (attempt, full) in [(1, 100), (2, 200), (3, 400)] {
            for _ in 0..100 {
                let wait = backoff(base, attempt);
                assert!(
                    wait >= Duration::from_millis(full / 2),
                    "{attempt}: {wait:?}"
                );
                assert!(wait <= Duration::from_millis(full), "{attempt}: {wait:?}");
            }
        }
        assert!(backoff(Duration::from_secs(20), u32::MAX) <= LONGEST_BACKOFF);
    }

    #[test]
    fn dates_of_all_three_forms() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(http_date(text), Some(784_111_777), "{text}");
        }
        assert_eq!(http_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(
            http_date("Thu, 29 Feb 2024 12:00:00 GMT"),
            Some(1_709_208_000)
        );
        assert_eq!(
            http_date("Tue, 31 Dec 2999 23:59:59 GMT"),
            Some(32_503_679_999)
        );
        for text in [
            "",
            "soon",
            "Sun, 06 Xyz 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 99 Nov 1994 08:49:37 GMT",
            "Wed, 31 Dec 1969 23:59:59 GMT",
        ] {
            assert_eq!(http_date(text), None, "{text}");
        }
    }

    #[test]
    fn retry_after_in_seconds_or_as_a_date() {
        assert_eq!(retry_after(&headers(&[])), None);
        assert_eq!(
            retry_after(&headers(&[(RETRY_AFTER, "7")])),
            Some(Duration::from_secs(7))
        );
        assert_eq!(retry_after(&headers(&[(RETRY_AFTER, "-7")])), None);
        assert_eq!(
            retry_after(&headers(&[(RETRY_AFTER, "99999999999999999999999")])),
            Some(Duration::from_secs(u64::MAX))
        );
        assert_eq!(
            retry_after(&headers(&[
                (DATE, "Sun, 06 Nov 1994 08:49:37 GMT"),
                (RETRY_AFTER, "Sun, 06 Nov 1994 08:50:07 GMT"),
            ])),
            Some(Duration::from_secs(30))
        );
        // The date lies in the past.
        assert_eq!(
            retry_after(&headers(&[(RETRY_AFTER, "Sun, 06 Nov 1994 08:50:07 GMT")])),
            Some(Duration::ZERO)
        );
    }

    #[test]
    fn three_in_a_row_and_a_host_is_down() {
        let hosts = Hosts::default();
        for _ in 0..2 {
            hosts.unreached("a");
            hosts.unreached("b");
        }
        hosts.reached("b");
        hosts.unreached("a");
        hosts.unreached("b");
        assert!(hosts.is_down("a"));
        assert!(!hosts.is_down("b"));
        assert!(!hosts.is_down("c"));
    }
}
