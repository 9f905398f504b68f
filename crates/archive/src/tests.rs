#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::cast_possible_truncation
)]

use super::testing::{OnDisk, Zip, ZipItem, file, read_tar, read_zip, tar};
use super::{Archive, ArchiveError, ArchiveKind, Entry, FileSink, Limits, Mode};

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
