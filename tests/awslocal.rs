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
                queues { orders { defaultVisibilityTimeout = 7 seconds\n\
                deadLettersQueue { name = dead, maxReceiveCount = 2 } }, dead { } }\n\
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
    let address = address.split(',').next().unwrap().to_owned();
    let mut connection = process::Connection::open(&address);
    let asked = json!({"QueueUrl": "orders", "AttributeNames": ["All"]});
    let attributes = connection.ok("GetQueueAttributes", &asked);
    assert_eq!(attributes["Attributes"]["VisibilityTimeout"], "7");
    process.kill().unwrap();
    let log = String::from_utf8(process.wait_with_output().unwrap().stderr).unwrap();
    assert!(log.contains("unknown key `colour` of queues.orders is ignored"), "{log}");
}
