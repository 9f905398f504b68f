//! Draws recordings of a terminal as a picture (SVG). `scripts/screenshots` makes the pictures of
//! the documentation with it.

mod picture;

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use picture::{Cut, lines_of, svg};

/// Draw recordings of a terminal as a picture (SVG) on standard output.
#[derive(Debug, Parser)]
struct Arguments {
    /// Width of the recorded terminal.
    #[arg(long, default_value_t = 80)]
    columns: u16,
    /// Text in the title bar.
    #[arg(long, default_value = "")]
    title: String,
    /// Keep this many lines at the beginning of a recording.
    #[arg(long, default_value_t = usize::MAX)]
    head: usize,
    /// Keep this many lines at the end of a recording.
    #[arg(long, default_value_t = 0)]
    tail: usize,
    /// What the terminal received, one file for each command; - is standard input.
    #[arg(required = true)]
    recordings: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "allegro-screen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> io::Result<()> {
    let cut = Cut {
        head: arguments.head,
        tail: arguments.tail,
    };
    let mut lines = Vec::new();
    for path in &arguments.recordings {
        let mut bytes = Vec::new();
        if path.as_os_str() == "-" {
            io::stdin().lock().read_to_end(&mut bytes)?;
        } else {
            let named = |error| io::Error::other(format!("{}: {error}", path.display()));
            bytes = fs::read(path).map_err(named)?;
        }
        if !lines.is_empty() {
            lines.push(Vec::new());
        }
        lines.extend(cut.apply(lines_of(&bytes, arguments.columns)));
    }
    let picture = svg(&lines, arguments.columns, &arguments.title);
    io::stdout().lock().write_all(picture.as_bytes())
}
