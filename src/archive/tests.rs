#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::cast_possible_truncation
)]

use super::test_support::{
    LINK, OnDisk, REGULAR, Zip, ZipItem, file, gzip, member, pax, read_tar, read_zip, seeded, tar,
};
use super::{Archive, ArchiveError, ArchiveKind, Entry, FileSink, Limits, Mode, names_utf8};

const ROUNDS: usize = 3000;

#[test]
fn top_folder_and_its_mode() {
    let zip = |items: Vec<ZipItem>| {
        let archive = OnDisk::new(&Zip::of(items).bytes(), ArchiveKind::Zip)
            .open(&Limits::default())
            .unwrap();
        (archive.top_folder().map(str::to_owned), archive.root_mode())
    };
    let p = || ZipItem::new("p/", "").attr(3, 0o040_750 << 16);
    let f = || ZipItem::new("p/f", "");
    assert_eq!(
        zip(vec![p(), f()]),
        (Some("p".to_owned()), Mode::Exact(0o750))
    );
    assert_eq!(zip(vec![f(), p()]), (Some("p".to_owned()), Mode::Default));
    assert_eq!(zip(vec![f(), ZipItem::new("q", "")]), (None, Mode::Default));
    assert_eq!(zip(vec![]), (None, Mode::Default));
    assert!(read_zip([]).is_empty());
    assert!(read_tar(&tar(&[])).unwrap().is_empty());
}

#[test]
fn missing_archive_is_an_io_error() {
    let dir = tempfile::tempdir().unwrap();
    for kind in [ArchiveKind::Zip, ArchiveKind::Tar] {
        let error = Archive::open(&dir.path().join("none"), kind, &Limits::default()).unwrap_err();
        assert!(matches!(error, ArchiveError::Io(_)));
    }
}

#[test]
fn sink_errors_come_back() {
    struct Full;
    impl FileSink for Full {
        fn begin(&mut self, _: usize, _: &Entry) -> std::io::Result<bool> {
            Ok(true)
        }
        fn data(&mut self, _: &[u8]) -> std::io::Result<()> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn end(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    for (bytes, kind) in [
        (Zip::of([ZipItem::new("a", "x")]).bytes(), ArchiveKind::Zip),
        (tar(&[file("a", b"x")]), ArchiveKind::Tar),
    ] {
        let mut archive = OnDisk::new(&bytes, kind).open(&Limits::default()).unwrap();
        let error = archive.extract(&mut Full).unwrap_err();
        let ArchiveError::Io(error) = error else {
            panic!("{error}")
        };
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    }
}

#[test]
fn messages_name_entry_and_reason() {
    let zip = Zip::of([ZipItem::new("../x\n", "")]).bytes();
    let error = OnDisk::new(&zip, ArchiveKind::Zip)
        .open(&Limits::default())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "archive is left to composer: ../x\\n: the name has '..' in it"
    );
}

#[test]
fn locale_is_taken_from_the_first_variable_that_is_set() {
    let with = |set: &'static [(&str, &str)]| {
        names_utf8(|name| set.iter().find(|s| s.0 == name).map(|s| s.1.to_owned()))
    };
    assert!(!with(&[]));
    assert!(with(&[("LANG", "C.UTF-8")]));
    assert!(with(&[
        ("LC_ALL", ""),
        ("LC_CTYPE", "C.utf8"),
        ("LANG", "C")
    ]));
    assert!(!with(&[("LC_ALL", "C"), ("LANG", "C.UTF-8")]));
    assert!(!with(&[("LANG", "xx_XX.UTF-8")]));
}

fn sample_zip() -> Vec<u8> {
    let body = b"<?php echo 'hello'; ".repeat(20);
    let zip = Zip {
        zip64_end: true,
        comment: b"comment".to_vec(),
        ..Zip::of([
            ZipItem::new("p/", ""),
            ZipItem::new("p/a.php", &body),
            ZipItem::new("p/b.php", &body).stored().attr(0, 0),
            ZipItem::new("p/c", &body)
                .attr(3, REGULAR)
                .with(|i| i.descriptor = true),
            ZipItem::new("p/d", &body).with(|i| i.zip64 = true),
            ZipItem::new("p/l", "a.php").attr(3, LINK),
            ZipItem::new("p/big", vec![b'z'; 9000]),
        ])
    };
    zip.bytes()
}

fn sample_tar() -> Vec<u8> {
    tar(&[
        member(b"p/", b'5', 0o755, b"", b""),
        file("p/a", &[1; 700]),
        pax(&[("path", "p/pax"), ("linkpath", "x")]),
        file("p/b", b"x"),
        member(b"././@LongLink", b'L', 0, b"", b"p/a-long-name\0"),
        member(b"p/h", b'1', 0o644, b"p/a", b""),
        member(b"p/l", b'2', 0o777, b"a", b""),
    ])
}

/// Changes bytes, cuts, repeats.
fn damage(bytes: &mut Vec<u8>, rng: &mut fastrand::Rng) {
    for _ in 0..rng.usize(1..4) {
        if bytes.is_empty() {
            return;
        }
        let at = rng.usize(..bytes.len());
        match rng.u8(..20) {
            0 => bytes.truncate(at),
            1 => {
                bytes.remove(at);
            }
            2 => bytes.insert(at, rng.u8(..)),
            3..8 => bytes[at] = [0, 0xff, 0x7f, 0x80, b'/', b'.'][rng.usize(..6)],
            8 => {
                let end = (at + 4).min(bytes.len());
                bytes[at..end].fill(0xff);
            }
            _ => bytes[at] ^= 1 << rng.u8(..8),
        }
    }
}

/// Opens and extracts damaged archives. Whatever comes out keeps every promise of [`Entry`].
fn fuzz(test: &str, kind: ArchiveKind, samples: &[Vec<u8>], repair: fn(&mut [u8])) {
    let mut rng = seeded(test);
    let limits = Limits {
        stream_above: 4000,
        max_total: 1 << 20,
        ..Limits::default()
    };
    let (mut fine, mut refused) = (0, 0);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("archive");
    for _ in 0..ROUNDS {
        let mut bytes = samples[rng.usize(..samples.len())].clone();
        damage(&mut bytes, &mut rng);
        if rng.bool() {
            repair(&mut bytes);
        }
        // Truncating a file that exists makes ext4 write it out at once.
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, &bytes).unwrap();
        match super::test_support::read(&path, kind, &limits) {
            Ok(entries) => {
                fine += 1;
                for (entry, _) in entries {
                    let bad = |part: &str| matches!(part, "" | "." | "..");
                    assert!(!entry.path.split('/').any(bad), "{:?}", entry.path);
                    assert!(entry.mode.under(0, 0o777) <= 0o777);
                }
            }
            Err(ArchiveError::Io(e)) => panic!("i/o error from damage: {e}"),
            Err(_) => refused += 1,
        }
    }
    eprintln!("{test}: {fine} read, {refused} refused");
    assert!(
        refused > ROUNDS / 4,
        "damage went unnoticed: {refused} of {ROUNDS}"
    );
}

#[test]
fn damaged_zips_do_no_harm() {
    fuzz(
        "damaged_zips_do_no_harm",
        ArchiveKind::Zip,
        &[sample_zip()],
        |_| {},
    );
}

#[test]
fn damaged_tars_do_no_harm() {
    // With the checksums made right again, the damage gets past the first test.
    let repair = |bytes: &mut [u8]| {
        for block in bytes.chunks_exact_mut(512) {
            if block[257..262] == *b"ustar" {
                super::test_support::seal(block);
            }
        }
    };
    let samples = [sample_tar(), sample_tar(), gzip(&sample_tar())];
    fuzz(
        "damaged_tars_do_no_harm",
        ArchiveKind::Tar,
        &samples,
        repair,
    );
}
