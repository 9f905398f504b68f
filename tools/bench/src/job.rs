//! Names the jobs that the sides do, and their arguments for each program.

use std::ffi::OsString;
use std::path::Path;

use crate::side::Side;

/// A job, which every installer calls by another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Installs what the lock names, with the autoloader.
    Install,
    /// Fills Composer's cache with the archives that the lock names.
    Download,
    /// Writes the autoloader.
    Dump,
    /// Writes the optimized autoloader.
    DumpOptimized,
    /// Writes the lock, and installs nothing.
    Update,
}

/// Requirements on the platform that are ignored when a lock is made, because the machine is not
/// that of the manifests.
pub const IGNORED: [&str; 4] = [
    "ext-*",
    "lib-*",
    "composer-plugin-api",
    "composer-runtime-api",
];

impl Job {
    /// Returns the job's name in lines about progress.
    pub fn name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Download => "download",
            Self::Dump => "dump",
            Self::DumpOptimized => "dump -o",
            Self::Update => "update",
        }
    }

    /// Returns the arguments of Composer, and of what stands in its place.
    fn of_composer(self) -> Vec<OsString> {
        let words: &[&str] = match self {
            Self::Install => &["install", "--no-progress"],
            Self::Download => &["install", "--no-progress", "--download-only"],
            Self::Dump => &["dump-autoload"],
            Self::DumpOptimized => &["dump-autoload", "-o"],
            Self::Update => &["update", "--no-install", "--no-audit", "--no-scripts"],
        };
        let mut arguments = strings(words);
        arguments.push("--no-interaction".into());
        arguments.extend(self.ignoring());
        arguments
    }

    /// Returns the options that leave out requirements on the platform.
    fn ignoring(self) -> Vec<OsString> {
        if self == Self::Update {
            let option = |name| format!("--ignore-platform-req={name}").into();
            IGNORED.into_iter().map(option).collect()
        } else {
            strings(&["--ignore-platform-reqs"])
        }
    }

    /// Returns a side's arguments, or `None` if its program doesn't know the job. The rivals get
    /// their store where they have an option for it.
    ///
    /// Plugins in the registry's packages do nothing. The rivals leave plugins out, because some of
    /// them refuse those that they don't know. The command line leaves them out as well, because it
    /// would give an unknown plugin to Composer.
    pub fn arguments(self, side: Side, store: &Path) -> Option<Vec<OsString>> {
        match side {
            Side::Viv => self.of_viv(store),
            Side::Vivacity => self.of_vivacity(),
            Side::Composr => self.of_composr(),
            Side::Copy | Side::Unzip | Side::Floor => None,
            Side::Native | Side::NativeArchives => {
                let mut arguments = self.of_composer();
                if self != Self::Update {
                    arguments.push("--no-plugins".into());
                }
                Some(arguments)
            }
            _ => Some(self.of_composer()),
        }
    }

    /// Returns the arguments of `viv`, which shares files with its store by hard links unless told
    /// otherwise.
    fn of_viv(self, store: &Path) -> Option<Vec<OsString>> {
        let words: &[&str] = match self {
            Self::Install => &["install", "--no-progress"],
            Self::Dump => &["dump-autoload"],
            Self::DumpOptimized => &["dump-autoload", "-o"],
            Self::Update => &["update", "--no-install", "--no-scripts"],
            Self::Download => return None,
        };
        let mut arguments = strings(words);
        arguments.extend(["--no-plugins".into(), "--cache-dir".into(), store.into()]);
        // It takes no patterns of requirements.
        arguments.push("--ignore-platform-reqs".into());
        Some(arguments)
    }

    /// Returns the arguments of `vivacity`, which must not hand the job over to Composer.
    fn of_vivacity(self) -> Option<Vec<OsString>> {
        if self == Self::Download {
            return None;
        }
        let mut arguments = self.of_composer();
        arguments.extend(strings(&["--no-plugins", "--no-fallback"]));
        Some(arguments)
    }

    /// Returns the arguments of `composr`, which never looks at the platform, makes no locks, and
    /// always scans for classes in a dump.
    fn of_composr(self) -> Option<Vec<OsString>> {
        match self {
            Self::Install => Some(strings(&["install", "--no-composer"])),
            Self::DumpOptimized => Some(strings(&["dump-autoload"])),
            Self::Download | Self::Dump | Self::Update => None,
        }
    }
}

fn strings(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(job: Job, side: Side) -> Option<String> {
        let words = job.arguments(side, Path::new("/store"))?;
        Some(words.join(" ".as_ref()).to_string_lossy().into_owned())
    }

    #[test]
    fn the_command_line_is_called_as_composer() {
        for job in [Job::Install, Job::Dump, Job::DumpOptimized, Job::Update] {
            let own = line(job, Side::Native).unwrap_or_default();
            let left_out = own.strip_suffix(" --no-plugins").unwrap_or(&own);
            assert_eq!(Some(left_out), line(job, Side::Composer).as_deref());
        }
        let install = "install --no-progress --no-interaction --ignore-platform-reqs --no-plugins";
        assert_eq!(line(Job::Install, Side::Native).as_deref(), Some(install));
    }

    #[test]
    fn rivals_are_told_their_store() {
        let viv = line(Job::Install, Side::Viv).expect("arguments");
        assert!(viv.contains("--cache-dir /store"), "{viv}");
        let vivacity = line(Job::DumpOptimized, Side::Vivacity).expect("arguments");
        assert!(vivacity.starts_with("dump-autoload -o") && vivacity.ends_with("--no-fallback"));
    }

    #[test]
    fn unknown_jobs_have_no_arguments() {
        assert_eq!(line(Job::Update, Side::Composr), None);
        assert_eq!(line(Job::Download, Side::Viv), None);
        assert_eq!(line(Job::Install, Side::Floor), None);
    }
}
