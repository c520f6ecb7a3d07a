"""Publish and PublishBatch: what is accepted, and what is answered."""

import json

import pytest

from suite.service import text

NO_DEFAULT = "Invalid parameter: Message Structure - No default entry in JSON message body"


@pytest.mark.behaviour("publishing-01", "publishing-02")
def test_ids(sns):
    topic = sns.topic()
    inbox = topic.inbox(raw=False)
    answer = topic.publish("hello")
    assert "SequenceNumber" not in answer
    assert inbox.envelope()["MessageId"] == answer["MessageId"]
    by_target = sns.publish(TargetArn=topic.arn, Message="hello")["MessageId"]
    assert inbox.envelope()["MessageId"] == by_target != answer["MessageId"]
    with sns.refuses("InvalidParameter"):
        sns.publish(Message="to nobody")


@pytest.mark.behaviour("publishing-03")
def test_unknown_endpoint(sns):
    topic = sns.topic()
    arn = topic.arn.rpartition(":")[0] + ":endpoint/APNS/a/0f7d5971-aa8b-4bd5-b585-0826e9f93a66"
    says = "Invalid parameter: TargetArn Reason: No endpoint found for the target arn specified"
    with sns.refuses("InvalidParameter", says=says):
        sns.publish(TargetArn=arn, Message="m")


@pytest.mark.behaviour("publishing-04", "publishing-05")
def test_empty_and_bad_subjects(sns):
    topic = sns.topic()
    with sns.refuses("InvalidParameter"):
        topic.publish("")
    for subject in ["", "x" * 101, "two\nlines"]:
        with sns.refuses("InvalidParameter", says="Invalid parameter: Subject"):
            topic.publish(Subject=subject)
    inbox = topic.inbox(raw=False)
    topic.publish(Subject="ü" * 100)
    assert inbox.envelope()["Subject"] == "ü" * 100


@pytest.mark.behaviour("publishing-06")
def test_size(sns):
    topic = sns.topic()
    number = {"attr1": {"DataType": "Number", "StringValue": "1"}}  # 12 bytes
    topic.publish("a" * 262_144)
    topic.publish("ä" * 131_072)
    topic.publish("a" * (262_144 - 12), MessageAttributes=number)
    for message, members in [
        ("a" * 262_145, {}),
        ("ä" * 131_072 + "a", {}),
        ("a" * (262_144 - 11), {"MessageAttributes": number}),
    ]:
        with sns.refuses("InvalidParameter", says="Invalid parameter: Message too long"):
            topic.publish(message, **members)


@pytest.mark.behaviour("publishing-07", "delivery-11")
def test_size_of_the_topic(sns):
    small = sns.topic(MaximumMessageSize=1024)
    small.publish("a" * 1024)
    with sns.refuses("InvalidParameter", says="Invalid parameter: Message too long"):
        small.publish("a" * 1025)
    large = sns.topic(MaximumMessageSize=1_048_576)
    inbox = large.inbox()
    large.publish("a" * 1_048_576)
    assert inbox.one()["Body"] == "a" * 1_048_576
    with sns.refuses("InvalidParameter", says="Invalid parameter: Message too long"):
        large.publish("a" * 1_048_577)


@pytest.mark.behaviour("publishing-08", "publishing-10")
def test_structure(sns):
    topic = sns.topic()
    inbox = topic.inbox()

    def arrives(message):
        topic.publish(message, MessageStructure="json")
        return inbox.one()["Body"]

    assert arrives('{"default":"all","sqs":"for queues","http":"x","pigeon":7}') == "for queues"
    assert arrives('{"default":"all","http":"for endpoints"}') == "all"
    assert arrives('{"default":"all","sqs":{"not":"a text"}}') == "all"
    assert arrives('{"default":"one","default":"two"}') in ("one", "two")
    topic.publish('{"default":"as it is"}')
    assert inbox.one()["Body"] == '{"default":"as it is"}'


@pytest.mark.behaviour("publishing-09")
def test_bad_structure(sns):
    topic = sns.topic()
    says = "Invalid parameter: Message Structure - JSON message body failed to parse"
    with sns.refuses("InvalidParameter", says=says):
        topic.publish('{"default": "d"} }', MessageStructure="json")
    for message in ['{"sqs": "x"}', '{"default": {"object": "test"}}']:
        with sns.refuses("InvalidParameter", says=NO_DEFAULT):
            topic.publish(message, MessageStructure="json")


@pytest.mark.behaviour("publishing-11")
@pytest.mark.parametrize(
    "value",
    [
        {"DataType": "String"},
        {"DataType": "String", "StringValue": ""},
        {"DataType": "Binary", "StringValue": "x"},
        {"DataType": "", "StringValue": "x"},
        {"DataType": "Object", "StringValue": "x"},
        {"DataType": "Number", "StringValue": "many"},
        {"DataType": "Number", "StringValue": "NaN"},
    ],
)
def test_bad_attributes(sns, value):
    typed = "InvalidParameterValueException"
    with sns.refuses("ParameterValueInvalid", typed=typed):
        sns.topic().publish(MessageAttributes={"a": value})


@pytest.mark.behaviour("publishing-15")
def test_members_that_the_model_requires(sns):
    def missing(name):
        return f"Value null at '{name}' failed to satisfy constraint: Member must not be null"

    untyped = {"a": {"StringValue": "x"}}
    says = "1 validation error detected: " + missing("messageAttributes.a.member.dataType")
    with sns.refuses("ValidationError", says=says):
        sns.topic().publish(MessageAttributes=untyped)
    entries = [{"Id": "0", "Message": "m"}, {"Message": "m", "MessageAttributes": untyped}]
    second = "publishBatchRequestEntries.2.member."
    found = [second + "id", second + "messageAttributes.a.member.dataType"]
    says = "2 validation errors detected: " + "; ".join(missing(name) for name in found)
    with sns.refuses("ValidationError", says=says):
        sns.publish_batch(TopicArn=sns.topic().arn, PublishBatchRequestEntries=entries)


@pytest.mark.behaviour("publishing-11")
def test_bad_attribute_name(sns):
    with sns.refuses("ParameterValueInvalid"):
        sns.topic().publish(MessageAttributes={"a b": text("x")})


@pytest.mark.behaviour("publishing-12", "publishing-13")
def test_fifo_members_on_a_standard_topic(sns):
    topic = sns.topic()
    with sns.refuses("InvalidParameter"):
        topic.publish(dedup="d")
    inbox = topic.inbox()
    topic.publish(group="tenant")
    assert inbox.one(AttributeNames=["All"])["Attributes"]["MessageGroupId"] == "tenant"


@pytest.mark.behaviour("publishing-14")
def test_characters(sns):
    topic = sns.topic()
    raw, enveloped = topic.inbox(), topic.inbox(raw=False)
    message = "tab\tline\nreturn\r <&> \"quoted\" 'x' \\u0041 / größe 鳩 🐦 \u2028"
    topic.publish(message)
    assert raw.one()["Body"] == message
    assert enveloped.envelope()["Message"] == message


@pytest.mark.behaviour("publishbatch-01", "publishbatch-08")
def test_batch(sns):
    topic = sns.topic()
    inbox = topic.inbox(raw=False)
    structured = {"Message": '{"default":"d","sqs":"s"}', "MessageStructure": "json"}
    entries = [
        "plain",
        {"Message": "with subject", "Subject": "subject"},
        structured,
        {"Message": "with attribute", "MessageAttributes": {"k": text("v")}},
    ]
    answer = topic.publish_batch(*entries)
    assert answer["Failed"] == []
    assert [one["Id"] for one in answer["Successful"]] == ["0", "1", "2", "3"]
    received = [json.loads(message["Body"]) for message in inbox.drain(4)]
    by_id = {one["MessageId"]: one for one in received}
    plain, subject, structure, attribute = (by_id[one["MessageId"]] for one in answer["Successful"])
    assert plain["Message"] == "plain"
    assert subject["Subject"] == "subject"
    assert structure["Message"] == "s"
    assert attribute["MessageAttributes"] == {"k": {"Type": "String", "Value": "v"}}


@pytest.mark.behaviour("publishbatch-02", "publishbatch-03", "publishbatch-04")
def test_bad_batches(sns):
    topic = sns.topic()
    with sns.refuses("EmptyBatchRequest", typed="EmptyBatchRequestException"):
        topic.publish_batch()
    says = "The batch request contains more entries than permissible."
    with sns.refuses(
        "TooManyEntriesInBatchRequest", says=says, typed="TooManyEntriesInBatchRequestException"
    ):
        topic.publish_batch(*["m"] * 11)
    says = "Two or more batch entries in the request have the same Id."
    with sns.refuses(
        "BatchEntryIdsNotDistinct", says=says, typed="BatchEntryIdsNotDistinctException"
    ):
        topic.publish_batch(*[{"Id": "1", "Message": "m"}] * 2)
    for bad in ["", "a b", "x" * 81]:
        with sns.refuses("InvalidBatchEntryId", typed="InvalidBatchEntryIdException"):
            topic.publish_batch({"Id": bad, "Message": "m"})


@pytest.mark.behaviour("publishbatch-05")
def test_size_of_a_batch(sns):
    topic = sns.topic()
    half = "a" * 131_072
    assert topic.publish_batch(half, half)["Failed"] == []
    with sns.refuses("BatchRequestTooLong", typed="BatchRequestTooLongException"):
        topic.publish_batch(half, half + "a")


@pytest.mark.behaviour("publishbatch-06", "publishbatch-09")
def test_one_bad_entry(sns):
    topic = sns.topic()
    inbox = topic.inbox()
    with sns.refuses("InvalidParameter", says=NO_DEFAULT):
        topic.publish_batch("good", {"Message": '{"sqs": "x"}', "MessageStructure": "json"})
    with sns.refuses("InvalidParameter"):
        topic.publish_batch("good", {"Message": "bad", "Subject": "x" * 101})
    bad = {"Message": "bad", "MessageAttributes": {"a": {"DataType": "x", "StringValue": "x"}}}
    with sns.refuses("ParameterValueInvalid"):
        topic.publish_batch("good", bad)
    assert inbox.bodies() == []


@pytest.mark.behaviour("publishbatch-07")
def test_one_bad_entry_of_a_fifo_topic(sns):
    topic = sns.topic(fifo=True)
    inbox = topic.inbox(fifo=True)
    good = {"Message": "m", "MessageGroupId": "g", "MessageDeduplicationId": "d"}
    says = "Invalid parameter: The MessageGroupId parameter is required for FIFO topics"
    with sns.refuses("InvalidParameter", says=says):
        topic.publish_batch(good, {"Message": "m", "MessageDeduplicationId": "e"})
    says = "Invalid parameter: The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
    with sns.refuses("InvalidParameter", says=says):
        topic.publish_batch(good, {"Message": "m", "MessageGroupId": "g"})
    assert inbox.bodies() == []
