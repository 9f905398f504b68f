//! Sets the commit of a package, as a requirement such as `dev-main#abcdef` wants it.

use allegro_composer::package::Package;

/// The number of digits of a whole commit.
const DIGITS: usize = 40;

/// Hosts whose URLs of archives name the commit.
const HOSTS: [&str; 6] = [
    "bitbucket.org",
    "www.bitbucket.org",
    "github.com",
    "api.github.com",
    "gitlab.com",
    "www.gitlab.com",
];

/// Sets the references of a package's source and archive (`Package::setSourceDistReferences`,
/// composer 2.10.2).
pub fn set(package: &mut Package, reference: &str) {
    if let Some(source) = &mut package.source {
        source.reference = Some(reference.to_owned());
    }
    let Some(dist) = &mut package.dist else {
        return;
    };
    let has_reference = |text: &str| !matches!(text, "" | "0");
    if names_commit(&dist.url) {
        dist.url = with_commit(&dist.url, reference);
        dist.reference = Some(reference.to_owned());
    } else if dist.reference.as_deref().is_some_and(has_reference) {
        dist.reference = Some(reference.to_owned());
    }
}

/// Returns whether an archive is at a host whose URLs name the commit.
pub fn names_commit(url: &str) -> bool {
    let url = url.to_ascii_lowercase();
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme));
    let host = rest.and_then(|rest| rest.split_once('/'));
    host.is_some_and(|(host, _)| HOSTS.contains(&host))
}

/// Replaces the commits in a URL. A commit follows a slash or `sha=`, and ends the URL or a part of
/// its path.
pub fn with_commit(url: &str, reference: &str) -> String {
    let bytes = url.as_bytes();
    let mut out = String::with_capacity(url.len());
    let mut at = 0;
    while at < bytes.len() {
        let before = &bytes[..at];
        let begins = before.ends_with(b"/")
            || before.len() >= 4 && before[at - 4..].eq_ignore_ascii_case(b"sha=");
        let digits = bytes[at..]
            .iter()
            .take_while(|byte| byte.is_ascii_hexdigit());
        let ends = matches!(bytes.get(at + DIGITS), None | Some(b'/'));
        if begins && digits.count() == DIGITS && ends {
            out.push_str(reference);
            at += DIGITS;
            continue;
        }
        let next = url[at..].chars().next().map_or(1, char::len_utf8);
        out.push_str(&url[at..at + next]);
        at += next;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_the_commit() {
        let old = "0123456789abcdef0123456789ABCDEF01234567";
        for (url, expected) in [
            ("https://api.github.com/repos/a/b/zipball/{}", true),
            ("https://gitlab.com/api/v4/x/archive.zip?sha={}", true),
            ("http://WWW.bitbucket.org/a/b/get/{}/x.zip", true),
            ("https://bitbucket.org/a/b/get/{}.zip", false),
            ("https://github.com/a/b/x{}/y", false),
        ] {
            let url = url.replace("{}", old);
            assert!(names_commit(&url), "{url}");
            assert_eq!(with_commit(&url, "new").contains("new"), expected, "{url}");
            assert_eq!(with_commit(&url, "new").contains(old), !expected, "{url}");
        }
        assert!(!names_commit("https://example.com/github.com/"));
        assert!(!names_commit("https://codeload.github.com/x"));
    }
}
