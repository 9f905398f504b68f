//! Reports installs to the repositories that the packages come from
//! (`InstallationManager::notifyInstalls`, composer 2.10.2).
//!
//! The requests are planned before anything is written, because one may be unfamiliar. They are
//! sent after the operations. An operation that fails changes nothing, because Composer has begun
//! all others by then.

use std::collections::HashMap;
use std::time::Duration;

use allegro_composer::Unfamiliar;
use allegro_composer::access::Access;
use allegro_composer::json::Json;
use allegro_composer::package::Package;
use allegro_composer::transaction::Operation;

use super::decide::Steps;
use super::project::Project;
use crate::console::Console;
use crate::ops::{Report, Sending, report};
use crate::protocol::prepare::{PackageOutcome, PrepareAnswer, Provenance};
use crate::settings::Settings;

/// The part of a URL in place of which the name of a package stands. Such URLs get a request for
/// each package.
const PLACE: &str = "%package%";

/// The part of the URLs whose reports tell the sizes of downloads.
const PACKAGIST: &str = "packagist.org/";

/// A package whose install is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reported {
    name: String,
    pretty_name: String,
    version: String,
    pretty_version: String,
}

/// A request with the packages that it reports.
#[derive(Debug)]
struct Planned {
    /// Value of `notification-url`.
    target: String,
    url: String,
    headers: Vec<String>,
    /// Warning about plain HTTP.
    warning: Option<String>,
    packages: Vec<Reported>,
}

/// The reports of an install.
#[derive(Debug, Default)]
pub struct Notifications(Vec<Planned>);

impl Notifications {
    /// Plans the reports of an install, unless they are switched off or nothing may be sent.
    pub fn plan(
        project: &Project,
        mut access: Access,
        steps: &Steps<'_>,
        is_offline: bool,
    ) -> Result<Self, Unfamiliar> {
        let settings = &project.settings;
        if !settings.notify || settings.is_offline || is_offline {
            return Ok(Self::default());
        }
        let packages = steps.operations.iter().filter_map(|operation| {
            let to = match *operation {
                Operation::Install(to) => to,
                // Composer forgets packages that change their type.
                Operation::Update { from, to } => {
                    let kind = &project.installed[from].package.kind;
                    (*kind == steps.locked[to].kind).then_some(to)?
                }
                _ => return None,
            };
            Some(steps.locked[to])
        });
        // Composer doesn't repeat a warning. Whether it was given shows when downloads have ended.
        access.forget_warnings();
        Self::of(packages, &mut access, settings.http.secure_http)
    }

    fn of<'p>(
        packages: impl Iterator<Item = &'p Package>,
        access: &mut Access,
        secure_http: bool,
    ) -> Result<Self, Unfamiliar> {
        let mut targets: Vec<(&str, Vec<&Package>)> = Vec::new();
        for package in packages {
            let Some(url) = package.notification_url.as_deref() else {
                continue;
            };
            match targets.iter_mut().find(|(known, _)| *known == url) {
                Some((_, packages)) => packages.push(package),
                None => targets.push((url, vec![package])),
            }
        }
        let mut planned = Vec::new();
        for (target, packages) in targets {
            if target.contains(PLACE) {
                for package in packages {
                    let url = target.replace(PLACE, &package.pretty_name);
                    planned.extend(plan(access, secure_http, target, &url, &[package])?);
                }
            } else {
                planned.extend(plan(access, secure_http, target, target, &packages)?);
            }
        }
        Ok(Self(planned))
    }

    /// Sends the reports, and prints the warnings that Composer gives. A warning that was given when
    /// the answer's packages were downloaded is not repeated.
    pub fn send(
        &self,
        prepared: &Prepared<'_>,
        settings: &Settings,
        project: &Project,
        console: &mut Console,
    ) -> Sending {
        let sizes = prepared.sizes();
        let warned = prepared.warned();
        let mut reports = Vec::with_capacity(self.0.len());
        for planned in &self.0 {
            if let Some(warning) = &planned.warning
                && !warned.contains(&warning.as_str())
            {
                console.line(warning);
            }
            reports.push(planned.report(&sizes));
        }
        report(reports, settings, &project.settings.http)
    }
}

/// The packages that were made ready for an install.
pub struct Prepared<'a> {
    /// Packages by their ids in the answer.
    pub packages: Vec<&'a Package>,
    /// Outcome of each package.
    pub answer: &'a PrepareAnswer,
    /// Warnings about downloads, by the package's id.
    pub warnings: &'a [(usize, String)],
    /// Warnings that were given before the downloads.
    pub given: &'a [String],
}

impl<'a> Prepared<'a> {
    /// Returns the sizes of the archives that were downloaded, by id. Archives from a cache have
    /// none.
    fn downloads(&self) -> impl Iterator<Item = (usize, u64)> {
        self.answer.packages.iter().filter_map(|package| {
            let PackageOutcome::Ready {
                from: Provenance::Download,
                downloaded,
                ..
            } = package.outcome
            else {
                return None;
            };
            Some((package.id, downloaded))
        })
    }

    fn sizes(&self) -> HashMap<&'a str, u64> {
        self.downloads()
            .filter_map(|(id, size)| Some((self.packages.get(id)?.name.as_str(), size)))
            .collect()
    }

    /// Returns the warnings about downloads that have happened.
    fn warned(&self) -> Vec<&'a str> {
        let ids: Vec<usize> = self.downloads().map(|(id, _)| id).collect();
        self.warnings
            .iter()
            .filter(|(id, _)| ids.contains(id))
            .map(|(_, warning)| warning.as_str())
            .chain(self.given.iter().map(String::as_str))
            .collect()
    }
}

/// Plans a request. Composer refuses plain HTTP in silence if the configuration forbids it.
fn plan(
    access: &mut Access,
    secure_http: bool,
    target: &str,
    url: &str,
    packages: &[&Package],
) -> Result<Option<Planned>, Unfamiliar> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b":/.-_?=&".contains(&byte);
    let is_http = url.to_ascii_lowercase().starts_with("http://");
    if secure_http && is_http && url.bytes().all(is_plain) {
        return Ok(None);
    }
    let request = access.request(url, None)?;
    let packages = packages.iter().map(|package| Reported {
        name: package.name.clone(),
        pretty_name: package.pretty_name.clone(),
        version: package.version.clone(),
        pretty_version: package.pretty_version.clone(),
    });
    Ok(Some(Planned {
        target: target.to_owned(),
        url: request.url,
        headers: request.headers,
        warning: request.warning,
        packages: packages.collect(),
    }))
}

impl Planned {
    /// Makes the report, given the sizes of downloads by the names of their packages.
    fn report(&self, sizes: &HashMap<&str, u64>) -> Report {
        let (content_type, body, seconds) = if self.target.contains(PLACE) {
            let body = self.packages.first().map_or_else(String::new, |package| {
                format!(
                    "version={}&version_normalized={}",
                    url_encoded(&package.pretty_version),
                    url_encoded(&package.version)
                )
            });
            ("application/x-www-form-urlencoded", body, 3)
        } else {
            let has_sizes = self.target.contains(PACKAGIST);
            let entries = self.packages.iter().map(|package| {
                let mut entry = Json::object();
                entry.set("name", Json::str(&package.pretty_name));
                entry.set("version", Json::str(&package.version));
                if has_sizes {
                    let size = sizes.get(package.name.as_str());
                    let size = size.and_then(|size| i64::try_from(*size).ok());
                    entry.set("downloaded", size.map_or(Json::Bool(false), Json::Int));
                }
                entry
            });
            let mut list = Json::object();
            list.set("downloads", Json::Array(entries.collect()));
            ("application/json", list.to_php_default(), 6)
        };
        Report {
            url: self.url.clone(),
            headers: self.headers.clone(),
            content_type,
            body,
            timeout: Duration::from_secs(seconds),
        }
    }
}

/// Encodes a value of a form as PHP's `urlencode` does.
fn url_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            _ => {
                // A text takes everything.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
