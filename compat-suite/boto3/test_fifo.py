"""FIFO queues: order and exclusion."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

EXPIRED = "Value {} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."


def fifo(sqs, **attributes):
    """A FIFO queue with content-based deduplication."""
    return sqs.queue(fifo=True, **{"ContentBasedDeduplication": "true", **attributes})


@pytest.mark.behaviour("fifo-01", "fifo-04")
def test_order_of_a_group(sqs):
    queue = fifo(sqs)
    for body in "abcde":
        queue.send(body, group="g")
    received = []
    for _ in range(5):
        message = queue.one()
        received.append(message["Body"])
        assert queue.receive() == []
        queue.delete(message)
    assert received == list("abcde")


@pytest.mark.behaviour("fifo-02", "fifo-04")
def test_group_in_flight_is_locked(sqs):
    queue = fifo(sqs)
    for body, group in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("b2", "b")):
        queue.send(body, group=group)
    first = queue.one()
    assert first["Body"] == "a1"
    assert queue.one()["Body"] == "b1"
    assert queue.receive() == []
    queue.delete(first)
    assert queue.bodies() == ["a2"]


@pytest.mark.behaviour("fifo-02")
def test_message_sent_to_a_locked_group(sqs):
    queue = fifo(sqs)
    queue.send("a", group="g")
    message = queue.one()
    queue.send("b", group="g")
    assert queue.receive(WaitTimeSeconds=1) == []
    queue.delete(message)
    assert queue.bodies() == ["b"]


@pytest.mark.behaviour("fifo-03")
def test_batch_of_a_group(sqs):
    queue = fifo(sqs)
    for i in range(4):
        queue.send(f"a{i}", group="a")
        queue.send(f"b{i}", group="b")
    received = queue.bodies(10)
    assert [b for b in received if b[0] == "a"] == ["a0", "a1", "a2", "a3"]
    assert [b for b in received if b[0] == "b"] == ["b0", "b1", "b2", "b3"]


@pytest.mark.behaviour("fifo-05", "fifo-02")
def test_order_after_the_timeout(sqs):
    queue = fifo(sqs, VisibilityTimeout=1)
    for body in "abc":
        queue.send(body, group="g")
    assert queue.bodies(2) == ["a", "b"]
    received = queue.receive(3, WaitTimeSeconds=5, VisibilityTimeout=600)
    assert [m["Body"] for m in received] == ["a", "b", "c"]
    queue.delete(received[1])
    for message in received[::2]:
        queue.hide(message, 0)
    assert queue.bodies(3) == ["a", "c"]


@pytest.mark.behaviour("fifo-06", "fifo-07", "queues-19")
def test_recorded_counts(sqs):
    queue = fifo(sqs, VisibilityTimeout=2)
    for i in range(6):
        queue.send(f"message-{i + 1}", group=str(i // 2 + 1))
    assert [queue.one()["Body"] for _ in range(2)] == ["message-1", "message-3"]
    assert queue.counts() == (4, 2, 0)
    time.sleep(2.1)
    assert queue.counts() == (6, 0, 0)


@pytest.mark.behaviour("fifo-08", "fifo-14")
def test_expired_handle(sqs):
    queue = fifo(sqs, VisibilityTimeout=1)
    queue.send("foobar", group="1")
    message = queue.one()
    time.sleep(1.1)
    says = EXPIRED.format(message["ReceiptHandle"])
    with sqs.refuses("InvalidParameterValue", says=says):
        queue.delete(message)
    with sqs.refuses("InvalidParameterValue", says=says):
        queue.hide(message, 30)
    assert queue.bodies() == ["foobar"]


@pytest.mark.behaviour("fifo-09")
def test_group_after_it_was_emptied(sqs):
    queue = sqs.queue(fifo=True)
    queue.send("Message 1", group="g1", dedup="1")
    queue.delete(queue.one())
    assert queue.receive() == []
    queue.send("Message 2", group="g1", dedup="2")
    message = queue.one()
    assert message["Body"] == "Message 2"
    assert message["MD5OfBody"] == "88ef8f31ed540f1c4c03d5fdb06a7935"


@pytest.mark.behaviour("fifo-10")
def test_sequence_numbers(sqs):
    queue = fifo(sqs)
    sent = [
        queue.send(body, group=group)["SequenceNumber"] for body, group in ("ag", "bg", "ch", "dg")
    ]
    assert all(re.fullmatch(r"\d{20}", number) for number in sent)
    assert sent == sorted(set(sent))
    received = queue.drain(4, AttributeNames=["All"])
    shown = {m["Body"]: m["Attributes"] for m in received}
    assert [shown[body]["SequenceNumber"] for body in "abcd"] == sent
    assert [shown[body]["MessageGroupId"] for body in "abcd"] == list("gghg")


@pytest.mark.behaviour("fifo-11")
def test_send_without_group(sqs):
    with sqs.refuses("MissingParameter"):
        fifo(sqs).send()


@pytest.mark.behaviour("fifo-12")
def test_receive_attempt(sqs):
    queue = fifo(sqs)
    for body, group in (("a", "g"), ("b", "g"), ("c", "h")):
        queue.send(body, group=group)
    first = queue.receive(2, ReceiveRequestAttemptId="attempt-1")
    again = queue.receive(2, ReceiveRequestAttemptId="attempt-1")
    assert [(m["MessageId"], m["ReceiptHandle"]) for m in again] == [
        (m["MessageId"], m["ReceiptHandle"]) for m in first
    ]
    other = queue.receive(10, ReceiveRequestAttemptId="attempt-2")
    assert not {m["MessageId"] for m in other} & {m["MessageId"] for m in first}
    for message in first + other:
        queue.delete(message)
    assert queue.counts() == (0, 0, 0)


@pytest.mark.behaviour("fifo-13")
def test_release(sqs):
    queue = fifo(sqs)
    for body in "ab":
        queue.send(body, group="g")
    queue.hide(queue.one(), 0)
    assert queue.one()["Body"] == "a"


@pytest.mark.behaviour("fifo-15")
@pytest.mark.parametrize("group", ["", "group 1", "g" * 129, "grüppe"])
def test_bad_group(sqs, group):
    with sqs.refuses(("InvalidParameterValue", "MissingParameter")):
        fifo(sqs).send(group=group)


@pytest.mark.behaviour("fifo-15")
def test_longest_group(sqs):
    queue = fifo(sqs)
    group = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~".ljust(128, "g")
    queue.send(group=group)
    assert queue.one(AttributeNames=["MessageGroupId"])["Attributes"] == {"MessageGroupId": group}


@pytest.mark.behaviour("fifo-16", "fifo-01", "fifo-02")
def test_many_consumers(sqs):
    """A consumer notes its messages before it deletes them, so the notes show what overlapped."""
    queue = fifo(sqs, VisibilityTimeout=600)
    groups, each = 5, 8
    for i in range(each):
        queue.send_batch(
            *[{"MessageBody": f"{g}-{i}", "MessageGroupId": str(g)} for g in range(groups)]
        )
    notes = []
    end = time.monotonic() + 20

    def consume():
        while len(notes) < groups * each and time.monotonic() < end:
            for message in queue.receive(2, WaitTimeSeconds=1):
                notes.append(message["Body"])
                queue.delete(message)

    with ThreadPoolExecutor() as pool:
        for consumer in [pool.submit(consume) for _ in range(4)]:
            consumer.result()
    for g in range(groups):
        assert [n for n in notes if n.startswith(f"{g}-")] == [f"{g}-{i}" for i in range(each)]
