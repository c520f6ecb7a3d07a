//! A pool for long computations, apart from the writer and from the threads that serve requests.
//!
//! A limited number run at once, which bounds their memory, too; others wait for their turn.

use crate::domain::Refusal;
use std::sync::Arc;
use std::thread::available_parallelism;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// The processors that computations may keep busy.
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

    /// Returns a pool on half of the processors, which leaves the other half to requests and to the writer.
    pub fn on_half_the_processors() -> Self {
        Self::on((processors() / 2).max(1))
    }

    fn on(number: u32) -> Self {
        Self { free: Arc::new(Semaphore::new(number as usize)), all: number }
    }

    /// Runs a computation when it is its turn. Fails with InternalFailure if it panics.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let turn = Arc::clone(&self.free).acquire_owned().await.map_err(Refusal::internal)?;
        let computation = spawn_blocking(move || {
            // Held until the work is done, even if the caller has gone.
            let _turn = turn;
            work()
        });
        computation.await.map_err(Refusal::internal)
    }

    /// Completes when all computations that were started so far are done.
    pub async fn finished(&self) {
        drop(self.free.acquire_many(self.all).await);
    }
}

fn processors() -> u32 {
    available_parallelism().ok().and_then(|number| number.get().try_into().ok()).unwrap_or(1)
}
