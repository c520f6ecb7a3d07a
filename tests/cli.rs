//! The command line of the built program: what it prints, and how it exits.

use crate::process::{Connection, Server, run, squab};
use serde_json::json;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
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
fn a_subscription_of_a_queue_that_does_not_exist_ends_it_with_2_and_a_suggestion() {
    let (_directory, file) =
        config("[[topics.events.subscriptions]]\nqueue = \"order\"\n[queues.orders]\n");
    let (status, said) =
        run(&["--ephemeral", "--log-level", "error", "--config", &file, "--listen", "127.0.0.1:0"]);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.starts_with(&format!("squab: {file}:1: the declared topic events")), "{said}");
    let sentence = "there is no queue `order` and none is declared; did you mean `orders`?";
    assert!(said.contains(sentence), "{said}");
}

#[test]
fn a_declared_queue_that_aws_would_reject_ends_it_with_2_and_a_sentence() {
    let (_directory, file) = config("[queues.\"what a name\"]\n");
    let (status, said) =
        run(&["--ephemeral", "--log-level", "error", "--config", &file, "--listen", "127.0.0.1:0"]);
    assert_eq!(status, Some(2), "{said}");
    let sentence = format!("squab: {file}:1: the declared queue what a name: Can only include");
    assert!(said.starts_with(&sentence), "{said}");
}

#[test]
fn an_invalid_credentials_file_ends_it_with_2() {
    let key = "[[credential]]\naccess_key_id = \"AKIAORDERS\"\nsecret_access_key = \"s\"\nrole = \"boss\"\n";
    let (_directory, invalid) = config(key);
    for file in ["/nowhere/credentials.toml", &invalid] {
        let (status, said) = run(&["--ephemeral", "--log-level", "error", "--credentials", file]);
        assert_eq!(status, Some(2), "{said}");
        assert!(said.contains(&format!("the credentials file {file}: ")), "{said}");
    }
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
        "squab: {data} is in use by another process: stop that server first, or use another --data directory\n"
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

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The program, started by a shell with this umask.
fn with_umask(umask: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("/bin/sh");
    let script = format!("umask {umask}; exec \"$0\" \"$@\"");
    command.env_clear().args(["-c", &script, env!("CARGO_BIN_EXE_squab")]).args(arguments);
    command
}

#[test]
fn what_it_makes_is_for_its_user_alone_whatever_the_umask() {
    for umask in ["000", "022", "177"] {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("srv/data");
        let server = Server::start(&mut with_umask(umask, &["--data", data.to_str().unwrap()]));
        server.connect().ok("CreateQueue", &json!({"QueueName": "q"}));
        assert_eq!((mode(data.parent().unwrap()), mode(&data)), (0o700, 0o700), "{umask}");
        let files: Vec<_> =
            std::fs::read_dir(&data).unwrap().map(|it| it.unwrap().path()).collect();
        assert!(files.len() >= 2, "{files:?}");
        for file in files {
            assert_eq!(mode(&file), 0o600, "{umask}: {}", file.display());
        }
        let log = server.terminate().2;
        assert!(!log.contains("other users"), "{log}");
    }
}

#[test]
fn what_others_can_read_is_reported_and_left_as_it_is() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let keys = place.path().join("keys");
    std::fs::write(&keys, "[default]\naws_access_key_id = AKIA1\naws_secret_access_key = s\n")
        .unwrap();
    std::fs::create_dir(&data).unwrap();
    let arguments = ["--data", data.to_str().unwrap(), "--credentials", keys.to_str().unwrap()];
    let log = |directory, database: Option<u32>, credentials| {
        set_mode(&data, directory);
        set_mode(&keys, credentials);
        if let Some(database) = database {
            set_mode(&data.join("squab.db"), database);
        }
        let log = Server::start(&mut squab(&arguments)).terminate().2;
        assert_eq!((mode(&data), mode(&keys)), (directory, credentials));
        log
    };
    let said = log(0o755, None, 0o644);
    assert!(said.contains("other users of this machine can list"), "{said}");
    assert!(said.contains("other users of this machine can read the keys in"), "{said}");
    let said = log(0o755, Some(0o644), 0o640);
    assert!(said.contains("other users of this machine can read the messages in"), "{said}");
    assert!(!said.contains("read the keys"), "{said}");
    // A volume that belongs to a group, as Kubernetes prepares it.
    for (directory, database) in [(0o2775, 0o660), (0o770, 0o660), (0o700, 0o644)] {
        let said = log(directory, Some(database), 0o440);
        assert!(!said.contains("other users"), "{directory:o}: {said}");
    }
}

/// Status and body of the answer to `/ready`.
fn ready(connection: &mut Connection) -> (u16, serde_json::Value) {
    connection.write(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let (status, text) = connection.read().unwrap();
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}")))
}

#[test]
fn when_the_reserve_is_touched_sends_are_refused_and_what_frees_room_is_not() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().to_str().unwrap();
    let topic = "arn:aws:sns:us-east-1:000000000000:t";
    let server = Server::start(&mut squab(&["--data", data, "--disk-reserve", "0"]));
    let mut connection = server.connect();
    assert_eq!(ready(&mut connection), (200, json!({"status": "ready"})));
    connection.ok("CreateQueue", &json!({"QueueName": "q"}));
    connection.sns("CreateTopic", &[("Name", "t")]).unwrap();
    for body in ["one", "two"] {
        connection.ok("SendMessage", &json!({"QueueUrl": "q", "MessageBody": body}));
    }
    server.terminate();

    let everything = u64::MAX.to_string();
    let server = Server::start(&mut squab(&["--data", data, "--disk-reserve", &everything]));
    let mut connection = server.connect();
    let entries = json!([{"Id": "a", "MessageBody": "x"}]);
    for (operation, input) in [
        ("SendMessage", json!({"QueueUrl": "q", "MessageBody": "x"})),
        ("SendMessageBatch", json!({"QueueUrl": "q", "Entries": entries})),
        ("CreateQueue", json!({"QueueName": "another"})),
    ] {
        let (status, said) = connection.call(operation, &input).unwrap();
        assert_eq!(status, 503, "{operation}: {said}");
        assert!(said.contains("ServiceUnavailable"), "{said}");
    }
    let member = "PublishBatchRequestEntries.member.1";
    let (id, message) = (format!("{member}.Id"), format!("{member}.Message"));
    for (action, parameters) in [
        ("Publish", vec![("TopicArn", topic), ("Message", "x")]),
        ("PublishBatch", vec![("TopicArn", topic), (&id, "a"), (&message, "x")]),
        ("CreateTopic", vec![("Name", "another")]),
        ("Subscribe", vec![("TopicArn", topic), ("Protocol", "sqs"), ("Endpoint", "x")]),
    ] {
        let (status, said) = connection.sns(action, &parameters).unwrap();
        assert_eq!(status, 503, "{action}: {said}");
        assert!(said.contains("<Code>ServiceUnavailable</Code>"), "{said}");
    }
    let (status, said) = ready(&mut connection);
    assert_eq!((status, &said["status"]), (200, &json!("degraded")), "{said}");
    assert!(said["reason"].as_str().unwrap().contains("bytes of the volume"), "{said}");

    let received = connection.ok("ReceiveMessage", &json!({"QueueUrl": "q"}));
    let handle = &received["Messages"][0]["ReceiptHandle"];
    let hide = json!({"QueueUrl": "q", "ReceiptHandle": handle, "VisibilityTimeout": 60});
    connection.ok("ChangeMessageVisibility", &hide);
    connection.ok("DeleteMessage", &json!({"QueueUrl": "q", "ReceiptHandle": handle}));
    connection.ok("PurgeQueue", &json!({"QueueUrl": "q"}));
    connection.ok("DeleteQueue", &json!({"QueueUrl": "q"}));
    let log = server.terminate().2;
    assert!(log.contains("new messages are rejected until space is free"), "{log}");
}

#[test]
fn a_database_file_that_is_removed_or_replaced_ends_all_service_with_a_reason() {
    for replace in [false, true] {
        let place = tempfile::tempdir().unwrap();
        let server = Server::start(&mut squab(&["--data", place.path().to_str().unwrap()]));
        let mut connection = server.connect();
        connection.ok("CreateQueue", &json!({"QueueName": "q"}));
        let file = place.path().join("squab.db");
        let copy = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        if replace {
            // The name first, so that the new file cannot be the old one.
            std::fs::write(place.path().join("new"), copy).unwrap();
            std::fs::rename(place.path().join("new"), &file).unwrap();
        }
        let what = if replace { "was replaced" } else { "was removed" };
        let (status, said) = loop {
            let (status, said) = ready(&mut connection);
            if status != 200 {
                break (status, said);
            }
        };
        assert_eq!((status, &said["status"]), (503, &json!("unavailable")), "{said}");
        let reason = format!("squab.db {what} while the server runs");
        assert!(said["reason"].as_str().unwrap().contains(&reason), "{said}");
        for (operation, input) in [
            ("SendMessage", json!({"QueueUrl": "q", "MessageBody": "x"})),
            ("ReceiveMessage", json!({"QueueUrl": "q"})),
        ] {
            for _ in 0..20 {
                let (status, said) = connection.call(operation, &input).unwrap();
                assert_eq!(status, 503, "{operation}: {said}");
                assert!(said.contains("was removed or replaced while"), "{said}");
                assert!(!said.contains(place.path().to_str().unwrap()), "{said}");
            }
        }
        connection.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        assert_eq!(connection.read().unwrap().0, 200);
        let log = server.terminate().2;
        assert!(log.contains(&reason), "{log}");
        assert_eq!(log.matches("a request failed").count(), 1, "{log}");
    }
}

#[test]
fn a_check_says_whether_the_database_is_sound_and_exits() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().to_str().unwrap();
    let check = || {
        let output = squab(&["--check", "--data", data]).output().unwrap();
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (output.status.code(), said.concat())
    };
    let (status, said) = check();
    assert_eq!(status, Some(1));
    let missing = format!("squab: there is no database in {data}; name the data directory");
    assert!(said.starts_with(&missing), "{said}");
    assert!(!place.path().join("squab.db").exists());

    let server = Server::start(&mut squab(&["--data", data]));
    let mut connection = server.connect();
    connection.ok("CreateQueue", &json!({"QueueName": "q"}));
    for _ in 0..20 {
        let body = "x".repeat(1_000);
        connection.ok("SendMessage", &json!({"QueueUrl": "q", "MessageBody": body}));
    }
    let (status, said) = check();
    assert_eq!(status, Some(1));
    assert!(said.contains("is in use by another process"), "{said}");
    server.terminate();
    assert_eq!(check(), (Some(0), format!("The database in {data} is sound.\n")));

    let by_hand = |sql: &str| {
        let file = rusqlite::Connection::open(place.path().join("squab.db")).unwrap();
        file.execute_batch(sql).unwrap();
        file.close().unwrap();
    };
    by_hand("PRAGMA application_id = 77");
    let (status, said) = check();
    assert_eq!(status, Some(1));
    let file = format!("squab: {data}/squab.db: the database is not one that");
    assert!(said.starts_with(&file) && said.contains("application_id is 77, that of"), "{said}");
    // An index that does not have what its table has.
    by_hand(
        "PRAGMA application_id = 1399944546;
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE INDEX messages_by_age ON messages (rank)'
             WHERE name = 'messages_by_age';",
    );
    let (status, said) = check();
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("is damaged:\n") && said.contains("messages_by_age"), "{said}");
}

#[test]
fn a_machine_that_bears_the_mark_of_a_container_is_told_of_no_volume() {
    // Whether this test runs in a container or not, the namespace says so.
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap();
    if namespace != Path::new("pid:[4026531836]") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let server = Server::start(&mut squab(&["--data", place.path().to_str().unwrap()]));
    let log = server.terminate().2;
    assert!(!log.contains("is not on a volume"), "{log}");
}

#[test]
fn what_is_deleted_is_overwritten_where_that_is_wanted() {
    const SECRET: &str = "nobody must find this again";
    for wanted in [false, true] {
        let place = tempfile::tempdir().unwrap();
        let flag = format!("--secure-delete={wanted}");
        let data = place.path().to_str().unwrap();
        let server = Server::start(&mut squab(&["--data", data, &flag]));
        let mut connection = server.connect();
        connection.ok("CreateQueue", &json!({"QueueName": "q"}));
        for body in [SECRET.to_owned(), SECRET.repeat(1_000)] {
            connection.ok("SendMessage", &json!({"QueueUrl": "q", "MessageBody": body}));
            let received = connection.ok("ReceiveMessage", &json!({"QueueUrl": "q"}));
            let handle = &received["Messages"][0]["ReceiptHandle"];
            connection.ok("DeleteMessage", &json!({"QueueUrl": "q", "ReceiptHandle": handle}));
        }
        assert_eq!(server.terminate().0, Some(0));
        let file = std::fs::read(place.path().join("squab.db")).unwrap();
        let is_there = memchr::memmem::find(&file, SECRET.as_bytes()).is_some();
        assert_eq!(is_there, !wanted);
    }
}
