#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::cast_possible_truncation
)]

use super::super::testing::{
    Collect, DIRECTORY, EXECUTABLE, LINK, OnDisk, REGULAR, Zip, ZipItem, class, deflate, listing,
    read_zip,
};
use super::super::{ArchiveError, ArchiveKind, Limits, Mode};

fn item(name: &str) -> ZipItem {
    ZipItem::new(name, if name.ends_with('/') { "" } else { "content" })
}

fn refuse(zip: &Zip) -> ArchiveError {
    OnDisk::new(&zip.bytes(), ArchiveKind::Zip)
        .read(&Limits::default())
        .unwrap_err()
}

#[track_caller]
fn assert_refused(items: Vec<ZipItem>, expected: &str, entry: &str) {
    let error = refuse(&Zip::of(items));
    assert_eq!(class(&error), (expected, Some(entry)), "{error}");
}

#[test]
fn reads_files_dirs_and_links_in_order() {
    let read = read_zip([
        item("p/"),
        item("p/b.php"),
        item("p/deep/er/a.php").stored(),
        item("p/bin").attr(3, EXECUTABLE),
        ZipItem::link("p/link", "../elsewhere"),
        item("p/empty/").attr(3, 0o040_700 << 16),
        ZipItem::new("p/none", ""),
    ]);
    assert_eq!(
        listing(&read),
        [
            "d 755 p",
            "f 644 p/b.php",
            "d - p/deep",
            "d - p/deep/er",
            "f 644 p/deep/er/a.php",
            "f 755 p/bin",
            "l - p/link -> ../elsewhere",
            "d 700 p/empty",
            "f 644 p/none",
        ]
    );
    assert_eq!(read[1].1, b"content");
    assert_eq!(read[4].1, b"content");
}

#[test]
fn git_zips_leave_modes_to_the_umask() {
    let read = read_zip([
        item("p/").attr(0, 0x10),
        item("p/a").attr(0, 0),
        item("p/run").attr(3, EXECUTABLE),
        ZipItem::link("p/l", "a"),
    ]);
    assert_eq!(
        listing(&read),
        ["d - p", "f - p/a", "f 755 p/run", "l - p/l -> a"]
    );
}

#[test]
fn modes_follow_the_measured_table() {
    let mode = |host, attributes| {
        let read = OnDisk::new(
            &Zip::of([item("f").attr(host, attributes)]).bytes(),
            ArchiveKind::Zip,
        )
        .read(&Limits::default());
        read.map(|r| r[0].0.mode).map_err(|e| class(&e).0)
    };
    assert_eq!(mode(3, 0o104_755 << 16), Ok(Mode::Exact(0o755)));
    assert_eq!(mode(3, 0o666 << 16), Ok(Mode::Exact(0o666)));
    assert_eq!(mode(3, 0), Err("declined"));
    assert_eq!(mode(3, 0o010_644 << 16), Err("declined"));
    assert_eq!(mode(0, 0), Ok(Mode::Default));
    assert_eq!(mode(0, 0x20), Ok(Mode::Default));
    assert_eq!(mode(0, 1), Err("declined"));
    assert_eq!(mode(0, 0x10), Err("declined"));
    assert_eq!(mode(0, 0x08), Err("declined"));
    assert_eq!(mode(0, REGULAR), Ok(Mode::Exact(0o644)));
    assert_eq!(mode(0, EXECUTABLE), Ok(Mode::Default));
    assert_eq!(mode(0, 0o100_444 << 16 | 1), Ok(Mode::Exact(0o444)));
    assert_eq!(mode(0, LINK), Err("declined"));
    for host in [10, 11, 14, 19] {
        assert_eq!(mode(host, REGULAR), Ok(Mode::Default));
        assert_eq!(mode(host, 1), Err("declined"));
    }
    for host in [1, 2, 7, 20, 255] {
        assert_eq!(mode(host, REGULAR), Err("declined"), "host {host}");
    }
}

#[test]
fn directory_listed_after_its_content_keeps_the_default_mode() {
    let read = read_zip([
        item("p/a/f"),
        item("p/a/").attr(3, 0o040_700 << 16),
        item("p/b/").attr(3, 0o040_700 << 16),
        item("p/b/").attr(3, DIRECTORY),
    ]);
    assert_eq!(
        listing(&read),
        ["d - p", "d - p/a", "f 644 p/a/f", "d 700 p/b"]
    );
}

#[test]
fn dots_and_double_slashes_vanish() {
    let read = read_zip([item("./"), item("./a//b"), item("c/./d"), item("...")]);
    assert_eq!(
        listing(&read),
        ["d - a", "f 644 a/b", "d - c", "f 644 c/d", "f 644 ..."]
    );
}

#[test]
fn names_that_lead_out_are_declined() {
    for name in [
        "../evil",
        "a/../../evil",
        "a/..",
        "..",
        "/etc/passwd",
        "//x",
        "a/../b",
        "..\\evil",
    ] {
        assert_refused(vec![item("ok"), item(name)], "declined", name);
    }
    assert_refused(vec![item("a\0b")], "declined", "a\\u{0}b");
    assert_refused(vec![item("../d/")], "declined", "../d/");
}

#[test]
fn names_that_unzip_changes_are_declined() {
    assert_refused(vec![item("a\\b")], "declined", "a\\b");
    assert_refused(vec![item("a\nb")], "declined", "a\\nb");
    assert_refused(vec![item("a\u{7f}b")], "declined", "a\\u{7f}b");
    assert_refused(vec![item("a;12")], "declined", "a;12");
    assert_refused(vec![item("a;")], "declined", "a;");
    assert_refused(vec![ZipItem::new(b"a\xff", "")], "declined", "a\u{fffd}");
    assert_refused(vec![item("é").attr(0, 0)], "declined", "é");
    let long = "x".repeat(256);
    assert_refused(vec![item(&long)], "declined", &long);
    assert_eq!(listing(&read_zip([item("a;b"), item("c;1/x")])).len(), 3);
}

#[test]
fn locale_decides_about_flagged_names_with_extra_field() {
    let github = item("p/é").with(|i| {
        i.flags = 1 << 11;
        i.extra = b"UT\x05\x00\x01\0\0\0\0".to_vec();
        i.local_extra = i.extra.clone();
    });
    let zip = OnDisk::new(&Zip::of([github.attr(0, 0)]).bytes(), ArchiveKind::Zip);
    let utf8 = Limits {
        utf8_locale: true,
        ..Limits::default()
    };
    assert_eq!(listing(&zip.read(&utf8).unwrap()), ["d - p", "f - p/é"]);
    let posix = Limits {
        utf8_locale: false,
        ..Limits::default()
    };
    assert_eq!(
        class(&zip.read(&posix).unwrap_err()),
        ("declined", Some("p/é"))
    );
}

#[test]
fn conflicting_entries_are_declined() {
    assert_refused(vec![item("a"), item("a")], "declined", "a");
    assert_refused(vec![item("d"), item("d/")], "declined", "d/");
    assert_refused(vec![item("d/"), item("d")], "declined", "d");
    assert_refused(vec![item("d/x"), item("d")], "declined", "d");
    assert_refused(vec![item("f"), item("f/x")], "declined", "f/x");
    assert_refused(
        vec![ZipItem::link("l", "etc"), item("l/passwd")],
        "declined",
        "l/passwd",
    );
    assert_refused(
        vec![
            ZipItem::link("a", "."),
            ZipItem::link("a/b", "."),
            item("a/b/c"),
        ],
        "declined",
        "a/b",
    );
    assert_refused(
        vec![item("l/x"), ZipItem::link("l", "etc")],
        "declined",
        "l",
    );
    assert_refused(vec![ZipItem::link("l", "x"), item("l")], "declined", "l");
    assert_refused(vec![item("./a"), item("a")], "declined", "a");
}

#[test]
fn links_are_checked() {
    let read = read_zip([item("p/"), ZipItem::link("p/l", &"t".repeat(4095))]);
    assert_eq!(read.len(), 2);
    assert_refused(vec![ZipItem::link("l", &"t".repeat(4096))], "declined", "l");
    assert_refused(vec![ZipItem::link("l", "")], "declined", "l");
    assert_refused(vec![ZipItem::link("l", "a\0b")], "declined", "l");
    assert_refused(vec![ZipItem::link("l/", "t")], "declined", "l/");
    let blocks = [0, 0, 0, 0xff, 0xff].repeat(10_000);
    let endless = ZipItem::link("l", "t").with(|i| {
        i.method = 8;
        i.raw = Some([blocks, deflate(b"t")].concat());
    });
    assert_refused(vec![endless], "declined", "l");
    assert_refused(vec![ZipItem::link("only", "x")], "declined", "only");
    assert_refused(
        vec![
            item("p/"),
            ZipItem::link("p/l", "abc").with(|i| i.crc = Some(1)),
        ],
        "corrupt",
        "p/l",
    );
}

#[test]
fn lies_about_size_and_checksum_are_corrupt() {
    let lie = |change: fn(&mut ZipItem)| vec![item("ok"), item("lie").with(change)];
    assert_refused(lie(|i| i.crc = Some(1)), "corrupt", "lie");
    assert_refused(lie(|i| i.size = Some(6)), "corrupt", "lie");
    assert_refused(lie(|i| i.size = Some(8)), "corrupt", "lie");
    assert_refused(lie(|i| i.size = Some(u32::MAX - 1)), "corrupt", "lie");
    assert_refused(lie(|i| i.packed = Some(u32::MAX - 1)), "corrupt", "lie");
    assert_refused(lie(|i| i.offset = Some(u32::MAX - 1)), "corrupt", "lie");
    assert_refused(lie(|i| i.offset = Some(3)), "corrupt", "lie");
    assert_refused(lie(|i| i.size = Some(u32::MAX)), "corrupt", "lie");
    assert_refused(lie(|i| i.raw = Some(vec![0xff; 9])), "corrupt", "lie");
    // The checksum covers the unpacked bytes and the leftover byte in the buffer.
    let short = |i: &mut ZipItem| {
        i.size = Some(8);
        i.crc = Some(libdeflater::crc32(b"content\0"));
    };
    assert_refused(vec![item("lie").with(short)], "corrupt", "lie");
    let stored = item("lie").stored().with(|i| i.size = Some(6));
    assert_refused(vec![stored], "corrupt", "lie");
    // The data is valid, but cut by one byte.
    let mut raw = deflate(b"content");
    raw.pop();
    assert_refused(
        vec![item("cut").with(|i| i.raw = Some(raw))],
        "corrupt",
        "cut",
    );
}

#[test]
fn lies_are_found_in_streamed_files_too() {
    let limits = Limits {
        stream_above: 1000,
        ..Limits::default()
    };
    let body = vec![b'x'; 5000];
    let big = |change: fn(&mut ZipItem)| {
        let items = [ZipItem::new("big", &body).with(change)];
        OnDisk::new(&Zip::of(items).bytes(), ArchiveKind::Zip).read(&limits)
    };
    assert_eq!(big(|_| {}).unwrap()[0].1, body);
    assert_eq!(big(|i| i.method = 0).unwrap()[0].1, body);
    for change in [
        (|i: &mut ZipItem| i.crc = Some(1)) as fn(&mut ZipItem),
        |i| i.size = Some(4999),
        |i| i.size = Some(5001),
        |i| i.raw = Some(deflate(&vec![b'x'; 5000])[..8].to_vec()),
        |i| i.raw = Some(vec![0xff; 20]),
        |i| (i.method, i.crc) = (0, Some(7)),
    ] {
        assert_eq!(class(&big(change).unwrap_err()), ("corrupt", Some("big")));
    }
}

#[test]
fn large_files_come_in_pieces() {
    let body: Vec<u8> = (0..3_000_000_u32).map(|i| (i / 7 % 251) as u8).collect();
    let items = [
        ZipItem::new("p/deflated", &body),
        ZipItem::new("p/stored", &body).stored(),
        item("p/small"),
    ];
    let disk = OnDisk::new(&Zip::of(items).bytes(), ArchiveKind::Zip);
    let limits = Limits {
        stream_above: 1 << 20,
        ..Limits::default()
    };
    let mut sink = Collect::default();
    disk.open(&limits).unwrap().extract(&mut sink).unwrap();
    assert!(sink.largest <= 256 << 10, "{}", sink.largest);
    assert!(sink.files[0].1 == body && sink.files[1].1 == body);
    assert_eq!(sink.files[2].1, b"content");
}

#[test]
fn long_streams_of_empty_blocks_are_read_in_pieces() {
    let blocks = [0, 0, 0, 0xff, 0xff].repeat(200_000);
    let item = ZipItem::new("x", "small").with(|i| {
        i.raw = Some([blocks, deflate(b"small")].concat());
    });
    let disk = OnDisk::new(&Zip::of([item]).bytes(), ArchiveKind::Zip);
    let limits = Limits {
        stream_above: 100_000,
        ..Limits::default()
    };
    assert_eq!(disk.read(&limits).unwrap()[0].1, b"small");
    assert_eq!(disk.read(&Limits::default()).unwrap()[0].1, b"small");
}

#[test]
fn sink_can_skip() {
    let disk = OnDisk::new(
        &Zip::of([item("a").with(|i| i.crc = Some(1)), item("b")]).bytes(),
        ArchiveKind::Zip,
    );
    let mut sink = Collect {
        skip: Some(0),
        ..Collect::default()
    };
    disk.open(&Limits::default())
        .unwrap()
        .extract(&mut sink)
        .unwrap();
    assert_eq!(sink.files, [(1, b"content".to_vec())]);
}

#[test]
fn local_header_must_agree() {
    let lie = |change: fn(&mut ZipItem)| vec![item("ok"), item("lie").with(change)];
    assert_refused(
        lie(|i| i.local_name = Some(b"../x".to_vec())),
        "declined",
        "lie",
    );
    assert_refused(lie(|i| i.local_crc = Some(5)), "declined", "lie");
    assert_refused(lie(|i| i.local_size = Some(5)), "declined", "lie");
    assert_refused(lie(|i| i.local_method = Some(0)), "declined", "lie");
}

#[test]
fn unsupported_features_are_declined() {
    let with = |change: fn(&mut ZipItem)| vec![item("x").with(change)];
    assert_refused(with(|i| i.flags = 1), "declined", "x");
    assert_refused(with(|i| i.flags = 1 << 6), "declined", "x");
    assert_refused(with(|i| i.flags = 1 << 13), "declined", "x");
    assert_refused(with(|i| i.flags = 1 << 5), "declined", "x");
    assert_refused(with(|i| i.method = 12), "declined", "x");
    assert_refused(with(|i| i.method = 99), "declined", "x");
    assert_refused(with(|i| i.needs = 63), "declined", "x");
    assert_refused(with(|i| i.needs = 0x0214), "declined", "x");
    assert_refused(vec![ZipItem::new("d/", "data")], "declined", "d/");
    assert_refused(
        with(|i| i.extra = b"\x75\x70\x06\x00\x01\0\0\0\0q".to_vec()),
        "declined",
        "x",
    );
}

#[test]
fn overlapping_entries_are_declined() {
    // Both central records name the same local header, which has the name of the first.
    let second = item("b").with(|i| i.offset = Some(0));
    assert_refused(vec![item("a"), second], "declined", "b");
    // The stored entry contains the local header of the next one.
    let inner = Zip::of([item("inner").stored()]).bytes();
    let header = inner[..30 + 5 + 7].to_vec();
    let outer = ZipItem::new("outer", &header).stored();
    let quine = item("inner").stored().with(|i| i.offset = Some(30 + 5));
    assert_refused(vec![outer, quine], "declined", "inner");
    // unzip counts the descriptor as well, but the fault is harmless.
    let announced = || item("a").with(|i| i.flags = 8);
    assert_refused(vec![announced(), item("b")], "declined", "a");
    assert_refused(vec![item("b"), announced()], "declined", "a");
}

#[test]
fn bombs_are_hostile() {
    let disk = |items: Vec<ZipItem>| OnDisk::new(&Zip::of(items).bytes(), ArchiveKind::Zip);
    let limits = Limits {
        max_entries: 3,
        ..Limits::default()
    };
    assert_eq!(disk(vec![item("a/b/c")]).read(&limits).unwrap().len(), 3);
    assert_eq!(
        class(&disk(vec![item("a/b/c/d")]).read(&limits).unwrap_err()).0,
        "hostile"
    );
    let limits = Limits {
        max_total: 20,
        ..Limits::default()
    };
    let error = disk(vec![item("a"), item("b"), item("c")])
        .read(&limits)
        .unwrap_err();
    assert_eq!(class(&error), ("hostile", Some("c")));
    let limits = Limits {
        ratio_from: 1 << 20,
        max_ratio: 500,
        ..Limits::default()
    };
    let zeros = vec![0; 4 << 20];
    let error = disk(vec![ZipItem::new("zeros", zeros)])
        .read(&limits)
        .unwrap_err();
    assert_eq!(class(&error), ("hostile", Some("zeros")));
}

#[test]
fn zip64_descriptors_comments_and_prefixes() {
    let items = [
        item("a").with(|i| i.zip64 = true),
        item("b").with(|i| i.descriptor = true),
    ];
    let good = |zip: &Zip| {
        let read = OnDisk::new(&zip.bytes(), ArchiveKind::Zip).read(&Limits::default())?;
        assert!(read.iter().all(|(_, content)| content == b"content"));
        Ok::<_, ArchiveError>(read.len())
    };
    let mut zip = Zip::of(items);
    assert_eq!(good(&zip).unwrap(), 2);
    zip.zip64_end = true;
    assert_eq!(good(&zip).unwrap(), 2);
    zip.comment = b"a comment".to_vec();
    assert_eq!(good(&zip).unwrap(), 2);
    zip.zip64_end = false;
    assert_eq!(good(&zip).unwrap(), 2);
    zip.prefix = b"#!/bin/sh\n".to_vec();
    assert_eq!(class(&good(&zip).unwrap_err()), ("declined", None));
    zip.adjusted = true;
    assert_eq!(good(&zip).unwrap(), 2);
    zip.suffix = b"junk".to_vec();
    assert_eq!(class(&good(&zip).unwrap_err()), ("declined", None));
}

#[test]
fn end_record_must_be_right() {
    let zip = Zip::of([item("a"), item("b")]);
    let changed = |change: fn(&mut Zip)| {
        let mut zip = zip.clone();
        change(&mut zip);
        class(&refuse(&zip)).0
    };
    assert_eq!(changed(|z| z.count = Some(1)), "declined");
    assert_eq!(changed(|z| z.count = Some(3)), "corrupt");
    assert_eq!(changed(|z| z.disk = 1), "declined");
    let bytes = zip.bytes();
    for len in [0, 1, 21, 30, bytes.len() - 22, bytes.len() - 1] {
        let disk = OnDisk::new(&bytes[..len], ArchiveKind::Zip);
        let error = disk.read(&Limits::default()).unwrap_err();
        assert_eq!(class(&error), ("corrupt", None), "{len}: {error}");
    }
    let html = OnDisk::new(b"<html>404</html>", ArchiveKind::Zip);
    assert_eq!(
        class(&html.read(&Limits::default()).unwrap_err()).0,
        "corrupt"
    );
}

#[test]
fn two_hundred_thousand_entries() {
    let items = (0..200_000).map(|i| ZipItem::new(format!("p/d{}/f{i}.php", i % 500), "").stored());
    let zip = Zip {
        zip64_end: true,
        ..Zip::of(items)
    };
    let disk = OnDisk::new(&zip.bytes(), ArchiveKind::Zip);
    let start = std::time::Instant::now();
    let mut archive = disk.open(&Limits::default()).unwrap();
    assert_eq!(archive.entries().len(), 200_501);
    archive.extract(&mut Collect::default()).unwrap();
    eprintln!("200,000 entries: {:?}", start.elapsed());
    assert!(start.elapsed().as_secs() < 20);
}
