//! Resolves the symbolic links of an archive to find those that lead out.

use std::collections::HashMap;

/// Most links that one resolution follows, as in Linux.
const MAX_FOLLOWED: usize = 40;

/// Returns a link that leads out of the directory that holds all of these links, if there is one.
///
/// Paths are `/`-separated and relative to that directory. Links on the path of a link are
/// followed.
pub fn leads_out<'a>(links: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Option<&'a str> {
    let links: HashMap<&str, &[u8]> = links.into_iter().collect();
    let mut paths: Vec<&str> = links.keys().copied().collect();
    paths.sort_unstable();
    paths
        .into_iter()
        .find(|path| resolves_outside(path, &links))
}

fn resolves_outside(path: &str, links: &HashMap<&str, &[u8]>) -> bool {
    let mut at: Vec<&[u8]> = Vec::new();
    let mut left: Vec<&[u8]> = path.as_bytes().rsplit(|&b| b == b'/').collect();
    let mut followed = 0;
    while let Some(part) = left.pop() {
        match part {
            b"" | b"." => {}
            b".." => {
                if at.pop().is_none() {
                    return true;
                }
            }
            _ => {
                at.push(part);
                let Some(target) = std::str::from_utf8(&at.join(&b'/'))
                    .ok()
                    .and_then(|path| links.get(path))
                else {
                    continue;
                };
                // symlink(2) ends the text at a NUL byte.
                let target = target.split(|&b| b == 0).next().unwrap_or_default();
                followed += 1;
                if target.starts_with(b"/") {
                    return true;
                }
                if followed > MAX_FOLLOWED {
                    // The kernel follows no further links either, so nothing is opened.
                    return false;
                }
                at.pop();
                left.extend(target.rsplit(|&b| b == b'/'));
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::leads_out;

    fn out<'a>(links: &[(&'a str, &'a str)]) -> Option<&'a str> {
        leads_out(
            links
                .iter()
                .map(|(path, target)| (*path, target.as_bytes())),
        )
    }

    #[test]
    fn links_that_stay_inside_are_told_from_those_that_do_not() {
        assert_eq!(out(&[]), None);
        assert_eq!(
            out(&[("p/l", "../x"), ("a", "b/c"), ("b/m", "./.././b")]),
            None
        );
        assert_eq!(out(&[("p/l", "/etc")]), Some("p/l"));
        assert_eq!(out(&[("p/l", "../..")]), Some("p/l"));
        assert_eq!(out(&[("p/l", "q/../../../x")]), Some("p/l"));
        assert_eq!(out(&[("l", "..\0hidden")]), Some("l"));
        assert_eq!(out(&[("l", "x\0/../..")]), None);
    }

    #[test]
    fn links_on_the_way_are_followed() {
        // `a` leads to the top, so `b` leaves it with a single `..`.
        assert_eq!(
            out(&[("p/q/a", "../.."), ("p/q/b", "a/../x")]),
            Some("p/q/b")
        );
        assert_eq!(out(&[("p/a", "b"), ("p/b", "/etc")]), Some("p/a"));
        // `p/in` resolves to `p`, not to `p/in`.
        assert_eq!(out(&[("p/in", "."), ("p/l", "in/../..")]), Some("p/l"));
        assert_eq!(out(&[("p/in", "q/r"), ("p/l", "in/../..")]), None);
    }

    #[test]
    fn loops_end() {
        assert_eq!(out(&[("a", "b"), ("b", "a"), ("c", "c/c/c")]), None);
    }
}
