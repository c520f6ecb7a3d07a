//! A topic with its queues, for the scenarios that publish.

use crate::Result;
use crate::client::{Connection, form_request, request};
use std::fmt::Write;

/// A topic, and prepared requests to it.
#[derive(Debug, Clone)]
pub struct Topic {
    arn: String,
    host: String,
    /// Names of the subscribed queues.
    queues: Vec<String>,
}

impl Topic {
    /// Creates a topic and its queues, with raw delivery. `filtered` gives each a filter of its
    /// own, one of which matches the published message.
    pub async fn create(host: &str, name: &str, queues: usize, filtered: bool) -> Result<Self> {
        let mut control = Connection::open(host).await?;
        let create = form_request(host, &format!("Action=CreateTopic&Name={name}"));
        let answer = String::from_utf8_lossy(control.call(&create).await?).into_owned();
        let arn = between(&answer, "<TopicArn>", "</TopicArn>").ok_or("no TopicArn")?.to_owned();
        let mut names = Vec::new();
        for number in 0..queues {
            let queue = format!("{name}-{number}");
            let body = format!(r#"{{"QueueName":"{queue}"}}"#);
            control.call(&request(host, "CreateQueue", &body)).await?;
            let queue_arn = arn.replacen(":sns:", ":sqs:", 1).replace(name, &queue);
            let mut parameters = format!(
                "Action=Subscribe&TopicArn={arn}&Protocol=sqs&Endpoint={queue_arn}\
                 &Attributes.entry.1.key=RawMessageDelivery&Attributes.entry.1.value=true"
            );
            if filtered {
                // Writing to a `String` cannot fail.
                let _ = write!(
                    parameters,
                    "&Attributes.entry.2.key=FilterPolicy\
                     &Attributes.entry.2.value=%7B%22number%22%3A%5B%22{number}%22%5D%7D"
                );
            }
            control.call(&form_request(host, &parameters)).await?;
            names.push(queue);
        }
        Ok(Self { arn, host: host.to_owned(), queues: names })
    }

    /// Publishes a message with the attribute that one of the filters matches.
    pub fn publish(&self, body: &str, filtered: bool) -> Vec<u8> {
        let mut parameters = format!("Action=Publish&TopicArn={}&Message={body}", self.arn);
        if filtered {
            parameters.push_str(
                "&MessageAttributes.entry.1.Name=number\
                 &MessageAttributes.entry.1.Value.DataType=String\
                 &MessageAttributes.entry.1.Value.StringValue=7",
            );
        }
        form_request(&self.host, &parameters)
    }

    pub async fn delete(&self) -> Result<()> {
        let mut control = Connection::open(&self.host).await?;
        let delete = format!("Action=DeleteTopic&TopicArn={}", self.arn);
        control.call(&form_request(&self.host, &delete)).await?;
        for queue in &self.queues {
            let body = format!(r#"{{"QueueUrl":"{queue}"}}"#);
            control.call(&request(&self.host, "DeleteQueue", &body)).await?;
        }
        Ok(())
    }
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}
