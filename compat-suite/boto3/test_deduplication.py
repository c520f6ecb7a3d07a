"""Deduplication on FIFO queues."""

import hashlib

import pytest

from suite.service import text

BODY = '{"foo": "bar"}'
NO_ID = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
BAD_ID = "Value {} for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length."
HIGH_THROUGHPUT = {
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "messageGroup",
    "FifoThroughputLimit": "perMessageGroupId",
}


@pytest.mark.behaviour("dedup-01", "dedup-02")
def test_same_id(sqs):
    queue = sqs.queue(fifo=True)
    first = queue.send("first", group="g", dedup="d")
    second = queue.send("second", group="g", dedup="d")
    assert second["MessageId"] == first["MessageId"]
    assert second["SequenceNumber"] == first["SequenceNumber"]
    assert queue.bodies() == ["first"]


@pytest.mark.behaviour("dedup-01", "dedup-02")
def test_same_id_in_a_batch(sqs):
    queue = sqs.queue(fifo=True)
    entry = {"MessageGroupId": "g", "MessageDeduplicationId": "d"}
    answer = queue.send_batch({"MessageBody": "first", **entry}, {"MessageBody": "second", **entry})
    assert "Failed" not in answer
    assert len({s["MessageId"] for s in answer["Successful"]}) == 1
    assert queue.bodies() == ["first"]


@pytest.mark.behaviour("dedup-03")
def test_content_hash(sqs):
    queue = sqs.queue(fifo=True, ContentBasedDeduplication="true")
    queue.send("größe", group="g")
    queue.send("größe", group="g")
    (message,) = queue.receive(AttributeNames=["MessageDeduplicationId"])
    expected = hashlib.sha256("größe".encode()).hexdigest()
    assert message["Attributes"] == {"MessageDeduplicationId": expected}


@pytest.mark.behaviour("dedup-04")
@pytest.mark.parametrize("dedup", [None, "dedup1"])
def test_outlives_deletion(sqs, dedup):
    queue = sqs.queue(fifo=True, ContentBasedDeduplication=str(dedup is None).lower())
    queue.send(BODY, group="group-1", dedup=dedup)
    queue.delete(queue.one())
    queue.send(BODY, group="group-1", dedup=dedup)
    assert queue.receive(WaitTimeSeconds=1) == []


@pytest.mark.behaviour("dedup-05")
@pytest.mark.parametrize("dedup", [None, "dedup1"])
def test_crosses_groups(sqs, dedup):
    queue = sqs.queue(fifo=True, ContentBasedDeduplication=str(dedup is None).lower())
    queue.send(BODY, group="group-1", dedup=dedup)
    queue.send(BODY, group="group-2", dedup=dedup)
    assert len(queue.receive(1)) == 1
    assert queue.receive(1, WaitTimeSeconds=1) == []


@pytest.mark.behaviour("dedup-06", "dedup-07")
def test_scopes(sqs):
    queue = sqs.queue(fifo=True, **HIGH_THROUGHPUT)
    for i in (1, 2):
        queue.send(f"Test{i}", group=f"group{i}", dedup="same-dedup")
        message = queue.one()
        assert message["Body"] == f"Test{i}"
        queue.delete(message)
    queue.send("again", group="group2", dedup="same-dedup")
    assert queue.receive() == []
    queue.set(DeduplicationScope="queue", FifoThroughputLimit="perQueue")
    queue.send("Test3", group="group3", dedup="same-dedup")
    assert queue.one()["Body"] == "Test3"


@pytest.mark.behaviour("dedup-08")
def test_no_id(sqs):
    with sqs.refuses("InvalidParameterValue", says=NO_ID):
        sqs.queue(fifo=True).send(group="g")


@pytest.mark.behaviour("dedup-09")
@pytest.mark.parametrize("dedup", ["", "group 123", "a" * 129])
def test_bad_id(sqs, dedup):
    queue = sqs.queue(fifo=True)
    with sqs.refuses("InvalidParameterValue", says=BAD_ID.format(dedup)):
        queue.send("m", group="test", dedup=dedup)
    queue.send("m", group="test", dedup="!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~".ljust(128, "d"))


@pytest.mark.behaviour("dedup-10")
def test_content_hash_ignores_attributes(sqs):
    queue = sqs.queue(fifo=True, ContentBasedDeduplication="true")
    queue.send("m", group="g", MessageAttributes={"a": text("1")})
    queue.send("m", group="g", MessageAttributes={"a": text("2")})
    (message,) = queue.receive(MessageAttributeNames=["All"])
    assert message["MessageAttributes"] == {"a": text("1")}


@pytest.mark.behaviour("dedup-11")
def test_explicit_id_beside_the_content_hash(sqs):
    queue = sqs.queue(fifo=True, ContentBasedDeduplication="true")
    queue.send("m", group="g")
    queue.send("m", group="g", dedup="other")
    queue.send("n", group="g", dedup=hashlib.sha256(b"m").hexdigest())
    queue.send("n", group="g", dedup="other")
    assert queue.bodies() == ["m", "m"]
