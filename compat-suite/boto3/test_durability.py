"""A data directory survives crashes and restarts. Each test has a server of its own."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from suite.clients import boto
from suite.server import Server
from suite.service import Queue, Service, text

ALL = {"AttributeNames": ["All"], "MessageAttributeNames": ["All"]}


class Restartable:
    """A server on a data directory, and SQS on it."""

    def __init__(self, folder):
        self._folder = folder
        self.start()

    def start(self):
        self.server = Server("--data", str(self._folder))
        self.sqs = Service(boto(self.server.endpoint))

    def crash(self):
        """kill -9, and a new process on the same data."""
        self.server.kill()
        self.start()

    def restart(self):
        """SIGTERM, and a new process on the same data."""
        self.server.stop()
        self.start()

    def find(self, name):
        """The queue after a restart, on the new process' port."""
        return Queue(self.sqs, name, self.sqs.get_queue_url(QueueName=name)["QueueUrl"])


@pytest.fixture
def restartable(own_program, tmp_path):
    it = Restartable(tmp_path / "data")
    yield it
    it.server.kill()


def fields(message):
    """What must not change: all but the receive's own."""
    kept = {k: v for k, v in message.items() if k != "ReceiptHandle"}
    kept["Attributes"] = {k: v for k, v in message["Attributes"].items() if "Receive" not in k}
    return kept


@pytest.mark.behaviour("durability-01", "durability-02")
def test_messages_survive_a_crash(restartable):
    queue = restartable.sqs.queue(VisibilityTimeout=0)
    queue.send(
        "attributed",
        MessageAttributes={"k": text("x"), "b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}},
    )
    queue.send("gone")
    queue.send_batch("größe 🐦", "\r\n")
    seen = {}
    end = time.monotonic() + 10
    while len(seen) < 4 and time.monotonic() < end:
        seen |= {m["Body"]: m for m in queue.receive(**ALL)}
    queue.delete(seen.pop("gone"))
    restartable.crash()
    after = restartable.find(queue.name)
    kept = {m["Body"]: fields(m) for m in after.drain(3, VisibilityTimeout=60, **ALL)}
    assert kept == {body: fields(message) for body, message in seen.items()}
    assert after.counts() == (0, 0, 0)


@pytest.mark.behaviour("durability-01")
def test_crash_under_load(restartable):
    """Whatever was acknowledged before the crash is there after it."""
    queue = restartable.sqs.queue()
    acknowledged = []

    def send_until_it_breaks(sender):
        try:
            for i in range(10_000):
                acknowledged.append(queue.send(f"{sender}-{i}")["MessageId"])
        except Exception:
            return

    with ThreadPoolExecutor() as pool:
        senders = [pool.submit(send_until_it_breaks, s) for s in range(4)]
        time.sleep(1)
        restartable.server.kill()
        for sender in senders:
            sender.result()
    restartable.start()
    assert acknowledged
    after = restartable.find(queue.name)
    found = set()
    while received := after.receive(VisibilityTimeout=600):
        found |= {m["MessageId"] for m in received}
    assert set(acknowledged) - found == set()


@pytest.mark.behaviour("durability-01", "durability-05")
def test_fifo_survives_a_crash(restartable):
    queue = restartable.sqs.queue(fifo=True, ContentBasedDeduplication="true")
    sent = [queue.send(body, group="g") for body in "abc"]
    queue.delete(queue.one())
    restartable.crash()
    after = restartable.find(queue.name)
    assert after.send("a", group="g")["MessageId"] == sent[0]["MessageId"]
    later = after.send("d", group="g")
    assert later["SequenceNumber"] > sent[-1]["SequenceNumber"]
    assert [m["Body"] for m in after.drain(3)] == ["b", "c", "d"]


@pytest.mark.behaviour("durability-03")
def test_queues_survive_a_crash(restartable):
    sqs = restartable.sqs
    dlq = sqs.queue("dlq")
    policy = json.dumps({"deadLetterTargetArn": dlq.arn, "maxReceiveCount": 2})
    queue = sqs.queue(VisibilityTimeout=7, RedrivePolicy=policy, tags={"team": "birds"})
    gone = sqs.queue()
    sqs.delete_queue(QueueUrl=gone.url)
    before = queue.attributes()
    restartable.crash()
    after = restartable.find(queue.name)
    assert after.attributes() == before
    assert restartable.sqs.list_queue_tags(QueueUrl=after.url)["Tags"] == {"team": "birds"}
    with restartable.sqs.refuses("AWS.SimpleQueueService.NonExistentQueue"):
        restartable.find(gone.name)


@pytest.mark.behaviour("durability-04")
def test_flight_survives_a_restart(restartable):
    queue = restartable.sqs.queue(VisibilityTimeout=600)
    queue.send("in flight")
    queue.send("waiting")
    held = queue.one()
    restartable.restart()
    after = restartable.find(queue.name)
    assert after.counts() == (1, 1, 0)
    after.hide(held, 600)
    after.delete(held)
    assert after.counts() == (1, 0, 0)


@pytest.mark.behaviour("durability-06")
def test_stop_with_open_polls(restartable):
    queue = restartable.sqs.queue()
    kept = restartable.sqs.queue()
    kept.send("kept")

    def poll():
        try:
            return queue.receive(WaitTimeSeconds=20)
        except Exception:
            return []

    with ThreadPoolExecutor() as pool:
        polls = [pool.submit(poll) for _ in range(3)]
        time.sleep(0.5)  # for the polls to begin
        restartable.server.stop(timeout=10)
        assert [p.result() for p in polls] == [[], [], []]
    restartable.start()
    assert restartable.find(kept.name).one()["Body"] == "kept"
