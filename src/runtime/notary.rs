//! Who signs notifications: the key, kept with the data, and where its certificate is found.

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
    /// What the URL of the certificate begins with, if not with the address that the caller used.
    cert_base_url: OnceLock<String>,
}

impl Notary {
    /// A notary whose key is kept in this store.
    pub(super) fn new(store: Store) -> Self {
        let signer = Arc::new(Signer::new(Box::new(StoredKey(store))));
        Self { signer, cert_base_url: OnceLock::new() }
    }

    /// Sets what the URL of the certificate begins with, for verifiers that insist on a host.
    pub fn set_cert_base_url(&self, url: String) {
        // Set once, when the server is put together.
        drop(self.cert_base_url.set(url));
    }

    /// Makes the key in the background, if there is none yet.
    pub fn prepare(&self) {
        let signer = Arc::clone(&self.signer);
        tokio::spawn(async move {
            if let Err(refusal) = signer.key().await {
                tracing::debug!(cause = refusal.internal, "no signing key yet");
            }
        });
    }

    /// The key, with its certificate.
    pub async fn key(&self) -> Result<Arc<SigningKey>, Refusal> {
        self.signer.key().await
    }

    /// The URL of the certificate in a message whose links begin with `base_url`.
    pub async fn cert_url(&self, base_url: &str) -> Result<String, Refusal> {
        let file_name = self.key().await?.certificate_file_name();
        let base_url = self.cert_base_url.get().map_or(base_url, String::as_str);
        Ok(certificate_url(base_url, &file_name))
    }

    /// The signature of a text in Base64.
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
