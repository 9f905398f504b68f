//! Carries decisions about programs out.

use std::fs::{self, File, Permissions};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use allegro_base::error::{Error, at};
use allegro_base::fs::own_inode;
use allegro_composer::Unfamiliar;

use super::{Action, Bins, Place, Program, Target, Text, link_name};

/// Reason why programs could not be made callable.
#[derive(Debug)]
pub enum Failure {
    /// Composer must handle the project.
    Unfamiliar(Unfamiliar),
    /// A file operation failed, and Composer's would fail too.
    Files(Error),
}

impl From<Unfamiliar> for Failure {
    fn from(reason: Unfamiliar) -> Self {
        Self::Unfamiliar(reason)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Files(error)
    }
}

/// The number of bytes of a program that are read first. They mostly decide about its proxy.
const FIRST_READ: u64 = 1 << 12;

/// The number of bytes that are read after the first ones, where Composer reads no more than the
/// first line and [`HEAD`](super::HEAD).
const MOST_READ: u64 = 1 << 16;

impl Bins<'_> {
    /// Makes the programs of a package callable (`BinaryInstaller::installBinaries`, composer
    /// 2.10.2). Returns the messages that Composer prints, with its tags.
    ///
    /// `reports_conflicts` is true after an installation, and false for the check of all packages
    /// at the end of a run.
    pub fn install(
        &self,
        package: &str,
        directory: &str,
        bins: &[String],
        reports_conflicts: bool,
    ) -> Result<Vec<String>, Failure> {
        let mut messages = Vec::new();
        for bin in bins {
            let program = Program {
                package,
                bin,
                directory,
            };
            let path = PathBuf::from(format!("{directory}/{bin}"));
            let mut target = match fs::metadata(&path) {
                Err(_) => Target::Missing,
                Ok(facts) if facts.is_dir() => Target::Directory,
                Ok(_) if self.traits.confines && !is_inside(&path, directory) => Target::Outside,
                Ok(facts) if facts.is_file() => Target::File(&[]),
                Ok(_) => {
                    return Err(Unfamiliar(format!("the program {bin} is no file")).into());
                }
            };
            let mut bin_dir = String::new();
            let mut place = Place::Free;
            let head;
            if let Target::File(_) = target {
                bin_dir = self.made_bin_dir()?;
                place = place_of(&Path::new(&bin_dir).join(link_name(bin)?), &path);
                // A place that is taken stays as it is, whatever the program is.
                if place != Place::Taken {
                    head = self.head(&path)?;
                    target = Target::File(&head);
                }
            }
            match self.action(program, target, &bin_dir, place, reports_conflicts)? {
                Action::Skip(message) => messages.extend(message),
                Action::Write {
                    replaces_link,
                    proxy,
                    batch,
                    batch_is_taken,
                } => {
                    if replaces_link {
                        let link = Path::new(&bin_dir).join(link_name(bin)?);
                        fs::remove_file(&link).map_err(at("removing", &link))?;
                    }
                    if let Some(proxy) = proxy {
                        self.write(&proxy)?;
                    }
                    if let Some(batch) = batch {
                        if Path::new(&batch.path).exists() {
                            messages.extend(batch_is_taken);
                        } else {
                            self.write(&batch)?;
                        }
                    }
                    self.make_executable(&path)?;
                }
            }
        }
        Ok(messages)
    }

    /// Removes what calls the programs of a package (`BinaryInstaller::removeBinaries`, composer
    /// 2.10.2). As in Composer, the bin directory is made even if the package has no programs.
    pub fn remove(&self, bins: &[String]) -> Result<(), Failure> {
        let bin_dir = PathBuf::from(self.made_bin_dir()?);
        if bins.is_empty() {
            return Ok(());
        }
        for bin in bins {
            let name = link_name(bin)?;
            let link = bin_dir.join(name);
            if fs::symlink_metadata(&link).is_ok() {
                fs::remove_file(&link).map_err(at("removing", &link))?;
            }
            let batch = bin_dir.join(format!("{name}.bat"));
            if batch.is_file() {
                fs::remove_file(&batch).map_err(at("removing", &batch))?;
            }
        }
        // The system refuses to remove a directory that has content.
        let _ = fs::remove_dir(&bin_dir);
        Ok(())
    }

    /// Returns as much of a program as decides about its proxy.
    fn head(&self, path: &Path) -> Result<Vec<u8>, Error> {
        let mut head = Vec::new();
        let read = |head: &mut Vec<u8>| {
            let mut file = File::open(path)?;
            file.by_ref().take(FIRST_READ).read_to_end(head)?;
            if head.len() as u64 == FIRST_READ && !super::decides(head) {
                file.by_ref().take(MOST_READ).read_to_end(head)?;
                if !self.traits.reads_head {
                    file.read_to_end(head)?;
                }
            }
            Ok(())
        };
        read(&mut head).map_err(at("reading", path))?;
        Ok(head)
    }

    /// Makes the bin directory and returns its path without links
    /// (`BinaryInstaller::initializeBinDir`, composer 2.10.2).
    fn made_bin_dir(&self) -> Result<String, Failure> {
        let bin_dir = Path::new(self.bin_dir);
        if !bin_dir.is_dir() {
            if fs::symlink_metadata(bin_dir).is_ok() {
                let reason = format!("{} is no directory", self.bin_dir);
                return Err(Unfamiliar(reason).into());
            }
            fs::create_dir_all(bin_dir).map_err(at("creating", bin_dir))?;
        }
        let real = fs::canonicalize(bin_dir).map_err(at("reading", bin_dir))?;
        real.into_os_string().into_string().map_err(|path| {
            Unfamiliar(format!("the path \"{}\" is unusual", path.display())).into()
        })
    }

    fn write(&self, text: &Text) -> Result<(), Error> {
        let path = Path::new(&text.path);
        // Composer writes through a link. The file behind it may belong to the store.
        if fs::metadata(path).is_ok() {
            give_own_inode(path)?;
        }
        fs::write(path, &text.text).map_err(at("writing", path))?;
        let _ = fs::set_permissions(path, self.permissions());
        Ok(())
    }

    fn permissions(&self) -> Permissions {
        Permissions::from_mode(0o777 & !self.umask)
    }

    fn make_executable(&self, path: &Path) -> Result<(), Error> {
        let facts = fs::metadata(path).map_err(at("reading", path))?;
        if facts.mode() & 0o7777 != 0o777 & !self.umask {
            give_own_inode(path)?;
            // As in Composer, a file of another user stays as it is.
            let _ = fs::set_permissions(path, self.permissions());
        }
        Ok(())
    }
}

/// Returns whether a file lies in a directory after all links are resolved.
fn is_inside(path: &Path, directory: &str) -> bool {
    match (fs::canonicalize(path), fs::canonicalize(directory)) {
        (Ok(path), Ok(directory)) => path != directory && path.starts_with(directory),
        _ => false,
    }
}

/// Returns the state of a place in the bin directory, for the program at `path`.
fn place_of(link: &Path, path: &Path) -> Place {
    match fs::symlink_metadata(link) {
        Err(_) => Place::Free,
        Ok(facts) if !facts.is_symlink() => Place::Taken,
        Ok(_) => match (fs::canonicalize(link), fs::canonicalize(path)) {
            (Err(_), _) => Place::Free,
            (Ok(one), Ok(other)) if one == other => Place::Link,
            _ => Place::OtherLink,
        },
    }
}

/// Parts a program, or the file that a link to it leads to, from the file's other names.
fn give_own_inode(path: &Path) -> Result<(), Error> {
    own_inode(&fs::canonicalize(path).map_err(at("reading", path))?)
}
