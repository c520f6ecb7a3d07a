//! Archives of FIFO topics, and subscriptions that replay them.

use super::topics::topic_arn;
use super::world::{FULL, Step, World};
use crate::gateway::Caller;
use crate::oracle::Subscription;
use serde_json::json;
use squab::domain::timestamp::iso_8601;
use squab::domain::topic_address::TopicAddress;

const FIFO: [&str; 2] = ["events.fifo", "orders.fifo"];
const DAY_MS: i64 = 86_400_000;
/// More messages than a page of a replay, which has a hundred.
const MANY: usize = 120;
/// Queues with more messages get no more replays.
const FULL_OF_REPLAYS: usize = 300;

impl World {
    pub async fn set_archive(&mut self) -> Step {
        let topic = self.random.choice(FIFO).unwrap();
        if self.random.u32(..4) == 0 {
            return self.end_archive(topic).await;
        }
        let days = self.random.choice([1, 365]).unwrap();
        // Expired messages that were not swept would reappear with a longer retention.
        self.work_in_the_end().await?;
        let policy = json!({"MessageRetentionPeriod": days.to_string()}).to_string();
        self.set_archive_policy(topic, &policy, Some(days)).await
    }

    /// Ends an archive. A topic with an archive cannot be deleted.
    pub async fn end_archive(&mut self, topic: &str) -> Step {
        if self.oracle.topics[topic].archive.is_none() {
            return Ok(());
        }
        let input = json!({"TopicArn": topic_arn(topic)});
        match self.call_sns("DeleteTopic", &input).await? {
            Err(failure) if failure.code == "InvalidState" => {}
            answer => return Err(format!("a topic with an archive: {answer:?}").into()),
        }
        self.set_archive_policy(topic, "{}", None).await
    }

    async fn set_archive_policy(&mut self, topic: &str, policy: &str, days: Option<i64>) -> Step {
        let input = json!({
            "TopicArn": topic_arn(topic), "AttributeName": "ArchivePolicy", "AttributeValue": policy,
        });
        self.must_in_the_end_sns("SetTopicAttributes", &input).await?;
        self.oracle.set_archive(topic, days);
        Ok(())
    }

    /// Checks that each archive contains what it must, and nothing that can no longer be requested. No
    /// operation shows that, so this reads the store.
    pub async fn look_into_archives(&mut self) -> Step {
        for name in FIFO {
            let Caller { account, region } = Caller::default();
            let address = TopicAddress { account, region, name: name.to_owned() };
            let kept = self.service.runtime.run(move |tx| {
                let Some(topic) = tx.topic(&address)? else { return Ok(None) };
                Ok(Some(tx.oldest_archived(topic.id, 10_000)?.len()))
            });
            let kept = kept.await.map_err(|refusal| format!("{refusal:?}"))?;
            let right = self.oracle.topics.contains_key(name).then(|| self.oracle.archived(name));
            if kept != right {
                return Err(format!("{name} archives {kept:?} instead of {right:?}").into());
            }
        }
        Ok(())
    }

    /// Replays to a subscription from one time to another, often exactly the times of messages.
    pub async fn replay(&mut self) -> Step {
        let topic = self.random.choice(FIFO).unwrap();
        self.replay_from(topic).await
    }

    /// Replays more than a page of an archive. Messages replayed within five minutes of their publish would be
    /// duplicates in FIFO queues.
    pub async fn replay_many(&mut self) -> Step {
        let topic = self.random.choice(FIFO).unwrap();
        self.archive_for_a_day(topic).await?;
        for _ in 0..MANY / 10 * 2 {
            if self.oracle.topics[topic].archived.len() > MANY
                || !self.has_room_up_to(topic, 10, FULL_OF_REPLAYS)
            {
                break;
            }
            self.publish_batch_to(topic, 10).await?;
        }
        self.let_pass(300_000).await?;
        self.endanger();
        self.replay_from(topic).await
    }

    /// Lets days pass until exactly the end of the retention of an archived message, or a moment less or more.
    pub async fn age_archive(&mut self) -> Step {
        let topic = self.random.choice(FIFO).unwrap();
        self.archive_for_a_day(topic).await?;
        if self.oracle.topics[topic].archived.is_empty() && self.has_room_up_to(topic, 6, FULL) {
            self.publish_batch_to(topic, 6).await?;
        }
        let Some(at) = self.random.choice(&self.oracle.topics[topic].archived).map(|one| one.at)
        else {
            return Ok(());
        };
        let ms = at + DAY_MS - self.oracle.now + self.random.i64(-1..=1);
        self.let_pass(ms.max(0)).await?;
        self.endanger();
        self.work_in_the_end().await?;
        self.replay_from(topic).await
    }

    async fn archive_for_a_day(&mut self, topic: &str) -> Step {
        if self.oracle.topics[topic].archive.is_some_and(|(_, days)| days == 1) {
            return Ok(());
        }
        self.work_in_the_end().await?;
        let policy = json!({"MessageRetentionPeriod": "1"}).to_string();
        self.set_archive_policy(topic, &policy, Some(1)).await
    }

    async fn replay_from(&mut self, topic: &str) -> Step {
        let known = &self.oracle.topics[topic];
        let Some(subscription) = self.random.choice(&known.subscriptions).cloned() else {
            return Ok(());
        };
        let moments: Vec<i64> = known.archived.iter().map(|one| one.at).collect();
        let has_archive = known.archive.is_some();
        let now = self.oracle.now;
        let some = |random: &mut fastrand::Rng| {
            let at = random.choice(&moments).copied().unwrap_or(now);
            at + random.i64(-1..=1)
        };
        let from = if self.random.bool() { 0 } else { some(&mut self.random) };
        let until = self.random.bool().then(|| some(&mut self.random));
        let mut policy = json!({"PointType": "Timestamp", "StartingPoint": iso_8601(from)});
        if let Some(until) = until {
            policy["EndingPoint"] = iso_8601(until).into();
        }
        self.work_in_the_end().await?;
        let Subscription { arn, .. } = &subscription;
        let input = json!({
            "SubscriptionArn": arn, "AttributeName": "ReplayPolicy",
            "AttributeValue": policy.to_string(),
        });
        let may = has_archive && from <= now && until.is_none_or(|until| from <= until);
        match self.call_sns("SetSubscriptionAttributes", &input).await? {
            Ok(_) if may => self.oracle.replayed(topic, &subscription, from, until),
            Err(failure) if !may && failure.code == "InvalidParameter" => return Ok(()),
            answer => {
                return Err(format!("it should be {may} that this is replayed: {answer:?}").into());
            }
        }
        self.work_in_the_end().await?;
        let input = json!({"SubscriptionArn": arn});
        let answer = self.must_in_the_end_sns("GetSubscriptionAttributes", &input).await?;
        let status = &answer["Attributes"]["ReplayStatus"];
        if status != "Completed" {
            return Err(format!("the replay to {arn} is {status}").into());
        }
        Ok(())
    }
}
