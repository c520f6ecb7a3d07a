"""Large payloads lie in a bucket, which is a dict here; the queue has pointers to them."""

import io

import boto3
import pytest
import sqs_extended_client  # noqa: F401 -- gives boto3's clients their further attributes

from suite.clients import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, SESSION_TOKEN
from suite.digests import md5_of_body


class Bucket(dict):
    """As much of S3 as the client calls."""

    def put_object(self, *, Body, Bucket, Key):
        self[Bucket, Key] = Body

    def get_object(self, *, Bucket, Key):
        return {"Body": io.BytesIO(self[Bucket, Key])}

    def delete_object(self, *, Bucket, Key):
        del self[Bucket, Key]
        return {"ResponseMetadata": {"HTTPStatusCode": 204}}


@pytest.fixture
def extended(endpoint):
    """boto3's client of SQS with a bucket."""
    client = boto3.session.Session(ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN, REGION).client(
        "sqs", endpoint_url=endpoint
    )
    client.large_payload_support = "payloads"
    client.delete_payload_from_s3 = True
    client.s3_client = Bucket()
    return client


@pytest.mark.behaviour("programs-19", "attributes-01", "messages-03")
def test_a_large_payload(extended, json_sqs):
    queue = json_sqs.queue(VisibilityTimeout=600)
    body = "ö" * 600_000
    extended.send_message(QueueUrl=queue.url, MessageBody=body)
    (pointer,) = queue.receive(MessageAttributeNames=["All"])
    assert pointer["MessageAttributes"]["ExtendedPayloadSize"] == {
        "DataType": "Number",
        "StringValue": "1200000",
    }
    queue.hide(pointer, 0)
    (message,) = extended.receive_message(QueueUrl=queue.url, WaitTimeSeconds=5)["Messages"]
    assert md5_of_body(message["Body"]) == md5_of_body(body)
    extended.change_message_visibility(
        QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=500
    )
    extended.delete_message(QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"])
    assert extended.s3_client == {}
    assert queue.counts() == (0, 0, 0)


@pytest.mark.behaviour("programs-19", "batches-01", "batches-04")
def test_a_batch(extended, json_sqs):
    queue = json_sqs.queue(VisibilityTimeout=600)
    bodies = {"small": "s", "large": "l" * 300_000}
    entries = [{"Id": id, "MessageBody": body} for id, body in bodies.items()]
    extended.send_message_batch(QueueUrl=queue.url, Entries=entries)
    found = []
    while len(found) < 2:
        answer = extended.receive_message(
            QueueUrl=queue.url, MaxNumberOfMessages=10, WaitTimeSeconds=5
        )
        found += answer["Messages"]
    assert {m["Body"] for m in found} == set(bodies.values())
    handles = [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(found)]
    extended.delete_message_batch(QueueUrl=queue.url, Entries=handles)
    assert extended.s3_client == {}
    assert queue.counts() == (0, 0, 0)
