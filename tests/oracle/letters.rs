//! Deliveries to external endpoints: when each attempt may and must be made, how many there are, and what
//! happens to undeliverable notifications.
//!
//! A process that ends may have recorded an attempt or not. So a delivery is in one of several states, and
//! the next event shows which.

use super::queues::Message;
use super::topics::Subscription;
use super::{Complaint, Oracle, ensure};
use std::collections::HashSet;

/// The retry policy of an endpoint.
#[derive(Debug, Clone)]
pub struct Patience {
    /// Milliseconds before each further attempt.
    pub retries: Vec<i64>,
    /// Attempts per second.
    pub rate: Option<i64>,
    /// The times of the attempts since the rate was set, as far as the process knows.
    recent: Vec<i64>,
    /// The latest attempt under a rate.
    last: Option<i64>,
}

impl Patience {
    pub fn new(retries: Vec<i64>, rate: Option<i64>) -> Self {
        Self { retries, rate, recent: Vec::new(), last: None }
    }

    /// Changes the policy of the endpoint.
    pub fn change(&mut self, to: Self) {
        *self = Self { last: self.last, ..to };
    }

    /// Records an attempt, and checks the rate, whose burst is one second.
    fn note(&mut self, now: i64) -> Result<(), Complaint> {
        let Some(rate) = self.rate else { return Ok(()) };
        self.last = Some(now);
        self.recent.push(now);
        for (index, since) in self.recent.iter().enumerate() {
            let attempts = (self.recent.len() - index) as i64;
            let most = rate + rate * (now - since) / 1_000;
            ensure(attempts <= most, || {
                format!("{attempts} attempts in {} ms at {rate} a second", now - since)
            })?;
        }
        Ok(())
    }

    /// Returns whether a due delivery may have to wait.
    fn may_rest(&self, now: i64) -> bool {
        self.last.is_some_and(|last| now < last + 1_000)
    }
}

impl Default for Patience {
    /// Returns the default policy: three retries, 20 seconds apart.
    fn default() -> Self {
        Self::new(vec![20_000; 3], None)
    }
}

/// The response of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    Takes,
    /// A failure that is retried.
    Fails,
    /// A final failure.
    Refuses,
}

/// A delivery to an external endpoint.
#[derive(Debug, Clone)]
pub struct Letter {
    pub subscription: String,
    pub body: String,
    states: Vec<State>,
    /// Alternative states, if the process has ended before it recorded the latest attempts.
    before: Vec<State>,
}

/// The state of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waits {
        attempts: usize,
        due_at: i64,
    },
    /// An attempt is running.
    OnTheWay {
        attempts: usize,
        due_at: i64,
    },
    Arrived,
    /// Failed for good: a dead letter.
    Dead,
}

impl Letter {
    pub fn new(subscription: String, body: String, now: i64) -> Self {
        let states = vec![State::Waits { attempts: 0, due_at: now }];
        Self { subscription, body, states, before: Vec::new() }
    }

    fn may_be_dead(&self) -> bool {
        self.states.contains(&State::Dead)
    }
}

impl State {
    fn is_due(self, now: i64) -> bool {
        matches!(self, Self::Waits { due_at, .. } if due_at <= now)
    }

    fn on_the_way(self) -> Self {
        let Self::Waits { attempts, due_at } = self else { return self };
        Self::OnTheWay { attempts, due_at }
    }

    /// Returns the state if the process ends before it gets or records the response.
    fn unless_noted(self) -> Self {
        let Self::OnTheWay { attempts, due_at } = self else { return self };
        Self::Waits { attempts, due_at }
    }

    fn after(self, reaction: Reaction, retries: &[i64], now: i64) -> Self {
        let Self::Waits { attempts, .. } = self.unless_noted() else { return self };
        match reaction {
            Reaction::Takes => Self::Arrived,
            Reaction::Refuses => Self::Dead,
            Reaction::Fails => match retries.get(attempts) {
                Some(delay) => Self::Waits { attempts: attempts + 1, due_at: now + delay },
                None => Self::Dead,
            },
        }
    }
}

impl Oracle {
    fn subscription(&self, arn: &str) -> Option<&Subscription> {
        self.topics.values().flat_map(|topic| &topic.subscriptions).find(|one| one.arn == arn)
    }

    fn subscription_mut(&mut self, arn: &str) -> Option<&mut Subscription> {
        let mut all = self.topics.values_mut().flat_map(|topic| &mut topic.subscriptions);
        all.find(|one| one.arn == arn)
    }

    /// Checks and records an attempt with its response.
    pub fn attempted_to_carry(
        &mut self,
        arn: &str,
        body: &str,
        reaction: Reaction,
    ) -> Result<(), Complaint> {
        let now = self.now;
        let Some(subscription) = self.subscription_mut(arn) else {
            return Err(format!("{arn}, which is no subscription, gets {body}"));
        };
        subscription.patience.note(now).map_err(|wrong| format!("{arn}: {wrong}"))?;
        let retries = subscription.patience.retries.clone();
        let letter = self.letter(arn, body)?;
        let due: Vec<_> = letter.states.iter().copied().filter(|one| one.is_due(now)).collect();
        ensure(!due.is_empty(), || format!("an attempt at {now}, but: {letter:?}"))?;
        letter.before.append(&mut letter.states);
        letter.states = due.into_iter().map(|one| one.after(reaction, &retries, now)).collect();
        Ok(())
    }

    /// Checks and records the start of an attempt.
    pub fn began_to_carry(&mut self, arn: &str, body: &str) -> Result<(), Complaint> {
        let now = self.now;
        let Some(subscription) = self.subscription_mut(arn) else {
            return Err(format!("{arn}, which is no subscription, gets {body}"));
        };
        subscription.patience.note(now).map_err(|wrong| format!("{arn}: {wrong}"))?;
        let letter = self.letter(arn, body)?;
        let due: Vec<_> = letter.states.iter().copied().filter(|one| one.is_due(now)).collect();
        ensure(!due.is_empty(), || format!("an attempt at {now}, but: {letter:?}"))?;
        letter.before.append(&mut letter.states);
        letter.states = due.into_iter().map(State::on_the_way).collect();
        Ok(())
    }

    /// Records the response to a running attempt.
    pub fn answered(&mut self, arn: &str, body: &str, reaction: Reaction) -> Result<(), Complaint> {
        let now = self.now;
        let subscription = self.subscription(arn);
        let retries = subscription.map(|one| one.patience.retries.clone()).unwrap_or_default();
        let letter = self.letter(arn, body)?;
        letter.before = letter.states.iter().map(|one| one.unless_noted()).collect();
        letter.states.iter_mut().for_each(|one| *one = one.after(reaction, &retries, now));
        Ok(())
    }

    fn letter(&mut self, arn: &str, body: &str) -> Result<&mut Letter, Complaint> {
        let this = |letter: &&mut Letter| letter.subscription == arn && letter.body == body;
        let found = self.letters.iter_mut().find(this);
        found.ok_or_else(|| format!("{arn} gets {body}, which it should not"))
    }

    /// Records the end of the process, which may not have recorded its latest attempts.
    pub fn ended(&mut self) {
        for letter in &mut self.letters {
            letter.states.append(&mut letter.before);
            letter.states.iter_mut().for_each(|one| *one = one.unless_noted());
        }
        for topic in self.topics.values_mut() {
            for subscription in &mut topic.subscriptions {
                subscription.patience.recent.clear();
            }
        }
    }

    /// Returns the deliveries that may be dead letters: index, dead-letter queue and body.
    pub fn dead_letters(&self) -> Vec<(usize, Option<String>, String)> {
        let dead = |(index, letter): (usize, &Letter)| {
            let target = self.subscription(&letter.subscription)?.dead_letters.clone();
            let target = target.filter(|name| self.queues.contains_key(name));
            letter.may_be_dead().then(|| (index, target, letter.body.clone()))
        };
        self.letters.iter().enumerate().filter_map(dead).collect()
    }

    /// Records whether a delivery that may be a dead letter is one, according to its dead-letter queue. One that
    /// must be is expected there in any case. Without a dead-letter queue it is lost.
    pub fn know_of_dead_letter(&mut self, index: usize, target: Option<&str>, is_there: bool) {
        let now = self.now;
        let letter = &mut self.letters[index];
        let Some(target) = target else {
            for state in letter.states.iter_mut().filter(|one| **one == State::Dead) {
                *state = State::Arrived;
            }
            return;
        };
        let must_be = letter.states.iter().all(|one| *one == State::Dead);
        if !must_be && !is_there {
            letter.states.retain(|one| *one != State::Dead);
            return;
        }
        letter.states = vec![State::Arrived];
        let arriving = Message::arriving(letter.body.clone(), now, 0);
        // A delivery does not keep the published attributes: they are not compared.
        self.arrive(target, arriving);
    }

    /// Returns how many unseen messages with a body a queue must have.
    pub fn unseen(&self, queue: &str, body: &str) -> usize {
        let unseen = |message: &&Message| message.id.is_none() && message.body == body;
        self.queues[queue].messages.iter().filter(unseen).count()
    }

    /// Checks that every due delivery was attempted, unless its rate is reached, or its previous attempt is
    /// running.
    pub fn all_carried(&mut self) -> Result<(), Complaint> {
        let now = self.now;
        let is_on_the_way = |letter: &&Letter| {
            letter.states.iter().any(|one| matches!(one, State::OnTheWay { .. }))
        };
        let busy: HashSet<String> =
            self.letters.iter().filter(is_on_the_way).map(|one| one.subscription.clone()).collect();
        for mut letter in std::mem::take(&mut self.letters) {
            letter.before.clear();
            // The pending deliveries of a subscription end with it.
            let Some(subscription) = self.subscription(&letter.subscription) else { continue };
            if !subscription.patience.may_rest(now) && !busy.contains(&letter.subscription) {
                letter.states.retain(|one| !one.is_due(now));
                ensure(!letter.states.is_empty(), || {
                    format!("{} did not arrive at {}", letter.body, letter.subscription)
                })?;
            }
            if letter.states.iter().any(|one| !matches!(one, State::Arrived | State::Dead)) {
                self.letters.push(letter);
            }
        }
        Ok(())
    }
}
