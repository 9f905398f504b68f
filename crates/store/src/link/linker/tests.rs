use super::*;
use crate::Digest;
use std::os::unix::fs::PermissionsExt;

const CONTENT: &[u8] = b"content";

struct Bed {
    dir: tempfile::TempDir,
    store: Store,
}

impl Bed {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let mut store = Store::open(&dir.path().join("store")).expect("a store");
        store.set_keeps_contents(false);
        let bed = Self { dir, store };
        bed.store.ensure(&Self::file(), CONTENT).expect("a blob");
        fs::create_dir(bed.project()).expect("a project");
        bed
    }

    fn project(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    fn file() -> FileSpec {
        FileSpec {
            digest: Digest::of(CONTENT),
            size: CONTENT.len() as u64,
            mode: 0o644,
            time: FileTime::At(1_600_000_000),
        }
    }

    fn blob(&self) -> PathBuf {
        self.store.path(&self.store.linkable(&Self::file()))
    }

    fn linker(&self, strategy: Strategy) -> Linker<'_> {
        Linker::new(&self.store, &self.project(), strategy, false).expect("a linker")
    }

    fn put(
        &self,
        linker: &Linker<'_>,
        file: &FileSpec,
        name: &str,
        is_private: bool,
    ) -> Result<Method, LinkError> {
        let source = match linker.supply(file, is_private).expect("looked for") {
            Supply::Ready(source) => source,
            other => panic!("{other:?}"),
        };
        let project = self.project();
        let handle = crate::open_directory(&project).expect("a handle");
        let target = LinkTarget {
            dir: handle.as_fd(),
            name,
            path: &|| project.join(name),
        };
        linker.link(&source, file, &target)
    }

    fn facts(&self, name: &str) -> fs::Metadata {
        fs::metadata(self.project().join(name)).expect("the file")
    }
}

#[test]
fn hard_links_share_the_inode_and_private_files_do_not() {
    let bed = Bed::new();
    let linker = bed.linker(Strategy::Hardlink);
    let file = Bed::file();
    let method = bed.put(&linker, &file, "shared", false).expect("linked");
    assert_eq!(method, Method::Hardlink);
    let method = bed.put(&linker, &file, "private", true).expect("made");
    assert_ne!(method, Method::Hardlink);
    // A file with the time of the installation can't share an inode.
    let now = FileSpec {
        time: FileTime::Now,
        ..file
    };
    let method = bed.put(&linker, &now, "now", false).expect("made");
    assert_ne!(method, Method::Hardlink);
    let inode = fs::metadata(bed.blob()).expect("the blob").ino();
    assert_eq!(bed.facts("shared").ino(), inode);
    assert_eq!(bed.facts("private").mtime(), 1_600_000_000);
    assert!(bed.facts("now").mtime() > 1_600_000_000);
    for name in ["private", "now"] {
        assert_ne!(bed.facts(name).ino(), inode, "{name}");
        assert_eq!(bed.facts(name).mode() & 0o7777, 0o644, "{name}");
        assert_eq!(fs::read(bed.project().join(name)).expect("read"), CONTENT);
    }
    assert_eq!(linker.refusal(), None);
}

#[test]
fn an_existing_target_is_left_alone() {
    let bed = Bed::new();
    for strategy in [Strategy::Hardlink, Strategy::Copy] {
        fs::write(bed.project().join("target"), b"mine").expect("mine");
        bed.put(&bed.linker(strategy), &Bed::file(), "target", false)
            .expect_err("in the way");
        assert_eq!(
            fs::read(bed.project().join("target")).expect("read"),
            b"mine"
        );
    }
}

#[test]
fn a_blob_that_was_given_away_is_renewed() {
    let bed = Bed::new();
    let linker = bed.linker(Strategy::Hardlink);
    bed.put(&linker, &Bed::file(), "one", false)
        .expect("linked");
    for (user, group) in [(Some(1234), None), (None, Some(1234))] {
        if std::os::unix::fs::chown(bed.project().join("one"), user, group).is_err() {
            // Only root may give files away.
            return;
        }
        let name = format!("other-{user:?}");
        bed.put(&linker, &Bed::file(), &name, false)
            .expect("linked");
        let facts = bed.facts(&name);
        assert_eq!(
            (facts.uid(), facts.gid()),
            bed.store.new_owner(),
            "the other project's file is as a new one"
        );
        assert!(facts.nlink() > 1);
        fs::remove_file(bed.project().join("one")).expect("removed");
        bed.put(&linker, &Bed::file(), "one", false)
            .expect("linked");
    }
}

#[test]
fn another_users_content_is_read_before_it_is_believed() {
    let bed = Bed::new();
    let linker = bed.linker(Strategy::Hardlink);
    if std::os::unix::fs::chown(bed.blob(), Some(1234), None).is_err() {
        return;
    }
    // The new owner may put the time back.
    fs::write(bed.blob(), b"CONTENT").expect("edited");
    bed.store
        .reseal(&bed.store.linkable(&Bed::file()))
        .expect("time put back");
    assert!(matches!(
        linker.supply(&Bed::file(), false).expect("looked for"),
        Supply::Damaged
    ));
    assert!(!bed.blob().exists(), "it is out of the way");
}

#[test]
fn a_seal_that_was_lost_is_put_back_and_an_edit_is_damage() {
    let bed = Bed::new();
    let linker = bed.linker(Strategy::Hardlink);
    let lose = || {
        let file = File::open(bed.blob()).expect("opened");
        file.set_modified(std::time::SystemTime::now())
            .expect("touched");
    };
    lose();
    let method = bed
        .put(&linker, &Bed::file(), "one", false)
        .expect("linked");
    assert_eq!(method, Method::Hardlink);
    assert_eq!(bed.facts("one").mtime(), 1_600_000_000);
    // An inode with another name has the time of a project's file.
    lose();
    let touched = bed.facts("one").mtime();
    bed.put(&linker, &Bed::file(), "two", false)
        .expect("linked");
    assert_eq!(bed.facts("one").mtime(), touched);
    assert_eq!(bed.facts("two").mtime(), 1_600_000_000);

    fs::write(bed.project().join("two"), b"CONTENT").expect("edited");
    assert!(matches!(
        linker.supply(&Bed::file(), false).expect("looked for"),
        Supply::Damaged
    ));
}

#[test]
fn each_blob_is_read_where_that_is_asked_for() {
    let bed = Bed::new();
    fs::write(bed.blob(), b"CONTENT").expect("edited");
    bed.store
        .reseal(&bed.store.linkable(&Bed::file()))
        .expect("time put back");
    let linker = bed.linker(Strategy::Hardlink);
    assert!(matches!(
        linker.supply(&Bed::file(), false).expect("looked for"),
        Supply::Ready(_)
    ));
    let linker = Linker::new(&bed.store, &bed.project(), Strategy::Hardlink, true);
    assert!(matches!(
        linker
            .expect("a linker")
            .supply(&Bed::file(), false)
            .expect("looked for"),
        Supply::Damaged
    ));
}

#[test]
fn a_link_that_is_refused_concerns_its_file_only() {
    let bed = Bed::new();
    let linker = bed.linker(Strategy::Hardlink);
    bed.put(&linker, &Bed::file(), "one", false)
        .expect("linked");
    let flagged = std::process::Command::new("chattr")
        .arg("+i")
        .arg(bed.blob())
        .output()
        .is_ok_and(|output| output.status.success());
    if !flagged {
        // Needs root and a file system with flags.
        return;
    }
    let method = bed.put(&linker, &Bed::file(), "two", false);
    let _ = std::process::Command::new("chattr")
        .arg("-i")
        .arg(bed.blob())
        .output();
    assert_ne!(method.expect("copied"), Method::Hardlink);
    assert_eq!(bed.facts("two").mtime(), 1_600_000_000);
    assert_eq!(linker.refusal(), Some(Refusal::Refused));
}

#[test]
fn where_new_files_have_another_group_they_are_copied() {
    let bed = Bed::new();
    if std::os::unix::fs::chown(bed.project(), None, Some(1234)).is_err() {
        return;
    }
    fs::set_permissions(bed.project(), fs::Permissions::from_mode(0o2750)).expect("setgid");
    let linker = bed.linker(Strategy::Hardlink);
    let method = bed.put(&linker, &Bed::file(), "one", false).expect("made");
    assert_ne!(method, Method::Hardlink);
    assert_eq!(bed.facts("one").gid(), 1234);
    assert_eq!(linker.refusal(), Some(Refusal::Group));
}
