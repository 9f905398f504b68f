//! The targets on their seeds and on damaged copies of them, so that CI needs neither a nightly
//! compiler nor cargo-fuzz.
//! ! `ALLEGRO_TEST_SEED` repeats a run, `ALLEGRO_FUZZ_ROUNDS` sets how many damaged copies each
//target reads.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fs;
use std::path::PathBuf;

use super::{TARGETS, Target};
use crate::archive::test_support::seeded;
use crate::json::PhpJson;

const ROUNDS: usize = 3000;
/// Words that readers look for.
const WORDS: [&[u8]; 14] = [
    b"PK\x01\x02",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"..",
    b"/",
    b"\0",
    b"\xff\xff\xff\xff",
    b"class ",
    b"<?php ",
    b"?>",
    b"<<<A\n",
    b"\"",
    b"-dev",
    b" || ",
];

fn seeds_dir(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target)
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(seeds_dir(target))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| fs::read(path).unwrap())
        .collect()
}

/// Changes bytes, cuts, repeats, puts in words, and joins with another seed.
fn damage(bytes: &mut Vec<u8>, other: &[u8], rng: &mut fastrand::Rng) {
    for _ in 0..rng.usize(1..5) {
        let at = rng.usize(..=bytes.len());
        match rng.u8(..10) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.u8(..)),
            2 => {
                let word = WORDS[rng.usize(..WORDS.len())];
                bytes.splice(at..at, word.iter().copied());
            }
            3 => {
                bytes.truncate(at);
                bytes.extend_from_slice(&other[rng.usize(..=other.len())..]);
            }
            4 => {
                let end = (at + rng.usize(..20)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ if at == bytes.len() => {}
            5 => {
                bytes.remove(at);
            }
            6 => bytes[at] = [0, 0xff, 0x7f, 0x80, b'/', b'.'][rng.usize(..6)],
            _ => bytes[at] ^= 1 << rng.u8(..8),
        }
    }
}

fn smoke(name: &str) {
    let (_, target): Target = TARGETS.into_iter().find(|one| one.0 == name).unwrap();
    let seeds = seeds(name);
    assert!(!seeds.is_empty(), "no seeds of {name}");
    for seed in &seeds {
        target(seed);
    }
    target(b"");
    let rounds = std::env::var("ALLEGRO_FUZZ_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(ROUNDS);
    let mut rng = seeded(name);
    for _ in 0..rounds {
        let mut bytes = seeds[rng.usize(..seeds.len())].clone();
        let other = &seeds[rng.usize(..seeds.len())];
        damage(&mut bytes, other, &mut rng);
        target(&bytes);
    }
}

macro_rules! smoke {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            smoke(stringify!($name));
        })*

        #[test]
        fn every_target_is_here_and_in_the_fuzz_crate() {
            let here = [$(stringify!($name)),*];
            assert_eq!(TARGETS.map(|target| target.0), here);
            for name in here {
                let file = format!("{}/fuzz/fuzz_targets/{name}.rs", env!("CARGO_MANIFEST_DIR"));
                assert!(fs::read_to_string(file).unwrap().contains(&format!("fuzzing::{name}(")));
            }
        }
    };
}

smoke!(zip tar manifest records outline metadata constraint scanner request);

#[test]
fn seeds_of_requests_are_read() {
    for seed in seeds("request") {
        let line = String::from_utf8(seed).unwrap();
        assert!(crate::helper::fuzzed(&line), "{line}");
    }
}

mod made {
    //! Seeds that only code can make. `cargo test --lib write_seeds -- --ignored` writes them.

    use super::*;
    use crate::archive::test_support::{
        LINK, REGULAR, Zip, ZipItem, bzip2, file, gzip, member, pax, tar,
    };
    use crate::archive::{Mode, Time};
    use crate::classmap::Dialect;
    use crate::classmap::records::PARSER;
    use crate::resolve::outline::{FORMAT, Outline};
    use crate::resolve::versions::Versions;
    use crate::store::{Digest, Item, ItemKind, Manifest};

    fn zips() -> Vec<Vec<u8>> {
        let body = b"<?php echo 'hello'; ".repeat(20);
        let plain = vec![
            ZipItem::new("p/", ""),
            ZipItem::new("p/a.php", &body),
            ZipItem::new("p/b.php", &body).stored().attr(0, 0),
            ZipItem::new("p/c", "c")
                .attr(3, REGULAR)
                .with(|i| i.descriptor = true),
            ZipItem::new("p/d", "d").with(|i| i.zip64 = true),
            ZipItem::new("p/l", "a.php").attr(3, LINK),
        ];
        let odd = vec![
            ZipItem::link("p/l", "/outside"),
            ZipItem::new("/p/x", "x"),
            ZipItem::new("p/l;1", "y"),
        ];
        [plain, odd]
            .into_iter()
            .flat_map(|items| {
                let zip = Zip::of(items);
                let mut long = zip.clone();
                (long.zip64_end, long.comment) = (true, b"comment".to_vec());
                [zip.bytes(), long.bytes()]
            })
            .collect()
    }

    fn tars() -> Vec<Vec<u8>> {
        let bytes = tar(&[
            member(b"p/", b'5', 0o755, b"", b""),
            file("p/a", &[1; 700]),
            pax(&[("path", "p/pax"), ("linkpath", "x")]),
            file("p/b", b"x"),
            member(b"././@LongLink", b'L', 0, b"", b"p/a-long-name\0"),
            member(b"p/h", b'1', 0o644, b"p/a", b""),
            member(b"p/l", b'2', 0o777, b"a", b""),
        ]);
        [gzip(&bytes), bzip2(&bytes), bytes]
            .into_iter()
            .map(|bytes| [&b"\x01"[..], &bytes].concat())
            .collect()
    }

    /// Encoded outlines of the metadata that is a seed too.
    fn outlines() -> Vec<Vec<u8>> {
        seeds("metadata")
            .into_iter()
            .filter_map(|text| {
                let text = String::from_utf8(text).ok()?;
                let versions = Versions::read(PhpJson::of(text).ok()?, "a/a").ok()??;
                postcard::to_stdvec(&Outline::of(&versions).ok()?).ok()
            })
            .collect()
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
        postcard::to_stdvec(&manifest).unwrap()
    }

    /// Values of the same shape as the records, in the order of the kinds.
    fn records() -> Vec<Vec<u8>> {
        let identity: [u64; 3] = [1, 2, 3];
        let moment = (0_i64, 0_u32);
        let file = ("/a.php", identity, moment, moment);
        let dialect = Dialect::PHP_8_2;
        let bytes = [
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
        let bytes = bytes.into_iter().zip(0_u8..);
        bytes
            .map(|(bytes, kind)| [&[kind][..], &bytes.unwrap()].concat())
            .collect()
    }

    fn write(target: &str, seeds: Vec<Vec<u8>>) {
        for (number, seed) in seeds.into_iter().enumerate() {
            fs::write(seeds_dir(target).join(format!("made-{number}")), seed).unwrap();
        }
    }

    #[test]
    #[ignore = "writes into the checkout"]
    fn write_seeds() {
        for (name, _) in TARGETS {
            fs::create_dir_all(seeds_dir(name)).unwrap();
        }
        write("zip", zips());
        write("tar", tars());
        write("outline", outlines());
        write("manifest", vec![manifest()]);
        write("records", records());
    }

    /// Formats change; seeds that are not read any more are of no use.
    #[test]
    fn seeds_of_records_are_read() {
        for seed in seeds("manifest") {
            assert!(crate::store::fuzzed_manifest(&seed).is_some());
        }
        assert_eq!(seeds("manifest"), [manifest()]);
        assert_eq!(seeds("records").len(), records().len());
        for (seed, kind) in seeds("records").iter().zip(super::super::kinds()) {
            let bytes = super::super::seal(kind.magic, &seed[1..]);
            assert!((kind.again)(&bytes).is_some(), "{:?}", kind.magic);
        }
    }
}
