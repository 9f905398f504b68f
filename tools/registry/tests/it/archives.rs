//! The bytes of archives: the same every time, and of the form that GitHub gives them.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::{Cursor, Read};

use allegro_registry::{
    Catalog, FileSpec, Format, GenSpec, Json, Package, PackageSpec, Profile, Role, Stamp, Times,
};
use sha1::{Digest, Sha1};

fn sha1(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha1::digest(bytes) {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

fn all_bytes(catalog: &Catalog, format: Format) -> Vec<Vec<u8>> {
    let archive = |package| {
        catalog
            .archive(package, format)
            .unwrap()
            .bytes()
            .unwrap()
            .to_vec()
    };
    catalog.packages().iter().map(archive).collect()
}

#[test]
fn two_catalogs_give_the_same_bytes_in_every_format() {
    let (one, two) = (
        Catalog::generated(&Profile::Small.spec()),
        Catalog::generated(&Profile::Small.spec()),
    );
    // One in parallel, the other one by one: the order of making must not show.
    one.warm().unwrap();
    for format in Format::ALL {
        assert_eq!(all_bytes(&one, format), all_bytes(&two, format), "{format}");
    }
    assert_eq!(one.project(), two.project());
}

#[test]
fn bytes_are_the_same_as_ever() {
    // Measurements are compared across machines and months, so this changes only on purpose.
    let catalog = Catalog::generated(&Profile::Small.spec());
    let all: Vec<u8> = all_bytes(&catalog, Format::Zip).concat();
    assert_eq!(sha1(&all), "dce968d1823bf99a1061a7e7552f59ed8b079cce");
}

#[test]
fn another_seed_gives_other_packages() {
    let spec = Profile::Small.spec();
    let (one, two) = (
        Catalog::generated(&spec),
        Catalog::generated(&GenSpec { seed: 2, ..spec }),
    );
    assert_ne!(one.names(), two.names());
}

#[test]
fn a_profile_has_the_size_it_promises() {
    for profile in [Profile::Small, Profile::Koel] {
        let spec = profile.spec();
        let stats = Catalog::generated(&spec).stats().unwrap();
        assert_eq!(stats.packages, spec.packages);
        let near = |have: u64, wanted: u64| have.abs_diff(wanted) * 100 <= wanted * 8;
        assert!(near(stats.files as u64, spec.files as u64), "{stats:?}");
        assert!(near(stats.dirs as u64, spec.dirs as u64), "{stats:?}");
        assert!(near(stats.bytes, spec.bytes), "{stats:?}");
    }
}

#[test]
fn a_cache_directory_changes_nothing_and_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let spec = Profile::Small.spec();
    let plain = all_bytes(&Catalog::generated(&spec), Format::Zip);
    for _ in 0..2 {
        let cached = Catalog::generated(&spec).with_cache_dir(dir.path());
        assert_eq!(all_bytes(&cached, Format::Zip), plain);
    }
    let kept: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(kept.len(), spec.packages);
    // What is in the directory is what is served.
    let first = kept[0].as_ref().unwrap().path();
    std::fs::write(&first, b"replaced").unwrap();
    let again = all_bytes(
        &Catalog::generated(&spec).with_cache_dir(dir.path()),
        Format::Zip,
    );
    assert!(again.contains(&b"replaced".to_vec()));
}

/// A package with one of everything that an archive can hold.
fn everything() -> (Catalog, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    std::fs::create_dir_all(at("src/Ünï")).unwrap();
    std::fs::create_dir_all(at("empty")).unwrap();
    std::fs::write(at("src/Ünï/A.php"), "<?php\n".repeat(100)).unwrap();
    std::fs::write(at("tool"), "#!/bin/sh\n").unwrap();
    std::fs::write(at("zero"), "").unwrap();
    std::fs::write(at("dropped"), "x").unwrap();
    std::os::unix::fs::symlink("src/../tool", at("link")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(at("tool"), mode).unwrap();
    let mut catalog = Catalog::new();
    let entry =
        allegro_registry::parse_json(r#"{"name":"acme/all-things","version":"1.0.0"}"#, "test")
            .unwrap();
    let entry = catalog.add_tree(entry, dir.path(), &["dropped"]).unwrap();
    assert_eq!(entry.get("dist").unwrap().str_at("type"), Some("zip"));
    (catalog, dir)
}

#[test]
fn zips_look_like_those_of_github() {
    let (catalog, _dir) = everything();
    let package = &catalog.packages()[0];
    let bytes = catalog
        .archive(package, Format::Zip)
        .unwrap()
        .bytes()
        .unwrap();
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes.to_vec())).unwrap();
    assert_eq!(zip.comment(), package.spec.reference.as_bytes());
    let top = format!("acme-all-things-{}/", &package.spec.reference[..7]);
    let mut seen = HashSet::new();
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).unwrap();
        let name = entry.name().unwrap().strip_prefix(&top).unwrap().to_owned();
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        match name.as_str() {
            "tool" => assert_eq!(entry.unix_mode(), Some(0o100_755)),
            "link" => {
                assert!(entry.is_symlink());
                assert_eq!(content, "src/../tool");
            }
            "src/Ünï/A.php" => {
                assert_eq!(content.len(), 600);
                assert!(entry.compressed_size() < 60);
            }
            _ => {}
        }
        seen.insert(name);
    }
    let expected = [
        "",
        "composer.json",
        "empty/",
        "link",
        "src/",
        "src/Ünï/",
        "src/Ünï/A.php",
        "tool",
        "zero",
    ];
    assert_eq!(seen, expected.map(str::to_owned).into());
    // The reader above invents modes for FAT entries, so look at the bytes: version made by, external attributes.
    for (name, made_by, attributes) in [
        ("zero", 0, 0),
        ("src/", 0, 0x10),
        ("tool", 0x0317, 0o100_755 << 16),
        ("link", 0x0317, 0o120_777 << 16),
    ] {
        assert_eq!(
            central_entry(&bytes, &format!("{top}{name}")),
            (made_by, attributes),
            "{name}"
        );
    }
}

/// `version made by` and external attributes of an entry.
fn central_entry(zip: &[u8], name: &str) -> (u16, u32) {
    let at = (0..zip.len())
        .find(|at| {
            zip[*at..].starts_with(b"PK\x01\x02")
                && zip[at + 46..].starts_with(name.as_bytes())
                && usize::from(u16::from_le_bytes([zip[at + 28], zip[at + 29]])) == name.len()
        })
        .unwrap();
    let made_by = u16::from_le_bytes([zip[at + 4], zip[at + 5]]);
    (
        made_by,
        u32::from_le_bytes(zip[at + 38..at + 42].try_into().unwrap()),
    )
}

#[test]
fn tars_hold_the_same_things() {
    let (catalog, _dir) = everything();
    let package = &catalog.packages()[0];
    for format in [Format::Tar, Format::TarGz, Format::TarBz2] {
        let bytes = catalog
            .archive(package, format)
            .unwrap()
            .bytes()
            .unwrap()
            .to_vec();
        let reader: Box<dyn Read> = match format {
            Format::TarGz => Box::new(flate2::read::GzDecoder::new(Cursor::new(bytes))),
            Format::TarBz2 => Box::new(bzip2::read::BzDecoder::new(Cursor::new(bytes))),
            _ => Box::new(Cursor::new(bytes)),
        };
        let mut modes = Vec::new();
        for entry in tar::Archive::new(reader).entries().unwrap() {
            let entry = entry.unwrap();
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            let (_, path) = path.split_once('/').unwrap();
            modes.push((
                path.to_owned(),
                entry.header().entry_type(),
                entry.header().mode().unwrap(),
            ));
        }
        let has = |path: &str, kind, mode| modes.contains(&(path.to_owned(), kind, mode));
        assert!(
            has("tool", tar::EntryType::Regular, 0o755),
            "{format}: {modes:?}"
        );
        assert!(has("zero", tar::EntryType::Regular, 0o644));
        assert!(has("link", tar::EntryType::Symlink, 0o777));
        assert!(has("empty/", tar::EntryType::Directory, 0o755));
        assert_eq!(modes.len(), 9);
    }
}

/// The archive of a package with a file, a folder that is listed after its content, and these times.
fn with_times(times: Times) -> Vec<u8> {
    let mut catalog = Catalog::new();
    catalog.add(Package {
        spec: PackageSpec {
            name: "acme/timed".to_owned(),
            version: "1.0.0".to_owned(),
            reference: "a".repeat(40),
            top_folder: true,
            manifest: String::new(),
            plugins: Vec::new(),
            files: vec![
                FileSpec::new("src/a", 1, Role::Bytes(b"a".to_vec())),
                FileSpec::new("src", 0, Role::Dir),
            ],
            times: Some(times),
        },
        entry: Json::object(),
        format: Format::Zip,
    });
    let archive = catalog.archive(&catalog.packages()[0], Format::Zip);
    archive.unwrap().bytes().unwrap().to_vec()
}

#[test]
fn times_and_folder_entries_are_as_asked() {
    let names = |bytes: &[u8]| -> Vec<String> {
        let mut zip = zip::ZipArchive::new(Cursor::new(bytes.to_vec())).unwrap();
        (0..zip.len())
            .map(|at| {
                let entry = zip.by_index(at).unwrap();
                let name = entry.name().unwrap();
                name.split_once('/').unwrap().1.to_owned()
            })
            .collect()
    };
    let count = |bytes: &[u8], part: &[u8]| {
        bytes
            .windows(part.len())
            .filter(|window| *window == part)
            .count()
    };
    // 2024-01-01 00:00:00 UTC, and the same in DOS's words, two hours later in an archive of git.
    let seconds = 1_704_067_200_u32;
    let ut = [&b"UT\x05\0\x01"[..], &seconds.to_le_bytes()].concat();
    let dos = [0, 0, 0x21, 0x58];
    let later = [0, 0x10, 0x21, 0x58];

    let git = with_times(Times::git(seconds));
    assert_eq!(names(&git), ["", "src/", "src/a"]);
    assert_eq!((count(&git, &ut), count(&git, &later)), (6, 6));

    let bare = with_times(Times::dos(seconds).without_folders());
    assert_eq!(names(&bare), ["src/a", "src/"]);
    assert_eq!((count(&bare, b"UT"), count(&bare, &dos)), (0, 4));

    let own = with_times(Times::git(seconds).with("src", Stamp::dos(seconds)));
    assert_eq!((count(&own, &ut), count(&own, &dos)), (4, 2));
}
