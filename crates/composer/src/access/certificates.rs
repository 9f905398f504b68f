//! The places of trusted certificates.

use crate::config::{Config, Environment, is_true};
use crate::unfamiliar::Unfamiliar;

/// What a path is to somebody who looks for trusted certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing of use.
    Nothing,
    /// A file that can be read and begins with a sound certificate.
    File,
    /// A directory that can be read and is not empty.
    Directory,
}

/// Facts about the machine on which the choice of certificates depends.
#[derive(Clone, Copy)]
pub struct CertificateProbe<'p> {
    /// PHP's setting `openssl.cafile`, perhaps empty.
    pub ini_cafile: &'p str,
    /// PHP's setting `openssl.capath`, perhaps empty.
    pub ini_capath: &'p str,
    /// Function that tells what a path is.
    pub look: &'p dyn Fn(&str) -> Found,
}

/// The places of trusted certificates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificates {
    /// Path of a bundle.
    pub file: Option<String>,
    /// Path of a directory.
    pub directory: Option<String>,
}

/// The bundles of systems, in the order in which they are tried
/// (`CaBundle::getSystemCaRootBundlePath`, composer/ca-bundle 1.3). Their directories follow.
const BUNDLES: [&str; 12] = [
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/ca-bundle.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
    "/usr/ssl/certs/ca-bundle.crt",
    "/opt/local/share/curl/curl-ca-bundle.crt",
    "/usr/local/share/curl/curl-ca-bundle.crt",
    "/usr/share/ssl/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/usr/local/etc/ssl/cert.pem",
    "/usr/local/etc/openssl/cert.pem",
    "/usr/local/etc/openssl@1.1/cert.pem",
];

impl Certificates {
    /// Chooses the places (`Factory::createHttpDownloader` and
    /// `StreamContextFactory::getTlsDefaults`, composer 2.10.2). Composer's own bundle, its last
    /// resort, is unfamiliar.
    pub fn choose(
        config: &Config,
        environment: Environment,
        probe: &CertificateProbe,
    ) -> Result<Self, Unfamiliar> {
        let chosen = Self {
            file: config.cafile()?,
            directory: config.capath()?,
        };
        let is_sound = |path: &Option<String>, wanted| {
            path.as_ref()
                .is_none_or(|path| (probe.look)(path) == wanted)
        };
        if !is_sound(&chosen.file, Found::File) || !is_sound(&chosen.directory, Found::Directory) {
            return Err(Unfamiliar(
                "the cafile or capath can not be used".to_owned(),
            ));
        }
        if chosen != Self::default() {
            return Ok(chosen);
        }
        let set = [environment("SSL_CERT_FILE"), environment("SSL_CERT_DIR")];
        let ini = [probe.ini_cafile, probe.ini_capath];
        let set = set.iter().flatten().map(String::as_str);
        let set = set.chain(ini).filter(|path| is_true(path));
        let directories = BUNDLES
            .iter()
            .filter_map(|path| Some(path.rsplit_once('/')?.0));
        for path in set.chain(BUNDLES).chain(directories) {
            match (probe.look)(path) {
                Found::Nothing => {}
                Found::File => {
                    return Ok(Self {
                        file: Some(path.to_owned()),
                        directory: None,
                    });
                }
                Found::Directory => {
                    return Ok(Self {
                        file: None,
                        directory: Some(path.to_owned()),
                    });
                }
            }
        }
        Err(Unfamiliar(
            "the system has no trusted certificates".to_owned(),
        ))
    }
}
