//! Keeps secrets out of URLs that are shown.

use super::target::percent_decode;

const STARS: &str = "***";

/// Makes a URL fit for messages: user information and the values of query or fragment parameters
/// that look like credentials become `***`. Works on text, so that broken URLs are covered too.
pub fn redact(url: &str) -> String {
    let (before, fragment) = split_at_char(url, '#');
    let (base, query) = split_at_char(before, '?');
    let mut shown = redact_userinfo(base);
    if let Some(query) = query {
        shown.push('?');
        redact_parameters(query, &mut shown);
    }
    if let Some(fragment) = fragment {
        shown.push('#');
        redact_parameters(fragment, &mut shown);
    }
    shown
}

fn split_at_char(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.split_once(mark) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// Replaces what stands between `//` and `@`, for each `//` of the text: a mirror's path may
/// carry a whole URL.
fn redact_userinfo(base: &str) -> String {
    let mut shown = String::with_capacity(base.len());
    let mut rest = base;
    if !base.contains("//") {
        push_authority(rest, &mut shown);
        return shown;
    }
    while let Some(at) = rest.find("//") {
        shown.push_str(&rest[..at + 2]);
        rest = &rest[at + 2..];
        let end = rest.find("//").unwrap_or(rest.len());
        push_authority(&rest[..end], &mut shown);
        rest = &rest[end..];
    }
    shown
}

/// Appends `user:password@host/path` without its user information.
fn push_authority(part: &str, shown: &mut String) {
    let end = part.find(['/', '\\']).unwrap_or(part.len());
    let authority = &part[..end];
    let cut = match authority.rfind('@') {
        Some(at) => Some(at),
        // A password with a bare `/` in it: what looks like a port is no number.
        None if !authority.starts_with('[') && has_odd_port(authority) => part.rfind('@'),
        None => None,
    };
    if let Some(at) = cut {
        shown.push_str(STARS);
        shown.push_str(&part[at..]);
    } else {
        shown.push_str(part);
    }
}

fn has_odd_port(authority: &str) -> bool {
    authority
        .split_once(':')
        .is_some_and(|(_, port)| !port.bytes().all(|byte| byte.is_ascii_digit()))
}

fn redact_parameters(text: &str, shown: &mut String) {
    for (index, parameter) in text.split('&').enumerate() {
        if index > 0 {
            shown.push('&');
        }
        match parameter.split_once('=') {
            Some((name, _)) if is_secret_name(name) => {
                shown.push_str(name);
                shown.push('=');
                shown.push_str(STARS);
            }
            // A URL as a value, such as that of a mirror.
            Some((name, value)) => {
                shown.push_str(name);
                shown.push('=');
                let decoded = percent_decode(value);
                if decoded.contains("//") && (decoded.contains('@') || decoded.contains('?')) {
                    shown.push_str(STARS);
                } else {
                    shown.push_str(value);
                }
            }
            None => shown.push_str(&redact_userinfo(parameter)),
        }
    }
}

/// Whether a parameter of this name holds a credential or a signature.
fn is_secret_name(name: &str) -> bool {
    const WHOLE: [&str; 12] = [
        "key", "sig", "auth", "jwt", "code", "policy", "hmac", "hash", "pwd", "pass", "user",
        "username",
    ];
    const PART: [&str; 9] = [
        "token",
        "secret",
        "passw",
        "signature",
        "credential",
        "apikey",
        "accesskey",
        "privatekey",
        "session",
    ];
    let name = percent_decode(name).to_ascii_lowercase();
    if name.starts_with("x-amz-") || name.starts_with("x-goog-") || WHOLE.contains(&&*name) {
        return true;
    }
    let joined: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    PART.iter().any(|part| joined.contains(part))
        || name.ends_with("_key")
        || name.ends_with("-key")
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn secrets_become_stars_and_the_rest_stays() {
        let table = [
            ("https://example.org/a.zip", "https://example.org/a.zip"),
            (
                "https://u:p@example.org/a.zip",
                "https://***@example.org/a.zip",
            ),
            (
                "https://tok3n@example.org:8443/a",
                "https://***@example.org:8443/a",
            ),
            ("http://a@b:c@host/x@1.zip", "http://***@host/x@1.zip"),
            ("https://user:pa/ss@host/x", "https://***@host/x"),
            (
                "https://host:8080/scope/@pkg",
                "https://host:8080/scope/@pkg",
            ),
            ("https://[::1]:80/@x", "https://[::1]:80/@x"),
            ("//u:p@host/x", "//***@host/x"),
            ("u:p@host/x", "***@host/x"),
            ("proxy:3128", "proxy:3128"),
            (
                "https://h/x?access_token=s&a=1",
                "https://h/x?access_token=***&a=1",
            ),
            (
                "https://h/x?a=1&private_token=s",
                "https://h/x?a=1&private_token=***",
            ),
            ("https://h/x?token=s#frag", "https://h/x?token=***#frag"),
            (
                "https://h/x?key=s&Signature=t",
                "https://h/x?key=***&Signature=***",
            ),
            ("https://h/x?%74oken=s", "https://h/x?%74oken=***"),
            (
                "https://h/x?X-Amz-Signature=s&X-Amz-Date=d",
                "https://h/x?X-Amz-Signature=***&X-Amz-Date=***",
            ),
            ("https://h/x?sig=s&sv=2020", "https://h/x?sig=***&sv=2020"),
            ("https://h/x#access_token=s", "https://h/x#access_token=***"),
            ("https://h/x?page=2&empty", "https://h/x?page=2&empty"),
            (
                "https://m/https://u:p@host/x",
                "https://m/https://***@host/x",
            ),
            (
                "https://m/?url=https%3A%2F%2Fu:p@host",
                "https://m/?url=***",
            ),
            (
                "https://h/x?aws_access_key=s",
                "https://h/x?aws_access_key=***",
            ),
            ("https://h/x?keyword=php", "https://h/x?keyword=php"),
            ("", ""),
            ("not a url", "not a url"),
            ("https://é:ß@hôst/", "https://***@hôst/"),
        ];
        for (url, shown) in table {
            assert_eq!(redact(url), shown, "{url}");
        }
    }

    #[test]
    fn any_text_is_survived() {
        let letters: Vec<char> = "/:@?#&=%[]\\aé2 ".chars().collect();
        for _ in 0..20_000 {
            let text: String = (0..fastrand::usize(..24))
                .map(|_| letters[fastrand::usize(..letters.len())])
                .collect();
            redact(&text);
        }
    }
}
