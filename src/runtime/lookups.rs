//! Running lookups of host names.
//!
//! A lookup occupies a thread until the system gives up, which can be long after the attempt that needed
//! it has timed out. So each name has at most one lookup at a time, and a delivery holds its slot until
//! the lookup has ended: name servers that do not respond delay only the account whose endpoints they
//! serve.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;

/// The addresses of a name, or why there are none.
pub type Found = Result<Vec<SocketAddr>, String>;

/// Lookups by name. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Lookups(Arc<Mutex<HashMap<String, watch::Receiver<Option<Found>>>>>);

impl Lookups {
    /// Returns the result of the running lookup of this name; starts the given lookup if there is none. The
    /// lookup continues if the caller stops waiting.
    pub async fn join(
        &self,
        name: &str,
        lookup: impl Future<Output = Found> + Send + 'static,
    ) -> Found {
        let mut result = self.begin(name, lookup);
        match result.wait_for(Option::is_some).await {
            Ok(found) => found.clone().unwrap_or(Ok(Vec::new())),
            Err(_) => Err("the lookup was cancelled".to_owned()),
        }
    }

    fn begin(
        &self,
        name: &str,
        lookup: impl Future<Output = Found> + Send + 'static,
    ) -> watch::Receiver<Option<Found>> {
        let mut going_on = self.0.lock();
        if let Some(result) = going_on.get(name) {
            return result.clone();
        }
        let (sender, result) = watch::channel(None);
        going_on.insert(name.to_owned(), result.clone());
        let (lookups, name) = (self.clone(), name.to_owned());
        tokio::spawn(async move {
            let found = lookup.await;
            lookups.0.lock().remove(&name);
            sender.send_replace(Some(found));
        });
        result
    }

    /// Completes when no lookup of this name is running.
    pub async fn ended(&self, name: &str) {
        let going_on = self.0.lock().get(name).cloned();
        if let Some(mut result) = going_on {
            // An error means that the lookup was cancelled.
            drop(result.wait_for(Option::is_some).await);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::sync::oneshot;
    use tokio::time::timeout;

    const A_MOMENT: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_name_is_looked_up_once_at_a_time_and_to_the_end() {
        let lookups = Lookups::default();
        let (answer, answered) = oneshot::channel::<Found>();
        let first = lookups.join("a", async { answered.await.unwrap() });
        assert!(timeout(A_MOMENT, first).await.is_err());
        let second = async { panic!("looked up twice") };
        assert!(timeout(A_MOMENT, lookups.join("a", second)).await.is_err());
        assert!(timeout(A_MOMENT, lookups.ended("a")).await.is_err(), "it is going on");
        lookups.ended("b").await;
        let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let third = lookups.join("a", async { panic!("looked up twice") });
        answer.send(Ok(vec![address])).unwrap();
        assert_eq!(third.await, Ok(vec![address]));
        lookups.ended("a").await;
        assert_eq!(lookups.join("a", async { Ok(Vec::new()) }).await, Ok(Vec::new()));
    }
}
