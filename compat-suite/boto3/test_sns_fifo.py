"""FIFO topics: order, deduplication, sequence numbers."""

import hashlib
import json

import pytest

ALL = {"AttributeNames": ["All"], "MessageAttributeNames": ["All"]}


def numbers(**values):
    """Number attributes."""
    return {name: {"DataType": "Number", "StringValue": value} for name, value in values.items()}


def sha256(message):
    """The deduplication id of a message by its content."""
    return hashlib.sha256(message.encode()).hexdigest()


@pytest.mark.behaviour("topicfifo-01", "topicfifo-02", "topicfifo-08")
def test_envelope(sns):
    topic = sns.topic(fifo=True)
    inbox = topic.inbox(raw=False, fifo=True)
    sent = topic.publish("Test", group="g", dedup="d", Subject="s")
    message = inbox.one(**ALL)
    attributes = message["Attributes"]
    assert attributes["MessageGroupId"] == "g"
    assert attributes["MessageDeduplicationId"] == "d"
    envelope = json.loads(message["Body"])
    expected = "Type MessageId SequenceNumber TopicArn Subject Message Timestamp UnsubscribeURL"
    assert list(envelope) == expected.split()
    assert envelope["MessageId"] == sent["MessageId"]
    assert envelope["SequenceNumber"] == sent["SequenceNumber"] != attributes["SequenceNumber"]
    assert len(sent["SequenceNumber"]) == 20


@pytest.mark.behaviour("topicfifo-01", "topicfifo-08")
def test_order(sns):
    topic = sns.topic(fifo=True, ContentBasedDeduplication="true")
    first, second = topic.inbox(fifo=True), topic.inbox(fifo=True)
    published, numbers = [], []
    for i in range(12):
        group = "ab"[i % 2]
        numbers.append(topic.publish(f"{group}{i}", group=group)["SequenceNumber"])
        published.append(f"{group}{i}")
    assert numbers == sorted(numbers)
    for inbox in (first, second):
        received = [message["Body"] for message in inbox.drain(12)]
        for group in "ab":
            of_group = [body for body in received if body.startswith(group)]
            assert of_group == [body for body in published if body.startswith(group)]


@pytest.mark.behaviour("topicfifo-03", "topicfifo-04")
@pytest.mark.parametrize("by_content", [True, False])
def test_republish(sns, by_content):
    topic = sns.topic(fifo=True, ContentBasedDeduplication=str(by_content).lower())
    inbox = topic.inbox(fifo=True)
    dedup = None if by_content else "d"
    first = topic.publish("Test", group="g", dedup=dedup)
    inbox.delete(inbox.one())
    again = topic.publish("Test", group="other", dedup=dedup)
    assert again["MessageId"] == first["MessageId"]
    assert again["SequenceNumber"] == first["SequenceNumber"]
    topic.publish("another", group="g", dedup=None if by_content else "e")
    inbox.only("another")


@pytest.mark.behaviour("topicfifo-04")
@pytest.mark.parametrize("raw", [True, False])
def test_content_hash_serves_the_queue(sns, raw):
    """A queue without content-based deduplication of its own."""
    topic = sns.topic(fifo=True, ContentBasedDeduplication="true")
    inbox = topic.inbox(raw=raw, fifo=True)
    for _ in range(2):
        topic.publish("Test single", group="g")
        topic.publish_batch({"Message": "Test batched", "MessageGroupId": "g"})
    received = inbox.drain(2, **ALL)
    ids = [message["Attributes"]["MessageDeduplicationId"] for message in received]
    assert ids == [sha256("Test single"), sha256("Test batched")]


@pytest.mark.behaviour("topicfifo-05")
def test_missing_ids(sns):
    topic = sns.topic(fifo=True)
    with sns.refuses("InvalidParameter", typed="InvalidParameterException"):
        topic.publish(dedup="d")
    with sns.refuses("InvalidParameter"):
        topic.publish(group="g")
    for bad in ["a b", "x" * 129]:
        with sns.refuses("InvalidParameter"):
            topic.publish(group=bad, dedup="d")
        with sns.refuses("InvalidParameter"):
            topic.publish(group="g", dedup=bad)


@pytest.mark.behaviour("topicfifo-06", "topicfifo-03")
@pytest.mark.parametrize(("scope", "passing"), [("Topic", ["a"]), ("MessageGroup", ["a", "b"])])
def test_scope(sns, scope, passing):
    topic = sns.topic(fifo=True, FifoThroughputScope=scope)
    assert topic.attributes()["FifoThroughputScope"] == scope
    by_group = {"DeduplicationScope": "messageGroup"}
    inbox = topic.inbox(fifo=True, queue=by_group)
    for group in ("a", "b", "a"):
        topic.publish(group, group=group, dedup="d")
    inbox.only(*passing)


@pytest.mark.behaviour("topicfifo-07")
def test_standard_queue(sns):
    topic = sns.topic(fifo=True, ContentBasedDeduplication="true")
    raw, enveloped = topic.inbox(), topic.inbox(raw=False)
    sent = topic.publish("m", group="g")
    topic.publish("m", group="g")
    assert "SequenceNumber" not in raw.one(**ALL)["Attributes"]
    assert raw.bodies() == []
    assert enveloped.envelope()["SequenceNumber"] == sent["SequenceNumber"]


@pytest.mark.behaviour("topicfifo-09", "topicfifo-03", "delivery-04")
@pytest.mark.parametrize("by_content", [True, False])
def test_recorded_batch(sns, by_content):
    topic = sns.topic(fifo=True, ContentBasedDeduplication=str(by_content).lower())
    inbox = topic.inbox(fifo=True)
    attributes = [numbers(attr1="99.12", attr2="109.12"), numbers(attr1="19.12"), None]
    entries = []
    for i, what in enumerate(["with two attributes", "with one attribute", "without attribute"]):
        entry = {"Message": f"Test Message {what}", "MessageGroupId": "complexMessageGroupId"}
        if attributes[i]:
            entry["MessageAttributes"] = attributes[i]
        if not by_content:
            entry["MessageDeduplicationId"] = f"MessageDeduplicationId-{i}"
        entries.append(entry)
    answer = topic.publish_batch(*entries)
    assert answer["Failed"] == []
    assert topic.publish_batch(*entries)["Successful"] == answer["Successful"]
    received = inbox.drain(3, **ALL)
    assert [message["Body"] for message in received] == [entry["Message"] for entry in entries]
    digests = [message.get("MD5OfMessageAttributes") for message in received]
    assert digests == [
        "9b720b3af309c1c4b0d395c53b08c502",
        "1f07082409022a373fa2a2601f82b3cb",
        None,
    ]
    ids = [message["Attributes"]["MessageDeduplicationId"] for message in received]
    if by_content:
        assert ids[0] == "47f6d7e2c477469ad670ae3bfee60ed3e79080bb0105fc01a2805a50f8b21358"
    else:
        assert ids == [f"MessageDeduplicationId-{i}" for i in range(3)]
