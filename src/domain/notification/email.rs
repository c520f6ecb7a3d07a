//! Emails for human readers. The subjects are AWS's; the texts are Squab's own.

use super::{Confirmation, Notification};

/// The subject of a notification published without one.
pub const NOTIFICATION_SUBJECT: &str = "AWS Notification Message";
/// The subject of a confirmation.
pub const CONFIRMATION_SUBJECT: &str = "AWS Notification - Subscription Confirmation";

impl Notification<'_> {
    /// Returns the subject of the email.
    pub fn email_subject(&self) -> &str {
        self.subject.unwrap_or(NOTIFICATION_SUBJECT)
    }

    /// Returns the plain text of the email: the message, and how to unsubscribe.
    pub fn email_text(&self, unsubscribe_url: &str) -> String {
        format!(
            "{}\n\n--\nTo receive no more notifications from this topic, visit this link:\n\
             {unsubscribe_url}\n",
            self.message
        )
    }
}

impl Confirmation<'_> {
    /// Returns the plain text of the email, with its link. Its subject is [`CONFIRMATION_SUBJECT`].
    pub fn email_text(&self) -> String {
        format!("{}\n\nSubscribeURL:\n{}\n", self.message(), self.subscribe_url)
    }
}

#[cfg(test)]
mod tests {
    use super::super::confirmation::tests::confirmation;
    use super::super::tests::{UNSUBSCRIBE, notification};
    use super::*;

    #[test]
    fn a_mail_has_the_message_and_a_link() {
        let plain = Notification { subject: None, ..notification() };
        assert_eq!(plain.email_subject(), "AWS Notification Message");
        assert_eq!(notification().email_subject(), "My First Message");
        assert_eq!(
            plain.email_text("http://localhost/x"),
            "Hello world!\n\n--\nTo receive no more notifications from this topic, visit this \
             link:\nhttp://localhost/x\n"
        );
        assert!(notification().email_text(UNSUBSCRIBE).contains(UNSUBSCRIBE));
    }

    #[test]
    fn a_mail_that_asks_for_confirmation_has_its_link_on_a_line() {
        let confirmation = confirmation();
        let text = confirmation.email_text();
        assert!(text.starts_with(&confirmation.message()));
        assert!(text.lines().any(|line| line == confirmation.subscribe_url));
    }
}
