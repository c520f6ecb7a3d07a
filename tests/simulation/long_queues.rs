//! Queues with far more messages than a page, a receive or a sweep processes, and the clients that send
//! and receive them.

use super::clients;
use super::world::{QUEUES, Step, World};
use serde_json::json;

/// The maximum length of a queue.
pub const LONG: usize = 240;
/// The maximum for a queue with message groups: few enough that every receive counts all in flight.
const GROUPED: usize = 90;

impl World {
    /// Sends many messages at once, to a queue or through a FIFO topic.
    pub async fn crowd(&mut self) -> Step {
        if self.random.u32(..4) == 0 {
            let topic = self.random.choice(["events.fifo", "orders.fifo"]).unwrap();
            for _ in 0..self.random.u32(4..13) {
                if !self.has_room_up_to(topic, 10, LONG) {
                    break;
                }
                self.publish_batch_to(topic, 10).await?;
            }
            return Ok(());
        }
        let fair = self.random.u32(..3) == 0;
        let queue = if fair { "fair" } else { self.random.choice(QUEUES).unwrap().0 };
        if !self.oracle.queues.contains_key(queue) {
            return Ok(());
        }
        let batches = self.random.u32(5..20);
        self.crowd_into(queue, batches).await
    }

    pub async fn crowd_into(&mut self, queue: &str, batches: u32) -> Step {
        let most = if queue == "fair" { GROUPED } else { LONG };
        self.touch(queue);
        for batch in 0..batches {
            if self.oracle.queues[queue].messages.len() + 10 > most {
                break;
            }
            let (mut messages, mut entries) = (Vec::new(), Vec::new());
            for index in 0..10 {
                let name = format!("{}.{batch}.{index}", self.fresh_name());
                let known = &self.oracle.queues[queue];
                let (message, mut entry) =
                    clients::message_of_crowd(&mut self.random, &name, known, queue == "fair");
                entry["Id"] = index.to_string().into();
                messages.push(message);
                entries.push(entry);
            }
            let input = json!({"QueueUrl": queue, "Entries": entries});
            let answer = self.must_in_the_end("SendMessageBatch", &input).await?;
            let sent = answer["Successful"].as_array().cloned().unwrap_or_default();
            if sent.len() != messages.len() {
                return Err(format!("not every entry succeeded: {answer}").into());
            }
            for (message, entry) in messages.iter().zip(&sent) {
                self.oracle.sent(queue, message, clients::told(entry, entry))?;
            }
        }
        Ok(())
    }

    /// Receives until the queue is empty. The client deletes all messages, or keeps them.
    pub async fn receive_many(&mut self, client: usize) -> Step {
        let longest = self.oracle.queues.iter().max_by_key(|(_, queue)| queue.messages.len());
        let longest = longest.map(|(name, _)| name.clone());
        let some =
            if self.random.u32(..3) == 0 { self.any_queue().map(str::to_owned) } else { longest };
        let Some(queue) = some else { return Ok(()) };
        let deletes = self.random.bool();
        let visibility = self.random.choice([20, 60, 600]);
        for _ in 0..LONG / 10 * 2 {
            let input = super::queues::receive_input(&queue, 10, visibility);
            let held = self.clients[client].len();
            let messages = self.receive_with(client, &queue, 10, visibility, &input).await?;
            if messages.is_empty() {
                break;
            }
            if deletes {
                for held in self.clients[client].split_off(held) {
                    self.delete_one(&held).await?;
                }
            }
        }
        Ok(())
    }

    /// Lets a client receive and keep most messages of one group. Messages of other groups then come before the
    /// rest of that group.
    pub async fn make_noise(&mut self, client: usize) -> Step {
        const LONG: i64 = 600;
        if !self.oracle.queues.contains_key("fair") {
            return Ok(());
        }
        self.crowd_into("fair", 9).await?;
        for _ in 0..12 {
            let max = self.random.usize(1..=10);
            let input = super::queues::receive_input("fair", max, Some(LONG));
            self.receive_with(client, "fair", max, Some(LONG), &input).await?;
            match self.random.u32(..4) {
                0 => self.send_to("fair").await?,
                1 => self.let_pass(1_000).await?,
                _ => {}
            }
        }
        Ok(())
    }
}
