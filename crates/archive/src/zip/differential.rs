//! Compares the reader with the real unzip: both extract random zips under several umasks.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::cast_possible_truncation
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use super::super::testing::{OnDisk, Zip, ZipItem, class};
use super::super::{ArchiveKind, Entry, EntryKind, FileTime, Limits, Unpacking, Zone};
use allegro_base::testing::seeded;

/// A tree by path: kind, mode, content or target, and time. `None` stands for the time of the
/// extraction.
type Tree = BTreeMap<String, (char, u32, Vec<u8>, Option<i64>)>;

const UMASKS: [u32; 3] = [0o022, 0o002, 0o077];
const ROUNDS: usize = 40;

fn unzip_is_there() -> bool {
    let there = Command::new("unzip")
        .arg("-v")
        .output()
        .is_ok_and(|o| o.status.success());
    if !there {
        eprintln!("skipped: unzip is not installed, so there is nothing to compare with");
    }
    there
}

/// Returns the tree that unzip extracts, or its exit status.
fn unzip(
    archive: &Path,
    into: &Path,
    umask: u32,
    locale: &str,
    zone: &str,
) -> Result<Tree, Option<i32>> {
    let began = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    let status = Command::new("sh")
        .args([
            "-c",
            r#"umask "$1"; exec unzip -qq "$2" -d "$3" </dev/null >/dev/null 2>&1"#,
            "sh",
        ])
        .arg(format!("{umask:03o}"))
        .args([archive, into])
        .env("LC_ALL", locale)
        .env("TZ", zone)
        .status()
        .unwrap();
    let mut tree = Tree::new();
    if into.exists() {
        walk(into, into, began, &mut tree);
    }
    if status.success() {
        Ok(tree)
    } else {
        Err(status.code())
    }
}

fn walk(root: &Path, dir: &Path, began: std::time::SystemTime, tree: &mut Tree) {
    for item in fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        let name = path
            .strip_prefix(root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let meta = path.symlink_metadata().unwrap();
        let mode = meta.permissions().mode() & 0o7777;
        let time = (meta.modified().unwrap() < began).then(|| meta.mtime());
        if meta.is_symlink() {
            let target = fs::read_link(&path).unwrap();
            tree.insert(name, ('l', 0, target.as_os_str().as_bytes().to_vec(), time));
        } else if meta.is_dir() {
            walk(root, &path, began, tree);
            tree.insert(name, ('d', mode, Vec::new(), time));
        } else {
            tree.insert(name, ('f', mode, fs::read(&path).unwrap(), time));
        }
    }
}

/// Returns the tree of our entries under a umask and in a zone. Returns `None` if their times are
/// left to Composer.
fn ours(entries: &[(Entry, Vec<u8>)], umask: u32, zone: &str) -> Option<Tree> {
    let mut tree = Tree::new();
    let zone = Zone::of(Some(zone), std::path::Path::new("/usr/share/zoneinfo"));
    let unpacking = Unpacking {
        umask,
        zone: &zone,
        by_zip_archive: false,
        after_unzip: false,
        utf8_locale: false,
    };
    for (entry, content) in entries {
        let (kind, mode, content, time) = match &entry.kind {
            EntryKind::File => (
                'f',
                unpacking.file_mode(entry.mode),
                content.clone(),
                unpacking.file_time(entry.time),
            ),
            EntryKind::Dir => (
                'd',
                entry.mode.under(umask, 0o777),
                Vec::new(),
                unpacking.dir_time(entry.time),
            ),
            EntryKind::Symlink { target } => {
                ('l', 0, target.clone(), unpacking.dir_time(entry.time))
            }
        };
        let time = match time.ok()? {
            FileTime::Now => None,
            FileTime::At(seconds) => Some(seconds),
        };
        assert!(
            tree.insert(entry.path.clone(), (kind, mode, content, time))
                .is_none()
        );
    }
    Some(tree)
}

/// Zones with summer time, without, and with changed standard times.
const ZONES: [&str; 3] = ["Europe/Berlin", "UTC", "Asia/Kathmandu"];

fn limits(locale: &str) -> Limits {
    Limits {
        stream_above: 40_000,
        utf8_locale: locale == "C.UTF-8",
        ..Limits::default()
    }
}

/// Compares one archive and returns the reader's verdict on it.
#[track_caller]
fn compare(zip: &Zip, locale: &str) -> &'static str {
    let disk = OnDisk::new(&zip.bytes(), ArchiveKind::Zip);
    let read = match disk.read(&limits(locale)) {
        Ok(read) => read,
        Err(e) => return class(&e).0,
    };
    for (umask, zone) in UMASKS.into_iter().zip(ZONES) {
        let into = disk.dir.path().join(format!("out{umask:o}"));
        let theirs = unzip(&disk.path, &into, umask, locale, zone);
        let Some(ours) = ours(&read, umask, zone) else {
            continue;
        };
        let circumstances = format!("umask {umask:03o}, {locale}, {zone}");
        let theirs = theirs.unwrap_or_else(|code| panic!("{code:?}, {circumstances}, {zip:?}"));
        for name in ours.keys().chain(theirs.keys()) {
            let (our, their) = (ours.get(name), theirs.get(name));
            if our != their {
                let shown = |node: Option<&(char, u32, Vec<u8>, Option<i64>)>| {
                    node.map(|node| (node.0, node.1, node.2.len(), node.3))
                };
                let item = zip
                    .items
                    .iter()
                    .find(|item| item.name.starts_with(name.as_bytes()));
                let item = item.map(|item| (item.dos, &item.local_extra, item.host));
                panic!(
                    "{name}: ours {:?}, theirs {:?}, {circumstances}, {item:?}",
                    shown(our),
                    shown(their)
                );
            }
        }
    }
    "equal"
}

fn random_item(rng: &mut fastrand::Rng) -> ZipItem {
    let parts = [
        "a", "b", "src", "Übung", "x y", "...", "日本", "-q", "a#b", "[z]", "😀", "q;r",
    ];
    let mut name = String::new();
    for _ in 0..rng.usize(1..4) {
        if !name.is_empty() {
            name.push_str(if rng.u8(..40) == 0 { "//" } else { "/" });
        }
        name.push_str(parts[rng.usize(..parts.len())]);
        if rng.bool() {
            name.push_str(&rng.u16(..300).to_string());
        }
    }
    let is_dir = rng.u8(..6) == 0;
    if is_dir {
        name.push('/');
    }
    if rng.u8(..40) == 0 {
        name.insert_str(0, "./");
    }
    let size = if is_dir {
        0
    } else {
        [0, 10, 1000, 1000, 60_000][rng.usize(..5)]
    };
    let span = [1, 30, 256][rng.usize(..3)];
    let content: Vec<u8> = (0..size).map(|_| rng.u16(..span) as u8).collect();
    let mut item = ZipItem::new(name, content);
    let modes = [
        0o644, 0o755, 0o600, 0o664, 0o666, 0o777, 0o2755, 0o4711, 0o444, 0o700,
    ];
    let mode = modes[rng.usize(..modes.len())];
    let kind = [0o100_000, 0o040_000, 0][rng.usize(..3)];
    let high = if rng.u8(..3) == 0 {
        0
    } else {
        (mode | kind) << 16
    };
    let dos = [0, 0x20, 0x10, 0x01][rng.usize(..4)];
    let host = [0, 0, 0, 10, 11, 14, 19][rng.usize(..7)];
    item = match rng.u8(..8) {
        0 if !is_dir => {
            let targets = ["../x", "/etc/passwd", "nowhere", "a", "q\u{e9}"];
            ZipItem::link(
                std::str::from_utf8(&item.name.clone()).unwrap(),
                targets[rng.usize(..targets.len())],
            )
        }
        0..=4 => item.attr(3, (mode | if is_dir { 0o040_000 } else { 0o100_000 }) << 16),
        _ => item.attr(host, high | dos),
    };
    if rng.bool() {
        item.method = 0;
    }
    if rng.u8(..2) == 0 {
        item.flags = 1 << 11;
    }
    // The date lies in the past, because newer times count as set by the extraction.
    let date = [
        rng.u32(..45) << 25,
        rng.u32(1..13) << 21,
        rng.u32(1..29) << 16,
    ];
    let clock = [rng.u32(..24) << 11, rng.u32(..60) << 5, rng.u32(..30)];
    item.dos = date.into_iter().chain(clock).sum();
    if rng.u8(..2) == 0 {
        item.local_extra = time_field(rng);
        item.extra.clone_from(&item.local_extra);
    }
    item.descriptor = rng.u8(..4) == 0;
    item.zip64 = rng.u8(..6) == 0 && !item.descriptor;
    item
}

/// Returns an extra field with times, as archivers write it or malformed.
fn time_field(rng: &mut fastrand::Rng) -> Vec<u8> {
    let seconds = [0, 1_600_000_000, 0x8000_0005, 0xffff_ff9c][rng.usize(..4)];
    let seconds = if rng.bool() {
        rng.u32(1..1_700_000_000)
    } else {
        seconds
    };
    let flags = [1, 1, 1, 3, 0, 2][rng.usize(..6)];
    let mut field = Vec::new();
    let mut block = |id: &[u8; 2], body: &[u8]| {
        field.extend(id);
        field.extend((body.len() as u16).to_le_bytes());
        field.extend(body);
    };
    if rng.u8(..6) == 0 {
        let body = [1_u32.to_le_bytes(), seconds.to_le_bytes()].concat();
        block(if rng.bool() { b"UX" } else { b"\x0d\0" }, &body);
    }
    if rng.u8(..6) == 0 {
        block(b"\x0a\0", &[0; 32]);
    }
    if rng.u8(..6) != 0 {
        let mut body = vec![flags];
        if rng.u8(..8) != 0 {
            body.extend(seconds.to_le_bytes());
        }
        block(b"UT", &body);
    }
    field
}

/// The archives hold accepted entries only, so that most rounds really compare.
#[test]
fn random_zips_come_out_as_with_unzip() {
    if !unzip_is_there() {
        return;
    }
    let mut rng = seeded("random_zips_come_out_as_with_unzip");
    let mut compared = 0;
    for _ in 0..ROUNDS {
        let locale = if rng.bool() { "C.UTF-8" } else { "C" };
        let mut zip = Zip::of([]);
        zip.zip64_end = rng.u8(..4) == 0;
        if rng.u8(..4) == 0 {
            zip.comment = b"comment".to_vec();
        }
        // The probe has no content, because only the directory is judged here.
        let mut probe = Zip::of([]);
        for _ in 0..rng.usize(1..40) {
            let item = random_item(&mut rng);
            probe
                .items
                .push(item.clone().with(|i| i.content.truncate(20)));
            let disk = OnDisk::new(&probe.bytes(), ArchiveKind::Zip);
            if disk
                .open(&limits(locale))
                .is_err_and(|e| e.entry().is_some())
            {
                probe.items.pop();
            } else {
                zip.items.push(item);
            }
        }
        // unzip warns about an empty archive, and Composer then gets the same from ZipArchive.
        if !zip.items.is_empty() && compare(&zip, locale) == "equal" {
            compared += 1;
        }
    }
    assert!(
        compared > ROUNDS / 2,
        "only {compared} archives were compared"
    );
}

/// The entries have every combination of system, attributes and type.
#[test]
fn all_attributes_come_out_as_with_unzip() {
    if !unzip_is_there() {
        return;
    }
    let mut items = Vec::new();
    for host in [0, 3, 10, 11, 14, 19] {
        for high in [
            0, 0o644, 0o100_644, 0o100_755, 0o104_755, 0o040_755, 0o041_777, 0o100_666,
        ] {
            for dos in [0, 0x01, 0x02, 0x04, 0x08, 0x10, 0x11, 0x20] {
                for slash in ["", "/"] {
                    let name = format!("{host}-{high:o}-{dos:x}{slash}");
                    let content = if slash.is_empty() { "x" } else { "" };
                    items.push(ZipItem::new(name, content).attr(host, high << 16 | dos));
                }
            }
        }
    }
    let all = items.len();
    items.retain(|item| {
        let zip = Zip::of([item.clone()]);
        OnDisk::new(&zip.bytes(), ArchiveKind::Zip)
            .open(&Limits::default())
            .is_ok()
    });
    // Modes that are neither exact nor the default are declined. About half of the entries remain.
    assert!(items.len() > all / 4, "{} of {all}", items.len());
    // A file and a directory can't share a name in one archive.
    let (dirs, files) = items
        .into_iter()
        .partition::<Vec<_>, _>(|i| i.name.ends_with(b"/"));
    assert_eq!(compare(&Zip::of(dirs), "C"), "equal");
    assert_eq!(compare(&Zip::of(files), "C"), "equal");
}

/// Every accepted spelling of a non-ASCII name comes out as with unzip.
#[test]
fn unicode_names_come_out_as_with_unzip() {
    if !unzip_is_there() {
        return;
    }
    let extra = b"UT\x05\x00\x01\x00\x00\x00\x60".to_vec();
    let mut taken = 0;
    for locale in ["C", "C.UTF-8"] {
        for bits in 0..16 {
            for name in ["é", "e\u{301}", "日本/語", "😀", "\u{a0}", "\u{fe0f}x"] {
                let item = ZipItem::new(name, "x").with(|i| {
                    i.attributes = if bits & 1 == 0 { i.attributes } else { 0 };
                    i.host = if bits & 1 == 0 { 3 } else { 0 };
                    i.flags = if bits & 2 == 0 { 0 } else { 1 << 11 };
                    i.extra = if bits & 4 == 0 {
                        Vec::new()
                    } else {
                        extra.clone()
                    };
                    i.local_extra = if bits & 8 == 0 {
                        Vec::new()
                    } else {
                        extra.clone()
                    };
                });
                taken += usize::from(compare(&Zip::of([item]), locale) == "equal");
            }
        }
    }
    assert!(taken > 20, "{taken}");
}

/// unzip refuses these archives as well, so Composer would not install them with it either.
#[test]
fn what_we_call_corrupt_unzip_refuses() {
    if !unzip_is_there() {
        return;
    }
    let lies: [fn(&mut ZipItem); 5] = [
        |i| i.crc = Some(1),
        |i| i.packed = Some(3),
        |i| i.raw = Some(vec![0xff; 9]),
        |i| i.offset = Some(3),
        |i| (i.method, i.size) = (0, Some(3)),
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let zip = Zip::of([ZipItem::new("x", "content content").with(lie)]);
        let disk = OnDisk::new(&zip.bytes(), ArchiveKind::Zip);
        let error = disk.read(&Limits::default()).unwrap_err();
        assert_eq!(class(&error).0, "corrupt", "{number}: {error}");
        let theirs = unzip(&disk.path, &disk.dir.path().join("out"), 0o022, "C", "UTC");
        assert!(theirs.is_err(), "lie {number}: {theirs:?}");
    }
}
