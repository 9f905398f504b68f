//! The configuration before any file (`Config::$defaultConfig`, composer 2.10.2).

use super::release::Release;
use super::value::{Array, Value};

/// Returns the defaults of a release, in Composer's order.
pub(super) fn values(release: Release) -> Array {
    let mut values = Array::default();
    for (name, default, minor, patch) in TABLE {
        if *minor == 0 || (release.since(*minor, *patch)) {
            values.put(name, default.value(release));
        }
    }
    values
}

/// Returns the repositories that every project has.
pub(super) fn repositories() -> Array {
    let mut packagist = Array::default();
    packagist.put("type", Value::str("composer"));
    packagist.put("url", Value::str("https://repo.packagist.org"));
    let mut repositories = Array::default();
    repositories.put("packagist.org", Value::Array(packagist));
    repositories
}

enum Default {
    Null,
    Bool(bool),
    Int(i64),
    Str(&'static str),
    List(&'static [&'static str]),
    Audit,
}

impl Default {
    fn value(&self, release: Release) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Str(text) => Value::str(*text),
            Self::List(items) => Value::Array(items.iter().map(|item| Value::str(*item)).collect()),
            Self::Audit => {
                let mut audit = Array::default();
                audit.put("ignore", Value::empty());
                if release.since(7, 0) {
                    audit.put("abandoned", Value::str("fail"));
                } else if release.since(6, 3) {
                    audit.put("abandoned", Value::str("default"));
                }
                Value::Array(audit)
            }
        }
    }
}

use Default::{Audit, Bool, Int, List, Null, Str};

/// The name, the value, and the minor and patch of the release since which it exists. A minor of 0
/// stands for all releases.
const TABLE: &[(&str, Default, u16, u16)] = &[
    ("process-timeout", Int(300), 0, 0),
    ("use-include-path", Bool(false), 0, 0),
    ("allow-plugins", List(&[]), 0, 0),
    ("use-parent-dir", Str("prompt"), 0, 0),
    ("preferred-install", Str("dist"), 0, 0),
    ("audit", Audit, 6, 0),
    ("policy", Bool(true), 10, 0),
    ("notify-on-install", Bool(true), 0, 0),
    ("github-protocols", List(&["https", "ssh", "git"]), 0, 0),
    ("gitlab-protocol", Null, 0, 0),
    ("vendor-dir", Str("vendor"), 0, 0),
    ("bin-dir", Str("{$vendor-dir}/bin"), 0, 0),
    ("cache-dir", Str("{$home}/cache"), 0, 0),
    ("data-dir", Str("{$home}"), 0, 0),
    ("cache-files-dir", Str("{$cache-dir}/files"), 0, 0),
    ("cache-repo-dir", Str("{$cache-dir}/repo"), 0, 0),
    ("cache-vcs-dir", Str("{$cache-dir}/vcs"), 0, 0),
    ("cache-ttl", Int(15_552_000), 0, 0),
    ("cache-files-ttl", Null, 0, 0),
    ("cache-files-maxsize", Str("300MiB"), 0, 0),
    ("cache-read-only", Bool(false), 0, 0),
    ("bin-compat", Str("auto"), 0, 0),
    ("discard-changes", Bool(false), 0, 0),
    ("autoloader-suffix", Null, 0, 0),
    ("sort-packages", Bool(false), 0, 0),
    ("optimize-autoloader", Bool(false), 0, 0),
    ("classmap-authoritative", Bool(false), 0, 0),
    ("apcu-autoloader", Bool(false), 0, 0),
    ("prepend-autoloader", Bool(true), 0, 0),
    ("update-with-minimal-changes", Bool(false), 9, 0),
    ("github-domains", List(&["github.com"]), 0, 0),
    ("bitbucket-expose-hostname", Bool(true), 0, 0),
    ("disable-tls", Bool(false), 0, 0),
    ("secure-http", Bool(true), 0, 0),
    ("secure-svn-domains", List(&[]), 0, 0),
    ("cafile", Null, 0, 0),
    ("capath", Null, 0, 0),
    ("github-expose-hostname", Bool(true), 0, 0),
    ("gitlab-domains", List(&["gitlab.com"]), 0, 0),
    ("store-auths", Str("prompt"), 0, 0),
    ("platform", List(&[]), 0, 0),
    ("archive-format", Str("tar"), 0, 0),
    ("archive-dir", Str("."), 0, 0),
    ("htaccess-protect", Bool(true), 0, 0),
    ("use-github-api", Bool(true), 0, 0),
    ("lock", Bool(true), 0, 0),
    ("platform-check", Str("php-only"), 0, 0),
    ("bitbucket-oauth", List(&[]), 3, 7),
    ("github-oauth", List(&[]), 3, 7),
    ("gitlab-oauth", List(&[]), 3, 7),
    ("gitlab-token", List(&[]), 3, 7),
    ("http-basic", List(&[]), 3, 7),
    ("bearer", List(&[]), 3, 7),
    ("custom-headers", List(&[]), 9, 0),
    ("bump-after-update", Bool(false), 8, 0),
    ("allow-missing-requirements", Bool(false), 8, 0),
    ("client-certificate", List(&[]), 9, 0),
    ("forgejo-domains", List(&["codeberg.org"]), 9, 0),
    ("forgejo-token", List(&[]), 9, 0),
    ("source-fallback", Bool(false), 10, 0),
];
