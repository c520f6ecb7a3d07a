"""Visibility timeouts. The program is a black box, so a timeout that has to pass is one second or
two of real time: a long poll waits for it, and the time that went by is checked from below only."""

import pytest

from suite.service import Elapsed

ALMOST = 0.9  # of a second: clocks and rounding


def count_of(message):
    """ApproximateReceiveCount."""
    return message["Attributes"]["ApproximateReceiveCount"]


@pytest.mark.behaviour("visibility-01", "polling-05")
def test_hidden_for_the_timeout(sqs):
    queue = sqs.queue(VisibilityTimeout=2)
    queue.send()
    first = queue.one(AttributeNames=["ApproximateReceiveCount"])
    elapsed = Elapsed()
    second = queue.one(AttributeNames=["ApproximateReceiveCount"])
    assert elapsed() >= 2 * ALMOST
    assert second["MessageId"] == first["MessageId"]
    assert (count_of(first), count_of(second)) == ("1", "2")


@pytest.mark.behaviour("visibility-02")
def test_timeout_of_the_receive(sqs):
    queue = sqs.queue(VisibilityTimeout=600)
    queue.send()
    assert count_of(queue.one(VisibilityTimeout=0, AttributeNames=["All"])) == "1"
    assert count_of(queue.one(VisibilityTimeout=1, AttributeNames=["All"])) == "2"
    assert count_of(queue.one(AttributeNames=["All"])) == "3"
    assert queue.receive(WaitTimeSeconds=1) == []


@pytest.mark.behaviour("visibility-03")
def test_extend(sqs):
    queue = sqs.queue(VisibilityTimeout=1)
    queue.send()
    message = queue.one()
    queue.hide(message, 3)
    elapsed = Elapsed()
    assert queue.one()["MessageId"] == message["MessageId"]
    assert elapsed() >= 3 * ALMOST


@pytest.mark.behaviour("visibility-04", "visibility-05")
def test_release(sqs):
    queue = sqs.queue(VisibilityTimeout=600)
    queue.send()
    queue.hide(queue.one(), 0)
    assert len(queue.receive()) == 1
    assert queue.receive(WaitTimeSeconds=1) == []
    assert queue.counts() == (0, 1, 0)


@pytest.mark.behaviour("visibility-06")
def test_range(sqs):
    queue = sqs.queue()
    queue.send()
    for seconds in (-1, 43201):
        with sqs.refuses("InvalidParameterValue"):
            queue.receive(VisibilityTimeout=seconds)
    message = queue.one()
    for seconds in (-1, 43201):
        with sqs.refuses("InvalidParameterValue"):
            queue.hide(message, seconds)
    assert queue.counts() == (0, 1, 0)


@pytest.mark.behaviour("visibility-07")
def test_deleted(sqs):
    queue = sqs.queue()
    queue.send()
    deleted = queue.one()
    queue.delete(deleted)
    says = "Value {} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change."
    with sqs.refuses("InvalidParameterValue", says=says.format(deleted["ReceiptHandle"])):
        queue.hide(deleted, 30)


@pytest.mark.behaviour("visibility-12")
def test_after_the_timeout(sqs):
    queue = sqs.queue()
    queue.send()
    message = queue.one(VisibilityTimeout=0)
    queue.hide(message, 30)
    assert queue.receive() == []
    queue.hide(message, 0)
    assert len(queue.receive()) == 1


@pytest.mark.behaviour("visibility-08")
def test_made_up_handle(sqs):
    with sqs.refuses("ReceiptHandleIsInvalid", status=(400, 404), typed="ReceiptHandleIsInvalid"):
        sqs.queue().hide("made-up", 30)


@pytest.mark.behaviour("visibility-09")
def test_older_handle(sqs):
    queue = sqs.queue(VisibilityTimeout=600)
    queue.send()
    older = queue.one(VisibilityTimeout=0)
    queue.one()
    queue.hide(older, 0)
    assert len(queue.receive()) == 1


@pytest.mark.behaviour("visibility-10")
def test_counters(sqs):
    queue = sqs.queue()
    queue.send_batch(*"abc")
    queue.send("d", DelaySeconds=900)
    assert queue.counts() == (3, 0, 1)
    message = queue.one()
    assert queue.counts() == (2, 1, 1)
    queue.delete(message)
    assert queue.counts() == (2, 0, 1)
