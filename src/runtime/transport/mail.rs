//! Sends mail through an SMTP relay, for email and email-json endpoints.
//!
//! An attempt is one connection to the relay and one message. A 5xx reply of the relay is permanent; every other
//! failure is retried.

use super::http::without_user_info;
use super::tls_roots::TlsRoots;
use crate::domain::delivery_outcome::Outcome;
use hyper::Uri;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::AsyncSmtpTransportBuilder;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::time::Duration;

/// Time for one attempt.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Characters of a relay's reply that the reason of a failure includes.
const REASON_LENGTH: usize = 300;

/// Sends mail from one address through one relay.
#[derive(Debug)]
pub struct MailSender {
    relay: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl MailSender {
    /// Returns a sender for the relay at `smtp://user:password@host:port` and a From address such as
    /// `Name <name@example.com>`.
    ///
    /// `smtp://` is plain text, by default on port 25. `?tls=required` upgrades to TLS before it
    /// sends anything, `?tls=opportunistic` does so if the relay can, both by default on port 587.
    /// `smtps://` is TLS from the start, by default on port 465. The error is a sentence.
    pub fn new(url: &str, from: &str) -> Result<Self, String> {
        let from =
            from.parse().map_err(|cause| format!("{from} is not a mail address: {cause}"))?;
        let relay = relay(url)?.timeout(Some(TIMEOUT)).build();
        Ok(Self { relay, from })
    }

    /// Makes one attempt to send a mail of plain text to one address.
    pub async fn send(&self, to: &str, subject: &str, text: &str) -> Outcome {
        let message = match self.message(to, subject, text) {
            Ok(message) => message,
            Err(reason) => return Outcome::permanent(reason),
        };
        match tokio::time::timeout(TIMEOUT, self.relay.send(message)).await {
            Ok(Ok(reply)) => Outcome::Delivered { status: reply.code().into() },
            Ok(Err(error)) => {
                let reason = error.to_string().chars().take(REASON_LENGTH).collect();
                let status = error.status().map(Into::into);
                if error.is_permanent() {
                    Outcome::Permanent { reason, status }
                } else {
                    Outcome::Retry { reason, status }
                }
            }
            Err(_) => Outcome::retry(format!("no reply within {} ms", TIMEOUT.as_millis())),
        }
    }

    fn message(&self, to: &str, subject: &str, text: &str) -> Result<Message, String> {
        let to = to.parse().map_err(|cause| format!("the mail address is invalid: {cause}"))?;
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text.to_owned())
            .map_err(|error| error.to_string())
    }
}

fn relay(url: &str) -> Result<AsyncSmtpTransportBuilder, String> {
    let uri: Uri = url.parse().map_err(|cause| format!("the relay's URL is invalid: {cause}"))?;
    let (uri, credentials) = without_user_info(uri)?;
    let host = uri.host().ok_or_else(|| "the relay's URL has no host".to_owned())?;
    let (default_port, tls) = match (uri.scheme_str(), uri.query()) {
        (Some("smtp"), None) => (25, Tls::None),
        (Some("smtp"), Some("tls=required")) => (587, Tls::Required(tls_to(host)?)),
        (Some("smtp"), Some("tls=opportunistic")) => (587, Tls::Opportunistic(tls_to(host)?)),
        (Some("smtps"), None) => (465, Tls::Wrapper(tls_to(host)?)),
        _ => return Err("the relay's URL is neither smtp, smtp with tls, nor smtps".to_owned()),
    };
    let relay = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .port(uri.port_u16().unwrap_or(default_port))
        .tls(tls);
    let Some(credentials) = credentials else { return Ok(relay) };
    let text = |bytes| {
        String::from_utf8(bytes).map_err(|_| "the user in the relay's URL is not text".to_owned())
    };
    Ok(relay.credentials(Credentials::new(text(credentials.user)?, text(credentials.password)?)))
}

fn tls_to(host: &str) -> Result<TlsParameters, String> {
    let roots = TlsRoots::find();
    let store = if roots.bundled { CertificateStore::WebpkiRoots } else { CertificateStore::None };
    let mut tls = TlsParameters::builder(host.to_owned()).certificate_store(store);
    for certificate in roots.certificates {
        if let Ok(certificate) = Certificate::from_der(certificate.to_vec()) {
            tls = tls.add_root_certificate(certificate);
        }
    }
    tls.build().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;
    use tokio::sync::oneshot::{Receiver, channel};

    /// A relay for one connection that answers RCPT with this reply, and the lines that it receives.
    async fn relay_that_replies(reply: &'static str) -> (String, Receiver<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (log, heard) = channel();
        tokio::spawn(async move {
            let (read, mut write) = listener.accept().await.unwrap().0.into_split();
            let mut lines = BufReader::new(read).lines();
            let mut all = Vec::new();
            let mut in_data = false;
            write.write_all(b"220 relay\r\n").await.unwrap();
            while let Ok(Some(line)) = lines.next_line().await {
                let reply = match line.split([' ', ':']).next() {
                    _ if in_data => {
                        in_data = line != ".";
                        if in_data { "" } else { "250 taken" }
                    }
                    Some("EHLO") => "250-relay\r\n250 AUTH PLAIN",
                    Some("RCPT") => reply,
                    Some("DATA") => {
                        in_data = true;
                        "354 go on"
                    }
                    Some("AUTH") => "235 welcome",
                    Some("QUIT") => "221 bye",
                    _ => "250 ok",
                };
                all.push(line);
                if !reply.is_empty()
                    && write.write_all(format!("{reply}\r\n").as_bytes()).await.is_err()
                {
                    break;
                }
            }
            let _ = log.send(all);
        });
        (address, heard)
    }

    const FROM: &str = "Squab <squab@example.com>";

    async fn send(relay: &str) -> Outcome {
        let sender = MailSender::new(relay, FROM).unwrap();
        sender.send("a@example.com", "Grüße", "Hello,\nworld").await
    }

    #[tokio::test]
    async fn a_mail_goes_to_the_relay() {
        let (relay, heard) = relay_that_replies("250 ok").await;
        let outcome = send(&format!("smtp://us%40er:pass@{relay}")).await;
        assert_eq!(outcome, Outcome::Delivered { status: 250 });
        let lines = heard.await.unwrap();
        let has = |line: &str| assert!(lines.iter().any(|one| one == line), "{line}: {lines:#?}");
        has("AUTH PLAIN AHVzQGVyAHBhc3M="); // \0us@er\0pass
        has("MAIL FROM:<squab@example.com>");
        has("RCPT TO:<a@example.com>");
        has("From: Squab <squab@example.com>");
        has("To: a@example.com");
        has("Subject: =?utf-8?b?R3LDvMOfZQ==?=");
        has("Hello,");
        has("world");
    }

    #[tokio::test]
    async fn the_relays_reply_decides() {
        let (relay, _heard) = relay_that_replies("550 no such user").await;
        let outcome = send(&format!("smtp://{relay}")).await;
        let Outcome::Permanent { reason, status } = outcome else { panic!("{outcome:?}") };
        assert_eq!(status, Some(550));
        assert!(reason.contains("no such user"), "{reason}");

        let (relay, _heard) = relay_that_replies("451 try later").await;
        let outcome = send(&format!("smtp://{relay}")).await;
        assert!(matches!(outcome, Outcome::Retry { status: Some(451), .. }), "{outcome:?}");
    }

    #[tokio::test]
    async fn a_relay_that_is_away_may_come_back() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let outcome = send(&format!("smtp://{closed}")).await;
        assert!(matches!(outcome, Outcome::Retry { status: None, .. }), "{outcome:?}");
    }

    #[tokio::test]
    async fn addresses_and_subjects_bring_no_headers() {
        let (relay, heard) = relay_that_replies("250 ok").await;
        let sender = MailSender::new(&format!("smtp://{relay}"), FROM).unwrap();
        for to in ["", "a", "a@example.com\r\nBcc: b@example.com"] {
            let outcome = sender.send(to, "s", "t").await;
            assert!(matches!(outcome, Outcome::Permanent { .. }), "{to}: {outcome:?}");
        }
        sender.send("a@example.com", "s\r\nBcc: b@example.com", ".\r\nQUIT").await;
        let lines = heard.await.unwrap();
        assert!(!lines.iter().any(|line| line.starts_with("Bcc:")), "{lines:#?}");
        assert!(lines.iter().any(|line| line == ".."), "{lines:#?}");
    }

    #[tokio::test]
    async fn settings_are_checked_at_once() {
        for relay in [
            "smtp://h",
            "smtp://h:1025",
            "smtps://u:p@h",
            "smtp://h?tls=required",
            "smtp://h/?tls=opportunistic",
        ] {
            assert!(MailSender::new(relay, FROM).is_ok(), "{relay}");
        }
        for relay in ["", "h", "http://h", "smtp://", "smtp://h?tls=maybe", "smtp://%ff:p@h"] {
            assert!(MailSender::new(relay, FROM).is_err(), "{relay}");
        }
        assert!(MailSender::new("smtp://h", "no address").is_err());
    }
}
