//! Signs what SNS sends.
//!
//! The key lives in the store, as long as the data. It is loaded, or generated, for the first signature,
//! so a server that never signs never waits for one. Signing takes some two milliseconds of a processor
//! and therefore runs on a pool: at most one signature for each processor at a time.

mod key;

use std::sync::{Arc, OnceLock};

use tokio::sync::OnceCell;

pub use self::key::SigningKey;
use super::cpu_pool::CpuPool;
use crate::domain::Refusal;
use crate::domain::notification::{SignatureVersion, certificate_url};
use crate::store::{KeyAndCertificate, Store, Txn};

/// Signs notifications with the key in the store.
#[derive(Debug)]
pub struct SnsSigner {
    store: Store,
    key: OnceCell<Arc<SigningKey>>,
    cpu_pool: CpuPool,
    cert_base_url: OnceLock<String>,
}

impl SnsSigner {
    /// Returns a signer that has not loaded its key yet.
    pub(super) fn new(store: Store) -> Self {
        let (key, cert_base_url) = (OnceCell::new(), OnceLock::new());
        Self { store, key, cpu_pool: CpuPool::on_all_processors(), cert_base_url }
    }

    /// Sets the beginning of certificate URLs, for verifiers that insist on a host. Without it, the URL
    /// begins with the address that the caller used. Only the first call has an effect.
    pub fn set_cert_base_url(&self, url: String) {
        drop(self.cert_base_url.set(url));
    }

    /// Loads or generates the key in the background.
    pub fn prepare(self: &Arc<Self>) {
        let signer = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(refusal) = signer.key().await {
                tracing::debug!(
                    cause = refusal.internal,
                    "cannot load or generate the signing key"
                );
            }
        });
    }

    /// Returns the key. The first caller loads or generates it while later ones wait; after a failure
    /// the next caller tries again.
    ///
    /// # Errors
    ///
    /// Those of the store, and InternalFailure if the stored key is damaged.
    pub async fn key(&self) -> Result<Arc<SigningKey>, Refusal> {
        self.key.get_or_try_init(|| self.load_or_generate()).await.cloned()
    }

    /// Returns the certificate URL for a message whose links begin with `base_url`.
    ///
    /// # Errors
    ///
    /// Those of [`SnsSigner::key`].
    pub async fn cert_url(&self, base_url: &str) -> Result<String, Refusal> {
        let file_name = self.key().await?.certificate_file_name();
        let base_url = self.cert_base_url.get().map_or(base_url, String::as_str);
        Ok(certificate_url(base_url, &file_name))
    }

    /// Returns the signature of a text in base64.
    ///
    /// # Errors
    ///
    /// Those of [`SnsSigner::key`].
    pub async fn sign(&self, version: SignatureVersion, text: String) -> Result<String, Refusal> {
        let key = self.key().await?;
        self.compute(move || key.sign(version, &text)).await
    }

    async fn load_or_generate(&self) -> Result<Arc<SigningKey>, Refusal> {
        let stored = match self.store.run(|tx| Ok(tx.signing_key()?)).await? {
            Some(stored) => stored,
            None => {
                self.store_first(self.compute(|| SigningKey::generate()?.to_der()).await?).await?
            }
        };
        self.compute(move || SigningKey::from_der(&stored).map(Arc::new)).await
    }

    /// Stores a new key unless another server with the same data has stored one meanwhile. Returns the
    /// key that is in the store.
    async fn store_first(&self, new: KeyAndCertificate) -> Result<KeyAndCertificate, Refusal> {
        let store = move |tx: &mut Txn<'_>| {
            if let Some(first) = tx.signing_key()? {
                return Ok(first);
            }
            tx.insert_signing_key(&new.0, &new.1)?;
            Ok(new.clone())
        };
        self.store.run(store).await
    }

    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, key::Error> + Send + 'static,
    ) -> Result<T, Refusal> {
        let result = self.cpu_pool.run(work).await?;
        result.map_err(|error| Refusal::internal(format!("signing key: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::delivery_log::DeliveryLog;
    use crate::store::{Durability, Ids, Location, Moment, Sqlite};
    use std::sync::LazyLock;

    static STORED: LazyLock<KeyAndCertificate> =
        LazyLock::new(|| SigningKey::generate().unwrap().to_der().unwrap());

    fn store() -> Store {
        let database = Sqlite::open(&Location::Memory, Durability::Full).unwrap();
        let moment = || Moment { now: 0, shown: 0 };
        let observer = Arc::new(DeliveryLog::default());
        Store::start(Box::new(database), Box::new(moment), Ids::with_seed(1), observer).unwrap()
    }

    async fn stored(store: &Store) -> Option<KeyAndCertificate> {
        store.run(|tx| Ok(tx.signing_key()?)).await.unwrap()
    }

    #[tokio::test]
    async fn a_key_is_generated_once_and_only_when_needed() {
        let store = store();
        let signer = Arc::new(SnsSigner::new(store.clone()));
        assert_eq!(stored(&store).await, None);
        let signing = (0..8).map(|_| {
            let signer = Arc::clone(&signer);
            tokio::spawn(async move { signer.sign(SignatureVersion::V2, "x".into()).await })
        });
        let mut signatures = Vec::new();
        for signature in signing.collect::<Vec<_>>() {
            signatures.push(signature.await.unwrap().unwrap());
        }
        let restarted = SnsSigner::new(store);
        signatures.push(restarted.sign(SignatureVersion::V2, "x".into()).await.unwrap());
        signatures.dedup();
        assert_eq!(signatures.len(), 1);
    }

    #[tokio::test]
    async fn the_key_that_was_stored_first_is_used() {
        let signer = SnsSigner::new(store());
        assert_eq!(signer.store_first(STORED.clone()).await.unwrap(), *STORED);
        let late = (vec![1], vec![2]);
        assert_eq!(signer.store_first(late).await.unwrap(), *STORED);
        assert_eq!(signer.key().await.unwrap().to_der().unwrap(), *STORED);
    }

    #[tokio::test]
    async fn a_damaged_key_is_not_replaced() {
        let store = store();
        let signer = SnsSigner::new(store.clone());
        let damaged = (vec![1, 2, 3], STORED.1.clone());
        signer.store_first(damaged.clone()).await.unwrap();
        let refusal = signer.sign(SignatureVersion::V1, "x".into()).await.unwrap_err();
        assert!(refusal.internal.is_some());
        assert_eq!(stored(&store).await, Some(damaged));
    }
}
