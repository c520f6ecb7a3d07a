//! The certificate authorities that outgoing TLS connections trust.
//!
//! These are the system's. SSL_CERT_FILE and SSL_CERT_DIR name others instead, usually private ones. The bundled
//! public ones are added if either variable is set, and if the system has none, as in an image from scratch.

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// Trusted certificate authorities.
#[derive(Debug, Default)]
pub struct TlsRoots {
    /// The authorities of the system or of the environment.
    pub certificates: Vec<CertificateDer<'static>>,
    /// Whether the bundled public authorities are trusted too.
    pub bundled: bool,
}

impl TlsRoots {
    /// Returns the authorities to trust. Reads files of some hundred kilobytes on most systems.
    pub fn find() -> Self {
        let found = rustls_native_certs::load_native_certs();
        for error in found.errors {
            tracing::warn!(%error, "cannot read some CA certificates");
        }
        let named = std::env::var_os("SSL_CERT_FILE").or_else(|| std::env::var_os("SSL_CERT_DIR"));
        let mut certificates = found.certs;
        // rustls cannot use every certificate of a system.
        certificates.retain(|one| RootCertStore::empty().add(one.clone()).is_ok());
        Self { bundled: named.is_some() || certificates.is_empty(), certificates }
    }

    /// Returns the TLS settings of a client that trusts these authorities.
    pub fn client_config(self) -> Result<ClientConfig, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.certificates);
        if self.bundled {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be used: {error}"))?
            .with_root_certificates(roots)
            .with_no_client_auth())
    }
}
