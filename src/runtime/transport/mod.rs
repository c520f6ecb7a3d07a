//! Sends messages out of the process: HTTP posts, calls of functions, mail. [`Transport`] is a
//! trait, so that tests can replace the network.

mod connector;
pub mod http;
mod http_authorization;
pub mod mail;
mod tls_roots;

use crate::domain::delivery_outcome::Outcome;
use crate::domain::endpoint_rules::EndpointRules;
use axum::body::Bytes;
use futures_util::future::BoxFuture;
use http::{HttpSender, Post};
use hyper::Uri;
use mail::MailSender;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

/// Time for an http or https endpoint to answer.
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html>
const HTTP_TIMEOUT: Duration = Duration::from_secs(15);
/// Time for a function to answer.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const LAMBDA_TIMEOUT: Duration = Duration::from_mins(15);

/// A message ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum OutboundMessage {
    /// For an http or https endpoint.
    Post(Post),
    /// An event, as JSON, for a function.
    Invoke { function_arn: String, event: Bytes },
    /// For a mail address.
    Mail { to: String, subject: String, text: String },
}

/// Sends messages to endpoints outside the process.
pub trait Transport: Debug + Send + Sync {
    /// Makes one attempt to send a message.
    fn send<'a>(&'a self, message: &'a OutboundMessage) -> BoxFuture<'a, Outcome>;

    /// Rejects a URL, with a sentence, if posts to it are known to be denied without resolving its
    /// name.
    fn check_endpoint(&self, _url: &str) -> Result<(), String> {
        Ok(())
    }

    /// Returns whether mailboxes belong to people who are not callers of this server. If so, only
    /// the mail itself contains the token that confirms a subscription.
    fn keeps_mail_private(&self) -> bool {
        false
    }
}

/// Sends over the network.
#[derive(Debug)]
pub struct NetworkTransport {
    /// For endpoints, which callers choose.
    http: HttpSender,
    /// For functions, whose URLs the operator has chosen.
    invoker: HttpSender,
    rules: Arc<EndpointRules>,
    mail: Option<MailSender>,
    functions: BTreeMap<String, String>,
    callers_have_keys: bool,
}

impl NetworkTransport {
    /// Returns a transport with an optional mail relay, URLs of functions by ARN, by name or by `*` for all
    /// others, and rules for http and https endpoints.
    pub fn new(
        mail: Option<MailSender>,
        functions: BTreeMap<String, String>,
        rules: EndpointRules,
    ) -> Self {
        let rules = Arc::new(rules);
        let http = HttpSender::new(HTTP_TIMEOUT, Arc::clone(&rules));
        let invoker = HttpSender::new(LAMBDA_TIMEOUT, Arc::default());
        Self { http, invoker, rules, mail, functions, callers_have_keys: false }
    }

    /// Returns the same for a server with keys, whose callers are not its operators.
    #[must_use]
    pub fn for_callers_with_keys(self) -> Self {
        Self { callers_have_keys: true, ..self }
    }

    fn function_url(&self, arn: &str) -> Option<&String> {
        // arn:aws:lambda:<region>:<account>:function:<name>[:<version or alias>]
        let name = arn.split(':').nth(6).unwrap_or_default();
        [arn, name, "*"].into_iter().find_map(|key| self.functions.get(key))
    }
}

impl Transport for NetworkTransport {
    fn send<'a>(&'a self, message: &'a OutboundMessage) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match message {
                OutboundMessage::Post(post) => self.http.post(post).await,
                OutboundMessage::Invoke { function_arn, event } => {
                    match self.function_url(function_arn) {
                        Some(url) => self.invoker.invoke(url, event).await,
                        None => Outcome::permanent(format!(
                            "no URL is configured for the function {function_arn}"
                        )),
                    }
                }
                OutboundMessage::Mail { to, subject, text } => match &self.mail {
                    Some(mail) => mail.send(to, subject, text).await,
                    // Mail is stored for inspection; without a relay there is nothing else to do.
                    None => Outcome::Delivered { status: 250 },
                },
            }
        })
    }

    fn check_endpoint(&self, url: &str) -> Result<(), String> {
        let uri: Uri = url.parse().unwrap_or_default();
        connector::check(&self.rules, uri.host().unwrap_or_default()).map_err(|it| it.to_string())
    }

    fn keeps_mail_private(&self) -> bool {
        self.mail.is_some() && self.callers_have_keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_by_arn_then_name_then_star() {
        let transport = |keys: &[&str]| {
            let functions = keys.iter().map(|key| ((*key).to_owned(), format!("http://{key}")));
            NetworkTransport::new(None, functions.collect(), EndpointRules::default())
        };
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
        assert_eq!(transport(&["*", "f", arn]).function_url(arn), Some(&format!("http://{arn}")));
        assert_eq!(transport(&["*", "f"]).function_url(arn), Some(&"http://f".to_owned()));
        assert_eq!(
            transport(&["*", "g"]).function_url(&format!("{arn}:live")),
            Some(&"http://*".to_owned())
        );
        assert_eq!(transport(&["g"]).function_url(arn), None);
    }
}
