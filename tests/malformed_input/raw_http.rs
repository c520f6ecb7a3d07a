//! HTTP that no client library would send, against the built program: each connection gets a bounded
//! response or is closed, and the next client is unaffected.

use crate::gateway::{Service, settings};
use crate::process::{Connection, Server, squab};
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use squab::runtime::memory::{Memory, Stage};
use squab::server::app;
use squab::server::browser::BrowserRules;
use squab::server::gateway::GatewaySettings;
use squab::server::listener::{Bound, Limits};
use squab::server::metrics::Metrics;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

const HEAD: &str = "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.ListQueues\r\n\
                    Content-Type: application/x-amz-json-1.0\r\n";
/// How a client of HTTP/2 asks whether it may speak that.
const UPGRADE: &str = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
                       HTTP2-Settings: AAMAAABkAAQAAP__\r\n";

/// What a request may come to.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// An answer of this status.
    Status(u16),
    /// A refusal, or the end of the connection: the HTTP library decides.
    Refused,
}
use Fate::{Refused, Status};

fn server() -> Server {
    Server::start(&mut squab(&["--ephemeral", "--log-level", "info", "--max-body-bytes", "200000"]))
}

/// Sends each request on a connection of its own, and looks at what it comes to.
fn assert_fates(requests: Vec<(&str, Vec<u8>, Fate)>) {
    let server = server();
    let mut neighbour = server.connect();
    neighbour.ok("CreateQueue", &json!({"QueueName": "q"}));
    for (what, request, fate) in requests {
        let mut connection = server.connect();
        // The server may hang up before it has read everything.
        let _ = connection.write(&request);
        if matches!(fate, Refused) {
            // What is missing will never come.
            let _ = connection.another_end().shutdown(Shutdown::Write);
        }
        match (connection.read(), fate) {
            (Ok((got, body)), Status(status)) => {
                assert_eq!(got, status, "{what}: {body}");
                assert!(body.len() < 20_000, "{what}: {} bytes", body.len());
            }
            (Ok((got, body)), Refused) => assert!((400..500).contains(&got), "{what}: {body}"),
            (Err(_), Refused) => {}
            (Err(error), Status(_)) => panic!("{what}: {error}"),
        }
        neighbour.ok("GetQueueUrl", &json!({"QueueName": "q"}));
    }
    let (status, _, log) = server.terminate();
    assert_eq!(status, Some(0));
    assert!(!log.contains(r#""level":"ERROR""#), "{log}");
}

fn with(headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    [format!("{HEAD}{headers}\r\n").as_bytes(), body.as_ref()].concat()
}

#[test]
fn chunks_of_any_kind_are_read_or_refused() {
    let chunked = |body: &str| with("Transfer-Encoding: chunked\r\n", body);
    let tiny = format!("{}1\r\n}}\r\n0\r\n\r\n", "1\r\n \r\n".repeat(50_000));
    let tiny = format!("1\r\n{{\r\n{tiny}");
    let too_many = format!("{}0\r\n\r\n", "1\r\n \r\n".repeat(200_001));
    assert_fates(vec![
        ("bytes one by one", chunked(&tiny), Status(200)),
        ("more than a body may have", chunked(&too_many), Status(413)),
        ("trailers", chunked("2\r\n{}\r\n0\r\nX-After: y\r\nX-Amz-Target: z\r\n\r\n"), Status(200)),
        ("an extension", chunked("2;a=b\r\n{}\r\n0\r\n\r\n"), Status(200)),
        ("zeros", chunked(&format!("{}2\r\n{{}}\r\n0\r\n\r\n", "0".repeat(10))), Status(200)),
        ("a length beyond anything", chunked("fffffffffffffffff\r\n{}"), Refused),
        ("a length of 2^64 - 1", chunked("ffffffffffffffff\r\n{}\r\n0\r\n\r\n"), Refused),
        ("a negative length", chunked("-2\r\n{}\r\n0\r\n\r\n"), Refused),
        ("a length that is too short", chunked("1\r\n{}\r\n0\r\n\r\n"), Refused),
        ("no length", chunked("\r\n{}\r\n0\r\n\r\n"), Refused),
        ("an endless extension", chunked(&format!("2;{}\r\n{{}}", "x".repeat(300_000))), Refused),
        (
            "endless trailers",
            chunked(&format!("0\r\n{}\r\n", "X-After: y\r\n".repeat(30_000))),
            Refused,
        ),
        (
            "a length beside",
            with("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", "2\r\n{}\r\n0\r\n\r\n"),
            Status(200),
        ),
        ("gzip", with("Transfer-Encoding: gzip\r\n", "0\r\n\r\n"), Refused),
    ]);
}

#[test]
fn heads_of_any_kind_are_read_or_refused() {
    let tiny =
        |count: usize| (0..count).fold(String::new(), |all, number| format!("{all}a{number}:\r\n"));
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes();
    let long = "x".repeat(60_000);
    let query = format!("/?Action=GetQueueUrl&Version=2012-11-05&QueueName={long}");
    let lying = |length: &str, body: &str| with(&format!("Content-Length: {length}\r\n"), body);
    assert_fates(vec![
        (
            "ninety tiny headers",
            with(&format!("{}Content-Length: 2\r\n", tiny(90)), "{}"),
            Status(200),
        ),
        ("a thousand tiny headers", with(&tiny(1_000), ""), Refused),
        ("the same header again and again", with(&"a: b\r\n".repeat(90), ""), Status(200)),
        ("a value of bytes", [HEAD.as_bytes(), b"a: \x80\xff\xfe\r\n\r\n"].concat(), Status(200)),
        ("a value with a NUL", [HEAD.as_bytes(), b"a: \0\r\n\r\n"].concat(), Refused),
        ("a name of bytes", [HEAD.as_bytes(), b"\xff: b\r\n\r\n"].concat(), Refused),
        ("a name with a space", with("a b: c\r\n", ""), Refused),
        ("no name", with(": c\r\n", ""), Refused),
        ("a folded value", with("a: b\r\n c\r\n", ""), Refused),
        ("no colon", with("abc\r\n", ""), Refused),
        ("a long value", with(&format!("a: {long}\r\n"), ""), Status(200)),
        ("a long name", with(&format!("{long}: a\r\n"), ""), Status(200)),
        ("a target of 60 KB", get(&query), Status(400)),
        ("a path of 60 KB", get(&format!("/{long}?Action=ListQueues")), Status(200)),
        ("a refused path of 60 KB", get(&format!("/x/{long}?Action=PurgeQueue")), Status(404)),
        ("a target beyond 64 KB", get(&format!("{query}{long}")), Refused),
        (
            "an absolute target",
            get("http://y:1/?Action=ListQueues&Version=2012-11-05"),
            Status(200),
        ),
        ("a target of another scheme", get("ftp://y/?Action=ListQueues"), Status(200)),
        ("no target", b"GET  HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), Refused),
        ("a target of bytes", b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), Refused),
        ("an asterisk", b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), Status(404)),
        ("a tunnel", b"CONNECT y:1 HTTP/1.1\r\nHost: y:1\r\n\r\n".to_vec(), Status(404)),
        ("a method of its own", b"SQUAB / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), Status(404)),
        ("a long method", format!("{long} / HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes(), Refused),
        (
            "HTTP/1.0",
            HEAD.replace("1.1", "1.0").into_bytes().into_iter().chain(*b"\r\n").collect(),
            Status(200),
        ),
        ("an upgrade to HTTP/2", with(UPGRADE, ""), Status(200)),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), Refused),
        ("a length with a sign", lying("+2", "{}"), Refused),
        ("a length of words", lying("two", "{}"), Refused),
        ("two lengths", lying("2\r\nContent-Length: 3", "{} "), Refused),
        ("two lengths in one", lying("2, 3", "{} "), Refused),
        ("the same length twice", lying("2\r\nContent-Length: 2", "{}"), Status(200)),
        ("a length beyond anything", lying("99999999999999999999", "{}"), Refused),
        ("a length beyond the limit", lying("200001", "{}"), Status(413)),
        (
            "a body in gzip",
            with("Content-Encoding: gzip\r\nContent-Length: 4\r\n", b"\x1f\x8b\x08\0"),
            Status(400),
        ),
        (
            "a body in gzip that is none",
            with("Content-Encoding: gzip\r\nContent-Length: 2\r\n", "{}"),
            Status(200),
        ),
    ]);
}

#[test]
fn whoever_asks_before_sending_is_told_to_go_on_or_not_to() {
    let server = server();
    let mut connection = server.connect();
    let asks =
        |length: usize| with(&format!("Expect: 100-continue\r\nContent-Length: {length}\r\n"), "");
    connection.write(&asks(2)).unwrap();
    assert_eq!(connection.read().unwrap().0, 100);
    connection.write(b"{}").unwrap();
    assert_eq!(connection.read().unwrap().0, 200);
    connection.write(&asks(200_001)).unwrap();
    assert_eq!(connection.read().unwrap().0, 413);
}

#[test]
fn requests_in_a_row_are_answered_in_a_row() {
    const MANY: usize = 2_000;
    let server = server();
    let mut connection = server.connect();
    let mut writing = connection.another_end();
    let written = std::thread::spawn(move || {
        use std::io::Write;
        let unknown = with("Content-Length: 2\r\n", "{}");
        let unknown = String::from_utf8(unknown).unwrap().replace("ListQueues", "Nonsense");
        let row = [
            with("Content-Length: 2\r\n", "{}"),
            unknown.into_bytes(),
            b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        ]
        .concat();
        for _ in 0..MANY {
            writing.write_all(&row).unwrap();
        }
    });
    for _ in 0..MANY {
        let got = [(); 3].map(|()| connection.read().unwrap().0);
        assert_eq!(got, [200, 400, 200]);
    }
    written.join().unwrap();
}

/// A client that has closed its sending side cannot read a response, so it receives no message.
#[test]
fn a_half_closed_receiver_keeps_no_message() {
    let server = server();
    let mut sender = server.connect();
    sender.ok("CreateQueue", &json!({"QueueName": "q"}));
    let url = format!("http://{}/000000000000/q", server.address);
    let mut halves = Vec::new();
    for _ in 0..20 {
        let mut half: Connection = server.connect();
        half.send("ReceiveMessage", &json!({"QueueUrl": url, "WaitTimeSeconds": 20})).unwrap();
        half.another_end().shutdown(Shutdown::Write).unwrap();
        halves.push(half);
    }
    for mut half in halves {
        assert!(half.read().is_err());
    }
    sender.ok("SendMessage", &json!({"QueueUrl": url, "MessageBody": "m"}));
    let received = sender.ok(
        "ReceiveMessage",
        &json!({"QueueUrl": url, "WaitTimeSeconds": 20, "AttributeNames": ["All"]}),
    );
    assert_eq!(received["Messages"][0]["Attributes"]["ApproximateReceiveCount"], "1");
}

/// Data that callers add to a public document does not accumulate.
#[test]
fn a_document_that_callers_add_to_has_a_limit() {
    let server = Server::start(&mut squab(&["--ephemeral", "--compat", "localstack"]));
    let mut connection = server.connect();
    let mut statuses = Vec::new();
    for number in 0..20 {
        let body = json!({format!("extra{number}"): "x".repeat(1_000)}).to_string();
        let head = format!(
            "PUT /_localstack/health HTTP/1.1\r\nHost: x\r\nContent-Length: {}",
            body.len()
        );
        connection.write(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
        statuses.push(connection.read().unwrap().0);
    }
    assert_eq!((statuses[0], statuses[19]), (200, 413));
    connection.write(b"GET /_localstack/health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(connection.read().unwrap().1.len() < 10_000);
}

/// Serves in this process as the program does, with these settings, until the sender is dropped.
fn serve(settings: GatewaySettings) -> (String, oneshot::Sender<()>) {
    let (tell, told) = std::sync::mpsc::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let executor = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        executor.block_on(async {
            let memory = Arc::clone(&settings.memory);
            let gateway = Service::new(settings).gateway;
            let bound = Bound::bind(&["127.0.0.1:0".to_owned()]).await.unwrap();
            tell.send(bound.addresses()[0].to_string()).unwrap();
            let limits = Limits {
                connections: 100,
                header_timeout: Duration::from_secs(100),
                grace: Duration::ZERO,
                memory: Arc::clone(&memory),
            };
            let metrics = Metrics::new(&[], &[], || async { Vec::new() });
            let (open, routes) = (metrics.connections(), app::routes(&gateway));
            let service = app::service(routes, BrowserRules::default(), Arc::new(metrics));
            let service = TowerToHyperService::new(service);
            bound.serve(service, limits, open, async { drop(stopped.await) }).await;
        });
    });
    (told.recv().unwrap(), stop)
}

/// Clients that leave large answers unread lose their connections when others need the memory. An answer
/// is far larger than what sockets hold of it; the attackers leave no memory for another one.
#[test]
fn who_does_not_read_makes_room_for_who_does() {
    const LARGE: usize = 1_000_000;
    const ATTACKERS: usize = 3;
    let memory = Memory::new(64 * LARGE);
    let others = memory.charge(Stage::Answering, &Arc::default());
    let (address, _server) = serve(GatewaySettings { memory, ..settings() });
    let mut client = Connection::open(&address);
    client.ok("CreateQueue", &json!({"QueueName": "q", "Attributes": {"VisibilityTimeout": "0"}}));
    let url = format!("http://{address}/000000000000/q");
    for _ in 0..10 {
        client.ok("SendMessage", &json!({"QueueUrl": url, "MessageBody": "x".repeat(LARGE)}));
    }
    let receive = json!({"QueueUrl": url, "MaxNumberOfMessages": 10});
    let mut attackers: Vec<Connection> =
        (0..ATTACKERS).map(|_| Connection::open(&address)).collect();
    for attacker in &mut attackers {
        attacker.send("ReceiveMessage", &receive).unwrap();
        // The answer has begun, and holds its room.
        attacker.another_end().peek(&mut [0]).unwrap();
    }
    others.set((64 - 10 * ATTACKERS - 1) * LARGE);
    let mut answered = 0;
    while answered < 3 {
        // Clients come again, and open another connection if need be.
        match client.call("ReceiveMessage", &receive) {
            Ok((200, body)) => {
                assert!(body.len() > LARGE, "{body}");
                answered += 1;
            }
            Ok((status, body)) => {
                assert_eq!(status, 403, "{body}");
                assert!(body.contains("RequestThrottled"), "{body}");
            }
            Err(_) => client = Connection::open(&address),
        }
    }
    // No client could have been served if all attackers still had their responses.
    let cut = attackers.iter_mut().filter_map(|attacker| attacker.read().err()).count();
    assert!(cut > 0);
}
