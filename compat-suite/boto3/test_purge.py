"""PurgeQueue."""

import pytest

from suite.service import unique


@pytest.mark.behaviour("purge-01", "purge-03")
def test_purge(sqs):
    queue = sqs.queue()
    queue.send_batch("a", "b", {"MessageBody": "c", "DelaySeconds": 900})
    queue.one()
    assert queue.counts() == (1, 1, 1)
    sqs.purge_queue(QueueUrl=queue.url)
    assert queue.counts() == (0, 0, 0)
    queue.send("after")
    assert queue.bodies() == ["after"]


@pytest.mark.behaviour("purge-01", "purge-03", "fifo-09")
def test_purge_frees_groups(sqs):
    queue = sqs.queue(fifo=True)
    queue.send("a", group="g", dedup="1")
    queue.send("b", group="g", dedup="2")
    queue.one()
    sqs.purge_queue(QueueUrl=queue.url)
    queue.send("after", group="g", dedup="3")
    assert queue.bodies() == ["after"]


@pytest.mark.behaviour("purge-02")
def test_purge_twice(sqs):
    queue = sqs.queue()
    sqs.purge_queue(QueueUrl=queue.url)
    queue.send()
    try:
        sqs.purge_queue(QueueUrl=queue.url)
    except sqs.exceptions.PurgeQueueInProgress as error:
        says = f"Only one PurgeQueue operation on {queue.name} is allowed every 60 seconds."
        sqs.check_refusal(
            error, "AWS.SimpleQueueService.PurgeQueueInProgress", status=403, says=says
        )
        assert queue.counts() == (1, 0, 0)
    else:
        assert queue.counts() == (0, 0, 0)


@pytest.mark.behaviour("purge-01", "errors-01")
def test_unknown_queue(sqs):
    url = sqs.queue().url.rsplit("/", 1)[0] + "/" + unique()
    with sqs.refuses("AWS.SimpleQueueService.NonExistentQueue", typed="QueueDoesNotExist"):
        sqs.purge_queue(QueueUrl=url)
