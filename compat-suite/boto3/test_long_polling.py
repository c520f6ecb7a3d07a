"""Long polling."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from suite.clients import json_request
from suite.service import Elapsed


@pytest.mark.behaviour("polling-02")
def test_answers_when_a_message_is_sent(sqs):
    queue = sqs.queue()
    with ThreadPoolExecutor() as pool:
        poll = pool.submit(queue.bodies, WaitTimeSeconds=20)
        time.sleep(0.5)  # for the poll to begin
        elapsed = Elapsed()
        queue.send("awaited")
        assert poll.result() == ["awaited"]
        assert elapsed() < 5


@pytest.mark.behaviour("polling-03")
def test_wait_of_the_queue(sqs):
    queue = sqs.queue(ReceiveMessageWaitTimeSeconds=2)
    elapsed = Elapsed()
    assert queue.receive() == []
    assert elapsed() >= 1.9
    queue.set(ReceiveMessageWaitTimeSeconds=20)
    elapsed = Elapsed()
    assert queue.receive(WaitTimeSeconds=0) == []
    assert elapsed() < 10


@pytest.mark.behaviour("polling-04")
@pytest.mark.parametrize("seconds", [-1, 21, 40])
def test_range(sqs, seconds):
    says = f"Value {seconds} for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."
    with sqs.refuses("InvalidParameterValue", says=says):
        sqs.queue().receive(WaitTimeSeconds=seconds)


@pytest.mark.behaviour("polling-05")
def test_answers_when_a_message_is_released(sqs):
    queue = sqs.queue(VisibilityTimeout=600)
    queue.send("released")
    message = queue.one()
    with ThreadPoolExecutor() as pool:
        poll = pool.submit(queue.bodies, WaitTimeSeconds=20)
        time.sleep(0.5)  # for the poll to begin
        elapsed = Elapsed()
        queue.hide(message, 0)
        assert poll.result() == ["released"]
        assert elapsed() < 5


def hang_up_during_a_poll(endpoint, queue, count):
    """Begins `count` long polls over plain connections and closes them."""
    where = urlsplit(endpoint)
    asked = {"QueueUrl": queue.url, "WaitTimeSeconds": 20, "MaxNumberOfMessages": 10}
    request = json_request(endpoint, "ReceiveMessage", asked).prepare()
    head = ["POST / HTTP/1.1", f"Host: {where.netloc}"]
    head += [
        f"{k}: {v.decode() if isinstance(v, bytes) else v}"
        for k, v in request.headers.items()
        if k.lower() != "host"
    ]
    wire = "\r\n".join(head).encode() + b"\r\n\r\n" + request.body
    connections = [socket.create_connection((where.hostname, where.port)) for _ in range(count)]
    for connection in connections:
        connection.sendall(wire)
    time.sleep(0.5)  # for the polls to begin
    for connection in connections:
        connection.close()
    time.sleep(0.5)  # for the end of the connections to arrive


@pytest.mark.behaviour("polling-06")
def test_poll_of_a_client_that_has_gone(json_sqs, endpoint):
    if endpoint.startswith("https"):
        pytest.skip("speaks plain HTTP over a socket")
    queue = json_sqs.queue(VisibilityTimeout=600)
    hang_up_during_a_poll(endpoint, queue, 5)
    queue.send_batch(*"abc")
    assert len(queue.drain(3)) == 3


@pytest.mark.behaviour("polling-06", "fifo-02")
def test_poll_of_a_client_that_has_gone_locks_no_group(json_sqs, endpoint):
    if endpoint.startswith("https"):
        pytest.skip("speaks plain HTTP over a socket")
    queue = json_sqs.queue(fifo=True, ContentBasedDeduplication="true", VisibilityTimeout=600)
    hang_up_during_a_poll(endpoint, queue, 3)
    queue.send("a", group="g")
    assert queue.one()["Body"] == "a"


@pytest.mark.behaviour("polling-07")
def test_many_waiting_polls(sqs):
    queue = sqs.queue(VisibilityTimeout=600)
    polls, sent = 8, [str(i) for i in range(8)]
    with ThreadPoolExecutor(polls) as pool:
        waiting = [pool.submit(queue.bodies, 1, WaitTimeSeconds=10) for _ in range(polls)]
        time.sleep(0.5)  # for the polls to begin
        for body in sent:
            queue.send(body)
        received = [body for poll in waiting for body in poll.result()]
    assert sorted(received) == sent
