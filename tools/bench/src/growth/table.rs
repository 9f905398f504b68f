//! Writes the figures of growth as a table and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Figure, PATIENCE, RUNS, Series, Size};

/// Both series, in the order of the table.
pub const SERIES: [Series; 2] = [Series::Packages, Series::Versions];

/// Figures whose growth is reported, with their names.
const GROWING: [(Figure, &str); 5] = [
    (Figure::Resolve, "resolve"),
    (Figure::Choosing, "choosing"),
    (Figure::Update, "update"),
    (Figure::ResolveMemory, "memory of resolve"),
    (Figure::UpdateMemory, "memory of update"),
];

/// Returns a table for people, with the conclusions below it.
pub fn markdown(sizes: &[Size]) -> String {
    let mut text = String::from(
        "| packages | versions of each | in question | that matter | rules | resolve | of it choosing | peak | Composer update | peak | locks |\n\
         |---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|\n",
    );
    for size in sizes {
        let count = |of: fn(&crate::resolve::Choice) -> u64| {
            let choice = size.resolve.choice();
            choice.map_or_else(String::new, |choice| of(&choice).to_string())
        };
        let seconds = |figure| with_unit(size.figure(figure), "s", 2);
        let memory = |figure| with_unit(size.figure(figure), "MiB", 0);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            size.packages,
            size.versions,
            count(|choice| choice.versions),
            count(|choice| choice.considered),
            count(|choice| choice.rules),
            seconds(Figure::Resolve),
            seconds(Figure::Choosing),
            memory(Figure::ResolveMemory),
            seconds(Figure::Update),
            memory(Figure::UpdateMemory),
            match size.equal {
                Some(true) => "equal",
                Some(false) => "DIFFERENT",
                None => "not compared",
            }
        );
    }
    text.push('\n');
    for line in conditions(sizes) {
        let _ = writeln!(text, "- {line}");
    }
    text
}

fn with_unit(figure: Option<f64>, unit: &str, digits: usize) -> String {
    figure.map_or_else(
        || "–".to_owned(),
        |figure| format!("{figure:.digits$} {unit}"),
    )
}

fn conditions(sizes: &[Size]) -> Vec<String> {
    let mut lines = vec![format!(
        "growth: made-up repositories whose packages are all needed, metadata cached; shortest of {RUNS} runs, largest process of all of them; \
         Composer isn't asked beyond the size at which it takes {PATIENCE} s; choosing: from Composer's question to the native part's answer, checked metadata included"
    )];
    for series in SERIES {
        let grown: Vec<String> = GROWING
            .iter()
            .filter_map(|(figure, name)| {
                let (all, last) = series.exponents(sizes, *figure)?;
                Some(format!("{name} {all:.2} ({last:.2})"))
            })
            .collect();
        lines.push(format!(
            "exponent over {}, of all sizes (of the last step): {}; 1 is linear",
            series.title(),
            grown.join(", ")
        ));
    }
    lines
}

/// Returns every figure as JSON.
pub fn value(sizes: &[Size]) -> Value {
    let list = sizes.iter().map(|size| {
        json!({
            "packages": size.packages,
            "versions": size.versions,
            "resolve": { "seconds": size.resolve.seconds(), "peak": size.resolve.peak(), "choice": size.resolve.choice(), "runs": size.resolve.runs },
            "update": { "seconds": size.update.seconds(), "peak": size.update.peak(), "runs": size.update.runs },
            "equal": size.equal,
        })
    });
    let exponents = SERIES.iter().map(|series| {
        let mut value = json!({ "over": series.title() });
        for (figure, name) in GROWING {
            value[name] = match series.exponents(sizes, figure) {
                Some((all, last)) => json!({ "all": all, "last": last }),
                None => Value::Null,
            };
        }
        value
    });
    json!({
        "sizes": list.collect::<Vec<_>>(),
        "exponents": exponents.collect::<Vec<_>>(),
        "conditions": conditions(sizes),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::size;
    use super::*;

    #[test]
    fn what_is_missing_is_said() {
        let mut sizes = vec![size(250, 50, 0.25), size(1000, 50, 1.0)];
        sizes[1].equal = Some(false);
        let text = markdown(&sizes);
        assert!(
            text.contains("| 250 | 50 |  |  |  | 0.25 s | – | 100 MiB | – | – | not compared |"),
            "{text}"
        );
        assert!(text.contains("| DIFFERENT |"), "{text}");
        assert!(text.contains(": resolve 1.00 (1.00), memory of resolve 0.00 (0.00); 1 is linear"));
        let value = value(&sizes);
        assert_eq!(value["sizes"][1]["equal"], json!(false));
        assert_eq!(value["exponents"][0]["update"], Value::Null);
    }
}
