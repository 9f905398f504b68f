//! Mounts file systems for a test, which requires root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::tools::find;
use super::{copy_tree, skipped};

/// A kind of file system that can be mounted for a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// Ext4 in an image file.
    Ext4,
    /// XFS in an image file; files can share blocks.
    Xfs,
    /// XFS in an image file, made so that files can't share blocks.
    XfsWithoutReflink,
    /// Btrfs in an image file; files can share blocks.
    Btrfs,
    /// FAT in an image file, without links, owners and modes.
    Vfat,
    /// A file system in memory.
    Tmpfs,
    /// A directory in which every `chmod` fails and each file has mode 0777, as on a Windows share.
    WithoutChmod,
}

impl FileSystem {
    /// All kinds of file systems.
    pub const ALL: [Self; 7] = [
        Self::Ext4,
        Self::Xfs,
        Self::XfsWithoutReflink,
        Self::Btrfs,
        Self::Vfat,
        Self::Tmpfs,
        Self::WithoutChmod,
    ];

    /// Returns whether two files can share blocks.
    pub fn has_reflinks(self) -> bool {
        matches!(self, Self::Xfs | Self::Btrfs)
    }

    /// Returns whether a file keeps the mode that it is given.
    pub fn keeps_modes(self) -> bool {
        !matches!(self, Self::Vfat | Self::WithoutChmod)
    }

    /// Returns the program and arguments that make the file system in an image, and the mount type.
    fn maker(self) -> Option<(&'static [&'static str], &'static str)> {
        Some(match self {
            Self::Ext4 => (&["mkfs.ext4", "-q", "-F"], "ext4"),
            Self::Xfs => (&["mkfs.xfs", "-q", "-m", "reflink=1"], "xfs"),
            Self::XfsWithoutReflink => (&["mkfs.xfs", "-q", "-m", "reflink=0"], "xfs"),
            Self::Btrfs => (&["mkfs.btrfs", "-q"], "btrfs"),
            Self::Vfat => (&["mkfs.vfat"], "vfat"),
            Self::Tmpfs | Self::WithoutChmod => return None,
        })
    }
}

/// A mounted file system, which is unmounted when dropped.
#[derive(Debug)]
pub struct Mount(PathBuf);

impl Mount {
    fn run(args: &[&str], at: &Path) -> Option<()> {
        let output = Command::new("mount").args(args).arg(at).output().ok()?;
        output.status.success().then_some(()).or_else(|| {
            skipped(&format!(
                "mount: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ))
        })
    }

    /// Mounts an empty file system in memory.
    pub fn tmpfs(at: &Path, kilobytes: usize) -> Option<Self> {
        fs::create_dir_all(at).expect("a mount point");
        Self::run(
            &[
                "-t",
                "tmpfs",
                "-o",
                &format!("size={kilobytes}k,mode=755"),
                "tmpfs",
            ],
            at,
        )?;
        Some(Self(at.to_owned()))
    }

    /// Mounts a file over another one, so that nothing can rename or remove it there.
    pub fn file(from: &Path, at: &Path) -> Option<Self> {
        Self::run(&["--bind", &from.display().to_string()], at)?;
        Some(Self(at.to_owned()))
    }

    /// Mounts an empty file system of a kind. Returns `None` if this machine can't have it, and
    /// prints the reason.
    pub fn of(kind: FileSystem, at: &Path) -> Option<Self> {
        fs::create_dir_all(at).expect("a mount point");
        match kind {
            FileSystem::Tmpfs => Self::tmpfs(at, 200 << 10),
            FileSystem::WithoutChmod => {
                let below = at.with_extension("below");
                fs::create_dir_all(&below).expect("a directory");
                Self::without_chmod(&below, at)
            }
            _ => Self::image(kind, at),
        }
    }

    /// Mounts a file system from an image file. The image loses its name at once, so that it goes
    /// away with the mount.
    fn image(kind: FileSystem, at: &Path) -> Option<Self> {
        let (maker, name) = kind.maker()?;
        if find(maker[0]).is_none() {
            return skipped(&format!("there is no {}", maker[0]));
        }
        let image = at.with_extension("img");
        fs::File::create(&image)
            .and_then(|file| file.set_len(400 << 20))
            .expect("an image");
        let made = Command::new(maker[0])
            .args(&maker[1..])
            .arg(&image)
            .output()
            .expect("it starts");
        let text = image.display().to_string();
        let mounted = if made.status.success() {
            Self::run(&["-t", name, "-o", "loop", &text], at)
        } else {
            skipped(&format!(
                "{}: {}",
                maker[0],
                String::from_utf8_lossy(&made.stderr).trim()
            ))
        };
        fs::remove_file(&image).expect("the image is removed");
        mounted?;
        let _ = fs::remove_dir(at.join("lost+found"));
        Some(Self(at.to_owned()))
    }

    /// Shows a directory at another place, where every `chmod` fails and every mode is 0777.
    pub fn without_chmod(below: &Path, at: &Path) -> Option<Self> {
        if find("bindfs").is_none() {
            return skipped("there is no bindfs");
        }
        fs::create_dir_all(at).expect("a mount point");
        let output = Command::new("bindfs")
            .args(["--chmod-deny", "--perms=a=rwx"])
            .args([below, at])
            .output()
            .expect("bindfs starts");
        if !output.status.success() {
            return skipped(&format!(
                "bindfs: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ));
        }
        Some(Self(at.to_owned()))
    }

    /// Mounts an overlay: the content of `lower` with an empty upper layer `upper`, which takes all
    /// writes.
    pub fn overlay(lower: &Path, upper: &Path, at: &Path) -> Option<Self> {
        let work = upper.with_extension("work");
        for dir in [upper, &work, at] {
            fs::create_dir_all(dir).expect("a directory");
        }
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            lower.display(),
            upper.display(),
            work.display()
        );
        Self::run(&["-t", "overlay", "-o", &options, "overlay"], at)?;
        Some(Self(at.to_owned()))
    }

    /// Replaces a directory by a read-only file system with its content. The file system itself is
    /// read-only, not its mount, because a PHP in a chroot sees another mount of it.
    pub fn read_only(at: &Path) -> Option<Self> {
        let kept = at.with_extension("kept");
        copy_tree(at, &kept);
        let mount = Self::tmpfs(at, 64 << 10)?;
        copy_tree(&kept.join("."), at);
        fs::remove_dir_all(&kept).expect("the copy is removed");
        Self::run(&["-o", "remount,ro"], at)?;
        Some(mount)
    }

    /// Gives the file system another size.
    pub fn resize(&self, kilobytes: usize) {
        Self::run(&["-o", &format!("remount,size={kilobytes}k")], &self.0).expect("remounted");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
