"""Message move tasks."""

import base64
import json
import time

import pytest

from suite.service import unique


def dead(sqs, dlq, *bodies):
    """A source queue whose messages have just gone to `dlq`."""
    source = sqs.queue(
        "source",
        VisibilityTimeout=0,
        RedrivePolicy=json.dumps({"deadLetterTargetArn": dlq.arn, "maxReceiveCount": 1}),
    )
    for body in bodies:
        source.send(body)
    end = time.monotonic() + 10
    while source.counts() != (0, 0, 0) and time.monotonic() < end:
        source.receive()
    source.set(VisibilityTimeout=600)
    return source


def finished(sqs, dlq, patience=10):
    """The newest task of the queue once it has ended."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        task = sqs.list_message_move_tasks(SourceArn=dlq.arn)["Results"][0]
        if task["Status"] not in ("RUNNING", "CANCELLING"):
            return task
        time.sleep(0.1)
    raise AssertionError(f"the task did not end within {patience} s: {task}")


@pytest.mark.behaviour("moves-01")
def test_source_is_no_dead_letter_queue(sqs):
    with sqs.refuses(
        "InvalidParameterValue", says="Source queue must be configured as a Dead Letter Queue."
    ):
        sqs.start_message_move_task(SourceArn=sqs.queue().arn, DestinationArn=sqs.queue().arn)


@pytest.mark.behaviour("moves-02", "moves-03", "moves-05")
def test_back_to_the_sources(sqs):
    dlq = sqs.queue("dlq")
    one, two = dead(sqs, dlq, "a", "b"), dead(sqs, dlq, "c")
    before = {m["MessageId"] for m in dlq.receive(VisibilityTimeout=0)}
    assert len(before) == 3
    started = time.time() * 1000
    assert sqs.start_message_move_task(SourceArn=dlq.arn)["TaskHandle"]
    task = finished(sqs, dlq)
    assert abs(task.pop("StartedTimestamp") - started) < 120_000
    assert task == {
        "ApproximateNumberOfMessagesMoved": 3,
        "ApproximateNumberOfMessagesToMove": 3,
        "SourceArn": dlq.arn,
        "Status": "COMPLETED",
    }
    moved = one.drain(2, AttributeNames=["All"]) + two.drain(1, AttributeNames=["All"])
    assert sorted(m["Body"] for m in moved) == ["a", "b", "c"]
    assert moved[-1]["Body"] == "c"
    assert not before & {m["MessageId"] for m in moved}
    assert {m["Attributes"]["ApproximateReceiveCount"] for m in moved} == {"1"}
    assert dlq.counts() == (0, 0, 0)


@pytest.mark.behaviour("moves-04")
def test_to_a_destination(sqs):
    dlq, destination = sqs.queue("dlq"), sqs.queue()
    source = dead(sqs, dlq, "a", "b")
    sqs.start_message_move_task(
        SourceArn=dlq.arn, DestinationArn=destination.arn, MaxNumberOfMessagesPerSecond=500
    )
    task = finished(sqs, dlq)
    assert task["Status"] == "COMPLETED"
    assert task["DestinationArn"] == destination.arn
    assert task["MaxNumberOfMessagesPerSecond"] == 500
    assert sorted(m["Body"] for m in destination.drain(2)) == ["a", "b"]
    assert source.counts() == (0, 0, 0)


@pytest.mark.behaviour("moves-06")
def test_unknown_tasks(sqs):
    with sqs.refuses("InvalidParameterValue", says="Value for parameter TaskHandle is invalid."):
        sqs.cancel_message_move_task(TaskHandle="foobared")
    unknown = {"taskId": "10f57157-fc38-4da9-a113-4de7e12d05aa", "sourceArn": sqs.queue().arn}
    handle = base64.b64encode(json.dumps(unknown).encode()).decode()
    refused = {"status": 404, "says": "Task does not exist.", "typed": "ResourceNotFoundException"}
    with sqs.refuses("ResourceNotFoundException", **refused):
        sqs.cancel_message_move_task(TaskHandle=handle)


@pytest.mark.behaviour("moves-07", "moves-08")
def test_running_task(sqs):
    dlq = sqs.queue("dlq")
    source = dead(sqs, dlq, *"abcdefgh")
    handle = sqs.start_message_move_task(SourceArn=dlq.arn, MaxNumberOfMessagesPerSecond=1)[
        "TaskHandle"
    ]
    (task,) = sqs.list_message_move_tasks(SourceArn=dlq.arn)["Results"]
    assert (task["Status"], task["TaskHandle"]) == ("RUNNING", handle)
    says = "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
    with sqs.refuses("InvalidParameterValue", says=says):
        sqs.start_message_move_task(SourceArn=dlq.arn)
    moved = sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"]
    assert 0 <= moved < 8
    task = finished(sqs, dlq)
    assert task["Status"] == "CANCELLED"
    assert "TaskHandle" not in task
    assert source.counts()[0] + dlq.counts()[0] == 8
    assert source.counts()[0] == task["ApproximateNumberOfMessagesMoved"]
    with sqs.refuses("InvalidParameterValue"):
        sqs.cancel_message_move_task(TaskHandle=handle)


@pytest.mark.behaviour("moves-03")
def test_newest_first(sqs):
    dlq = sqs.queue("dlq")
    source = dead(sqs, dlq)
    for _ in range(2):
        sqs.start_message_move_task(SourceArn=dlq.arn)
        finished(sqs, dlq)
    tasks = sqs.list_message_move_tasks(SourceArn=dlq.arn, MaxResults=10)["Results"]
    assert len(tasks) == 2
    assert tasks[0]["StartedTimestamp"] >= tasks[1]["StartedTimestamp"]
    assert len(sqs.list_message_move_tasks(SourceArn=dlq.arn)["Results"]) == 1
    assert source.counts() == (0, 0, 0)


@pytest.mark.behaviour("moves-09")
def test_unknown_source(sqs):
    arn = sqs.queue().arn.rsplit(":", 1)[0] + ":" + unique()
    with sqs.refuses("ResourceNotFoundException", status=404, typed="ResourceNotFoundException"):
        sqs.start_message_move_task(SourceArn=arn)
    with sqs.refuses("ResourceNotFoundException", status=404, typed="ResourceNotFoundException"):
        sqs.list_message_move_tasks(SourceArn=arn)


@pytest.mark.behaviour("moves-10")
@pytest.mark.parametrize("rate", [0, 501])
def test_rate(sqs, rate):
    dlq = sqs.queue("dlq")
    dead(sqs, dlq)
    with sqs.refuses("InvalidParameterValue"):
        sqs.start_message_move_task(SourceArn=dlq.arn, MaxNumberOfMessagesPerSecond=rate)
