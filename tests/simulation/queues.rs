//! What clients do with queues, and what the oracle observes.

use super::clients::{self, Held};
use super::long_queues::LONG;
use super::world::{DEAD, FULL, QUEUES, Step, World, queue_arn};
use crate::gateway::{Caller, Reply};
use crate::oracle::{Attributes, Outgoing, Received, Retry, Verdict};
use serde_json::{Map, Value, json};
use squab::domain::address::has_fifo_suffix;
use std::collections::HashSet;

/// An invalid receipt handle.
const NO_HANDLE: &str = "bm8gaGFuZGxl";

pub fn receive_input(queue: &str, max: usize, visibility: Option<i64>) -> Value {
    let mut input = json!({
        "QueueUrl": queue,
        "MaxNumberOfMessages": max,
        "MessageSystemAttributeNames": ["All"],
        "MessageAttributeNames": ["All"],
    });
    if let Some(seconds) = visibility {
        input["VisibilityTimeout"] = seconds.into();
    }
    input
}

fn attempt_input(queue: &str, max: usize, visibility: Option<i64>, attempt: &str) -> Value {
    let mut input = receive_input(queue, max, visibility);
    input["ReceiveRequestAttemptId"] = attempt.into();
    input
}

/// Returns the code of an error, without the namespace of SQS.
fn verdict(failure: &Value) -> String {
    let code = failure["Code"].as_str().unwrap_or("no code");
    code.trim_start_matches("AWS.SimpleQueueService.").to_owned()
}

fn compare(what: &Held, right: Verdict, got: Result<(), String>) -> Result<(), String> {
    let agrees = match (&right, &got) {
        (Verdict::Succeeds, Ok(())) => true,
        (Verdict::Refused(code), Err(got)) => code == got,
        _ => false,
    };
    if agrees { Ok(()) } else { Err(format!("{what:?}: {got:?} instead of {right:?}")) }
}

impl World {
    pub async fn create_queue(&mut self, name: &str) -> Step {
        let attributes = Attributes {
            fifo: has_fifo_suffix(name),
            visibility: 30,
            retention: 345_600,
            scoped: matches!(name, "scoped.fifo" | "fast.fifo"),
            fast: name == "fast.fifo",
            ..Attributes::default()
        };
        let mut given = Map::new();
        if attributes.fifo {
            given.insert("FifoQueue".into(), "true".into());
        }
        if attributes.scoped {
            given.insert("DeduplicationScope".into(), "messageGroup".into());
        }
        if attributes.fast {
            given.insert("FifoThroughputLimit".into(), "perMessageGroupId".into());
        }
        self.must("CreateQueue", &json!({"QueueName": name, "Attributes": given})).await?;
        self.oracle.create(name, attributes);
        *self.incarnations.entry(name.to_owned()).or_default() += 1;
        Ok(())
    }

    pub async fn create_missing_queue(&mut self) -> Step {
        let names = DEAD.into_iter().chain(QUEUES.map(|(name, _)| name));
        let missing: Vec<_> =
            names.filter(|name| !self.oracle.queues.contains_key(*name)).collect();
        match self.random.choice(missing) {
            Some(name) => self.create_queue(name).await,
            None => Ok(()),
        }
    }

    /// Deletes a queue. A client may create it again at once, or later.
    pub async fn delete_queue(&mut self) -> Step {
        let Some(name) = self.any_queue() else { return Ok(()) };
        self.must("DeleteQueue", &json!({"QueueUrl": name})).await?;
        self.oracle.delete(name);
        // A move task notices at its next step.
        self.work_in_the_end().await?;
        if self.random.bool() { self.create_queue(name).await } else { Ok(()) }
    }

    pub async fn send(&mut self) -> Step {
        let Some(queue) = self.some_queue() else { return Ok(()) };
        self.send_to(queue).await
    }

    pub async fn send_to(&mut self, queue: &str) -> Step {
        if self.oracle.queues[queue].messages.len() >= FULL {
            return Ok(());
        }
        let (message, mut input) = self.draw_message(queue);
        input["QueueUrl"] = queue.into();
        self.touch(queue);
        // A client without a response sends again.
        for _ in 0..if self.action.answer_is_lost { 2 } else { 1 } {
            let answer = self.must_in_the_end("SendMessage", &input).await?;
            self.oracle.sent(queue, &message, clients::told(&answer, &answer))?;
        }
        Ok(())
    }

    fn draw_message(&mut self, queue: &str) -> (Outgoing, Value) {
        let name = self.fresh_name();
        let known = &self.oracle.queues[queue];
        clients::message(&mut self.random, &name, known, queue == "fair")
    }

    /// Sends a batch, some of whose entries are invalid.
    pub async fn send_batch(&mut self) -> Step {
        let Some(queue) = self.some_queue() else { return Ok(()) };
        self.send_batch_to(queue).await
    }

    pub async fn send_batch_to(&mut self, queue: &str) -> Step {
        if self.oracle.queues[queue].messages.len() + 10 >= FULL {
            return Ok(());
        }
        let (mut messages, mut entries) = (Vec::new(), Vec::new());
        for index in 0..self.random.u32(1..=10) {
            let (message, mut entry) = self.draw_message(queue);
            entry["Id"] = index.to_string().into();
            let wrong = match self.random.u32(..16) {
                0 => Some(("MessageBody", json!("\u{1}"), "InvalidMessageContents")),
                1 => Some(("DelaySeconds", json!(901), "InvalidParameterValue")),
                2 => Some(("MessageGroupId", json!("a space"), "InvalidParameterValue")),
                _ => None,
            };
            if let Some((name, value, _)) = &wrong {
                entry[*name] = value.clone();
            }
            messages.push((message, wrong.map(|(_, _, code)| code)));
            entries.push(entry);
        }
        self.touch(queue);
        let input = json!({"QueueUrl": queue, "Entries": entries});
        for _ in 0..if self.action.answer_is_lost { 2 } else { 1 } {
            let answer = self.must_in_the_end("SendMessageBatch", &input).await?;
            for (index, (message, wrong)) in messages.iter().enumerate() {
                let id = index.to_string();
                let in_list = |list: &str| {
                    let mut entries = answer[list].as_array().into_iter().flatten();
                    entries.find(|entry| entry["Id"] == id.as_str()).cloned()
                };
                match (in_list("Successful"), in_list("Failed"), wrong) {
                    (Some(entry), None, None) => {
                        self.oracle.sent(queue, message, clients::told(&entry, &entry))?;
                    }
                    (None, Some(entry), Some(code)) if verdict(&entry) == *code => {}
                    (sent, failed, _) => {
                        return Err(format!(
                            "entry {index} should be refused with {wrong:?}: {sent:?} {failed:?}"
                        )
                        .into());
                    }
                }
            }
        }
        Ok(())
    }

    pub fn draw_receive(&mut self) -> (usize, Option<i64>) {
        let max = if self.random.bool() { 10 } else { self.random.usize(1..=10) };
        let visibility =
            (self.random.u32(..3) == 0).then(|| self.random.choice([0, 1, 5, 60, 600]).unwrap());
        (max, visibility)
    }

    pub async fn receive(&mut self, client: usize) -> Step {
        let Some(queue) = self.any_queue() else { return Ok(()) };
        let (max, visibility) = self.draw_receive();
        let input = receive_input(queue, max, visibility);
        self.receive_with(client, queue, max, visibility, &input).await?;
        Ok(())
    }

    pub async fn receive_with(
        &mut self,
        client: usize,
        queue: &str,
        max: usize,
        visibility: Option<i64>,
        input: &Value,
    ) -> Step<Vec<Received>> {
        let answer = self.must("ReceiveMessage", input).await?;
        let messages = clients::received(&answer);
        self.note_received(client, queue, max, visibility, &messages).await?;
        Ok(messages)
    }

    pub async fn note_received(
        &mut self,
        client: usize,
        queue: &str,
        max: usize,
        visibility: Option<i64>,
        messages: &[Received],
    ) -> Step {
        self.touch(queue);
        let target = self.oracle.queues[queue].attributes.dead_letters.clone();
        let gone: HashSet<String> = match target {
            Some((target, _)) => {
                self.touch(&target);
                self.gone_from(queue).await?.into_iter().collect()
            }
            None => HashSet::new(),
        };
        self.oracle.received(queue, max, visibility, messages, &gone)?;
        self.hold(client, queue, messages);
        Ok(())
    }

    /// Records what the client remembers of a response, if it gets the response.
    fn hold(&mut self, client: usize, queue: &str, messages: &[Received]) {
        if self.action.answer_is_lost || self.action.ends_after.is_some() {
            return;
        }
        let incarnation = self.incarnations[queue];
        for Received { told, handle, .. } in messages {
            let (queue, id, handle) = (queue.to_owned(), told.id.clone(), handle.clone());
            self.clients[client].push(Held { queue, incarnation, id, handle });
        }
    }

    /// Lets several clients receive at once, in one transaction, in the order of their requests.
    pub async fn receive_together(&mut self) -> Step {
        let Some(queue) = self.any_queue() else { return Ok(()) };
        let has_dead_letters = self.oracle.queues[queue].attributes.dead_letters.is_some();
        if has_dead_letters || self.action.ends_after.is_some() {
            return Ok(());
        }
        let asked: Vec<_> = (0..3).map(|_| self.draw_receive()).collect();
        let inputs: Vec<_> =
            asked.iter().map(|(max, visibility)| receive_input(queue, *max, *visibility)).collect();
        let caller = Caller::default();
        let call = |index: usize| self.service.ask(&caller, "ReceiveMessage", &inputs[index]);
        let answers = tokio::join!(call(0), call(1), call(2));
        for (client, answer) in [answers.0, answers.1, answers.2].into_iter().enumerate() {
            self.note_together("ReceiveMessage", &inputs[client], &answer);
            let answer = answer.map_err(|failure| format!("{failure:?}"))?;
            let (max, visibility) = asked[client];
            let messages = clients::received(&answer);
            self.note_received(client, queue, max, visibility, &messages).await?;
        }
        Ok(())
    }

    /// Retries a receive without a response by its attempt ID. This returns the same messages, and is rejected if
    /// one of them was changed or deleted meanwhile.
    pub async fn receive_again(&mut self, client: usize) -> Step {
        let recent = self.attempts.len().saturating_sub(3);
        let again = self.random.choice(&self.attempts[recent..]).cloned();
        if let Some((queue, attempt, returned)) = again.filter(|_| self.random.bool()) {
            if let Some(held) = self.random.choice(returned).filter(|_| self.random.bool()) {
                match self.random.u32(..3) {
                    0 => self.change_one(&held, 300).await?,
                    1 => self.change_one(&held, 0).await?,
                    _ => self.delete_one(&held).await?,
                }
            }
            return self.repeat(client, &queue, &attempt).await;
        }
        let queue = self.random.choice(["fifo.fifo", "scoped.fifo", "fast.fifo"]).unwrap();
        if !self.oracle.queues.contains_key(queue) {
            return Ok(());
        }
        let attempt = self.fresh_name();
        let (max, visibility) = self.draw_receive();
        let input = attempt_input(queue, max, visibility, &attempt);
        let messages = self.receive_with(client, queue, max, visibility, &input).await?;
        self.oracle.attempted(queue, &attempt, &messages);
        let incarnation = self.incarnations[queue];
        let returned = messages.into_iter().map(|Received { told, handle, .. }| Held {
            queue: queue.to_owned(),
            incarnation,
            id: told.id,
            handle,
        });
        self.attempts.push((queue.to_owned(), attempt, returned.collect()));
        Ok(())
    }

    async fn repeat(&mut self, client: usize, queue: &str, attempt: &str) -> Step {
        if !self.oracle.queues.contains_key(queue) {
            return Ok(());
        }
        let (max, visibility) = self.draw_receive();
        let input = attempt_input(queue, max, visibility, attempt);
        match self.oracle.repeats(queue, attempt) {
            Retry::Open => {}
            Retry::Refused => match self.call("ReceiveMessage", &input).await? {
                Err(failure) if failure.code == "InvalidParameterValue" => {}
                answer => return Err(format!("{attempt} should be refused: {answer:?}").into()),
            },
            Retry::Same => {
                let answer = self.must("ReceiveMessage", &input).await?;
                let messages = clients::received(&answer);
                self.oracle.repeated(queue, attempt, visibility, &messages)?;
                self.hold(client, queue, &messages);
            }
            Retry::Anew => {
                let messages = self.receive_with(client, queue, max, visibility, &input).await?;
                self.oracle.attempted(queue, attempt, &messages);
            }
        }
        Ok(())
    }

    /// Returns a receipt handle of the client, which it may use again. The last client is slow: it uses the
    /// oldest one.
    fn some_handle(&mut self, client: usize) -> Option<Held> {
        let held = &mut self.clients[client];
        if held.is_empty() {
            return None;
        }
        let index = match self.random.u32(..4) {
            _ if client == super::world::CLIENTS - 1 => 0,
            0 => self.random.usize(..held.len()),
            _ => self.random.usize(held.len().saturating_sub(10)..held.len()),
        };
        Some(if self.random.u32(..5) == 0 { held[index].clone() } else { held.remove(index) })
    }

    fn is_of_this_queue(&self, held: &Held) -> bool {
        self.incarnations[&held.queue] == held.incarnation
    }

    fn right_deletion(&mut self, held: &Held) -> Verdict {
        if self.oracle.queues.contains_key(&held.queue) && !self.is_of_this_queue(held) {
            return Verdict::Refused("ReceiptHandleIsInvalid");
        }
        self.oracle.deleted(&held.queue, &held.id, &held.handle)
    }

    pub async fn delete(&mut self, client: usize) -> Step {
        for _ in 0..self.random.u32(1..=4) {
            let Some(held) = self.some_handle(client) else { return Ok(()) };
            for _ in 0..if self.action.answer_is_lost { 2 } else { 1 } {
                self.delete_one(&held).await?;
            }
        }
        Ok(())
    }

    pub async fn delete_one(&mut self, held: &Held) -> Step {
        self.touch(&held.queue);
        let input = json!({"QueueUrl": held.queue, "ReceiptHandle": held.handle});
        let answer = self.call("DeleteMessage", &input).await?;
        let right = self.right_deletion(held);
        Ok(compare(held, right, answer.map(drop).map_err(|failure| failure.code))?)
    }

    /// Deletes with receipt handles of one queue, and an invalid one.
    pub async fn delete_batch(&mut self, client: usize) -> Step {
        let Some(first) = self.some_handle(client) else { return Ok(()) };
        let mut batch = vec![first];
        for _ in 0..self.random.u32(..9) {
            batch.extend(self.some_handle(client).filter(|held| held.queue == batch[0].queue));
        }
        let queue = batch[0].queue.clone();
        self.touch(&queue);
        let entry = |(index, handle): (usize, &str)| json!({"Id": index.to_string(), "ReceiptHandle": handle});
        let handles = batch.iter().map(|held| held.handle.as_str()).chain([NO_HANDLE]);
        let entries: Vec<_> = handles.enumerate().map(entry).collect();
        let input = json!({"QueueUrl": queue, "Entries": entries});
        let answer = self.call("DeleteMessageBatch", &input).await?;
        for (index, held) in batch.iter().enumerate() {
            let right = self.right_deletion(held);
            compare(held, right, outcome(&answer, &index.to_string()))?;
        }
        let none = outcome(&answer, &batch.len().to_string());
        match none.as_ref().map_err(String::as_str) {
            Err("ReceiptHandleIsInvalid" | "NonExistentQueue") => Ok(()),
            other => Err(format!("a handle that is none: {other:?}").into()),
        }
    }

    pub async fn change_visibility(&mut self, client: usize) -> Step {
        let Some(held) = self.some_handle(client) else { return Ok(()) };
        self.clients[client].push(held.clone());
        let timeout = self.random.choice([0, 0, 1, 20, 300, 43_200]).unwrap();
        self.change_one(&held, timeout).await
    }

    pub async fn change_one(&mut self, held: &Held, timeout: i64) -> Step {
        let entry = json!({"Id": "x", "ReceiptHandle": held.handle, "VisibilityTimeout": timeout});
        let input = json!({"QueueUrl": held.queue, "Entries": [entry]});
        let answer = self.call("ChangeMessageVisibilityBatch", &input).await?;
        let is_there = self.oracle.queues.contains_key(&held.queue);
        let right = if is_there && !self.is_of_this_queue(held) {
            Verdict::Refused("ReceiptHandleIsInvalid")
        } else {
            self.oracle.changed(&held.queue, &held.id, &held.handle, timeout)
        };
        Ok(compare(held, right, outcome(&answer, "x"))?)
    }

    pub async fn count_all(&mut self) -> Step {
        let names: Vec<String> = self.oracle.queues.keys().cloned().collect();
        for name in names {
            let right = self.oracle.counts(&name);
            let mut counts = self.count(&name).await?;
            // Each access removes a page of expired messages; the remaining ones count until the next access.
            for _ in 0..LONG / 100 {
                if counts.iter().sum::<usize>() > right.iter().sum() {
                    counts = self.count(&name).await?;
                }
            }
            if counts != right {
                return Err(format!("{name} counts {counts:?} instead of {right:?}").into());
            }
        }
        Ok(())
    }

    /// Visible, in flight, delayed.
    async fn count(&mut self, name: &str) -> Step<[usize; 3]> {
        let input = json!({"QueueUrl": name, "AttributeNames": ["All"]});
        let answer = self.must("GetQueueAttributes", &input).await?;
        Ok(["", "NotVisible", "Delayed"].map(|which| {
            let name = format!("ApproximateNumberOfMessages{which}");
            answer["Attributes"][name].as_str().unwrap().parse::<usize>().unwrap()
        }))
    }

    pub async fn set_attributes(&mut self) -> Step {
        let Some(name) = self.some_queue() else { return Ok(()) };
        let dead = QUEUES.iter().find(|(queue, _)| *queue == name).and_then(|(_, dead)| *dead);
        let mut attributes = self.oracle.queues[name].attributes.clone();
        attributes.visibility = self.random.choice([0, 2, 30, 120]).unwrap();
        attributes.delay = self.random.choice([0, 0, 3, 15]).unwrap();
        attributes.retention = self.random.choice([60, 600, 345_600, 345_600]).unwrap();
        let mut given = json!({
            "VisibilityTimeout": attributes.visibility.to_string(),
            "DelaySeconds": attributes.delay.to_string(),
            "MessageRetentionPeriod": attributes.retention.to_string(),
        });
        if attributes.fifo {
            attributes.content_deduplication = self.random.bool();
            attributes.scoped = self.random.bool();
            attributes.fast = attributes.scoped && self.random.bool();
            let (scope, limit) = match (attributes.scoped, attributes.fast) {
                (_, true) => ("messageGroup", "perMessageGroupId"),
                (true, false) => ("messageGroup", "perQueue"),
                (false, _) => ("queue", "perQueue"),
            };
            given["ContentBasedDeduplication"] =
                attributes.content_deduplication.to_string().into();
            given["DeduplicationScope"] = scope.into();
            given["FifoThroughputLimit"] = limit.into();
        }
        if let Some(dead) = dead.filter(|dead| self.oracle.queues.contains_key(*dead)) {
            let count = self.random.i64(1..=4);
            attributes.dead_letters = (self.random.u32(..4) > 0).then(|| (dead.to_owned(), count));
            given["RedrivePolicy"] = match &attributes.dead_letters {
                None => "".into(),
                Some((target, count)) => json!({
                    "deadLetterTargetArn": queue_arn(target),
                    "maxReceiveCount": count,
                })
                .to_string()
                .into(),
            };
        }
        // Expired messages that were not swept would reappear with a longer retention period.
        self.work_in_the_end().await?;
        let input = json!({"QueueUrl": name, "Attributes": given});
        self.must_in_the_end("SetQueueAttributes", &input).await?;
        self.oracle.set(name, attributes);
        self.work_in_the_end().await
    }

    /// A changed delay of a FIFO queue also applies to delayed messages, and to messages that were never
    /// received.
    pub async fn change_delay(&mut self, client: usize) -> Step {
        let queue = self.random.choice(["fifo.fifo", "scoped.fifo", "fast.fifo"]).unwrap();
        if !self.oracle.queues.contains_key(queue) {
            return Ok(());
        }
        let delay = self.random.choice([15, 60]).unwrap();
        self.set_delay(queue, delay).await?;
        if self.random.u32(..3) == 0 {
            self.crowd_into(queue, 12).await?;
        }
        for _ in 0..self.random.u32(1..4) {
            self.send_batch_to(queue).await?;
            let ms = self.random.i64(0..5_000);
            self.let_pass(ms).await?;
        }
        for _ in 0..self.random.u32(1..3) {
            let delay = self.random.choice([0, 3, 8, 30, 900]).unwrap();
            self.endanger();
            self.set_delay(queue, delay).await?;
            self.count_all().await?;
            let due = self.oracle.next_due(queue).filter(|ms| *ms < 60_000).unwrap_or(0);
            let ms = due - self.random.i64(0..2);
            self.let_pass(ms.max(0)).await?;
            self.see(queue).await?;
            let input = receive_input(queue, 10, None);
            self.receive_with(client, queue, 10, None, &input).await?;
        }
        Ok(())
    }

    async fn set_delay(&mut self, queue: &str, seconds: i64) -> Step {
        let given = json!({"DelaySeconds": seconds.to_string()});
        let input = json!({"QueueUrl": queue, "Attributes": given});
        self.must_in_the_end("SetQueueAttributes", &input).await?;
        let mut attributes = self.oracle.queues[queue].attributes.clone();
        attributes.delay = seconds;
        self.oracle.set(queue, attributes);
        Ok(())
    }

    pub async fn purge(&mut self) -> Step {
        let Some(queue) = self.any_queue() else { return Ok(()) };
        self.must("PurgeQueue", &json!({"QueueUrl": queue})).await?;
        self.oracle.purge(queue);
        self.touch(queue);
        Ok(())
    }

    pub async fn start_move(&mut self) -> Step {
        let source = self.random.choice(DEAD).unwrap();
        if !self.oracle.queues.contains_key(source) {
            return Ok(());
        }
        let fifo = has_fifo_suffix(source);
        let elsewhere = self.some_queue().filter(|name| has_fifo_suffix(name) == fifo);
        let destination = elsewhere.filter(|_| self.random.u32(..4) == 0);
        let rate = self.random.bool().then(|| self.random.i64(1..=3));
        let mut input = json!({"SourceArn": queue_arn(source)});
        if let Some(name) = destination {
            input["DestinationArn"] = queue_arn(name).into();
        }
        if let Some(rate) = rate {
            input["MaxNumberOfMessagesPerSecond"] = rate.into();
        }
        let is_busy = self.oracle.tasks.get(source).is_some_and(|task| task.is_active);
        let may = self.oracle.has_sources(source) && !is_busy;
        let answer = self.call("StartMessageMoveTask", &input).await?;
        match (answer, may) {
            (Ok(answer), true) => {
                let handle = answer["TaskHandle"].as_str().unwrap_or_default().to_owned();
                self.oracle.move_started(source, destination.map(str::to_owned), rate, handle);
                self.endanger();
                self.work_in_the_end().await?;
                // While it is running.
                for _ in 0..self.random.u32(..3) {
                    let ms = self.random.i64(0..1_500);
                    self.let_pass(ms).await?;
                }
                Ok(())
            }
            (Err(failure), false) if failure.code == "InvalidParameterValue" => Ok(()),
            (answer, _) => {
                Err(format!("it should be {may} that {source} is moved: {answer:?}").into())
            }
        }
    }

    pub async fn cancel_move(&mut self) -> Step {
        let Some(source) = self.random.choice(DEAD) else { return Ok(()) };
        let Some(task) = self.oracle.tasks.get(source).cloned() else { return Ok(()) };
        let input = json!({"TaskHandle": task.handle});
        let answer = self.call("CancelMessageMoveTask", &input).await?;
        match (answer, task.is_active) {
            (Ok(answer), true) => {
                let moved = answer["ApproximateNumberOfMessagesMoved"].as_u64().unwrap_or(0);
                self.oracle.move_cancelled(source, moved as usize)?;
                self.work_in_the_end().await
            }
            (Err(failure), false) if failure.code == "InvalidParameterValue" => Ok(()),
            (answer, active) => Err(format!("active: {active}, but {answer:?}").into()),
        }
    }
}

/// Returns the result of an entry of a batch.
fn outcome(answer: &Reply, id: &str) -> Result<(), String> {
    let answer = answer.as_ref().map_err(|failure| failure.code.clone())?;
    let failed = answer["Failed"].as_array().into_iter().flatten();
    match failed.into_iter().find(|entry| entry["Id"] == id) {
        Some(entry) => Err(verdict(entry)),
        None => Ok(()),
    }
}
