//! Converts entry times in a time zone to modification times, as unzip and PHP's ZipArchive do.

use std::path::Path;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time as Clock};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use super::Time;
use super::error::ArchiveError;

type Result<T, E = ArchiveError> = std::result::Result<T, E>;

/// The modification time of an installed file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileTime {
    /// The time at which the file is created.
    Now,
    /// Seconds since 1970.
    At(i64),
}

/// The time zone in which an archive's MS-DOS times are read.
#[derive(Debug, Clone)]
pub struct Zone {
    /// Time zone, or `None` if it is unknown. MS-DOS times are then left to Composer.
    zone: Option<TimeZone>,
    /// Current offset outside of summer time, as unzip knows it.
    standard: Option<Offset>,
}

impl Zone {
    /// Returns the zone of a child process with this `TZ` variable (tzset(3)). `None` means that
    /// the variable is not set. `directory` holds the data of named zones.
    pub fn of(variable: Option<&str>, directory: &Path) -> Self {
        let zone = match variable.map(|name| name.strip_prefix(':').unwrap_or(name)) {
            None => match std::fs::read("/etc/localtime") {
                Ok(bytes) => TimeZone::tzif("localtime", &bytes).ok(),
                Err(_) => Some(TimeZone::UTC),
            },
            Some("") => Some(TimeZone::UTC),
            Some(name) => named(name, directory),
        };
        let standard = zone.as_ref().and_then(standard_offset);
        Self { zone, standard }
    }

    /// Returns the time that `unzip` gives to an entry.
    ///
    /// # Errors
    /// Returns [`ArchiveError::Declined`] for an uncertain MS-DOS time.
    pub fn with_unzip(&self, time: Time) -> Result<FileTime> {
        match time {
            Time::Now => Ok(FileTime::Now),
            Time::Stamp {
                unix: Some(seconds),
                ..
            } => Ok(FileTime::At(i64::from(seconds))),
            Time::Stamp { unix: None, dos } => {
                let (local, seconds) = self.local(dos)?;
                // unzip applies today's standard offset, and subtracts one hour if the result lies
                // in summer time [measured over all zones]. In zones whose standard offset has
                // changed, the result differs.
                let zone = self.zone.as_ref().ok_or_else(unknown)?;
                let standard = self.standard.ok_or_else(unknown)?;
                let first = standard.to_timestamp(local).map_err(|_| odd())?;
                let summer = zone.to_offset_info(first).dst().is_dst();
                let theirs = first.as_second() - if summer { 3600 } else { 0 };
                if theirs == seconds {
                    Ok(FileTime::At(seconds))
                } else {
                    Err(ArchiveError::declined(
                        "the entry's date lies in a time whose zone unzip does not know",
                    ))
                }
            }
        }
    }

    /// Returns the time that PHP's ZipArchive gives to a file. Directories get the time of the
    /// installation.
    ///
    /// # Errors
    /// Returns [`ArchiveError::Declined`] for an uncertain MS-DOS time.
    pub fn with_zip_archive(&self, time: Time) -> Result<FileTime> {
        match time {
            Time::Now => Ok(FileTime::Now),
            Time::Stamp { dos, .. } => self.local(dos).map(|(_, seconds)| FileTime::At(seconds)),
        }
    }

    /// Returns an MS-DOS time as local time and as seconds since 1970, if exactly one such time
    /// exists.
    fn local(&self, dos: u32) -> Result<(DateTime, i64)> {
        let zone = self.zone.as_ref().ok_or_else(unknown)?;
        let part = |shift: u32, bits: u32| i8::try_from(dos >> shift & ((1 << bits) - 1));
        let date = (|| {
            let year = i16::try_from(1980 + (dos >> 25)).ok()?;
            // Each program reads values outside of these ranges in its own way.
            if year >= 2038 {
                return None;
            }
            let date = Date::new(year, part(21, 4).ok()?, part(16, 5).ok()?).ok()?;
            let second = part(0, 5).ok()? * 2;
            let clock = Clock::new(part(11, 5).ok()?, part(5, 6).ok()?, second, 0).ok()?;
            Some(date.to_datetime(clock))
        })()
        .ok_or_else(odd)?;
        match zone.to_ambiguous_timestamp(date).offset() {
            AmbiguousOffset::Unambiguous { offset } => {
                let time: Timestamp = offset.to_timestamp(date).map_err(|_| odd())?;
                Ok((date, time.as_second()))
            }
            AmbiguousOffset::Gap { .. } | AmbiguousOffset::Fold { .. } => Err(
                ArchiveError::declined("the entry's date lies where clocks are changed"),
            ),
        }
    }
}

fn unknown() -> ArchiveError {
    ArchiveError::declined("the entry's date is local, and the time zone is unknown")
}

fn odd() -> ArchiveError {
    ArchiveError::declined("the entry has no valid date")
}

/// Returns a zone by its name, its file or its rule, in the C library's order.
fn named(name: &str, directory: &Path) -> Option<TimeZone> {
    match std::fs::read(directory.join(name)) {
        Ok(bytes) => TimeZone::tzif(name, &bytes).ok(),
        Err(_) => TimeZone::posix(name).ok(),
    }
}

/// Returns the last standard offset in the zone's data.
fn standard_offset(zone: &TimeZone) -> Option<Offset> {
    (1..=12).find_map(|month| {
        let date = Date::new(2037, month, 1).ok()?;
        let time = zone
            .to_timestamp(date.to_datetime(Clock::midnight()))
            .ok()?;
        let info = zone.to_offset_info(time);
        (!info.dst().is_dst()).then(|| info.offset())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dos(date: [u32; 6]) -> u32 {
        let [year, month, day, hour, minute, second] = date;
        (year - 1980) << 25 | month << 21 | day << 16 | hour << 11 | minute << 5 | (second / 2)
    }

    fn local(date: [u32; 6]) -> Time {
        Time::Stamp {
            unix: None,
            dos: dos(date),
        }
    }

    /// The rule needs no zone data, which a small machine may lack.
    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    #[test]
    fn an_extended_timestamp_counts_for_unzip_alone() {
        let zone = Zone::of(Some(BERLIN), Path::new("/usr/share/zoneinfo"));
        let time = Time::Stamp {
            unix: Some(1_600_000_000),
            dos: dos([2015, 6, 1, 12, 0, 10]),
        };
        assert_eq!(
            zone.with_unzip(time).ok(),
            Some(FileTime::At(1_600_000_000))
        );
        assert_eq!(
            zone.with_zip_archive(time).ok(),
            Some(FileTime::At(1_433_152_810))
        );
        assert_eq!(zone.with_unzip(Time::Now).ok(), Some(FileTime::Now));
    }

    #[test]
    fn local_times_are_read_in_the_zone() {
        let summer = local([2015, 6, 1, 12, 0, 10]);
        let winter = local([2015, 1, 15, 12, 0, 0]);
        for (name, expected) in [
            (BERLIN, [1_433_152_810, 1_421_319_600]),
            ("", [1_433_160_010, 1_421_323_200]),
            ("UTC0", [1_433_160_010, 1_421_323_200]),
        ] {
            let zone = Zone::of(Some(name), Path::new("/usr/share/zoneinfo"));
            for (time, expected) in [summer, winter].into_iter().zip(expected) {
                let expected = Some(FileTime::At(expected));
                assert_eq!(zone.with_unzip(time).ok(), expected, "{name}");
                assert_eq!(zone.with_zip_archive(time).ok(), expected, "{name}");
            }
        }
    }

    #[test]
    fn times_that_are_not_certain_are_declined() {
        let zone = Zone::of(Some(BERLIN), Path::new("/usr/share/zoneinfo"));
        for date in [
            [2021, 3, 28, 2, 30, 0],
            [2021, 10, 31, 2, 30, 0],
            [2015, 0, 5, 1, 1, 2],
            [2015, 13, 5, 1, 1, 2],
            [2015, 3, 0, 1, 1, 2],
            [2015, 2, 31, 1, 1, 2],
            [2015, 3, 3, 31, 1, 2],
            [2015, 3, 3, 1, 61, 2],
            [2050, 1, 1, 1, 1, 2],
        ] {
            let time = local(date);
            zone.with_unzip(time).expect_err("declined");
            zone.with_zip_archive(time).expect_err("declined");
        }
        let nowhere = Zone::of(Some("No/Such place"), Path::new("/usr/share/zoneinfo"));
        nowhere
            .with_unzip(local([2015, 6, 1, 12, 0, 10]))
            .expect_err("declined");
    }
}
