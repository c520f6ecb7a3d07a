"""Delayed messages."""

import pytest

from suite.service import Elapsed

ALMOST = 0.9


@pytest.mark.behaviour("delay-01", "polling-05")
def test_delayed_message(sqs):
    queue = sqs.queue()
    elapsed = Elapsed()
    queue.send(DelaySeconds=2)
    assert queue.counts() == (0, 0, 1)
    queue.one()
    assert elapsed() >= 2 * ALMOST


@pytest.mark.behaviour("delay-02")
def test_delay_of_the_queue(sqs):
    queue = sqs.queue(DelaySeconds=2)
    elapsed = Elapsed()
    queue.send()
    queue.one()
    assert elapsed() >= 2 * ALMOST


@pytest.mark.behaviour("delay-03")
def test_delay_of_the_message_wins(sqs):
    queue = sqs.queue(DelaySeconds=900)
    queue.send("now", DelaySeconds=0)
    queue.send("soon", DelaySeconds=1)
    queue.send("later")
    assert queue.bodies() == ["now"]
    assert queue.bodies(WaitTimeSeconds=5) == ["soon"]
    assert queue.counts() == (0, 2, 1)


@pytest.mark.behaviour("delay-04")
@pytest.mark.parametrize("seconds", [-1, 901])
def test_range(sqs, seconds):
    with sqs.refuses("InvalidParameterValue"):
        sqs.queue().send(DelaySeconds=seconds)


@pytest.mark.behaviour("delay-05")
def test_fifo(sqs):
    queue = sqs.queue(fifo=True, ContentBasedDeduplication="true")
    with sqs.refuses("InvalidParameterValue"):
        queue.send("refused", group="g", DelaySeconds=1)
    queue.send("accepted", group="g", DelaySeconds=0)
    assert queue.bodies() == ["accepted"]


@pytest.mark.behaviour("delay-06")
def test_change_is_not_retroactive(sqs):
    queue = sqs.queue(DelaySeconds=1)
    queue.send("before")
    queue.set(DelaySeconds=900)
    queue.send("after")
    assert queue.one()["Body"] == "before"
    assert queue.counts() == (0, 1, 1)
