"""The AWS command line, sqs."""

import json

import pytest

from suite.command_line import CommandLine
from suite.digests import md5_of_attributes, md5_of_body
from suite.service import text, unique


@pytest.fixture
def aws(endpoint, tmp_path):
    """`aws sqs …`."""
    return CommandLine("sqs", endpoint, tmp_path)


@pytest.mark.behaviour("programs-08", "queues-01", "messages-01", "messages-03", "attributes-01")
def test_send_receive_delete(aws, json_sqs):
    name = unique()
    url = aws("create-queue", "--queue-name", name, "--tags", "team=birds")["QueueUrl"]
    json_sqs.adopt(name, url)
    attributes = {"k": text("x"), "n": {"DataType": "Number", "StringValue": "7"}}
    told = ("--message-attributes", json.dumps(attributes))
    sent = aws("send-message", "--queue-url", url, "--message-body", "größe 🐦", *told)
    assert sent["MD5OfMessageBody"] == md5_of_body("größe 🐦")
    assert sent["MD5OfMessageAttributes"] == md5_of_attributes(attributes)
    asked = (
        "--wait-time-seconds",
        "5",
        "--attribute-names",
        "All",
        "--message-attribute-names",
        "All",
    )
    (message,) = aws("receive-message", "--queue-url", url, *asked)["Messages"]
    assert message["Body"] == "größe 🐦"
    assert message["MessageAttributes"] == attributes
    assert message["MD5OfMessageAttributes"] == md5_of_attributes(attributes)
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert (
        aws("delete-message", "--queue-url", url, "--receipt-handle", message["ReceiptHandle"])
        is None
    )
    assert aws("receive-message", "--queue-url", url, "--wait-time-seconds", "1") is None


@pytest.mark.behaviour("programs-08", "batches-01", "batches-03")
def test_batch_from_a_file(aws, json_sqs, tmp_path):
    queue = json_sqs.queue(MaximumMessageSize=1024)
    file = tmp_path / "entries.json"
    file.write_text(
        json.dumps(
            [{"Id": "small", "MessageBody": "a"}, {"Id": "large", "MessageBody": "a" * 1025}]
        )
    )
    answer = aws("send-message-batch", "--queue-url", queue.url, "--entries", f"file://{file}")
    assert [s["Id"] for s in answer["Successful"]] == ["small"]
    assert [(f["Id"], f["Code"], f["SenderFault"]) for f in answer["Failed"]] == [
        ("large", "InvalidParameterValue", True)
    ]
    assert queue.bodies() == ["a"]


@pytest.mark.behaviour("programs-08", "queues-07", "dlq-05")
def test_attributes(aws, json_sqs, tmp_path):
    dlq, queue = json_sqs.queue(), json_sqs.queue()
    policy = json.dumps({"deadLetterTargetArn": dlq.arn, "maxReceiveCount": "5"})
    file = tmp_path / "attributes.json"
    file.write_text(json.dumps({"RedrivePolicy": policy, "VisibilityTimeout": "7"}))
    assert (
        aws("set-queue-attributes", "--queue-url", queue.url, "--attributes", f"file://{file}")
        is None
    )
    asked = ("--attribute-names", "RedrivePolicy", "VisibilityTimeout")
    shown = aws("get-queue-attributes", "--queue-url", queue.url, *asked)["Attributes"]
    assert shown["VisibilityTimeout"] == "7"
    assert json.loads(shown["RedrivePolicy"])["deadLetterTargetArn"] == dlq.arn


@pytest.mark.behaviour("programs-08", "errors-01", "queues-06")
def test_error(aws):
    done = aws("get-queue-url", "--queue-name", unique(), fails=True)
    expected = (
        "An error occurred (AWS.SimpleQueueService.NonExistentQueue) when calling the GetQueueUrl "
        "operation: The specified queue does not exist."
    )
    assert expected in done.stderr
    assert done.stdout == ""


@pytest.mark.behaviour("programs-08", "listing-02")
def test_list_follows_the_pages(aws, json_sqs):
    prefix = unique("cli")
    names = [f"{prefix}-{i}" for i in range(3)]
    urls = [json_sqs.adopt(n, json_sqs.create_queue(QueueName=n)["QueueUrl"]).url for n in names]
    listed = aws("list-queues", "--queue-name-prefix", prefix, "--page-size", "2")["QueueUrls"]
    assert sorted(listed) == urls
