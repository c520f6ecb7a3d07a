//! `awslocal` as scripts call it, against the server of this workspace.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod server;

use serde_json::{Value, json};
use server::Server;
use std::process::Command;

/// What a call prints, and its exit status.
#[derive(Debug, PartialEq)]
struct Outcome {
    status: Option<i32>,
    output: String,
    error: String,
}

fn outcome(command: &mut Command) -> Outcome {
    let output = command.output().unwrap();
    Outcome {
        status: output.status.code(),
        output: String::from_utf8(output.stdout).unwrap(),
        error: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The program with nothing of this process's environment.
fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_awslocal"));
    command.env_clear().args(arguments);
    command
}

fn awslocal(server: &Server, arguments: &[&str]) -> Outcome {
    outcome(program(arguments).env("AWS_ENDPOINT_URL", &server.url))
}

fn ok(server: &Server, arguments: &[&str]) -> String {
    let outcome = awslocal(server, arguments);
    assert_eq!(
        (outcome.status, outcome.error.as_str()),
        (Some(0), ""),
        "{arguments:?} {outcome:?}"
    );
    outcome.output
}

#[test]
fn a_script_makes_what_it_needs_and_reads_what_it_made() {
    let server = Server::start(&[], &[]);
    let url = format!("{}/000000000000/dlq\n", server.url);
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
    let server = Server::start(&[], &[]);
    for index in 0..230 {
        let call = format!("Action=CreateTopic&Version=2010-03-31&Name=t{index}");
        let form = "application/x-www-form-urlencoded";
        ureq::post(&server.url).header("content-type", form).send(&call).unwrap();
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
    let server = Server::start(&[], &[]);
    ok(&server, &["sqs", "create-queue", "--queue-name", "orders"]);
    let found = "QueueUrls[?ends_with(@, `/orders`)] | [0]";
    let listed = ok(&server, &["sqs", "list-queues", "--query", found, "--output", "text"]);
    assert_eq!(listed, format!("{}/000000000000/orders\n", server.url));
    let empty = ["sqs", "list-queues", "--queue-name-prefix", "x", "--output", "text"];
    assert_eq!(ok(&server, &empty), "None\n");
    ok(&server, &["sqs", "send-message", "--queue-url", "orders", "--message-body", "help"]);
    let endpoint = format!("{}/_aws/sqs/messages", server.url);
    let look = ["--endpoint", &endpoint, "sqs", "receive-message", "--queue", "orders"];
    for _ in 0..2 {
        let seen: Value = serde_json::from_str(&outcome(&mut program(&look)).output).unwrap();
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
    let path = env!("CARGO_BIN_EXE_awslocal");
    let text = format!(
        "#!/bin/sh\nset -e\naws() {{ {path} \"$@\"; }}\n\
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
    let directory = home.path().to_str().unwrap();
    let server = Server::start(&["--init-dir", directory], &[("HOME", directory)]);
    let listed = |region: &str, account: &str| {
        let mut command = program(&["sqs", "list-queues", "--region", region]);
        command.args(["--query", "QueueUrls", "--output", "text"]);
        command.env("AWS_ENDPOINT_URL", &server.url);
        outcome(command.env("AWS_ACCESS_KEY_ID", account)).output
    };
    let url = |account: &str, name: &str| format!("{}/{account}/{name}\n", server.url);
    let usual = "000000000000";
    assert_eq!(listed("us-east-1", usual), url(usual, "before"));
    assert_eq!(listed("eu-west-1", usual), url(usual, "usual"));
    assert_eq!(listed("eu-west-1", "000000000001"), "None\n");
    assert_eq!(listed("us-east-1", "000000000001"), url("000000000001", "others"));
    assert_eq!(listed("eu-west-2", usual), url(usual, "said"));
}

#[test]
fn refusals_and_mistakes_end_it_as_the_aws_cli_ends() {
    let server = Server::start(&[], &[]);
    let refused = awslocal(&server, &["sqs", "get-queue-url", "--queue-name", "nope"]);
    assert_eq!(
        refused,
        Outcome {
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
    let nowhere =
        outcome(&mut program(&["--endpoint-url", "http://127.0.0.1:1", "sqs", "list-queues"]));
    assert_eq!(nowhere.status, Some(255));
    assert!(nowhere.error.contains("Could not connect to the endpoint URL"), "{nowhere:?}");
}

#[test]
fn calls_are_signed_with_the_keys_and_the_region_of_the_environment() {
    let key = [("SQUAB_ACCESS_KEY_ID", "AKIA1"), ("SQUAB_SECRET_ACCESS_KEY", "secret")];
    let server = Server::start(&[], &key);
    let call = |secret: &str| {
        let mut command = program(&["sns", "create-topic", "--name", "t", "--region", "eu-west-1"]);
        command.env("AWS_ENDPOINT_URL", &server.url);
        outcome(command.env("AWS_ACCESS_KEY_ID", "AKIA1").env("AWS_SECRET_ACCESS_KEY", secret))
    };
    assert!(call("secret").output.contains("arn:aws:sns:eu-west-1:000000000000:t"));
    assert_eq!(call("wrong").status, Some(254));
}

#[test]
fn it_is_called_aws_too_and_init_hooks_find_the_server_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let aws = directory.path().join("aws");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_awslocal"), &aws).unwrap();
    let ready = directory.path().join("ready.d");
    std::fs::create_dir(&ready).unwrap();
    let script = ready.join("make.sh");
    let text = format!("#!/bin/sh\n{} sqs create-queue --queue-name made\n", aws.display());
    std::fs::write(&script, text).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).unwrap();
    let init = directory.path().to_str().unwrap();
    let server = Server::start(&["--init-dir", init], &[]);
    ok(&server, &["sqs", "get-queue-url", "--queue-name", "made"]);
}
