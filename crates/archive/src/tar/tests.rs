#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::cast_possible_truncation
)]

use super::super::testing::{
    Collect, OnDisk, bzip2, class, file, gzip, listing, member, pax, raw_member, read_tar, seal,
    tar,
};
use super::super::{ArchiveKind, Limits};

#[track_caller]
fn assert_refused(members: &[Vec<u8>], expected: &str, entry: &str) {
    let error = read_tar(&tar(members)).unwrap_err();
    assert_eq!(class(&error), (expected, Some(entry)), "{error}");
}

fn sample() -> Vec<u8> {
    tar(&[
        member(b"p/", b'5', 0o750, b"", b""),
        file("p/a.php", b"alpha"),
        member(b"./p/run", b'0', 0o4755, b"", &[7; 1000]),
        member(b"p/link", b'2', 0o777, b"../a.php", b""),
        member(b"p/hard", b'1', 0o600, b"p/a.php", b""),
        member(b"p/hard2", b'1', 0o600, b"./p/hard", b""),
        member(b"p/empty/", b'5', 0o755, b"", b""),
        file("p/x/y", b""),
    ])
}

#[test]
fn reads_plain_gzip_and_bzip2() {
    for bytes in [sample(), gzip(&sample()), bzip2(&sample())] {
        let read = read_tar(&bytes).unwrap();
        assert_eq!(
            listing(&read),
            [
                "d - p",
                "f 644 p/a.php",
                "f 755 p/run",
                "l - p/link -> ../a.php",
                "f 644 p/hard",
                "f 644 p/hard2",
                "d - p/x",
                "f 644 p/x/y",
                "d - p/empty",
            ]
        );
        assert_eq!(read[1].1, b"alpha");
        assert_eq!(read[2].1, [7; 1000]);
        assert_eq!(read[4].1, b"alpha");
        assert_eq!(read[5].1, b"alpha");
    }
}

/// The expected values are those of PHP 8.2's `PharData::extractTo` [measured].
#[test]
fn a_directory_entry_gives_its_mode_to_the_missing_directories_above_it() {
    let read = read_tar(&tar(&[
        member(b"top/", b'5', 0o755, b"", b""),
        member(b"top/src/", b'5', 0o750, b"", b""),
        member(b"top/src/x/", b'5', 0o755, b"", b""),
        file("top/src/x/f", b"1"),
        file("top/g", b"2"),
        member(b"top/e/", b'5', 0o700, b"", b""),
    ]))
    .unwrap();
    assert_eq!(
        listing(&read),
        [
            "d 750& top",
            "d 755& top/src",
            "d - top/src/x",
            "f 644 top/src/x/f",
            "f 644 top/g",
            "d - top/e",
        ]
    );
    let name = format!("top/{}/", "l".repeat(120));
    let long = read_tar(&tar(&[
        member(b"././@LongLink", b'L', 0o644, b"", name.as_bytes()),
        member(&name.as_bytes()[..100], b'5', 0o710, b"", b""),
    ]))
    .unwrap();
    assert_eq!(
        listing(&long),
        [
            "d 710& top".to_owned(),
            format!("d 710& {}", name.trim_end_matches('/'))
        ]
    );
    let late = read_tar(&tar(&[
        file("top/g", b"2"),
        member(b"top/src/x/", b'5', 0o750, b"", b""),
        member(b"top/src/", b'5', 0o700, b"", b""),
        file("top/src/x/f", b"1"),
    ]))
    .unwrap();
    assert_eq!(
        listing(&late),
        [
            "d - top",
            "f 644 top/g",
            "d 750& top/src",
            "d - top/src/x",
            "f 644 top/src/x/f",
        ]
    );
}

#[test]
fn long_names_of_gnu_pax_and_ustar() {
    let long = format!("p/{}/{}", "d".repeat(120), "f".repeat(130));
    let gnu = member(
        b"././@LongLink",
        b'L',
        0,
        b"",
        format!("{long}\0").as_bytes(),
    );
    let target = "t".repeat(200);
    let gnu_link = member(
        b"././@LongLink",
        b'K',
        0,
        b"",
        format!("{target}\0").as_bytes(),
    );
    let mut prefixed = file("name", b"3");
    prefixed[345..351].copy_from_slice(b"p/pref");
    seal(&mut prefixed);
    let read = read_tar(&tar(&[
        member(b"global", b'g', 0, b"", b"19 comment=12345678"),
        gnu,
        file("p/cut", b"1"),
        pax(&[("path", "p/ü/long"), ("mtime", "1.5"), ("size", "1")]),
        file("p/cut", b"2"),
        prefixed,
        gnu_link,
        member(b"p/l", b'2', 0o777, b"cut", b""),
    ]));
    // The global record above is deliberately malformed: it lacks its newline.
    assert_eq!(class(&read.unwrap_err()), ("corrupt", Some("global")));

    let read = read_tar(&tar(&[
        member(b"global", b'g', 0, b"", b"20 comment=12345678\n"),
        member(
            b"././@LongLink",
            b'L',
            0,
            b"",
            format!("{long}\0").as_bytes(),
        ),
        file("p/cut", b"1"),
        pax(&[("path", "p/ü/long"), ("mtime", "1.5"), ("size", "1")]),
        file("p/cut", b"2"),
        member(
            b"././@LongLink",
            b'K',
            0,
            b"",
            format!("{target}\0").as_bytes(),
        ),
        member(b"p/l", b'2', 0o777, b"cut", b""),
    ]))
    .unwrap();
    let listed = listing(&read);
    assert_eq!(listed[2], format!("f 644 {long}"));
    assert_eq!(
        listed[3..],
        ["d - p/ü", "f 644 p/ü/long", &format!("l - p/l -> {target}")]
    );

    let mut prefixed = file("name", b"3");
    prefixed[345..351].copy_from_slice(b"p/pref");
    seal(&mut prefixed);
    assert_eq!(
        listing(&read_tar(&tar(&[prefixed])).unwrap())[2],
        "f 644 p/pref/name"
    );
    let mut gnu_magic = raw_member(b"name", b'0', 0o644, b"", 1, b"x", b"ustar  \0");
    gnu_magic[345..351].copy_from_slice(b"p/pref");
    seal(&mut gnu_magic);
    assert_eq!(
        listing(&read_tar(&tar(&[gnu_magic])).unwrap()),
        ["f 644 name"]
    );
}

#[test]
fn members_that_lead_elsewhere_are_declined() {
    for name in ["../evil", "/etc/passwd", "a/../../b"] {
        assert_refused(&[file("ok", b""), file(name, b"x")], "declined", name);
    }
    assert_refused(
        &[pax(&[("path", "../evil")]), file("a", b"")],
        "declined",
        "../evil",
    );
    assert_refused(
        &[member(b"long", b'L', 0, b"", b"a\0b\0"), file("a", b"")],
        "declined",
        "a\\u{0}b",
    );
    let link = member(b"l", b'2', 0o777, b"/etc", b"");
    assert_refused(
        &[link.clone(), file("l/passwd", b"")],
        "declined",
        "l/passwd",
    );
    assert_refused(
        &[link.clone(), member(b"h", b'1', 0, b"l", b"")],
        "declined",
        "h",
    );
    assert_refused(
        &[link.clone(), member(b"h", b'1', 0, b"l/passwd", b"")],
        "declined",
        "h",
    );
    assert_refused(
        &[member(b"h", b'1', 0, b"/etc/passwd", b"")],
        "declined",
        "h",
    );
    assert_refused(&[member(b"h", b'1', 0, b"../x", b"")], "declined", "h");
    assert_refused(
        &[member(b"h", b'1', 0, b"later", b""), file("later", b"")],
        "declined",
        "h",
    );
    assert_refused(
        &[file("f", b""), member(b"f/x", b'5', 0o755, b"", b"")],
        "declined",
        "f/x",
    );
    for device in [b'3', b'4', b'6'] {
        assert_refused(
            &[member(b"dev", device, 0o644, b"", b"")],
            "declined",
            "dev",
        );
    }
}

#[test]
fn doubtful_members_are_declined() {
    assert_refused(&[file("a", b"1"), file("a", b"2")], "declined", "a");
    assert_refused(&[member(b"s", b'S', 0o644, b"", b"")], "declined", "s");
    assert_refused(&[member(b"v", b'V', 0o644, b"", b"")], "declined", "v");
    assert_refused(
        &[member(b"a\\b", b'0', 0o644, b"", b"")],
        "declined",
        "a\\b",
    );
    assert_refused(
        &[member(b"\xff", b'0', 0o644, b"", b"")],
        "declined",
        "\u{fffd}",
    );
    assert_refused(
        &[member(b"locked", b'0', 0o044, b"", b"")],
        "declined",
        "locked",
    );
    assert_refused(
        &[member(b"only", b'2', 0o777, b"x", b"")],
        "declined",
        "only",
    );
    assert_refused(
        &[pax(&[("GNU.sparse.major", "1")]), file("a", b"")],
        "declined",
        "pax",
    );
    assert_refused(&[member(b"old/", 0, 0o755, b"", b"")], "declined", "old/");
    let mut base256 = file("big", b"");
    base256[124] = 0x80;
    seal(&mut base256);
    assert_refused(&[base256], "declined", "big");
    for magic in [
        &b"\xfd7zXZ\0"[..],
        b"\x28\xb5\x2f\xfd",
        b"PK\x03\x04",
        b"7z\xbc\xaf\x27\x1c",
    ] {
        assert_eq!(class(&read_tar(magic).unwrap_err()), ("declined", None));
    }
}

#[test]
fn damage_is_corrupt() {
    let mut bytes = sample();
    bytes[600] ^= 1;
    assert_eq!(class(&read_tar(&bytes).unwrap_err()).0, "corrupt");
    let bytes = sample();
    assert_eq!(
        class(&read_tar(&bytes[..512 * 3 - 100]).unwrap_err()).0,
        "corrupt"
    );
    assert_eq!(
        class(&read_tar(&bytes[..512 * 3]).unwrap_err()),
        ("declined", None)
    );
    for packed in [gzip(&bytes), bzip2(&bytes)] {
        assert_eq!(
            class(&read_tar(&packed[..packed.len() - 4]).unwrap_err()).0,
            "corrupt"
        );
        let mut flipped = packed.clone();
        flipped[packed.len() / 2] ^= 0x10;
        assert_eq!(class(&read_tar(&flipped).unwrap_err()).0, "corrupt");
    }
    // The checksum of gzip stands behind all data.
    let mut packed = gzip(&bytes);
    let at = packed.len() - 8;
    packed[at] ^= 1;
    assert_eq!(class(&read_tar(&packed).unwrap_err()).0, "corrupt");
    assert_eq!(class(&read_tar(b"<html>").unwrap_err()).0, "corrupt");
}

#[test]
fn bombs_are_hostile() {
    let limits = Limits {
        ratio_from: 1 << 20,
        max_ratio: 100,
        ..Limits::default()
    };
    let bomb = gzip(&tar(&[file("zeros", &vec![0; 8 << 20])]));
    let error = OnDisk::new(&bomb, ArchiveKind::Tar)
        .read(&limits)
        .unwrap_err();
    assert_eq!(class(&error), ("hostile", Some("zeros")));
    let limits = Limits {
        max_total: 1 << 20,
        ..Limits::default()
    };
    let bomb = tar(&[raw_member(
        b"huge",
        b'0',
        0o644,
        b"",
        1 << 30,
        b"",
        b"ustar\x0000",
    )]);
    let error = OnDisk::new(&bomb, ArchiveKind::Tar)
        .read(&limits)
        .unwrap_err();
    assert_eq!(class(&error), ("hostile", Some("huge")));
    let mut links = vec![file("f", &vec![1; 100_000])];
    links.extend((0..20).map(|i| member(format!("l{i}").as_bytes(), b'1', 0, b"f", b"")));
    let error = OnDisk::new(&tar(&links), ArchiveKind::Tar)
        .read(&limits)
        .unwrap_err();
    assert_eq!(class(&error).0, "hostile");
    let limits = Limits {
        max_entries: 5,
        ..Limits::default()
    };
    let error = OnDisk::new(&tar(&links), ArchiveKind::Tar)
        .read(&limits)
        .unwrap_err();
    assert_eq!(class(&error), ("hostile", Some("l4")));
}

#[test]
fn large_files_come_in_pieces_and_can_be_skipped() {
    let body: Vec<u8> = (0..2_000_000_u32).map(|i| (i / 5 % 251) as u8).collect();
    let bytes = gzip(&tar(&[
        file("a", &body),
        file("b", &body),
        member(b"c", b'1', 0, b"a", b""),
    ]));
    let disk = OnDisk::new(&bytes, ArchiveKind::Tar);
    let limits = Limits {
        stream_above: 1 << 20,
        ..Limits::default()
    };
    let mut sink = Collect {
        skip: Some(1),
        ..Collect::default()
    };
    disk.open(&limits).unwrap().extract(&mut sink).unwrap();
    assert_eq!(sink.files.iter().map(|f| f.0).collect::<Vec<_>>(), [0, 2]);
    assert!(sink.files.iter().all(|f| f.1 == body));
    assert!(sink.pieces > 10);
    let mut sink = Collect {
        skip: Some(0),
        ..Collect::default()
    };
    disk.open(&limits).unwrap().extract(&mut sink).unwrap();
    assert!(
        sink.files.iter().all(|f| f.1 == body),
        "the source of a link was skipped"
    );
}
