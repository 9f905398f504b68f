//! Knows the pages of forges that compare two commits.

use std::sync::LazyLock;

use regex::Regex;

use super::{LockEntry, short};

/// The forms of URLs for git. The pattern leaves out credentials in front of the host, and accepts
/// nothing but a plain path.
#[expect(
    clippy::unwrap_used,
    reason = "the pattern is a constant that tests use"
)]
static URL: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"^(?:(?:https?|ssh|git)://)?(?:[^@/]*@)?([0-9A-Za-z_.-]+)(?::[0-9]+/|[:/])([0-9A-Za-z_./~-]+?)(?:\.git)?/?\n?$";
    Regex::new(pattern).unwrap()
});

/// Returns the URL at which the difference between two versions can be read, or `None` if no forge
/// is known for it. `gitlabs` are hosts of GitLab beside gitlab.com.
pub(super) fn link(from: &LockEntry, to: &LockEntry, gitlabs: &[String]) -> Option<String> {
    let old = from.source_reference.as_deref()?;
    let new = to.source_reference.as_deref()?;
    if old == new {
        return None;
    }
    let found = URL.captures(to.url.as_deref()?)?;
    let (host, path) = (&found[1], &found[2]);
    let (old, new) = (short(old), short(new));
    let compare = match host {
        "github.com" => format!("compare/{old}...{new}"),
        "bitbucket.org" => format!("branches/compare/{new}%0D{old}"),
        _ if host == "gitlab.com" || gitlabs.iter().any(|gitlab| gitlab == host) => {
            format!("-/compare/{old}...{new}")
        }
        _ => return None,
    };
    Some(format!("https://{host}/{path}/{compare}"))
}
