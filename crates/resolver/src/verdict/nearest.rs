//! Finds names of packages with a spelling close to another one.

/// The number of names that a verdict lists.
const MOST: usize = 3;

/// Returns the known names that differ from a name by typing errors only, the nearest first.
pub(super) fn nearest(name: &str, known: &[String]) -> Vec<String> {
    // A short name may have one error, a long one three. With more errors, a short name would match
    // any other one.
    let farthest = (name.len() / 4).clamp(1, 3);
    let mut found: Vec<(usize, &str)> = known
        .iter()
        .filter(|other| *other != name && other.len().abs_diff(name.len()) <= farthest)
        .map(|other| (distance(name.as_bytes(), other.as_bytes()), other.as_str()))
        .filter(|(distance, _)| *distance <= farthest)
        .collect();
    found.sort_unstable();
    found.dedup();
    found.truncate(MOST);
    found.into_iter().map(|(_, name)| name.to_owned()).collect()
}

/// Returns the Levenshtein distance: the least number of bytes to insert, replace or delete to get
/// from one text to the other.
fn distance(one: &[u8], other: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, byte) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (place, own) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(own != byte);
            diagonal = row[place + 1];
            row[place + 1] = replaced.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    fn among(name: &str, known: &[&str]) -> Vec<String> {
        let known: Vec<String> = known.iter().map(|name| (*name).to_owned()).collect();
        nearest(name, &known)
    }

    #[test]
    fn names_with_typing_errors_are_found() {
        let known = [
            "monolog/monolog",
            "symfony/console",
            "symfony/consola",
            "symfony/consul",
            "laravel/framework",
            "symfony/consol",
            "symfony/console",
        ];
        assert_eq!(
            among("symfony/consol", &known),
            ["symfony/consola", "symfony/console", "symfony/consul"]
        );
        assert_eq!(among("monlog/monolgo", &known), ["monolog/monolog"]);
        assert_eq!(among("guzzlehttp/guzzle", &known), [""; 0]);
        assert_eq!(among("a/b", &["a/bc", "a/bcd", "x/y"]), ["a/bc"]);
        assert_eq!(among("a/b", &[]), [""; 0]);
    }

    #[test]
    fn distances_are_those_of_php() {
        for (one, other, wanted) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("monlog", "monolog", 1),
            ("a/\u{e4}", "a/a", 2),
        ] {
            assert_eq!(
                distance(one.as_bytes(), other.as_bytes()),
                wanted,
                "{one} {other}"
            );
        }
    }
}
