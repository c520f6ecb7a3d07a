"""HTTP endpoints: confirmation, notifications, retries, links. The endpoint is in this process."""

import json
import re

import pytest

from suite.clients import SNS_NAMESPACE, get
from suite.endpoint import HttpEndpoint
from suite.service import text
from suite.topics import change, shown, verify_signature

DELAYS = {"minDelayTarget": 1, "maxDelayTarget": 2}
AT_ONCE = DELAYS | {"numRetries": 3, "numNoDelayRetries": 3}  # all retries without waiting
HEADERS = {
    "user-agent": "Amazon Simple Notification Service Agent",
    "content-type": "text/plain; charset=UTF-8",
    "accept-encoding": "gzip,deflate",
}


def subscribed(topic, http, **attributes):
    """A confirmed subscription."""
    arn = topic.subscribe("http", http.url, **attributes)
    assert http.confirm().status == 200
    return arn


def check_headers(post, kind, message_id, topic, subscription=None):
    """AWS's headers, and no other of its own."""
    expected = HEADERS | {
        "x-amz-sns-message-type": kind,
        "x-amz-sns-message-id": message_id,
        "x-amz-sns-topic-arn": topic.arn,
    }
    if subscription:
        expected["x-amz-sns-subscription-arn"] = subscription
    own = {name for name in post.headers if name.startswith("x-amz-")} | HEADERS.keys()
    assert {name: post.headers[name] for name in own} == expected


@pytest.mark.behaviour("http-01", "http-02", "envelopes-01", "subscriptions-04")
@pytest.mark.parametrize("version", ["1", "2"])
def test_confirmation(sns, http, version):
    topic = sns.topic(SignatureVersion=version)
    arn = topic.subscribe("http", http.url)
    post = http.next("SubscriptionConfirmation")
    assert post.path == "/sns"
    message = post.message
    check_headers(post, "SubscriptionConfirmation", message["MessageId"], topic)
    expected = "Type MessageId Token TopicArn Message SubscribeURL Timestamp SignatureVersion Signature SigningCertURL"
    assert list(message) == expected.split()
    assert message["Message"] == (
        f"You have chosen to subscribe to the topic {topic.arn}.\n"
        "To confirm the subscription, visit the SubscribeURL included in this message."
    )
    link = f"/?Action=ConfirmSubscription&TopicArn={topic.arn}&Token={message['Token']}"
    assert message["SubscribeURL"].endswith(link)
    assert re.fullmatch(r"[0-9a-f]{100,}", message["Token"])
    assert message["SignatureVersion"] == version
    verify_signature(message)

    answer = get(message["SubscribeURL"])
    assert answer.status == 200
    assert answer.xml.tag == f"{{{SNS_NAMESPACE}}}ConfirmSubscriptionResponse"
    path = "ConfirmSubscriptionResult/SubscriptionArn"
    assert answer.element(path, SNS_NAMESPACE) == arn
    attributes = shown(sns, arn)
    assert attributes["PendingConfirmation"] == "false"
    assert attributes["ConfirmationWasAuthenticated"] == "false"


@pytest.mark.behaviour("http-03", "http-10", "http-17")
def test_confirmation_by_token(sns, http):
    topic = sns.topic()
    arn = topic.subscribe("http", http.url)
    token = http.next("SubscriptionConfirmation").message["Token"]
    topic.publish("too early")
    with sns.refuses("InvalidParameter"):
        sns.confirm_subscription(TopicArn=topic.arn, Token=token[:-1] + "x")
    elsewhere = topic.arn.replace(sns.meta.region_name, "eu-central-1")
    with sns.refuses("InvalidParameter", says="Invalid parameter: Topic"):
        sns.confirm_subscription(TopicArn=elsewhere, Token=token)
    for _ in range(2):
        answer = sns.confirm_subscription(TopicArn=topic.arn, Token=token)
        assert answer["SubscriptionArn"] == arn
    assert shown(sns, arn)["ConfirmationWasAuthenticated"] == "true"
    topic.publish("in time")
    assert http.next("Notification").message["Message"] == "in time"


@pytest.mark.behaviour("http-04", "publishing-01", "envelopes-02")
@pytest.mark.parametrize("version", ["1", "2"])
def test_notification(sns, http, version):
    topic = sns.topic(SignatureVersion=version)
    arn = subscribed(topic, http)
    sent = topic.publish("größe 🐦", Subject="s", MessageAttributes={"k": text("v")})
    post = http.next("Notification")
    check_headers(post, "Notification", sent["MessageId"], topic, arn)
    message = post.message
    expected = "Type MessageId TopicArn Subject Message Timestamp SignatureVersion Signature SigningCertURL UnsubscribeURL MessageAttributes"
    assert list(message) == expected.split()
    assert message["MessageId"] == sent["MessageId"]
    assert message["Message"] == "größe 🐦"
    assert message["UnsubscribeURL"].endswith(f"/?Action=Unsubscribe&SubscriptionArn={arn}")
    assert message["MessageAttributes"] == {"k": {"Type": "String", "Value": "v"}}
    verify_signature(message)


@pytest.mark.behaviour("http-05", "http-06")
def test_raw(sns, http):
    topic = sns.topic()
    policy = {"requestPolicy": {"headerContentType": "application/json"}}
    arn = subscribed(topic, http, RawMessageDelivery="true", DeliveryPolicy=policy)
    topic.publish('{"a":1}', Subject="lost", MessageAttributes={"k": text("lost")})
    post = http.next("Notification")
    assert post.body == '{"a":1}'
    assert post.headers["x-amz-sns-rawdelivery"] == "true"
    assert post.headers["x-amz-sns-subscription-arn"] == arn
    assert post.headers["content-type"] == "application/json"


@pytest.mark.behaviour("http-07")
@pytest.mark.parametrize("status", [500, 503, 429])
def test_retries(sns, http, status):
    topic = sns.topic()
    subscribed(topic, http, DeliveryPolicy={"healthyRetryPolicy": AT_ONCE})
    http.answer(status, status)
    sent = topic.publish()
    posts = [http.next("Notification") for _ in range(3)]
    assert {post.headers["x-amz-sns-message-id"] for post in posts} == {sent["MessageId"]}
    assert len({post.body for post in posts}) == 1
    topic.publish("the next")
    assert http.next("Notification").message["Message"] == "the next"


@pytest.mark.behaviour("http-08", "undelivered-02")
def test_permanent_failures(sns, http):
    topic = sns.topic()
    dlq = sns.sqs.queue()
    subscribed(
        topic,
        http,
        DeliveryPolicy={"healthyRetryPolicy": AT_ONCE},
        RedrivePolicy={"deadLetterTargetArn": dlq.arn},
    )
    for status in (400, 403, 404, 410):
        http.answer(status)
        sent = topic.publish()
        refused = http.next("Notification")
        (dead,) = dlq.drain(1, MessageAttributeNames=["All"])
        assert dead["Body"] == refused.body
        assert json.loads(dead["Body"])["MessageId"] == sent["MessageId"]
    assert http.is_silent


@pytest.mark.behaviour("http-07", "undelivered-02")
def test_retries_come_to_an_end(sns, http):
    topic = sns.topic()
    dlq = sns.sqs.queue()
    subscribed(
        topic,
        http,
        DeliveryPolicy={"healthyRetryPolicy": AT_ONCE},
        RedrivePolicy={"deadLetterTargetArn": dlq.arn},
    )
    http.answer(500, 500, 500, 500)
    topic.publish()
    bodies = {http.next("Notification").body for _ in range(4)}
    (dead,) = dlq.drain(1)
    assert bodies == {dead["Body"]}
    assert http.is_silent


@pytest.mark.behaviour("http-09")
def test_confirmation_is_tried_again(sns, http):
    topic = sns.topic()
    http.answer(500)
    arn = topic.subscribe("http", http.url, DeliveryPolicy={"healthyRetryPolicy": AT_ONCE})
    first = http.next("SubscriptionConfirmation").message
    again = http.next("SubscriptionConfirmation").message
    assert again["Token"] == first["Token"]
    assert get(again["SubscribeURL"]).status == 200
    assert shown(sns, arn)["PendingConfirmation"] == "false"


@pytest.mark.behaviour("http-11", "http-10")
def test_links(sns, http):
    topic = sns.topic()
    arn = subscribed(topic, http)
    topic.publish()
    answer = get(http.next("Notification").message["UnsubscribeURL"])
    assert answer.status == 200
    assert answer.xml.tag == f"{{{SNS_NAMESPACE}}}UnsubscribeResponse"
    post = http.next("UnsubscribeConfirmation")
    message = post.message
    check_headers(post, "UnsubscribeConfirmation", message["MessageId"], topic, arn)
    assert message["Message"] == (
        f"You have chosen to deactivate subscription {arn}.\n"
        "To cancel this operation and restore the subscription, visit the SubscribeURL included in this message."
    )
    verify_signature(message)
    assert topic.subscriptions() == []
    topic.publish("to nobody")
    assert get(message["SubscribeURL"]).status == 200
    topic.publish("restored")
    assert http.next("Notification").message["Message"] == "restored"
    assert shown(sns, arn)["PendingConfirmation"] == "false"


@pytest.mark.behaviour("http-11")
def test_signed_unsubscribe_is_not_told(sns, http):
    topic = sns.topic()
    arn = subscribed(topic, http)
    sns.unsubscribe(SubscriptionArn=arn)
    # Whatever else was on its way comes before the question to the next subscriber.
    topic.subscribe("http", http.url)
    http.next("SubscriptionConfirmation")


@pytest.mark.behaviour("http-12")
def test_protected_subscription(sns, http):
    topic = sns.topic()
    arn = topic.subscribe("http", http.url)
    token = http.next("SubscriptionConfirmation").message["Token"]
    sns.confirm_subscription(TopicArn=topic.arn, Token=token, AuthenticateOnUnsubscribe="true")
    topic.publish()
    url = http.next("Notification").message["UnsubscribeURL"]
    assert get(url).status == 403
    assert [one["SubscriptionArn"] for one in topic.subscriptions()] == [arn]
    sns.unsubscribe(SubscriptionArn=arn)
    assert topic.subscriptions() == []


@pytest.mark.behaviour("http-13")
def test_a_dead_endpoint_delays_nobody(sns, http):
    gone = HttpEndpoint()
    topic = sns.topic()
    dead = topic.subscribe("http", gone.url)
    assert gone.confirm().status == 200
    gone.close()
    subscribed(topic, http)
    inbox = topic.inbox()
    for i in range(20):
        topic.publish(str(i))
    received = {http.next("Notification").message["Message"] for _ in range(20)}
    assert received == {str(i) for i in range(20)}
    inbox.only(*received)
    assert shown(sns, dead)["PendingConfirmation"] == "false"


@pytest.mark.behaviour("http-14")
def test_effective_delivery_policy(sns, http):
    retries = DELAYS | {"numRetries": 7}
    topic = sns.topic()
    arn = topic.subscribe("http", http.url)
    effective = json.loads(shown(sns, arn)["EffectiveDeliveryPolicy"])
    assert effective["healthyRetryPolicy"]["numRetries"] == 3
    change(sns, arn, DeliveryPolicy={"healthyRetryPolicy": retries})
    attributes = shown(sns, arn)
    assert json.loads(attributes["DeliveryPolicy"])["healthyRetryPolicy"]["numRetries"] == 7
    effective = json.loads(attributes["EffectiveDeliveryPolicy"])
    assert effective["healthyRetryPolicy"].items() >= retries.items()
    once = DELAYS | {"numRetries": 1}
    override = {"defaultHealthyRetryPolicy": once, "disableSubscriptionOverrides": True}
    topic.set("DeliveryPolicy", json.dumps({"http": override}))
    effective = json.loads(shown(sns, arn)["EffectiveDeliveryPolicy"])
    assert effective["healthyRetryPolicy"]["numRetries"] == 1


@pytest.mark.behaviour("http-15", "subscriptions-02")
def test_asked_again(sns, http):
    topic = sns.topic()
    arn = topic.subscribe("http", http.url)
    first = http.next("SubscriptionConfirmation").message
    assert topic.subscribe("http", http.url) == arn
    second = http.next("SubscriptionConfirmation").message
    assert get(second["SubscribeURL"]).status == 200
    assert topic.subscribe("http", http.url) == arn  # confirmed: nobody is asked
    topic.publish()
    http.next("Notification")
    assert first["TopicArn"] == topic.arn


@pytest.mark.behaviour("http-16", "publishing-08")
def test_filter_and_structure(sns, http):
    topic = sns.topic()
    subscribed(topic, http, FilterPolicy={"k": ["yes"]})
    texts = json.dumps({"default": "all", "http": "for http", "sqs": "for queues"})
    for value in ("no", "yes"):
        attributes = {"k": text(value)}
        topic.publish(texts, MessageStructure="json", MessageAttributes=attributes)
    message = http.next("Notification").message
    assert message["Message"] == "for http"
    assert message["MessageAttributes"]["k"]["Value"] == "yes"
    assert http.is_silent
