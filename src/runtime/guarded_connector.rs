//! Connects to endpoints that callers choose, if the rules allow it.
//!
//! Every connection is checked when it is made: an address in a URL before the connection, a name by
//! each address to which it resolves at that moment. So a name that later resolves to another address
//! (DNS rebinding) gains nothing. No proxy is used.

use super::lookups::Lookups;
use crate::domain::endpoint_rules::EndpointRules;
use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_service::Service;

type BoxError = Box<dyn Error + Send + Sync>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// The error for an endpoint that the rules deny.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    host: String,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the settings of this server deny connections to {} (--deny-endpoints, --allow-endpoints)",
            self.host
        )
    }
}

impl Error for Denied {}

impl Denied {
    /// Returns the denial that caused an error, if any.
    pub fn in_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(denied) = error.downcast_ref() {
                return Some(denied);
            }
            next = error.source();
        }
        None
    }
}

/// Returns an error if the rules deny the host of a URL, as far as that is known without resolving it.
pub fn check(rules: &EndpointRules, host: &str) -> Result<(), Denied> {
    if rules.denies_unresolved(host) { Err(Denied { host: host.to_owned() }) } else { Ok(()) }
}

/// Connects to allowed addresses.
#[derive(Debug, Clone)]
pub struct GuardedConnector {
    rules: Arc<EndpointRules>,
    inner: HttpConnector<GuardedResolver>,
}

impl GuardedConnector {
    /// Returns a connector with these rules that shares these lookups.
    pub fn new(rules: Arc<EndpointRules>, lookups: Lookups) -> Self {
        let inner = GaiResolver::new();
        let resolver = GuardedResolver { rules: Arc::clone(&rules), lookups, inner };
        let mut inner = HttpConnector::new_with_resolver(resolver);
        // The TLS connector around this one handles https.
        inner.enforce_http(false);
        Self { rules, inner }
    }
}

impl Service<Uri> for GuardedConnector {
    type Response = <HttpConnector<GuardedResolver> as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = BoxFuture<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        // The resolver checks names, but is not called for addresses.
        if let Err(denied) = check(&self.rules, uri.host().unwrap_or_default()) {
            return Box::pin(std::future::ready(Err(denied.into())));
        }
        let connection = self.inner.call(uri);
        Box::pin(async move { connection.await.map_err(Into::into) })
    }
}

/// Resolves names to the allowed addresses.
#[derive(Debug, Clone)]
pub struct GuardedResolver {
    rules: Arc<EndpointRules>,
    lookups: Lookups,
    inner: GaiResolver,
}

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = BoxFuture<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (rules, lookups) = (Arc::clone(&self.rules), self.lookups.clone());
        let (mut inner, looked_up) = (self.inner.clone(), name.clone());
        let lookup = async move {
            let found = inner.call(looked_up).await.map_err(|error| error.to_string())?;
            Ok(found.collect())
        };
        Box::pin(async move {
            let host = name.as_str();
            let found = lookups.join(host, lookup).await?;
            let is_allowed = |address: &SocketAddr| rules.allows(host, address.ip());
            let allowed: Vec<_> = found.iter().copied().filter(is_allowed).collect();
            if allowed.is_empty() && !found.is_empty() {
                return Err(Denied { host: host.to_owned() }.into());
            }
            Ok(allowed.into_iter())
        })
    }
}
