//! `kill -9` under load, on the built program: everything acknowledged survives the restart.
//!
//! Clients use all operations. At a random moment the process is killed: after a number of acknowledged
//! calls, before one of its file operations, during startup, during shutdown. It is restarted on the same
//! data, with either durability, and the clients continue. A call without a response may have taken effect
//! or not; every other call has.
//!
//! `SQUAB_CRASH_ROUNDS=200 cargo test --test it crash:: -- --nocapture` sets the number of kills;
//! `SQUAB_SEED` repeats the random choices of a printed seed.

#![cfg(target_os = "linux")]

use crate::crash_history::checker::{
    Found, broken_invariants, by_the_end, contradictions, everything, judge,
};
use crate::crash_history::{
    Act, CLIENTS, Client, Event, History, QUEUES, TOPIC, confirm, from_environment,
    group_and_number, is_fifo, name_of, seed, set_up,
};
use crate::disk::Disk;
use crate::endpoint::Endpoint;
use crate::gateway::{Service, settings};
use crate::process::{Connection, Server, squab};
use serde_json::json;
use squab::runtime::clock::{Clock, SystemClock};
use squab::store::{Durability, Location, Sqlite};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Kills of a short run.
const ROUNDS: u64 = 8;
/// How far the in-process reader advances its clock, which must exceed every visibility timeout and
/// delay.
const LATER_MS: i64 = 3 * 60 * 60 * 1_000;

#[test]
fn the_judgment_sees_what_is_lost_twice_there_back_invented_late_or_counted_down() {
    let event = |act, name: &str, begun, told| Event {
        act,
        place: "q.fifo".to_owned(),
        name: name.to_owned(),
        begun,
        told,
        request_id: String::new(),
    };
    let sent = |name, begun| event(Act::Sent, name, begun, Some(begun + 1));
    let found =
        |name: &str, receive_count| Found { queue: "q.fifo", name: name.to_owned(), receive_count };
    let events = [
        sent("2-2", 1),
        sent("2-4", 3),
        event(Act::Deleted, "2-4", 5, Some(6)),
        sent("2-6", 7),
        event(Act::Received(2), "2-6", 9, Some(10)),
        event(Act::Sent, "2-8", 11, None),
    ];
    let counts = |found: &[Found]| {
        let verdict = judge(&events, found, by_the_end);
        (verdict.undone.len(), verdict.wrong.len())
    };
    assert_eq!(counts(&[found("2-2", 0), found("2-6", 2)]), (0, 0));
    assert_eq!(counts(&[found("2-2", 0), found("2-6", 2), found("2-8", 0)]), (0, 0));
    assert_eq!(counts(&[found("2-6", 2)]), (1, 0), "lost");
    assert_eq!(counts(&[found("2-2", 0), found("2-2", 0), found("2-6", 2)]), (0, 1), "twice");
    assert_eq!(counts(&[found("2-2", 0), found("2-4", 0), found("2-6", 2)]), (1, 0), "back");
    assert_eq!(counts(&[found("2-2", 0), found("2-6", 2), found("3-1", 0)]), (0, 1), "invented");
    assert_eq!(counts(&[found("2-6", 2), found("2-2", 0)]), (0, 1), "late");
    assert_eq!(counts(&[found("2-2", 0), found("2-6", 1)]), (1, 0), "counted down");
    // 2-6 was received although 2-2 had not been deleted.
    assert_eq!(contradictions(&events).len(), 1);
    let again = [&events[..], &[event(Act::Received(1), "2-4", 12, Some(13))]].concat();
    assert_eq!(contradictions(&again).len(), 3, "deleted, received, and out of turn");
}

/// Starts a server with either durability, after a few killed starts.
fn start(disk: &Disk, random: &mut fastrand::Rng) -> Server {
    let data = disk.data();
    loop {
        let durability = if random.bool() { "full" } else { "process" };
        let arguments = ["--data", data.to_str().unwrap(), "--durability", durability];
        if random.u8(..3) == 0 {
            disk.die_after(random.u64(..40));
        } else {
            disk.let_live();
        }
        let Ok(server) = Server::try_start(disk.insert(&mut squab(&arguments))) else { continue };
        disk.let_live();
        // It may have been killed after it was ready.
        let is_there =
            |mut connection: Connection| connection.call("ListQueues", &json!({})).is_ok();
        if server.try_connect().is_some_and(is_there) {
            return server;
        }
    }
}

/// Lets clients work until the server has been killed.
fn round(
    server: Server,
    disk: &Disk,
    clients: &mut [Client],
    history: &History,
    random: &mut fastrand::Rng,
) {
    std::thread::scope(|scope| {
        for client in clients {
            let connection = server.connect();
            scope.spawn(move || client.work(connection, history));
        }
        let calls = history.acknowledged() + random.u64(1..500);
        let wait_for_calls = || {
            while history.acknowledged() < calls {
                std::thread::yield_now();
            }
        };
        // Half of all numbers of operations are small.
        let bits = random.u32(1..12);
        let operations = random.u64(..1 << bits);
        match random.u8(..3) {
            0 => {
                wait_for_calls();
                server.kill();
            }
            1 => {
                disk.die_after(operations);
                server.wait();
            }
            // During shutdown, which may be faster.
            _ => {
                wait_for_calls();
                disk.die_after(operations);
                server.ask_to_end();
                server.wait();
            }
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9() {
    let seed = seed();
    let rounds = from_environment("SQUAB_CRASH_ROUNDS").unwrap_or(ROUNDS);
    println!("seed {seed}, {rounds} rounds");
    let mut random = fastrand::Rng::with_seed(seed);
    let disk = Disk::new();
    let mut endpoint = Endpoint::open().await;
    // The very first start, which creates everything, takes a few hundred operations.
    for _ in 0..3 {
        let before = disk.operations();
        disk.die_after(random.u64(..300));
        let data = disk.data();
        let first = Server::try_start(disk.insert(&mut squab(&["--data", data.to_str().unwrap()])));
        assert!(first.is_err() || disk.operations() - before <= 300);
        drop(first);
    }
    let mut server = start(&disk, &mut random);
    let mut connection = server.connect();
    set_up(&mut connection, Some(&endpoint.url));
    confirm(&mut connection, &endpoint.next().await);
    let history = History::default();
    let mut clients: Vec<_> = (0..CLIENTS).map(|number| Client::new(number, seed)).collect();
    for _ in 0..rounds {
        round(server, &disk, &mut clients, &history, &mut random);
        server = start(&disk, &mut random);
    }

    let events = history.events();
    let of_topic = events.iter().filter(|event| event.act == Act::Sent && event.place == TOPIC);
    let mut published: HashSet<_> =
        of_topic.filter(|event| event.told.is_some()).map(|event| event.name.clone()).collect();
    println!("{} calls acknowledged, {} published", history.acknowledged(), published.len());
    while !published.is_empty() {
        published.remove(&name_of(endpoint.next().await["Message"].as_str().unwrap()));
    }
    let found = everything(&mut server.connect());
    assert_eq!(server.terminate().0, Some(0));
    let verdict = judge(&events, &found, by_the_end);
    let undone: Vec<_> = verdict.undone.iter().map(|(_, what)| what).collect();
    assert!(undone.is_empty(), "seed {seed}: acknowledged, and not so: {undone:#?}");
    assert!(verdict.wrong.is_empty(), "seed {seed}: {:#?}", verdict.wrong);
    let wrong = contradictions(&events);
    assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}");
    let data = disk.data();
    let broken = broken_invariants(&data);
    assert!(broken.is_empty(), "seed {seed}: {broken:#?}");
    let mut shown: Vec<_> = found.into_iter().map(|message| message.name).collect();
    let mut received = receive_everything(&data).await;
    shown.sort_unstable();
    received.sort_unstable();
    assert_eq!(received, shown, "seed {seed}: received in the end, and shown before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_message_between_publish_and_endpoint_survives_kill_9() {
    let data = tempfile::tempdir().unwrap();
    let arguments = ["--data", data.path().to_str().unwrap(), "--durability", "full"];
    let mut endpoint = Endpoint::open().await;
    let mut server = Server::start(&mut squab(&arguments));
    let mut connection = server.connect();
    set_up(&mut connection, Some(&endpoint.url));
    confirm(&mut connection, &endpoint.next().await);

    let publish = |server: &Server, message: &str| {
        let parameters = [("TopicArn", TOPIC), ("Message", message)];
        let (status, answer) = server.connect().sns("Publish", &parameters).unwrap();
        assert_eq!(status, 200, "{answer}");
    };
    endpoint.fall_silent();
    publish(&server, "on its way");
    let first = endpoint.next().await;
    server.kill();
    endpoint.answer(200);
    server = Server::start(&mut squab(&arguments));
    assert_eq!(endpoint.next().await, first, "the same message, id and signature included");

    endpoint.answer(503);
    publish(&server, "between attempts");
    let first = endpoint.next().await;
    assert_eq!(first["Message"], "between attempts");
    server.kill();
    server = Server::start(&mut squab(&arguments));
    assert_eq!(endpoint.next().await, first);
    endpoint.answer(200);
    assert_eq!(endpoint.next().await, first);
    // No delivery is left: the next one is the next publication.
    publish(&server, "the end");
    assert_eq!(endpoint.next().await["Message"], "the end");
}

/// Returns the names of all messages in all queues, received in this process after every visibility timeout
/// and delay has passed. Message groups of FIFO queues are in order.
async fn receive_everything(data: &Path) -> Vec<String> {
    let database = Sqlite::open(&Location::Directory(data.to_owned()), Durability::Full).unwrap();
    let now_ms = SystemClock.now_ms() + LATER_MS;
    let service = Service::on(Box::new(database), settings(), now_ms);
    let mut names = Vec::new();
    for queue in QUEUES {
        let url = format!("{}/{queue}", crate::gateway::QUEUES);
        let mut last: HashMap<String, usize> = HashMap::new();
        loop {
            let ten = json!({"QueueUrl": url, "MaxNumberOfMessages": 10});
            let output = service.ok("ReceiveMessage", ten).await;
            let Some(messages) = output["Messages"].as_array() else { break };
            for message in messages {
                let name = name_of(message["Body"].as_str().unwrap());
                if is_fifo(queue) {
                    let (group, number) = group_and_number(&name);
                    assert!(last.insert(group, number) < Some(number), "{message} is late");
                }
                // A FIFO group continues only after its messages are deleted.
                let delete = json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]});
                service.ok("DeleteMessage", delete).await;
                names.push(name);
            }
        }
    }
    service.runtime.close().await;
    names
}
