//! Writes versions and constraints as people do, for cases where the original text is missing.

use allegro_semver::constraint::{Constraint, ConstraintId, Op, Terms};

/// Writes `2.1.0.0` as `2.1.0`, and `2.1.9999999.9999999-dev` as `2.1.x-dev`.
pub(super) fn version(normalized: &str) -> String {
    if let Some((numbers, _)) = normalized.split_once(".9999999")
        && normalized.ends_with("-dev")
    {
        return format!("{numbers}.x-dev");
    }
    let (numbers, rest) = match normalized.split_once('-') {
        Some((numbers, rest)) => (numbers, format!("-{rest}")),
        None => (normalized, String::new()),
    };
    let parts: Vec<&str> = numbers.split('.').collect();
    match parts.as_slice() {
        [first @ .., "0"] if first.len() == 3 => format!("{}{rest}", first.join(".")),
        _ => normalized.to_owned(),
    }
}

/// Returns a bound without the `-dev` that the parser appends, and without trailing zeros.
fn bound(normalized: &str) -> String {
    let plain = normalized.strip_suffix("-dev").unwrap_or(normalized);
    let mut parts: Vec<&str> = plain.split('.').collect();
    while parts.len() > 2 && parts.last() == Some(&"0") {
        parts.pop();
    }
    parts.join(".")
}

/// Returns the text of a constraint: `[>= 1.2.0.0-dev < 2.0.0.0-dev]` becomes `^1.2`.
pub(super) fn constraint(terms: &Terms, id: ConstraintId) -> String {
    match terms.constraint_of(id) {
        Constraint::All => "*".to_owned(),
        Constraint::None => "nothing".to_owned(),
        Constraint::Single(Op::Eq, one) => version(terms.version_of(*one).text()),
        Constraint::Single(op, one) => {
            format!("{}{}", op.text(), bound(terms.version_of(*one).text()))
        }
        Constraint::Multi { conjunctive, parts } => {
            if let (true, [low, high]) = (*conjunctive, &parts[..])
                && let Some(caret) = caret(terms, *low, *high)
            {
                return caret;
            }
            let texts: Vec<String> = parts.iter().map(|part| constraint(terms, *part)).collect();
            texts.join(if *conjunctive { " " } else { " || " })
        }
    }
}

/// Returns the caret constraint for two bounds, or `None` if they don't form one.
fn caret(terms: &Terms, low: ConstraintId, high: ConstraintId) -> Option<String> {
    let Constraint::Single(Op::Ge, from) = terms.constraint_of(low) else {
        return None;
    };
    let Constraint::Single(Op::Lt, to) = terms.constraint_of(high) else {
        return None;
    };
    let from = terms.version_of(*from).text();
    let numbers = from.strip_suffix("-dev").unwrap_or(from).split('.');
    let numbers: Vec<u64> = numbers
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let place = numbers.iter().position(|number| *number > 0)?;
    let next: Vec<String> = (0..numbers.len())
        .map(|at| match at.cmp(&place) {
            std::cmp::Ordering::Equal => (numbers[at] + 1).to_string(),
            _ => "0".to_owned(),
        })
        .collect();
    let wanted = format!("{}-dev", next.join("."));
    (terms.version_of(*to).text() == wanted).then(|| format!("^{}", bound(from)))
}
