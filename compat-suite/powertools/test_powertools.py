"""Batch processors: a Lambda function is called with what was received, and says what failed."""

import pytest
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    SqsFifoPartialProcessor,
    process_partial_response,
)


def call(processor, handler, messages):
    """Calls the function with received messages as Lambda does; returns the ids that failed."""
    event = {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {},
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:q",
                "awsRegion": "us-east-1",
            }
            for message in messages
        ]
    }
    answer = process_partial_response(
        event=event, record_handler=handler, processor=processor, context=None
    )
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def acknowledge(queue, messages, failed):
    """Does what Lambda does with the answer: deletes what succeeded, shows the rest again."""
    for message in messages:
        if message["MessageId"] in failed:
            queue.hide(message, 0)
        else:
            queue.delete(message)


@pytest.mark.behaviour("programs-05", "batches-13")
def test_partial_failure(json_sqs):
    queue = json_sqs.queue(VisibilityTimeout=600)
    queue.send_batch("good-1", "bad", "good-2")
    handled = []

    def handle(record):
        count = int(record.attributes.approximate_receive_count)
        handled.append(record.body)
        if record.body == "bad" and count == 1:
            raise ValueError("not yet")

    while len(handled) < 4:
        messages = queue.receive(AttributeNames=["All"], WaitTimeSeconds=5)
        assert messages
        processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
        acknowledge(queue, messages, call(processor, handle, messages))
    assert sorted(handled) == ["bad", "bad", "good-1", "good-2"]
    assert queue.counts() == (0, 0, 0)


@pytest.mark.behaviour("programs-05", "programs-14", "fifo-05", "fifo-13")
def test_fifo_stops_at_the_first_failure(json_sqs):
    queue = json_sqs.queue(fifo=True, VisibilityTimeout=600, ContentBasedDeduplication="true")
    for body in ("a", "b", "c"):
        queue.send(body, group="g")
    handled = []

    def handle(record):
        handled.append(record.body)
        if handled == ["a", "b"]:
            raise ValueError("not yet")

    for left in (["a", "b", "c"], ["b", "c"]):
        messages = queue.receive(AttributeNames=["All"], WaitTimeSeconds=5)
        assert [message["Body"] for message in messages] == left
        acknowledge(queue, messages, call(SqsFifoPartialProcessor(), handle, messages))
    assert handled == ["a", "b", "b", "c"]
    assert queue.counts() == (0, 0, 0)
