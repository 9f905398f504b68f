//! Parses rules from texts, for the command line.

use std::str::FromStr;
use std::time::Duration;

use super::auth::{AuthRule, Credentials};
use super::fault::{Fault, Redirect, Rule};
use crate::error::{Error, Result};

impl FromStr for Rule {
    type Err = Error;

    /// Parses `PATTERN FAULT[:ARGUMENT] [OPTION=VALUE]…`, for example `/dist/* status:503 times=2
    /// retry-after=1`.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |reason: String| Error::Rule {
            rule: text.to_owned(),
            reason,
        };
        let mut words = text.split_whitespace();
        let (Some(path), Some(fault)) = (words.next(), words.next()) else {
            return Err(wrong("expected a path pattern and a fault".to_owned()));
        };
        let (mut skip, mut times, mut retry_after, mut hops) = (0, None, None, 1);
        for word in words {
            let (key, value) = word
                .split_once('=')
                .ok_or_else(|| wrong(format!("{word:?} is not OPTION=VALUE")))?;
            let number: u32 = value
                .parse()
                .map_err(|_| wrong(format!("{value:?} is not a number")))?;
            match key {
                "skip" => skip = number,
                "times" => times = Some(number),
                "retry-after" => retry_after = Some(number),
                "hops" => hops = number,
                _ => return Err(wrong(format!("unknown option {key:?}"))),
            }
        }
        let (name, argument) = fault
            .split_once(':')
            .map_or((fault, None), |(name, rest)| (name, Some(rest)));
        let number = |default: Option<u64>| {
            argument
                .map_or(default, |text| text.parse().ok())
                .ok_or_else(|| wrong(format!("{name} needs a number")))
        };
        let size =
            |default| number(default).map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let fault = match name {
            "latency" => Fault::Latency(Duration::from_millis(number(None)?)),
            "bandwidth" => Fault::Bandwidth(number(None)?),
            "status" => Fault::Status {
                code: u16::try_from(number(None)?)
                    .ok()
                    .filter(|code| (200..600).contains(code))
                    .ok_or_else(|| wrong("not a status".to_owned()))?,
                retry_after,
            },
            "truncate" => Fault::Truncate(size(None)?),
            "shorten" => Fault::Shorten(size(None)?),
            "reset" => Fault::Reset(size(Some(0))?),
            "hang" => Fault::Hang(size(Some(0))?),
            "corrupt" => Fault::Corrupt,
            "html" => Fault::Html,
            "redirect" => Fault::Redirect {
                to: match argument {
                    None | Some("same") => Redirect::Same,
                    Some("other") => Redirect::Other,
                    Some(url) => Redirect::Url(url.to_owned()),
                },
                hops,
            },
            _ => return Err(wrong(format!("unknown fault {name:?}"))),
        };
        Ok(Self {
            path: path.to_owned(),
            fault,
            skip,
            times,
        })
    }
}

impl FromStr for AuthRule {
    type Err = Error;

    /// Parses `[PATTERN ]basic:USER:PASSWORD`, `bearer:TOKEN` or `header:NAME:VALUE`. The option `
    /// status=404` may follow.
    fn from_str(text: &str) -> Result<Self> {
        // The text contains a secret, so the error does not repeat it.
        let wrong = |reason: &str| Error::Rule {
            rule: "--auth".to_owned(),
            reason: reason.to_owned(),
        };
        let mut words: Vec<&str> = text.split_whitespace().collect();
        let status = match words.last().and_then(|word| word.strip_prefix("status=")) {
            Some(status) => {
                let status = status
                    .parse()
                    .map_err(|_| wrong("status is not a number"))?;
                words.pop();
                status
            }
            None => 401,
        };
        let (path, scheme) = match words[..] {
            [scheme] => ("*", scheme),
            [path, scheme] => (path, scheme),
            _ => return Err(wrong("expected [PATTERN ]SCHEME[ status=CODE]")),
        };
        let parts: Vec<&str> = scheme.splitn(3, ':').collect();
        let credentials = match parts[..] {
            ["basic", user, password] => Credentials::Basic {
                user: user.to_owned(),
                password: password.to_owned(),
            },
            ["bearer", ..] => {
                Credentials::Bearer(scheme["bearer".len()..].trim_start_matches(':').to_owned())
            }
            ["header", name, value] => Credentials::Header {
                name: name.to_owned(),
                value: value.to_owned(),
            },
            _ => {
                return Err(wrong(
                    "expected basic:USER:PASSWORD, bearer:TOKEN or header:NAME:VALUE",
                ));
            }
        };
        let mut rule = Self::new(path, credentials);
        rule.auth.status = status;
        Ok(rule)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read() {
        let rule: Rule = "/dist/* status:503 times=2 retry-after=1 skip=3"
            .parse()
            .unwrap();
        let fault = Fault::Status {
            code: 503,
            retry_after: Some(1),
        };
        assert_eq!(rule, Rule::times("/dist/*", fault, 2).after(3));
        let rule: Rule = "* redirect:http://127.0.0.1:1/x hops=3".parse().unwrap();
        let to = Redirect::Url("http://127.0.0.1:1/x".to_owned());
        assert_eq!(rule.fault, Fault::Redirect { to, hops: 3 });
        for wrong in [
            "/x",
            "* status",
            "* status:99",
            "* burn",
            "* hang times",
            "* hang depth=1",
        ] {
            assert!(wrong.parse::<Rule>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn auth_rules_are_read_and_errors_hide_them() {
        let rule: AuthRule = "/dist/* basic:me:se:cret status=404".parse().unwrap();
        let credentials = Credentials::Basic {
            user: "me".to_owned(),
            password: "se:cret".to_owned(),
        };
        assert_eq!((rule.path.as_str(), rule.auth.status), ("/dist/*", 404));
        assert_eq!(rule.auth.credentials, credentials);
        let error = "digest:secret".parse::<AuthRule>().unwrap_err();
        assert!(!error.to_string().contains("secret"));
        assert!(!format!("{rule:?}").contains("cret"));
    }
}
