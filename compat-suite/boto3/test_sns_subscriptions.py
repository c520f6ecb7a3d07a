"""Subscriptions: endpoints, attributes, lists."""

import base64
import json

import pytest

from suite.service import unique
from suite.topics import change, shown

QUEUE_URL = "http://localhost:4566/000000000000/q"


def queue_arn(sns, topic, name=None):
    """The ARN of a queue that does not exist."""
    return f"arn:aws:sqs:{sns.meta.region_name}:{topic.account}:{name or unique()}"


@pytest.mark.behaviour("subscriptions-01", "subscriptions-14")
def test_queue(sns, json_sqs):
    topic, queue = sns.topic(), json_sqs.queue()
    answer = sns.subscribe(
        TopicArn=topic.arn,
        Protocol="sqs",
        Endpoint=queue.arn,
        Attributes={"RawMessageDelivery": "True"},
    )
    arn = answer["SubscriptionArn"]
    assert arn.rpartition(":")[0] == topic.arn
    attributes = shown(sns, arn)
    assert attributes.pop("SubscriptionPrincipal").startswith("arn:aws:")
    assert attributes == {
        "SubscriptionArn": arn,
        "TopicArn": topic.arn,
        "Protocol": "sqs",
        "Endpoint": queue.arn,
        "Owner": topic.account,
        "ConfirmationWasAuthenticated": "true",
        "PendingConfirmation": "false",
        "RawMessageDelivery": "true",
    }


@pytest.mark.behaviour("subscriptions-02", "subscriptions-03", "subscriptions-14")
def test_subscribe_again(sns):
    topic = sns.topic()
    endpoint = queue_arn(sns, topic)
    arn = topic.subscribe("sqs", endpoint, RawMessageDelivery="True")
    for same in [
        {},
        {"RawMessageDelivery": "true"},
        {"RawMessageDelivery": "true", "FilterPolicyScope": "MessageAttributes"},
        {"FilterPolicyScope": "MessageAttributes"},
    ]:
        assert topic.subscribe("sqs", endpoint, **same) == arn
    says = "Invalid parameter: Attributes Reason: Subscription already exists with different attributes"
    with sns.refuses("InvalidParameter", says=says):
        topic.subscribe(
            "sqs", endpoint, RawMessageDelivery="false", FilterPolicyScope="MessageBody"
        )
    assert len(topic.subscriptions()) == 1


@pytest.mark.behaviour("subscriptions-04", "subscriptions-08")
def test_pending(sns):
    topic = sns.topic()
    members = {"TopicArn": topic.arn, "Protocol": "email", "Endpoint": "birds@example.com"}
    assert sns.subscribe(**members)["SubscriptionArn"] == "pending confirmation"
    arn = sns.subscribe(**members, ReturnSubscriptionArn=True)["SubscriptionArn"]
    assert arn.startswith(topic.arn)
    attributes = shown(sns, arn)
    assert attributes["PendingConfirmation"] == "true"
    assert attributes["ConfirmationWasAuthenticated"] == "false"
    (listed,) = topic.subscriptions()
    assert listed == {
        "SubscriptionArn": "PendingConfirmation",
        "Owner": topic.account,
        "Protocol": "email",
        "Endpoint": "birds@example.com",
        "TopicArn": topic.arn,
    }


@pytest.mark.behaviour("subscriptions-05", "subscriptions-06")
def test_unsubscribe(sns):
    topic = sns.topic()
    arn = topic.subscribe("sms", "+15551230003")
    for _ in range(2):
        sns.unsubscribe(SubscriptionArn=arn)
    assert topic.subscriptions() == []
    with sns.refuses("NotFound", status=404, typed="NotFoundException"):
        shown(sns, arn)
    with sns.refuses("NotFound", status=404):
        change(sns, arn, FilterPolicy="")
    says = "Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, not 1"
    with sns.refuses("InvalidParameter", says=says):
        sns.unsubscribe(SubscriptionArn="pending confirmation")


@pytest.mark.behaviour("subscriptions-07")
def test_pages(sns):
    topic = sns.topic()
    arns = {topic.subscribe("sms", f"+1555{i:07}") for i in range(101)}
    first = sns.list_subscriptions_by_topic(TopicArn=topic.arn)
    assert len(first["Subscriptions"]) == 100
    base64.b64decode(first["NextToken"], validate=True)
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic.arn)
    listed = [one["SubscriptionArn"] for page in pages for one in page["Subscriptions"]]
    assert len(listed) == 101
    assert set(listed) == arns
    pages = sns.get_paginator("list_subscriptions").paginate()
    listed = [one["SubscriptionArn"] for page in pages for one in page["Subscriptions"]]
    assert arns <= set(listed)
    with sns.refuses("InvalidParameter"):
        sns.list_subscriptions(NextToken="made up")


@pytest.mark.behaviour("subscriptions-09")
@pytest.mark.parametrize(
    ("protocol", "to", "says"),
    [
        ("sqs", QUEUE_URL, "Invalid parameter: SQS endpoint ARN"),
        ("sqs", "q", "Invalid parameter: SQS endpoint ARN"),
        (
            "http",
            "https://x.test/",
            "Invalid parameter: Endpoint must match the specified protocol",
        ),
        (
            "https",
            "http://x.test/",
            "Invalid parameter: Endpoint must match the specified protocol",
        ),
        ("https", "x.test", "Invalid parameter: Endpoint must match the specified protocol"),
        ("email", "birds", None),
        ("lambda", "f", None),
        ("application", "token", None),
        ("firehose", "stream", None),
        ("pigeon", "coop", None),
    ],
)
def test_endpoints_that_do_not_fit(sns, protocol, to, says):
    topic = sns.topic()
    with sns.refuses("InvalidParameter", says=says, typed="InvalidParameterException"):
        topic.subscribe(protocol, to)
    assert topic.subscriptions() == []


@pytest.mark.behaviour("subscriptions-10")
def test_phone_numbers(sns):
    topic = sns.topic()
    for number in ["+12/34-567.890", "+15551234567"]:
        assert topic.subscribe("sms", number).startswith(topic.arn)
    for number in ["+15--551234567", "+15551234567/", "NAA+15551234567"]:
        with sns.refuses("InvalidParameter", says=f"Invalid SMS endpoint: {number}"):
            topic.subscribe("sms", number)


@pytest.mark.behaviour("subscriptions-11", "subscriptions-12")
def test_types_of_topics(sns):
    standard, fifo = sns.topic(), sns.topic(fifo=True)
    with sns.refuses("InvalidParameter"):
        standard.subscribe("sqs", queue_arn(sns, standard, "q.fifo"))
    for protocol, endpoint in [("sms", "+15551234567"), ("http", "http://x.test/")]:
        says = f"Invalid parameter: Invalid protocol type: {protocol}"
        with sns.refuses("InvalidParameter", says=says):
            fifo.subscribe(protocol, endpoint)


@pytest.mark.behaviour("subscriptions-13")
def test_raw_delivery(sns):
    topic = sns.topic()
    function = f"arn:aws:lambda:{sns.meta.region_name}:{topic.account}:function:f"
    for protocol, endpoint in [("lambda", function), ("email", "a@x.test"), ("sms", "+1555123456")]:
        arn = topic.subscribe(protocol, endpoint)
        reason = f"Delivery protocol [{protocol}] does not support raw message delivery."
        for value in ("true", "false"):
            with sns.refuses("InvalidParameter", says=f"Invalid parameter: {reason}"):
                change(sns, arn, RawMessageDelivery=value)
    arn = topic.subscribe("sqs", queue_arn(sns, topic))
    with sns.refuses("InvalidParameter"):
        change(sns, arn, RawMessageDelivery="perhaps")
    role = f"arn:aws:iam::{topic.account}:role/r"
    stream = f"arn:aws:firehose:{sns.meta.region_name}:{topic.account}:deliverystream/s"
    arn = topic.subscribe("firehose", stream, SubscriptionRoleArn=role, RawMessageDelivery="true")
    assert shown(sns, arn)["SubscriptionRoleArn"] == role


@pytest.mark.behaviour("subscriptions-15", "filters-14")
def test_filter_policy(sns):
    topic = sns.topic()
    arn = topic.subscribe("sqs", queue_arn(sns, topic))
    before = shown(sns, arn)
    policy = '{"attr1": [null, {"anything-but": "whatever"}]}'
    change(sns, arn, FilterPolicy=policy)
    filtered = {"FilterPolicy": policy, "FilterPolicyScope": "MessageAttributes"}
    assert shown(sns, arn) == before | filtered
    change(sns, arn, FilterPolicyScope="MessageBody")
    assert shown(sns, arn)["FilterPolicyScope"] == "MessageBody"
    with sns.refuses("InvalidParameter"):
        change(sns, arn, FilterPolicyScope="Subject")
    change(sns, arn, FilterPolicy="")
    assert "FilterPolicy" not in shown(sns, arn)


@pytest.mark.behaviour("subscriptions-16")
def test_redrive_policy(sns):
    topic = sns.topic()
    arn = topic.subscribe("sqs", queue_arn(sns, topic))
    target = queue_arn(sns, topic)
    policy = json.dumps({"deadLetterTargetArn": target}, indent=1)
    change(sns, arn, RedrivePolicy=policy)
    assert shown(sns, arn)["RedrivePolicy"] == policy
    with sns.refuses("InvalidParameter"):
        change(sns, arn, RedrivePolicy="")
    sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="RedrivePolicy")
    assert "RedrivePolicy" not in shown(sns, arn)
    says = "Invalid parameter: RedrivePolicy: invalid JSON. Attribute maxReceiveCount is unknown."
    with sns.refuses("InvalidParameter", says=says):
        change(sns, arn, RedrivePolicy={"deadLetterTargetArn": target, "maxReceiveCount": 3})
    for bad in ["{}", "no document", '{"deadLetterTargetArn":"q"}']:
        with sns.refuses("InvalidParameter"):
            change(sns, arn, RedrivePolicy=bad)


@pytest.mark.behaviour("subscriptions-17")
def test_unknown_attributes(sns):
    topic = sns.topic()
    arn = topic.subscribe("sqs", queue_arn(sns, topic))
    for name in ("Foo", "Owner", "Endpoint", "ReplayPolicy"):
        with sns.refuses("InvalidParameter"):
            change(sns, arn, **{name: "1"})
    with sns.refuses("InvalidParameter"):
        topic.subscribe("sqs", queue_arn(sns, topic), Foo="1")


@pytest.mark.behaviour("subscriptions-18", "subscriptions-19")
def test_gone_with_the_topic(sns):
    topic = sns.topic()
    arn = topic.subscribe("sqs", queue_arn(sns, topic))
    assert topic.publish()["MessageId"]  # to a queue that does not exist
    sns.delete_topic(TopicArn=topic.arn)
    again = sns.adopt(sns.create_topic(Name=topic.arn.rpartition(":")[2])["TopicArn"])
    assert again.arn == topic.arn
    assert again.subscriptions() == []
    assert again.attributes()["SubscriptionsConfirmed"] == "0"
    sns.unsubscribe(SubscriptionArn=arn)


@pytest.mark.behaviour("subscriptions-22")
def test_pending_subscription_cannot_be_ended(sns):
    topic = sns.topic()
    arn = topic.subscribe("email", "birds@example.com")
    with sns.refuses("InvalidParameter", typed="InvalidParameterException"):
        sns.unsubscribe(SubscriptionArn=arn)
    assert len(topic.subscriptions()) == 1


@pytest.mark.behaviour("subscriptions-20")
def test_topic_for_large_messages(sns):
    topic = sns.topic(MaximumMessageSize=262145)
    assert topic.subscribe("sqs", queue_arn(sns, topic))
    with sns.refuses("InvalidParameter"):
        topic.subscribe("sms", "+15551234567")
    other = sns.topic()
    other.subscribe("email", "a@x.test")
    with sns.refuses("InvalidParameter"):
        other.set("MaximumMessageSize", 1048576)
