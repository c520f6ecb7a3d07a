"""What cannot be delivered to a queue. For HTTP endpoints see test_sns_http.py."""

import json

import pytest

from suite.service import text, unique
from suite.topics import verify_signature

ALL = {"AttributeNames": ["All"], "MessageAttributeNames": ["All"]}


def missing_queue(sns, topic, ending=""):
    """The ARN of a queue that does not exist."""
    return f"arn:aws:sqs:{sns.meta.region_name}:{topic.account}:{unique()}{ending}"


def many(count):
    """So many attributes."""
    return {f"k{i:02}": text("v") for i in range(count)}


@pytest.mark.behaviour("undelivered-01")
@pytest.mark.parametrize("raw", ["true", "false"])
def test_missing_queue(sns, raw):
    topic = sns.topic()
    dlq = sns.sqs.queue()
    topic.subscribe(
        "sqs",
        missing_queue(sns, topic),
        RawMessageDelivery=raw,
        RedrivePolicy={"deadLetterTargetArn": dlq.arn},
    )
    sent = topic.publish("lost", MessageAttributes=many(1))
    message = dlq.one(**ALL)
    if raw == "true":
        assert message["Body"] == "lost"
        assert message["MessageAttributes"]["k00"] == text("v")
        return
    envelope = json.loads(message["Body"])
    assert envelope["MessageId"] == sent["MessageId"]
    assert envelope["MessageAttributes"]["k00"]["Value"] == "v"
    verify_signature(envelope)


@pytest.mark.behaviour("undelivered-06")
@pytest.mark.parametrize("count", [8, 10, 11, 30])
def test_dead_letters_with_many_attributes(sns, count):
    topic = sns.topic()
    dlq = sns.sqs.queue()
    topic.subscribe(
        "sqs",
        missing_queue(sns, topic),
        RawMessageDelivery="true",
        RedrivePolicy={"deadLetterTargetArn": dlq.arn},
    )
    topic.publish("kept", MessageAttributes=many(count))
    assert "kept" in dlq.one(**ALL)["Body"]


@pytest.mark.behaviour("undelivered-03", "undelivered-06", "delivery-04")
def test_too_many_attributes_for_a_queue(sns):
    topic = sns.topic()
    dlq = sns.sqs.queue()
    inbox = topic.inbox(RedrivePolicy={"deadLetterTargetArn": dlq.arn})
    enveloped = topic.inbox(raw=False)
    topic.publish("eleven", MessageAttributes=many(11))
    topic.publish("ten", MessageAttributes=many(10))
    inbox.only("ten")
    assert "eleven" in dlq.one(**ALL)["Body"]
    found = {json.loads(m["Body"])["Message"]: json.loads(m["Body"]) for m in enveloped.drain(2)}
    assert len(found["eleven"]["MessageAttributes"]) == 11


@pytest.mark.behaviour("undelivered-04")
def test_fifo(sns):
    topic = sns.topic(fifo=True, ContentBasedDeduplication="true")
    dlq = sns.sqs.queue(fifo=True)
    topic.subscribe(
        "sqs",
        missing_queue(sns, topic, ".fifo"),
        RawMessageDelivery="true",
        RedrivePolicy={"deadLetterTargetArn": dlq.arn},
    )
    for body in ("first", "second", "third"):
        topic.publish(body, group="g")
    received = dlq.drain(3, **ALL)
    assert [message["Body"] for message in received] == ["first", "second", "third"]
    assert {message["Attributes"]["MessageGroupId"] for message in received} == {"g"}


@pytest.mark.behaviour("undelivered-05", "subscriptions-19")
def test_queue_that_comes_later(sns):
    topic = sns.topic()
    endpoint = missing_queue(sns, topic)
    arn = topic.subscribe("sqs", endpoint, RawMessageDelivery="true")
    topic.publish("lost")
    name = endpoint.rpartition(":")[2]
    queue = sns.sqs.adopt(name, sns.sqs.create_queue(QueueName=name)["QueueUrl"])
    topic.publish("found")
    assert queue.one()["Body"] == "found"
    assert [one["SubscriptionArn"] for one in topic.subscriptions()] == [arn]
