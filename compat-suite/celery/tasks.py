"""A team's tasks. They write what they do into a journal, which is a queue.

CELERY_BROKER     the URL of the broker
CELERY_SETTINGS   further settings, as JSON
ENDPOINT, JOURNAL  where the journal is
"""

import json
import os
import time
import uuid

import boto3
from celery import Celery
from celery.exceptions import Reject
from kombu.common import Broadcast

settings = json.loads(os.environ["CELERY_SETTINGS"])
broadcast = settings.pop("broadcast", None)
app = Celery("tasks", broker=os.environ["CELERY_BROKER"])
app.conf.update(settings)
if broadcast:
    app.conf.task_queues = (Broadcast(broadcast),)


def journal(line):
    """Writes a line."""
    sqs = boto3.client("sqs", endpoint_url=os.environ["ENDPOINT"])
    sqs.send_message(
        QueueUrl=os.environ["JOURNAL"],
        MessageBody=line,
        MessageGroupId="journal",
        MessageDeduplicationId=str(uuid.uuid4()),
    )


@app.task(name="say")
def say(line):
    journal(line)


@app.task(name="say_who")
def say_who():
    journal(os.environ["WORKER"])


@app.task(name="tell_time")
def tell_time():
    journal(str(time.time()))


@app.task(name="stubborn", bind=True, max_retries=5)
def stubborn(self, failures):
    journal(f"retry {self.request.retries}")
    if self.request.retries < failures:
        raise self.retry(countdown=1)


@app.task(name="hold", acks_late=True)
def hold():
    """The first worker never comes to its end."""
    journal(os.environ["WORKER"])
    if os.environ["WORKER"] == "first":
        time.sleep(600)


@app.task(name="reject", acks_late=True)
def reject():
    journal("rejected")
    raise Reject("no use", requeue=False)


@app.task(name="slow", acks_late=True)
def slow(line):
    journal(f"{line} begins")
    time.sleep(1)
    journal(f"{line} ends")
