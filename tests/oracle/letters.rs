//! Deliveries to external endpoints: when each attempt may and must be made, how many there are, and what
//! happens to undeliverable notifications.
//!
//! A process that ends may have recorded an attempt or not. So a delivery is in one of several states, and
//! the next event shows which.

use super::queues::Message;
use super::topics::Subscription;
use super::{Complaint, Oracle, ensure};
use std::collections::HashSet;

/// How an endpoint is treated.
#[derive(Debug, Clone)]
pub struct Patience {
    /// Milliseconds before each further attempt.
    pub retries: Vec<i64>,
    /// Attempts a second.
    pub rate: Option<i64>,
    /// When attempts were made since the rate was set, as far as the process knows.
    recent: Vec<i64>,
    /// The latest attempt under a rate.
    last: Option<i64>,
}

impl Patience {
    pub fn new(retries: Vec<i64>, rate: Option<i64>) -> Self {
        Self { retries, rate, recent: Vec::new(), last: None }
    }

    /// The same endpoint under another policy.
    pub fn change(&mut self, to: Self) {
        *self = Self { last: self.last, ..to };
    }

    /// One more attempt. So many a second, and at once no more than are for a second.
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

    /// Whether something that is due may have to wait.
    fn may_rest(&self, now: i64) -> bool {
        self.last.is_some_and(|last| now < last + 1_000)
    }
}

impl Default for Patience {
    /// Without a policy of its own: three times more, after 20 seconds each.
    fn default() -> Self {
        Self::new(vec![20_000; 3], None)
    }
}

/// What an endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    Takes,
    /// It may take it later.
    Fails,
    /// It never will.
    Refuses,
}

/// Something that must be brought to an endpoint outside.
#[derive(Debug, Clone)]
pub struct Letter {
    pub subscription: String,
    pub body: String,
    states: Vec<State>,
    /// What else holds if the process ends before it has noted the latest attempts.
    before: Vec<State>,
}

/// How far a letter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waits {
        attempts: usize,
        due_at: i64,
    },
    /// An attempt has begun, and was not answered yet.
    OnTheWay {
        attempts: usize,
        due_at: i64,
    },
    Arrived,
    /// Given up: a dead letter.
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

    /// What holds if the process ends before it is answered, or has noted that.
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

    /// An attempt was made to bring something to an endpoint outside.
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

    /// An attempt has begun; its endpoint has not answered yet.
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

    /// An endpoint answers what it got a while ago.
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

    /// The process has ended: which of its latest attempts it has noted is not known.
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

    /// What may have become dead letters: by its place, in which queue that shows, and as what.
    pub fn dead_letters(&self) -> Vec<(usize, Option<String>, String)> {
        let dead = |(index, letter): (usize, &Letter)| {
            let target = self.subscription(&letter.subscription)?.dead_letters.clone();
            let target = target.filter(|name| self.queues.contains_key(name));
            letter.may_be_dead().then(|| (index, target, letter.body.clone()))
        };
        self.letters.iter().enumerate().filter_map(dead).collect()
    }

    /// Whether a letter that may be dead is, as its dead-letter queue shows. One that must be is
    /// expected there in any case. Where there is no such queue it is gone.
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
        // A letter does not keep the attributes that were published: they are not compared.
        self.arrive(target, arriving);
    }

    /// How many messages of a body a queue must have that were not seen yet.
    pub fn unseen(&self, queue: &str, body: &str) -> usize {
        let unseen = |message: &&Message| message.id.is_none() && message.body == body;
        self.queues[queue].messages.iter().filter(unseen).count()
    }

    /// All that was to be carried by now has been, or its endpoint gets no more in this second, or has
    /// not answered yet what it got before.
    pub fn all_carried(&mut self) -> Result<(), Complaint> {
        let now = self.now;
        let is_on_the_way = |letter: &&Letter| {
            letter.states.iter().any(|one| matches!(one, State::OnTheWay { .. }))
        };
        let busy: HashSet<String> =
            self.letters.iter().filter(is_on_the_way).map(|one| one.subscription.clone()).collect();
        for mut letter in std::mem::take(&mut self.letters) {
            letter.before.clear();
            // What waits for a subscription goes with it.
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
