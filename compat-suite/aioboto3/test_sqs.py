"""aioboto3, sqs."""

import asyncio

import pytest
from botocore.exceptions import ClientError

from suite.digests import md5_of_attributes, md5_of_body
from suite.service import text, unique


@pytest.mark.behaviour("queues-01", "queues-07", "tags-01", "listing-01", "listing-02")
async def test_queues(aws):
    async with aws:
        url = await aws.queue(tags={"team": "birds"}, VisibilityTimeout="7")
        name = url.rsplit("/", 1)[1]
        assert (await aws.sqs.get_queue_url(QueueName=name))["QueueUrl"] == url
        assert (await aws.sqs.list_queue_tags(QueueUrl=url))["Tags"] == {"team": "birds"}
        asked = {"QueueUrl": url, "AttributeNames": ["VisibilityTimeout", "DelaySeconds"]}
        await aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "3"})
        shown = (await aws.sqs.get_queue_attributes(**asked))["Attributes"]
        assert shown == {"VisibilityTimeout": "7", "DelaySeconds": "3"}
        paginator = aws.sqs.get_paginator("list_queues")
        pages = paginator.paginate(QueueNamePrefix=name, PaginationConfig={"PageSize": 1})
        assert [u async for page in pages for u in page.get("QueueUrls", [])] == [url]


@pytest.mark.behaviour("messages-01", "messages-03", "messages-08", "attributes-01")
async def test_there_and_back(aws):
    async with aws:
        url = await aws.queue()
        attributes = {
            "city": text("größe 鳩"),
            "count": {"DataType": "Number.int", "StringValue": "7"},
            "raw": {"DataType": "Binary", "BinaryValue": bytes(range(256))},
        }
        body = 'tab\tline\nreturn\r <&> "quoted" 🐦'
        sent = await aws.sqs.send_message(
            QueueUrl=url, MessageBody=body, MessageAttributes=attributes
        )
        assert sent["MD5OfMessageBody"] == md5_of_body(body)
        (message,) = await aws.receive(url, MessageAttributeNames=["All"])
        assert message["MessageId"] == sent["MessageId"]
        assert message["Body"] == body
        assert message["MessageAttributes"] == attributes
        assert message["MD5OfMessageAttributes"] == md5_of_attributes(attributes)
        await aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        assert await aws.receive(url, wait=0) == []


@pytest.mark.behaviour("batches-01", "batches-03", "batches-04", "batches-12")
async def test_batches(aws):
    async with aws:
        url = await aws.queue(MaximumMessageSize="1024")
        bodies = {"small": "a", "other": "b", "large": "a" * 1025}
        entries = [{"Id": id, "MessageBody": body} for id, body in bodies.items()]
        answer = await aws.sqs.send_message_batch(QueueUrl=url, Entries=entries)
        assert [entry["Id"] for entry in answer["Successful"]] == ["small", "other"]
        assert [(e["Id"], e["Code"]) for e in answer["Failed"]] == [
            ("large", "InvalidParameterValue")
        ]
        received = await aws.receive(url)
        handles = [message["ReceiptHandle"] for message in received] + ["made-up"]
        answer = await aws.sqs.delete_message_batch(
            QueueUrl=url,
            Entries=[{"Id": str(i), "ReceiptHandle": h} for i, h in enumerate(handles)],
        )
        assert [entry["Code"] for entry in answer["Failed"]] == ["ReceiptHandleIsInvalid"]
        assert len(answer["Successful"]) == len(received)


@pytest.mark.behaviour("errors-01", "errors-02", "errors-03", "messages-12", "queues-05")
async def test_typed_exceptions(aws):
    async with aws:
        exceptions = aws.sqs.exceptions
        with pytest.raises(exceptions.QueueDoesNotExist) as caught:
            await aws.sqs.get_queue_url(QueueName=unique())
        assert caught.value.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
        url = await aws.queue(DelaySeconds="1")
        with pytest.raises(exceptions.QueueNameExists):
            await aws.sqs.create_queue(
                QueueName=url.rsplit("/", 1)[1], Attributes={"DelaySeconds": "2"}
            )
        with pytest.raises(exceptions.ReceiptHandleIsInvalid):
            await aws.sqs.delete_message(QueueUrl=url, ReceiptHandle="made-up")
        with pytest.raises(ClientError) as caught:
            await aws.sqs.send_message(QueueUrl=url, MessageBody="")
        assert caught.value.response["Error"]["Code"] == "MissingParameter"


@pytest.mark.behaviour("polling-02", "polling-06", "polling-07")
async def test_long_polls(aws):
    async with aws:
        url = await aws.queue(VisibilityTimeout="600")
        polls = [asyncio.ensure_future(aws.receive(url, count=1, wait=20)) for _ in range(3)]
        await aws.sqs.send_message_batch(
            QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": str(i)} for i in range(3)]
        )
        found = [
            message["Body"] for messages in await asyncio.gather(*polls) for message in messages
        ]
        assert sorted(found) == ["0", "1", "2"]
        # A cancelled poll closes its connection, and takes nothing with it.
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(aws.receive(url, wait=20), timeout=0.5)
        await aws.sqs.send_message(QueueUrl=url, MessageBody="kept")
        assert await aws.bodies(url) == ["kept"]


@pytest.mark.behaviour("fifo-01", "fifo-02", "fifo-04", "dedup-01", "dedup-02")
async def test_fifo(aws):
    async with aws:
        url = await aws.queue(fifo=True, ContentBasedDeduplication="true")
        sent = [
            await aws.sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g")
            for body in ("a", "b", "b", "c")
        ]
        assert sent[2]["MessageId"] == sent[1]["MessageId"]
        for body in ("a", "b", "c"):
            (message,) = await aws.receive(url, count=1)
            assert message["Body"] == body
            assert await aws.receive(url, wait=0) == []
            await aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


@pytest.mark.behaviour("visibility-01", "visibility-04", "system-04")
async def test_visibility(aws):
    async with aws:
        url = await aws.queue()
        await aws.sqs.send_message(QueueUrl=url, MessageBody="m")
        (message,) = await aws.receive(url)
        assert await aws.receive(url, wait=0) == []
        await aws.sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )
        (again,) = await aws.receive(url, AttributeNames=["ApproximateReceiveCount"])
        assert again["Attributes"] == {"ApproximateReceiveCount": "2"}


@pytest.mark.behaviour("dlq-01", "dlq-05", "moves-02", "moves-03")
async def test_dead_letters_and_back(aws):
    async with aws:
        dead = await aws.queue()
        policy = f'{{"deadLetterTargetArn":"{await aws.arn(dead)}","maxReceiveCount":"1"}}'
        url = await aws.queue(RedrivePolicy=policy, VisibilityTimeout="0")
        await aws.sqs.send_message(QueueUrl=url, MessageBody="m")
        assert await aws.bodies(url) == ["m"]
        assert await aws.receive(url, wait=0) == []
        source = await aws.arn(dead)
        await aws.sqs.start_message_move_task(SourceArn=source)
        assert await aws.bodies(url) == ["m"]
        tasks = await aws.sqs.list_message_move_tasks(SourceArn=source)
        assert tasks["Results"][0]["ApproximateNumberOfMessagesMoved"] == 1


@pytest.mark.behaviour("purge-01", "tags-02", "tags-03")
async def test_purge_and_tags(aws):
    async with aws:
        url = await aws.queue()
        await aws.sqs.send_message(QueueUrl=url, MessageBody="m")
        await aws.sqs.purge_queue(QueueUrl=url)
        assert await aws.receive(url, wait=0) == []
        await aws.sqs.tag_queue(QueueUrl=url, Tags={"a": "1", "b": "2"})
        await aws.sqs.untag_queue(QueueUrl=url, TagKeys=["a"])
        assert (await aws.sqs.list_queue_tags(QueueUrl=url))["Tags"] == {"b": "2"}


@pytest.mark.behaviour("fifo-16", "programs-01")
async def test_many_consumers_of_many_groups(aws):
    async with aws:
        url = await aws.queue(fifo=True)
        for group in "abcde":
            await aws.sqs.send_message_batch(
                QueueUrl=url,
                Entries=[
                    {
                        "Id": str(i),
                        "MessageBody": f"{group}{i}",
                        "MessageGroupId": group,
                        "MessageDeduplicationId": f"{group}{i}",
                    }
                    for i in range(10)
                ],
            )
        found = []

        async def consume():
            while len(found) < 50:
                for message in await aws.receive(url, count=3, wait=1):
                    found.append(message["Body"])
                    await aws.sqs.delete_message(
                        QueueUrl=url, ReceiptHandle=message["ReceiptHandle"]
                    )

        async with asyncio.timeout(30):
            await asyncio.gather(*[consume() for _ in range(8)])
        for group in "abcde":
            assert [b for b in found if b[0] == group] == [f"{group}{i}" for i in range(10)]
