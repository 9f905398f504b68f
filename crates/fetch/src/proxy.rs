//! Chooses the proxy for a URL by Composer's rules.

use std::net::IpAddr;

use reqwest::Url;

use allegro_base::proxies::Proxies;

/// Returns the proxy for a URL, or `None` for a direct connection. Each redirect asks again, since
/// another host may need another proxy.
pub(super) fn of<'a>(proxies: &'a Proxies, url: &Url) -> Option<&'a str> {
    let proxy = match url.scheme() {
        "https" => proxies.https.as_deref(),
        _ => proxies.http.as_deref(),
    };
    proxy.filter(|_| !is_excluded(&proxies.no_proxy, url))
}

/// Returns whether `no_proxy` excludes a URL, as Composer's `NoProxyPattern` does. Rules are host
/// names (which include their subdomains), addresses and address ranges. Names and addresses may
/// have a port. `*` as the first rule matches everything.
fn is_excluded(no_proxy: &str, url: &Url) -> bool {
    if no_proxy.is_empty() {
        return false;
    }
    let mut rules = no_proxy
        .split(|character: char| character == ',' || character.is_ascii_whitespace())
        .filter(|rule| !rule.is_empty())
        .peekable();
    if rules.peek().is_none_or(|first| *first == "*") {
        return true;
    }
    let Some(host) = url.host_str() else {
        return false;
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_or_known_default();
    let address = address(host);
    rules.any(|rule| matches(rule, host, address, port).unwrap_or(false))
}

/// Returns whether a rule matches this host, or `None` if the rule is invalid.
fn matches(rule: &str, host: &str, address: Option<u128>, port: Option<u16>) -> Option<bool> {
    let (wanted, wanted_port) = split_port(rule)?;
    let same_port = wanted_port.is_none() || wanted_port == port;
    if let Some((network, prefix)) = wanted.split_once('/') {
        // As in Composer, the port of an address range is ignored.
        let (network, mask) = range(network, prefix)?;
        return Some(address.is_some_and(|address| address & mask == network & mask));
    }
    if let Some(wanted) = self::address(&wanted) {
        return Some(address == Some(wanted) && same_port);
    }
    let wanted = format!(".{}", wanted.trim_start_matches('.')).to_ascii_lowercase();
    let host = format!(".{}", host.trim_start_matches('.')).to_ascii_lowercase();
    Some(host.ends_with(&wanted) && same_port)
}

/// Splits `host`, `host:port`, `[address]:port`, or a bare IPv6 address into host and port.
fn split_port(rule: &str) -> Option<(String, Option<u16>)> {
    let (bracketed, rest) = match rule.strip_prefix('[') {
        Some(inner) => {
            let (address, rest) = inner.split_once(']')?;
            if address.len() < 2 || rest.contains(['[', ']']) || rest.matches(':').count() > 1 {
                return None;
            }
            (address, rest)
        }
        None => ("", rule),
    };
    if rest.matches(':').count() != 1 {
        return Some((format!("{bracketed}{rest}"), None));
    }
    let (host, port) = rest.split_once(':')?;
    let port = number(port).and_then(|port| u16::try_from(port).ok())?;
    (port > 0).then(|| (format!("{bracketed}{host}"), Some(port)))
}

/// Parses an address and returns it as an IPv6 address.
fn address(text: &str) -> Option<u128> {
    Some(match text.parse().ok()? {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    })
}

/// Parses a network and its prefix length into address and mask.
fn range(network: &str, prefix: &str) -> Option<(u128, u128)> {
    let prefix = number(prefix.split('/').next()?)?;
    let mask = match network.parse().ok()? {
        IpAddr::V4(_) if prefix <= 32 => {
            let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            0xffff_u128 << 32 | u128::from(mask)
        }
        IpAddr::V6(_) if prefix <= 128 => u128::MAX.checked_shl(128 - prefix).unwrap_or(0),
        _ => return None,
    };
    Some((address(network)?, mask))
}

/// Parses digits without a leading zero.
fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    (plain && (text == "0" || !text.starts_with('0'))).then(|| text.parse().ok())?
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The expected values are those of Composer's `NoProxyPattern` for the same input.
    #[test]
    fn no_proxy_as_composer_reads_it() {
        let table = [
            ("", "http://a.test/", false),
            (" , ", "http://a.test/", true),
            ("*", "http://a.test/", true),
            ("b.test *", "http://a.test/", false),
            ("a.test", "http://a.test/", true),
            ("A.Test", "http://a.test/", true),
            ("a.test", "http://x.a.test/", true),
            (".a.test", "http://a.test/", true),
            ("a.test", "http://ba.test/", false),
            ("x.a.test", "http://a.test/", false),
            ("b.test,a.test", "https://a.test/", true),
            ("b.test a.test", "https://a.test/", true),
            ("a.test:443", "https://a.test/", true),
            ("a.test:443", "http://a.test/", false),
            ("a.test:8080", "http://a.test:8080/", true),
            ("a.test:0", "http://a.test/", false),
            ("a.test:080", "http://a.test/", false),
            ("127.0.0.1", "http://127.0.0.1:81/", true),
            ("127.0.0.1:82", "http://127.0.0.1:81/", false),
            ("127.0.0.0/8", "http://127.9.9.9/", true),
            ("127.0.0.0/8:1", "http://127.9.9.9/", true),
            ("10.0.0.0/8", "http://127.9.9.9/", false),
            ("0.0.0.0/0", "http://127.9.9.9/", true),
            ("127.0.0.0/33", "http://127.9.9.9/", false),
            ("127.0.0.0/8", "http://localhost/", false),
            ("::1", "http://[::1]/", true),
            ("[::1]:80", "http://[::1]/", true),
            ("[::1]:81", "http://[::1]/", false),
            ("fe80::/10", "http://[fe81::1]/", true),
            ("fe80::/10", "http://[ff81::1]/", false),
            ("[::1", "http://[::1]/", false),
            ("a.test/8", "http://a.test/", false),
        ];
        for (rules, url, excluded) in table {
            let url = Url::parse(url).unwrap();
            assert_eq!(is_excluded(rules, &url), excluded, "{rules:?} {url}");
        }
    }

    #[test]
    fn each_scheme_has_its_proxy() {
        let proxies = Proxies {
            http: Some("http://u:s3cr3t@one:1".to_owned()),
            https: None,
            no_proxy: "b.test".to_owned(),
        };
        let of = |url| of(&proxies, &Url::parse(url).unwrap());
        assert_eq!(of("http://a.test/"), Some("http://u:s3cr3t@one:1"));
        assert_eq!(of("https://a.test/"), None);
        assert_eq!(of("http://b.test/"), None);
        assert!(!format!("{proxies:?}").contains("s3cr3t"));
    }
}
