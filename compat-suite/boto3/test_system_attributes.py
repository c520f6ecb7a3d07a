"""System attributes of messages."""

import time

import pytest

from suite.clients import json_request, query_request, send
from suite.service import text

TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
EVERY_STANDARD = {
    "ApproximateFirstReceiveTimestamp",
    "ApproximateReceiveCount",
    "SenderId",
    "SentTimestamp",
}


@pytest.mark.behaviour("system-01", "system-02", "system-04", "system-05")
def test_system_attributes(sqs):
    queue = sqs.queue(VisibilityTimeout=0)
    before = time.time() * 1000
    queue.send("msg", MessageAttributes={"Foo": text("Bar")})
    first = queue.one(AttributeNames=["All"])
    assert set(first) == {"MessageId", "ReceiptHandle", "MD5OfBody", "Body", "Attributes"}
    assert set(first["Attributes"]) == EVERY_STANDARD
    assert first["Attributes"]["ApproximateReceiveCount"] == "1"
    for name in ("SentTimestamp", "ApproximateFirstReceiveTimestamp"):
        assert abs(int(first["Attributes"][name]) - before) < 120_000
    second = queue.one(AttributeNames=["All"], MessageAttributeNames=["All"])
    assert second["Attributes"] == first["Attributes"] | {"ApproximateReceiveCount": "2"}
    assert second["MD5OfMessageAttributes"] == "ae7155c6026991b6d54b11589678bf9c"
    for names in (["SenderId"], ["SenderId", "SequenceNumber"]):
        shown = queue.one(AttributeNames=names)["Attributes"]
        assert shown == {"SenderId": first["Attributes"]["SenderId"]}
    assert "Attributes" not in queue.one(AttributeNames=["SequenceNumber"])


@pytest.mark.behaviour("system-03")
def test_new_and_old_name_of_the_member(json_sqs):
    queue = json_sqs.queue(VisibilityTimeout=0)
    queue.send()
    new = queue.one(MessageSystemAttributeNames=["All"])["Attributes"]
    assert set(new) == EVERY_STANDARD
    both = queue.one(
        AttributeNames=["SenderId"], MessageSystemAttributeNames=["ApproximateReceiveCount"]
    )
    assert both["Attributes"] == {"SenderId": new["SenderId"], "ApproximateReceiveCount": "2"}


@pytest.mark.behaviour("system-06")
def test_trace_header(sqs):
    queue = sqs.queue(VisibilityTimeout=0)
    answer = queue.send(MessageSystemAttributes={"AWSTraceHeader": text(TRACE)})
    assert answer["MD5OfMessageSystemAttributes"] == "5ae4d5d7636402d80f4eb6d213245a88"
    assert "MD5OfMessageAttributes" not in answer
    assert queue.one(AttributeNames=["AWSTraceHeader"])["Attributes"] == {"AWSTraceHeader": TRACE}
    assert queue.one(AttributeNames=["All"])["Attributes"]["AWSTraceHeader"] == TRACE
    assert "Attributes" not in queue.one()


@pytest.mark.behaviour("system-07")
def test_trace_header_of_the_request(sqs, endpoint):
    queue = sqs.queue()
    header = {
        "X-Amzn-Trace-Id": "Root=1-3152b799-8954dae64eda91bc9a23a7e8;Parent=7fa8c0f79203be72;Sampled=1"
    }
    if sqs.protocol == "json":
        request = json_request(
            endpoint, "SendMessage", {"QueueUrl": queue.url, "MessageBody": "test"}, headers=header
        )
    else:
        request = query_request(
            queue.url, {"Action": "SendMessage", "MessageBody": "test"}, headers=header
        )
    assert send(request).status == 200
    shown = queue.one(AttributeNames=["SentTimestamp", "AWSTraceHeader"])["Attributes"]
    assert set(shown) == {"SentTimestamp", "AWSTraceHeader"}
    assert shown["AWSTraceHeader"] == header["X-Amzn-Trace-Id"]


@pytest.mark.behaviour("system-08")
def test_other_system_attributes(sqs):
    with sqs.refuses("InvalidParameterValue"):
        sqs.send_message(
            QueueUrl=sqs.queue().url,
            MessageBody="m",
            MessageSystemAttributes={"SenderId": text("somebody")},
        )
