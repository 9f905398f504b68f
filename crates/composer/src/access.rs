//! How Composer requests an archive: URLs, place in its cache, headers, proxies and certificates.
//!
//! A request that is not certain, or of which Composer would say something, is
//! [`Unfamiliar`].

mod certificates;
mod credentials;
mod mirrors;
mod proxies;
mod setup;
mod url;

use std::collections::HashSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use crate::config::{Config, Release};
use crate::json::Json;
use crate::package::Package;
use crate::unfamiliar::Unfamiliar;

pub use certificates::{CertificateProbe, Certificates, Found};
pub use mirrors::dist_urls;
pub use proxies::proxies;
pub use setup::{Agent, HttpSetup};
pub use url::update_reference;

use credentials::{Credentials, Login};
use url::HttpUrl;

/// The access to archives that a configuration grants.
#[derive(Debug, Clone)]
pub struct Access {
    release: Release,
    github_domains: Vec<String>,
    gitlab_domains: Vec<String>,
    secure_http: bool,
    disable_tls: bool,
    credentials: Credentials,
    warned_hosts: HashSet<String>,
}

/// A URL of an archive. It may contain secrets, so `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct DistUrl {
    /// URL of the package or its mirror.
    pub base: String,
    /// URL that Composer requests, which names the reference.
    pub processed: String,
    /// Path of the archive below the root of the cache.
    pub cache_key: String,
}

/// A request. It contains secrets, so `Debug` hides them.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// URL without credentials.
    pub url: String,
    /// Header lines.
    pub headers: Vec<String>,
    /// Warning that Composer gives once for a host, in its markup.
    pub warning: Option<String>,
}

/// Composer's cache of archives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveCache {
    /// Root directory with a slash at the end.
    pub root: String,
    /// Whether Composer would write to it. It does so only if it can make the directory.
    pub is_writable: bool,
}

impl Access {
    /// Loads the credentials of a complete configuration (`BaseIO::loadConfiguration`, composer
    /// 2.10.2). Domains that have credentials are added to the configuration.
    pub fn new(config: &mut Config) -> Result<Self, Unfamiliar> {
        let credentials = Credentials::load(config)?;
        Ok(Self {
            release: config.release(),
            github_domains: config.github_domains()?,
            gitlab_domains: config.gitlab_domains()?,
            secure_http: config.secure_http()?,
            disable_tls: config.disable_tls()?,
            credentials,
            warned_hosts: HashSet::new(),
        })
    }

    /// Returns the URLs of a package's archive in the order in which Composer tries them. A package
    /// without an archive has none (`FileDownloader::download`, composer 2.10.2).
    pub fn dist_urls(&self, package: &Package) -> Result<Vec<DistUrl>, Unfamiliar> {
        let Some(dist) = &package.dist else {
            return Ok(Vec::new());
        };
        if dist.kind.is_empty() {
            return Err(Unfamiliar("the archive has no type".to_owned()));
        }
        let of_url = |base: String| {
            let processed = match &dist.reference {
                Some(reference) => {
                    update_reference(&base, reference, &self.github_domains, &self.gitlab_domains)?
                }
                None => base.clone(),
            };
            let cache_key = cache_key(&package.name, &processed, &dist.kind);
            Ok(DistUrl {
                base,
                processed,
                cache_key,
            })
        };
        dist_urls(package)?.into_iter().map(of_url).collect()
    }

    /// Returns the request for a URL with credentials (`AuthHelper::addAuthenticationOptions`,
    /// composer 2.10.2), given the package's `transport-options`.
    ///
    /// Credentials in a URL hold for the requests that follow, as in Composer. So requests are to
    /// be made in the order of the downloads.
    pub fn request(&mut self, url: &str, options: Option<&Json>) -> Result<Request, Unfamiliar> {
        let parsed = HttpUrl::parse(url)?;
        if parsed.is_secure && self.disable_tls {
            return Err(Unfamiliar("TLS is disabled".to_owned()));
        }
        let mut headers = own_headers(options)?;
        let warning = if parsed.is_secure {
            None
        } else {
            self.plain_http(&parsed)?
        };
        let origin = parsed.origin(self.release, &self.gitlab_domains);
        if let Some((user, password)) = parsed.user_info() {
            let login = Login::decoded(user, password)?;
            if origin == "github.com" && login.password == "x-oauth-basic" {
                return Err(Unfamiliar("a URL has a GitHub token".to_owned()));
            }
            self.credentials.replace(&origin, login);
        }
        let url = parsed.without_user_info();
        if let Some((origin, login)) = self.credentials.of(&origin) {
            headers.extend(self.authorization(origin, login, &url)?);
        }
        Ok(Request {
            url,
            headers,
            warning,
        })
    }

    /// Forgets which hosts a warning was given about.
    pub fn forget_warnings(&mut self) {
        self.warned_hosts.clear();
    }

    /// Returns the header lines for a URL.
    pub fn headers(&mut self, url: &str) -> Result<Vec<String>, Unfamiliar> {
        Ok(self.request(url, None)?.headers)
    }

    /// Checks whether plain HTTP is allowed (`Config::prohibitUrlByConfig`, composer 2.10.2), and
    /// returns the warning that Composer gives.
    fn plain_http(&mut self, url: &HttpUrl) -> Result<Option<String>, Unfamiliar> {
        if self.secure_http {
            return Err(Unfamiliar("plain HTTP is forbidden".to_owned()));
        }
        if !url.has_plain_host() {
            return Err(Unfamiliar("the host of a URL is unusual".to_owned()));
        }
        let is_new = self.warned_hosts.insert(url.host.to_owned());
        Ok(is_new.then(|| {
            let host = url.host;
            format!(
                "<warning>Warning: Accessing {host} over http which is an insecure protocol.\
                 </warning>"
            )
        }))
    }

    fn authorization(
        &self,
        origin: &str,
        login: &Login,
        url: &str,
    ) -> Result<Vec<String>, Unfamiliar> {
        if origin == "bitbucket.org" || origin == "api.bitbucket.org" {
            return Err(Unfamiliar("Bitbucket needs a token".to_owned()));
        }
        let Login {
            username,
            password,
            headers,
        } = login;
        let is_new = self.release.since(9, 0);
        let line = match &**password {
            "bearer" => format!("Authorization: Bearer {username}"),
            "custom-headers" if is_new => {
                let unusual = || Unfamiliar("a password is custom-headers".to_owned());
                return headers.clone().ok_or_else(unusual);
            }
            "x-oauth-basic" if origin == "github.com" => {
                let is_api = ["https", "http"].iter().any(|scheme| {
                    url.strip_prefix(scheme)
                        .is_some_and(|rest| rest.starts_with("://api.github.com/"))
                });
                if !is_api {
                    return Ok(Vec::new());
                }
                format!("Authorization: token {username}")
            }
            "oauth2" if self.is_gitlab(origin) => format!("Authorization: Bearer {username}"),
            "private-token" | "gitlab-ci-token" if self.is_gitlab(origin) => {
                format!("PRIVATE-TOKEN: {username}")
            }
            _ if is_new
                && (username == "client-certificate" || password == "client-certificate") =>
            {
                return Err(Unfamiliar("a host wants a client certificate".to_owned()));
            }
            _ => format!(
                "Authorization: Basic {}",
                STANDARD.encode(format!("{username}:{password}"))
            ),
        };
        Ok(vec![line])
    }

    fn is_gitlab(&self, origin: &str) -> bool {
        self.gitlab_domains.iter().any(|domain| domain == origin)
    }
}

impl ArchiveCache {
    /// Returns the cache of archives, or `None` if it is off (`Factory::createDownloadManager` and
    /// `Cache::isUsable`, composer 2.10.2).
    pub fn of(config: &Config) -> Result<Option<Self>, Unfamiliar> {
        let root = config.cache_files_dir()?;
        if !is_usable_cache(&root) || config.cache_files_ttl()? <= 0 {
            return Ok(None);
        }
        Ok(Some(Self {
            root: format!("{}/", root.trim_end_matches('/')),
            is_writable: !config.cache_read_only()?,
        }))
    }

    /// Returns the path of an archive in the cache.
    pub fn path(&self, url: &DistUrl) -> String {
        format!("{}{}", self.root, url.cache_key)
    }
}

/// Returns whether a directory can be a cache. A null device switches the cache off
/// (`Cache::isUsable`, composer 2.10.2).
pub fn is_usable_cache(root: &str) -> bool {
    let is_null = |from: &str| {
        let rest = from.strip_prefix("/dev/null");
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    !root
        .split('/')
        .any(|part| matches!(part, "$null" | "nul" | "NUL"))
        && !is_null(root)
        && !root
            .match_indices('/')
            .any(|(slash, _)| is_null(&root[slash + 1..]))
}

/// Returns the path of an archive below the root of the cache (`FileDownloader::download`, composer
/// 2.10.2).
pub fn cache_key(name: &str, processed: &str, kind: &str) -> String {
    let digest = allegro_base::hex::hex(&Sha1::digest(processed.as_bytes()));
    let allowed = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'/' => char::from(byte),
        _ => '-',
    };
    format!("{name}/{digest}.{kind}")
        .bytes()
        .map(allowed)
        .collect()
}

/// Returns the header lines among a package's own options.
fn own_headers(options: Option<&Json>) -> Result<Vec<String>, Unfamiliar> {
    let unusual = || Unfamiliar("the package has transport options of its own".to_owned());
    let is_empty = |value: &Json| match value {
        Json::Null => true,
        Json::Array(items) => items.is_empty(),
        Json::Object(entries) => entries.is_empty(),
        _ => false,
    };
    let Some(options) = options.filter(|options| !is_empty(options)) else {
        return Ok(Vec::new());
    };
    let [(name, http)] = options.entries() else {
        return Err(unusual());
    };
    match (&**name, http.entries()) {
        ("http", [(name, Json::Array(lines))]) if name == "header" => {
            let line = |line: &Json| {
                let line = line.as_str().filter(|line| !line.is_empty());
                line.map(str::to_owned).ok_or_else(unusual)
            };
            lines.iter().map(line).collect()
        }
        _ => Err(unusual()),
    }
}

impl fmt::Debug for DistUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DistUrl")
            .field("base", &allegro_base::redact::redact(&self.base))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Request")
            .field("url", &allegro_base::redact::redact(&self.url))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
