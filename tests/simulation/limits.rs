//! Queues at the limit of messages in flight. So many real messages would take too long: the counter of
//! the queue claims more than there are, and so does the oracle.

use super::clients;
use super::queues::receive_input;
use super::world::{Step, Stop, World};
use crate::gateway::Caller;
use squab::domain::address::QueueAddress;
use squab::engine::queues;
use squab::store::{Counts, Txn};

impl World {
    /// Fills a queue until only a few more messages can be received, and then none, until one is deleted,
    /// released or times out.
    pub async fn fill_up(&mut self, client: usize) -> Step {
        let Some(queue) = self.some_queue() else { return Ok(()) };
        let has_dead_letters = self.oracle.queues[queue].attributes.dead_letters.is_some();
        if has_dead_letters || self.action.ends_after.is_some() {
            return Ok(());
        }
        self.send_batch_to(queue).await?;
        // Expired messages that were not swept would count.
        self.work_in_the_end().await?;
        let room = self.random.usize(..3);
        self.leave_room(queue, room).await?;
        for _ in 0..self.random.u32(1..4) {
            self.receive_what_may_be(queue, client).await?;
        }
        self.wait_for(queue, client).await?;
        self.receive_what_may_be(queue, client).await?;
        self.work_in_the_end().await?;
        self.leave_room(queue, usize::MAX).await
    }

    async fn leave_room(&mut self, queue: &str, room: usize) -> Step {
        let before = self.oracle.queues[queue].elsewhere;
        let more = self.oracle.leave_room(queue, room) as i64 - before as i64;
        self.log.push(format!("{queue} counts {more} more in flight"));
        let Caller { account, region } = Caller::default();
        let address = QueueAddress { account, region, name: queue.to_owned() };
        let count = self.service.runtime.run(move |tx: &mut Txn<'_>| {
            let backlog =
                queues::find(tx, &squab::engine::access::Access::everything(), &address)?.backlog;
            tx.count(backlog, Counts { in_flight: more, ..Counts::default() });
            Ok(())
        });
        Ok(count.await.map_err(|refusal| format!("{refusal:?}"))?)
    }

    /// Receives at the limit: a standard queue rejects, a FIFO queue returns nothing.
    async fn receive_what_may_be(&mut self, queue: &str, client: usize) -> Step {
        let (max, visibility) = self.draw_receive();
        let input = receive_input(queue, max, visibility);
        let is_full = self.oracle.room(queue) == 0 && !self.oracle.queues[queue].attributes.fifo;
        match self.call("ReceiveMessage", &input).await? {
            Ok(answer) if !is_full => {
                let messages = clients::received(&answer);
                self.note_received(client, queue, max, visibility, &messages).await
            }
            Err(failure) if is_full && failure.code == "OverLimit" => Ok(()),
            answer => Err(Stop::Complaint(format!(
                "{input} of a queue that is full: {is_full}: {answer:?}"
            ))),
        }
    }
}
