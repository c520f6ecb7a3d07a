//! The clients, and queues and topics with names of their own.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use aws_sdk_sqs::types::{Message, QueueAttributeName};

/// Clients of one check; what it made is deleted at its end.
#[derive(Clone)]
pub struct Aws {
    pub sqs: aws_sdk_sqs::Client,
    pub sns: aws_sdk_sns::Client,
    pub sts: aws_sdk_sts::Client,
    queues: Arc<Mutex<Vec<String>>>,
    topics: Arc<Mutex<Vec<String>>>,
}

/// A variable, or what stands for it.
fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

/// A name that no other check has.
pub fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_nanos();
    format!("compat-{now:x}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Aws {
    /// Clients of `SQUAB_ENDPOINT` that never try again, so that an error is seen.
    pub fn new() -> Self {
        macro_rules! client {
            ($sdk:ident) => {
                $sdk::Client::from_conf(
                    $sdk::Config::builder()
                        .behavior_version(BehaviorVersion::latest())
                        .endpoint_url(variable("SQUAB_ENDPOINT", ""))
                        .region(Region::new(variable("AWS_REGION", "us-east-1")))
                        .credentials_provider(Credentials::new(
                            variable("AWS_ACCESS_KEY_ID", "test"),
                            variable("AWS_SECRET_ACCESS_KEY", "test"),
                            std::env::var("AWS_SESSION_TOKEN").ok(),
                            None,
                            "variables",
                        ))
                        .retry_config(RetryConfig::disabled())
                        .http_client(aws_smithy_http_client::Builder::new().build_http())
                        .build(),
                )
            };
        }
        Self {
            sqs: client!(aws_sdk_sqs),
            sns: client!(aws_sdk_sns),
            sts: client!(aws_sdk_sts),
            queues: Arc::default(),
            topics: Arc::default(),
        }
    }

    /// A new queue with these attributes; its URL.
    pub async fn queue(&self, attributes: &[(&str, &str)]) -> String {
        let fifo = attributes.contains(&("FifoQueue", "true"));
        let mut call = self.sqs.create_queue();
        for (name, value) in attributes {
            call = call.attributes(QueueAttributeName::from(*name), *value);
        }
        let name = unique() + if fifo { ".fifo" } else { "" };
        let url = call.queue_name(name).send().await.expect("a queue").queue_url.expect("its URL");
        self.queues.lock().expect("queues").push(url.clone());
        url
    }

    /// The ARN of a queue.
    pub async fn arn(&self, url: &str) -> String {
        let name = QueueAttributeName::QueueArn;
        let call = self.sqs.get_queue_attributes().queue_url(url).attribute_names(name.clone());
        call.send().await.expect("attributes").attributes.expect("some")[&name].clone()
    }

    /// A new topic with these attributes; its ARN.
    pub async fn topic(&self, attributes: &[(&str, &str)]) -> String {
        let fifo = attributes.contains(&("FifoTopic", "true"));
        let mut call = self.sns.create_topic();
        for (name, value) in attributes {
            call = call.attributes(*name, *value);
        }
        let name = unique() + if fifo { ".fifo" } else { "" };
        let arn = call.name(name).send().await.expect("a topic").topic_arn.expect("its ARN");
        self.topics.lock().expect("topics").push(arn.clone());
        arn
    }

    /// A new queue that is subscribed to the topic with these attributes; its URL.
    pub async fn inbox(
        &self,
        topic: &str,
        of_queue: &[(&str, &str)],
        attributes: &[(&str, &str)],
    ) -> String {
        let url = self.queue(of_queue).await;
        let mut call = self.sns.subscribe().topic_arn(topic).protocol("sqs");
        for (name, value) in attributes {
            call = call.attributes(*name, *value);
        }
        call.endpoint(self.arn(&url).await).send().await.expect("a subscription");
        url
    }

    /// Sends a message; its id.
    pub async fn send(&self, url: &str, body: &str) -> String {
        let call = self.sqs.send_message().queue_url(url).message_body(body);
        call.send().await.expect("sent").message_id.expect("an id")
    }

    /// Receives up to `count` messages with all their attributes, waiting up to `wait` seconds.
    pub async fn receive(&self, url: &str, count: i32, wait: i32) -> Vec<Message> {
        let call = self
            .sqs
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(count)
            .wait_time_seconds(wait)
            .message_system_attribute_names("All".into())
            .message_attribute_names("All");
        call.send().await.expect("an answer").messages.unwrap_or_default()
    }

    /// The bodies that a receive gives.
    pub async fn bodies(&self, url: &str, wait: i32) -> Vec<String> {
        let messages = self.receive(url, 10, wait).await;
        messages.into_iter().map(|message| message.body.expect("a body")).collect()
    }

    /// Deletes a received message.
    pub async fn delete(&self, url: &str, message: &Message) {
        let handle = message.receipt_handle.clone();
        let call = self.sqs.delete_message().queue_url(url).set_receipt_handle(handle);
        call.send().await.expect("deleted");
    }

    /// Deletes what was made.
    pub async fn clean_up(&self) {
        let queues = std::mem::take(&mut *self.queues.lock().expect("queues"));
        for url in queues {
            let _gone_already = self.sqs.delete_queue().queue_url(url).send().await;
        }
        let topics = std::mem::take(&mut *self.topics.lock().expect("topics"));
        for arn in topics {
            let _gone_already = self.sns.delete_topic().topic_arn(arn).send().await;
        }
    }
}
