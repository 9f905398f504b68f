//! Asks repositories whether advisories affect packages
//! (`ComposerRepository::getSecurityAdvisories`, composer 2.8.12).

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use allegro_composer::access::Access;
use allegro_composer::json::{Json, PhpJson};
use allegro_composer::{Unfamiliar, unfamiliar};
use allegro_fetch::{Fetcher, Post};
use allegro_semver::constraint::Terms;
use allegro_semver::version::Dialect;

use super::repositories::{MetadataRepository, Repositories};
use crate::ops::http::{fetch_options, headers};
use crate::protocol::http::HttpOptions;
use crate::protocol::resolve::problem::Content;
use crate::settings::Settings;

/// The time in which a repository must answer.
const LIMIT: Duration = Duration::from_secs(10);

/// Most bytes of an answer.
const MOST: usize = 32 << 20;

/// The means of an audit.
#[derive(Clone, Copy)]
pub struct Setup<'a> {
    /// Settings of the native part.
    pub settings: &'a Settings,
    /// Options of all requests.
    pub http: &'a HttpOptions,
    /// Behaviour of composer/semver.
    pub dialect: Dialect,
}

/// Checks that no advisory affects a package. Packages are given by name and normalized version.
///
/// # Errors
/// An advisory affects a package, or that is not certain. Composer has the words for it.
pub fn check(
    packages: &[(&str, &str)],
    repositories: &Repositories,
    access: &mut Access,
    setup: Setup<'_>,
) -> Result<(), Unfamiliar> {
    if packages.is_empty() {
        return Ok(());
    }
    let mut fetcher = None;
    for repository in &repositories.list {
        let Some(advisories) = &repository.advisories else {
            continue;
        };
        let url = url_of(repository, advisories)?;
        let fetcher = match &mut fetcher {
            Some(fetcher) => fetcher,
            None => fetcher.insert(
                Fetcher::new(fetch_options(setup.settings, setup.http))
                    .map_err(|error| Unfamiliar(error.to_string()))?,
            ),
        };
        let request = access.request(url, None)?;
        if request.warning.is_some() {
            return unfamiliar("advisories come over plain HTTP");
        }
        let post = Post {
            url: request.url,
            headers: headers(&request.headers),
            content_type: "application/x-www-form-urlencoded".to_owned(),
            body: question(packages).into_bytes(),
            timeout: LIMIT,
            proxies: setup.http.proxies.clone(),
        };
        let answer = fetcher.question(&post, MOST);
        let answer = answer.ok_or_else(|| Unfamiliar("no advisories were given".to_owned()))?;
        read(answer, packages, setup.dialect)?;
    }
    Ok(())
}

/// Returns the URL that answers questions about advisories.
fn url_of<'a>(
    repository: &MetadataRepository,
    advisories: &'a Json,
) -> Result<&'a str, Unfamiliar> {
    let is_partial = match &repository.given.content {
        Content::Metadata { available, .. } => available.is_some(),
        _ => true,
    };
    let is_filtered = repository.given.only.is_some() || repository.given.exclude.is_some();
    let in_metadata = !matches!(
        advisories.get("metadata"),
        None | Some(Json::Null | Json::Bool(false))
    );
    let url = advisories.str_at("api-url");
    let url = url.filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    match url {
        Some(url) if !is_partial && !is_filtered && !in_metadata => Ok(url),
        _ => unfamiliar("a repository has advisories in an unusual place"),
    }
}

/// Returns the names of packages as a form (`http_build_query`).
fn question(packages: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (at, (name, _)) in packages.iter().enumerate() {
        let separator = if at == 0 { "" } else { "&" };
        let _ = write!(text, "{separator}packages%5B{at}%5D=");
        for byte in name.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                    text.push(char::from(byte));
                }
                other => {
                    let _ = write!(text, "%{other:02X}");
                }
            }
        }
    }
    text
}

/// Reads an answer, in which no advisory may affect a package.
fn read(answer: Vec<u8>, packages: &[(&str, &str)], dialect: Dialect) -> Result<(), Unfamiliar> {
    let unusual = || Unfamiliar("the advisories are unusual".to_owned());
    let text = String::from_utf8(answer).map_err(|_| unusual())?;
    let text = PhpJson::of(text).map_err(|_| unusual())?;
    let json = Json::parse(text.as_str()).map_err(|_| unusual())?;
    let advisories = json.get("advisories").ok_or_else(unusual)?;
    if !advisories.items().is_empty() {
        return Err(unusual());
    }
    let versions: HashMap<&str, &str> = packages.iter().copied().collect();
    let mut terms = Terms::new(dialect);
    for (name, list) in advisories.entries() {
        let version = versions.get(name.as_str()).ok_or_else(unusual)?;
        let version = terms.version(version);
        for advisory in list.items() {
            let affected = advisory.str_at("affectedVersions");
            let affected = affected.and_then(|affected| terms.parse(affected));
            if terms.fits(affected.ok_or_else(unusual)?, version) {
                return unfamiliar(format!("an advisory affects {name}"));
            }
        }
        if !list.entries().is_empty() {
            return Err(unusual());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_a_form() {
        let packages = [("a/b-c", "1.0.0.0"), ("d_e/f.g", "2.0.0.0")];
        let text = "packages%5B0%5D=a%2Fb-c&packages%5B1%5D=d_e%2Ff.g";
        assert_eq!(question(&packages), text);
    }

    #[test]
    fn advisories_affect_versions() {
        let packages = [("a/a", "1.0.0.0"), ("b/b", "dev-main")];
        for (answer, is_fine) in [
            (r#"{"advisories": []}"#, true),
            (r#"{"advisories": {"a/a": [], "b/b": []}}"#, true),
            (
                r#"{"advisories": {"a/a": [{"affectedVersions": ">=2"}]}}"#,
                true,
            ),
            (
                r#"{"advisories": {"a/a": [{"affectedVersions": "<2|>=3"}]}}"#,
                false,
            ),
            (
                r#"{"advisories": {"a/a": [{"affectedVersions": "what?"}]}}"#,
                false,
            ),
            (r#"{"advisories": {"a/a": [{}]}}"#, false),
            (r#"{"advisories": {"c/c": []}}"#, false),
            (r#"{"advisories": {"a/a": {"x": {}}}}"#, false),
            (r#"{"advisories": [1]}"#, false),
            (r#"{"status": "error"}"#, false),
            ("", false),
        ] {
            let read = read(answer.as_bytes().to_vec(), &packages, Dialect::default());
            assert_eq!(read.is_ok(), is_fine, "{answer}");
        }
    }
}
