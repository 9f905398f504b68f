//! URLs as Composer reads them.

use crate::config::Release;
use crate::unfamiliar::Unfamiliar;

/// An http or https URL, in whose parts PHP's `parse_url` and other readers agree.
#[derive(Clone, Copy)]
pub(super) struct HttpUrl<'a> {
    text: &'a str,
    /// Whether the scheme is https.
    pub is_secure: bool,
    /// User and password, as they are written.
    user_info: Option<(&'a str, &'a str)>,
    /// Host, as it is written.
    pub host: &'a str,
    port: Option<&'a str>,
}

impl<'a> HttpUrl<'a> {
    /// Reads a URL.
    pub fn parse(text: &'a str) -> Result<Self, Unfamiliar> {
        Self::read(text).ok_or_else(|| Unfamiliar("the URL of an archive is unusual".to_owned()))
    }

    fn read(text: &'a str) -> Option<Self> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let (is_secure, rest) = match text.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("http://")?),
        };
        let authority = rest.split(['/', '?', '#']).next()?;
        let first = rest.split('/').next()?;
        let (user_info, place) = match authority.split_once('@') {
            None if first.contains('@') => return None,
            None => (None, authority),
            Some((user_info, place)) => {
                let (user, password) = user_info.split_once(':')?;
                let is_plain = !user.is_empty() && !password.is_empty() && !password.contains(':');
                if !is_plain || first[user_info.len() + 1..].contains('@') {
                    return None;
                }
                (Some((user, password)), place)
            }
        };
        let (host, port) = match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if host.is_empty() || !host.bytes().all(is_name) {
            return None;
        }
        if let Some(port) = port {
            let number: u16 = port.parse().ok()?;
            if number == 0 || number.to_string() != port {
                return None;
            }
        }
        Some(Self {
            text,
            is_secure,
            user_info,
            host,
            port,
        })
    }

    /// Returns the user and the password.
    pub fn user_info(&self) -> Option<(&'a str, &'a str)> {
        self.user_info
    }

    /// Returns the URL without user and password.
    pub fn without_user_info(&self) -> String {
        let Some((user, password)) = self.user_info else {
            return self.text.to_owned();
        };
        let start = if self.is_secure {
            "https://"
        } else {
            "http://"
        };
        let end = &self.text[start.len() + user.len() + password.len() + 2..];
        format!("{start}{end}")
    }

    /// Returns whether the host is a name or an address that each check for URLs accepts.
    pub fn has_plain_host(&self) -> bool {
        self.host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && !label.contains('_')
        })
    }

    /// Returns the origin, by which credentials are found (`Url::getOrigin`, composer 2.10.2).
    pub fn origin(&self, release: Release, gitlab_domains: &[String]) -> String {
        let origin = match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.to_owned(),
        };
        let is_github = if release.since(8, 0) {
            origin.ends_with(".github.com") && origin != "codeload.github.com"
        } else {
            // Composer looked at the first occurrence.
            origin
                .find(".github.com")
                .is_some_and(|at| at + 11 == origin.len())
        };
        if is_github {
            return "github.com".to_owned();
        }
        if origin == "repo.packagist.org" {
            return "packagist.org".to_owned();
        }
        // A GitLab server may have a path, as in `example.org/gitlab`.
        let is_known = gitlab_domains.contains(&origin);
        let server = gitlab_domains
            .iter()
            .find(|domain| !is_known && domain.starts_with(&origin));
        server.cloned().unwrap_or(origin)
    }
}

/// Returns the URL of an archive with another reference (`Url::updateDistReference`, composer
/// 2.10.2, the same since 2.2.0).
pub fn update_reference(
    url: &str,
    reference: &str,
    github_domains: &[String],
    gitlab_domains: &[String],
) -> Result<String, Unfamiliar> {
    let host = HttpUrl::parse(url)?.host;
    let parts: Vec<&str> = url.split('/').skip(2).collect();
    let updated = match host {
        "api.github.com" | "github.com" | "www.github.com" => github(&parts, reference),
        "bitbucket.org" | "www.bitbucket.org" => bitbucket(&parts, reference),
        "gitlab.com" | "www.gitlab.com" => gitlab(&parts, reference),
        host if github_domains.iter().any(|domain| domain == host) => {
            checked(enterprise_github(url), reference)?
        }
        host if gitlab_domains.iter().any(|domain| domain == host) => {
            checked(enterprise_gitlab(url), reference)?
        }
        _ => None,
    };
    Ok(updated.unwrap_or_else(|| url.to_owned()))
}

/// Appends a reference to the part of a URL that stays. Composer gives both to a function in which
/// `$` and backslashes have a meaning.
fn checked(kept: Option<String>, reference: &str) -> Result<Option<String>, Unfamiliar> {
    if kept.is_some() && reference.contains(['$', '\\']) {
        return Err(Unfamiliar("a reference is unusual".to_owned()));
    }
    Ok(kept.map(|kept| kept + reference))
}

/// Returns whether the part of a URL that names its server is `host`, with or without `www.`.
fn is_at(authority: &str, host: &str) -> bool {
    authority.eq_ignore_ascii_case(host)
        || authority.split_at_checked(4).is_some_and(|(www, rest)| {
            www.eq_ignore_ascii_case("www.") && rest.eq_ignore_ascii_case(host)
        })
}

/// Returns whether all parts of a path are there.
fn are_named(parts: &[&str]) -> bool {
    parts.iter().all(|part| !part.is_empty())
}

/// Returns the first letters of `zipball` or `tarball`.
fn ball(part: &str) -> Option<&str> {
    let (kind, rest) = part.split_at_checked(3)?;
    let is_kind = ["zip", "tar"]
        .iter()
        .any(|known| kind.eq_ignore_ascii_case(known));
    (is_kind && rest.eq_ignore_ascii_case("ball")).then_some(kind)
}

fn github(parts: &[&str], reference: &str) -> Option<String> {
    let api = |owner: &str, name: &str, kind: &str| {
        format!("https://api.github.com/repos/{owner}/{name}/{kind}ball/{reference}")
    };
    match parts {
        [server, owner, name, kind, rest @ ..]
            if is_at(server, "github.com") && are_named(&[owner, name]) && has_text(rest) =>
        {
            if let Some(kind) = ball(kind) {
                return Some(api(owner, name, kind));
            }
            kind.eq_ignore_ascii_case("archive")
                .then(|| archive_kind(&rest.join("/")))
                .flatten()
                .map(|kind| api(owner, name, &kind))
        }
        [server, repos, owner, name, kind, rest @ ..]
            if server.eq_ignore_ascii_case("api.github.com")
                && repos.eq_ignore_ascii_case("repos")
                && are_named(&[owner, name])
                && (rest.is_empty() || has_text(rest)) =>
        {
            ball(kind).map(|kind| api(owner, name, kind))
        }
        _ => None,
    }
}

/// Returns whether anything follows a slash.
fn has_text(rest: &[&str]) -> bool {
    rest.len() > 1 || rest.first().is_some_and(|part| !part.is_empty())
}

/// Returns `zip` or `tar`, if a name ends with one of them, perhaps followed by `.gz`.
fn archive_kind(name: &str) -> Option<String> {
    let name = cut_end(name, ".gz").unwrap_or(name);
    let start = name.len().checked_sub(4).filter(|start| *start > 0)?;
    let (dot, kind) = name.split_at_checked(start)?.1.split_at(1);
    let is_kind = ["zip", "tar"]
        .iter()
        .any(|known| kind.eq_ignore_ascii_case(known));
    (dot == "." && is_kind).then(|| kind.to_owned())
}

/// Returns the text before an end, whose case does not count.
fn cut_end<'a>(text: &'a str, end: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(text.len().checked_sub(end.len())?)?;
    rest.eq_ignore_ascii_case(end).then_some(start)
}

fn bitbucket(parts: &[&str], reference: &str) -> Option<String> {
    let [server, owner, name, get, rest @ ..] = parts else {
        return None;
    };
    if !is_at(server, "bitbucket.org")
        || !are_named(&[owner, name])
        || !get.eq_ignore_ascii_case("get")
    {
        return None;
    }
    let rest = rest.join("/");
    let end = ["zip", "tar.gz", "tar.bz2"].iter().find_map(|kind| {
        let start = cut_end(&rest, kind)?.strip_suffix('.')?;
        (!start.is_empty()).then(|| &rest[start.len() + 1..])
    })?;
    Some(format!(
        "https://bitbucket.org/{owner}/{name}/get/{reference}.{end}"
    ))
}

fn gitlab(parts: &[&str], reference: &str) -> Option<String> {
    let [
        server,
        api,
        version,
        projects,
        project,
        repository,
        rest @ ..,
    ] = parts
    else {
        return None;
    };
    let is_api = is_at(server, "gitlab.com")
        && is_gitlab_api(&[api, version, projects, project, repository]);
    let rest = rest.join("/");
    let kind = gitlab_archive(&rest).filter(|_| is_api)?;
    Some(format!(
        "https://gitlab.com/api/v4/projects/{project}/repository/archive.{kind}?sha={reference}"
    ))
}

fn is_gitlab_api(parts: &[&str; 5]) -> bool {
    let [api, version, projects, project, repository] = parts;
    api.eq_ignore_ascii_case("api")
        && ["v3", "v4"]
            .iter()
            .any(|known| version.eq_ignore_ascii_case(known))
        && projects.eq_ignore_ascii_case("projects")
        && !project.is_empty()
        && repository.eq_ignore_ascii_case("repository")
}

/// Returns the kind of `archive.KIND?sha=REFERENCE`.
fn gitlab_archive(text: &str) -> Option<&str> {
    let (start, rest) = text.split_at_checked("archive.".len())?;
    let (kind, sha) = rest.split_once('?')?;
    let is_known = ["zip", "tar.gz", "tar.bz2", "tar"]
        .iter()
        .any(|known| kind.eq_ignore_ascii_case(known));
    let (name, reference) = sha.split_at_checked("sha=".len())?;
    let fits = start.eq_ignore_ascii_case("archive.")
        && is_known
        && name.eq_ignore_ascii_case("sha=")
        && !reference.is_empty();
    fits.then_some(kind)
}

/// Returns the places in a URL at which a text begins, whose case does not count.
fn places<'a>(url: &'a str, text: &'a str) -> impl Iterator<Item = usize> + 'a {
    (0..url.len()).filter(move |at| {
        let found = url.get(*at..*at + text.len());
        found.is_some_and(|found| found.eq_ignore_ascii_case(text))
    })
}

/// Returns the part of a URL that goes before the reference, with the slash.
fn enterprise_github(url: &str) -> Option<String> {
    places(url, "/repos/").find_map(|at| {
        let parts: Vec<&str> = url[at..].split('/').skip(2).collect();
        let [owner, name, kind, rest @ ..] = &parts[..] else {
            return None;
        };
        let fits = are_named(&[owner, name])
            && ball(kind).is_some()
            && (rest.is_empty() || has_text(rest));
        let length = "/repos/".len() + owner.len() + name.len() + kind.len() + 2;
        fits.then(|| format!("{}/", &url[..at + length]))
    })
}

/// Returns the part of a URL that goes before the reference.
fn enterprise_gitlab(url: &str) -> Option<String> {
    places(url, "/api/").find_map(|at| {
        let parts: Vec<&str> = url[at..].split('/').skip(1).collect();
        let [api, version, projects, project, repository, rest @ ..] = &parts[..] else {
            return None;
        };
        let rest = rest.join("/");
        let kind = gitlab_archive(&rest)
            .filter(|_| is_gitlab_api(&[api, version, projects, project, repository]))?;
        let end = url.len() - rest.len() + "archive.".len() + kind.len() + "?sha=".len();
        Some(url[..end].to_owned())
    })
}
