"""Permissions of topics: statements of the topic's policy."""

import json

import pytest

from suite.service import unique


def statements(topic):
    """The statements of the topic's policy."""
    return json.loads(topic.attributes()["Policy"])["Statement"]


def add(topic, label="label", actions=("Publish",)):
    """AddPermission for the topic's own account."""
    topic.client.add_permission(
        TopicArn=topic.arn, Label=label, AWSAccountId=[topic.account], ActionName=list(actions)
    )


@pytest.mark.behaviour("topicpermissions-01", "topicpermissions-02")
def test_add_and_remove(sns):
    topic = sns.topic()
    (default,) = statements(topic)
    add(topic, "one")
    add(topic, "two", ("Publish", "Subscribe"))
    kept, one, two = statements(topic)
    assert kept == default
    assert one == {
        "Sid": "one",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{topic.account}:root"},
        "Action": "SNS:Publish",
        "Resource": topic.arn,
    }
    assert two["Action"] == ["SNS:Publish", "SNS:Subscribe"]
    sns.remove_permission(TopicArn=topic.arn, Label="one")
    assert statements(topic) == [default, two]


@pytest.mark.behaviour("topicpermissions-03")
def test_label_twice(sns):
    topic = sns.topic()
    add(topic)
    with sns.refuses("InvalidParameter", says="Invalid parameter: Statement already exists"):
        add(topic, actions=("AddPermission",))


@pytest.mark.behaviour("topicpermissions-04")
def test_unknown_action(sns):
    says = "Invalid parameter: Policy statement action out of service scope!"
    with sns.refuses("InvalidParameter", says=says):
        add(sns.topic(), actions=("InvalidAction",))


@pytest.mark.behaviour("topicpermissions-05")
def test_actions_of_topics(sns):
    topic = sns.topic()
    add(topic, actions=("Subscribe", "ListSubscriptionsByTopic", "Receive"))
    says = "Invalid parameter: Policy statement action out of service scope!"
    with sns.refuses("InvalidParameter", says=says):
        add(topic, label="other", actions=("Subscribe", "SetSubscriptionAttributes"))


@pytest.mark.behaviour("topicpermissions-06")
def test_bad_policies(sns):
    topic = sns.topic()
    actions = ["sns:Publish", "sns:CreateTopic"]
    statement = {"Effect": "Allow", "Principal": "*", "Action": actions, "Resource": topic.arn}
    says = "Invalid parameter: Policy statement action out of service scope!"
    with sns.refuses("InvalidParameter", says=says):
        topic.set("Policy", json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    with sns.refuses("InvalidParameter", says="Invalid parameter: Policy Error: null"):
        topic.set("Policy", json.dumps({"Version": "2012-10-17", "Statement": []}))


@pytest.mark.behaviour("topics-10")
def test_unknown_topic(sns):
    topic = sns.topic()
    topic.arn += unique()
    missing = {"says": "Topic does not exist", "typed": "NotFoundException"}
    with sns.refuses("NotFound", status=404, **missing):
        add(topic)
    with sns.refuses("NotFound", status=404, **missing):
        sns.remove_permission(TopicArn=topic.arn, Label="label")
