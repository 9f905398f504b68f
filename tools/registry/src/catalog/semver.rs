//! Implements the part of Composer's constraints that tells whether a changed version still fits. A
//! constraint that it doesn't understand counts as not fitting. The caller then makes a change that
//! needs no fit.

type Version = [u64; 3];

/// Returns whether `version` certainly satisfies `constraint`.
pub(super) fn satisfies(version: &str, constraint: &str) -> bool {
    let Some(version) = parse(version) else {
        return false;
    };
    constraint
        .split("||")
        .flat_map(|part| part.split('|'))
        .any(|alternative| all(version, alternative.trim()))
}

/// Returns the numbers of a plain `1.2.3` or `v1.2.3`.
pub(super) fn parse(version: &str) -> Option<Version> {
    let mut numbers = [0; 3];
    let mut parts = version.trim_start_matches('v').split('.');
    for number in &mut numbers {
        *number = parts.next()?.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

fn all(version: Version, alternative: &str) -> bool {
    if alternative.contains(" - ") || alternative.contains('@') || alternative.is_empty() {
        return false;
    }
    // `>= 1.2` with a space after the operator is one condition.
    let joined = alternative
        .replace(">= ", ">=")
        .replace("<= ", "<=")
        .replace("> ", ">")
        .replace("< ", "<");
    joined
        .split([' ', ','])
        .filter(|condition| !condition.is_empty())
        .all(|condition| one(version, condition))
}

fn one(version: Version, condition: &str) -> bool {
    if condition == "*" {
        return true;
    }
    let split = condition
        .find(|character: char| character.is_ascii_digit() || character == 'v')
        .unwrap_or(0);
    let (operator, text) = condition.split_at(split);
    let text = text.trim_start_matches('v');
    let wildcard = text.strip_suffix(".*").or_else(|| text.strip_suffix(".x"));
    let given: Option<Vec<u64>> = wildcard
        .unwrap_or(text)
        .split('.')
        .map(|part| part.parse().ok())
        .collect();
    let Some(given) = given.filter(|given| !given.is_empty() && given.len() <= 4) else {
        return false;
    };
    let at = |index: usize| given.get(index).copied().unwrap_or(0);
    let low: Version = [at(0), at(1), at(2)];
    let next = |index: usize| {
        let mut high = [0; 3];
        high[..=index].copy_from_slice(&low[..=index]);
        high[index] += 1;
        high
    };
    match operator {
        "" if wildcard.is_some() => version >= low && version < next(given.len().min(3) - 1),
        "" | "=" | "==" => version == low,
        "^" => {
            let index = if low[0] > 0 || given.len() == 1 {
                0
            } else if low[1] > 0 || given.len() == 2 {
                1
            } else {
                2
            };
            version >= low && version < next(index)
        }
        "~" => version >= low && version < next(given.len().clamp(2, 4) - 2),
        ">=" => version >= low,
        ">" => version > low,
        "<=" => version <= low,
        "<" => version < low,
        "!=" => version != low,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::satisfies;

    #[test]
    fn what_composer_would_say() {
        for (version, constraint, expected) in [
            ("1.4.2", "^1.2", true),
            ("v1.4.2", "^1.4.3", false),
            ("0.3.1", "^0.3", true),
            ("0.4.0", "^0.3", false),
            ("2.0.0", "^1.0 || ^2.0", true),
            ("2.9.9", "~2.1", true),
            ("2.2.0", "~2.1.3", false),
            ("3.1.0", "3.*", true),
            ("3.1.0", ">=2.0 <3.0", false),
            ("3.1.0", ">= 2.0, <4", true),
            ("3.1.0", "dev-main", false),
            ("3.1.0", "*", true),
        ] {
            assert_eq!(
                satisfies(version, constraint),
                expected,
                "{version} {constraint}"
            );
        }
    }
}
