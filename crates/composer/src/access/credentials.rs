//! Credentials by the origins of URLs.

use std::fmt;

use crate::config::{Array, Config, Key, Value};
use crate::unfamiliar::Unfamiliar;

/// Credentials of all origins.
#[derive(Debug, Clone, Default)]
pub(super) struct Credentials {
    logins: Vec<(String, Login)>,
}

/// Credentials of one origin. Some passwords are words that tell what the user name is.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub username: String,
    pub password: String,
    /// Header lines of an entry of `custom-headers`.
    pub headers: Option<Vec<String>>,
}

impl Login {
    fn new(username: &str, password: &str) -> Self {
        Self {
            username: username.to_owned(),
            password: password.to_owned(),
            headers: None,
        }
    }

    /// Returns the credentials of a URL.
    pub fn decoded(user: &str, password: &str) -> Result<Self, Unfamiliar> {
        let decoded =
            |text| decoded(text).ok_or_else(|| Unfamiliar("credentials are no text".to_owned()));
        Ok(Self::new(&decoded(user)?, &decoded(password)?))
    }
}

/// Replaces percent codes, as PHP's `rawurldecode` does.
fn decoded(text: &str) -> Option<String> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, tail @ ..] = rest {
        let code = match (first, tail) {
            (b'%', [high, low, ..]) => digit(*high).zip(digit(*low)),
            _ => None,
        };
        if let Some((high, low)) = code {
            bytes.push(u8::try_from(high * 16 + low).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

impl Credentials {
    /// Loads the credentials of a configuration (`BaseIO::loadConfiguration`, composer 2.10.2).
    pub fn load(config: &mut Config) -> Result<Self, Unfamiliar> {
        let release = config.release();
        let mut loaded = Self::default();
        for (domain, consumer) in named(&config.array("bitbucket-oauth")?)? {
            let [key, secret] = members(&consumer, ["consumer-key", "consumer-secret"])?;
            loaded.add(&domain, Login::new(&key, &secret))?;
        }
        for (domain, token) in named(&config.array("github-oauth")?)? {
            imply(config, "github-domains", "github.com", &domain)?;
            let token = text(&token)?;
            let is_allowed = |byte: u8| {
                byte.is_ascii_alphanumeric()
                    || matches!(byte, b'.' | b'_')
                    || (byte == b'-' && release.takes_hyphens_in_github_tokens())
            };
            let is_odd = token.is_empty() || !token.bytes().all(is_allowed);
            if is_odd && !release.takes_any_github_token() {
                return Err(Unfamiliar("a GitHub token is unusual".to_owned()));
            }
            loaded.add(&domain, Login::new(token, "x-oauth-basic"))?;
        }
        for (domain, token) in named(&config.array("gitlab-oauth")?)? {
            imply(config, "gitlab-domains", "gitlab.com", &domain)?;
            let token = match token {
                Value::Array(_) => members(&token, ["token"])?[0].clone(),
                _ => text(&token)?.to_owned(),
            };
            loaded.add(&domain, Login::new(&token, "oauth2"))?;
        }
        for (domain, token) in named(&config.array("gitlab-token")?)? {
            imply(config, "gitlab-domains", "gitlab.com", &domain)?;
            let [user, password] = match token {
                Value::Array(_) => members(&token, ["username", "token"])?,
                _ => [text(&token)?.to_owned(), "private-token".to_owned()],
            };
            loaded.add(&domain, Login::new(&user, &password))?;
        }
        if release.since(9, 0) {
            for (domain, login) in named(&config.array("forgejo-token")?)? {
                let [user, token] = members(&login, ["username", "token"])?;
                loaded.add(&domain, Login::new(&user, &token))?;
            }
        }
        for (domain, login) in named(&config.array("http-basic")?)? {
            let [user, password] = members(&login, ["username", "password"])?;
            loaded.add(&domain, Login::new(&user, &password))?;
        }
        for (domain, token) in named(&config.array("bearer")?)? {
            loaded.add(&domain, Login::new(text(&token)?, "bearer"))?;
        }
        if release.since(9, 0) {
            loaded.load_newer(config)?;
        }
        Ok(loaded)
    }

    /// Loads the kinds of credentials that came with 2.9 and go last.
    fn load_newer(&mut self, config: &Config) -> Result<(), Unfamiliar> {
        for (domain, lines) in named(&config.array("custom-headers")?)? {
            let unusual = || Unfamiliar("the custom headers are unusual".to_owned());
            let lines = lines.as_array().ok_or_else(unusual)?;
            let line = |line: &Value| {
                let line = line.as_str().filter(|line| !line.is_empty());
                line.map(str::to_owned).ok_or_else(unusual)
            };
            let headers: Result<Vec<_>, _> = lines.values().map(line).collect();
            let login = Login {
                headers: Some(headers?),
                ..Login::new("", "custom-headers")
            };
            self.add(&domain, login)?;
        }
        for (domain, _) in named(&config.array("client-certificate")?)? {
            self.add(&domain, Login::new("client-certificate", ""))?;
        }
        Ok(())
    }

    /// Adds credentials. Composer warns if an origin has others already.
    fn add(&mut self, origin: &str, login: Login) -> Result<(), Unfamiliar> {
        match self.of_same(origin) {
            None => self.logins.push((origin.to_owned(), login)),
            Some(old) if *old == login => {}
            Some(_) => return Err(Unfamiliar(format!("{origin} has several credentials"))),
        }
        Ok(())
    }

    /// Sets the credentials of an origin.
    pub fn replace(&mut self, origin: &str, login: Login) {
        self.logins.retain(|(known, _)| known != origin);
        self.logins.push((origin.to_owned(), login));
    }

    fn of_same(&self, origin: &str) -> Option<&Login> {
        let found = self.logins.iter().find(|(known, _)| known == origin);
        found.map(|(_, login)| login)
    }

    /// Returns the credentials for an origin and the origin that has them
    /// (`AuthHelper::findAuthOrigin`, composer 2.10.2).
    pub fn of<'a>(&'a self, origin: &'a str) -> Option<(&'a str, &'a Login)> {
        let canonical = match origin {
            "api.bitbucket.org" => "bitbucket.org",
            "api.github.com" => "github.com",
            _ => origin,
        };
        let own = self.of_same(origin).map(|login| (origin, login));
        own.or_else(|| self.of_same(canonical).map(|login| (canonical, login)))
    }
}

/// Returns the entries of an array, whose names are domains.
fn named(array: &Array) -> Result<Vec<(String, Value)>, Unfamiliar> {
    let entry = |(key, value): &(Key, Value)| match key {
        Key::Str(domain) => Ok((domain.clone(), value.clone())),
        Key::Int(number) => Err(Unfamiliar(format!("{number} is no domain"))),
    };
    array.entries().iter().map(entry).collect()
}

fn text(value: &Value) -> Result<&str, Unfamiliar> {
    value
        .as_str()
        .ok_or_else(|| Unfamiliar("a token is unusual".to_owned()))
}

fn members<const N: usize>(value: &Value, names: [&str; N]) -> Result<[String; N], Unfamiliar> {
    let mut members = [const { String::new() }; N];
    for (member, name) in members.iter_mut().zip(names) {
        let value = value
            .as_array()
            .and_then(|array| array.at(name))
            .and_then(Value::as_str);
        let unusual = || Unfamiliar(format!("credentials without {name} are unusual"));
        value.ok_or_else(unusual)?.clone_into(member);
    }
    Ok(members)
}

/// Adds a domain that has credentials to the domains of its kind.
fn imply(config: &mut Config, key: &str, usual: &str, domain: &str) -> Result<(), Unfamiliar> {
    if !config.release().implies_domains() || domain == usual {
        return Ok(());
    }
    let is_known = config
        .array(key)?
        .values()
        .any(|known| known.as_str() == Some(domain));
    if is_known {
        Ok(())
    } else {
        config.imply_domain(key, domain)
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Login(…)")
    }
}
