"""Dead-letter queues."""

import json

import pytest

from suite.service import text, unique

TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
EVERYTHING = {"AttributeNames": ["All"], "MessageAttributeNames": ["All"]}


def policy(dlq, count=1):
    """A redrive policy."""
    return json.dumps({"deadLetterTargetArn": dlq.arn, "maxReceiveCount": count})


def pair(sqs, count=1, **attributes):
    """A queue and its dead-letter queue."""
    kind = (
        {"fifo": True, "ContentBasedDeduplication": "true"} if attributes.pop("fifo", False) else {}
    )
    dlq = sqs.queue("dlq", **kind)
    return sqs.queue("source", RedrivePolicy=policy(dlq, count), **kind, **attributes), dlq


@pytest.mark.behaviour("dlq-01", "dlq-02")
def test_move(sqs):
    source, dlq = pair(sqs)
    source.send(
        "message-1",
        MessageAttributes={"MyAttribute": text("foobar")},
        MessageSystemAttributes={"AWSTraceHeader": text(TRACE)},
    )
    source.send("message-2")
    received = {}
    for _ in range(4):
        for message in source.receive(1, VisibilityTimeout=0, **EVERYTHING):
            assert message["Body"] not in received
            received[message["Body"]] = message
    assert set(received) == {"message-1", "message-2"}
    moved = {m["Body"]: m for m in dlq.drain(2, **EVERYTHING)}
    assert source.counts() == (0, 0, 0)
    for body, before in received.items():
        after = moved[body]
        assert after["MessageId"] == before["MessageId"]
        assert before["Attributes"]["ApproximateReceiveCount"] == "1"
        assert after["Attributes"] == before["Attributes"] | {
            "ApproximateReceiveCount": "2",
            "ApproximateFirstReceiveTimestamp": after["Attributes"][
                "ApproximateFirstReceiveTimestamp"
            ],
            "DeadLetterQueueSourceArn": source.arn,
        }
    assert moved["message-1"]["MessageAttributes"] == {"MyAttribute": text("foobar")}
    assert moved["message-1"]["MD5OfMessageAttributes"] == "adb59cd4678ea5a855436b949cd07ab6"
    assert moved["message-1"]["Attributes"]["AWSTraceHeader"] == TRACE
    assert "MessageAttributes" not in moved["message-2"]


@pytest.mark.behaviour("dlq-01")
def test_count(sqs):
    source, dlq = pair(sqs, count=3, VisibilityTimeout=0)
    source.send()
    assert [source.bodies(1) for _ in range(4)] == [["message"]] * 3 + [[]]
    assert dlq.bodies() == ["message"]


@pytest.mark.behaviour("dlq-01", "polling-05")
def test_move_while_a_poll_waits(sqs):
    source, dlq = pair(sqs, VisibilityTimeout=1)
    source.send()
    source.one()
    assert source.receive(WaitTimeSeconds=2) == []
    assert dlq.one()["Body"] == "message"


@pytest.mark.behaviour("dlq-03")
def test_bad_policies(sqs):
    queue = sqs.queue()
    arn = queue.arn
    known = {"deadLetterTargetArn": arn, "maxReceiveCount": 1}
    refused = {
        json.dumps(
            known | {"deadLetterTargetArn": arn + "-unknown"}
        ): "Dead letter target does not exist.",
        json.dumps(
            {"maxReceiveCount": 1}
        ): "Redrive policy does not contain mandatory attribute: deadLetterTargetArn.",
        json.dumps(
            {"deadLetterTargetArn": arn}
        ): "Redrive policy does not contain mandatory attribute: maxReceiveCount.",
        "{}": "Redrive policy does not contain mandatory attribute: maxReceiveCount.",
        json.dumps(known | {"maxReceiveCount": 0}): None,
        json.dumps(known | {"maxReceiveCount": 1001}): None,
        json.dumps(known | {"maxReceiveCount": "many"}): None,
        json.dumps(known | {"other": 1}): None,
        "no json": None,
        "[]": None,
    }
    for given, reason in refused.items():
        says = reason and f"Value {given} for parameter RedrivePolicy is invalid. Reason: {reason}"
        with sqs.refuses("InvalidParameterValue", says=says):
            queue.set(RedrivePolicy=given)
    assert "RedrivePolicy" not in queue.attributes()
    with sqs.refuses("InvalidParameterValue"):
        sqs.queue(RedrivePolicy="no json")


@pytest.mark.behaviour("dlq-04")
def test_types_must_agree(sqs):
    standard, fifo = sqs.queue(), sqs.queue(fifo=True)
    for source, dlq in ((standard, fifo), (fifo, standard)):
        given = policy(dlq)
        says = f"Value {given} for parameter RedrivePolicy is invalid. Reason: Dead-letter queue must be same type of queue as the source."
        with sqs.refuses("InvalidParameterValue", says=says):
            source.set(RedrivePolicy=given)


@pytest.mark.behaviour("dlq-05", "dlq-09")
@pytest.mark.parametrize("count", [1000, "7"])
def test_policy_is_shown(sqs, count):
    dlq = sqs.queue("dlq")
    queue = sqs.queue(RedrivePolicy=policy(dlq, count))
    shown = queue.attributes("RedrivePolicy")["RedrivePolicy"]
    assert shown == f'{{"deadLetterTargetArn":"{dlq.arn}","maxReceiveCount":{int(count)}}}'
    queue.set(RedrivePolicy="")
    assert "RedrivePolicy" not in queue.attributes()


@pytest.mark.behaviour("dlq-09")
def test_count_as_text(sqs):
    source, dlq = pair(sqs, count="1", VisibilityTimeout=0)
    source.send()
    assert [len(source.receive()) for _ in range(2)] == [1, 0]
    assert dlq.bodies() == ["message"]


@pytest.mark.behaviour("dlq-06")
def test_sources(sqs):
    dlq = sqs.queue("dlq")
    assert sqs.list_dead_letter_source_queues(QueueUrl=dlq.url).get("queueUrls", []) == []
    sources = {sqs.queue(RedrivePolicy=policy(dlq)).url for _ in range(3)}
    answer = sqs.list_dead_letter_source_queues(QueueUrl=dlq.url)
    assert set(answer["queueUrls"]) == sources
    assert "NextToken" not in answer
    first = sqs.list_dead_letter_source_queues(QueueUrl=dlq.url, MaxResults=2)
    rest = sqs.list_dead_letter_source_queues(
        QueueUrl=dlq.url, MaxResults=2, NextToken=first["NextToken"]
    )
    assert len(first["queueUrls"]) == 2
    assert set(first["queueUrls"] + rest["queueUrls"]) == sources
    assert "NextToken" not in rest


@pytest.mark.behaviour("dlq-06")
def test_no_sources_is_an_empty_list_in_json(json_sqs):
    answer = json_sqs.list_dead_letter_source_queues(QueueUrl=json_sqs.queue().url)
    assert answer["queueUrls"] == []


@pytest.mark.behaviour("dlq-07")
def test_who_may_name_the_queue(sqs):
    dlq, queue, other = sqs.queue("dlq"), sqs.queue(), sqs.queue()
    denied = {"redrivePermission": "denyAll"}
    dlq.set(RedriveAllowPolicy=json.dumps(denied))
    assert json.loads(dlq.attributes("RedriveAllowPolicy")["RedriveAllowPolicy"]) == denied
    with sqs.refuses("InvalidParameterValue"):
        queue.set(RedrivePolicy=policy(dlq))
    dlq.set(
        RedriveAllowPolicy=json.dumps(
            {"redrivePermission": "byQueue", "sourceQueueArns": [queue.arn]}
        )
    )
    queue.set(RedrivePolicy=policy(dlq))
    with sqs.refuses("InvalidParameterValue"):
        other.set(RedrivePolicy=policy(dlq))
    dlq.set(RedriveAllowPolicy=json.dumps({"redrivePermission": "allowAll"}))
    other.set(RedrivePolicy=policy(dlq))


@pytest.mark.behaviour("dlq-07")
@pytest.mark.parametrize(
    "given",
    [
        {"redrivePermission": "perhaps"},
        {"redrivePermission": "byQueue"},
        {
            "redrivePermission": "allowAll",
            "sourceQueueArns": ["arn:aws:sqs:us-east-1:000000000000:q"],
        },
        {
            "redrivePermission": "byQueue",
            "sourceQueueArns": [f"arn:aws:sqs:us-east-1:000000000000:q{i}" for i in range(11)],
        },
    ],
)
def test_bad_allow_policies(sqs, given):
    with sqs.refuses(("InvalidAttributeValue", "InvalidParameterValue")):
        sqs.queue().set(RedriveAllowPolicy=json.dumps(given))


@pytest.mark.behaviour("dlq-08", "dlq-10")
def test_fifo(sqs):
    source, dlq = pair(sqs, fifo=True)
    sent = source.send("a", group="g")
    source.send("b", group="g")
    source.hide(source.one(), 0)
    assert source.bodies(1) == ["b"]
    (moved,) = dlq.receive(AttributeNames=["All"])
    assert moved["Body"] == "a"
    assert moved["MessageId"] == sent["MessageId"]
    assert moved["Attributes"]["MessageGroupId"] == "g"
    assert moved["Attributes"]["MessageDeduplicationId"] == sent["MessageId"]
    assert moved["Attributes"]["DeadLetterQueueSourceArn"] == source.arn


@pytest.mark.behaviour("dlq-03")
def test_target_in_nobodys_queue(sqs):
    arn = sqs.queue().arn.rsplit(":", 1)[0] + ":" + unique()
    with sqs.refuses("InvalidParameterValue"):
        sqs.queue(RedrivePolicy=json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3}))
