//! The built program as a replacement for LocalStack: its variables, its paths, its hooks.

use crate::process::{Answer, Connection, Server, squab};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

fn compat() -> Command {
    let mut command = squab(&[]);
    command.env("SQUAB_COMPAT", "localstack").env("PATH", "/usr/bin:/bin");
    command
}

impl Connection {
    fn ask(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost:4566\r\n");
        self.write(format!("{head}Content-Length: {length}\r\n\r\n{body}").as_bytes()).unwrap();
        self.read().unwrap()
    }

    fn json(&mut self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, "");
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }
}

fn script(directory: &Path, name: &str, text: &str, mode: u32) {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn queue_urls_follow_the_strategy_and_every_form_is_read() {
    for (strategy, url) in [
        (None, "http://localhost/000000000000/q"),
        (Some("dynamic"), "http://localhost/000000000000/q"),
        (Some("off"), "http://queues:4567/000000000000/q"),
        (Some("standard"), "http://sqs.us-east-1.queues:4567/000000000000/q"),
        (Some("domain"), "http://queue.queues:4567/000000000000/q"),
        (Some("path"), "http://queues:4567/queue/us-east-1/000000000000/q"),
    ] {
        let mut command = compat();
        command.env("LOCALSTACK_HOST", "queues:4567");
        if let Some(strategy) = strategy {
            command.env("LOCALSTACK_SQS_ENDPOINT_STRATEGY", strategy);
        }
        let server = Server::start(&mut command);
        let mut connection = server.connect();
        let made = connection.ok("CreateQueue", &json!({"QueueName": "q"}));
        assert_eq!(made["QueueUrl"], url);
        for form in [
            url,
            "http://sqs.us-east-1.localhost.localstack.cloud:4566/000000000000/q",
            "http://queue.localhost.localstack.cloud:4566/000000000000/q",
            "http://localhost:4566/queue/us-east-1/000000000000/q",
            "http://elsewhere:9324/queue/q",
            "http://us-east-1.goaws.com:4100/000000000000/q",
            "https://sqs.us-east-1.amazonaws.com/000000000000/q",
            "q",
        ] {
            connection.ok("PurgeQueue", &json!({"QueueUrl": form}));
        }
    }
}

#[test]
fn a_receive_may_ask_for_all_and_headers_win() {
    let server = Server::start(&mut compat());
    let mut connection = server.connect();
    connection.ok("CreateQueue", &json!({"QueueName": "q"}));
    for _ in 0..12 {
        connection.ok("SendMessage", &json!({"QueueUrl": "q", "MessageBody": "m"}));
    }
    let all = json!({"QueueUrl": "q", "MaxNumberOfMessages": -1, "VisibilityTimeout": 0});
    let received = connection.ok("ReceiveMessage", &all);
    assert_eq!(received["Messages"].as_array().unwrap().len(), 12);
    let body = r#"{"QueueUrl": "q", "MaxNumberOfMessages": 1}"#;
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.0\r\n\
         X-Amz-Target: AmazonSQS.ReceiveMessage\r\n\
         X-LocalStack-SQS-Override-Message-Count: 11\r\n\
         X-LocalStack-SQS-Override-Wait-Time-Seconds: 0\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.write(request.as_bytes()).unwrap();
    assert_eq!(connection.read().unwrap().1.matches("ReceiptHandle").count(), 11);
    // Elsewhere AWS's rules hold.
    let strict = Server::start(&mut squab(&["--ephemeral"]));
    let mut connection = strict.connect();
    connection.ok("CreateQueue", &json!({"QueueName": "q"}));
    assert_eq!(connection.call("ReceiveMessage", &all).unwrap().0, 400);
}

/// A receive of three messages that waits for all of them.
fn receive_three(connection: &mut Connection) {
    let body = r#"{"QueueUrl": "q", "MaxNumberOfMessages": 3, "VisibilityTimeout": 600}"#;
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.0\r\n\
         X-Amz-Target: AmazonSQS.ReceiveMessage\r\n\
         X-LocalStack-SQS-Override-Wait-Time-Seconds: 20\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.write(request.as_bytes()).unwrap();
}

#[test]
fn with_the_header_a_receive_waits_for_all_that_it_wants() {
    let server = Server::start(&mut compat());
    let mut others = server.connect();
    others.ok("CreateQueue", &json!({"QueueName": "q"}));
    let message = json!({"QueueUrl": "q", "MessageBody": "m"});
    let in_flight = |others: &mut Connection, wanted: &str| {
        const NAME: &str = "ApproximateNumberOfMessagesNotVisible";
        let question = json!({"QueueUrl": "q", "AttributeNames": [NAME]});
        while others.ok("GetQueueAttributes", &question)["Attributes"][NAME] != wanted {}
    };
    // Who leaves while it waits gives back what it has.
    let mut leaving = server.connect();
    others.ok("SendMessage", &message);
    receive_three(&mut leaving);
    in_flight(&mut others, "1");
    drop(leaving);
    in_flight(&mut others, "0");
    let mut waiting = server.connect();
    receive_three(&mut waiting);
    in_flight(&mut others, "1");
    others.ok("SendMessage", &message);
    in_flight(&mut others, "2");
    others.ok("SendMessage", &message);
    let (status, body) = waiting.read().unwrap();
    assert_eq!((status, body.matches("ReceiptHandle").count()), (200, 3), "{body}");
}

#[test]
fn health_is_what_scripts_search_for_and_takes_more() {
    let server = Server::start(&mut compat());
    let mut connection = server.connect();
    let (status, body) = connection.ask("GET", "/_localstack/health", "");
    assert_eq!(status, 200);
    let start = "{\"services\": {\"sqs\": \"running\", \"sns\": \"running\"";
    assert!(body.starts_with(start), "{body}");
    assert!(body.contains("\"edition\": \"community\", \"version\": \"4."), "{body}");
    let more = r#"{"features": {"mine": "initialized"}, "services": {"s3": "disabled"}}"#;
    assert_eq!(connection.ask("PUT", "/_localstack/health", more).0, 200);
    let health = connection.json("/_localstack/health");
    assert_eq!(health["features"]["mine"], "initialized");
    assert_eq!(health["services"]["sqs"], "running");
    assert_eq!(health["services"]["s3"], "disabled");
    assert_eq!(connection.ask("POST", "/_localstack/health", r#"{"action":"fly"}"#).0, 400);
    assert_eq!(connection.json("/_localstack/info")["version"], "4.14.0");
    for hidden in ["/_localstack/diagnose", "/_localstack/config", "/_localstack/nothing"] {
        assert_eq!(connection.ask("GET", hidden, "").0, 404, "{hidden}");
    }
    assert_eq!(connection.ask("POST", "/_localstack/info", "").0, 405);
}

#[test]
fn with_its_variable_the_configuration_is_shown_and_changed() {
    let mut command = compat();
    command.env("ENABLE_CONFIG_UPDATES", "1").env("DEBUG", "1").env("LS_LOG", "info");
    let server = Server::start(&mut command);
    let mut connection = server.connect();
    let set = |connection: &mut Connection, variable: &str, value: Value| {
        let body = json!({"variable": variable, "value": value}).to_string();
        connection.ask("POST", "/_localstack/config", &body).0
    };
    assert_eq!(set(&mut connection, "MY_VARIABLE", json!(5)), 200);
    let config = connection.json("/_localstack/config");
    assert_eq!(config["MY_VARIABLE"], 5);
    assert_eq!(config["SQS_ENDPOINT_STRATEGY"], "dynamic");
    assert_eq!(connection.json("/_localstack/diagnose")["services"]["sns"], "running");

    let queue = json!({"QueueName": "q"});
    let url = connection.ok("CreateQueue", &queue)["QueueUrl"].clone();
    assert_eq!(url, "http://localhost/000000000000/q");
    assert_eq!(set(&mut connection, "SQS_ENDPOINT_STRATEGY", json!("path")), 200);
    let port = server.address.rsplit(':').next().unwrap();
    let url = format!("http://localhost.localstack.cloud:{port}/queue/us-east-1/000000000000/q");
    assert_eq!(connection.ok("GetQueueUrl", &queue)["QueueUrl"], url);
    assert_eq!(set(&mut connection, "SQS_ENDPOINT_STRATEGY", json!("round")), 400);
    assert_eq!(connection.json("/_localstack/config")["SQS_ENDPOINT_STRATEGY"], "path");

    let purge = json!({"QueueUrl": "q"});
    connection.ok("PurgeQueue", &purge);
    connection.ok("PurgeQueue", &purge);
    assert_eq!(set(&mut connection, "SQS_DELAY_PURGE_RETRY", json!(true)), 200);
    assert_eq!(connection.call("PurgeQueue", &purge).unwrap().0, 403);

    assert_eq!(set(&mut connection, "LS_LOG", json!("debug")), 200);
    connection.call("PurgeQueue", &purge).unwrap();
    assert_eq!(set(&mut connection, "DEBUG", json!(0)), 200);
    assert_eq!(connection.ask("GET", "/_localstack/diagnose", "").0, 404);
    connection.call("PurgeQueue", &purge).unwrap();
    drop(connection);
    let (_, _, log) = server.terminate();
    assert_eq!(log.matches("\"message\":\"refused\"").count(), 1, "{log}");
    assert!(log.contains("MY_VARIABLE") && log.contains("no effect"), "{log}");
}

#[test]
fn calls_fail_as_they_are_asked_to_until_a_reset() {
    const FAULTS: &str = "/_localstack/chaos/faults";
    const EFFECTS: &str = "/_localstack/chaos/effects";
    let server = Server::start(&mut compat());
    let mut connection = server.connect();
    connection.ok("CreateQueue", &json!({"QueueName": "q"}));
    let send = json!({"QueueUrl": "q", "MessageBody": "m"});
    let sends = r#"[{"service": "sqs", "operation": "SendMessage", "error": {"statusCode": 400, "code": "RequestThrottled"}}]"#;
    assert_eq!(connection.ask("POST", FAULTS, sends), (200, sends.to_owned()));
    let (status, body) = connection.call("SendMessage", &send).unwrap();
    assert_eq!(status, 400);
    assert!(body.contains("com.amazonaws.sqs#RequestThrottled"), "{body}");
    assert_eq!(connection.header("x-amzn-query-error"), Some("RequestThrottled;Sender"));
    connection.ok("ReceiveMessage", &json!({"QueueUrl": "q"}));

    let more = r#"[{"service": "sns", "region": "us-east-1", "error": {"statusCode": 508, "code": "Lost"}}, {"service": "sts"}]"#;
    assert_eq!(connection.ask("PATCH", FAULTS, more).0, 200);
    let (status, body) = connection.sns("ListTopics", &[]).unwrap();
    assert_eq!(status, 508);
    assert!(body.contains("<Type>Receiver</Type>"), "{body}");
    assert!(body.contains("<Code>Lost</Code>"), "{body}");
    assert_eq!(connection.ask("POST", "/", "Action=GetCallerIdentity&Version=2011-06-15").0, 503);
    assert_eq!(connection.json(FAULTS).as_array().unwrap().len(), 3);

    assert_eq!(connection.ask("DELETE", FAULTS, sends).0, 200);
    connection.ok("SendMessage", &send);
    assert_eq!(connection.sns("ListTopics", &[]).unwrap().0, 508);
    for bad in ["{}", r#"[{"colour": "red"}]"#, r#"[{"probability": 2}]"#, ""] {
        assert_eq!(connection.ask("POST", FAULTS, bad).0, 400, "{bad}");
    }
    assert_eq!(connection.ask("PUT", FAULTS, "[]").0, 405);
    assert_eq!(connection.ask("DELETE", FAULTS, "[]"), (200, "[]".to_owned()));
    assert_eq!(connection.sns("ListTopics", &[]).unwrap().0, 200);

    let latency = "{\"latency\": 1}".to_owned();
    assert_eq!(connection.ask("POST", EFFECTS, &latency), (200, latency.clone()));
    assert_eq!(connection.ask("GET", EFFECTS, ""), (200, latency));
    assert_eq!(connection.ask("POST", EFFECTS, r#"{"latency": 600001}"#).0, 400);
    connection.ok("SendMessage", &send);

    assert_eq!(connection.ask("POST", FAULTS, "[{}]").0, 200);
    assert_eq!(connection.call("SendMessage", &send).unwrap().0, 503);
    assert_eq!(connection.ask("POST", "/_localstack/state/reset", "").0, 200);
    connection.ok("ListQueues", &json!({}));
    assert_eq!(connection.ask("GET", FAULTS, ""), (200, "[]".to_owned()));
    assert_eq!(connection.json(EFFECTS), json!({"latency": 0}));

    let plain = Server::start(&mut squab(&["--ephemeral"]));
    assert_eq!(plain.connect().ask("POST", FAULTS, "[{}]").0, 404);
    plain.connect().ok("ListQueues", &json!({}));
}

#[test]
fn kill_ends_it_and_elsewhere_it_does_not() {
    let plain = Server::start(&mut squab(&["--ephemeral"]));
    let kill = r#"{"action": "kill"}"#;
    assert_eq!(plain.connect().ask("POST", "/_localstack/health", kill).0, 404);
    let server = Server::start(&mut compat());
    assert_eq!(server.connect().ask("POST", "/_localstack/health", kill).0, 200);
    assert_eq!(server.wait().0, Some(0));
}

#[test]
fn restart_begins_anew() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    drop(taken);
    let mut command = compat();
    command.env("SQUAB_LISTEN", &address);
    let mut server = Server::start_where_it_listens(&mut command);
    let mut connection = server.connect();
    connection.ok("CreateQueue", &json!({"QueueName": "q"}));
    let restart = r#"{"action": "restart"}"#;
    assert_eq!(connection.ask("POST", "/_localstack/health", restart).0, 200);
    server.wait_until_ready();
    let mut connection = server.connect();
    assert_eq!(connection.ok("ListQueues", &json!({})), json!({}));
}

#[test]
fn a_reset_leaves_nothing_of_a_service_or_of_all() {
    let server = Server::start(&mut compat());
    let mut connection = server.connect();
    let fill = |connection: &mut Connection| {
        for index in 0..150 {
            connection.ok("CreateQueue", &json!({"QueueName": format!("q{index}")}));
            let (status, _) =
                connection.sns("CreateTopic", &[("Name", &format!("t{index}"))]).unwrap();
            assert_eq!(status, 200);
        }
        connection.ok("SendMessage", &json!({"QueueUrl": "q1", "MessageBody": "m"}));
    };
    let left = |connection: &mut Connection| {
        let queues = connection.ok("ListQueues", &json!({}));
        let (_, topics) = connection.sns("ListTopics", &[]).unwrap();
        (queues["QueueUrls"].as_array().map_or(0, Vec::len), topics.matches("<TopicArn>").count())
    };
    fill(&mut connection);
    assert_eq!(left(&mut connection), (150, 100));
    assert_eq!(connection.ask("POST", "/_localstack/state/sqs/reset", "").0, 200);
    assert_eq!(left(&mut connection), (0, 100));
    assert_eq!(connection.ask("POST", "/_localstack/state/sns/reset", "").0, 200);
    assert_eq!(left(&mut connection), (0, 0));
    fill(&mut connection);
    assert_eq!(connection.ask("POST", "/_localstack/state/reset", "").0, 200);
    assert_eq!(left(&mut connection), (0, 0));
    // A queue of the same name is another queue.
    connection.ok("CreateQueue", &json!({"QueueName": "q1"}));
    assert_eq!(connection.ok("ReceiveMessage", &json!({"QueueUrl": "q1"})), json!({}));
    assert_eq!(connection.ask("GET", "/_localstack/state/reset", "").0, 405);
    assert_eq!(connection.ask("POST", "/_localstack/state/s3/reset", "").0, 404);
}

#[test]
fn the_paths_of_a_server_are_there_where_squab_stands_in_for_it() {
    let ask_all = |mode: &[&str]| {
        let server = Server::start(&mut squab(&[&["--ephemeral"], mode].concat()));
        let mut connection = server.connect();
        [
            ("GET", "/_localstack/health"),
            ("PUT", "/_localstack/health"),
            ("GET", "/_localstack/info"),
            ("GET", "/_localstack/init"),
            ("GET", "/_localstack/plugins"),
            ("POST", "/_localstack/state/reset"),
            ("POST", "/_localstack/state/sqs/reset"),
            ("GET", "/_localstack/chaos/faults"),
            ("GET", "/_localstack/config"),
            ("POST", "/moto-api/reset"),
        ]
        .map(|(method, path)| connection.ask(method, path, "{}").0)
    };
    let nothing = 404;
    let mut plain = [nothing; 10];
    plain[0] = 200;
    assert_eq!(ask_all(&[]), plain);
    assert_eq!(ask_all(&["--compat", "goaws"]), plain);
    let mut moto = plain;
    moto[9] = 200;
    assert_eq!(ask_all(&["--compat", "moto"]), moto);
    let mut localstack = [200; 10];
    (localstack[8], localstack[9]) = (nothing, nothing);
    assert_eq!(ask_all(&["--compat", "localstack"]), localstack);
    // A flag enables a path by itself.
    let mut with_config = plain;
    with_config[8] = 200;
    assert_eq!(ask_all(&["--config-updates"]), with_config);
}

#[test]
fn where_keys_are_wanted_nobody_resets_without_one() {
    let mut command = compat();
    command.env("SQUAB_ACCESS_KEY_ID", "AKIA1").env("SQUAB_SECRET_ACCESS_KEY", "secret");
    let server = Server::start(&mut command);
    let mut connection = server.connect();
    assert_eq!(connection.ask("POST", "/_localstack/state/reset", "").0, 403);
    let kill = r#"{"action": "kill"}"#;
    assert_eq!(connection.ask("POST", "/_localstack/health", kill).0, 403);
    assert_eq!(connection.ask("GET", "/_localstack/health", "").0, 200);
}

#[test]
fn hooks_run_in_their_order_before_it_is_ready_and_a_bad_one_holds_nothing_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let said = path.join("said");
    let say = |word: &str| format!("#!/bin/sh\necho {word} | tee -a {}\n", said.display());
    script(path, "boot.d/a.sh", &say("boot"), 0o755);
    script(path, "start.d/a.sh", &say("start"), 0o755);
    script(path, "ready.d/2.sh", &say("second"), 0o755);
    script(path, "ready.d/1/deep.sh", &say("first"), 0o755);
    script(path, "ready.d/3.sh", "#!/bin/sh\nexit 3\n", 0o755);
    script(path, "ready.d/4.sh", &say("never"), 0o644);
    script(path, "ready.d/5.txt", "no script", 0o755);
    script(path, "ready.d/6.sh", &say("last"), 0o755);
    script(path, "shutdown.d/a.sh", &say("shutdown"), 0o755);
    let server = Server::start(compat().args(["--init-dir", path.to_str().unwrap()]));
    let mut connection = server.connect();
    let spoken = || std::fs::read_to_string(&said).unwrap();
    assert_eq!(spoken(), "boot\nstart\nfirst\nsecond\nlast\n");
    let init = connection.json("/_localstack/init");
    assert_eq!(
        init["completed"],
        json!({"BOOT": true, "START": true, "READY": true, "SHUTDOWN": false})
    );
    let became: Vec<_> = init["scripts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|script| ["stage", "name", "state"].map(|key| script[key].as_str().unwrap()).join(" "))
        .collect();
    assert_eq!(
        became,
        [
            "BOOT a.sh SUCCESSFUL",
            "START a.sh SUCCESSFUL",
            "READY 1/deep.sh SUCCESSFUL",
            "READY 2.sh SUCCESSFUL",
            "READY 3.sh ERROR",
            "READY 4.sh ERROR",
            "READY 6.sh SUCCESSFUL",
            "SHUTDOWN a.sh UNKNOWN",
        ]
    );
    assert_eq!(connection.json("/_localstack/init/ready")["scripts"].as_array().unwrap().len(), 5);
    assert_eq!(connection.json("/_localstack/init/SHUTDOWN")["completed"], false);
    drop(connection);
    let (status, printed, log) = server.terminate();
    assert_eq!((status, printed.as_str()), (Some(0), ""), "{log}");
    assert!(spoken().ends_with("last\nshutdown\n"));
    assert!(log.contains("not executable") && log.contains("exit status: 3"), "{log}");
}

#[test]
fn scripts_in_python_are_run_where_there_is_one_and_bad_ones_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    script(path, "bin/python3", "#!/bin/sh\nexec /bin/sh \"$@\"\n", 0o755);
    let said = path.join("said");
    script(path, "ready.d/a.py", &format!("echo from python > {}\n", said.display()), 0o644);
    script(path, "ready.d/b.sh", "#!/nowhere/bash\n", 0o755);
    script(path, "ready.d/c.sh", "echo no first line\n", 0o755);
    let start = |with: &Path| {
        let mut command = compat();
        command.env("PATH", with).args(["--init-dir", path.to_str().unwrap()]);
        Server::start(&mut command)
    };
    let server = start(&path.join("bin"));
    assert_eq!(std::fs::read_to_string(&said).unwrap(), "from python\n");
    let (_, _, log) = server.terminate();
    assert!(log.contains("the interpreter in its first line does not exist"), "{log}");
    assert!(log.contains("no first line such as #!/bin/sh"), "{log}");
    let (_, _, log) = start(&path.join("ready.d")).terminate();
    assert!(log.contains("a.py") && log.contains("there is no python3 on the PATH"), "{log}");
}

#[test]
fn pages_of_known_origins_may_call() {
    let mut command = compat();
    command.env("EXTRA_CORS_ALLOWED_ORIGINS", "https://shop.example");
    let server = Server::start(&mut command);
    let ask = |origin: &str| {
        let mut connection = server.connect();
        let request = format!(
            "OPTIONS / HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\n\
             Access-Control-Request-Method: POST\r\nContent-Length: 0\r\n\r\n"
        );
        connection.write(request.as_bytes()).unwrap();
        connection.read().unwrap().0
    };
    assert_eq!(ask("https://shop.example"), 204);
    assert_eq!(ask("http://localhost:3000"), 204);
    assert_eq!(ask("https://evil.example"), 403);
}

#[test]
fn with_persistence_what_was_made_is_there_at_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = compat();
        command.env("PERSISTENCE", "1").env("DATA_DIR", directory.path());
        Server::start(&mut command)
    };
    let server = start();
    server.connect().ok("CreateQueue", &json!({"QueueName": "q"}));
    server.terminate();
    let server = start();
    let found = server.connect().ok("GetQueueUrl", &json!({"QueueName": "q"}));
    assert_eq!(found["QueueUrl"], "http://localhost/000000000000/q");
}
