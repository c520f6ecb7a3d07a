//! Message move tasks: what they move where, how fast, and what they report.

use super::queues::Message;
use super::{Complaint, Oracle, ensure};

#[derive(Debug, Clone)]
pub struct MoveTask {
    pub handle: String,
    /// `None` returns each message to its source queue.
    destination: Option<String>,
    /// Messages per second
    rate: Option<i64>,
    started_at: i64,
    to_move: usize,
    moved: usize,
    /// The messages at the start: ID, and the receives of visible ones. Later messages may be moved or not.
    at_start: Vec<(String, Option<i64>)>,
    was_cancelled: bool,
    /// Whether it may still move messages, as far as the oracle knows.
    pub is_active: bool,
}

/// A task in ListMessageMoveTasks.
#[derive(Debug, Clone)]
pub struct Listed {
    pub status: String,
    pub moved: usize,
    pub to_move: usize,
    pub failure: Option<String>,
}

impl Oracle {
    /// Returns whether this is the dead-letter queue of any queue.
    pub fn has_sources(&self, name: &str) -> bool {
        let targets = |queue: &super::Queue| queue.attributes.dead_letters.clone();
        self.queues.values().filter_map(targets).any(|(target, _)| target == name)
    }

    pub fn move_started(
        &mut self,
        source: &str,
        destination: Option<String>,
        rate: Option<i64>,
        handle: String,
    ) {
        let now = self.now;
        let messages = &self.queues[source].messages;
        let at_start = messages.iter().filter_map(|message| {
            let receives = message.is_visible(now).then_some(message.receives);
            Some((message.id.clone()?, receives))
        });
        let task = MoveTask {
            handle,
            destination,
            rate,
            started_at: now,
            to_move: self.counts(source)[0],
            moved: 0,
            at_start: at_start.collect(),
            was_cancelled: false,
            is_active: true,
        };
        self.tasks.insert(source.to_owned(), task);
    }

    pub fn move_cancelled(&mut self, source: &str, moved: usize) -> Result<(), Complaint> {
        let task = self.tasks.get_mut(source).expect("a task");
        task.was_cancelled = true;
        ensure(task.moved == moved, || format!("{moved} are said to be moved: {task:?}"))
    }

    /// Records messages that a task has moved out of a dead-letter queue.
    pub fn moved(&mut self, source: &str, gone: &[String]) -> Result<(), Complaint> {
        let now = self.now;
        for id in gone {
            let Some(task) = self.tasks.get_mut(source).filter(|task| task.is_active) else {
                return Err(format!("{source} has lost {id}, and no task moves it"));
            };
            ensure(!task.was_cancelled, || format!("{id} was moved by a cancelled task"))?;
            task.moved += 1;
            let seconds = (now - task.started_at) / 1_000 + 1;
            let is_slow = task.rate.is_none_or(|rate| task.moved as i64 <= rate * seconds);
            ensure(is_slow, || format!("{} moved in {seconds} s: {task:?}", task.moved))?;
            let (to, started_at) = (task.destination.clone(), task.started_at);
            let message = self.queue(source).remove(id).expect("a message that was there");
            ensure(message.is_visible(now), || format!("{message:?} was moved though hidden"))?;
            // A task ends even if its messages soon return as dead letters.
            let is_old = message.sent_at <= started_at;
            ensure(is_old, || format!("{message:?} was moved, but is younger than the task"))?;
            let Some(to) = to.or_else(|| message.source.clone()) else {
                return Err(format!("{message:?} was moved, nobody knows where to"));
            };
            let Some(queue) = self.queues.get_mut(&to) else {
                return Err(format!("{message:?} was moved to {to}, which does not exist"));
            };
            // It is a new message: another ID, sent now, never received.
            let moved = Message::arriving(message.body, now, queue.attributes.delay);
            queue.put_with_others(
                Message {
                    attributes: message.attributes,
                    group: message.group,
                    former_id: message.id,
                    ..moved
                },
                now,
            );
        }
        Ok(())
    }

    /// Checks the listed state of the last task of a queue.
    pub fn listed(&mut self, source: &str, listed: &Listed) -> Result<(), Complaint> {
        let now = self.now;
        let messages = &self.queues[source].messages;
        let exists = |name: &String| self.queues.contains_key(name);
        let task = self.tasks.get_mut(source).expect("a task");
        let agrees = (listed.moved, listed.to_move) == (task.moved, task.to_move);
        ensure(agrees, || format!("{listed:?} is said of {task:?}"))?;
        let is_left = |(id, receives): &&(String, Option<i64>)| {
            let still = messages.iter().find(|message| message.is(id));
            still.is_some_and(|message| {
                Some(message.receives) == *receives && message.is_visible(now)
            })
        };
        let left = task.at_start.iter().find(is_left);
        let is_lost = |message: &Message| {
            let destination = task.destination.as_ref().or(message.source.as_ref());
            destination.is_none_or(|name| !exists(name))
        };
        let right = match listed.status.as_str() {
            "RUNNING" => task.is_active && !task.was_cancelled && task.rate.is_some(),
            "COMPLETED" => left.is_none() && !task.was_cancelled,
            "CANCELLING" | "CANCELLED" => task.was_cancelled,
            "FAILED" => messages.iter().any(is_lost) && listed.failure.is_some(),
            _ => false,
        };
        ensure(right, || format!("{listed:?} is said, but {left:?} is left of {task:?}"))?;
        if !matches!(listed.status.as_str(), "RUNNING" | "CANCELLING") {
            task.is_active = false;
        }
        Ok(())
    }
}
