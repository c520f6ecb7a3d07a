//! Receives with waiting: try, and if there is no message, wait for a reason to try again.

use super::Runtime;
use super::memory::{Charge, no_memory};
use crate::domain::address::QueueAddress;
use crate::domain::{Kind, Refusal};
use crate::engine::queues;
use crate::engine::receive::{self, ReceiveResult, ReceivedMessage, Request};
use crate::store::{GiveBack, Store, Txn};
use foldhash::fast::FixedState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

impl Runtime {
    // Rule (DeleteQueue, ReceiveMessage): a receive that waits while its queue is deleted is answered
    //   at once, without messages; it gets none of a new queue of that name.
    // Source: inferred, requests that involve a queue may succeed while it is being deleted
    //   (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html), and
    //   other servers answer so (floci-io/floci#1286)
    // Test: tests/scenarios/long_polling.txt#The waiters of a deleted queue get an empty response

    /// Receives, waiting up to `wait_seconds` (`None`: the queue's ReceiveMessageWaitTimeSeconds)
    /// for the first message. If the caller disconnects before messages come, they become visible
    /// again. Received messages are charged to `charge`, whose budget overrides `request.room`.
    /// Rejects with RequestThrottled if there is no memory for one message in time.
    pub async fn receive(
        &self,
        address: QueueAddress,
        request: Request,
        wait_seconds: Option<i64>,
        charge: &Arc<Charge>,
    ) -> Result<Vec<ReceivedMessage>, Refusal> {
        let first = self.try_receive(&address, &request, wait_seconds, None, charge).await?;
        if !first.received.messages.is_empty() || first.wait_seconds == 0 {
            return Ok(first.received.messages);
        }
        // Receivers wait by queue ID, which is known only now. The next attempt, after joining,
        // finds any message that arrived in between.
        let deadline = self.clock.now_ms() + first.wait_seconds * 1_000;
        let mut timeout = self.clock.sleep_until(deadline);
        let ticket = self.waiters.join(first.queue);
        loop {
            let tokens = ticket.tokens();
            let queue = Some(first.queue);
            let attempt = self.try_receive(&address, &request, wait_seconds, queue, charge).await;
            ticket.spend(tokens);
            let attempt = match attempt {
                Err(refusal) if refusal.kind == Kind::QueueDoesNotExist => return Ok(Vec::new()),
                attempt => attempt?,
            };
            if !attempt.received.messages.is_empty() {
                return Ok(attempt.received.messages);
            }
            if let Some(due) = attempt.received.next_due {
                self.waiters.due(first.queue, due);
            }
            tokio::select! {
                // A message that arrives in the last moment is received.
                biased;
                () = ticket.woken() => {}
                () = &mut timeout => return Ok(Vec::new()),
                () = self.stopped() => return Ok(Vec::new()),
            }
        }
    }

    /// Receives until there are as many messages as the request wants, or `wait_seconds` have
    /// passed. If the caller disconnects before, all of them become visible again.
    pub async fn collect(
        &self,
        address: QueueAddress,
        mut request: Request,
        wait_seconds: i64,
        charge: &Arc<Charge>,
    ) -> Result<Vec<ReceivedMessage>, Refusal> {
        let mut timeout = self.clock.sleep_until(self.clock.now_ms() + wait_seconds * 1_000);
        let wanted = request.max;
        let first =
            self.receive(address.clone(), request.clone(), Some(wait_seconds), charge).await?;
        let mut collected = Collected {
            store: self.store.clone(),
            deliveries: first,
            // The attempt ID stands for the result of the first receive only.
            attempt_id: request.attempt_id.take(),
        };
        while !collected.deliveries.is_empty() && collected.deliveries.len() < wanted {
            request.max = wanted - collected.deliveries.len();
            let receive =
                self.receive(address.clone(), request.clone(), Some(wait_seconds), charge);
            let received = tokio::select! {
                biased;
                received = receive => received,
                () = &mut timeout => break,
            };
            match received {
                Ok(mut received) if !received.is_empty() => {
                    collected.deliveries.append(&mut received);
                }
                // The messages so far are returned, although no more will come.
                Ok(_) | Err(_) => break,
            }
        }
        Ok(std::mem::take(&mut collected.deliveries))
    }

    /// Receives once, in as many transactions as it takes to examine everything. `joined` is the
    /// queue for which the receiver waits: a new queue of that name is a different one.
    async fn try_receive(
        &self,
        address: &QueueAddress,
        request: &Request,
        wait_seconds: Option<i64>,
        joined: Option<i64>,
        charge: &Arc<Charge>,
    ) -> Result<ReceivedBatch, Refusal> {
        let attempt = ReceiveJob { wait_seconds, joined, charge: Arc::clone(charge) };
        loop {
            let found = if let Some(nothing) = self.glance(address, request, &attempt)? {
                nothing
            } else {
                let (attempt, address, request) =
                    (attempt.clone(), address.clone(), request.clone());
                let work = move |tx: &mut Txn<'_>| attempt.make(tx, &address, &request);
                self.store.run_or_return(work, give_back).await?
            };
            if let Some(bytes) = found.received.needed_bytes {
                if !charge.reserve_answer(bytes).await {
                    return Err(no_memory());
                }
                continue;
            }
            self.expectations.learn(address, !found.received.messages.is_empty());
            if !found.received.messages.is_empty() || !found.received.more {
                return Ok(found);
            }
            // The store may have answered without yielding, and successive pages would block this
            // thread: other tasks go first.
            tokio::task::yield_now().await;
        }
    }

    /// Checks for an empty receive without the writer thread, if one is likely and the check is
    /// immediate.
    fn glance(
        &self,
        address: &QueueAddress,
        request: &Request,
        attempt: &ReceiveJob,
    ) -> Result<Option<ReceivedBatch>, Refusal> {
        if request.attempt_id.is_some() || self.expectations.expect_messages(address) {
            return Ok(None);
        }
        let request = Request { may_receive: false, ..request.clone() };
        let seen = self.store.run_at_once(|tx| attempt.make(tx, address, &request)).transpose()?;
        Ok(seen.filter(|seen| !seen.received.left))
    }
}

/// Whether the last receive from a queue found messages, which predicts the next one. Queues with
/// the same hash mislead each other, which costs only time.
#[derive(Debug)]
pub(super) struct Expectations([AtomicBool; 256]);

impl Default for Expectations {
    fn default() -> Self {
        Self([const { AtomicBool::new(false) }; 256])
    }
}

impl Expectations {
    fn expect_messages(&self, address: &QueueAddress) -> bool {
        self.place(address).load(Ordering::Relaxed)
    }

    fn learn(&self, address: &QueueAddress, found: bool) {
        self.place(address).store(found, Ordering::Relaxed);
    }

    fn place(&self, address: &QueueAddress) -> &AtomicBool {
        let hash = FixedState::default().hash_one(address);
        &self.0[hash as usize % self.0.len()]
    }
}

/// One transaction of a receive.
#[derive(Clone)]
struct ReceiveJob {
    /// As in the call.
    wait_seconds: Option<i64>,
    joined: Option<i64>,
    charge: Arc<Charge>,
}

/// The result of one transaction.
struct ReceivedBatch {
    queue: i64,
    wait_seconds: i64,
    received: ReceiveResult,
    attempt_id: Option<String>,
}

impl ReceiveJob {
    fn make(
        &self,
        tx: &mut Txn<'_>,
        address: &QueueAddress,
        request: &Request,
    ) -> Result<ReceivedBatch, Refusal> {
        let queue = queues::find(tx, &request.access, address)?;
        if self.joined.is_some_and(|joined| joined != queue.id) {
            return Err(Refusal::no_such_queue());
        }
        let wait_seconds = self
            .wait_seconds
            .unwrap_or_else(|| queue.attributes.receive_message_wait_time_seconds.into());
        let may_wait = wait_seconds > 0;
        let request =
            Request { may_wait, response_bytes: self.charge.longest_answer(), ..request.clone() };
        let received = receive::receive(tx, &queue, &request)?;
        // Receives are sequential, so no other has used that memory.
        if !received.left {
            self.charge.set_answer(received.size_bound);
        }
        let attempt_id = request.attempt_id;
        Ok(ReceivedBatch { queue: queue.id, wait_seconds, received, attempt_id })
    }
}

/// Messages of a receive that waits for more. They become visible again if this is dropped.
struct Collected {
    store: Store,
    deliveries: Vec<ReceivedMessage>,
    attempt_id: Option<String>,
}

impl Drop for Collected {
    fn drop(&mut self) {
        let mut messages = std::mem::take(&mut self.deliveries);
        if messages.is_empty() {
            return;
        }
        // The first receive is undone last, so that each group gets the turn that it had before all
        // of them.
        messages.reverse();
        let (store, attempt_id) = (self.store.clone(), self.attempt_id.take());
        if let Ok(executor) = tokio::runtime::Handle::try_current() {
            executor.spawn(async move {
                let give_back = move |tx: &mut Txn<'_>| {
                    receive::give_back(tx, &messages, attempt_id.as_deref())
                };
                if let Err(refusal) = store.run(give_back).await {
                    tracing::warn!(%refusal, "messages without a receiver stay in flight");
                }
            });
        }
    }
}

fn give_back(unwanted: ReceivedBatch) -> Option<GiveBack> {
    let (messages, attempt_id) = (unwanted.received.messages, unwanted.attempt_id);
    if messages.is_empty() {
        return None;
    }
    Some(Box::new(move |tx| receive::give_back(tx, &messages, attempt_id.as_deref())))
}
