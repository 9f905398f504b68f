//! Sets the sides of each scenario beside each other: seconds, and ratios to Composer, to the rival
//! `viv`, and to the floor.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{mebi, seconds};
use crate::measure::Run;
use crate::parity::Comparison;
use crate::resolve;
use crate::scenario::Finding;
use crate::side::Side;
use crate::stats::{Spread, pairwise};
use crate::target::{Mark, Measure};

/// Sides that the others are compared with, in the order of the columns.
const REFERENCES: [Side; 3] = [Side::Composer, Side::Viv, Side::Floor];

/// The sides of one job.
pub struct Group<'a> {
    project: &'a str,
    job: String,
    lines: Vec<Line<'a>>,
    absent: Vec<(&'static str, &'a str)>,
    marks: Vec<Mark>,
}

/// A side with figures.
struct Line<'a> {
    side: Side,
    title: String,
    runs: &'a [Run],
    relation: String,
}

impl Line<'_> {
    fn walls(&self) -> Vec<f64> {
        self.runs.iter().map(|run| run.wall).collect()
    }

    fn wall(&self) -> Option<Spread> {
        Spread::of(self.walls())
    }

    fn largest(&self) -> Option<&Run> {
        self.runs.iter().max_by_key(|run| run.peak)
    }

    /// Returns the ratio of the medians, and the median of the ratios of each round.
    fn ratio(&self, reference: &Self) -> Option<(f64, f64)> {
        let medians = self.wall()?.median / reference.wall()?.median;
        Some((medians, pairwise(&self.walls(), &reference.walls())?))
    }
}

impl<'a> Group<'a> {
    /// Returns the sides of a scenario, or `None` if nothing was timed.
    pub fn of_scenario(finding: &'a Finding) -> Option<Self> {
        if finding.disk.is_some() {
            return None;
        }
        let lines = finding.entries.iter().map(|entry| Line {
            side: entry.side,
            title: entry.side.title().to_owned(),
            runs: &entry.runs,
            relation: entry.parity.as_ref().map(relation).unwrap_or_default(),
        });
        let absent = finding.absent.iter();
        Some(Self {
            project: finding.project.name(),
            job: finding.scenario.title().to_owned(),
            lines: lines.collect(),
            absent: absent
                .map(|absent| (absent.side.title(), absent.reason.as_str()))
                .collect(),
            marks: Mark::of(finding.scenario, finding.project),
        })
    }

    /// Returns the commands that make a lock.
    pub fn of_resolving(finding: &'a resolve::Finding) -> Self {
        let present = finding
            .entries
            .iter()
            .filter(|entry| entry.absent.is_none());
        let lines = present.map(|entry| Line {
            side: entry.who.side(),
            title: entry.who.title().to_owned(),
            runs: &entry.runs,
            relation: if entry.equal { "equal" } else { "another lock" }.to_owned(),
        });
        let absent = finding.entries.iter().filter_map(|entry| {
            let reason = entry.absent.as_deref()?;
            Some((entry.who.title(), reason))
        });
        Self {
            project: finding.case,
            job: format!("update --no-install, {}", finding.known.name()),
            lines: lines.collect(),
            absent: absent.collect(),
            marks: Mark::of_resolving(finding.case, finding.known),
        }
    }

    fn line(&self, side: Side) -> Option<&Line<'a>> {
        self.lines.iter().find(|line| line.side == side)
    }

    /// Returns what a mark measures here, if both of its sides have figures.
    fn measured(&self, mark: &Mark) -> Option<f64> {
        let (ours, theirs) = (self.line(mark.side)?, self.line(mark.reference)?);
        match mark.measure {
            Measure::Time => Some(ours.ratio(theirs)?.0),
            Measure::Memory => {
                let peak = |line: &Line<'_>| Some(line.largest()?.peak);
                Some(super::ratio(peak(ours)?, peak(theirs)?))
            }
        }
    }

    /// Returns the group's figures for programs.
    pub fn value(&self) -> Value {
        let lines = self.lines.iter().map(|line| {
            let ratios: serde_json::Map<String, Value> = REFERENCES
                .into_iter()
                .filter_map(|side| {
                    let (medians, pairs) = line.ratio(self.line(side)?)?;
                    let value = json!({"medians": medians, "pairs": pairs});
                    Some((side.name().to_owned(), value))
                })
                .collect();
            json!({
                "title": line.title,
                "side": line.side.name(),
                "wall": line.wall(),
                "rounds": line.runs.len(),
                "ratios": ratios,
                "peak": line.largest().map(|run| run.peak),
                "largest": line.largest().map(|run| &run.largest),
                "relation": line.relation,
            })
        });
        let absent = self.absent.iter();
        let marks = self.marks.iter().map(|mark| {
            let ratio = self.measured(mark);
            json!({
                "mark": mark.name(),
                "limit": mark.limit,
                "ratio": ratio,
                "reached": ratio.map(|ratio| ratio <= mark.limit),
            })
        });
        json!({
            "project": self.project,
            "job": self.job,
            "sides": lines.collect::<Vec<_>>(),
            "absent": absent
                .map(|(title, reason)| json!({"side": title, "reason": reason}))
                .collect::<Vec<_>>(),
            "marks": marks.collect::<Vec<_>>(),
        })
    }
}

/// Returns the tables of the sides and of the marks, and the sides without figures.
pub fn markdown(groups: &[Group<'_>]) -> String {
    let mut text = String::from(
        "| project | job | side | median | shortest | rounds | ÷ Composer | ÷ viv | ÷ floor | CPU | peak | tree |\n\
         |---|---|---|---:|---:|---:|---:|---:|---:|---:|---|---|\n",
    );
    for group in groups {
        for line in &group.lines {
            text.push_str(&row(group, line));
        }
    }
    text.push_str(&marks(groups));
    text.push_str(&absent(groups));
    text
}

/// Returns a line for each side without figures and each cause.
fn absent(groups: &[Group<'_>]) -> String {
    let mut lines: Vec<((&str, &str), Vec<String>)> = Vec::new();
    for group in groups {
        let job = format!("{}, {}", group.project, group.job);
        for absent in &group.absent {
            match lines.iter_mut().find(|(known, _)| known == absent) {
                Some((_, jobs)) => jobs.push(job.clone()),
                None => lines.push((*absent, vec![job.clone()])),
            }
        }
    }
    let mut text = String::new();
    for ((title, reason), jobs) in lines {
        let jobs = jobs.join("; ");
        let _ = write!(text, "\n- {title} is not available: {reason} ({jobs})");
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

fn row(group: &Group<'_>, line: &Line<'_>) -> String {
    let Some(wall) = line.wall() else {
        return String::new();
    };
    let ratios = REFERENCES.map(|side| {
        let ratio = group.line(side).and_then(|other| line.ratio(other));
        ratio.map_or_else(String::new, |(medians, pairs)| {
            format!("{} ({})", times(medians), times(pairs))
        })
    });
    let processor = Spread::of(line.runs.iter().map(|run| run.user + run.system));
    let largest = line.largest();
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
        group.project,
        group.job,
        line.title,
        seconds(wall.median),
        seconds(wall.min),
        line.runs.len(),
        ratios[0],
        ratios[1],
        ratios[2],
        processor.map_or_else(String::new, |spread| seconds(spread.median)),
        largest.map_or_else(String::new, |run| {
            format!("{} ({})", mebi(run.peak), run.largest)
        }),
        line.relation,
    )
}

fn marks(groups: &[Group<'_>]) -> String {
    let mut rows = String::new();
    for group in groups {
        for mark in &group.marks {
            let Some(ratio) = group.measured(mark) else {
                continue;
            };
            let verdict = if ratio <= mark.limit {
                "reached"
            } else {
                "MISSED"
            };
            let _ = writeln!(
                rows,
                "| {} | {} | {} | {} | ≤ {} | {verdict} |",
                group.project,
                group.job,
                mark.name(),
                times(ratio),
                times(mark.limit),
            );
        }
    }
    if rows.is_empty() {
        return rows;
    }
    format!("\n| project | job | mark | ratio | limit | |\n|---|---|---|---:|---:|---|\n{rows}")
}

/// Returns a ratio with a precision that suits its size.
fn times(ratio: f64) -> String {
    if ratio < 0.1 {
        format!("{ratio:.3}×")
    } else {
        format!("{ratio:.2}×")
    }
}

fn relation(parity: &Comparison) -> String {
    match (parity.count, parity.modes, parity.reordered.is_empty()) {
        (0, _, true) => "equal".to_owned(),
        (0, _, false) => "equal, other order".to_owned(),
        (count, modes, _) => format!("{count} differ, {modes} of them in the mode only"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(walls: &[f64]) -> Vec<Run> {
        let run = |wall: &f64| Run {
            wall: *wall,
            user: 0.0,
            system: 0.0,
            peak: 1 << 20,
            largest: "x".to_owned(),
        };
        walls.iter().map(run).collect()
    }

    fn line(side: Side, runs: &[Run]) -> Line<'_> {
        Line {
            side,
            title: side.title().to_owned(),
            runs,
            relation: String::new(),
        }
    }

    #[test]
    fn ratios_stand_beside_each_other() {
        let (composer, ours, viv) = (runs(&[8.0]), runs(&[0.2, 0.4, 0.6]), runs(&[0.5; 3]));
        let mut group = Group {
            project: "koel",
            job: "warm".to_owned(),
            lines: vec![
                line(Side::Composer, &composer),
                line(Side::Native, &ours),
                line(Side::Viv, &viv),
            ],
            absent: vec![("composr", "composr is not in PATH")],
            marks: Mark::of(crate::cli::Scenario::Warm, crate::cli::Project::Koel),
        };
        let text = markdown(std::slice::from_ref(&group));
        for ours in [
            "| koel | warm | allegro | 0.400 s | 0.200 s | 3 | 0.050× (0.025×) |",
            "| 0.050× (0.025×) | 0.80× (0.80×) |  |",
        ] {
            assert!(text.contains(ours), "{text}");
        }
        assert!(
            text.contains("| Composer | 8.000 s | 8.000 s | 1 | 1.00× (1.00×) |"),
            "{text}"
        );
        assert!(
            text.contains("| allegro ÷ viv | 0.80× | ≤ 0.85× | reached |"),
            "{text}"
        );
        assert!(
            text.contains("\n- composr is not available: composr is not in PATH (koel, warm)\n"),
            "{text}"
        );
        assert!(!text.contains("÷ floor, 2 threads"), "{text}");
        group.lines.remove(2);
        assert!(!markdown(&[group]).contains("| mark |"));
    }

    #[test]
    fn the_relation_of_trees_is_said_shortly() {
        let mut parity = Comparison::default();
        assert_eq!(relation(&parity), "equal");
        parity
            .reordered
            .push("composer/autoload_psr4.php".to_owned());
        assert_eq!(relation(&parity), "equal, other order");
        (parity.count, parity.modes) = (9, 8);
        assert_eq!(relation(&parity), "9 differ, 8 of them in the mode only");
    }
}
