//! The order of packages in a dump, and the packages that count without development packages.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use allegro_composer::Unfamiliar;
use allegro_composer::package::Link;

use super::rules::Item;
use super::traits::Traits;

/// Weights beyond this don't occur, and might be fractions in PHP.
const LIMIT: i64 = 1 << 60;

/// Chains of requirements beyond this length don't occur, and might exhaust the stack.
const DEPTH: usize = 5_000;

/// Leaves out development packages by following the root's requirements
/// (`AutoloadGenerator::filterPackageMap`, composer 2.10.2). Composer does so if it doesn't know
/// the names of the development packages.
pub fn required<'i, 'a>(items: &[&'i Item<'a>], root: &[Link]) -> Vec<&'i Item<'a>> {
    let by_name: HashMap<&str, &Item> = items.iter().map(|item| (item.name, *item)).collect();
    let replaced_by: HashMap<&str, &str> = items
        .iter()
        .flat_map(|item| item.replaces.iter().map(|link| (&*link.target, item.name)))
        .collect();
    let mut included: HashSet<&str> = HashSet::new();
    let mut pending = vec![root];
    while let Some(links) = pending.pop() {
        for link in links {
            let target = replaced_by.get(&*link.target).copied();
            let target = target.unwrap_or(&link.target);
            if included.insert(target)
                && let Some(item) = by_name.get(target)
            {
                pending.push(item.requires);
            }
        }
    }
    items
        .iter()
        .filter(|item| {
            let links = item.provides.iter().chain(item.replaces);
            included.contains(item.name)
                || links
                    .into_iter()
                    .any(|link| included.contains(&*link.target))
        })
        .copied()
        .collect()
}

/// Sorts packages so that dependencies come first (`PackageSorter::sortPackages`, composer 2.10.2).
/// The names are unique.
///
/// # Errors
/// Fails for inputs whose order depends on PHP's sort.
pub fn sorted<'i, 'a>(
    items: &[&'i Item<'a>],
    traits: &Traits,
) -> Result<Vec<&'i Item<'a>>, Unfamiliar> {
    let mut users: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut numbers: HashMap<&str, usize> = HashMap::with_capacity(items.len());
    for (number, item) in items.iter().enumerate() {
        if numbers.insert(item.name, number).is_some() {
            return Err(Unfamiliar(format!(
                "the package {} is there twice",
                item.name
            )));
        }
        let dev_requires = if traits.sorts_by_name {
            &[]
        } else {
            item.dev_requires
        };
        // Composer merges both lists by target, so each target counts once.
        let is_further = |link: &&Link| item.requires.iter().all(|one| one.target != link.target);
        let further = dev_requires.iter().filter(is_further);
        for link in item.requires.iter().chain(further) {
            users.entry(&link.target).or_default().push(number);
        }
    }
    let users: Vec<Vec<usize>> = items
        .iter()
        .map(|item| users.remove(item.name).unwrap_or_default())
        .collect();
    let mut weights = Weights {
        users: &users,
        known: vec![Weight::Unknown; items.len()],
    };
    let mut weighted = Vec::with_capacity(items.len());
    for (number, item) in items.iter().enumerate() {
        weighted.push((weights.of(number, 0)?, *item));
    }
    if traits.sorts_by_name {
        if let Some(item) = items.iter().find(|item| has_leading_zeros(item.name)) {
            let name = item.name;
            return Err(Unfamiliar(format!(
                "{name} has a number with leading zeros"
            )));
        }
        weighted.sort_by(|left, right| {
            left.0
                .cmp(&right.0)
                .then_with(|| compare(left.1.name, right.1.name))
        });
    } else {
        weighted.sort_by_key(|(weight, _)| *weight);
    }
    Ok(weighted.into_iter().map(|(_, item)| item).collect())
}

#[derive(Debug, Clone, Copy)]
enum Weight {
    Unknown,
    /// A weight further up needs this one, which then counts as zero.
    Pending,
    Known(i64),
}

struct Weights<'u> {
    users: &'u [Vec<usize>],
    known: Vec<Weight>,
}

impl Weights<'_> {
    fn of(&mut self, number: usize, depth: usize) -> Result<i64, Unfamiliar> {
        match self.known[number] {
            Weight::Known(weight) => return Ok(weight),
            Weight::Pending => return Ok(0),
            Weight::Unknown => {}
        }
        if depth > DEPTH {
            return Err(Unfamiliar("requirements form a very long chain".to_owned()));
        }
        self.known[number] = Weight::Pending;
        let mut weight = 0;
        let users = self.users;
        for &user in &users[number] {
            weight -= 1 - self.of(user, depth + 1)?;
            if weight < -LIMIT {
                return Err(Unfamiliar("a package has a huge weight".to_owned()));
            }
        }
        self.known[number] = Weight::Known(weight);
        Ok(weight)
    }
}

/// Returns whether a number in the name begins with a zero that isn't its only digit. Versions of
/// PHP compare such numbers differently.
fn has_leading_zeros(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.windows(2).enumerate().any(|(at, pair)| {
        pair[0] == b'0' && pair[1].is_ascii_digit() && (at == 0 || !bytes[at - 1].is_ascii_digit())
    })
}

/// Compares two names as PHP's `strnatcasecmp` does, for names without leading zeros and spaces.
fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (mut a, mut b) = (0, 0);
    while a < left.len() && b < right.len() {
        let (long, short) = (digits(&left[a..]), digits(&right[b..]));
        if long > 0 && short > 0 {
            let (one, other) = (&left[a..a + long], &right[b..b + short]);
            let order = if one[0] == b'0' || other[0] == b'0' {
                one.cmp(other)
            } else {
                long.cmp(&short).then_with(|| one.cmp(other))
            };
            if order != Ordering::Equal {
                return order;
            }
            a += long;
            b += short;
            continue;
        }
        let order = left[a]
            .to_ascii_uppercase()
            .cmp(&right[b].to_ascii_uppercase());
        if order != Ordering::Equal {
            return order;
        }
        a += 1;
        b += 1;
    }
    (left.len() - a).cmp(&(right.len() - b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names = vec![
            "b/a10", "b/a9", "B/a2-x", "b/a", "b/a-0", "b/a-10", "b/a_1", "b/a.1", "a/z", "b/a9z",
        ];
        names.sort_by(|left, right| compare(left, right));
        assert_eq!(
            names,
            [
                "a/z", "b/a", "b/a-0", "b/a-10", "b/a.1", "B/a2-x", "b/a9", "b/a9z", "b/a10",
                "b/a_1"
            ]
        );
    }

    #[test]
    fn leading_zeros_are_seen() {
        for (name, expected) in [
            ("a/b01", true),
            ("a/007x", true),
            ("01/a", true),
            ("a/b0", false),
            ("a/b100", false),
            ("a/b0c", false),
            ("a/b-0.1", false),
        ] {
            assert_eq!(has_leading_zeros(name), expected, "{name}");
        }
    }
}
