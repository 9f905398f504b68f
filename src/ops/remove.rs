//! Removes trees that the plugin moved out of the way.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use rayon::prelude::*;

use super::attend::attend;
use crate::protocol::remove::{RemoveAnswer, RemoveRequest};
use allegro_base::fs::remove_all;
use allegro_base::progress;
use allegro_base::report::Host;
use allegro_base::threads::with_pool;

/// Removes all paths, side by side if threads are available. The function goes on to the end even
/// if the host wants to stop.
pub fn remove(request: &RemoveRequest, host: &mut dyn Host) -> RemoveAnswer {
    let each = |path: &PathBuf| {
        let failed = |error| format!("{} can't be removed: {error}", path.display());
        remove_for_good(path).err().map(failed)
    };
    // The pool is our own, because the global one would outlive the call.
    let in_pool = || {
        with_pool(4, |pool| {
            pool.install(|| request.paths.par_iter().filter_map(each).collect())
        })
    };
    let failures = attend(host, &AtomicBool::new(false), |_| in_pool()).and_then(|removed| removed);
    RemoveAnswer {
        failures: failures.unwrap_or_else(|_| request.paths.iter().filter_map(each).collect()),
    }
}

/// The number of attempts to remove a tree that others still write into. [`REST`] lies between
/// them.
const TRIES: u32 = 200;
const REST: Duration = Duration::from_millis(5);

/// Removes a tree, even while it is being written. After Ctrl-C in a process that has the
/// extension, its handler removes directories that threads of the interrupted call write to. The
/// tree gets another name then, so that they start nothing more.
fn remove_for_good(path: &Path) -> io::Result<()> {
    let is_written = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotFound
        )
    };
    if std::fs::symlink_metadata(path).is_ok_and(|facts| facts.is_dir()) {
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            // An entry that can't be removed fails once more below.
            let _ = remove_all(&entry.path());
            progress::step();
        }
    }
    match remove_all(path) {
        Err(error) if is_written(&error) => {}
        result => return result,
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push("-gone");
    let moved = path.with_file_name(name);
    let path = if std::fs::rename(path, &moved).is_ok() {
        &moved
    } else {
        path
    };
    for _ in 1..TRIES {
        match remove_all(path) {
            Err(error) if is_written(&error) => thread::sleep(REST),
            result => return result,
        }
    }
    remove_all(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use allegro_base::report::Silent;

    #[test]
    fn what_is_still_being_written_goes_too() {
        for _ in 0..20 {
            let dir = tempfile::tempdir().expect("temporary directory");
            let tree = dir.path().join("a");
            let inner = tree.join("b");
            std::fs::create_dir_all(&inner).expect("tree");
            let answer = thread::scope(|scope| {
                scope.spawn(|| {
                    for number in 0..20_000 {
                        if std::fs::write(inner.join(number.to_string()), "").is_err() {
                            break;
                        }
                    }
                });
                thread::sleep(Duration::from_millis(2));
                let paths = vec![tree.clone()];
                remove(&RemoveRequest { paths }, &mut Silent)
            });
            assert_eq!(answer.failures, Vec::<String>::new());
            assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 0);
        }
    }

    #[test]
    fn what_is_there_goes_and_what_is_not_is_fine() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let tree = dir.path().join("a/b");
        std::fs::create_dir_all(&tree).expect("tree");
        let paths = vec![dir.path().join("a"), dir.path().join("none")];
        let answer = remove(&RemoveRequest { paths }, &mut Silent);
        assert_eq!(answer.failures, Vec::<String>::new());
        assert!(!dir.path().join("a").exists());
    }
}
