//! The built program as whoever starts it sees it: what it prints, and how it exits.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod process;

use process::{Connection, Server, run, squab};
use serde_json::json;
use std::io::Read;
use std::process::{Command, Stdio};

#[test]
fn it_says_ready_and_nothing_else_answers_health_and_ends_with_0_on_sigterm() {
    let server = Server::start(&mut squab(&["--ephemeral"]));
    let address = server.address.clone();
    assert_eq!(run(&["health", "--listen", &address]), (Some(0), String::new()));
    let (status, printed, _) = server.terminate();
    assert_eq!((status, printed.as_str()), (Some(0), ""));
    assert_eq!(run(&["health", "--listen", &address]).0, Some(1));
}

#[test]
fn no_secret_reaches_the_log_at_its_most_talkative() {
    let mut command = squab(&["--ephemeral", "--log-level", "trace"]);
    command.env("SQUAB_ACCESS_KEY_ID", "AKIA1").env("SQUAB_SECRET_ACCESS_KEY", "hush-hush");
    let (_, _, log) = Server::start(&mut command).terminate();
    assert!(log.contains("SIGTERM"), "{log}");
    assert!(!log.contains("hush-hush"), "{log}");
}

#[test]
fn unusable_settings_end_it_with_2_and_a_sentence() {
    let (status, said) = run(&["--max-connections", "0"]);
    assert_eq!(status, Some(2));
    assert_eq!(said, "squab: max_connections: must be at least 1\n");
    let (status, said) = run(&["--config", "/nowhere/squab.toml"]);
    assert_eq!(status, Some(2));
    assert!(said.starts_with("squab: cannot read /nowhere/squab.toml: "), "{said}");
    assert_eq!(run(&["--lisen", "x"]).0, Some(2));
}

#[test]
fn unsigned_calls_from_other_machines_must_be_allowed_at_the_start() {
    let arguments = ["--ephemeral", "--listen", "0.0.0.0:0"];
    let said = Server::try_start(&mut squab(&arguments)).err().unwrap();
    assert!(said.starts_with("squab: listen: other machines can reach 0.0.0.0:0"), "{said}");
    assert!(said.contains("--allow-anonymous"), "{said}");
    let mut allowed = squab(&[&arguments[..], &["--allow-anonymous"]].concat());
    let (_, _, log) = Server::start(&mut allowed).terminate();
    assert!(log.contains("everyone who reaches it can do everything"), "{log}");
}

#[test]
fn an_address_in_use_ends_it_with_1_and_a_sentence() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (status, said) = run(&["--ephemeral", "--log-level", "error", "--listen", &address]);
    assert_eq!(status, Some(1));
    assert!(said.starts_with(&format!("squab: cannot listen on {address}: ")), "{said}");
}

/// A file in a directory of its own, which goes when the first is dropped.
fn config(text: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("squab.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

#[test]
fn declared_queues_exist_once_it_says_ready_and_stay_as_they_are_at_the_next_start() {
    let (directory, file) = config(
        "[queues.orders]\nVisibilityTimeout = 60\ndead_letter_queue = \"orders-dlq\"\n\
         max_receive_count = 5\ntags = { team = \"shop\" }\n\
         [queues.orders-dlq]\n[queues.\"steps.fifo\"]\n",
    );
    let data = directory.path().join("data");
    for _start in ["first", "second"] {
        let arguments = ["--config", &file, "--data", data.to_str().unwrap()];
        let server = Server::start(&mut squab(&arguments));
        let mut connection = server.connect();
        let url = connection.ok("GetQueueUrl", &json!({"QueueName": "orders"}));
        let all = json!({"QueueUrl": url["QueueUrl"], "AttributeNames": ["All"]});
        let attributes = connection.ok("GetQueueAttributes", &all);
        assert_eq!(attributes["Attributes"]["VisibilityTimeout"], "60");
        let policy = attributes["Attributes"]["RedrivePolicy"].as_str().unwrap();
        assert!(policy.contains(":orders-dlq"), "{policy}");
        assert_eq!(connection.ok("ListQueueTags", &url)["Tags"], json!({"team": "shop"}));
        let listed = connection.ok("ListQueues", &json!({}));
        assert_eq!(listed["QueueUrls"].as_array().unwrap().len(), 3);
        assert_eq!(server.terminate().0, Some(0));
    }
}

#[test]
fn declared_topics_deliver_once_it_says_ready_and_follow_the_file_at_the_next_start() {
    let file = |raw: bool, policy: &str| {
        format!(
            "[[topics.events.subscriptions]]\nqueue = \"orders\"\n\
             attributes = {{ RawMessageDelivery = {raw}, FilterPolicy = '{policy}', \
             FilterPolicyScope = 'MessageBody' }}\n\
             [topics.events]\nDisplayName = \"{raw}\"\ntags = {{ team = \"shop\" }}\n\
             [queues.orders]\n"
        )
    };
    let (directory, path) = config(&file(false, r#"{"kind": {"of": ["order"]}}"#));
    let data = directory.path().join("data");
    let topic = "arn:aws:sns:us-east-1:000000000000:events";
    let start =
        || Server::start(&mut squab(&["--config", &path, "--data", data.to_str().unwrap()]));
    start().terminate();
    std::fs::write(&path, file(true, r#"{"kind": {"of": ["tea"]}}"#)).unwrap();
    let server = start();
    let mut connection = server.connect();
    let (_, listed) = connection.sns("ListSubscriptions", &[]).unwrap();
    assert_eq!(listed.matches("<SubscriptionArn>").count(), 1, "{listed}");
    let (_, shown) = connection.sns("GetTopicAttributes", &[("TopicArn", topic)]).unwrap();
    assert!(shown.contains("<key>DisplayName</key><value>true</value>"), "{shown}");
    for body in [r#"{"kind": {"of": "order"}}"#, r#"{"kind": {"of": "tea"}}"#] {
        let (status, said) =
            connection.sns("Publish", &[("TopicArn", topic), ("Message", body)]).unwrap();
        assert_eq!(status, 200, "{said}");
    }
    let receive = json!({"QueueUrl": "orders", "MaxNumberOfMessages": 10});
    let received = connection.ok("ReceiveMessage", &receive);
    let bodies: Vec<_> = received["Messages"].as_array().unwrap().iter().collect();
    assert_eq!(bodies.len(), 1, "{received}");
    assert_eq!(bodies[0]["Body"], r#"{"kind": {"of": "tea"}}"#);
}

#[test]
fn a_subscription_of_a_queue_that_is_not_there_ends_it_with_1_and_what_was_meant() {
    let (_directory, file) =
        config("[[topics.events.subscriptions]]\nqueue = \"order\"\n[queues.orders]\n");
    let (status, said) =
        run(&["--ephemeral", "--log-level", "error", "--config", &file, "--listen", "127.0.0.1:0"]);
    assert_eq!(status, Some(1), "{said}");
    let sentence = "there is no queue `order` and none is declared; did you mean `orders`?";
    assert!(said.contains(sentence), "{said}");
}

#[test]
fn a_declared_queue_that_aws_would_refuse_ends_it_with_1_and_a_sentence() {
    let (_directory, file) = config("[queues.\"what a name\"]\n");
    let (status, said) =
        run(&["--ephemeral", "--log-level", "error", "--config", &file, "--listen", "127.0.0.1:0"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("the declared queue what a name: Can only include"), "{said}");
}

#[test]
fn an_unknown_key_ends_it_with_2_and_says_what_was_meant() {
    for (text, meant) in [
        ("lisen = [\"127.0.0.1:0\"]\n", "`listen`"),
        ("[queues.q]\nVisibilityTimout = 1\n", "`VisibilityTimeout`"),
    ] {
        let (_directory, file) = config(text);
        let (status, said) = run(&["--ephemeral", "--config", &file]);
        assert_eq!(status, Some(2), "{said}");
        assert!(said.contains(&format!("did you mean {meant}?")), "{said}");
        assert!(said.contains(&file), "{said}");
    }
}

#[test]
fn sigterm_answers_receivers_that_wait_and_takes_no_new_connections() {
    let server = Server::start(&mut squab(&["--ephemeral"]));
    let mut connection = server.connect();
    let url = connection.ok("CreateQueue", &json!({"QueueName": "q"}));
    let mut waiting: Vec<Connection> = (0..3).map(|_| server.connect()).collect();
    for receiver in &mut waiting {
        let input = json!({"QueueUrl": url["QueueUrl"], "WaitTimeSeconds": 20});
        receiver.send("ReceiveMessage", &input).unwrap();
    }
    // A connection that sends nothing must not hold the end up either.
    let silent = server.connect();
    while open_connections(&mut connection) < 5 {}
    // Requests of several connections are read in turn: when these have been answered, those of the
    // receivers have been read.
    for _ in 0..50 {
        connection.ok("GetQueueUrl", &json!({"QueueName": "q"}));
    }
    let ended = std::thread::spawn(move || server.terminate());
    for receiver in &mut waiting {
        assert_eq!(receiver.read().unwrap(), (200, "{}".to_owned()));
    }
    let (status, printed, log) = ended.join().unwrap();
    assert_eq!((status, printed.as_str()), (Some(0), ""), "{log}");
    drop(silent);
}

/// The number of open connections that the metrics tell.
fn open_connections(connection: &mut Connection) -> usize {
    connection.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let (_, text) = connection.read().unwrap();
    let line = text.lines().find(|line| line.starts_with("squab_connections")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_second_program_on_one_data_directory_ends_with_1_and_a_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let first = Server::start(&mut squab(&["--data", data]));
    let (status, said) = run(&["--data", data, "--log-level", "error", "--listen", "127.0.0.1:0"]);
    assert_eq!(status, Some(1), "{said}");
    let sentence = format!(
        "squab: {data} is in use by another process; two servers cannot share one data directory\n"
    );
    assert_eq!(said, sentence);
    let mut connection = first.connect();
    connection.ok("CreateQueue", &json!({"QueueName": "q"}));
    assert_eq!(first.terminate().0, Some(0));
}

#[test]
fn it_goes_on_when_nobody_reads_its_log_any_more() {
    let mut process = squab(&["--ephemeral", "--listen", "127.0.0.1:0", "--log-level", "trace"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0; 7];
    process.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    assert_eq!(&ready, b"Ready.\n");
    drop(process.stderr.take());
    let asked = Command::new("kill").arg(process.id().to_string()).status().unwrap();
    assert!(asked.success());
    assert_eq!(process.wait().unwrap().code(), Some(0));
}
