//! Makes a certificate authority for one run, and a certificate for the names of the server.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio_rustls::TlsAcceptor;

use super::failed;
use crate::error::Result;

const NAMES: [&str; 4] = ["127.0.0.1", "localhost", "registry.test", "other.test"];

pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Result<Self> {
        let failed = failed("cannot make a certificate authority");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "Allegro test registry");
        let key = KeyPair::generate().map_err(&failed)?;
        CertifiedIssuer::self_signed(params, key)
            .map(Self)
            .map_err(&failed)
    }

    /// Returns the authority's certificate as PEM.
    pub(super) fn certificate(&self) -> String {
        self.0.pem()
    }

    /// Returns a certificate for a client and its key, both PEM.
    pub(super) fn client(&self) -> Result<(String, String)> {
        let failed = failed("cannot make a client certificate");
        let key = KeyPair::generate().map_err(&failed)?;
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "Allegro test client");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.0).map_err(&failed)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    /// Returns the server's side of TLS. With `clients`, only clients with a certificate of the
    /// authority may connect.
    pub(super) fn acceptor(&self, clients: bool) -> Result<TlsAcceptor> {
        let failed_to_make = failed("cannot make a certificate");
        let key = KeyPair::generate().map_err(&failed_to_make)?;
        let mut params =
            CertificateParams::new(NAMES.map(str::to_owned)).map_err(&failed_to_make)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "127.0.0.1");
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.0).map_err(&failed_to_make)?;
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = if clients {
            let mut roots = RootCertStore::empty();
            roots
                .add(self.0.der().clone())
                .map_err(failed("cannot set up TLS"))?;
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(failed("cannot set up TLS"))?
        } else {
            WebPkiClientVerifier::no_client_auth()
        };
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(failed("cannot set up TLS"))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(failed("cannot set up TLS"))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}
