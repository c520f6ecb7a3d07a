//! The protocols of subscriptions, and the endpoints of each.

use super::address::QueueAddress;
use super::arn::Arn;
use super::host::Authority;
use super::limits::ENDPOINT_BYTES;
use super::{Kind, Refusal};
use std::borrow::Cow;
use strum::{EnumString, IntoStaticStr};

/// The protocols of SNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr)]
#[strum(serialize_all = "kebab-case", ascii_case_insensitive)]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub enum Protocol {
    Http,
    Https,
    Email,
    EmailJson,
    Sms,
    Sqs,
    Application,
    Lambda,
    Firehose,
}

impl Protocol {
    /// Returns the protocol of a name; refused with InvalidParameter.
    // Rule (Subscribe): capital letters in the name of a protocol do not matter; it is shown in small letters.
    // Source: reported, hashicorp/terraform#10697
    // Test: tests/scenarios/subscriptions.txt#Capital letters in the name of a protocol
    pub fn named(name: &str) -> Result<Self, Refusal> {
        name.parse().map_err(|_| {
            Refusal::invalid_parameter(format_args!(
                "Amazon SNS does not support this protocol string: {name}"
            ))
        })
    }

    /// Returns its name in AWS's API, which is the key of a structured message, too.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns whether messages are posted to a URL.
    pub const fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }

    /// Returns whether messages are sent to a mailbox.
    pub const fn is_mail(self) -> bool {
        matches!(self, Self::Email | Self::EmailJson)
    }

    /// Returns whether the owner of the endpoint must confirm a subscription.
    pub const fn needs_confirmation(self) -> bool {
        matches!(self, Self::Http | Self::Https | Self::Email | Self::EmailJson)
    }

    /// Returns whether messages can be delivered without an envelope.
    pub const fn can_be_raw(self) -> bool {
        matches!(self, Self::Http | Self::Https | Self::Sqs | Self::Firehose)
    }

    /// Returns whether messages of more than 256 KiB can be delivered.
    pub const fn takes_large_messages(self) -> bool {
        matches!(self, Self::Sqs | Self::Lambda | Self::Firehose)
    }

    /// Returns the destination for which deliveries to an endpoint share slots: the host of a URL, the
    /// function, or one destination for all mail, because it goes to one relay.
    pub fn destination(self, endpoint: &str) -> Cow<'_, str> {
        match self {
            Self::Http | Self::Https => {
                let host = host_of(endpoint).map_or("", |host| {
                    Authority::parse(host).map_or(host, |authority| authority.host())
                });
                Cow::Owned(format!("http:{}", host.to_ascii_lowercase()))
            }
            Self::Email | Self::EmailJson => Cow::Borrowed("mail"),
            Self::Lambda => Cow::Owned(endpoint.to_owned()),
            Self::Sms | Self::Sqs | Self::Application | Self::Firehose => Cow::Borrowed("here"),
        }
    }

    /// Returns its prefix in the attributes of delivery status logging; email and SMS have none.
    pub const fn feedback_name(self) -> Option<&'static str> {
        match self {
            Self::Http | Self::Https => Some("HTTP"),
            Self::Firehose => Some("Firehose"),
            Self::Lambda => Some("Lambda"),
            Self::Application => Some("Application"),
            Self::Sqs => Some("SQS"),
            Self::Email | Self::EmailJson | Self::Sms => None,
        }
    }

    /// Checks the endpoint of a subscription to a topic that is FIFO or not.
    ///
    /// Rejects with InvalidParameter. Does not check whether the endpoint exists.
    /// Source: <https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html>
    // Rule (Subscribe): a queue is named by its ARN, and need not exist.
    // Source: recorded
    // Test: tests/recorded/sns.jsonl#sns-subscribe-missing-queue-is-fine, tests/recorded/sns.jsonl#sns-subscribe-sqs-queue-url, tests/recorded/sns.jsonl#sns-subscribe-sqs-not-an-arn
    // Rule (Subscribe): a phone number may have single separators between its digits; the error has no prefix
    //   "Invalid parameter:".
    // Source: recorded
    // Test: tests/recorded/sns.jsonl#sns-subscribe-sms-odd-separators-accepted, tests/recorded/sns.jsonl#sns-subscribe-sms-bad-word
    // Rule (Subscribe): a FIFO topic accepts only queues, of both types, and a standard topic no FIFO queues.
    // Source: documented, https://docs.aws.amazon.com/sns/latest/dg/fifo-message-delivery.html
    // Test: tests/scenarios/subscriptions.txt#FIFO queues want FIFO topics
    // Rule (Subscribe): an endpoint that is not the ARN of a function is InvalidParameter, "Lambda endpoint ARN".
    // Source: reported, Miserlou/Zappa#225
    // Test: src/domain/sns_endpoint.rs::refusals_are_those_of_aws
    // Rule (Subscribe): protocols other than sqs are rejected for a FIFO topic, "Invalid protocol type: sms".
    // Source: reported, hashicorp/terraform-provider-aws#38441
    // Test: tests/scenarios/subscriptions.txt#FIFO queues want FIFO topics
    pub fn check_endpoint(self, endpoint: &str, fifo_topic: bool) -> Result<(), Refusal> {
        if fifo_topic && self != Self::Sqs {
            return Err(Refusal::invalid_parameter(format_args!(
                "Invalid protocol type: {}",
                self.name()
            )));
        }
        if endpoint.len() > ENDPOINT_BYTES {
            return Err(Refusal::invalid_parameter("Endpoint"));
        }
        match self {
            Self::Http | Self::Https => check_url(self, endpoint),
            Self::Email | Self::EmailJson => check_email(endpoint),
            Self::Sms if is_phone_number(endpoint) => Ok(()),
            // This error of SNS has no prefix "Invalid parameter".
            Self::Sms => Err(Refusal::new(
                Kind::InvalidParameter,
                format!("Invalid SMS endpoint: {endpoint}"),
            )),
            Self::Sqs => {
                let queue = QueueAddress::from_arn(endpoint)
                    .ok_or_else(|| Refusal::invalid_parameter("SQS endpoint ARN"))?;
                if queue.is_fifo() && !fifo_topic {
                    return Err(Refusal::invalid_parameter(
                        "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be \
                         subscribed to standard SNS topics",
                    ));
                }
                Ok(())
            }
            Self::Lambda => check_arn(endpoint, "lambda", "Lambda endpoint ARN"),
            Self::Firehose => check_arn(endpoint, "firehose", "Firehose endpoint ARN"),
            Self::Application => {
                let refusal = || {
                    Refusal::invalid_parameter(format_args!(
                        "Application endpoint arn invalid:{endpoint}"
                    ))
                };
                let is_endpoint = Arn::parse(endpoint).is_some_and(|arn| {
                    arn.service == "sns" && arn.resource.starts_with("endpoint/")
                });
                if is_endpoint { Ok(()) } else { Err(refusal()) }
            }
        }
    }
}

/// Returns an endpoint for lists and logs: the password of a URL becomes four asterisks.
// Rule (ListSubscriptions, ListSubscriptionsByTopic): the password of a URL is returned as ****; only
//   GetSubscriptionAttributes returns it.
// Source: documented, https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html
// Test: tests/scenarios/confirmations.txt#Lists do not show the password of a URL
pub fn without_password(endpoint: &str) -> Cow<'_, str> {
    let hide = || {
        let (scheme, rest) = endpoint.split_once("://")?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (user_info, host) = authority.rsplit_once('@')?;
        let (user, _) = user_info.split_once(':')?;
        Some(format!("{scheme}://{user}:****@{host}{path}"))
    };
    hide().map_or(Cow::Borrowed(endpoint), Cow::Owned)
}

/// Returns the host of a URL, with its port, without a user and a password.
pub fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    Some(authority.rsplit_once('@').map_or(authority, |(_, host)| host))
}

fn check_arn(endpoint: &str, service: &str, what: &str) -> Result<(), Refusal> {
    let fits =
        Arn::parse(endpoint).is_some_and(|arn| arn.service == service && !arn.resource.is_empty());
    if fits { Ok(()) } else { Err(Refusal::invalid_parameter(what)) }
}

fn check_url(protocol: Protocol, endpoint: &str) -> Result<(), Refusal> {
    let authority = endpoint
        .strip_prefix(protocol.name())
        .and_then(|rest| rest.strip_prefix("://"))
        .and_then(|rest| rest.split(['/', '?', '#']).next());
    let is_visible = endpoint.bytes().all(|byte| byte.is_ascii_graphic() || !byte.is_ascii());
    if authority.is_some_and(|authority| !authority.is_empty()) && is_visible {
        return Ok(());
    }
    Err(Refusal::invalid_parameter("Endpoint must match the specified protocol"))
}

/// Returns an endpoint or another URL for logs: without user and password, and without the query and the
/// fragment, which often contain a token. Other endpoints are returned unchanged.
pub fn without_secrets(endpoint: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = endpoint.split_once("://") else { return endpoint.into() };
    let shown = rest.find(['?', '#']).map_or(rest, |end| &rest[..end]);
    let (authority, path) = shown.split_at(shown.find('/').unwrap_or(shown.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    // An unescaped slash in a password ends the host too early, so the rest may be a secret.
    if path.contains('@') && Authority::parse(host).is_none() {
        return format!("{scheme}://…").into();
    }
    format!("{scheme}://{host}{path}").into()
}

fn check_email(endpoint: &str) -> Result<(), Refusal> {
    let fits = endpoint.rsplit_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && !domain.is_empty()
            && endpoint.chars().all(|c| !c.is_whitespace() && !c.is_control())
            && !domain.starts_with('.')
            && !domain.ends_with('.')
    });
    if fits { Ok(()) } else { Err(Refusal::invalid_parameter("Email address")) }
}

/// Returns whether a text is a phone number: digits, perhaps after a `+`, with single separators
/// (`/`, `-`, `.`) between them.
pub fn is_phone_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let groups = digits.split(['/', '-', '.']);
    let count: usize = digits.bytes().filter(u8::is_ascii_digit).count();
    (3..=20).contains(&count)
        && groups
            .clone()
            .all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(protocol: &str, endpoint: &str) -> Result<(), String> {
        Protocol::named(protocol)
            .and_then(|protocol| protocol.check_endpoint(endpoint, false))
            .map_err(|refusal| refusal.message.into_owned())
    }

    #[test]
    fn endpoints_fit_their_protocol() {
        for (protocol, endpoint) in [
            ("http", "http://localhost:8080/path?query"),
            ("https", "https://user:secret@host/"),
            ("email", "a@example.com"),
            ("email-json", "first.last+tag@example.com"),
            ("sms", "+12/34-567.890"),
            ("sqs", "arn:aws:sqs:us-east-1:000000000000:q"),
            ("lambda", "arn:aws:lambda:us-east-1:000000000000:function:f"),
            ("firehose", "arn:aws:firehose:us-east-1:000000000000:deliverystream/s"),
            ("application", "arn:aws:sns:us-east-1:000000000000:endpoint/GCM/app/u"),
        ] {
            assert_eq!(check(protocol, endpoint), Ok(()), "{endpoint}");
        }
    }

    #[test]
    fn refusals_are_those_of_aws() {
        for (protocol, endpoint, message) in [
            (
                "http",
                "https://host/",
                "Invalid parameter: Endpoint must match the specified protocol",
            ),
            ("https", "https://", "Invalid parameter: Endpoint must match the specified protocol"),
            ("email", "nobody", "Invalid parameter: Email address"),
            ("sms", "+15--551234567", "Invalid SMS endpoint: +15--551234567"),
            ("sms", "NAA+15551234567", "Invalid SMS endpoint: NAA+15551234567"),
            ("sms", "+15551234567.", "Invalid SMS endpoint: +15551234567."),
            ("sms", "/+15551234567", "Invalid SMS endpoint: /+15551234567"),
            ("sqs", "http://localhost/000000000000/q", "Invalid parameter: SQS endpoint ARN"),
            ("lambda", "f", "Invalid parameter: Lambda endpoint ARN"),
            ("application", "e", "Invalid parameter: Application endpoint arn invalid:e"),
            (
                "sqs",
                "arn:aws:sqs:us-east-1:000000000000:q.fifo",
                "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be \
                 subscribed to standard SNS topics",
            ),
            (
                "gopher",
                "x",
                "Invalid parameter: Amazon SNS does not support this protocol string: gopher",
            ),
        ] {
            assert_eq!(check(protocol, endpoint), Err(message.to_owned()));
        }
    }

    #[test]
    fn deliveries_to_one_host_share_a_destination() {
        for endpoint in ["http://u:p@Host:80/a", "https://host", "http://host:8080?q=http://x"] {
            assert_eq!(Protocol::Http.destination(endpoint), "http:host");
        }
        assert_eq!(Protocol::Https.destination("https://[::1]:1/"), "http:::1");
        assert_eq!(
            Protocol::Email.destination("a@example.com"),
            Protocol::EmailJson.destination("b@example.org")
        );
    }

    #[test]
    fn passwords_are_hidden() {
        for (endpoint, shown) in [
            ("https://user:password@host/a:b@c", "https://user:****@host/a:b@c"),
            ("http://us:e@r:x@host:80?u:p@x", "http://us:****@host:80?u:p@x"),
            ("https://user:@host", "https://user:****@host"),
            ("https://user@host/", "https://user@host/"),
            ("https://host:443/x@y", "https://host:443/x@y"),
            ("a:b@example.com", "a:b@example.com"),
        ] {
            assert_eq!(without_password(endpoint), shown);
        }
    }

    #[test]
    fn logs_show_no_password_and_no_query() {
        for (endpoint, shown) in [
            ("https://user:secret@host:1/path?token=secret#secret", "https://host:1/path"),
            ("http://secret@host", "http://host"),
            ("http://host?secret", "http://host"),
            ("http://user:a@secret@host/", "http://host/"),
            ("http://user:sec/ret@host/", "http://…"),
            ("http://host/@path", "http://host/@path"),
            ("a@example.com", "a@example.com"),
            ("arn:aws:sqs:us-east-1:000000000000:q", "arn:aws:sqs:us-east-1:000000000000:q"),
        ] {
            assert_eq!(without_secrets(endpoint), shown);
        }
    }

    #[test]
    fn fifo_topics_have_queues_only() {
        let refusal = Protocol::Sms.check_endpoint("+15551234567", true).unwrap_err();
        assert_eq!(refusal.message, "Invalid parameter: Invalid protocol type: sms");
        for queue in ["q", "q.fifo"] {
            let arn = format!("arn:aws:sqs:us-east-1:000000000000:{queue}");
            assert_eq!(Protocol::Sqs.check_endpoint(&arn, true), Ok(()));
        }
    }
}
