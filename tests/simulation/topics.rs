//! What clients do with topics, and what the oracle observes.

use super::clients;
use super::world::{DEAD, FULL, QUEUES, Step, World, queue_arn};
use crate::gateway::sns::TOPICS as ARNS;
use crate::oracle::{Filter, Patience, Published, Subscription, Topic};
use serde_json::{Value, json};
use squab::domain::address::has_fifo_suffix;

/// The last one has more subscribers than one transaction serves, in some of the runs.
pub const TOPICS: [&str; 4] = ["news", "events.fifo", "orders.fifo", "wide"];
/// Subscribers of that topic whose queue does not exist, before all others: they use most of the two
/// hundred deliveries of a transaction.
const NOBODIES: usize = 198;
/// One run in this many has them.
const WIDE_RUNS: u64 = 8;

pub fn topic_arn(name: &str) -> String {
    format!("{ARNS}:{name}")
}

impl World {
    pub async fn create_topics(&mut self, seed: u64) -> Step {
        for name in TOPICS {
            self.create_topic(name).await?;
        }
        let nobodies = if seed % WIDE_RUNS == 4 { NOBODIES } else { 0 };
        for index in 0..nobodies {
            let input = json!({
                "TopicArn": topic_arn("wide"), "Protocol": "sqs",
                "Endpoint": queue_arn(&format!("nobody-{index}")),
            });
            self.must_sns("Subscribe", &input).await?;
        }
        for _ in 0..8 {
            self.subscribe().await?;
        }
        self.log.clear();
        Ok(())
    }

    async fn create_topic(&mut self, name: &str) -> Step {
        let topic = Topic {
            arn: topic_arn(name),
            fifo: has_fifo_suffix(name),
            content_deduplication: name == "orders.fifo",
            scoped: name == "orders.fifo",
            ..Topic::default()
        };
        let mut attributes = json!({});
        if topic.fifo {
            attributes["FifoTopic"] = "true".into();
        }
        if topic.scoped {
            attributes["FifoThroughputScope"] = "MessageGroup".into();
            attributes["ContentBasedDeduplication"] = "true".into();
        }
        let input = json!({"Name": name, "Attributes": attributes});
        let answer = self.must_sns("CreateTopic", &input).await?;
        if answer["TopicArn"] != topic.arn {
            return Err(format!("{answer} instead of {}", topic.arn).into());
        }
        self.oracle.topics.insert(name.to_owned(), topic);
        Ok(())
    }

    pub async fn recreate_topic(&mut self) -> Step {
        let name = self.random.choice(["news", "events.fifo", "orders.fifo"]).unwrap();
        self.end_archive(name).await?;
        self.have_all_answered().await?;
        self.must_in_the_end_sns("DeleteTopic", &json!({"TopicArn": topic_arn(name)})).await?;
        self.oracle.topics.remove(name);
        match self.create_topic(name).await {
            Err(super::world::Stop::Ended) => {
                self.restart(true).await?;
                self.create_topic(name).await
            }
            done => done,
        }
    }

    pub async fn must_in_the_end_sns(&mut self, operation: &str, input: &Value) -> Step<Value> {
        match self.must_sns(operation, input).await {
            Err(super::world::Stop::Ended) => {
                self.restart(true).await?;
                self.must_sns(operation, input).await
            }
            answer => answer,
        }
    }

    fn some_topic(&mut self) -> &'static str {
        self.random.choice(TOPICS).unwrap()
    }

    /// Returns whether `more` messages can be published without filling a queue too much.
    pub fn has_room(&self, topic: &str, more: usize) -> bool {
        self.has_room_up_to(topic, more, FULL)
    }

    pub fn has_room_up_to(&self, topic: &str, more: usize, most: usize) -> bool {
        let subscriptions = &self.oracle.topics[topic].subscriptions;
        let dead = subscriptions.iter().filter_map(|one| one.dead_letters.as_ref());
        let mut queues = subscriptions.iter().map(|one| &one.endpoint).chain(dead);
        queues.all(|name| {
            self.oracle.queues.get(name).is_none_or(|queue| queue.messages.len() + more * 2 < most)
        })
    }

    pub fn draw_publication(&mut self, topic: &str) -> (Published, Value) {
        let name = self.fresh_name();
        let Topic { fifo, content_deduplication, .. } = self.oracle.topics[topic];
        clients::publication(&mut self.random, &name, fifo, content_deduplication)
    }

    pub async fn publish(&mut self) -> Step {
        let topic = self.some_topic();
        self.publish_to(topic).await
    }

    async fn publish_to(&mut self, topic: &str) -> Step {
        if !self.has_room(topic, 2) {
            return Ok(());
        }
        let (message, mut input) = self.draw_publication(topic);
        input["TopicArn"] = topic_arn(topic).into();
        self.touch_all();
        for _ in 0..if self.action.answer_is_lost { 2 } else { 1 } {
            let answer = self.must_in_the_end_sns("Publish", &input).await?;
            self.oracle.published(topic, &message, &clients::told(&answer, &answer))?;
        }
        self.finish_fan_out(topic).await
    }

    /// Runs the background work that completes a fan-out.
    async fn finish_fan_out(&mut self, topic: &str) -> Step {
        if topic == "wide" { self.work_in_the_end().await } else { Ok(()) }
    }

    pub async fn publish_batch(&mut self) -> Step {
        let topic = self.some_topic();
        let number = self.random.usize(1..=6);
        if !self.has_room(topic, number) {
            return Ok(());
        }
        self.publish_batch_to(topic, number).await
    }

    pub async fn publish_batch_to(&mut self, topic: &str, number: usize) -> Step {
        let (mut messages, mut entries) = (Vec::new(), Vec::new());
        for index in 0..number {
            let (message, mut entry) = self.draw_publication(topic);
            entry["Id"] = index.to_string().into();
            messages.push(message);
            entries.push(entry);
        }
        self.touch_all();
        let input = json!({"TopicArn": topic_arn(topic), "PublishBatchRequestEntries": entries});
        for _ in 0..if self.action.answer_is_lost { 2 } else { 1 } {
            let answer = self.must_in_the_end_sns("PublishBatch", &input).await?;
            let published = answer["Successful"].as_array().cloned().unwrap_or_default();
            if published.len() != messages.len() {
                return Err(format!("not every entry succeeded: {answer}").into());
            }
            for (message, entry) in messages.iter().zip(&published) {
                self.oracle.published(topic, message, &clients::told(entry, entry))?;
            }
        }
        self.finish_fan_out(topic).await
    }

    /// Subscribes a queue, which may already be subscribed.
    pub async fn subscribe(&mut self) -> Step {
        let topic = self.some_topic();
        let fifo = self.oracle.topics[topic].fifo;
        let queues: Vec<_> = QUEUES
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| fifo || !has_fifo_suffix(name))
            .collect();
        let endpoint = self.random.choice(queues).unwrap().to_owned();
        let dead = DEAD.into_iter().find(|name| has_fifo_suffix(name) == fifo);
        let dead_letters = dead.filter(|_| self.random.bool()).map(str::to_owned);
        let raw = self.random.bool();
        let filter = clients::filter(&mut self.random);
        let (scope, policy) = clients::policy(&filter);
        let mut attributes = json!({"RawMessageDelivery": raw.to_string()});
        if filter != Filter::All {
            attributes["FilterPolicyScope"] = scope.into();
            attributes["FilterPolicy"] = policy.into();
        }
        if let Some(dead) = &dead_letters {
            let policy = json!({"deadLetterTargetArn": queue_arn(dead)});
            attributes["RedrivePolicy"] = policy.to_string().into();
        }
        let input = json!({
            "TopicArn": topic_arn(topic), "Protocol": "sqs", "Endpoint": queue_arn(&endpoint),
            "Attributes": attributes,
        });
        let there = self.oracle.topics[topic].subscriptions.iter();
        let there = there.clone().find(|one| one.endpoint == endpoint).cloned();
        let Some(there) = there else {
            let answer = self.must_sns("Subscribe", &input).await?;
            let arn = answer["SubscriptionArn"].as_str().unwrap().to_owned();
            let patience = Patience::default();
            let subscription =
                Subscription { arn, endpoint, raw, filter, dead_letters, patience, until: None };
            self.oracle.topic(topic).subscriptions.push(subscription);
            return Ok(());
        };
        let same = json!({"RawMessageDelivery": there.raw.to_string()});
        let other = json!({"RawMessageDelivery": (!there.raw).to_string()});
        let again = json!({
            "TopicArn": topic_arn(topic), "Protocol": "sqs", "Endpoint": queue_arn(&endpoint),
            "Attributes": if raw { &same } else { &other },
        });
        let answer = self.call_sns("Subscribe", &again).await?;
        match &answer {
            Ok(answer) if raw && answer["SubscriptionArn"] == there.arn => Ok(()),
            Err(failure) if !raw && failure.code == "InvalidParameter" => Ok(()),
            _ => Err(format!("{answer:?} about {there:?}").into()),
        }
    }

    /// Subscribes an external endpoint, which confirms.
    pub async fn subscribe_outside(&mut self) -> Step {
        let topic = self.random.choice(["news", "wide"]).unwrap();
        let url = format!("http://endpoint.example/{}", self.random.u32(..2));
        let subscriptions = &self.oracle.topics[topic].subscriptions;
        if subscriptions.iter().any(|one| one.endpoint == url) {
            return Ok(());
        }
        let arn = topic_arn(topic);
        let input = json!({"TopicArn": arn, "Protocol": "http", "Endpoint": url});
        self.asked.clear();
        self.must_sns("Subscribe", &input).await?;
        self.work_in_the_end().await?;
        let asked = self.asked.iter().rfind(|post| post.url == url && post.topic_arn == arn);
        let Some(asked) = asked else {
            return Err(format!("{url} was not asked whether it wants {arn}").into());
        };
        let question: Value = serde_json::from_slice(&asked.body).unwrap();
        let input = json!({"TopicArn": arn, "Token": question["Token"]});
        let answer = self.must_sns("ConfirmSubscription", &input).await?;
        let subscription = Subscription {
            arn: answer["SubscriptionArn"].as_str().unwrap().to_owned(),
            endpoint: url,
            raw: false,
            filter: Filter::All,
            dead_letters: None,
            patience: Patience::default(),
            until: None,
        };
        self.oracle.topic(topic).subscriptions.push(subscription);
        Ok(())
    }

    fn some_subscription(&mut self) -> Option<(&'static str, Subscription)> {
        let topic = self.some_topic();
        let subscriptions = &self.oracle.topics[topic].subscriptions;
        self.random.choice(subscriptions).map(|one| (topic, one.clone()))
    }

    pub async fn unsubscribe(&mut self) -> Step {
        let Some((topic, Subscription { arn, .. })) = self.some_subscription() else {
            return Ok(());
        };
        self.publish_to(topic).await?;
        self.have_all_answered().await?;
        // Unsubscribing again succeeds.
        for _ in 0..if self.action.answer_is_lost { 2 } else { 1 } {
            self.must_in_the_end_sns("Unsubscribe", &json!({"SubscriptionArn": arn})).await?;
        }
        self.oracle.topic(topic).subscriptions.retain(|one| one.arn != arn);
        self.publish_to(topic).await
    }

    /// Changes a subscription. Messages just before and just after show whether the change applies at once.
    pub async fn change_subscription(&mut self) -> Step {
        let Some((topic, subscription)) = self.some_subscription() else { return Ok(()) };
        self.publish_to(topic).await?;
        if subscription.endpoint.starts_with("http") {
            // Pending deliveries follow the policies at the time of their failure, running ones those at the time
            // of their start.
            self.have_all_answered().await?;
            self.change_outside(topic, &subscription).await?;
            return self.publish_to(topic).await;
        }
        self.change_one_subscription(topic, &subscription).await?;
        self.publish_to(topic).await
    }

    async fn change_one_subscription(&mut self, topic: &str, subscription: &Subscription) -> Step {
        let arn = &subscription.arn;
        match self.random.u32(..4) {
            0 => {
                let raw = self.random.bool();
                self.set_subscription(arn, "RawMessageDelivery", &raw.to_string()).await?;
                self.known_subscription(topic, arn).raw = raw;
            }
            1 => {
                let fifo = self.oracle.topics[topic].fifo;
                let dead = DEAD.into_iter().find(|name| has_fifo_suffix(name) == fifo);
                let dead = dead.filter(|_| self.random.bool()).map(str::to_owned);
                let policy = dead.as_ref().map_or_else(String::new, |name| {
                    json!({"deadLetterTargetArn": queue_arn(name)}).to_string()
                });
                self.set_subscription(arn, "RedrivePolicy", &policy).await?;
                self.known_subscription(topic, arn).dead_letters = dead;
            }
            _ => {
                let filter = clients::filter(&mut self.random);
                let (scope, policy) = clients::policy(&filter);
                let before = &subscription.filter;
                if *before == Filter::All || clients::policy(before).0 != scope {
                    // A policy is removed before its scope, and set after it.
                    self.set_subscription(arn, "FilterPolicy", "").await?;
                    self.known_subscription(topic, arn).filter = Filter::All;
                    self.set_subscription(arn, "FilterPolicyScope", scope).await?;
                }
                self.set_subscription(arn, "FilterPolicy", &policy).await?;
                self.known_subscription(topic, arn).filter = filter;
            }
        }
        Ok(())
    }

    pub async fn set_subscription(&mut self, arn: &str, name: &str, value: &str) -> Step {
        let mut input = json!({"SubscriptionArn": arn, "AttributeName": name});
        // A redrive policy is removed by a missing value.
        if name != "RedrivePolicy" || !value.is_empty() {
            input["AttributeValue"] = value.into();
        }
        self.must_sns("SetSubscriptionAttributes", &input).await.map(drop)
    }

    pub fn known_subscription(&mut self, topic: &str, arn: &str) -> &mut Subscription {
        let mut subscriptions = self.oracle.topic(topic).subscriptions.iter_mut();
        subscriptions.find(|one| one.arn == arn).expect("a subscription")
    }

    /// Changes how duplicates are recognized. Recorded deduplication IDs stay.
    pub async fn set_topic_attributes(&mut self) -> Step {
        let topic = self.random.choice(["events.fifo", "orders.fifo"]).unwrap();
        let is_on = self.random.bool();
        let by_content = self.random.bool();
        let (name, value) = match (by_content, is_on) {
            (true, _) => ("ContentBasedDeduplication", if is_on { "true" } else { "false" }),
            (false, true) => ("FifoThroughputScope", "MessageGroup"),
            (false, false) => ("FifoThroughputScope", "Topic"),
        };
        let input = json!({
            "TopicArn": topic_arn(topic), "AttributeName": name, "AttributeValue": value,
        });
        self.must_sns("SetTopicAttributes", &input).await?;
        let known = self.oracle.topic(topic);
        if by_content {
            known.content_deduplication = is_on;
        } else {
            known.scoped = is_on;
        }
        Ok(())
    }
}
