"""Message attributes and their MD5. `Queue` verifies every digest against the attributes shown."""

import pytest

from suite.service import text

THREE = {"Help.Me": text("Me"), "Hello": text("There"), "General": text("Kenobi")}
TRACE = b"traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01"


def sent(sqs, attributes):
    """A queue with one message that has these attributes and is never hidden."""
    queue = sqs.queue(VisibilityTimeout=0)
    queue.send("msg", MessageAttributes=attributes)
    return queue


@pytest.mark.behaviour("attributes-01")
def test_every_type(sqs):
    given = {
        "City": text("Any City"),
        "Population": {"DataType": "Number", "StringValue": "1250800"},
        "Raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    queue = sqs.queue()
    answer = queue.send(MessageAttributes=given)
    assert answer["MD5OfMessageAttributes"] == "e505db23a88448853f92b9b24f8bce1a"
    assert queue.one(MessageAttributeNames=["All"])["MessageAttributes"] == given


@pytest.mark.behaviour("attributes-02", "attributes-08")
@pytest.mark.parametrize(
    ("attributes", "digest"),
    [
        (THREE, "4c360f3fdafd970e05fae2f149d997f5"),
        (
            {"timestamp": {"DataType": "Number", "StringValue": "1493147359900"}},
            "235c5c510d26fb653d073faed50ae77c",
        ),
        (
            {"attr1": {"DataType": "Binary", "BinaryValue": TRACE}},
            "8cbe4db156db8a94db8b801b7addb984",
        ),
        ({"k": text("x")}, "a45daa70926828a2f0a1db3418e6feb4"),
    ],
)
def test_recorded_digests(sqs, attributes, digest):
    queue = sqs.queue()
    assert queue.send(MessageAttributes=attributes)["MD5OfMessageAttributes"] == digest
    message = queue.one(MessageAttributeNames=["All"])
    assert message["MD5OfMessageAttributes"] == digest
    assert message["MessageAttributes"] == attributes


@pytest.mark.behaviour(
    "attributes-03", "attributes-04", "attributes-05", "attributes-06", "attributes-07"
)
@pytest.mark.parametrize(
    ("names", "returned", "digest"),
    [
        (["All"], ["General", "Hello", "Help.Me"], "4c360f3fdafd970e05fae2f149d997f5"),
        ([".*"], ["General", "Hello", "Help.Me"], "4c360f3fdafd970e05fae2f149d997f5"),
        (["*"], ["General", "Hello", "Help.Me"], "4c360f3fdafd970e05fae2f149d997f5"),
        (["Hel.*"], ["Hello", "Help.Me"], "83fee93c1bcd8b9a5a923ffacdc636c7"),
        (["Hello", "General"], ["General", "Hello"], "fca026605781cb4126a1e9044df24232"),
        (["Foo", "Hello"], ["Hello"], "a311262e065454b75da111d535b8dacd"),
        (["Foo", "Help"], [], None),
        (["AWS."], [], None),
        (["..foo"], [], None),
        ([], [], None),
    ],
)
def test_names(sqs, names, returned, digest):
    queue = sent(sqs, THREE)
    message = queue.one(MessageAttributeNames=names)
    if returned:
        assert message["MessageAttributes"] == {name: THREE[name] for name in returned}
        assert message["MD5OfMessageAttributes"] == digest
    else:
        assert set(message) == {"MessageId", "ReceiptHandle", "MD5OfBody", "Body"}


@pytest.mark.behaviour("attributes-08")
def test_every_byte(sqs):
    given = {"bytes": {"DataType": "Binary", "BinaryValue": bytes(range(256))}}
    assert sent(sqs, given).one(MessageAttributeNames=["All"])["MessageAttributes"] == given


@pytest.mark.behaviour("attributes-09")
def test_empty_value(sqs):
    says = (
        "Message (user) attribute 'ErrorDetails' must contain a non-empty value of type 'String'."
    )
    with sqs.refuses("InvalidParameterValue", says=says):
        sent(sqs, {"ErrorDetails": text("")})


@pytest.mark.behaviour("attributes-10")
def test_custom_types(sqs):
    given = {
        "n": {"DataType": "Number.int", "StringValue": "7"},
        "s": {"DataType": "String.a.b", "StringValue": "x"},
        "b": {"DataType": "Binary.gif", "BinaryValue": b"GIF"},
    }
    assert sent(sqs, given).one(MessageAttributeNames=["All"])["MessageAttributes"] == given


@pytest.mark.behaviour("attributes-11")
@pytest.mark.parametrize("data_type", ["Text", "string", "Numbers", ""])
def test_other_data_types(sqs, data_type):
    with sqs.refuses("InvalidParameterValue"):
        sent(sqs, {"my-attribute": {"DataType": data_type, "StringValue": "1"}})


@pytest.mark.behaviour("attributes-11")
def test_other_data_type_as_quoted(sqs):
    says = "The type of message (user) attribute 'my-attribute' is invalid. You must use only the following supported type prefixes: Binary, Number, String."
    with sqs.refuses("InvalidParameterValue", says=says):
        sent(sqs, {"my-attribute": {"DataType": "Text", "StringValue": "1"}})


@pytest.mark.behaviour("attributes-12")
def test_number_of_attributes(sqs):
    ten = {f"a{i}": text(str(i)) for i in range(10)}
    assert sent(sqs, ten).one(MessageAttributeNames=["All"])["MessageAttributes"] == ten
    with sqs.refuses("InvalidParameterValue"):
        sent(sqs, ten | {"eleven": text("x")})


@pytest.mark.behaviour("attributes-13")
@pytest.mark.parametrize(
    "name", ["AWS.x", "aws.x", "Amazon.x", ".x", "x.", "a..b", "a b", "a§", "n" * 257, ""]
)
def test_bad_names(json_sqs, name):
    with json_sqs.refuses("InvalidParameterValue"):
        sent(json_sqs, {name: text("x")})


@pytest.mark.behaviour("attributes-18")
def test_names_of_any_script(sqs):
    given = {"attr.1øßä": text("x")}
    assert sent(sqs, given).one(MessageAttributeNames=["All"])["MessageAttributes"] == given


@pytest.mark.behaviour("attributes-13")
def test_longest_name(sqs):
    given = {"A-z_0." + "n" * 250: text("x")}
    assert sent(sqs, given).one(MessageAttributeNames=["All"])["MessageAttributes"] == given


@pytest.mark.behaviour("attributes-14")
@pytest.mark.parametrize("number", ["ten", "1,5", "0x10", "1 2"])
def test_no_number(json_sqs, number):
    with json_sqs.refuses("InvalidParameterValue"):
        sent(json_sqs, {"n": {"DataType": "Number", "StringValue": number}})


@pytest.mark.behaviour("attributes-15")
@pytest.mark.parametrize(
    "number", ["-1.50", "6.02e23", "12345678901234567890123456789012345678", "99.12"]
)
def test_numbers_keep_their_digits(sqs, number):
    given = {"n": {"DataType": "Number", "StringValue": number}}
    assert sent(sqs, given).one(MessageAttributeNames=["All"])["MessageAttributes"] == given


@pytest.mark.behaviour("attributes-16")
def test_list_values(json_sqs):
    codes = ("AWS.SimpleQueueService.UnsupportedOperation", "InvalidParameterValue")
    attributes = {"l": {"DataType": "String", "StringListValues": ["a", "b"]}}
    url = json_sqs.queue().url
    with json_sqs.refuses(codes):
        json_sqs.send_message(QueueUrl=url, MessageBody="m", MessageAttributes=attributes)


@pytest.mark.behaviour("attributes-17")
def test_text_outside_ascii(sqs):
    given = {
        "value": text("größe 鳩 🐦"),
        "type": {"DataType": "String.größe", "StringValue": "<&\r\n>"},
    }
    assert sent(sqs, given).one(MessageAttributeNames=["All"])["MessageAttributes"] == given


@pytest.mark.behaviour("attributes-17", "messages-07")
def test_size_counts_utf8(sqs):
    queue = sqs.queue(MaximumMessageSize=1024)
    spent = len("k") + len("String")
    queue.send("m", MessageAttributes={"k": text("ä" * ((1024 - 1 - spent) // 2))})
    with sqs.refuses("InvalidParameterValue"):
        queue.send("mmm", MessageAttributes={"k": text("ä" * ((1024 - 1 - spent) // 2))})
