//! A pool for long computations, off the writer thread and the threads that serve requests.
//!
//! It limits how many computations run at a time, and so also their memory; the rest wait in a
//! queue.

use crate::domain::Refusal;
use std::sync::Arc;
use std::thread::available_parallelism;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// A limited number of processors for computations.
#[derive(Debug, Clone)]
pub struct CpuPool {
    free: Arc<Semaphore>,
    size: u32,
}

impl CpuPool {
    /// Returns a pool of all processors.
    pub fn on_all_processors() -> Self {
        Self::with_size(processors())
    }

    /// Returns a pool of half the processors, rounded down, but at least one: the others stay free for
    /// requests.
    pub fn on_half_the_processors() -> Self {
        Self::with_size((processors() / 2).max(1))
    }

    fn with_size(size: u32) -> Self {
        Self { free: Arc::new(Semaphore::new(size as usize)), size }
    }

    /// Runs a computation in its turn, and returns its result.
    ///
    /// # Errors
    ///
    /// InternalFailure if the computation panics.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let permit = Arc::clone(&self.free).acquire_owned().await.map_err(Refusal::internal)?;
        let computation = spawn_blocking(move || {
            // Held until the work is done, even if its caller was dropped.
            let _permit = permit;
            work()
        });
        computation.await.map_err(Refusal::internal)
    }

    /// Completes when all computations that were submitted so far are done.
    pub async fn finished(&self) {
        drop(self.free.acquire_many(self.size).await);
    }
}

fn processors() -> u32 {
    available_parallelism().map_or(1, |number| number.get() as u32)
}
