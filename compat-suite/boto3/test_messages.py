"""Send, receive, delete."""

import pytest

from suite.clients import query_call
from suite.digests import md5_of_body
from suite.service import Elapsed

MIB = 1_048_576
TOO_LONG = "One or more parameters are invalid. Reason: Message must be shorter than {} bytes."
K_IS_X = {"k": {"DataType": "String", "StringValue": "x"}}  # eight bytes


@pytest.mark.behaviour("messages-01", "messages-17")
def test_send_and_receive(sqs):
    queue = sqs.queue()
    sent = queue.send("message")
    assert sent["MD5OfMessageBody"] == "78e731027d8fd50ed642340b7c9a63b3"
    assert set(sent) == {"MessageId", "MD5OfMessageBody", "ResponseMetadata"}
    received = queue.one()
    assert set(received) == {"MessageId", "ReceiptHandle", "MD5OfBody", "Body"}
    assert received["MessageId"] == sent["MessageId"]
    assert received["Body"] == "message"
    assert len(received["ReceiptHandle"]) <= 1024
    assert len(received["MessageId"]) <= 100


@pytest.mark.behaviour("messages-02", "polling-01")
def test_empty_receive(sqs):
    queue = sqs.queue()
    assert "Messages" not in queue.answer(MaxNumberOfMessages=1)
    elapsed = Elapsed()
    assert "Messages" not in queue.answer(MaxNumberOfMessages=1, WaitTimeSeconds=1)
    assert elapsed() >= 0.95


@pytest.mark.behaviour("messages-03", "messages-04")
def test_deleted_message_stays_away(sqs):
    queue = sqs.queue(VisibilityTimeout=1)
    queue.send()
    message = queue.one()
    queue.delete(message)
    queue.delete(message)
    assert queue.receive(WaitTimeSeconds=2) == []
    queue.delete(message)


@pytest.mark.behaviour("messages-05", "errors-03")
def test_empty_body(sqs):
    queue = sqs.queue()
    says = "The request must contain the parameter MessageBody."
    with sqs.refuses("MissingParameter", says=says):
        sqs.send_message(QueueUrl=queue.url, MessageBody="")
    with sqs.refuses("MissingParameter", says=says):
        sqs.send_message(QueueUrl=queue.url)


@pytest.mark.behaviour("messages-06")
def test_largest_message(sqs):
    queue = sqs.queue()
    queue.send("a" * (MIB - 8), MessageAttributes=K_IS_X)
    assert len(queue.one()["Body"]) == MIB - 8
    with sqs.refuses("InvalidParameterValue", says=TOO_LONG.format(MIB)):
        queue.send("a" * (MIB - 7), MessageAttributes=K_IS_X)
    queue.send("a" * MIB)
    with sqs.refuses("InvalidParameterValue", says=TOO_LONG.format(MIB)):
        queue.send("a" * (MIB + 1))


@pytest.mark.behaviour("messages-07")
def test_size_in_bytes(sqs):
    queue = sqs.queue(MaximumMessageSize=1024)
    queue.send("ä" * 512)
    with sqs.refuses("InvalidParameterValue", says=TOO_LONG.format(1024)):
        queue.send("ä" * 512 + "a")


@pytest.mark.behaviour("messages-08", "query-07")
@pytest.mark.parametrize(
    "body",
    [
        "tab\tline\nreturn\rboth\r\nend",
        " spaces at both ends ",
        "\n",
        "<a b='c'>&amp; \"quoted\" ]]></a>",
        "größe 鳩 🐦 \u00a0\u2028\ufffd\ue000\ud7ff\U0010fffd",
        "a+b=c&d%20e;f#g?h",
        '{"json": "\\u0000 \\" "}',
        "\x7f\x85",
    ],
)
def test_every_allowed_character(sqs, body):
    queue = sqs.queue()
    queue.send(body)
    assert queue.one()["Body"] == body


@pytest.mark.behaviour("messages-09")
@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1f", "\ufffe", "\uffff"])
def test_characters_outside_the_set(sqs, character):
    queue = sqs.queue()
    with sqs.refuses("InvalidMessageContents", typed="InvalidMessageContents"):
        sqs.send_message(QueueUrl=queue.url, MessageBody=f"a{character}b")
    assert queue.receive() == []


@pytest.mark.behaviour("messages-10")
def test_number_of_messages(sqs):
    queue = sqs.queue()
    for _ in range(2):
        queue.send_batch(*[f"message {i}" for i in range(6)])
    assert len(queue.answer()["Messages"]) == 1
    received = queue.receive(10)
    assert 1 <= len(received) <= 10
    for count in (0, 11):
        says = f"Value {count} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."
        with sqs.refuses("InvalidParameterValue", says=says):
            queue.receive(count)


@pytest.mark.behaviour("messages-11", "messages-15")
def test_new_handle_with_each_receive(sqs):
    queue = sqs.queue(VisibilityTimeout=0)
    queue.send()
    first, second = queue.one(), queue.one()
    assert first["MessageId"] == second["MessageId"]
    assert first["ReceiptHandle"] != second["ReceiptHandle"]
    queue.delete(first)
    queue.delete(second)
    assert queue.receive() == []


@pytest.mark.behaviour("messages-12")
@pytest.mark.parametrize("handle", ["made-up", "AQEB" + "x" * 300, "ä"])
def test_made_up_handle(sqs, handle):
    with sqs.refuses("ReceiptHandleIsInvalid", status=(400, 404), typed="ReceiptHandleIsInvalid"):
        sqs.queue().delete(handle)


@pytest.mark.behaviour("messages-13")
def test_handle_of_another_queue(sqs):
    queue, other = sqs.queue(), sqs.queue()
    queue.send()
    message = queue.one()
    with sqs.refuses("ReceiptHandleIsInvalid", status=(400, 404), typed="ReceiptHandleIsInvalid"):
        other.delete(message)
    assert queue.counts() == (0, 1, 0)


@pytest.mark.behaviour("messages-14")
def test_missing_handle(sqs):
    with sqs.refuses("MissingParameter"):
        sqs.delete_message(QueueUrl=sqs.queue().url)


@pytest.mark.behaviour("messages-16")
def test_handle_outlives_the_timeout(sqs):
    queue = sqs.queue()
    queue.send()
    message = queue.one(VisibilityTimeout=0)
    queue.delete(message)
    assert queue.receive(WaitTimeSeconds=1) == []
    assert queue.counts() == (0, 0, 0)


@pytest.mark.behaviour("messages-18")
def test_deduplication_id_on_a_standard_queue(sqs):
    with sqs.refuses("InvalidParameterValue"):
        sqs.queue().send(dedup="d")


@pytest.mark.behaviour("messages-20")
def test_receive_attempt_on_a_standard_queue(sqs):
    queue = sqs.queue()
    queue.send("message")
    for _ in range(2):
        received = queue.receive(ReceiveRequestAttemptId="attempt", VisibilityTimeout=0)
        assert [message["Body"] for message in received] == ["message"]


@pytest.mark.behaviour("messages-19")
def test_group_on_a_standard_queue(sqs):
    queue = sqs.queue()
    sent = queue.send("message", group="test")
    assert set(sent) == {"MessageId", "MD5OfMessageBody", "ResponseMetadata"}
    shown = queue.one(AttributeNames=["All"])["Attributes"]
    assert set(shown) == {
        "ApproximateFirstReceiveTimestamp",
        "ApproximateReceiveCount",
        "MessageGroupId",
        "SenderId",
        "SentTimestamp",
    }
    assert shown["MessageGroupId"] == "test"


@pytest.mark.behaviour("messages-01")
def test_one_protocol_reads_what_the_other_sent(json_sqs, query_sqs):
    queue = json_sqs.queue()
    queue.send("from json")
    answer = query_call(queue.url, Action="ReceiveMessage", WaitTimeSeconds=5)
    assert answer.element("ReceiveMessageResult/Message/Body") == "from json"
    assert answer.element("ReceiveMessageResult/Message/MD5OfBody") == md5_of_body("from json")
    query_sqs.send_message(QueueUrl=queue.url, MessageBody="from query")
    assert queue.one()["Body"] == "from query"
