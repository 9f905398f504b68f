//! Commands with Composer's options, as Composer 2.10.2 defines them.
//!
//! The options are those of the classes below `src/Composer/Command`. Options of older versions
//! that are gone, and any newer ones, reach Composer all the same.

use super::{ComposerCommand, Opt, flag, value};

const PREFER_SOURCE: Opt = flag("prefer-source", "Installs from sources where possible").rare();
const PREFER_DIST: Opt = flag("prefer-dist", "Installs from archives (the default)").rare();
const PREFER_INSTALL: Opt = value(
    "prefer-install",
    "WAY",
    "Installs from dist, source or auto",
);
const DRY_RUN: Opt = flag("dry-run", "Only shows what would be done");
const NO_DEV: Opt = flag("no-dev", "Leaves require-dev out");
const NO_SUGGEST: Opt = flag("no-suggest", "Has no effect any more").rare();
const NO_INSTALL: Opt = flag("no-install", "Writes the lock only");
const NO_AUDIT: Opt = flag("no-audit", "Skips the audit after the update");
const AUDIT_FORMAT: Opt = value("audit-format", "FORMAT", "table, plain, json or summary").rare();
const NO_SECURITY_BLOCKING: Opt =
    flag("no-security-blocking", "Former name of --no-blocking").rare();
const NO_BLOCKING: Opt = flag("no-blocking", "Blocks no versions by policy").rare();
const NO_AUTOLOADER: Opt = flag("no-autoloader", "Composer's name of --no-autoload").rare();
const NO_AUTOLOAD: Opt = flag("no-autoload", "Writes no autoload files");
const OPTIMIZE: Opt = flag("optimize-autoloader", "Writes class maps for all packages").short('o');
const AUTHORITATIVE: Opt = flag(
    "classmap-authoritative",
    "Loads classes from class maps only",
)
.short('a');
const STRICT_PSR: Opt = flag(
    "strict-psr-autoloader",
    "Fails if a class breaks PSR-4 or PSR-0",
)
.rare();
const APCU: Opt = flag("apcu-autoloader", "Caches found classes in APCu").rare();
const APCU_PREFIX: Opt = value("apcu-autoloader-prefix", "PREFIX", "Prefix in APCu").rare();
const IGNORE_REQ: Opt = value(
    "ignore-platform-req",
    "NAME",
    "Ignores a requirement of PHP or ext-*",
)
.many();
const IGNORE_REQS: Opt = flag("ignore-platform-reqs", "Ignores all of those");
const PREFER_STABLE: Opt = flag("prefer-stable", "Prefers stable versions").rare();
const PREFER_LOWEST: Opt = flag("prefer-lowest", "Prefers the lowest versions");
const MINIMAL: Opt = flag("minimal-changes", "Changes only what has to change").short('m');
const FORCE: Opt = flag("force", "Works even if nothing has changed");
const LOCKED: Opt = flag("locked", "Reads the lock instead of vendor");
const UPDATE_NO_DEV: Opt = flag("update-no-dev", "Leaves require-dev out").rare();
const UPDATE_WITH: Opt = flag(
    "update-with-dependencies",
    "Moves dependencies, but no root ones",
)
.short('w');
const UPDATE_WITH_ALL: Opt =
    flag("update-with-all-dependencies", "Moves all dependencies too").short('W');
const WITH: Opt = flag("with-dependencies", "Moves dependencies, but no root ones");
const WITH_ALL: Opt = flag("with-all-dependencies", "Moves all dependencies too");
const NO_UPDATE: Opt = flag("no-update", "Changes composer.json only");

/// Options of `update`.
const UPDATE: [Opt; 33] = [
    value("with", "CONSTRAINT", "Adds a constraint, such as a/b:^1.2").many(),
    PREFER_SOURCE,
    PREFER_DIST,
    PREFER_INSTALL.rare(),
    DRY_RUN,
    flag("dev", "Installs require-dev (the default)").rare(),
    NO_DEV,
    flag("lock", "Refreshes the hash in the lock only"),
    NO_INSTALL,
    NO_AUDIT.rare(),
    AUDIT_FORMAT,
    NO_SECURITY_BLOCKING,
    NO_BLOCKING,
    NO_AUTOLOADER,
    NO_AUTOLOAD.rare(),
    NO_SUGGEST,
    WITH.short('w'),
    WITH_ALL.short('W'),
    OPTIMIZE.rare(),
    AUTHORITATIVE.rare(),
    STRICT_PSR,
    APCU,
    APCU_PREFIX,
    IGNORE_REQ,
    IGNORE_REQS.rare(),
    PREFER_STABLE,
    PREFER_LOWEST,
    MINIMAL,
    flag("patch-only", "Moves patch versions only"),
    flag("interactive", "Asks which packages to move").short('i'),
    flag("root-reqs", "Moves root requirements only").rare(),
    value("bump-after-update", "WHICH", "Runs bump afterwards")
        .maybe()
        .rare(),
    FORCE.rare(),
];

/// Heading of the options that `update` lacks.
const OF_RESOLVE: &str = "Options that update lacks";

/// Options of `resolve`: those of `update`, and its own ones in the help.
const fn resolve() -> [Opt; 37] {
    let mut options = [FORCE; 37];
    let mut at = 0;
    while at < UPDATE.len() {
        options[at] = UPDATE[at];
        at += 1;
    }
    options[33] = value("diff", "FORMAT", "Prints changes: text, md or json")
        .maybe()
        .below(OF_RESOLVE);
    options[34] = value("explain", "PACKAGE", "Says why a package has its version")
        .many()
        .below(OF_RESOLVE);
    options[35] = flag("security-only", "Moves only what advisories affect").below(OF_RESOLVE);
    options[36] = flag("install", "Goes on with the installation").below(OF_RESOLVE);
    options
}

const RESOLVE: [Opt; 37] = resolve();

/// The commands with Composer's options.
pub const COMPOSER_COMMANDS: [ComposerCommand; 11] = [
    ComposerCommand {
        name: "install",
        aliases: &["i"],
        about: "Installs what composer.lock names, as composer install does",
        arguments: "",
        options: &[
            NO_DEV,
            flag("frozen-lockfile", "Fails if the lock is absent or outdated"),
            DRY_RUN,
            FORCE,
            flag("download-only", "Downloads, and installs nothing"),
            NO_AUTOLOAD,
            NO_AUTOLOADER,
            OPTIMIZE,
            AUTHORITATIVE,
            STRICT_PSR,
            APCU,
            APCU_PREFIX,
            PREFER_SOURCE,
            PREFER_DIST,
            PREFER_INSTALL,
            flag("audit", "Runs an audit afterwards"),
            AUDIT_FORMAT,
            IGNORE_REQ,
            IGNORE_REQS,
            flag("dev", "Installs require-dev (the default)"),
            NO_SUGGEST,
            NO_SECURITY_BLOCKING,
            NO_BLOCKING,
            flag("no-install", "Is no option of install").rare(),
        ],
        example: "allegro install --no-dev --frozen-lockfile",
    },
    ComposerCommand {
        name: "update",
        aliases: &["u", "upgrade"],
        about: "Moves packages to newer versions, writes the lock, and installs",
        arguments: "PACKAGE: Names or patterns; without any, all",
        options: &UPDATE,
        example: "allegro update acme/* -W",
    },
    ComposerCommand {
        name: "require",
        aliases: &["r"],
        about: "Adds requirements to composer.json, and installs them",
        arguments: "PACKAGE: Names, with constraints as a/b:^1.2",
        options: &[
            flag("dev", "Adds to require-dev"),
            DRY_RUN,
            PREFER_SOURCE,
            PREFER_DIST,
            PREFER_INSTALL.rare(),
            flag("fixed", "Adds the exact version"),
            NO_SUGGEST,
            NO_UPDATE,
            NO_INSTALL,
            NO_AUDIT,
            AUDIT_FORMAT,
            NO_SECURITY_BLOCKING,
            NO_BLOCKING,
            UPDATE_NO_DEV,
            UPDATE_WITH,
            UPDATE_WITH_ALL,
            WITH.rare(),
            WITH_ALL.rare(),
            IGNORE_REQ,
            IGNORE_REQS.rare(),
            PREFER_STABLE,
            PREFER_LOWEST,
            MINIMAL.rare(),
            flag("sort-packages", "Sorts the requirements"),
            OPTIMIZE,
            AUTHORITATIVE.rare(),
            APCU,
            APCU_PREFIX,
        ],
        example: "allegro require --dev acme/tester:^2",
    },
    ComposerCommand {
        name: "remove",
        aliases: &["rm", "uninstall"],
        about: "Takes requirements out of composer.json, and uninstalls them",
        arguments: "PACKAGE: Names of packages",
        options: &[
            flag("dev", "Removes from require-dev"),
            DRY_RUN,
            NO_UPDATE,
            NO_INSTALL,
            NO_AUDIT,
            AUDIT_FORMAT,
            NO_SECURITY_BLOCKING,
            NO_BLOCKING,
            UPDATE_NO_DEV,
            UPDATE_WITH,
            UPDATE_WITH_ALL,
            WITH_ALL.rare(),
            flag("no-update-with-dependencies", "Moves no dependencies"),
            MINIMAL,
            flag("unused", "Removes what nothing needs"),
            IGNORE_REQ,
            IGNORE_REQS.rare(),
            OPTIMIZE,
            AUTHORITATIVE.rare(),
            APCU,
            APCU_PREFIX,
        ],
        example: "allegro remove acme/tester",
    },
    ComposerCommand {
        name: "resolve",
        aliases: &[],
        about: "Writes the lock that composer update would write, and installs nothing",
        arguments: "PACKAGE: Names or patterns; without any, all",
        options: &RESOLVE,
        example: "allegro resolve --diff",
    },
    ComposerCommand {
        name: "outdated",
        aliases: &[],
        about: "Lists packages that have newer versions",
        arguments: "PACKAGE: Name or pattern of packages",
        options: &[
            flag("outdated", "Shows outdated packages (the default)")
                .short('o')
                .rare(),
            flag("all", "Shows all packages and newest versions").short('a'),
            LOCKED,
            flag("direct", "Shows root requirements only").short('D'),
            flag("strict", "Fails where a package is outdated"),
            flag("major-only", "Shows new major versions only").short('M'),
            flag("minor-only", "Shows new minor versions only").short('m'),
            flag("patch-only", "Shows new patch versions only").short('p'),
            flag("sort-by-age", "Shows ages of versions, oldest first").short('A'),
            value("format", "FORMAT", "text or json").short('f'),
            value("ignore", "PACKAGE", "Leaves packages out").many(),
            NO_DEV,
            IGNORE_REQ,
            IGNORE_REQS.rare(),
        ],
        example: "allegro outdated --direct",
    },
    ComposerCommand {
        name: "why",
        aliases: &["depends"],
        about: "Shows which packages need a package",
        arguments: "PACKAGE: Name of the package",
        options: &[
            flag("recursive", "Goes on up to the root").short('r'),
            flag("tree", "Prints a tree").short('t'),
            LOCKED,
        ],
        example: "allegro why acme/lib --tree",
    },
    ComposerCommand {
        name: "audit",
        aliases: &[],
        about: "Checks installed packages for security advisories",
        arguments: "",
        options: &[
            NO_DEV,
            value("format", "FORMAT", "table, plain, json or summary").short('f'),
            LOCKED,
            value("abandoned", "WAY", "ignore, report or fail"),
            value("ignore-severity", "LEVEL", "Ignores advisories of a level").many(),
            flag(
                "ignore-unreachable",
                "Ignores repositories that don't answer",
            ),
        ],
        example: "allegro audit --locked",
    },
    ComposerCommand {
        name: "dump-autoload",
        aliases: &["dumpautoload"],
        about: "Writes the autoload files",
        arguments: "",
        options: &[
            flag("optimize", "Writes class maps for all packages").short('o'),
            AUTHORITATIVE,
            flag("apcu", "Caches found classes in APCu"),
            value("apcu-prefix", "PREFIX", "Prefix in APCu"),
            DRY_RUN,
            flag("dev", "Writes the rules of autoload-dev"),
            flag("no-dev", "Leaves the rules of autoload-dev out"),
            IGNORE_REQ,
            IGNORE_REQS,
            flag("strict-psr", "Fails if a class breaks PSR-4 or PSR-0"),
            flag("strict-ambiguous", "Fails if a class is in several files"),
        ],
        example: "allegro dump-autoload -o",
    },
    ComposerCommand {
        name: "run",
        aliases: &["run-script"],
        about: "Runs a script of composer.json",
        arguments: "SCRIPT: The script; its arguments after --",
        options: &[
            value("timeout", "SECONDS", "Ends the script then; 0: never"),
            flag("dev", "Sets the development mode"),
            flag("no-dev", "Leaves the development mode"),
            flag("list", "Lists the scripts").short('l'),
        ],
        example: "allegro run test -- --filter Unit",
    },
    ComposerCommand {
        name: "exec",
        aliases: &[],
        about: "Runs a program of an installed package",
        arguments: "PROGRAM: The program; its arguments after --",
        options: &[flag("list", "Lists the programs").short('l')],
        example: "allegro exec phpunit -- --filter Unit",
    },
];
