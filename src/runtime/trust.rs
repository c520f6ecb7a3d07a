//! The certificate authorities that outbound TLS connections trust.
//!
//! These are the authorities of the system. SSL_CERT_FILE and SSL_CERT_DIR replace them, usually by
//! private ones; then the bundled public authorities are trusted too. The bundled ones are also trusted
//! if the system has none, as in an image from scratch.

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// The trusted authorities.
#[derive(Debug, Default)]
pub struct Authorities {
    /// Certificates of the system, of the environment, or given by a test.
    pub certificates: Vec<CertificateDer<'static>>,
    /// Whether the bundled public authorities are trusted too.
    pub bundled: bool,
}

impl Authorities {
    /// Returns the configured authorities. Reads files: some hundred kilobytes on most systems.
    pub fn find() -> Self {
        let found = rustls_native_certs::load_native_certs();
        for error in found.errors {
            tracing::warn!(%error, "certificates of authorities cannot be read");
        }
        let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"];
        let named = named.into_iter().any(|name| std::env::var_os(name).is_some());
        let mut certificates = found.certs;
        // Some authorities of a system may be unusable for rustls.
        certificates.retain(|one| RootCertStore::empty().add(one.clone()).is_ok());
        Self { bundled: named || certificates.is_empty(), certificates }
    }

    /// Returns a TLS client configuration that trusts these authorities.
    pub fn client_config(self) -> Result<ClientConfig, String> {
        Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be used: {error}"))?
            .with_root_certificates(self.root_store())
            .with_no_client_auth())
    }

    /// Returns the authorities in the form of rustls.
    pub fn root_store(self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.certificates);
        if self.bundled {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        roots
    }
}
