"""boto3's object interface, which much code uses instead of the client."""

import boto3
import pytest

from suite.clients import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, SESSION_TOKEN
from suite.service import text, unique


@pytest.mark.behaviour("programs-09", "queues-06")
def test_from_queue_to_message_and_back(endpoint):
    sqs = boto3.session.Session().resource(
        "sqs",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
        aws_session_token=SESSION_TOKEN,
    )
    name = unique()
    with pytest.raises(sqs.meta.client.exceptions.QueueDoesNotExist):
        sqs.get_queue_by_name(QueueName=name)
    queue = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "60"})
    try:
        assert sqs.get_queue_by_name(QueueName=name).url == queue.url
        assert queue.attributes["VisibilityTimeout"] == "60"
        queue.send_message(MessageBody="hello", MessageAttributes={"k": text("x")})
        (message,) = queue.receive_messages(WaitTimeSeconds=5, MessageAttributeNames=["All"])
        assert (message.body, message.message_attributes) == ("hello", {"k": text("x")})
        message.change_visibility(VisibilityTimeout=0)
        (message,) = queue.receive_messages(WaitTimeSeconds=5)
        message.delete()
        assert queue.receive_messages() == []
        assert [q.url for q in sqs.queues.filter(QueueNamePrefix=name)] == [queue.url]
    finally:
        queue.delete()
