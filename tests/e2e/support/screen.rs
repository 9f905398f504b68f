//! Shows the screen of a terminal after all output.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use super::{Call, tools};

/// A terminal of some columns and any number of lines.
#[derive(Debug)]
pub struct Screen {
    columns: usize,
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
    /// Whether text that doesn't fit continues on the next line.
    pub wraps: bool,
}

impl Screen {
    /// Returns the terminal's screen after this output.
    pub fn after(output: &str, columns: usize) -> Self {
        let mut screen = Self {
            columns,
            lines: vec![Vec::new()],
            row: 0,
            column: 0,
            wraps: true,
        };
        let mut rest = output.chars();
        while let Some(character) = rest.next() {
            match character {
                '\r' => screen.column = 0,
                '\n' => screen.down(),
                '\u{8}' => screen.column = screen.column.saturating_sub(1),
                '\u{1b}' => {
                    let text = rest.as_str();
                    // Since Composer 2.11, this sequence sends a message to the terminal's window.
                    if let Some(told) = text.strip_prefix(']') {
                        let end = told.find("\u{1b}\\").expect("the end of a message");
                        rest = told[end + 2..].chars();
                        continue;
                    }
                    let body = text
                        .strip_prefix('[')
                        .unwrap_or_else(|| panic!("{text:.20?}"));
                    let end = body
                        .find(|character: char| character.is_ascii_alphabetic())
                        .expect("the end of a sequence");
                    screen.control(&body[..end], &body[end..=end]);
                    rest = body[end + 1..].chars();
                }
                character => screen.put(character),
            }
        }
        screen
    }

    /// Checks that no screen before a mark in the output has more than one line with a text.
    #[track_caller]
    pub fn never_twice(output: &str, columns: usize, mark: &str, text: &str, what: &str) {
        for (at, _) in output.match_indices(mark) {
            let screen = Self::after(&output[..at], columns).text();
            let lines = screen.iter().filter(|line| line.contains(text));
            assert!(lines.count() <= 1, "{what}: {screen:?}");
        }
    }

    /// Returns the lines with text, without spaces at their ends.
    pub fn text(&self) -> Vec<String> {
        let line = |line: &Vec<char>| line.iter().collect::<String>().trim_end().to_owned();
        self.lines
            .iter()
            .map(line)
            .filter(|line| !line.is_empty())
            .collect()
    }

    /// Returns the column of the cursor.
    pub fn column(&self) -> usize {
        self.column
    }

    fn down(&mut self) {
        self.row += 1;
        if self.row == self.lines.len() {
            self.lines.push(Vec::new());
        }
    }

    fn put(&mut self, character: char) {
        if self.column == self.columns {
            if self.wraps {
                self.down();
                self.column = 0;
            } else {
                self.column -= 1;
            }
        }
        let line = &mut self.lines[self.row];
        if line.len() <= self.column {
            line.resize(self.column + 1, ' ');
        }
        line[self.column] = character;
        self.column += 1;
    }

    fn control(&mut self, argument: &str, command: &str) {
        match (command, argument) {
            ("m", _) => (),
            ("G", _) => self.column = argument.parse().map_or(0, |column: usize| column - 1),
            ("K", "" | "0") => self.lines[self.row].truncate(self.column),
            ("K", "2") => self.lines[self.row].clear(),
            ("J", "" | "0") => {
                self.lines[self.row].truncate(self.column);
                self.lines.truncate(self.row + 1);
            }
            ("l", "?7") => self.wraps = false,
            ("h", "?7") => self.wraps = true,
            _ => panic!("what would a terminal do at {argument}{command}?"),
        }
    }
}

/// Makes a call on a terminal of its own. Returns its exit code, and all that was written.
///
/// As soon as `stop` returns true for the output so far, the function types Ctrl-C. It returns
/// `None` if this machine lacks `script`, and prints the reason.
pub fn on_terminal(
    call: &Call<'_>,
    columns: usize,
    stop: impl Fn(&str) -> bool,
) -> Option<(i32, String)> {
    let script = tools::need(&["script"])?;
    // The console asks the terminal for its size.
    let call = call.clone().env_remove("COLUMNS");
    let composer = call.command();
    let has_name = composer.get_envs().any(|(name, _)| name == "TERM");
    let quoted = |text: &std::ffi::OsStr| format!("'{}'", text.to_string_lossy());
    let words: Vec<String> = std::iter::once(composer.get_program())
        .chain(composer.get_args())
        .map(quoted)
        .collect();
    let line = format!("stty cols {columns} rows 24; exec {}", words.join(" "));
    let mut command = Command::new(script);
    command.args(["-qefc", &line, "/dev/null"]);
    command.current_dir(composer.get_current_dir().expect("a directory"));
    for (name, value) in composer.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if !has_name {
        command.env("TERM", "xterm");
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("script starts");
    let mut keyboard = child.stdin.take().expect("its input");
    let mut output = child.stdout.take().expect("its output");
    let mut written = Vec::new();
    let mut typed = false;
    let mut buffer = [0; 4096];
    loop {
        match output.read(&mut buffer).expect("its output") {
            0 => break,
            count => written.extend_from_slice(&buffer[..count]),
        }
        if !typed && stop(&String::from_utf8_lossy(&written)) {
            typed = true;
            keyboard.write_all(b"\x03").expect("Ctrl-C");
        }
    }
    let status = child.wait().expect("it ends");
    let text = String::from_utf8_lossy(&written).into_owned();
    Some((status.code().expect("an exit code"), text))
}
