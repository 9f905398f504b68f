//! The types of values that a configuration file may have.
//!
//! Composer validates its files against a schema, and warns or stops if they differ from it. The
//! checks here accept a part of what the schema accepts (`res/composer-schema.json`, composer
//! 2.10.2, where `config` has the same types since 2.2.0 unless noted).

use super::release::Release;
use crate::json::Json;

/// Returns whether a value of `config` is one that Composer takes without a word.
pub(super) fn is_familiar(release: Release, key: &str, value: &Json) -> bool {
    match key {
        // Only Composer itself sets its home.
        "home" => false,
        "use-include-path"
        | "notify-on-install"
        | "disable-tls"
        | "secure-http"
        | "cache-read-only"
        | "optimize-autoloader"
        | "prepend-autoloader"
        | "classmap-authoritative"
        | "apcu-autoloader"
        | "github-expose-hostname"
        | "use-github-api"
        | "htaccess-protect"
        | "sort-packages"
        | "lock" => is_bool(value),
        "allow-missing-requirements" if release.since(8, 0) => is_bool(value),
        "update-with-minimal-changes" if release.since(9, 0) => is_bool(value),
        "source-fallback" if release.since(10, 0) => is_bool(value),
        "process-timeout" | "cache-ttl" | "cache-files-ttl" => is_int(value),
        "cafile" | "capath" | "vendor-dir" | "bin-dir" | "data-dir" | "cache-dir"
        | "cache-files-dir" | "cache-repo-dir" | "cache-vcs-dir" | "autoloader-suffix"
        | "archive-format" | "archive-dir" => is_str(value),
        "cache-files-maxsize" => is_str(value) || is_int(value),
        "use-parent-dir" | "store-auths" | "discard-changes" => is_str(value) || is_bool(value),
        "platform-check" => is_bool(value) || value.as_str() == Some("php-only"),
        "bump-after-update" => is_bool(value) || is_one_of(value, &["dev", "no-dev"]),
        "bin-compat" => is_one_of(value, &["auto", "full", "proxy"]),
        "gitlab-protocol" => is_one_of(value, &["git", "http", "https"]),
        "github-protocols" | "secure-svn-domains" | "github-domains" | "gitlab-domains" => {
            is_list(value, is_str)
        }
        "forgejo-domains" if release.since(9, 0) => is_list(value, is_str),
        "preferred-install" => is_str(value) || is_map(value, is_str),
        "allow-plugins" => is_bool(value) || is_map(value, is_bool),
        "platform" => is_map(value, |version| is_str(version) || is_bool(version)),
        "github-oauth" | "bearer" => is_map(value, is_str),
        "gitlab-oauth" => is_map(value, |token| {
            let is_object = || release.knows_gitlab_oauth_objects() && has(token, &["token"]);
            is_str(token) || is_object()
        }),
        "gitlab-token" => is_map(value, |token| {
            let is_object =
                || release.knows_gitlab_token_objects() && has(token, &["username", "token"]);
            is_str(token) || is_object()
        }),
        "http-basic" => is_map(value, |login| has(login, &["username", "password"])),
        "bitbucket-oauth" => is_map(value, is_consumer),
        "client-certificate" if release.since(9, 0) => is_map(value, is_certificate),
        "forgejo-token" if release.since(9, 0) => {
            is_map(value, |login| has(login, &["username", "token"]))
        }
        "custom-headers" if release.since(9, 0) => {
            is_map(value, |headers| is_list(headers, is_str))
        }
        "audit" if release.since(6, 0) => is_audit(release, value),
        "policy" if release.since(10, 0) => is_policy(value),
        _ => true,
    }
}

fn is_bool(value: &Json) -> bool {
    matches!(value, Json::Bool(_))
}

fn is_int(value: &Json) -> bool {
    matches!(value, Json::Int(_))
}

fn is_str(value: &Json) -> bool {
    matches!(value, Json::Str(_))
}

fn is_one_of(value: &Json, words: &[&str]) -> bool {
    value.as_str().is_some_and(|text| words.contains(&text))
}

fn is_list(value: &Json, is_item: impl Fn(&Json) -> bool) -> bool {
    matches!(value, Json::Array(items) if items.iter().all(is_item))
}

fn is_map(value: &Json, is_item: impl Fn(&Json) -> bool) -> bool {
    matches!(value, Json::Object(entries) if entries.iter().all(|(_, item)| is_item(item)))
}

/// Returns whether a value is an object that has a string under each of the names.
fn has(value: &Json, names: &[&str]) -> bool {
    names.iter().all(|name| value.str_at(name).is_some())
}

/// Returns whether the member of an object is absent or as it should be.
fn may_have(value: &Json, name: &str, is_item: impl Fn(&Json) -> bool) -> bool {
    value.get(name).is_none_or(is_item)
}

fn is_consumer(value: &Json) -> bool {
    has(value, &["consumer-key", "consumer-secret"])
        && may_have(value, "access-token", is_str)
        && may_have(value, "access-token-expiration", is_int)
}

fn is_certificate(value: &Json) -> bool {
    has(value, &["local_cert"])
        && may_have(value, "local_pk", is_str)
        && may_have(value, "passphrase", is_str)
}

fn is_audit(release: Release, value: &Json) -> bool {
    let is_ignored = |value: &Json| is_list(value, is_str) || is_map(value, is_str);
    let is_rules =
        |value: &Json| is_list(value, is_str) || (release.since(10, 0) && is_rules(value));
    let is_action = |value: &Json| is_one_of(value, &["ignore", "report", "fail"]);
    matches!(value, Json::Object(_))
        && may_have(value, "ignore", |value| {
            is_ignored(value) || is_rules(value)
        })
        && may_have(value, "abandoned", is_action)
        && may_have(value, "ignore-severity", is_rules)
        && may_have(value, "ignore-abandoned", |value| {
            is_ignored(value) || is_rules(value)
        })
        && ["ignore-unreachable", "block-insecure", "block-abandoned"]
            .iter()
            .all(|name| may_have(value, name, is_bool))
}

fn is_policy(value: &Json) -> bool {
    is_bool(value)
        || matches!(value, Json::Object(lists) if lists.iter().all(|(name, list)| match &**name {
            "ignore-unreachable" => is_bool(list) || is_list(list, is_scope),
            "advisories" | "malware" | "abandoned" => is_bool(list) || is_policy_list(name, list),
            // Lists of other names have rules of their own.
            _ => false,
        }))
}

fn is_scope(value: &Json) -> bool {
    is_one_of(value, &["audit", "install", "update"])
}

fn is_policy_list(list: &str, value: &Json) -> bool {
    is_map(value, |_| true)
        && value
            .entries()
            .iter()
            .all(|(name, value)| match (list, &**name) {
                (_, "block") => is_bool(value),
                (_, "audit") => is_one_of(value, &["ignore", "report", "fail"]),
                (_, "ignore") | ("advisories", "ignore-id") => {
                    is_list(value, is_str) || is_rules(value)
                }
                ("advisories", "ignore-severity") | ("malware", "ignore-source") => {
                    is_list(value, is_str)
                }
                ("malware", "block-scope") => is_one_of(value, &["all", "update", "install"]),
                _ => false,
            })
}

/// Returns whether a value maps names to reasons.
fn is_rules(value: &Json) -> bool {
    is_map(value, |reason| {
        is_str(reason) || matches!(reason, Json::Null)
    })
}
