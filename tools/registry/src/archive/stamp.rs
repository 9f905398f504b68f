//! Represents the times that archives state for their entries, in the forms in which hosts state
//! them.

use crate::rng::Rng;

/// 2012-01-01 and 2025-12-31 00:00:00 UTC, between which all releases lie.
const FIRST: u64 = 1_325_376_000;
const LAST: u64 = 1_767_139_200;
/// The number of seconds that the clock of a host is ahead of UTC. Its `git archive` writes DOS
/// times.
const HOST_OFFSET: u32 = 7_200;

/// The time of one entry in the form of an archive's bytes. A tar has the seconds alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// Seconds since 1970 in UTC, for a tar.
    pub seconds: u32,
    /// Time and date of a zip's header, with the date in the upper 16 bits.
    pub dos: u32,
    /// Extra fields of the entry's local header.
    pub local: Vec<u8>,
    /// Extra fields of the entry's record in the central directory.
    pub central: Vec<u8>,
}

impl Stamp {
    /// Makes a time as `git archive` writes it: UT in both headers, and the DOS time of a host
    /// whose clock is two hours ahead of UTC.
    pub fn git(seconds: u32) -> Self {
        let extra = ut(1, &[seconds]);
        Self {
            seconds,
            dos: dos_time(seconds + HOST_OFFSET),
            local: extra.clone(),
            central: extra,
        }
    }

    /// Makes a DOS time alone. A clock in UTC shows it at `seconds`.
    pub fn dos(seconds: u32) -> Self {
        Self::words(dos_time(seconds))
    }

    /// Makes a DOS time alone, from the number in the header.
    pub fn words(dos: u32) -> Self {
        Self {
            seconds: 0,
            dos,
            local: Vec::new(),
            central: Vec::new(),
        }
    }

    /// Replaces the extra fields of both headers.
    #[must_use]
    pub fn with_extra(mut self, local: Vec<u8>, central: Vec<u8>) -> Self {
        (self.local, self.central) = (local, central);
        self
    }
}

/// The times of an archive's entries, and whether folders have entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    /// Time of the entries that have none of their own.
    pub stamp: Stamp,
    /// Whether each folder gets an entry before its first content. If not, only directories in the
    /// list have one, at their place in the list.
    pub folders: bool,
    /// Times of single entries, by the path below the package's root. The root's own path is empty.
    pub entries: Vec<(String, Stamp)>,
}

impl Times {
    /// Makes one time for all entries, as `git archive` gives them the commit's.
    pub fn git(seconds: u32) -> Self {
        Self::all(Stamp::git(seconds))
    }

    /// Makes one DOS time for all entries.
    pub fn dos(seconds: u32) -> Self {
        Self::all(Stamp::dos(seconds))
    }

    /// Makes this time for all entries.
    pub fn all(stamp: Stamp) -> Self {
        Self {
            stamp,
            folders: true,
            entries: Vec::new(),
        }
    }

    /// Leaves out the entries of folders.
    #[must_use]
    pub fn without_folders(mut self) -> Self {
        self.folders = false;
        self
    }

    /// Gives one entry a time of its own.
    #[must_use]
    pub fn with(mut self, path: &str, stamp: Stamp) -> Self {
        self.entries.push((path.to_owned(), stamp));
        self
    }

    /// Makes the time of a release, in the form in which the host of a package writes it. About one
    /// package in six has DOS times only, and about one in six has no entries for folders.
    pub fn of_release(name: &str, version: &str, reference: &str) -> Self {
        let seconds = release(&[name, version, reference]);
        match Rng::from_parts(&["form", name]).below(6) {
            0 => Self::dos(seconds),
            1 => Self::git(seconds).without_folders(),
            _ => Self::git(seconds),
        }
    }

    /// Returns the time of the entry at a path below the package's root.
    pub(super) fn at(&self, path: &str) -> &Stamp {
        self.entries
            .iter()
            .find(|(own, _)| own == path)
            .map_or(&self.stamp, |(_, stamp)| stamp)
    }
}

/// Returns a moment between 2012 and 2025 that depends on these texts. It has whole even seconds,
/// which DOS times can state too.
fn release(parts: &[&str]) -> u32 {
    let mut rng = Rng::from_parts(&["release"]);
    for part in parts {
        rng = Rng::new(rng.next_u64() ^ Rng::from_parts(&[part]).next_u64());
    }
    let seconds = FIRST + rng.next_u64() % (LAST - FIRST);
    u32::try_from(seconds & !1).unwrap_or(u32::MAX)
}

/// Returns a UT field with these flags and times.
pub fn ut(flags: u8, times: &[u32]) -> Vec<u8> {
    let mut body = vec![flags];
    for time in times {
        body.extend_from_slice(&time.to_le_bytes());
    }
    extra(*b"UT", &body)
}

/// Returns an extra field with this id.
pub fn extra(id: [u8; 2], body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap_or_else(|_| panic!("an extra field of 64 KiB"));
    let mut field = id.to_vec();
    field.extend_from_slice(&length.to_le_bytes());
    field.extend_from_slice(body);
    field
}

/// Returns the DOS time of a clock that shows UTC.
pub fn dos_time(seconds: u32) -> u32 {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    dos_words(
        year,
        month,
        day,
        [second / 3_600, second / 60 % 60, second % 60],
    )
}

/// Packs date and time as DOS does. The numbers needn't make sense. A year that DOS can't state
/// stands for the one with the same lower seven bits.
pub fn dos_words(year: u32, month: u32, day: u32, [hour, minute, second]: [u32; 3]) -> u32 {
    let date = (year.wrapping_sub(1980) & 0x7f) << 9 | (month & 0xf) << 5 | (day & 0x1f);
    let time = (hour & 0x1f) << 11 | (minute & 0x3f) << 5 | ((second / 2) & 0x1f);
    date << 16 | time
}

/// Returns year, month and day of a day since 1970, by the algorithm of Howard Hinnant's
/// `civil_from_days`.
fn civil(days: u32) -> (u32, u32, u32) {
    let day = days + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let of_month = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (year + era * 400 + carry, month, of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dos_times_are_those_of_a_calendar() {
        for (seconds, date) in [
            (315_532_800, dos_words(1980, 1, 1, [0, 0, 0])),
            (1_330_560_000, dos_words(2012, 3, 1, [0, 0, 0])),
            (1_330_559_998, dos_words(2012, 2, 29, [23, 59, 58])),
            (1_704_067_200, dos_words(2024, 1, 1, [0, 0, 0])),
            (1_735_689_598, dos_words(2024, 12, 31, [23, 59, 58])),
        ] {
            assert_eq!(dos_time(seconds), date, "{seconds}");
        }
    }

    #[test]
    fn releases_have_times_and_forms_of_their_own() {
        let mut forms = [0; 3];
        let mut times = std::collections::HashSet::new();
        for at in 0..600 {
            let name = format!("acme/package-{at}");
            let one = Times::of_release(&name, "1.0.0", "a");
            let other = Times::of_release(&name, "1.0.1", "a");
            assert_eq!(one, Times::of_release(&name, "1.0.0", "a"));
            assert_ne!(one.stamp.dos, other.stamp.dos, "{name}");
            assert_eq!(one.folders, other.folders, "{name}");
            assert_eq!(one.stamp.local.is_empty(), other.stamp.local.is_empty());
            let form = if one.stamp.local.is_empty() {
                0
            } else {
                1 + usize::from(one.folders)
            };
            forms[form] += 1;
            times.insert(one.stamp.dos);
        }
        assert!(times.len() > 590, "{}", times.len());
        assert!((70..130).contains(&forms[0]), "{forms:?}");
        assert!((70..130).contains(&forms[1]), "{forms:?}");
    }
}
