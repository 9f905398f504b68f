//! File systems that are mounted for a test, which takes root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::skipped;

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

    /// The directory over itself, not to be written.
    pub fn read_only(at: &Path) -> Option<Self> {
        Self::run(&["--bind", at.to_str()?], at)?;
        let mount = Self(at.to_owned());
        Self::run(&["-o", "remount,ro,bind"], at)?;
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
