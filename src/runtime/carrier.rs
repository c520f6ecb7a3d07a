//! Transports of deliveries: HTTP, a function's URL, a mail relay. They are behind a trait, so that
//! tests can receive deliveries without a network.

use super::guarded_connector;
use super::http_sender::{HttpSender, Post};
use super::mail_sender::MailSender;
use crate::domain::arn::Arn;
use crate::domain::delivery_outcome::Outcome;
use crate::domain::endpoint_rules::EndpointRules;
use crate::domain::sns_endpoint::host_of;
use axum::body::Bytes;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// How long an endpoint may take to respond, as on AWS.
const HTTP_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a function may take, as on AWS.
const LAMBDA_TIMEOUT: Duration = Duration::from_mins(15);

/// One rendered delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letter {
    /// To an http or https endpoint.
    Post(Post),
    /// To a function.
    Invoke {
        /// The function's ARN.
        function_arn: String,
        /// The event, as JSON.
        event: Bytes,
    },
    /// To a mail address.
    Mail {
        /// The address.
        to: String,
        /// The subject.
        subject: String,
        /// The text.
        text: String,
    },
}

/// The future outcome of an attempt.
pub type Attempt<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// Sends letters to their endpoints.
pub trait Carrier: Debug + Send + Sync {
    /// Makes one attempt.
    fn carry<'a>(&'a self, letter: &'a Letter) -> Attempt<'a>;

    /// Returns an error if the rules deny posts to a URL, as far as that is known without resolving its
    /// name.
    fn check_endpoint(&self, _url: &str) -> Result<(), String> {
        Ok(())
    }

    /// Returns whether mail reaches mailboxes of people other than the server's callers. If so, only the
    /// mail itself may show what confirms a subscription.
    fn keeps_mail_private(&self) -> bool {
        false
    }
}

/// The transports over the network.
#[derive(Debug)]
pub struct World {
    /// Posts to endpoints, which callers choose.
    http: HttpSender,
    /// Posts to functions, whose URLs the operator has configured.
    invoker: HttpSender,
    rules: Arc<EndpointRules>,
    mail: Option<MailSender>,
    functions: BTreeMap<String, String>,
    callers_are_known: bool,
}

impl World {
    /// Returns the transports: email through this relay, if there is one; functions at these URLs, by
    /// ARN, by name, or by `*` for all others. The rules apply to http and https endpoints.
    pub fn new(
        mail: Option<MailSender>,
        functions: BTreeMap<String, String>,
        rules: EndpointRules,
    ) -> Self {
        let rules = Arc::new(rules);
        Self {
            http: HttpSender::new(HTTP_TIMEOUT, Arc::clone(&rules)),
            invoker: HttpSender::new(LAMBDA_TIMEOUT, Arc::default()),
            rules,
            mail,
            functions,
            callers_are_known: false,
        }
    }

    /// Declares that the server has keys, so its callers are not its operators.
    #[must_use]
    pub fn for_callers_with_keys(self) -> Self {
        Self { callers_are_known: true, ..self }
    }

    fn function_url(&self, arn: &str) -> Option<&str> {
        // arn:aws:lambda:<region>:<account>:function:<name>[:<version or alias>]
        let name =
            Arn::parse(arn).and_then(|arn| arn.resource.split(':').nth(1)).unwrap_or_default();
        let found = [arn, name, "*"].into_iter().find_map(|key| self.functions.get(key));
        found.map(String::as_str)
    }
}

impl Carrier for World {
    fn carry<'a>(&'a self, letter: &'a Letter) -> Attempt<'a> {
        Box::pin(async move {
            match letter {
                Letter::Post(post) => self.http.post(post).await,
                Letter::Invoke { function_arn, event } => match self.function_url(function_arn) {
                    Some(url) => self.invoker.invoke(url, event, LAMBDA_TIMEOUT).await,
                    None => Outcome::permanent(format!(
                        "no URL is configured for the function {function_arn}"
                    )),
                },
                Letter::Mail { to, subject, text } => match &self.mail {
                    Some(mail) => mail.send(to, subject, text).await,
                    // Mail is captured in any case; without a relay it is not sent.
                    None => Outcome::Delivered { status: 250 },
                },
            }
        })
    }

    fn check_endpoint(&self, url: &str) -> Result<(), String> {
        let host = host_of(url).unwrap_or_default();
        // Without the port; an IPv6 address keeps its brackets.
        let end = match host.strip_prefix('[').and_then(|rest| rest.find(']')) {
            Some(length) => length + 2,
            None => host.find(':').unwrap_or(host.len()),
        };
        guarded_connector::check(&self.rules, &host[..end]).map_err(|denied| denied.to_string())
    }

    fn keeps_mail_private(&self) -> bool {
        self.mail.is_some() && self.callers_are_known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_by_arn_then_name_then_star() {
        let world = |keys: &[&str]| {
            let functions = keys.iter().map(|key| ((*key).to_owned(), format!("http://{key}")));
            World::new(None, functions.collect(), EndpointRules::default())
        };
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
        assert_eq!(world(&["*", "f", arn]).function_url(arn), Some(&*format!("http://{arn}")));
        assert_eq!(world(&["*", "f"]).function_url(arn), Some("http://f"));
        assert_eq!(world(&["*", "g"]).function_url(&format!("{arn}:live")), Some("http://*"));
        assert_eq!(world(&["g"]).function_url(arn), None);
    }
}
