//! `squab awslocal` as scripts call it, and files of other servers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod process;

use process::{Server, squab};
use serde_json::{Value, json};
use std::process::Command;

/// What a call prints, and how it ends.
#[derive(Debug, PartialEq)]
struct Said {
    status: Option<i32>,
    output: String,
    error: String,
}

fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    Said {
        status: output.status.code(),
        output: String::from_utf8(output.stdout).unwrap(),
        error: String::from_utf8(output.stderr).unwrap(),
    }
}

fn awslocal(server: &Server, arguments: &[&str]) -> Said {
    let mut command = squab(&["awslocal"]);
    command.env("AWS_ENDPOINT_URL", format!("http://{}", server.address));
    said(command.args(arguments))
}

fn ok(server: &Server, arguments: &[&str]) -> String {
    let said = awslocal(server, arguments);
    assert_eq!((said.status, said.error.as_str()), (Some(0), ""), "{arguments:?} {said:?}");
    said.output
}

#[test]
fn a_script_makes_what_it_needs_and_reads_what_it_made() {
    let server = Server::start(&mut squab(&["--ephemeral"]));
    let url = format!("http://{}/000000000000/dlq\n", server.address);
    let create = ["sqs", "create-queue", "--queue-name", "dlq", "--query", "QueueUrl"];
    assert_eq!(ok(&server, &[&create[..], &["--output", "text"]].concat()), url);
    let policy = r#"{"RedrivePolicy": "{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:000000000000:dlq\",\"maxReceiveCount\":\"3\"}", "VisibilityTimeout": "45"}"#;
    let orders = ["sqs", "create-queue", "--queue-name", "orders", "--attributes", policy];
    ok(&server, &[&orders[..], &["--tags", "team=shop,tier=1"]].concat());
    let tags: Value =
        serde_json::from_str(&ok(&server, &["sqs", "list-queue-tags", "--queue-url", "orders"]))
            .unwrap();
    assert_eq!(tags, json!({"Tags": {"team": "shop", "tier": "1"}}));
    let topic = ok(
        &server,
        &["sns", "create-topic", "--name", "t", "--query", "TopicArn", "--output", "text"],
    );
    let topic = topic.trim_end();
    assert_eq!(topic, "arn:aws:sns:us-east-1:000000000000:t");
    let queue = "arn:aws:sqs:us-east-1:000000000000:orders";
    let subscribe = ["sns", "subscribe", "--topic-arn", topic, "--protocol", "sqs"];
    let to = ["--notification-endpoint", queue, "--attributes", "RawMessageDelivery=true"];
    ok(&server, &[&subscribe[..], &to].concat());
    let publish = ["sns", "publish", "--topic-arn", topic, "--message", "one espresso"];
    let attributes = ["--message-attributes", "kind={DataType=String,StringValue=order}"];
    ok(&server, &[&publish[..], &attributes].concat());
    let receive = ["sqs", "receive-message", "--queue-url", "orders", "--message-attribute-names"];
    let query = ["All", "--query", "Messages[0].[Body,MessageAttributes.kind.StringValue]"];
    let received = ok(&server, &[&receive[..], &query, &["--output", "text"]].concat());
    assert_eq!(received, "one espresso\torder\n");
    let account = ["sts", "get-caller-identity", "--query", "Account", "--output", "text"];
    assert_eq!(ok(&server, &account), "000000000000\n");
    // What answers nothing prints nothing.
    assert_eq!(ok(&server, &["sqs", "purge-queue", "--queue-url", "orders"]), "");
    assert_eq!(ok(&server, &["sqs", "receive-message", "--queue-url", "orders"]), "");
}

#[test]
fn all_pages_are_shown_as_one() {
    let server = Server::start(&mut squab(&["--ephemeral"]));
    let mut connection = server.connect();
    for index in 0..230 {
        connection.sns("CreateTopic", &[("Name", &format!("t{index}"))]).unwrap();
    }
    let count = ["sns", "list-topics", "--query", "length(Topics)"];
    assert_eq!(ok(&server, &count), "230\n");
    assert_eq!(ok(&server, &[&count[..], &["--no-paginate"]].concat()), "100\n");
    let some = ["sns", "list-topics", "--max-items", "120", "--output", "json"];
    let page: Value = serde_json::from_str(&ok(&server, &some)).unwrap();
    assert_eq!(page["Topics"].as_array().unwrap().len(), 120);
    let token = page["NextToken"].as_str().unwrap();
    let rest = ["--starting-token", token, "--page-size", "7"];
    assert_eq!(ok(&server, &[&count[..], &rest].concat()), "110\n");
    let table = ok(&server, &["sns", "list-topics", "--max-items", "1", "--output", "table"]);
    assert!(table.contains("ListTopics"), "{table}");
    let yaml = ok(&server, &["sns", "list-topics", "--max-items", "1", "--output", "yaml"]);
    assert!(yaml.starts_with("Topics:\n"), "{yaml}");
}

/// What scripts do with the AWS CLI beside plain calls.
#[test]
fn scripts_may_cut_options_short_search_without_quotes_and_look_without_receiving() {
    let server = Server::start(&mut squab(&["--ephemeral"]));
    ok(&server, &["sqs", "create-queue", "--queue-name", "orders"]);
    let found = "QueueUrls[?ends_with(@, `/orders`)] | [0]";
    let listed = ok(&server, &["sqs", "list-queues", "--query", found, "--output", "text"]);
    assert_eq!(listed, format!("http://{}/000000000000/orders\n", server.address));
    let empty = ["sqs", "list-queues", "--queue-name-prefix", "x", "--output", "text"];
    assert_eq!(ok(&server, &empty), "None\n");
    ok(&server, &["sqs", "send-message", "--queue-url", "orders", "--message-body", "help"]);
    let endpoint = format!("http://{}/_aws/sqs/messages", server.address);
    let look = ["awslocal", "--endpoint", &endpoint, "sqs", "receive-message", "--queue", "orders"];
    for _ in 0..2 {
        let seen: Value = serde_json::from_str(&said(&mut squab(&look)).output).unwrap();
        assert_eq!(seen["Messages"][0]["Body"], "help");
        assert_eq!(seen["Messages"][0]["ReceiptHandle"], "SQS/BACKDOOR/ACCESS");
    }
    let count = ["sqs", "get-queue-attributes", "--queue-url", "orders", "--attribute-name", "All"];
    let query = ["--query", "Attributes.ApproximateNumberOfMessages", "--output", "text"];
    assert_eq!(ok(&server, &[&count[..], &query].concat()), "1\n");
    ok(&server, &["sns", "create-topic", "--name", "t"]);
    let topic = "arn:aws:sns:us-east-1:000000000000:t";
    let subscribe = ["sns", "subscribe", "--topic-arn", topic, "--protocol", "email"];
    let to = ["--notification-endpoint", "a@example.com", "--output", "text"];
    let subscribe = [&subscribe[..], &to].concat();
    assert_eq!(ok(&server, &subscribe), "pending confirmation\n");
    let arn = ok(&server, &[&subscribe[..], &["--return-subscription-arn"]].concat());
    assert!(arn.starts_with(&format!("{topic}:")), "{arn}");
}

#[test]
fn what_is_configured_in_a_script_counts_in_it() {
    let home = tempfile::tempdir().unwrap();
    let ready = home.path().join("ready.d");
    std::fs::create_dir(&ready).unwrap();
    let script = ready.join("make.sh");
    let squab_path = env!("CARGO_BIN_EXE_squab");
    let text = format!(
        "#!/bin/sh\nset -e\naws() {{ {squab_path} awslocal \"$@\"; }}\n\
         aws sqs create-queue --queue-name before\n\
         aws configure set region eu-west-1\n\
         aws configure set aws_access_key_id 000000000001 --profile other\n\
         aws configure set aws_secret_access_key test --profile other\n\
         aws sqs create-queue --queue-name usual\n\
         aws --profile other sqs create-queue --queue-name others\n\
         AWS_DEFAULT_REGION=eu-west-2 aws sqs create-queue --queue-name said\n"
    );
    std::fs::write(&script, text).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).unwrap();
    let mut command = squab(&["--ephemeral", "--init-dir", home.path().to_str().unwrap()]);
    let server = Server::start(command.env("HOME", home.path()));
    let listed = |region: &str, account: &str| {
        let mut command = squab(&["awslocal", "sqs", "list-queues", "--region", region]);
        command.args(["--query", "QueueUrls", "--output", "text"]);
        command.env("AWS_ENDPOINT_URL", format!("http://{}", server.address));
        said(command.env("AWS_ACCESS_KEY_ID", account)).output
    };
    let url = |account: &str, name: &str| format!("http://{}/{account}/{name}\n", server.address);
    let usual = "000000000000";
    assert_eq!(listed("us-east-1", usual), url(usual, "before"));
    assert_eq!(listed("eu-west-1", usual), url(usual, "usual"));
    assert_eq!(listed("eu-west-1", "000000000001"), "None\n");
    assert_eq!(listed("us-east-1", "000000000001"), url("000000000001", "others"));
    assert_eq!(listed("eu-west-2", usual), url(usual, "said"));
}

#[test]
fn refusals_and_mistakes_end_it_as_the_aws_cli_ends() {
    let server = Server::start(&mut squab(&["--ephemeral"]));
    let refused = awslocal(&server, &["sqs", "get-queue-url", "--queue-name", "nope"]);
    assert_eq!(
        refused,
        Said {
            status: Some(254),
            output: String::new(),
            error:
                "\nAn error occurred (AWS.SimpleQueueService.NonExistentQueue) when calling the \
                    GetQueueUrl operation: The specified queue does not exist.\n"
                    .to_owned(),
        }
    );
    let none = "arn:aws:sns:us-east-1:000000000000:none";
    let refused = awslocal(&server, &["sns", "publish", "--topic-arn", none, "--message", "x"]);
    let error =
        "\nAn error occurred (NotFound) when calling the Publish operation: Topic does not exist\n";
    assert_eq!((refused.status, refused.error.as_str()), (Some(254), error));
    let mistaken = awslocal(&server, &["sqs", "get-queue-url"]);
    assert_eq!(mistaken.status, Some(252));
    assert!(mistaken.error.contains("are required: --queue-name"), "{mistaken:?}");
    assert_eq!(awslocal(&server, &["s3", "ls"]).status, Some(252));
    let mut nowhere =
        squab(&["awslocal", "--endpoint-url", "http://127.0.0.1:1", "sqs", "list-queues"]);
    let nowhere = said(&mut nowhere);
    assert_eq!(nowhere.status, Some(255));
    assert!(nowhere.error.contains("Could not connect to the endpoint URL"), "{nowhere:?}");
}

#[test]
fn calls_are_signed_with_the_keys_and_the_region_of_the_environment() {
    let mut command = squab(&["--ephemeral"]);
    command.env("SQUAB_ACCESS_KEY_ID", "AKIA1").env("SQUAB_SECRET_ACCESS_KEY", "secret");
    let server = Server::start(&mut command);
    let call = |secret: &str| {
        let mut command =
            squab(&["awslocal", "sns", "create-topic", "--name", "t", "--region", "eu-west-1"]);
        command.env("AWS_ENDPOINT_URL", format!("http://{}", server.address));
        said(command.env("AWS_ACCESS_KEY_ID", "AKIA1").env("AWS_SECRET_ACCESS_KEY", secret))
    };
    assert!(call("secret").output.contains("arn:aws:sns:eu-west-1:000000000000:t"));
    assert_eq!(call("wrong").status, Some(254));
}

#[test]
fn called_by_the_name_aws_it_is_the_client_and_hooks_find_the_server_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let aws = directory.path().join("aws");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_squab"), &aws).unwrap();
    let ready = directory.path().join("ready.d");
    std::fs::create_dir(&ready).unwrap();
    let script = ready.join("make.sh");
    let text = format!("#!/bin/sh\n{} sqs create-queue --queue-name made\n", aws.display());
    std::fs::write(&script, text).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).unwrap();
    let init = directory.path().to_str().unwrap();
    let server = Server::start(&mut squab(&["--ephemeral", "--init-dir", init]));
    server.connect().ok("GetQueueUrl", &json!({"QueueName": "made"}));
}

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
    let mut connection = process::Connection::open(address);
    let attribute = |connection: &mut process::Connection, queue: &str, name: &str| {
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
    let count = |connection: &mut process::Connection, queue: &str| {
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

/// Users of goaws, and of ElasticMQ, sign for whatever their configuration says, and mean the same
/// queues.
#[test]
fn where_there_is_one_region_everybody_is_in_it() {
    for (mode, its_region) in [("--compat=goaws", "local"), ("--one-region", "us-east-1")] {
        let server = Server::start(&mut squab(&[mode, "--ephemeral"]));
        let in_region = |region: &str, arguments: &[&str]| {
            let arguments = [arguments, &["--region", region, "--output", "text"]].concat();
            ok(&server, &arguments)
        };
        in_region("eu-west-1", &["sqs", "create-queue", "--queue-name", "q"]);
        let host = &server.address;
        for url in [
            format!("http://{host}/000000000000/q"),
            format!("http://{host}/queue/us-west-2/000000000000/q"),
            format!("http://us-west-2.queue.localhost:{}/000000000000/q", 4566),
        ] {
            let attributes = ["sqs", "get-queue-attributes", "--attribute-names", "QueueArn"];
            let of = ["--queue-url", &url, "--query", "Attributes.QueueArn"];
            let arn = in_region("ap-south-1", &[&attributes[..], &of].concat());
            assert_eq!(arn, format!("arn:aws:sqs:{its_region}:000000000000:q\n"), "{url}");
        }
        let endpoint = format!("http://{host}/_aws/sqs/messages/us-west-2/000000000000/q");
        let look = ["awslocal", "--endpoint-url", &endpoint, "sqs", "receive-message"];
        let looked = said(&mut squab(&[&look[..], &["--queue-url", "q"]].concat()));
        assert_eq!((looked.status, looked.error.as_str()), (Some(0), ""));
    }
    // Nobody says so elsewhere.
    let server = Server::start(&mut squab(&["--compat", "localstack"]));
    ok(&server, &["sqs", "create-queue", "--queue-name", "q", "--region", "eu-west-1"]);
    assert_eq!(ok(&server, &["sqs", "list-queues"]), "");
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
    let account = ["sts", "get-caller-identity", "--query", "Account", "--output", "text"];
    assert_eq!(ok(&server, &account), "123456789012\n");
    let made = ok(&server, &["sqs", "create-queue", "--queue-name", "q"]);
    assert!(made.contains("/123456789012/q"), "{made}");
    let mut other = squab(&["awslocal", "sqs", "list-queues"]);
    other.env("AWS_ENDPOINT_URL", format!("http://{}", server.address));
    assert_eq!(said(other.env("AWS_ACCESS_KEY_ID", "000000000001")).output, "");
}

/// An access key belongs where its calls are made, known or not.
#[test]
fn the_account_of_the_settings_is_that_of_all_keys_that_name_none() {
    let mut command = squab(&["--ephemeral", "--account", "111122223333", "--auth", "known-keys"]);
    command.env("SQUAB_ACCESS_KEY_ID", "AKIA1").env("SQUAB_SECRET_ACCESS_KEY", "secret");
    let server = Server::start(&mut command);
    let call = |key: &str, arguments: &[&str]| {
        let mut command = squab(&["awslocal", "sts"]);
        command.args(arguments).args(["--query", "Account", "--output", "text"]);
        command.env("AWS_ENDPOINT_URL", format!("http://{}", server.address));
        let secret = if key == "AKIA1" { "secret" } else { "test" };
        let said = said(command.env("AWS_ACCESS_KEY_ID", key).env("AWS_SECRET_ACCESS_KEY", secret));
        assert_eq!((said.status, said.error.as_str()), (Some(0), ""));
        said.output
    };
    for (key, account) in [
        ("AKIA1", "111122223333"),
        ("stranger", "111122223333"),
        ("444455556666", "444455556666"),
        ("LSIAY34FZKBOKMUTVV7A", "609629065308"),
    ] {
        assert_eq!(call(key, &["get-caller-identity"]), format!("{account}\n"), "{key}");
        let told = call("AKIA1", &["get-access-key-info", "--access-key-id", key]);
        assert_eq!(told, format!("{account}\n"), "{key}");
    }
}

#[test]
fn the_file_that_fauxqs_is_given_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("init.json");
    std::fs::write(&file, r#"{"queues": [{"name": "q"}]}"#).unwrap();
    let server = Server::start(squab(&["--ephemeral"]).env("FAUXQS_INIT", &file));
    server.connect().ok("GetQueueUrl", &json!({"QueueName": "q"}));
}
