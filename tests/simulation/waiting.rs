//! Waiters: a message that becomes ready wakes one of them, none waits while a message is ready for it,
//! and one that disconnects while it waits or receives takes no message with it.

use super::clients::{self, Held};
use super::world::{FULL, Step, World};
use crate::gateway::{Caller, Reply, Service};
use serde_json::{Value, json};
use std::future::Future;
use std::pin::Pin;

/// How often all tasks get a turn before the waiters are checked. A receive needs a few turns, and may be
/// woken by another waiter that has disconnected.
const TURNS: usize = 14;
const WAIT_SECONDS: i64 = 20;

struct Waiting {
    answer: Pin<Box<dyn Future<Output = Reply>>>,
    input: Value,
    max: usize,
    visibility: Option<i64>,
    until: i64,
}

impl Waiting {
    fn new(service: &Service, input: Value, max: usize, visibility: Option<i64>, now: i64) -> Self {
        let (service, asked) = (service.clone(), input.clone());
        let answer =
            Box::pin(
                async move { service.ask(&Caller::default(), "ReceiveMessage", &asked).await },
            );
        Self { answer, input, max, visibility, until: now + WAIT_SECONDS * 1_000 }
    }

    async fn poll(&mut self) -> Option<Reply> {
        tokio::select! {
            biased;
            answer = &mut self.answer => Some(answer),
            () = std::future::ready(()) => None,
        }
    }
}

impl World {
    /// Starts several long polls, one after the other, and then other actions.
    pub async fn wait(&mut self, client: usize) -> Step {
        let Some(queue) = self.some_queue() else { return Ok(()) };
        self.wait_for(queue, client).await
    }

    pub async fn wait_for(&mut self, queue: &str, client: usize) -> Step {
        let has_dead_letters = self.oracle.queues[queue].attributes.dead_letters.is_some();
        let is_long = self.oracle.queues[queue].messages.len() > FULL;
        if has_dead_letters || is_long || self.action.ends_after.is_some() {
            return Ok(());
        }
        let mut line = Vec::new();
        for _ in 0..self.random.u32(2..12) {
            if self.random.u32(..3) == 0 || line.is_empty() {
                let (max, visibility) = self.draw_receive();
                let mut input = super::queues::receive_input(queue, max, visibility);
                input["WaitTimeSeconds"] = WAIT_SECONDS.into();
                let now = self.oracle.now;
                self.log.push(format!("waits from +{}ms: {input}", now - crate::gateway::EPOCH));
                line.push(Waiting::new(&self.service, input, max, visibility, now));
            } else {
                self.happen(queue).await?;
                self.leave(client, queue, &mut line).await?;
            }
            self.let_everybody_try(client, queue, &mut line).await?;
        }
        let rest = WAIT_SECONDS * 1_000 - self.random.i64(0..2);
        self.pass_and_look(queue, rest).await?;
        self.let_everybody_try(client, queue, &mut line).await?;
        self.pass_and_look(queue, 1).await?;
        self.let_everybody_try(client, queue, &mut line).await?;
        match line.first() {
            Some(one) => Err(format!("{} still waits after its time", one.input).into()),
            None => Ok(()),
        }
    }

    /// Does something that may make a message ready.
    async fn happen(&mut self, queue: &str) -> Step {
        let held: Vec<Held> =
            self.clients.iter().flatten().filter(|held| held.queue == queue).cloned().collect();
        let is_full = self.oracle.room(queue) == 0;
        match self.random.u32(..12) {
            // This reduces the messages in flight.
            _ if is_full && self.random.bool() => match held.last() {
                Some(held) => self.delete_one(held).await,
                None => Ok(()),
            },
            0..3 => self.send_to(queue).await,
            3 => self.send_batch_to(queue).await,
            // Exactly at a deadline, and a moment before.
            4..7 => {
                let due = self.oracle.next_due(queue);
                let some = self.random.i64(0..8) * 1_000;
                let ms = due.filter(|ms| *ms < 60_000).unwrap_or(some) - self.random.i64(0..2);
                self.pass_and_look(queue, ms.max(0)).await
            }
            7..9 => match self.random.choice(held) {
                Some(held) => {
                    let timeout = self.random.choice([0, 0, 3]).unwrap();
                    self.change_one(&held, timeout).await
                }
                None => Ok(()),
            },
            9 => match self.random.choice(held) {
                Some(held) => self.delete_one(&held).await,
                None => Ok(()),
            },
            10 => {
                let visibility = self.oracle.queues[queue].attributes.visibility;
                self.pass_and_look(queue, visibility * 1_000).await
            }
            _ => {
                self.must("PurgeQueue", &json!({"QueueUrl": queue})).await?;
                self.oracle.purge(queue);
                self.touch(queue);
                Ok(())
            }
        }
    }

    /// Observes messages that a move task has moved meanwhile before a client receives them.
    async fn pass_and_look(&mut self, queue: &str, ms: i64) -> Step {
        self.oracle.pass(ms);
        self.service.clock.advance(ms);
        self.work_in_the_end().await?;
        Ok(self.see(queue).await?)
    }

    /// Now and then a waiter disconnects: before it has noticed its wake-up, or while its receive runs.
    async fn leave(&mut self, client: usize, queue: &str, line: &mut Vec<Waiting>) -> Step {
        if line.is_empty() || self.random.u32(..3) > 0 {
            return Ok(());
        }
        let index = self.random.usize(..line.len());
        let mut gone = line.remove(index);
        let stage = self.random.u32(..3);
        let how = ["waits", "is about to receive", "is about to be answered"][stage as usize];
        self.log.push(format!("while it {how}, goes away: {}", gone.input));
        if stage > 0
            && let Some(answer) = gone.poll().await
        {
            // The response came before the disconnect.
            self.note_answer(client, queue, &gone, answer).await?;
        }
        if stage > 1 {
            self.let_store_answer().await?;
        }
        Ok(())
    }

    /// Checks a response and returns its number of messages. A waiter whose time is over may get none while
    /// another is about to receive.
    async fn note_answer(
        &mut self,
        client: usize,
        queue: &str,
        of: &Waiting,
        answer: Reply,
    ) -> Step<usize> {
        self.note_together("ReceiveMessage", &of.input, &answer);
        let answer = answer.map_err(|failure| format!("{failure:?}"))?;
        let messages = clients::received(&answer);
        if messages.is_empty() && self.oracle.now < of.until {
            return Err(format!("{} has not waited long enough", of.input).into());
        }
        if !messages.is_empty() {
            self.note_received(client, queue, of.max, of.visibility, &messages).await?;
        }
        Ok(messages.len())
    }

    /// Lets all tasks run until nothing changes. Then no waiter may wait while a message is ready for it, and
    /// none may have returned empty at the moment at which a message was ready.
    async fn let_everybody_try(
        &mut self,
        client: usize,
        queue: &str,
        line: &mut Vec<Waiting>,
    ) -> Step {
        let by_default = self.oracle.queues[queue].attributes.visibility;
        let for_no_time = line.iter().any(|one| one.visibility.unwrap_or(by_default) == 0);
        let mut before = usize::MAX;
        while line.len() < before {
            before = line.len();
            let in_vain = self.take_turns(client, queue, line).await?;
            let ready = self.oracle.receivable(queue);
            if !in_vain.is_empty() && !ready.is_empty() && !for_no_time {
                return Err(format!("nobody gets {ready:?}, but: {in_vain:?}").into());
            }
            if line.is_empty() || ready.is_empty() {
                return Ok(());
            }
            // Messages received with a visibility timeout of 0 are due, and time has not passed.
            self.pass_and_look(queue, 0).await?;
        }
        let ready = self.oracle.receivable(queue);
        Err(format!("{} waits while {ready:?} are ready", line[0].input).into())
    }

    /// Lets all waiters run. Returns the requests of those that got no message.
    async fn take_turns(
        &mut self,
        client: usize,
        queue: &str,
        line: &mut Vec<Waiting>,
    ) -> Step<Vec<Value>> {
        let mut in_vain = Vec::new();
        for _ in 0..TURNS {
            let mut index = 0;
            while index < line.len() {
                let Some(answer) = line[index].poll().await else {
                    index += 1;
                    continue;
                };
                let answered = line.remove(index);
                if self.note_answer(client, queue, &answered, answer).await? == 0 {
                    in_vain.push(answered.input);
                }
            }
            self.let_store_answer().await?;
        }
        Ok(in_vain)
    }

    /// Waits until the store has run all previous jobs, which it runs in order.
    async fn let_store_answer(&self) -> Step {
        let done = self.service.runtime.run(|_| Ok(())).await;
        Ok(done.map_err(|failure| format!("{failure:?}"))?)
    }
}
