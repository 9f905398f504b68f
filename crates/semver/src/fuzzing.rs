//! Fuzz target for the parsers of versions and constraints.

use crate::constraint::{Op, Terms};
use crate::version;

/// Parses two constraints and a version, each on a line of its own.
pub fn constraint(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut lines = text.splitn(3, '\n');
    let mut next = || lines.next().unwrap_or_default();
    let (one, other, pretty) = (next(), next(), next());
    version::stability(pretty);
    version::numeric_alias_prefix(pretty);
    version::normalize_branch(pretty);
    let mut terms = Terms::new(version::Dialect::default());
    let version = terms.normalized(pretty);
    let parsed = [one, other].map(|text| terms.parse(text));
    for constraint in parsed.into_iter().flatten() {
        terms.constraint_text(constraint);
        if let Some(version) = version {
            let exactly = terms.version_of(version).text().to_owned();
            let exactly = terms.single(Op::Eq, &exactly);
            let fits = terms.fits(constraint, version);
            assert_eq!(fits, terms.matches(constraint, exactly), "{text:?}");
        }
    }
    if let [Some(one), Some(other)] = parsed {
        assert_eq!(
            terms.matches(one, other),
            terms.matches(other, one),
            "{text:?}"
        );
    }
}

#[cfg(test)]
mod tests {
    use allegro_base::testing::smoke;

    #[test]
    fn a_constraint_is_parsed_or_not() {
        smoke("constraint", super::constraint);
    }
}
