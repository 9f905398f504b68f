//! Reads what a terminal received, and draws the screen.

use std::fmt::Write as _;

use vt100::{Cell, Color, Parser};

/// The most lines of a recording.
const ROWS: u16 = 4000;

/// Width and height of a character, and the margin, in pixels.
const ADVANCE: f64 = 8.4;
const LINE: f64 = 19.0;
const MARGIN: f64 = 16.0;
const BAR: f64 = 34.0;

/// Colours for light and dark grounds. The numbers are those of the terminal's colours.
const STYLE: &str = "\
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,\"DejaVu Sans Mono\",monospace;\
white-space:pre;fill:#24292f}\
.g{fill:#ffffff;stroke:#d0d7de}.t{fill:#57606a}.o{fill:#d0d7de}.b{font-weight:700}.d{fill:#6e7781}\
.f0{fill:#24292f}.f1{fill:#cf222e}.f2{fill:#116329}.f3{fill:#7d4e00}.f4{fill:#0969da}\
.f5{fill:#8250df}.f6{fill:#1b7c83}.f7{fill:#57606a}\
.k0{fill:#24292f}.k1{fill:#ffcecb}.k2{fill:#aceebb}.k3{fill:#fae17d}.k4{fill:#b6e3ff}\
.k5{fill:#ecd8ff}.k6{fill:#b3f0f2}.k7{fill:#d0d7de}\
@media(prefers-color-scheme:dark){text{fill:#d0d7de}.g{fill:#0d1117;stroke:#30363d}\
.t{fill:#8b949e}.o{fill:#30363d}.d{fill:#8b949e}\
.f0{fill:#d0d7de}.f1{fill:#ff7b72}.f2{fill:#56d364}.f3{fill:#e3b341}.f4{fill:#79c0ff}\
.f5{fill:#d2a8ff}.f6{fill:#56d4dd}.f7{fill:#b1bac4}\
.k1{fill:#8e1519}.k2{fill:#0f5323}.k3{fill:#693e00}.k4{fill:#0c2d6b}.k5{fill:#491f8c}\
.k6{fill:#1b4b50}.k7{fill:#30363d}}";

/// Text of one style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    column: u16,
    text: String,
    foreground: Option<u8>,
    background: Option<u8>,
    is_bold: bool,
    is_dim: bool,
}

impl Run {
    fn of(column: u16, cell: &Cell) -> Self {
        let index = |color| match color {
            Color::Idx(index) => Some(index % 8),
            Color::Default | Color::Rgb(..) => None,
        };
        Self {
            column,
            text: String::new(),
            foreground: index(cell.fgcolor()),
            background: index(cell.bgcolor()),
            is_bold: cell.bold(),
            is_dim: cell.dim(),
        }
    }

    fn has_style_of(&self, other: &Self) -> bool {
        let style = |run: &Self| (run.foreground, run.background, run.is_bold, run.is_dim);
        style(self) == style(other)
    }

    fn classes(&self) -> String {
        let mut classes = Vec::new();
        if let Some(index) = self.foreground {
            classes.push(format!("f{index}"));
        }
        if self.is_bold {
            classes.push("b".to_owned());
        }
        if self.is_dim {
            classes.push("d".to_owned());
        }
        classes.join(" ")
    }
}

/// Returns the lines of the screen after a recording. Blank lines at the end are left out.
pub fn lines_of(recording: &[u8], columns: u16) -> Vec<Vec<Run>> {
    let mut parser = Parser::new(ROWS, columns, 0);
    parser.process(recording);
    let screen = parser.screen();
    let mut lines: Vec<Vec<Run>> = (0..ROWS)
        .map(|row| {
            let mut runs: Vec<Run> = Vec::new();
            for column in 0..columns {
                let Some(cell) = screen.cell(row, column) else {
                    continue;
                };
                let next = Run::of(column, cell);
                if !runs.last().is_some_and(|run| run.has_style_of(&next)) {
                    runs.push(next);
                }
                if let Some(run) = runs.last_mut()
                    && !cell.is_wide_continuation()
                {
                    let text = cell.contents();
                    run.text.push_str(if text.is_empty() { " " } else { text });
                }
            }
            if let Some(last) = runs.last_mut()
                && last.background.is_none()
            {
                last.text.truncate(last.text.trim_end().len());
            }
            runs.retain(|run| !run.text.is_empty());
            runs
        })
        .collect();
    let length = lines.iter().rposition(|line| !line.is_empty());
    lines.truncate(length.map_or(0, |last| last + 1));
    lines
}

/// The lines of a recording that are shown.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// Number of lines at the beginning.
    pub head: usize,
    /// Number of lines at the end.
    pub tail: usize,
}

impl Cut {
    /// Replaces the lines between head and tail by their number.
    pub fn apply(self, mut lines: Vec<Vec<Run>>) -> Vec<Vec<Run>> {
        let kept = self.head.saturating_add(self.tail);
        let Some(left_out) = lines.len().checked_sub(kept).filter(|count| *count > 1) else {
            return lines;
        };
        let note = Run {
            column: 4,
            text: format!("… {left_out} more lines"),
            foreground: None,
            background: None,
            is_bold: false,
            is_dim: true,
        };
        lines.splice(self.head..self.head + left_out, [vec![note]]);
        lines
    }
}

/// Returns the picture of some lines.
pub fn svg(lines: &[Vec<Run>], columns: u16, title: &str) -> String {
    let width = f64::from(columns) * ADVANCE + 2.0 * MARGIN;
    let count = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let height = BAR + f64::from(count) * LINE + 2.0 * MARGIN;
    let title = escaped(title);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{title}\">\n\
         <style>{STYLE}</style>\n\
         <rect class=\"g\" x=\".5\" y=\".5\" width=\"{}\" height=\"{}\" rx=\"8\"/>\n",
        width - 1.0,
        height - 1.0,
    );
    for place in [20, 38, 56] {
        let _ = writeln!(
            svg,
            "<circle class=\"o\" cx=\"{place}\" cy=\"18\" r=\"5\"/>"
        );
    }
    let middle = width / 2.0;
    let _ = writeln!(
        svg,
        "<text class=\"t\" x=\"{middle}\" y=\"23\" text-anchor=\"middle\">{title}</text>"
    );
    for (row, line) in (0_u16..).zip(lines) {
        let y = BAR + MARGIN + f64::from(row) * LINE;
        for run in line {
            draw(&mut svg, run, y);
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw(svg: &mut String, run: &Run, y: f64) {
    let x = MARGIN + f64::from(run.column) * ADVANCE;
    let length = u16::try_from(run.text.chars().count()).unwrap_or(u16::MAX);
    let width = f64::from(length) * ADVANCE;
    if let Some(index) = run.background {
        let _ = writeln!(
            svg,
            "<rect class=\"k{index}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
             height=\"{LINE}\"/>"
        );
    }
    if run.text.trim().is_empty() {
        return;
    }
    let classes = run.classes();
    let baseline = y + 14.0;
    // The length keeps columns in line, whatever the font of the reader is.
    let _ = writeln!(
        svg,
        "<text class=\"{classes}\" x=\"{x:.1}\" y=\"{baseline:.1}\" textLength=\"{width:.1}\" \
         lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\">{}</text>",
        escaped(&run.text)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests;
