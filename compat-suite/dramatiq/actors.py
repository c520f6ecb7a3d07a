"""A team's actors. They write what they do into a journal, which is a queue."""

import json
import os
import time
import uuid

import boto3
import dramatiq
from dramatiq.middleware import AgeLimit, Callbacks, Retries, ShutdownNotifications
from dramatiq_sqs import SQSBroker

ENDPOINT = os.environ["ENDPOINT"]
broker = SQSBroker(
    namespace=os.environ["NAMESPACE"],
    middleware=[
        AgeLimit(),
        Callbacks(),
        ShutdownNotifications(),
        Retries(max_retries=2, min_backoff=1000, max_backoff=1000),
    ],
    endpoint_url=ENDPOINT,
    **json.loads(os.environ.get("BROKER", "{}")),
)
dramatiq.set_broker(broker)


def journal(line):
    """Writes a line."""
    boto3.client("sqs", endpoint_url=ENDPOINT).send_message(
        QueueUrl=os.environ["JOURNAL"],
        MessageBody=line,
        MessageGroupId="journal",
        MessageDeduplicationId=str(uuid.uuid4()),
    )


@dramatiq.actor
def say(line):
    journal(line)


@dramatiq.actor
def tell_time():
    journal(str(time.time()))


@dramatiq.actor
def fail():
    journal("failed")
    raise RuntimeError("as always")


@dramatiq.actor
def hold():
    """The first worker never comes to its end."""
    journal(os.environ.get("WORKER", ""))
    if os.environ.get("WORKER") == "first":
        time.sleep(600)


@dramatiq.actor
def slow(line):
    journal(f"{line} begins")
    time.sleep(1)
    journal(f"{line} ends")
