//! Checks that a `composer.json` has the shape that every version of Composer accepts
//! (`res/composer-schema.json` as `JsonFile::LAX_SCHEMA`, composer 2.2.0 to 2.10.2).
//!
//! The check is narrower than the schema: a file that it rejects may still be valid, and Composer
//! decides about it.

use crate::json::Json;
use crate::unfamiliar::Unfamiliar;

/// The shape of a value.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// Any value.
    Any,
    Text,
    Bool,
    Int,
    /// A list of any values.
    List,
    /// An object with any values.
    Map,
    /// A list of strings.
    Texts,
    /// A string or a list of strings.
    TextOrTexts,
    /// An object whose values are strings.
    TextMap,
    /// An object whose values are strings or lists of strings.
    TextsMap,
    /// An object whose values are lists.
    ListMap,
    /// An object whose values are booleans.
    BoolMap,
    /// An address that every check of URLs accepts.
    Url,
    /// An address that every check of e-mail addresses accepts.
    Email,
    /// A boolean or what the other shape allows.
    BoolOr(&'static Shape),
    /// A string or what the other shape allows.
    TextOr(&'static Shape),
    /// One of these strings.
    Word(&'static [&'static str]),
    /// An object with these keys, each optional, and any others.
    Keys(&'static [(&'static str, Shape)]),
    /// A list whose elements have a shape.
    Each(&'static Shape),
}

use Shape::{
    Any, Bool, BoolMap, BoolOr, Each, Email, Int, Keys, List, ListMap, Map, Text, TextMap, TextOr,
    TextOrTexts, Texts, TextsMap, Url, Word,
};

const AUTOLOAD: Shape = Keys(&[
    ("psr-0", TextsMap),
    ("psr-4", TextsMap),
    ("classmap", List),
    ("files", List),
    ("exclude-from-classmap", List),
]);

const CONFIG: Shape = Keys(&[
    ("platform", Map),
    ("allow-plugins", BoolOr(&BoolMap)),
    ("process-timeout", Int),
    ("use-include-path", Bool),
    ("use-parent-dir", BoolOr(&Text)),
    ("preferred-install", TextOr(&TextMap)),
    ("notify-on-install", Bool),
    ("source-fallback", Bool),
    ("github-protocols", Texts),
    ("github-oauth", TextMap),
    ("gitlab-protocol", Word(&["git", "http", "https"])),
    ("bearer", TextMap),
    ("disable-tls", Bool),
    ("secure-http", Bool),
    ("secure-svn-domains", Texts),
    ("cafile", Text),
    ("capath", Text),
    ("store-auths", BoolOr(&Text)),
    ("vendor-dir", Text),
    ("bin-dir", Text),
    ("data-dir", Text),
    ("cache-dir", Text),
    ("cache-files-dir", Text),
    ("cache-repo-dir", Text),
    ("cache-vcs-dir", Text),
    ("cache-ttl", Int),
    ("cache-files-ttl", Int),
    ("cache-files-maxsize", Any),
    ("cache-read-only", Bool),
    ("bin-compat", Word(&["auto", "full", "symlink"])),
    ("discard-changes", BoolOr(&Text)),
    ("autoloader-suffix", Text),
    ("optimize-autoloader", Bool),
    ("prepend-autoloader", Bool),
    ("classmap-authoritative", Bool),
    ("apcu-autoloader", Bool),
    ("github-domains", Texts),
    ("github-expose-hostname", Bool),
    ("gitlab-domains", Texts),
    ("use-github-api", Bool),
    ("archive-format", Text),
    ("archive-dir", Text),
    ("htaccess-protect", Bool),
    ("sort-packages", Bool),
    ("lock", Bool),
    ("platform-check", BoolOr(&Word(&["php-only"]))),
    ("bump-after-update", BoolOr(&Word(&["dev", "no-dev"]))),
    ("allow-missing-requirements", Bool),
    ("update-with-minimal-changes", Bool),
    ("audit", AUDIT),
    ("policy", Bool),
]);

const AUDIT: Shape = Keys(&[
    ("abandoned", Word(&["ignore", "report", "fail"])),
    ("ignore", Texts),
    ("ignore-unreachable", Bool),
    ("block-insecure", Bool),
    ("block-abandoned", Bool),
]);

/// Keys of `config` with shapes of their own. A project that has one is Composer's, because its
/// versions disagree about them.
const UNCHECKED: [&str; 5] = [
    "gitlab-oauth",
    "gitlab-token",
    "client-certificate",
    "forgejo-token",
    "custom-headers",
];

const SUPPORT: Shape = Keys(&[
    ("email", Email),
    ("issues", Url),
    ("forum", Url),
    ("wiki", Url),
    ("irc", Text),
    ("chat", Url),
    ("source", Url),
    ("docs", Url),
    ("rss", Url),
    ("security", Url),
]);

const AUTHOR: Shape = Keys(&[
    ("name", Text),
    ("email", Email),
    ("homepage", Text),
    ("role", Text),
]);

const MANIFEST: &[(&str, Shape)] = &[
    ("name", Text),
    ("description", Text),
    ("license", TextOrTexts),
    ("type", Text),
    ("abandoned", BoolOr(&Text)),
    ("version", Text),
    ("default-branch", Bool),
    ("non-feature-branches", Texts),
    ("keywords", Texts),
    ("readme", Text),
    ("time", Text),
    ("authors", Each(&AUTHOR)),
    ("homepage", Url),
    ("support", SUPPORT),
    ("funding", Each(&Keys(&[("type", Text), ("url", Url)]))),
    ("_comment", TextOr(&List)),
    ("require", TextMap),
    ("require-dev", TextMap),
    ("replace", TextMap),
    ("conflict", TextMap),
    ("provide", TextMap),
    ("suggest", TextMap),
    (
        "minimum-stability",
        Word(&["dev", "alpha", "beta", "rc", "RC", "stable"]),
    ),
    ("prefer-stable", Bool),
    ("autoload", AUTOLOAD),
    ("autoload-dev", AUTOLOAD),
    ("target-dir", Text),
    ("include-path", Texts),
    ("bin", TextOrTexts),
    ("archive", Keys(&[("name", Text), ("exclude", List)])),
    ("config", CONFIG),
    ("scripts-descriptions", TextMap),
    ("scripts-aliases", ListMap),
];

/// Checks the shape of a manifest.
pub fn check(manifest: &Json) -> Result<(), Unfamiliar> {
    let Json::Object(entries) = manifest else {
        return Err(Unfamiliar("composer.json is not an object".to_owned()));
    };
    for (key, value) in entries {
        let is_fine = match key.as_str() {
            "extra" => matches!(value, Json::Object(_) | Json::Array(_)),
            "scripts" => has_scripts(value),
            "repositories" => has_repositories(value),
            "source" | "dist" | "php-ext" => false,
            _ => MANIFEST
                .iter()
                .find(|(name, _)| name == key)
                .is_none_or(|(_, shape)| fits(value, *shape)),
        };
        if !is_fine {
            return Err(Unfamiliar(format!("\"{key}\" in composer.json is unusual")));
        }
    }
    if let Some(name) = manifest.get("name").and_then(Json::as_str)
        && !is_package_name(name)
    {
        return Err(Unfamiliar(
            "the name in composer.json is unusual".to_owned(),
        ));
    }
    if let Some(kind) = manifest.get("type").and_then(Json::as_str)
        && (kind.is_empty() || !kind.bytes().all(|byte| is_lower(byte) || byte == b'-'))
    {
        return Err(Unfamiliar(
            "the type in composer.json is unusual".to_owned(),
        ));
    }
    if let Some(version) = manifest.get("version").and_then(Json::as_str)
        && !is_plain_version(version)
    {
        return Err(Unfamiliar(
            "the version in composer.json is unusual".to_owned(),
        ));
    }
    let config = manifest.get("config").map_or(&[][..], Json::entries);
    if let Some((key, _)) = config
        .iter()
        .find(|(key, _)| UNCHECKED.contains(&key.as_str()))
    {
        return Err(Unfamiliar(format!("composer.json has \"config.{key}\"")));
    }
    Ok(())
}

fn fits(value: &Json, shape: Shape) -> bool {
    let each = |inner: &dyn Fn(&Json) -> bool| match value {
        Json::Object(entries) => entries.iter().all(|(_, value)| inner(value)),
        _ => false,
    };
    let texts = |value: &Json| match value {
        Json::Array(items) => items.iter().all(|item| matches!(item, Json::Str(_))),
        _ => false,
    };
    match shape {
        Any => true,
        Text => matches!(value, Json::Str(_)),
        Bool => matches!(value, Json::Bool(_)),
        Int => matches!(value, Json::Int(_)),
        List => matches!(value, Json::Array(_)),
        Map => matches!(value, Json::Object(_)),
        Texts => texts(value),
        TextOrTexts => matches!(value, Json::Str(_)) || texts(value),
        TextMap => each(&|value| matches!(value, Json::Str(_))),
        TextsMap => each(&|value| matches!(value, Json::Str(_)) || texts(value)),
        ListMap => each(&|value| matches!(value, Json::Array(_))),
        BoolMap => each(&|value| matches!(value, Json::Bool(_))),
        Url => value.as_str().is_some_and(is_plain_url),
        Email => value.as_str().is_some_and(is_plain_email),
        BoolOr(other) => matches!(value, Json::Bool(_)) || fits(value, *other),
        TextOr(other) => matches!(value, Json::Str(_)) || fits(value, *other),
        Word(words) => value.as_str().is_some_and(|text| words.contains(&text)),
        Keys(keys) => match value {
            Json::Object(entries) => entries.iter().all(|(key, value)| {
                keys.iter()
                    .find(|(name, _)| name == key)
                    .is_none_or(|(_, shape)| fits(value, *shape))
            }),
            _ => false,
        },
        Each(inner) => match value {
            Json::Array(items) => items.iter().all(|item| fits(item, *inner)),
            _ => false,
        },
    }
}

fn has_scripts(value: &Json) -> bool {
    let is_listener = |value: &Json| fits(value, TextOrTexts);
    matches!(value, Json::Object(entries) if entries.iter().all(|(_, value)| is_listener(value)))
}

/// Returns whether all repositories have a type and a URL, or switch a repository off.
fn has_repositories(value: &Json) -> bool {
    let is_repository = |value: &Json| {
        let is_off = matches!(value.entries(), [(_, Json::Bool(false))]);
        let kind = value.str_at("type");
        is_off
            || match kind {
                Some("composer" | "vcs" | "git" | "path" | "artifact") => {
                    value.str_at("url").is_some()
                        && value
                            .entries()
                            .iter()
                            .all(|(key, value)| match key.as_str() {
                                "type" | "url" | "name" => matches!(value, Json::Str(_)),
                                "canonical" => matches!(value, Json::Bool(_)),
                                "only" | "exclude" => fits(value, Texts),
                                "options" => has_plain_options(value, kind == Some("path")),
                                _ => false,
                            })
                }
                _ => false,
            }
    };
    match value {
        Json::Array(items) => items.iter().all(is_repository),
        Json::Object(entries) => entries.iter().all(|(_, value)| {
            *value == Json::Bool(false)
                || (value.get("name").is_none()
                    && is_repository(value)
                    && value.get("type").is_some())
        }),
        _ => false,
    }
}

fn has_plain_options(value: &Json, is_path: bool) -> bool {
    matches!(value, Json::Object(_))
        && (!is_path
            || fits(
                value,
                Keys(&[
                    ("reference", Word(&["none", "config", "auto"])),
                    ("symlink", Bool),
                    ("relative", Bool),
                    ("versions", TextMap),
                ]),
            ))
}

fn is_lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// Returns whether a name has the form that all versions of Composer accept.
fn is_package_name(name: &str) -> bool {
    let is_word = |part: &str| {
        part.split(['_', '.', '-'])
            .all(|word| !word.is_empty() && word.bytes().all(is_lower))
    };
    name.split_once('/')
        .is_some_and(|(vendor, project)| is_word(vendor) && is_word(project))
}

fn is_plain_version(version: &str) -> bool {
    let numbers = version.strip_prefix('v').unwrap_or(version);
    let parts: Vec<&str> = numbers.split('.').collect();
    let is_numeric = parts.len() <= 4
        && parts
            .iter()
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    let is_branch = version.strip_prefix("dev-").is_some_and(|name| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    is_numeric || is_branch
}

fn is_plain_url(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        rest.starts_with(|first: char| first.is_ascii_alphanumeric())
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~/?#=&%+,:".contains(&byte))
    })
}

fn is_plain_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, host)| {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let dotted = |text: &str| {
            text.split('.')
                .all(|word| !word.is_empty() && word.bytes().all(is_word))
        };
        dotted(name)
            && dotted(host)
            && host.rsplit_once('.').is_some_and(|(_, top)| {
                top.len() > 1 && top.bytes().all(|byte| byte.is_ascii_alphabetic())
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_known(text: &str) -> bool {
        check(&Json::parse(text).expect("valid JSON")).is_ok()
    }

    #[test]
    fn common_manifests_are_known() {
        for text in [
            "{}",
            r#"{"name": "a/b-c", "type": "project", "require": {"php": ">=8.1"}}"#,
            r#"{"config": {"allow-plugins": {"a/b": true}, "platform": {"php": "8.2.0"}}}"#,
            r#"{"scripts": {"test": "phpunit", "post-install-cmd": ["@a", "b"]}}"#,
            r#"{"repositories": [{"type": "vcs", "url": "https://example.org/a"}, {"packagist.org": false}]}"#,
            r#"{"authors": [{"name": "A", "email": "a.b@example.org"}], "extra": {"any": [1, {}]}}"#,
            r#"{"autoload": {"psr-4": {"A\\": ["src", "lib"]}, "classmap": []}, "own-key": 1}"#,
        ] {
            assert!(is_known(text), "{text}");
        }
    }

    #[test]
    fn wrong_types_are_left_to_composer() {
        for text in [
            "[]",
            r#"{"require": []}"#,
            r#"{"name": "A/b"}"#,
            r#"{"config": {"process-timeout": "300"}}"#,
            r#"{"scripts": {"test": [1]}}"#,
            r#"{"repositories": [{"type": "vcs"}]}"#,
            r#"{"authors": [{"name": "A", "email": "nobody"}]}"#,
            r#"{"minimum-stability": "unstable"}"#,
            r#"{"config": {"policy": {}}}"#,
        ] {
            assert!(!is_known(text), "{text}");
        }
    }
}
