//! What earlier scans of a project read: a file's identity and the classes that it declares.
//!
//! On disk: [`Contents`], sealed (see [`Record::ProjectClasses`]). Only files that had settled ([`allegro_base::identity::Clock`]) are in it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::parser::Dialect;
use allegro_base::identity::Identity;
use allegro_store::Record;

/// Grows when the parser's answers change.
pub const PARSER: u32 = 1;

#[derive(Serialize)]
struct Contents<'a> {
    parser: u32,
    dialect: Dialect,
    files: Vec<FileClasses<'a>>,
}

#[derive(Serialize, Deserialize)]
struct FileClasses<'a> {
    real: &'a str,
    identity: Identity,
    /// Separated by NUL, which no name can hold.
    classes: &'a [u8],
}

/// The records of a project. They stay as they are on disk, because those of a large project are many, and a plain dump
/// looks at few.
#[derive(Debug, Default)]
pub struct Records<'a> {
    bytes: &'a [u8],
    /// Where each file's record begins.
    at: HashMap<&'a str, u32>,
}

impl<'a> Records<'a> {
    /// Reads the records at a place that were made in the same dialect; others, torn ones and those of another place
    /// are as good as none.
    pub fn decode(place: &str, bytes: &'a [u8], dialect: Dialect) -> Self {
        Self::try_decode(place, bytes, dialect).unwrap_or_default()
    }

    fn try_decode(place: &str, bytes: &'a [u8], dialect: Dialect) -> Option<Self> {
        let bytes = Record::ProjectClasses.payload(place, bytes)?;
        // As `Contents` is encoded: a list begins with its length.
        let ((parser, written, count), mut rest): ((u32, Dialect, usize), _) =
            postcard::take_from_bytes(bytes).ok()?;
        if parser != PARSER || written != dialect {
            return None;
        }
        // A record has more than 16 bytes, whatever the length says.
        let mut at = HashMap::with_capacity(count.min(bytes.len() / 16));
        for _ in 0..count {
            let begin = u32::try_from(bytes.len() - rest.len()).ok()?;
            let (record, behind): (FileClasses<'a>, _) = postcard::take_from_bytes(rest).ok()?;
            at.insert(record.real, begin);
            rest = behind;
        }
        rest.is_empty().then_some(Self { bytes, at })
    }

    fn record(&self, begin: u32) -> Option<FileClasses<'a>> {
        let rest = self.bytes.get(usize::try_from(begin).ok()?..)?;
        postcard::take_from_bytes(rest)
            .ok()
            .map(|(record, _)| record)
    }

    /// The bytes of records for these files: real path, identity, classes separated by NUL.
    pub fn encode<'f>(
        place: &str,
        dialect: Dialect,
        files: impl Iterator<Item = (&'f str, Identity, &'f [u8])>,
    ) -> Vec<u8> {
        let contents = Contents {
            parser: PARSER,
            dialect,
            files: files
                .map(|(real, identity, classes)| FileClasses {
                    real,
                    identity,
                    classes,
                })
                .collect(),
        };
        Record::ProjectClasses.encode(place, &contents)
    }

    /// The classes of a file, if it is still the one that was read.
    pub fn classes(&self, real: &str, identity: &Identity) -> Option<&'a [u8]> {
        let record = self.record(*self.at.get(real)?)?;
        (record.identity == *identity).then_some(record.classes)
    }

    /// All files but those that `covers` names.
    pub fn others<'s>(
        &'s self,
        covers: &'s dyn Fn(&str) -> bool,
    ) -> impl Iterator<Item = (&'s str, Identity, &'s [u8])> {
        self.at
            .iter()
            .filter(|(real, _)| !covers(real))
            .filter_map(|(_, &begin)| self.record(begin))
            .map(|record| (record.real, record.identity, record.classes))
    }
}

/// The record's decoder, for the fuzz targets.
#[cfg(any(test, feature = "testing"))]
pub const FUZZED: allegro_base::testing::records::Kind = allegro_base::testing::records::Kind {
    magic: *Record::ProjectClasses.magic(),
    again: |bytes| {
        use allegro_base::testing::records::PLACE;
        let dialect = Dialect::PHP_8_2;
        let records = Records::try_decode(PLACE, bytes, dialect)?;
        let mut files: Vec<_> = records.others(&|_| false).collect();
        files.sort_by_key(|(real, ..)| *real);
        for (real, identity, classes) in &files {
            assert_eq!(records.classes(real, identity), Some(*classes));
        }
        Some(Records::encode(PLACE, dialect, files.into_iter()))
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(inode: u64) -> Identity {
        Identity {
            device: 1,
            inode,
            size: 1 << 20,
            modified: allegro_base::identity::Moment::default(),
            changed: allegro_base::identity::Moment::default(),
        }
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        let files = [
            ("/a.php", identity(1), &b"A"[..]),
            ("/b.php", identity(2), b""),
            ("/c.php", identity(3), b"C\0D"),
        ];
        let bytes = Records::encode("here", Dialect::PHP_8_2, files.into_iter());
        let records = Records::decode("here", &bytes, Dialect::PHP_8_2);
        for (real, identity, classes) in files {
            assert_eq!(records.classes(real, &identity), Some(classes));
        }
        assert_eq!(records.classes("/a.php", &identity(2)), None);
        assert_eq!(records.classes("/d.php", &identity(1)), None);
        let mut others: Vec<_> = records.others(&|real| real == "/b.php").collect();
        others.sort_by_key(|(real, ..)| *real);
        assert_eq!(others, [files[0], files[2]]);
    }

    #[test]
    fn foreign_and_torn_records_are_none() {
        let file = ("/a.php", identity(1), &b"A"[..]);
        let bytes = Records::encode("here", Dialect::PHP_8_2, [file].into_iter());
        let other = Dialect {
            php: 80_300,
            ..Dialect::PHP_8_2
        };
        assert_eq!(
            Records::decode("here", &bytes, other)
                .others(&|_| false)
                .count(),
            0
        );
        let elsewhere = Records::decode("there", &bytes, Dialect::PHP_8_2);
        assert_eq!(elsewhere.others(&|_| false).count(), 0);
        for length in 0..bytes.len() {
            let records = Records::decode("here", &bytes[..length], Dialect::PHP_8_2);
            assert_eq!(records.classes(file.0, &file.1), None);
        }
    }
}
