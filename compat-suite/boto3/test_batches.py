"""Batches and partial failures."""

import pytest

from suite.clients import json_request, send
from suite.digests import md5_of_attributes, md5_of_body
from suite.service import text

SERVICE = "AWS.SimpleQueueService."
BAD_ID = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."
MIB = 1_048_576


def handles(messages):
    """Entries for DeleteMessageBatch, with Ids 0, 1, 2 …"""
    return [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(messages)]


@pytest.mark.behaviour("batches-01", "batches-13")
def test_send_batch(sqs):
    queue = sqs.queue()
    attributes = {"k": text("x"), "b": {"DataType": "Binary", "BinaryValue": b"\x00"}}
    answer = queue.send_batch("first", {"MessageBody": "second", "MessageAttributes": attributes})
    assert "Failed" not in answer
    first, second = answer["Successful"]
    assert (first["Id"], second["Id"]) == ("0", "1")
    assert first["MD5OfMessageBody"] == md5_of_body("first")
    assert set(first) == {"Id", "MessageId", "MD5OfMessageBody"}
    assert second["MD5OfMessageAttributes"] == md5_of_attributes(attributes)
    received = {m["Body"]: m for m in queue.drain(2, MessageAttributeNames=["All"])}
    assert received["first"]["MessageId"] == first["MessageId"]
    assert received["second"]["MessageAttributes"] == attributes


@pytest.mark.behaviour("batches-02", "batches-01")
def test_sum_over_the_queue_maximum(sqs):
    queue = sqs.queue()
    queue.set(MaximumMessageSize=2048)
    answer = queue.send_batch(
        {"MessageBody": "a" * 2040, "MessageAttributes": {"k": text("x")}}, "a"
    )
    assert "Failed" not in answer
    first, second = answer["Successful"]
    assert first["MD5OfMessageAttributes"] == "a45daa70926828a2f0a1db3418e6feb4"
    assert first["MD5OfMessageBody"] == "f44facf5a7ee0af446ecf3e0f854441e"
    assert second["MD5OfMessageBody"] == "0cc175b9c0f1b6a831c399e269772661"


@pytest.mark.behaviour("batches-03")
def test_one_entry_too_large(sqs):
    queue = sqs.queue(MaximumMessageSize=1024)
    answer = queue.send_batch("a" * 1024, "a" * 1025)
    (success,) = answer["Successful"]
    assert success["Id"] == "0"
    assert success["MD5OfMessageBody"] == "c9a34cfc85d982698c6ac89f76071abd"
    says = "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes."
    assert answer["Failed"] == [
        {"Id": "1", "Code": "InvalidParameterValue", "Message": says, "SenderFault": True}
    ]
    assert len(queue.drain(1)) == 1


@pytest.mark.behaviour("batches-04")
def test_delete_and_visibility_batch(sqs):
    queue = sqs.queue()
    queue.send_batch(*"abcde")
    messages = queue.drain(5, delete=False)
    entries = [{**entry, "VisibilityTimeout": 0} for entry in handles(messages)]
    answer = sqs.change_message_visibility_batch(QueueUrl=queue.url, Entries=entries)
    assert [s["Id"] for s in answer["Successful"]] == list("01234")
    assert "Failed" not in answer
    messages = queue.drain(5, delete=False)
    answer = sqs.delete_message_batch(QueueUrl=queue.url, Entries=handles(messages))
    assert [s["Id"] for s in answer["Successful"]] == list("01234")
    assert "Failed" not in answer
    assert queue.counts() == (0, 0, 0)


@pytest.mark.behaviour("batches-05")
def test_no_entries(json_sqs):
    url = json_sqs.queue().url
    for call in (
        json_sqs.send_message_batch,
        json_sqs.delete_message_batch,
        json_sqs.change_message_visibility_batch,
    ):
        with json_sqs.refuses(SERVICE + "EmptyBatchRequest", typed="EmptyBatchRequest"):
            call(QueueUrl=url, Entries=[])


@pytest.mark.behaviour("batches-05")
def test_no_entries_in_query(query_sqs):
    with query_sqs.refuses((SERVICE + "EmptyBatchRequest", "MissingParameter")):
        query_sqs.send_message_batch(QueueUrl=query_sqs.queue().url, Entries=[])


@pytest.mark.behaviour("batches-06")
def test_eleven_entries(sqs):
    queue = sqs.queue()
    says = "Maximum number of entries per request are 10. You have sent 11."
    with sqs.refuses(
        SERVICE + "TooManyEntriesInBatchRequest", says=says, typed="TooManyEntriesInBatchRequest"
    ):
        queue.send_batch(*"abcdefghijk")
    assert len(queue.send_batch(*"abcdefghij")["Successful"]) == 10


@pytest.mark.behaviour("batches-07")
@pytest.mark.parametrize("id", ["", "testLongId" * 10, "invalid:id", "x" * 81, "a b"])
def test_malformed_ids(sqs, id):
    url = sqs.queue().url
    refused = {"says": BAD_ID, "typed": "InvalidBatchEntryId"}
    with sqs.refuses(SERVICE + "InvalidBatchEntryId", **refused):
        sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": id, "ReceiptHandle": "testHandle1"}])
    with sqs.refuses(SERVICE + "InvalidBatchEntryId", **refused):
        sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": id, "MessageBody": "m"}])


@pytest.mark.behaviour("batches-08")
def test_repeated_ids(sqs):
    queue = sqs.queue()
    with sqs.refuses(SERVICE + "BatchEntryIdsNotDistinct", typed="BatchEntryIdsNotDistinct"):
        queue.send_batch({"Id": "a", "MessageBody": "m"}, {"Id": "a", "MessageBody": "m"})
    assert queue.receive() == []


@pytest.mark.behaviour("batches-09")
def test_sum_too_long(sqs):
    queue = sqs.queue()
    assert "Failed" not in queue.send_batch("a" * (MIB // 2), "b" * (MIB // 2))
    says = f"Batch requests cannot be longer than {MIB} bytes. You have sent {MIB + 1} bytes."
    with sqs.refuses(SERVICE + "BatchRequestTooLong", says=says, typed="BatchRequestTooLong"):
        queue.send_batch("a" * (MIB // 2), "b" * (MIB // 2 + 1))


@pytest.mark.behaviour("batches-10")
def test_fifo_entry_without_deduplication_id(sqs):
    queue = sqs.queue(fifo=True, ContentBasedDeduplication="false")
    says = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
    with sqs.refuses("InvalidParameterValue", says=says):
        queue.send_batch(
            {"MessageBody": "m", "MessageGroupId": "g", "MessageDeduplicationId": "d1"},
            {"MessageBody": "m", "MessageGroupId": "g"},
        )
    assert queue.receive() == []


@pytest.mark.behaviour("batches-11")
def test_fifo_entry_without_group(sqs):
    queue = sqs.queue(fifo=True, ContentBasedDeduplication="false")
    with sqs.refuses(
        "InvalidParameterValue", says="The request must contain the parameter MessageGroupId."
    ):
        queue.send_batch(
            {"MessageBody": "m", "MessageGroupId": "g", "MessageDeduplicationId": "d1"},
            {"MessageBody": "m", "MessageDeduplicationId": "d2"},
        )
    assert queue.receive() == []


@pytest.mark.behaviour("batches-12", "visibility-11")
def test_bad_handle_fails_alone(sqs):
    queue = sqs.queue()
    queue.send()
    entries = [*handles([queue.one()]), {"Id": "bad", "ReceiptHandle": "made-up"}]
    timed = [{**entry, "VisibilityTimeout": 30} for entry in entries]
    for call, given in (
        (sqs.change_message_visibility_batch, timed),
        (sqs.delete_message_batch, entries),
    ):
        answer = call(QueueUrl=queue.url, Entries=given)
        assert [s["Id"] for s in answer["Successful"]] == ["0"]
        (failure,) = answer["Failed"]
        assert (failure["Id"], failure["Code"]) == ("bad", "ReceiptHandleIsInvalid")
        assert failure["SenderFault"] is True
        assert failure["Message"]
    assert queue.counts() == (0, 0, 0)


@pytest.mark.behaviour("batches-12")
def test_bad_handle_is_told(sqs):
    entry = {"Id": "bad", "ReceiptHandle": "made-up"}
    answer = sqs.delete_message_batch(QueueUrl=sqs.queue().url, Entries=[entry])
    says = 'The input receipt handle "made-up" is not a valid receipt handle.'
    assert [f["Message"] for f in answer["Failed"]] == [says]


@pytest.mark.behaviour("batches-16")
def test_entry_of_the_other_type(sqs):
    says = "The request include parameter that is not valid for this queue type"
    failed = {"Id": "0", "Code": "InvalidParameterValue", "Message": says, "SenderFault": True}
    queue = sqs.queue()
    answer = queue.send_batch({"MessageBody": "a", "MessageDeduplicationId": "d"}, "b")
    assert answer["Failed"] == [failed]
    assert queue.bodies() == ["b"]
    queue = sqs.queue(fifo=True, ContentBasedDeduplication="true")
    late = {"MessageBody": "a", "MessageGroupId": "g", "DelaySeconds": 1}
    answer = queue.send_batch(late, {"MessageBody": "b", "MessageGroupId": "g"})
    assert answer["Failed"] == [failed]
    assert queue.bodies() == ["b"]


@pytest.mark.behaviour("batches-17")
@pytest.mark.parametrize(
    ("operation", "entry", "missing"),
    [
        ("DeleteMessageBatch", {"ReceiptHandle": "x"}, "Id"),
        ("DeleteMessageBatch", {"Id": "a"}, "ReceiptHandle"),
        ("ChangeMessageVisibilityBatch", {"Id": "a", "VisibilityTimeout": 1}, "ReceiptHandle"),
        ("SendMessageBatch", {"Id": "a"}, "MessageBody"),
    ],
)
def test_missing_member_of_an_entry(endpoint, json_sqs, operation, entry, missing):
    asked = {"QueueUrl": json_sqs.queue().url, "Entries": [entry]}
    answer = send(json_request(endpoint, operation, asked))
    assert answer.headers["x-amzn-query-error"] == "MissingParameter;Sender"
    name = f"{operation}RequestEntry.1.{missing}"
    assert answer.json["message"] == f"The request must contain the parameter {name}."


@pytest.mark.behaviour("batches-14")
def test_every_entry_failed(sqs):
    queue = sqs.queue(MaximumMessageSize=1024)
    answer = queue.send_batch("a" * 1025, "b" * 1025)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert "Successful" not in answer
    assert [f["Id"] for f in answer["Failed"]] == ["0", "1"]


@pytest.mark.behaviour("batches-13", "delay-03")
def test_delay_of_an_entry(sqs):
    queue = sqs.queue(DelaySeconds=900)
    queue.send_batch({"MessageBody": "now", "DelaySeconds": 0}, "later")
    assert queue.bodies(WaitTimeSeconds=2) == ["now"]
    assert queue.counts() == (0, 1, 1)


@pytest.mark.behaviour("batches-15", "fifo-03", "fifo-10")
def test_order_of_entries(sqs):
    queue = sqs.queue(fifo=True, ContentBasedDeduplication="true")
    bodies = [str(i) for i in range(10)]
    answer = queue.send_batch(*[{"MessageBody": b, "MessageGroupId": "g"} for b in bodies])
    numbers = [s["SequenceNumber"] for s in answer["Successful"]]
    assert numbers == sorted(numbers)
    assert [m["Body"] for m in queue.drain(10)] == bodies
