//! The fuzz targets of manifests and exports, and the kinds of records that this crate decodes.

use std::collections::{HashMap, HashSet};

use allegro_base::error::Result;
use allegro_base::testing::records::RecordKind;

use crate::manifest::fuzzed;
use crate::transfer::{MAGIC, Receiver, read};
use crate::{Digest, Manifest, projects};
use allegro_composer::ManifestKey;
use foldhash::fast::RandomState;

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

/// Reads an export: the bytes as a file, and as the uncompressed stream of a file.
pub fn import(data: &[u8]) {
    let packed = zstd::encode_all(data, 1).unwrap_or_default();
    for bytes in [data, &[&MAGIC[..], &packed].concat()] {
        let mut checker = Checker::default();
        let is_whole = read(bytes, &mut checker).is_ok();
        assert!(checker.open.is_none() || !is_whole, "a content has no end");
        assert!(
            !is_whole || checker.awaited.is_empty(),
            "an export that lacks contents"
        );
    }
}

/// Checks what the reader of exports promises.
#[derive(Default)]
struct Checker {
    keys: HashSet<ManifestKey>,
    awaited: HashMap<Digest, u64, RandomState>,
    are_contents: bool,
    /// Content that is arriving: its digest, its size, and its bytes.
    open: Option<(Digest, u64, Vec<u8>)>,
}

impl Receiver for Checker {
    fn package(&mut self, key: ManifestKey, _: Vec<u8>, manifest: Manifest) -> Result<()> {
        assert!(!self.are_contents, "a package after contents");
        assert!(self.keys.insert(key), "a package twice");
        for item in &manifest.items {
            assert!(!item.path.starts_with('/') && !item.path.contains(".."));
        }
        Ok(())
    }

    fn contents_follow(&mut self, sizes: &HashMap<Digest, u64, RandomState>) -> Result<()> {
        self.are_contents = true;
        self.awaited.clone_from(sizes);
        Ok(())
    }

    fn begin(&mut self, digest: &Digest, size: u64) -> Result<()> {
        assert_eq!(self.awaited.remove(digest), Some(size));
        assert!(self.open.is_none(), "a content in another one");
        self.open = Some((*digest, size, Vec::new()));
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some((_, size, held)) = &mut self.open {
            held.extend_from_slice(bytes);
            assert!(held.len() as u64 <= *size, "more than the size");
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        if let Some((digest, size, held)) = self.open.take() {
            assert_eq!(held.len() as u64, size);
            assert_eq!(Digest::of(&held), digest);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use allegro_archive::{Mode, Time};
    use allegro_base::testing::{seeds, smoke, write_seeds};

    use crate::manifest::fuzzed;
    use crate::testing::Package;
    use crate::{Digest, Item, ItemKind, Manifest, Store};

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
    fn an_export_is_read_or_refused() {
        smoke("import", super::import);
    }

    /// Returns an export of two packages as a file, and its uncompressed stream.
    fn exports() -> Vec<Vec<u8>> {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(dir.path()).expect("a store");
        let packages = [
            Package::of("a/a", "1", &[b"shared", b"of a"]),
            Package::of("b/b", "1", &[b"shared", b""]),
        ];
        let mut file = Vec::new();
        for package in &packages {
            package.store(&store);
        }
        let keys = packages.map(|package| package.key);
        store.export(&keys, &mut file).expect("exported");
        let stream = zstd::decode_all(&file[8..]).expect("a stream");
        vec![file, stream]
    }

    #[test]
    fn the_seeds_of_exports_are_read() {
        // Another version of zstd may make another file of the same stream.
        assert_eq!(seeds("import")[1], exports()[1]);
        let mut checker = super::Checker::default();
        let seed = &seeds("import")[0];
        super::read(&**seed, &mut checker).expect("an export");
        assert_eq!(checker.keys.len(), 2);
    }

    #[test]
    #[ignore = "writes into the checkout"]
    fn made_seeds_are_written() {
        write_seeds("manifest", vec![manifest()]);
        write_seeds("import", exports());
    }
}
