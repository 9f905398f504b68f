//! Makes the commands of the sides that are no installers but measures of the machine.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bed::Bed;
use crate::command::Seat;
use crate::error::{Result, at};
use crate::side::Side;

/// The files that a yardstick needs, which are made before it is measured.
struct Prepared {
    /// List or plan of what the yardstick makes.
    plan: PathBuf,
    /// Copy of the vendor tree that the floor links.
    twin: PathBuf,
}

impl Prepared {
    fn of(seat: &Seat) -> Self {
        Self {
            plan: seat.project.with_extension("plan"),
            twin: seat.project.with_extension("twin"),
        }
    }
}

/// Makes what a yardstick needs from a vendor tree that an installer wrote. Does nothing the second
/// time.
pub fn prepare(bed: &Bed<'_>, seat: &Seat, model: &Path) -> Result<()> {
    let own = Prepared::of(seat);
    if own.plan.exists() {
        return Ok(());
    }
    match seat.side {
        Side::Floor => prepare_floor(model, &own),
        Side::Unzip => {
            let mut archives = Vec::new();
            find_archives(&bed.seat(Side::Composer).cache.join("files"), &mut archives)?;
            archives.sort();
            fs::write(&own.plan, unzip_list(&archives, &seat.vendor())).map_err(at(&own.plan))
        }
        _ => Ok(()),
    }
}

/// Returns the command of a yardstick.
pub fn command(seat: &Seat, model: &Path) -> Result<Command> {
    let own = Prepared::of(seat);
    match seat.side {
        Side::Floor => {
            let mut command = this_program()?;
            command
                .arg("--make-floor")
                .args([own.plan, own.twin, seat.vendor()]);
            Ok(command)
        }
        Side::Unzip => {
            fs::create_dir_all(seat.vendor()).map_err(at(&seat.vendor()))?;
            let mut command = Command::new("xargs");
            command.args(["-0", "-P", "2", "-n", "3", "-a"]);
            command.arg(own.plan).args(["unzip", "-q"]);
            Ok(command)
        }
        _ => Ok(copy(model, &seat.vendor())),
    }
}

/// Prepares the floor in a process of its own, because memory of this process would count as that
/// of the sides that run later.
fn prepare_floor(model: &Path, own: &Prepared) -> Result<()> {
    let mut command = this_program()?;
    command
        .arg("--prepare-floor")
        .args([model, &own.twin, &own.plan]);
    let output = command.output().map_err(at(model))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
}

/// Returns a call of this program, which has hidden options for work apart.
pub fn this_program() -> Result<Command> {
    let program = std::env::current_exe().map_err(at(Path::new("allegro-bench")))?;
    Ok(Command::new(program))
}

fn copy(from: &Path, to: &Path) -> Command {
    const SCRIPT: &str = r#"
        mkdir -p "$1" && find . -maxdepth 1 -type d -print0 | (cd "$1" && xargs -0 mkdir -p)
        { find . -mindepth 1 -maxdepth 1 ! -type d -print0; find . -mindepth 2 -maxdepth 2 -print0; } |
            xargs -0 -P 2 -n 8 cp -a --parents -t "$1"
    "#;
    let mut command = Command::new("sh");
    command
        .args(["-e", "-c", SCRIPT, "copy"])
        .arg(to)
        .current_dir(from);
    command
}

fn find_archives(directory: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(directory).map_err(at(directory))? {
        let path = entry.map_err(at(directory))?.path();
        if path.is_dir() {
            find_archives(&path, into)?;
        } else if path.extension().is_some_and(|extension| extension == "zip") {
            into.push(path);
        }
    }
    Ok(())
}

/// Returns the three arguments of each `unzip`: the archive, and a directory of its own.
fn unzip_list(archives: &[PathBuf], below: &Path) -> Vec<u8> {
    let mut list = Vec::new();
    for (number, archive) in archives.iter().enumerate() {
        let directory = below.join(number.to_string());
        for word in [archive.as_os_str(), "-d".as_ref(), directory.as_os_str()] {
            list.extend_from_slice(word.as_bytes());
            list.push(0);
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_archive_has_a_directory_of_its_own() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join("a")).expect("a directory");
        for name in ["a/1.zip", "2.zip", "no"] {
            fs::write(dir.path().join(name), "").expect("a file");
        }
        let mut archives = Vec::new();
        find_archives(dir.path(), &mut archives).expect("readable");
        archives.sort();
        assert_eq!(archives.len(), 2);
        let list = unzip_list(&["/c/1.zip".into(), "/c/2.zip".into()], Path::new("/v"));
        let words: Vec<&[u8]> = list.split_inclusive(|byte| *byte == 0).collect();
        assert_eq!(words[..3], [&b"/c/1.zip\0"[..], b"-d\0", b"/v/0\0"]);
        assert_eq!(words[5], b"/v/1\0");
    }
}
