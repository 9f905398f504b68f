//! File systems that are mounted for a test, which takes root.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{copy_tree, skipped};

/// Something mounted for a test; unmounted when dropped.
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

    /// An empty file system in memory.
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

    /// An empty ext4 of 64 MiB in a file beside the directory.
    pub fn ext4(at: &Path) -> Option<Self> {
        let image = at.with_extension("image");
        File::create(&image)
            .and_then(|file| file.set_len(64 << 20))
            .expect("an image");
        let made = Command::new("mkfs.ext4")
            .args(["-q", "-F", "-m", "0"])
            .arg(&image)
            .status();
        if !made.is_ok_and(|status| status.success()) {
            return skipped("there is no mkfs.ext4");
        }
        fs::create_dir_all(at).expect("a mount point");
        Self::run(&["-o", "loop", &image.display().to_string()], at)?;
        Some(Self(at.to_owned()))
    }

    /// The directory's content in a file system that can't be written: as such, not by its mount, because a PHP in a
    /// chroot sees another mount of it.
    pub fn read_only(at: &Path) -> Option<Self> {
        let kept = at.with_extension("kept");
        copy_tree(at, &kept);
        let mount = Self::tmpfs(at, 64 << 10)?;
        copy_tree(&kept.join("."), at);
        fs::remove_dir_all(&kept).expect("the copy is removed");
        Self::run(&["-o", "remount,ro"], at)?;
        Some(mount)
    }

    /// Gives it another size.
    pub fn resize(&self, kilobytes: usize) {
        Self::run(&["-o", &format!("remount,size={kilobytes}k")], &self.0).expect("remounted");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
