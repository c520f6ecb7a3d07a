"""The AWS command line, sns."""

import json

import pytest

from suite.command_line import CommandLine
from suite.service import text, unique


@pytest.fixture
def aws(endpoint, tmp_path):
    """`aws sns …`."""
    return CommandLine("sns", endpoint, tmp_path)


@pytest.mark.behaviour("programs-08", "topics-01", "delivery-04", "filters-01", "topictags-01")
def test_publish(aws, sns):
    created = aws("create-topic", "--name", unique("cli"), "--tags", "Key=team,Value=birds")
    topic = sns.adopt(created["TopicArn"])
    tags = sns.list_tags_for_resource(ResourceArn=topic.arn)["Tags"]
    assert tags == [{"Key": "team", "Value": "birds"}]
    queue = sns.sqs.queue()
    attributes = {"RawMessageDelivery": "true", "FilterPolicy": '{"kind":["bird"]}'}
    subscribed = aws(
        *("subscribe", "--topic-arn", topic.arn, "--protocol", "sqs"),
        *("--notification-endpoint", queue.arn, "--attributes", json.dumps(attributes)),
    )
    assert subscribed["SubscriptionArn"].startswith(topic.arn)
    told = ("--message-attributes", json.dumps({"kind": text("bird")}))
    sent = aws("publish", "--topic-arn", topic.arn, "--message", "größe 🐦", *told)
    assert list(sent) == ["MessageId"]
    assert queue.one()["Body"] == "größe 🐦"


@pytest.mark.behaviour("programs-08", "subscriptions-07")
def test_list_follows_the_pages(aws, sns):
    topic = sns.topic()
    arns = {topic.subscribe("sms", f"+1557{i:07}") for i in range(101)}
    listed = aws("list-subscriptions-by-topic", "--topic-arn", topic.arn)["Subscriptions"]
    assert len(listed) == 101
    assert {one["SubscriptionArn"] for one in listed} == arns


@pytest.mark.behaviour("programs-08", "topics-10")
def test_error(aws, sns):
    arn = sns.topic().arn + unique()
    done = aws("publish", "--topic-arn", arn, "--message", "m", fails=True)
    expected = (
        "An error occurred (NotFound) when calling the Publish operation: Topic does not exist"
    )
    assert expected in done.stderr
