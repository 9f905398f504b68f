//! Removes secrets from URLs that are shown or stored.

const STARS: &str = "***";

/// Returns a URL fit for messages, in which user information, query and fragment are `***`. The
/// names of query parameters don't tell which of them are secret. The function works on text, so
/// that it covers malformed URLs too.
pub fn redact(url: &str) -> String {
    let (base, rest) = split(url);
    let mut shown = replace_userinfo(base, &format!("{STARS}@"));
    for mark in rest
        .chars()
        .filter(|mark| ['?', '#'].contains(mark))
        .take(1)
    {
        shown.push(mark);
        shown.push_str(STARS);
    }
    shown
}

/// Returns a URL without user information, query and fragment, fit for storage.
pub fn strip(url: &str) -> String {
    replace_userinfo(split(url).0, "")
}

/// Splits a URL before its query or fragment. The second part begins with `?` or `#`.
fn split(url: &str) -> (&str, &str) {
    url.split_at(url.find(['?', '#']).unwrap_or(url.len()))
}

/// Replaces the user information and its `@` after each `//` of the text. It covers each one,
/// because a mirror's path may carry a whole URL.
fn replace_userinfo(base: &str, by: &str) -> String {
    let mut shown = String::with_capacity(base.len());
    let mut rest = base;
    if !base.contains("//") {
        push_authority(rest, by, &mut shown);
        return shown;
    }
    while let Some(at) = rest.find("//") {
        shown.push_str(&rest[..at + 2]);
        rest = &rest[at + 2..];
        let end = rest.find("//").unwrap_or(rest.len());
        push_authority(&rest[..end], by, &mut shown);
        rest = &rest[end..];
    }
    shown
}

/// Appends `user:password@host/path` with its user information replaced.
fn push_authority(part: &str, by: &str, shown: &mut String) {
    let end = part.find(['/', '\\']).unwrap_or(part.len());
    let authority = &part[..end];
    let cut = match authority.rfind('@') {
        Some(at) => Some(at),
        // The password contains a bare `/`, because the text in place of the port is no number.
        None if !authority.starts_with('[') && has_odd_port(authority) => part.rfind('@'),
        None => None,
    };
    if let Some(at) = cut {
        shown.push_str(by);
        shown.push_str(&part[at + 1..]);
    } else {
        shown.push_str(part);
    }
}

fn has_odd_port(authority: &str) -> bool {
    authority
        .split_once(':')
        .is_some_and(|(_, port)| !port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::{redact, strip};

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
            ("https://h/x?access_token=s&a=1", "https://h/x?***"),
            ("https://h/x?page=2", "https://h/x?***"),
            ("https://h/x?s3cr3t", "https://h/x?***"),
            ("https://h/x?token=s#frag", "https://h/x?***"),
            ("https://h/x#access_token=s?b", "https://h/x#***"),
            ("https://h?u=http://a:b@c", "https://h?***"),
            ("https://u:p@h?@x", "https://***@h?***"),
            (
                "https://m/https://u:p@host/x",
                "https://m/https://***@host/x",
            ),
            ("", ""),
            ("not a url", "not a url"),
            ("https://é:ß@hôst/", "https://***@hôst/"),
        ];
        for (url, shown) in table {
            assert_eq!(redact(url), shown, "{url}");
            let stored = shown.replace("***@", "");
            let stored = stored.trim_end_matches("?***").trim_end_matches("#***");
            assert_eq!(strip(url), stored, "{url}");
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
            assert!(!strip(&text).contains(['?', '#']));
        }
    }
}
