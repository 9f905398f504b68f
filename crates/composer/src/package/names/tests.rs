use super::{is_package, is_platform};

#[test]
fn names_of_the_platform() {
    for name in [
        "php",
        "PHP",
        "php-64bit",
        "php-ipv6",
        "php-zts",
        "php-debug",
        "hhvm",
        "composer",
        "composer-plugin-api",
        "composer-runtime-api",
        "ext-json",
        "EXT-Zend-OPcache",
        "lib-curl",
        "lib-pdo_sqlite-sqlite.3",
    ] {
        assert!(is_platform(name), "{name}");
    }
}

#[test]
fn names_that_only_look_like_the_platform() {
    for name in [
        "",
        "php-",
        "php-extra",
        "composer/composer",
        "composer-api",
        "ext",
        "ext-",
        "ext--json",
        "ext-json-",
        "ext-a--b",
        "ext-a..b",
        "ext-a/b",
        "lib-\u{fc}",
        "ext-json\n",
        "vendor/ext-json",
    ] {
        assert!(!is_platform(name), "{name}");
    }
}

#[test]
fn names_of_packages() {
    for name in ["a/b", "my-vendor/my.pack--age_1"] {
        assert!(is_package(name), "{name}");
    }
    for name in [
        "a", "A/b", "a/b/c", "a--b/c", "a/b---c", "a/-b", "con/b", "a/b.json",
    ] {
        assert!(!is_package(name), "{name}");
    }
}
