//! The repositories of an update.

use std::path::PathBuf;

use allegro_composer::access::Access;
use allegro_composer::json::Json;
use allegro_composer::{Unfamiliar, unfamiliar};
use allegro_semver::constraint::Terms;
use allegro_semver::version::normalize;

use super::config::UpdateConfig;
use super::problem::{any_of, expression};
use super::root_file::{self, Wanted};
use crate::install::project::{Configured, Target};
use crate::protocol::resolve::ResolveSource;
use crate::protocol::resolve::problem::{Content, Repository};
use crate::settings::Settings;

/// A repository with metadata files.
#[derive(Debug)]
pub struct MetadataRepository {
    /// The repository in the problem.
    pub given: Repository,
    /// The place of its files.
    pub source: ResolveSource,
    /// URL to which installs of its packages are reported.
    pub notification_url: Option<String>,
    /// The `security-advisories` that it announces.
    pub advisories: Option<Json>,
    /// Whether it announces lists of refused versions.
    pub has_lists: bool,
}

/// The repositories of an update.
#[derive(Debug, Default)]
pub struct Repositories {
    /// Repositories in their order.
    pub list: Vec<MetadataRepository>,
    /// Warnings that the first request to a repository brings.
    pub warnings: Vec<String>,
    /// Whether each repository may be asked for any name.
    pub are_open: bool,
    /// Whether each root file was recent in the cache when the update began.
    pub are_recent: bool,
}

/// A repository as the configuration has it.
struct Configuration {
    /// The address without a slash at the end.
    url: String,
    only: Option<Vec<String>>,
    exclude: Option<Vec<String>>,
    is_canonical: bool,
}

impl Repositories {
    /// Reads the repositories of a project, and their root files.
    pub fn load(
        settings: &Configured,
        update: &UpdateConfig,
        access: &mut Access,
        target: &Target,
        core: &Settings,
    ) -> Result<Self, Unfamiliar> {
        let entries: Vec<&Json> = match &settings.repositories {
            Json::Object(entries) => entries.iter().map(|(_, value)| value).collect(),
            Json::Array(items) => items.iter().collect(),
            _ => return unfamiliar("the repositories are unusual"),
        };
        let configurations: Vec<Configuration> = entries
            .into_iter()
            .map(Configuration::of)
            .collect::<Result<_, _>>()?;
        let mut warnings = Vec::new();
        let mut wanted = Vec::new();
        for configuration in &configurations {
            let mut request = access.request(&configuration.file_url(), None)?;
            warnings.extend(request.warning.take());
            wanted.push(Wanted {
                request,
                cache: configuration.cache(update)?,
                is_writable: update.is_writable,
            });
        }
        let are_recent = wanted.iter().all(Wanted::is_recent);
        let files = root_file::fetch(&wanted, core, &settings.http)?;
        let mut list = Vec::new();
        for ((configuration, wanted), file) in configurations.iter().zip(wanted).zip(&files) {
            check_messages(file, target)?;
            let mut repository = configuration.read(file)?;
            let mut request = access.request(&repository.source.url, None)?;
            warnings.extend(request.warning.take());
            repository.source.url = request.url;
            repository.source.headers = request.headers;
            repository.source.cache_dir = wanted.cache;
            repository.source.cache_writable = wanted.is_writable;
            list.push(repository);
        }
        // Which host is asked first depends on the packages.
        if warnings.len() > 1 {
            return unfamiliar("several repositories are on plain HTTP");
        }
        let is_open = |repository: &MetadataRepository| {
            let Content::Metadata { available, .. } = &repository.given.content else {
                return false;
            };
            available.is_none()
                && repository.given.only.is_none()
                && repository.given.exclude.is_none()
        };
        Ok(Self {
            are_open: list.iter().all(is_open),
            are_recent,
            list,
            warnings,
        })
    }
}

impl Configuration {
    fn of(entry: &Json) -> Result<Self, Unfamiliar> {
        let mut names = entry.entries().iter().map(|(name, _)| name.as_str());
        if let Some(name) = names.find(|name| {
            !matches!(
                *name,
                "name" | "type" | "url" | "only" | "exclude" | "canonical"
            )
        }) {
            return unfamiliar(format!("a repository has the setting {name}"));
        }
        match entry.str_at("type") {
            Some("composer") => {}
            Some(other) => return unfamiliar(format!("a repository has the type {other}")),
            None => return unfamiliar("a repository has no type"),
        }
        let Some(url) = entry.str_at("url") else {
            return unfamiliar("a repository has no address");
        };
        let mut url = url.trim_end_matches('/').to_owned();
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\\?#@%$".contains(&byte);
        let is_web = url.starts_with("https://") || url.starts_with("http://");
        if !is_web || !url.bytes().all(is_plain) {
            return unfamiliar("the address of a repository is unusual");
        }
        for scheme in ["https", "http"] {
            if url.eq_ignore_ascii_case(&format!("{scheme}://packagist.org")) {
                url = format!("{scheme}://repo.packagist.org");
            }
        }
        if url.contains(".json") {
            return unfamiliar("the address of a repository is that of a file");
        }
        let patterns = |key: &str| match entry.get(key) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Array(items)) if !items.is_empty() => {
                let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
                let texts: Option<Vec<String>> = texts.collect();
                texts.map_or_else(
                    || unfamiliar("a filter of a repository is unusual"),
                    |texts| Ok(Some(texts)),
                )
            }
            Some(_) => unfamiliar("a filter of a repository is unusual"),
        };
        let (only, exclude) = (patterns("only")?, patterns("exclude")?);
        if only.is_some() && exclude.is_some() {
            return unfamiliar("a repository has two filters");
        }
        Ok(Self {
            url,
            only,
            exclude,
            is_canonical: match entry.get("canonical") {
                None | Some(Json::Null | Json::Bool(true)) => true,
                Some(Json::Bool(false)) => false,
                Some(_) => return unfamiliar("the setting canonical of a repository"),
            },
        })
    }

    fn file_url(&self) -> String {
        format!("{}/packages.json", self.url)
    }

    /// Returns the directory in Composer's cache, which is made if it is missing.
    fn cache(&self, update: &UpdateConfig) -> Result<Option<PathBuf>, Unfamiliar> {
        let Some(root) = &update.cache else {
            return Ok(None);
        };
        let name: String = self
            .url
            .chars()
            .map(|one| {
                if one.is_ascii_alphanumeric() || one == '.' {
                    one
                } else {
                    '-'
                }
            })
            .collect();
        let directory = root.join(name);
        if update.is_writable {
            let is_there = std::fs::create_dir_all(&directory).is_ok()
                && rustix::fs::access(&directory, rustix::fs::Access::WRITE_OK).is_ok();
            if !is_there {
                return unfamiliar("Composer's cache can't be written");
            }
        }
        Ok(Some(directory))
    }

    /// Reads the root file of the repository.
    fn read(&self, file: &Json) -> Result<MetadataRepository, Unfamiliar> {
        if file.entries().is_empty() {
            return unfamiliar("the packages.json of a repository is empty");
        }
        let is_set = |key: &str| file.get(key).is_some_and(|value| !is_empty(value));
        if is_set("packages") {
            return unfamiliar("a repository has packages in its packages.json");
        }
        if is_set("mirrors") {
            return unfamiliar("a repository has mirrors");
        }
        let url = |key: &str| match file.get(key).filter(|value| !is_empty(value)) {
            None => Ok(None),
            Some(Json::Str(url)) => Ok(Some(self.canonical(url))),
            Some(_) => unfamiliar(format!("the {key} of a repository")),
        };
        let Some(metadata_url) = url("metadata-url")? else {
            return unfamiliar("a repository has no metadata files");
        };
        let texts = |key: &str| match file.get(key).filter(|value| !is_empty(value)) {
            None => Ok(None),
            Some(Json::Array(items)) => {
                let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
                let texts: Option<Vec<String>> = texts.collect();
                texts.map_or_else(
                    || unfamiliar(format!("the {key} of a repository")),
                    |texts| Ok(Some(texts)),
                )
            }
            Some(_) => unfamiliar(format!("the {key} of a repository")),
        };
        let available = texts("available-packages")?;
        let patterns = texts("available-package-patterns")?;
        let content = if available.is_none() && patterns.is_none() {
            Content::Metadata {
                available: None,
                available_patterns: None,
            }
        } else {
            let lower = |name: String| name.to_ascii_lowercase();
            let available = available.unwrap_or_default().into_iter();
            let patterns = patterns.unwrap_or_default().into_iter();
            Content::Metadata {
                available: Some(available.map(lower).collect()),
                available_patterns: Some(
                    patterns
                        .map(|pattern| format!("(?i)^{}$", expression(&pattern)))
                        .collect(),
                ),
            }
        };
        let all = |patterns: &Option<Vec<String>>| {
            let patterns = patterns.iter().flatten();
            any_of(patterns.map(String::as_str))
        };
        Ok(MetadataRepository {
            given: Repository {
                content,
                only: all(&self.only),
                exclude: all(&self.exclude),
                canonical: self.is_canonical,
            },
            source: ResolveSource {
                url: metadata_url,
                headers: Vec::new(),
                tls: None,
                cache_dir: None,
                cache_writable: false,
            },
            notification_url: match url("notify-batch")? {
                Some(url) => Some(url),
                None => url("notify")?,
            },
            advisories: file
                .get("security-advisories")
                .filter(|value| matches!(value, Json::Array(_) | Json::Object(_)))
                .cloned(),
            has_lists: file.get("filter").is_some_and(|value| *value != Json::Null),
        })
    }

    /// Completes a URL that begins with a slash (`ComposerRepository::canonicalizeUrl`).
    fn canonical(&self, url: &str) -> String {
        if !url.starts_with('/') {
            return url.to_owned();
        }
        let host = self.url.find("://").map_or(0, |at| at + 3);
        let end = self.url[host..]
            .find('/')
            .map_or(self.url.len(), |at| host + at);
        format!("{}{url}", &self.url[..end])
    }
}

/// Checks that a root file has no message for this version of Composer
/// (`HttpDownloader::outputWarnings`, composer 2.10.2).
fn check_messages(file: &Json, target: &Target) -> Result<(), Unfamiliar> {
    let mut terms = Terms::new(target.semver);
    let mut concerns = |constraint: &Json| {
        let constraint = constraint.as_str().and_then(|text| terms.parse(text));
        let version = normalize(target.semver, &target.version);
        let (Some(constraint), Some(version)) = (constraint, version) else {
            return true;
        };
        let version = terms.version(&version);
        terms.fits(constraint, version)
    };
    let mut has_message = false;
    for kind in ["warning", "info"] {
        if file.get(kind).is_some_and(|text| !is_empty(text)) {
            let versions = file.get(&format!("{kind}-versions"));
            let versions = versions.filter(|versions| !is_empty(versions));
            has_message |= versions.is_none_or(&mut concerns);
        }
        for message in file.items_at(&format!("{kind}s")) {
            has_message |= message.get("versions").is_none_or(&mut concerns);
        }
        has_message |= !file.entries_at(&format!("{kind}s")).is_empty();
    }
    if has_message {
        return unfamiliar("a repository has a message");
    }
    Ok(())
}

/// Returns whether PHP takes a value for empty.
fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(false) | Json::Int(0) => true,
        Json::Str(text) => matches!(text.as_str(), "" | "0"),
        Json::Array(items) => items.is_empty(),
        Json::Object(entries) => entries.is_empty(),
        Json::Float(number) => *number == 0.0,
        Json::Bool(true) | Json::Int(_) => false,
    }
}
