//! Outcomes of Composer's own parser, pinned. `tests/scanner.rs` compares many more files with it.

#![allow(clippy::unwrap_used)]

use super::strip::strip;
use super::{Dialect, Unsure, find_classes};

const PHP: Dialect = Dialect {
    php: 80200,
    short_open_tag: false,
    backslash_guards: true,
};

fn classes(source: &[u8], dialect: Dialect) -> Result<Vec<String>, Unsure> {
    let names = find_classes(source, dialect)?;
    Ok(names
        .iter()
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect())
}

/// Sources (with `<?php ` before each), and the classes that Composer finds in them.
const TABLE: &[(&str, &[&str])] = &[
    ("", &[]),
    ("class A {}", &["A"]),
    (
        "namespace N; class A {} interface B {} trait C {} enum D {}",
        &["N\\A", "N\\B", "N\\C", "N\\D"],
    ),
    (
        "namespace N\\M { class A {} } namespace { class B {} }",
        &["N\\M\\A", "B"],
    ),
    ("namespace N /* c */ \\ M; class A {}", &["N\\M\\A"]),
    ("CLASS A {} ABSTRACT Class B {}", &["A", "B"]),
    ("if (1) { class A {} } else { class A {} }", &["A", "A"]),
    // Comments
    ("# class A {}\nclass B {}", &["B"]),
    ("// class A {} ?> class B {} <?php class C {}", &["C"]),
    (
        "/* class A {} */ class/**/B {} class /* */ C {} class// x\nD {}",
        &["C", "D"],
    ),
    (
        "#[Attr(1)] class A {} #[Attr('x')]\nclass B {}",
        &["A", "B"],
    ),
    ("/* class A {}", &[]),
    // Texts
    ("$a = 'class A {}'; $b = \"class B {}\"; class C {}", &["C"]),
    (
        "$a = 'it\\'s class A {}'; $b = \"\\\"class B {}\"; class C {}",
        &["C"],
    ),
    (
        "$a = \"{$x['class A {}']}${y}$z[class]$o->p class B {}\"; class C {}",
        &["C"],
    ),
    ("$a = \"{$x[\" class A {}\"]}\"; class B {}", &["A", "B"]),
    (
        "$a = \"{$x/* \" class A {} */}\"; class B {} class C {}",
        &["B", "C"],
    ),
    ("$a = `class A {}`; class B {}", &["A", "B"]),
    ("$a = `class A {} // $x\n`; class B {}", &["A", "B"]),
    ("$a = <<<EOT\nclass A {}\nEOT;\nclass B {}", &["B"]),
    ("$a = <<<'EOT'\nclass A {}\n  EOT;\nclass B {}", &["B"]),
    (
        "f(<<<\"EOT\"\r\nclass A {}\r\n\tEOT, 1);\r\nclass B {}",
        &["B"],
    ),
    (
        "$a = <<<A\n{$x(<<<B\n class A {}\n B)}\nA . 'x'; class B {}",
        &["B"],
    ),
    // Not a declaration
    (
        "$x = A::class ; $y->class ; $class = $x instanceof Y; class B {}",
        &["B"],
    ),
    (
        "new class extends A {}; new class implements B {}; new class { }; new class(1) {};",
        &[],
    ),
    ("new class\nFoo {}", &["Foo"]),
    ("function enum() {} enum(1); class A {}", &["A"]),
    ("__halt_compiler(); class A {}", &["A"]),
    ("yield from class_exists('A'); class B {}", &["B"]),
    (
        "( string ) $x; class A {} $x?->class; class B {}",
        &["A", "B"],
    ),
    // Names
    (
        "enum A: int {} enum B:string {} interface I: Foo {}",
        &["A", "B", "I:"],
    ),
    ("class :foo:bar-baz {}", &["xhp_foo__bar_baz"]),
    ("class \u{e9}t\u{e9} {}", &["\u{e9}t\u{e9}"]),
    ("class A\0 {}\0 class B {}", &["A", "B"]),
    // HTML
    ("?>\nclass A {} <?= 1 ?> <?php class B {}", &["B"]),
    ("?> <?phpx class A {} ?> <?php class B {}", &["A", "B"]),
    ("?> <?xml class A {}", &["A"]),
];

#[test]
fn composers_outcomes_are_these() {
    for (source, expected) in TABLE {
        let source = format!("<?php {source}");
        assert_eq!(
            classes(source.as_bytes(), PHP).unwrap(),
            *expected,
            "{source}"
        );
        let returns = source.replace('\n', "\r");
        assert_eq!(
            classes(returns.as_bytes(), PHP).unwrap(),
            *expected,
            "{returns:?}"
        );
    }
}

#[test]
fn files_without_php_have_no_classes() {
    for source in [
        "",
        "\n",
        " \t\r\n",
        "class A {}",
        "<p>class A {}</p>",
        "\0\0",
        "<?php",
        "<?",
    ] {
        assert_eq!(
            classes(source.as_bytes(), PHP).unwrap(),
            [""; 0],
            "{source:?}"
        );
    }
}

#[test]
fn a_backslash_guards_with_newer_parsers_only() {
    let source = b"<?php use Foo\\Class as X; class B {}";
    assert_eq!(classes(source, PHP).unwrap(), ["B"]);
    let older = Dialect {
        backslash_guards: false,
        ..PHP
    };
    assert_eq!(classes(source, older).unwrap(), ["as", "B"]);
}

#[test]
fn short_tags_decide_what_a_comment_is() {
    let source = b"<? /* class A {} */ class B {} // ?> <?php class C {}";
    let short = Dialect {
        short_open_tag: true,
        ..PHP
    };
    assert_eq!(classes(source, short).unwrap(), ["B", "C"]);
    let source = b"<? # class A {}\nclass B {} ?>";
    assert_eq!(classes(source, short).unwrap(), ["B"]);
    assert_eq!(classes(source, PHP).unwrap(), ["A", "B"]);
}

#[test]
fn the_line_for_the_loader_is_skipped() {
    assert_eq!(
        classes(b"#!/usr/bin/env php\n<?php class A {}", PHP).unwrap(),
        ["A"]
    );
    assert!(classes(b"#!/usr/bin/env php", PHP).is_err());
    assert!(classes(b"#!/bin/sh\n", PHP).is_err());
    assert!(classes(b"#!<?php class A {}\n", PHP).is_err());
}

#[test]
fn what_only_php_knows_is_left_to_it() {
    for source in [
        "<?php <<<A\n{$x[08]}\n  A;",
        "<?php <<<A\n{$x[)]}\n  A;",
        "<?php <<<A\n \tA;",
        "<?php <<<A\nA\"x\";",
        "<?php $a->#[\n",
        "<?php `class/**/ A`;",
        "<?php yield\n from $a;",
    ] {
        assert!(find_classes(source.as_bytes(), PHP).is_err(), "{source:?}");
    }
    let yields = b"<?php yield /* c */ from f(); class A {}";
    assert_eq!(classes(yields, PHP).unwrap(), ["A"]);
    assert!(find_classes(yields, Dialect { php: 80400, ..PHP }).is_err());
    assert!(find_classes(b"<?php", Dialect { php: 70400, ..PHP }).is_err());
    assert!(find_classes(b"\xff\xfe<\0?\0", PHP).is_err());
}

#[test]
fn deep_and_long_files_take_linear_time() {
    let deep = |open: &str| format!("<?php {} class A {{}}", open.repeat(50_000));
    for open in [
        "{",
        "(",
        "\"{$a",
        "`${",
        "<<<A\n{$a[",
        "/**/",
        "yield/**/",
        "<<<",
        "yield",
        "'",
        "?><?php ",
        "namespace a\\",
    ] {
        drop(find_classes(
            deep(open).as_bytes(),
            Dialect { php: 80400, ..PHP },
        ));
    }
    let long = format!(
        "<?php /*{}*/ class A {{}} {}",
        "x".repeat(10 << 20),
        "$a = 1;\n".repeat(1 << 17)
    );
    assert_eq!(classes(long.as_bytes(), PHP).unwrap(), ["A"]);
}

#[test]
fn stripped_code_is_what_php_strip_whitespace_gives() {
    for (source, expected) in [
        (
            "<?php a /*c*/ b/*d*/ c; // x\n d # y\n\n# z\ne",
            "<?php a b c; d e",
        ),
        ("<?php <<<E\nx\nE", "<?php <<<E\nx\nE"),
        ("<?php f(<<<E\nx\n  E, 1);", "<?php f(<<<E\nx\n  E,\n1);"),
        ("<?php <<<E\nx\\\nE; \n y", "<?php <<<E\nx\\\nE;\ny"),
        ("<?php <<<E\n  E\n\n;", "<?php <<<E\n  E\n;"),
        (
            "<?php <<<E\n{$a /* b */ [ 1 ]}\nEX\n E/*c*/ . d",
            "<?php <<<E\n{$a [ 1 ]}\nEX\n E/*c*/\n. d",
        ),
        (
            "<?php \"a  {$b  /* c */}  d $e[\"f\"]  \"  g",
            "<?php \"a  {$b }  d $e[\"f\"]  \" g",
        ),
        ("<?php\n\n$a  ??> \n<b>  c", "<?php\n $a ??> <b> c"),
        ("<?php ?>\n  a  <?php  b", "<?php ?>\n  a  <?php  b"),
        ("<?php $a-> /* b */ # c\n d;", "<?php $a-> d;"),
    ] {
        let stripped = strip(source.as_bytes(), PHP).unwrap();
        assert_eq!(String::from_utf8_lossy(&stripped), expected, "{source}");
    }
}
