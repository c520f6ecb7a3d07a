"""Errors of SNS: typed exceptions, ARNs, and what answers look like on the wire."""

import pytest

from suite.clients import SNS_NAMESPACE, boto_sns, query_request, send, signed, sns_call
from suite.service import unique

OTHER_REGION = "eu-north-1"


def calls_on(sns, arn):
    """A call of each kind that names a topic."""
    return [
        lambda: sns.get_topic_attributes(TopicArn=arn),
        lambda: sns.set_topic_attributes(
            TopicArn=arn, AttributeName="DisplayName", AttributeValue="x"
        ),
        lambda: sns.publish(TopicArn=arn, Message="m"),
        lambda: sns.subscribe(TopicArn=arn, Protocol="email", Endpoint="a@example.com"),
        lambda: sns.list_subscriptions_by_topic(TopicArn=arn),
    ]


@pytest.mark.behaviour("topics-10")
def test_unknown_topic(sns):
    arn = sns.topic().arn + unique()
    missing = {"says": "Topic does not exist", "typed": "NotFoundException"}
    calls = [
        *calls_on(sns, arn),
        lambda: sns.publish_batch(
            TopicArn=arn, PublishBatchRequestEntries=[{"Id": "1", "Message": "m"}]
        ),
        lambda: sns.put_data_protection_policy(ResourceArn=arn, DataProtectionPolicy="{}"),
    ]
    for call in calls:
        with sns.refuses("NotFound", status=404, **missing):
            call()


@pytest.mark.behaviour("topics-11")
def test_topic_of_another_region(sns):
    arn = sns.topic().arn.replace(sns.meta.region_name, OTHER_REGION)
    for call in [*calls_on(sns, arn), lambda: sns.delete_topic(TopicArn=arn)]:
        with sns.refuses("InvalidParameter", says="Invalid parameter: TopicArn"):
            call()


@pytest.mark.behaviour("topics-11")
@pytest.mark.parametrize(("arn", "parts"), [("randomstring", 1), ("arn:aws:sns:us-east-1:x", 5)])
def test_no_arn(sns, arn, parts):
    says = f"Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not {parts}"
    with sns.refuses("InvalidParameter", says=says, typed="InvalidParameterException"):
        sns.subscribe(TopicArn=arn, Protocol="email", Endpoint="a@example.com")


@pytest.mark.behaviour("snswire-01")
def test_answer_on_the_wire(sns_endpoint, sns):
    answer = sns_call(f"{sns_endpoint}/", Action="GetTopicAttributes", TopicArn=sns.topic().arn)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/xml")
    assert answer.xml.tag == f"{{{SNS_NAMESPACE}}}GetTopicAttributesResponse"
    path = "GetTopicAttributesResult/Attributes/entry/key"
    assert answer.element(path, SNS_NAMESPACE)
    assert answer.element("ResponseMetadata/RequestId", SNS_NAMESPACE)


@pytest.mark.behaviour("snswire-02")
def test_error_on_the_wire(sns_endpoint, sns):
    arn = sns.topic().arn + unique()
    answer = sns_call(f"{sns_endpoint}/", Action="GetTopicAttributes", TopicArn=arn)
    assert answer.status == 404
    assert answer.xml.tag == f"{{{SNS_NAMESPACE}}}ErrorResponse"
    found = [answer.element(f"Error/{name}", SNS_NAMESPACE) for name in ("Type", "Code", "Message")]
    assert found == ["Sender", "NotFound", "Topic does not exist"]
    assert answer.element("RequestId", SNS_NAMESPACE)


@pytest.mark.behaviour("snswire-03")
def test_missing_member(sns):
    said = "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null"
    topic = sns.topic()
    for member, call in {
        "topicArn": lambda: sns.get_topic_attributes(),
        "message": lambda: sns.publish(TopicArn=topic.arn),
        "protocol": lambda: sns.subscribe(TopicArn=topic.arn, Endpoint="a@example.com"),
    }.items():
        with sns.refuses("ValidationError", says=said.format(member)):
            call()


@pytest.mark.behaviour("snswire-04")
def test_empty_lists_are_there(sns_endpoint, sns):
    topic = sns.topic()
    answer = sns_call(f"{sns_endpoint}/", Action="ListTagsForResource", ResourceArn=topic.arn)
    assert answer.element("ListTagsForResourceResult/Tags", SNS_NAMESPACE) is not None
    assert topic.subscriptions() == []
    assert topic.publish_batch("m")["Failed"] == []


@pytest.mark.behaviour("snswire-05")
def test_parameters_in_the_url(sns_endpoint, sns):
    inbox = (topic := sns.topic()).inbox()
    url = f"{sns_endpoint}/?Action=Publish&Version=2010-03-31&TopicArn={topic.arn}&Message=by+url"
    assert send(signed("POST", url, service="sns")).status == 200
    assert inbox.one()["Body"] == "by url"


@pytest.mark.behaviour("snswire-06")
def test_unknown_action(sns_endpoint):
    answer = sns_call(f"{sns_endpoint}/", Action="MakeTopic")
    assert answer.status == 400
    namespace = "http://webservices.amazon.com/AWSFault/2005-15-09"
    assert answer.element("Error/Code", namespace) == "InvalidAction"


@pytest.mark.behaviour("snswire-07")
def test_the_signed_service_counts(sns_endpoint, sns):
    """AddPermission is an action of both services; the signature's scope tells which."""
    topic = sns.topic()
    call = {
        "Action": "AddPermission",
        "TopicArn": topic.arn,
        "Label": "label",
        "AWSAccountId.member.1": topic.account,
        "ActionName.member.1": "Publish",
        "Version": "2010-03-31",
    }
    assert send(query_request(f"{sns_endpoint}/", call, service="sns")).status == 200
    assert "label" in topic.attributes()["Policy"]


@pytest.mark.behaviour("topics-11", "topics-01")
def test_regions_are_apart(sns_endpoint, sns):
    elsewhere = boto_sns(sns_endpoint, region=OTHER_REGION)
    if ".amazonaws.com" in sns_endpoint:
        pytest.skip("an endpoint of AWS has one region")
    name = unique("t")
    here = sns.adopt(sns.create_topic(Name=name)["TopicArn"])
    there = elsewhere.create_topic(Name=name)["TopicArn"]
    assert there == here.arn.replace(sns.meta.region_name, OTHER_REGION)
    elsewhere.delete_topic(TopicArn=there)
    assert here.attributes()["TopicArn"] == here.arn
