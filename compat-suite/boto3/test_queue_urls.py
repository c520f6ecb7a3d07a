"""Queue URLs: which come back, and which are understood."""

from urllib.parse import urlsplit

import pytest

from suite.clients import (
    REGION,
    boto,
    boto_sns,
    boto_sts,
    get,
    json_request,
    presigned_url,
    query_call,
    send,
)
from suite.service import Queue


@pytest.mark.behaviour("urls-01", "urls-06")
def test_returned_url(sqs, endpoint):
    queue = sqs.queue()
    assert queue.url.startswith(endpoint + "/")
    empty, account, name = urlsplit(queue.url).path.split("/")
    assert (empty, name) == ("", queue.name)
    assert account == queue.arn.split(":")[4]
    assert len(account) == 12 and account.isdigit()


@pytest.mark.behaviour("urls-01")
def test_returned_url_follows_the_caller(endpoint, not_aws):
    """A caller that knows the server by another name gets that name back."""
    where = urlsplit(endpoint)
    if where.hostname != "127.0.0.1" or where.scheme != "http":
        pytest.skip("needs a server with a second name: localhost")
    other = endpoint.replace("127.0.0.1", "localhost")
    answer = send(json_request(other, "CreateQueue", {"QueueName": "compat-second-name"}))
    assert answer.json["QueueUrl"].startswith(other + "/")
    send(json_request(other, "DeleteQueue", {"QueueUrl": answer.json["QueueUrl"]}))


FORMS = [
    "{endpoint}/{account}/{name}",
    "{endpoint}/{account}/{name}/",
    "http://somewhere.else:1234/{account}/{name}",
    "https://sqs.{region}.amazonaws.com/{account}/{name}",
    "https://{region}.queue.amazonaws.com/{account}/{name}",
    "http://sqs.{region}.localhost.localstack.cloud:4566/{account}/{name}",
    "http://{region}.queue.localhost.localstack.cloud:4566/{account}/{name}",
    "http://localhost:4566/queue/{region}/{account}/{name}",
    "http://localhost:9324/queue/{name}",
    "/{account}/{name}",
    "{name}",
]


@pytest.mark.behaviour("urls-02")
@pytest.mark.parametrize("form", FORMS)
def test_forms(sqs, endpoint, not_aws, form):
    queue = sqs.queue()
    queue.send("found")
    account = queue.arn.split(":")[4]
    url = form.format(endpoint=endpoint, region=REGION, account=account, name=queue.name)
    assert Queue(sqs, queue.name, url).bodies() == ["found"]


@pytest.mark.behaviour("urls-03")
def test_json_on_the_queue_url(json_sqs, endpoint):
    queue = json_sqs.queue()
    path = urlsplit(queue.url).path
    asked = {"QueueUrl": queue.url, "WaitTimeSeconds": 1}
    answer = send(json_request(endpoint, "ReceiveMessage", asked, path=path))
    assert (answer.status, answer.json) == (200, {})
    asked = {"QueueUrl": queue.url, "MessageBody": "m"}
    assert send(json_request(endpoint, "SendMessage", asked, path=path)).status == 200
    assert queue.bodies() == ["m"]


@pytest.mark.behaviour("urls-04", "query-03")
def test_query_on_the_queue_url(json_sqs):
    queue = json_sqs.queue()
    answer = query_call(queue.url, Action="SendMessage", MessageBody="by POST")
    assert answer.status == 200
    answer = get(presigned_url(queue.url, {"Action": "ReceiveMessage", "WaitTimeSeconds": 5}))
    assert answer.status == 200
    assert answer.element("ReceiveMessageResult/Message/Body") == "by POST"


@pytest.mark.behaviour("urls-05")
def test_other_actions_on_a_queue_url(json_sqs):
    queue = json_sqs.queue()
    for action in (
        {"Action": "ListQueues"},
        {"Action": "CreateQueue", "QueueName": "compat-refused"},
    ):
        answer = query_call(queue.url, **action)
        assert (answer.status, answer.code) == (400, "InvalidAction")


@pytest.mark.behaviour("errors-01", "urls-04")
def test_unknown_queue_url(json_sqs):
    answer = query_call(json_sqs.queue().url + "-unknown", Action="ReceiveMessage")
    assert (answer.status, answer.code) == (400, "AWS.SimpleQueueService.NonExistentQueue")


@pytest.mark.behaviour("urls-07")
def test_get_queue_url_on_a_queue_url(json_sqs):
    queue = json_sqs.queue()
    answer = query_call(queue.url, Action="GetQueueUrl", QueueName=queue.name)
    assert answer.element("GetQueueUrlResult/QueueUrl") == queue.url


@pytest.mark.behaviour("urls-08")
@pytest.mark.parametrize("path", ["/context", "/context/", "//"])
def test_endpoint_with_a_path(json_sqs, endpoint, not_aws, path):
    queue = json_sqs.queue()
    client = boto(endpoint + path)
    assert client.get_queue_url(QueueName=queue.name)["QueueUrl"] == queue.url
    client.send_message(QueueUrl=queue.url, MessageBody="m")
    answer = query_call(endpoint + path, Action="GetQueueUrl", QueueName=queue.name)
    assert answer.element("GetQueueUrlResult/QueueUrl") == queue.url
    sns = boto_sns(endpoint + path)
    assert "Topics" in sns.list_topics()
    assert boto_sts(endpoint + path).get_caller_identity()["Account"]
