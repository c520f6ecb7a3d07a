//! Connections to endpoints that callers choose, restricted by rules.
//!
//! Rules are checked when a connection is made: for an address in a URL before connecting, for a
//! name against each address that it resolves to at that moment. So a name that resolves to another
//! address the second time (DNS rebinding) gains nothing. No proxy is used.
//!
//! A lookup occupies a thread until the system gives up, which can be long after the attempt that
//! started it has timed out. So there is one lookup of a name at a time, and a delivery holds its
//! slot until the lookup has ended: unresponsive name servers delay only the account whose
//! endpoints they name.

use crate::domain::endpoint_rules::EndpointRules;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, ready};
use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_service::Service;

type BoxError = Box<dyn Error + Send + Sync>;
/// The addresses of a name, or the reason that there are none.
type Addresses = Result<Vec<SocketAddr>, String>;

/// The rules do not allow connections to a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the settings of this server deny connections to {0} (--deny-endpoints, --allow-endpoints)"
)]
pub struct Denied(String);

/// Fails if the rules deny the host of a URL and that is known without resolving it.
pub fn check(rules: &EndpointRules, host: &str) -> Result<(), Denied> {
    if rules.denies_unresolved(host) { Err(Denied(host.to_owned())) } else { Ok(()) }
}

/// Connects if the rules allow it.
#[derive(Debug, Clone)]
pub struct GuardedConnector {
    rules: Arc<EndpointRules>,
    inner: HttpConnector<GuardedResolver>,
}

impl GuardedConnector {
    /// Returns a connector with these rules that shares these lookups.
    pub fn new(rules: Arc<EndpointRules>, lookups: Lookups) -> Self {
        let resolver = GuardedResolver { rules: Arc::clone(&rules), lookups };
        let mut inner = HttpConnector::new_with_resolver(resolver);
        // The wrapper of this connector adds TLS if the URL is https.
        inner.enforce_http(false);
        Self { rules, inner }
    }
}

impl Service<Uri> for GuardedConnector {
    type Response = <HttpConnector<GuardedResolver> as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        // The resolver checks names; literal addresses do not reach it.
        match check(&self.rules, uri.host().unwrap_or_default()) {
            Ok(()) => {
                Box::pin(self.inner.call(uri).map(|connection| connection.map_err(Into::into)))
            }
            Err(denied) => Box::pin(ready(Err(denied.into()))),
        }
    }
}

/// Resolves names to the addresses that the rules allow.
#[derive(Debug, Clone)]
pub struct GuardedResolver {
    rules: Arc<EndpointRules>,
    lookups: Lookups,
}

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let Self { rules, lookups } = self.clone();
        let looked_up = name.clone();
        let lookup = async move {
            let found = GaiResolver::new().call(looked_up).await;
            Ok(found.map_err(|error| error.to_string())?.collect())
        };
        Box::pin(async move {
            let host = name.as_str();
            let found = lookups.join(host, lookup).await?;
            let is_allowed = |address: &SocketAddr| rules.allows(host, address.ip());
            let allowed: Vec<_> = found.iter().copied().filter(is_allowed).collect();
            if allowed.is_empty() && !found.is_empty() {
                return Err(Denied(host.to_owned()).into());
            }
            Ok(allowed.into_iter())
        })
    }
}

/// The running lookups by name. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Lookups(Arc<Mutex<HashMap<String, Shared<BoxFuture<'static, Addresses>>>>>);

impl Lookups {
    /// Returns the result of the running lookup of this name; starts `lookup` if there is none. A
    /// lookup continues when its callers are dropped.
    async fn join(
        &self,
        name: &str,
        lookup: impl Future<Output = Addresses> + Send + 'static,
    ) -> Addresses {
        let start = || {
            let (lookups, name) = (self.clone(), name.to_owned());
            let lookup = lookup.inspect(move |_| drop(lookups.0.lock().remove(&name)));
            let lookup = lookup.boxed().shared();
            tokio::spawn(lookup.clone());
            lookup
        };
        let running = self.0.lock().entry(name.to_owned()).or_insert_with(start).clone();
        running.await
    }

    /// Completes when no lookup of this name is running.
    pub async fn ended(&self, name: &str) {
        let running = self.0.lock().get(name).cloned();
        if let Some(running) = running {
            drop(running.await);
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
        let (answer, answered) = oneshot::channel::<Addresses>();
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
