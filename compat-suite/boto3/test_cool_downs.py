"""The sixty seconds between two purges, and between deleting and creating a queue, on a server of our
own that keeps them as AWS does."""

import pytest

from suite.clients import boto
from suite.server import Server
from suite.service import Service


@pytest.fixture(scope="module")
def keeping(own_program):
    """The URL of a server that keeps both waits."""
    with Server("--ephemeral", "--delay-purge-retry", "--delay-recently-deleted") as server:
        yield server.endpoint


@pytest.fixture(params=["json", "query"])
def sqs(request, keeping):
    """SQS on that server."""
    return Service(boto(keeping, request.param))


@pytest.mark.behaviour("purge-02")
def test_purge_twice(sqs):
    queue = sqs.queue()
    sqs.purge_queue(QueueUrl=queue.url)
    queue.send()
    says = f"Only one PurgeQueue operation on {queue.name} is allowed every 60 seconds."
    code = "AWS.SimpleQueueService.PurgeQueueInProgress"
    with sqs.refuses(code, status=403, says=says, typed="PurgeQueueInProgress"):
        sqs.purge_queue(QueueUrl=queue.url)
    assert queue.counts() == (1, 0, 0)


@pytest.mark.behaviour("queues-23")
def test_create_right_after_delete(sqs):
    queue = sqs.queue()
    sqs.delete_queue(QueueUrl=queue.url)
    says = "You must wait 60 seconds after deleting a queue before you can create another with the same name."
    code = "AWS.SimpleQueueService.QueueDeletedRecently"
    with sqs.refuses(code, says=says, typed="QueueDeletedRecently"):
        sqs.create_queue(QueueName=queue.name)
