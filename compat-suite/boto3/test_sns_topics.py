"""Topics: names, attributes, documents, paging."""

import json

import pytest

from suite.clients import REGION
from suite.service import unique

RETRIES = {
    "minDelayTarget": 20,
    "maxDelayTarget": 20,
    "numRetries": 3,
    "numMaxDelayRetries": 0,
    "numNoDelayRetries": 0,
    "numMinDelayRetries": 0,
    "backoffFunction": "linear",
}
EFFECTIVE = {
    "http": {
        "defaultHealthyRetryPolicy": RETRIES,
        "disableSubscriptionOverrides": False,
        "defaultRequestPolicy": {"headerContentType": "text/plain; charset=UTF-8"},
    }
}
ACTIONS = "GetTopicAttributes SetTopicAttributes AddPermission RemovePermission DeleteTopic Subscribe ListSubscriptionsByTopic Publish"


def default_policy(topic):
    """The policy of a topic for which none was set."""
    return {
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [
            {
                "Sid": "__default_statement_ID",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": [f"SNS:{action}" for action in ACTIONS.split()],
                "Resource": topic.arn,
                "Condition": {"StringEquals": {"AWS:SourceOwner": topic.account}},
            }
        ],
    }


def standard(topic):
    """The attributes of a new standard topic, documents parsed."""
    return {
        "TopicArn": topic.arn,
        "Owner": topic.account,
        "DisplayName": "",
        "Policy": default_policy(topic),
        "EffectiveDeliveryPolicy": EFFECTIVE,
        "SubscriptionsConfirmed": "0",
        "SubscriptionsPending": "0",
        "SubscriptionsDeleted": "0",
    }


def parsed(topic):
    """The topic's attributes, documents parsed."""
    found = topic.attributes()
    documents = {"Policy", "DeliveryPolicy", "EffectiveDeliveryPolicy"} & found.keys()
    return found | {name: json.loads(found[name]) for name in documents}


@pytest.mark.behaviour("topics-01", "topics-02")
def test_standard_topic(sns):
    name = unique("t")
    topic = sns.adopt(sns.create_topic(Name=name)["TopicArn"])
    assert topic.arn == f"arn:aws:sns:{REGION}:{topic.account}:{name}"
    assert parsed(topic) == standard(topic)


@pytest.mark.behaviour("topics-03")
def test_fifo_topic(sns):
    topic = sns.topic(fifo=True)
    assert topic.arn.endswith(".fifo")
    fifo = {"FifoTopic": "true", "ContentBasedDeduplication": "false"}
    assert parsed(topic) == standard(topic) | fifo
    topic.set("ContentBasedDeduplication", "true")
    assert topic.attributes()["ContentBasedDeduplication"] == "true"


@pytest.mark.behaviour("topics-04", "topics-05", "topics-06")
def test_create_again(sns):
    name = unique("t")
    attributes = {"DisplayName": "birds", "SignatureVersion": "2"}
    tags = [{"Key": "team", "Value": "birds"}]
    topic = sns.adopt(sns.create_topic(Name=name, Attributes=attributes, Tags=tags)["TopicArn"])
    for same in [
        {},
        {"Attributes": attributes},
        {"Attributes": {"DisplayName": "birds"}},
        {"Tags": tags},
        {"Attributes": attributes, "Tags": tags},
    ]:
        assert sns.create_topic(Name=name, **same)["TopicArn"] == topic.arn
    says = "Invalid parameter: Attributes Reason: Topic already exists with different attributes"
    with sns.refuses("InvalidParameter", says=says, typed="InvalidParameterException"):
        sns.create_topic(Name=name, Attributes={"DisplayName": "fish"})
    says = "Invalid parameter: Tags Reason: Topic already exists with different tags"
    with sns.refuses("InvalidParameter", says=says):
        sns.create_topic(Name=name, Tags=[{"Key": "team", "Value": "fish"}])
    assert topic.attributes()["DisplayName"] == "birds"


@pytest.mark.behaviour("topics-07")
def test_names(sns):
    longest = unique("t").ljust(256, "x")
    assert sns.adopt(sns.create_topic(Name=longest)["TopicArn"]).arn.endswith(longest)
    for name in ["", "a b", "a.b", "größe", "x" * 257]:
        with sns.refuses("InvalidParameter", says="Invalid parameter: Topic Name"):
            sns.create_topic(Name=name)


@pytest.mark.behaviour("topics-08")
def test_names_of_fifo_topics(sns):
    with sns.refuses("InvalidParameter"):
        sns.create_topic(Name=unique("t"), Attributes={"FifoTopic": "true"})
    with sns.refuses("InvalidParameter"):
        sns.create_topic(Name=unique("t") + ".fifo")


@pytest.mark.behaviour("topics-09", "topictags-04")
def test_delete(sns):
    name = unique("t")
    create = {"Name": name, "Tags": [{"Key": "a", "Value": "1"}]}
    topic = sns.adopt(sns.create_topic(**create)["TopicArn"])
    sns.delete_topic(TopicArn=topic.arn)
    sns.delete_topic(TopicArn=topic.arn)
    sns.create_topic(Name=name, Tags=[{"Key": "a", "Value": "2"}])
    sns.delete_topic(TopicArn=topic.arn)
    sns.create_topic(Name=name)
    assert sns.list_tags_for_resource(ResourceArn=topic.arn)["Tags"] == []


@pytest.mark.behaviour("topics-12")
def test_set_attributes(sns):
    topic = sns.topic()
    before = topic.attributes()
    changes = {
        "DisplayName": "größe",
        "SignatureVersion": "2",
        "MaximumMessageSize": "1048576",
        "TracingConfig": "Active",
        "KmsMasterKeyId": "alias/aws/sns",
        "SQSSuccessFeedbackRoleArn": f"arn:aws:iam::{topic.account}:role/r",
        "SQSSuccessFeedbackSampleRate": "100",
        "HTTPFailureFeedbackRoleArn": f"arn:aws:iam::{topic.account}:role/r",
    }
    for name, value in changes.items():
        topic.set(name, value)
    assert topic.attributes() == before | changes


@pytest.mark.behaviour("topics-19")
def test_unknown_attribute(sns):
    says = "Invalid parameter: Attributes Reason: Unknown attribute Foo"
    with sns.refuses("InvalidParameter", says=says):
        sns.topic(Foo="1")


@pytest.mark.behaviour("topics-13")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Owner", "1"),
        ("Foo", "1"),
        ("SignatureVersion", "3"),
        ("MaximumMessageSize", "1023"),
        ("MaximumMessageSize", "1048577"),
        ("MaximumMessageSize", "many"),
        ("TracingConfig", "Sometimes"),
        ("Policy", "no document"),
        ("DeliveryPolicy", "no document"),
        ("DeliveryPolicy", '{"http":{"defaultHealthyRetryPolicy":{"numRetries":101}}}'),
        ("HTTPSuccessFeedbackSampleRate", "101"),
        ("ContentBasedDeduplication", "true"),  # of FIFO topics
        ("ArchivePolicy", '{"MessageRetentionPeriod":"30"}'),  # likewise
    ],
)
def test_bad_attributes(sns, name, value):
    topic = sns.topic()
    before = topic.attributes()
    with sns.refuses("InvalidParameter", typed="InvalidParameterException"):
        topic.set(name, value)
    assert topic.attributes() == before
    with sns.refuses("InvalidParameter"):
        sns.topic(**{name: value})


@pytest.mark.behaviour("topics-14")
def test_delivery_policy(sns):
    json_requests = {"http": {"defaultRequestPolicy": {"headerContentType": "application/json"}}}
    topic = sns.topic(DeliveryPolicy=json.dumps(json_requests))
    found = parsed(topic)
    assert found["DeliveryPolicy"]["http"] == {
        "disableSubscriptionOverrides": False,
        "defaultRequestPolicy": {"headerContentType": "application/json"},
    }
    assert found["EffectiveDeliveryPolicy"]["http"] == EFFECTIVE["http"] | json_requests["http"]

    once = {"minDelayTarget": 5, "maxDelayTarget": 6, "numRetries": 1}
    topic.set("DeliveryPolicy", json.dumps({"http": {"defaultHealthyRetryPolicy": once}}))
    found = parsed(topic)
    assert found["DeliveryPolicy"]["http"] == {
        "defaultHealthyRetryPolicy": once,
        "disableSubscriptionOverrides": False,
    }
    effective = {"defaultHealthyRetryPolicy": RETRIES | once}
    assert found["EffectiveDeliveryPolicy"]["http"] == EFFECTIVE["http"] | effective

    topic.set("DeliveryPolicy", json.dumps({"http": {"defaultHealthyRetryPolicy": None}}))
    found = parsed(topic)
    assert found["DeliveryPolicy"] == {"http": {"disableSubscriptionOverrides": False}}
    assert found["EffectiveDeliveryPolicy"] == EFFECTIVE

    topic.set("DeliveryPolicy", "")
    assert parsed(topic) == standard(topic)


@pytest.mark.behaviour("topics-15")
def test_pages_of_topics(own_program, sns):
    made = {sns.topic().arn for _ in range(101)}
    pages = [page["Topics"] for page in sns.get_paginator("list_topics").paginate()]
    assert len(pages[0]) == 100
    listed = [topic["TopicArn"] for page in pages for topic in page]
    assert len(listed) == len(set(listed))
    assert made <= set(listed)


@pytest.mark.behaviour("topics-15")
def test_bad_page_token(sns):
    with sns.refuses("InvalidParameter"):
        sns.list_topics(NextToken="made up")


@pytest.mark.behaviour("topics-16")
def test_data_protection_policy(sns):
    policy = json.dumps({"Name": "p", "Version": "2021-06-01", "Statement": []})
    topic = sns.topic()
    empty = sns.get_data_protection_policy(ResourceArn=topic.arn)
    assert not empty.get("DataProtectionPolicy")
    sns.put_data_protection_policy(ResourceArn=topic.arn, DataProtectionPolicy=policy)
    shown = sns.get_data_protection_policy(ResourceArn=topic.arn)["DataProtectionPolicy"]
    assert shown == policy
    assert "DataProtectionPolicy" not in topic.attributes()
    other = sns.create_topic(Name=unique("t"), DataProtectionPolicy=policy)["TopicArn"]
    sns.adopt(other)
    shown = sns.get_data_protection_policy(ResourceArn=other)["DataProtectionPolicy"]
    assert shown == policy


@pytest.mark.behaviour("topics-17")
def test_counts(sns):
    topic = sns.topic()
    arn = topic.subscribe("sms", "+15551230001")
    topic.subscribe("sms", "+15551230002")
    topic.subscribe("email", "birds@example.com")

    def counts():
        kinds = ("Confirmed", "Pending", "Deleted")
        found = topic.attributes()
        return tuple(int(found[f"Subscriptions{kind}"]) for kind in kinds)

    assert counts() == (2, 1, 0)
    sns.unsubscribe(SubscriptionArn=arn)
    assert counts() == (1, 1, 1)


@pytest.mark.behaviour("topics-18")
def test_policy(sns):
    topic = sns.topic()
    policy = default_policy(topic)
    policy["Statement"][0]["Action"] = "SNS:Publish"
    as_text = json.dumps(policy, indent=1)
    topic.set("Policy", as_text)
    assert json.loads(topic.attributes()["Policy"]) == policy
