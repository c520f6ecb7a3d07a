"""Queues and their attributes."""

import json
import time

import pytest

from suite.service import unique

STANDARD = {
    "ApproximateNumberOfMessages": "0",
    "ApproximateNumberOfMessagesDelayed": "0",
    "ApproximateNumberOfMessagesNotVisible": "0",
    "DelaySeconds": "0",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "SqsManagedSseEnabled": "true",
    "VisibilityTimeout": "30",
}
FIFO = STANDARD | {
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoQueue": "true",
    "FifoThroughputLimit": "perQueue",
}
HIGH_THROUGHPUT = {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
        ],
    }
)


def check_all(queue, expected):
    """All attributes are those expected, besides the ARN and the timestamps."""
    found = queue.attributes()
    assert found.pop("QueueArn").startswith("arn:aws")
    for name in ("CreatedTimestamp", "LastModifiedTimestamp"):
        assert abs(int(found.pop(name)) - time.time()) < 120
    assert found == expected


@pytest.mark.behaviour("queues-01")
def test_created_queue_is_usable_and_found_by_name(sqs):
    queue = sqs.queue()
    assert sqs.get_queue_url(QueueName=queue.name)["QueueUrl"] == queue.url
    queue.send("first")
    assert queue.bodies() == ["first"]
    assert queue.arn.split(":")[5] == queue.name


@pytest.mark.behaviour("queues-02")
def test_new_standard_queue(sqs):
    check_all(sqs.queue(), STANDARD)


@pytest.mark.behaviour("queues-03")
def test_new_fifo_queue(sqs):
    queue = sqs.queue(fifo=True, SqsManagedSseEnabled="true", ContentBasedDeduplication="true")
    check_all(queue, FIFO | {"ContentBasedDeduplication": "true"})


@pytest.mark.behaviour("queues-04")
@pytest.mark.parametrize("attributes", [None, {"DelaySeconds": "1"}])
def test_create_again_with_equal_attributes(sqs, attributes):
    queue = sqs.queue(ReceiveMessageWaitTimeSeconds=1, DelaySeconds=1)
    members = {"Attributes": attributes} if attributes else {}
    assert sqs.create_queue(QueueName=queue.name, **members)["QueueUrl"] == queue.url


@pytest.mark.behaviour("queues-05", "errors-02")
def test_create_again_with_another_value(sqs):
    queue = sqs.queue(ReceiveMessageWaitTimeSeconds=1, DelaySeconds=1)
    says = (
        "A queue already exists with the same name and a different value for attribute DelaySeconds"
    )
    with sqs.refuses("QueueAlreadyExists", says=says, typed="QueueNameExists"):
        sqs.create_queue(
            QueueName=queue.name,
            Attributes={"ReceiveMessageWaitTimeSeconds": "1", "DelaySeconds": "2"},
        )


@pytest.mark.behaviour("queues-05", "errors-02")
def test_create_again_compares_with_current_values(sqs):
    queue = sqs.queue(ReceiveMessageWaitTimeSeconds=1, DelaySeconds=1)
    queue.set(DelaySeconds=2)
    says = (
        "A queue already exists with the same name and a different value for attribute DelaySeconds"
    )
    with sqs.refuses("QueueAlreadyExists", says=says, typed="QueueNameExists"):
        sqs.create_queue(
            QueueName=queue.name,
            Attributes={"ReceiveMessageWaitTimeSeconds": "1", "DelaySeconds": "1"},
        )


@pytest.mark.behaviour("queues-07")
def test_set_attributes(sqs):
    queue = sqs.queue(DelaySeconds=3)
    before = queue.attributes()
    queue.set(VisibilityTimeout=43200, MaximumMessageSize=1024)
    after = queue.attributes()
    assert int(after["LastModifiedTimestamp"]) >= int(before["LastModifiedTimestamp"])
    changed = {"VisibilityTimeout": "43200", "MaximumMessageSize": "1024"}
    unsteady = {"LastModifiedTimestamp": after["LastModifiedTimestamp"]}
    assert after == before | changed | unsteady


OUT_OF_RANGE = [
    ("VisibilityTimeout", "-1"),
    ("VisibilityTimeout", "43201"),
    ("VisibilityTimeout", "ten"),
    ("DelaySeconds", "901"),
    ("MaximumMessageSize", "1023"),
    ("MaximumMessageSize", "1048577"),
    ("MessageRetentionPeriod", "59"),
    ("MessageRetentionPeriod", "1209601"),
    ("ReceiveMessageWaitTimeSeconds", "21"),
    ("Policy", "None"),
]


@pytest.mark.behaviour("queues-08")
@pytest.mark.parametrize(("name", "value"), OUT_OF_RANGE)
def test_value_out_of_range(json_sqs, name, value):
    queue = json_sqs.queue()
    typed = "InvalidAttributeValue"
    with json_sqs.refuses("InvalidAttributeValue", typed=typed):
        queue.set(**{name: value})
    with json_sqs.refuses("InvalidAttributeValue", typed=typed):
        json_sqs.create_queue(QueueName=unique(), Attributes={name: value})


@pytest.mark.behaviour("queues-08")
def test_value_out_of_range_in_query(query_sqs):
    with query_sqs.refuses("InvalidAttributeValue"):  # the model of 2023 has no class for it
        query_sqs.queue(VisibilityTimeout=43201)


@pytest.mark.behaviour("queues-09")
def test_unknown_attribute(sqs):
    queue = sqs.queue()
    says = {"says": "Unknown Attribute Foo.", "typed": "InvalidAttributeName"}
    with sqs.refuses("InvalidAttributeName", **says):
        queue.set(Foo="1")
    with sqs.refuses("InvalidAttributeName", **says):
        sqs.queue(Foo="1")
    with sqs.refuses("InvalidAttributeName", **says):
        queue.attributes("Foo")


@pytest.mark.behaviour("queues-09")
def test_read_only_attribute(sqs):
    queue = sqs.queue()
    with sqs.refuses("InvalidAttributeName", typed="InvalidAttributeName"):
        queue.set(QueueArn="arn:aws:sqs:us-east-1:000000000000:other")


@pytest.mark.behaviour("queues-10")
def test_fifo_attributes_of_standard_queue(sqs):
    with sqs.refuses(
        "InvalidAttributeName", says="Unknown Attribute FifoQueue.", typed="InvalidAttributeName"
    ):
        sqs.queue(FifoQueue="false")
    with sqs.refuses("InvalidAttributeName", typed="InvalidAttributeName"):
        sqs.queue(ContentBasedDeduplication="true")


@pytest.mark.behaviour("queues-11")
def test_queue_names(sqs):
    longest = unique().ljust(80, "x")
    queue = sqs.adopt(longest, sqs.create_queue(QueueName=longest)["QueueUrl"])
    assert queue.url.endswith("/" + longest)
    for name in (longest + "x", "with space", "with.dot", "umlaut-ä", "a/b"):
        with sqs.refuses("InvalidParameterValue"):
            sqs.create_queue(QueueName=name)


@pytest.mark.behaviour("queues-12")
def test_fifo_queue_names(sqs):
    longest = unique().ljust(75, "x") + ".fifo"
    fifo = {"Attributes": {"FifoQueue": "true"}}
    sqs.adopt(longest, sqs.create_queue(QueueName=longest, **fifo)["QueueUrl"])
    with sqs.refuses("InvalidParameterValue"):
        sqs.create_queue(QueueName="x" + longest, **fifo)
    with sqs.refuses("InvalidParameterValue"):
        sqs.create_queue(QueueName=unique(), **fifo)
    with sqs.refuses("InvalidParameterValue"):
        sqs.create_queue(QueueName=unique() + ".fifo")


@pytest.mark.behaviour("queues-13")
def test_attributes_without_names_or_values(sqs):
    queue = sqs.queue()
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=queue.url)
    assert queue.attributes("KmsMasterKeyId", "Policy", "VisibilityTimeout") == {
        "VisibilityTimeout": "30"
    }


@pytest.mark.behaviour("queues-14", "queues-15")
def test_kms_key(sqs):
    queue = sqs.queue()
    queue.set(KmsMasterKeyId="testKeyId", KmsDataKeyReusePeriodSeconds=6000)
    key = {"KmsMasterKeyId": "testKeyId", "KmsDataKeyReusePeriodSeconds": "6000"}
    check_all(queue, STANDARD | key | {"SqsManagedSseEnabled": "false"})
    queue.set(KmsMasterKeyId="", KmsDataKeyReusePeriodSeconds=300)
    check_all(queue, STANDARD | {"SqsManagedSseEnabled": "false"})


@pytest.mark.behaviour("queues-14")
def test_kms_key_beside_managed_sse_off(sqs):
    queue = sqs.queue()
    given = {
        "KmsMasterKeyId": "testKeyId",
        "KmsDataKeyReusePeriodSeconds": "6000",
        "SqsManagedSseEnabled": "false",
    }
    queue.set(**given)
    assert queue.attributes(*given) == given


@pytest.mark.behaviour("queues-16")
def test_managed_sse(sqs):
    queue = sqs.queue()
    queue.set(SqsManagedSseEnabled="true")
    shown = queue.attributes(
        "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled"
    )
    assert shown == {"SqsManagedSseEnabled": "true"}


@pytest.mark.behaviour("queues-17", "queues-18", "errors-01")
def test_deleted_queue_is_unknown(sqs):
    queue = sqs.queue()
    queue.send()
    sqs.delete_queue(QueueUrl=queue.url)
    for call in (
        queue.attributes,
        queue.send,
        queue.receive,
        lambda: sqs.delete_queue(QueueUrl=queue.url),
    ):
        with sqs.refuses("AWS.SimpleQueueService.NonExistentQueue", typed="QueueDoesNotExist"):
            call()


@pytest.mark.behaviour("queues-19")
def test_fifo_queue_in_capitals(sqs):
    name = unique() + ".fifo"
    given = {"FifoQueue": "True", "ContentBasedDeduplication": "True", "VisibilityTimeout": "60"}
    queue = sqs.adopt(name, sqs.create_queue(QueueName=name, Attributes=given)["QueueUrl"])
    shown = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    assert queue.attributes(*shown) == shown


@pytest.mark.behaviour("queues-20")
def test_content_deduplication_off(sqs):
    queue = sqs.queue(fifo=True, ContentBasedDeduplication="true")
    queue.set(ContentBasedDeduplication="false")
    check_all(queue, FIFO)


@pytest.mark.behaviour("queues-20")
def test_back_to_regular_throughput(sqs):
    queue = sqs.queue(fifo=True, ContentBasedDeduplication="false", **HIGH_THROUGHPUT)
    check_all(queue, FIFO | HIGH_THROUGHPUT)
    queue.set(DeduplicationScope="queue", FifoThroughputLimit="perQueue")
    check_all(queue, FIFO)


@pytest.mark.behaviour("queues-21")
def test_high_throughput_needs_group_scope(sqs):
    codes = ("InvalidAttributeValue", "InvalidAttributeName", "InvalidParameterValue")
    with sqs.refuses(codes):
        sqs.queue(fifo=True, FifoThroughputLimit="perMessageGroupId")


@pytest.mark.behaviour("queues-22")
def test_policy(sqs):
    queue = sqs.queue()
    assert "Policy" not in queue.attributes()
    queue.set(Policy=POLICY)
    assert queue.attributes("Policy")["Policy"] == POLICY
    queue.set(Policy="")
    assert "Policy" not in queue.attributes()


@pytest.mark.behaviour("queues-23")
def test_create_right_after_delete(sqs):
    queue = sqs.queue(DelaySeconds=5)
    sqs.delete_queue(QueueUrl=queue.url)
    try:
        sqs.create_queue(QueueName=queue.name)
    except sqs.exceptions.QueueDeletedRecently as error:
        says = "You must wait 60 seconds after deleting a queue before you can create another with the same name."
        sqs.check_refusal(error, "AWS.SimpleQueueService.QueueDeletedRecently", says=says)
    else:
        assert queue.attributes("DelaySeconds") == {"DelaySeconds": "0"}


@pytest.mark.behaviour("queues-24")
def test_set_attributes_is_all_or_nothing(sqs):
    queue = sqs.queue()
    with sqs.refuses("InvalidAttributeValue"):
        queue.set(DelaySeconds=7, VisibilityTimeout=43201)
    assert queue.attributes("DelaySeconds", "VisibilityTimeout") == {
        "DelaySeconds": "0",
        "VisibilityTimeout": "30",
    }
