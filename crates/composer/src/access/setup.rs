//! The options that all requests of a run share.

use allegro_base::proxies::Proxies;

use super::certificates::{CertificateProbe, Certificates};
use super::proxies::proxies;
use crate::config::{Config, Environment, is_true};
use crate::unfamiliar::Unfamiliar;

/// The options that all requests of a run share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSetup {
    /// Value of the User-Agent header.
    pub user_agent: String,
    /// Places of trusted certificates.
    pub certificates: Certificates,
    /// Whether redirects to plain HTTP are refused (`secure-http`).
    pub secure_http: bool,
    /// Proxies of the environment.
    pub proxies: Proxies,
    /// Whether COMPOSER_DISABLE_NETWORK switches the network off.
    pub is_offline: bool,
}

/// What the User-Agent header says of the client.
#[derive(Debug, Clone, Copy)]
pub struct Agent<'a> {
    /// Version of Composer, as `Composer::getVersion` gives it.
    pub composer: &'a str,
    /// Name of the system, as `uname -s` gives it.
    pub system: &'a str,
    /// Release of the system, as `uname -r` gives it.
    pub system_release: &'a str,
    /// Version of PHP without suffixes, such as `8.2.7`.
    pub php: &'a str,
    /// Client of HTTP, such as `streams` or `cURL 7.88.1`.
    pub client: &'a str,
    /// Command that runs. Releases before 2.10.2 do not name it.
    pub command: Option<&'a str>,
}

impl HttpSetup {
    /// Gathers the options.
    pub fn new(
        config: &Config,
        environment: Environment,
        agent: &Agent,
        probe: &CertificateProbe,
    ) -> Result<Self, Unfamiliar> {
        if config.disable_tls()? {
            return Err(Unfamiliar("TLS is disabled".to_owned()));
        }
        let is_set = |name: &str| environment(name).is_some_and(|value| is_true(&value));
        Ok(Self {
            user_agent: agent.text(config, is_set("CI"))?,
            certificates: Certificates::choose(config, environment, probe)?,
            secure_http: config.secure_http()?,
            proxies: proxies(config.release(), environment)?,
            is_offline: is_set("COMPOSER_DISABLE_NETWORK"),
        })
    }
}

impl Agent<'_> {
    /// Returns the value of the header (`StreamContextFactory::initOptions`, composer 2.10.2).
    fn text(&self, config: &Config, is_ci: bool) -> Result<String, Unfamiliar> {
        let mut text = format!(
            "Composer/{} ({}; {}; PHP {}; {}",
            self.composer, self.system, self.system_release, self.php, self.client
        );
        for (name, version) in config.platform()? {
            if let Some(version) = version.filter(|_| name.eq_ignore_ascii_case("php")) {
                text += "; Platform-PHP ";
                text += &three_numbers(&version)?;
            }
        }
        if is_ci {
            text += "; CI";
        }
        if let Some(command) = self.command.filter(|_| config.release().names_command()) {
            let is_kept = |letter: &char| letter.is_ascii_alphanumeric() || ":_-".contains(*letter);
            text += "; cmd:";
            text.extend(command.chars().filter(is_kept));
        }
        Ok(text + ")")
    }
}

/// Returns the first three numbers of a version.
fn three_numbers(version: &str) -> Result<String, Unfamiliar> {
    let numbers: Vec<&str> = version.split('.').collect();
    let is_number =
        |text: &&str| (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if numbers.len() > 4 || !numbers.iter().all(is_number) {
        return Err(Unfamiliar(
            "the platform's version of PHP is unusual".to_owned(),
        ));
    }
    let number = |index: usize| numbers.get(index).copied().unwrap_or("0");
    Ok(format!("{}.{}.{}", number(0), number(1), number(2)))
}
