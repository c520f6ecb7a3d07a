//! Long computations, aside from the writer and from the threads that serve requests.
//!
//! Only so many run at a time; the others wait in line. What they need memory for is there for that
//! many of them only.

use crate::domain::Refusal;
use std::sync::Arc;
use std::thread::available_parallelism;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Processors that computations may keep busy.
#[derive(Debug, Clone)]
pub struct Aside {
    free: Arc<Semaphore>,
    all: u32,
}

impl Aside {
    /// All processors of the machine.
    pub fn on_all_processors() -> Self {
        Self::on(processors())
    }

    /// Half of them: whatever is computed, as many are left to everybody else.
    pub fn on_half_the_processors() -> Self {
        Self::on((processors() / 2).max(1))
    }

    fn on(number: u32) -> Self {
        Self { free: Arc::new(Semaphore::new(number as usize)), all: number }
    }

    /// Does a computation, when it is its turn.
    ///
    /// Fails with InternalFailure if the computation panics.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let turn = Arc::clone(&self.free).acquire_owned().await.map_err(Refusal::internal)?;
        let computation = spawn_blocking(move || {
            // Held until the work is done, even if nobody waits for it any more.
            let _turn = turn;
            work()
        });
        computation.await.map_err(Refusal::internal)
    }

    /// Completes when everything is done that has been asked for so far.
    pub async fn finished(&self) {
        drop(self.free.acquire_many(self.all).await);
    }
}

fn processors() -> u32 {
    available_parallelism().ok().and_then(|number| number.get().try_into().ok()).unwrap_or(1)
}
