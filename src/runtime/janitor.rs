//! Background work: waking receivers when time makes messages ready, deleting purged messages,
//! moving messages of move tasks, and sweeping expired rows. It runs in pages, each a separate
//! transaction, so that calls are served in between. Work that is not urgent leaves the store to
//! calls most of the time.

use super::Runtime;
use crate::domain::Refusal;
use crate::engine::fan_out::{self, FilteredPage, Step};
use crate::engine::{move_tasks, platform, replay, sweep, topics};
use crate::store::{DeduplicationKey, Txn, failure_log};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long work that is not urgent leaves the store to others after a page, as a multiple of that
/// page's duration. With this, calls keep four fifths of the store.
const REST: u32 = 4;
/// The longest rest, because a page may have waited for a slow disk.
const LONGEST_REST: Duration = Duration::from_millis(50);

/// Releases messages when they become ready, until the server stops.
pub(super) async fn wake_due_loop(runtime: Runtime) {
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

/// Does background work when there is some, until the server stops.
pub(super) async fn background_work_loop(runtime: Runtime) {
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

/// Sweeps periodically, until the server stops.
pub(super) async fn sweep_loop(runtime: Runtime) {
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

/// Sleeps until a time, or forever.
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

/// Runs a page of work that is not urgent. If more remains, rests so that waiting jobs run first.
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

/// Runs a page of work that returns only whether more remains.
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

/// Releases the messages that have become ready in queues with waiting receivers.
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

/// Continues fan-outs and replays, advances move tasks and deletes discarded rows until nothing is
/// due. Returns when the next step of a move task is due. Discarded rows come last, but do not wait
/// for work that fails: on a full disk, deleting them frees the space that the work needs.
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

/// Advances fan-outs, replays and the next move task, and returns when the next step of a move task
/// is due. Fan-outs and replays store more than they free, so they wait while the storage accepts
/// no new messages.
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

/// Deletes a page of discarded rows. Returns whether there was one.
async fn empty_a_page(runtime: &Runtime) -> Result<bool, Refusal> {
    Ok(more_pages(runtime, sweep::empty_discarded).await?
        || more_pages(runtime, topics::empty_discarded).await?
        || more_pages(runtime, platform::empty_discarded).await?)
}

/// Replays a page for each subscription with a replay. Returns whether there was one.
async fn replay_pages(runtime: &Runtime) -> Result<bool, Refusal> {
    let mut after = 0;
    while let Some(next) = runtime.store.run(move |tx| replay::step(tx, after)).await? {
        after = next;
    }
    Ok(after != 0)
}

/// Deletes everything that has expired.
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

/// Deletes the expired deduplication records, page by page.
pub(super) async fn forget_deduplication(runtime: &Runtime) -> Result<(), Refusal> {
    let mut after = DeduplicationKey::default();
    loop {
        let round = move |tx: &mut Txn<'_>| sweep::forget_deduplication(tx, &after);
        let Some(next) = page(runtime, round).await? else { return Ok(()) };
        after = next;
    }
}
