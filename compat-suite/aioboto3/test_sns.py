"""aioboto3, sns and sts."""

import json

import pytest

from suite.service import text, unique


@pytest.mark.behaviour("topics-01", "delivery-01", "delivery-02", "publishing-01")
async def test_envelope(aws):
    async with aws:
        topic = await aws.topic()
        inbox = await aws.inbox(topic)
        sent = await aws.sns.publish(
            TopicArn=topic, Message="m", Subject="s", MessageAttributes={"k": text("größe")}
        )
        envelope = json.loads((await aws.bodies(inbox))[0])
        assert envelope["MessageId"] == sent["MessageId"]
        assert envelope["Subject"] == "s"
        assert envelope["MessageAttributes"] == {"k": {"Type": "String", "Value": "größe"}}


@pytest.mark.behaviour("delivery-04", "filters-01", "filters-15", "publishbatch-01")
async def test_raw_and_filtered(aws):
    async with aws:
        topic = await aws.topic()
        policy = '{"kind":["bird"]}'
        inbox = await aws.inbox(topic, RawMessageDelivery="true", FilterPolicy=policy)
        entries = [
            {"Id": kind, "Message": kind, "MessageAttributes": {"kind": text(kind)}}
            for kind in ("fish", "bird")
        ]
        answer = await aws.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
        assert [entry["Id"] for entry in answer["Successful"]] == ["fish", "bird"]
        assert answer["Failed"] == []
        (message,) = await aws.receive(inbox, MessageAttributeNames=["All"])
        assert message["Body"] == "bird"
        assert message["MessageAttributes"] == {"kind": text("bird")}


@pytest.mark.behaviour("topicfifo-01", "topicfifo-03", "topicfifo-08")
async def test_fifo_topic(aws):
    async with aws:
        topic = await aws.topic(fifo=True, ContentBasedDeduplication="true")
        inbox = await aws.inbox(topic, fifo=True, RawMessageDelivery="true")
        sent = [
            await aws.sns.publish(TopicArn=topic, Message=message, MessageGroupId="g")
            for message in ("a", "b", "b", "c")
        ]
        assert sent[1]["MessageId"] == sent[2]["MessageId"]
        assert sent[0]["SequenceNumber"] < sent[1]["SequenceNumber"] < sent[3]["SequenceNumber"]
        assert await aws.bodies(inbox) == ["a", "b", "c"]


@pytest.mark.behaviour("topics-10", "topics-05", "subscriptions-07", "subscriptions-09")
async def test_typed_exceptions(aws):
    async with aws:
        exceptions = aws.sns.exceptions
        topic = await aws.topic()
        with pytest.raises(exceptions.NotFoundException):
            await aws.sns.publish(TopicArn=topic + unique(), Message="m")
        with pytest.raises(exceptions.InvalidParameterException):
            await aws.sns.create_topic(
                Name=topic.rsplit(":", 1)[1], Attributes={"DisplayName": "other"}
            )
        with pytest.raises(exceptions.InvalidParameterException):
            await aws.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="q")
        await aws.inbox(topic)
        pages = aws.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
        assert len([s async for page in pages for s in page["Subscriptions"]]) == 1


@pytest.mark.behaviour("sts-01")
async def test_identity(aws):
    async with aws:
        identity = await aws.sts.get_caller_identity()
        assert f":{identity['Account']}:" in await aws.topic()
