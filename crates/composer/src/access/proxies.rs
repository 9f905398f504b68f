//! Proxies of the environment.

use allegro_base::proxies::Proxies;

use crate::config::{Environment, Release, is_true};
use crate::unfamiliar::Unfamiliar;

/// Reads the proxies as a release of Composer does (`ProxyManager`, composer 2.10.2 and 2.5.5).
pub fn proxies(release: Release, environment: Environment) -> Result<Proxies, Unfamiliar> {
    if release.since(7, 3) {
        of_newer(release, environment)
    } else {
        of_older(environment)
    }
}

/// Reads the proxies as `ProxyHelper` of composer 2.5.5 does, which is the same from 2.2.0 to
/// 2.7.2.
fn of_older(environment: Environment) -> Result<Proxies, Unfamiliar> {
    let variable = |names: &[&str]| {
        let values = names.iter().filter_map(|name| environment(name));
        values.into_iter().find(|value| is_true(value))
    };
    let proxy = |names: &[&str]| variable(names).map(|url| proxy_url(&url)).transpose();
    let usual = proxy(&["http_proxy", "HTTP_PROXY"])?;
    let http = proxy(&["CGI_HTTP_PROXY"])?.or(usual);
    let https = proxy(&["https_proxy", "HTTPS_PROXY"])?.or_else(|| http.clone());
    if variable(&["all_proxy", "ALL_PROXY"]).is_some() {
        // Where Composer has no proxy, curl looks for this one.
        return Err(Unfamiliar("ALL_PROXY is left to curl".to_owned()));
    }
    Ok(Proxies {
        http,
        https,
        no_proxy: variable(&["no_proxy", "NO_PROXY"]).unwrap_or_default(),
    })
}

fn of_newer(release: Release, environment: Environment) -> Result<Proxies, Unfamiliar> {
    let variable = |name: &str| {
        let names = [name.to_owned(), name.to_ascii_uppercase()];
        names
            .iter()
            .filter_map(|name| environment(name))
            .find(|value| !value.is_empty())
    };
    let proxy = |name: &str| variable(name).map(|url| proxy_url(&url)).transpose();
    let http = match proxy("http_proxy")? {
        Some(proxy) => Some(proxy),
        None => proxy("cgi_http_proxy")?,
    };
    let https = proxy("https_proxy")?;
    if !release.since(8, 0) && http.is_some() && https.is_none() {
        // These releases take the other proxy, and warn.
        return Err(Unfamiliar("https_proxy is not set".to_owned()));
    }
    Ok(Proxies {
        http,
        https,
        no_proxy: variable("no_proxy").unwrap_or_default(),
    })
}

/// Returns the URL of a proxy with scheme and port. Only plain URLs are accepted.
fn proxy_url(text: &str) -> Result<String, Unfamiliar> {
    plain_proxy_url(text).ok_or_else(|| Unfamiliar("the URL of a proxy is unusual".to_owned()))
}

fn plain_proxy_url(text: &str) -> Option<String> {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None => (String::new(), text),
    };
    let default = match &*scheme {
        "http" => Some("80"),
        "https" => Some("443"),
        "" | "socks4" | "socks4a" | "socks5" | "socks5h" => None,
        _ => return None,
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (credentials, place) = match rest.split_once('@') {
        Some((credentials, place)) if !scheme.is_empty() => (Some(credentials), place),
        Some(_) => return None,
        None => (None, rest),
    };
    if let Some(credentials) = credentials {
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, "-"));
        let is_plain = |text: &str| !text.is_empty() && !text.contains([':', '/', '?', '#', '@']);
        if !is_plain(user) || !is_plain(password) {
            return None;
        }
    }
    let (host, port) = match place.split_once(':') {
        Some((host, port)) => (host, port),
        None => (place, default?),
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let number: u16 = port.parse().ok()?;
    if host.is_empty() || !host.bytes().all(is_name) || number == 0 || number.to_string() != port {
        return None;
    }
    let scheme = if scheme.is_empty() { "http" } else { &scheme };
    let credentials = credentials
        .map(|text| format!("{text}@"))
        .unwrap_or_default();
    Some(format!("{scheme}://{credentials}{host}:{port}"))
}
