//! Finds programs as Symfony's `ExecutableFinder` does.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{Access, access};

/// Returns whether the file may be executed by the user.
pub(super) fn is_executable(path: &Path) -> bool {
    access(path, Access::EXEC_OK).is_ok()
}

/// Returns the path of a program, or `None` if no directory of `PATH` has it
/// (`ExecutableFinder::find`, symfony/process 5.4).
pub(super) fn program(name: &[u8], path: Option<&OsStr>, root: &Path) -> Option<Vec<u8>> {
    let path = path?.as_bytes();
    for directory in path.split(|&byte| byte == b':') {
        let directory = if directory.is_empty() {
            b"."
        } else {
            directory
        };
        let file = [directory, b"/", name].concat();
        let place = root.join(OsStr::from_bytes(&file));
        if place.is_file() && is_executable(&place) {
            return Some(file);
        }
        let whole = Path::new(OsStr::from_bytes(directory));
        let place = root.join(whole);
        if !place.is_dir()
            && whole.file_name().map(OsStrExt::as_bytes) == Some(name)
            && is_executable(&place)
        {
            return Some(directory.to_vec());
        }
    }
    None
}
