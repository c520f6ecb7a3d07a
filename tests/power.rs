//! Power cuts on the built program: everything acknowledged is on the disk, whenever the power is cut.
//!
//! Clients use the program, and a shim records in one sequence everything that it does to its files and
//! sends to its clients. From that, the test constructs the disk as it may be after a cut at any moment,
//! starts a server on it, and compares its state with the responses that clients had been sent by then. One
//! recording serves for any number of cuts.
//!
//! `SQUAB_POWER_CUTS=500 cargo test --test it power:: -- --nocapture` sets the number of cuts for each
//! durability; `SQUAB_SEED` repeats the random choices of a printed seed.

#![cfg(target_os = "linux")]

use crate::crash_history::checker::{Known, broken_invariants, everything, judge, outbox};
use crate::crash_history::{
    Act, CLIENTS, Client, Event, History, TOPIC, confirm, from_environment, seed, set_up,
};
use crate::disk::{Disk, Journal, Left, Record, Replay};
use crate::endpoint::Endpoint;
use crate::process::{Server, squab};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::Ordering;

/// Cuts of a short run.
const CUTS: usize = 8;
/// Acknowledged calls of a recording: enough for checkpoints while clients work.
const CALLS: u64 = 2_600;

/// The journal of the disk, and the records of the clients.
struct Recording {
    journal: Journal,
    events: Vec<Event>,
    answers: HashMap<String, usize>,
    beginnings: HashMap<u64, usize>,
    /// To be printed.
    summary: String,
    /// It accepts nothing, so deliveries stay in the outbox.
    _endpoint: Endpoint,
}

impl Recording {
    /// Lets clients use a new server and, after half of the calls, another one on the same data. Calls
    /// `meanwhile` repeatedly with the number of acknowledged calls.
    async fn make(durability: &str, seed: u64, meanwhile: impl Fn(&Disk, u64)) -> Self {
        let disk = Disk::journaled();
        let data = disk.data();
        let arguments = ["--data", data.to_str().unwrap(), "--durability", durability];
        let mut server = Server::start(disk.insert(&mut squab(&arguments)));
        let mut endpoint = Endpoint::open().await;
        let mut connection = server.connect();
        set_up(&mut connection, Some(&endpoint.url));
        let question = endpoint.next().await;
        endpoint.answer(503);
        confirm(&mut connection, &question);
        drop(connection);
        let set_up = disk.read_journal().records.len();
        let history = History::with_journal(disk.journal());
        let mut clients: Vec<_> = (0..CLIENTS).map(|number| Client::new(number, seed)).collect();
        for (part, calls) in [CALLS / 2, CALLS].into_iter().enumerate() {
            std::thread::scope(|scope| {
                for client in &mut clients {
                    let connection = server.connect();
                    let history = &history;
                    scope.spawn(move || client.work(connection, history));
                }
                while history.acknowledged() < calls {
                    meanwhile(&disk, history.acknowledged());
                    std::thread::yield_now();
                }
                history.enough.store(true, Ordering::SeqCst);
            });
            history.enough.store(false, Ordering::SeqCst);
            disk.fail_syncs(false);
            if part == 0 {
                assert_eq!(server.terminate().0, Some(0));
                server = Server::start(disk.insert(&mut squab(&arguments)));
            }
        }
        server.kill();
        let journal = disk.read_journal();
        let (answers, beginnings) = (journal.answers(), journal.beginnings());
        let events = history.events();
        let mut recording = Self {
            journal,
            events,
            answers,
            beginnings,
            summary: String::new(),
            _endpoint: endpoint,
        };
        let records = recording.journal.records.len();
        let checkpoints = recording.syncs(".db", records).iter().filter(|at| **at > set_up).count();
        let calls = history.acknowledged();
        recording.summary =
            format!("seed {seed}: {calls} calls, {records} records, {checkpoints} checkpoints");
        // One when the first server ended, and one while clients worked.
        assert!(checkpoints > 1);
        recording
    }

    fn told_at(&self, event: &Event) -> Option<usize> {
        event.told.map(|_| self.answers[&event.request_id])
    }

    fn begun_at(&self, event: &Event) -> usize {
        self.beginnings[&event.begun]
    }

    /// Returns what is known about a call if the power is cut before this record.
    fn known(&self, event: &Event, cut: usize) -> Known {
        if self.begun_at(event) >= cut {
            Known::NotBegun
        } else if self.told_at(event).is_some_and(|told| told < cut) {
            Known::Surely
        } else {
            Known::Perhaps
        }
    }

    /// Returns the positions of the cuts: anywhere, and more often right after a response, right before a
    /// sync, and while a checkpoint writes into the database.
    fn cuts(&self, count: usize, random: &mut fastrand::Rng) -> Vec<usize> {
        let records = &self.journal.records;
        let checkpoints = self.syncs(".db", records.len());
        let moments: Vec<_> = (1..records.len())
            .filter(|at| matches!(records[at - 1], Record::Answer { .. }))
            .chain((1..records.len()).filter(|at| matches!(records[*at], Record::Sync { .. })))
            .collect();
        let mut cuts: Vec<_> = (0..count)
            .map(|number| match number % 3 {
                0 => random.usize(1..records.len()),
                1 => *random.choice(&moments).unwrap(),
                _ => {
                    let end = *random.choice(&checkpoints).unwrap();
                    random.usize(self.last_sync(end)..=end).max(1)
                }
            })
            .collect();
        cuts.sort_unstable();
        cuts
    }

    /// Returns the syncs of files with this suffix before a record.
    fn syncs(&self, ending: &str, before: usize) -> Vec<usize> {
        let mut open = HashMap::new();
        let mut syncs = Vec::new();
        for (position, record) in self.journal.records[..before].iter().enumerate() {
            match record {
                Record::Open { fd, path, .. } => {
                    open.insert(fd, path.ends_with(ending));
                }
                Record::Sync { fd } if open[fd] => syncs.push(position),
                _ => {}
            }
        }
        syncs
    }

    /// Returns the number of failed syncs, which must not be zero.
    fn failed_syncs(&self) -> usize {
        let is_failed = |record: &&Record| matches!(record, Record::FailedSync { .. });
        let failed = self.journal.records.iter().filter(is_failed).count();
        assert!(failed > 0);
        failed
    }

    /// Returns the last sync of the write-ahead log before a cut.
    fn last_sync(&self, cut: usize) -> usize {
        self.syncs("-wal", cut).last().copied().unwrap_or(0)
    }

    /// Cuts the power, starts a server on the remaining state, and returns what is wrong.
    fn cut(
        &self,
        replay: &mut Replay<'_>,
        cut: usize,
        left: Left,
        random: &mut fastrand::Rng,
    ) -> Loss {
        let place = crate::disk::directory();
        replay.advance(cut);
        replay.cut(left, random, place.path());
        let data = place.path().join("srv/data");
        let arguments = ["--data", data.to_str().unwrap()];
        let server = match Server::try_start(&mut squab(&arguments)) {
            Ok(server) => server,
            Err(logged) => return Loss { wrong: vec![logged], ..Loss::default() },
        };
        let found = everything(&mut server.connect());
        server.kill();
        let verdict = judge(&self.events, &found, |event| self.known(event, cut));
        let mut loss = Loss { wrong: verdict.wrong, ..Loss::default() };
        for (event, what) in verdict.undone {
            loss.undone.push((self.told_at(event).unwrap(), what));
        }
        loss.there = verdict.there.iter().map(|event| self.begun_at(event)).max().unwrap_or(0);
        self.look_into_outbox(&data, cut, &mut loss);
        loss.wrong.extend(broken_invariants(&data));
        loss
    }

    /// Checks that every publication is pending, because the endpoint has accepted nothing.
    fn look_into_outbox(&self, data: &Path, cut: usize, loss: &mut Loss) {
        let waiting: HashSet<_> = outbox(data);
        for event in self.events.iter().filter(|event| event.act == Act::Sent) {
            if event.place == TOPIC
                && self.known(event, cut) == Known::Surely
                && !waiting.contains(&event.name)
            {
                let what = format!("{} is not in the outbox", event.name);
                loss.undone.push((self.told_at(event).unwrap(), what));
            }
        }
    }

    /// Makes `count` cuts, and passes each loss and its position to `check`.
    fn campaign(&self, honest: bool, count: usize, seed: u64, mut check: impl FnMut(usize, Loss)) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut replay = Replay::new(&self.journal, honest);
        for cut in self.cuts(count, &mut random) {
            let left = *random.choice(&Left::ALL).unwrap();
            let loss = self.cut(&mut replay, cut, left, &mut random);
            if honest {
                let wrong = &loss.wrong;
                assert!(wrong.is_empty(), "seed {seed}, cut {cut}, {left:?}: {wrong:#?}");
            }
            check(cut, loss);
        }
    }
}

/// The effect of a power cut.
#[derive(Default)]
struct Loss {
    wrong: Vec<String>,
    /// Acknowledged calls that were undone, with their positions.
    undone: Vec<(usize, String)>,
    /// The position at which the last surviving send started.
    there: usize,
}

fn cuts() -> usize {
    from_environment("SQUAB_POWER_CUTS").map_or(CUTS, |cuts| cuts as usize)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_durability_full_nothing_that_was_acknowledged_is_lost_with_the_power() {
    let seed = seed();
    let recording = Recording::make("full", seed, |_, _| {}).await;
    println!("{}", recording.summary);
    recording.campaign(true, cuts(), seed, |cut, loss| {
        assert!(loss.undone.is_empty(), "seed {seed}, cut {cut}: {:#?}", loss.undone);
    });
    // The same on a disk that reports syncs that it did not make, which must lose something.
    let mut lost = 0;
    recording.campaign(false, 4, seed, |_, loss| lost += loss.undone.len() + loss.wrong.len());
    assert!(lost > 0, "seed {seed}: a disk that lies loses nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_durability_process_only_the_latest_is_lost_with_the_power() {
    let seed = seed();
    let recording = Recording::make("process", seed, |_, _| {}).await;
    println!("{}", recording.summary);
    let mut lost = 0;
    recording.campaign(true, cuts(), seed, |cut, loss| {
        let first = loss.undone.iter().map(|(told, _)| *told).min().unwrap_or(usize::MAX);
        let place = format!("seed {seed}, cut {cut}: {:#?}", loss.undone);
        assert!(first >= loss.there, "something later is there: {place}");
        assert!(first >= recording.last_sync(cut), "lost although it was synced: {place}");
        lost += loss.undone.len();
    });
    println!("{lost} calls were undone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_syncs_fail_nothing_is_acknowledged_that_may_be_lost() {
    let seed = seed();
    // Now and then every sync fails for a while. Earlier writes may be lost then, even if a later sync
    // succeeds.
    let now_and_then = |disk: &Disk, _| disk.fail_syncs(disk.operations() / 200 % 10 == 7);
    let recording = Recording::make("full", seed, now_and_then).await;
    println!("{}", recording.summary);
    println!("{} syncs failed", recording.failed_syncs());
    recording.campaign(true, cuts(), seed, |cut, loss| {
        assert!(loss.undone.is_empty(), "seed {seed}, cut {cut}: {:#?}", loss.undone);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_durability_process_failing_syncs_leave_a_sound_file() {
    let seed = seed();
    // Only checkpoints sync here. The first one of each server is due after about 900 calls, and retried until
    // it succeeds.
    let first = |disk: &Disk, calls| disk.fail_syncs(calls % (CALLS / 2) < CALLS / 2 - 200);
    let recording = Recording::make("process", seed, first).await;
    println!("{}", recording.summary);
    println!("{} syncs failed", recording.failed_syncs());
    let mut lost = 0;
    recording.campaign(true, cuts(), seed, |cut, loss| {
        let first = loss.undone.iter().map(|(told, _)| *told).min().unwrap_or(usize::MAX);
        let place = format!("seed {seed}, cut {cut}: {:#?}", loss.undone);
        assert!(first >= loss.there, "something later is there: {place}");
        lost += loss.undone.len();
    });
    println!("{lost} calls were undone");
}
