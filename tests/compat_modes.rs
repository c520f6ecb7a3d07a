//! Squab as a replacement for other servers: modes, accounts, regions and imported files.

use crate::process::{Connection, Server, squab};
use serde_json::json;

#[test]
fn in_the_place_of_elasticmq_it_says_so_and_has_the_queues_of_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("elasticmq.conf");
    let text = "include classpath(\"application.conf\")\n\
                node-address { protocol = https, host = queues, port = 1, context-path = /sqs }\n\
                rest-sqs { bind-port = 9324, sqs-limits = relaxed }\n\
                aws { region = eu-west-1, accountId = 123456789012 }\n\
                queues { orders { defaultVisibilityTimeout = 7 seconds\n\
                deadLettersQueue { name = dead, maxReceiveCount = 2 } }, dead { } }\n\
                queues { watched { copyTo = audit, moveTo = orders }, audit { copyTo = watched } }\n\
                queues.early.moveTo = made-later\n\
                auto-create-queues { enabled = true, template { delay = 9 seconds } }\n\
                queues.orders.colour = red\n";
    std::fs::write(&file, text).unwrap();
    let mut process = squab(&["--compat", "elasticmq", "--listen", "127.0.0.1:0", "--import"])
        .arg(&file)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines =
        std::io::BufRead::lines(std::io::BufReader::new(process.stdout.take().unwrap()));
    let first = lines.next().unwrap().unwrap();
    let address = first.strip_prefix("Started SQS rest server, bind address ").unwrap();
    let (address, visible) = address.split_once(", visible server address ").unwrap();
    assert_eq!(visible, "https://queues:1/sqs");
    let second = lines.next().unwrap().unwrap();
    let took = second.split_once(" started in ").unwrap().1.strip_suffix(" ms ===").unwrap();
    took.parse::<u32>().unwrap();
    assert!(second.starts_with("=== ElasticMQ server ("), "{second}");
    let mut connection = Connection::open(address);
    let attribute = |connection: &mut Connection, queue: &str, name: &str| {
        let asked = json!({"QueueUrl": queue, "AttributeNames": ["All"]});
        let attributes = connection.ok("GetQueueAttributes", &asked);
        attributes["Attributes"][name].as_str().unwrap().to_owned()
    };
    assert_eq!(attribute(&mut connection, "orders", "VisibilityTimeout"), "7");
    let arn = attribute(&mut connection, "orders", "QueueArn");
    assert_eq!(arn, "arn:aws:sqs:eu-west-1:123456789012:orders");
    let url = connection.ok("GetQueueUrl", &json!({"QueueName": "orders"}));
    assert_eq!(url["QueueUrl"], "https://queues:1/sqs/123456789012/orders");
    let url = "https://queues:1/sqs/123456789012/watched";

    // One goes to orders instead and a copy to audit, whose own copies go nowhere.
    let entries: Vec<_> =
        (0..11).map(|n| json!({"Id": n.to_string(), "MessageBody": "m"})).collect();
    let outcome = connection.ok("SendMessageBatch", &json!({"QueueUrl": url, "Entries": entries}));
    assert_eq!(outcome["Successful"].as_array().unwrap().len(), 11);
    let count = |connection: &mut Connection, queue: &str| {
        attribute(connection, queue, "ApproximateNumberOfMessages")
    };
    let counts = ["watched", "orders", "audit"].map(|queue| count(&mut connection, queue));
    assert_eq!(counts, ["0", "11", "11"]);
    connection.ok("SendMessage", &json!({"QueueUrl": "audit", "MessageBody": "m"}));
    let counts = ["watched", "orders", "audit"].map(|queue| count(&mut connection, queue));
    assert_eq!(counts, ["1", "11", "12"]);
    let (_, topic) = connection.sns("CreateTopic", &[("Name", "t")]).unwrap();
    assert!(topic.contains("arn:aws:sns:eu-west-1:123456789012:t"), "{topic}");
    let topic = "arn:aws:sns:eu-west-1:123456789012:t";
    let watched = "arn:aws:sqs:eu-west-1:123456789012:watched";
    let subscription = [("TopicArn", topic), ("Protocol", "sqs"), ("Endpoint", watched)];
    assert_eq!(connection.sns("Subscribe", &subscription).unwrap().0, 200);
    connection.sns("Publish", &[("TopicArn", topic), ("Message", "m")]).unwrap();
    assert_eq!(count(&mut connection, "orders"), "12");

    // What cannot go elsewhere stays, and a queue that is used is made, with its template.
    let send = |queue: &str| json!({"QueueUrl": queue, "MessageBody": "m"});
    connection.ok("SendMessage", &send("early"));
    assert_eq!(count(&mut connection, "early"), "1");
    connection.ok("SendMessage", &send("made-later"));
    assert_eq!(attribute(&mut connection, "made-later", "DelaySeconds"), "9");
    connection.ok("SendMessage", &send("early"));
    assert_eq!(count(&mut connection, "early"), "1");
    let delayed = attribute(&mut connection, "made-later", "ApproximateNumberOfMessagesDelayed");
    assert_eq!(delayed, "2");
    connection.ok("GetQueueUrl", &json!({"QueueName": "made.fifo"}));
    assert_eq!(attribute(&mut connection, "made.fifo", "FifoQueue"), "true");
    let no_name = json!({"QueueName": "no.name"});
    assert_eq!(connection.call("GetQueueUrl", &no_name).unwrap().0, 400);
    process.kill().unwrap();
    let log = String::from_utf8(process.wait_with_output().unwrap().stderr).unwrap();
    assert!(log.contains("unknown key `colour` of queues.orders is ignored"), "{log}");
}

/// Users of goaws and ElasticMQ sign for any region, and always mean the same queues.
#[test]
fn with_one_region_every_caller_is_in_it() {
    for (mode, its_region) in [("--compat=goaws", "local"), ("--one-region", "us-east-1")] {
        let server = Server::start(&mut squab(&[mode, "--ephemeral"]));
        let mut connection = server.connect();
        connection.act_as("test", "eu-west-1");
        connection.ok("CreateQueue", &json!({"QueueName": "q"}));
        connection.act_as("test", "ap-south-1");
        let host = &server.address;
        for url in [
            format!("http://{host}/000000000000/q"),
            format!("http://{host}/queue/us-west-2/000000000000/q"),
            format!("http://us-west-2.queue.localhost:{}/000000000000/q", 4566),
        ] {
            let input = json!({"QueueUrl": url, "AttributeNames": ["QueueArn"]});
            let arn = connection.ok("GetQueueAttributes", &input)["Attributes"]["QueueArn"].take();
            assert_eq!(arn, format!("arn:aws:sqs:{its_region}:000000000000:q"), "{url}");
        }
        let look = "GET /_aws/sqs/messages/us-west-2/000000000000/q HTTP/1.1\r\nHost: x\r\n\r\n";
        connection.write(look.as_bytes()).unwrap();
        assert_eq!(connection.read().unwrap().0, 200);
    }
    // Other modes keep regions apart.
    let server = Server::start(&mut squab(&["--compat", "localstack"]));
    let mut connection = server.connect();
    connection.act_as("test", "eu-west-1");
    connection.ok("CreateQueue", &json!({"QueueName": "q"}));
    connection.act_as("test", "us-east-1");
    assert_eq!(connection.ok("ListQueues", &json!({})), json!({}));
}

#[test]
fn what_a_queue_forwards_survives_and_must_fit() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("squab.toml");
    let data = directory.path().join("data");
    let start = |text: &str| {
        std::fs::write(&config, text).unwrap();
        let (config, data) = (config.to_str().unwrap(), data.to_str().unwrap());
        Server::try_start(&mut squab(&["--config", config, "--data", data]))
    };
    let received = |server: &Server, queue: &str| {
        let mut connection = server.connect();
        connection.ok("SendMessage", &json!({"QueueUrl": "a", "MessageBody": "m"}));
        let received = connection.ok("ReceiveMessage", &json!({"QueueUrl": queue}));
        received["Messages"].as_array().map_or(0, Vec::len)
    };
    start("[queues.a]\nmove_to = 'b'\n[queues.b]\n").unwrap().terminate();
    // What the file does not mention is left as it is.
    let server = start("[queues.a]\n").unwrap();
    assert_eq!(received(&server, "b"), 1);
    server.terminate();
    let server = start("[queues.a]\nmove_to = ''\n").unwrap();
    assert_eq!((received(&server, "b"), received(&server, "a")), (0, 1));
    server.terminate();
    let refused = start("[queues.a]\ncopy_to = 'c.fifo'\n").map(drop).unwrap_err();
    assert!(refused.contains("the declared queue a"), "{refused}");
}

#[test]
fn in_the_place_of_moto_the_account_is_its_own() {
    let server = Server::start(&mut squab(&["--compat", "moto"]));
    let mut connection = server.connect();
    assert_eq!(account(&mut connection, "GetCallerIdentity", &[]), "123456789012");
    let made = connection.ok("CreateQueue", &json!({"QueueName": "q"}));
    assert!(made["QueueUrl"].as_str().unwrap().ends_with("/123456789012/q"), "{made}");
    connection.act_as("000000000001", "us-east-1");
    assert_eq!(connection.ok("ListQueues", &json!({})), json!({}));
}

#[test]
fn the_account_of_the_settings_is_that_of_all_keys_that_name_none() {
    let mut command = squab(&["--ephemeral", "--account", "111122223333", "--auth", "off"]);
    command.env("SQUAB_ACCESS_KEY_ID", "AKIA1").env("SQUAB_SECRET_ACCESS_KEY", "secret");
    let server = Server::start(&mut command);
    let mut connection = server.connect();
    for (key, expected) in [
        ("AKIA1", "111122223333"),
        ("stranger", "111122223333"),
        ("444455556666", "444455556666"),
        ("LSIAY34FZKBOKMUTVV7A", "609629065308"),
    ] {
        connection.act_as(key, "us-east-1");
        assert_eq!(account(&mut connection, "GetCallerIdentity", &[]), expected, "{key}");
        connection.act_as("AKIA1", "us-east-1");
        let asked = [("AccessKeyId", key)];
        assert_eq!(account(&mut connection, "GetAccessKeyInfo", &asked), expected, "{key}");
    }
}

/// The account in the answer of an operation of STS.
fn account(connection: &mut Connection, action: &str, parameters: &[(&str, &str)]) -> String {
    let (status, body) = connection.sns(action, parameters).unwrap();
    assert_eq!(status, 200, "{body}");
    let (_, rest) = body.split_once("<Account>").unwrap();
    rest.split_once('<').unwrap().0.to_owned()
}

#[test]
fn the_file_that_fauxqs_is_given_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("init.json");
    std::fs::write(&file, r#"{"queues": [{"name": "q"}]}"#).unwrap();
    let server = Server::start(squab(&["--ephemeral"]).env("FAUXQS_INIT", &file));
    server.connect().ok("GetQueueUrl", &json!({"QueueName": "q"}));
}
