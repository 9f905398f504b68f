//! The fuzz target of the class scanner, and the kinds of records that this module decodes.

use allegro_base::testing::records::RecordKind;

use super::{Dialect, dump, find_classes, lists, records, trace};

/// The kinds of records of class maps.
pub const RECORDS: [RecordKind; 4] = [lists::FUZZED, records::FUZZED, trace::FUZZED, dump::FUZZED];

/// Finds the classes of a PHP file, and checks the result. The first byte chooses the dialect.
pub fn scanner(data: &[u8]) {
    let Some((first, source)) = data.split_first() else {
        return;
    };
    let dialect = Dialect {
        php: [80_100, 80_200, 80_300, 80_400, 80_500][usize::from(first >> 2) % 5],
        short_open_tag: first & 1 == 1,
        backslash_guards: first & 2 == 2,
    };
    let read = find_classes(source, dialect);
    assert_eq!(
        read,
        find_classes(source, dialect),
        "a second reading differs"
    );
    for name in read.into_iter().flatten() {
        assert!(!name.is_empty() && !name.contains(&0), "{name:?}");
        assert!(name.len() <= 2 * source.len(), "a name out of nothing");
    }
}

#[cfg(test)]
mod tests {
    use allegro_base::testing::smoke;

    #[test]
    fn classes_are_found_in_whatever_is_there() {
        smoke("scanner", super::scanner);
    }
}
