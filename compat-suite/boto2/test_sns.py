"""boto 2 and SNS: its answers are the JSON of AWS Query."""

import json

import pytest
from boto.exception import BotoServerError

from suite.service import unique


def result(answer, operation):
    """The result in an answer, which has the id of the request beside it."""
    response = answer[f"{operation}Response"]
    assert response["ResponseMetadata"]["RequestId"]
    return response[f"{operation}Result"]


def pages(ask, operation, members):
    """All elements of a list, page by page, as programs of boto 2 go through them."""
    token = None
    while True:
        page = result(ask(next_token=token), operation)
        yield from page[members]
        # Not `get`: the last page has the member, too.
        token = page["NextToken"]
        if token is None:
            return


@pytest.mark.behaviour("snswire-08", "topics-01", "topics-12")
def test_topics(sns, topic):
    listed = [entry["TopicArn"] for entry in pages(sns.get_all_topics, "ListTopics", "Topics")]
    assert listed.count(topic) == 1
    attributes = result(sns.get_topic_attributes(topic), "GetTopicAttributes")["Attributes"]
    assert attributes["TopicArn"] == topic
    assert json.loads(attributes["Policy"])["Statement"]
    answer = sns.set_topic_attributes(topic, "DisplayName", "größe")
    assert list(answer["SetTopicAttributesResponse"]) == ["ResponseMetadata"]
    attributes = result(sns.get_topic_attributes(topic), "GetTopicAttributes")["Attributes"]
    assert attributes["DisplayName"] == "größe"


@pytest.mark.behaviour("snswire-08", "delivery-01", "publishing-01")
def test_a_queue_is_subscribed_and_published_to(sns, topic, queue):
    arn = result(sns.subscribe_sqs_queue(topic, queue), "Subscribe")["SubscriptionArn"]
    statement = json.loads(queue.get_attributes("Policy")["Policy"])["Statement"][0]
    assert statement["Resource"] == queue.arn
    by_topic = sns.get_all_subscriptions_by_topic(topic)
    (entry,) = result(by_topic, "ListSubscriptionsByTopic")["Subscriptions"]
    assert entry["SubscriptionArn"] == arn
    assert (entry["Protocol"], entry["Endpoint"]) == ("sqs", queue.arn)
    everything = pages(sns.get_all_subscriptions, "ListSubscriptions", "Subscriptions")
    assert arn in [entry["SubscriptionArn"] for entry in everything]
    attributes = {"k": {"data_type": "String", "string_value": "v"}}
    answer = sns.publish(topic, "a & b", subject="s", message_attributes=attributes)
    sent = result(answer, "Publish")
    assert sent["SequenceNumber"] is None
    (message,) = queue.get_messages(wait_time_seconds=5)
    # Envelopes are no Base64, which boto 2 looks for.
    envelope = json.loads(message._body)
    assert (envelope["Message"], envelope["Subject"]) == ("a & b", "s")
    assert envelope["MessageId"] == sent["MessageId"]
    assert envelope["MessageAttributes"] == {"k": {"Type": "String", "Value": "v"}}
    answer = sns.unsubscribe(arn)
    assert list(answer["UnsubscribeResponse"]) == ["ResponseMetadata"]
    empty = sns.get_all_subscriptions_by_topic(topic)
    assert result(empty, "ListSubscriptionsByTopic")["Subscriptions"] == []


@pytest.mark.behaviour("snswire-09", "topics-10")
def test_errors(sns, topic):
    absent = topic + unique()
    with pytest.raises(BotoServerError) as raised:
        sns.publish(absent, "m")
    error = raised.value
    assert (error.status, error.error_code) == (404, "NotFound")
    assert error.message == "Topic does not exist"
    assert error.request_id
    with pytest.raises(BotoServerError) as raised:
        sns.subscribe(topic, "sqs", "q")
    assert (raised.value.status, raised.value.error_code) == (400, "InvalidParameter")


@pytest.mark.behaviour("snswire-08")
def test_a_deleted_topic_is_gone(sns):
    made = sns.create_topic(unique("t"))
    arn = result(made, "CreateTopic")["TopicArn"]
    answer = sns.delete_topic(arn)
    assert list(answer["DeleteTopicResponse"]) == ["ResponseMetadata"]
    assert arn not in [topic["TopicArn"] for topic in pages(sns.get_all_topics, "ListTopics", "Topics")]
