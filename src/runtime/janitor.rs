//! Work that nobody asked for: waking receivers when time makes messages ready, emptying what was
//! purged, moving messages of move tasks, sweeping what has expired. All of it in pages, each a
//! transaction of its own, so that callers are served in between.

use super::Runtime;
use crate::domain::Refusal;
use crate::engine::{fan_out, move_tasks, places, platform, replay, sweep, topics};
use crate::store::{DeduplicationKey, Txn};

/// Runs until the server stops: at each due time, releases what became ready.
pub(super) async fn keep_time(runtime: Runtime) {
    loop {
        let next = runtime.waiters.next_due();
        let sleep = async {
            match next {
                Some(at) => runtime.clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sleep => {
                if let Err(refusal) = wake_due(&runtime).await {
                    report(&runtime, &refusal);
                }
            }
            () = runtime.waiters.due_changed.notified() => {}
            () = runtime.stopped() => return,
        }
    }
}

/// Runs until the server stops: does background work when there is some, and sweeps now and then.
pub(super) async fn keep_house(runtime: Runtime) {
    let mut next_sweep = runtime.clock.now_ms() + sweep::INTERVAL_MS;
    let mut next_round = runtime.clock.now_ms() + sweep::ROUND_MS;
    loop {
        let next_step = match do_work(&runtime).await {
            Ok(next) => next.unwrap_or(next_sweep),
            Err(refusal) => {
                report(&runtime, &refusal);
                next_sweep
            }
        };
        tokio::select! {
            () = runtime.clock.sleep_until(next_step.min(next_sweep)) => {}
            () = runtime.waiters.work.notified() => {}
            () = runtime.stopped() => return,
        }
        if runtime.clock.now_ms() >= next_sweep {
            if let Err(refusal) = sweep(&runtime).await {
                report(&runtime, &refusal);
            }
            next_sweep = runtime.clock.now_ms() + sweep::INTERVAL_MS;
        }
        if runtime.clock.now_ms() >= next_round {
            if let Err(refusal) = forget_deduplication(&runtime).await {
                report(&runtime, &refusal);
            }
            next_round = runtime.clock.now_ms() + sweep::ROUND_MS;
        }
    }
}

fn report(runtime: &Runtime, refusal: &Refusal) {
    if *runtime.stopping.borrow() {
        return;
    }
    tracing::error!(%refusal, cause = refusal.internal, "background work failed");
}

/// Releases the messages whose time has come in queues that somebody waits for.
pub(super) async fn wake_due(runtime: &Runtime) -> Result<(), Refusal> {
    for queue in runtime.waiters.take_due(runtime.clock.now_ms()) {
        loop {
            let (more, next_due) = runtime
                .store
                .run(move |tx| {
                    let Some(queue) = tx.queue_by_id(queue)? else { return Ok((false, None)) };
                    Ok((places::settle(tx, &queue)?, tx.next_due(queue.backlog)?))
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

/// Goes on with fan-outs and replays, empties what was discarded and advances move tasks until
/// nothing is due. Tells when the next step of a move task is.
pub(super) async fn do_work(runtime: &Runtime) -> Result<Option<i64>, Refusal> {
    while runtime.store.run(fan_out::step).await? {}
    while replay_pages(runtime).await? {}
    while runtime.store.run(sweep::empty_discarded).await? {}
    while runtime.store.run(topics::empty_discarded).await? {}
    while runtime.store.run(platform::empty_discarded).await? {}
    loop {
        let next = runtime.store.run(move_tasks::step).await?;
        if next.is_none_or(|at| at > runtime.clock.now_ms()) {
            return Ok(next);
        }
    }
}

/// Replays a page for each subscription that has a replay. Tells whether there was one.
async fn replay_pages(runtime: &Runtime) -> Result<bool, Refusal> {
    let mut after = 0;
    while let Some(next) = runtime.store.run(move |tx| replay::step(tx, after)).await? {
        after = next;
    }
    Ok(after != 0)
}

/// Removes everything that has expired.
pub(super) async fn sweep(runtime: &Runtime) -> Result<(), Refusal> {
    while runtime.store.run(sweep::forget).await? {}
    let mut after = 0;
    while let Some(next) = runtime.store.run(move |tx| sweep::expire(tx, after)).await? {
        after = next;
    }
    after = 0;
    while let Some(next) = runtime.store.run(move |tx| replay::expire_archives(tx, after)).await? {
        after = next;
    }
    after = 0;
    while let Some(next) = runtime.store.run(move |tx| sweep::forget_idle_groups(tx, after)).await?
    {
        after = next;
    }
    Ok(())
}

/// Goes through all records of deduplication and forgets those that are out of date.
pub(super) async fn forget_deduplication(runtime: &Runtime) -> Result<(), Refusal> {
    let mut after = DeduplicationKey::default();
    loop {
        let page = move |tx: &mut Txn<'_>| sweep::forget_deduplication(tx, &after);
        let Some(next) = runtime.store.run(page).await? else { return Ok(()) };
        after = next;
    }
}
