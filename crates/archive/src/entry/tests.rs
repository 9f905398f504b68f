#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::cast_possible_truncation
)]

use super::super::Limits;
use super::super::testing::class;
use super::{Entry, EntryKind, EntryList, Mode, Time, find_top, safe_path, usable_mode};

fn entry(path: &str, kind: EntryKind) -> Entry {
    Entry {
        path: path.to_owned(),
        kind,
        size: 0,
        mode: Mode::Default,
        time: Time::Now,
    }
}

fn entries(spec: &[&str]) -> Vec<Entry> {
    let mut list = EntryList::new(&Limits::default());
    for name in spec {
        let new = match name.strip_suffix('/') {
            Some(dir) => entry(dir, EntryKind::Dir),
            None => match name.strip_suffix('@') {
                Some(link) => entry(
                    link,
                    EntryKind::Symlink {
                        target: b"x".to_vec(),
                    },
                ),
                None => entry(name, EntryKind::File),
            },
        };
        list.add(new).unwrap();
    }
    list.finish()
}

fn top(spec: &[&str]) -> Option<String> {
    let list = entries(spec);
    find_top(&list)
        .unwrap()
        .map(|index| list[index].path.clone())
}

#[test]
fn strip_rule_is_composers() {
    assert_eq!(top(&["p/a", "p/b"]).as_deref(), Some("p"));
    assert_eq!(top(&["src/"]).as_deref(), Some("src"));
    assert_eq!(top(&["p/a", ".DS_Store"]).as_deref(), Some("p"));
    assert_eq!(top(&["p/a", ".DS_Store/x"]).as_deref(), Some("p"));
    assert_eq!(top(&["p/a", "q/a", "__MACOSX/x"]), None);
    assert_eq!(top(&["a", "Thumbs.db"]), None);
    assert_eq!(top(&["._a"]), None);
    assert_eq!(top(&["p/a", "q/a"]), None);
    assert_eq!(top(&["p/a", "b"]), None);
    assert_eq!(top(&["a"]), None);
    assert_eq!(top(&[]), None);
    assert_eq!(top(&[".DS_Store"]), None);
    assert_eq!(top(&["p@", "q"]), None);
    for spec in [
        &["p/a", "__MACOSX/x"],
        &["p/a", "THUMBS.DB"],
        &["__MACOSX/x", ".DS_Store"],
    ] {
        let error = find_top(&entries(spec)).unwrap_err();
        assert_eq!(class(&error).0, "declined", "{spec:?}");
    }
    let lone = entries(&["p@", ".DS_Store"]);
    assert_eq!(
        class(&find_top(&lone).unwrap_err()),
        ("declined", Some("p"))
    );
}

#[test]
fn parents_precede_children_once() {
    let list = entries(&["a/b/c", "a/b/d", "a/e/f/", "a/e/", "a/b/"]);
    let paths: Vec<_> = list.iter().map(|e| e.path.as_str()).collect();
    assert_eq!(paths, ["a", "a/b", "a/b/c", "a/b/d", "a/e", "a/e/f"]);
}

#[test]
fn safe_path_normalises_and_bounds() {
    let ok = |raw: &str, dir| safe_path(raw.as_bytes(), dir).unwrap();
    assert_eq!(ok("a/./b//c", false), "a/b/c");
    assert_eq!(ok("a/", true), "a");
    assert_eq!(ok("./", true), "");
    assert_eq!(ok("..a/b..", false), "..a/b..");
    let refused = |raw: &str, dir| class(&safe_path(raw.as_bytes(), dir).unwrap_err()).0;
    assert_eq!(refused("", false), "declined");
    assert_eq!(refused("a/", false), "declined");
    assert_eq!(refused("a/.", false), "declined");
    assert_eq!(refused("/", true), "declined");
    assert_eq!(refused("..", true), "declined");
    assert_eq!(refused("a\\..\\b", false), "declined");
    assert_eq!(refused(&"a/".repeat(200), true), "declined");
    assert_eq!(refused(&"abcdefghi/".repeat(110), true), "declined");
}

#[test]
fn deep_names_cannot_multiply_memory() {
    let limits = Limits {
        max_entries: 1000,
        ..Limits::default()
    };
    let mut list = EntryList::new(&limits);
    let error = (0..1000)
        .find_map(|i| {
            let path = format!("{i}{}", "/x".repeat(100));
            list.add(entry(&path, EntryKind::File)).err()
        })
        .unwrap();
    assert_eq!(class(&error).0, "hostile");
}

#[test]
fn modes_drop_special_bits_and_need_the_owner() {
    assert_eq!(usable_mode(0o7755, true).unwrap(), 0o755);
    assert_eq!(usable_mode(0o4444, false).unwrap(), 0o444);
    assert!(usable_mode(0o555, true).is_err());
    assert!(usable_mode(0o244, false).is_err());
}
