//! The fuzz target of the manifest's decoder, and the kinds of records that this crate decodes.

use allegro_base::testing::records::RecordKind;

use crate::manifest::fuzzed;
use crate::projects;

/// The kinds of records of the store itself.
pub const RECORDS: [RecordKind; 2] = projects::FUZZED;

/// Decodes a manifest of the store and checks its invariants.
pub fn manifest(data: &[u8]) {
    let Some((manifest, again)) = fuzzed(data) else {
        return;
    };
    for item in &manifest.items {
        let is_odd = |part: &str| matches!(part, "" | "." | "..");
        assert!(!item.path.split('/').any(is_odd), "{:?}", item.path);
        assert!(item.mode_under(0) <= 0o777);
        let _ = manifest.times[item.time as usize];
    }
    manifest.files_and_bytes();
    manifest.link_that_leads_out();
    assert!(
        again.len() < 16 + 16 * data.len() + 64,
        "a manifest that grows"
    );
}

#[cfg(test)]
mod tests {
    use allegro_archive::{Mode, Time};
    use allegro_base::testing::{seeds, smoke, write_seeds};

    use crate::manifest::fuzzed;
    use crate::{Digest, Item, ItemKind, Manifest};

    #[test]
    fn a_manifest_is_read_or_absent() {
        smoke("manifest", super::manifest);
    }

    fn manifest() -> Vec<u8> {
        let item = |path: &str, kind| Item {
            path: path.to_owned(),
            mode: Mode::Masked(0o755),
            time: 0,
            kind,
        };
        let file = ItemKind::File {
            digest: Digest([7; 32]),
            size: 3,
        };
        let target = b"../a".to_vec();
        let manifest = Manifest {
            name: "a/a".to_owned(),
            version: "1.0".to_owned(),
            url: "https://example.org/a.zip".to_owned(),
            reference: Some("abc".to_owned()),
            archive_bytes: 100,
            root_mode: Mode::Exact(0o755),
            root_time: Time::Now,
            times: vec![Time::Stamp {
                unix: Some(1_600_000_000),
                dos: 0x5821_0000,
            }],
            items: vec![
                item("src", ItemKind::Dir),
                item("src/A.php", file),
                item("src/l", ItemKind::Symlink { target }),
            ],
        };
        postcard::to_stdvec(&manifest).expect("encoded")
    }

    /// Seeds must be renewed when the format changes, because seeds that no decoder reads are
    /// useless.
    #[test]
    fn the_seed_is_read() {
        assert_eq!(seeds("manifest"), [manifest()]);
        assert!(fuzzed(&manifest()).is_some());
    }

    #[test]
    #[ignore = "writes into the checkout"]
    fn made_seeds_are_written() {
        write_seeds("manifest", vec![manifest()]);
    }
}
