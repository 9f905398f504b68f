use super::{normalized, shortest};
use crate::Dialect;

#[test]
fn paths_lose_what_leads_nowhere() {
    for (path, expected) in [
        ("/", "/"),
        ("/a//b/./c/", "/a/b/c"),
        ("/a/../../b", "/b"),
        ("/a\\b", "/a/b"),
        ("//host/a", "//host/a"),
        ("///a", "/a"),
    ] {
        assert_eq!(normalized(path), expected);
    }
}

#[test]
fn the_shortest_path_is_relative_where_directories_are_shared() {
    let dialect = Dialect::default();
    let from = "/srv/app/vendor/composer";
    for (to, expected) in [
        ("/srv/app/vendor/acme/a", "../acme/a"),
        ("/srv/app/vendor/composer/b", "./b"),
        ("/srv/app/vendor/composer", "./"),
        ("/srv/app", "../../"),
        ("/srv/app/web/modules/x", "../../web/modules/x"),
        ("/srv/apps", "../../../apps"),
        ("/opt/x", "/opt/x"),
        ("/", "/"),
    ] {
        assert_eq!(shortest(dialect, from, to), expected, "{to}");
    }
}

#[test]
fn directories_at_the_top_are_related_since_2_5() {
    let [older, newer] = ["2.4.4", "2.5.0"].map(|version| Dialect::of(version).expect("known"));
    assert_eq!(shortest(older, "/vendor", "/app/x"), "/app/x");
    assert_eq!(shortest(newer, "/vendor", "/app/x"), "../app/x");
    assert_eq!(shortest(newer, "/vendor/composer", "/app/x"), "/app/x");
}
