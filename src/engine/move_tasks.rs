//! Message move tasks: start, cancel, and the next step of a running task.

use super::access::Access;
use super::{PAGE, places, queues};
use crate::domain::address::QueueAddress;
use crate::domain::{Kind, Refusal};
use crate::store::{Effect, Message, MoveTask, MoveTaskStatus, Place, Queue, Txn};
use std::collections::HashMap;
use uuid::Uuid;

/// The parameters of StartMessageMoveTask.
#[derive(Debug, Clone)]
pub struct Start {
    /// The permissions of the caller.
    pub access: Access,
    /// The dead-letter queue.
    pub source: QueueAddress,
    /// The destination; `None` returns each message to the queue that it came from.
    pub destination: Option<QueueAddress>,
    /// MaxNumberOfMessagesPerSecond
    pub max_per_second: Option<i64>,
}

// Rule (StartMessageMoveTask): the source is the dead-letter queue of some queue, else
//   InvalidParameterValue, "Source queue must be configured as a Dead Letter Queue."
// Source: recorded
// Test: tests/scenarios/move_tasks.txt#What cannot start.
//
// Rule (StartMessageMoveTask): a source has one active task; a second one is InvalidParameterValue.
// Source: reported, floci-io/floci#910
// Test: tests/scenarios/move_tasks.txt#To another queue
//
// Rule (StartMessageMoveTask): a source or destination that does not exist is
//   ResourceNotFoundException.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
// Test: tests/scenarios/move_tasks.txt#What cannot start.
//
// Rule (StartMessageMoveTask): the destination is of the same type as the source.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
// Test: tests/scenarios/move_tasks.txt#A queue of another type
//
/// Starts moving the messages that are now visible in a dead-letter queue.
pub fn start(tx: &mut Txn<'_>, start: &Start) -> Result<MoveTask, Refusal> {
    let access = &start.access;
    // Rule (StartMessageMoveTask): the caller must be allowed to receive from the source and to delete there.
    // Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
    // Test: tests/isolation.rs::a_move_task_receives_and_deletes_for_its_caller
    for action in ["ReceiveMessage", "DeleteMessage"] {
        queues::look(tx, &access.for_action(action), &start.source)?;
    }
    let source = queues::look(tx, access, &start.source)?;
    let source = source.ok_or_else(|| not_found("SourceArn"))?;
    if let Some(destination) = &start.destination {
        // Rule (StartMessageMoveTask): the caller must be allowed to send to the destination.
        // Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
        // Test: tests/isolation.rs::a_move_task_obeys_the_policy_of_its_destination
        let destination = queues::look(tx, &access.for_action("SendMessage"), destination)?;
        let destination = destination.ok_or_else(|| not_found("DestinationArn"))?;
        // Rule (StartMessageMoveTask): the destination must not be the source queue.
        // Source: inferred, the service model says that messages are "moved to another queue"; the text is ours
        // Test: tests/scenarios/move_tasks.txt#What cannot start.
        if destination.id == source.id {
            let reason = "The destination queue must be another queue than the source queue.";
            let arn = destination.address.arn();
            return Err(Refusal::invalid_value(arn, "DestinationArn", reason));
        }
        // A standard queue would lose the order, and a FIFO queue needs message groups.
        if destination.attributes.fifo != source.attributes.fifo {
            return Err(Refusal::new(
                Kind::UnsupportedOperation,
                "The destination queue must be of the same type as the source queue.",
            ));
        }
    }
    let source_arn = source.address.arn();
    if tx.dead_letter_sources(&source_arn, "", 1)?.is_empty() {
        return Err(Refusal::invalid("Source queue must be configured as a Dead Letter Queue."));
    }
    // A task of a deleted queue with this name ends at its next step.
    let is_running = |task: &MoveTask| task.source_queue == source.id && task.status.is_active();
    if tx.move_tasks(&source_arn, 1)?.iter().any(is_running) {
        return Err(Refusal::invalid(
            "There is already a task running. Only one active task is allowed for a source queue \
             arn at a given time.",
        ));
    }
    let now = tx.now();
    let task = MoveTask {
        id: tx.fresh_id(),
        source_queue: source.id,
        source_arn,
        destination_arn: start.destination.as_ref().map(QueueAddress::arn),
        max_per_second: start.max_per_second,
        status: MoveTaskStatus::Running,
        moved: 0,
        to_move: queues::counts(tx, &source)?.ready,
        started_at: now,
        failure_reason: None,
        // A new sequence number orders tasks that start in the same millisecond.
        boundary: tx.next_sequence()?,
        cursor: 0,
        next_at: now,
    };
    tx.put_move_task(&task)?;
    tx.effect(Effect::Work);
    Ok(task)
}

/// "The resource that you specified for the X parameter doesn't exist."
pub fn not_found(parameter: &str) -> Refusal {
    Refusal::new(
        Kind::ResourceNotFound,
        format!("The resource that you specified for the {parameter} parameter doesn't exist."),
    )
}

// Rule (CancelMessageMoveTask): a handle whose source queue does not exist is ResourceNotFoundException,
//   "The resource that you specified for the SourceArn parameter doesn't exist.", before the task is looked for.
// Source: recorded
// Test: tests/scenarios/move_tasks.txt#What cannot be cancelled.
//
/// Requests a task of a source queue to stop. Returns how many messages it has moved.
pub fn cancel(
    tx: &mut Txn<'_>,
    access: &Access,
    source: &QueueAddress,
    id: Uuid,
) -> Result<i64, Refusal> {
    let source = queues::look(tx, access, source)?.ok_or_else(|| not_found("SourceArn"))?;
    let found = tx.move_task(&id)?.filter(|task| task.source_arn == source.address.arn());
    let Some(mut task) = found else {
        return Err(Refusal::new(Kind::ResourceNotFound, "Task does not exist."));
    };
    if task.status != MoveTaskStatus::Running {
        return Err(Refusal::invalid("Only active tasks can be cancelled."));
    }
    task.status = MoveTaskStatus::Cancelling;
    task.next_at = tx.now();
    tx.put_move_task(&task)?;
    tx.effect(Effect::Work);
    Ok(task.moved)
}

/// Runs the next step of the task that is due first. Returns when the next step of any task is due, in
/// Unix milliseconds.
pub fn step(tx: &mut Txn<'_>) -> Result<Option<i64>, Refusal> {
    let Some(mut task) = tx.next_move_task()? else { return Ok(None) };
    if task.next_at <= tx.now() {
        advance(tx, &mut task)?;
        tx.put_move_task(&task)?;
    }
    Ok(tx.next_move_task()?.map(|task| task.next_at))
}

fn advance(tx: &mut Txn<'_>, task: &mut MoveTask) -> Result<(), Refusal> {
    if task.status == MoveTaskStatus::Cancelling {
        task.status = MoveTaskStatus::Cancelled;
        return Ok(());
    }
    let Some(source) = tx.queue_by_id(task.source_queue)? else {
        fail(task, "AWS.SimpleQueueService.NonExistentQueue");
        return Ok(());
    };
    let limit = task.max_per_second.unwrap_or(PAGE);
    let page = tx.messages_between(source.backlog, task.cursor, task.boundary, limit)?;
    let is_last = (page.len() as i64) < limit;
    let mut destinations = HashMap::new();
    for message in page {
        task.cursor = message.sequence;
        let is_ready = matches!(message.place, Place::Line(_));
        if !is_ready && !fault!("move-task-moves-what-is-in-flight") {
            continue;
        }
        if places::is_expired(&source, &message, tx.now()) {
            places::discard(tx, &source, &message)?;
            continue;
        }
        let Some(arn) = task.destination_arn.as_ref().or(message.dead_letter_source.as_ref())
        else {
            fail(task, "CouldNotDetermineMessageSource");
            return Ok(());
        };
        if !destinations.contains_key(arn) {
            let found = match QueueAddress::from_arn(arn) {
                Some(address) => tx.queue(&address)?,
                None => None,
            };
            destinations.insert(arn.clone(), found);
        }
        let destination = destinations.get(arn).and_then(Option::as_ref);
        let Some(destination) = destination else {
            fail(task, "AWS.SimpleQueueService.NonExistentQueue");
            return Ok(());
        };
        move_message(tx, &source, destination, message)?;
        task.moved += 1;
    }
    if is_last || fault!("move-task-ends-with-its-page") {
        task.status = MoveTaskStatus::Completed;
    } else {
        task.next_at = tx.now() + if task.max_per_second.is_some() { 1_000 } else { 0 };
    }
    Ok(())
}

fn fail(task: &mut MoveTask, reason: &str) {
    task.status = MoveTaskStatus::Failed;
    task.failure_reason = Some(reason.to_owned());
}

// Rule (StartMessageMoveTask): a moved message is a new message, with a new MessageId and a new send
//   time.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
// Test: tests/scenarios/move_tasks.txt#Messages of a dead-letter queue return to their source queues
//
/// Moves one message to its destination, as a new message.
fn move_message(
    tx: &mut Txn<'_>,
    source: &Queue,
    destination: &Queue,
    message: Message,
) -> Result<(), Refusal> {
    let content = tx.content(source.backlog, &message)?;
    let mut group = places::group_of(tx, &message)?;
    places::leave(tx, source, group.as_mut(), &message)?;
    if let Some(group) = &mut group {
        places::close(tx, source, group)?;
    }
    let sequence = tx.next_sequence()?;
    let now = tx.now();
    let delay_ms = i64::from(destination.attributes.delay_seconds) * 1_000;
    let (place, rank) =
        if delay_ms > 0 { (Place::Delayed, now + delay_ms) } else { (Place::Line(0), sequence) };
    let mut moved = Message {
        sequence,
        place,
        rank,
        group: 0,
        content: 0,
        id: tx.fresh_id(),
        sent_at: now,
        receive_count: 0,
        received_at: now,
        first_received_at: now,
        dead_letter_source: None,
        received_elsewhere: 0,
    };
    let group = group.as_ref().map(|group| group.name.as_str());
    places::arrive(tx, destination, group, &mut moved, &content)
}
