//! Tests of the pictures, with small recordings.

use super::*;

fn texts(lines: &[Vec<Run>]) -> Vec<String> {
    let text = |line: &Vec<Run>| line.iter().map(|run| run.text.as_str()).collect();
    lines.iter().map(text).collect()
}

/// A progress line that was overwritten is gone, as on a terminal.
#[test]
fn a_recording_becomes_the_last_screen() {
    let recording = b"working 1/2\r           \r\x1b[32mdone\x1b[39m in <1 s\r\n\r\n  \x1b[1;31m-\x1b[0m a & b\r\n";
    let lines = lines_of(recording, 40);
    assert_eq!(texts(&lines), ["done in <1 s", "", "  - a & b"]);
    assert_eq!(lines[0][0].foreground, Some(2));
    let sign = &lines[2][1];
    assert_eq!((sign.column, sign.text.as_str()), (2, "-"));
    assert!(sign.is_bold && sign.foreground == Some(1), "{sign:?}");
}

#[test]
fn long_lines_wrap_at_the_width() {
    assert_eq!(texts(&lines_of(b"abcdef", 4)), ["abcd", "ef"]);
}

#[test]
fn a_small_sample_is_drawn() {
    let lines = lines_of(b"\x1b[30;43mcare\x1b[0m \x1b[2m<x>\x1b[0m\r\n", 20);
    let picture = svg(&lines, 20, "allegro \"x\"");
    for part in [
        "aria-label=\"allegro &quot;x&quot;\"",
        "prefers-color-scheme:dark",
        "<rect class=\"k3\" x=\"16.0\"",
        "<text class=\"f0\" x=\"16.0\"",
        ">care</text>",
        "<text class=\"d\" x=\"58.0\"",
        ">&lt;x&gt;</text>",
    ] {
        assert!(picture.contains(part), "{part}: {picture}");
    }
    assert!(picture.ends_with("</svg>\n"));
    assert_eq!(picture.matches("<text").count(), 3, "{picture}");
    // The same recording gives the same picture.
    assert_eq!(picture, svg(&lines, 20, "allegro \"x\""));
}

#[test]
fn the_middle_of_a_long_recording_is_left_out() {
    let recording = "0 1 2 3 4 5 6 7 8 9".replace(' ', "\r\n");
    let cut = Cut { head: 2, tail: 1 };
    let lines = cut.apply(lines_of(recording.as_bytes(), 20));
    assert_eq!(texts(&lines), ["0", "1", "… 7 more lines", "9"]);
    let short = Cut { head: 9, tail: 0 };
    let lines = short.apply(lines_of(recording.as_bytes(), 20));
    assert_eq!(texts(&lines).len(), 10);
}
