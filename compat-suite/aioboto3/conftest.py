"""Tests are coroutines, and queues and topics are made and deleted as they go."""

import asyncio
import inspect
from contextlib import AsyncExitStack

import aioboto3
import pytest
from aiobotocore.config import AioConfig

from suite.clients import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, SESSION_TOKEN
from suite.service import unique


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Runs a test that is a coroutine in a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    given = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    asyncio.run(pyfuncitem.obj(**given))
    return True


@pytest.fixture
def aws(endpoint):
    """The clients, for `async with`."""
    return Aws(endpoint)


class Aws:
    """Clients of SQS, SNS and STS; what was made with them is deleted at the end."""

    def __init__(self, endpoint):
        self._endpoint = endpoint
        self._stack = AsyncExitStack()

    async def __aenter__(self):
        session = aioboto3.Session(ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN, REGION)
        for service in ("sqs", "sns", "sts"):
            client = session.client(
                service,
                endpoint_url=self._endpoint,
                config=AioConfig(retries={"total_max_attempts": 1}),
            )
            setattr(self, service, await self._stack.enter_async_context(client))
        return self

    async def __aexit__(self, *_):
        await self._stack.aclose()

    async def queue(self, fifo=False, tags=None, **attributes):
        """A new queue; returns its URL."""
        name = unique() + (".fifo" if fifo else "")
        if fifo:
            attributes["FifoQueue"] = "true"
        made = await self.sqs.create_queue(QueueName=name, Attributes=attributes, tags=tags or {})
        self._stack.push_async_callback(self.sqs.delete_queue, QueueUrl=made["QueueUrl"])
        return made["QueueUrl"]

    async def arn(self, url):
        """The ARN of a queue."""
        asked = {"QueueUrl": url, "AttributeNames": ["QueueArn"]}
        return (await self.sqs.get_queue_attributes(**asked))["Attributes"]["QueueArn"]

    async def topic(self, fifo=False, **attributes):
        """A new topic; returns its ARN."""
        if fifo:
            attributes["FifoTopic"] = "true"
        name = unique("t") + (".fifo" if fifo else "")
        made = await self.sns.create_topic(Name=name, Attributes=attributes)
        self._stack.push_async_callback(self.sns.delete_topic, TopicArn=made["TopicArn"])
        return made["TopicArn"]

    async def inbox(self, topic, fifo=False, **attributes):
        """A new queue that is subscribed to the topic; returns its URL."""
        url = await self.queue(fifo=fifo)
        await self.sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=await self.arn(url), Attributes=attributes
        )
        return url

    async def receive(self, url, count=10, wait=5, **members):
        """ReceiveMessage; returns the messages."""
        answer = await self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=count, WaitTimeSeconds=wait, **members
        )
        return answer.get("Messages", [])

    async def bodies(self, url, **members):
        """The bodies that a receive gives."""
        return [message["Body"] for message in await self.receive(url, **members)]
