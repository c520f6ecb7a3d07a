"""Workers of Celery are started as `celery worker`, and tasks sent to them as a web service does."""

import datetime
import json
import sys
import time

import pytest
from celery import Celery
from kombu import Exchange

from suite.clients import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from suite.processes import Journal, Program
from suite.service import unique


class Team:
    """An application: its settings, its journal, and its workers."""

    def __init__(self, endpoint, sqs, **settings):
        self.endpoint = endpoint
        self.journal = Journal(sqs)
        self.prefix = f"{unique('celery')}-"
        self.workers = []
        host = endpoint.removeprefix("http://")
        self.broker = f"sqs://{ACCESS_KEY_ID}:{SECRET_ACCESS_KEY}@{host}//"
        self.options = {
            "queue_name_prefix": self.prefix,
            "wait_time_seconds": 1,
            "polling_interval": 0,
            "visibility_timeout": 2,
        }
        self.options |= settings.pop("options", {})
        self.settings = {
            "broker_transport_options": self.options,
            "broker_connection_retry_on_startup": True,
            "worker_prefetch_multiplier": 1,
            **settings,
        }
        self.app = Celery("web", broker=self.broker)
        self.app.conf.update({k: v for k, v in self.settings.items() if k != "broadcast"})

    def worker(self, name="worker", *arguments):
        """Starts a worker of one process."""
        started = Program(
            [
                *(sys.executable, "-m", "celery", "-A", "tasks", "worker", "--loglevel", "INFO"),
                *("--concurrency", "1", "--hostname", f"{name}@%h", *arguments),
            ],
            CELERY_BROKER=self.broker,
            CELERY_SETTINGS=json.dumps(self.settings),
            ENDPOINT=self.endpoint,
            JOURNAL=self.journal.url,
            WORKER=name,
        )
        self.workers.append(started)
        return started

    def send(self, task, *arguments, **how):
        """Sends a task by its name."""
        return self.app.send_task(task, arguments, **how)


@pytest.fixture
def team(endpoint, json_sqs, boto_sns):
    """Makes teams; ends their workers and deletes their queues and topics."""
    teams = []

    def make(**settings):
        teams.append(Team(endpoint, json_sqs, **settings))
        return teams[-1]

    yield make
    for one in teams:
        for worker in one.workers:
            worker.kill()
            print(worker.said())  # shown when the test failed
        one.app.close()
        for url in json_sqs.list_queues(QueueNamePrefix=one.prefix).get("QueueUrls", []):
            json_sqs.delete_queue(QueueUrl=url)
        for topic in boto_sns.list_topics()["Topics"]:
            if one.prefix in topic["TopicArn"]:
                boto_sns.delete_topic(TopicArn=topic["TopicArn"])


def empty(json_sqs, url):
    """Waits until a queue holds nothing, in flight neither."""
    names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
    end = time.monotonic() + 15
    while time.monotonic() < end:
        shown = json_sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        if set(shown.values()) == {"0"}:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.behaviour("programs-10", "programs-01", "programs-18", "listing-01", "queues-01")
def test_tasks_are_run_once(team, json_sqs):
    celery = team(options={"visibility_timeout": 600})
    for i in range(12):
        celery.send("say", f"größe {i}")
    worker = celery.worker()
    assert sorted(celery.journal.lines(12)) == sorted(f"größe {i}" for i in range(12))
    url = json_sqs.get_queue_url(QueueName=f"{celery.prefix}celery")["QueueUrl"]
    assert empty(json_sqs, url)
    assert worker.stop() == 0
    assert celery.journal.is_silent()


@pytest.mark.behaviour("programs-11", "delay-01")
def test_countdown_eta_and_delay(team):
    celery = team(options={"visibility_timeout": 600}, worker_prefetch_multiplier=4)
    sent = time.time()
    celery.send("tell_time", countdown=2)
    celery.send(
        "tell_time", eta=datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=2)
    )
    celery.send("tell_time", DelaySeconds=2)  # kept by the queue and not by the worker
    celery.worker()
    assert all(float(ran) >= sent + 2 for ran in celery.journal.lines(3))


@pytest.mark.behaviour("programs-12")
def test_retries(team):
    celery = team(options={"visibility_timeout": 600})
    celery.worker()
    celery.send("stubborn", 2)
    assert celery.journal.lines(3) == ["retry 0", "retry 1", "retry 2"]
    assert celery.journal.is_silent()


@pytest.mark.behaviour("programs-13", "visibility-01")
def test_a_killed_worker(team):
    celery = team()
    celery.send("hold")
    first = celery.worker("first")
    assert celery.journal.lines(1) == ["first"]
    first.kill()
    celery.worker("second")
    assert celery.journal.lines(1) == ["second"]


@pytest.mark.behaviour("programs-16", "urls-01", "programs-10")
def test_predefined_queues(team, json_sqs):
    queue = json_sqs.queue(VisibilityTimeout=600)
    predefined = {"jobs": {"url": queue.url, "access_key_id": "test", "secret_access_key": "test"}}
    celery = team(
        options={"predefined_queues": predefined, "queue_name_prefix": ""},
        task_default_queue="jobs",
        task_create_missing_queues=True,
        worker_enable_remote_control=False,
    )
    celery.worker("worker", "--queues", "jobs", "--without-gossip", "--without-mingle")
    celery.send("say", "predefined", queue="jobs")
    assert celery.journal.lines(1) == ["predefined"]
    assert empty(json_sqs, queue.url)
    assert "QueueUrls" not in json_sqs.list_queues(QueueNamePrefix="jobs")


@pytest.mark.behaviour("programs-14", "fifo-01", "fifo-02", "dedup-01")
def test_fifo(team):
    celery = team(options={"visibility_timeout": 600}, task_default_queue="jobs.fifo")
    for line in ("a", "b", "b", "c"):
        celery.send("slow", line, MessageGroupId="g", MessageDeduplicationId=line)
    for name in ("first", "second"):
        celery.worker(name)
    assert celery.journal.lines(6) == [f"{x} {what}" for x in "abc" for what in ("begins", "ends")]
    assert celery.journal.is_silent()


@pytest.mark.behaviour("programs-17", "dlq-01", "dlq-05")
def test_a_rejected_task_goes_to_the_dead_letter_queue(team, json_sqs):
    dead = json_sqs.queue()
    celery = team(
        options={
            "visibility_timeout": 1,
            "sqs-creation-attributes": {
                "RedrivePolicy": json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 2})
            },
        }
    )
    celery.send("reject")
    celery.worker()
    assert celery.journal.lines(2) == ["rejected", "rejected"]
    assert "Body" in dead.one(WaitTimeSeconds=20)


@pytest.mark.behaviour("programs-15", "topics-01", "topictags-01", "delivery-06")
def test_broadcast_over_sns(team):
    celery = team(options={"supports_fanout": True}, broadcast="news")
    for name in ("first", "second"):
        celery.worker(name)
    news = Exchange("news", type="fanout")
    # A worker that is not there yet gets nothing, so it is told until both have heard.
    heard = set()
    end = time.monotonic() + 40
    while heard != {"first", "second"} and time.monotonic() < end:
        celery.send("say_who", exchange="news", exchange_type="fanout", declare=[news])
        heard |= set(celery.journal.available())
    assert heard == {"first", "second"}
