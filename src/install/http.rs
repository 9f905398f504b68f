//! Makes the options of HTTP requests from Composer's configuration.

use std::fs;
use std::path::{Path, PathBuf};

use allegro_composer::Unfamiliar;
use allegro_composer::access::{Agent, CertificateProbe, Found, HttpSetup};
use allegro_composer::config::Config;

use super::project::Target;
use crate::protocol::http::HttpOptions;

/// Returns the options of all requests, and whether the network is switched off.
pub fn http(
    config: &Config<'_>,
    environment: &dyn Fn(&str) -> Option<String>,
    target: &Target,
) -> Result<(HttpOptions, bool), Unfamiliar> {
    let system = rustix::system::uname();
    let agent = Agent {
        composer: &target.version,
        system: system.sysname().to_str().unwrap_or("Linux"),
        system_release: system.release().to_str().unwrap_or_default(),
        php: target.php.as_deref().unwrap_or("8.4.0"),
        client: "streams",
        command: Some("install"),
    };
    let probe = CertificateProbe {
        ini_cafile: "",
        ini_capath: "",
        look: &look,
    };
    let setup = HttpSetup::new(config, environment, &agent, &probe)?;
    let options = HttpOptions {
        user_agent: setup.user_agent,
        ca_file: setup.certificates.file.map(PathBuf::from),
        ca_dir: setup.certificates.directory.map(PathBuf::from),
        secure_http: setup.secure_http,
        proxies: setup.proxies,
    };
    Ok((options, setup.is_offline))
}

/// Tells what a path is to somebody who looks for certificates.
fn look(path: &str) -> Found {
    let path = Path::new(path);
    match fs::metadata(path) {
        Ok(facts) if facts.is_dir() => {
            let is_filled = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
            if is_filled {
                Found::Directory
            } else {
                Found::Nothing
            }
        }
        Ok(_) => {
            let is_bundle = fs::read_to_string(path)
                .is_ok_and(|text| text.contains("-----BEGIN CERTIFICATE-----"));
            if is_bundle {
                Found::File
            } else {
                Found::Nothing
            }
        }
        Err(_) => Found::Nothing,
    }
}
