//! Runs long computations off the writer thread and off the threads that serve requests.
//!
//! At most one per permitted processor runs at a time; the others queue. This also bounds their
//! memory.

use crate::domain::Refusal;
use std::sync::Arc;
use std::thread::available_parallelism;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// How many processors computations may use.
#[derive(Debug, Clone)]
pub struct Aside {
    free: Arc<Semaphore>,
    all: u32,
}

impl Aside {
    /// Returns a pool on all processors of the machine.
    pub fn on_all_processors() -> Self {
        Self::on(processors())
    }

    /// Half of them, so that requests always have the other half.
    pub fn on_half_the_processors() -> Self {
        Self::on((processors() / 2).max(1))
    }

    fn on(number: u32) -> Self {
        Self { free: Arc::new(Semaphore::new(number as usize)), all: number }
    }

    /// Runs a computation when a processor is free, and returns its result.
    ///
    /// Fails with InternalFailure if the computation panics.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let turn = Arc::clone(&self.free).acquire_owned().await.map_err(Refusal::internal)?;
        let computation = spawn_blocking(move || {
            // Held until the work is done, even if the caller no longer waits for it.
            let _turn = turn;
            work()
        });
        computation.await.map_err(Refusal::internal)
    }

    /// Completes when all computations requested so far have finished.
    pub async fn finished(&self) {
        drop(self.free.acquire_many(self.all).await);
    }
}

fn processors() -> u32 {
    available_parallelism().ok().and_then(|number| number.get().try_into().ok()).unwrap_or(1)
}
