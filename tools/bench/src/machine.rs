//! Describes the machine on which the figures were measured.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

use crate::cli::Cli;

/// Facts that a reader needs to judge the figures.
#[derive(Debug, Serialize)]
pub struct Machine {
    processor: String,
    cores: usize,
    memory_mib: u64,
    kernel: String,
    file_system: String,
    php: String,
    composer: String,
    commit: String,
    load: String,
    remarks: Vec<String>,
}

impl Machine {
    /// Collects the facts from the system and the programs.
    pub fn describe(cli: &Cli, work: &Path) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let after = |text: &str, key: &str| {
            let line = text
                .lines()
                .find(|line| line.starts_with(key))
                .unwrap_or_default();
            line.split_once(':')
                .map(|(_, value)| value.trim().to_owned())
                .unwrap_or_default()
        };
        let memory = after(&read("/proc/meminfo"), "MemTotal");
        let composer = cli.composer.clone().unwrap_or_else(|| "composer".into());
        let mut version = Command::new(composer);
        version
            .args(["--version", "--no-ansi", "--no-plugins"])
            .env("COMPOSER_ALLOW_SUPERUSER", "1");
        let mut php = Command::new(&cli.php);
        php.args(["-r", "echo PHP_VERSION, PHP_ZTS ? ' zts' : ' nts';"]);
        let mut commit = Command::new("git");
        commit.args(["describe", "--always", "--dirty"]);
        Self {
            processor: after(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mib: memory
                .split_whitespace()
                .next()
                .and_then(|kib| kib.parse::<u64>().ok())
                .unwrap_or(0)
                / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            file_system: file_system(work),
            php: first_line(php),
            composer: first_line(version),
            commit: first_line(commit),
            load: read("/proc/loadavg")
                .split_whitespace()
                .take(3)
                .collect::<Vec<_>>()
                .join(" "),
            remarks: cli.remark.clone(),
        }
    }

    /// Returns lines for the report.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!(
                "{}, {} cores, {} MiB, Linux {}",
                self.processor, self.cores, self.memory_mib, self.kernel
            ),
            format!("file system: {}", self.file_system),
            format!(
                "PHP {}; {}; Allegro at {}",
                self.php, self.composer, self.commit
            ),
            format!("load before (1, 5, 15 minutes): {}", self.load),
        ];
        lines.extend(self.remarks.iter().cloned());
        lines
    }
}

fn first_line(mut command: Command) -> String {
    match command.output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned(),
        _ => "unknown".to_owned(),
    }
}

/// Returns the file system of a directory, such as `ext4 on /dev/loop0 (rw,relatime), with a
/// journal`.
fn file_system(dir: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let mount = mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?, words.next()?, words.next()?))
        })
        .filter(|(_, point, _, _)| dir.starts_with(point))
        .max_by_key(|(_, point, _, _)| point.len());
    let Some((device, _, kind, options)) = mount else {
        return "unknown".to_owned();
    };
    let mut text = format!("{kind} on {device} ({options})");
    if kind == "ext4" {
        let device = device.rsplit('/').next().unwrap_or_default();
        let journal = Path::new("/proc/fs/jbd2").join(format!("{device}-8"));
        text.push_str(if journal.exists() {
            ", with a journal"
        } else {
            ", without a journal"
        });
    }
    text
}
