//! HTTP endpoints outside: how they behave, how they are to be treated, and what they have got.

use crate::oracle::{Patience, Reaction, Subscription, read};
use crate::world::{Step, World, queue_arn};
use serde_json::json;
use squab::domain::delivery_outcome::Outcome;
use squab::runtime::carrier::Letter;

/// URLs of endpoints, each with the queue that may get what it does not take.
const ENDPOINTS: [(&str, &str); 2] =
    [("http://endpoint.example/0", "standard-dead"), ("http://endpoint.example/1", "other")];

fn outcome(reaction: Reaction) -> Outcome {
    Outcome::of_http_status(match reaction {
        Reaction::Takes => 200,
        Reaction::Fails => 503,
        Reaction::Refuses => 403,
    })
}

/// Delivery policies, and the milliseconds before each further attempt that they mean.
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
        self.endpoints.insert(url, reaction);
        self.tell_endpoints();
    }

    /// A new process meets the same endpoints.
    pub fn tell_endpoints(&self) {
        for (url, _) in ENDPOINTS {
            let reaction = self.endpoints.get(url).copied().unwrap_or(Reaction::Takes);
            self.service.endpoints.answer(url, outcome(reaction));
        }
    }

    /// Another delivery policy, dead-letter queue or filter.
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
        }
        Ok(())
    }

    /// Tells the oracle of each attempt.
    pub fn note_letters(&mut self) -> Result<(), String> {
        let refused = self.service.endpoints.take_refused();
        let taken = self.service.endpoints.take();
        let refused = refused.into_iter().map(|letter| (letter, false));
        for (letter, is_taken) in refused.chain(taken.into_iter().map(|letter| (letter, true))) {
            let Letter::Post(post) = letter else { continue };
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

    /// Tells the oracle what has become a dead letter, where it cannot know.
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
