//! Background work: waking receivers when time makes messages ready, emptying what was
//! purged, moving messages of move tasks, sweeping what has expired. All of it in pages, each a
//! transaction of its own, so that callers are served in between; and what can wait leaves them
//! most of the time.

use super::Runtime;
use crate::domain::Refusal;
use crate::engine::fan_out::{self, FilteredPage, Step};
use crate::engine::{move_tasks, platform, replay, sweep, topics};
use crate::store::{DeduplicationKey, Txn, failure_log};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// For how long work that can wait leaves the store to others after a page, in times of that page.
/// With this, callers keep four fifths of it.
const REST: u32 = 4;
/// No rest is longer: a page may have waited for a slow disk.
const LONGEST_REST: Duration = Duration::from_millis(50);

/// Runs until the server stops: at each due time, releases what became ready.
pub(super) async fn keep_time(runtime: Runtime) {
    loop {
        let next = runtime.waiters.next_due();
        tokio::select! {
            () = sleep_until(&runtime, next) => {
                if let Err(refusal) = wake_due(&runtime).await {
                    report(&runtime, &refusal);
                }
            }
            () = runtime.waiters.due_changed.notified() => {}
            () = runtime.stopped() => return,
        }
    }
}

/// Runs until the server stops: does background work when there is some.
pub(super) async fn keep_house(runtime: Runtime) {
    loop {
        let next_step = match do_work(&runtime).await {
            Ok(next) => next,
            Err(refusal) => {
                report(&runtime, &refusal);
                Some(runtime.clock.now_ms() + sweep::INTERVAL_MS)
            }
        };
        tokio::select! {
            () = sleep_until(&runtime, next_step) => {}
            () = runtime.waiters.work.notified() => {}
            () = runtime.stopped() => return,
        }
    }
}

/// Runs until the server stops: sweeps now and then.
pub(super) async fn keep_clean(runtime: Runtime) {
    let mut next_round = runtime.clock.now_ms() + sweep::ROUND_MS;
    loop {
        let next_sweep = runtime.clock.now_ms() + sweep::INTERVAL_MS;
        tokio::select! {
            () = runtime.clock.sleep_until(next_sweep) => {}
            () = runtime.stopped() => return,
        }
        if let Err(refusal) = sweep(&runtime).await {
            report(&runtime, &refusal);
        }
        if runtime.clock.now_ms() >= next_round {
            if let Err(refusal) = forget_deduplication(&runtime).await {
                report(&runtime, &refusal);
            }
            next_round = runtime.clock.now_ms() + sweep::ROUND_MS;
        }
    }
}

/// Sleeps until a time, or for ever.
async fn sleep_until(runtime: &Runtime, at: Option<i64>) {
    match at {
        Some(at) => runtime.clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn report(runtime: &Runtime, refusal: &Refusal) {
    if runtime.is_stopping() {
        return;
    }
    failure_log::report("background work failed", refusal, None);
}

/// Runs a page of work that can wait. If there is more to do, lets those work first who have been
/// waiting meanwhile.
async fn page<T: Send + 'static>(
    runtime: &Runtime,
    work: impl FnMut(&mut Txn<'_>) -> Result<Option<T>, Refusal> + Send + 'static,
) -> Result<Option<T>, Refusal> {
    let before = runtime.store.jobs_done();
    let began = now();
    let more = runtime.store.run(work).await?;
    let of_others = runtime.store.jobs_done() - before > 1;
    if more.is_some() && of_others {
        tokio::time::sleep((began.elapsed() * REST).min(LONGEST_REST)).await;
    }
    Ok(more)
}

/// The same, for work that returns only whether there is more.
async fn more_pages(
    runtime: &Runtime,
    work: fn(&mut Txn<'_>) -> Result<bool, Refusal>,
) -> Result<bool, Refusal> {
    let page = page(runtime, move |tx| Ok(work(tx)?.then_some(())));
    Ok(page.await?.is_some())
}

#[expect(clippy::disallowed_methods, reason = "how busy the machine is; no rule depends on it")]
fn now() -> Instant {
    Instant::now()
}

/// Releases the messages whose time has come in queues for which receivers wait.
pub(super) async fn wake_due(runtime: &Runtime) -> Result<(), Refusal> {
    for queue in runtime.waiters.take_due(runtime.clock.now_ms()) {
        loop {
            let (more, next_due) = runtime
                .store
                .run(move |tx| {
                    let Some(queue) = tx.queue_by_id(queue)? else { return Ok((false, None)) };
                    Ok((sweep::expire_and_release_due(tx, &queue)?, sweep::next_due(tx, &queue)?))
                })
                .await?;
            if let Some(at) = next_due {
                runtime.waiters.due(queue, at);
            }
            if !more {
                break;
            }
        }
    }
    Ok(())
}

/// Goes on with fan-outs and replays, advances move tasks and empties what was discarded until
/// nothing is due. Returns when the next step of a move task is. What is discarded comes last, but
/// does not wait for work that fails: on a full disk, emptying it makes the room that the work needs.
pub(super) async fn do_work(runtime: &Runtime) -> Result<Option<i64>, Refusal> {
    loop {
        let outcome = advance(runtime).await;
        let next_move = outcome.as_ref().ok().copied().flatten();
        let moves = next_move.is_some_and(|at| at <= runtime.clock.now_ms());
        if !empty_a_page(runtime).await? && !moves {
            return outcome;
        }
    }
}

/// Advances fan-outs, replays and the next move task, and returns when the step of a move task is due
/// after that. Fan-outs and replays store more than they free, so they wait while the storage takes no
/// new messages.
async fn advance(runtime: &Runtime) -> Result<Option<i64>, Refusal> {
    if runtime.storage.admit(true).is_ok() {
        fan_out_pages(runtime).await?;
        while replay_pages(runtime).await? {}
    }
    runtime.store.run(move_tasks::step).await
}

/// Completes the fan-outs of all publications.
async fn fan_out_pages(runtime: &Runtime) -> Result<(), Refusal> {
    let mut filtered: Option<Arc<FilteredPage>> = None;
    loop {
        let page = filtered.take();
        match runtime.store.run(move |tx| fan_out::step(tx, page.as_deref())).await? {
            Step::Idle => return Ok(()),
            Step::Served => {}
            Step::ToFilter(page) => {
                filtered = Some(runtime.cpu_pool.run(move || Arc::new(page.filter())).await?);
            }
        }
    }
}

/// Removes a page of what was discarded. Returns whether there was one.
async fn empty_a_page(runtime: &Runtime) -> Result<bool, Refusal> {
    Ok(more_pages(runtime, sweep::empty_discarded).await?
        || more_pages(runtime, topics::empty_discarded).await?
        || more_pages(runtime, platform::empty_discarded).await?)
}

/// Replays a page for each subscription that has a replay. Returns whether there was one.
async fn replay_pages(runtime: &Runtime) -> Result<bool, Refusal> {
    let mut after = 0;
    while let Some(next) = runtime.store.run(move |tx| replay::step(tx, after)).await? {
        after = next;
    }
    Ok(after != 0)
}

/// Removes everything that has expired.
pub(super) async fn sweep(runtime: &Runtime) -> Result<(), Refusal> {
    while more_pages(runtime, sweep::forget).await? {}
    let mut after = 0;
    while let Some(next) = page(runtime, move |tx| sweep::expire(tx, after)).await? {
        after = next;
    }
    after = 0;
    while let Some(next) = page(runtime, move |tx| replay::expire_archives(tx, after)).await? {
        after = next;
    }
    after = 0;
    while let Some(next) = page(runtime, move |tx| sweep::forget_idle_groups(tx, after)).await? {
        after = next;
    }
    Ok(())
}

/// Goes through all records of deduplication and forgets those that are out of date.
pub(super) async fn forget_deduplication(runtime: &Runtime) -> Result<(), Refusal> {
    let mut after = DeduplicationKey::default();
    loop {
        let round = move |tx: &mut Txn<'_>| sweep::forget_deduplication(tx, &after);
        let Some(next) = page(runtime, round).await? else { return Ok(()) };
        after = next;
    }
}
