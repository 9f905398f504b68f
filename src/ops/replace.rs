//! Replaces a file by a rename as if it were written in place, and keeps its owner, group, mode and
//! ACL.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Gid, Mode, Uid, XattrFlags, fchmod, fchown, fgetxattr, fsetxattr};
use rustix::io::Errno;

use crate::protocol::replace::{ReplaceAnswer, ReplaceRequest};

/// Puts the new file in the place of the old one, if everything but the content can stay as it is.
pub fn replace(request: &ReplaceRequest) -> ReplaceAnswer {
    ReplaceAnswer {
        replaced: carry_over(&request.temporary, &request.path)
            .and_then(|fits| {
                if fits {
                    fs::rename(&request.temporary, &request.path)?;
                }
                Ok(fits)
            })
            .unwrap_or(false),
    }
}

/// Gives the new file the attributes of the old one. Returns `false` if that isn't allowed.
fn carry_over(temporary: &Path, path: &Path) -> io::Result<bool> {
    let old = fs::symlink_metadata(path)?;
    if !old.is_file() {
        return Ok(false);
    }
    let file = File::open(temporary)?;
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        let owner = (Uid::from_raw(old.uid()), Gid::from_raw(old.gid()));
        if fchown(&file, Some(owner.0), Some(owner.1)).is_err() {
            return Ok(false);
        }
    }
    // The mode comes first, because the ACL also holds it and has the last word.
    if new.mode() != old.mode() && fchmod(&file, Mode::from_raw_mode(old.mode() & 0o7777)).is_err()
    {
        return Ok(false);
    }
    let (wanted, found) = (acl(&File::open(path)?)?, acl(&file)?);
    if wanted == found {
        return Ok(true);
    }
    let set = match &wanted {
        Some(acl) => fsetxattr(&file, ACL, acl, XattrFlags::empty()),
        None => rustix::fs::fremovexattr(&file, ACL)
            .and_then(|()| fchmod(&file, Mode::from_raw_mode(old.mode() & 0o7777))),
    };
    Ok(set.is_ok())
}

/// The attribute that holds a file's access ACL (acl(5)).
const ACL: &str = "system.posix_acl_access";

fn acl(file: impl AsFd) -> io::Result<Option<Vec<u8>>> {
    // Each entry takes eight bytes, and no file system keeps more than this.
    let mut bytes = vec![0; 1 << 16];
    match fgetxattr(file, ACL, &mut bytes[..]) {
        Ok(length) => {
            bytes.truncate(length);
            Ok(Some(bytes))
        }
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn files(dir: &Path) -> ReplaceRequest {
        let request = ReplaceRequest {
            temporary: dir.join("new"),
            path: dir.join("old"),
        };
        fs::write(&request.temporary, "new").expect("written");
        fs::write(&request.path, "old").expect("written");
        request
    }

    #[test]
    fn the_mode_stays() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let request = files(dir.path());
        fs::set_permissions(&request.path, fs::Permissions::from_mode(0o660)).expect("chmod");
        assert!(replace(&request).replaced);
        let facts = fs::metadata(&request.path).expect("replaced");
        assert_eq!(facts.mode() & 0o7777, 0o660);
        assert_eq!(fs::read(&request.path).expect("read"), b"new");
        assert!(!request.temporary.exists());
    }

    #[test]
    fn the_owner_stays() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let request = files(dir.path());
        if std::os::unix::fs::chown(&request.path, Some(1234), Some(2345)).is_err() {
            // Only root may give files away.
            return;
        }
        assert!(replace(&request).replaced);
        let facts = fs::metadata(&request.path).expect("replaced");
        assert_eq!((facts.uid(), facts.gid()), (1234, 2345));
    }

    #[test]
    fn a_link_or_nothing_is_not_replaced() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let request = files(dir.path());
        fs::remove_file(&request.path).expect("removed");
        assert!(!replace(&request).replaced);
        std::os::unix::fs::symlink("elsewhere", &request.path).expect("a link");
        assert!(!replace(&request).replaced);
        assert!(request.temporary.exists());
    }
}
