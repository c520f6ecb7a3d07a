//! Signs notifications with the key that is stored with the data, and locates its certificate.

use super::signer::{Kept, KeyKeeper, Signer};
use super::signing_key::{SigningKey, SigningKeyBytes};
use crate::domain::Refusal;
use crate::domain::notification::{SignatureVersion, certificate_url};
use crate::store::{KeyAndCertificate, Store};
use std::sync::{Arc, OnceLock};

/// Signs notifications.
#[derive(Debug)]
pub struct Notary {
    signer: Arc<Signer>,
    /// The base of the certificate's URL, if it is not the address that the caller used.
    cert_base_url: OnceLock<String>,
}

impl Notary {
    /// Returns a notary whose key is in this store.
    pub(super) fn new(store: Store) -> Self {
        let signer = Arc::new(Signer::new(Box::new(StoredKey(store))));
        Self { signer, cert_base_url: OnceLock::new() }
    }

    /// Sets the base of the certificate's URL, for validators that require a host.
    pub fn set_cert_base_url(&self, url: String) {
        // Set once, at startup.
        drop(self.cert_base_url.set(url));
    }

    /// Generates the key in the background, if there is none yet.
    pub fn prepare(&self) {
        let signer = Arc::clone(&self.signer);
        tokio::spawn(async move {
            if let Err(refusal) = signer.key().await {
                tracing::debug!(cause = refusal.internal, "no signing key yet");
            }
        });
    }

    /// Returns the key with its certificate.
    pub async fn key(&self) -> Result<Arc<SigningKey>, Refusal> {
        self.signer.key().await
    }

    /// Returns the URL of the certificate for a message whose links start with `base_url`.
    pub async fn cert_url(&self, base_url: &str) -> Result<String, Refusal> {
        let file_name = self.key().await?.certificate_file_name();
        let base_url = self.cert_base_url.get().map_or(base_url, String::as_str);
        Ok(certificate_url(base_url, &file_name))
    }

    /// Returns the signature of a text in Base64.
    pub async fn sign(&self, version: SignatureVersion, text: String) -> Result<String, Refusal> {
        self.signer.sign(version, text).await
    }
}

/// The key in the store.
#[derive(Debug)]
struct StoredKey(Store);

impl KeyKeeper for StoredKey {
    fn load(&self) -> Kept<'_, Option<SigningKeyBytes>> {
        Box::pin(self.0.run(|tx| Ok(tx.signing_key()?.map(from_row))))
    }

    fn keep(&self, new: SigningKeyBytes) -> Kept<'_, SigningKeyBytes> {
        Box::pin(self.0.run(move |tx| {
            if let Some(first) = tx.signing_key()? {
                return Ok(from_row(first));
            }
            tx.insert_signing_key(&new.private_key, &new.certificate)?;
            Ok(new.clone())
        }))
    }
}

fn from_row((private_key, certificate): KeyAndCertificate) -> SigningKeyBytes {
    SigningKeyBytes { private_key, certificate }
}
