//! The fuzz targets of the requests, and of the records of all crates. The targets of the readers
//! stand beside the readers.

use allegro_base::testing::records::{RecordKind, seal};
use allegro_vendor::classmap;

use crate::{helper, install, machine, ops};

fn kinds() -> impl Iterator<Item = RecordKind> {
    allegro_store::fuzzing::RECORDS
        .into_iter()
        .chain(classmap::fuzzing::RECORDS)
        .chain(ops::RECORDS)
        .chain(machine::RECORDS)
        .chain([install::RECORD])
}

/// Decodes a record of the store. The first byte chooses the kind.
pub fn records(data: &[u8]) {
    let Some((first, payload)) = data.split_first() else {
        return;
    };
    let Some(kind) = kinds().nth(usize::from(*first) % kinds().count()) else {
        return;
    };
    assert_eq!(
        (kind.again)(payload),
        None,
        "a record without a seal counts"
    );
    if let Some(once) = (kind.again)(&seal(kind.magic, payload)) {
        let twice = (kind.again)(&once);
        assert_eq!(
            twice.as_ref(),
            Some(&once),
            "a record is read as another one"
        );
    }
}

/// Reads a request of the plugin, which is a line of the helper's input.
pub fn request(data: &[u8]) {
    if let Ok(line) = std::str::from_utf8(data) {
        helper::fuzzed(line);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use allegro_base::testing::{seeds, smoke, write_seeds};
    use allegro_resolver::outline::FORMAT;
    use allegro_vendor::classmap::Dialect;
    use allegro_vendor::classmap::records::PARSER;

    use super::{kinds, seal};

    #[test]
    fn a_record_counts_or_is_absent() {
        smoke("records", super::records);
    }

    #[test]
    fn a_request_is_answered_or_refused() {
        smoke("request", super::request);
    }

    #[test]
    fn every_target_has_seeds() {
        let root = env!("CARGO_MANIFEST_DIR");
        for entry in fs::read_dir(format!("{root}/fuzz/fuzz_targets")).expect("targets") {
            let path = entry.expect("a target").path();
            let name = path.file_stem().expect("a name").to_str().expect("a word");
            assert!(!seeds(name).is_empty(), "no seeds of {name}");
        }
    }

    #[test]
    fn seeds_of_requests_are_read() {
        for seed in seeds("request") {
            let line = String::from_utf8(seed).expect("text");
            assert!(crate::helper::fuzzed(&line), "{line}");
        }
    }

    /// Returns values of the same shape as the records, in the order of the kinds.
    fn records() -> Vec<Vec<u8>> {
        let identity: [u64; 3] = [1, 2, 3];
        let moment = (0_i64, 0_u32);
        let file = ("/a.php", identity, moment, moment);
        let dialect = Dialect::PHP_8_2;
        let bytes = [
            postcard::to_stdvec(&(
                (Some(b"/project".as_slice()), b"/project/vendor".as_slice()),
                1_700_000_000_u64,
                (Some([7_u8; 32]), Some(1_u8)),
                [("a/a", "1.0", [7_u8; 32], Some(9_u64))].as_slice(),
            )),
            postcard::to_stdvec(&("/vendor", [[7_u8; 32]].as_slice())),
            postcard::to_stdvec(&[(3_u32, b"A\0B".as_slice())].as_slice()),
            postcard::to_stdvec(&(PARSER, dialect, [(file, b"A".as_slice())].as_slice())),
            postcard::to_stdvec(&([7_u8; 32], 0_u8, [file].as_slice(), 0_u8)),
            postcard::to_stdvec(&(
                "print",
                "said",
                "/cwd",
                dialect,
                (false, false),
                0_u8,
                [7_u8; 32],
                1_u64,
                0_u8,
            )),
            postcard::to_stdvec(&((FORMAT, "0.1.0"), 0_u8, ["b/b"].as_slice())),
        ];
        let of_machine = crate::machine::seeds().map(Ok);
        let of_install = postcard::to_stdvec(&(
            [7_u8; 32],
            (0_u8, 0_u8, 0_u8),
            (0_u8, 0_u8, 0_u8, 0_u8, 0_u8, 0_u8),
            (false, true),
            ("/project/vendor", "/project/vendor/bin", 300_u64),
        ));
        let bytes = bytes.into_iter().chain(of_machine).chain([of_install]);
        let bytes = bytes.zip(0_u8..);
        bytes
            .map(|(bytes, kind)| [&[kind][..], &bytes.expect("encoded")].concat())
            .collect()
    }

    /// Seeds must be renewed when a format changes, because seeds that no decoder reads are
    /// useless.
    #[test]
    fn seeds_of_records_are_read() {
        assert_eq!(seeds("records").len(), records().len());
        for (seed, kind) in seeds("records").iter().zip(kinds()) {
            let bytes = seal(kind.magic, &seed[1..]);
            assert!((kind.again)(&bytes).is_some(), "{:?}", kind.magic);
        }
    }

    #[test]
    #[ignore = "writes into the checkout"]
    fn made_seeds_are_written() {
        write_seeds("records", records());
    }
}
