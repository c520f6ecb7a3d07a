"""What queues get: envelopes with signatures, and raw messages."""

import json
import re

import pytest
from cryptography.exceptions import InvalidSignature

from suite.clients import boto, boto_sns, get
from suite.service import Service, text
from suite.topics import change, verify_signature

OTHER_REGION = "eu-north-1"
ATTRIBUTES = {
    "an-attribute-key": text("an-attribute-value"),
    "binary-attribute": {"DataType": "Binary", "BinaryValue": b"\x02\x03\x04"},
}
ALL = {"AttributeNames": ["All"], "MessageAttributeNames": ["All"]}


@pytest.mark.behaviour("delivery-01", "delivery-03", "publishing-01")
def test_envelope(sns):
    topic = sns.topic()
    inbox = topic.inbox(raw=False)
    sent = topic.publish("m")
    message = inbox.one(**ALL)
    assert "MessageAttributes" not in message
    envelope = json.loads(message["Body"])
    expected = "Type MessageId TopicArn Message Timestamp SignatureVersion Signature SigningCertURL UnsubscribeURL"
    assert list(envelope) == expected.split()
    assert message["Body"].startswith('{\n  "Type" : "Notification",\n  "MessageId" : "')
    assert envelope["Type"] == "Notification"
    assert envelope["MessageId"] == sent["MessageId"] != message["MessageId"]
    assert envelope["TopicArn"] == topic.arn
    assert envelope["Message"] == "m"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", envelope["Timestamp"])
    link = f"/?Action=Unsubscribe&SubscriptionArn={inbox.subscription}"
    assert envelope["UnsubscribeURL"].endswith(link)
    assert re.search(r"/SimpleNotificationService-[0-9a-f]{32}\.pem$", envelope["SigningCertURL"])


@pytest.mark.behaviour("delivery-02")
def test_envelope_with_everything(sns):
    topic = sns.topic()
    inbox = topic.inbox(raw=False)
    topic.publish("m", Subject="s", MessageAttributes=ATTRIBUTES)
    envelope = inbox.envelope()
    expected = "Type MessageId TopicArn Subject Message Timestamp SignatureVersion Signature SigningCertURL UnsubscribeURL MessageAttributes"
    assert list(envelope) == expected.split()
    assert envelope["MessageAttributes"] == {
        "an-attribute-key": {"Type": "String", "Value": "an-attribute-value"},
        "binary-attribute": {"Type": "Binary", "Value": "AgME"},
    }


@pytest.mark.behaviour("delivery-04", "attributes-01")
def test_raw(sns):
    topic = sns.topic()
    inbox = topic.inbox()
    number = {"DataType": "Number.int", "StringValue": "7.0"}
    topic.publish("text", Subject="lost", MessageAttributes=ATTRIBUTES | {"n": number})
    message = inbox.one(**ALL)  # which verifies the digest
    assert message["Body"] == "text"
    assert message["MessageAttributes"] == ATTRIBUTES | {"n": number}
    topic.publish("bare")
    assert "MessageAttributes" not in inbox.one(**ALL)


@pytest.mark.behaviour("delivery-05")
def test_arrays(sns):
    topic = sns.topic()
    raw, enveloped = topic.inbox(), topic.inbox(raw=False)
    array = {"DataType": "String.Array", "StringValue": '["a", 1, true, null]'}
    topic.publish(MessageAttributes={"list": array})
    assert raw.one(**ALL)["MessageAttributes"] == {"list": array}
    shown = {"list": {"Type": "String.Array", "Value": '["a", 1, true, null]'}}
    assert enveloped.envelope()["MessageAttributes"] == shown


@pytest.mark.behaviour("delivery-06")
def test_fan_out(sns):
    topic = sns.topic()
    inboxes = [topic.inbox() for _ in range(10)]
    topic.publish_all(["a", "b"])
    for inbox in inboxes:
        inbox.only("a", "b")


@pytest.mark.behaviour("delivery-07")
def test_system_attributes(sns):
    topic = sns.topic()
    raw, enveloped = topic.inbox(), topic.inbox(raw=False)
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"

    def trace_it(request, **_):
        request.headers["X-Amzn-Trace-Id"] = trace

    traced = boto_sns(sns.meta.endpoint_url)
    traced.meta.events.register("before-sign.sns.Publish", trace_it)
    traced.publish(TopicArn=topic.arn, Message="m")
    for inbox in (raw, enveloped):
        attributes = inbox.one(AttributeNames=["All"])["Attributes"]
        assert attributes["AWSTraceHeader"] == trace
        assert attributes["SenderId"].startswith("AIDA")


@pytest.mark.behaviour("delivery-08", "subscriptions-14")
def test_raw_on_and_off(sns):
    topic = sns.topic()
    inbox = topic.inbox(raw=False)
    for raw in ("true", "false"):
        change(sns, inbox.subscription, RawMessageDelivery=raw)
        topic.publish("m")
        body = inbox.one()["Body"]
        assert (body == "m") == (raw == "true")


@pytest.mark.behaviour("delivery-09")
def test_queue_of_another_region(not_aws, sns):
    elsewhere = Service(boto(sns.meta.endpoint_url, region=OTHER_REGION))
    queue = elsewhere.queue()
    assert queue.arn.split(":")[3] == OTHER_REGION != sns.meta.region_name
    topic = sns.topic()
    topic.subscribe("sqs", queue.arn, RawMessageDelivery="true")
    topic.publish("far")
    assert queue.one()["Body"] == "far"
    elsewhere.clean_up()


@pytest.mark.behaviour("delivery-10", "delivery-03", "subscriptions-23")
def test_unsubscribed(sns):
    topic = sns.topic()
    called, linked = [topic.inbox(raw=False) for _ in range(2)]
    topic.publish("before")
    sns.unsubscribe(SubscriptionArn=called.subscription)
    refused = get(linked.envelope()["UnsubscribeURL"])
    assert (refused.status, refused.code) == (403, "AuthorizationError")
    topic.publish("after")
    assert [json.loads(body)["Message"] for body in called.bodies()] == ["before"]
    assert linked.envelope()["Message"] == "after"
    assert [one["SubscriptionArn"] for one in topic.subscriptions()] == [linked.subscription]


@pytest.mark.behaviour("envelopes-01", "envelopes-02", "envelopes-03")
@pytest.mark.parametrize("version", ["1", "2"])
def test_signature(sns, version):
    topic = sns.topic(SignatureVersion=version)
    inbox = topic.inbox(raw=False)
    for message, members in [
        ("m", {}),
        ('größe\r\n\t鳩 🐦 \\ " / <&>\u2028', {"Subject": "Grüße"}),
        ('{"a":"b"}', {"MessageAttributes": ATTRIBUTES}),
    ]:
        topic.publish(message, **members)
        envelope = inbox.envelope()
        assert envelope["SignatureVersion"] == version
        verify_signature(envelope)
        envelope["Message"] += "!"
        with pytest.raises(InvalidSignature):
            verify_signature(envelope)


@pytest.mark.behaviour("envelopes-02")
def test_signature_version_can_be_changed(sns):
    topic = sns.topic()
    inbox = topic.inbox(raw=False)
    for version in ("2", "1"):
        topic.set("SignatureVersion", version)
        topic.publish()
        envelope = inbox.envelope()
        assert envelope["SignatureVersion"] == version
        verify_signature(envelope)


@pytest.mark.behaviour("envelopes-04")
def test_signature_of_a_structured_message(sns, http):
    topic = sns.topic()
    inbox = topic.inbox(raw=False)
    topic.subscribe("http", http.url)
    http.confirm()
    texts = {"default": "for all", "sqs": "for queues", "http": "for endpoints"}
    topic.publish(json.dumps(texts), MessageStructure="json")
    for envelope, expected in [
        (inbox.envelope(), "for queues"),
        (http.next("Notification").message, "for endpoints"),
    ]:
        assert envelope["Message"] == expected
        verify_signature(envelope)
