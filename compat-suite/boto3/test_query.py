"""The Query protocol as it is on the wire. What the calls do is checked everywhere else: most tests
run in both protocols."""

from urllib.parse import quote, urlencode

import pytest

from suite.clients import (
    NAMESPACE,
    VERSION,
    get,
    presigned_url,
    query_call,
    query_request,
    send,
    signed,
)

NO_OUTPUT = [
    {"Action": "SetQueueAttributes", "Attribute.1.Name": "DelaySeconds", "Attribute.1.Value": "0"},
    {"Action": "TagQueue", "Tag.1.Key": "a", "Tag.1.Value": "b"},
    {"Action": "UntagQueue", "TagKey.1": "a"},
    {"Action": "PurgeQueue"},
    {"Action": "DeleteQueue"},
]


@pytest.fixture
def queue(json_sqs):
    """A queue to call in Query."""
    return json_sqs.queue()


@pytest.mark.behaviour("query-01")
def test_success(queue):
    answer = query_call(queue.url, Action="SendMessage", MessageBody="m")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/xml")
    assert answer.text.startswith("<?xml")
    assert answer.xml.tag == f"{{{NAMESPACE}}}SendMessageResponse"
    assert [child.tag for child in answer.xml] == [
        f"{{{NAMESPACE}}}SendMessageResult",
        f"{{{NAMESPACE}}}ResponseMetadata",
    ]
    assert answer.element("SendMessageResult/MessageId")
    assert answer.element("ResponseMetadata/RequestId")


@pytest.mark.behaviour("query-02")
def test_no_output(queue):
    for parameters in NO_OUTPUT:
        answer = query_call(queue.url, **parameters)
        assert answer.status == 200, answer
        assert answer.xml.tag == f"{{{NAMESPACE}}}{parameters['Action']}Response"
        assert [child.tag for child in answer.xml] == [f"{{{NAMESPACE}}}ResponseMetadata"]


@pytest.mark.behaviour("query-03")
def test_presigned(queue, endpoint):
    told = {"Action": "SendMessage", "MessageBody": "a b+c/ä&d", "MessageAttribute.1.Name": "k"}
    told |= {
        "MessageAttribute.1.Value.DataType": "String",
        "MessageAttribute.1.Value.StringValue": "x",
    }
    answer = get(presigned_url(queue.url, told))
    assert answer.status == 200, answer
    assert (
        answer.element("SendMessageResult/MD5OfMessageAttributes")
        == "a45daa70926828a2f0a1db3418e6feb4"
    )
    assert queue.one()["Body"] == "a b+c/ä&d"
    answer = get(presigned_url(endpoint + "/", {"Action": "GetQueueUrl", "QueueName": queue.name}))
    assert answer.element("GetQueueUrlResult/QueueUrl") == queue.url


@pytest.mark.behaviour("query-04")
def test_parameters_in_the_url_of_a_post(queue):
    told = urlencode({"Action": "SendMessage", "MessageBody": "all in the URL", "Version": VERSION})
    assert send(signed("POST", f"{queue.url}?{told}")).status == 200
    told = urlencode({"Action": "SendMessage", "Version": VERSION})
    answer = send(query_request(f"{queue.url}?{told}", "MessageBody=body+in+the+form"))
    assert answer.status == 200
    assert sorted(m["Body"] for m in queue.drain(2)) == ["all in the URL", "body in the form"]


@pytest.mark.behaviour("query-05")
def test_spaces(queue):
    form = f"Action=SendMessage&Version={VERSION}&MessageBody=a+b%20c%2Bd"
    assert send(query_request(queue.url, form)).status == 200
    assert queue.one()["Body"] == "a b c+d"


@pytest.mark.behaviour("query-06", "batches-01")
def test_numbers_of_list_members(queue):
    entries = {"Action": "SendMessageBatch"}
    for i in reversed(range(1, 11)):
        entries[f"SendMessageBatchRequestEntry.{i}.Id"] = f"id-{i}"
        entries[f"SendMessageBatchRequestEntry.{i}.MessageBody"] = f"body {i}"
    answer = query_call(queue.url, **entries)
    ids = answer.elements("SendMessageBatchResult/SendMessageBatchResultEntry/Id")
    assert [id.text for id in ids] == [f"id-{i}" for i in range(1, 11)]


@pytest.mark.behaviour("query-07")
def test_carriage_return(queue):
    queue.send("a\rb\r\nc]]>&lt;")
    answer = query_call(queue.url, Action="ReceiveMessage", WaitTimeSeconds=5)
    assert answer.element("ReceiveMessageResult/Message/Body") == "a\rb\r\nc]]>&lt;"


@pytest.mark.behaviour("query-08")
@pytest.mark.parametrize(
    "name", ["AttributeName.1", "MessageSystemAttributeName.1", "AttributeName"]
)
def test_names_of_system_attributes(queue, name):
    queue.send()
    answer = query_call(queue.url, Action="ReceiveMessage", WaitTimeSeconds=5, **{name: "All"})
    names = answer.elements("ReceiveMessageResult/Message/Attribute/Name")
    assert "SentTimestamp" in [n.text for n in names]


@pytest.mark.behaviour("query-09", "messages-02", "listing-04")
def test_nothing_to_list(queue, endpoint):
    answer = query_call(queue.url, Action="ReceiveMessage")
    assert not answer.elements("ReceiveMessageResult/Message")
    assert len(answer.elements("ReceiveMessageResult")) == 1
    answer = query_call(
        endpoint + "/", Action="ListQueues", QueueNamePrefix="compat-nobody-has-this"
    )
    assert not answer.elements("ListQueuesResult/QueueUrl")


@pytest.mark.behaviour("query-01", "attributes-01", "system-01")
def test_received_message(queue):
    queue.send("<m>", MessageAttributes={"a_b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}})
    asked = {"MessageAttributeName.1": "All", "AttributeName.1": "ApproximateReceiveCount"}
    answer = query_call(queue.url, Action="ReceiveMessage", WaitTimeSeconds=5, **asked)
    message = "ReceiveMessageResult/Message/"
    assert answer.element(message + "Body") == "<m>"
    assert answer.element(message + "Attribute/Name") == "ApproximateReceiveCount"
    assert answer.element(message + "Attribute/Value") == "1"
    assert answer.element(message + "MessageAttribute/Name") == "a_b"
    assert answer.element(message + "MessageAttribute/Value/DataType") == "Binary"
    assert answer.element(message + "MessageAttribute/Value/BinaryValue") == "AP8="


@pytest.mark.behaviour("query-05")
def test_every_byte_may_be_escaped(queue):
    body = quote("größe", safe="").replace("g", "%67")
    form = f"Action=SendMessage&Version={VERSION}&MessageBody={body}"
    assert send(query_request(queue.url, form)).status == 200
    assert queue.one()["Body"] == "größe"


@pytest.mark.behaviour("query-10", "attributes-01")
def test_answers_in_json(queue):
    queue.send("m", MessageAttributes={"k": {"DataType": "String", "StringValue": "v"}})

    def result(action, **parameters):
        request = query_request(
            queue.url, {"Action": action, **parameters}, headers={"Accept": "application/json"}
        )
        answer = send(request)
        assert answer.headers["Content-Type"] == "application/json"
        response = answer.json[f"{action}Response"]
        assert response["ResponseMetadata"]["RequestId"]
        return response[f"{action}Result"]

    attributes = result("GetQueueAttributes", **{"AttributeName.1": "QueueArn"})["Attributes"]
    assert [attribute["Name"] for attribute in attributes] == ["QueueArn"]
    (message,) = result("ReceiveMessage", **{"MessageAttributeName.1": "All"})["messages"]
    assert message["Body"] == "m"
    assert message["Attributes"] is None
    assert [attribute["Name"] for attribute in message["MessageAttributes"]] == ["k"]
    refused = send(
        query_request(queue.url, {"Action": "ListQueues", "ContentType": "JSON"})
    )
    assert (refused.status, refused.json["Error"]["Code"]) == (400, "InvalidAction")


@pytest.mark.behaviour("query-11")
def test_get_without_an_action(queue, endpoint):
    json_wanted = {"Accept": "application/json"}
    for url in (endpoint + "/", queue.url):
        for answer in (
            get(url),
            get(presigned_url(url, {})),
            send(signed("GET", url, headers=json_wanted)),
        ):
            assert (answer.status, answer.text.strip()) == (404, "<UnknownOperationException/>")
