#![allow(clippy::unwrap_used)]

use super::super::super::testing::{LINK, OnDisk, Zip, ZipItem, class, deflate};
use super::super::super::{ArchiveKind, Limits};

fn item(name: &str) -> ZipItem {
    ZipItem::new(name, "content")
}

fn link() -> ZipItem {
    ZipItem::link("p/l", "/outside")
}

#[track_caller]
fn judged(zip: &Zip, expected: &str) {
    let error = OnDisk::new(&zip.bytes(), ArchiveKind::Zip)
        .open(&Limits::default())
        .unwrap_err();
    assert_eq!(class(&error).0, expected, "{error}");
}

/// unzip warns about these archives or fails on them. Each has another entry besides the link.
#[test]
fn a_link_that_leads_out_is_refused_where_unzip_fails() {
    for other in [
        item("p/l"),
        item("p//l"),
        item("./p/l"),
        item("p/l/below"),
        item("p/l/"),
        item("/p/x"),
        item("/p/l"),
        item("p/l;1"),
        item("p/\u{1}l"),
        item("p/l\0x"),
        item("../p/l"),
        item("p\\l").attr(0, 0),
        item("p/x").with(|i| i.local_name = Some(b"p/y".to_vec())),
        item("p/x").with(|i| i.method = 12),
        item("p/x").with(|i| i.flags = 1),
        // These have a reason to decline without a warning, and damage that unzip will find.
        item("p/a\\b").with(|i| i.crc = Some(1)),
        item("p/a\\b").with(|i| i.raw = Some(vec![0xff; 9])),
        item(&format!("p/{}", "x".repeat(256))),
        // unzip may recode these names.
        item("p/l\u{e9}").attr(0, 0),
        ZipItem::new(b"p/l\xff", ""),
        // The extra field gives a second name, that of the link.
        item("p/x").with(|i| {
            i.extra = b"\x75\x70\x08\0\x01".to_vec();
            i.extra.extend(libdeflater::crc32(b"p/x").to_le_bytes());
            i.extra.extend(b"p/l");
        }),
    ] {
        let what = format!("{other:?}");
        let zip = Zip::of([item("p/ok"), link(), other.clone()]);
        let error = OnDisk::new(&zip.bytes(), ArchiveKind::Zip)
            .open(&Limits::default())
            .unwrap_err();
        assert_eq!(class(&error), ("hostile", Some("p/l")), "{what}: {error}");
        // A link that stays inside does no harm.
        let zip = Zip::of([item("p/ok"), ZipItem::link("p/l", "ok"), other]);
        let error = OnDisk::new(&zip.bytes(), ArchiveKind::Zip)
            .open(&Limits::default())
            .unwrap_err();
        assert_ne!(class(&error).0, "hostile", "{what}: {error}");
    }
}

#[test]
fn a_link_that_leads_out_is_composers_where_unzip_succeeds() {
    for other in [
        item("p/a\\b"),
        item("p/q/../l"),
        item("../x"),
        item("../../p/x"),
        item("p/.."),
        item("p/a\0b"),
        item("p/a\u{1}b"),
        item("p/a;1"),
        item("p/L;1"),
        item("p/locked").attr(3, 0o044 << 16),
        item("p/fifo").attr(3, 0o010_644 << 16),
        item("p/host").attr(7, 0o100_644 << 16),
        item("p/\u{e9}").attr(0, 0),
        ZipItem::link("p/empty", ""),
        ZipItem::link("p/nul", "a\0b"),
    ] {
        judged(&Zip::of([item("p/ok"), link(), other]), "declined");
    }
}

/// unzip creates no link for these, so ZipArchive finds none.
#[test]
fn what_unzip_makes_no_link_of_does_no_harm() {
    let onto = || item("p/l");
    judged(&Zip::of([onto(), link()]), "declined");
    judged(&Zip::of([item("p/l/x"), link()]), "declined");
    for host in [0, 7, 10, 11, 19] {
        judged(&Zip::of([link().attr(host, LINK), onto()]), "declined");
    }
    for host in [2, 5, 16, 30] {
        judged(&Zip::of([link().attr(host, LINK), onto()]), "hostile");
    }
}

#[test]
fn without_unzip_there_are_no_links() {
    let limits = Limits {
        by_unzip: false,
        ..Limits::default()
    };
    let zip = Zip::of([link(), item("p/l")]);
    let error = OnDisk::new(&zip.bytes(), ArchiveKind::Zip)
        .open(&limits)
        .unwrap_err();
    assert_eq!(class(&error), ("declined", Some("p/l")));
}

#[test]
fn links_by_way_of_links_are_followed() {
    let chain = || [ZipItem::link("p/a", "b"), ZipItem::link("p/b", "/outside")];
    judged(
        &Zip::of([&chain()[..], &[item("/p/x")]].concat()),
        "hostile",
    );
    let up = [
        ZipItem::link("p/q/up", "../.."),
        ZipItem::link("p/q/l", "up/../x"),
    ];
    judged(&Zip::of([&up[..], &[item("/p/x")]].concat()), "hostile");
    let inside = [
        ZipItem::link("p/q/up", "../.."),
        ZipItem::link("p/q/l", "up/x"),
    ];
    judged(
        &Zip::of([&inside[..], &[item("/p/x")]].concat()),
        "declined",
    );
}

/// unzip takes sizes and method from the local header, libzip from the directory.
#[test]
fn both_texts_of_a_link_count() {
    let text = "ok/../../../outside";
    let short = || ZipItem::link("p/l", text).with(|i| i.size = Some(2));
    let zip = Zip::of([short().with(|i| i.local_size = Some(19))]);
    judged(&zip, "hostile");
    judged(&Zip::of([short()]), "corrupt");
    let deflated = ZipItem::link("p/l", "/outside").with(|i| i.method = 8);
    judged(&Zip::of([deflated, item("/p/x")]), "hostile");
}

/// If the directory is broken, its readable part counts.
#[test]
fn links_are_found_in_broken_directories() {
    let zip = |change: fn(&mut Zip)| {
        let mut zip = Zip::of([item("p/ok"), link()]);
        change(&mut zip);
        zip
    };
    judged(&zip(|z| z.prefix = b"#!/bin/sh\n".to_vec()), "hostile");
    judged(&zip(|z| z.suffix = b"\n".to_vec()), "hostile");
    judged(&zip(|z| z.count = Some(1)), "hostile");
    judged(&zip(|z| z.disk = 1), "hostile");
    // The archive is cut off, so unzip finds nothing at all.
    let whole = zip(|_| {}).bytes();
    for cut in [1, 22, 50, 100] {
        let error = OnDisk::new(&whole[..whole.len() - cut], ArchiveKind::Zip)
            .open(&Limits::default())
            .unwrap_err();
        assert_eq!(class(&error).0, "corrupt", "{cut}");
    }
}

#[test]
fn damage_that_would_lead_out_is_told_from_malice() {
    let cut = ZipItem::link("p/l", "/outside").with(|i| {
        i.method = 8;
        i.raw = Some(deflate(b"/outside")[..9].to_vec());
    });
    let error = OnDisk::new(&Zip::of([cut]).bytes(), ArchiveKind::Zip)
        .open(&Limits::default())
        .unwrap_err();
    let super::ArchiveError::Hostile { is_damaged, .. } = error else {
        panic!("{error}");
    };
    assert!(is_damaged);
}

/// An earlier reason to decline must not hide a bomb.
#[test]
fn bombs_are_not_left_to_composer() {
    let limits = Limits {
        max_total: 20,
        ..Limits::default()
    };
    let zip = Zip::of([item("/a"), item("b"), item("c"), item("d")]);
    let error = OnDisk::new(&zip.bytes(), ArchiveKind::Zip)
        .open(&limits)
        .unwrap_err();
    assert_eq!(class(&error).0, "hostile");
    let limits = Limits {
        max_entries: 2,
        ..Limits::default()
    };
    let zip = Zip::of([item("/a"), item("b")]);
    let error = OnDisk::new(&zip.bytes(), ArchiveKind::Zip)
        .open(&limits)
        .unwrap_err();
    assert_eq!(class(&error).0, "declined");
}
