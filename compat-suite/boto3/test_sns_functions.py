"""Functions: a server that knows their URL calls them with SNS events."""

import pytest

from suite.clients import boto, boto_sns
from suite.endpoint import HttpEndpoint
from suite.server import Server
from suite.service import Service, text
from suite.topics import Sns, verify_signature


@pytest.fixture
def function(own_program):
    """The endpoint that stands for every function, and the URL that a server is told."""
    listening = HttpEndpoint()
    yield listening
    listening.close()


@pytest.fixture
def served(function):
    """SNS of a server that sends all functions' events there."""
    url = function.url.removesuffix("/sns")
    with Server("--ephemeral", "--lambda-url", f"*={url}") as server:
        yield Sns(boto_sns(server.endpoint), Service(boto(server.endpoint)))


@pytest.mark.behaviour("functions-01", "functions-02")
def test_event(served, function):
    topic = served.topic(SignatureVersion="2")
    arn = f"arn:aws:lambda:{served.meta.region_name}:{topic.account}:function:f"
    subscription = topic.subscribe("lambda", arn)
    function.answer(500)  # a function that fails is called again, at once at first
    sent = topic.publish("größe", Subject="s", MessageAttributes={"k": text("v")})
    first, again = function.next(), function.next()
    assert again.body == first.body
    assert first.path == "/2015-03-31/functions/function/invocations"
    (record,) = first.message["Records"]
    assert record["EventSource"] == "aws:sns"
    assert record["EventVersion"] == "1.0"
    assert record["EventSubscriptionArn"] == subscription
    event = record["Sns"]
    assert event["MessageId"] == sent["MessageId"]
    assert (event["Type"], event["TopicArn"]) == ("Notification", topic.arn)
    assert (event["Message"], event["Subject"]) == ("größe", "s")
    assert event["MessageAttributes"] == {"k": {"Type": "String", "Value": "v"}}
    verify_signature(event | {"SigningCertURL": event["SigningCertUrl"]})
    topic.publish("bare")
    event = function.next().message["Records"][0]["Sns"]
    assert event["Subject"] is None
    assert event["MessageAttributes"] == {}
