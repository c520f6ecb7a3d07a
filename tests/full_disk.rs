//! A full disk under the built program: callers that cannot be served get an error, the log says why,
//! nothing acknowledged is lost, and service resumes when space is free again.

#![cfg(target_os = "linux")]

use crate::crash_history::checker::{
    broken_invariants, by_the_end, contradictions, everything, judge, outbox,
};
use crate::crash_history::{Act, CLIENTS, Client, History, TOPIC, confirm, seed, set_up};
use crate::disk::Disk;
use crate::endpoint::Endpoint;
use crate::process::{Connection, Server, squab};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

/// Acknowledged calls before the disk is full, and after it was.
const CALLS: u64 = 400;
/// Calls that must be refused while it is.
const REFUSALS: u64 = 200;

/// Sends to a queue with AWS Query.
fn send_in_query(connection: &mut Connection, queue: &str, body: &str) -> (u16, String) {
    let form = format!("Action=SendMessage&Version=2012-11-05&MessageBody={body}");
    let request = format!(
        "POST /000000000000/{queue} HTTP/1.1\r\nHost: localhost\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    connection.write(request.as_bytes()).unwrap();
    connection.read().unwrap()
}

/// What clients get that are not the clients of the history: the shape of AWS's errors, and what can be
/// answered without room.
fn look_around(connection: &mut Connection) {
    let body = "x".repeat(200_000);
    let url = "http://localhost/000000000000/raw";
    let send = json!({"QueueUrl": url, "MessageBody": body});
    let (status, text) = connection.call("SendMessage", &send).unwrap();
    assert_eq!(status, 503, "{text}");
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["__type"], "com.amazon.coral.service#ServiceUnavailableException");
    assert!(!text.contains("disk"), "{text}");
    let (status, text) = send_in_query(connection, "raw", &body);
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("<Type>Receiver</Type><Code>ServiceUnavailable</Code>"), "{text}");
    let publish = [("TopicArn", TOPIC), ("Message", body.as_str())];
    let (status, text) = connection.sns("Publish", &publish).unwrap();
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("<Code>ServiceUnavailable</Code>"), "{text}");
    connection.ok("GetQueueAttributes", &json!({"QueueUrl": url, "AttributeNames": ["All"]}));
    connection.ok("ListQueues", &json!({}));
    connection.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(connection.read().unwrap().0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_loses_nothing_and_is_got_over() {
    let seed = seed();
    println!("seed {seed}");
    let disk = Disk::new();
    let data = disk.data();
    let arguments = ["--data", data.to_str().unwrap()];
    let mut server = Server::start(disk.insert(&mut squab(&arguments)));
    let mut endpoint = Endpoint::open().await;
    let mut connection = server.connect();
    set_up(&mut connection, Some(&endpoint.url));
    let question = endpoint.next().await;
    endpoint.answer(503);
    confirm(&mut connection, &question);
    let history = History::default();
    let mut clients: Vec<_> = (0..CLIENTS).map(|number| Client::new(number, seed)).collect();
    let mut work = |server: &Server, enough: &dyn Fn() -> bool, then: &mut dyn FnMut()| {
        std::thread::scope(|scope| {
            for client in &mut clients {
                let (connection, history) = (server.connect(), &history);
                scope.spawn(move || client.work(connection, history));
            }
            while !enough() {
                std::thread::yield_now();
            }
            then();
            history.enough.store(true, Ordering::SeqCst);
        });
        history.enough.store(false, Ordering::SeqCst);
    };
    let acknowledged = |calls: u64| {
        let so_far = history.acknowledged();
        let history = &history;
        move || history.acknowledged() >= so_far + calls
    };
    let refused = || {
        let so_far = history.refused();
        let history = &history;
        move || history.refused() >= so_far + REFUSALS
    };

    work(&server, &acknowledged(CALLS), &mut || disk.leave_room(Some(100_000)));
    work(&server, &refused(), &mut || look_around(&mut connection));
    disk.leave_room(None);
    work(&server, &acknowledged(CALLS), &mut || disk.leave_room(Some(50_000)));
    work(&server, &refused(), &mut || {});

    // A restart on a full disk: it serves what it can.
    disk.leave_room(Some(0));
    let (status, _, log) = server.terminate();
    assert_eq!(status, Some(0), "{log}");
    assert!(log.contains("database or disk is full"), "{log}");
    server = Server::start(disk.insert(&mut squab(&arguments)));
    connection = server.connect();
    look_around(&mut connection);
    work(&server, &refused(), &mut || {});
    disk.leave_room(None);
    work(&server, &acknowledged(CALLS), &mut || {});

    let events = history.events();
    let found = everything(&mut server.connect());
    assert_eq!(server.terminate().0, Some(0));
    let verdict = judge(&events, &found, by_the_end);
    let undone: Vec<_> = verdict.undone.iter().map(|(_, what)| what).collect();
    assert!(undone.is_empty(), "seed {seed}: acknowledged, and not so: {undone:#?}");
    assert!(verdict.wrong.is_empty(), "seed {seed}: {:#?}", verdict.wrong);
    let wrong = contradictions(&events);
    assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}");
    let broken = broken_invariants(&data);
    assert!(broken.is_empty(), "seed {seed}: {broken:#?}");
    let waiting = outbox(&data);
    let published = events.iter().filter(|event| event.act == Act::Sent && event.place == TOPIC);
    for event in published.filter(|event| event.told.is_some()) {
        assert!(waiting.contains(&event.name), "seed {seed}: not in the outbox: {event:?}");
    }
}

#[test]
fn a_first_start_on_a_full_disk_ends_with_1_and_a_sentence() {
    let disk = Disk::new();
    disk.leave_room(Some(20_000));
    let data = disk.data();
    let data = data.to_str().unwrap();
    let arguments = ["--data", data, "--log-level", "off", "--listen", "127.0.0.1:0"];
    let output = disk.insert(&mut squab(&arguments)).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let sentence = format!("squab: {data}/squab.db: the database is unavailable: ");
    assert!(said.starts_with(&sentence), "{said}");
    assert!(said.contains("disk is full"), "{said}");
}
