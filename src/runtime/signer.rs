//! Signs what SNS sends, away from the threads that serve requests.
//!
//! The key is made, or read from where it is kept, when the first signature is asked for: a server
//! that never signs never waits for it. A signature takes some two milliseconds of a processor, so
//! no more are made at a time than there are processors; the others wait in line.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::aside::Aside;
use super::signing_key::{SigningKey, SigningKeyBytes};
use crate::domain::Refusal;
use crate::domain::notification::SignatureVersion;

/// What [`KeyKeeper`] answers with, later.
pub type Kept<'a, T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send + 'a>>;

/// Where the signing key is kept.
pub trait KeyKeeper: Debug + Send + Sync {
    /// The key, if there is one.
    fn load(&self) -> Kept<'_, Option<SigningKeyBytes>>;

    /// Keeps a new key unless there is one already, and answers with the one that is kept then: of
    /// several servers with the same data, one is first.
    fn keep(&self, new: SigningKeyBytes) -> Kept<'_, SigningKeyBytes>;
}

/// The signing key, once it is needed.
#[derive(Debug)]
pub struct Signer {
    keeper: Box<dyn KeyKeeper>,
    key: OnceCell<Arc<SigningKey>>,
    aside: Aside,
}

impl Signer {
    /// A signer that has no key yet.
    pub fn new(keeper: Box<dyn KeyKeeper>) -> Self {
        Self { keeper, key: OnceCell::new(), aside: Aside::on_all_processors() }
    }

    /// The key. Whoever asks first makes it, the others wait; after a failure the next one tries.
    ///
    /// Fails with what the keeper says, or with InternalFailure when what it has is damaged.
    pub async fn key(&self) -> Result<Arc<SigningKey>, Refusal> {
        self.key.get_or_try_init(|| self.load_or_generate()).await.cloned()
    }

    /// The signature of a text in base64.
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

    /// Keeps a key in memory and counts what it is asked.
    #[derive(Debug, Default, Clone)]
    struct Memory(Arc<Mutex<State>>);

    #[derive(Debug, Default)]
    struct State {
        kept: Option<SigningKeyBytes>,
        /// A key that another server keeps between our look and ours.
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
