//! Signs notifications off the threads that serve requests.
//!
//! The key is generated, or read from the store, for the first signature: a server that never signs
//! never waits for it. A signature takes about two milliseconds of processor time, so at most one per
//! processor runs at a time; the others queue.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::aside::Aside;
use super::signing_key::{SigningKey, SigningKeyBytes};
use crate::domain::Refusal;
use crate::domain::notification::SignatureVersion;

/// The future result of a [`KeyKeeper`].
pub type Kept<'a, T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send + 'a>>;

/// Storage of the signing key.
pub trait KeyKeeper: Debug + Send + Sync {
    /// Returns the stored key, if there is one.
    fn load(&self) -> Kept<'_, Option<SigningKeyBytes>>;

    /// Stores a new key unless there is one, and returns the stored key: of several servers with the
    /// same data, the first one wins.
    fn keep(&self, new: SigningKeyBytes) -> Kept<'_, SigningKeyBytes>;
}

/// The signing key, loaded on first use.
#[derive(Debug)]
pub struct Signer {
    keeper: Box<dyn KeyKeeper>,
    key: OnceCell<Arc<SigningKey>>,
    aside: Aside,
}

impl Signer {
    /// Returns a signer that has not loaded its key.
    pub fn new(keeper: Box<dyn KeyKeeper>) -> Self {
        Self { keeper, key: OnceCell::new(), aside: Aside::on_all_processors() }
    }

    /// Returns the key. The first caller loads or generates it and the others wait; after a failure the
    /// next caller tries.
    ///
    /// Fails with the keeper's error, or with InternalFailure if the stored key is damaged.
    pub async fn key(&self) -> Result<Arc<SigningKey>, Refusal> {
        self.key.get_or_try_init(|| self.load_or_generate()).await.cloned()
    }

    /// Returns the signature of a text in Base64.
    ///
    /// Fails as [`Signer::key`] does.
    pub async fn sign(&self, version: SignatureVersion, text: String) -> Result<String, Refusal> {
        let key = self.key().await?;
        Ok(self.aside.run(move || key.sign(version, &text)).await??)
    }

    async fn load_or_generate(&self) -> Result<Arc<SigningKey>, Refusal> {
        let kept = if let Some(kept) = self.keeper.load().await? {
            kept
        } else {
            let new = self.aside.run(|| SigningKey::generate()?.to_bytes()).await??;
            self.keeper.keep(new).await?
        };
        Ok(self.aside.run(move || SigningKey::from_bytes(&kept).map(Arc::new)).await??)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{LazyLock, Mutex};

    use super::*;

    static FIRST: LazyLock<SigningKeyBytes> =
        LazyLock::new(|| SigningKey::generate().unwrap().to_bytes().unwrap());

    /// Stores a key in memory and counts calls.
    #[derive(Debug, Default, Clone)]
    struct Memory(Arc<Mutex<State>>);

    #[derive(Debug, Default)]
    struct State {
        kept: Option<SigningKeyBytes>,
        /// A key that another server stores between our read and our write.
        rival: Option<SigningKeyBytes>,
        failures: usize,
        loads: usize,
        keeps: usize,
    }

    impl KeyKeeper for Memory {
        fn load(&self) -> Kept<'_, Option<SigningKeyBytes>> {
            Box::pin(async {
                tokio::task::yield_now().await;
                let mut state = self.0.lock().unwrap();
                state.loads += 1;
                if state.failures > 0 {
                    state.failures -= 1;
                    return Err(Refusal::internal("no disk"));
                }
                Ok(state.kept.clone())
            })
        }

        fn keep(&self, new: SigningKeyBytes) -> Kept<'_, SigningKeyBytes> {
            Box::pin(async {
                let mut state = self.0.lock().unwrap();
                state.keeps += 1;
                let first = state.rival.take().unwrap_or(new);
                Ok(state.kept.get_or_insert(first).clone())
            })
        }
    }

    fn signer(memory: &Memory) -> Arc<Signer> {
        Arc::new(Signer::new(Box::new(memory.clone())))
    }

    #[tokio::test]
    async fn a_key_is_made_once_and_only_when_needed() {
        let memory = Memory::default();
        let first = signer(&memory);
        assert_eq!(memory.0.lock().unwrap().loads, 0);
        let signing = (0..8).map(|_| {
            let signer = Arc::clone(&first);
            tokio::spawn(async move { signer.sign(SignatureVersion::V2, "x".into()).await })
        });
        let signing: Vec<_> = signing.collect();
        let mut signatures = Vec::new();
        for signature in signing {
            signatures.push(signature.await.unwrap().unwrap());
        }
        signatures.dedup();
        assert_eq!(signatures.len(), 1);
        let again = signer(&memory).sign(SignatureVersion::V2, "x".into()).await.unwrap();
        assert_eq!(signatures, [again]);
        let state = memory.0.lock().unwrap();
        assert_eq!((state.loads, state.keeps), (2, 1));
    }

    #[tokio::test]
    async fn the_key_that_was_kept_first_is_used() {
        let memory = Memory::default();
        memory.0.lock().unwrap().rival = Some(FIRST.clone());
        let key = signer(&memory).key().await.unwrap();
        assert_eq!(key.to_bytes().unwrap(), *FIRST);
    }

    #[tokio::test]
    async fn after_a_failure_the_next_one_tries() {
        let memory = Memory::default();
        *memory.0.lock().unwrap() =
            State { kept: Some(FIRST.clone()), failures: 1, ..State::default() };
        let signer = signer(&memory);
        assert!(signer.key().await.is_err());
        assert_eq!(signer.key().await.unwrap().to_bytes().unwrap(), *FIRST);
    }

    #[tokio::test]
    async fn a_damaged_key_is_not_replaced() {
        let memory = Memory::default();
        let damaged = SigningKeyBytes { private_key: vec![1, 2, 3], ..FIRST.clone() };
        memory.0.lock().unwrap().kept = Some(damaged);
        let refusal = signer(&memory).sign(SignatureVersion::V1, "x".into()).await.unwrap_err();
        assert!(refusal.internal.is_some());
        assert_eq!(memory.0.lock().unwrap().keeps, 0);
    }
}
