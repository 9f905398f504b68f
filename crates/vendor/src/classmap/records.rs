//! Keeps the results of a project's earlier scans: each file's identity and the classes that it
//! declares.
//!
//! The records are on disk as sealed [`Contents`] (see [`Record::ProjectClasses`]). They hold only
//! files that had settled ([`allegro_base::identity::Clock`]).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::parser::Dialect;
use allegro_base::identity::Identity;
use allegro_store::Record;

/// The version of the parser, which grows when the parser's answers change.
pub const PARSER: u32 = 1;

#[derive(Serialize)]
struct RecordsContents<'a> {
    parser: u32,
    dialect: Dialect,
    files: Vec<FileClasses<'a>>,
}

#[derive(Serialize, Deserialize)]
struct FileClasses<'a> {
    real: &'a str,
    identity: Identity,
    /// Names of the classes, separated by NUL, which no name can hold.
    classes: &'a [u8],
}

/// The records of a project, in their encoded form. A large project has many records, and a plain
/// dump reads few of them.
#[derive(Debug, Default)]
pub struct Records<'a> {
    bytes: &'a [u8],
    /// Start of each file's record.
    at: HashMap<&'a str, u32>,
}

impl<'a> Records<'a> {
    /// Decodes the records at a place that were made in the same dialect. Records that are torn, of
    /// another dialect or of another place count as absent.
    pub fn decode(place: &str, bytes: &'a [u8], dialect: Dialect) -> Self {
        Self::try_decode(place, bytes, dialect).unwrap_or_default()
    }

    fn try_decode(place: &str, bytes: &'a [u8], dialect: Dialect) -> Option<Self> {
        let bytes = Record::ProjectClasses.payload(place, bytes)?;
        // The values follow the encoding of `Contents`, where a list begins with its length.
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

    /// Returns the bytes of records for these files: real path, identity, classes separated by NUL.
    pub fn encode<'f>(
        place: &str,
        dialect: Dialect,
        files: impl Iterator<Item = (&'f str, Identity, &'f [u8])>,
    ) -> Vec<u8> {
        let contents = RecordsContents {
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

    /// Returns the classes of a file, if its identity is still the recorded one.
    pub fn classes(&self, real: &str, identity: &Identity) -> Option<&'a [u8]> {
        let record = self.record(*self.at.get(real)?)?;
        (record.identity == *identity).then_some(record.classes)
    }

    /// Returns the records of all files but those that `covers` names.
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
pub const FUZZED: allegro_base::testing::records::RecordKind =
    allegro_base::testing::records::RecordKind {
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
