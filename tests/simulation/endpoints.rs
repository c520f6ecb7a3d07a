//! External HTTP endpoints: how they behave, how they must be treated, and what they have received.

use super::world::{Step, World, queue_arn};
use crate::oracle::{Patience, Reaction, Subscription, read};
use serde_json::json;
use squab::domain::Refusal;
use squab::domain::delivery_outcome::Outcome;
use squab::runtime::transport::OutboundMessage;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// URLs of endpoints, each with its possible dead-letter queue.
const ENDPOINTS: [(&str, &str); 2] =
    [("http://endpoint.example/0", "standard-dead"), ("http://endpoint.example/1", "other")];

/// Seconds after which an attempt without a response has failed.
const PATIENCE_SECONDS: i64 = 15;
/// Turns without any event after which no more events are expected. Between two attempts there are a few
/// jobs of the store and a signature.
const CALM: usize = 8;

/// Running background work.
pub type Work = JoinHandle<Result<(), Refusal>>;

/// A running attempt.
pub struct OnTheWay {
    subscription: String,
    body: String,
    url: String,
    /// When the endpoint responds, in Unix milliseconds.
    until: i64,
    is_in_time: bool,
    answer: oneshot::Sender<Outcome>,
}

fn outcome(reaction: Reaction) -> Outcome {
    Outcome::of_http_status(match reaction {
        Reaction::Takes => 200,
        Reaction::Fails => 503,
        Reaction::Refuses => 403,
    })
}

/// Returns delivery policies, each with its milliseconds before each retry.
fn policies() -> [(String, Patience); 6] {
    let retries = |given: serde_json::Value| json!({"healthyRetryPolicy": given}).to_string();
    let throttle =
        |rate: i64| json!({"throttlePolicy": {"maxReceivesPerSecond": rate}}).to_string();
    let default = Patience::default().retries;
    [
        (
            retries(json!({
                "minDelayTarget": 2, "maxDelayTarget": 10, "numRetries": 7, "numNoDelayRetries": 1,
                "numMinDelayRetries": 1, "numMaxDelayRetries": 2, "backoffFunction": "linear",
            })),
            Patience::new(vec![0, 2_000, 2_000, 6_000, 10_000, 10_000, 10_000], None),
        ),
        (
            retries(json!({"minDelayTarget": 5, "maxDelayTarget": 5, "numRetries": 1})),
            Patience::new(vec![5_000], None),
        ),
        (
            retries(json!({"minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 0})),
            Patience::new(Vec::new(), None),
        ),
        (throttle(2), Patience::new(default.clone(), Some(2))),
        (throttle(5), Patience::new(default.clone(), Some(5))),
        (
            retries(json!({"minDelayTarget": 20, "maxDelayTarget": 20, "numRetries": 3})),
            Patience::new(default, None),
        ),
    ]
}

impl World {
    pub fn some_url(&mut self) -> &'static str {
        self.random.choice(ENDPOINTS).unwrap().0
    }

    pub fn change_endpoint(&mut self) {
        let url = self.some_url().to_owned();
        let reactions = [Reaction::Takes, Reaction::Takes, Reaction::Fails, Reaction::Refuses];
        let reaction = self.random.choice(reactions).unwrap();
        self.log.push(format!("{url} from now on: {reaction:?}"));
        self.endpoints.insert(url.clone(), reaction);
        match self.random.choice([0, 0, 1, 8, PATIENCE_SECONDS - 1, PATIENCE_SECONDS]).unwrap() {
            0 => drop(self.slow.remove(&url)),
            seconds => {
                self.log.push(format!("it answers after {seconds} s"));
                self.slow.insert(url, seconds);
            }
        }
        self.tell_endpoints();
    }

    /// Runs due background work. Work that waits for slow endpoints continues after their response. No other
    /// work may wait for that: when work ends, only deliveries to slow endpoints may remain.
    pub async fn do_background_work(&mut self) -> Result<(), String> {
        let failed = |refusal| format!("background work failed: {refusal:?}");
        if self.slow.is_empty() && self.on_the_way.is_empty() {
            return self.service.runtime.do_background_work().await.map_err(failed);
        }
        self.answer_what_is_due()?;
        for work in std::mem::take(&mut self.waiting_work) {
            if self.is_done(&work).await? {
                work.await.unwrap().map_err(failed)?;
            } else {
                self.waiting_work.push(work);
            }
        }
        loop {
            let runtime = Arc::clone(&self.service.runtime);
            let work = tokio::spawn(async move { runtime.do_background_work().await });
            while !work.is_finished() && self.service.endpoints.held() == 0 {
                self.let_all_go_on().await?;
            }
            if self.is_done(&work).await? {
                return work.await.unwrap().map_err(failed);
            }
            self.waiting_work.push(work);
        }
    }

    /// Returns whether some work has ended, after all tasks have run as far as they can.
    async fn is_done(&mut self, work: &Work) -> Result<bool, String> {
        let (mut calm, mut attempts) = (0, 0);
        while calm < CALM && !work.is_finished() {
            self.let_all_go_on().await?;
            let now = self.service.endpoints.attempts();
            calm = if now == attempts { calm + 1 } else { 0 };
            attempts = now;
        }
        for (letter, answer) in self.service.endpoints.take_held() {
            let OutboundMessage::Post(post) = letter else { continue };
            let body = read(std::str::from_utf8(&post.body).unwrap());
            let subscription = post.subscription_arn.unwrap_or_default();
            self.log.push(format!("{subscription} is sent {body}"));
            self.oracle.began_to_carry(&subscription, &body)?;
            let seconds = self.slow.get(&post.url).copied().unwrap_or_default();
            let (url, until) = (post.url, self.oracle.now + seconds * 1_000);
            let is_in_time = seconds < PATIENCE_SECONDS;
            self.on_the_way.push(OnTheWay { subscription, body, url, until, is_in_time, answer });
        }
        Ok(work.is_finished())
    }

    /// Lets the store, the signer and all tasks run.
    async fn let_all_go_on(&self) -> Result<(), String> {
        let done = self.service.runtime.run(|_| Ok(())).await;
        if !self.is_ended() {
            done.map_err(|failure| format!("{failure:?}"))?;
        }
        // Paused time advances when no task and no other thread of the executor has work.
        tokio::time::pause();
        tokio::time::sleep(Duration::from_millis(1)).await;
        tokio::time::resume();
        Ok(())
    }

    fn answer_what_is_due(&mut self) -> Result<(), String> {
        let now = self.oracle.now;
        let on_the_way = std::mem::take(&mut self.on_the_way);
        let (due, rest): (Vec<_>, _) = on_the_way.into_iter().partition(|one| one.until <= now);
        self.on_the_way = rest;
        for OnTheWay { subscription, body, url, is_in_time, answer, .. } in due {
            let known = self.endpoints.get(&url).copied().unwrap_or(Reaction::Takes);
            let reaction = if is_in_time { known } else { Reaction::Fails };
            self.log.push(format!("{subscription} {reaction:?} {body}"));
            self.oracle.answered(&subscription, &body, reaction)?;
            // The waiting attempt may have ended.
            let _ = answer.send(outcome(reaction));
        }
        Ok(())
    }

    /// Lets all slow endpoints respond, until no attempt is running.
    pub async fn have_all_answered(&mut self) -> Step {
        self.slow.clear();
        self.tell_endpoints();
        for one in &mut self.on_the_way {
            one.until = 0;
        }
        self.work_in_the_end().await
    }

    /// Forgets the running attempts, which ended with the process.
    pub fn forget_what_is_on_the_way(&mut self) {
        self.on_the_way.clear();
        for work in self.waiting_work.drain(..) {
            work.abort();
        }
    }

    /// Configures the endpoints of a new process.
    pub fn tell_endpoints(&self) {
        for (url, _) in ENDPOINTS {
            let reaction = self.endpoints.get(url).copied().unwrap_or(Reaction::Takes);
            self.service.endpoints.answer(url, outcome(reaction));
        }
        self.service.endpoints.are_slow(self.slow.keys().cloned().collect());
    }

    /// Changes the delivery policy, the dead-letter queue or the filter of an external subscription.
    pub async fn change_outside(&mut self, topic: &str, subscription: &Subscription) -> Step {
        let Subscription { arn, endpoint, .. } = subscription;
        if self.random.u32(..3) == 0 {
            let (_, dead) = ENDPOINTS.into_iter().find(|(url, _)| url == endpoint).unwrap();
            let dead = (self.random.u32(..4) > 0).then_some(dead);
            let policy = dead.map_or_else(String::new, |name| {
                json!({"deadLetterTargetArn": queue_arn(name)}).to_string()
            });
            self.set_subscription(arn, "RedrivePolicy", &policy).await?;
            self.known_subscription(topic, arn).dead_letters = dead.map(str::to_owned);
        } else {
            let (policy, patience) = self.random.choice(policies()).unwrap();
            self.set_subscription(arn, "DeliveryPolicy", &policy).await?;
            self.known_subscription(topic, arn).patience.change(patience);
            if policy.contains("throttlePolicy") {
                return self.rush(topic).await;
            }
        }
        Ok(())
    }

    /// Publishes more messages within two seconds than a throttled endpoint may get.
    async fn rush(&mut self, topic: &str) -> Step {
        for _ in 0..2 {
            if self.has_room(topic, 10) {
                self.publish_batch_to(topic, 10).await?;
            }
            let ms = self.random.i64(0..1_000);
            self.let_pass(ms).await?;
        }
        Ok(())
    }

    /// Reports each attempt to the oracle.
    pub fn note_letters(&mut self) -> Result<(), String> {
        let refused = self.service.endpoints.take_refused();
        let taken = self.service.endpoints.take();
        let refused = refused.into_iter().map(|letter| (letter, false));
        for (letter, is_taken) in refused.chain(taken.into_iter().map(|letter| (letter, true))) {
            let OutboundMessage::Post(post) = letter else { continue };
            match post.message_type.as_str() {
                "SubscriptionConfirmation" => self.asked.push(post),
                "Notification" => {
                    let reaction = match self.endpoints.get(&post.url) {
                        Some(reaction) if !is_taken => *reaction,
                        _ => Reaction::Takes,
                    };
                    let body = read(std::str::from_utf8(&post.body).unwrap());
                    let subscription = post.subscription_arn.unwrap_or_default();
                    self.log.push(format!("{subscription} {reaction:?} {body}"));
                    self.oracle.attempted_to_carry(&subscription, &body, reaction)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Reports new dead letters to the oracle, if it cannot predict them.
    pub async fn note_dead_letters(&mut self) -> Result<(), String> {
        for (index, target, body) in self.oracle.dead_letters() {
            let is_there = match &target {
                None => false,
                Some(queue) => {
                    let seen = self.look(queue).await?;
                    let is_it = |unknown: &(String, _)| unknown.0 == body;
                    let there = seen.iter().filter(|one| one.unknown.as_ref().is_some_and(is_it));
                    there.count() > self.oracle.unseen(queue, &body)
                }
            };
            self.oracle.know_of_dead_letter(index, target.as_deref(), is_there);
        }
        Ok(())
    }
}
