"""Errors: typed exceptions, and what they look like on the wire."""

import re

import pytest

from suite.clients import NAMESPACE, json_request, query_call, query_request, send
from suite.service import unique

UNKNOWN = "AWS.SimpleQueueService.NonExistentQueue"
SENTENCES = {
    "json": "The specified queue does not exist.",
    "query": "The specified queue does not exist for this wsdl version.",
}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture
def unknown_url(json_sqs):
    """The URL of a queue that does not exist, in our account."""
    return json_sqs.queue().url.rsplit("/", 1)[0] + "/" + unique()


@pytest.mark.behaviour("errors-01", "queues-17")
def test_unknown_queue(sqs, unknown_url):
    calls = [
        lambda: sqs.get_queue_attributes(QueueUrl=unknown_url),
        lambda: sqs.set_queue_attributes(QueueUrl=unknown_url, Attributes={"DelaySeconds": "1"}),
        lambda: sqs.send_message(QueueUrl=unknown_url, MessageBody="m"),
        lambda: sqs.receive_message(QueueUrl=unknown_url),
        lambda: sqs.delete_queue(QueueUrl=unknown_url),
        lambda: sqs.tag_queue(QueueUrl=unknown_url, Tags={"a": "b"}),
    ]
    for call in calls:
        with sqs.refuses(UNKNOWN, says=SENTENCES[sqs.protocol], typed="QueueDoesNotExist"):
            call()


@pytest.mark.behaviour("queues-06", "errors-01")
def test_unknown_name(sqs):
    with sqs.refuses(UNKNOWN, says=SENTENCES[sqs.protocol], typed="QueueDoesNotExist"):
        sqs.get_queue_url(QueueName=unique())


@pytest.mark.behaviour("errors-04", "errors-01")
def test_modelled_error_in_json(endpoint, unknown_url):
    answer = send(json_request(endpoint, "GetQueueAttributes", {"QueueUrl": unknown_url}))
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/x-amz-json-1.0"
    assert answer.headers["x-amzn-query-error"] == f"{UNKNOWN};Sender"
    assert UUID.fullmatch(answer.headers["x-amzn-RequestId"])
    assert answer.json == {
        "__type": "com.amazonaws.sqs#QueueDoesNotExist",
        "message": SENTENCES["json"],
    }


@pytest.mark.behaviour("errors-04", "errors-03")
def test_other_error_in_json(endpoint, json_sqs):
    asked = {"QueueUrl": json_sqs.queue().url, "MessageBody": ""}
    answer = send(json_request(endpoint, "SendMessage", asked))
    assert answer.status == 400
    assert answer.headers["x-amzn-query-error"] == "MissingParameter;Sender"
    assert answer.json["__type"].split("#")[-1] == "MissingRequiredParameterException"
    assert answer.json["message"] == "The request must contain the parameter MessageBody."


@pytest.mark.behaviour("errors-04")
def test_success_in_json(endpoint, json_sqs):
    asked = {"QueueUrl": json_sqs.queue().url, "WaitTimeSeconds": 0}
    answer = send(json_request(endpoint, "ReceiveMessage", asked))
    assert (answer.status, answer.json) == (200, {})
    assert answer.headers["Content-Type"] == "application/x-amz-json-1.0"
    assert UUID.fullmatch(answer.headers["x-amzn-RequestId"])


@pytest.mark.behaviour("errors-05", "errors-01")
def test_error_in_query(unknown_url, endpoint):
    answer = send(
        query_request(endpoint + "/", {"Action": "GetQueueAttributes", "QueueUrl": unknown_url})
    )
    assert answer.status == 400
    assert answer.headers["Content-Type"].startswith("text/xml")
    assert answer.xml.tag == f"{{{NAMESPACE}}}ErrorResponse"
    assert answer.element("Error/Type") == "Sender"
    assert answer.element("Error/Code") == UNKNOWN
    assert answer.element("Error/Message") == SENTENCES["query"]
    (detail,) = answer.elements("Error/Detail")
    assert not detail.text and not len(detail)
    assert UUID.fullmatch(answer.element("RequestId"))


@pytest.mark.behaviour("errors-05")
def test_error_text_is_escaped(query_sqs, json_sqs):
    name = "<&> \"'"
    for sqs in (query_sqs, json_sqs):
        with sqs.refuses("InvalidParameterValue"):
            sqs.create_queue(QueueName=name)
    queue = query_sqs.queue(fifo=True)
    says = "Value <&> x for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length."
    with query_sqs.refuses("InvalidParameterValue", says=says):
        queue.send(group="g", dedup="<&> x")


@pytest.mark.behaviour("errors-06")
def test_unknown_action(endpoint):
    answer = query_call(endpoint + "/", Action="FlyAway")
    assert (answer.status in (400, 404), answer.code) == (True, "InvalidAction")
    answer = send(json_request(endpoint, "FlyAway", {}))
    assert answer.status == 400
    assert answer.json == {"__type": "com.amazon.coral.service#UnknownOperationException"}
    assert "x-amzn-query-error" not in answer.headers


@pytest.mark.behaviour("errors-07")
def test_missing_queue_url(sqs):
    json = ("MissingParameter", 400)
    code, status = ("InvalidAddress", 404) if sqs.protocol == "query" else json
    for call in (sqs.receive_message, sqs.purge_queue, sqs.list_queue_tags):
        with sqs.refuses(code, status):
            call()


@pytest.mark.behaviour("errors-08")
@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"text"', b'{"QueueName": 7}', b'{"QueueName": {}}', b"\xff"]
)
def test_malformed_json(endpoint, body):
    answer = send(json_request(endpoint, "CreateQueue", body))
    assert answer.status == 400
    assert answer.json["__type"]


@pytest.mark.behaviour("errors-09")
def test_no_action(endpoint):
    answer = query_call(endpoint + "/", QueueName="q")
    assert 400 <= answer.status < 500
    assert answer.code in ("MissingAction", "InvalidAction")
